/* SPDX-License-Identifier: Apache-2.0
 *
 * warden_replace.c - from one binary to the next, second half: the new one, which found the roles of
 * the old one at work. It starts a new pair beside each, on the same listening sockets, whose queues
 * of connections are therefore never without a reader. Only when all are ready do the old gates stop
 * to accept and finish what they have; then their couriers end; then the scribe gives way to its
 * successor on the same rings.
 *
 *     SET -> START --all ready--> LEAVE --all gone--> SCRIBE --ready--> done
 *       \------\--one is not--> UNDO --new ones gone--> exec of the old binary
 *
 * Until LEAVE the old pairs were not touched, so there is a way back: the old binary is still open,
 * and takes over in the same manner. What of the old pairs dies meanwhile is not started again: its
 * successor is on its way.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "role/warden_own.h"

static void arm(struct warden *w, int64_t ms)
{
    if (nk_loop_arm(w->loop, &w->upgrade.timer, ms * 1000))
        warden_stop(w, 1);
}

static bool is_all(const struct warden *w, const struct warden_pair *pairs,
                   enum warden_child_state state)
{
    for (uint32_t i = 0; i < w->workers && pairs; i++)
        if (pairs[i].gate.state != state || pairs[i].courier.state != state)
            return false;
    return true;
}

/* Gates first: a courier has nothing to do when its gate is gone. */
static void leave(struct warden *w, struct warden_pair *pairs)
{
    for (uint32_t i = 0; i < w->workers && pairs; i++)
        if (pairs[i].gate.state == WARDEN_DOWN && warden_child_is_up(&pairs[i].courier))
            warden_child_drain(&pairs[i].courier, WARDEN_COURIER_GRACE_MS);
}

static void kill_all(struct warden *w, struct warden_pair *pairs)
{
    for (uint32_t i = 0; i < w->workers && pairs; i++) {
        warden_child_kill(&pairs[i].gate);
        warden_child_kill(&pairs[i].courier);
    }
}

static struct warden_pair *forget(struct warden *w, struct warden_pair *pairs)
{
    for (uint32_t i = 0; i < w->workers && pairs; i++)
        warden_ring_close(&pairs[i]);
    free(pairs);
    return NULL;
}

/* The way back -----------------------------------------------------------------------------------
 */

static void go_back(struct warden *w)
{
    struct warden_upgrade *u = &w->upgrade;
    w->pairs = forget(w, w->pairs);
    if (u->setup) {
        warden_setup_free(w->setup, u->setup);
        w->setup = u->setup;
        u->setup = NULL;
        w->turn = !w->turn;
    }
    u->is_undone = true;
    int rc = u->binary < 0 ? NK_ENOTFOUND : warden_upgrade_exec(w, w->outgoing);
    nk_log(NK_LOG_ERROR, "upgrade.lost", "neither forward nor back: %s", nk_error_name(rc));
    warden_stop(w, 1);
}

static void undo(struct warden *w, const char *why)
{
    struct warden_upgrade *u = &w->upgrade;
    if (u->stage == WARDEN_UPGRADE_UNDO)
        return;
    u->stage = WARDEN_UPGRADE_UNDO;
    snprintf(u->why, sizeof u->why, "nakoso %s does not come up: %s", NK_VERSION, why);
    nk_log(NK_LOG_ERROR, "upgrade.undo", "%s; nakoso %s comes back", u->why, u->version);
    for (uint32_t i = 0; i < w->workers && w->pairs; i++) {
        struct warden_child *both[] = {&w->pairs[i].gate, &w->pairs[i].courier};
        for (size_t k = 0; k < NK_COUNT(both); k++) {
            nk_loop_disarm(w->loop, &both[k]->restart);
            if (both[k]->state == WARDEN_STARTING)
                warden_child_kill(both[k]);
        }
        if (both[0]->state == WARDEN_READY) /* clients may have come already */
            warden_child_drain(both[0], warden_grace(w));
    }
    arm(w, warden_grace(w) + WARDEN_KILL_AFTER_MS);
    warden_replace_progress(w);
}

/* Forward ----------------------------------------------------------------------------------------
 */

static void start_pairs(struct warden *w)
{
    w->upgrade.stage = WARDEN_UPGRADE_START;
    for (uint32_t i = 0; i < w->workers; i++) {
        warden_ring_announce(&w->pairs[i].gate);
        warden_child_start(&w->pairs[i].courier);
        warden_child_start(&w->pairs[i].gate);
    }
}

/* Before the first record names the policies of a configuration, the scribe keeps them. An old one
 * may not understand what the new binary says; then its successor does it, at its start. */
