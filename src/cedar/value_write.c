/* SPDX-License-Identifier: Apache-2.0
 *
 * value_write.c - see value_write.h. Extension values are written as the call that makes them: their
 * own text first ("1.5", "10.0.0.0/8", "1d2h"), which both notations then wrap. A datetime outside
 * the years that its constructor takes is 1970 with an offset. Recursion ends with the value's depth,
 * which is limited when it is made.
 */
#include "cedar/value_write.h"

#include <stdio.h>
#include "base/encode.h"
#include "cedar/parse.h"

enum {
    DECIMAL_UNIT = 10000,
    EXT_TEXT = 96, /* most bytes of an extension value's own text */
    IP_GROUPS = 8, /* of an IPv6 address */
    YEAR_0 = 0,    /* index into `years` */
    YEAR_10000 = 1,
};

/* Milliseconds of 0000-01-01 and of 10000-01-01. */
static const int64_t years[] = {-62167219200000, 253402300800000};

void nk_cedar_uid_put(struct nk_buf *out, struct nk_cedar_uid uid)
{
    nk_buf_add(out, uid.type);
    nk_buf_add(out, NK_STR("::"));
    cedar_string_put_text(uid.id, out);
}

/* Extension values --------------------------------------------------------------------------------
 */
static void put_decimal(struct nk_buf *out, int64_t v)
{
    uint64_t size = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    char digits[8];
    snprintf(digits, sizeof digits, "%04u", (unsigned)(size % DECIMAL_UNIT));
    size_t n = 4;
    while (n > 1 && digits[n - 1] == '0')
        n--;
    nk_buf_printf(out, "%s%llu.%.*s", v < 0 ? "-" : "", (unsigned long long)(size / DECIMAL_UNIT),
                  (int)n, digits);
}

/* The longest run of two zero groups or more; the first of several (RFC 5952, section 4.2). */
static size_t find_zeros(const uint16_t *groups, size_t *length)
{
    size_t best = 0;
    *length = 1;
    for (size_t i = 0; i < IP_GROUPS; i++) {
        size_t n = 0;
        while (i + n < IP_GROUPS && groups[i + n] == 0)
            n++;
        if (n > *length) {
            *length = n;
            best = i;
        }
        i += n;
    }
    *length = *length > 1 ? *length : 0;
    return best;
}

static void put_ipv6(struct nk_buf *out, const uint8_t *bytes)
{
    uint16_t groups[IP_GROUPS];
    size_t length;
    for (size_t i = 0; i < IP_GROUPS; i++)
        groups[i] = (uint16_t)(bytes[2 * i] << 8 | bytes[2 * i + 1]);
    size_t zeros = find_zeros(groups, &length);
    for (size_t i = 0; i < IP_GROUPS; i++) {
        if (length && i == zeros) {
            nk_buf_add(out, NK_STR("::"));
            i += length - 1;
            continue;
        }
        bool colon = i > 0 && !(length && i == zeros + length);
        nk_buf_printf(out, "%s%x", colon ? ":" : "", groups[i]);
    }
}

static void put_ip(struct nk_buf *out, const struct cedar_ip *ip)
{
    if (ip->v6)
        put_ipv6(out, ip->bytes);
    else
        nk_buf_printf(out, "%u.%u.%u.%u", ip->bytes[0], ip->bytes[1], ip->bytes[2], ip->bytes[3]);
    if (ip->prefix != (ip->v6 ? 128 : 32))
        nk_buf_printf(out, "/%u", ip->prefix);
}

