/* SPDX-License-Identifier: Apache-2.0
 *
 * policy_check.c - `nakoso policy check`: everything that can be said about policies without a
 * request: can they be read, do they keep to the schema, is there something that nobody can have
 * meant. All files are read, however many mistakes are found on the way.
 */
#include "cmd/policy.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "cedar/convert.h"
#include "cedar/lint.h"
#include "cedar/template.h"
#include "cmd/audit_args.h"
#include "cmd/options.h"
#include "cmd/policy_input.h"
#include "cmd/policy_report.h"

enum { SHOWN = 200, OUT_MAX = 256 << 20 };

struct job {
    const char *schema_path, *format, *level, *lang;
    bool strict;
    uint64_t level_number;
    struct nk_arena arena, scratch; /* of all, of the validator */
    struct nk_report report;
    struct nk_report_file *files; /* those of the report */
    size_t file_room;
    struct nk_cedar_policies *policies;
    struct nk_cedar_diags *diags;
    const struct nk_cedar_schema *schema;
};

static int usage(void)
{
    fputs("usage: nakoso policy check [--schema FILE [--level N]] [--strict] [--format "
          "text|json|sarif]\n"
          "           [--lang en|ja] FILE|DIR…\n"
          "Reads policies, validates them against the schema, and warns of what hardly anybody "
          "means. "
          "With\n--level, no policy may read entities more than N steps from the request. Exit "
          "status "
          "1: there is an\nerror or, with --strict, a warning.\n",
          stderr);
    return 2;
}

static int say(const struct nk_fault *f)
{
    fprintf(stderr, "nakoso policy check: %s\n", f->message);
    return NK_EIO;
}

static int add_file(struct job *j, struct nk_str name, struct nk_str text)
{
    if (j->report.file_count == j->file_room) {
        size_t room = j->file_room ? 2 * j->file_room : 16;
        struct nk_report_file *files = nk_arena_array(&j->arena, room, sizeof *files);
        if (!files)
            return NK_ENOMEM;
        if (j->report.file_count)
            memcpy(files, j->files, j->report.file_count * sizeof *files);
        j->report.files = j->files = files;
        j->file_room = room;
    }
    j->files[j->report.file_count++] = (struct nk_report_file){name, text};
    return 0;
}

/* What the parser says, "line 3, column 4: why", as a diagnostic of that place. */
static void add_fault(struct job *j, struct nk_str text, int code, const struct nk_fault *f)
{
    struct nk_str why = nk_arena_copy(&j->arena, nk_str(f->message));
    ptrdiff_t at = nk_str_starts(why, NK_STR("line ")) ? nk_str_search(why, NK_STR(": ")) : -1;
    size_t offset = f->offset < text.n ? f->offset : text.n;
    struct nk_cedar_diag d = {.code =
                                  code == NK_ELIMIT ? NK_CEDAR_DIAG_LIMIT : NK_CEDAR_DIAG_SYNTAX,
                              .text = text,
                              .offset = offset,
                              .end = offset < text.n ? offset + 1 : offset,
                              .args = {at < 0 ? why : nk_str_sub(why, (size_t)at + 2, why.n)}};
    while (d.end < text.n && (text.p[d.end] & 0xC0) == 0x80)
        d.end++;
    nk_cedar_diags_add(j->diags, &d);
}

/* Policies ----------------------------------------------------------------------------------------
 */
static int add_policies(struct job *j, struct nk_str name, const struct nk_set_policy *file)
{
    struct nk_fault f = {.code = 0};
    struct nk_str base = file->name;
    base.n -= nk_str_ends(base, NK_STR(".cedar")) ? 6 : 0;
    struct nk_str prefix = nk_arena_printf(&j->arena, "%.*s.", NK_FMT(base));
    int rc = prefix.p ? add_file(j, name, file->text) : NK_ENOMEM;
    if (rc)
        return rc;
    if (nk_str_ends(name, NK_STR(".json")))
        rc = nk_cedar_policies_add_json(j->policies, file->text, &f);
    else
        rc = nk_cedar_policies_add(j->policies, file->text, prefix, true, &f);
    if (rc == NK_ENOMEM)
        return rc;
    if (rc)
        add_fault(j, file->text, rc, &f);
    nk_cedar_lint_text(file->text, j->diags);
    return 0;
}

static int read_path(struct job *j, const char *path)
{
    struct nk_fault f = {.code = 0};
    struct nk_set set = {.policy_count = 0};
    struct stat st;
    bool many = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    if (nk_input_policies(path, &j->arena, &set, &f))
        return say(&f);
    for (size_t i = 0; i < set.policy_count; i++) {
        struct nk_str name =
            many ? nk_arena_printf(&j->arena, "%s/%.*s", path, NK_FMT(set.policies[i].name))
                 : nk_str(path);
        int rc = name.p ? add_policies(j, name, &set.policies[i]) : NK_ENOMEM;
        if (rc) {
            nk_fault_set(&f, rc, "check", 0, "%s: out of memory", path);
            return say(&f);
        }
    }
    return 0;
}

