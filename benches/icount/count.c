// A plugin for QEMU's user-mode emulator that counts the instructions a program executes. Knows nothing of the program.
//
//     qemu-aarch64 -plugin ./count.so,out=FILE[,blocks=FILE] PROGRAM
//
// QEMU translates straight runs of instructions (blocks) and executes each as a whole, so one counter a block is enough:
// the sum of length times executions is exact for a program with one thread in which no instruction faults.
// `out` gets the sum, and `blocks` a line `ADDRESS INSTRUCTIONS EXECUTIONS` for each block, addresses relative to where
// the program was loaded.
//
// Debian has no package with QEMU's header for plugins; these are the declarations, of version 1 of its interface, that
// are needed here.
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, enum qemu_plugin_op, void *, uint64_t);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, void *), void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);
uint64_t qemu_plugin_start_code(void);

#define EXPORT __attribute__((visibility("default")))

// What QEMU reads of a plugin: the version of the interface it was written for.
EXPORT int qemu_plugin_version = 1;
EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv);

// One translation of a block. QEMU may drop a translation and make another of the same block: both are summed.
struct block {
    uint64_t address, instructions, executions;
    struct block *next;
};

static struct block *all;
static const char *out, *blocks;

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
    (void)id;
    struct block *block = malloc(sizeof *block);
    if (!block) abort();
    *block = (struct block){qemu_plugin_tb_vaddr(tb), qemu_plugin_tb_n_insns(tb), 0, all};
    all = block;
    // The generated code itself adds; a call for each block would take several times as long.
    qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &block->executions, 1);
}

static FILE *create(const char *path) {
    FILE *file = fopen(path, "w");
    if (file) return file;
    perror(path);
    exit(1);
}

static void ended(qemu_plugin_id_t id, void *data) {
    (void)id, (void)data;
    uint64_t sum = 0;
    for (struct block *block = all; block; block = block->next) sum += block->instructions * block->executions;
    FILE *file = create(out);
    fprintf(file, "%" PRIu64 "\n", sum);
    fclose(file);
    if (!blocks) return;
    file = create(blocks);
    for (struct block *block = all; block; block = block->next)
        if (block->executions)
            fprintf(file, "%" PRIx64 " %" PRIu64 " %" PRIu64 "\n", block->address - qemu_plugin_start_code(),
                    block->instructions, block->executions);
    fclose(file);
}

int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv) {
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (!strncmp(argv[i], "out=", 4)) out = argv[i] + 4;
        else if (!strncmp(argv[i], "blocks=", 7)) blocks = argv[i] + 7;
        else {
            fprintf(stderr, "count.so: no argument is called `%s`: out=FILE, blocks=FILE\n", argv[i]);
            return 1;
        }
    }
    if (!out) {
        fprintf(stderr, "count.so: where to? out=FILE\n");
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, ended, NULL);
    return 0;
}
