/* SPDX-License-Identifier: Apache-2.0
 *
 * policy_diff.c - `nakoso policy diff`: decides the requests of an audit log by old and by new
 * policies, on the facts that were recorded, and shows each that would be decided otherwise.
 */
#include "cmd/policy.h"

#include <stdio.h>
#include <unistd.h>
#include "cmd/audit_args.h"
#include "cmd/options.h"
#include "cmd/policy_input.h"
#include "cmd/recorded.h"

enum { SAME = 0, DIFFERENT = 1, TROUBLE = 2, OUT_MAX = 1 << 20, SCRATCH_MAX = 64 << 20 };

static const struct nk_json_limits limits = {NK_CHAIN_LINE_MAX, 64, 65536};

struct side {
    struct nk_cedar_policies *policies;
    struct nk_replay now; /* the record at hand, decided by these policies */
};

struct job {
    const char *log, *from_text, *to_text;
    uint64_t from, to;
    bool json;
    struct nk_arena arena, scratch; /* of the policies, of one record */
    struct side old, new;
    struct nk_recorded recorded;
    struct nk_buf out;
    uint64_t same, changed, reasons, failed;
};

static int usage(void)
{
    fputs("usage: nakoso policy diff --log DIR [--from N] [--to N] [--json] OLD NEW\n"
          "Decides the requests recorded in the audit log DIR by the policies OLD and by the "
          "policies "
          "NEW (each\na file or a directory) and prints each that would be decided otherwise, with "
          "the policies that decide\nit on both sides. Exit status 0: no decision differs; 1: one "
          "does; 2: something cannot be read.\n",
          stderr);
    return TROUBLE;
}

static int say(const struct nk_fault *f)
{
    fprintf(stderr, "nakoso policy diff: %s\n", f->message);
    return TROUBLE;
}

/* Output ------------------------------------------------------------------------------------------
 */
static void put_uid_json(struct nk_buf *out, struct nk_str name, struct nk_cedar_uid uid)
{
    nk_json_put_name(out, name);
    nk_buf_add_char(out, '{');
    nk_json_put_member(out, NK_STR("type"), uid.type);
    nk_json_put_member(out, NK_STR("id"), uid.id);
    nk_buf_add_char(out, '}');
}

static void put_verdict_json(struct nk_buf *out, struct nk_str name,
                             const struct nk_replay_verdict *v)
{
    nk_json_put_name(out, name);
    nk_buf_add_char(out, '{');
    nk_json_put_member(out, NK_STR("decision"), v->allow ? NK_STR("allow") : NK_STR("deny"));
    nk_json_put_name(out, NK_STR("reasons"));
    nk_buf_add_char(out, '[');
    for (size_t i = 0; i < v->reason_count; i++) {
        nk_buf_add(out, i ? NK_STR(",") : NK_STR(""));
        nk_json_put_string(out, v->reasons[i]);
    }
    nk_buf_add_char(out, ']');
    nk_json_put_name(out, NK_STR("errors"));
    nk_buf_add_char(out, '[');
    for (size_t i = 0; i < v->error_count; i++) {
        nk_buf_add(out, i ? NK_STR(",{") : NK_STR("{"));
        nk_json_put_member(out, NK_STR("policy"), v->errors[i].policy);
        nk_json_put_member(out, NK_STR("error"), v->errors[i].what);
        nk_buf_add_char(out, '}');
    }
    nk_buf_add(out, NK_STR("]}"));
}

static void put_difference(struct job *j, uint64_t n)
{
    struct nk_buf *out = &j->out;
    const struct nk_replay *d = &j->old.now;
    if (j->json) {
        nk_buf_printf(out, "{\"record\":%llu", (unsigned long long)n);
        put_uid_json(out, NK_STR("principal"), d->principal);
        put_uid_json(out, NK_STR("action"), d->action);
        put_uid_json(out, NK_STR("resource"), d->resource);
        put_verdict_json(out, NK_STR("old"), &d->now);
        put_verdict_json(out, NK_STR("new"), &j->new.now.now);
        nk_buf_add(out, NK_STR("}\n"));
        return;
    }
    nk_buf_printf(out, "record %llu: ", (unsigned long long)n);
    nk_recorded_put_request(out, d->principal, d->action, d->resource);
    nk_buf_add(out, NK_STR(": old "));
    nk_recorded_put_verdict(out, &d->now);
    nk_buf_add(out, NK_STR(", new "));
    nk_recorded_put_verdict(out, &j->new.now.now);
    nk_buf_add_char(out, '\n');
}

static void put_summary(struct job *j)
{
    unsigned long long same = j->same, changed = j->changed, reasons = j->reasons, bad = j->failed;
    if (j->json)
        nk_buf_printf(&j->out,
                      "{\"requests\":%llu,\"same\":%llu,\"different\":%llu,\"otherReasons\":%llu,"
                      "\"failed\":%llu}\n",
                      same + changed + reasons, same, changed, reasons, bad);
    else
        nk_buf_printf(
            &j->out,
            "%llu requests: %llu the same, %llu decided otherwise, %llu for other reasons; "
            "%llu that cannot be decided again\n",
            same + changed + reasons, same, changed, reasons, bad);
}

