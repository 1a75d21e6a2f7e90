/* SPDX-License-Identifier: Apache-2.0
 *
 * format.c - policy text laid out anew (convert.h). It walks over the tokens of a text that the
 * parser has accepted, in the shape of the grammar, and says where lines may end (layout.h), so that
 * parentheses, spellings and comments stay as they were written. A comment belongs to the token it
 * stands behind on a line, or before on lines of its own. The result is parsed again: if it were
 * not the same policies with the same comments, there would be an error and no result.
 *
 * Style: the reference formatter's. Annotations and conditions have lines of their own, a scope that
 * restricts something three; operators stay at the end of a line.
 */
#include "cedar/convert.h"
#include "cedar/layout.h"
#include "cedar/parse.h"

enum { ITEMS_MOST = 1 << 30, TEXT_MOST = 1 << 30 };
enum { WIDTH_LEAST = 20, WIDTH_MOST = 1000, INDENT_MOST = 16 };

struct comment {
    struct nk_str text; /* from the slashes to the last visible byte */
    bool apart;         /* an empty line is before it */
};

struct format {
    struct cedar_lexer lexer;
    struct cedar_token token; /* the one not yet taken */
    struct nk_str word;       /* it as it is written */
    struct comment *comments; /* those before it on lines of their own; arena */
    size_t n, cap;
    bool apart; /* an empty line is before it */
    struct nk_arena *arena;
    bool no_memory;
    struct cedar_layout l;
};

/* Tokens and comments ------------------------------------------------------------------------- */

static void keep_comment(struct format *f, struct nk_str text, bool apart)
{
    if (f->n == f->cap) {
        size_t cap = f->cap ? 2 * f->cap : 8;
        struct comment *bigger = nk_arena_array(f->arena, cap, sizeof *bigger);
        if (!bigger) {
            f->no_memory = true;
            return;
        }
        for (size_t i = 0; i < f->n; i++)
            bigger[i] = f->comments[i];
        f->comments = bigger;
        f->cap = cap;
    }
    f->comments[f->n++] = (struct comment){text, apart};
}

/* Takes the next comment of *gap (white space and comments between two tokens); `feeds` counts the
 * ends of lines before it, or before the end when there is none. */
static struct nk_str cut_comment(struct nk_str *gap, unsigned *feeds)
{
    struct nk_str none = {NULL, 0};
    size_t at = 0;
    for (*feeds = 0; at < gap->n && gap->p[at] != '/'; at++)
        *feeds += gap->p[at] == '\n' || (gap->p[at] == '\r' && nk_str_sub(*gap, at + 1, at + 2).n &&
                                         gap->p[at + 1] != '\n');
    size_t end = at;
    while (end < gap->n && gap->p[end] != '\n' && gap->p[end] != '\r')
        end++;
    struct nk_str text = nk_str_sub(*gap, at, end);
    *gap = nk_str_sub(*gap, end, gap->n);
    return at < end ? nk_str_trim(text) : none;
}

/* Goes to the next token. A comment behind the last one on its line is written at once. */
static void next(struct format *f, bool first)
{
    size_t from = f->lexer.at;
    unsigned feeds;
    bool lexed = cedar_lex(&f->lexer, &f->token);
    NK_MUST(lexed); /* the parser has been here */
    struct nk_str gap = nk_str_sub(f->lexer.text, from, f->token.offset);
    f->word = nk_str_sub(f->lexer.text, f->token.offset, f->lexer.at);
    f->n = 0;
    for (struct nk_str text = cut_comment(&gap, &feeds); text.p; text = cut_comment(&gap, &feeds)) {
        if (feeds == 0 && !first)
            cedar_layout_comment(&f->l, text, false);
        else
            keep_comment(f, text, feeds > 1);
        first = false;
    }
    f->apart = feeds > 1;
}

/* Comments before the token at hand. */
static void leading(struct format *f)
{
    for (size_t i = 0; i < f->n; i++)
        cedar_layout_comment(&f->l, f->comments[i].text, true);
    f->n = 0;
}

static void take(struct format *f)
{
    leading(f);
    cedar_layout_text(&f->l, f->word);
    next(f, false);
}

/* A space within a line; behind or before a comment the end of the line. */
static void gap(struct format *f)
{
    if (f->l.wait || f->n > 0)
        cedar_layout_place(&f->l, CEDAR_LAYOUT_BREAK);
    else
        cedar_layout_text(&f->l, NK_STR(" "));
}

