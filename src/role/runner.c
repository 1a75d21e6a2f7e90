/* SPDX-License-Identifier: Apache-2.0
 *
 * runner.c - MCP servers that speak on their standard input and output become an upstream like any other. To couriers the
 * runner is a server of Streamable HTTP at a Unix socket; behind it each session is a process.
 *
 * It is two processes. This one reads what couriers and servers say, and is confined like a gate: it opens no file, makes
 * no connection and starts nothing. Before it reads anything it has made the other one (runner_start.c), which
 * starts programs and reads only its orders. When either ends, so does the other, and the warden starts both
 * anew; sessions are then unknown (404), and clients begin new ones.
 */
#include "role/runner.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "edge/log.h"
#include "role/confine.h"
#include "role/runner_start.h"

enum { CONFIG_MAX = 64 << 20, SCRATCH_MAX = 512 << 20 };

/* The configuration
 * -------------------------------------------------------------------------------- */

static void config_free(struct runner_config *g)
{
    if (!g)
        return;
    nk_arena_free(&g->arena);
    free(g);
}

/* Of a bundle its configuration alone is kept; secrets are the other half's. */
static struct runner_config *config_new(uint32_t generation, const struct nk_bundle *b,
                                        struct nk_fault *f)
{
    struct runner_config *g = calloc(1, sizeof *g);
    if (!g) {
        (void)nk_fault_set(f, NK_ENOMEM, "runner", 0, "out of memory");
        return NULL;
    }
    g->generation = generation;
    nk_arena_init(&g->arena, CONFIG_MAX);
    struct nk_str json = nk_arena_copy(&g->arena, nk_bundle_get(b, NK_STR("config")));
    int rc = json.p ? nk_config_parse(json, &g->arena, &g->config, f)
                    : nk_fault_set(f, NK_ENOMEM, "runner", 0, "out of memory");
    if (!rc)
        return g;
    config_free(g);
    return NULL;
}

static bool same_texts(const struct nk_config_text *a, size_t n, const struct nk_config_text *b,
                       size_t m)
{
    bool same = n == m;
    for (size_t i = 0; same && i < n; i++)
        same = nk_str_eq(a[i].text, b[i].text);
    return same;
}

/* Would a process that was started as `a` be started the same way as `b`? */
static bool is_same(const struct nk_config_upstream *a, const struct nk_config_upstream *b)
{
    const struct nk_config_process *p = &a->process, *q = &b->process;
    bool same = same_texts(a->command, a->command_count, b->command, b->command_count) &&
                same_texts(p->read, p->read_count, q->read, q->read_count) &&
                same_texts(p->write, p->write_count, q->write, q->write_count) &&
                p->environment_count == q->environment_count &&
                nk_str_eq(p->directory, q->directory) && p->network == q->network &&
                p->memory == q->memory && p->processes == q->processes &&
                p->message_bytes == q->message_bytes;
    for (size_t i = 0; same && i < p->environment_count; i++)
        same = nk_str_eq(p->environment[i].name, q->environment[i].name) &&
               nk_str_eq(p->environment[i].value, q->environment[i].value) &&
               nk_str_eq(p->environment[i].secret, q->environment[i].secret);
    return same;
}

/* Sessions of a server that is not what it was end; the others go on. */
static void follow(struct runner *r, const struct nk_config *now)
{
    for (struct session *s = r->sessions, *next; s; s = next) {
        next = s->next;
        const struct nk_config_upstream *server = nk_config_upstream_named(now, s->server->name);
        bool stays = server && is_same(s->server, server);
        if (!stays)
            session_end(s, NULL);
        if (stays)
            s->server = server;
    }
}

static bool is_held(const struct runner *r, const struct runner_config *g)
{
    for (const struct session *s = r->sessions; s; s = s->next)
        if (s->server >= g->config.upstreams &&
            s->server < g->config.upstreams + g->config.upstream_count)
            return true;
    return false;
}

/* Those that sessions on their way out still speak of are kept until they are gone. */
static void drop_old(struct runner *r)
{
    for (struct runner_config **at = &r->old; *at;) {
        struct runner_config *g = *at;
        if (is_held(r, g)) {
            at = &g->next;
            continue;
        }
        *at = g->next;
        config_free(g);
    }
}

