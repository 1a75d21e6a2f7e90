/* SPDX-License-Identifier: Apache-2.0
 *
 * fold.c - one letter for those that a reader takes for one another. Not Unicode's whole table of
 * confusable characters: the letters that look alike in common fonts, and the alphabets that exist to
 * look otherwise (full width, mathematical). What is missed is still not approved.
 */
#include "tool/text.h"

#include "base/utf8.h"

static const struct {
    uint16_t from;
    char to;
} doubles[] = {
#define FOLD(from, to) {from, to},
#include "tool/fold.def"
#undef FOLD
};

/* U+00C0 to U+017F without their marks; a space: no letter. */
static const char latin[] = "aaaaaaaceeeeiiiidnooooo ouuuuytsaaaaaaaceeeeiiiidnooooo ouuuuyty"
                            "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkklllllll"
                            "lllnnnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";

static char find(int32_t c)
{
    size_t low = 0, high = NK_COUNT(doubles);
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (doubles[middle].from == c)
            return doubles[middle].to;
        if (doubles[middle].from < c)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}

/* Alphabets that are Latin in other clothes. */
static bool is_styled(int32_t c)
{
    return (c >= 0x1d400 && c <= 0x1d6a3) || (c >= 0x1d7ce && c <= 0x1d7ff) ||
           (c >= 0x24b6 && c <= 0x24e9);
}

static int32_t styled(int32_t c)
{
    if (c >= 0x1d7ce && c <= 0x1d7ff)
        return '0' + (c - 0x1d7ce) % 10;
    if (c >= 0x1d400)
        return 'a' + (c - 0x1d400) % 52 % 26;
    return 'a' + (c - 0x24b6) % 26;
}

int32_t tool_fold(int32_t c)
{
    if (c >= 0xff01 && c <= 0xff5e) /* full width */
        c -= 0xfee0;
    if (c >= 0xe0020 && c <= 0xe007e) /* tags */
        c -= 0xe0000;
    if (c < 0x80)
        return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
    if (c >= 0xc0 && c <= 0x17f)
        return latin[c - 0xc0] == ' ' ? c : latin[c - 0xc0];
    if (is_styled(c))
        return styled(c);
    char to = c <= 0xffff ? find(c) : 0;
    return to ? to : c;
}

/* Greek letters that stand in Latin words where nobody means to deceive: IFNα, κB. */
static bool is_of_science(int32_t c)
{
    return c == 0x3b1 || c == 0x3ba || c == 0x3bd || c == 0x3c1 || c == 0x3c7;
}

bool tool_is_double(int32_t c)
{
    return is_styled(c) || (c >= 0x180 && c <= 0xffff && find(c) && !is_of_science(c));
}

static bool is_within(int32_t c, int32_t from, int32_t to)
{
    return c >= from && c <= to;
}

static bool is_thin(int32_t c)
{
    static const int32_t some[] = {0xad,   0x34f,  0x115f, 0x1160, 0x17b4, 0x17b5, 0x180e,
                                   0x2028, 0x2029, 0x2800, 0x3164, 0xfeff, 0xffa0};
    for (size_t i = 0; i < NK_COUNT(some); i++)
        if (c == some[i])
            return true;
    return is_within(c, 0x200b, 0x200d) || is_within(c, 0x2060, 0x2065) ||
           is_within(c, 0x1d173, 0x1d17a);
}

static bool is_private(int32_t c)
{
    return is_within(c, 0xe000, 0xf8ff) || is_within(c, 0xfdd0, 0xfdef) ||
           is_within(c, 0xfff0, 0xfffb) || (c & 0xfffe) == 0xfffe || c >= 0xe01f0 ||
           is_within(c, 0xe0080, 0xe00ff);
}

static bool is_space(int32_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == 0xa0 || c == 0x3000 ||
           is_within(c, 0x2000, 0x200a) || c == 0x202f || c == 0x205f;
}

enum tool_sight tool_sight(int32_t c)
{
    if (is_space(c))
        return TOOL_SPACE;
    if (c < 0x20 || is_within(c, 0x7f, 0x9f))
        return TOOL_CONTROL;
    if (c < 0xad)
        return TOOL_SEEN;
    if (is_within(c, 0xe0000, 0xe007f))
        return TOOL_TAG;
    if (is_within(c, 0xfe00, 0xfe0f) || is_within(c, 0xe0100, 0xe01ef) ||
        is_within(c, 0x180b, 0x180d))
        return TOOL_VARIATION;
    if (is_within(c, 0x202a, 0x202e) || is_within(c, 0x2066, 0x206f) || c == 0x200e ||
        c == 0x200f || c == 0x61c)
        return TOOL_TURN;
    if (is_thin(c))
        return TOOL_THIN;
    return is_private(c) ? TOOL_PRIVATE : TOOL_SEEN;
}

static char twin(int32_t c)
{
    if (c == '0')
        return 'o';
    return c == '1' || c == 'i' || c == '|' ? 'l' : (char)c;
}

struct nk_str tool_skeleton(struct nk_str name, char *to, size_t n)
{
    size_t used = 0;
    for (size_t at = 0; at < name.n;) {
        int32_t c = nk_utf8_next(name, &at);
        if (c < 0)
            break;
        enum tool_sight sight = tool_sight(c);
        if (sight != TOOL_SEEN && sight != TOOL_TAG && sight != TOOL_PRIVATE)
            continue;
        c = tool_fold(c);
        if (c == '_' || c == '-' || c == '.' || c == '/' || c == ':')
            continue;
        char bytes[4] = {c < 0x80 ? twin(c) : 0};
        size_t length = c < 0x80 ? 1 : nk_utf8_put(bytes, (uint32_t)c);
        if (length > n - used)
            break;
        memcpy(to + used, bytes, length);
        used += length;
    }
    return (struct nk_str){to, used};
}
