/* SPDX-License-Identifier: Apache-2.0
 *
 * torture_scribe - a real scribe with two gates, both this program: one is sound, the other publishes
 * what is no record, breaks its ring in every way, and its rings are announced wrongly. Whatever it
 * does, the log verifies, holds each record of the sound gate once, and says what was wrong.
 */
#include "tap.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "edge/file.h"
#include "edge/ledger_verify.h"
#include "edge/log.h"
#include "role/role.h"
#include "role/stats.h"
#include "role/wire.h"

enum { RING = 1 << 19, PATIENCE_MS = 8000, GATES_MAX = 64 };

struct gate {
    struct nk_role_audit audit;
    struct nk_ring *ring;
    uint64_t published;
    bool is_drained;
};

static char top[256];
static int dir, control, stats;
static pid_t scribe;
static struct nk_arena arena;
static struct nk_bundle bundle;
static struct gate gates[GATES_MAX], *sound;
static size_t gate_count;
static uint32_t next_instance = 50;

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void make_bundle(void)
{
    static const char seed[32] = {7, 7, 7};
    struct nk_str json = NK_STR(
        "{\"listen\":[{\"address\":\"127.0.0.1:1\"}],\"upstreams\":[{\"name\":\"up\",\"dialect\":"
        "\"openai\",\"url\":\"http://127.0.0.1:1\"}],\"models\":[{\"name\":\"m\",\"upstream\":"
        "\"up\"}],\"policy\":{\"directory\":\"/p\"},\"audit\":{\"directory\":\"/a\",\"group\":5,"
        "\"origin\":\"test.example/torture\"},\"control\":\"/c\"}");
    NK_MUST(!nk_bundle_add(&bundle, &arena, NK_STR("config"), json) &&
            !nk_bundle_add(&bundle, &arena, NK_STR("policy/a.cedar"), NK_STR("")) &&
            !nk_bundle_add(&bundle, &arena, NK_STR("audit/key"), (struct nk_str){seed, 32}));
}

static struct gate *new_gate(uint32_t slot)
{
    struct gate *g = &gates[gate_count++];
    struct nk_role_ring *r = &g->audit.ring;
    *g = (struct gate){.audit = {.slot = slot, .instance = next_instance++}};
    NK_MUST(gate_count < GATES_MAX && !nk_ring_create(RING, &r->memfd, &r->eventfd));
    r->backfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    g->ring = nk_role_ring_open(r, true);
    NK_MUST(g->ring);
    return g;
}

static int be_scribe(int channel)
{
    static struct nk_role_audit audits[NK_ROLE_AUDITS_MAX];
    struct nk_role_start s = {.role = NK_ROLE_SCRIBE,
                              .instance = next_instance - 1,
                              .generation = 1,
                              .control = channel,
                              .bundle = bundle,
                              .admin = -1,
                              .audits = audits,
                              .stats = stats,
                              .page = nk_stats_page(NK_ROLE_SCRIBE, 0, 0),
                              .state_dir = dir};
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    nk_arena_init(&s.arena, 64 << 20);
    for (size_t i = 0; i < gate_count; i++)
        if (!gates[i].is_drained)
            audits[s.audit_count++] = gates[i].audit;
    nk_log_open("scribe", -1, NK_LOG_ERROR);
    if (!getenv("NK_TEST_LOG"))
        dup2(null, 2); /* it has much to complain of */
    return nk_scribe_main(&s);
}

static bool hear(enum nk_control_kind kind)
{
    for (int64_t until = now_ms() + PATIENCE_MS; now_ms() < until;) {
        struct nk_control m;
        struct pollfd p = {control, POLLIN, 0};
        poll(&p, 1, 5);
        int rc = nk_control_recv(control, &m);
        if (rc == NK_EIO)
            return false;
        for (size_t i = 0; rc == 0 && i < gate_count; i++)
            if (m.kind == NK_CONTROL_DRAINED && gates[i].audit.instance == m.instance)
                gates[i].is_drained = true;
        if (rc == 0 && m.kind == kind)
            return m.code == 0;
    }
    return false;
}

