/* SPDX-License-Identifier: Apache-2.0
 *
 * neighbours.h - the gate's neighbours at work: the warden starts and ends it, the scribe takes its
 * records, the courier hears its calls.
 */
#pragma once

#include "torture/bed.h"

/* In the child: what nk_role_enter would have received. */
static int bed_be_gate(int channel, int bundle)
{
    static struct nk_role_start s;
    struct nk_fault f = {0};
    s = (struct nk_role_start){.role = NK_ROLE_GATE,
                               .instance = bed.instance,
                               .generation = bed.generation,
                               .seed = {1, 2},
                               .control = channel,
                               .listeners = {bed.listener},
                               .listener_count = 1,
                               .admin = -1,
                               .calls = bed.call_fds,
                               .answers = bed.answer_fds,
                               .audit = bed.audit_fds,
                               .stats = bed.stats,
                               .state_dir = -1};
    nk_arena_init(&s.arena, 1 << 20);
    nk_log_open("gate", 0, NK_LOG_ERROR);
    if (nk_bundle_open(bundle, &s.arena, &s.bundle, &f))
        return 9;
    return nk_gate_main(&s);
}

static void bed_start_with(const char *issuer)
{
    int pair[2];
    static uint32_t instances = 7;
    bed.instance = instances++;
    bed.generation = 1;
    bed.records = 0;
    memset(bed.seen, 0, sizeof bed.seen);
    bed.stats = nk_stats_create();
    bed.listener = bed_listen();
    bed_pair();
    NK_MUST(!nk_ring_create(bed.audit_bytes, &bed.audit_fds.memfd, &bed.audit_fds.eventfd));
    bed.audit_fds.backfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    bed.audit = nk_role_ring_open(&bed.audit_fds, false);
    int bundle = bed_bundle(issuer);
    NK_MUST(bed.audit &&
            !socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair));
    fflush(stdout);
    bed.pid = fork();
    if (bed.pid == 0) {
        close(pair[0]);
        _exit(bed_be_gate(pair[1], bundle));
    }
    close(pair[1]);
    close(bundle);
    close(bed.listener);
    bed.control = pair[0];
    if (!tap_ok(bed_hear(NK_CONTROL_READY), "the gate is ready"))
        exit(tap_done());
    NK_MUST(!nk_stats_open(&counters, bed.stats, nk_stats_page(NK_ROLE_COURIER, 0, 0)));
}

static void bed_start(void)
{
    bed_start_with(NULL);
}

/* The exit status, 1000 and more for a signal, -1 when it runs on. */
static int bed_reap(int ms)
{
    int status = 0;
    for (int64_t until = now_ms() + ms; now_ms() < until; usleep(1000))
        if (waitpid(bed.pid, &status, WNOHANG) == bed.pid) {
            bed.pid = 0;
            return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
        }
    return -1;
}

static void bed_end(void)
{
    if (bed.pid) {
        kill(bed.pid, SIGKILL);
        (void)bed_reap(PATIENCE_MS);
    }
    bed_drop_pair();
    nk_ring_close(bed.audit);
    nk_role_ring_close(&bed.audit_fds);
    nk_stats_close(&counters);
    close(bed.stats);
    close(bed.control);
    bed.keep_calls = bed.keep_audit = bed.keep_durable = bed.strict = false;
}

/* Ends the gate in order; its accounts must be even. */
static void bed_stop(const char *what)
{
    struct nk_control m;
    nk_control_init(&m, NK_CONTROL_DRAIN);
    m.grace_ms = 500;
    bool told = nk_control_send(bed.control, &m) == 0;
    int status = bed_reap(PATIENCE_MS);
    tap_ok(told && status == 0, "%s: the gate ends as it is told: %d", what, status);
    bed_end();
}

static void bed_record(struct nk_str text)
{
    ptrdiff_t at = nk_str_search(text, NK_STR("\"request\":\""));
    bed.records++;
    if (at < 0)
        return;
    unsigned long number = strtoul(text.p + at + 11 + 9, NULL, 16) % REQUESTS_MAX;
    struct seen *s = &bed.seen[number];
    s->last = bed.records;
    s->first = s->first ? s->first : s->last;
    s->decisions += nk_str_search(text, NK_STR("\"kind\":\"decision\"")) >= 0;
    s->outcomes += nk_str_search(text, NK_STR("\"kind\":\"outcome\"")) >= 0;
}

/* The scribe's turn. */
static void bed_scribe(void)
{
    struct nk_ring_record r;
    while (nk_ring_next(bed.audit, &r) == 0)
        bed_record(r.payload);
    if (!bed.keep_audit)
        nk_ring_release(bed.audit);
    if (!bed.keep_durable && nk_ring_durable(bed.audit) < bed.records)
        nk_ring_set_durable(bed.audit, bed.records);
}

/* The courier's turn, as far as it hears. */
static void bed_courier(void)
{
    struct nk_ring_record r;
    while (!bed.keep_calls && nk_ring_next(bed.calls, &r) == 0)
        if (bed.call)
            bed.call(&r);
    if (!bed.keep_calls)
        nk_ring_release(bed.calls);
}
