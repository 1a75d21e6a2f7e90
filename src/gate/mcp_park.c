/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp_park.c - see mcp_park.h: the question, and the call that stays behind with the server's stream. It reads nothing of it but
 * where an event ends: what the server says is read by the call that joins, with its own decision.
 */
#include "gate/mcp_park.h"

#include "gate/mcp_bridge.h"
#include "gate/mcp_tool.h"
#include "gate/mcp_wait.h"
#include "json/canonical.h"

enum { QUESTION_MAX = 256 << 10, STATE_MAX = 8 << 10, PIECE_MAX = NK_TELL_MAX - 1, VERSION = '1' };
enum { READER_MS = 30 * 1000 };

int gate_mcp_digest_call(const struct nk_txn *t, struct nk_digest *out)
{
    const struct gate_mcp *m = gate_mcp(t);
    struct nk_buf b;
    struct nk_fault f = {0};
    nk_buf_init(&b, 8 * (size_t)t->setup->config.limits.body_bytes);
    gate_mcp_put_part(&b, nk_str(nk_mcp_endpoint(m->ask.op)->name));
    gate_mcp_put_part(&b, gate_mcp_upstream(t)->name);
    gate_mcp_put_part(&b, m->name);
    int rc = m->ask.arguments == NK_JSON_NONE
                 ? 0
                 : nk_json_canonical(&m->message.doc, m->ask.arguments, NK_CANONICAL_EXACT, &b, &f);
    rc = rc ? rc : b.error;
    if (!rc)
        *out = nk_sha256(nk_buf_str(&b));
    nk_buf_free(&b);
    return rc;
}

/* The question ----------------------------------------------------------------------------------
 */
/* params without what is between the server and us. */
static struct nk_str params_of(struct nk_txn *t, const struct nk_mcp_message *m)
{
    struct nk_buf out;
    nk_buf_init(&out, QUESTION_MAX);
    nk_buf_add_char(&out, '{');
    for (uint32_t i = nk_json_first(&m->doc, m->params); i != NK_JSON_NONE;
         i = nk_json_next(&m->doc, m->params, i)) {
        struct nk_str name = nk_json_string(&m->doc, i, t->scratch);
        if (!name.p)
            out.error = NK_ENOMEM;
        if (nk_str_eq(name, NK_STR("_meta")))
            continue;
        nk_json_put_name(&out, name);
        nk_buf_add(&out, nk_json_span(&m->doc, i + 1));
    }
    nk_buf_add_char(&out, '}');
    struct nk_str text =
        out.error ? (struct nk_str){NULL, 0} : nk_arena_copy(t->arena, nk_buf_str(&out));
    nk_buf_free(&out);
    return text;
}

/* Results of these may be questions (2026-07-28, InputRequiredResult). */
static bool may_ask(struct nk_txn *t, const struct nk_mcp_message *m)
{
    const struct gate_mcp *own = gate_mcp(t);
    enum nk_mcp_op op = own->ask.op;
    uint32_t mode = nk_json_get(&m->doc, m->params, NK_STR("mode"));
    int needs = gate_mcp_needs(m->method);
    return t->state->env.waits && t->state->env.used && own->bridge && !own->has_result &&
           gate_mcp_is_bridged(t, own->server) &&
           (op == NK_MCP_CALL_TOOL || op == NK_MCP_GET_PROMPT || op == NK_MCP_READ_RESOURCE) &&
           needs > 0 && !((unsigned)needs & ~gate_mcp_offers(t)) && gate_mcp_tells(t, m) &&
           (m->params == NK_JSON_NONE || nk_json_type(&m->doc, m->params) == NK_JSON_OBJECT) &&
           (mode == NK_JSON_NONE || nk_json_is(&m->doc, mode, NK_STR("form")));
}

int gate_mcp_park_take(struct nk_txn *t, const struct nk_mcp_message *m, bool *taken,
                       struct nk_fault *f)
{
    struct gate_mcp *own = gate_mcp(t);
    *taken = false;
    if (m->kind != NK_MCP_REQUEST || !own->is_new)
        return 0;
    if (!may_ask(t, m))
        return nk_fault_set(f, NK_EINVAL, "mcp", 0, "the server asks for what it may not ask for");
    if (!own->park)
        own->park = nk_arena_alloc(t->arena, sizeof *own->park);
    if (!own->park)
        return NK_ENOMEM;
    struct gate_mcp_park *p = own->park;
    p->method = nk_arena_copy(t->arena, m->method);
    p->params = params_of(t, m);
    p->id = nk_arena_copy(t->arena, m->id);
    if (!p->method.p || !p->params.p || !p->id.p)
        return NK_ENOMEM;
    p->asked += p->state == GATE_PARK_READS;
    p->state = GATE_PARK_ASKS;
    *taken = true;
    return 0;
}

