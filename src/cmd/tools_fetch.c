/* SPDX-License-Identifier: Apache-2.0
 *
 * tools_fetch.c - asks an MCP server for its tools (Streamable HTTP). Revision 2026-07-28 first: one request
 * for each page, which says all about itself. A server that does not know it answers with an error, and is asked
 * as revision 2025-11-25 has it: initialize, a session, pages, and the session is ended.
 *
 * Only definitions are asked for; nothing is called. A server that puts the answer into an event stream may send
 * other messages before it, which are passed over: what it asks of a client, this one does not have.
 */
#include "cmd/tools.h"

#include "http/sse.h"
#include "proto/mcp.h"

enum { PAGES_MAX = 100 };

static const struct nk_json_limits limits = {NK_OFFER_MAX, 128, 4 << 20};

struct fetch {
    const char *url;
    const struct nk_fetch *how;
    struct nk_arena *arena;
    struct nk_fault *fault;
    const char *revision;
    struct nk_str session; /* absent: none, or not yet */
    unsigned id;
    struct nk_json answer;
    uint32_t result; /* in it */
    struct nk_buf tools;
};

static int failed(struct fetch *x, int code, const char *what)
{
    return nk_fault_set(x->fault, code, "tools", 0, "%.120s: %s", x->url, what);
}

/* Messages ---------------------------------------------------------------------------------------
 */
static bool is_answer(struct fetch *x, struct nk_str text)
{
    int64_t id = 0;
    return nk_json_parse(&limits, text, x->arena, &x->answer, NULL) == 0 &&
           nk_json_i64(&x->answer, nk_json_get(&x->answer, 0, NK_STR("id")), &id) == 0 &&
           id == (int64_t)x->id && nk_json_get(&x->answer, 0, NK_STR("method")) == NK_JSON_NONE;
}

/* The answer among the events of a stream. */
static int find_in_stream(struct fetch *x, struct nk_str body)
{
    struct nk_sse s;
    struct nk_sse_event e;
    struct nk_str data = {NULL, 0};
    nk_sse_init(&s, NK_OFFER_MAX);
    int rc = 0;
    while (rc == 0 && !data.p) {
        size_t n = body.n < NK_SSE_FEED_MAX ? body.n : NK_SSE_FEED_MAX;
        rc = n ? nk_sse_feed(&s, nk_str_sub(body, 0, n), NULL) : 0;
        body = nk_str_sub(body, n, body.n);
        if (body.n == 0)
            nk_sse_end(&s);
        while (rc == 0 && !data.p && (rc = nk_sse_next(&s, &e, NULL)) == 0) {
            struct nk_str copy = e.data.p ? nk_arena_copy(x->arena, e.data) : e.data;
            if (copy.p && is_answer(x, copy))
                data = copy;
        }
        rc = rc == NK_EAGAIN && body.n ? 0 : rc;
    }
    nk_sse_free(&s);
    return data.p ? 0 : NK_EINVAL;
}

/* Sends one message; with an id, x->answer and x->result are what came. `again` (may be NULL) is set instead of
 * a fault when the server did not understand. */
static int say(struct fetch *x, struct nk_str body, const char *method, bool *again)
{
    struct nk_told told;
    struct nk_str headers = nk_arena_printf(
        x->arena,
        "Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: %s\r\n%s%s%s",
        x->revision, method ? "Mcp-Method: " : "", method ? method : "", method ? "\r\n" : "");
    if (x->session.p)
        headers = nk_arena_printf(x->arena, "%.*sMcp-Session-Id: %.*s\r\n", NK_FMT(headers),
                                  NK_FMT(x->session));
    if (!headers.p)
        return failed(x, NK_ENOMEM, "out of memory");
    struct nk_ask ask = {"POST", x->url, headers, body, x->how};
    int rc = nk_ask_http(&ask, x->arena, &told, x->fault);
    if (rc)
        return rc;
    if (!x->session.p && told.session.n)
        x->session = told.session;
    if (told.status == 202)
        return 0;
    bool stream = nk_str_starts(told.type, NK_STR("text/event-stream"));
    bool good = told.status == 200 &&
                (stream ? find_in_stream(x, told.body) == 0 : is_answer(x, told.body));
    x->result = good ? nk_json_get(&x->answer, 0, NK_STR("result")) : NK_JSON_NONE;
    if (good && x->result != NK_JSON_NONE)
        return 0;
    if (again && told.status != 401 && told.status != 403) {
        *again = true;
        return 0;
    }
    return nk_fault_set(x->fault, NK_EIO, "tools", 0,
                        "%.120s: the server answers with status %d: %.80s", x->url, told.status,
                        told.status == 401 || told.status == 403
                            ? "it wants another token (--token)"
                            : "no answer of MCP");
}

