/* SPDX-License-Identifier: Apache-2.0
 *
 * check.c - the rules between keys, once each value is right by itself: names are unique,
 * references resolve, what belongs together is there together, and no provider key travels in the
 * clear.
 */
#include "config/door.h"
#include "base/near.h"

static const char stage[] = "config";

/* Refuses two entries with the same name. Lists are short enough (1024) for the plain way. */
static int check_unique(const struct nk_str *names, size_t n, const struct nk_json *doc,
                        uint32_t list, const char *what, const char *key, struct nk_fault *f)
{
    for (size_t i = 1; i < n; i++)
        for (size_t j = 0; j < i; j++)
            if (nk_str_eq(names[i], names[j]))
                return nk_fault_set(f, NK_ECONFLICT, stage, nk_config_offset_in(doc, list, i, key),
                                    "%s[%zu].%s \"%.*s\" is already that of %s[%zu]", what, i, key,
                                    NK_FMT(names[i]), what, j);
    return 0;
}

static int check_listen_tls(const struct nk_config_listen *l, size_t i, const struct nk_json *doc,
                            uint32_t list, struct nk_fault *f)
{
    if (!l->tls_certificate.p != !l->tls_key.p)
        return nk_fault_set(f, NK_EINVAL, stage, nk_config_offset_in(doc, list, i, "address"),
                            "listen[%zu]: tls_certificate and tls_key go together; write both "
                            "or neither",
                            i);
    if (l->tls_certificate.p && l->certificate_count)
        return nk_fault_set(f, NK_ECONFLICT, stage,
                            nk_config_offset_in(doc, list, i, "certificates"),
                            "listen[%zu]: tls_certificate is the short form of certificates; write "
                            "one or the other",
                            i);
    if (l->client_ca.p && !l->tls_certificate.p && !l->certificate_count)
        return nk_fault_set(f, NK_EINVAL, stage, nk_config_offset_in(doc, list, i, "client_ca"),
                            "listen[%zu].client_ca is for listeners with TLS: write certificates, "
                            "too",
                            i);
    if (l->client_crl.p && !l->client_ca.p)
        return nk_fault_set(f, NK_EINVAL, stage, nk_config_offset_in(doc, list, i, "client_crl"),
                            "listen[%zu].client_crl is for listeners with client_ca", i);
    return 0;
}

static int check_listen(const struct nk_config *c, const struct nk_json *doc, struct nk_fault *f)
{
    struct nk_str names[16];
    uint32_t list = nk_json_get(doc, 0, NK_STR("listen"));
    for (size_t i = 0; i < c->listen_count; i++) {
        const struct nk_config_listen *l = &c->listen[i];
        NK_MUST(i < NK_COUNT(names));
        names[i] = l->address;
        int rc = check_listen_tls(l, i, doc, list, f);
        if (rc)
            return rc;
    }
    return check_unique(names, c->listen_count, doc, list, "listen", "address", f);
}

/* A name that comes from certificates needs a listener that asks for them. */
static int check_certificates(const struct nk_config *c, const struct nk_json *doc,
                              struct nk_fault *f)
{
    bool asked = !c->certificate_type.p;
    for (size_t i = 0; i < c->listen_count; i++)
        asked |= c->listen[i].client_ca.p != NULL;
    uint32_t at = nk_json_get(doc, 0, NK_STR("identity"));
    at = nk_json_get(doc, at, NK_STR("certificates"));
    return asked ? 0
                 : nk_fault_set(f, NK_EINVAL, stage, at == NK_JSON_NONE ? 0 : doc->tape[at].start,
                                "identity.certificates: no listener asks for certificates; write "
                                "listen[].client_ca");
}

