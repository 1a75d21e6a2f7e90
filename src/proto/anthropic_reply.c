/* SPDX-License-Identifier: Apache-2.0
 *
 * anthropic_reply.c - answers of the dialect "anthropic", whole and streamed
 * (docs.anthropic.com/en/docs/build-with-claude/streaming): message_start, then for each content
 * block content_block_start, content_block_delta …, content_block_stop, then message_delta and
 * message_stop; ping and error anywhere.
 *
 * Blocks are counted from 0, and clients append them in order of arrival but add fragments by
 * index; so an index must be the number of blocks before it, or the two would part. A block of a
 * type that is not known here counts as a hosted call: it is held and told by its type, and decided like
 * one that the client runs.
 *
 * Usage: input_tokens leaves out what came from or went into the cache, so the three counts are
 * added up. message_delta repeats counts of the whole message: they replace, and are never added.
 */
#include "proto/member.h"
#include "proto/anthropic.h"

static const char *const silent[] = {"text",       "thinking",         "redacted_thinking",
                                     "compaction", "container_upload", "mcp_tool_listing"};

static bool is_silent(struct nk_str type)
{
    for (size_t i = 0; i < NK_COUNT(silent); i++)
        if (nk_str_eq(type, nk_str(silent[i])))
            return true;
    return nk_str_ends(type, NK_STR("_tool_result"));
}

static int read_usage(const struct nk_json *doc, uint32_t obj, int64_t *input, int64_t *written,
                      int64_t *read, int64_t *output, struct nk_fault *f)
{
    uint32_t usage;
    int r = nk_member_of(doc, obj, NK_STR("usage"), NK_JSON_OBJECT, &usage, f);
    if (!r)
        r = nk_member_count(doc, usage, NK_STR("input_tokens"), input, f);
    if (!r)
        r = nk_member_count(doc, usage, NK_STR("cache_creation_input_tokens"), written, f);
    if (!r)
        r = nk_member_count(doc, usage, NK_STR("cache_read_input_tokens"), read, f);
    return r ? r : nk_member_count(doc, usage, NK_STR("output_tokens"), output, f);
}

/* -1 when nothing is known; saturates, because the numbers are the provider's. */
static int64_t add_up(int64_t input, int64_t written, int64_t read)
{
    int64_t sum = input;
    if (written > 0)
        sum = sum < 0 ? written : __builtin_add_overflow(sum, written, &sum) ? INT64_MAX : sum;
    if (read > 0)
        sum = sum < 0 ? read : __builtin_add_overflow(sum, read, &sum) ? INT64_MAX : sum;
    return sum;
}

/* The name of a block's tool: "server___tool" for those of an MCP server. */
static int block_name(const struct nk_json *doc, uint32_t block, struct nk_str type,
                      struct nk_arena *scratch, struct nk_str *name, struct nk_fault *f)
{
    struct nk_str server;
    int r = nk_member_string(doc, block, NK_STR("name"), true, scratch, name, f);
    if (!r)
        r = nk_member_string(doc, block, NK_STR("server_name"), true, scratch, &server, f);
    if (r)
        return r;
    if (name->n == 0 && !nk_str_eq(type, NK_STR("tool_use")))
        *name = type;
    if (name->n == 0 || server.n == 0)
        return 0;
    const struct nk_str parts[] = {server, NK_STR("___"), *name};
    *name = nk_arena_join(scratch, parts, NK_COUNT(parts));
    return name->p ? 0 : nk_fault_set(f, NK_ENOMEM, "proto", 0, "out of memory at \"name\"");
}

/* Opens the call of a content block, if it is one: *out stays NULL otherwise. The block's own input
 * is taken when it holds anything; a stream begins with an empty one. */
