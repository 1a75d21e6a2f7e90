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

static bool answer_member(void *ctx, const struct nk_json *doc, uint32_t name, struct nk_buf *out)
{
    struct answer *a = ctx;
    uint32_t list = name + 1;
    int64_t position = 0;
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
