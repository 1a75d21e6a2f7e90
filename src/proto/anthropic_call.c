/* SPDX-License-Identifier: Apache-2.0
 *
 * anthropic_call.c - requests of the dialect "anthropic": messages and count_tokens.
 *
 * Tools without a type, or of type "custom", are the client's own. All others are the provider's
 * ("hosted": web_search_20250305, code_execution_20250825, mcp_toolset, bash_20250124 …) and are
 * told by their type; so is each entry of mcp_servers, as "mcp". A message may bring tools as well:
 * a content block "tool_addition". Calls and results in the conversation (history.h) are blocks "tool_use" of the
 * model's messages, and "tool_result".
 */
#include "proto/dialect.h"
#include "proto/member.h"
#include "proto/history.h"
#include "proto/offer.h"
#include "proto/anthropic.h"

/* What is read here of a request, and of a tool. */
static const char *const decided[] = {"model", "stream",      "messages",  "max_tokens",
                                      "tools", "mcp_servers", "container", "thread"};
static const char *const decided_of_tool[] = {"type", "name"};
static const char *const decided_of_server[] = {"type", "url"};

static int read_tool(struct nk_offer *o, const struct nk_json *doc, uint32_t tool,
                     struct nk_fault *f)
{
    struct nk_str type = {NULL, 0};
    int r = nk_member_expect(doc, tool, NK_STR("tools"), NK_JSON_OBJECT, f);
    if (!r)
        r = nk_member_no_doubles(doc, tool, decided_of_tool, NK_COUNT(decided_of_tool), o->arena,
                                 f);
    if (!r)
        r = nk_member_string(doc, tool, NK_STR("type"), false, o->arena, &type, f);
    if (r)
        return r;
    if (type.p && !nk_str_eq(type, NK_STR("custom")))
        return nk_offer_add(o, type, true, f);
    return nk_offer_named(o, doc, tool, NK_STR("name"), false, f);
}

static int read_tools(struct nk_offer *o, const struct nk_json *doc, struct nk_fault *f)
{
    uint32_t list;
    int r = nk_member_of(doc, 0, NK_STR("tools"), NK_JSON_ARRAY, &list, f);
    for (uint32_t i = nk_json_first(doc, list); !r && i != NK_JSON_NONE;
         i = nk_json_next(doc, list, i))
        r = read_tool(o, doc, i, f);
    return r;
}

static int read_server(struct nk_offer *o, const struct nk_json *doc, uint32_t server,
                       struct nk_fault *f)
{
    int r = nk_member_expect(doc, server, NK_STR("mcp_servers"), NK_JSON_OBJECT, f);
    if (!r)
        r = nk_member_no_doubles(doc, server, decided_of_server, NK_COUNT(decided_of_server),
                                 o->arena, f);
    if (!r)
        r = nk_offer_add(o, NK_STR("mcp"), true, f);
    return r ? r : nk_offer_place(o, doc, server, "url", NULL, f);
}

static int read_servers(struct nk_offer *o, const struct nk_json *doc, struct nk_fault *f)
{
    uint32_t list;
    int r = nk_member_of(doc, 0, NK_STR("mcp_servers"), NK_JSON_ARRAY, &list, f);
    for (uint32_t i = nk_json_first(doc, list); !r && i != NK_JSON_NONE;
         i = nk_json_next(doc, list, i))
        r = read_server(o, doc, i, f);
    return r;
}

/* The block's "tool" is a definition, or refers to a tool that is known already ("tool_reference")
 * or is a server's ("mcp_…"). */
static int read_addition(struct nk_offer *o, const struct nk_json *doc, uint32_t block,
                         struct nk_fault *f)
{
    uint32_t tool, definition;
    struct nk_str type = {NULL, 0};
    int r = nk_member_of(doc, block, NK_STR("tool"), NK_JSON_OBJECT, &tool, f);
    if (!r)
        r = nk_member_string(doc, tool, NK_STR("type"), false, o->arena, &type, f);
    if (!r)
        r = nk_member_of(doc, tool, NK_STR("definition"), NK_JSON_OBJECT, &definition, f);
    if (r || nk_str_eq(type, NK_STR("tool_reference")))
        return r;
    if (definition != NK_JSON_NONE)
        return read_tool(o, doc, definition, f);
    return type.p ? nk_offer_add(o, type, true, f)
                  : nk_member_missing(doc, block, NK_STR("type"), f);
}

static int read_call(struct nk_history *h, const struct nk_json *doc, uint32_t block,
                     struct nk_fault *f)
{
    struct nk_history_call c = {
        .id = nk_json_string(doc, nk_json_get(doc, block, NK_STR("id")), h->arena),
        .name = nk_json_string(doc, nk_json_get(doc, block, NK_STR("name")), h->arena),
        .arguments = nk_json_span(doc, nk_json_get(doc, block, NK_STR("input")))};
    return c.id.n ? nk_history_call(h, &c, f) : nk_member_missing(doc, block, NK_STR("id"), f);
}

