/* SPDX-License-Identifier: Apache-2.0
 *
 * openai_chat.c - answers of chat completions, whole and streamed, and of embeddings.
 *
 * In a stream, a choice's tool calls come as fragments {index, id, function: {name, arguments}} of
 * any number and interleaving; nothing says that one call has ended but the choice's finish_reason
 * (or "[DONE]"). So all calls of a choice become complete together, there.
 */
#include "proto/member.h"
#include "proto/openai.h"

enum { CHOICES_MAX = 128 };

/* The count under one of two names: each answer uses the one or the other. */
static int read_tokens(const struct nk_json *doc, uint32_t usage, struct nk_str name,
                       struct nk_str other, int64_t *out, struct nk_fault *f)
{
    int64_t v = -1;
    int r = nk_member_count(doc, usage, name, &v, f);
    if (!r && v < 0)
        r = nk_member_count(doc, usage, other, &v, f);
    if (!r && v >= 0)
        *out = v;
    return r;
}

int nk_openai_usage(const struct nk_json *doc, uint32_t obj, struct nk_usage *out,
                    struct nk_fault *f)
{
    uint32_t usage;
    int r = nk_member_of(doc, obj, NK_STR("usage"), NK_JSON_OBJECT, &usage, f);
    if (r || usage == NK_JSON_NONE)
        return r;
    r = read_tokens(doc, usage, NK_STR("prompt_tokens"), NK_STR("input_tokens"), &out->input_tokens,
                    f);
    return r ? r
             : read_tokens(doc, usage, NK_STR("completion_tokens"), NK_STR("output_tokens"),
                           &out->output_tokens, f);
}

/* {name, arguments} of a function or {name, input} of a custom tool. */
static int read_body(struct nk_assembly *s, struct nk_assembly_call *c, const struct nk_json *doc,
                     uint32_t body, struct nk_str text, struct nk_arena *scratch,
                     struct nk_fault *f)
{
    struct nk_str name, fragment;
    int r = nk_member_string(doc, body, NK_STR("name"), true, scratch, &name, f);
    if (!r)
        r = nk_assembly_say(s, &c->use.name, name, f);
    if (!r)
        r = nk_member_string(doc, body, text, true, scratch, &fragment, f);
    return r ? r : nk_assembly_add(s, c, fragment, f);
}

/* Which of the two bodies a call has; both, or one after the other, would be read differently by
 * different clients. */
static int read_bodies(struct nk_assembly *s, struct nk_assembly_call *c, const struct nk_json *doc,
                       uint32_t call, struct nk_arena *scratch, struct nk_fault *f)
{
    uint32_t function, custom;
    int r = nk_member_of(doc, call, NK_STR("function"), NK_JSON_OBJECT, &function, f);
    if (!r)
        r = nk_member_of(doc, call, NK_STR("custom"), NK_JSON_OBJECT, &custom, f);
    if (r)
        return r;
    bool begun = c->n || c->use.name.n;
    if (function != NK_JSON_NONE ? custom != NK_JSON_NONE || c->plain
                                 : custom != NK_JSON_NONE && begun && !c->plain)
        return nk_fault_set(f, NK_EINVAL, "proto", doc->tape[call].start,
                            "a tool call is both \"function\" and \"custom\"");
    c->plain |= custom != NK_JSON_NONE;
    if (c->plain)
        return read_body(s, c, doc, custom, NK_STR("input"), scratch, f);
    return read_body(s, c, doc, function, NK_STR("arguments"), scratch, f);
}

static int read_call(struct nk_assembly *s, const struct nk_json *doc, int64_t choice,
                     int64_t index, uint32_t call, struct nk_arena *scratch, struct nk_fault *f)
{
    struct nk_assembly_call *c = nk_assembly_find(s, choice, index);
    struct nk_str id, type;
    int r = 0;
    if (c && c->complete)
        return nk_fault_set(f, NK_EINVAL, "proto", doc->tape[call].start,
                            "a fragment of a tool call comes after its end");
    if (!c)
        r = nk_assembly_open(s, choice, index, &c, f);
    if (!r)
        r = nk_member_string(doc, call, NK_STR("id"), true, scratch, &id, f);
    if (!r)
        r = nk_assembly_say(s, &c->use.id, id, f);
    if (!r)
        r = nk_member_string(doc, call, NK_STR("type"), true, scratch, &type, f);
    if (r)
        return r;
    c->use.hosted |=
        type.n && !nk_str_eq(type, NK_STR("function")) && !nk_str_eq(type, NK_STR("custom"));
    return read_bodies(s, c, doc, call, scratch, f);
}

