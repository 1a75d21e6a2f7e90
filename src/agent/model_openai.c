/* SPDX-License-Identifier: Apache-2.0
 *
 * model_openai.c - conversations as chat completions (platform.openai.com/docs/api-reference/chat).
 *
 * Differences that have to be bridged: results of tools are messages of their own, directly behind the calls, hold text
 * alone and cannot say that the tool failed (then the text says so); reasoning is not taken back.
 */
#include "agent/model_own.h"

#include "proto/dialect.h"

enum { RESULT_MAX = 8 << 20 };

static void put_text(struct nk_buf *out, struct nk_str text)
{
    model_put_comma(out);
    nk_buf_add(out, NK_STR("{\"type\":\"text\""));
    nk_json_put_member(out, NK_STR("text"), text);
    nk_buf_add_char(out, '}');
}

/* Media types are ours and base64 needs no escape; both go through the writer of strings all the same. */
static void put_image(struct nk_buf *out, const struct nk_model_part *p)
{
    struct nk_buf url;
    nk_buf_init(&url, p->media.n + p->text.n + 32);
    nk_buf_add(&url, NK_STR("data:"));
    nk_buf_add(&url, p->media);
    nk_buf_add(&url, NK_STR(";base64,"));
    nk_buf_add(&url, p->text);
    model_put_comma(out);
    nk_buf_add(out, NK_STR("{\"type\":\"image_url\",\"image_url\":{"));
    nk_json_put_member(out, NK_STR("url"), nk_buf_str(&url));
    nk_buf_add(out, NK_STR("}}"));
    if (url.error && !out->error)
        out->error = url.error;
    nk_buf_free(&url);
}

static int put_result(struct nk_buf *out, const struct nk_model_part *p, struct nk_fault *f)
{
    struct nk_buf text;
    nk_buf_init(&text, RESULT_MAX);
    if (p->failed)
        nk_buf_add(&text, NK_STR("Error: "));
    for (size_t i = 0; i < p->content_count; i++) {
        if (p->content[i].type == NK_MODEL_IMAGE) {
            nk_buf_free(&text);
            return model_fault(f, NK_EUNSUPPORTED,
                               "models of this API take no images in tool results");
        }
        if (i)
            nk_buf_add_char(&text, '\n');
        nk_buf_add(&text, p->content[i].text);
    }
    model_put_comma(out);
    nk_buf_add(out, NK_STR("{\"role\":\"tool\""));
    nk_json_put_member(out, NK_STR("tool_call_id"), p->id);
    nk_json_put_member(out, NK_STR("content"), text.n ? nk_buf_str(&text) : (struct nk_str){"", 0});
    nk_buf_add_char(out, '}');
    int rc = text.error;
    nk_buf_free(&text);
    return rc ? model_fault(f, rc, "a tool result is too large") : 0;
}

/* What of a message is text or image, as one string if it is but one text. */
static void put_content(struct nk_buf *out, const struct nk_model_message *m, size_t count)
{
    nk_json_put_name(out, NK_STR("content"));
    for (size_t i = 0; count == 1 && i < m->count; i++)
        if (m->parts[i].type == NK_MODEL_TEXT) {
            nk_json_put_string(out, m->parts[i].text);
            return;
        }
    nk_buf_add_char(out, '[');
    for (size_t i = 0; i < m->count; i++) {
        if (m->parts[i].type == NK_MODEL_TEXT)
            put_text(out, m->parts[i].text);
        else if (m->parts[i].type == NK_MODEL_IMAGE)
            put_image(out, &m->parts[i]);
    }
    nk_buf_add_char(out, ']');
}

static size_t count_of(const struct nk_model_message *m, enum nk_model_part_type type)
{
    size_t n = 0;
    for (size_t i = 0; i < m->count; i++)
        n += m->parts[i].type == type;
    return n;
}

static int put_user(struct nk_buf *out, const struct nk_model_message *m, struct nk_fault *f)
{
    size_t said = count_of(m, NK_MODEL_TEXT) + count_of(m, NK_MODEL_IMAGE);
    for (size_t i = 0; i < m->count; i++) {
        int rc = m->parts[i].type == NK_MODEL_TOOL_RESULT ? put_result(out, &m->parts[i], f) : 0;
        if (rc)
            return rc;
    }
    if (said == 0)
        return 0;
    model_put_comma(out);
    nk_buf_add(out, NK_STR("{\"role\":\"user\""));
    put_content(out, m, said);
    nk_buf_add_char(out, '}');
    return 0;
}

