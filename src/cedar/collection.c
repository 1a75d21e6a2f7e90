/* SPDX-License-Identifier: Apache-2.0
 *
 * collection.c - sets and records: made once, sorted, then only searched. See value.h.
 */
#include "cedar/value.h"

#include <stdlib.h>
#include <string.h>

static int item_order(const void *a, const void *b)
{
    return cedar_value_cmp(*(const struct nk_cedar_value *const *)a,
                           *(const struct nk_cedar_value *const *)b);
}

static int member_order(const void *a, const void *b)
{
    const struct nk_cedar_member *x = a, *y = b;
    return cedar_name_cmp(x->name, y->name);
}

/* Most sets are short, and qsort costs more than it saves there. */
enum { SHORT = 8 };

static void sort_items(const struct nk_cedar_value **items, size_t n)
{
    if (n > SHORT) {
        qsort(items, n, sizeof *items, item_order);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        const struct nk_cedar_value *item = items[i];
        size_t at = i;
        for (; at > 0 && cedar_value_cmp(items[at - 1], item) > 0; at--)
            items[at] = items[at - 1];
        items[at] = item;
    }
}

static void sort_members(struct nk_cedar_member *members, size_t n)
{
    if (n > SHORT) {
        qsort(members, n, sizeof *members, member_order);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        struct nk_cedar_member member = members[i];
        size_t at = i;
        for (; at > 0 && member_order(&members[at - 1], &member) > 0; at--)
            members[at] = members[at - 1];
        members[at] = member;
    }
}

/* Sorted, and no name twice? */
static bool in_order(const struct nk_cedar_member *members, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (cedar_name_cmp(members[i - 1].name, members[i].name) >= 0)
            return false;
    return true;
}

static size_t unique_items(const struct nk_cedar_value **items, size_t n)
{
    size_t kept = n ? 1 : 0;
    for (size_t i = 1; i < n; i++)
        if (cedar_value_cmp(items[kept - 1], items[i]) != 0)
            items[kept++] = items[i];
    return kept;
}

int cedar_set_new(struct nk_arena *a, const struct nk_cedar_value *const *items, size_t n,
                  const struct nk_cedar_value **out)
{
    static const struct nk_cedar_value empty = {.kind = CEDAR_SET, .depth = 1};
    if (n == 0) {
        *out = &empty;
        return 0;
    }
    if (n > CEDAR_VALUE_ITEMS)
        return NK_ELIMIT;
    struct nk_cedar_value *set = nk_arena_alloc(a, sizeof *set);
    const struct nk_cedar_value **own = nk_arena_array(a, n, sizeof *own);
    if (!set || !own)
        return NK_ENOMEM;
    uint16_t depth = 0;
    for (size_t i = 0; i < n; i++) {
        own[i] = items[i];
        depth = items[i]->depth > depth ? items[i]->depth : depth;
    }
    if (depth >= CEDAR_VALUE_DEPTH)
        return NK_ELIMIT;
    sort_items(own, n);
    *set = (struct nk_cedar_value){.kind = CEDAR_SET,
                                   .depth = (uint16_t)(depth + 1),
                                   .n = (uint32_t)unique_items(own, n),
                                   .as = {.items = own}};
    *out = set;
    return 0;
}

bool cedar_set_has(const struct nk_cedar_value *set, const struct nk_cedar_value *item)
{
    uint32_t from = 0, to = set->n;
    while (from < to) {
        uint32_t at = from + (to - from) / 2;
        int order = cedar_value_cmp(set->as.items[at], item);
        if (order == 0)
            return true;
        if (order < 0)
            from = at + 1;
        else
            to = at;
    }
    return false;
}

bool cedar_set_has_all(const struct nk_cedar_value *set, const struct nk_cedar_value *of)
{
    for (uint32_t i = 0; i < of->n; i++)
        if (!cedar_set_has(set, of->as.items[i]))
            return false;
    return true;
}

bool cedar_set_has_any(const struct nk_cedar_value *set, const struct nk_cedar_value *of)
{
    for (uint32_t i = 0; i < of->n; i++)
        if (cedar_set_has(set, of->as.items[i]))
            return true;
    return false;
}

int cedar_record_new(struct nk_arena *a, const struct nk_cedar_member *members, size_t n,
                     const struct nk_cedar_value **out)
{
    if (n == 0) {
        *out = &cedar_empty_record;
        return 0;
    }
    if (n > CEDAR_VALUE_ITEMS)
        return NK_ELIMIT;
    size_t size = n * sizeof *members;
    struct nk_cedar_value *record = nk_arena_resize(a, NULL, 0, sizeof *record);
    struct nk_cedar_member *own = nk_arena_resize(a, NULL, 0, size);
    if (!record || !own)
        return NK_ENOMEM;
    memcpy(own, members, size);
    uint16_t depth = 0;
    if (!in_order(own, n)) {
        sort_members(own, n);
        if (!in_order(own, n))
            return NK_ECONFLICT;
    }
    for (size_t i = 0; i < n; i++)
        depth = own[i].value->depth > depth ? own[i].value->depth : depth;
    if (depth >= CEDAR_VALUE_DEPTH)
        return NK_ELIMIT;
    *record = (struct nk_cedar_value){.kind = CEDAR_RECORD,
                                      .depth = (uint16_t)(depth + 1),
                                      .n = (uint32_t)n,
                                      .as = {.members = own}};
    *out = record;
    return 0;
}

const struct nk_cedar_value *cedar_record_get(const struct nk_cedar_value *record,
                                              struct nk_str name)
{
    uint32_t from = 0, to = record->n;
    while (from < to) {
        uint32_t at = from + (to - from) / 2;
        int order = cedar_name_cmp(record->as.members[at].name, name);
        if (order == 0)
            return record->as.members[at].value;
        if (order < 0)
            from = at + 1;
        else
            to = at;
    }
    return NULL;
}

const struct nk_cedar_value *nk_cedar_set(struct nk_arena *a,
                                          const struct nk_cedar_value *const *items, size_t n)
{
    const struct nk_cedar_value *out = NULL;
    return cedar_set_new(a, items, n, &out) == 0 ? out : NULL;
}

const struct nk_cedar_value *nk_cedar_record(struct nk_arena *a,
                                             const struct nk_cedar_member *members, size_t n)
{
    const struct nk_cedar_value *out = NULL;
    return cedar_record_new(a, members, n, &out) == 0 ? out : NULL;
}
