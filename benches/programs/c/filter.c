// Signals in f32: a 5 x 5 blur and Sobel edges over an image, and a chain of biquad filters over a sound, clamped to
// 16 bits.
#include <math.h>
#include <string.h>

#include "bench.h"

enum { WIDTH = 160, HEIGHT = 120, SAMPLES = 16384 };
static float image[HEIGHT][WIDTH], blurred[HEIGHT][WIDTH], sound[SAMPLES];
static int16_t played[SAMPLES];

static int clamp(int value, int high) { return value < 0 ? 0 : value > high ? high : value; }

static void blur(void) {
    static const float KERNEL[5] = {0.0625f, 0.25f, 0.375f, 0.25f, 0.0625f};
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            float sum = 0;
            for (int dy = -2; dy <= 2; dy++)
                for (int dx = -2; dx <= 2; dx++)
                    sum += image[clamp(y + dy, HEIGHT - 1)][clamp(x + dx, WIDTH - 1)] * KERNEL[dy + 2] * KERNEL[dx + 2];
            blurred[y][x] = sum;
        }
}

static uint32_t edges(void) {
    uint32_t found = 0;
    for (int y = 1; y < HEIGHT - 1; y++)
        for (int x = 1; x < WIDTH - 1; x++) {
            float gx = blurred[y - 1][x + 1] + 2 * blurred[y][x + 1] + blurred[y + 1][x + 1] - blurred[y - 1][x - 1] -
                       2 * blurred[y][x - 1] - blurred[y + 1][x - 1];
            float gy = blurred[y + 1][x - 1] + 2 * blurred[y + 1][x] + blurred[y + 1][x + 1] - blurred[y - 1][x - 1] -
                       2 * blurred[y - 1][x] - blurred[y - 1][x + 1];
            float strength = sqrtf(gx * gx + gy * gy);
            image[y][x] = fminf(strength, 1.0f) * 0.75f + image[y][x] * 0.25f;
            found += strength > 0.5f;
        }
    return found;
}

struct biquad {
    float b0, b1, b2, a1, a2, z1, z2;
};

static void play(struct biquad *chain, int stages) {
    for (int i = 0; i < SAMPLES; i++) {
        float x = sound[i];
        for (int s = 0; s < stages; s++) {
            struct biquad *f = &chain[s];
            float y = f->b0 * x + f->z1;
            f->z1 = f->b1 * x - f->a1 * y + f->z2;
            f->z2 = f->b2 * x - f->a2 * y;
            x = y;
        }
        float level = x * 24000.0f;
        if (level > 32767.0f) level = 32767.0f;
        if (level < -32768.0f) level = -32768.0f;
        played[i] = (int16_t)level;
    }
}

int main(int argc, char **argv) {
    uint32_t times = amount(argc, argv, 100);
    uint32_t sum = MIX_START;
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) image[y][x] = (float)(noise() >> 16) / 65536.0f;
    for (int i = 0; i < SAMPLES; i++) sound[i] = (float)(int32_t)noise() / 2147483648.0f;
    struct biquad chain[4] = {
        {0.0675f, 0.1349f, 0.0675f, -1.1430f, 0.4128f, 0, 0},
        {0.9150f, -1.8299f, 0.9150f, -1.8227f, 0.8372f, 0, 0},
        {1.0400f, -1.9000f, 0.8700f, -1.9000f, 0.9100f, 0, 0},
        {0.2929f, 0.5858f, 0.2929f, 0.0000f, 0.1716f, 0, 0},
    };
    for (uint32_t t = 0; t < times; t++) {
        blur();
        sum = mix(sum, edges());
        play(chain, 4);
        for (int i = 0; i < SAMPLES; i += 61) sum = mix(sum, (uint32_t)(uint16_t)played[i]);
    }
    printf("filter %u: %08x\n", times, sum);
    return 0;
}
