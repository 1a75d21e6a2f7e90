/* SPDX-License-Identifier: Apache-2.0
 *
 * ledger_verify.c - see ledger_verify.h. One pass: lines and checkpoints are merged by size. A
 * changed record is noticed by the next line's "prev"; which of the two was changed is then told by
 * the line behind them, or by the checkpoint, so that the report names the right one.
 */
#include "edge/ledger_store.h"
#include "edge/ledger_verify.h"

#include <dirent.h>
#include <time.h>

enum { SET_MAX = 64 << 20 };

struct verifier {
    int dir;
    unsigned char public_key[32];
    struct nk_str origin; /* in out->key */
    struct nk_ledger_reader *reader;
    struct nk_ledger_notes notes;
    bool has_notes;
    struct nk_checkpoint due;    /* the next note of `checkpoints`; size UINT64_MAX: no more */
    struct nk_checkpoint latest; /* of `checkpoint`; size UINT64_MAX: none */
    struct nk_chain chain;
    struct nk_merkle before;    /* the tree without the last line */
    struct nk_ledger_line last; /* where the last line stands (no text) */
    struct nk_digest set;       /* the policy set looked for last */
    bool has_set;
    struct nk_arena arena;
    struct nk_ledger_report *out;
};

/* Reports the first problem and returns its code. */
static int problem(struct verifier *v, int code, const char *file, uint64_t line, const char *what)
{
    struct nk_ledger_report *o = v->out;
    if (o->code)
        return o->code;
    o->code = code;
    o->record = UINT64_MAX;
    o->line = line;
    snprintf(o->file, sizeof o->file, "%s", file);
    snprintf(o->message, sizeof o->message, "%s", what);
    return code;
}

static int record_problem(struct verifier *v, int code, const struct nk_ledger_line *at,
                          const char *what)
{
    char name[NK_LEDGER_NAME_SIZE];
    nk_ledger_segment_name(at->segment, name);
    problem(v, code, name, at->line, what);
    v->out->record = at->n;
    v->out->offset = at->offset;
    return code;
}

static int read_file(struct verifier *v, int dir, const char *name, struct nk_buf *out)
{
    int r = nk_dir_read(dir, name, out);
    if (r == NK_EIO)
        return problem(v, r, name, 0, strerror(errno));
    if (r && r != NK_ENOTFOUND)
        return problem(v, r, name, 0, "the file is too large");
    return r;
}

/* Key -------------------------------------------------------------------------------------------
 */
static int take_key(struct verifier *v, struct nk_str text)
{
    struct nk_ledger_report *o = v->out;
    if (text.n >= sizeof o->key)
        return NK_ELIMIT;
    memcpy(o->key, text.p, text.n);
    return nk_checkpoint_key_parse((struct nk_str){o->key, text.n}, &v->origin, v->public_key);
}

static int find_key(struct verifier *v, struct nk_str key)
{
    struct nk_buf file;
    nk_buf_init(&file, 1024);
    int r = read_file(v, v->dir, "key.pub", &file);
    struct nk_str text = nk_buf_str(&file);
    bool whole = nk_str_ends(text, NK_STR("\n"));
    if (whole)
        text.n--;
    if (key.p) {
        if (take_key(v, key))
            r = problem(v, NK_EINVAL, "", 0, "the key that was given is no verifier key");
        else if (r == 0 && (!whole || !nk_str_eq(key, text)))
            r = problem(v, NK_ECRYPTO, "key.pub", 0, "is not the key that was given");
        else if (r == NK_ENOTFOUND)
            r = 0;
    } else if (r == NK_ENOTFOUND) {
        problem(v, r, "key.pub", 0, "is missing: this is no audit log, or give the key by --key");
    } else if (r == 0 && (!whole || take_key(v, text))) {
        r = problem(v, NK_ECRYPTO, "key.pub", 0, "is not a verifier key any more");
    }
    nk_buf_free(&file);
    return r;
}

/* Checkpoints -----------------------------------------------------------------------------------
 */
