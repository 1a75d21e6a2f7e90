/* SPDX-License-Identifier: Apache-2.0
 *
 * warden_child.c - one role process. DOWN -> STARTING (exec'd, START sent) -> READY -> LEAVING ->
 * DOWN; from anywhere to DOWN when it dies. Death is learned from the pidfd alone; a channel that
 * breaks or a role that does not answer is made a death by SIGKILL.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "role/warden_own.h"

enum { RETRY_MS = 50, MESSAGES_AT_ONCE = 16 };

/* Roles get no other variable: credentials may be in the environment, and not every role may know
 * them. */
static const char *const environment[] = {
    "LANG",         "LC_ALL",        "TZ",   "SSL_CERT_FILE",   "SSL_CERT_DIR", "ASAN_OPTIONS",
    "LSAN_OPTIONS", "UBSAN_OPTIONS", "PATH", "LD_LIBRARY_PATH",
};

bool warden_child_is_up(const struct warden_child *c)
{
    return c->state == WARDEN_STARTING || c->state == WARDEN_READY;
}

struct warden_pair *warden_child_pair(struct warden_child *c)
{
    return c->role == NK_ROLE_GATE ? NK_OF(c, struct warden_pair, gate)
                                   : NK_OF(c, struct warden_pair, courier);
}

static struct warden_child *of_pairs(struct warden_pair *pairs, size_t i)
{
    return i & 1 ? &pairs[i / 2].courier : &pairs[i / 2].gate;
}

struct warden_child *warden_child_at(struct warden *w, size_t i)
{
    struct warden_pair *all[] = {w->pairs, w->outgoing};
    if (i == 0)
        return &w->scribe;
    i--;
    for (size_t k = 0; k < NK_COUNT(all); k++) {
        if (!all[k])
            continue;
        if (i < 2 * (size_t)w->workers)
            return of_pairs(all[k], i);
        i -= 2 * (size_t)w->workers;
    }
    return NULL;
}

void warden_child_kill(struct warden_child *c)
{
    if (c->state == WARDEN_DOWN)
        return;
    if (pidfd_send_signal(c->pid_watch.fd, SIGKILL, NULL, 0) && errno != ESRCH)
        nk_log(NK_LOG_ERROR, "role.kill", "%s: %s", nk_role_name(c->role), strerror(errno));
}

void warden_child_send(struct warden_child *c, const struct nk_control *m)
{
    if (c->state != WARDEN_DOWN && nk_control_send(c->control, m)) {
        nk_log(NK_LOG_ERROR, "role.deaf", "%s %u does not take messages: it is started anew",
               nk_role_name(c->role), c->slot);
        warden_child_kill(c);
    }
}

void warden_child_drain(struct warden_child *c, int64_t grace_ms)
{
    struct nk_control m;
    /* One that leaves already is told how much time there is now. */
    if (c->state == WARDEN_DOWN)
        return;
    nk_control_init(&m, NK_CONTROL_DRAIN);
    m.grace_ms = (uint32_t)grace_ms;
    warden_child_send(c, &m);
    c->state = WARDEN_LEAVING;
}

void warden_child_ping(struct warden_child *c)
{
    struct nk_control m;
    /* The scribe waits for disks, and a new one would wait for them as well. */
    if (c->state != WARDEN_READY || c->role == NK_ROLE_SCRIBE)
        return;
    if (c->pings_missed++ >= WARDEN_PINGS_MISSED_MAX) {
        nk_log(NK_LOG_ERROR, "role.hangs", "%s %u does not answer: it is started anew",
               nk_role_name(c->role), c->slot);
        warden_child_kill(c);
        return;
    }
    nk_control_init(&m, NK_CONTROL_PING);
    warden_child_send(c, &m);
}

void warden_gauges(struct warden *w)
{
    struct warden_child *c;
    uint64_t down = 0, degraded = 0;
    enum warden_upgrade_stage stage = w->upgrade.stage;
    /* While an upgrade starts new pairs, the ones before them serve. */
    bool is_doubled = stage == WARDEN_UPGRADE_SET || stage == WARDEN_UPGRADE_START ||
                      stage == WARDEN_UPGRADE_UNDO;
    for (size_t i = 0; (c = warden_child_at(w, i)); i++) {
        if (c->role == NK_ROLE_SCRIBE ? stage == WARDEN_UPGRADE_SCRIBE
                                      : c->is_outgoing != is_doubled)
            continue;
        down += c->state != WARDEN_READY;
        /* 1 at once, then 100 ms, 200 ms …: the longest pause is reached at the eighth crash. */
        degraded += c->crashes >= 8;
    }
    nk_stats_set(&w->stats, NK_STAT_ROLES_DOWN, down);
    nk_stats_set(&w->stats, NK_STAT_DEGRADED, degraded);
}

