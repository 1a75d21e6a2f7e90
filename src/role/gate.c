/* SPDX-License-Identifier: Apache-2.0
 *
 * gate.c - the gate's life: it is given listeners and rings, confines itself, serves, follows the
 * warden's word (reload, new rings, drain). It opens no file, makes no connection and holds no
 * provider key.
 */
#include "role/gate.h"

#include <stdlib.h>
#include <unistd.h>
#include "edge/log.h"

enum { SAFETY_US = 1000000 }; /* the longest sleep of a loop: see loop.c */

/* Rings and the loop
 * ------------------------------------------------------------------------------- */

/* Records that only the loop's safety time-out found: the wake-up for them was lost. */
static bool hook_poll(void *ctx)
{
    struct gate *g = ctx;
    bool late = g->slept_us && !g->woken && nk_loop_now(g->loop) - g->slept_us >= SAFETY_US;
    size_t n = gate_answers_drain(g);
    g->slept_us = 0;
    if (late && n)
        nk_stats_add(&g->stats, NK_STAT_RING_RESCUES, 1);
    return n == GATE_DRAIN_BATCH; /* what comes now is seen on the way to sleep */
}

static void publish(struct gate *g)
{
    nk_ring_publish(g->audit); /* records before anything that they are about */
    if (g->calls)
        nk_ring_publish(g->calls);
}

static void hook_flush(void *ctx)
{
    struct gate *g = ctx;
    gate_unblock_all(g);
    gate_pause_end(g);
    gate_shake_go(g);
    publish(g);
    if (g->answers)
        (void)nk_ring_release(g->answers);
    gate_flush_all(g);
    publish(g); /* credit, and requests that waited behind what was flushed */
}

static bool hook_sleep(void *ctx)
{
    struct gate *g = ctx;
    if (gate_has_flushable(g) || !gate_blocked_may_sleep(g) || !gate_pause_may_sleep(g) ||
        !gate_shake_may_sleep(g))
        return false;
    g->woken = false;
    g->slept_us = nk_loop_now(g->loop);
    return !g->answers || nk_ring_sleep(g->answers);
}

static void hook_awake(void *ctx)
{
    struct gate *g = ctx;
    if (g->answers)
        nk_ring_awake(g->answers);
}

/* The eventfds only wake; what there is to do is done by the hooks. */
static void on_wake(struct nk_watch *w, uint32_t events)
{
    (void)w;
    (void)events;
}

static void on_answers(struct nk_watch *w, uint32_t events)
{
    NK_OF(w, struct gate, answers_watch)->woken = true;
    (void)events;
}

static int watch_wake(struct gate *g, struct nk_watch *w, int fd)
{
    *w = (struct nk_watch){.fd = fd, .ready = on_wake};
    return nk_loop_watch(g->loop, w, EPOLLIN | EPOLLET);
}

static int open_pair(struct gate *g, struct nk_role_ring *calls, struct nk_role_ring *answers)
{
    g->calls = nk_role_ring_open(calls, true);
    g->answers = nk_role_ring_open(answers, false);
    if (!g->calls || !g->answers)
        return NK_EIO;
    g->start->calls = *calls;
    g->start->answers = *answers;
    g->answers_watch = (struct nk_watch){.fd = nk_ring_eventfd(g->answers), .ready = on_answers};
    return nk_loop_watch(g->loop, &g->answers_watch, EPOLLIN | EPOLLET);
}

static void close_pair(struct gate *g)
{
    struct nk_ring *calls = g->calls;
    g->calls = NULL; /* a call that is begun because another one failed has to fail as well */
    gate_courier_lost(g);
    if (g->answers && nk_loop_watch(g->loop, &g->answers_watch, 0))
        nk_loop_stop(g->loop, 1);
    nk_ring_close(calls);
    nk_ring_close(g->answers);
    g->answers = NULL;
    nk_role_ring_close(&g->start->calls);
    nk_role_ring_close(&g->start->answers);
}

/* Listeners
 * ---------------------------------------------------------------------------------------- */

/* Listener i of the configuration; the operators' one is in none of its lists. */
static int add_listener(struct gate *g, int fd, struct nk_tls *tls, bool admin)
{
    const struct nk_config *config = &g->setup->config;
    size_t i = g->listener_count++;
    struct gate_listener *l = &g->listeners[i];
    *l = (struct gate_listener){.watch = {.fd = fd, .ready = gate_conn_accept},
                                .gate = g,
                                .tls = tls,
                                .admin = admin,
                                .http2 =
                                    !admin && i < config->listen_count && config->listen[i].http2};
    if (tls && l->http2)
        nk_tls_offer_h2(tls);
    return nk_loop_watch(g->loop, &l->watch, EPOLLIN);
}

