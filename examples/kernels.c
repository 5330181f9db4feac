// Three compute kernels, chosen by an argument: integer (sha256), memory and float (matmul), float (nbody).
// They need almost nothing of the system, so they also serve as benchmarks: see benches/.
//
//   teff run examples/kernels.wasm sha256 64      hashes 64 KiB
//   teff run examples/kernels.wasm matmul 3       multiplies two 96 x 96 matrices three times
//   teff run examples/kernels.wasm nbody 1000     moves five bodies through 1000 steps

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A small generator of test data, the same on every machine.
static uint32_t noise_state = 1;
static uint32_t noise(void) {
    noise_state = noise_state * 1664525u + 1013904223u;
    return noise_state >> 8;
}

// ---- sha256 (FIPS 180-4) ----

static const uint32_t ROUND[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t x, int by) { return x >> by | x << (32 - by); }

static void sha256_block(uint32_t state[8], const uint8_t block[64]) {
    uint32_t w[64];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        uint32_t near = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t far = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + near + w[i - 7] + far;
    }
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (int i = 0; i < 64; i++) {
        uint32_t choose = (e & f) ^ (~e & g), majority = (a & b) ^ (a & c) ^ (b & c);
        uint32_t t1 = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + choose + ROUND[i] + w[i];
        uint32_t t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + majority;
        h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
    state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

static void sha256(const uint8_t *data, size_t length, uint32_t state[8]) {
    static const uint32_t START[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(state, START, sizeof START);
    size_t whole = length / 64 * 64;
    for (size_t at = 0; at < whole; at += 64) sha256_block(state, data + at);
    uint8_t tail[128] = {0};
    size_t rest = length - whole, padded = rest < 56 ? 64 : 128;
    memcpy(tail, data + whole, rest);
    tail[rest] = 0x80;
    for (int i = 0; i < 8; i++) tail[padded - 1 - i] = (uint8_t)((uint64_t)length * 8 >> (8 * i));
    for (size_t at = 0; at < padded; at += 64) sha256_block(state, tail + at);
}

// Hashes `kib` KiB: one 1 KiB buffer of noise, whose start is replaced by the digest before each further KiB.
static void run_sha256(long kib) {
    uint8_t data[1024];
    uint32_t digest[8];
    for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)noise();
    for (long i = 0; i < kib; i++) {
        sha256(data, sizeof data, digest);
        memcpy(data, digest, sizeof digest);
    }
    printf("sha256 of %ld KiB: ", kib);
    for (int i = 0; i < 8; i++) printf("%08x", digest[i]);
    printf("\n");
}

// ---- matmul ----

enum { SIDE = 96 };
static double left[SIDE][SIDE], right[SIDE][SIDE], product[SIDE][SIDE];

static void run_matmul(long rounds) {
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            left[i][j] = (double)(noise() % 1000) / 1000.0;
            right[i][j] = (double)(noise() % 1000) / 1000.0 - 0.5;
        }
    for (long round = 0; round < rounds; round++) {
        for (int i = 0; i < SIDE; i++)
            for (int j = 0; j < SIDE; j++) {
                double sum = 0.0;
                for (int k = 0; k < SIDE; k++) sum += left[i][k] * right[k][j];
                product[i][j] = sum;
            }
        left[round % SIDE][0] += product[0][round % SIDE] / SIDE; // each round depends on the one before
    }
    double trace = 0.0;
    for (int i = 0; i < SIDE; i++) trace += product[i][i];
    printf("matmul %d x %d, %ld rounds: trace %.12f\n", SIDE, SIDE, rounds, trace);
}

// ---- nbody ----

enum { BODIES = 5 };
typedef struct {
    double at[3], velocity[3], mass;
} Body;

static double energy(const Body *body) {
    double sum = 0.0;
    for (int i = 0; i < BODIES; i++) {
        const double *v = body[i].velocity;
        sum += 0.5 * body[i].mass * (v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
        for (int j = i + 1; j < BODIES; j++) {
            double square = 0.0;
            for (int axis = 0; axis < 3; axis++) {
                double apart = body[i].at[axis] - body[j].at[axis];
                square += apart * apart;
            }
            sum -= body[i].mass * body[j].mass / sqrt(square);
        }
    }
    return sum;
}

static void step(Body *body, double dt) {
    for (int i = 0; i < BODIES; i++)
        for (int j = i + 1; j < BODIES; j++) {
            double apart[3], square = 0.0;
            for (int axis = 0; axis < 3; axis++) {
                apart[axis] = body[i].at[axis] - body[j].at[axis];
                square += apart[axis] * apart[axis];
            }
            double pull = dt / (square * sqrt(square));
            for (int axis = 0; axis < 3; axis++) {
                body[i].velocity[axis] -= apart[axis] * body[j].mass * pull;
                body[j].velocity[axis] += apart[axis] * body[i].mass * pull;
            }
        }
    for (int i = 0; i < BODIES; i++)
        for (int axis = 0; axis < 3; axis++) body[i].at[axis] += dt * body[i].velocity[axis];
}

// A heavy sun with four planets on circular orbits, slightly tilted against each other (units: G = 1, sun = 1).
static void run_nbody(long steps) {
    Body body[BODIES] = {{.mass = 1.0}};
    for (int i = 1; i < BODIES; i++) {
        double radius = 0.5 * i, speed = sqrt(1.0 / radius), tilt = 0.05 * i;
        body[i].at[i % 2] = radius;
        body[i].velocity[1 - i % 2] = speed * (1.0 - tilt * tilt / 2);
        body[i].velocity[2] = speed * tilt;
        body[i].mass = 0.0002 * i;
        for (int axis = 0; axis < 3; axis++) body[0].velocity[axis] -= body[i].mass * body[i].velocity[axis];
    }
    double before = energy(body);
    for (long i = 0; i < steps; i++) step(body, 0.001);
    printf("nbody %ld steps: energy %.12f, then %.12f\n", steps, before, energy(body));
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(long);
        long usual;
    } KERNEL[] = {{"sha256", run_sha256, 64}, {"matmul", run_matmul, 2}, {"nbody", run_nbody, 2000}};
    enum { KERNELS = sizeof KERNEL / sizeof KERNEL[0] };

    if (argc == 1) {
        for (int i = 0; i < KERNELS; i++) KERNEL[i].run(KERNEL[i].usual);
        return 0;
    }
    for (int i = 0; i < KERNELS; i++) {
        if (strcmp(argv[1], KERNEL[i].name) != 0) continue;
        long count = argc > 2 ? strtol(argv[2], NULL, 10) : KERNEL[i].usual;
        if (count < 1) break;
        KERNEL[i].run(count);
        return 0;
    }
    fprintf(stderr, "usage: kernels [sha256 KIB | matmul ROUNDS | nbody STEPS]\n");
    return 2;
}
