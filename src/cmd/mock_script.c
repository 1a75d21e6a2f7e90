/* SPDX-License-Identifier: Apache-2.0
 *
 * mock_script.c - reads the script of `nakoso mock`, line by line. See mock_script.h for the
 * language.
 */
#include "cmd/mock_script.h"

enum { RULES_MAX = 1000, TEXT_MAX = 1 << 20, WAIT_MAX_MS = 3600000 };

/* What is left of one line, and where it is. */
struct line {
    struct nk_str rest;
    size_t number;
    struct nk_arena *arena;
    struct nk_fault *f;
};

static int bad(struct line *l, const char *why)
{
    return nk_fault_set(l->f, NK_EINVAL, "mock", l->number, "%s", why);
}

static void skip(struct line *l)
{
    l->rest = nk_str_trim(l->rest);
    if (l->rest.n && l->rest.p[0] == '#')
        l->rest = (struct nk_str){"", 0};
}

static struct nk_str word(struct line *l)
{
    size_t n = 0;
    skip(l);
    while (n < l->rest.n && l->rest.p[n] != ' ' && l->rest.p[n] != '\t')
        n++;
    struct nk_str w = nk_str_sub(l->rest, 0, n);
    l->rest = nk_str_sub(l->rest, n, l->rest.n);
    skip(l);
    return w;
}

/* Takes the word if it is the next one. */
static bool takes(struct line *l, const char *want)
{
    struct line ahead = *l;
    if (!nk_str_eq(word(&ahead), nk_str(want)))
        return false;
    l->rest = ahead.rest;
    return true;
}

/* End of the JSON value that begins `s`: strings and nesting are followed, nothing else is. */
static size_t json_end(struct nk_str s)
{
    size_t depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            depth -= depth > 0;
        }
        if (!quoted && depth == 0)
            return i + 1;
    }
    return 0;
}

/* The JSON value at the front of the line, as text and read; strings come out unescaped. */
static int value(struct line *l, enum nk_json_type type, struct nk_str *out)
{
    const struct nk_json_limits lim = {TEXT_MAX, 32, 1 << 16};
    struct nk_json doc;
    struct nk_fault why = {0};
    skip(l);
    size_t n = json_end(l->rest);
    struct nk_str text = nk_str_sub(l->rest, 0, n);
    if (n == 0 || nk_json_parse(&lim, text, l->arena, &doc, &why) || nk_json_type(&doc, 0) != type)
        return bad(l, type == NK_JSON_STRING ? "a text in quotes is wanted here"
                                             : "a JSON object is wanted here");
    *out = type == NK_JSON_STRING ? nk_json_string(&doc, 0, l->arena) : text;
    l->rest = nk_str_sub(l->rest, n, l->rest.n);
    skip(l);
    return out->p ? 0 : bad(l, "out of memory");
}

static int number(struct line *l, int64_t *out)
{
    if (nk_str_to_i64(word(l), out) || *out < 0)
        return bad(l, "a number is wanted here");
    return 0;
}

/* "5ms", "2s", "100us". */
static int duration(struct line *l, int64_t *us)
{
    static const struct {
        const char *unit;
        int64_t us;
    } units[] = {{"us", 1}, {"ms", 1000}, {"s", 1000000}};
    struct nk_str w = word(l);
    for (size_t i = 0; i < NK_COUNT(units); i++) {
        struct nk_str unit = nk_str(units[i].unit);
        int64_t v;
        if (!nk_str_ends(w, unit) || nk_str_to_i64(nk_str_sub(w, 0, w.n - unit.n), &v))
            continue;
        if (v < 0 || v > (int64_t)WAIT_MAX_MS * 1000 / units[i].us)
            break;
        *us = v * units[i].us;
        return 0;
    }
    return bad(l, "a duration such as 5ms or 2s is wanted here");
}

static int contains(struct line *l, struct nk_mock_condition *c, enum nk_mock_test test)
{
    c->test = test;
    return takes(l, "contains") ? value(l, NK_JSON_STRING, &c->value)
                                : bad(l, "\"contains\" is wanted here");
}

