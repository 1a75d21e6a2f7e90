/* SPDX-License-Identifier: Apache-2.0
 *
 * diag.c - see diag.h. Nothing is formatted before somebody wants to read it: a list holds codes,
 * places and names.
 */
#include "cedar/diag.h"

#include "base/utf8.h"
#include "cedar/diag_ja.h"

enum {
    TAB = '\t',
    FAULT_TEXT = 200, /* of the message in a fault */
    LINE_MOST = 400,  /* most bytes of a line that are shown */
    BEFORE = 120,     /* of them before the span, when the line is longer */
};

struct entry {
    const char *id;
    enum nk_cedar_severity severity;
    const char *text[2], *help[2]; /* English, Japanese */
};

static const struct entry table[] = {
#define DIAG(name, id, r, en, e, ja, j) {id, NK_CEDAR_##r, {en, ja}, {e, j}},
#include "cedar/diag.def"
#undef DIAG
};

struct nk_cedar_diags *nk_cedar_diags_new(struct nk_arena *a, size_t most)
{
    struct nk_cedar_diags *d = nk_arena_alloc(a, sizeof *d);
    if (d)
        *d = (struct nk_cedar_diags){.arena = a, .most = most};
    return d;
}

void nk_cedar_diags_add(struct nk_cedar_diags *d, const struct nk_cedar_diag *diag)
{
    if (table[diag->code].severity == NK_CEDAR_ERROR)
        d->errors++;
    else
        d->warnings++;
    if (d->kept == d->most)
        return;
    struct nk_cedar_diag *own = nk_arena_alloc(d->arena, sizeof *own);
    if (!own) {
        d->out_of_memory = true;
        return;
    }
    *own = *diag;
    own->next = NULL;
    if (d->last)
        d->last->next = own;
    else
        d->first = own;
    d->last = own;
    d->kept++;
}

/* Parsers put "line 3, column 7: " before the reason; a diagnostic says the place itself. */
void nk_cedar_diags_syntax(struct nk_cedar_diags *d, struct nk_str text, const struct nk_fault *f)
{
    struct nk_str why = nk_str(f->message);
    ptrdiff_t colon = nk_str_starts(why, NK_STR("line ")) ? nk_str_search(why, NK_STR(": ")) : -1;
    struct nk_cedar_diag diag = {.text = text, .offset = f->offset, .end = f->offset + 1};
    diag.code = f->code == NK_ENOMEM   ? NK_CEDAR_DIAG_MEMORY
                : f->code == NK_ELIMIT ? NK_CEDAR_DIAG_LIMIT
                                       : NK_CEDAR_DIAG_SYNTAX;
    if (colon >= 0)
        why = nk_str_sub(why, (size_t)colon + 2, why.n);
    diag.args[0] = nk_arena_copy(d->arena, why);
    nk_cedar_diags_add(d, &diag);
}

const char *nk_cedar_diag_id(enum nk_cedar_diag_code code)
{
    return table[code].id;
}

enum nk_cedar_severity nk_cedar_diag_severity(enum nk_cedar_diag_code code)
{
    return table[code].severity;
}

/* Where the line of `offset` begins. */
static size_t line_start(struct nk_str text, size_t offset)
{
    while (offset > 0 && text.p[offset - 1] != '\n')
        offset--;
    return offset;
}

void nk_cedar_place(struct nk_str text, size_t offset, unsigned *line, unsigned *column)
{
    offset = offset > text.n ? text.n : offset;
    *line = 1;
    *column = 1;
    for (size_t i = 0; i < offset; i++)
        *line += text.p[i] == '\n';
    for (size_t i = line_start(text, offset); i < offset; i++)
        *column += ((unsigned char)text.p[i] & 0xC0) != 0x80;
}

/* Can all that the template names be said? */
static bool has_args(const char *template, const struct nk_cedar_diag *d)
{
    for (const char *p = template; *p; p++)
        if (p[0] == '{' && p[1] >= '1' && p[1] <= '0' + NK_CEDAR_DIAG_ARGS && p[2] == '}' &&
            d->args[p[1] - '1'].n == 0)
            return false;
    return true;
}