static void start(void)
{
    int pair[2];
    NK_MUST(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair));
    next_instance++;
    fflush(stdout);
    scribe = fork();
    if (scribe == 0) {
        close(pair[0]);
        _exit(be_scribe(pair[1]));
    }
    close(pair[1]);
    control = pair[0];
    if (!tap_ok(hear(NK_CONTROL_READY), "the scribe is ready"))
        exit(tap_done());
}

static int reap(void)
{
    int status = 0;
    for (int64_t until = now_ms() + PATIENCE_MS; now_ms() < until; usleep(1000))
        if (waitpid(scribe, &status, WNOHANG) == scribe) {
            close(control);
            return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
        }
    kill(scribe, SIGKILL);
    waitpid(scribe, &status, 0);
    close(control);
    return -1;
}

static void announce(const struct gate *g, const struct nk_role_ring *ring)
{
    struct nk_control m;
    nk_control_init(&m, NK_CONTROL_AUDIT);
    m.slot = g->audit.slot;
    m.instance = g->audit.instance;
    m.audit = *ring;
    NK_MUST(!nk_control_send(control, &m));
}

static void end_gate(const struct gate *g)
{
    struct nk_control m;
    nk_control_init(&m, NK_CONTROL_ENDED);
    m.instance = g->audit.instance;
    NK_MUST(!nk_control_send(control, &m));
}

static void put(struct gate *g, const struct nk_ring_record *r)
{
    NK_MUST(!nk_ring_put(g->ring, r));
    g->published++;
}

static void put_good(struct gate *g)
{
    char text[100];
    int n = snprintf(text, sizeof text, "\"kind\":\"test\",\"i\":%llu",
                     (unsigned long long)g->published);
    struct nk_ring_record r = {.type = NK_WIRE_RECORD, .payload = {text, (size_t)n}};
    put(g, &r);
    nk_ring_publish(g->ring);
}

static bool is_durable(const struct gate *g)
{
    for (int64_t until = now_ms() + PATIENCE_MS; now_ms() < until; usleep(500))
        if (nk_ring_durable(g->ring) >= g->published)
            return true;
    return false;
}

static bool sound_goes_on(void)
{
    put_good(sound);
    return is_durable(sound);
}

/* The log -------------------------------------------------------------------------------------- */

static size_t count_in_log(const char *text, uint32_t instance, size_t *out_of_order)
{
    struct nk_ledger_reader *r = nk_ledger_reader_open(dir, 0, NULL);
    struct nk_ledger_line line;
    size_t n = 0;
    while (r && nk_ledger_reader_next(r, &line, NULL) == 0) {
        struct nk_chain_line said;
        if (nk_chain_line_read(line.text, &said) || (instance && said.gate != instance))
            continue;
        if (out_of_order)
            *out_of_order += said.seq != n;
        n += nk_str_search(line.text, nk_str(text)) >= 0;
    }
    nk_ledger_reader_close(r);
    return n;
}

static void check_log(const char *what)
{
    struct nk_ledger_report report;
    size_t wrong = 0;
    int r = nk_ledger_verify(dir, (struct nk_str){NULL, 0}, &report);
    size_t n = count_in_log("\"kind\":\"test\"", sound->audit.instance, &wrong);
    tap_ok(r == 0 && report.covered == report.size, "%s: the log verifies %s", what,
           r ? report.message : "");
    tap_ok(n == sound->published && wrong == 0,
           "%s: each of the sound gate's %zu records is there once, in order", what, n);
}

/* Cases ---------------------------------------------------------------------------------------- */

