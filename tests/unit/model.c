/* SPDX-License-Identifier: Apache-2.0
 *
 * model - conversations with models: random answers, put into the form of each API, whole and as streams that are cut
 * anywhere, must be read as what they were; random requests must be strict JSON that says what was given. What may
 * not be is in `refused`.
 */
#include "agent/model.h"
#include "dice.h"
#include "tap.h"

enum { ROUNDS = 4000, TEXT = 1 << 16, EVENTS = 512, CEILING = 64 << 20 };

struct event {
    size_t from, to;
};

/* Events of a stream: their data, one behind the other. */
struct stream {
    struct nk_buf data;
    struct event events[EVENTS];
    size_t n;
};

static struct nk_arena arena, scratch;
static struct dice dice = {.state = 20261126};

static struct nk_str random_text(uint32_t most)
{
    static const char *const pieces[] = {"a",  "word ", "\"", "\\",   "\n", "\t", "é",
                                         "京", "😀",     "}",  "\x01", "{",  ": ", "7"};
    struct nk_buf b;
    nk_buf_init(&b, TEXT);
    for (uint32_t n = 1 + roll(&dice, most); n > 0; n--)
        nk_buf_add(&b, nk_str(pieces[roll(&dice, NK_COUNT(pieces))]));
    struct nk_str s = nk_arena_copy(&arena, nk_buf_str(&b));
    nk_buf_free(&b);
    return s;
}

/* Arguments: {"k":"text","n":7}. */
static struct nk_str random_object(void)
{
    struct nk_buf b;
    nk_buf_init(&b, TEXT);
    nk_buf_add_char(&b, '{');
    if (roll(&dice, 4)) {
        nk_json_put_member(&b, NK_STR("k"), random_text(12));
        nk_buf_printf(&b, ",\"n\":[%u,null]", roll(&dice, 1000));
    }
    nk_buf_add_char(&b, '}');
    struct nk_str s = nk_arena_copy(&arena, nk_buf_str(&b));
    nk_buf_free(&b);
    return s;
}

static struct nk_model_part random_call(size_t i)
{
    return (struct nk_model_part){.type = NK_MODEL_TOOL_USE,
                                  .id = nk_arena_printf(&arena, "call_%zu", i),
                                  .name = nk_arena_printf(&arena, "tool-%u", roll(&dice, 3)),
                                  .text = random_object()};
}

/* Chat completions: one text at most, then calls. */
static size_t random_openai(struct nk_model_part *parts)
{
    size_t n = 0, calls = roll(&dice, 4);
    if (calls == 0 || roll(&dice, 2))
        parts[n++] = (struct nk_model_part){.type = NK_MODEL_TEXT, .text = random_text(40)};
    for (size_t i = 0; i < calls; i++)
        parts[n++] = random_call(i);
    return n;
}

static size_t random_anthropic(struct nk_model_part *parts)
{
    size_t n = 1 + roll(&dice, 5);
    for (size_t i = 0; i < n; i++) {
        uint32_t kind = roll(&dice, 5);
        if (kind < 2)
            parts[i] = (struct nk_model_part){.type = NK_MODEL_TEXT, .text = random_text(40)};
        else if (kind == 2)
            parts[i] = random_call(i);
        else
            parts[i] = (struct nk_model_part){
                .type = NK_MODEL_REASONING, .redacted = kind == 3, .text = random_text(9)};
        if (kind == 4)
            parts[i].signature = NK_STR("c2ln");
    }
    return n;
}

static struct nk_buf *next(struct stream *s)
{
    NK_MUST(s->n < EVENTS);
    s->events[s->n].from = s->data.n;
    return &s->data;
}

static void done(struct stream *s)
{
    s->events[s->n++].to = s->data.n;
}