static int open_block(struct nk_assembly *s, const struct nk_json *doc, uint32_t block,
                      int64_t index, struct nk_arena *scratch, struct nk_assembly_call **out,
                      struct nk_fault *f)
{
    struct nk_str type = {NULL, 0}, id, name;
    uint32_t input;
    *out = NULL;
    int r = nk_member_expect(doc, block, NK_STR("content_block"), NK_JSON_OBJECT, f);
    if (!r)
        r = nk_member_string(doc, block, NK_STR("type"), false, scratch, &type, f);
    if (!r && !type.p)
        r = nk_member_missing(doc, block, NK_STR("type"), f);
    if (r || is_silent(type))
        return r;
    r = nk_member_string(doc, block, NK_STR("id"), true, scratch, &id, f);
    if (!r)
        r = block_name(doc, block, type, scratch, &name, f);
    if (!r)
        r = nk_assembly_open(s, 0, index, out, f);
    if (!r)
        r = nk_assembly_say(s, &(*out)->use.id, id, f);
    if (!r)
        r = nk_assembly_say(s, &(*out)->use.name, name, f);
    if (r)
        return r;
    (*out)->use.hosted = !nk_str_eq(type, NK_STR("tool_use"));
    (*out)->use.ran =
        nk_str_eq(type, NK_STR("server_tool_use")) || nk_str_eq(type, NK_STR("mcp_tool_use"));
    input = nk_member_get(doc, block, NK_STR("input"));
    bool empty = input == NK_JSON_NONE ||
                 (nk_json_type(doc, input) == NK_JSON_OBJECT && doc->tape[input].count == 0);
    return empty ? 0 : nk_assembly_whole(s, *out, nk_json_span(doc, input), f);
}

static int read_start(struct nk_stream *s, const struct nk_json *data, struct nk_fault *f)
{
    uint32_t message, content;
    int r = nk_member_of(data, 0, NK_STR("message"), NK_JSON_OBJECT, &message, f);
    if (!r)
        r = nk_member_of(data, message, NK_STR("content"), NK_JSON_ARRAY, &content, f);
    if (!r && content != NK_JSON_NONE && data->tape[content].count)
        r = nk_fault_set(f, NK_EINVAL, "proto", data->tape[content].start,
                         "\"content\" of message_start must be empty");
    nk_stream_note(s, data, message, NK_STR("model"), &s->model);
    return r ? r
             : read_usage(data, message, &s->input, &s->cache_written, &s->cache_read,
                          &s->usage.output_tokens, f);
}

static int read_delta(struct nk_stream *s, const struct nk_json *data, struct nk_fault *f)
{
    nk_stream_note(s, data, nk_member_get(data, 0, NK_STR("delta")), NK_STR("stop_reason"),
                   &s->finish);
    return read_usage(data, 0, &s->input, &s->cache_written, &s->cache_read,
                      &s->usage.output_tokens, f);
}

static int read_index(const struct nk_json *data, int64_t *index, struct nk_fault *f)
{
    *index = -1;
    int r = nk_member_count(data, 0, NK_STR("index"), index, f);
    return r || *index >= 0 ? r : nk_member_missing(data, 0, NK_STR("index"), f);
}

static int read_block_start(struct nk_stream *s, const struct nk_json *data, struct nk_fault *f)
{
    int64_t index;
    uint32_t block;
    struct nk_assembly_call *c;
    int r = read_index(data, &index, f);
    if (!r)
        r = nk_member_of(data, 0, NK_STR("content_block"), NK_JSON_OBJECT, &block, f);
    if (!r && index != s->blocks)
        r = nk_fault_set(f, NK_EINVAL, "proto", 0,
                         "\"index\" of a content block is not the number of blocks before it");
    s->blocks++;
    return r ? r : open_block(&s->calls, data, block, index, &s->scratch, &c, f);
}

static int read_block_delta(struct nk_stream *s, const struct nk_json *data, struct nk_fault *f)
{
    int64_t index;
    uint32_t delta;
    struct nk_str fragment;
    int r = read_index(data, &index, f);
    if (!r)
        r = nk_member_of(data, 0, NK_STR("delta"), NK_JSON_OBJECT, &delta, f);
    if (r ||
        !nk_json_is(data, nk_member_get(data, delta, NK_STR("type")), NK_STR("input_json_delta")))
        return r;
    r = nk_member_string(data, delta, NK_STR("partial_json"), true, &s->scratch, &fragment, f);
    if (r)
        return r;
    struct nk_assembly_call *c = nk_assembly_find(&s->calls, 0, index);
    if (!c || c->complete)
        return nk_fault_set(f, NK_EINVAL, "proto", 0,
                            "a fragment belongs to no tool call that is open");
    return nk_assembly_add(&s->calls, c, fragment, f);
}

