/* SPDX-License-Identifier: Apache-2.0
 *
 * replay.c - `nakoso replay`: decides recorded requests again, under the policies that the log
 * keeps for them, or under others to see what would change. Differences go to stdout, one a record.
 */
#include "cmd/replay.h"
#include "cmd/audit_args.h"
#include "cmd/policy_input.h"
#include "cmd/recorded.h"

#include <stdio.h>
#include <unistd.h>
#include "chain/replay.h"

enum { OUT_MAX = 1 << 20 };

struct replay {
    const struct nk_audit_args *args;
    struct nk_arena given_arena; /* of --policies */
    struct nk_set given;
    struct nk_recorded recorded;
    struct nk_cedar_policies *policies; /* of the set in use; NULL: they cannot be read */
    struct nk_arena scratch;            /* of one record */
    struct nk_buf out;
    uint64_t same, changed, reasons_changed, undecided, failed;
};

static const struct nk_json_limits limits = {NK_CHAIN_LINE_MAX, 64, 65536};

/* Makes ready the policies that the record's set (or --policies) says. */
static int load_set(struct replay *r, const struct nk_json *record, struct nk_fault *f)
{
    bool is_new;
    int e = nk_recorded_load(&r->recorded, record, &is_new, f);
    if (e || (!is_new && r->policies))
        return e;
    struct nk_set set = r->recorded.set;
    if (r->args->policies) {
        set.policies = r->given.policies;
        set.policy_count = r->given.policy_count;
    }
    r->policies = NULL;
    return nk_set_policies(&set, &r->recorded.arena, &r->policies, f);
}

/* Records -----------------------------------------------------------------------------------------
 */
static void put_difference(struct replay *r, uint64_t n, const struct nk_replay *d)
{
    nk_buf_printf(&r->out, "record %llu: ", (unsigned long long)n);
    nk_recorded_put_request(&r->out, d->principal, d->action, d->resource);
    nk_buf_add(&r->out, NK_STR(": recorded "));
    nk_recorded_put_verdict(&r->out, &d->recorded);
    nk_buf_add(&r->out, NK_STR(", now "));
    nk_recorded_put_verdict(&r->out, &d->now);
    if (!d->same_beside)
        nk_buf_add(&r->out,
                   NK_STR("; what goes with a tool's call (a person's consent, redactions, data "
                          "classes) differs"));
    nk_buf_add_char(&r->out, '\n');
}

static int replay_line(struct replay *r, const struct nk_ledger_line *line, struct nk_fault *f)
{
    struct nk_json doc;
    struct nk_replay d;
    int e = nk_json_parse(&limits, line->text, &r->scratch, &doc, f);
    if (e)
        return e;
    if (nk_json_get(&doc, 0, NK_STR("cedar")) == NK_JSON_NONE) {
        r->undecided++;
        return 0;
    }
    e = load_set(r, &doc, f);
    if (e == 0)
        e = nk_replay_record(&doc, r->policies, r->recorded.entities, &r->scratch, &d, f);
    if (e)
        return e;
    r->same += d.same;
    r->changed += !d.same_decision;
    r->reasons_changed += d.same_decision && !d.same;
    if (!d.same)
        put_difference(r, line->n, &d);
    return 0;
}

static void put_failure(struct replay *r, const struct nk_ledger_line *line,
                        const struct nk_fault *f)
{
    r->failed++;
    nk_buf_printf(&r->out, "record %llu: ", (unsigned long long)line->n);
    nk_audit_put_safe(&r->out, nk_str(f->message));
    nk_buf_add_char(&r->out, '\n');
}

static int replay_all(struct replay *r)
{
    struct nk_fault f = {.code = 0};
    struct nk_ledger_line line;
    struct nk_ledger_reader *reader = nk_ledger_reader_open(r->recorded.dir, r->args->from, &f);
    int e;
    if (!reader) {
        fprintf(stderr, "nakoso: %s\n", f.message);
        return 1;
    }
    while ((e = nk_ledger_reader_next(reader, &line, &f)) == 0 && line.n <= r->args->to) {
        f = (struct nk_fault){.code = 0};
        if (replay_line(r, &line, &f))
            put_failure(r, &line, &f);
        nk_arena_reset(&r->scratch);
        if (!nk_audit_print(&r->out))
            break;
    }
    if (e && e != NK_EAGAIN)
        put_failure(r, &line, &f);
    nk_ledger_reader_close(reader);
    nk_buf_printf(&r->out,
                  "%llu decisions replayed: %llu the same, %llu decided otherwise, %llu for other "
                  "reasons; %llu records without a decision, %llu that cannot be replayed\n",
                  (unsigned long long)(r->same + r->changed + r->reasons_changed),
                  (unsigned long long)r->same, (unsigned long long)r->changed,
                  (unsigned long long)r->reasons_changed, (unsigned long long)r->undecided,
                  (unsigned long long)r->failed);
    return nk_audit_print(&r->out) && fflush(stdout) == 0 &&
                   r->changed + r->reasons_changed + r->failed == 0
               ? 0
               : 1;
}

int nk_cmd_replay(int argc, char **argv)
{
    struct nk_audit_args args;
    static struct replay r;
    if (nk_audit_args_read(argc, argv, "ftp", &args) || args.word_count != 1) {
        fputs("usage: nakoso replay [--from N] [--to N] [--policies DIR|FILE] DIR\n"
              "Decides the records of the log in DIR again, under the policies that they were "
              "decided "
              "under,\nor under others; prints each difference. Exit status 1 when there is one.\n",
              stderr);
        return 2;
    }
    r.args = &args;
    int dir = nk_audit_dir(args.words[0]);
    if (dir < 0)
        return 1;
    nk_recorded_init(&r.recorded, dir);
    nk_arena_init(&r.given_arena, 512 << 20);
    nk_arena_init(&r.scratch, 64 << 20);
    nk_buf_init(&r.out, OUT_MAX);
    struct nk_fault f = {.code = 0};
    int status = 1;
    if (args.policies && nk_input_policies(args.policies, &r.given_arena, &r.given, &f))
        fprintf(stderr, "nakoso: %s\n", f.message);
    else
        status = replay_all(&r);
    nk_buf_free(&r.out);
    nk_arena_free(&r.scratch);
    nk_recorded_free(&r.recorded);
    nk_arena_free(&r.given_arena);
    close(dir);
    return status;
}
