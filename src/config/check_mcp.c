/* SPDX-License-Identifier: Apache-2.0
 *
 * check_mcp.c - the rules of MCP endpoints: paths of their own, servers that exist and speak MCP, and names of
 * tools that say whose they are wherever there could be two.
 */
#include "config/door.h"

#include <stdio.h>

static const char stage[] = "config";

static int check_server(const struct nk_config *c, size_t i, size_t j, size_t offset,
                        struct nk_fault *f)
{
    struct nk_str name = c->mcp[i].servers[j].text;
    const struct nk_config_upstream *u = nk_config_upstream_named(c, name);
    if (!u)
        return nk_fault_set(f, NK_ENOTFOUND, stage, offset,
                            "mcp[%zu].servers[%zu]: there is no upstream \"%.*s\" under "
                            "`upstreams`",
                            i, j, NK_FMT(name));
    if (!nk_str_eq(u->dialect, NK_STR("mcp")))
        return nk_fault_set(f, NK_EINVAL, stage, offset,
                            "mcp[%zu].servers[%zu]: upstream \"%.*s\" speaks %.*s; a server here "
                            "has `dialect: mcp`",
                            i, j, NK_FMT(name), NK_FMT(u->dialect));
    if (nk_str_search(name, NK_STR("___")) >= 0)
        return nk_fault_set(f, NK_EINVAL, stage, offset,
                            "mcp[%zu].servers[%zu]: a name with ___ in it could be taken for that "
                            "of a server and its tool",
                            i, j);
    for (size_t k = 0; k < j; k++)
        if (nk_str_eq(c->mcp[i].servers[k].text, name))
            return nk_fault_set(f, NK_ECONFLICT, stage, offset,
                                "mcp[%zu].servers[%zu]: \"%.*s\" is there twice", i, j,
                                NK_FMT(name));
    return 0;
}

static int check_resource(const struct nk_config *c, size_t i, const struct nk_json *doc,
                          uint32_t item, struct nk_fault *f)
{
    const struct nk_config_mcp *m = &c->mcp[i];
    size_t at = nk_config_offset(doc, item, "resource");
    char who[32];
    if (!m->resource.p && (m->issuer_count || m->scope_count))
        return nk_fault_set(
            f, NK_EINVAL, stage, at,
            "mcp[%zu]: authorization_servers and scopes need `resource`, the URL of "
            "this endpoint",
            i);
    if (!m->resource.p)
        return 0;
    if (!nk_config_is_resource(m->resource))
        return nk_fault_set(f, NK_EINVAL, stage, at,
                            "mcp[%zu].resource is an http or https URL without query and fragment",
                            i);
    if (!m->issuer_count)
        return nk_fault_set(f, NK_EINVAL, stage, at,
                            "mcp[%zu].resource: say in `authorization_servers` whose tokens are "
                            "taken",
                            i);
    for (size_t j = 0; j < i; j++)
        if (nk_str_eq(c->mcp[j].resource, m->resource))
            return nk_fault_set(f, NK_ECONFLICT, stage, at,
                                "mcp[%zu].resource is already that of mcp[%zu]", i, j);
    snprintf(who, sizeof who, "mcp[%zu]", i);
    const struct nk_config_door d = {who, m->issuers, m->issuer_count, m->scopes, m->scope_count};
    return nk_config_check_door(c, &d, at, f);
}

static int check_endpoint(const struct nk_config *c, size_t i, const struct nk_json *doc,
                          uint32_t item, struct nk_fault *f)
{
    const struct nk_config_mcp *m = &c->mcp[i];
    size_t at = nk_config_offset(doc, item, "path");
    if (m->path.p[0] != '/' || nk_str_find(m->path, '?') >= 0 || nk_config_path_taken(c, m->path))
        return nk_fault_set(f, NK_EINVAL, stage, at,
                            "mcp[%zu].path begins with /, has no query, and is neither below /v1/ "
                            "nor that of a hook",
                            i);
    for (size_t j = 0; j < i; j++)
        if (nk_str_eq(c->mcp[j].path, m->path))
            return nk_fault_set(f, NK_ECONFLICT, stage, at,
                                "mcp[%zu].path is already that of mcp[%zu]", i, j);
    uint32_t servers = nk_json_get(doc, item, NK_STR("servers"));
    for (size_t j = 0; j < m->server_count; j++) {
        int rc = check_server(c, i, j, doc->tape[nk_config_item(doc, servers, j)].start, f);
        if (rc)
            return rc;
    }
    if (m->is_bare && m->server_count > 1)
        return nk_fault_set(f, NK_EINVAL, stage, nk_config_offset(doc, item, "prefix"),
                            "mcp[%zu].prefix: off is for one server; two could have a tool of the "
                            "same name",
                            i);
    return check_resource(c, i, doc, item, f);
}

/* A session is kept by one server's process: another endpoint would not know it. */
static int check_upstream(const struct nk_config *c, size_t i, size_t offset, struct nk_fault *f)
{
    const struct nk_config_upstream *u = &c->upstreams[i];
    if (!nk_str_eq(u->dialect, NK_STR("mcp")))
        return 0;
    if (u->endpoint_count > 1)
        return nk_fault_set(f, NK_EUNSUPPORTED, stage, offset,
                            "upstreams[%zu]: an upstream of dialect mcp has one endpoint, because "
                            "sessions belong to it",
                            i);
    return 0;
}

int nk_config_check_mcp(const struct nk_config *c, const struct nk_json *doc, struct nk_fault *f)
{
    uint32_t upstreams = nk_json_get(doc, 0, NK_STR("upstreams"));
    uint32_t list = nk_json_get(doc, 0, NK_STR("mcp"));
    int rc = 0;
    for (size_t i = 0; i < c->upstream_count && !rc; i++)
        rc = check_upstream(c, i, doc->tape[nk_config_item(doc, upstreams, i)].start, f);
    for (size_t i = 0; i < c->mcp_count && !rc; i++)
        rc = check_endpoint(c, i, doc, nk_config_item(doc, list, i), f);
    return rc;
}