/* One byte of a record garbled, each in turn; and whole records that are none. */
static void bad_records(void)
{
    static char large[NK_RING_RECORD_MAX];
    static const char good[] = "\"kind\":\"bad\",\"a\":{\"b\":[1,2,{\"c\":\"d\"}]},\"e\":\"f\"";
    static const unsigned char flips[] = {0x01, 0x80, 0x20, 0x0a};
    struct gate *g = new_gate(1);
    announce(g, &g->audit.ring);
    for (size_t at = 0; at < sizeof good - 1; at++)
        for (size_t i = 0; i < NK_COUNT(flips); i++) {
            char text[sizeof good];
            memcpy(text, good, sizeof good);
            text[at] ^= (char)flips[i];
            struct nk_ring_record r = {.type = NK_WIRE_RECORD, .payload = {text, sizeof good - 1}};
            put(g, &r);
        }
    for (size_t n = 0; n < sizeof good - 1; n++) { /* cut short */
        struct nk_ring_record r = {.type = NK_WIRE_RECORD, .payload = {good, n}};
        put(g, &r);
    }
    static const char *const own[] = {"\"n\":1",   "\"prev\":\"\"",     "\"gate\":1",
                                      "\"seq\":1", "\"a\":1},{\"b\":2", "\"a\":1}\n{\"n\":0"};
    for (size_t i = 0; i < NK_COUNT(own); i++) {
        struct nk_ring_record r = {.type = NK_WIRE_RECORD, .payload = nk_str(own[i])};
        put(g, &r);
    }
    for (uint32_t i = 0; i < 3; i++) {
        memset(large, i == 0 ? '[' : i == 1 ? 0 : 'x', sizeof large);
        memcpy(large, "\"a\":", 4);
        struct nk_ring_record r = {.type = NK_WIRE_RECORD, .payload = {large, sizeof large}};
        put(g, &r);
    }
    for (uint32_t i = 0; i < 40; i++) {
        struct nk_ring_record r = {.type = i,
                                   .stream = i * 77,
                                   .generation = i,
                                   .flags = i << 20,
                                   .head_size = i % 8,
                                   .payload = {good, sizeof good - 1}};
        put(g, &r);
    }
    nk_ring_publish(g->ring);
    tap_ok(sound_goes_on(), "bad records: the sound gate's go on");
    tap_ok(is_durable(g), "bad records: each is dealt with");
    size_t order = 0, n = count_in_log("", g->audit.instance, &order);
    size_t invalid = count_in_log("\"event\":\"invalid\"", g->audit.instance, NULL);
    tap_ok(n == g->published && order == 0 && invalid > 40 && invalid < n,
           "bad records: %zu of %zu in the log (%zu), %zu of them by their digest", n,
           (size_t)g->published, order, invalid);
}

static void scribble(int memfd, size_t offset, uint64_t v)
{
    NK_MUST(pwrite(memfd, &v, sizeof v, (off_t)offset) == (ssize_t)sizeof v);
}

/* A ring that makes no sense, as the scribe runs and as it starts. */
static void broken_rings(bool restart)
{
    static const struct {
        const char *name;
        size_t at; /* behind the start of the second record, or of the producer's page */
        bool record;
        uint64_t value;
    } bad[] = {
        {"tail beyond the ring", 0, false, (uint64_t)RING * 8},
        {"tail moved back", 0, false, 0},
        {"tail not at a record", 0, false, 100003},
        {"record larger than any", 0, true, UINT64_C(0x20ffffffff)},
        {"record larger than what is there", 0, true, UINT64_C(0x2000010000)},
        {"head larger than the record", 16, true, UINT64_C(0xffff000000000000)},
        {"bytes that are for later versions", 24, true, 1},
    };
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < NK_COUNT(bad); i++) {
        struct gate *g = new_gate(1);
        uint64_t words[5]; /* of the producer's page: the first is its tail, the last its base */
        announce(g, &g->audit.ring);
        put_good(g);
        bool ok = is_durable(g);
        if (restart) {
            kill(scribe, SIGKILL);
            (void)reap();
        }
        struct nk_ring_record r = {.type = NK_WIRE_RECORD, .payload = NK_STR("\"a\":1")};
        NK_MUST(!nk_ring_put(g->ring, &r));
        NK_MUST(pread(g->audit.ring.memfd, words, sizeof words, 0) == (ssize_t)sizeof words);
        if (bad[i].record)
            scribble(g->audit.ring.memfd, 2 * page + words[0] - words[4] + bad[i].at, bad[i].value);
        nk_ring_publish(g->ring);
        if (!bad[i].record)
            scribble(g->audit.ring.memfd, bad[i].at, bad[i].value);
        scribble(g->audit.ring.memfd, 16, UINT64_MAX); /* wishes to be woken without end */
        scribble(g->audit.ring.memfd, 24, UINT64_MAX);
        uint64_t one = 1;
        (void)!write(g->audit.ring.eventfd, &one, sizeof one);
        if (restart)
            start();
        ok = sound_goes_on() && ok;
        struct gate *next = new_gate(1);
        announce(next, &next->audit.ring);
        end_gate(g);
        put_good(next);
        tap_ok(ok && is_durable(next) && sound_goes_on(), "%s: others and the next gate go on",
               bad[i].name);
        for (int k = 0; k < 100 && !g->is_drained; k++) {
            put_good(next);
            usleep(5000);
            (void)hear(NK_CONTROL_DRAINED);
        }
        tap_ok(g->is_drained, "%s: the broken ring is given up", bad[i].name);
    }
}

