/* SPDX-License-Identifier: Apache-2.0
 *
 * tap.h - test programs say what they found in TAP (testanything.org), one line per check or case:
 * "ok 1 - name", "not ok 2 - name", "ok 3 - name # SKIP why". tools/check adds them up.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int tap_count, tap_failed;

/* Prints one result; returns `pass`. */
__attribute__((format(printf, 2, 3), unused)) static bool tap_ok(bool pass, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    printf("%sok %d - ", pass ? "" : "not ", ++tap_count);
    vprintf(fmt, args);
    putchar('\n');
    va_end(args);
    tap_failed += !pass;
    return pass;
}

__attribute__((unused)) static void tap_skip(const char *name, const char *why)
{
    printf("ok %d - %s # SKIP %s\n", ++tap_count, name, why);
}

/* Call at the end of main: prints the plan, returns the exit status. */
__attribute__((unused)) static int tap_done(void)
{
    printf("1..%d\n", tap_count);
    return tap_failed != 0;
}

#define TAP_CHECK(cond) tap_ok((cond), "%s:%d %s", __FILE__, __LINE__, #cond)
