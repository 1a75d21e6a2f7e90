/* SPDX-License-Identifier: Apache-2.0
 *
 * parse_expr.c - expressions, one function for each level of the grammar, weakest first:
 *
 *   expr     = "if" expr "then" expr "else" expr | or
 *   or       = and {"||" and}
 *   and      = relation {"&&" relation}
 *   relation = sum [("<" "<=" ">=" ">" "!=" "==" "in") sum] | sum "has" path | sum "like" pattern
 *            | sum "is" type ["in" sum]                        (relations do not chain)
 *   sum      = product {("+" | "-") product}
 *   product  = unary {"*" unary}
 *   unary    = ["!" … | "-" …] member                          (at most four of a kind)
 *   member   = primary {"." name ["(" args ")"] | "[" string "]"}
 *   primary  = literal | variable | uid | name "(" args ")" | "(" expr ")" | set | record
 *
 * docs.cedarpolicy.com, "Grammar"; where it is silent the reference parser was asked.
 */
#include "cedar/parse.h"

enum { UNARY_MOST = 4 };

static struct cedar_node *node_new(struct cedar_parser *p, enum cedar_node_kind kind, size_t offset)
{
    if (p->code)
        return NULL;
    struct cedar_node *node = nk_arena_alloc(p->arena, sizeof *node);
    if (!node)
        return cedar_parse_fail(p, NK_ENOMEM, offset, "out of memory");
    struct cedar_span span = cedar_span_from(p, offset);
    *node = (struct cedar_node){.kind = (uint8_t)kind, .depth = 1, .span = span, .mark = span};
    return node;
}

/* The node ends where the parser stands. */
static struct cedar_node *ends(struct cedar_parser *p, struct cedar_node *node)
{
    if (!node || p->code)
        return NULL;
    node->span.end = (uint32_t)p->end;
    if (node->mark.end <= node->mark.offset) /* made before its first token was taken */
        node->mark = node->span;
    return node;
}

static struct cedar_node *marked(struct cedar_node *node, struct cedar_span mark)
{
    if (node)
        node->mark = mark;
    return node;
}

/* Appends a child behind *tail (the place of the next child's pointer); false on an error, also on
 * one that happened before (child NULL). */
static bool add_kid(struct cedar_parser *p, struct cedar_node *node, struct cedar_node ***tail,
                    struct cedar_node *kid)
{
    if (p->code || !node || !kid)
        return false;
    int rc = cedar_node_add(node, tail, kid);
    if (rc)
        cedar_parse_fail(p, rc, node->span.offset, "this expression is nested too deeply");
    return !p->code;
}

/* A node with one or two children (b may be NULL when there is one). */
static struct cedar_node *join(struct cedar_parser *p, enum cedar_node_kind kind, size_t offset,
                               struct cedar_node *a, struct cedar_node *b, unsigned n)
{
    struct cedar_node *node = node_new(p, kind, offset);
    struct cedar_node **tail = node ? &node->kid : NULL;
    if (!node || !add_kid(p, node, &tail, a) || (n > 1 && !add_kid(p, node, &tail, b)))
        return NULL;
    return node;
}

/* The node of a chain whose first child is there, and *tail for the next one. A chain that goes on
 * behind its parentheses stays one. */
static struct cedar_node *chain(struct cedar_parser *p, enum cedar_node_kind kind, size_t offset,
                                struct cedar_node *first, struct cedar_node ***tail)
{
    struct cedar_node *node = first, *last = first;
    if (first->kind != kind) {
        node = marked(join(p, kind, offset, first, NULL, 1), cedar_token_span(p));
    } else {
        node->span.offset = (uint32_t)offset;
        for (last = first->kid; last->next; last = last->next)
            ;
    }
    *tail = &last->next;
    return node;
}

static struct cedar_node *literal(struct cedar_parser *p, size_t offset,
                                  const struct nk_cedar_value *value)
{
    struct cedar_node *node = node_new(p, CEDAR_NODE_CONST, offset);
    if (node && !value)
        return cedar_parse_fail(p, NK_ENOMEM, offset, "out of memory");
    if (node)
        node->constant = value;
    return node;
}

