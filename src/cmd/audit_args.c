/* SPDX-License-Identifier: Apache-2.0
 *
 * audit_args.c - see audit_args.h.
 */
#include "cmd/audit_args.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/utf8.h"
#include "edge/dirfile.h"

static int complain(const char *what, const char *about)
{
    fprintf(stderr, "nakoso: %s%s%s\n", what, about ? ": " : "", about ? about : "");
    return NK_EINVAL;
}

static int number(const char *name, const char *text, uint64_t *out)
{
    if (!text || nk_str_to_u64(nk_str(text), out))
        return complain("a record number is needed after", name);
    return 0;
}

static int option(const char *name, const char *value, struct nk_audit_args *out, int *used)
{
    *used = 2;
    if (strcmp(name, "--from") == 0)
        return number(name, value, &out->from);
    if (strcmp(name, "--to") == 0)
        return number(name, value, &out->to);
    if (strcmp(name, "--json") == 0 || strcmp(name, "--consistency") == 0) {
        *used = 1;
        *(name[2] == 'j' ? &out->json : &out->consistency) = true;
        return 0;
    }
    if (!value)
        return complain("a value is needed after", name);
    if (strcmp(name, "--request") == 0)
        out->request = value;
    else if (strcmp(name, "--key") == 0)
        out->key = value;
    else if (strcmp(name, "--policies") == 0)
        out->policies = value;
    else
        return complain("unknown option", name);
    return 0;
}

int nk_audit_args_read(int argc, char **argv, const char *allowed, struct nk_audit_args *out)
{
    *out = (struct nk_audit_args){.to = UINT64_MAX};
    for (int i = 1, used; i < argc; i += used) {
        int r = 0;
        used = 1;
        if (strncmp(argv[i], "--", 2) == 0 && argv[i][2] && strchr(allowed, argv[i][2]))
            r = option(argv[i], i + 1 < argc ? argv[i + 1] : NULL, out, &used);
        else if (argv[i][0] == '-' && argv[i][1])
            r = complain("unknown option", argv[i]);
        else if (out->word_count == NK_AUDIT_WORDS)
            r = complain("too many words", argv[i]);
        else
            out->words[out->word_count++] = argv[i];
        if (r)
            return r;
    }
    return 0;
}

int nk_audit_dir(const char *path)
{
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        fprintf(stderr, "nakoso: %s: %s\n", path, strerror(errno));
    return dir;
}

int nk_audit_key(int dir, const char *given, struct nk_arena *a, struct nk_str *text)
{
    struct nk_buf file;
    struct nk_str origin;
    unsigned char key[32];
    if (given && nk_checkpoint_key_parse(nk_str(given), &origin, key) == 0) {
        *text = nk_str(given);
        return 0;
    }
    nk_buf_init(&file, 4096);
    int r = nk_dir_read(given ? AT_FDCWD : dir, given ? given : "key.pub", &file);
    *text = r ? (struct nk_str){NULL, 0} : nk_arena_copy(a, nk_buf_str(&file));
    nk_buf_free(&file);
    if (text->p && nk_str_ends(*text, NK_STR("\n")))
        text->n--;
    if (text->p && nk_checkpoint_key_parse(*text, &origin, key) == 0)
        return 0;
    fprintf(stderr, "nakoso: %s: %s\n", given ? given : "key.pub",
            r ? strerror(errno) : "not a verifier key (origin+hash+key)");
    return r ? r : NK_EINVAL;
}

static bool is_obeyed(int32_t c)
{
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || (c >= 0x202A && c <= 0x202E) ||
           (c >= 0x2066 && c <= 0x2069) || c == 0x200E || c == 0x200F || c == 0x2028 || c == 0x2029;
}

void nk_audit_put_safe(struct nk_buf *out, struct nk_str s)
{
    for (size_t at = 0; at < s.n;) {
        size_t from = at;
        int32_t c = nk_utf8_next(s, &at);
        if (c < 0)
            at++;
        if (is_obeyed(c))
            nk_buf_add_char(out, '?');
        else
            nk_buf_add(out, nk_str_sub(s, from, at));
    }
}

bool nk_audit_print(struct nk_buf *out)
{
    bool ok = !out->error && fwrite(out->p ? out->p : "", 1, out->n, stdout) == out->n;
    nk_buf_clear(out);
    if (!ok)
        fputs("nakoso: the output cannot be written\n", stderr);
    return ok;
}
