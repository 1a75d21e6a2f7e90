/* SPDX-License-Identifier: Apache-2.0
 *
 * courier.h - private to the courier. Its parts, from the inside out:
 *
 *   egress.c            where connections may go at all
 *   link.c              connections: made, kept, reused, closed             (endpoint.h)
 *   link_proxy.c        a proxy on the way
 *   mux.c               a connection that carries several exchanges: HTTP/2 (mux.h)
 *   endpoint.c          who takes a call, and who is left out
 *   courier_dns.c       the addresses of an endpoint over time
 *   exchange.c          one request and its answer; time limits             (exchange.h)
 *   attempt.c           what comes after a failure: another endpoint, or the end
 *   courier_config.c    one generation of the configuration: upstreams, credentials, key-set URLs
 *   courier_health.c    an endpoint is asked how it is
 *   courier_call.c      a call of the gate is an exchange between a ring and an upstream
 *   courier_token.c     access tokens: fetched, kept, waited for           (courier_token.h)
 *   courier_fetch.c     a key set is an exchange whose answer is kept until it is whole
 *   courier_telemetry.c what is told of requests, on its way to a collector (courier_telemetry.h)
 *   courier.c           rings, the control channel, life
 */
#pragma once

#include "config/config.h"
#include "ident/token.h"
#include "role/exchange.h"
#include "role/role.h"
#include "role/stats.h"

enum {
    COURIER_STREAMS = 65536,
    COURIER_FETCH_MAX = 262144, /* largest key set */
};

struct courier_config {
    struct courier *c;
    uint32_t generation;
    size_t refs;
    struct nk_arena arena;
    struct nk_bundle bundle;
    struct nk_config config;
    struct egress egress;
    struct nk_str hosts;
    struct nk_token_key token;        /* that signs what tools get; kid absent: none does */
    struct upstream *upstreams;       /* as in config.upstreams */
    struct upstream *key_sets;        /* as in config.issuers; those from files are empty */
    struct upstream collector;        /* of telemetry; empty when there is none */
    struct nk_str *collector_headers; /* values, as in config.telemetry.headers */
};

struct courier {
    struct nk_loop *loop;
    struct nk_role_start *start;
    struct nk_resolver *resolver;
    struct nk_tls *system_tls; /* NULL: see tls_fault */
    struct nk_fault tls_fault;
    struct nk_stats stats;
    struct nk_ring *calls, *answers;
    struct nk_role_ring call_fds, answer_fds;
    struct nk_watch call_watch, answer_watch, control;
    struct courier_config *current, *previous, *prepared;
    struct call **slots; /* by stream */
    struct call *spare;  /* to be used again */
    size_t spare_count;
    uint32_t *newest;      /* by stream: generation of the latest call; 0: none yet */
    struct call *blocked;  /* have something to read or say, but the ring is full */
    struct fetch *fetches; /* running, or on their way into the ring */
    size_t live;           /* calls */
    struct nk_buf scratch; /* heads on their way */
    char *read;            /* COURIER_READ bytes */
    struct nk_timer grace;
    int64_t told_since_us; /* the second whose told_lines are counted */
    uint32_t told_lines;
    struct courier_telemetry *telemetry;
    bool draining;
};

/* courier_config.c */
struct courier_config *courier_config_new(struct courier *c, uint32_t generation, int bundle,
                                          struct nk_fault *f) NK_CHECKED;
void courier_config_drop(struct courier_config *g);
struct courier_config *courier_config_find(struct courier *c, uint32_t generation);
/* Descriptors are short: true when some are free now. */
bool courier_free_descriptors(struct courier *c);
/* Closes idle connections; how many. */
size_t courier_close_pools(struct courier_config *g);

/* courier_dns.c */
bool courier_has_addresses(const struct endpoint *up);
/* Finds addresses of x->up, then calls exchange_addressed; `why` NULL: there are some. */
void courier_look_up(struct exchange *x);
/* Asks for the addresses again, ahead of time; nobody waits. To be called from refresh_at on. */
void courier_refresh(struct endpoint *up);

/* courier_health.c */
/* Starts to ask the endpoints of a generation that has come into force; ends it. */
void courier_health_start(struct courier_config *g);
void courier_health_stop(struct courier_config *g);

/* courier_call.c and courier_fetch.c */
void courier_call(struct courier *c, const struct nk_ring_record *rec);
void courier_body(struct courier *c, const struct nk_ring_record *rec);
void courier_abort(struct courier *c, const struct nk_ring_record *rec);
void courier_credit(struct courier *c, const struct nk_ring_record *rec);
bool courier_unblock(struct courier *c); /* true: some went on */
void courier_abort_all(struct courier *c);
void courier_fetch(struct courier *c, const struct nk_ring_record *rec);
bool courier_fetch_answers(struct courier *c);
bool courier_fetch_is_pending(const struct courier *c); /* has a document to say */

/* courier_telemetry.c */
int courier_telemetry_new(struct courier *c) NK_CHECKED;
void courier_telemetry_configure(struct courier *c); /* after each change of c->current */
void courier_telemetry_take(struct courier *c, const struct nk_ring_record *rec);
void courier_telemetry_resent(struct courier *c, uint32_t stream, uint32_t generation);
void courier_telemetry_drain(struct courier *c);
bool courier_telemetry_is_busy(const struct courier *c); /* has something to send before the end */
void courier_telemetry_free(struct courier *c);
