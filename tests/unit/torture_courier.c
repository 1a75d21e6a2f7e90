/* SPDX-License-Identifier: Apache-2.0
 *
 * torture_courier - every record of a call fails in turn: lost, doubled, cut, garbled, of another
 * stream, out of order. Each call carries a body that names its case, so the upstream, which this
 * program plays, knows whether a request is whole, its own, and the only one. A call that was not
 * given whole and once must not be carried out, let alone twice.
 */
#include <errno.h>
#include "courier_house.h"
#include "http/http.h"

enum pain {
    NONE,
    LOST,
    TWICE,
    AGAIN,
    SWAPPED,
    HALF,
    EMPTY,
    TYPE,
    FLAGS,
    HEAD_SIZE,
    HEAD_BYTE,
    STREAM,
    GENERATION,
    ABORTED
};
enum { PIECES = 3, PIECE = 60, CASES_MAX = 1000, LINES_MAX = 1200, FIRST = 1000 };

static const char *const pains[] = {
    "nothing wrong", "lost",         "twice", "again later", "swapped",          "half",
    "empty",         "type",         "flags", "head size",   "byte of the head", "stream",
    "generation",    "then an abort"};

static struct trial {
    enum pain pain;
    size_t message, at;
    uint32_t detail;
    int done; /* whole requests that the upstream saw */
    bool is_answered, is_failed;
} trials[CASES_MAX];
static size_t trial_count, wrong_bodies, leaks, strangers;

/* A connection of the courier. */
static struct line {
    int fd; /* -1: closed */
    struct nk_arena arena;
    struct nk_http_parser *parser;
    size_t n;
    char body[PIECES * PIECE + 1];
} lines[LINES_MAX];
static size_t line_count;

struct message {
    struct nk_ring_record rec;
    size_t n;
    char bytes[1024];
};

/* The upstream --------------------------------------------------------------------------------- */

static void body_of_case(size_t i, char *to)
{
    for (size_t k = 0; k < PIECES; k++) {
        char name[PIECE];
        int n = snprintf(name, sizeof name, "case-%04zu piece-%zu ", i, k);
        memset(to + k * PIECE, '.', PIECE);
        memcpy(to + k * PIECE, name, (size_t)n);
    }
    to[PIECES * PIECE] = 0;
}

static void line_begin(struct line *l)
{
    static const struct nk_http_limits lim = {64 << 10, 100, 1 << 20};
    nk_arena_free(&l->arena);
    nk_arena_init(&l->arena, 1 << 20);
    l->parser = nk_http_parser_new(&l->arena, true, &lim);
    l->n = 0;
}

