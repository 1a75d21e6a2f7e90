/* SPDX-License-Identifier: Apache-2.0
 *
 * est_write.c - policies to Cedar's JSON form (convert.h), member for member what the reference
 * writes. A chain of n operands is n - 1 objects inside each other there, leaning to the left; it is
 * written in a loop, so that only nesting that a reader of the policy sees costs stack.
 */
#include "cedar/convert.h"
#include "cedar/est.h"

#include "base/utf8.h"

#include <stdio.h>

static void put_expr(struct nk_buf *out, const struct cedar_node *e);

static void put(struct nk_buf *out, const char *text)
{
    nk_buf_add(out, nk_str(text));
}

/* {"type":…,"id":…} */
static void put_uid(struct nk_buf *out, const struct nk_cedar_uid *uid)
{
    nk_buf_add_char(out, '{');
    nk_json_put_member(out, NK_STR("type"), uid->type);
    nk_json_put_member(out, NK_STR("id"), uid->id);
    nk_buf_add_char(out, '}');
}

/* Expressions --------------------------------------------------------------------------------- */

static void put_constant(struct nk_buf *out, const struct nk_cedar_value *v)
{
    NK_MUST(v->kind <= CEDAR_ENTITY); /* others have nodes of their own */
    put(out, "{\"Value\":");
    if (v->kind == CEDAR_BOOL) {
        put(out, v->as.truth ? "true" : "false");
    } else if (v->kind == CEDAR_LONG) {
        nk_buf_add_i64(out, v->as.number);
    } else if (v->kind == CEDAR_STRING) {
        nk_json_put_string(out, v->as.string);
    } else {
        put(out, "{\"__entity\":");
        put_uid(out, &v->as.entity.uid);
        nk_buf_add_char(out, '}');
    }
    nk_buf_add_char(out, '}');
}

/* {"operator":{"left":left,"right":right}}, the right side left out when it is NULL. */
static void put_sides(struct nk_buf *out, const char *name, const char *left_name,
                      const struct cedar_node *left, const struct cedar_node *right)
{
    nk_buf_printf(out, "{\"%s\":{\"%s\":", name, left_name);
    put_expr(out, left);
    if (right) {
        put(out, ",\"right\":");
        put_expr(out, right);
    }
    put(out, "}}");
}

/* The heads of the outer operators come first, the last operator outermost. All heads of a sum are
 * equally long, so that each goes straight to its place. */
static void put_chain(struct nk_buf *out, const struct cedar_node *e, const char *name)
{
    char head[24];
    size_t n = (size_t)snprintf(head, sizeof head, "{\"%s\":{\"left\":", name);
    char *to = nk_buf_reserve(out, (e->n - 1) * n);
    if (!to)
        return;
    char *at = to + (e->n - 1) * n;
    for (const struct cedar_node *kid = e->kid->next; kid; kid = kid->next) {
        at -= n;
        memcpy(at, head, n);
        if (kid->minus)
            at[2] = '-';
    }
    out->n += (e->n - 1) * n;
    put_expr(out, e->kid);
    for (const struct cedar_node *kid = e->kid->next; kid; kid = kid->next) {
        put(out, ",\"right\":");
        put_expr(out, kid);
        put(out, "}}");
    }
}

static void put_if(struct nk_buf *out, const struct cedar_node *e)
{
    put(out, "{\"if-then-else\":{\"if\":");
    put_expr(out, e->kid);
    put(out, ",\"then\":");
    put_expr(out, e->kid->next);
    put(out, ",\"else\":");
    put_expr(out, e->kid->next->next);
    put(out, "}}");
}

static void put_attribute(struct nk_buf *out, const struct cedar_node *e)
{
    put(out, "{\".\":{\"left\":");
    put_expr(out, e->kid);
    nk_json_put_member(out, NK_STR("attr"), e->name);
    put(out, "}}");
}

static void put_has(struct nk_buf *out, const struct cedar_node *e)
{
    put(out, "{\"has\":{\"left\":");
    put_expr(out, e->kid);
    put(out, e->path_n > 1 ? ",\"attr\":[" : ",\"attr\":");
    for (uint32_t i = 0; i < e->path_n; i++) {
        if (i > 0)
            nk_buf_add_char(out, ',');
        nk_json_put_string(out, e->path[i]);
    }
    put(out, e->path_n > 1 ? "]}}" : "}}");
}

