/* SPDX-License-Identifier: Apache-2.0
 *
 * merkle.c - the Merkle tree of RFC 9162 (section 2.1), kept as its right edge: the size's one-bits
 * say which perfect subtrees stand side by side, and adding a leaf is a binary increment with
 * hashing as the carry. A log of any length needs 2 KiB. Proofs are checked here by the algorithms
 * of sections 2.1.3.2 and 2.1.4.2; they are made in prover.c.
 */
#include "chain/merkle.h"

struct nk_digest nk_merkle_node(struct nk_digest left, struct nk_digest right)
{
    char in[1 + 2 * NK_SHA256_SIZE] = {1};
    memcpy(in + 1, left.b, NK_SHA256_SIZE);
    memcpy(in + 1 + NK_SHA256_SIZE, right.b, NK_SHA256_SIZE);
    return nk_sha256((struct nk_str){in, sizeof in});
}

void nk_merkle_init(struct nk_merkle *m)
{
    memset(m, 0, sizeof *m);
}

void nk_merkle_add(struct nk_merkle *m, struct nk_digest leaf)
{
    int level = 0;
    NK_MUST(m->size < UINT64_MAX);
    for (; m->size >> level & 1; level++)
        leaf = nk_merkle_node(m->edge[level], leaf);
    m->edge[level] = leaf;
    m->size++;
}

struct nk_digest nk_merkle_root(const struct nk_merkle *m)
{
    int level = 0;
    if (m->size == 0)
        return nk_sha256(NK_STR(""));
    while (!(m->size >> level & 1))
        level++;
    struct nk_digest root = m->edge[level];
    for (level++; level < 64; level++)
        if (m->size >> level & 1)
            root = nk_merkle_node(m->edge[level], root);
    return root;
}

int nk_merkle_verify(struct nk_digest leaf, uint64_t n, uint64_t size, const struct nk_digest *path,
                     size_t path_count, struct nk_digest root)
{
    if (n >= size || path_count > NK_MERKLE_PATH_MAX)
        return NK_EINVAL;
    uint64_t fn = n, sn = size - 1;
    struct nk_digest r = leaf;
    for (size_t i = 0; i < path_count; i++) {
        if (sn == 0)
            return NK_EINVAL;
        if (fn & 1 || fn == sn) {
            r = nk_merkle_node(path[i], r);
            for (; !(fn & 1) && fn; sn >>= 1)
                fn >>= 1;
        } else {
            r = nk_merkle_node(r, path[i]);
        }
        fn >>= 1;
        sn >>= 1;
    }
    if (sn != 0)
        return NK_EINVAL;
    return nk_digest_eq(r, root) ? 0 : NK_ECRYPTO;
}

/* Sizes that differ, neither zero: section 2.1.4.2, steps 2 to 6. `first` is the path's first
 * digest or the old root; `path` is what follows. */
static int verify_growth(uint64_t old_size, struct nk_digest old_root, uint64_t size,
                         struct nk_digest root, struct nk_digest first,
                         const struct nk_digest *path, size_t path_count)
{
    uint64_t fn = old_size - 1, sn = size - 1;
    struct nk_digest fr = first, sr = first;
    for (; fn & 1; sn >>= 1)
        fn >>= 1;
    for (size_t i = 0; i < path_count; i++) {
        if (sn == 0)
            return NK_EINVAL;
        if (fn & 1 || fn == sn) {
            fr = nk_merkle_node(path[i], fr);
            sr = nk_merkle_node(path[i], sr);
            for (; !(fn & 1) && fn; sn >>= 1)
                fn >>= 1;
        } else {
            sr = nk_merkle_node(sr, path[i]);
        }
        fn >>= 1;
        sn >>= 1;
    }
    if (sn != 0)
        return NK_EINVAL;
    return nk_digest_eq(fr, old_root) && nk_digest_eq(sr, root) ? 0 : NK_ECRYPTO;
}

int nk_merkle_verify_consistency(uint64_t old_size, struct nk_digest old_root, uint64_t size,
                                 struct nk_digest root, const struct nk_digest *path,
                                 size_t path_count)
{
    if (old_size > size || path_count > NK_MERKLE_PATH_MAX + 1)
        return NK_EINVAL;
    if (old_size == size || old_size == 0) {
        if (path_count)
            return NK_EINVAL;
        struct nk_digest same = old_size ? root : nk_sha256(NK_STR(""));
        if (size == 0 && !nk_digest_eq(root, same))
            return NK_ECRYPTO;
        return nk_digest_eq(old_root, same) ? 0 : NK_ECRYPTO;
    }
    if ((old_size & (old_size - 1)) == 0)
        return verify_growth(old_size, old_root, size, root, old_root, path, path_count);
    if (path_count == 0)
        return NK_EINVAL;
    return verify_growth(old_size, old_root, size, root, path[0], path + 1, path_count - 1);
}
