/* SPDX-License-Identifier: Apache-2.0
 *
 * field.c - what it costs to filter a result of 100 KiB: a list of patients of which some fields may not be read,
 * as a value, and as an MCP result with a text twin and as one with the text alone; the JSON is parsed each time, as a gate does it. Prints
 * microseconds, the best of several rounds.
 */
#include "field/field.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const struct nk_json_limits limits = {1 << 24, 128, 1 << 22};

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Patients, about 480 bytes each, until `size` bytes are full. */
static void build_value(struct nk_buf *out, size_t size)
{
    nk_buf_add(out, NK_STR("{\"patients\":["));
    for (unsigned i = 1000; out->n + 500 < size; i++)
        nk_buf_printf(
            out,
            "%s{\"id\":\"%u\",\"name\":\"Hanako "
            "Yamada\",\"born\":\"1968-04-12\",\"phone\":\"+81-3-5550-0134\","
            "\"appointments\":[{\"at\":\"2026-12-03T09:30\",\"with\":\"jane.smith\"}],\"medical\":{"
            "\"diagnoses\":[\"type 2 "
            "diabetes\",\"hypertension\"],\"medication\":[{\"name\":\"metformin\",\"mg\":500},"
            "{\"name\":\"amlodipine\",\"mg\":5}],\"hba1c\":7.1},\"notes\":\"HbA1c 7.1 %% in "
            "October; next check in "
            "December.\\nKeeps a diary.\",\"insurance\":{\"number\":\"A-%u\",\"valid\":true}}",
            i == 1000 ? "" : ",", i, i * 7919);
    nk_buf_add(out, NK_STR("]}"));
}

static void wrap_mcp(struct nk_buf *out, struct nk_str value, bool structured)
{
    nk_buf_add(out, NK_STR("{\"content\":[{\"type\":\"text\",\"text\":"));
    nk_json_put_string(out, value);
    nk_buf_add(out, NK_STR("}]"));
    if (structured) {
        nk_buf_add(out, NK_STR(",\"structuredContent\":"));
        nk_buf_add(out, value);
    }
    nk_buf_add_char(out, '}');
}

static void run(const char *name, const struct nk_field_ask *ask, enum nk_field_form form,
                struct nk_str text)
{
    double best = 1e9;
    struct nk_arena arena;
    struct nk_buf out;
    struct nk_field_report report = {0};
    nk_arena_init(&arena, 256 << 20);
    nk_buf_init(&out, 1 << 24);
    for (int round = 0; round < 7; round++) {
        double start = seconds();
        for (int i = 0; i < 50; i++) {
            struct nk_json doc;
            nk_buf_clear(&out);
            if (nk_json_parse(&limits, text, &arena, &doc, NULL) ||
                nk_field_filter(ask, form, &doc, 0, &arena, &out, &report, NULL))
                abort();
            nk_arena_reset(&arena);
        }
        double took = (seconds() - start) / 50;
        best = took < best ? took : best;
    }
    printf("field %-28s %7zu -> %7zu bytes, %5u hidden: %6.0f us (%.0f us per 100 KiB)\n", name,
           text.n, out.n, report.hidden, best * 1e6, best * 1e6 * 102400 / (double)text.n);
    nk_buf_free(&out);
    nk_arena_free(&arena);
}

int main(void)
{
    const struct nk_field_rule rules[] = {
        {NK_STR("$.patients[*].medical"), 0, NK_FIELD_DROP, {NULL, 0}},
        {NK_STR("$.patients[*].notes"), 0, NK_FIELD_MASK, {NULL, 0}},
        {NK_STR("$.patients[*].insurance.number"), 1, NK_FIELD_REPLACE, NK_STR("hidden")},
    };
    const struct nk_field_rule deep[] = {
        {NK_STR("$..diagnoses"), 0, NK_FIELD_DROP, {NULL, 0}},
        {NK_STR("$..medication[*].name"), 0, NK_FIELD_DROP, {NULL, 0}},
        {NK_STR("$..notes"), 0, NK_FIELD_DROP, {NULL, 0}},
    };
    struct nk_arena arena;
    struct nk_buf value, mcp, text;
    const struct nk_field_rules *plain, *any;
    nk_arena_init(&arena, 16 << 20);
    nk_buf_init(&value, 1 << 22);
    nk_buf_init(&mcp, 1 << 22);
    nk_buf_init(&text, 1 << 22);
    build_value(&value, 100 << 10);
    wrap_mcp(&mcp, nk_buf_str(&value), true);
    wrap_mcp(&text, nk_buf_str(&value), false);
    struct nk_field_setup setup = {.rules = rules, .rule_count = NK_COUNT(rules)};
    if (nk_field_rules_new(&setup, &arena, &plain, NULL))
        abort();
    setup = (struct nk_field_setup){.rules = deep, .rule_count = NK_COUNT(deep)};
    if (nk_field_rules_new(&setup, &arena, &any, NULL))
        abort();
    run("value, nothing denied", &(struct nk_field_ask){.rules = plain}, NK_FIELD_VALUE,
        nk_buf_str(&value));
    run("value", &(struct nk_field_ask){.rules = plain, .denied = 3}, NK_FIELD_VALUE,
        nk_buf_str(&value));
    run("value, at any depth", &(struct nk_field_ask){.rules = any, .denied = 1}, NK_FIELD_VALUE,
        nk_buf_str(&value));
    run("MCP, with text twin", &(struct nk_field_ask){.rules = plain, .denied = 3}, NK_FIELD_MCP,
        nk_buf_str(&mcp));
    run("MCP, text alone, any depth", &(struct nk_field_ask){.rules = any, .denied = 1},
        NK_FIELD_MCP, nk_buf_str(&text));
    nk_buf_free(&value);
    nk_buf_free(&mcp);
    nk_buf_free(&text);
    nk_arena_free(&arena);
    return 0;
}
