/* SPDX-License-Identifier: Apache-2.0
 *
 * inspect.c - looks at every string of a definition, names of members included: titles, descriptions of
 * the schema, enum values, defaults and examples reach the model like the description itself. The tape has
 * all of them in a row, so there is nothing to descend into.
 */
#include "tool/trust.h"

#include "base/utf8.h"
#include "tool/hidden.h"
#include "tool/signs.h"
#include "tool/text.h"

static const struct {
    const char *id, *en, *ja;
    enum nk_trust_level level;
} rules[NK_TRUST_RULES] = {
#define FOUND(name, id, level, en, ja) [NK_TRUST_##name] = {id, en, ja, NK_TRUST_##level},
#include "tool/trust.def"
#undef FOUND
};

static const struct {
    enum nk_trust_rule rule;
    const char *phrase;
} phrases[] = {
#define SAYS(rule, phrase) {NK_TRUST_##rule, phrase},
#include "tool/says.def"
#undef SAYS
};

const char *nk_trust_rule_id(enum nk_trust_rule rule)
{
    return rules[rule].id;
}

enum nk_trust_level nk_trust_rule_level(enum nk_trust_rule rule)
{
    return rules[rule].level;
}

const char *nk_trust_rule_text(enum nk_trust_rule rule, bool japanese)
{
    return japanese ? rules[rule].ja : rules[rule].en;
}

struct look {
    const struct nk_json *doc;
    uint32_t root, at; /* the definition; the string */
    struct nk_str text;
    struct nk_arena *arena;
    struct nk_trust_findings *out;
    bool is_name; /* the tool's own */
    bool out_of_memory;
};

/* Where --------------------------------------------------------------------------------------------
 */
static void put_token(struct nk_buf *b, struct nk_str name)
{
    nk_buf_add_char(b, '/');
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] == '~')
            nk_buf_add(b, NK_STR("~0"));
        else if (name.p[i] == '/')
            nk_buf_add(b, NK_STR("~1"));
        else
            nk_buf_add_char(b, name.p[i]);
}

/* Goes one level down towards entry `to`; the child, or `to` when it is the name of one. */
static uint32_t step_to(struct look *l, uint32_t parent, uint32_t to, struct nk_buf *b)
{
    bool object = nk_json_type(l->doc, parent) == NK_JSON_OBJECT;
    uint64_t number = 0;
    for (uint32_t c = nk_json_first(l->doc, parent); c != NK_JSON_NONE;
         c = nk_json_next(l->doc, parent, c), number++) {
        uint32_t value = object ? c + 1 : c;
        if (l->doc->tape[value].next <= to)
            continue;
        if (object) {
            put_token(b, nk_json_string(l->doc, c, l->arena));
        } else {
            nk_buf_add_char(b, '/');
            nk_buf_add_u64(b, number);
        }
        return c == to ? to : value;
    }
    return to;
}

/* RFC 6901, from the definition to the string (or to the member whose name it is). */
static struct nk_str pointer(struct look *l)
{
    struct nk_buf b;
    nk_buf_init(&b, 4096);
    for (uint32_t i = l->root; i != l->at && !b.error;)
        i = step_to(l, i, l->at, &b);
    struct nk_str where = nk_arena_copy(l->arena, b.n ? nk_buf_str(&b) : NK_STR(""));
    nk_buf_free(&b);
    return where;
}

/* What ---------------------------------------------------------------------------------------------
 */
static void put_seen(struct nk_buf *b, int32_t c)
{
    enum tool_sight sight = tool_sight(c);
    char bytes[4];
    if (sight == TOOL_SPACE)
        nk_buf_add_char(b, ' ');
    else if (sight != TOOL_SEEN)
        nk_buf_printf(b, "<U+%04X>", (unsigned)c);
    else
        nk_buf_add(b, (struct nk_str){bytes, nk_utf8_put(bytes, (uint32_t)c)});
}

void nk_trust_put_seen(struct nk_buf *out, struct nk_str s)
{
    for (size_t at = 0; at < s.n;) {
        int32_t c = nk_utf8_next(s, &at);
        if (c < 0)
            return;
        put_seen(out, c);
    }
}