static int open_note(struct verifier *v, const char *file, uint64_t line, struct nk_str note,
                     struct nk_checkpoint *out)
{
    struct nk_fault f = {.code = 0};
    int r = nk_checkpoint_open(note, v->public_key, out, &f);
    if (r)
        return problem(v, r == NK_ENOMEM ? r : NK_ECRYPTO, file, line, f.message);
    if (!nk_str_eq(out->origin, v->origin))
        return problem(v, NK_ECRYPTO, file, line, "a checkpoint of another log");
    out->origin = v->origin;
    return 0;
}

static int next_note(struct verifier *v)
{
    uint64_t line = v->notes.line, size = v->due.size;
    struct nk_str note;
    int r = v->has_notes ? nk_ledger_notes_next(&v->notes, &note) : NK_EAGAIN;
    if (r == NK_EAGAIN) {
        v->due.size = UINT64_MAX;
        return 0;
    }
    if (r)
        return problem(v, r == NK_EINVAL ? NK_ECRYPTO : r, "checkpoints", line,
                       "not a whole signed note");
    r = open_note(v, "checkpoints", line, note, &v->due);
    if (r == 0 && v->due.size < size)
        r = problem(v, NK_ECRYPTO, "checkpoints", line,
                    "a checkpoint is smaller than one before it");
    return r;
}

static int begin_notes(struct verifier *v)
{
    struct nk_buf note;
    nk_buf_init(&note, NK_CHECKPOINT_NOTE_MAX);
    int r = read_file(v, v->dir, "checkpoint", &note);
    v->latest.size = UINT64_MAX;
    if (r == 0)
        r = open_note(v, "checkpoint", 1, nk_buf_str(&note), &v->latest);
    else if (r == NK_ENOTFOUND)
        r = 0;
    nk_buf_free(&note);
    int e = nk_ledger_notes_open(&v->notes, v->dir);
    v->has_notes = e == 0;
    if (r == 0 && e && e != NK_ENOTFOUND)
        r = problem(v, e, "checkpoints", 0, strerror(errno));
    return r ? r : next_note(v);
}

/* All checkpoints of the size that the tree has now. */
static int check_notes(struct verifier *v)
{
    static const char wrong[] =
        "does not fit the checkpoint signed over it: it was changed (or, if the chain was written "
        "anew, one since the checkpoint before)";
    if (v->due.size != v->chain.tree.size && v->latest.size != v->chain.tree.size)
        return 0;
    struct nk_digest root = nk_merkle_root(&v->chain.tree);
    if (v->latest.size == v->chain.tree.size) {
        if (!nk_digest_eq(root, v->latest.root))
            return record_problem(v, NK_ECRYPTO, &v->last, wrong);
        v->out->covered = v->latest.size;
    }
    while (v->due.size == v->chain.tree.size) {
        if (!nk_digest_eq(root, v->due.root))
            return record_problem(v, NK_ECRYPTO, &v->last, wrong);
        v->out->checkpoints++;
        v->out->covered = v->due.size;
        int r = next_note(v);
        if (r)
            return r;
    }
    return 0;
}

/* Records -----------------------------------------------------------------------------------------
 */
/* `line` does not name the hash of the line before it. Whose fault is it? */
static int blame(struct verifier *v, const struct nk_ledger_line *line)
{
    static const char what[] = "was changed: its hash is not the one that the chain holds";
    struct nk_ledger_line at = *line, next;
    struct nk_chain_line said;
    struct nk_digest leaf = nk_chain_leaf(line->text);
    struct nk_merkle tree = v->before;
    bool intact = false;
    if (nk_chain_line_read(line->text, &said) || at.n == 0)
        return record_problem(v, NK_ECRYPTO, &at, what);
    nk_merkle_add(&tree, said.prev);
    nk_merkle_add(&tree, leaf);
    if (nk_ledger_reader_next(v->reader, &next, NULL) == 0)
        intact = nk_chain_line_read(next.text, &said) == 0 && nk_digest_eq(said.prev, leaf);
    else if (v->due.size == tree.size || v->latest.size == tree.size)
        intact = nk_digest_eq(nk_merkle_root(&tree),
                              v->due.size == tree.size ? v->due.root : v->latest.root);
    return record_problem(v, NK_ECRYPTO, intact ? &v->last : &at, what);
}

