/* SPDX-License-Identifier: Apache-2.0
 *
 * converse.c - Bedrock's Converse as a conversation with a model of another API. The first byte chooses that API; the first
 * line is a request, the second a whole answer of the model, the others are the events of a streamed one ("name {json}",
 * "{json}", "[DONE]").
 *
 * What must hold: a request that was read either cannot be said in that API or becomes strict JSON that the API's own
 * dialect reads as a call for the same model, or refuses in words; an answer that was read becomes strict JSON; of a
 * stream each piece becomes messages that the framing reads again, and the text in them is the text of the answer that
 * the same stream has been kept as.
 */
#include "agent/converse.h"
#include "proto/eventstream.h"

static const struct nk_json_limits limits = {1 << 16, 64, 1 << 14}, wide = {1 << 23, 64, 1 << 18};

enum { OUT_MAX = 1 << 23 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool parse(struct nk_str text, struct nk_arena *a, struct nk_json *out)
{
    return text.n && nk_json_parse(&limits, text, a, out, NULL) == 0;
}

static void run_request(const struct nk_dialect *d, struct nk_str line, struct nk_arena *a)
{
    struct nk_json body;
    struct nk_model_request r = {.model = {"m", 1}};
    struct nk_call call = {.dialect = d};
    struct nk_str segment;
    struct nk_http_head h = {.method = NK_STR("POST"), .target = nk_model_path(d)};
    struct nk_fault f = {0};
    struct nk_buf out;
    if (!parse(line, a, &body))
        return;
    int rc = nk_converse_read(&body, a, &r, &f);
    NK_MUST(rc == f.code && (!rc || f.message[0]));
    if (rc)
        return;
    nk_buf_init(&out, OUT_MAX);
    r.model = NK_STR("m");
    rc = nk_model_write(d, &r, a, &out, &f);
    NK_MUST(rc == f.code);
    if (!rc && !out.error) {
        call.endpoint = nk_proto_match(&h, a, &call.dialect, &segment);
        NK_MUST(call.endpoint && call.dialect == d);
        NK_MUST(nk_json_parse(&wide, nk_buf_str(&out), a, &call.body, NULL) == 0);
        rc = d->parse_call(&call, a, &f); /* not so: a result of a call that nobody made */
        NK_MUST(rc == f.code && (rc || nk_str_eq(call.model, r.model)));
    }
    nk_buf_free(&out);
}

static void run_whole(const struct nk_dialect *d, struct nk_str line, struct nk_arena *a)
{
    struct nk_json body, again;
    struct nk_model_answer answer;
    struct nk_fault f = {0};
    struct nk_buf out;
    if (!parse(line, a, &body) || nk_model_read(d, &body, a, &answer, &f))
        return;
    nk_buf_init(&out, OUT_MAX);
    nk_converse_write(&answer, 7, &out);
    NK_MUST(!out.error && nk_json_parse(&wide, nk_buf_str(&out), a, &again, NULL) == 0);
    NK_MUST(nk_json_type(&again, nk_json_get(&again, 0, NK_STR("stopReason"))) == NK_JSON_STRING);
    nk_buf_free(&out);
}

/* The text of all events of text. */
static void glue(struct nk_str bytes, struct nk_arena *a, struct nk_buf *text)
{
    struct nk_eventstream s;
    struct nk_eventstream_message m;
    struct nk_fault f = {0};
    nk_eventstream_init(&s, OUT_MAX);
    NK_MUST(nk_eventstream_feed(&s, bytes, &f) == 0);
    while (nk_eventstream_next(&s, &m, &f) == 0) {
        struct nk_json d;
        NK_MUST(nk_json_parse(&wide, m.payload, a, &d, NULL) == 0);
        uint32_t at = nk_json_get(&d, nk_json_get(&d, 0, NK_STR("delta")), NK_STR("text"));
        nk_buf_add(text, nk_json_string(&d, at, a));
    }
    NK_MUST(!f.code && nk_eventstream_pending(&s) == 0);
    nk_eventstream_free(&s);
}

static void check_stream(const struct nk_model_answer *kept, struct nk_str bytes,
                         struct nk_arena *a)
{
    struct nk_buf text, whole;
    nk_buf_init(&text, OUT_MAX);
    nk_buf_init(&whole, OUT_MAX);
    glue(bytes, a, &text);
    for (size_t i = 0; i < kept->count; i++)
        if (kept->parts[i].type == NK_MODEL_TEXT)
            nk_buf_add(&whole, kept->parts[i].text);
    NK_MUST(nk_str_eq(nk_buf_str(&text), nk_buf_str(&whole)));
    nk_buf_free(&text);
    nk_buf_free(&whole);
}

static void run_stream(const struct nk_dialect *d, struct nk_str rest, struct nk_arena *a)
{
    struct nk_model_stream *s = nk_model_stream_new(d, true, a);
    struct nk_converse_stream to = {0};
    struct nk_model_answer kept;
    struct nk_buf out;
    bool broken = false;
    NK_MUST(s != NULL);
    nk_buf_init(&out, OUT_MAX);
    while (rest.p && !broken) {
        struct nk_str line = nk_str_cut(&rest, '\n');
        struct nk_sse_event e = {0};
        struct nk_json data = {.n = 0};
        struct nk_fault f = {0};
        const struct nk_model_piece *pieces;
        size_t n = 0;
        if (line.n && line.p[0] != '{' && line.p[0] != '[')
            e.event = nk_str_cut(&line, ' ');
        e.data = line;
        broken = line.n && !nk_str_eq(line, NK_STR("[DONE]")) && !parse(line, a, &data);
        broken = broken || nk_model_stream_event(s, &e, &data, a, &pieces, &n, &f);
        for (size_t i = 0; i < n && !broken; i++)
            nk_converse_put_piece(&to, &pieces[i], &out);
    }
    bool complete = nk_model_stream_end(s, &kept);
    if (!broken && complete)
        nk_converse_put_end(&to, &kept, 7, &out);
    NK_MUST(!out.error);
    if (!broken)
        check_stream(&kept, nk_buf_str(&out), a);
    nk_buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nk_arena a;
    if (size < 2)
        return 0;
    const struct nk_dialect *d =
        nk_dialect_by_name(data[0] % 2 ? NK_STR("anthropic") : NK_STR("openai"));
    struct nk_str rest = {(const char *)data + 1, size - 1};
    nk_arena_init(&a, (size_t)64 << 20);
    run_request(d, nk_str_cut(&rest, '\n'), &a);
    run_whole(d, nk_str_cut(&rest, '\n'), &a);
    run_stream(d, rest, &a);
    nk_arena_free(&a);
    return 0;
}
