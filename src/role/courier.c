/* SPDX-License-Identifier: Apache-2.0
 *
 * courier.c - the one role that makes connections and knows providers' credentials. It hears
 * nothing but the ring of its gate, the warden's control channel, and answers of the upstreams that
 * the configuration names.
 *
 * A batch: sockets are read and written; then the ring of calls is drained, at most BATCH records
 * at a time; then the answers of all are published at once.
 */
#include "role/courier.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BATCH = 256, SCRATCH_MAX = 1 << 20 };

static void on_wake(struct nk_watch *w, uint32_t events)
{
    (void)w, (void)events; /* the hooks look at the rings after each batch */
}

static int open_rings(struct courier *c)
{
    c->calls = nk_role_ring_open(&c->call_fds, false);
    c->answers = nk_role_ring_open(&c->answer_fds, true);
    if (!c->calls || !c->answers)
        return NK_EINVAL;
    c->call_watch = (struct nk_watch){.fd = c->call_fds.eventfd, .ready = on_wake};
    c->answer_watch = (struct nk_watch){.fd = c->answer_fds.backfd, .ready = on_wake};
    int rc = nk_loop_watch(c->loop, &c->call_watch, EPOLLIN | EPOLLET);
    if (!rc && c->answer_fds.backfd >= 0 && c->answer_fds.backfd != c->call_fds.eventfd)
        rc = nk_loop_watch(c->loop, &c->answer_watch, EPOLLIN | EPOLLET);
    return rc;
}

static void close_rings(struct courier *c)
{
    (void)!nk_loop_watch(c->loop, &c->call_watch, 0);
    (void)!nk_loop_watch(c->loop, &c->answer_watch, 0);
    nk_ring_close(c->calls);
    nk_ring_close(c->answers);
    c->calls = c->answers = NULL;
    nk_role_ring_close(&c->call_fds);
    nk_role_ring_close(&c->answer_fds);
}

static void take_record(struct courier *c, const struct nk_ring_record *r)
{
    switch (r->type) {
    case NK_WIRE_CALL:
        courier_call(c, r);
        break;
    case NK_WIRE_BODY:
        courier_body(c, r);
        break;
    case NK_WIRE_ABORT:
        courier_abort(c, r);
        break;
    case NK_WIRE_CREDIT:
        courier_credit(c, r);
        break;
    case NK_WIRE_FETCH:
        courier_fetch(c, r);
        break;
    case NK_WIRE_TELEMETRY:
        courier_telemetry_take(c, r);
        break;
    default:
        break;
    }
}

static bool hook_poll(void *ctx)
{
    struct courier *c = ctx;
    bool any = courier_unblock(c);
    any |= courier_fetch_answers(c);
    int n = 0, rc = 0;
    struct nk_ring_record r;
    while (n < BATCH && (rc = nk_ring_next(c->calls, &r)) == 0) {
        take_record(c, &r);
        n++;
    }
    if (n)
        nk_ring_release(c->calls);
    if (rc == NK_EINVAL)
        nk_loop_stop(c->loop, 1); /* the gate broke its ring: it and we start anew */
    return any || n == BATCH;     /* what comes now is seen on the way to sleep */
}

static void hook_flush(void *ctx)
{
    struct courier *c = ctx;
    nk_ring_publish(c->answers);
    if (c->draining && !c->live && !courier_telemetry_is_busy(c))
        nk_loop_stop(c->loop, 0);
}

static bool hook_sleep(void *ctx)
{
    struct courier *c = ctx;
    bool waits = c->blocked || courier_fetch_is_pending(c);
    if (waits &&
        (nk_ring_space(c->answers) >= COURIER_ROOM || nk_ring_want_space(c->answers, COURIER_ROOM)))
        return false;
    return nk_ring_sleep(c->calls);
}

static void hook_awake(void *ctx)
{
    struct courier *c = ctx;
    nk_ring_awake(c->calls);
}

/* The control channel -------------------------------------------------------------------------- */

static void reply(struct courier *c, enum nk_control_kind kind, uint32_t generation,
                  const struct nk_fault *f)
{
    struct nk_control m;
    nk_control_init(&m, kind);
    m.generation = generation;
    if (f && f->code) {
        m.code = f->code;
        snprintf(m.text, sizeof m.text, "%s", f->message);
    }
    if (nk_control_send(c->start->control, &m))
        nk_loop_stop(c->loop, 1);
}

static void prepare(struct courier *c, struct nk_control *m)
{
    struct nk_fault f = {0};
    courier_config_drop(c->prepared);
    c->prepared = courier_config_new(c, m->generation, m->bundle, &f);
    if (m->bundle >= 0)
        close(m->bundle);
    reply(c, NK_CONTROL_PREPARED, m->generation, &f);
}

/* Name servers, pools and questions after health are those of the configuration in force. */
static void put_in_force(struct courier *c, struct courier_config *g)
{
    struct nk_str servers = g->config.dns_servers;
    /* What cannot be used leaves the name servers as they are; the configuration was checked. */
    (void)!nk_resolver_use(c->resolver, servers.p ? servers.p : "");
    c->current = g;
    courier_health_start(g);
}