/* The next 1 to 9 bytes of a text, ending where a character does. */
static struct nk_str fragment(struct nk_str *rest)
{
    size_t n = 1 + roll(&dice, 9);
    n = n > rest->n ? rest->n : n;
    while (n < rest->n && ((unsigned char)rest->p[n] & 0xc0) == 0x80)
        n++;
    struct nk_str head = nk_str_sub(*rest, 0, n);
    *rest = nk_str_sub(*rest, n, rest->n);
    return head;
}

static void openai_call(struct nk_buf *b, const struct nk_model_part *p, struct nk_str arguments)
{
    nk_buf_add(b, NK_STR("\"type\":\"function\""));
    nk_json_put_member(b, NK_STR("id"), p->id);
    nk_buf_add(b, NK_STR(",\"function\":{"));
    nk_json_put_member(b, NK_STR("name"), p->name);
    nk_json_put_member(b, NK_STR("arguments"), arguments);
    nk_buf_add(b, NK_STR("}}"));
}

static void openai_whole(const struct nk_model_part *parts, size_t n, struct nk_buf *b)
{
    size_t i = n && parts[0].type == NK_MODEL_TEXT;
    nk_buf_add(b, NK_STR("{\"model\":\"m\",\"choices\":[{\"index\":0,\"message\":{\"role\":"
                         "\"assistant\",\"content\":"));
    if (i)
        nk_json_put_string(b, parts[0].text);
    else
        nk_buf_add(b, NK_STR("null"));
    if (i < n)
        nk_buf_add(b, NK_STR(",\"tool_calls\":["));
    for (size_t first = i; i < n; i++) {
        nk_buf_add(b, i > first ? NK_STR(",{") : NK_STR("{"));
        openai_call(b, &parts[i], parts[i].text);
    }
    nk_buf_add(b, n && parts[n - 1].type == NK_MODEL_TOOL_USE
                      ? NK_STR("]},\"finish_reason\":\"tool_calls\"}]")
                      : NK_STR("},\"finish_reason\":\"stop\"}]"));
    nk_buf_add(b, NK_STR(",\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3,"
                         "\"prompt_tokens_details\":{\"cached_tokens\":2}}}"));
}

static void openai_delta(struct stream *s, struct nk_str name, struct nk_str text)
{
    struct nk_buf *b = next(s);
    nk_buf_add(b, NK_STR("{\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{"));
    nk_json_put_member(b, name, text);
    nk_buf_add(b, NK_STR("},\"finish_reason\":null}]}"));
    done(s);
}

