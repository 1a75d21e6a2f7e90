/* SPDX-License-Identifier: Apache-2.0
 *
 * translate.c - what all translated calls have in common. See translate.h.
 */
#include "gate/translate.h"

#include "proto/bedrock.h"

enum { ROOM = 1 << 20, MESSAGE_MAX = 1024 };

static int write_converse(struct nk_txn *t, const struct nk_json *doc, struct nk_buf *out,
                          struct nk_fault *f)
{
    struct nk_gate_state *s = t->state;
    struct nk_model_request r;
    int rc = nk_converse_read(doc, t->scratch, &r, f);
    if (rc)
        return rc;
    r.model = s->model->upstream_name.p ? s->model->upstream_name : s->model->name;
    r.stream = s->call.stream;
    return nk_model_write(s->model->dialect, &r, t->scratch, out, f);
}

static enum nk_refusal_id refusal_for(int rc)
{
    return rc == NK_ENOMEM   ? NK_REFUSAL_out_of_memory
           : rc == NK_ELIMIT ? NK_REFUSAL_too_large
                             : NK_REFUSAL_bad_request;
}

/* Writes the call's body from the client's, or refuses. */
static int write_body(struct nk_txn *t, const struct nk_json *doc, const char *stage)
{
    struct nk_gate_state *s = t->state;
    struct gate_translation *x = s->drive;
    struct nk_fault f = {0};
    struct nk_buf body;
    nk_buf_init(&body, doc->text.n * 2 + ROOM);
    int rc = nk_bedrock_is_invoke(nk_bedrock_kind(&s->call)) ? gate_frame_write(t, doc, &body, &f)
                                                             : write_converse(t, doc, &body, &f);
    if (!rc) {
        x->body = nk_arena_copy(t->arena, nk_buf_str(&body));
        rc = x->body.p ? 0 : NK_ENOMEM;
    }
    nk_buf_free(&body);
    return rc ? gate_refuse(t, refusal_for(rc), stage, nk_arena_copy(t->arena, nk_str(f.message)),
                            NK_STR(""))
              : 0;
}

int gate_translate(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    struct gate_translation *x = nk_arena_alloc(t->arena, sizeof *x);
    s->drive = x;
    if (!x)
        return gate_refuse(t, NK_REFUSAL_out_of_memory, "locate", NK_STR(""), NK_STR(""));
    x->call = (struct nk_call){.dialect = s->model->dialect,
                               .endpoint = &s->model->dialect->endpoints[0],
                               .stream = s->call.stream};
    s->reading = &x->call;
    return write_body(t, &s->call.body, "locate");
}

int gate_translate_edited(struct nk_txn *t, struct nk_str body)
{
    struct nk_json doc;
    if (gate_read_json(t, body, (int64_t)body.n, t->scratch, &doc, NULL))
        return gate_refuse(t, NK_REFUSAL_too_large, "forward", NK_STR(""),
                           NK_STR("the body, as it became, cannot be read"));
    return write_body(t, &doc, "forward");
}

void gate_translate_call(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    const struct gate_translation *x = s->drive;
    struct nk_str name, version = nk_model_version(s->model->dialect, &name);
    nk_http_add(&t->call.head, NK_STR("content-type"), NK_STR("application/json"));
    nk_http_add(&t->call.head, NK_STR("accept"),
                s->call.stream ? NK_STR("text/event-stream") : NK_STR("application/json"));
    if (version.p)
        nk_http_add(&t->call.head, name, version);
    if (x->beta.p)
        nk_http_add(&t->call.head, NK_STR("anthropic-beta"), x->beta);
    t->call.head.target = nk_model_path(s->model->dialect);
    t->call.body = x->body;
    s->driver = nk_bedrock_is_invoke(nk_bedrock_kind(&s->call)) ? &gate_frame : &gate_converse;
}

int gate_translate_head(struct nk_txn *t)
{
    enum { HEADERS = 6 };
    struct nk_gate_state *s = t->state;
    struct nk_http_head *h = &t->reply_head;
    *h = (struct nk_http_head){.status = 200, .content_length = -1, .keep_alive = true};
    h->headers = nk_arena_array(t->arena, HEADERS, sizeof *h->headers);
    if (!h->headers)
        return NK_ENOMEM;
    nk_http_add(h, NK_STR("content-type"), NK_STR("application/vnd.amazon.eventstream"));
    nk_http_add(h, NK_STR("x-request-id"), s->id);
    nk_http_add(h, nk_str(s->dialect->request_header), s->id);
    if (s->driver == &gate_frame)
        nk_http_add(h, NK_STR("x-amzn-bedrock-content-type"), NK_STR("application/json"));
    (void)gate_receive_stream(t);
    return 0;
}

/* What the upstream says went wrong, in a few words. */
static struct nk_str message_of(struct nk_txn *t)
{
    struct nk_json doc;
    struct nk_str text = {NULL, 0};
    if (gate_read_json(t, nk_buf_str(&t->state->reply), t->setup->config.limits.reply_bytes,
                       t->scratch, &doc, NULL) == 0)
        text = nk_json_string(
            &doc, nk_json_get(&doc, nk_json_get(&doc, 0, NK_STR("error")), NK_STR("message")),
            t->scratch);
    return text.n && text.n <= MESSAGE_MAX ? text
                                           : NK_STR("The model's provider refused the call.");
}

unsigned gate_translate_error(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    int status;
    const char *name = nk_bedrock_error(s->upstream_status, &status);
    nk_buf_clear(&t->out);
    nk_bedrock_put_error(message_of(t), &t->out);
    unsigned fx = gate_reply(t, s->dialect, status, NULL);
    if (t->reply_head.headers)
        nk_http_add(&t->reply_head, NK_STR("x-amzn-errortype"), nk_str(name));
    return gate_record_outcome(t, "upstream_error") | fx;
}