/* Is the policy set there that the record names? Records of one set come in long runs. */
static void look_for_set(struct verifier *v, const struct nk_json *doc)
{
    struct nk_digest d;
    char path[96];
    struct nk_str hex = nk_json_string(doc, nk_json_get(doc, 0, NK_STR("policies")), &v->arena);
    if (!hex.p || nk_hex_decode(hex, d.b, sizeof d.b) || (v->has_set && nk_digest_eq(d, v->set)))
        return;
    v->has_set = true;
    v->set = d;
    snprintf(path, sizeof path, "sets/%.*s.json", NK_FMT(hex));
    if (faccessat(v->dir, path, F_OK, 0))
        v->out->sets_missing++;
}

/* A torn end that the log speaks of: the file may be gone, but not another. */
static int check_torn(struct verifier *v, const struct nk_ledger_line *line,
                      const struct nk_json *doc)
{
    struct nk_digest d;
    struct nk_str file = nk_json_string(doc, nk_json_get(doc, 0, NK_STR("torn")), &v->arena);
    struct nk_str hex = nk_json_string(doc, nk_json_get(doc, 0, NK_STR("sha256")), &v->arena);
    if (!nk_json_is(doc, nk_json_get(doc, 0, NK_STR("kind")), NK_STR("log")) || !file.p ||
        !nk_str_starts(file, NK_STR("torn-")) || nk_str_find(file, '/') >= 0 || file.n > 64 ||
        nk_hex_decode(hex, d.b, sizeof d.b))
        return 0;
    struct nk_buf bytes;
    char name[80];
    snprintf(name, sizeof name, "%.*s", NK_FMT(file));
    nk_buf_init(&bytes, SET_MAX);
    int r = read_file(v, v->dir, name, &bytes);
    if (r == 0 && !nk_digest_eq(d, nk_sha256(nk_buf_str(&bytes)))) {
        r = problem(v, NK_ECRYPTO, name, 0, "is not the torn end that the log put aside");
        v->out->record = line->n;
    }
    nk_buf_free(&bytes);
    return r == NK_ENOTFOUND ? 0 : r;
}

static int check_line(struct verifier *v, struct nk_ledger_line *line)
{
    struct nk_fault f = {.code = 0};
    struct nk_json doc;
    struct nk_merkle before = v->chain.tree;
    int r = nk_chain_check(&v->chain, line->text, &v->arena, &doc, &f);
    if (r == NK_ECRYPTO)
        return blame(v, line);
    if (r)
        return record_problem(v, r, line, f.message);
    look_for_set(v, &doc);
    r = check_torn(v, line, &doc);
    v->before = before;
    v->last = *line;
    v->last.text = (struct nk_str){NULL, 0};
    nk_arena_reset(&v->arena);
    return r ? r : check_notes(v);
}

/* The next line. Beside a running scribe the end may be a line half written, or a checkpoint may have been
 * signed since the log's end was read: then the rest comes within moments. */
static int next_line(struct verifier *v, struct nk_ledger_line *line, struct nk_fault *f)
{
    struct timespec moment = {0, 10000000};
    for (int patience = 20;; patience--) {
        int r = nk_ledger_reader_next(v->reader, line, f);
        bool is_end = line->text.n == 0 && v->due.size == UINT64_MAX &&
                      (v->latest.size == UINT64_MAX || v->latest.size <= line->n);
        if (r != NK_EAGAIN || is_end || patience == 0)
            return r;
        nanosleep(&moment, NULL);
    }
}