static void openai_stream(const struct nk_model_part *parts, size_t n, struct stream *s)
{
    openai_delta(s, NK_STR("content"), NK_STR(""));
    for (size_t i = 0, index = 0; i < n; i++) {
        struct nk_str rest = parts[i].text;
        bool call = parts[i].type == NK_MODEL_TOOL_USE;
        for (bool first = true; rest.n; first = false) {
            struct nk_str piece = fragment(&rest);
            if (!call) {
                openai_delta(s, NK_STR("content"), piece);
                continue;
            }
            struct nk_buf *b = next(s);
            nk_buf_printf(
                b, "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":%zu,", index);
            if (first) {
                openai_call(b, &parts[i], piece);
            } else {
                nk_buf_add(b, NK_STR("\"function\":{\"arguments\":"));
                nk_json_put_string(b, piece);
                nk_buf_add(b, NK_STR("}}"));
            }
            nk_buf_add(b, NK_STR("]}}]}"));
            done(s);
        }
        index += call;
    }
    nk_buf_add(next(s), n && parts[n - 1].type == NK_MODEL_TOOL_USE
                            ? NK_STR("{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":"
                                     "\"tool_calls\"}]}")
                            : NK_STR("{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":"
                                     "\"stop\"}]}"));
    done(s);
    nk_buf_add(next(s), NK_STR("{\"choices\":[],\"usage\":{\"prompt_tokens\":7,"
                               "\"completion_tokens\":3,\"prompt_tokens_details\":{"
                               "\"cached_tokens\":2}}}"));
    done(s);
    nk_buf_add(next(s), NK_STR("[DONE]"));
    done(s);
}

/* A block; without `text`, as a stream begins it. */
static void anthropic_block(struct nk_buf *b, const struct nk_model_part *p, bool whole)
{
    struct nk_str text = whole ? p->text : NK_STR("");
    nk_buf_add_char(b, '{');
    if (p->type == NK_MODEL_TEXT) {
        nk_json_put_member(b, NK_STR("type"), NK_STR("text"));
        nk_json_put_member(b, NK_STR("text"), text);
    } else if (p->type == NK_MODEL_TOOL_USE) {
        nk_json_put_member(b, NK_STR("type"), NK_STR("tool_use"));
        nk_json_put_member(b, NK_STR("id"), p->id);
        nk_json_put_member(b, NK_STR("name"), p->name);
        nk_json_put_name(b, NK_STR("input"));
        nk_buf_add(b, whole ? text : NK_STR("{}"));
    } else if (p->redacted) {
        nk_json_put_member(b, NK_STR("type"), NK_STR("redacted_thinking"));
        nk_json_put_member(b, NK_STR("data"), p->text);
    } else {
        nk_json_put_member(b, NK_STR("type"), NK_STR("thinking"));
        nk_json_put_member(b, NK_STR("thinking"), text);
        nk_json_put_member(b, NK_STR("signature"), whole ? p->signature : NK_STR(""));
    }
    nk_buf_add_char(b, '}');
}

static bool has_call(const struct nk_model_part *parts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (parts[i].type == NK_MODEL_TOOL_USE)
            return true;
    return false;
}

static void anthropic_whole(const struct nk_model_part *parts, size_t n, struct nk_buf *b)
{
    nk_buf_add(b, NK_STR("{\"type\":\"message\",\"model\":\"m\",\"content\":["));
    for (size_t i = 0; i < n; i++) {
        if (i)
            nk_buf_add_char(b, ',');
        anthropic_block(b, &parts[i], true);
    }
    nk_buf_printf(b,
                  "],\"stop_reason\":\"%s\",\"usage\":{\"input_tokens\":5,\"output_tokens\":3,"
                  "\"cache_read_input_tokens\":2}}",
                  has_call(parts, n) ? "tool_use" : "end_turn");
}

static void anthropic_delta(struct stream *s, size_t i, const char *type, const char *member,
                            struct nk_str text)
{
    struct nk_buf *b = next(s);
    nk_buf_printf(b, "{\"type\":\"content_block_delta\",\"index\":%zu,\"delta\":{\"type\":\"%s\"",
                  i, type);
    nk_json_put_member(b, nk_str(member), text);
    nk_buf_add(b, NK_STR("}}"));
    done(s);
}

static void anthropic_deltas(struct stream *s, size_t i, const struct nk_model_part *p)
{
    struct nk_str rest = p->text;
    bool call = p->type == NK_MODEL_TOOL_USE, text = p->type == NK_MODEL_TEXT;
    while (rest.n && !p->redacted)
        anthropic_delta(s, i,
                        call   ? "input_json_delta"
                        : text ? "text_delta"
                               : "thinking_delta",
                        call   ? "partial_json"
                        : text ? "text"
                               : "thinking",
                        fragment(&rest));
    if (p->signature.n)
        anthropic_delta(s, i, "signature_delta", "signature", p->signature);
}

static void anthropic_stream(const struct nk_model_part *parts, size_t n, struct stream *s)
{
    nk_buf_add(next(s),
               NK_STR("{\"type\":\"message_start\",\"message\":{\"model\":\"m\",\"content\":"
                      "[],\"usage\":{\"input_tokens\":5,\"output_tokens\":1,"
                      "\"cache_read_input_tokens\":2}}}"));
    done(s);
    for (size_t i = 0; i < n; i++) {
        struct nk_buf *b = next(s);
        nk_buf_printf(b, "{\"type\":\"content_block_start\",\"index\":%zu,\"content_block\":", i);
        anthropic_block(b, &parts[i], false);
        nk_buf_add_char(b, '}');
        done(s);
        anthropic_deltas(s, i, &parts[i]);
        nk_buf_printf(next(s), "{\"type\":\"content_block_stop\",\"index\":%zu}", i);
        done(s);
    }
    nk_buf_printf(next(s),
                  "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"%s\"},\"usage\":{"
                  "\"output_tokens\":3}}",
                  has_call(parts, n) ? "tool_use" : "end_turn");
    done(s);
    nk_buf_add(next(s), NK_STR("{\"type\":\"message_stop\"}"));
    done(s);
}

static const struct nk_json_limits limits = {TEXT * 8, 64, 1 << 16};

/* The parts that the pieces make, when they are put together. */
struct heard {
    struct nk_model_part parts[16];
    size_t n;
    bool odd; /* a piece of another part than the last or the next one */
};

static void hear(struct heard *h, const struct nk_model_piece *p)
{
    h->odd |= p->begins ? p->part != h->n : p->part + 1 != h->n;
    if (h->odd || h->n == 16)
        return;
    if (p->begins)
        h->parts[h->n++] = (struct nk_model_part){.type = p->what.type, .text = NK_STR("")};
    struct nk_model_part *to = &h->parts[h->n - 1];
    const struct nk_str both[] = {to->text, p->what.text};
    struct nk_str text = nk_arena_join(&arena, both, 2);
    struct nk_str signature = p->what.signature.n ? p->what.signature : to->signature;
    *to = p->what;
    to->text = text;
    to->signature = signature.n ? nk_arena_copy(&arena, signature) : signature;
    if (to->id.n) {
        to->id = nk_arena_copy(&arena, to->id);
        to->name = nk_arena_copy(&arena, to->name);
    }
}

static bool same_parts(const struct nk_model_part *a, size_t n, const struct nk_model_part *b,
                       size_t m)
{
    if (n != m)
        return false;
    for (size_t i = 0; i < n; i++)
        if (a[i].type != b[i].type || a[i].redacted != b[i].redacted ||
            !nk_str_eq(a[i].text, b[i].text) || !nk_str_eq(a[i].signature, b[i].signature) ||
            !nk_str_eq(a[i].id, b[i].id) || !nk_str_eq(a[i].name, b[i].name))
            return false;
    return true;
}

static bool same_rest(const struct nk_model_answer *a, bool calls)
{
    return a->stop == (calls ? NK_MODEL_STOP_TOOL_USE : NK_MODEL_STOP_END) && a->usage.input == 7 &&
           a->usage.output == 3 && a->usage.cache_read == 2 && nk_str_eq(a->model, NK_STR("m"));
}

static int play(struct nk_model_stream *m, const struct stream *s, struct heard *heard,
                struct nk_fault *f)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < s->n; i++) {
        struct nk_sse_event e = {
            .data = nk_str_sub(nk_buf_str(&s->data), s->events[i].from, s->events[i].to)};
        struct nk_json doc = {0};
        const struct nk_model_piece *pieces;
        size_t n;
        nk_arena_reset(&scratch);
        if (e.data.p[0] == '{')
            rc = nk_json_parse(&limits, e.data, &scratch, &doc, f);
        if (!rc)
            rc = nk_model_stream_event(m, &e, &doc, &scratch, &pieces, &n, f);
        for (size_t k = 0; !rc && k < n; k++)
            hear(heard, &pieces[k]);
    }
    return rc;
}

