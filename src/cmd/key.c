/* SPDX-License-Identifier: Apache-2.0
 *
 * key.c - `nakoso key create|import|list|revoke`: the API key file, edited in one step. The key
 * itself goes to standard output once and is kept nowhere; everything else is said on standard
 * error, so that `nakoso key create … > key.txt` does what it looks like.
 */
#include "cmd/key.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>
#include "cmd/keystore.h"
#include "edge/file.h"
#include "ident/apikey.h"
#include "ident/sigv4.h"

enum { ARENA_MAX = 512 << 20, IMPORT_MIN = 16, IMPORT_MAX = 4096 };

struct options {
    const char *keys, *config, *principal, *expires, *note;
    const char *id; /* of revoke */
    struct nk_str groups[NK_KEYFILE_MAX_GROUPS];
    size_t group_count;
    bool json, sigv4;
};

/* A command under way. */
struct job {
    struct options o;
    struct nk_arena arena;
    struct nk_keystore store;
    struct nk_fault fault;
    struct nk_str signing; /* identity.sigv4_secret of the configuration, or absent */
    int64_t now_ms;
};

static int usage(void)
{
    fputs("usage: nakoso key create --principal TYPE:ID [--group GROUP]… [--expires WHEN]\n"
          "                         [--note TEXT]     makes a key and prints it once\n"
          "       nakoso key create --sigv4 (the same) makes one that signs requests as AWS's do\n"
          "       nakoso key import (the same)         takes a key from standard input\n"
          "       nakoso key list [--json]\n"
          "       nakoso key revoke ID\n"
          "with -c FILE (the configuration, which names the key file) or --keys FILE.\n"
          "WHEN is 90d, 12h, 2027-04-01 or 2027-04-01T09:00:00Z.\n",
          stderr);
    return 2;
}

static int say(const struct job *j)
{
    fprintf(stderr, "nakoso key: %s\n", j->fault.message);
    return 1;
}

static int wrong(struct job *j, const char *text)
{
    nk_fault_set(&j->fault, NK_EINVAL, "key", 0, "%s", text);
    return say(j);
}

static bool parse_options(int argc, char **argv, struct options *o)
{
    const struct {
        const char *name;
        const char **into;
    } with_value[] = {{"--keys", &o->keys},
                      {"-c", &o->config},
                      {"--principal", &o->principal},
                      {"--expires", &o->expires},
                      {"--note", &o->note}};
    for (int i = 0; i < argc; i++) {
        size_t k = 0;
        while (k < NK_COUNT(with_value) && strcmp(argv[i], with_value[k].name) != 0)
            k++;
        if (k < NK_COUNT(with_value)) {
            if (i + 1 == argc || *with_value[k].into)
                return false;
            *with_value[k].into = argv[++i];
        } else if (strcmp(argv[i], "--group") == 0) {
            if (i + 1 == argc || o->group_count == NK_KEYFILE_MAX_GROUPS)
                return false;
            o->groups[o->group_count++] = nk_str(argv[++i]);
        } else if (strcmp(argv[i], "--json") == 0) {
            o->json = true;
        } else if (strcmp(argv[i], "--sigv4") == 0) {
            o->sigv4 = true;
        } else if (argv[i][0] == '-' || o->id) {
            return false;
        } else {
            o->id = argv[i];
        }
    }
    return !o->keys != !o->config;
}

/* TYPE:ID, where TYPE may have a namespace (Hospital::Agent:bot). */
static bool parse_principal(const char *text, struct nk_keyfile_entry *e)
{
    size_t i = 0;
    while (text[i] && (text[i] != ':' || text[i + 1] == ':'))
        i += text[i] == ':' ? 2 : 1;
    e->type = (struct nk_str){text, i};
    e->principal = nk_str(text[i] ? text + i + 1 : "");
    return text[i] == ':';
}

static bool parse_expires(const char *text, int64_t now_ms, int64_t *out)
{
    struct nk_str s = nk_str(text);
    int64_t n = 0;
    char full[64];
    if (nk_str_ends(s, NK_STR("d")) || nk_str_ends(s, NK_STR("h"))) {
        int64_t unit = s.p[s.n - 1] == 'd' ? 86400000 : 3600000;
        if (nk_str_to_i64(nk_str_sub(s, 0, s.n - 1), &n) || n < 1 || n > 36500)
            return false;
        *out = now_ms + n * unit;
        return true;
    }
    snprintf(full, sizeof full, "%.40s%s", text, s.n == 10 ? "T00:00:00Z" : "");
    return nk_keyfile_time(nk_str(full), out) == 0 && *out > now_ms;
}

