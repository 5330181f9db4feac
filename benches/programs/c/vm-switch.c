// A bytecode interpreter by `switch` in a loop, its registers in local variables: br_table.
#include "vm.h"

static void run(struct machine *m) {
    const struct code *program = m->program;
    int32_t pc = 0, sp = 0, depth = 0, *stack = m->stack;
    for (;;) {
        struct code code = program[pc++];
        switch ((enum op)code.op) {
            case PUSH: stack[sp++] = code.value; break;
            case LOAD: stack[sp++] = m->locals[code.value]; break;
            case STORE: m->locals[code.value] = stack[--sp]; break;
            case ADD: sp--, stack[sp - 1] = (int32_t)((uint32_t)stack[sp - 1] + (uint32_t)stack[sp]); break;
            case SUB: sp--, stack[sp - 1] = (int32_t)((uint32_t)stack[sp - 1] - (uint32_t)stack[sp]); break;
            case MUL: sp--, stack[sp - 1] = (int32_t)((uint32_t)stack[sp - 1] * (uint32_t)stack[sp]); break;
            case DIV: sp--, stack[sp - 1] /= stack[sp]; break;
            case MOD: sp--, stack[sp - 1] %= stack[sp]; break;
            case AND: sp--, stack[sp - 1] &= stack[sp]; break;
            case XOR: sp--, stack[sp - 1] ^= stack[sp]; break;
            case SHL: sp--, stack[sp - 1] = (int32_t)((uint32_t)stack[sp - 1] << (stack[sp] & 31)); break;
            case LESS: sp--, stack[sp - 1] = stack[sp - 1] < stack[sp]; break;
            case EQUAL: sp--, stack[sp - 1] = stack[sp - 1] == stack[sp]; break;
            case NOT: stack[sp - 1] = !stack[sp - 1]; break;
            case DUP: stack[sp] = stack[sp - 1], sp++; break;
            case DROP: sp--; break;
            case JUMP: pc = code.value; break;
            case JUMP_IF:
                if (stack[--sp]) pc = code.value;
                break;
            case GET: stack[sp - 1] = m->heap[stack[sp - 1] & 4095]; break;
            case PUT: sp -= 2, m->heap[stack[sp + 1] & 4095] = stack[sp]; break;
            case CALL: m->returns[depth++] = pc, pc = code.value; break;
            case RETURN: pc = m->returns[--depth]; break;
            case PRINT: m->output = m->output * 31 + (uint32_t)stack[--sp]; break;
            case HALT:
            case OPS: return;
        }
    }
}

int main(int argc, char **argv) { return run_all(argc, argv, "vm-switch", 65); }
