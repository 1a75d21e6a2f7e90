/* SPDX-License-Identifier: Apache-2.0
 *
 * store_read.c - what Verified Permissions shows of a policy store. Stores that the judge does not let this
 * principal read are left out of lists, as models are. A list is told in pages; the token of the next page
 * names the place where it begins and the state of the store, so that a page of another state is refused.
 */
#include "gate/store.h"

#include "cedar/template.h"

enum { TOKEN_DIGEST = 16 };

/* One page of a list under way. */
struct page {
    struct nk_txn *txn;
    struct nk_str state; /* digest of what is listed */
    int64_t from, left;  /* entries to be passed over, and to be told */
    int64_t at;          /* entries seen */
    bool more;
};

static int not_there(struct nk_txn *t, const char *kind, struct nk_str id)
{
    t->state->call.kind = kind;
    t->state->call.subject = id;
    return gate_refuse(t, NK_REFUSAL_not_in_store, "locate",
                       nk_arena_printf(t->arena, "\"%.*s\"", NK_FMT(nk_str_sub(id, 0, 128))),
                       NK_STR(""));
}

static int begin(struct page *p, struct nk_txn *t, struct nk_str state, const struct nk_avp_call *c,
                 const char *list)
{
    struct nk_str rest = c->next, digits = nk_str_cut(&rest, '.');
    *p = (struct page){
        .txn = t, .state = nk_str_sub(state, 0, TOKEN_DIGEST), .left = c->max_results};
    nk_buf_add_char(&t->out, '{');
    nk_json_put_name(&t->out, nk_str(list));
    nk_buf_add_char(&t->out, '[');
    if (!c->next.p ||
        (nk_str_to_i64(digits, &p->from) == 0 && p->from > 0 && nk_str_eq(rest, p->state)))
        return 0;
    t->state->call.subject = NK_STR("nextToken");
    return gate_refuse(t, NK_REFUSAL_bad_request, "parse",
                       NK_STR("\"nextToken\" is of no list, or of one that has changed."),
                       NK_STR(""));
}

/* Is the next entry of the list on this page? Then its object is begun. */
static bool takes(struct page *p)
{
    bool here = p->at >= p->from && p->left > 0;
    p->more |= p->at >= p->from && p->left == 0;
    p->at++;
    if (!here)
        return false;
    nk_buf_add(&p->txn->out, p->at - 1 > p->from ? NK_STR(",{") : NK_STR("{"));
    p->left--;
    return true;
}

static int end(struct page *p, const struct nk_avp_call *c)
{
    struct nk_buf *out = &p->txn->out;
    nk_buf_add_char(out, ']');
    if (p->more)
        nk_buf_printf(out, ",\"nextToken\":\"%lld.%.*s\"", (long long)(p->from + c->max_results),
                      NK_FMT(p->state));
    nk_buf_add_char(out, '}');
    return 0;
}

/* Stores --------------------------------------------------------------------------------------
 */
static void put_store(const struct nk_store *s, struct nk_buf *out)
{
    nk_json_put_member(out, NK_STR("policyStoreId"), s->config->id);
    nk_buf_add(out, NK_STR(",\"arn\":\"arn:nakoso:verifiedpermissions:::policy-store/"));
    nk_buf_add(out, s->config->id); /* a name: nothing in it needs an escape */
    nk_buf_add_char(out, '"');
    nk_buf_add(out, s->dates);
    if (s->config->description.p)
        nk_json_put_member(out, NK_STR("description"), s->config->description);
}

static int get_store(struct nk_txn *t, const struct nk_store *s, const struct nk_avp_call *c)
{
    struct nk_buf *out = &t->out;
    (void)c;
    nk_buf_add_char(out, '{');
    put_store(s, out);
    nk_buf_add(out, s->schema.p ? NK_STR(",\"validationSettings\":{\"mode\":\"STRICT\"}")
                                : NK_STR(",\"validationSettings\":{\"mode\":\"OFF\"}"));
    nk_buf_add(out, NK_STR(",\"deletionProtection\":\"ENABLED\",\"cedarVersion\":\"CEDAR_4\"}"));
    return 0;
}

