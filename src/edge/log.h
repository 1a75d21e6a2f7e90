/* SPDX-License-Identifier: Apache-2.0
 *
 * log.h - what operators read: one line on stderr for each event, as JSON
 *
 *     {"time":"2026-11-22T02:35:00.123Z","level":"error","role":"gate","slot":0,"event":"…",
 *      "message":"…"}
 *
 * or, when stderr is a terminal, as text. A line is one write, so lines of roles do not mix. Never
 * a prompt, never a secret.
 */
#pragma once

#include "base/str.h"

enum nk_log_level { NK_LOG_ERROR, NK_LOG_WARNING, NK_LOG_INFO, NK_LOG_DEBUG };

/* For the whole process; `role` is a static string, `slot` < 0 is left out. Until then lines are
 * of role "nakoso" at level info. */
void nk_log_open(const char *role, int slot, enum nk_log_level least);
void nk_log_set_level(enum nk_log_level least);
enum nk_log_level nk_log_get_level(void);
/* "error", "warning", "info", "debug"; anything else is info. */
enum nk_log_level nk_log_level_parse(struct nk_str name);
/* `event` is a stable name in dots ("role.died"); the text is for people. */
void nk_log(enum nk_log_level level, const char *event, const char *fmt, ...) NK_PRINTF(3, 4);
