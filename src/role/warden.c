/* SPDX-License-Identifier: Apache-2.0
 *
 * warden.c - the life of the whole: load, start the scribe, then couriers and gates; run; stop in
 * the order gates, couriers, scribe. While not everything was ready once, any death is the end,
 * with the reason: a service manager shall see a bad start as a failed start.
 */
#include "role/warden.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "edge/notify.h"
#include "role/warden_own.h"

enum { GRACE_MS = 30000, SETTLE_MS = 2000, KILL_AFTER_MS = 1000 };

/* Starting and stopping --------------------------------------------------------------------------
 */

static bool is_any_up(struct warden *w, enum nk_role role)
{
    struct warden_child *c;
    for (size_t i = 0; (c = warden_child_at(w, i)); i++)
        if (c->role == role &&
            (c->state != WARDEN_DOWN || (role == NK_ROLE_SCRIBE && c->restart.due_us != 0)))
            return true;
    return false;
}

static void drain_all(struct warden *w, enum nk_role role, int64_t grace_ms)
{
    struct warden_child *c;
    for (size_t i = 0; (c = warden_child_at(w, i)); i++)
        if (c->role == role)
            warden_child_drain(c, grace_ms);
    if (nk_loop_arm(w->loop, &w->patience, (grace_ms + KILL_AFTER_MS) * 1000))
        nk_loop_stop(w->loop, 1);
}

static enum nk_role phase_role(const struct warden *w)
{
    if (w->phase == WARDEN_STOP_GATES)
        return NK_ROLE_GATE;
    return w->phase == WARDEN_STOP_COURIERS ? NK_ROLE_COURIER : NK_ROLE_SCRIBE;
}

static void fire_patience(struct nk_timer *t)
{
    struct warden *w = NK_OF(t, struct warden, patience);
    enum nk_role role = phase_role(w);
    struct warden_child *c;
    nk_log(NK_LOG_WARNING, "stop.forced", "not every %s ended in time", nk_role_name(role));
    for (size_t i = 0; (c = warden_child_at(w, i)); i++)
        if (c->role == role)
            warden_child_kill(c);
}

static void go_on_stopping(struct warden *w)
{
    if (w->phase == WARDEN_STOP_GATES && !is_any_up(w, NK_ROLE_GATE)) {
        w->phase = WARDEN_STOP_COURIERS;
        drain_all(w, NK_ROLE_COURIER, WARDEN_COURIER_GRACE_MS);
    }
    if (w->phase == WARDEN_STOP_COURIERS && !is_any_up(w, NK_ROLE_COURIER)) {
        w->phase = WARDEN_STOP_SCRIBE;
        drain_all(w, NK_ROLE_SCRIBE, WARDEN_SCRIBE_GRACE_MS);
    }
    if (w->phase != WARDEN_STOP_SCRIBE)
        return;
    /* A scribe that crashed meanwhile is up again: it still has rings to empty. */
    if (w->scribe.state == WARDEN_READY)
        warden_child_drain(&w->scribe, WARDEN_SCRIBE_GRACE_MS);
    if (!is_any_up(w, NK_ROLE_SCRIBE))
        nk_loop_stop(w->loop, w->exit_code);
}

void warden_stop(struct warden *w, int exit_code)
{
    if (exit_code)
        w->exit_code = exit_code;
    if (w->phase >= WARDEN_STOP_GATES) {
        if (w->phase != WARDEN_STOP_SCRIBE)
            fire_patience(&w->patience); /* asked twice: do not wait for clients */
        return;
    }
    nk_notify("STOPPING=1");
    nk_log(NK_LOG_INFO, "stop", "stopping: requests in flight have %lld ms",
           (long long)w->options.grace_ms);
    w->phase = WARDEN_STOP_GATES;
    warden_client_answer(w, "error: nakoso stops\n");
    drain_all(w, NK_ROLE_GATE, w->options.grace_ms);
    go_on_stopping(w);
}

static void begin_rest(struct warden *w)
{
    struct warden_child *c;
    size_t ready = 0, count = 0;
    for (size_t i = 0; (c = warden_child_at(w, i)); i++) {
        count++;
        ready += c->state == WARDEN_READY;
        if (c->crashes > 0) {
            nk_log(NK_LOG_ERROR, "start.failed", "%s %u did not come up; see above",
                   nk_role_name(c->role), c->slot);
            warden_stop(w, 1);
            return;
        }
    }
    if (w->scribe.state == WARDEN_READY && ready == 1)
        for (size_t i = 1; (c = warden_child_at(w, i)); i++)
            warden_child_start(c);
    if (ready != count)
        return;
    w->phase = WARDEN_RUN;
    for (size_t i = 0; i < w->setup->listener_count; i++)
        nk_log(NK_LOG_INFO, "listening", "%s", w->setup->listeners[i].address);
    nk_log(NK_LOG_INFO, "ready", "nakoso %s serves with %u gate%s, configuration %u", NK_VERSION,
           w->workers, w->workers == 1 ? "" : "s", w->setup->generation);
    nk_notify("READY=1");
}

void warden_progress(struct warden *w)
{
    if (w->phase == WARDEN_BEGIN)
        begin_rest(w);
    else if (w->phase != WARDEN_RUN)
        go_on_stopping(w);
}

/* Events -----------------------------------------------------------------------------------------
 */

