/* SPDX-License-Identifier: Apache-2.0
 *
 * tools_approve.c - `nakoso tools approve` and `nakoso tools revoke`: the only ways by which the file of
 * approved tools changes.
 *
 * A server may offer one thing while somebody looks and another when he approves. So a tool can be named with
 * the beginning of its digest, as `nakoso tools diff` prints it: then that definition is approved and no
 * other. Tools in whose texts there is an error are approved by name only, never by --all.
 */
#include "cmd/tools.h"

#include <stdio.h>
#include <time.h>
#include "cmd/audit_args.h"
#include "cmd/options.h"

enum { DIGITS_LEAST = 12 }; /* of a digest that names a definition */

struct job {
    const char *command;
    const char *approved, *config, *server, *from, *lang_name;
    struct nk_fetch how;
    bool all;
    char **words; /* TOOL… */
    int word_count;
    enum nk_lang lang;
    struct nk_arena arena;
    struct nk_approved_file file;
    struct nk_offer offer;
    struct nk_trust_tool *tools;
    bool *taken; /* of the offer: will be in the file */
    size_t n, count;
    struct nk_buf out, text;
};

static int refuse(struct nk_fault *f, struct nk_str name, const char *why)
{
    return nk_fault_set(f, NK_EDENIED, "tools", 0, "%.*s: %s", NK_FMT(nk_str_sub(name, 0, 100)),
                        why);
}

/* "name" or "name@0123456789ab": is it this tool, and no other than was seen? */
static int is_meant(struct nk_str word, const struct nk_trust_tool *t, bool *out,
                    struct nk_fault *f)
{
    char hex[2 * NK_SHA256_SIZE];
    struct nk_buf digits = {.p = hex, .cap = sizeof hex, .max = sizeof hex};
    nk_buf_add_hex(&digits, t->digest.b, sizeof t->digest.b);
    *out = nk_str_eq(word, t->name);
    struct nk_str digest = word;
    struct nk_str name = nk_str_cut(&digest, '@');
    if (*out || !digest.p || !nk_str_eq(name, t->name))
        return 0;
    if (digest.n < DIGITS_LEAST)
        return refuse(f, word, "at least 12 digits of the digest are needed behind @");
    if (!nk_str_starts(nk_buf_str(&digits), digest))
        return refuse(f, word, "the server offers another definition now; look at it again");
    *out = true;
    return 0;
}

/* Nothing that --all should take: a person has to have seen it. */
static bool is_strange(const struct nk_trust_tool *t, const struct nk_trust_findings *found)
{
    return t->state == NK_TRUST_RENAMED || t->likeness == NK_TRUST_LOOKALIKE ||
           (t->state != NK_TRUST_APPROVED && nk_findings_of(found, NK_TRUST_ERROR));
}

static int choose(struct job *j, size_t i, struct nk_fault *f)
{
    static const char *const not_taken[NK_LANGS][2] = {
        {"not approved: it cannot be", "not approved: name it to approve it"},
        {"承認しません: 承認できない定義です", "承認しません: 承認するには名前を指定してください"}};
    static struct nk_trust_findings found;
    const struct nk_trust_tool *t = &j->tools[i];
    bool named = false;
    int rc = 0;
    for (int k = 0; k < j->word_count && rc == 0 && !named; k++) {
        rc = j->words[k] ? is_meant(nk_str(j->words[k]), t, &named, f) : 0;
        if (named)
            j->words[k] = NULL; /* found */
    }
    bool bad = t->state == NK_TRUST_TWICE || t->state == NK_TRUST_MALFORMED;
    if (rc || (!named && !j->all))
        return rc;
    if (named && bad)
        return refuse(f, t->name, "it is offered twice or is no definition of a tool");
    rc = nk_offer_put_tool(&j->offer, t, &j->file.approvals, nk_str(j->server), j->lang, &j->arena,
                           &found, &j->out, f);
    if (rc)
        return rc;
    if (!named && (bad || is_strange(t, &found))) {
        nk_buf_printf(&j->out, "  %s\n", not_taken[j->lang][!bad]);
        return 0;
    }
    j->taken[i] = true;
    j->count += t->state != NK_TRUST_APPROVED;
    return 0;
}

