/* SPDX-License-Identifier: Apache-2.0
 *
 * hook.c - another proxy asks whether a request that it holds may go on. Who is behind it is proven as for any
 * request, by the credential that the proxy hands over; what it asks for follows from method and path by the
 * rules of the configuration; the policy store says yes or no. Nothing else of the request is believed.
 */
#include "gate/hook.h"

#include "proto/hook.h"

enum { ID_MAX = 4096, HEADER_MAX = 8192 };

static int bad_rule(const struct nk_config_hook *h, size_t i, const char *what, struct nk_fault *f)
{
    return nk_fault_set(f, NK_EINVAL, "config", 0, "hooks: %.*s: rules[%zu]: %s", NK_FMT(h->path),
                        i, what);
}

/* TYPE::"ID" without escapes. */
static bool split_uid(struct nk_str text, struct nk_cedar_uid *out)
{
    ptrdiff_t at = nk_str_search(text, NK_STR("::\""));
    if (at <= 0 || !nk_str_ends(text, NK_STR("\"")) || (size_t)at + 4 > text.n)
        return false;
    out->type = nk_str_sub(text, 0, (size_t)at);
    out->id = nk_str_sub(text, (size_t)at + 3, text.n - 1);
    return nk_str_find(out->id, '"') < 0 && nk_str_find(out->id, '\\') < 0 &&
           nk_cedar_type_ok(out->type);
}

static size_t stars_of(struct nk_str pattern)
{
    struct nk_str rest = pattern;
    size_t n = 0;
    while (rest.p)
        n += nk_str_eq(nk_str_cut(&rest, '/'), NK_STR("*"));
    return n;
}

/* The length of a placeholder at the beginning of `s`: {path}, or {1} up to {9} with *star set; 0: none. */
static size_t placeholder(struct nk_str s, size_t *star)
{
    *star = 0;
    if (nk_str_starts(s, NK_STR("{path}")))
        return 6;
    if (s.n < 3 || s.p[0] != '{' || s.p[1] < '1' || s.p[1] > '9' || s.p[2] != '}')
        return 0;
    *star = (size_t)(s.p[1] - '0');
    return 3;
}

/* A brace that is no placeholder is a mistake: it would be an id that nobody meant. */
static bool template_ok(struct nk_str id, size_t stars)
{
    for (size_t i = 0; i < id.n;) {
        size_t star, n = placeholder(nk_str_sub(id, i, id.n), &star);
        if (star > stars || (!n && (id.p[i] == '{' || id.p[i] == '}')))
            return false;
        i += n ? n : 1;
    }
    return true;
}

static int load_rule(const struct nk_config_hook *h, size_t i, struct nk_hook_rule *out,
                     struct nk_fault *f)
{
    const struct nk_config_hook_rule *c = &h->rules[i];
    *out = (struct nk_hook_rule){.method = c->method, .path = c->path};
    if (!split_uid(c->action, &out->action))
        return bad_rule(h, i, "action is not of the form Action::\"ReadOrder\"", f);
    if (!split_uid(c->resource, &out->resource))
        return bad_rule(h, i, "resource is not of the form Order::\"{1}\"", f);
    return template_ok(out->resource.id, stars_of(c->path))
               ? 0
               : bad_rule(h, i, "resource has a {…} that stands for nothing in path", f);
}

int gate_hooks_load(struct nk_setup *s, struct nk_fault *f)
{
    int rc = 0;
    s->hooks = nk_arena_array(&s->arena, s->config.hook_count + 1, sizeof *s->hooks);
    if (!s->hooks)
        return NK_ENOMEM;
    for (size_t i = 0; i < s->config.hook_count && !rc; i++) {
        const struct nk_config_hook *c = &s->config.hooks[i];
        struct nk_hook_rule *rules = nk_arena_array(&s->arena, c->rule_count, sizeof *rules);
        if (!rules)
            return NK_ENOMEM;
        for (size_t k = 0; k < c->rule_count && !rc; k++)
            rc = load_rule(c, k, &rules[k], f);
        s->hooks[i] = (struct nk_hook){c, gate_store_find(s, c->store), rules};
        NK_MUST(s->hooks[i].store); /* nk_config_parse has checked it */
    }
    return rc;
}

