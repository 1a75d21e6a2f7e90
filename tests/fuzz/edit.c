/* SPDX-License-Identifier: Apache-2.0
 *
 * edit.c - answers without the tool calls that were refused. The first byte chooses the operation, the second which calls
 * are refused, the rest is lines as of proto.c: the first is a whole answer, all of them are the events of a stream.
 *
 * What must hold: an answer that was read can be written without its refused calls; what is written is an answer of
 * the same dialect, in which a reader finds exactly the calls that were not refused, each as it was, and each of
 * the refused ones has its text.
 */
#include "proto/proto.h"

#include <string.h>

static const struct nk_json_limits limits = {1 << 16, 64, 1 << 14}, wide = {1 << 23, 64, 1 << 18};

enum { CALLS_MAX = 64, HELD_MAX = 128, OUT_MAX = 1 << 22 };

struct run {
    struct nk_arena arena;
    struct nk_call call;
    unsigned mask;
    struct nk_tool_use left[CALLS_MAX]; /* not refused, in their order */
    size_t left_count, refused_count, seen;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct nk_str refusal = {"REFUSED-HERE", 12};

/* Is this call, the next one, refused? Keeps those that are not. False when there are too many. */
static bool judge(struct run *r, const struct nk_tool_use *use, bool *refused)
{
    if (r->seen == CALLS_MAX)
        return false;
    *refused = !use->ran && (r->mask >> r->seen % 8 & 1);
    r->seen++;
    r->refused_count += *refused;
    if (!*refused)
        r->left[r->left_count++] = *use;
    return true;
}

static void check_left(const struct run *r, const struct nk_tool_use *found, size_t n)
{
    NK_MUST(n == r->left_count);
    for (size_t i = 0; i < n; i++)
        NK_MUST(nk_str_eq(found[i].name, r->left[i].name) &&
                nk_str_eq(found[i].arguments, r->left[i].arguments));
}

static void run_whole(struct run *r, struct nk_str text)
{
    const struct nk_dialect *d = r->call.dialect;
    struct nk_json body, again;
    struct nk_reply reply, other;
    struct nk_str texts[CALLS_MAX] = {{NULL, 0}};
    struct nk_fault f = {0};
    struct nk_buf out;
    if (!text.n || nk_json_parse(&limits, text, &r->arena, &body, NULL) ||
        d->parse_reply(&r->call, &body, &r->arena, &reply, &f))
        return;
    for (size_t i = 0; i < reply.tool_count; i++) {
        bool refused;
        if (!judge(r, &reply.tools[i], &refused))
            return;
        if (refused)
            texts[i] = refusal;
    }
    if (!r->refused_count)
        return;
    nk_buf_init(&out, OUT_MAX);
    NK_MUST(d->edit_reply(&r->call, &body, texts, &r->arena, &out, &f) == 0 && !out.error);
    NK_MUST(nk_json_parse(&wide, nk_buf_str(&out), &r->arena, &again, NULL) == 0);
    NK_MUST(d->parse_reply(&r->call, &again, &r->arena, &other, &f) == 0);
    check_left(r, other.tools, other.tool_count);
    NK_MUST(nk_str_search(nk_buf_str(&out), refusal) >= 0);
    nk_buf_free(&out);
}

static struct nk_sse_event event_of(struct run *r, struct nk_str line)
{
    struct nk_sse_event e = {0};
    if (line.n && line.p[0] != '{' && line.p[0] != '[')
        e.event = nk_str_cut(&line, ' ');
    e.data = line;
    e.raw = nk_arena_printf(&r->arena, "%s%.*s%sdata: %.*s\n\n", e.event.n ? "event: " : "",
                            NK_FMT(e.event), e.event.n ? "\n" : "", NK_FMT(e.data));
    NK_MUST(e.raw.p);
    return e;
}

static bool parse_event(struct run *r, const struct nk_sse_event *e, struct nk_json *data)
{
    data->n = 0;
    return !e->data.p || nk_str_eq(e->data, NK_STR("[DONE]")) ||
           nk_json_parse(&wide, e->data, &r->arena, data, NULL) == 0;
}

/* What the client gets of a stream; false when the stream breaks its dialect. */
static bool write_stream(struct run *r, struct nk_str rest, struct nk_buf *out)
{
    const struct nk_dialect *d = r->call.dialect;
    struct nk_stream *s = d->stream_new(&r->call, &r->arena);
    struct nk_sse_event held[HELD_MAX];
    struct nk_json data[HELD_MAX];
    size_t n = 0, count;
    NK_MUST(s != NULL);
    while (rest.p) {
        enum nk_stream_verdict v;
        const struct nk_tool_use *calls;
        struct nk_fault f = {0};
        if (n == HELD_MAX)
            return false;
        held[n] = event_of(r, nk_str_cut(&rest, '\n'));
        if (!held[n].data.n || !parse_event(r, &held[n], &data[n]) ||
            d->stream_event(s, &held[n], &data[n], &v, &calls, &count, &f))
            return false;
        n++;
        for (size_t i = 0; i < count; i++) {
            bool refused;
            if (!judge(r, &calls[i], &refused))
                return false;
            if (refused)
                nk_stream_refuse(s, calls[i].number, refusal);
        }
        if (v == NK_STREAM_HOLD)
            continue;
        for (size_t i = 0; i < n; i++)
            if (r->refused_count)
                NK_MUST(d->stream_edit(s, &held[i], &data[i], out, &f) == 0);
            else
                nk_buf_add(out, held[i].raw);
        n = 0;
    }
    return true;
}

/* A client reads what was written: no event breaks the dialect, and it finds no call but those that are left. */
static void read_stream(struct run *r, struct nk_str text)
{
    const struct nk_dialect *d = r->call.dialect;
    struct nk_stream *s = d->stream_new(&r->call, &r->arena);
    struct nk_tool_use found[CALLS_MAX];
    size_t n = 0, count;
    struct nk_fault f = {0};
    struct nk_sse cut;
    struct nk_sse_event e;
    nk_sse_init(&cut, OUT_MAX);
    cut.began = true;
    while (text.n) {
        NK_MUST(nk_sse_feed(&cut, nk_str_sub(text, 0, NK_SSE_FEED_MAX), &f) == 0);
        text = nk_str_sub(text, NK_SSE_FEED_MAX, text.n);
        if (!text.n)
            nk_sse_end(&cut);
        while (nk_sse_next(&cut, &e, &f) == 0) {
            enum nk_stream_verdict v;
            const struct nk_tool_use *calls;
            struct nk_json data;
            NK_MUST(parse_event(r, &e, &data));
            NK_MUST(d->stream_event(s, &e, &data, &v, &calls, &count, &f) == 0);
            for (size_t i = 0; i < count; i++) {
                NK_MUST(n < CALLS_MAX);
                found[n++] = calls[i];
            }
        }
    }
    nk_sse_free(&cut);
    check_left(r, found, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const paths[] = {"/v1/chat/completions", "/v1/responses", "/v1/messages"};
    struct nk_str segment;
    struct nk_buf out;
    if (size < 3 || memchr(data + 2, '\r', size - 2)) /* ends a line of a stream */
        return 0;
    struct nk_http_head h = {.method = NK_STR("POST"),
                             .target = nk_str(paths[data[0] % NK_COUNT(paths)])};
    struct nk_str text = {(const char *)data + 2, size - 2}, first = text;
    for (int stream = 0; stream < 2; stream++) {
        struct run r = {.mask = data[1]};
        nk_arena_init(&r.arena, (size_t)64 << 20);
        nk_buf_init(&out, OUT_MAX);
        r.call.endpoint = nk_proto_match(&h, &r.arena, &r.call.dialect, &segment);
        NK_MUST(r.call.endpoint != NULL);
        if (!stream)
            run_whole(&r, nk_str_cut(&first, '\n'));
        else if (write_stream(&r, text, &out) && r.refused_count)
            read_stream(&r, nk_buf_str(&out));
        nk_buf_free(&out);
        nk_arena_free(&r.arena);
    }
    return 0;
}