static int choose_all(struct job *j, struct nk_fault *f)
{
    int rc = 0;
    j->taken = nk_arena_array(&j->arena, j->n ? j->n : 1, sizeof *j->taken);
    if (!j->taken)
        return nk_fault_set(f, NK_ENOMEM, "tools", 0, "out of memory");
    for (size_t i = 0; i < j->n && rc == 0; i++)
        rc = choose(j, i, f);
    for (int k = 0; k < j->word_count && rc == 0; k++)
        if (j->words[k])
            rc = refuse(f, nk_str(j->words[k]), "there is no such tool");
    return rc;
}

/* The file anew -----------------------------------------------------------------------------------
 */
static void put_old(struct job *j, const struct nk_approval *a, struct nk_fault *f)
{
    if (j->text.p[j->text.n - 1] == '}')
        nk_buf_add_char(&j->text, ',');
    nk_approved_put(&j->text, a->server, &j->file.approvals.doc, a->at, &a->digest, a->since, f);
}

static void put_new(struct job *j, const struct nk_trust_tool *t, struct nk_str now,
                    struct nk_fault *f)
{
    if (j->text.p[j->text.n - 1] == '}')
        nk_buf_add_char(&j->text, ',');
    nk_approved_put(&j->text, nk_str(j->server), &j->offer.doc, t->at, &t->digest, now, f);
}

/* The tool of the offer that comes next by name and is new in the file; NULL: none is left. */
static const struct nk_trust_tool *next_new(const struct job *j, struct nk_str after, bool any)
{
    const struct nk_trust_tool *best = NULL;
    for (size_t i = 0; i < j->n; i++) {
        const struct nk_trust_tool *t = &j->tools[i];
        if (!j->taken || !j->taken[i] || t->state == NK_TRUST_APPROVED)
            continue;
        if ((any || nk_str_cmp(t->name, after) > 0) &&
            (!best || nk_str_cmp(t->name, best->name) < 0))
            best = t;
    }
    return best;
}

/* Is this old entry replaced or taken back? */
static bool is_over(const struct job *j, const struct nk_approval *a)
{
    if (!nk_str_eq(a->server, nk_str(j->server)))
        return false;
    for (int k = 0; !j->from && k < j->word_count; k++)
        if (nk_str_eq(a->name, nk_str(j->words[k])))
            return true;
    for (size_t i = 0; i < j->n; i++)
        if (j->taken[i] && j->tools[i].state == NK_TRUST_CHANGED && j->tools[i].approval == a)
            return true;
    return false;
}

/* Both lists are sorted, so the file is one merge of them. */
static int write_file(struct job *j, struct nk_fault *f)
{
    struct nk_buf now;
    struct timespec ts;
    struct nk_str server = nk_str(j->server);
    clock_gettime(CLOCK_REALTIME, &ts);
    nk_buf_init(&now, 64);
    nk_time_format((int64_t)ts.tv_sec * 1000, &now);
    nk_buf_add(&j->text, NK_STR("{\"format\":1,\"tools\":["));
    const struct nk_trust_tool *t = next_new(j, server, true);
    for (size_t i = 0; i < j->file.approvals.n; i++) {
        const struct nk_approval *a = &j->file.approvals.list[i];
        int order = nk_str_cmp(server, a->server);
        for (; t && (order < 0 || (order == 0 && nk_str_cmp(t->name, a->name) <= 0));
             t = next_new(j, t->name, false))
            put_new(j, t, nk_buf_str(&now), f);
        if (!is_over(j, a))
            put_old(j, a, f);
        else
            j->count += !j->from;
    }
    for (; t; t = next_new(j, t->name, false))
        put_new(j, t, nk_buf_str(&now), f);
    nk_buf_add(&j->text, NK_STR("\n]}\n"));
    nk_buf_free(&now);
    if (j->text.error)
        return nk_fault_set(f, j->text.error, "tools", 0, "the file would be too large");
    return nk_approved_write(&j->file, nk_buf_str(&j->text), &j->arena, f);
}

static void put_summary(struct job *j, const char *path)
{
    static const char *const texts[NK_LANGS][2] = {{"approved", "approvals taken back"},
                                                   {"承認した件数", "取り消した件数"}};
    nk_buf_printf(&j->out, "%s: %s: %zu\n", path, texts[j->lang][!j->from], j->count);
}

/* approve ----------------------------------------------------------------------------------------- */
static int open_file(struct job *j, const char **path, struct nk_fault *f)
{
    int rc = nk_approved_path(j->approved, j->config, &j->arena, path, f);
    return rc ? rc : nk_approved_open(&j->file, *path, true, &j->arena, f);
}

