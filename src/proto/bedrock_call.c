/* SPDX-License-Identifier: Apache-2.0
 *
 * bedrock_call.c - requests of the dialect "bedrock", as far as they are decided about: which model, how much, which
 * tools. What Converse says is read whole when it is translated (agent/converse.h).
 *
 * A tool of Converse is the client's ("toolSpec") or the provider's ("systemTool": hosted, told by its name); a cache
 * point between tools is none. Bodies of InvokeModel are those of Anthropic's messages without model and stream;
 * their family is told by "anthropic_version".
 */
#include "proto/bedrock.h"

#include "proto/anthropic.h"
#include "proto/history.h"
#include "proto/member.h"
#include "proto/offer.h"

static const char *const decided[] = {"messages", "system", "toolConfig", "inferenceConfig",
                                      "guardrailConfig"};

static int read_tool(struct nk_offer *o, const struct nk_json *doc, uint32_t tool,
                     struct nk_fault *f)
{
    uint32_t own, hosted;
    int r = nk_member_expect(doc, tool, NK_STR("tools"), NK_JSON_OBJECT, f);
    if (!r && doc->tape[tool].count != 1)
        r = nk_fault_set(f, NK_EINVAL, "proto", doc->tape[tool].start,
                         "a tool has exactly one member that says which kind it is");
    if (!r)
        r = nk_member_of(doc, tool, NK_STR("toolSpec"), NK_JSON_OBJECT, &own, f);
    if (!r)
        r = nk_member_of(doc, tool, NK_STR("systemTool"), NK_JSON_OBJECT, &hosted, f);
    if (r)
        return r;
    if (own != NK_JSON_NONE)
        return nk_offer_named(o, doc, own, NK_STR("name"), false, f);
    if (hosted != NK_JSON_NONE)
        return nk_offer_named(o, doc, hosted, NK_STR("name"), true, f);
    return nk_json_get(doc, tool, NK_STR("cachePoint")) != NK_JSON_NONE
               ? 0
               : nk_fault_set(f, NK_EINVAL, "proto", doc->tape[tool].start,
                              "a tool of a kind that is not known");
}

static int read_tools(struct nk_offer *o, const struct nk_json *doc, struct nk_fault *f)
{
    uint32_t config, list = NK_JSON_NONE;
    int r = nk_member_of(doc, 0, NK_STR("toolConfig"), NK_JSON_OBJECT, &config, f);
    if (!r)
        r = nk_member_of(doc, config, NK_STR("tools"), NK_JSON_ARRAY, &list, f);
    for (uint32_t i = nk_json_first(doc, list); !r && i != NK_JSON_NONE;
         i = nk_json_next(doc, list, i))
        r = read_tool(o, doc, i, f);
    return r;
}

static int read_use(struct nk_history *h, const struct nk_json *doc, uint32_t use,
                    struct nk_fault *f)
{
    struct nk_history_call c = {
        .id = nk_json_string(doc, nk_json_get(doc, use, NK_STR("toolUseId")), h->arena),
        .name = nk_json_string(doc, nk_json_get(doc, use, NK_STR("name")), h->arena),
        .arguments = nk_json_span(doc, nk_json_get(doc, use, NK_STR("input")))};
    return c.id.n ? nk_history_call(h, &c, f) : nk_member_missing(doc, use, NK_STR("toolUseId"), f);
}

static int read_result(struct nk_history *h, const struct nk_json *doc, uint32_t result,
                       struct nk_fault *f)
{
    struct nk_str none = {NULL, 0};
    struct nk_str id = nk_json_string(doc, nk_json_get(doc, result, NK_STR("toolUseId")), h->arena);
    return id.n ? nk_history_result(h, id, none, result, f)
                : nk_member_missing(doc, result, NK_STR("toolUseId"), f);
}

static int read_block(struct nk_history *h, const struct nk_json *doc, uint32_t block,
                      struct nk_fault *f)
{
    uint32_t use = nk_json_get(doc, block, NK_STR("toolUse"));
    uint32_t result = nk_json_get(doc, block, NK_STR("toolResult"));
    int r = use != NK_JSON_NONE ? read_use(h, doc, use, f) : 0;
    return r || result == NK_JSON_NONE ? r : read_result(h, doc, result, f);
}

