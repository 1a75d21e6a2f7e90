/* SPDX-License-Identifier: Apache-2.0
 *
 * claims.c - see claims.h.
 */
#include "ident/claims.h"

#include "ident/proof.h"

enum { NAME_MAX_BYTES = 256 };

static const char stage[] = "token";
static const int64_t last_second = 253402300799; /* 9999-12-31T23:59:59Z */

struct reading {
    const struct nk_json *doc;
    struct nk_arena *a;
    struct nk_fault *f;
};

static int wrong(struct reading *r, int code, struct nk_str claim, const char *what)
{
    return nk_fault_set(r->f, code, stage, 0, "claim %.*s %s", NK_FMT(claim), what);
}

/* A list that is one string, or the strings of a JSON list. */
static int read_strings(struct reading *r, uint32_t at, struct nk_str claim,
                        const struct nk_str **list, size_t *count)
{
    bool is_list = nk_json_type(r->doc, at) == NK_JSON_ARRAY;
    size_t n = is_list ? r->doc->tape[at].count : 1;
    uint32_t i = is_list ? nk_json_first(r->doc, at) : at;
    if (n > NK_IDENT_MAX_GROUPS)
        return wrong(r, NK_ELIMIT, claim, "has more than 1024 values");
    struct nk_str *strings = nk_arena_array(r->a, n + 1, sizeof *strings);
    if (!strings)
        return wrong(r, NK_ENOMEM, claim, "does not fit in memory");
    for (size_t k = 0; k < n; k++, i = is_list ? nk_json_next(r->doc, at, i) : NK_JSON_NONE) {
        strings[k] = nk_json_string(r->doc, i, r->a);
        if (!strings[k].p)
            return wrong(r, NK_EINVAL, claim, "is not a string or a list of strings");
    }
    *list = strings;
    *count = n;
    return 0;
}

static bool is_name(struct nk_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return false;
    return s.n > 0 && s.n <= NAME_MAX_BYTES;
}

/* The value of a claim, by name or path; NK_JSON_NONE when missing or null. */
static int find(struct reading *r, struct nk_str claim, uint32_t *out)
{
    struct nk_str rest = claim, first = nk_str_cut(&rest, '.');
    uint32_t at = nk_json_get(r->doc, 0, claim);
    if (at == NK_JSON_NONE && rest.p) {
        at = nk_json_get(r->doc, 0, first);
        while (rest.p && at != NK_JSON_NONE)
            at = nk_json_get(r->doc, at, nk_str_cut(&rest, '.'));
    }
    if (at != NK_JSON_NONE && nk_json_type(r->doc, at) == NK_JSON_NULL)
        at = NK_JSON_NONE;
    *out = at;
    if (at != NK_JSON_NONE)
        return 0;
    uint32_t elsewhere = nk_json_get(r->doc, 0, NK_STR("_claim_names"));
    if (nk_json_get(r->doc, elsewhere, first) != NK_JSON_NONE ||
        nk_json_get(r->doc, elsewhere, claim) != NK_JSON_NONE)
        return wrong(r, NK_EINVAL, claim, "is kept elsewhere (_claim_names): not readable here");
    return 0;
}

static int read_second(struct reading *r, const char *name, int64_t missing, int64_t *out)
{
    uint32_t at = nk_json_get(r->doc, 0, nk_str(name));
    *out = missing;
    if (at == NK_JSON_NONE)
        return 0;
    if (nk_json_i64(r->doc, at, out) || *out < 0 || *out > last_second)
        return wrong(r, NK_EINVAL, nk_str(name), "is not a whole number of seconds since 1970");
    return 0;
}

