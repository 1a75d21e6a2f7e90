/* SPDX-License-Identifier: Apache-2.0
 *
 * audit_prove.c - `nakoso audit prove` and `verify-proof`. A proof is one JSON object that stands
 * alone:
 *
 *   {"format":1,"kind":"inclusion","record":N,"line":"…","path":["<hex>",…],"checkpoint":"<note>",
 *    "key":"…"}
 *   {"format":1,"kind":"consistency","path":[…],"old":"<note>","checkpoint":"<note>","key":"…"}
 *
 * Sizes and roots are in the signed notes and nowhere else, so they cannot differ from them.
 */
#include "cmd/audit_args.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "edge/dirfile.h"
#include "edge/ledger_notes.h"

enum { PROOF_MAX = 4 << 20 };

struct prover {
    int dir;
    struct nk_arena arena;
    struct nk_str key, origin;
    unsigned char public_key[32];
    struct nk_str note, old_note; /* signed */
    struct nk_checkpoint checkpoint, old;
    struct nk_merkle_prover proof;
    struct nk_str line; /* of the record */
};

static int complain(const char *what)
{
    fprintf(stderr, "nakoso: %s\n", what);
    return NK_EINVAL;
}

static int open_note(struct prover *p, struct nk_str text, struct nk_str *note,
                     struct nk_checkpoint *out)
{
    struct nk_fault f = {.code = 0};
    *note = nk_arena_copy(&p->arena, text);
    int r = note->p ? nk_checkpoint_open(*note, p->public_key, out, &f) : NK_ENOMEM;
    if (r == 0 && !nk_str_eq(out->origin, p->origin))
        r = nk_fault_set(&f, NK_ECRYPTO, "checkpoint", 0, "it is another log's");
    if (r)
        fprintf(stderr, "nakoso: the checkpoint does not hold: %s\n", f.message);
    return r;
}

static int take_key(struct prover *p, const char *given)
{
    int r = nk_audit_key(p->dir, given, &p->arena, &p->key);
    return r ? r : nk_checkpoint_key_parse(p->key, &p->origin, p->public_key);
}

static int latest(struct prover *p)
{
    struct nk_buf file;
    nk_buf_init(&file, NK_CHECKPOINT_NOTE_MAX);
    int r = nk_dir_read(p->dir, "checkpoint", &file);
    if (r)
        complain(r == NK_ENOTFOUND ? "there is no checkpoint yet" : "checkpoint cannot be read");
    else
        r = open_note(p, nk_buf_str(&file), &p->note, &p->checkpoint);
    nk_buf_free(&file);
    return r;
}

/* The stored checkpoint over exactly `size` records. */
static int stored(struct prover *p, uint64_t size, struct nk_str *note, struct nk_checkpoint *out)
{
    struct nk_ledger_notes notes;
    struct nk_str text;
    int r = nk_ledger_notes_open(&notes, p->dir);
    bool found = false;
    while (r == 0 && !found && (r = nk_ledger_notes_next(&notes, &text)) == 0) {
        uint64_t said;
        struct nk_str rest = text;
        (void)nk_str_cut(&rest, '\n');
        struct nk_str line = nk_str_cut(&rest, '\n');
        found = line.p && nk_str_to_u64(line, &said) == 0 && said == size;
        if (found)
            r = open_note(p, text, note, out);
    }
    nk_ledger_notes_close(&notes);
    if (!found)
        fprintf(stderr, "nakoso: no checkpoint over %llu records is stored\n",
                (unsigned long long)size);
    return found ? r : NK_ENOTFOUND;
}

/* Reads the log up to the checkpoint and through the prover; keeps record n's line. */
static int read_log(struct prover *p, uint64_t n)
{
    struct nk_fault f = {.code = 0};
    struct nk_ledger_line line;
    struct nk_merkle tree;
    struct nk_ledger_reader *reader = nk_ledger_reader_open(p->dir, 0, &f);
    if (!reader)
        return complain(f.message);
    nk_merkle_init(&tree);
    int r = 0;
    while (r == 0 && tree.size < p->checkpoint.size) {
        r = nk_ledger_reader_next(reader, &line, &f);
        if (r)
            break;
        struct nk_digest leaf = nk_chain_leaf(line.text);
        if (line.n == n)
            p->line = nk_arena_copy(&p->arena, line.text);
        nk_merkle_prover_add(&p->proof, leaf);
        nk_merkle_add(&tree, leaf);
    }
    nk_ledger_reader_close(reader);
    if (r || !nk_digest_eq(nk_merkle_root(&tree), p->checkpoint.root))
        return complain("the log does not fit its checkpoint: nothing can be proven from it "
                        "(`nakoso audit verify` says where)");
    return 0;
}

