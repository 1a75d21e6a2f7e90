/* SPDX-License-Identifier: Apache-2.0
 *
 * warden_parts.h - what the warden's files call of each other; see warden_own.h.
 */
#pragma once

#include "role/warden_own.h"

/* warden.c */
void warden_progress(struct warden *w); /* a child became ready or ended: what is next? */
void warden_stop(struct warden *w, int exit_code);
int64_t warden_grace(const struct warden *w); /* ms */
int warden_pairs_begin(struct warden *w);     /* w->pairs, with rings, not started */

/* warden_child.c */
void warden_gauges(struct warden *w); /* how many are down */
void warden_child_init(struct warden_child *c, struct warden *w, enum nk_role r, uint32_t slot);
void warden_child_start(struct warden_child *c);
int warden_child_adopt(struct warden_child *c); /* its process and channel are there already */
void warden_child_send(struct warden_child *c, const struct nk_control *m);
void warden_child_drain(struct warden_child *c, int64_t grace_ms);
void warden_child_kill(struct warden_child *c);
void warden_child_ping(struct warden_child *c);
bool warden_child_is_up(const struct warden_child *c);
struct warden_pair *warden_child_pair(struct warden_child *c); /* not of the scribe */
/* The i-th child: the scribe, then gate 0, courier 0, gate 1 …, then outgoing ones in the same
 * order; NULL behind the last. */
struct warden_child *warden_child_at(struct warden *w, size_t i);

/* warden_ring.c */
int warden_ring_begin(struct warden_pair *p);         /* all rings of a new pair */
void warden_ring_renew(struct warden_child *dead);    /* and tell the others */
bool warden_ring_ready(struct warden_child *child);   /* its rings are fresh */
void warden_ring_announce(struct warden_child *gate); /* its audit ring, to the scribe */
void warden_ring_ended(struct warden_child *gate);
void warden_ring_drained(struct warden *w, uint32_t instance);
struct nk_role_audit *warden_ring_audit(struct warden *w, uint32_t instance);
void warden_ring_close(struct warden_pair *p);
void warden_ring_end(struct warden *w);

/* warden_mail.c */
int warden_mail_begin(struct warden *w);
void warden_mail_send(struct warden_child *gate); /* behind START */
void warden_mail_end(struct warden *w);

/* warden_setup.c */
struct warden_setup *warden_setup_new(void); /* empty; NULL when out of memory */
struct warden_setup *warden_setup_load(struct warden *w, const struct warden_setup *old,
                                       struct nk_fault *f);
/* The configuration again from the sealed bundles. */
int warden_setup_unseal(struct warden_setup *s, struct nk_fault *f);
/* NK_EUNSUPPORTED when `b` changes what cannot change while nakoso runs. */
int warden_setup_check(const struct nk_config *a, const struct nk_config *b, struct nk_fault *f);
void warden_setup_free(struct warden_setup *s, const struct warden_setup *other);
void warden_setup_deaf(struct warden_setup *s); /* closes its listeners */
void warden_setup_fill(const struct warden_setup *s, const struct warden_child *c,
                       struct nk_control *m); /* bundle, listeners, generation */

/* warden_reload.c */
bool warden_reload_runs(const struct warden *w);
void warden_reload(struct warden *w, struct warden_client *client);
void warden_reload_vote(struct warden_child *c, const struct nk_control *m);
void warden_reload_pong(struct warden_child *c);
void warden_reload_death(struct warden_child *c);
void warden_reload_timeout(struct nk_timer *t);
void warden_reload_end(struct warden *w); /* forgets a running one: the warden stops */

/* warden_client.c */
int warden_client_check(const char *path, struct nk_fault *f); /* NK_ECONFLICT: one answers */
void warden_client_init(struct warden *w);
int warden_client_begin(struct warden *w, struct nk_fault *f);
int warden_client_adopt(struct warden *w); /* listener and clients are there already */
void warden_client_answer(struct warden *w, enum warden_wait what, const char *text);
void warden_client_refuse(struct warden_client *c, const char *why);
void warden_client_end(struct warden *w);
