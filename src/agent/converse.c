/* SPDX-License-Identifier: Apache-2.0
 *
 * converse.c - requests of Converse. Each block is an object with exactly one member, which says what it is (a union of
 * Smithy); a block of a kind that is not known is refused, because nobody can say what would be lost. See converse.h.
 */
#include "agent/converse.h"

#include "base/encode.h"
#include "base/utf8.h"
#include "proto/member.h"

enum { NAME_MAX_SHOWN = 64 };

static const char stage[] = "converse";

struct reading {
    const struct nk_json *doc;
    struct nk_arena *arena;
    struct nk_fault *fault;
};

static int refuse(const struct reading *r, int code, uint32_t at, const char *what)
{
    return nk_fault_set(r->fault, code, stage, at < r->doc->n ? r->doc->tape[at].start : 0, "%s",
                        what);
}

static int out_of_memory(const struct reading *r)
{
    return refuse(r, NK_ENOMEM, 0, "out of memory");
}

static int get_string(const struct reading *r, uint32_t obj, const char *name, bool required,
                      struct nk_str *out)
{
    int rc = nk_member_string(r->doc, obj, nk_str(name), true, r->arena, out, r->fault);
    return rc || out->p || !required ? rc : nk_member_missing(r->doc, obj, nk_str(name), r->fault);
}

/* The one member of a union: its name and value. */
static int get_union(const struct reading *r, uint32_t obj, uint32_t *name, uint32_t *value)
{
    if (nk_json_type(r->doc, obj) != NK_JSON_OBJECT || r->doc->tape[obj].count != 1)
        return refuse(r, NK_EINVAL, obj, "a block must be an object with exactly one member");
    *name = nk_json_first(r->doc, obj);
    *value = *name + 1;
    return 0;
}

static int unknown(const struct reading *r, uint32_t name, const char *where)
{
    return nk_fault_set(r->fault, NK_EUNSUPPORTED, stage, r->doc->tape[name].start,
                        "%.*s in %s is not supported by this gateway",
                        NK_FMT(nk_str_sub(nk_json_span(r->doc, name), 0, NAME_MAX_SHOWN)), where);
}

static bool is(const struct reading *r, uint32_t name, const char *word)
{
    return nk_json_is(r->doc, name, nk_str(word));
}

/* The elements of an array member; 0 and NULL when it is not given. */
static int get_list(const struct reading *r, uint32_t obj, const char *name, size_t size,
                    size_t most, uint32_t *list, void **room, size_t *n)
{
    *room = NULL;
    *n = 0;
    int rc = nk_member_of(r->doc, obj, nk_str(name), NK_JSON_ARRAY, list, r->fault);
    if (rc || *list == NK_JSON_NONE)
        return rc;
    if (r->doc->tape[*list].count > most)
        return nk_fault_set(r->fault, NK_ELIMIT, stage, r->doc->tape[*list].start,
                            "\"%s\" has more than %zu elements", name, most);
    *room = nk_arena_array(r->arena, r->doc->tape[*list].count + 1, size);
    return *room ? 0 : out_of_memory(r);
}

static int read_text(const struct reading *r, uint32_t value, struct nk_str *out)
{
    if (nk_json_type(r->doc, value) != NK_JSON_STRING)
        return refuse(r, NK_EINVAL, value, "\"text\" must be a string");
    *out = nk_json_string(r->doc, value, r->arena);
    return out->p ? 0 : out_of_memory(r);
}

/* {format, source: {bytes}}: base64, which is held to its alphabet here. */
static int read_image(const struct reading *r, uint32_t image, struct nk_model_part *out)
{
    static const char *const formats[][2] = {
        {"png", "image/png"}, {"jpeg", "image/jpeg"}, {"gif", "image/gif"}, {"webp", "image/webp"}};
    uint32_t source, name, value;
    uint32_t format = nk_json_get(r->doc, image, NK_STR("format"));
    int rc = nk_member_of(r->doc, image, NK_STR("source"), NK_JSON_OBJECT, &source, r->fault);
    if (!rc)
        rc = get_union(r, source, &name, &value);
    if (!rc && !is(r, name, "bytes"))
        rc = unknown(r, name, "the source of an image");
    if (rc)
        return rc;
    out->type = NK_MODEL_IMAGE;
    for (size_t i = 0; i < NK_COUNT(formats); i++)
        if (is(r, format, formats[i][0]))
            out->media = nk_str(formats[i][1]);
    out->text = nk_json_string(r->doc, value, r->arena);
    if (!out->media.p || !out->text.n)
        return refuse(r, NK_EINVAL, image,
                      "an image has a format of png, jpeg, gif or webp, and bytes");
    struct nk_buf bytes;
    nk_buf_init(&bytes, out->text.n);
    rc = nk_base64_decode(out->text, &bytes);
    nk_buf_free(&bytes);
    return rc ? refuse(r, rc, value, "the bytes of an image are not base64") : 0;
}

