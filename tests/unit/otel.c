/* SPDX-License-Identifier: Apache-2.0
 *
 * otel.c - trace context, items and requests in both forms, the queue, and what a collector answers. That
 * OpenTelemetry's own code reads what is written here is shown by tests/e2e/telemetry.
 */
#include "cases.h"
#include "gate/counts.h"
#include "otel/answer.h"
#include "otel/queue.h"
#include "tap.h"

enum { ROOM = 1 << 20 };

static struct nk_arena arena;
static struct nk_buf out;

static void traceparent(const struct case_line *c, void *ctx)
{
    struct nk_trace t;
    char said[80] = "bad";
    (void)ctx;
    struct nk_str in = {c->input ? c->input : "", c->n};
    if (nk_trace_parse(in, &t) == 0) {
        nk_buf_clear(&out);
        nk_buf_add_hex(&out, t.id, sizeof t.id);
        nk_buf_add_char(&out, ' ');
        nk_buf_add_hex(&out, t.span, sizeof t.span);
        nk_buf_add_char(&out, ' ');
        nk_buf_add_hex(&out, &t.flags, 1);
        snprintf(said, sizeof said, "%.*s", NK_FMT(nk_buf_str(&out)));
    }
    if (!tap_ok(strcmp(said, c->expect) == 0, "%s:%d", c->file, c->line))
        printf("# it is %s\n", said);
}

static void partial(const struct case_line *c, void *ctx)
{
    static const char signals[] = "tlm";
    struct nk_otel_partial p;
    char said[200], expect[200];
    (void)ctx;
    const char *signal = strchr(signals, c->expect[2]);
    NK_MUST(signal);
    int rc = nk_otel_read_partial((enum nk_otel_signal)(signal - signals),
                                  c->expect[0] == 'j' ? NK_OTEL_JSON : NK_OTEL_PROTOBUF,
                                  (struct nk_str){c->input, c->n}, &arena, &p);
    snprintf(expect, sizeof expect, "%s", c->expect + 4);
    if (rc)
        snprintf(said, sizeof said, "bad");
    else
        snprintf(said, sizeof said, "%lld%s%.*s", (long long)p.rejected, p.message.n ? " " : "",
                 NK_FMT(p.message));
    if (!tap_ok(strcmp(said, expect) == 0, "%s:%d", c->file, c->line))
        printf("# it is %s\n", said);
}

static void wait_time(const struct case_line *c, void *ctx)
{
    struct nk_str rest = {c->input, c->n}, least = nk_str(c->expect);
    int64_t attempt = 0, low = 0, high = 0;
    (void)ctx;
    struct nk_str most = least;
    int rc = nk_str_to_i64(nk_str_cut(&most, ' '), &low) | nk_str_to_i64(most, &high) |
             nk_str_to_i64(nk_str_cut(&rest, ' '), &attempt);
    bool ok = rc == 0;
    for (uint64_t random = 0; ok && random < 100000; random += 997) {
        int64_t ms = nk_otel_wait_ms((unsigned)attempt, rest, random);
        ok = ms >= low && ms <= high;
    }
    tap_ok(ok, "%s:%d", c->file, c->line);
}

/* One item of each kind ------------------------------------------------------------------------ */

static const struct nk_trace trace = {{0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd, 0x84, 0x48,
                                       0xeb, 0x21, 0x1c, 0x80, 0x31, 0x9c},
                                      {0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31},
                                      1};

static struct nk_otel_attributes some(void)
{
    static const struct nk_str texts[] = {{"one", 3}, {"t\"wo", 4}};
    struct nk_otel_attributes a = {.n = 0};
    nk_otel_add_text(&a, NK_STR("text"), NK_STR("\xE5\x8B\xBF\xE6\x9D\xA5"));
    nk_otel_add_text(&a, NK_STR("absent"), (struct nk_str){NULL, 0});
    nk_otel_add_number(&a, NK_STR("number"), 300);
    nk_otel_add_number(&a, NK_STR("unknown"), -1);
    nk_otel_add(
        &a, (struct nk_otel_attribute){.key = NK_STR("yes"), .type = NK_OTEL_BOOL, .number = true});
    nk_otel_add(&a, (struct nk_otel_attribute){
                        .key = NK_STR("took"), .type = NK_OTEL_SECONDS, .number = 1500000});
    nk_otel_add(&a, (struct nk_otel_attribute){.key = NK_STR("list"),
                                               .type = NK_OTEL_TEXTS,
                                               .texts = texts,
                                               .number = NK_COUNT(texts)});
    return a;
}

static void put_span(enum nk_otel_form form)
{
    struct nk_otel_attributes a = some();
    struct nk_otel_event e = {NK_STR("first"), 1700000000000001500};
    nk_otel_put_span(&(struct nk_otel_span){.trace = trace,
                                            .parent = trace.span,
                                            .name = NK_STR("chat gpt-4o"),
                                            .kind = NK_OTEL_CLIENT,
                                            .start = 1700000000000001000,
                                            .end = 1700000000000002000,
                                            .attributes = &a,
                                            .events = &e,
                                            .event_count = 1,
                                            .failed = true},
                     form, &out);
}