static struct cedar_node *fold(struct cedar_parser *p, struct cedar_node *node)
{
    int rc = node && !p->code ? cedar_fold(p->arena, node) : 0;
    if (rc)
        return cedar_parse_fail(p, rc, node->span.offset, "this constant takes too much room");
    return ends(p, node);
}

/* Children up to `close`; the opening sign is taken. */
static struct cedar_node *list(struct cedar_parser *p, struct cedar_node *node,
                               struct cedar_node **tail, int close)
{
    if (p->code || cedar_take(p, close))
        return p->code ? NULL : node;
    do {
        if (!add_kid(p, node, &tail, cedar_parse_expr(p)))
            return NULL;
    } while (cedar_more(p, close));
    return p->code ? NULL : node;
}

static struct cedar_node *set(struct cedar_parser *p, size_t offset)
{
    struct cedar_node *node = node_new(p, CEDAR_NODE_SET, offset);
    cedar_next(p);
    return node ? fold(p, list(p, node, &node->kid, ']')) : NULL;
}

/* The same name twice? Sorting tells in n log n. */
static bool labels_unique(struct cedar_parser *p, const struct cedar_node *node)
{
    const struct nk_cedar_value *ignored;
    struct nk_cedar_member *members = nk_arena_array(p->arena, node->n, sizeof *members);
    size_t n = 0;
    for (const struct cedar_node *kid = node->kid; members && kid; kid = kid->next)
        members[n++] = (struct nk_cedar_member){kid->label, &cedar_false};
    int rc = members ? cedar_record_new(p->arena, members, n, &ignored) : NK_ENOMEM;
    if (rc == NK_ECONFLICT)
        return cedar_parse_fail(p, NK_EINVAL, node->span.offset, "this record has a name twice");
    return rc == 0 || cedar_parse_fail(p, rc, node->span.offset, "this record is too large");
}

static bool label(struct cedar_parser *p, struct nk_str *out)
{
    if (cedar_at(p, CEDAR_QUOTED))
        return cedar_take_string(p, out);
    *out = p->token.text;
    if (cedar_at(p, CEDAR_IDENT) && !cedar_name_free(*out))
        return cedar_parse_unexpected(p, "this word is reserved: write it in quotes");
    return cedar_need(p, CEDAR_IDENT, "expected an attribute's name");
}

static struct cedar_node *record(struct cedar_parser *p, size_t offset)
{
    struct cedar_node *node = node_new(p, CEDAR_NODE_RECORD, offset);
    struct cedar_node **tail = node ? &node->kid : NULL;
    struct nk_str name = {NULL, 0};
    cedar_next(p);
    if (!node || p->code)
        return NULL;
    if (!cedar_take(p, '}'))
        do {
            if (!label(p, &name) || !cedar_need(p, ':', "expected ':' behind the name"))
                return NULL;
            struct cedar_node *kid = cedar_parse_expr(p);
            if (!add_kid(p, node, &tail, kid))
                return NULL;
            kid->label = name;
        } while (cedar_more(p, '}'));
    return !p->code && labels_unique(p, node) ? fold(p, node) : NULL;
}

static struct cedar_node *number(struct cedar_parser *p)
{
    struct cedar_token token = p->token;
    if (token.number > INT64_MAX)
        return cedar_parse_unexpected(p, "this number does not fit in 64 bits");
    cedar_next(p);
    return literal(p, token.offset, nk_cedar_long(p->arena, (int64_t)token.number));
}

static struct cedar_node *text(struct cedar_parser *p)
{
    struct nk_str s;
    size_t offset = p->token.offset;
    if (!cedar_take_string(p, &s))
        return NULL;
    return literal(p, offset, nk_cedar_string(p->arena, s));
}

static struct cedar_node *parentheses(struct cedar_parser *p)
{
    cedar_next(p);
    struct cedar_node *node = cedar_parse_expr(p);
    return node && cedar_need(p, ')', "expected ')'") ? node : NULL;
}

