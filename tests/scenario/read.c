/* SPDX-License-Identifier: Apache-2.0
 *
 * read.c - reads .gate files; see scenario.h.
 */
#include "scenario/scenario.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ident/keyfile.h"
#include "tool/tool.h"

static struct nk_str word(struct nk_str *rest)
{
    *rest = nk_str_trim(*rest);
    size_t n = 0;
    while (n < rest->n && rest->p[n] != ' ' && rest->p[n] != '\t')
        n++;
    struct nk_str w = nk_str_sub(*rest, 0, n);
    *rest = nk_str_trim(nk_str_sub(*rest, n, rest->n));
    return w;
}

static bool is(struct nk_str s, const char *z)
{
    return nk_str_eq(s, nk_str(z));
}

/* key NAME TYPE ID [GROUP,GROUP…] */
static bool read_key(struct scenario *s, struct nk_str rest)
{
    if (s->key_count == KEYS_MAX)
        return false;
    struct scenario_key *k = &s->keys[s->key_count++];
    k->name = word(&rest);
    k->type = word(&rest);
    k->id = word(&rest);
    k->groups = rest;
    snprintf(k->secret, sizeof k->secret, "scenario-key-of-%.*s-0123456789", NK_FMT(k->name));
    return k->id.n > 0;
}

/* model NAME DIALECT [UPSTREAM-NAME] */
static bool read_model(struct scenario *s, struct nk_str rest)
{
    if (s->model_count == MODELS_MAX)
        return false;
    struct scenario_model *m = &s->models[s->model_count++];
    m->name = word(&rest);
    m->dialect = word(&rest);
    m->upstream_name = word(&rest);
    return m->dialect.n > 0;
}

/* tool SERVER DEFINITION, or tool_rules JSON,JSON… */
static bool read_tool(struct scenario *s, bool one, struct nk_str rest)
{
    static const struct nk_json_limits lim = {1 << 20, 64, 1 << 16};
    if (!one) {
        nk_buf_add(&s->tool_rules, rest);
        return true;
    }
    struct nk_str server = word(&rest);
    struct nk_digest digest;
    struct nk_fault f = {0};
    struct nk_json doc;
    if (nk_json_parse(&lim, rest, &s->arena, &doc, &f) || !rest.n ||
        nk_tool_definition_digest(&doc, 0, &digest))
        return false;
    nk_buf_add(&s->tools, s->tools.n ? NK_STR(",{") : NK_STR("{"));
    nk_json_put_member(&s->tools, NK_STR("server"), server);
    nk_buf_add(&s->tools, NK_STR(",\"sha256\":\""));
    nk_buf_add_hex(&s->tools, digest.b, sizeof digest.b);
    nk_buf_add(&s->tools, NK_STR("\",\"approved\":\"2026-11-26T00:00:00Z\","));
    nk_buf_add(&s->tools, nk_str_sub(rest, 1, rest.n));
    return true;
}

void scenario_tools(const struct scenario *s, struct nk_buf *out)
{
    nk_buf_printf(out, "{\"format\":1,\"tools\":[%.*s]}", NK_FMT(nk_buf_str(&s->tools)));
}

/* hook PATH PROXY */
static void read_hook(struct scenario *s, struct nk_str rest)
{
    struct nk_str path = word(&rest);
    nk_buf_add(&s->hooks, s->hooks.n ? NK_STR("]},{") : NK_STR("{"));
    nk_json_put_member(&s->hooks, NK_STR("path"), path);
    nk_json_put_member(&s->hooks, NK_STR("proxy"), rest);
    nk_buf_add(&s->hooks, NK_STR(",\"store\":\"shop\",\"rules\":["));
}

/* rule METHOD PATH ACTION RESOURCE, of the hook before it */
static bool read_rule(struct scenario *s, struct nk_str rest)
{
    static const char *const members[] = {"method", "path", "action", "resource"};
    bool first = nk_str_ends(nk_buf_str(&s->hooks), NK_STR("["));
    nk_buf_add(&s->hooks, first ? NK_STR("{") : NK_STR(",{"));
    for (size_t i = 0; i < NK_COUNT(members); i++)
        nk_json_put_member(&s->hooks, nk_str(members[i]), word(&rest));
    nk_buf_add_char(&s->hooks, '}');
    return s->hooks.n > 2 && rest.n == 0;
}

static bool is_step(struct nk_str w)
{
    return is(w, "client") || is(w, "header") || is(w, "upstream") || is(w, "gone") ||
           is(w, "keep") || is(w, "expect");
}

/* What a step KEY VALUE adds members to, or NULL. */
static struct nk_buf *members_of(struct scenario *s, struct nk_str w)
{
    return is(w, "limit") ? &s->config : is(w, "config") ? &s->top : NULL;
}

