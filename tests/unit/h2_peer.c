/* SPDX-License-Identifier: Apache-2.0
 *
 * h2_peer - our client against a server that others wrote: Node's http2 on loopback. Bodies both ways
 * under flow control, interim answers, trailers, lengths, HEAD, a refused stream, and a server that
 * leaves.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "http/h2.h"
#include "tap.h"

extern char **environ;

enum { WAIT_MS = 20000, ECHO = 300000, READ = 16384 };

static const char program[] =
    "const http2 = require('http2');"
    "const server = http2.createServer({ settings: { maxConcurrentStreams: 10 } });"
    "server.on('stream', (stream, head) => {"
    "  stream.on('error', () => {});"
    "  switch (head[':path']) {"
    "    case '/echo': stream.respond({ ':status': 200, 'x-host': head[':authority'],"
    "                    'x-cookie': head.cookie }); stream.pipe(stream); break;"
    "    case '/early': stream.additionalHeaders({ ':status': 103, link: '</a>' });"
    "                   stream.respond({ ':status': 201, 'content-length': 2 }); stream.end('ok'); "
    "break;"
    "    case '/trailers': stream.respond({ ':status': 200 }, { waitForTrailers: true });"
    "                   stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' "
    "}));"
    "                   stream.end('ok'); break;"
    "    case '/refuse': stream.close(http2.constants.NGHTTP2_REFUSED_STREAM); break;"
    "    case '/cut': stream.respond({ ':status': 200 }); stream.write('half');"
    "                 setTimeout(() => stream.destroy(new Error('cut')), 50); "
    "break;"
    "    case '/leave': stream.respond({ ':status': 204 }, { endStream: true });"
    "                   stream.session.close(); break;"
    "    default: stream.respond({ ':status': 404, 'content-length': 9 }); stream.end('not found');"
    "  }"
    "});"
    "server.listen(0, '127.0.0.1', () => console.log(server.address().port));";

struct plan {
    const char *method, *path;
    size_t size; /* of the body to send */
    int status;  /* what must come */
    size_t want;
    enum nk_h2_code code;
};

static const struct plan plans[] = {
    {"GET", "/none", 0, 404, 9, NK_H2_NO_ERROR},
    {"HEAD", "/none", 0, 404, 0, NK_H2_NO_ERROR},
    {"POST", "/echo", 1, 200, 1, NK_H2_NO_ERROR},
    {"POST", "/echo", ECHO, 200, ECHO, NK_H2_NO_ERROR},
    {"POST", "/echo", 70000, 200, 70000, NK_H2_NO_ERROR},
    {"GET", "/early", 0, 201, 2, NK_H2_NO_ERROR},
    {"GET", "/trailers", 0, 200, 2, NK_H2_NO_ERROR},
    {"GET", "/refuse", 0, 0, 0, NK_H2_REFUSED_STREAM},
    {"GET", "/cut", 0, 200, 4, NK_H2_INTERNAL_ERROR},
    {"POST", "/echo", ECHO, 200, ECHO, NK_H2_NO_ERROR},
    {"POST", "/echo", ECHO, 200, ECHO, NK_H2_NO_ERROR},
    {"POST", "/echo", ECHO, 200, ECHO, NK_H2_NO_ERROR},
    {"GET", "/leave", 0, 204, 0, NK_H2_NO_ERROR},
};

struct call {
    const struct plan *plan;
    struct nk_arena arena;
    size_t sent, heard;
    int got;
    bool gone, whole, wrong;
    enum nk_h2_code ended;
};

struct client {
    struct nk_h2 *h2;
    size_t open;
};

static void on_head(void *owner, void *call, uint32_t stream, const struct nk_http_head *head)
{
    struct call *c = call;
    (void)owner, (void)stream;
    c->got = head->status;
    if (strcmp(c->plan->path, "/echo") == 0)
        c->wrong |= !nk_str_eq(nk_http_get(head, NK_STR("X-Host")), NK_STR("peer.example")) ||
                    !nk_str_eq(nk_http_get(head, NK_STR("X-Cookie")), NK_STR("a=1; b=2"));
}

static void on_body(void *owner, void *call, uint32_t stream, struct nk_str bytes)
{
    struct client *client = owner;
    struct call *c = call;
    for (size_t i = 0; c->plan->size && i < bytes.n; i++)
        c->wrong |= bytes.p[i] != (char)((c->heard + i) % 251);
    c->heard += bytes.n;
    nk_h2_consumed(client->h2, stream, bytes.n);
}

static void on_end(void *owner, void *call, uint32_t stream)
{
    (void)owner, (void)stream;
    ((struct call *)call)->whole = true;
}

static void on_refused(void *owner, void *call, uint32_t stream, int error, const char *why)
{
    (void)owner, (void)stream, (void)error;
    printf("# refused: %s\n", why);
    ((struct call *)call)->wrong = true;
}

static ptrdiff_t on_take(void *owner, void *call, uint32_t stream, char *p, size_t max, bool *end)
{
    struct call *c = call;
    size_t n = c->plan->size - c->sent;
    (void)owner, (void)stream;
    n = n < max ? n : max;
    for (size_t i = 0; i < n; i++)
        p[i] = (char)((c->sent + i) % 251);
    c->sent += n;
    *end = c->sent == c->plan->size;
    return (ptrdiff_t)n;
}

