/* SPDX-License-Identifier: Apache-2.0
 *
 * mock_ask.c - what the scripted model reads of a request, and which rule answers it. Text is what
 * stands in "content", "text", "output", "input", "instructions" and "system", however deep, of any
 * dialect: the mock reads generously where the gateway reads strictly.
 */
#include "cmd/mock.h"

#include "base/utf8.h"

enum { TEXT_MAX = 16 << 20, DEPTH_MAX = 32 };

static bool names_text(const struct nk_json *doc, uint32_t name)
{
    static const char *const names[] = {"content", "text",         "output",
                                        "input",   "instructions", "system"};
    for (size_t i = 0; i < NK_COUNT(names); i++)
        if (nk_json_is(doc, name, nk_str(names[i])))
            return true;
    return false;
}

static void gather(const struct nk_json *doc, uint32_t i, bool is_text, int depth,
                   struct nk_arena *a, struct nk_buf *out)
{
    enum nk_json_type type = nk_json_type(doc, i);
    if (type == NK_JSON_STRING && is_text) {
        nk_buf_add(out, nk_json_string(doc, i, a));
        nk_buf_add_char(out, '\n');
    }
    if (depth == DEPTH_MAX)
        return;
    for (uint32_t k = nk_json_first(doc, i); k != NK_JSON_NONE; k = nk_json_next(doc, i, k)) {
        if (type == NK_JSON_OBJECT)
            gather(doc, k + 1, names_text(doc, k), depth + 1, a, out);
        else
            gather(doc, k, is_text, depth + 1, a, out);
    }
}

static struct nk_str text_of(const struct nk_json *doc, uint32_t i, struct nk_arena *a)
{
    struct nk_buf out;
    nk_buf_init(&out, TEXT_MAX);
    if (i != NK_JSON_NONE)
        gather(doc, i, true, 0, a, &out);
    struct nk_str text = nk_buf_str(&out);
    while (text.n && text.p[text.n - 1] == '\n')
        text.n--;
    text = nk_arena_copy(a, text);
    nk_buf_free(&out);
    return text.p ? text : NK_STR("");
}

static uint32_t last_of(const struct nk_json *doc, uint32_t list)
{
    if (list == NK_JSON_NONE || nk_json_type(doc, list) != NK_JSON_ARRAY)
        return list;
    uint32_t last = NK_JSON_NONE;
    for (uint32_t i = nk_json_first(doc, list); i != NK_JSON_NONE; i = nk_json_next(doc, list, i))
        last = i;
    return last;
}

/* Chat: role "tool"; responses: an item "…_output"; messages: a block "tool_result". */
static bool is_tool_result(const struct nk_json *doc, uint32_t message, struct nk_arena *a)
{
    if (nk_json_is(doc, nk_json_get(doc, message, NK_STR("role")), NK_STR("tool")))
        return true;
    struct nk_str type = nk_json_string(doc, nk_json_get(doc, message, NK_STR("type")), a);
    if (type.n && nk_str_ends(type, NK_STR("_output")))
        return true;
    uint32_t content = nk_json_get(doc, message, NK_STR("content"));
    if (content == NK_JSON_NONE || nk_json_type(doc, content) != NK_JSON_ARRAY)
        return false;
    for (uint32_t i = nk_json_first(doc, content); i != NK_JSON_NONE;
         i = nk_json_next(doc, content, i))
        if (nk_json_is(doc, nk_json_get(doc, i, NK_STR("type")), NK_STR("tool_result")))
            return true;
    return false;
}

