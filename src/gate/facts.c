/* SPDX-License-Identifier: Apache-2.0
 *
 * facts.c - what the judge decides on: the principal as an entity, and the context. One walk writes
 * each fact twice, as a value for the judge and as Cedar JSON for the record, so that a replay, which
 * reads the JSON, decides on exactly the same facts; tests/unit/facts.c reads the one back and compares
 * it with the other. Reading it back here would cost every request more than the decision itself.
 *
 * Those who ask are mostly the same, so the facts about a principal are put together once and found
 * again by its serial number; another principal with the same place takes it over.
 */
#include "gate/tool.h"

enum { FACTS_MAX = 256 << 10, FACTS_ORDINARY = 1024, MEMBERS_MAX = 16 };

/* A record under way. */
struct facts {
    struct nk_buf *json;
    struct nk_arena *arena;
    struct nk_cedar_member *members;
    size_t n, room;
    bool failed; /* memory is out */
};

static void add(struct facts *f, struct nk_str name, const struct nk_cedar_value *value)
{
    f->failed |= !value || f->n == f->room;
    if (!f->failed)
        f->members[f->n++] = (struct nk_cedar_member){name, value};
}

/* Writes what stands before a value, one byte and "name": as in ,"name":, and returns the name. */
static struct nk_str named(struct facts *f, struct nk_str before)
{
    nk_buf_add(f->json, before);
    return nk_str_sub(before, 2, before.n - 2);
}

static void add_bool(struct facts *f, struct nk_str name, bool v)
{
    nk_buf_add(f->json, v ? NK_STR("true") : NK_STR("false"));
    add(f, name, nk_cedar_bool(f->arena, v));
}

static void add_long(struct facts *f, struct nk_str name, int64_t v)
{
    nk_buf_add_i64(f->json, v);
    add(f, name, nk_cedar_long(f->arena, v));
}

static void add_string(struct facts *f, struct nk_str name, struct nk_str v)
{
    nk_json_put_string(f->json, v);
    add(f, name, nk_cedar_string(f->arena, v));
}

static void add_set(struct facts *f, struct nk_str name, const struct nk_str *v, size_t n)
{
    const struct nk_cedar_value **items = n ? nk_arena_array(f->arena, n, sizeof *items) : NULL;
    f->failed |= n && !items;
    nk_buf_add_char(f->json, '[');
    for (size_t i = 0; !f->failed && i < n; i++) {
        if (i)
            nk_buf_add_char(f->json, ',');
        nk_json_put_string(f->json, v[i]);
        items[i] = nk_cedar_string(f->arena, v[i]);
        f->failed |= !items[i];
    }
    nk_buf_add_char(f->json, ']');
    add(f, name, f->failed ? NULL : nk_cedar_set(f->arena, items, n));
}

static void add_attr(struct facts *f, const struct nk_attr *attr)
{
    nk_json_put_name(f->json, attr->name);
    switch (attr->type) {
    case NK_ATTR_STRING:
        add_string(f, attr->name, attr->string);
        break;
    case NK_ATTR_INT:
        add_long(f, attr->name, attr->integer);
        break;
    case NK_ATTR_BOOL:
        add_bool(f, attr->name, attr->integer != 0);
        break;
    case NK_ATTR_STRINGS:
        add_set(f, attr->name, attr->strings, attr->string_count);
        break;
    }
}

static void put_uid(struct nk_buf *out, struct nk_cedar_uid uid)
{
    nk_buf_add(out, NK_STR("{\"type\":"));
    nk_json_put_string(out, uid.type);
    nk_buf_add(out, NK_STR(",\"id\":"));
    nk_json_put_string(out, uid.id);
    nk_buf_add_char(out, '}');
}

/* The principal's attributes as a record; NULL: no memory. */
static const struct nk_cedar_value *attributes(const struct nk_principal *p, struct nk_arena *a,
                                               struct nk_buf *out)
{
    struct facts f = {.json = out, .arena = a, .room = p->attr_count};
    f.members = nk_arena_array(a, f.room, sizeof *f.members);
    f.failed = !f.members;
    nk_buf_add_char(out, '{');
    for (size_t i = 0; i < p->attr_count; i++)
        add_attr(&f, &p->attrs[i]);
    nk_buf_add_char(out, '}');
    return f.failed ? NULL : nk_cedar_record(a, f.members, f.n);
}