static struct cedar_node *function(struct cedar_parser *p, size_t offset, struct nk_str name)
{
    const struct cedar_ext *ext = cedar_ext_find(name);
    if (!ext || ext->method)
        return cedar_parse_fail(p, NK_EINVAL, offset, "there is no function of this name");
    struct cedar_node *node = node_new(p, CEDAR_NODE_CALL, offset);
    cedar_next(p);
    if (!node)
        return NULL;
    node->ext = ext;
    return fold(p, list(p, node, &node->kid, ')'));
}

static int variable(struct nk_str name)
{
    for (int i = 0; i < CEDAR_VARS; i++)
        if (nk_str_eq(name, cedar_var_names[i]))
            return i;
    return -1;
}

/* principal, User::"alice", ip("…"), true */
static struct cedar_node *name(struct cedar_parser *p)
{
    size_t offset = p->token.offset;
    struct nk_str id, type = p->token.text;
    bool uid_follows;
    if (cedar_take_word(p, NK_STR("true")))
        return literal(p, offset, &cedar_true);
    if (cedar_take_word(p, NK_STR("false")))
        return literal(p, offset, &cedar_false);
    if (!cedar_take_type(p, &type, &uid_follows))
        return NULL;
    if (uid_follows)
        return cedar_take_string(p, &id)
                   ? literal(p, offset, nk_cedar_entity(p->arena, (struct nk_cedar_uid){type, id}))
                   : NULL;
    int var = variable(type);
    if (cedar_at(p, '(') && var < 0)
        return function(p, offset, type);
    struct cedar_node *node = node_new(p, CEDAR_NODE_VAR, offset);
    if (node && var < 0)
        return cedar_parse_fail(p, NK_EINVAL, offset,
                                "unknown name: the variables are principal, action, resource and "
                                "context; a string needs quotes");
    if (node)
        node->op = (uint8_t)var;
    return node;
}

static struct cedar_node *primary(struct cedar_parser *p)
{
    switch (p->token.kind) {
    case CEDAR_DIGITS:
        return number(p);
    case CEDAR_QUOTED:
        return text(p);
    case CEDAR_IDENT:
        return name(p);
    case CEDAR_SLOT:
        return cedar_parse_unexpected(p, "a slot may stand only in the scope");
    case '(':
        return parentheses(p);
    case '[':
        return set(p, p->token.offset);
    case '{':
        return record(p, p->token.offset);
    default:
        return cedar_parse_unexpected(p, "expected an expression");
    }
}

static struct cedar_node *attribute(struct cedar_parser *p, struct cedar_node *object,
                                    struct nk_str name, size_t offset, struct cedar_span mark)
{
    struct cedar_node *node = marked(join(p, CEDAR_NODE_ATTR, offset, object, NULL, 1), mark);
    if (node)
        node->name = name;
    return node;
}

static struct cedar_node *method(struct cedar_parser *p, struct cedar_node *object,
                                 struct nk_str name, size_t offset, struct cedar_span mark)
{
    uint8_t op;
    enum cedar_node_kind own = cedar_op_kind(name, &op);
    unsigned argc = cedar_method_argc(own);
    const struct cedar_ext *ext = argc ? NULL : cedar_ext_find(name);
    if (argc == 0 && (!ext || !ext->method))
        return cedar_parse_fail(p, NK_EINVAL, mark.offset, "there is no method of this name");
    struct cedar_node *node = join(p, ext ? CEDAR_NODE_CALL : own, offset, object, NULL, 1);
    cedar_next(p);
    if (!node)
        return NULL;
    node->ext = ext;
    node = list(p, marked(node, mark), &object->next, ')');
    if (node && !ext && node->n != argc)
        return cedar_parse_fail(p, NK_EINVAL, mark.offset, "wrong number of arguments");
    return ext ? fold(p, node) : ends(p, node);
}

