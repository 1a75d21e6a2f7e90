/* SPDX-License-Identifier: Apache-2.0
 *
 * scan.h - walks over bytes that need no look, sixteen at a time where the processor can: the inner
 * loops of the text parsers. Each function reads only inside [p, end).
 */
#pragma once

#include <stddef.h>

/* First byte that a JSON string may not hold as it is or that needs a look: '"', '\\', below 0x20
 * or above 0x7F. `end` when there is none. */
const char *nk_scan_plain(const char *p, const char *end);
/* First byte that is no space, tab, line feed or carriage return; `end` when there is none. */
const char *nk_scan_space(const char *p, const char *end);
/* Behind a run of valid UTF-8 sequences of two to four bytes: the first ASCII byte, the first byte
 * of an invalid sequence (above 0x7F), or `end`. */
const char *nk_scan_wide(const char *p, const char *end);
