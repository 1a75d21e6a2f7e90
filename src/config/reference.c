/* SPDX-License-Identifier: Apache-2.0
 *
 * reference.c - config.def as a page of Markdown, one table for each section, English and Japanese.
 */
#include "config/table.h"

static const char *form_of(const struct nk_config_row *row)
{
    switch (row->kind) {
    case NK_CONFIG_KIND_TEXT:
        return "text";
    case NK_CONFIG_KIND_NAME:
        return "name";
    case NK_CONFIG_KIND_PATH:
        return "path";
    case NK_CONFIG_KIND_ADDRESS:
        return "address";
    case NK_CONFIG_KIND_ORIGIN:
    case NK_CONFIG_KIND_ENDPOINT:
    case NK_CONFIG_KIND_KEYSET:
        return "place";
    case NK_CONFIG_KIND_SECRET:
        return "secret reference";
    case NK_CONFIG_KIND_HOST:
        return "host";
    case NK_CONFIG_KIND_PROXY:
        return "proxy";
    case NK_CONFIG_KIND_PIN:
        return "pin";
    case NK_CONFIG_KIND_REACH:
        return "destination";
    case NK_CONFIG_KIND_STATUSES:
        return "status codes";
    case NK_CONFIG_KIND_SERVERS:
        return "addresses";
    case NK_CONFIG_KIND_CHOICE:
    case NK_CONFIG_KIND_SWITCH:
        return "word";
    case NK_CONFIG_KIND_NUMBER:
        return "number";
    case NK_CONFIG_KIND_SIZE:
        return "size";
    case NK_CONFIG_KIND_TIME:
        return "duration";
    case NK_CONFIG_KIND_LIST:
        return "list";
    case NK_CONFIG_KIND_GROUP:
        return "keys";
    }
    return "";
}

/* A "|" would end the cell. */
static void put_cell(struct nk_buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            nk_buf_add_char(out, '\\');
        nk_buf_add_char(out, *text);
    }
}

static void put_default(const struct nk_config_row *row, struct nk_buf *out)
{
    int64_t low = 0, high;
    bool list = row->kind == NK_CONFIG_KIND_LIST && nk_config_range(row, &low, &high);
    if (row->required)
        nk_buf_printf(out, "**required**, e.g. `%s`", row->value);
    else if (list && low > 0)
        nk_buf_printf(out, "**required**");
    else if (row->value[0] == '=')
        nk_buf_printf(out, "that of `%s`", row->value + 1);
    else if (row->value[0])
        nk_buf_printf(out, "`%s`", row->value);
}

static void put_table(enum nk_config_section section, struct nk_buf *out)
{
    size_t n;
    const struct nk_config_row *rows = nk_config_rows(&n);
    nk_buf_printf(out, "\n| key | form | allowed | default | meaning |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < n; i++) {
        if (rows[i].section != section)
            continue;
        const struct nk_config_row *bare =
            rows[i].kind == NK_CONFIG_KIND_LIST ? nk_config_bare(rows[i].items) : NULL;
        nk_buf_printf(out, "| `%s` | %s%s | ", rows[i].key, bare ? "list of: " : "",
                      form_of(bare ? bare : &rows[i]));
        put_cell(out, rows[i].range);
        nk_buf_printf(out, " | ");
        put_default(&rows[i], out);
        nk_buf_printf(out, " | ");
        put_cell(out, rows[i].english);
        nk_buf_printf(out, "<br>");
        put_cell(out, rows[i].japanese);
        nk_buf_printf(out, " |\n");
    }
}

/* The sections below `section`, each with its path: "identity.issuers[]". No section contains
 * itself, so the recursion ends with the table. */
static void put_sections(enum nk_config_section section, struct nk_str path, struct nk_buf *out)
{
    size_t n;
    const struct nk_config_row *rows = nk_config_rows(&n);
    for (size_t i = 0; i < n; i++) {
        bool list = rows[i].kind == NK_CONFIG_KIND_LIST;
        if (rows[i].section != section || !(list || rows[i].kind == NK_CONFIG_KIND_GROUP) ||
            (list && nk_config_bare(rows[i].items)))
            continue;
        struct nk_buf name;
        nk_buf_init(&name, 256);
        nk_buf_printf(&name, "%.*s%s%s%s", NK_FMT(path), path.n ? "." : "", rows[i].key,
                      list ? "[]" : "");
        nk_buf_printf(out, "\n## %.*s\n\n%s\n%s\n", NK_FMT(nk_buf_str(&name)), rows[i].english,
                      rows[i].japanese);
        put_table(rows[i].items, out);
        put_sections(rows[i].items, nk_buf_str(&name), out);
        nk_buf_free(&name);
    }
}

void nk_config_reference(struct nk_buf *out)
{
    nk_buf_printf(
        out,
        "# Configuration\n\n"
        "Generated from `src/config/config.def` by `nakoso config reference`.\n\n"
        "One YAML file configures everything. The smallest one is\n\n"
        "```yaml\n"
        "listen:\n  - address: 127.0.0.1:8080\n"
        "upstreams:\n  - name: openai\n    dialect: openai\n    url: https://api.openai.com\n"
        "    credential: file:openai.key\n"
        "models:\n  - name: gpt-4o\n    upstream: openai\n"
        "```\n\n"
        "- A **duration** is a whole number with `ms`, `s`, `m`, `h` or `d`; a **size** is bytes, "
        "or a whole number with `KiB`, `MiB` or `GiB`.\n"
        "- A **path** that does not begin with `/` is relative to the configuration file.\n"
        "- A **secret reference** is `file:PATH` or `env:NAME`. The secret itself never stands in "
        "the file, and the file that holds it may be read by its owner only.\n"
        "- A **pin** is the base64 of the SHA-256 of a certificate's public key (RFC 7469); a "
        "**destination** is `HOST:PORT`, a network `10.0.0.0/8:443` or `[fd00::/8]:443`, or "
        "`unix:PATH`; a **proxy** is `http://HOST:PORT` or `direct`.\n"
        "- A **list** in brackets `[]` repeats its keys for each entry.\n"
        "- The key decides what a value means: `no`, `0123` or `1:30` are never turned into "
        "something else. Anchors, aliases, tags, merge keys, several documents in one file and "
        "keys given twice are refused.\n"
        "- `nakoso config schema` prints a JSON Schema for editors (also in "
        "`docs/reference/nakoso.schema.json`), `nakoso config show -c FILE` all values with their "
        "defaults.\n\n"
        "## Top level\n");
    put_table(NK_CONFIG_ROOT, out);
    put_sections(NK_CONFIG_ROOT, NK_STR(""), out);
}
