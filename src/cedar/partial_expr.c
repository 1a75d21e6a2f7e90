/* SPDX-License-Identifier: Apache-2.0
 *
 * partial_expr.c - expressions as far as they are known: to a value, to an error, or to what is left.
 * Operators on known values are the tree evaluator's own, so that there is one meaning. Where an
 * operand is not known, the rule is: what would be evaluated before it is still evaluated before it,
 * and it is dropped only when it cannot err.
 */
#include "cedar/node.h"
#include "cedar/parse.h"
#include "cedar/partial_own.h"
#include "cedar/schema_model.h"

/* Parts ---------------------------------------------------------------------------------------- */

static struct cedar_part known(const struct nk_cedar_value *value)
{
    return (struct cedar_part){.state = CEDAR_PART_VALUE, .value = value};
}

static struct cedar_part fails(struct cedar_partial *p, const char *what)
{
    cedar_fail(&p->eval.call, what);
    return (struct cedar_part){.state = CEDAR_PART_ERROR};
}

/* A value, or the error that was noted instead. */
static struct cedar_part found(const struct nk_cedar_value *value)
{
    return value ? known(value) : (struct cedar_part){.state = CEDAR_PART_ERROR};
}

/* The kind that the operator's value has, if it has one. */
static uint8_t kind_of(const struct cedar_node *node)
{
    switch ((enum cedar_node_kind)node->kind) {
    case CEDAR_NODE_NEG:
    case CEDAR_NODE_SUM:
    case CEDAR_NODE_PRODUCT:
        return CEDAR_LONG;
    case CEDAR_NODE_SET:
        return CEDAR_SET;
    case CEDAR_NODE_RECORD:
        return CEDAR_RECORD;
    case CEDAR_NODE_CALL:
        return node->ext->result;
    case CEDAR_NODE_CONST:
    case CEDAR_NODE_VAR:
    case CEDAR_NODE_IF:
    case CEDAR_NODE_GET_TAG:
    case CEDAR_NODE_ATTR:
        return CEDAR_KIND_ANY;
    default:
        return CEDAR_BOOL;
    }
}

/* What is left: `like` over the parts; `original` means the same. */
static struct cedar_part rest(struct cedar_partial *p, const struct cedar_node *like,
                              const struct cedar_node *original, const struct cedar_part *parts,
                              size_t n, bool may_err)
{
    const struct cedar_node *node = cedar_rest_node(p, like, original, parts, n);
    if (!node)
        return found(NULL);
    return (struct cedar_part){
        .state = CEDAR_PART_REST, .may_err = may_err, .kind = kind_of(like), .node = node};
}

/* The operator itself, applied to values. */
static struct cedar_part apply(struct cedar_partial *p, const struct cedar_node *like,
                               const struct cedar_part *parts, size_t n)
{
    struct cedar_node node = *like;
    struct cedar_node *kids = nk_arena_array(p->eval.call.arena, n, sizeof *kids);
    const struct cedar_node *from = like->kid;
    if (!kids)
        return found(cedar_no_memory(&p->eval.call));
    node.kid = n ? kids : NULL;
    node.n = (uint32_t)n;
    for (size_t i = 0; i < n; i++) {
        kids[i] = (struct cedar_node){.kind = CEDAR_NODE_CONST,
                                      .minus = from ? from->minus : 0,
                                      .label = from ? from->label : (struct nk_str){NULL, 0},
                                      .constant = parts[i].value,
                                      .next = i + 1 < n ? &kids[i + 1] : NULL};
        from = from ? from->next : NULL;
    }
    return found(cedar_eval(&p->eval, &node));
}

/* A known variable of which something is not known: what is left says its name, not its value. */
static struct cedar_part as_written(const struct cedar_part *part)
{
    struct cedar_part out = *part;
    if (part->node->kind == CEDAR_NODE_VAR)
        out.state = CEDAR_PART_REST, out.kind = part->value->kind, out.may_err = false;
    return out;
}

