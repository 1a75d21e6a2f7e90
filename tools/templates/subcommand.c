/* SPDX-License-Identifier: Apache-2.0
 *
 * @NAME@.c - `nakoso @NAME@`: what it does, for whom.
 */
#include "cmd/@NAME@.h"

#include <stdio.h>

int nk_cmd_@NAME@(int argc, char **argv)
{
    (void)argv;
    if (argc > 1) {
        fputs("usage: nakoso @NAME@\n", stderr);
        return 2;
    }
    return 0;
}