static int read_block_stop(struct nk_stream *s, const struct nk_json *data, struct nk_fault *f)
{
    int64_t index;
    int r = read_index(data, &index, f);
    struct nk_assembly_call *c = r ? NULL : nk_assembly_find(&s->calls, 0, index);
    return !c || c->complete ? r : nk_assembly_close(&s->calls, c, f);
}

static int read_event(struct nk_stream *s, const struct nk_json *data, struct nk_str type,
                      struct nk_fault *f)
{
    if (nk_str_eq(type, NK_STR("content_block_delta")))
        return read_block_delta(s, data, f);
    if (nk_str_eq(type, NK_STR("content_block_start")))
        return read_block_start(s, data, f);
    if (nk_str_eq(type, NK_STR("content_block_stop")))
        return read_block_stop(s, data, f);
    if (nk_str_eq(type, NK_STR("message_start")))
        return read_start(s, data, f);
    if (nk_str_eq(type, NK_STR("message_delta")))
        return read_delta(s, data, f);
    if (nk_str_eq(type, NK_STR("message_stop")))
        s->done = true;
    return 0;
}

int nk_anthropic_read(struct nk_stream *s, const struct nk_sse_event *e, const struct nk_json *data,
                      struct nk_str type, struct nk_fault *f)
{
    (void)e;
    int r = read_event(s, data, type, f);
    s->usage.input_tokens = add_up(s->input, s->cache_written, s->cache_read);
    return r;
}

static int reply_messages(struct nk_assembly *s, const struct nk_json *doc, struct nk_reply *out,
                          struct nk_fault *f)
{
    uint32_t content;
    int64_t index = 0;
    int r = nk_member_string(doc, 0, NK_STR("stop_reason"), true, s->arena, &out->finish, f);
    if (!r)
        r = nk_member_of(doc, 0, NK_STR("content"), NK_JSON_ARRAY, &content, f);
    if (r)
        return r;
    for (uint32_t i = nk_json_first(doc, content); !r && i != NK_JSON_NONE;
         i = nk_json_next(doc, content, i)) {
        struct nk_assembly_call *c;
        r = open_block(s, doc, i, index++, s->arena, &c, f);
        if (!r && c)
            r = nk_assembly_close(s, c, f);
    }
    return r ? r : nk_assembly_release(s, &out->tools, &out->tool_count, f);
}

static int read_reply(const struct nk_call *call, const struct nk_json *body, struct nk_assembly *s,
                      struct nk_reply *out, struct nk_fault *f)
{
    int64_t input = -1, written = -1, read = -1;
    *out = (struct nk_reply){.usage = {-1, -1}};
    if (body->n == 0)
        return nk_fault_set(f, NK_EINVAL, "proto", 0, "the answer has no body");
    int r = nk_member_expect(body, 0, NK_STR("body"), NK_JSON_OBJECT, f);
    if (r)
        return r;
    if (nk_anthropic_kind(call) == NK_ANTHROPIC_COUNT) {
        /* The answer counts what a call would use; counting itself uses nothing. */
        out->usage = (struct nk_usage){0, 0};
        return nk_member_count(body, 0, NK_STR("input_tokens"), &input, f);
    }
    r = nk_member_string(body, 0, NK_STR("model"), true, s->arena, &out->model, f);
    if (!r)
        r = read_usage(body, 0, &input, &written, &read, &out->usage.output_tokens, f);
    out->usage.input_tokens = add_up(input, written, read);
    return r ? r : reply_messages(s, body, out, f);
}

int nk_anthropic_parse_reply(const struct nk_call *call, const struct nk_json *body,
                             struct nk_arena *a, struct nk_reply *out, struct nk_fault *f)
{
    struct nk_assembly s = {.arena = a};
    return read_reply(call, body, &s, out, f);
}

int nk_anthropic_edit_reply(const struct nk_call *call, const struct nk_json *body,
                            const struct nk_str *refused, struct nk_arena *a, struct nk_buf *out,
                            struct nk_fault *f)
{
    struct nk_assembly s = {.arena = a};
    struct nk_reply reply;
    int r = read_reply(call, body, &s, &reply, f);
    if (r)
        return r;
    nk_assembly_refuse(&s, refused);
    return nk_anthropic_edit(&s, body, out);
}