static void put_calls(struct nk_buf *out, const struct nk_model_message *m)
{
    nk_buf_add(out, NK_STR(",\"tool_calls\":["));
    for (size_t i = 0; i < m->count; i++) {
        const struct nk_model_part *p = &m->parts[i];
        if (p->type != NK_MODEL_TOOL_USE)
            continue;
        model_put_comma(out);
        nk_buf_add(out, NK_STR("{\"type\":\"function\""));
        nk_json_put_member(out, NK_STR("id"), p->id);
        nk_buf_add(out, NK_STR(",\"function\":{"));
        nk_json_put_member(out, NK_STR("name"), p->name);
        nk_json_put_member(out, NK_STR("arguments"), p->text);
        nk_buf_add(out, NK_STR("}}"));
    }
    nk_buf_add_char(out, ']');
}

static void put_assistant(struct nk_buf *out, const struct nk_model_message *m)
{
    size_t said = count_of(m, NK_MODEL_TEXT), calls = count_of(m, NK_MODEL_TOOL_USE);
    if (said + calls == 0)
        return;
    model_put_comma(out);
    nk_buf_add(out, NK_STR("{\"role\":\"assistant\""));
    if (said)
        put_content(out, m, said);
    else
        nk_buf_add(out, NK_STR(",\"content\":null"));
    if (calls)
        put_calls(out, m);
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
        nk_buf_add(out, NK_STR("{\"type\":\"function\",\"function\":{"));
        nk_json_put_member(out, NK_STR("name"), t->name);
        if (t->description.n)
            nk_json_put_member(out, NK_STR("description"), t->description);
        model_put_raw(out, "parameters", t->schema);
        if (t->strict)
            nk_buf_add(out, NK_STR(",\"strict\":true"));
        nk_buf_add(out, NK_STR("}}"));
    }
    nk_buf_add_char(out, ']');
    if (r->choice == NK_MODEL_CHOICE_ANY)
        nk_json_put_member(out, NK_STR("tool_choice"), NK_STR("required"));
    if (r->choice == NK_MODEL_CHOICE_NONE)
        nk_json_put_member(out, NK_STR("tool_choice"), NK_STR("none"));
    if (r->choice == NK_MODEL_CHOICE_ONE) {
        nk_buf_add(out, NK_STR(",\"tool_choice\":{\"type\":\"function\",\"function\":{"));
        nk_json_put_member(out, NK_STR("name"), r->choice_name);
        nk_buf_add(out, NK_STR("}}"));
    }
    if (r->one_call)
        nk_buf_add(out, NK_STR(",\"parallel_tool_calls\":false"));
}

static int write(const struct nk_model_request *r, struct nk_buf *out, struct nk_fault *f)
{
    int rc = 0;
    nk_buf_add(out, NK_STR(",\"messages\":["));
    for (size_t i = 0; i < r->system_count; i++) {
        model_put_comma(out);
        nk_buf_add(out, NK_STR("{\"role\":\"system\""));
        nk_json_put_member(out, NK_STR("content"), r->system[i]);
        nk_buf_add_char(out, '}');
    }
    for (size_t i = 0; !rc && i < r->message_count; i++) {
        if (r->messages[i].role == NK_MODEL_USER)
            rc = put_user(out, &r->messages[i], f);
        else
            put_assistant(out, &r->messages[i]);
    }
    nk_buf_add_char(out, ']');
    put_tools(out, r);
    model_put_count(out, "max_completion_tokens", r->max_tokens);
    model_put_raw(out, "temperature", r->temperature);
    model_put_raw(out, "top_p", r->top_p);
    model_put_strings(out, "stop", r->stops, r->stop_count);
    if (r->stream)
        nk_buf_add(out, NK_STR(",\"stream_options\":{\"include_usage\":true}"));
    return rc;
}

