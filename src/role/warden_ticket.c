/* SPDX-License-Identifier: Apache-2.0
 *
 * warden_ticket.c - keys of TLS session tickets. They are made here, so that all gates have the
 * same and a gate that was started anew goes on with them, and they change at each reload and
 * otherwise every twelve hours; the ones before stay good for those who come back. They travel in
 * messages, not in a bundle: what is sealed cannot be wiped.
 */
#include <sys/random.h>
#include "role/warden_own.h"

static const int64_t life_us = 12LL * 3600 * 1000000;

static int make(unsigned char key[NK_TLS_TICKET_KEY])
{
    return getrandom(key, NK_TLS_TICKET_KEY, 0) == NK_TLS_TICKET_KEY ? 0 : NK_EIO;
}

static void fire(struct nk_timer *t)
{
    warden_ticket_turn(NK_OF(t, struct warden, tickets.timer));
}

static int arm(struct warden *w)
{
    w->tickets.timer.fire = fire;
    return nk_loop_arm(w->loop, &w->tickets.timer, life_us);
}

int warden_ticket_begin(struct warden *w)
{
    int rc = make(w->tickets.keys.keys[0]);
    if (!rc)
        rc = make(w->tickets.keys.keys[1]);
    return rc ? rc : arm(w);
}

void warden_ticket_turn(struct warden *w)
{
    unsigned char fresh[NK_TLS_TICKET_KEY];
    struct warden_child *c;
    if (make(fresh)) /* the old ones stay until the next time */
        return;
    struct nk_control m;
    nk_control_init(&m, NK_CONTROL_TICKETS);
    for (size_t i = 0; i < sizeof fresh; i++) {
        w->tickets.keys.keys[1][i] = w->tickets.keys.keys[0][i];
        w->tickets.keys.keys[0][i] = fresh[i];
    }
    nk_secret_wipe(fresh, sizeof fresh);
    m.tickets = w->tickets.keys;
    for (size_t i = 0; (c = warden_child_at(w, i)); i++)
        if (c->role == NK_ROLE_GATE && warden_child_is_up(c))
            warden_child_send(c, &m);
    nk_secret_wipe(&m.tickets, sizeof m.tickets);
    if (arm(w))
        warden_stop(w, 1);
}

void warden_ticket_end(struct warden *w)
{
    nk_secret_wipe(&w->tickets.keys, sizeof w->tickets.keys);
}
