/* SPDX-License-Identifier: Apache-2.0
 *
 * assembly.c - tool calls from fragments. Everything is in the transaction's arena: text grows by
 * doubling, so all fragments together take at most twice NK_ASSEMBLY_TOTAL and the copies before.
 * See assembly.h.
 */
#include "proto/assembly.h"

#include <string.h>

static int fail(struct nk_fault *f, int code, const char *why)
{
    return nk_fault_set(f, code, "proto", 0, "tool call: %s", why);
}

struct nk_assembly_call *nk_assembly_find(struct nk_assembly *s, int64_t choice, int64_t index)
{
    for (size_t i = s->count; i > 0; i--)
        if (s->calls[i - 1].choice == choice && s->calls[i - 1].index == index)
            return &s->calls[i - 1];
    return NULL;
}

int nk_assembly_open(struct nk_assembly *s, int64_t choice, int64_t index,
                     struct nk_assembly_call **out, struct nk_fault *f)
{
    if (s->count == NK_ASSEMBLY_CALLS)
        return fail(f, NK_ELIMIT, "more than 128 in one answer");
    if (s->count == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 4;
        struct nk_assembly_call *calls = nk_arena_array(s->arena, cap, sizeof *calls);
        if (!calls)
            return fail(f, NK_ENOMEM, "out of memory");
        if (s->count)
            memcpy(calls, s->calls, s->count * sizeof *calls);
        s->calls = calls;
        s->cap = cap;
    }
    *out = &s->calls[s->count++];
    **out = (struct nk_assembly_call){.choice = choice, .index = index};
    s->open++;
    return 0;
}

int nk_assembly_say(struct nk_assembly *s, struct nk_str *field, struct nk_str value,
                    struct nk_fault *f)
{
    if (value.n == 0)
        return 0;
    if (field->n)
        return nk_str_eq(*field, value) ? 0 : fail(f, NK_EINVAL, "its name or id changes");
    if (value.n > NK_ASSEMBLY_NAME)
        return fail(f, NK_ELIMIT, "name or id of more than 1024 bytes");
    *field = nk_arena_copy(s->arena, value);
    return field->p ? 0 : fail(f, NK_ENOMEM, "out of memory");
}

int nk_assembly_add(struct nk_assembly *s, struct nk_assembly_call *c, struct nk_str fragment,
                    struct nk_fault *f)
{
    if (fragment.n == 0)
        return 0;
    if (c->complete)
        return fail(f, NK_EINVAL, "a fragment comes after its end");
    if (fragment.n > NK_ASSEMBLY_ARGUMENTS - c->n || fragment.n > NK_ASSEMBLY_TOTAL - s->total)
        return fail(f, NK_ELIMIT, "arguments of more than 1 MiB, or 4 MiB in one answer");
    if (fragment.n > c->cap - c->n) {
        size_t cap = c->cap ? c->cap : 256;
        while (cap - c->n < fragment.n)
            cap *= 2;
        char *text = nk_arena_alloc(s->arena, cap);
        if (!text)
            return fail(f, NK_ENOMEM, "out of memory");
        if (c->n)
            memcpy(text, c->text, c->n);
        c->text = text;
        c->cap = cap;
    }
    memcpy(c->text + c->n, fragment.p, fragment.n);
    c->n += fragment.n;
    s->total += fragment.n;
    return 0;
}

int nk_assembly_whole(struct nk_assembly *s, struct nk_assembly_call *c, struct nk_str arguments,
                      struct nk_fault *f)
{
    if (c->n == 0)
        return nk_assembly_add(s, c, arguments, f);
    if (!nk_str_eq((struct nk_str){c->text, c->n}, arguments))
        return fail(f, NK_EINVAL, "its fragments and its final arguments differ");
    return 0;
}

static int check_json(struct nk_str text, struct nk_fault *f)
{
    const struct nk_json_limits lim = {NK_ASSEMBLY_ARGUMENTS, NK_ASSEMBLY_DEPTH, 1 << 17};
    struct nk_arena scratch;
    struct nk_json doc;
    struct nk_fault why = {0};
    nk_arena_init(&scratch, (size_t)8 << 20);
    int r = nk_json_parse(&lim, text, &scratch, &doc, &why);
    nk_arena_free(&scratch);
    if (r)
        return nk_fault_set(f, r, "proto", why.offset, "arguments of a tool call are not JSON: %s",
                            why.message);
    return 0;
}

static int plain_to_json(struct nk_assembly *s, struct nk_assembly_call *c, struct nk_fault *f)
{
    struct nk_buf quoted;
    nk_buf_init(&quoted, (size_t)NK_ASSEMBLY_ARGUMENTS * 6 + 2);
    nk_json_put_string(&quoted, (struct nk_str){c->n ? c->text : "", c->n});
    if (!quoted.error)
        c->use.arguments = nk_arena_copy(s->arena, nk_buf_str(&quoted));
    nk_buf_free(&quoted);
    return c->use.arguments.p ? 0 : fail(f, NK_ENOMEM, "out of memory");
}

int nk_assembly_close(struct nk_assembly *s, struct nk_assembly_call *c, struct nk_fault *f)
{
    NK_MUST(!c->complete);
    if (c->use.name.n == 0)
        return fail(f, NK_EINVAL, "it has no name");
    int r = 0;
    if (c->plain) {
        r = plain_to_json(s, c, f);
    } else if (c->n == 0) {
        c->use.arguments = NK_STR("{}");
    } else {
        c->use.arguments = (struct nk_str){c->text, c->n};
        r = check_json(c->use.arguments, f);
    }
    if (r)
        return r;
    c->complete = true;
    s->open--;
    s->fresh++;
    return 0;
}

int nk_assembly_close_choice(struct nk_assembly *s, int64_t choice, struct nk_fault *f)
{
    for (size_t i = 0; i < s->count; i++) {
        struct nk_assembly_call *c = &s->calls[i];
        int r =
            c->complete || (choice >= 0 && c->choice != choice) ? 0 : nk_assembly_close(s, c, f);
        if (r)
            return r;
    }
    return 0;
}

int nk_assembly_release(struct nk_assembly *s, const struct nk_tool_use **calls, size_t *count,
                        struct nk_fault *f)
{
    *calls = NULL;
    *count = 0;
    if (s->fresh == 0)
        return 0;
    struct nk_tool_use *out = nk_arena_array(s->arena, s->fresh, sizeof *out);
    if (!out)
        return fail(f, NK_ENOMEM, "out of memory");
    *calls = out;
    for (size_t i = 0; i < s->count; i++) {
        struct nk_assembly_call *c = &s->calls[i];
        if (!c->complete || c->released)
            continue;
        c->released = true;
        c->use.number = (uint32_t)i;
        out[(*count)++] = c->use;
    }
    s->fresh = 0;
    return 0;
}

void nk_assembly_refuse(struct nk_assembly *s, const struct nk_str *texts)
{
    for (size_t i = 0; i < s->count; i++)
        s->calls[i].refusal = texts[i];
}
