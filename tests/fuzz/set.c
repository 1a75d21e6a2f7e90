/* SPDX-License-Identifier: Apache-2.0
 *
 * set.c - the input as a policy set. What can be read must be written in its canonical form, which
 * must read back and write to the same bytes; and judges must be built from it or refuse it.
 */
#include "chain/set.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nk_arena a;
    struct nk_set set, back;
    struct nk_buf once, twice;
    struct nk_cedar_policies *policies;
    struct nk_cedar_entities *entities;
    nk_arena_init(&a, 64 << 20);
    nk_buf_init(&once, 1 << 22);
    nk_buf_init(&twice, 1 << 22);
    if (nk_set_read((struct nk_str){(const char *)data, size}, &a, &set, NULL) == 0) {
        nk_set_write(&set, &once);
        NK_MUST(once.error || nk_set_read(nk_buf_str(&once), &a, &back, NULL) == 0);
        if (!once.error) {
            nk_set_write(&back, &twice);
            NK_MUST(nk_str_eq(nk_buf_str(&once), nk_buf_str(&twice)));
        }
        (void)!nk_set_policies(&set, &a, &policies, NULL);
        (void)!nk_set_entities(&set, &a, &entities, NULL);
    }
    nk_buf_free(&once);
    nk_buf_free(&twice);
    nk_arena_free(&a);
    return 0;
}
