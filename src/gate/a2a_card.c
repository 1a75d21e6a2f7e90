/* SPDX-License-Identifier: Apache-2.0
 *
 * a2a_card.c - agent cards. A card tells other agents, and the models behind them, what an agent is good for; so it is
 * shown only as somebody has approved it, by the digest of its canonical form (RFC 8785) without signatures. What it says
 * of where the agent is and how one logs in there is ours in its place; what it offers is what the reader may use.
 * Signatures are not over that, and go.
 */
#include "gate/a2a.h"

int gate_a2a_check_card(struct nk_txn *t, const struct nk_json *doc, uint32_t card,
                        struct nk_str approved, struct nk_arena *a, struct nk_fault *f)
{
    struct nk_digest digest;
    char text[2 * NK_SHA256_SIZE];
    struct nk_buf hex = {.p = text, .cap = sizeof text, .max = sizeof text};
    const struct nk_json_limits json = nk_config_json_limits(&t->setup->config, NK_A2A_CARD_MAX);
    int rc = nk_a2a_card_digest(&json, doc, card, a, &digest, f);
    if (rc)
        return rc;
    nk_buf_add_hex(&hex, digest.b, sizeof digest.b);
    return nk_str_eq(approved, nk_buf_str(&hex))
               ? 0
               : nk_fault_set(f, NK_EDENIED, "a2a", 0, "the agent's card is %.*s%s",
                              NK_FMT(nk_buf_str(&hex)), approved.p ? "" : ", none is approved");
}

/* The card for a client --------------------------------------------------------------------------
 */
struct card {
    struct nk_txn *t;
    const struct nk_json *doc;
    uint32_t at;
    struct nk_arena *a;
    struct nk_buf *out;
    bool speaks[2]; /* 0.3, 1.0 */
    bool is_new;    /* the form that is written */
};

/* As in the agent's card: words and links, which were approved with it. */
static const char *const kept[] = {
    "name",    "description",       "provider",          "version", "documentationUrl",
    "iconUrl", "defaultInputModes", "defaultOutputModes"};
static const char *const kept_of_skill[] = {"id",       "name",       "description", "tags",
                                            "examples", "inputModes", "outputModes"};

static void copy(const struct card *c, uint32_t object, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t at = nk_json_get(c->doc, object, nk_str(names[i]));
        if (at == NK_JSON_NONE)
            continue;
        nk_json_put_name(c->out, nk_str(names[i]));
        nk_buf_add(c->out, nk_json_span(c->doc, at));
    }
}

static bool is_true(const struct card *c, uint32_t object, const char *name)
{
    return nk_json_type(c->doc, nk_json_get(c->doc, object, nk_str(name))) == NK_JSON_TRUE;
}

static void put_bool(const struct card *c, const char *name, bool value)
{
    nk_json_put_name(c->out, nk_str(name));
    nk_buf_add(c->out, value ? NK_STR("true") : NK_STR("false"));
}

/* Which versions the agent speaks by JSON-RPC, in the words of either version. */
static void read_versions(struct card *c)
{
    uint32_t list = nk_json_get(c->doc, c->at, NK_STR("supportedInterfaces"));
    for (uint32_t i = nk_json_first(c->doc, list); i != NK_JSON_NONE;
         i = nk_json_next(c->doc, list, i)) {
        uint32_t version = nk_json_get(c->doc, i, NK_STR("protocolVersion"));
        if (!nk_json_is(c->doc, nk_json_get(c->doc, i, NK_STR("protocolBinding")),
                        NK_STR("JSONRPC")))
            continue;
        c->speaks[0] |= nk_json_is(c->doc, version, NK_STR("0.3")) ||
                        nk_json_is(c->doc, version, NK_STR("0.3.0"));
        c->speaks[1] |= nk_json_is(c->doc, version, NK_STR("1.0"));
    }
    uint32_t preferred = nk_json_get(c->doc, c->at, NK_STR("preferredTransport"));
    if (nk_json_get(c->doc, c->at, NK_STR("url")) != NK_JSON_NONE)
        c->speaks[0] |=
            preferred == NK_JSON_NONE || nk_json_is(c->doc, preferred, NK_STR("JSONRPC"));
    list = nk_json_get(c->doc, c->at, NK_STR("additionalInterfaces"));
    for (uint32_t i = nk_json_first(c->doc, list); i != NK_JSON_NONE;
         i = nk_json_next(c->doc, list, i))
        c->speaks[0] |=
            nk_json_is(c->doc, nk_json_get(c->doc, i, NK_STR("transport")), NK_STR("JSONRPC"));
}

static void put_interface(const struct card *c, const char *version)
{
    if (c->out->p[c->out->n - 1] != '[')
        nk_buf_add_char(c->out, ',');
    nk_buf_add_char(c->out, '{');
    nk_json_put_member(c->out, NK_STR("url"), gate_a2a(c->t)->endpoint->config->url);
    nk_json_put_member(c->out, NK_STR("protocolBinding"), NK_STR("JSONRPC"));
    nk_json_put_member(c->out, NK_STR("protocolVersion"), nk_str(version));
    nk_buf_add_char(c->out, '}');
}

