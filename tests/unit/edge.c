/* SPDX-License-Identifier: Apache-2.0
 *
 * edge - the event loop, timers, addresses, and socks: plain, Unix and TLS, over real descriptors
 * on loopback. Certificates are made here, in memory.
 */
#include "identity.h"
#include "tap.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "edge/loop.h"
#include "edge/sock.h"

/* Loop and timers ------------------------------------------------------------------------------ */

static struct nk_loop *loop;
static int order[512], order_n;

struct tick {
    struct nk_timer timer;
    int id;
    int again;
};

static void on_tick(struct nk_timer *t)
{
    struct tick *k = NK_OF(t, struct tick, timer);
    order[order_n++] = k->id;
    if (k->again-- > 0 && nk_loop_arm(loop, t, 0))
        order[order_n++] = -1;
}

static void on_stop(struct nk_timer *t)
{
    (void)t;
    nk_loop_stop(loop, 7);
}

static void timer_cases(void)
{
    static struct tick ticks[200];
    struct nk_timer stop = {.fire = on_stop};
    loop = nk_loop_new(NULL);
    order_n = 0;
    bool ok = true;
    for (int i = 0; i < 200; i++) {
        ticks[i] = (struct tick){.timer.fire = on_tick, .id = (i * 37) % 200};
        ok &= !nk_loop_arm(loop, &ticks[i].timer, 1000 + ticks[i].id * 100);
    }
    /* Every third is taken out, every fifth is moved behind all others, with its id. */
    for (int i = 0; i < 200; i++) {
        if (ticks[i].id % 3 == 0)
            nk_loop_disarm(loop, &ticks[i].timer);
        else if (ticks[i].id % 5 == 0)
            ok &= !nk_loop_arm(loop, &ticks[i].timer, 30000 + ticks[i].id * 100),
                ticks[i].id += 1000;
    }
    nk_loop_disarm(loop, &ticks[0].timer);
    ok &= !nk_loop_arm(loop, &stop, 60000);
    tap_ok(ok, "timers are armed");
    tap_ok(nk_loop_run(loop) == 7, "the loop returns what it was stopped with");
    int expected = 0;
    for (int i = 0; i < 200; i++)
        expected += ticks[i].id > 0 && (ticks[i].id % 1000) % 3 != 0;
    bool sorted = order_n == expected;
    for (int i = 1; i < order_n; i++)
        sorted &= order[i - 1] < order[i];
    tap_ok(sorted, "timers fire in order of time, %d of %d", order_n, expected);
    order_n = 0;
    struct tick again = {.timer.fire = on_tick, .id = 1, .again = 5};
    tap_ok(!nk_loop_arm(loop, &again.timer, 0) && !nk_loop_arm(loop, &stop, 20000) &&
               nk_loop_run(loop) == 7 && order_n == 6,
           "a timer may arm itself anew");
    nk_loop_free(loop);
}

struct conn {
    struct nk_watch watch;
    struct nk_later later;
    struct conn *other;
    int calls, freed;
};

static void conn_free(struct nk_later *l)
{
    struct conn *c = NK_OF(l, struct conn, later);
    c->freed++;
    close(c->watch.fd);
}

/* Whichever comes first ends both; the other one's event of the same batch must not be delivered.
 */
static void on_conn(struct nk_watch *w, uint32_t events)
{
    struct conn *c = NK_OF(w, struct conn, watch);
    (void)events;
    c->calls++;
    tap_ok(!nk_loop_watch(loop, w, 0) && !nk_loop_watch(loop, &c->other->watch, 0),
           "both watches are given up");
    nk_loop_later(loop, &c->later);
    nk_loop_later(loop, &c->other->later);
    nk_loop_stop(loop, 0);
}

