/* SPDX-License-Identifier: Apache-2.0
 *
 * mock_answer.c - from a plan to the bytes of a whole HTTP answer, with the places where a paced or
 * broken stream may be cut. What is alike in all dialects is here.
 */
#include "cmd/mock.h"

#include "base/utf8.h"

enum { BODY_MAX = 16 << 20, EVENTS_MAX = 100000 };

static void mark(struct nk_mock_answer *ans)
{
    if (ans->end_count == ans->end_cap) {
        size_t cap = ans->end_cap ? ans->end_cap * 2 : 64;
        size_t *ends = cap > EVENTS_MAX ? NULL : nk_arena_array(ans->arena, cap, sizeof *ends);
        if (!ends) {
            ans->out->error = ans->out->error ? ans->out->error : NK_ELIMIT;
            return;
        }
        for (size_t i = 0; i < ans->end_count; i++)
            ends[i] = ans->ends[i];
        ans->ends = ends;
        ans->end_cap = cap;
    }
    ans->ends[ans->end_count++] = ans->out->n;
}

void nk_mock_event(struct nk_mock_answer *ans, const char *name)
{
    size_t n = ans->piece.n + (name ? nk_str(name).n + 8 : 0) + 8;
    nk_buf_printf(ans->out, "%zx\r\n", n);
    if (name) {
        nk_buf_add(ans->out, NK_STR("event: "));
        nk_buf_add(ans->out, nk_str(name));
        nk_buf_add_char(ans->out, '\n');
    }
    nk_buf_add(ans->out, NK_STR("data: "));
    nk_buf_add(ans->out, nk_buf_str(&ans->piece));
    nk_buf_add(ans->out, NK_STR("\n\n\r\n"));
    nk_buf_clear(&ans->piece);
    mark(ans);
}

static size_t next_word(struct nk_str text, size_t at)
{
    while (at < text.n && text.p[at] != ' ')
        at++;
    while (at < text.n && text.p[at] == ' ')
        at++;
    return at;
}

struct nk_str nk_mock_piece(const struct nk_mock_answer *ans, struct nk_str text, size_t *at)
{
    size_t from = *at, to = from;
    if (from >= text.n)
        return (struct nk_str){NULL, 0};
    if (ans->plan.pieces == 0) {
        to = next_word(text, from);
    } else {
        size_t size = text.n / (size_t)ans->plan.pieces;
        while (to < text.n && to - from < (size ? size : 1))
            if (nk_utf8_next(text, &to) < 0)
                to++;
        /* The last piece takes what a division leaves over. */
        if (text.n - to < size)
            to = text.n;
    }
    *at = to;
    return nk_str_sub(text, from, to);
}

static int write_head(struct nk_mock_answer *ans, int status, struct nk_str type, int64_t length)
{
    struct nk_http_header headers[NK_MOCK_HEADERS + 3];
    struct nk_http_head h = {.status = status,
                             .headers = headers,
                             .content_length = length,
                             .chunked = length < 0,
                             .keep_alive = true};
    struct nk_str id = nk_arena_printf(ans->arena, "mock-%llu", (unsigned long long)ans->number);
    headers[h.header_count++] = (struct nk_http_header){NK_STR("content-type"), type};
    headers[h.header_count++] = (struct nk_http_header){NK_STR("x-request-id"), id};
    headers[h.header_count++] = (struct nk_http_header){NK_STR("request-id"), id};
    for (size_t i = 0; i < ans->plan.header_count; i++)
        headers[h.header_count++] =
            (struct nk_http_header){ans->plan.header_names[i], ans->plan.header_values[i]};
    return id.p ? nk_http_write_response(&h, ans->out) : NK_ENOMEM;
}

static int send_whole(struct nk_mock_answer *ans, int status, struct nk_str type,
                      struct nk_buf *body)
{
    int r = body->error ? body->error : write_head(ans, status, type, (int64_t)body->n);
    if (!r)
        nk_buf_add(ans->out, nk_buf_str(body));
    mark(ans);
    return r ? r : ans->out->error;
}

static int send_error(const struct nk_mock_ask *ask, struct nk_mock_answer *ans, int status,
                      const char *code, struct nk_str message)
{
    struct nk_buf body;
    struct nk_refusal why = {
        .status = status, .code = code, .message = message, .request = NK_STR("mock")};
    nk_buf_init(&body, BODY_MAX);
    ask->dialect->refuse(&why, &body);
    int r = send_whole(ans, status, NK_STR("application/json"), &body);
    nk_buf_free(&body);
    return r;
}

