/* SPDX-License-Identifier: Apache-2.0
 *
 * translate_frame.c - InvokeModel for a model of Anthropic's: the body is that API's but for its model, version and
 * beta flags, and so is the answer, which receive.c has; of a stream, each event's data becomes the bytes of a
 * "chunk".
 */
#include "gate/translate.h"

#include "base/encode.h"
#include "proto/eventstream.h"

enum { BETAS_MAX = 32, BETA_MAX = 128 };

static bool is_token(struct nk_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i], low = (char)(c | 0x20);
        if (!(low >= 'a' && low <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_' &&
            c != '.')
            return false;
    }
    return s.n > 0 && s.n <= BETA_MAX;
}

/* "anthropic_beta": a list of names, which is a header elsewhere. */
static int read_betas(struct nk_txn *t, const struct nk_json *doc, struct gate_translation *x,
                      struct nk_fault *f)
{
    uint32_t list = nk_json_get(doc, 0, NK_STR("anthropic_beta"));
    struct nk_buf out;
    int rc = 0;
    if (list == NK_JSON_NONE || nk_json_type(doc, list) == NK_JSON_NULL)
        return 0;
    nk_buf_init(&out, (size_t)BETAS_MAX * (BETA_MAX + 1));
    for (uint32_t i = nk_json_first(doc, list); !rc && i != NK_JSON_NONE;
         i = nk_json_next(doc, list, i)) {
        struct nk_str name = nk_json_string(doc, i, t->scratch);
        rc = is_token(name) ? 0 : NK_EINVAL;
        nk_buf_add(&out, out.n ? NK_STR(",") : NK_STR(""));
        nk_buf_add(&out, name);
    }
    if (nk_json_type(doc, list) != NK_JSON_ARRAY || out.error)
        rc = NK_EINVAL;
    if (!rc && out.n) {
        x->beta = nk_arena_copy(t->arena, nk_buf_str(&out));
        rc = x->beta.p ? 0 : NK_ENOMEM;
    }
    nk_buf_free(&out);
    return rc ? nk_fault_set(f, rc, "proto", doc->tape[list].start,
                             "\"anthropic_beta\" must be a list of names")
              : 0;
}

int gate_frame_write(struct nk_txn *t, const struct nk_json *doc, struct nk_buf *out,
                     struct nk_fault *f)
{
    struct nk_gate_state *s = t->state;
    int rc = read_betas(t, doc, s->drive, f);
    if (rc)
        return rc;
    nk_buf_add_char(out, '{');
    nk_json_put_member(out, NK_STR("model"),
                       s->model->upstream_name.p ? s->model->upstream_name : s->model->name);
    if (s->call.stream)
        nk_buf_add(out, NK_STR(",\"stream\":true"));
    for (uint32_t i = nk_json_first(doc, 0); i != NK_JSON_NONE; i = nk_json_next(doc, 0, i)) {
        if (nk_json_is(doc, i, NK_STR("anthropic_version")) ||
            nk_json_is(doc, i, NK_STR("anthropic_beta")))
            continue;
        nk_buf_add_char(out, ',');
        nk_buf_add(out, nk_json_span(doc, i));
        nk_buf_add_char(out, ':');
        nk_buf_add(out, nk_json_span(doc, i + 1));
    }
    nk_buf_add_char(out, '}');
    return out->error;
}

static void put_chunk(struct nk_str data, struct nk_buf *json, struct nk_buf *out)
{
    nk_buf_clear(json);
    nk_buf_add(json, NK_STR("{\"bytes\":\""));
    nk_base64_encode(data, json);
    nk_buf_add(json, NK_STR("\"}"));
    if (json->error && !out->error)
        out->error = json->error;
    nk_eventstream_put_event(NK_STR("chunk"), nk_buf_str(json), out);
}

/* The events that receive.c let through, in the client's framing. What it said itself at the end of a stream that it
 * cut is in that framing already (the first byte of a message is 0, which no event has). */
static void reframe(struct nk_txn *t)
{
    const struct nk_config_limits *lim = &t->setup->config.limits;
    struct nk_buf in = t->out, json;
    struct nk_str rest = nk_buf_str(&in);
    ptrdiff_t own = nk_str_find(rest, 0);
    struct nk_str last = own < 0 ? (struct nk_str){NULL, 0} : nk_str_sub(rest, (size_t)own, rest.n);
    struct nk_sse cut;
    struct nk_sse_event e;
    int rc = 0;
    rest = nk_str_sub(rest, 0, rest.n - last.n);
    nk_buf_init(&t->out, in.max);
    nk_buf_init(&json, NK_EVENTSTREAM_PAYLOAD);
    nk_sse_init(&cut, (size_t)lim->event_bytes);
    while (!rc && rest.n) {
        rc = nk_sse_feed(&cut, nk_str_sub(rest, 0, NK_SSE_FEED_MAX), NULL);
        rest = nk_str_sub(rest, NK_SSE_FEED_MAX, rest.n);
        if (!rest.n)
            nk_sse_end(&cut);
        while (!rc && !(rc = nk_sse_next(&cut, &e, NULL)))
            if (e.data.n && !nk_str_eq(e.event, NK_STR("ping")))
                put_chunk(e.data, &json, &t->out);
        rc = rc == NK_EAGAIN ? 0 : rc;
    }
    nk_buf_add(&t->out, last);
    if (rc || in.error)
        t->out.error = rc ? rc : in.error;
    nk_sse_free(&cut);
    nk_buf_free(&json);
    nk_buf_free(&in);
}

static unsigned head(struct nk_txn *t, const struct nk_http_head *h)
{
    struct nk_gate_state *s = t->state;
    unsigned fx = gate_receive_head(t, h);
    if (!s->began || s->phase == NK_PHASE_OVER)
        return fx;
    return gate_translate_head(t) ? NK_FX_ABORT | NK_FX_CUT : fx;
}

static unsigned data(struct nk_txn *t, struct nk_str bytes)
{
    unsigned fx = gate_receive_data(t, bytes);
    if (t->state->streaming)
        reframe(t);
    return fx;
}

static void add_count(struct nk_txn *t, const char *name, int64_t v)
{
    struct nk_gate_state *s = t->state;
    struct nk_str text =
        v < 0 ? (struct nk_str){NULL, 0} : nk_arena_printf(t->arena, "%lld", (long long)v);
    if (text.p && s->header_count < GATE_HEADERS_MAX)
        s->headers[s->header_count++] = (struct nk_http_header){nk_str(name), text};
}

/* The answer as it came, under a head of ours. */
static unsigned end_whole(struct nk_txn *t, unsigned fx)
{
    struct nk_gate_state *s = t->state;
    if (s->refusal.id != NK_REFUSAL_NONE)
        return fx;
    add_count(t, "x-amzn-bedrock-input-token-count", s->usage.input_tokens);
    add_count(t, "x-amzn-bedrock-output-token-count", s->usage.output_tokens);
    return fx | gate_reply(t, s->dialect, 200, NULL);
}

static unsigned end(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    if (!s->streaming && s->upstream_status >= 300)
        return gate_translate_error(t);
    unsigned fx = gate_receive_end(t);
    if (!s->streaming)
        return end_whole(t, fx);
    reframe(t);
    return fx | NK_FX_DATA;
}

const struct gate_driver gate_frame = {
    .name = "frame", .head = head, .data = data, .end = end, .fail = gate_receive_fail};
