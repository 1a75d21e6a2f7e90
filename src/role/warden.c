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
#include "role/confine.h"
#include "role/warden_own.h"

enum { SETTLE_MS = 2000, PATIENCE_MS = 20000 };

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

int64_t warden_grace(const struct warden *w)
{
    return w->options.grace_ms ? w->options.grace_ms : w->setup->config.grace;
}

static void drain_all(struct warden *w, enum nk_role role, int64_t grace_ms)
{
    struct warden_child *c;
    for (size_t i = 0; (c = warden_child_at(w, i)); i++)
        if (c->role == role)
            warden_child_drain(c, grace_ms);
    if (nk_loop_arm(w->loop, &w->patience, (grace_ms + WARDEN_KILL_AFTER_MS) * 1000))
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
        if (w->phase != WARDEN_STOP_SCRIBE) /* asked twice: do not wait for clients */
            drain_all(w, phase_role(w), 0);
        return;
    }
    warden_upgrade_end(w);
    warden_reload_end(w);
    nk_notify("STOPPING=1");
    nk_log(NK_LOG_INFO, "stop", "stopping: requests in flight have %lld ms",
           (long long)warden_grace(w));
    w->phase = WARDEN_STOP_GATES;
    warden_setup_deaf(w->setup); /* who comes now is refused at once, and goes elsewhere */
    warden_client_answer(w, WARDEN_WAITS_RELOAD, "error: nakoso stops\n");
    warden_client_answer(w, WARDEN_WAITS_UPGRADE, "error: nakoso stops\n");
    drain_all(w, NK_ROLE_GATE, warden_grace(w));
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
    else if (w->phase == WARDEN_RUN)
        warden_upgrade_progress(w);
    else
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
        else if (info.ssi_signo == SIGUSR2)
            warden_upgrade(w, NULL);
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

/* What is pending stays so across an upgrade: the mask outlives exec. */
static int watch_signals(struct warden *w)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR2);
    if (sigprocmask(SIG_BLOCK, &set, NULL))
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
    struct nk_fault f = {0};
    bool good = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && setrlimit(RLIMIT_CORE, &none) == 0 &&
                prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && getrlimit(RLIMIT_NOFILE, &files) == 0;
    if (good) {
        files.rlim_cur = files.rlim_max;
        good = setrlimit(RLIMIT_NOFILE, &files) == 0;
    }
    if (!good)
        nk_log(NK_LOG_WARNING, "warden.limits", "%s", strerror(errno));
    if (nk_confine_root(&f))
        nk_log(NK_LOG_WARNING, "warden.limits", "%s", f.message);
    if (geteuid() == 0)
        nk_log(NK_LOG_WARNING, "warden.root", "started as root: a user of its own would do");
}

int warden_pairs_begin(struct warden *w)
{
    int rc = 0;
    w->pairs = calloc(w->workers, sizeof *w->pairs);
    for (uint32_t i = 0; i < w->workers && w->pairs; i++) {
        warden_child_init(&w->pairs[i].gate, w, NK_ROLE_GATE, i);
        warden_child_init(&w->pairs[i].courier, w, NK_ROLE_COURIER, i);
        w->pairs[i].calls = w->pairs[i].answers = (struct nk_role_ring){-1, -1, -1};
    }
    for (uint32_t i = 0; i < w->workers && w->pairs && !rc; i++)
        rc = warden_ring_begin(&w->pairs[i]);
    return w->pairs ? rc : NK_ENOMEM;
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
    if (w->null_fd < 0 || w->state_dir < 0 || w->stats_fd < 0 ||
        nk_stats_open(&w->stats, w->stats_fd, nk_stats_page(NK_ROLE_WARDEN, 0, 0)))
        return nk_fault_set(f, NK_EIO, "start", 0, "cannot open what the roles need: %s",
                            strerror(errno));
    if (warden_ticket_begin(w))
        return nk_fault_set(f, NK_EIO, "start", 0, "no random bytes: %s", strerror(errno));
    if (warden_pairs_begin(w) || warden_mail_begin(w))
        return nk_fault_set(f, NK_ENOMEM, "start", 0, "cannot make the rings: %s", strerror(errno));
    w->upgrade.started = nk_loop_unix_ms(w->loop) / 1000;
    nk_stats_set(&w->stats, NK_STAT_STARTED, (uint64_t)w->upgrade.started);
    nk_stats_set(&w->stats, NK_STAT_GENERATION, w->setup->generation);
    return warden_client_begin(w, f);
}

static void close_all(struct warden *w)
{
    int fds[] = {w->null_fd, w->state_dir, w->stats_fd, w->signals.fd, w->upgrade.binary};
    warden_client_end(w);
    warden_ticket_end(w);
    warden_ring_end(w);
    warden_mail_end(w);
    warden_reload_end(w);
    warden_setup_free(w->upgrade.setup, w->setup);
    warden_setup_free(w->setup, NULL);
    nk_stats_close(&w->stats);
    for (size_t i = 0; i < NK_COUNT(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    nk_loop_free(w->loop);
    free(w->pairs);
    free(w->outgoing);
    free(w);
}

static struct warden *warden_new(const char *config_file)
{
    struct warden *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    nk_log_open("warden", -1, NK_LOG_INFO);
    protect();
    w->config_file = config_file;
    w->null_fd = w->state_dir = w->stats_fd = w->signals.fd = w->upgrade.binary = -1;
    w->vote.fire = warden_reload_timeout;
    w->ping.fire = fire_ping;
    w->patience.fire = fire_patience;
    warden_client_init(w);
    warden_upgrade_init(w);
    warden_child_init(&w->scribe, w, NK_ROLE_SCRIBE, 0);
    w->loop = nk_loop_new(NULL);
    return w;
}

static int run(struct warden *w)
{
    fire_ping(&w->ping);
    int status = nk_loop_run(w->loop);
    nk_log(NK_LOG_INFO, "stopped", "nakoso has stopped");
    return status;
}

static void log_failure(const struct nk_fault *f)
{
    nk_log(NK_LOG_ERROR, "start.failed", "%s", f->code ? f->message : strerror(errno));
}

int nk_warden_run(const char *config_file, const struct nk_warden_options *options)
{
    struct nk_fault fault = {0};
    struct warden *w = warden_new(config_file);
    sigset_t before;
    if (!w)
        return 1;
    sigprocmask(SIG_BLOCK, NULL, &before);
    w->options = *options;
    w->options.settle_ms = options->settle_ms ? options->settle_ms : SETTLE_MS;
    w->options.patience_ms = options->patience_ms ? options->patience_ms : PATIENCE_MS;
    int rc = w->loop ? open_all(w, &fault) : NK_ENOMEM;
    if (!rc)
        rc = watch_signals(w);
    int status = 1;
    if (rc) {
        log_failure(&fault);
    } else {
        warden_child_start(&w->scribe);
        status = run(w);
        sigprocmask(SIG_SETMASK, &before, NULL);
    }
    close_all(w);
    return status;
}

/* Roles of a warden that cannot go on end by themselves, as their channels end. */
int nk_warden_adopt(const char *config_file, int state)
{
    struct nk_fault fault = {0};
    struct warden *w = warden_new(config_file);
    if (!w)
        return 1;
    int rc = w->loop ? warden_state_read(w, state, &fault) : NK_ENOMEM;
    close(state);
    if (!rc)
        rc = warden_adopt(w, &fault);
    if (!rc)
        rc = watch_signals(w);
    int status = 1;
    if (rc) {
        log_failure(&fault);
    } else {
        warden_upgrade_begin(w);
        status = run(w);
    }
    close_all(w);
    return status;
}
