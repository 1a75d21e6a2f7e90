/* SPDX-License-Identifier: Apache-2.0
 *
 * egress.c - see egress.h.
 */
#include "role/egress.h"

#include <arpa/inet.h>
#include <string.h>
#include "role/reach.h"

static bool is_ipv6(const struct nk_address *a)
{
    return a->u.sa.sa_family == AF_INET6;
}

static uint16_t port_of(const struct nk_address *a)
{
    return ntohs(is_ipv6(a) ? a->u.in6.sin6_port : a->u.in.sin_port);
}

/* Addresses --------------------------------------------------------------------------------------- */

static enum egress_kind kind_of_v4(uint32_t v4)
{
    static const struct {
        uint32_t at;
        int bits;
        enum egress_kind kind;
    } blocks[] = {{0x0a000000, 8, EGRESS_PRIVATE},  {0xac100000, 12, EGRESS_PRIVATE},
                  {0xc0a80000, 16, EGRESS_PRIVATE}, {0x64400000, 10, EGRESS_PRIVATE},
                  {0x7f000000, 8, EGRESS_LOOPBACK}, {0x00000000, 8, EGRESS_NEVER},
                  {0xa9fe0000, 16, EGRESS_NEVER},   {0xe0000000, 3, EGRESS_NEVER}};
    for (size_t i = 0; i < NK_COUNT(blocks); i++)
        if ((v4 ^ blocks[i].at) >> (32 - blocks[i].bits) == 0)
            return blocks[i].kind;
    return EGRESS_PUBLIC;
}

/* The IPv4 address that an IPv6 one stands for (RFC 4291, 2.5.5; RFC 6052, 2.1; RFC 3056, 2). */
static bool inner_v4(const unsigned char b[16], uint32_t *v4)
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff}, compatible[12] = {0},
                               nat64[12] = {0x00, 0x64, 0xff, 0x9b};
    size_t at = 12;
    if (b[0] == 0x20 && b[1] == 0x02)
        at = 2;
    else if (memcmp(b, mapped, 12) != 0 && memcmp(b, nat64, 12) != 0 &&
             memcmp(b, compatible, 12) != 0)
        return false;
    memcpy(v4, b + at, sizeof *v4);
    *v4 = ntohl(*v4);
    return true;
}

enum egress_kind egress_kind_of(const struct nk_address *a)
{
    const unsigned char *b = a->u.in6.sin6_addr.s6_addr;
    uint32_t v4;
    if (!is_ipv6(a))
        return kind_of_v4(ntohl(a->u.in.sin_addr.s_addr));
    if (IN6_IS_ADDR_LOOPBACK(&a->u.in6.sin6_addr))
        return EGRESS_LOOPBACK;
    if (inner_v4(b, &v4))
        return kind_of_v4(v4);
    if ((b[0] & 0xfe) == 0xfc)
        return EGRESS_PRIVATE;
    bool link_or_site = b[0] == 0xfe && b[1] & 0x80;
    return link_or_site || b[0] == 0xff ? EGRESS_NEVER : EGRESS_PUBLIC;
}

static bool is_in(const struct egress_rule *r, const struct nk_address *a)
{
    const unsigned char *x, *y;
    if (r->network.u.sa.sa_family != a->u.sa.sa_family)
        return false;
    if (is_ipv6(a)) {
        x = r->network.u.in6.sin6_addr.s6_addr;
        y = a->u.in6.sin6_addr.s6_addr;
    } else {
        x = (const unsigned char *)&r->network.u.in.sin_addr;
        y = (const unsigned char *)&a->u.in.sin_addr;
    }
    size_t whole = r->bits / 8;
    unsigned rest = r->bits % 8;
    return memcmp(x, y, whole) == 0 && (!rest || (x[whole] ^ y[whole]) >> (8 - rest) == 0);
}

/* The list ---------------------------------------------------------------------------------------- */

static bool lists_name(const struct egress *e, const struct nk_origin *o)
{
    for (size_t i = 0; i < e->count; i++)
        if (e->rules[i].host.p && e->rules[i].port && e->rules[i].port == o->port &&
            nk_str_eq_nocase(e->rules[i].host, nk_str(o->host)))
            return true;
    return false;
}

static bool lists_address(const struct egress *e, const struct nk_address *a)
{
    for (size_t i = 0; i < e->count; i++)
        if (!e->rules[i].host.p && e->rules[i].port == port_of(a) && is_in(&e->rules[i], a))
            return true;
    return false;
}