static void put_log(enum nk_otel_form form)
{
    nk_otel_put_log(&(struct nk_otel_log){.in_trace = true,
                                          .trace = trace,
                                          .time = 1700000000000001000,
                                          .severity = 13,
                                          .severity_text = NK_STR("WARN"),
                                          .body = NK_STR("no: \"because\""),
                                          .event = NK_STR("nakoso.refusal")},
                    form, &out);
}

static void put_metric(enum nk_otel_form form)
{
    static const uint64_t bounds[] = {10000, 20000}, counts[] = {1, 0, 2};
    struct nk_otel_point p = {
        .sum = 90001, .scale = 1000000, .bounds = bounds, .counts = counts, .bound_count = 2};
    nk_otel_put_metric(&(struct nk_otel_metric){.name = NK_STR("h"),
                                                .unit = NK_STR("s"),
                                                .description = NK_STR("d"),
                                                .kind = NK_OTEL_HISTOGRAM,
                                                .start = 1,
                                                .time = 2,
                                                .points = &p,
                                                .point_count = 1},
                       form, &out);
}

static void put_sum(enum nk_otel_form form)
{
    struct nk_otel_point p[2] = {{.value = 7}, {.value = 0}};
    nk_otel_put_metric(&(struct nk_otel_metric){.name = NK_STR("c"),
                                                .unit = NK_STR("1"),
                                                .kind = NK_OTEL_SUM,
                                                .start = 1,
                                                .time = 2,
                                                .points = p,
                                                .point_count = 2},
                       form, &out);
}

static void put_request(enum nk_otel_form form)
{
    struct nk_otel_attributes a = {.n = 0};
    struct nk_otel_request r = {.signal = NK_OTEL_TRACES, .form = form, .out = &out};
    nk_otel_add_text(&a, NK_STR("service.name"), NK_STR("nakoso"));
    nk_otel_begin(&r, &a, NK_STR("1"));
    for (int i = 0; i < 2; i++)
        nk_otel_item(&r, form == NK_OTEL_JSON ? NK_STR("{\"name\":\"x\"}") : NK_STR("\x2a\x01x"));
    nk_otel_end(&r);
}

/* "KIND FORM | what comes out", bytes of protobuf in hexadecimal. */
static void item(const struct case_line *c, void *ctx)
{
    static const struct {
        const char *name;
        void (*put)(enum nk_otel_form form);
    } kinds[] = {{"span", put_span},
                 {"log", put_log},
                 {"histogram", put_metric},
                 {"sum", put_sum},
                 {"request", put_request}};
    struct nk_str form = nk_str(c->expect), kind = nk_str_cut(&form, ' ');
    struct nk_buf hex;
    (void)ctx;
    bool json = nk_str_eq(form, NK_STR("json")), found = false;
    nk_buf_init(&hex, ROOM);
    nk_buf_clear(&out);
    for (size_t i = 0; i < NK_COUNT(kinds); i++)
        if (nk_str_eq(kind, nk_str(kinds[i].name))) {
            kinds[i].put(json ? NK_OTEL_JSON : NK_OTEL_PROTOBUF);
            found = true;
        }
    if (!json)
        nk_buf_add_hex(&hex, out.p, out.n);
    struct nk_str said = json ? nk_buf_str(&out) : nk_buf_str(&hex);
    if (!tap_ok(found && nk_str_eq(said, (struct nk_str){c->input, c->n}), "%s:%d %s", c->file,
                c->line, c->expect))
        printf("# it is %.*s\n", NK_FMT(said));
    nk_buf_free(&hex);
}

/* The queue ------------------------------------------------------------------------------------ */

/* Against a plain list: the oldest go when there is no room, and what is left comes in order. */
static void queue(void)
{
    enum { SIZE = 1000, ITEMS = 20000, LENGTH = 4 };
    static size_t length[ITEMS];
    struct nk_otel_queue q;
    size_t first = 0, used = 0, dropped = 0, expected = 0;
    unsigned random = 1;
    bool ok = nk_otel_queue_init(&q, SIZE) == 0;
    for (size_t i = 0; ok && i < ITEMS; i++) {
        char text[SIZE];
        random = random * 1103515245 + 12345;
        length[i] = 1 + (random >> 16) % (i % 50 == 0 ? 600 : 60);
        memset(text, (char)i, length[i]);
        used += length[i] + LENGTH;
        for (; used > SIZE; expected++)
            used -= length[first++] + LENGTH;
        dropped += nk_otel_queue_put(&q, (struct nk_str){text, length[i]});
        ok = q.used == used && dropped == expected && q.count == i + 1 - first;
        for (unsigned take = random >> 8 & 3; ok && take == 3 && q.count; take = 0) {
            size_t n = nk_otel_queue_next(&q);
            nk_otel_queue_take(&q, text);
            ok = n == length[first] && text[0] == (char)first && text[n - 1] == (char)first;
            used -= n + LENGTH;
            first++;
        }
    }
    tap_ok(ok && dropped > 100, "the queue drops the oldest and keeps the order");
    TAP_CHECK(nk_otel_queue_put(&q, (struct nk_str){length[0] ? (char *)length : "", SIZE}) == 1);
    TAP_CHECK(nk_otel_queue_put(&q, NK_STR("")) == 1);
    nk_otel_queue_free(&q);
    TAP_CHECK(nk_otel_queue_next(&q) == 0);
}

