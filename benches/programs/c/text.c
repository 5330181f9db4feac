// Text: lines made with snprintf, joined in a growing buffer, split at separators, upper-cased, searched, reversed,
// numbers read back with strtol and strtod, base64 both ways, UTF-8 counted.
#include <ctype.h>
#include <string.h>

#include "bench.h"

struct string {
    char *data;
    size_t length, capacity;
};

static void append(struct string *s, const char *data, size_t length) {
    if (s->length + length + 1 > s->capacity) {
        s->capacity = (s->length + length + 1) * 2;
        s->data = realloc(s->data, s->capacity);
    }
    memcpy(s->data + s->length, data, length);
    s->length += length;
    s->data[s->length] = 0;
}

static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void base64(struct string *out, const uint8_t *data, size_t length) {
    for (size_t i = 0; i < length; i += 3) {
        uint32_t group = (uint32_t)data[i] << 16 | (i + 1 < length ? (uint32_t)data[i + 1] << 8 : 0) | (i + 2 < length ? data[i + 2] : 0);
        char four[4] = {DIGITS[group >> 18], DIGITS[group >> 12 & 63], i + 1 < length ? DIGITS[group >> 6 & 63] : '=',
                        i + 2 < length ? DIGITS[group & 63] : '='};
        append(out, four, 4);
    }
}

static void unbase64(struct string *out, const char *text, size_t length) {
    static int8_t value[256];
    if (!value['B'])
        for (int i = 0; i < 64; i++) value[(uint8_t)DIGITS[i]] = (int8_t)i;
    for (size_t i = 0; i + 4 <= length; i += 4) {
        uint32_t group = 0;
        for (int k = 0; k < 4; k++) group = group << 6 | (uint32_t)value[(uint8_t)text[i + (size_t)k]];
        char three[3] = {(char)(group >> 16), (char)(group >> 8), (char)group};
        append(out, three, (size_t)(text[i + 2] == '=' ? 1 : text[i + 3] == '=' ? 2 : 3));
    }
}

static uint32_t characters(const char *text) {
    uint32_t count = 0;
    for (; *text; text++) count += ((uint8_t)*text & 0xc0) != 0x80;
    return count;
}

int main(int argc, char **argv) {
    uint32_t times = amount(argc, argv, 120);
    uint32_t sum = MIX_START;
    struct string lines = {0}, words = {0}, coded = {0};
    for (uint32_t t = 0; t < times; t++) {
        lines.length = words.length = coded.length = 0;
        for (int i = 0; i < 400; i++) {
            char line[128];
            uint32_t r = noise();
            int length = snprintf(line, sizeof line, "%d;%08x;%.3f;%s-%u;caf\xc3\xa9\n", i - 200, (unsigned)r, (r % 100000) / 7.0,
                                  i % 3 ? "teff" : "injera", (unsigned)(r >> 20));
            append(&lines, line, (size_t)length);
        }
        double total = 0;
        for (char *at = lines.data, *end; *at; at = end + 1) {
            end = strchr(at, '\n');
            long first = strtol(at, &at, 10);
            unsigned long second = strtoul(at + 1, &at, 16);
            total += strtod(at + 1, &at) + (double)first;
            sum = mix(sum, (uint32_t)second);
            for (char *c = at + 1; c < end; c++) {
                char upper = (char)toupper((unsigned char)*c);
                append(&words, &upper, 1);
            }
        }
        sum = mix(sum, (uint32_t)(int32_t)total);
        for (const char *at = words.data; (at = strstr(at, "TEFF-1")); at++) sum = mix(sum, (uint32_t)(at - words.data));
        base64(&coded, (const uint8_t *)lines.data, lines.length);
        words.length = 0;
        unbase64(&words, coded.data, coded.length);
        if (words.length != lines.length || memcmp(words.data, lines.data, lines.length) != 0) {
            printf("text: base64 does not come back\n");
            return 1;
        }
        for (size_t i = 0, j = words.length - 1; i < j; i++, j--) {
            char swap = words.data[i];
            words.data[i] = words.data[j];
            words.data[j] = swap;
        }
        sum = mix(sum, characters(words.data));
        for (size_t i = 0; i < coded.length; i += 37) sum = mix(sum, (uint32_t)coded.data[i]);
    }
    printf("text %u: %08x\n", times, sum);
    return 0;
}
