/* SPDX-License-Identifier: Apache-2.0
 *
 * openai_edit.c - chat completions without the calls that were refused (edit.h).
 *
 *   tool_calls, function_call   the refused ones are left out; in a stream the others are counted anew
 *   content                     says what was refused: at the end of a whole answer's text; in a stream as
 *                               a chunk of its own before the choice's finish_reason
 *   finish_reason               "stop" when nothing is left to run, so that no client waits for a call
 */
#include "proto/member.h"
#include "proto/edit.h"
#include "proto/openai.h"

/* A choice that is being written. */
struct choice {
    struct nk_assembly *calls;
    int64_t index;
    bool whole; /* of a whole answer: calls are counted by their place */
    bool wrote; /* its content is written */
    struct nk_arena *arena;
    int error;
};

static int64_t call_index(const struct choice *c, const struct nk_json *doc, uint32_t call,
                          int64_t position)
{
    int64_t index = -1;
    if (c->whole)
        return position;
    return nk_json_i64(doc, nk_json_get(doc, call, NK_STR("index")), &index) ? -1 : index;
}

/* So many refused calls of the choice stand before this one. */
static int64_t refused_before(const struct choice *c, int64_t index)
{
    int64_t n = 0;
    for (size_t i = 0; i < c->calls->count; i++) {
        const struct nk_assembly_call *other = &c->calls->calls[i];
        n += other->choice == c->index && other->refusal.p && other->index >= 0 &&
             other->index < index;
    }
    return n;
}

static bool renumber(void *ctx, const struct nk_json *doc, uint32_t name, struct nk_buf *out)
{
    if (!nk_json_is(doc, name, NK_STR("index")))
        return false;
    nk_edit_comma(out);
    nk_buf_printf(out, "\"index\":%lld", (long long)*(const int64_t *)ctx);
    return true;
}

static void put_calls(struct choice *c, const struct nk_json *doc, uint32_t name,
                      struct nk_buf *out)
{
    uint32_t list = name + 1, kept = 0;
    int64_t position = 0;
    for (uint32_t i = nk_json_first(doc, list); i != NK_JSON_NONE; i = nk_json_next(doc, list, i)) {
        int64_t index = call_index(c, doc, i, position++);
        const struct nk_assembly_call *call = nk_assembly_find(c->calls, c->index, index);
        if (call && call->refusal.p)
            continue;
        if (kept++ == 0) {
            nk_edit_comma(out);
            nk_buf_add(out, NK_STR("\"tool_calls\":["));
        } else {
            nk_buf_add_char(out, ',');
        }
        index -= refused_before(c, index);
        if (c->whole)
            nk_buf_add(out, nk_json_span(doc, i));
        else
            nk_edit_object(doc, i, renumber, &index, out);
    }
    if (kept)
        nk_buf_add_char(out, ']');
}

static void put_content(struct choice *c, const struct nk_json *doc, uint32_t value,
                        struct nk_buf *out)
{
    struct nk_str before = {NULL, 0};
    if (nk_json_type(doc, value) == NK_JSON_STRING) {
        before = nk_json_string(doc, value, c->arena);
        if (!before.p)
            c->error = NK_ENOMEM;
    }
    nk_json_put_name(out, NK_STR("content"));
    nk_edit_put_text(c->calls, c->index, before, out);
    c->wrote = true;
}

/* Members of `message` and `delta`. */
static bool message_member(void *ctx, const struct nk_json *doc, uint32_t name, struct nk_buf *out)
{
    struct choice *c = ctx;
    if (nk_json_is(doc, name, NK_STR("tool_calls")) &&
        nk_json_type(doc, name + 1) == NK_JSON_ARRAY) {
        put_calls(c, doc, name, out);
        return true;
    }
    if (nk_json_is(doc, name, NK_STR("function_call"))) {
        const struct nk_assembly_call *call =
            nk_assembly_find(c->calls, c->index, NK_OPENAI_LEGACY_CALL);
        return call && call->refusal.p;
    }
    if (!c->whole || !nk_json_is(doc, name, NK_STR("content")))
        return false;
    put_content(c, doc, name + 1, out);
    return true;
}

static void put_message(struct choice *c, const struct nk_json *doc, uint32_t name,
                        struct nk_buf *out)
{
    nk_edit_comma(out);
    nk_buf_add(out, nk_json_span(doc, name));
    nk_buf_add_char(out, ':');
    nk_edit_object(doc, name + 1, message_member, c, out);
    if (!c->whole || c->wrote || out->error)
        return;
    out->n--; /* the closing bracket: there was no content */
    put_content(c, doc, NK_JSON_NONE, out);
    nk_buf_add_char(out, '}');
}

static bool asks_for_calls(const struct nk_json *doc, uint32_t value)
{
    return nk_json_is(doc, value, NK_STR("tool_calls")) ||
           nk_json_is(doc, value, NK_STR("function_call"));
}

static bool choice_member(void *ctx, const struct nk_json *doc, uint32_t name, struct nk_buf *out)
{
    struct choice *c = ctx;
    bool message = nk_json_is(doc, name, c->whole ? NK_STR("message") : NK_STR("delta"));
    if (message && nk_json_type(doc, name + 1) == NK_JSON_OBJECT) {
        put_message(c, doc, name, out);
        return true;
    }
    if (!nk_json_is(doc, name, NK_STR("finish_reason")) || !asks_for_calls(doc, name + 1) ||
        nk_edit_left(c->calls, c->index))
        return false;
    nk_json_put_member(out, NK_STR("finish_reason"), NK_STR("stop"));
    return true;
}