static int put_principal(const struct nk_principal *p, struct nk_arena *a, struct nk_buf *out,
                         struct nk_cedar_entities *into)
{
    struct nk_cedar_uid uid = {p->type, p->id};
    struct nk_cedar_uid *groups = nk_arena_array(a, p->group_count, sizeof *groups);
    nk_buf_add(out, NK_STR("[{\"uid\":"));
    put_uid(out, uid);
    nk_buf_add(out, NK_STR(",\"attrs\":"));
    const struct nk_cedar_value *attrs = attributes(p, a, out);
    if (!groups || !attrs)
        return NK_ENOMEM;
    nk_buf_add(out, NK_STR(",\"parents\":["));
    for (size_t i = 0; i < p->group_count; i++) {
        groups[i] = (struct nk_cedar_uid){NK_STR("Group"), p->groups[i]};
        if (i)
            nk_buf_add_char(out, ',');
        put_uid(out, groups[i]);
    }
    nk_buf_add(out, NK_STR("]}]"));
    return nk_cedar_entities_add(into, uid, groups, p->group_count, attrs, NULL);
}

static void add_tools(struct facts *f, struct nk_str name, const struct nk_call *c, bool hosted)
{
    struct nk_str *names =
        c->tool_count ? nk_arena_array(f->arena, c->tool_count, sizeof *names) : NULL;
    size_t n = 0;
    f->failed |= c->tool_count && !names;
    for (size_t i = 0; !f->failed && i < c->tool_count; i++)
        if (c->tools[i].hosted == hosted)
            names[n++] = c->tools[i].name;
    add_set(f, name, names, n);
}

/* The name that the connection itself has proven, whoever asks on it. */
static void add_certificate(struct facts *f, struct nk_str name,
                            const struct nk_ident_certificate *c)
{
    struct nk_cedar_member members[2];
    struct facts own = {.json = f->json, .arena = f->arena, .members = members, .room = 2};
    add_string(&own, named(&own, NK_STR("{\"name\":")), c->name);
    add_string(&own, named(&own, NK_STR(",\"nameType\":")), nk_str(c->kind));
    nk_buf_add_char(f->json, '}');
    f->failed |= own.failed;
    add(f, name, own.failed ? NULL : nk_cedar_record(f->arena, members, own.n));
}

/* Who acts for the principal. */
static void add_actor(struct facts *f, struct nk_str name, const struct nk_principal *p)
{
    struct nk_cedar_member members[4];
    struct facts own = {.json = f->json, .arena = f->arena, .members = members, .room = 4};
    struct nk_str *chain = nk_arena_array(f->arena, p->actor_count, sizeof *chain);
    struct nk_cedar_uid agent = {NK_STR("Agent"), p->actors[0].id};
    for (size_t i = 0; chain && i < p->actor_count; i++)
        chain[i] = p->actors[i].id;
    add_string(&own, named(&own, NK_STR("{\"id\":")), p->actors[0].id);
    struct nk_str agent_name = named(&own, NK_STR(",\"agent\":"));
    nk_buf_add(f->json, NK_STR("{\"__entity\":"));
    put_uid(f->json, agent);
    nk_buf_add_char(f->json, '}');
    add(&own, agent_name, nk_cedar_entity(f->arena, agent));
    if (chain)
        add_set(&own, named(&own, NK_STR(",\"chain\":")), chain, p->actor_count);
    if (p->actors[0].issuer.p)
        add_string(&own, named(&own, NK_STR(",\"issuer\":")), p->actors[0].issuer);
    nk_buf_add_char(f->json, '}');
    f->failed |= own.failed || !chain;
    add(f, name, f->failed ? NULL : nk_cedar_record(f->arena, members, own.n));
}

static int put_context(struct nk_txn *t, struct nk_buf *out)
{
    struct nk_gate_state *s = t->state;
    struct nk_cedar_member members[MEMBERS_MAX];
    struct facts f = {.json = out, .arena = t->scratch, .members = members, .room = MEMBERS_MAX};
    /* In the order in which a record keeps its members: then nothing is left to sort. */
    add_tools(&f, named(&f, NK_STR("{\"tools\":")), &s->call, false);
    if (s->call.method.p)
        add_string(&f, named(&f, NK_STR(",\"method\":")), s->call.method);
    add_bool(&f, named(&f, NK_STR(",\"stream\":")), s->call.stream);
    add_string(&f, named(&f, NK_STR(",\"dialect\":")), nk_str(s->dialect->name));
    add_long(&f, named(&f, NK_STR(",\"messages\":")), s->call.message_count);
    add_string(&f, named(&f, NK_STR(",\"strength\":")), nk_str(s->principal->proof));
    add_long(&f, named(&f, NK_STR(",\"bodyBytes\":")), (int64_t)s->body.n);
    add_long(&f, named(&f, NK_STR(",\"maxTokens\":")), s->call.max_tokens);
    add_tools(&f, named(&f, NK_STR(",\"hostedTools\":")), &s->call, true);
    if (s->certificate)
        add_certificate(&f, named(&f, NK_STR(",\"clientCertificate\":")), s->certificate);
    if (s->principal->actor_count)
        add_actor(&f, named(&f, NK_STR(",\"actor\":")), s->principal);
    nk_buf_add_char(out, '}');
    s->given = f.failed ? NULL : nk_cedar_record(t->scratch, members, f.n);
    return s->given ? 0 : NK_ENOMEM;
}