static bool may_err(const struct cedar_part *part)
{
    return part->state == CEDAR_PART_ERROR || (part->state == CEDAR_PART_REST && part->may_err);
}

/* Can operators err -------------------------------------------------------------------------------
 */
static uint8_t part_kind(const struct cedar_part *part)
{
    return part->state == CEDAR_PART_VALUE ? part->value->kind : part->kind;
}

static bool are_ordered(const struct cedar_part *parts)
{
    uint8_t kind = part_kind(&parts[0]);
    return kind == part_kind(&parts[1]) &&
           (kind == CEDAR_LONG || kind == CEDAR_DATETIME || kind == CEDAR_DURATION);
}

/* Something that an entity can be asked to be in. */
static bool is_place(const struct cedar_part *part)
{
    if (cedar_part_is(part, CEDAR_ENTITY))
        return true;
    if (part->state != CEDAR_PART_VALUE || part->value->kind != CEDAR_SET)
        return false;
    for (uint32_t i = 0; i < part->value->n; i++)
        if (part->value->as.items[i]->kind != CEDAR_ENTITY)
            return false;
    return true;
}

/* Collections have a greatest depth: only what is not deep is sure to fit. */
static bool are_shallow(const struct cedar_part *parts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t kind = part_kind(&parts[i]);
        if (parts[i].state == CEDAR_PART_VALUE
                ? parts[i].value->depth > CEDAR_DEPTH
                : kind == CEDAR_SET || kind == CEDAR_RECORD || kind == CEDAR_KIND_ANY)
            return false;
    }
    return true;
}

/* Comparisons and questions of extension types cannot err; constructors and arithmetic can. */
static bool is_safe_call(const struct cedar_node *node, const struct cedar_part *parts, size_t n)
{
    if (node->ext->result != CEDAR_BOOL || n != node->ext->argc)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!cedar_part_is(&parts[i], (enum cedar_kind)node->ext->args[i]))
            return false;
    return true;
}

/* Is the operator sure not to err on operands that do not? */
static bool is_safe(const struct cedar_node *node, const struct cedar_part *parts, size_t n)
{
    switch ((enum cedar_node_kind)node->kind) {
    case CEDAR_NODE_EQ:
        return true;
    case CEDAR_NODE_NOT:
        return cedar_part_is(&parts[0], CEDAR_BOOL);
    case CEDAR_NODE_LESS:
        return are_ordered(parts);
    case CEDAR_NODE_IN:
        return cedar_part_is(&parts[0], CEDAR_ENTITY) && is_place(&parts[1]);
    case CEDAR_NODE_CONTAINS:
    case CEDAR_NODE_IS_EMPTY:
        return cedar_part_is(&parts[0], CEDAR_SET);
    case CEDAR_NODE_CONTAINS_ALL:
    case CEDAR_NODE_CONTAINS_ANY:
        return cedar_part_is(&parts[0], CEDAR_SET) && cedar_part_is(&parts[1], CEDAR_SET);
    case CEDAR_NODE_HAS_TAG:
        return cedar_part_is(&parts[0], CEDAR_ENTITY) && cedar_part_is(&parts[1], CEDAR_STRING);
    case CEDAR_NODE_LIKE:
        return cedar_part_is(&parts[0], CEDAR_STRING);
    case CEDAR_NODE_SET:
    case CEDAR_NODE_RECORD:
        return are_shallow(parts, n);
    case CEDAR_NODE_CALL:
        return is_safe_call(node, parts, n);
    default:
        return false;
    }
}

/* Operators that evaluate all their operands ------------------------------------------------------
 */
static struct nk_str entity_type(const struct cedar_part *part)
{
    if (part->state == CEDAR_PART_VALUE)
        return part->value->kind == CEDAR_ENTITY ? part->value->as.entity.uid.type
                                                 : (struct nk_str){NULL, 0};
    return part->type;
}

