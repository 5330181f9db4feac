// The same machine as in vm-switch.c by a table of functions, its registers in the machine: call_indirect.
#include "vm.h"

typedef void operation(struct machine *m, int32_t value);

#define BINARY(name, expression)                             \
    static void name(struct machine *m, int32_t value) {     \
        (void)value;                                         \
        int32_t b = m->stack[--m->sp], a = m->stack[m->sp - 1]; \
        m->stack[m->sp - 1] = (expression);                  \
    }

BINARY(add, (int32_t)((uint32_t)a + (uint32_t)b))
BINARY(sub, (int32_t)((uint32_t)a - (uint32_t)b))
BINARY(mul, (int32_t)((uint32_t)a * (uint32_t)b))
BINARY(divide, a / b)
BINARY(mod, a % b)
BINARY(and, a & b)
BINARY(xor, a ^ b)
BINARY(shl, (int32_t)((uint32_t)a << (b & 31)))
BINARY(less, a < b)
BINARY(equal, a == b)

static void push(struct machine *m, int32_t value) { m->stack[m->sp++] = value; }
static void load(struct machine *m, int32_t value) { m->stack[m->sp++] = m->locals[value]; }
static void store(struct machine *m, int32_t value) { m->locals[value] = m->stack[--m->sp]; }
static void jump(struct machine *m, int32_t value) { m->pc = value; }

static void jump_if(struct machine *m, int32_t value) {
    if (m->stack[--m->sp]) m->pc = value;
}

static void not(struct machine *m, int32_t value) {
    (void)value;
    m->stack[m->sp - 1] = !m->stack[m->sp - 1];
}

static void dup(struct machine *m, int32_t value) {
    (void)value;
    m->stack[m->sp] = m->stack[m->sp - 1];
    m->sp++;
}

static void drop(struct machine *m, int32_t value) {
    (void)value;
    m->sp--;
}

static void get(struct machine *m, int32_t value) {
    (void)value;
    m->stack[m->sp - 1] = m->heap[m->stack[m->sp - 1] & 4095];
}

static void put(struct machine *m, int32_t value) {
    (void)value;
    m->sp -= 2;
    m->heap[m->stack[m->sp + 1] & 4095] = m->stack[m->sp];
}

static void call(struct machine *m, int32_t value) {
    m->returns[m->depth++] = m->pc;
    m->pc = value;
}

static void leave(struct machine *m, int32_t value) {
    (void)value;
    m->pc = m->returns[--m->depth];
}

static void print(struct machine *m, int32_t value) {
    (void)value;
    m->output = m->output * 31 + (uint32_t)m->stack[--m->sp];
}

static void halt(struct machine *m, int32_t value) {
    (void)value;
    m->pc = -1;
}

static operation *const OPERATIONS[OPS] = {
    [PUSH] = push, [LOAD] = load, [STORE] = store, [ADD] = add, [SUB] = sub, [MUL] = mul, [DIV] = divide, [MOD] = mod,
    [AND] = and, [XOR] = xor, [SHL] = shl, [LESS] = less, [EQUAL] = equal, [NOT] = not, [DUP] = dup, [DROP] = drop,
    [JUMP] = jump, [JUMP_IF] = jump_if, [GET] = get, [PUT] = put, [CALL] = call, [RETURN] = leave, [PRINT] = print,
    [HALT] = halt,
};

static void run(struct machine *m) {
    while (m->pc >= 0) {
        struct code code = m->program[m->pc++];
        OPERATIONS[code.op](m, code.value);
    }
}

int main(int argc, char **argv) { return run_all(argc, argv, "vm-table", 30); }
