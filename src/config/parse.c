/* SPDX-License-Identifier: Apache-2.0
 *
 * parse.c - the JSON form of the configuration fills the structures, led by the table. A scalar may
 * be a string that is written as in YAML ("10s", "64KiB", "8") or, in the canonical form, a number
 * in the field's unit. See config.h.
 */
#include "config/table.h"
#include "base/near.h"

#include <string.h>

struct fill {
    const struct nk_json *doc;
    struct nk_arena *arena;
    struct nk_str directory; /* of relative paths; absent: they stay */
    struct nk_fault *fault;
};

enum { WHY = 200, DEPTH = 16, VALUES = 100000, BYTES = 8 << 20, SECTION_KEYS = 32 };

static const char stage[] = "config";

static int no_memory(struct fill *x)
{
    return nk_fault_set(x->fault, NK_ENOMEM, stage, 0, "out of memory");
}

static size_t offset_of(const struct fill *x, uint32_t at)
{
    return at == NK_JSON_NONE ? 0 : x->doc->tape[at].start;
}

static struct nk_str path_of(struct fill *x, struct nk_str section, const char *key)
{
    if (section.n == 0)
        return nk_str(key);
    return nk_arena_printf(x->arena, "%.*s.%s", NK_FMT(section), key);
}

/* Top-level keys have no path in front: "the top level" names where they are. */
static int unknown_key(struct fill *x, enum nk_config_section section, struct nk_str path,
                       struct nk_str key, uint32_t at)
{
    struct nk_str names[SECTION_KEYS];
    size_t n = 0, count;
    const struct nk_config_row *rows = nk_config_rows(&count);
    for (size_t i = 0; i < count && n < SECTION_KEYS; i++)
        if (rows[i].section == section)
            names[n++] = nk_str(rows[i].key);
    struct nk_str near = nk_near(key, names, n);
    struct nk_str where = path.n ? path : NK_STR("the top level");
    if (key.n > 40)
        return nk_fault_set(x->fault, NK_EINVAL, stage, offset_of(x, at), "unknown key in %.*s",
                            NK_FMT(where));
    if (near.p)
        return nk_fault_set(x->fault, NK_EINVAL, stage, offset_of(x, at),
                            "unknown key \"%.*s\" in %.*s; did you mean \"%.*s\"?", NK_FMT(key),
                            NK_FMT(where), NK_FMT(near));
    char all[150] = "";
    for (size_t i = 0; i < n && strlen(all) + names[i].n + 2 < sizeof all; i++) {
        if (i)
            memcpy(all + strlen(all), ", ", 3);
        memcpy(all + strlen(all), names[i].p, names[i].n + 1);
    }
    return nk_fault_set(x->fault, NK_EINVAL, stage, offset_of(x, at),
                        "unknown key \"%.*s\" in %.*s; there are: %s", NK_FMT(key), NK_FMT(where),
                        all);
}

static int check_keys(struct fill *x, enum nk_config_section section, struct nk_str path,
                      uint32_t object)
{
    for (uint32_t i = nk_json_first(x->doc, object); i != NK_JSON_NONE;
         i = nk_json_next(x->doc, object, i)) {
        struct nk_str key = nk_json_string(x->doc, i, x->arena);
        if (!key.p)
            return no_memory(x);
        if (!nk_config_row(section, key))
            return unknown_key(x, section, path, key, i);
    }
    return 0;
}

static int refuse_value(struct fill *x, struct nk_str path, uint32_t at, const char *why)
{
    return nk_fault_set(x->fault, NK_EINVAL, stage, offset_of(x, at), "%.*s: %s", NK_FMT(path),
                        why);
}

