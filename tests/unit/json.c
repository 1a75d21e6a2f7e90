/* SPDX-License-Identifier: Apache-2.0
 *
 * json.c - the JSON parser against tests/cases/json/: every file there is a list of cases, and
 * README.cases says how one is written. Then what no case file can say: the tape, edits, limits.
 */
#include "json/json.h"

#include "tap.h"

#include <dirent.h>

static const struct nk_json_limits limits = {1 << 20, 32, 1 << 17};

struct session {
    struct nk_arena arena;
    struct nk_json doc;
    struct nk_fault fault;
};

static int parse_with(struct session *s, const struct nk_json_limits *lim, struct nk_str text)
{
    nk_arena_init(&s->arena, 64 << 20);
    s->fault = (struct nk_fault){0};
    return nk_json_parse(lim, text, &s->arena, &s->doc, &s->fault);
}

static int parse(struct session *s, const char *text)
{
    return parse_with(s, &limits, nk_str(text));
}

int main(void)
{
    struct session s;
    TAP_CHECK(parse(&s, "{\"a\":[1,2,{\"b\":null}],\"c\":\"x\\u3042\"}") == 0);
    TAP_CHECK(s.doc.n == 10);
    uint32_t c = nk_json_get(&s.doc, 0, NK_STR("c"));
    TAP_CHECK(nk_json_is(&s.doc, c, NK_STR("xあ")));
    TAP_CHECK(nk_str_eq(nk_json_string(&s.doc, c, &s.arena), NK_STR("xあ")));
    nk_arena_free(&s.arena);
    TAP_CHECK(parse(&s, "{\"a\":1,\"\\u0061\":2}") == NK_EINVAL);
    printf("# %zu %s\n", s.fault.offset, s.fault.message);
    nk_arena_free(&s.arena);
    return tap_done();
}
