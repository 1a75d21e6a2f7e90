/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint.h - private to the courier: an upstream (one trust domain, one dialect, what policies
 * speak of), its endpoints (where connections go), and a link (one connection). An idle link waits
 * in its endpoint's pool; links hold their generation of the configuration, so that a reload ends
 * nothing that is in flight.
 */
#pragma once

#include "edge/loop.h"
#include "http/http.h"
#include "role/egress.h"
#include "role/mux.h"
#include "role/origin.h"
#include "role/resolve.h"

struct courier;
struct courier_config;
struct exchange;
struct health_check;
struct tunnel;

enum {
    COURIER_NO_ROW = INT32_MAX, /* key sets are not counted as upstreams */
    COURIER_WHY = 64,
};

struct link {
    struct nk_watch watch;
    struct nk_timer timer; /* idle: how long it is kept */
    struct nk_later later;
    struct courier *c;
    struct endpoint *up;
    struct nk_sock sock;
    struct nk_address peer;
    uint32_t epoch;           /* of the addresses, in which `peer` was one */
    struct mux *mux;          /* NULL: HTTP/1.1 */
    struct exchange *x;       /* HTTP/1.1. NULL: idle, or closed */
    struct link *next, *prev; /* in the pool, or among the muxes; newest first */
    int64_t kept_us;          /* when it became idle, and until when it is kept then */
    int64_t keep_until;
    struct tunnel *tunnel; /* a proxy is being asked for one; `connecting` until it stands */
    bool connecting;
    bool established; /* bytes of a request were taken, so any handshake is over */
    bool reused;
    bool needs_read; /* TLS must read before it can write */
    bool unread;     /* more may have come, or the end, that an edge has told of already */
    bool closed;
};

struct endpoint {
    struct courier_config *config;
    struct upstream *of;
    uint32_t number;         /* in the upstream */
    struct nk_origin origin; /* its URL */
    struct nk_origin hop;    /* where connections go: the same, or its proxy */
    struct egress_ask ask;
    const char *refusal;      /* why the last address was not connected to, or NULL */
    bool is_proxied;          /* https: through a tunnel */
    struct nk_str proxy_auth; /* absent: none is sent */
    struct nk_tls *tls;       /* NULL: plain */
    const char *server_name;  /* what its certificate must have */
    struct nk_tls_session session;
    struct nk_str auth_name, auth_value; /* absent: none is sent */
    size_t pool_max, pool_count;
    struct link *pool;
    int64_t trusted_at; /* none of its connections is used twice before */
    enum mux_use http2;
    struct link *muxes; /* that take further exchanges, or end */
    /* The addresses of `hop`: see courier_dns.c. */
    struct nk_addresses addresses;
    uint32_t epoch; /* counts changes of the addresses */
    int64_t refresh_at, fresh_until, stale_until, failed_until;
    char failed_why[COURIER_WHY];
    bool gone; /* no name server answers: the last addresses serve on */
    struct nk_timer patience;
    bool public_only; /* addresses from name servers must not be suspect */
    bool looking_up;
    struct exchange *waiting; /* for the address */
    /* Its share of the calls, and its health: see endpoint.c. */
    int64_t weight, current;
    size_t in_flight;
    uint32_t fails;             /* in a row */
    int64_t out_us, out_until;  /* left out for so long, until then; 0: it is in */
    int64_t failed_us;          /* when it failed last */
    bool told;                  /* it said itself when to come back */
    bool probing;               /* one exchange tries whether it is well again */
    struct health_check *check; /* NULL: it is not asked how it is */
};

struct upstream {
    struct courier_config *config;
    struct nk_str name; /* for the log */
    struct endpoint *endpoints;
    size_t endpoint_count;
    uint32_t stats; /* its row of counters, or COURIER_NO_ROW */
    int64_t connect_us, first_byte_us, idle_us, total_us;
    size_t in_flight_max; /* of each endpoint; 0: no limit */
    struct nk_str token_audience,
        token_header;       /* of the identity that its tools get; absent: none */
    struct nk_str retry_on; /* "429,503": answers that send a call elsewhere */
    bool keeps;             /* requests, in case that one comes */
    uint32_t retries;
    int64_t budget, budget_step; /* in hundredths of a retry: what is left, what a call adds */
    uint32_t failures;           /* in a row, that an endpoint is left out for */
    int64_t eject_us, eject_max_us;
    struct courier_tokens *tokens; /* courier_token.h; NULL: credentials do not change */
};

/* link.c */
struct link *link_take(struct endpoint *up) NK_CHECKED; /* from the pool, or NULL */
struct link *link_connect(struct endpoint *up, const struct nk_address *to) NK_CHECKED;
void link_keep(struct link *l, int64_t keep_us); /* into the pool for so long, or closed */
void link_close(struct link *l);
void link_watch(struct link *l);
/* After reading: if something may be left, epoll says so again. The exchange may be over afterwards. */
void link_look_again(struct link *l);
/* Before the handshake: the session to go on with, and HTTP/2 as the endpoint says. */
void link_offer(struct link *l);
/* Does it wait for its connection, rather than for a proxy's answer? */
bool link_is_connecting(const struct link *l);
size_t link_close_pool(struct endpoint *up); /* how many */
/* It has sent what nobody asked for, and may do so again. */
void link_distrust(struct endpoint *up);
/* Does the name still have the address of this link? */
bool link_is_current(struct link *l);
/* Closes the idle links to addresses that the name does not have any more. */
void link_close_departed(struct endpoint *up);

/* link_proxy.c */
/* Writes what asks a proxy for a tunnel; false when out of memory. */
bool link_proxy_begin(struct link *l) NK_CHECKED;
void link_proxy_end(struct link *l);
bool link_proxy_is_asked(const struct link *l);
/* Goes on with it. True: it is for the exchange or the mux to go on; false: not yet, or never. */
bool link_proxy_ready(struct link *l, uint32_t events) NK_CHECKED;
/* Makes the head of a request one for the proxy, where it is the proxy that gets it. */
int link_proxy_head(const struct endpoint *up, struct nk_buf *head) NK_CHECKED;

/* endpoint.c */
/* The endpoint that is to take the next call, but none of `tried`; *probe: to see if it is well.
 * NULL: all are full or left out. */
struct endpoint *endpoint_choose(struct upstream *to, uint32_t tried, bool *probe) NK_CHECKED;
void endpoint_ok(struct endpoint *up);
/* It failed; `told_us` > 0: it said itself that it will be back then. */
void endpoint_failed(struct endpoint *up, int64_t told_us);
/* Leaves it out, for longer than the time before, or for as long as it said. */
void endpoint_leave_out(struct endpoint *up, int64_t told_us);
/* What an answer says of it: how long it wants to be left alone, or 0. */
int64_t endpoint_retry_after(const struct endpoint *up, const struct nk_http_head *h);