static int condition(struct line *l, struct nk_mock_condition *c)
{
    c->negated = takes(l, "not");
    struct nk_str w = word(l);
    if (nk_str_eq(w, NK_STR("text")))
        return contains(l, c, NK_MOCK_TEXT);
    if (nk_str_eq(w, NK_STR("last")))
        return contains(l, c, NK_MOCK_LAST);
    if (nk_str_eq(w, NK_STR("header"))) {
        c->name = word(l);
        return contains(l, c, NK_MOCK_HEADER);
    }
    if (nk_str_eq(w, NK_STR("model")) || nk_str_eq(w, NK_STR("path"))) {
        c->test = w.p[0] == 'm' ? NK_MOCK_MODEL : NK_MOCK_PATH;
        return value(l, NK_JSON_STRING, &c->value);
    }
    if (nk_str_eq(w, NK_STR("streaming"))) {
        c->test = NK_MOCK_STREAMING;
        return 0;
    }
    if (nk_str_eq(w, NK_STR("tool")) && takes(l, "result")) {
        c->test = NK_MOCK_TOOL_RESULT;
        return 0;
    }
    if (nk_str_eq(w, NK_STR("first"))) {
        c->test = NK_MOCK_TIMES;
        int r = number(l, &c->number);
        return r || takes(l, "times") ? r : bad(l, "\"times\" is wanted here");
    }
    return bad(l, "a condition is wanted here: model, text, last, path, header, streaming, tool "
                  "result, first N times");
}

static int conditions(struct line *l, struct nk_mock_rule *r)
{
    do {
        if (r->condition_count == NK_MOCK_CONDITIONS)
            return bad(l, "more than 8 conditions");
        int rc = condition(l, &r->conditions[r->condition_count++]);
        if (rc)
            return rc;
    } while (takes(l, "and"));
    return 0;
}

static int call_tool(struct line *l, struct nk_mock_plan *p)
{
    if (!takes(l, "tool"))
        return bad(l, "\"call tool NAME {json}\" is wanted here");
    if (p->call_count == NK_MOCK_CALLS)
        return bad(l, "more than 8 calls");
    struct nk_mock_call *c = &p->calls[p->call_count++];
    c->name = word(l);
    return c->name.n ? value(l, NK_JSON_OBJECT, &c->arguments) : bad(l, "a name is wanted here");
}

static int streaming(struct line *l, struct nk_mock_plan *p)
{
    while (l->rest.n) {
        int r = takes(l, "pieces") ? number(l, &p->pieces)
                : takes(l, "pace") ? duration(l, &p->pace_us)
                                   : bad(l, "\"pieces N\" or \"pace 5ms\" is wanted here");
        if (r)
            return r;
    }
    return 0;
}

static int status(struct line *l, struct nk_mock_plan *p)
{
    int64_t v;
    int r = number(l, &v);
    if (r || v < 400 || v > 599 || !takes(l, "error"))
        return bad(l, "\"status 400…599 error \"…\"\" is wanted here");
    p->manner = NK_MOCK_ERROR;
    p->status = (int)v;
    return value(l, NK_JSON_STRING, &p->message);
}

static int header(struct line *l, struct nk_mock_plan *p)
{
    if (p->header_count == NK_MOCK_HEADERS)
        return bad(l, "more than 8 headers");
    size_t i = p->header_count++;
    p->header_names[i] = word(l);
    return value(l, NK_JSON_STRING, &p->header_values[i]);
}

static int raw(struct line *l, struct nk_mock_plan *p)
{
    p->manner = NK_MOCK_RAW;
    p->type = NK_STR("application/json");
    int r = value(l, NK_JSON_STRING, &p->message);
    return r || !takes(l, "type") ? r : value(l, NK_JSON_STRING, &p->type);
}

static int drop(struct line *l, struct nk_mock_plan *p)
{
    if (!takes(l, "after"))
        return bad(l, "\"drop after N events\" is wanted here");
    int r = number(l, &p->drop_after);
    return r || takes(l, "events") || takes(l, "event") ? r : bad(l, "\"events\" is wanted here");
}

static int say(struct line *l, struct nk_mock_plan *p)
{
    return value(l, NK_JSON_STRING, &p->say);
}

static int finish(struct line *l, struct nk_mock_plan *p)
{
    return value(l, NK_JSON_STRING, &p->finish);
}

static int usage(struct line *l, struct nk_mock_plan *p)
{
    int r = number(l, &p->input_tokens);
    return r ? r : number(l, &p->output_tokens);
}

static int delay(struct line *l, struct nk_mock_plan *p)
{
    return duration(l, &p->delay_us);
}

static int echo(struct line *l, struct nk_mock_plan *p)
{
    (void)l;
    p->echo = true;
    return 0;
}

static int obey(struct line *l, struct nk_mock_plan *p)
{
    (void)l;
    p->obey = true;
    return 0;
}