static int read_result(struct nk_history *h, const struct nk_json *doc, uint32_t block,
                       struct nk_fault *f)
{
    struct nk_str none = {NULL, 0};
    struct nk_str id =
        nk_json_string(doc, nk_json_get(doc, block, NK_STR("tool_use_id")), h->arena);
    return id.n ? nk_history_result(h, id, none, block, f)
                : nk_member_missing(doc, block, NK_STR("tool_use_id"), f);
}

static int read_block(struct nk_offer *o, struct nk_history *h, const struct nk_json *doc,
                      uint32_t block, struct nk_fault *f)
{
    uint32_t type = nk_json_get(doc, block, NK_STR("type"));
    if (nk_json_is(doc, type, NK_STR("tool_use")))
        return read_call(h, doc, block, f);
    if (nk_json_is(doc, type, NK_STR("tool_result")))
        return read_result(h, doc, block, f);
    return nk_json_is(doc, type, NK_STR("tool_addition")) ? read_addition(o, doc, block, f) : 0;
}

static int read_messages(struct nk_call *call, struct nk_offer *o, struct nk_fault *f)
{
    const struct nk_json *doc = &call->body;
    uint32_t thread = nk_member_get(doc, 0, NK_STR("thread"));
    struct nk_history h = {.arena = o->arena, .elsewhere = thread != NK_JSON_NONE};
    uint32_t list;
    int r = nk_member_of(doc, 0, NK_STR("messages"), NK_JSON_ARRAY, &list, f);
    if (r)
        return r;
    if (list == NK_JSON_NONE)
        return nk_member_missing(doc, 0, NK_STR("messages"), f);
    call->message_count = doc->tape[list].count;
    if (call->message_count == 0)
        return nk_fault_set(f, NK_EINVAL, "proto", doc->tape[list].start,
                            "\"messages\" must not be empty");
    for (uint32_t i = nk_json_first(doc, list); !r && i != NK_JSON_NONE;
         i = nk_json_next(doc, list, i), h.message++) {
        r = nk_member_expect(doc, i, NK_STR("messages"), NK_JSON_OBJECT, f);
        if (nk_json_is(doc, nk_json_get(doc, i, NK_STR("role")), NK_STR("assistant")))
            h.turn = ++call->answer_count;
        uint32_t content = nk_json_get(doc, i, NK_STR("content"));
        if (content != NK_JSON_NONE && nk_json_type(doc, content) != NK_JSON_ARRAY)
            content = NK_JSON_NONE;
        for (uint32_t b = nk_json_first(doc, content); !r && b != NK_JSON_NONE;
             b = nk_json_next(doc, content, b))
            r = read_block(o, &h, doc, b, f);
    }
    call->results = h.results;
    call->result_count = h.result_count;
    return r;
}

/* A thread is a conversation that the provider keeps. A call that was refused would stay in it without a result, and
 * results would come whose calls are not seen here. SDKs know this refusal, and send the conversation itself. */
static int check_thread(struct nk_call *call, const struct nk_offer *o, struct nk_fault *f)
{
    uint32_t thread = nk_member_get(&call->body, 0, NK_STR("thread"));
    if (thread == NK_JSON_NONE || (!o->n && !call->result_count))
        return 0;
    call->data =
        NK_STR("\"error_code\":\"thread_unsupported_request\",\"unsupported\":[\"tools\"]");
    return nk_fault_set(
        f, NK_EUNSUPPORTED, "proto", call->body.tape[thread].start,
        "\"thread\": a conversation with tools cannot be kept by the provider here; "
        "send the whole of it");
}

static int read_message(struct nk_call *call, bool counted, struct nk_arena *a, struct nk_fault *f)
{
    const struct nk_json *doc = &call->body;
    struct nk_offer offer = {.arena = a};
    int r = counted ? 0 : nk_member_count(doc, 0, NK_STR("max_tokens"), &call->max_tokens, f);
    if (!r)
        r = read_messages(call, &offer, f);
    if (!r)
        r = read_tools(&offer, doc, f);
    if (!r)
        r = read_servers(&offer, doc, f);
    call->tools = offer.tools;
    call->tool_count = offer.n;
    return r ? r : check_thread(call, &offer, f);
}

int nk_anthropic_parse_call(struct nk_call *call, struct nk_arena *a, struct nk_fault *f)
{
    int r = nk_dialect_model(call, decided, NK_COUNT(decided), a, f);
    if (r || call->endpoint->local)
        return r;
    bool counted = nk_anthropic_kind(call) == NK_ANTHROPIC_COUNT;
    if (!counted)
        r = nk_member_bool(&call->body, 0, NK_STR("stream"), &call->stream, f);
    return r ? r : read_message(call, counted, a, f);
}

int nk_anthropic_parse_message(struct nk_call *call, struct nk_arena *a, struct nk_fault *f)
{
    int r = nk_member_expect(&call->body, 0, NK_STR("body"), NK_JSON_OBJECT, f);
    if (!r)
        r = nk_member_no_doubles(&call->body, 0, decided, NK_COUNT(decided), a, f);
    return r ? r : read_message(call, false, a, f);
}