/* What create and import have in common: everything but the key. */
static int describe(struct job *j, struct nk_keyfile_entry *e)
{
    *e = (struct nk_keyfile_entry){.created_ms = j->now_ms,
                                   .expires_ms = INT64_MAX,
                                   .revoked_ms = INT64_MAX,
                                   .groups = j->o.groups,
                                   .group_count = j->o.group_count,
                                   .note = nk_str(j->o.note)};
    if (!j->o.principal || !parse_principal(j->o.principal, e))
        return wrong(j, "say for whom: --principal TYPE:ID, such as --principal User:john");
    if (j->o.expires && !parse_expires(j->o.expires, j->now_ms, &e->expires_ms))
        return wrong(j, "--expires takes 90d, 12h, 2027-04-01 or 2027-04-01T09:00:00Z, to come");
    return 0;
}

/* Adds the entry and writes the file. */
static int add(struct job *j, const struct nk_keyfile_entry *e)
{
    const struct nk_keyfile *file = &j->store.file;
    struct nk_keyfile_entry *all = nk_arena_array(&j->arena, file->count + 1, sizeof *all);
    if (!all)
        return wrong(j, "out of memory");
    for (size_t i = 0; i < file->count; i++) {
        all[i] = file->entries[i];
        if (nk_digest_eq(all[i].digest, e->digest)) {
            nk_fault_set(&j->fault, NK_ECONFLICT, "key", 0, "this key is in the file already: %.*s",
                         NK_FMT(all[i].id));
            return say(j);
        }
    }
    all[file->count] = *e;
    if (nk_keyfile_check(e, &j->fault) ||
        nk_keystore_write(&j->store, all, file->count + 1, &j->arena, &j->fault))
        return say(j);
    fprintf(stderr,
            "key %.*s for %.*s::\"%.*s\" is in %s; a running nakoso takes it at its next "
            "reload\n",
            NK_FMT(e->id), NK_FMT(e->type), NK_FMT(e->principal), j->store.path.p);
    return 0;
}

/* Makes the file of the secret if there is none: 64 hexadecimal digits, for its owner alone. */
static int make_signing(struct job *j, const char *path)
{
    unsigned char random[NK_SHA256_SIZE];
    char room[2 * sizeof random + 1];
    struct nk_buf text = {.p = room, .cap = sizeof room, .max = sizeof room};
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return nk_fault_set(&j->fault, NK_EIO, "key", 0, "the system gives no random bytes");
    nk_buf_add_hex(&text, random, sizeof random);
    nk_buf_add_char(&text, '\n');
    int rc = nk_file_create(path, 0600, nk_buf_str(&text), &j->fault);
    nk_secret_wipe(random, sizeof random);
    nk_secret_wipe(room, sizeof room);
    return rc;
}

/* What secrets that sign are derived from. */
static int read_signing(struct job *j, struct nk_str *out)
{
    const char *from = j->signing.p;
    if (!from)
        return nk_fault_set(&j->fault, NK_EINVAL, "key", 0,
                            "--sigv4 needs -c FILE with identity.sigv4_secret, such as "
                            "`sigv4_secret: file:sigv4.secret`; the file is made then");
    if (nk_str_starts(j->signing, NK_STR("env:"))) {
        *out = nk_str(getenv(from + 4));
        if (!out->p)
            return nk_fault_set(&j->fault, NK_ENOTFOUND, "key", 0,
                                "identity.sigv4_secret: the environment variable %.100s is not set",
                                from + 4);
    } else {
        int rc = access(from + 5, F_OK) && errno == ENOENT ? make_signing(j, from + 5) : 0;
        if (rc == 0)
            rc = nk_file_read(from + 5, NK_KEYFILE_MAX_LINE, NK_FILE_SECRET, &j->arena, out,
                              &j->fault);
        if (rc)
            return rc;
    }
    while (out->n && (out->p[out->n - 1] == '\n' || out->p[out->n - 1] == '\r'))
        out->n--;
    return out->n >= NK_SIGV4_MASTER_MIN
               ? 0
               : nk_fault_set(&j->fault, NK_EINVAL, "key", 0,
                              "identity.sigv4_secret has under %d characters", NK_SIGV4_MASTER_MIN);
}

