/* SPDX-License-Identifier: Apache-2.0
 *
 * openai_items_edit.c - answers of the responses API without the calls that were refused (edit.h). The item of
 * such a call becomes a message at the same place, told in the events that the API has for a message:
 *
 *   output_item.added     output_item.added, content_part.added
 *   *.delta, *.done       (left out)
 *   output_item.done      output_text.delta, output_text.done, content_part.done, output_item.done
 *   response.completed …  the message in `output`
 *
 * Events are counted anew from there on, since clients look for gaps in sequence_number.
 *
 * Where the provider keeps the response, it keeps the call as well, and asks for its result when the client goes on from
 * there (previous_response_id). So the ids of refused calls go along in the response's id, "resp_1.refused.fcall_2" (f: of
 * a function, c: of a custom tool), and come back with the next request, which then gets their results from here. A
 * client that makes such an id up says no more than it could in its input.
 */
#include "proto/member.h"
#include "proto/edit.h"
#include "proto/openai.h"

struct answer {
    struct nk_assembly *calls;
    struct nk_stream *stream; /* NULL: a whole answer */
    struct nk_arena *arena;
    int error;
};

/* "msg_…" with what stands behind the kind in the item's own id, so that it is as unique as that. */
static void put_id(const struct nk_json *doc, uint32_t item, const struct nk_assembly_call *c,
                   struct nk_arena *a, struct nk_buf *out)
{
    struct nk_str id = nk_json_string(doc, nk_json_get(doc, item, NK_STR("id")), a), rest = id;
    (void)nk_str_cut(&rest, '_');
    struct nk_buf b;
    nk_buf_init(&b, NK_ASSEMBLY_NAME + 8);
    nk_buf_add(&b, NK_STR("msg_"));
    nk_buf_add(&b, rest.n ? rest : id.n ? id : c->use.id);
    nk_json_put_string(out, nk_buf_str(&b));
    if (b.error)
        out->error = b.error;
    nk_buf_free(&b);
}

static void put_part(const struct nk_assembly_call *c, bool full, struct nk_buf *out)
{
    nk_buf_add(out,
               NK_STR("{\"type\":\"output_text\",\"annotations\":[],\"logprobs\":[],\"text\":"));
    nk_json_put_string(out, full ? c->refusal : NK_STR(""));
    nk_buf_add_char(out, '}');
}

static void put_message(const struct nk_json *doc, uint32_t item, const struct nk_assembly_call *c,
                        bool full, struct nk_arena *a, struct nk_buf *out)
{
    nk_buf_add(out, NK_STR("{\"id\":"));
    put_id(doc, item, c, a, out);
    nk_buf_add(out, NK_STR(",\"type\":\"message\",\"status\":"));
    nk_buf_add(out, full ? NK_STR("\"completed\"") : NK_STR("\"in_progress\""));
    nk_buf_add(out, NK_STR(",\"role\":\"assistant\",\"content\":["));
    if (full)
        put_part(c, true, out);
    nk_buf_add(out, NK_STR("]}"));
}

static const struct nk_str mark = {".refused.", 9};

static bool is_token(struct nk_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-'))
            return false;
    }
    return s.n > 0 && s.n <= NK_ASSEMBLY_NAME;
}

/* The response's id with those of its refused calls; false: it has none that could come back. */
static bool put_response_id(const struct answer *a, const struct nk_json *doc, uint32_t name,
                            struct nk_buf *out)
{
    struct nk_str id = nk_json_string(doc, name + 1, a->arena);
    size_t n = 0;
    if (!is_token(id))
        return false;
    for (size_t i = 0; i < a->calls->count; i++) {
        const struct nk_assembly_call *c = &a->calls->calls[i];
        if (c->refusal.p && !c->use.hosted && is_token(c->use.id))
            n++;
    }
    if (n == 0)
        return false;
    nk_edit_comma(out);
    nk_buf_printf(out, "\"id\":\"%.*s.refused", NK_FMT(id));
    for (size_t i = 0; i < a->calls->count; i++) {
        const struct nk_assembly_call *c = &a->calls->calls[i];
        if (c->refusal.p && !c->use.hosted && is_token(c->use.id))
            nk_buf_printf(out, ".%c%.*s", c->plain ? 'c' : 'f', NK_FMT(c->use.id));
    }
    nk_buf_add_char(out, '"');
    return true;
}

