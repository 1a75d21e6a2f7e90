/* SPDX-License-Identifier: Apache-2.0
 *
 * courier_telemetry.c - takes what the gate tells of a request that is over. The gate is believed in nothing
 * here either: a record that cannot be is dropped and counted. Before the courier ends it sends what there
 * is, for a second at most.
 */
#include "role/courier_telemetry.h"

#include <stdlib.h>
#include <sys/utsname.h>
#include <time.h>
#include "gate/counts.h"

static const int64_t drain_us = 1000000;

int courier_telemetry_new(struct courier *c)
{
    struct courier_telemetry *t = calloc(1, sizeof *t);
    struct utsname name;
    if (!t)
        return NK_ENOMEM;
    t->c = c;
    t->random = c->start->seed[0];
    nk_buf_init(&t->item, COURIER_ENVELOPE_MAX);
    if (uname(&name) == 0)
        for (size_t i = 0; i + 1 < sizeof t->host && name.nodename[i]; i++)
            t->host[i] = (unsigned char)name.nodename[i] < 0x80 ? name.nodename[i] : '?';
    for (size_t i = 0; i < NK_OTEL_SIGNALS; i++)
        t->exports[i] = (struct courier_export){.t = t, .signal = (enum nk_otel_signal)i};
    c->telemetry = t;
    return 0;
}

void courier_telemetry_configure(struct courier *c)
{
    for (size_t i = 0; i < NK_OTEL_SIGNALS; i++)
        courier_export_start(&c->telemetry->exports[i]);
}

void courier_telemetry_free(struct courier *c)
{
    struct courier_telemetry *t = c->telemetry;
    if (!t)
        return;
    for (size_t i = 0; i < NK_OTEL_SIGNALS; i++)
        courier_export_free(&t->exports[i]);
    nk_loop_disarm(c->loop, &t->drain_timer);
    nk_buf_free(&t->item);
    free(t);
    c->telemetry = NULL;
}

/* Calls that were sent again ------------------------------------------------------------------- */

void courier_telemetry_resent(struct courier *c, uint32_t stream, uint32_t generation)
{
    struct courier_telemetry *t = c->telemetry;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    t->resends[t->resend_count++ % COURIER_RESENDS] =
        (struct courier_resend){.stream = stream,
                                .generation = generation,
                                .at_unix = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000};
}

static int64_t resent(const struct courier_telemetry *t, const struct nk_wire_telemetry *r)
{
    for (size_t i = 0; i < t->resend_count && i < COURIER_RESENDS; i++)
        if (t->resends[i].stream == r->call_stream &&
            t->resends[i].generation == r->call_generation)
            return t->resends[i].at_unix;
    return 0;
}

/* Records -------------------------------------------------------------------------------------- */

void courier_telemetry_take(struct courier *c, const struct nk_ring_record *rec)
{
    struct courier_telemetry *t = c->telemetry;
    struct nk_wire_telemetry r;
    char own[NK_WIRE_TELEMETRY_MAX];
    struct courier_config *g = courier_config_find(c, rec->generation);
    struct nk_buf b = {.p = own, .cap = sizeof own, .max = sizeof own};
    nk_buf_add(&b, rec->payload); /* what was checked cannot change afterwards */
    if (!g || b.error || nk_wire_get_telemetry(nk_buf_str(&b), (uint32_t)nk_refusal_count(), &r)) {
        nk_stats_add(&c->stats, NK_STAT_TELEMETRY_DROPPED_REFUSED, 1);
        return;
    }
    if (r.flags & NK_WIRE_TRACED && r.own.flags & NK_TRACE_SAMPLED &&
        t->exports[NK_OTEL_TRACES].is_on)
        courier_spans_put(t, g, &r, r.upstream == UINT32_MAX ? 0 : resent(t, &r));
    if (r.refusal && t->exports[NK_OTEL_LOGS].is_on)
        courier_log_put(t, g, &r);
}

/* The end -------------------------------------------------------------------------------------- */

/* Only wakes the loop, which then asks whether telemetry is still busy. */
static void drained(struct nk_timer *timer)
{
    (void)timer;
}

void courier_telemetry_drain(struct courier *c)
{
    struct courier_telemetry *t = c->telemetry;
    t->is_draining = true;
    t->drain_timer.fire = drained;
    if (nk_loop_arm(c->loop, &t->drain_timer, drain_us))
        return;
    for (size_t i = 0; i < NK_OTEL_SIGNALS; i++)
        courier_export_hurry(&t->exports[i]);
}

bool courier_telemetry_is_busy(const struct courier *c)
{
    const struct courier_telemetry *t = c->telemetry;
    if (!t->is_draining || !t->drain_timer.due_us)
        return false;
    for (size_t i = 0; i < NK_OTEL_SIGNALS; i++)
        if (courier_export_is_busy(&t->exports[i]))
            return true;
    return false;
}
