/* SPDX-License-Identifier: Apache-2.0
 *
 * check_store.c - the rules of policy stores and hooks: unique ids, references that resolve, paths that mean
 * something. What only Cedar can tell (types, policies) is looked at when a store is loaded.
 */
#include "config/table.h"

static const char stage[] = "config";

static const struct nk_config_issuer *issuer_of(const struct nk_config *c, struct nk_str name)
{
    for (size_t i = 0; i < c->issuer_count; i++)
        if (nk_str_eq(c->issuers[i].issuer, name))
            return &c->issuers[i];
    return NULL;
}

static int check_sources(const struct nk_config *c, size_t store, const struct nk_json *doc,
                         uint32_t list, struct nk_fault *f)
{
    const struct nk_config_store *s = &c->stores[store];
    for (size_t i = 0; i < s->source_count; i++) {
        const struct nk_config_source *one = &s->sources[i];
        if (!issuer_of(c, one->issuer))
            return nk_fault_set(f, NK_ENOTFOUND, stage, nk_config_offset_in(doc, list, i, "issuer"),
                                "policy_stores[%zu].identity_sources[%zu].issuer: there is no "
                                "issuer \"%.*s\" under `identity.issuers`",
                                store, i, NK_FMT(one->issuer));
        for (size_t j = 0; j < i; j++)
            if (nk_str_eq(one->id, s->sources[j].id) ||
                (nk_str_eq(one->issuer, s->sources[j].issuer) &&
                 one->is_identity == s->sources[j].is_identity))
                return nk_fault_set(
                    f, NK_ECONFLICT, stage, nk_config_offset_in(doc, list, i, "id"),
                    "policy_stores[%zu].identity_sources[%zu] has the id, or issuer "
                    "and kind of token, of identity_sources[%zu]",
                    store, i, j);
    }
    return 0;
}

static size_t store_of(const struct nk_config *c, struct nk_str id)
{
    size_t i = 0;
    while (i < c->store_count && !nk_str_eq(c->stores[i].id, id))
        i++;
    return i;
}

/* "**" stands alone, as the last segment. */
static bool pattern_ok(struct nk_str path)
{
    struct nk_str rest = path;
    bool ended = false;
    if (path.n == 0 || path.p[0] != '/')
        return false;
    while (rest.p) {
        struct nk_str one = nk_str_cut(&rest, '/');
        if (ended || (nk_str_find(one, '*') >= 0 && !nk_str_eq(one, NK_STR("*")) &&
                      !nk_str_eq(one, NK_STR("**"))))
            return false;
        ended = nk_str_eq(one, NK_STR("**"));
    }
    return true;
}

static int check_hook(const struct nk_config *c, size_t i, const struct nk_json *doc, uint32_t list,
                      struct nk_fault *f)
{
    const struct nk_config_hook *h = &c->hooks[i];
    uint32_t rules = nk_json_get(doc, nk_config_item(doc, list, i), NK_STR("rules"));
    if (h->path.p[0] != '/' || nk_str_starts(h->path, NK_STR("/v1/")))
        return nk_fault_set(
            f, NK_EINVAL, stage, nk_config_offset_in(doc, list, i, "path"),
            "hooks[%zu].path begins with / and not with /v1/, where models are asked", i);
    if (store_of(c, h->store) == c->store_count)
        return nk_fault_set(f, NK_ENOTFOUND, stage, nk_config_offset_in(doc, list, i, "store"),
                            "hooks[%zu].store: there is no store \"%.*s\" under `policy_stores`", i,
                            NK_FMT(h->store));
    for (size_t j = 0; j < i; j++)
        if (nk_str_starts(h->path, c->hooks[j].path) || nk_str_starts(c->hooks[j].path, h->path))
            return nk_fault_set(
                f, NK_ECONFLICT, stage, nk_config_offset_in(doc, list, i, "path"),
                "hooks[%zu].path and hooks[%zu].path begin alike; one of them would "
                "never be asked",
                i, j);
    for (size_t j = 0; j < h->rule_count; j++)
        if (!pattern_ok(h->rules[j].path))
            return nk_fault_set(
                f, NK_EINVAL, stage, nk_config_offset_in(doc, rules, j, "path"),
                "hooks[%zu].rules[%zu].path: expected a path such as /orders/*/items "
                "or /static/**",
                i, j);
    return 0;
}

int nk_config_check_stores(const struct nk_config *c, const struct nk_json *doc, struct nk_fault *f)
{
    uint32_t stores = nk_json_get(doc, 0, NK_STR("policy_stores"));
    uint32_t hooks = nk_json_get(doc, 0, NK_STR("hooks"));
    int rc = 0;
    for (size_t i = 0; i < c->store_count && !rc; i++) {
        uint32_t sources =
            nk_json_get(doc, nk_config_item(doc, stores, i), NK_STR("identity_sources"));
        size_t first = store_of(c, c->stores[i].id);
        if (first != i)
            return nk_fault_set(f, NK_ECONFLICT, stage, nk_config_offset_in(doc, stores, i, "id"),
                                "policy_stores[%zu].id: policy_stores[%zu] has it already", i,
                                first);
        rc = check_sources(c, i, doc, sources, f);
    }
    for (size_t i = 0; i < c->hook_count && !rc; i++)
        rc = check_hook(c, i, doc, hooks, f);
    return rc;
}