static bool stream_is(const struct nk_dialect *d, const struct stream *s, bool keep,
                      const struct nk_model_part *parts, size_t n)
{
    struct nk_model_stream *m = nk_model_stream_new(d, keep, &arena);
    struct heard heard = {.n = 0};
    struct nk_model_answer answer;
    struct nk_fault f = {0};
    int rc = play(m, s, &heard, &f);
    bool complete = nk_model_stream_end(m, &answer);
    bool good = !rc && complete && !heard.odd && same_parts(heard.parts, heard.n, parts, n) &&
                same_rest(&answer, has_call(parts, n)) &&
                (keep ? same_parts(answer.parts, answer.count, parts, n) : answer.count == 0);
    if (!good)
        printf("# %s: rc %d %s, complete %d, odd %d, parts %zu of %zu\n# %.*s\n", d->name, rc,
               f.message, complete, heard.odd, heard.n, n, NK_FMT(nk_buf_str(&s->data)));
    return good;
}

static bool whole_is(const struct nk_dialect *d, struct nk_str text,
                     const struct nk_model_part *parts, size_t n)
{
    struct nk_json doc;
    struct nk_model_answer answer;
    struct nk_fault f = {0};
    int rc = nk_json_parse(&limits, text, &arena, &doc, &f);
    if (!rc)
        rc = nk_model_read(d, &doc, &arena, &answer, &f);
    bool good = !rc && same_parts(answer.parts, answer.count, parts, n) &&
                same_rest(&answer, has_call(parts, n));
    if (!good)
        printf("# %s: rc %d %s\n# %.*s\n", d->name, rc, f.message, NK_FMT(text));
    return good;
}

