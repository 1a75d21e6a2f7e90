/* SPDX-License-Identifier: Apache-2.0
 *
 * mock_log.c - the log of `nakoso mock`: one JSON object a line, written before the answer, so that
 * a test that has an answer finds the request that led to it. Credentials are in it on purpose:
 * tests look for those that should not be there.
 */
#include "cmd/mock_server.h"

#include "base/encode.h"
#include "base/utf8.h"

enum { LINE_MAX_BYTES = 128 << 20 };

static void put_bytes(struct nk_buf *out, const char *name, const char *base64_name,
                      struct nk_str bytes)
{
    if (nk_utf8_check(bytes) == bytes.n) {
        nk_json_put_member(out, nk_str(name), bytes);
        return;
    }
    nk_json_put_name(out, nk_str(base64_name));
    nk_buf_add_char(out, '"');
    nk_base64_encode(bytes, out);
    nk_buf_add_char(out, '"');
}

static void begin(const struct nk_mock_server *s, uint64_t number, struct nk_buf *out)
{
    nk_buf_init(out, LINE_MAX_BYTES);
    nk_buf_printf(out, "{\"n\":%llu,\"at_ms\":%lld", (unsigned long long)number,
                  (long long)nk_loop_unix_ms(s->loop));
}

static void finish(struct nk_mock_server *s, struct nk_buf *out)
{
    nk_buf_add(out, NK_STR("}\n"));
    if (out->error || fwrite(out->p, 1, out->n, s->log) != out->n || fflush(s->log))
        fputs("nakoso mock: the log cannot be written\n", stderr);
    nk_buf_free(out);
}

void nk_mock_log(struct nk_mock_server *s, const struct nk_mock_ask *ask, struct nk_str body)
{
    struct nk_buf out;
    if (!s->log)
        return;
    begin(s, s->requests, &out);
    nk_json_put_member(&out, NK_STR("method"), ask->head->method);
    nk_json_put_member(&out, NK_STR("target"), ask->head->target);
    nk_buf_add(&out, NK_STR(",\"headers\":["));
    for (size_t i = 0; i < ask->head->header_count; i++) {
        nk_buf_add(&out, i ? NK_STR(",[") : NK_STR("["));
        nk_json_put_string(&out, ask->head->headers[i].name);
        nk_buf_add_char(&out, ',');
        nk_json_put_string(&out, ask->head->headers[i].value);
        nk_buf_add_char(&out, ']');
    }
    nk_buf_add_char(&out, ']');
    put_bytes(&out, "body", "body_base64", body);
    finish(s, &out);
}

void nk_mock_log_left(struct nk_mock_server *s, uint64_t number, size_t events)
{
    struct nk_buf out;
    if (!s->log)
        return;
    begin(s, number, &out);
    nk_buf_printf(&out, ",\"left\":true,\"events\":%zu", events);
    finish(s, &out);
}