/* The common proxy. */
static int check_proxy(const struct nk_config *c, const struct nk_json *doc, struct nk_fault *f)
{
    uint32_t at = nk_json_get(doc, 0, NK_STR("proxy_credential"));
    size_t offset = at == NK_JSON_NONE ? 0 : doc->tape[at].start;
    bool none = !c->proxy.p || nk_str_eq(c->proxy, NK_STR("direct"));
    return c->proxy_credential.p && none
               ? nk_fault_set(f, NK_EINVAL, stage, offset,
                              "proxy_credential: there is no proxy for it")
               : 0;
}

static int check_upstreams(const struct nk_config *c, struct nk_str *names,
                           const struct nk_json *doc, struct nk_fault *f)
{
    uint32_t list = nk_json_get(doc, 0, NK_STR("upstreams"));
    for (size_t i = 0; i < c->upstream_count; i++) {
        const struct nk_config_upstream *u = &c->upstreams[i];
        names[i] = u->name;
        int rc = nk_config_check_upstream(c, i, doc, nk_config_item(doc, list, i), f);
        if (rc)
            return rc;
    }
    return check_unique(names, c->upstream_count, doc, list, "upstreams", "name", f);
}

static int unknown_upstream(const struct nk_config *c, size_t i, const struct nk_str *names,
                            size_t offset, struct nk_fault *f)
{
    struct nk_str near = nk_near(c->models[i].upstream, names, c->upstream_count);
    if (near.p)
        return nk_fault_set(f, NK_ENOTFOUND, stage, offset,
                            "models[%zu].upstream: there is no upstream \"%.*s\"; did you mean "
                            "\"%.*s\"?",
                            i, NK_FMT(c->models[i].upstream), NK_FMT(near));
    return nk_fault_set(f, NK_ENOTFOUND, stage, offset,
                        "models[%zu].upstream: there is no upstream \"%.*s\" under `upstreams`", i,
                        NK_FMT(c->models[i].upstream));
}

static int check_models(const struct nk_config *c, const struct nk_str *upstreams,
                        const struct nk_json *doc, struct nk_fault *f)
{
    struct nk_str names[1024];
    uint32_t list = nk_json_get(doc, 0, NK_STR("models"));
    NK_MUST(c->model_count <= NK_COUNT(names));
    for (size_t i = 0; i < c->model_count; i++) {
        size_t u = 0;
        names[i] = c->models[i].name;
        while (u < c->upstream_count && !nk_str_eq(upstreams[u], c->models[i].upstream))
            u++;
        if (u == c->upstream_count)
            return unknown_upstream(c, i, upstreams, nk_config_offset_in(doc, list, i, "upstream"),
                                    f);
        if (nk_config_serves_tools(&c->upstreams[u]))
            return nk_fault_set(f, NK_EINVAL, stage, nk_config_offset_in(doc, list, i, "upstream"),
                                "models[%zu].upstream: \"%.*s\" serves tools and no models (its "
                                "dialect is %.*s)",
                                i, NK_FMT(c->models[i].upstream), NK_FMT(c->upstreams[u].dialect));
    }
    return check_unique(names, c->model_count, doc, list, "models", "name", f);
}

/* Attributes of one issuer: each name once, and not `groups`-like twice from two claims. */
static int check_attributes(const struct nk_config_issuer *s, size_t i, size_t offset,
                            struct nk_fault *f)
{
    for (size_t j = 1; j < s->attribute_count; j++)
        for (size_t k = 0; k < j; k++)
            if (nk_str_eq(s->attributes[j].attribute, s->attributes[k].attribute))
                return nk_fault_set(f, NK_ECONFLICT, stage, offset,
                                    "identity.issuers[%zu].attributes: \"%.*s\" is there twice", i,
                                    NK_FMT(s->attributes[j].attribute));
    return 0;
}

