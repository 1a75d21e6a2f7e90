/* SPDX-License-Identifier: Apache-2.0
 *
 * wire - heads from another role, which may be hostile. First byte: call or answer. What is decoded
 * and encoded again is the same bytes.
 */
#include <stdint.h>
#include "role/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 1)
        return 0;
    struct nk_arena a;
    struct nk_buf b;
    struct nk_str in = {(const char *)data + 1, n - 1};
    struct nk_wire_call_head call;
    struct nk_http_head answer;
    struct nk_route route;
    nk_arena_init(&a, 1 << 20);
    nk_buf_init(&b, 1 << 20);
    int rc;
    if (data[0] & 1) {
        rc = nk_wire_get_call(in, 64, &a, &call);
        if (!rc)
            nk_wire_put_call(&call, &b);
    } else {
        rc = nk_wire_get_answer(in, 64, &a, &answer, &route);
        if (!rc)
            nk_wire_put_answer(&answer, &route, &b);
    }
    NK_MUST(rc || nk_str_eq(nk_buf_str(&b), in));
    nk_buf_free(&b);
    nk_arena_free(&a);
    return 0;
}