static int read_result_content(const struct reading *r, uint32_t block, struct nk_model_part *out)
{
    uint32_t name, value;
    int rc = get_union(r, block, &name, &value);
    if (rc)
        return rc;
    if (is(r, name, "text"))
        return read_text(r, value, &out->text);
    if (is(r, name, "image"))
        return read_image(r, value, out);
    if (!is(r, name, "json"))
        return unknown(r, name, "a tool result");
    out->type = NK_MODEL_JSON;
    out->text = nk_json_span(r->doc, value);
    return 0;
}

static int read_result(const struct reading *r, uint32_t result, struct nk_model_part *out)
{
    struct nk_model_part *content;
    void *room;
    uint32_t list, status = nk_member_get(r->doc, result, NK_STR("status"));
    out->type = NK_MODEL_TOOL_RESULT;
    out->failed = is(r, status, "error");
    if (status != NK_JSON_NONE && !out->failed && !is(r, status, "success"))
        return refuse(r, NK_EINVAL, status, "\"status\" is success or error");
    int rc = get_string(r, result, "toolUseId", true, &out->id);
    if (!rc)
        rc = get_list(r, result, "content", sizeof *content, NK_MODEL_MAX_PARTS, &list, &room,
                      &out->content_count);
    if (rc)
        return rc;
    out->content = content = room;
    for (uint32_t i = nk_json_first(r->doc, list); !rc && i != NK_JSON_NONE;
         i = nk_json_next(r->doc, list, i))
        rc = read_result_content(r, i, &content[out->content_count++]);
    return rc;
}

static int read_use(const struct reading *r, uint32_t use, struct nk_model_part *out)
{
    uint32_t input;
    out->type = NK_MODEL_TOOL_USE;
    int rc = get_string(r, use, "toolUseId", true, &out->id);
    if (!rc)
        rc = get_string(r, use, "name", true, &out->name);
    if (!rc)
        rc = nk_member_of(r->doc, use, NK_STR("input"), NK_JSON_OBJECT, &input, r->fault);
    if (!rc && nk_member_get(r->doc, use, NK_STR("type")) != NK_JSON_NONE)
        rc = unknown(r, nk_json_get(r->doc, use, NK_STR("type")), "a tool use");
    out->text = !rc && input != NK_JSON_NONE ? nk_json_span(r->doc, input) : NK_STR("{}");
    return rc;
}

/* What was written as base64 of the provider's own text is that text again. */
static int read_redacted(const struct reading *r, uint32_t value, struct nk_model_part *out)
{
    struct nk_str coded = nk_json_string(r->doc, value, r->arena);
    struct nk_buf bytes;
    nk_buf_init(&bytes, coded.n);
    int rc = coded.p ? nk_base64_decode(coded, &bytes) : NK_EINVAL;
    struct nk_str text = nk_buf_str(&bytes);
    if (!rc && nk_utf8_check(text) != text.n)
        rc = NK_EINVAL;
    if (!rc)
        out->text = nk_arena_copy(r->arena, text);
    nk_buf_free(&bytes);
    out->redacted = true;
    return rc ? refuse(r, NK_EINVAL, value, "redactedContent is not what this gateway gave") : 0;
}

static int read_reasoning(const struct reading *r, uint32_t reasoning, struct nk_model_part *out)
{
    uint32_t name, value;
    out->type = NK_MODEL_REASONING;
    int rc = get_union(r, reasoning, &name, &value);
    if (rc)
        return rc;
    if (is(r, name, "redactedContent"))
        return read_redacted(r, value, out);
    if (!is(r, name, "reasoningText"))
        return unknown(r, name, "reasoningContent");
    rc = get_string(r, value, "text", true, &out->text);
    return rc ? rc : get_string(r, value, "signature", false, &out->signature);
}

/* *skip: the block says nothing to a model. */
static int read_block(const struct reading *r, uint32_t block, struct nk_model_part *out,
                      bool *skip)
{
    uint32_t name, value;
    *skip = false;
    int rc = get_union(r, block, &name, &value);
    if (rc)
        return rc;
    if (is(r, name, "text"))
        return read_text(r, value, &out->text);
    if (is(r, name, "toolUse"))
        return read_use(r, value, out);
    if (is(r, name, "toolResult"))
        return read_result(r, value, out);
    if (is(r, name, "image"))
        return read_image(r, value, out);
    if (is(r, name, "reasoningContent"))
        return read_reasoning(r, value, out);
    *skip = is(r, name, "cachePoint");
    return *skip ? 0 : unknown(r, name, "a message");
}

