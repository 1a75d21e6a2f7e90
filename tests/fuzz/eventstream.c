/* SPDX-License-Identifier: Apache-2.0
 *
 * eventstream - AWS event streams. First byte: how the input is cut. The messages must not depend on it, and written
 * again they must be the bytes that they were read from.
 */
#include <stdint.h>
#include "proto/eventstream.h"

static int run(struct nk_str in, unsigned cut, struct nk_buf *again)
{
    struct nk_eventstream s;
    struct nk_eventstream_message m;
    struct nk_fault f = {0};
    nk_eventstream_init(&s, 4096);
    int rc = NK_EAGAIN;
    for (size_t from = 0; from < in.n && rc == NK_EAGAIN;) {
        cut = cut * 1103515245 + 12345;
        size_t size = (cut >> 16) % 40 + 1;
        rc = nk_eventstream_feed(&s, nk_str_sub(in, from, from + size), &f);
        from += size;
        while (!rc && (rc = nk_eventstream_next(&s, &m, &f)) == 0)
            NK_MUST(nk_eventstream_put(&m, again) == 0);
    }
    NK_MUST(rc != NK_EAGAIN || again->n + nk_eventstream_pending(&s) == in.n);
    nk_eventstream_free(&s);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 1)
        return 0;
    struct nk_buf one, other;
    struct nk_str in = {(const char *)data + 1, n - 1};
    nk_buf_init(&one, 1 << 20);
    nk_buf_init(&other, 1 << 20);
    int rc = run(in, 1, &one);
    NK_MUST(rc == run(in, data[0], &other));
    NK_MUST(nk_str_eq(nk_buf_str(&one), nk_buf_str(&other)));
    NK_MUST(nk_str_eq(nk_buf_str(&one), nk_str_sub(in, 0, one.n)));
    nk_buf_free(&one);
    nk_buf_free(&other);
    return 0;
}