static int wrong_shape(struct fill *x, const struct nk_config_row *row, struct nk_str path,
                       uint32_t at)
{
    switch (nk_json_type(x->doc, at)) {
    case NK_JSON_NULL:
        return refuse_value(x, path, at, "a value is missing here; write one or leave the key out");
    case NK_JSON_ARRAY:
    case NK_JSON_OBJECT:
        if (row->kind == NK_CONFIG_KIND_LIST)
            return refuse_value(x, path, at, "expected a list: write \"- \" before each entry");
        if (row->kind == NK_CONFIG_KIND_GROUP)
            return refuse_value(x, path, at, "expected keys here, not a list");
        return refuse_value(x, path, at, "expected one value here, not a list or keys");
    default:
        if (row->kind == NK_CONFIG_KIND_LIST)
            return refuse_value(x, path, at, "expected a list: write \"- \" before each entry");
        if (row->kind == NK_CONFIG_KIND_GROUP)
            return refuse_value(x, path, at, "expected keys here, not a single value");
        return refuse_value(x, path, at, "expected a text or a whole number");
    }
}

/* The text of a scalar as the field's kind reads it, or absent when it is no scalar. */
static struct nk_str scalar_text(struct fill *x, const struct nk_config_row *row, uint32_t at)
{
    enum nk_json_type type = nk_json_type(x->doc, at);
    if (type == NK_JSON_STRING)
        return nk_json_string(x->doc, at, x->arena);
    if (type != NK_JSON_INT)
        return (struct nk_str){NULL, 0};
    if (row->kind == NK_CONFIG_KIND_TIME) /* canonical: milliseconds */
        return nk_arena_printf(x->arena, "%.*sms", NK_FMT(nk_json_span(x->doc, at)));
    return nk_json_span(x->doc, at);
}

static int fill_default(struct fill *x, const struct nk_config_row *row, void *base,
                        struct nk_str path, uint32_t object)
{
    struct nk_config_value v;
    char why[WHY];
    if (row->required)
        return nk_fault_set(x->fault, NK_EINVAL, stage, offset_of(x, object),
                            "%.*s is missing; write for example `%s: %s`", NK_FMT(path), row->key,
                            row->value);
    if (row->value[0] == '\0')
        return 0;
    if (row->value[0] == '=') {
        const struct nk_config_row *other = nk_config_row(row->section, nk_str(row->value + 1));
        NK_MUST(other);
        memcpy((char *)base + row->at, (char *)base + other->at, sizeof(struct nk_str));
        return 0;
    }
    int rc = nk_config_scalar(row, nk_str(row->value), x->directory, x->arena, &v, why);
    if (rc)
        return nk_fault_set(x->fault, rc, stage, offset_of(x, object), "%.*s: %s", NK_FMT(path),
                            why);
    nk_config_store(row, base, &v);
    return 0;
}

static int fill_scalar(struct fill *x, const struct nk_config_row *row, void *base,
                       struct nk_str path, uint32_t at)
{
    struct nk_config_value v;
    char why[WHY];
    struct nk_str text = scalar_text(x, row, at);
    if (!text.p)
        return wrong_shape(x, row, path, at);
    int rc = nk_config_scalar(row, text, x->directory, x->arena, &v, why);
    if (rc)
        return nk_fault_set(x->fault, rc, stage, offset_of(x, at), "%.*s: %s", NK_FMT(path), why);
    nk_config_store(row, base, &v);
    return 0;
}

static int fill_section(struct fill *x, enum nk_config_section section, void *base,
                        struct nk_str path, uint32_t object);

/* One entry of a list: keys, or a plain value. */
static int fill_item(struct fill *x, enum nk_config_section items, void *base, struct nk_str where,
                     uint32_t item)
{
    const struct nk_config_row *bare = nk_config_bare(items);
    if (bare)
        return fill_scalar(x, bare, base, where, item);
    if (nk_json_type(x->doc, item) != NK_JSON_OBJECT)
        return refuse_value(x, where, item, "expected an entry with keys");
    return fill_section(x, items, base, where, item);
}

