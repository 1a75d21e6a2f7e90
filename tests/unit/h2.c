/* SPDX-License-Identifier: Apache-2.0
 *
 * h2 - HTTP/2 connections, both sides. Cases are in tests/cases/h2 (frames.cases tells the form);
 * each is fed in groups of frames as they stand, byte by byte, and in random pieces, and must give
 * the same events and the same frames in return.
 */
#include "h2_app_end.h"
#include "h2_read.h"
#include "h2_write.h"
#include "http/h2_own.h"
#include "tap.h"

enum { LINES = 200, FILE_MAX = 1 << 20, WHOLE = 0, BYTEWISE = 1 };

struct script {
    struct nk_str name, lines[LINES];
    size_t count;
};

struct run {
    struct h2_app app;
    struct h2_reader reader;
    struct nk_buf group; /* input that is not fed yet */
    struct nk_h2_limits lim;
    struct nk_str peer, own;
    unsigned cut; /* WHOLE, BYTEWISE, or a seed */
    int64_t now;
    size_t pull;
    bool bare, deaf, failed;
};

static char title_bytes[1 << 16];
static struct nk_str titles[1000];
static size_t title_count, title_used;

static void keep_title(struct nk_str title)
{
    NK_MUST(title_count < NK_COUNT(titles) && title.n <= sizeof title_bytes - title_used);
    char *to = title_bytes + title_used;
    memcpy(to, title.p, title.n);
    titles[title_count++] = (struct nk_str){to, title.n};
    title_used += title.n;
}

static const char *const shorthand_fields[][2] = {
    {":scheme", "https"}, {":authority", "api.example"}, {":path", "/v1/models"}};

static bool word_is(struct nk_str word, const char *z)
{
    return nk_str_eq(word, nk_str(z));
}

/* GET and POST are HEADERS with the fields that every request has; `path=` and the like replace. */
static void begin_frame(struct h2_frame *f, struct nk_str type)
{
    *f = (struct h2_frame){.length = -1, .pad = -1, .padlen = -1, .weight = -1};
    nk_buf_init(&f->body, 1 << 20);
    bool get = word_is(type, "GET"), post = word_is(type, "POST");
    if (get || post) {
        f->type = H2_HEADERS;
        f->flags = get ? 5 : 4;
        h2_put_field(&f->body, NK_STR(":method"), type);
        for (size_t i = 0; i < NK_COUNT(shorthand_fields); i++)
            h2_put_field(&f->body, nk_str(shorthand_fields[i][0]), nk_str(shorthand_fields[i][1]));
    } else {
        f->type = h2_number(h2_types, NK_COUNT(h2_types), type);
        if (f->type == H2_PRIORITY)
            f->weight = 15;
    }
}

static void add_token(struct h2_frame *f, struct nk_str token)
{
    char name[256], value[4096];
    struct nk_str v = token, k = nk_str_cut(&v, '=');
    if (!k.n)
        return;
    k = h2_decode(k, name, sizeof name);
    v = v.p ? h2_decode(v, value, sizeof value) : NK_STR("");
    if (f->type == H2_SETTINGS) {
        uint32_t id = h2_number(h2_settings, NK_COUNT(h2_settings), k);
        if (id) {
            h2_put(&f->body, id, 2);
            h2_put(&f->body, strtoul(v.p, NULL, 0), 4);
            return;
        }
    }
    if (h2_attribute(f, k, v))
        return;
    if (word_is(k, "fill"))
        for (long n = strtol(v.p, NULL, 10); n > 0; n -= 1000) {
            char a[1000];
            memset(a, 'a', sizeof a);
            h2_put_field(&f->body, NK_STR("x-fill"),
                         (struct nk_str){a, n < 1000 ? (size_t)n : 1000});
        }
    else if (word_is(k, "fields"))
        for (long n = strtol(v.p, NULL, 10); n > 0; n--)
            h2_put_field(&f->body, NK_STR("x"), NK_STR("y"));
    else
        h2_put_field(&f->body, k, v);
}