static bool lists_path(const struct egress *e, const char *path)
{
    for (size_t i = 0; i < e->count; i++)
        if (e->rules[i].host.p && !e->rules[i].port && nk_str_eq(e->rules[i].host, nk_str(path)))
            return true;
    return false;
}

static bool is_local_name(const char *host)
{
    static const char *const tops[] = {".local", ".localhost", ".internal", ".test", ".home.arpa"};
    struct nk_str name = nk_str(host);
    if (nk_str_find(name, '.') < 0)
        return true;
    for (size_t i = 0; i < NK_COUNT(tops); i++) {
        size_t n = strlen(tops[i]);
        if (name.n > n && nk_str_eq_nocase(nk_str_sub(name, name.n - n, name.n), nk_str(tops[i])))
            return true;
    }
    return false;
}

const char *egress_refusal(const struct egress *e, const struct egress_ask *ask,
                           const struct nk_address *to)
{
    static const char unlisted[] = "egress.allow does not list the destination";
    const struct nk_origin *hop = ask->hop, *target = ask->target;
    if (to->u.sa.sa_family == AF_UNIX)
        return lists_path(e, to->u.un.sun_path) ? NULL : unlisted;
    bool in_network = lists_address(e, to);
    if (!in_network && !(lists_name(e, hop) && hop->port == port_of(to)))
        return unlisted;
    if (target != hop && !lists_name(e, target) &&
        !(target->literal && lists_address(e, &target->address)))
        return "egress.allow does not list what is behind the proxy";
    if (hop->literal || ask->from_hosts || in_network)
        return NULL;
    enum egress_kind kind = egress_kind_of(to);
    if (kind == EGRESS_NEVER)
        return "the name leads to a link-local or reserved address";
    if (kind != EGRESS_PUBLIC && !ask->is_private && !is_local_name(hop->host))
        return kind == EGRESS_LOOPBACK ? "the name leads to this machine (see `private`)"
                                       : "the name leads to a private address (see `private`)";
    return NULL;
}

int egress_connect(const struct egress *e, const struct egress_ask *ask,
                   const struct nk_address *to, const char **why)
{
    *why = egress_refusal(e, ask, to);
    return *why ? NK_EDENIED : nk_connect(to);
}

/* From the configuration -------------------------------------------------------------------------- */

struct listing {
    const struct nk_config *config;
    struct nk_arena *arena;
    struct egress_rule *rules;
    size_t count;
    struct nk_fault *fault;
};

static int add_origin(struct listing *l, struct nk_str url)
{
    struct nk_origin o;
    struct egress_rule *r = &l->rules[l->count];
    int rc = nk_origin_parse(url, l->arena, &o, l->fault);
    if (rc)
        return rc;
    bool is_unix = o.literal && o.address.u.sa.sa_family == AF_UNIX;
    *r = (struct egress_rule){.port = is_unix ? 0 : o.port};
    if (is_unix || !o.literal) {
        r->host = nk_arena_copy(l->arena, nk_str(is_unix ? o.address.u.un.sun_path : o.host));
        if (!r->host.p)
            return nk_fault_set(l->fault, NK_ENOMEM, "egress", 0, "out of memory");
    } else {
        r->network = o.address;
        r->bits = is_ipv6(&o.address) ? 128 : 32;
    }
    l->count++;
    return 0;
}

/* "HOST:PORT", "ADDRESS/BITS:PORT", "[ADDRESS/BITS]:PORT", "unix:PATH"; the configuration has
 * checked the form. */
static int add_entry(struct listing *l, struct nk_str text)
{
    struct egress_rule *r = &l->rules[l->count++];
    uint64_t port = 0, bits;
    *r = (struct egress_rule){.bits = 32};
    if (nk_str_starts(text, NK_STR("unix:"))) {
        r->host = nk_str_sub(text, 5, text.n);
        return 0;
    }
    size_t colon = text.n;
    while (colon && text.p[colon - 1] != ':')
        colon--;
    if (!colon || nk_str_to_u64(nk_str_sub(text, colon, text.n), &port) || !port || port > 65535)
        return NK_EINVAL;
    struct nk_str rest = nk_str_sub(text, 0, colon - 1);
    bool bracket = rest.n > 1 && rest.p[0] == '[';
    if (bracket) {
        rest = nk_str_sub(rest, 1, rest.n - 1);
        r->bits = 128;
    }
    struct nk_str host = nk_str_cut(&rest, '/');
    r->port = (uint16_t)port;
    if (rest.p && (nk_str_to_u64(rest, &bits) || bits > r->bits))
        return NK_EINVAL;
    if (rest.p)
        r->bits = (unsigned)bits;
    char name[NK_ORIGIN_HOST_MAX + 1];
    if (!host.n || host.n > NK_ORIGIN_HOST_MAX)
        return NK_EINVAL;
    memcpy(name, host.p, host.n);
    name[host.n] = 0;
    if (nk_origin_literal(name, r->port, &r->network) == 0)
        return is_ipv6(&r->network) == bracket ? 0 : NK_EINVAL;
    r->host = host;
    return rest.p || bracket ? NK_EINVAL : 0;
}

