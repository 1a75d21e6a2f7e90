/* SPDX-License-Identifier: Apache-2.0
 *
 * hook.h - rows of the table of the dialect "hook".
 */
#pragma once

#include "proto/proto.h"

enum nk_hook_kind { NK_HOOK_NGINX, NK_HOOK_ENVOY };

const struct nk_dialect *nk_hook_dialect(void);
