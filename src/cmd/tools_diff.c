/* SPDX-License-Identifier: Apache-2.0
 *
 * tools_diff.c - `nakoso tools diff`: what a server offers beside what is approved of it. What it prints is
 * what has to be looked at before `nakoso tools approve` is told to take it.
 */
#include "cmd/tools.h"

#include <stdio.h>
#include "cmd/audit_args.h"
#include "cmd/options.h"

struct job {
    const char *approved, *config, *server, *from, *lang_name;
    struct nk_fetch how;
    enum nk_lang lang;
    struct nk_arena arena;
    struct nk_approved_file file;
    struct nk_offer offer;
    struct nk_trust_tool *tools;
    size_t n, same, gone;
};

static int usage(void)
{
    fputs(
        "usage: nakoso tools diff --server NAME --from FILE|URL [--config FILE | --approved FILE]\n"
        "           [--token FILE] [--ca FILE] [--lang en|ja]\n"
        "Compares the tools that a server offers (an MCP server's URL, a saved answer of "
        "tools/list, "
        "or - for\nstandard input) with those that are approved. Behind each name stands @ and the "
        "beginning of its\ndigest, which `nakoso tools approve` takes. Exit status 1: something is "
        "not as approved.\n",
        stderr);
    return 2;
}

static bool is_offered(const struct job *j, const struct nk_approval *a)
{
    for (size_t i = 0; i < j->n; i++)
        if (nk_str_eq(j->tools[i].name, a->name) ||
            (j->tools[i].state == NK_TRUST_RENAMED && j->tools[i].approval == a))
            return true;
    return false;
}

static void put_gone(struct job *j, struct nk_buf *out)
{
    for (size_t i = 0; i < j->file.approvals.n; i++) {
        const struct nk_approval *a = &j->file.approvals.list[i];
        if (!nk_str_eq(a->server, nk_str(j->server)) || is_offered(j, a))
            continue;
        nk_buf_add(out, j->lang == NK_LANG_JA ? NK_STR("- 消失 ") : NK_STR("- gone "));
        nk_trust_put_seen(out, a->name);
        nk_buf_add_char(out, '\n');
        j->gone++;
    }
}

static int show(struct job *j, struct nk_buf *out, struct nk_fault *f)
{
    static struct nk_trust_findings found;
    for (size_t i = 0; i < j->n; i++) {
        int rc = nk_offer_put_tool(&j->offer, &j->tools[i], &j->file.approvals, nk_str(j->server),
                                   j->lang, &j->arena, &found, out, f);
        if (rc)
            return rc;
        j->same += j->tools[i].state == NK_TRUST_APPROVED;
    }
    put_gone(j, out);
    if (j->lang == NK_LANG_JA)
        nk_buf_printf(out, "提供 %zu 件: 承認どおり %zu 件、未承認 %zu 件、消失 %zu 件\n", j->n,
                      j->same, j->n - j->same, j->gone);
    else
        nk_buf_printf(out, "offered: %zu, as approved: %zu, not approved: %zu, gone: %zu\n", j->n,
                      j->same, j->n - j->same, j->gone);
    return 0;
}

static int diff(struct job *j)
{
    struct nk_fault f = {0};
    struct nk_buf out;
    const char *path;
    nk_buf_init(&out, 4 * NK_OFFER_MAX);
    int rc = nk_approved_path(j->approved, j->config, &j->arena, &path, &f);
    if (rc == 0)
        rc = nk_approved_open(&j->file, path, false, &j->arena, &f);
    if (rc == 0)
        rc = nk_offer_read(j->from, &j->how, &j->arena, &j->offer, &f);
    if (rc == 0)
        rc = nk_trust_judge(&j->file.approvals, nk_str(j->server), &j->offer.doc, j->offer.tools,
                            &j->arena, &j->tools, &j->n, &f);
    if (rc == 0)
        rc = show(j, &out, &f);
    if (rc)
        fprintf(stderr, "nakoso tools diff: %s\n", f.message);
    bool ok = rc == 0 && nk_audit_print(&out);
    nk_buf_free(&out);
    return ok && j->same == j->n && !j->gone ? 0 : 1;
}

int nk_cmd_tools_diff(int argc, char **argv)
{
    static struct job j;
    bool help = false;
    const struct nk_option options[] = {{"--approved", &j.approved, NULL},
                                        {"--config", &j.config, NULL},
                                        {"-c", &j.config, NULL},
                                        {"--server", &j.server, NULL},
                                        {"--from", &j.from, NULL},
                                        {"--token", &j.how.token, NULL},
                                        {"--ca", &j.how.ca, NULL},
                                        {"--lang", &j.lang_name, NULL},
                                        {"--help", NULL, &help}};
    int words;
    if (nk_options_read("tools diff", argc, argv, options, NK_COUNT(options), &words) || words ||
        help || !j.server || !j.from || nk_lang_of("tools diff", j.lang_name, &j.lang))
        return usage();
    nk_arena_init(&j.arena, NK_TOOLS_ARENA);
    int status = diff(&j);
    nk_approved_close(&j.file);
    nk_arena_free(&j.arena);
    return status;
}