/* One line of the peer as bytes. */
static void put_line(struct nk_str line, struct nk_buf *out)
{
    struct nk_str rest = line, type = nk_str_cut(&rest, ' ');
    if (word_is(type, "preface")) {
        nk_buf_add(out, NK_STR(NGHTTP2_CLIENT_MAGIC));
        return;
    }
    if (word_is(type, "raw")) {
        h2_put_hex(out, rest);
        return;
    }
    if (word_is(type, "text")) {
        char text[1024];
        nk_buf_add(out, h2_decode(rest, text, sizeof text));
        return;
    }
    struct h2_frame f;
    long times = 1, step = 0;
    begin_frame(&f, type);
    while (rest.p) {
        struct nk_str token = nk_str_cut(&rest, ' ');
        if (nk_str_starts(token, NK_STR("times=")))
            times = strtol(token.p + 6, NULL, 10);
        else if (nk_str_starts(token, NK_STR("step=")))
            step = strtol(token.p + 5, NULL, 10);
        else
            add_token(&f, token);
    }
    for (; times > 0; times--, f.stream += (uint32_t)step)
        h2_finish(&f, out);
    nk_buf_free(&f.body);
}

static void pull(struct run *r, size_t max)
{
    struct nk_buf out;
    nk_buf_init(&out, 8 << 20);
    bool had = nk_h2_has_output(r->app.h2);
    int rc = nk_h2_output(r->app.h2, &out, max);
    h2_app_flush(&r->app);
    if (rc || (out.n && !had))
        nk_buf_printf(&r->app.out, "output is wrong\n");
    h2_say_frames(&r->reader, nk_buf_str(&out), &r->app.out);
    nk_buf_free(&out);
}

/* Feeds the group, cut as this run cuts. */
static void settle(struct run *r)
{
    struct nk_str in = nk_buf_str(&r->group);
    if (!r->app.h2)
        return;
    while (in.n) {
        r->cut = r->cut > BYTEWISE ? r->cut * 1103515245 + 12345 : r->cut;
        size_t n = r->cut == WHOLE ? in.n : r->cut == BYTEWISE ? 1 : (r->cut >> 16) % 40 + 1;
        n = n < in.n ? n : in.n;
        char *piece = malloc(n);
        memcpy(piece, in.p, n);
        struct nk_fault f = {0};
        int rc = nk_h2_feed(r->app.h2, (struct nk_str){piece, n}, r->now, &f);
        free(piece);
        if (rc && !r->failed) {
            h2_app_flush(&r->app);
            nk_buf_printf(&r->app.out, "fault %s%s%s\n", nk_error_name(rc), r->app.why ? " " : "",
                          r->app.why ? f.message : "");
        }
        r->failed |= rc != 0;
        in = nk_str_sub(in, n, in.n);
    }
    nk_buf_clear(&r->group);
    h2_app_flush(&r->app);
    if (!r->deaf)
        pull(r, r->pull);
}

/* `key=` of a line, or absent. */
static struct nk_str attribute(struct nk_str line, const char *key)
{
    while (line.p) {
        struct nk_str v = nk_str_cut(&line, ' '), k = nk_str_cut(&v, '=');
        if (word_is(k, key) && v.p)
            return v;
    }
    return (struct nk_str){NULL, 0};
}

static long number(struct nk_str line, const char *key, long otherwise)
{
    struct nk_str v = attribute(line, key);
    return v.p ? strtol(v.p, NULL, 10) : otherwise;
}

/* Everything that is no attribute is a header. */
static size_t headers_of(struct nk_str line, struct nk_http_header *h, size_t max, char *room,
                         size_t size)
{
    static const char *const attributes[] = {"stream", "status", "length", "bytes",  "method",
                                             "target", "scheme", "hold",   "chunked"};
    size_t n = 0;
    while (line.p) {
        struct nk_str v = nk_str_cut(&line, ' '), k = nk_str_cut(&v, '=');
        bool is_header = k.n && v.p;
        for (size_t i = 0; i < NK_COUNT(attributes); i++)
            is_header &= !word_is(k, attributes[i]);
        if (!is_header || n == max)
            continue;
        struct nk_str value = h2_decode(v, room, size);
        h[n++] = (struct nk_http_header){k, value};
        room += value.n;
        size -= value.n;
    }
    return n;
}

static void say_rc(struct run *r, const char *what, int rc)
{
    if (rc)
        nk_buf_printf(&r->app.out, "%s %s\n", what, nk_error_name(rc));
}

