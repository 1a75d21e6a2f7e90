/* SPDX-License-Identifier: Apache-2.0
 *
 * model_anthropic.c - conversations as messages of the Anthropic API (docs.anthropic.com/en/api/messages).
 *
 * An answer's blocks come one after the other, in a stream too; one that begins inside another is an error, because
 * its fragments would be read in another order than they will be put together. A type of block that only tools of
 * the provider bring is one as well: none was offered.
 */
#include "agent/model_own.h"

#include "proto/dialect.h"

enum { TOKENS_DEFAULT = 4096 }; /* the API asks for a limit */

static void put_text(struct nk_buf *out, struct nk_str text)
{
    if (text.n == 0) /* the API takes no empty text */
        return;
    model_put_comma(out);
    nk_buf_add(out, NK_STR("{\"type\":\"text\""));
    nk_json_put_member(out, NK_STR("text"), text);
    nk_buf_add_char(out, '}');
}

static void put_image(struct nk_buf *out, const struct nk_model_part *p)
{
    model_put_comma(out);
    nk_buf_add(out, NK_STR("{\"type\":\"image\",\"source\":{\"type\":\"base64\""));
    nk_json_put_member(out, NK_STR("media_type"), p->media);
    nk_json_put_member(out, NK_STR("data"), p->text);
    nk_buf_add(out, NK_STR("}}"));
}

static void put_result(struct nk_buf *out, const struct nk_model_part *p)
{
    model_put_comma(out);
    nk_buf_add(out, NK_STR("{\"type\":\"tool_result\""));
    nk_json_put_member(out, NK_STR("tool_use_id"), p->id);
    nk_buf_add(out, NK_STR(",\"content\":["));
    for (size_t i = 0; i < p->content_count; i++) {
        if (p->content[i].type == NK_MODEL_IMAGE)
            put_image(out, &p->content[i]);
        else
            put_text(out, p->content[i].text);
    }
    nk_buf_add(out, p->failed ? NK_STR("],\"is_error\":true}") : NK_STR("]}"));
}

/* Reasoning without a signature was not this provider's: it takes back none but its own. */
static void put_reasoning(struct nk_buf *out, const struct nk_model_part *p)
{
    if (!p->redacted && !p->signature.n)
        return;
    model_put_comma(out);
    nk_buf_add(out, p->redacted ? NK_STR("{\"type\":\"redacted_thinking\"")
                                : NK_STR("{\"type\":\"thinking\""));
    nk_json_put_member(out, p->redacted ? NK_STR("data") : NK_STR("thinking"), p->text);
    if (!p->redacted)
        nk_json_put_member(out, NK_STR("signature"), p->signature);
    nk_buf_add_char(out, '}');
}

static void put_use(struct nk_buf *out, const struct nk_model_part *p)
{
    model_put_comma(out);
    nk_buf_add(out, NK_STR("{\"type\":\"tool_use\""));
    nk_json_put_member(out, NK_STR("id"), p->id);
    nk_json_put_member(out, NK_STR("name"), p->name);
    model_put_raw(out, "input", p->text);
    nk_buf_add_char(out, '}');
}

/* Results stand before all else: the API wants them there. */
static void put_message(struct nk_buf *out, const struct nk_model_message *m)
{
    model_put_comma(out);
    nk_buf_add(out, m->role == NK_MODEL_USER ? NK_STR("{\"role\":\"user\",\"content\":[")
                                             : NK_STR("{\"role\":\"assistant\",\"content\":["));
    for (size_t i = 0; i < m->count; i++)
        if (m->parts[i].type == NK_MODEL_TOOL_RESULT)
            put_result(out, &m->parts[i]);
    for (size_t i = 0; i < m->count; i++) {
        const struct nk_model_part *p = &m->parts[i];
        if (p->type == NK_MODEL_TEXT)
            put_text(out, p->text);
        else if (p->type == NK_MODEL_IMAGE)
            put_image(out, p);
        else if (p->type == NK_MODEL_REASONING)
            put_reasoning(out, p);
        else if (p->type == NK_MODEL_TOOL_USE)
            put_use(out, p);
    }
    nk_buf_add(out, NK_STR("]}"));
}

static void put_choice(struct nk_buf *out, const struct nk_model_request *r)
{
    static const char *const types[] = {[NK_MODEL_CHOICE_AUTO] = "auto",
                                        [NK_MODEL_CHOICE_ANY] = "any",
                                        [NK_MODEL_CHOICE_ONE] = "tool",
                                        [NK_MODEL_CHOICE_NONE] = "none"};
    if (r->choice == NK_MODEL_CHOICE_AUTO && !r->one_call)
        return;
    nk_buf_add(out, NK_STR(",\"tool_choice\":{"));
    nk_json_put_member(out, NK_STR("type"), nk_str(types[r->choice]));
    if (r->choice == NK_MODEL_CHOICE_ONE)
        nk_json_put_member(out, NK_STR("name"), r->choice_name);
    if (r->one_call && r->choice != NK_MODEL_CHOICE_NONE)
        nk_buf_add(out, NK_STR(",\"disable_parallel_tool_use\":true"));
    nk_buf_add_char(out, '}');
}

