/* SPDX-License-Identifier: Apache-2.0
 *
 * proto.c - any bytes into the dialects. The first byte chooses the operation, the rest is lines:
 * the first is the body of a request and of an answer, each line is an event of a stream ("name
 * {json}", "{json}", "[DONE]").
 *
 * What must hold: nothing is read outside its memory; a released call has a name and arguments that
 * are JSON; what is released is all that was held; and a simple client of chat completions that
 * glues the fragments of the events it was given by choice and index never has a call that was not
 * released in exactly that form.
 */
#include "proto/proto.h"

#include <stdlib.h>
#include <string.h>

static const struct nk_json_limits limits = {1 << 16, 64, 1 << 14};

enum { SEEN_MAX = 128, TEXT_MAX = 1 << 14 };

/* The simple client. */
struct glued {
    int64_t choice, index;
    char name[256], text[TEXT_MAX];
    size_t name_n, n;
};

struct client {
    struct glued *calls;
    size_t count;
    bool lost; /* too much for its tables: it looks no further */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool cond)
{
    if (!cond)
        abort();
}

static struct glued *glued_at(struct client *c, int64_t choice, int64_t index)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->calls[i].choice == choice && c->calls[i].index == index)
            return &c->calls[i];
    if (c->count == SEEN_MAX) {
        c->lost = true;
        return NULL;
    }
    struct glued *g = &c->calls[c->count++];
    g->choice = choice;
    g->index = index;
    g->n = g->name_n = 0;
    return g;
}

static void client_takes(struct client *c, const struct nk_json *d, struct nk_arena *a)
{
    uint32_t choices = nk_json_get(d, 0, NK_STR("choices"));
    for (uint32_t i = nk_json_first(d, choices); i != NK_JSON_NONE;
         i = nk_json_next(d, choices, i)) {
        int64_t choice = 0, index = 0;
        uint32_t delta = nk_json_get(d, i, NK_STR("delta"));
        uint32_t list = nk_json_get(d, delta, NK_STR("tool_calls"));
        if (nk_json_i64(d, nk_json_get(d, i, NK_STR("index")), &choice))
            continue;
        for (uint32_t k = nk_json_first(d, list); k != NK_JSON_NONE; k = nk_json_next(d, list, k)) {
            uint32_t f = nk_json_get(d, k, NK_STR("function"));
            struct nk_str name = nk_json_string(d, nk_json_get(d, f, NK_STR("name")), a);
            struct nk_str text = nk_json_string(d, nk_json_get(d, f, NK_STR("arguments")), a);
            if (f == NK_JSON_NONE)
                continue;
            struct glued *g = nk_json_i64(d, nk_json_get(d, k, NK_STR("index")), &index)
                                  ? NULL
                                  : glued_at(c, choice, index);
            if (!g || name.n > sizeof g->name || text.n > TEXT_MAX - g->n) {
                c->lost = true;
                return;
            }
            if (name.n) {
                memcpy(g->name, name.p, name.n);
                g->name_n = name.n;
            }
            if (text.n)
                memcpy(g->text + g->n, text.p, text.n);
            g->n += text.n;
        }
    }
}

static bool was_released(const struct glued *g, const struct nk_tool_use *calls, size_t n)
{
    struct nk_str name = {g->name, g->name_n}, text = {g->n ? g->text : "{}", g->n ? g->n : 2};
    for (size_t i = 0; i < n; i++)
        if (nk_str_eq(calls[i].name, name) && nk_str_eq(calls[i].arguments, text))
            return true;
    return false;
}

static void check_calls(const struct nk_tool_use *calls, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct nk_arena a;
        struct nk_json d;
        struct nk_json_limits wide = {1 << 23, 64, 1 << 17};
        nk_arena_init(&a, 1 << 24);
        must(calls[i].name.n > 0);
        must(nk_json_parse(&wide, calls[i].arguments, &a, &d, NULL) == 0);
        nk_arena_free(&a);
    }
}

struct run {
    struct nk_arena arena;
    struct nk_call call;
    struct client client;
    struct nk_tool_use released[SEEN_MAX];
    size_t released_count;
};

