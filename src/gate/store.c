/* SPDX-License-Identifier: Apache-2.0
 *
 * store.c - policy stores are made ready in the way of the gateway's own set (chain/set.h): the same loading of
 * policies and entities, the same ids. Templates become policies by the links of a file.
 */
#include "gate/store.h"

#include "cedar/template.h"

enum { LINKS_MAX = 64 << 20 };

struct loading {
    struct nk_setup *setup;
    const struct nk_store_input *in;
    struct nk_store *store;
    struct nk_fault *fault;
};

/* A fault in one of the store's files. */
static int say(const struct loading *l, int code, const char *what, const struct nk_fault *inner)
{
    return nk_fault_set(l->fault, code, "policy_stores", inner->offset, "policy store %.*s: %s%s%s",
                        NK_FMT(l->store->config->id), what, what[0] ? ": " : "",
                        inner->code ? inner->message : "out of memory");
}

static int wrong(const struct loading *l, const char *what, const char *why)
{
    return nk_fault_set(l->fault, NK_EINVAL, "policy_stores", 0, "policy store %.*s: %s: %s",
                        NK_FMT(l->store->config->id), what, why);
}

static int keep_text(const struct loading *l, struct nk_buf *b, struct nk_str *out)
{
    *out = b->error ? (struct nk_str){NULL, 0} : nk_arena_copy(&l->setup->arena, nk_buf_str(b));
    nk_buf_free(b);
    return out->p ? 0 : NK_ENOMEM;
}

static int read_values(const struct loading *l, const struct nk_json *doc, uint32_t at,
                       struct nk_cedar_slot_value *values, size_t most, size_t *n)
{
    struct nk_arena *a = &l->setup->arena;
    for (uint32_t i = nk_json_first(doc, at); i != NK_JSON_NONE; i = nk_json_next(doc, at, i)) {
        if (*n == most)
            return wrong(l, "links", "a link has more than two values");
        struct nk_cedar_slot_value *v = &values[(*n)++];
        uint32_t uid = nk_json_get(doc, i + 1, NK_STR("__entity"));
        uid = uid == NK_JSON_NONE ? i + 1 : uid;
        v->slot = nk_json_string(doc, i, a);
        v->uid.type = nk_json_string(doc, nk_json_get(doc, uid, NK_STR("type")), a);
        v->uid.id = nk_json_string(doc, nk_json_get(doc, uid, NK_STR("id")), a);
        if (!v->slot.p || !v->uid.type.p || !v->uid.id.p)
            return wrong(l, "links", "a value is {\"type\",\"id\"}");
    }
    return 0;
}

static int add_link(const struct loading *l, const struct nk_json *doc, uint32_t at)
{
    struct nk_arena *a = &l->setup->arena;
    struct nk_cedar_slot_value values[2];
    struct nk_fault inner = {.code = 0};
    size_t n = 0;
    struct nk_str from = nk_json_string(doc, nk_json_get(doc, at, NK_STR("templateId")), a);
    struct nk_str id = nk_json_string(doc, nk_json_get(doc, at, NK_STR("newId")), a);
    if (!from.p || !id.p)
        return wrong(l, "links", "a link has templateId, newId and values");
    int rc =
        read_values(l, doc, nk_json_get(doc, at, NK_STR("values")), values, NK_COUNT(values), &n);
    if (rc)
        return rc;
    rc = nk_cedar_policies_link(l->store->policies, from, id, values, n, &inner);
    return rc ? say(l, rc, "links", &inner) : 0;
}

static int load_links(const struct loading *l)
{
    static const struct nk_json_limits lim = {LINKS_MAX, 8, 1 << 22};
    struct nk_fault inner = {.code = 0};
    struct nk_json doc;
    if (!l->in->links.p)
        return 0;
    int rc = nk_json_parse(&lim, l->in->links, &l->setup->arena, &doc, &inner);
    if (rc)
        return say(l, rc, "links", &inner);
    if (nk_json_type(&doc, 0) != NK_JSON_ARRAY)
        return wrong(l, "links", "expected a list");
    for (uint32_t i = nk_json_first(&doc, 0); i != NK_JSON_NONE && !rc;
         i = nk_json_next(&doc, 0, i))
        rc = add_link(l, &doc, i);
    return rc;
}

static int load_schema(const struct loading *l)
{
    struct nk_fault inner = {.code = 0};
    if (!l->in->schema.p)
        return 0;
    int rc = gate_store_schema(l->store, l->in->schema, l->in->entities, &l->setup->arena, &inner);
    return rc ? say(l, rc, "schema", &inner) : 0;
}

