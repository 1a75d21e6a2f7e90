/* SPDX-License-Identifier: Apache-2.0
 *
 * resolve - URLs to origins, lines of /etc/hosts, and a name server that this program plays.
 */
#include "tap.h"
#include <arpa/inet.h>
#include <unistd.h>
#include "role/origin.h"
#include "role/resolve.h"

static void origin_cases(void)
{
    static const struct {
        const char *url, *host, *header, *target;
        int port;
        bool tls, literal;
    } good[] = {
        {"https://api.openai.com", "api.openai.com", "api.openai.com", "/", 443, true, false},
        {"http://127.0.0.1:9000", "127.0.0.1", "127.0.0.1:9000", "/", 9000, false, true},
        {"http://localhost/", "localhost", "localhost", "/", 80, false, false},
        {"https://[::1]:8443/a?b=c", "::1", "[::1]:8443", "/a?b=c", 8443, true, true},
        {"https://[::1]", "::1", "[::1]", "/", 443, true, true},
        {"https://id.example:1/.well-known/jwks.json", "id.example", "id.example:1",
         "/.well-known/jwks.json", 1, true, false},
        {"unix:/run/x.sock", "", "localhost", "/", 0, false, true},
    };
    static const char *const bad[] = {
        "",           "ftp://a",           "https://",        "https:///x",   "https://u@a",
        "https://a:", "https://a:0",       "https://a:65536", "https://a:8x", "https://[::1",
        "https://a?", "https://[1.2.3.4]", "https://[a]:1",   "unix:x",       "https://a#b",
    };
    struct nk_arena a;
    struct nk_origin o;
    nk_arena_init(&a, 1 << 16);
    for (size_t i = 0; i < NK_COUNT(good); i++) {
        struct nk_fault f = {0};
        int rc = nk_origin_parse(nk_str(good[i].url), &a, &o, &f);
        tap_ok(!rc && !strcmp(o.host, good[i].host) &&
                   nk_str_eq(o.host_header, nk_str(good[i].header)) &&
                   nk_str_eq(o.target, nk_str(good[i].target)) && o.port == good[i].port &&
                   o.tls == good[i].tls && o.literal == good[i].literal,
               "origin %s", good[i].url);
    }
    for (size_t i = 0; i < NK_COUNT(bad); i++) {
        struct nk_fault f = {0};
        tap_ok(nk_origin_parse(nk_str(bad[i]), &a, &o, &f) == NK_EINVAL && f.message[0],
               "no origin: \"%s\"", bad[i]);
    }
    nk_arena_free(&a);
}

static void suspect_cases(void)
{
    static const char *const suspect[] = {"127.0.0.1",
                                          "169.254.169.254",
                                          "0.0.0.0",
                                          "224.0.0.1",
                                          "255.255.255.255",
                                          "::1",
                                          "::",
                                          "fe80::1",
                                          "ff02::1",
                                          "::ffff:127.0.0.1",
                                          "::ffff:169.254.169.254"};
    static const char *const fine[] = {"1.1.1.1",      "10.0.0.1", "192.168.1.1",   "169.253.0.1",
                                       "2606:4700::1", "fd00::1",  "::ffff:8.8.8.8"};
    struct nk_address a;
    for (size_t i = 0; i < NK_COUNT(suspect); i++)
        tap_ok(!nk_origin_literal(suspect[i], 1, &a) && nk_origin_is_suspect(&a), "suspect: %s",
               suspect[i]);
    for (size_t i = 0; i < NK_COUNT(fine); i++)
        tap_ok(!nk_origin_literal(fine[i], 1, &a) && !nk_origin_is_suspect(&a), "not suspect: %s",
               fine[i]);
}

static void hosts_cases(void)
{
    struct nk_str hosts = NK_STR("localhost 127.0.0.1\nlocalhost ::1\nBad not-an-address\n"
                                 "other 10.0.0.1\n");
    struct nk_addresses a;
    TAP_CHECK(nk_hosts_find(hosts, "LOCALHOST", 80, &a) == 0 && a.count == 2);
    TAP_CHECK(a.at[0].u.in.sin_port == htons(80) && a.at[1].u.in6.sin6_port == htons(80));
    TAP_CHECK(nk_hosts_find(hosts, "other", 80, &a) == 0 && a.count == 1);
    TAP_CHECK(nk_hosts_find(hosts, "Bad", 80, &a) == NK_ENOTFOUND);
    TAP_CHECK(nk_hosts_find(hosts, "local", 80, &a) == NK_ENOTFOUND);
    TAP_CHECK(nk_hosts_find((struct nk_str){NULL, 0}, "other", 80, &a) == NK_ENOTFOUND);
}

/* The name server: knows good.example (127.0.0.2, for 60 seconds) and both.example (two addresses of
 * each family), says nothing of silent.example, and that everything else does not exist. */
struct server {
    struct nk_watch watch;
    int asked;
};