static struct cedar_node *field(struct cedar_parser *p, struct cedar_node *object, size_t offset)
{
    cedar_next(p);
    struct nk_str name = p->token.text;
    struct cedar_span mark = cedar_token_span(p);
    if (cedar_at(p, CEDAR_IDENT) && !cedar_name_free(name))
        return cedar_parse_unexpected(p, "this word is reserved: write [\"…\"]");
    if (!cedar_need(p, CEDAR_IDENT, "expected an attribute's name"))
        return NULL;
    return cedar_at(p, '(') ? method(p, object, name, offset, mark)
                            : attribute(p, object, name, offset, mark);
}

static struct cedar_node *index_of(struct cedar_parser *p, struct cedar_node *object, size_t offset)
{
    struct nk_str name;
    cedar_next(p);
    struct cedar_span mark = cedar_token_span(p);
    if (!cedar_take_string(p, &name) || !cedar_need(p, ']', "expected ']'"))
        return NULL;
    return attribute(p, object, name, offset, mark);
}

static struct cedar_node *member(struct cedar_parser *p)
{
    size_t offset = p->token.offset;
    struct cedar_node *node = primary(p);
    while (node && !p->code) {
        if (cedar_at(p, '.'))
            node = field(p, node, offset);
        else if (cedar_at(p, '['))
            node = index_of(p, node, offset);
        else if (cedar_at(p, '('))
            return cedar_parse_unexpected(p, "only functions and methods can be called");
        else
            return node;
    }
    return NULL;
}

/* A minus sign belongs to the digits behind it, so that -9223372036854775808 can be written. */
static struct cedar_node *negative(struct cedar_parser *p, size_t offset, bool *used)
{
    uint64_t digits = p->token.number;
    struct cedar_lexer ahead = p->lexer;
    struct cedar_token token;
    *used =
        cedar_lex(&ahead, &token) && token.kind != '.' && token.kind != '[' && token.kind != '(';
    if (!*used)
        return member(p);
    if (digits > (uint64_t)INT64_MAX + 1)
        return cedar_parse_unexpected(p, "this number does not fit in 64 bits");
    cedar_next(p);
    return literal(p, offset, nk_cedar_long(p->arena, (int64_t)(0 - digits)));
}

static struct cedar_node *unary(struct cedar_parser *p)
{
    struct cedar_span signs[UNARY_MOST];
    int sign = p->token.kind;
    unsigned count = 0;
    bool used = false;
    if (p->code || (sign != '!' && sign != '-'))
        return p->code ? NULL : member(p);
    while (cedar_at(p, sign)) {
        if (count == UNARY_MOST)
            return cedar_parse_unexpected(p, "at most four '!' or '-' may follow each other");
        signs[count++] = cedar_token_span(p);
        cedar_next(p);
    }
    if (p->code)
        return NULL;
    struct cedar_node *node = sign == '-' && cedar_at(p, CEDAR_DIGITS)
                                  ? negative(p, signs[count - 1].offset, &used)
                                  : member(p);
    for (count -= used; node && count > 0; count--)
        node = marked(join(p, sign == '!' ? CEDAR_NODE_NOT : CEDAR_NODE_NEG,
                           signs[count - 1].offset, node, NULL, 1),
                      signs[count - 1]);
    return node;
}

static struct cedar_node *product(struct cedar_parser *p)
{
    size_t offset = p->token.offset;
    struct cedar_node *first = unary(p);
    if (cedar_at(p, '/') || cedar_at(p, '%'))
        return cedar_parse_unexpected(p, "Cedar has neither division nor remainder");
    if (!first || !cedar_at(p, '*'))
        return first;
    struct cedar_node **tail;
    struct cedar_node *node = chain(p, CEDAR_NODE_PRODUCT, offset, first, &tail);
    while (node && cedar_take(p, '*'))
        if (!add_kid(p, node, &tail, unary(p)))
            return NULL;
    if (cedar_at(p, '/') || cedar_at(p, '%'))
        return cedar_parse_unexpected(p, "Cedar has neither division nor remainder");
    return ends(p, node);
}