static void arm(struct warden_child *c, struct nk_timer *t, int64_t ms)
{
    if (nk_loop_arm(c->warden->loop, t, ms * 1000))
        warden_stop(c->warden, 1);
}

static void restart_later(struct warden_child *c)
{
    int64_t ms = 0;
    if (c->crashes > 1)
        ms = c->crashes < 8 ? (int64_t)WARDEN_BACKOFF_FIRST_MS << (c->crashes - 2)
                            : WARDEN_BACKOFF_MAX_MS;
    if (ms == 0)
        warden_child_start(c);
    else
        arm(c, &c->restart, ms);
}

static void fire_restart(struct nk_timer *t)
{
    warden_child_start(NK_OF(t, struct warden_child, restart));
}

static void fire_settle(struct nk_timer *t)
{
    struct warden_child *c = NK_OF(t, struct warden_child, settle);
    c->crashes = 0;
    warden_gauges(c->warden);
}

/* Death ------------------------------------------------------------------------------------------
 */

static void log_death(const struct warden_child *c, const siginfo_t *info)
{
    bool by_signal = info->si_code == CLD_KILLED || info->si_code == CLD_DUMPED;
    bool calm = c->state == WARDEN_LEAVING && !by_signal && info->si_status == 0;
    nk_log(calm ? NK_LOG_INFO : NK_LOG_ERROR, calm ? "role.ended" : "role.died",
           "%s %u (process %d) ended with %s %d%s", nk_role_name(c->role), c->slot, c->pid,
           by_signal ? "signal" : "status", info->si_status,
           by_signal && info->si_status == SIGSYS ? ": it asked for what it may not do" : "");
}

static void close_child(struct warden_child *c)
{
    struct nk_loop *l = c->warden->loop;
    int rc = nk_loop_watch(l, &c->pid_watch, 0);
    rc = nk_loop_watch(l, &c->control_watch, 0);
    (void)rc; /* taking out does not fail */
    if (c->pid_watch.fd >= 0)
        close(c->pid_watch.fd);
    close(c->control);
    c->pid_watch.fd = c->control_watch.fd = c->control = -1;
    nk_loop_disarm(l, &c->settle);
    c->state = WARDEN_DOWN;
}

/* By a new process of the same role. */
static void replace(struct warden_child *c, bool was_leaving)
{
    struct warden *w = c->warden;
    if (w->phase == WARDEN_RUN) {
        warden_ring_renew(c);
        warden_reload_death(c);
    }
    if (w->phase == WARDEN_RUN ||
        (c->role == NK_ROLE_SCRIBE && w->phase > WARDEN_RUN && !was_leaving && c->crashes < 8))
        restart_later(c);
}

static void died(struct nk_watch *watch, uint32_t events)
{
    struct warden_child *c = NK_OF(watch, struct warden_child, pid_watch);
    struct warden *w = c->warden;
    siginfo_t info = {0};
    (void)events;
    if (waitid(P_PIDFD, (id_t)watch->fd, &info, WEXITED | WNOHANG) || info.si_pid == 0)
        return;
    bool was_leaving = c->state == WARDEN_LEAVING;
    log_death(c, &info);
    close_child(c);
    if (!was_leaving) {
        nk_stats_add(&w->stats, NK_STAT_ROLE_DEATHS, 1);
        c->crashes++;
    }
    if (!warden_upgrade_death(c))
        replace(c, was_leaving);
    warden_gauges(w);
    warden_progress(w);
}

/* Messages ---------------------------------------------------------------------------------------
 */

static void became_ready(struct warden_child *c, const struct nk_control *m)
{
    if (m->code) {
        nk_log(NK_LOG_ERROR, "role.failed", "%s %u cannot start: %s", nk_role_name(c->role),
               c->slot, m->text);
        return; /* it ends by itself */
    }
    if (c->state != WARDEN_STARTING)
        return;
    c->state = WARDEN_READY;
    c->pings_missed = 0;
    nk_log(NK_LOG_INFO, "role.ready", "%s %u (process %d, instance %08x) is ready",
           nk_role_name(c->role), c->slot, c->pid, c->instance);
    arm(c, &c->settle, c->warden->options.settle_ms);
    warden_gauges(c->warden);
    warden_progress(c->warden);
}

