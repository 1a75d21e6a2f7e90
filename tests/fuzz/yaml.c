/* SPDX-License-Identifier: Apache-2.0
 *
 * yaml.c - YAML text. Oracle: what is accepted becomes JSON that the strict reader takes, and every
 * value's place is known, in order.
 */
#include "edge/file.h"
#include "edge/yaml.h"
#include "json/json.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static const struct nk_yaml_limits lim = {
        .max_bytes = 65536, .max_depth = 16, .max_nodes = 5000};
    static const struct nk_json_limits json = {1 << 20, 17, 10001};
    struct nk_str text = {(const char *)data, size};
    struct nk_arena a;
    struct nk_yaml y;
    struct nk_yaml_mark at;
    struct nk_json doc;
    struct nk_config config;
    struct nk_fault f = {0};
    nk_arena_init(&a, (size_t)16 << 20);
    int rc = nk_yaml_read(&lim, text, &a, &y, &at, &f);
    NK_MUST(rc == 0 || f.code == rc);
    if (rc == 0) {
        NK_MUST(nk_json_parse(&json, y.json, &a, &doc, NULL) == 0);
        NK_MUST(y.count == doc.n);
        for (size_t i = 0; i < y.count; i++)
            NK_MUST(y.marks[i].at == doc.tape[i].start && y.marks[i].line > 0);
    }
    f = (struct nk_fault){0};
    rc = nk_config_load_text(text, "FILE", NK_STR("/d"), &a, &config, &f);
    NK_MUST(rc == 0 || (f.code == rc && nk_str_starts(nk_str(f.message), NK_STR("FILE:"))));
    nk_arena_free(&a);
    return 0;
}