static void put_path(const struct prover *p, struct nk_buf *out)
{
    nk_buf_add(out, NK_STR(",\"path\":["));
    for (size_t i = 0; i < p->proof.path_count; i++) {
        nk_buf_add(out, i ? NK_STR(",\"") : NK_STR("\""));
        nk_buf_add_hex(out, p->proof.path[i].b, sizeof p->proof.path[i].b);
        nk_buf_add_char(out, '"');
    }
    nk_buf_add_char(out, ']');
}

static int print_proof(const struct prover *p, bool consistency, uint64_t n)
{
    struct nk_buf out;
    nk_buf_init(&out, PROOF_MAX);
    nk_buf_add(&out, NK_STR("{\"format\":1"));
    nk_json_put_member(&out, NK_STR("kind"),
                       consistency ? NK_STR("consistency") : NK_STR("inclusion"));
    if (!consistency) {
        nk_json_put_name(&out, NK_STR("record"));
        nk_buf_add_u64(&out, n);
        nk_json_put_member(&out, NK_STR("line"), p->line);
    }
    put_path(p, &out);
    if (consistency)
        nk_json_put_member(&out, NK_STR("old"), p->old_note);
    nk_json_put_member(&out, NK_STR("checkpoint"), p->note);
    nk_json_put_member(&out, NK_STR("key"), p->key);
    nk_buf_add(&out, NK_STR("}\n"));
    bool ok = nk_audit_print(&out) && fflush(stdout) == 0;
    nk_buf_free(&out);
    return ok ? 0 : NK_EIO;
}

static int prove_inclusion(struct prover *p, uint64_t n)
{
    int r = latest(p);
    if (r)
        return r;
    if (nk_merkle_prover_begin(&p->proof, p->checkpoint.size, n)) {
        fprintf(stderr, "nakoso: the latest checkpoint covers records 0 to %llu\n",
                (unsigned long long)p->checkpoint.size - 1);
        return NK_EINVAL;
    }
    r = read_log(p, n);
    return r ? r : print_proof(p, false, n);
}

static int prove_consistency(struct prover *p, uint64_t old_size, const char *new_size)
{
    uint64_t size;
    int r = stored(p, old_size, &p->old_note, &p->old);
    if (r)
        return r;
    if (!new_size)
        r = latest(p);
    else if (nk_str_to_u64(nk_str(new_size), &size))
        r = complain("a size is a number of records");
    else
        r = stored(p, size, &p->note, &p->checkpoint);
    if (r == 0 && nk_merkle_prover_begin_consistency(&p->proof, p->old.size, p->checkpoint.size))
        r = complain("the old checkpoint is the larger one");
    if (r == 0)
        r = read_log(p, UINT64_MAX);
    return r ? r : print_proof(p, true, 0);
}

int nk_audit_prove(int argc, char **argv)
{
    struct nk_audit_args args;
    static struct prover p;
    uint64_t n;
    if (nk_audit_args_read(argc, argv, "kc", &args) || args.word_count < 2 ||
        args.word_count > (args.consistency ? 3 : 2) || nk_str_to_u64(nk_str(args.words[0]), &n))
        return 2;
    p.dir = nk_audit_dir(args.words[args.word_count - 1]);
    if (p.dir < 0)
        return 1;
    nk_arena_init(&p.arena, 16 << 20);
    int r = take_key(&p, args.key);
    if (r == 0)
        r = args.consistency ? prove_consistency(&p, n, args.word_count == 3 ? args.words[1] : NULL)
                             : prove_inclusion(&p, n);
    nk_arena_free(&p.arena);
    close(p.dir);
    return r ? 1 : 0;
}

/* Checking ----------------------------------------------------------------------------------------
 */
static int read_path(const struct nk_json *doc, struct nk_arena *a, struct nk_merkle_prover *out)
{
    uint32_t list = nk_json_get(doc, 0, NK_STR("path"));
    if (list == NK_JSON_NONE || nk_json_type(doc, list) != NK_JSON_ARRAY ||
        doc->tape[list].count > NK_COUNT(out->path))
        return NK_EINVAL;
    for (uint32_t i = nk_json_first(doc, list); i != NK_JSON_NONE; i = nk_json_next(doc, list, i))
        if (nk_hex_decode(nk_json_string(doc, i, a), out->path[out->path_count++].b,
                          NK_SHA256_SIZE))
            return NK_EINVAL;
    return 0;
}