/* function_call, the older way to make one call. */
static int read_legacy(struct nk_assembly *s, const struct nk_json *doc, int64_t choice,
                       uint32_t message, struct nk_arena *scratch, struct nk_fault *f)
{
    uint32_t body;
    int r = nk_member_of(doc, message, NK_STR("function_call"), NK_JSON_OBJECT, &body, f);
    if (r || body == NK_JSON_NONE)
        return r;
    struct nk_assembly_call *c = nk_assembly_find(s, choice, NK_OPENAI_LEGACY_CALL);
    if (!c)
        r = nk_assembly_open(s, choice, NK_OPENAI_LEGACY_CALL, &c, f);
    return r ? r : read_body(s, c, doc, body, NK_STR("arguments"), scratch, f);
}

int nk_openai_chat_calls(struct nk_assembly *s, const struct nk_json *doc, int64_t choice,
                         uint32_t message, bool whole, struct nk_arena *scratch, struct nk_fault *f)
{
    uint32_t list;
    int64_t position = 0;
    int r = nk_member_of(doc, message, NK_STR("tool_calls"), NK_JSON_ARRAY, &list, f);
    for (uint32_t i = nk_json_first(doc, list); !r && i != NK_JSON_NONE;
         i = nk_json_next(doc, list, i)) {
        int64_t index = whole ? position++ : -1;
        r = nk_member_expect(doc, i, NK_STR("tool_calls"), NK_JSON_OBJECT, f);
        if (!r && !whole)
            r = nk_member_count(doc, i, NK_STR("index"), &index, f);
        if (!r && index < 0)
            r = nk_member_missing(doc, i, NK_STR("index"), f);
        if (!r)
            r = read_call(s, doc, choice, index, i, scratch, f);
    }
    return r ? r : read_legacy(s, doc, choice, message, scratch, f);
}

static int read_choice(struct nk_stream *s, const struct nk_json *doc, uint32_t choice,
                       struct nk_fault *f)
{
    int64_t index = -1;
    uint32_t delta = NK_JSON_NONE;
    struct nk_str finish = {NULL, 0};
    int r = nk_member_expect(doc, choice, NK_STR("choices"), NK_JSON_OBJECT, f);
    if (!r)
        r = nk_member_count(doc, choice, NK_STR("index"), &index, f);
    if (!r && (index < 0 || index >= CHOICES_MAX))
        r = nk_fault_set(f, NK_EINVAL, "proto", doc->tape[choice].start,
                         "\"index\" of a choice must be 0 to 127");
    if (!r)
        r = nk_member_of(doc, choice, NK_STR("delta"), NK_JSON_OBJECT, &delta, f);
    if (r)
        return r;
    size_t opened = s->calls.count;
    uint64_t bit = (uint64_t)1 << (index & 63);
    uint32_t content = nk_json_get(doc, delta, NK_STR("content"));
    if (nk_json_type(doc, content) == NK_JSON_STRING && nk_json_span(doc, content).n > 2)
        s->said[index / 64] |= bit;
    r = nk_openai_chat_calls(&s->calls, doc, index, delta, false, &s->scratch, f);
    if (!r && s->calls.count > opened && (s->done || (s->finished[index / 64] & bit)))
        r = nk_fault_set(f, NK_EINVAL, "proto", doc->tape[choice].start,
                         "a tool call begins after \"finish_reason\"");
    if (!r)
        r = nk_member_string(doc, choice, NK_STR("finish_reason"), true, &s->scratch, &finish, f);
    if (r || finish.n == 0)
        return r;
    s->finished[index / 64] |= bit;
    if (!s->finish.p)
        nk_stream_note(s, doc, choice, NK_STR("finish_reason"), &s->finish);
    return nk_assembly_close_choice(&s->calls, index, f);
}

