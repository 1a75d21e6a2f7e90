/* SPDX-License-Identifier: Apache-2.0
 *
 * upstream.c - an upstream is one trust domain that one or more endpoints serve: the two ways to write
 * them come to the same here, and each endpoint has to keep the rules of the upstream.
 */
#include "config/table.h"

#include <stdio.h>

static const char stage[] = "config";

size_t nk_config_endpoint_count(const struct nk_config_upstream *u)
{
    return u->endpoint_count ? u->endpoint_count : 1;
}

struct nk_config_endpoint nk_config_endpoint(const struct nk_config_upstream *u, size_t i)
{
    struct nk_config_endpoint e = {.url = u->command_count ? u->served_at : u->url, .weight = 1};
    if (u->endpoint_count)
        e = u->endpoints[i];
    e.credential = e.credential.p ? e.credential : u->credential;
    e.ca = e.ca.p ? e.ca : u->ca;
    return e;
}

struct nk_str nk_config_mcp_path(const struct nk_config_upstream *u)
{
    if (u->command_count)
        return u->served_path;
    return u->path.p ? u->path : NK_STR("/mcp");
}

struct nk_str nk_config_a2a_path(const struct nk_config_upstream *u)
{
    return u->path.p ? u->path : NK_STR("/");
}

bool nk_config_serves_tools(const struct nk_config_upstream *u)
{
    return nk_str_eq(u->dialect, NK_STR("mcp")) || nk_str_eq(u->dialect, NK_STR("a2a")) ||
           nk_str_eq(u->dialect, NK_STR("http"));
}

bool nk_config_has_status(struct nk_str list, int status)
{
    uint64_t v;
    while (list.p)
        if (!nk_str_to_u64(nk_str_cut(&list, ','), &v) && v == (uint64_t)status)
            return true;
    return false;
}

const char *nk_config_bad_statuses(struct nk_str s)
{
    static const struct nk_str known = {"429,502,503,504", 15};
    if (nk_str_eq(s, NK_STR("none")))
        return NULL;
    while (s.p) {
        uint64_t v;
        if (nk_str_to_u64(nk_str_cut(&s, ','), &v) || v > 999 ||
            !nk_config_has_status(known, (int)v))
            return "expected some of 429, 502, 503 and 504, separated by commas without spaces, or "
                   "none";
    }
    return NULL;
}

/* A provider's key does not travel in the clear, and authorities are for those who show a
 * certificate. `who`: "upstreams[0]" or "upstreams[0].endpoints[1]". */
static int check_endpoint(const struct nk_config_endpoint *e, bool own_ca, const char *who,
                          const struct nk_json *doc, uint32_t at, struct nk_fault *f)
{
    bool clear = nk_str_starts(e->url, NK_STR("http://")) && !nk_config_is_local(e->url);
    if (clear && e->credential.p)
        return nk_fault_set(f, NK_EINVAL, stage, nk_config_offset(doc, at, "url"),
                            "%s.url: a credential is only sent over https, to this machine or to a "
                            "Unix socket; write https://",
                            who);
    if (own_ca && !nk_str_starts(e->url, NK_STR("https://")))
        return nk_fault_set(f, NK_EINVAL, stage, nk_config_offset(doc, at, "ca"),
                            "%s.ca is for https:// URLs only", who);
    return 0;
}

static int check_endpoints(const struct nk_config_upstream *u, const char *who,
                           const struct nk_json *doc, uint32_t at, struct nk_fault *f)
{
    uint32_t list = nk_json_get(doc, at, NK_STR("endpoints")), item = nk_json_first(doc, list);
    for (size_t i = 0; i < u->endpoint_count; i++, item = nk_json_next(doc, list, item)) {
        struct nk_config_endpoint e = nk_config_endpoint(u, i);
        struct nk_buf name;
        nk_buf_init(&name, 128);
        nk_buf_printf(&name, "%s.endpoints[%zu]", who, i);
        nk_buf_add_char(&name, 0);
        int rc =
            name.error ? NK_ENOMEM : check_endpoint(&e, u->endpoints[i].ca.p, name.p, doc, item, f);
        nk_buf_free(&name);
        for (size_t j = 0; j < i && !rc; j++)
            if (nk_str_eq(e.url, u->endpoints[j].url))
                rc = nk_fault_set(f, NK_ECONFLICT, stage, nk_config_offset(doc, item, "url"),
                                  "%s.endpoints[%zu].url is already that of endpoints[%zu]; give "
                                  "one a weight instead",
                                  who, i, j);
        if (rc)
            return rc;
    }
    return 0;
}

