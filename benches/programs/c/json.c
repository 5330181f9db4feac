// JSON: writes a document of nested objects into a buffer, parses it into a tree of heap nodes by recursive descent
// (strings with escapes, numbers, literals), walks the tree, and writes it again.
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "bench.h"

enum kind { NOTHING, NO, YES, NUMBER, TEXT, LIST, OBJECT };

struct value {
    enum kind kind;
    uint32_t length;
    double number;
    char *text, *name;
    struct value *first, *next;
};

struct parser {
    const char *at, *end;
    bool failed;
    char *arena;
    size_t used, size;
};

static void *take(struct parser *p, size_t size) {
    size = (size + 7) & ~(size_t)7;
    if (p->used + size > p->size) {
        p->failed = true;
        p->used = 0;
    }
    void *result = p->arena + p->used;
    p->used += size;
    return result;
}

static void skip(struct parser *p) {
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\n' || *p->at == '\t' || *p->at == '\r')) p->at++;
}

static bool expect(struct parser *p, char c) {
    skip(p);
    if (p->at < p->end && *p->at == c) {
        p->at++;
        return true;
    }
    return false;
}

static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static char *parse_text(struct parser *p, uint32_t *length) {
    const char *scan = p->at;
    while (scan < p->end && *scan != '"') scan += *scan == '\\' ? 2 : 1;
    char *text = take(p, (size_t)(scan - p->at) + 1), *out = text;
    while (p->at < p->end && *p->at != '"') {
        char c = *p->at++;
        if (c != '\\') {
            *out++ = c;
            continue;
        }
        c = *p->at++;
        switch (c) {
            case 'n': *out++ = '\n'; break;
            case 't': *out++ = '\t'; break;
            case 'r': *out++ = '\r'; break;
            case 'b': *out++ = '\b'; break;
            case 'f': *out++ = '\f'; break;
            case 'u': {
                int code = 0;
                for (int i = 0; i < 4; i++) code = code << 4 | (hex(p->at[i]) & 15);
                p->at += 4;
                if (code < 0x80) {
                    *out++ = (char)code;
                } else if (code < 0x800) {
                    *out++ = (char)(0xc0 | code >> 6);
                    *out++ = (char)(0x80 | (code & 63));
                } else {
                    *out++ = (char)(0xe0 | code >> 12);
                    *out++ = (char)(0x80 | (code >> 6 & 63));
                    *out++ = (char)(0x80 | (code & 63));
                }
                break;
            }
            default: *out++ = c;
        }
    }
    p->at++;
    *out = 0;
    *length = (uint32_t)(out - text);
    return text;
}

static double parse_number(struct parser *p) {
    bool negative = *p->at == '-';
    if (negative) p->at++;
    double value = 0, scale = 1;
    while (p->at < p->end && *p->at >= '0' && *p->at <= '9') value = value * 10 + (*p->at++ - '0');
    if (p->at < p->end && *p->at == '.') {
        p->at++;
        while (p->at < p->end && *p->at >= '0' && *p->at <= '9') {
            value = value * 10 + (*p->at++ - '0');
            scale *= 10;
        }
    }
    if (p->at < p->end && (*p->at == 'e' || *p->at == 'E')) {
        p->at++;
        int exponent = 0;
        bool down = *p->at == '-';
        if (*p->at == '-' || *p->at == '+') p->at++;
        while (p->at < p->end && *p->at >= '0' && *p->at <= '9') exponent = exponent * 10 + (*p->at++ - '0');
        while (exponent-- > 0) {
            if (down) scale *= 10;
            else value *= 10;
        }
    }
    return (negative ? -value : value) / scale;
}

static struct value *parse(struct parser *p) {
    struct value *v = take(p, sizeof *v);
    memset(v, 0, sizeof *v);
    skip(p);
    if (p->at >= p->end || p->failed) {
        p->failed = true;
        return v;
    }
    switch (*p->at) {
        case '{':
        case '[': {
            bool object = *p->at++ == '{';
            v->kind = object ? OBJECT : LIST;
            char close = object ? '}' : ']';
            struct value **link = &v->first;
            if (expect(p, close)) break;
            do {
                char *name = NULL;
                uint32_t length;
                if (object) {
                    if (!expect(p, '"')) p->failed = true;
                    name = parse_text(p, &length);
                    if (!expect(p, ':')) p->failed = true;
                }
                *link = parse(p);
                (*link)->name = name;
                link = &(*link)->next;
                v->length++;
            } while (!p->failed && expect(p, ','));
            if (!expect(p, close)) p->failed = true;
            break;
        }
        case '"':
            p->at++;
            v->kind = TEXT;
            v->text = parse_text(p, &v->length);
            break;
        case 't': v->kind = YES, p->at += 4; break;
        case 'f': v->kind = NO, p->at += 5; break;
        case 'n': v->kind = NOTHING, p->at += 4; break;
        default:
            if (*p->at == '-' || (*p->at >= '0' && *p->at <= '9')) {
                v->kind = NUMBER;
                v->number = parse_number(p);
            } else {
                p->failed = true;
            }
    }
    return v;
}

