/* SPDX-License-Identifier: Apache-2.0
 *
 * crowd.c - clients that nobody wants, many at once, and one that behaves and measures:
 *
 *     crowd trickle PORT COUNT SECONDS [KEY]   each sends one byte of a request a second
 *     crowd sip     PORT COUNT SECONDS KEY     each asks much and reads one byte a second
 *     crowd flood   PORT COUNT SECONDS [KEY]   connections come and go as fast as it can, COUNT open
 *     crowd reset   PORT COUNT SECONDS KEY     requests whose sender is gone before the answer
 *     crowd half    PORT COUNT SECONDS KEY     requests whose sender closes its side behind them
 *     crowd pour    PORT COUNT SECONDS KEY     a body over the limit, sent as fast as it is taken
 *     crowd pace    PORT RATE  SECONDS KEY     RATE requests a second, one after the other; prints
 *                                              "p50 US p99 US max US wrong N of N"
 *
 * One process, no event loop: each connection has its turn once a second, a hundredth of them every
 * 10 ms. A connection that the server closed is opened again. Each comes from an address of its own
 * in 127/8, so that ports do not run out.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    TURNS = 100,
    TURN_US = 1000000 / TURNS,
    SAMPLES = 1 << 20,
    ANSWER = 65536,
    POUR = 1 << 20,
    POURS = 4096
};

struct client {
    int fd;
    size_t sent;
};

static struct {
    uint16_t port;
    long count, seconds;
    const char *key;
    char request[2048];
    size_t n;
    unsigned opened, closed;
} crowd;

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void sleep_until(int64_t us)
{
    struct timespec t = {us / 1000000, us % 1000000 * 1000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
        ;
}

/* The body is said to be `more` bytes longer than what is written here. */
static void write_request(const char *model, const char *text, long long more)
{
    char body[512];
    int n = snprintf(body, sizeof body,
                     "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]}",
                     model, text);
    crowd.n = (size_t)snprintf(crowd.request, sizeof crowd.request,
                               "POST /v1/chat/completions HTTP/1.1\r\nHost: gate\r\n"
                               "Authorization: Bearer %s\r\nContent-Type: application/json\r\n"
                               "Content-Length: %lld\r\n\r\n%s",
                               crowd.key, n + more, body);
}

/* A connection from some address of 127/8; -1 when there is none to be had now. */
static int dial(bool wait)
{
    static uint32_t number;
    int on = 1, little = 4096,
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | (wait ? 0 : SOCK_NONBLOCK), 0);
    struct sockaddr_in from = {.sin_family = AF_INET}, to = from;
    number++;
    from.sin_addr.s_addr = htonl(0x7f000001 + (number % 250 << 8));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(crowd.port);
    if (fd < 0)
        return -1;
    if (!wait)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(fd, (void *)&from, sizeof from) ||
        (connect(fd, (void *)&to, sizeof to) && errno != EINPROGRESS)) {
        close(fd);
        return -1;
    }
    crowd.opened++;
    return fd;
}

static void drop(struct client *c, bool reset)
{
    struct linger now = {1, 0};
    if (c->fd < 0)
        return;
    if (reset)
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(c->fd);
    *c = (struct client){.fd = -1};
}

/* Is it still open? Takes at most n bytes that wait. */
static bool taste(struct client *c, size_t n)
{
    char bytes[4096];
    ssize_t got = recv(c->fd, bytes, n < sizeof bytes ? n : sizeof bytes, MSG_DONTWAIT);
    if (got > 0 || (got < 0 && (errno == EAGAIN || errno == ENOTCONN)))
        return true;
    crowd.closed++;
    drop(c, false);
    return false;
}

static void send_some(struct client *c, size_t n)
{
    if (n > crowd.n - c->sent)
        n = crowd.n - c->sent;
    ssize_t sent = send(c->fd, crowd.request + c->sent, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0)
        c->sent += (size_t)sent;
}

static void turn_trickle(struct client *c)
{
    if (c->fd < 0 || !taste(c, 4096))
        c->fd = dial(false);
    else
        send_some(c, 1);
}

static void turn_sip(struct client *c)
{
    if (c->fd < 0)
        c->fd = dial(false);
    else if (c->sent < crowd.n)
        send_some(c, crowd.n);
    else
        taste(c, 1);
}

static void turn_flood(struct client *c)
{
    drop(c, crowd.opened & 1);
    c->fd = dial(false);
}

static void turn_reset(struct client *c)
{
    if (c->fd < 0)
        c->fd = dial(false);
    else if (c->sent)
        drop(c, true);
    else
        send_some(c, crowd.n);
}

