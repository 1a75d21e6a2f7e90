/* SPDX-License-Identifier: Apache-2.0
 *
 * roca.c - the fingerprint of RSA moduli made by a faulty chip library (CVE-2017-15361; Nemec et
 * al., "The Return of Coppersmith's Attack", CCS 2017, section 3.1): modulo each small prime, such
 * a modulus is a power of 65537. A sound modulus passes for one by chance once in 2^27 or less.
 */
#include "crypt/jwk.h"

enum { GENERATOR = 65537 };

static unsigned modulo(struct nk_str number, unsigned prime)
{
    unsigned rest = 0;
    for (size_t i = 0; i < number.n; i++)
        rest = (rest << 8 | (unsigned char)number.p[i]) % prime;
    return rest;
}

static bool is_power_modulo(unsigned rest, unsigned prime)
{
    unsigned power = 1;
    do {
        if (power == rest)
            return true;
        power = power * (GENERATOR % prime) % prime;
    } while (power != 1);
    return false;
}

bool nk_is_roca_modulus(struct nk_str modulus)
{
    static const unsigned char primes[] = {
        3,  5,  7,  11, 13, 17,  19,  23,  29,  31,  37,  41,  43,  47,  53,  59,  61,  67,  71,
        73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
    };
    for (size_t i = 0; i < sizeof primes; i++)
        if (!is_power_modulo(modulo(modulus, primes[i]), primes[i]))
            return false;
    return modulus.n > 0;
}
