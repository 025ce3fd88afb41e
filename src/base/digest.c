/* base/digest.c -- see digest.h. */
#include "base/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

static uint32_t rotate_left(uint32_t x, int n)
{
    return x << n | x >> (32 - n);
}

static uint32_t rotate_right(uint32_t x, int n)
{
    return rotate_left(x, 32 - n);
}

/* FIPS 180-4, section 4.2.2: fractional parts of the cube roots of the first 64 primes. */
static const uint32_t sha256_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static void sha256_block(uint32_t state[8], const uint8_t *block)
{
    uint32_t w[64], s[8];
    for (size_t i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 |
               block[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        const uint32_t a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + (rotate_right(a, 7) ^ rotate_right(a, 18) ^ a >> 3) + w[i - 7] +
               (rotate_right(b, 17) ^ rotate_right(b, 19) ^ b >> 10);
    }
    memcpy(s, state, sizeof s);
    for (int i = 0; i < 64; i++) {
        const uint32_t choice = (s[4] & s[5]) ^ (~s[4] & s[6]),
                       majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
        const uint32_t t1 = s[7] + (rotate_right(s[4], 6) ^ rotate_right(s[4], 11) ^ rotate_right(s[4], 25)) + choice +
                            sha256_constants[i] + w[i];
        const uint32_t t2 = (rotate_right(s[0], 2) ^ rotate_right(s[0], 13) ^ rotate_right(s[0], 22)) + majority;
        memmove(s + 1, s, 7 * sizeof *s);
        s[4] += t1;
        s[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++) state[i] += s[i];
}

static void md5_block(uint32_t state[8], const uint8_t *block)
{
    static const int turns[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
    uint32_t w[16], a = state[0], b = state[1], c = state[2], d = state[3];
    for (size_t i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i + 3] << 24 | (uint32_t)block[4 * i + 2] << 16 | (uint32_t)block[4 * i + 1] << 8 |
               block[4 * i];
    for (int i = 0; i < 64; i++) {
        const int round = i / 16;
        const uint32_t mixed = round == 0   ? (b & c) | (~b & d)
                               : round == 1 ? (d & b) | (~d & c)
                               : round == 2 ? b ^ c ^ d
                                            : c ^ (b | ~d);
        const int word = round == 0 ? i : round == 1 ? (5 * i + 1) % 16 : round == 2 ? (3 * i + 5) % 16 : 7 * i % 16;
        const uint32_t constant = (uint32_t)(fabs(sin(i + 1.0)) * 4294967296.0); /* RFC 1321, section 3.4 */
        const uint32_t sum = a + mixed + w[word] + constant;
        a = d;
        d = c;
        c = b;
        b += rotate_left(sum, turns[round][i % 4]);
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
}

struct digest digest_open(enum digest_kind kind)
{
    static const uint32_t sha256[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                       0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    static const uint32_t md5[8] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    struct digest digest = {.kind = kind};
    memcpy(digest.state, kind == DIGEST_SHA256 ? sha256 : md5, sizeof digest.state);
    return digest;
}

static void add_block(struct digest *digest, const uint8_t *block)
{
    if (digest->kind == DIGEST_SHA256)
        sha256_block(digest->state, block);
    else
        md5_block(digest->state, block);
}

void digest_add(struct digest *digest, const void *bytes, size_t count)
{
    const uint8_t *from = bytes;
    size_t used = (size_t)(digest->length % 64);
    digest->length += count;
    while (count > 0) {
        if (used == 0 && count >= 64) {
            add_block(digest, from);
            from += 64;
            count -= 64;
            continue;
        }
        const size_t part = count < 64 - used ? count : 64 - used;
        memcpy(digest->block + used, from, part);
        from += part;
        count -= part;
        used = (used + part) % 64;
        if (used == 0) add_block(digest, digest->block);
    }
}

void digest_close(struct digest *digest, char text[DIGEST_TEXT])
{
    const bool sha256 = digest->kind == DIGEST_SHA256;
    const uint64_t bits = digest->length * 8;
    uint8_t tail[72] = {0x80};
    const size_t padding = 1 + (119 - (size_t)(digest->length % 64)) % 64;
    for (int i = 0; i < 8; i++) tail[padding + (size_t)i] = (uint8_t)(bits >> 8 * (sha256 ? 7 - i : i));
    digest_add(digest, tail, padding + 8);
    for (size_t i = 0; i < (sha256 ? 8 : 4); i++) {
        const uint32_t word = digest->state[i];
        const uint32_t shown = sha256 ? word : word << 24 | (word & 0xFF00) << 8 | (word >> 8 & 0xFF00) | word >> 24;
        snprintf(text + 8 * i, 9, "%08x", shown);
    }
}

int digest_file(enum digest_kind kind, const char *path, struct stop stop, char text[DIGEST_TEXT], struct error *error)
{
    struct digest digest = digest_open(kind);
    uint8_t block[65536];
    int descriptor;
    int status = file_open(path, O_RDONLY, &descriptor, NULL, error);
    if (status) return status;
    while (!status) {
        const ssize_t count = stop_is_asked(stop) ? -1 : read(descriptor, block, sizeof block);
        if (stop_is_asked(stop))
            status = stop_error(error, path);
        else if (count < 0 && errno != EINTR)
            status = error_set(error, SIMCLR_IO, "%s: cannot be read to its end: %s", path, strerror(errno));
        if (count == 0) break;
        if (!status && count > 0) digest_add(&digest, block, (size_t)count);
    }
    close(descriptor);
    if (status) return status;
    digest_close(&digest, text);
    return SIMCLR_OK;
}
