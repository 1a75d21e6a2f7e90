/* SPDX-License-Identifier: Apache-2.0
 *
 * ledger_mark.c - what the scribe signs and keeps beside the chain: checkpoints, the state, policy
 * sets.
 *
 * A checkpoint is written when all records that it covers are durable, first to the end of
 * `checkpoints`, then over `checkpoint`. The state is
 *
 *     nakoso ledger state LF {"size":…,"last":…,"edge":[…],…} LF <hex Ed25519 signature> LF
 *
 * signed over everything before the signature. Its first line can be no origin of a checkpoint (it
 * has spaces), so neither can be shown as the other. It is only ever a short cut: whatever is
 * wrong with it, the log itself is read instead.
 */
#include "edge/ledger_store.h"

static const char state_title[] = "nakoso ledger state\n";

static int failed(struct nk_fault *f, const char *name)
{
    return nk_fault_set(f, NK_EFULL, "ledger", 0, "writing %s: %s", name, strerror(errno));
}

/* Adds a note to the end of `checkpoints`, which is at notes_size: what stands behind that is a try
 * that failed. */
static int add_note(struct nk_ledger *l, struct nk_str note)
{
    int fd = openat(l->dir, "checkpoints", O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0)
        return NK_EIO;
    int r = ftruncate(fd, (off_t)l->notes_size) ? NK_EIO : 0;
    if (r == 0)
        r = nk_dir_write_at(fd, note, l->notes_size);
    if (r == 0 && fdatasync(fd))
        r = NK_EIO;
    int why = errno;
    if (r == 0)
        l->notes_size += note.n;
    else if (ftruncate(fd, (off_t)l->notes_size))
        r = NK_EIO;
    close(fd);
    errno = why;
    return r;
}

int nk_ledger_checkpoint(struct nk_ledger *l, struct nk_fault *f)
{
    struct nk_buf note;
    int r = nk_ledger_sync(l, f);
    if (r == 0 && l->chain.tree.size == l->checkpoint.size)
        nk_ledger_save_state(l, false);
    if (r || l->chain.tree.size == l->checkpoint.size)
        return r;
    struct nk_checkpoint c = {.origin = l->options.origin,
                              .size = l->chain.tree.size,
                              .root = nk_merkle_root(&l->chain.tree)};
    nk_buf_init(&note, NK_CHECKPOINT_NOTE_MAX);
    r = nk_checkpoint_sign(&c, l->options.seed, &note);
    if (r) {
        nk_fault_set(f, r, "ledger", 0, "the checkpoint cannot be signed");
    } else {
        struct nk_str alone = nk_buf_str(&note);
        nk_buf_add_char(&note, '\n');
        if (note.error || add_note(l, nk_buf_str(&note)))
            r = failed(f, "checkpoints");
        else if (nk_dir_replace(l->dir, "checkpoint", nk_str_sub(nk_buf_str(&note), 0, alone.n),
                                true))
            r = failed(f, "checkpoint");
        else
            l->checkpoint = c;
    }
    nk_buf_free(&note);
    if (r == 0)
        nk_ledger_save_state(l, false);
    return r;
}

int nk_ledger_finish(struct nk_ledger *l, struct nk_fault *f)
{
    int r = nk_ledger_checkpoint(l, f);
    if (r == 0)
        nk_ledger_save_state(l, true);
    return r;
}