/* The control channels
 * ----------------------------------------------------------------------------- */

static void vote(struct runner *r, uint32_t generation, int code, const char *why)
{
    struct nk_fault f = {.code = code};
    snprintf(f.message, sizeof f.message, "%s", why);
    if (nk_role_prepared(r->start, generation, &f))
        nk_loop_stop(r->loop, 1);
}

/* The other half's vote is ours, once we could build it as well. */
static void prepare(struct runner *r, struct nk_control *m)
{
    struct nk_bundle bundle = {0};
    struct nk_arena arena;
    struct nk_fault f = {0};
    config_free(r->prepared);
    nk_arena_init(&arena, CONFIG_MAX);
    int rc = nk_bundle_open(m->bundle, &arena, &bundle, &f);
    r->prepared = rc ? NULL : config_new(m->generation, &bundle, &f);
    nk_bundle_unmap(&bundle);
    nk_arena_free(&arena);
    if (!r->prepared) {
        vote(r, m->generation, f.code, f.message);
        return;
    }
    struct nk_control order;
    nk_control_init(&order, NK_CONTROL_PREPARE);
    order.generation = m->generation;
    order.bundle = m->bundle;
    if (nk_control_send(r->starter.fd, &order))
        nk_loop_stop(r->loop, 1);
}

static void pass_on(struct runner *r, const struct nk_control *m)
{
    struct nk_control order;
    nk_control_init(&order, m->kind);
    order.generation = m->generation;
    if (nk_control_send(r->starter.fd, &order))
        nk_loop_stop(r->loop, 1);
}

static void commit(struct runner *r, const struct nk_control *m)
{
    if (!r->prepared || r->prepared->generation != m->generation)
        return;
    pass_on(r, m);
    follow(r, &r->prepared->config);
    r->config->next = r->old;
    r->old = r->config;
    r->config = r->prepared;
    r->prepared = NULL;
    drop_old(r);
}

static void on_grace(struct nk_timer *t)
{
    nk_loop_stop(NK_OF(t, struct runner, grace)->loop, 0);
}

/* Requests under way are answered; streams end, and all sessions with the last request. */
static void drain(struct runner *r, uint32_t grace_ms)
{
    r->draining = r->stirred = true;
    (void)!nk_loop_watch(r->loop, &r->listener, 0);
    for (struct session *s = r->sessions; s; s = s->next) {
        struct conn *stream = s->stream;
        s->stream = NULL;
        if (stream)
            conn_stream_end(stream);
    }
    if (nk_loop_arm(r->loop, &r->grace, (int64_t)grace_ms * 1000))
        nk_loop_stop(r->loop, 0);
}

static void on_control(struct nk_watch *w, uint32_t events)
{
    struct runner *r = NK_OF(w, struct runner, control);
    struct nk_control m;
    int rc;
    (void)events;
    while ((rc = nk_control_recv(w->fd, &m)) == 0) {
        if (m.kind == NK_CONTROL_PREPARE) {
            prepare(r, &m);
        } else if (m.kind == NK_CONTROL_COMMIT) {
            commit(r, &m);
        } else if (m.kind == NK_CONTROL_ABANDON) {
            config_free(r->prepared);
            r->prepared = NULL;
            pass_on(r, &m);
        } else if (m.kind == NK_CONTROL_DRAIN) {
            drain(r, m.grace_ms);
        }
        nk_control_close(&m); /* a listener is the one that is watched already */
    }
    if (rc != NK_EAGAIN)
        nk_loop_stop(r->loop, rc == NK_EIO ? 0 : 1);
}

static void on_starter(struct nk_watch *w, uint32_t events)
{
    struct runner *r = NK_OF(w, struct runner, starter);
    struct nk_control m;
    int rc;
    (void)events;
    while ((rc = nk_control_recv(w->fd, &m)) == 0) {
        if (m.kind == NK_CONTROL_RUN)
            session_started(r, &m);
        else if (m.kind == NK_CONTROL_GONE)
            session_gone(r, &m);
        else if (m.kind == NK_CONTROL_PREPARED)
            vote(r, m.generation, m.code, m.text);
        nk_control_close(&m);
    }
    if (rc != NK_EAGAIN)
        nk_loop_stop(r->loop, 1);
}

