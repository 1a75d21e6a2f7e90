/* SPDX-License-Identifier: Apache-2.0
 *
 * policy_format.c - `nakoso policy format`: policy text laid out anew, to standard output, in place,
 * or only compared. A text that cannot be read, or that would mean something else afterwards, stays
 * as it is.
 */
#include "cmd/policy.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cedar/convert.h"
#include "cmd/audit_args.h"
#include "cmd/options.h"
#include "cmd/policy_input.h"
#include "edge/file.h"

enum { WIDTH_LEAST = 20, WIDTH_MOST = 1000, INDENT_MOST = 16 };

struct job {
    const char *width_text, *indent_text;
    bool check, write;
    uint64_t width, indent;
    struct nk_arena arena; /* of one file */
    struct nk_buf out;
};

static int usage(void)
{
    fputs("usage: nakoso policy format [--check|--write] [--width N] [--indent N] FILE…|-\n"
          "Lays policy text out in lines of at most N (80) characters, N (2) spaces a level, "
          "comments "
          "included,\nand prints it. --write replaces the files; --check names those that would "
          "change, and the exit\nstatus is 1 when there is one.\n",
          stderr);
    return 2;
}

static int complain(const char *file, const char *why)
{
    fprintf(stderr, "nakoso policy format: %s: %s\n", file, why);
    return 1;
}

/* The new text under the same name, with the same mode; what a link points to is replaced. */
static int replace(const char *file, struct nk_str text)
{
    char whole[PATH_MAX], new[PATH_MAX + 8];
    struct nk_fault f = {.code = 0};
    struct stat st;
    if (!realpath(file, whole) || stat(whole, &st))
        return complain(file, strerror(errno));
    snprintf(new, sizeof new, "%s.new", whole);
    if (nk_file_create(new, st.st_mode & 07777, text, &f))
        return complain(new, f.message);
    if (rename(new, whole)) {
        int why = errno;
        unlink(new);
        return complain(file, strerror(why));
    }
    return 0;
}

static int use(struct job *j, const char *file, struct nk_str text)
{
    bool same = nk_str_eq(text, nk_buf_str(&j->out));
    if (j->check) {
        if (!same)
            puts(file);
        return same ? 0 : 1;
    }
    if (!j->write)
        return nk_audit_print(&j->out) ? 0 : 1;
    return same ? 0 : replace(file, nk_buf_str(&j->out));
}

static int format(struct job *j, const char *file)
{
    struct nk_fault f = {.code = 0};
    struct nk_str text;
    nk_buf_clear(&j->out);
    if (nk_input_read(file, &j->arena, &text, &f)) {
        fprintf(stderr, "nakoso policy format: %s\n", f.message);
        return 1;
    }
    int rc = nk_cedar_format(text, (unsigned)j->width, (unsigned)j->indent, &j->arena, &j->out, &f);
    int status = rc ? complain(file, f.code ? f.message : nk_error_name(rc)) : use(j, file, text);
    nk_arena_free(&j->arena);
    return status;
}

static bool number(const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
    return !text || (!nk_str_to_u64(nk_str(text), out) && *out >= least && *out <= most);
}

int nk_policy_format(int argc, char **argv)
{
    static struct job j = {.width = NK_CEDAR_WIDTH, .indent = NK_CEDAR_INDENT};
    const struct nk_option options[] = {{"--width", &j.width_text, NULL},
                                        {"--indent", &j.indent_text, NULL},
                                        {"--check", NULL, &j.check},
                                        {"--write", NULL, &j.write}};
    int files, status = 0;
    if (nk_options_read("policy format", argc, argv, options, NK_COUNT(options), &files) ||
        files == 0 || (j.check && j.write) ||
        !number(j.width_text, WIDTH_LEAST, WIDTH_MOST, &j.width) ||
        !number(j.indent_text, 0, INDENT_MOST, &j.indent))
        return usage();
    nk_arena_init(&j.arena, NK_INPUT_ARENA);
    nk_buf_init(&j.out, NK_INPUT_MAX);
    for (int i = 1; i <= files; i++)
        status |= j.write && strcmp(argv[i], "-") == 0 ? usage() : format(&j, argv[i]);
    nk_buf_free(&j.out);
    return fflush(stdout) ? 1 : status;
}