static void close_listeners(struct gate *g)
{
    for (size_t i = 0; i < g->listener_count; i++) {
        if (nk_loop_watch(g->loop, &g->listeners[i].watch, 0))
            nk_loop_stop(g->loop, 1);
        close(g->listeners[i].watch.fd);
        nk_tls_free(g->listeners[i].tls); /* connections hold what they use of it */
    }
    g->listener_count = 0;
}

static int open_listeners(struct gate *g, const int *fds, size_t n, int admin, struct nk_tls **tls)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < n; i++)
        rc = add_listener(g, fds[i], tls[i], false);
    if (!rc && admin >= 0)
        rc = add_listener(g, admin, NULL, true);
    gate_tls_warn(g);
    return rc;
}

/* The warden's word
 * -------------------------------------------------------------------------------- */

/* A bundle that came with a reload: its bytes live as long as the setup made of them. */
struct gate_bundle {
    struct nk_arena arena;
    struct nk_bundle bundle;
};

static void drop_prepared(struct gate *g)
{
    for (size_t i = 0; i < NK_ROLE_LISTENERS_MAX; i++) {
        nk_tls_free(g->prepared_tls[i]); /* of one that could not be prepared, too */
        g->prepared_tls[i] = NULL;
    }
    if (!g->prepared)
        return;
    nk_setup_release(g->prepared);
    g->prepared = NULL;
    nk_control_close(&g->prepared_with);
}

static void bundle_freed(void *owner)
{
    struct gate_bundle *b = owner;
    nk_bundle_unmap(&b->bundle);
    nk_arena_free(&b->arena);
    free(b);
}

static int prepare(struct gate *g, struct nk_control *m, struct nk_fault *f)
{
    struct gate_bundle *b = calloc(1, sizeof *b);
    if (!b)
        return nk_fault_set(f, NK_ENOMEM, "gate", 0, "out of memory");
    nk_arena_init(&b->arena, 1 << 20);
    int rc = nk_bundle_open(m->bundle, &b->arena, &b->bundle, f);
    if (!rc)
        g->prepared = gate_setup_load(g->start, &b->bundle, m->generation, f);
    if (g->prepared && gate_tls_load_all(g, &b->bundle, &g->prepared->config, m->listener_count,
                                         g->prepared_tls, f)) {
        nk_setup_release(g->prepared);
        g->prepared = NULL;
    }
    if (!g->prepared) {
        bundle_freed(b);
        return rc ? rc : f->code;
    }
    g->prepared->owner = b;
    g->prepared->freed = bundle_freed;
    return 0;
}

static void on_prepare(struct gate *g, struct nk_control *m)
{
    struct nk_fault f = {0};
    drop_prepared(g);
    int rc = prepare(g, m, &f);
    if (nk_role_prepared(g->start, m->generation, rc ? &f : NULL))
        nk_loop_stop(g->loop, 1);
    if (rc)
        nk_control_close(m);
    else
        g->prepared_with = *m; /* its descriptors are ours from here on */
}

static void on_commit(struct gate *g)
{
    if (!g->prepared)
        return;
    struct nk_control *m = &g->prepared_with;
    close_listeners(g);
    nk_setup_release(g->setup);
    g->setup = g->prepared;
    g->prepared = NULL;
    if (open_listeners(g, m->listeners, m->listener_count, m->admin, g->prepared_tls) ||
        gate_fetch_start(g))
        nk_loop_stop(g->loop, 1);
    gate_h2_renew(g);
    for (size_t i = 0; i < NK_ROLE_LISTENERS_MAX; i++)
        g->prepared_tls[i] = NULL; /* the listeners have them now */
    m->listener_count = 0;
    m->admin = -1;
    nk_control_close(m);
}

static void on_rings(struct gate *g, struct nk_control *m)
{
    close_pair(g);
    if (open_pair(g, &m->calls, &m->answers) || gate_fetch_start(g))
        nk_loop_stop(g->loop, 1);
}

/* Closing is what writes the record of a request that is cut. */
static void end_drain(struct gate *g)
{
    for (struct gate_conn *c = g->conns, *next; c; c = next) {
        next = c->next;
        gate_conn_close(c);
    }
    gate_unblock_all(g);
    nk_loop_stop(g->loop, 0);
}