/* What an upstream says about TLS holds for each of its endpoints, so each has to speak it. */
static int check_tls(const struct nk_config_upstream *u, const char *who, const struct nk_json *doc,
                     uint32_t at, struct nk_fault *f)
{
    const char *key = u->pin_count              ? "pins"
                      : u->client_certificate.p ? "client_certificate"
                      : u->tls_server_name.p    ? "tls_server_name"
                                                : NULL;
    for (size_t i = 0; key && i < nk_config_endpoint_count(u); i++)
        if (!nk_str_starts(nk_config_endpoint(u, i).url, NK_STR("https://")))
            return nk_fault_set(f, NK_EINVAL, stage, nk_config_offset(doc, at, key),
                                "%s.%s is for https:// URLs only", who, key);
    if (!u->client_certificate.p != !u->client_key.p)
        return nk_fault_set(f, NK_EINVAL, stage, nk_config_offset(doc, at, "name"),
                            "%s: client_certificate and client_key go together; write both or "
                            "neither",
                            who);
    return 0;
}

/* The proxy on the way to one endpoint. */
static int check_way(const struct nk_config_upstream *u, struct nk_config_endpoint e,
                     struct nk_str common, const char *who, const struct nk_json *doc, uint32_t at,
                     struct nk_fault *f)
{
    bool own = u->proxy.p && !nk_str_eq(u->proxy, NK_STR("direct"));
    bool plain = nk_str_starts(e.url, NK_STR("http://"));
    bool shared = !u->proxy.p && common.p && !nk_str_eq(common, NK_STR("direct")) &&
                  !nk_config_is_local(e.url);
    if (own && nk_str_starts(e.url, NK_STR("unix:")))
        return nk_fault_set(f, NK_EINVAL, stage, nk_config_offset(doc, at, "proxy"),
                            "%s.proxy: no proxy leads to a Unix socket", who);
    if (own && e.credential.p && plain && !nk_config_is_local(u->proxy))
        return nk_fault_set(f, NK_EINVAL, stage, nk_config_offset(doc, at, "proxy"),
                            "%s.proxy: the credential of an http:// upstream would be sent to the "
                            "proxy in the clear; write https:// as its url",
                            who);
    if ((own || shared) && plain && nk_str_eq(u->http2, NK_STR("on")))
        return nk_fault_set(f, NK_EINVAL, stage, nk_config_offset(doc, at, "http2"),
                            "%s.http2: a proxy speaks HTTP/1.1 but for what is inside a tunnel; "
                            "write https:// as the url, or http2: off",
                            who);
    return 0;
}

static int check_proxy(const struct nk_config_upstream *u, struct nk_str common, const char *who,
                       const struct nk_json *doc, uint32_t at, struct nk_fault *f)
{
    bool direct = nk_str_eq(u->proxy, NK_STR("direct"));
    int rc = 0;
    for (size_t i = 0; !rc && i < nk_config_endpoint_count(u); i++)
        rc = check_way(u, nk_config_endpoint(u, i), common, who, doc, at, f);
    if (!rc && u->proxy_credential.p && (direct || (!u->proxy.p && !common.p)))
        rc = nk_fault_set(f, NK_EINVAL, stage, nk_config_offset(doc, at, "proxy_credential"),
                          "%s.proxy_credential: there is no proxy for it", who);
    return rc;
}

static int check_health(const struct nk_config_upstream *u, const char *who,
                        const struct nk_json *doc, uint32_t at, struct nk_fault *f)
{
    if (u->health.path.p && u->health.path.p[0] != '/')
        return nk_fault_set(f, NK_EINVAL, stage, nk_config_offset(doc, at, "health"),
                            "%s.health.path begins with \"/\"", who);
    if (u->health.eject > u->health.eject_max)
        return nk_fault_set(f, NK_EINVAL, stage, nk_config_offset(doc, at, "health"),
                            "%s.health.eject is longer than eject_max", who);
    return 0;
}

