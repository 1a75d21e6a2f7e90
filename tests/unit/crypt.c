/* SPDX-License-Identifier: Apache-2.0
 *
 * crypt.c - published vectors: SHA-256 (FIPS 180-4 examples), Ed25519 (RFC 8032, section 7.1).
 */
#include "crypt/crypt.h"
#include "tap.h"

static bool is_hex(const void *p, size_t n, const char *hex)
{
    unsigned char want[64];
    return n <= sizeof want && nk_hex_decode(nk_str(hex), want, n) == 0 && memcmp(p, want, n) == 0;
}

static void test_sha256(void)
{
    static const char *const vectors[][2] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    for (size_t i = 0; i < NK_COUNT(vectors); i++) {
        struct nk_str s = nk_str(vectors[i][0]);
        struct nk_str parts[3] = {nk_str_sub(s, 0, 1), {NULL, 0}, nk_str_sub(s, 1, s.n)};
        struct nk_digest d[2] = {nk_sha256(s), nk_sha256_parts(parts, 3)};
        for (size_t k = 0; k < NK_COUNT(d); k++)
            tap_ok(is_hex(d[k].b, sizeof d[k].b, vectors[i][1]), "SHA-256 %zu, way %zu", i, k);
        TAP_CHECK(nk_digest_eq(d[0], d[1]));
        d[1].b[31] ^= 1;
        TAP_CHECK(!nk_digest_eq(d[0], d[1]));
    }
}

static void test_ed25519(void)
{
    static const char *const vectors[][4] = {
        {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
         "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701"
         "cf9b"
         "46bd25bf5f0595bbe24655141438e7a100b"},
        {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
         "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "r",
         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d"
         "0f11"
         "d8c387b2eaeb4302aeeb00d291612bb0c00"},
    };
    for (size_t i = 0; i < NK_COUNT(vectors); i++) {
        unsigned char seed[32], public_key[32], sig[64];
        struct nk_str message = nk_str(vectors[i][2]);
        TAP_CHECK(nk_hex_decode(nk_str(vectors[i][0]), seed, 32) == 0);
        TAP_CHECK(nk_ed25519_public(seed, public_key) == 0 &&
                  is_hex(public_key, 32, vectors[i][1]));
        TAP_CHECK(nk_ed25519_sign(seed, message, sig) == 0 && is_hex(sig, 64, vectors[i][3]));
        TAP_CHECK(nk_ed25519_verify(public_key, message, sig) == 0);
        sig[40] ^= 1;
        TAP_CHECK(nk_ed25519_verify(public_key, message, sig) == NK_ECRYPTO);
        sig[40] ^= 1;
        TAP_CHECK(nk_ed25519_verify(public_key, NK_STR("other"), sig) == NK_ECRYPTO);
    }
}

int main(void)
{
    test_sha256();
    test_ed25519();
    return tap_done();
}