static int send_local(struct nk_mock_script *s, const struct nk_mock_ask *ask,
                      struct nk_mock_answer *ans, struct nk_buf *body)
{
    static const struct nk_str usual[] = {{"gpt-4o", 6}, {"gpt-4o-mini", 11}, {"claude-x", 8}};
    const struct nk_str *models = s->model_count ? s->models : usual;
    size_t n = s->model_count ? s->model_count : NK_COUNT(usual);
    if (!ask->segment.p) {
        ask->dialect->list_models(models, n, false, body);
        return send_whole(ans, 200, NK_STR("application/json"), body);
    }
    for (size_t i = 0; i < n; i++)
        if (nk_str_eq(models[i], ask->segment)) {
            ask->dialect->list_models(&models[i], 1, true, body);
            return send_whole(ans, 200, NK_STR("application/json"), body);
        }
    return send_error(ask, ans, 404, "model_not_found", NK_STR("There is no such model."));
}

static void write_body(const struct nk_mock_ask *ask, struct nk_mock_answer *ans,
                       struct nk_buf *body)
{
    struct nk_str name = nk_str(ask->endpoint->name);
    if (nk_str_eq(name, NK_STR("chat.completions")))
        nk_mock_openai(ask, ans, body);
    else if (nk_str_eq(name, NK_STR("responses")))
        nk_mock_responses(ask, ans, body);
    else if (nk_str_eq(name, NK_STR("messages")))
        nk_mock_anthropic(ask, ans, body);
    else if (nk_str_eq(name, NK_STR("embeddings")))
        nk_mock_embeddings(ask, ans, body);
    else
        nk_buf_printf(body, "{\"input_tokens\":%lld}", (long long)ans->input_tokens);
}

static int send_stream(const struct nk_mock_ask *ask, struct nk_mock_answer *ans)
{
    int r = write_head(ans, 200, NK_STR("text/event-stream; charset=utf-8"), -1);
    if (r)
        return r;
    mark(ans);
    nk_buf_init(&ans->piece, BODY_MAX);
    write_body(ask, ans, NULL);
    r = ans->piece.error;
    nk_buf_free(&ans->piece);
    nk_http_write_last_chunk(ans->out);
    mark(ans);
    return r ? r : ans->out->error;
}

/* Neither JSON nor a stream of events, under the content type of one. */
static int send_garbage(const struct nk_mock_ask *ask, struct nk_mock_answer *ans,
                        struct nk_buf *body)
{
    if (!ask->stream) {
        nk_buf_add(body, NK_STR("{\"choices\":[{]}"));
        return send_whole(ans, 200, NK_STR("application/json"), body);
    }
    nk_buf_add(body, NK_STR("data: {\"choices\":[{]}\n\n"));
    return send_whole(ans, 200, NK_STR("text/event-stream"), body);
}

static int send_planned(struct nk_mock_script *s, const struct nk_mock_ask *ask,
                        struct nk_mock_answer *ans, struct nk_buf *body)
{
    switch (ans->plan.manner) {
    case NK_MOCK_ERROR:
        return send_error(ask, ans, ans->plan.status, "mock_error", ans->plan.message);
    case NK_MOCK_GARBAGE:
        return send_garbage(ask, ans, body);
    case NK_MOCK_RAW:
        nk_buf_add(body, ans->plan.message);
        return send_whole(ans, 200, ans->plan.type, body);
    default:
        break;
    }
    if (!ask->endpoint)
        return send_error(ask, ans, 404, "not_found", NK_STR("There is no such operation."));
    if (ask->endpoint->local)
        return send_local(s, ask, ans, body);
    if (ask->model.n == 0)
        return send_error(ask, ans, 400, "missing_model", NK_STR("\"model\" is required."));
    if (ask->stream && nk_str_eq(nk_str(ask->endpoint->action), NK_STR("InvokeModel")))
        return send_stream(ask, ans);
    write_body(ask, ans, body);
    return send_whole(ans, 200, NK_STR("application/json"), body);
}

int nk_mock_answer(struct nk_mock_script *s, const struct nk_mock_ask *ask,
                   struct nk_mock_answer *ans)
{
    struct nk_buf body;
    struct nk_mock_plan *p = &ans->plan;
    size_t said = p->say.n;
    for (size_t i = 0; i < p->call_count; i++)
        said += p->calls[i].arguments.n;
    ans->model = ask->model;
    ans->input_tokens = p->input_tokens >= 0 ? p->input_tokens : (int64_t)(ask->text.n / 4 + 1);
    ans->output_tokens = p->output_tokens >= 0 ? p->output_tokens : (int64_t)(said / 4 + 1);
    nk_buf_init(&body, BODY_MAX);
    struct nk_str given = ask->dialect->credential(ask->head);
    int r = s->key.p && !nk_str_eq(given, s->key)
                ? send_error(ask, ans, 401, "invalid_api_key", NK_STR("Incorrect API key."))
                : send_planned(s, ask, ans, &body);
    nk_buf_free(&body);
    return r;
}
