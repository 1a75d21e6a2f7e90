/* SPDX-License-Identifier: Apache-2.0
 *
 * tools_http.c - one request and its answer, for a command that has nothing else to do meanwhile: over
 * the same parser, sockets and TLS as the courier, which tells every server the same way what it will not
 * take. A connection for each request; an event stream is over when the answer that was waited for has come.
 */
#include "cmd/tools.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>
#include "edge/file.h"
#include "edge/sock.h"
#include "http/http.h"

enum { WAIT_MS = 30000, READ_SIZE = 65536, HEAD_MAX = 32768 };

struct exchange {
    const struct nk_ask *ask;
    struct nk_arena *arena;
    struct nk_told *told;
    struct nk_fault *fault;
    struct nk_str host, port, path; /* of the URL */
    struct nk_str at;               /* unix:PATH in their place; absent: none */
    bool secure;
    int64_t until_ms;
    struct nk_sock sock;
    struct nk_buf out, body;
};

static int64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int failed(struct exchange *x, int code, const char *what)
{
    return nk_fault_set(x->fault, code, "tools", 0, "%.120s: %s", x->ask->url, what);
}

/* unix:SOCKET:/PATH, as servers that a running nakoso starts are reached. */
static int split_unix(struct exchange *x, struct nk_str url)
{
    size_t colon = url.n;
    while (colon > 5 && !nk_str_starts(nk_str_sub(url, colon, url.n), NK_STR(":/")))
        colon--;
    if (colon <= 5)
        return failed(x, NK_EINVAL, "write unix:SOCKET:/NAME");
    x->at = nk_str_sub(url, 0, colon);
    x->path = nk_str_sub(url, colon + 1, url.n);
    x->host = NK_STR("localhost");
    x->port = NK_STR("80");
    return 0;
}

/* http://host[:port][/path], the host perhaps an address in brackets. No user, no fragment. */
static int split(struct exchange *x)
{
    struct nk_str rest = nk_str(x->ask->url);
    if (nk_str_starts(rest, NK_STR("unix:")))
        return split_unix(x, rest);
    x->secure = nk_str_starts(rest, NK_STR("https://"));
    rest = nk_str_sub(rest, x->secure ? 8 : 7, rest.n);
    ptrdiff_t slash = nk_str_find(rest, '/');
    struct nk_str place = nk_str_sub(rest, 0, slash < 0 ? rest.n : (size_t)slash);
    x->path = slash < 0 ? NK_STR("/") : nk_str_sub(rest, (size_t)slash, rest.n);
    bool bracket = place.n && place.p[0] == '[';
    ptrdiff_t end = bracket ? nk_str_find(place, ']') : nk_str_find(place, ':');
    if (bracket && end < 0)
        return failed(x, NK_EINVAL, "this is no URL");
    size_t host_end = end < 0 ? place.n : (size_t)end;
    struct nk_str host = nk_str_sub(place, bracket, host_end);
    struct nk_str port = nk_str_sub(place, host_end + bracket, place.n);
    if (port.n && port.p[0] != ':')
        return failed(x, NK_EINVAL, "this is no URL");
    port = port.n ? nk_str_sub(port, 1, port.n) : x->secure ? NK_STR("443") : NK_STR("80");
    if (!host.n || !port.n || nk_str_find(place, '@') >= 0 || nk_str_find(x->path, '#') >= 0)
        return failed(x, NK_EINVAL, "this is no URL of a server");
    x->host = nk_arena_copy(x->arena, host);
    x->port = nk_arena_copy(x->arena, port);
    return x->host.p && x->port.p ? 0 : failed(x, NK_ENOMEM, "out of memory");
}

static int wait_for(struct exchange *x, int fd, short events)
{
    struct pollfd p = {fd, events, 0};
    int64_t left = x->until_ms - now_ms();
    int n = left > 0 ? poll(&p, 1, (int)left) : 0;
    if (n < 0 && errno != EINTR)
        return failed(x, NK_EIO, strerror(errno));
    return left <= 0 ? failed(x, NK_EIO, "no answer within 30 seconds") : 0;
}