/* KEY VALUE: one more member */
static void read_key_value(struct nk_buf *to, struct nk_str rest)
{
    struct nk_str key = word(&rest);
    nk_buf_add_char(to, ',');
    nk_json_put_string(to, key);
    nk_buf_add_char(to, ':');
    nk_buf_add(to, rest);
}

static bool read_line(struct scenario *s, int line, struct nk_str text)
{
    struct nk_str rest = text, w = word(&rest);
    if (w.n == 0 || w.p[0] == '#')
        return true;
    if (is(w, "title")) {
        s->title = rest;
    } else if (is(w, "policy") || is(w, "store")) {
        struct nk_buf *to = is(w, "policy") ? &s->policy : &s->store;
        nk_buf_add(to, rest);
        nk_buf_add_char(to, '\n');
    } else if (is(w, "hook")) {
        read_hook(s, rest);
    } else if (is(w, "rule")) {
        return read_rule(s, rest);
    } else if (is(w, "entities")) {
        nk_buf_add(&s->entities, rest);
    } else if (is(w, "tool") || is(w, "tool_rules")) {
        return read_tool(s, is(w, "tool"), rest);
    } else if (members_of(s, w)) {
        read_key_value(members_of(s, w), rest);
    } else if (is(w, "audit")) {
        s->strict = is(rest, "strict");
    } else if (is(w, "errors")) { /* of policies: errors deny */
        s->errors_deny = is(rest, "deny");
    } else if (is(w, "framing")) {
        s->http1 = is(rest, "http/1.1");
        return s->http1;
    } else if (is(w, "key")) {
        return read_key(s, rest);
    } else if (is(w, "model")) {
        return read_model(s, rest);
    } else if (is_step(w)) {
        if (s->step_count == STEPS_MAX)
            return false;
        s->steps[s->step_count++] = (struct scenario_step){line, w, rest};
    } else {
        return false;
    }
    return true;
}

static struct nk_str slurp(struct nk_arena *a, const char *file)
{
    struct nk_buf b;
    nk_buf_init(&b, 1 << 20);
    FILE *in = fopen(file, "rb");
    size_t n = 1;
    while (in && n > 0) {
        char *to = nk_buf_reserve(&b, 4096);
        n = to ? fread(to, 1, 4096, in) : 0;
        b.n += n;
    }
    struct nk_str text = in ? nk_arena_copy(a, nk_buf_str(&b)) : (struct nk_str){NULL, 0};
    if (in)
        fclose(in);
    nk_buf_free(&b);
    return text;
}

struct scenario *scenario_read(const char *file)
{
    struct scenario *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    nk_arena_init(&s->arena, 16 << 20);
    nk_buf_init(&s->policy, 1 << 20);
    nk_buf_init(&s->store, 1 << 20);
    nk_buf_init(&s->hooks, 1 << 20);
    nk_buf_init(&s->entities, 1 << 20);
    nk_buf_init(&s->config, 1 << 20);
    nk_buf_init(&s->top, 1 << 20);
    nk_buf_init(&s->tools, 1 << 20);
    nk_buf_init(&s->tool_rules, 1 << 20);
    s->file = file;
    struct nk_str text = slurp(&s->arena, file);
    int line = 0;
    for (struct nk_str rest = text; rest.p;) {
        struct nk_str part = nk_str_cut(&rest, '\n');
        if (!read_line(s, ++line, part)) {
            fprintf(stderr, "%s:%d: cannot read this step: %.*s\n", file, line, NK_FMT(part));
            scenario_free(s);
            return NULL;
        }
    }
    if (text.p)
        return s;
    fprintf(stderr, "%s: cannot be read\n", file);
    scenario_free(s);
    return NULL;
}

