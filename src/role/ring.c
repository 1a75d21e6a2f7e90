/* SPDX-License-Identifier: Apache-2.0
 *
 * ring.c - the memory file of a ring is
 *
 *     page 0            producer's words: tail, count, want
 *     page 1            consumer's words: head, counts, sleep, durable
 *     pages 2 …         data, a power of two of bytes
 *
 * and each side maps it as  [producer][consumer][data][data]: the second mapping of the data makes
 * a record that runs over the end contiguous. Positions are byte counts since the ring was made and
 * never wrap (2^64); the place in the data is (position - base) mod size. A record is a header of 32
 * bytes and the payload, padded to 8 bytes. Each side may write its own page alone, and keeps its own
 * words in private memory too: what it reads back from shared memory is only ever the other side's.
 *
 * The producer moves base when it finds the ring empty: all is released, so nothing lies anywhere,
 * and the next record may lie at the beginning. A ring that is emptied after each batch thus lives
 * in the few pages that a batch needs, which stay in the processor's cache, however large it is.
 * The consumer takes base over with a new tail: it cannot move while anything is unreleased.
 *
 * Sleeping. Both sides do "store mine, full fence, load yours", so at least one of them sees the
 * other's store (the store-buffer litmus test; C17 7.17.4, C11 atomics mapping of seq_cst fences):
 *
 *     producer: tail = t; fence; if (consumer sleeps) write eventfd
 *     consumer: sleep = odd; fence; if (tail == mine) really sleep
 *
 * Without the fence the loads run ahead of the stores on x86 as well, and a wake-up is lost about
 * once in a hundred sleeps. `sleep` is a number, odd while asleep, so that the producer wakes each
 * sleep once without writing to the consumer's page. "Space wanted" and "durable wanted" are the
 * same protocol with the roles changed. The eventfd is watched edge-triggered and never read.
 */
#include "role/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEADER_BYTES = 32 };
enum { SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL };

/* Written by the producer alone. */
struct producer_page {
    uint64_t tail;         /* bytes published */
    uint64_t count;        /* records published */
    uint64_t want_space;   /* odd: the producer waits for space */
    uint64_t want_durable; /* 0, or: wake me when so many records are durable */
    uint64_t base;         /* the position that lies at the beginning of the data */
};

/* How far the consumer released: kept twice, so that one of them is whole whenever it is killed. */
struct released {
    uint64_t head, count;
};

/* Written by the consumer alone. */
struct consumer_page {
    uint64_t head; /* bytes released; what the producer reads */
    uint64_t sleep;
    uint64_t durable;
    uint64_t whole; /* which of the two below is whole */
    struct released released[2];
};

struct header {
    uint32_t size; /* of the payload */
    uint32_t type, stream, generation, flags, head_size;
    uint64_t zero; /* so that a later version can see an older one */
};
_Static_assert(sizeof(struct header) == HEADER_BYTES, "records are laid out by hand");

struct nk_ring {
    bool is_producer;
    bool broken; /* the other side's words make no sense */
    int eventfd, backfd;
    void *map;
    size_t map_size;
    uint64_t size; /* of the data */
    struct producer_page *producer;
    struct consumer_page *consumer;
    char *data;
    uint64_t at;          /* producer: bytes committed; consumer: bytes read */
    uint64_t published;   /* producer: last published tail; consumer: last released head */
    uint64_t other;       /* consumer's view of tail, producer's view of head */
    uint64_t base;        /* as on the producer's page */
    uint64_t count;       /* producer: records committed; consumer: records read */
    uint64_t reserved;    /* producer: payload bytes of the open reservation, +1; 0: none */
    uint64_t answered[3]; /* the wake-up request of the other side that was answered last */
};
enum { ANSWERED_SLEEP, ANSWERED_SPACE, ANSWERED_DURABLE };