/* Two operands of ==, neither of which can err: can their values never be equal? */
static bool are_unlike(const struct cedar_part *a, const struct cedar_part *b)
{
    uint8_t x = part_kind(a), y = part_kind(b);
    struct nk_str s = entity_type(a), t = entity_type(b);
    if (x != CEDAR_KIND_ANY && y != CEDAR_KIND_ANY && x != y)
        return true;
    return s.p && t.p && !nk_str_eq(s, t);
}

static bool is_never_in(const struct cedar_partial *p, const struct cedar_part *a,
                        const struct cedar_part *b)
{
    struct nk_str type = entity_type(a);
    if (b->state != CEDAR_PART_VALUE)
        return b->type.p && cedar_never_in(p, type, b->type);
    if (b->value->kind == CEDAR_ENTITY)
        return cedar_never_in(p, type, b->value->as.entity.uid.type);
    for (uint32_t i = 0; i < b->value->n; i++)
        if (!cedar_never_in(p, type, b->value->as.items[i]->as.entity.uid.type))
            return false;
    return true;
}

/* May what the store says about this known entity and this operator be otherwise? */
static bool is_open(const struct cedar_partial *p, const struct cedar_node *node,
                    const struct cedar_part *parts)
{
    const struct nk_cedar_value *v = parts[0].value;
    if (v->kind != CEDAR_ENTITY)
        return false;
    switch ((enum cedar_node_kind)node->kind) {
    case CEDAR_NODE_ATTR:
        return cedar_attr_unknown(p, &v->as.entity, node->name);
    case CEDAR_NODE_HAS_TAG:
    case CEDAR_NODE_GET_TAG:
        return parts[1].value->kind == CEDAR_STRING && cedar_tags_unknown(p, &v->as.entity);
    case CEDAR_NODE_IN:
        return is_place(&parts[1]) && cedar_ancestors_unknown(p, v);
    default:
        return false;
    }
}

/* Is the entity one of those that it is asked to be in? Then it is so whatever its ancestors are. */
static bool is_among(const struct nk_cedar_value *v, const struct nk_cedar_value *in)
{
    return in->kind == CEDAR_SET ? cedar_set_has(in, v) : cedar_value_cmp(in, v) == 0;
}

/* An operator on a known entity of which what it asks for is not known. */
static struct cedar_part unsettled(struct cedar_partial *p, const struct cedar_node *like,
                                   const struct cedar_node *original,
                                   const struct cedar_part *parts, size_t n)
{
    if (like->kind == CEDAR_NODE_IN) {
        if (is_among(parts[0].value, parts[1].value))
            return known(&cedar_true);
        if (is_never_in(p, &parts[0], &parts[1]))
            return known(&cedar_false);
    }
    struct cedar_part shown[2] = {as_written(&parts[0]), parts[n - 1]};
    return rest(p, like, original, shown, n, !is_safe(like, parts, n));
}

/* The operands cannot err, nor can the operator on them: what else settles it? */
static bool settle(const struct cedar_partial *p, const struct cedar_node *node,
                   const struct cedar_part *parts, struct cedar_part *out)
{
    if (node->kind == CEDAR_NODE_EQ) {
        bool unlike = are_unlike(&parts[0], &parts[1]);
        bool same = parts[0].state == CEDAR_PART_REST && parts[1].state == CEDAR_PART_REST &&
                    cedar_expr_same(parts[0].node, parts[1].node);
        *out = known(cedar_truth(same != node->op));
        return unlike || same;
    }
    *out = known(&cedar_false);
    return node->kind == CEDAR_NODE_IN && is_never_in(p, &parts[0], &parts[1]);
}

/* `like` over operands that are all evaluated, in their order. An error in one is the error of all:
 * when what comes before errs as well, it is an error too. */