static int read_times(struct reading *r, const struct nk_config_issuer *issuer,
                      struct nk_claims *out)
{
    int64_t exp = 0, nbf = 0, iat = 0;
    int rc = read_second(r, "exp", -1, &exp);
    if (rc == 0)
        rc = read_second(r, "nbf", 0, &nbf);
    if (rc == 0)
        rc = read_second(r, "iat", 0, &iat);
    if (rc)
        return rc;
    if (exp < 0)
        return wrong(r, NK_EINVAL, NK_STR("exp"), "is missing");
    if (nbf >= exp || iat >= exp)
        return wrong(r, NK_EINVAL, NK_STR("exp"), "is not after nbf and iat");
    out->from_ms = (nbf > iat ? nbf : iat) * 1000 - issuer->clock_skew;
    out->until_ms = exp * 1000 + issuer->clock_skew;
    out->principal.expires_ms = exp * 1000;
    return 0;
}

static int check_audience(struct reading *r, const struct nk_str *audiences, size_t count)
{
    const struct nk_str *list = NULL;
    size_t n = 0;
    uint32_t at = nk_json_get(r->doc, 0, NK_STR("aud"));
    if (at == NK_JSON_NONE)
        return wrong(r, NK_EDENIED, NK_STR("aud"), "is missing");
    int rc = read_strings(r, at, NK_STR("aud"), &list, &n);
    for (size_t i = 0; i < n && rc == 0; i++)
        for (size_t k = 0; k < count; k++)
            if (nk_str_eq(list[i], audiences[k]))
                return 0;
    return rc ? rc : wrong(r, NK_EDENIED, NK_STR("aud"), "does not name this gateway");
}

static int read_who(struct reading *r, const struct nk_config_issuer *issuer,
                    struct nk_principal *p)
{
    uint32_t at;
    p->type = issuer->principal_type;
    int rc = find(r, issuer->principal_claim, &at);
    if (rc)
        return rc;
    p->id = nk_json_string(r->doc, at, r->a);
    if (!p->id.p || !is_name(p->id))
        return wrong(r, NK_EINVAL, issuer->principal_claim,
                     "is not 1 to 256 bytes of printable text");
    if (issuer->groups_claim.n == 0)
        return 0;
    rc = find(r, issuer->groups_claim, &at);
    if (rc || at == NK_JSON_NONE)
        return rc;
    rc = read_strings(r, at, issuer->groups_claim, &p->groups, &p->group_count);
    for (size_t i = 0; i < p->group_count && rc == 0; i++)
        if (!is_name(p->groups[i]))
            return wrong(r, NK_EINVAL, issuer->groups_claim,
                         "holds a group that is not 1 to 256 bytes of printable text");
    return rc;
}

static int read_attribute(struct reading *r, uint32_t at, struct nk_str claim, struct nk_attr *attr)
{
    switch (nk_json_type(r->doc, at)) {
    case NK_JSON_STRING:
        attr->type = NK_ATTR_STRING;
        attr->string = nk_json_string(r->doc, at, r->a);
        return attr->string.p ? 0 : wrong(r, NK_ENOMEM, claim, "does not fit in memory");
    case NK_JSON_INT:
        attr->type = NK_ATTR_INT;
        return nk_json_i64(r->doc, at, &attr->integer);
    case NK_JSON_TRUE:
    case NK_JSON_FALSE:
        attr->type = NK_ATTR_BOOL;
        attr->integer = nk_json_type(r->doc, at) == NK_JSON_TRUE;
        return 0;
    case NK_JSON_ARRAY:
        attr->type = NK_ATTR_STRINGS;
        return read_strings(r, at, claim, &attr->strings, &attr->string_count);
    default:
        return wrong(r, NK_EINVAL, claim,
                     "is neither text, an integer, true or false, nor a list of strings");
    }
}

static int read_attributes(struct reading *r, const struct nk_config_issuer *issuer,
                           struct nk_principal *p)
{
    struct nk_attr *attrs = nk_arena_array(r->a, issuer->attribute_count + 1, sizeof *attrs);
    if (!attrs)
        return nk_fault_set(r->f, NK_ENOMEM, stage, 0, "out of memory");
    p->attrs = attrs;
    for (size_t i = 0; i < issuer->attribute_count; i++) {
        const struct nk_config_claim *map = &issuer->attributes[i];
        uint32_t at;
        int rc = find(r, map->claim, &at);
        if (rc)
            return rc;
        if (at == NK_JSON_NONE)
            continue;
        attrs[p->attr_count].name = map->attribute;
        rc = read_attribute(r, at, map->claim, &attrs[p->attr_count++]);
        if (rc)
            return rc;
    }
    return 0;
}

