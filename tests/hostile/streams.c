/* SPDX-License-Identifier: Apache-2.0
 *
 * streams.c - streams of MCP by the thousand, on which nothing happens, and the server at their other end:
 *
 *     streams serve PORT               an MCP server that begins any session and holds any stream; SIGUSR1: it says
 *                                      one event on all of them
 *     streams hold PORT COUNT SECONDS KEY [get|listen]
 *                                      opens COUNT streams one of which in two is a GET of a session, the other
 *                                      a subscriptions/listen of 2026-07-28 (or all of one kind), prints "held N" when all
 *                                      have begun, "told N" when an event came on each, or after SECONDS what it is then
 *
 * One process, one epoll each. Clients come from addresses of their own in 127/8, so that ports do not run out.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { TEXT = 2048, EVENTS = 256, AT_ONCE = 32, CONNECTIONS = 65536 };

enum state { NEW, BEGUN, TOLD, OVER };

struct stream {
    char *text; /* of the request or the head of the answer, while that comes; TEXT bytes */
    uint16_t n;
    uint8_t state;
};

static struct {
    int epoll;
    uint16_t port;
    long count, begun, told, over, seconds;
    const char *key, *kind;
    char session[1024];
    struct stream streams[CONNECTIONS]; /* by descriptor */
} all;

static volatile sig_atomic_t told_to_say;

