/* SPDX-License-Identifier: Apache-2.0
 *
 * est_expr.c - expressions in Cedar's JSON form: an object with one member, whose name is the
 * operator (docs.cedarpolicy.com, "JSON policy format"):
 *
 *   {"Value": value}  {"Var": name}  {"!": {"arg": e}}  {"&&": {"left": e, "right": e}}
 *   {".": {"left": e, "attr": name}}  {"has": {"left": e, "attr": name or [names]}}
 *   {"like": {"left": e, "pattern": ["Wildcard", {"Literal": text} …]}}
 *   {"is": {"left": e, "entity_type": name, "in": e}}  {"if-then-else": {"if": e, "then": e, "else": e}}
 *   {"Set": [e …]}  {"Record": {name: e}}  {function: [e …]}, a method's object is its first e
 *
 * What leans to the left with one operator is one chain: it is walked down in a loop, so that a
 * chain may be as long as it likes, and everything else counts as depth.
 */
#include "cedar/est.h"

#include <string.h>

static struct cedar_node *node_new(struct cedar_est *r, uint32_t at, enum cedar_node_kind kind)
{
    struct cedar_node *node = r->code ? NULL : nk_arena_alloc(r->arena, sizeof *node);
    if (!node)
        return cedar_est_fail(r, at, NK_ENOMEM, "out of memory");
    *node = (struct cedar_node){.kind = (uint8_t)kind, .depth = 1};
    return node;
}

static bool add(struct cedar_est *r, uint32_t at, struct cedar_node *node,
                struct cedar_node ***tail, struct cedar_node *kid)
{
    if (!node || !kid)
        return false;
    int rc = cedar_node_add(node, tail, kid);
    return rc == 0 || cedar_est_fail(r, at, rc, "this expression is nested too deeply");
}

/* A node whose first child is there; *tail is for the next one. */
static struct cedar_node *parent(struct cedar_est *r, uint32_t at, enum cedar_node_kind kind,
                                 struct cedar_node *kid, struct cedar_node ***tail)
{
    struct cedar_node *node = kid ? node_new(r, at, kind) : NULL;
    if (!node)
        return NULL;
    *tail = &node->kid;
    return add(r, at, node, tail, kid) ? node : NULL;
}

static struct cedar_node *literal(struct cedar_est *r, uint32_t at, const struct nk_cedar_value *v)
{
    struct cedar_node *node = node_new(r, at, CEDAR_NODE_CONST);
    if (node && !v)
        return cedar_est_fail(r, at, NK_ENOMEM, "out of memory");
    if (node)
        node->constant = v;
    return node;
}

static struct cedar_node *fold(struct cedar_est *r, uint32_t at, struct cedar_node *node)
{
    int rc = node ? cedar_fold(r->arena, node) : 0;
    return rc ? cedar_est_fail(r, at, rc, "this constant takes too much room") : node;
}

typedef struct cedar_node *read_fn(struct cedar_est *r, uint32_t at);

static read_fn value;

/* The elements of array `at`, each read with `read`, behind *tail. */
static bool elements(struct cedar_est *r, uint32_t at, struct cedar_node *node, read_fn *read)
{
    struct cedar_node **tail = node ? &node->kid : NULL;
    if (!node)
        return false;
    if (nk_json_type(r->doc, at) != NK_JSON_ARRAY)
        return cedar_est_fail(r, at, NK_EINVAL, "expected an array");
    for (uint32_t i = nk_json_first(r->doc, at); i != NK_JSON_NONE; i = nk_json_next(r->doc, at, i))
        if (!add(r, i, node, &tail, read(r, i)))
            return false;
    return true;
}

static struct cedar_node *set(struct cedar_est *r, uint32_t at, read_fn *read)
{
    struct cedar_node *node = node_new(r, at, CEDAR_NODE_SET);
    return elements(r, at, node, read) ? fold(r, at, node) : NULL;
}

