/* SPDX-License-Identifier: Apache-2.0
 *
 * a2a_write.c - objects of A2A, written anew member by member from the table of a2a_shape.def. What a member of it is
 * stands there; what becomes of ids, texts and data says the caller.
 */
#include "proto/a2a.h"

#include "proto/member.h"

enum shape {
    SHAPE_NOTHING,
    SHAPE_ANY, /* of 0.3: which object it is, its member "kind" says */
    SHAPE_SEND,
    SHAPE_CONFIGURATION,
    SHAPE_MESSAGE,
    SHAPE_PART,
    SHAPE_ID,
    SHAPE_LIST,
    SHAPE_PUSH,
    SHAPE_LOGIN,
    SHAPE_OLD_PUSH,
    SHAPE_PUSH_ID,
    SHAPE_OLD_PUSH_ID,
    SHAPE_PUSH_LIST,
    SHAPE_PUSHES,
    SHAPE_SENT,
    SHAPE_EVENT,
    SHAPE_TASK,
    SHAPE_STATUS,
    SHAPE_ARTIFACT,
    SHAPE_STATUS_UPDATE,
    SHAPE_ARTIFACT_UPDATE,
    SHAPE_TASKS,
};

/* Names of a2a_shape.def for kinds. */
enum {
    KIND_WORD = NK_A2A_WORD,
    KIND_WORDS = NK_A2A_WORDS,
    KIND_OBJECT = NK_A2A_OBJECT,
    KIND_LIST = NK_A2A_LIST,
    KIND_TASK = NK_A2A_ID_TASK,
    KIND_TASKS = NK_A2A_ID_TASKS,
    KIND_CONTEXT = NK_A2A_ID_CONTEXT,
    KIND_PAGE = NK_A2A_ID_PAGE,
    KIND_ROLE = NK_A2A_ROLE,
    KIND_TEXT = NK_A2A_TEXT,
    KIND_DATA = NK_A2A_DATA,
    KIND_FILE = NK_A2A_FILE,
    KIND_NOTE = NK_A2A_NOTE,
    KIND_FREE = NK_A2A_FREE,
    KIND_RECIPIENT = NK_A2A_RECIPIENT,
    KIND_CREDENTIAL = NK_A2A_CREDENTIAL,
};

enum version { VERSION_BOTH, VERSION_OLD, VERSION_NEW };

struct member {
    enum shape object;
    const char *name;
    enum nk_a2a_kind kind;
    enum shape of;
    enum version version;
};

/* clang-format off */
#define MEMBER(object, name, kind, of, version) {SHAPE_##object, name, (enum nk_a2a_kind)KIND_##kind, SHAPE_##of, VERSION_##version},
/* clang-format on */

static const struct member members[] = {
#include "proto/a2a_shape.def"
#undef MEMBER
};

struct method { /* of 0.3 and of 1.0 */
    enum shape params[2], result[2];
};

/* clang-format off */
#define A2A(id, name, one, old, action, one_in, old_in, one_out, old_out) [NK_A2A_##id] = {{SHAPE_##old_in, SHAPE_##one_in}, {SHAPE_##old_out, SHAPE_##one_out}},
/* clang-format on */

static const struct method methods[NK_A2A_OPS] = {
#include "proto/a2a.def"
#undef A2A
};

struct writer {
    const struct nk_a2a_visit *v;
    const struct nk_json *doc;
    struct nk_buf *out;
    struct nk_fault *f;
};

static int bad(const struct writer *w, uint32_t at, const char *name, const char *what)
{
    return nk_fault_set(w->f, NK_EINVAL, "a2a", at < w->doc->n ? w->doc->tape[at].start : 0,
                        "\"%.64s\" %s", name, what);
}

static const struct member *member_of(const struct writer *w, enum shape object, struct nk_str name)
{
    enum version version = w->v->is_new ? VERSION_NEW : VERSION_OLD;
    for (size_t i = 0; i < NK_COUNT(members); i++)
        if (members[i].object == object && nk_str_eq(nk_str(members[i].name), name) &&
            (members[i].version == VERSION_BOTH || members[i].version == version))
            return &members[i];
    return NULL;
}