/* Records -----------------------------------------------------------------------------------------
 */
/* Which policies decide and which err; the order of files is no difference. */
static bool same_policies(const struct nk_replay_verdict *x, const struct nk_replay_verdict *y)
{
    bool same = x->reason_count == y->reason_count && x->error_count == y->error_count;
    for (size_t i = 0; same && i < x->reason_count; i++) {
        size_t k = 0;
        while (k < y->reason_count && !nk_str_eq(x->reasons[i], y->reasons[k]))
            k++;
        same = k < y->reason_count;
    }
    for (size_t i = 0; same && i < x->error_count; i++) {
        size_t k = 0;
        while (k < y->error_count && !nk_str_eq(x->errors[i].policy, y->errors[k].policy))
            k++;
        same = k < y->error_count;
    }
    return same;
}

static int decide(struct job *j, const struct nk_ledger_line *line, struct nk_fault *f)
{
    struct nk_json doc;
    bool is_new;
    int rc = nk_json_parse(&limits, line->text, &j->scratch, &doc, f);
    if (rc || nk_json_get(&doc, 0, NK_STR("cedar")) == NK_JSON_NONE)
        return rc;
    rc = nk_recorded_load(&j->recorded, &doc, &is_new, f);
    if (is_new) { /* errors count as they did when the record was made */
        nk_cedar_policies_strict(j->old.policies, j->recorded.set.errors_deny);
        nk_cedar_policies_strict(j->new.policies, j->recorded.set.errors_deny);
    }
    if (!rc)
        rc = nk_replay_record(&doc, j->old.policies, j->recorded.entities, &j->scratch, &j->old.now,
                              f);
    if (!rc)
        rc = nk_replay_record(&doc, j->new.policies, j->recorded.entities, &j->scratch, &j->new.now,
                              f);
    if (rc)
        return rc;
    bool changed = j->old.now.now.allow != j->new.now.now.allow;
    bool same = !changed && same_policies(&j->old.now.now, &j->new.now.now);
    j->same += same;
    j->changed += changed;
    j->reasons += !same && !changed;
    if (changed)
        put_difference(j, line->n);
    return 0;
}

static int compare_all(struct job *j)
{
    struct nk_fault f = {.code = 0};
    struct nk_ledger_line line;
    struct nk_ledger_reader *reader = nk_ledger_reader_open(j->recorded.dir, j->from, &f);
    int rc;
    if (!reader)
        return say(&f);
    while ((rc = nk_ledger_reader_next(reader, &line, &f)) == 0 && line.n <= j->to) {
        f = (struct nk_fault){.code = 0};
        if (decide(j, &line, &f)) {
            j->failed++;
            fprintf(stderr, "nakoso policy diff: record %llu: %s\n", (unsigned long long)line.n,
                    f.message);
        }
        nk_arena_reset(&j->scratch);
        if (!nk_audit_print(&j->out))
            break;
    }
    nk_ledger_reader_close(reader);
    if (rc && rc != NK_EAGAIN)
        return say(&f);
    put_summary(j);
    if (!nk_audit_print(&j->out) || fflush(stdout) || j->failed)
        return TROUBLE;
    return j->changed ? DIFFERENT : SAME;
}

static int run(struct job *j, char **paths)
{
    struct nk_fault f = {.code = 0};
    int dir = nk_audit_dir(j->log), status;
    if (dir < 0)
        return TROUBLE;
    nk_arena_init(&j->arena, NK_INPUT_ARENA);
    nk_arena_init(&j->scratch, SCRATCH_MAX);
    nk_buf_init(&j->out, OUT_MAX);
    nk_recorded_init(&j->recorded, dir);
    if (nk_input_policy_set(paths[0], &j->arena, &j->old.policies, &f) ||
        nk_input_policy_set(paths[1], &j->arena, &j->new.policies, &f))
        status = say(&f);
    else
        status = compare_all(j);
    nk_recorded_free(&j->recorded);
    nk_buf_free(&j->out);
    nk_arena_free(&j->scratch);
    nk_arena_free(&j->arena);
    close(dir);
    return status;
}

int nk_policy_diff(int argc, char **argv)
{
    static struct job j = {.to = UINT64_MAX};
    const struct nk_option options[] = {{"--log", &j.log, NULL},
                                        {"--from", &j.from_text, NULL},
                                        {"--to", &j.to_text, NULL},
                                        {"--json", NULL, &j.json}};
    int words;
    if (nk_options_read("policy diff", argc, argv, options, NK_COUNT(options), &words) ||
        words != 2 || !j.log || (j.from_text && nk_str_to_u64(nk_str(j.from_text), &j.from)) ||
        (j.to_text && nk_str_to_u64(nk_str(j.to_text), &j.to)))
        return usage();
    return run(&j, argv + 1);
}
