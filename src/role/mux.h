/* SPDX-License-Identifier: Apache-2.0
 *
 * mux.h - private to the courier: a link that speaks HTTP/2 carries several exchanges; each rides on
 * a stream of its own. See mux.c.
 */
#pragma once

#include "base/buf.h"
#include "http/h2.h"

struct endpoint;
struct exchange;
struct link;

enum mux_use {
    MUX_OFF,  /* HTTP/1.1 */
    MUX_AUTO, /* as the TLS handshake says; HTTP/1.1 from then on when it says so once */
    MUX_ON,
};

struct mux {
    struct nk_h2 *h2;         /* NULL: the handshake is not over */
    struct nk_buf out;        /* frames on their way */
    struct exchange *riders;  /* newest first */
    struct exchange *touched; /* of whom there is something to say */
    size_t rider_count;
    size_t waiting;   /* riders for whose bytes the ring has no room: nothing is read then */
    int64_t heard_us; /* when bytes came last */
    int code;         /* enum nk_wire_fail, of what ends it */
    bool leaving;     /* takes no further riders */
    bool busy;        /* what has to follow will */
};

/* The part of an exchange that is about its stream. */
struct ride {
    struct exchange *next, **at; /* among the riders */
    struct exchange *next_touched;
    uint32_t stream;          /* 0: not yet, or over */
    int64_t since_us;         /* 0: on none, and nothing else here is set */
    struct nk_http_head head; /* of the answer; texts live in the exchange's arena */
    struct nk_buf held;       /* of its body: came, and did not go on yet */
    size_t unused;            /* bytes that went on while the peer may not send as many anew */
    uint64_t seen;            /* bytes of the body that came */
    bool has_head, end, touched, judged, waits, reused;
    const char *why; /* the stream is over before its end; static */
    enum nk_h2_code code;
};

/* Puts the exchange on a link of x->up that has room; false: there is none. It may be over then. */
bool mux_board(struct exchange *x) NK_CHECKED;
/* A new link, made to carry exchanges (link->mux), carries this one first. */
void mux_begin(struct link *l, struct exchange *x);
/* Takes the exchange off its link; its stream is reset unless it is over. The link goes on. */
void mux_leave(struct exchange *x);
/* Forgets what came over a stream. */
void mux_forget(struct exchange *x);
/* There is more to send. */
void mux_more(struct exchange *x);
/* There may be room for what came, or for more; also when the link is gone, if the answer is whole. */
void mux_resume(struct exchange *x);
/* The link's descriptor is ready; and what epoll is to be asked for. */
void mux_ready(struct link *l, uint32_t events);
uint32_t mux_events(const struct link *l);
/* Ends the links that carry nothing, or only those to addresses that are gone; how many. */
size_t mux_close_idle(struct endpoint *up, bool departed);
/* The connection is over (enum nk_wire_fail): what rides on it goes elsewhere, or fails. */
void mux_lose(struct link *l, int code, const char *why);
void mux_tick(struct link *l); /* its timer fired */
/* Frees what belongs to a link that is being closed. */
void mux_free(struct link *l);