static struct cedar_node *sum(struct cedar_parser *p)
{
    size_t offset = p->token.offset;
    struct cedar_node *first = product(p);
    if (!first || (!cedar_at(p, '+') && !cedar_at(p, '-')))
        return first;
    struct cedar_node **tail;
    struct cedar_node *node = chain(p, CEDAR_NODE_SUM, offset, first, &tail);
    while (node && (cedar_at(p, '+') || cedar_at(p, '-'))) {
        bool minus = cedar_at(p, '-');
        cedar_next(p);
        struct cedar_node *kid = product(p);
        if (!add_kid(p, node, &tail, kid))
            return NULL;
        kid->minus = minus;
    }
    return ends(p, node);
}

/* a, a.b.c or "any string"; the word `has` is taken. */
static struct cedar_node *has(struct cedar_parser *p, struct cedar_node *object, size_t offset)
{
    struct cedar_node *node = join(p, CEDAR_NODE_HAS, offset, object, NULL, 1);
    struct nk_str path[CEDAR_DEPTH];
    size_t start = p->token.offset;
    uint32_t n = 0;
    bool quoted = cedar_at(p, CEDAR_QUOTED);
    do {
        if (n == CEDAR_DEPTH)
            return cedar_parse_fail(p, NK_ELIMIT, offset, "this path is too long");
        if (cedar_at(p, CEDAR_QUOTED) && n > 0)
            return cedar_parse_unexpected(p, "expected an attribute's name");
        if (!label(p, &path[n++]))
            return NULL;
    } while (!quoted && cedar_take(p, '.'));
    struct nk_str *own = node ? nk_arena_array(p->arena, n, sizeof *own) : NULL;
    if (!own)
        return cedar_parse_fail(p, NK_ENOMEM, offset, "out of memory");
    for (uint32_t i = 0; i < n; i++)
        own[i] = path[i];
    node->path = own;
    node->path_n = n;
    return ends(p, marked(node, cedar_span_from(p, start)));
}

static struct cedar_node *like(struct cedar_parser *p, struct cedar_node *object, size_t offset)
{
    struct cedar_node *node = join(p, CEDAR_NODE_LIKE, offset, object, NULL, 1);
    size_t bad = 0;
    if (!cedar_at(p, CEDAR_QUOTED))
        return cedar_parse_unexpected(p, "expected a pattern in double quotes");
    if (!node)
        return NULL;
    int rc = cedar_unescape_pattern(p->token.text, p->arena, &node->path, &node->path_n, &bad);
    if (rc)
        return cedar_parse_fail(p, rc, p->token.offset + 1 + bad, "this escape is not allowed");
    node->mark = cedar_token_span(p);
    cedar_next(p);
    return ends(p, node);
}

static struct cedar_node *is(struct cedar_parser *p, struct cedar_node *object, size_t offset)
{
    struct nk_str type;
    bool uid_follows;
    size_t start = p->token.offset;
    if (!cedar_take_type(p, &type, &uid_follows))
        return NULL;
    struct cedar_span mark = cedar_span_from(p, start);
    if (uid_follows)
        return cedar_parse_unexpected(p, "expected the name of a type, not an entity");
    bool in = cedar_take_word(p, NK_STR("in"));
    struct cedar_node *other = in ? sum(p) : NULL;
    struct cedar_node *node =
        marked(join(p, CEDAR_NODE_IS, offset, object, other, in ? 2 : 1), mark);
    if (node)
        node->name = type;
    return node;
}

static const struct {
    int token;
    uint8_t kind, op;
} comparisons[] = {
    {CEDAR_EQUAL, CEDAR_NODE_EQ, 0},          {CEDAR_NOT_EQUAL, CEDAR_NODE_EQ, 1},
    {'<', CEDAR_NODE_LESS, CEDAR_LT},         {CEDAR_LESS_EQ, CEDAR_NODE_LESS, CEDAR_LE},
    {'>', CEDAR_NODE_LESS, CEDAR_GT},         {CEDAR_GREATER_EQ, CEDAR_NODE_LESS, CEDAR_GE},
    {CEDAR_IDENT /* in */, CEDAR_NODE_IN, 0},
};

