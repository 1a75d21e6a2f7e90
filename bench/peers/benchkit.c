/* SPDX-License-Identifier: Apache-2.0 */
/* benchkit: tiny loopback test kit for HTTP/1.1 gateways. Own work, no dependencies but libc.
 *   benchkit upstream PORT            mock LLM upstream (JSON or SSE), one epoll thread
 *   benchkit rate PORT HDRFILE BODYFILE CONNS RATE SECS      open-loop load (no coordinated omission)
 *   benchkit sse  PORT HDRFILE BODYFILE CONNS SECS           streaming clients: time to first event, per-event delay
 *   benchkit idle PORT CONNS SECS     open CONNS keepalive connections (one request each), hold them
 * The mock reads the request body: "stream":true => SSE of 200 events; "pace=N" => N microseconds between events
 * (0 = burst, 10 events per write). Each event carries its send time (CLOCK_MONOTONIC ns) in its id. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 200
static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}
static void die(const char *m)
{
    perror(m);
    exit(1);
}
static void nodelay(int fd)
{
    int o = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &o, sizeof o);
}
static void files_up(void)
{
    struct rlimit r;
    getrlimit(RLIMIT_NOFILE, &r);
    r.rlim_cur = r.rlim_max;
    setrlimit(RLIMIT_NOFILE, &r);
}

/* ---------- upstream ---------- */
typedef struct {
    int fd, streaming, sent, len;
    uint64_t next;
    uint32_t pace;
    char buf[65536];
} uc;
static uc *ucs[70000];
static int live[70000], nlive;
static char json_resp[2048];
static size_t json_len;
static const char *BODY =
    "{\"id\":\"chatcmpl-9f8e7d6c5b4a\",\"object\":\"chat.completion\",\"created\":1763800000,"
    "\"model\":\"gpt-4o-mini\",\"choices\":[{\"index\":0,"
    "\"message\":{\"role\":\"assistant\",\"content\":\"The quarterly report shows that revenue "
    "rose by eight percent, driven mainly by the new "
    "subscription plan. Operating cost stayed flat. The board should review hiring in the second "
    "half of the year, because the current pace "
    "would exceed the approved plan by about three "
    "percent.\"},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":212,"
    "\"completion_tokens\":58,\"total_tokens\":270},\"system_fingerprint\":\"fp_0123456789\"}";

