/* SPDX-License-Identifier: Apache-2.0
 *
 * egress - where the courier may connect to: kinds of addresses, lists, names that lead elsewhere,
 * and configurations that contradict their own list.
 */
#include "tap.h"
#include <unistd.h>
#include "role/egress.h"
#include "role/reach.h"

static struct nk_arena arena;

static struct nk_address address(const char *text, uint16_t port)
{
    struct nk_address a;
    NK_MUST(nk_origin_literal(text, port, &a) == 0);
    return a;
}

static void kind_cases(void)
{
    static const struct {
        const char *text;
        enum egress_kind kind;
    } cases[] = {
        {"8.8.8.8", EGRESS_PUBLIC},
        {"9.255.255.255", EGRESS_PUBLIC},
        {"10.0.0.0", EGRESS_PRIVATE},
        {"10.255.255.255", EGRESS_PRIVATE},
        {"11.0.0.0", EGRESS_PUBLIC},
        {"172.15.255.255", EGRESS_PUBLIC},
        {"172.16.0.0", EGRESS_PRIVATE},
        {"172.31.255.255", EGRESS_PRIVATE},
        {"172.32.0.0", EGRESS_PUBLIC},
        {"192.167.255.255", EGRESS_PUBLIC},
        {"192.168.0.1", EGRESS_PRIVATE},
        {"192.169.0.0", EGRESS_PUBLIC},
        {"100.63.255.255", EGRESS_PUBLIC},
        {"100.64.0.0", EGRESS_PRIVATE},
        {"100.127.255.255", EGRESS_PRIVATE},
        {"100.128.0.0", EGRESS_PUBLIC},
        {"127.0.0.1", EGRESS_LOOPBACK},
        {"127.255.255.255", EGRESS_LOOPBACK},
        {"0.0.0.0", EGRESS_NEVER},
        {"0.1.2.3", EGRESS_NEVER},
        {"169.254.169.254", EGRESS_NEVER},
        {"169.253.0.0", EGRESS_PUBLIC},
        {"223.255.255.255", EGRESS_PUBLIC},
        {"224.0.0.1", EGRESS_NEVER},
        {"240.0.0.1", EGRESS_NEVER},
        {"255.255.255.255", EGRESS_NEVER},
        {"2606:4700::1", EGRESS_PUBLIC},
        {"::", EGRESS_NEVER},
        {"::1", EGRESS_LOOPBACK},
        {"::2", EGRESS_NEVER},
        {"fc00::1", EGRESS_PRIVATE},
        {"fdff::1", EGRESS_PRIVATE},
        {"fe00::1", EGRESS_PUBLIC},
        {"fe80::1", EGRESS_NEVER},
        {"fec0::1", EGRESS_NEVER},
        {"ff02::1", EGRESS_NEVER},
        {"::ffff:8.8.8.8", EGRESS_PUBLIC},
        {"::ffff:10.0.0.1", EGRESS_PRIVATE},
        {"::ffff:127.0.0.1", EGRESS_LOOPBACK},
        {"::ffff:169.254.169.254", EGRESS_NEVER},
        {"64:ff9b::8.8.8.8", EGRESS_PUBLIC},
        {"64:ff9b::192.168.1.1", EGRESS_PRIVATE},
        {"64:ff9b::a9fe:a9fe", EGRESS_NEVER},
        {"2002:0a00:0001::1", EGRESS_PRIVATE},
        {"2002:7f00:0001::", EGRESS_LOOPBACK},
        {"2002:0808:0808::1", EGRESS_PUBLIC},
    };
    for (size_t i = 0; i < NK_COUNT(cases); i++) {
        struct nk_address a = address(cases[i].text, 443);
        tap_ok(egress_kind_of(&a) == cases[i].kind, "%s is of kind %d", cases[i].text,
               egress_kind_of(&a));
    }
}

/* Configurations ---------------------------------------------------------------------------------- */

/* A configuration with one upstream, and these further members. */
static int configure(const char *url, const char *upstream, const char *more,
                     struct nk_config *config, struct egress *e, struct nk_fault *f)
{
    struct nk_str json = nk_arena_printf(
        &arena,
        "{\"listen\":[{\"address\":\"127.0.0.1:1\"}],\"upstreams\":[{\"name\":\"u\",\"dialect\":"
        "\"openai\",\"url\":\"%s\"%s}],\"models\":[{\"name\":\"m\",\"upstream\":\"u\"}]%s}",
        url, upstream, more);
    int rc = nk_config_parse(json, &arena, config, f);
    if (rc)
        printf("# %s\n", f->message);
    NK_MUST(rc == 0);
    return egress_new(config, &arena, e, f);
}