int nk_mock_read(struct nk_mock_ask *ask, struct nk_arena *a, struct nk_fault *f)
{
    const struct nk_json *doc = &ask->body;
    ask->model = ask->text = ask->last = NK_STR("");
    if (doc->n == 0)
        return 0;
    if (nk_json_type(doc, 0) != NK_JSON_OBJECT)
        return nk_fault_set(f, NK_EINVAL, "mock", 0, "the body is not an object");
    uint32_t model = nk_json_get(doc, 0, NK_STR("model"));
    uint32_t stream = nk_json_get(doc, 0, NK_STR("stream"));
    uint32_t options = nk_json_get(doc, 0, NK_STR("stream_options"));
    uint32_t include = nk_json_get(doc, options, NK_STR("include_usage"));
    uint32_t list = nk_json_get(doc, 0, NK_STR("messages"));
    if (list == NK_JSON_NONE)
        list = nk_json_get(doc, 0, NK_STR("input"));
    if (model != NK_JSON_NONE && nk_json_type(doc, model) == NK_JSON_STRING)
        ask->model = nk_json_string(doc, model, a);
    ask->stream = stream != NK_JSON_NONE && nk_json_type(doc, stream) == NK_JSON_TRUE;
    ask->usage_wanted = include != NK_JSON_NONE && nk_json_type(doc, include) == NK_JSON_TRUE;
    ask->text = text_of(doc, 0, a);
    uint32_t last = last_of(doc, list);
    ask->last = text_of(doc, last, a);
    ask->tool_result = last != NK_JSON_NONE && is_tool_result(doc, last, a);
    return 0;
}

static bool holds(const struct nk_mock_condition *c, const struct nk_mock_rule *r,
                  const struct nk_mock_ask *ask)
{
    switch (c->test) {
    case NK_MOCK_MODEL:
        return nk_str_ends(c->value, NK_STR("*"))
                   ? nk_str_starts(ask->model, nk_str_sub(c->value, 0, c->value.n - 1))
                   : nk_str_eq(ask->model, c->value);
    case NK_MOCK_TEXT:
        return nk_str_search(ask->text, c->value) >= 0;
    case NK_MOCK_LAST:
        return nk_str_search(ask->last, c->value) >= 0;
    case NK_MOCK_PATH:
        return nk_str_eq(nk_http_path(ask->head), c->value);
    case NK_MOCK_HEADER: {
        struct nk_str v = nk_http_get(ask->head, c->name);
        return v.p && nk_str_search(v, c->value) >= 0;
    }
    case NK_MOCK_STREAMING:
        return ask->stream;
    case NK_MOCK_TOOL_RESULT:
        return ask->tool_result;
    case NK_MOCK_TIMES:
        return r->used < c->number;
    }
    return false;
}

static bool applies(const struct nk_mock_rule *r, const struct nk_mock_ask *ask)
{
    for (size_t i = 0; i < r->condition_count; i++)
        if (holds(&r->conditions[i], r, ask) == r->conditions[i].negated)
            return false;
    return true;
}

/* What it read last, cut at a character so that an echo stays short. */
static struct nk_str echo_of(const struct nk_mock_ask *ask, struct nk_arena *a)
{
    enum { ECHO_MAX = 2000 };
    struct nk_str s = nk_str_sub(ask->last, 0, ECHO_MAX);
    s.n = nk_utf8_check(s);
    struct nk_str parts[] = {NK_STR("You said: "), s};
    s = nk_arena_join(a, parts, NK_COUNT(parts));
    return s.p ? s : NK_STR("You said much.");
}

struct nk_mock_plan nk_mock_decide(struct nk_mock_script *s, const struct nk_mock_ask *ask,
                                   struct nk_arena *a)
{
    struct nk_mock_plan plan = nk_mock_default();
    struct nk_mock_rule *r = s->rules;
    while (r && !applies(r, ask))
        r = r->next;
    if (r) {
        r->used++;
        plan = r->plan;
    }
    /* An order that stands before a tool's answer has been carried out already. */
    bool obeyed = plan.obey && nk_mock_obey(ask->tool_result ? ask->last : ask->text, a, &plan);
    bool speechless = !plan.say.p && plan.call_count == 0 && plan.manner == NK_MOCK_ANSWERS;
    if (plan.echo || (speechless && !obeyed))
        plan.say = echo_of(ask, a);
    return plan;
}
