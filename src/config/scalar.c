/* SPDX-License-Identifier: Apache-2.0
 *
 * scalar.c - one written value becomes a field of its kind. The field's kind decides what the
 * characters mean; nothing is guessed from how they look, so `no`, `0123` and `1:30` are what they
 * are to the key they stand behind. Numbers are decimal integers with a unit where there is one.
 */
#include "config/table.h"
#include "base/near.h"
#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

enum { WHY = 200, SHOWN = 40 };

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit sizes[] = {
    {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}, {"B", 1}, {"", 1}};
static const struct unit times[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};

static int with_unit(struct nk_str s, const struct unit *units, size_t n, int64_t *out)
{
    size_t digits = 0;
    while (digits < s.n && s.p[digits] >= '0' && s.p[digits] <= '9')
        digits++;
    struct nk_str name = nk_str_sub(s, digits, s.n);
    for (size_t i = 0; i < n; i++) {
        if (!nk_str_eq(name, nk_str(units[i].name)))
            continue;
        int64_t v;
        int rc = nk_str_to_i64(nk_str_sub(s, 0, digits), &v);
        if (rc)
            return rc;
        return __builtin_mul_overflow(v, units[i].factor, out) ? NK_ELIMIT : 0;
    }
    return NK_EINVAL;
}

static int number_of(enum nk_config_kind kind, struct nk_str s, int64_t *out)
{
    if (kind == NK_CONFIG_KIND_SIZE)
        return with_unit(s, sizes, NK_COUNT(sizes), out);
    if (kind == NK_CONFIG_KIND_TIME)
        return with_unit(s, times, NK_COUNT(times), out);
    return nk_str_to_i64(s, out);
}

bool nk_config_range(const struct nk_config_row *row, int64_t *low, int64_t *high)
{
    struct nk_str range = nk_str(row->range);
    ptrdiff_t dots = nk_str_search(range, NK_STR(".."));
    if (dots < 0)
        return false;
    enum nk_config_kind unit = nk_config_is_number(row->kind) ? row->kind : NK_CONFIG_KIND_NUMBER;
    NK_MUST(!number_of(unit, nk_str_sub(range, 0, (size_t)dots), low));
    NK_MUST(!number_of(unit, nk_str_sub(range, (size_t)dots + 2, range.n), high));
    return true;
}

/* A value shown to the operator: short, and never one that may be a secret. */
static struct nk_str shown(struct nk_str s)
{
    if (nk_str_starts(s, NK_STR("sk-")) || s.n > SHOWN || nk_utf8_check(s) != s.n)
        return NK_STR("(value not shown)");
    return s;
}

static int bad_number(const struct nk_config_row *row, struct nk_str s, int rc, char *why)
{
    struct nk_str v = shown(s);
    const char *form = "a whole number without leading zeros, such as 8";
    if (row->kind == NK_CONFIG_KIND_SIZE)
        form = "a size: bytes, or a whole number with KiB, MiB or GiB, such as 64KiB";
    else if (row->kind == NK_CONFIG_KIND_TIME)
        form = "a duration: a whole number with ms, s, m, h or d, such as 10s";
    if (rc == NK_ELIMIT)
        snprintf(why, WHY, "%.*s is out of range; write %s", NK_FMT(v), row->range);
    else
        snprintf(why, WHY, "\"%.*s\" is not %s", NK_FMT(v), form);
    return NK_EINVAL;
}

static int read_number(const struct nk_config_row *row, struct nk_str s,
                       struct nk_config_value *out, char *why)
{
    int64_t low, high;
    int rc = number_of(row->kind, s, &out->number);
    if (rc)
        return bad_number(row, s, rc, why);
    if (nk_config_range(row, &low, &high) && (out->number < low || out->number > high))
        return bad_number(row, s, NK_ELIMIT, why);
    return 0;
}

static int read_choice(const struct nk_config_row *row, struct nk_str s,
                       struct nk_config_value *out, char *why)
{
    struct nk_str words = nk_str(row->range), names[8];
    size_t n = 0;
    while (words.p && n < NK_COUNT(names)) {
        names[n] = nk_str_cut(&words, '|');
        if (nk_str_eq(names[n], s)) {
            *out = (struct nk_config_value){names[n], (int64_t)n};
            return 0;
        }
        n++;
    }
    struct nk_str near = nk_near(s, names, n), v = shown(s);
    if (near.p)
        snprintf(why, WHY, "\"%.*s\" is not one of %s; did you mean %.*s?", NK_FMT(v), row->range,
                 NK_FMT(near));
    else
        snprintf(why, WHY, "\"%.*s\" is not one of %s", NK_FMT(v), row->range);
    return NK_EINVAL;
}