static int write_dates(const struct loading *l)
{
    struct nk_buf b;
    nk_buf_init(&b, 256);
    nk_buf_add(&b, NK_STR(",\"createdDate\":\""));
    nk_time_format(l->in->changed_ms, &b);
    nk_buf_add(&b, NK_STR("\",\"lastUpdatedDate\":\""));
    nk_time_format(l->in->changed_ms, &b);
    nk_buf_add_char(&b, '"');
    return keep_text(l, &b, &l->store->dates);
}

/* Two stores with one digest answer each question alike. */
static int write_digest(const struct loading *l, const struct nk_set *set)
{
    struct nk_digest parts[3] = {{{0}}, nk_sha256(l->in->links), nk_sha256(l->in->schema)};
    struct nk_buf b;
    int rc = nk_set_digest(set, &parts[0]);
    struct nk_digest all = nk_sha256((struct nk_str){(const char *)parts, sizeof parts});
    nk_buf_init(&b, 2 * NK_SHA256_SIZE + 1);
    nk_buf_add_hex(&b, all.b, sizeof all.b);
    int kept = keep_text(l, &b, &l->store->digest);
    return rc ? rc : kept;
}

/* What a type is called decides what a policy can say: it has to be a name. */
static int load_sources(const struct loading *l)
{
    const struct nk_config *c = &l->setup->config;
    const struct nk_config_store *store = l->store->config;
    size_t *issuers = nk_arena_array(&l->setup->arena, store->source_count + 1, sizeof *issuers);
    if (!issuers)
        return NK_ENOMEM;
    for (size_t i = 0; i < store->source_count; i++) {
        const struct nk_config_source *s = &store->sources[i];
        if (!nk_cedar_type_ok(s->principal_type) || !nk_cedar_type_ok(s->group_type))
            return wrong(l, "identity_sources",
                         "principal_type or group_type is not the name of a Cedar entity type");
        while (issuers[i] < c->issuer_count && !nk_str_eq(c->issuers[issuers[i]].issuer, s->issuer))
            issuers[i]++;
        NK_MUST(issuers[i] < c->issuer_count); /* nk_config_parse has checked it */
    }
    l->store->issuers = issuers;
    return 0;
}

/* Links are policies that came later: the set is sealed anew. */
static int make_ready(const struct loading *l)
{
    struct nk_fault inner = {.code = 0};
    int rc = nk_cedar_policies_seal(l->store->policies, &inner);
    if (!rc)
        rc = nk_cedar_bind(l->store->policies, l->store->entities, &inner);
    return rc ? say(l, rc, "", &inner) : 0;
}

static int load_store(const struct loading *l)
{
    struct nk_set set = {.policies = l->in->policies,
                         .policy_count = l->in->policy_count,
                         .takes_templates = true,
                         .entities = l->in->entities};
    struct nk_fault inner = {.code = 0};
    int rc = nk_set_policies(&set, &l->setup->arena, &l->store->policies, &inner);
    if (!rc)
        rc = nk_set_entities(&set, &l->setup->arena, &l->store->entities, &inner);
    if (rc)
        return say(l, rc, "", &inner);
    rc = load_links(l);
    if (!rc)
        rc = load_schema(l);
    if (!rc)
        rc = make_ready(l);
    if (!rc)
        rc = load_sources(l);
    if (!rc)
        rc = write_dates(l);
    return rc ? rc : write_digest(l, &set);
}

int gate_stores_load(struct nk_setup *s, const struct nk_setup_input *in, struct nk_fault *f)
{
    size_t n = s->config.store_count;
    s->stores = nk_arena_array(&s->arena, n + 1, sizeof *s->stores);
    if (!s->stores)
        return NK_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const struct nk_store_input none = {.changed_ms = 0};
        s->stores[i].config = &s->config.stores[i];
        const struct loading l = {s, i < in->store_count ? &in->stores[i] : &none, &s->stores[i],
                                  f};
        int rc = load_store(&l);
        if (rc)
            return rc;
    }
    return 0;
}

const struct nk_store *gate_store_find(const struct nk_setup *s, struct nk_str id)
{
    for (size_t i = 0; i < s->config.store_count; i++)
        if (nk_str_eq(s->config.stores[i].id, id))
            return &s->stores[i];
    return NULL;
}