static void wrong_rings(void)
{
    struct gate *g = new_gate(2);
    announce(g, &g->audit.ring);
    announce(g, &g->audit.ring); /* said twice */
    for (int i = 0; i < 20; i++)
        put_good(g);
    struct gate none = {.audit = {.slot = 0, .instance = next_instance++}};
    int fd = memfd_create("rubbish", MFD_CLOEXEC);
    none.audit.ring = (struct nk_role_ring){fd, fd, fd};
    announce(&none, &none.audit.ring);
    none.audit.ring = (struct nk_role_ring){-1, -1, -1};
    announce(&none, &none.audit.ring);
    close(fd);
    for (int i = 0; i < 20; i++)
        put_good(g);
    tap_ok(is_durable(g) && sound_goes_on(), "rings that are none, or announced twice");
    put_good(g);
    struct nk_control m;
    usleep(50000);
    while (nk_control_recv(control, &m) == 0)
        g->is_drained |= m.kind == NK_CONTROL_DRAINED && m.instance != 0 &&
                         (m.instance == g->audit.instance || m.instance == sound->audit.instance);
    tap_ok(is_durable(g) && sound_goes_on() && !g->is_drained, "nobody alive is given up for them");
    size_t order = 0, n = count_in_log("\"kind\":\"test\"", g->audit.instance, &order);
    tap_ok(n == 41 && order == 0, "a ring that was announced twice is read once: %zu, %zu", n,
           order);
}

static void bad_control(void)
{
    TAP_CHECK(send(control, "x", 1, 0) == 1);
    tap_ok(sound_goes_on(), "a warden that makes no sense is not heard");
    NK_MUST(!shutdown(control, SHUT_RDWR));
    usleep(300000); /* gates answer until the kernel has killed them, too */
    put_good(sound);
    int status = reap();
    tap_ok(status == 0, "a warden that is gone: the scribe ends its log: %d", status);
    check_log("after all");
}

static void empty(int at)
{
    DIR *d = fdopendir(openat(at, ".", O_RDONLY | O_DIRECTORY));
    for (struct dirent *e; d && (e = readdir(d));) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") || !unlinkat(at, e->d_name, 0))
            continue;
        int sub = openat(at, e->d_name, O_RDONLY | O_DIRECTORY);
        empty(sub);
        close(sub);
        unlinkat(at, e->d_name, AT_REMOVEDIR);
    }
    closedir(d);
}

int main(void)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(top, sizeof top, "%s/torture-XXXXXX", tmp ? tmp : "/tmp");
    NK_MUST(mkdtemp(top));
    dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    stats = nk_stats_create();
    nk_arena_init(&arena, 64 << 20);
    signal(SIGPIPE, SIG_IGN);
    make_bundle();
    sound = new_gate(0);
    start();
    TAP_CHECK(sound_goes_on());
    bad_records();
    broken_rings(false);
    wrong_rings();
    broken_rings(true);
    bad_control();
    empty(dir);
    close(dir);
    rmdir(top);
    nk_arena_free(&arena);
    return tap_done();
}
