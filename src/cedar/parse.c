/* SPDX-License-Identifier: Apache-2.0
 *
 * parse.c - what both halves of the parser stand on: tokens, errors with line and column, names and
 * strings. See parse.h.
 */
#include "cedar/parse.h"

#include <stdio.h>

enum { SHOWN = 24 };

void *cedar_parse_fail(struct cedar_parser *p, int code, size_t offset, const char *why)
{
    if (p->code)
        return NULL;
    unsigned line = 1;
    size_t start = 0;
    for (size_t i = 0; i < offset; i++)
        if (p->lexer.text.p[i] == '\n') {
            line++;
            start = i + 1;
        }
    p->code = nk_fault_set(p->fault, code, "cedar", offset, "line %u, column %zu: %s", line,
                           offset - start + 1, why);
    return NULL;
}

/* The beginning of the token at hand, whole characters of its first line. */
static struct nk_str shown(const struct cedar_parser *p)
{
    struct nk_str s = nk_str_sub(p->lexer.text, p->token.offset, p->lexer.at);
    size_t n = s.n < SHOWN ? s.n : SHOWN;
    while (n > 0 && n < s.n && (s.p[n] & 0xC0) == 0x80)
        n--;
    s = nk_str_sub(s, 0, n);
    return nk_str_cut(&s, '\n');
}

void *cedar_parse_unexpected(struct cedar_parser *p, const char *expected)
{
    char text[160];
    struct nk_str found = p->token.kind == CEDAR_END ? NK_STR("the end") : shown(p);
    snprintf(text, sizeof text, "%s; here is %.*s", expected, NK_FMT(found));
    return cedar_parse_fail(p, NK_EINVAL, p->token.offset, text);
}

struct cedar_span cedar_token_span(const struct cedar_parser *p)
{
    return (struct cedar_span){(uint32_t)p->token.offset, (uint32_t)p->lexer.at};
}

struct cedar_span cedar_span_from(const struct cedar_parser *p, size_t offset)
{
    return (struct cedar_span){(uint32_t)offset, (uint32_t)p->end};
}

void cedar_next(struct cedar_parser *p)
{
    if (p->code)
        return;
    p->end = p->lexer.at;
    if (!cedar_lex(&p->lexer, &p->token))
        cedar_parse_fail(p, NK_EINVAL, p->token.offset, p->lexer.error);
}

bool cedar_at(const struct cedar_parser *p, int kind)
{
    return !p->code && p->token.kind == kind;
}

bool cedar_at_word(const struct cedar_parser *p, struct nk_str word)
{
    return cedar_at(p, CEDAR_IDENT) && nk_str_eq(p->token.text, word);
}

bool cedar_take(struct cedar_parser *p, int kind)
{
    if (!cedar_at(p, kind))
        return false;
    cedar_next(p);
    return !p->code;
}

bool cedar_take_word(struct cedar_parser *p, struct nk_str word)
{
    return cedar_at_word(p, word) && cedar_take(p, CEDAR_IDENT);
}

bool cedar_need(struct cedar_parser *p, int kind, const char *expected)
{
    if (!cedar_at(p, kind))
        return cedar_parse_unexpected(p, expected);
    return cedar_take(p, kind);
}

bool cedar_more(struct cedar_parser *p, int close)
{
    bool comma = cedar_take(p, ',');
    if (cedar_take(p, close) || p->code)
        return false;
    if (!comma)
        cedar_parse_unexpected(p, "expected ',' or the end of this list");
    return comma;
}

bool cedar_take_string(struct cedar_parser *p, struct nk_str *out)
{
    size_t bad = 0;
    if (!cedar_at(p, CEDAR_QUOTED))
        return cedar_parse_unexpected(p, "expected a string in double quotes");
    int rc = cedar_unescape(p->token.text, p->arena, out, &bad);
    if (rc)
        return cedar_parse_fail(p, rc, p->token.offset + 1 + bad, "this escape is not allowed");
    return cedar_take(p, CEDAR_QUOTED);
}

static bool take_name_part(struct cedar_parser *p, struct nk_str *out)
{
    if (!cedar_at(p, CEDAR_IDENT))
        return cedar_parse_unexpected(p, "expected a name");
    if (!cedar_name_free(p->token.text))
        return cedar_parse_unexpected(p, "this word is reserved and cannot be a name");
    *out = p->token.text;
    return cedar_take(p, CEDAR_IDENT);
}

/* Joins "a", "::" and "b"; the text itself is the result where nothing stands in between. */
static bool join_name(struct cedar_parser *p, struct nk_str *name, struct nk_str part)
{
    if (name->p + name->n + 2 == part.p && part.p[-1] == ':' && part.p[-2] == ':') {
        name->n += 2 + part.n;
        return true;
    }
    *name = nk_arena_join(p->arena, (struct nk_str[]){*name, NK_STR("::"), part}, 3);
    return name->p || cedar_parse_fail(p, NK_ENOMEM, p->token.offset, "out of memory");
}

bool cedar_take_type(struct cedar_parser *p, struct nk_str *out, bool *uid_follows)
{
    struct nk_str part;
    *uid_follows = false;
    if (!take_name_part(p, out))
        return false;
    while (cedar_take(p, CEDAR_PATH_SEP)) {
        if (cedar_at(p, CEDAR_QUOTED)) {
            *uid_follows = true;
            return true;
        }
        if (!take_name_part(p, &part) || !join_name(p, out, part))
            return false;
        if (out->n > CEDAR_NAME)
            return cedar_parse_fail(p, NK_ELIMIT, p->token.offset, "this name is too long");
    }
    return !p->code;
}

bool nk_cedar_type_ok(struct nk_str name)
{
    struct cedar_lexer lexer = {.text = name};
    struct cedar_token token;
    size_t end = 0;
    for (;;) {
        if (!cedar_lex(&lexer, &token) || token.kind != CEDAR_IDENT || token.offset != end ||
            !cedar_name_free(token.text))
            return false;
        end = lexer.at;
        if (end == name.n)
            return true;
        if (!nk_str_starts(nk_str_sub(name, end, name.n), NK_STR("::")))
            return false;
        end = lexer.at = end + 2;
    }
}