static struct cedar_part combine(struct cedar_partial *p, const struct cedar_node *like,
                                 const struct cedar_node *original, const struct cedar_part *parts,
                                 size_t n)
{
    bool left = false, errs = false;
    struct cedar_part out;
    for (size_t i = 0; i < n; i++) {
        if (parts[i].state == CEDAR_PART_ERROR)
            return parts[i];
        left |= parts[i].state == CEDAR_PART_REST;
        errs |= may_err(&parts[i]);
    }
    if (!left && n && is_open(p, like, parts))
        return unsettled(p, like, original, parts, n);
    if (!left)
        return apply(p, like, parts, n);
    errs |= !is_safe(like, parts, n);
    if (!errs && settle(p, like, parts, &out))
        return out;
    return rest(p, like, original, parts, n, errs);
}

static struct cedar_part strict(struct cedar_partial *p, const struct cedar_node *node)
{
    struct cedar_part *parts = nk_arena_array(p->eval.call.arena, node->n, sizeof *parts);
    size_t n = 0;
    if (!parts)
        return found(cedar_no_memory(&p->eval.call));
    for (const struct cedar_node *kid = node->kid; kid; kid = kid->next) {
        parts[n] = cedar_part(p, kid);
        if (parts[n++].state == CEDAR_PART_ERROR)
            return parts[n - 1];
    }
    return combine(p, node, node, parts, n);
}

/* Variables and attributes ------------------------------------------------------------------------
 */
static struct cedar_part variable(struct cedar_partial *p, const struct cedar_node *node)
{
    struct cedar_part out = {.state = CEDAR_PART_REST, .kind = CEDAR_ENTITY, .node = node};
    if (node->op == CEDAR_CONTEXT) {
        out.kind = CEDAR_RECORD;
        out.typed = p->action ? p->action->context : NULL;
        return cedar_context_whole(p->req) ? known(p->eval.vars[CEDAR_CONTEXT]) : out;
    }
    if (p->eval.vars[node->op])
        return known(p->eval.vars[node->op]);
    out.type = node->op == CEDAR_PRINCIPAL ? p->req->principal.type : p->req->resource.type;
    return out;
}

static bool is_context(const struct cedar_part *part)
{
    return part->state == CEDAR_PART_REST && part->node->kind == CEDAR_NODE_VAR &&
           part->node->op == CEDAR_CONTEXT;
}

/* What the schema says about the value that is left. */
static void give_type(struct cedar_part *part, const struct cedar_type *type)
{
    static const uint8_t kinds[] = {
        [CEDAR_TYPE_NEVER] = CEDAR_KIND_ANY,    [CEDAR_TYPE_TRUE] = CEDAR_BOOL,
        [CEDAR_TYPE_FALSE] = CEDAR_BOOL,        [CEDAR_TYPE_BOOL] = CEDAR_BOOL,
        [CEDAR_TYPE_LONG] = CEDAR_LONG,         [CEDAR_TYPE_STRING] = CEDAR_STRING,
        [CEDAR_TYPE_ANY_ENTITY] = CEDAR_ENTITY, [CEDAR_TYPE_EXT] = CEDAR_KIND_ANY,
        [CEDAR_TYPE_SET] = CEDAR_SET,           [CEDAR_TYPE_RECORD] = CEDAR_RECORD,
        [CEDAR_TYPE_ENTITY] = CEDAR_ENTITY};
    part->typed = type;
    part->kind = type->kind == CEDAR_TYPE_EXT ? type->ext : kinds[type->kind];
    if (type->kind == CEDAR_TYPE_ENTITY && type->n == 1)
        part->type = type->of.entities[0]->name;
}

static const struct cedar_etype *etype_of(const struct cedar_partial *p,
                                          const struct cedar_part *part)
{
    struct nk_str type = entity_type(part);
    return p->req->schema && type.p ? cedar_schema_etype(p->req->schema, type) : NULL;
}

/* What the schema says about an attribute, and whether it is sure to be there: one of an entity only
 * if the entity is. */
static const struct cedar_type_attr *declared(const struct cedar_partial *p,
                                              const struct cedar_part *part, struct nk_str name,
                                              bool *sure)
{
    const struct cedar_etype *etype = etype_of(p, part);
    bool entity = etype && etype->shape;
    const struct cedar_type *type = entity ? etype->shape : part->typed;
    const struct cedar_type_attr *attr =
        type && type->kind == CEDAR_TYPE_RECORD ? cedar_type_attr(type, name) : NULL;
    *sure = attr && attr->required;
    if (entity)
        *sure = *sure && part->state == CEDAR_PART_VALUE && cedar_entity_sure(p, part->value);
    return attr;
}

