// A small stack machine and its programs, for the two interpreters vm-switch.c and vm-table.c.
#pragma once
#include "bench.h"

enum op {
    PUSH, LOAD, STORE, ADD, SUB, MUL, DIV, MOD, AND, XOR, SHL, LESS, EQUAL, NOT, DUP, DROP, JUMP, JUMP_IF, GET, PUT,
    CALL, RETURN, PRINT, HALT, OPS
};

struct code {
    uint8_t op;
    int32_t value;
};

struct machine {
    const struct code *program;
    int32_t pc, sp, fp, depth;
    int32_t stack[256], locals[256], returns[64], heap[4096];
    uint32_t output;
};

// Counts primes by a sieve in `heap`, `value` of the first instruction times.
static const struct code SIEVE[] = {
    {PUSH, 0}, {STORE, 0},                                              // 0: how often is put in by main
    {LOAD, 0}, {PUSH, 0}, {EQUAL, 0}, {JUMP_IF, 58},                    // 2: until local 0 is 0
    {LOAD, 0}, {PUSH, 1}, {SUB, 0}, {STORE, 0},                         // 6
    {PUSH, 2}, {STORE, 1},                                              // 10: clear the heap
    {LOAD, 1}, {PUSH, 4096}, {LESS, 0}, {NOT, 0}, {JUMP_IF, 25},        // 12
    {PUSH, 1}, {LOAD, 1}, {PUT, 0},                                     // 17
    {LOAD, 1}, {PUSH, 1}, {ADD, 0}, {STORE, 1}, {JUMP, 12},             // 20
    {PUSH, 2}, {STORE, 1},                                              // 25: for each number
    {LOAD, 1}, {PUSH, 4096}, {LESS, 0}, {NOT, 0}, {JUMP_IF, 57},        // 27
    {LOAD, 1}, {GET, 0}, {NOT, 0}, {JUMP_IF, 52},                       // 32: not a prime
    {LOAD, 1}, {DUP, 0}, {PRINT, 0}, {DUP, 0}, {ADD, 0}, {STORE, 2},    // 36: a prime
    {LOAD, 2}, {PUSH, 4096}, {LESS, 0}, {NOT, 0}, {JUMP_IF, 52},        // 42
    {LOAD, 2}, {CALL, 59}, {STORE, 2}, {JUMP, 42}, {HALT, 0},           // 47
    {LOAD, 1}, {PUSH, 1}, {ADD, 0}, {STORE, 1}, {JUMP, 27},             // 52
    {JUMP, 2},                                                          // 57
    {HALT, 0},                                                          // 58
    {STORE, 3}, {PUSH, 0}, {LOAD, 3}, {PUT, 0},                         // 59: a subroutine: heap[n] = 0, n + local 1
    {LOAD, 3}, {LOAD, 1}, {ADD, 0}, {RETURN, 0},                        // 63
};

// A pseudo-random walk in integer arithmetic, the collatz steps of each number met.
static const struct code WALK[] = {
    {PUSH, 0}, {STORE, 0},                                              // 0: how often is put in by main
    {PUSH, 12345}, {STORE, 1},                                          // 2
    {LOAD, 0}, {PUSH, 0}, {EQUAL, 0}, {JUMP_IF, 42},                    // 4
    {LOAD, 0}, {PUSH, 1}, {SUB, 0}, {STORE, 0},                         // 8
    {LOAD, 1}, {PUSH, 1103515}, {MUL, 0}, {PUSH, 12345}, {ADD, 0}, {PUSH, 0x7fffff}, {AND, 0}, {STORE, 1}, // 12
    {LOAD, 1}, {PUSH, 1}, {ADD, 0}, {STORE, 2},                         // 20
    {LOAD, 2}, {PUSH, 2}, {LESS, 0}, {JUMP_IF, 4},                      // 24
    {LOAD, 2}, {PUSH, 1}, {AND, 0}, {JUMP_IF, 37},                      // 28
    {LOAD, 2}, {PUSH, 2}, {DIV, 0}, {STORE, 2}, {JUMP, 24},             // 32
    {LOAD, 2}, {CALL, 43}, {PUSH, 0x3fffff}, {AND, 0}, {JUMP, 50},      // 37
    {HALT, 0},                                                          // 42
    {PUSH, 3}, {MUL, 0}, {PUSH, 1}, {ADD, 0}, {DUP, 0}, {PRINT, 0}, {RETURN, 0}, // 43: 3 n + 1
    {STORE, 2}, {LOAD, 2}, {PUSH, 7}, {MOD, 0}, {LOAD, 1}, {XOR, 0}, {PUSH, 1}, {SHL, 0}, {DROP, 0}, {JUMP, 24}, // 50
};

// Runs one program to its end; each interpreter has its own.
static void run(struct machine *m);

static int run_all(int argc, char **argv, const char *name, uint32_t usual) {
    static struct machine m;
    static struct code copy[128];
    uint32_t times = amount(argc, argv, usual), sum = MIX_START;
    for (int which = 0; which < 2; which++) {
        const struct code *program = which ? WALK : SIEVE;
        size_t length = which ? sizeof WALK / sizeof *WALK : sizeof SIEVE / sizeof *SIEVE;
        for (size_t i = 0; i < length; i++) copy[i] = program[i];
        copy[0].value = (int32_t)(which ? times * 80 : times);
        m = (struct machine){.program = copy, .output = MIX_START};
        run(&m);
        sum = mix(sum, m.output);
    }
    printf("%s %u: %08x\n", name, times, sum);
    return 0;
}
