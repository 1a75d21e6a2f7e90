/* SPDX-License-Identifier: Apache-2.0
 *
 * scribe.c - the only memory: takes the records of all gates and writes the audit log (ledger.h).
 *
 * Rhythm. Nothing to do: it sleeps and says so on the rings, and the first record wakes it. From then
 * on it looks at the rings by the clock, every TICK (in calm times every CALM, which spares a core that
 * has little to do) or more often, and gates wake nobody; so a record costs no system call beyond its
 * share of one write for all. The disk is asked every audit.group (fdatasync), under audit.mode "strict" as soon as there is a record: what arrives meanwhile is the
 * next group. After a turn without a record it sleeps again.
 *
 *     asleep --record--> ticking --tick: take, write, maybe sync--> ticking --nothing left--> asleep
 *
 * A full or broken disk changes only the beat: it tries again every RETRY. Checkpoints come every
 * audit.checkpoint, and under heavy load more often, so that a scribe that is killed is back soon.
 */
#include "role/scribe.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <time.h>
#include <unistd.h>
#include "edge/log.h"

enum { TICK_US = 10000, CALM_US = 50000, RETRY_US = 200000, DRAIN_US = 5000 };
enum { ORPHAN_US = 2000000 };    /* how long it stays at most when the warden's channel is closed */
enum { LAST_WORDS_US = 50000 };  /* what a gate was about when it was killed is in its ring then */
enum { CALM_RECORDS = 256 };     /* of a turn: fewer, and the next one may come later */
enum { START_BYTES = 32 << 20 }; /* a start must not read more: it is down meanwhile */

static void beat(struct scribe *s, int64_t after_us)
{
    NK_MUST(nk_loop_arm(s->loop, &s->tick, after_us) == 0);
    s->ticking = true;
}

/* A record waits for a turn, then for the disk; both together take no longer than audit.group. */
static int64_t tick_us(const struct scribe *s)
{
    int64_t half = s->settings->config.audit_group * 1000 / 2;
    int64_t most = s->taken < CALM_RECORDS ? CALM_US : TICK_US;
    return half < most ? half : most;
}

/* After each turn: the next beat, and the next checkpoint. */
static void go_on(struct scribe *s, bool any)
{
    if (!s->is_full && nk_ledger_start_bytes(s->ledger) > START_BYTES)
        scribe_mark(s);
    if (s->is_full)
        beat(s, RETRY_US);
    else if (any || s->sync_due || s->is_owing)
        beat(s, tick_us(s));
    if (!s->marking && nk_ledger_size(s->ledger) > nk_ledger_checkpointed(s->ledger)) {
        NK_MUST(nk_loop_arm(s->loop, &s->mark, s->settings->config.audit_checkpoint * 1000) == 0);
        s->marking = true;
    }
}

/* All gates are gone or have said all they will: the log's orderly end. */
static void end(struct scribe *s)
{
    struct nk_fault f = {.code = 0};
    scribe_note(s, "stop", NK_STR(""));
    int e = nk_ledger_finish(s->ledger, &f);
    if (e)
        nk_log(NK_LOG_ERROR, "audit.lost", "the log's end cannot be written: %s", f.message);
    nk_loop_stop(s->loop, e ? 1 : 0);
}

static void drain(struct scribe *s)
{
    bool any = scribe_store(s, true);
    int64_t now = nk_loop_now(s->loop);
    bool waits = any || s->is_full || scribe_has_backlog(s) || now < s->stay_until;
    if (waits && now < s->drain_until)
        beat(s, s->is_full ? RETRY_US : DRAIN_US);
    else
        end(s);
}

static void on_tick(struct nk_timer *t)
{
    struct scribe *s = NK_OF(t, struct scribe, tick);
    s->ticking = false;
    if (s->is_draining)
        drain(s);
    else
        go_on(s, scribe_store(s, false));
}

static void on_mark(struct nk_timer *t)
{
    struct scribe *s = NK_OF(t, struct scribe, mark);
    s->marking = false;
    scribe_mark(s);
    go_on(s, false);
}

/* Hooks of the loop -------------------------------------------------------------------------------
 */
static bool on_poll(void *ctx)
{
    struct scribe *s = ctx;
    if (s->ticking || !scribe_has_backlog(s))
        return false;
    if (!s->settings->config.audit_strict) {
        beat(s, tick_us(s));
        return false;
    }
    bool any = scribe_store(s, true);
    if (s->is_full || !any)
        go_on(s, any);
    return any;
}

static bool on_sleep(void *ctx)
{
    struct scribe *s = ctx;
    bool really = true;
    if (s->ticking)
        return true;
    s->announced = true;
    for (size_t i = 0; i < NK_COUNT(s->rings); i++)
        if (s->rings[i].ring && !s->rings[i].is_broken)
            really = nk_ring_sleep(s->rings[i].ring) && really;
    return really;
}