static int read_message(const struct reading *r, uint32_t message, struct nk_model_message *out)
{
    struct nk_model_part *parts;
    void *room;
    uint32_t list, role;
    int rc = nk_member_expect(r->doc, message, NK_STR("messages"), NK_JSON_OBJECT, r->fault);
    if (!rc)
        rc = get_list(r, message, "content", sizeof *parts, NK_MODEL_MAX_PARTS, &list, &room,
                      &out->count);
    if (rc)
        return rc;
    role = nk_json_get(r->doc, message, NK_STR("role"));
    out->role = is(r, role, "assistant") ? NK_MODEL_ASSISTANT : NK_MODEL_USER;
    if (out->role == NK_MODEL_USER && !is(r, role, "user"))
        return refuse(r, NK_EINVAL, message, "\"role\" of a message is user or assistant");
    out->parts = parts = room;
    for (uint32_t i = nk_json_first(r->doc, list); !rc && i != NK_JSON_NONE;
         i = nk_json_next(r->doc, list, i)) {
        bool skip;
        rc = read_block(r, i, &parts[out->count], &skip);
        out->count += !skip;
    }
    return rc;
}

static int read_messages(const struct reading *r, struct nk_model_request *out)
{
    struct nk_model_message *messages;
    void *room;
    uint32_t list;
    int rc = get_list(r, 0, "messages", sizeof *messages, NK_MODEL_MAX_MESSAGES, &list, &room,
                      &out->message_count);
    if (rc)
        return rc;
    out->messages = messages = room;
    for (uint32_t i = nk_json_first(r->doc, list); !rc && i != NK_JSON_NONE;
         i = nk_json_next(r->doc, list, i))
        rc = read_message(r, i, &messages[out->message_count++]);
    return rc;
}

static int read_system(const struct reading *r, struct nk_model_request *out)
{
    struct nk_str *texts;
    void *room;
    uint32_t list, name, value;
    int rc = get_list(r, 0, "system", sizeof *texts, NK_MODEL_MAX_PARTS, &list, &room,
                      &out->system_count);
    if (rc)
        return rc;
    out->system = texts = room;
    for (uint32_t i = nk_json_first(r->doc, list); !rc && i != NK_JSON_NONE;
         i = nk_json_next(r->doc, list, i)) {
        rc = get_union(r, i, &name, &value);
        if (!rc && is(r, name, "text"))
            rc = read_text(r, value, &texts[out->system_count++]);
        else if (!rc && !is(r, name, "cachePoint"))
            rc = unknown(r, name, "\"system\"");
    }
    return rc;
}

static int read_spec(const struct reading *r, uint32_t spec, struct nk_model_tool *out)
{
    uint32_t input, schema = NK_JSON_NONE;
    int rc = nk_member_expect(r->doc, spec, NK_STR("toolSpec"), NK_JSON_OBJECT, r->fault);
    if (!rc)
        rc = get_string(r, spec, "name", true, &out->name);
    if (!rc)
        rc = get_string(r, spec, "description", false, &out->description);
    if (!rc)
        rc = nk_member_bool(r->doc, spec, NK_STR("strict"), &out->strict, r->fault);
    if (!rc)
        rc = nk_member_of(r->doc, spec, NK_STR("inputSchema"), NK_JSON_OBJECT, &input, r->fault);
    if (!rc)
        rc = nk_member_of(r->doc, input, NK_STR("json"), NK_JSON_OBJECT, &schema, r->fault);
    if (!rc && schema == NK_JSON_NONE)
        rc = nk_member_missing(r->doc, spec, NK_STR("inputSchema"), r->fault);
    if (!rc)
        out->schema = nk_json_span(r->doc, schema);
    return rc;
}

static int read_choice(const struct reading *r, uint32_t choice, struct nk_model_request *out)
{
    uint32_t name, value;
    if (choice == NK_JSON_NONE)
        return 0;
    int rc = get_union(r, choice, &name, &value);
    if (rc || is(r, name, "auto"))
        return rc;
    out->choice = is(r, name, "any") ? NK_MODEL_CHOICE_ANY : NK_MODEL_CHOICE_ONE;
    if (out->choice == NK_MODEL_CHOICE_ANY)
        return 0;
    if (!is(r, name, "tool"))
        return unknown(r, name, "\"toolChoice\"");
    return get_string(r, value, "name", true, &out->choice_name);
}