static int connect_to(struct exchange *x, const struct nk_address *to)
{
    int fd = nk_connect(to), reason = 0;
    socklen_t size = sizeof reason;
    if (fd < 0)
        return -1;
    if (wait_for(x, fd, POLLOUT) || getsockopt(fd, SOL_SOCKET, SO_ERROR, &reason, &size) ||
        reason) {
        errno = reason ? reason : errno;
        close(fd);
        return -1;
    }
    return fd;
}

static int connect_info(struct exchange *x, const struct addrinfo *at)
{
    struct nk_address to = {.size = (socklen_t)at->ai_addrlen};
    if (at->ai_addrlen > sizeof to.u)
        return -1;
    memcpy(&to.u, at->ai_addr, at->ai_addrlen);
    return connect_to(x, &to);
}

static int open_unix(struct exchange *x)
{
    struct nk_address to;
    int rc = nk_address_parse(x->at, &to, x->fault);
    int fd = rc ? rc : connect_to(x, &to);
    return rc || fd >= 0 ? fd : failed(x, NK_EIO, strerror(errno));
}

static int open_connection(struct exchange *x)
{
    if (x->at.p)
        return open_unix(x);
    struct addrinfo want = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    int rc = getaddrinfo(x->host.p, x->port.p, &want, &list), fd = -1;
    if (rc)
        return failed(x, NK_EIO, gai_strerror(rc));
    errno = 0;
    for (struct addrinfo *at = list; at && fd < 0; at = at->ai_next)
        fd = connect_info(x, at);
    freeaddrinfo(list);
    return fd >= 0 ? fd : failed(x, NK_EIO, errno ? strerror(errno) : "no connection");
}

static int read_pem(struct exchange *x, const char *path, enum nk_file_care care,
                    struct nk_str *out)
{
    return path ? nk_file_read(path, 1 << 20, care, x->arena, out, x->fault) : 0;
}

static int connect_sock(struct exchange *x)
{
    struct nk_str ca = {NULL, 0};
    struct nk_tls *tls = NULL;
    int rc = read_pem(x, x->ask->how ? x->ask->how->ca : NULL, NK_FILE_PUBLIC, &ca);
    if (rc == 0 && x->secure && !(tls = nk_tls_client(ca, x->fault)))
        rc = NK_EINVAL;
    int fd = rc ? rc : open_connection(x);
    if (fd >= 0) {
        rc = nk_sock_open(&x->sock, fd, tls, x->secure ? x->host.p : NULL);
        if (rc)
            failed(x, rc, "no connection");
    } else {
        rc = fd;
    }
    nk_tls_free(tls);
    return rc;
}

/* The request ------------------------------------------------------------------------------------- */
static int put_token(struct exchange *x)
{
    struct nk_str token;
    if (!x->ask->how || !x->ask->how->token)
        return 0;
    int rc = read_pem(x, x->ask->how->token, NK_FILE_SECRET, &token);
    if (rc)
        return rc;
    while (token.n && (unsigned char)token.p[token.n - 1] <= ' ')
        token.n--;
    for (size_t i = 0; i < token.n; i++)
        if ((unsigned char)token.p[i] <= ' ' || (unsigned char)token.p[i] >= 0x7f)
            return failed(x, NK_EINVAL, "the token's file holds more than one word");
    nk_buf_printf(&x->out, "Authorization: Bearer %.*s\r\n", NK_FMT(token));
    return 0;
}

static int put_request(struct exchange *x)
{
    bool v6 = nk_str_find(x->host, ':') >= 0;
    bool usual = nk_str_eq(x->port, x->secure ? NK_STR("443") : NK_STR("80"));
    nk_buf_printf(&x->out, "%s %.*s HTTP/1.1\r\nHost: %s%s%s%s%s\r\n", x->ask->method,
                  NK_FMT(x->path), v6 ? "[" : "", x->host.p, v6 ? "]" : "", usual ? "" : ":",
                  usual ? "" : x->port.p);
    nk_buf_add(&x->out, x->ask->headers);
    int rc = put_token(x);
    if (x->ask->body.p)
        nk_buf_printf(&x->out, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
                      x->ask->body.n);
    nk_buf_add(&x->out, NK_STR("User-Agent: nakoso/" NK_VERSION "\r\nConnection: close\r\n\r\n"));
    nk_buf_add(&x->out, x->ask->body);
    return rc ? rc : x->out.error;
}

