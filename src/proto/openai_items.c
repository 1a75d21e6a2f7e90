/* SPDX-License-Identifier: Apache-2.0
 *
 * openai_items.c - answers of the responses API, whole and streamed: a list of items, of which some
 * are tool calls.
 *
 * A streamed call is told up to four times: output_item.added (name, id), *.delta (fragments of its
 * arguments), *.done and output_item.done (all of it), and once more in the final
 * response.completed. Clients take it from any of these places, so all must agree, and it is
 * complete at output_item.done. An item type that is not known here counts as a hosted call: it is
 * held and told by its type, and decided like one that the client runs.
 */
#include "proto/member.h"
#include "proto/openai.h"

/* Which member of an item says what is asked of the tool. Function calls and custom calls are the
 * client's to execute; the rest runs, or has run, at the provider. */
static const struct shape {
    const char *type;
    const char *arguments; /* NULL: the item says nothing that is worth telling */
    bool hosted;
    bool plain; /* the member is free text, not JSON text */
    bool ran;   /* at the provider; all others the client runs, or agrees to */
} shapes[] = {
    {"function_call", "arguments", false, false, false},
    {"custom_tool_call", "input", false, true, false},
    {"mcp_call", "arguments", true, false, true},
    {"mcp_approval_request", "arguments", true, false, false},
    {"tool_search_call", "arguments", true, false, true},
    {"web_search_call", "action", true, false, true},
    {"computer_call", "action", true, false, false},
    {"local_shell_call", "action", true, false, false},
    {"shell_call", "action", true, false, false},
    {"apply_patch_call", "operation", true, false, false},
    {"file_search_call", "queries", true, false, true},
    {"code_interpreter_call", "code", true, true, true},
    {"image_generation_call", NULL, true, false, true},
    {"program", "code", true, true, true},
};

/* Items that ask nothing of anyone. */
static const char *const silent[] = {"message",         "reasoning",      "compaction",
                                     "mcp_list_tools",  "item_reference", "mcp_approval_response",
                                     "additional_tools"};

static struct shape shape_of(struct nk_str type)
{
    for (size_t i = 0; i < NK_COUNT(shapes); i++)
        if (nk_str_eq(type, nk_str(shapes[i].type)))
            return shapes[i];
    return (struct shape){NULL, NULL, true, false, false};
}

static bool is_silent(struct nk_str type)
{
    for (size_t i = 0; i < NK_COUNT(silent); i++)
        if (nk_str_eq(type, nk_str(silent[i])))
            return true;
    return nk_str_ends(type, NK_STR("_output"));
}

/* Type of an item; absent for those that are no call. */
static int item_type(const struct nk_json *doc, uint32_t item, struct nk_arena *scratch,
                     struct nk_str *type, struct nk_fault *f)
{
    int r = nk_member_expect(doc, item, NK_STR("item"), NK_JSON_OBJECT, f);
    if (!r)
        r = nk_member_string(doc, item, NK_STR("type"), false, scratch, type, f);
    if (!r && !type->p)
        r = nk_member_missing(doc, item, NK_STR("type"), f);
    if (!r && is_silent(*type))
        *type = (struct nk_str){NULL, 0};
    return r;
}

/* "server___tool" for tools of an MCP server, the function's name, or the item's type. */
static int item_name(const struct nk_json *doc, uint32_t item, struct nk_str type,
                     struct nk_arena *scratch, struct nk_str *name, struct nk_fault *f)
{
    struct nk_str server;
    int r = nk_member_string(doc, item, NK_STR("name"), true, scratch, name, f);
    if (!r)
        r = nk_member_string(doc, item, NK_STR("server_label"), true, scratch, &server, f);
    if (r)
        return r;
    if (name->n == 0 && shape_of(type).hosted)
        *name = type;
    if (name->n == 0 || server.n == 0)
        return 0;
    const struct nk_str parts[] = {server, NK_STR("___"), *name};
    *name = nk_arena_join(scratch, parts, NK_COUNT(parts));
    return name->p ? 0 : nk_fault_set(f, NK_ENOMEM, "proto", 0, "out of memory at \"name\"");
}

