/* SPDX-License-Identifier: Apache-2.0
 *
 * ext.c - the table of extension functions and the one way to call them. See ext.h.
 */
#include "cedar/ext.h"

enum { FUNCTION = false, METHOD = true };

static const struct cedar_ext table[] = {
#define EXT(n, s, r, c, x, y, f) {{#n, sizeof(#n) - 1}, s, CEDAR_##r, c, {CEDAR_##x, CEDAR_##y}, f},
#include "cedar/ext.def"
#undef EXT
};

const struct cedar_ext *cedar_ext_find(struct nk_str name)
{
    for (size_t i = 0; i < NK_COUNT(table); i++)
        if (nk_str_eq(table[i].name, name))
            return &table[i];
    return NULL;
}

const struct nk_cedar_value *cedar_fail(struct cedar_call *c, const char *what)
{
    if (c->code)
        return NULL;
    c->code = NK_EINVAL;
    c->what = what;
    return NULL;
}

const struct nk_cedar_value *cedar_no_memory(struct cedar_call *c)
{
    if (c->code)
        return NULL;
    c->code = NK_ENOMEM;
    c->what = "out of memory";
    return NULL;
}

const struct nk_cedar_value *cedar_call_number(struct cedar_call *c, enum cedar_kind kind,
                                               int64_t v)
{
    const struct nk_cedar_value *out = cedar_number(c->arena, kind, v);
    return out ? out : cedar_no_memory(c);
}

const char *cedar_expected(enum cedar_kind kind)
{
    static const char *const texts[] = {
        [CEDAR_BOOL] = "type error: expected a bool",
        [CEDAR_LONG] = "type error: expected a long",
        [CEDAR_STRING] = "type error: expected a string",
        [CEDAR_ENTITY] = "type error: expected an entity",
        [CEDAR_SET] = "type error: expected a set",
        [CEDAR_RECORD] = "type error: expected a record",
        [CEDAR_DECIMAL] = "type error: expected a decimal",
        [CEDAR_IP] = "type error: expected an ipaddr",
        [CEDAR_DATETIME] = "type error: expected a datetime",
        [CEDAR_DURATION] = "type error: expected a duration",
    };
    return texts[kind];
}

const struct nk_cedar_value *cedar_ext_call(const struct cedar_ext *ext, struct cedar_call *c,
                                            const struct nk_cedar_value *const *args, size_t n)
{
    if (n != ext->argc)
        return cedar_fail(c, "wrong number of arguments");
    for (size_t i = 0; i < n; i++)
        if (args[i]->kind != ext->args[i])
            return cedar_fail(c, cedar_expected(ext->args[i]));
    return ext->run(c, args);
}