static void traces(void)
{
    const uint64_t zero[3] = {0, 0, 0}, some_words[3] = {1, 2, 3};
    struct nk_trace a, b, c;
    nk_trace_start(zero, NULL, &a);
    nk_buf_clear(&out);
    nk_trace_write(&a, &out);
    tap_ok(nk_trace_parse(nk_buf_str(&out), &b) == 0, "ids are never all zero");
    nk_trace_start(some_words, &trace, &b);
    tap_ok(memcmp(b.id, trace.id, sizeof b.id) == 0 && b.flags == 1 &&
               memcmp(b.span, trace.span, sizeof b.span) != 0,
           "a span of the parent's trace, sampled like it");
    nk_trace_child(&b, 1, &c);
    nk_trace_child(&b, 2, &a);
    tap_ok(memcmp(c.span, b.span, sizeof b.span) && memcmp(c.span, a.span, sizeof b.span),
           "spans below it have ids of their own");
    memset(&b.span, 0, sizeof b.span);
    b.span[7] = 2;
    nk_trace_child(&b, 2, &c);
    tap_ok(c.span[0] | c.span[7], "… that are never all zero");
    size_t kept = 0;
    for (uint64_t i = 0; i < 100000; i++) {
        const uint64_t words[3] = {i, i * 0x9e3779b97f4a7c15u, 1};
        nk_trace_start(words, NULL, &a);
        NK_MUST(nk_trace_is_one_in(&a, 1));
        kept += nk_trace_is_one_in(&a, 10);
    }
    tap_ok(kept > 9000 && kept < 11000, "one trace in ten: %zu of 100000", kept);
    memset(&a, 0xff, sizeof a);
    TAP_CHECK(nk_trace_is_one_in(&a, 1) && !nk_trace_is_one_in(&a, 2));
}

/* What a provider may call its model or its reason, and what is more than a name. */
static void names(void)
{
    char longest[130];
    memset(longest, 'x', sizeof longest);
    TAP_CHECK(nk_is_name_like(NK_STR("gpt-4o-2024-08-06")));
    TAP_CHECK(nk_is_name_like(NK_STR("publishers/meta/models/llama_3.1:70b@001+x")));
    TAP_CHECK(nk_is_name_like((struct nk_str){longest, 128}));
    TAP_CHECK(!nk_is_name_like((struct nk_str){longest, 129}));
    TAP_CHECK(!nk_is_name_like(NK_STR("")) && !nk_is_name_like((struct nk_str){NULL, 0}));
    TAP_CHECK(!nk_is_name_like(NK_STR("the salary is 9200000")));
    TAP_CHECK(!nk_is_name_like(NK_STR("\xE7\xB5\xA6\xE4\xB8\x8E")));
    TAP_CHECK(!nk_is_name_like(NK_STR("a,b")) && !nk_is_name_like(NK_STR("a;b")));
    TAP_CHECK(!nk_is_name_like(NK_STR("\"")) && !nk_is_name_like(NK_STR("a\nb")));
}

int main(void)
{
    nk_arena_init(&arena, ROOM);
    nk_buf_init(&out, ROOM);
    TAP_CHECK(cases_read("tests/cases/otel/traceparent.cases", traceparent, NULL) > 0);
    TAP_CHECK(cases_read("tests/cases/otel/partial.cases", partial, NULL) > 0);
    TAP_CHECK(cases_read("tests/cases/otel/wait.cases", wait_time, NULL) > 0);
    TAP_CHECK(cases_read("tests/cases/otel/items.cases", item, NULL) > 0);
    traces();
    names();
    queue();
    static const int statuses[][2] = {
        {200, NK_OTEL_ACCEPTED}, {202, NK_OTEL_ACCEPTED}, {400, NK_OTEL_NEVER},
        {404, NK_OTEL_NEVER},    {413, NK_OTEL_NEVER},    {429, NK_OTEL_AGAIN},
        {500, NK_OTEL_NEVER},    {502, NK_OTEL_AGAIN},    {503, NK_OTEL_AGAIN},
        {504, NK_OTEL_AGAIN},    {301, NK_OTEL_NEVER},    {0, NK_OTEL_NEVER}};
    for (size_t i = 0; i < NK_COUNT(statuses); i++)
        tap_ok((int)nk_otel_verdict(statuses[i][0]) == statuses[i][1], "status %d", statuses[i][0]);
    nk_buf_free(&out);
    nk_arena_free(&arena);
    return tap_done();
}
