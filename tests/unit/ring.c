/* SPDX-License-Identifier: Apache-2.0
 *
 * ring.c - the ring between two roles, as two real processes: no wake-up is lost, no record is lost
 * or changed (also when the consumer is killed), and a hostile other side gets an error and nothing
 * else.
 */
#include "role/ring.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tap.h"

enum {
    SIZE = 512 * 1024,
    ROUNDS = 150000,
    RECORDS = 1000000,
    CRASH_RECORDS = 300000,
    KILLS = 12,
    PAGE = 4096,
};

struct pair {
    int memfd, eventfd, backfd;
};

static struct pair pair_new(void)
{
    struct pair p = {.backfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (nk_ring_create(SIZE, &p.memfd, &p.eventfd))
        abort();
    return p;
}

static void pair_close(struct pair p)
{
    close(p.memfd);
    close(p.eventfd);
    close(p.backfd);
}

static struct nk_ring *pair_open(struct pair p, bool producer)
{
    struct nk_ring *r = nk_ring_open(p.memfd, p.eventfd, producer);
    if (!r)
        abort();
    nk_ring_set_back(r, p.backfd);
    return r;
}

static uint64_t xorshift(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

/* 0 to 127 turns: the window in which a missing fence shows. */
static void pause_random(uint64_t *s)
{
    for (volatile unsigned n = (unsigned)(xorshift(s) & 127); n; n--)
        ;
}

/* 0 to 127 looks, or up to 1023, or up to 8191: about as long as the answer takes to come, whether
 * the other side is awake or asleep, so that sleep and answer often meet. */
static uint64_t looks_random(uint64_t *s)
{
    uint64_t r = xorshift(s);
    return (r >> 8) & ((128ULL << (r % 3 * 3)) - 1);
}

/* One side on each core, where there are two: only then can stores and loads change places. */
static void pin(int core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    sched_setaffinity(0, sizeof set, &set);
}

/* A role's epoll set with one edge-triggered eventfd. */
static int watch(int fd)
{
    int ep = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event ev = {.events = EPOLLIN | EPOLLET};
    if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev))
        abort();
    return ep;
}

/* Sleeps until the eventfd says something. True when something had come without a word: the wake-up
 * was lost. A slow machine is no loss: then the word comes late, which is waited for. */
static bool sleep_loses(int ep, bool (*has_come)(struct nk_ring *), struct nk_ring *r)
{
    struct epoll_event ev;
    for (int i = 0; i < 1000; i++) {
        if (epoll_wait(ep, &ev, 1, 20) != 0)
            return false;
        if (has_come(r))
            return epoll_wait(ep, &ev, 1, 3000) == 0;
    }
    return true; /* the other side waits, too */
}

static bool has_backlog(struct nk_ring *r)
{
    return nk_ring_backlog(r) > 0;
}

static bool has_space(struct nk_ring *r)
{
    return nk_ring_space(r) > 2 * NK_RING_RECORD_MAX;
}

/* Ping-pong: when a wake-up is lost both sides sleep. ---------------------------------------------
 */
static void ping_send(struct nk_ring *out, uint64_t *seed)
{
    struct nk_ring_record rec = {.type = 1, .payload = NK_STR("ping")};
    if (nk_ring_put(out, &rec))
        abort();
    pause_random(seed);
    nk_ring_publish(out);
}

static unsigned ping(struct nk_ring *out, struct nk_ring *in, int ep, bool starts, uint64_t seed)
{
    unsigned lost = 0;
    for (unsigned i = 0; i < ROUNDS && !lost; i++) {
        struct nk_ring_record rec;
        if (starts)
            ping_send(out, &seed);
        for (uint64_t looks = looks_random(&seed); nk_ring_next(in, &rec); looks--) {
            if (!looks && nk_ring_sleep(in)) {
                lost += sleep_loses(ep, has_backlog, in);
                nk_ring_awake(in);
                if (lost)
                    return lost;
            }
            looks += !looks;
        }
        nk_ring_release(in);
        if (!starts)
            ping_send(out, &seed);
    }
    return lost;
}