static void put_tools(struct nk_buf *out, const struct nk_model_request *r)
{
    if (r->tool_count == 0)
        return;
    nk_buf_add(out, NK_STR(",\"tools\":["));
    for (size_t i = 0; i < r->tool_count; i++) {
        const struct nk_model_tool *t = &r->tools[i];
        model_put_comma(out);
        nk_buf_add_char(out, '{');
        nk_json_put_member(out, NK_STR("name"), t->name);
        if (t->description.n)
            nk_json_put_member(out, NK_STR("description"), t->description);
        model_put_raw(out, "input_schema", t->schema);
        if (t->strict)
            nk_buf_add(out, NK_STR(",\"strict\":true"));
        nk_buf_add_char(out, '}');
    }
    nk_buf_add_char(out, ']');
    put_choice(out, r);
}

static int write(const struct nk_model_request *r, struct nk_buf *out, struct nk_fault *f)
{
    (void)f;
    model_put_count(out, "max_tokens", r->max_tokens ? r->max_tokens : TOKENS_DEFAULT);
    if (r->system_count) {
        nk_buf_add(out, NK_STR(",\"system\":["));
        for (size_t i = 0; i < r->system_count; i++)
            put_text(out, r->system[i]);
        nk_buf_add_char(out, ']');
    }
    nk_buf_add(out, NK_STR(",\"messages\":["));
    for (size_t i = 0; i < r->message_count; i++)
        put_message(out, &r->messages[i]);
    nk_buf_add_char(out, ']');
    put_tools(out, r);
    model_put_raw(out, "temperature", r->temperature);
    model_put_raw(out, "top_p", r->top_p);
    model_put_strings(out, "stop_sequences", r->stops, r->stop_count);
    return 0;
}

static enum nk_model_stop stop(struct nk_str finish)
{
    static const struct {
        const char *word;
        enum nk_model_stop stop;
    } words[] = {{"end_turn", NK_MODEL_STOP_END},
                 {"max_tokens", NK_MODEL_STOP_LENGTH},
                 {"stop_sequence", NK_MODEL_STOP_SEQUENCE},
                 {"tool_use", NK_MODEL_STOP_TOOL_USE},
                 {"refusal", NK_MODEL_STOP_FILTER},
                 {"model_context_window_exceeded", NK_MODEL_STOP_CONTEXT}};
    for (size_t i = 0; i < NK_COUNT(words); i++)
        if (nk_str_eq(finish, nk_str(words[i].word)))
            return words[i].stop;
    return NK_MODEL_STOP_UNKNOWN;
}

/* What the blocks of this type say, whole or as a beginning. *call: it is a tool use. */
static int read_block(struct nk_model_stream *s, const struct nk_json *doc, uint32_t block,
                      bool *call, struct nk_fault *f)
{
    struct nk_model_part p = {.type = NK_MODEL_TEXT};
    uint32_t type = nk_member_get(doc, block, NK_STR("type"));
    const char *text = "text";
    *call = nk_json_is(doc, type, NK_STR("tool_use"));
    if (*call)
        return 0;
    if (nk_json_is(doc, type, NK_STR("thinking")))
        p.type = NK_MODEL_REASONING, text = "thinking";
    else if (nk_json_is(doc, type, NK_STR("redacted_thinking")))
        p.type = NK_MODEL_REASONING, text = "data", p.redacted = true;
    else if (!nk_json_is(doc, type, NK_STR("text")))
        return model_fault(f, NK_EINVAL, "an answer has a block of a kind that was not asked for");
    int r = nk_member_string(doc, block, nk_str(text), true, s->scratch, &p.text, f);
    if (!r && p.type == NK_MODEL_REASONING && !p.redacted)
        r = nk_member_string(doc, block, NK_STR("signature"), true, s->scratch, &p.signature, f);
    if (r)
        return r;
    return p.redacted ? model_say_whole(s, &p, f) : model_say(s, &p, f);
}

static int read_start(struct nk_model_stream *s, const struct nk_json *data, struct nk_fault *f)
{
    if (s->block >= 0)
        return model_fault(f, NK_EINVAL, "a content block begins inside another");
    int r = nk_member_count(data, 0, NK_STR("index"), &s->block, f);
    model_close(s);
    return r ? r
             : read_block(s, data, nk_member_get(data, 0, NK_STR("content_block")),
                          &s->block_is_call, f);
}

