/* SPDX-License-Identifier: Apache-2.0
 *
 * policy.h - `nakoso policy`: commands for who writes policies. They need files alone, no
 * configuration and no running gateway. argv[0] is the sub-command's name; each returns its exit
 * status, which its usage tells.
 */
#pragma once

int nk_cmd_policy(int argc, char **argv);

#define POLICY(name, text) int nk_policy_##name(int argc, char **argv);
#include "cmd/policy.def"
#undef POLICY