static void answers(const char *name, size_t (*make)(struct nk_model_part *),
                    void (*whole)(const struct nk_model_part *, size_t, struct nk_buf *),
                    void (*streamed)(const struct nk_model_part *, size_t, struct stream *))
{
    const struct nk_dialect *d = nk_dialect_by_name(nk_str(name));
    int bad = 0, calls = 0;
    for (int i = 0; i < ROUNDS && bad < 3; i++) {
        struct nk_model_part parts[16];
        struct nk_buf b;
        static struct stream s;
        nk_arena_reset(&arena);
        size_t n = make(parts);
        calls += has_call(parts, n);
        nk_buf_init(&b, TEXT * 8);
        s.n = 0;
        nk_buf_init(&s.data, TEXT * 8);
        whole(parts, n, &b);
        streamed(parts, n, &s);
        bad += !whole_is(d, nk_buf_str(&b), parts, n);
        bad += !stream_is(d, &s, i % 2, parts, n);
        nk_buf_free(&b);
        nk_buf_free(&s.data);
    }
    tap_ok(bad == 0 && calls > ROUNDS / 5,
           "%s: %d random answers, whole and streamed, are read as what they were", name, ROUNDS);
}

/* Requests: each text that is given is found in the body, in the order of the conversation. */
static bool finds(const struct nk_json *doc, uint32_t *at, struct nk_str text)
{
    for (; *at < doc->n; (*at)++) {
        if (doc->tape[*at].type != NK_JSON_STRING)
            continue;
        struct nk_str s = nk_json_string(doc, *at, &arena);
        if (s.n >= text.n && nk_str_search(s, text) >= 0)
            return (*at)++, true;
    }
    return false;
}

