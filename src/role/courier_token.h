/* SPDX-License-Identifier: Apache-2.0
 *
 * courier_token.h - access tokens for upstreams, fetched with the courier's own credentials (RFC 6749, section 4.4)
 * or in exchange for the token of who asks (RFC 8693), and kept until shortly before they end. A client's token is never
 * passed on: what goes upstream was issued to us, for that upstream; a token that is exchanged goes to the
 * authorization server alone. Private to the courier.
 */
#pragma once

#include "role/courier.h"

struct courier_tokens; /* of one upstream under one configuration */
struct token;

/* A call that waits. */
struct courier_wait {
    struct courier_wait *next;
    struct token *of; /* NULL: it does not wait */
    /* `token` ("Bearer …", until it returns), or absent and `why`. */
    void (*ready)(struct courier_wait *w, struct nk_str token, const char *why);
};

/* `secret` is copied into `a`. NULL with a fault. */
struct courier_tokens *courier_tokens_new(struct nk_arena *a, const struct nk_config_oauth *config,
                                          struct nk_str secret, struct nk_fault *f) NK_CHECKED;
/* The authorization server, to be filled in. */
struct upstream *courier_tokens_server(struct courier_tokens *t);
/* Overwrites what is secret. NULL is nothing. */
void courier_tokens_free(struct courier_tokens *t);

/* Calls w->ready, at once when there is a token or none is to be had now, otherwise later. `subject`: the token to
 * exchange, which need not outlive the call. */
void courier_token_get(struct courier *c, struct upstream *to, struct nk_str subject,
                       struct courier_wait *w);
/* It does not wait any more. */
void courier_token_leave(struct courier_wait *w);
/* The upstream did not take it: the next call gets another one. */
void courier_token_spoil(struct upstream *to, struct nk_str token);
