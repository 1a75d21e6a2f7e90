/* SPDX-License-Identifier: Apache-2.0
 *
 * field.c - the first line is paths, divided by '|', the rest a result. What is taken out of it is dropped; then what is left is
 * JSON, no longer than before, and the same again when it is filtered once more (unless elements have moved).
 * With '/' in front a line's part is a JSON Pointer, with '{' an output schema to which results are stripped; with the name of a form in front of all, the result is of that form.
 */
#include "field/field.h"

#include <stdlib.h>

#include "base/utf8.h"
#include "json/schema.h"

static const struct nk_json_limits limits = {1 << 16, 200, 1 << 14};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool cond)
{
    if (!cond)
        abort();
}

struct question {
    struct nk_arena arena;
    struct nk_field_rule rules[8];
    struct nk_str pointers[8];
    struct nk_field_setup setup;
    struct nk_field_ask ask;
    enum nk_field_form form;
    bool moves; /* a path counts elements, or what is left need not match */
};

static void read_rules(struct question *q, struct nk_str line)
{
    static const char *const forms[] = {"value",   "mcp",    "openai", "anthropic",
                                        "bedrock", "lambda", "action"};
    for (int first = 1; line.p; first = 0) {
        struct nk_str part = nk_str_cut(&line, '|');
        for (size_t i = 0; i < NK_COUNT(forms) && first; i++)
            if (nk_str_eq(part, nk_str(forms[i]))) {
                q->form = (enum nk_field_form)i;
                part.n = 0;
            }
        for (size_t i = 0; i < part.n; i++)
            q->moves |= part.p[i] >= '0' && part.p[i] <= '9';
        if (part.n && part.p[0] == '{') {
            q->setup.shape = NK_FIELD_STRIP;
            q->moves = true;
            if (nk_schema_new(part, &q->arena, &q->setup.output, NULL))
                q->setup.output = NULL;
        } else if (part.n && part.p[0] == '/' && q->ask.pointer_count < 8) {
            q->pointers[q->ask.pointer_count++] = part;
        } else if (part.n && q->setup.rule_count < 8) {
            q->rules[q->setup.rule_count++] = (struct nk_field_rule){.path = part};
        }
    }
    q->ask.denied = 1;
    q->setup.rules = q->rules;
    q->ask.pointers = q->pointers;
}

static void filter_again(struct question *q, struct nk_str left)
{
    struct nk_json doc;
    struct nk_buf out;
    struct nk_field_report report;
    nk_buf_init(&out, 1 << 18);
    must(nk_json_parse(&limits, left, &q->arena, &doc, NULL) == 0);
    if (q->form == NK_FIELD_VALUE && !q->moves && !nk_str_eq(left, NK_STR("null"))) {
        must(nk_field_filter(&q->ask, q->form, &doc, 0, &q->arena, &out, &report, NULL) == 0);
        must(report.hidden == 0 && !report.changed && nk_str_eq(nk_buf_str(&out), left));
    }
    nk_buf_free(&out);
}

static void filter(struct question *q, struct nk_str text)
{
    struct nk_json doc;
    struct nk_buf out;
    struct nk_field_report report;
    struct nk_fault f = {0};
    nk_buf_init(&out, 1 << 18);
    if (nk_json_parse(&limits, text, &q->arena, &doc, NULL) == 0) {
        int rc = nk_field_filter(&q->ask, q->form, &doc, 0, &q->arena, &out, &report, &f);
        must(rc == f.code);
        bool prose = q->form == NK_FIELD_VALUE && nk_json_type(&doc, 0) == NK_JSON_STRING;
        must(rc || q->form != NK_FIELD_VALUE || out.n <= text.n || out.n == 4);
        if (rc == 0 && !prose)
            filter_again(q, nk_buf_str(&out));
    }
    nk_buf_clear(&out);
    if (nk_utf8_check(text) == text.n)
        must(nk_field_filter_text(&q->ask, text, &q->arena, &out, &report, NULL) != NK_EINVAL);
    nk_buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nk_str all = {(const char *)data, size};
    ptrdiff_t end = nk_str_find(all, '\n');
    struct question *q = calloc(1, sizeof *q);
    struct nk_fault f = {0};
    if (end < 0 || !q || size > limits.max_bytes) {
        free(q);
        return 0;
    }
    nk_arena_init(&q->arena, 64 << 20);
    read_rules(q, nk_str_sub(all, 0, (size_t)end));
    int rc = nk_field_rules_new(&q->setup, &q->arena, &q->ask.rules, &f);
    must(rc == f.code && (rc == 0) == (q->ask.rules != NULL));
    struct nk_fault g = {0};
    struct nk_buf none;
    struct nk_field_report report;
    nk_buf_init(&none, 64);
    /* Pointers that are none are found before anything is filtered. */
    int pointers = nk_field_filter_text(&q->ask, NK_STR("{}"), &q->arena, &none, &report, &g);
    nk_buf_free(&none);
    if (rc == 0 && pointers != NK_EINVAL)
        filter(q, nk_str_sub(all, (size_t)end + 1, size));
    nk_arena_free(&q->arena);
    free(q);
    return 0;
}