void scenario_free(struct scenario *s)
{
    nk_buf_free(&s->policy);
    nk_buf_free(&s->store);
    nk_buf_free(&s->hooks);
    nk_buf_free(&s->entities);
    nk_buf_free(&s->config);
    nk_buf_free(&s->top);
    nk_buf_free(&s->tools);
    nk_buf_free(&s->tool_rules);
    nk_arena_free(&s->arena);
    free(s);
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

struct nk_str scenario_unescape(struct scenario *s, struct nk_str text)
{
    char *out = nk_arena_alloc(&s->arena, text.n + 1);
    size_t n = 0;
    for (size_t i = 0; out && i < text.n; i++) {
        char c = text.p[i];
        if (c != '\\' || i + 1 == text.n) {
            out[n++] = c;
            continue;
        }
        c = text.p[++i];
        if (c == 'x' && i + 2 < text.n && hex(text.p[i + 1]) >= 0 && hex(text.p[i + 2]) >= 0) {
            out[n++] = (char)(hex(text.p[i + 1]) << 4 | hex(text.p[i + 2]));
            i += 2;
        } else if (c == 'n' || c == 'r' || c == 't' || c == '\\') {
            out[n++] = c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : '\\';
        } else { /* every other backslash is meant, such as JSON's \" */
            out[n++] = '\\';
            out[n++] = c;
        }
    }
    return (struct nk_str){out, n};
}

static void put_upstreams(const struct scenario *s, int port, struct nk_buf *out)
{
    static const char *const dialects[] = {"openai", "anthropic", "mcp", "a2a", "http", "mcp"};
    static const char *const names[] = {"openai", "anthropic", "mcp", "a2a", "http", "second"};
    nk_buf_add(out, NK_STR(",\"upstreams\":["));
    for (size_t d = 0; d < NK_COUNT(dialects); d++)
        nk_buf_printf(out,
                      "%s{\"name\":\"%s\",\"dialect\":\"%s\",\"url\":\"http://127.0.0.1:%d\","
                      "\"connect_timeout\":\"2s\",\"first_byte_timeout\":\"3s\"}",
                      d ? "," : "", names[d], dialects[d], port);
    nk_buf_add(out, NK_STR("],\"models\":["));
    for (size_t i = 0; i < s->model_count; i++) {
        const struct scenario_model *m = &s->models[i];
        nk_buf_printf(out, "%s{\"name\":\"%.*s\",\"upstream\":\"%.*s\"", i ? "," : "",
                      NK_FMT(m->name), NK_FMT(m->dialect));
        if (m->upstream_name.n)
            nk_json_put_member(out, NK_STR("upstream_name"), m->upstream_name);
        nk_buf_add_char(out, '}');
    }
    nk_buf_add_char(out, ']');
}

void scenario_config(const struct scenario *s, int upstream_port, struct nk_buf *out)
{
    nk_buf_add(out, NK_STR("{\"listen\":[{\"address\":\"unix:gate.sock\"}]"));
    put_upstreams(s, upstream_port, out);
    nk_buf_add(
        out,
        NK_STR(",\"identity\":{\"keys\":\"keys.jsonl\"},\"policy\":{\"directory\":\"policies\""));
    if (s->entities.n)
        nk_buf_add(out, NK_STR(",\"entities\":\"entities.json\""));
    if (s->errors_deny)
        nk_buf_add(out, NK_STR(",\"errors\":\"deny\""));
    nk_buf_add(out, NK_STR("},\"audit\":{\"directory\":\"audit\",\"mode\":"));
    nk_buf_add(out, s->strict ? NK_STR("\"strict\"}") : NK_STR("\"group\"}"));
    if (s->store.n)
        nk_buf_add(out, NK_STR(",\"policy_stores\":[{\"id\":\"shop\",\"directory\":\"shop\"}]"));
    if (s->hooks.n)
        nk_buf_printf(out, ",\"hooks\":[%.*s]}]", NK_FMT(nk_buf_str(&s->hooks)));
    if (s->tools.n)
        nk_buf_printf(out, ",\"tools\":{\"file\":\"tools.json\",\"rules\":[%.*s]}",
                      NK_FMT(nk_buf_str(&s->tool_rules)));
    nk_buf_add(out, NK_STR(",\"limits\":{"));
    nk_buf_add(out, s->config.n
                        ? nk_str_sub(nk_buf_str(&s->config), s->config.p[0] == ',', s->config.n)
                        : NK_STR(""));
    nk_buf_add_char(out, '}');
    nk_buf_add(out, nk_buf_str(&s->top));
    nk_buf_add_char(out, '}');
}

void scenario_keys(struct scenario *s, struct nk_buf *out)
{
    for (size_t i = 0; i < s->key_count; i++) {
        const struct scenario_key *k = &s->keys[i];
        struct nk_str groups[16];
        size_t n = 0;
        for (struct nk_str rest = k->groups; rest.n && n < NK_COUNT(groups);)
            groups[n++] = nk_str_trim(nk_str_cut(&rest, ','));
        struct nk_keyfile_entry e = {
            .id = nk_arena_printf(&s->arena, "scenariokey%c", (char)(0x61 + (int)i)),
            .digest = nk_sha256(nk_str(k->secret)),
            .type = k->type,
            .principal = k->id,
            .groups = groups,
            .group_count = n,
            .created_ms = 1700000000000,
            .expires_ms = INT64_MAX,
            .revoked_ms = INT64_MAX,
        };
        nk_keyfile_put(&e, out);
    }
}

void scenario_put_headers(const struct nk_http_head *h, struct nk_buf *out)
{
    for (size_t i = 0; i < h->header_count; i++) {
        struct nk_str name = h->headers[i].name;
        for (size_t k = 0; k < name.n; k++)
            nk_buf_add_char(
                out, (char)(name.p[k] >= 'A' && name.p[k] <= 'Z' ? name.p[k] + 32 : name.p[k]));
        nk_buf_printf(out, ": %.*s\n", NK_FMT(h->headers[i].value));
    }
}