static void line_done(struct line *l)
{
    char want[PIECES * PIECE + 1];
    l->body[l->n] = 0;
    size_t i = l->n > 9 ? strtoul(l->body + 5, NULL, 10) : CASES_MAX;
    struct nk_str key = nk_http_get(nk_http_parser_head(l->parser), NK_STR("authorization"));
    strangers += !nk_str_eq(key, NK_STR("Bearer key-of-a"));
    if (i < trial_count)
        body_of_case(i, want);
    if (i >= trial_count || strcmp(want, l->body) != 0) {
        printf("# a request of %zu bytes: %s\n", l->n, l->body);
        wrong_bodies++;
    } else {
        trials[i].done++;
    }
    up_write(l->fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    line_begin(l);
}

static void line_turn(struct line *l)
{
    char bytes[4096];
    struct nk_fault f = {0};
    ssize_t n = recv(l->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return;
    struct nk_str in = {bytes, n > 0 ? (size_t)n : 0};
    enum nk_http_event e = NK_HTTP_HEAD;
    bool ok = n > 0;
    while (ok && e != NK_HTTP_MORE) {
        ok = nk_http_parse(l->parser, &in, &e, &f) == 0;
        if (!ok) { /* what the courier writes is always HTTP */
            printf("# %s: %.*s\n", f.message, (int)n, bytes);
            wrong_bodies++;
        }
        if (ok && e == NK_HTTP_BODY) {
            struct nk_str piece = nk_http_parser_body(l->parser);
            size_t take = piece.n < sizeof l->body - 1 - l->n ? piece.n : sizeof l->body - 1 - l->n;
            memcpy(l->body + l->n, piece.p, take);
            l->n += take;
        } else if (ok && e == NK_HTTP_END) {
            line_done(l);
        }
    }
    if (ok)
        return;
    close(l->fd);
    l->fd = -1;
}

/* All neighbours' turns; what the courier says is looked through for what it must not say. */
static void turn(void)
{
    int fd;
    while (line_count < LINES_MAX && (fd = up_accept(plain_listener, 0)) >= 0) {
        lines[line_count].fd = fd;
        line_begin(&lines[line_count++]);
    }
    for (size_t i = 0; i < line_count; i++)
        if (lines[i].parser && lines[i].fd >= 0)
            line_turn(&lines[i]);
    struct nk_ring_record r;
    while (nk_ring_next(answers, &r) == 0) {
        leaks += nk_str_search(r.payload, NK_STR("key-of")) >= 0;
        if (r.stream >= FIRST && r.stream - FIRST < trial_count) {
            trials[r.stream - FIRST].is_failed |= r.type == NK_WIRE_FAIL;
            trials[r.stream - FIRST].is_answered |= r.type == NK_WIRE_HEAD;
        }
        nk_ring_release(answers);
    }
}

/* Calls ---------------------------------------------------------------------------------------- */

static void write_call(size_t i, struct message m[PIECES])
{
    struct nk_http_header headers[] = {{NK_STR("content-type"), NK_STR("application/json")}};
    struct nk_wire_call_head h = {.config = (uint32_t)config_generation,
                                  .body_bytes = PIECES * PIECE};
    char body[PIECES * PIECE + 1];
    struct nk_buf b;
    h.http = (struct nk_http_head){
        .method = NK_STR("POST"), .target = NK_STR("/v1/x"), .headers = headers, .header_count = 1};
    nk_buf_init(&b, 1024);
    nk_wire_put_call(&h, &b);
    body_of_case(i, body);
    for (size_t k = 0; k < PIECES; k++) {
        size_t head = k ? 0 : b.n;
        m[k] = (struct message){.n = head + PIECE};
        memcpy(m[k].bytes, b.p, head);
        memcpy(m[k].bytes + head, body + k * PIECE, PIECE);
        m[k].rec = (struct nk_ring_record){.type = k ? NK_WIRE_BODY : NK_WIRE_CALL,
                                           .stream = (uint32_t)(FIRST + i),
                                           .generation = (uint32_t)(i + 1),
                                           .flags = nk_wire_flags(k * PIECE, k == PIECES - 1),
                                           .head_size = (uint32_t)head};
    }
    nk_buf_free(&b);
}

static void send_message(struct message *m)
{
    m->rec.payload = (struct nk_str){m->bytes, m->n};
    m->rec.head_size = m->rec.head_size < m->n ? m->rec.head_size : (uint32_t)m->n;
    while (nk_ring_put(calls, &m->rec))
        turn();
}

static void harm(struct message *m, const struct trial *t)
{
    switch (t->pain) {
    case HALF:
        m->n -= PIECE / 2;
        break;
    case EMPTY:
        m->n = 0;
        break;
    case TYPE:
        m->rec.type = t->detail;
        break;
    case FLAGS:
        m->rec.flags ^= t->detail;
        break;
    case HEAD_SIZE:
        m->rec.head_size = t->detail;
        break;
    case HEAD_BYTE:
        m->bytes[t->at] ^= (char)t->detail;
        break;
    case STREAM:
        m->rec.stream += t->detail;
        break;
    case GENERATION:
        m->rec.generation += t->detail;
        break;
    default:
        break;
    }
}

static void play(size_t i)
{
    struct trial *t = &trials[i];
    struct message m[PIECES], abort;
    write_call(i, m);
    struct message first = m[t->message];
    harm(&m[t->message], t);
    if (t->pain == SWAPPED) {
        m[t->message] = m[t->message + 1];
        m[t->message + 1] = first;
    }
    for (size_t k = 0; k < PIECES; k++) {
        if (t->pain != LOST || k != t->message)
            send_message(&m[k]);
        if (t->pain == TWICE && k == t->message)
            send_message(&m[k]);
        if (t->pain == ABORTED && k == t->message && k < PIECES - 1) {
            abort = (struct message){.rec = first.rec};
            abort.rec.type = NK_WIRE_ABORT;
            send_message(&abort);
        }
    }
    if (t->pain == AGAIN)
        send_message(&first);
    nk_ring_publish(calls);
}

/* Trials --------------------------------------------------------------------------------------- */

static void try(enum pain pain, size_t message, size_t at, uint32_t detail)
{
    NK_MUST(trial_count < CASES_MAX);
    trials[trial_count++] =
        (struct trial){.pain = pain, .message = message, .at = at, .detail = detail};
}

static void write_trials(void)
{
    static const uint32_t types[] = {0, 1, 2, 3, 4, 5, 16, 17, 18, 19, 32, 99};
    static const uint32_t flags[] = {1, 2, 1 << 8, 1 << 12, 1u << 31};
    static const uint32_t sizes[] = {0, 1, 30, 60, 100, 1 << 16};
    static const enum pain plain[] = {NONE, LOST, TWICE, AGAIN, HALF, EMPTY, ABORTED};
    struct message m[PIECES];
    for (size_t k = 0; k < PIECES; k++) {
        for (size_t i = 0; i < NK_COUNT(plain); i++)
            try(plain[i], k, 0, 0);
        for (size_t i = 0; i < NK_COUNT(types); i++)
            try(TYPE, k, 0, types[i]);
        for (size_t i = 0; i < NK_COUNT(flags); i++)
            try(FLAGS, k, 0, flags[i]);
        for (size_t i = 0; i < NK_COUNT(sizes); i++)
            try(HEAD_SIZE, k, 0, sizes[i]);
        try(STREAM, k, 0, (uint32_t)-3);
        try(STREAM, k, 0, 1 << 20);
        try(GENERATION, k, 0, 1);
        if (k < PIECES - 1)
            try(SWAPPED, k, 0, 0);
    }
    write_call(0, m);
    for (size_t at = 4; at < m[0].rec.head_size;
         at++) { /* the number of the upstream is tried apart */
        try(HEAD_BYTE, 0, at, 0x01);
        try(HEAD_BYTE, 0, at, 0x80);
        try(HEAD_BYTE, 0, at, 0x0d);
    }
}

/* A type or flags that are the right ones, by chance, harm nothing. */
static bool must_work(const struct trial *t)
{
    return t->pain == NONE || t->pain == TWICE || t->pain == AGAIN;
}

static void run(void)
{
    size_t twice = 0, failed = 0, done = 0, silent = 0;
    for (size_t i = 0; i < trial_count; i++) {
        play(i);
        turn();
    }
    for (int64_t until = now_ms() + 1500; now_ms() < until; usleep(1000))
        turn();
    for (size_t i = 0; i < trial_count; i++) {
        const struct trial *t = &trials[i];
        bool bad = t->done > 1 || (t->pain == NONE && (t->done != 1 || !t->is_answered));
        twice += t->done > 1;
        done += t->done == 1;
        failed += t->is_failed;
        silent += must_work(t) && !t->done && !t->is_failed;
        if (bad)
            printf("# message %zu, %s (at %zu, %u): carried out %d times%s\n", t->message,
                   pains[t->pain], t->at, t->detail, t->done, t->is_answered ? "" : ", no answer");
        if (bad && t->pain == NONE)
            wrong_bodies++;
    }
    tap_ok(twice == 0, "%zu harmed calls: %zu carried out, %zu failed, none twice (%zu)",
           trial_count, done, failed, twice);
    tap_ok(wrong_bodies == 0, "no request but whole ones of one case (%zu)", wrong_bodies);
    tap_ok(leaks == 0 && strangers == 0,
           "the credential goes to its upstream and nowhere else (%zu, %zu)", leaks, strangers);
    tap_ok(silent == 0, "doubled pieces fail the call or do nothing (%zu)", silent);
}

static void end_all(void)
{
    struct message m[PIECES];
    for (size_t i = 0; i < trial_count; i++) {
        write_call(i, m);
        m[0].rec.type = NK_WIRE_ABORT;
        m[0].n = 0;
        send_message(&m[0]);
        m[0].rec.generation++; /* of those with a wrong generation */
        send_message(&m[0]);
    }
    nk_ring_publish(calls);
    for (int64_t until = now_ms() + 300; now_ms() < until; usleep(1000))
        turn();
    for (size_t i = 0; i < line_count; i++) {
        if (lines[i].fd >= 0)
            close(lines[i].fd);
        lines[i].fd = -1;
        nk_arena_free(&lines[i].arena);
    }
    line_count = LINES_MAX; /* no more are taken */
    for (int64_t until = now_ms() + 100; now_ms() < until; usleep(1000))
        turn();
}

int main(void)
{
    open_house();
    write_trials();
    run();
    end_all();
    post(1, 0, "hello");
    int fd = up_accept(plain_listener, PATIENCE_MS);
    TAP_CHECK(up_read(fd, 5) && up_write(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    tap_ok(is_whole(1, 200, "ok"), "after all that, a good call goes well");
    close(fd);
    say(NK_CONTROL_DRAIN, -1);
    close_house();
    return tap_done();
}