bool gate_mcp_has_question(const struct nk_txn *t)
{
    const struct gate_mcp_park *p = gate_mcp(t)->park;
    return p && p->state == GATE_PARK_ASKS;
}

struct nk_str gate_mcp_park_seal(struct nk_txn *t, const struct gate_mcp_peer *at)
{
    const struct gate_mcp *m = gate_mcp(t);
    const struct nk_gate_state *s = t->state;
    struct nk_buf plain, text;
    nk_buf_init(&plain, STATE_MAX);
    nk_buf_init(&text, 2 * STATE_MAX);
    nk_buf_printf(&plain, "%c %llu %u %llu %llu %llu %llu %u %lld ", VERSION,
                  (unsigned long long)s->env.used->id, (unsigned)t->setup->generation,
                  (unsigned long long)at->slot, (unsigned long long)at->instance,
                  (unsigned long long)at->number, (unsigned long long)m->park->asked,
                  (unsigned)m->bridge->revision,
                  (long long)(s->now_ms + m->endpoint->config->question_timeout));
    gate_mcp_put_part(&plain,
                      (struct nk_str){(const char *)m->bridge->asks.b, sizeof m->bridge->asks.b});
    gate_mcp_put_part(&plain, m->agreed
                                  ? (struct nk_str){(const char *)m->agreed->b, sizeof m->agreed->b}
                                  : NK_STR(""));
    gate_mcp_put_part(&plain, m->own_id);
    gate_mcp_put_part(&plain, m->session.id);
    gate_mcp_put_part(&plain, m->park->id);
    int rc = gate_mcp_seal(t, NK_STR("parked"), NK_STR(""), &plain, &text);
    struct nk_str out = rc ? (struct nk_str){NULL, 0} : nk_arena_copy(t->arena, nk_buf_str(&text));
    nk_buf_free(&plain);
    nk_buf_free(&text);
    return out;
}

