/* SPDX-License-Identifier: Apache-2.0
 *
 * egress.h - where the courier may connect to. One function decides, right before connect(2), and
 * it is the courier's only way to a connection, so that neither a mistake elsewhere nor a name
 * server can lead it to another place.
 *
 *   1. The destination is listed: HOST:PORT by its name, or NETWORK:PORT by the address that the
 *      name led to. Without egress.allow the list is the upstreams, issuers, collector and
 *      proxies of the configuration. Behind a proxy the upstream's own name has to be listed, too.
 *   2. What a name leads to is no more than it should be. An address that stands in the
 *      configuration, in /etc/hosts or in a listed network is meant. Otherwise
 *        - private networks (RFC 1918, RFC 4193, RFC 6598) and loopback are for names that are local
 *          by themselves (without a dot, or under .local, .localhost, .internal, .test,
 *          .home.arpa: RFC 6761, 6762, 8375), for upstreams with `private: true`, and for the
 *          collector;
 *        - link-local addresses (where clouds keep their metadata service), unspecified, multicast
 *          and reserved ones are for nobody.
 *      What an IPv6 address holds of an IPv4 one (mapped, NAT64, 6to4) is looked at as such.
 */
#pragma once

#include "config/config.h"
#include "role/origin.h"

struct egress_rule {
    struct nk_str host; /* a name, or the path of a Unix socket; absent: `network` */
    uint16_t port;      /* 0: a Unix socket */
    struct nk_address network;
    unsigned bits;
};

struct egress {
    const struct egress_rule *rules;
    size_t count;
};

/* Who wants to connect, and for whom. */
struct egress_ask {
    const struct nk_origin *hop;    /* where the connection goes */
    const struct nk_origin *target; /* whom it is for: the same unless `hop` is a proxy */
    bool from_hosts;                /* the address stands in /etc/hosts */
    bool is_private;                /* private networks and loopback are expected */
};

enum egress_kind { EGRESS_PUBLIC, EGRESS_PRIVATE, EGRESS_LOOPBACK, EGRESS_NEVER };

/* The list, in `a`. NK_EINVAL when one of what the configuration names could never be reached; the
 * fault names it. */
int egress_new(const struct nk_config *c, struct nk_arena *a, struct egress *out,
               struct nk_fault *f) NK_CHECKED;
enum egress_kind egress_kind_of(const struct nk_address *a);
/* NULL when the connection may be made; else why not. */
const char *egress_refusal(const struct egress *e, const struct egress_ask *ask,
                           const struct nk_address *to);
/* As nk_connect; NK_EDENIED with *why when it may not be. */
int egress_connect(const struct egress *e, const struct egress_ask *ask,
                   const struct nk_address *to, const char **why) NK_CHECKED;