static struct nk_origin origin(const char *url)
{
    struct nk_origin o;
    struct nk_fault f = {0};
    NK_MUST(nk_origin_parse(nk_str(url), &arena, &o, &f) == 0);
    return o;
}

static void refusal_cases(void)
{
    static const char unlisted[] = "does not list";
    static const struct {
        const char *url, *allow, *to;
        uint16_t port;
        const char *flags; /* h: from /etc/hosts, p: private */
        const char *why;   /* NULL: allowed */
    } cases[] = {
        {"https://api.example.com", "", "1.2.3.4", 443, "", NULL},
        {"https://api.example.com", "", "1.2.3.4", 80, "", unlisted},
        {"https://api.example.com", "", "10.0.0.1", 443, "", "private address"},
        {"https://api.example.com", "", "10.0.0.1", 443, "p", NULL},
        {"https://api.example.com", "", "10.0.0.1", 443, "h", NULL},
        {"https://api.example.com", "", "127.0.0.1", 443, "", "this machine"},
        {"https://api.example.com", "", "127.0.0.1", 443, "p", NULL},
        {"https://api.example.com", "", "169.254.169.254", 443, "", "link-local"},
        {"https://api.example.com", "", "169.254.169.254", 443, "p", "link-local"},
        {"https://api.example.com", "", "169.254.169.254", 443, "h", NULL},
        {"https://api.example.com", "", "fd00::1", 443, "", "private address"},
        {"https://api.example.com", "", "::ffff:10.0.0.1", 443, "", "private address"},
        {"https://model", "", "10.0.0.1", 443, "", NULL},
        {"https://model", "", "169.254.1.1", 443, "", "link-local"},
        {"https://model.internal", "", "127.0.0.1", 443, "", NULL},
        {"https://a.b.TEST", "", "192.168.0.1", 443, "", NULL},
        {"https://local.example.com", "", "192.168.0.1", 443, "", "private address"},
        {"https://notlocal", "", "192.168.0.1", 443, "", NULL},
        {"https://x.notlocal", "", "192.168.0.1", 443, "", "private address"},
        {"https://10.0.0.1", "", "10.0.0.1", 443, "", NULL},
        {"https://10.0.0.1", "", "10.0.0.2", 443, "", unlisted},
        {"http://169.254.169.254", "", "169.254.169.254", 80, "", NULL},
        {"https://api.example.com", "API.example.com:443", "1.2.3.4", 443, "", NULL},
        {"https://api.example.com", "api.example.com:443", "10.0.0.1", 443, "", "private address"},
        {"https://api.example.com", "10.0.0.0/8:443", "10.9.9.9", 443, "", NULL},
        {"https://api.example.com", "10.0.0.0/8:443", "11.0.0.1", 443, "", unlisted},
        {"https://api.example.com", "1.2.3.4:443", "1.2.3.4", 443, "", NULL},
        {"https://api.example.com", "1.2.3.4:443", "1.2.3.5", 443, "", unlisted},
        {"https://api.example.com", "[fd00::/9]:443", "fd7f::1", 443, "", NULL},
        {"https://api.example.com", "[fd00::/9]:443", "fd80::1", 443, "", unlisted},
        {"https://api.example.com", "0.0.0.0/0:443", "169.254.169.254", 443, "", NULL},
        {"https://api.example.com", "0.0.0.0/0:443", "fd00::1", 443, "", unlisted},
        {"https://api.example.com", "10.0.0.0/8:443", "::ffff:10.0.0.1", 443, "", unlisted},
    };
    for (size_t i = 0; i < NK_COUNT(cases); i++) {
        struct nk_config config;
        struct nk_fault f = {0};
        struct egress e;
        struct nk_str more = {"", 0};
        if (cases[i].allow[0])
            more = nk_arena_printf(&arena, ",\"egress\":{\"allow\":[\"%s\"]}", cases[i].allow);
        int rc = configure(cases[i].url, "", more.p, &config, &e, &f);
        struct nk_origin o = origin(cases[i].url);
        struct nk_address to = address(cases[i].to, cases[i].port);
        struct egress_ask ask = {.hop = &o,
                                 .target = &o,
                                 .from_hosts = strchr(cases[i].flags, 'h') != NULL,
                                 .is_private = strchr(cases[i].flags, 'p') != NULL};
        const char *why = rc ? f.message : egress_refusal(&e, &ask, &to);
        tap_ok(cases[i].why ? why && strstr(why, cases[i].why) : !why, "%s (%s) to %s %s: %s",
               cases[i].url, cases[i].allow, cases[i].to, cases[i].flags, why ? why : "allowed");
    }
}

