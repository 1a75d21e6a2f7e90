/* SPDX-License-Identifier: Apache-2.0
 *
 * scribe_store.c - from the rings into the ledger. A record's sequence number is its number in the
 * ring, counted since the ring was made. The space of a record is given back when it is with the
 * kernel, so a scribe that is killed leaves every record in a ring or in the log; one that was
 * killed in between left it in both, and the next scribe skips what the log's end has already of
 * that gate instance. So each record comes into the log once, and those of one gate in order.
 *
 * While the log cannot be written nothing is taken: rings fill up, and gates refuse.
 */
#include "role/scribe.h"

#include <stdio.h>
#include "edge/log.h"

enum { ROUND = 64 }; /* records taken from one ring before the next one's turn */

void scribe_note(struct scribe *s, const char *event, struct nk_str members)
{
    struct nk_buf b;
    struct nk_fault f = {.code = 0};
    nk_buf_init(&b, 4096);
    nk_buf_add(&b, NK_STR("\"kind\":\"log\",\"time\":\""));
    nk_time_format(nk_loop_unix_ms(s->loop), &b);
    nk_buf_printf(&b, "\",\"event\":\"%s\"", event);
    nk_buf_add(&b, members);
    int r = b.error
                ? b.error
                : nk_ledger_append(s->ledger, s->start->instance, s->own_seq, nk_buf_str(&b), &f);
    if (r == 0)
        s->own_seq++;
    else
        nk_log(NK_LOG_ERROR, "audit.note", "%s: %s", event, f.message);
    nk_buf_free(&b);
}

/* The ledger refuses or takes again; said once each time. */
static void set_full(struct scribe *s, bool full, const struct nk_fault *f)
{
    if (full == s->is_full)
        return;
    s->is_full = full;
    nk_stats_set(&s->stats, NK_STAT_AUDIT_FAILED, full);
    if (full)
        nk_log(NK_LOG_ERROR, "audit.full", "%s", f->message);
    else
        nk_log(NK_LOG_WARNING, "audit.works", "the audit log can be written again");
}

/* Rings -------------------------------------------------------------------------------------------
 */
static void ring_ready(struct nk_watch *w, uint32_t events)
{
    (void)w; /* the wake-up itself is the message: see scribe.c, poll */
    (void)events;
}

static void ring_remove(struct scribe_ring *r)
{
    NK_MUST(nk_loop_watch(r->scribe->loop, &r->watch, 0) == 0);
    nk_ring_close(r->ring);
    nk_role_ring_close(&r->given.ring);
    *r = (struct scribe_ring){.ring = NULL};
}

int scribe_ring_add(struct scribe *s, const struct nk_role_audit *given)
{
    struct scribe_ring *r = NULL;
    uint64_t seq;
    for (size_t i = NK_COUNT(s->rings); i-- > 0;) {
        struct scribe_ring *other = &s->rings[i];
        if (!other->ring)
            r = other;
        else if (other->given.instance == given->instance && other->given.slot == given->slot)
            return NK_ECONFLICT; /* said twice: two readers would store each record twice */
    }
    if (!r)
        return NK_EFULL;
    *r = (struct scribe_ring){.given = *given, .scribe = s};
    r->ring = nk_role_ring_open(&given->ring, false);
    if (!r->ring)
        return NK_EINVAL;
    r->next = nk_ledger_last_seq(s->ledger, given->instance, &seq) ? seq + 1 : 0;
    if (r->next > nk_ring_committed(r->ring)) /* an older gate was given the same random number */
        r->next = nk_ring_released(r->ring);
    nk_ring_set_durable(r->ring, r->next); /* the ledger has synced all that it found */
    r->watch = (struct nk_watch){.fd = nk_ring_eventfd(r->ring), .ready = ring_ready};
    int e = nk_loop_watch(s->loop, &r->watch, EPOLLIN | EPOLLET);
    if (e) {
        nk_ring_close(r->ring);
        r->ring = NULL;
        return e;
    }
    return 0;
}