static struct cedar_part attribute(struct cedar_partial *p, const struct cedar_node *node)
{
    struct cedar_part from = cedar_part(p, node->kid), out;
    const struct nk_cedar_value *value = NULL;
    enum cedar_known state = CEDAR_UNKNOWN;
    bool sure;
    if (is_context(&from))
        state = cedar_context_attr(p, node->name, &value);
    if (state == CEDAR_KNOWN)
        return known(value);
    if (state == CEDAR_ABSENT)
        return fails(p, "attribute not found");
    out = combine(p, node, node, &from, 1);
    if (out.state != CEDAR_PART_REST)
        return out;
    const struct cedar_type_attr *attr = declared(p, &from, node->name, &sure);
    if (attr)
        give_type(&out, attr->type);
    if (sure)
        out.may_err = may_err(&from);
    out.may_err = out.may_err && !cedar_part_there(p, out.node);
    return out;
}

static struct cedar_part tag(struct cedar_partial *p, const struct cedar_node *node)
{
    struct cedar_part parts[2] = {cedar_part(p, node->kid)}, out;
    if (parts[0].state == CEDAR_PART_ERROR)
        return parts[0];
    parts[1] = cedar_part(p, node->kid->next);
    out = combine(p, node, node, parts, 2);
    if (out.state != CEDAR_PART_REST)
        return out;
    const struct cedar_etype *etype = etype_of(p, &parts[0]);
    if (etype && etype->tags)
        give_type(&out, etype->tags);
    out.may_err = out.may_err && !cedar_part_there(p, out.node);
    return out;
}

/* What is left of `has` from path[i] on. */
static struct cedar_part rest_of_has(struct cedar_partial *p, const struct cedar_node *node,
                                     const struct cedar_part *from, uint32_t i)
{
    struct cedar_node like = *node;
    like.path += i;
    like.path_n -= i;
    bool sure = like.path_n == 1 &&
                (cedar_part_is(from, CEDAR_ENTITY) || cedar_part_is(from, CEDAR_RECORD));
    if (i == 0)
        return rest(p, &like, node, from, 1, !sure || may_err(from));
    struct cedar_part at = *from; /* its value is an entity: as a node it is not deep */
    at.node = node->kid;
    return rest(p, &like, node, &at, 1, !sure);
}

/* From path[i] on, as cedar_has: until something is not known. */
static struct cedar_part has_of_value(struct cedar_partial *p, const struct cedar_node *node,
                                      const struct cedar_part *from, const struct nk_cedar_value *v,
                                      uint32_t i)
{
    for (; i < node->path_n; i++) {
        if (v->kind == CEDAR_ENTITY && cedar_attr_unknown(p, &v->as.entity, node->path[i])) {
            struct cedar_part at = known(v);
            bool sure;
            (void)declared(p, &at, node->path[i], &sure);
            if (sure && i + 1 == node->path_n)
                return known(&cedar_true);
            at.node = node->kid;
            if (i == 0)
                at = as_written(from);
            return rest_of_has(p, node, &at, i);
        }
        const struct nk_cedar_value *has = cedar_has(&p->eval, v, &node->path[i], 1);
        if (!has || !has->as.truth || i + 1 == node->path_n)
            return found(has);
        v = cedar_attr(&p->eval, v, node->path[i]);
    }
    return known(&cedar_true);
}

