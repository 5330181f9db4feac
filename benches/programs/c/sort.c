// Sorting: the library's qsort with a comparator (an indirect call for each comparison), heapsort, a radix sort, and
// merge sort of structures by two keys; then binary searches.
#include <string.h>

#include "bench.h"

enum { N = 6000 };
struct record {
    uint32_t key, second;
    uint16_t tag;
};
static uint32_t source[N], work[N], spare[N];
static struct record records[N], merged[N];

static int ascending(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static int by_tag(const void *a, const void *b) {
    const struct record *x = a, *y = b;
    if (x->tag != y->tag) return x->tag < y->tag ? -1 : 1;
    return x->second < y->second ? -1 : x->second > y->second;
}

static void sink(uint32_t *v, int at, int count) {
    uint32_t value = v[at];
    for (;;) {
        int child = 2 * at + 1;
        if (child >= count) break;
        if (child + 1 < count && v[child + 1] > v[child]) child++;
        if (v[child] <= value) break;
        v[at] = v[child];
        at = child;
    }
    v[at] = value;
}

static void heapsort_words(uint32_t *v, int count) {
    for (int i = count / 2 - 1; i >= 0; i--) sink(v, i, count);
    for (int end = count - 1; end > 0; end--) {
        uint32_t top = v[0];
        v[0] = v[end];
        v[end] = top;
        sink(v, 0, end);
    }
}

static void radix(uint32_t *v, uint32_t *other, int count) {
    for (int shift = 0; shift < 32; shift += 8) {
        uint32_t start[257] = {0};
        for (int i = 0; i < count; i++) start[(v[i] >> shift & 0xff) + 1]++;
        for (int i = 0; i < 256; i++) start[i + 1] += start[i];
        for (int i = 0; i < count; i++) other[start[v[i] >> shift & 0xff]++] = v[i];
        uint32_t *swap = v;
        v = other;
        other = swap;
    }
}

static void merge_sort(struct record *v, struct record *other, int count, int (*order)(const void *, const void *)) {
    if (count < 12) {
        for (int i = 1; i < count; i++) {
            struct record r = v[i];
            int at = i;
            for (; at > 0 && order(&v[at - 1], &r) > 0; at--) v[at] = v[at - 1];
            v[at] = r;
        }
        return;
    }
    int half = count / 2, i = 0, j = half, out = 0;
    merge_sort(v, other, half, order);
    merge_sort(v + half, other, count - half, order);
    while (i < half && j < count) other[out++] = order(&v[i], &v[j]) <= 0 ? v[i++] : v[j++];
    while (i < half) other[out++] = v[i++];
    memcpy(v, other, (size_t)out * sizeof *v);
}

static uint32_t searches(const uint32_t *v, uint32_t count) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t wanted = source[i] ^ (i & 1), low = 0, high = count;
        while (low < high) {
            uint32_t middle = (low + high) / 2;
            if (v[middle] < wanted) low = middle + 1;
            else high = middle;
        }
        sum += low;
    }
    return sum;
}

int main(int argc, char **argv) {
    uint32_t times = amount(argc, argv, 35);
    uint32_t sum = MIX_START;
    for (uint32_t t = 0; t < times; t++) {
        for (int i = 0; i < N; i++) {
            source[i] = noise() >> (t % 5);
            records[i] = (struct record){source[i], noise(), (uint16_t)(noise() % 257)};
        }
        memcpy(work, source, sizeof work);
        qsort(work, N, sizeof *work, ascending);
        sum = mix(mix(sum, work[t % N]), searches(work, N));
        memcpy(work, source, sizeof work);
        heapsort_words(work, N);
        sum = mix(sum, work[N / 2]);
        memcpy(work, source, sizeof work);
        radix(work, spare, N);
        sum = mix(sum, work[N / 3]);
        merge_sort(records, merged, N, by_tag);
        for (int i = 0; i < N; i += 101) sum = mix(sum, records[i].second);
    }
    printf("sort %u: %08x\n", times, sum);
    return 0;
}
