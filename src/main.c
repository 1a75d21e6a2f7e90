/* SPDX-License-Identifier: Apache-2.0
 *
 * main.c - the map of the house; see ARCHITECTURE.md.
 */
#include "base/str.h"

int main(void)
{
    return nk_str("").n != 0;
}
