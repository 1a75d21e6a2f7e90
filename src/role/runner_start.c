/* SPDX-License-Identifier: Apache-2.0
 *
 * runner_start.c - starts MCP servers, each within its walls, and says when they have ended. This half of the runner knows
 * the secrets of their environments and may run programs; it never sees a byte of what they or clients say.
 *
 * A server leads a group of processes that none of them can leave (server.def), so signals to the group reach all. It gets
 * three pipes and nothing else that is open, and dies with this process.
 */
#include "role/runner_start.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "config/config.h"
#include "edge/log.h"
#include "edge/loop.h"
#include "role/confine.h"

enum {
    ARENA_MAX = 64 << 20,
    ENVIRONMENT_MAX = 1 << 20,
    PATHS_MAX = 160,
    FILES_MAX = 1024,
    STATUS_FD = 3
};

struct setup {
    uint32_t generation;
    struct nk_arena arena;
    struct nk_bundle bundle;
    struct nk_config config;
};

struct process {
    struct nk_watch pid_watch;
    struct nk_later later;
    struct starter *starter;
    struct process *next;
    uint32_t instance;
    pid_t pid;
};

struct starter {
    struct nk_loop *loop;
    struct nk_watch control;
    struct setup *current, *prepared;
    struct process *processes;
};

/* What a program that was not started yet could not do. */
struct failure {
    int code;
    char text[200];
};

struct pipes {
    int in[2], out[2], err[2], status[2];
};

static void setup_free(struct setup *s)
{
    if (!s)
        return;
    nk_bundle_unmap(&s->bundle);
    nk_arena_free(&s->arena);
    free(s);
}

/* `bundle` (moved) or the descriptor `fd`. */
static struct setup *setup_new(uint32_t generation, struct nk_bundle *bundle, int fd,
                               struct nk_fault *f)
{
    struct setup *s = calloc(1, sizeof *s);
    if (!s) {
        (void)nk_fault_set(f, NK_ENOMEM, "runner", 0, "out of memory");
        return NULL;
    }
    s->generation = generation;
    nk_arena_init(&s->arena, ARENA_MAX);
    int rc = bundle ? 0 : nk_bundle_open(fd, &s->arena, &s->bundle, f);
    if (bundle)
        s->bundle = *bundle;
    if (!rc)
        rc = nk_config_parse(nk_bundle_get(&s->bundle, NK_STR("config")), &s->arena, &s->config, f);
    if (!rc)
        return s;
    if (!bundle)
        setup_free(s);
    return NULL;
}

/* In the new process
 * ------------------------------------------------------------------------------- */

static _Noreturn void fail(int code, const char *text)
{
    struct failure why = {.code = code};
    snprintf(why.text, sizeof why.text, "%s", text);
    (void)!write(STATUS_FD, &why, sizeof why);
    _exit(1);
}

static _Noreturn void fail_with(const char *what, const char *name)
{
    char text[200];
    snprintf(text, sizeof text, "%s%s: %s", what, name, strerror(errno));
    fail(NK_EIO, text);
}

/* "NAME=value" with a NUL behind it, in memory that lives until exec. */
static char *variable(struct nk_arena *a, struct nk_str name, struct nk_str value)
{
    struct nk_str parts[] = {name, NK_STR("="), value};
    struct nk_str text = nk_arena_join(a, parts, NK_COUNT(parts));
    text = text.p ? nk_arena_copy(a, text) : text;
    if (!text.p)
        fail(NK_ENOMEM, "out of memory");
    return (char *)(uintptr_t)text.p;
}