static bool is_tail(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* The place with some bytes before it, and as much behind it as there is room. */
static struct nk_str excerpt(struct look *l, size_t from, size_t to)
{
    enum { BEFORE = 16, BEHIND = 24 };
    struct nk_buf b;
    size_t start = from > BEFORE ? from - BEFORE : 0, end = to + BEHIND;
    while (start > 0 && is_tail(l->text.p[start]))
        start--;
    nk_buf_init(&b, NK_TRUST_EXCERPT_MAX + 16);
    if (start)
        nk_buf_add(&b, NK_STR("…"));
    for (size_t at = start; at < l->text.n;) {
        if (at >= end || b.n > NK_TRUST_EXCERPT_MAX - 12) {
            nk_buf_add(&b, NK_STR("…"));
            break;
        }
        int32_t c = nk_utf8_next(l->text, &at);
        if (c < 0)
            break;
        put_seen(&b, c);
    }
    struct nk_str copy = nk_arena_copy(l->arena, b.n ? nk_buf_str(&b) : NK_STR(""));
    nk_buf_free(&b);
    return copy;
}

static void found(void *to, enum nk_trust_rule rule, size_t from, size_t end)
{
    struct look *l = to;
    l->out->total++;
    if (l->out->n == NK_TRUST_FINDINGS_MAX)
        return;
    struct nk_trust_finding one = {
        .rule = rule, .where = pointer(l), .at = l->at, .excerpt = excerpt(l, from, end)};
    l->out_of_memory |= !one.where.p || !one.excerpt.p;
    l->out->list[l->out->n++] = one;
}

/* Phrases and signs --------------------------------------------------------------------------------
 */
struct places {
    struct look *look;
    const struct tool_text *text;
};

static void found_folded(void *to, enum nk_trust_rule rule, size_t from, size_t end)
{
    struct places *p = to;
    found(p->look, rule, tool_text_from(p->text, from), tool_text_from(p->text, end));
}

static void look_at_phrases(struct look *l, struct tool_text *t)
{
    unsigned seen = 0;
    for (size_t i = 0; i < NK_COUNT(phrases); i++) {
        size_t from, to;
        if (seen & 1u << phrases[i].rule || !tool_text_says(t, i, phrases[i].phrase, &from, &to))
            continue;
        seen |= 1u << phrases[i].rule;
        found(l, phrases[i].rule, tool_text_from(t, from), tool_text_from(t, to));
    }
    struct places places = {l, t};
    if (!l->is_name)
        tool_signs(t, &seen, found_folded, &places);
    size_t n;
    const struct tool_word *words = tool_words(t, &n);
    for (size_t i = 0; i < n; i++)
        if (t->folded.p[words[i].at] == TOOL_WORD_SECRET) {
            size_t from = tool_text_from(t, words[i].at);
            found(l, NK_TRUST_SECRET, from, from + 1);
            break;
        }
}

/* How models are shown who speaks, and the tags that texts of attackers like. */
static void look_at_marks(struct look *l, const struct tool_text *t)
{
    static const struct {
        enum nk_trust_rule rule;
        const char *mark;
    } marks[] = {
        {NK_TRUST_ROLE, "<|"},           {NK_TRUST_ROLE, "[inst]"},
        {NK_TRUST_ROLE, "<<sys>>"},      {NK_TRUST_ROLE, "<system"},
        {NK_TRUST_ROLE, "</system"},     {NK_TRUST_ROLE, "[system]"},
        {NK_TRUST_ROLE, "### system"},   {NK_TRUST_ROLE, "### instruction"},
        {NK_TRUST_ROLE, "<developer"},   {NK_TRUST_ROLE, "</tool"},
        {NK_TRUST_ROLE, "<user>"},       {NK_TRUST_ROLE, "</description"},
        {NK_TRUST_ROLE, "<assistant"},   {NK_TRUST_ROLE, "<start_of_turn>"},
        {NK_TRUST_ROLE, "<tool_result"}, {NK_TRUST_ROLE, "\nassistant:"},
        {NK_TRUST_ROLE, "\nsystem:"},    {NK_TRUST_ROLE, "\nhuman:"},
        {NK_TRUST_URGENT, "<important"}, {NK_TRUST_URGENT, "<critical"},
        {NK_TRUST_URGENT, "<mandatory"}, {NK_TRUST_URGENT, "<instruction"},
        {NK_TRUST_URGENT, "<secret"},    {NK_TRUST_URGENT, "<hidden"},
        {NK_TRUST_URGENT, "【重要"},     {NK_TRUST_URGENT, "【厳守"},
    };
    struct nk_str s = nk_buf_str(&t->folded);
    unsigned seen = 0;
    for (size_t i = 0; i < NK_COUNT(marks); i++) {
        struct nk_str mark = nk_str(marks[i].mark);
        ptrdiff_t at = nk_str_search(s, mark);
        if (at < 0 || seen & 1u << marks[i].rule)
            continue;
        seen |= 1u << marks[i].rule;
        found(l, marks[i].rule, tool_text_from(t, (size_t)at),
              tool_text_from(t, (size_t)at + mark.n));
    }
}

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

static ptrdiff_t find_name(struct nk_str text, struct nk_str name)
{
    for (size_t from = 0;;) {
        ptrdiff_t at = nk_str_search(nk_str_sub(text, from, text.n), name);
        if (at < 0)
            return -1;
        size_t start = from + (size_t)at, end = start + name.n;
        if ((start == 0 || !is_name_byte(text.p[start - 1])) &&
            (end == text.n || !is_name_byte(text.p[end])))
            return (ptrdiff_t)start;
        from = start + 1;
    }
}

/* A speaker's name in capitals at the head of a sentence: "SYSTEM: …". */
static void look_at_speakers(struct look *l)
{
    static const char *const names[] = {"SYSTEM",    "ADMIN", "ASSISTANT",
                                        "DEVELOPER", "USER",  "HUMAN"};
    for (size_t i = 0; i < NK_COUNT(names); i++) {
        struct nk_str name = nk_str(names[i]);
        ptrdiff_t at = find_name(l->text, name);
        size_t end = (size_t)at + name.n;
        if (at >= 0 && end + 1 < l->text.n && l->text.p[end] == ':' &&
            (l->text.p[end + 1] == ' ' || l->text.p[end + 1] == '\n')) {
            found(l, NK_TRUST_ROLE, (size_t)at, end);
            return;
        }
    }
}

/* Tools of others ----------------------------------------------------------------------------------
 */
/* Is this a name that does not stand in a text by chance? "search" does, "send_email" does not. */
static bool is_telling(struct nk_str name)
{
    bool sign = false;
    for (size_t i = 1; i < name.n; i++)
        sign |= name.p[i] == '_' || name.p[i] == '-' ||
                (name.p[i] >= 'A' && name.p[i] <= 'Z' && name.p[i - 1] >= 'a');
    return sign && name.n >= 5;
}

static void look_at_names(struct look *l, const struct nk_approvals *approvals,
                          struct nk_str server)
{
    for (size_t i = 0; approvals && i < approvals->n; i++) {
        const struct nk_approval *a = &approvals->list[i];
        if (nk_str_eq(a->server, server) || !is_telling(a->name) ||
            nk_approvals_find(approvals, server, a->name))
            continue;
        ptrdiff_t at = find_name(l->text, a->name);
        if (at >= 0) {
            found(l, NK_TRUST_OTHER, (size_t)at, (size_t)at + a->name.n);
            return;
        }
    }
}

static int look_at(struct look *l, struct tool_text *t, const struct nk_approvals *approvals,
                   struct nk_str server)
{
    size_t whole = l->text.n;
    if (whole > TOOL_TEXT_MAX) {
        size_t end = TOOL_TEXT_MAX;
        while (end > 0 && is_tail(l->text.p[end]))
            end--;
        l->text.n = end;
        found(l, NK_TRUST_LONG, 0, 1);
    }
    int rc = tool_text_set(t, l->text);
    if (rc)
        return rc;
    tool_hidden(l->text, found, l);
    look_at_phrases(l, t);
    look_at_marks(l, t);
    look_at_speakers(l);
    if (!l->is_name)
        look_at_names(l, approvals, server);
    return l->out_of_memory ? NK_ENOMEM : 0;
}

/* All strings between two entries of the tape. */
static int look_within(struct look *l, struct tool_text *t, uint32_t from, uint32_t end,
                       const struct nk_approvals *approvals, struct nk_str server)
{
    int rc = 0;
    for (uint32_t i = from; i < end && rc == 0; i++) {
        if (nk_json_type(l->doc, i) != NK_JSON_STRING)
            continue;
        l->at = i;
        l->text = nk_json_string(l->doc, i, l->arena);
        rc = l->text.p ? look_at(l, t, approvals, server) : NK_ENOMEM;
    }
    return rc;
}

int nk_trust_inspect(const struct nk_json *doc, uint32_t at, const struct nk_approvals *approvals,
                     struct nk_str server, struct nk_arena *a, struct nk_trust_findings *out,
                     struct nk_fault *f)
{
    struct tool_text text;
    struct look l = {.doc = doc, .root = at, .arena = a, .out = out};
    int rc = 0;
    out->n = out->total = 0;
    tool_text_init(&text);
    for (int m = 0; m < NK_TOOL_MEMBERS && rc == 0; m++) {
        uint32_t i = nk_json_get(doc, at, nk_tool_member_name((enum nk_tool_member)m));
        l.is_name = m == NK_TOOL_NAME;
        if (i != NK_JSON_NONE)
            rc = look_within(&l, &text, i, doc->tape[i].next, approvals, server);
    }
    tool_text_free(&text);
    return rc ? nk_fault_set(f, rc, "tools", 0, "no memory to look at a tool's definition") : 0;
}

int nk_trust_inspect_card(const struct nk_json *doc, uint32_t at, struct nk_arena *a,
                          struct nk_trust_findings *out, struct nk_fault *f)
{
    struct tool_text text;
    struct look l = {.doc = doc, .root = at, .arena = a, .out = out};
    out->n = out->total = 0;
    tool_text_init(&text);
    int rc = look_within(&l, &text, at, doc->tape[at].next, NULL, NK_STR(""));
    tool_text_free(&text);
    return rc ? nk_fault_set(f, rc, "tools", 0, "no memory to look at an agent's card") : 0;
}
