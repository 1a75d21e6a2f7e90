/* SPDX-License-Identifier: Apache-2.0
 *
 * ipaddr.c - ip("10.0.0.0/8"), ip("2001:db8::1"): an IPv4 or IPv6 address with a prefix length (the
 * whole address if none is written). Host bits stay as written, so ip("10.0.0.1/8") is not equal to
 * ip("10.0.0.0/8") although both are the same range (docs.cedarpolicy.com, "ipaddr"). Not accepted:
 * leading zeros in IPv4 numbers or prefixes, IPv4 inside IPv6 ("::ffff:1.2.3.4"), zone names.
 */
#include "cedar/ext.h"

#include <string.h>

enum { V4_BITS = 32, V6_BITS = 128, GROUPS = 8 };

/* One to `most` decimal digits without leading zeros, at most `max`; -1 otherwise. */
static int small_number(struct nk_str s, size_t most, int max)
{
    int v = 0;
    if (s.n == 0 || s.n > most || (s.n > 1 && s.p[0] == '0'))
        return -1;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return -1;
        v = v * 10 + (s.p[i] - '0');
    }
    return v <= max ? v : -1;
}

static bool parse_v4(struct nk_str text, uint8_t bytes[16])
{
    size_t n = 0;
    while (text.p && n < 4) {
        int v = small_number(nk_str_cut(&text, '.'), 3, 255);
        if (v < 0)
            return false;
        bytes[n++] = (uint8_t)v;
    }
    return n == 4 && !text.p;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Groups of one to four hexadecimal digits between colons; "" has none. The count, or -1. */
static int parse_groups(struct nk_str text, uint8_t out[16])
{
    int n = 0;
    if (text.n == 0)
        return 0;
    while (text.p) {
        struct nk_str group = nk_str_cut(&text, ':');
        if (n == GROUPS || group.n == 0 || group.n > 4)
            return -1;
        unsigned v = 0;
        for (size_t i = 0; i < group.n; i++) {
            int digit = hex_digit(group.p[i]);
            if (digit < 0)
                return -1;
            v = v << 4 | (unsigned)digit;
        }
        out[2 * n] = (uint8_t)(v >> 8);
        out[2 * n + 1] = (uint8_t)v;
        n++;
    }
    return n;
}

/* "::" stands for one group of zeros or more, once (RFC 4291, section 2.2). */
static bool parse_v6(struct nk_str text, uint8_t bytes[16])
{
    uint8_t tail[16] = {0};
    ptrdiff_t gap = nk_str_search(text, NK_STR("::"));
    if (gap < 0)
        return parse_groups(text, bytes) == GROUPS;
    int before = parse_groups(nk_str_sub(text, 0, (size_t)gap), bytes);
    int behind = parse_groups(nk_str_sub(text, (size_t)gap + 2, text.n), tail);
    if (before < 0 || behind < 0 || before + behind >= GROUPS)
        return false;
    memset(bytes + 2 * before, 0, (size_t)(16 - 2 * before));
    memcpy(bytes + 16 - 2 * behind, tail, (size_t)(2 * behind));
    return true;
}

static bool parse_ip(struct nk_str text, struct cedar_ip *ip)
{
    struct nk_str prefix = text, address = nk_str_cut(&prefix, '/');
    ip->v6 = nk_str_find(address, ':') >= 0;
    int bits = ip->v6 ? V6_BITS : V4_BITS;
    if (ip->v6 ? !parse_v6(address, ip->bytes) : !parse_v4(address, ip->bytes))
        return false;
    if (prefix.p)
        bits = small_number(prefix, ip->v6 ? 3 : 2, bits);
    ip->prefix = (uint8_t)bits;
    return bits >= 0;
}

const struct nk_cedar_value *cedar_ip_new(struct cedar_call *c,
                                          const struct nk_cedar_value *const *args)
{
    struct cedar_ip ip = {.prefix = 0};
    if (!parse_ip(args[0]->as.string, &ip))
        return cedar_fail(c, "extension error: not an IP address or range");
    struct nk_cedar_value *out = nk_arena_alloc(c->arena, sizeof *out);
    if (!out)
        return cedar_no_memory(c);
    *out = (struct nk_cedar_value){.kind = CEDAR_IP, .as = {.ip = ip}};
    return out;
}

/* Are the first `bits` bits equal? */
static bool same_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(a, b, whole) != 0)
        return false;
    return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

const struct nk_cedar_value *cedar_ip_in_range(struct cedar_call *c,
                                               const struct nk_cedar_value *const *args)
{
    const struct cedar_ip *inner = &args[0]->as.ip, *outer = &args[1]->as.ip;
    return nk_cedar_bool(c->arena, inner->v6 == outer->v6 && inner->prefix >= outer->prefix &&
                                       same_prefix(inner->bytes, outer->bytes, outer->prefix));
}

const struct nk_cedar_value *cedar_ip_is_v4(struct cedar_call *c,
                                            const struct nk_cedar_value *const *args)
{
    return nk_cedar_bool(c->arena, !args[0]->as.ip.v6);
}

const struct nk_cedar_value *cedar_ip_is_v6(struct cedar_call *c,
                                            const struct nk_cedar_value *const *args)
{
    return nk_cedar_bool(c->arena, args[0]->as.ip.v6);
}

/* A range is loopback or multicast when all of its addresses are. */
const struct nk_cedar_value *cedar_ip_is_loopback(struct cedar_call *c,
                                                  const struct nk_cedar_value *const *args)
{
    static const uint8_t one[16] = {[15] = 1}, v4[1] = {127};
    const struct cedar_ip *ip = &args[0]->as.ip;
    return nk_cedar_bool(c->arena,
                         ip->v6 ? same_prefix(ip->bytes, one, V6_BITS) && ip->prefix == V6_BITS
                                : same_prefix(ip->bytes, v4, 8) && ip->prefix >= 8);
}

const struct nk_cedar_value *cedar_ip_is_multicast(struct cedar_call *c,
                                                   const struct nk_cedar_value *const *args)
{
    static const uint8_t v6[1] = {0xff}, v4[1] = {224};
    const struct cedar_ip *ip = &args[0]->as.ip;
    return nk_cedar_bool(c->arena, ip->v6 ? same_prefix(ip->bytes, v6, 8) && ip->prefix >= 8
                                          : same_prefix(ip->bytes, v4, 4) && ip->prefix >= 4);
}
