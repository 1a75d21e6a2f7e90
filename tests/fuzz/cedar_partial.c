/* SPDX-License-Identifier: Apache-2.0
 *
 * cedar_partial.c - any bytes as policy text, evaluated with a part of a small world unknown: the last
 * byte says which. Under three completions every policy does what was said of it, what is left of it
 * too, and also once it is printed and parsed.
 */
#include "cedar/parse.h"
#include "cedar/partial.h"
#include "cedar_oracle.h"

#include <stdlib.h>

enum { CEILING = 64 << 20, MOST = 1 << 16, COMPLETIONS = 3, SHALLOW = 100 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ENTITY(type, id, attrs, up)                                                                \
    "{\"uid\":{\"type\":\"" type "\",\"id\":\"" id "\"},\"attrs\":" attrs ",\"parents\":[" up      \
    "],\"tags\":{\"team\":\"red\"}}"
#define UP(type, id) "{\"type\":\"" type "\",\"id\":\"" id "\"}"

/* What is known first, then three completions of what may be hidden: alice's name, tags and groups,
 * the context's mfa, and who asks for what. */
static const char *const worlds[] = {
    "[" ENTITY("User", "alice", "{\"age\":30,\"name\":\"alice\"}",
               UP("Group", "staff")) "," ENTITY("Group", "staff", "{}", "") "]",
    "[" ENTITY("User", "alice", "{\"age\":30}", "") "," ENTITY("Group", "staff", "{}", "") "]",
    "[" ENTITY("User", "alice", "{\"age\":30,\"name\":[1]}",
               UP("Group", "admins")) "," ENTITY("Group", "staff", "{}", "") "]",
};
static const char *const contexts[] = {"{\"mfa\":true,\"n\":7}", "{\"n\":7}",
                                       "{\"mfa\":\"no\",\"n\":7}"};
static const char *const ids[] = {"alice", "bob", "small"};

static void must(bool cond)
{
    if (!cond)
        abort();
}

static struct nk_cedar_entities *world(struct nk_arena *a, size_t i)
{
    struct nk_cedar_entities *e = nk_cedar_entities_new(a, NULL);
    must(nk_cedar_entities_parse(e, nk_str(worlds[i]), NULL) == 0 &&
         nk_cedar_entities_seal(e, NULL) == 0);
    return e;
}

static const struct nk_cedar_value *context(struct nk_arena *a, size_t i)
{
    static const struct nk_json_limits limits = {1 << 10, 8, 64};
    const struct nk_cedar_value *v = NULL;
    struct nk_json doc;
    must(nk_json_parse(&limits, nk_str(contexts[i]), a, &doc, NULL) == 0 &&
         nk_cedar_value_parse(&doc, 0, a, &v, NULL) == 0);
    return v;
}

static enum nk_cedar_outcome judge(struct cedar_eval *e, const struct cedar_policy *policy)
{
    e->call.code = 0;
    if (oracle_holds(e, policy))
        return NK_CEDAR_SATISFIED;
    return e->call.code ? NK_CEDAR_ERRS : NK_CEDAR_NOT_SATISFIED;
}

/* What is left, printed and parsed; NULL: it is too deep to be sure that it can be. */
static const struct cedar_policy *reread(struct nk_arena *a, const struct nk_cedar_residual *r)
{
    struct nk_cedar_policies *p = nk_cedar_policies_new(a);
    struct nk_buf b;
    bool shallow = true;
    for (const struct cedar_condition *c = r->policy->conditions; c; c = c->next)
        shallow &= c->body->depth < SHALLOW;
    nk_buf_init(&b, CEILING);
    nk_cedar_residual_put_text(r, &b);
    struct nk_str text = nk_arena_copy(a, nk_buf_str(&b));
    bool ok = !b.error && text.p && nk_cedar_policies_add(p, text, NK_STR("r"), false, NULL) == 0;
    nk_buf_free(&b);
    must(ok || !shallow);
    return ok ? p->items[0] : NULL;
}

static void complete(struct nk_arena *a, const struct nk_cedar_policies *p,
                     const struct nk_cedar_partial *x, const struct nk_cedar_partial_request *req,
                     unsigned hide, size_t i)
{
    struct nk_cedar_uid who = req->principal, on = req->resource;
    struct cedar_eval e = {.call = {.arena = a}, .entities = world(a, hide & 1 ? i : 0)};
    who.id = who.id.p ? who.id : nk_str(ids[i]);
    on.id = on.id.p ? on.id : nk_str(ids[i]);
    e.vars[CEDAR_PRINCIPAL] = nk_cedar_entity(a, who);
    e.vars[CEDAR_ACTION] = nk_cedar_entity(a, req->action);
    e.vars[CEDAR_RESOURCE] = nk_cedar_entity(a, on);
    e.vars[CEDAR_CONTEXT] = context(a, hide & 2 ? i : 0);
    for (size_t k = 0; k < x->policy_count; k++) {
        const struct nk_cedar_residual *r = &x->policies[k];
        enum nk_cedar_outcome want = judge(&e, p->items[k]);
        if (e.call.code == NK_ENOMEM)
            return;
        must(r->outcome == NK_CEDAR_RESIDUAL ? want != NK_CEDAR_ERRS || r->may_err
                                             : want == r->outcome);
        must(judge(&e, r->policy) == want);
        const struct cedar_policy *again = reread(a, r);
        must(!again || judge(&e, again) == want);
    }
}

static void evaluate(struct nk_arena *a, const struct nk_cedar_policies *p, unsigned hide)
{
    static const struct nk_str names[] = {{"name", 4}}, mfa[] = {{"mfa", 3}};
    static const struct nk_cedar_unknown alice = {.uid = {{"User", 4}, {"alice", 5}},
                                                  .tags = true,
                                                  .ancestors = true,
                                                  .attrs = names,
                                                  .attr_count = 1};
    struct nk_cedar_partial x;
    struct nk_cedar_partial_request req = {
        .principal = {NK_STR("User"), hide & 4 ? (struct nk_str){NULL, 0} : NK_STR("alice")},
        .action = {NK_STR("Action"), NK_STR("InvokeModel")},
        .resource = {NK_STR("Model"), hide & 8 ? (struct nk_str){NULL, 0} : NK_STR("small")},
        .context = context(a, 0),
        .context_attrs = mfa,
        .context_attr_count = hide & 2 ? 1 : 0,
        .entities = &alice,
        .entity_count = hide & 1};
    if (nk_cedar_partial(p, world(a, 0), &req, a, &x))
        return;
    must(x.policy_count == nk_cedar_policies_count(p));
    for (size_t i = 0; i < COMPLETIONS; i++)
        complete(a, p, &x, &req, hide, i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nk_arena a;
    if (size == 0 || size > MOST)
        return 0;
    struct nk_str text = {(const char *)data, size - 1};
    nk_arena_init(&a, CEILING);
    struct nk_cedar_policies *p = nk_cedar_policies_new(&a);
    if (nk_cedar_policies_add(p, text, NK_STR("p"), false, NULL) == 0)
        evaluate(&a, p, data[size - 1]);
    nk_arena_free(&a);
    return 0;
}
