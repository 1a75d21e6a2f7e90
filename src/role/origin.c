/* SPDX-License-Identifier: Apache-2.0
 *
 * origin.c - URLs as far as the configuration has them: no user, no fragment.
 */
#include "role/origin.h"

#include <arpa/inet.h>
#include <string.h>

int nk_origin_literal(const char *host, uint16_t port, struct nk_address *out)
{
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, host, &out->u.in.sin_addr) == 1) {
        out->u.in.sin_family = AF_INET;
        out->u.in.sin_port = htons(port);
        out->size = sizeof out->u.in;
        return 0;
    }
    if (inet_pton(AF_INET6, host, &out->u.in6.sin6_addr) == 1) {
        out->u.in6.sin6_family = AF_INET6;
        out->u.in6.sin6_port = htons(port);
        out->size = sizeof out->u.in6;
        return 0;
    }
    return NK_EINVAL;
}

bool nk_origin_is_suspect(const struct nk_address *a)
{
    uint32_t v4 = 0;
    if (a->u.sa.sa_family == AF_INET) {
        v4 = ntohl(a->u.in.sin_addr.s_addr);
    } else if (a->u.sa.sa_family == AF_INET6) {
        const struct in6_addr *v6 = &a->u.in6.sin6_addr;
        if (!IN6_IS_ADDR_V4MAPPED(v6))
            return IN6_IS_ADDR_LOOPBACK(v6) || IN6_IS_ADDR_LINKLOCAL(v6) ||
                   IN6_IS_ADDR_UNSPECIFIED(v6) || IN6_IS_ADDR_MULTICAST(v6);
        memcpy(&v4, v6->s6_addr + 12, sizeof v4);
        v4 = ntohl(v4);
    } else {
        return false;
    }
    uint32_t top = v4 >> 24;
    return top == 0 || top == 127 || top >= 224 || v4 >> 16 == 0xa9fe;
}

static int take_port(struct nk_str text, struct nk_origin *o)
{
    uint64_t v = o->tls ? 443 : 80;
    if (text.n && (text.p[0] != ':' || nk_str_to_u64(nk_str_sub(text, 1, text.n), &v)))
        return NK_EINVAL;
    if (v == 0 || v > 65535)
        return NK_EINVAL;
    o->port = (uint16_t)v;
    return 0;
}

static int take_host(struct nk_str authority, struct nk_origin *o)
{
    bool bracket = authority.n && authority.p[0] == '[';
    ptrdiff_t at = nk_str_find(authority, bracket ? ']' : ':');
    size_t end = at < 0 ? authority.n : (size_t)at;
    struct nk_str host = nk_str_sub(authority, bracket, end);
    if (!host.n || host.n > NK_ORIGIN_HOST_MAX || (bracket && at < 0) ||
        nk_str_find(host, '@') >= 0 || nk_str_find(host, 0) >= 0 ||
        take_port(nk_str_sub(authority, end + bracket, authority.n), o))
        return NK_EINVAL;
    memcpy(o->host, host.p, host.n);
    o->host[host.n] = 0;
    o->literal = nk_origin_literal(o->host, o->port, &o->address) == 0;
    return bracket && (!o->literal || o->address.u.sa.sa_family != AF_INET6) ? NK_EINVAL : 0;
}

int nk_origin_parse(struct nk_str url, struct nk_arena *a, struct nk_origin *out,
                    struct nk_fault *f)
{
    *out = (struct nk_origin){.target = NK_STR("/")};
    if (nk_str_starts(url, NK_STR("unix:"))) {
        out->literal = true;
        out->host_header = NK_STR("localhost");
        return nk_address_parse(url, &out->address, f);
    }
    out->tls = nk_str_starts(url, NK_STR("https://"));
    if (!out->tls && !nk_str_starts(url, NK_STR("http://")))
        return nk_fault_set(f, NK_EINVAL, "origin", 0, "not an http, https or unix URL");
    struct nk_str rest = nk_str_sub(url, out->tls ? 8 : 7, url.n);
    size_t n = 0;
    while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?' && rest.p[n] != '#')
        n++;
    if (take_host(nk_str_sub(rest, 0, n), out))
        return nk_fault_set(f, NK_EINVAL, "origin", 0, "no usable host in the URL");
    out->host_header = nk_arena_copy(a, nk_str_sub(rest, 0, n));
    if (n < rest.n && rest.p[n] != '/')
        return nk_fault_set(f, NK_EINVAL, "origin", n, "the URL has no path");
    if (n < rest.n)
        out->target = nk_arena_copy(a, nk_str_sub(rest, n, rest.n));
    return out->host_header.p && out->target.p
               ? 0
               : nk_fault_set(f, NK_ENOMEM, "origin", 0, "no memory for a URL");
}
