// Recursion with many arguments: Takeuchi's function, Ackermann's function, and the eight queens by recursion over
// bit masks. Measures calls and returns.
#include "bench.h"

static int tak(int x, int y, int z) {
    if (y >= x) return z;
    return tak(tak(x - 1, y, z), tak(y - 1, z, x), tak(z - 1, x, y));
}

static uint32_t ackermann(uint32_t m, uint32_t n) {
    if (m == 0) return n + 1;
    if (n == 0) return ackermann(m - 1, 1);
    return ackermann(m - 1, ackermann(m, n - 1));
}

// Not inlined into itself: the point is the call with seven arguments.
static __attribute__((noinline)) uint32_t queens(uint32_t row, uint32_t size, uint32_t columns, uint32_t left,
                                                 uint32_t right, uint32_t weight, uint32_t depth) {
    if (row == size) return weight & 1 ? depth : 1;
    uint32_t found = 0, free = ((1u << size) - 1) & ~(columns | left | right);
    while (free) {
        uint32_t bit = free & -free;
        free ^= bit;
        found += queens(row + 1, size, columns | bit, (left | bit) << 1, (right | bit) >> 1, weight << 1, depth + 1);
    }
    return found;
}

int main(int argc, char **argv) {
    uint32_t times = amount(argc, argv, 400);
    uint32_t sum = MIX_START;
    for (uint32_t i = 0; i < times; i++) {
        sum = mix(sum, (uint32_t)tak(14 + (int)(i % 3), 9, 4));
        sum = mix(sum, ackermann(2, 120 + i % 16));
        sum = mix(sum, ackermann(3, 5));
        sum = mix(sum, queens(0, 7 + i % 2, 0, 0, 0, 0, 0));
    }
    printf("tak %u: %08x\n", times, sum);
    return 0;
}
