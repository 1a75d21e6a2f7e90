/* SPDX-License-Identifier: Apache-2.0
 *
 * reply.c - the head of an answer that the gate gives itself; its body stands in txn->out.
 */
#include "gate/oauth.h"

unsigned gate_reply(struct nk_txn *t, const struct nk_dialect *d, int status, const char *refused)
{
    enum { HEADERS = 7 + GATE_HEADERS_MAX }; /* one is gate_answer_refusal's */
    struct nk_gate_state *s = t->state;
    struct nk_http_head *h = &t->reply_head;
    *h = (struct nk_http_head){.status = status, .keep_alive = true};
    h->headers = nk_arena_array(t->arena, HEADERS, sizeof *h->headers);
    if (!h->headers)
        return NK_FX_CUT;
    nk_http_add(h, NK_STR("content-type"), nk_str(d->media ? d->media : "application/json"));
    nk_http_add(h, NK_STR("x-request-id"), s->id);
    nk_http_add(h, NK_STR("request-id"), s->id); /* where Anthropic's SDK looks */
    if (d->request_header)
        nk_http_add(h, nk_str(d->request_header), s->id);
    struct nk_str challenge = gate_oauth_challenge(t);
    if (challenge.p)
        nk_http_add(h, NK_STR("www-authenticate"), challenge);
    else if (d->challenge && status == 401)
        nk_http_add(h, NK_STR("www-authenticate"), nk_str(d->challenge));
    if (refused)
        nk_http_add(h, NK_STR("x-nakoso-refused"), nk_str(refused));
    for (size_t i = 0; i < s->header_count && !refused; i++)
        h->headers[h->header_count++] = s->headers[i];
    h->content_length = status == 204 ? -1 : (int64_t)t->out.n; /* RFC 9110, section 8.6 */
    s->status = status;
    return NK_FX_HEAD | NK_FX_DATA | NK_FX_END;
}
