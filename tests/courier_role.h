/* SPDX-License-Identifier: Apache-2.0
 *
 * courier_role.h - for the tests of the courier: the real role in a process of its own, confined, and
 * this program as its warden. The other neighbours are in courier_gate.h and courier_upstream.h.
 */
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "identity.h"
#include "tap.h"
#include "edge/sock.h"
#include "role/role.h"
#include "role/stats.h"

enum { PATIENCE_MS = 5000, RING = 1 << 19 };

static pid_t courier;
static int control, stats_fd;
static struct nk_ring *calls, *answers;
static struct nk_role_ring call_fds, answer_fds;
static struct nk_arena arena;
static struct identity ca, leaf;
static int plain_listener, tls_listener, config_generation = 7, plain_port, tls_port, dead_port;

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int listen_here(int *port)
{
    struct nk_address at;
    struct nk_fault f = {0};
    NK_MUST(!nk_address_parse(NK_STR("127.0.0.1:0"), &at, &f));
    int fd = nk_listen(&at, false, &f);
    socklen_t n = at.size;
    NK_MUST(fd >= 0 && !getsockname(fd, &at.u.sa, &n));
    *port = ntohs(at.u.in.sin_port);
    return fd;
}

static char more_upstreams[8192], more_groups[2048]; /* a test's own, each behind a comma */

/* upstreams: 0 plain, 1 TLS, 2 nobody there, 3 a name, 4 impatient, 5 another CA, 6 unknown name,
 * 7 a name with two addresses, the first of them dead; from 8 on: the test's */
static int make_bundle(const char *credential)
{
    static char json[16384];
    snprintf(json, sizeof json,
             "{\"listen\":[{\"address\":\"127.0.0.1:1\"}],\"upstreams\":["
             "{\"name\":\"a\",\"dialect\":\"openai\",\"url\":\"http://127.0.0.1:%d\",\"pool\":2},"
             "{\"name\":\"b\",\"dialect\":\"anthropic\",\"url\":\"https://api.test.example:%d\"},"
             "{\"name\":\"c\",\"dialect\":\"openai\",\"url\":\"http://127.0.0.1:%d\"},"
             "{\"name\":\"d\",\"dialect\":\"openai\",\"url\":\"http://localhost:%d\"},"
             "{\"name\":\"e\",\"dialect\":\"openai\",\"url\":\"http://127.0.0.1:%d\","
             "\"first_byte_timeout\":100,\"idle_timeout\":100},"
             "{\"name\":\"f\",\"dialect\":\"openai\",\"url\":\"https://api.test.example:%d\"},"
             "{\"name\":\"g\",\"dialect\":\"openai\",\"url\":\"https://nowhere.invalid:%d\","
             "\"connect_timeout\":300},"
             "{\"name\":\"h\",\"dialect\":\"openai\",\"url\":\"http://two.test.example:%d\"}%s],"
             "\"models\":[{\"name\":\"m\",\"upstream\":\"a\"}],"
             "\"identity\":{\"issuers\":[{\"issuer\":\"i\",\"audience\":\"x\","
             "\"jwks\":\"http://127.0.0.1:%d/keys?x=1\"},"
             "{\"issuer\":\"j\",\"audience\":\"x\",\"jwks\":\"file:/dev/null\"}]},"
             "\"policy\":{\"directory\":\"/etc\"},\"audit\":{\"directory\":\"/tmp\"},"
             "\"control\":\"/tmp/x\"%s}",
             plain_port, tls_port, dead_port, plain_port, plain_port, tls_port, tls_port,
             plain_port, more_upstreams, plain_port, more_groups);
    struct nk_bundle b = {0};
    struct nk_str other = nk_buf_str(&leaf.cert_pem);
    NK_MUST(!nk_bundle_add(&b, &arena, NK_STR("config"), nk_arena_copy(&arena, nk_str(json))) &&
            !nk_bundle_add(&b, &arena, NK_STR("credential/0"), nk_str(credential)) &&
            !nk_bundle_add(&b, &arena, NK_STR("credential/1"), NK_STR("key-of-b")) &&
            !nk_bundle_add(&b, &arena, NK_STR("credential/8"), NK_STR("key-of-i")) &&
            !nk_bundle_add(&b, &arena, NK_STR("credential/8/1"), NK_STR("key-of-i-1")) &&
            !nk_bundle_add(&b, &arena, NK_STR("telemetry/0"), NK_STR("t-1")) &&
            !nk_bundle_add(&b, &arena, NK_STR("ca/1"), nk_buf_str(&ca.cert_pem)) &&
            !nk_bundle_add(&b, &arena, NK_STR("ca/5"), other) &&
            !nk_bundle_add(&b, &arena, NK_STR("ca/6"), other) &&
            !nk_bundle_add(&b, &arena, NK_STR("hosts"),
                           NK_STR("localhost 127.0.0.1\nAPI.test.example 127.0.0.1\n"
                                  "two.test.example 127.0.0.3\ntwo.test.example 127.0.0.1\n")));
    return nk_bundle_seal(&b, NK_BUNDLE_COURIER);
}

/* In the child: what nk_role_enter would have received. */
static int be_courier(int channel, int bundle)
{
    static struct nk_role_start s;
    struct nk_fault f = {0};
    s = (struct nk_role_start){.role = NK_ROLE_COURIER,
                               .generation = (uint32_t)config_generation,
                               .control = channel,
                               .stats = stats_fd,
                               .admin = -1,
                               .state_dir = -1,
                               .calls = call_fds,
                               .answers = answer_fds};
    nk_arena_init(&s.arena, 1 << 20);
    if (nk_bundle_open(bundle, &s.arena, &s.bundle, &f))
        return 9;
    int rc = nk_courier_main(&s);
    nk_arena_free(&s.arena);
    return rc;
}

static struct nk_control hear(enum nk_control_kind kind)
{
    struct nk_control m;
    int64_t until = now_ms() + PATIENCE_MS;
    int rc = NK_EAGAIN;
    while (rc == NK_EAGAIN && now_ms() < until) {
        struct pollfd p = {.fd = control, .events = POLLIN};
        poll(&p, 1, 10);
        rc = nk_control_recv(control, &m);
    }
    if (rc)
        nk_control_init(&m, NK_CONTROL_ABANDON);
    tap_ok(!rc && m.kind == kind, "the warden hears %d (rc %d, kind %d, %s)", kind, rc, m.kind,
           rc ? "" : m.text);
    return m;
}

static void start_courier(void)
{
    int pair[2];
    int bundle = make_bundle("key-of-a");
    NK_MUST(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair));
    fflush(stdout);
    courier = fork();
    if (courier == 0) {
        close(pair[0]);
        close(plain_listener);
        close(tls_listener);
        _exit(be_courier(pair[1], bundle));
    }
    close(pair[1]);
    close(bundle);
    control = pair[0];
    struct nk_control m = hear(NK_CONTROL_READY);
    tap_ok(m.code == 0, "the courier is ready %s", m.text);
}
