/* SPDX-License-Identifier: Apache-2.0
 *
 * daemon.c - plays a scenario against the real daemon: all roles, a Unix socket for clients, a
 * loopback port as the upstream, a directory of its own that is removed at the end.
 */
#include "scenario/h2.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <netinet/in.h>
#include <unistd.h>

enum { START_MS = 10000, QUIET_MS = 300, PATIENCE_MS = 5000, NEXT_MS = 1000 };

struct daemon_state {
    char dir[64];
    pid_t pid;
    int listener, upstream, client;
    struct nk_arena client_arena, upstream_arena;
    struct nk_http_parser *client_parser;
    bool h2; /* clients speak HTTP/2 */
    bool settled, client_done;
    bool spoke;   /* the upstream has begun to answer, or will not */
    bool ended;   /* it has answered; what it says next is about another call of the same request */
    struct lane { /* calls beside one another; of the one that is looked at the above */
        int fd;   /* 0: it has not come */
        bool spoke, ended;
    } lanes[LANES_MAX];
    size_t lane;
};

static struct daemon_state me;

static void write_file(const char *name, struct nk_str text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", me.dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, text.p, text.n) != (ssize_t)text.n)
        perror(path);
    close(fd);
}

static int listen_loopback(int *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, n) || listen(fd, 64) ||
        getsockname(fd, (struct sockaddr *)&a, &n))
        return -1;
    *port = ntohs(a.sin_port);
    return fd;
}

static int connect_gate(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s/gate.sock", me.dir);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
        return fd;
    close(fd);
    return -1;
}

static pid_t spawn(const char *const *argv, const char *out)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", me.dir, out);
    const char *binary = getenv("NAKOSO");
    pid_t pid = fork();
    if (pid)
        return pid;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    dup2(fd, 1);
    dup2(fd, 2);
    execv(binary ? binary : "build/nakoso", (char *const *)argv);
    _exit(127);
}

static const char *read_log(struct scenario *s, const char *name)
{
    char path[128], text[2000];
    snprintf(path, sizeof path, "%s/%s", me.dir, name);
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text);
    close(fd);
    return nk_arena_printf(&s->arena, "it said: %.*s", (int)(n > 0 ? n : 0), text).p;
}

static const char *start(struct scenario *s)
{
    char conf[128];
    snprintf(conf, sizeof conf, "%s/nakoso.yaml", me.dir);
    const char *argv[] = {"nakoso", "run", "-c", conf, NULL};
    me.pid = spawn(argv, "log");
    for (int i = 0; i < START_MS / 10; i++) {
        int fd = connect_gate();
        if (fd >= 0) {
            close(fd);
            return NULL;
        }
        if (waitpid(me.pid, NULL, WNOHANG) == me.pid) {
            me.pid = 0;
            break;
        }
        usleep(10000);
    }
    return read_log(s, "log");
}

static const char *daemon_open(struct scenario *s, struct sighting *seen)
{
    int port = 0;
    struct nk_buf text;
    (void)seen;
    memset(&me, 0, sizeof me);
    me.client = me.upstream = -1;
    signal(SIGPIPE, SIG_IGN);
    strcpy(me.dir, "/tmp/nakoso-gate-XXXXXX");
    me.listener = listen_loopback(&port);
    if (!mkdtemp(me.dir) || me.listener < 0)
        return "no directory or port";
    nk_buf_init(&text, 1 << 20);
    scenario_config(s, port, &text);
    write_file("nakoso.yaml", nk_buf_str(&text));
    nk_buf_clear(&text);
    scenario_tools(s, &text);
    write_file("tools.json", nk_buf_str(&text));
    nk_buf_clear(&text);
    scenario_keys(s, &text);
    write_file("keys.jsonl", nk_buf_str(&text));
    nk_buf_free(&text);
    char sub[128];
    snprintf(sub, sizeof sub, "%s/policies", me.dir);
    mkdir(sub, 0700);
    if (s->policy.n)
        write_file("policies/scenario.cedar", nk_buf_str(&s->policy));
    snprintf(sub, sizeof sub, "%s/shop", me.dir);
    mkdir(sub, 0700);
    if (s->store.n)
        write_file("shop/shop.cedar", nk_buf_str(&s->store));
    if (s->entities.n)
        write_file("entities.json", nk_buf_str(&s->entities));
    return start(s);
}

static void close_client(void)
{
    if (me.client >= 0)
        close(me.client);
    me.client = -1;
    h2_close();
    nk_arena_free(&me.client_arena);
    me.client_parser = NULL;
}

