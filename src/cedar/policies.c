/* SPDX-License-Identifier: Apache-2.0
 *
 * policies.c - a policy set: policies and templates in order of loading and one index of their ids.
 * A text is added as a whole or not at all: room is made first, and an id that is there already
 * takes all of its text out again.
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

/* The place of the index that holds `id`, or the free one where it belongs. */
static struct cedar_policy **find_place(const struct nk_cedar_policies *p, struct nk_str id)
{
    size_t mask = p->index_cap - 1;
    size_t at = cedar_uid((struct nk_cedar_uid){NK_STR(""), id}).hash & mask;
    while (p->index[at] && !nk_str_eq(p->index[at]->id, id))
        at = (at + 1) & mask;
    return &p->index[at];
}

/* Room for `need` in a list. */
static int grow_list(struct nk_arena *a, struct cedar_policy ***list, size_t n, size_t *cap,
                     size_t need)
{
    size_t bigger = *cap ? *cap : FIRST_CAP;
    if (need <= *cap)
        return 0;
    while (bigger < need)
        bigger *= 2;
    struct cedar_policy **own = nk_arena_array(a, bigger, sizeof *own);
    if (!own)
        return NK_ENOMEM;
    if (n)
        memcpy(own, *list, n * sizeof *own);
    *list = own;
    *cap = bigger;
    return 0;
}

static void fill_index(struct nk_cedar_policies *p)
{
    for (size_t i = 0; i < p->n; i++)
        *find_place(p, p->items[i]->id) = p->items[i];
    for (size_t i = 0; i < p->template_n; i++)
        *find_place(p, p->templates[i]->id) = p->templates[i];
}

/* Room for `need` ids; the index stays at most half full. */
static int grow_index(struct nk_cedar_policies *p, size_t need)
{
    size_t cap = p->index_cap ? p->index_cap : 2 * FIRST_CAP;
    if (2 * need <= p->index_cap)
        return 0;
    while (cap < 2 * need)
        cap *= 2;
    struct cedar_policy **index = nk_arena_array(p->arena, cap, sizeof *index);
    if (!index)
        return NK_ENOMEM;
    p->index = index;
    p->index_cap = cap;
    fill_index(p);
    return 0;
}

int cedar_policies_reserve(struct nk_cedar_policies *p, size_t policies, size_t templates)
{
    if (p->n + p->template_n + policies + templates > CEDAR_POLICIES)
        return NK_ELIMIT;
    int rc = grow_list(p->arena, &p->items, p->n, &p->cap, p->n + policies);
    if (!rc)
        rc = grow_list(p->arena, &p->templates, p->template_n, &p->template_cap,
                       p->template_n + templates);
    return rc ? rc : grow_index(p, p->n + p->template_n + policies + templates);
}

struct cedar_policy *cedar_policies_find(const struct nk_cedar_policies *p, struct nk_str id)
{
    return p->index_cap ? *find_place(p, id) : NULL;
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
                         struct nk_str prefix, bool use_id, size_t *templates, size_t *count)
{
    *count = *templates = 0;
    for (struct cedar_policy *item = list; item; item = item->next) {
        const struct cedar_annotation *id = use_id ? find_annotation(item, NK_STR("id")) : NULL;
        item->id = id && id->has_value
                       ? id->value
                       : nk_arena_printf(p->arena, "%.*s%zu", NK_FMT(prefix), *count);
        if (!item->id.p)
            return NK_ENOMEM;
        ++*count;
        *templates += item->slots != 0;
    }
    return 0;
}

bool cedar_policies_append(struct nk_cedar_policies *p, struct cedar_policy *item)
{
    struct cedar_policy **place = find_place(p, item->id);
    if (*place)
        return false;
    *place = item;
    if (item->slots)
        p->templates[p->template_n++] = item;
    else
        p->items[p->n++] = item;
    return true;
}

void cedar_policies_cut(struct nk_cedar_policies *p, size_t policies, size_t templates)
{
    p->n = policies;
    p->template_n = templates;
    if (p->index_cap)
        memset(p->index, 0, p->index_cap * sizeof(struct cedar_policy *));
    fill_index(p);
}

static int append_all(struct nk_cedar_policies *p, struct cedar_policy *list,
                      const struct cedar_policy **twice)
{
    size_t n = p->n, template_n = p->template_n;
    for (struct cedar_policy *item = list; item; item = item->next)
        if (!cedar_policies_append(p, item)) {
            cedar_policies_cut(p, n, template_n);
            *twice = item;
            return NK_ECONFLICT;
        }
    return 0;
}

int cedar_check_text(struct nk_str text, struct nk_fault *f)
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
    size_t count, templates;
    int rc = cedar_check_text(text, f);
    if (rc)
        return rc;
    struct cedar_policy *list = cedar_parse_policies(&parser);
    if (parser.code)
        return parser.code;
    rc = name_policies(p, list, prefix, use_id, &templates, &count);
    if (!rc)
        rc = cedar_policies_reserve(p, count - templates, templates);
    if (rc)
        return nk_fault_set(f, rc, "cedar", 0, "no room for %zu policies", count);
    rc = append_all(p, list, &twice);
    if (rc) {
        cedar_parse_fail(&parser, rc, twice->span.offset, "there is a policy with this id already");
        return rc;
    }
    return 0;
}

struct nk_str nk_cedar_annotation(const struct nk_cedar_policies *p, struct nk_str id,
                                  struct nk_str name)
{
    const struct cedar_policy *policy = cedar_policies_find(p, id);
    const struct cedar_annotation *found = policy ? find_annotation(policy, name) : NULL;
    return found ? found->value : (struct nk_str){NULL, 0};
}