static int closes(struct line *l, struct nk_mock_plan *p)
{
    (void)l;
    p->manner = NK_MOCK_CLOSES;
    return 0;
}

static int silent(struct line *l, struct nk_mock_plan *p)
{
    (void)l;
    p->manner = NK_MOCK_SILENT;
    return 0;
}

static int garbage(struct line *l, struct nk_mock_plan *p)
{
    (void)l;
    p->manner = NK_MOCK_GARBAGE;
    return 0;
}

static const struct {
    const char *word;
    int (*read)(struct line *l, struct nk_mock_plan *p);
} actions[] = {
    {"say", say},       {"call", call_tool}, {"stream", streaming}, {"status", status},
    {"header", header}, {"raw", raw},        {"drop", drop},        {"finish", finish},
    {"usage", usage},   {"delay", delay},    {"echo", echo},        {"obey", obey},
    {"close", closes},  {"silent", silent},  {"garbage", garbage},
};

static int action(struct line *l, struct nk_mock_plan *p)
{
    struct nk_str w = word(l);
    for (size_t i = 0; i < NK_COUNT(actions); i++)
        if (nk_str_eq(w, nk_str(actions[i].word)))
            return actions[i].read(l, p);
    return bad(l, "an action is wanted here: say, echo, obey, call tool, stream, usage, delay, "
                  "status, header, finish, drop after, close, silent, garbage, raw");
}

struct nk_mock_plan nk_mock_default(void)
{
    return (struct nk_mock_plan){.drop_after = -1, .input_tokens = -1, .output_tokens = -1};
}

static int models(struct line *l, struct nk_mock_script *s)
{
    while (l->rest.n) {
        if (s->model_count == NK_COUNT(s->models))
            return bad(l, "more than 64 models");
        int r = value(l, NK_JSON_STRING, &s->models[s->model_count++]);
        if (r)
            return r;
    }
    return 0;
}

struct reading {
    struct nk_mock_script *script;
    struct nk_mock_rule *rule; /* the one whose actions follow */
    size_t rules;
};

static int new_rule(struct line *l, struct reading *r)
{
    struct nk_mock_rule *rule = nk_arena_alloc(l->arena, sizeof *rule);
    if (!rule || r->rules++ == RULES_MAX)
        return nk_fault_set(l->f, NK_ELIMIT, "mock", l->number, "more than 1000 rules");
    rule->plan = nk_mock_default();
    if (r->rule)
        r->rule->next = rule;
    else
        r->script->rules = rule;
    r->rule = rule;
    return 0;
}

static int statement(struct line *l, struct reading *r)
{
    int rc;
    if (takes(l, "when")) {
        rc = new_rule(l, r);
        return rc ? rc : conditions(l, r->rule);
    }
    if (takes(l, "otherwise"))
        return new_rule(l, r);
    if (takes(l, "models"))
        return models(l, r->script);
    if (takes(l, "key"))
        return value(l, NK_JSON_STRING, &r->script->key);
    return r->rule ? action(l, &r->rule->plan)
                   : bad(l, "\"when …\", \"otherwise\", \"models\" or \"key\" is wanted here");
}

int nk_mock_script_parse(struct nk_str text, struct nk_arena *a, struct nk_mock_script *out,
                         struct nk_fault *f)
{
    struct reading r = {.script = out};
    struct line l = {.arena = a, .f = f};
    *out = (struct nk_mock_script){0};
    while (text.p) {
        l.rest = nk_str_cut(&text, '\n');
        l.number++;
        if (nk_str_ends(l.rest, NK_STR("\r")))
            l.rest.n--;
        skip(&l);
        int rc = l.rest.n ? statement(&l, &r) : 0;
        if (!rc && l.rest.n)
            rc = bad(&l, "the line goes on behind its end");
        if (rc)
            return rc;
    }
    return 0;
}

bool nk_mock_obey(struct nk_str text, struct nk_arena *a, struct nk_mock_plan *plan)
{
    for (size_t at = text.n; at-- > 0;) {
        struct nk_mock_plan p = *plan;
        struct nk_fault ignored = {0};
        struct line l = {.rest = nk_str_sub(text, at, text.n), .arena = a, .f = &ignored};
        bool order =
            nk_str_starts(l.rest, NK_STR("say \"")) || nk_str_starts(l.rest, NK_STR("call tool "));
        if (order && action(&l, &p) == 0) {
            *plan = p;
            return true;
        }
    }
    return false;
}