/* Would the judge let this principal read the store? */
static int may_read(struct nk_txn *t, const struct nk_store *s, bool *out)
{
    struct nk_cedar_answer answer;
    struct nk_cedar_uid uid = {NK_STR("PolicyStore"), s->config->id};
    int rc = gate_judge(t, NK_STR("ReadPolicyStore"), uid, &answer);
    *out = !rc && answer.allow;
    return rc;
}

static int list_stores(struct nk_txn *t, const struct nk_store *none, const struct nk_avp_call *c)
{
    char text[2 * NK_SHA256_SIZE];
    struct nk_buf state = {.p = text, .cap = sizeof text, .max = sizeof text};
    struct nk_digest d = t->setup->digest;
    struct page p;
    (void)none;
    nk_buf_add_hex(&state, d.b, sizeof d.b);
    int rc = begin(&p, t, nk_buf_str(&state), c, "policyStores");
    for (size_t i = 0; i < t->setup->config.store_count && !rc; i++) {
        bool visible;
        rc = may_read(t, &t->setup->stores[i], &visible);
        if (visible && takes(&p)) {
            put_store(&t->setup->stores[i], &t->out);
            nk_buf_add_char(&t->out, '}');
        }
    }
    return rc ? rc : end(&p, c);
}

/* Policies ------------------------------------------------------------------------------------
 */
/* An id as clients may write it: "name/…" is for names, which policies do not have here. */
static int get_policy(struct nk_txn *t, const struct nk_store *s, const struct nk_avp_call *c)
{
    struct nk_cedar_policy_view v;
    if (!nk_cedar_policy_find(s->policies, c->id, &v))
        return not_there(t, "POLICY", c->id);
    nk_buf_add_char(&t->out, '{');
    nk_avp_put_policy(s->config->id, &v, true, &t->out);
    nk_buf_add(&t->out, s->dates);
    nk_buf_add_char(&t->out, '}');
    return 0;
}

static bool fits_entity(enum nk_avp_match match, struct nk_cedar_uid wanted,
                        struct nk_cedar_uid has)
{
    if (match == NK_AVP_ANY)
        return true;
    if (match == NK_AVP_UNSPECIFIED || !has.type.p)
        return match == NK_AVP_UNSPECIFIED && !has.type.p;
    return nk_str_eq(wanted.type, has.type) && nk_str_eq(wanted.id, has.id);
}

static bool fits(const struct nk_avp_filter *x, const struct nk_cedar_policy_view *v)
{
    bool linked = v->link_of.p != NULL;
    if (x->type.p && linked != nk_str_eq(x->type, NK_STR("TEMPLATE_LINKED")))
        return false;
    if (x->template_id.p && !(linked && nk_str_eq(x->template_id, v->link_of)))
        return false;
    return fits_entity(x->principal_match, x->principal, v->principal) &&
           fits_entity(x->resource_match, x->resource, v->resource);
}

static int list_policies(struct nk_txn *t, const struct nk_store *s, const struct nk_avp_call *c)
{
    struct page p;
    int rc = begin(&p, t, s->digest, c, "policies");
    size_t n = nk_cedar_policies_count(s->policies);
    for (size_t i = 0; i < n && !rc; i++) {
        struct nk_cedar_policy_view v;
        nk_cedar_policy_view(s->policies, i, &v);
        if (!fits(&c->filter, &v) || !takes(&p))
            continue;
        nk_avp_put_policy(s->config->id, &v, false, &t->out);
        nk_buf_add(&t->out, s->dates);
        nk_buf_add_char(&t->out, '}');
    }
    return rc ? rc : end(&p, c);
}

/* An entry of BatchGetPolicy that cannot be answered. */
static void put_missing(const struct nk_avp_ref *ref, bool store, struct nk_buf *errors)
{
    nk_buf_add(errors, errors->n ? NK_STR(",{") : NK_STR("{"));
    nk_json_put_member(errors, NK_STR("code"),
                       store ? NK_STR("POLICY_NOT_FOUND") : NK_STR("POLICY_STORE_NOT_FOUND"));
    nk_json_put_member(errors, NK_STR("policyStoreId"), ref->store);
    nk_json_put_member(errors, NK_STR("policyId"), ref->policy);
    nk_json_put_member(errors, NK_STR("message"),
                       store ? NK_STR("There is no such policy in the store.")
                             : NK_STR("There is no such policy store."));
    nk_buf_add_char(errors, '}');
}

