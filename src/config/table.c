/* SPDX-License-Identifier: Apache-2.0
 *
 * table.c - config.def becomes an array of rows. See table.h.
 */
#include "config/table.h"

#include <string.h>

/* What NONE stands for in config.def. */
static const char NONE[] = "";

/* clang-format off */
#define KEY(sec, key, kind, s, m, def, range, en, ja) {NK_CONFIG_##sec, NK_CONFIG_KIND_##kind, key, false, offsetof(struct s, m), 0, 0, 0, def, range, en, ja},
#define MUST(sec, key, kind, s, m, example, range, en, ja) {NK_CONFIG_##sec, NK_CONFIG_KIND_##kind, key, true, offsetof(struct s, m), 0, 0, 0, example, range, en, ja},
#define LIST(sec, key, s, m, n, of, range, en, ja) {NK_CONFIG_##sec, NK_CONFIG_KIND_LIST, key, false, offsetof(struct s, m), offsetof(struct s, n), sizeof(*((struct s *)0)->m), NK_CONFIG_##of, NONE, range, en, ja},
#define GROUP(sec, key, base, of, en, ja) {NK_CONFIG_##sec, NK_CONFIG_KIND_GROUP, key, false, base, 0, 0, NK_CONFIG_##of, NONE, NONE, en, ja},
/* clang-format on */

static const struct nk_config_row rows[] = {
#include "config/config.def"
};

const struct nk_config_row *nk_config_rows(size_t *n)
{
    *n = NK_COUNT(rows);
    return rows;
}

const struct nk_config_row *nk_config_row(enum nk_config_section section, struct nk_str key)
{
    for (size_t i = 0; i < NK_COUNT(rows); i++)
        if (rows[i].section == section && nk_str_eq(nk_str(rows[i].key), key))
            return &rows[i];
    return NULL;
}

const struct nk_config_row *nk_config_bare(enum nk_config_section section)
{
    return nk_config_row(section, NK_STR(""));
}

bool nk_config_is_number(enum nk_config_kind kind)
{
    return kind == NK_CONFIG_KIND_NUMBER || kind == NK_CONFIG_KIND_SIZE ||
           kind == NK_CONFIG_KIND_TIME;
}

void nk_config_store(const struct nk_config_row *row, void *base, const struct nk_config_value *v)
{
    char *to = (char *)base + row->at;
    bool second = v->number != 0;
    if (nk_config_is_number(row->kind))
        memcpy(to, &v->number, sizeof v->number);
    else if (row->kind == NK_CONFIG_KIND_SWITCH)
        memcpy(to, &second, sizeof second);
    else
        memcpy(to, &v->text, sizeof v->text);
}
