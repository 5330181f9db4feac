// The first program a newcomer runs: it greets, says what the sandbox gave it, and does a little work.
//
//   teff run examples/hello.wasm
//   teff run --env LANG=en --dir examples::/shelf examples/hello.wasm Ada Grace

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wasi/api.h>

extern char **environ;

enum { LIMIT = 1000000 };

// Sieve of Eratosthenes: how many primes are below LIMIT.
static int count_primes(void) {
    unsigned char *composite = calloc(LIMIT, 1);
    if (composite == NULL) return -1;
    int primes = 0;
    for (int i = 2; i < LIMIT; i++) {
        if (composite[i]) continue;
        primes++;
        for (long long j = (long long)i * i; j < LIMIT; j += i) composite[j] = 1;
    }
    free(composite);
    return primes;
}

static void greet(int names, char **name) {
    printf("Hello");
    for (int i = 0; i < names; i++) printf("%s %s", i == 0 ? "," : i == names - 1 ? " and" : ",", name[i]);
    printf("%s! Welcome to teff.\n", names == 0 ? ", world" : "");
    printf("I am a small C program, compiled to WebAssembly. Every instruction of mine is interpreted.\n\n");
}

static void list_environment(void) {
    int count = 0;
    while (environ != NULL && environ[count] != NULL) count++;
    printf("  environment  %d variable%s", count, count == 1 ? "" : "s");
    for (int i = 0; i < count; i++) printf("%s%s", i == 0 ? ": " : ", ", environ[i]);
    printf("%s\n", count == 0 ? "         (give one: --env NAME=VALUE)" : "");
}

// Preopened directories are the file descriptors from 3 on, without a gap.
static void list_directories(void) {
    int found = 0;
    printf("  directories  ");
    for (__wasi_fd_t fd = 3;; fd++) {
        __wasi_prestat_t stat;
        char name[256];
        if (__wasi_fd_prestat_get(fd, &stat) != __WASI_ERRNO_SUCCESS) break;
        size_t length = stat.u.dir.pr_name_len;
        if (length >= sizeof name) length = sizeof name - 1;
        if (__wasi_fd_prestat_dir_name(fd, (uint8_t *)name, length) != __WASI_ERRNO_SUCCESS) break;
        name[length] = '\0';
        printf("%s%s", found++ == 0 ? "" : ", ", name);
    }
    printf("%s\n", found == 0 ? "none                (lend one: --dir HOST::GUEST)" : "");
}

int main(int argc, char **argv) {
    greet(argc - 1, argv + 1);

    struct timespec before, after;
    unsigned char dice[32];
    int clock_runs = clock_gettime(CLOCK_MONOTONIC, &before) == 0;
    int random_ok = getentropy(dice, sizeof dice) == 0;

    printf("What I was given:\n");
    printf("  arguments    %d%s\n", argc - 1, argc == 1 ? "                   (give some after the file name)" : "");
    list_environment();
    list_directories();
    printf("  random       %s\n", random_ok ? "32 bytes, thank you" : "none");

    printf("\nSome work: there are %d primes below %d.\n", count_primes(), LIMIT);
    clock_runs = clock_runs && clock_gettime(CLOCK_MONOTONIC, &after) == 0 &&
                 (after.tv_sec > before.tv_sec || (after.tv_sec == before.tv_sec && after.tv_nsec >= before.tv_nsec));
    printf("The clock %s.\n", clock_runs ? "ran forward while I counted" : "did not run");
    return 0;
}