/* Where one connects, and how one logs in: a key or token of Nakoso. */
static void put_way(const struct card *c)
{
    if (!c->is_new) {
        nk_json_put_member(c->out, NK_STR("url"), gate_a2a(c->t)->endpoint->config->url);
        nk_json_put_member(c->out, NK_STR("preferredTransport"), NK_STR("JSONRPC"));
        nk_json_put_member(c->out, NK_STR("protocolVersion"), NK_STR("0.3.0"));
        nk_buf_add(c->out, NK_STR(",\"securitySchemes\":{\"bearer\":{\"type\":\"http\",\"scheme\":"
                                  "\"bearer\"}},\"security\":[{\"bearer\":[]}]"));
        return;
    }
    nk_buf_add(c->out, NK_STR(",\"supportedInterfaces\":["));
    if (c->speaks[1])
        put_interface(c, "1.0");
    if (c->speaks[0])
        put_interface(c, "0.3");
    nk_buf_add(c->out,
               NK_STR("],\"securitySchemes\":{\"bearer\":{\"httpAuthSecurityScheme\":{\"scheme\":"
                      "\"Bearer\"}}},\"securityRequirements\":[{\"schemes\":{\"bearer\":{\"list\":"
                      "[]}}}]"));
}

/* What the agent can do and is let do here. */
static void put_capabilities(const struct card *c)
{
    const struct nk_config_a2a *config = gate_a2a(c->t)->endpoint->config;
    uint32_t from = nk_json_get(c->doc, c->at, NK_STR("capabilities"));
    bool extended =
        config->extended_card.p && (is_true(c, from, "extendedAgentCard") ||
                                    is_true(c, c->at, "supportsAuthenticatedExtendedCard"));
    nk_buf_add(c->out, NK_STR(",\"capabilities\":{"));
    put_bool(c, "streaming", is_true(c, from, "streaming"));
    put_bool(c, "pushNotifications",
             config->push_host_count && is_true(c, from, "pushNotifications"));
    if (c->is_new)
        put_bool(c, "extendedAgentCard", extended);
    nk_buf_add_char(c->out, '}');
    if (!c->is_new)
        put_bool(c, "supportsAuthenticatedExtendedCard", extended);
}

static int may_use(const struct card *c, struct nk_str skill, bool *out)
{
    struct nk_gate_state *s = c->t->state;
    struct nk_str agent = gate_a2a_upstream(c->t)->name;
    struct nk_cedar_answer answer = {.allow = false};
    struct nk_fault f = {0};
    struct nk_cedar_uid one = {NK_STR("AgentSkill"),
                               nk_arena_printf(c->a, "%.*s___%.*s", NK_FMT(agent), NK_FMT(skill))};
    int rc = one.id.p ? gate_facts(c->t, &f) : NK_ENOMEM;
    struct nk_cedar_entities *kept_store = s->store;
    if (rc)
        return rc;
    s->store = gate_store_within(c->t, one, (struct nk_cedar_uid){NK_STR("Agent"), agent});
    rc = s->store ? gate_judge(c->t, NK_STR("UseSkill"), one, &answer) : NK_ENOMEM;
    s->store = kept_store;
    *out = answer.allow;
    return rc;
}

static int put_skills(const struct card *c)
{
    uint32_t list = nk_json_get(c->doc, c->at, NK_STR("skills"));
    int rc = 0;
    nk_buf_add(c->out, NK_STR(",\"skills\":["));
    for (uint32_t i = nk_json_first(c->doc, list); i != NK_JSON_NONE && !rc;
         i = nk_json_next(c->doc, list, i)) {
        bool may = false;
        struct nk_str id = nk_json_string(c->doc, nk_json_get(c->doc, i, NK_STR("id")), c->a);
        if (id.n) /* one without an id is nobody's */
            rc = may_use(c, id, &may);
        if (rc || !may)
            continue;
        if (c->out->p[c->out->n - 1] != '[')
            nk_buf_add_char(c->out, ',');
        nk_buf_add_char(c->out, '{');
        copy(c, i, kept_of_skill, NK_COUNT(kept_of_skill));
        nk_buf_add_char(c->out, '}');
    }
    nk_buf_add_char(c->out, ']');
    return rc;
}

int gate_a2a_put_card(struct nk_txn *t, const struct nk_json *doc, uint32_t card,
                      struct nk_arena *a, struct nk_buf *out, struct nk_fault *f)
{
    struct card c = {.t = t, .doc = doc, .at = card, .a = a, .out = out};
    int rc =
        gate_a2a(t)->op == NK_A2A_EXTENDED_CARD
            ? gate_a2a_check_card(t, doc, card, gate_a2a(t)->endpoint->config->extended_card, a, f)
            : 0;
    if (rc)
        return rc;
    if (nk_json_get(doc, card, NK_STR("name")) == NK_JSON_NONE)
        return nk_fault_set(f, NK_EINVAL, "a2a", 0, "a card without a name");
    read_versions(&c);
    if (!c.speaks[0] && !c.speaks[1])
        return nk_fault_set(f, NK_EINVAL, "a2a", 0,
                            "the agent speaks neither 1.0 nor 0.3 by JSON-RPC");
    c.is_new = gate_a2a(t)->is_new ? c.speaks[1] : !c.speaks[0];
    nk_buf_add_char(out, '{');
    copy(&c, card, kept, NK_COUNT(kept));
    put_way(&c);
    put_capabilities(&c);
    rc = out->error ? out->error : put_skills(&c);
    nk_buf_add_char(out, '}');
    return rc ? rc : out->error;
}