static void watch_cases(void)
{
    int one[2], two[2];
    loop = nk_loop_new(NULL);
    TAP_CHECK(!pipe2(one, O_NONBLOCK) && !pipe2(two, O_NONBLOCK));
    struct conn a = {.watch = {.fd = one[0], .ready = on_conn}, .later.run = conn_free};
    struct conn b = {.watch = {.fd = two[0], .ready = on_conn}, .later.run = conn_free};
    a.other = &b;
    b.other = &a;
    TAP_CHECK(!nk_loop_watch(loop, &a.watch, EPOLLIN) && !nk_loop_watch(loop, &b.watch, EPOLLIN));
    TAP_CHECK(write(one[1], "x", 1) == 1 && write(two[1], "x", 1) == 1);
    TAP_CHECK(nk_loop_run(loop) == 0);
    TAP_CHECK(a.calls + b.calls == 1);
    TAP_CHECK(a.freed == 1 && b.freed == 1);
    struct nk_watch bad = {.fd = 9999};
    TAP_CHECK(nk_loop_watch(loop, &bad, EPOLLIN) == NK_EIO && bad.events == 0);
    nk_loop_free(loop);
    close(one[1]);
    close(two[1]);
}

struct hook_log {
    int polls, flushes, sleeps, awakes;
    bool refuse_sleep;
};

static bool hook_poll(void *ctx)
{
    struct hook_log *g = ctx;
    return ++g->polls < 5;
}

static void hook_flush(void *ctx)
{
    struct hook_log *g = ctx;
    if (++g->flushes == 8)
        nk_loop_stop(loop, 1);
}

static bool hook_sleep(void *ctx)
{
    struct hook_log *g = ctx;
    g->sleeps++;
    g->refuse_sleep = !g->refuse_sleep;
    return g->refuse_sleep;
}

static void hook_awake(void *ctx)
{
    ((struct hook_log *)ctx)->awakes++;
}

static void hook_cases(void)
{
    struct hook_log g = {0};
    struct nk_loop_hooks hooks = {&g, hook_poll, hook_flush, hook_sleep, hook_awake};
    struct tick wake = {.timer.fire = on_tick, .again = 8};
    loop = nk_loop_new(&hooks);
    order_n = 0;
    TAP_CHECK(!nk_loop_arm(loop, &wake.timer, 0) && nk_loop_run(loop) == 1);
    /* Batches 1 to 5 are busy; of the three others, the second sleep is refused. */
    tap_ok(g.polls == 8 && g.flushes == 8 && g.sleeps == 3 && g.awakes == 2,
           "hooks: %d polls, %d flushes, %d sleeps, %d awakes", g.polls, g.flushes, g.sleeps,
           g.awakes);
    nk_loop_free(loop);
}

/* Addresses ------------------------------------------------------------------------------------ */

static void address_cases(void)
{
    static const char *const good[] = {"127.0.0.1:8080", "0.0.0.0:0", "[::1]:65535",
                                       "[2001:db8::1]:1", "unix:/run/x.sock"};
    static const char *const bad[] = {"",           ":80",         "127.0.0.1",   "127.0.0.1:",
                                      "1.2.3:80",   "::1:80",      "[::1]",       "127.0.0.1:65536",
                                      "1.2.3.4:+1", "localhost:1", "[::1:80",     "1.2.3.4:080",
                                      "unix:",      "unix:x",      "[1.2.3.4]:1", "1.2.3.4:8 "};
    struct nk_address a;
    for (size_t i = 0; i < NK_COUNT(good); i++) {
        struct nk_fault f = {0};
        tap_ok(nk_address_parse(nk_str(good[i]), &a, &f) == 0, "address %s", good[i]);
    }
    for (size_t i = 0; i < NK_COUNT(bad); i++) {
        struct nk_fault f = {0};
        tap_ok(nk_address_parse(nk_str(bad[i]), &a, &f) == NK_EINVAL && f.message[0],
               "not an address: \"%s\"", bad[i]);
    }
    struct nk_fault f = {0};
    char path[200];
    memset(path, 'x', sizeof path);
    memcpy(path, "unix:/", 6);
    TAP_CHECK(nk_address_parse((struct nk_str){path, sizeof path}, &a, &f) == NK_EINVAL);
}