static int check_end(struct verifier *v, const struct nk_ledger_line *line)
{
    uint64_t size = v->due.size != UINT64_MAX ? v->due.size : v->latest.size;
    if (line->text.n)
        return record_problem(v, NK_EINVAL, line,
                              "the last line is not finished (after a crash, the next start of the "
                              "scribe puts it aside)");
    if (size == UINT64_MAX || size <= line->n)
        return 0;
    record_problem(v, NK_ECRYPTO, line, "");
    snprintf(v->out->message, sizeof v->out->message,
             "the log was cut: it ends here, but a checkpoint signed %llu records",
             (unsigned long long)size);
    return NK_ECRYPTO;
}

static int check_records(struct verifier *v)
{
    struct nk_fault f = {.code = 0};
    struct nk_ledger_line line;
    int r = check_notes(v); /* of the empty log */
    v->reader = r ? NULL : nk_ledger_reader_open(v->dir, 0, &f);
    if (!v->reader)
        return r ? r : problem(v, f.code, "", 0, f.message);
    while (r == 0) {
        r = next_line(v, &line, &f);
        if (r == 0)
            r = check_line(v, &line);
        else if (r != NK_EAGAIN)
            r = record_problem(v, r, &line, f.message);
    }
    return r == NK_EAGAIN ? check_end(v, &line) : r;
}

/* The files beside the chain ----------------------------------------------------------------------
 */
static int check_state(struct verifier *v)
{
    struct nk_buf file;
    nk_buf_init(&file, NK_LEDGER_STATE_MAX);
    int r = read_file(v, v->dir, "state", &file);
    if (r == 0 && !nk_ledger_state_open(nk_buf_str(&file), v->public_key).p)
        r = problem(v, NK_ECRYPTO, "state", 0,
                    "was changed; it is only a short cut for the next start and may be removed");
    nk_buf_free(&file);
    return r == NK_ENOTFOUND ? 0 : r;
}

static int check_set(struct verifier *v, int sets, const char *name)
{
    struct nk_digest d;
    struct nk_buf text;
    char path[96];
    snprintf(path, sizeof path, "sets/%.80s", name);
    if (strlen(name) != 69 || nk_hex_decode((struct nk_str){name, 64}, d.b, sizeof d.b) ||
        strcmp(name + 64, ".json") != 0)
        return 0;
    nk_buf_init(&text, SET_MAX);
    int r = read_file(v, sets, name, &text);
    if (r == 0 && !nk_digest_eq(d, nk_sha256(nk_buf_str(&text))))
        r = problem(v, NK_ECRYPTO, path, 0, "was changed: its name is not its SHA-256");
    v->out->sets += r == 0;
    nk_buf_free(&text);
    return r;
}

static int check_sets(struct verifier *v)
{
    int sets = openat(v->dir, "sets", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = sets < 0 ? NULL : fdopendir(sets);
    int r = 0;
    if (!d) {
        if (sets >= 0)
            close(sets);
        return errno == ENOENT ? 0 : problem(v, NK_EIO, "sets", 0, strerror(errno));
    }
    for (struct dirent *e; r == 0 && (e = readdir(d));)
        r = check_set(v, sets, e->d_name);
    closedir(d);
    return r;
}

int nk_ledger_verify(int dir, struct nk_str key, struct nk_ledger_report *out)
{
    struct verifier v = {.dir = dir, .out = out};
    memset(out, 0, sizeof *out);
    out->record = UINT64_MAX;
    v.notes.fd = -1;
    nk_chain_init(&v.chain);
    nk_arena_init(&v.arena, 64 << 20);
    int r = find_key(&v, key);
    if (r == 0)
        r = begin_notes(&v);
    if (r == 0)
        r = check_records(&v);
    if (r == 0)
        r = check_sets(&v);
    if (r == 0)
        r = check_state(&v);
    out->size = v.chain.tree.size;
    out->root = nk_merkle_root(&v.chain.tree);
    nk_ledger_reader_close(v.reader);
    nk_ledger_notes_close(&v.notes);
    nk_arena_free(&v.arena);
    return out->code;
}
