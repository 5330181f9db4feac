// The Mandelbrot set in f64, pixel by pixel, as escape counts.
#include "bench.h"

static uint32_t escape(double cx, double cy, uint32_t limit) {
    double x = 0, y = 0;
    for (uint32_t n = 0; n < limit; n++) {
        double xx = x * x, yy = y * y;
        if (xx + yy > 4.0) return n;
        y = 2 * x * y + cy;
        x = xx - yy + cx;
    }
    return limit;
}

int main(int argc, char **argv) {
    uint32_t size = amount(argc, argv, 1200);
    uint32_t sum = MIX_START;
    for (uint32_t row = 0; row < size; row++) {
        uint32_t line = 0;
        for (uint32_t column = 0; column < size; column++)
            line += escape(column * 3.0 / size - 2.25, row * 3.0 / size - 1.5, 200);
        sum = mix(sum, line);
    }
    printf("mandelbrot %u: %08x\n", size, sum);
    return 0;
}
