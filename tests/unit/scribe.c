/* SPDX-License-Identifier: Apache-2.0
 *
 * scribe.c - the scribe as a process of its own, with this program as the warden and all the gates: it
 * is killed at random points, its disk is full, gates die and lie. In the end each record that was
 * published is in the log once, in order.
 */
#include "role/role.h"

#include "tap.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "chain/set.h"
#include "edge/file.h"
#include "edge/ledger_verify.h"
#include "edge/log.h"
#include "role/stats.h"
#include "role/wire.h"

enum { GATES_MAX = 400, RING_BYTES = 1 << 19, PATIENCE_MS = 10000 };

struct gate {
    struct nk_role_audit audit;
    struct nk_ring *ring;
    uint64_t published;
};

static char top[256];
static int dir = -1, stats = -1;
static struct nk_arena arena;
static struct nk_bundle bundle;
static struct gate gates[GATES_MAX];
static size_t gate_count;
static unsigned next_instance = 100;
static pid_t scribe = -1;
static int control = -1;
static rlim_t file_limit = RLIM_INFINITY;

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    printf("Bail out! %s\n", what);
    if (scribe > 0)
        kill(scribe, SIGKILL);
    exit(1);
}

static void pause_us(long us)
{
    struct timespec t = {us / 1000000, us % 1000000 * 1000};
    nanosleep(&t, NULL);
}

/* Directory and configuration ---------------------------------------------------------------------
 */
static void empty(int at)
{
    DIR *d = fdopendir(openat(at, ".", O_RDONLY | O_DIRECTORY));
    for (struct dirent *e; d && (e = readdir(d));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
            unlinkat(at, e->d_name, 0) == 0)
            continue;
        int sub = openat(at, e->d_name, O_RDONLY | O_DIRECTORY);
        empty(sub);
        close(sub);
        unlinkat(at, e->d_name, AT_REMOVEDIR);
    }
    closedir(d);
}

static void make_bundle(struct nk_bundle *b, const char *mode, const char *origin,
                        const char *policy)
{
    struct nk_config config;
    struct nk_fault f = {.code = 0};
    struct nk_buf json;
    struct nk_str yaml = nk_arena_printf(
        &arena,
        "listen:\n  - address: 127.0.0.1:1\nupstreams:\n  - name: up\n    dialect: openai\n"
        "    url: http://127.0.0.1:2\nmodels:\n  - name: m\n    upstream: up\n"
        "policy:\n  directory: /nowhere\naudit:\n  directory: /nowhere/audit\n  mode: %s\n"
        "  group: 10ms\n  checkpoint: 1s\n  origin: %s\n",
        mode, origin);
    if (nk_config_load_text(yaml, "test.yaml", NK_STR("/"), &arena, &config, &f)) {
        printf("# %s\n", f.message);
        must(false, "configuration");
    }
    nk_buf_init(&json, 1 << 20);
    nk_config_write(&config, &json);
    static const char key[32] = {7, 7, 7};
    *b = (struct nk_bundle){.count = 0};
    must(nk_bundle_add(b, &arena, NK_STR("config"), nk_arena_copy(&arena, nk_buf_str(&json))) ==
                 0 &&
             nk_bundle_add(b, &arena, NK_STR("policy/00.cedar"),
                           nk_arena_copy(&arena, nk_str(policy))) == 0 &&
             nk_bundle_add(b, &arena, NK_STR("entities"), NK_STR("[]")) == 0 &&
             nk_bundle_add(b, &arena, NK_STR("audit/key"), (struct nk_str){key, 32}) == 0,
         "bundle");
    nk_buf_free(&json);
}

/* Gates -------------------------------------------------------------------------------------------
 */
