/* SPDX-License-Identifier: Apache-2.0
 *
 * tools_actions.c - an API that OpenAPI describes is an offer like a server's list: diff, check and approve read it in the
 * same way; and `nakoso tools actions`, which says how an agent's configuration calls what it has.
 */
#include "cmd/tools.h"

#include <stdio.h>
#include "cmd/audit_args.h"
#include "cmd/options.h"
#include "edge/yaml.h"

enum { TOOLS_OF_ACTION = 64 }; /* agents.actions.tools */

static const struct nk_json_limits limits = {NK_OFFER_MAX, 128, 4 << 20};

int nk_offer_yaml(struct nk_offer *offer, struct nk_arena *a, struct nk_fault *f)
{
    static const struct nk_yaml_limits lim = {
        .max_bytes = 4 << 20, .max_depth = 64, .max_nodes = 1 << 20, .typed = true};
    struct nk_yaml y;
    struct nk_yaml_mark where;
    struct nk_fault inner = {0};
    struct nk_str rest = nk_str_trim(offer->text);
    if (!rest.n || rest.p[0] == '{' || rest.p[0] == '[')
        return 0;
    int rc = nk_yaml_read(&lim, offer->text, a, &y, &where, &inner);
    if (rc)
        return nk_fault_set(f, rc, "tools", inner.offset, "%.100s:%u:%u: %s", offer->name,
                            where.line, where.column, inner.message);
    offer->text = y.json;
    return 0;
}

/* What cannot be a tool; the document's own words must not draw on the screen. */
static void tell(const struct nk_offer *offer)
{
    struct nk_buf b;
    nk_buf_init(&b, NK_OFFER_MAX);
    for (struct nk_str rest = offer->api.left_out; rest.n;) {
        struct nk_str line = nk_str_cut(&rest, '\n');
        nk_buf_printf(&b, "%.100s: left out: ", offer->name);
        nk_trust_put_seen(&b, line);
        nk_buf_add_char(&b, '\n');
    }
    fwrite(b.p, 1, b.n, stderr);
    nk_buf_free(&b);
}

int nk_offer_api(struct nk_offer *offer, struct nk_arena *a, struct nk_fault *f)
{
    struct nk_fault inner = {0};
    if (!nk_openapi_is(&offer->doc))
        return 0;
    int rc = nk_openapi_read(&offer->doc, a, &offer->api, &inner);
    if (rc)
        return nk_fault_set(f, rc, "tools", inner.offset, "%.100s: %s", offer->name,
                            inner.code ? inner.message : "too large, or out of memory");
    tell(offer);
    offer->text = offer->api.tools;
    return nk_json_parse(&limits, offer->text, a, &offer->doc, f);
}

/* actions ----------------------------------------------------------------------------------------- */
static int usage(void)
{
    fputs("usage: nakoso tools actions --server NAME --from FILE [--form rest|lambda]\n"
          "Prints the `actions:` of an agent that calls the operations of an OpenAPI document (3.0 "
          "or "
          "3.1, JSON or\nYAML) at the upstream NAME: as requests of their own, or as events in the "
          "form of AWS Lambda. What the\ntools are called with has to be approved as ever: `nakoso "
          "tools approve --server NAME --from FILE`.\n",
          stderr);
    return 2;
}

static void put_text(struct nk_buf *out, const char *name, struct nk_str value)
{
    if (!value.p)
        return;
    nk_buf_printf(out, ", %s: ", name);
    nk_json_put_string(out, value); /* a JSON string is one of YAML, too */
}

static void put_way(const struct nk_openapi_way *w, struct nk_str base, struct nk_arena *a,
                    struct nk_buf *out)
{
    struct nk_str path = nk_arena_printf(a, "%.*s%.*s", NK_FMT(base), NK_FMT(w->path));
    nk_buf_printf(out, "          - {name: %.*s, method: %.*s", NK_FMT(w->name), NK_FMT(w->method));
    put_text(out, "path", path);
    put_text(out, "query", w->query);
    put_text(out, "headers", w->headers);
    nk_buf_add(out, NK_STR("}\n"));
}

static void put_actions(const struct nk_openapi *api, const char *server, bool lambda,
                        struct nk_arena *a, struct nk_buf *out)
{
    nk_buf_add(out, NK_STR("    actions:\n"));
    for (size_t i = 0; i < api->count; i++) {
        if (i % TOOLS_OF_ACTION == 0) {
            nk_buf_printf(out, "      - name: %s", server);
            if (i)
                nk_buf_printf(out, "-%zu", i / TOOLS_OF_ACTION + 1);
            nk_buf_printf(out, "\n        form: %s\n        upstream: %s\n        tools:\n",
                          lambda ? "lambda" : "rest", server);
        }
        /* A function is told the path as the document has it. */
        put_way(&api->ways[i], lambda ? NK_STR("") : api->base, a, out);
    }
}

static int actions(const char *server, const char *from, bool lambda, struct nk_arena *a)
{
    struct nk_offer offer;
    struct nk_fault f = {0};
    struct nk_buf out;
    int rc = nk_offer_read(from, NULL, a, &offer, &f);
    if (!rc && !offer.api.ways)
        rc = nk_fault_set(&f, NK_EINVAL, "tools", 0, "%.100s: this is no OpenAPI document", from);
    if (!rc && !offer.api.count)
        rc = nk_fault_set(&f, NK_ENOTFOUND, "tools", 0, "%.100s: no operation can be a tool", from);
    if (rc) {
        fprintf(stderr, "nakoso tools actions: %s\n", f.message);
        return 1;
    }
    nk_buf_init(&out, NK_OFFER_MAX);
    put_actions(&offer.api, server, lambda, a, &out);
    bool ok = nk_audit_print(&out);
    nk_buf_free(&out);
    return !ok;
}

int nk_cmd_tools_actions(int argc, char **argv)
{
    const char *server = NULL, *from = NULL, *form = NULL;
    bool help = false;
    int words;
    struct nk_arena arena;
    const struct nk_option options[] = {{"--server", &server, NULL},
                                        {"--from", &from, NULL},
                                        {"--form", &form, NULL},
                                        {"--help", NULL, &help}};
    if (nk_options_read("tools actions", argc, argv, options, NK_COUNT(options), &words) || words ||
        help || !server || !*server || !from)
        return usage();
    bool lambda = form && nk_str_eq(nk_str(form), NK_STR("lambda"));
    if (form && !lambda && !nk_str_eq(nk_str(form), NK_STR("rest")))
        return usage();
    nk_arena_init(&arena, NK_TOOLS_ARENA);
    int status = actions(server, from, lambda, &arena);
    nk_arena_free(&arena);
    return status;
}
