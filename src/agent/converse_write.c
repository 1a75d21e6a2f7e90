/* SPDX-License-Identifier: Apache-2.0
 *
 * converse_write.c - answers of Converse, and the events of ConverseStream. See converse.h.
 *
 * A tool use comes whole and goes out as three events, as clients expect it: start, one delta with all of its input,
 * stop. Text has no start, as Bedrock's has none.
 */
#include "agent/converse.h"

#include "base/encode.h"
#include "proto/eventstream.h"

enum { EVENT_MAX = NK_EVENTSTREAM_PAYLOAD };

static struct nk_str stop_reason(enum nk_model_stop stop)
{
    switch (stop) {
    case NK_MODEL_STOP_TOOL_USE:
        return NK_STR("tool_use");
    case NK_MODEL_STOP_LENGTH:
        return NK_STR("max_tokens");
    case NK_MODEL_STOP_SEQUENCE:
        return NK_STR("stop_sequence");
    case NK_MODEL_STOP_FILTER:
        return NK_STR("content_filtered");
    case NK_MODEL_STOP_CONTEXT:
        return NK_STR("model_context_window_exceeded");
    default:
        return NK_STR("end_turn");
    }
}

static void put_number(struct nk_buf *out, const char *name, int64_t v)
{
    nk_json_put_name(out, nk_str(name));
    nk_buf_add_i64(out, v);
}

static int64_t known(int64_t v)
{
    return v > 0 ? v : 0;
}

/* The numbers are the provider's, so their sum saturates. */
static int64_t sum(int64_t a, int64_t b)
{
    int64_t v;
    return __builtin_add_overflow(known(a), known(b), &v) ? INT64_MAX : v;
}

/* Bedrock's inputTokens leave out what is in the cache; its total does not. */
static void put_usage(const struct nk_model_usage *u, int64_t ms, struct nk_buf *out)
{
    int64_t cached = sum(u->cache_read, u->cache_write), input = known(u->input);
    nk_json_put_name(out, NK_STR("usage"));
    nk_buf_add_char(out, '{');
    put_number(out, "inputTokens", input > cached ? input - cached : 0);
    put_number(out, "outputTokens", known(u->output));
    put_number(out, "totalTokens", sum(input, u->output));
    if (u->cache_read >= 0)
        put_number(out, "cacheReadInputTokens", u->cache_read);
    if (u->cache_write >= 0)
        put_number(out, "cacheWriteInputTokens", u->cache_write);
    nk_buf_add(out, NK_STR("},\"metrics\":{"));
    put_number(out, "latencyMs", known(ms));
    nk_buf_add_char(out, '}');
}

/* "redactedContent":"<base64 of what the provider gave>" */
static void put_redacted(struct nk_str data, struct nk_buf *out)
{
    nk_json_put_name(out, NK_STR("redactedContent"));
    nk_buf_add_char(out, '"');
    nk_base64_encode(data, out);
    nk_buf_add_char(out, '"');
}

static void put_use_head(const struct nk_model_part *p, struct nk_buf *out)
{
    nk_buf_add(out, NK_STR("{\"toolUse\":{"));
    nk_json_put_member(out, NK_STR("toolUseId"), p->id);
    nk_json_put_member(out, NK_STR("name"), p->name);
}

static void put_part(const struct nk_model_part *p, struct nk_buf *out)
{
    if (p->type == NK_MODEL_TOOL_USE) {
        put_use_head(p, out);
        nk_buf_add(out, NK_STR(",\"input\":"));
        nk_buf_add(out, p->text);
        nk_buf_add(out, NK_STR("}}"));
    } else if (p->type == NK_MODEL_REASONING && p->redacted) {
        nk_buf_add(out, NK_STR("{\"reasoningContent\":{"));
        put_redacted(p->text, out);
        nk_buf_add(out, NK_STR("}}"));
    } else if (p->type == NK_MODEL_REASONING) {
        nk_buf_add(out, NK_STR("{\"reasoningContent\":{\"reasoningText\":{"));
        nk_json_put_member(out, NK_STR("text"), p->text);
        if (p->signature.n)
            nk_json_put_member(out, NK_STR("signature"), p->signature);
        nk_buf_add(out, NK_STR("}}}"));
    } else {
        nk_buf_add_char(out, '{');
        nk_json_put_member(out, NK_STR("text"), p->text);
        nk_buf_add_char(out, '}');
    }
}

