/* SPDX-License-Identifier: Apache-2.0
 *
 * gate_mail.c - what one transaction has for another (gate/wait.h), from gate to gate and within one: each gate has a packet
 * socket in which it finds what it is told, and the other end of everybody's. A packet is
 *
 *     instance (4 bytes), zeros (4), number of the request (8), what is told; integers as this machine has them
 *
 * The way is the same when both are in one gate, so there is one. A gate that was started anew has another instance:
 * what was for its predecessor is thrown away. A socket that is full loses the packet, and whoever waits goes on
 * waiting until his time is over; nothing happens that nobody agreed to.
 */
#include "role/gate.h"

#include <string.h>
#include <sys/socket.h>
#include "edge/log.h"

enum { BATCH = 64, TOLD_US = 1000000 };

struct mail_head {
    uint32_t instance, zeros;
    uint64_t number;
};
_Static_assert(sizeof(struct mail_head) + NK_TELL_MAX <= GATE_READ_SIZE, "a packet fits");

static void deliver(struct gate *g, struct nk_str packet)
{
    struct mail_head head;
    if (packet.n < sizeof head)
        return;
    memcpy(&head, packet.p, sizeof head);
    struct gate_stream *s =
        head.instance == g->start->instance ? nk_waits_find(&g->mail.waits, head.number) : NULL;
    if (!s || !s->req || !s->req->txn || s->answered || s->state == STREAM_DEAD)
        return;
    struct nk_event e = {.type = NK_EV_TOLD,
                         .unix_ms = nk_loop_unix_ms(g->loop),
                         .bytes = nk_str_sub(packet, sizeof head, packet.n)};
    gate_effects(s, nk_gate_step(s->req->txn, &e));
}

static void arrived(struct nk_watch *w, uint32_t events)
{
    struct gate *g = NK_OF(w, struct gate, mail.watch);
    (void)events;
    for (int i = 0; i < BATCH; i++) {
        ssize_t n = recv(w->fd, g->read_buffer, sizeof g->read_buffer, 0);
        if (n <= 0)
            return;
        deliver(g, (struct nk_str){g->read_buffer, (size_t)n});
    }
}

int gate_mail_open(struct gate *g)
{
    if (g->start->slot >= g->start->mail_count)
        return 0;
    g->mail.watch = (struct nk_watch){.fd = g->start->mail, .ready = arrived};
    return nk_loop_watch(g->loop, &g->mail.watch, EPOLLIN);
}

void gate_mail_send(struct gate *g, const struct nk_tell *tell)
{
    struct mail_head head = {.instance = tell->instance, .number = tell->number};
    struct iovec parts[] = {{&head, sizeof head}, {(char *)tell->bytes.p, tell->bytes.n}};
    struct msghdr m = {.msg_iov = parts, .msg_iovlen = NK_COUNT(parts)};
    int64_t now = nk_loop_now(g->loop);
    if (tell->slot < g->start->mail_count &&
        sendmsg(g->start->mails[tell->slot], &m, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
        return;
    if (now - g->mail.lost_us < TOLD_US)
        return;
    g->mail.lost_us = now;
    nk_log(NK_LOG_WARNING, "gate.mail", "an answer did not reach gate %u", tell->slot);
}
