/* SPDX-License-Identifier: Apache-2.0
 *
 * schema.c - config.def as a JSON Schema (2020-12) of the YAML file, for editors. It is a help
 * while writing; what counts are the checks of parse.c, which also know what a pattern cannot say.
 */
#include "config/table.h"

static void indent(struct nk_buf *out, int depth)
{
    nk_buf_add_char(out, '\n');
    for (int i = 0; i < depth; i++)
        nk_buf_add(out, NK_STR("  "));
}

/* ,"name": with a line of its own. */
static void put_name(struct nk_buf *out, const char *name, int depth)
{
    if (out->n && out->p[out->n - 1] != '{')
        nk_buf_add_char(out, ',');
    indent(out, depth);
    nk_json_put_string(out, nk_str(name));
    nk_buf_add(out, NK_STR(": "));
}

static void put_text(struct nk_buf *out, const char *name, const char *text, int depth)
{
    put_name(out, name, depth);
    nk_json_put_string(out, nk_str(text));
}

static const char *pattern_of(enum nk_config_kind kind)
{
    switch (kind) {
    case NK_CONFIG_KIND_NAME:
        return "^[A-Za-z0-9._/:@-]+$";
    case NK_CONFIG_KIND_ADDRESS:
        return "^(unix:.+|[0-9.]+:[0-9]+|\\[[0-9A-Fa-f:]+\\]:[0-9]+)$";
    case NK_CONFIG_KIND_ORIGIN:
        return "^(https?://[^/?#@]+|unix:.+)$";
    case NK_CONFIG_KIND_ENDPOINT:
        return "^https?://[^?#@]+$";
    case NK_CONFIG_KIND_KEYSET:
        return "^(https?://.+|file:.+)$";
    case NK_CONFIG_KIND_SECRET:
        return "^(file:.+|env:[A-Za-z_][A-Za-z0-9_]*)$";
    case NK_CONFIG_KIND_HOST:
        return "^[A-Za-z0-9._-]+$";
    case NK_CONFIG_KIND_PROXY:
        return "^(http://[^/?#@]+:[0-9]+|direct)$";
    case NK_CONFIG_KIND_PIN:
        return "^[A-Za-z0-9+/]{43}=$";
    case NK_CONFIG_KIND_REACH:
        return "^(unix:.+|[A-Za-z0-9._/-]+:[0-9]+|\\[[0-9A-Fa-f:/]+\\]:[0-9]+)$";
    case NK_CONFIG_KIND_STATUSES:
        return "^(none|(429|502|503|504)(,(429|502|503|504))*)$";
    case NK_CONFIG_KIND_SERVERS:
        return "^[0-9A-Fa-f.:,\\[\\]]+$";
    case NK_CONFIG_KIND_SIZE:
        return "^[0-9]+(B|KiB|MiB|GiB)?$";
    case NK_CONFIG_KIND_TIME:
        return "^[0-9]+(ms|s|m|h|d)$";
    default:
        return NULL;
    }
}

static void put_words(const struct nk_config_row *row, struct nk_buf *out, int depth)
{
    struct nk_str words = nk_str(row->range);
    put_name(out, "enum", depth);
    nk_buf_add_char(out, '[');
    for (bool first = true; words.p; first = false) {
        if (!first)
            nk_buf_add(out, NK_STR(", "));
        nk_json_put_string(out, nk_str_cut(&words, '|'));
    }
    nk_buf_add_char(out, ']');
}

static void put_range(const struct nk_config_row *row, struct nk_buf *out, int depth)
{
    int64_t low, high;
    bool number = row->kind == NK_CONFIG_KIND_NUMBER, list = row->kind == NK_CONFIG_KIND_LIST;
    if (row->kind == NK_CONFIG_KIND_TIME || !nk_config_range(row, &low, &high))
        return;
    if (row->kind == NK_CONFIG_KIND_SIZE)
        number = true; /* where it is written as plain bytes */
    put_name(out, list ? "minItems" : number ? "minimum" : "minLength", depth);
    nk_buf_add_i64(out, low);
    put_name(out, list ? "maxItems" : number ? "maximum" : "maxLength", depth);
    nk_buf_add_i64(out, high);
}

