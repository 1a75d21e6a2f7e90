/* SPDX-License-Identifier: Apache-2.0
 *
 * torture.h - see torture.c.
 */
#pragma once

#include <stdbool.h>

/* From now on allocation number `at` (1 is the next one) fails, or all from it on; 0: none. */
void torture_start(long at, bool from_there_on);
/* No allocation fails any more; how many there were since torture_start. */
long torture_stop(void);
/* Only allocations between these two count: the product's, not the player's. */
void torture_enter(void);
void torture_leave(void);
