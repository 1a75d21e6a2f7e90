/* SPDX-License-Identifier: Apache-2.0
 *
 * courier_names - names over time: what the courier makes of a name server that changes its mind, cuts
 * its answers short, talks nonsense, falls silent and comes back. The name server is a process of its
 * own, since the courier asks while this one waits for calls. The upstream listens on two addresses.
 */
#include "courier_house.h"

enum how { GOOD, SILENT, GARBAGE, CUT_SHORT, NO_NAME, BROKEN };

/* What the name server does, shared with it. */
static struct desk {
    enum how how;
    uint32_t address; /* last part of 127.0.0.x */
    uint32_t ttl;     /* seconds */
    int asked, by_tcp;
} * desk;
static pid_t server;
static int dns_port, first, second, both_port;

/* The answer to `m` of n bytes, in place; 0: none. */
static size_t reply(unsigned char *m, size_t n, bool tcp)
{
    size_t end = 12 + strlen((char *)m + 12) + 5;
    enum how how = desk->how;
    if (n < 17 || end > n || how == SILENT)
        return 0;
    bool is_a = m[end - 3] == 1;
    m[2] = 0x81;
    m[3] = how == NO_NAME ? 0x83 : how == BROKEN ? 0x82 : 0x80;
    memset(m + 6, 0, 6);
    if (how == CUT_SHORT && !tcp)
        m[2] |= 2;
    if (how == GARBAGE) {
        memset(m + 2, 0xff, end - 2);
        return end;
    }
    if (is_a && (how == GOOD || (how == CUT_SHORT && tcp))) {
        unsigned char a[16] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, (unsigned char)desk->ttl, 0, 4, 127};
        a[15] = (unsigned char)desk->address;
        m[7] = 1;
        memcpy(m + end, a, sizeof a);
        end += sizeof a;
    }
    return end;
}

static void serve_udp(int fd)
{
    unsigned char m[600];
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    ssize_t n = recvfrom(fd, m, 512, 0, (struct sockaddr *)&from, &size);
    desk->asked++;
    size_t out = n > 0 ? reply(m, (size_t)n, false) : 0;
    if (out)
        (void)!sendto(fd, m, out, 0, (struct sockaddr *)&from, size);
}

static void serve_tcp(int listener)
{
    unsigned char m[602];
    int fd = accept(listener, NULL, NULL);
    ssize_t n;
    while (readable(fd, 200) && (n = read(fd, m, 514)) > 2) {
        size_t out = reply(m + 2, (size_t)n - 2, true);
        m[0] = (unsigned char)(out >> 8);
        m[1] = (unsigned char)out;
        desk->by_tcp++;
        if (out)
            (void)!write(fd, m, out + 2);
    }
    close(fd);
}

static void open_server(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int tcp = listen_here(&dns_port), udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    at.sin_port = htons((uint16_t)dns_port);
    NK_MUST(!bind(udp, (struct sockaddr *)&at, sizeof at));
    desk = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    NK_MUST(desk != MAP_FAILED);
    server = fork();
    while (server == 0) {
        struct pollfd p[2] = {{.fd = udp, .events = POLLIN}, {.fd = tcp, .events = POLLIN}};
        poll(p, 2, -1);
        if (p[0].revents)
            serve_udp(udp);
        if (p[1].revents)
            serve_tcp(tcp);
    }
    close(udp);
    close(tcp);
}

/* Two listeners with one port number on 127.0.0.1 and 127.0.0.2. */
static void open_both(void)
{
    for (;;) {
        struct nk_address at;
        struct nk_fault f = {0};
        char text[40];
        first = listen_here(&both_port);
        snprintf(text, sizeof text, "127.0.0.2:%d", both_port);
        NK_MUST(!nk_address_parse(nk_str(text), &at, &f));
        second = nk_listen(&at, false, &f);
        if (second >= 0)
            return;
        close(first);
    }
}

static bool serves(int fd, const char *more)
{
    char text[200];
    snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\n%sContent-Length: 2\r\n\r\nok", more);
    return up_read(fd, 1) && up_write(fd, text);
}

static void serve(int fd, const char *more)
{
    TAP_CHECK(serves(fd, more));
}

/* One call on a connection of its own, which goes to `listener`. */
static bool goes_to(int listener, uint32_t upstream)
{
    post(1, upstream, "x");
    int fd = up_accept(listener, PATIENCE_MS);
    if (fd < 0)
        return false;
    serve(fd, "Connection: close\r\n");
    close(fd);
    return is_whole(1, 200, "ok");
}

static void set(enum how how, uint32_t address)
{
    desk->address = address;
    desk->how = how;
}