static void on_signal(int number)
{
    told_to_say = number;
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void watch(int fd)
{
    struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
    if (fd >= CONNECTIONS || epoll_ctl(all.epoll, EPOLL_CTL_ADD, fd, &e)) {
        close(fd);
        return;
    }
    all.streams[fd] = (struct stream){.text = malloc(TEXT)};
}

static void leave(int fd)
{
    struct stream *s = &all.streams[fd];
    all.begun -= s->state == BEGUN || s->state == TOLD;
    all.told -= s->state == TOLD;
    all.over++;
    free(s->text);
    *s = (struct stream){.state = OVER};
    close(fd);
}

/* Takes what has come; false: it is over, or does not fit. */
static bool take(int fd)
{
    struct stream *s = &all.streams[fd];
    char more[TEXT];
    char *to = s->text ? s->text + s->n : more;
    ssize_t got = recv(fd, to, s->text ? TEXT - 1u - s->n : sizeof more, 0);
    if (got <= 0)
        return false;
    if (s->text) {
        s->n = (uint16_t)(s->n + got);
        s->text[s->n] = '\0';
    }
    return true;
}

static void say(int fd, const char *text)
{
    if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
        leave(fd);
}

/* The server --------------------------------------------------------------------------------------
 */
#define STREAM                                                                                     \
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

static void answer(int fd)
{
    static const char session[] =
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2025-11-25\","
        "\"capabilities\":{\"tools\":{\"listChanged\":true}},\"serverInfo\":{\"name\":\"s\","
        "\"version\":\"1\"}}}";
    struct stream *s = &all.streams[fd];
    char out[TEXT];
    const char *body = strstr(s->text, "\r\n\r\n");
    const char *length = strcasestr(s->text, "\r\ncontent-length:");
    if (!body || (length && strlen(body + 4) < (size_t)atoi(length + 17)))
        return;
    if (strstr(body, "\"initialize\"")) {
        snprintf(out, sizeof out,
                 "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nMcp-Session-Id: one\r\n"
                 "Content-Length: %zu\r\n\r\n%s",
                 sizeof session - 1, session);
        s->n = 0;
        say(fd, out);
        return;
    }
    if (strncmp(s->text, "GET ", 4) == 0)
        snprintf(out, sizeof out, STREAM "8\r\n: here\n\n\r\n");
    else {
        static const char event[] =
            "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\","
            "\"params\":{\"notifications\":{\"toolsListChanged\":true}}}\n\n";
        snprintf(out, sizeof out, STREAM "%zx\r\n%s\r\n", sizeof event - 1, event);
    }
    free(s->text);
    s->text = NULL;
    s->state = BEGUN;
    all.begun++;
    say(fd, out);
}

static void tell_all(void)
{
    static const char event[] =
        "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n";
    char out[256];
    snprintf(out, sizeof out, "%zx\r\n%s\r\n", sizeof event - 1, event);
    for (int fd = 0; fd < CONNECTIONS; fd++)
        if (all.streams[fd].state == BEGUN)
            say(fd, out);
}

static int serve(void)
{
    int on = 1, door = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons(all.port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event e = {.events = EPOLLIN, .data.fd = door}, came[EVENTS];
    signal(SIGUSR1, on_signal);
    setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(door, (void *)&at, sizeof at) || listen(door, 4096) ||
        epoll_ctl(all.epoll, EPOLL_CTL_ADD, door, &e))
        return 1;
    for (;;) {
        int n = epoll_wait(all.epoll, came, EVENTS, 50);
        for (int i = 0; i < n; i++) {
            int fd = came[i].data.fd;
            if (fd == door)
                watch(accept(door, NULL, NULL));
            else if (!take(fd))
                leave(fd);
            else if (all.streams[fd].text)
                answer(fd);
        }
        if (told_to_say)
            tell_all();
        told_to_say = 0;
    }
}

/* The clients -------------------------------------------------------------------------------------
 */
static int dial(void)
{
    static uint32_t number;
    int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in from = {.sin_family = AF_INET}, to = from;
    from.sin_addr.s_addr = htonl(0x7f000001 + (++number % 250 << 8));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(all.port);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (fd < 0 || bind(fd, (void *)&from, sizeof from) || connect(fd, (void *)&to, sizeof to)) {
        fprintf(stderr, "connection %u: %s\n", number, strerror(errno));
        exit(1);
    }
    return fd;
}

static void post(int fd, const char *headers, const char *body)
{
    char out[TEXT];
    snprintf(out, sizeof out,
             "POST /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: "
             "application/json\r\nAccept: application/json, text/event-stream\r\n%s"
             "Content-Length: %zu\r\n\r\n%s",
             all.key, headers, strlen(body), body);
    say(fd, out);
}

static void begin_session(void)
{
    char text[TEXT] = "";
    int fd = dial();
    post(fd, "",
         "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":"
         "\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{\"name\":\"c\",\"version\":\"1\"}}}");
    if (recv(fd, text, sizeof text - 1, 0) <= 0 || !strcasestr(text, "mcp-session-id: ")) {
        fprintf(stderr, "no session: %s\n", text);
        exit(1);
    }
    sscanf(strcasestr(text, "mcp-session-id: ") + 16, "%1023s", all.session);
    close(fd);
}

static void begin_stream(long i)
{
    char out[TEXT];
    int fd = dial();
    watch(fd);
    if (strcmp(all.kind, "listen") == 0 || (strcmp(all.kind, "get") != 0 && i % 2)) {
        post(fd, "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: subscriptions/listen\r\n",
             "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"subscriptions/listen\",\"params\":{"
             "\"notifications\":{\"toolsListChanged\":true},\"_meta\":{"
             "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
             "\"io.modelcontextprotocol/clientCapabilities\":{}}}}");
        return;
    }
    snprintf(out, sizeof out,
             "GET /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nAccept: "
             "text/event-stream\r\nMCP-Protocol-Version: 2025-11-25\r\nMcp-Session-Id: %s\r\n\r\n",
             all.key, all.session);
    say(fd, out);
}

/* The first event, or comment, begins it; any other one tells. */
static void hear(int fd)
{
    struct stream *s = &all.streams[fd];
    if (!take(fd)) {
        leave(fd);
    } else if (!s->text) {
        all.told += s->state == BEGUN;
        s->state = TOLD;
    } else if (strncmp(s->text, "HTTP/1.1 200", 12) != 0) {
        fprintf(stderr, "%s\n", s->text);
        leave(fd);
    } else if (strstr(s->text, "\n\n")) {
        free(s->text);
        s->text = NULL;
        s->state = BEGUN;
        all.begun++;
    }
}

static void wait_for(int ms)
{
    struct epoll_event came[EVENTS];
    int n = epoll_wait(all.epoll, came, EVENTS, ms);
    for (int i = 0; i < n; i++)
        hear(came[i].data.fd);
}

static int hold(void)
{
    int64_t end = now_ms() + all.seconds * 1000;
    begin_session();
    for (long i = 0; i < all.count;) {
        for (; i < all.count && i - all.begun - all.over < AT_ONCE; i++)
            begin_stream(i);
        wait_for(50);
        if (now_ms() > end)
            break;
    }
    while (all.begun + all.over < all.count && now_ms() < end)
        wait_for(50);
    printf("held %ld\n", all.begun);
    fflush(stdout);
    while (all.told + all.over < all.count && now_ms() < end)
        wait_for(50);
    printf("told %ld\n", all.told);
    return 0;
}

int main(int argc, char **argv)
{
    struct rlimit files;
    bool is_server = argc == 3 && strcmp(argv[1], "serve") == 0;
    if (!is_server && (argc < 6 || strcmp(argv[1], "hold") != 0)) {
        fprintf(
            stderr,
            "usage: streams serve PORT\n       streams hold PORT COUNT SECONDS KEY [get|listen]\n");
        return 2;
    }
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    all.epoll = epoll_create1(0);
    all.port = (uint16_t)atoi(argv[2]);
    if (is_server)
        return serve();
    all.count = atol(argv[3]);
    all.seconds = atol(argv[4]);
    all.key = argv[5];
    all.kind = argc > 6 ? argv[6] : "both";
    return hold();
}