struct writer {
    char *text;
    size_t used;
};

static void put(struct writer *w, const char *text) {
    while (*text) w->text[w->used++] = *text++;
}

static void put_integer(struct writer *w, long long value) {
    char digits[24];
    int n = 0;
    if (value < 0) {
        w->text[w->used++] = '-';
        value = -value;
    }
    do digits[n++] = (char)('0' + value % 10);
    while (value /= 10);
    while (n) w->text[w->used++] = digits[--n];
}

static void put_text(struct writer *w, const char *text) {
    w->text[w->used++] = '"';
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') w->text[w->used++] = '\\', w->text[w->used++] = *text;
        else if (*text == '\n') put(w, "\\n");
        else w->text[w->used++] = *text;
    }
    w->text[w->used++] = '"';
}

static void write_value(struct writer *w, const struct value *v) {
    switch (v->kind) {
        case NOTHING: put(w, "null"); break;
        case NO: put(w, "false"); break;
        case YES: put(w, "true"); break;
        case NUMBER:
            put_integer(w, (long long)v->number);
            put(w, ".");
            put_integer(w, (long long)fabs((v->number - trunc(v->number)) * 1000));
            break;
        case TEXT: put_text(w, v->text); break;
        case LIST:
        case OBJECT:
            put(w, v->kind == LIST ? "[" : "{");
            for (const struct value *item = v->first; item; item = item->next) {
                if (item != v->first) put(w, ",");
                if (v->kind == OBJECT) {
                    put_text(w, item->name);
                    put(w, ":");
                }
                write_value(w, item);
            }
            put(w, v->kind == LIST ? "]" : "}");
    }
}

static const struct value *member(const struct value *object, const char *name) {
    for (const struct value *item = object->first; item; item = item->next)
        if (strcmp(item->name, name) == 0) return item;
    return NULL;
}

static void generate(struct writer *w, int people) {
    static const char *const NAMES[] = {"Abebe", "Tigist", "Selam", "Dawit", "Hana", "Yonas", "Lulit", "Kebede"};
    put(w, "{\"version\": 3, \"people\": [\n");
    for (int i = 0; i < people; i++) {
        if (i) put(w, ",\n");
        put(w, "  {\"id\": ");
        put_integer(w, i);
        put(w, ", \"name\": \"");
        put(w, NAMES[noise() % 8]);
        put(w, " \\\"the ");
        put_integer(w, noise() % 90);
        put(w, "th\\\" \\u00e9\\u4e2d\\n\", \"height\": ");
        put_integer(w, 1);
        put(w, ".");
        put_integer(w, 40 + noise() % 60);
        put(w, ", \"active\": ");
        put(w, noise() & 1 ? "true" : "false");
        put(w, ", \"manager\": null, \"scores\": [");
        for (int k = 0, n = noise() % 9; k < n; k++) {
            if (k) put(w, ", ");
            put_integer(w, (int)(noise() % 2000) - 1000);
            put(w, noise() & 1 ? ".5e1" : "");
        }
        put(w, "], \"home\": {\"city\": \"Addis Ababa\", \"at\": [9.03, 38.74], \"zip\": \"");
        put_integer(w, 1000 + noise() % 9000);
        put(w, "\"}}");
    }
    put(w, "\n]}\n");
}

int main(int argc, char **argv) {
    uint32_t times = amount(argc, argv, 90);
    uint32_t sum = MIX_START;
    size_t room = 400000;
    struct writer document = {malloc(room), 0}, again = {malloc(room), 0};
    struct parser p = {.arena = malloc(4 * room), .size = 4 * room};
    for (uint32_t t = 0; t < times; t++) {
        document.used = again.used = p.used = 0;
        generate(&document, 500);
        p.at = document.text, p.end = document.text + document.used;
        struct value *root = parse(&p);
        skip(&p);
        if (p.failed || p.at != p.end) {
            printf("json: the document is not read to its end\n");
            return 1;
        }
        double total = 0;
        for (const struct value *person = member(root, "people")->first; person; person = person->next) {
            total += member(person, "height")->number;
            for (const struct value *score = member(person, "scores")->first; score; score = score->next)
                total += score->number;
            sum = mix(sum, (uint32_t)strtoul(member(member(person, "home"), "zip")->text, NULL, 10));
        }
        write_value(&again, root);
        sum = mix(sum, (uint32_t)again.used);
        sum = mix(sum, (uint32_t)(int64_t)(total * 8));
        for (size_t i = 0; i < again.used; i += 97) sum = mix(sum, (uint32_t)again.text[i]);
    }
    printf("json %u: %08x\n", times, sum);
    return 0;
}