static int fill_list(struct fill *x, const struct nk_config_row *row, void *base,
                     struct nk_str path, uint32_t at, uint32_t object)
{
    int64_t low, high;
    NK_MUST(nk_config_range(row, &low, &high));
    if (at == NK_JSON_NONE && low == 0)
        return 0;
    if (at == NK_JSON_NONE)
        return nk_fault_set(x->fault, NK_EINVAL, stage, offset_of(x, object),
                            "%.*s is missing; write at least one entry", NK_FMT(path));
    if (nk_json_type(x->doc, at) != NK_JSON_ARRAY)
        return wrong_shape(x, row, path, at);
    size_t n = x->doc->tape[at].count;
    if ((int64_t)n < low || (int64_t)n > high)
        return nk_fault_set(x->fault, NK_EINVAL, stage, offset_of(x, at),
                            "%.*s has %zu entries; %s are allowed", NK_FMT(path), n, row->range);
    char *items = nk_arena_array(x->arena, n, row->item_size);
    if (!items)
        return no_memory(x);
    uint32_t item = nk_json_first(x->doc, at);
    for (size_t i = 0; i < n; i++, item = nk_json_next(x->doc, at, item)) {
        struct nk_str where = nk_arena_printf(x->arena, "%.*s[%zu]", NK_FMT(path), i);
        if (!where.p)
            return no_memory(x);
        int rc = fill_item(x, row->items, items + i * row->item_size, where, item);
        if (rc)
            return rc;
    }
    memcpy((char *)base + row->at, &items, sizeof items);
    memcpy((char *)base + row->count_at, &n, sizeof n);
    return 0;
}

static int fill_row(struct fill *x, const struct nk_config_row *row, void *base, struct nk_str path,
                    uint32_t object)
{
    uint32_t at = nk_json_get(x->doc, object, nk_str(row->key));
    struct nk_str where = path_of(x, path, row->key);
    if (!where.p)
        return no_memory(x);
    if (row->kind == NK_CONFIG_KIND_LIST)
        return fill_list(x, row, base, where, at, object);
    if (row->kind == NK_CONFIG_KIND_GROUP) {
        if (at != NK_JSON_NONE && nk_json_type(x->doc, at) != NK_JSON_OBJECT)
            return wrong_shape(x, row, where, at);
        return fill_section(x, row->items, (char *)base + row->at, where, at);
    }
    if (at == NK_JSON_NONE)
        return fill_default(x, row, base, where, object);
    return fill_scalar(x, row, base, where, at);
}

/* `object` is NK_JSON_NONE for a group that is not there: all its keys have their defaults.
 * Recursion ends with the table: no section contains itself. */
static int fill_section(struct fill *x, enum nk_config_section section, void *base,
                        struct nk_str path, uint32_t object)
{
    size_t n;
    const struct nk_config_row *rows = nk_config_rows(&n);
    int rc = object == NK_JSON_NONE ? 0 : check_keys(x, section, path, object);
    for (size_t i = 0; i < n && !rc; i++)
        if (rows[i].section == section)
            rc = fill_row(x, &rows[i], base, path, object);
    return rc;
}

int nk_config_parse_at(struct nk_str json, struct nk_str directory, struct nk_arena *a,
                       struct nk_config *out, struct nk_fault *f)
{
    static const struct nk_json_limits limits = {
        .max_bytes = BYTES, .max_depth = DEPTH, .max_values = VALUES};
    struct nk_json doc;
    *out = (struct nk_config){.listen_count = 0};
    int rc = nk_json_parse(&limits, json, a, &doc, f);
    if (rc)
        return rc;
    if (nk_json_type(&doc, 0) != NK_JSON_OBJECT)
        return nk_fault_set(f, NK_EINVAL, stage, 0, "expected keys such as `listen:` here");
    struct fill x = {.doc = &doc, .arena = a, .directory = directory, .fault = f};
    rc = fill_section(&x, NK_CONFIG_ROOT, out, NK_STR(""), 0);
    if (!rc)
        rc = nk_config_check(out, &doc, f);
    return rc ? rc : nk_config_place_processes(out, a, f);
}

int nk_config_parse(struct nk_str json, struct nk_arena *a, struct nk_config *out,
                    struct nk_fault *f)
{
    return nk_config_parse_at(json, (struct nk_str){NULL, 0}, a, out, f);
}
