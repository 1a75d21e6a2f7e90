/* SPDX-License-Identifier: Apache-2.0
 *
 * tools_file.c - offers and the file of approved tools. The file is written for people too: sorted, a
 * member on each line, values in one canonical spelling, so that a version control shows what an approval
 * changed and nothing else.
 */
#include "cmd/tools.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>
#include "cmd/policy_input.h"
#include "edge/dirfile.h"
#include "edge/file.h"
#include "json/canonical.h"

static const struct nk_json_limits limits = {NK_OFFER_MAX, 128, 4 << 20};

static bool is_url(const char *from)
{
    return nk_str_starts(nk_str(from), NK_STR("http://")) ||
           nk_str_starts(nk_str(from), NK_STR("https://")) ||
           nk_str_starts(nk_str(from), NK_STR("unix:"));
}

/* The array of tools, in whichever form it was saved; NK_JSON_NONE: there is none. */
static uint32_t find_tools(const struct nk_json *doc)
{
    uint32_t result = nk_json_get(doc, 0, NK_STR("result")), tools;
    if (nk_json_type(doc, 0) == NK_JSON_ARRAY)
        return 0;
    tools = nk_json_get(doc, result == NK_JSON_NONE ? 0 : result, NK_STR("tools"));
    return tools != NK_JSON_NONE && nk_json_type(doc, tools) == NK_JSON_ARRAY ? tools
                                                                              : NK_JSON_NONE;
}

int nk_offer_read(const char *from, const struct nk_fetch *how, struct nk_arena *a,
                  struct nk_offer *out, struct nk_fault *f)
{
    struct nk_fault inner = {0};
    *out = (struct nk_offer){.name = from};
    int rc = is_url(from) ? nk_fetch_tools(from, how, a, &out->text, f)
                          : nk_input_read(from, a, &out->text, f);
    if (!rc && !is_url(from))
        rc = nk_offer_yaml(out, a, f);
    if (rc)
        return rc;
    rc = nk_json_parse(&limits, out->text, a, &out->doc, &inner);
    if (rc)
        return nk_fault_set(f, rc, "tools", inner.offset, "%.100s: byte %zu: %s", from,
                            inner.offset, inner.message);
    rc = is_url(from) ? 0 : nk_offer_api(out, a, f);
    if (rc)
        return rc;
    out->tools = find_tools(&out->doc);
    if (out->tools == NK_JSON_NONE)
        return nk_fault_set(f, NK_EINVAL, "tools", 0,
                            "%.100s: this is no list of tools: an array, or an object with "
                            "\"tools\", or an OpenAPI document, was expected",
                            from);
    return 0;
}

/* The file of approved tools ----------------------------------------------------------------------
 */
static int failed(struct nk_fault *f, const char *path, const char *what)
{
    return nk_fault_set(f, NK_EIO, "tools", 0, "%.150s: cannot %s: %s", path, what,
                        strerror(errno));
}

int nk_approved_path(const char *approved, const char *config, struct nk_arena *a, const char **out,
                     struct nk_fault *f)
{
    struct nk_config *c = nk_arena_alloc(a, sizeof *c);
    *out = approved ? approved : "tools.json";
    if (approved || !config)
        return 0;
    if (!c)
        return nk_fault_set(f, NK_ENOMEM, "tools", 0, "out of memory");
    int rc = nk_config_load(config, a, c, f);
    if (rc == 0 && !c->tools.file.p)
        rc = nk_fault_set(f, NK_ENOTFOUND, "tools", 0,
                          "%.150s: it names no file of approved tools (tools: {file: tools.json})",
                          config);
    if (rc == 0)
        *out = nk_arena_copy(a, c->tools.file).p;
    return rc || *out ? rc : nk_fault_set(f, NK_ENOMEM, "tools", 0, "out of memory");
}

static int lock(struct nk_approved_file *file, struct nk_str directory, struct nk_fault *f)
{
    int rc;
    file->directory = open(directory.p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file->directory < 0)
        return failed(f, directory.p, "open it");
    while ((rc = flock(file->directory, LOCK_EX)) != 0 && errno == EINTR)
        ;
    return rc ? failed(f, directory.p, "lock it") : 0;
}

int nk_approved_open(struct nk_approved_file *file, const char *path, bool edit, struct nk_arena *a,
                     struct nk_fault *f)
{
    char real[PATH_MAX];
    struct nk_fault inner = {0};
    struct nk_str text = {NULL, 0};
    *file = (struct nk_approved_file){.path = path, .directory = -1};
    bool exists = realpath(path, real) != NULL;
    if (!exists && errno != ENOENT)
        return failed(f, path, "find it");
    struct nk_str whole = nk_arena_copy(a, nk_str(exists ? real : path));
    size_t slash = whole.n;
    while (slash && whole.p[slash - 1] != '/')
        slash--;
    file->base = nk_str_sub(whole, slash, whole.n);
    struct nk_str directory = nk_arena_copy(a, slash ? nk_str_sub(whole, 0, slash) : NK_STR("."));
    if (!whole.p || !directory.p)
        return nk_fault_set(f, NK_ENOMEM, "tools", 0, "out of memory");
    int rc = edit ? lock(file, directory, f) : 0;
    if (rc == 0 && access(whole.p, F_OK) == 0)
        rc = nk_file_read(whole.p, NK_TRUST_FILE_MAX, NK_FILE_PUBLIC, a, &text, f);
    if (rc == 0 && (rc = nk_approvals_read(text, a, &file->approvals, &inner)) != 0)
        nk_fault_set(f, rc, "tools", inner.offset, "%.100s: %s", path, inner.message);
    return rc;
}

int nk_approved_write(struct nk_approved_file *file, struct nk_str text, struct nk_arena *a,
                      struct nk_fault *f)
{
    struct nk_approvals again;
    NK_MUST(file->directory >= 0);
    int rc = nk_approvals_read(text, a, &again, f);
    if (rc)
        return rc;
    if (nk_dir_replace(file->directory, file->base.p, text, true))
        return failed(f, file->path, "write it");
    return 0;
}

void nk_approved_close(struct nk_approved_file *file)
{
    if (file->directory >= 0)
        close(file->directory);
    file->directory = -1;
}

void nk_approved_put(struct nk_buf *out, struct nk_str server, const struct nk_json *doc,
                     uint32_t at, const struct nk_digest *digest, struct nk_str since,
                     struct nk_fault *f)
{
    nk_buf_add(out, NK_STR("\n{\"server\":"));
    nk_json_put_string(out, server);
    for (int m = 0; m < NK_TOOL_MEMBERS; m++) {
        struct nk_str name = nk_tool_member_name((enum nk_tool_member)m);
        uint32_t value = nk_json_get(doc, at, name);
        if (value == NK_JSON_NONE)
            continue;
        nk_buf_printf(out, ",\n \"%.*s\":", NK_FMT(name));
        int rc = nk_json_canonical(doc, value, NK_CANONICAL_EXACT, out, f);
        out->error = out->error ? out->error : rc;
    }
    nk_buf_add(out, NK_STR(",\n \"sha256\":\""));
    nk_buf_add_hex(out, digest->b, sizeof digest->b);
    nk_buf_add(out, NK_STR("\""));
    if (since.p) {
        nk_buf_add(out, NK_STR(",\"approved\":"));
        nk_json_put_string(out, since);
    }
    nk_buf_add_char(out, '}');
}
