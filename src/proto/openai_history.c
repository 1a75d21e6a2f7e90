/* SPDX-License-Identifier: Apache-2.0
 *
 * openai_history.c - tool calls and results in requests of the dialect "openai" (history.h).
 *
 *   chat         messages of role assistant with tool_calls or function_call; of role tool or function
 *   responses    items *_call with a call_id, and *_call_output; an mcp_approval_request and its response
 */
#include "proto/member.h"
#include "proto/history.h"
#include "proto/openai.h"

#include <string.h>

static struct nk_str text_of(const struct nk_json *doc, uint32_t obj, const char *name,
                             struct nk_arena *a)
{
    return nk_json_string(doc, nk_json_get(doc, obj, nk_str(name)), a);
}

static int add_call(struct nk_history *h, const struct nk_json *doc, uint32_t body,
                    struct nk_str id, struct nk_fault *f)
{
    struct nk_history_call c = {.id = id,
                                .name = text_of(doc, body, "name", h->arena),
                                .arguments = text_of(doc, body, "arguments", h->arena)};
    return nk_history_call(h, &c, f);
}

static int read_calls(struct nk_history *h, const struct nk_json *doc, uint32_t message,
                      struct nk_fault *f)
{
    uint32_t list = nk_json_get(doc, message, NK_STR("tool_calls"));
    uint32_t legacy = nk_json_get(doc, message, NK_STR("function_call"));
    int r = 0;
    if (nk_json_type(doc, list) == NK_JSON_ARRAY)
        for (uint32_t i = nk_json_first(doc, list); !r && i != NK_JSON_NONE;
             i = nk_json_next(doc, list, i)) {
            uint32_t body = nk_json_get(doc, i, NK_STR("function"));
            if (body == NK_JSON_NONE)
                body = nk_json_get(doc, i, NK_STR("custom"));
            struct nk_str id = text_of(doc, i, "id", h->arena);
            r = id.n ? add_call(h, doc, body, id, f)
                     : nk_fault_set(f, NK_EINVAL, "proto", doc->tape[i].start,
                                    "a tool call in \"messages\" has no \"id\"");
        }
    if (!r && nk_json_type(doc, legacy) == NK_JSON_OBJECT)
        r = add_call(h, doc, legacy, (struct nk_str){NULL, 0}, f);
    return r;
}

static int read_result(struct nk_history *h, const struct nk_json *doc, uint32_t at,
                       const char *member, struct nk_fault *f)
{
    struct nk_str id = text_of(doc, at, member, h->arena), none = {NULL, 0};
    if (!id.n)
        return nk_fault_set(f, NK_EINVAL, "proto", doc->tape[at].start,
                            "a tool result has no \"%s\"", member);
    return nk_str_eq(nk_str(member), NK_STR("name")) ? nk_history_result(h, none, id, at, f)
                                                     : nk_history_result(h, id, none, at, f);
}

/* Most messages are of users and systems: they begin with their role, and are passed over at a glance. */
static bool is_plain(const struct nk_json *doc, uint32_t message)
{
    const struct nk_json_value *v = &doc->tape[message];
    if (!v->count || v[1].escaped || v[1].end - v[1].start != 6 ||
        memcmp(doc->text.p + v[1].start, "\"role\"", 6) || v[2].escaped)
        return false;
    char first = doc->text.p[v[2].start + 1];
    return first == 'u' || first == 's' || first == 'd';
}

static int read_message(struct nk_call *call, struct nk_history *h, uint32_t message,
                        struct nk_fault *f)
{
    const struct nk_json *doc = &call->body;
    uint32_t role = nk_json_get(doc, message, NK_STR("role"));
    if (nk_json_is(doc, role, NK_STR("assistant"))) {
        h->turn = ++call->answer_count;
        return read_calls(h, doc, message, f);
    }
    if (nk_json_is(doc, role, NK_STR("tool")))
        return read_result(h, doc, message, "tool_call_id", f);
    return nk_json_is(doc, role, NK_STR("function")) ? read_result(h, doc, message, "name", f) : 0;
}