static int check_inclusion(struct prover *p, const struct nk_json *doc)
{
    int64_t n = -1;
    struct nk_chain_line said;
    p->line = nk_json_string(doc, nk_json_get(doc, 0, NK_STR("line")), &p->arena);
    if (!p->line.p || nk_json_i64(doc, nk_json_get(doc, 0, NK_STR("record")), &n) || n < 0 ||
        nk_chain_line_read(p->line, &said) || said.n != (uint64_t)n)
        return complain("this is no proof: its line is not the record that it speaks of");
    if (nk_merkle_verify(nk_chain_leaf(p->line), (uint64_t)n, p->checkpoint.size, p->proof.path,
                         p->proof.path_count, p->checkpoint.root))
        return complain("the proof does not hold: this line is not in the log that was signed");
    printf("record %lld is in the log %.*s of %llu records:\n%.*s\n", (long long)n,
           NK_FMT(p->origin), (unsigned long long)p->checkpoint.size, NK_FMT(p->line));
    return 0;
}

static int check_consistency(struct prover *p, const struct nk_json *doc)
{
    struct nk_str old = nk_json_string(doc, nk_json_get(doc, 0, NK_STR("old")), &p->arena);
    int r = old.p ? open_note(p, old, &p->old_note, &p->old) : complain("this is no proof");
    if (r)
        return r;
    if (nk_merkle_verify_consistency(p->old.size, p->old.root, p->checkpoint.size,
                                     p->checkpoint.root, p->proof.path, p->proof.path_count))
        return complain("the proof does not hold: the log was written anew between the two");
    printf("the log %.*s of %llu records goes on from that of %llu\n", NK_FMT(p->origin),
           (unsigned long long)p->checkpoint.size, (unsigned long long)p->old.size);
    return 0;
}

static int check(struct prover *p, struct nk_str text, const char *key)
{
    static const struct nk_json_limits limits = {PROOF_MAX, 8, 4096};
    struct nk_fault f = {.code = 0};
    struct nk_json doc;
    if (nk_json_parse(&limits, text, &p->arena, &doc, &f))
        return complain(f.message);
    if (key && take_key(p, key))
        return NK_EINVAL;
    if (!key) {
        p->key = nk_json_string(&doc, nk_json_get(&doc, 0, NK_STR("key")), &p->arena);
        if (!p->key.p || nk_checkpoint_key_parse(p->key, &p->origin, p->public_key))
            return complain("this is no proof: it names no key");
        fprintf(stderr, "nakoso: believing the key that the proof brings; --key says which you "
                        "trust\n");
    }
    struct nk_str note =
        nk_json_string(&doc, nk_json_get(&doc, 0, NK_STR("checkpoint")), &p->arena);
    if (!note.p || read_path(&doc, &p->arena, &p->proof))
        return complain("this is no proof: it lacks a checkpoint or a path");
    int r = open_note(p, note, &p->note, &p->checkpoint);
    uint32_t kind = nk_json_get(&doc, 0, NK_STR("kind"));
    if (r)
        return r;
    if (nk_json_is(&doc, kind, NK_STR("inclusion")))
        return check_inclusion(p, &doc);
    if (nk_json_is(&doc, kind, NK_STR("consistency")))
        return check_consistency(p, &doc);
    return complain("this is no proof of a kind that this version knows");
}

int nk_audit_verify_proof(int argc, char **argv)
{
    struct nk_audit_args args;
    static struct prover p;
    struct nk_buf file;
    if (nk_audit_args_read(argc, argv, "k", &args) || args.word_count != 1)
        return 2;
    nk_arena_init(&p.arena, 64 << 20);
    nk_buf_init(&file, PROOF_MAX);
    p.dir = AT_FDCWD;
    int r = nk_dir_read(AT_FDCWD, args.words[0], &file);
    if (r)
        fprintf(stderr, "nakoso: %s: %s\n", args.words[0],
                r == NK_EIO || r == NK_ENOTFOUND ? strerror(errno) : "too large");
    else
        r = check(&p, nk_buf_str(&file), args.key);
    nk_buf_free(&file);
    nk_arena_free(&p.arena);
    return r || fflush(stdout) ? 1 : 0;
}
