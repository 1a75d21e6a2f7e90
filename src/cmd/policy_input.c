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

static int load_entities(const char *path, struct nk_arena *a, struct nk_cedar_entities **out,
                         struct nk_fault *f)
{
    struct nk_fault inner = {.code = 0};
    struct nk_str text = {NULL, 0};
    *out = nk_cedar_entities_new(a, NULL);
    int rc = *out ? 0 : NK_ENOMEM;
    if (!rc && path)
        rc = nk_input_read(path, a, &text, f);
    if (!rc && path)
        rc = nk_cedar_entities_parse(*out, text, &inner);
    if (!rc)
        rc = nk_cedar_entities_seal(*out, &inner);
    return rc ? nk_fault_set(f, rc, "entities", inner.offset, "%s: %s", path ? path : "entities",
                             inner.code ? inner.message : "out of memory")
              : 0;
}

int nk_input_load(const char *policies, const char *entities, struct nk_arena *a,
                  struct nk_input *out, struct nk_fault *f)
{
    int rc = nk_input_policy_set(policies, a, &out->policies, f);
    return rc ? rc : load_entities(entities, a, &out->entities, f);
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

static int read_context(const struct nk_json *doc, uint32_t at, struct nk_arena *a,
                        struct nk_cedar_request *out, struct nk_fault *f)
{
    struct nk_fault inner = {.code = 0};
    out->context = NULL;
    if (at == NK_JSON_NONE)
        return 0;
    if (nk_json_type(doc, at) != NK_JSON_OBJECT)
        return nk_fault_set(f, NK_EINVAL, "request", 0, "\"context\" must be an object");
    int rc = nk_cedar_value_parse(doc, at, a, &out->context, &inner);
    return rc ? nk_fault_set(f, rc, "request", inner.offset, "context: %s", inner.message) : 0;
}

int nk_input_request(const struct nk_json *doc, uint32_t at, struct nk_arena *a,
                     struct nk_cedar_request *out, struct nk_fault *f)
{
    int rc = read_uid(doc, at, NK_STR("principal"), a, &out->principal, f);
    if (!rc)
        rc = read_uid(doc, at, NK_STR("action"), a, &out->action, f);
    if (!rc)
        rc = read_uid(doc, at, NK_STR("resource"), a, &out->resource, f);
    return rc ? rc : read_context(doc, nk_json_get(doc, at, NK_STR("context")), a, out, f);
}

static int parse_context(const char *given, struct nk_arena *a, struct nk_cedar_request *out,
                         struct nk_fault *f)
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
    return read_context(&doc, 0, a, out, f);
}

int nk_input_options(const struct nk_input_options *o, struct nk_arena *a,
                     struct nk_cedar_request *out, struct nk_fault *f)
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
    return rc || !o->context ? rc : parse_context(o->context, a, out, f);
}