static size_t open(struct format *f)
{
    leading(f);
    return cedar_layout_open(&f->l);
}

static void close(struct format *f)
{
    cedar_layout_close(&f->l);
}

static void space(struct format *f)
{
    cedar_layout_place(&f->l, CEDAR_LAYOUT_SPACE);
}

static void cut(struct format *f)
{
    cedar_layout_place(&f->l, CEDAR_LAYOUT_CUT);
}

static bool at(const struct format *f, int kind)
{
    return f->token.kind == kind;
}

static bool at_word(const struct format *f, const char *word)
{
    return at(f, CEDAR_IDENT) && nk_str_eq(f->token.text, nk_str(word));
}

/* A comma, or none: the last one of a list goes unless a comment hangs on it. */
static void comma(struct format *f, int closing)
{
    struct cedar_lexer ahead = f->lexer;
    struct cedar_token token;
    NK_MUST(cedar_lex(&ahead, &token));
    struct nk_str gap = nk_str_sub(f->lexer.text, f->lexer.at, token.offset);
    bool last = token.kind == closing, hangs = f->n > 0 || nk_str_find(gap, '/') >= 0;
    if (last && !hangs)
        next(f, false);
    else
        take(f);
    if (!last)
        space(f);
}

/* Expressions --------------------------------------------------------------------------------- */

static void expr(struct format *f);

enum { PADDED = true, TIGHT = false };

/* Items between brackets, each read by `item`: on one line, or each on its own. */
static void list(struct format *f, int closing, bool padded, void (*item)(struct format *))
{
    open(f);
    take(f);
    f->l.level++;
    if (!at(f, closing) || f->n > 0)
        cedar_layout_place(&f->l, padded ? CEDAR_LAYOUT_SPACE : CEDAR_LAYOUT_CUT);
    bool empty = at(f, closing);
    while (!at(f, closing)) {
        item(f);
        if (at(f, ','))
            comma(f, closing);
    }
    leading(f);
    f->l.level--;
    if (!empty || f->l.wait)
        cedar_layout_place(&f->l, padded ? CEDAR_LAYOUT_SPACE : CEDAR_LAYOUT_CUT);
    take(f);
    close(f);
}

static void member_of_record(struct format *f)
{
    open(f);
    take(f);
    take(f); /* ':' */
    f->l.level++;
    gap(f);
    expr(f);
    f->l.level--;
    close(f);
}

/* A::B, A::B::"id", a word, or name(arguments) */
static void name(struct format *f)
{
    take(f);
    while (at(f, CEDAR_PATH_SEP)) {
        take(f);
        take(f);
    }
    if (at(f, '('))
        list(f, ')', TIGHT, expr);
}

static void primary(struct format *f)
{
    switch (f->token.kind) {
    case CEDAR_IDENT:
        name(f);
        break;
    case '(':
        list(f, ')', TIGHT, expr);
        break;
    case '[':
        list(f, ']', TIGHT, expr);
        break;
    case '{':
        list(f, '}', PADDED, member_of_record);
        break;
    default: /* a number, a string, a slot */
        take(f);
    }
}

/* .name, .name(arguments), ["name"] */
static void access(struct format *f)
{
    if (at(f, '[')) {
        list(f, ']', TIGHT, expr);
        return;
    }
    take(f);
    take(f);
    if (at(f, '('))
        list(f, ')', TIGHT, expr);
}

/* What does not fit on a line has one for each access; the first stays with its object. */
static void member(struct format *f)
{
    open(f);
    primary(f);
    f->l.level++;
    for (bool first = true; at(f, '.') || at(f, '['); first = false) {
        if (!first && at(f, '.'))
            cut(f);
        f->l.level -= first;
        access(f);
        f->l.level += first;
    }
    f->l.level--;
    close(f);
}

static void unary(struct format *f)
{
    while (at(f, '!') || at(f, '-'))
        take(f);
    member(f);
}

static void operator(struct format *f)
{
    gap(f);
    take(f);
    space(f);
}

/* An operator that may have its right side on the next line; a list opens on its own. */
static void operation(struct format *f, void (*right)(struct format *))
{
    gap(f);
    take(f);
    if (at(f, '[') || at(f, '{')) {
        gap(f);
        right(f);
        return;
    }
    bool ends = f->l.wait || f->n > 0; /* the line does, whatever fits */
    if (!ends)
        open(f);
    f->l.level++;
    space(f);
    right(f);
    f->l.level--;
    if (!ends)
        close(f);
}