int nk_ledger_put_set(struct nk_ledger *l, struct nk_digest digest, struct nk_str text,
                      struct nk_fault *f)
{
    struct nk_buf name;
    nk_buf_init(&name, 256);
    nk_buf_add_hex(&name, digest.b, sizeof digest.b);
    nk_buf_add(&name, (struct nk_str){".json", 6}); /* with its NUL */
    int r = mkdirat(l->dir, "sets", 0750) && errno != EEXIST ? NK_EIO : 0;
    int sets = r ? -1 : openat(l->dir, "sets", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (sets < 0 || name.error)
        r = NK_EIO;
    if (r == 0 && faccessat(sets, name.p, F_OK, 0))
        r = nk_dir_replace(sets, name.p, text, true);
    if (r)
        r = failed(f, "sets");
    if (sets >= 0)
        close(sets);
    nk_buf_free(&name);
    return r;
}

/* State -------------------------------------------------------------------------------------------
 */
static void put_state(const struct nk_ledger *l, struct nk_buf *out)
{
    nk_buf_add(out, NK_STR(state_title));
    nk_buf_printf(out, "{\"size\":\"%llu\",\"segment\":\"%llu\",\"offset\":\"%llu\",\"last\":\"",
                  (unsigned long long)l->durable_n, (unsigned long long)l->segment,
                  (unsigned long long)l->base);
    nk_buf_add_hex(out, l->chain.last.b, sizeof l->chain.last.b);
    nk_buf_add(out, NK_STR("\",\"edge\":\""));
    for (int i = 0; i < 64; i++)
        if (l->chain.tree.size >> i & 1)
            nk_buf_add_hex(out, l->chain.tree.edge[i].b, sizeof l->chain.tree.edge[i].b);
    nk_buf_add(out, NK_STR("\",\"gates\":["));
    for (size_t i = 0; i < l->gate_count; i++)
        nk_buf_printf(out, "%s\"%llu %llu %llu\"", i ? "," : "",
                      (unsigned long long)l->gates[i].gate, (unsigned long long)l->gates[i].seq,
                      (unsigned long long)l->gates[i].n);
    nk_buf_add(out, NK_STR("]}\n"));
}

void nk_ledger_save_state(struct nk_ledger *l, bool now)
{
    struct nk_buf out;
    unsigned char signature[NK_ED25519_SIG_SIZE];
    if (l->pending.n || l->fd < 0 || (!now && l->since_state < NK_LEDGER_STATE_EVERY))
        return;
    nk_buf_init(&out, NK_LEDGER_STATE_MAX);
    put_state(l, &out);
    if (!out.error && nk_ed25519_sign(l->options.seed, nk_buf_str(&out), signature) == 0) {
        nk_buf_add_hex(&out, signature, sizeof signature);
        nk_buf_add_char(&out, '\n');
        if (!out.error && nk_dir_replace(l->dir, "state", nk_buf_str(&out), false) == 0)
            l->since_state = 0;
    }
    nk_buf_free(&out);
}

struct nk_str nk_ledger_state_open(struct nk_str file, const unsigned char public_key[32])
{
    enum { SIGNATURE = 2 * NK_ED25519_SIG_SIZE };
    unsigned char signature[NK_ED25519_SIG_SIZE];
    struct nk_str none = {NULL, 0};
    if (file.n < SIGNATURE + 1 || !nk_str_starts(file, NK_STR(state_title)) ||
        !nk_str_ends(file, NK_STR("\n")))
        return none;
    size_t cut = file.n - 1 - SIGNATURE;
    struct nk_str text = nk_str_sub(file, 0, cut);
    if (nk_hex_decode(nk_str_sub(file, cut, file.n - 1), signature, sizeof signature) ||
        nk_ed25519_verify(public_key, text, signature))
        return none;
    return nk_str_sub(text, sizeof state_title - 1, text.n - 1);
}

static int get_u64(const struct nk_json *doc, struct nk_str name, struct nk_arena *a, uint64_t *out)
{
    struct nk_str s = nk_json_string(doc, nk_json_get(doc, 0, name), a);
    return s.p ? nk_str_to_u64(s, out) : NK_EINVAL;
}

static int get_edge(struct nk_str hex, struct nk_merkle *tree)
{
    size_t at = 0, width = 2 * NK_SHA256_SIZE;
    for (int i = 0; i < 64; i++) {
        if (!(tree->size >> i & 1))
            continue;
        if (nk_hex_decode(nk_str_sub(hex, at, at + width), tree->edge[i].b, NK_SHA256_SIZE))
            return NK_EINVAL;
        at += width;
    }
    return at == hex.n ? 0 : NK_EINVAL;
}

static int get_gates(struct nk_ledger *l, const struct nk_json *doc)
{
    uint32_t list = nk_json_get(doc, 0, NK_STR("gates"));
    if (list == NK_JSON_NONE)
        return NK_EINVAL;
    for (uint32_t i = nk_json_first(doc, list); i != NK_JSON_NONE; i = nk_json_next(doc, list, i)) {
        uint64_t v[3];
        struct nk_str rest = nk_json_string(doc, i, &l->scratch);
        for (int k = 0; k < 3; k++)
            if (!rest.p || nk_str_to_u64(nk_str_cut(&rest, ' '), &v[k]))
                return NK_EINVAL;
        nk_ledger_saw(l, v[0], v[1], v[2]);
    }
    return 0;
}

static int read_state(struct nk_ledger *l, struct nk_str text)
{
    static const struct nk_json_limits limits = {NK_LEDGER_STATE_MAX, 4, 4096};
    struct nk_json doc;
    struct nk_arena *a = &l->scratch;
    int r = nk_json_parse(&limits, text, a, &doc, NULL);
    if (r)
        return r;
    struct nk_str edge = nk_json_string(&doc, nk_json_get(&doc, 0, NK_STR("edge")), a);
    struct nk_str last = nk_json_string(&doc, nk_json_get(&doc, 0, NK_STR("last")), a);
    if (get_u64(&doc, NK_STR("size"), a, &l->durable_n) ||
        get_u64(&doc, NK_STR("segment"), a, &l->segment) ||
        get_u64(&doc, NK_STR("offset"), a, &l->base) || !edge.p || !last.p ||
        nk_hex_decode(last, l->chain.last.b, sizeof l->chain.last.b))
        return NK_EINVAL;
    l->chain.tree.size = l->durable_n;
    r = get_edge(edge, &l->chain.tree);
    return r ? r : get_gates(l, &doc);
}

int nk_ledger_load_state(struct nk_ledger *l)
{
    struct nk_buf file;
    nk_buf_init(&file, NK_LEDGER_STATE_MAX);
    int r = nk_dir_read(l->dir, "state", &file);
    struct nk_str text =
        r ? (struct nk_str){NULL, 0} : nk_ledger_state_open(nk_buf_str(&file), l->public_key);
    r = text.p ? read_state(l, text) : NK_ENOTFOUND;
    nk_arena_reset(&l->scratch);
    nk_buf_free(&file);
    return r ? NK_ENOTFOUND : 0;
}