static void keep_set(struct warden *w)
{
    struct nk_control m;
    w->upgrade.stage = WARDEN_UPGRADE_SET;
    arm(w, w->options.patience_ms);
    if (w->scribe.state == WARDEN_DOWN)
        warden_child_start(&w->scribe);
    nk_control_init(&m, NK_CONTROL_PREPARE);
    warden_setup_fill(w->setup, &w->scribe, &m);
    if (w->scribe.is_outgoing)
        warden_child_send(&w->scribe, &m);
}

void warden_upgrade_vote(struct warden *w)
{
    struct nk_control m;
    if (w->upgrade.stage != WARDEN_UPGRADE_SET)
        return;
    nk_control_init(&m, NK_CONTROL_ABANDON);
    m.generation = w->setup->generation;
    warden_child_send(&w->scribe, &m);
    start_pairs(w);
}

/* All new pairs are ready: there is no way back from here. */
static void commit(struct warden *w)
{
    struct warden_upgrade *u = &w->upgrade;
    u->stage = WARDEN_UPGRADE_LEAVE;
    warden_setup_free(u->setup, w->setup);
    u->setup = NULL;
    close(u->binary);
    u->binary = -1;
    nk_log(NK_LOG_INFO, "upgrade.leave", "nakoso %s has %lld ms to finish", u->version,
           (long long)warden_grace(w));
    arm(w, warden_grace(w) + WARDEN_KILL_AFTER_MS);
    for (uint32_t i = 0; i < w->workers; i++)
        if (warden_child_is_up(&w->outgoing[i].gate))
            warden_child_drain(&w->outgoing[i].gate, warden_grace(w));
    warden_gauges(w);
    warden_replace_progress(w);
}

static void replace_scribe(struct warden *w)
{
    w->outgoing = forget(w, w->outgoing);
    w->upgrade.stage = WARDEN_UPGRADE_SCRIBE;
    arm(w, w->options.patience_ms);
    if (w->scribe.is_outgoing && warden_child_is_up(&w->scribe))
        warden_child_drain(&w->scribe, 0);
    warden_replace_progress(w);
}

static void done(struct warden *w)
{
    char text[128];
    nk_log(NK_LOG_INFO, "upgrade.done", "nakoso %s serves in place of %s, configuration %u",
           NK_VERSION, w->upgrade.version, w->setup->generation);
    nk_stats_add(&w->stats, NK_STAT_UPGRADES_OK, 1);
    snprintf(text, sizeof text, "ok: nakoso %s serves, configuration %u\n", NK_VERSION,
             w->setup->generation);
    warden_upgrade_over(w, text);
}

void warden_replace_progress(struct warden *w)
{
    bool has_new_scribe = w->scribe.state == WARDEN_READY && !w->scribe.is_outgoing;
    switch (w->upgrade.stage) {
    case WARDEN_UPGRADE_SET:
        if (has_new_scribe)
            start_pairs(w);
        break;
    case WARDEN_UPGRADE_START:
        if (is_all(w, w->pairs, WARDEN_READY))
            commit(w);
        break;
    case WARDEN_UPGRADE_LEAVE:
        leave(w, w->outgoing);
        if (is_all(w, w->outgoing, WARDEN_DOWN))
            replace_scribe(w);
        break;
    case WARDEN_UPGRADE_SCRIBE:
        if (has_new_scribe)
            done(w);
        break;
    case WARDEN_UPGRADE_UNDO:
        leave(w, w->pairs);
        if (is_all(w, w->pairs, WARDEN_DOWN))
            go_back(w);
        break;
    default:
        break;
    }
}

static void late(struct nk_timer *t)
{
    struct warden *w = NK_OF(t, struct warden, upgrade.timer);
    switch (w->upgrade.stage) {
    case WARDEN_UPGRADE_SET:
    case WARDEN_UPGRADE_START:
        undo(w, "not every role was ready in time");
        break;
    case WARDEN_UPGRADE_LEAVE:
        kill_all(w, w->outgoing);
        break;
    case WARDEN_UPGRADE_UNDO:
        kill_all(w, w->pairs);
        break;
    default:
        if (w->scribe.is_outgoing) { /* its successor finds in the rings what it leaves */
            warden_child_kill(&w->scribe);
            arm(w, w->options.patience_ms);
        } else {
            warden_upgrade_fail(w, "the new scribe does not come up, and is tried again");
        }
    }
}

/* Death ------------------------------------------------------------------------------------------
 */

/* An old gate without its courier answers what it has, and goes. */
static void leave_alone(struct warden_child *gate)
{
    if (gate->state == WARDEN_DOWN)
        return;
    warden_ring_renew(&warden_child_pair(gate)->courier);
    warden_child_drain(gate, WARDEN_KILL_AFTER_MS);
}