static struct gate *new_gate(uint32_t slot)
{
    struct gate *g = &gates[gate_count++];
    struct nk_role_ring *r = &g->audit.ring;
    must(gate_count < GATES_MAX, "too many gates");
    g->audit = (struct nk_role_audit){.slot = slot, .instance = next_instance++};
    g->published = 0;
    must(nk_ring_create(RING_BYTES * 2, &r->memfd, &r->eventfd) == 0, "ring");
    r->backfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    g->ring = nk_role_ring_open(r, true);
    must(g->ring, "ring as producer");
    return g;
}

static int put(struct gate *g, struct nk_str payload)
{
    struct nk_ring_record rec = {.type = NK_WIRE_RECORD, .payload = payload};
    int r = nk_ring_put(g->ring, &rec);
    if (r == 0)
        g->published++;
    return r;
}

static int publish(struct gate *g, int size)
{
    static char text[4096];
    int n = snprintf(text, sizeof text, "\"kind\":\"test\",\"i\":%llu,\"pad\":\"%0*d\"",
                     (unsigned long long)g->published, size, 0);
    return put(g, (struct nk_str){text, (size_t)n});
}

/* The scribe --------------------------------------------------------------------------------------
 */
static int run(int channel)
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
    struct rlimit lim = {file_limit, RLIM_INFINITY};
    nk_arena_init(&s.arena, 64 << 20);
    for (size_t i = 0; i < gate_count; i++)
        if (gates[i].audit.ring.memfd >= 0)
            audits[s.audit_count++] = gates[i].audit;
    setrlimit(RLIMIT_FSIZE, &lim);
    nk_log_open("scribe", -1, NK_LOG_ERROR);
    int status = nk_scribe_main(&s);
    nk_arena_free(&s.arena);
    return status;
}

static void start(void)
{
    int pair[2];
    must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0, "pair");
    next_instance++;
    fflush(stdout);
    scribe = fork();
    if (scribe == 0) {
        close(pair[0]);
        if (control >= 0)
            close(control);
        _exit(run(pair[1]));
    }
    close(pair[1]);
    if (control >= 0)
        close(control);
    control = pair[0];
}

static void forget_gate(uint32_t instance)
{
    for (size_t i = 0; i < gate_count; i++)
        if (gates[i].audit.instance == instance) {
            if (gates[i].ring)
                nk_ring_close(gates[i].ring);
            gates[i].ring = NULL;
            nk_role_ring_close(&gates[i].audit.ring);
        }
}

/* Waits for a message of that kind; DRAINED ones are acted on by the way. False when it does not come. */
static bool hear(enum nk_control_kind kind, struct nk_control *out)
{
    for (int ms = 0; ms < PATIENCE_MS; ms += 1) {
        struct pollfd p = {control, POLLIN, 0};
        if (poll(&p, 1, 1) < 0)
            return false;
        int r = nk_control_recv(control, out);
        if (r == NK_EIO)
            return false;
        if (r == 0 && out->kind == NK_CONTROL_DRAINED)
            forget_gate(out->instance);
        if (r == 0 && out->kind == kind)
            return true;
    }
    return false;
}

static void say(enum nk_control_kind kind, int fd, uint32_t generation, uint32_t grace_ms)
{
    struct nk_control m;
    nk_control_init(&m, kind);
    m.bundle = fd;
    m.generation = generation;
    m.grace_ms = grace_ms;
    must(nk_control_send(control, &m) == 0, "control");
}

static void say_audit(const struct gate *g)
{
    struct nk_control m;
    nk_control_init(&m, NK_CONTROL_AUDIT);
    m.slot = g->audit.slot;
    m.instance = g->audit.instance;
    m.audit = g->audit.ring;
    must(nk_control_send(control, &m) == 0, "control");
}

static void say_ended(const struct gate *g)
{
    struct nk_control m;
    nk_control_init(&m, NK_CONTROL_ENDED);
    m.instance = g->audit.instance;
    must(nk_control_send(control, &m) == 0, "control");
}

static bool is_ready(void)
{
    struct nk_control m;
    bool ok = hear(NK_CONTROL_READY, &m);
    if (ok && m.code)
        printf("# %s\n", m.text);
    return ok && m.code == 0;
}

