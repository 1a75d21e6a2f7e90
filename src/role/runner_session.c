/* SPDX-License-Identifier: Apache-2.0
 *
 * runner_session.c - a session and the process that is its server. Nobody else's messages ever come to that process: it
 * begins with the session and ends with it.
 *
 *     STARTING --its pipes are here--> RUNNING --DELETE, idle, it ended or went wrong--> ENDING --it is gone--> freed
 *
 * ENDING closes its standard input, which is how MCP tells a server to end (2025-11-25, basic/lifecycle, "Shutdown");
 * SIGTERM and SIGKILL follow. A server that wrote what is no message gets SIGTERM at once.
 */
#include "role/runner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>
#include "edge/log.h"

enum { GENTLE_MS = 2000, SAID_LINE = 512, SAID_PER_SECOND = 20, SLACK = 2 * RUNNER_READ };

static void on_in(struct nk_watch *w, uint32_t events);
static void on_out(struct nk_watch *w, uint32_t events);
static void on_err(struct nk_watch *w, uint32_t events);
static bool read_some(struct session *s);

int session_order(struct runner *r, enum nk_control_kind kind, uint32_t instance, uint32_t grace_ms)
{
    struct nk_control m;
    nk_control_init(&m, kind);
    m.instance = instance;
    m.grace_ms = grace_ms;
    return nk_control_send(r->starter.fd, &m);
}

static void arm(struct session *s, int64_t us)
{
    if (nk_loop_arm(s->runner->loop, &s->timer, us))
        nk_loop_stop(s->runner->loop, 1);
}

static void shut(struct session *s, struct nk_watch *w)
{
    if (w->fd < 0)
        return;
    (void)!nk_loop_watch(s->runner->loop, w, 0);
    close(w->fd);
    w->fd = -1;
}

static void run_free(struct nk_later *l)
{
    free(NK_OF(l, struct session, later));
}

static void session_free(struct session *s)
{
    struct runner *r = s->runner;
    struct nk_buf *all[] = {&s->to_server, &s->from_server, &s->said, &s->held};
    shut(s, &s->in);
    shut(s, &s->out);
    shut(s, &s->err);
    nk_loop_disarm(r->loop, &s->timer);
    if (s->prev)
        s->prev->next = s->next;
    else
        r->sessions = s->next;
    if (s->next)
        s->next->prev = s->prev;
    for (size_t i = 0; i < NK_COUNT(all); i++)
        nk_buf_free(all[i]);
    nk_stats_sub(&r->stats, NK_STAT_SERVERS, 1);
    r->stirred = true;
    s->later.run = run_free;
    nk_loop_later(r->loop, &s->later);
}

/* Its end
 * ------------------------------------------------------------------------------------------ */

/* All who wait are told, and nobody finds it any more. */
static void let_go(struct session *s, const char *why)
{
    struct conn *stream = s->stream;
    char text[256];
    snprintf(text, sizeof text, "the server failed: %s", why ? why : "its session has ended");
    s->stream = NULL;
    if (stream)
        conn_stream_end(stream);
    while (s->waiting) {
        struct conn *c = s->waiting;
        s->waiting = c->newer;
        c->newer = NULL;
        conn_refuse(c, 502, text);
    }
}

void session_end(struct session *s, const char *why)
{
    bool was_starting = s->state == SESSION_STARTING;
    if (s->state == SESSION_ENDING)
        return;
    s->state = SESSION_ENDING;
    s->terminated = why != NULL;
    if (why) {
        nk_stats_add(&s->runner->stats, NK_STAT_SERVER_FAILURES, 1);
        nk_log(NK_LOG_WARNING, "server.failed", "%.*s (session process %u): %s",
               NK_FMT(s->server->name), s->instance, why);
    }
    let_go(s, why);
    shut(s, &s->in);
    shut(s, &s->out);
    s->runner->stirred = true;
    if (was_starting) /* what comes of it is seen when its pipes come */
        return;
    if (why && session_order(s->runner, NK_CONTROL_STOP, s->instance, 1))
        nk_loop_stop(s->runner->loop, 1);
    arm(s, (int64_t)GENTLE_MS * 1000);
}

/* Gentleness had its time. */
static void end_harder(struct session *s)
{
    if (session_order(s->runner, NK_CONTROL_STOP, s->instance, s->terminated ? 0 : 1))
        nk_loop_stop(s->runner->loop, 1);
    s->terminated = true;
    arm(s, (int64_t)GENTLE_MS * 1000);
}

static void on_time(struct nk_timer *t)
{
    struct session *s = NK_OF(t, struct session, timer);
    int64_t idle = s->server->process.idle_timeout * 1000;
    int64_t left = s->used_us + idle - nk_loop_now(s->runner->loop);
    if (s->state == SESSION_ENDING)
        end_harder(s);
    else if (!s->answered)
        session_end(s, "it did not answer its first message within process.start_timeout");
    else if (s->once || s->waiting || s->stream)
        arm(s, idle);
    else if (left > 0)
        arm(s, left);
    else
        session_end(s, NULL);
}

