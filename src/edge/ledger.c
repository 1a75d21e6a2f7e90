/* SPDX-License-Identifier: Apache-2.0
 *
 * ledger.c - the writing half of ledger.h. Everything from the first byte that is not yet durable
 * stays in `pending`, and where that byte belongs in the file is known:
 *
 *   file     ………………………………|base
 *   pending                |~~~~~ with the kernel ~~~~~|~~~~~ not yet written ~~~~~|
 *                          0                     written                   pending.n
 *
 * So a failed write is cut off and repeated at the same place, and a failed fdatasync (after which
 * the kernel may have dropped the very pages, and a second one would say yes) is repeated from
 * `base` on.
 */
#include "edge/ledger_store.h"

static int refused(struct nk_fault *f, const char *what)
{
    return nk_fault_set(f, NK_EFULL, "ledger", 0,
                        "%s: %s; no request can be recorded until it works", what, strerror(errno));
}

void nk_ledger_saw(struct nk_ledger *l, uint64_t gate, uint64_t seq, uint64_t n)
{
    size_t i = l->gate_hint;
    if (i >= l->gate_count || l->gates[i].gate != gate)
        for (i = 0; i < l->gate_count && l->gates[i].gate != gate; i++)
            ;
    if (i == NK_LEDGER_GATES) { /* the one that has been silent for longest is dead by far */
        i = 0;
        for (size_t k = 1; k < l->gate_count; k++)
            if (l->gates[k].n < l->gates[i].n)
                i = k;
    } else if (i == l->gate_count) {
        l->gate_count++;
    }
    l->gates[i] = (struct nk_ledger_gate){.gate = gate, .seq = seq, .n = n};
    l->gate_hint = i;
}

bool nk_ledger_last_seq(const struct nk_ledger *l, uint64_t gate, uint64_t *seq)
{
    for (size_t i = 0; i < l->gate_count; i++)
        if (l->gates[i].gate == gate) {
            *seq = l->gates[i].seq;
            return true;
        }
    return false;
}

bool nk_ledger_has_room(const struct nk_ledger *l)
{
    return l->pending.n <= NK_LEDGER_PENDING_MAX - NK_CHAIN_LINE_MAX - 1;
}

int nk_ledger_append(struct nk_ledger *l, uint64_t gate, uint64_t seq, struct nk_str facts,
                     struct nk_fault *f)
{
    uint64_t n = l->chain.tree.size;
    if (!nk_ledger_has_room(l))
        return nk_fault_set(f, NK_EFULL, "ledger", 0, "too many records wait to be synced");
    int r = nk_chain_append(&l->chain, gate, seq, facts, &l->scratch, &l->pending, f);
    nk_arena_reset(&l->scratch);
    if (r == 0)
        nk_ledger_saw(l, gate, seq, n);
    return r;
}

/* What the kernel has becomes durable. */
static int settle(struct nk_ledger *l, struct nk_fault *f)
{
    if (l->written == 0)
        return 0;
    if (fdatasync(l->fd)) {
        int r = refused(f, "fdatasync of the audit log");
        l->written = 0;
        l->written_n = l->durable_n;
        return r;
    }
    /* Nobody will read it soon: the kernel may use the same warm pages for what comes next. */
    (void)posix_fadvise(l->fd, (off_t)l->base, (off_t)l->written, POSIX_FADV_DONTNEED);
    l->base += l->written;
    l->since_state += l->written;
    nk_buf_drop(&l->pending, l->written);
    l->written = 0;
    l->durable_n = l->written_n;
    return 0;
}

/* Opens the segment that begins with the first record that is not durable. */
static int open_segment(struct nk_ledger *l, struct nk_fault *f)
{
    char name[NK_LEDGER_NAME_SIZE];
    nk_ledger_segment_name(l->durable_n, name);
    int fd = openat(l->dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0)
        return refused(f, "opening a segment of the audit log");
    /* A try that failed may have left this file, but never a record in it. */
    if (nk_dir_file_size(fd) != 0 || fsync(l->dir)) {
        int r = refused(f, "opening a segment of the audit log");
        close(fd);
        return r;
    }
    l->fd = fd;
    l->segment = l->durable_n;
    l->base = 0;
    return 0;
}

/* Makes sure that `fd` is a segment with room. */
static int rotate(struct nk_ledger *l, struct nk_fault *f)
{
    if (l->fd >= 0 && l->base + l->written < l->options.segment_bytes)
        return 0;
    if (l->fd >= 0) {
        int r = settle(l, f);
        if (r)
            return r;
        close(l->fd);
        l->fd = -1;
    }
    return open_segment(l, f);
}

int nk_ledger_write(struct nk_ledger *l, struct nk_fault *f)
{
    if (l->written == l->pending.n)
        return 0;
    int r = rotate(l, f);
    if (r)
        return r;
    struct nk_str rest = nk_str_sub(nk_buf_str(&l->pending), l->written, l->pending.n);
    if (nk_dir_write_at(l->fd, rest, l->base + l->written)) {
        r = refused(f, "writing the audit log");
        /* Back to the last whole line. Should this fail too, the next try writes over it, and a
         * start after a crash cuts it. */
        if (ftruncate(l->fd, (off_t)(l->base + l->written)))
            return r;
        return r;
    }
    l->written = l->pending.n;
    l->written_n = l->chain.tree.size;
    return 0;
}

int nk_ledger_sync(struct nk_ledger *l, struct nk_fault *f)
{
    int r = nk_ledger_write(l, f);
    return r ? r : settle(l, f);
}

uint64_t nk_ledger_size(const struct nk_ledger *l)
{
    return l->chain.tree.size;
}

uint64_t nk_ledger_written(const struct nk_ledger *l)
{
    return l->written_n;
}

uint64_t nk_ledger_durable(const struct nk_ledger *l)
{
    return l->durable_n;
}

uint64_t nk_ledger_checkpointed(const struct nk_ledger *l)
{
    return l->checkpoint.size;
}

uint64_t nk_ledger_start_bytes(const struct nk_ledger *l)
{
    return l->since_state;
}

const struct nk_ledger_opening *nk_ledger_opening(const struct nk_ledger *l)
{
    return &l->opening;
}

void nk_ledger_close(struct nk_ledger *l)
{
    if (!l)
        return;
    if (l->fd >= 0)
        close(l->fd);
    if (l->lock >= 0)
        close(l->lock);
    nk_buf_free(&l->pending);
    nk_arena_free(&l->scratch);
    free(l);
}