/* Two ends of a connection --------------------------------------------------------------------- */

/* Fills in the port that the kernel chose. */
static int listen_any(struct nk_address *at, const char *text)
{
    struct nk_fault f = {0};
    if (nk_address_parse(nk_str(text), at, &f))
        return -1;
    int fd = nk_listen(at, false, &f);
    socklen_t n = at->size;
    if (fd < 0 || getsockname(fd, &at->u.sa, &n))
        printf("# %s\n", f.message);
    return fd;
}

static int accept_one(int listener)
{
    for (int i = 0; i < 1000; i++) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0 || errno != EAGAIN)
            return fd;
        usleep(1000);
    }
    return -1;
}

static struct nk_address tcp;
static int tcp_listener;

static bool open_pair(struct nk_sock *client, struct nk_sock *server, struct nk_tls *ct,
                      struct nk_tls *st, const char *host)
{
    int c = nk_connect(&tcp);
    int s = c >= 0 ? accept_one(tcp_listener) : -1;
    return s >= 0 && !nk_sock_open(client, c, ct, host) && !nk_sock_open(server, s, st, NULL);
}

static ssize_t put(struct nk_sock *s, const char *text)
{
    size_t half = strlen(text) / 2;
    struct iovec iov[2] = {{(void *)(uintptr_t)text, half},
                           {(void *)(uintptr_t)(text + half), strlen(text) - half}};
    return nk_sock_write(s, iov, 2);
}

/* Carries `text` from one end to the other and handshakes on the way; the first error, or 0. */
static int carry(struct nk_sock *from, struct nk_sock *to, const char *text, struct nk_fault *f)
{
    char got[256];
    size_t have = 0, sent = 0, n = strlen(text);
    for (int i = 0; i < 2000 && have < n; i++) {
        ssize_t w = sent < n ? put(from, text + sent) : 0;
        ssize_t r = nk_sock_read(to, got + have, sizeof got - have, f);
        ssize_t back = nk_sock_read(from, got + have, 1, f);
        ssize_t errors[] = {w, r, back};
        for (size_t k = 0; k < 3; k++)
            if ((errors[k] < 0 && errors[k] != NK_EAGAIN) || (k && errors[k] == 0))
                return errors[k] ? (int)errors[k] : NK_EIO;
        sent += w > 0 ? (size_t)w : 0;
        have += r > 0 ? (size_t)r : 0;
        if (r < 0 && w <= 0)
            usleep(100);
    }
    return have == n && !memcmp(got, text, n) ? 0 : NK_EINVAL;
}

static void plain_cases(void)
{
    struct nk_sock c, s;
    struct nk_fault f = {0};
    char byte;
    TAP_CHECK(open_pair(&c, &s, NULL, NULL, NULL));
    TAP_CHECK(nk_sock_read(&s, &byte, 1, &f) == NK_EAGAIN && !s.want_write);
    TAP_CHECK(carry(&c, &s, "hello", &f) == 0 && carry(&s, &c, "and back", &f) == 0);
    TAP_CHECK(!nk_sock_has_buffered(&c));
    /* Fill the pipe until the kernel wants no more. */
    static char big[1 << 20];
    struct iovec iov = {big, sizeof big};
    ssize_t put_n;
    while ((put_n = nk_sock_write(&c, &iov, 1)) > 0)
        ;
    TAP_CHECK(put_n == NK_EAGAIN && c.want_write);
    nk_sock_close(&s);
    TAP_CHECK(s.fd == -1);
    /* Writing to a closed peer is an error, not a signal. */
    int rc = 0;
    for (int i = 0; i < 100 && rc != NK_EIO; i++) {
        rc = (int)nk_sock_write(&c, &iov, 1);
        usleep(1000);
    }
    TAP_CHECK(rc == NK_EIO);
    nk_sock_close(&c);
    TAP_CHECK(open_pair(&c, &s, NULL, NULL, NULL));
    nk_sock_close(&c);
    usleep(1000);
    TAP_CHECK(nk_sock_read(&s, &byte, 1, &f) == 0);
    nk_sock_close(&s);
}