void scribe_ring_ended(struct scribe *s, uint32_t instance)
{
    for (size_t i = 0; i < NK_COUNT(s->rings); i++)
        if (s->rings[i].ring && s->rings[i].given.instance == instance)
            s->rings[i].given.ended = true;
}

bool scribe_has_backlog(struct scribe *s)
{
    for (size_t i = 0; i < NK_COUNT(s->rings); i++) {
        struct scribe_ring *r = &s->rings[i];
        if (r->ring && !r->is_broken && nk_ring_backlog(r->ring))
            return true;
    }
    return false;
}

/* What a gate published but no log may hold is kept as its size and digest. */
static void take_invalid(struct scribe *s, struct scribe_ring *r, struct nk_str payload,
                         const struct nk_fault *why)
{
    struct nk_buf b;
    struct nk_fault f = {.code = 0};
    struct nk_digest d = nk_sha256(payload);
    nk_buf_init(&b, 4096);
    nk_buf_add(&b, NK_STR("\"kind\":\"log\",\"time\":\""));
    nk_time_format(nk_loop_unix_ms(s->loop), &b);
    nk_buf_printf(&b, "\",\"event\":\"invalid\",\"bytes\":%zu,\"sha256\":\"", payload.n);
    nk_buf_add_hex(&b, d.b, sizeof d.b);
    nk_buf_add_char(&b, '"');
    nk_json_put_member(&b, NK_STR("why"), nk_str(why->message));
    if (!r->has_lied)
        nk_log(NK_LOG_ERROR, "audit.invalid",
               "gate %u published what is no record: %s; the log has the digest of each such",
               r->given.instance, why->message);
    r->has_lied = true;
    if (b.error || nk_ledger_append(s->ledger, r->given.instance, r->next, nk_buf_str(&b), &f))
        nk_log(NK_LOG_ERROR, "audit.invalid", "%s", f.message);
    nk_buf_free(&b);
}

static void take_record(struct scribe *s, struct scribe_ring *r, const struct nk_ring_record *rec)
{
    struct nk_fault f;
    nk_fault_none(&f);
    int e = 0;
    if (rec->number < r->next) /* the scribe before this one had written it */
        return;
    if (rec->number > r->next)
        nk_log(NK_LOG_ERROR, "audit.gap", "gate %u: records %llu to %llu are missing",
               r->given.instance, (unsigned long long)r->next, (unsigned long long)rec->number - 1);
    r->next = rec->number;
    if (rec->type != NK_WIRE_RECORD)
        e = nk_fault_set(&f, NK_EINVAL, "scribe", 0, "a message of type %u", rec->type);
    else
        e = nk_ledger_append(s->ledger, r->given.instance, r->next, rec->payload, &f);
    if (e)
        take_invalid(s, r, rec->payload, &f);
    nk_stats_add(&s->stats, NK_STAT_AUDIT_RECORDS, 1);
    nk_stats_add(&s->stats, NK_STAT_AUDIT_BYTES, rec->payload.n);
    r->next++;
    s->taken++;
}

/* At most ROUND records of one ring; true when there were any. */
static bool take_ring(struct scribe *s, struct scribe_ring *r)
{
    struct nk_ring_record rec;
    int e = 0;
    size_t i = 0;
    for (; i < ROUND && nk_ledger_has_room(s->ledger) && (e = nk_ring_next(r->ring, &rec)) == 0;
         i++)
        take_record(s, r, &rec);
    if (e == NK_EINVAL) {
        r->is_broken = true;
        nk_log(NK_LOG_ERROR, "audit.broken", "the audit ring of gate %u is broken",
               r->given.instance);
        char from[32];
        int n = snprintf(from, sizeof from, ",\"from\":%u", r->given.instance);
        scribe_note(s, "broken", (struct nk_str){from, (size_t)n});
    }
    return i > 0;
}

