/* SPDX-License-Identifier: Apache-2.0
 *
 * @NAME@.c - any bytes into the parser; and what must hold for all that it accepts.
 */
#include "base/utf8.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nk_str text = {(const char *)data, size};
    if (nk_utf8_check(text) > size)
        abort();
    return 0;
}
