/* SPDX-License-Identifier: Apache-2.0
 *
 * ledger_read.c - see ledger_read.h. One buffer holds a window of the current segment; lines are
 * views of it. Reads, not mappings: a file that is cut while it is mapped kills the reader.
 */
#include "edge/ledger_read.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WINDOW = 2 * (NK_CHAIN_LINE_MAX + 1), SEGMENTS_MAX = 1 << 20, DIGITS = 20 };

struct nk_ledger_reader {
    int dir, fd; /* fd -1: between two segments */
    uint64_t n, segment, line, offset;
    size_t at, end; /* window[at, end) is read but not handed out */
    bool looked;    /* at the end of this segment once more, after a later one was seen */
    struct nk_arena arena;
    char window[WINDOW];
};

void nk_ledger_segment_name(uint64_t first, char name[NK_LEDGER_NAME_SIZE])
{
    snprintf(name, NK_LEDGER_NAME_SIZE, "%020llu.jsonl", (unsigned long long)first);
}

static bool segment_number(const char *name, uint64_t *first)
{
    static const char ending[] = ".jsonl";
    char back[NK_LEDGER_NAME_SIZE];
    *first = 0;
    if (strlen(name) != DIGITS + sizeof ending - 1)
        return false;
    for (int i = 0; i < DIGITS; i++)
        if (name[i] < '0' || name[i] > '9' || __builtin_mul_overflow(*first, 10u, first) ||
            __builtin_add_overflow(*first, (uint64_t)(name[i] - '0'), first))
            return false;
    nk_ledger_segment_name(*first, back);
    return strcmp(back, name) == 0;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

int nk_ledger_segments(int dir, struct nk_arena *a, uint64_t **firsts, size_t *count,
                       struct nk_fault *f)
{
    struct nk_buf found;
    uint64_t first;
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy < 0 ? NULL : fdopendir(copy);
    if (!d) {
        int why = errno;
        if (copy >= 0)
            close(copy);
        return nk_fault_set(f, NK_EIO, "ledger", 0, "the directory cannot be read: %s",
                            strerror(why));
    }
    nk_buf_init(&found, SEGMENTS_MAX * sizeof first);
    for (struct dirent *e; (e = readdir(d));)
        if (segment_number(e->d_name, &first))
            nk_buf_add(&found, (struct nk_str){(const char *)&first, sizeof first});
    closedir(d);
    *count = found.n / sizeof first;
    *firsts = found.error ? NULL : nk_arena_array(a, *count, sizeof first);
    if (*firsts && found.n)
        memcpy(*firsts, found.p, found.n);
    nk_buf_free(&found);
    if (!*firsts)
        return nk_fault_set(f, NK_ENOMEM, "ledger", 0, "too many segments");
    qsort(*firsts, *count, sizeof first, compare);
    return 0;
}

static int open_segment(struct nk_ledger_reader *r, uint64_t first, struct nk_fault *f)
{
    char name[NK_LEDGER_NAME_SIZE];
    nk_ledger_segment_name(first, name);
    int fd = openat(r->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return nk_fault_set(f, errno == ENOENT ? NK_ENOTFOUND : NK_EIO, "ledger", 0, "%s: %s", name,
                            strerror(errno));
    if (r->fd >= 0)
        close(r->fd);
    r->fd = fd;
    r->segment = first;
    r->line = 1;
    r->offset = 0;
    r->at = r->end = 0;
    r->looked = false;
    return 0;
}

struct nk_ledger_reader *nk_ledger_reader_open_at(int dir, uint64_t segment, uint64_t offset,
                                                  uint64_t n, uint64_t line, struct nk_fault *f)
{
    struct nk_ledger_reader *r = calloc(1, sizeof *r);
    if (!r) {
        nk_fault_set(f, NK_ENOMEM, "ledger", 0, "out of memory");
        return NULL;
    }
    r->dir = dir;
    r->fd = -1;
    nk_arena_init(&r->arena, SEGMENTS_MAX * sizeof(uint64_t) + 65536);
    if (open_segment(r, segment, f) == 0 && lseek(r->fd, (off_t)offset, SEEK_SET) >= 0) {
        r->n = n;
        r->line = line;
        r->offset = offset;
        return r;
    }
    nk_fault_set(f, NK_EIO, "ledger", 0, "%s", strerror(errno));
    nk_ledger_reader_close(r);
    return NULL;
}

struct nk_ledger_reader *nk_ledger_reader_open(int dir, uint64_t from, struct nk_fault *f)
{
    struct nk_arena a;
    uint64_t *firsts, first = 0;
    size_t count, i = 0;
    nk_arena_init(&a, SEGMENTS_MAX * sizeof(uint64_t) + 65536);
    int r = nk_ledger_segments(dir, &a, &firsts, &count, f);
    for (; r == 0 && i < count && firsts[i] <= from; i++)
        first = firsts[i];
    nk_arena_free(&a);
    if (r)
        return NULL;
    if (i == 0) {
        nk_fault_set(f, NK_ENOTFOUND, "ledger", 0,
                     count ? "the first segment begins with a later record"
                           : "this directory holds no audit log");
        return NULL;
    }
    struct nk_ledger_reader *reader = nk_ledger_reader_open_at(dir, first, 0, first, 1, f);
    struct nk_ledger_line line;
    while (reader && reader->n < from)
        if (nk_ledger_reader_next(reader, &line, f)) {
            nk_fault_set(f, NK_ENOTFOUND, "ledger", 0, "the log ends before record %llu",
                         (unsigned long long)from);
            nk_ledger_reader_close(reader);
            return NULL;
        }
    return reader;
}

/* Reads on until the window holds a whole line or the segment has no more: 0 or NK_EIO. */
static int fill(struct nk_ledger_reader *r)
{
    size_t seen = 0;
    for (;;) {
        if (r->end > r->at + seen && memchr(r->window + r->at + seen, '\n', r->end - r->at - seen))
            return 0;
        seen = r->end - r->at;
        if (seen > NK_CHAIN_LINE_MAX)
            return 0;
        if (r->at) {
            memmove(r->window, r->window + r->at, seen);
            r->at = 0;
            r->end = seen;
        }
        ssize_t n = read(r->fd, r->window + r->end, sizeof r->window - r->end);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n ? NK_EIO : 0;
        r->end += (size_t)n;
    }
}

/* Goes to the segment behind the current one, if there is one: 0 (look again), NK_EAGAIN, NK_EINVAL
 * (a hole). */
static int next_segment(struct nk_ledger_reader *r, struct nk_fault *f)
{
    uint64_t *firsts;
    size_t count;
    nk_arena_reset(&r->arena);
    int e = nk_ledger_segments(r->dir, &r->arena, &firsts, &count, f);
    if (e)
        return e;
    for (size_t i = 0; i < count; i++) {
        if (firsts[i] <= r->segment)
            continue;
        if (!r->looked) { /* a running scribe may have written both since we read */
            r->looked = true;
            return 0;
        }
        if (r->end > r->at)
            return nk_fault_set(f, NK_EINVAL, "ledger", 0,
                                "the segment's last line has no end, but a later segment follows");
        if (firsts[i] != r->n)
            return nk_fault_set(f, NK_EINVAL, "ledger", 0,
                                "the next segment begins with record %llu, but %llu is due",
                                (unsigned long long)firsts[i], (unsigned long long)r->n);
        return open_segment(r, firsts[i], f);
    }
    return NK_EAGAIN;
}

static void place(const struct nk_ledger_reader *r, size_t length, struct nk_ledger_line *out)
{
    *out = (struct nk_ledger_line){.n = r->n,
                                   .text = {r->window + r->at, length},
                                   .segment = r->segment,
                                   .line = r->line,
                                   .offset = r->offset};
}

int nk_ledger_reader_next(struct nk_ledger_reader *r, struct nk_ledger_line *out,
                          struct nk_fault *f)
{
    for (;;) {
        int e = fill(r);
        place(r, r->end - r->at, out);
        if (e)
            return nk_fault_set(f, e, "ledger", r->offset, "read: %s", strerror(errno));
        char *end = memchr(r->window + r->at, '\n', r->end - r->at);
        size_t length = end ? (size_t)(end - r->window) - r->at : r->end - r->at;
        if (length > NK_CHAIN_LINE_MAX)
            return nk_fault_set(f, NK_ELIMIT, "ledger", r->offset, "a line over %d bytes",
                                NK_CHAIN_LINE_MAX);
        if (end) {
            place(r, length, out);
            r->at += length + 1;
            r->offset += length + 1;
            r->n++;
            r->line++;
            r->looked = false;
            return 0;
        }
        e = next_segment(r, f);
        if (e) /* also NK_EAGAIN */
            return e;
    }
}

void nk_ledger_reader_close(struct nk_ledger_reader *r)
{
    if (!r)
        return;
    if (r->fd >= 0)
        close(r->fd);
    nk_arena_free(&r->arena);
    free(r);
}
