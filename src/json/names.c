/* SPDX-License-Identifier: Apache-2.0
 *
 * names.c - no member name may stand twice in an object (RFC 7493, section 2.3): two readers of one
 * text would see two different requests. Names are compared after unescaping.
 *
 * A small object without escapes is compared name by name, and a set of 64 bits over length, first
 * and last byte spares most of that; the parser keeps the same set as it reads and comes here only
 * when two names share a bit. All others go through a hash table in scratch memory. The
 * table's key is a hash of the whole text: who wants colliding names would have to find them under
 * a key that changes with every name, so no randomness has to come in from outside.
 */
#include "json/escape.h"

#include "base/map.h"

#include <string.h>

struct slot {
    uint32_t tag;  /* upper half of the hash */
    uint32_t name; /* index into names plus 1; 0: free */
};

static int check_small(const char *text, const struct nk_json_value *tape, uint32_t obj, uint32_t n,
                       size_t *offset)
{
    uint64_t seen = 0;
    for (uint32_t i = obj + 1; i < n; i = tape[i + 1].next) {
        const char *name = text + tape[i].start;
        size_t size = tape[i].end - tape[i].start;
        uint64_t bit = nk_json_name_bit(name, size);
        uint32_t k = seen & bit ? obj + 1 : i;
        for (; k < i; k = tape[k + 1].next)
            if (tape[k].end - tape[k].start == size && name[1] == text[tape[k].start + 1] &&
                memcmp(name, text + tape[k].start, size) == 0) {
                *offset = tape[i].start;
                return NK_EINVAL;
            }
        seen |= bit;
    }
    return 0;
}

static void seed(struct nk_json_names *s)
{
    static const uint64_t fixed[2] = {0, 0};
    if (s->seeded)
        return;
    s->seed[0] = nk_hash(fixed, s->text);
    s->seed[1] = ~s->seed[0];
    s->seeded = true;
}

/* The unescaped content of a name; absent when scratch memory is out. */
static struct nk_str plain_name(struct nk_json_names *s, const struct nk_json_value *v)
{
    struct nk_str content = nk_json_content(s->text.p, v);
    if (!v->escaped)
        return content;
    char *to = nk_arena_alloc(&s->scratch, content.n);
    return (struct nk_str){to, to ? nk_json_unescape(content, to) : 0};
}

static bool is_new(struct slot *table, uint32_t mask, const struct nk_str *names, uint32_t i,
                   uint64_t hash)
{
    uint32_t tag = (uint32_t)(hash >> 32), at = (uint32_t)hash & mask;
    for (; table[at].name; at = (at + 1) & mask)
        if (table[at].tag == tag && nk_str_eq(names[table[at].name - 1], names[i]))
            return false;
    table[at] = (struct slot){.tag = tag, .name = i + 1};
    return true;
}

static int check_large(struct nk_json_names *s, const struct nk_json_value *tape, uint32_t obj,
                       uint32_t n, size_t *offset)
{
    uint32_t cap = 16, at = 0;
    while (cap < tape[obj].count * 2)
        cap *= 2;
    seed(s);
    struct nk_str *names = nk_arena_array(&s->scratch, tape[obj].count, sizeof *names);
    struct slot *table = nk_arena_array(&s->scratch, cap, sizeof *table);
    if (!names || !table)
        return NK_ENOMEM;
    for (uint32_t i = obj + 1; i < n; i = tape[i + 1].next, at++) {
        names[at] = plain_name(s, &tape[i]);
        if (!names[at].p)
            return NK_ENOMEM;
        if (!is_new(table, cap - 1, names, at, nk_hash(s->seed, names[at]))) {
            *offset = tape[i].start;
            return NK_EINVAL;
        }
    }
    return 0;
}

int nk_json_names_check(struct nk_json_names *s, const struct nk_json_value *tape, uint32_t n,
                        uint32_t obj, size_t *offset)
{
    if (tape[obj].count < 2)
        return 0;
    if (tape[obj].count <= NK_JSON_NAMES_SMALL && !tape[obj].escaped)
        return check_small(s->text.p, tape, obj, n, offset);
    int rc = check_large(s, tape, obj, n, offset);
    nk_arena_reset(&s->scratch);
    return rc;
}
