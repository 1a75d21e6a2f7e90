/* SPDX-License-Identifier: Apache-2.0
 *
 * warden_role.h - a role of the warden's tests, as small as it can be: it obeys the control channel.
 * What it does with its rings is in warden_mains.h.
 */
#pragma once

#include "role/warden.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "role/stats.h"
#include "tap.h"

struct test_role {
    struct nk_role_start *s;
    struct nk_ring *calls, *answers, *audit;
    struct nk_ring *audits[NK_ROLE_AUDITS_MAX];
    uint32_t generation, prepared;
    int listener, prepared_listener, client, log;
    bool is_draining;
};

static inline bool policy_has(const struct nk_bundle *b, const char *word)
{
    for (size_t i = 0; i < b->count; i++)
        if (nk_str_starts(b->blobs[i].name, NK_STR("policy/")) &&
            nk_str_search(b->blobs[i].bytes, nk_str(word)) >= 0)
            return true;
    return false;
}

static inline void prepare(struct test_role *r, struct nk_control *m)
{
    struct nk_arena arena;
    struct nk_bundle b;
    struct nk_fault f = {0};
    nk_arena_init(&arena, 1 << 20);
    if (nk_bundle_open(m->bundle, &arena, &b, &f) == 0) {
        if (r->s->role == NK_ROLE_GATE && policy_has(&b, "refuse"))
            f = (struct nk_fault){.code = NK_EINVAL, .message = "policy says refuse"};
        if (r->s->role == NK_ROLE_GATE && policy_has(&b, "crash"))
            _exit(3);
        if (r->s->role == NK_ROLE_GATE && policy_has(&b, "slow"))
            poll(NULL, 0, 400);
        nk_bundle_unmap(&b);
    }
    nk_arena_free(&arena);
    if (r->s->role == NK_ROLE_GATE) {
        r->prepared_listener = m->listeners[0];
        m->listeners[0] = -1;
    }
    r->prepared = m->generation;
    nk_control_close(m);
    NK_MUST(nk_role_prepared(r->s, m->generation, &f) == 0);
}

static inline void commit(struct test_role *r)
{
    r->generation = r->prepared;
    if (r->s->role == NK_ROLE_GATE) {
        close(r->listener);
        r->listener = r->prepared_listener;
    }
}

static inline void take_rings(struct test_role *r, const struct nk_control *m)
{
    bool is_gate = r->s->role == NK_ROLE_GATE;
    nk_ring_close(r->calls);
    nk_ring_close(r->answers);
    r->calls = nk_role_ring_open(&m->calls, is_gate);
    r->answers = nk_role_ring_open(&m->answers, !is_gate);
    NK_MUST(r->calls && r->answers);
}

static inline void take_audit(struct test_role *r, const struct nk_control *m)
{
    uint32_t n = r->s->audit_count;
    r->s->audits = realloc(r->s->audits, (n + 1) * sizeof *r->s->audits);
    r->s->audits[n] = (struct nk_role_audit){m->slot, m->instance, m->ended, m->audit};
    r->audits[n] = nk_role_ring_open(&m->audit, false);
    r->s->audit_count++;
}

static inline void take_ended(struct test_role *r, uint32_t instance)
{
    for (uint32_t i = 0; i < r->s->audit_count; i++)
        if (r->s->audits[i].instance == instance)
            r->s->audits[i].ended = true;
}

/* False when the role is to end. */
static inline bool obey(struct test_role *r)
{
    struct nk_control m;
    int rc;
    while ((rc = nk_control_recv(r->s->control, &m)) == 0) {
        if (m.kind == NK_CONTROL_PREPARE)
            prepare(r, &m);
        else if (m.kind == NK_CONTROL_COMMIT)
            commit(r);
        else if (m.kind == NK_CONTROL_ABANDON)
            close(r->prepared_listener);
        else if (m.kind == NK_CONTROL_RINGS)
            take_rings(r, &m);
        else if (m.kind == NK_CONTROL_AUDIT)
            take_audit(r, &m);
        else if (m.kind == NK_CONTROL_ENDED)
            take_ended(r, m.instance);
        else if (m.kind == NK_CONTROL_DRAIN)
            r->is_draining = true;
    }
    return rc == NK_EAGAIN;
}

static inline void begin(struct test_role *r, struct nk_role_start *s)
{
    struct nk_fault f = {0};
    *r = (struct test_role){.s = s, .listener = s->listeners[0], .client = -1, .log = -1};
    r->prepared_listener = -1;
    r->generation = s->generation;
    if (s->role == NK_ROLE_SCRIBE)
        r->log = openat(s->state_dir, "log", O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    if (s->role != NK_ROLE_SCRIBE)
        take_rings(r, &(struct nk_control){.calls = s->calls, .answers = s->answers});
    NK_MUST(nk_role_confine(s, &f) == 0);
    NK_MUST(nk_role_ready(s, NULL) == 0);
}

static inline void wait_for(struct test_role *r, int fd)
{
    struct pollfd p[] = {{r->s->control, POLLIN, 0}, {r->client, POLLIN, 0}, {fd, POLLIN, 0}};
    poll(p, 3, 5); /* rings are looked at every 5 ms: their wake-ups are another test */
}

static inline void reply(struct test_role *r, const char *text)
{
    send(r->client, text, strlen(text), MSG_NOSIGNAL);
    close(r->client);
    r->client = -1;
}
