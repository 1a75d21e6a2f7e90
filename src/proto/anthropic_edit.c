/* SPDX-License-Identifier: Apache-2.0
 *
 * anthropic_edit.c - answers of the dialect "anthropic" without the calls that were refused (edit.h). The
 * block of such a call becomes a block of text at the same index, also in a stream; stop_reason becomes
 * "end_turn" when nothing is left for the client to run.
 */
#include "proto/anthropic.h"
#include "proto/edit.h"

static bool stops_for_tool(const struct nk_json *doc, uint32_t name)
{
    return nk_json_is(doc, name, NK_STR("stop_reason")) &&
           nk_json_is(doc, name + 1, NK_STR("tool_use"));
}

static void put_block(const struct nk_assembly_call *c, struct nk_buf *out)
{
    nk_buf_add(out, NK_STR("{\"type\":\"text\",\"text\":"));
    nk_json_put_string(out, c->refusal);
    nk_buf_add_char(out, '}');
}

/* Members of a message; the ones of message_delta's `delta` are among them. */
static bool message_member(void *ctx, const struct nk_json *doc, uint32_t name, struct nk_buf *out)
{
    struct nk_assembly *s = ctx;
    uint32_t list = name + 1;
    int64_t index = 0;
    if (stops_for_tool(doc, name) && nk_edit_left(s, 0) == 0) {
        nk_json_put_member(out, NK_STR("stop_reason"), NK_STR("end_turn"));
        return true;
    }
    if (!nk_json_is(doc, name, NK_STR("content")) || nk_json_type(doc, list) != NK_JSON_ARRAY)
        return false;
    nk_edit_comma(out);
    nk_buf_add(out, NK_STR("\"content\":["));
    for (uint32_t i = nk_json_first(doc, list); i != NK_JSON_NONE; i = nk_json_next(doc, list, i)) {
        const struct nk_assembly_call *c = nk_assembly_find(s, 0, index++);
        nk_edit_comma(out);
        if (c && c->refusal.p)
            put_block(c, out);
        else
            nk_buf_add(out, nk_json_span(doc, i));
    }
    nk_buf_add_char(out, ']');
    return true;
}

int nk_anthropic_edit(struct nk_assembly *s, const struct nk_json *doc, struct nk_buf *out)
{
    nk_edit_object(doc, 0, message_member, s, out);
    return out->error;
}

/* Streams ----------------------------------------------------------------------------------------- */

static bool event_member(void *ctx, const struct nk_json *doc, uint32_t name, struct nk_buf *out)
{
    if (!nk_json_is(doc, name, NK_STR("delta")) || nk_json_type(doc, name + 1) != NK_JSON_OBJECT)
        return false;
    nk_edit_comma(out);
    nk_buf_add(out, NK_STR("\"delta\":"));
    nk_edit_object(doc, name + 1, message_member, ctx, out);
    return true;
}

static void put_event(const char *type, int64_t index, const char *rest, struct nk_str text,
                      const char *end, struct nk_buf *out)
{
    size_t from = nk_edit_event(nk_str(type), out);
    nk_buf_printf(out, "{\"type\":\"%s\",\"index\":%lld%s", type, (long long)index, rest);
    if (text.p)
        nk_json_put_string(out, text);
    nk_buf_add(out, nk_str(end));
    nk_edit_event_end(from, out);
}

/* An event about the block of a refused call: it begins as a block of text, whose text comes before it stops. */
static void replace(const struct nk_assembly_call *c, const struct nk_sse_event *e,
                    const struct nk_json *data, struct nk_buf *out)
{
    uint32_t type = nk_json_get(data, 0, NK_STR("type"));
    if (nk_json_is(data, type, NK_STR("content_block_start")))
        put_event("content_block_start", c->index,
                  ",\"content_block\":{\"type\":\"text\",\"text\":", NK_STR(""), "}}", out);
    if (!nk_json_is(data, type, NK_STR("content_block_stop")))
        return;
    put_event("content_block_delta", c->index,
              ",\"delta\":{\"type\":\"text_delta\",\"text\":", c->refusal, "}}", out);
    nk_buf_add(out, e->raw);
}

int nk_anthropic_stream_edit(struct nk_stream *s, const struct nk_sse_event *e,
                             const struct nk_json *data, struct nk_buf *out)
{
    int64_t index = -1;
    uint32_t type = nk_json_get(data, 0, NK_STR("type"));
    const struct nk_assembly_call *c = NULL;
    if (nk_json_i64(data, nk_json_get(data, 0, NK_STR("index")), &index) == 0)
        c = nk_assembly_find(&s->calls, 0, index);
    if (c && c->refusal.p) {
        replace(c, e, data, out);
        return out->error;
    }
    if (!nk_json_is(data, type, NK_STR("message_delta"))) {
        nk_buf_add(out, e->raw);
        return out->error;
    }
    size_t from = nk_edit_event(e->event, out);
    nk_edit_object(data, 0, event_member, &s->calls, out);
    nk_edit_event_end(from, out);
    return out->error;
}