/* One turn through all rings. */
static bool take_round(struct scribe *s)
{
    bool any = false;
    size_t count = NK_COUNT(s->rings);
    for (size_t k = 0; k < count; k++) {
        struct scribe_ring *r = &s->rings[(s->first_ring + k) % count];
        if (r->ring && !r->is_broken)
            any = take_ring(s, r) || any;
    }
    s->first_ring = (s->first_ring + 1) % count;
    return any;
}

/* Storing -----------------------------------------------------------------------------------------
 */
static bool write_out(struct scribe *s)
{
    struct nk_fault f = {.code = 0};
    int e = nk_ledger_write(s->ledger, &f);
    set_full(s, e != 0, &f);
    if (e)
        return false;
    for (size_t i = 0; i < NK_COUNT(s->rings); i++)
        if (s->rings[i].ring)
            nk_ring_release(s->rings[i].ring);
    return true;
}

/* All that was written is durable: tells gates, and lets go of dead ones. */
static void tell_durable(struct scribe *s)
{
    s->sync_due = 0;
    s->is_owing = false;
    nk_stats_set(&s->stats, NK_STAT_AUDIT_LAG, 0);
    if (s->oldest_us)
        nk_stats_time(&s->stats, NK_STAT_AUDIT_DELAY, nk_loop_clock() - s->oldest_us);
    s->oldest_us = 0;
    for (size_t i = 0; i < NK_COUNT(s->rings); i++) {
        struct scribe_ring *r = &s->rings[i];
        if (!r->ring)
            continue;
        if (nk_ring_durable(r->ring) < r->next)
            nk_ring_set_durable(r->ring, r->next);
        if (!r->given.ended || (!r->is_broken && nk_ring_backlog(r->ring)))
            continue;
        if (nk_role_drained(s->start, r->given.instance) == 0)
            ring_remove(r);
        else
            s->is_owing = true;
    }
}

static bool sync_out(struct scribe *s)
{
    struct nk_fault f = {.code = 0};
    uint64_t before = nk_ledger_durable(s->ledger);
    int e = nk_ledger_sync(s->ledger, &f);
    set_full(s, e != 0, &f);
    if (e)
        return false;
    nk_stats_add(&s->stats, NK_STAT_AUDIT_SYNCS, before != nk_ledger_durable(s->ledger));
    tell_durable(s);
    return true;
}

bool scribe_store(struct scribe *s, bool now)
{
    bool any = false;
    s->taken = 0;
    if (!write_out(s)) /* what could not be written before comes first */
        return false;
    while (take_round(s)) {
        any = true;
        if (!s->oldest_us)
            s->oldest_us = nk_loop_now(s->loop);
        if (!nk_ledger_has_room(s->ledger) && (!write_out(s) || !sync_out(s)))
            return any;
    }
    if (!write_out(s))
        return any;
    uint64_t lag = nk_ledger_size(s->ledger) - nk_ledger_durable(s->ledger);
    nk_stats_set(&s->stats, NK_STAT_AUDIT_LAG, lag);
    int64_t time = nk_loop_now(s->loop);
    if (lag && !s->sync_due)
        s->sync_due = time + s->settings->config.audit_group * 1000 / 2;
    if (now || s->is_owing || s->settings->config.audit_strict ||
        (s->sync_due && time >= s->sync_due))
        sync_out(s);
    return any;
}

void scribe_mark(struct scribe *s)
{
    struct nk_fault f = {.code = 0};
    uint64_t before = nk_ledger_checkpointed(s->ledger);
    int e = nk_ledger_checkpoint(s->ledger, &f);
    set_full(s, e != 0, &f);
    if (e)
        return;
    nk_stats_add(&s->stats, NK_STAT_AUDIT_CHECKPOINTS, before != nk_ledger_checkpointed(s->ledger));
    tell_durable(s);
}
