/* SPDX-License-Identifier: Apache-2.0
 *
 * replay.c - `nakoso replay`: decides recorded requests again, under the policies that the log
 * keeps for them, or under others to see what would change. Differences go to stdout, one a record.
 */
#include "cmd/replay.h"
#include "cmd/audit_args.h"
#include "cmd/policy_input.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>
#include "chain/replay.h"
#include "edge/dirfile.h"

enum { OUT_MAX = 1 << 20 };

struct replay {
    int dir;
    const struct nk_audit_args *args;
    struct nk_arena given_arena; /* of --policies */
    struct nk_set given;
    struct nk_arena arena; /* of the set in use */
    char set_name[2 * NK_SHA256_SIZE + 1];
    bool has_set;
    struct nk_cedar_policies *policies;
    struct nk_cedar_entities *entities;
    struct nk_arena scratch; /* of one record */
    struct nk_buf out;
    uint64_t same, changed, reasons_changed, undecided, failed;
};

static const struct nk_json_limits limits = {NK_CHAIN_LINE_MAX, 64, 65536};

/* Sets --------------------------------------------------------------------------------------------
 */
/* Makes ready the policies and entities that the record's set (or --policies) says. */
static int build_set(struct replay *r, struct nk_str text, struct nk_fault *f)
{
    struct nk_set set;
    int e = nk_set_read(text, &r->arena, &set, f);
    if (e == 0 && r->args->policies) {
        set.policies = r->given.policies;
        set.policy_count = r->given.policy_count;
    }
    if (e == 0)
        e = nk_set_policies(&set, &r->arena, &r->policies, f);
    if (e == 0)
        e = nk_set_entities(&set, &r->arena, &r->entities, f);
    return e;
}

static int load_set(struct replay *r, struct nk_str name, struct nk_fault *f)
{
    struct nk_digest d;
    struct nk_buf file;
    char path[128];
    if (r->has_set && nk_str_eq(name, nk_str(r->set_name)))
        return 0;
    if (nk_hex_decode(name, d.b, sizeof d.b))
        return nk_fault_set(f, NK_EINVAL, "replay", 0, "the record names no policy set");
    r->has_set = false;
    nk_arena_free(&r->arena);
    snprintf(r->set_name, sizeof r->set_name, "%.*s", NK_FMT(name));
    snprintf(path, sizeof path, "sets/%s.json", r->set_name);
    nk_buf_init(&file, NK_SET_MAX);
    int e = nk_dir_read(r->dir, path, &file);
    if (e)
        nk_fault_set(f, e, "replay", 0, "policy set %s: %s", path,
                     e == NK_ENOTFOUND ? "not in the log" : strerror(errno));
    else if (!nk_digest_eq(d, nk_sha256(nk_buf_str(&file))))
        e = nk_fault_set(f, NK_ECRYPTO, "replay", 0, "policy set %s was changed", path);
    struct nk_str text = {NULL, 0};
    if (e == 0) {
        text = nk_arena_copy(&r->arena, nk_buf_str(&file));
        e = text.p ? 0 : NK_ENOMEM;
    }
    nk_buf_free(&file);
    if (e == 0)
        e = build_set(r, text, f);
    r->has_set = e == 0;
    return e;
}

/* Records -----------------------------------------------------------------------------------------
 */
static void put_uid(struct nk_buf *out, struct nk_cedar_uid uid)
{
    nk_audit_put_safe(out, uid.type);
    nk_buf_add(out, NK_STR("::\""));
    nk_audit_put_safe(out, uid.id);
    nk_buf_add_char(out, '"');
}

static void put_verdict(struct nk_buf *out, const struct nk_replay_verdict *v)
{
    nk_buf_add(out, v->allow ? NK_STR("allow") : NK_STR("deny"));
    nk_buf_add(out, NK_STR(" ["));
    for (size_t i = 0; i < v->reason_count; i++) {
        if (i)
            nk_buf_add_char(out, ' ');
        nk_audit_put_safe(out, v->reasons[i]);
    }
    for (size_t i = 0; i < v->error_count; i++) {
        nk_buf_add(out, NK_STR(" error in "));
        nk_audit_put_safe(out, v->errors[i].policy);
        nk_buf_add(out, NK_STR(": "));
        nk_audit_put_safe(out, v->errors[i].what);
    }
    nk_buf_add_char(out, ']');
}

static void put_difference(struct replay *r, uint64_t n, const struct nk_replay *d)
{
    nk_buf_printf(&r->out, "record %llu: ", (unsigned long long)n);
    put_uid(&r->out, d->principal);
    nk_buf_add_char(&r->out, ' ');
    nk_audit_put_safe(&r->out, d->action.id);
    nk_buf_add_char(&r->out, ' ');
    put_uid(&r->out, d->resource);
    nk_buf_add(&r->out, NK_STR(": recorded "));
    put_verdict(&r->out, &d->recorded);
    nk_buf_add(&r->out, NK_STR(", now "));
    put_verdict(&r->out, &d->now);
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
    uint32_t set = nk_json_get(&doc, 0, NK_STR("policies"));
    e = load_set(r, nk_json_string(&doc, set, &r->scratch), f);
    if (e == 0)
        e = nk_replay_record(&doc, r->policies, r->entities, &r->scratch, &d, f);
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
    struct nk_ledger_reader *reader = nk_ledger_reader_open(r->dir, r->args->from, &f);
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
    r.dir = nk_audit_dir(args.words[0]);
    if (r.dir < 0)
        return 1;
    nk_arena_init(&r.given_arena, 512 << 20);
    nk_arena_init(&r.arena, 512 << 20);
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
    nk_arena_free(&r.arena);
    nk_arena_free(&r.given_arena);
    close(r.dir);
    return status;
}
