/* SPDX-License-Identifier: Apache-2.0
 *
 * enter.c - the first moments of an exec'd role: it has descriptor 3 and its name, nothing else, and
 * gets the rest from there. And the few things that a role says to the warden.
 */
#include "role/role.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/build.h"
#include "edge/log.h"
#include "role/confine.h"

enum {
    ARENA_MAX = 16 << 20,
    EXIT_BROKEN = 70,
    TURN_NS = 100000, /* the shortest that Linux knows */
};

static const struct {
    const char *name, *promise, *worst;
} roles_table[NK_ROLE_COUNT] = {
    [NK_ROLE_WARDEN] = {"warden", "", "bind, start itself again in a role, read configuration"},
#define NK_ROLE(id, role_name, words, may) [NK_ROLE_##id] = {role_name, words, may},
#include "role/roles.def"
#undef NK_ROLE
};

const char *nk_role_name(enum nk_role role)
{
    return roles_table[role].name;
}

const char *nk_role_promise(enum nk_role role)
{
    return roles_table[role].promise;
}

const char *nk_role_worst(enum nk_role role)
{
    return roles_table[role].worst;
}

int nk_role_confine(const struct nk_role_start *s, struct nk_fault *f)
{
    struct nk_confine_path state = {.fd = s->state_dir, .write = true};
    return nk_confine(roles_table[s->role].promise, &state, s->state_dir >= 0, f);
}

struct nk_ring *nk_role_ring_open(const struct nk_role_ring *ring, bool producer)
{
    struct nk_ring *r = ring->memfd < 0 ? NULL : nk_ring_open(ring->memfd, ring->eventfd, producer);
    if (r)
        nk_ring_set_back(r, ring->backfd);
    return r;
}

void nk_role_ring_close(struct nk_role_ring *ring)
{
    if (ring->memfd >= 0)
        close(ring->memfd);
    if (ring->eventfd >= 0)
        close(ring->eventfd);
    if (ring->backfd >= 0)
        close(ring->backfd);
    *ring = (struct nk_role_ring){-1, -1, -1};
}

static int say(const struct nk_role_start *s, struct nk_control *m, const struct nk_fault *why_not)
{
    if (why_not && why_not->code) {
        m->code = why_not->code;
        snprintf(m->text, sizeof m->text, "%s", why_not->message);
    }
    return nk_control_send(s->control, m);
}

int nk_role_ready(const struct nk_role_start *s, const struct nk_fault *why_not)
{
    struct nk_control m;
    nk_control_init(&m, NK_CONTROL_READY);
    return say(s, &m, why_not);
}

int nk_role_prepared(const struct nk_role_start *s, uint32_t generation,
                     const struct nk_fault *why_not)
{
    struct nk_control m;
    nk_control_init(&m, NK_CONTROL_PREPARED);
    m.generation = generation;
    return say(s, &m, why_not);
}

int nk_role_drained(const struct nk_role_start *s, uint32_t instance)
{
    struct nk_control m;
    nk_control_init(&m, NK_CONTROL_DRAINED);
    m.instance = instance;
    return nk_control_send(s->control, &m);
}

static int next_message(int fd, struct nk_control *m)
{
    for (;;) {
        int rc = nk_control_recv(fd, m);
        if (rc != NK_EAGAIN)
            return rc;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        poll(&p, 1, -1);
    }
}

static int take_start(struct nk_role_start *s, struct nk_control *m)
{
    s->slot = m->slot;
    s->instance = m->instance;
    s->generation = m->generation;
    memcpy(s->seed, m->seed, sizeof s->seed);
    s->tickets = m->tickets;
    nk_secret_wipe(&m->tickets, sizeof m->tickets);
    memcpy(s->listeners, m->listeners, sizeof s->listeners);
    s->listener_count = m->listener_count;
    s->admin = m->admin;
    s->calls = m->calls;
    s->answers = m->answers;
    s->audit = m->audit;
    s->stats = m->stats;
    s->page = m->page;
    s->state_dir = m->state_dir;
    s->mail = m->mail;
    s->mail_count = m->mail_count;
    s->used = m->used;
    s->audit_count = m->audit_count;
    s->audits = nk_arena_array(&s->arena, m->audit_count + 1, sizeof *s->audits);
    return s->audits ? 0 : NK_ENOMEM;
}