static void do_head(struct run *r, struct nk_str what, struct nk_str line)
{
    struct nk_http_header headers[32];
    char room[4096];
    uint32_t id = (uint32_t)number(line, "stream", 1);
    size_t count = headers_of(line, headers, NK_COUNT(headers), room, sizeof room);
    long bytes = number(line, "bytes", -1);
    struct nk_http_head head = {.method = attribute(line, "method"),
                                .target = attribute(line, "target"),
                                .status = (int)number(line, "status", 0),
                                .headers = headers,
                                .header_count = count,
                                .content_length = number(line, "length", -1),
                                .chunked = number(line, "chunked", 0) != 0};
    struct h2_app_stream *s = NULL;
    struct nk_str scheme = attribute(line, "scheme");
    if (word_is(what, "answer")) {
        s = h2_app_find(&r->app, id);
        say_rc(r, "answer", nk_h2_answer(r->app.h2, id, &head, bytes >= 0));
    } else {
        s = h2_app_open(&r->app, 0);
        int rc = nk_h2_request(r->app.h2, scheme.p && word_is(scheme, "http") ? "http" : "https",
                               &head, bytes >= 0, &s->arena, s, &s->id);
        say_rc(r, "request", rc);
        if (rc)
            h2_app_close(s);
    }
    if (s) {
        s->to_send = bytes > 0 ? (size_t)bytes : 0;
        s->hold = number(line, "hold", 0);
    }
}

static void do_body(struct run *r, struct nk_str what, struct nk_str line)
{
    uint32_t id = (uint32_t)number(line, "stream", 1);
    struct h2_app_stream *s = h2_app_find(&r->app, id);
    size_t n = (size_t)number(line, "bytes", 0);
    if (word_is(what, "consume")) {
        nk_h2_consumed(r->app.h2, id, n);
    } else if (word_is(what, "reset")) {
        nk_h2_reset(r->app.h2, id, (enum nk_h2_code)h2_code_number(attribute(line, "code")));
        if (s)
            h2_app_close(s);
    } else if (s) {
        s->to_send += n;
        s->hold = number(line, "hold", 0);
        nk_h2_resume(r->app.h2, id);
    }
}

static void say_state(struct run *r, struct nk_str line)
{
    const struct nk_h2 *h = r->app.h2;
    uint32_t id = (uint32_t)number(line, "stream", 1);
    nk_buf_printf(&r->app.out, "state open=%zu over=%d stalled=%d pong=%d may=%d\n",
                  nk_h2_stream_count(h), nk_h2_is_over(h), nk_h2_is_stalled(h, id),
                  nk_h2_awaits_pong(h), nk_h2_may_request(h));
}

/* What the owner of the connection does. */
static void act(struct run *r, struct nk_str line)
{
    struct nk_str rest = line, what = nk_str_cut(&rest, ' ');
    rest = rest.p ? rest : NK_STR("");
    if (word_is(what, "answer") || word_is(what, "request"))
        do_head(r, what, rest);
    else if (word_is(what, "consume") || word_is(what, "reset") || word_is(what, "more"))
        do_body(r, what, rest);
    else if (word_is(what, "interim"))
        say_rc(r, "interim",
               nk_h2_interim(r->app.h2, (uint32_t)number(rest, "stream", 1),
                             (int)number(rest, "status", 100)));
    else if (word_is(what, "shutdown"))
        nk_h2_shutdown(r->app.h2);
    else if (word_is(what, "exhaust"))
        (void)!nghttp2_session_set_next_stream_id(r->app.h2->session, INT32_MAX);
    else if (word_is(what, "ping"))
        nk_h2_ping(r->app.h2);
    else if (word_is(what, "state"))
        say_state(r, rest);
    else if (word_is(what, "pull"))
        pull(r, (size_t)number(rest, "max", 1 << 20));
    else if (word_is(what, "wait"))
        r->now += number(rest, "ms", 0);
    else if (word_is(what, "free")) {
        nk_h2_free(r->app.h2);
        r->app.h2 = NULL;
    } else {
        nk_buf_printf(&r->app.out, "what is \"%.*s\"?\n", NK_FMT(line));
    }
}