static char **environment_of(const struct setup *s, size_t i, struct nk_arena *a)
{
    static const char *const given[][2] = {
        {"PATH", "/usr/local/bin:/usr/bin:/bin"}, {"HOME", "/nonexistent"}, {"LANG", "C.UTF-8"}};
    const struct nk_config_process *p = &s->config.upstreams[i].process;
    char **env = nk_arena_array(a, NK_COUNT(given) + p->environment_count + 1, sizeof *env);
    size_t n = 0;
    if (!env)
        fail(NK_ENOMEM, "out of memory");
    for (size_t j = 0; j < p->environment_count; j++) {
        struct nk_str value = p->environment[j].value;
        char name[48];
        snprintf(name, sizeof name, "variable/%zu/%zu", i, j);
        if (!value.p)
            value = nk_bundle_get(&s->bundle, nk_str(name));
        env[n++] = variable(a, p->environment[j].name, value);
    }
    for (size_t k = 0; k < NK_COUNT(given); k++) {
        bool named = false;
        for (size_t j = 0; j < p->environment_count; j++)
            named = named || nk_str_eq(p->environment[j].name, nk_str(given[k][0]));
        if (!named)
            env[n++] = variable(a, nk_str(given[k][0]), nk_str(given[k][1]));
    }
    return env;
}

/* The configuration's texts have no NUL behind them. */
static const char *name_of(struct nk_str text, struct nk_arena *a)
{
    struct nk_str name = nk_arena_copy(a, text);
    if (!name.p)
        fail(NK_ENOMEM, "out of memory");
    return name.p;
}

static char **arguments_of(const struct nk_config_upstream *u, struct nk_arena *a)
{
    char **argv = nk_arena_array(a, u->command_count + 1, sizeof *argv);
    if (!argv)
        fail(NK_ENOMEM, "out of memory");
    for (size_t i = 0; i < u->command_count; i++)
        argv[i] = (char *)(uintptr_t)name_of(u->command[i].text, a);
    return argv;
}

static void confine(const struct nk_config_upstream *u, const char *program, struct nk_arena *a)
{
    const struct nk_config_process *p = &u->process;
    struct nk_confine_path paths[PATHS_MAX];
    struct nk_fault f = {0};
    size_t n = 0;
    paths[n++] = (struct nk_confine_path){.path = program, .run = true};
    for (size_t i = 0; i < p->read_count && n < PATHS_MAX; i++)
        paths[n++] = (struct nk_confine_path){.path = name_of(p->read[i].text, a), .run = true};
    for (size_t i = 0; i < p->write_count && n < PATHS_MAX; i++)
        paths[n++] = (struct nk_confine_path){
            .path = name_of(p->write[i].text, a), .write = true, .link = true};
    if (nk_confine_server(paths, n, p->network, &f))
        fail(f.code, f.message);
}

static void limit(int resource, rlim_t value)
{
    struct rlimit have, want = {value, value};
    if (getrlimit((__rlimit_resource_t)resource, &have))
        fail_with("limits", "");
    if (have.rlim_max < want.rlim_max)
        want.rlim_cur = want.rlim_max = have.rlim_max;
    if (setrlimit((__rlimit_resource_t)resource, &want))
        fail_with("limits", "");
}

static void plain_signals(void)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR2, SIGPIPE};
    for (size_t i = 0; i < NK_COUNT(ignored); i++)
        signal(ignored[i], SIG_DFL);
}

static void take_pipes(const struct pipes *p)
{
    int status = p->status[1];
    if (dup2(p->in[0], 0) < 0 || dup2(p->out[1], 1) < 0 || dup2(p->err[1], 2) < 0 ||
        (status != STATUS_FD && dup3(status, STATUS_FD, O_CLOEXEC) < 0) ||
        close_range(STATUS_FD + 1, ~0U, 0))
        _exit(1);
}

