/* SPDX-License-Identifier: Apache-2.0
 *
 * mock_openai.c - chat completions and embeddings as api.openai.com writes them.
 */
#include "cmd/mock.h"

#include "base/encode.h"

#include <string.h>

enum { DIMENSIONS = 8, CREATED = 1700000000 };

static struct nk_str finish_of(const struct nk_mock_answer *ans)
{
    if (ans->plan.finish.p)
        return ans->plan.finish;
    return ans->plan.call_count ? NK_STR("tool_calls") : NK_STR("stop");
}

static void put_head(const struct nk_mock_answer *ans, const char *object, struct nk_buf *out)
{
    nk_buf_printf(out, "{\"id\":\"chatcmpl-mock%llu\",\"object\":\"%s\",\"created\":%d",
                  (unsigned long long)ans->number, object, CREATED);
    nk_json_put_member(out, NK_STR("model"), ans->model);
    nk_buf_add(out, NK_STR(",\"system_fingerprint\":null"));
}

static void put_usage(const struct nk_mock_answer *ans, struct nk_buf *out)
{
    nk_buf_printf(out,
                  ",\"usage\":{\"prompt_tokens\":%lld,\"completion_tokens\":%lld,"
                  "\"total_tokens\":%lld}",
                  (long long)ans->input_tokens, (long long)ans->output_tokens,
                  (long long)(ans->input_tokens + ans->output_tokens));
}

static void put_call(const struct nk_mock_answer *ans, size_t i, struct nk_str arguments,
                     struct nk_buf *out)
{
    nk_buf_printf(out, "\"id\":\"call_mock%llu_%zu\",\"type\":\"function\",\"function\":{",
                  (unsigned long long)ans->number, i);
    nk_json_put_member(out, NK_STR("name"), ans->plan.calls[i].name);
    nk_json_put_member(out, NK_STR("arguments"), arguments);
    nk_buf_add_char(out, '}');
}