/* A key that signs: the id names it, its secret follows from the id. */
static int create_signing(struct job *j, struct nk_keyfile_entry *e)
{
    unsigned char random[8];
    char id[NK_APIKEY_ID_SIZE + 1], key[NK_SIGV4_KEY_SIZE + 1], secret[NK_SIGV4_SECRET_SIZE + 1];
    struct nk_str master;
    if (read_signing(j, &master))
        return say(j);
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return wrong(j, "the system gives no random bytes");
    nk_apikey_make_id(random, id);
    nk_sigv4_key(nk_str(id), key);
    nk_sigv4_secret(master, nk_str(id), secret);
    e->id = nk_str(id);
    e->digest = nk_sha256(nk_str(secret));
    e->signs = true;
    int status = add(j, e);
    if (status == 0 &&
        (printf("AWS_ACCESS_KEY_ID=%s\nAWS_SECRET_ACCESS_KEY=%s\n", key, secret) < 0 ||
         fflush(stdout) != 0))
        status = wrong(j, "the key could not be printed: revoke it and make another");
    nk_secret_wipe(secret, sizeof secret);
    return status;
}

static int create(struct job *j)
{
    struct nk_keyfile_entry e;
    unsigned char random[NK_APIKEY_RANDOM];
    char key[NK_APIKEY_SIZE + 1];
    int status = describe(j, &e);
    if (status)
        return status;
    if (j->o.sigv4)
        return create_signing(j, &e);
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return wrong(j, "the system gives no random bytes");
    nk_apikey_make(random, key);
    nk_secret_wipe(random, sizeof random);
    e.id = nk_apikey_id(nk_str(key));
    e.digest = nk_sha256(nk_str(key));
    status = add(j, &e);
    if (status == 0 && (puts(key) < 0 || fflush(stdout) != 0))
        status = wrong(j, "the key could not be printed: revoke it and make another");
    nk_secret_wipe(key, sizeof key);
    return status;
}

static bool is_credential(struct nk_str key)
{
    for (size_t i = 0; i < key.n; i++)
        if (key.p[i] <= ' ' || key.p[i] > '~')
            return false;
    return key.n >= IMPORT_MIN && key.n <= IMPORT_MAX;
}

static int import(struct job *j)
{
    struct nk_keyfile_entry e;
    unsigned char random[8];
    char text[IMPORT_MAX + 3], id[NK_APIKEY_ID_SIZE + 1];
    int status = describe(j, &e);
    if (status)
        return status;
    struct nk_str key = {text, fread(text, 1, sizeof text, stdin)};
    if (nk_str_ends(key, NK_STR("\n")))
        key.n--;
    if (nk_str_ends(key, NK_STR("\r")))
        key.n--;
    if (!is_credential(key))
        status = wrong(j, "standard input is not one key of 16 to 4096 printable ASCII characters");
    else if (nk_apikey_has_prefix(key) && !nk_apikey_ok(key))
        status = wrong(j, "this looks like a key of nakoso, but its check is wrong");
    else if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        status = wrong(j, "the system gives no random bytes");
    e.digest = nk_sha256(key);
    nk_secret_wipe(text, sizeof text);
    if (status)
        return status;
    nk_apikey_make_id(random, id);
    e.id = nk_str(id);
    return add(j, &e);
}

static void put_day(struct nk_buf *out, int64_t ms)
{
    struct nk_buf text;
    nk_buf_init(&text, 64);
    if (ms == INT64_MAX)
        nk_buf_add(&text, NK_STR("-"));
    else
        nk_time_format(ms, &text);
    nk_buf_printf(out, " %-10.*s", (int)(text.n < 10 ? text.n : 10), text.p);
    nk_buf_free(&text);
}

static void put_row(const struct nk_keyfile_entry *e, int64_t now_ms, struct nk_buf *out)
{
    const char *state = now_ms >= e->revoked_ms   ? "revoked"
                        : now_ms >= e->expires_ms ? "expired"
                                                  : "active";
    nk_buf_printf(out, "%-12.*s %-7s", NK_FMT(e->id), state);
    put_day(out, e->created_ms);
    put_day(out, e->expires_ms);
    nk_buf_printf(out, " %.*s:%.*s", NK_FMT(e->type), NK_FMT(e->principal));
    for (size_t i = 0; i < e->group_count; i++)
        nk_buf_printf(out, "%s%.*s", i ? "," : " groups=", NK_FMT(e->groups[i]));
    if (e->signs) {
        char key[NK_SIGV4_KEY_SIZE + 1];
        nk_sigv4_key(e->id, key);
        nk_buf_printf(out, " signs as %s", key);
    }
    if (e->note.n)
        nk_buf_printf(out, " # %.*s", NK_FMT(e->note));
    nk_buf_add_char(out, '\n');
}

