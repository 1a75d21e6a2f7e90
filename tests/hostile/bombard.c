/* SPDX-License-Identifier: Apache-2.0
 *
 * bombard.c - sends random and mutated bytes to a listener, over many connections, until so many
 * were sent:
 *
 *     bombard PORT MEGABYTES SEED KEY FILE…
 *
 * A connection carries one message of a kind below, mutated up to some times, sent in pieces, and
 * then waits a moment for the answer, resets, closes one side or leaves. FILEs (the fuzzers'
 * corpora) become bodies and credentials, or are sent as they are. The same seed gives the same
 * messages. Prints what was sent, and how often each status came back.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    CONNECTIONS = 64,
    MESSAGE_MAX = 2 << 20,
    PIECES_MAX = 2048,
    PIECE_MAX = 16384,
    WAIT_MS = 60,
    STUCK_MS = 3000,
};

struct text {
    char *p;
    size_t n;
};

enum ending { ANSWER, RESET, HALF, LEAVE };

struct client {
    int fd;
    struct text message;
    size_t sent;
    int64_t until_ms;
    enum ending ending;
};

static struct {
    uint16_t port;
    const char *key;
    uint64_t seed, bytes, target, connections, unsent, h2;
    uint64_t statuses[600];
    struct text pieces[PIECES_MAX];
    size_t piece_count;
} all;

/* Chance -------------------------------------------------------------------------------------------
 */

/* splitmix64 */
static uint64_t chance(void)
{
    uint64_t z = all.seed += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static size_t below(size_t n)
{
    return n ? (size_t)(chance() % n) : 0;
}

static bool one_in(size_t n)
{
    return below(n) == 0;
}

#define PICK(list) (list)[below(sizeof(list) / sizeof *(list))]

/* Messages -----------------------------------------------------------------------------------------
 */

static void put(struct text *t, const char *p, size_t n)
{
    if (n > MESSAGE_MAX - t->n)
        n = MESSAGE_MAX - t->n;
    memcpy(t->p + t->n, p, n);
    t->n += n;
}

__attribute__((format(printf, 2, 3))) static void say(struct text *t, const char *form, ...)
{
    char line[4096];
    va_list args;
    va_start(args, form);
    int n = vsnprintf(line, sizeof line, form, args);
    va_end(args);
    put(t, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
}

static void put_noise(struct text *t, size_t n)
{
    for (; n && t->n < MESSAGE_MAX; n--)
        t->p[t->n++] = (char)chance();
}

static void put_many(struct text *t, const char *what, size_t times)
{
    while (times-- && t->n < MESSAGE_MAX)
        put(t, what, strlen(what));
}

static struct text piece(void)
{
    return all.piece_count ? all.pieces[below(all.piece_count)] : (struct text){"{}", 2};
}

static void put_valid_body(struct text *t)
{
    static const char *const contents[] = {
        "\"hello\"",
        "[{\"type\":\"text\",\"text\":\"\\u3053\\ud83d\\ude00\"}]",
        "[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AAAA\"}}]",
        "null",
        "\"\"",
    };
    static const char *const more[] = {
        "",
        ",\"stream\":true",
        ",\"stream\":true,\"stream_options\":{\"include_usage\":true}",
        ",\"max_tokens\":9223372036854775807",
        ",\"temperature\":1e308,\"n\":1",
        ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{}}}]",
        ",\"tools\":[{\"type\":\"web_search\"}],\"tool_choice\":\"auto\"",
    };
    static const char *const models[] = {"echo", "echo", "gpt-4o-mini", "claude", "secret", "none"};
    say(t, "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":%s}]%s}", PICK(models),
        PICK(contents), PICK(more));
}

static void put_body(struct text *t)
{
    struct text p = piece();
    switch (below(12)) {
    case 0:
        put(t, p.p, p.n);
        break;
    case 1:
        put_many(t, one_in(2) ? "[" : "{\"a\":", below(3000));
        break;
    case 2:
        say(t, "{\"model\":\"echo\",\"messages\":[{\"role\":\"user\",\"content\":\"");
        put_many(t, one_in(2) ? "\\u00e9" : "xxxxxxxxxxxxxxxx", below(one_in(40) ? 65536 : 500));
        say(t, "\"}]}");
        break;
    case 3:
        say(t, "{\"model\":\"echo\",\"messages\":");
        put(t, p.p, p.n);
        say(t, "}");
        break;
    case 4:
        put_noise(t, below(2000));
        break;
    default:
        put_valid_body(t);
    }
}