/* One event; false when the stream is over. */
static bool take_event(struct run *r, struct nk_stream *s, struct nk_str line, struct nk_json *held,
                       size_t *held_count)
{
    struct nk_sse_event e = {0};
    struct nk_json data = {0};
    struct nk_fault f = {0};
    enum nk_stream_verdict v;
    const struct nk_tool_use *calls;
    size_t n;
    if (line.n && line.p[0] != '{' && line.p[0] != '[')
        e.event = nk_str_cut(&line, ' ');
    e.data = line;
    if (line.p && !nk_str_eq(line, NK_STR("[DONE]")) &&
        nk_json_parse(&limits, line, &r->arena, &data, NULL))
        data.n = 0;
    int rc = r->call.dialect->stream_event(s, &e, &data, &v, &calls, &n, &f);
    must(rc == f.code && (rc == 0 || f.message[0]));
    if (rc || *held_count == SEEN_MAX)
        return false;
    check_calls(calls, n);
    must((v == NK_STREAM_RELEASE) == (n > 0));
    for (size_t i = 0; i < n && r->released_count < SEEN_MAX; i++)
        r->released[r->released_count++] = calls[i];
    held[(*held_count)++] = data;
    if (v == NK_STREAM_HOLD)
        return true;
    for (size_t i = 0; i < *held_count; i++)
        if (held[i].n)
            client_takes(&r->client, &held[i], &r->arena);
    *held_count = 0;
    for (size_t i = 0; i < r->client.count && !r->client.lost; i++)
        must(was_released(&r->client.calls[i], r->released, r->released_count));
    return true;
}

static void run_stream(struct run *r, struct nk_str rest)
{
    static struct nk_json held[SEEN_MAX];
    size_t held_count = 0;
    struct nk_reply so_far;
    struct nk_stream *s = r->call.dialect->stream_new(&r->call, &r->arena);
    must(s != NULL);
    r->client.lost = strcmp(r->call.endpoint->name, "chat.completions") != 0;
    while (rest.p && take_event(r, s, nk_str_cut(&rest, '\n'), held, &held_count))
        ;
    r->call.dialect->stream_end(s, &so_far);
    must(so_far.usage.input_tokens >= -1 && so_far.usage.output_tokens >= -1);
}

/* A request whose path and headers are the input's first line, too. */
static void run_match(struct run *r, struct nk_str line)
{
    const struct nk_dialect *d;
    struct nk_str segment;
    struct nk_http_header header = {NK_STR("authorization"), line};
    struct nk_http_head h = {
        .method = NK_STR("GET"), .target = line, .headers = &header, .header_count = 1};
    const struct nk_endpoint *e = nk_proto_match(&h, &r->arena, &d, &segment);
    must(d != NULL && (e == NULL || e->local));
    struct nk_str c = d->credential(&h);
    must(c.p != NULL);
    must(!d->forwards(NK_STR("Authorization")) && !d->forwards(NK_STR("cookie")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const paths[] = {"/v1/chat/completions", "/v1/responses", "/v1/embeddings",
                                        "/v1/messages", "/v1/messages/count_tokens"};
    static struct glued table[SEEN_MAX];
    static struct run r;
    struct nk_str rest = {(const char *)data + 1, size - 1}, segment;
    struct nk_fault f = {0};
    struct nk_reply reply;
    if (size < 2)
        return 0;
    memset(&r, 0, sizeof r);
    r.client.calls = table;
    nk_arena_init(&r.arena, (size_t)64 << 20);
    struct nk_http_head h = {.method = NK_STR("POST"),
                             .target = nk_str(paths[data[0] % NK_COUNT(paths)])};
    r.call.endpoint = nk_proto_match(&h, &r.arena, &r.call.dialect, &segment);
    must(r.call.endpoint != NULL);
    struct nk_str line = rest, all = rest;
    line = nk_str_cut(&rest, '\n');
    if (line.n && nk_json_parse(&limits, line, &r.arena, &r.call.body, NULL) == 0) {
        int rc = r.call.dialect->parse_call(&r.call, &r.arena, &f);
        must(rc == f.code && (rc || r.call.model.n > 0));
        f = (struct nk_fault){0};
        rc = r.call.dialect->parse_reply(&r.call, &r.call.body, &r.arena, &reply, &f);
        must(rc == f.code);
        if (!rc)
            check_calls(reply.tools, reply.tool_count);
    }
    run_match(&r, line);
    if (data[0] % NK_COUNT(paths) != 2 && data[0] % NK_COUNT(paths) != 4)
        run_stream(&r, all);
    nk_arena_free(&r.arena);
    return 0;
}
