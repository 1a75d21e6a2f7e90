/* SPDX-License-Identifier: Apache-2.0
 *
 * resolve.h - names to addresses: first the lines of /etc/hosts that the bundle brings, then the
 * name servers, asked by c-ares inside the loop. What c-ares needs of files it reads when the
 * resolver is made, so that comes before a role gives up the file system.
 */
#pragma once

#include "edge/loop.h"
#include "edge/sock.h"

enum { NK_RESOLVE_MAX = 8 }; /* addresses kept of one name */

struct nk_addresses {
    struct nk_address at[NK_RESOLVE_MAX];
    size_t count;
    int64_t ttl_us; /* how long they may be kept, as the name servers say */
    bool no_name;   /* there are none, and that is the answer of a name server */
};

struct nk_resolver;

struct nk_resolver *nk_resolver_new(struct nk_loop *loop, struct nk_fault *f) NK_CHECKED;
/* Asks these from the next question on, when none is open; "127.0.0.1:5300,…", or "" for the
 * system's. NK_EINVAL for what is none, NK_ELIMIT for too many. */
int nk_resolver_use(struct nk_resolver *r, const char *servers) NK_CHECKED;
void nk_resolver_free(struct nk_resolver *r);
/* Lines "name address": 0, or NK_ENOTFOUND. Names compare without case. */
int nk_hosts_find(struct nk_str hosts, const char *name, uint16_t port,
                  struct nk_addresses *out) NK_CHECKED;
/* Asks the name servers. `done` is called once, maybe before this returns; `why` is NULL when there
 * are addresses. It is also called, with a reason, when the resolver is freed. */
void nk_resolve(struct nk_resolver *r, const char *name, uint16_t port, void *owner,
                void (*done)(void *owner, const struct nk_addresses *found, const char *why));