/* The generation before stays known: the gate may not have heard of the new one yet. */
static void commit(struct courier *c, uint32_t generation)
{
    if (!c->prepared || c->prepared->generation != generation)
        return;
    courier_config_drop(c->previous);
    c->previous = c->current;
    courier_health_stop(c->previous);
    put_in_force(c, c->prepared);
    c->prepared = NULL;
    (void)courier_close_pools(c->previous);
    courier_telemetry_configure(c);
}

static void on_grace(struct nk_timer *t)
{
    nk_loop_stop(NK_OF(t, struct courier, grace)->loop, 0);
}

static void drain(struct courier *c, uint32_t grace_ms)
{
    c->draining = true;
    courier_health_stop(c->current);
    courier_telemetry_drain(c);
    if (nk_loop_arm(c->loop, &c->grace, (int64_t)grace_ms * 1000))
        nk_loop_stop(c->loop, 0);
}

static void change_rings(struct courier *c, const struct nk_control *m)
{
    courier_abort_all(c);
    close_rings(c);
    memset(c->newest, 0, COURIER_STREAMS * sizeof *c->newest); /* the new gate counts from 1 */
    c->call_fds = m->calls;
    c->answer_fds = m->answers;
    if (open_rings(c))
        nk_loop_stop(c->loop, 1);
}

static void on_control(struct nk_watch *w, uint32_t events)
{
    struct courier *c = NK_OF(w, struct courier, control);
    struct nk_control m;
    int rc;
    (void)events;
    while ((rc = nk_control_recv(w->fd, &m)) == 0) {
        if (m.kind == NK_CONTROL_PREPARE) {
            prepare(c, &m);
        } else if (m.kind == NK_CONTROL_COMMIT) {
            commit(c, m.generation);
        } else if (m.kind == NK_CONTROL_ABANDON) {
            courier_config_drop(c->prepared);
            c->prepared = NULL;
        } else if (m.kind == NK_CONTROL_RINGS) {
            change_rings(c, &m);
        } else if (m.kind == NK_CONTROL_DRAIN) {
            drain(c, m.grace_ms);
        }
    }
    if (rc != NK_EAGAIN)
        nk_loop_stop(c->loop, rc == NK_EIO ? 0 : 1);
}

/* Life ----------------------------------------------------------------------------------------- */

static int set_up(struct courier *c, struct nk_fault *f)
{
    struct nk_loop_hooks hooks = {c, hook_poll, hook_flush, hook_sleep, hook_awake};
    struct nk_role_start *s = c->start;
    c->call_fds = s->calls;
    c->answer_fds = s->answers;
    c->grace.fire = on_grace;
    c->control = (struct nk_watch){.fd = s->control, .ready = on_control};
    c->slots = calloc(COURIER_STREAMS, sizeof *c->slots);
    c->newest = calloc(COURIER_STREAMS, sizeof *c->newest);
    c->read = malloc(COURIER_READ);
    nk_buf_init(&c->scratch, SCRATCH_MAX);
    c->loop = nk_loop_new(&hooks);
    if (!c->slots || !c->newest || !c->read || !c->loop)
        return nk_fault_set(f, NK_ENOMEM, "courier", 0, "no memory to start");
    if (nk_stats_open(&c->stats, s->stats, s->page))
        return nk_fault_set(f, NK_EIO, "courier", 0, "cannot map the counters");
    if (open_rings(c) || nk_loop_watch(c->loop, &c->control, EPOLLIN))
        return nk_fault_set(f, NK_EIO, "courier", 0, "cannot map the rings");
    /* All that reads files comes here, before the promise. */
    c->system_tls = nk_tls_client((struct nk_str){NULL, 0}, &c->tls_fault);
    c->resolver = nk_resolver_new(c->loop, f);
    struct courier_config *g = c->resolver ? courier_config_new(c, s->generation, -1, f) : NULL;
    if (!g)
        return f->code;
    if (courier_telemetry_new(c))
        return nk_fault_set(f, NK_ENOMEM, "courier", 0, "no memory for telemetry");
    put_in_force(c, g);
    courier_telemetry_configure(c);
    return nk_role_confine(s, f);
}

static void tear_down(struct courier *c)
{
    if (c->slots)
        courier_abort_all(c);
    if (c->current)
        courier_health_stop(c->current);
    nk_resolver_free(c->resolver);
    if (c->current)
        (void)courier_close_pools(c->current);
    if (c->loop) {
        courier_telemetry_free(c);
        close_rings(c);
        nk_loop_disarm(c->loop, &c->grace);
        nk_loop_free(c->loop);
    }
    courier_config_drop(c->prepared);
    courier_config_drop(c->previous);
    courier_config_drop(c->current);
    nk_tls_free(c->system_tls);
    nk_stats_close(&c->stats);
    nk_buf_free(&c->scratch);
    free(c->slots);
    free(c->newest);
    free(c->read);
}

int nk_courier_main(struct nk_role_start *s)
{
    struct courier c = {.start = s};
    struct nk_fault f = {0};
    int result = 1;
    if (set_up(&c, &f)) {
        struct nk_control m;
        nk_control_init(&m, NK_CONTROL_READY);
        m.code = f.code;
        snprintf(m.text, sizeof m.text, "%s", f.message);
        (void)!nk_control_send(s->control, &m);
    } else {
        reply(&c, NK_CONTROL_READY, s->generation, NULL);
        result = nk_loop_run(c.loop);
    }
    tear_down(&c);
    return result;
}