static bool name_ok(struct nk_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  memchr("._-/:@", c, 6);
        if (!ok)
            return false;
    }
    return true;
}

static const char *bad_text(const struct nk_config_row *row, struct nk_str s)
{
    if (nk_utf8_check(s) != s.n)
        return "not valid UTF-8";
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return "control characters (also line breaks) are not allowed here";
    switch (row->kind) {
    case NK_CONFIG_KIND_NAME:
        return name_ok(s) ? NULL : "only letters, digits and . _ - / : @ are allowed here";
    case NK_CONFIG_KIND_ADDRESS:
        return nk_config_bad_address(s);
    case NK_CONFIG_KIND_ORIGIN:
        return nk_config_bad_origin(s);
    case NK_CONFIG_KIND_ENDPOINT:
        return nk_config_bad_endpoint(s);
    case NK_CONFIG_KIND_KEYSET:
        return nk_config_bad_keyset(s);
    case NK_CONFIG_KIND_SECRET:
        return nk_config_bad_secret(s);
    case NK_CONFIG_KIND_HOST:
        return nk_config_bad_host(s);
    case NK_CONFIG_KIND_PROXY:
        return nk_config_bad_proxy(s);
    case NK_CONFIG_KIND_PIN:
        return nk_config_bad_pin(s);
    case NK_CONFIG_KIND_REACH:
        return nk_config_bad_reach(s);
    case NK_CONFIG_KIND_STATUSES:
        return nk_config_bad_statuses(s);
    case NK_CONFIG_KIND_SERVERS:
        return nk_config_bad_servers(s);
    default:
        return NULL;
    }
}

/* "file:" or "unix:" in front of a path, or nothing for PATH; absent when it is no path at all. */
static struct nk_str path_prefix(enum nk_config_kind kind, struct nk_str s)
{
    bool file = kind == NK_CONFIG_KIND_SECRET || kind == NK_CONFIG_KIND_KEYSET;
    bool sock = kind == NK_CONFIG_KIND_ADDRESS || kind == NK_CONFIG_KIND_ORIGIN ||
                kind == NK_CONFIG_KIND_REACH;
    if (kind == NK_CONFIG_KIND_PATH)
        return NK_STR("");
    if (file && nk_str_starts(s, NK_STR("file:")))
        return NK_STR("file:");
    return sock && nk_str_starts(s, NK_STR("unix:")) ? NK_STR("unix:") : (struct nk_str){NULL, 0};
}

static int read_text(const struct nk_config_row *row, struct nk_str s, struct nk_str directory,
                     struct nk_arena *a, struct nk_config_value *out, char *why)
{
    const char *bad = bad_text(row, s);
    if (bad) {
        snprintf(why, WHY, "%s", bad);
        return NK_EINVAL;
    }
    struct nk_str prefix = path_prefix(row->kind, s), path = nk_str_sub(s, prefix.n, s.n);
    if (prefix.p && path.n && path.p[0] != '/' && directory.p) {
        const struct nk_str parts[] = {prefix, directory, NK_STR("/"), path};
        s = nk_arena_join(a, parts, NK_COUNT(parts));
    } else {
        s = nk_arena_copy(a, s);
    }
    if (!s.p) {
        snprintf(why, WHY, "out of memory");
        return NK_ENOMEM;
    }
    int64_t low, high;
    if (nk_config_range(row, &low, &high) && ((int64_t)s.n < low || (int64_t)s.n > high)) {
        snprintf(why, WHY, "%zu bytes long; %s are allowed", s.n, row->range);
        return NK_EINVAL;
    }
    *out = (struct nk_config_value){s, 0};
    return 0;
}

int nk_config_scalar(const struct nk_config_row *row, struct nk_str text, struct nk_str directory,
                     struct nk_arena *a, struct nk_config_value *out, char why[200])
{
    *out = (struct nk_config_value){{NULL, 0}, 0};
    if (nk_config_is_number(row->kind))
        return read_number(row, text, out, why);
    if (row->kind == NK_CONFIG_KIND_CHOICE || row->kind == NK_CONFIG_KIND_SWITCH)
        return read_choice(row, text, out, why);
    return read_text(row, text, directory, a, out, why);
}
