/* A module that calls back: the shortest way from bytes to a result. */

#include <stdio.h>

#include "wasm.h"

/*
(module
  (import "host" "print" (func $print (param i32)))
  (func (export "run") (param i32 i32) (result i32)
    (call $print (local.get 0))
    (call $print (local.get 1))
    (i32.add (local.get 0) (local.get 1))))
*/
static const char bytes[] = {
    0, 97, 115, 109, 1, 0, 0, 0, 1, 11, 2, 96, 1, 127, 0, 96, 2, 127, 127, 1, 127, 2, 14, 1, 4, 104, 111, 115,
    116, 5, 112, 114, 105, 110, 116, 0, 0, 3, 2, 1, 1, 7, 7, 1, 3, 114, 117, 110, 0, 1, 10, 17, 1, 15, 0, 32, 0,
    16, 0, 32, 1, 16, 0, 32, 0, 32, 1, 106, 11, 0, 15, 4, 110, 97, 109, 101, 1, 8, 1, 0, 5, 112, 114, 105, 110,
    116,
};

static wasm_trap_t *print(const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  (void)results;
  printf("the guest says %d\n", (int)args->data[0].of.i32);
  return NULL;
}

int main(void) {
  wasm_engine_t *engine = wasm_engine_new();
  wasm_store_t *store = wasm_store_new(engine);

  wasm_byte_vec_t binary;
  wasm_byte_vec_new(&binary, sizeof bytes, bytes);
  wasm_module_t *module = wasm_module_new(store, &binary);
  wasm_byte_vec_delete(&binary);

  wasm_functype_t *type = wasm_functype_new_1_0(wasm_valtype_new_i32());
  wasm_func_t *print_func = wasm_func_new(store, type, print);
  wasm_functype_delete(type);

  wasm_extern_t *import_list[] = {wasm_func_as_extern(print_func)};
  wasm_extern_vec_t imports = WASM_ARRAY_VEC(import_list);
  wasm_instance_t *instance = wasm_instance_new(store, module, &imports, NULL);
  if (!instance) return 1;

  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);

  wasm_val_t arg_list[] = {WASM_I32_VAL(40), WASM_I32_VAL(2)};
  wasm_val_t result_list[] = {WASM_INIT_VAL};
  wasm_val_vec_t args = WASM_ARRAY_VEC(arg_list);
  wasm_val_vec_t results = WASM_ARRAY_VEC(result_list);
  if (wasm_func_call(wasm_extern_as_func(exports.data[0]), &args, &results)) return 1;
  printf("the result is %d\n", (int)result_list[0].of.i32);

  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_func_delete(print_func);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
