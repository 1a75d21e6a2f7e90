/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp.c - messages and headers of the Model Context Protocol against tests/cases/mcp/ (each file says how its cases
 * are written), the coding of headers, errors, and the sealed texts that session ids are.
 */
#include "crypt/seal.h"
#include "proto/mcp.h"
#include "proto/mcp_about.h"

#include "cases.h"
#include "tap.h"

static const struct nk_json_limits limits = {1 << 20, 64, 1 << 16};
static struct nk_arena arena;

static int read_text(struct nk_str text, struct nk_mcp_message *m, struct nk_mcp_ask *ask,
                     struct nk_fault *f)
{
    struct nk_json doc;
    int rc = nk_json_parse(&limits, text, &arena, &doc, f);
    if (!rc)
        rc = nk_mcp_read(&doc, &arena, m, f);
    if (!rc && (m->kind == NK_MCP_REQUEST || m->kind == NK_MCP_NOTIFICATION))
        rc = nk_mcp_ask(m, &arena, ask, f);
    else if (!rc)
        *ask = (struct nk_mcp_ask){.op = NK_MCP_ANSWER};
    return rc;
}

static void message(const struct case_line *c, void *ctx)
{
    struct nk_fault f = {0};
    struct nk_mcp_message m;
    struct nk_mcp_ask ask;
    char found[1024];
    (void)ctx;
    int rc = read_text((struct nk_str){c->input, c->n}, &m, &ask, &f);
    if (rc)
        snprintf(found, sizeof found, "refused: %s", f.message);
    else
        snprintf(found, sizeof found, "%s %.*s%s%.*s", nk_mcp_endpoint(ask.op)->name,
                 NK_FMT(ask.revision ? nk_mcp_revision_name(ask.revision) : NK_STR("-")),
                 ask.subject.n ? " " : "", NK_FMT(ask.subject));
    size_t n = strlen(c->expect);
    while (n && c->expect[n - 1] == ' ')
        n--;
    bool good =
        rc ? strncmp(found, c->expect, n) == 0 : strlen(found) == n && !memcmp(found, c->expect, n);
    if (!tap_ok(good, "messages.cases:%d", c->line))
        printf("#   found %s\n", found);
    nk_arena_reset(&arena);
}

/* Headers -----------------------------------------------------------------------------------------
 */