static bool send_all(int fd, struct nk_str text)
{
    while (text.n) {
        ssize_t n = send(fd, text.p, text.n, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        text = nk_str_sub(text, (size_t)n, text.n);
    }
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void read_records(struct sighting *seen)
{
    char path[400], *names[64];
    size_t count = 0;
    snprintf(path, sizeof path, "%s/audit", me.dir);
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d)) && count < NK_COUNT(names);)
        if (strstr(e->d_name, ".jsonl"))
            names[count++] = strdup(e->d_name);
    if (d)
        closedir(d);
    qsort(names, count, sizeof *names, by_name);
    nk_buf_clear(&seen->records);
    for (size_t i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/audit/%s", me.dir, names[i]);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        for (ssize_t n = 1; fd >= 0 && n > 0;) {
            char *to = nk_buf_reserve(&seen->records, 65536);
            n = to ? read(fd, to, 65536) : 0;
            seen->records.n += n > 0 ? (size_t)n : 0;
        }
        close(fd);
        free(names[i]);
    }
}

/* The connection that is looked at stays for the next call. */
static void forget_lanes(void)
{
    for (size_t i = 0; i < LANES_MAX; i++)
        if (i != me.lane && me.lanes[i].fd > 0)
            close(me.lanes[i].fd);
    memset(me.lanes, 0, sizeof me.lanes);
    me.lane = 0;
}

static const char *daemon_client(struct scenario *s, struct sighting *seen,
                                 const struct scenario_key *key, struct nk_str method,
                                 struct nk_str target, struct nk_str headers, struct nk_str body)
{
    static const struct nk_http_limits lim = {64 << 10, 100, 16 << 20};
    struct nk_buf b;
    close_client();
    me.client = connect_gate();
    if (me.client < 0)
        return "the gate does not answer";
    nk_arena_init(&me.client_arena, 64 << 20);
    me.client_parser = nk_http_parser_new(&me.client_arena, false, &lim);
    me.settled = me.client_done = me.spoke = me.ended = false;
    forget_lanes();
    read_records(seen);
    if (me.h2)
        return h2_ask(s, seen, me.client, key, method, target, headers, body);
    nk_buf_init(&b, 32 << 20);
    nk_buf_printf(&b, "%.*s %.*s HTTP/1.1\r\nHost: nakoso\r\n", NK_FMT(method), NK_FMT(target));
    if (key)
        nk_buf_printf(&b, "Authorization: Bearer %s\r\n", key->secret);
    nk_buf_add(&b, headers);
    if (body.p)
        nk_buf_printf(&b, "Content-Length: %zu\r\n", body.n);
    nk_buf_add(&b, NK_STR("\r\n"));
    nk_buf_add(&b, body);
    (void)send_all(me.client, nk_buf_str(&b)); /* a refusal may come before all is taken */
    nk_buf_free(&b);
    return NULL;
}

/* Reads one request of the courier; NULL when it was read. */
static const char *read_call(struct sighting *seen)
{
    static const struct nk_http_limits lim = {64 << 10, 100, 16 << 20};
    char bytes[65536];
    struct nk_http_parser *p = nk_http_parser_new(&me.upstream_arena, true, &lim);
    nk_buf_clear(&seen->call_head);
    nk_buf_clear(&seen->call_body);
    while (p) {
        struct pollfd w = {.fd = me.upstream, .events = POLLIN};
        ssize_t n = poll(&w, 1, PATIENCE_MS) > 0 ? recv(me.upstream, bytes, sizeof bytes, 0) : -1;
        if (n <= 0)
            return "the call did not arrive whole";
        struct nk_str in = {bytes, (size_t)n};
        for (;;) {
            enum nk_http_event event;
            struct nk_fault f = {0};
            if (nk_http_parse(p, &in, &event, &f))
                return "the courier's request is malformed";
            if (event == NK_HTTP_MORE)
                break;
            const struct nk_http_head *h = nk_http_parser_head(p);
            if (event == NK_HTTP_HEAD) {
                nk_buf_printf(&seen->call_head, "%.*s %.*s\n", NK_FMT(h->method),
                              NK_FMT(h->target));
                scenario_put_headers(h, &seen->call_head);
            } else if (event == NK_HTTP_BODY) {
                nk_buf_add(&seen->call_body, nk_http_parser_body(p));
            } else {
                seen->calls++;
                return NULL;
            }
        }
    }
    return "out of memory";
}

