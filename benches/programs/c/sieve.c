// Tight integer loops: a sieve of Eratosthenes on bytes, one on bits, and the greatest common divisors of many pairs.
#include <string.h>

#include "bench.h"

enum { LIMIT = 1 << 18 };
static uint8_t composite[LIMIT];
static uint32_t bits[LIMIT / 32];

static uint32_t sieve_bytes(uint32_t limit) {
    memset(composite, 0, sizeof composite);
    uint32_t count = 0;
    for (uint32_t i = 2; i < limit; i++) {
        if (composite[i]) continue;
        count++;
        for (uint32_t j = i * 2; j < limit; j += i) composite[j] = 1;
    }
    return count;
}

static uint32_t sieve_bits(uint32_t limit) {
    memset(bits, 0, sizeof bits);
    uint32_t count = limit > 2;
    for (uint32_t i = 3; i < limit; i += 2) {
        if (bits[i >> 5] >> (i & 31) & 1) continue;
        count++;
        for (uint32_t j = i * 3; j < limit; j += 2 * i) bits[j >> 5] |= 1u << (j & 31);
    }
    return count;
}

static uint32_t gcd(uint32_t a, uint32_t b) {
    while (b) {
        uint32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

int main(int argc, char **argv) {
    uint32_t times = amount(argc, argv, 50);
    uint32_t sum = MIX_START;
    for (uint32_t i = 0; i < times; i++) {
        uint32_t limit = LIMIT - i * 97;
        sum = mix(sum, sieve_bytes(limit));
        sum = mix(sum, sieve_bits(limit));
        uint32_t divisors = 0;
        for (uint32_t a = 1; a < 200; a++)
            for (uint32_t b = 1; b < a; b++) divisors += gcd(a * 7919 + i, b * 104729);
        sum = mix(sum, divisors);
    }
    printf("sieve %u: %08x\n", times, sum);
    return 0;
}