static void unix_cases(void)
{
    struct nk_config config;
    struct nk_fault f = {0};
    struct egress e;
    TAP_CHECK(configure("unix:/run/model.sock", "", "", &config, &e, &f) == 0);
    struct nk_origin o = origin("unix:/run/model.sock"), other = origin("unix:/run/other.sock");
    struct egress_ask ask = {.hop = &o, .target = &o};
    TAP_CHECK(!egress_refusal(&e, &ask, &o.address));
    TAP_CHECK(egress_refusal(&e, &ask, &other.address));
    const char *why = NULL;
    TAP_CHECK(egress_connect(&e, &ask, &other.address, &why) == NK_EDENIED && why);
    TAP_CHECK(egress_connect(&e, &ask, &o.address, &why) == NK_EIO && !why);
    TAP_CHECK(configure("unix:/run/model.sock", "",
                        ",\"egress\":{\"allow\":[\"unix:/run/model.sock\"]}", &config, &e,
                        &f) == 0);
    TAP_CHECK(!egress_refusal(&e, &ask, &o.address) && egress_refusal(&e, &ask, &other.address));
}

static void proxy_cases(void)
{
    struct nk_config config;
    struct nk_fault f = {0};
    struct egress e;
    struct nk_origin hop = origin("http://proxy.example.com:3128"),
                     target = origin("https://api.example.com"),
                     other = origin("https://b.example.com"), inside = origin("https://10.0.0.9");
    struct egress_ask ask = {.hop = &hop, .target = &target, .is_private = true};
    struct nk_address to = address("10.0.0.1", 3128), elsewhere = address("10.0.0.1", 3129);
    TAP_CHECK(configure("https://api.example.com", "",
                        ",\"proxy\":\"http://proxy.example.com:3128\"", &config, &e, &f) == 0);
    TAP_CHECK(!egress_refusal(&e, &ask, &to));
    TAP_CHECK(egress_refusal(&e, &ask, &elsewhere));
    ask.target = &other;
    tap_ok(egress_refusal(&e, &ask, &to) != NULL, "%s", egress_refusal(&e, &ask, &to));
    ask.target = &inside;
    TAP_CHECK(egress_refusal(&e, &ask, &to));
    static const struct {
        const char *allow, *why;
    } lists[] = {
        {"\"api.example.com:443\",\"proxy.example.com:3128\"", NULL},
        {"\"api.example.com:443\",\"10.0.0.0/8:3128\"", NULL},
        {"\"api.example.com:443\"", "proxy needs an entry for http://proxy.example.com:3128"},
        {"\"proxy.example.com:3128\"", "url needs an entry for https://api.example.com"},
        /* Behind a proxy nobody sees the address. */
        {"\"proxy.example.com:3128\",\"0.0.0.0/0:443\"", "url needs an entry"},
    };
    for (size_t i = 0; i < NK_COUNT(lists); i++) {
        struct nk_str more =
            nk_arena_printf(&arena,
                            ",\"proxy\":\"http://proxy.example.com:3128\",\"egress\":{\"allow\":"
                            "[%s]}",
                            lists[i].allow);
        f = (struct nk_fault){0};
        int rc = configure("https://api.example.com", "", more.p, &config, &e, &f);
        tap_ok(lists[i].why ? rc && strstr(f.message, lists[i].why) : rc == 0, "%s: %s",
               lists[i].allow, rc ? f.message : "good");
    }
}

static void choice_cases(void)
{
    static const struct {
        const char *url, *own, *common, *proxy;
    } cases[] = {
        {"https://a.example", NULL, NULL, NULL},
        {"https://a.example", NULL, "http://p:1", "http://p:1"},
        {"https://a.example", "http://q:2", "http://p:1", "http://q:2"},
        {"https://a.example", "direct", "http://p:1", NULL},
        {"https://a.example", NULL, "direct", NULL},
        {"http://127.0.0.1:9000", NULL, "http://p:1", NULL},
        {"http://127.0.0.1:9000", "http://q:2", NULL, "http://q:2"},
        {"http://localhost:9000", NULL, "http://p:1", NULL},
        {"unix:/run/x", NULL, "http://p:1", NULL},
    };
    for (size_t i = 0; i < NK_COUNT(cases); i++) {
        struct nk_config c = {.proxy = nk_str(cases[i].common)};
        struct nk_str got = reach_proxy(&c, nk_str(cases[i].url), nk_str(cases[i].own));
        tap_ok(cases[i].proxy ? nk_str_eq(got, nk_str(cases[i].proxy)) : !got.p, "%s, %s, %s: %s",
               cases[i].url, cases[i].own ? cases[i].own : "-",
               cases[i].common ? cases[i].common : "-", got.p ? got.p : "direct");
    }
}

