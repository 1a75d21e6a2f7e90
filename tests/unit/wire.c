/* SPDX-License-Identifier: Apache-2.0
 *
 * wire - heads between roles: what goes in comes out; anything cut, extended or out of range is
 * refused.
 */
#include "tap.h"
#include "role/wire.h"

static struct nk_http_header fields[] = {{{"host", 4}, {"a", 1}}, {{"x-empty", 7}, {"", 0}}};
static struct nk_arena arena;

static bool same_fields(const struct nk_http_head *a, const struct nk_http_head *b)
{
    bool same = a->header_count == b->header_count;
    for (size_t i = 0; same && i < a->header_count; i++)
        same = nk_str_eq(a->headers[i].name, b->headers[i].name) &&
               nk_str_eq(a->headers[i].value, b->headers[i].value);
    return same;
}

static void call_cases(void)
{
    struct nk_wire_call_head h = {.upstream = 3, .config = 0x80000001u, .body_bytes = INT64_MAX};
    h.http = (struct nk_http_head){.method = NK_STR("POST"),
                                   .target = NK_STR("/v1/x?y"),
                                   .headers = fields,
                                   .header_count = 2};
    struct nk_wire_call_head g;
    struct nk_buf b;
    nk_buf_init(&b, 4096);
    nk_wire_put_call(&h, &b);
    TAP_CHECK(nk_wire_get_call(nk_buf_str(&b), 2, &arena, &g) == 0);
    TAP_CHECK(g.upstream == 3 && g.config == 0x80000001u && g.body_bytes == INT64_MAX);
    TAP_CHECK(nk_str_eq(g.http.method, h.http.method) && nk_str_eq(g.http.target, h.http.target));
    TAP_CHECK(same_fields(&g.http, &h.http));
    TAP_CHECK(nk_wire_get_call(nk_buf_str(&b), 1, &arena, &g) == NK_ELIMIT);
    bool ok = true;
    for (size_t n = 0; n < b.n; n++)
        ok &= nk_wire_get_call(nk_str_sub(nk_buf_str(&b), 0, n), 2, &arena, &g) == NK_EINVAL;
    tap_ok(ok, "a call cut anywhere is refused");
    nk_buf_add_char(&b, 0);
    tap_ok(nk_wire_get_call(nk_buf_str(&b), 2, &arena, &g) == NK_EINVAL, "a byte behind a call");
    nk_buf_clear(&b);
    h.body_bytes = -1;
    nk_wire_put_call(&h, &b);
    tap_ok(nk_wire_get_call(nk_buf_str(&b), 2, &arena, &g) == NK_EINVAL, "a negative body");
    nk_buf_free(&b);
}

static void answer_cases(void)
{
    struct nk_http_head h = {
        .status = 200, .content_length = -1, .headers = fields, .header_count = 2};
    struct nk_http_head g;
    struct nk_buf b;
    nk_buf_init(&b, 4096);
    nk_wire_put_answer(&h, &b);
    TAP_CHECK(nk_wire_get_answer(nk_buf_str(&b), 2, &arena, &g) == 0);
    TAP_CHECK(g.status == 200 && g.content_length == -1 && same_fields(&g, &h));
    TAP_CHECK(nk_wire_get_answer(nk_buf_str(&b), 1, &arena, &g) == NK_ELIMIT);
    bool ok = true;
    for (size_t n = 0; n < b.n; n++)
        ok &= nk_wire_get_answer(nk_str_sub(nk_buf_str(&b), 0, n), 2, &arena, &g) == NK_EINVAL;
    tap_ok(ok, "an answer cut anywhere is refused");
    nk_buf_add_char(&b, 0);
    tap_ok(nk_wire_get_answer(nk_buf_str(&b), 2, &arena, &g) == NK_EINVAL, "a byte behind it");
    static const struct nk_http_head bad[] = {
        {.status = 99}, {.status = 600}, {.status = 200, .content_length = -2}};
    for (size_t i = 0; i < NK_COUNT(bad); i++) {
        nk_buf_clear(&b);
        nk_wire_put_answer(&bad[i], &b);
        tap_ok(nk_wire_get_answer(nk_buf_str(&b), 2, &arena, &g) == NK_EINVAL, "bad answer %zu", i);
    }
    nk_buf_clear(&b);
    h.header_count = 0;
    nk_wire_put_answer(&h, &b);
    TAP_CHECK(nk_wire_get_answer(nk_buf_str(&b), 0, &arena, &g) == 0 && g.header_count == 0);
    struct nk_arena small;
    nk_arena_init(&small, 1);
    TAP_CHECK(nk_wire_get_answer(nk_buf_str(&b), 0, &small, &g) == NK_ENOMEM);
    nk_buf_free(&b);
}

int main(void)
{
    nk_arena_init(&arena, 1 << 24);
    call_cases();
    answer_cases();
    nk_arena_free(&arena);
    return tap_done();
}