/* Each character of a pattern is an element of its own. */
static void put_like(struct nk_buf *out, const struct cedar_node *e)
{
    const char *comma = "";
    put(out, "{\"like\":{\"left\":");
    put_expr(out, e->kid);
    put(out, ",\"pattern\":[");
    for (uint32_t i = 0; i < e->path_n; i++) {
        struct nk_str part = e->path[i];
        if (i > 0) {
            nk_buf_printf(out, "%s\"Wildcard\"", comma);
            comma = ",";
        }
        for (size_t at = 0, from; at < part.n; comma = ",") {
            from = at;
            (void)nk_utf8_next(part, &at);
            nk_buf_printf(out, "%s{\"Literal\":", comma);
            nk_json_put_string(out, nk_str_sub(part, from, at));
            nk_buf_add_char(out, '}');
        }
    }
    put(out, "]}}");
}

static void put_is(struct nk_buf *out, const struct cedar_node *e)
{
    put(out, "{\"is\":{\"left\":");
    put_expr(out, e->kid);
    nk_json_put_member(out, NK_STR("entity_type"), e->name);
    if (e->n > 1) {
        put(out, ",\"in\":");
        put_expr(out, e->kid->next);
    }
    put(out, "}}");
}

static void put_items(struct nk_buf *out, const struct cedar_node *e, struct nk_str name)
{
    nk_buf_add_char(out, '{');
    nk_json_put_name(out, name);
    nk_buf_add_char(out, '[');
    for (const struct cedar_node *kid = e->kid; kid; kid = kid->next) {
        if (kid != e->kid)
            nk_buf_add_char(out, ',');
        put_expr(out, kid);
    }
    put(out, "]}");
}

static void put_record(struct nk_buf *out, const struct cedar_node *e)
{
    put(out, "{\"Record\":{");
    for (const struct cedar_node *kid = e->kid; kid; kid = kid->next) {
        nk_json_put_name(out, kid->label);
        put_expr(out, kid);
    }
    put(out, "}}");
}

static void put_operator(struct nk_buf *out, const struct cedar_node *e)
{
    const char *name = cedar_op_name((enum cedar_node_kind)e->kind, e->op);
    if (e->kind == CEDAR_NODE_NOT || e->kind == CEDAR_NODE_NEG || e->kind == CEDAR_NODE_IS_EMPTY)
        put_sides(out, name, "arg", e->kid, NULL);
    else if (cedar_is_chain((enum cedar_node_kind)e->kind))
        put_chain(out, e, name);
    else
        put_sides(out, name, "left", e->kid, e->kid->next);
}

static void put_expr(struct nk_buf *out, const struct cedar_node *e)
{
    switch ((enum cedar_node_kind)e->kind) {
    case CEDAR_NODE_CONST:
        put_constant(out, e->constant);
        break;
    case CEDAR_NODE_VAR:
        nk_buf_printf(out, "{\"Var\":\"%s\"}", cedar_var_names[e->op].p);
        break;
    case CEDAR_NODE_IF:
        put_if(out, e);
        break;
    case CEDAR_NODE_ATTR:
        put_attribute(out, e);
        break;
    case CEDAR_NODE_HAS:
        put_has(out, e);
        break;
    case CEDAR_NODE_LIKE:
        put_like(out, e);
        break;
    case CEDAR_NODE_IS:
        put_is(out, e);
        break;
    case CEDAR_NODE_SET:
        put_items(out, e, NK_STR("Set"));
        break;
    case CEDAR_NODE_RECORD:
        put_record(out, e);
        break;
    case CEDAR_NODE_CALL:
        put_items(out, e, e->ext->name);
        break;
    default:
        put_operator(out, e);
    }
}

/* Policies ------------------------------------------------------------------------------------ */

/* "entity":…, "entities":… or "slot":…; a link's slot is filled in. */
static void put_entities(struct nk_buf *out, const struct cedar_scope *s, unsigned var)
{
    if (s->slot && !s->uids) {
        nk_buf_printf(out, "\"slot\":\"?%s\"", cedar_var_names[var].p);
    } else if (s->n == 1) {
        put(out, "\"entity\":");
        put_uid(out, &s->uids[0].uid);
    } else {
        put(out, "\"entities\":[");
        for (uint32_t i = 0; i < s->n; i++) {
            if (i > 0)
                nk_buf_add_char(out, ',');
            put_uid(out, &s->uids[i].uid);
        }
        nk_buf_add_char(out, ']');
    }
}