/* The collector is a destination, with the proxy on the way. */
static void collector_cases(void)
{
    static const char otlp[] =
        ",\"telemetry\":{\"otlp\":{\"endpoint\":\"https://otel.example.com/a\"}}";
    static const struct {
        const char *more, *why;
    } cases[] = {
        {"", NULL},
        {",\"egress\":{\"allow\":[\"a.example.com:443\"]}",
         "telemetry.otlp.endpoint needs an entry for https://otel.example.com/a"},
        {",\"egress\":{\"allow\":[\"a.example.com:443\",\"otel.example.com:443\"]}", NULL},
        {",\"proxy\":\"http://p.example.com:1\",\"egress\":{\"allow\":[\"a.example.com:443\","
         "\"p.example.com:1\"]}",
         "telemetry.otlp.endpoint needs an entry"},
    };
    struct nk_origin o = origin("https://otel.example.com/a");
    struct egress_ask ask = {.hop = &o, .target = &o, .is_private = true};
    struct nk_address inside = address("10.0.0.1", 443), metadata = address("169.254.169.254", 443);
    for (size_t i = 0; i < NK_COUNT(cases); i++) {
        struct nk_config config;
        struct egress e;
        struct nk_fault f = {0};
        struct nk_str more = nk_arena_printf(&arena, "%s%s", otlp, cases[i].more);
        int rc = configure("https://a.example.com", "", more.p, &config, &e, &f);
        tap_ok(cases[i].why ? rc && strstr(f.message, cases[i].why) : rc == 0, "collector: %s",
               rc ? f.message : "good");
        if (!rc)
            TAP_CHECK(!egress_refusal(&e, &ask, &inside) && egress_refusal(&e, &ask, &metadata));
    }
}

static void list_cases(void)
{
    static const struct {
        const char *url, *allow;
        bool good;
    } cases[] = {
        {"https://api.example.com", "\"api.example.com:443\"", true},
        {"https://api.example.com", "\"api.example.com:8443\"", false},
        {"https://api.example.com", "\"other.example.com:443\"", false},
        {"https://api.example.com", "\"192.0.2.0/24:443\"", true},
        {"https://api.example.com", "\"192.0.2.0/24:80\"", false},
        {"https://192.0.2.7", "\"192.0.2.0/24:443\"", true},
        {"https://192.0.3.7", "\"192.0.2.0/24:443\"", false},
        {"https://[2001:db8::1]:8443", "\"[2001:db8::1]:8443\"", true},
        {"https://[2001:db8::2]:8443", "\"[2001:db8::1]:8443\"", false},
        {"unix:/run/a", "\"unix:/run/a\"", true},
        {"unix:/run/a", "\"unix:/run/b\"", false},
    };
    for (size_t i = 0; i < NK_COUNT(cases); i++) {
        struct nk_config config;
        struct egress e;
        struct nk_fault f = {0};
        struct nk_str more =
            nk_arena_printf(&arena, ",\"egress\":{\"allow\":[%s]}", cases[i].allow);
        int rc = configure(cases[i].url, "", more.p, &config, &e, &f);
        tap_ok((rc == 0) == cases[i].good, "%s and %s: %s", cases[i].url, cases[i].allow,
               rc ? f.message : "good");
    }
    /* Issuers are destinations, too. */
    struct nk_config config;
    struct egress e;
    struct nk_fault f = {0};
    int rc = configure("https://a.example.com", "",
                       ",\"identity\":{\"issuers\":[{\"issuer\":\"i\",\"audience\":\"a\",\"jwks\":"
                       "\"https://login.example.com/keys\"},{\"issuer\":\"j\",\"audience\":\"a\","
                       "\"jwks\":\"file:/x\"}]},\"egress\":{\"allow\":[\"a.example.com:443\"]}",
                       &config, &e, &f);
    tap_ok(rc == NK_EINVAL, "%s", f.message);
    collector_cases();
}

int main(void)
{
    nk_arena_init(&arena, 16 << 20);
    kind_cases();
    refusal_cases();
    unix_cases();
    proxy_cases();
    choice_cases();
    list_cases();
    nk_arena_free(&arena);
    return tap_done();
}
