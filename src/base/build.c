/* SPDX-License-Identifier: Apache-2.0
 *
 * build.c - see build.h.
 */
#include "base/build.h"

bool nk_build_has_sanitizer(void)
{
#if defined(NK_ASAN) || defined(__SANITIZE_ADDRESS__)
    return true;
#else
    return false;
#endif
}
