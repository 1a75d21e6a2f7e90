/* SPDX-License-Identifier: Apache-2.0
 *
 * h2 - a connection of HTTP/2. First byte: server or client, with or without the peer's preface in
 * front, does the owner answer and consume, is memory scarce; second: how the input is cut. Whatever
 * the cut, what the owner hears and what is sent must be the same; a head that was understood can be written as
 * HTTP/1.1 and read again (h2_app.h); what the connection holds stays within its limits; and each
 * stream that began ends once.
 */
#include <stdio.h>
#include "h2_app_end.h"
#include "h2_read.h"
#include "http/h2_own.h"

static const char preface[] = NGHTTP2_CLIENT_MAGIC "\0\0\0\4\0\0\0\0\0\0\0\0\4\1\0\0\0\0";

static void set_limits(struct nk_h2_limits *lim)
{
    nk_h2_limits_default(lim);
    lim->max_head_bytes = 1024;
    lim->max_headers = 16;
    lim->streams = 8;
    lim->max_queued = 4096;
    lim->resets = lim->pings = lim->settings = lim->priorities = 8;
    lim->empties = 4;
    lim->updates = lim->strays = 16;
}

static void ask(struct h2_app *a)
{
    static const char *const methods[] = {"GET", "HEAD", "POST"};
    for (size_t i = 0; i < NK_COUNT(methods); i++) {
        struct nk_http_header host = {NK_STR("Host"), NK_STR("a")};
        struct nk_http_head head = {.method = nk_str(methods[i]),
                                    .target = NK_STR("/"),
                                    .headers = &host,
                                    .header_count = 1,
                                    .content_length = -1};
        struct h2_app_stream *s = h2_app_open(a, 0);
        s->to_send = 10;
        int rc = nk_h2_request(a->h2, "https", &head, i == 2, &s->arena, s, &s->id);
        if (rc)
            h2_app_close(s);
    }
}

static void check(const struct nk_h2 *h)
{
    NK_MUST(h->memory <= h->lim.max_memory);
    NK_MUST(h->queue.n <= h->lim.max_queued || h->failed);
    NK_MUST(h->block.text.n <= h->lim.max_head_bytes);
    NK_MUST(h->stream_count <= h->lim.streams + 1);
}

static int feed(struct h2_app *a, const uint8_t *p, size_t n, unsigned *cut)
{
    int rc = 0;
    while (n) {
        *cut = *cut ? *cut * 1103515245 + 12345 : 0;
        size_t size = *cut ? (*cut >> 16) % 40 + 1 : n;
        size = size < n ? size : n;
        char *piece = malloc(size);
        struct nk_fault f = {0};
        memcpy(piece, p, size);
        int again = nk_h2_feed(a->h2, (struct nk_str){piece, size}, 0, &f);
        free(piece);
        NK_MUST(again == f.code && (rc == 0 || again == rc));
        rc = again;
        NK_MUST(!rc || (nk_h2_is_over(a->h2) && a->open == 0));
        check(a->h2);
        p += size;
        n -= size;
    }
    return rc;
}

static void pull(struct h2_app *a, struct h2_reader *r)
{
    struct nk_buf out;
    nk_buf_init(&out, 4 << 20);
    int rc = nk_h2_output(a->h2, &out, 1 << 20);
    NK_MUST(rc == 0);
    h2_say_frames(r, nk_buf_str(&out), &a->out);
    NK_MUST(r->pending.n == 0);
    nk_buf_free(&out);
}

static int run(const uint8_t *data, size_t n, unsigned kind, unsigned cut, struct nk_buf *said)
{
    struct h2_app *a = calloc(1, sizeof *a);
    struct nk_h2_limits lim;
    struct h2_reader r;
    a->client = kind & 1;
    a->answers = kind & 4;
    a->keep = kind & 8;
    a->headers = a->sums = true;
    nk_buf_init(&a->out, 4 << 20);
    nk_buf_init(&a->body, 16);
    set_limits(&lim);
    if (kind & 16)
        lim.max_memory = 20000 + 200 * cut;
    h2_reader_init(&r, "sent", a->client);
    r.settings = r.pings = r.last = true;
    a->h2 = nk_h2_new(!a->client, &lim, &h2_app_handler, a);
    int rc = 0;
    size_t skip = a->client ? NGHTTP2_CLIENT_MAGIC_LEN : 0;
    if (a->h2 && a->client)
        ask(a);
    if (a->h2)
        pull(a, &r);
    if (a->h2 && !(kind & 2))
        rc = feed(a, (const uint8_t *)preface + skip, sizeof preface - 1 - skip, &cut);
    NK_MUST(rc == 0 || kind & 16);
    if (a->h2) {
        rc = feed(a, data, n, &cut);
        pull(a, &r);
        check(a->h2);
    }
    nk_h2_free(a->h2);
    NK_MUST(a->open == 0);
    *said = a->out;
    h2_reader_free(&r);
    nk_buf_free(&a->body);
    free(a);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct nk_buf whole, cut;
    if (n < 2)
        return 0;
    if (data[0] & 16) { /* how far memory lasts depends on the cut */
        run(data + 2, n - 2, data[0], data[1] + 1u, &cut);
        nk_buf_free(&cut);
        return 0;
    }
    int a = run(data + 2, n - 2, data[0], 0, &whole);
    int b = run(data + 2, n - 2, data[0], data[1] + 1u, &cut);
    bool same = a == b && nk_str_eq(nk_buf_str(&whole), nk_buf_str(&cut));
    if (!same)
        fprintf(stderr, "whole: %s\n%.*scut: %s\n%.*s", nk_error_name(a), (int)whole.n, whole.p,
                nk_error_name(b), (int)cut.n, cut.p);
    NK_MUST(same);
    nk_buf_free(&whole);
    nk_buf_free(&cut);
    return 0;
}