static struct cedar_part has(struct cedar_partial *p, const struct cedar_node *node)
{
    struct cedar_part from = cedar_part(p, node->kid);
    const struct nk_cedar_value *value = NULL;
    if (from.state == CEDAR_PART_ERROR)
        return from;
    if (from.state == CEDAR_PART_VALUE)
        return has_of_value(p, node, &from, from.value, 0);
    enum cedar_known state =
        is_context(&from) ? cedar_context_attr(p, node->path[0], &value) : CEDAR_UNKNOWN;
    if (state == CEDAR_ABSENT)
        return known(&cedar_false);
    if (state == CEDAR_KNOWN)
        return node->path_n == 1 ? known(&cedar_true) : has_of_value(p, node, &from, value, 1);
    bool sure;
    (void)declared(p, &from, node->path[0], &sure);
    if (sure && node->path_n == 1 && !from.may_err)
        return known(&cedar_true);
    return rest_of_has(p, node, &from, 0);
}

/* Operators that may leave operands out -----------------------------------------------------------
 */
static struct cedar_part is(struct cedar_partial *p, const struct cedar_node *node)
{
    struct cedar_part parts[2] = {cedar_part(p, node->kid)};
    struct nk_str type = entity_type(&parts[0]);
    if (parts[0].state == CEDAR_PART_ERROR)
        return parts[0];
    if (parts[0].state == CEDAR_PART_VALUE && parts[0].value->kind != CEDAR_ENTITY)
        return fails(p, cedar_expected(CEDAR_ENTITY));
    bool sure = type.p && !may_err(&parts[0]), fits = sure && nk_str_eq(type, node->name);
    if (sure && (!fits || node->n == 1))
        return known(cedar_truth(fits));
    bool errs = may_err(&parts[0]) || !cedar_part_is(&parts[0], CEDAR_ENTITY);
    if (node->n == 1)
        return rest(p, node, node, parts, 1, errs);
    parts[1] = cedar_part(p, node->kid->next);
    struct cedar_node in = *node;
    in.kind = CEDAR_NODE_IN;
    if (fits)
        return combine(p, &in, node, parts, 2);
    return rest(p, node, node, parts, 2, errs || may_err(&parts[1]) || !is_safe(&in, parts, 2));
}

static struct cedar_part choice(struct cedar_partial *p, const struct cedar_node *node)
{
    struct cedar_part parts[3] = {cedar_part(p, node->kid)};
    const struct cedar_node *then = node->kid->next;
    if (parts[0].state == CEDAR_PART_ERROR)
        return parts[0];
    if (parts[0].state == CEDAR_PART_VALUE) {
        if (parts[0].value->kind != CEDAR_BOOL)
            return fails(p, cedar_expected(CEDAR_BOOL));
        return cedar_part(p, parts[0].value->as.truth ? then : then->next);
    }
    unsigned there_n = p->there_n;
    cedar_part_true(p, parts[0].node);
    parts[1] = cedar_part(p, then);
    p->there_n = there_n;
    parts[2] = cedar_part(p, then->next);
    if (parts[1].state == CEDAR_PART_ERROR && parts[2].state == CEDAR_PART_ERROR)
        return parts[1];
    bool safe = !may_err(&parts[0]) && parts[0].kind == CEDAR_BOOL;
    if (safe && parts[1].state == CEDAR_PART_VALUE && parts[2].state == CEDAR_PART_VALUE &&
        cedar_value_cmp(parts[1].value, parts[2].value) == 0)
        return parts[1];
    struct cedar_part out =
        rest(p, node, node, parts, 3, !safe || may_err(&parts[1]) || may_err(&parts[2]));
    if (parts[1].state != CEDAR_PART_ERROR && parts[2].state != CEDAR_PART_ERROR &&
        part_kind(&parts[1]) == part_kind(&parts[2]))
        out.kind = part_kind(&parts[1]);
    return out;
}

/* && and || under way. */
struct chain {
    struct cedar_node *node, **tail;
    struct cedar_part last;
    size_t n;
    bool may_err, ended;
};

static bool add(struct cedar_partial *p, struct chain *c, const struct cedar_part *part)
{
    c->n++;
    c->last = *part;
    c->may_err |=
        part->state != CEDAR_PART_VALUE && (may_err(part) || !cedar_part_is(part, CEDAR_BOOL));
    return cedar_chain_add(p, c->node, &c->tail, part);
}

