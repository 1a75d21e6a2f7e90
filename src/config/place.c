/* SPDX-License-Identifier: Apache-2.0
 *
 * place.c - the forms in which the configuration names places: addresses, origins of upstreams, key
 * sets and secrets. Strict, so that what is accepted here needs no second reading elsewhere.
 * Hosts: RFC 952 and 1123 names, IPv4 in four decimal parts, IPv6 in brackets (RFC 3986, 3.2.2).
 */
#include "config/table.h"

#include <string.h>

enum { UNIX_PATH_MAX_ = 107, HOST_MAX = 253 };

static bool port_ok(struct nk_str s)
{
    int64_t port;
    return !nk_str_to_i64(s, &port) && port >= 1 && port <= 65535;
}

static bool ipv4_ok(struct nk_str s)
{
    int parts = 0;
    while (s.p) {
        int64_t v;
        if (nk_str_to_i64(nk_str_cut(&s, '.'), &v) || v < 0 || v > 255)
            return false;
        parts++;
    }
    return parts == 4;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Up to eight groups of one to four digits; one "::" stands for the missing ones. */
static bool ipv6_ok(struct nk_str s)
{
    int groups = 0, run = 0;
    bool gap = false;
    for (size_t i = 0; i < s.n; i++) {
        bool colon = s.p[i] == ':', next = i + 1 < s.n && s.p[i + 1] == ':';
        if (!colon && !is_hex(s.p[i]))
            return false;
        if (!colon) {
            groups += run == 0;
            if (++run > 4)
                return false;
            continue;
        }
        if (next ? gap : run == 0 && !(i > 0 && s.p[i - 1] == ':'))
            return false;
        if (!next && i + 1 == s.n && !(i > 0 && s.p[i - 1] == ':'))
            return false;
        gap = gap || next;
        run = 0;
    }
    return gap ? groups < 8 : groups == 8;
}

static bool host_char_ok(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

/* A name, or four numbers: one that looks like an address has to be one. */
static bool host_ok(struct nk_str s)
{
    bool digits = true;
    if (s.n == 0 || s.n > HOST_MAX)
        return false;
    for (struct nk_str rest = s; rest.p;) {
        struct nk_str label = nk_str_cut(&rest, '.');
        if (label.n == 0 || label.n > 63 || label.p[0] == '-' || label.p[label.n - 1] == '-')
            return false;
        for (size_t i = 0; i < label.n; i++) {
            if (!host_char_ok(label.p[i]))
                return false;
            digits = digits && label.p[i] >= '0' && label.p[i] <= '9';
        }
    }
    return !digits || ipv4_ok(s);
}

static bool unix_ok(struct nk_str s)
{
    return nk_str_starts(s, NK_STR("unix:")) && s.n > 5 && s.n - 5 <= UNIX_PATH_MAX_;
}

const char *nk_config_bad_address(struct nk_str s)
{
    static const char *const form =
        "expected an address and port such as 127.0.0.1:8080 or [::1]:8080, or unix:PATH";
    if (nk_str_starts(s, NK_STR("unix:")))
        return unix_ok(s) ? NULL : "the path of a Unix socket has 1 to 107 bytes";
    if (nk_str_starts(s, NK_STR("http")) && nk_str_search(s, NK_STR("://")) > 0)
        return "expected an address, not a URL: leave out what stands before the host";
    if (nk_str_starts(s, NK_STR("localhost:")))
        return "names are not looked up here; write 127.0.0.1 in place of localhost";
    size_t colon = s.n;
    while (colon > 0 && s.p[colon - 1] != ':')
        colon--;
    if (colon < 2 || !port_ok(nk_str_sub(s, colon, s.n)))
        return form;
    struct nk_str host = nk_str_sub(s, 0, colon - 1);
    if (host.p[0] == '[' && host.p[host.n - 1] == ']')
        return ipv6_ok(nk_str_sub(host, 1, host.n - 1)) ? NULL : form;
    return ipv4_ok(host) ? NULL : form;
}

/* HOST[:PORT], HOST a name, an IPv4 address or an IPv6 address in brackets. */
static bool authority_ok(struct nk_str s)
{
    struct nk_str host = s, port = {NULL, 0};
    if (s.n && s.p[0] == '[') {
        ptrdiff_t end = nk_str_find(s, ']');
        if (end < 0 || !ipv6_ok(nk_str_sub(s, 1, (size_t)end)))
            return false;
        host = NK_STR("v6");
        s = nk_str_sub(s, (size_t)end + 1, s.n);
        if (s.n == 0)
            return true;
        if (s.p[0] != ':')
            return false;
        port = nk_str_sub(s, 1, s.n);
    } else {
        ptrdiff_t colon = nk_str_find(s, ':');
        if (colon >= 0) {
            host = nk_str_sub(s, 0, (size_t)colon);
            port = nk_str_sub(s, (size_t)colon + 1, s.n);
        }
    }
    return host_ok(host) && (!port.p || port_ok(port));
}

/* What stands behind "http://" or "https://", or absent. */
static struct nk_str after_scheme(struct nk_str s)
{
    if (nk_str_starts(s, NK_STR("https://")))
        return nk_str_sub(s, 8, s.n);
    return nk_str_starts(s, NK_STR("http://")) ? nk_str_sub(s, 7, s.n) : (struct nk_str){NULL, 0};
}

const char *nk_config_bad_origin(struct nk_str s)
{
    if (nk_str_starts(s, NK_STR("unix:")))
        return unix_ok(s) ? NULL : "the path of a Unix socket has 1 to 107 bytes";
    struct nk_str rest = after_scheme(s);
    if (!rest.p)
        return "expected https://HOST, http://HOST:PORT or unix:PATH";
    if (nk_str_find(rest, '@') >= 0)
        return "user and password do not belong in a URL; use `credential`";
    if (nk_str_find(rest, '/') >= 0 || nk_str_find(rest, '?') >= 0)
        return "leave out what follows the host and port: each request brings its own path";
    return authority_ok(rest) ? NULL : "the host or port is not well-formed";
}

bool nk_config_is_local(struct nk_str url)
{
    if (nk_str_starts(url, NK_STR("unix:")))
        return true;
    struct nk_str rest = after_scheme(url);
    struct nk_str authority = nk_str_cut(&rest, '/');
    if (nk_str_starts(authority, NK_STR("[::1]")))
        return true;
    struct nk_str host = nk_str_cut(&authority, ':');
    return nk_str_eq(host, NK_STR("localhost")) ||
           (nk_str_starts(host, NK_STR("127.")) && ipv4_ok(host));
}

/* Visible ASCII that no URL escapes and that begins no query or fragment. */
static bool url_chars_ok(struct nk_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || (unsigned char)s.p[i] > 0x7e || s.p[i] == '#' || s.p[i] == '?')
            return false;
    return true;
}

const char *nk_config_bad_endpoint(struct nk_str s)
{
    struct nk_str rest = after_scheme(s);
    if (!rest.p)
        return "expected http://HOST:PORT or https://HOST, with a path if it has one";
    if (!url_chars_ok(s))
        return "not allowed here: spaces, \"?\", \"#\" and characters beyond ASCII";
    struct nk_str authority = nk_str_cut(&rest, '/');
    if (nk_str_find(authority, '@') >= 0)
        return "user and password do not belong in a URL; use `headers`";
    if (nk_str_ends(s, NK_STR("/")) || nk_str_ends(s, NK_STR("/v1/traces")))
        return "leave out \"/\" at the end and the paths of the signals (/v1/traces …)";
    return authority_ok(authority) ? NULL : "the host or port is not well-formed";
}

const char *nk_config_bad_keyset(struct nk_str s)
{
    if (nk_str_starts(s, NK_STR("file:")))
        return s.n > 5 ? NULL : "a path is missing behind file:";
    struct nk_str rest = after_scheme(s);
    if (!rest.p)
        return "expected file:PATH or https://HOST/PATH";
    if (nk_str_starts(s, NK_STR("http://")) && !nk_config_is_local(s))
        return "keys that decide who is who are fetched over https (http only from 127.0.0.1)";
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || (unsigned char)s.p[i] > 0x7e || s.p[i] == '#')
            return "not allowed in a URL: spaces, \"#\" and characters beyond ASCII";
    struct nk_str authority = nk_str_cut(&rest, '/');
    if (nk_str_find(authority, '@') >= 0)
        return "user and password do not belong in a URL";
    return authority_ok(authority) ? NULL : "the host or port is not well-formed";
}

