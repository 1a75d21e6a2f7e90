/* SPDX-License-Identifier: Apache-2.0
 *
 * policies.c - a policy set: policies in order of loading and an index of their ids. A text is
 * added as a whole or not at all: room is made first, and an id that is there already takes the ids
 * of its text out of the index again, last first, which leaves the index as it was.
 */
#include "cedar/parse.h"

#include "base/utf8.h"

#include <string.h>

enum { FIRST_CAP = 16 };

struct nk_cedar_policies *nk_cedar_policies_new(struct nk_arena *a)
{
    struct nk_cedar_policies *p = nk_arena_alloc(a, sizeof *p);
    if (p)
        p->arena = a;
    return p;
}

size_t nk_cedar_policies_count(const struct nk_cedar_policies *p)
{
    return p->n;
}

/* The slot that holds `id`, or the free one where it belongs. */
static uint32_t *find_slot(const struct nk_cedar_policies *p, struct nk_str id)
{
    size_t mask = p->index_cap - 1;
    size_t at = cedar_uid((struct nk_cedar_uid){NK_STR(""), id}).hash & mask;
    while (p->index[at] && !nk_str_eq(p->items[p->index[at] - 1]->id, id))
        at = (at + 1) & mask;
    return &p->index[at];
}

static int grow_items(struct nk_cedar_policies *p, size_t cap)
{
    struct cedar_policy **items = nk_arena_array(p->arena, cap, sizeof *items);
    if (!items)
        return NK_ENOMEM;
    if (p->n)
        memcpy(items, p->items, p->n * sizeof *items);
    p->items = items;
    p->cap = cap;
    return 0;
}

static int grow_index(struct nk_cedar_policies *p, size_t cap)
{
    uint32_t *index = nk_arena_array(p->arena, cap, sizeof *index);
    if (!index)
        return NK_ENOMEM;
    p->index = index;
    p->index_cap = cap;
    for (size_t i = 0; i < p->n; i++)
        *find_slot(p, p->items[i]->id) = (uint32_t)(i + 1);
    return 0;
}

/* Room for `more` policies; the index stays at most half full. */
static int reserve(struct nk_cedar_policies *p, size_t more)
{
    size_t need = p->n + more, cap = p->cap ? p->cap : FIRST_CAP;
    if (need > CEDAR_POLICIES)
        return NK_ELIMIT;
    while (cap < need)
        cap *= 2;
    int rc = cap > p->cap ? grow_items(p, cap) : 0;
    return rc == 0 && p->index_cap < 2 * cap ? grow_index(p, 2 * cap) : rc;
}

static const struct cedar_annotation *find_annotation(const struct cedar_policy *policy,
                                                      struct nk_str name)
{
    const struct cedar_annotation *item = policy->annotations;
    while (item && !nk_str_eq(item->name, name))
        item = item->next;
    return item;
}

/* Gives every policy of the text its id and counts them. */
static int name_policies(struct nk_cedar_policies *p, struct cedar_policy *list,
                         struct nk_str prefix, bool use_id, size_t *count)
{
    *count = 0;
    for (struct cedar_policy *item = list; item; item = item->next) {
        const struct cedar_annotation *id = use_id ? find_annotation(item, NK_STR("id")) : NULL;
        item->id = id && id->has_value
                       ? id->value
                       : nk_arena_printf(p->arena, "%.*s%zu", NK_FMT(prefix), *count);
        if (!item->id.p)
            return NK_ENOMEM;
        ++*count;
    }
    return 0;
}

static void remove_last(struct nk_cedar_policies *p, size_t n)
{
    for (; n > 0; n--)
        *find_slot(p, p->items[--p->n]->id) = 0;
}

static int append(struct nk_cedar_policies *p, struct cedar_policy *list,
                  const struct cedar_policy **twice)
{
    size_t added = 0;
    for (struct cedar_policy *item = list; item; item = item->next) {
        uint32_t *slot = find_slot(p, item->id);
        if (*slot) {
            remove_last(p, added);
            *twice = item;
            return NK_ECONFLICT;
        }
        p->items[p->n++] = item;
        *slot = (uint32_t)p->n;
        added++;
    }
    return 0;
}

static int check_text(struct nk_str text, struct nk_fault *f)
{
    if (text.n > CEDAR_TEXT)
        return nk_fault_set(f, NK_ELIMIT, "cedar", CEDAR_TEXT, "the text is over %d bytes long",
                            CEDAR_TEXT);
    size_t valid = nk_utf8_check(text);
    if (valid < text.n)
        return nk_fault_set(f, NK_EINVAL, "cedar", valid, "the text is not UTF-8 at byte %zu",
                            valid);
    return 0;
}

int nk_cedar_policies_add(struct nk_cedar_policies *p, struct nk_str text, struct nk_str prefix,
                          bool use_id, struct nk_fault *f)
{
    struct cedar_parser parser = {.lexer = {.text = text}, .arena = p->arena, .fault = f};
    const struct cedar_policy *twice = NULL;
    size_t count = 0;
    int rc = check_text(text, f);
    if (rc)
        return rc;
    struct cedar_policy *list = cedar_parse_policies(&parser);
    if (parser.code)
        return parser.code;
    rc = name_policies(p, list, prefix, use_id, &count);
    if (!rc)
        rc = reserve(p, count);
    if (rc)
        return nk_fault_set(f, rc, "cedar", 0, "no room for %zu policies", count);
    rc = append(p, list, &twice);
    if (rc) {
        cedar_parse_fail(&parser, rc, twice->offset, "there is a policy with this id already");
        return rc;
    }
    return 0;
}

struct nk_str nk_cedar_annotation(const struct nk_cedar_policies *p, struct nk_str id,
                                  struct nk_str name)
{
    uint32_t at = p->n ? *find_slot(p, id) : 0;
    const struct cedar_annotation *found = at ? find_annotation(p->items[at - 1], name) : NULL;
    return found ? found->value : (struct nk_str){NULL, 0};
}
