/* SPDX-License-Identifier: Apache-2.0
 *
 * log.c - see log.h. Process-wide on purpose: there is one stderr. Needs nothing but write(2) and
 * the clock, so that a confined role can log.
 */
#include "edge/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include "base/encode.h"
#include "base/utf8.h"
#include "json/json.h"

enum { LINE_MAX_BYTES = 4000, TEXT_MAX_BYTES = 1024 };

static struct {
    const char *role;
    int slot;
    enum nk_log_level least;
    int is_terminal; /* 0: not asked yet; 1: no; 2: yes */
} log_state = {"nakoso", -1, NK_LOG_INFO, 0};

static const char *const level_names[] = {"error", "warning", "info", "debug"};

void nk_log_open(const char *role, int slot, enum nk_log_level least)
{
    log_state.role = role;
    log_state.slot = slot;
    log_state.least = least;
    log_state.is_terminal = isatty(STDERR_FILENO) ? 2 : 1;
}

void nk_log_set_level(enum nk_log_level least)
{
    log_state.least = least;
}

enum nk_log_level nk_log_get_level(void)
{
    return log_state.least;
}

enum nk_log_level nk_log_level_parse(struct nk_str name)
{
    for (size_t i = 0; i < NK_COUNT(level_names); i++)
        if (nk_str_eq(name, nk_str(level_names[i])))
            return (enum nk_log_level)i;
    return NK_LOG_INFO;
}

static void line_json(struct nk_buf *out, int64_t now, enum nk_log_level level, const char *event,
                      struct nk_str text)
{
    nk_buf_add(out, NK_STR("{\"time\":\""));
    nk_time_format(now, out);
    nk_buf_printf(out, "\",\"level\":\"%s\",\"role\":\"%s\"", level_names[level], log_state.role);
    if (log_state.slot >= 0)
        nk_buf_printf(out, ",\"slot\":%d", log_state.slot);
    nk_buf_printf(out, ",\"event\":\"%s\",\"message\":", event);
    nk_json_put_string(out, text);
    nk_buf_add(out, NK_STR("}\n"));
}

static void line_text(struct nk_buf *out, int64_t now, enum nk_log_level level, const char *event,
                      struct nk_str text)
{
    nk_time_format(now, out);
    nk_buf_printf(out, " %-7s %s", level_names[level], log_state.role);
    if (log_state.slot >= 0)
        nk_buf_printf(out, "/%d", log_state.slot);
    nk_buf_printf(out, " %s: ", event);
    /* A terminal gets no control characters, wherever they came from. */
    for (size_t i = 0; i < text.n; i++)
        nk_buf_add_char(out, (unsigned char)text.p[i] < ' ' || text.p[i] == 127 ? ' ' : text.p[i]);
    nk_buf_add_char(out, '\n');
}

void nk_log(enum nk_log_level level, const char *event, const char *fmt, ...)
{
    if (level > log_state.least)
        return;
    char text[TEXT_MAX_BYTES];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    struct nk_str said = {text, n < 0 ? 0 : n < (int)sizeof text ? (size_t)n : sizeof text - 1};
    said.n = nk_utf8_check(said); /* a cut may be inside a character */
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    struct nk_buf line;
    nk_buf_init(&line, 8 * TEXT_MAX_BYTES + LINE_MAX_BYTES);
    if (log_state.is_terminal == 2)
        line_text(&line, ms, level, event, said);
    else
        line_json(&line, ms, level, event, said);
    if (!line.error) {
        ssize_t written = write(STDERR_FILENO, line.p, line.n);
        (void)written; /* nowhere to complain */
    }
    nk_buf_free(&line);
}
