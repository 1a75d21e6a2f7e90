/* SPDX-License-Identifier: Apache-2.0
 *
 * policy_input.c - see policy_input.h.
 */
#include "cmd/policy_input.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "base/utf8.h"
#include "cedar/convert.h"
#include "cedar/parse.h"

const struct nk_json_limits nk_input_limits = {NK_INPUT_MAX, 256, 1 << 26};

/* Files -------------------------------------------------------------------------------------------
 */
static int os_error(struct nk_fault *f, const char *path)
{
    return nk_fault_set(f, NK_EIO, "file", 0, "%s: %s", path, strerror(errno));
}

static int read_stream(FILE *file, const char *path, struct nk_buf *b, struct nk_fault *f)
{
    size_t got = 1;
    while (got > 0 && !b->error) {
        char *to = nk_buf_reserve(b, 65536);
        got = to ? fread(to, 1, 65536, file) : 0;
        b->n += got;
    }
    if (ferror(file))
        return os_error(f, path);
    if (b->error || b->n > NK_INPUT_MAX)
        return nk_fault_set(f, b->error ? b->error : NK_ELIMIT, "file", 0,
                            "%s: larger than %d bytes", path, NK_INPUT_MAX);
    return 0;
}

int nk_input_read(const char *path, struct nk_arena *a, struct nk_str *out, struct nk_fault *f)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "rbe");
    struct nk_buf b;
    if (!file)
        return os_error(f, path);
    nk_buf_init(&b, NK_INPUT_MAX + 65536);
    int rc = read_stream(file, path, &b, f);
    if (!standard)
        fclose(file);
    *out = rc || !b.n ? NK_STR("") : nk_arena_copy(a, nk_buf_str(&b));
    nk_buf_free(&b);
    return rc || out->p ? rc : nk_fault_set(f, NK_ENOMEM, "file", 0, "%s: out of memory", path);
}

static int by_name(const void *a, const void *b)
{
    const struct nk_set_policy *x = a, *y = b;
    return nk_str_cmp(x->name, y->name);
}

static int list_directory(DIR *d, struct nk_arena *a, struct nk_set_policy *list, size_t *n,
                          struct nk_fault *f)
{
    for (struct dirent *entry; (entry = readdir(d));) {
        struct nk_str name = nk_str(entry->d_name);
        if (!nk_str_ends(name, NK_STR(".cedar")))
            continue;
        if (*n == NK_INPUT_POLICIES)
            return nk_fault_set(f, NK_ELIMIT, "file", 0, "more than %d policy files",
                                NK_INPUT_POLICIES);
        list[*n].name = nk_arena_copy(a, name);
        if (!list[(*n)++].name.p)
            return nk_fault_set(f, NK_ENOMEM, "file", 0, "out of memory");
    }
    qsort(list, *n, sizeof *list, by_name);
    return 0;
}

static int read_directory(const char *path, struct nk_arena *a, struct nk_set_policy *list,
                          size_t *n, struct nk_fault *f)
{
    DIR *d = opendir(path);
    if (!d)
        return os_error(f, path);
    int rc = list_directory(d, a, list, n, f);
    closedir(d);
    if (!rc && *n == 0)
        rc = nk_fault_set(f, NK_ENOTFOUND, "file", 0, "%s: there is no *.cedar file in it", path);
    for (size_t i = 0; !rc && i < *n; i++) {
        struct nk_str file = nk_arena_printf(a, "%s/%.*s", path, NK_FMT(list[i].name));
        rc = file.p ? nk_input_read(file.p, a, &list[i].text, f) : NK_ENOMEM;
    }
    return rc;
}