static int check_path(const struct nk_config_upstream *u, const char *who,
                      const struct nk_json *doc, uint32_t at, struct nk_fault *f)
{
    if (!nk_str_eq(u->dialect, NK_STR("mcp")) && !nk_str_eq(u->mcp_revision, NK_STR("any")))
        return nk_fault_set(f, NK_EINVAL, stage, nk_config_offset(doc, at, "mcp_revision"),
                            "%s.mcp_revision is for upstreams of dialect mcp only", who);
    if (!u->path.p)
        return 0;
    if (!nk_str_eq(u->dialect, NK_STR("mcp")) && !nk_str_eq(u->dialect, NK_STR("a2a")))
        return nk_fault_set(f, NK_EINVAL, stage, nk_config_offset(doc, at, "path"),
                            "%s.path is for upstreams of dialect mcp or a2a only", who);
    if (u->path.p[0] != '/' || nk_str_find(u->path, '?') >= 0 || nk_str_find(u->path, '#') >= 0)
        return nk_fault_set(f, NK_EINVAL, stage, nk_config_offset(doc, at, "path"),
                            "%s.path begins with \"/\" and has no query", who);
    return 0;
}

/* A token is fetched with a secret, which crosses no network in the clear. */
static int check_oauth(const struct nk_config_upstream *u, const char *who,
                       const struct nk_json *doc, uint32_t at, struct nk_fault *f)
{
    const struct nk_config_oauth *o = &u->oauth;
    size_t offset = nk_config_offset(doc, at, "oauth");
    bool any = o->client_id.p || o->client_secret.p || o->scope.p || o->resource.p || o->audience.p;
    if (!o->token_url.p)
        return any ? nk_fault_set(f, NK_EINVAL, stage, offset, "%s.oauth.token_url is missing", who)
                   : 0;
    if (!o->client_id.p || !o->client_secret.p)
        return nk_fault_set(f, NK_EINVAL, stage, offset,
                            "%s.oauth needs client_id and client_secret", who);
    bool credential = u->credential.p != NULL;
    for (size_t i = 0; i < u->endpoint_count; i++)
        credential |= u->endpoints[i].credential.p != NULL;
    if (credential)
        return nk_fault_set(f, NK_ECONFLICT, stage, offset,
                            "%s has both credential and oauth; one of them is sent", who);
    if (nk_config_bad_keyset(o->token_url))
        return nk_fault_set(f, NK_EINVAL, stage, offset,
                            "%s.oauth.token_url: https, or http to this machine", who);
    return 0;
}

int nk_config_check_upstream(const struct nk_config *c, size_t i, const struct nk_json *doc,
                             uint32_t at, struct nk_fault *f)
{
    const struct nk_config_upstream *u = &c->upstreams[i];
    char who[32];
    snprintf(who, sizeof who, "upstreams[%zu]", i);
    if (u->command_count)
        return nk_config_check_process(c, i, doc, at, f);
    if (u->process.read_count || u->process.write_count || u->process.environment_count)
        return nk_fault_set(f, NK_EINVAL, stage, nk_config_offset(doc, at, "process"),
                            "%s.process is for an MCP server that is started here; write its "
                            "`command`, too",
                            who);
    if (!u->url.p && !u->endpoint_count)
        return nk_fault_set(f, NK_EINVAL, stage, nk_config_offset(doc, at, "url"),
                            "%s.url is missing; write for example `url: https://api.openai.com`, "
                            "or a list of `endpoints`",
                            who);
    if (u->url.p && u->endpoint_count)
        return nk_fault_set(f, NK_ECONFLICT, stage, nk_config_offset(doc, at, "url"),
                            "%s has both url and endpoints; move the URL into endpoints", who);
    struct nk_config_endpoint e = nk_config_endpoint(u, 0);
    int rc = check_health(u, who, doc, at, f);
    if (!rc)
        rc = check_path(u, who, doc, at, f);
    if (!rc)
        rc = u->endpoint_count ? check_endpoints(u, who, doc, at, f)
                               : check_endpoint(&e, u->ca.p, who, doc, at, f);
    if (!rc)
        rc = check_tls(u, who, doc, at, f);
    if (!rc)
        rc = check_oauth(u, who, doc, at, f);
    return rc ? rc : check_proxy(u, c->proxy, who, doc, at, f);
}