static void keep_case(void)
{
    desk->ttl = 60;
    TAP_CHECK(goes_to(first, 13));
    int asked = desk->asked;
    tap_ok(goes_to(first, 13) && desk->asked == asked,
           "within the time to live nothing is asked again");
    desk->ttl = 1;
}

static void change_case(void)
{
    post(1, 8, "x");
    int fd = up_accept(first, PATIENCE_MS);
    serve(fd, "");
    TAP_CHECK(is_whole(1, 200, "ok"));
    int asked = desk->asked;
    set(GOOD, 2);
    usleep(900000);
    post(3, 8, "x"); /* on the kept connection; what it asks, asks ahead of time */
    serve(fd, "");
    TAP_CHECK(is_whole(3, 200, "ok"));
    usleep(100000);
    tap_ok(desk->asked > asked && goes_to(second, 8),
           "a change is followed within a time to live, though a connection was kept");
    tap_ok(up_closed(fd, PATIENCE_MS), "and that connection is closed");
    close(fd);
}

static void gone_case(void)
{
    set(SILENT, 2);
    usleep(1200000);
    int64_t from = now_ms();
    tap_ok(goes_to(second, 8) && now_ms() - from < 2000,
           "without a name server the last address serves on (%lld ms)",
           (long long)(now_ms() - from));
    from = now_ms();
    tap_ok(goes_to(second, 8) && now_ms() - from < 2000, "again, without waiting");
    usleep(2500000);
    post(4, 8, "x");
    tap_ok(next_record(PATIENCE_MS) && got.type == NK_WIRE_FAIL,
           "but not for longer than `dns.stale`: %s", payload + got.head_size);
    set(GOOD, 1);
    bool back = false;
    for (int i = 0; i < 20 && !back; i++) {
        post(5, 8, "x");
        int fd = up_accept(first, 1200);
        /* On a busy machine it may be one that came too late for the call before, and was given up. */
        if (fd >= 0)
            (void)serves(fd, "Connection: close\r\n");
        close(fd);
        back = next_record(PATIENCE_MS) && got.type == NK_WIRE_HEAD;
    }
    tap_ok(back, "and it is found again when the name server is back");
}

static void odd_cases(void)
{
    desk->asked = 0;
    set(NO_NAME, 1);
    post(6, 9, "x");
    TAP_CHECK(next_record(PATIENCE_MS) && got.type == NK_WIRE_FAIL);
    int asked = desk->asked;
    for (uint32_t i = 0; i < 10; i++) {
        post(7, 9, "x");
        TAP_CHECK(next_record(PATIENCE_MS) && got.type == NK_WIRE_FAIL);
    }
    tap_ok(asked > 0 && desk->asked == asked, "that a name does not exist is remembered: %s",
           payload + got.head_size);
    set(CUT_SHORT, 1);
    tap_ok(goes_to(first, 10) && desk->by_tcp > 0,
           "an answer cut short is asked for again over TCP");
    set(GARBAGE, 1);
    post(8, 11, "x");
    tap_ok(next_record(PATIENCE_MS) && got.type == NK_WIRE_FAIL, "nonsense is no answer: %s",
           payload + got.head_size);
    set(BROKEN, 1);
    post(9, 12, "x");
    tap_ok(next_record(PATIENCE_MS) && got.type == NK_WIRE_FAIL, "nor is a failure: %s",
           payload + got.head_size);
    set(GOOD, 1);
    bool back = false;
    for (int64_t until = now_ms() + 10000; !back && now_ms() < until;) {
        post(10, 12, "x");
        int fd = up_accept(first, 200);
        /* On a busy machine it may be one that came too late for the call before, and was given up. */
        if (fd >= 0)
            (void)serves(fd, "Connection: close\r\n");
        close(fd);
        back = next_record(PATIENCE_MS) && got.type == NK_WIRE_HEAD;
    }
    tap_ok(back, "and it is not remembered for long");
}

int main(void)
{
    open_server();
    open_both();
    for (int i = 0; i < 6; i++)
        snprintf(more_upstreams + strlen(more_upstreams),
                 sizeof more_upstreams - strlen(more_upstreams),
                 ",{\"name\":\"n%d\",\"dialect\":\"openai\",\"connect_timeout\":1000,"
                 "\"url\":\"http://n%d.example:%d\",\"private\":\"true\"}",
                 i, i, both_port);
    snprintf(more_groups, sizeof more_groups,
             ",\"dns\":{\"servers\":\"127.0.0.1:%d\",\"stale\":3000}", dns_port);
    *desk = (struct desk){.how = GOOD, .address = 1, .ttl = 1};
    open_house();
    keep_case();
    change_case();
    gone_case();
    odd_cases();
    say(NK_CONTROL_DRAIN, -1);
    close_house();
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    return tap_done();
}