static struct cedar_node *record(struct cedar_est *r, uint32_t at, read_fn *read)
{
    struct cedar_node *node = node_new(r, at, CEDAR_NODE_RECORD);
    struct cedar_node **tail = node ? &node->kid : NULL;
    if (!node)
        return NULL;
    if (nk_json_type(r->doc, at) != NK_JSON_OBJECT)
        return cedar_est_fail(r, at, NK_EINVAL, "expected an object");
    for (uint32_t i = nk_json_first(r->doc, at); i != NK_JSON_NONE;
         i = nk_json_next(r->doc, at, i)) {
        struct nk_str label;
        struct cedar_node *kid = cedar_est_string(r, i, &label) ? read(r, i + 1) : NULL;
        if (!add(r, i, node, &tail, kid))
            return NULL;
        kid->label = label;
    }
    return fold(r, at, node);
}

/* Values -------------------------------------------------------------------------------------- */

static const struct cedar_ext *function(struct cedar_est *r, uint32_t at)
{
    struct nk_str name;
    if (!cedar_est_string(r, at, &name))
        return NULL;
    const struct cedar_ext *ext = cedar_ext_find(name);
    return ext ? ext : cedar_est_fail_name(r, at, "there is no operator or function");
}

static struct cedar_node *called(struct cedar_est *r, uint32_t at, struct cedar_node *node)
{
    if (node && node->ext->method && node->n == 0)
        return cedar_est_fail(r, at, NK_EINVAL, "a method needs the object that it is called on");
    return fold(r, at, node);
}

/* {"fn": name, "arg": value} or {"fn": name, "args": [values]} */
static struct cedar_node *extension(struct cedar_est *r, uint32_t at)
{
    struct cedar_est_member m[] = {{"fn", false, 0}, {"arg", true, 0}, {"args", true, 0}};
    if (!cedar_est_members(r, at, m, NK_COUNT(m)))
        return NULL;
    if ((m[1].at == NK_JSON_NONE) == (m[2].at == NK_JSON_NONE))
        return cedar_est_fail(r, at, NK_EINVAL, "expected either \"arg\" or \"args\"");
    const struct cedar_ext *ext = function(r, m[0].at);
    struct cedar_node *node = ext ? node_new(r, at, CEDAR_NODE_CALL) : NULL;
    struct cedar_node **tail = node ? &node->kid : NULL;
    if (!node)
        return NULL;
    node->ext = ext;
    bool ok = m[1].at != NK_JSON_NONE ? add(r, at, node, &tail, value(r, m[1].at))
                                      : elements(r, m[2].at, node, value);
    return ok ? called(r, at, node) : NULL;
}

static struct cedar_node *object(struct cedar_est *r, uint32_t at)
{
    uint32_t entity = nk_json_get(r->doc, at, NK_STR("__entity"));
    uint32_t extn = nk_json_get(r->doc, at, NK_STR("__extn"));
    struct nk_cedar_uid uid;
    if (nk_json_get(r->doc, at, NK_STR("__expr")) != NK_JSON_NONE)
        return cedar_est_fail(r, at, NK_EINVAL, "__expr is no longer part of Cedar");
    if (entity == NK_JSON_NONE && extn == NK_JSON_NONE)
        return record(r, at, value);
    if (r->doc->tape[at].count != 1)
        return cedar_est_fail(r, at, NK_EINVAL, "an escape must be the only member of its object");
    if (extn != NK_JSON_NONE)
        return extension(r, extn);
    return cedar_est_uid(r, at, &uid) ? literal(r, at, nk_cedar_entity(r->arena, uid)) : NULL;
}

static struct cedar_node *scalar(struct cedar_est *r, uint32_t at)
{
    struct nk_str text;
    int64_t number;
    switch (nk_json_type(r->doc, at)) {
    case NK_JSON_TRUE:
        return literal(r, at, &cedar_true);
    case NK_JSON_FALSE:
        return literal(r, at, &cedar_false);
    case NK_JSON_STRING:
        return cedar_est_string(r, at, &text) ? literal(r, at, nk_cedar_string(r->arena, text))
                                              : NULL;
    default:
        if (nk_json_i64(r->doc, at, &number) == 0)
            return literal(r, at, nk_cedar_long(r->arena, number));
        return cedar_est_fail(r, at, NK_EINVAL,
                              "Cedar has neither null nor numbers with fractions, and integers "
                              "must fit in 64 bits");
    }
}

static bool enter(struct cedar_est *r, uint32_t at)
{
    if (r->depth == CEDAR_DEPTH)
        return cedar_est_fail(r, at, NK_ELIMIT, "this expression is nested too deeply");
    r->depth++;
    return true;
}