const char *nk_config_bad_host(struct nk_str s)
{
    return host_ok(s) || ipv6_ok(s) ? NULL : "expected a host name or an address";
}

const char *nk_config_bad_proxy(struct nk_str s)
{
    static const char *const form = "expected http://HOST:PORT, or the word direct";
    if (nk_str_eq(s, NK_STR("direct")))
        return NULL;
    if (nk_str_starts(s, NK_STR("https://")))
        return "proxies are spoken to over http; what goes through them is encrypted end to end";
    struct nk_str rest = after_scheme(s);
    if (!rest.p)
        return form;
    if (nk_str_find(rest, '@') >= 0)
        return "user and password do not belong in a URL; use `proxy_credential`";
    size_t colon = rest.n;
    while (colon > 0 && rest.p[colon - 1] != ':')
        colon--;
    return authority_ok(rest) && port_ok(nk_str_sub(rest, colon, rest.n)) ? NULL : form;
}

const char *nk_config_bad_pin(struct nk_str s)
{
    for (size_t i = 0; i + 1 < s.n; i++) {
        char c = s.p[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!letter && !(c >= '0' && c <= '9') && c != '+' && c != '/')
            s.n = 0;
    }
    if (s.n != 44 || s.p[43] != '=' || !memchr("AEIMQUYcgkosw048", s.p[42], 16))
        return "expected the base64 of a SHA-256 digest (44 characters that end with =)";
    return NULL;
}

