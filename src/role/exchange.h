/* SPDX-License-Identifier: Apache-2.0
 *
 * exchange.h - private to the courier: an exchange is one request and its answer. It is tried at
 * one endpoint of its upstream after the other, as far as that is safe (see attempt.c); each
 * attempt holds a link while it runs.
 */
#pragma once

#include "role/endpoint.h"
#include "role/wire.h"

struct exchange;
struct tunnel;

enum {
    COURIER_READ = 32768, /* bytes of one read from an upstream */
    COURIER_HEAD = 16384, /* largest head of an answer */
    COURIER_HEADERS = 128,
    COURIER_ROOM = COURIER_READ + 2 * COURIER_HEAD + 4096, /* of the ring, before a read */
};

/* What an exchange is for. */
struct exchange_kind {
    /* The head of the request for x->up; texts live as long as the exchange. */
    int (*head)(struct exchange *x, struct nk_http_head *out);
    /* How many bytes may be read now; 0 pauses until exchange_resume. */
    size_t (*allow)(struct exchange *x);
    /* What one read brought: the head (once, first), a piece of the body, the end (then *x is freed
     * by nk_loop_later). */
    void (*answer)(struct exchange *x, const struct nk_http_head *head, struct nk_str body,
                   bool end);
    /* It is over; enum nk_wire_fail. */
    void (*fail)(struct exchange *x, int code, const char *why);
    void (*free)(struct nk_later *l);
};

struct exchange {
    const struct exchange_kind *kind;
    struct courier *c;
    struct upstream *to;
    struct endpoint *up; /* that is tried now; NULL: none */
    struct link *link;
    struct exchange *next_waiting;
    struct nk_later later;
    struct nk_timer timer;
    int64_t deadline, connect_by, end_by;
    struct nk_arena arena;
    struct nk_http_parser *parser;
    uint64_t max_body;
    struct nk_buf out; /* the request, as far as it may have to be sent (again) */
    size_t out_head;   /* of `out`: its head */
    size_t sent;
    size_t before;  /* bytes of the answer that came, until its head was complete */
    bool complete;  /* the whole request is in `out` (or was sent) */
    bool delivered; /* and sent */
    bool safe;      /* may be sent twice: GET, HEAD, OPTIONS */
    bool keeps;     /* `out` stays until the answer is one that goes on */
    bool pinned;    /* to x->up, be it left out or not */
    bool is_head;
    bool answered; /* a byte of the answer came */
    bool begun;    /* the answer's head went on */
    bool resent, probe, paused, over;
    size_t address;   /* the one being tried */
    uint32_t tried;   /* endpoints: a bit each */
    uint32_t retries; /* that were made */
    struct nk_route route;
    struct ride ride; /* over HTTP/2 */
};

/* How much of the request an endpoint may have when an attempt fails. */
enum handed { HANDED_NOTHING, HANDED_PART, HANDED_WHOLE };

/* attempt.c */
/* Chooses an endpoint; false: the exchange is over. */
bool attempt_first(struct exchange *x) NK_CHECKED;
/* An attempt failed, its link is closed: the next one begins, or the exchange is over. */
void attempt_fail(struct exchange *x, enum handed handed, int code, const char *why);
/* The head of an answer is there. True: it is dropped with its link, the next attempt has begun. */
bool attempt_judge(struct exchange *x, const struct nk_http_head *h) NK_CHECKED;
void attempt_leave(struct exchange *x);
/* Puts into the log why an exchange came to nothing; a few lines a second at most. */
void attempt_tell(const struct exchange *x, const char *why);
/* For the record: it was sent once more on a new connection to the same endpoint. */
void attempt_note_resent(struct exchange *x);

/* exchange.c: `body` is sent or copied; `complete`: nothing more follows. */
void exchange_start(struct exchange *x, struct nk_str body, bool complete);
void exchange_more(struct exchange *x, struct nk_str body, bool complete);
void exchange_resume(struct exchange *x);
/* Closes the link at once; *x is freed, `fail` is not called. */
void exchange_cancel(struct exchange *x);
void exchange_fail(struct exchange *x, int code, const char *why);
/* This attempt will not succeed: its link is closed, attempt.c knows what comes next. */
void exchange_lose(struct exchange *x, int code, const char *why);
void exchange_ready(struct link *l, uint32_t events);
/* Sends what is in `out`, from its beginning, to x->up. */
void exchange_again(struct exchange *x);
/* The parts of it that mux.c needs: the next address of x->up, or any, or the same endpoint once
 * more; a link that came about speaks HTTP/1.1; some of `out` was sent; the answer's head goes on;
 * something of it did; it is complete. */
void exchange_next_address(struct exchange *x);
void exchange_connect(struct exchange *x);
void exchange_resend(struct exchange *x);
void exchange_on_http1(struct exchange *x, struct link *l);
void exchange_sent(struct exchange *x);
void exchange_begun(struct exchange *x);
void exchange_heard(struct exchange *x);
void exchange_finish(struct exchange *x);
/* Takes the exchange off its link, if it has one; over HTTP/1.1 the link is closed. */
void exchange_leave_link(struct exchange *x);
/* `why` NULL: x->up has addresses now. */
void exchange_addressed(struct exchange *x, const char *why);
