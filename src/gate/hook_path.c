/* SPDX-License-Identifier: Apache-2.0
 *
 * hook_path.c - paths of requests that another proxy holds. Whoever serves them reads them once more, so a path
 * that can be read in two ways is not read at all.
 */
#include "gate/hook.h"

#include "base/utf8.h"

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One character, decoded once; -1 when it is none or must not stand here. */
static int next_char(struct nk_str s, size_t *at)
{
    unsigned char c = (unsigned char)s.p[(*at)++];
    if (c == '%') {
        int high = s.n - *at >= 2 ? digit(s.p[*at]) : -1;
        int low = s.n - *at >= 2 ? digit(s.p[*at + 1]) : -1;
        if (high < 0 || low < 0)
            return -1;
        *at += 2;
        c = (unsigned char)(high * 16 + low);
        if (c == '/' || c == '%') /* another reader may decode once more */
            return -1;
    }
    return c < 0x20 || c == 0x7f || c == '\\' || c == '#' || c == ';' ? -1 : c;
}

static bool segment_ok(struct nk_str s, bool last)
{
    bool dots = nk_str_eq(s, NK_STR(".")) || nk_str_eq(s, NK_STR(".."));
    return !dots && (s.n || last) && nk_utf8_check(s) == s.n;
}

int gate_path_read(struct nk_str raw, struct nk_arena *a, struct gate_path *out)
{
    struct nk_str rest = raw, path = nk_str_cut(&rest, '?');
    char *to = nk_arena_alloc(a, path.n + 1);
    size_t n = 0;
    *out = (struct gate_path){.n = 0};
    if (!to)
        return NK_ENOMEM;
    if (path.n == 0 || path.p[0] != '/')
        return NK_EINVAL;
    for (struct nk_str left = nk_str_sub(path, 1, path.n); left.p;) {
        struct nk_str one = nk_str_cut(&left, '/');
        if (out->n == GATE_PATH_SEGMENTS)
            return NK_ELIMIT;
        to[n++] = '/';
        size_t from = n;
        for (size_t i = 0; i < one.n;) {
            int c = next_char(one, &i);
            if (c < 0)
                return NK_EINVAL;
            to[n++] = (char)c;
        }
        struct nk_str segment = {to + from, n - from};
        if (!segment_ok(segment, !left.p))
            return NK_EINVAL;
        out->segments[out->n++] = segment;
    }
    out->whole = (struct nk_str){to, n};
    return 0;
}

bool gate_path_fits(const struct gate_path *p, struct nk_str pattern,
                    struct nk_str stars[GATE_PATH_STARS])
{
    struct nk_str rest = nk_str_sub(pattern, 1, pattern.n);
    size_t i = 0, star = 0;
    for (; rest.p; i++) {
        struct nk_str one = nk_str_cut(&rest, '/');
        if (nk_str_eq(one, NK_STR("**")))
            return i < p->n;
        if (i == p->n)
            return false;
        bool any = nk_str_eq(one, NK_STR("*"));
        if (any ? p->segments[i].n == 0 : !nk_str_eq(one, p->segments[i]))
            return false;
        if (any && star < GATE_PATH_STARS)
            stars[star++] = p->segments[i];
    }
    return i == p->n;
}
