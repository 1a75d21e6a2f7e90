/* SPDX-License-Identifier: Apache-2.0
 *
 * schema.c - JSON Schema against tests/cases/json/schema.cases, with and without the question what is described.
 */
#include "json/schema.h"

#include "cases.h"
#include "tap.h"

static const struct nk_json_limits limits = {8 << 20, 256, 1 << 20};

struct session {
    struct nk_arena arena;
    struct nk_json doc;
    const struct nk_schema *schema;
    struct nk_fault fault;
};

static void put_described(const struct nk_json *doc, uint32_t at, const unsigned char *described,
                          struct nk_buf *out)
{
    bool is_object = nk_json_type(doc, at) == NK_JSON_OBJECT;
    if (!is_object && nk_json_type(doc, at) != NK_JSON_ARRAY) {
        nk_buf_add(out, nk_json_span(doc, at));
        return;
    }
    nk_buf_add_char(out, is_object ? '{' : '[');
    for (uint32_t i = nk_json_first(doc, at); i != NK_JSON_NONE; i = nk_json_next(doc, at, i)) {
        uint32_t value = is_object ? i + 1 : i;
        if (!(described[i / 8] >> i % 8 & 1) || !(described[value / 8] >> value % 8 & 1))
            continue;
        if (out->p[out->n - 1] != '{' && out->p[out->n - 1] != '[')
            nk_buf_add_char(out, ',');
        if (is_object) {
            nk_buf_add(out, nk_json_span(doc, i));
            nk_buf_add_char(out, ':');
        }
        put_described(doc, value, described, out);
    }
    nk_buf_add_char(out, is_object ? '}' : ']');
}

/* What a case expects, as it came. */
static void answer(struct session *s, bool describe, struct nk_buf *out)
{
    const unsigned char *described = NULL;
    uint32_t schema = nk_json_first(&s->doc, 0), value = nk_json_next(&s->doc, 0, schema);
    int rc = nk_schema_new(nk_json_span(&s->doc, schema), &s->arena, &s->schema, &s->fault);
    if (rc) {
        nk_buf_printf(out, "refuse %s", s->fault.message);
        return;
    }
    rc = nk_schema_check(s->schema, &s->doc, value, &s->arena, &s->fault);
    struct nk_fault again = {0};
    int same = nk_schema_check_declared(s->schema, &s->doc, value, &s->arena, &described, &again);
    if (same != rc || strcmp(s->fault.message, again.message) != 0)
        nk_buf_printf(out, "differs when asked for what is described");
    else if (rc == NK_EINVAL)
        nk_buf_printf(out, "invalid %s", s->fault.message);
    else if (rc || !describe)
        nk_buf_printf(out, "%s", rc == NK_ELIMIT ? "limit" : rc ? "error" : "valid");
    else {
        nk_buf_printf(out, "describes ");
        put_described(&s->doc, value, described, out);
    }
}

static void run_case(const struct case_line *c, void *ctx)
{
    struct session s = {.fault = {0}};
    struct nk_buf have;
    (void)ctx;
    nk_arena_init(&s.arena, 64 << 20);
    nk_buf_init(&have, 1 << 20);
    if (nk_json_parse(&limits, (struct nk_str){c->input, c->n}, &s.arena, &s.doc, &s.fault))
        nk_buf_printf(&have, "no JSON: %s", s.fault.message);
    else
        answer(&s, strncmp(c->expect, "describes", 9) == 0, &have);
    tap_ok(nk_str_eq(nk_buf_str(&have), nk_str(c->expect)), "schema.cases:%d %s (came: %.*s)",
           c->line, c->expect, NK_FMT(nk_buf_str(&have)));
    nk_buf_free(&have);
    nk_arena_free(&s.arena);
}

/* Parts of a value that are many: each is a step, and equal ones are found by sorting. */
static bool many_items(bool twice)
{
    struct session s = {.fault = {0}};
    struct nk_buf text;
    nk_arena_init(&s.arena, 256 << 20);
    nk_buf_init(&text, 1 << 20);
    nk_buf_printf(&text, "[{\"uniqueItems\":true,\"items\":{\"type\":\"integer\"}},[");
    for (int i = 0; i < 50000; i++)
        nk_buf_printf(&text, "%s%d", i ? "," : "", i);
    nk_buf_printf(&text, "%s]]", twice ? ",17" : "");
    struct nk_buf have;
    nk_buf_init(&have, 4096);
    bool read = nk_json_parse(&limits, nk_buf_str(&text), &s.arena, &s.doc, &s.fault) == 0;
    if (read)
        answer(&s, false, &have);
    bool good =
        nk_str_eq(nk_buf_str(&have),
                  twice ? NK_STR("invalid has an item twice (uniqueItems)") : NK_STR("valid"));
    nk_buf_free(&have);
    nk_buf_free(&text);
    nk_arena_free(&s.arena);
    return good;
}

int main(void)
{
    TAP_CHECK(cases_read("tests/cases/json/schema.cases", run_case, NULL) > 80);
    TAP_CHECK(many_items(false));
    TAP_CHECK(many_items(true));
    return tap_done();
}
