/* SPDX-License-Identifier: Apache-2.0
 *
 * warden_mains.h - the three roles of the warden's tests. A gate answers lines: "who" with its
 * instance and configuration, "call" with what the courier said, "note" when the scribe has stored a
 * record, "hold" when the client has said all.
 */
#pragma once

#include "warden_role.h"

static inline void serve_line(struct test_role *r, const char *line)
{
    struct nk_ring_record rec = {.type = 1, .payload = NK_STR("x")};
    char who[32];
    if (strncmp(line, "call", 4) == 0) {
        NK_MUST(nk_ring_put(r->calls, &rec) == 0);
        nk_ring_publish(r->calls);
    } else if (strncmp(line, "note", 4) == 0) {
        NK_MUST(nk_ring_put(r->audit, &rec) == 0);
        nk_ring_publish(r->audit);
    } else if (strncmp(line, "hold", 4) != 0) {
        snprintf(who, sizeof who, "%08x %u\n", r->s->instance, r->generation);
        reply(r, who);
    }
}

static inline int gate_main(struct nk_role_start *s)
{
    struct test_role r;
    struct nk_ring_record rec;
    char line[16] = "";
    if (policy_has(&s->bundle, "crash"))
        return 3;
    if (policy_has(&s->bundle, "hang"))
        pause();
    begin(&r, s);
    r.audit = nk_role_ring_open(&s->audit, true);
    NK_MUST(r.audit);
    while (obey(&r) && !(r.is_draining && r.client < 0)) {
        wait_for(&r, r.listener);
        if (r.client < 0 && !r.is_draining) {
            memset(line, 0, sizeof line);
            r.client = accept4(r.listener, NULL, NULL, SOCK_NONBLOCK);
        }
        if (r.client < 0)
            continue;
        ssize_t n = recv(r.client, line, sizeof line - 1, 0);
        if (n > 0)
            serve_line(&r, line);
        else if (n == 0 && !strncmp(line, "hold", 4))
            reply(&r, "done\n");
        while (nk_ring_next(r.answers, &rec) == 0) {
            reply(&r, "courier answers\n");
            nk_ring_release(r.answers);
        }
        if (r.client >= 0 && !strncmp(line, "note", 4) &&
            nk_ring_durable(r.audit) == nk_ring_committed(r.audit))
            reply(&r, "noted\n");
    }
    nk_ring_close(r.audit);
    nk_ring_close(r.calls);
    nk_ring_close(r.answers);
    return 0;
}

static inline int courier_main(struct nk_role_start *s)
{
    struct test_role r;
    struct nk_ring_record rec;
    begin(&r, s);
    while (obey(&r) && !r.is_draining) {
        while (nk_ring_next(r.calls, &rec) == 0) {
            struct nk_ring_record out = {.type = 2, .stream = s->instance};
            NK_MUST(nk_ring_put(r.answers, &out) == 0);
            nk_ring_publish(r.answers);
        }
        nk_ring_release(r.calls);
        wait_for(&r, -1);
    }
    nk_ring_close(r.calls);
    nk_ring_close(r.answers);
    return 0;
}

/* True when something was stored. */
static inline bool store(struct test_role *r, uint32_t i)
{
    struct nk_ring_record rec;
    char text[64];
    uint64_t last = 0;
    bool any = false;
    while (nk_ring_next(r->audits[i], &rec) == 0) {
        int n = snprintf(text, sizeof text, "%u %08x %llu\n", r->s->audits[i].slot,
                         r->s->audits[i].instance, (unsigned long long)rec.number);
        NK_MUST(write(r->log, text, (size_t)n) == n);
        last = rec.number + 1;
        any = true;
    }
    if (any)
        nk_ring_set_durable(r->audits[i], last);
    nk_ring_release(r->audits[i]);
    return any;
}

static inline int scribe_main(struct nk_role_start *s)
{
    struct test_role r;
    struct nk_role_audit *given = s->audits;
    begin(&r, s);
    s->audits = malloc(NK_ROLE_AUDITS_MAX * sizeof *given);
    memcpy(s->audits, given, s->audit_count * sizeof *given);
    for (uint32_t i = 0; i < s->audit_count; i++)
        r.audits[i] = nk_role_ring_open(&s->audits[i].ring, false);
    bool any = true, go_on = true;
    while (go_on || any) {
        any = false;
        for (uint32_t i = 0; i < s->audit_count; i++) {
            if (!r.audits[i])
                continue;
            bool some = store(&r, i);
            any = any || some;
            if (!some && s->audits[i].ended) {
                NK_MUST(nk_role_drained(s, s->audits[i].instance) == 0);
                nk_ring_close(r.audits[i]);
                nk_role_ring_close(&s->audits[i].ring);
                r.audits[i] = NULL;
            }
        }
        go_on = go_on && obey(&r) && !r.is_draining;
        if (go_on)
            wait_for(&r, -1);
    }
    free(s->audits);
    return 0;
}

static const struct nk_role_entry roles[] = {
    {"gate", NK_ROLE_GATE, gate_main},
    {"courier", NK_ROLE_COURIER, courier_main},
    {"scribe", NK_ROLE_SCRIBE, scribe_main},
};
