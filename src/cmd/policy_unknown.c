/* SPDX-License-Identifier: Apache-2.0
 *
 * policy_unknown.c - see policy_unknown.h. The list is read with the words and strings of policies, so
 * that an id may hold whatever an id may hold.
 */
#include "cmd/policy_unknown.h"

#include "base/utf8.h"
#include "cedar/parse.h"
#include "cmd/policy_input.h"

static int out_of_memory(struct nk_fault *f)
{
    return nk_fault_set(f, NK_ENOMEM, "request", 0, "out of memory");
}

/* A list with one more; the old one stays in the arena. */
static const struct nk_str *append_name(struct nk_arena *a, const struct nk_str *names, size_t n,
                                        struct nk_str name)
{
    struct nk_str *more = nk_arena_array(a, n + 1, sizeof *more);
    if (more && n)
        memcpy(more, names, n * sizeof *more);
    if (more)
        more[n] = name;
    return more;
}

/* The entry of that entity, made when there is none; NULL: no memory. */
static struct nk_cedar_unknown *entry(struct nk_arena *a, struct nk_cedar_partial_request *req,
                                      struct nk_cedar_uid uid)
{
    size_t n = req->entity_count, at = 0;
    struct nk_cedar_unknown *own = nk_arena_array(a, n + 1, sizeof *own);
    if (!own)
        return NULL;
    if (n)
        memcpy(own, req->entities, n * sizeof *own);
    while (at < n && !(nk_str_eq(own[at].uid.type, uid.type) && nk_str_eq(own[at].uid.id, uid.id)))
        at++;
    if (at == n) {
        own[n] = (struct nk_cedar_unknown){.uid = uid};
        req->entity_count++;
    }
    req->entities = own;
    return &own[at];
}

/* .name or ["name"]; false: neither follows, or it is wrong and p->code is set. */
static bool take_attr(struct cedar_parser *p, struct nk_str *name)
{
    if (cedar_take(p, '[')) /* take_string notes what is wrong */
        return cedar_take_string(p, name) && cedar_need(p, ']', "expected ]");
    if (!cedar_take(p, '.'))
        return false;
    *name = p->token.text;
    return cedar_need(p, CEDAR_IDENT, "expected the name of an attribute");
}

/* Type::"id", principal or resource. */
static bool take_entity(struct cedar_parser *p, const struct nk_cedar_partial_request *req,
                        struct nk_cedar_uid *uid)
{
    bool id_follows;
    if (!cedar_take_type(p, &uid->type, &id_follows))
        return false;
    if (id_follows)
        return cedar_take_string(p, &uid->id);
    if (nk_str_eq(uid->type, NK_STR("principal")))
        *uid = req->principal;
    else if (nk_str_eq(uid->type, NK_STR("resource")))
        *uid = req->resource;
    else
        return cedar_parse_unexpected(p, "expected context, principal, resource or an entity");
    return uid->id.p ||
           cedar_parse_unexpected(p, "of an entity whose id is not known, all is unknown anyway");
}

static int take_of_entity(struct cedar_parser *p, struct nk_cedar_partial_request *req,
                          struct nk_fault *f)
{
    struct nk_cedar_uid uid;
    struct nk_str name;
    if (!take_entity(p, req, &uid))
        return NK_EINVAL;
    struct nk_cedar_unknown *u = entry(p->arena, req, uid);
    if (!u)
        return out_of_memory(f);
    if (cedar_take_word(p, NK_STR("tags"))) {
        u->tags = true;
    } else if (cedar_take_word(p, NK_STR("ancestors"))) {
        u->ancestors = true;
    } else if (take_attr(p, &name)) {
        u->attrs = append_name(p->arena, u->attrs, u->attr_count++, name);
        return u->attrs ? 0 : out_of_memory(f);
    } else {
        u->all = true;
    }
    return p->code;
}

static int take_of_context(struct cedar_parser *p, struct nk_cedar_partial_request *req,
                           struct nk_fault *f)
{
    struct nk_str name;
    if (!take_attr(p, &name)) {
        req->context_open = true;
        return p->code;
    }
    req->context_attrs = append_name(p->arena, req->context_attrs, req->context_attr_count++, name);
    return req->context_attrs ? 0 : out_of_memory(f);
}

int nk_unknown_read(struct nk_str list, struct nk_arena *a, struct nk_cedar_partial_request *req,
                    struct nk_fault *f)
{
    struct nk_fault inner = {.code = 0};
    struct cedar_parser p = {.lexer = {.text = list}, .arena = a, .fault = &inner};
    int rc = nk_utf8_check(list) == list.n ? 0 : NK_EINVAL;
    if (!rc)
        cedar_next(&p);
    for (bool more = true; !rc && more; more = !rc && cedar_take(&p, ','))
        rc = cedar_take_word(&p, NK_STR("context")) ? take_of_context(&p, req, f)
                                                    : take_of_entity(&p, req, f);
    if (!rc && !p.code && cedar_at(&p, CEDAR_END))
        return 0;
    return nk_fault_set(f, rc == NK_ENOMEM ? rc : NK_EINVAL, "request", 0,
                        "--unknown %.*s: %s; say what is unknown as context.name, "
                        "User::\"alice\".name, User::\"alice\" ancestors, …",
                        NK_FMT(list), inner.code ? inner.message : "this is not a list of names");
}

int nk_unknown_uid(struct nk_str text, struct nk_arena *a, struct nk_cedar_uid *out,
                   struct nk_fault *f)
{
    struct nk_str end = NK_STR("::?");
    if (!nk_str_ends(text, end))
        return nk_input_uid(text, a, out, f);
    *out = (struct nk_cedar_uid){.type = nk_str_sub(text, 0, text.n - end.n)};
    if (nk_cedar_type_ok(out->type))
        return 0;
    return nk_fault_set(f, NK_EINVAL, "request", 0, "%.*s: before ::? stands a type: User::?",
                        NK_FMT(text));
}
