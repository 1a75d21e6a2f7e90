/* SPDX-License-Identifier: Apache-2.0
 *
 * client.h - those who ask the gate. Each sends one request that names its case, and judges what it
 * gets: all of its own answer, a clear refusal, or a cut connection - and nothing of it before the
 * records that are about it.
 */
#pragma once

#include "torture/neighbours.h"

enum { CLIENTS_MAX = 1500, ANSWER_MAX = 4096 };

struct client {
    int fd;
    bool stream, is_full, unrecorded, broken, complete, closed;
    int64_t began, ended;
    struct nk_arena arena;
    struct nk_http_parser *parser;
    const struct nk_http_head *head;
    struct nk_http_head own_head; /* HTTP/2 (client_h2.h): and the body to send, how much is sent */
    struct nk_str ask;
    size_t asked;
    uint32_t stream_id;
    unsigned long number; /* of the request, as the gate counts; ~0: not known */
    size_t n;
    char body[ANSWER_MAX + 1];
    char want[ANSWER_MAX + 1];
};

static struct client clients[CLIENTS_MAX];
static size_t client_count;
static void (*ask_over)(struct client *c, struct nk_str json); /* NULL: HTTP/1.1 */

static int client_connect(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                            .sin_port = htons((uint16_t)bed.port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    NK_MUST(fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0);
    return fd;
}

/* The request of case i; `pad` bytes more of prompt. */
static void client_text(struct nk_buf *b, size_t i, bool stream, size_t pad)
{
    char body[256];
    int n = snprintf(body, sizeof body,
                     "{\"model\":\"m\",%s\"messages\":[{\"role\":\"user\","
                     "\"content\":\"case-%zu-",
                     stream ? "\"stream\":true," : "", i);
    nk_buf_printf(b,
                  "POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer %s\r\n"
                  "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                  key, (size_t)n + pad + 4, body);
    while (pad--)
        nk_buf_add_char(b, 'x');
    nk_buf_add(b, NK_STR("\"}]}"));
}

static struct client *client_new(size_t i, bool stream)
{
    static const struct nk_http_limits lim = {64 << 10, 100, 16 << 20};
    struct client *c = &clients[i];
    *c = (struct client){.fd = ask_over ? -1 : client_connect(), .stream = stream, .number = ~0UL};
    nk_arena_init(&c->arena, 1 << 20);
    c->parser = nk_http_parser_new(&c->arena, false, &lim);
    c->began = now_ms();
    client_count = i >= client_count ? i + 1 : client_count;
    return c;
}

static struct client *client_ask(size_t i, bool stream, size_t pad)
{
    struct client *c = client_new(i, stream);
    struct nk_buf b;
    nk_buf_init(&b, 1 << 20);
    client_text(&b, i, stream, pad);
    if (ask_over)
        ask_over(c, nk_str_sub(nk_buf_str(&b), (size_t)nk_str_find(nk_buf_str(&b), '{'), b.n));
    else
        NK_MUST(!b.error && send(c->fd, b.p, b.n, MSG_NOSIGNAL) == (ssize_t)b.n);
    nk_buf_free(&b);
    return c;
}

static void client_head(struct client *c, const struct nk_http_head *head)
{
    c->head = head;
    struct nk_str id = nk_http_get(c->head, NK_STR("x-request-id"));
    char digits[20] = "";
    if (id.n > 9 && id.n < sizeof digits)
        c->number = strtoul((char *)memcpy(digits, id.p, id.n) + 9, NULL, 16) % REQUESTS_MAX;
    const struct seen *s = &bed.seen[c->number % REQUESTS_MAX];
    /* That records have no room is the one answer that has no record. */
    c->is_full =
        nk_str_eq(nk_http_get(c->head, NK_STR("x-nakoso-refused")), NK_STR("audit_unavailable"));
    c->unrecorded |= id.n <= 9 || (s->last == 0 && !c->is_full);
    c->unrecorded |= bed.strict && bed.durable < s->first;
}

static void client_body(struct client *c, struct nk_str piece)
{
    size_t n = piece.n < ANSWER_MAX - c->n ? piece.n : ANSWER_MAX - c->n;
    memcpy(c->body + c->n, piece.p, n);
    c->n += n;
}

static void client_complete(struct client *c)
{
    const struct seen *s = &bed.seen[c->number % REQUESTS_MAX];
    c->complete = true;
    c->unrecorded |= !c->is_full && s->outcomes == 0 && s->decisions == 0;
    c->unrecorded |= c->head->status == 200 && s->outcomes == 0;
    c->unrecorded |= bed.strict && bed.durable < s->last;
}

static void client_parse(struct client *c, struct nk_str in)
{
    struct nk_fault f = {0};
    for (enum nk_http_event e = NK_HTTP_MORE; !c->broken && !c->complete;) {
        if (nk_http_parse(c->parser, &in, &e, &f))
            c->broken = true;
        else if (e == NK_HTTP_MORE)
            return;
        else if (e == NK_HTTP_HEAD)
            client_head(c, nk_http_parser_head(c->parser));
        else if (e == NK_HTTP_BODY)
            client_body(c, nk_http_parser_body(c->parser));
        else
            client_complete(c);
    }
    c->broken |= in.n > 0; /* bytes behind an answer */
}

/* Takes what came; the scribe looks into its ring after it is here, and before it is judged. */
static void client_turn(struct client *c)
{
    char bytes[16384];
    ssize_t n = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return;
    bed.durable = nk_ring_durable(bed.audit); /* all that the gate can have known */
    bed_scribe();
    if (n > 0)
        client_parse(c, (struct nk_str){bytes, (size_t)n});
    c->closed = n <= 0;
    if (c->closed || c->complete || c->broken)
        c->ended = now_ms();
}
