/* SPDX-License-Identifier: Apache-2.0
 *
 * explain_tree.c - the clauses of one policy as trees: see explain.h. A tree is made first, every
 * part with its value, and then marked from the top with what would have to change.
 */
#include "cedar/explain_own.h"

#include "cedar/parse.h"

#include <stdlib.h>

/* The policy at hand. */
struct tree {
    struct cedar_eval *e;
    struct nk_arena *arena;
    const struct cedar_policy *policy;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

/* Behind the string, comment or run of white space that begins at `at`; at + 1 for all others. */
static size_t skip(struct nk_str s, size_t at)
{
    size_t to = at + 1;
    if (s.p[at] == '"') {
        while (to < s.n && s.p[to] != '"')
            to += s.p[to] == '\\' ? 2 : 1;
        return to < s.n ? to + 1 : s.n;
    }
    if (s.p[at] == '/' && to < s.n && s.p[to] == '/') {
        ptrdiff_t end = nk_str_find(nk_str_sub(s, at, s.n), '\n');
        return end < 0 ? s.n : at + (size_t)end;
    }
    return to;
}

/* The policy's own words on one line, without comments; absent when memory is out. */
static struct nk_str words(struct tree *t, struct cedar_span span)
{
    struct nk_str s = nk_str_sub(t->policy->text, span.offset, span.end);
    char *p = nk_arena_alloc(t->arena, s.n + 1);
    size_t n = 0;
    bool space = false;
    if (!p)
        return (struct nk_str){NULL, 0};
    for (size_t at = 0, to; at < s.n; at = to) {
        to = skip(s, at);
        if (is_space(s.p[at]) || (s.p[at] == '/' && to > at + 1)) {
            space = n > 0;
            continue;
        }
        if (space)
            p[n++] = ' ';
        space = false;
        memcpy(p + n, s.p + at, to - at);
        n += to - at;
    }
    return (struct nk_str){p, n};
}

/* What a policy that did not come as text, or a link with its entities, would say. */
static struct nk_str printed(struct tree *t, const struct cedar_node *node,
                             const struct cedar_scope *scope, unsigned var)
{
    struct nk_buf b;
    nk_buf_init(&b, CEDAR_TEXT);
    if (node)
        cedar_expr_put_text(node, &b);
    else
        cedar_scope_put_text(scope, var, &b);
    struct nk_str s = b.error == NK_ELIMIT ? NK_STR("…") : nk_arena_copy(t->arena, nk_buf_str(&b));
    s = b.error == NK_ENOMEM ? (struct nk_str){NULL, 0} : s;
    nk_buf_free(&b);
    return s;
}

/* What stands behind an operand -------------------------------------------------------------------
 */
static int add_names(struct tree *t, struct nk_cedar_part *part)
{
    const struct nk_cedar_value *v = part->value;
    if (v && v->kind == CEDAR_ENTITY) {
        const struct cedar_entity *entity = cedar_eval_entity(t->e, v);
        v = entity ? entity->attrs : NULL;
        part->unknown = !entity;
    }
    if (!v || v->kind != CEDAR_RECORD)
        return 0;
    struct nk_str *names = nk_arena_array(t->arena, v->n, sizeof *names);
    if (!names)
        return NK_ENOMEM;
    for (uint32_t i = 0; i < v->n; i++)
        names[i] = v->as.members[i].name;
    part->names = names;
    part->name_count = v->n;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    const struct nk_cedar_uid *x = a, *y = b;
    int order = nk_str_cmp(x->type, y->type);
    return order ? order : nk_str_cmp(x->id, y->id);
}

static int add_ancestors(struct tree *t, struct nk_cedar_part *part)
{
    const struct nk_cedar_value *v = part->value;
    const struct cedar_entity *entity =
        v && v->kind == CEDAR_ENTITY ? cedar_eval_entity(t->e, v) : NULL;
    part->unknown = v && v->kind == CEDAR_ENTITY && !entity;
    if (!entity)
        return 0;
    struct nk_cedar_uid *within = nk_arena_array(t->arena, entity->ancestor_n, sizeof *within);
    if (!within)
        return NK_ENOMEM;
    for (uint32_t i = 0; i < entity->ancestor_n; i++)
        within[i] = entity->ancestors[i].uid->uid;
    qsort(within, entity->ancestor_n, sizeof *within, by_name);
    part->within = within;
    part->within_count = entity->ancestor_n;
    return 0;
}

static int add_background(struct tree *t, const struct cedar_node *node, struct nk_cedar_part *kid,
                          bool errs)
{
    if (node->kind == CEDAR_NODE_HAS || (node->kind == CEDAR_NODE_ATTR && errs))
        return add_names(t, kid);
    if (node->kind == CEDAR_NODE_IN || (node->kind == CEDAR_NODE_IS && node->n == 2))
        return add_ancestors(t, kid);
    return 0;
}

/* Trees -------------------------------------------------------------------------------------------
 */
static bool is_path(const struct cedar_node *node)
{
    while (node->kind == CEDAR_NODE_ATTR && !node->constant)
        node = node->kid;
    return node->kind == CEDAR_NODE_VAR;
}

/* Does kid number n decide about its parent, given its value, so that those behind it are passed
 * over? An error always does. */
static bool decides(enum cedar_node_kind kind, const struct nk_cedar_value *v)
{
    if (!v)
        return true;
    bool yes = v->kind == CEDAR_BOOL && v->as.truth;
    return (kind == CEDAR_NODE_AND && !yes) || (kind == CEDAR_NODE_OR && yes);
}

static struct nk_cedar_part *make(struct tree *t, const struct cedar_node *node, bool passed_over);

static int make_kids(struct tree *t, const struct cedar_node *node, struct nk_cedar_part *part)
{
    struct nk_cedar_part **to = &part->first;
    bool over = part->passed_over, condition = false;
    uint32_t n = 0;
    for (const struct cedar_node *kid = node->kid; kid; kid = kid->next, n++) {
        bool other = node->kind == CEDAR_NODE_IF && n > 0 && (n == 1) != condition;
        struct nk_cedar_part *p = make(t, kid, over || other);
        if (!p || (n == 0 && add_background(t, node, p, !part->value)))
            return NK_ENOMEM;
        if (n == 0 && p->value && p->value->kind == CEDAR_BOOL)
            condition = p->value->as.truth;
        if (!other)
            over |= decides((enum cedar_node_kind)node->kind, p->value);
        *to = p;
        to = &p->next;
    }
    return 0;
}

static struct nk_cedar_part *make(struct tree *t, const struct cedar_node *node, bool passed_over)
{
    struct nk_cedar_part *part = nk_arena_alloc(t->arena, sizeof *part);
    if (!part)
        return NULL;
    enum cedar_node_kind kind = cedar_explain_logic(node);
    part->text = node->span.end ? words(t, node->span) : printed(t, node, NULL, 0);
    part->value = cedar_explain_value(t->e, node);
    part->error = part->value ? NULL : t->e->call.what;
    part->logic = kind == CEDAR_NODE_AND || kind == CEDAR_NODE_OR || kind == CEDAR_NODE_NOT ||
                  kind == CEDAR_NODE_IF;
    part->constant = node->constant;
    part->path = !node->constant && is_path(node);
    part->passed_over = passed_over;
    if (!part->text.p || t->e->call.code == NK_ENOMEM ||
        (!node->constant && make_kids(t, node, part)))
        return NULL;
    return part;
}

bool nk_cedar_part_truth(const struct nk_cedar_part *part, bool *out)
{
    bool is_bool = part->value && part->value->kind == CEDAR_BOOL;
    *out = is_bool && part->value->as.truth;
    return is_bool;
}

/* Marks -------------------------------------------------------------------------------------------
 */
static void mark(struct tree *t, struct nk_cedar_part *part, const struct cedar_node *node,
                 bool want);

/* Which kid ends the chain at the least cost? */
static const struct cedar_node *cheapest(struct tree *t, const struct cedar_node *node, bool end)
{
    const struct cedar_node *best = node->kid;
    uint32_t before = 0, least = NK_CEDAR_NEVER;
    for (const struct cedar_node *kid = node->kid; kid; kid = kid->next) {
        struct cedar_cost c = cedar_explain_cost(t->e, kid);
        if (cedar_explain_sum(before, c.to[end]) < least) {
            least = cedar_explain_sum(before, c.to[end]);
            best = kid;
        }
        before = cedar_explain_sum(before, c.to[!end]);
    }
    return best;
}

static void mark_chain(struct tree *t, struct nk_cedar_part *part, const struct cedar_node *node,
                       bool end, bool want)
{
    const struct cedar_node *last = want == end ? cheapest(t, node, end) : NULL;
    struct nk_cedar_part *p = part->first;
    for (const struct cedar_node *kid = node->kid; kid; kid = kid->next, p = p->next) {
        mark(t, p, kid, kid == last ? end : !end);
        if (kid == last)
            break;
    }
}

static void mark_if(struct tree *t, struct nk_cedar_part *part, const struct cedar_node *node,
                    bool want)
{
    const struct cedar_node *yes = node->kid->next, *no = yes->next;
    struct cedar_cost c = cedar_explain_cost(t->e, node->kid);
    uint32_t by_yes = cedar_explain_sum(c.to[true], cedar_explain_cost(t->e, yes).to[want]);
    uint32_t by_no = cedar_explain_sum(c.to[false], cedar_explain_cost(t->e, no).to[want]);
    struct nk_cedar_part *first = part->first;
    mark(t, first, node->kid, by_yes <= by_no);
    if (by_yes <= by_no)
        mark(t, first->next, yes, want);
    else
        mark(t, first->next->next, no, want);
}

static void mark(struct tree *t, struct nk_cedar_part *part, const struct cedar_node *node,
                 bool want)
{
    switch (cedar_explain_logic(node)) {
    case CEDAR_NODE_AND:
        mark_chain(t, part, node, false, want);
        break;
    case CEDAR_NODE_OR:
        mark_chain(t, part, node, true, want);
        break;
    case CEDAR_NODE_NOT:
        mark(t, part->first, node->kid, !want);
        break;
    case CEDAR_NODE_IF:
        mark_if(t, part, node, want);
        break;
    default:
        part->change = cedar_explain_cost(t->e, node).to[want] == 1;
    }
}

/* Clauses -----------------------------------------------------------------------------------------
 */
static struct nk_cedar_part *operand(struct tree *t, struct nk_str text,
                                     const struct nk_cedar_value *value)
{
    struct nk_cedar_part *part = nk_arena_alloc(t->arena, sizeof *part);
    if (part)
        *part = (struct nk_cedar_part){.text = text, .value = value, .path = true};
    return part;
}

static int scope_clause(struct tree *t, int var, struct nk_cedar_clause *out)
{
    static const char *const names[] = {"principal", "action", "resource"};
    const struct cedar_scope *scope = &t->policy->scope[var];
    struct nk_cedar_part *part = nk_arena_alloc(t->arena, sizeof *part);
    struct nk_cedar_part *who = operand(t, nk_str(names[var]), t->e->vars[var]);
    bool v = cedar_explain_scope(t->e, var, scope);
    if (!part || !who)
        return NK_ENOMEM;
    *part = (struct nk_cedar_part){.value = v ? &cedar_true : &cedar_false, .first = who};
    part->text = scope->span.end && !scope->slot ? words(t, scope->span)
                                                 : printed(t, NULL, scope, (unsigned)var);
    *out = (struct nk_cedar_clause){.kind = (enum nk_cedar_clause_kind)var,
                                    .any = scope->kind == CEDAR_SCOPE_ANY,
                                    .holds = v,
                                    .part = part};
    bool in = scope->kind == CEDAR_SCOPE_IN || scope->kind == CEDAR_SCOPE_IS_IN;
    int rc = in ? add_ancestors(t, who) : 0;
    who->unknown &= var != CEDAR_ACTION; /* the usual case, and nothing to wonder at */
    return part->text.p ? rc : NK_ENOMEM;
}

static int condition_clause(struct tree *t, const struct cedar_condition *c,
                            struct nk_cedar_clause *out)
{
    struct nk_cedar_part *part = make(t, c->body, false);
    if (!part)
        return NK_ENOMEM;
    bool is_bool = part->value && part->value->kind == CEDAR_BOOL;
    *out =
        (struct nk_cedar_clause){.kind = c->unless ? NK_CEDAR_CLAUSE_UNLESS : NK_CEDAR_CLAUSE_WHEN,
                                 .holds = is_bool && part->value->as.truth == !c->unless,
                                 .part = part};
    return 0;
}

/* One that did not match needs all of its clauses. */
static void mark_to_match(struct tree *t, struct nk_cedar_clause *clauses)
{
    struct nk_cedar_clause *c = clauses;
    for (int var = CEDAR_PRINCIPAL; var <= CEDAR_RESOURCE; var++, c++)
        c->part->change = !c->holds;
    for (const struct cedar_condition *o = t->policy->conditions; o; o = o->next, c++)
        mark(t, c->part, o->body, !o->unless);
}

/* One that matched is undone by one clause: facts are easier to change than who asks for what, so a
 * condition comes before a scope clause. */
static void mark_to_undo(struct tree *t, struct nk_cedar_clause *clauses, uint32_t distance)
{
    struct nk_cedar_clause *c = clauses + CEDAR_CONTEXT;
    for (const struct cedar_condition *o = t->policy->conditions; o; o = o->next, c++)
        if (cedar_explain_cost(t->e, o->body).to[o->unless] == distance) {
            mark(t, c->part, o->body, o->unless);
            return;
        }
    for (int var = CEDAR_RESOURCE; var >= CEDAR_PRINCIPAL; var--)
        if (cedar_explain_scope_cost(t->e, t->policy, var, false) == distance) {
            clauses[var].part->change = true;
            return;
        }
}

int cedar_explain_clauses(struct cedar_eval *e, const struct cedar_policy *policy,
                          struct nk_cedar_why *why)
{
    struct tree t = {.e = e, .arena = e->call.arena, .policy = policy};
    size_t n = CEDAR_CONTEXT;
    for (const struct cedar_condition *c = policy->conditions; c; c = c->next)
        n++;
    struct nk_cedar_clause *clauses = nk_arena_array(t.arena, n, sizeof *clauses);
    if (!clauses)
        return NK_ENOMEM;
    why->clauses = clauses;
    why->clause_count = n;
    n = 0;
    int rc = 0;
    for (int var = CEDAR_PRINCIPAL; !rc && var <= CEDAR_RESOURCE; var++)
        rc = scope_clause(&t, var, &clauses[n++]);
    for (const struct cedar_condition *c = policy->conditions; !rc && c; c = c->next)
        rc = condition_clause(&t, c, &clauses[n++]);
    if (rc || why->distance == NK_CEDAR_NEVER)
        return rc;
    if (why->state == NK_CEDAR_MATCHED)
        mark_to_undo(&t, clauses, why->distance);
    else
        mark_to_match(&t, clauses);
    return e->call.code == NK_ENOMEM ? NK_ENOMEM : 0;
}
