/* SPDX-License-Identifier: Apache-2.0
 *
 * exchange.h - private to the courier: an upstream, a link (one connection to it), an exchange (one
 * request and its answer over a link). An exchange holds a link while it runs; an idle link waits in
 * its upstream's pool; both hold their generation of the configuration, so that a reload ends nothing
 * that is in flight.
 */
#pragma once

#include "edge/loop.h"
#include "role/egress.h"
#include "role/origin.h"
#include "role/resolve.h"
#include "role/wire.h"

struct courier;
struct courier_config;
struct exchange;
struct tunnel;

enum {
    COURIER_READ = 32768, /* bytes of one read from an upstream */
    COURIER_HEAD = 16384, /* largest head of an answer */
    COURIER_HEADERS = 128,
    COURIER_ROOM = COURIER_READ + 2 * COURIER_HEAD + 256, /* of the ring, before a read */
};

struct link {
    struct nk_watch watch;
    struct nk_timer timer; /* idle: how long it is kept */
    struct nk_later later;
    struct courier *c;
    struct upstream *up;
    struct nk_sock sock;
    struct exchange *x;       /* NULL: idle, or closed */
    struct link *next, *prev; /* in the pool, newest first */
    int64_t kept_us;          /* when it became idle */
    struct tunnel *tunnel;    /* a proxy is being asked for one; `connecting` until it stands */
    bool connecting;
    bool established; /* bytes of a request were taken, so any handshake is over */
    bool reused;
    bool needs_read; /* TLS must read before it can write */
    bool closed;
};

struct upstream {
    struct courier_config *config;
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
    int64_t connect_us, first_byte_us, idle_us;
    size_t pool_max, pool_count;
    struct link *pool;
    struct nk_addresses addresses;
    int64_t fresh_until;
    bool public_only; /* addresses from name servers must not be suspect */
    bool looking_up;
    struct exchange *waiting; /* for the address */
};

/* What an exchange is for. */
struct exchange_kind {
    /* How many bytes may be read now; 0 pauses until exchange_resume. */
    size_t (*allow)(struct exchange *x);
    /* What one read brought: the head (once, first), a piece of the body, the end (then *x is freed
     * by nk_loop_later). */
    void (*answer)(struct exchange *x, const struct nk_http_head *head, struct nk_str body,
                   bool end);
    /* It is over; enum nk_wire_fail. */
    void (*fail)(struct exchange *x, int code, const char *why);
    void (*free)(struct nk_later *l);
};

struct exchange {
    const struct exchange_kind *kind;
    struct courier *c;
    struct upstream *up;
    struct link *link;
    struct exchange *next_waiting;
    struct nk_later later;
    struct nk_timer timer;
    int64_t deadline, connect_by;
    struct nk_arena arena;
    struct nk_http_parser *parser;
    uint64_t max_body;
    struct nk_buf out; /* the request, as far as it may have to be sent (again) */
    size_t sent;
    bool complete;  /* the whole request is in `out` (or was sent) */
    bool delivered; /* and sent */
    bool safe;      /* may be sent twice: GET, HEAD, OPTIONS */
    bool is_head;
    bool answered; /* a byte of the answer came */
    bool retried, paused, over;
    size_t address; /* the one being tried */
};

/* link.c */
struct link *link_take(struct upstream *up) NK_CHECKED; /* from the pool, or NULL */
struct link *link_connect(struct upstream *up, const struct nk_address *to) NK_CHECKED;
void link_keep(struct link *l, int64_t keep_us); /* into the pool for so long, or closed */
void link_close(struct link *l);
void link_watch(struct link *l);
void link_close_pool(struct upstream *up);

/* link_proxy.c */
/* Writes what asks a proxy for a tunnel; false when out of memory. */
bool link_proxy_begin(struct link *l) NK_CHECKED;
void link_proxy_end(struct link *l);
bool link_proxy_is_asked(const struct link *l);
/* Goes on with it. True: it is for the exchange to go on; false: not yet, or never. */
bool link_proxy_ready(struct link *l, uint32_t events) NK_CHECKED;
/* Makes the head of a request one for the proxy, where it is the proxy that gets it. */
int link_proxy_head(const struct upstream *up, struct nk_buf *head) NK_CHECKED;

/* exchange.c: `head` and `body` are sent or copied; `complete`: nothing more follows. */
void exchange_start(struct exchange *x, struct nk_str head, struct nk_str body, bool complete);
void exchange_more(struct exchange *x, struct nk_str body, bool complete);
void exchange_resume(struct exchange *x);
/* Closes the link at once; *x is freed, `fail` is not called. */
void exchange_cancel(struct exchange *x);
void exchange_fail(struct exchange *x, int code, const char *why);
void exchange_ready(struct link *l, uint32_t events);
/* `why` NULL: x->up has addresses now. */
void exchange_addressed(struct exchange *x, const char *why);
