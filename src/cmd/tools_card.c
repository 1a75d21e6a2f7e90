/* SPDX-License-Identifier: Apache-2.0
 *
 * tools_card.c - `nakoso tools card`: what an agent of others says of itself, for the person who approves it, and the digest
 * by which an A2A endpoint knows it again. As everything that somebody else wrote, it is shown so that it cannot draw on
 * the screen.
 */
#include "cmd/tools.h"

#include <stdio.h>
#include "cmd/audit_args.h"
#include "cmd/options.h"
#include "cmd/policy_input.h"
#include "proto/a2a.h"

enum { OUT_MAX = 4 << 20 };

static const struct nk_json_limits limits = {NK_A2A_CARD_MAX, 64, 1 << 16};

struct job {
    const char *from, *lang_name;
    struct nk_fetch how;
    enum nk_lang lang;
    struct nk_arena arena;
    struct nk_json doc;
    uint32_t card;
    struct nk_buf out;
};

static int usage(void)
{
    fputs(
        "usage: nakoso tools card [--token FILE] [--ca FILE] [--lang en|ja] FILE|URL\n"
        "Shows an A2A agent's card, what is strange in it, and its digest: read it, then write the "
        "digest into the\nconfiguration (a2a[].card). A URL without a path is asked at "
        "/.well-known/agent-card.json. FILE may also hold an\nanswer of GetExtendedAgentCard "
        "(a2a[].extended_card). Exit status 1: there is an error among what was found.\n",
        stderr);
    return 2;
}

static bool is_url(struct nk_str from)
{
    return nk_str_starts(from, NK_STR("http://")) || nk_str_starts(from, NK_STR("https://"));
}

/* A server alone is asked where the specification has its card (A2A 1.0, section 8.2). */
static const char *card_url(struct job *j)
{
    struct nk_str url = nk_str(j->from);
    struct nk_str rest = nk_str_sub(url, nk_str_starts(url, NK_STR("https://")) ? 8 : 7, url.n);
    ptrdiff_t slash = nk_str_find(rest, '/');
    if (slash >= 0 && (size_t)slash + 1 < rest.n)
        return j->from;
    return nk_arena_printf(&j->arena, "%.*s/.well-known/agent-card.json",
                           NK_FMT(nk_str_sub(url, 0, url.n - (slash >= 0))))
        .p;
}

static int fetch(struct job *j, struct nk_str *out, struct nk_fault *f)
{
    struct nk_told told;
    struct nk_ask ask = {.method = "GET",
                         .url = card_url(j),
                         .headers = NK_STR("Accept: application/json\r\nA2A-Version: 1.0\r\n"),
                         .how = &j->how};
    int rc = ask.url ? nk_ask_http(&ask, &j->arena, &told, f)
                     : nk_fault_set(f, NK_ENOMEM, "tools", 0, "out of memory");
    if (!rc && told.status != 200)
        rc = nk_fault_set(f, NK_EIO, "tools", 0, "%.150s: it answers with status %d", ask.url,
                          told.status);
    *out = rc ? (struct nk_str){NULL, 0} : told.body;
    return rc;
}

static int read_card(struct job *j, struct nk_fault *f)
{
    struct nk_str text;
    struct nk_fault inner = {0};
    int rc =
        is_url(nk_str(j->from)) ? fetch(j, &text, f) : nk_input_read(j->from, &j->arena, &text, f);
    if (rc)
        return rc;
    rc = nk_json_parse(&limits, text, &j->arena, &j->doc, &inner);
    if (rc)
        return nk_fault_set(f, rc, "tools", inner.offset, "%.100s: byte %zu: %s", j->from,
                            inner.offset, inner.message);
    uint32_t result = nk_json_get(&j->doc, 0, NK_STR("result"));
    j->card = result == NK_JSON_NONE ? 0 : result;
    if (nk_json_get(&j->doc, j->card, NK_STR("skills")) == NK_JSON_NONE)
        return nk_fault_set(f, NK_EINVAL, "tools", 0, "%.100s: this is no agent card", j->from);
    return 0;
}

/* A member of `object`, as it may be seen; what is not there is nothing. */
static void put_seen(struct job *j, uint32_t object, const char *name, const char *before)
{
    struct nk_str s =
        nk_json_string(&j->doc, nk_json_get(&j->doc, object, nk_str(name)), &j->arena);
    if (!s.n)
        return;
    nk_buf_add(&j->out, nk_str(before));
    nk_trust_put_seen(&j->out, s);
}

static void put_list(struct job *j, const char *list, const char *const *members, size_t n)
{
    uint32_t all = nk_json_get(&j->doc, j->card, nk_str(list));
    for (uint32_t i = nk_json_first(&j->doc, all); i != NK_JSON_NONE;
         i = nk_json_next(&j->doc, all, i)) {
        nk_buf_printf(&j->out, "  %s", list);
        for (size_t m = 0; m < n; m++)
            put_seen(j, i, members[m], m ? " | " : ": ");
        nk_buf_add_char(&j->out, '\n');
    }
}

static void put_card(struct job *j)
{
    static const char *const skill[] = {"id", "name", "description"};
    static const char *const place[] = {"protocolVersion", "protocolBinding", "url"};
    static const char *const old[] = {"transport", "url"};
    put_seen(j, j->card, "name", "");
    put_seen(j, j->card, "version", " ");
    put_seen(j, j->card, "description", "\n  ");
    nk_buf_add_char(&j->out, '\n');
    put_list(j, "supportedInterfaces", place, NK_COUNT(place));
    put_list(j, "additionalInterfaces", old, NK_COUNT(old));
    put_list(j, "skills", skill, NK_COUNT(skill));
}

static int show(struct job *j, bool *bad, struct nk_fault *f)
{
    static struct nk_trust_findings found;
    struct nk_digest digest;
    int rc = nk_trust_inspect_card(&j->doc, j->card, &j->arena, &found, f);
    if (!rc)
        rc = nk_a2a_card_digest(&limits, &j->doc, j->card, &j->arena, &digest, f);
    if (rc)
        return rc;
    put_card(j);
    for (size_t i = 0; i < found.n; i++)
        nk_finding_put(&found.list[i], j->lang, &j->out);
    nk_buf_add(&j->out, NK_STR("sha256: "));
    nk_buf_add_hex(&j->out, digest.b, sizeof digest.b);
    nk_buf_add_char(&j->out, '\n');
    *bad = nk_findings_of(&found, NK_TRUST_ERROR) > 0;
    return 0;
}

static int card(struct job *j)
{
    struct nk_fault f = {0};
    bool bad = false;
    int rc = read_card(j, &f);
    if (!rc)
        rc = show(j, &bad, &f);
    if (rc)
        fprintf(stderr, "nakoso tools card: %s\n", f.message);
    return rc || !nk_audit_print(&j->out) || bad;
}

int nk_cmd_tools_card(int argc, char **argv)
{
    static struct job j;
    bool help = false;
    const struct nk_option options[] = {{"--token", &j.how.token, NULL},
                                        {"--ca", &j.how.ca, NULL},
                                        {"--lang", &j.lang_name, NULL},
                                        {"--help", NULL, &help}};
    int words;
    if (nk_options_read("tools card", argc, argv, options, NK_COUNT(options), &words) ||
        words != 1 || help || nk_lang_of("tools card", j.lang_name, &j.lang))
        return usage();
    j.from = argv[1];
    nk_arena_init(&j.arena, NK_TOOLS_ARENA);
    nk_buf_init(&j.out, OUT_MAX);
    int status = card(&j);
    nk_buf_free(&j.out);
    nk_arena_free(&j.arena);
    return status;
}
