/* SPDX-License-Identifier: Apache-2.0
 *
 * write.c - the canonical JSON form: every key with its value, defaults included, in the order of
 * the table; numbers in their unit (milliseconds, bytes), absent texts left out. Reading it back
 * gives the same configuration, and its digest names it in the audit log.
 */
#include "config/table.h"

#include <string.h>

static void write_section(enum nk_config_section section, const void *base, struct nk_buf *out);

static void write_list(const struct nk_config_row *row, const void *base, struct nk_buf *out)
{
    const char *items;
    size_t n;
    memcpy(&items, (const char *)base + row->at, sizeof items);
    memcpy(&n, (const char *)base + row->count_at, sizeof n);
    nk_buf_add_char(out, '[');
    for (size_t i = 0; i < n; i++) {
        if (i)
            nk_buf_add_char(out, ',');
        const struct nk_config_row *bare = nk_config_bare(row->items);
        const char *item = items + i * row->item_size;
        if (bare) {
            struct nk_str text;
            memcpy(&text, item + bare->at, sizeof text);
            nk_json_put_string(out, text);
        } else {
            write_section(row->items, item, out);
        }
    }
    nk_buf_add_char(out, ']');
}

static void write_row(const struct nk_config_row *row, const void *base, struct nk_buf *out)
{
    const char *field = (const char *)base + row->at;
    struct nk_str text;
    int64_t number;
    bool second;
    if (row->kind == NK_CONFIG_KIND_LIST || row->kind == NK_CONFIG_KIND_GROUP) {
        nk_json_put_name(out, nk_str(row->key));
        if (row->kind == NK_CONFIG_KIND_LIST)
            write_list(row, base, out);
        else
            write_section(row->items, field, out);
    } else if (nk_config_is_number(row->kind)) {
        memcpy(&number, field, sizeof number);
        nk_json_put_name(out, nk_str(row->key));
        nk_buf_add_i64(out, number);
    } else if (row->kind == NK_CONFIG_KIND_SWITCH) {
        memcpy(&second, field, sizeof second);
        struct nk_str words = nk_str(row->range), first = nk_str_cut(&words, '|');
        nk_json_put_member(out, nk_str(row->key), second ? words : first);
    } else {
        memcpy(&text, field, sizeof text);
        if (text.p)
            nk_json_put_member(out, nk_str(row->key), text);
    }
}

static void write_section(enum nk_config_section section, const void *base, struct nk_buf *out)
{
    size_t n;
    const struct nk_config_row *rows = nk_config_rows(&n);
    nk_buf_add_char(out, '{');
    for (size_t i = 0; i < n; i++)
        if (rows[i].section == section)
            write_row(&rows[i], base, out);
    nk_buf_add_char(out, '}');
}

void nk_config_write(const struct nk_config *c, struct nk_buf *out)
{
    write_section(NK_CONFIG_ROOT, c, out);
}