/* The next operand; true while all is well with memory and depth. `decides` is what ends the chain. */
static bool take(struct cedar_partial *p, struct chain *c, struct cedar_part *part, bool decides)
{
    if (part->state == CEDAR_PART_VALUE && part->value->kind != CEDAR_BOOL) {
        cedar_fail(&p->eval.call, cedar_expected(CEDAR_BOOL));
        part->state = CEDAR_PART_ERROR;
    }
    if (part->state == CEDAR_PART_VALUE && part->value->as.truth != decides)
        return true;
    c->ended = part->state != CEDAR_PART_REST;
    if (c->ended && (c->n == 0 || (part->state == CEDAR_PART_VALUE && !c->may_err))) {
        c->n = 0;
        c->last = *part;
        return true;
    }
    return add(p, c, part);
}

static struct cedar_part chain(struct cedar_partial *p, const struct cedar_node *node)
{
    bool decides = node->kind == CEDAR_NODE_OR;
    unsigned there_n = p->there_n;
    struct chain c = {.node = cedar_node_copy(p, node)};
    struct cedar_part neutral = known(cedar_truth(!decides));
    bool fits = c.node;
    neutral.node = &(struct cedar_node){
        .kind = CEDAR_NODE_CONST, .depth = 1, .constant = cedar_truth(!decides)};
    if (!fits)
        return found(NULL);
    c.tail = &c.node->kid;
    c.node->kid = NULL;
    c.node->n = 0;
    c.node->depth = 1;
    for (const struct cedar_node *kid = node->kid; fits && !c.ended && kid; kid = kid->next) {
        struct cedar_part part = cedar_part(p, kid);
        fits = take(p, &c, &part, decides);
        if (!decides && part.state == CEDAR_PART_REST)
            cedar_part_true(p, part.node);
    }
    p->there_n = there_n;
    if (!fits)
        return (struct cedar_part){
            .state = CEDAR_PART_REST, .may_err = true, .kind = CEDAR_BOOL, .node = node};
    if (c.n == 0)
        return c.ended ? c.last : neutral;
    /* x alone, when it is a bool or an error; otherwise x && true */
    if (c.n == 1 && c.last.kind == CEDAR_BOOL)
        return c.last;
    if (c.n == 1 && !cedar_chain_add(p, c.node, &c.tail, &neutral))
        return found(NULL);
    return (struct cedar_part){.state = CEDAR_PART_REST,
                               .may_err = c.may_err,
                               .kind = CEDAR_BOOL,
                               .never = c.ended && !decides,
                               .node = c.node};
}

static struct cedar_part dispatch(struct cedar_partial *p, const struct cedar_node *node)
{
    switch ((enum cedar_node_kind)node->kind) {
    case CEDAR_NODE_VAR:
        return variable(p, node);
    case CEDAR_NODE_AND:
    case CEDAR_NODE_OR:
        return chain(p, node);
    case CEDAR_NODE_IF:
        return choice(p, node);
    case CEDAR_NODE_IS:
        return is(p, node);
    case CEDAR_NODE_ATTR:
        return attribute(p, node);
    case CEDAR_NODE_HAS:
        return has(p, node);
    case CEDAR_NODE_GET_TAG:
        return tag(p, node);
    default:
        return strict(p, node);
    }
}

struct cedar_part cedar_part(struct cedar_partial *p, const struct cedar_node *node)
{
    struct cedar_part out = known(node->constant);
    if (!node->constant && p->depth == CEDAR_DEPTH)
        out = fails(p, "the expression is nested too deeply");
    else if (!node->constant) {
        p->depth++;
        out = dispatch(p, node);
        p->depth--;
    }
    if (out.state != CEDAR_PART_REST)
        out.node = node;
    if (out.state == CEDAR_PART_ERROR && !out.what)
        out.what = p->eval.call.what;
    p->out_of_memory |= p->eval.call.code == NK_ENOMEM;
    p->eval.call.code = 0;
    return out;
}
