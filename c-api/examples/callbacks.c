/* Functions of C with an environment, host references, and a call back into the module that calls. */

#include "example.h"

/*
(module
  (import "host" "count" (func $count (param i32) (result i32)))
  (import "host" "name" (func $name (param externref) (result externref)))
  (import "host" "twice" (func $twice (param i32) (result i32)))
  (func (export "count") (param i32) (result i32)
    (drop (call $count (local.get 0)))
    (call $count (local.get 0)))
  (func (export "name") (param externref) (result externref) (call $name (local.get 0)))
  (func (export "twice") (param i32) (result i32) (call $twice (local.get 0)))
  (func (export "square") (param i32) (result i32) (i32.mul (local.get 0) (local.get 0))))
*/
static const unsigned char bytes[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x0b, 0x02, 0x60, 0x01, 0x7f, 0x01, 0x7f, 0x60, 0x01,
    0x6f, 0x01, 0x6f, 0x02, 0x27, 0x03, 0x04, 0x68, 0x6f, 0x73, 0x74, 0x05, 0x63, 0x6f, 0x75, 0x6e, 0x74, 0x00,
    0x00, 0x04, 0x68, 0x6f, 0x73, 0x74, 0x04, 0x6e, 0x61, 0x6d, 0x65, 0x00, 0x01, 0x04, 0x68, 0x6f, 0x73, 0x74,
    0x05, 0x74, 0x77, 0x69, 0x63, 0x65, 0x00, 0x00, 0x03, 0x05, 0x04, 0x00, 0x01, 0x00, 0x00, 0x07, 0x21, 0x04,
    0x05, 0x63, 0x6f, 0x75, 0x6e, 0x74, 0x00, 0x03, 0x04, 0x6e, 0x61, 0x6d, 0x65, 0x00, 0x04, 0x05, 0x74, 0x77,
    0x69, 0x63, 0x65, 0x00, 0x05, 0x06, 0x73, 0x71, 0x75, 0x61, 0x72, 0x65, 0x00, 0x06, 0x0a, 0x23, 0x04, 0x0b,
    0x00, 0x20, 0x00, 0x10, 0x00, 0x1a, 0x20, 0x00, 0x10, 0x00, 0x0b, 0x06, 0x00, 0x20, 0x00, 0x10, 0x01, 0x0b,
    0x06, 0x00, 0x20, 0x00, 0x10, 0x02, 0x0b, 0x07, 0x00, 0x20, 0x00, 0x20, 0x00, 0x6c, 0x0b, 0x00, 0x1c, 0x04,
    0x6e, 0x61, 0x6d, 0x65, 0x01, 0x15, 0x03, 0x00, 0x05, 0x63, 0x6f, 0x75, 0x6e, 0x74, 0x01, 0x04, 0x6e, 0x61,
    0x6d, 0x65, 0x02, 0x05, 0x74, 0x77, 0x69, 0x63, 0x65,
};

/* Adds up what it is given. */
static wasm_trap_t *count(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  int32_t *total = env;
  *total += args->data[0].of.i32;
  wasm_val_t result = WASM_I32_VAL(*total);
  wasm_val_copy(&results->data[0], &result);
  return NULL;
}

static void forget(void *env) {
  printf("the total was %d\n", (int)*(int32_t *)env);
  free(env);
}

/* Gives back the reference that it gets. */
static wasm_trap_t *name(const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  wasm_ref_t *ref = args->data[0].of.ref;
  printf("the reference leads to %s\n", ref ? (const char *)wasm_ref_get_host_info(ref) : "nothing");
  wasm_val_copy(&results->data[0], &args->data[0]);
  return NULL;
}

/* Calls the module that called it: a handle of its function `square` is the environment, and not owned. */
static wasm_trap_t *twice(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  wasm_func_t **square = env;
  wasm_trap_t *trap = wasm_func_call(*square, args, results);
  if (trap) return trap;
  results->data[0].of.i32 *= 2;
  return NULL;
}

int main(void) {
  wasm_engine_t *engine = wasm_engine_new();
  wasm_store_t *store = wasm_store_new(engine);

  int32_t *total = malloc(sizeof *total);
  EXPECT(total != NULL);
  *total = 0;
  wasm_func_t *square = NULL;
  wasm_functype_t *i32_to_i32 = wasm_functype_new_1_1(wasm_valtype_new_i32(), wasm_valtype_new_i32());
  wasm_functype_t *ref_to_ref = wasm_functype_new_1_1(wasm_valtype_new_externref(), wasm_valtype_new_externref());
  wasm_func_t *funcs[] = {
      wasm_func_new_with_env(store, i32_to_i32, count, total, forget),
      wasm_func_new(store, ref_to_ref, name),
      wasm_func_new_with_env(store, i32_to_i32, twice, &square, NULL),
  };
  wasm_functype_delete(i32_to_i32);
  wasm_functype_delete(ref_to_ref);

  wasm_extern_t *externs[] = {
      wasm_func_as_extern(funcs[0]), wasm_func_as_extern(funcs[1]), wasm_func_as_extern(funcs[2])};
  wasm_extern_vec_t imports = WASM_ARRAY_VEC(externs), exports;
  wasm_instance_t *instance = instantiate(store, bytes, sizeof bytes, &imports, &exports);
  square = wasm_extern_as_func(exports.data[3]);

  wasm_val_t seven[] = {WASM_I32_VAL(7)};
  printf("count: %d\n", (int)call(wasm_extern_as_func(exports.data[0]), 1, seven));
  printf("twice the square: %d\n", (int)call(wasm_extern_as_func(exports.data[2]), 1, seven));

  /* A reference comes back as another handle to the same object; null stays null. */
  wasm_foreign_t *foreign = wasm_foreign_new(store);
  wasm_foreign_set_host_info(foreign, "a teapot");
  wasm_ref_t *refs[] = {wasm_foreign_as_ref(foreign), NULL};
  for (size_t i = 0; i < 2; i++) {
    wasm_val_t arg[] = {WASM_REF_VAL(refs[i])};
    wasm_val_t result[] = {WASM_INIT_VAL};
    wasm_val_vec_t args = WASM_ARRAY_VEC(arg), results = WASM_ARRAY_VEC(result);
    EXPECT(!wasm_func_call(wasm_extern_as_func(exports.data[1]), &args, &results));
    EXPECT(refs[i] ? wasm_ref_same(result[0].of.ref, refs[i]) : result[0].of.ref == NULL);
    wasm_val_delete(&result[0]);
  }

  wasm_foreign_delete(foreign);
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  for (size_t i = 0; i < 3; i++) wasm_func_delete(funcs[i]);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