void session_gone(struct runner *r, const struct nk_control *m)
{
    struct session *s = r->sessions;
    while (s && s->instance != m->instance)
        s = s->next;
    if (!s)
        return;
    while (s->state == SESSION_RUNNING && read_some(s))
        ; /* its last words, of both kinds */
    on_err(&s->err, EPOLLIN);
    session_end(s, "it has ended");
    if (m->code)
        nk_log(NK_LOG_INFO, "server.ended", "%.*s (session process %u) ended with %s %d",
               NK_FMT(s->server->name), s->instance, m->code < 0 ? "signal" : "status",
               m->code < 0 ? -m->code : m->code);
    session_free(s);
}

/* Its output
 * --------------------------------------------------------------------------------------- */

/* Have its streams room for more? */
static bool has_room(const struct session *s)
{
    bool room = !s->stream || s->stream->out.n <= RUNNER_HIGH;
    for (const struct conn *c = s->waiting; c && room; c = c->newer)
        room = c->out.n <= RUNNER_HIGH;
    return room;
}

void session_resume(struct session *s)
{
    if (!s->paused || s->out.fd < 0 || !has_room(s))
        return;
    s->paused = false;
    if (nk_loop_watch(s->runner->loop, &s->out, EPOLLIN))
        session_end(s, "its output cannot be watched");
}

/* Takes whole lines out of what has come. */
static void take_lines(struct session *s)
{
    size_t at = 0, most = (size_t)s->server->process.message_bytes;
    const char *why = NULL;
    while (!why && s->state == SESSION_RUNNING) {
        struct nk_str rest = nk_str_sub(nk_buf_str(&s->from_server), at, s->from_server.n);
        size_t seen = s->scanned > at ? s->scanned - at : 0;
        ptrdiff_t end = nk_str_find(nk_str_sub(rest, seen, rest.n), '\n');
        size_t n = end < 0 ? rest.n : seen + (size_t)end;
        if (n > most)
            why = "a line on its standard output is longer than process.message_bytes";
        else if (end < 0)
            break;
        else
            why = relay_from_server(s, nk_str_sub(rest, 0, n));
        at += n + 1;
    }
    if (s->state != SESSION_RUNNING)
        return;
    if (why) {
        session_end(s, why);
        return;
    }
    nk_buf_drop(&s->from_server, at);
    s->scanned = s->from_server.n;
    if (s->from_server.n == 0)
        nk_buf_free(&s->from_server);
}

/* False: there is nothing more at the moment. */
static bool read_some(struct session *s)
{
    ssize_t n = s->out.fd < 0 ? 0 : read(s->out.fd, s->runner->read, RUNNER_READ);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n <= 0) {
        on_err(&s->err, EPOLLIN); /* why, perhaps */
        session_end(s, "it has ended");
        return false;
    }
    nk_buf_add(&s->from_server, (struct nk_str){s->runner->read, (size_t)n});
    if (s->from_server.error)
        session_end(s, "there is no memory for its output");
    else
        take_lines(s);
    return s->state == SESSION_RUNNING;
}

static void on_out(struct nk_watch *w, uint32_t events)
{
    struct session *s = NK_OF(w, struct session, out);
    (void)events;
    if (read_some(s) && !has_room(s)) {
        s->paused = true;
        (void)!nk_loop_watch(s->runner->loop, &s->out, 0);
    }
}

/* A line of its standard error, for the log: one of so many a second. */
static void say(struct session *s)
{
    int64_t second = nk_loop_now(s->runner->loop) / 1000000;
    if (second != s->said_since_us) {
        s->said_since_us = second;
        s->said_lines = 0;
    }
    if (s->said.n && s->said_lines++ < SAID_PER_SECOND)
        nk_log(NK_LOG_INFO, "server.stderr", "%.*s (session process %u): %.*s",
               NK_FMT(s->server->name), s->instance, NK_FMT(nk_buf_str(&s->said)));
    nk_buf_clear(&s->said);
}

static void on_err(struct nk_watch *w, uint32_t events)
{
    struct session *s = NK_OF(w, struct session, err);
    char text[4096];
    (void)events;
    if (w->fd < 0)
        return;
    ssize_t n = read(w->fd, text, sizeof text);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    for (ssize_t i = 0; i < n; i++) {
        if (text[i] == '\n')
            say(s);
        else if (s->said.n < SAID_LINE)
            nk_buf_add_char(&s->said, text[i]);
    }
    if (n <= 0) {
        say(s);
        shut(s, w);
    }
}

/* Its input
 * ---------------------------------------------------------------------------------------- */

