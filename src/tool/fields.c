/* SPDX-License-Identifier: Apache-2.0
 *
 * fields.c - see fields.h.
 */
#include "tool/fields.h"

static const char stage[] = "tools";

unsigned nk_tool_fields_class(const struct nk_tool_fields *fields, struct nk_str name)
{
    unsigned i = 0;
    while (i < fields->class_count && !nk_str_eq(fields->classes[i], name))
        i++;
    return i;
}

static unsigned take_class(struct nk_tool_fields *out, struct nk_str *classes, struct nk_str name)
{
    unsigned i = nk_tool_fields_class(out, name);
    if (i == out->class_count)
        classes[out->class_count++] = name;
    return i;
}

int nk_tool_fields_new(const struct nk_config_tool_field *list, size_t n, struct nk_str also,
                       const struct nk_field_setup *setup, struct nk_arena *a,
                       struct nk_tool_fields *out, struct nk_fault *f)
{
    struct nk_field_rule *rules = nk_arena_array(a, n + 1, sizeof *rules);
    struct nk_str *classes = nk_arena_array(a, n + 2, sizeof *classes);
    struct nk_field_setup own = *setup;
    *out = (struct nk_tool_fields){.classes = classes};
    if (!rules || !classes)
        return nk_fault_set(f, NK_ENOMEM, stage, 0, "out of memory");
    for (size_t i = 0; i < n; i++) {
        rules[i] =
            (struct nk_field_rule){.path = list[i].path,
                                   .class_number = take_class(out, classes, list[i].data_class),
                                   .with = list[i].with};
        if (nk_field_hide_named(list[i].hide, &rules[i].hide))
            return nk_fault_set(f, NK_EINVAL, stage, 0, "hide \"%.*s\"", NK_FMT(list[i].hide));
    }
    if (also.p)
        take_class(out, classes, also);
    if (out->class_count > NK_FIELD_CLASSES_MAX)
        return nk_fault_set(f, NK_ELIMIT, stage, 0, "more than %d data classes",
                            NK_FIELD_CLASSES_MAX);
    own.rules = rules;
    own.rule_count = n;
    return nk_field_rules_new(&own, a, &out->rules, f);
}