static void take_signal(struct nk_watch *watch, uint32_t events)
{
    struct warden *w = NK_OF(watch, struct warden, signals);
    struct signalfd_siginfo info;
    (void)events;
    while (read(watch->fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGHUP)
            warden_reload(w, NULL);
        else
            warden_stop(w, 0);
    }
}

static void fire_ping(struct nk_timer *t)
{
    struct warden *w = NK_OF(t, struct warden, ping);
    struct warden_child *c;
    for (size_t i = 0; (c = warden_child_at(w, i)); i++)
        warden_child_ping(c);
    if (nk_loop_arm(w->loop, t, WARDEN_PING_MS * 1000LL))
        warden_stop(w, 1);
}

static int watch_signals(struct warden *w, sigset_t *before)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &set, before))
        return NK_EIO;
    signal(SIGPIPE, SIG_IGN);
    w->signals = (struct nk_watch){.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK),
                                   .ready = take_signal};
    return w->signals.fd < 0 ? NK_EIO : nk_loop_watch(w->loop, &w->signals, EPOLLIN);
}

/* Birth and death --------------------------------------------------------------------------------
 */

/* It reads secrets: no core file, no debugger; and it needs many descriptors. */
static void protect(void)
{
    struct rlimit none = {0, 0}, files;
    bool good = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && setrlimit(RLIMIT_CORE, &none) == 0 &&
                prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && getrlimit(RLIMIT_NOFILE, &files) == 0;
    if (good) {
        files.rlim_cur = files.rlim_max;
        good = setrlimit(RLIMIT_NOFILE, &files) == 0;
    }
    if (!good)
        nk_log(NK_LOG_WARNING, "warden.limits", "%s", strerror(errno));
    if (geteuid() == 0)
        nk_log(NK_LOG_WARNING, "warden.root", "started as root: a user of its own would do");
}

static int open_all(struct warden *w, struct nk_fault *f)
{
    w->setup = warden_setup_load(w, NULL, f);
    if (!w->setup)
        return f->code;
    nk_log_open("warden", -1, nk_log_level_parse(w->setup->config.log_level));
    w->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    w->state_dir = open(w->setup->config.audit.p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    w->stats_fd = nk_stats_create();
    w->pairs = calloc(w->workers, sizeof *w->pairs);
    if (w->null_fd < 0 || w->state_dir < 0 || w->stats_fd < 0 || !w->pairs ||
        nk_stats_open(&w->stats, w->stats_fd, nk_stats_page(NK_ROLE_WARDEN, 0)))
        return nk_fault_set(f, NK_EIO, "start", 0, "cannot open what the roles need: %s",
                            strerror(errno));
    warden_child_init(&w->scribe, w, NK_ROLE_SCRIBE, 0);
    for (uint32_t i = 0; i < w->workers; i++) {
        warden_child_init(&w->pairs[i].gate, w, NK_ROLE_GATE, i);
        warden_child_init(&w->pairs[i].courier, w, NK_ROLE_COURIER, i);
    }
    if (warden_ring_begin(w))
        return nk_fault_set(f, NK_ENOMEM, "start", 0, "cannot make the rings: %s", strerror(errno));
    nk_stats_set(&w->stats, NK_STAT_STARTED, (uint64_t)nk_loop_unix_ms(w->loop) / 1000);
    nk_stats_set(&w->stats, NK_STAT_GENERATION, w->setup->generation);
    return warden_client_begin(w, f);
}

static void close_all(struct warden *w)
{
    int fds[] = {w->null_fd, w->state_dir, w->stats_fd, w->signals.fd};
    warden_client_end(w);
    warden_ring_end(w);
    warden_setup_free(w->next, w->setup);
    warden_setup_free(w->setup, NULL);
    nk_stats_close(&w->stats);
    for (size_t i = 0; i < NK_COUNT(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    nk_loop_free(w->loop);
    free(w->pairs);
    free(w);
}

int nk_warden_run(const char *config_file, const struct nk_warden_options *options)
{
    struct nk_fault fault = {0};
    sigset_t before;
    struct warden *w = calloc(1, sizeof *w);
    if (!w)
        return 1;
    nk_log_open("warden", -1, NK_LOG_INFO);
    protect();
    w->config_file = config_file;
    w->options = *options;
    w->options.grace_ms = options->grace_ms ? options->grace_ms : GRACE_MS;
    w->options.settle_ms = options->settle_ms ? options->settle_ms : SETTLE_MS;
    w->null_fd = w->state_dir = w->stats_fd = w->signals.fd = w->client_listener.fd = -1;
    w->vote.fire = warden_reload_timeout;
    w->ping.fire = fire_ping;
    w->patience.fire = fire_patience;
    w->loop = nk_loop_new(NULL);
    int rc = w->loop ? open_all(w, &fault) : NK_ENOMEM;
    if (!rc)
        rc = watch_signals(w, &before);
    int status = 1;
    if (rc) {
        nk_log(NK_LOG_ERROR, "start.failed", "%s", fault.code ? fault.message : strerror(errno));
    } else {
        warden_child_start(&w->scribe);
        fire_ping(&w->ping);
        status = nk_loop_run(w->loop);
        nk_log(NK_LOG_INFO, "stopped", "nakoso has stopped");
        sigprocmask(SIG_SETMASK, &before, NULL);
    }
    close_all(w);
    return status;
}