/* Which object of 0.3 it is. */
static enum shape shape_by_kind(const struct nk_json *doc, uint32_t at)
{
    static const struct {
        struct nk_str kind;
        enum shape shape;
    } kinds[] = {{{"task", 4}, SHAPE_TASK},
                 {{"message", 7}, SHAPE_MESSAGE},
                 {{"status-update", 13}, SHAPE_STATUS_UPDATE},
                 {{"artifact-update", 15}, SHAPE_ARTIFACT_UPDATE}};
    uint32_t kind = nk_json_get(doc, at, NK_STR("kind"));
    for (size_t i = 0; i < NK_COUNT(kinds); i++)
        if (nk_json_is(doc, kind, kinds[i].kind))
            return kinds[i].shape;
    return SHAPE_NOTHING;
}

static int put_object(const struct writer *w, enum shape shape, uint32_t at);

static int put_list(const struct writer *w, enum shape of, uint32_t at, const char *name)
{
    if (nk_json_type(w->doc, at) != NK_JSON_ARRAY)
        return bad(w, at, name, "must be an array");
    nk_buf_add_char(w->out, '[');
    for (uint32_t i = nk_json_first(w->doc, at); i != NK_JSON_NONE;
         i = nk_json_next(w->doc, at, i)) {
        if (i != nk_json_first(w->doc, at))
            nk_buf_add_char(w->out, ',');
        int rc = put_object(w, of, i);
        if (rc)
            return rc;
    }
    nk_buf_add_char(w->out, ']');
    return 0;
}

/* Strings, which pass (kind WORD) or are the caller's. */
static int put_strings(const struct writer *w, enum nk_a2a_kind kind, uint32_t at, const char *name)
{
    if (nk_json_type(w->doc, at) != NK_JSON_ARRAY)
        return bad(w, at, name, "must be an array");
    nk_buf_add_char(w->out, '[');
    for (uint32_t i = nk_json_first(w->doc, at); i != NK_JSON_NONE;
         i = nk_json_next(w->doc, at, i)) {
        if (nk_json_type(w->doc, i) != NK_JSON_STRING)
            return bad(w, i, name, "must be strings");
        if (i != nk_json_first(w->doc, at))
            nk_buf_add_char(w->out, ',');
        if (kind == NK_A2A_WORD)
            nk_buf_add(w->out, nk_json_span(w->doc, i));
        int rc = kind == NK_A2A_WORD ? 0 : w->v->value(w->v->ctx, kind, w->doc, i, w->out, w->f);
        if (rc)
            return rc;
    }
    nk_buf_add_char(w->out, ']');
    return 0;
}

/* Of the types that the caller need not look for. */
static int check_type(const struct writer *w, const struct member *m, uint32_t at)
{
    enum nk_json_type type = nk_json_type(w->doc, at);
    switch (m->kind) {
    case NK_A2A_WORD:
        return type == NK_JSON_OBJECT || type == NK_JSON_ARRAY
                   ? bad(w, at, m->name, "must be a single value")
                   : 0;
    case NK_A2A_FREE:
        return type == NK_JSON_OBJECT ? 0 : bad(w, at, m->name, "must be an object");
    case NK_A2A_DATA:
    case NK_A2A_FILE:
        return 0;
    default:
        return type == NK_JSON_STRING ? 0 : bad(w, at, m->name, "must be a string");
    }
}

static int put_value(const struct writer *w, const struct member *m, uint32_t at)
{
    switch (m->kind) {
    case NK_A2A_OBJECT:
        return put_object(w, m->of, at);
    case NK_A2A_LIST:
        return put_list(w, m->of, at, m->name);
    case NK_A2A_WORDS:
        return put_strings(w, NK_A2A_WORD, at, m->name);
    case NK_A2A_ID_TASKS:
        return put_strings(w, NK_A2A_ID_TASK, at, m->name);
    default:
        break;
    }
    int rc = check_type(w, m, at);
    if (rc)
        return rc;
    if (m->kind != NK_A2A_WORD)
        return w->v->value(w->v->ctx, m->kind, w->doc, at, w->out, w->f);
    nk_buf_add(w->out, nk_json_span(w->doc, at));
    return 0;
}