static void put_duration(struct nk_buf *out, int64_t v)
{
    static const struct {
        uint64_t size;
        const char *name;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
    uint64_t rest = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    nk_buf_add(out, v < 0 ? NK_STR("-") : NK_STR(""));
    if (rest == 0)
        nk_buf_add(out, NK_STR("0ms"));
    for (size_t i = 0; i < NK_COUNT(units); i++) {
        if (rest / units[i].size)
            nk_buf_printf(out, "%llu%s", (unsigned long long)(rest / units[i].size), units[i].name);
        rest %= units[i].size;
    }
}

/* An extension value as text: its constructor and the argument of that. */
struct ext_text {
    const char *fn;
    bool has_offset; /* the datetime is 1970-01-01 and this duration */
    struct nk_str arg;
    char space[EXT_TEXT];
};

static void write_ext(const struct nk_cedar_value *v, struct ext_text *t)
{
    struct nk_buf b;
    nk_buf_init(&b, EXT_TEXT);
    *t = (struct ext_text){.fn = "datetime"};
    if (v->kind == CEDAR_DECIMAL) {
        t->fn = "decimal";
        put_decimal(&b, v->as.number);
    } else if (v->kind == CEDAR_IP) {
        t->fn = "ip";
        put_ip(&b, &v->as.ip);
    } else if (v->kind == CEDAR_DURATION) {
        t->fn = "duration";
        put_duration(&b, v->as.number);
    } else if (v->as.number >= years[YEAR_0] && v->as.number < years[YEAR_10000]) {
        nk_time_format(v->as.number, &b);
    } else {
        t->has_offset = true;
        put_duration(&b, v->as.number);
    }
    memcpy(t->space, b.p ? b.p : "", b.n);
    t->arg = (struct nk_str){t->space, b.n};
    nk_buf_free(&b);
}

static void put_ext(struct nk_buf *out, const struct nk_cedar_value *v)
{
    struct ext_text t;
    write_ext(v, &t);
    if (t.has_offset)
        nk_buf_printf(out, "datetime(\"1970-01-01\").offset(duration(\"%.*s\"))", NK_FMT(t.arg));
    else
        nk_buf_printf(out, "%s(\"%.*s\")", t.fn, NK_FMT(t.arg));
}

static void put_ext_json(struct nk_buf *out, const struct nk_cedar_value *v)
{
    struct ext_text t;
    write_ext(v, &t);
    if (t.has_offset)
        nk_buf_printf(out,
                      "{\"__extn\":{\"fn\":\"offset\",\"args\":[{\"__extn\":{\"fn\":\"datetime\","
                      "\"arg\":\"1970-01-01\"}},{\"__extn\":{\"fn\":\"duration\",\"arg\":\"%.*s\"}"
                      "}]}}",
                      NK_FMT(t.arg));
    else
        nk_buf_printf(out, "{\"__extn\":{\"fn\":\"%s\",\"arg\":\"%.*s\"}}", t.fn, NK_FMT(t.arg));
}

/* Values ------------------------------------------------------------------------------------------
 */
static void put_items(struct nk_buf *out, const struct nk_cedar_value *v)
{
    nk_buf_add_char(out, '[');
    for (uint32_t i = 0; i < v->n; i++) {
        nk_buf_add(out, i ? NK_STR(", ") : NK_STR(""));
        nk_cedar_value_put(out, v->as.items[i]);
    }
    nk_buf_add_char(out, ']');
}

static void put_members(struct nk_buf *out, const struct nk_cedar_value *v)
{
    nk_buf_add_char(out, '{');
    for (uint32_t i = 0; i < v->n; i++) {
        nk_buf_add(out, i ? NK_STR(", ") : NK_STR(""));
        cedar_string_put_text(v->as.members[i].name, out);
        nk_buf_add(out, NK_STR(": "));
        nk_cedar_value_put(out, v->as.members[i].value);
    }
    nk_buf_add_char(out, '}');
}

void nk_cedar_value_put(struct nk_buf *out, const struct nk_cedar_value *v)
{
    switch ((enum cedar_kind)v->kind) {
    case CEDAR_BOOL:
        nk_buf_add(out, v->as.truth ? NK_STR("true") : NK_STR("false"));
        break;
    case CEDAR_LONG:
        nk_buf_add_i64(out, v->as.number);
        break;
    case CEDAR_STRING:
        cedar_string_put_text(v->as.string, out);
        break;
    case CEDAR_ENTITY:
        nk_cedar_uid_put(out, v->as.entity.uid);
        break;
    case CEDAR_SET:
        put_items(out, v);
        break;
    case CEDAR_RECORD:
        put_members(out, v);
        break;
    default:
        put_ext(out, v);
    }
}

static void put_items_json(struct nk_buf *out, const struct nk_cedar_value *v)
{
    nk_buf_add_char(out, '[');
    for (uint32_t i = 0; i < v->n; i++) {
        nk_buf_add(out, i ? NK_STR(",") : NK_STR(""));
        nk_cedar_value_put_json(out, v->as.items[i]);
    }
    nk_buf_add_char(out, ']');
}

static void put_members_json(struct nk_buf *out, const struct nk_cedar_value *v)
{
    nk_buf_add_char(out, '{');
    for (uint32_t i = 0; i < v->n; i++) {
        nk_json_put_name(out, v->as.members[i].name);
        nk_cedar_value_put_json(out, v->as.members[i].value);
    }
    nk_buf_add_char(out, '}');
}

void nk_cedar_value_put_json(struct nk_buf *out, const struct nk_cedar_value *v)
{
    switch ((enum cedar_kind)v->kind) {
    case CEDAR_BOOL:
    case CEDAR_LONG:
        nk_cedar_value_put(out, v);
        break;
    case CEDAR_STRING:
        nk_json_put_string(out, v->as.string);
        break;
    case CEDAR_ENTITY:
        nk_buf_add(out, NK_STR("{\"__entity\":{"));
        nk_json_put_member(out, NK_STR("type"), v->as.entity.uid.type);
        nk_json_put_member(out, NK_STR("id"), v->as.entity.uid.id);
        nk_buf_add(out, NK_STR("}}"));
        break;
    case CEDAR_SET:
        put_items_json(out, v);
        break;
    case CEDAR_RECORD:
        put_members_json(out, v);
        break;
    default:
        put_ext_json(out, v);
    }
}