static void set_limit(struct run *r, struct nk_str rest)
{
    static const struct {
        const char *name;
        size_t at;
    } limits[] = {
        {"max_head_bytes", offsetof(struct nk_h2_limits, max_head_bytes)},
        {"max_headers", offsetof(struct nk_h2_limits, max_headers)},
        {"streams", offsetof(struct nk_h2_limits, streams)},
        {"stream_window", offsetof(struct nk_h2_limits, stream_window)},
        {"connection_window", offsetof(struct nk_h2_limits, connection_window)},
        {"max_queued", offsetof(struct nk_h2_limits, max_queued)},
        {"max_memory", offsetof(struct nk_h2_limits, max_memory)},
        {"resets", offsetof(struct nk_h2_limits, resets)},
    };
    struct nk_str name = nk_str_cut(&rest, ' ');
    for (size_t i = 0; i < NK_COUNT(limits); i++)
        if (word_is(name, limits[i].name))
            *(uint32_t *)(void *)((char *)&r->lim + limits[i].at) =
                (uint32_t)strtoul(rest.p, NULL, 10);
}

/* Lines that set the case up; they come first. */
static bool set_up(struct run *r, struct nk_str word, struct nk_str rest)
{
    if (word_is(word, "limit"))
        set_limit(r, rest);
    else if (word_is(word, "role"))
        r->app.client = word_is(rest, "client");
    else if (word_is(word, "bare"))
        r->bare = true;
    else if (word_is(word, "deaf"))
        r->deaf = true;
    else if (word_is(word, "show") || word_is(word, "app"))
        while (rest.p) {
            struct nk_str what = nk_str_cut(&rest, ' ');
            r->reader.settings |= word_is(what, "settings");
            r->reader.windows |= word_is(what, "windows");
            r->reader.pings |= word_is(what, "pings");
            r->reader.last |= word_is(what, "last");
            r->app.headers |= word_is(what, "headers");
            r->app.why |= word_is(what, "why");
            r->app.keep |= word_is(what, "keep");
            r->app.answers |= word_is(what, "answers");
            r->app.refuse_begin |= word_is(what, "refuses");
            r->app.poor |= word_is(what, "poor");
        }
    else
        return false;
    return true;
}

static void start(struct run *r)
{
    r->app.h2 = nk_h2_new(!r->app.client, &r->lim, &h2_app_handler, &r->app);
    r->reader.who = r->app.client ? "client" : "server";
    r->reader.magic = r->app.client;
    r->own = nk_str(r->reader.who);
    r->peer = r->app.client ? NK_STR("server") : NK_STR("client");
    if (r->bare)
        return;
    if (!r->app.client)
        put_line(NK_STR("preface"), &r->group);
    put_line(NK_STR("SETTINGS"), &r->group);
    put_line(NK_STR("SETTINGS flags=ack"), &r->group);
}

/* The peer's decoder holds us to the size that it has told us, from our acknowledgement on. */
static void expect_table(struct run *r, struct nk_str frame)
{
    long size = number(frame, "HEADER_TABLE_SIZE", -1);
    if (size < 0 || !nk_str_starts(frame, NK_STR("SETTINGS")))
        return;
    r->reader.table = size;
}

static void play(const struct script *c, struct run *r, struct nk_buf *want)
{
    bool fed = true;
    for (size_t i = 0; i < c->count; i++) {
        struct nk_str rest = c->lines[i], word = nk_str_cut(&rest, ' ');
        if (!rest.p)
            rest = NK_STR("");
        if (set_up(r, word, rest))
            continue;
        if (!r->own.p)
            start(r);
        bool input = nk_str_eq(word, r->peer);
        if (!input && fed)
            settle(r);
        fed = input || word_is(word, "do");
        if (input) {
            put_line(rest, &r->group);
            expect_table(r, rest);
        } else if (word_is(word, "do")) {
            act(r, rest);
        } else {
            nk_buf_add(want, word_is(word, "=") ? rest : c->lines[i]);
            nk_buf_add_char(want, '\n');
        }
    }
    if (!r->own.p)
        start(r);
    settle(r);
}

static bool run_case(const struct script *c, unsigned cut)
{
    struct run *r = calloc(1, sizeof *r);
    struct nk_buf want;
    nk_h2_limits_default(&r->lim);
    r->cut = cut;
    r->pull = 1 << 20;
    nk_buf_init(&want, 1 << 20);
    nk_buf_init(&r->group, 32 << 20);
    nk_buf_init(&r->app.out, 1 << 20);
    nk_buf_init(&r->app.body, 32 << 20);
    h2_reader_init(&r->reader, "", false);
    play(c, r, &want);
    bool same = nk_str_eq(nk_buf_str(&want), nk_buf_str(&r->app.out));
    if (!same)
        printf("# %.*s\n# wanted\n%.*s# got, cut %u\n%.*s", NK_FMT(c->name), (int)want.n, want.p,
               cut, (int)r->app.out.n, r->app.out.p);
    nk_buf_clear(&r->app.out);
    nk_h2_free(r->app.h2);
    NK_MUST(r->app.open == 0);
    h2_reader_free(&r->reader);
    nk_buf_free(&want);
    nk_buf_free(&r->group);
    nk_buf_free(&r->app.out);
    nk_buf_free(&r->app.body);
    free(r);
    return same;
}