static void take_message(struct warden_child *c, const struct nk_control *m)
{
    switch (m->kind) {
    case NK_CONTROL_READY:
        became_ready(c, m);
        break;
    case NK_CONTROL_PREPARED:
        warden_reload_vote(c, m);
        break;
    case NK_CONTROL_DRAINED:
        if (c->role == NK_ROLE_SCRIBE)
            warden_ring_drained(c->warden, m->instance);
        break;
    case NK_CONTROL_PONG:
        c->pings_missed = 0;
        warden_reload_pong(c);
        break;
    default:
        nk_log(NK_LOG_ERROR, "role.nonsense", "%s %u says what only the warden says",
               nk_role_name(c->role), c->slot);
        warden_child_kill(c);
    }
}

static void heard(struct nk_watch *watch, uint32_t events)
{
    struct warden_child *c = NK_OF(watch, struct warden_child, control_watch);
    struct nk_control m;
    int rc = 0;
    (void)events;
    for (int i = 0; i < MESSAGES_AT_ONCE && c->control >= 0 && !rc; i++) {
        rc = nk_control_recv(c->control, &m);
        if (!rc) {
            nk_control_close(&m); /* roles have no descriptors to give */
            take_message(c, &m);
        }
    }
    if (rc && rc != NK_EAGAIN && c->control >= 0) {
        rc = nk_loop_watch(c->warden->loop, &c->control_watch, 0);
        (void)rc;
        if (c->state != WARDEN_LEAVING)
            warden_child_kill(c);
    }
}

/* Birth ------------------------------------------------------------------------------------------
 */

static void pin(const struct warden_child *c)
{
    cpu_set_t all, one;
    uint32_t nth = 0;
    if (c->role == NK_ROLE_SCRIBE || c->warden->workers == 1 ||
        sched_getaffinity(0, sizeof all, &all) || CPU_COUNT(&all) != (int)c->warden->workers)
        return;
    /* A gate and its courier on one core: waking each other is cheapest there. */
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &all) && nth++ == c->slot) {
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            sched_setaffinity(0, sizeof one, &one);
            return;
        }
}

static _Noreturn void become_role(const struct warden_child *c, int control, pid_t warden)
{
    char *env[NK_COUNT(environment) + 1];
    size_t n = 0;
    for (size_t i = 0; i < NK_COUNT(environment); i++) {
        const char *value = getenv(environment[i]);
        if (value) /* the entry "NAME=value" itself */
            env[n++] = (char *)value - strlen(environment[i]) - 1;
    }
    env[n] = NULL;
    char name[16] = "", *argv[] = {(char *)"nakoso", (char *)"--role", name, NULL};
    strncat(name, nk_role_name(c->role), sizeof name - 1);
    /* The scribe outlives a killed warden until it has stored what the rings hold. */
    if (c->role != NK_ROLE_SCRIBE)
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != warden)
        _exit(1);
    pin(c);
    if (control == NK_ROLE_CONTROL_FD)
        fcntl(control, F_SETFD, 0);
    if (dup2(c->warden->null_fd, 0) < 0 || dup2(c->warden->null_fd, 1) < 0 ||
        dup2(control, NK_ROLE_CONTROL_FD) < 0 || close_range(NK_ROLE_CONTROL_FD + 1, ~0U, 0))
        _exit(1);
    execve("/proc/self/exe", argv, env);
    _exit(127);
}

int warden_child_adopt(struct warden_child *c)
{
    c->control_watch.fd = c->control;
    c->pid_watch.fd = c->pid > 0 ? pidfd_open(c->pid, 0) : -1; /* close-on-exec by itself */
    if (c->pid_watch.fd >= 0 && nk_loop_watch(c->warden->loop, &c->pid_watch, EPOLLIN) == 0 &&
        nk_loop_watch(c->warden->loop, &c->control_watch, EPOLLIN) == 0)
        return 0;
    int keep = errno;
    if (c->pid > 0) {
        kill(c->pid, SIGKILL);
        waitpid(c->pid, NULL, 0);
    }
    close_child(c);
    errno = keep;
    return NK_EIO;
}