static void fill(struct nk_buf *out, const char *template, const struct nk_cedar_diag *d)
{
    for (const char *p = template; *p; p++) {
        if (p[0] == '{' && p[1] >= '1' && p[1] <= '0' + NK_CEDAR_DIAG_ARGS && p[2] == '}') {
            nk_buf_add(out, d->args[p[1] - '1']);
            p += 2;
        } else {
            nk_buf_add_char(out, *p);
        }
    }
}

/* The parsers' own words are the whole message of these. */
static bool is_said(enum nk_cedar_diag_code code)
{
    return code == NK_CEDAR_DIAG_SYNTAX || code == NK_CEDAR_DIAG_FORM ||
           code == NK_CEDAR_DIAG_LIMIT;
}

void nk_cedar_diag_message(const struct nk_cedar_diag *d, bool japanese, struct nk_buf *out)
{
    const char *text = table[d->code].text[japanese];
    if (!japanese || !is_said(d->code)) {
        fill(out, text, d);
        return;
    }
    nk_buf_add(out, nk_str_sub(nk_str(text), 0, strlen(text) - 3)); /* all before {1} */
    cedar_diag_japanese(d->args[0], out);
}

void nk_cedar_diag_help(const struct nk_cedar_diag *d, bool japanese, struct nk_buf *out)
{
    const char *help = table[d->code].help[japanese];
    if (has_args(help, d))
        fill(out, help, d);
}

/* Columns that a terminal gives to a character: two for East Asian Wide and Fullwidth (UAX #11) and
 * for emoji, none for combining marks. Blocks, not single characters: a sign too many or too few
 * under a rare one does no harm. */
static unsigned width(int32_t c)
{
    static const struct {
        int32_t from, to;
        unsigned columns;
    } blocks[] = {{0x300, 0x36f, 0},     {0x1100, 0x115f, 2},   {0x200b, 0x200f, 0},
                  {0x2e80, 0x303e, 2},   {0x3041, 0xa4cf, 2},   {0xa960, 0xa97f, 2},
                  {0xac00, 0xd7a3, 2},   {0xf900, 0xfaff, 2},   {0xfe00, 0xfe0f, 0},
                  {0xfe30, 0xfe6f, 2},   {0xff00, 0xff60, 2},   {0xffe0, 0xffe6, 2},
                  {0x1f300, 0x1f64f, 2}, {0x1f900, 0x1f9ff, 2}, {0x20000, 0x3fffd, 2}};
    for (size_t i = 0; i < NK_COUNT(blocks) && c >= blocks[i].from; i++)
        if (c <= blocks[i].to)
            return blocks[i].columns;
    return 1;
}

/* What is shown of the line: all, or a part around the span when it is very long. */
static struct nk_str shown_line(struct nk_str text, size_t offset, size_t *start)
{
    size_t end = offset;
    *start = line_start(text, offset);
    if (offset - *start > LINE_MOST - BEFORE)
        *start = offset - BEFORE;
    while (*start < offset && ((unsigned char)text.p[*start] & 0xC0) == 0x80)
        ++*start;
    while (end < text.n && text.p[end] != '\n' && text.p[end] != '\r' && end - *start < LINE_MOST)
        end++;
    while (end < text.n && end > offset && ((unsigned char)text.p[end] & 0xC0) == 0x80)
        end--;
    return nk_str_sub(text, *start, end);
}

/* The signs below: spaces (tabs stay tabs) before the span, ^ below it, one at least. Control
 * characters of the line are shown as '?', so that a text cannot steer a terminal. */
