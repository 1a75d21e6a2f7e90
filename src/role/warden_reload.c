/* SPDX-License-Identifier: Apache-2.0
 *
 * warden_reload.c - all or nothing: every living role builds the next configuration beside the
 * running one and votes; only when all could does any of them run on it. A role that dies while it
 * votes has voted no. Roles that are down do not vote (a reload may be what mends them); they are
 * started on whatever came out. Messages are obeyed in order, so a PONG to a PING behind COMMIT says
 * that the role runs on it: only then does who asked hear "ok".
 */
#include <stdio.h>
#include "edge/notify.h"
#include "role/warden_own.h"

static void finish(struct warden *w, const char *answer)
{
    nk_loop_disarm(w->loop, &w->vote);
    nk_notify("READY=1");
    warden_client_answer(w, WARDEN_WAITS_RELOAD, answer);
    warden_upgrade_progress(w);
}

static void fail(struct warden *w, const char *who, const char *why)
{
    char text[512];
    snprintf(text, sizeof text, "error: %s%s%s\n", who, who[0] ? ": " : "", why);
    nk_log(NK_LOG_ERROR, "reload.failed", "%s%s%s; the configuration stays as it was", who,
           who[0] ? ": " : "", why);
    nk_stats_add(&w->stats, NK_STAT_RELOADS_FAILED, 1);
    finish(w, text);
}

/* Sends COMMIT or ABANDON to all who were asked. Couriers come before gates, so that most know the
 * new configuration when the first call of it arrives. */
static void tell_all(struct warden *w, enum nk_control_kind kind)
{
    static const enum nk_role order[] = {NK_ROLE_SCRIBE, NK_ROLE_RUNNER, NK_ROLE_COURIER,
                                         NK_ROLE_GATE};
    struct nk_control m;
    nk_control_init(&m, kind);
    m.generation = w->next->generation;
    for (size_t r = 0; r < NK_COUNT(order); r++) {
        struct warden_child *c;
        for (size_t i = 0; (c = warden_child_at(w, i)); i++)
            if (c->role == order[r] && warden_child_is_up(c))
                warden_child_send(c, &m);
    }
}

static void abandon(struct warden *w, const char *who, const char *why)
{
    struct warden_child *c;
    tell_all(w, NK_CONTROL_ABANDON);
    for (size_t i = 0; (c = warden_child_at(w, i)); i++)
        c->has_vote = false;
    warden_setup_free(w->next, w->setup);
    w->next = NULL;
    fail(w, who, why);
}

static bool is_awaited(struct warden *w)
{
    struct warden_child *c;
    for (size_t i = 0; (c = warden_child_at(w, i)); i++)
        if (c->has_vote)
            return true;
    return false;
}

static void done_when_all(struct warden *w)
{
    char text[64];
    if (!w->is_committing || is_awaited(w))
        return;
    w->is_committing = false;
    nk_log(NK_LOG_INFO, "reload.done", "configuration %u runs", w->setup->generation);
    snprintf(text, sizeof text, "ok: configuration %u runs\n", w->setup->generation);
    finish(w, text);
}

static void commit_when_all(struct warden *w)
{
    struct warden_child *c;
    struct nk_control ping;
    if (is_awaited(w))
        return;
    struct warden_setup *old = w->setup;
    tell_all(w, NK_CONTROL_COMMIT);
    w->setup = w->next;
    w->next = NULL;
    w->is_committing = true;
    warden_setup_free(old, w->setup);
    nk_log_set_level(nk_log_level_parse(w->setup->config.log_level));
    warden_ticket_turn(w);
    nk_stats_add(&w->stats, NK_STAT_RELOADS_OK, 1);
    nk_stats_set(&w->stats, NK_STAT_GENERATION, w->setup->generation);
    nk_control_init(&ping, NK_CONTROL_PING);
    for (size_t i = 0; (c = warden_child_at(w, i)); i++) {
        c->has_vote = warden_child_is_up(c);
        if (c->has_vote)
            warden_child_send(c, &ping);
    }
    warden_follow_runner(w);
    done_when_all(w);
}