/* Waits for a call on a new or the present connection; false when none comes in time. */
static bool call_comes(int patience)
{
    struct pollfd w[2] = {{.fd = me.listener, .events = POLLIN},
                          {.fd = me.upstream, .events = POLLIN}};
    while (poll(w, 2, patience) > 0) {
        char c;
        if (w[1].revents && recv(me.upstream, &c, 1, MSG_PEEK) == 1)
            return true;
        if (w[1].revents) {
            close(me.upstream);
            me.upstream = w[1].fd = -1;
        }
        if (w[0].revents) {
            if (me.upstream >= 0)
                close(me.upstream);
            me.upstream = accept4(me.listener, NULL, NULL, SOCK_CLOEXEC);
            return me.upstream >= 0;
        }
    }
    return false;
}

static const char *take_call(struct sighting *seen, int patience)
{
    nk_arena_free(&me.upstream_arena);
    nk_arena_init(&me.upstream_arena, 64 << 20);
    if (!call_comes(patience))
        return "nothing was sent upstream";
    me.spoke = me.ended = false;
    return read_call(seen);
}

/* Is there a call that has not come yet? */
static bool awaits_call(const struct sighting *seen)
{
    return me.client >= 0 && !me.client_done && (seen->calls == 0 || me.ended);
}

/* Calls beside one another come in their order, on a connection each. */
static const char *take_up(struct sighting *seen, struct nk_str which)
{
    uint64_t lane;
    if (nk_str_to_u64(which, &lane) || lane >= LANES_MAX)
        return "there is no such call";
    if (seen->calls && lane != me.lane) {
        me.lanes[me.lane] = (struct lane){me.upstream, me.spoke, me.ended};
        me.lane = (size_t)lane;
        me.upstream = me.lanes[lane].fd > 0 ? me.lanes[lane].fd : -1;
        me.spoke = me.lanes[lane].spoke;
        me.ended = me.lanes[lane].ended;
    }
    return seen->calls && me.upstream >= 0 ? NULL : take_call(seen, PATIENCE_MS);
}

static const char *daemon_upstream(struct scenario *s, struct sighting *seen, struct nk_str what)
{
    struct nk_str rest = what, w = nk_str_cut(&rest, ' ');
    me.settled = false;
    if (nk_str_eq(w, NK_STR("on")))
        return take_up(seen, rest);
    if (seen->calls == 0 || me.ended) {
        const char *why = take_call(seen, PATIENCE_MS);
        if (why)
            return why;
    }
    me.spoke = true;
    me.ended = nk_str_eq(w, NK_STR("end")) || nk_str_eq(w, NK_STR("fail"));
    if (nk_str_eq(w, NK_STR("end"))) {
        (void)send_all(me.upstream, NK_STR("0\r\n\r\n")); /* it may have been cancelled */
        return NULL;
    }
    if (nk_str_eq(w, NK_STR("fail"))) {
        if (nk_str_eq(rest, NK_STR("timeout")))
            return NULL; /* silence */
        close(me.upstream);
        me.upstream = -1;
        return NULL;
    }
    if (nk_str_eq(w, NK_STR("data"))) {
        struct nk_str text = scenario_unescape(s, rest);
        struct nk_str chunk = nk_arena_printf(&s->arena, "%zx\r\n%.*s\r\n", text.n, NK_FMT(text));
        (void)send_all(me.upstream, chunk); /* it may have been cancelled: expectations tell */
        return NULL;
    }
    struct nk_str head = nk_arena_printf(&s->arena,
                                         "HTTP/1.1 %.*s X\r\nContent-Type: %.*s\r\n"
                                         "Transfer-Encoding: chunked\r\n\r\n",
                                         NK_FMT(w), NK_FMT(rest));
    return send_all(me.upstream, head) ? NULL : "the courier left";
}

static const char *daemon_gone(struct scenario *s, struct sighting *seen)
{
    (void)s;
    (void)seen;
    close_client();
    me.client_done = true;
    me.settled = false;
    return NULL;
}

/* Takes what the client's socket has; true when something came. */
static bool take_answer(struct sighting *seen, int patience)
{
    char bytes[65536];
    struct pollfd w = {.fd = me.client, .events = POLLIN};
    enum nk_http_event event;
    if (me.h2)
        return h2_take(seen, patience, &me.client_done);
    if (poll(&w, 1, patience) <= 0)
        return false;
    ssize_t n = recv(me.client, bytes, sizeof bytes, 0);
    if (n <= 0) {
        me.client_done = true;
        seen->cut = !seen->complete;
        return true;
    }
    for (struct nk_str in = {bytes, (size_t)n};;) {
        struct nk_fault f = {0};
        if (nk_http_parse(me.client_parser, &in, &event, &f)) {
            nk_buf_printf(&seen->body, "MALFORMED ANSWER: %s", f.message);
            me.client_done = true;
            return true;
        }
        if (event == NK_HTTP_MORE)
            break;
        if (event == NK_HTTP_HEAD) {
            seen->status = nk_http_parser_head(me.client_parser)->status;
            scenario_put_headers(nk_http_parser_head(me.client_parser), &seen->head);
        } else if (event == NK_HTTP_BODY) {
            nk_buf_add(&seen->body, nk_http_parser_body(me.client_parser));
        } else {
            seen->complete = me.client_done = true;
            break;
        }
    }
    return true;
}

