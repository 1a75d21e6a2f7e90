/* SPDX-License-Identifier: Apache-2.0
 *
 * store_token.c - from the token of a question to the principal that is meant, as Verified Permissions maps it
 * ("Mapping OIDC tokens to schema"):
 *
 *   principal   <principal_type>::"<entity_id_prefix>|<principal_claim>"
 *   groups      <group_type>::"<entity_id_prefix>|<group>", its parents
 *   identity    every claim is an attribute of the principal
 *   access      every claim is a member of context.token; `scope` becomes a set of its words
 *
 * Objects become records, lists sets. A claim that Cedar cannot hold (1.5) refuses the question: a policy that
 * forbids something by it must not miss it. null is no claim.
 */
#include "gate/store.h"

enum { CLAIM_DEPTH = 16 };

struct mapping {
    struct nk_txn *txn;
    const struct nk_store *store;
    const struct nk_config_source *source;
    struct nk_json doc; /* the claims */
    struct nk_fault fault;
};

static int wrong(struct mapping *m, int code, const char *what)
{
    return nk_fault_set(&m->fault, code, "token", 0, "%s", what);
}

static int keep(struct mapping *m, const struct nk_cedar_value *made,
                const struct nk_cedar_value **out)
{
    *out = made;
    return made ? 0 : wrong(m, NK_ENOMEM, "out of memory");
}

static int read_claim(struct mapping *m, uint32_t at, unsigned depth,
                      const struct nk_cedar_value **out);

static int read_list(struct mapping *m, uint32_t at, unsigned depth,
                     const struct nk_cedar_value **out)
{
    struct nk_arena *a = m->txn->arena;
    const struct nk_cedar_value **items =
        nk_arena_array(a, m->doc.tape[at].count + 1, sizeof *items);
    size_t n = 0;
    int rc = items ? 0 : wrong(m, NK_ENOMEM, "out of memory");
    for (uint32_t i = nk_json_first(&m->doc, at); i != NK_JSON_NONE && !rc;
         i = nk_json_next(&m->doc, at, i))
        if (nk_json_type(&m->doc, i) != NK_JSON_NULL)
            rc = read_claim(m, i, depth, &items[n++]);
    return rc ? rc : keep(m, nk_cedar_set(a, items, n), out);
}

/* "read write" as a set of its words (RFC 6749, section 3.3). */
static int read_scope(struct mapping *m, uint32_t at, const struct nk_cedar_value **out)
{
    struct nk_arena *a = m->txn->arena;
    struct nk_str rest = nk_json_string(&m->doc, at, a);
    const struct nk_cedar_value **items = nk_arena_array(a, rest.n / 2 + 2, sizeof *items);
    size_t n = 0;
    int rc = items && rest.p ? 0 : wrong(m, NK_ENOMEM, "out of memory");
    while (rest.p && !rc) {
        struct nk_str word = nk_str_cut(&rest, ' ');
        if (word.n)
            rc = keep(m, nk_cedar_string(a, word), &items[n++]);
    }
    return rc ? rc : keep(m, nk_cedar_set(a, items, n), out);
}

static int read_object(struct mapping *m, uint32_t at, unsigned depth, bool is_token,
                       const struct nk_cedar_value **out)
{
    struct nk_arena *a = m->txn->arena;
    struct nk_cedar_member *members = nk_arena_array(a, m->doc.tape[at].count + 1, sizeof *members);
    size_t n = 0;
    int rc = members ? 0 : wrong(m, NK_ENOMEM, "out of memory");
    for (uint32_t i = nk_json_first(&m->doc, at); i != NK_JSON_NONE && !rc;
         i = nk_json_next(&m->doc, at, i)) {
        if (nk_json_type(&m->doc, i + 1) == NK_JSON_NULL)
            continue;
        bool scope = is_token && !m->source->is_identity &&
                     nk_json_is(&m->doc, i, NK_STR("scope")) &&
                     nk_json_type(&m->doc, i + 1) == NK_JSON_STRING;
        members[n].name = nk_json_string(&m->doc, i, a);
        rc = scope ? read_scope(m, i + 1, &members[n].value)
                   : read_claim(m, i + 1, depth, &members[n].value);
        if (!members[n++].name.p && !rc)
            rc = wrong(m, NK_ENOMEM, "out of memory");
    }
    return rc ? rc : keep(m, nk_cedar_record(a, members, n), out);
}