static bool answer_member(void *ctx, const struct nk_json *doc, uint32_t name, struct nk_buf *out)
{
    struct answer *a = ctx;
    uint32_t list = name + 1;
    int64_t position = 0;
    if (nk_json_is(doc, name, NK_STR("id")))
        return put_response_id(a, doc, name, out);
    if (!nk_json_is(doc, name, NK_STR("output")) || nk_json_type(doc, list) != NK_JSON_ARRAY)
        return false;
    nk_edit_comma(out);
    nk_buf_add(out, NK_STR("\"output\":["));
    for (uint32_t i = nk_json_first(doc, list); i != NK_JSON_NONE; i = nk_json_next(doc, list, i)) {
        const struct nk_assembly_call *c =
            nk_openai_item_call(a->calls, doc, i, position++, a->arena);
        nk_edit_comma(out);
        if (c && c->refusal.p)
            put_message(doc, i, c, true, a->arena, out);
        else
            nk_buf_add(out, nk_json_span(doc, i));
    }
    nk_buf_add_char(out, ']');
    return true;
}

int nk_openai_items_edit(struct nk_assembly *s, const struct nk_json *doc, struct nk_arena *a,
                         struct nk_buf *out)
{
    struct answer whole = {.calls = s, .arena = a};
    nk_edit_object(doc, 0, answer_member, &whole, out);
    return out->error;
}

/* Streams ----------------------------------------------------------------------------------------- */

/* An event about one item, and the item in it. */
struct place {
    struct nk_stream *stream;
    const struct nk_json *data;
    uint32_t item;
    int64_t index;
    const struct nk_assembly_call *call;
};

static void put_number(struct nk_stream *s, struct nk_buf *out)
{
    if (s->sequence >= 0)
        nk_buf_printf(out, ",\"sequence_number\":%lld", (long long)s->sequence++);
}

static size_t begin(const struct place *p, const char *type, struct nk_buf *out)
{
    size_t from = nk_edit_event(nk_str(type), out);
    nk_buf_printf(out, "{\"type\":\"%s\"", type);
    put_number(p->stream, out);
    nk_buf_printf(out, ",\"output_index\":%lld", (long long)p->index);
    return from;
}

static void put_item_event(const struct place *p, const char *type, bool full, struct nk_buf *out)
{
    size_t from = begin(p, type, out);
    nk_buf_add(out, NK_STR(",\"item\":"));
    put_message(p->data, p->item, p->call, full, &p->stream->scratch, out);
    nk_buf_add_char(out, '}');
    nk_edit_event_end(from, out);
}

/* An event about the message's only part; `member`: where its content stands. */
static void put_part_event(const struct place *p, const char *type, const char *member, bool full,
                           struct nk_buf *out)
{
    size_t from = begin(p, type, out);
    nk_buf_add(out, NK_STR(",\"content_index\":0,\"item_id\":"));
    put_id(p->data, p->item, p->call, &p->stream->scratch, out);
    nk_json_put_name(out, nk_str(member));
    if (member[0] == 'p')
        put_part(p->call, full, out);
    else
        nk_json_put_string(out, p->call->refusal);
    if (member[0] != 'p')
        nk_buf_add(out, NK_STR(",\"logprobs\":[]"));
    nk_buf_add_char(out, '}');
    nk_edit_event_end(from, out);
}

static void put_begin(const struct place *p, struct nk_buf *out)
{
    put_item_event(p, "response.output_item.added", false, out);
    put_part_event(p, "response.content_part.added", "part", false, out);
}

static void put_end(const struct place *p, struct nk_buf *out)
{
    put_part_event(p, "response.output_text.delta", "delta", true, out);
    put_part_event(p, "response.output_text.done", "text", true, out);
    put_part_event(p, "response.content_part.done", "part", true, out);
    put_item_event(p, "response.output_item.done", true, out);
}

/* An event about the item of a refused call: what comes in its place, if anything does. */
static void replace(struct place *p, struct nk_assembly_call *c, struct nk_buf *out)
{
    uint32_t type = nk_json_get(p->data, 0, NK_STR("type"));
    p->item = nk_json_get(p->data, 0, NK_STR("item"));
    bool done = nk_json_is(p->data, type, NK_STR("response.output_item.done"));
    if (!done && !nk_json_is(p->data, type, NK_STR("response.output_item.added")))
        return;
    if (!c->begun)
        put_begin(p, out);
    c->begun = true;
    if (done)
        put_end(p, out);
}

static bool event_member(void *ctx, const struct nk_json *doc, uint32_t name, struct nk_buf *out)
{
    struct answer *a = ctx;
    struct nk_stream *s = a->stream;
    if (nk_json_is(doc, name, NK_STR("sequence_number"))) {
        nk_edit_comma(out);
        nk_buf_printf(out, "\"sequence_number\":%lld", (long long)s->sequence++);
        return true;
    }
    if (!nk_json_is(doc, name, NK_STR("response")) || nk_json_type(doc, name + 1) != NK_JSON_OBJECT)
        return false;
    nk_edit_comma(out);
    nk_buf_add(out, NK_STR("\"response\":"));
    nk_edit_object(doc, name + 1, answer_member, a, out);
    return true;
}