static void unix_cases(void)
{
    char text[100], *path = text + 5;
    snprintf(text, sizeof text, "unix:/tmp/nakoso-test-%d.sock", (int)getpid());
    struct nk_address at;
    struct nk_fault f = {0};
    struct stat st;
    TAP_CHECK(!nk_address_parse(nk_str(text), &at, &f));
    int one = nk_listen(&at, false, &f);
    TAP_CHECK(one >= 0 && !stat(path, &st) && (st.st_mode & 0777) == 0660);
    TAP_CHECK(nk_listen(&at, false, &f) == NK_EIO && f.message[0]);
    close(one); /* as a process that dies: the file stays */
    f = (struct nk_fault){0};
    one = nk_listen(&at, false, &f);
    tap_ok(one >= 0, "a stale socket file is replaced");
    int c = nk_connect(&at), s = accept_one(one);
    struct nk_sock cs, ss;
    TAP_CHECK(!nk_sock_open(&cs, c, NULL, NULL) && !nk_sock_open(&ss, s, NULL, NULL));
    TAP_CHECK(carry(&cs, &ss, "hello", &f) == 0);
    nk_sock_close(&cs);
    nk_sock_close(&ss);
    close(one);
    unlink(path);
    int file = open(path, O_CREAT | O_WRONLY, 0600);
    f = (struct nk_fault){0};
    tap_ok(nk_listen(&at, false, &f) == NK_EIO && !stat(path, &st), "another file is not replaced");
    close(file);
    unlink(path);
    TAP_CHECK(nk_connect(&at) == NK_EIO);
}

/* TLS ------------------------------------------------------------------------------------------ */

static int handshake(struct nk_tls *ct, struct nk_tls *st, const char *host, struct nk_fault *f,
                     char *protocol)
{
    struct nk_sock c, s;
    if (!open_pair(&c, &s, ct, st, host))
        return NK_EIO;
    int rc = carry(&c, &s, "ping", f);
    rc = rc ? rc : carry(&s, &c, "pong", f);
    if (!rc && protocol) {
        const unsigned char *alpn;
        unsigned n;
        SSL_get0_alpn_selected(c.ssl, &alpn, &n);
        snprintf(protocol, 64, "%s %.*s", SSL_get_version(c.ssl), (int)n, (const char *)alpn);
    }
    nk_sock_close(&c);
    nk_sock_close(&s);
    return rc;
}

static void resume_cases(struct nk_tls *ct, struct nk_tls *st)
{
    struct nk_tls_session slot = {0};
    struct nk_fault f = {0};
    for (int round = 0; round < 3; round++) {
        struct nk_sock c, s;
        TAP_CHECK(open_pair(&c, &s, ct, st, "api.example"));
        nk_sock_resume(&c, &slot);
        TAP_CHECK(carry(&c, &s, "ping", &f) == 0 && carry(&s, &c, "pong", &f) == 0);
        tap_ok(SSL_session_reused(c.ssl) == (round > 0), "handshake %d is %s", round,
               round ? "resumed" : "full");
        TAP_CHECK(slot.session != NULL);
        nk_sock_close(&c);
        nk_sock_close(&s);
    }
    nk_tls_session_free(&slot);
    struct nk_sock plain = {.fd = -1};
    nk_sock_resume(&plain, &slot);
}

/* Reading less than a record leaves bytes that epoll does not know of; the end is seen as the end.
 */