static void is_gone(struct warden_child *c)
{
    nk_stats_retire(c->warden->stats_fd, c->page);
    if (c->role == NK_ROLE_GATE)
        warden_ring_ended(c);
}

bool warden_upgrade_death(struct warden_child *c)
{
    struct warden *w = c->warden;
    enum warden_upgrade_stage stage = w->upgrade.stage;
    if (w->phase != WARDEN_RUN || stage < WARDEN_UPGRADE_SET)
        return false;
    if (c->role == NK_ROLE_SCRIBE) {
        if (stage != WARDEN_UPGRADE_SCRIBE || !c->is_outgoing)
            return false;
        warden_child_start(c);
        return true;
    }
    bool has_begun = stage == WARDEN_UPGRADE_LEAVE || stage == WARDEN_UPGRADE_SCRIBE;
    if (has_begun && !c->is_outgoing)
        return false;
    is_gone(c);
    if (c->is_outgoing && c->role == NK_ROLE_COURIER)
        leave_alone(&warden_child_pair(c)->gate);
    else if (!c->is_outgoing)
        undo(w, c->role == NK_ROLE_GATE ? "a gate ended; see the log"
                                        : "a courier ended; see the log");
    return true;
}

/* Birth ------------------------------------------------------------------------------------------
 */

static int adopt_stats(struct warden *w)
{
    bool is_same = w->upgrade.layout == nk_stats_layout();
    if (!is_same) { /* it counts other things: counters begin anew */
        close(w->stats_fd);
        w->stats_fd = nk_stats_create();
    }
    if (w->stats_fd < 0 ||
        nk_stats_open(&w->stats, w->stats_fd, nk_stats_page(NK_ROLE_WARDEN, 0, 0)))
        return NK_EIO;
    nk_stats_set(&w->stats, NK_STAT_STARTED, (uint64_t)w->upgrade.started);
    return 0;
}

int warden_adopt(struct warden *w, struct nk_fault *f)
{
    struct warden_child *c;
    int rc = warden_state_share(w, w->outgoing, false);
    prctl(PR_SET_NAME, "nakoso", 0, 0, 0); /* exec of an open file has named it by a number */
    w->upgrade.timer.fire = late;
    if (w->upgrade.binary >= 0 && fcntl(w->upgrade.binary, F_SETFD, FD_CLOEXEC))
        rc = NK_EIO;
    if (!rc)
        rc = adopt_stats(w);
    for (size_t i = 0; !rc && (c = warden_child_at(w, i)); i++)
        if (c->state != WARDEN_DOWN)
            (void)!warden_child_adopt(c); /* one that cannot be is dead now */
    if (!rc)
        rc = warden_ticket_begin(w);
    if (!rc)
        rc = warden_client_adopt(w);
    w->phase = WARDEN_RUN;
    return rc ? nk_fault_set(f, rc, "upgrade", 0, "what nakoso %s left cannot be taken over: %s",
                             w->upgrade.version, strerror(errno))
              : 0;
}

/* This binary had been left, and is back: everything is as it was. */
static void resume(struct warden *w)
{
    struct nk_fault f = {0};
    struct warden_child *c;
    w->pairs = w->outgoing;
    w->outgoing = NULL;
    if (warden_setup_unseal(w->setup, &f)) {
        nk_log(NK_LOG_ERROR, "upgrade.lost", "%s", f.message);
        warden_stop(w, 1);
        return;
    }
    nk_log_set_level(nk_log_level_parse(w->setup->config.log_level));
    nk_stats_set(&w->stats, NK_STAT_GENERATION, w->setup->generation);
    for (size_t i = 0; (c = warden_child_at(w, i)); i++)
        c->is_outgoing = false;
    warden_upgrade_fail(w, w->upgrade.why);
    for (size_t i = 0; (c = warden_child_at(w, i)); i++)
        if (c->state == WARDEN_DOWN) {
            warden_ring_renew(c);
            warden_child_start(c);
        }
}

void warden_upgrade_begin(struct warden *w)
{
    struct nk_fault f = {0};
    if (warden_mail_begin(w))
        nk_log(NK_LOG_ERROR, "warden.mail", "gates cannot tell each other anything: %s",
               strerror(errno));
    if (w->upgrade.is_undone) {
        resume(w);
        return;
    }
    struct warden_setup *next = warden_setup_load(w, w->setup, &f);
    if (!next) {
        undo(w, f.message);
        return;
    }
    w->upgrade.setup = w->setup;
    w->setup = next;
    w->turn = !w->turn;
    nk_log_set_level(nk_log_level_parse(next->config.log_level));
    nk_stats_set(&w->stats, NK_STAT_GENERATION, next->generation);
    if (warden_pairs_begin(w))
        undo(w, "no memory for its rings");
    else
        keep_set(w);
    warden_gauges(w);
}