void session_write(struct session *s)
{
    while (s->in.fd >= 0 && s->to_server.n) {
        ssize_t n = write(s->in.fd, s->to_server.p, s->to_server.n);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (n < 0) { /* it reads no more; its output says how it goes on */
            shut(s, &s->in);
            nk_buf_clear(&s->to_server);
            return;
        }
        nk_buf_drop(&s->to_server, (size_t)n);
    }
    if (s->to_server.n == 0)
        nk_buf_free(&s->to_server);
    if (s->in.fd >= 0 &&
        nk_loop_watch(s->runner->loop, &s->in, s->to_server.n ? (uint32_t)EPOLLOUT : 0))
        shut(s, &s->in);
}

static void on_in(struct nk_watch *w, uint32_t events)
{
    (void)events;
    session_write(NK_OF(w, struct session, in));
}

/* Its beginning
 * ------------------------------------------------------------------------------------ */

static bool make_id(struct session *s)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char random[RUNNER_ID / 2];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return false;
    for (size_t i = 0; i < sizeof random; i++) {
        s->id[2 * i] = digits[random[i] >> 4];
        s->id[2 * i + 1] = digits[random[i] & 15];
    }
    return true;
}

static void begin(struct session *s, const struct nk_config_upstream *server)
{
    struct runner *r = s->runner;
    size_t most = (size_t)server->process.message_bytes;
    s->server = server;
    s->instance = ++r->instances;
    s->used_us = nk_loop_now(r->loop);
    s->timer.fire = on_time;
    s->in = (struct nk_watch){.fd = -1, .ready = on_in};
    s->out = (struct nk_watch){.fd = -1, .ready = on_out};
    s->err = (struct nk_watch){.fd = -1, .ready = on_err};
    nk_buf_init(&s->to_server, 2 * most + SLACK);
    nk_buf_init(&s->from_server, most + SLACK);
    nk_buf_init(&s->said, SAID_LINE);
    s->next = r->sessions;
    if (r->sessions)
        r->sessions->prev = s;
    r->sessions = s;
    nk_stats_add(&r->stats, NK_STAT_SERVERS, 1);
    arm(s, server->process.start_timeout * 1000);
}

static int64_t count_of(const struct runner *r, const struct nk_config_upstream *server)
{
    int64_t n = 0;
    for (const struct session *s = r->sessions; s; s = s->next)
        n += s->server == server;
    return n;
}

struct session *session_new(struct conn *c, const struct nk_config_upstream *server, bool once)
{
    struct runner *r = c->runner;
    struct nk_control m;
    if (r->draining || count_of(r, server) >= server->process.sessions) {
        conn_refuse(c, 503,
                    r->draining ? "the gateway is leaving"
                                : "the server has as many sessions as process.sessions allows");
        return NULL;
    }
    struct session *s = calloc(1, sizeof *s);
    if (!s || !make_id(s)) {
        free(s);
        conn_refuse(c, 503, "no memory for a session");
        return NULL;
    }
    s->runner = r;
    s->once = once;
    begin(s, server);
    nk_control_init(&m, NK_CONTROL_RUN);
    m.instance = s->instance;
    m.slot = (uint32_t)(server - r->config->config.upstreams);
    if (nk_control_send(r->starter.fd, &m)) {
        session_free(s);
        conn_refuse(c, 503, "too many servers are being started");
        return NULL;
    }
    return s;
}

struct session *session_find(struct runner *r, const struct nk_config_upstream *server,
                             struct nk_str id)
{
    for (struct session *s = r->sessions; s; s = s->next)
        if (s->state != SESSION_ENDING && !s->once && s->answered && s->server == server &&
            nk_secret_eq(id, (struct nk_str){s->id, RUNNER_ID}))
            return s;
    return NULL;
}

/* The other half has started it, or could not. */
void session_started(struct runner *r, struct nk_control *m)
{
    struct session *s = r->sessions;
    while (s && s->instance != m->instance)
        s = s->next;
    if (!s)
        return;
    bool is_wanted = s->state == SESSION_STARTING;
    if (m->code) { /* why is for the log alone: it may name what is on this machine */
        nk_log(NK_LOG_WARNING, "server.start", "%.*s: %s", NK_FMT(s->server->name), m->text);
        session_end(s, "it cannot be started");
        session_free(s);
        return;
    }
    nk_stats_add(&r->stats, NK_STAT_SERVER_STARTS, 1);
    s->in.fd = m->listeners[0];
    s->out.fd = m->listeners[1];
    s->err.fd = m->listeners[2];
    m->listener_count = 0; /* they are ours */
    if (!is_wanted) {
        shut(s, &s->in);
        shut(s, &s->out);
        arm(s, (int64_t)GENTLE_MS * 1000);
        return;
    }
    s->state = SESSION_RUNNING;
    if (nk_loop_watch(r->loop, &s->out, EPOLLIN) || nk_loop_watch(r->loop, &s->err, EPOLLIN))
        session_end(s, "its output cannot be watched");
    else
        session_write(s);
}