static int read_delta(struct nk_model_stream *s, const struct nk_json *data, struct nk_fault *f)
{
    static const struct {
        const char *type, *member;
        enum nk_model_part_type part;
    } kinds[] = {{"text_delta", "text", NK_MODEL_TEXT},
                 {"thinking_delta", "thinking", NK_MODEL_REASONING},
                 {"signature_delta", "signature", NK_MODEL_REASONING}};
    uint32_t delta = nk_member_get(data, 0, NK_STR("delta"));
    uint32_t type = nk_member_get(data, delta, NK_STR("type"));
    int64_t index = -1;
    size_t k = 0;
    int r = nk_member_count(data, 0, NK_STR("index"), &index, f);
    if (!r && (index < 0 || index != s->block))
        r = model_fault(f, NK_EINVAL, "a fragment belongs to no content block that is open");
    while (k < NK_COUNT(kinds) && !nk_json_is(data, type, nk_str(kinds[k].type)))
        k++;
    if (r || k == NK_COUNT(kinds)) /* arguments of calls, citations */
        return r;
    if (s->block_is_call)
        return model_fault(f, NK_EINVAL, "a fragment of text belongs to a tool use");
    struct nk_model_part p = {.type = kinds[k].part};
    bool signature = k == NK_COUNT(kinds) - 1;
    r = nk_member_string(data, delta, nk_str(kinds[k].member), true, s->scratch,
                         signature ? &p.signature : &p.text, f);
    return r ? r : model_say(s, &p, f);
}

static int read_stop(struct nk_model_stream *s, const struct nk_json *data, struct nk_fault *f)
{
    int64_t index = -1;
    int r = nk_member_count(data, 0, NK_STR("index"), &index, f);
    if (!r && (index < 0 || index != s->block))
        r = model_fault(f, NK_EINVAL, "a content block ends that is not open");
    s->block = -1;
    s->block_is_call = false;
    model_close(s);
    return r;
}

static int read_sequence(struct nk_model_stream *s, const struct nk_json *doc, uint32_t from,
                         struct nk_fault *f)
{
    struct nk_str word;
    int r = nk_member_string(doc, from, NK_STR("stop_sequence"), true, s->scratch, &word, f);
    if (!r && word.n) {
        s->stopped_by = nk_arena_copy(s->arena, nk_str_sub(word, 0, 1024));
        r = s->stopped_by.p ? 0 : NK_ENOMEM;
    }
    return r;
}

static int event(struct nk_model_stream *s, const struct nk_json *data, struct nk_fault *f)
{
    uint32_t type = nk_member_get(data, 0, NK_STR("type"));
    if (nk_json_is(data, type, NK_STR("error")))
        return model_fault(f, NK_EIO, "the provider ended the stream with an error");
    if (nk_json_is(data, type, NK_STR("content_block_start")))
        return read_start(s, data, f);
    if (nk_json_is(data, type, NK_STR("content_block_delta")))
        return read_delta(s, data, f);
    if (nk_json_is(data, type, NK_STR("content_block_stop")))
        return read_stop(s, data, f);
    if (nk_json_is(data, type, NK_STR("message_delta")))
        return read_sequence(s, data, nk_member_get(data, 0, NK_STR("delta")), f);
    return 0;
}

static int read_cache(struct nk_model_stream *s, const struct nk_json *body, struct nk_fault *f)
{
    uint32_t usage;
    int r = nk_member_of(body, 0, NK_STR("usage"), NK_JSON_OBJECT, &usage, f);
    if (!r)
        r = nk_member_count(body, usage, NK_STR("cache_read_input_tokens"), &s->usage.cache_read,
                            f);
    return r ? r
             : nk_member_count(body, usage, NK_STR("cache_creation_input_tokens"),
                               &s->usage.cache_write, f);
}

static int read(struct nk_model_stream *s, const struct nk_json *body,
                const struct nk_tool_use *tools, size_t tool_count, struct nk_fault *f)
{
    uint32_t content;
    size_t used = 0;
    int r = nk_member_of(body, 0, NK_STR("content"), NK_JSON_ARRAY, &content, f);
    if (!r && content == NK_JSON_NONE)
        r = nk_member_missing(body, 0, NK_STR("content"), f);
    for (uint32_t i = nk_json_first(body, content); !r && i != NK_JSON_NONE;
         i = nk_json_next(body, content, i)) {
        bool call = false;
        model_close(s);
        r = read_block(s, body, i, &call, f);
        if (!r && call)
            r = used < tool_count ? model_say_call(s, &tools[used++], f) : NK_EINVAL;
    }
    if (!r)
        r = read_sequence(s, body, 0, f);
    return r ? r : read_cache(s, body, f);
}

static const char *const extras[] = {"output_config", "service_tier", "thinking", "top_k"};

const struct model_api model_anthropic = {
    .dialect = &nk_dialect_anthropic,
    .path = "/v1/messages",
    .version_header = "anthropic-version",
    .version = "2023-06-01",
    .extras = extras,
    .extra_count = NK_COUNT(extras),
    .write = write,
    .read = read,
    .event = event,
    .stop = stop,
};