static bool is_hook(const struct nk_hook *h, const struct nk_http_head *head)
{
    if (h->config->is_envoy)
        return nk_str_starts(head->target, h->config->path);
    return nk_str_eq(nk_http_path(head), h->config->path) &&
           (nk_str_eq(head->method, NK_STR("GET")) || nk_str_eq(head->method, NK_STR("HEAD")));
}

bool gate_hook_match(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    for (size_t i = 0; i < t->setup->config.hook_count; i++) {
        const struct nk_hook *h = &t->setup->hooks[i];
        if (!is_hook(h, s->head))
            continue;
        s->hook = h;
        s->dialect = nk_hook_dialect();
        s->call.endpoint =
            &s->dialect->endpoints[h->config->is_envoy ? NK_HOOK_ENVOY : NK_HOOK_NGINX];
        return true;
    }
    return false;
}

/* The one header of that name; absent when there is none, or another one beside it. */
static struct nk_str only(const struct nk_http_head *h, struct nk_str name)
{
    struct nk_str found = {NULL, 0};
    for (size_t i = 0; i < h->header_count; i++) {
        if (!nk_str_eq_nocase(h->headers[i].name, name))
            continue;
        if (found.p)
            return (struct nk_str){NULL, 0};
        found = h->headers[i].value;
    }
    return found;
}

/* Method and target of the request that the proxy holds. */
static bool original(const struct nk_gate_state *s, struct nk_str *method, struct nk_str *target)
{
    if (s->hook->config->is_envoy) {
        *method = s->head->method;
        *target = nk_str_sub(s->head->target, s->hook->config->path.n, s->head->target.n);
    } else {
        *method = only(s->head, NK_STR("x-original-method"));
        *target = only(s->head, NK_STR("x-original-uri"));
    }
    return method->n && target->n;
}

static int fill_id(struct nk_txn *t, struct nk_str id, const struct gate_path *path,
                   const struct nk_str *stars, struct nk_str *out)
{
    struct nk_buf b;
    nk_buf_init(&b, ID_MAX);
    for (size_t i = 0; i < id.n;) {
        size_t star, n = placeholder(nk_str_sub(id, i, id.n), &star);
        nk_buf_add(&b, !n ? nk_str_sub(id, i, i + 1) : star ? stars[star - 1] : path->whole);
        i += n ? n : 1;
    }
    *out = b.error ? (struct nk_str){NULL, 0} : nk_arena_copy(t->arena, nk_buf_str(&b));
    nk_buf_free(&b);
    return out->p ? 0 : NK_ENOMEM;
}

static int no_rule(struct nk_txn *t, const char *why)
{
    return gate_refuse(t, NK_REFUSAL_no_rule, "locate", NK_STR(""), nk_str(why));
}

/* The context of the question. */
static int put_context(struct nk_txn *t, struct nk_str method, const struct gate_path *path,
                       struct nk_cedar_request *out)
{
    struct nk_arena *a = t->arena;
    const struct nk_cedar_member members[] = {
        {NK_STR("method"), nk_cedar_string(a, method)},
        {NK_STR("path"), nk_cedar_string(a, path->whole)},
        {NK_STR("strength"), nk_cedar_string(a, nk_str(t->state->principal->proof))}};
    for (size_t i = 0; i < NK_COUNT(members); i++)
        if (!members[i].value)
            return NK_ENOMEM;
    out->context = nk_cedar_record(a, members, NK_COUNT(members));
    return out->context ? 0 : NK_ENOMEM;
}

static int find_rule(struct nk_txn *t, struct nk_str method, const struct gate_path *path,
                     struct nk_cedar_request *out)
{
    const struct nk_hook *h = t->state->hook;
    for (size_t i = 0; i < h->config->rule_count; i++) {
        const struct nk_hook_rule *r = &h->rules[i];
        struct nk_str stars[GATE_PATH_STARS] = {{NULL, 0}};
        bool fits = nk_str_eq(r->method, NK_STR("any")) || nk_str_eq(r->method, method);
        if (!fits || !gate_path_fits(path, r->path, stars))
            continue;
        out->action = r->action;
        out->resource.type = r->resource.type;
        int rc = fill_id(t, r->resource.id, path, stars, &out->resource.id);
        return rc ? rc : put_context(t, method, path, out);
    }
    return NK_ENOTFOUND;
}

