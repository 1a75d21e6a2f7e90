/* SPDX-License-Identifier: Apache-2.0
 *
 * json.h - strict JSON (RFC 8259, I-JSON of RFC 7493) read into a tape of byte spans. The text
 * stays where it is: every value knows its [start, end), so passing a message on is byte-exact and
 * an edit is a splice. Refused: duplicate member names (compared after unescaping), invalid UTF-8,
 * lone surrogates, NUL in names, trailing data, a byte-order mark, numbers outside the grammar,
 * depth and size over the limits. Integers are exact int64; nothing is ever turned into a double.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"

enum nk_json_type {
    NK_JSON_NULL,
    NK_JSON_FALSE,
    NK_JSON_TRUE,
    NK_JSON_INT,    /* an integer literal that fits int64 (no '.', no exponent) */
    NK_JSON_NUMBER, /* every other number; kept as text */
    NK_JSON_STRING,
    NK_JSON_ARRAY,
    NK_JSON_OBJECT,
};

/* One tape entry. An object's children are name, value, name, value …; an array's are its values.
 */
struct nk_json_value {
    uint32_t start, end; /* byte span in the text, quotes and brackets included */
    uint32_t next;       /* index of the entry behind this value and all its children */
    uint32_t count : 27; /* members or elements; 0 for scalars */
    uint32_t escaped : 1;
    uint32_t type : 4; /* enum nk_json_type */
};

struct nk_json {
    struct nk_str text;
    const struct nk_json_value *tape;
    uint32_t n; /* entries; the root is entry 0 */
};

/* Limits come first: they are checked before anything is stored. All are inclusive. */
struct nk_json_limits {
    uint32_t max_bytes;  /* of the text, at most UINT32_MAX - 1 */
    uint32_t max_depth;  /* nested arrays and objects, 1..2^22; over 512 takes memory of its own */
    uint32_t max_values; /* tape entries (names count too), at most 2^27 - 1 */
};

enum { NK_JSON_NONE = 0x7fffffff }; /* "no such entry", as an index */

/* Reads `text` (which must outlive `doc`); the tape lives in `a`. 0, NK_EINVAL, NK_ELIMIT or
 * NK_ENOMEM with the byte offset and reason in *f (stage "json"). */
int nk_json_parse(const struct nk_json_limits *lim, struct nk_str text, struct nk_arena *a,
                  struct nk_json *doc, struct nk_fault *f) NK_CHECKED;
/* The same, but NUL (written \u0000) is allowed in member names: the attributes of Cedar's entities
 * may be named by any text. Slices only; never for names that C strings are made of. */
int nk_json_parse_any_name(const struct nk_json_limits *lim, struct nk_str text, struct nk_arena *a,
                           struct nk_json *doc, struct nk_fault *f) NK_CHECKED;

static inline enum nk_json_type nk_json_type(const struct nk_json *doc, uint32_t i)
{
    return i < doc->n ? (enum nk_json_type)doc->tape[i].type : NK_JSON_NULL;
}
/* The bytes of entry i as written. */
struct nk_str nk_json_span(const struct nk_json *doc, uint32_t i);
/* Value of member `name` of object i, or NK_JSON_NONE (also when i is NONE or no object). */
uint32_t nk_json_get(const struct nk_json *doc, uint32_t i, struct nk_str name);
/* First child of array or object i (for objects: the first name), or NK_JSON_NONE. */
uint32_t nk_json_first(const struct nk_json *doc, uint32_t i);
/* The sibling behind `child` of parent i, or NK_JSON_NONE. For objects pass a name, get the next
 * name; a member's value is entry name + 1. */
uint32_t nk_json_next(const struct nk_json *doc, uint32_t i, uint32_t child);
/* Unescaped content of string i: a view of the text when nothing is escaped, otherwise new memory
 * in `a`. Absent when i is NONE, not a string, or memory is out. */
struct nk_str nk_json_string(const struct nk_json *doc, uint32_t i, struct nk_arena *a);
/* Is entry i a string with this (unescaped) content? No memory is taken. */
bool nk_json_is(const struct nk_json *doc, uint32_t i, struct nk_str content);
/* 0, or NK_EINVAL when entry i is not NK_JSON_INT. */
int nk_json_i64(const struct nk_json *doc, uint32_t i, int64_t *out) NK_CHECKED;

/* Replaces [start, end) of the text by `with`. Edits are sorted by start and do not overlap
 * (NK_EINVAL otherwise). */
struct nk_json_edit {
    uint32_t start, end;
    struct nk_str with;
};
int nk_json_splice(struct nk_str text, const struct nk_json_edit *edits, size_t n,
                   struct nk_buf *out) NK_CHECKED;

/* Writes `s` (valid UTF-8) as a JSON string with quotes; only '"', '\\' and controls are escaped.
 */
void nk_json_put_string(struct nk_buf *out, struct nk_str s);
/* Writes ,"name": (no comma when the last byte of `out` is '{' or '[' or out is empty). */
void nk_json_put_name(struct nk_buf *out, struct nk_str name);
/* The two together: ,"name":"value". */
void nk_json_put_member(struct nk_buf *out, struct nk_str name, struct nk_str value);
