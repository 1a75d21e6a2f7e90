/* SPDX-License-Identifier: Apache-2.0
 *
 * json_words.h - what the texts of json_texts.h are made of: room, random numbers, pieces of strings,
 * numbers, and tokens right and wrong.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_ROOM = 4096, TEXT_COUNT = 300000 };

struct texts {
    uint64_t state;
    char text[TEXT_ROOM];
    size_t n;
};

static uint32_t texts_random(struct texts *t, uint32_t below)
{
    t->state ^= t->state << 13;
    t->state ^= t->state >> 7;
    t->state ^= t->state << 17;
    return (uint32_t)(t->state >> 32) % below;
}

static void texts_add(struct texts *t, const char *p, size_t n)
{
    if (TEXT_ROOM - t->n < n)
        return;
    memcpy(t->text + t->n, p, n);
    t->n += n;
}

static void texts_put(struct texts *t, const char *z)
{
    texts_add(t, z, strlen(z));
}

static const char *const texts_strings[] = {
    "a",
    "b",
    "role",
    "content",
    "\\n",
    "\\u0061",
    "あ",
    "日本語",
    "é",
    "\\u3042",
    "\\ud83d\\ude00",
    "😀",
    "\\\"",
    "\\\\",
    "\\/",
    "{\\\"a\\\":1}",
    "\\u0000",
    "\x7f",
    "long plain text that needs more than sixteen bytes",
    "\xEF\xBF\xBF",
    "",
    "\\uD7FF",
};
static const char *const texts_numbers[] = {
    "0",
    "-0",
    "1",
    "-12",
    "3.25",
    "1e5",
    "-1E-7",
    "9007199254740993",
    "9223372036854775807",
    "1E+2",
    "0.10",
    "100",
    "9223372036854775808",
    "-9223372036854775808",
    "1e-400",
    "123456789012345678901234567890",
    "1e999",
    "18446744073709551616",
};
static const char *const texts_tokens[] = {
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\"a\":",
    "true",
    "false",
    "null",
    "0",
    "-",
    ".",
    "e",
    "1",
    "\\",
    "\\u",
    "\\ud800",
    "\\udc00",
    " ",
    "\t",
    "\n",
    "\r",
    "\f",
    "\xEF\xBB\xBF",
    "\x80",
    "\xC0\x80",
    "\xED\xA0\x80",
    "\xF4\x90\x80\x80",
    "\xE3\x81",
    "\x01",
    "nan",
    "//",
    "'",
    "00",
    "+",
    "\\x",
    "\"\"",
    "\\u12",
    "\xFF",
    "tru",
    "E",
    "\"a\"",
};
