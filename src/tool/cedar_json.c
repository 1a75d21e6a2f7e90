/* SPDX-License-Identifier: Apache-2.0
 *
 * cedar_json.c - see type.h: arguments as Cedar JSON.
 */
#include "tool/type.h"

#include "json/canonical.h"
#include "json/decimal.h"

enum { UNDECLARED_MAX = 64, TEXT_MAX = 1 << 20, PLACES = 4, WHOLE_DIGITS = 15 };

struct put {
    const struct nk_json *doc;
    struct nk_buf *out, *undeclared;
    uint32_t undeclared_n;
    struct nk_fault *f;
};

static int put_value(struct put *p, const struct nk_tool_type *type, uint32_t at);

static int too_large(struct put *p, uint32_t at, const char *what)
{
    return nk_fault_set(p->f, NK_EINVAL, "arguments", p->doc->tape[at].start,
                        "a number is too large to be %s of a policy", what);
}

/* Digit i of the decimal, counted from the point: 0 is that of ones, -1 that of tenths. */
static char digit_at(const struct nk_decimal *d, int64_t i)
{
    int64_t from_last = i - d->exponent;
    if (from_last < 0 || from_last >= d->n)
        return '0';
    for (size_t k = d->digits.n; k-- > 0;)
        if (d->digits.p[k] != '.' && from_last-- == 0)
            return d->digits.p[k];
    return '0';
}

/* From its first digit in front of the point to `last`. */
static void put_digits(struct nk_buf *out, const struct nk_decimal *d, int64_t last)
{
    int64_t top = d->exponent + d->n - 1;
    for (int64_t i = top > 0 ? top : 0; i >= last; i--) {
        if (i == -1)
            nk_buf_add_char(out, '.');
        nk_buf_add_char(out, digit_at(d, i));
    }
}

static int put_long(struct put *p, uint32_t at)
{
    struct nk_decimal d = nk_decimal(nk_json_span(p->doc, at));
    int64_t check;
    size_t from = p->out->n;
    if (d.n && d.exponent + d.n > 19)
        return too_large(p, at, "a Long");
    if (d.negative)
        nk_buf_add_char(p->out, '-');
    put_digits(p->out, &d, 0);
    if (p->out->error)
        return p->out->error;
    return nk_str_to_i64(nk_str_sub(nk_buf_str(p->out), from, p->out->n), &check)
               ? too_large(p, at, "a Long")
               : 0;
}

static int put_decimal(struct put *p, uint32_t at)
{
    struct nk_decimal d = nk_decimal(nk_json_span(p->doc, at));
    static const struct nk_decimal limit = {false, {"9223372036854775807", 19}, 19, -PLACES};
    struct nk_decimal size = d;
    size.negative = false;
    if (d.n && (d.exponent + d.n > WHOLE_DIGITS || nk_decimal_cmp(&size, &limit) > 0))
        return too_large(p, at, "a decimal");
    nk_buf_add(p->out, d.negative ? NK_STR("{\"__extn\":{\"fn\":\"decimal\",\"arg\":\"-")
                                  : NK_STR("{\"__extn\":{\"fn\":\"decimal\",\"arg\":\""));
    put_digits(p->out, &d, -PLACES);
    nk_buf_add(p->out, NK_STR("\"}}"));
    return 0;
}

/* The canonical JSON of a value as a string. */
static int put_text(struct put *p, uint32_t at)
{
    struct nk_buf text;
    nk_buf_init(&text, TEXT_MAX);
    int rc = nk_json_canonical(p->doc, at, NK_CANONICAL_EXACT, &text, p->f);
    if (!rc)
        nk_json_put_string(p->out, nk_buf_str(&text));
    nk_buf_free(&text);
    return rc;
}

static int put_set(struct put *p, const struct nk_tool_type *type, uint32_t at)
{
    uint32_t first = nk_json_first(p->doc, at);
    int rc = 0;
    nk_buf_add_char(p->out, '[');
    for (uint32_t i = first; !rc && i != NK_JSON_NONE; i = nk_json_next(p->doc, at, i)) {
        if (i != first)
            nk_buf_add_char(p->out, ',');
        rc = put_value(p, type->item, i);
    }
    nk_buf_add_char(p->out, ']');
    return rc;
}

static void note(struct put *p, uint32_t name)
{
    if (p->undeclared_n++ >= UNDECLARED_MAX)
        return;
    if (p->undeclared->n)
        nk_buf_add_char(p->undeclared, ',');
    nk_buf_add(p->undeclared, nk_json_span(p->doc, name));
}

static int put_record(struct put *p, const struct nk_tool_type *type, uint32_t at)
{
    bool some = false;
    int rc = 0;
    nk_buf_add_char(p->out, '{');
    for (uint32_t i = nk_json_first(p->doc, at); !rc && i != NK_JSON_NONE;
         i = nk_json_next(p->doc, at, i)) {
        uint32_t k = 0;
        while (k < type->member_n && !nk_json_is(p->doc, i, type->members[k].name))
            k++;
        if (k == type->member_n)
            note(p, i);
        else if (nk_json_type(p->doc, i + 1) != NK_JSON_NULL ||
                 type->members[k].type->kind == NK_TOOL_JSON) {
            nk_buf_add(p->out, some ? NK_STR(",") : NK_STR(""));
            some = true;
            nk_json_put_string(p->out, type->members[k].name);
            nk_buf_add_char(p->out, ':');
            rc = put_value(p, type->members[k].type, i + 1);
        }
    }
    nk_buf_add_char(p->out, '}');
    return rc;
}

/* A value of another kind than its type is one that the schema let pass: as JSON it can still be seen, but the
 * policy that expects the type errs. Recursion ends: NK_TOOL_TYPE_DEPTH. */
static int put_value(struct put *p, const struct nk_tool_type *type, uint32_t at)
{
    enum nk_json_type is = nk_json_type(p->doc, at);
    bool number = is == NK_JSON_INT || is == NK_JSON_NUMBER;
    if (type->kind == NK_TOOL_LONG && number)
        return put_long(p, at);
    if (type->kind == NK_TOOL_DECIMAL && number)
        return put_decimal(p, at);
    if (type->kind == NK_TOOL_SET && is == NK_JSON_ARRAY)
        return put_set(p, type, at);
    if (type->kind == NK_TOOL_RECORD && is == NK_JSON_OBJECT)
        return put_record(p, type, at);
    if ((type->kind == NK_TOOL_BOOL && (is == NK_JSON_TRUE || is == NK_JSON_FALSE)) ||
        (type->kind == NK_TOOL_STRING && is == NK_JSON_STRING)) {
        nk_buf_add(p->out, nk_json_span(p->doc, at));
        return 0;
    }
    return put_text(p, at);
}

int nk_tool_put_cedar(const struct nk_tool_type *type, const struct nk_json *doc, uint32_t at,
                      struct nk_buf *out, struct nk_buf *undeclared, struct nk_fault *f)
{
    struct put p = {.doc = doc, .out = out, .undeclared = undeclared, .f = f};
    int rc = put_value(&p, type, at);
    rc = rc ? rc : out->error ? out->error : undeclared->error;
    return rc == NK_EINVAL ? rc : rc ? nk_fault_set(f, rc, "arguments", 0, "out of memory") : 0;
}