/* Who acts: the outermost `act`, and in each the one before it (RFC 8693, section 4.1). All of them are facts; none is
 * ever the principal. */
static int read_actors(struct reading *r, struct nk_principal *p)
{
    struct nk_actor *actors = nk_arena_array(r->a, NK_IDENT_MAX_ACTORS, sizeof *actors);
    uint32_t at;
    int rc = find(r, NK_STR("act"), &at);
    if (!actors)
        return nk_fault_set(r->f, NK_ENOMEM, stage, 0, "out of memory");
    for (p->actors = actors; !rc && at != NK_JSON_NONE;
         at = nk_json_get(r->doc, at, NK_STR("act"))) {
        uint32_t issuer = nk_json_get(r->doc, at, NK_STR("iss"));
        if (p->actor_count == NK_IDENT_MAX_ACTORS)
            return wrong(r, NK_ELIMIT, NK_STR("act"), "has more than 8 actors in one another");
        struct nk_actor *one = &actors[p->actor_count++];
        one->id = nk_json_string(r->doc, nk_json_get(r->doc, at, NK_STR("sub")), r->a);
        one->issuer = nk_json_string(r->doc, issuer, r->a);
        if (!one->id.p || !is_name(one->id) ||
            (issuer != NK_JSON_NONE && (!one->issuer.p || !is_name(one->issuer))))
            return wrong(r, NK_EINVAL, NK_STR("act"),
                         "names nobody: sub is not 1 to 256 bytes of printable text");
    }
    return rc;
}

int nk_claims_check(const struct nk_json *doc, const struct nk_config_issuer *issuer,
                    const struct nk_str *audiences, size_t n, struct nk_arena *a,
                    struct nk_claims *out, struct nk_fault *f)
{
    struct reading r = {doc, a, f};
    int rc = read_times(&r, issuer, out);
    if (rc == 0)
        rc = check_audience(&r, audiences, n);
    if (rc == 0 && nk_json_get(doc, 0, NK_STR("cnf")) != NK_JSON_NONE)
        rc = wrong(&r, NK_EDENIED, NK_STR("cnf"), "binds the token to a key: not proven here");
    return rc;
}

int nk_claims_read(const struct nk_json *doc, const struct nk_config_issuer *issuer,
                   struct nk_arena *a, struct nk_claims *out, struct nk_fault *f)
{
    struct reading r = {doc, a, f};
    *out = (struct nk_claims){.principal = {.proof = "jwt", .source = issuer->issuer}};
    int rc = nk_claims_check(doc, issuer, &issuer->audience, 1, a, out, f);
    if (rc == 0)
        rc = read_who(&r, issuer, &out->principal);
    if (rc == 0)
        rc = read_attributes(&r, issuer, &out->principal);
    if (rc == 0)
        rc = read_actors(&r, &out->principal);
    return rc;
}

int nk_claims_find(const struct nk_json *doc, struct nk_str claim, struct nk_arena *a,
                   uint32_t *out, struct nk_fault *f)
{
    struct reading r = {doc, a, f};
    return find(&r, claim, out);
}

int nk_claims_names(const struct nk_json *doc, uint32_t at, struct nk_str claim, struct nk_arena *a,
                    const struct nk_str **list, size_t *count, struct nk_fault *f)
{
    struct reading r = {doc, a, f};
    *count = 0;
    int rc = read_strings(&r, at, claim, list, count);
    for (size_t i = 0; i < *count && rc == 0; i++)
        if (!is_name((*list)[i]))
            return wrong(&r, NK_EINVAL, claim,
                         "holds a name that is not 1 to 256 bytes of printable text");
    return rc;
}
