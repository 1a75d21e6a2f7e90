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

static bool is_instance_used(const struct warden *w, uint32_t instance)
{
    for (uint32_t i = 0; i < w->audit_count; i++)
        if (w->audits[i].instance == instance)
            return true;
    return false;
}

/* The ring, and with it the instance number, of the gate that will be started next in `slot`. */
static int make_audit(struct warden *w, uint32_t slot)
{
    if (w->audit_count == NK_ROLE_AUDITS_MAX)
        return NK_EFULL;
    struct nk_role_audit a = {.slot = slot, .ring = {-1, -1, -1}};
    do
        if (getrandom(&a.instance, sizeof a.instance, 0) != (ssize_t)sizeof a.instance)
            return NK_EIO;
    while (is_instance_used(w, a.instance));
    int rc = nk_ring_create(AUDIT_BYTES, &a.ring.memfd, &a.ring.eventfd);
    if (!rc && (a.ring.backfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0)
        rc = NK_EIO;
    if (rc) {
        nk_role_ring_close(&a.ring);
        return rc;
    }
    w->audits[w->audit_count++] = a;
    return 0;
}

const struct nk_role_audit *warden_ring_audit(const struct warden *w, uint32_t slot)
{
    for (uint32_t i = w->audit_count; i > 0; i--)
        if (w->audits[i - 1].slot == slot)
            return &w->audits[i - 1];
    return NULL;
}

int warden_ring_begin(struct warden *w)
{
    int rc = 0;
    for (uint32_t i = 0; i < w->workers && !rc; i++) {
        struct warden_pair *p = &w->pairs[i];
        p->calls = p->answers = (struct nk_role_ring){-1, -1, -1};
        rc = make_pair(p);
        if (!rc)
            rc = make_audit(w, i);
    }
    return rc;
}

static void tell_peer(struct warden_child *peer, const struct warden_pair *p)
{
    struct nk_control m;
    if (!warden_child_is_up(peer))
        return;
    nk_control_init(&m, NK_CONTROL_RINGS);
    m.calls = p->calls;
    m.answers = p->answers;
    warden_child_send(peer, &m);
}

static void tell_scribe(struct warden *w, uint32_t slot)
{
    struct nk_control m;
    const struct nk_role_audit *a = warden_ring_audit(w, slot);
    if (!a || !warden_child_is_up(&w->scribe))
        return;
    nk_control_init(&m, NK_CONTROL_AUDIT);
    m.slot = slot;
    m.instance = a->instance;
    m.audit = a->ring;
    warden_child_send(&w->scribe, &m);
}

void warden_ring_renew(struct warden_child *dead)
{
    struct warden *w = dead->warden;
    if (dead->role == NK_ROLE_SCRIBE)
        return;
    struct warden_pair *p = &w->pairs[dead->slot];
    int rc = make_pair(p);
    if (!rc && dead->role == NK_ROLE_GATE)
        rc = make_audit(w, dead->slot);
    p->is_stale = rc != 0;
    if (rc) {
        nk_log(NK_LOG_ERROR, "ring.failed", "no new rings for pair %u: %s", dead->slot,
               rc == NK_EFULL ? "the scribe has not drained those of dead gates" : strerror(errno));
        return;
    }
    tell_peer(dead->role == NK_ROLE_GATE ? &p->courier : &p->gate, p);
    if (dead->role == NK_ROLE_GATE)
        tell_scribe(w, dead->slot);
}

bool warden_ring_ready(struct warden_child *c)
{
    if (c->role != NK_ROLE_SCRIBE && c->warden->pairs[c->slot].is_stale)
        warden_ring_renew(c);
    return c->role == NK_ROLE_SCRIBE || !c->warden->pairs[c->slot].is_stale;
}

/* The scribe's word, checked: only a ring that has a successor can be given up. */
void warden_ring_drained(struct warden *w, uint32_t instance)
{
    for (uint32_t i = 0; i < w->audit_count; i++) {
        struct nk_role_audit *a = &w->audits[i];
        if (a->instance != instance)
            continue;
        if (warden_ring_audit(w, a->slot) == a)
            return;
        nk_role_ring_close(&a->ring);
        memmove(a, a + 1, (w->audit_count - i - 1) * sizeof *a);
        w->audit_count--;
        return;
    }
}

void warden_ring_end(struct warden *w)
{
    for (uint32_t i = 0; i < w->workers && w->pairs; i++) {
        nk_role_ring_close(&w->pairs[i].calls);
        nk_role_ring_close(&w->pairs[i].answers);
    }
    while (w->audit_count > 0)
        nk_role_ring_close(&w->audits[--w->audit_count].ring);
}