static void requests(const char *name)
{
    const struct nk_dialect *d = nk_dialect_by_name(nk_str(name));
    int bad = 0;
    for (int i = 0; i < ROUNDS && bad < 3; i++) {
        nk_arena_reset(&arena);
        struct nk_model_part said[] = {{.type = NK_MODEL_TEXT, .text = random_text(20)}};
        struct nk_model_part call[] = {random_call(1), random_call(2)};
        struct nk_model_part content[] = {{.type = NK_MODEL_TEXT, .text = random_text(9)},
                                          {.type = NK_MODEL_JSON, .text = random_object()}};
        struct nk_model_part results[] = {{.type = NK_MODEL_TEXT, .text = random_text(9)},
                                          {.type = NK_MODEL_TOOL_RESULT,
                                           .id = call[0].id,
                                           .content = content,
                                           .content_count = 1 + roll(&dice, 2)},
                                          {.type = NK_MODEL_TOOL_RESULT,
                                           .id = call[1].id,
                                           .content = content,
                                           .content_count = 1,
                                           .failed = true}};
        struct nk_model_message messages[] = {
            {NK_MODEL_USER, said, 1}, {NK_MODEL_ASSISTANT, call, 2}, {NK_MODEL_USER, results, 3}};
        struct nk_model_tool tools[] = {{NK_STR("tool-0"), random_text(5), random_object(), false}};
        struct nk_str system[] = {random_text(20)};
        struct nk_model_request r = {.model = NK_STR("m"),
                                     .system = system,
                                     .system_count = 1,
                                     .messages = messages,
                                     .message_count = 3,
                                     .tools = tools,
                                     .tool_count = 1,
                                     .choice = (enum nk_model_choice)roll(&dice, 4),
                                     .choice_name = NK_STR("tool-0"),
                                     .temperature = NK_STR("0.50"),
                                     .stream = roll(&dice, 2)};
        struct nk_buf b;
        struct nk_json doc = {0};
        struct nk_fault f = {0};
        nk_buf_init(&b, TEXT * 8);
        int rc = nk_model_write(d, &r, &arena, &b, &f);
        if (!rc)
            rc = nk_json_parse(&limits, nk_buf_str(&b), &arena, &doc, &f);
        uint32_t at = 0;
        struct nk_call parsed = {.dialect = d, .endpoint = &d->endpoints[0], .body = doc};
        bool good = !rc && finds(&doc, &at, system[0]) && finds(&doc, &at, said[0].text) &&
                    finds(&doc, &at, call[1].name) && finds(&doc, &at, content[0].text) &&
                    finds(&doc, &at, call[1].id) && finds(&doc, &at, results[0].text) &&
                    d->parse_call(&parsed, &arena, &f) == 0 && parsed.tool_count == 1 &&
                    !parsed.tools[0].hosted && parsed.stream == r.stream;
        bad += !good;
        if (!good)
            printf("# rc %d %s\n# %.*s\n", rc, f.message, NK_FMT(nk_buf_str(&b)));
        nk_buf_free(&b);
    }
    tap_ok(bad == 0, "%s: %d random requests say what was given, in its order", name, ROUNDS);
}

static void write_is(int wanted, const char *name, const char *what, struct nk_model_request r)
{
    struct nk_buf b;
    struct nk_fault f = {0};
    nk_buf_init(&b, TEXT);
    int rc = nk_model_write(nk_dialect_by_name(nk_str(name)), &r, &arena, &b, &f);
    if (!tap_ok(rc == wanted && (wanted == 0 || f.code), "%s, request: %s", name, what))
        printf("# %s %s\n", nk_error_name(rc), f.message);
    nk_buf_free(&b);
}

static void refused_requests(void)
{
    const struct nk_model_part hi = {.type = NK_MODEL_TEXT, .text = NK_STR("hi")};
    const struct nk_model_message m = {NK_MODEL_USER, &hi, 1};
    const struct nk_model_request plain = {
        .model = NK_STR("m"), .messages = &m, .message_count = 1};
    struct nk_model_request r = plain;
    write_is(0, "openai", "a plain one", r);
    r.extra = NK_STR("{\"seed\":1}");
    write_is(0, "openai", "a setting of the dialect", r);
    write_is(NK_EINVAL, "anthropic", "a setting of another dialect", r);
    r.extra = NK_STR("{\"tools\":[]}");
    write_is(NK_EINVAL, "openai", "a setting that brings tools", r);
    r = plain, r.temperature = NK_STR("1,\"tools\":[]");
    write_is(NK_EINVAL, "openai", "a number that is more than one", r);
    const struct nk_model_tool tool = {.name = NK_STR("t"), .schema = NK_STR("{},\"type\":\"x\"")};
    r = plain, r.tools = &tool, r.tool_count = 1;
    write_is(NK_EINVAL, "anthropic", "a schema that is more than an object", r);
    const struct nk_model_tool good = {.name = NK_STR("t"), .schema = NK_STR("{}")};
    r.tools = &good, r.choice = NK_MODEL_CHOICE_ONE, r.choice_name = NK_STR("other");
    write_is(NK_EINVAL, "openai", "a choice of a tool that is not offered", r);
    const struct nk_model_part image = {
        .type = NK_MODEL_IMAGE, .media = NK_STR("image/png"), .text = NK_STR("AAAA")};
    const struct nk_model_part result = {
        .type = NK_MODEL_TOOL_RESULT, .id = NK_STR("1"), .content = &image, .content_count = 1};
    const struct nk_model_message back = {NK_MODEL_USER, &result, 1};
    r = plain, r.messages = &back;
    write_is(NK_EUNSUPPORTED, "openai", "an image in a tool result", r);
    write_is(0, "anthropic", "an image in a tool result", r);
    const struct nk_model_message own = {NK_MODEL_ASSISTANT, &result, 1};
    r.messages = &own;
    write_is(NK_EINVAL, "anthropic", "a tool result of the assistant", r);
    r = plain, r.message_count = 0;
    write_is(NK_EINVAL, "anthropic", "no messages", r);
}

