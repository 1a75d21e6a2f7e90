/* SPDX-License-Identifier: Apache-2.0
 *
 * refuse.c - refusals in words: one table, English and Japanese, put into the form of the client's
 * dialect so that its official SDK raises its own exception.
 */
#include "gate/driver.h"

struct refusal_text {
    const char *name;
    int status;
    const char *english, *japanese;
};

static const struct refusal_text texts[] = {
    {"none", 0, "", ""},
#define NK_REFUSAL(id, status, en, ja) {#id, status, en, ja},
#include "gate/refusal.def"
#undef NK_REFUSAL
};

const char *gate_refusal_name(enum nk_refusal_id id)
{
    return texts[id].name;
}

const char *gate_refusal_text(const struct nk_txn *t, enum nk_refusal_id id)
{
    return t->state->japanese ? texts[id].japanese : texts[id].english;
}

int nk_refusal_count(void)
{
    return NK_REFUSAL_COUNT;
}

const char *nk_refusal_name(int id)
{
    return texts[id].name;
}

const char *nk_refusal_english(int id)
{
    return texts[id].english;
}

int nk_refusal_status(int id)
{
    return texts[id].status;
}

int gate_refuse(struct nk_txn *t, enum nk_refusal_id id, const char *stage, struct nk_str detail,
                struct nk_str reason)
{
    struct nk_gate_refusal *r = &t->state->refusal;
    if (r->id == NK_REFUSAL_NONE)
        *r = (struct nk_gate_refusal){id, stage, detail, reason};
    return NK_EDENIED;
}

static struct nk_refusal in_words(struct nk_txn *t, enum nk_refusal_id id, struct nk_str detail)
{
    struct nk_gate_state *s = t->state;
    const char *text = gate_refusal_text(t, id);
    struct nk_str message =
        nk_arena_printf(t->arena, "%s%s%.*s", text, detail.n ? " " : "", NK_FMT(detail));
    return (struct nk_refusal){.status = texts[id].status,
                               .code = texts[id].name,
                               .message = message.p ? message : nk_str(text),
                               .request = s->id,
                               .subject = s->call.subject,
                               .kind = s->call.kind,
                               .code_number = s->call.code_number,
                               .data = s->call.data};
}

static const struct nk_dialect *dialect_of(const struct nk_gate_state *s)
{
    return s->dialect ? s->dialect : nk_dialect_by_name(NK_STR("openai"));
}

unsigned gate_answer_refusal(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    const struct nk_dialect *d = dialect_of(s);
    struct nk_refusal r = in_words(t, s->refusal.id, s->refusal.detail);
    nk_buf_clear(&t->out);
    d->refuse(&r, &t->out);
    unsigned fx = gate_reply(t, d, d->status ? d->status(&r) : r.status, r.code);
    if (d->name_refusal && t->reply_head.headers)
        t->reply_head.headers[t->reply_head.header_count++] = d->name_refusal(&r);
    /* Bytes behind the head of an answer to HEAD would be read as the next answer (RFC 9110, section 9.3.2). */
    if (s->head && nk_str_eq(s->head->method, NK_STR("HEAD"))) {
        nk_buf_clear(&t->out);
        return fx & ~(unsigned)NK_FX_DATA;
    }
    return fx;
}

void gate_refusal_event(struct nk_txn *t)
{
    const struct nk_gate_refusal *r = &t->state->refusal;
    struct nk_refusal words = in_words(t, r->id, r->detail);
    dialect_of(t->state)->refuse_stream(&words, &t->out);
}

unsigned gate_cut_stream(struct nk_txn *t, enum nk_refusal_id id, struct nk_str detail)
{
    struct nk_refusal r = in_words(t, id, detail);
    dialect_of(t->state)->refuse_stream(&r, &t->out);
    gate_refuse(t, id, "receive", detail, NK_STR(""));
    unsigned fx = gate_record_outcome(t, gate_refusal_name(id));
    t->state->phase = NK_PHASE_OVER;
    return fx | NK_FX_ABORT | NK_FX_DATA | NK_FX_CUT;
}