static void chat_whole(const struct nk_mock_answer *ans, struct nk_buf *out)
{
    put_head(ans, "chat.completion", out);
    nk_buf_add(
        out, NK_STR(",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":"));
    if (ans->plan.say.p)
        nk_json_put_string(out, ans->plan.say);
    else
        nk_buf_add(out, NK_STR("null"));
    nk_buf_add(out, NK_STR(",\"refusal\":null"));
    for (size_t i = 0; i < ans->plan.call_count; i++) {
        nk_buf_add(out, i ? NK_STR(",{") : NK_STR(",\"tool_calls\":[{"));
        put_call(ans, i, ans->plan.calls[i].arguments, out);
        nk_buf_add_char(out, '}');
    }
    nk_buf_add(out, ans->plan.call_count ? NK_STR("]}") : NK_STR("}"));
    nk_buf_add(out, NK_STR(",\"logprobs\":null"));
    nk_json_put_member(out, NK_STR("finish_reason"), finish_of(ans));
    nk_buf_add(out, NK_STR("}]"));
    put_usage(ans, out);
    nk_buf_add_char(out, '}');
}

/* Begins a chunk up to "delta":{ */
static struct nk_buf *chunk(struct nk_mock_answer *ans)
{
    put_head(ans, "chat.completion.chunk", &ans->piece);
    nk_buf_add(&ans->piece, NK_STR(",\"choices\":[{\"index\":0,\"delta\":{"));
    return &ans->piece;
}

static void end_chunk(struct nk_mock_answer *ans, struct nk_str finish)
{
    nk_buf_add(&ans->piece, NK_STR("},\"logprobs\":null,\"finish_reason\":"));
    if (finish.p)
        nk_json_put_string(&ans->piece, finish);
    else
        nk_buf_add(&ans->piece, NK_STR("null"));
    nk_buf_add(&ans->piece, NK_STR("}]}"));
    nk_mock_event(ans, NULL);
}

static void stream_call(struct nk_mock_answer *ans, size_t i)
{
    const struct nk_str none = {NULL, 0};
    struct nk_str part, arguments = ans->plan.calls[i].arguments;
    size_t at = 0;
    nk_buf_printf(chunk(ans), "\"tool_calls\":[{\"index\":%zu,", i);
    put_call(ans, i, NK_STR(""), &ans->piece);
    nk_buf_add(&ans->piece, NK_STR("}]"));
    end_chunk(ans, none);
    while ((part = nk_mock_piece(ans, arguments, &at)).p) {
        nk_buf_printf(chunk(ans), "\"tool_calls\":[{\"index\":%zu,\"function\":{", i);
        nk_json_put_member(&ans->piece, NK_STR("arguments"), part);
        nk_buf_add(&ans->piece, NK_STR("}}]"));
        end_chunk(ans, none);
    }
}

static void chat_stream(const struct nk_mock_ask *ask, struct nk_mock_answer *ans)
{
    const struct nk_str none = {NULL, 0};
    struct nk_str part;
    size_t at = 0;
    nk_buf_add(chunk(ans), NK_STR("\"role\":\"assistant\",\"content\":\"\",\"refusal\":null"));
    end_chunk(ans, none);
    while ((part = nk_mock_piece(ans, ans->plan.say, &at)).p) {
        nk_json_put_member(chunk(ans), NK_STR("content"), part);
        end_chunk(ans, none);
    }
    for (size_t i = 0; i < ans->plan.call_count; i++)
        stream_call(ans, i);
    chunk(ans);
    end_chunk(ans, finish_of(ans));
    if (ask->usage_wanted) {
        put_head(ans, "chat.completion.chunk", &ans->piece);
        nk_buf_add(&ans->piece, NK_STR(",\"choices\":[]"));
        put_usage(ans, &ans->piece);
        nk_buf_add_char(&ans->piece, '}');
        nk_mock_event(ans, NULL);
    }
    nk_buf_add(&ans->piece, NK_STR("[DONE]"));
    nk_mock_event(ans, NULL);
}

void nk_mock_openai(const struct nk_mock_ask *ask, struct nk_mock_answer *ans, struct nk_buf *body)
{
    if (body)
        chat_whole(ans, body);
    else
        chat_stream(ask, ans);
}

/* Numbers between -1 and 1 in steps of 1/8, from the text alone: exact as float and as decimal. */
static int eighths(struct nk_str text, size_t dimension)
{
    const uint64_t seed[2] = {dimension, 0};
    uint64_t h = 14695981039346656037u ^ seed[0];
    for (size_t i = 0; i < text.n; i++)
        h = (h ^ (unsigned char)text.p[i]) * 1099511628211u;
    return (int)((h >> 32) % 17) - 8;
}

static void put_vector(struct nk_str text, bool base64, struct nk_buf *out)
{
    float values[DIMENSIONS];
    for (size_t i = 0; i < DIMENSIONS; i++)
        values[i] = (float)eighths(text, i) / 8;
    if (base64) {
        nk_buf_add_char(out, '"');
        nk_base64_encode((struct nk_str){(const char *)values, sizeof values}, out);
        nk_buf_add_char(out, '"');
        return;
    }
    for (size_t i = 0; i < DIMENSIONS; i++)
        nk_buf_printf(out, "%s%.3f", i ? "," : "[", (double)values[i]);
    nk_buf_add_char(out, ']');
}

void nk_mock_embeddings(const struct nk_mock_ask *ask, struct nk_mock_answer *ans,
                        struct nk_buf *body)
{
    const struct nk_json *doc = &ask->body;
    uint32_t input = nk_json_get(doc, 0, NK_STR("input"));
    bool base64 = nk_json_is(doc, nk_json_get(doc, 0, NK_STR("encoding_format")), NK_STR("base64"));
    bool list = input != NK_JSON_NONE && nk_json_type(doc, input) == NK_JSON_ARRAY;
    uint32_t i = list ? nk_json_first(doc, input) : input;
    nk_buf_add(body, NK_STR("{\"object\":\"list\",\"data\":["));
    for (size_t n = 0; i != NK_JSON_NONE; i = list ? nk_json_next(doc, input, i) : NK_JSON_NONE) {
        nk_buf_printf(body,
                      "%s{\"object\":\"embedding\",\"index\":%zu,\"embedding\":", n ? "," : "", n);
        put_vector(nk_json_span(doc, i), base64, body);
        nk_buf_add_char(body, '}');
        n++;
    }
    nk_buf_add_char(body, ']');
    nk_json_put_member(body, NK_STR("model"), ans->model);
    nk_buf_printf(body, ",\"usage\":{\"prompt_tokens\":%lld,\"total_tokens\":%lld}}",
                  (long long)ans->input_tokens, (long long)ans->input_tokens);
}