int nk_input_policies(const char *path, struct nk_arena *a, struct nk_set *out, struct nk_fault *f)
{
    struct stat st;
    const char *base = strrchr(path, '/');
    if (strcmp(path, "-") != 0 && stat(path, &st))
        return os_error(f, path);
    bool many = strcmp(path, "-") != 0 && S_ISDIR(st.st_mode);
    struct nk_set_policy *list = nk_arena_array(a, many ? NK_INPUT_POLICIES : 1, sizeof *list);
    if (!list)
        return nk_fault_set(f, NK_ENOMEM, "file", 0, "out of memory");
    out->policies = list;
    out->policy_count = 0;
    if (many)
        return read_directory(path, a, list, &out->policy_count, f);
    list[0].name = nk_str(base ? base + 1 : path);
    out->policy_count = 1;
    return nk_input_read(path, a, &list[0].text, f);
}

static int load_json(const char *path, struct nk_arena *a, struct nk_cedar_policies **out,
                     struct nk_fault *f)
{
    struct nk_fault inner = {.code = 0};
    struct nk_str text;
    int rc = nk_input_read(path, a, &text, f);
    if (rc)
        return rc;
    *out = nk_cedar_policies_new(a);
    rc = *out ? nk_cedar_policies_add_json(*out, text, &inner) : NK_ENOMEM;
    return rc ? nk_fault_set(f, rc, "policy", inner.offset, "policy file %s: %s", path,
                             inner.code ? inner.message : "out of memory")
              : 0;
}

int nk_input_policy_set(const char *path, struct nk_arena *a, struct nk_cedar_policies **out,
                        struct nk_fault *f)
{
    struct nk_set set = {.policy_count = 0};
    if (nk_str_ends(nk_str(path), NK_STR(".json")))
        return load_json(path, a, out, f);
    int rc = nk_input_policies(path, a, &set, f);
    return rc ? rc : nk_set_policies(&set, a, out, f);
}

/* A list for one reason: only the first is told. */
static struct nk_cedar_diags *one_reason(struct nk_arena *a)
{
    return nk_cedar_diags_new(a, 1);
}

static int reason(int rc, const struct nk_cedar_diags *d, struct nk_fault *f)
{
    int told = d ? nk_cedar_diags_fault(d, f) : 0;
    return rc && !told ? nk_fault_set(f, rc, "cedar", 0, "%s", nk_error_name(rc)) : rc;
}

int nk_input_schema_text(struct nk_str text, struct nk_arena *a, const struct nk_cedar_schema **out,
                         struct nk_fault *f)
{
    struct nk_cedar_diags *d = one_reason(a);
    size_t at = 0;
    while (at < text.n && strchr(" \t\r\n", text.p[at]))
        at++;
    bool json = at < text.n && text.p[at] == '{';
    if (!d)
        return nk_fault_set(f, NK_ENOMEM, "schema", 0, "out of memory");
    int rc =
        json ? nk_cedar_schema_parse_json(text, a, d, out) : nk_cedar_schema_parse(text, a, d, out);
    return reason(rc, d, f);
}

int nk_input_schema(const char *path, struct nk_arena *a, const struct nk_cedar_schema **out,
                    struct nk_fault *f)
{
    struct nk_fault inner = {.code = 0};
    struct nk_str text;
    int rc = nk_input_read(path, a, &text, f);
    if (rc)
        return rc;
    rc = nk_input_schema_text(text, a, out, &inner);
    return rc ? nk_fault_set(f, rc, "schema", inner.offset, "%s: %s", path, inner.message) : 0;
}

int nk_input_entities(struct nk_str json, const struct nk_cedar_schema *schema,
                      const struct nk_cedar_entities *below, struct nk_arena *a,
                      struct nk_cedar_entities **out, struct nk_fault *f)
{
    struct nk_cedar_entities *e = nk_cedar_entities_new(a, below);
    struct nk_cedar_diags *d = one_reason(a);
    int rc = e && d ? 0 : nk_fault_set(f, NK_ENOMEM, "entities", 0, "out of memory");
    *out = e;
    if (!rc && json.p && schema)
        rc = reason(nk_cedar_entities_parse_typed(e, schema, json, a, d), d, f);
    else if (!rc && json.p)
        rc = nk_cedar_entities_parse(e, json, f);
    if (!rc && schema && !below)
        rc = nk_cedar_entities_add_actions(e, schema, a);
    return rc ? nk_fault_set(f, rc, "entities", 0, "out of memory") : nk_cedar_entities_seal(e, f);
}