static int read_claim(struct mapping *m, uint32_t at, unsigned depth,
                      const struct nk_cedar_value **out)
{
    struct nk_arena *a = m->txn->arena;
    int64_t number = 0;
    if (depth == 0)
        return wrong(m, NK_ELIMIT, "a claim is nested too deeply");
    switch (nk_json_type(&m->doc, at)) {
    case NK_JSON_STRING:
        return keep(m, nk_cedar_string(a, nk_json_string(&m->doc, at, a)), out);
    case NK_JSON_INT:
        return nk_json_i64(&m->doc, at, &number) ? wrong(m, NK_EINVAL, "a claim is no integer")
                                                 : keep(m, nk_cedar_long(a, number), out);
    case NK_JSON_TRUE:
    case NK_JSON_FALSE:
        return keep(m, nk_cedar_bool(a, nk_json_type(&m->doc, at) == NK_JSON_TRUE), out);
    case NK_JSON_ARRAY:
        return read_list(m, at, depth - 1, out);
    case NK_JSON_OBJECT:
        return read_object(m, at, depth - 1, false, out);
    default:
        return wrong(m, NK_EINVAL, "a claim is a number that Cedar cannot hold");
    }
}

static int prefixed(struct mapping *m, struct nk_str type, struct nk_str name,
                    struct nk_cedar_uid *out)
{
    struct nk_str parts[] = {m->source->prefix, NK_STR("|"), name};
    *out = (struct nk_cedar_uid){type, nk_arena_join(m->txn->arena, parts, NK_COUNT(parts))};
    return out->id.p ? 0 : wrong(m, NK_ENOMEM, "out of memory");
}

static int map_principal(struct mapping *m, struct nk_cedar_uid *out)
{
    const struct nk_str *names;
    size_t n;
    uint32_t at;
    struct nk_str claim = m->source->principal_claim;
    int rc = nk_claims_find(&m->doc, claim, m->txn->arena, &at, &m->fault);
    if (!rc && nk_json_type(&m->doc, at) != NK_JSON_STRING)
        rc = wrong(m, NK_EINVAL, "the claim that names the principal is not a string");
    if (!rc)
        rc = nk_claims_names(&m->doc, at, claim, m->txn->arena, &names, &n, &m->fault);
    return rc ? rc : prefixed(m, m->source->principal_type, names[0], out);
}

/* Groups of a second token stand beside those of the first. */
static int map_groups(struct mapping *m, struct gate_token *out)
{
    const struct nk_str *names = NULL;
    size_t n = 0;
    uint32_t at = NK_JSON_NONE;
    struct nk_arena *a = m->txn->arena;
    struct nk_str claim = m->source->groups_claim;
    int rc = claim.p ? nk_claims_find(&m->doc, claim, a, &at, &m->fault) : 0;
    if (!rc && at != NK_JSON_NONE)
        rc = nk_claims_names(&m->doc, at, claim, a, &names, &n, &m->fault);
    struct nk_cedar_uid *groups = nk_arena_array(a, out->group_count + n + 1, sizeof *groups);
    if (!rc && !groups)
        rc = wrong(m, NK_ENOMEM, "out of memory");
    if (rc)
        return rc;
    for (size_t i = 0; i < out->group_count; i++)
        groups[i] = out->groups[i];
    for (size_t i = 0; i < n && !rc; i++)
        rc = prefixed(m, m->source->group_type, names[i], &groups[out->group_count++]);
    out->groups = groups;
    return rc;
}