void nk_converse_write(const struct nk_model_answer *answer, int64_t ms, struct nk_buf *out)
{
    nk_buf_add(out, NK_STR("{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":["));
    for (size_t i = 0; i < answer->count; i++) {
        if (i)
            nk_buf_add_char(out, ',');
        put_part(&answer->parts[i], out);
    }
    nk_buf_add(out, NK_STR("]}}"));
    nk_json_put_member(out, NK_STR("stopReason"), stop_reason(answer->stop));
    put_usage(&answer->usage, ms, out);
    nk_buf_add_char(out, '}');
}

/* Sends the event whose payload stands in `json`, and empties that. */
static void send(const char *type, struct nk_buf *json, struct nk_buf *out)
{
    if (json->error && !out->error)
        out->error = json->error;
    nk_eventstream_put_event(nk_str(type), nk_buf_str(json), out);
    nk_buf_clear(json);
}

static void put_index(size_t part, struct nk_buf *json)
{
    put_number(json, "contentBlockIndex", (int64_t)part);
    nk_buf_add_char(json, '}');
}

static void close_part(struct nk_converse_stream *s, struct nk_buf *json, struct nk_buf *out)
{
    if (s->open) {
        nk_buf_add_char(json, '{');
        put_index(s->part, json);
        send("contentBlockStop", json, out);
    }
    s->open = false;
}

static void begin(struct nk_converse_stream *s, struct nk_buf *json, struct nk_buf *out)
{
    if (!s->begun) {
        nk_buf_add(json, NK_STR("{\"role\":\"assistant\"}"));
        send("messageStart", json, out);
    }
    s->begun = true;
}

/* {"delta":{…},"contentBlockIndex":n} */
static void put_delta(const struct nk_model_piece *p, struct nk_buf *json, struct nk_buf *out)
{
    const struct nk_model_part *what = &p->what;
    nk_buf_add(json, NK_STR("{\"delta\":{"));
    if (what->type == NK_MODEL_TOOL_USE) {
        nk_buf_add(json, NK_STR("\"toolUse\":{"));
        nk_json_put_member(json, NK_STR("input"), what->text);
        nk_buf_add_char(json, '}');
    } else if (what->type == NK_MODEL_REASONING) {
        nk_buf_add(json, NK_STR("\"reasoningContent\":{"));
        if (what->redacted)
            put_redacted(what->text, json);
        else if (what->signature.n)
            nk_json_put_member(json, NK_STR("signature"), what->signature);
        else
            nk_json_put_member(json, NK_STR("text"), what->text);
        nk_buf_add_char(json, '}');
    } else {
        nk_json_put_member(json, NK_STR("text"), what->text);
    }
    nk_buf_add_char(json, '}');
    put_index(p->part, json);
    send("contentBlockDelta", json, out);
}

/* A fragment that has text and signature is two of the API's. */
static void put_deltas(const struct nk_model_piece *p, struct nk_buf *json, struct nk_buf *out)
{
    struct nk_model_piece text = *p;
    if (p->what.type == NK_MODEL_REASONING && p->what.signature.n && p->what.text.n) {
        text.what.signature = (struct nk_str){NULL, 0};
        put_delta(&text, json, out);
    }
    put_delta(p, json, out);
}

void nk_converse_put_piece(struct nk_converse_stream *s, const struct nk_model_piece *piece,
                           struct nk_buf *out)
{
    struct nk_buf json;
    nk_buf_init(&json, EVENT_MAX);
    begin(s, &json, out);
    if (piece->begins)
        close_part(s, &json, out);
    if (piece->begins && piece->what.type == NK_MODEL_TOOL_USE) {
        nk_buf_add(&json, NK_STR("{\"start\":"));
        put_use_head(&piece->what, &json);
        nk_buf_add(&json, NK_STR("}}"));
        put_index(piece->part, &json);
        send("contentBlockStart", &json, out);
    }
    s->part = piece->part;
    s->open = true;
    put_deltas(piece, &json, out);
    if (piece->what.type == NK_MODEL_TOOL_USE)
        close_part(s, &json, out);
    nk_buf_free(&json);
}

void nk_converse_put_end(struct nk_converse_stream *s, const struct nk_model_answer *answer,
                         int64_t ms, struct nk_buf *out)
{
    struct nk_buf json;
    nk_buf_init(&json, EVENT_MAX);
    begin(s, &json, out);
    close_part(s, &json, out);
    nk_buf_add_char(&json, '{');
    nk_json_put_member(&json, NK_STR("stopReason"), stop_reason(answer->stop));
    nk_buf_add_char(&json, '}');
    send("messageStop", &json, out);
    nk_buf_add_char(&json, '{');
    put_usage(&answer->usage, ms, &json);
    nk_buf_add_char(&json, '}');
    send("metadata", &json, out);
    nk_buf_free(&json);
}
