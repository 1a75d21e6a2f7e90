/* SPDX-License-Identifier: Apache-2.0
 *
 * check_a2a.c - the rules of A2A endpoints: a path of its own, an agent that exists and speaks A2A, a URL that leads
 * to that path, digests that are some, and hosts for notifications that are no more than names.
 */
#include <stdio.h>

#include "config/door.h"

static const char stage[] = "config";

static int check_agent(const struct nk_config *c, size_t i, size_t at, struct nk_fault *f)
{
    struct nk_str name = c->a2a[i].agent;
    const struct nk_config_upstream *u = nk_config_upstream_named(c, name);
    if (!u)
        return nk_fault_set(f, NK_ENOTFOUND, stage, at,
                            "a2a[%zu].agent: there is no upstream \"%.*s\" under `upstreams`", i,
                            NK_FMT(name));
    if (!nk_str_eq(u->dialect, NK_STR("a2a")))
        return nk_fault_set(f, NK_EINVAL, stage, at,
                            "a2a[%zu].agent: upstream \"%.*s\" speaks %.*s; an agent here has "
                            "`dialect: a2a`",
                            i, NK_FMT(name), NK_FMT(u->dialect));
    return 0;
}

/* Two paths may not be one, nor one the other's card. */
static bool is_other(const struct nk_config *c, size_t i, struct nk_str path)
{
    for (size_t j = 0; j < i; j++)
        if (nk_str_eq(c->a2a[j].path, path))
            return true;
    for (size_t j = 0; j < c->mcp_count; j++)
        if (nk_str_eq(c->mcp[j].path, path))
            return true;
    return nk_str_search(path, NK_STR("/.well-known/")) >= 0;
}

static int check_path(const struct nk_config *c, size_t i, size_t at, struct nk_fault *f)
{
    struct nk_str path = c->a2a[i].path;
    if (path.p[0] != '/' || nk_str_ends(path, NK_STR("/")) || nk_str_find(path, '?') >= 0 ||
        nk_config_path_taken(c, path))
        return nk_fault_set(f, NK_EINVAL, stage, at,
                            "a2a[%zu].path begins with / and does not end with it, has no query, "
                            "and is neither below /v1/ nor that of a hook",
                            i);
    if (is_other(c, i, path))
        return nk_fault_set(f, NK_ECONFLICT, stage, at,
                            "a2a[%zu].path is already that of another endpoint", i);
    return 0;
}

static int check_url(const struct nk_config *c, size_t i, size_t at, struct nk_fault *f)
{
    const struct nk_config_a2a *a = &c->a2a[i];
    if (!nk_config_is_resource(a->url) || !nk_str_ends(a->url, a->path))
        return nk_fault_set(f, NK_EINVAL, stage, at,
                            "a2a[%zu].url is an http or https URL without query and fragment that "
                            "ends with its path, %.*s",
                            i, NK_FMT(a->path));
    return 0;
}

static bool is_digest(struct nk_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!(s.p[i] >= '0' && s.p[i] <= '9') && !(s.p[i] >= 'a' && s.p[i] <= 'f'))
            return false;
    return true; /* of 64: config.def */
}

static int check_cards(const struct nk_config *c, size_t i, const struct nk_json *doc,
                       uint32_t item, struct nk_fault *f)
{
    const struct nk_config_a2a *a = &c->a2a[i];
    if (!is_digest(a->card) || !is_digest(a->extended_card))
        return nk_fault_set(
            f, NK_EINVAL, stage,
            nk_config_offset(doc, item, is_digest(a->card) ? "extended_card" : "card"),
            "a2a[%zu]: a card is told by 64 hexadecimal digits in lower case", i);
    if (a->card_path.p[0] != '/' || nk_str_find(a->card_path, '#') >= 0)
        return nk_fault_set(f, NK_EINVAL, stage, nk_config_offset(doc, item, "card_path"),
                            "a2a[%zu].card_path begins with /", i);
    return 0;
}

static bool is_host(struct nk_str host)
{
    for (size_t i = 0; i < host.n; i++)
        if (host.p[i] <= ' ' || host.p[i] > '~' || strchr("/\\@?#*\"<>", host.p[i]))
            return false;
    return host.n > 0;
}

static int check_hosts(const struct nk_config *c, size_t i, size_t at, struct nk_fault *f)
{
    for (size_t j = 0; j < c->a2a[i].push_host_count; j++)
        if (!is_host(c->a2a[i].push_hosts[j].text))
            return nk_fault_set(f, NK_EINVAL, stage, at,
                                "a2a[%zu].push_hosts[%zu] is a host, or HOST:PORT; without scheme, "
                                "path and *",
                                i, j);
    return 0;
}

static int check_door(const struct nk_config *c, size_t i, size_t at, struct nk_fault *f)
{
    const struct nk_config_a2a *a = &c->a2a[i];
    char who[32];
    snprintf(who, sizeof who, "a2a[%zu]", i);
    const struct nk_config_door d = {who, a->issuers, a->issuer_count, a->scopes, a->scope_count};
    if (a->scope_count && !a->issuer_count)
        return nk_fault_set(f, NK_EINVAL, stage, at, "%s.scopes need authorization_servers", who);
    return nk_config_check_door(c, &d, at, f);
}

int nk_config_check_a2a(const struct nk_config *c, const struct nk_json *doc, struct nk_fault *f)
{
    uint32_t list = nk_json_get(doc, 0, NK_STR("a2a"));
    int rc = 0;
    for (size_t i = 0; i < c->a2a_count && !rc; i++) {
        uint32_t item = nk_config_item(doc, list, i);
        rc = check_path(c, i, nk_config_offset(doc, item, "path"), f);
        if (!rc)
            rc = check_agent(c, i, nk_config_offset(doc, item, "agent"), f);
        if (!rc)
            rc = check_url(c, i, nk_config_offset(doc, item, "url"), f);
        if (!rc)
            rc = check_cards(c, i, doc, item, f);
        if (!rc)
            rc = check_hosts(c, i, nk_config_offset(doc, item, "push_hosts"), f);
        if (!rc)
            rc = check_door(c, i, nk_config_offset(doc, item, "authorization_servers"), f);
    }
    return rc;
}
