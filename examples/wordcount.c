// Counts lines, words and bytes, and lists the ten most frequent words: of the files named as arguments, or of stdin.
// A word is a run of ASCII letters, apostrophes and non-ASCII bytes; case is folded. wordcount-rust prints the same.
//
//   teff run --dir examples/data::/data examples/wordcount-c.wasm /data/letter.txt

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 1024, TOP = 10, LONGEST = 255 };

typedef struct Word {
    struct Word *next;
    size_t count;
    char text[];
} Word;

typedef struct {
    size_t lines, words, bytes, distinct;
} Totals;

static Word *buckets[BUCKETS];
static Totals all;

static void add_word(const char *text, size_t length) {
    unsigned hash = 2166136261u;
    for (size_t i = 0; i < length; i++) hash = (hash ^ (unsigned char)text[i]) * 16777619u;
    Word **place = &buckets[hash % BUCKETS];
    for (Word *word = *place; word != NULL; word = word->next) {
        if (strcmp(word->text, text) == 0) {
            word->count++;
            return;
        }
    }
    Word *word = malloc(sizeof *word + length + 1);
    if (word == NULL) {
        fprintf(stderr, "wordcount: out of memory\n");
        exit(1);
    }
    memcpy(word->text, text, length + 1);
    word->count = 1;
    word->next = *place;
    *place = word;
    all.distinct++;
}

static bool count_file(FILE *file, const char *name) {
    char word[LONGEST + 1];
    size_t length = 0;
    Totals here = {0};
    for (int c;;) {
        c = getc(file);
        bool letter = c != EOF && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '\'' || c >= 0x80);
        if (letter && length < LONGEST) {
            word[length++] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : (char)c;
        } else if (!letter && length > 0) {
            word[length] = '\0';
            add_word(word, length);
            here.words++;
            length = 0;
        }
        if (c == EOF) break;
        here.bytes++;
        here.lines += c == '\n';
    }
    if (ferror(file)) {
        fprintf(stderr, "wordcount: %s: %s\n", name, strerror(errno));
        return false;
    }
    printf("%7zu %7zu %7zu %s\n", here.lines, here.words, here.bytes, name);
    all.lines += here.lines;
    all.words += here.words;
    all.bytes += here.bytes;
    return true;
}

static int by_frequency(const void *left, const void *right) {
    const Word *a = *(Word *const *)left, *b = *(Word *const *)right;
    if (a->count != b->count) return a->count < b->count ? 1 : -1;
    return strcmp(a->text, b->text);
}

static void print_top(void) {
    Word **sorted = malloc((all.distinct + 1) * sizeof *sorted);
    if (sorted == NULL) return;
    size_t n = 0;
    for (int i = 0; i < BUCKETS; i++)
        for (Word *word = buckets[i]; word != NULL; word = word->next) sorted[n++] = word;
    qsort(sorted, n, sizeof *sorted, by_frequency);
    printf("%zu distinct words\n", n);
    for (size_t i = 0; i < n && i < TOP; i++) printf("%7zu %s\n", sorted[i]->count, sorted[i]->text);
    free(sorted);
}

int main(int argc, char **argv) {
    bool ok = true;
    if (argc < 2) ok = count_file(stdin, "-");
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "r");
        if (file == NULL) {
            fprintf(stderr, "wordcount: %s: %s\n", argv[i], strerror(errno));
            ok = false;
            continue;
        }
        ok = count_file(file, argv[i]) && ok;
        fclose(file);
    }
    if (argc > 2) printf("%7zu %7zu %7zu total\n", all.lines, all.words, all.bytes);
    print_top();
    return ok ? 0 : 1;
}
