/* SPDX-License-Identifier: Apache-2.0
 *
 * canonical.c - see canonical.h.
 */
#include "json/canonical.h"
#include "json/decimal.h"

#include <stdlib.h>

enum { DEPTH = 1000, NAMES_MAX = 64 << 20 };

struct canonical {
    const struct nk_json *doc;
    enum nk_canonical how;
    struct nk_buf *out;
    struct nk_arena names; /* of the objects that are open */
    struct nk_fault *f;
};

struct member {
    struct nk_str name;
    uint32_t value;
};

/* By UTF-16 code units (RFC 8785, section 3.2.3). Bytes of UTF-8 have that order but for one thing: characters
 * of four bytes are surrogates in UTF-16, which come before U+E000 to U+FFFF (bytes EE and EF). */
static int by_name(const void *x, const void *y)
{
    const struct nk_str a = ((const struct member *)x)->name, b = ((const struct member *)y)->name;
    size_t i = 0;
    while (i < a.n && i < b.n && a.p[i] == b.p[i])
        i++;
    if (i == a.n || i == b.n)
        return a.n < b.n ? -1 : a.n > b.n;
    unsigned char p = (unsigned char)a.p[i], q = (unsigned char)b.p[i];
    bool before = p < q, wide = p >= 0xee && q >= 0xee && (p >= 0xf0) != (q >= 0xf0);
    return before != wide ? -1 : 1;
}

static int put(struct canonical *c, uint32_t at, int depth);

static int put_object(struct canonical *c, uint32_t at, int depth)
{
    size_t count = c->doc->tape[at].count, n = 0;
    struct member *members = nk_arena_array(&c->names, count + 1, sizeof *members);
    if (!members)
        return NK_ENOMEM;
    for (uint32_t i = nk_json_first(c->doc, at); i != NK_JSON_NONE;
         i = nk_json_next(c->doc, at, i)) {
        members[n] = (struct member){nk_json_string(c->doc, i, &c->names), i + 1};
        if (!members[n++].name.p)
            return NK_ENOMEM;
    }
    qsort(members, n, sizeof *members, by_name);
    nk_buf_add_char(c->out, '{');
    for (size_t i = 0; i < n; i++) {
        nk_json_put_name(c->out, members[i].name);
        int rc = put(c, members[i].value, depth + 1);
        if (rc)
            return rc;
    }
    nk_buf_add_char(c->out, '}');
    return 0;
}

static int put_array(struct canonical *c, uint32_t at, int depth)
{
    uint32_t first = nk_json_first(c->doc, at);
    nk_buf_add_char(c->out, '[');
    for (uint32_t i = first; i != NK_JSON_NONE; i = nk_json_next(c->doc, at, i)) {
        if (i != first)
            nk_buf_add_char(c->out, ',');
        int rc = put(c, i, depth + 1);
        if (rc)
            return rc;
    }
    nk_buf_add_char(c->out, ']');
    return 0;
}

static int put_string(struct canonical *c, uint32_t at)
{
    struct nk_str s = nk_json_string(c->doc, at, &c->names);
    if (!s.p)
        return NK_ENOMEM;
    nk_json_put_string(c->out, s);
    return 0;
}

static int put_decimal(struct canonical *c, uint32_t at)
{
    struct nk_decimal d = nk_decimal(nk_json_span(c->doc, at));
    if (c->how == NK_CANONICAL_EXACT)
        nk_decimal_put(&d, c->out);
    else if (nk_decimal_put_double(&d, c->out))
        return nk_fault_set(c->f, NK_EINVAL, "canonical", c->doc->tape[at].start,
                            "the number is too large for RFC 8785, which takes IEEE 754 doubles");
    return 0;
}

/* Recursion ends: DEPTH. */
static int put(struct canonical *c, uint32_t at, int depth)
{
    if (depth > DEPTH)
        return nk_fault_set(c->f, NK_ELIMIT, "canonical", c->doc->tape[at].start,
                            "more than %d levels of arrays and objects", DEPTH);
    switch (nk_json_type(c->doc, at)) {
    case NK_JSON_OBJECT:
        return put_object(c, at, depth);
    case NK_JSON_ARRAY:
        return put_array(c, at, depth);
    case NK_JSON_STRING:
        return put_string(c, at);
    case NK_JSON_INT:
    case NK_JSON_NUMBER:
        return put_decimal(c, at);
    default:
        nk_buf_add(c->out, nk_json_span(c->doc, at));
        return 0;
    }
}

int nk_json_canonical(const struct nk_json *doc, uint32_t at, enum nk_canonical how,
                      struct nk_buf *out, struct nk_fault *f)
{
    struct canonical c = {.doc = doc, .how = how, .out = out, .f = f};
    nk_arena_init(&c.names, NAMES_MAX);
    int rc = put(&c, at, 0);
    nk_arena_free(&c.names);
    return rc ? rc : out->error;
}