/* Was the call cancelled: does the courier close the connection? */
static void look_upstream(struct sighting *seen, int patience)
{
    struct pollfd w = {.fd = me.upstream, .events = POLLIN};
    char c;
    if (me.upstream >= 0 && seen->calls && poll(&w, 1, patience) > 0 &&
        recv(me.upstream, &c, 1, MSG_PEEK) <= 0)
        seen->cancelled = true;
}

/* A group commit (audit.group) and some more; an answer that is over has a record, however long that takes. */
static void await_records(struct sighting *seen)
{
    enum { LOOK_MS = 25, QUIET_FOR = 4, LOOKS_MAX = 200 };
    size_t had = seen->records.n, quiet = 0;
    for (int i = 0; i < LOOKS_MAX && quiet < QUIET_FOR; i++) {
        size_t before = seen->records.n;
        usleep(LOOK_MS * 1000);
        read_records(seen);
        bool came = seen->records.n > had || !me.client_done;
        quiet = seen->records.n == before && came ? quiet + 1 : 0;
    }
}

static void daemon_wait_call(struct scenario *s, struct sighting *seen)
{
    (void)s;
    if (awaits_call(seen))
        (void)take_call(seen, me.ended ? NEXT_MS : PATIENCE_MS);
}

static void daemon_settle(struct scenario *s, struct sighting *seen)
{
    (void)s;
    if (me.settled)
        return;
    int patience = seen->status == 0 && seen->calls == 0 ? PATIENCE_MS : QUIET_MS;
    if (awaits_call(seen))
        (void)take_call(seen, 100);
    bool waits = seen->calls == 0 || me.spoke;
    while (waits && !me.client_done && me.client >= 0 &&
           take_answer(seen, seen->calls ? 4000 : patience))
        if (seen->body.n && !me.client_done && !take_answer(seen, QUIET_MS))
            break;
    look_upstream(seen, me.client < 0 || seen->cut ? 2000 : 0);
    await_records(seen);
    me.settled = true;
}

static const char *daemon_replay(struct scenario *s, struct sighting *seen)
{
    char dir[128];
    int status = 1;
    (void)seen;
    snprintf(dir, sizeof dir, "%s/audit", me.dir);
    const char *argv[] = {"nakoso", "replay", dir, NULL};
    pid_t pid = spawn(argv, "replay.log");
    waitpid(pid, &status, 0);
    return status ? read_log(s, "replay.log") : "";
}

static void remove_tree(const char *path)
{
    char sub[400];
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(sub, sizeof sub, "%s/%s", path, e->d_name);
        if (e->d_type == DT_DIR)
            remove_tree(sub);
        else
            unlink(sub);
    }
    if (d)
        closedir(d);
    rmdir(path);
}

static void daemon_close(struct scenario *s, struct sighting *seen)
{
    (void)s;
    (void)seen;
    close_client();
    close(me.listener);
    forget_lanes();
    if (me.upstream >= 0)
        close(me.upstream);
    nk_arena_free(&me.upstream_arena);
    if (me.pid > 0) {
        kill(me.pid, SIGTERM);
        for (int i = 0; i < 500 && waitpid(me.pid, NULL, WNOHANG) == 0; i++)
            usleep(10000);
        if (kill(me.pid, 0) == 0) {
            printf("# the daemon did not stop in 5 s\n");
            kill(me.pid, SIGKILL);
            waitpid(me.pid, NULL, 0);
        }
    }
    if (!getenv("KEEP"))
        remove_tree(me.dir);
}

const struct driver daemon_driver = {"daemon",        daemon_open,   daemon_client,
                                     daemon_upstream, daemon_gone,   daemon_wait_call,
                                     daemon_settle,   daemon_replay, daemon_close};

static const char *h2_open(struct scenario *s, struct sighting *seen)
{
    const char *why = daemon_open(s, seen);
    me.h2 = true;
    return why;
}

const struct driver h2_driver = {"http/2",        h2_open,       daemon_client,
                                 daemon_upstream, daemon_gone,   daemon_wait_call,
                                 daemon_settle,   daemon_replay, daemon_close};