static int receive_start(struct nk_role_start *s, struct nk_fault *f)
{
    struct nk_control m;
    int rc = next_message(s->control, &m);
    if (rc || m.kind != NK_CONTROL_START || m.role != s->role)
        return nk_fault_set(f, rc ? rc : NK_EINVAL, "start", 0, "the warden did not send START");
    nk_log_open(nk_role_name(s->role), s->role == NK_ROLE_SCRIBE ? -1 : (int)m.slot,
                (enum nk_log_level)m.log_level);
    rc = take_start(s, &m);
    int bundle = m.bundle;
    for (uint32_t i = 0; i < s->audit_count && !rc; i++) {
        rc = next_message(s->control, &m);
        if (!rc && m.kind != NK_CONTROL_AUDIT)
            rc = NK_EINVAL;
        if (!rc)
            s->audits[i] = (struct nk_role_audit){m.slot, m.instance, m.ended, m.audit};
    }
    for (uint32_t i = 0; i < s->mail_count && !rc; i++) {
        rc = next_message(s->control, &m);
        if (!rc && (m.kind != NK_CONTROL_MAIL || m.slot != i))
            rc = NK_EINVAL;
        s->mails[i] = rc ? -1 : m.mail;
    }
    if (rc)
        return nk_fault_set(f, rc, "start", 0, "the warden's START is not whole");
    rc = nk_bundle_open(bundle, &s->arena, &s->bundle, f);
    close(bundle);
    return rc;
}

static void quiet_signals(void)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR2, SIGPIPE};
    sigset_t none;
    sigemptyset(&none);
    for (size_t i = 0; i < NK_COUNT(ignored); i++)
        signal(ignored[i], SIG_IGN);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

void nk_role_take_short_turns(void)
{
    struct sched_attr a = {.size = sizeof a}; /* the nice value stays what the service was given */
    if (syscall(SYS_sched_getattr, 0, &a, sizeof a, 0) || a.sched_policy != SCHED_NORMAL)
        return;
    a.sched_runtime = TURN_NS;
    (void)syscall(SYS_sched_setattr, 0, &a, 0);
}

int nk_role_enter(const char *name, const struct nk_role_entry *roles, size_t count)
{
    const struct nk_role_entry *entry = NULL;
    for (size_t i = 0; i < count; i++)
        if (strcmp(roles[i].name, name) == 0)
            entry = &roles[i];
    if (!entry || fcntl(NK_ROLE_CONTROL_FD, F_SETFD, FD_CLOEXEC) < 0) {
        fprintf(stderr, "nakoso: roles are started by the warden: use `nakoso run`\n");
        return 2;
    }
    quiet_signals();
    prctl(PR_SET_NAME, entry->name, 0, 0, 0);
    struct nk_role_start start = {.role = entry->role, .control = NK_ROLE_CONTROL_FD, .admin = -1};
    struct nk_fault fault = {0};
    nk_arena_init(&start.arena, ARENA_MAX);
    nk_log_open(entry->name, -1, NK_LOG_INFO);
    if (receive_start(&start, &fault)) {
        nk_log(NK_LOG_ERROR, "role.start", "%s", fault.message);
        int rc = nk_role_ready(&start, &fault);
        return rc ? EXIT_BROKEN : 1;
    }
    int status = entry->run(&start);
    nk_bundle_unmap(&start.bundle);
    nk_arena_free(&start.arena);
    /* The leak checker, which runs behind main, would need what the role has promised away. */
    if (nk_build_has_sanitizer())
        _exit(status);
    return status;
}