static int list(struct job *j)
{
    struct nk_buf out;
    const struct nk_keyfile *file = &j->store.file;
    nk_buf_init(&out, 2 * (size_t)NK_KEYFILE_MAX_BYTES);
    if (!j->store.exists)
        return wrong(j, "there is no such key file");
    if (!j->o.json)
        nk_buf_add(&out, NK_STR("id           state   created    expires    principal\n"));
    for (size_t i = 0; i < file->count; i++) {
        if (j->o.json)
            nk_keyfile_put(&file->entries[i], &out);
        else
            put_row(&file->entries[i], j->now_ms, &out);
    }
    bool ok = !out.error && fwrite(out.p, 1, out.n, stdout) == out.n && fflush(stdout) == 0;
    nk_buf_free(&out);
    return ok ? 0 : wrong(j, "the list could not be printed");
}

static int revoke_key(struct job *j)
{
    const struct nk_keyfile *file = &j->store.file;
    struct nk_keyfile_entry *all = nk_arena_array(&j->arena, file->count + 1, sizeof *all);
    size_t at = 0;
    if (!all)
        return wrong(j, "out of memory");
    for (size_t i = 0; i < file->count; i++)
        all[i] = file->entries[i];
    while (at < file->count && !nk_str_eq(all[at].id, nk_str(j->o.id)))
        at++;
    if (at == file->count)
        return wrong(j, "no key has this id; `nakoso key list` shows them");
    if (all[at].revoked_ms != INT64_MAX) {
        fprintf(stderr, "key %s was revoked before\n", j->o.id);
        return 0;
    }
    all[at].revoked_ms = j->now_ms;
    if (nk_keystore_write(&j->store, all, file->count, &j->arena, &j->fault))
        return say(j);
    fprintf(stderr, "key %s is revoked; a running nakoso refuses it from its next reload on\n",
            j->o.id);
    return 0;
}

/* The path of the key file: --keys, or what the configuration says. */
static const char *path_of(struct job *j)
{
    struct nk_config *config = NULL;
    if (j->o.keys)
        return j->o.keys;
    config = nk_arena_alloc(&j->arena, sizeof *config);
    if (!config || nk_config_load(j->o.config, &j->arena, config, &j->fault))
        return NULL;
    j->signing = config->sigv4_secret;
    if (config->keys.n == 0)
        nk_fault_set(&j->fault, NK_EINVAL, "key", 0, "%.150s: `keys` names no key file",
                     j->o.config);
    return config->keys.n ? nk_arena_copy(&j->arena, config->keys).p : NULL;
}

static int run(struct job *j, int (*command)(struct job *), bool edit)
{
    struct timespec ts;
    int status = 1;
    clock_gettime(CLOCK_REALTIME, &ts);
    j->now_ms = (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
    j->store.lock = -1;
    nk_arena_init(&j->arena, ARENA_MAX);
    const char *path = path_of(j);
    if (!path || nk_keystore_open(&j->store, path, edit, &j->arena, &j->fault))
        say(j);
    else
        status = command(j);
    nk_keystore_close(&j->store);
    nk_arena_free(&j->arena);
    return status;
}

int nk_cmd_key(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(struct job *);
        bool edits, has_id, has_details;
    } commands[] = {
        {"create", create, true, false, true},
        {"import", import, true, false, true},
        {"list", list, false, false, false},
        {"revoke", revoke_key, true, true, false},
    };
    struct job j = {.store = {.lock = -1}};
    size_t i = 0;
    while (argc > 1 && i < NK_COUNT(commands) && strcmp(argv[1], commands[i].name) != 0)
        i++;
    if (argc < 2 || i == NK_COUNT(commands) || !parse_options(argc - 2, argv + 2, &j.o))
        return usage();
    bool details = j.o.principal || j.o.expires || j.o.note || j.o.group_count;
    if ((j.o.id != NULL) != commands[i].has_id || (details && !commands[i].has_details) ||
        (j.o.json && commands[i].run != list) || (j.o.sigv4 && commands[i].run != create))
        return usage();
    return run(&j, commands[i].run, commands[i].edits);
}