static const char call[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/"
                           "call\",\"params\":{\"name\":\"pay\",\"arguments\":"
                           "{\"to\":\"Zoe\",\"n\":42,\"ok\":true,\"deep\":{\"x\":\"y "
                           "z\"},\"odd\":\" \xc3\xa9\",\"gone\":null},"
                           "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
                           "\"io.modelcontextprotocol/clientCapabilities\":{}}}}";
static const char schema[] =
    "{\"type\":\"object\",\"properties\":{\"to\":{\"type\":\"string\",\"x-mcp-header\":\"To\"},"
    "\"n\":{\"type\":\"integer\",\"x-mcp-header\":\"N\"},\"ok\":{\"type\":\"boolean\",\"x-mcp-"
    "header\":\"Ok\"},"
    "\"deep\":{\"type\":\"object\",\"properties\":{\"x\":{\"type\":\"string\",\"x-mcp-header\":"
    "\"X\"}}},"
    "\"odd\":{\"type\":\"string\",\"x-mcp-header\":\"Odd\"},\"gone\":{\"type\":\"string\",\"x-mcp-"
    "header\":\"Gone\"},"
    "\"free\":{\"type\":\"string\"}}}";

struct head {
    struct nk_http_header list[32];
    struct nk_http_head head;
};

static void set(struct head *h, struct nk_str name, struct nk_str value, bool again)
{
    size_t i = 0;
    while (i < h->head.header_count && (again || !nk_str_eq_nocase(h->list[i].name, name)))
        i++;
    h->list[i] = (struct nk_http_header){name, value};
    if (i == h->head.header_count)
        h->head.header_count++;
    else if (!value.n)
        h->list[i] = h->list[--h->head.header_count];
}

static void say(struct head *h, struct nk_str text)
{
    for (struct nk_str rest = text; rest.p;) {
        struct nk_str value = nk_str_trim(nk_str_cut(&rest, ';'));
        bool again = nk_str_starts(value, NK_STR("+"));
        value = nk_str_sub(value, again, value.n);
        struct nk_str name = nk_str_cut(&value, ':');
        if (name.n)
            set(h, name, nk_str_trim(value), again);
    }
}

static void headers(const struct case_line *c, void *ctx)
{
    struct nk_fault f = {0};
    struct nk_mcp_message m;
    struct nk_mcp_ask ask;
    struct nk_json tool;
    struct head h = {.head.headers = h.list};
    (void)ctx;
    say(&h, NK_STR("mcp-protocol-version: 2026-07-28; MCP-METHOD: tools/call; Mcp-Name: pay; "
                   "Mcp-Param-To: Zoe;"
                   "Mcp-Param-N: 42; Mcp-Param-Ok: true; Mcp-Param-X: y z; mcp-param-odd: "
                   "=?base64?IMOp?="));
    say(&h, (struct nk_str){c->input, c->n});
    int rc = read_text(nk_str(call), &m, &ask, &f);
    if (!rc)
        rc = nk_json_parse(&limits, nk_str(schema), &arena, &tool, &f);
    TAP_CHECK(rc == 0);
    rc = nk_mcp_headers(&h.head, &m, &ask, &arena, &f);
    if (!rc)
        rc = nk_mcp_param_headers(&h.head, &tool, &m.doc, ask.arguments, &arena, &f);
    if (!tap_ok(rc == (strncmp(c->expect, "good", 4) ? NK_EINVAL : 0), "headers.cases:%d", c->line))
        printf("#   found %d %s\n", rc, f.message);
    nk_arena_reset(&arena);
}

static void coding(void)
{
    static const char *const texts[] = {"us-west1",
                                        "Hello, \xe4\xb8\x96\xe7\x95\x8c",
                                        " padded ",
                                        "line1\nline2",
                                        "=?base64?literal?=",
                                        "=?base64?",
                                        ""};
    for (size_t i = 0; i < NK_COUNT(texts); i++) {
        struct nk_str coded = nk_mcp_header_encode(nk_str(texts[i]), &arena);
        TAP_CHECK(coded.n && nk_str_eq(nk_mcp_header_decode(coded, &arena), nk_str(texts[i])));
    }
    TAP_CHECK(nk_str_eq(nk_mcp_header_encode(NK_STR(" padded "), &arena),
                        NK_STR("=?base64?IHBhZGRlZCA=?=")));
    nk_arena_reset(&arena);
}

/* Sealed texts ------------------------------------------------------------------------------------
 */
/* RFC 5297, appendix A, has no vector with keys of 512 bits; RFC 5869, A.3, is HKDF without salt and info. */
static void key_derivation(void)
{
    unsigned char want[42];
    char secret[22];
    memset(secret, 0x0b, sizeof secret);
    TAP_CHECK(!nk_hex_decode(
        NK_STR("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395"
               "faa4b61a96c8"),
        want, sizeof want));
    struct nk_seal_key key = nk_seal_key((struct nk_str){secret, sizeof secret}, NK_STR(""));
    TAP_CHECK(memcmp(key.b, want, sizeof want) == 0);
}

static void sealing(void)
{
    struct nk_seal_key key = nk_seal_key(NK_STR("0123456789abcdef0123456789abcdef"), NK_STR("a"));
    struct nk_seal_key other = nk_seal_key(NK_STR("0123456789abcdef0123456789abcdef"), NK_STR("b"));
    struct nk_str text = NK_STR("a session of somebody");
    struct nk_buf sealed, open;
    nk_buf_init(&sealed, 4096);
    nk_buf_init(&open, 4096);
    TAP_CHECK(nk_seal(&key, NK_STR("alice"), text, &sealed) == 0);
    TAP_CHECK(sealed.n == text.n + NK_SEAL_OVERHEAD);
    TAP_CHECK(nk_unseal(&key, NK_STR("alice"), nk_buf_str(&sealed), &open) == 0);
    TAP_CHECK(nk_str_eq(nk_buf_str(&open), text));
    TAP_CHECK(nk_unseal(&key, NK_STR("bob"), nk_buf_str(&sealed), &open) == NK_ECRYPTO);
    TAP_CHECK(nk_unseal(&other, NK_STR("alice"), nk_buf_str(&sealed), &open) == NK_ECRYPTO);
    size_t taken = 0;
    for (size_t i = 0; i < sealed.n * 8; i++) {
        sealed.p[i / 8] ^= (char)(1 << (i % 8));
        taken += nk_unseal(&key, NK_STR("alice"), nk_buf_str(&sealed), &open) == 0;
        sealed.p[i / 8] ^= (char)(1 << (i % 8));
    }
    tap_ok(taken == 0, "no changed bit is taken");
    for (size_t n = 0; n < sealed.n; n++)
        taken += nk_unseal(&key, NK_STR("alice"), (struct nk_str){sealed.p, n}, &open) == 0;
    tap_ok(taken == 0 && open.n == text.n, "no part is taken, and nothing of one is given away");
    nk_buf_free(&sealed);
    nk_buf_free(&open);
}

/* What servers say of themselves, as one ----------------------------------------------------------
 */
static void about(const struct case_line *c, void *ctx)
{
    enum { SERVERS = 4 };
    struct nk_mcp_about list[SERVERS];
    struct nk_json docs[SERVERS];
    struct nk_fault f = {0};
    struct nk_buf out;
    struct nk_str rest = {c->input, c->n}, as = nk_str_cut(&rest, ' ');
    size_t n = 0;
    (void)ctx;
    for (; rest.p && n < SERVERS; n++) {
        struct nk_str text = nk_str_trim(nk_str_cut(&rest, ';')), name = nk_str_cut(&text, ' ');
        bool translated = nk_str_starts(name, NK_STR("~"));
        TAP_CHECK(nk_json_parse(&limits, text, &arena, &docs[n], &f) == 0);
        list[n] =
            (struct nk_mcp_about){nk_str_sub(name, translated, name.n), &docs[n], 0, translated};
    }
    nk_buf_init(&out, 1 << 16);
    int rc = nk_mcp_put_about(list, n, nk_mcp_revision(as), &arena, &out);
    struct nk_str found = nk_buf_str(&out), before = nk_str_trim(nk_str(c->expect)), want = before;
    ptrdiff_t at = nk_str_search(before, NK_STR("VERSION")); /* of the build */
    if (at >= 0)
        want = nk_arena_printf(&arena, "%.*s" NK_VERSION "%.*s", (int)at, before.p,
                               NK_FMT(nk_str_sub(before, (size_t)at + 7, before.n)));
    if (!tap_ok(rc == 0 && nk_str_eq(found, want), "about.cases:%d", c->line))
        printf("#   found %.*s\n", NK_FMT(found));
    nk_buf_free(&out);
    nk_arena_reset(&arena);
}

static void errors(void)
{
    struct nk_buf b;
    nk_buf_init(&b, 1024);
    nk_mcp_put_error(&b, NK_STR("\"a\""), NK_MCP_NO_METHOD, NK_STR("no \"such\" method"),
                     NK_STR("\"x\":1"));
    TAP_CHECK(
        nk_str_eq(nk_buf_str(&b),
                  NK_STR("{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"error\":{\"code\":-32601,\"message\":"
                         "\"no \\\"such\\\" method\",\"data\":{\"x\":1}}}")));
    nk_buf_free(&b);
}

int main(void)
{
    nk_arena_init(&arena, 1 << 24);
    TAP_CHECK(cases_read("tests/cases/mcp/messages.cases", message, NULL) > 30);
    TAP_CHECK(cases_read("tests/cases/mcp/headers.cases", headers, NULL) > 20);
    TAP_CHECK(cases_read("tests/cases/mcp/about.cases", about, NULL) > 8);
    coding();
    key_derivation();
    sealing();
    errors();
    nk_arena_free(&arena);
    return tap_done();
}