static size_t put_both(unsigned char *to, bool is_a)
{
    size_t n = 0;
    for (unsigned char i = 1; i <= 2; i++) {
        const unsigned char head[] = {0xc0, 12, 0, is_a ? 1 : 28, 0, 1, 0, 0,
                                      0,    9,  0, is_a ? 4 : 16};
        memcpy(to + n, head, sizeof head);
        n += sizeof head;
        memset(to + n, 0, 16);
        to[n] = is_a ? 127 : 0xfd;
        n += is_a ? 4 : 16;
        to[n - 1] = i;
    }
    return n;
}

static void on_question(struct nk_watch *w, uint32_t events)
{
    struct server *s = NK_OF(w, struct server, watch);
    unsigned char m[512];
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    (void)events;
    ssize_t n = recvfrom(w->fd, m, sizeof m - 64, 0, (struct sockaddr *)&from, &size);
    if (n < 17)
        return;
    s->asked++;
    bool good = !memcmp(m + 12, "\4good\7example", 13), silent = !memcmp(m + 12, "\6silent", 7);
    size_t end = 12 + strlen((char *)m + 12) + 1;
    bool both = !memcmp(m + 12, "\4both\7example", 13), is_a = m[end + 1] == 1;
    end += 4;
    m[2] = 0x81;
    m[3] = good || both ? 0x80 : 0x83;
    memset(m + 6, 0, 6);
    if (good && is_a) {
        static const unsigned char answer[] = {0xc0, 12, 0, 1, 0,   1, 0, 0,
                                               0,    60, 0, 4, 127, 0, 0, 2};
        m[7] = 1;
        memcpy(m + end, answer, sizeof answer);
        end += sizeof answer;
    }
    if (both) {
        m[7] = 2;
        end += put_both(m + end, is_a);
    }
    if (!silent)
        (void)!sendto(w->fd, m, end, 0, (struct sockaddr *)&from, size);
}

static struct nk_loop *loop;
static struct nk_addresses found;
static char why_not[100];
static int answered;

static void on_found(void *owner, const struct nk_addresses *a, const char *why)
{
    answered++;
    found = *a;
    snprintf(why_not, sizeof why_not, "%s", why ? why : "");
    if (owner)
        nk_loop_stop(loop, 0);
}

static void on_patience(struct nk_timer *t)
{
    (void)t;
    nk_loop_stop(loop, 1);
}

static bool ask(struct nk_resolver *r, const char *name)
{
    answered = 0;
    nk_resolve(r, name, 443, &answered, on_found);
    return answered == 1 || nk_loop_run(loop) == 0;
}

static void server_cases(void)
{
    struct server s = {.watch.ready = on_question};
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    struct nk_timer patience = {.fire = on_patience};
    struct nk_fault f = {0};
    char servers[64];
    loop = nk_loop_new(NULL);
    s.watch.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    TAP_CHECK(!bind(s.watch.fd, (struct sockaddr *)&at, size) &&
              !getsockname(s.watch.fd, (struct sockaddr *)&at, &size));
    snprintf(servers, sizeof servers, "127.0.0.1:%d", ntohs(at.sin_port));
    struct nk_resolver *r = nk_resolver_new(loop, &f);
    TAP_CHECK(r && !nk_resolver_use(r, servers) && !nk_loop_watch(loop, &s.watch, EPOLLIN) &&
              !nk_loop_arm(loop, &patience, 10000000));
    tap_ok(ask(r, "good.example") && !why_not[0] && found.count == 1 &&
               found.at[0].u.in.sin_addr.s_addr == htonl(0x7f000002) &&
               found.at[0].u.in.sin_port == htons(443) && found.ttl_us == 60000000,
           "a name with an address %s", why_not);
    bool turns = ask(r, "both.example") && found.count == 4 && found.ttl_us == 9000000;
    for (size_t i = 0; i < found.count; i++)
        turns &= found.at[i].u.sa.sa_family == (i % 2 ? AF_INET : AF_INET6);
    tap_ok(turns, "addresses of both families take turns, IPv6 first");
    tap_ok(ask(r, "bad.example") && why_not[0] && found.count == 0 && found.no_name,
           "a name without: %s", why_not);
    tap_ok(s.asked >= 2, "the server was asked");
    TAP_CHECK(nk_resolver_use(r, "not a server") == NK_EINVAL);
    answered = 0;
    nk_resolve(r, "silent.example", 443, NULL, on_found);
    TAP_CHECK(answered == 0);
    nk_resolver_free(r);
    tap_ok(answered == 1 && why_not[0], "an open question is answered at the end: %s", why_not);
    TAP_CHECK(!nk_loop_watch(loop, &s.watch, 0));
    close(s.watch.fd);
    nk_loop_free(loop);
}

int main(void)
{
    origin_cases();
    suspect_cases();
    hosts_cases();
    server_cases();
    return tap_done();
}