static int load_entities(const char *path, const struct nk_cedar_schema *schema, struct nk_arena *a,
                         struct nk_cedar_entities **out, struct nk_fault *f)
{
    struct nk_fault inner = {.code = 0};
    struct nk_str text = {NULL, 0};
    int rc = path ? nk_input_read(path, a, &text, f) : 0;
    if (rc)
        return rc;
    rc = nk_input_entities(text, schema, NULL, a, out, &inner);
    return rc ? nk_fault_set(f, rc, "entities", inner.offset, "%s: %s", path ? path : "entities",
                             inner.message)
              : 0;
}

int nk_input_load(const struct nk_input_files *files, struct nk_arena *a, struct nk_input *out,
                  struct nk_fault *f)
{
    bool deny = files->errors && strcmp(files->errors, "deny") == 0;
    *out = (struct nk_input){.schema = NULL};
    if (files->errors && !deny && strcmp(files->errors, "skip") != 0)
        return nk_fault_set(f, NK_EINVAL, "options", 0, "--errors is skip or deny");
    int rc = nk_input_policy_set(files->policies, a, &out->policies, f);
    if (!rc)
        nk_cedar_policies_strict(out->policies, deny);
    if (!rc && files->schema)
        rc = nk_input_schema(files->schema, a, &out->schema, f);
    return rc ? rc : load_entities(files->entities, out->schema, a, &out->entities, f);
}

/* Requests ----------------------------------------------------------------------------------------
 */
int nk_input_uid(struct nk_str text, struct nk_arena *a, struct nk_cedar_uid *out,
                 struct nk_fault *f)
{
    struct cedar_parser p = {.lexer = {.text = text}, .arena = a};
    bool id_follows = false;
    if (nk_utf8_check(text) == text.n) {
        cedar_next(&p);
        if (cedar_take_type(&p, &out->type, &id_follows) && id_follows &&
            cedar_take_string(&p, &out->id) && cedar_at(&p, CEDAR_END))
            return 0;
    }
    return nk_fault_set(f, p.code == NK_ENOMEM ? NK_ENOMEM : NK_EINVAL, "request", 0,
                        "%.*s is not an entity; write it as in a policy: User::\"alice\"",
                        NK_FMT(text));
}

static int read_uid(const struct nk_json *doc, uint32_t of, struct nk_str name, struct nk_arena *a,
                    struct nk_cedar_uid *out, struct nk_fault *f)
{
    uint32_t at = nk_json_get(doc, of, name);
    uint32_t inner = nk_json_get(doc, at, NK_STR("__entity"));
    if (at != NK_JSON_NONE && nk_json_type(doc, at) == NK_JSON_STRING)
        return nk_input_uid(nk_json_string(doc, at, a), a, out, f);
    at = inner == NK_JSON_NONE ? at : inner;
    out->type = nk_json_string(doc, nk_json_get(doc, at, NK_STR("type")), a);
    out->id = nk_json_string(doc, nk_json_get(doc, at, NK_STR("id")), a);
    if (out->type.p && out->id.p && nk_cedar_type_ok(out->type))
        return 0;
    return nk_fault_set(f, NK_EINVAL, "request", 0,
                        "\"%.*s\" must be {\"type\":\"User\",\"id\":\"alice\"} or "
                        "\"User::\\\"alice\\\"\"",
                        NK_FMT(name));
}

