/* SPDX-License-Identifier: Apache-2.0
 *
 * ledger_open.c - the start of a ledger: finds the end of the log, trusts nothing on the way.
 *
 * A crash can leave less than a whole group at the end of the last segment; that is cut off, kept
 * in a file of its own and reported. Everything else that does not fit is not a crash: a log that
 * ends before its latest checkpoint, or whose tree has another root there, was cut or changed, and
 * the scribe does not go on as if nothing had been.
 */
#include "edge/ledger_store.h"

#include <sys/file.h>

enum { READ_ALL_BYTES = 16 << 20, SEGMENT_BYTES = 256 << 20 };

/* Where reading stopped: the first byte that is not part of a good line of the last segment. */
struct end {
    uint64_t segment, offset;
    uint64_t last_segment; /* by the directory */
    bool has_segments;
};

static int lock(struct nk_ledger *l, struct nk_fault *f)
{
    l->lock = openat(l->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (l->lock < 0)
        return nk_fault_set(f, NK_EIO, "ledger", 0, "lock: %s", strerror(errno));
    if (flock(l->lock, LOCK_EX | LOCK_NB))
        return nk_fault_set(f, NK_ECONFLICT, "ledger", 0,
                            "another scribe writes this directory; an audit log has one writer");
    return 0;
}

static int check_key(struct nk_ledger *l, struct nk_fault *f)
{
    struct nk_buf mine, there;
    nk_buf_init(&mine, 1024);
    nk_buf_init(&there, 1024);
    nk_checkpoint_key(l->options.origin, l->public_key, &mine);
    nk_buf_add_char(&mine, '\n');
    int r = nk_dir_read(l->dir, "key.pub", &there);
    if (r == NK_ENOTFOUND) {
        r = nk_dir_replace(l->dir, "key.pub", nk_buf_str(&mine), true);
        if (r)
            nk_fault_set(f, r, "ledger", 0, "writing key.pub: %s", strerror(errno));
    } else if (r || !nk_str_eq(nk_buf_str(&mine), nk_buf_str(&there))) {
        r = nk_fault_set(
            f, r ? r : NK_ECONFLICT, "ledger", 0,
            "this log belongs to the key and origin in its key.pub, not to those of the "
            "configuration; restore those, or start a log in an empty directory");
    }
    nk_buf_free(&mine);
    nk_buf_free(&there);
    return r;
}

/* Takes a stored note as the latest checkpoint if it is later than what is known. */
static int take_note(struct nk_ledger *l, const char *file, struct nk_str note, struct nk_fault *f)
{
    struct nk_checkpoint c;
    struct nk_fault why = {.code = 0};
    int r = nk_checkpoint_open(note, l->public_key, &c, &why);
    if (r == 0 && !nk_str_eq(c.origin, l->options.origin))
        r = nk_fault_set(&why, NK_ECONFLICT, "ledger", 0, "another log's origin");
    if (r)
        return nk_fault_set(f, r == NK_EINVAL ? NK_ECRYPTO : r, "ledger", 0,
                            "%s was changed: %s; restore it from a copy before the log goes on",
                            file, why.message);
    if (c.size >= l->checkpoint.size) {
        c.origin = l->options.origin;
        l->checkpoint = c;
    }
    return 0;
}

/* A file's end is moved to a file of its own: 0 or NK_EIO. */
static int keep_torn(struct nk_ledger *l, const char *name, int fd, uint64_t good, uint64_t size,
                     struct nk_fault *f)
{
    struct nk_ledger_opening *o = &l->opening;
    struct nk_buf torn;
    nk_buf_init(&torn, NK_LEDGER_PENDING_MAX);
    char *to = nk_buf_reserve(&torn, size - good);
    int r = to && pread(fd, to, size - good, (off_t)good) == (ssize_t)(size - good) ? 0 : NK_EIO;
    for (int i = 0; r == 0; i++) { /* a name that is free */
        snprintf(o->torn_file, sizeof o->torn_file, "torn-%lld", (long long)l->options.unix_ms + i);
        if (faccessat(l->dir, o->torn_file, F_OK, 0))
            break;
    }
    if (r == 0) {
        torn.n = size - good;
        o->torn_bytes += torn.n;
        o->torn_digest = nk_sha256(nk_buf_str(&torn));
        r = nk_dir_replace(l->dir, o->torn_file, nk_buf_str(&torn), true);
    }
    if (r == 0 && (ftruncate(fd, (off_t)good) || fsync(fd)))
        r = NK_EIO;
    nk_buf_free(&torn);
    return r ? nk_fault_set(f, NK_EIO, "ledger", good, "the torn end of %s cannot be put aside: %s",
                            name, strerror(errno))
             : 0;
}

static int load_checkpoints(struct nk_ledger *l, struct nk_fault *f)
{
    struct nk_buf note;
    uint64_t size;
    nk_buf_init(&note, NK_CHECKPOINT_NOTE_MAX);
    int r = nk_ledger_notes_last(l->dir, &note, &l->notes_size, &size);
    if (r)
        nk_fault_set(f, r, "ledger", 0, "checkpoints: %s", strerror(errno));
    if (r == 0 && note.n)
        r = take_note(l, "checkpoints", nk_buf_str(&note), f);
    if (r == 0 && size - l->notes_size > NK_CHECKPOINT_NOTE_MAX)
        r = nk_fault_set(f, NK_ECRYPTO, "ledger", l->notes_size, "checkpoints was changed");
    if (r == 0 && size > l->notes_size) {
        int fd = openat(l->dir, "checkpoints", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        r = fd < 0 ? NK_EIO : keep_torn(l, "checkpoints", fd, l->notes_size, size, f);
        if (fd >= 0)
            close(fd);
    }
    nk_buf_clear(&note);
    int e = r ? r : nk_dir_read(l->dir, "checkpoint", &note);
    if (r == 0 && e == 0)
        r = take_note(l, "checkpoint", nk_buf_str(&note), f);
    else if (r == 0 && e != NK_ENOTFOUND)
        r = nk_fault_set(f, e, "ledger", 0, "checkpoint: %s", strerror(errno));
    nk_buf_free(&note);
    return r;
}

static int list_segments(struct nk_ledger *l, struct end *end, uint64_t *first, uint64_t *bytes,
                         struct nk_fault *f)
{
    uint64_t *firsts;
    size_t count;
    char name[NK_LEDGER_NAME_SIZE];
    struct stat st;
    int r = nk_ledger_segments(l->dir, &l->scratch, &firsts, &count, f);
    *bytes = 0;
    for (size_t i = 0; r == 0 && i < count; i++) {
        nk_ledger_segment_name(firsts[i], name);
        if (fstatat(l->dir, name, &st, AT_SYMLINK_NOFOLLOW))
            r = nk_fault_set(f, NK_EIO, "ledger", 0, "%s: %s", name, strerror(errno));
        else
            *bytes += (uint64_t)st.st_size;
    }
    end->has_segments = r == 0 && count;
    end->last_segment = end->has_segments ? firsts[count - 1] : 0;
    *first = end->has_segments ? firsts[0] : 0;
    nk_arena_reset(&l->scratch);
    return r;
}

/* The line that ends at the state's place must be the one that the state says. */
static bool state_fits(struct nk_ledger *l)
{
    char name[NK_LEDGER_NAME_SIZE];
    size_t want = l->base < NK_CHAIN_LINE_MAX + 2 ? l->base : NK_CHAIN_LINE_MAX + 2;
    bool fits = false;
    nk_ledger_segment_name(l->segment, name);
    int fd = openat(l->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    char *tail = nk_arena_alloc(&l->scratch, want);
    if (fd >= 0 && tail && want > 1 &&
        pread(fd, tail, want, (off_t)(l->base - want)) == (ssize_t)want && tail[want - 1] == '\n') {
        char *before = memrchr(tail, '\n', want - 1);
        struct nk_str line = {before ? before + 1 : tail, 0};
        line.n = (size_t)(tail + want - 1 - line.p);
        fits = (before || want == l->base) && nk_digest_eq(nk_chain_leaf(line), l->chain.last);
    }
    if (fd >= 0)
        close(fd);
    nk_arena_reset(&l->scratch);
    return fits;
}

static void forget(struct nk_ledger *l)
{
    nk_chain_init(&l->chain);
    l->segment = l->base = l->durable_n = 0;
    l->gate_count = 0;
}

static int altered(const struct nk_ledger *l, const struct nk_ledger_line *at, const char *what,
                   struct nk_fault *f)
{
    char name[NK_LEDGER_NAME_SIZE];
    nk_ledger_segment_name(at->segment, name);
    return nk_fault_set(
        f, NK_ECRYPTO, "ledger", at->offset,
        "%s: line %llu: %s; the checkpoint signed at %llu records does not allow it: "
        "restore the directory from a copy (`nakoso audit verify` says more)",
        name, (unsigned long long)at->line, what, (unsigned long long)l->checkpoint.size);
}

/* A checkpoint passed: its root must be ours. */
static int check_root(struct nk_ledger *l, const struct nk_ledger_line *at, struct nk_fault *f)
{
    if (l->chain.tree.size != l->checkpoint.size || l->checkpoint.size == 0 ||
        nk_digest_eq(nk_merkle_root(&l->chain.tree), l->checkpoint.root))
        return 0;
    return altered(l, at, "a record up to here was changed", f);
}

/* Reads from where the chain stands to the end; the fault of the first bad line is only a fault if
 * a checkpoint covers it or it cannot be the end of a crash. */
static int read_on(struct nk_ledger *l, struct nk_ledger_reader *reader, struct end *end,
                   struct nk_fault *f)
{
    struct nk_ledger_line line;
    struct nk_chain_line said;
    struct nk_json doc;
    struct nk_fault why = {.code = 0};
    int r = 0;
    for (;;) {
        r = nk_ledger_reader_next(reader, &line, &why);
        if (r == 0)
            r = nk_chain_check(&l->chain, line.text, &l->scratch, &doc, &why);
        nk_arena_reset(&l->scratch);
        if (r)
            break;
        if (nk_chain_line_read(line.text, &said) == 0)
            nk_ledger_saw(l, said.gate, said.seq, said.n);
        l->opening.read++;
        l->since_state += line.text.n + 1;
        r = check_root(l, &line, f);
        if (r)
            return r;
    }
    end->segment = line.segment;
    end->offset = line.offset;
    if (r == NK_EIO || r == NK_ENOMEM)
        return nk_fault_set(f, r, "ledger", line.offset, "%s", why.message);
    if (l->chain.tree.size < l->checkpoint.size)
        return altered(l, &line, r == NK_EAGAIN ? "the log ends here" : why.message, f);
    if (r != NK_EAGAIN && line.segment != end->last_segment)
        return altered(l, &line, why.message, f);
    return 0;
}

/* Opens the last segment for writing and cuts what is behind the last good line. */
static int open_end(struct nk_ledger *l, const struct end *end, struct nk_fault *f)
{
    char name[NK_LEDGER_NAME_SIZE];
    nk_ledger_segment_name(end->segment, name);
    l->fd = openat(l->dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    int64_t size = l->fd < 0 ? -1 : nk_dir_file_size(l->fd);
    if (size < 0)
        return nk_fault_set(f, NK_EIO, "ledger", 0, "%s: %s", name, strerror(errno));
    uint64_t torn = (uint64_t)size - end->offset;
    if (torn > NK_LEDGER_PENDING_MAX)
        return nk_fault_set(
            f, NK_ECRYPTO, "ledger", end->offset,
            "%s: %llu bytes behind the last good record, too many for a crash; look "
            "at them, and move them away if they may go",
            name, (unsigned long long)torn);
    int r = torn ? keep_torn(l, name, l->fd, end->offset, (uint64_t)size, f) : 0;
    /* What a killed scribe wrote may be only with the kernel. */
    if (r == 0 && fsync(l->fd))
        r = nk_fault_set(f, NK_EIO, "ledger", 0, "%s: %s", name, strerror(errno));
    l->segment = end->segment;
    l->base = end->offset;
    return r;
}

static int recover(struct nk_ledger *l, struct nk_fault *f)
{
    struct end end = {.segment = 0};
    uint64_t first, bytes;
    struct nk_ledger_reader *reader;
    int r = list_segments(l, &end, &first, &bytes, f);
    if (r)
        return r;
    bool known = nk_ledger_load_state(l) == 0;
    if (known && l->durable_n > l->checkpoint.size)
        return nk_fault_set(
            f, NK_ECRYPTO, "ledger", 0,
            "the checkpoints end at %llu records, but %llu were signed: restore the "
            "directory from a copy",
            (unsigned long long)l->checkpoint.size, (unsigned long long)l->durable_n);
    bool whole = bytes <= l->options.read_all_bytes && first == 0;
    if (whole || !known || !state_fits(l))
        forget(l);
    if (!end.has_segments) {
        if (l->checkpoint.size)
            return nk_fault_set(f, NK_ECRYPTO, "ledger", 0,
                                "the segments are gone, but a checkpoint signed %llu records",
                                (unsigned long long)l->checkpoint.size);
        return 0;
    }
    if (l->durable_n)
        reader = nk_ledger_reader_open_at(l->dir, l->segment, l->base, l->durable_n,
                                          l->durable_n - l->segment + 1, f);
    else
        reader = nk_ledger_reader_open(l->dir, 0, f);
    if (!reader)
        return f && f->code ? f->code : NK_EIO;
    r = read_on(l, reader, &end, f);
    nk_ledger_reader_close(reader);
    return r ? r : open_end(l, &end, f);
}

static int start(struct nk_ledger *l, const struct nk_ledger_options *o, struct nk_fault *f)
{
    if (!nk_checkpoint_origin_ok(o->origin) || o->origin.n >= sizeof l->origin)
        return nk_fault_set(f, NK_EINVAL, "ledger", 0,
                            "the audit origin must be a name like \"example.com/audit\"");
    memcpy(l->origin, o->origin.p, o->origin.n);
    l->options.origin.p = l->origin;
    if (nk_ed25519_public(o->seed, l->public_key))
        return nk_fault_set(f, NK_ECRYPTO, "ledger", 0, "the audit key is not an Ed25519 seed");
    int r = lock(l, f);
    if (r == 0)
        r = check_key(l, f);
    if (r == 0)
        r = load_checkpoints(l, f);
    if (r == 0)
        r = recover(l, f);
    l->durable_n = l->written_n = l->chain.tree.size;
    l->opening.size = l->durable_n;
    l->opening.checkpoint = l->checkpoint.size;
    return r;
}

struct nk_ledger *nk_ledger_open(int dir, const struct nk_ledger_options *o, struct nk_fault *f)
{
    struct nk_ledger *l = calloc(1, sizeof *l);
    if (!l) {
        nk_fault_set(f, NK_ENOMEM, "ledger", 0, "out of memory");
        return NULL;
    }
    l->dir = dir;
    l->fd = l->lock = -1;
    l->options = *o;
    if (!l->options.segment_bytes)
        l->options.segment_bytes = SEGMENT_BYTES;
    if (!l->options.read_all_bytes)
        l->options.read_all_bytes = READ_ALL_BYTES;
    nk_chain_init(&l->chain);
    nk_arena_init(&l->scratch, 64 << 20);
    nk_buf_init(&l->pending, NK_LEDGER_PENDING_MAX);
    if (start(l, o, f) == 0)
        return l;
    nk_ledger_close(l);
    return NULL;
}