static void test_wakeups(void)
{
    struct pair there = pair_new(), back = pair_new();
    pid_t child = fork();
    if (child == 0) {
        pin(1);
        struct nk_ring *in = pair_open(there, false), *out = pair_open(back, true);
        _exit(ping(out, in, watch(there.eventfd), false, 88172645463325252ULL) != 0);
    }
    cpu_set_t cores;
    sched_getaffinity(0, sizeof cores, &cores);
    pin(0);
    struct nk_ring *out = pair_open(there, true), *in = pair_open(back, false);
    unsigned lost = ping(out, in, watch(back.eventfd), true, 0x9E3779B97F4A7C15ULL);
    nk_ring_close(in);
    nk_ring_close(out);
    int status = 1;
    waitpid(child, &status, 0);
    sched_setaffinity(0, sizeof cores, &cores);
    tap_ok(lost == 0 && status == 0, "no wake-up lost in %d rounds (here %u)", ROUNDS, lost);
    pair_close(there);
    pair_close(back);
}

/* A stream of records that say what they are. -----------------------------------------------------
 */
static size_t record_size(uint64_t n)
{
    uint64_t s = n * 0x9E3779B97F4A7C15ULL + 1;
    xorshift(&s);
    return s % 1000 == 0 ? NK_RING_RECORD_MAX - n % 9 : s % 300;
}

static void record_fill(char *to, size_t size, uint64_t n)
{
    for (size_t i = 0; i < size; i++)
        to[i] = (char)(n + i * 7);
}

static bool record_is(const struct nk_ring_record *rec, uint64_t n)
{
    if (rec->number != n || rec->stream != (uint32_t)n || rec->payload.n != record_size(n) ||
        rec->generation != (uint32_t)(n >> 3) || rec->flags != 5 || rec->type != 9)
        return false;
    for (size_t i = 0; i < rec->payload.n; i++)
        if (rec->payload.p[i] != (char)(n + i * 7))
            return false;
    return true;
}

/* Writes `count` records; returns the wake-ups lost while the ring was full. */
static unsigned produce(struct nk_ring *r, int backfd, uint64_t count, unsigned *full)
{
    int ep = watch(backfd);
    unsigned lost = 0;
    uint64_t seed = 7;
    for (uint64_t n = 0; n < count; n++) {
        size_t size = record_size(n);
        char *to;
        while (!(to = nk_ring_reserve(r, size))) {
            nk_ring_publish(r);
            if (!nk_ring_want_space(r, size)) {
                ++*full;
                lost += sleep_loses(ep, has_space, r);
            }
        }
        record_fill(to, size, n);
        struct nk_ring_record rec = {.type = 9,
                                     .stream = (uint32_t)n,
                                     .generation = (uint32_t)(n >> 3),
                                     .flags = 5,
                                     .head_size = (uint32_t)(size / 2)};
        nk_ring_commit(r, &rec, size);
        if (n % 17 == 0) {
            pause_random(&seed);
            nk_ring_publish(r);
        }
    }
    nk_ring_publish(r);
    close(ep);
    return lost;
}

/* Reads on to record `count`; marks each in `seen` (may be NULL) before it is released. */
static unsigned consume(struct nk_ring *r, int eventfd, uint64_t count, unsigned char *seen)
{
    int ep = watch(eventfd);
    unsigned lost = 0;
    uint64_t next = nk_ring_released(r), seed = 3;
    while (next < count) {
        struct nk_ring_record rec;
        unsigned batch = 0;
        int rc = 0;
        for (; batch < 256 && (rc = nk_ring_next(r, &rec)) == 0; batch++, next++) {
            if (!record_is(&rec, next))
                _exit(3);
            if (seen)
                seen[next]++;
        }
        if (rc && rc != NK_EAGAIN)
            _exit(4);
        pause_random(&seed);
        nk_ring_release(r);
        if (batch == 0 && next < count && nk_ring_sleep(r)) {
            lost += sleep_loses(ep, has_backlog, r);
            nk_ring_awake(r);
        }
    }
    return lost;
}