static void keep(struct nk_call *call, const struct nk_history *h)
{
    call->results = h->results;
    call->result_count = h->result_count;
}

static int read_messages(struct nk_call *call, uint32_t list, uint32_t first, struct nk_arena *a,
                         struct nk_fault *f)
{
    const struct nk_json *doc = &call->body;
    struct nk_history h = {.arena = a};
    int r = 0;
    for (uint32_t i = first; !r && i < doc->tape[list].next; i = doc->tape[i].next, h.message++)
        if (!is_plain(doc, i))
            r = read_message(call, &h, i, f);
    keep(call, &h);
    return r;
}

int nk_openai_chat_history(struct nk_call *call, uint32_t list, struct nk_arena *a,
                           struct nk_fault *f)
{
    const struct nk_json *doc = &call->body;
    uint32_t i = list + 1;
    const uint32_t end = doc->tape[list].next;
    while (i < end && is_plain(doc, i))
        i = doc->tape[i].next;
    return i < end ? read_messages(call, list, i, a, f) : 0;
}

static bool is_model(const struct nk_json *doc, uint32_t item, struct nk_str type)
{
    return nk_str_ends(type, NK_STR("_call")) || nk_str_eq(type, NK_STR("reasoning")) ||
           nk_str_eq(type, NK_STR("mcp_approval_request")) ||
           nk_json_is(doc, nk_json_get(doc, item, NK_STR("role")), NK_STR("assistant"));
}

static bool is_output(struct nk_str type, struct nk_str call_id)
{
    return nk_str_ends(type, NK_STR("_call_output")) &&
           (call_id.p || nk_str_starts(type, NK_STR("function_")) ||
            nk_str_starts(type, NK_STR("custom_")));
}

/* A run of items of the model is one answer: `message` counts the runs, of the model and of others. */
static int read_item(struct nk_call *call, struct nk_history *h, uint32_t item, struct nk_fault *f)
{
    const struct nk_json *doc = &call->body;
    struct nk_str type = text_of(doc, item, "type", h->arena);
    struct nk_str id = text_of(doc, item, "call_id", h->arena);
    bool model = is_model(doc, item, type), was_model = h->message % 2 == 1;
    h->message += model != was_model;
    if (model && !was_model)
        h->turn = ++call->answer_count;
    if (nk_str_eq(type, NK_STR("mcp_approval_request")))
        return add_call(h, doc, item, text_of(doc, item, "id", h->arena), f);
    if (nk_str_eq(type, NK_STR("mcp_approval_response"))) {
        int r = read_result(h, doc, item, "approval_request_id", f);
        h->result_count -= !r; /* it answers, but is no tool's */
        return r;
    }
    if (is_output(type, id))
        return read_result(h, doc, item, "call_id", f);
    return id.n && model && nk_str_ends(type, NK_STR("_call")) ? add_call(h, doc, item, id, f) : 0;
}

static bool refers(const struct nk_json *doc, uint32_t input)
{
    for (uint32_t i = nk_json_first(doc, input); i != NK_JSON_NONE; i = nk_json_next(doc, input, i))
        if (nk_json_is(doc, nk_json_get(doc, i, NK_STR("type")), NK_STR("item_reference")))
            return true;
    return false;
}

int nk_openai_items_history(struct nk_call *call, bool elsewhere, struct nk_arena *a,
                            struct nk_fault *f)
{
    const struct nk_json *doc = &call->body;
    uint32_t input = nk_json_get(doc, 0, NK_STR("input"));
    int r = 0;
    if (nk_json_type(doc, input) != NK_JSON_ARRAY)
        return 0;
    struct nk_history h = {.arena = a, .elsewhere = elsewhere || refers(doc, input)};
    for (uint32_t i = nk_json_first(doc, input); !r && i != NK_JSON_NONE;
         i = nk_json_next(doc, input, i))
        r = read_item(call, &h, i, f);
    keep(call, &h);
    return r;
}
