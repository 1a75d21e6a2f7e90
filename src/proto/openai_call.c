/* SPDX-License-Identifier: Apache-2.0
 *
 * openai_call.c - requests of the dialect "openai": chat completions, responses, embeddings.
 *
 * Tools: "function" and "custom" are the client's own, everything else is a tool of the provider
 * ("hosted": web_search, file_search, code_interpreter, computer_use, mcp, image_generation,
 * local_shell …) and is told by its type, so that a new kind is hosted until somebody knows better.
 * Offered in other places than "tools": "functions" and web_search_options of chat completions, the
 * item "additional_tools" of a responses input, and a stored "prompt", which brings text and tools
 * along that no gateway sees.
 */
#include "proto/dialect.h"
#include "proto/member.h"
#include "proto/offer.h"
#include "proto/openai.h"

/* What is read here of a request, and of a tool. */
static const char *const decided[] = {"model",
                                      "stream",
                                      "messages",
                                      "input",
                                      "tools",
                                      "functions",
                                      "web_search_options",
                                      "prompt",
                                      "conversation",
                                      "previous_response_id",
                                      "max_tokens",
                                      "max_completion_tokens",
                                      "max_output_tokens"};
static const char *const decided_of_tool[] = {
    "type",  "name",       "function",     "custom",
    "tools", "server_url", "connector_id", "require_approval"};

static int read_tool(struct nk_offer *o, const struct nk_json *doc, uint32_t tool, bool nested,
                     struct nk_fault *f);

/* A namespace holds functions and custom tools; it is not nested again. */
static int read_namespace(struct nk_offer *o, const struct nk_json *doc, uint32_t tool,
                          struct nk_fault *f)
{
    uint32_t list;
    int r = nk_member_of(doc, tool, NK_STR("tools"), NK_JSON_ARRAY, &list, f);
    for (uint32_t i = nk_json_first(doc, list); !r && i != NK_JSON_NONE;
         i = nk_json_next(doc, list, i))
        r = read_tool(o, doc, i, true, f);
    return r;
}

static int read_tool(struct nk_offer *o, const struct nk_json *doc, uint32_t tool, bool nested,
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
    if (!type.p)
        return nk_member_missing(doc, tool, NK_STR("type"), f);
    if (nk_str_eq(type, NK_STR("namespace")) && !nested)
        return read_namespace(o, doc, tool, f);
    bool function = nk_str_eq(type, NK_STR("function"));
    if (!function && !nk_str_eq(type, NK_STR("custom"))) {
        r = nk_offer_add(o, type, true, f);
        return r ? r : nk_offer_place(o, doc, tool, "server_url", "connector_id", f);
    }
    /* Chat completions put the name one level deeper than responses do. */
    uint32_t inner;
    struct nk_str member = function ? NK_STR("function") : NK_STR("custom");
    r = nk_member_of(doc, tool, member, NK_JSON_OBJECT, &inner, f);
    return r ? r
             : nk_offer_named(o, doc, inner == NK_JSON_NONE ? tool : inner, NK_STR("name"), false,
                              f);
}

static int read_tools(struct nk_offer *o, const struct nk_json *doc, uint32_t obj,
                      struct nk_fault *f)
{
    uint32_t list;
    int r = nk_member_of(doc, obj, NK_STR("tools"), NK_JSON_ARRAY, &list, f);
    for (uint32_t i = nk_json_first(doc, list); !r && i != NK_JSON_NONE;
         i = nk_json_next(doc, list, i))
        r = read_tool(o, doc, i, false, f);
    return r;
}

static int read_functions(struct nk_offer *o, const struct nk_json *doc, struct nk_fault *f)
{
    uint32_t list;
    int r = nk_member_of(doc, 0, NK_STR("functions"), NK_JSON_ARRAY, &list, f);
    for (uint32_t i = nk_json_first(doc, list); !r && i != NK_JSON_NONE;
         i = nk_json_next(doc, list, i)) {
        r = nk_member_expect(doc, i, NK_STR("functions"), NK_JSON_OBJECT, f);
        if (!r)
            r = nk_offer_named(o, doc, i, NK_STR("name"), false, f);
    }
    return r;
}

static int read_limit(struct nk_call *call, struct nk_str name, struct nk_fault *f)
{
    int64_t v = 0;
    int r = nk_member_count(&call->body, 0, name, &v, f);
    if (v > call->max_tokens)
        call->max_tokens = v;
    return r;
}

/* The array `name`, which must be there and not be empty. */
static int read_list(struct nk_call *call, struct nk_str name, uint32_t *list, struct nk_fault *f)
{
    int r = nk_member_of(&call->body, 0, name, NK_JSON_ARRAY, list, f);
    if (r)
        return r;
    if (*list == NK_JSON_NONE)
        return nk_member_missing(&call->body, 0, name, f);
    call->message_count = call->body.tape[*list].count;
    if (call->message_count == 0)
        return nk_fault_set(f, NK_EINVAL, "proto", call->body.tape[*list].start,
                            "\"%.*s\" must not be empty", NK_FMT(name));
    return 0;
}