static int sse_event(char *o, size_t n, uint64_t t, int i)
{
    char p[400];
    int l = snprintf(p, sizeof p,
                     "data: "
                     "{\"id\":\"chatcmpl-t%llu\",\"object\":\"chat.completion.chunk\",\"created\":"
                     "1763800000,\"model\":\"gpt-4o-mini\","
                     "\"choices\":[{\"index\":0,\"delta\":{\"content\":\" "
                     "token%d\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n",
                     (unsigned long long)t, i);
    return snprintf(o, n, "%x\r\n%s\r\n", l, p);
}
static void wr(int fd, const char *b, size_t n)
{
    while (n) {
        ssize_t r = send(fd, b, n, MSG_NOSIGNAL);
        if (r < 0) {
            if (errno == EAGAIN) {
                usleep(50);
                continue;
            }
            return;
        }
        b += r;
        n -= r;
    }
}
static void sse_step(uc *c, uint64_t t)
{
    char o[16384];
    int n = 0, k = c->pace ? 1 : 10;
    while (k-- && c->sent < EVENTS) {
        n += sse_event(o + n, sizeof o - n, t, c->sent);
        c->sent++;
    }
    if (c->sent >= EVENTS) {
        const char *d = "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n";
        strcpy(o + n, d);
        n += strlen(d);
    }
    wr(c->fd, o, n);
    if (c->sent >= EVENTS)
        c->streaming = 0;
    else
        c->next += c->pace * 1000ull;
}
static void uclose(int fd)
{
    free(ucs[fd]);
    ucs[fd] = 0;
    close(fd);
}
static const char *hdr(const char *b, const char *e, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = b; p < e;) {
        if (!strncasecmp(p, name, n))
            return p + n;
        p = memchr(p, '\n', e - p);
        if (!p)
            break;
        p++;
    }
    return 0;
}
static void umsg(uc *c, const char *body, size_t n)
{
    if (memmem(body, n, "\"stream\":true", 13)) {
        const char *p = memmem(body, n, "pace=", 5);
        c->pace = p ? atoi(p + 5) : 0;
        c->sent = 0;
        c->streaming = 1;
        c->next = now();
        const char *h = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: "
                        "no-cache\r\nX-Accel-Buffering: no\r\nTransfer-Encoding: chunked\r\n\r\n";
        wr(c->fd, h, strlen(h));
        if (!c->pace)
            while (c->streaming)
                sse_step(c, now());
        else {
            sse_step(c, now());
            if (c->streaming)
                live[nlive++] = c->fd;
        }
    } else
        wr(c->fd, json_resp, json_len);
}
static void uread(uc *c)
{
    ssize_t r = recv(c->fd, c->buf + c->len, sizeof c->buf - 1 - c->len, 0);
    if (r <= 0) {
        if (r < 0 && errno == EAGAIN)
            return;
        for (int i = 0; i < nlive; i++)
            if (live[i] == c->fd)
                live[i--] = live[--nlive];
        uclose(c->fd);
        return;
    }
    c->len += r;
    c->buf[c->len] = 0;
    for (;;) {
        char *e = memmem(c->buf, c->len, "\r\n\r\n", 4);
        if (!e)
            return;
        size_t hl = e + 4 - c->buf, need = 0, bl = 0;
        const char *v;
        if ((v = hdr(c->buf, e, "content-length:"))) {
            bl = strtoul(v, 0, 10);
            need = hl + bl;
        } else if (hdr(c->buf, e, "transfer-encoding:")) {
            char *z = memmem(c->buf + hl, c->len - hl, "0\r\n\r\n", 5);
            if (!z)
                return;
            need = z + 5 - c->buf;
            bl = need - hl;
        } else
            need = hl;
        if ((size_t)c->len < need)
            return;
        umsg(c, c->buf + hl, bl);
        memmove(c->buf, c->buf + need, c->len - need);
        c->len -= need;
        c->buf[c->len] = 0;
        if (!c->len)
            return;
    }
}
static int upstream(int port)
{
    json_len = snprintf(json_resp, sizeof json_resp,
                        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nx-request-id: "
                        "req_0123456789abcdef\r\nContent-Length: %zu\r\n\r\n%s",
                        strlen(BODY), BODY);
    int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(s, (void *)&a, sizeof a) || listen(s, 4096))
        die("bind");
    int ep = epoll_create1(0);
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = s};
    epoll_ctl(ep, EPOLL_CTL_ADD, s, &ev);
    struct epoll_event evs[256];
    for (;;) {
        int n = epoll_wait(ep, evs, 256, nlive ? 1 : -1);
        for (int i = 0; i < n; i++) {
            int fd = evs[i].data.fd;
            if (fd == s) {
                int c;
                while ((c = accept4(s, 0, 0, SOCK_NONBLOCK)) >= 0) {
                    nodelay(c);
                    uc *u = malloc(sizeof *u);
                    u->fd = c;
                    u->len = u->streaming = 0;
                    ucs[c] = u;
                    ev.events = EPOLLIN;
                    ev.data.fd = c;
                    epoll_ctl(ep, EPOLL_CTL_ADD, c, &ev);
                }
            } else if (ucs[fd])
                uread(ucs[fd]);
        }
        uint64_t t = nlive ? now() : 0;
        for (int i = 0; i < nlive; i++) {
            uc *c = ucs[live[i]];
            if (c->next <= t)
                sse_step(c, now());
            if (!c->streaming)
                live[i--] = live[--nlive];
        }
    }
    return 0;
}