/* A part whose content is not there says so, because a part has some. */
static void put_gone(const struct writer *w)
{
    nk_buf_add_char(w->out, '{');
    if (!w->v->is_new)
        nk_json_put_member(w->out, NK_STR("kind"), NK_STR("text"));
    nk_json_put_member(w->out, NK_STR("text"), w->v->gone);
    nk_buf_add_char(w->out, '}');
}

/* One member: NK_ENOTFOUND when the whole object has to go. */
static int put_member(const struct writer *w, enum shape shape, uint32_t at)
{
    struct nk_str name = nk_json_string(w->doc, at, w->v->a);
    const struct member *m = member_of(w, shape, name);
    size_t before = w->out->n;
    if (!name.p)
        return NK_ENOMEM;
    if (!m && w->v->is_answer)
        return 0;
    if (!m)
        return nk_fault_set(w->f, NK_EINVAL, "a2a", w->doc->tape[at].start,
                            "\"%.*s\" is no member that this version of A2A has there",
                            NK_FMT(nk_str_sub(name, 0, 64)));
    if (nk_json_type(w->doc, at + 1) == NK_JSON_NULL && m->kind != NK_A2A_DATA)
        return 0; /* as if it were not there */
    nk_json_put_name(w->out, name);
    int rc = put_value(w, m, at + 1);
    if (rc != NK_ENOTFOUND || m->kind == NK_A2A_FILE)
        return rc;
    w->out->n = before;
    return 0;
}

static int put_object(const struct writer *w, enum shape shape, uint32_t at)
{
    size_t before = w->out->n;
    bool any = shape == SHAPE_ANY;
    if (any)
        shape = shape_by_kind(w->doc, at);
    if (nk_json_type(w->doc, at) != NK_JSON_OBJECT || (any && shape == SHAPE_NOTHING))
        return nk_fault_set(w->f, NK_EINVAL, "a2a", at < w->doc->n ? w->doc->tape[at].start : 0,
                            "an object of the protocol was expected");
    nk_buf_add_char(w->out, '{');
    for (uint32_t i = nk_json_first(w->doc, at); i != NK_JSON_NONE;
         i = nk_json_next(w->doc, at, i)) {
        int rc = put_member(w, shape, i);
        if (rc == NK_ENOTFOUND && !w->out->error) {
            w->out->n = before;
            put_gone(w);
            return 0;
        }
        if (rc)
            return rc;
    }
    nk_buf_add_char(w->out, '}');
    return w->out->error;
}

/* The list of 0.3 is an array by itself. */
static int put_result(const struct writer *w, enum nk_a2a_op op, uint32_t at)
{
    enum shape shape = methods[op].result[w->v->is_new];
    if (op == NK_A2A_LIST_PUSH && !w->v->is_new)
        return put_list(w, shape, at, "result");
    if (nk_json_type(w->doc, at) == NK_JSON_NULL || shape == SHAPE_NOTHING) {
        nk_buf_add(w->out, w->v->is_new ? NK_STR("{}") : NK_STR("null"));
        return shape == SHAPE_NOTHING ? 0 : bad(w, at, "result", "must be an object");
    }
    size_t before = w->out->n;
    int rc = put_object(w, shape, at);
    bool empty = w->out->n - before <= strlen("{}");
    return !rc && empty ? bad(w, at, "result", "says nothing that this version of A2A has") : rc;
}

int nk_a2a_write(enum nk_a2a_op op, const struct nk_json *doc, uint32_t at,
                 const struct nk_a2a_visit *v, struct nk_buf *out, struct nk_fault *f)
{
    struct writer w = {v, doc, out, f};
    int rc = v->is_answer         ? put_result(&w, op, at)
             : at != NK_JSON_NONE ? put_object(&w, methods[op].params[v->is_new], at)
                                  : 0;
    if (!v->is_answer && at == NK_JSON_NONE)
        nk_buf_add(out, NK_STR("{}"));
    return rc ? rc : out->error;
}
