/* SPDX-License-Identifier: Apache-2.0
 *
 * config.c - the JSON form of the configuration. Oracle: what is accepted is written canonically,
 * read back, and written the same.
 */
#include "config/config.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct nk_arena a;
    struct nk_config first, second;
    struct nk_fault f = {0};
    struct nk_buf one, two;
    nk_arena_init(&a, (size_t)8 << 20);
    nk_buf_init(&one, (size_t)8 << 20);
    nk_buf_init(&two, (size_t)8 << 20);
    int rc = nk_config_parse((struct nk_str){(const char *)data, size}, &a, &first, &f);
    NK_MUST(rc == 0 || f.code == rc);
    NK_MUST(rc == 0 || f.offset <= size);
    if (rc == 0) {
        nk_config_write(&first, &one);
        NK_MUST(nk_config_parse(nk_buf_str(&one), &a, &second, NULL) == 0);
        nk_config_write(&second, &two);
        NK_MUST(nk_str_eq(nk_buf_str(&one), nk_buf_str(&two)));
    }
    nk_buf_free(&one);
    nk_buf_free(&two);
    nk_arena_free(&a);
    return 0;
}
