/* SPDX-License-Identifier: Apache-2.0
 *
 * gate_tls.h - what TLS is to the gate: contexts, handshakes, clients' certificates. Private to the
 * gate's files.
 */
#pragma once

#include "config/config.h"
#include "edge/tls.h"
#include "role/bundle.h"
#include "role/gate_conn.h"

/* The context of listener i; *out stays NULL when it has no certificates. */
int gate_tls_load(const struct nk_bundle *b, const struct nk_config *c, size_t i,
                  const struct nk_tls_tickets *tickets, struct nk_tls **out,
                  struct nk_fault *f) NK_CHECKED;
int gate_tls_load_all(struct gate *g, const struct nk_bundle *b, const struct nk_config *c,
                      size_t n, struct nk_tls **tls, struct nk_fault *f) NK_CHECKED;
void gate_tls_warn(const struct gate *g);
void gate_tls_render(const struct gate *g, struct nk_buf *out); /* for /metrics */
/* The client's verified certificate, written to `room`, or NULL. */
const struct nk_ident_certificate *gate_tls_peer(struct gate_conn *c,
                                                 struct nk_ident_certificate *room);
void gate_tls_refused(struct gate *g, const struct nk_fault *why);

/* gate_shake.c: true when the connection's handshake has to wait its turn. */
bool gate_shake_waits(struct gate_conn *c);
/* There may be more to read on it than its share of a batch: it goes on with the next one. */
void gate_turn_over(struct gate_conn *c);
void gate_shake_go(struct gate *g); /* once a batch */
bool gate_shake_may_sleep(const struct gate *g);
