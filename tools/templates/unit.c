/* SPDX-License-Identifier: Apache-2.0
 *
 * @NAME@.c - what is tested here, and against what.
 */
#include "base/str.h"

#include "tap.h"

static void test_first(void)
{
    TAP_CHECK(nk_str_eq(NK_STR("@NAME@"), nk_str("@NAME@")));
}

int main(void)
{
    test_first();
    return tap_done();
}