static void record_cases(struct nk_tls *ct, struct nk_tls *st)
{
    struct nk_sock c, s;
    struct nk_fault f = {0};
    char two[2];
    TAP_CHECK(open_pair(&c, &s, ct, st, "api.example"));
    TAP_CHECK(carry(&c, &s, "ping", &f) == 0);
    TAP_CHECK(put(&c, "abcd") == 4);
    ssize_t n;
    while ((n = nk_sock_read(&s, two, 2, &f)) == NK_EAGAIN)
        usleep(100);
    TAP_CHECK(n == 2 && nk_sock_has_buffered(&s));
    TAP_CHECK(nk_sock_read(&s, two, 2, &f) == 2 && !nk_sock_has_buffered(&s));
    nk_sock_close(&c);
    while ((n = nk_sock_read(&s, two, 2, &f)) == NK_EAGAIN)
        usleep(100);
    tap_ok(n == 0, "a goodbye is the end of the stream");
    nk_sock_close(&s);
    TAP_CHECK(open_pair(&c, &s, ct, st, "api.example"));
    TAP_CHECK(carry(&c, &s, "ping", &f) == 0 && carry(&s, &c, "pong", &f) == 0);
    shutdown(c.fd, SHUT_RDWR);
    while ((n = nk_sock_read(&s, two, 2, &f)) == NK_EAGAIN)
        usleep(100);
    tap_ok(n == NK_EIO, "an end without a goodbye is an error");
    nk_sock_close(&s);
    nk_sock_close(&c);
    TAP_CHECK(open_pair(&c, &s, ct, NULL, "api.example"));
    TAP_CHECK(carry(&s, &c, "HTTP/1.1 400 Bad Request\r\n\r\n", &f) == NK_ECRYPTO && f.message[0]);
    nk_sock_close(&s);
    nk_sock_close(&c);
}

static void verify_cases(struct identity *ca, struct nk_tls *ct, struct nk_tls *st)
{
    static const struct {
        const char *alt, *host;
        long days;
        bool own_ca;
        int rc;
    } cases[] = {
        {"DNS:api.example", "api.example", 30, true, 0},
        {"DNS:*.test.example", "api.test.example", 30, true, 0},
        {"IP:127.0.0.1", "127.0.0.1", 30, true, 0},
        {"DNS:api.example", "other.example", 30, true, NK_ECRYPTO},
        {"DNS:*.test.example", "a.b.test.example", 30, true, NK_ECRYPTO},
        {"DNS:a*.test.example", "api.test.example", 30, true, NK_ECRYPTO},
        {"DNS:127.0.0.1", "127.0.0.1", 30, true, NK_ECRYPTO},
        {"DNS:api.example", "api.example", -1, true, NK_ECRYPTO},
        {"DNS:api.example", "api.example", 30, false, NK_ECRYPTO},
    };
    (void)st;
    for (size_t i = 0; i < NK_COUNT(cases); i++) {
        struct nk_fault f = {0};
        struct identity id =
            make_identity("leaf", cases[i].alt, cases[i].own_ca ? ca : NULL, cases[i].days);
        struct nk_tls *server =
            nk_tls_server(nk_buf_str(&id.cert_pem), nk_buf_str(&id.key_pem), &f);
        int rc = server ? handshake(ct, server, cases[i].host, &f, NULL) : NK_EIO;
        tap_ok(rc == cases[i].rc, "certificate %s for %s, %ld days%s: %s", cases[i].alt,
               cases[i].host, cases[i].days, cases[i].own_ca ? "" : ", own signature",
               rc ? f.message : "accepted");
        nk_tls_free(server);
        drop_identity(&id);
    }
}