/* A value as the forms of Cedar's data say it: it becomes the expression that makes it. */
static struct cedar_node *value(struct cedar_est *r, uint32_t at)
{
    struct cedar_node *node;
    if (r->code || !enter(r, at))
        return NULL;
    switch (nk_json_type(r->doc, at)) {
    case NK_JSON_OBJECT:
        node = object(r, at);
        break;
    case NK_JSON_ARRAY:
        node = set(r, at, value);
        break;
    default:
        node = scalar(r, at);
    }
    r->depth--;
    return node;
}

/* Operators ----------------------------------------------------------------------------------- */

static struct cedar_node *variable(struct cedar_est *r, uint32_t at)
{
    for (unsigned var = 0; var < CEDAR_VARS; var++)
        if (nk_json_is(r->doc, at, cedar_var_names[var])) {
            struct cedar_node *node = node_new(r, at, CEDAR_NODE_VAR);
            if (node)
                node->op = (uint8_t)var;
            return node;
        }
    return cedar_est_fail(r, at, NK_EINVAL,
                          "the variables are principal, action, resource and context");
}

static struct cedar_node *unary(struct cedar_est *r, uint32_t at, enum cedar_node_kind kind)
{
    struct cedar_est_member m[] = {{"arg", false, 0}};
    struct cedar_node **tail;
    if (!cedar_est_members(r, at, m, NK_COUNT(m)))
        return NULL;
    return parent(r, at, kind, cedar_est_expr(r, m[0].at), &tail);
}

static struct cedar_node *binary(struct cedar_est *r, uint32_t at, enum cedar_node_kind kind,
                                 uint8_t op)
{
    struct cedar_est_member m[] = {{"left", false, 0}, {"right", false, 0}};
    struct cedar_node **tail;
    if (!cedar_est_members(r, at, m, NK_COUNT(m)))
        return NULL;
    struct cedar_node *node = parent(r, at, kind, cedar_est_expr(r, m[0].at), &tail);
    if (!node || !add(r, at, node, &tail, cedar_est_expr(r, m[1].at)))
        return NULL;
    node->op = op;
    return node;
}

/* The kind of expression `at`, or KINDS for what has no operator of that table. */
static enum cedar_node_kind kind_at(struct cedar_est *r, uint32_t at, uint8_t *op)
{
    uint32_t name = nk_json_first(r->doc, at);
    if (nk_json_type(r->doc, at) != NK_JSON_OBJECT || name == NK_JSON_NONE)
        return CEDAR_NODE_KINDS;
    struct nk_str text = nk_json_string(r->doc, name, r->arena); /* "&&", "\u0026\u0026" */
    return text.p ? cedar_op_kind(text, op) : CEDAR_NODE_KINDS;
}

/* One link of a chain on the way down: its right side. */
struct link {
    struct link *outer;
    uint32_t right;
    uint8_t minus;
};

static struct cedar_node *chain(struct cedar_est *r, uint32_t at, enum cedar_node_kind kind)
{
    struct link *inner = NULL;
    struct cedar_node **tail;
    uint32_t down = at;
    uint8_t op = 0;
    while (r->doc->tape[down].count == 1 && kind_at(r, down, &op) == kind) {
        struct cedar_est_member m[] = {{"left", false, 0}, {"right", false, 0}};
        struct link *link = nk_arena_alloc(r->arena, sizeof *link);
        if (!link)
            return cedar_est_fail(r, down, NK_ENOMEM, "out of memory");
        if (!cedar_est_members(r, nk_json_first(r->doc, down) + 1, m, NK_COUNT(m)))
            return NULL;
        *link = (struct link){inner, m[1].at, op};
        inner = link;
        down = m[0].at;
        op = 0;
    }
    struct cedar_node *node = parent(r, at, kind, cedar_est_expr(r, down), &tail);
    for (const struct link *link = inner; node && link; link = link->outer) {
        struct cedar_node *kid = cedar_est_expr(r, link->right);
        if (!add(r, at, node, &tail, kid))
            return NULL;
        kid->minus = link->minus;
    }
    return node;
}

