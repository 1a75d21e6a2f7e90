/* SPDX-License-Identifier: Apache-2.0
 *
 * process.c - an MCP server that is started here: it has a program in place of a URL, and nothing that is about
 * connections. The courier reaches it at a Unix socket beside `control`, where the runner answers for all of them, by
 * a path that is the upstream's name.
 */
#include "config/table.h"

#include <stdio.h>

enum { SOCKET_PATH_MAX = 107 }; /* sun_path of unix(7), with its NUL */

static const char stage[] = "config";

bool nk_config_is_started(const struct nk_config_upstream *u)
{
    return u->command_count > 0;
}

bool nk_config_starts_any(const struct nk_config *c)
{
    bool any = false;
    for (size_t i = 0; i < c->upstream_count; i++)
        any = any || nk_config_is_started(&c->upstreams[i]);
    return any;
}

struct nk_str nk_config_served_at(const struct nk_config *c, struct nk_arena *a)
{
    return nk_arena_printf(a, "unix:%.*s.mcp", NK_FMT(c->control));
}

/* The first key that says something about connections, or NULL. */
static const char *of_connections(const struct nk_config_upstream *u)
{
    const struct {
        const char *key;
        bool is_said;
    } keys[] = {{"url", u->url.p},
                {"endpoints", u->endpoint_count},
                {"path", u->path.p},
                {"credential", u->credential.p},
                {"oauth", u->oauth.token_url.p},
                {"token_audience", u->token_audience.p},
                {"ca", u->ca.p},
                {"pins", u->pin_count},
                {"client_certificate", u->client_certificate.p},
                {"client_key", u->client_key.p},
                {"tls_server_name", u->tls_server_name.p},
                {"proxy", u->proxy.p},
                {"proxy_credential", u->proxy_credential.p},
                {"http2", nk_str_eq(u->http2, NK_STR("on"))},
                {"health", u->health.path.p}};
    for (size_t i = 0; i < NK_COUNT(keys); i++)
        if (keys[i].is_said)
            return keys[i].key;
    return NULL;
}

/* POSIX.1-2017, XBD 8.1: what every program can read. */
static bool is_variable(struct nk_str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
        if (!letter && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return name.n > 0;
}

static int check_variables(const struct nk_config_process *p, const char *who, size_t at,
                           struct nk_fault *f)
{
    for (size_t i = 0; i < p->environment_count; i++) {
        const struct nk_config_variable *v = &p->environment[i];
        if (!is_variable(v->name))
            return nk_fault_set(f, NK_EINVAL, stage, at,
                                "%s.process.environment[%zu].name: letters, digits and _, and no "
                                "digit first",
                                who, i);
        if (!v->value.p == !v->secret.p)
            return nk_fault_set(f, NK_EINVAL, stage, at,
                                "%s.process.environment[%zu] needs one of value and secret", who,
                                i);
        for (size_t j = 0; j < i; j++)
            if (nk_str_eq(v->name, p->environment[j].name))
                return nk_fault_set(f, NK_ECONFLICT, stage, at,
                                    "%s.process.environment: \"%.*s\" is there twice", who,
                                    NK_FMT(v->name));
    }
    return 0;
}

int nk_config_check_process(const struct nk_config *c, size_t i, const struct nk_json *doc,
                            uint32_t at, struct nk_fault *f)
{
    const struct nk_config_upstream *u = &c->upstreams[i];
    const char *key = of_connections(u);
    size_t offset = nk_config_offset(doc, at, "command");
    char who[32];
    snprintf(who, sizeof who, "upstreams[%zu]", i);
    if (!nk_str_eq(u->dialect, NK_STR("mcp")))
        return nk_fault_set(f, NK_EINVAL, stage, offset,
                            "%s.command is for upstreams of dialect mcp only", who);
    if (key)
        return nk_fault_set(f, NK_ECONFLICT, stage, nk_config_offset(doc, at, key),
                            "%s.%s is about a server that is reached; this one has a command, and "
                            "is started here",
                            who, key);
    if (u->command[0].text.p[0] != '/')
        return nk_fault_set(f, NK_EINVAL, stage, offset,
                            "%s.command[0] is the program's absolute path, such as /usr/bin/node",
                            who);
    if (nk_str_find(u->name, '/') >= 0)
        return nk_fault_set(f, NK_EINVAL, stage, nk_config_offset(doc, at, "name"),
                            "%s.name: no \"/\" in the name of a server that is started here", who);
    if (c->control.n + 4 > SOCKET_PATH_MAX)
        return nk_fault_set(f, NK_ELIMIT, stage, offset,
                            "%s.command: `control` may have %d bytes at most, because the socket "
                            "of these servers is beside it",
                            who, SOCKET_PATH_MAX - 4);
    return check_variables(&u->process, who, nk_config_offset(doc, at, "process"), f);
}

int nk_config_place_processes(struct nk_config *c, struct nk_arena *a, struct nk_fault *f)
{
    for (size_t i = 0; i < c->upstream_count; i++) {
        /* The list is ours until it is handed out. */
        struct nk_config_upstream *u = (struct nk_config_upstream *)(uintptr_t)&c->upstreams[i];
        if (!nk_config_is_started(u))
            continue;
        u->served_at = nk_config_served_at(c, a);
        u->served_path = nk_arena_printf(a, "/%.*s", NK_FMT(u->name));
        if (!u->served_at.p || !u->served_path.p)
            return nk_fault_set(f, NK_ENOMEM, stage, 0, "out of memory");
    }
    return 0;
}
