/* SPDX-License-Identifier: Apache-2.0
 *
 * audit_show.c - `nakoso audit show`: one line a record. It prints what is there: a record that
 * lacks a member, or has one that this version does not know, is shown as far as it goes.
 */
#include "cmd/audit_args.h"

#include <stdio.h>
#include <unistd.h>
#include "base/utf8.h"

enum { LINE_MAX_BYTES = 1 << 20 };

struct row {
    const struct nk_json *doc;
    struct nk_arena *a;
    struct nk_buf *out;
};

static const struct nk_json_limits limits = {NK_CHAIN_LINE_MAX, 64, 65536};

static uint32_t find(const struct row *r, const char *const *path)
{
    uint32_t at = 0;
    for (; *path && at != NK_JSON_NONE; path++)
        at = nk_json_get(r->doc, at, nk_str(*path));
    return at;
}

/* The value at a path as text: strings unescaped, numbers as written. */
static struct nk_str text(const struct row *r, const char *a, const char *b, const char *c)
{
    const char *const path[] = {a, b, c, NULL};
    uint32_t at = find(r, path);
    if (at == NK_JSON_NONE)
        return (struct nk_str){NULL, 0};
    if (nk_json_type(r->doc, at) == NK_JSON_STRING)
        return nk_json_string(r->doc, at, r->a);
    return nk_json_span(r->doc, at);
}

static struct nk_str either(struct nk_str x, struct nk_str y)
{
    return x.n ? x : y;
}

/* East Asian Wide and Fullwidth (Unicode's EastAsianWidth.txt, by blocks). */
static bool is_wide(int32_t c)
{
    return (c >= 0x1100 && c <= 0x115F) || (c >= 0x2E80 && c <= 0xA4CF) ||
           (c >= 0xAC00 && c <= 0xD7A3) || (c >= 0xF900 && c <= 0xFAFF) ||
           (c >= 0xFE30 && c <= 0xFE6F) || (c >= 0xFF00 && c <= 0xFF60) ||
           (c >= 0xFFE0 && c <= 0xFFE6) || (c >= 0x1F300 && c <= 0x1F64F) ||
           (c >= 0x20000 && c <= 0x3FFFD);
}

static size_t columns(struct nk_str s)
{
    size_t n = 0;
    int32_t c;
    for (size_t at = 0; at < s.n && (c = nk_utf8_next(s, &at)) >= 0;)
        n += is_wide(c) ? 2 : 1;
    return n;
}

static void cell(struct row *r, struct nk_str s, size_t width)
{
    size_t from = r->out->n;
    if (s.n)
        nk_audit_put_safe(r->out, s);
    else
        nk_buf_add_char(r->out, '-');
    size_t shown = columns(nk_str_sub(nk_buf_str(r->out), from, r->out->n));
    do
        nk_buf_add_char(r->out, ' ');
    while (++shown <= width);
}

/* type::"id", as policies write it. */
static struct nk_str entity(const struct row *r, const char *name)
{
    struct nk_str type = text(r, "cedar", name, "type"), id = text(r, "cedar", name, "id");
    struct nk_str parts[4] = {type, NK_STR("::\""), id, NK_STR("\"")};
    return id.p ? nk_arena_join(r->a, parts, 4) : (struct nk_str){NULL, 0};
}

static struct nk_str proven(const struct row *r)
{
    struct nk_str id = text(r, "facts", "identify", "id");
    struct nk_str parts[4] = {text(r, "facts", "identify", "type"), NK_STR("::\""), id,
                              NK_STR("\"")};
    return id.p ? nk_arena_join(r->a, parts, 4) : (struct nk_str){NULL, 0};
}

/* Policies that decided, or what refused before the judge was asked. */
static struct nk_str why(const struct row *r)
{
    struct nk_buf b;
    uint32_t list = nk_json_get(r->doc, 0, NK_STR("reasons"));
    nk_buf_init(&b, LINE_MAX_BYTES);
    for (uint32_t i = nk_json_first(r->doc, list); i != NK_JSON_NONE;
         i = nk_json_next(r->doc, list, i)) {
        if (b.n)
            nk_buf_add_char(&b, ',');
        nk_buf_add(&b, nk_json_string(r->doc, i, r->a));
    }
    if (b.n == 0)
        nk_buf_add(&b, either(text(r, "refusal", "id", NULL), text(r, "how", NULL, NULL)));
    struct nk_str s = nk_arena_copy(r->a, nk_buf_str(&b));
    nk_buf_free(&b);
    return s;
}