/* Events, one a line; the last one must give this error. */
static void stream_fails(int wanted, const char *name, const char *what, const char *lines)
{
    static struct stream s;
    struct nk_model_stream *m = nk_model_stream_new(nk_dialect_by_name(nk_str(name)), true, &arena);
    struct heard heard = {.n = 0};
    struct nk_fault f = {0};
    s.n = 0;
    nk_buf_init(&s.data, TEXT);
    for (struct nk_str rest = nk_str(lines); rest.p;) {
        nk_buf_add(next(&s), nk_str_cut(&rest, '\n'));
        done(&s);
    }
    int rc = play(m, &s, &heard, &f);
    struct nk_model_answer answer;
    if (!tap_ok(rc == wanted && (rc || !nk_model_stream_end(m, &answer)), "%s, stream: %s", name,
                what))
        printf("# %s %s\n", nk_error_name(rc), f.message);
    nk_buf_free(&s.data);
}

static void refused_streams(void)
{
    stream_fails(NK_EINVAL, "openai", "a second choice",
                 "{\"choices\":[{\"index\":1,\"delta\":{\"content\":\"x\"}}]}");
    stream_fails(NK_EIO, "openai", "an error", "{\"error\":{\"message\":\"no\"}}");
    stream_fails(
        NK_EINVAL, "openai", "arguments that are no object",
        "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"1\","
        "\"function\":{\"name\":\"t\",\"arguments\":\"7\"}}]},\"finish_reason\":\"stop\"}]}");
    stream_fails(0, "openai", "it ends before its end",
                 "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}");
    stream_fails(NK_EIO, "anthropic", "an error",
                 "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}");
    stream_fails(NK_EINVAL, "anthropic", "a call of a hosted tool",
                 "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":"
                 "\"server_tool_use\",\"id\":\"1\",\"name\":\"web_search\",\"input\":{}}}");
    stream_fails(
        NK_EINVAL, "anthropic", "a block inside another",
        "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\","
        "\"text\":\"\"}}\n{\"type\":\"content_block_start\",\"index\":1,\"content_block\":{"
        "\"type\":\"text\",\"text\":\"\"}}");
    stream_fails(NK_EINVAL, "anthropic", "text in a tool use",
                 "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":"
                 "\"tool_use\",\"id\":\"1\",\"name\":\"t\",\"input\":{}}}\n{\"type\":"
                 "\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":"
                 "\"x\"}}");
}

int main(void)
{
    nk_arena_init(&arena, CEILING);
    nk_arena_init(&scratch, CEILING);
    answers("openai", random_openai, openai_whole, openai_stream);
    answers("anthropic", random_anthropic, anthropic_whole, anthropic_stream);
    requests("openai");
    requests("anthropic");
    refused_requests();
    refused_streams();
    nk_arena_free(&arena);
    nk_arena_free(&scratch);
    return tap_done();
}