static void on_awake(void *ctx)
{
    struct scribe *s = ctx;
    for (size_t i = 0; s->announced && i < NK_COUNT(s->rings); i++)
        if (s->rings[i].ring)
            nk_ring_awake(s->rings[i].ring);
    s->announced = false;
}

/* Messages of the warden --------------------------------------------------------------------------
 */
static void note_settings(struct scribe *s, const char *event)
{
    struct nk_buf b;
    nk_buf_init(&b, 1024);
    nk_buf_printf(&b, ",\"generation\":%u,\"policies\":\"", s->settings->generation);
    nk_buf_add_hex(&b, s->settings->set_digest.b, sizeof s->settings->set_digest.b);
    nk_buf_add(&b, NK_STR("\",\"config\":\""));
    nk_buf_add_hex(&b, s->settings->config_digest.b, sizeof s->settings->config_digest.b);
    nk_buf_add_char(&b, '"');
    scribe_note(s, event, nk_buf_str(&b));
    nk_buf_free(&b);
}

static int prepare(struct scribe *s, struct nk_control *m, struct nk_fault *f)
{
    scribe_settings_free(s->prepared);
    s->prepared = scribe_settings_new(s->start, m->bundle, m->generation, f);
    if (!s->prepared)
        return f->code;
    int e = scribe_settings_follow(s->settings, s->prepared, f);
    /* The set must be there before the first record that names it. */
    return e ? e : nk_ledger_put_set(s->ledger, s->prepared->set_digest, s->prepared->set, f);
}

static void on_prepare(struct scribe *s, struct nk_control *m)
{
    struct nk_fault f = {.code = 0};
    int e = prepare(s, m, &f);
    if (e) {
        scribe_settings_free(s->prepared);
        s->prepared = NULL;
    }
    if (nk_role_prepared(s->start, m->generation, e ? &f : NULL))
        nk_log(NK_LOG_ERROR, "scribe.control", "the warden does not listen");
}

static void on_commit(struct scribe *s, const struct nk_control *m)
{
    if (!s->prepared || s->prepared->generation != m->generation)
        return;
    scribe_settings_free(s->settings);
    s->settings = s->prepared;
    s->prepared = NULL;
    nk_log_set_level(nk_log_level_parse(s->settings->config.log_level));
    note_settings(s, "reload");
    go_on(s, true);
}

static void on_drain(struct scribe *s, uint32_t grace_ms)
{
    if (s->is_draining)
        return;
    s->is_draining = true;
    s->drain_until = nk_loop_now(s->loop) + (int64_t)grace_ms * 1000;
    drain(s);
}

static void on_audit(struct scribe *s, struct nk_control *m)
{
    struct nk_role_audit given = {m->slot, m->instance, m->ended != 0, m->audit};
    if (scribe_ring_add(s, &given))
        nk_log(NK_LOG_ERROR, "audit.ring", "the audit ring of gate %u cannot be opened",
               m->instance);
    else
        m->audit = (struct nk_role_ring){-1, -1, -1}; /* ours now */
    go_on(s, scribe_store(s, true));
}

static void on_ended(struct scribe *s, uint32_t instance)
{
    scribe_ring_ended(s, instance);
    go_on(s, scribe_store(s, true));
}

static void obey(struct scribe *s, struct nk_control *m)
{
    if (m->kind == NK_CONTROL_AUDIT) {
        on_audit(s, m);
    } else if (m->kind == NK_CONTROL_ENDED) {
        on_ended(s, m->instance);
    } else if (m->kind == NK_CONTROL_PREPARE) {
        on_prepare(s, m);
    } else if (m->kind == NK_CONTROL_COMMIT) {
        on_commit(s, m);
    } else if (m->kind == NK_CONTROL_DRAIN) {
        on_drain(s, m->grace_ms);
    } else if (m->kind == NK_CONTROL_ABANDON) {
        scribe_settings_free(s->prepared);
        s->prepared = NULL;
    }
    nk_control_close(m);
}

static void on_control(struct nk_watch *w, uint32_t events)
{
    struct scribe *s = NK_OF(w, struct scribe, control);
    struct nk_control m;
    int e;
    (void)events;
    while ((e = nk_control_recv(w->fd, &m)) == 0)
        obey(s, &m);
    if (e != NK_EIO)
        return;
    NK_MUST(nk_loop_watch(s->loop, w, 0) == 0);
    s->stay_until = nk_loop_now(s->loop) + ORPHAN_US;
    on_drain(s, ORPHAN_US / 1000);
}

/* A process that ends closes its channels first, and the kernel kills its gates after that; they
 * answer in between. Its pidfd is readable only when they have been sent their signal. */