static int approve(struct job *j, struct nk_fault *f)
{
    const char *path;
    /* The offer first: while a server takes its time, nobody else should have to wait. */
    int rc = nk_offer_read(j->from, &j->how, &j->arena, &j->offer, f);
    if (rc == 0)
        rc = open_file(j, &path, f);
    if (rc == 0)
        rc = nk_trust_judge(&j->file.approvals, nk_str(j->server), &j->offer.doc, j->offer.tools,
                            &j->arena, &j->tools, &j->n, f);
    if (rc == 0)
        rc = choose_all(j, f);
    if (rc == 0 && j->count)
        rc = write_file(j, f);
    if (rc == 0)
        put_summary(j, path);
    return rc;
}

static int revoke(struct job *j, struct nk_fault *f)
{
    const char *path;
    int rc = open_file(j, &path, f);
    for (int k = 0; k < j->word_count && rc == 0; k++)
        if (!nk_approvals_find(&j->file.approvals, nk_str(j->server), nk_str(j->words[k])))
            rc = refuse(f, nk_str(j->words[k]), "it is not approved");
    if (rc == 0)
        rc = write_file(j, f);
    if (rc == 0)
        put_summary(j, path);
    return rc;
}

static int run(struct job *j, int (*what)(struct job *, struct nk_fault *))
{
    struct nk_fault f = {0};
    nk_arena_init(&j->arena, NK_TOOLS_ARENA);
    nk_buf_init(&j->out, 4 * NK_OFFER_MAX);
    nk_buf_init(&j->text, NK_TRUST_FILE_MAX);
    j->file.directory = -1;
    int rc = what(j, &f);
    bool ok = nk_audit_print(&j->out);
    if (rc)
        fprintf(stderr, "nakoso tools %s: %s\n", j->command, f.message);
    nk_approved_close(&j->file);
    nk_buf_free(&j->text);
    nk_buf_free(&j->out);
    nk_arena_free(&j->arena);
    return rc || !ok;
}

static int usage_approve(void)
{
    fputs("usage: nakoso tools approve --server NAME --from FILE|URL [--config FILE | --approved "
          "FILE]\n"
          "           [--token FILE] [--ca FILE] [--lang en|ja] TOOL[@DIGEST]…|--all\n"
          "Writes the definitions that the server offers now into the file of approved tools. With "
          "the "
          "beginning\nof a digest, as `nakoso tools diff` prints it, only that very definition is "
          "taken. --all leaves out\nwhat is found an error in. A running gateway sees the file at "
          "`nakoso reload`.\n",
          stderr);
    return 2;
}

int nk_cmd_tools_approve(int argc, char **argv)
{
    static struct job j = {.command = "approve"};
    bool help = false;
    const struct nk_option options[] = {
        {"--approved", &j.approved, NULL}, {"--config", &j.config, NULL},
        {"-c", &j.config, NULL},           {"--server", &j.server, NULL},
        {"--from", &j.from, NULL},         {"--token", &j.how.token, NULL},
        {"--ca", &j.how.ca, NULL},         {"--lang", &j.lang_name, NULL},
        {"--all", NULL, &j.all},           {"--help", NULL, &help}};
    j.words = argv + 1;
    if (nk_options_read("tools approve", argc, argv, options, NK_COUNT(options), &j.word_count) ||
        help || !j.server || !*j.server || !j.from || (j.word_count > 0) == j.all ||
        nk_lang_of("tools approve", j.lang_name, &j.lang))
        return usage_approve();
    return run(&j, approve);
}

static int usage_revoke(void)
{
    fputs(
        "usage: nakoso tools revoke --server NAME [--config FILE | --approved FILE] [--lang en|ja] "
        "TOOL…\n"
        "Takes approvals back: a running gateway neither lists nor calls these tools after `nakoso "
        "reload`.\n",
        stderr);
    return 2;
}

int nk_cmd_tools_revoke(int argc, char **argv)
{
    static struct job j = {.command = "revoke"};
    bool help = false;
    const struct nk_option options[] = {
        {"--approved", &j.approved, NULL}, {"--config", &j.config, NULL},  {"-c", &j.config, NULL},
        {"--server", &j.server, NULL},     {"--lang", &j.lang_name, NULL}, {"--help", NULL, &help}};
    j.words = argv + 1;
    if (nk_options_read("tools revoke", argc, argv, options, NK_COUNT(options), &j.word_count) ||
        help || !j.server || !j.word_count || nk_lang_of("tools revoke", j.lang_name, &j.lang))
        return usage_revoke();
    return run(&j, revoke);
}