/* Peers that speak an old protocol, or another one by ALPN, are refused. */
static void peer_cases(struct nk_tls *st)
{
    for (int which = 0; which < 2; which++) {
        struct nk_sock s;
        struct nk_fault f = {0};
        int fd = nk_connect(&tcp);
        int accepted = accept_one(tcp_listener);
        SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_security_level(ctx, 0);
        if (which)
            SSL_CTX_set_max_proto_version(ctx, TLS1_1_VERSION);
        else
            SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)"\2h2", 3);
        SSL *ssl = SSL_new(ctx);
        SSL_set_fd(ssl, fd);
        ssize_t rc = NK_EAGAIN;
        char byte;
        TAP_CHECK(nk_sock_open(&s, accepted, st, NULL) == 0);
        for (int i = 0; i < 1000 && rc == NK_EAGAIN; i++) {
            (void)SSL_connect(ssl);
            rc = nk_sock_read(&s, &byte, 1, &f);
            usleep(100);
        }
        tap_ok(rc == NK_ECRYPTO, "%s is refused: %s", which ? "TLS 1.1" : "ALPN h2", f.message);
        SSL_free(ssl);
        SSL_CTX_free(ctx);
        close(fd);
        nk_sock_close(&s);
    }
}

static void context_cases(struct identity *ca, struct identity *leaf)
{
    struct nk_str cert = nk_buf_str(&leaf->cert_pem), key = nk_buf_str(&leaf->key_pem);
    struct nk_str none = {NULL, 0};
    const struct {
        const char *name;
        struct nk_str cert, key;
    } bad[] = {
        {"no certificate", none, key},
        {"no key", cert, none},
        {"key of another", cert, nk_buf_str(&ca->key_pem)},
        {"key in place of a certificate", key, key},
        {"cut certificate", nk_str_sub(cert, 0, cert.n / 2), key},
        {"cut key", cert, nk_str_sub(key, 0, key.n / 2)},
    };
    for (size_t i = 0; i < NK_COUNT(bad); i++) {
        struct nk_fault f = {0};
        struct nk_tls *t = nk_tls_server(bad[i].cert, bad[i].key, &f);
        tap_ok(!t && f.code == NK_EINVAL, "server: %s: %s", bad[i].name, f.message);
    }
    struct nk_fault f = {0};
    TAP_CHECK(!nk_tls_client(NK_STR("nothing"), &f) && f.code == NK_EINVAL);
    f = (struct nk_fault){0};
    TAP_CHECK(!nk_tls_client(NK_STR(""), &f) && f.code == NK_EINVAL);
    f = (struct nk_fault){0};
    struct nk_tls *system = nk_tls_client(none, &f);
    tap_ok(system || f.code == NK_ENOTFOUND, "system's authorities: %s",
           system ? "loaded" : f.message);
    nk_tls_free(system);
}

static void tls_cases(void)
{
    struct identity ca = make_identity("Test CA", NULL, NULL, 30);
    struct identity leaf = make_identity("leaf", "DNS:api.example,IP:127.0.0.1", &ca, 30);
    struct nk_fault f = {0};
    char protocol[64] = "";
    struct nk_tls *st = nk_tls_server(nk_buf_str(&leaf.cert_pem), nk_buf_str(&leaf.key_pem), &f);
    struct nk_tls *ct = nk_tls_client(nk_buf_str(&ca.cert_pem), &f);
    if (tap_ok(st && ct, "contexts %s", f.message)) {
        int rc = handshake(ct, st, "api.example", &f, protocol);
        tap_ok(rc == 0 && !strcmp(protocol, "TLSv1.3 http/1.1"), "handshake: %s %s", protocol,
               f.message);
        resume_cases(ct, st);
        record_cases(ct, st);
        verify_cases(&ca, ct, st);
        peer_cases(st);
        context_cases(&ca, &leaf);
    }
    nk_tls_free(st);
    nk_tls_free(ct);
    drop_identity(&ca);
    drop_identity(&leaf);
}

int main(void)
{
    timer_cases();
    watch_cases();
    hook_cases();
    address_cases();
    tcp_listener = listen_any(&tcp, "127.0.0.1:0");
    plain_cases();
    unix_cases();
    tls_cases();
    close(tcp_listener);
    return tap_done();
}