/* Pages ------------------------------------------------------------------------------------------
 */
static int take_page(struct fetch *x, struct nk_str *cursor)
{
    uint32_t tools = nk_json_get(&x->answer, x->result, NK_STR("tools"));
    if (nk_json_type(&x->answer, tools) != NK_JSON_ARRAY)
        return failed(x, NK_EINVAL, "its answer has no list of tools");
    for (uint32_t i = nk_json_first(&x->answer, tools); i != NK_JSON_NONE;
         i = nk_json_next(&x->answer, tools, i)) {
        nk_buf_add(&x->tools, x->tools.p[x->tools.n - 1] == '[' ? NK_STR("") : NK_STR(",\n"));
        nk_buf_add(&x->tools, nk_json_span(&x->answer, i));
    }
    uint32_t next = nk_json_get(&x->answer, x->result, NK_STR("nextCursor"));
    *cursor = nk_json_span(&x->answer, next); /* as it stands, a JSON string */
    if (next != NK_JSON_NONE && nk_json_type(&x->answer, next) != NK_JSON_STRING)
        *cursor = (struct nk_str){NULL, 0};
    return x->tools.error ? failed(x, x->tools.error, "its list of tools is too long") : 0;
}

static int ask_pages(struct fetch *x, bool stateless, bool *again)
{
    struct nk_str cursor = {NULL, 0};
    nk_buf_clear(&x->tools);
    nk_buf_add(&x->tools, NK_STR("{\"tools\":["));
    for (int page = 0;; page++) {
        if (page == PAGES_MAX)
            return failed(x, NK_ELIMIT, "its list of tools has more than 100 pages");
        struct nk_str body = nk_arena_printf(
            x->arena,
            "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"tools/list\",\"params\":{%s%s%s%.*s}}",
            ++x->id, stateless ? nk_mcp_own_meta : "", stateless && cursor.p ? "," : "",
            cursor.p ? "\"cursor\":" : "", (int)cursor.n, cursor.p ? cursor.p : "");
        if (!body.p)
            return failed(x, NK_ENOMEM, "out of memory");
        int rc = say(x, body, stateless ? "tools/list" : NULL, page ? NULL : again);
        if (rc || (again && *again))
            return rc;
        rc = take_page(x, &cursor);
        if (rc)
            return rc;
        if (!cursor.p) {
            nk_buf_add(&x->tools, NK_STR("]}"));
            return x->tools.error;
        }
    }
}

/* initialize … tools/list …, then the session is given back, whatever came of it. */
static int ask_in_session(struct fetch *x)
{
    x->session = (struct nk_str){NULL, 0};
    x->revision = "2025-11-25";
    struct nk_str hello = nk_arena_printf(
        x->arena, "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"initialize\",\"params\":{%s}}",
        ++x->id, nk_mcp_own_initialize);
    if (!hello.p)
        return failed(x, NK_ENOMEM, "out of memory");
    int rc = say(x, hello, NULL, NULL);
    if (rc)
        return rc;
    struct nk_str agreed = nk_json_string(
        &x->answer, nk_json_get(&x->answer, x->result, NK_STR("protocolVersion")), x->arena);
    if (nk_str_eq(agreed, NK_STR("2025-06-18")) || nk_str_eq(agreed, NK_STR("2025-03-26")))
        x->revision = nk_str_eq(agreed, NK_STR("2025-06-18")) ? "2025-06-18" : "2025-03-26";
    rc = say(x, NK_STR("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}"), NULL,
             NULL);
    if (rc == 0)
        rc = ask_pages(x, false, NULL);
    if (x->session.p) {
        struct nk_told told;
        struct nk_str headers =
            nk_arena_printf(x->arena, "Mcp-Session-Id: %.*s\r\nMCP-Protocol-Version: %s\r\n",
                            NK_FMT(x->session), x->revision);
        struct nk_ask bye = {"DELETE", x->url, headers, {NULL, 0}, x->how};
        if (headers.p)
            (void)!nk_ask_http(&bye, x->arena, &told, NULL);
    }
    return rc;
}

int nk_fetch_tools(const char *url, const struct nk_fetch *how, struct nk_arena *a,
                   struct nk_str *out, struct nk_fault *f)
{
    struct fetch x = {.url = url, .how = how, .arena = a, .fault = f, .revision = "2026-07-28"};
    bool again = false;
    nk_buf_init(&x.tools, NK_OFFER_MAX);
    int rc = ask_pages(&x, true, &again);
    if (rc == 0 && again)
        rc = ask_in_session(&x);
    if (rc == 0)
        *out = nk_arena_copy(a, nk_buf_str(&x.tools));
    nk_buf_free(&x.tools);
    return rc || out->p ? rc : nk_fault_set(f, NK_ENOMEM, "tools", 0, "out of memory");
}
