/* SPDX-License-Identifier: Apache-2.0
 *
 * warden_probe.c - runs another binary beside the warden and waits for its word without waiting: it
 * may hang, chatter or die, and the roles are watched meanwhile. What is run is the open file, so it
 * is the one that exec will take later, whatever happens to its name.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "role/warden_own.h"

enum { WORDS_MAX = 8, STATE_FD = 3 };

void warden_probe_end(struct warden *w)
{
    struct warden_probe *p = &w->upgrade.probe;
    struct nk_watch *watches[] = {&p->pid_watch, &p->out};
    if (!p->warden)
        return;
    p->warden = NULL;
    if (p->pid > 0) {
        kill(p->pid, SIGKILL);
        waitpid(p->pid, NULL, 0);
        p->pid = 0;
    }
    for (size_t i = 0; i < NK_COUNT(watches); i++) {
        int rc = watches[i]->events ? nk_loop_watch(w->loop, watches[i], 0) : 0;
        (void)rc; /* taking out does not fail */
        if (watches[i]->fd >= 0)
            close(watches[i]->fd);
        watches[i]->fd = -1;
    }
    nk_loop_disarm(w->loop, &p->timer);
}

static void over(struct warden_probe *p, bool good)
{
    struct warden *w = p->warden;
    warden_probe_end(w);
    p->said[p->size] = 0;
    p->done(w, good, p->said);
}

/* What is too much is thrown away: the first words say enough. */
static void listen_to(struct warden_probe *p)
{
    char rest[1024];
    for (;;) {
        size_t room = sizeof p->said - 1 - p->size;
        ssize_t n =
            room ? read(p->out.fd, p->said + p->size, room) : read(p->out.fd, rest, sizeof rest);
        if (n <= 0)
            return;
        p->size += room ? (size_t)n : 0;
    }
}

static void said(struct nk_watch *watch, uint32_t events)
{
    struct warden_probe *p = NK_OF(watch, struct warden_probe, out);
    listen_to(p);
    if (events & (EPOLLHUP | EPOLLERR)) { /* or its end would be told again and again */
        int rc = nk_loop_watch(p->warden->loop, watch, 0);
        (void)rc;
    }
}

static void ended(struct nk_watch *watch, uint32_t events)
{
    struct warden_probe *p = NK_OF(watch, struct warden_probe, pid_watch);
    siginfo_t info = {0};
    (void)events;
    if (waitid(P_PIDFD, (id_t)watch->fd, &info, WEXITED | WNOHANG) || info.si_pid == 0)
        return;
    p->pid = 0;
    listen_to(p);
    if (info.si_code != CLD_EXITED)
        p->size =
            (size_t)snprintf(p->said, sizeof p->said, "it ended with signal %d", info.si_status);
    over(p, info.si_code == CLD_EXITED && info.si_status == 0);
}

static void late(struct nk_timer *t)
{
    struct warden_probe *p = NK_OF(t, struct warden_probe, timer);
    p->size = (size_t)snprintf(p->said, sizeof p->said, "it does not end");
    over(p, false);
}

static _Noreturn void become(struct warden *w, char *const *argv, int out, int state)
{
    sigset_t none;
    sigemptyset(&none);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int binary = fcntl(w->upgrade.binary, F_DUPFD_CLOEXEC, STATE_FD + 1);
    if (binary < 0 || dup2(w->null_fd, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
        _exit(126);
    if (state >= 0 && state != STATE_FD && dup2(state, STATE_FD) < 0)
        _exit(126);
    if (state == STATE_FD)
        fcntl(state, F_SETFD, 0);
    fexecve(binary, argv, environ);
    dprintf(1, "it cannot be run: %s", strerror(errno));
    _exit(126);
}

int warden_probe_start(struct warden *w, const char *const *words, int state,
                       void (*done)(struct warden *w, bool good, const char *said))
{
    struct warden_probe *p = &w->upgrade.probe;
    char *argv[WORDS_MAX + 2] = {(char *)"nakoso"};
    int ends[2];
    for (size_t i = 0; i < WORDS_MAX && words[i]; i++)
        argv[i + 1] = (char *)(uintptr_t)words[i];
    if (pipe2(ends, O_CLOEXEC))
        return NK_EIO;
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    *p = (struct warden_probe){.warden = w,
                               .done = done,
                               .pid_watch = {.fd = -1, .ready = ended},
                               .out = {.fd = ends[0], .ready = said},
                               .timer = {.fire = late}};
    p->pid = fork();
    if (p->pid == 0)
        become(w, argv, ends[1], state);
    close(ends[1]);
    p->pid_watch.fd = p->pid > 0 ? pidfd_open(p->pid, 0) : -1;
    if (p->pid_watch.fd >= 0 && nk_loop_watch(w->loop, &p->pid_watch, EPOLLIN) == 0 &&
        nk_loop_watch(w->loop, &p->out, EPOLLIN) == 0 &&
        nk_loop_arm(w->loop, &p->timer, w->options.patience_ms * 1000) == 0)
        return 0;
    warden_probe_end(w);
    return NK_EIO;
}