static int say_item(struct nk_assembly *s, struct nk_assembly_call *c, const struct nk_json *doc,
                    uint32_t item, struct nk_str type, struct nk_arena *scratch, struct nk_fault *f)
{
    struct nk_str id, name;
    int r = nk_member_string(doc, item, NK_STR("call_id"), true, scratch, &id, f);
    if (!r && id.n == 0)
        r = nk_member_string(doc, item, NK_STR("id"), true, scratch, &id, f);
    if (!r)
        r = nk_assembly_say(s, &c->use.id, id, f);
    if (!r)
        r = item_name(doc, item, type, scratch, &name, f);
    if (!r)
        r = nk_assembly_say(s, &c->use.name, name, f);
    struct shape shape = shape_of(type);
    if (!r && c->complete && (c->use.ran != shape.ran || c->plain != shape.plain))
        r = nk_fault_set(f, NK_EINVAL, "proto", doc->tape[item].start,
                         "a tool call changes after its end");
    c->use.hosted = shape.hosted;
    c->use.ran = shape.ran;
    c->plain = shape.plain;
    return r;
}

/* The arguments that a whole item gives: text of a string, JSON of anything else. */
static int item_arguments(const struct nk_json *doc, uint32_t item, struct nk_str type,
                          struct nk_arena *scratch, struct nk_str *out, struct nk_fault *f)
{
    struct shape shape = shape_of(type);
    *out = (struct nk_str){NULL, 0};
    struct nk_str name = nk_str(shape.arguments);
    uint32_t i = name.p ? nk_member_get(doc, item, name) : NK_JSON_NONE;
    if (i == NK_JSON_NONE)
        return 0;
    if (nk_json_type(doc, i) == NK_JSON_STRING)
        return nk_member_string(doc, item, name, true, scratch, out, f);
    if (!shape.hosted)
        return nk_member_expect(doc, i, name, NK_JSON_STRING, f);
    *out = nk_json_span(doc, i);
    return 0;
}

/* A whole item completes its call. One that is complete already (named by the same id) must say the
 * same again. */
static int finish_item(struct nk_assembly *s, struct nk_assembly_call *c, const struct nk_json *doc,
                       uint32_t item, struct nk_str type, struct nk_arena *scratch,
                       struct nk_fault *f)
{
    struct nk_str arguments;
    int r = say_item(s, c, doc, item, type, scratch, f);
    if (!r)
        r = item_arguments(doc, item, type, scratch, &arguments, f);
    if (!r && c->complete)
        return c->use.ran || nk_str_eq((struct nk_str){c->n ? c->text : "", c->n}, arguments)
                   ? 0
                   : nk_fault_set(f, NK_EINVAL, "proto", doc->tape[item].start,
                                  "a tool call changes after its end");
    if (!r)
        r = nk_assembly_whole(s, c, arguments, f);
    return r ? r : nk_assembly_close(s, c, f);
}

static struct nk_assembly_call *find_id(struct nk_assembly *s, struct nk_str id)
{
    for (size_t i = 0; id.n && i < s->count; i++)
        if (nk_str_eq(s->calls[i].use.id, id))
            return &s->calls[i];
    return NULL;
}

struct nk_assembly_call *nk_openai_item_call(struct nk_assembly *s, const struct nk_json *doc,
                                             uint32_t item, int64_t position,
                                             struct nk_arena *scratch)
{
    struct nk_str id = nk_json_string(doc, nk_json_get(doc, item, NK_STR("call_id")), scratch);
    if (id.n == 0)
        id = nk_json_string(doc, nk_json_get(doc, item, NK_STR("id")), scratch);
    struct nk_assembly_call *c = find_id(s, id);
    return c ? c : nk_assembly_find(s, 1, position);
}

static int output_item(struct nk_assembly *s, const struct nk_json *doc, uint32_t item,
                       int64_t position, struct nk_arena *scratch, struct nk_fault *f)
{
    struct nk_str type, id;
    int r = item_type(doc, item, scratch, &type, f);
    if (r || !type.p)
        return r;
    r = nk_member_string(doc, item, NK_STR("call_id"), true, scratch, &id, f);
    if (!r && id.n == 0)
        r = nk_member_string(doc, item, NK_STR("id"), true, scratch, &id, f);
    if (r)
        return r;
    /* Choice 1 is the list of the final event, whose positions are its own. */
    struct nk_assembly_call *c = find_id(s, id);
    if (!c)
        r = nk_assembly_open(s, 1, position, &c, f);
    return r ? r : finish_item(s, c, doc, item, type, scratch, f);
}

int nk_openai_output(struct nk_assembly *s, const struct nk_json *doc, uint32_t response,
                     struct nk_arena *scratch, struct nk_fault *f)
{
    uint32_t output;
    int64_t position = 0;
    int r = nk_member_of(doc, response, NK_STR("output"), NK_JSON_ARRAY, &output, f);
    for (uint32_t i = nk_json_first(doc, output); !r && i != NK_JSON_NONE;
         i = nk_json_next(doc, output, i))
        r = output_item(s, doc, i, position++, scratch, f);
    return r;
}