/* Whole, byte by byte, and in two series of random pieces. */
static void run_script(const char *file, const struct script *c, const char *only)
{
    if (!c->name.p || (only && nk_str_search(c->name, nk_str(only)) < 0))
        return;
    bool same = run_case(c, WHOLE) && run_case(c, BYTEWISE) && run_case(c, 4711) && run_case(c, 99);
    tap_ok(same, "%s: %.*s", file, NK_FMT(c->name));
}

static void run_file(const char *file, const char *only)
{
    char path[200], *text = malloc(FILE_MAX);
    snprintf(path, sizeof path, "tests/cases/h2/%s.cases", file);
    FILE *f = fopen(path, "rb");
    if (!tap_ok(f != NULL, "%s can be read", path))
        return;
    struct nk_str rest = {text, fread(text, 1, FILE_MAX, f)};
    struct script *c = calloc(1, sizeof *c);
    fclose(f);
    while (rest.p) {
        struct nk_str line = nk_str_cut(&rest, '\n');
        if (!line.n || line.p[0] == '#')
            continue;
        if (nk_str_starts(line, NK_STR("case "))) {
            run_script(file, c, only);
            *c = (struct script){.name = nk_str_sub(line, 5, line.n)};
            keep_title(c->name);
        } else {
            NK_MUST(c->count < LINES);
            c->lines[c->count++] = line;
        }
    }
    run_script(file, c, only);
    free(c);
    free(text);
}

/* The table of README.md names cases; each of them is one. */
static void check_table(void)
{
    char *text = malloc(FILE_MAX);
    FILE *f = fopen("tests/cases/h2/README.md", "rb");
    if (!tap_ok(f != NULL, "the table of RFC 9113 can be read"))
        return;
    struct nk_str rest = {text, fread(text, 1, FILE_MAX, f)};
    size_t named = 0, unknown = 0;
    fclose(f);
    while (rest.p) {
        struct nk_str line = nk_str_cut(&rest, '\n');
        if (!line.n || line.p[0] != '|')
            continue;
        (void)nk_str_cut(&line, '`');
        while (line.p) {
            struct nk_str title = nk_str_cut(&line, '`');
            bool is_case = false;
            for (size_t i = 0; i < title_count; i++)
                is_case |= nk_str_eq(titles[i], title);
            if (!is_case)
                printf("# there is no case \"%.*s\"\n", NK_FMT(title));
            unknown += !is_case;
            named++;
            (void)nk_str_cut(&line, '`');
        }
    }
    tap_ok(named > 200 && unknown == 0, "the table of RFC 9113 names %zu cases that there are",
           named);
    free(text);
}

static void check_sniff(void)
{
    struct nk_str preface = NK_STR(NGHTTP2_CLIENT_MAGIC "more");
    TAP_CHECK(nk_h2_sniff(preface) == 0);
    TAP_CHECK(nk_h2_sniff(NK_STR("")) == NK_EAGAIN);
    TAP_CHECK(nk_h2_sniff(NK_STR("GET / HTTP/1.1")) == NK_EINVAL);
    TAP_CHECK(nk_h2_sniff(NK_STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\r")) == NK_EINVAL);
    TAP_CHECK(nk_h2_sniff(NK_STR("PROPFIND /")) == NK_EINVAL);
    bool all = true;
    for (size_t n = 1; n <= preface.n; n++)
        all &= nk_h2_sniff(nk_str_sub(preface, 0, n)) == (n < NK_H2_PREFACE ? NK_EAGAIN : 0);
    tap_ok(all, "the preface is known by its first 24 bytes, not earlier");
}

/* With an argument: the cases whose titles hold it. */
int main(int argc, char **argv)
{
    check_sniff();
    static const char *const files[] = {"frames",  "messages", "hpack", "flow",
                                        "answers", "abuse",    "client"};
    for (size_t i = 0; i < NK_COUNT(files); i++)
        run_file(files[i], argc > 1 ? argv[1] : NULL);
    check_table();
    return tap_done();
}
