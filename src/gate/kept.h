/* SPDX-License-Identifier: Apache-2.0
 *
 * kept.h - what of the tools' results in a request was kept from the model: see results.h. Private to gate.
 */
#pragma once

#include <stdint.h>

struct gate_results {
    int64_t hidden, stripped; /* fields: by data class or policy; that no schema declares */
    int64_t left_out;         /* texts, images … that cannot be looked into */
    int64_t withheld;         /* whole results */
};