/* Index of the comparison at hand, or NK_COUNT(comparisons). */
static size_t comparison(const struct cedar_parser *p)
{
    size_t i = 0;
    while (i < NK_COUNT(comparisons) &&
           !(cedar_at(p, comparisons[i].token) &&
             (comparisons[i].token != CEDAR_IDENT || cedar_at_word(p, NK_STR("in")))))
        i++;
    return i;
}

static struct cedar_node *compare(struct cedar_parser *p, struct cedar_node *left, size_t offset)
{
    size_t i = comparison(p);
    if (cedar_at(p, '='))
        return cedar_parse_unexpected(p, "'=' means nothing here; equality is '=='");
    if (!left || i == NK_COUNT(comparisons))
        return left;
    struct cedar_span mark = cedar_token_span(p);
    cedar_next(p);
    struct cedar_node *right = sum(p);
    struct cedar_node *node = marked(join(p, comparisons[i].kind, offset, left, right, 2), mark);
    if (node)
        node->op = comparisons[i].op;
    if (comparison(p) < NK_COUNT(comparisons))
        return cedar_parse_unexpected(p, "comparisons do not chain; use parentheses");
    return node;
}

static struct cedar_node *relation(struct cedar_parser *p)
{
    size_t offset = p->token.offset;
    struct cedar_node *left = sum(p);
    if (!left)
        return NULL;
    if (cedar_take_word(p, NK_STR("has")))
        return has(p, left, offset);
    if (cedar_take_word(p, NK_STR("like")))
        return like(p, left, offset);
    if (cedar_take_word(p, NK_STR("is")))
        return is(p, left, offset);
    return compare(p, left, offset);
}

static struct cedar_node * and (struct cedar_parser * p)
{
    size_t offset = p->token.offset;
    struct cedar_node *first = relation(p);
    if (!first || !cedar_at(p, CEDAR_AND_AND))
        return first;
    struct cedar_node **tail;
    struct cedar_node *node = chain(p, CEDAR_NODE_AND, offset, first, &tail);
    while (node && cedar_take(p, CEDAR_AND_AND))
        if (!add_kid(p, node, &tail, relation(p)))
            return NULL;
    return ends(p, node);
}

static struct cedar_node * or (struct cedar_parser * p)
{
    size_t offset = p->token.offset;
    struct cedar_node *first = and(p);
    if (!first || !cedar_at(p, CEDAR_OR_OR))
        return first;
    struct cedar_node **tail;
    struct cedar_node *node = chain(p, CEDAR_NODE_OR, offset, first, &tail);
    while (node && cedar_take(p, CEDAR_OR_OR))
        if (!add_kid(p, node, &tail, and(p)))
            return NULL;
    return ends(p, node);
}

static struct cedar_node *if_then_else(struct cedar_parser *p)
{
    struct cedar_node *node = node_new(p, CEDAR_NODE_IF, p->token.offset);
    struct cedar_node **tail = node ? &node->kid : NULL;
    cedar_next(p);
    if (!add_kid(p, node, &tail, cedar_parse_expr(p)))
        return NULL;
    if (!cedar_take_word(p, NK_STR("then")))
        return cedar_parse_unexpected(p, "expected 'then'");
    if (!add_kid(p, node, &tail, cedar_parse_expr(p)))
        return NULL;
    if (!cedar_take_word(p, NK_STR("else")))
        return cedar_parse_unexpected(p, "expected 'else'");
    return add_kid(p, node, &tail, cedar_parse_expr(p)) ? ends(p, node) : NULL;
}

struct cedar_node *cedar_parse_expr(struct cedar_parser *p)
{
    if (p->code)
        return NULL;
    if (p->depth == CEDAR_DEPTH)
        return cedar_parse_fail(p, NK_ELIMIT, p->token.offset,
                                "this expression is nested too deeply");
    p->depth++;
    struct cedar_node *node = cedar_at_word(p, NK_STR("if")) ? if_then_else(p) : or (p);
    p->depth--;
    return p->code ? NULL : node;
}
