/* SPDX-License-Identifier: Apache-2.0
 *
 * bed.h - a real gate in a process of its own, confined as it will be. The program that includes
 * this plays all of its neighbours: the warden, the courier and the scribe. See client.h for those
 * who ask.
 */
#pragma once

#include "tap.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "edge/log.h"
#include "edge/sock.h"
#include "ident/keyfile.h"
#include "role/role.h"
#include "role/stats.h"
#include "role/wire.h"

enum { RING = 1 << 19, AUDIT_RING = 1 << 22, PATIENCE_MS = 6000, REQUESTS_MAX = 1 << 14 };
/* What the gate allows an upstream, and what it adds for a silent courier. */
enum { CALL_MS = 200 + 300, IDLE_MS = 300, SILENCE_MS = 2000, WRITE_MS = 1000, GRACE_MS = 3000 };

static const char key[] = "torture-key-of-john-0123456789";
static struct nk_arena arena;
static struct nk_stats counters;

/* What the audit ring said of request number i of the running gate. */
struct seen {
    int decisions, outcomes;
    uint64_t first, last; /* numbers of its records, counted from 1 */
};

static struct bed {
    pid_t pid;
    int control, stats, port, listener;
    struct nk_role_ring call_fds, answer_fds, audit_fds;
    struct nk_ring *calls, *answers, *audit;
    bool keep_calls, keep_audit, keep_durable; /* do not release; do not say "durable" */
    bool strict;
    size_t audit_bytes; /* size of the audit ring */
    uint32_t instance, generation;
    uint64_t records, durable;
    struct seen seen[REQUESTS_MAX];
    void (*call)(const struct nk_ring_record *r); /* what the courier does with a record */
} bed;

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int bed_listen(void)
{
    struct nk_address at;
    struct nk_fault f = {0};
    NK_MUST(!nk_address_parse(NK_STR("127.0.0.1:0"), &at, &f));
    int fd = nk_listen(&at, false, &f);
    socklen_t n = at.size;
    NK_MUST(fd >= 0 && !getsockname(fd, &at.u.sa, &n));
    bed.port = ntohs(at.u.in.sin_port);
    return fd;
}

/* `issuer` NULL: none; else the URL of its key set. */
static int bed_bundle(const char *issuer)
{
    struct nk_keyfile_entry e = {.id = NK_STR("torturekey22"),
                                 .digest = nk_sha256(nk_str(key)),
                                 .type = NK_STR("User"),
                                 .principal = NK_STR("john"),
                                 .created_ms = 1700000000000,
                                 .expires_ms = INT64_MAX,
                                 .revoked_ms = INT64_MAX};
    struct nk_buf keys;
    struct nk_bundle b = {0};
    nk_buf_init(&keys, 65536);
    nk_keyfile_put(&e, &keys);
    struct nk_str identity =
        issuer ? nk_arena_printf(&arena,
                                 "\"issuers\":[{\"issuer\":\"i\",\"audience\":\"x\",\"jwks\":\"%s\""
                                 "}],",
                                 issuer)
               : NK_STR("");
    struct nk_str json = nk_arena_printf(
        &arena,
        "{\"listen\":[{\"address\":\"127.0.0.1:1\"}],\"upstreams\":[{\"name\":\"up\",\"dialect\":"
        "\"openai\",\"url\":\"http://127.0.0.1:1\",\"connect_timeout\":200,"
        "\"first_byte_timeout\":300,\"idle_timeout\":%d}],\"models\":[{\"name\":\"m\","
        "\"upstream\":\"up\"}],\"identity\":{%.*s\"keys\":\"/k\"},\"policy\":{\"directory\":\"/p\"}"
        ",\"audit\":{\"directory\":\"/a\",\"mode\":\"%s\"},\"control\":\"/c\",\"limits\":{"
        "\"requests\":4000,\"write_timeout\":%d,\"idle_timeout\":20000,\"stream_window\":65536}}",
        IDLE_MS, NK_FMT(identity), bed.strict ? "strict" : "group", WRITE_MS);
    NK_MUST(!nk_bundle_add(&b, &arena, NK_STR("config"), json) &&
            !nk_bundle_add(&b, &arena, NK_STR("keys"), nk_arena_copy(&arena, nk_buf_str(&keys))) &&
            !nk_bundle_add(&b, &arena, NK_STR("policy/all.cedar"),
                           NK_STR("permit (principal, action, resource);")));
    int fd = nk_bundle_seal(&b, NK_BUNDLE_GATE);
    NK_MUST(fd >= 0);
    nk_buf_free(&keys);
    return fd;
}

static void bed_pair(void)
{
    NK_MUST(!nk_ring_create(RING, &bed.call_fds.memfd, &bed.call_fds.eventfd) &&
            !nk_ring_create(RING, &bed.answer_fds.memfd, &bed.answer_fds.eventfd));
    bed.call_fds.backfd = bed.answer_fds.eventfd;
    bed.answer_fds.backfd = bed.call_fds.eventfd;
    bed.calls = nk_role_ring_open(&bed.call_fds, false);
    bed.answers = nk_role_ring_open(&bed.answer_fds, true);
    NK_MUST(bed.calls && bed.answers);
}

static void bed_drop_pair(void)
{
    nk_ring_close(bed.calls);
    nk_ring_close(bed.answers);
    close(bed.call_fds.memfd), close(bed.call_fds.eventfd);
    close(bed.answer_fds.memfd), close(bed.answer_fds.eventfd);
}

static bool bed_hear(enum nk_control_kind kind)
{
    struct nk_control m;
    int64_t until = now_ms() + PATIENCE_MS;
    int rc = NK_EAGAIN;
    while (rc == NK_EAGAIN && now_ms() < until) {
        struct pollfd p = {.fd = bed.control, .events = POLLIN};
        poll(&p, 1, 10);
        rc = nk_control_recv(bed.control, &m);
    }
    if (!rc && m.code)
        printf("# %s\n", m.text);
    return !rc && m.kind == kind && m.code == 0;
}
