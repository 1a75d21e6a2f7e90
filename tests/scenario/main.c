/* SPDX-License-Identifier: Apache-2.0
 *
 * main.c - plays .gate files: `scenario [--daemon|--h2] FILE…`. One TAP line for each file; what was
 * expected and what was seen is told on a failure.
 */
#include "scenario/scenario.h"
#include "scenario/torture.h"

#include "tap.h"

enum { KEPT_MAX = 4 };

struct play {
    struct scenario *s;
    const struct driver *d;
    struct sighting seen;
    struct nk_buf headers;
    struct {
        struct nk_str name, value;
    } kept[KEPT_MAX]; /* the step `keep`; the last one is found first */
    size_t kept_count;
    const char *why; /* what went wrong, or NULL */
    int line;
};

static struct nk_str next(struct nk_str *rest)
{
    struct nk_str w = nk_str_cut(rest, ' ');
    *rest = nk_str_trim(*rest);
    return w;
}

static void forget(struct sighting *seen)
{
    seen->status = 0;
    seen->complete = seen->cut = seen->cancelled = false;
    seen->calls = 0;
    nk_buf_clear(&seen->head);
    nk_buf_clear(&seen->body);
    nk_buf_clear(&seen->call_head);
    nk_buf_clear(&seen->call_body);
}

/* `text` with what was kept in the place of {NAME}. */
static struct nk_str with_kept(struct play *p, struct nk_str text)
{
    for (size_t i = p->kept_count; i-- > 0;) {
        struct nk_str mark = nk_arena_printf(&p->s->arena, "{%.*s}", NK_FMT(p->kept[i].name));
        ptrdiff_t at = nk_str_search(text, mark);
        if (at < 0)
            continue;
        const struct nk_str parts[] = {nk_str_sub(text, 0, (size_t)at), p->kept[i].value,
                                       nk_str_sub(text, (size_t)at + mark.n, text.n)};
        text = nk_arena_join(&p->s->arena, parts, NK_COUNT(parts));
    }
    return text;
}

/* Where a name is kept: its own place, or a new one. */
static size_t kept_at(const struct play *p, struct nk_str name)
{
    size_t i = 0;
    while (i < p->kept_count && !nk_str_eq(p->kept[i].name, name))
        i++;
    return i;
}

/* keep NAME TEXT: what stands behind TEXT in the answer, or in the call, up to a quote or the end of its line. */
static const char *do_keep(struct play *p, struct nk_str rest)
{
    struct nk_str name = next(&rest);
    size_t to = kept_at(p, name);
    p->d->wait_call(p->s, &p->seen);
    p->d->settle(p->s, &p->seen);
    const struct nk_str in[] = {nk_buf_str(&p->seen.head), nk_buf_str(&p->seen.body),
                                nk_buf_str(&p->seen.call_body)};
    for (size_t i = 0; i < NK_COUNT(in) && to < KEPT_MAX; i++) {
        ptrdiff_t at = nk_str_search(in[i], rest);
        if (at < 0)
            continue;
        struct nk_str line = nk_str_sub(in[i], (size_t)at + rest.n, in[i].n);
        struct nk_str value = nk_str_cut(&line, '\n');
        p->kept[to].name = name;
        p->kept[to].value = nk_arena_copy(&p->s->arena, nk_str_cut(&value, '"'));
        p->kept_count += to == p->kept_count;
        return NULL;
    }
    return "there is nothing to keep";
}

/* client NAME METHOD TARGET [BODY]; "-" is nobody */
static const char *do_client(struct play *p, struct nk_str rest)
{
    struct nk_str name = next(&rest), method = next(&rest), target = next(&rest);
    const struct scenario_key *key = NULL;
    for (size_t i = 0; i < p->s->key_count; i++)
        if (nk_str_eq(p->s->keys[i].name, name))
            key = &p->s->keys[i];
    if (!key && !nk_str_eq(name, NK_STR("-")))
        return "no such key";
    struct nk_str body =
        rest.n ? with_kept(p, scenario_unescape(p->s, rest)) : (struct nk_str){NULL, 0};
    if (body.p && nk_str_search(nk_buf_str(&p->headers), NK_STR("Content-Type: ")) < 0)
        nk_buf_add(&p->headers, NK_STR("Content-Type: application/json\r\n"));
    forget(&p->seen);
    const char *why =
        p->d->client(p->s, &p->seen, key, method, target, nk_buf_str(&p->headers), body);
    nk_buf_clear(&p->headers);
    return why;
}

