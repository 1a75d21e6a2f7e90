/* SPDX-License-Identifier: Apache-2.0
 *
 * crc.c - see crc.h. Half a byte at a time: the table is sixteen words, and what is checked are short messages.
 */
#include "base/crc.h"

uint32_t nk_crc32(uint32_t before, struct nk_str s)
{
    static const uint32_t half[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
                                      0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
                                      0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                      0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    uint32_t c = ~before;
    for (size_t i = 0; i < s.n; i++) {
        c ^= (unsigned char)s.p[i];
        c = (c >> 4) ^ half[c & 15];
        c = (c >> 4) ^ half[c & 15];
    }
    return ~c;
}
