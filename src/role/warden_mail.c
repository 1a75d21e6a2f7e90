/* SPDX-License-Identifier: Apache-2.0
 *
 * warden_mail.c - a packet socket for each gate, in which others leave what one of its transactions waits for
 * (gate_mail.c). The warden keeps both ends, so that a gate that was started anew takes its predecessor's place, and reads
 * neither. After an upgrade the new gates have new ones: what was asked by the old is answered by nobody.
 */
#include <sys/socket.h>
#include <unistd.h>
#include "role/warden_own.h"

int warden_mail_begin(struct warden *w)
{
    for (uint32_t i = 0; i < w->workers; i++, w->mail_count++)
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, w->mails[i]))
            return NK_EIO;
    return 0;
}

void warden_mail_send(struct warden_child *gate)
{
    struct warden *w = gate->warden;
    for (uint32_t i = 0; i < w->mail_count; i++) {
        struct nk_control m;
        nk_control_init(&m, NK_CONTROL_MAIL);
        m.slot = i;
        m.mail = w->mails[i][1];
        warden_child_send(gate, &m);
    }
}

void warden_mail_end(struct warden *w)
{
    for (; w->mail_count > 0; w->mail_count--)
        for (int i = 0; i < 2; i++)
            close(w->mails[w->mail_count - 1][i]);
}
