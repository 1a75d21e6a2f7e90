/* SPDX-License-Identifier: Apache-2.0
 *
 * warden_ring.c - who shares which ring. The warden makes every ring and keeps its descriptors, so
 * that a ring outlives both of its sides. A side that died never gets its rings back: what it left
 * half done cannot be told from an attack. Only the scribe's successor goes on with the same rings,
 * because it alone may not lose a record; a dead gate's audit ring stays until it is drained.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>
#include "role/warden_own.h"
#include "role/wire.h"

/* The audit ring is large, because a gate refuses requests while it is full: at 10 MB of records a
 * second it bridges a disk that takes most of a second to make a write durable. */
enum { CALLS_BYTES = 512 << 10, ANSWERS_BYTES = 1 << 20, AUDIT_BYTES = 8 << 20 };

static int make_pair(struct warden_pair *p)
{
    struct nk_role_ring calls = {-1, -1, -1}, answers = {-1, -1, -1};
    int rc = nk_ring_create(CALLS_BYTES, &calls.memfd, &calls.eventfd);
    if (!rc)
        rc = nk_ring_create(ANSWERS_BYTES, &answers.memfd, &answers.eventfd);
    /* Each side has one descriptor to watch: records for it, and space for what it wants to say. */
    if (!rc && ((calls.backfd = fcntl(answers.eventfd, F_DUPFD_CLOEXEC, 4)) < 0 ||
                (answers.backfd = fcntl(calls.eventfd, F_DUPFD_CLOEXEC, 4)) < 0))
        rc = NK_EIO;
    if (rc) {
        nk_role_ring_close(&calls);
        nk_role_ring_close(&answers);
        return rc;
    }
    nk_role_ring_close(&p->calls);
    nk_role_ring_close(&p->answers);
    p->calls = calls;
    p->answers = answers;
    return 0;
}

/* A gate that has as many requests under way as it may (`limits.requests`) still has half of a ring for what comes and goes. */
static size_t audit_bytes(const struct nk_config *c)
{
    size_t need = nk_wire_audit_room((size_t)c->limits.requests), size = AUDIT_BYTES;
    while (size < 2 * need && size < NK_RING_BYTES_MAX)
        size *= 2;
    return size;
}

/* The ring, and with it the instance number, of `gate`, which will be started next. */
static int make_audit(struct warden_child *gate)
{
    struct warden *w = gate->warden;
    if (w->audit_count == NK_ROLE_AUDITS_MAX)
        return NK_EFULL;
    struct nk_role_audit a = {.slot = gate->slot, .ring = {-1, -1, -1}};
    do
        if (getrandom(&a.instance, sizeof a.instance, 0) != (ssize_t)sizeof a.instance)
            return NK_EIO;
    while (warden_ring_audit(w, a.instance));
    int rc = nk_ring_create(audit_bytes(&w->setup->config), &a.ring.memfd, &a.ring.eventfd);
    if (!rc && (a.ring.backfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0)
        rc = NK_EIO;
    if (rc) {
        nk_role_ring_close(&a.ring);
        return rc;
    }
    w->audits[w->audit_count++] = a;
    gate->instance = a.instance;
    return 0;
}

struct nk_role_audit *warden_ring_audit(struct warden *w, uint32_t instance)
{
    for (uint32_t i = 0; i < w->audit_count; i++)
        if (w->audits[i].instance == instance)
            return &w->audits[i];
    return NULL;
}

int warden_ring_begin(struct warden_pair *p)
{
    int rc = make_pair(p);
    return rc ? rc : make_audit(&p->gate);
}

static void tell_peer(struct warden_child *peer, const struct warden_pair *p)
{
    struct nk_control m;
    if (peer->state == WARDEN_DOWN)
        return;
    nk_control_init(&m, NK_CONTROL_RINGS);
    m.calls = p->calls;
    m.answers = p->answers;
    warden_child_send(peer, &m);
}

void warden_ring_announce(struct warden_child *gate)
{
    struct warden *w = gate->warden;
    struct nk_control m;
    const struct nk_role_audit *a = warden_ring_audit(w, gate->instance);
    if (!a || !warden_child_is_up(&w->scribe))
        return;
    nk_control_init(&m, NK_CONTROL_AUDIT);
    m.slot = a->slot;
    m.instance = a->instance;
    m.audit = a->ring;
    warden_child_send(&w->scribe, &m);
}

/* The scribe gives the ring up when it has stored what is in it. */
void warden_ring_ended(struct warden_child *gate)
{
    struct warden *w = gate->warden;
    struct nk_role_audit *a = warden_ring_audit(w, gate->instance);
    struct nk_control m;
    if (!a)
        return;
    a->ended = true;
    if (!warden_child_is_up(&w->scribe))
        return;
    nk_control_init(&m, NK_CONTROL_ENDED);
    m.instance = a->instance;
    warden_child_send(&w->scribe, &m);
}

static void renew_pair(struct warden_child *dead)
{
    struct warden_pair *p = warden_child_pair(dead);
    p->is_stale = make_pair(p) != 0;
    if (p->is_stale)
        nk_log(NK_LOG_ERROR, "ring.failed", "no new rings for pair %u: %s", dead->slot,
               strerror(errno));
    else
        tell_peer(dead->role == NK_ROLE_GATE ? &p->courier : &p->gate, p);
}

static bool renew_audit(struct warden_child *gate)
{
    const struct nk_role_audit *a = warden_ring_audit(gate->warden, gate->instance);
    if (a && !a->ended)
        return true;
    int rc = make_audit(gate);
    if (rc)
        nk_log(NK_LOG_ERROR, "ring.failed", "no audit ring for gate %u: %s", gate->slot,
               rc == NK_EFULL ? "the scribe has not drained those of dead gates" : strerror(errno));
    else
        warden_ring_announce(gate);
    return !rc;
}

void warden_ring_renew(struct warden_child *dead)
{
    if (dead->role == NK_ROLE_SCRIBE)
        return;
    if (dead->role == NK_ROLE_GATE)
        warden_ring_ended(dead);
    renew_pair(dead);
    (void)(dead->role == NK_ROLE_GATE &&
           renew_audit(dead)); /* else warden_ring_ready tries again */
}

bool warden_ring_ready(struct warden_child *c)
{
    if (c->role == NK_ROLE_SCRIBE)
        return true;
    struct warden_pair *p = warden_child_pair(c);
    if (p->is_stale)
        renew_pair(c);
    return !p->is_stale && (c->role == NK_ROLE_COURIER || renew_audit(c));
}

/* The scribe's word, checked: only the ring of a gate that is gone can be given up. */
void warden_ring_drained(struct warden *w, uint32_t instance)
{
    struct nk_role_audit *a = warden_ring_audit(w, instance);
    if (!a || !a->ended)
        return;
    nk_role_ring_close(&a->ring);
    memmove(a, a + 1, (size_t)(w->audits + w->audit_count - (a + 1)) * sizeof *a);
    w->audit_count--;
}

void warden_ring_close(struct warden_pair *p)
{
    nk_role_ring_close(&p->calls);
    nk_role_ring_close(&p->answers);
}

void warden_ring_end(struct warden *w)
{
    struct warden_pair *all[] = {w->pairs, w->outgoing};
    for (size_t k = 0; k < NK_COUNT(all); k++)
        for (uint32_t i = 0; i < w->workers && all[k]; i++)
            warden_ring_close(&all[k][i]);
    while (w->audit_count > 0)
        nk_role_ring_close(&w->audits[--w->audit_count].ring);
}