static const char *look(struct play *p, struct nk_str where, struct nk_str text, bool wanted)
{
    struct nk_str what = scenario_unescape(p->s, text);
    bool there = nk_str_search(where, what) >= 0;
    if (there == wanted)
        return NULL;
    return nk_arena_printf(&p->s->arena, "%s «%.*s», but there is: %.*s",
                           wanted ? "looked for" : "must not have", NK_FMT(what), NK_FMT(where))
        .p;
}

static bool cut_prefix(struct nk_str *s, const char *prefix)
{
    if (!nk_str_starts(*s, nk_str(prefix)))
        return false;
    *s = nk_str_trim(nk_str_sub(*s, strlen(prefix), s->n));
    return true;
}

static const char *expect_model(struct play *p, struct nk_str e)
{
    struct sighting *seen = &p->seen;
    struct nk_buf all;
    nk_buf_init(&all, 64 << 20);
    nk_buf_add(&all, nk_buf_str(&seen->call_head));
    nk_buf_add(&all, nk_buf_str(&seen->call_body));
    const char *why = "unknown expectation of the model";
    if (nk_str_eq(e, NK_STR("sees nothing")))
        why = seen->calls ? "the model was called" : NULL;
    else if (nk_str_eq(e, NK_STR("is cancelled")))
        why = seen->cancelled ? NULL : "the call was not cancelled";
    else if (cut_prefix(&e, "sees"))
        why = look(p, nk_buf_str(&all), e, true);
    else if (cut_prefix(&e, "does not see"))
        why = look(p, nk_buf_str(&all), e, false);
    nk_buf_free(&all);
    return why;
}

static const char *expect_status(struct play *p, struct nk_str e)
{
    uint64_t want = 0;
    if (nk_str_to_u64(e, &want))
        return "status must be a number";
    if (p->seen.status == (int)want)
        return NULL;
    return nk_arena_printf(&p->s->arena, "status is %d: %.*s", p->seen.status,
                           NK_FMT(nk_buf_str(&p->seen.body)))
        .p;
}

static const char *do_expect(struct play *p, struct nk_str e)
{
    struct sighting *seen = &p->seen;
    if (nk_str_starts(e, NK_STR("model sees ")) && !nk_str_ends(e, NK_STR("sees nothing")))
        p->d->wait_call(p->s, seen);
    p->d->settle(p->s, seen);
    if (cut_prefix(&e, "status"))
        return expect_status(p, e);
    if (cut_prefix(&e, "client sees"))
        return look(p, nk_buf_str(&seen->body), e, true);
    if (cut_prefix(&e, "client does not see"))
        return look(p, nk_buf_str(&seen->body), e, false);
    if (cut_prefix(&e, "header"))
        return look(p, nk_buf_str(&seen->head), e, true);
    if (cut_prefix(&e, "no header"))
        return look(p, nk_buf_str(&seen->head), e, false);
    if (cut_prefix(&e, "model"))
        return expect_model(p, e);
    if (cut_prefix(&e, "record has no"))
        return look(p, nk_buf_str(&seen->records), e, false);
    if (cut_prefix(&e, "record has"))
        return look(p, nk_buf_str(&seen->records), e, true);
    if (nk_str_eq(e, NK_STR("complete")))
        return seen->complete && !seen->cut ? NULL : "the answer is not complete";
    if (nk_str_eq(e, NK_STR("cut")))
        return seen->cut && !seen->complete ? NULL : "the answer was not cut";
    if (nk_str_eq(e, NK_STR("replay identical"))) {
        const char *why = p->d->replay(p->s, seen);
        return *why ? why : NULL;
    }
    return "unknown expectation";
}

static const char *do_step(struct play *p, const struct scenario_step *step)
{
    struct nk_str w = step->word;
    if (nk_str_eq(w, NK_STR("client")))
        return do_client(p, step->rest);
    if (nk_str_eq(w, NK_STR("header"))) {
        nk_buf_add(&p->headers, with_kept(p, scenario_unescape(p->s, step->rest)));
        nk_buf_add(&p->headers, NK_STR("\r\n"));
        return NULL;
    }
    if (nk_str_eq(w, NK_STR("keep")))
        return do_keep(p, step->rest);
    if (nk_str_eq(w, NK_STR("upstream")))
        return p->d->upstream(p->s, &p->seen, with_kept(p, step->rest));
    if (nk_str_eq(w, NK_STR("gone")))
        return p->d->gone(p->s, &p->seen);
    return do_expect(p, step->rest);
}