static _Noreturn void become_server(const struct setup *s, size_t i, const struct pipes *p,
                                    pid_t starter)
{
    const struct nk_config_upstream *u = &s->config.upstreams[i];
    struct nk_arena a;
    take_pipes(p);
    nk_arena_init(&a, ENVIRONMENT_MAX + ARENA_MAX);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != starter)
        _exit(1);
    plain_signals();
    setsid();
    char **argv = arguments_of(u, &a), **env = environment_of(s, i, &a);
    const char *directory = u->process.directory.p ? name_of(u->process.directory, &a) : "/";
    if (chdir(directory))
        fail_with("directory ", directory);
    confine(u, argv[0], &a);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_NOFILE, FILES_MAX);
    limit(RLIMIT_NPROC, (rlim_t)u->process.processes);
    limit(RLIMIT_DATA, (rlim_t)u->process.memory);
    execve(argv[0], argv, env);
    fail_with(argv[0], "");
}

/* In the starter
 * ----------------------------------------------------------------------------------- */

static void pipes_close(struct pipes *p)
{
    int *all[] = {p->in, p->out, p->err, p->status};
    for (size_t i = 0; i < NK_COUNT(all); i++)
        for (size_t k = 0; k < 2; k++)
            if (all[i][k] >= 0)
                close(all[i][k]);
}

static int pipes_open(struct pipes *p)
{
    int *all[] = {p->in, p->out, p->err, p->status};
    memset(p, 0xFF, sizeof *p);
    for (size_t i = 0; i < NK_COUNT(all); i++)
        if (pipe2(all[i], O_CLOEXEC)) {
            all[i][0] = all[i][1] = -1;
            return NK_EIO;
        }
    return fcntl(p->in[1], F_SETFL, O_NONBLOCK) || fcntl(p->out[0], F_SETFL, O_NONBLOCK) ||
                   fcntl(p->err[0], F_SETFL, O_NONBLOCK)
               ? NK_EIO
               : 0;
}

static void run_free(struct nk_later *l)
{
    free(NK_OF(l, struct process, later));
}

static void forget(struct process *p)
{
    struct process **at = &p->starter->processes;
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    (void)!nk_loop_watch(p->starter->loop, &p->pid_watch, 0);
    close(p->pid_watch.fd);
    p->later.run = run_free;
    nk_loop_later(p->starter->loop, &p->later);
}

/* The leader has ended; what it left behind goes with it, while its number still names the group. */
static void ended(struct nk_watch *watch, uint32_t events)
{
    struct process *p = NK_OF(watch, struct process, pid_watch);
    siginfo_t info = {0};
    struct nk_control m;
    (void)events;
    (void)kill(-p->pid, SIGKILL);
    if (waitid(P_PIDFD, (id_t)watch->fd, &info, WEXITED | WNOHANG) || info.si_pid == 0)
        return;
    nk_control_init(&m, NK_CONTROL_GONE);
    m.instance = p->instance;
    m.code = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
    if (nk_control_send(p->starter->control.fd, &m))
        nk_loop_stop(p->starter->loop, 1); /* the other half would wait for it for ever */
    forget(p);
}

static int watch_process(struct starter *s, pid_t pid, uint32_t instance)
{
    struct process *p = calloc(1, sizeof *p);
    if (!p)
        return NK_ENOMEM;
    *p = (struct process){.starter = s, .instance = instance, .pid = pid, .next = s->processes};
    p->pid_watch = (struct nk_watch){.fd = pidfd_open(pid, 0), .ready = ended};
    if (p->pid_watch.fd < 0 || nk_loop_watch(s->loop, &p->pid_watch, EPOLLIN)) {
        if (p->pid_watch.fd >= 0)
            close(p->pid_watch.fd);
        free(p);
        return NK_EIO;
    }
    s->processes = p;
    return 0;
}