static void underline(struct nk_buf *out, struct nk_str line, size_t from, size_t to)
{
    size_t at = 0, signs = 0;
    while (at < line.n && at < from) {
        bool tab = line.p[at] == TAB;
        int32_t c = nk_utf8_next(line, &at);
        if (c < 0)
            break;
        for (unsigned w = tab ? 1 : width(c); w > 0; w--)
            nk_buf_add_char(out, tab ? TAB : ' ');
    }
    while (at < line.n && at < to) {
        int32_t c = nk_utf8_next(line, &at);
        if (c < 0)
            break;
        for (unsigned w = width(c); w > 0; w--, signs++)
            nk_buf_add_char(out, '^');
    }
    if (signs == 0)
        nk_buf_add_char(out, '^');
}

static void add_line(struct nk_buf *out, struct nk_str line)
{
    for (size_t i = 0; i < line.n; i++) {
        unsigned char c = (unsigned char)line.p[i];
        nk_buf_add_char(out, (c < ' ' && c != TAB) || c == 0x7f ? '?' : line.p[i]);
    }
}

static void show_source(const struct nk_cedar_diag *d, unsigned number, struct nk_buf *out)
{
    size_t start, offset = d->offset > d->text.n ? d->text.n : d->offset;
    struct nk_str line = shown_line(d->text, offset, &start);
    nk_buf_printf(out, "%5u | ", number);
    add_line(out, line);
    nk_buf_add(out, NK_STR("\n      | "));
    underline(out, line, offset - start, d->end > start ? d->end - start : 0);
    nk_buf_add_char(out, '\n');
}

void nk_cedar_diag_print(const struct nk_cedar_diag *d, struct nk_str file, bool japanese,
                         struct nk_buf *out)
{
    static const char *const words[2][2] = {{"error", "エラー"}, {"warning", "警告"}};
    unsigned line = 0, column = 0;
    if (d->text.p)
        nk_cedar_place(d->text, d->offset, &line, &column);
    nk_buf_add(out, file);
    if (d->text.p)
        nk_buf_printf(out, ":%u:%u", line, column);
    nk_buf_printf(out, "%s%s: %s: ", file.n || d->text.p ? ": " : "",
                  words[table[d->code].severity][japanese], table[d->code].id);
    nk_cedar_diag_message(d, japanese, out);
    if (d->policy.p) {
        nk_buf_add(out, japanese ? NK_STR(" (ポリシー ") : NK_STR(" (policy "));
        nk_buf_add(out, d->policy);
        nk_buf_add_char(out, ')');
    }
    nk_buf_add_char(out, '\n');
    if (d->text.p)
        show_source(d, line, out);
    const char *help = table[d->code].help[japanese];
    if (*help && has_args(help, d)) {
        nk_buf_add(out, NK_STR("      = "));
        fill(out, help, d);
        nk_buf_add_char(out, '\n');
    }
}

int nk_cedar_diags_fault(const struct nk_cedar_diags *d, struct nk_fault *f)
{
    const struct nk_cedar_diag *item = d->first;
    unsigned line = 0, column = 0;
    struct nk_buf b;
    if (d->errors == 0)
        return d->out_of_memory ? nk_fault_set(f, NK_ENOMEM, "cedar", 0, "out of memory") : 0;
    while (item && table[item->code].severity != NK_CEDAR_ERROR)
        item = item->next;
    if (!item)
        return nk_fault_set(f, NK_EINVAL, "cedar", 0, "%zu errors", d->errors);
    nk_buf_init(&b, FAULT_TEXT);
    nk_cedar_diag_message(item, false, &b);
    if (item->text.p)
        nk_cedar_place(item->text, item->offset, &line, &column);
    int code = item->code == NK_CEDAR_DIAG_LIMIT    ? NK_ELIMIT
               : item->code == NK_CEDAR_DIAG_MEMORY ? NK_ENOMEM
                                                    : NK_EINVAL;
    if (item->text.p)
        nk_fault_set(f, code, "cedar", item->offset, "line %u, column %u: %.*s", line, column,
                     NK_FMT(nk_buf_str(&b)));
    else
        nk_fault_set(f, code, "cedar", 0, "%.*s", NK_FMT(nk_buf_str(&b)));
    nk_buf_free(&b);
    return code;
}
