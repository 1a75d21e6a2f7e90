/* SPDX-License-Identifier: Apache-2.0
 *
 * a2a.c - messages of A2A written anew, against tests/cases/a2a/messages.cases (which says how its cases are written);
 * methods by version, and what the header A2A-Version may say.
 */
#include "proto/a2a.h"

#include "cases.h"
#include "tap.h"

static const struct nk_json_limits limits = {1 << 20, 64, 1 << 16};
static struct nk_arena arena;

static int value(void *ctx, enum nk_a2a_kind kind, const struct nk_json *doc, uint32_t at,
                 struct nk_buf *out, struct nk_fault *f)
{
    static const char mark[] = {
        [NK_A2A_ID_TASK] = 'T',    [NK_A2A_ID_CONTEXT] = 'C', [NK_A2A_ID_PAGE] = 'P',
        [NK_A2A_ROLE] = 'R',       [NK_A2A_RECIPIENT] = 'U',  [NK_A2A_TEXT] = 't',
        [NK_A2A_CREDENTIAL] = '\0'};
    bool answer = *(bool *)ctx;
    bool goes = kind == NK_A2A_FILE || kind == NK_A2A_NOTE || kind == NK_A2A_FREE ||
                kind == NK_A2A_CREDENTIAL;
    (void)f;
    if (answer && goes)
        return NK_ENOTFOUND;
    if (answer && kind == NK_A2A_DATA) {
        nk_buf_printf(out, "{\"d\":%.*s}", NK_FMT(nk_json_span(doc, at)));
        return 0;
    }
    bool plain = answer ? kind == NK_A2A_RECIPIENT : kind == NK_A2A_TEXT;
    if (mark[kind] && !plain) {
        struct nk_str text = nk_json_string(doc, at, &arena);
        nk_buf_printf(out, "\"%c(%.*s)\"", mark[kind], NK_FMT(text));
        return 0;
    }
    nk_buf_add(out, nk_json_span(doc, at));
    return 0;
}

static void one_case(const struct case_line *c, void *ctx)
{
    struct nk_str rest = nk_str(c->expect), version = nk_str_cut(&rest, ' '),
                  method = nk_str_cut(&rest, ' '), way = nk_str_cut(&rest, ' ');
    bool is_new = nk_str_eq(version, NK_STR("1.0"));
    bool answer = nk_str_eq(way, NK_STR("<="));
    struct nk_json doc;
    struct nk_fault f = {0};
    struct nk_buf out;
    char refused[512];
    const struct nk_a2a_visit v = {.value = value,
                                   .ctx = &answer,
                                   .is_new = is_new,
                                   .is_answer = answer,
                                   .gone = NK_STR("gone"),
                                   .a = &arena};
    enum nk_a2a_op op = nk_a2a_op(method, is_new);
    (void)ctx;
    nk_buf_init(&out, 1 << 20);
    TAP_CHECK(op < NK_A2A_OPS);
    TAP_CHECK(nk_json_parse(&limits, (struct nk_str){c->input, c->n}, &arena, &doc, &f) == 0);
    int rc = nk_a2a_write(op, &doc, 0, &v, &out, &f);
    snprintf(refused, sizeof refused, "refused: %s", f.message);
    struct nk_str found = rc ? nk_str(refused) : nk_buf_str(&out);
    rest = nk_str_trim(rest);
    bool good = rc ? nk_str_starts(found, rest) : nk_str_eq(found, rest);
    if (!tap_ok(good, "messages.cases:%d", c->line))
        printf("#   found %.*s\n", NK_FMT(found));
    nk_buf_free(&out);
    nk_arena_reset(&arena);
}

static void methods(void)
{
    tap_ok(nk_a2a_op(NK_STR("SendMessage"), true) == NK_A2A_SEND, "a method of 1.0");
    tap_ok(nk_a2a_op(NK_STR("SendMessage"), false) == NK_A2A_OPS, "... is none of 0.3");
    tap_ok(nk_a2a_op(NK_STR("message/send"), true) == NK_A2A_OPS, "nor the reverse");
    tap_ok(nk_a2a_op(NK_STR("sendMessage"), true) == NK_A2A_OPS, "names have their case");
    tap_ok(nk_a2a_op(NK_STR(""), false) == NK_A2A_OPS, "no name is no method");
}

static int version_of(const char *a, const char *b, bool *is_new)
{
    struct nk_http_header list[] = {{NK_STR("A2A-Version"), nk_str(a)},
                                    {NK_STR("a2a-version"), nk_str(b)}};
    const struct nk_http_head h = {.headers = list, .header_count = b ? 2 : a ? 1 : 0};
    return nk_a2a_version(&h, is_new);
}

static void versions(void)
{
    bool is_new;
    tap_ok(version_of("1.0", NULL, &is_new) == 0 && is_new, "1.0");
    tap_ok(version_of("0.3", NULL, &is_new) == 0 && !is_new, "0.3");
    tap_ok(version_of(NULL, NULL, &is_new) == 0 && !is_new, "no header is 0.3");
    tap_ok(version_of("", NULL, &is_new) == 0 && !is_new, "an empty one as well");
    tap_ok(version_of("1.1", NULL, &is_new) == NK_EUNSUPPORTED, "1.1 is not known");
    tap_ok(version_of("1.0", "1.0", &is_new) == NK_EUNSUPPORTED, "two headers are refused");
}

int main(void)
{
    nk_arena_init(&arena, 1 << 24);
    TAP_CHECK(cases_read("tests/cases/a2a/messages.cases", one_case, NULL) > 40);
    methods();
    versions();
    nk_arena_free(&arena);
    return tap_done();
}
