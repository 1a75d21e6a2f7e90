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
    struct nk_route r;
    struct nk_buf b;
    nk_buf_init(&b, 4096);
    nk_wire_put_answer(&h, NULL, &b);
    TAP_CHECK(nk_wire_get_answer(nk_buf_str(&b), 2, &arena, &g, &r) == 0);
    TAP_CHECK(g.status == 200 && g.content_length == -1 && same_fields(&g, &h));
    TAP_CHECK(nk_wire_get_answer(nk_buf_str(&b), 1, &arena, &g, &r) == NK_ELIMIT);
    bool ok = true;
    for (size_t n = 0; n < b.n; n++)
        ok &= nk_wire_get_answer(nk_str_sub(nk_buf_str(&b), 0, n), 2, &arena, &g, &r) == NK_EINVAL;
    tap_ok(ok, "an answer cut anywhere is refused");
    nk_buf_add_char(&b, 0);
    tap_ok(nk_wire_get_answer(nk_buf_str(&b), 2, &arena, &g, &r) == NK_EINVAL, "a byte behind it");
    static const struct nk_http_head bad[] = {
        {.status = 99}, {.status = 600}, {.status = 200, .content_length = -2}};
    for (size_t i = 0; i < NK_COUNT(bad); i++) {
        nk_buf_clear(&b);
        nk_wire_put_answer(&bad[i], NULL, &b);
        tap_ok(nk_wire_get_answer(nk_buf_str(&b), 2, &arena, &g, &r) == NK_EINVAL, "bad answer %zu",
               i);
    }
    nk_buf_clear(&b);
    h.header_count = 0;
    nk_wire_put_answer(&h, NULL, &b);
    TAP_CHECK(nk_wire_get_answer(nk_buf_str(&b), 0, &arena, &g, &r) == 0 && g.header_count == 0);
    struct nk_arena small;
    nk_arena_init(&small, 1);
    TAP_CHECK(nk_wire_get_answer(nk_buf_str(&b), 0, &small, &g, &r) == NK_ENOMEM);
    nk_buf_free(&b);
}

static void route_cases(void)
{
    static const struct nk_route_failed failed[NK_ROUTE_MAX + 1] = {
        {2, {"no connection in time", 21}}, {0, {"", 0}}, {NK_ROUTE_NOWHERE, {"x", 1}}};
    struct nk_route route = {1, failed, 3}, r;
    struct nk_http_head h = {.status = 503, .headers = fields, .header_count = 2}, g;
    struct nk_buf b;
    uint32_t code;
    nk_buf_init(&b, 4096);
    nk_wire_put_answer(&h, &route, &b);
    TAP_CHECK(nk_wire_get_answer(nk_buf_str(&b), 2, &arena, &g, &r) == 0 && g.status == 503);
    tap_ok(r.endpoint == 1 && r.failed_count == 3 && r.failed[0].endpoint == 2 &&
               nk_str_eq(r.failed[0].why, failed[0].why) && !r.failed[1].why.n &&
               r.failed[2].endpoint == NK_ROUTE_NOWHERE,
           "an answer tells which way it came");
    nk_buf_clear(&b);
    nk_wire_put_fail(NK_WIRE_FAIL_STALLED, &route, &b);
    TAP_CHECK(nk_wire_get_fail(nk_buf_str(&b), &arena, &code, &r) == 0);
    tap_ok(code == NK_WIRE_FAIL_STALLED && r.endpoint == 1 && r.failed_count == 3,
           "and so does a failure");
    bool ok = true;
    for (size_t n = 0; n < b.n; n++)
        ok &= nk_wire_get_fail(nk_str_sub(nk_buf_str(&b), 0, n), &arena, &code, &r) == NK_EINVAL;
    tap_ok(ok, "a failure cut anywhere is refused");
    nk_buf_add_char(&b, 0);
    TAP_CHECK(nk_wire_get_fail(nk_buf_str(&b), &arena, &code, &r) == NK_EINVAL);
    nk_buf_clear(&b);
    route.failed_count = NK_ROUTE_MAX + 1;
    nk_wire_put_fail(1, &route, &b);
    tap_ok(nk_wire_get_fail(nk_buf_str(&b), &arena, &code, &r) == NK_EINVAL, "too many attempts");
    nk_buf_free(&b);
}

int main(void)
{
    nk_arena_init(&arena, 1 << 24);
    call_cases();
    answer_cases();
    route_cases();
    nk_arena_free(&arena);
    return tap_done();
}
