/* SPDX-License-Identifier: Apache-2.0
 *
 * version.c - the version that the Makefile reads from the file VERSION.
 */
#include "nakoso.h"

const char *nk_version(void)
{
    return NK_VERSION;
}