static void put_scope(struct nk_buf *out, const struct cedar_scope *s, unsigned var)
{
    static const char *const ops[] = {[CEDAR_SCOPE_ANY] = "All",
                                      [CEDAR_SCOPE_EQ] = "==",
                                      [CEDAR_SCOPE_IN] = "in",
                                      [CEDAR_SCOPE_IS] = "is",
                                      [CEDAR_SCOPE_IS_IN] = "is"};
    nk_json_put_name(out, cedar_var_names[var]);
    nk_buf_printf(out, "{\"op\":\"%s\"", ops[s->kind]);
    if (s->kind == CEDAR_SCOPE_IS || s->kind == CEDAR_SCOPE_IS_IN)
        nk_json_put_member(out, NK_STR("entity_type"), s->type);
    if (s->kind == CEDAR_SCOPE_EQ || s->kind == CEDAR_SCOPE_IN) {
        nk_buf_add_char(out, ',');
        put_entities(out, s, var);
    }
    if (s->kind == CEDAR_SCOPE_IS_IN) {
        put(out, ",\"in\":{");
        put_entities(out, s, var);
        nk_buf_add_char(out, '}');
    }
    nk_buf_add_char(out, '}');
}

static void put_conditions(struct nk_buf *out, const struct cedar_condition *c)
{
    put(out, ",\"conditions\":[");
    for (const char *comma = ""; c; c = c->next, comma = ",") {
        nk_buf_printf(out, "%s{\"kind\":\"%s\",\"body\":", comma, c->unless ? "unless" : "when");
        put_expr(out, c->body);
        nk_buf_add_char(out, '}');
    }
    nk_buf_add_char(out, ']');
}

static void put_annotations(struct nk_buf *out, const struct cedar_annotation *a)
{
    if (!a)
        return;
    put(out, ",\"annotations\":{");
    for (; a; a = a->next) {
        nk_json_put_name(out, a->name);
        if (a->has_value)
            nk_json_put_string(out, a->value);
        else
            put(out, "null");
    }
    nk_buf_add_char(out, '}');
}

void cedar_policy_put_json(const struct cedar_policy *policy, struct nk_buf *out)
{
    nk_buf_printf(out, "{\"effect\":\"%s\"", policy->forbid ? "forbid" : "permit");
    for (unsigned var = CEDAR_PRINCIPAL; var <= CEDAR_RESOURCE; var++)
        put_scope(out, &policy->scope[var], var);
    put_conditions(out, policy->conditions);
    put_annotations(out, policy->annotations);
    nk_buf_add_char(out, '}');
}

int nk_cedar_policy_put_json(const struct nk_cedar_policies *p, struct nk_str id,
                             struct nk_buf *out)
{
    const struct cedar_policy *policy = cedar_policies_find(p, id);
    if (!policy)
        return NK_ENOTFOUND;
    cedar_policy_put_json(policy, out);
    return out->error;
}

/* Sets ---------------------------------------------------------------------------------------- */

static void put_link(struct nk_buf *out, const struct cedar_policy *link)
{
    nk_buf_add_char(out, '{');
    nk_json_put_member(out, NK_STR("templateId"), link->link_of->id);
    nk_json_put_member(out, NK_STR("newId"), link->id);
    put(out, ",\"values\":{");
    for (unsigned var = CEDAR_PRINCIPAL; var <= CEDAR_RESOURCE; var++)
        if (link->scope[var].slot) {
            nk_json_put_name(out,
                             var == CEDAR_PRINCIPAL ? NK_STR("?principal") : NK_STR("?resource"));
            put_uid(out, &link->scope[var].uids[0].uid);
        }
    put(out, "}}");
}

int nk_cedar_policies_put_json(const struct nk_cedar_policies *p, struct nk_buf *out)
{
    put(out, "{\"staticPolicies\":{");
    for (size_t i = 0; i < p->n; i++)
        if (!p->items[i]->link_of) {
            nk_json_put_name(out, p->items[i]->id);
            cedar_policy_put_json(p->items[i], out);
        }
    put(out, "},\"templates\":{");
    for (size_t i = 0; i < p->template_n; i++) {
        nk_json_put_name(out, p->templates[i]->id);
        cedar_policy_put_json(p->templates[i], out);
    }
    put(out, "},\"templateLinks\":[");
    const char *comma = "";
    for (size_t i = 0; i < p->n; i++)
        if (p->items[i]->link_of) {
            put(out, comma);
            put_link(out, p->items[i]);
            comma = ",";
        }
    put(out, "]}");
    return out->error;
}
