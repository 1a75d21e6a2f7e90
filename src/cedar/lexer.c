/* SPDX-License-Identifier: Apache-2.0
 *
 * lexer.c - see lexer.h. White space is Unicode's (White_Space); a comment runs from "//" to a line
 * feed or carriage return; a string may span lines (docs.cedarpolicy.com, "Grammar").
 */
#include "cedar/lexer.h"

#include "base/utf8.h"

static bool is_word_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_space(int32_t c)
{
    if (c < 0x80)
        return c == ' ' || (c >= 9 && c <= 13);
    return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
           c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

static void skip_comment(struct cedar_lexer *l)
{
    while (l->at < l->text.n && l->text.p[l->at] != '\n' && l->text.p[l->at] != '\r')
        l->at++;
}

static void skip_space(struct cedar_lexer *l)
{
    while (l->at < l->text.n) {
        size_t behind = l->at;
        if (is_space(nk_utf8_next(l->text, &behind)))
            l->at = behind;
        else if (nk_str_starts(nk_str_sub(l->text, l->at, l->at + 2), NK_STR("//")))
            skip_comment(l);
        else
            return;
    }
}

static bool lex_fail(struct cedar_lexer *l, const char *why)
{
    l->error = why;
    return false;
}

static struct nk_str take_word(struct cedar_lexer *l)
{
    size_t start = l->at;
    while (l->at < l->text.n && (is_word_start(l->text.p[l->at]) || is_digit(l->text.p[l->at])))
        l->at++;
    return nk_str_sub(l->text, start, l->at);
}

static bool lex_number(struct cedar_lexer *l, struct cedar_token *out)
{
    out->kind = CEDAR_DIGITS;
    out->number = 0;
    for (; l->at < l->text.n && is_digit(l->text.p[l->at]); l->at++)
        if (__builtin_mul_overflow(out->number, 10u, &out->number) ||
            __builtin_add_overflow(out->number, (uint64_t)(l->text.p[l->at] - '0'), &out->number))
            return lex_fail(l, "this number is too large");
    return true;
}

static bool lex_string(struct cedar_lexer *l, struct cedar_token *out)
{
    size_t start = l->at + 1;
    for (size_t at = start; at < l->text.n; at++) {
        char c = l->text.p[at];
        if (c == '"') {
            out->kind = CEDAR_QUOTED;
            out->text = nk_str_sub(l->text, start, at);
            l->at = at + 1;
            return true;
        }
        if (c == '\\' && ++at < l->text.n && l->text.p[at] == '\n')
            return lex_fail(l, "a string cannot escape a line feed");
    }
    return lex_fail(l, "this string has no end");
}

static bool lex_slot(struct cedar_lexer *l, struct cedar_token *out)
{
    if (l->at + 1 >= l->text.n || !is_word_start(l->text.p[l->at + 1]))
        return lex_fail(l, "a slot's name must follow '?'");
    l->at++;
    out->kind = CEDAR_SLOT;
    out->text = take_word(l);
    return true;
}

static bool lex_sign(struct cedar_lexer *l, struct cedar_token *out)
{
    static const struct {
        char text[3];
        int kind;
    } pairs[] = {{"::", CEDAR_PATH_SEP}, {"==", CEDAR_EQUAL},      {"!=", CEDAR_NOT_EQUAL},
                 {"<=", CEDAR_LESS_EQ},  {">=", CEDAR_GREATER_EQ}, {"&&", CEDAR_AND_AND},
                 {"||", CEDAR_OR_OR}};
    struct nk_str two = nk_str_sub(l->text, l->at, l->at + 2);
    for (size_t i = 0; i < NK_COUNT(pairs); i++)
        if (nk_str_eq(two, (struct nk_str){pairs[i].text, 2})) {
            out->kind = pairs[i].kind;
            l->at += 2;
            return true;
        }
    if (nk_str_find(NK_STR("(){}[]@.,;:<>+-*/%!="), l->text.p[l->at]) < 0)
        return lex_fail(l, "this character has no meaning here");
    out->kind = l->text.p[l->at++];
    return true;
}

bool cedar_lex(struct cedar_lexer *l, struct cedar_token *out)
{
    skip_space(l);
    *out = (struct cedar_token){.kind = CEDAR_END, .offset = l->at};
    if (l->at == l->text.n)
        return true;
    char c = l->text.p[l->at];
    if (is_word_start(c)) {
        out->kind = CEDAR_IDENT;
        out->text = take_word(l);
        return true;
    }
    if (is_digit(c))
        return lex_number(l, out);
    if (c == '"')
        return lex_string(l, out);
    return c == '?' ? lex_slot(l, out) : lex_sign(l, out);
}

bool cedar_name_free(struct nk_str word)
{
    static const struct nk_str reserved[] = {{"true", 4}, {"false", 5},  {"if", 2}, {"then", 4},
                                             {"else", 4}, {"in", 2},     {"is", 2}, {"has", 3},
                                             {"like", 4}, {"__cedar", 7}};
    for (size_t i = 0; i < NK_COUNT(reserved); i++)
        if (nk_str_eq(word, reserved[i]))
            return false;
    return true;
}
