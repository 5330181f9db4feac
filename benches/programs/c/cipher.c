// Big straight-line functions: ChaCha20 with its 20 rounds unrolled, a 16-round Feistel cipher on 64-bit blocks, and
// Keccak-f[1600] with its 24 rounds unrolled in i64.
#include <string.h>

#include "bench.h"

#define ROL(x, n) ((x) << (n) | (x) >> (sizeof(x) * 8 - (n)))

#define QUARTER(a, b, c, d)                       \
    a += b, d ^= a, d = ROL(d, 16), c += d, b ^= c, b = ROL(b, 12), \
    a += b, d ^= a, d = ROL(d, 8), c += d, b ^= c, b = ROL(b, 7)
#define DOUBLE_ROUND                                                                                             \
    QUARTER(x0, x4, x8, x12), QUARTER(x1, x5, x9, x13), QUARTER(x2, x6, x10, x14), QUARTER(x3, x7, x11, x15),     \
        QUARTER(x0, x5, x10, x15), QUARTER(x1, x6, x11, x12), QUARTER(x2, x7, x8, x13), QUARTER(x3, x4, x9, x14)

static void chacha(const uint32_t in[16], uint32_t out[16]) {
    uint32_t x0 = in[0], x1 = in[1], x2 = in[2], x3 = in[3], x4 = in[4], x5 = in[5], x6 = in[6], x7 = in[7];
    uint32_t x8 = in[8], x9 = in[9], x10 = in[10], x11 = in[11], x12 = in[12], x13 = in[13], x14 = in[14], x15 = in[15];
    DOUBLE_ROUND, DOUBLE_ROUND, DOUBLE_ROUND, DOUBLE_ROUND, DOUBLE_ROUND;
    DOUBLE_ROUND, DOUBLE_ROUND, DOUBLE_ROUND, DOUBLE_ROUND, DOUBLE_ROUND;
    out[0] = x0 + in[0], out[1] = x1 + in[1], out[2] = x2 + in[2], out[3] = x3 + in[3];
    out[4] = x4 + in[4], out[5] = x5 + in[5], out[6] = x6 + in[6], out[7] = x7 + in[7];
    out[8] = x8 + in[8], out[9] = x9 + in[9], out[10] = x10 + in[10], out[11] = x11 + in[11];
    out[12] = x12 + in[12], out[13] = x13 + in[13], out[14] = x14 + in[14], out[15] = x15 + in[15];
}

static uint32_t boxes[4][256], keys[18];

#define F(x) (((boxes[0][(x) >> 24] + boxes[1][(x) >> 16 & 0xff]) ^ boxes[2][(x) >> 8 & 0xff]) + boxes[3][(x) & 0xff])
#define TWO(n) l ^= keys[n], r ^= F(l), r ^= keys[(n) + 1], l ^= F(r)

static void feistel(uint32_t *left, uint32_t *right) {
    uint32_t l = *left, r = *right;
    TWO(0), TWO(2), TWO(4), TWO(6), TWO(8), TWO(10), TWO(12), TWO(14);
    *left = r ^ keys[17];
    *right = l ^ keys[16];
}

#define THETA(c, y0, y1, y2, y3, y4) c = y0 ^ y1 ^ y2 ^ y3 ^ y4
#define ROW(p, q, r, s, t, v0, v1, v2, v3, v4) \
    p = v0 ^ (~v1 & v2), q = v1 ^ (~v2 & v3), r = v2 ^ (~v3 & v4), s = v3 ^ (~v4 & v0), t = v4 ^ (~v0 & v1)