static void put_default(const struct nk_config_row *row, struct nk_buf *out, int depth)
{
    if (row->value[0] == '\0' || row->value[0] == '=')
        return;
    put_name(out, row->required ? "examples" : "default", depth);
    if (row->required)
        nk_buf_add_char(out, '[');
    if (row->kind == NK_CONFIG_KIND_NUMBER)
        nk_buf_add(out, nk_str(row->value));
    else
        nk_json_put_string(out, nk_str(row->value));
    if (row->required)
        nk_buf_add_char(out, ']');
}

static void put_object(enum nk_config_section section, struct nk_buf *out, int depth);

static void put_scalar(const struct nk_config_row *row, struct nk_buf *out, int depth)
{
    put_name(out, "type", depth);
    if (row->kind == NK_CONFIG_KIND_SIZE)
        nk_buf_add(out, NK_STR("[\"integer\", \"string\"]"));
    else
        nk_buf_add(out, row->kind == NK_CONFIG_KIND_NUMBER ? NK_STR("\"integer\"")
                                                           : NK_STR("\"string\""));
    if (pattern_of(row->kind))
        put_text(out, "pattern", pattern_of(row->kind), depth);
    put_range(row, out, depth);
    put_default(row, out, depth);
}

static void put_items(enum nk_config_section items, struct nk_buf *out, int depth)
{
    const struct nk_config_row *bare = nk_config_bare(items);
    put_name(out, "items", depth);
    nk_buf_add_char(out, '{');
    if (bare)
        put_scalar(bare, out, depth + 1);
    else
        put_object(items, out, depth + 1);
    indent(out, depth);
    nk_buf_add_char(out, '}');
}

static void put_row(const struct nk_config_row *row, struct nk_buf *out, int depth)
{
    nk_buf_add_char(out, '{');
    put_name(out, "description", depth);
    struct nk_buf both;
    nk_buf_init(&both, 4096);
    nk_buf_printf(&both, "%s %s", row->english, row->japanese);
    nk_json_put_string(out, nk_buf_str(&both));
    nk_buf_free(&both);
    if (row->kind == NK_CONFIG_KIND_GROUP) {
        put_object(row->items, out, depth);
    } else if (row->kind == NK_CONFIG_KIND_LIST) {
        put_text(out, "type", "array", depth);
        put_range(row, out, depth);
        put_items(row->items, out, depth);
    } else if (row->kind == NK_CONFIG_KIND_CHOICE || row->kind == NK_CONFIG_KIND_SWITCH) {
        put_words(row, out, depth);
        put_default(row, out, depth);
    } else {
        put_scalar(row, out, depth);
    }
    indent(out, depth - 1);
    nk_buf_add_char(out, '}');
}

/* The members of an object's schema; the braces are the caller's. */
static void put_object(enum nk_config_section section, struct nk_buf *out, int depth)
{
    size_t n;
    const struct nk_config_row *rows = nk_config_rows(&n);
    bool none = true;
    put_text(out, "type", "object", depth);
    put_name(out, "additionalProperties", depth);
    nk_buf_add(out, NK_STR("false"));
    put_name(out, "required", depth);
    nk_buf_add_char(out, '[');
    for (size_t i = 0; i < n; i++) {
        int64_t low = 0, high;
        bool list = rows[i].kind == NK_CONFIG_KIND_LIST && nk_config_range(&rows[i], &low, &high);
        if (rows[i].section != section || !(rows[i].required || (list && low > 0)))
            continue;
        if (!none)
            nk_buf_add(out, NK_STR(", "));
        nk_json_put_string(out, nk_str(rows[i].key));
        none = false;
    }
    nk_buf_add_char(out, ']');
    put_name(out, "properties", depth);
    nk_buf_add_char(out, '{');
    for (size_t i = 0; i < n; i++) {
        if (rows[i].section != section)
            continue;
        put_name(out, rows[i].key, depth + 1);
        put_row(&rows[i], out, depth + 2);
    }
    indent(out, depth);
    nk_buf_add_char(out, '}');
}

void nk_config_schema(struct nk_buf *out)
{
    nk_buf_add_char(out, '{');
    put_text(out, "$schema", "https://json-schema.org/draft/2020-12/schema", 1);
    put_text(out, "title", "Nakoso configuration", 1);
    put_object(NK_CONFIG_ROOT, out, 1);
    nk_buf_add(out, NK_STR("\n}\n"));
}
