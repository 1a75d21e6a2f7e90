/* SPDX-License-Identifier: Apache-2.0
 *
 * config_file.c - the configuration file: YAML, then JSON, then structures, and the way back for
 * messages: from a byte of the JSON to line and column of the YAML. See file.h.
 */
#include "edge/file.h"
#include "edge/yaml.h"

static const char stage[] = "config";

static const struct nk_yaml_limits limits = {
    .max_bytes = 1 << 20, .max_depth = 16, .max_nodes = 50000};

static int say_where(struct nk_fault *f, int code, const char *name, struct nk_yaml_mark at,
                     const struct nk_fault *inner)
{
    if (at.line == 0)
        return nk_fault_set(f, code, stage, 0, "%s: %s", name, inner->message);
    return nk_fault_set(f, code, stage, inner->offset, "%s:%u:%u: %s", name, at.line, at.column,
                        inner->message);
}

int nk_config_load_text(struct nk_str text, const char *name, struct nk_str directory,
                        struct nk_arena *a, struct nk_config *out, struct nk_fault *f)
{
    struct nk_yaml yaml;
    struct nk_yaml_mark at;
    struct nk_fault inner = {0};
    int rc = nk_yaml_read(&limits, text, a, &yaml, &at, &inner);
    if (!rc) {
        rc = nk_config_parse_at(yaml.json, directory, a, out, &inner);
        at = nk_yaml_where(&yaml, inner.offset);
    }
    return rc ? say_where(f, rc, name, at, &inner) : 0;
}

int nk_config_load(const char *file, struct nk_arena *a, struct nk_config *out, struct nk_fault *f)
{
    struct nk_str text;
    int rc = nk_file_read(file, limits.max_bytes, NK_FILE_PUBLIC, a, &text, f);
    if (rc)
        return rc;
    struct nk_str directory = nk_file_directory(file, a);
    if (!directory.p)
        return nk_fault_set(f, NK_EIO, stage, 0, "%s: its directory cannot be found", file);
    return nk_config_load_text(text, file, directory, a, out, f);
}