static void turn_half(struct client *c)
{
    if (c->fd < 0) {
        c->fd = dial(false);
    } else if (c->sent) {
        taste(c, 4096);
    } else {
        send_some(c, crowd.n);
        shutdown(c->fd, SHUT_WR);
    }
}

/* All that is taken, one client after the other, and no look at what is said to it. */
static void turn_pour(struct client *c)
{
    static char much[POUR];
    if (c->fd < 0)
        c->fd = dial(true);
    else if (c->sent < crowd.n)
        send_some(c, crowd.n);
    ssize_t sent = 0;
    for (int i = 0; i < POURS && c->sent == crowd.n && sent >= 0; i++)
        sent = send(c->fd, much, sizeof much, MSG_NOSIGNAL);
    if (sent < 0) {
        crowd.closed++;
        drop(c, false);
    }
}

static int play(void (*turn)(struct client *c), long rounds_a_second)
{
    struct client *all = calloc((size_t)crowd.count, sizeof *all);
    int64_t begin = now_us(), end = begin + crowd.seconds * 1000000;
    if (!all)
        return 1;
    for (long i = 0; i < crowd.count; i++)
        all[i].fd = -1;
    long step = TURNS / rounds_a_second;
    for (int64_t t = 0; now_us() < end; t++) {
        for (long i = t % step; i < crowd.count; i += step)
            turn(&all[i]);
        sleep_until(begin + (t + 1) * TURN_US);
    }
    long open = 0;
    for (long i = 0; i < crowd.count; i++)
        open += all[i].fd >= 0;
    printf("opened %u closed-by-server %u open-at-the-end %ld\n", crowd.opened, crowd.closed, open);
    free(all);
    return 0;
}

/* One request; the status, or 0 when the answer is not whole. */
static int ask(int fd)
{
    static char answer[ANSWER + 1];
    size_t n = 0;
    if (send(fd, crowd.request, crowd.n, MSG_NOSIGNAL) != (ssize_t)crowd.n)
        return 0;
    for (;;) {
        ssize_t got = recv(fd, answer + n, ANSWER - n, 0);
        if (got <= 0)
            return 0;
        n += (size_t)got;
        answer[n] = 0;
        char *body = strstr(answer, "\r\n\r\n"), *length = strcasestr(answer, "content-length:");
        if (!body || !length || length > body)
            continue;
        if (n == (size_t)(body + 4 - answer) + strtoul(length + 15, NULL, 10))
            return atoi(answer + 9);
    }
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static int pace(void)
{
    int64_t *took = calloc(SAMPLES, sizeof *took);
    size_t n = 0, wrong = 0;
    int64_t begin = now_us(), end = begin + crowd.seconds * 1000000;
    int fd = dial(true);
    for (int64_t t = begin; took && t < end && n < SAMPLES; t += 1000000 / crowd.count) {
        sleep_until(t);
        int64_t start = now_us();
        if (ask(fd) != 200) {
            wrong++;
            close(fd);
            fd = dial(true);
        }
        took[n++] = now_us() - start;
    }
    if (!n)
        return 1;
    qsort(took, n, sizeof *took, by_size);
    printf("p50 %lld p99 %lld max %lld wrong %zu of %zu\n", (long long)took[n / 2],
           (long long)took[n * 99 / 100], (long long)took[n - 1], wrong, n);
    free(took);
    return 0;
}

int main(int argc, char **argv)
{
    struct rlimit files;
    if (argc < 5) {
        fprintf(stderr,
                "usage: crowd trickle|sip|flood|reset|half|pour|pace PORT COUNT SECONDS [KEY]\n");
        return 2;
    }
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    crowd.port = (uint16_t)atoi(argv[2]);
    crowd.count = atol(argv[3]);
    crowd.seconds = atol(argv[4]);
    crowd.key = argc > 5 ? argv[5] : "none";
    write_request(strcmp(argv[1], "sip") == 0 ? "long" : "echo", "crowd",
                  strcmp(argv[1], "pour") == 0 ? 1000000000000 : 0);
    if (crowd.count < 1)
        return 2;
    if (strcmp(argv[1], "trickle") == 0)
        return play(turn_trickle, 1);
    if (strcmp(argv[1], "sip") == 0)
        return play(turn_sip, 1);
    if (strcmp(argv[1], "flood") == 0)
        return play(turn_flood, 20);
    if (strcmp(argv[1], "reset") == 0)
        return play(turn_reset, 20);
    if (strcmp(argv[1], "pour") == 0)
        return play(turn_pour, 100);
    if (strcmp(argv[1], "half") == 0)
        return play(turn_half, 10);
    return strcmp(argv[1], "pace") == 0 ? pace() : 2;
}