static int spawn(struct warden_child *c)
{
    int sv[2];
    pid_t self = getpid();
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv))
        return NK_EIO;
    pid_t pid = fork();
    if (pid == 0)
        become_role(c, sv[1], self);
    int keep = errno;
    close(sv[1]);
    c->pid = pid;
    c->control = sv[0];
    c->state = WARDEN_STARTING;
    c->is_outgoing = false;
    snprintf(c->version, sizeof c->version, "%s", NK_VERSION);
    errno = keep;
    return warden_child_adopt(c);
}

static void send_audits(struct warden_child *c)
{
    struct warden *w = c->warden;
    for (uint32_t i = 0; i < w->audit_count; i++) {
        struct nk_control m;
        nk_control_init(&m, NK_CONTROL_AUDIT);
        m.slot = w->audits[i].slot;
        m.instance = w->audits[i].instance;
        m.ended = w->audits[i].ended;
        m.audit = w->audits[i].ring;
        warden_child_send(c, &m);
    }
}

static int send_start(struct warden_child *c)
{
    struct warden *w = c->warden;
    struct nk_control m;
    nk_control_init(&m, NK_CONTROL_START);
    m.role = c->role;
    m.slot = c->slot;
    m.log_level = nk_log_get_level();
    m.stats = w->stats_fd;
    m.page = c->page;
    if (getrandom(m.seed, sizeof m.seed, 0) != (ssize_t)sizeof m.seed ||
        getrandom(&m.instance, sizeof m.instance, 0) != (ssize_t)sizeof m.instance)
        return NK_EIO;
    warden_setup_fill(w->setup, c, &m);
    if (c->role == NK_ROLE_SCRIBE) {
        m.state_dir = w->state_dir;
        m.audit_count = w->audit_count;
    } else {
        m.calls = warden_child_pair(c)->calls;
        m.answers = warden_child_pair(c)->answers;
    }
    if (c->role == NK_ROLE_GATE) {
        const struct nk_role_audit *a = warden_ring_audit(w, c->instance);
        m.instance = a->instance;
        m.audit = a->ring;
        m.tickets = w->tickets.keys;
        m.mail_count = w->mail_count;
        if (c->slot < w->mail_count)
            m.mail = w->mails[c->slot][0];
    }
    c->instance = m.instance;
    warden_child_send(c, &m);
    nk_secret_wipe(&m.tickets, sizeof m.tickets);
    if (c->role == NK_ROLE_GATE)
        warden_mail_send(c);
    if (c->role == NK_ROLE_SCRIBE)
        send_audits(c);
    return 0;
}

void warden_child_start(struct warden_child *c)
{
    static const enum nk_stat starts[NK_ROLE_COUNT] = {
        [NK_ROLE_GATE] = NK_STAT_ROLE_STARTS_GATE,
        [NK_ROLE_COURIER] = NK_STAT_ROLE_STARTS_COURIER,
        [NK_ROLE_SCRIBE] = NK_STAT_ROLE_STARTS_SCRIBE};
    struct warden *w = c->warden;
    if (c->state != WARDEN_DOWN || (w->phase > WARDEN_RUN && c->role != NK_ROLE_SCRIBE))
        return;
    /* A role that would start on the old configuration in the midst of a vote waits for its end. */
    if (w->next || !warden_ring_ready(c)) {
        arm(c, &c->restart, RETRY_MS);
        return;
    }
    if (spawn(c)) {
        nk_log(NK_LOG_ERROR, "role.start", "%s %u: %s", nk_role_name(c->role), c->slot,
               strerror(errno));
        c->crashes++;
        arm(c, &c->restart, WARDEN_BACKOFF_MAX_MS);
    } else if (send_start(c)) {
        warden_child_kill(c);
    } else {
        nk_stats_add(&w->stats, starts[c->role], 1);
    }
    warden_gauges(w);
}

void warden_child_init(struct warden_child *c, struct warden *w, enum nk_role role, uint32_t slot)
{
    *c = (struct warden_child){.warden = w,
                               .role = role,
                               .slot = slot,
                               .page = nk_stats_page(role, slot, w->turn),
                               .control = -1,
                               .pid_watch = {.fd = -1, .ready = died},
                               .control_watch = {.fd = -1, .ready = heard},
                               .restart = {.fire = fire_restart},
                               .settle = {.fire = fire_settle}};
}