/* Behind each batch: what is over. */
static void hook_flush(void *ctx)
{
    struct runner *r = ctx;
    bool waits = false;
    while (r->stirred) {
        r->stirred = false;
        conn_sweep(r);
    }
    if (r->old)
        drop_old(r);
    if (!r->draining)
        return;
    for (const struct session *s = r->sessions; s; s = s->next)
        waits = waits || s->waiting;
    for (struct session *s = r->sessions; s && !waits; s = s->next)
        session_end(s, NULL);
    if (!r->sessions)
        nk_loop_stop(r->loop, 0);
}

/* Life
 * --------------------------------------------------------------------------------------------- */

/* The other half is there before the first byte is read here. */
static int make_starter(struct runner *r, struct nk_fault *f)
{
    int sv[2];
    struct nk_role_start *s = r->start;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv))
        return nk_fault_set(f, NK_EIO, "runner", 0, "no channel to its other half");
    pid_t pid = fork();
    if (pid == 0) {
        close(sv[0]);
        close(s->control);
        for (uint32_t i = 0; i < s->listener_count; i++)
            close(s->listeners[i]);
        _exit(runner_starter(s, sv[1]));
    }
    close(sv[1]);
    r->starter = (struct nk_watch){.fd = sv[0], .ready = on_starter};
    return pid < 0 ? nk_fault_set(f, NK_EIO, "runner", 0, "no process for its other half") : 0;
}

static int set_up(struct runner *r, struct nk_fault *f)
{
    struct nk_loop_hooks hooks = {.ctx = r, .flush = hook_flush};
    struct nk_role_start *s = r->start;
    if (nk_confine_landlock_abi() == 0)
        return nk_fault_set(f, NK_EUNSUPPORTED, "runner", 0,
                            "this kernel has no Landlock, and without it nothing keeps MCP servers "
                            "from files");
    int rc = s->listener_count == 1 ? make_starter(r, f)
                                    : nk_fault_set(f, NK_EINVAL, "runner", 0, "no listener");
    if (rc)
        return rc;
    r->config = config_new(s->generation, &s->bundle, f);
    nk_bundle_unmap(&s->bundle); /* with the secrets in it */
    r->user = geteuid();
    r->grace.fire = on_grace;
    r->control = (struct nk_watch){.fd = s->control, .ready = on_control};
    r->listener = (struct nk_watch){.fd = s->listeners[0], .ready = conn_accept};
    r->read = malloc(RUNNER_READ);
    nk_arena_init(&r->scratch, SCRATCH_MAX);
    r->loop = nk_loop_new(&hooks);
    if (!r->config)
        return f->code;
    if (!r->read || !r->loop)
        return nk_fault_set(f, NK_ENOMEM, "runner", 0, "no memory to start");
    if (nk_stats_open(&r->stats, s->stats, s->page) ||
        nk_loop_watch(r->loop, &r->control, EPOLLIN) ||
        nk_loop_watch(r->loop, &r->starter, EPOLLIN) ||
        nk_loop_watch(r->loop, &r->listener, EPOLLIN))
        return nk_fault_set(f, NK_EIO, "runner", 0, "cannot watch what it hears");
    return nk_role_confine(s, f);
}

static void tear_down(struct runner *r)
{
    if (r->starter.fd > 0)
        close(r->starter.fd); /* which ends the other half, and all servers */
    config_free(r->config);
    config_free(r->prepared);
    free(r->read);
}

int nk_runner_main(struct nk_role_start *s)
{
    struct runner r = {.start = s};
    struct nk_fault f = {0};
    int result = 1;
    bool good = set_up(&r, &f) == 0;
    if (nk_role_ready(s, good ? NULL : &f) == 0 && good)
        result = nk_loop_run(r.loop);
    tear_down(&r);
    return result;
}
