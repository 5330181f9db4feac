// Compression: text made of words, LZ77 with hash chains, Huffman coding of its symbols, and both undone and compared.
#include <stdbool.h>
#include <string.h>

#include "bench.h"

enum { SIZE = 96 * 1024, WINDOW = 32768, HASHES = 16384, SYMBOLS = 512 };
static uint8_t text[SIZE], packed[SIZE * 2], plain[SIZE];
static uint16_t tokens[SIZE * 2];
static int32_t head[HASHES], previous[SIZE];

static void generate(void) {
    static const char *const SYLLABLES[] = {"ka", "lo", "mi", "te", "ra", "su", "no", "be", "fa", "go", "in", "et"};
    uint32_t at = 0;
    while (at < SIZE) {
        for (uint32_t n = 1 + noise() % 3; n && at < SIZE; n--)
            for (const char *s = SYLLABLES[noise() % 12]; *s && at < SIZE; s++) text[at++] = (uint8_t)*s;
        if (at < SIZE) text[at++] = noise() % 9 ? ' ' : '\n';
    }
}

static uint32_t hash(const uint8_t *p) { return ((p[0] << 10 ^ p[1] << 5 ^ p[2]) * 2654435761u) >> 18; }

// Tokens: below 256 a literal; otherwise 256 + length - 3, followed by the distance.
static uint32_t find_matches(void) {
    memset(head, 0xff, sizeof head);
    uint32_t count = 0;
    for (uint32_t at = 0; at < SIZE;) {
        uint32_t best = 0, distance = 0;
        if (at + 3 <= SIZE) {
            uint32_t h = hash(text + at);
            int tries = 24;
            for (int32_t from = head[h]; from >= 0 && at - (uint32_t)from < WINDOW && tries--; from = previous[from]) {
                uint32_t length = 0, most = SIZE - at < 130 ? SIZE - at : 130;
                if (best && text[(uint32_t)from + best] != text[at + best]) continue;
                while (length < most && text[(uint32_t)from + length] == text[at + length]) length++;
                if (length > best) {
                    best = length;
                    distance = at - (uint32_t)from;
                    if (length == most) break;
                }
            }
            previous[at] = head[h];
            head[h] = (int32_t)at;
        }
        if (best >= 3) {
            tokens[count++] = (uint16_t)(256 + best - 3);
            tokens[count++] = (uint16_t)distance;
            for (uint32_t i = 1; i < best; i++)
                if (at + i + 3 <= SIZE) {
                    uint32_t h = hash(text + at + i);
                    previous[at + i] = head[h];
                    head[h] = (int32_t)(at + i);
                }
            at += best;
        } else {
            tokens[count++] = text[at++];
        }
    }
    return count;
}

static uint32_t weight[2 * SYMBOLS], code[SYMBOLS];
static int parent[2 * SYMBOLS], length_of[SYMBOLS];

static void build_codes(uint32_t count) {
    int heap[2 * SYMBOLS], used = 0, next = SYMBOLS;
    memset(weight, 0, sizeof weight);
    for (uint32_t i = 0; i < count; i++) {
        weight[tokens[i]]++;
        if (tokens[i] >= 256) i++;
    }
#define LIGHTER(a, b) (weight[a] < weight[b] || (weight[a] == weight[b] && (a) < (b)))
    for (int s = 0; s < SYMBOLS; s++) {
        length_of[s] = 0;
        if (!weight[s]) continue;
        int at = used++;
        for (; at && LIGHTER(s, heap[(at - 1) / 2]); at = (at - 1) / 2) heap[at] = heap[(at - 1) / 2];
        heap[at] = s;
    }
    while (used > 1) {
        int pair[2];
        for (int k = 0; k < 2; k++) {
            pair[k] = heap[0];
            int last = heap[--used], at = 0;
            for (int child; (child = 2 * at + 1) < used; at = child) {
                if (child + 1 < used && LIGHTER(heap[child + 1], heap[child])) child++;
                if (!LIGHTER(heap[child], last)) break;
                heap[at] = heap[child];
            }
            heap[at] = last;
        }
        weight[next] = weight[pair[0]] + weight[pair[1]];
        parent[pair[0]] = parent[pair[1]] = next;
        int at = used++;
        for (; at && LIGHTER(next, heap[(at - 1) / 2]); at = (at - 1) / 2) heap[at] = heap[(at - 1) / 2];
        heap[at] = next++;
    }
    int root = heap[0], longest = 0;
    for (int s = 0; s < SYMBOLS; s++) {
        if (!weight[s]) continue;
        for (int n = s; n != root; n = parent[n]) length_of[s]++;
        if (length_of[s] > longest) longest = length_of[s];
    }
    uint32_t value = 0;
    for (int bits = 1; bits <= longest; bits++, value <<= 1)
        for (int s = 0; s < SYMBOLS; s++)
            if (length_of[s] == bits) code[s] = value++;
}

static uint32_t out_at, out_bits;
static uint64_t out_held;

static inline void put_bits(uint32_t value, int bits) {
    out_held = out_held << bits | value;
    out_bits += (uint32_t)bits;
    while (out_bits >= 8) packed[out_at++] = (uint8_t)(out_held >> (out_bits -= 8));
}

static uint32_t encode(uint32_t count) {
    out_at = out_bits = 0;
    for (uint32_t i = 0; i < count; i++) {
        put_bits(code[tokens[i]], length_of[tokens[i]]);
        if (tokens[i] >= 256) put_bits(tokens[++i], 15);
    }
    put_bits(0, 7);
    return out_at;
}

static bool decode(void) {
    // Canonical codes: for each length the first code, and where its symbols begin in `order`.
    uint32_t first[40] = {0}, start[40] = {0}, many[40] = {0};
    static uint16_t order[SYMBOLS];
    for (int s = 0; s < SYMBOLS; s++) many[length_of[s]]++;
    many[0] = 0;
    uint32_t value = 0, total = 0;
    for (int bits = 1; bits < 40; bits++) {
        first[bits] = value;
        start[bits] = total;
        for (int s = 0; s < SYMBOLS; s++)
            if (length_of[s] == bits) order[total++] = (uint16_t)s;
        value = (value + many[bits]) << 1;
    }
    uint32_t at = 0, in = 0, held = 0;
    int bits = 0;
#define BIT() ((bits ? 0 : (held = packed[in++], bits = 8)), held >> --bits & 1)
    while (at < SIZE) {
        uint32_t prefix = 0;
        int length = 0;
        do {
            prefix = prefix << 1 | BIT();
            length++;
        } while (prefix - first[length] >= many[length]);
        uint32_t symbol = order[start[length] + prefix - first[length]];
        if (symbol < 256) {
            plain[at++] = (uint8_t)symbol;
            continue;
        }
        uint32_t distance = 0;
        for (int i = 0; i < 15; i++) distance = distance << 1 | BIT();
        for (uint32_t n = symbol - 253; n; n--, at++) plain[at] = plain[at - distance];
    }
    return memcmp(text, plain, SIZE) == 0;
}

int main(int argc, char **argv) {
    uint32_t times = amount(argc, argv, 22);
    uint32_t sum = MIX_START;
    for (uint32_t t = 0; t < times; t++) {
        generate();
        uint32_t count = find_matches();
        build_codes(count);
        uint32_t size = encode(count);
        if (!decode()) {
            printf("compress: the text is not what it was\n");
            return 1;
        }
        sum = mix(mix(sum, size), count);
        for (uint32_t i = 0; i < size; i += 31) sum = mix(sum, packed[i]);
    }
    printf("compress %u: %08x\n", times, sum);
    return 0;
}
