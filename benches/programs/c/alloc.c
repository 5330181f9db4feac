// The heap: malloc, realloc and free of many sizes in a shuffled order, a binary tree built and torn down, and a
// chained hash table that grows.
#include <string.h>

#include "bench.h"

struct tree {
    struct tree *left, *right;
    uint32_t value;
};

static struct tree *grow(int depth) {
    struct tree *t = malloc(sizeof *t);
    t->value = noise();
    t->left = depth ? grow(depth - 1) : NULL;
    t->right = depth ? grow(depth - 1) : NULL;
    return t;
}

static uint32_t fell(struct tree *t) {
    if (!t) return 0;
    uint32_t sum = t->value + fell(t->left) * 3 + fell(t->right) * 5;
    free(t);
    return sum;
}

static uint32_t churn(int rounds) {
    static uint8_t *held[512];
    static size_t size[512];
    uint32_t sum = 0;
    for (int i = 0; i < rounds; i++) {
        uint32_t r = noise(), slot = r % 512;
        if (held[slot] && r & 0x1000) {
            sum += held[slot][size[slot] - 1];
            free(held[slot]);
            held[slot] = NULL;
        } else {
            size_t wanted = 1 + (r >> 16) % (r & 0x2000 ? 2000 : 60);
            held[slot] = realloc(held[slot], wanted);
            held[slot][wanted - 1] = (uint8_t)r;
            size[slot] = wanted;
        }
    }
    for (int i = 0; i < 512; i++) {
        free(held[i]);
        held[i] = NULL;
    }
    return sum;
}

struct entry {
    struct entry *next;
    uint32_t key, count;
};

static uint32_t count_keys(int keys) {
    uint32_t buckets = 16, used = 0, most = 0;
    struct entry **table = calloc(buckets, sizeof *table);
    for (int i = 0; i < keys; i++) {
        uint32_t key = noise() % 3000;
        struct entry **at = &table[key * 2654435761u >> 8 & (buckets - 1)], *e;
        for (e = *at; e && e->key != key; e = e->next) {}
        if (!e) {
            e = malloc(sizeof *e);
            *e = (struct entry){*at, key, 0};
            *at = e;
            if (++used > buckets) {
                struct entry **larger = calloc(buckets * 2, sizeof *larger);
                for (uint32_t b = 0; b < buckets; b++)
                    for (struct entry *move = table[b], *next; move; move = next) {
                        struct entry **to = &larger[move->key * 2654435761u >> 8 & (buckets * 2 - 1)];
                        next = move->next;
                        move->next = *to;
                        *to = move;
                    }
                free(table);
                table = larger;
                buckets *= 2;
            }
        }
        if (++e->count > most) most = e->count;
    }
    for (uint32_t b = 0; b < buckets; b++)
        for (struct entry *e = table[b], *next; e; e = next) {
            next = e->next;
            free(e);
        }
    free(table);
    return used * 31 + most;
}

int main(int argc, char **argv) {
    uint32_t times = amount(argc, argv, 50);
    uint32_t sum = MIX_START;
    for (uint32_t t = 0; t < times; t++) {
        sum = mix(sum, fell(grow(12)));
        sum = mix(sum, churn(20000));
        sum = mix(sum, count_keys(20000));
    }
    printf("alloc %u: %08x\n", times, sum);
    return 0;
}
