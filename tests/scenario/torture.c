/* SPDX-License-Identifier: Apache-2.0
 *
 * torture.c - every allocation fails in turn. The linker sends malloc, calloc and realloc of all our code
 * through here (--wrap); when the count comes to the chosen one, there is no memory, once or from there on.
 */
#include "scenario/torture.h"

#include <stdlib.h>

static long count, fail_at;
static bool for_good, inside;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static bool fails(void)
{
    if (!inside)
        return false;
    count++;
    return fail_at && (count == fail_at || (for_good && count > fail_at));
}

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}

void torture_start(long at, bool from_there_on)
{
    count = 0;
    fail_at = at;
    for_good = from_there_on;
}

long torture_stop(void)
{
    fail_at = 0;
    return count;
}

void torture_enter(void)
{
    inside = true;
}

void torture_leave(void)
{
    inside = false;
}