/* The claims of the token by the source that it comes from: the first whose issuer it names. */
static int verify(struct mapping *m, struct nk_str token, bool identity)
{
    const struct nk_config_store *c = m->store->config;
    int rc = NK_ENOTFOUND;
    for (size_t i = 0; i < c->source_count && rc == NK_ENOTFOUND; i++) {
        const struct nk_config_source *s = &c->sources[i];
        size_t issuer = m->store->issuers[i], n = s->audience_count;
        struct nk_str list[256] = {m->txn->setup->config.issuers[issuer].audience};
        if (s->is_identity != identity)
            continue;
        for (size_t k = 0; k < n && k < NK_COUNT(list); k++)
            list[k] = s->audiences[k].text;
        m->source = s;
        m->fault = (struct nk_fault){.code = 0};
        rc = nk_ident_claims(m->txn->setup->ident, issuer, list, n ? n : 1, token,
                             m->txn->state->now_ms, m->txn->arena, &m->doc, &m->fault);
    }
    return rc == NK_ENOTFOUND ? wrong(m, NK_EDENIED, "no identity source of the store takes it")
                              : rc;
}

/* "token_use" is what Cognito writes into its tokens. */
static int check_use(struct mapping *m, bool identity)
{
    uint32_t use = nk_json_get(&m->doc, 0, NK_STR("token_use"));
    bool fits =
        use == NK_JSON_NONE || nk_json_is(&m->doc, use, identity ? NK_STR("id") : NK_STR("access"));
    return fits ? 0 : wrong(m, NK_EDENIED, "its token_use is another one");
}

static bool same(struct nk_cedar_uid a, struct nk_cedar_uid b)
{
    return nk_str_eq(a.type, b.type) && nk_str_eq(a.id, b.id);
}

static int map_token(struct mapping *m, struct nk_str token, bool identity, struct gate_token *out)
{
    struct nk_cedar_uid principal;
    int rc = verify(m, token, identity);
    if (!rc)
        rc = check_use(m, identity);
    if (!rc)
        rc = map_principal(m, &principal);
    if (!rc && out->source && !same(principal, out->principal))
        rc = wrong(m, NK_EDENIED, "the two tokens are of different principals");
    if (rc)
        return rc;
    out->principal = principal;
    out->source = m->source;
    rc = map_groups(m, out);
    return rc ? rc : read_object(m, 0, CLAIM_DEPTH, true, identity ? &out->attrs : &out->token);
}

/* What the client may know: not why, except that the token's time is over. */
static int refuse(struct nk_txn *t, int rc, const char *member, const struct nk_fault *f)
{
    enum nk_refusal_id id = rc == NK_EAGAIN   ? NK_REFUSAL_keys_not_ready
                            : rc == NK_EFULL  ? NK_REFUSAL_too_busy
                            : rc == NK_ENOMEM ? NK_REFUSAL_out_of_memory
                                              : NK_REFUSAL_bad_token;
    t->state->call.subject = nk_str(member);
    return gate_refuse(t, id, "parse",
                       rc == NK_EEXPIRED ? NK_STR("It is not valid at this time.") : NK_STR(""),
                       nk_arena_copy(t->arena, nk_str(f->message)));
}

int gate_store_token(struct nk_txn *t, const struct nk_store *store, struct nk_str identity,
                     struct nk_str access, struct gate_token *out)
{
    struct mapping m = {.txn = t, .store = store};
    *out = (struct gate_token){.source = NULL};
    int rc = identity.p ? map_token(&m, identity, true, out) : 0;
    if (rc)
        return refuse(t, rc, "identityToken", &m.fault);
    rc = access.p ? map_token(&m, access, false, out) : 0;
    return rc ? refuse(t, rc, "accessToken", &m.fault) : 0;
}