/* Waits until the program runs, or has said why not: some milliseconds. */
static int spawn(struct starter *s, const struct nk_control *order, struct pipes *p,
                 struct failure *why)
{
    pid_t self = getpid(), pid = fork();
    if (pid == 0)
        become_server(s->current, order->slot, p, self);
    close(p->status[1]);
    p->status[1] = -1;
    ssize_t n = pid < 0 ? -1 : read(p->status[0], why, sizeof *why);
    int rc = n ? NK_EIO : watch_process(s, pid, order->instance);
    if (n < 0 || (rc && !n))
        snprintf(why->text, sizeof why->text, "cannot be started: %s", strerror(errno));
    why->text[sizeof why->text - 1] = 0;
    if (rc && pid > 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    return rc;
}

static void run(struct starter *s, const struct nk_control *order)
{
    struct failure why = {0};
    struct nk_control m;
    struct pipes p;
    nk_control_init(&m, NK_CONTROL_RUN);
    m.instance = order->instance;
    bool known = order->slot < s->current->config.upstream_count &&
                 nk_config_is_started(&s->current->config.upstreams[order->slot]);
    m.code = known ? pipes_open(&p) : NK_ENOTFOUND;
    if (!m.code)
        m.code = spawn(s, order, &p, &why);
    else
        snprintf(why.text, sizeof why.text, "cannot be started: %s",
                 known ? strerror(errno) : "unknown");
    if (m.code) {
        snprintf(m.text, sizeof m.text, "%s", why.text);
    } else {
        m.listeners[0] = p.in[1];
        m.listeners[1] = p.out[0];
        m.listeners[2] = p.err[0];
        m.listener_count = 3;
    }
    if (nk_control_send(s->control.fd, &m))
        nk_loop_stop(s->loop, 1);
    if (known)
        pipes_close(&p);
}

static void stop(struct starter *s, const struct nk_control *order)
{
    for (struct process *p = s->processes; p; p = p->next)
        if (p->instance == order->instance)
            (void)kill(-p->pid, order->grace_ms ? SIGTERM : SIGKILL);
}

static void prepare(struct starter *s, struct nk_control *order)
{
    struct nk_fault f = {0};
    struct nk_control m;
    setup_free(s->prepared);
    s->prepared = setup_new(order->generation, NULL, order->bundle, &f);
    nk_control_init(&m, NK_CONTROL_PREPARED);
    m.generation = order->generation;
    m.code = f.code;
    snprintf(m.text, sizeof m.text, "%s", f.message);
    if (nk_control_send(s->control.fd, &m))
        nk_loop_stop(s->loop, 1);
}

static void commit(struct starter *s, uint32_t generation)
{
    if (!s->prepared || s->prepared->generation != generation)
        return;
    setup_free(s->current);
    s->current = s->prepared;
    s->prepared = NULL;
}

static void heard(struct nk_watch *w, uint32_t events)
{
    struct starter *s = NK_OF(w, struct starter, control);
    struct nk_control m;
    int rc;
    (void)events;
    while ((rc = nk_control_recv(w->fd, &m)) == 0) {
        if (m.kind == NK_CONTROL_RUN) {
            run(s, &m);
        } else if (m.kind == NK_CONTROL_STOP) {
            stop(s, &m);
        } else if (m.kind == NK_CONTROL_PREPARE) {
            prepare(s, &m);
        } else if (m.kind == NK_CONTROL_COMMIT) {
            commit(s, m.generation);
        } else if (m.kind == NK_CONTROL_ABANDON) {
            setup_free(s->prepared);
            s->prepared = NULL;
        }
        nk_control_close(&m);
    }
    if (rc != NK_EAGAIN)
        nk_loop_stop(s->loop, 0);
}

int runner_starter(struct nk_role_start *start, int control)
{
    struct starter s = {.control = {.fd = control, .ready = heard}};
    struct nk_fault f = {0};
    int status = 1;
    prctl(PR_SET_NAME, "runner-start", 0, 0, 0);
    s.loop = nk_loop_new(NULL);
    s.current = setup_new(start->generation, &start->bundle, -1, &f);
    if (s.loop && s.current && !nk_confine_no_capabilities(&f) &&
        !nk_loop_watch(s.loop, &s.control, EPOLLIN))
        status = nk_loop_run(s.loop);
    for (struct process *p = s.processes; p; p = p->next)
        (void)kill(-p->pid, SIGKILL);
    return status;
}