static int read_tools(const struct reading *r, struct nk_model_request *out)
{
    struct nk_model_tool *tools;
    void *room = NULL;
    uint32_t config, list = NK_JSON_NONE, name, value;
    int rc = nk_member_of(r->doc, 0, NK_STR("toolConfig"), NK_JSON_OBJECT, &config, r->fault);
    if (!rc)
        rc = get_list(r, config, "tools", sizeof *tools, NK_MODEL_MAX_TOOLS, &list, &room,
                      &out->tool_count);
    if (rc)
        return rc;
    out->tools = tools = room;
    for (uint32_t i = nk_json_first(r->doc, list); !rc && i != NK_JSON_NONE;
         i = nk_json_next(r->doc, list, i)) {
        rc = get_union(r, i, &name, &value);
        if (!rc && is(r, name, "toolSpec"))
            rc = read_spec(r, value, &tools[out->tool_count++]);
        else if (!rc && !is(r, name, "cachePoint"))
            rc = unknown(r, name, "\"tools\"");
    }
    return rc ? rc : read_choice(r, nk_member_get(r->doc, config, NK_STR("toolChoice")), out);
}

static int read_number(const struct reading *r, uint32_t obj, const char *name, struct nk_str *out)
{
    uint32_t i = nk_member_get(r->doc, obj, nk_str(name));
    if (i == NK_JSON_NONE)
        return 0;
    if (nk_json_type(r->doc, i) != NK_JSON_INT && nk_json_type(r->doc, i) != NK_JSON_NUMBER)
        return nk_fault_set(r->fault, NK_EINVAL, stage, r->doc->tape[i].start,
                            "\"%s\" must be a number", name);
    *out = nk_json_span(r->doc, i);
    return 0;
}

static int read_settings(const struct reading *r, struct nk_model_request *out)
{
    struct nk_str *stops;
    void *room = NULL;
    uint32_t settings, list = NK_JSON_NONE;
    int rc =
        nk_member_of(r->doc, 0, NK_STR("inferenceConfig"), NK_JSON_OBJECT, &settings, r->fault);
    if (!rc)
        rc = nk_member_count(r->doc, settings, NK_STR("maxTokens"), &out->max_tokens, r->fault);
    if (!rc)
        rc = read_number(r, settings, "temperature", &out->temperature);
    if (!rc)
        rc = read_number(r, settings, "topP", &out->top_p);
    if (!rc)
        rc = get_list(r, settings, "stopSequences", sizeof *stops, NK_MODEL_MAX_STOPS, &list, &room,
                      &out->stop_count);
    if (rc)
        return rc;
    out->stops = stops = room;
    for (uint32_t i = nk_json_first(r->doc, list); !rc && i != NK_JSON_NONE;
         i = nk_json_next(r->doc, list, i))
        rc = read_text(r, i, &stops[out->stop_count++]);
    return rc;
}

/* Members that nobody reads would be promises that nobody keeps. */
static int check_members(const struct reading *r)
{
    static const char *const fine[] = {
        "messages",          "system",      "inferenceConfig", "toolConfig",
        "performanceConfig", "serviceTier", "requestMetadata", "additionalModelRequestFields"};
    for (uint32_t i = nk_json_first(r->doc, 0); i != NK_JSON_NONE; i = nk_json_next(r->doc, 0, i)) {
        size_t k = 0;
        while (k < NK_COUNT(fine) && !is(r, i, fine[k]))
            k++;
        enum nk_json_type type = nk_json_type(r->doc, i + 1);
        bool empty =
            type == NK_JSON_NULL || (type >= NK_JSON_ARRAY && r->doc->tape[i + 1].count == 0);
        if (k == NK_COUNT(fine) && !empty)
            return unknown(r, i, "a request of Converse");
    }
    return 0;
}

int nk_converse_read(const struct nk_json *body, struct nk_arena *a, struct nk_model_request *out,
                     struct nk_fault *f)
{
    const struct reading r = {body, a, f};
    uint32_t extra = NK_JSON_NONE;
    *out = (struct nk_model_request){0};
    int rc = nk_member_expect(body, 0, NK_STR("body"), NK_JSON_OBJECT, f);
    if (!rc)
        rc = check_members(&r);
    if (!rc)
        rc = read_messages(&r, out);
    if (!rc)
        rc = read_system(&r, out);
    if (!rc)
        rc = read_tools(&r, out);
    if (!rc)
        rc = read_settings(&r, out);
    if (!rc)
        rc = nk_member_of(body, 0, NK_STR("additionalModelRequestFields"), NK_JSON_OBJECT, &extra,
                          f);
    if (!rc && extra != NK_JSON_NONE)
        out->extra = nk_json_span(body, extra);
    return rc;
}
