/* What the examples share: every failure ends the program with a message. */

#ifndef EXAMPLE_H
#define EXAMPLE_H

#include <stdio.h>
#include <stdlib.h>

#include "teff.h"
#include "wasm.h"

/* Ends the program unless it is true. */
static inline void expect(bool truth, const char *what) {
  if (!truth) {
    fprintf(stderr, "expected: %s\n", what);
    exit(1);
  }
}
#define EXPECT(condition) expect(condition, #condition)

/* Prints a trap and deletes it. */
static inline void print_trap(const char *what, wasm_trap_t *trap) {
  wasm_message_t message;
  wasm_trap_message(trap, &message);
  printf("%s: %s\n", what, message.data);
  wasm_byte_vec_delete(&message);
  wasm_trap_delete(trap);
}

/* A module out of its bytes, in a store. */
static inline wasm_module_t *load(wasm_store_t *store, const unsigned char *bytes, size_t size) {
  wasm_byte_vec_t binary;
  wasm_message_t error;
  wasm_byte_vec_new(&binary, size, (const char *)bytes);
  wasm_module_t *module = teff_module_new(store, &binary, &error);
  if (!module) {
    fprintf(stderr, "%s\n", error.data);
    exit(1);
  }
  wasm_byte_vec_delete(&binary);
  return module;
}

/* An instance of such a module, and its exports. */
static inline wasm_instance_t *instantiate(wasm_store_t *store, const unsigned char *bytes, size_t size,
                                           const wasm_extern_vec_t *imports, wasm_extern_vec_t *exports) {
  wasm_module_t *module = load(store, bytes, size);
  wasm_trap_t *trap = NULL;
  wasm_instance_t *instance = wasm_instance_new(store, module, imports, &trap);
  if (!instance) {
    print_trap("cannot instantiate", trap);
    exit(1);
  }
  wasm_module_delete(module);
  wasm_instance_exports(instance, exports);
  return instance;
}

/* Calls a function from i32s to an i32, which must not trap. */
static inline int32_t call(const wasm_func_t *func, size_t count, wasm_val_t *values) {
  wasm_val_vec_t args = {count, values};
  wasm_val_t result[] = {WASM_INIT_VAL};
  wasm_val_vec_t results = WASM_ARRAY_VEC(result);
  wasm_trap_t *trap = wasm_func_call(func, &args, &results);
  if (trap) {
    print_trap("unexpected trap", trap);
    exit(1);
  }
  return result[0].of.i32;
}

#endif
