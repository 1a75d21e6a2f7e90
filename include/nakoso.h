/* SPDX-License-Identifier: Apache-2.0
 *
 * nakoso.h - the installed header of libnakoso, the pure core: it opens nothing, knows no clock and
 * keeps no state. What a program may rely on from release to release is declared here and nowhere
 * else; today that is the version.
 */
#pragma once

/* The version of the library, as "0.1.0"; static memory. */
const char *nk_version(void);