static void put_credential(struct text *t)
{
    struct text p = piece();
    switch (below(8)) {
    case 0:
        return;
    case 1:
        say(t, "X-Api-Key: %s\r\n", all.key);
        return;
    case 2:
        say(t, "Authorization: Bearer %.*s\r\n", (int)(p.n < 3000 ? p.n : 3000), p.p);
        return;
    default:
        say(t, "Authorization: Bearer %s\r\n", all.key);
    }
}

static void mutate(struct text *t, size_t from, size_t times);

static void put_h1(struct text *t)
{
    static const char *const lines[] = {
        "POST /v1/chat/completions HTTP/1.1",
        "POST /v1/chat/completions HTTP/1.1",
        "POST /v1/chat/completions HTTP/1.1",
        "POST /v1/messages HTTP/1.1",
        "POST /v1/responses HTTP/1.1",
        "POST /v1/embeddings HTTP/1.1",
        "GET /v1/models HTTP/1.1",
        "POST /v1/chat/completions HTTP/1.0",
        "HEAD /v1/models HTTP/1.1",
        "POST http://gate/v1/chat/completions HTTP/1.1",
    };
    static const char *const more[] = {
        "",
        "",
        "Expect: 100-continue\r\n",
        "Connection: close\r\n",
        "Accept-Language: ja\r\n",
        "Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n",
        "Upgrade: h2c\r\nConnection: Upgrade\r\n",
    };
    static char room[MESSAGE_MAX];
    struct text body = {room, 0};
    put_body(&body);
    if (one_in(2))
        mutate(&body, 0, 1 + below(4)); /* with a length that is right */
    say(t, "%s\r\nHost: gate\r\nContent-Type: application/json\r\n", PICK(lines));
    put_credential(t);
    say(t, "%s", PICK(more));
    if (one_in(4)) {
        say(t, "Transfer-Encoding: chunked\r\n\r\n");
        for (size_t at = 0, n; at < body.n; at += n) {
            n = 1 + below(body.n - at);
            say(t, "%zx\r\n", n);
            put(t, body.p + at, n);
            say(t, "\r\n");
        }
        say(t, "0\r\n\r\n");
    } else {
        say(t, "Content-Length: %zu\r\n\r\n", body.n);
        put(t, body.p, body.n);
    }
}

static void put_frame(struct text *t, unsigned type, unsigned flags, uint32_t stream,
                      const struct text *payload)
{
    unsigned char head[9] = {(unsigned char)(payload->n >> 16),
                             (unsigned char)(payload->n >> 8),
                             (unsigned char)payload->n,
                             (unsigned char)type,
                             (unsigned char)flags,
                             (unsigned char)(stream >> 24),
                             (unsigned char)(stream >> 16),
                             (unsigned char)(stream >> 8),
                             (unsigned char)stream};
    put(t, (const char *)head, sizeof head);
    put(t, payload->p, payload->n);
}

/* A literal field without indexing: RFC 7541, section 6.2.2. */
static void put_field(struct text *t, const char *name, const char *value)
{
    size_t n = strlen(name), v = strlen(value);
    char sizes[2] = {(char)(n & 127), (char)(v & 127)}, kind = one_in(4) ? 0x40 : 0;
    put(t, &kind, 1);
    put(t, &sizes[0], 1);
    put(t, name, n & 127);
    put(t, &sizes[1], 1);
    put(t, value, v & 127);
}

static void put_h2_request(struct text *t, uint32_t stream)
{
    static char head_room[MESSAGE_MAX], body_room[MESSAGE_MAX];
    struct text head = {head_room, 0}, body = {body_room, 0};
    char bearer[160];
    snprintf(bearer, sizeof bearer, "Bearer %s", all.key);
    put_field(&head, ":method", "POST");
    put_field(&head, ":scheme", "http");
    put_field(&head, ":path", "/v1/chat/completions");
    put_field(&head, ":authority", "gate");
    put_field(&head, "authorization", bearer);
    put_field(&head, "content-type", "application/json");
    if (one_in(3))
        mutate(&head, 0, 1);
    put_body(&body);
    if (body.n > PIECE_MAX)
        body.n = PIECE_MAX;
    put_frame(t, 1, 4, stream, &head);
    put_frame(t, 0, 1, stream, &body);
}

static void put_h2(struct text *t)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    char room[64];
    struct text some = {room, 0}, none = {room, 0};
    put(t, preface, sizeof preface - 1);
    put_frame(t, 4, 0, 0, &none);
    for (uint32_t stream = 1, n = 1 + (uint32_t)below(8); n; n--) {
        if (one_in(3)) {
            some.n = below(16);
            for (size_t i = 0; i < some.n; i++)
                room[i] = (char)chance();
            put_frame(t, (unsigned)below(11), (unsigned)chance() & 0x2d,
                      one_in(2) ? 0 : (uint32_t)below(20), &some);
        } else {
            put_h2_request(t, stream);
            stream += 2;
        }
    }
}