/* An answer, or an event. */
struct answer {
    struct choice choice;
    bool none; /* the list of choices is left empty, and what was used is left out */
};

static bool answer_member(void *ctx, const struct nk_json *doc, uint32_t name, struct nk_buf *out)
{
    struct answer *a = ctx;
    uint32_t list = name + 1;
    int64_t position = 0;
    if (!nk_json_is(doc, name, NK_STR("choices")))
        return a->none && nk_json_is(doc, name, NK_STR("usage"));
    if (a->none)
        return true;
    nk_edit_comma(out);
    nk_buf_add(out, NK_STR("\"choices\":["));
    for (uint32_t i = nk_json_first(doc, list); i != NK_JSON_NONE; i = nk_json_next(doc, list, i)) {
        struct choice *c = &a->choice;
        c->index = call_index(c, doc, i, position++);
        c->wrote = false;
        nk_edit_comma(out);
        if (nk_edit_refused(c->calls, c->index))
            nk_edit_object(doc, i, choice_member, c, out);
        else
            nk_buf_add(out, nk_json_span(doc, i));
    }
    nk_buf_add_char(out, ']');
    return true;
}

int nk_openai_chat_edit(struct nk_assembly *s, const struct nk_json *doc, struct nk_arena *a,
                        struct nk_buf *out)
{
    struct answer whole = {.choice = {.calls = s, .whole = true, .arena = a}};
    nk_edit_object(doc, 0, answer_member, &whole, out);
    return whole.choice.error ? whole.choice.error : out->error;
}

/* Streams ----------------------------------------------------------------------------------------- */

/* The chunk that says what was refused, in the frame of the others. */
static void put_chunk(struct nk_stream *s, int64_t choice, struct nk_buf *out)
{
    bool said = s->said[choice / 64] >> (choice & 63) & 1;
    size_t from = nk_edit_event((struct nk_str){NULL, 0}, out);
    nk_buf_add(out, nk_str_sub(s->frame, 0, s->frame.n - 1));
    nk_edit_comma(out);
    nk_buf_printf(out, "\"choices\":[{\"index\":%lld,\"delta\":{\"content\":", (long long)choice);
    nk_edit_put_text(&s->calls, choice, said ? NK_STR("\n") : NK_STR(""), out);
    nk_buf_add(out, NK_STR("},\"logprobs\":null,\"finish_reason\":null}]}"));
    nk_edit_event_end(from, out);
}

/* Says it for each choice that has not said it; choice -1: for all. */
static void tell(struct nk_stream *s, int64_t choice, struct nk_buf *out)
{
    for (size_t i = 0; i < s->calls.count; i++) {
        struct nk_assembly_call *c = &s->calls.calls[i];
        if (!c->refusal.p || c->begun || (choice >= 0 && c->choice != choice))
            continue;
        put_chunk(s, c->choice, out);
        for (size_t k = i; k < s->calls.count; k++)
            s->calls.calls[k].begun |= s->calls.calls[k].choice == c->choice;
    }
}

/* Before a choice is finished, what it has to say comes. */
static void tell_finished(struct nk_stream *s, const struct nk_json *data, struct nk_buf *out)
{
    uint32_t list = nk_json_get(data, 0, NK_STR("choices"));
    for (uint32_t i = nk_json_first(data, list); i != NK_JSON_NONE;
         i = nk_json_next(data, list, i)) {
        int64_t index = -1;
        uint32_t finish = nk_json_get(data, i, NK_STR("finish_reason"));
        if (nk_json_type(data, finish) == NK_JSON_STRING &&
            !nk_json_i64(data, nk_json_get(data, i, NK_STR("index")), &index))
            tell(s, index, out);
    }
}

static int keep_frame(struct nk_stream *s, const struct nk_json *data)
{
    struct answer frame = {.none = true};
    struct nk_buf b;
    nk_buf_init(&b, data->text.n + 2);
    nk_edit_object(data, 0, answer_member, &frame, &b);
    s->frame = b.error ? (struct nk_str){NULL, 0} : nk_arena_copy(s->calls.arena, nk_buf_str(&b));
    nk_buf_free(&b);
    return s->frame.p ? 0 : NK_ENOMEM;
}

int nk_openai_chat_stream_edit(struct nk_stream *s, const struct nk_sse_event *e,
                               const struct nk_json *data, struct nk_buf *out)
{
    struct answer chunk = {.choice = {.calls = &s->calls, .arena = &s->scratch}};
    int rc = 0;
    if (data->n == 0) {
        if (e->data.n && s->frame.p)
            tell(s, -1, out);
        nk_buf_add(out, e->raw);
        return out->error;
    }
    if (!s->frame.p)
        rc = keep_frame(s, data);
    if (rc)
        return rc;
    tell_finished(s, data, out);
    size_t from = nk_edit_event(e->event, out);
    nk_edit_object(data, 0, answer_member, &chunk, out);
    nk_edit_event_end(from, out);
    return chunk.choice.error ? chunk.choice.error : out->error;
}