int gate_hook_locate(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    struct nk_cedar_request *r = nk_arena_alloc(t->arena, sizeof *r);
    struct nk_str method, target;
    struct gate_path path;
    s->asked = s->hook->store;
    s->resource = (struct nk_cedar_uid){NK_STR("PolicyStore"), s->asked->config->id};
    if (!original(s, &method, &target))
        return no_rule(t, "the proxy does not say which request it holds");
    int rc = r ? gate_path_read(target, t->arena, &path) : NK_ENOMEM;
    if (rc && rc != NK_ENOMEM)
        return no_rule(t, "the path can be read in several ways");
    if (!rc) {
        r->principal = (struct nk_cedar_uid){s->principal->type, s->principal->id};
        rc = find_rule(t, method, &path, r);
    }
    if (rc == NK_ENOTFOUND)
        return no_rule(t, "no rule fits method and path");
    s->call.detail = r;
    return rc ? gate_refuse(t, NK_REFUSAL_out_of_memory, "locate", NK_STR(""), NK_STR("")) : 0;
}

/* A header's value: visible ASCII; everything else, and what would be taken for a separator, as %XX. */
static void put_value(struct nk_buf *b, struct nk_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c > ' ' && c < 0x7f && c != '%' && c != ',')
            nk_buf_add_char(b, (char)c);
        else
            nk_buf_printf(b, "%%%02X", c);
    }
}

static int add_header(struct nk_txn *t, const char *name, const struct nk_str *values, size_t n)
{
    struct nk_gate_state *s = t->state;
    struct nk_buf b;
    nk_buf_init(&b, HEADER_MAX);
    for (size_t i = 0; i < n; i++) {
        nk_buf_add(&b, i ? NK_STR(",") : NK_STR(""));
        put_value(&b, values[i]);
    }
    struct nk_str value =
        b.error ? (struct nk_str){NULL, 0} : nk_arena_copy(t->arena, nk_buf_str(&b));
    nk_buf_free(&b);
    NK_MUST(s->header_count < GATE_HEADERS_MAX);
    s->headers[s->header_count++] = (struct nk_http_header){nk_str(name), value};
    return value.p ? 0 : NK_ENOMEM;
}

/* Always all of them, also empty ones: a proxy then writes over what its client may have sent. */
static int say_who(struct nk_txn *t)
{
    const struct nk_principal *p = t->state->principal;
    int rc = add_header(t, "x-nakoso-principal", &p->id, 1);
    if (!rc)
        rc = add_header(t, "x-nakoso-principal-type", &p->type, 1);
    return rc ? rc : add_header(t, "x-nakoso-groups", p->groups, p->group_count);
}

static int decide(struct nk_txn *t, struct nk_cedar_answer *out)
{
    struct nk_gate_state *s = t->state;
    const struct nk_cedar_request *r = s->call.detail;
    struct nk_cedar_entities *e = nk_cedar_entities_new(t->arena, s->asked->entities);
    struct nk_fault f = {.code = 0};
    struct nk_buf told;
    int rc = e ? gate_add_principal(t, e) : NK_ENOMEM;
    if (!rc)
        rc = nk_cedar_entities_seal(e, &f);
    if (!rc)
        rc = nk_cedar_authorize(s->asked->policies, e, r, t->arena, out);
    if (rc)
        return rc;
    nk_buf_init(&told, 4 * HEADER_MAX);
    gate_store_tell(&told, r, out);
    if (!told.error)
        s->told = nk_arena_copy(t->arena, nk_buf_str(&told));
    nk_buf_free(&told);
    return s->told.p ? 0 : NK_ENOMEM;
}

int gate_hook_ask(struct nk_txn *t, int *status)
{
    struct nk_cedar_answer answer;
    int rc = decide(t, &answer);
    if (!rc && answer.allow)
        rc = say_who(t);
    if (rc)
        return gate_refuse(t, NK_REFUSAL_out_of_memory, "authorize", NK_STR(""), NK_STR(""));
    if (!answer.allow)
        return gate_refuse(t, NK_REFUSAL_policy_denied, "authorize", NK_STR(""),
                           NK_STR("by the policy store"));
    *status = t->state->hook->config->is_envoy ? 200 : 204;
    return 0;
}