static int read_schema(struct job *j)
{
    struct nk_fault f = {.code = 0};
    struct nk_str text;
    if (nk_input_read(j->schema_path, &j->arena, &text, &f))
        return say(&f);
    if (add_file(j, nk_str(j->schema_path), text))
        return NK_ENOMEM;
    int rc = nk_str_ends(nk_str(j->schema_path), NK_STR(".json"))
                 ? nk_cedar_schema_parse_json(text, &j->arena, j->diags, &j->schema)
                 : nk_cedar_schema_parse(text, &j->arena, j->diags, &j->schema);
    return rc == NK_ENOMEM ? rc : 0; /* all else is in the list */
}

static int judge(struct job *j)
{
    struct nk_cedar_validation how = {.leveled = j->level, .level = (uint32_t)j->level_number};
    int rc = 0;
    if (j->schema)
        rc = nk_cedar_validate(j->schema, j->policies, &how, &j->scratch, j->diags, NULL);
    nk_cedar_lint(j->policies, j->schema, j->diags);
    return rc == NK_ENOMEM || j->diags->out_of_memory ? NK_ENOMEM : 0;
}

/* The report --------------------------------------------------------------------------------------
 */
static void put_summary(const struct job *j, struct nk_buf *out)
{
    size_t n = nk_cedar_policies_count(j->policies) + nk_cedar_templates_count(j->policies);
    if (j->report.lang == NK_LANG_JA)
        nk_buf_printf(out, "ポリシー %zu 件、ファイル %zu 個: エラー %zu 件、警告 %zu 件\n", n,
                      j->report.file_count, j->diags->errors, j->diags->warnings);
    else
        nk_buf_printf(out, "policies: %zu, files: %zu, errors: %zu, warnings: %zu\n", n,
                      j->report.file_count, j->diags->errors, j->diags->warnings);
}

static int report(const struct job *j)
{
    struct nk_buf out;
    nk_buf_init(&out, OUT_MAX);
    if (!j->format || strcmp(j->format, "text") == 0) {
        nk_report_text(&j->report, &out);
        put_summary(j, &out);
    } else if (strcmp(j->format, "json") == 0) {
        nk_report_json(&j->report, &out);
    } else {
        nk_report_sarif(&j->report, &out);
    }
    bool ok = nk_audit_print(&out) && fflush(stdout) == 0;
    nk_buf_free(&out);
    return ok && j->diags->errors == 0 && (!j->strict || j->diags->warnings == 0) ? 0 : 1;
}

static int check(struct job *j, char **paths, int n)
{
    j->policies = nk_cedar_policies_new(&j->arena);
    j->diags = nk_cedar_diags_new(&j->arena, SHOWN);
    int rc = j->policies && j->diags ? 0 : NK_ENOMEM;
    j->report.diags = j->diags;
    if (!rc && j->schema_path)
        rc = read_schema(j);
    for (int i = 0; !rc && i < n; i++)
        rc = read_path(j, paths[i]);
    if (!rc)
        rc = judge(j);
    if (rc == NK_ENOMEM)
        fputs("nakoso policy check: out of memory\n", stderr);
    return rc ? 1 : report(j);
}

static bool is_format(const char *name)
{
    return !name || strcmp(name, "text") == 0 || strcmp(name, "json") == 0 ||
           strcmp(name, "sarif") == 0;
}

int nk_policy_check(int argc, char **argv)
{
    static struct job j;
    const struct nk_option options[] = {{"--schema", &j.schema_path, NULL},
                                        {"--format", &j.format, NULL},
                                        {"--level", &j.level, NULL},
                                        {"--lang", &j.lang, NULL},
                                        {"--strict", NULL, &j.strict}};
    int files;
    if (nk_options_read("policy check", argc, argv, options, NK_COUNT(options), &files) ||
        files == 0 || !is_format(j.format) || (j.level && !j.schema_path) ||
        nk_lang_of("policy check", j.lang, &j.report.lang) ||
        (j.level &&
         (nk_str_to_u64(nk_str(j.level), &j.level_number) || j.level_number > UINT32_MAX)))
        return usage();
    nk_arena_init(&j.arena, NK_INPUT_ARENA);
    nk_arena_init(&j.scratch, NK_INPUT_ARENA);
    int status = check(&j, argv + 1, files);
    nk_arena_free(&j.scratch);
    nk_arena_free(&j.arena);
    return status;
}