static enum nk_model_stop stop(struct nk_str finish)
{
    static const struct {
        const char *word;
        enum nk_model_stop stop;
    } words[] = {{"stop", NK_MODEL_STOP_END},
                 {"length", NK_MODEL_STOP_LENGTH},
                 {"tool_calls", NK_MODEL_STOP_TOOL_USE},
                 {"function_call", NK_MODEL_STOP_TOOL_USE},
                 {"content_filter", NK_MODEL_STOP_FILTER}};
    for (size_t i = 0; i < NK_COUNT(words); i++)
        if (nk_str_eq(finish, nk_str(words[i].word)))
            return words[i].stop;
    return NK_MODEL_STOP_UNKNOWN;
}

static int read_usage(struct nk_model_stream *s, const struct nk_json *doc, struct nk_fault *f)
{
    uint32_t usage, details;
    int r = nk_member_of(doc, 0, NK_STR("usage"), NK_JSON_OBJECT, &usage, f);
    if (!r)
        r = nk_member_of(doc, usage, NK_STR("prompt_tokens_details"), NK_JSON_OBJECT, &details, f);
    return r ? r : nk_member_count(doc, details, NK_STR("cached_tokens"), &s->usage.cache_read, f);
}

/* Text of a message or delta; what the model says when it refuses is text as well. */
static int read_text(struct nk_model_stream *s, const struct nk_json *doc, uint32_t from,
                     struct nk_fault *f)
{
    static const char *const names[] = {"content", "refusal"};
    for (size_t i = 0; i < NK_COUNT(names); i++) {
        struct nk_model_part p = {.type = NK_MODEL_TEXT};
        int r = nk_member_string(doc, from, nk_str(names[i]), true, s->scratch, &p.text, f);
        if (!r)
            r = model_say(s, &p, f);
        if (r)
            return r;
    }
    return 0;
}

/* The one choice of an answer; NK_JSON_NONE where an event has none. */
static int read_choice(const struct nk_json *doc, uint32_t *choice, struct nk_fault *f)
{
    uint32_t choices;
    int64_t index = 0;
    int r = nk_member_of(doc, 0, NK_STR("choices"), NK_JSON_ARRAY, &choices, f);
    if (r)
        return r;
    *choice = nk_json_first(doc, choices);
    if (choices != NK_JSON_NONE && doc->tape[choices].count > 1)
        return model_fault(f, NK_EINVAL, "an answer has several choices, and one was asked for");
    r = *choice == NK_JSON_NONE ? 0 : nk_member_count(doc, *choice, NK_STR("index"), &index, f);
    return r || index == 0 ? r : model_fault(f, NK_EINVAL, "an answer has a second choice");
}

static int event(struct nk_model_stream *s, const struct nk_json *data, struct nk_fault *f)
{
    uint32_t choice, delta;
    if (nk_member_get(data, 0, NK_STR("error")) != NK_JSON_NONE)
        return model_fault(f, NK_EIO, "the provider ended the stream with an error");
    int r = read_choice(data, &choice, f);
    if (!r)
        r = nk_member_of(data, choice, NK_STR("delta"), NK_JSON_OBJECT, &delta, f);
    if (!r)
        r = read_text(s, data, delta, f);
    return r ? r : read_usage(s, data, f);
}

static int read(struct nk_model_stream *s, const struct nk_json *body,
                const struct nk_tool_use *tools, size_t tool_count, struct nk_fault *f)
{
    uint32_t choice, message;
    int r = read_choice(body, &choice, f);
    if (!r && choice == NK_JSON_NONE)
        r = nk_member_missing(body, 0, NK_STR("choices"), f);
    if (!r)
        r = nk_member_of(body, choice, NK_STR("message"), NK_JSON_OBJECT, &message, f);
    if (!r)
        r = read_text(s, body, message, f);
    for (size_t i = 0; !r && i < tool_count; i++)
        r = model_say_call(s, &tools[i], f);
    return r ? r : read_usage(s, body, f);
}

static const char *const extras[] = {"frequency_penalty",
                                     "logit_bias",
                                     "min_p",
                                     "presence_penalty",
                                     "reasoning_effort",
                                     "repetition_penalty",
                                     "response_format",
                                     "seed",
                                     "service_tier",
                                     "top_k",
                                     "user",
                                     "verbosity"};

const struct model_api model_openai = {
    .dialect = &nk_dialect_openai,
    .path = "/v1/chat/completions",
    .extras = extras,
    .extra_count = NK_COUNT(extras),
    .write = write,
    .read = read,
    .event = event,
    .stop = stop,
};
