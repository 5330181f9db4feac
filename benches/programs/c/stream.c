// Streams of memory: copy, scale, add and triad over f64 arrays larger than a first-level cache, the same on words of
// 64 bits, and memcpy, memmove, memset and memcmp of many sizes.
#include <string.h>

#include "bench.h"

enum { N = 40000 };
static double a[N], b[N], c[N];
static uint64_t u[N], v[N];
static uint8_t bytes[1 << 18], other[1 << 18];

static void doubles(double scale) {
    for (int i = 0; i < N; i++) c[i] = a[i];
    for (int i = 0; i < N; i++) b[i] = scale * c[i];
    for (int i = 0; i < N; i++) c[i] = a[i] + b[i];
    for (int i = 0; i < N; i++) a[i] = b[i] + scale * c[i];
}

static uint64_t words(uint64_t key) {
    uint64_t sum = 0;
    for (int i = 0; i < N; i++) v[i] = u[i] ^ key;
    for (int i = 0; i < N; i++) u[i] = (v[i] << 1 | v[i] >> 63) + key;
    for (int i = 0; i < N; i++) sum += u[i];
    return sum;
}

static uint32_t blocks(uint32_t turn) {
    uint32_t sum = 0;
    for (uint32_t size = 3; size < sizeof bytes; size = size * 2 + 5) {
        for (uint32_t at = 0; at + size <= sizeof bytes && at < 64 * 64; at += 64 + size / 8) {
            memcpy(other + at, bytes + at, size);
            memmove(bytes + at, bytes + at / 2, size);
            memset(other + at, (int)(turn + size), size / 4);
            sum += memcmp(bytes, other, size) < 0;
        }
    }
    return sum + other[turn % sizeof other];
}

int main(int argc, char **argv) {
    uint32_t times = amount(argc, argv, 380);
    uint32_t sum = MIX_START;
    for (int i = 0; i < N; i++) a[i] = 1.0 + i % 7, u[i] = (uint64_t)noise() << 32 | noise();
    for (uint32_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)noise();
    for (uint32_t t = 0; t < times; t++) {
        doubles(0.41421356);
        uint64_t total = words(0x9e3779b97f4a7c15u * (t + 1));
        sum = mix(mix(sum, (uint32_t)total), (uint32_t)(total >> 32));
        sum = mix(sum, blocks(t));
    }
    double last = 0;
    for (int i = 0; i < N; i++) last += a[i];
    printf("stream %u: %08x %.6e\n", times, sum, last);
    return 0;
}