static void product(struct format *f)
{
    open(f);
    unary(f);
    while (at(f, '*')) {
        operator(f);
        unary(f);
    }
    close(f);
}

static void sum(struct format *f)
{
    open(f);
    product(f);
    while (at(f, '+') || at(f, '-')) {
        operator(f);
        product(f);
    }
    close(f);
}

static bool at_comparison(const struct format *f)
{
    return at(f, CEDAR_EQUAL) || at(f, CEDAR_NOT_EQUAL) || at(f, CEDAR_LESS_EQ) || at(f, '<') ||
           at(f, '>') || at(f, CEDAR_GREATER_EQ) || at_word(f, "in") || at_word(f, "like");
}

/* a.b.c or "any string" */
static void path(struct format *f)
{
    take(f);
    while (at(f, '.')) {
        take(f);
        take(f);
    }
}

static void relation(struct format *f)
{
    sum(f);
    if (at_word(f, "has"))
        operation(f, path);
    else if (at_word(f, "is"))
        operation(f, name);
    if (at_comparison(f))
        operation(f, sum);
}

/* The group's item, or 0 when there is no && in it. */
static size_t and (struct format * f)
{
    size_t group = open(f);
    relation(f);
    bool chain = at(f, CEDAR_AND_AND);
    while (at(f, CEDAR_AND_AND)) {
        operator(f);
        relation(f);
    }
    close(f);
    return chain ? group : 0;
}

/* What a && b || c joins more tightly is a level deeper when it takes several lines. */
static void or (struct format * f)
{
    open(f);
    size_t tight = and(f);
    bool chain = at(f, CEDAR_OR_OR);
    for (;;) {
        if (chain && tight)
            cedar_layout_deepen(&f->l, tight);
        if (!at(f, CEDAR_OR_OR))
            break;
        operator(f);
        tight = and(f);
    }
    close(f);
}

static void branch(struct format *f)
{
    take(f);
    f->l.level++;
    space(f);
    expr(f);
    f->l.level--;
}

static void expr(struct format *f)
{
    if (!at_word(f, "if")) {
        or (f);
        return;
    }
    open(f);
    branch(f);
    space(f);
    branch(f);
    space(f);
    branch(f);
    close(f);
}

/* Policies ------------------------------------------------------------------------------------ */

static void line(struct format *f)
{
    cedar_layout_place(&f->l, CEDAR_LAYOUT_BREAK);
}

static void annotation(struct format *f)
{
    take(f);
    take(f);
    if (at(f, '(')) {
        take(f);
        take(f);
        take(f);
    }
    line(f);
}

static void scope(struct format *f)
{
    take(f);
    if (at_word(f, "is"))
        operation(f, name);
    if (at(f, CEDAR_EQUAL) || at_word(f, "in"))
        operation(f, primary);
}

/* A scope that restricts something has a line for each of its parts. */
static bool restricts(const struct format *f)
{
    struct cedar_lexer ahead = f->lexer;
    struct cedar_token token;
    for (unsigned words = 0; words < 3; words++) {
        NK_MUST(cedar_lex(&ahead, &token) && cedar_lex(&ahead, &token));
        if (token.kind != ',' && token.kind != ')')
            return true;
    }
    return false;
}

static void scopes(struct format *f)
{
    enum cedar_layout_kind place = restricts(f) ? CEDAR_LAYOUT_BREAK : CEDAR_LAYOUT_CUT;
    gap(f);
    open(f);
    take(f);
    f->l.level++;
    cedar_layout_place(&f->l, place);
    while (!at(f, ')')) {
        scope(f);
        if (at(f, ','))
            comma(f, ')');
    }
    leading(f);
    f->l.level--;
    cedar_layout_place(&f->l, place);
    take(f);
    close(f);
}

static void condition(struct format *f)
{
    line(f);
    open(f);
    take(f);
    space(f);
    take(f);
    f->l.level++;
    space(f);
    expr(f);
    leading(f);
    f->l.level--;
    space(f);
    take(f);
    close(f);
}

static void policy(struct format *f)
{
    while (at(f, '@'))
        annotation(f);
    take(f);
    scopes(f);
    while (at(f, CEDAR_IDENT))
        condition(f);
    take(f); /* ';' */
    cedar_layout_flush(&f->l);
}

