/* SPDX-License-Identifier: Apache-2.0
 *
 * arena.c - a list of blocks, newest first; an allocation is cut from the newest, or starts a new
 * block of at least 4 KiB. See arena.h.
 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_MIN = 4096, ALIGN = 16 };

struct nk_arena_block {
    struct nk_arena_block *next;
    size_t size; /* bytes of data[] */
    size_t used;
    size_t unused_; /* keeps data[] aligned to 16 */
    char data[];
};

void nk_arena_init(struct nk_arena *a, size_t ceiling)
{
    nk_arena_init_sized(a, ceiling, BLOCK_MIN);
}

void nk_arena_init_sized(struct nk_arena *a, size_t ceiling, size_t block)
{
    NK_MUST(ceiling > 0 && block >= BLOCK_MIN);
    *a = (struct nk_arena){.ceiling = ceiling, .block = block};
}

static struct nk_arena_block *block_new(struct nk_arena *a, size_t need)
{
    size_t left = a->ceiling - a->used, head = sizeof(struct nk_arena_block);
    if (left < head || need > left - head)
        return NULL;
    /* Close to the ceiling the last block is as small as it has to be. */
    size_t total = need + head > a->block ? need + head : left < a->block ? left : a->block;
    size_t size = total - head;
    struct nk_arena_block *b = malloc(total);
    if (!b)
        return NULL;
    *b = (struct nk_arena_block){.next = a->head, .size = size};
    a->head = b;
    a->used += total;
    return b;
}

/* What an allocation of `size` bytes takes; 0 when it is too large to say. */
static size_t rounded(size_t size)
{
    if (size > SIZE_MAX - ALIGN)
        return 0;
    return size ? (size + ALIGN - 1) & ~(size_t)(ALIGN - 1) : ALIGN;
}

NK_INLINE void *take(struct nk_arena *a, size_t size)
{
    struct nk_arena_block *b = a->head;
    if (!b || b->size - b->used < size) {
        b = block_new(a, size);
        if (!b)
            return NULL;
    }
    void *p = b->data + b->used;
    b->used += size;
    return p;
}

void *nk_arena_alloc(struct nk_arena *a, size_t size)
{
    size_t need = rounded(size);
    void *p = need ? take(a, need) : NULL;
    return p ? memset(p, 0, need) : NULL;
}

/* The newest block holds one allocation alone: the whole block grows, often without a copy. */
static void *block_grow(struct nk_arena *a, size_t need)
{
    struct nk_arena_block *b = a->head;
    size_t more = need - b->size;
    if (more > a->ceiling - a->used)
        return NULL;
    b = realloc(b, sizeof *b + need);
    if (!b)
        return NULL;
    b->size = b->used = need;
    a->head = b;
    a->used += more;
    return b->data;
}

void *nk_arena_resize(struct nk_arena *a, void *p, size_t old, size_t size)
{
    size_t need = rounded(size);
    if (!need || !p)
        return need ? take(a, need) : NULL;
    size_t had = rounded(old);
    struct nk_arena_block *b = a->head;
    NK_MUST(b && b->used >= had && (char *)p == b->data + b->used - had);
    if (b->size - (b->used - had) >= need) {
        b->used = b->used - had + need;
        return p;
    }
    if (b->used == had)
        return block_grow(a, need);
    void *to = take(a, need);
    if (!to)
        return NULL;
    b->used -= had;
    return memcpy(to, p, old);
}

void *nk_arena_array(struct nk_arena *a, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    return nk_arena_alloc(a, total);
}

struct nk_str nk_arena_copy(struct nk_arena *a, struct nk_str s)
{
    return nk_arena_join(a, &s, 1);
}

struct nk_str nk_arena_join(struct nk_arena *a, const struct nk_str *parts, size_t n)
{
    size_t total = 0;
    for (size_t i = 0; i < n; i++)
        if (__builtin_add_overflow(total, parts[i].n, &total))
            return (struct nk_str){NULL, 0};
    size_t need = total < SIZE_MAX ? rounded(total + 1) : 0;
    char *p = need ? take(a, need) : NULL;
    if (!p)
        return (struct nk_str){NULL, 0};
    p[total] = 0;
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        if (parts[i].n)
            memcpy(p + at, parts[i].p, parts[i].n);
        at += parts[i].n;
    }
    return (struct nk_str){p, total};
}

struct nk_str nk_arena_printf(struct nk_arena *a, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *p = n >= 0 ? nk_arena_alloc(a, (size_t)n + 1) : NULL;
    if (!p)
        return (struct nk_str){NULL, 0};
    va_start(args, fmt);
    vsnprintf(p, (size_t)n + 1, fmt, args);
    va_end(args);
    return (struct nk_str){p, (size_t)n};
}

void nk_arena_reset(struct nk_arena *a)
{
    struct nk_arena_block *keep = NULL;
    for (struct nk_arena_block *b = a->head, *next; b; b = next) {
        next = b->next;
        if (!next && b->size <= a->block)
            keep = b;
        else
            free(b);
    }
    a->head = keep;
    a->used = 0;
    if (keep) {
        keep->used = 0;
        a->used = keep->size + sizeof *keep;
    }
}

void nk_arena_free(struct nk_arena *a)
{
    for (struct nk_arena_block *b = a->head, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    a->head = NULL;
    a->used = 0;
}