/* The memory file as ring.c lays it out. */
struct file {
    uint64_t tail, count, want_space, want_durable, base, producer_rest[PAGE / 8 - 5];
    uint64_t head, consumer_rest[PAGE / 8 - 1];
    union {
        uint32_t u32[SIZE / 4];
        uint64_t u64[SIZE / 8];
    } data;
};

static struct file *file_map(int memfd)
{
    struct file *f = mmap(NULL, sizeof *f, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
    return f == MAP_FAILED ? NULL : f;
}

static void test_stream(void)
{
    struct pair p = pair_new();
    pid_t child = fork();
    if (child == 0) {
        /* Begins when the ring has been full once. */
        for (struct file *f = file_map(p.memfd);
             !__atomic_load_n(&f->want_space, __ATOMIC_ACQUIRE);)
            usleep(100);
        _exit(consume(pair_open(p, false), p.eventfd, RECORDS, NULL) ? 2 : 0);
    }
    struct nk_ring *r = pair_open(p, true);
    unsigned full = 0, lost = produce(r, p.backfd, RECORDS, &full);
    int status = 1;
    waitpid(child, &status, 0);
    tap_ok(status == 0, "%d records arrive unchanged and in order", RECORDS);
    tap_ok(lost == 0 && full > 0, "a full ring stops its producer and wakes it again");
    TAP_CHECK(nk_ring_committed(r) == RECORDS && nk_ring_released(r) == RECORDS);
    TAP_CHECK(nk_ring_backlog(r) == 0 && nk_ring_space(r) == SIZE);
    nk_ring_close(r);
    pair_close(p);
}

/* The consumer is killed again and again. ---------------------------------------------------------
 */
static void test_consumer_killed(void)
{
    struct pair p = pair_new();
    unsigned char *seen =
        mmap(NULL, CRASH_RECORDS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t producer = fork();
    if (producer == 0) {
        unsigned full = 0;
        _exit(produce(pair_open(p, true), p.backfd, CRASH_RECORDS, &full) != 0);
    }
    int status = 0;
    bool good = true;
    for (int i = 0; i <= KILLS; i++) {
        pid_t consumer = fork();
        if (consumer == 0)
            _exit(consume(pair_open(p, false), p.eventfd, CRASH_RECORDS, seen) ? 2 : 0);
        if (i < KILLS) {
            usleep((useconds_t)(1000 + i * 777));
            kill(consumer, SIGKILL);
        }
        waitpid(consumer, &status, 0);
        good = good && (WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    }
    waitpid(producer, &status, 0);
    uint64_t missing = 0, again = 0;
    for (size_t i = 0; i < CRASH_RECORDS; i++) {
        missing += seen[i] == 0;
        again += seen[i] > 1;
    }
    tap_ok(good && status == 0, "each new consumer goes on at the right record");
    tap_ok(missing == 0, "no record is lost when its consumer is killed");
    tap_ok(again <= KILLS * 256, "only records of one batch come again (%d)", (int)again);
    munmap(seen, CRASH_RECORDS);
    pair_close(p);
}

/* Hostile sides: the words of the memory file are written by hand. --------------------------------
 */
static const struct {
    const char *name;
    uint64_t tail;
    uint32_t size, head_size, rest;
    int expect;
} hostile[] = {
    {"an empty record is fine", 32, 0, 0, 0, 0},
    {"a whole record is fine", 32 + 104, 100, 100, 0, 0},
    {"tail beyond the ring", SIZE + 8, 0, 0, 0, NK_EINVAL},
    {"tail far beyond", UINT64_MAX - 7, 0, 0, 0, NK_EINVAL},
    {"tail not at a record's end", 33, 0, 0, 0, NK_EINVAL},
    {"less than a header", 24, 0, 0, 0, NK_EINVAL},
    {"payload longer than what was published", 32 + 96, 100, 0, 0, NK_EINVAL},
    {"payload over the limit", SIZE, NK_RING_RECORD_MAX + 1, 0, 0, NK_EINVAL},
    {"payload of 4 GiB", SIZE, UINT32_MAX, 0, 0, NK_EINVAL},
    {"head longer than the payload", 32 + 104, 100, 101, 0, NK_EINVAL},
    {"bytes that must be zero", 32, 0, 0, 1, NK_EINVAL},
};

static void test_hostile_producer(void)
{
    for (size_t i = 0; i < NK_COUNT(hostile); i++) {
        struct pair p = pair_new();
        struct file *f = file_map(p.memfd);
        f->data.u32[0] = hostile[i].size;
        f->data.u32[5] = hostile[i].head_size;
        f->data.u32[7] = hostile[i].rest;
        f->tail = hostile[i].tail;
        struct nk_ring *r = pair_open(p, false);
        struct nk_ring_record rec;
        tap_ok(nk_ring_next(r, &rec) == hostile[i].expect, "%s", hostile[i].name);
        nk_ring_close(r);
        munmap(f, sizeof *f);
        pair_close(p);
    }
    struct pair p = pair_new();
    struct file *f = file_map(p.memfd);
    f->tail = 64;
    struct nk_ring *r = pair_open(p, false);
    struct nk_ring_record rec;
    bool both = nk_ring_next(r, &rec) == 0 && nk_ring_next(r, &rec) == 0;
    f->tail = 32;
    tap_ok(both && nk_ring_next(r, &rec) == NK_EINVAL, "tail moves back");
    f->tail = 96;
    tap_ok(nk_ring_next(r, &rec) == NK_EINVAL, "a broken ring stays broken");
    nk_ring_close(r);
    munmap(f, sizeof *f);
    pair_close(p);
}

/* Random words everywhere: whatever comes out lies inside the mapping. */
static void test_random_producer(void)
{
    struct pair p = pair_new();
    struct file *f = file_map(p.memfd);
    uint64_t seed = 42, records = 0;
    bool inside = true;
    for (int i = 0; i < 20000; i++) {
        uint64_t shape = xorshift(&seed);
        for (size_t w = 0; w < 64; w++)
            f->data.u64[w] = xorshift(&seed) & (shape & 1 ? 0xFF000000FFULL : 0xFFF);
        for (size_t w = 3; w < 64 && (shape & 12); w += 4)
            f->data.u64[w] = 0;
        f->tail = xorshift(&seed) % (2 * SIZE) & (shape & 2 ? ~7ULL : ~0ULL);
        f->base = xorshift(&seed) & (shape & 16 ? ~7ULL : 0xFF8);
        f->head = f->consumer_rest[2] = 0;
        struct nk_ring *r = pair_open(p, false);
        struct nk_ring_record rec;
        const char *first = NULL;
        while (nk_ring_next(r, &rec) == 0 && ++records) {
            first = first ? first : rec.payload.p - (-f->base & (SIZE - 1));
            inside = inside && rec.payload.p >= first && rec.head_size <= rec.payload.n &&
                     rec.payload.p + rec.payload.n <= first + 2 * SIZE;
        }
        nk_ring_close(r);
    }
    tap_ok(inside && records > 0, "random words: %d records, all inside", (int)records);
    munmap(f, sizeof *f);
    pair_close(p);
}

static void test_hostile_consumer(void)
{
    struct pair p = pair_new();
    struct file *f = file_map(p.memfd);
    struct nk_ring *r = pair_open(p, true);
    struct nk_ring_record rec = {.type = 1, .payload = NK_STR("abc")};
    TAP_CHECK(nk_ring_put(r, &rec) == 0);
    nk_ring_publish(r);
    f->head = 48;
    tap_ok(nk_ring_space(r) == 0 && nk_ring_put(r, &rec) == NK_EFULL, "head beyond the tail");
    nk_ring_close(r);
    tap_ok(!nk_ring_open(p.memfd, p.eventfd, true), "a used ring takes no second producer");
    munmap(f, sizeof *f);
    pair_close(p);

    int plain = memfd_create("plain", MFD_CLOEXEC);
    TAP_CHECK(ftruncate(plain, SIZE + 2 * PAGE) == 0);
    tap_ok(!nk_ring_open(plain, 0, false), "a file that can be shortened is not a ring");
    close(plain);
}

static void test_base(void)
{
    struct pair p = pair_new();
    struct file *f = file_map(p.memfd);
    struct nk_ring *in = pair_open(p, false);
    struct nk_ring_record rec;
    f->base = 4;
    f->tail = 32;
    tap_ok(nk_ring_next(in, &rec) == NK_EINVAL, "a base where no record can begin");
    nk_ring_close(in);
    munmap(f, sizeof *f);
    pair_close(p);
}

/* A ring that is empty when a batch begins uses its first bytes again, and else goes on. */
static void test_begins_anew(void)
{
    struct pair p = pair_new();
    struct nk_ring *out = pair_open(p, true), *in = pair_open(p, false);
    struct nk_ring_record rec = {.type = 1, .payload = NK_STR("abc")};
    const char *first = NULL, *place = NULL;
    unsigned again = 0;
    for (int i = 0; i < 1000; i++) {
        place = nk_ring_reserve(out, 3);
        nk_ring_commit(out, &rec, 3);
        NK_MUST(nk_ring_put(out, &rec) == 0);
        nk_ring_publish(out);
        again += place == (first = first ? first : place);
        NK_MUST(nk_ring_next(in, &rec) == 0 && nk_ring_next(in, &rec) == 0);
        NK_MUST(nk_str_eq(rec.payload, NK_STR("abc")) && rec.number == 2 * (uint64_t)i + 1);
        nk_ring_release(in);
    }
    tap_ok(again == 1000, "a ring that is emptied stays in its first bytes");
    TAP_CHECK(nk_ring_put(out, &rec) == 0);
    nk_ring_publish(out);
    TAP_CHECK(nk_ring_next(in, &rec) == 0);
    tap_ok(nk_ring_reserve(out, 3) > first, "nothing that is not released yet is written over");
    nk_ring_close(in);
    nk_ring_close(out);
    pair_close(p);
}

static void test_limits(void)
{
    struct pair p = pair_new();
    struct nk_ring *out = pair_open(p, true), *in = pair_open(p, false);
    static char big[NK_RING_RECORD_MAX + 1];
    struct nk_ring_record rec = {.type = 1, .payload = {big, sizeof big}};
    TAP_CHECK(nk_ring_put(out, &rec) == NK_ELIMIT);
    rec.payload.n--;
    unsigned fit = 0;
    while (nk_ring_put(out, &rec) == 0)
        fit++;
    tap_ok(fit == SIZE / (NK_RING_RECORD_MAX + 32), "%u of the largest records fit", fit);
    TAP_CHECK(nk_ring_next(in, &rec) == NK_EAGAIN);
    nk_ring_publish(out);
    TAP_CHECK(nk_ring_next(in, &rec) == 0 && rec.number == 0);
    TAP_CHECK(!nk_ring_want_space(out, 200000) && nk_ring_release(in));
    struct pollfd back = {.fd = p.backfd, .events = POLLIN};
    TAP_CHECK(poll(&back, 1, 0) == 1);
    TAP_CHECK(!nk_ring_want_durable(out, 2));
    nk_ring_set_durable(in, 2);
    TAP_CHECK(nk_ring_want_durable(out, 2) && nk_ring_durable(out) == 2);
    nk_ring_close(in);
    nk_ring_close(out);
    pair_close(p);
}

int main(void)
{
    test_limits();
    test_begins_anew();
    test_base();
    test_hostile_producer();
    test_random_producer();
    test_hostile_consumer();
    fflush(stdout);
    test_wakeups();
    fflush(stdout);
    test_stream();
    fflush(stdout);
    test_consumer_killed();
    return tap_done();
}
