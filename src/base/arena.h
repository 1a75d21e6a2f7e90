/* SPDX-License-Identifier: Apache-2.0
 *
 * arena.h - memory that is given back all at once: one arena for each transaction, one for each
 * table that lives as long as a configuration. Nothing is freed one by one, so nothing is freed
 * twice. Not thread-safe (roles are single-threaded).
 */
#pragma once

#include "base/str.h"

struct nk_arena_block;

struct nk_arena {
    struct nk_arena_block *head; /* newest block */
    size_t used;                 /* bytes asked of the system so far */
    size_t ceiling;              /* most that `used` may become */
    size_t block;                /* size of an ordinary block, its header included */
};

/* Prepares an empty arena; takes no memory yet. `ceiling` in bytes, 1 or more. */
void nk_arena_init(struct nk_arena *a, size_t ceiling);
/* The same with blocks of `block` bytes (4096 or more) instead of 4096: for arenas that are reset and
 * used again, so that one block holds all that an ordinary use needs. */
void nk_arena_init_sized(struct nk_arena *a, size_t ceiling, size_t block);
/* `size` bytes, zeroed, aligned for any type; NULL when the ceiling or the system's memory is used
 * up. The memory lives until nk_arena_free or nk_arena_reset. */
void *nk_arena_alloc(struct nk_arena *a, size_t size) NK_CHECKED;
/* The same for `count` elements of `size` bytes each; NULL on overflow too. */
void *nk_arena_array(struct nk_arena *a, size_t count, size_t size) NK_CHECKED;
/* Makes the newest allocation of the arena, `p` of `old` bytes, `size` bytes long, and returns its
 * place, which may be a new one; NULL (and nothing changes) when memory is out. Bytes behind `old`
 * are not zeroed. With p == NULL it is an allocation that is not zeroed. */
void *nk_arena_resize(struct nk_arena *a, void *p, size_t old, size_t size) NK_CHECKED;
/* A private copy of `s`, NUL-terminated behind its n bytes; absent (p == NULL) when out of memory.
 */
struct nk_str nk_arena_copy(struct nk_arena *a, struct nk_str s) NK_CHECKED;
/* `n` slices put together in new memory; absent when out of memory. */
struct nk_str nk_arena_join(struct nk_arena *a, const struct nk_str *parts, size_t n) NK_CHECKED;
/* printf into the arena; absent when out of memory. */
struct nk_str nk_arena_printf(struct nk_arena *a, const char *fmt, ...) NK_PRINTF(2, 3) NK_CHECKED;
/* Gives everything back but keeps one block for the next use. */
void nk_arena_reset(struct nk_arena *a);
/* Gives everything back. The arena may be used again. */
void nk_arena_free(struct nk_arena *a);
