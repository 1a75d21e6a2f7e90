/* SPDX-License-Identifier: Apache-2.0
 *
 * h2_names.h - the words of HTTP/2 (RFC 9113, sections 6 and 7) and their numbers.
 */
#pragma once

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"

enum h2_type {
    H2_DATA,
    H2_HEADERS,
    H2_PRIORITY,
    H2_RST_STREAM,
    H2_SETTINGS,
    H2_PUSH_PROMISE,
    H2_PING,
    H2_GOAWAY,
    H2_WINDOW_UPDATE,
    H2_CONTINUATION,
    H2_KNOWN,
};

static const char *const h2_types[] = {
    "DATA",         "HEADERS", "PRIORITY", "RST_STREAM",    "SETTINGS",
    "PUSH_PROMISE", "PING",    "GOAWAY",   "WINDOW_UPDATE", "CONTINUATION",
};

static const char *const h2_codes[] = {
    "NO_ERROR",         "PROTOCOL_ERROR",    "INTERNAL_ERROR",   "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT", "STREAM_CLOSED",     "FRAME_SIZE_ERROR", "REFUSED_STREAM",
    "CANCEL",           "COMPRESSION_ERROR", "CONNECT_ERROR",    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SEC",   "HTTP_1_1_REQUIRED",
};

static const char *const h2_settings[] = {
    "",
    "HEADER_TABLE_SIZE",
    "ENABLE_PUSH",
    "MAX_CONCURRENT_STREAMS",
    "INITIAL_WINDOW_SIZE",
    "MAX_FRAME_SIZE",
    "MAX_HEADER_LIST_SIZE",
    "",
    "ENABLE_CONNECT_PROTOCOL",
    "NO_RFC7540_PRIORITIES",
};

/* The place of a word in a list, or else it is a number. */
static inline uint32_t h2_number(const char *const *list, size_t n, struct nk_str word)
{
    for (size_t i = 0; i < n; i++)
        if (nk_str_eq(word, nk_str(list[i])))
            return (uint32_t)i;
    return (uint32_t)strtoul(word.p, NULL, 0);
}

static inline uint32_t h2_code_number(struct nk_str word)
{
    return h2_number(h2_codes, NK_COUNT(h2_codes), word);
}

static inline const char *h2_code_name(uint32_t code)
{
    return code < NK_COUNT(h2_codes) ? h2_codes[code] : "?";
}

/* <2A> is the byte 0x2A, <2A*300> is that byte 300 times. A NUL follows. */
static inline struct nk_str h2_decode(struct nk_str s, char *out, size_t room)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n && n + 1 < room;) {
        unsigned byte = (unsigned char)s.p[i];
        unsigned long times = 1;
        char *end = NULL;
        if (byte == '<') {
            byte = (unsigned)strtoul(s.p + i + 1, &end, 16);
            if (*end == '*')
                times = strtoul(end + 1, &end, 10);
        }
        i = end ? (size_t)(end + 1 - s.p) : i + 1;
        while (times-- && n + 1 < room)
            out[n++] = (char)byte;
    }
    out[n] = 0;
    return (struct nk_str){out, n};
}