/* Calls and results in the conversation (history.h). */
static int read_history(struct nk_call *call, uint32_t list, struct nk_arena *a, struct nk_fault *f)
{
    const struct nk_json *doc = &call->body;
    struct nk_history h = {.arena = a};
    int r = 0;
    for (uint32_t i = nk_json_first(doc, list); !r && i != NK_JSON_NONE;
         i = nk_json_next(doc, list, i), h.message++) {
        uint32_t content = nk_json_get(doc, i, NK_STR("content"));
        if (nk_json_is(doc, nk_json_get(doc, i, NK_STR("role")), NK_STR("assistant")))
            h.turn = ++call->answer_count;
        if (content != NK_JSON_NONE && nk_json_type(doc, content) != NK_JSON_ARRAY)
            content = NK_JSON_NONE;
        for (uint32_t b = nk_json_first(doc, content); !r && b != NK_JSON_NONE;
             b = nk_json_next(doc, content, b))
            r = read_block(&h, doc, b, f);
    }
    call->results = h.results;
    call->result_count = h.result_count;
    return r;
}

static int parse_converse(struct nk_call *call, struct nk_arena *a, struct nk_fault *f)
{
    const struct nk_json *doc = &call->body;
    struct nk_offer offer = {.arena = a};
    uint32_t list, settings;
    int r = nk_member_no_doubles(doc, 0, decided, NK_COUNT(decided), a, f);
    if (!r)
        r = nk_member_of(doc, 0, NK_STR("messages"), NK_JSON_ARRAY, &list, f);
    if (!r && (list == NK_JSON_NONE || doc->tape[list].count == 0))
        r = nk_fault_set(f, NK_EINVAL, "proto", 0, "\"messages\" is missing or empty");
    if (!r)
        r = nk_member_of(doc, 0, NK_STR("inferenceConfig"), NK_JSON_OBJECT, &settings, f);
    if (!r)
        r = nk_member_count(doc, settings, NK_STR("maxTokens"), &call->max_tokens, f);
    if (!r)
        r = read_tools(&offer, doc, f);
    if (!r)
        r = read_history(call, list, a, f);
    if (r)
        return r;
    call->message_count = doc->tape[list].count;
    call->tools = offer.tools;
    call->tool_count = offer.n;
    return 0;
}

static int parse_invoke(struct nk_call *call, struct nk_arena *a, struct nk_fault *f)
{
    static const char *const elsewhere[] = {"model", "stream"};
    const struct nk_json *doc = &call->body;
    if (!nk_json_is(doc, nk_json_get(doc, 0, NK_STR("anthropic_version")),
                    NK_STR("bedrock-2023-05-31")))
        return nk_fault_set(f, NK_EINVAL, "proto", 0,
                            "InvokeModel takes bodies of Anthropic's models here "
                            "(\"anthropic_version\": \"bedrock-2023-05-31\"); for other models "
                            "use Converse");
    for (size_t i = 0; i < NK_COUNT(elsewhere); i++)
        if (nk_json_get(doc, 0, nk_str(elsewhere[i])) != NK_JSON_NONE)
            return nk_fault_set(f, NK_EINVAL, "proto", 0,
                                "\"%s\" stands in the path, not in the body", elsewhere[i]);
    return nk_anthropic_parse_message(call, a, f);
}

int nk_bedrock_parse_call(struct nk_call *call, struct nk_arena *a, struct nk_fault *f)
{
    enum nk_bedrock_kind kind = nk_bedrock_kind(call);
    call->model = call->segment;
    call->model_at = NK_JSON_NONE;
    call->stream = kind == NK_BEDROCK_CONVERSE_STREAM || kind == NK_BEDROCK_INVOKE_STREAM;
    if (call->body.n == 0)
        return nk_fault_set(f, NK_EINVAL, "proto", 0, "the request has no body");
    int r = nk_member_expect(&call->body, 0, NK_STR("body"), NK_JSON_OBJECT, f);
    if (r)
        return r;
    return nk_bedrock_is_invoke(kind) ? parse_invoke(call, a, f) : parse_converse(call, a, f);
}