static void bufs_init(struct play *p)
{
    struct nk_buf *bufs[] = {&p->seen.head,      &p->seen.body,    &p->seen.call_head,
                             &p->seen.call_body, &p->seen.records, &p->headers};
    for (size_t i = 0; i < NK_COUNT(bufs); i++)
        nk_buf_init(bufs[i], 64 << 20);
}

static void bufs_free(struct play *p)
{
    struct nk_buf *bufs[] = {&p->seen.head,      &p->seen.body,    &p->seen.call_head,
                             &p->seen.call_body, &p->seen.records, &p->headers};
    for (size_t i = 0; i < NK_COUNT(bufs); i++)
        nk_buf_free(bufs[i]);
}

static bool has(const struct sighting *seen, const char *what)
{
    return nk_str_search(nk_buf_str(&seen->records), nk_str(what)) >= 0;
}

/* What must hold whatever failed. */
static const char *broken_promise(const struct sighting *seen)
{
    if (has(seen, "BROKEN"))
        return "a record breaks the chain";
    if (seen->calls && !has(seen, "\"decision\":\"allow\""))
        return "the model was called without a recorded decision";
    if (seen->calls && seen->complete && !has(seen, "\"kind\":\"outcome\""))
        return "answered without a recorded outcome";
    if (seen->status && !has(seen, "\"kind\":\"decision\""))
        return "answered without a recorded decision";
    return NULL;
}

/* Plays all but the expectations with allocation `at` failing; how many allocations there were. */
static long torture_once(struct scenario *s, long at, bool for_good, const char **why)
{
    struct play p = {.s = s, .d = &core_driver};
    bufs_init(&p);
    torture_start(at, for_good);
    if (!p.d->open(s, &p.seen))
        for (size_t i = 0; i < s->step_count; i++)
            if (!nk_str_eq(s->steps[i].word, NK_STR("expect")))
                (void)do_step(&p, &s->steps[i]);
    long n = torture_stop();
    *why = broken_promise(&p.seen);
    p.d->close(s, &p.seen);
    bufs_free(&p);
    return n;
}

static void torture(struct scenario *s)
{
    const char *why = NULL;
    long n = torture_once(s, 0, false, &why), at = 0;
    for (int mode = 0; mode < 2 && !why; mode++)
        for (at = 1; at <= n && !why; at++) {
            /* The scenario's own arena is the player's: a fresh one for each round. */
            struct scenario *fresh = scenario_read(s->file);
            if (!fresh)
                break;
            (void)torture_once(fresh, at, mode == 1, &why);
            scenario_free(fresh);
        }
    tap_ok(!why, "torture, %ld allocations: %.*s", n, NK_FMT(s->title));
    if (why)
        printf("# %s: allocation %ld fails: %s\n", s->file, at - 1, why);
}

static void play(struct scenario *s, const struct driver *d)
{
    struct play p = {.s = s, .d = d};
    bufs_init(&p);
    p.why = d->open(s, &p.seen);
    for (size_t i = 0; !p.why && i < s->step_count; i++) {
        p.line = s->steps[i].line;
        p.why = do_step(&p, &s->steps[i]);
    }
    tap_ok(!p.why, "%s: %.*s", d->name, NK_FMT(s->title));
    if (p.why)
        printf("# %s:%d: %s\n", s->file, p.line, p.why);
    d->close(s, &p.seen);
    bufs_free(&p);
}

int main(int argc, char **argv)
{
    const struct driver *d = &core_driver;
    bool hurt = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--daemon") == 0) {
            d = &daemon_driver;
            continue;
        }
        if (strcmp(argv[i], "--h2") == 0) {
            d = &h2_driver;
            continue;
        }
        if (strcmp(argv[i], "--torture") == 0) {
            hurt = true;
            continue;
        }
        struct scenario *s = scenario_read(argv[i]);
        if (!s) {
            tap_ok(false, "%s can be read", argv[i]);
            continue;
        }
        if (hurt)
            torture(s);
        else if (d != &h2_driver || !s->http1)
            play(s, d);
        scenario_free(s);
    }
    return tap_done();
}