static struct cedar_node *attribute(struct cedar_est *r, uint32_t at)
{
    struct cedar_est_member m[] = {{"left", false, 0}, {"attr", false, 0}};
    struct cedar_node **tail;
    struct nk_str name;
    if (!cedar_est_members(r, at, m, NK_COUNT(m)) || !cedar_est_string(r, m[1].at, &name))
        return NULL;
    struct cedar_node *node = parent(r, at, CEDAR_NODE_ATTR, cedar_est_expr(r, m[0].at), &tail);
    if (node)
        node->name = name;
    return node;
}

/* "attr": one name, or an array of names from the outside to the inside. */
static bool has_path(struct cedar_est *r, uint32_t at, struct cedar_node *node)
{
    bool list = nk_json_type(r->doc, at) == NK_JSON_ARRAY;
    uint32_t n = list ? r->doc->tape[at].count : 1, i = 0;
    if (n == 0 || n > CEDAR_DEPTH)
        return cedar_est_fail(r, at, n ? NK_ELIMIT : NK_EINVAL,
                              "this path has no names, or too many");
    struct nk_str *path = nk_arena_array(r->arena, n, sizeof *path);
    if (!path)
        return cedar_est_fail(r, at, NK_ENOMEM, "out of memory");
    for (uint32_t item = list ? nk_json_first(r->doc, at) : at; i < n; i++) {
        if (!cedar_est_string(r, item, &path[i]))
            return false;
        item = list ? nk_json_next(r->doc, at, item) : item;
    }
    node->path = path;
    node->path_n = n;
    return true;
}

static struct cedar_node *has(struct cedar_est *r, uint32_t at)
{
    struct cedar_est_member m[] = {{"left", false, 0}, {"attr", false, 0}};
    struct cedar_node **tail;
    if (!cedar_est_members(r, at, m, NK_COUNT(m)))
        return NULL;
    struct cedar_node *node = parent(r, at, CEDAR_NODE_HAS, cedar_est_expr(r, m[0].at), &tail);
    return node && has_path(r, m[1].at, node) ? node : NULL;
}

/* Puts the literals between two wildcards together. */
static bool pattern(struct cedar_est *r, uint32_t at, struct cedar_node *node)
{
    if (nk_json_type(r->doc, at) != NK_JSON_ARRAY)
        return cedar_est_fail(r, at, NK_EINVAL,
                              "expected an array of \"Wildcard\" and {\"Literal\"}");
    struct nk_str *parts =
        nk_arena_array(r->arena, (size_t)r->doc->tape[at].count + 1, sizeof *parts);
    struct nk_str span = nk_json_span(r->doc, at);
    char *text = nk_arena_alloc(r->arena, span.n); /* JSON is longer than what it says */
    if (!parts || !text)
        return cedar_est_fail(r, at, NK_ENOMEM, "out of memory");
    uint32_t n = 0;
    size_t used = 0;
    parts[0] = (struct nk_str){text, 0};
    for (uint32_t i = nk_json_first(r->doc, at); i != NK_JSON_NONE;
         i = nk_json_next(r->doc, at, i)) {
        struct cedar_est_member m[] = {{"Literal", false, 0}};
        struct nk_str literal;
        if (nk_json_is(r->doc, i, NK_STR("Wildcard"))) {
            parts[++n] = (struct nk_str){text + used, 0};
            continue;
        }
        if (!cedar_est_members(r, i, m, NK_COUNT(m)) || !cedar_est_string(r, m[0].at, &literal))
            return false;
        memcpy(text + used, literal.p, literal.n);
        used += literal.n;
        parts[n].n += literal.n;
    }
    node->path = parts;
    node->path_n = n + 1;
    return true;
}

static struct cedar_node *like(struct cedar_est *r, uint32_t at)
{
    struct cedar_est_member m[] = {{"left", false, 0}, {"pattern", false, 0}};
    struct cedar_node **tail;
    if (!cedar_est_members(r, at, m, NK_COUNT(m)))
        return NULL;
    struct cedar_node *node = parent(r, at, CEDAR_NODE_LIKE, cedar_est_expr(r, m[0].at), &tail);
    return node && pattern(r, m[1].at, node) ? node : NULL;
}