/* At the end of the grace; until then each connection ends in the way of its framing. */
static void drained(struct nk_timer *t)
{
    end_drain(NK_OF(t, struct gate, drain_timer));
}

/* The second word counts: it says how much time there is from now on. */
static void on_drain(struct gate *g, uint32_t grace_ms)
{
    if (!g->draining) {
        g->draining = true;
        close_listeners(g);
        for (struct gate_conn *c = g->conns, *next; c; c = next) {
            next = c->next;
            c->framing->drain(c); /* may close it */
        }
    }
    g->drain_timer.fire = drained;
    if (g->conn_count == 0 || nk_loop_arm(g->loop, &g->drain_timer, (int64_t)grace_ms * 1000))
        nk_loop_stop(g->loop, 0);
}

static void on_control(struct nk_watch *w, uint32_t events)
{
    struct gate *g = NK_OF(w, struct gate, control_watch);
    struct nk_control m;
    int rc;
    (void)events;
    while ((rc = nk_control_recv(w->fd, &m)) == 0) {
        switch (m.kind) {
        case NK_CONTROL_PREPARE:
            on_prepare(g, &m);
            break;
        case NK_CONTROL_COMMIT:
            on_commit(g);
            break;
        case NK_CONTROL_ABANDON:
            drop_prepared(g);
            break;
        case NK_CONTROL_RINGS:
            on_rings(g, &m);
            break;
        case NK_CONTROL_TICKETS:
            g->start->tickets = m.tickets;
            nk_secret_wipe(&m.tickets, sizeof m.tickets);
            break;
        case NK_CONTROL_DRAIN:
            on_drain(g, m.grace_ms);
            break;
        default:
            nk_control_close(&m);
        }
    }
    if (rc == NK_EAGAIN)
        return;
    if (nk_loop_watch(g->loop, w, 0)) /* or its end would be told again and again */
        nk_loop_stop(g->loop, 1);
    if (!g->draining)
        on_drain(g, 1000); /* the warden is gone */
}

/* Start
 * -------------------------------------------------------------------------------------------- */

static int start_serving(struct gate *g, struct nk_fault *f)
{
    struct nk_role_start *s = g->start;
    struct nk_tls *tls[NK_ROLE_LISTENERS_MAX] = {0};
    int rc = nk_stats_open(&g->stats, s->stats, s->page);
    if (!rc)
        rc = gate_telemetry_start(g);
    if (!rc && !(g->setup = gate_setup_load(s, &s->bundle, s->generation, f)))
        return f->code;
    if (!rc)
        rc = gate_tls_load_all(g, &s->bundle, &g->setup->config, s->listener_count, tls, f);
    if (!rc)
        rc = gate_slots_new(g, (uint32_t)(g->setup->config.limits.requests + 1));
    if (!rc)
        rc = open_pair(g, &s->calls, &s->answers);
    g->audit = rc ? NULL : nk_role_ring_open(&s->audit, true);
    if (!rc && !g->audit)
        rc = NK_EIO;
    if (!rc)
        rc = watch_wake(g, &g->audit_watch, s->audit.backfd);
    if (!rc)
        rc = open_listeners(g, s->listeners, s->listener_count, s->admin, tls);
    if (!rc)
        rc = gate_fetch_start(g);
    if (!rc)
        rc = gate_mail_open(g);
    g->control_watch = (struct nk_watch){.fd = s->control, .ready = on_control};
    if (!rc)
        rc = nk_loop_watch(g->loop, &g->control_watch, EPOLLIN);
    return rc ? nk_fault_set(f, rc, "gate", 0, "rings, counters or listeners could not be opened")
              : 0;
}

int nk_gate_main(struct nk_role_start *s)
{
    struct gate *g = calloc(1, sizeof *g);
    struct nk_fault f = {0};
    if (!g)
        return 1;
    struct nk_loop_hooks hooks = {g, hook_poll, hook_flush, hook_sleep, hook_awake};
    g->start = s;
    nk_role_take_short_turns(); /* the courier reads many sockets before it rests */
    nk_arena_init_sized(&g->scratch, GATE_READ_SIZE, GATE_READ_SIZE);
    nk_buf_init(&g->call_head, NK_RING_RECORD_MAX);
    g->loop = nk_loop_new(&hooks);
    int rc = g->loop ? start_serving(g, &f) : NK_ENOMEM;
    if (!rc)
        rc = nk_role_confine(s, &f);
    if (nk_role_ready(s, rc ? &f : NULL) || rc)
        return 1;
    int status = nk_loop_run(g->loop);
    nk_ring_publish(g->audit);
    return status;
}
