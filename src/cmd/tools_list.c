/* SPDX-License-Identifier: Apache-2.0
 *
 * tools_list.c - `nakoso tools list`: what is approved, by server.
 */
#include "cmd/tools.h"

#include <stdio.h>
#include "cmd/audit_args.h"
#include "cmd/options.h"
#include "edge/file.h"
#include "tool/tool.h"

struct job {
    const char *approved, *config, *server;
    bool json;
    struct nk_arena arena;
    struct nk_approved_file file;
    const struct nk_tools *tools; /* with --config: what its rules make of them; or NULL */
};

static int usage(void)
{
    fputs(
        "usage: nakoso tools list [--config FILE | --approved FILE] [--server NAME] [--json]\n"
        "Lists the approved tools by server, each with the beginning of its digest and when it was "
        "approved;\nwith --config also its action groups, by the rules. The file is that of "
        "--approved, `tools.file` of the\nconfiguration, or tools.json.\n",
        stderr);
    return 2;
}

/* The groups of actions that the tool belongs to. */
static void put_groups(const struct job *j, const struct nk_approval *t, struct nk_buf *out)
{
    const struct nk_tool *tool = j->tools ? nk_tools_find_of(j->tools, t->server, t->name) : NULL;
    const char *before = "  ";
    for (unsigned i = 0; tool && i < NK_TOOL_GROUPS; i++) {
        if (!(tool->groups & 1u << i))
            continue;
        nk_buf_printf(out, "%s%.*s", before, NK_FMT(nk_tool_group_name(i)));
        before = ", ";
    }
}

static void put_text(const struct job *j, const struct nk_approval *t, bool first,
                     struct nk_buf *out)
{
    if (first) {
        nk_trust_put_seen(out, t->server);
        nk_buf_add(out, NK_STR("\n"));
    }
    nk_buf_add(out, NK_STR("  "));
    nk_trust_put_seen(out, t->name);
    nk_buf_add_char(out, '@');
    nk_buf_add_hex(out, t->digest.b, 8);
    if (t->since.p) {
        nk_buf_add(out, NK_STR("  "));
        nk_trust_put_seen(out, t->since);
    }
    put_groups(j, t, out);
    nk_buf_add_char(out, '\n');
}

static void put_json(const struct nk_approval *t, struct nk_buf *out)
{
    nk_buf_add_char(out, '{');
    nk_json_put_member(out, NK_STR("server"), t->server);
    nk_json_put_member(out, NK_STR("name"), t->name);
    nk_buf_add(out, NK_STR(",\"sha256\":\""));
    nk_buf_add_hex(out, t->digest.b, sizeof t->digest.b);
    nk_buf_add_char(out, '"');
    if (t->since.p)
        nk_json_put_member(out, NK_STR("approved"), t->since);
    nk_buf_add(out, NK_STR("}\n"));
}

/* The registry as a gateway would have it: a rule or a server that does not fit is a fault here too. */
static int read_registry(struct job *j, const char *path, struct nk_fault *f)
{
    static const uint64_t seed[2] = {1, 2};
    struct nk_config *c = nk_arena_alloc(&j->arena, sizeof *c);
    struct nk_str text = {NULL, 0};
    if (!c)
        return nk_fault_set(f, NK_ENOMEM, "tools", 0, "out of memory");
    int rc = nk_config_load(j->config, &j->arena, c, f);
    if (rc == 0 && j->file.approvals.n)
        rc = nk_file_read(path, NK_TRUST_FILE_MAX, NK_FILE_PUBLIC, &j->arena, &text, f);
    return rc ? rc : nk_tools_new(c, text, seed, &j->arena, &j->tools, f);
}

static int list(struct job *j)
{
    struct nk_fault f = {0};
    const char *path;
    int rc = nk_approved_path(j->approved, j->config, &j->arena, &path, &f);
    if (rc == 0)
        rc = nk_approved_open(&j->file, path, false, &j->arena, &f);
    if (rc == 0 && j->config && !j->approved)
        rc = read_registry(j, path, &f);
    if (rc) {
        fprintf(stderr, "nakoso tools list: %s\n", f.message);
        return 1;
    }
    struct nk_buf out;
    struct nk_str last = {NULL, 0};
    nk_buf_init(&out, NK_OFFER_MAX);
    for (size_t i = 0; i < j->file.approvals.n; i++) {
        const struct nk_approval *t = &j->file.approvals.list[i];
        if (j->server && !nk_str_eq(t->server, nk_str(j->server)))
            continue;
        if (j->json)
            put_json(t, &out);
        else
            put_text(j, t, !nk_str_eq(t->server, last), &out);
        last = t->server;
    }
    bool ok = nk_audit_print(&out);
    nk_buf_free(&out);
    return ok ? 0 : 1;
}

int nk_cmd_tools_list(int argc, char **argv)
{
    static struct job j;
    bool help = false;
    const struct nk_option options[] = {
        {"--approved", &j.approved, NULL}, {"--config", &j.config, NULL}, {"-c", &j.config, NULL},
        {"--server", &j.server, NULL},     {"--json", NULL, &j.json},     {"--help", NULL, &help}};
    int words;
    if (nk_options_read("tools list", argc, argv, options, NK_COUNT(options), &words) || words ||
        help)
        return usage();
    nk_arena_init(&j.arena, NK_TOOLS_ARENA);
    int status = list(&j);
    nk_approved_close(&j.file);
    nk_arena_free(&j.arena);
    return status;
}