int nk_openai_items_stream_edit(struct nk_stream *s, const struct nk_sse_event *e,
                                const struct nk_json *data, struct nk_buf *out)
{
    struct answer a = {.calls = &s->calls, .stream = s, .arena = &s->scratch};
    struct place p = {.stream = s, .data = data, .index = -1};
    int64_t number = 0;
    if (data->n == 0) {
        nk_buf_add(out, e->raw);
        return out->error;
    }
    if (s->sequence < 0 &&
        nk_json_i64(data, nk_json_get(data, 0, NK_STR("sequence_number")), &number) == 0)
        s->sequence = number;
    if (nk_json_i64(data, nk_json_get(data, 0, NK_STR("output_index")), &p.index) == 0) {
        struct nk_assembly_call *c = nk_assembly_find(&s->calls, 0, p.index);
        p.call = c;
        if (c && c->refusal.p) {
            replace(&p, c, out);
            return out->error;
        }
    }
    size_t from = nk_edit_event(e->event, out);
    nk_edit_object(data, 0, event_member, &a, out);
    nk_edit_event_end(from, out);
    return out->error;
}

/* Requests ---------------------------------------------------------------------------------------- */

static int bad_id(const struct nk_json *doc, uint32_t at, struct nk_fault *f)
{
    return nk_fault_set(f, NK_EINVAL, "proto", doc->tape[at].start,
                        "\"previous_response_id\" is none that came from here");
}

/* The results of the refused calls that an id brings back. */
static int put_results(const struct nk_json *doc, uint32_t at, struct nk_str calls,
                       struct nk_buf *out, struct nk_fault *f)
{
    while (calls.p) {
        struct nk_str call = nk_str_cut(&calls, '.'), id = nk_str_sub(call, 1, call.n);
        if (!is_token(id) || (call.p[0] != 'f' && call.p[0] != 'c'))
            return bad_id(doc, at, f);
        nk_edit_comma(out);
        nk_buf_printf(out,
                      "{\"type\":\"%s_output\",\"call_id\":\"%.*s\",\"output\":\"[The gateway "
                      "refused this call.]\"}",
                      call.p[0] == 'f' ? "function_call" : "custom_tool_call", NK_FMT(id));
    }
    return 0;
}

int nk_openai_edit_call(const struct nk_call *call, struct nk_arena *a,
                        struct nk_json_edit edits[NK_CALL_EDITS], size_t *n, struct nk_fault *f)
{
    const struct nk_json *doc = &call->body;
    uint32_t at = nk_member_get(doc, 0, NK_STR("previous_response_id"));
    uint32_t input = nk_member_get(doc, 0, NK_STR("input"));
    struct nk_str id = nk_json_string(doc, at, a);
    ptrdiff_t end = nk_str_search(id, mark);
    *n = 0;
    if (end < 0)
        return 0;
    bool list = nk_json_type(doc, input) == NK_JSON_ARRAY;
    struct nk_buf out;
    nk_buf_init(&out, id.n * 100 + nk_json_span(doc, input).n + 100);
    nk_buf_add_char(&out, '[');
    int r = is_token(nk_str_sub(id, 0, (size_t)end))
                ? put_results(doc, at, nk_str_sub(id, (size_t)end + mark.n, id.n), &out, f)
                : bad_id(doc, at, f);
    if (nk_json_type(doc, input) == NK_JSON_STRING)
        nk_buf_printf(&out, ",{\"role\":\"user\",\"content\":%.*s}",
                      NK_FMT(nk_json_span(doc, input)));
    else if (list && doc->tape[input].count)
        nk_buf_add_char(&out, ',');
    if (!list)
        nk_buf_add_char(&out, ']');
    struct nk_str text =
        r || out.error ? (struct nk_str){NULL, 0} : nk_arena_copy(a, nk_buf_str(&out));
    nk_buf_free(&out);
    if (r)
        return r;
    struct nk_str own = nk_arena_printf(a, "\"%.*s\"", (int)end, id.p);
    if (!text.p || !own.p)
        return nk_fault_set(f, NK_ENOMEM, "proto", 0, "out of memory at \"previous_response_id\"");
    edits[(*n)++] = (struct nk_json_edit){doc->tape[at].start, doc->tape[at].end, own};
    if (input == NK_JSON_NONE)
        return 0;
    /* Of a list, its opening bracket alone: what stands in it may be edited as well. */
    uint32_t from = doc->tape[input].start;
    edits[(*n)++] = (struct nk_json_edit){from, list ? from + 1 : doc->tape[input].end, text};
    return 0;
}
