/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp_wait.c - see mcp_wait.h. Who brings an answer proves who he is like anybody else, and the seal of the question's id
 * says that it was asked of him in this session; the transaction that waits compares the id with the one that
 * it wrote. So nothing has to be looked up before an answer is taken, and one that comes twice or too late finds nobody.
 */
#include "gate/mcp_wait.h"

enum { KEEP_ALIVE_MS = 15000, HEADERS_MAX = 6, VERSION = '1' };
enum { PLAIN_MAX = 128, ID_MAX = 512, ANSWER_MAX = NK_TELL_MAX - 1024 };

static const char prefix[] = "\"nakoso.";

/* What the id of a question says. */
struct place {
    uint64_t slot, instance, number, asked;
};

static bool says_type(struct nk_str accept, struct nk_str type)
{
    while (accept.n) {
        struct nk_str range = nk_str_cut(&accept, ',');
        if (nk_str_eq_nocase(nk_str_trim(nk_str_cut(&range, ';')), type))
            return true;
    }
    return false;
}

bool gate_mcp_may_wait(const struct nk_txn *t)
{
    const struct gate_mcp *m = gate_mcp(t);
    struct nk_str accept = nk_http_get(t->state->head, NK_STR("accept"));
    return t->state->env.waits && !m->is_new && m->shown.p && m->message.id.p &&
           says_type(accept, NK_STR("text/event-stream"));
}

/* Whose server it concerns is not bound: that is not known when the answer comes. */
static int seal_id(struct nk_txn *t, const struct nk_buf *plain, struct nk_buf *out)
{
    struct gate_mcp *m = gate_mcp(t);
    size_t server = m->server;
    m->server = 0;
    int rc = gate_mcp_seal(t, NK_STR("question"), m->shown, plain, out);
    m->server = server;
    return rc;
}

static int write_id(struct nk_txn *t, uint32_t asked, struct nk_str *id)
{
    const struct nk_gate_env *env = &t->state->env;
    struct nk_buf plain, text;
    nk_buf_init(&plain, PLAIN_MAX);
    nk_buf_init(&text, ID_MAX);
    nk_buf_printf(&plain, "%c %u %u %llu %u", VERSION, (unsigned)env->slot, (unsigned)env->instance,
                  (unsigned long long)env->number, (unsigned)asked);
    nk_buf_add(&text, NK_STR(prefix));
    int rc = seal_id(t, &plain, &text);
    nk_buf_add_char(&text, '"');
    rc = rc ? rc : text.error;
    *id = rc ? (struct nk_str){NULL, 0} : nk_arena_copy(t->arena, nk_buf_str(&text));
    nk_buf_free(&plain);
    nk_buf_free(&text);
    return rc ? rc : id->p ? 0 : NK_ENOMEM;
}

static int read_id(struct nk_txn *t, struct nk_str id, struct place *out)
{
    struct nk_str text = nk_str_sub(id, sizeof prefix - 1, id.n - 1), rest;
    uint64_t *parts[] = {&out->slot, &out->instance, &out->number, &out->asked};
    int rc = gate_mcp_unseal(t, NK_STR("question"), gate_mcp(t)->shown, text, &rest);
    if (rc)
        return rc;
    struct nk_str version = nk_str_cut(&rest, ' ');
    for (size_t i = 0; i < NK_COUNT(parts); i++)
        if (!rest.p || nk_str_to_u64(nk_str_cut(&rest, ' '), parts[i]))
            return NK_ENOTFOUND;
    return version.n == 1 && version.p[0] == VERSION ? 0 : NK_ENOTFOUND;
}

/* Asking -----------------------------------------------------------------------------------------
 */
static struct nk_digest whose(const struct nk_txn *t)
{
    const struct nk_principal *p = t->state->principal;
    struct nk_str parts[] = {p->type, NK_STR("\n"), p->id};
    return nk_sha256_parts(parts, NK_COUNT(parts));
}

static unsigned wake_later(struct nk_txn *t)
{
    int64_t left = gate_mcp(t)->wait->until_ms - t->state->now_ms;
    t->wake_ms = left < 1 ? 1 : left < KEEP_ALIVE_MS ? left : KEEP_ALIVE_MS;
    return NK_FX_WAKE;
}

static int begin_stream(struct nk_txn *t, unsigned *fx)
{
    struct nk_http_head *h = &t->reply_head;
    *h = (struct nk_http_head){.status = 200, .content_length = -1, .keep_alive = true};
    h->headers = nk_arena_array(t->arena, HEADERS_MAX, sizeof *h->headers);
    if (!h->headers)
        return NK_ENOMEM;
    nk_http_add(h, NK_STR("x-request-id"), t->state->id);
    nk_http_add(h, NK_STR("mcp-session-id"), gate_mcp(t)->shown);
    nk_http_add(h, NK_STR("content-type"), NK_STR("text/event-stream"));
    *fx |= gate_receive_stream(t);
    return 0;
}