/* Comments before a policy or the end: as they are, at the margin. */
static void margin(struct format *f, bool first)
{
    for (size_t i = 0; i < f->n; i++) {
        if (!first && f->comments[i].apart)
            nk_buf_add_char(f->l.out, '\n');
        nk_buf_add(f->l.out, f->comments[i].text);
        nk_buf_add_char(f->l.out, '\n');
        first = false;
    }
    if (f->n > 0 && f->apart && !at(f, CEDAR_END))
        nk_buf_add_char(f->l.out, '\n');
    f->n = 0;
}

static void file(struct format *f)
{
    next(f, true);
    for (bool first = true; !at(f, CEDAR_END); first = false) {
        if (!first && !(f->n > 0 && f->comments[0].apart))
            nk_buf_add_char(f->l.out, '\n');
        margin(f, first);
        policy(f);
    }
    margin(f, f->l.out->n == 0);
}

/* Checks -------------------------------------------------------------------------------------- */

static struct cedar_policy *parse(struct nk_str text, struct nk_arena *a, struct nk_fault *f,
                                  int *code)
{
    struct cedar_parser parser = {.lexer = {.text = text}, .arena = a, .fault = f};
    struct cedar_policy *list = cedar_parse_policies(&parser);
    *code = parser.code;
    return list;
}

/* The next comment of a text, or absent. */
static struct nk_str next_comment(struct cedar_lexer *l, struct nk_str *gap)
{
    struct nk_str none = {NULL, 0};
    struct cedar_token token;
    unsigned feeds;
    for (;;) {
        struct nk_str text = cut_comment(gap, &feeds);
        size_t from = l->at;
        if (text.p)
            return text;
        if (from == l->text.n || !cedar_lex(l, &token))
            return none;
        *gap = nk_str_sub(l->text, from, token.offset);
    }
}

static bool same_comments(struct nk_str a, struct nk_str b)
{
    struct cedar_lexer x = {.text = a}, y = {.text = b};
    struct nk_str gap_x = {"", 0}, gap_y = {"", 0}, one, other;
    do {
        one = next_comment(&x, &gap_x);
        other = next_comment(&y, &gap_y);
        if (!nk_str_eq(one, other))
            return false;
    } while (one.p && other.p);
    return !one.p && !other.p;
}

static int check(const struct cedar_policy *list, struct nk_str text, struct nk_str made,
                 struct nk_arena *a, struct nk_fault *f)
{
    int code;
    struct cedar_policy *again = parse(made, a, NULL, &code);
    bool same = code == 0 && same_comments(text, made);
    for (; same && list && again; list = list->next, again = again->next)
        same = cedar_policy_same(list, again);
    if (code == NK_ENOMEM)
        return nk_fault_set(f, NK_ENOMEM, "cedar", 0, "out of memory");
    return same && !list && !again
               ? 0
               : nk_fault_set(f, NK_EINVAL, "cedar", 0,
                              "internal error: laid out anew, this text would not be the same; it "
                              "stays as it is");
}

static int lay_out(struct format *f, const struct cedar_policy *list, struct nk_buf *made,
                   struct nk_fault *fault)
{
    file(f);
    int rc = f->no_memory ? NK_ENOMEM : f->l.items.error ? f->l.items.error : made->error;
    if (rc)
        return nk_fault_set(fault, rc, "cedar", 0, "there is no room to lay this text out");
    return check(list, f->lexer.text, nk_buf_str(made), f->arena, fault);
}

int nk_cedar_format(struct nk_str text, unsigned width, unsigned indent, struct nk_arena *a,
                    struct nk_buf *out, struct nk_fault *f)
{
    struct nk_buf made;
    int rc = cedar_check_text(text, f);
    if (!rc && (width < WIDTH_LEAST || width > WIDTH_MOST || indent > INDENT_MOST))
        rc = nk_fault_set(f, NK_EINVAL, "cedar", 0,
                          "a line has %d to %d characters, a level 0 to %d spaces", WIDTH_LEAST,
                          WIDTH_MOST, INDENT_MOST);
    const struct cedar_policy *list = rc ? NULL : parse(text, a, f, &rc);
    if (rc)
        return rc;
    nk_buf_init(&made, TEXT_MOST);
    struct format format = {
        .lexer = {.text = text}, .arena = a, .l = {.out = &made, .width = width, .indent = indent}};
    nk_buf_init(&format.l.items, ITEMS_MOST);
    rc = lay_out(&format, list, &made, f);
    if (!rc) {
        nk_buf_add(out, nk_buf_str(&made));
        rc = out->error ? nk_fault_set(f, out->error, "cedar", 0, "there is no room for the text")
                        : 0;
    }
    nk_buf_free(&format.l.items);
    nk_buf_free(&made);
    return rc;
}
