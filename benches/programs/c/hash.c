// Hash functions over a buffer: CRC-32 by table, SipHash-2-4 and a 64-bit multiply-rotate hash in four lanes (i64),
// Adler-32, and MurmurHash3's 32-bit form.
#include <string.h>

#include "bench.h"

static uint32_t table[256];

static uint32_t crc32(const uint8_t *data, uint32_t length) {
    uint32_t crc = ~0u;
    for (uint32_t i = 0; i < length; i++) crc = crc >> 8 ^ table[(crc ^ data[i]) & 0xff];
    return ~crc;
}

static uint64_t rotate(uint64_t x, int by) { return x << by | x >> (64 - by); }

static uint64_t word(const uint8_t *at) {
    uint64_t value;
    memcpy(&value, at, 8);
    return value;
}

static inline void sip_round(uint64_t v[4]) {
    v[0] += v[1], v[1] = rotate(v[1], 13) ^ v[0], v[0] = rotate(v[0], 32);
    v[2] += v[3], v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3], v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1], v[1] = rotate(v[1], 17) ^ v[2], v[2] = rotate(v[2], 32);
}

static uint64_t siphash(const uint8_t *data, uint32_t length, uint64_t k0, uint64_t k1) {
    uint64_t v[4] = {k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du, k0 ^ 0x6c7967656e657261u, k1 ^ 0x7465646279746573u};
    uint32_t at = 0;
    for (; at + 8 <= length; at += 8) {
        uint64_t m = word(data + at);
        v[3] ^= m;
        sip_round(v), sip_round(v);
        v[0] ^= m;
    }
    uint64_t last = (uint64_t)length << 56;
    for (uint32_t i = 0; at + i < length; i++) last |= (uint64_t)data[at + i] << (8 * i);
    v[3] ^= last;
    sip_round(v), sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 4; i++) sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static uint64_t lanes(const uint8_t *data, uint32_t length) {
    const uint64_t P = 0x9e3779b185ebca87u, Q = 0xc2b2ae3d27d4eb4fu;
    uint64_t a = P + Q, b = Q, c = 0, d = -P;
    for (uint32_t at = 0; at + 32 <= length; at += 32) {
        a = rotate(a + word(data + at) * Q, 31) * P;
        b = rotate(b + word(data + at + 8) * Q, 31) * P;
        c = rotate(c + word(data + at + 16) * Q, 31) * P;
        d = rotate(d + word(data + at + 24) * Q, 31) * P;
    }
    uint64_t h = rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18) + length;
    h = (h ^ h >> 33) * Q;
    return h ^ h >> 29;
}

static uint32_t adler32(const uint8_t *data, uint32_t length) {
    uint32_t low = 1, high = 0;
    while (length) {
        uint32_t part = length < 5552 ? length : 5552;
        length -= part;
        while (part--) low += *data++, high += low;
        low %= 65521, high %= 65521;
    }
    return high << 16 | low;
}

static uint32_t murmur(const uint8_t *data, uint32_t length, uint32_t seed) {
    uint32_t h = seed;
    for (uint32_t at = 0; at + 4 <= length; at += 4) {
        uint32_t k;
        memcpy(&k, data + at, 4);
        k *= 0xcc9e2d51u;
        k = k << 15 | k >> 17;
        h ^= k * 0x1b873593u;
        h = (h << 13 | h >> 19) * 5 + 0xe6546b64u;
    }
    h ^= length;
    h = (h ^ h >> 16) * 0x85ebca6bu;
    h = (h ^ h >> 13) * 0xc2b2ae35u;
    return h ^ h >> 16;
}

enum { SIZE = 65536 };
static uint8_t buffer[SIZE];

int main(int argc, char **argv) {
    uint32_t times = amount(argc, argv, 320);
    for (uint32_t i = 0; i < 256; i++) {
        table[i] = i;
        for (int bit = 0; bit < 8; bit++) table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xedb88320u : 0);
    }
    for (uint32_t i = 0; i < SIZE; i++) buffer[i] = (uint8_t)noise();
    uint32_t sum = MIX_START;
    for (uint32_t t = 0; t < times; t++) {
        uint32_t length = SIZE - t * 13;
        sum = mix(sum, crc32(buffer, length));
        uint64_t sip = siphash(buffer, length, sum, t), wide = 0;
        for (int i = 0; i < 3; i++) wide ^= lanes(buffer + i * 8, length - 64);
        sum = mix(mix(sum, (uint32_t)sip), (uint32_t)(sip >> 32));
        sum = mix(mix(sum, (uint32_t)wide), (uint32_t)(wide >> 32));
        sum = mix(sum, adler32(buffer, length));
        sum = mix(sum, murmur(buffer, length, t));
        buffer[t] ^= (uint8_t)sum;
    }
    printf("hash %u: %08x\n", times, sum);
    return 0;
}