static void put_question(struct nk_txn *t, const char *method, struct nk_str params)
{
    nk_buf_add(&t->out, NK_STR("event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":"));
    nk_buf_add(&t->out, gate_mcp(t)->wait->id);
    nk_json_put_member(&t->out, NK_STR("method"), nk_str(method));
    nk_buf_add(&t->out, NK_STR(",\"params\":"));
    nk_buf_add(&t->out, params);
    nk_buf_add(&t->out, NK_STR("}\n\n"));
}

int gate_mcp_question(struct nk_txn *t, const char *method, struct nk_str params,
                      gate_mcp_then *then, unsigned *fx)
{
    struct nk_gate_state *s = t->state;
    struct gate_mcp *m = gate_mcp(t);
    struct nk_digest who = whose(t);
    struct nk_str id;
    if (!m->wait)
        m->wait = nk_arena_alloc(t->arena, sizeof *m->wait);
    if (!m->wait)
        return NK_ENOMEM;
    int rc = write_id(t, m->wait->asked, &id);
    if (!rc)
        rc = nk_waits_add(s->env.waits, s->env.number, &who, s->env.owner);
    if (rc)
        return rc;
    if (!s->began && begin_stream(t, fx)) {
        nk_waits_remove(s->env.waits, s->env.number);
        return NK_ENOMEM;
    }
    *m->wait = (struct gate_mcp_wait){.id = id,
                                      .until_ms = s->now_ms + m->endpoint->config->question_timeout,
                                      .asked = m->wait->asked + 1,
                                      .then = then};
    put_question(t, method, params);
    *fx |= NK_FX_DATA | wake_later(t);
    return 0;
}

/* Waiting ----------------------------------------------------------------------------------------
 */
static void stop_waiting(struct nk_txn *t)
{
    gate_mcp(t)->wait->id = (struct nk_str){NULL, 0};
    nk_waits_remove(t->state->env.waits, t->state->env.number);
}

static bool waits(const struct nk_txn *t)
{
    const struct gate_mcp *m = gate_mcp(t);
    return m && m->wait && m->wait->id.p;
}

/* Nobody waits for an answer any more: the client need not show the question any longer. */
static void withdraw(struct nk_txn *t)
{
    nk_buf_add(&t->out, NK_STR("event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":"
                               "\"notifications/cancelled\",\"params\":{\"requestId\":"));
    nk_buf_add(&t->out, gate_mcp(t)->wait->id);
    nk_buf_add(&t->out, NK_STR("}}\n\n"));
}

static unsigned give_up(struct nk_txn *t, enum gate_mcp_waited how)
{
    withdraw(t);
    stop_waiting(t);
    return gate_mcp(t)->wait->then(t, how, NULL) | NK_FX_DATA;
}

unsigned gate_mcp_wake(struct nk_txn *t)
{
    if (!waits(t))
        return 0;
    if (t->state->now_ms >= gate_mcp(t)->wait->until_ms)
        return give_up(t, GATE_MCP_UNANSWERED);
    nk_buf_add(&t->out, NK_STR(": \n\n")); /* or somebody between us takes the stream for dead */
    return NK_FX_DATA | wake_later(t);
}

unsigned gate_mcp_told(struct nk_txn *t, struct nk_str bytes)
{
    struct nk_json doc;
    struct nk_mcp_message answer;
    struct nk_fault f = {0};
    uint64_t generation;
    if (!waits(t) || nk_str_to_u64(nk_str_cut(&bytes, ' '), &generation) || !bytes.p ||
        gate_read_json(t, bytes, NK_TELL_MAX, t->scratch, &doc, &f) ||
        nk_mcp_read(&doc, t->scratch, &answer, &f) || !nk_str_eq(answer.id, gate_mcp(t)->wait->id))
        return 0;
    if (generation != t->setup->generation)
        return give_up(t, GATE_MCP_RELOADED);
    stop_waiting(t);
    return gate_mcp(t)->wait->then(t, GATE_MCP_ANSWERED, &answer);
}

void gate_mcp_free(struct nk_txn *t)
{
    if (waits(t))
        stop_waiting(t);
}

/* Answers ----------------------------------------------------------------------------------------
 */
bool gate_mcp_is_reply(const struct nk_txn *t)
{
    const struct gate_mcp *m = gate_mcp(t);
    return m->ask.op == NK_MCP_ANSWER && nk_str_starts(m->message.id, NK_STR(prefix));
}

static unsigned no_question(struct nk_txn *t)
{
    gate_mcp_refuse(t, NK_REFUSAL_bad_request, NK_MCP_INVALID_REQUEST, "parse",
                    NK_STR("No such question was asked in this session."));
    return gate_refused(t);
}

unsigned gate_mcp_tell(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    struct place at;
    if (s->body.n > ANSWER_MAX) {
        gate_mcp_refuse(t, NK_REFUSAL_too_large, NK_MCP_INVALID_REQUEST, "parse",
                        NK_STR("An answer to a question has at most 59 KiB."));
        return gate_refused(t);
    }
    int rc = read_id(t, gate_mcp(t)->message.id, &at);
    if (rc == NK_ENOTFOUND)
        return no_question(t);
    struct nk_str bytes = rc ? (struct nk_str){NULL, 0}
                             : nk_arena_printf(t->arena, "%u %.*s", (unsigned)t->setup->generation,
                                               NK_FMT(nk_buf_str(&s->body)));
    if (!bytes.p) {
        gate_refuse(t, NK_REFUSAL_out_of_memory, "forward", NK_STR(""), NK_STR(""));
        return gate_refused(t);
    }
    t->tell = (struct nk_tell){(uint32_t)at.slot, (uint32_t)at.instance, at.number, bytes};
    return gate_record_decision(t) | NK_FX_TELL | gate_reply(t, s->dialect, 202, NULL);
}

/* Refusals ---------------------------------------------------------------------------------------
 */
unsigned gate_mcp_answer_refusal(struct nk_txn *t)
{
    if (!t->state->began)
        return gate_answer_refusal(t);
    gate_refusal_event(t);
    return NK_FX_DATA | NK_FX_END;
}

unsigned gate_mcp_refused(struct nk_txn *t)
{
    if (!t->state->began)
        return gate_refused(t);
    unsigned fx = gate_mcp_answer_refusal(t);
    return fx | gate_record_decision(t);
}