static int send_all(struct exchange *x)
{
    size_t sent = 0;
    while (sent < x->out.n) {
        struct iovec v = {x->out.p + sent, x->out.n - sent};
        ssize_t n = nk_sock_write(&x->sock, &v, 1);
        if (n == NK_EAGAIN) {
            int rc = wait_for(x, x->sock.fd, (short)(x->sock.want_write ? POLLOUT : POLLIN));
            if (rc)
                return rc;
            continue;
        }
        if (n < 0)
            return failed(x, (int)n, x->sock.reason ? x->sock.reason : "the connection broke");
        sent += (size_t)n;
    }
    return 0;
}

/* The answer -------------------------------------------------------------------------------------- */
static struct nk_str keep(struct exchange *x, struct nk_str s)
{
    return s.p ? nk_arena_copy(x->arena, s) : s;
}

/* Takes what came; 1: the answer is complete. */
static int take(struct exchange *x, struct nk_http_parser *p, struct nk_str in)
{
    enum nk_http_event event = NK_HTTP_MORE;
    do {
        struct nk_fault f = {0};
        int rc = nk_http_parse(p, &in, &event, &f);
        if (rc)
            return failed(x, rc, f.message);
        if (event == NK_HTTP_HEAD) {
            const struct nk_http_head *h = nk_http_parser_head(p);
            x->told->status = h->status;
            x->told->session = keep(x, nk_http_get(h, NK_STR("mcp-session-id")));
            x->told->type = keep(x, nk_http_get(h, NK_STR("content-type")));
        } else if (event == NK_HTTP_BODY) {
            nk_buf_add(&x->body, nk_http_parser_body(p));
        }
        if (x->body.error)
            return failed(x, x->body.error, "the answer is too large");
    } while (event != NK_HTTP_MORE && event != NK_HTTP_END);
    return event == NK_HTTP_END;
}

static int receive(struct exchange *x)
{
    static char bytes[READ_SIZE];
    static const struct nk_http_limits limits = {HEAD_MAX, 100, NK_OFFER_MAX};
    struct nk_http_parser *p = nk_http_parser_new(x->arena, false, &limits);
    if (!p)
        return failed(x, NK_ENOMEM, "out of memory");
    for (;;) {
        struct nk_fault f = {0};
        ssize_t n = nk_sock_read(&x->sock, bytes, sizeof bytes, &f);
        int rc;
        if (n == NK_EAGAIN)
            rc = wait_for(x, x->sock.fd, (short)(x->sock.want_write ? POLLOUT : POLLIN));
        else if (n < 0)
            rc = failed(x, (int)n, f.message[0] ? f.message : "the connection broke");
        else if (n == 0) {
            enum nk_http_event event;
            rc = nk_http_parse_eof(p, &event) ? failed(x, NK_EIO, "the answer broke off") : 1;
        } else {
            rc = take(x, p, (struct nk_str){bytes, (size_t)n});
        }
        if (rc)
            return rc < 0 ? rc : 0;
    }
}

int nk_ask_http(const struct nk_ask *ask, struct nk_arena *a, struct nk_told *out,
                struct nk_fault *f)
{
    struct exchange x = {
        .ask = ask, .arena = a, .told = out, .fault = f, .until_ms = now_ms() + WAIT_MS};
    *out = (struct nk_told){0};
    nk_buf_init(&x.out, NK_OFFER_MAX);
    nk_buf_init(&x.body, NK_OFFER_MAX);
    int rc = split(&x);
    if (rc == 0)
        rc = put_request(&x);
    if (rc == 0 && (rc = connect_sock(&x)) == 0) {
        rc = send_all(&x);
        if (rc == 0)
            rc = receive(&x);
        nk_sock_close(&x.sock);
    }
    if (rc == 0)
        out->body = nk_arena_copy(a, x.body.n ? nk_buf_str(&x.body) : NK_STR(""));
    if (x.out.n)
        nk_secret_wipe(x.out.p, x.out.n);
    nk_buf_free(&x.out);
    nk_buf_free(&x.body);
    return rc || out->body.p ? rc : nk_fault_set(f, NK_ENOMEM, "tools", 0, "out of memory");
}