int nk_openai_chat_read(struct nk_stream *s, const struct nk_sse_event *e,
                        const struct nk_json *data, struct nk_str type, struct nk_fault *f)
{
    (void)e;
    (void)type;
    uint32_t choices;
    if (!s->begun)
        nk_stream_note(s, data, 0, NK_STR("model"), &s->model);
    s->begun = true;
    int r = nk_openai_usage(data, 0, &s->usage, f);
    if (!r)
        r = nk_member_of(data, 0, NK_STR("choices"), NK_JSON_ARRAY, &choices, f);
    if (r)
        return r;
    for (uint32_t i = nk_json_first(data, choices); !r && i != NK_JSON_NONE;
         i = nk_json_next(data, choices, i))
        r = read_choice(s, data, i, f);
    return r;
}

static int reply_chat(struct nk_assembly *s, const struct nk_json *doc, struct nk_reply *out,
                      struct nk_fault *f)
{
    uint32_t choices;
    int64_t position = 0;
    int r = nk_member_of(doc, 0, NK_STR("choices"), NK_JSON_ARRAY, &choices, f);
    for (uint32_t i = nk_json_first(doc, choices); !r && i != NK_JSON_NONE;
         i = nk_json_next(doc, choices, i), position++) {
        uint32_t message = NK_JSON_NONE;
        struct nk_str finish = {NULL, 0};
        r = nk_member_expect(doc, i, NK_STR("choices"), NK_JSON_OBJECT, f);
        if (!r)
            r = nk_member_of(doc, i, NK_STR("message"), NK_JSON_OBJECT, &message, f);
        if (!r)
            r = nk_member_string(doc, i, NK_STR("finish_reason"), true, s->arena, &finish, f);
        if (!r && !out->finish.p)
            out->finish = finish;
        if (!r)
            r = nk_openai_chat_calls(s, doc, position, message, true, s->arena, f);
    }
    return r ? r : nk_assembly_close_choice(s, -1, f);
}

static int read_reply(const struct nk_call *call, const struct nk_json *body, struct nk_assembly *s,
                      struct nk_reply *out, struct nk_fault *f)
{
    struct nk_arena *a = s->arena;
    *out = (struct nk_reply){.usage = {-1, -1}};
    if (body->n == 0)
        return nk_fault_set(f, NK_EINVAL, "proto", 0, "the answer has no body");
    int r = nk_member_expect(body, 0, NK_STR("body"), NK_JSON_OBJECT, f);
    if (!r)
        r = nk_member_string(body, 0, NK_STR("model"), true, a, &out->model, f);
    if (!r)
        r = nk_openai_usage(body, 0, &out->usage, f);
    if (r)
        return r;
    switch (nk_openai_kind(call)) {
    case NK_OPENAI_CHAT:
        r = reply_chat(s, body, out, f);
        break;
    case NK_OPENAI_RESPONSES:
        r = nk_member_string(body, 0, NK_STR("status"), true, a, &out->finish, f);
        if (!r)
            r = nk_openai_output(s, body, 0, a, f);
        break;
    default:
        /* Embeddings put nothing out. */
        if (out->usage.input_tokens >= 0 && out->usage.output_tokens < 0)
            out->usage.output_tokens = 0;
        break;
    }
    return r ? r : nk_assembly_release(s, &out->tools, &out->tool_count, f);
}

int nk_openai_parse_reply(const struct nk_call *call, const struct nk_json *body,
                          struct nk_arena *a, struct nk_reply *out, struct nk_fault *f)
{
    struct nk_assembly s = {.arena = a};
    return read_reply(call, body, &s, out, f);
}

int nk_openai_edit_reply(const struct nk_call *call, const struct nk_json *body,
                         const struct nk_str *refused, struct nk_arena *a, struct nk_buf *out,
                         struct nk_fault *f)
{
    struct nk_assembly s = {.arena = a};
    struct nk_reply reply;
    int r = read_reply(call, body, &s, &reply, f);
    if (r)
        return r;
    nk_assembly_refuse(&s, refused);
    return nk_openai_kind(call) == NK_OPENAI_CHAT ? nk_openai_chat_edit(&s, body, a, out)
                                                  : nk_openai_items_edit(&s, body, a, out);
}