static bool bits_ok(struct nk_str s, int64_t most)
{
    int64_t v;
    return !nk_str_to_i64(s, &v) && v >= 0 && v <= most;
}

/* A host, or a network: an address with the number of its bits that count. */
static bool reach_host_ok(struct nk_str host)
{
    struct nk_str bits = host;
    if (host.n > 1 && host.p[0] == '[' && host.p[host.n - 1] == ']') {
        bits = nk_str_sub(host, 1, host.n - 1);
        struct nk_str address = nk_str_cut(&bits, '/');
        return ipv6_ok(address) && (!bits.p || bits_ok(bits, 128));
    }
    struct nk_str address = nk_str_cut(&bits, '/');
    return bits.p ? ipv4_ok(address) && bits_ok(bits, 32) : host_ok(host);
}

const char *nk_config_bad_reach(struct nk_str s)
{
    static const char *const form = "expected HOST:PORT, ADDRESS/BITS:PORT or unix:PATH, such as "
                                    "api.openai.com:443 or 10.0.0.0/8:8443";
    if (nk_str_starts(s, NK_STR("unix:")))
        return unix_ok(s) ? NULL : "the path of a Unix socket has 1 to 107 bytes";
    if (after_scheme(s).p)
        return "expected a host and port, not a URL: leave out what stands before the host";
    size_t colon = s.n;
    while (colon > 0 && s.p[colon - 1] != ':')
        colon--;
    if (colon < 2 || !port_ok(nk_str_sub(s, colon, s.n)))
        return form;
    return reach_host_ok(nk_str_sub(s, 0, colon - 1)) ? NULL : form;
}

const char *nk_config_bad_secret(struct nk_str s)
{
    if (nk_str_starts(s, NK_STR("file:")))
        return s.n > 5 ? NULL : "a path is missing behind file:";
    if (!nk_str_starts(s, NK_STR("env:")))
        return "a secret does not belong in this file: write file:PATH (a file that only its owner "
               "can read) or env:NAME, and replace the secret if it stood here";
    struct nk_str name = nk_str_sub(s, 4, s.n);
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool digit = c >= '0' && c <= '9';
        if (!(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') && c != '_' && !(digit && i))
            return "behind env: stands the name of an environment variable";
    }
    return name.n ? NULL : "a name is missing behind env:";
}

/* Name servers are asked by address: a name would have to be looked up first. */
const char *nk_config_bad_servers(struct nk_str s)
{
    static const char *const form =
        "expected addresses of name servers such as 192.0.2.1 or [2001:db8::1]:53, separated by "
        "commas without spaces";
    while (s.p) {
        struct nk_str one = nk_str_cut(&s, ',');
        bool v6 = one.n && one.p[0] == '[';
        struct nk_str host = one;
        if (!v6)
            host = nk_str_cut(&one, ':');
        if (!authority_ok(v6 ? one : host) || (!v6 && (!ipv4_ok(host) || (one.p && !port_ok(one)))))
            return form;
    }
    return NULL;
}