void warden_reload_pong(struct warden_child *c)
{
    if (c->warden->is_committing) {
        c->has_vote = false;
        done_when_all(c->warden);
    }
}

void warden_reload_end(struct warden *w)
{
    warden_setup_free(w->next, w->setup);
    w->next = NULL;
    w->is_committing = false;
    if (w->loop)
        nk_loop_disarm(w->loop, &w->vote);
}

bool warden_reload_runs(const struct warden *w)
{
    return w->next || w->is_committing;
}

/* Must it wait, or can it not be at all? */
static bool is_busy(struct warden *w)
{
    w->is_reload_wanted = w->phase == WARDEN_RUN && warden_upgrade_runs(w);
    if (w->is_reload_wanted)
        nk_log(NK_LOG_INFO, "reload.later", "an upgrade runs: the reload comes behind it");
    else if (warden_reload_runs(w) || w->phase != WARDEN_RUN)
        nk_log(NK_LOG_WARNING, "reload.busy", "not now: nakoso starts, stops or reloads already");
    else
        return false;
    if (w->phase != WARDEN_RUN)
        warden_client_answer(w, WARDEN_WAITS_RELOAD, "error: nakoso starts or stops\n");
    return true; /* who asks during a reload gets the answer of that one */
}

void warden_reload(struct warden *w, struct warden_client *client)
{
    struct nk_fault f = {0};
    struct warden_child *c;
    if (client)
        client->waits = WARDEN_WAITS_RELOAD;
    if (is_busy(w))
        return;
    char state[64];
    snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)nk_loop_now(w->loop));
    nk_notify(state);
    w->next = warden_setup_load(w, w->setup, &f);
    if (!w->next) {
        fail(w, "", f.message);
        return;
    }
    for (size_t i = 0; (c = warden_child_at(w, i)); i++) {
        struct nk_control m;
        c->has_vote = warden_child_is_up(c);
        if (!c->has_vote)
            continue;
        nk_control_init(&m, NK_CONTROL_PREPARE);
        warden_setup_fill(w->next, c, &m);
        warden_child_send(c, &m);
    }
    if (nk_loop_arm(w->loop, &w->vote, WARDEN_VOTE_MS * 1000LL))
        abandon(w, "warden", "out of memory");
    else
        commit_when_all(w);
}

static void name_of(const struct warden_child *c, char out[32])
{
    if (warden_child_is_single(c))
        snprintf(out, 32, "%s", nk_role_name(c->role));
    else
        snprintf(out, 32, "%s %u", nk_role_name(c->role), c->slot);
}

void warden_reload_vote(struct warden_child *c, const struct nk_control *m)
{
    struct warden *w = c->warden;
    char name[32];
    if (c->role == NK_ROLE_SCRIBE && warden_upgrade_runs(w))
        warden_upgrade_vote(w);
    if (!w->next || !c->has_vote || m->generation != w->next->generation)
        return;
    name_of(c, name);
    c->has_vote = false;
    if (m->code)
        abandon(w, name, m->text);
    else
        commit_when_all(w);
}

void warden_reload_death(struct warden_child *c)
{
    char name[32];
    name_of(c, name);
    warden_reload_pong(c); /* its successor starts on the new configuration */
    if (c->warden->next)
        abandon(c->warden, name, "ended while it prepared the new configuration");
}

void warden_reload_timeout(struct nk_timer *t)
{
    struct warden *w = NK_OF(t, struct warden, vote);
    struct warden_child *c;
    if (w->next)
        abandon(w, "warden", "a role did not answer in time");
    for (size_t i = 0; w->is_committing && (c = warden_child_at(w, i)); i++)
        warden_reload_pong(c); /* the watch over silent roles will see to it */
}