static int read_context(const struct nk_json *doc, uint32_t at,
                        const struct nk_cedar_schema *schema, struct nk_arena *a,
                        struct nk_cedar_request *out, struct nk_fault *f)
{
    struct nk_fault inner = {.code = 0};
    struct nk_cedar_diags *d = schema ? one_reason(a) : NULL;
    int rc = NK_ENOTFOUND;
    out->context = NULL;
    if (at == NK_JSON_NONE)
        return 0;
    if (nk_json_type(doc, at) != NK_JSON_OBJECT)
        return nk_fault_set(f, NK_EINVAL, "request", 0, "\"context\" must be an object");
    if (d)
        rc = nk_cedar_context_parse_typed(schema, out->action, doc, at, a, &out->context, d);
    if (rc == NK_ENOTFOUND) /* no schema, or it does not know the action, which is told later */
        rc = nk_cedar_value_parse(doc, at, a, &out->context, &inner);
    else
        rc = reason(rc, d, &inner);
    return rc ? nk_fault_set(f, rc, "request", inner.offset, "context: %s", inner.message) : 0;
}

int nk_input_request(const struct nk_json *doc, uint32_t at, const struct nk_cedar_schema *schema,
                     struct nk_arena *a, struct nk_cedar_request *out, struct nk_fault *f)
{
    int rc = read_uid(doc, at, NK_STR("principal"), a, &out->principal, f);
    if (!rc)
        rc = read_uid(doc, at, NK_STR("action"), a, &out->action, f);
    if (!rc)
        rc = read_uid(doc, at, NK_STR("resource"), a, &out->resource, f);
    uint32_t context = nk_json_get(doc, at, NK_STR("context"));
    return rc ? rc : read_context(doc, context, schema, a, out, f);
}

int nk_input_valid(const struct nk_cedar_schema *schema, const struct nk_cedar_request *r,
                   struct nk_arena *a, struct nk_fault *f)
{
    struct nk_cedar_diags *d = schema ? one_reason(a) : NULL;
    if (!schema)
        return 0;
    if (!d)
        return nk_fault_set(f, NK_ENOMEM, "request", 0, "out of memory");
    return reason(nk_cedar_validate_request(schema, r, d), d, f);
}

int nk_input_context(const char *given, const struct nk_cedar_schema *schema, struct nk_arena *a,
                     struct nk_cedar_request *out, struct nk_fault *f)
{
    struct nk_str text = nk_str(given);
    struct nk_fault inner = {.code = 0};
    struct nk_json doc;
    int rc = nk_str_starts(text, NK_STR("{")) ? 0 : nk_input_read(given, a, &text, f);
    if (rc)
        return rc;
    rc = nk_json_parse_any_name(&nk_input_limits, text, a, &doc, &inner);
    if (rc)
        return nk_fault_set(f, rc, "request", inner.offset, "context: %s", inner.message);
    return read_context(&doc, 0, schema, a, out, f);
}

void nk_input_rows(struct nk_input_files *files, struct nk_input_options *request,
                   const struct nk_option *own, size_t n, struct nk_option *out)
{
    const struct nk_option shared[NK_INPUT_ROWS] = {
        {"--policies", &files->policies, NULL},     {"--entities", &files->entities, NULL},
        {"--schema", &files->schema, NULL},         {"--errors", &files->errors, NULL},
        {"--principal", &request->principal, NULL}, {"--action", &request->action, NULL},
        {"--resource", &request->resource, NULL},   {"--context", &request->context, NULL}};
    memcpy(out, shared, sizeof shared);
    memcpy(out + NK_INPUT_ROWS, own, n * sizeof *own);
}

int nk_input_options(const struct nk_input_options *o, const struct nk_cedar_schema *schema,
                     struct nk_arena *a, struct nk_cedar_request *out, struct nk_fault *f)
{
    if (!o->principal || !o->action || !o->resource)
        return nk_fault_set(f, NK_EINVAL, "request", 0,
                            "a request needs --principal, --action and --resource, such as "
                            "--principal 'User::\"alice\"'");
    int rc = nk_input_uid(nk_str(o->principal), a, &out->principal, f);
    if (!rc)
        rc = nk_input_uid(nk_str(o->action), a, &out->action, f);
    if (!rc)
        rc = nk_input_uid(nk_str(o->resource), a, &out->resource, f);
    out->context = NULL;
    if (!rc && o->context)
        rc = nk_input_context(o->context, schema, a, out, f);
    return rc ? rc : nk_input_valid(schema, out, a, f);
}