static void put_row(struct row *r, uint64_t n)
{
    char number[24];
    int digits = snprintf(number, sizeof number, "%llu", (unsigned long long)n);
    struct nk_str kind = text(r, "kind", NULL, NULL);
    bool is_decision = nk_str_eq(kind, NK_STR("decision"));
    struct nk_str what = is_decision ? either(text(r, "cedar", "action", "id"),
                                              text(r, "facts", "match", "operation"))
                                     : kind;
    struct nk_str model =
        either(text(r, "facts", "locate", "model"), text(r, "facts", "parse", "model"));
    cell(r, (struct nk_str){number, (size_t)digits}, 7);
    cell(r, text(r, "time", NULL, NULL), 24);
    cell(r, either(text(r, "request", NULL, NULL), text(r, "of", NULL, NULL)), 18);
    cell(r, either(entity(r, "principal"), proven(r)), 24);
    cell(r, what, 12);
    struct nk_str tool = text(r, "tool", "name", NULL), outcome = text(r, "tool", "outcome", NULL);
    cell(r, either(entity(r, "resource"), either(tool, model)), 24);
    /* A call that waits for a person is a denial of its own kind. */
    cell(r,
         nk_str_eq(outcome, NK_STR("step_up"))
             ? outcome
             : either(text(r, "decision", NULL, NULL), text(r, "event", NULL, NULL)),
         8);
    cell(r, why(r), 24);
    struct nk_str status = text(r, "status", NULL, NULL);
    nk_audit_put_safe(r->out, status.n ? status : NK_STR("-"));
    nk_buf_add_char(r->out, '\n');
}

static void put_heading(struct nk_buf *out)
{
    nk_buf_printf(out, "%-7s %-24s %-18s %-24s %-12s %-24s %-8s %-24s %s\n", "record", "time",
                  "request", "who", "action", "resource", "decision", "policies", "status");
}

static bool is_wanted(const struct row *r, const char *request)
{
    return !request || nk_str_eq(text(r, "request", NULL, NULL), nk_str(request)) ||
           nk_str_eq(text(r, "of", NULL, NULL), nk_str(request));
}

/* A line that is no record is shown as it is, and counts as a failure. */
static bool show_line(const struct nk_audit_args *args, const struct nk_ledger_line *line,
                      struct nk_arena *a, struct nk_buf *out)
{
    struct nk_json doc;
    bool good = nk_json_parse(&limits, line->text, a, &doc, NULL) == 0 &&
                nk_json_type(&doc, 0) == NK_JSON_OBJECT;
    struct row r = {.doc = &doc, .a = a, .out = out};
    if (good && !is_wanted(&r, args->request))
        return true;
    if (good && !args->json) {
        put_row(&r, line->n);
        return true;
    }
    if (good)
        nk_buf_add(out, line->text);
    else
        nk_audit_put_safe(out, line->text);
    nk_buf_add_char(out, '\n');
    return good;
}

static int show(int dir, const struct nk_audit_args *args)
{
    struct nk_fault f = {.code = 0};
    struct nk_ledger_line line;
    struct nk_arena a;
    struct nk_buf out;
    struct nk_ledger_reader *reader = nk_ledger_reader_open(dir, args->from, &f);
    int r = 0;
    bool good = true;
    if (!reader) {
        fprintf(stderr, "nakoso: %s\n", f.message);
        return 1;
    }
    nk_arena_init(&a, 64 << 20);
    nk_buf_init(&out, LINE_MAX_BYTES);
    if (!args->json)
        put_heading(&out);
    while (nk_audit_print(&out) && (r = nk_ledger_reader_next(reader, &line, &f)) == 0 &&
           line.n <= args->to) {
        good = show_line(args, &line, &a, &out) && good;
        nk_arena_reset(&a);
    }
    if (r && r != NK_EAGAIN)
        fprintf(stderr, "nakoso: record %llu: %s\n", (unsigned long long)line.n, f.message);
    nk_buf_free(&out);
    nk_arena_free(&a);
    nk_ledger_reader_close(reader);
    return (r == 0 || r == NK_EAGAIN) && good && fflush(stdout) == 0 ? 0 : 1;
}

int nk_audit_show(int argc, char **argv)
{
    struct nk_audit_args args;
    if (nk_audit_args_read(argc, argv, "ftrj", &args) || args.word_count != 1)
        return 2;
    int dir = nk_audit_dir(args.words[0]);
    if (dir < 0)
        return 1;
    int status = show(dir, &args);
    close(dir);
    return status;
}
