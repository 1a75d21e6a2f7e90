/* SPDX-License-Identifier: Apache-2.0
 *
 * escape.h - private to json: the inside of strings that the parser has already found valid, and
 * the check for duplicate names.
 */
#pragma once

#include "json/json.h"

/* Takes one character (a plain byte or a whole escape) of valid string content from *at and writes
 * it as UTF-8; returns the count of bytes. *at is moved behind it. */
size_t nk_json_unescape_one(const char **at, char out[4]);
/* Unescapes valid string content into `out`, which has room for content.n bytes (an escape is never
 * shorter than what it stands for); returns the count of bytes. */
size_t nk_json_unescape(struct nk_str content, char *out);
/* What stands between the quotes of string `v`. */
struct nk_str nk_json_content(const char *text, const struct nk_json_value *v);

/* A place in a set of 64 bits for the name that is written at `name`, its quotes among the `size`
 * bytes: equal names have equal places, and the names of one object mostly different ones. */
static inline uint64_t nk_json_name_bit(const char *name, size_t size)
{
    return (uint64_t)1 << ((size + (unsigned char)name[1] * 3u - (unsigned char)name[size - 2]) &
                           63);
}

/* Scratch memory for large objects. `seed` is filled at its first use. */
struct nk_json_names {
    struct nk_str text;
    struct nk_arena scratch;
    uint64_t seed[2];
    bool seeded;
};

/* A larger object, or one with an escaped name, is checked whatever its bits say. */
enum { NK_JSON_NAMES_SMALL = 32 };

/* Looks for a name that stands twice in object tape[obj], whose members are complete (`n` tape
 * entries in all). 0; NK_EINVAL with the second name's offset in *offset; or NK_ENOMEM. */
int nk_json_names_check(struct nk_json_names *s, const struct nk_json_value *tape, uint32_t n,
                        uint32_t obj, size_t *offset) NK_CHECKED;
