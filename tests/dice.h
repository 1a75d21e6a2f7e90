/* SPDX-License-Identifier: Apache-2.0
 *
 * dice.h - random numbers that follow from a seed (xorshift64*; the seed is not 0).
 */
#pragma once

#include <stdint.h>

struct dice {
    uint64_t state;
};

static uint32_t roll(struct dice *d, uint32_t sides)
{
    d->state ^= d->state << 13;
    d->state ^= d->state >> 7;
    d->state ^= d->state << 17;
    return (uint32_t)((d->state * 0x9e3779b97f4a7c15u >> 32) % sides);
}
