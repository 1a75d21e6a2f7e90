/* SPDX-License-Identifier: Apache-2.0
 *
 * link_proxy.c - an HTTP proxy on the way to an upstream (RFC 9110, sections 7.6 and 9.3.6). For
 * https a tunnel is asked for by CONNECT before TLS begins, so that the proxy sees a name, a port
 * and ciphertext. Its answer is parsed as strictly as an upstream's: anything but 2xx, and any byte
 * behind its head, ends the attempt; TLS servers do not speak first. For http the request itself
 * goes to the proxy, in absolute form.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "role/courier.h"

enum { HEAD_MAX = 4096, HEADERS_MAX = 64, ARENA_MAX = 65536, READ = 1024, WHY = 100 };

struct tunnel {
    struct nk_arena arena;
    struct nk_http_parser *parser;
    struct nk_buf out; /* the request */
    size_t sent;
};

static void put_credential(const struct endpoint *up, struct nk_buf *out)
{
    if (!up->proxy_auth.p)
        return;
    nk_buf_add(out, NK_STR("Proxy-Authorization: "));
    nk_buf_add(out, up->proxy_auth);
    nk_buf_add(out, NK_STR("\r\n"));
}

static void put_authority(const struct nk_origin *o, struct nk_buf *out)
{
    bool bracket = strchr(o->host, ':') != NULL;
    nk_buf_printf(out, bracket ? "[%s]:%u" : "%s:%u", o->host, o->port);
}

bool link_proxy_begin(struct link *l)
{
    const struct nk_http_limits lim = {HEAD_MAX, HEADERS_MAX, 0};
    struct tunnel *t = calloc(1, sizeof *t);
    if (!t)
        return false;
    nk_arena_init(&t->arena, ARENA_MAX);
    nk_buf_init(&t->out, HEAD_MAX * 4);
    t->parser = nk_http_parser_new(&t->arena, false, &lim);
    nk_buf_add(&t->out, NK_STR("CONNECT "));
    put_authority(&l->up->origin, &t->out);
    nk_buf_add(&t->out, NK_STR(" HTTP/1.1\r\nHost: "));
    put_authority(&l->up->origin, &t->out);
    nk_buf_add(&t->out, NK_STR("\r\n"));
    put_credential(l->up, &t->out);
    nk_buf_add(&t->out, NK_STR("\r\n"));
    l->tunnel = t;
    if (!t->parser || t->out.error) {
        link_proxy_end(l);
        return false;
    }
    nk_http_parser_expect_no_body(t->parser);
    return true;
}

void link_proxy_end(struct link *l)
{
    struct tunnel *t = l->tunnel;
    if (!t)
        return;
    if (t->out.n)
        nk_secret_wipe(t->out.p, t->out.n);
    nk_buf_free(&t->out);
    nk_arena_free(&t->arena);
    free(t);
    l->tunnel = NULL;
}

bool link_proxy_is_asked(const struct link *l)
{
    return l->tunnel->sent == l->tunnel->out.n;
}

static const char *judge(int status)
{
    if (status / 100 == 2)
        return NULL;
    return status == 407 ? "the proxy wants another credential (407)"
                         : "the proxy refused the connection";
}

/* 0: the tunnel stands; NK_EAGAIN; or it never will, *why. */
static int listen_to(struct link *l, char why[WHY])
{
    char bytes[READ];
    struct nk_fault f = {0};
    enum nk_http_event e = NK_HTTP_MORE;
    for (;;) {
        ssize_t n = nk_sock_read(&l->sock, bytes, sizeof bytes, &f);
        if (n == NK_EAGAIN)
            return NK_EAGAIN;
        struct nk_str in = {bytes, n > 0 ? (size_t)n : 0};
        if (n <= 0) {
            snprintf(why, WHY, "the proxy closed the connection");
            return NK_EIO;
        }
        while (in.n || e != NK_HTTP_MORE) {
            if (nk_http_parse(l->tunnel->parser, &in, &e, &f)) {
                snprintf(why, WHY, "the proxy's answer: %.70s", f.message);
                return NK_EINVAL;
            }
            int status = e == NK_HTTP_MORE ? 200 : nk_http_parser_head(l->tunnel->parser)->status;
            const char *bad = judge(status);
            if (bad) {
                snprintf(why, WHY, status == 407 ? "%s" : "%s (%d)", bad, status);
                return NK_EDENIED;
            }
            if (e == NK_HTTP_END && in.n)
                snprintf(why, WHY, "the proxy said more than its answer");
            if (e == NK_HTTP_END)
                return in.n ? NK_EINVAL : 0;
        }
    }
}

static int ask(struct link *l)
{
    struct tunnel *t = l->tunnel;
    while (t->sent < t->out.n) {
        struct iovec iov = {t->out.p + t->sent, t->out.n - t->sent};
        ssize_t n = nk_sock_write(&l->sock, &iov, 1);
        if (n <= 0)
            return n == NK_EAGAIN ? NK_EAGAIN : NK_EIO;
        t->sent += (size_t)n;
    }
    return 0;
}

bool link_proxy_ready(struct link *l, uint32_t events)
{
    char why[WHY] = "the connection to the proxy broke";
    if (l->tunnel->sent == 0 && events & (EPOLLERR | EPOLLHUP))
        return true; /* there is no connection at all: who waits for it finds out why */
    int rc = ask(l);
    if (!rc)
        rc = listen_to(l, why);
    if (!rc) {
        link_proxy_end(l);
        rc = nk_sock_secure(&l->sock, l->up->tls, l->up->server_name);
        if (!rc) {
            link_offer(l);
            return true;
        }
        snprintf(why, sizeof why, "no memory for TLS");
    }
    if (rc == NK_EAGAIN)
        link_watch(l);
    else if (l->mux)
        mux_lose(l, NK_WIRE_FAIL_CONNECT, why);
    else
        exchange_lose(l->x, NK_WIRE_FAIL_CONNECT, why);
    return false;
}

int link_proxy_head(const struct endpoint *up, struct nk_buf *head)
{
    if (!up->is_proxied || up->origin.tls)
        return 0;
    struct nk_str in = nk_buf_str(head);
    ptrdiff_t space = nk_str_find(in, ' '), line = nk_str_search(in, NK_STR("\r\n"));
    NK_MUST(space > 0 && line > space);
    struct nk_buf out;
    nk_buf_init(&out, head->max);
    nk_buf_add(&out, nk_str_sub(in, 0, (size_t)space + 1));
    nk_buf_add(&out, NK_STR("http://"));
    nk_buf_add(&out, up->origin.host_header);
    nk_buf_add(&out, nk_str_sub(in, (size_t)space + 1, (size_t)line + 2));
    put_credential(up, &out);
    nk_buf_add(&out, nk_str_sub(in, (size_t)line + 2, in.n));
    nk_buf_clear(head);
    nk_buf_add(head, nk_buf_str(&out));
    int rc = out.error ? out.error : head->error;
    if (out.n)
        nk_secret_wipe(out.p, out.n);
    nk_buf_free(&out);
    return rc;
}
