/* SPDX-License-Identifier: Apache-2.0
 *
 * partial_known.c - what is known of the context and of entities. The lists of what is not known are
 * as long as somebody wrote them by hand: they are searched from the start.
 */
#include "cedar/parse.h"
#include "cedar/partial_own.h"
#include "cedar/schema_model.h"

static bool has_name(const struct nk_str *names, size_t n, struct nk_str name)
{
    for (size_t i = 0; i < n; i++)
        if (cedar_same(names[i], name))
            return true;
    return false;
}

bool cedar_context_whole(const struct nk_cedar_partial_request *req)
{
    return !req->context_open && req->context_attr_count == 0;
}

enum cedar_known cedar_context_attr(const struct cedar_partial *p, struct nk_str name,
                                    const struct nk_cedar_value **out)
{
    const struct nk_cedar_partial_request *req = p->req;
    if (has_name(req->context_attrs, req->context_attr_count, name))
        return CEDAR_UNKNOWN;
    *out = cedar_record_get(p->eval.vars[CEDAR_CONTEXT], name);
    if (*out)
        return CEDAR_KNOWN;
    return req->context_open ? CEDAR_UNKNOWN : CEDAR_ABSENT;
}

static const struct nk_cedar_unknown *find(const struct cedar_partial *p,
                                           const struct cedar_uid *uid)
{
    for (size_t i = 0; i < p->req->entity_count; i++)
        if (cedar_uid_eq(&p->uids[i], uid))
            return &p->req->entities[i];
    return NULL;
}

bool cedar_attr_unknown(const struct cedar_partial *p, const struct cedar_uid *uid,
                        struct nk_str name)
{
    const struct nk_cedar_unknown *u = find(p, uid);
    return u && (u->all || has_name(u->attrs, u->attr_count, name));
}

bool cedar_entity_sure(const struct cedar_partial *p, const struct nk_cedar_value *entity)
{
    const struct nk_cedar_unknown *u = find(p, &entity->as.entity);
    return cedar_entities_find(p->eval.entities, &entity->as.entity) && !(u && u->all);
}

bool cedar_tags_unknown(const struct cedar_partial *p, const struct cedar_uid *uid)
{
    const struct nk_cedar_unknown *u = find(p, uid);
    return u && (u->all || u->tags);
}

/* Its own, or those of something that it is in. */
bool cedar_ancestors_unknown(const struct cedar_partial *p, const struct nk_cedar_value *entity)
{
    const struct cedar_entity *known = cedar_entities_find(p->eval.entities, &entity->as.entity);
    for (size_t i = 0; i < p->req->entity_count; i++) {
        const struct nk_cedar_unknown *u = &p->req->entities[i];
        if ((u->all || u->ancestors) && (cedar_uid_eq(&p->uids[i], &entity->as.entity) ||
                                         (known && cedar_entity_in(known, &p->uids[i]))))
            return true;
    }
    return false;
}

bool cedar_never_in(const struct cedar_partial *p, struct nk_str type, struct nk_str of)
{
    if (!p->req->schema || !type.p)
        return false;
    const struct cedar_etype *a = cedar_schema_etype(p->req->schema, type);
    const struct cedar_etype *b = cedar_schema_etype(p->req->schema, of);
    return a && b && !a->is_action && !b->is_action && !cedar_etype_in(a, b);
}

/* What guards what ------------------------------------------------------------------------------- */

static void remember(struct cedar_partial *p, const struct cedar_node *node)
{
    struct cedar_there there = {.of = node->kid};
    if (node->kind == CEDAR_NODE_HAS)
        there.name = node->path[0];
    else if (node->kind == CEDAR_NODE_HAS_TAG)
        there.tag = node->kid->next;
    else
        return;
    if (p->there_n < CEDAR_THERE)
        p->there[p->there_n++] = there;
}

void cedar_part_true(struct cedar_partial *p, const struct cedar_node *node)
{
    if (node->kind != CEDAR_NODE_AND) {
        remember(p, node);
        return;
    }
    for (const struct cedar_node *kid = node->kid; kid; kid = kid->next)
        remember(p, kid);
}

/* The same expression has the same value each time: one that did not err does not. */
bool cedar_part_there(const struct cedar_partial *p, const struct cedar_node *node)
{
    for (unsigned i = 0; i < p->there_n; i++) {
        const struct cedar_there *t = &p->there[i];
        bool same = node->kind == CEDAR_NODE_ATTR
                        ? !t->tag && cedar_same(t->name, node->name)
                        : t->tag && cedar_expr_same(t->tag, node->kid->next);
        if (same && cedar_expr_same(t->of, node->kid))
            return true;
    }
    return false;
}