/* The result that asks, as the last event of the client's stream. */
static int put_question(struct nk_txn *t, struct nk_str state)
{
    const struct gate_mcp *m = gate_mcp(t);
    nk_buf_add(&t->out, NK_STR("event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":"));
    nk_buf_add(&t->out, m->message.id);
    nk_buf_add(&t->out, NK_STR(",\"result\":{\"resultType\":\"input_required\",\"inputRequests\":{"
                               "\"nakoso_question\":{"));
    nk_buf_printf(&t->out, "\"method\":\"%.*s\",\"params\":%.*s}}", NK_FMT(m->park->method),
                  NK_FMT(m->park->params));
    nk_json_put_member(&t->out, NK_STR("requestState"), state);
    nk_buf_add(&t->out, NK_STR("}}\n\n"));
    return t->out.error;
}

static unsigned record(struct nk_txn *t, const char *how)
{
    const struct gate_mcp *m = gate_mcp(t);
    return m->tool && m->ask.op == NK_MCP_CALL_TOOL ? gate_mcp_end_tool(t, how)
                                                    : gate_record_outcome(t, how);
}

static unsigned wake_at(struct nk_txn *t)
{
    int64_t left = gate_mcp(t)->park->until_ms - t->state->now_ms;
    t->wake_ms = left < 1 ? 1 : left;
    return NK_FX_WAKE;
}

static const struct gate_driver park_driver;

static unsigned hold(struct nk_txn *t)
{
    struct gate_mcp_park *p = gate_mcp(t)->park;
    p->state = GATE_PARK_HOLDS;
    t->state->driver = &park_driver;
    p->reader = (struct gate_mcp_peer){0};
    p->may_send = false;
    p->until_ms = t->state->now_ms + gate_mcp(t)->endpoint->config->question_timeout;
    return wake_at(t);
}

/* Nobody can be asked: that is the answer. What is left is to tell the server, at once. */
static unsigned not_asked(struct nk_txn *t)
{
    gate_mcp_refuse(t, NK_REFUSAL_unanswered, NK_MCP_FAILED, "receive",
                    NK_STR("Too many calls of yours wait for an answer."));
    unsigned fx = gate_mcp_answer_refusal(t);
    fx |= record(t, "not_asked") | NK_FX_PARK | hold(t);
    gate_mcp(t)->park->why = NK_STR("not asked");
    gate_mcp(t)->park->until_ms = 0;
    return fx | wake_at(t);
}

unsigned gate_mcp_park(struct nk_txn *t)
{
    const struct nk_gate_env *env = &t->state->env;
    struct gate_mcp_park *p = gate_mcp(t)->park;
    struct gate_mcp_peer own = {env->slot, env->instance, env->number};
    bool joined = p->holder.instance || p->holder.number;
    struct nk_str state = gate_mcp_park_seal(t, joined ? &p->holder : &own);
    if (!state.p && joined)
        return gate_answer_failed(t, NK_REFUSAL_unanswered, NK_STR("a state that is too long"));
    if (!joined && (!state.p || gate_mcp_park_wait(t, true)))
        return not_asked(t);
    if (put_question(t, state))
        return NK_FX_ABORT | NK_FX_CUT;
    unsigned fx = record(t, "input_required") | NK_FX_DATA | NK_FX_END;
    return fx | (joined ? gate_mcp_park_tell(t, &p->holder, NK_STR("p")) : NK_FX_PARK | hold(t));
}

/* What both have ---------------------------------------------------------------------------------
 */
int gate_mcp_park_wait(struct nk_txn *t, bool holds)
{
    const struct nk_principal *p = t->state->principal;
    const struct nk_gate_env *env = &t->state->env;
    /* Those who join are no more than those whom they join, and have a client that waits. */
    struct nk_str who[] = {NK_STR("parked\n"), p->type, NK_STR("\n"), p->id},
                  call[] = {NK_STR("parked\n"), t->state->id};
    struct nk_digest of_call = nk_sha256_parts(call, NK_COUNT(call)),
                     of_whom = holds ? nk_sha256_parts(who, NK_COUNT(who)) : of_call;
    return nk_waits_add(env->waits, env->number, &of_whom, &of_call, env->owner);
}

void gate_mcp_park_free(struct nk_txn *t)
{
    if (t->state->env.waits)
        nk_waits_remove(t->state->env.waits, t->state->env.number);
}

unsigned gate_mcp_park_tell(struct nk_txn *t, const struct gate_mcp_peer *to, struct nk_str text)
{
    t->tell = (struct nk_tell){.slot = (uint32_t)to->slot,
                               .instance = (uint32_t)to->instance,
                               .number = to->number,
                               .bytes = text};
    return NK_FX_TELL;
}

/* The one that is parked -------------------------------------------------------------------------
 */
static bool has_reader(const struct nk_txn *t)
{
    const struct gate_mcp_peer *r = &gate_mcp(t)->park->reader;
    return r->number || r->instance;
}

static unsigned cancelled(struct nk_txn *t, const struct gate_mcp_reply *r)
{
    (void)t, (void)r;
    return NK_FX_CUT;
}

/* Nobody reads what is left of the server's stream. A stream that breaks off is no cancellation for a server with
 * sessions (2025-11-25, basic, transports): it is told. */
static unsigned leave(struct nk_txn *t, const char *how)
{
    struct gate_mcp *m = gate_mcp(t);
    m->park->state = GATE_PARK_LEAVES;
    gate_mcp_park_free(t);
    unsigned fx = how ? record(t, how) : 0;
    if (m->park->is_over)
        return fx | NK_FX_CUT;
    struct nk_str body = nk_arena_printf(t->arena,
                                         "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/"
                                         "cancelled\",\"params\":{\"requestId\":%.*s}}",
                                         NK_FMT(m->own_id));
    if (!body.p || gate_mcp_kept_send(t, body, (struct nk_str){NULL, 0}, cancelled))
        return fx | NK_FX_ABORT | NK_FX_CUT;
    return fx | NK_FX_ABORT | NK_FX_CALL;
}

/* The next piece of an event that is not all sent. */
static unsigned send_piece(struct nk_txn *t)
{
    struct gate_mcp_park *p = gate_mcp(t)->park;
    struct nk_gate_state *s = t->state;
    size_t n = s->held.n - p->sent < PIECE_MAX ? s->held.n - p->sent : PIECE_MAX;
    nk_arena_reset(&s->event_arena);
    struct nk_str text = nk_arena_printf(&s->event_arena, "d%.*s", (int)n, s->held.p + p->sent);
    if (!text.p)
        return leave(t, "out_of_memory");
    p->sent += n;
    p->may_send = false;
    p->until_ms = s->now_ms + READER_MS;
    return gate_mcp_park_tell(t, &p->reader, text) | wake_at(t);
}

/* The stream is over for the reader as well. */
static unsigned send_end(struct nk_txn *t)
{
    struct gate_mcp_park *p = gate_mcp(t)->park;
    struct nk_str text =
        p->why.p ? nk_arena_printf(t->arena, "f%.*s", NK_FMT(p->why)) : NK_STR("e");
    unsigned fx = text.p ? gate_mcp_park_tell(t, &p->reader, text) : 0;
    return fx | leave(t, NULL);
}

static unsigned send_more(struct nk_txn *t)
{
    struct gate_mcp_park *p = gate_mcp(t)->park;
    struct nk_gate_state *s = t->state;
    struct nk_sse_event e;
    struct nk_fault f = {0};
    if (!has_reader(t) || !p->may_send)
        return 0;
    if (p->sent < s->held.n)
        return send_piece(t);
    nk_buf_clear(&s->held);
    p->sent = 0;
    int rc = nk_sse_next(&s->sse, &e, &f);
    if (!rc) {
        nk_buf_add(&s->held, e.raw);
        return s->held.error ? leave(t, "out_of_memory") : send_piece(t);
    }
    if (rc != NK_EAGAIN)
        p->why = NK_STR("the server's stream breaks its own format");
    return p->is_over || p->why.p ? send_end(t) : 0;
}

static unsigned park_fail(struct nk_txn *t, int fail, struct nk_str why)
{
    struct gate_mcp_park *p = gate_mcp(t)->park;
    (void)fail;
    p->is_over = true;
    p->why = why.p ? nk_arena_copy(t->arena, why) : why;
    nk_sse_end(&t->state->sse);
    return send_more(t);
}

static unsigned park_end(struct nk_txn *t)
{
    return park_fail(t, 0, (struct nk_str){NULL, 0});
}

static unsigned park_data(struct nk_txn *t, struct nk_str bytes)
{
    struct nk_fault f = {0};
    if (gate_mcp(t)->park->is_over)
        return 0;
    t->state->reply_bytes += (int64_t)bytes.n;
    if (nk_sse_feed(&t->state->sse, bytes, &f))
        return park_fail(t, 0, NK_STR("the server says too much while nobody reads")) | NK_FX_ABORT;
    return send_more(t);
}

static unsigned park_wake(struct nk_txn *t)
{
    struct gate_mcp_park *p = gate_mcp(t)->park;
    if (p->state != GATE_PARK_HOLDS)
        return 0;
    if (has_reader(t) && p->may_send) /* it waits for the server, which has its own times */
        return 0;
    return t->state->now_ms < p->until_ms
               ? wake_at(t)
               : leave(t, has_reader(t) ? "client_gone" : "not_answered");
}

/* Somebody wants to join: for this question, and nobody else has. */
static unsigned joined(struct nk_txn *t, struct nk_str rest)
{
    struct gate_mcp_park *p = gate_mcp(t)->park;
    struct gate_mcp_peer from;
    uint64_t asked;
    uint64_t *parts[] = {&from.slot, &from.instance, &from.number, &asked};
    for (size_t i = 0; i < NK_COUNT(parts); i++)
        if (!rest.p || nk_str_to_u64(nk_str_cut(&rest, ' '), parts[i]))
            return 0;
    if (has_reader(t) || asked != p->asked)
        return gate_mcp_park_tell(t, &from, NK_STR("-"));
    p->reader = from;
    p->until_ms = t->state->now_ms + READER_MS;
    return gate_mcp_park_tell(t, &from, NK_STR("+")) | wake_at(t);
}

static unsigned park_told(struct nk_txn *t, struct nk_str bytes)
{
    struct gate_mcp_park *p = gate_mcp(t)->park;
    char what = bytes.n ? bytes.p[0] : '\0';
    if (p->state != GATE_PARK_HOLDS)
        return 0;
    if (what == 'a')
        return joined(t, nk_str_sub(bytes, 1, bytes.n));
    if (!has_reader(t))
        return 0;
    if (what == 'x')
        return leave(t, NULL);
    if (what == 'p') {
        p->asked++;
        return hold(t);
    }
    if (what != 'm')
        return 0;
    p->may_send = true;
    return send_more(t);
}

static const struct gate_driver park_driver = {
    .name = "mcp parked",
    .head = gate_mcp_head,
    .data = park_data,
    .end = park_end,
    .fail = park_fail,
    .wake = park_wake,
    .told = park_told,
    .gone = gate_mcp_join_gone,
    .free = gate_mcp_free_all,
};