static int reap(void)
{
    int status = 0;
    waitpid(scribe, &status, 0);
    scribe = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static int drain(uint32_t grace_ms)
{
    say(NK_CONTROL_DRAIN, -1, 0, grace_ms);
    struct nk_control m;
    (void)hear(NK_CONTROL_READY, &m); /* until the channel ends */
    return reap();
}

/* Waits until all that was published is durable. */
static bool settled(void)
{
    for (int ms = 0; ms < PATIENCE_MS; ms++) {
        bool all = true;
        for (size_t i = 0; i < gate_count; i++)
            all = all && (!gates[i].ring || nk_ring_durable(gates[i].ring) == gates[i].published);
        if (all)
            return true;
        pause_us(1000);
    }
    return false;
}

/* The log -----------------------------------------------------------------------------------------
 */
/* Each gate's records: all of them, once, in order. Counts those that are wrong. */
static int wrong_records(void)
{
    static const struct nk_json_limits limits = {NK_CHAIN_LINE_MAX, 64, 65536};
    static uint64_t seen[GATES_MAX];
    struct nk_ledger_reader *r = nk_ledger_reader_open(dir, 0, NULL);
    struct nk_ledger_line line;
    int wrong = 0;
    memset(seen, 0, sizeof seen);
    while (r && nk_ledger_reader_next(r, &line, NULL) == 0) {
        struct nk_chain_line said;
        struct nk_json doc;
        struct nk_arena a;
        int64_t i = -1;
        nk_arena_init(&a, 8 << 20);
        wrong += nk_chain_line_read(line.text, &said) != 0;
        for (size_t g = 0; g < gate_count; g++)
            if (gates[g].audit.instance == said.gate)
                wrong += said.seq != seen[g]++;
        if (nk_json_parse(&limits, line.text, &a, &doc, NULL) == 0 &&
            nk_json_is(&doc, nk_json_get(&doc, 0, NK_STR("kind")), NK_STR("test")))
            wrong += nk_json_i64(&doc, nk_json_get(&doc, 0, NK_STR("i")), &i) != 0 ||
                     (uint64_t)i != said.seq;
        nk_arena_free(&a);
    }
    nk_ledger_reader_close(r);
    for (size_t g = 0; g < gate_count; g++)
        wrong += seen[g] != gates[g].published;
    return wrong + (r == NULL);
}

static bool log_holds(uint64_t *size)
{
    struct nk_ledger_report report;
    int r = nk_ledger_verify(dir, (struct nk_str){NULL, 0}, &report);
    if (r)
        printf("# %s line %llu: %s\n", report.file, (unsigned long long)report.line,
               report.message);
    if (size)
        *size = report.size;
    return r == 0 && report.covered == report.size;
}

static size_t count_in_log(const char *text)
{
    struct nk_ledger_reader *r = nk_ledger_reader_open(dir, 0, NULL);
    struct nk_ledger_line line;
    size_t n = 0;
    while (r && nk_ledger_reader_next(r, &line, NULL) == 0)
        n += nk_str_search(line.text, nk_str(text)) >= 0;
    nk_ledger_reader_close(r);
    return n;
}

static void begin(const char *mode)
{
    for (size_t i = 0; i < gate_count; i++)
        forget_gate(gates[i].audit.instance);
    gate_count = 0;
    empty(dir);
    make_bundle(&bundle, mode, "test.example/audit", "permit(principal, action, resource);");
}

/* What is tested ----------------------------------------------------------------------------------
 */
static void plain(void)
{
    begin("group");
    struct gate *a = new_gate(0), *b = new_gate(1);
    start();
    TAP_CHECK(is_ready());
    for (int i = 0; i < 2000; i++) {
        while (publish(a, i % 500))
            pause_us(200);
        if (i % 3 == 0)
            while (publish(b, 10))
                pause_us(200);
        if (i % 7 == 0) {
            nk_ring_publish(a->ring);
            nk_ring_publish(b->ring);
        }
    }
    nk_ring_publish(a->ring);
    nk_ring_publish(b->ring);
    TAP_CHECK(settled());
    pause_us(50000); /* asleep now: one record must wake it */
    TAP_CHECK(publish(a, 1) == 0);
    nk_ring_publish(a->ring);
    TAP_CHECK(settled());
    TAP_CHECK(drain(5000) == 0);
    TAP_CHECK(log_holds(NULL) && wrong_records() == 0);
    TAP_CHECK(count_in_log("\"event\":\"start\"") == 1 && count_in_log("\"event\":\"stop\"") == 1);
}

static void strict(void)
{
    begin("strict");
    struct gate *a = new_gate(0);
    int late = 0;
    start();
    must(is_ready(), "strict scribe");
    for (int i = 0; i < 50; i++) {
        uint64_t woken;
        must(publish(a, 30) == 0, "publish");
        nk_ring_publish(a->ring);
        struct pollfd p = {a->audit.ring.backfd, POLLIN, 0};
        if (!nk_ring_want_durable(a->ring, a->published) && poll(&p, 1, PATIENCE_MS) == 1 &&
            read(p.fd, &woken, sizeof woken) < 0)
            late++;
        late += nk_ring_durable(a->ring) < a->published;
        if (i % 10 == 0)
            pause_us(3000);
    }
    tap_ok(late == 0, "a gate that waits for its record is woken when it is durable");
    TAP_CHECK(drain(5000) == 0 && log_holds(NULL) && wrong_records() == 0);
}

/* One gate's flood does not hold up another's few. */
static void fair(void)
{
    begin("group");
    struct gate *a = new_gate(0), *b = new_gate(1);
    struct nk_ledger_line line;
    uint64_t last = UINT64_MAX;
    for (int i = 0; i < 1000; i++)
        must(publish(a, 10) == 0, "publish");
    for (int i = 0; i < 40; i++)
        must(publish(b, 10) == 0, "publish");
    nk_ring_publish(a->ring);
    nk_ring_publish(b->ring);
    start();
    must(is_ready() && settled() && drain(5000) == 0, "fair scribe");
    struct nk_ledger_reader *r = nk_ledger_reader_open(dir, 0, NULL);
    while (nk_ledger_reader_next(r, &line, NULL) == 0) {
        struct nk_chain_line said;
        if (nk_chain_line_read(line.text, &said) == 0 && said.gate == b->audit.instance)
            last = said.n;
    }
    nk_ledger_reader_close(r);
    tap_ok(last < 200, "40 records beside 1000 of another gate are in by record %d", (int)last);
}

static void lies(void)
{
    static const char *const bad[] = {
        "", "\"kind\"", "\"n\":1", "\"a\":1}\n{\"n\":3", "\"a\":\"\xff\"", "\"a\":1,\"a\":2"};
    begin("group");
    struct gate *a = new_gate(0);
    struct nk_ring_record other = {.type = 77, .payload = NK_STR("\"a\":1")};
    for (size_t i = 0; i < NK_COUNT(bad); i++)
        must(put(a, nk_str(bad[i])) == 0 && publish(a, 5) == 0, "publish");
    must(nk_ring_put(a->ring, &other) == 0, "publish");
    a->published++;
    nk_ring_publish(a->ring);
    start();
    TAP_CHECK(is_ready() && settled() && drain(5000) == 0);
    TAP_CHECK(log_holds(NULL) && wrong_records() == 0);
    TAP_CHECK(count_in_log("\"event\":\"invalid\"") == NK_COUNT(bad) + 1);
}

static void reload(void)
{
    struct nk_bundle other;
    struct nk_control m;
    begin("group");
    struct gate *a = new_gate(0);
    start();
    must(is_ready(), "scribe to reload");
    TAP_CHECK(publish(a, 5) == 0);
    make_bundle(&other, "strict", "test.example/audit", "forbid(principal, action, resource);");
    int fd = nk_bundle_seal(&other, NK_BUNDLE_SCRIBE);
    say(NK_CONTROL_PREPARE, fd, 2, 0);
    TAP_CHECK(hear(NK_CONTROL_PREPARED, &m) && m.code == 0 && m.generation == 2);
    say(NK_CONTROL_ABANDON, -1, 0, 0);
    say(NK_CONTROL_PREPARE, fd, 3, 0);
    TAP_CHECK(hear(NK_CONTROL_PREPARED, &m) && m.code == 0 && m.generation == 3);
    say(NK_CONTROL_COMMIT, -1, 3, 0);
    close(fd);
    nk_ring_publish(a->ring);
    TAP_CHECK(settled());
    make_bundle(&other, "strict", "test.example/other", "");
    fd = nk_bundle_seal(&other, NK_BUNDLE_SCRIBE);
    say(NK_CONTROL_PREPARE, fd, 4, 0);
    close(fd);
    TAP_CHECK(hear(NK_CONTROL_PREPARED, &m) && m.code == NK_ECONFLICT);
    TAP_CHECK(drain(5000) == 0 && log_holds(NULL) && wrong_records() == 0);
    TAP_CHECK(count_in_log("\"event\":\"reload\"") == 1);
    int sets = openat(dir, "sets", O_RDONLY | O_DIRECTORY), n = 0;
    DIR *d = fdopendir(sets);
    for (struct dirent *e; d && (e = readdir(d));)
        n += e->d_name[0] != '.';
    closedir(d);
    tap_ok(n == 2, "both policy sets are kept");
}

/* A file that may not grow is the nearest thing to a full disk that every user can have. */
static void full(void)
{
    begin("group");
    struct gate *a = new_gate(0);
    int refused = 0;
    file_limit = 100000;
    start();
    must(is_ready(), "scribe on a small disk");
    for (int i = 0; i < 4000; i++) {
        if (publish(a, 900) == 0)
            continue;
        nk_ring_publish(a->ring);
        if (refused++ > 200)
            break;
        pause_us(1000);
    }
    nk_ring_publish(a->ring);
    TAP_CHECK(refused > 200); /* the ring is full: a gate refuses from here on */
    TAP_CHECK(nk_ring_durable(a->ring) < a->published);
    kill(scribe, SIGKILL); /* nothing is lost then either */
    reap();
    start();
    must(is_ready(), "scribe after a kill on a small disk");
    pause_us(300000);
    struct rlimit lim = {RLIM_INFINITY, RLIM_INFINITY};
    prlimit(scribe, RLIMIT_FSIZE, &lim, NULL);
    file_limit = RLIM_INFINITY;
    TAP_CHECK(settled());
    TAP_CHECK(publish(a, 10) == 0);
    nk_ring_publish(a->ring);
    TAP_CHECK(settled());
    TAP_CHECK(drain(5000) == 0 && log_holds(NULL) && wrong_records() == 0);
}

static void kills(void)
{
    uint64_t size = 0;
    int unready = 0, rounds = 60;
    struct gate *slots[3];
    begin("group");
    srand(11);
    for (uint32_t i = 0; i < 3; i++)
        slots[i] = new_gate(i);
    for (int round = 0; round < rounds; round++) {
        start();
        if (round % 4 == 0)
            unready += !is_ready();
        int burst = 1 + rand() % 30;
        for (int i = 0; i < burst; i++) {
            struct gate *g = slots[rand() % 3];
            for (int k = rand() % 40; k > 0; k--)
                if (publish(g, rand() % 1500))
                    break;
            nk_ring_publish(g->ring);
            pause_us(rand() % 900);
        }
        if (rand() % 3 == 0) { /* a gate dies, another comes in its place */
            uint32_t slot = (uint32_t)(rand() % 3);
            struct gate *dead = slots[slot];
            dead->audit.ended = true;
            slots[slot] = new_gate(slot);
            if (rand() % 2) { /* else the next scribe is told at its start */
                say_audit(slots[slot]);
                say_ended(dead);
            }
        }
        kill(scribe, SIGKILL);
        reap();
        struct nk_control m; /* what the dead one said of dead gates still counts */
        while (nk_control_recv(control, &m) == 0)
            if (m.kind == NK_CONTROL_DRAINED)
                forget_gate(m.instance);
    }
    start();
    TAP_CHECK(unready == 0 && is_ready() && settled());
    TAP_CHECK(drain(10000) == 0);
    TAP_CHECK(log_holds(&size));
    int wrong = wrong_records();
    tap_ok(wrong == 0 && size > 1000,
           "%d scribes killed, %d gates, %d records: each once and in order (%d wrong)", rounds,
           (int)gate_count, (int)size, wrong);
    size_t open_rings = 0;
    for (size_t i = 0; i < gate_count; i++)
        open_rings += gates[i].ring != NULL;
    tap_ok(open_rings == 3, "rings of dead gates are given up");
}

/* One scribe hands over to the next while gates write: no record waits for its end, none is lost or
 * doubled, and a gate that leaves writes beside its successor in the slot. */
static void hand_over(const char *mode)
{
    begin(mode);
    struct gate *old = new_gate(0), *next = NULL;
    int late = 0, status = 0;
    start();
    must(is_ready(), "scribe to hand over");
    for (int round = 0; round < 12; round++) {
        if (round == 4) {
            next = new_gate(0);
            say_audit(next);
        }
        for (int i = 0; i < 40; i++) {
            late += publish(old, 50) != 0 || (next && publish(next, 50));
            nk_ring_publish(old->ring);
            if (next)
                nk_ring_publish(next->ring);
        }
        say(NK_CONTROL_DRAIN, -1, 0, 0);
        late += publish(old, 50) != 0; /* as it ends, or when it has ended */
        nk_ring_publish(old->ring);
        status += reap();
        start();
        must(is_ready(), "the next scribe");
    }
    say_ended(old);
    uint32_t gone = old->audit.instance;
    must(publish(next, 5) == 0, "publish");
    nk_ring_publish(next->ring);
    struct nk_control m;
    bool told = hear(NK_CONTROL_DRAINED, &m) && m.instance == gone, all = settled();
    tap_ok(late == 0 && status == 0 && told && all,
           "%s: twelve scribes hand over (late %d, status %d, told %d, settled %d)", mode, late,
           status, told, all);
    int ended = drain(5000), wrong = wrong_records();
    tap_ok(ended == 0 && log_holds(NULL) && wrong == 0,
           "%s: … and the log has all (status %d, %d wrong)", mode, ended, wrong);
}

static void refuses(void)
{
    struct nk_control m;
    begin("group");
    new_gate(0);
    start();
    must(is_ready() && drain(5000) == 0, "first scribe");
    int fd = openat(dir, "00000000000000000000.jsonl", O_WRONLY);
    must(fd >= 0 && ftruncate(fd, 100) == 0, "cut");
    close(fd);
    start();
    TAP_CHECK(hear(NK_CONTROL_READY, &m) && m.code == NK_ECRYPTO);
    printf("# %s\n", m.text);
    TAP_CHECK(reap() == 1);
}

int main(void)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(top, sizeof top, "%s/scribe-XXXXXX", tmp ? tmp : "/tmp");
    must(mkdtemp(top), "directory");
    dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    stats = nk_stats_create();
    nk_arena_init(&arena, 64 << 20);
    signal(SIGPIPE, SIG_IGN);
    plain();
    strict();
    fair();
    lies();
    reload();
    full();
    kills();
    hand_over("group");
    hand_over("strict");
    refuses();
    begin("group");
    close(dir);
    rmdir(top);
    nk_arena_free(&arena);
    return tap_done();
}
