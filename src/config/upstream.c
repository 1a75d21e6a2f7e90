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
    struct nk_config_endpoint e = {.url = u->url, .weight = 1};
    if (u->endpoint_count)
        e = u->endpoints[i];
    e.credential = e.credential.p ? e.credential : u->credential;
    e.ca = e.ca.p ? e.ca : u->ca;
    return e;
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

static size_t offset_of(const struct nk_json *doc, uint32_t object, const char *key)
{
    uint32_t at = object == NK_JSON_NONE ? object : nk_json_get(doc, object, nk_str(key));
    at = at == NK_JSON_NONE ? object : at;
    return at == NK_JSON_NONE ? 0 : doc->tape[at].start;
}

/* A provider's key does not travel in the clear, and authorities are for those who show a
 * certificate. `who`: "upstreams[0]" or "upstreams[0].endpoints[1]". */
static int check_endpoint(const struct nk_config_endpoint *e, bool own_ca, const char *who,
                          const struct nk_json *doc, uint32_t at, struct nk_fault *f)
{
    bool clear = nk_str_starts(e->url, NK_STR("http://")) && !nk_config_is_local(e->url);
    if (clear && e->credential.p)
        return nk_fault_set(f, NK_EINVAL, stage, offset_of(doc, at, "url"),
                            "%s.url: a credential is only sent over https, to this machine or to a "
                            "Unix socket; write https://",
                            who);
    if (own_ca && !nk_str_starts(e->url, NK_STR("https://")))
        return nk_fault_set(f, NK_EINVAL, stage, offset_of(doc, at, "ca"),
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
                rc = nk_fault_set(f, NK_ECONFLICT, stage, offset_of(doc, item, "url"),
                                  "%s.endpoints[%zu].url is already that of endpoints[%zu]; give "
                                  "one a weight instead",
                                  who, i, j);
        if (rc)
            return rc;
    }
    return 0;
}

int nk_config_check_upstream(const struct nk_config_upstream *u, size_t i,
                             const struct nk_json *doc, uint32_t at, struct nk_fault *f)
{
    char who[32];
    snprintf(who, sizeof who, "upstreams[%zu]", i);
    if (!u->url.p && !u->endpoint_count)
        return nk_fault_set(f, NK_EINVAL, stage, offset_of(doc, at, "url"),
                            "%s.url is missing; write for example `url: https://api.openai.com`, "
                            "or a list of `endpoints`",
                            who);
    if (u->url.p && u->endpoint_count)
        return nk_fault_set(f, NK_ECONFLICT, stage, offset_of(doc, at, "url"),
                            "%s has both url and endpoints; move the URL into endpoints", who);
    if (u->health.path.p && u->health.path.p[0] != '/')
        return nk_fault_set(f, NK_EINVAL, stage, offset_of(doc, at, "health"),
                            "%s.health.path begins with \"/\"", who);
    if (u->health.eject > u->health.eject_max)
        return nk_fault_set(f, NK_EINVAL, stage, offset_of(doc, at, "health"),
                            "%s.health.eject is longer than eject_max", who);
    if (u->endpoint_count)
        return check_endpoints(u, who, doc, at, f);
    struct nk_config_endpoint e = nk_config_endpoint(u, 0);
    return check_endpoint(&e, u->ca.p, who, doc, at, f);
}