static int read_chat(struct nk_call *call, struct nk_offer *o, struct nk_fault *f)
{
    const struct nk_json *doc = &call->body;
    uint32_t list, search;
    int r = read_list(call, NK_STR("messages"), &list, f);
    if (!r)
        r = nk_openai_chat_history(call, list, o->arena, f);
    if (!r)
        r = read_limit(call, NK_STR("max_tokens"), f);
    if (!r)
        r = read_limit(call, NK_STR("max_completion_tokens"), f);
    if (!r)
        r = read_tools(o, doc, 0, f);
    if (!r)
        r = read_functions(o, doc, f);
    if (!r)
        r = nk_member_of(doc, 0, NK_STR("web_search_options"), NK_JSON_OBJECT, &search, f);
    if (!r && search != NK_JSON_NONE)
        r = nk_offer_add(o, NK_STR("web_search"), true, f);
    return r;
}

/* A string, or items of which some bring tools. */
static int read_input(struct nk_call *call, struct nk_offer *o, bool required, struct nk_fault *f)
{
    const struct nk_json *doc = &call->body;
    uint32_t input = nk_member_get(doc, 0, NK_STR("input"));
    if (input == NK_JSON_NONE)
        return required ? nk_member_missing(doc, 0, NK_STR("input"), f) : 0;
    if (nk_json_type(doc, input) == NK_JSON_STRING) {
        call->message_count = 1;
        return 0;
    }
    int r = nk_json_type(doc, input) == NK_JSON_ARRAY
                ? read_list(call, NK_STR("input"), &input, f)
                : nk_fault_set(f, NK_EINVAL, "proto", doc->tape[input].start,
                               "\"input\" must be a string or an array");
    for (uint32_t i = nk_json_first(doc, input); !r && i != NK_JSON_NONE;
         i = nk_json_next(doc, input, i)) {
        r = nk_member_expect(doc, i, NK_STR("input"), NK_JSON_OBJECT, f);
        if (!r && nk_json_is(doc, nk_json_get(doc, i, NK_STR("type")), NK_STR("additional_tools")))
            r = read_tools(o, doc, i, f);
    }
    return r;
}

static int read_responses(struct nk_call *call, struct nk_offer *o, struct nk_fault *f)
{
    const struct nk_json *doc = &call->body;
    uint32_t prompt;
    int r = nk_member_of(doc, 0, NK_STR("prompt"), NK_JSON_OBJECT, &prompt, f);
    if (!r && prompt != NK_JSON_NONE)
        r = nk_offer_add(o, NK_STR("prompt"), true, f);
    call->goes_on = nk_member_get(doc, 0, NK_STR("previous_response_id")) != NK_JSON_NONE;
    bool elsewhere = prompt != NK_JSON_NONE || call->goes_on ||
                     nk_member_get(doc, 0, NK_STR("conversation")) != NK_JSON_NONE;
    if (!r)
        r = read_input(call, o, !elsewhere, f);
    if (!r)
        r = nk_openai_items_history(call, elsewhere, o->arena, f);
    if (!r)
        r = read_limit(call, NK_STR("max_output_tokens"), f);
    return r ? r : read_tools(o, doc, 0, f);
}

/* One text, a list of texts, one text as a list of tokens, or a list of those. */
static int read_embeddings(struct nk_call *call, struct nk_fault *f)
{
    const struct nk_json *doc = &call->body;
    uint32_t input = nk_member_get(doc, 0, NK_STR("input"));
    if (input == NK_JSON_NONE)
        return nk_member_missing(doc, 0, NK_STR("input"), f);
    call->message_count = 1;
    if (nk_json_type(doc, input) == NK_JSON_STRING)
        return 0;
    if (nk_json_type(doc, input) != NK_JSON_ARRAY)
        return nk_fault_set(f, NK_EINVAL, "proto", doc->tape[input].start,
                            "\"input\" must be a string or an array");
    int r = read_list(call, NK_STR("input"), &input, f);
    if (!r && nk_json_type(doc, nk_json_first(doc, input)) == NK_JSON_INT)
        call->message_count = 1;
    return r;
}

int nk_openai_parse_call(struct nk_call *call, struct nk_arena *a, struct nk_fault *f)
{
    const struct nk_json *doc = &call->body;
    struct nk_offer offer = {.arena = a};
    int r = nk_dialect_model(call, decided, NK_COUNT(decided), a, f);
    if (r || call->endpoint->local)
        return r;
    enum nk_openai_kind kind = nk_openai_kind(call);
    if (kind == NK_OPENAI_EMBEDDINGS)
        return read_embeddings(call, f);
    r = nk_member_bool(doc, 0, NK_STR("stream"), &call->stream, f);
    if (!r)
        r = kind == NK_OPENAI_CHAT ? read_chat(call, &offer, f) : read_responses(call, &offer, f);
    call->tools = offer.tools;
    call->tool_count = offer.n;
    return r;
}