/* A principal's facts on their way, and where they go. */
struct making {
    const struct nk_principal *principal;
    const struct nk_cedar_entities *below;
    struct nk_arena *arena;
    struct nk_cedar_entities *store;
};

static int make_principal(void *ctx, struct nk_buf *out)
{
    struct making *m = ctx;
    m->store = nk_cedar_entities_new(m->arena, m->below);
    return m->store ? put_principal(m->principal, m->arena, out, m->store) : NK_ENOMEM;
}

static int make_context(void *ctx, struct nk_buf *out)
{
    return put_context(ctx, out);
}

/* A text that `make` writes, in the arena; in place when it is of an ordinary size. */
static int write_text(struct nk_arena *a, int (*make)(void *ctx, struct nk_buf *out), void *ctx,
                      struct nk_str *out)
{
    char *room = nk_arena_resize(a, NULL, 0, FACTS_ORDINARY);
    struct nk_buf b = {.p = room,
                       .cap = room ? FACTS_ORDINARY : 0,
                       .max = FACTS_ORDINARY,
                       .error = room ? 0 : NK_ENOMEM};
    int rc = make(ctx, &b);
    *out = nk_buf_str(&b);
    if (rc || !b.error)
        return rc;
    nk_buf_init(&b, FACTS_MAX);
    rc = make(ctx, &b);
    if (!rc)
        rc = b.error;
    *out = rc ? (struct nk_str){NULL, 0} : nk_arena_copy(a, nk_buf_str(&b));
    nk_buf_free(&b);
    return rc || out->p ? rc : NK_ENOMEM;
}

/* Forgets whom the place knew, and learns this one. */
static int learn(struct nk_setup_known *k, const struct nk_principal *p, struct nk_setup *setup,
                 struct nk_fault *f)
{
    struct making m = {.below = setup->entities, .arena = &k->arena};
    k->serial = 0;
    nk_arena_reset(&k->arena);
    int rc = nk_principal_copy(p, &k->arena, &m.principal);
    if (!rc)
        rc = write_text(&k->arena, make_principal, &m, &k->entities);
    if (!rc)
        rc = nk_cedar_entities_seal(m.store, f);
    if (!rc)
        rc = nk_cedar_bind(setup->policies, m.store, f);
    if (rc)
        return rc;
    k->store = m.store;
    k->serial = p->serial;
    return 0;
}

/* One whose facts take more room than a place has is put together each time. */
static int principal_facts(struct nk_txn *t, struct nk_fault *f)
{
    struct nk_gate_state *s = t->state;
    const struct nk_principal *p = s->principal;
    struct nk_setup_known *k = &t->setup->known[p->serial % NK_SETUP_KNOWN];
    struct nk_fault inner;
    nk_fault_none(&inner);
    int rc = p->serial == 0           ? NK_ENOMEM
             : k->serial == p->serial ? 0
                                      : learn(k, p, t->setup, &inner);
    if (rc == NK_ENOMEM || rc == NK_ELIMIT) {
        struct making m = {.principal = p, .below = t->setup->entities, .arena = t->scratch};
        rc = write_text(t->scratch, make_principal, &m, &s->entities);
        s->store = m.store;
        return rc ? rc : nk_cedar_entities_seal(m.store, f);
    }
    s->store = k->store;
    s->entities = k->entities;
    return rc ? nk_fault_set(f, rc, "facts", inner.offset, "%s", inner.message) : 0;
}

int gate_principal_facts(struct nk_txn *t, struct nk_str *entities,
                         const struct nk_cedar_entities **store, struct nk_fault *f)
{
    struct nk_gate_state *s = t->state;
    struct nk_str kept = s->entities;
    struct nk_cedar_entities *kept_store = s->store;
    int rc = principal_facts(t, f);
    *entities = s->entities;
    *store = s->store;
    s->entities = kept;
    s->store = kept_store;
    return rc;
}

int gate_facts(struct nk_txn *t, struct nk_fault *f)
{
    if (t->state->context.p)
        return 0;
    int rc = principal_facts(t, f);
    return rc ? rc : write_text(t->scratch, make_context, t, &t->state->context);
}

int gate_add_principal(struct nk_txn *t, struct nk_cedar_entities *into)
{
    struct nk_buf text; /* is in the record already */
    nk_buf_init(&text, FACTS_MAX);
    int rc = put_principal(t->state->principal, t->arena, &text, into);
    nk_buf_free(&text);
    return rc;
}
