/* SPDX-License-Identifier: Apache-2.0
 *
 * recorded.c - see recorded.h.
 */
#include "cmd/recorded.h"

#include <errno.h>
#include <stdio.h>
#include "base/encode.h"
#include "cmd/audit_args.h"
#include "edge/dirfile.h"

enum { ARENA_MAX = 512 << 20 };

void nk_recorded_init(struct nk_recorded *r, int dir)
{
    *r = (struct nk_recorded){.dir = dir};
    nk_arena_init(&r->arena, ARENA_MAX);
}

void nk_recorded_free(struct nk_recorded *r)
{
    nk_arena_free(&r->arena);
}

/* The file of that set, whole and as it was. */
static int read_set(struct nk_recorded *r, struct nk_digest digest, struct nk_str *text,
                    struct nk_fault *f)
{
    struct nk_buf file;
    char path[128];
    snprintf(path, sizeof path, "sets/%s.json", r->name);
    nk_buf_init(&file, NK_SET_MAX);
    int e = nk_dir_read(r->dir, path, &file);
    if (e)
        nk_fault_set(f, e, "replay", 0, "policy set %s: %s", path,
                     e == NK_ENOTFOUND ? "not in the log" : strerror(errno));
    else if (!nk_digest_eq(digest, nk_sha256(nk_buf_str(&file))))
        e = nk_fault_set(f, NK_ECRYPTO, "replay", 0, "policy set %s was changed", path);
    if (e == 0) {
        *text = nk_arena_copy(&r->arena, nk_buf_str(&file));
        e = text->p ? 0 : nk_fault_set(f, NK_ENOMEM, "replay", 0, "out of memory");
    }
    nk_buf_free(&file);
    return e;
}

int nk_recorded_load(struct nk_recorded *r, const struct nk_json *record, bool *is_new,
                     struct nk_fault *f)
{
    char space[2 * NK_SHA256_SIZE + 1];
    struct nk_digest digest;
    struct nk_str text, name = nk_json_span(record, nk_json_get(record, 0, NK_STR("policies")));
    name = name.n > 2 ? nk_str_sub(name, 1, name.n - 1) : NK_STR("");
    *is_new = false;
    if (r->has_set && nk_str_eq(name, nk_str(r->name)))
        return 0;
    if (nk_hex_decode(name, digest.b, sizeof digest.b))
        return nk_fault_set(f, NK_EINVAL, "replay", 0, "the record names no policy set");
    snprintf(space, sizeof space, "%.*s", NK_FMT(name));
    r->has_set = false;
    nk_arena_free(&r->arena);
    memcpy(r->name, space, sizeof space);
    int e = read_set(r, digest, &text, f);
    if (e == 0)
        e = nk_set_read(text, &r->arena, &r->set, f);
    if (e == 0)
        e = nk_set_entities(&r->set, &r->arena, &r->entities, f);
    r->has_set = *is_new = e == 0;
    return e;
}

static void put_uid(struct nk_buf *out, struct nk_cedar_uid uid)
{
    nk_audit_put_safe(out, uid.type);
    nk_buf_add(out, NK_STR("::\""));
    nk_audit_put_safe(out, uid.id);
    nk_buf_add_char(out, '"');
}

void nk_recorded_put_request(struct nk_buf *out, struct nk_cedar_uid principal,
                             struct nk_cedar_uid action, struct nk_cedar_uid resource)
{
    put_uid(out, principal);
    nk_buf_add_char(out, ' ');
    nk_audit_put_safe(out, action.id);
    nk_buf_add_char(out, ' ');
    put_uid(out, resource);
}

void nk_recorded_put_verdict(struct nk_buf *out, const struct nk_replay_verdict *v)
{
    nk_buf_add(out, v->allow ? NK_STR("allow") : NK_STR("deny"));
    nk_buf_add(out, NK_STR(" ["));
    for (size_t i = 0; i < v->reason_count; i++) {
        if (i)
            nk_buf_add_char(out, ' ');
        nk_audit_put_safe(out, v->reasons[i]);
    }
    for (size_t i = 0; i < v->error_count; i++) {
        nk_buf_add(out, NK_STR(" error in "));
        nk_audit_put_safe(out, v->errors[i].policy);
        nk_buf_add(out, NK_STR(": "));
        nk_audit_put_safe(out, v->errors[i].what);
    }
    nk_buf_add_char(out, ']');
}
