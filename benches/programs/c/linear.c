// Linear algebra in f64: matrix product (row by row, and in blocks), LU decomposition with pivots, and the largest
// singular value of an infinite matrix, approximated (the problem known as spectralnorm).
#include <math.h>

#include "bench.h"

enum { N = 96 };
static double a[N][N], b[N][N], c[N][N];

static void multiply(void) {
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            double sum = 0;
            for (int k = 0; k < N; k++) sum += a[i][k] * b[k][j];
            c[i][j] = sum;
        }
}

static void multiply_blocks(void) {
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) c[i][j] = 0;
    for (int k0 = 0; k0 < N; k0 += 16)
        for (int i = 0; i < N; i++)
            for (int k = k0; k < k0 + 16; k++) {
                double scale = a[i][k];
                for (int j = 0; j < N; j++) c[i][j] += scale * b[k][j];
            }
}

static double determinant(void) {
    double result = 1;
    for (int column = 0; column < N; column++) {
        int pivot = column;
        for (int row = column + 1; row < N; row++)
            if (fabs(c[row][column]) > fabs(c[pivot][column])) pivot = row;
        if (pivot != column) {
            result = -result;
            for (int k = 0; k < N; k++) {
                double swap = c[column][k];
                c[column][k] = c[pivot][k];
                c[pivot][k] = swap;
            }
        }
        if (c[column][column] == 0) return 0;
        result *= c[column][column] / 64;
        for (int row = column + 1; row < N; row++) {
            double factor = c[row][column] / c[column][column];
            for (int k = column; k < N; k++) c[row][k] -= factor * c[column][k];
        }
    }
    return result;
}

static double entry(int i, int j) { return 1.0 / ((i + j) * (i + j + 1) / 2 + i + 1); }

static double spectral(int size) {
    static double u[128], v[128], w[128];
    double top = 0, bottom = 0;
    for (int i = 0; i < size; i++) u[i] = 1;
    for (int turn = 0; turn < 6; turn++) {
        double *from = turn & 1 ? v : u, *to = turn & 1 ? u : v;
        for (int i = 0; i < size; i++) {
            w[i] = 0;
            for (int j = 0; j < size; j++) w[i] += entry(i, j) * from[j];
        }
        for (int i = 0; i < size; i++) {
            to[i] = 0;
            for (int j = 0; j < size; j++) to[i] += entry(j, i) * w[j];
        }
    }
    for (int i = 0; i < size; i++) top += u[i] * v[i], bottom += v[i] * v[i];
    return sqrt(top / bottom);
}

int main(int argc, char **argv) {
    uint32_t times = amount(argc, argv, 32);
    double sum = 0;
    for (uint32_t t = 0; t < times; t++) {
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) {
                a[i][j] = (double)(noise() >> 8) / (1 << 24);
                b[i][j] = (double)(noise() >> 8) / (1 << 24) - 0.5;
            }
        multiply();
        sum += c[t % N][N - 1 - t % N];
        multiply_blocks();
        sum += c[N / 2][N / 3];
        sum += atan(determinant());
        sum += spectral(100 + (int)(t % 20));
    }
    printf("linear %u: %.6f\n", times, sum);
    return 0;
}
