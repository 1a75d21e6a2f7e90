/* SPDX-License-Identifier: Apache-2.0
 *
 * keyfile.c - any bytes as an API key file. What is read, written again, must read as the same.
 */
#include "ident/keyfile.h"

#include <stdlib.h>

static const uint64_t seed[2] = {7, 8};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool cond)
{
    if (!cond)
        abort();
}

static void write_all(const struct nk_keyfile *file, struct nk_buf *out)
{
    nk_buf_init(out, NK_KEYFILE_MAX_BYTES);
    for (size_t i = 0; i < file->count; i++) {
        must(nk_keyfile_check(&file->entries[i], NULL) == 0);
        nk_keyfile_put(&file->entries[i], out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nk_arena a;
    struct nk_keyfile file, again;
    struct nk_buf once, twice;
    nk_arena_init(&a, 64 << 20);
    if (nk_keyfile_parse((struct nk_str){(const char *)data, size}, "f", seed, &a, &file, NULL) ==
        0) {
        write_all(&file, &once);
        must(!once.error);
        must(nk_keyfile_parse(nk_buf_str(&once), "g", seed, &a, &again, NULL) == 0);
        must(again.count == file.count);
        write_all(&again, &twice);
        must(nk_str_eq(nk_buf_str(&once), nk_buf_str(&twice)));
        nk_buf_free(&once);
        nk_buf_free(&twice);
    }
    nk_arena_free(&a);
    return 0;
}
