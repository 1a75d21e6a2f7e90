/* SPDX-License-Identifier: Apache-2.0
 *
 * json.c - any bytes into the JSON parser. What is accepted must hold together: spans nest and
 * follow each other, `next` and `count` agree, a splice without edits gives the text back, the same
 * text written anew from the tape parses to the same tape, and doubling any one member is refused.
 */
#include "json/json.h"

#include <stdlib.h>
#include <string.h>

static const struct nk_json_limits limits = {1 << 16, 64, 1 << 14};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool cond)
{
    if (!cond)
        abort();
}

/* Entry i lies inside [from, to); returns the entry behind it. */
static uint32_t check_entry(const struct nk_json *d, uint32_t i, uint32_t from, uint32_t to)
{
    const struct nk_json_value *v = &d->tape[i];
    bool object = v->type == NK_JSON_OBJECT;
    uint32_t at = v->start + 1, count = 0, k = nk_json_first(d, i), next = i + 1;
    must(from <= v->start && v->start < v->end && v->end <= to && v->next <= d->n);
    for (; k != NK_JSON_NONE; k = nk_json_next(d, i, k), count++) {
        must(k == next);
        if (object) {
            must(nk_json_type(d, k) == NK_JSON_STRING && d->tape[k].next == k + 1);
            at = d->tape[k].end;
            next = k + 1;
        }
        next = check_entry(d, next, at, v->end - 1);
        at = d->tape[object ? k + 1 : k].end;
    }
    must(count == v->count && next == v->next);
    return next;
}

/* Writes entry i without white space, strings unescaped and escaped again. */
static void write_entry(const struct nk_json *d, uint32_t i, struct nk_arena *a, struct nk_buf *out)
{
    enum nk_json_type type = nk_json_type(d, i);
    if (type == NK_JSON_STRING) {
        struct nk_str s = nk_json_string(d, i, a);
        must(s.p && nk_json_is(d, i, s));
        nk_json_put_string(out, s);
        return;
    }
    if (type != NK_JSON_ARRAY && type != NK_JSON_OBJECT) {
        nk_buf_add(out, nk_json_span(d, i));
        return;
    }
    nk_buf_add_char(out, type == NK_JSON_ARRAY ? '[' : '{');
    for (uint32_t k = nk_json_first(d, i); k != NK_JSON_NONE; k = nk_json_next(d, i, k)) {
        if (type == NK_JSON_OBJECT) {
            struct nk_str name = nk_json_string(d, k, a);
            must(nk_json_get(d, i, name) == k + 1);
            nk_json_put_name(out, name);
        } else if (k != nk_json_first(d, i)) {
            nk_buf_add_char(out, ',');
        }
        write_entry(d, type == NK_JSON_OBJECT ? k + 1 : k, a, out);
    }
    nk_buf_add_char(out, type == NK_JSON_ARRAY ? ']' : '}');
}

static void check_rewrite(const struct nk_json *d, struct nk_arena *a)
{
    struct nk_buf out;
    struct nk_json again;
    struct nk_json_limits wide = {1 << 20, 64, 1 << 14};
    nk_buf_init(&out, 1 << 20);
    write_entry(d, 0, a, &out);
    must(!out.error && nk_json_parse(&wide, nk_buf_str(&out), a, &again, NULL) == 0);
    must(again.n == d->n);
    for (uint32_t i = 0; i < d->n; i++) {
        const struct nk_json_value *x = &d->tape[i], *y = &again.tape[i];
        must(x->type == y->type && x->count == y->count && x->next == y->next);
        struct nk_str s = nk_json_string(d, i, a);
        must(!s.p || nk_json_is(&again, i, s));
    }
    nk_buf_free(&out);
}

/* Puts a copy of the first member of object i in front of it. */
static void check_doubled(const struct nk_json *d, uint32_t i, struct nk_arena *a)
{
    uint32_t name = nk_json_first(d, i);
    struct nk_buf out;
    struct nk_json again;
    nk_buf_init(&out, 1 << 17);
    struct nk_str parts[] = {nk_json_span(d, name), NK_STR(":0,")};
    struct nk_json_edit edit = {d->tape[i].start + 1, d->tape[i].start + 1,
                                nk_arena_join(a, parts, 2)};
    must(nk_json_splice(d->text, &edit, 1, &out) == 0);
    must(nk_json_parse(&limits, nk_buf_str(&out), a, &again, NULL) != 0);
    nk_buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nk_arena a;
    struct nk_json d;
    struct nk_fault f = {0};
    struct nk_buf out;
    nk_arena_init(&a, 1 << 24);
    nk_buf_init(&out, size + 1);
    struct nk_str text = {(const char *)data, size};
    int rc = nk_json_parse(&limits, text, &a, &d, &f);
    must(rc == f.code && (rc == 0 || (d.n == 0 && f.offset <= size && f.message[0])));
    if (rc == 0) {
        must(check_entry(&d, 0, 0, (uint32_t)size) == d.n);
        must(nk_json_splice(text, NULL, 0, &out) == 0 && nk_str_eq(nk_buf_str(&out), text));
        check_rewrite(&d, &a);
        for (uint32_t i = 0, tried = 0; i < d.n && tried < 4; i++)
            if (nk_json_type(&d, i) == NK_JSON_OBJECT && d.tape[i].count) {
                check_doubled(&d, i, &a);
                tried++;
            }
    }
    nk_buf_free(&out);
    nk_arena_free(&a);
    return 0;
}