static int put_ref(struct nk_txn *t, const struct nk_avp_ref *ref, bool *first,
                   struct nk_buf *errors)
{
    const struct nk_store *s = gate_store_find(t->setup, ref->store);
    struct nk_cedar_policy_view v;
    bool visible = false;
    int rc = s ? may_read(t, s, &visible) : 0;
    if (rc)
        return rc;
    if (!visible || !nk_cedar_policy_find(s->policies, ref->policy, &v)) {
        put_missing(ref, visible, errors);
        return 0;
    }
    nk_buf_add(&t->out, *first ? NK_STR("{") : NK_STR(",{"));
    *first = false;
    nk_avp_put_policy(s->config->id, &v, true, &t->out);
    nk_buf_add(&t->out, s->dates);
    nk_buf_add_char(&t->out, '}');
    return 0;
}

static int get_policies(struct nk_txn *t, const struct nk_store *s, const struct nk_avp_call *c)
{
    struct nk_buf errors;
    bool first = true;
    int rc = 0;
    (void)s;
    nk_buf_init(&errors, t->out.max);
    nk_buf_add(&t->out, NK_STR("{\"results\":["));
    for (size_t i = 0; i < c->ref_count && !rc; i++)
        rc = put_ref(t, &c->refs[i], &first, &errors);
    nk_buf_add(&t->out, NK_STR("],\"errors\":["));
    nk_buf_add(&t->out, nk_buf_str(&errors));
    nk_buf_add(&t->out, NK_STR("]}"));
    if (!rc && errors.error)
        rc = gate_refuse(t, NK_REFUSAL_out_of_memory, "parse", NK_STR(""), NK_STR(""));
    nk_buf_free(&errors);
    return rc;
}

/* Templates -----------------------------------------------------------------------------------
 */
static void put_template(const struct nk_store *s, const struct nk_cedar_policy_view *v, bool whole,
                         struct nk_buf *out)
{
    nk_json_put_member(out, NK_STR("policyStoreId"), s->config->id);
    nk_json_put_member(out, NK_STR("policyTemplateId"), v->id);
    if (whole)
        nk_json_put_member(out, NK_STR("statement"), v->statement);
    nk_buf_add(out, s->dates);
    nk_buf_add_char(out, '}');
}

static int get_template(struct nk_txn *t, const struct nk_store *s, const struct nk_avp_call *c)
{
    size_t n = nk_cedar_templates_count(s->policies);
    for (size_t i = 0; i < n; i++) {
        struct nk_cedar_policy_view v;
        nk_cedar_template_view(s->policies, i, &v);
        if (!nk_str_eq(v.id, c->id))
            continue;
        nk_buf_add_char(&t->out, '{');
        put_template(s, &v, true, &t->out);
        return 0;
    }
    return not_there(t, "POLICY_TEMPLATE", c->id);
}

static int list_templates(struct nk_txn *t, const struct nk_store *s, const struct nk_avp_call *c)
{
    struct page p;
    int rc = begin(&p, t, s->digest, c, "policyTemplates");
    size_t n = nk_cedar_templates_count(s->policies);
    for (size_t i = 0; i < n && !rc; i++) {
        struct nk_cedar_policy_view v;
        nk_cedar_template_view(s->policies, i, &v);
        if (takes(&p))
            put_template(s, &v, false, &t->out);
    }
    return rc ? rc : end(&p, c);
}

static int get_schema(struct nk_txn *t, const struct nk_store *s, const struct nk_avp_call *c)
{
    struct nk_buf *out = &t->out;
    (void)c;
    if (!s->schema.p)
        return not_there(t, "SCHEMA", s->config->id);
    nk_buf_add_char(out, '{');
    nk_json_put_member(out, NK_STR("policyStoreId"), s->config->id);
    nk_json_put_member(out, NK_STR("schema"), s->schema);
    nk_buf_add(out, NK_STR(",\"namespaces\":"));
    nk_buf_add(out, s->namespaces);
    nk_buf_add(out, s->dates);
    nk_buf_add_char(out, '}');
    return 0;
}

/* Identity sources ----------------------------------------------------------------------------
 */