#define KECCAK(constant)                                                                                           \
    do {                                                                                                           \
        uint64_t c0, c1, c2, c3, c4, d0, d1, d2, d3, d4, b0, b1, b2, b3, b4;                                       \
        uint64_t n0, n1, n2, n3, n4, n5, n6, n7, n8, n9, n10, n11, n12, n13, n14, n15, n16, n17, n18, n19;         \
        THETA(c0, a0, a5, a10, a15, a20);                                                                          \
        THETA(c1, a1, a6, a11, a16, a21);                                                                          \
        THETA(c2, a2, a7, a12, a17, a22);                                                                          \
        THETA(c3, a3, a8, a13, a18, a23);                                                                          \
        THETA(c4, a4, a9, a14, a19, a24);                                                                          \
        d0 = c4 ^ ROL(c1, 1), d1 = c0 ^ ROL(c2, 1), d2 = c1 ^ ROL(c3, 1), d3 = c2 ^ ROL(c4, 1), d4 = c3 ^ ROL(c0, 1); \
        b0 = a0 ^ d0, b1 = ROL(a6 ^ d1, 44), b2 = ROL(a12 ^ d2, 43), b3 = ROL(a18 ^ d3, 21), b4 = ROL(a24 ^ d4, 14); \
        ROW(n0, n1, n2, n3, n4, b0, b1, b2, b3, b4);                                                               \
        n0 ^= constant;                                                                                            \
        b0 = ROL(a3 ^ d3, 28), b1 = ROL(a9 ^ d4, 20), b2 = ROL(a10 ^ d0, 3), b3 = ROL(a16 ^ d1, 45), b4 = ROL(a22 ^ d2, 61); \
        ROW(n5, n6, n7, n8, n9, b0, b1, b2, b3, b4);                                                               \
        b0 = ROL(a1 ^ d1, 1), b1 = ROL(a7 ^ d2, 6), b2 = ROL(a13 ^ d3, 25), b3 = ROL(a19 ^ d4, 8), b4 = ROL(a20 ^ d0, 18); \
        ROW(n10, n11, n12, n13, n14, b0, b1, b2, b3, b4);                                                          \
        b0 = ROL(a4 ^ d4, 27), b1 = ROL(a5 ^ d0, 36), b2 = ROL(a11 ^ d1, 10), b3 = ROL(a17 ^ d2, 15), b4 = ROL(a23 ^ d3, 56); \
        ROW(n15, n16, n17, n18, n19, b0, b1, b2, b3, b4);                                                          \
        b0 = ROL(a2 ^ d2, 62), b1 = ROL(a8 ^ d3, 55), b2 = ROL(a14 ^ d4, 39), b3 = ROL(a15 ^ d0, 41), b4 = ROL(a21 ^ d1, 2); \
        ROW(a20, a21, a22, a23, a24, b0, b1, b2, b3, b4);                                                          \
        a0 = n0, a1 = n1, a2 = n2, a3 = n3, a4 = n4, a5 = n5, a6 = n6, a7 = n7, a8 = n8, a9 = n9;                   \
        a10 = n10, a11 = n11, a12 = n12, a13 = n13, a14 = n14, a15 = n15, a16 = n16, a17 = n17, a18 = n18, a19 = n19; \
    } while (0)

static void keccak(uint64_t s[25]) {
    uint64_t a0 = s[0], a1 = s[1], a2 = s[2], a3 = s[3], a4 = s[4], a5 = s[5], a6 = s[6], a7 = s[7], a8 = s[8];
    uint64_t a9 = s[9], a10 = s[10], a11 = s[11], a12 = s[12], a13 = s[13], a14 = s[14], a15 = s[15], a16 = s[16];
    uint64_t a17 = s[17], a18 = s[18], a19 = s[19], a20 = s[20], a21 = s[21], a22 = s[22], a23 = s[23], a24 = s[24];
    KECCAK(0x0000000000000001u); KECCAK(0x0000000000008082u); KECCAK(0x800000000000808au); KECCAK(0x8000000080008000u);
    KECCAK(0x000000000000808bu); KECCAK(0x0000000080000001u); KECCAK(0x8000000080008081u); KECCAK(0x8000000000008009u);
    KECCAK(0x000000000000008au); KECCAK(0x0000000000000088u); KECCAK(0x0000000080008009u); KECCAK(0x000000008000000au);
    KECCAK(0x000000008000808bu); KECCAK(0x800000000000008bu); KECCAK(0x8000000000008089u); KECCAK(0x8000000000008003u);
    KECCAK(0x8000000000008002u); KECCAK(0x8000000000000080u); KECCAK(0x000000000000800au); KECCAK(0x800000008000000au);
    KECCAK(0x8000000080008081u); KECCAK(0x8000000000008080u); KECCAK(0x0000000080000001u); KECCAK(0x8000000080008008u);
    s[0] = a0, s[1] = a1, s[2] = a2, s[3] = a3, s[4] = a4, s[5] = a5, s[6] = a6, s[7] = a7, s[8] = a8;
    s[9] = a9, s[10] = a10, s[11] = a11, s[12] = a12, s[13] = a13, s[14] = a14, s[15] = a15, s[16] = a16;
    s[17] = a17, s[18] = a18, s[19] = a19, s[20] = a20, s[21] = a21, s[22] = a22, s[23] = a23, s[24] = a24;
}

int main(int argc, char **argv) {
    uint32_t times = amount(argc, argv, 12000);
    uint32_t in[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}, out[16], sum = MIX_START;
    uint64_t sponge[25] = {0};
    for (int i = 4; i < 16; i++) in[i] = noise();
    for (int i = 0; i < 18; i++) keys[i] = noise();
    for (int b = 0; b < 4; b++)
        for (int i = 0; i < 256; i++) boxes[b][i] = noise();
    for (uint32_t t = 0; t < times; t++) {
        for (int i = 0; i < 8; i++) {
            in[12]++;
            chacha(in, out);
            for (int k = 0; k < 16; k += 2) feistel(&out[k], &out[k + 1]);
            sum = mix(sum, out[t % 16]);
        }
        for (int i = 0; i < 8; i++) sponge[i] ^= (uint64_t)out[2 * i] << 32 | out[2 * i + 1];
        keccak(sponge);
        keccak(sponge);
        sum = mix(sum, (uint32_t)sponge[0]);
    }
    printf("cipher %u: %08x %016llx\n", times, sum, (unsigned long long)sponge[24]);
    return 0;
}
