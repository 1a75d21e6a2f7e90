/* SPDX-License-Identifier: Apache-2.0
 *
 * sse - event streams. First byte: how the input is cut. The events must not depend on it, and
 * their raw bytes put together must be the stream.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "http/sse.h"

static int run(struct nk_str in, unsigned cut, struct nk_buf *out)
{
    struct nk_sse s;
    struct nk_sse_event e;
    struct nk_fault f = {0};
    nk_sse_init(&s, 300);
    size_t raw = 0, from = 0;
    int rc = NK_EAGAIN;
    while (from < in.n && rc == NK_EAGAIN) {
        cut = cut * 1103515245 + 12345;
        size_t size = cut == 12345u ? in.n : (cut >> 16) % 20 + 1;
        size = size > in.n - from ? in.n - from : size;
        rc = nk_sse_feed(&s, nk_str_sub(in, from, from + size), &f);
        from += size;
        if (from == in.n)
            nk_sse_end(&s);
        while (!rc && (rc = nk_sse_next(&s, &e, &f)) == 0) {
            NK_MUST(e.raw.n > 0 && nk_str_eq(e.raw, nk_str_sub(in, raw, raw + e.raw.n)));
            raw += e.raw.n;
            nk_buf_printf(out, "%zu %d:", e.raw.n, e.data.p != NULL);
            nk_buf_add(out, e.data);
            nk_buf_printf(out, " %d:", e.event.p != NULL);
            nk_buf_add(out, e.event);
        }
    }
    NK_MUST(rc != NK_EAGAIN || raw + nk_sse_pending(&s) == in.n);
    nk_sse_free(&s);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 1)
        return 0;
    struct nk_buf whole, cut;
    nk_buf_init(&whole, 1 << 20);
    nk_buf_init(&cut, 1 << 20);
    struct nk_str in = {(const char *)data + 1, n - 1};
    int rc = run(in, 0, &whole);
    NK_MUST(rc == run(in, data[0] + 1u, &cut));
    NK_MUST(nk_str_eq(nk_buf_str(&whole), nk_buf_str(&cut)));
    nk_buf_free(&whole);
    nk_buf_free(&cut);
    return 0;
}