static void put_audiences(const struct nk_config_source *x, struct nk_str of_issuer,
                          struct nk_buf *out)
{
    nk_json_put_name(out, x->is_identity ? NK_STR("clientIds") : NK_STR("audiences"));
    nk_buf_add_char(out, '[');
    if (!x->audience_count)
        nk_json_put_string(out, of_issuer);
    for (size_t i = 0; i < x->audience_count; i++) {
        nk_buf_add(out, i ? NK_STR(",") : NK_STR(""));
        nk_json_put_string(out, x->audiences[i].text);
    }
    nk_buf_add_char(out, ']');
}

static void put_source(struct nk_txn *t, const struct nk_store *s, size_t i)
{
    const struct nk_config_source *x = &s->config->sources[i];
    struct nk_buf *out = &t->out;
    nk_json_put_member(out, NK_STR("policyStoreId"), s->config->id);
    nk_json_put_member(out, NK_STR("identitySourceId"), x->id);
    nk_json_put_member(out, NK_STR("principalEntityType"), x->principal_type);
    nk_buf_add(out, s->dates);
    nk_buf_add(out, NK_STR(",\"configuration\":{\"openIdConnectConfiguration\":{"));
    nk_json_put_member(out, NK_STR("issuer"), x->issuer);
    nk_json_put_member(out, NK_STR("entityIdPrefix"), x->prefix);
    if (x->groups_claim.p) {
        nk_buf_add(out, NK_STR(",\"groupConfiguration\":{"));
        nk_json_put_member(out, NK_STR("groupClaim"), x->groups_claim);
        nk_json_put_member(out, NK_STR("groupEntityType"), x->group_type);
        nk_buf_add_char(out, '}');
    }
    nk_buf_add(out, x->is_identity ? NK_STR(",\"tokenSelection\":{\"identityTokenOnly\":{")
                                   : NK_STR(",\"tokenSelection\":{\"accessTokenOnly\":{"));
    nk_json_put_member(out, NK_STR("principalIdClaim"), x->principal_claim);
    put_audiences(x, t->setup->config.issuers[s->issuers[i]].audience, out);
    nk_buf_add(out, NK_STR("}}}}}"));
}

static int get_source(struct nk_txn *t, const struct nk_store *s, const struct nk_avp_call *c)
{
    for (size_t i = 0; i < s->config->source_count; i++) {
        if (!nk_str_eq(s->config->sources[i].id, c->id))
            continue;
        nk_buf_add_char(&t->out, '{');
        put_source(t, s, i);
        return 0;
    }
    return not_there(t, "IDENTITY_SOURCE", c->id);
}

static int list_sources(struct nk_txn *t, const struct nk_store *s, const struct nk_avp_call *c)
{
    struct page p;
    struct nk_str type = c->filter.principal_type;
    int rc = begin(&p, t, s->digest, c, "identitySources");
    for (size_t i = 0; i < s->config->source_count && !rc; i++)
        if ((!type.p || nk_str_eq(type, s->config->sources[i].principal_type)) && takes(&p))
            put_source(t, s, i);
    return rc ? rc : end(&p, c);
}

int gate_store_read(struct nk_txn *t, const struct nk_store *store, const struct nk_avp_call *c)
{
    static int (*const readers[])(struct nk_txn *, const struct nk_store *,
                                  const struct nk_avp_call *) = {
        [NK_AVP_GET_POLICY_STORE] = get_store,
        [NK_AVP_LIST_POLICY_STORES] = list_stores,
        [NK_AVP_GET_POLICY] = get_policy,
        [NK_AVP_LIST_POLICIES] = list_policies,
        [NK_AVP_BATCH_GET_POLICY] = get_policies,
        [NK_AVP_GET_POLICY_TEMPLATE] = get_template,
        [NK_AVP_LIST_POLICY_TEMPLATES] = list_templates,
        [NK_AVP_GET_SCHEMA] = get_schema,
        [NK_AVP_GET_IDENTITY_SOURCE] = get_source,
        [NK_AVP_LIST_IDENTITY_SOURCES] = list_sources,
    };
    NK_MUST((size_t)c->op < NK_COUNT(readers) && readers[c->op]);
    return readers[c->op](t, store, c);
}

int gate_answer_store(struct nk_txn *t)
{
    const struct nk_avp_call *c = nk_avp_call(&t->state->call);
    return c->op <= NK_AVP_BATCH_IS_AUTHORIZED_WITH_TOKEN ? gate_store_ask(t, t->state->asked, c)
                                                          : gate_store_read(t, t->state->asked, c);
}
