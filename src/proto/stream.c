/* SPDX-License-Identifier: Apache-2.0
 *
 * stream.c - the verdict on an event of a stream. See stream.h.
 *
 * An event says its type twice, in "event:" and in data.type, and clients differ in which they
 * read; where both are given they must be the same.
 */
#include "proto/stream.h"

#include "proto/member.h"

enum {
    SCRATCH_MAX = 16 << 20, /* bytes of unescaped text of one event */
    NOTE_MAX = 128,
};

struct nk_stream *nk_stream_make(struct nk_arena *a,
                                 int (*read)(struct nk_stream *, const struct nk_sse_event *,
                                             const struct nk_json *, struct nk_str,
                                             struct nk_fault *),
                                 int (*edit)(struct nk_stream *, const struct nk_sse_event *,
                                             const struct nk_json *, struct nk_buf *))
{
    struct nk_stream *s = nk_arena_alloc(a, sizeof *s);
    if (!s)
        return NULL;
    *s = (struct nk_stream){
        .read = read, .edit = edit, .calls = {.arena = a}, .usage = {-1, -1}, .sequence = -1};
    return s;
}

static int read_data(struct nk_stream *s, const struct nk_sse_event *e, const struct nk_json *data,
                     struct nk_fault *f)
{
    struct nk_str type = {NULL, 0};
    int r = nk_member_expect(data, 0, NK_STR("data"), NK_JSON_OBJECT, f);
    if (!r)
        r = nk_member_string(data, 0, NK_STR("type"), false, &s->scratch, &type, f);
    if (r)
        return r;
    if (type.p && e->event.n && !nk_str_eq(type, e->event))
        return nk_fault_set(f, NK_EINVAL, "proto", 0,
                            "an event's name and its \"type\" member differ");
    return s->read(s, e, data, type, f);
}

int nk_stream_event(struct nk_stream *s, const struct nk_sse_event *e, const struct nk_json *data,
                    enum nk_stream_verdict *verdict, const struct nk_tool_use **calls,
                    size_t *call_count, struct nk_fault *f)
{
    *verdict = NK_STREAM_HOLD;
    *calls = NULL;
    *call_count = 0;
    int r = 0;
    if (data->n) {
        nk_arena_init(&s->scratch, SCRATCH_MAX);
        r = read_data(s, e, data, f);
        nk_arena_free(&s->scratch);
    } else if (nk_str_eq(e->data, NK_STR("[DONE]"))) {
        s->done = true;
        r = nk_assembly_close_choice(&s->calls, -1, f);
    } else if (e->data.n) {
        r = nk_fault_set(f, NK_EINVAL, "proto", 0, "an event's data is not JSON");
    }
    if (r || s->calls.open)
        return r;
    *verdict = s->calls.fresh ? NK_STREAM_RELEASE : NK_STREAM_PASS;
    return nk_assembly_release(&s->calls, calls, call_count, f);
}

int nk_stream_edit(struct nk_stream *s, const struct nk_sse_event *e, const struct nk_json *data,
                   struct nk_buf *out, struct nk_fault *f)
{
    nk_arena_init(&s->scratch, SCRATCH_MAX);
    int r = s->edit(s, e, data, out);
    nk_arena_free(&s->scratch);
    return r ? nk_fault_set(f, r, "proto", 0, "an event without its refused calls: no room") : 0;
}

void nk_stream_note(struct nk_stream *s, const struct nk_json *doc, uint32_t obj,
                    struct nk_str name, struct nk_str *to)
{
    uint32_t at = nk_member_get(doc, obj, name);
    if (at == NK_JSON_NONE || nk_json_type(doc, at) != NK_JSON_STRING || doc->tape[at].escaped)
        return;
    struct nk_str quoted = nk_json_span(doc, at);
    if (quoted.n > 2 && quoted.n <= NOTE_MAX + 2)
        *to = nk_arena_copy(s->calls.arena, nk_str_sub(quoted, 1, quoted.n - 1));
}

bool nk_stream_end(const struct nk_stream *s, struct nk_reply *so_far)
{
    *so_far = (struct nk_reply){.usage = s->usage, .model = s->model, .finish = s->finish};
    return s->done && s->calls.open == 0;
}

void nk_stream_refuse(struct nk_stream *s, uint32_t number, struct nk_str text)
{
    NK_MUST(number < s->calls.count);
    s->calls.calls[number].refusal = text;
}