/* Mutation -----------------------------------------------------------------------------------------
 */

static void insert(struct text *t, size_t at, const char *p, size_t n)
{
    if (n > MESSAGE_MAX - t->n)
        return;
    memmove(t->p + at + n, t->p + at, t->n - at);
    memcpy(t->p + at, p, n);
    t->n += n;
}

static void mutate_once(struct text *t, size_t from)
{
    static const char *const words[] = {"\r\n",
                                        "\r\n\r\n",
                                        "\n",
                                        "\r",
                                        ":",
                                        " ",
                                        "\t",
                                        "0\r\n\r\n",
                                        "Transfer-Encoding: chunked\r\n",
                                        "Content-Length: 5\r\n",
                                        "Content-Length: 18446744073709551615\r\n",
                                        "Host: other\r\n",
                                        "-1",
                                        "4294967296",
                                        "%00",
                                        "%2e%2e/",
                                        "\"",
                                        "\\",
                                        "{",
                                        "}",
                                        "[",
                                        "]",
                                        "\\u0000",
                                        "\\ud800",
                                        "null",
                                        "1e999",
                                        "-0",
                                        "\xef\xbb\xbf",
                                        "\xc0\x80",
                                        "\xed\xa0\x80",
                                        "HTTP/1.1",
                                        "GET / HTTP/1.1\r\n\r\n",
                                        "Expect: 100-continue\r\n",
                                        "\"model\":\"echo\",",
                                        "\"stream\":true,",
                                        ";a=b"};
    char few[16];
    size_t at = from + below(t->n - from), n = 1 + below(one_in(8) ? 512 : 8);
    const char *word = PICK(words);
    if (at + n > t->n)
        n = t->n - at;
    switch (below(7)) {
    case 0:
        t->p[at] = (char)(t->p[at] ^ 1 << below(8));
        break;
    case 1:
        t->p[at] = (char)chance();
        break;
    case 2:
        for (size_t i = 0; i < sizeof few; i++)
            few[i] = (char)chance();
        insert(t, at, few, 1 + below(sizeof few));
        break;
    case 3:
        memmove(t->p + at, t->p + at + n, t->n - at - n);
        t->n -= n;
        break;
    case 4:
        insert(t, at, word, strlen(word));
        break;
    case 5: {
        char again[512];
        memcpy(again, t->p + at, n);
        insert(t, at, again, n);
        break;
    }
    default:
        t->n = at + 1;
    }
}

static void mutate(struct text *t, size_t from, size_t times)
{
    while (times-- && t->n > from + 1)
        mutate_once(t, from);
}

static void make(struct text *t)
{
    struct text p = piece();
    size_t kind = below(20);
    t->n = 0;
    if (kind < 2) {
        put_noise(t, 1 + below(8192));
    } else if (kind < 3) {
        put(t, p.p, p.n);
        mutate(t, 0, below(4));
    } else if (kind < 6) {
        put_h2(t);
        mutate(t, 24 < t->n && !one_in(8) ? 24 : 0, below(4));
    } else if (kind < 8) {
        for (size_t n = 2 + below(5); n; n--)
            put_h1(t);
        mutate(t, 0, below(3));
    } else {
        put_h1(t);
        mutate(t, 0, one_in(3) ? 0 : below(8));
    }
    if (t->n == 0)
        put_noise(t, 1);
}