static void on_gone(void *owner, void *call, uint32_t stream, enum nk_h2_code code, const char *why)
{
    struct client *client = owner;
    struct call *c = call;
    (void)stream, (void)why;
    c->gone = true;
    c->ended = code;
    client->open--;
}

static const struct nk_h2_handler handler = {NULL,       on_head, on_body, on_end,
                                             on_refused, on_take, on_gone};

/* The port that Node listens on; 0 when it does not. */
static int start_node(pid_t *child)
{
    int out[2];
    char *argv[] = {(char *)(uintptr_t) "node", (char *)(uintptr_t) "-e",
                    (char *)(uintptr_t)program, NULL};
    posix_spawn_file_actions_t actions;
    if (pipe(out))
        return 0;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_addclose(&actions, out[0]);
    int rc = posix_spawnp(child, "node", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    char line[32] = "";
    struct pollfd p = {out[0], POLLIN, 0};
    ssize_t n = rc == 0 && poll(&p, 1, WAIT_MS) == 1 ? read(out[0], line, sizeof line - 1) : 0;
    close(out[0]);
    return n > 0 ? (int)strtol(line, NULL, 10) : 0;
}

static void ask(struct client *client, struct call *calls, size_t count, size_t *next)
{
    static struct nk_http_header fields[] = {{{"Host", 4}, {"peer.example", 12}},
                                             {{"Cookie", 6}, {"a=1; b=2", 8}}};
    while (*next < count && nk_h2_may_request(client->h2)) {
        struct call *c = &calls[(*next)++];
        uint32_t stream;
        struct nk_http_head head = {.method = nk_str(c->plan->method),
                                    .target = nk_str(c->plan->path),
                                    .headers = fields,
                                    .header_count = NK_COUNT(fields),
                                    .content_length = c->plan->size ? (int64_t)c->plan->size : -1};
        c->wrong |=
            nk_h2_request(client->h2, "http", &head, c->plan->size > 0, &c->arena, c, &stream) != 0;
        client->open++;
    }
}

/* Runs the connection until all calls are over; false when it fails or nothing comes. */
static bool run(struct client *client, int fd, struct call *calls, size_t count)
{
    struct nk_buf out;
    size_t next = 0;
    bool ok = true;
    nk_buf_init(&out, 1 << 20);
    while (ok) {
        ask(client, calls, count, &next);
        if (!out.n && nk_h2_output(client->h2, &out, 65536))
            ok = false;
        if (client->open == 0 && (next == count || !nk_h2_may_request(client->h2)))
            break;
        struct pollfd p = {fd, (short)(out.n ? POLLIN | POLLOUT : POLLIN), 0};
        ok = ok && poll(&p, 1, WAIT_MS) == 1;
        if (ok && p.revents & POLLOUT) {
            ssize_t n = send(fd, out.p, out.n, MSG_DONTWAIT | MSG_NOSIGNAL);
            nk_buf_drop(&out, n > 0 ? (size_t)n : 0);
        }
        if (ok && p.revents & (POLLIN | POLLHUP)) {
            char in[READ];
            struct nk_fault f = {0};
            ssize_t n = recv(fd, in, sizeof in, MSG_DONTWAIT);
            ok = n > 0 && nk_h2_feed(client->h2, (struct nk_str){in, (size_t)n}, 0, &f) == 0;
            if (f.code)
                printf("# %s\n", f.message);
        }
    }
    nk_buf_free(&out);
    return ok;
}

static void check(const struct call *c)
{
    bool whole = c->plan->code == NK_H2_NO_ERROR;
    tap_ok(c->gone && !c->wrong && c->got == c->plan->status && c->ended == c->plan->code &&
               c->whole == whole && c->heard == c->plan->want && c->sent == c->plan->size,
           "Node answers %s %s: %d, %zu bytes, code %d", c->plan->method, c->plan->path, c->got,
           c->heard, (int)c->ended);
}

int main(void)
{
    struct call calls[NK_COUNT(plans)] = {0};
    struct nk_h2_limits lim;
    pid_t child = 0;
    int port = start_node(&child), fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (size_t i = 0; i < NK_COUNT(plans); i++) {
        calls[i].plan = &plans[i];
        nk_arena_init(&calls[i].arena, 1 << 16);
    }
    nk_h2_limits_default(&lim);
    lim.stream_window = 70000;
    struct client client = {0};
    client.h2 = nk_h2_new(false, &lim, &handler, &client);
    if (tap_ok(port && connect(fd, (struct sockaddr *)&to, sizeof to) == 0, "Node listens")) {
        tap_ok(run(&client, fd, calls, NK_COUNT(calls)), "the connection holds");
        tap_ok(!nk_h2_may_request(client.h2), "a server that has left is asked no more");
    }
    nk_h2_free(client.h2);
    close(fd);
    if (child > 0) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    for (size_t i = 0; i < NK_COUNT(calls); i++) {
        check(&calls[i]);
        nk_arena_free(&calls[i].arena);
    }
    return tap_done();
}