/* The pair of issuer and audience is what selects a key set; it must be unique. */
static int check_issuers(const struct nk_config *c, const struct nk_json *doc, struct nk_fault *f)
{
    uint32_t identity = nk_json_get(doc, 0, NK_STR("identity"));
    uint32_t list = nk_json_get(doc, identity, NK_STR("issuers"));
    for (size_t i = 0; i < c->issuer_count; i++) {
        const struct nk_config_issuer *s = &c->issuers[i];
        int rc = check_attributes(s, i, nk_config_offset_in(doc, list, i, "attributes"), f);
        if (rc)
            return rc;
        for (size_t j = 0; j < i; j++)
            if (nk_str_eq(s->issuer, c->issuers[j].issuer) &&
                nk_str_eq(s->audience, c->issuers[j].audience))
                return nk_fault_set(f, NK_ECONFLICT, stage,
                                    nk_config_offset_in(doc, list, i, "issuer"),
                                    "identity.issuers[%zu] has issuer and audience of "
                                    "identity.issuers[%zu]",
                                    i, j);
    }
    return 0;
}

/* A header's name, and none that is ours to say (RFC 9110, sections 5.1 and 7.6.1). */
static bool header_ok(struct nk_str name)
{
    static const char *const ours[] = {"host",    "content-length",    "content-type", "connection",
                                       "upgrade", "transfer-encoding", "te",           "trailer",
                                       "expect",  "accept-encoding",   "user-agent"};
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] == '/' || name.p[i] == ':' || name.p[i] == '@')
            return false;
    for (size_t i = 0; i < NK_COUNT(ours); i++)
        if (nk_str_is_nocase(name, ours[i]))
            return false;
    return name.n > 0;
}

static int check_telemetry(const struct nk_config *c, const struct nk_json *doc, struct nk_fault *f)
{
    const struct nk_config_telemetry *t = &c->telemetry;
    uint32_t otlp = nk_json_get(doc, nk_json_get(doc, 0, NK_STR("telemetry")), NK_STR("otlp"));
    uint32_t list = nk_json_get(doc, otlp, NK_STR("headers"));
    bool tls = nk_str_starts(t->endpoint, NK_STR("https://"));
    if (!t->endpoint.p && (t->header_count || t->ca.p))
        return nk_fault_set(f, NK_EINVAL, stage, doc->tape[otlp].start,
                            "telemetry.otlp: headers and ca are of no use without an endpoint");
    if (t->header_count && !tls && !nk_config_is_local(t->endpoint))
        return nk_fault_set(
            f, NK_EINVAL, stage, nk_config_offset_in(doc, list, 0, "value"),
            "telemetry.otlp.endpoint: headers that hold a secret are only sent over "
            "https or to this machine; write https://");
    if (t->ca.p && !tls)
        return nk_fault_set(f, NK_EINVAL, stage, doc->tape[otlp].start,
                            "telemetry.otlp.ca is for https:// URLs only");
    for (size_t i = 0; i < t->header_count; i++)
        if (!header_ok(t->headers[i].name))
            return nk_fault_set(f, NK_EINVAL, stage, nk_config_offset_in(doc, list, i, "name"),
                                "telemetry.otlp.headers[%zu].name: not a header that may be set "
                                "here",
                                i);
    return 0;
}

int nk_config_check(const struct nk_config *c, const struct nk_json *doc, struct nk_fault *f)
{
    struct nk_str upstreams[64];
    NK_MUST(c->upstream_count <= NK_COUNT(upstreams));
    int rc = check_listen(c, doc, f);
    if (!rc)
        rc = check_upstreams(c, upstreams, doc, f);
    if (!rc)
        rc = check_proxy(c, doc, f);
    if (!rc)
        rc = check_models(c, upstreams, doc, f);
    if (!rc)
        rc = check_certificates(c, doc, f);
    if (!rc)
        rc = check_issuers(c, doc, f);
    if (!rc)
        rc = nk_config_check_stores(c, doc, f);
    if (!rc)
        rc = nk_config_check_tokens(c, doc, f);
    if (!rc)
        rc = nk_config_check_agents(c, doc, f);
    if (!rc)
        rc = nk_config_check_mcp(c, doc, f);
    if (!rc)
        rc = nk_config_check_a2a(c, doc, f);
    return rc ? rc : check_telemetry(c, doc, f);
}