/* What could never be reached is a mistake that is better told at once. */
static int check_reachable(struct listing *l, struct nk_str url, bool proxied, const char *key)
{
    struct egress e = {l->rules, l->count};
    struct nk_origin o;
    int rc = nk_origin_parse(url, l->arena, &o, l->fault);
    if (rc)
        return rc;
    bool ok = o.literal && o.address.u.sa.sa_family == AF_UNIX
                  ? lists_path(&e, o.address.u.un.sun_path)
                  : lists_name(&e, &o) || (o.literal && lists_address(&e, &o.address));
    for (size_t i = 0; !ok && !proxied && !o.literal && i < l->count; i++)
        ok = !l->rules[i].host.p && l->rules[i].port == o.port;
    return ok ? 0
              : nk_fault_set(l->fault, NK_EINVAL, "config", 0,
                             "egress.allow: %s needs an entry for %.*s", key, NK_FMT(url));
}

typedef int take_url(struct listing *l, struct nk_str url, bool proxied, const char *key);

/* Calls `take` for a URL, and for that of the proxy on the way. */
static int way(struct listing *l, struct nk_str url, struct nk_str own_proxy, take_url *take,
               const char *key)
{
    struct nk_str proxy = reach_proxy(l->config, url, own_proxy);
    int rc = take(l, url, proxy.p != NULL, key);
    return rc || !proxy.p ? rc : take(l, proxy, false, "proxy");
}

/* The same for each endpoint, each issuer and the collector. */
static int each_url(struct listing *l, take_url *take)
{
    const struct nk_config *c = l->config;
    const struct nk_str none = {NULL, 0};
    int rc = 0;
    for (size_t i = 0; !rc && i < c->upstream_count; i++) {
        const struct nk_config_upstream *u = &c->upstreams[i];
        const char *key = u->endpoint_count ? "upstreams[].endpoints[].url" : "upstreams[].url";
        for (size_t j = 0; !rc && j < nk_config_endpoint_count(u); j++)
            rc = way(l, nk_config_endpoint(u, j).url, u->proxy, take, key);
        if (!rc && u->oauth.token_url.p)
            rc = way(l, u->oauth.token_url, none, take, "upstreams[].oauth.token_url");
    }
    for (size_t i = 0; !rc && i < c->issuer_count; i++) {
        struct nk_str url = c->issuers[i].jwks;
        if (!nk_str_starts(url, NK_STR("file:")))
            rc = way(l, url, none, take, "identity.issuers[].jwks");
    }
    if (!rc && c->telemetry.endpoint.p)
        rc = way(l, c->telemetry.endpoint, none, take, "telemetry.otlp.endpoint");
    return rc;
}

static int add_url(struct listing *l, struct nk_str url, bool proxied, const char *key)
{
    (void)proxied, (void)key;
    return add_origin(l, url);
}

int egress_new(const struct nk_config *c, struct nk_arena *a, struct egress *out,
               struct nk_fault *f)
{
    size_t most = c->egress_allow_count + 2 * (c->issuer_count + 1);
    for (size_t i = 0; i < c->upstream_count; i++)
        most += 2 * (nk_config_endpoint_count(&c->upstreams[i]) + 1);
    struct listing l = {.config = c, .arena = a, .fault = f};
    l.rules = nk_arena_array(a, most, sizeof *l.rules);
    if (!l.rules)
        return nk_fault_set(f, NK_ENOMEM, "egress", 0, "out of memory");
    int rc = 0;
    for (size_t i = 0; !rc && i < c->egress_allow_count; i++)
        if ((rc = add_entry(&l, c->egress_allow[i].text)) != 0)
            return nk_fault_set(f, rc, "config", 0, "egress.allow[%zu] is not a destination", i);
    rc = each_url(&l, c->egress_allow_count ? check_reachable : add_url);
    *out = (struct egress){l.rules, l.count};
    return rc;
}