static int read_place(const struct nk_json *data, int64_t *index, struct nk_fault *f)
{
    *index = -1;
    int r = nk_member_count(data, 0, NK_STR("output_index"), index, f);
    return r || *index >= 0 ? r : nk_member_missing(data, 0, NK_STR("output_index"), f);
}

static int read_added(struct nk_stream *s, const struct nk_json *data, bool whole,
                      struct nk_fault *f)
{
    int64_t index;
    uint32_t item;
    struct nk_str type, arguments;
    int r = read_place(data, &index, f);
    if (!r)
        r = nk_member_of(data, 0, NK_STR("item"), NK_JSON_OBJECT, &item, f);
    if (!r)
        r = item_type(data, item, &s->scratch, &type, f);
    if (r || !type.p)
        return r;
    struct nk_assembly_call *c = nk_assembly_find(&s->calls, 0, index);
    if (c && !whole)
        return nk_fault_set(f, NK_EINVAL, "proto", 0, "two items have the same \"output_index\"");
    if (!c)
        r = nk_assembly_open(&s->calls, 0, index, &c, f);
    if (!r && whole)
        return finish_item(&s->calls, c, data, item, type, &s->scratch, f);
    if (!r)
        r = say_item(&s->calls, c, data, item, type, &s->scratch, f);
    /* Hosted items begin with placeholders; only the whole item counts. */
    if (r || c->use.hosted)
        return r;
    r = item_arguments(data, item, type, &s->scratch, &arguments, f);
    return r ? r : nk_assembly_add(&s->calls, c, arguments, f);
}

/* Fragments and the whole of a client's call; those of hosted calls come again with their item. */
static int read_arguments(struct nk_stream *s, const struct nk_json *data, struct nk_str member,
                          bool whole, struct nk_fault *f)
{
    int64_t index;
    struct nk_str text, name;
    int r = read_place(data, &index, f);
    if (!r)
        r = nk_member_string(data, 0, member, true, &s->scratch, &text, f);
    if (!r)
        r = nk_member_string(data, 0, NK_STR("name"), true, &s->scratch, &name, f);
    if (r)
        return r;
    struct nk_assembly_call *c = nk_assembly_find(&s->calls, 0, index);
    if (!c || c->complete)
        return nk_fault_set(f, NK_EINVAL, "proto", 0,
                            "a fragment belongs to no tool call that is open");
    r = nk_assembly_say(&s->calls, &c->use.name, name, f);
    if (r)
        return r;
    return whole ? nk_assembly_whole(&s->calls, c, text, f)
                 : nk_assembly_add(&s->calls, c, text, f);
}

/* Events about the whole response: whatever it has put out by then is read, wherever it is told. */
static int read_response(struct nk_stream *s, const struct nk_json *data, struct nk_str type,
                         struct nk_fault *f)
{
    uint32_t response;
    int r = nk_member_of(data, 0, NK_STR("response"), NK_JSON_OBJECT, &response, f);
    if (!r)
        r = nk_openai_usage(data, response, &s->usage, f);
    if (!r)
        r = nk_openai_output(&s->calls, data, response, &s->scratch, f);
    if (response != NK_JSON_NONE) {
        nk_stream_note(s, data, response, NK_STR("model"), &s->model);
        nk_stream_note(s, data, response, NK_STR("status"), &s->finish);
    }
    s->done |= !r && (nk_str_eq(type, NK_STR("response.completed")) ||
                      nk_str_eq(type, NK_STR("response.incomplete")) ||
                      nk_str_eq(type, NK_STR("response.failed")));
    return r;
}

int nk_openai_responses_read(struct nk_stream *s, const struct nk_sse_event *e,
                             const struct nk_json *data, struct nk_str type, struct nk_fault *f)
{
    (void)e;
    if (nk_str_eq(type, NK_STR("response.output_item.added")))
        return read_added(s, data, false, f);
    if (nk_str_eq(type, NK_STR("response.output_item.done")))
        return read_added(s, data, true, f);
    if (nk_str_eq(type, NK_STR("response.function_call_arguments.delta")) ||
        nk_str_eq(type, NK_STR("response.custom_tool_call_input.delta")))
        return read_arguments(s, data, NK_STR("delta"), false, f);
    if (nk_str_eq(type, NK_STR("response.function_call_arguments.done")))
        return read_arguments(s, data, NK_STR("arguments"), true, f);
    if (nk_str_eq(type, NK_STR("response.custom_tool_call_input.done")))
        return read_arguments(s, data, NK_STR("input"), true, f);
    return read_response(s, data, type, f);
}