static uint64_t load(const uint64_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static void store(uint64_t *p, uint64_t v)
{
    __atomic_store_n(p, v, __ATOMIC_RELEASE);
}

static void fence(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static uint64_t record_bytes(uint64_t payload)
{
    return (HEADER_BYTES + payload + 7) & ~(uint64_t)7;
}

/* Where the record at `at` lies. */
static char *place(const struct nk_ring *r)
{
    return r->data + ((r->at - r->base) & (r->size - 1));
}

static void wake(int eventfd)
{
    uint64_t one = 1;
    /* EAGAIN means that the counter is full of unread wake-ups, which is as good as one more. */
    ssize_t n = write(eventfd, &one, sizeof one);
    (void)n;
}

static bool is_ring_size(uint64_t size)
{
    return size >= 4 * (uint64_t)NK_RING_RECORD_MAX && size <= NK_RING_BYTES_MAX &&
           (size & (size - 1)) == 0;
}

int nk_ring_create(size_t size, int *memfd, int *eventfd_out)
{
    NK_MUST(is_ring_size(size));
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    int m = memfd_create("nakoso-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (m < 0)
        return NK_EIO;
    int e = -1;
    if (ftruncate(m, (off_t)(2 * page + size)) == 0 && fcntl(m, F_ADD_SEALS, SEALS) == 0)
        e = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (e < 0) {
        close(m);
        return NK_EIO;
    }
    *memfd = m;
    *eventfd_out = e;
    return 0;
}

static bool map_part(char *at, size_t size, int fd, size_t offset, bool writable)
{
    int prot = writable ? PROT_READ | PROT_WRITE : PROT_READ;
    return mmap(at, size, prot, MAP_SHARED | MAP_FIXED, fd, (off_t)offset) != MAP_FAILED;
}

static int map_all(struct nk_ring *r, int memfd)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), size = (size_t)r->size;
    r->map_size = 2 * page + 2 * size;
    r->map = mmap(NULL, r->map_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (r->map == MAP_FAILED) {
        r->map = NULL;
        return NK_ENOMEM;
    }
    char *base = r->map;
    if (!map_part(base, page, memfd, 0, r->is_producer) ||
        !map_part(base + page, page, memfd, page, !r->is_producer) ||
        !map_part(base + 2 * page, size, memfd, 2 * page, r->is_producer) ||
        !map_part(base + 2 * page + size, size, memfd, 2 * page, r->is_producer))
        return NK_ENOMEM;
    r->producer = (void *)base;
    r->consumer = (void *)(base + page);
    r->data = base + 2 * page;
    return 0;
}

/* A consumer goes on where the one before it released; the producer is always the first. */
static int resume(struct nk_ring *r)
{
    if (r->is_producer)
        return load(&r->producer->tail) || load(&r->consumer->head) ? NK_ECONFLICT : 0;
    const struct released *last = &r->consumer->released[load(&r->consumer->whole) & 1];
    r->at = r->published = r->other = last->head;
    r->count = last->count;
    store(&r->consumer->head, last->head);
    uint64_t sleep = load(&r->consumer->sleep);
    store(&r->consumer->sleep, sleep + (sleep & 1));
    return 0;
}

struct nk_ring *nk_ring_open(int memfd, int eventfd, bool producer)
{
    struct stat st;
    int seals = fcntl(memfd, F_GET_SEALS);
    off_t overhead = 2 * sysconf(_SC_PAGESIZE);
    /* The seals make sure that no access can fault because the other side shortened the file. */
    if (seals < 0 || (seals & SEALS) != SEALS || fstat(memfd, &st) || st.st_size <= overhead ||
        !is_ring_size((uint64_t)(st.st_size - overhead)))
        return NULL;
    struct nk_ring *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->is_producer = producer;
    r->eventfd = eventfd;
    r->backfd = -1;
    r->size = (uint64_t)(st.st_size - overhead);
    if (map_all(r, memfd) || resume(r)) {
        nk_ring_close(r);
        return NULL;
    }
    return r;
}

void nk_ring_close(struct nk_ring *r)
{
    if (!r)
        return;
    if (r->map)
        munmap(r->map, r->map_size);
    free(r);
}

void nk_ring_set_back(struct nk_ring *r, int backfd)
{
    r->backfd = backfd;
}

int nk_ring_eventfd(const struct nk_ring *r)
{
    return r->eventfd;
}

/* Producer ----------------------------------------------------------------------------------------
 */

/* Looks at the consumer's head. A head that moved back or beyond the tail is not believed: then the
 * ring counts as full for ever, and the owner's time-outs do the rest. */
static void producer_refresh(struct nk_ring *r)
{
    uint64_t head = load(&r->consumer->head);
    if (head < r->other || head > r->published)
        r->broken = true;
    else
        r->other = head;
}

size_t nk_ring_space(struct nk_ring *r)
{
    NK_MUST(r->is_producer);
    producer_refresh(r);
    return r->broken ? 0 : (size_t)(r->size - (r->at - r->other));
}

static void begin_anew(struct nk_ring *r)
{
    producer_refresh(r);
    if (r->broken || r->other != r->at)
        return;
    r->base = r->at;
    store(&r->producer->base, r->at);
}

char *nk_ring_reserve(struct nk_ring *r, size_t size)
{
    NK_MUST(r->is_producer && !r->reserved && size <= NK_RING_RECORD_MAX);
    if (r->at == r->published)
        begin_anew(r);
    uint64_t need = record_bytes(size);
    if (need > r->size - (r->at - r->other) && need > nk_ring_space(r))
        return NULL;
    if (r->broken)
        return NULL;
    r->reserved = size + 1;
    return place(r) + HEADER_BYTES;
}

void nk_ring_commit(struct nk_ring *r, const struct nk_ring_record *rec, size_t size)
{
    NK_MUST(r->reserved && size < r->reserved && rec->head_size <= size);
    /* Field by field: put together elsewhere, it would be read back before it has been written, and wait for that. */
    struct header *h = (void *)place(r);
    h->size = (uint32_t)size;
    h->type = rec->type;
    h->stream = rec->stream;
    h->generation = rec->generation;
    h->flags = rec->flags;
    h->head_size = rec->head_size;
    h->zero = 0;
    r->at += record_bytes(size);
    r->count++;
    r->reserved = 0;
}

int nk_ring_put(struct nk_ring *r, const struct nk_ring_record *rec)
{
    if (rec->payload.n > NK_RING_RECORD_MAX)
        return NK_ELIMIT;
    char *to = nk_ring_reserve(r, rec->payload.n);
    if (!to)
        return NK_EFULL;
    if (rec->payload.n)
        memcpy(to, rec->payload.p, rec->payload.n);
    nk_ring_commit(r, rec, rec->payload.n);
    return 0;
}

void nk_ring_publish(struct nk_ring *r)
{
    NK_MUST(r->is_producer && !r->reserved);
    if (r->published == r->at)
        return;
    r->published = r->at;
    store(&r->producer->count, r->count);
    store(&r->producer->tail, r->at);
    fence();
    uint64_t sleep = load(&r->consumer->sleep);
    if ((sleep & 1) && sleep != r->answered[ANSWERED_SLEEP]) {
        r->answered[ANSWERED_SLEEP] = sleep;
        wake(r->eventfd);
    }
}

bool nk_ring_want_space(struct nk_ring *r, size_t size)
{
    NK_MUST(r->is_producer);
    uint64_t want = r->producer->want_space;
    store(&r->producer->want_space, want + 1 + (want & 1));
    fence();
    if (nk_ring_space(r) < record_bytes(size))
        return false;
    store(&r->producer->want_space, r->producer->want_space + 1);
    return true;
}

bool nk_ring_want_durable(struct nk_ring *r, uint64_t count)
{
    NK_MUST(r->is_producer);
    store(&r->producer->want_durable, count);
    fence();
    if (nk_ring_durable(r) < count)
        return false;
    store(&r->producer->want_durable, 0);
    return true;
}

/* Consumer ----------------------------------------------------------------------------------------
 */

static int consumer_refresh(struct nk_ring *r)
{
    uint64_t tail = load(&r->producer->tail);
    if (tail < r->other || tail - r->published > r->size || (tail & 7)) {
        r->broken = true;
        return NK_EINVAL;
    }
    if (tail != r->other)
        r->base = load(&r->producer->base);
    r->other = tail;
    r->broken = (r->base & 7) != 0;
    return r->broken ? NK_EINVAL : 0;
}

/* Copies the header word by word, so that nothing is read from shared memory twice. */
static struct header header_copy(const char *from)
{
    uint64_t words[HEADER_BYTES / 8];
    const uint64_t *shared = (const void *)from;
    for (size_t i = 0; i < NK_COUNT(words); i++)
        words[i] = __atomic_load_n(shared + i, __ATOMIC_RELAXED);
    struct header h;
    memcpy(&h, words, sizeof h);
    return h;
}

int nk_ring_next(struct nk_ring *r, struct nk_ring_record *out)
{
    NK_MUST(!r->is_producer);
    if (!r->broken && r->at == r->other && consumer_refresh(r) == 0 && r->at == r->other)
        return NK_EAGAIN;
    if (r->broken)
        return NK_EINVAL;
    uint64_t left = r->other - r->at;
    const char *from = place(r);
    struct header h = {0};
    /* Positions are multiples of 8 and the ring of 4096: 8 bytes are there, 32 perhaps not. */
    if (left >= HEADER_BYTES)
        h = header_copy(from);
    if (left < HEADER_BYTES || h.size > NK_RING_RECORD_MAX || record_bytes(h.size) > left ||
        h.head_size > h.size || h.zero) {
        r->broken = true;
        return NK_EINVAL;
    }
    *out = (struct nk_ring_record){.type = h.type,
                                   .stream = h.stream,
                                   .generation = h.generation,
                                   .flags = h.flags,
                                   .head_size = h.head_size,
                                   .number = r->count++,
                                   .payload = {from + HEADER_BYTES, h.size}};
    r->at += record_bytes(h.size);
    return 0;
}

bool nk_ring_release(struct nk_ring *r)
{
    NK_MUST(!r->is_producer);
    if (r->published == r->at)
        return false;
    r->published = r->at;
    uint64_t next = !(r->consumer->whole & 1);
    store(&r->consumer->released[next].head, r->at);
    store(&r->consumer->released[next].count, r->count);
    store(&r->consumer->whole, next);
    store(&r->consumer->head, r->at);
    fence();
    uint64_t want = load(&r->producer->want_space);
    if (!(want & 1) || want == r->answered[ANSWERED_SPACE])
        return false;
    r->answered[ANSWERED_SPACE] = want;
    if (r->backfd >= 0)
        wake(r->backfd);
    return true;
}

bool nk_ring_sleep(struct nk_ring *r)
{
    NK_MUST(!r->is_producer);
    uint64_t sleep = r->consumer->sleep;
    if (!(sleep & 1))
        store(&r->consumer->sleep, sleep + 1);
    fence();
    if (load(&r->producer->tail) == r->at)
        return true;
    nk_ring_awake(r);
    return false;
}

void nk_ring_awake(struct nk_ring *r)
{
    uint64_t sleep = r->consumer->sleep;
    store(&r->consumer->sleep, sleep + (sleep & 1));
}

void nk_ring_set_durable(struct nk_ring *r, uint64_t count)
{
    NK_MUST(!r->is_producer);
    store(&r->consumer->durable, count);
    fence();
    uint64_t want = load(&r->producer->want_durable);
    if (want && want <= count && want != r->answered[ANSWERED_DURABLE]) {
        r->answered[ANSWERED_DURABLE] = want;
        if (r->backfd >= 0)
            wake(r->backfd);
    }
}

uint64_t nk_ring_durable(const struct nk_ring *r)
{
    return load(&r->consumer->durable);
}

uint64_t nk_ring_committed(const struct nk_ring *r)
{
    return r->is_producer ? r->count : load(&r->producer->count);
}

uint64_t nk_ring_released(const struct nk_ring *r)
{
    return load(&r->consumer->released[load(&r->consumer->whole) & 1].count);
}

size_t nk_ring_backlog(struct nk_ring *r)
{
    uint64_t tail = load(&r->producer->tail), head = load(&r->consumer->head);
    return tail >= head && tail - head <= r->size ? (size_t)(tail - head) : (size_t)r->size;
}
