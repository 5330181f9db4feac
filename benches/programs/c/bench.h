// What the C programs share: the amount of work from the first argument, test data, a checksum.
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

// The amount of work: the first argument, or what the comparison uses.
static inline uint32_t amount(int argc, char **argv, uint32_t usual) {
    return argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : usual;
}

// A small generator of test data (xorshift), the same on every machine.
static uint32_t noise_state = 2463534242u;
static inline uint32_t noise(void) {
    uint32_t x = noise_state;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return noise_state = x;
}

// FNV-1a over the bytes of 32-bit values, low byte first.
static inline uint32_t mix(uint32_t sum, uint32_t value) {
    for (int i = 0; i < 4; i++) {
        sum = (sum ^ (value & 0xff)) * 16777619u;
        value >>= 8;
    }
    return sum;
}

#define MIX_START 2166136261u