/* ---------- client side ---------- */
#define HB 4096
static uint64_t hist[HB * 16], hist2[HB * 16];
static int hidx(uint64_t v)
{
    if (v < HB)
        return v;
    int s = 63 - __builtin_clzll(v) - 11;
    if (s > 14)
        s = 14;
    return HB + (s - 1) * 2048 + ((v >> s) & 2047);
}
static uint64_t hval(int i)
{
    if (i < HB)
        return i;
    int s = (i - HB) / 2048 + 1;
    return (2048ull + (i - HB) % 2048) << s;
}
static uint64_t pct(uint64_t *h, double p)
{
    uint64_t n = 0, c = 0;
    for (int i = 0; i < HB * 16; i++)
        n += h[i];
    uint64_t t = n * p;
    for (int i = 0; i < HB * 16; i++) {
        c += h[i];
        if (c > t)
            return hval(i);
    }
    return 0;
}
typedef struct {
    int fd, busy, len, hdone;
    long need;
    uint64_t t0;
    int chunked, first;
    unsigned tailn;
    char tail[8];
    char buf[65536];
} cc;
static char *slurp(const char *f, size_t *n)
{
    FILE *p = fopen(f, "rb");
    if (!p)
        die(f);
    char *b = malloc(1 << 20);
    *n = fread(b, 1, 1 << 20, p);
    fclose(p);
    return b;
}
static char *mkreq(const char *hf, const char *bf, size_t *rl)
{
    size_t hn, bn;
    char *h = slurp(hf, &hn), *b = slurp(bf, &bn), *r = malloc(hn + bn + 512);
    int n = sprintf(r, "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: "
                       "application/json\r\n");
    for (size_t i = 0; i < hn; i++)
        if (h[i] == '\n') {
            r[n++] = '\r';
            r[n++] = '\n';
        } else
            r[n++] = h[i];
    n += sprintf(r + n, "Content-Length: %zu\r\n\r\n", bn);
    memcpy(r + n, b, bn);
    *rl = n + bn;
    return r;
}
static int dial(int port)
{
    int f = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(f, (void *)&a, sizeof a))
        die("connect");
    nodelay(f);
    fcntl(f, F_SETFL, O_NONBLOCK);
    return f;
}
/* 1: the head is complete and cut off; 0: more is needed; -1: not a 200 */
static int resp_head(cc *c)
{
    char *e = memmem(c->buf, c->len, "\r\n\r\n", 4);
    if (!e)
        return 0;
    if (strncmp(c->buf + 9, "200", 3)) {
        static int w;
        if (!w++)
            fprintf(stderr, "non-200: %.300s\n", c->buf);
        return -1;
    }
    const char *v = hdr(c->buf, e, "content-length:");
    c->chunked = !v;
    size_t hl = e + 4 - c->buf;
    c->need = v ? atol(v) : 0;
    memmove(c->buf, c->buf + hl, c->len - hl);
    c->len -= hl;
    c->buf[c->len] = 0;
    return c->hdone = 1;
}
static int ends(cc *c)
{
    int done = c->len >= 5 && !memcmp(c->buf + c->len - 5, "0\r\n\r\n", 5);
    if (done)
        c->len = 0;
    return done;
}
/* counts the events in the buffer and keeps what may be the beginning of another */
static int resp_events(cc *c, uint64_t t, uint64_t *events)
{
    char *p = c->buf, *q;
    char *e = c->buf + c->len;
    while ((q = memmem(p, e - p, "chatcmpl-t", 10)) && e - q > 32) {
        uint64_t ts = strtoull(q + 10, 0, 10);
        if (!c->first) {
            c->first = 1;
            hist2[hidx((t - c->t0) / 100)]++;
        }
        hist[hidx(t > ts ? (t - ts) / 100 : 0)]++;
        ++*events;
        p = q + 10;
    }
    if (ends(c))
        return 1;
    int keep = q ? e - q : (c->len < 16 ? c->len : 16);
    if (!q && keep > e - p)
        keep = e - p;
    memmove(c->buf, e - keep, keep);
    c->len = keep;
    return 0;
}
/* returns 1 when a full response was consumed, -1 on error */
static int resp(cc *c, uint64_t *events)
{
    ssize_t r = recv(c->fd, c->buf + c->len, sizeof c->buf - 1 - c->len, 0);
    if (r <= 0)
        return r < 0 && errno == EAGAIN ? 0 : -1;
    uint64_t t = now();
    c->len += r;
    c->buf[c->len] = 0;
    int h = c->hdone ? 1 : resp_head(c);
    if (h < 1)
        return h;
    if (events)
        return resp_events(c, t, events);
    if (c->chunked)
        return ends(c);
    if (c->len < c->need)
        return 0;
    c->len = 0;
    return 1;
}
static void report(const char *n, uint64_t *h, double u)
{
    printf(" %s_p50=%.1f %s_p99=%.1f %s_p999=%.1f", n, pct(h, .5) * u, n, pct(h, .99) * u, n,
           pct(h, .999) * u);
}
/* the state of a run */
typedef struct {
    cc *c;
    int ep, nf, *freel, port, sse;
    char *rq;
    size_t rl;
    uint64_t next, gap, done, err, ev_n, warm, late;
} run;
static void add(run *u, int i)
{
    u->c[i].fd = dial(u->port);
    struct epoll_event ev = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
    epoll_ctl(u->ep, EPOLL_CTL_ADD, u->c[i].fd, &ev);
}
/* a connection that waits for the next request */
static void rest(run *u, int i)
{
    u->c[i].busy = 0;
    u->freel[u->nf++] = i;
}
static void start_due(run *u, uint64_t t)
{
    while (u->nf && (u->sse || u->next <= t)) {
        cc *k = &u->c[u->freel[--u->nf]];
        k->busy = 1;
        k->hdone = k->first = 0;
        k->len = 0;
        k->t0 = u->sse ? now() : u->next; /* open loop: latency counts from the scheduled time */
        if (!u->sse)
            u->next += u->gap;
        if (send(k->fd, u->rq, u->rl, MSG_NOSIGNAL) != (ssize_t)u->rl)
            u->err++;
    }
    if (!u->nf && !u->sse && u->next <= t)
        u->late++;
}
static long patience(const run *u)
{
    uint64_t t = now();
    if (u->sse)
        return 5000000;
    if (!u->nf)
        return 1000000;
    return u->next <= t ? 0 : u->next - t > 900000000 ? 900000000 : u->next - t;
}
static void take(run *u, int i)
{
    cc *k = &u->c[i];
    int r = resp(k, u->sse ? &u->ev_n : 0);
    if (r < 0) {
        u->err++;
        close(k->fd);
        add(u, i);
        if (k->busy) /* or it was closed while it rested */
            rest(u, i);
    } else if (r) {
        uint64_t t = now();
        if (!u->sse && t > u->warm)
            hist[hidx((t - k->t0) / 100)]++;
        u->done++;
        rest(u, i);
    }
}
static void tell(const run *u, double secs)
{
    printf("done=%llu per_s=%.0f err=%llu", (unsigned long long)u->done, u->done / secs,
           (unsigned long long)u->err);
    if (u->sse) {
        printf(" events_per_s=%.0f", u->ev_n / secs);
        report("ttfb_us", hist2, .1);
        report("delay_us", hist, .1);
    } else {
        report("lat_us", hist, .1);
        printf(" late=%llu", (unsigned long long)u->late);
    }
    printf("\n");
}
static int client(int port, const char *hf, const char *bf, int nc, double rate, double secs,
                  int sse)
{
    run u = {.port = port, .sse = sse, .ep = epoll_create1(0)};
    u.rq = mkreq(hf, bf, &u.rl);
    u.c = calloc(nc, sizeof *u.c);
    u.freel = malloc(nc * sizeof(int));
    for (int i = 0; i < nc; i++) {
        add(&u, i);
        rest(&u, i);
    }
    uint64_t st = now(), end = st + secs * 1e9, t;
    u.gap = rate > 0 ? 1e9 / rate : 0;
    u.next = st;
    u.warm = st + 500000000ull;
    struct epoll_event evs[256];
    while ((t = now()) < end) {
        start_due(&u, t);
        struct timespec ts = {0, patience(&u)};
        int n = epoll_pwait2(u.ep, evs, 256, &ts, 0);
        for (int i = 0; i < n; i++)
            take(&u, evs[i].data.u32);
        if (u.err > 1000) {
            printf("errors=%llu", (unsigned long long)u.err);
            return 1;
        }
    }
    tell(&u, secs);
    return 0;
}
static int idle(int port, const char *hf, const char *bf, int nc, double secs)
{
    size_t rl;
    char *rq = mkreq(hf, bf, &rl);
    int *f = malloc(nc * sizeof(int)), ok = 0;
    char b[8192];
    for (int i = 0; i < nc; i++) {
        f[i] = dial(port);
        if (send(f[i], rq, rl, MSG_NOSIGNAL) != (ssize_t)rl)
            continue;
        fcntl(f[i], F_SETFL, 0);
        struct timeval tv = {2, 0};
        setsockopt(f[i], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
        if (recv(f[i], b, sizeof b, 0) > 12 && !strncmp(b + 9, "200", 3))
            ok++;
    }
    printf("idle_ok=%d\n", ok);
    fflush(stdout);
    usleep(secs * 1e6);
    return 0;
}
int main(int ac, char **av)
{
    signal(SIGPIPE, SIG_IGN);
    files_up();
    if (ac >= 3 && !strcmp(av[1], "upstream"))
        return upstream(atoi(av[2]));
    if (ac >= 8 && !strcmp(av[1], "rate"))
        return client(atoi(av[2]), av[3], av[4], atoi(av[5]), atof(av[6]), atof(av[7]), 0);
    if (ac >= 7 && !strcmp(av[1], "sse"))
        return client(atoi(av[2]), av[3], av[4], atoi(av[5]), 0, atof(av[6]), 1);
    if (ac >= 7 && !strcmp(av[1], "idle"))
        return idle(atoi(av[2]), av[3], av[4], atoi(av[5]), atof(av[6]));
    fprintf(stderr, "usage: see the head of benchkit.c\n");
    return 2;
}
