/* SPDX-License-Identifier: Apache-2.0
 *
 * question.c - questions to the judge beside that about the model call. The context is written once, as Cedar
 * JSON, and read back for the judge: so a replay, which reads the record, decides on the same facts.
 */
#include "gate/calls.h"

static const struct nk_json_limits limits = {64 << 10, 64, 16 << 10};

static int read_context(struct nk_txn *t, struct nk_str text, const struct nk_cedar_value **out,
                        struct nk_fault *f)
{
    struct nk_json doc;
    int rc = nk_json_parse(&limits, text, t->scratch, &doc, f);
    return rc ? rc : nk_cedar_value_parse(&doc, 0, t->scratch, out, f);
}

static void put_uid(struct nk_buf *b, struct nk_str before, struct nk_cedar_uid uid)
{
    nk_buf_add(b, before);
    nk_json_put_string(b, uid.type);
    nk_buf_add(b, NK_STR(",\"id\":"));
    nk_json_put_string(b, uid.id);
    nk_buf_add_char(b, '}');
}

static void put_members(const struct nk_txn *t, const struct nk_cedar_request *r,
                        const struct gate_question *q, const struct nk_cedar_answer *a,
                        struct nk_buf *b)
{
    put_uid(b, NK_STR(",\"cedar\":{\"principal\":{\"type\":"), r->principal);
    put_uid(b, NK_STR(",\"action\":{\"type\":"), r->action);
    put_uid(b, NK_STR(",\"resource\":{\"type\":"), r->resource);
    nk_buf_add(b, NK_STR(",\"context\":"));
    nk_buf_add(b, q->context);
    nk_buf_add(b, NK_STR("},\"entities\":"));
    nk_buf_add(b, t->state->entities);
    nk_buf_add(b, a->allow ? NK_STR(",\"decision\":\"allow\",\"reasons\":[")
                           : NK_STR(",\"decision\":\"deny\",\"reasons\":["));
    for (size_t i = 0; i < a->reason_count; i++) {
        if (i)
            nk_buf_add_char(b, ',');
        nk_json_put_string(b, a->reasons[i]);
    }
    nk_buf_add_char(b, ']');
    for (size_t i = 0; i < a->error_count; i++) {
        nk_buf_add(b, i ? NK_STR(",{\"policy\":") : NK_STR(",\"errors\":[{\"policy\":"));
        nk_json_put_string(b, a->errors[i].policy);
        nk_json_put_member(b, NK_STR("what"), nk_str(a->errors[i].what));
        nk_buf_add_char(b, '}');
    }
    if (a->error_count)
        nk_buf_add_char(b, ']');
}

int gate_question_decide(struct nk_txn *t, const struct gate_question *q,
                         struct nk_cedar_answer *out, struct nk_buf *members, struct nk_fault *f)
{
    struct nk_gate_state *s = t->state;
    struct nk_cedar_request r = {.principal = {s->principal->type, s->principal->id},
                                 .action = {NK_STR("Action"), q->action},
                                 .resource = q->resource};
    int rc = gate_facts(t, f);
    if (!rc)
        rc = read_context(t, q->context, &r.context, f);
    if (!rc)
        rc = nk_cedar_authorize(t->setup->policies, s->store, &r, t->scratch, out);
    if (rc)
        return rc;
    put_members(t, &r, q, out, members);
    return members->error;
}

void gate_question_why(const struct nk_txn *t, const struct gate_question *q,
                       const struct nk_cedar_answer *answer, struct nk_buf *out)
{
    const struct nk_gate_state *s = t->state;
    bool forbidden = answer->reason_count > 0;
    if (s->japanese)
        nk_buf_printf(out, "%.*s::\"%.*s\" による %.*s::\"%.*s\" への %.*s は%s",
                      NK_FMT(s->principal->type), NK_FMT(s->principal->id),
                      NK_FMT(q->resource.type), NK_FMT(q->resource.id), NK_FMT(q->action),
                      forbidden ? "ポリシー " : "、許可するポリシーがありません。");
    else
        nk_buf_printf(out, "%.*s::\"%.*s\" may not %.*s %.*s::\"%.*s\": %s",
                      NK_FMT(s->principal->type), NK_FMT(s->principal->id), NK_FMT(q->action),
                      NK_FMT(q->resource.type), NK_FMT(q->resource.id),
                      forbidden ? "forbidden by policy " : "no policy permits it.");
    for (size_t i = 0; i < answer->reason_count; i++)
        nk_buf_printf(out, "%s%.*s", i ? ", " : "", NK_FMT(answer->reasons[i]));
    if (forbidden)
        nk_buf_add(out, s->japanese ? NK_STR(" により禁止されています。") : NK_STR("."));
}
