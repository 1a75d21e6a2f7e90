/* SPDX-License-Identifier: Apache-2.0
 *
 * build.h - how this program was built, as values: code elsewhere asks instead of using #ifdef.
 */
#pragma once

#include <stdbool.h>

/* AddressSanitizer is in: it makes system calls of its own. */
bool nk_build_has_sanitizer(void);
