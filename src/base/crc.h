/* SPDX-License-Identifier: Apache-2.0
 *
 * crc.h - CRC-32 as Ethernet, gzip and AWS event streams have it (ISO 3309; polynomial 0x04C11DB7, reflected). It finds
 * accidents, never an attacker.
 */
#pragma once

#include "base/str.h"

/* Of `s` behind bytes whose value is `before` (0: behind none). */
uint32_t nk_crc32(uint32_t before, struct nk_str s);