static struct cedar_node *is(struct cedar_est *r, uint32_t at)
{
    struct cedar_est_member m[] = {{"left", false, 0}, {"entity_type", false, 0}, {"in", true, 0}};
    struct cedar_node **tail;
    struct nk_str type;
    if (!cedar_est_members(r, at, m, NK_COUNT(m)) || !cedar_est_type(r, m[1].at, &type))
        return NULL;
    struct cedar_node *node = parent(r, at, CEDAR_NODE_IS, cedar_est_expr(r, m[0].at), &tail);
    if (!node)
        return NULL;
    node->name = type;
    if (m[2].at != NK_JSON_NONE && !add(r, at, node, &tail, cedar_est_expr(r, m[2].at)))
        return NULL;
    return node;
}

static struct cedar_node *if_then_else(struct cedar_est *r, uint32_t at)
{
    struct cedar_est_member m[] = {{"if", false, 0}, {"then", false, 0}, {"else", false, 0}};
    struct cedar_node **tail;
    if (!cedar_est_members(r, at, m, NK_COUNT(m)))
        return NULL;
    struct cedar_node *node = parent(r, at, CEDAR_NODE_IF, cedar_est_expr(r, m[0].at), &tail);
    for (size_t i = 1; i < NK_COUNT(m); i++)
        if (!node || !add(r, at, node, &tail, cedar_est_expr(r, m[i].at)))
            return NULL;
    return node;
}

static struct cedar_node *call(struct cedar_est *r, uint32_t at)
{
    const struct cedar_ext *ext = function(r, at);
    struct cedar_node *node = ext ? node_new(r, at, CEDAR_NODE_CALL) : NULL;
    if (!node)
        return NULL;
    node->ext = ext;
    return elements(r, at + 1, node, cedar_est_expr) ? called(r, at, node) : NULL;
}

static struct cedar_node *slot(struct cedar_est *r, uint32_t at)
{
    return cedar_est_fail(r, at, NK_EINVAL, "a slot may stand only in the scope");
}

static struct cedar_node *plain_value(struct cedar_est *r, uint32_t at)
{
    r->depth--; /* {"Value": 1} is one level, as 1 is in text */
    struct cedar_node *node = value(r, at);
    r->depth++;
    return node;
}

static struct cedar_node *expr_set(struct cedar_est *r, uint32_t at)
{
    return set(r, at, cedar_est_expr);
}

static struct cedar_node *expr_record(struct cedar_est *r, uint32_t at)
{
    return record(r, at, cedar_est_expr);
}

/* The expression of member `name`, whose value is the entry behind it. */
static struct cedar_node *operation(struct cedar_est *r, uint32_t at, uint32_t name)
{
    static const struct {
        struct nk_str name;
        read_fn *read;
    } forms[] = {{{"Value", 5}, plain_value},
                 {{"Var", 3}, variable},
                 {{"Slot", 4}, slot},
                 {{".", 1}, attribute},
                 {{"has", 3}, has},
                 {{"like", 4}, like},
                 {{"is", 2}, is},
                 {{"if-then-else", 12}, if_then_else},
                 {{"Set", 3}, expr_set},
                 {{"Record", 6}, expr_record}};
    uint8_t op;
    enum cedar_node_kind kind = kind_at(r, at, &op);
    if (cedar_is_chain(kind))
        return chain(r, at, kind);
    if (kind == CEDAR_NODE_NOT || kind == CEDAR_NODE_NEG || kind == CEDAR_NODE_IS_EMPTY)
        return unary(r, name + 1, kind);
    if (kind != CEDAR_NODE_KINDS)
        return binary(r, name + 1, kind, op);
    for (size_t i = 0; i < NK_COUNT(forms); i++)
        if (nk_json_is(r->doc, name, forms[i].name))
            return forms[i].read(r, name + 1);
    return call(r, name);
}

struct cedar_node *cedar_est_expr(struct cedar_est *r, uint32_t at)
{
    if (r->code || !enter(r, at))
        return NULL;
    if (nk_json_type(r->doc, at) != NK_JSON_OBJECT || r->doc->tape[at].count != 1)
        return cedar_est_fail(r, at, NK_EINVAL,
                              "an expression is an object with one member, its operator");
    struct cedar_node *node = operation(r, at, nk_json_first(r->doc, at));
    r->depth--;
    return r->code ? NULL : node;
}
