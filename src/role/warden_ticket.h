/* SPDX-License-Identifier: Apache-2.0
 *
 * warden_ticket.h - private to the warden: keys of TLS session tickets.
 */
#pragma once

#include "edge/loop.h"
#include "edge/tls.h"

struct warden;

struct warden_tickets {
    struct nk_timer timer;
    struct nk_tls_tickets keys;
};

/* Makes the first keys. */
int warden_ticket_begin(struct warden *w) NK_CHECKED;
/* New ones for all gates; those of now become those before. */
void warden_ticket_turn(struct warden *w);
void warden_ticket_end(struct warden *w);