/* Connections --------------------------------------------------------------------------------------
 */

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* From an address of its own in 127/8, so that ports do not run out. */
static int dial(void)
{
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in from = {.sin_family = AF_INET}, to = from;
    from.sin_addr.s_addr = htonl(0x7f000001 + (uint32_t)(all.connections % 60000 << 8));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(all.port);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (fd >= 0 && !bind(fd, (void *)&from, sizeof from) &&
        (!connect(fd, (void *)&to, sizeof to) || errno == EINPROGRESS))
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static void open_client(struct client *c)
{
    static const enum ending endings[] = {ANSWER, ANSWER, ANSWER, ANSWER, ANSWER,
                                          ANSWER, RESET,  RESET,  HALF,   LEAVE};
    c->fd = dial();
    if (c->fd < 0)
        return;
    all.connections++;
    make(&c->message);
    c->sent = 0;
    c->until_ms = now_ms() + STUCK_MS;
    c->ending = PICK(endings);
}

static void close_client(struct client *c)
{
    struct linger now = {1, 0};
    if (c->ending == RESET)
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    all.unsent += c->sent < c->message.n;
    close(c->fd);
    c->fd = -1;
}

static void count_statuses(const char *p, size_t n)
{
    static const char word[] = "HTTP/1.1 ";
    const char *end = p + n, *at;
    while ((at = memmem(p, (size_t)(end - p), word, sizeof word - 1)) && end - at >= 12) {
        int status = (at[9] - '0') * 100 + (at[10] - '0') * 10 + at[11] - '0';
        if (status >= 100 && status < 600)
            all.statuses[status]++;
        p = at + 12;
    }
}

static void receive(struct client *c)
{
    static char in[65536];
    ssize_t n = recv(c->fd, in, sizeof in, 0);
    if (n > 0) {
        all.h2 += n > 9 && in[0] == 0 && in[3] == 4; /* begins with SETTINGS */
        count_statuses(in, (size_t)n);
    } else if (n == 0 || (errno != EAGAIN && errno != ENOTCONN)) {
        close_client(c);
    }
}

static void transmit(struct client *c)
{
    size_t n = c->message.n - c->sent;
    if (one_in(3))
        n = 1 + below(n);
    ssize_t sent = send(c->fd, c->message.p + c->sent, n, MSG_NOSIGNAL);
    if (sent < 0) {
        if (errno != EAGAIN)
            close_client(c);
        return;
    }
    c->sent += (size_t)sent;
    all.bytes += (uint64_t)sent;
    if (c->sent < c->message.n)
        return;
    c->until_ms = now_ms() + WAIT_MS;
    if (c->ending == HALF)
        shutdown(c->fd, SHUT_WR);
    else if (c->ending != ANSWER)
        close_client(c);
}

static void serve(struct client *clients)
{
    struct pollfd fds[CONNECTIONS];
    for (size_t i = 0; i < CONNECTIONS; i++) {
        struct client *c = &clients[i];
        if (c->fd < 0 && all.bytes < all.target)
            open_client(c);
        fds[i] = (struct pollfd){
            .fd = c->fd, .events = (short)(POLLIN | (c->sent < c->message.n ? POLLOUT : 0))};
    }
    poll(fds, CONNECTIONS, WAIT_MS / 2);
    int64_t now = now_ms();
    for (size_t i = 0; i < CONNECTIONS; i++) {
        struct client *c = &clients[i];
        if (c->fd >= 0 && fds[i].revents & (POLLIN | POLLERR | POLLHUP))
            receive(c);
        if (c->fd >= 0 && fds[i].revents & POLLOUT && c->sent < c->message.n)
            transmit(c);
        if (c->fd >= 0 && now > c->until_ms)
            close_client(c);
    }
}

static void load(const char *file)
{
    char room[PIECE_MAX];
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, room, sizeof room);
    char *copy = n > 0 ? malloc((size_t)n) : NULL;
    if (copy) {
        memcpy(copy, room, (size_t)n);
        all.pieces[all.piece_count++] = (struct text){copy, (size_t)n};
    }
    if (fd >= 0)
        close(fd);
}

int main(int argc, char **argv)
{
    static struct client clients[CONNECTIONS];
    if (argc < 5) {
        fprintf(stderr, "usage: bombard PORT MEGABYTES SEED KEY FILE…\n");
        return 2;
    }
    all.port = (uint16_t)atoi(argv[1]);
    all.target = strtoull(argv[2], NULL, 10) << 20;
    all.seed = strtoull(argv[3], NULL, 10);
    all.key = argv[4];
    for (int i = 5; i < argc && all.piece_count < PIECES_MAX; i++)
        load(argv[i]);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        clients[i].fd = -1;
        clients[i].message.p = malloc(MESSAGE_MAX);
        if (!clients[i].message.p)
            return 1;
    }
    int64_t begin = now_ms(), idle_since = begin;
    for (uint64_t before = 0; all.bytes < all.target; before = all.bytes) {
        serve(clients);
        if (all.bytes != before)
            idle_since = now_ms();
        if (now_ms() - idle_since > 20000) {
            fprintf(stderr, "nobody took a byte for 20 seconds\n");
            return 1;
        }
    }
    printf("%llu bytes over %llu connections in %lld ms; %llu not taken whole; %llu answered in "
           "HTTP/2; statuses:",
           (unsigned long long)all.bytes, (unsigned long long)all.connections,
           (long long)(now_ms() - begin), (unsigned long long)all.unsent,
           (unsigned long long)all.h2);
    for (size_t i = 0; i < 600; i++)
        if (all.statuses[i])
            printf(" %zu=%llu", i, (unsigned long long)all.statuses[i]);
    printf("\n");
    return 0;
}