static void on_warden_gone(struct nk_watch *w, uint32_t events)
{
    struct scribe *s = NK_OF(w, struct scribe, warden);
    (void)events;
    NK_MUST(nk_loop_watch(s->loop, w, 0) == 0);
    on_drain(s, ORPHAN_US / 1000);
    s->stay_until = nk_loop_now(s->loop) + LAST_WORDS_US;
}

/* Start -------------------------------------------------------------------------------------------
 */
static int64_t unix_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void note_opening(struct scribe *s)
{
    const struct nk_ledger_opening *o = nk_ledger_opening(s->ledger);
    struct nk_buf b;
    if (o->torn_bytes) {
        nk_log(NK_LOG_WARNING, "audit.torn",
               "%llu bytes at the log's end were not whole and are now in %s",
               (unsigned long long)o->torn_bytes, o->torn_file);
        nk_buf_init(&b, 1024);
        nk_buf_printf(&b, ",\"bytes\":%llu,\"torn\":\"%s\",\"sha256\":\"",
                      (unsigned long long)o->torn_bytes, o->torn_file);
        nk_buf_add_hex(&b, o->torn_digest.b, sizeof o->torn_digest.b);
        nk_buf_add_char(&b, '"');
        scribe_note(s, "torn", nk_buf_str(&b));
        nk_buf_free(&b);
    }
    note_settings(s, "start");
}

static int open_all(struct scribe *s, struct nk_fault *f)
{
    static const struct nk_loop_hooks hooks = {
        .poll = on_poll, .sleep = on_sleep, .awake = on_awake};
    struct nk_loop_hooks h = hooks;
    h.ctx = s;
    s->settings = scribe_settings_new(s->start, -1, s->start->generation, f);
    if (!s->settings)
        return f->code;
    memcpy(s->key, s->settings->key, sizeof s->key);
    nk_log_set_level(nk_log_level_parse(s->settings->config.log_level));
    if (nk_stats_open(&s->stats, s->start->stats, s->start->page))
        return nk_fault_set(f, NK_EIO, "scribe", 0, "the counters cannot be mapped");
    s->loop = nk_loop_new(&h);
    struct nk_ledger_options o = {
        .origin = s->settings->config.audit_origin, .seed = s->settings->key, .unix_ms = unix_ms()};
    s->ledger = s->loop ? nk_ledger_open(s->start->state_dir, &o, f) : NULL;
    if (!s->ledger)
        return nk_fault_set(f, NK_ENOMEM, "scribe", 0, "out of memory");
    int e = nk_ledger_put_set(s->ledger, s->settings->set_digest, s->settings->set, f);
    for (uint32_t i = 0; e == 0 && i < s->start->audit_count; i++)
        if (scribe_ring_add(s, &s->start->audits[i]))
            e = nk_fault_set(f, NK_EINVAL, "scribe", 0, "an audit ring cannot be opened");
    s->control = (struct nk_watch){.fd = s->start->control, .ready = on_control};
    if (e == 0 && nk_loop_watch(s->loop, &s->control, EPOLLIN))
        e = nk_fault_set(f, NK_EIO, "scribe", 0, "the control channel cannot be watched");
    s->warden = (struct nk_watch){.fd = pidfd_open(getppid(), 0), .ready = on_warden_gone};
    if (e == 0 && (s->warden.fd < 0 || nk_loop_watch(s->loop, &s->warden, EPOLLIN)))
        e = nk_fault_set(f, NK_EIO, "scribe", 0, "the warden cannot be watched");
    return e ? e : nk_role_confine(s->start, f);
}

static void close_all(struct scribe *s)
{
    for (size_t i = 0; i < NK_COUNT(s->rings); i++)
        if (s->rings[i].ring)
            nk_ring_close(s->rings[i].ring);
    nk_ledger_close(s->ledger);
    if (s->loop)
        nk_loop_free(s->loop);
    scribe_settings_free(s->prepared);
    scribe_settings_free(s->settings);
    nk_secret_wipe(s->key, sizeof s->key);
    free(s);
}

int nk_scribe_main(struct nk_role_start *start)
{
    struct nk_fault f = {.code = 0};
    struct scribe *s = calloc(1, sizeof *s);
    if (!s)
        return 1;
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a full disk, not the end */
    s->start = start;
    s->tick.fire = on_tick;
    s->mark.fire = on_mark;
    int e = open_all(s, &f);
    int status = 1;
    if (e)
        nk_log(NK_LOG_ERROR, "scribe.start", "%s", f.message);
    if (nk_role_ready(start, e ? &f : NULL) == 0 && e == 0) {
        note_opening(s);
        go_on(s, scribe_store(s, true)); /* what a killed scribe left, and rings of dead gates */
        status = nk_loop_run(s->loop);
    }
    close_all(s);
    return status;
}
