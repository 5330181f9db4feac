/* Tables: functions of Wasm and of C side by side, called by their index; what a module imports and exports. */

#include "example.h"

/*
(module
  (type $op (func (param i32 i32) (result i32)))
  (table (export "ops") 2 5 funcref)
  (elem (i32.const 0) $add $sub)
  (func $add (type $op) (i32.add (local.get 0) (local.get 1)))
  (func $sub (type $op) (i32.sub (local.get 0) (local.get 1)))
  (func (export "apply") (param i32 i32 i32) (result i32)
    (call_indirect (type $op) (local.get 1) (local.get 2) (local.get 0))))
*/
static const unsigned char bytes[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x0e, 0x02, 0x60, 0x02, 0x7f, 0x7f, 0x01, 0x7f, 0x60,
    0x03, 0x7f, 0x7f, 0x7f, 0x01, 0x7f, 0x03, 0x04, 0x03, 0x00, 0x00, 0x01, 0x04, 0x05, 0x01, 0x70, 0x01, 0x02,
    0x05, 0x07, 0x0f, 0x02, 0x03, 0x6f, 0x70, 0x73, 0x01, 0x00, 0x05, 0x61, 0x70, 0x70, 0x6c, 0x79, 0x00, 0x02,
    0x09, 0x08, 0x01, 0x00, 0x41, 0x00, 0x0b, 0x02, 0x00, 0x01, 0x0a, 0x1d, 0x03, 0x07, 0x00, 0x20, 0x00, 0x20,
    0x01, 0x6a, 0x0b, 0x07, 0x00, 0x20, 0x00, 0x20, 0x01, 0x6b, 0x0b, 0x0b, 0x00, 0x20, 0x01, 0x20, 0x02, 0x20,
    0x00, 0x11, 0x00, 0x00, 0x0b, 0x00, 0x19, 0x04, 0x6e, 0x61, 0x6d, 0x65, 0x01, 0x0b, 0x02, 0x00, 0x03, 0x61,
    0x64, 0x64, 0x01, 0x03, 0x73, 0x75, 0x62, 0x04, 0x05, 0x01, 0x00, 0x02, 0x6f, 0x70,
};

static wasm_trap_t *multiply(const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  results->data[0].of.i32 = args->data[0].of.i32 * args->data[1].of.i32;
  return NULL;
}

static const char *const kinds[] = {"function", "global", "table", "memory"};

int main(void) {
  wasm_engine_t *engine = wasm_engine_new();
  wasm_store_t *store = wasm_store_new(engine);

  wasm_module_t *module = load(store, bytes, sizeof bytes);
  wasm_exporttype_vec_t types;
  wasm_module_exports(module, &types);
  for (size_t i = 0; i < types.size; i++) {
    const wasm_name_t *name = wasm_exporttype_name(types.data[i]);
    const wasm_externtype_t *type = wasm_exporttype_type(types.data[i]);
    printf("%.*s: a %s", (int)name->size, name->data, kinds[wasm_externtype_kind(type)]);
    const wasm_tabletype_t *table_type = wasm_externtype_as_tabletype_const(type);
    if (table_type) {
      const wasm_limits_t *limits = wasm_tabletype_limits(table_type);
      printf(" of %u to %u elements", (unsigned)limits->min, (unsigned)limits->max);
    }
    printf("\n");
  }
  wasm_exporttype_vec_delete(&types);
  wasm_module_delete(module);

  wasm_extern_vec_t imports = WASM_EMPTY_VEC, exports;
  wasm_instance_t *instance = instantiate(store, bytes, sizeof bytes, &imports, &exports);
  wasm_table_t *table = wasm_extern_as_table(exports.data[0]);
  wasm_func_t *apply = wasm_extern_as_func(exports.data[1]);

  wasm_functype_t *type =
      wasm_functype_new_2_1(wasm_valtype_new_i32(), wasm_valtype_new_i32(), wasm_valtype_new_i32());
  wasm_func_t *multiply_func = wasm_func_new(store, type, multiply);
  wasm_functype_delete(type);
  EXPECT(wasm_table_grow(table, 2, NULL));
  EXPECT(wasm_table_set(table, 2, wasm_func_as_ref(multiply_func)));

  for (int32_t i = 0; i < 4; i++) {
    wasm_val_t values[] = {WASM_I32_VAL(i), WASM_I32_VAL(21), WASM_I32_VAL(2)};
    wasm_val_t result[] = {WASM_INIT_VAL};
    wasm_val_vec_t args = WASM_ARRAY_VEC(values), results = WASM_ARRAY_VEC(result);
    wasm_trap_t *trap = wasm_func_call(apply, &args, &results);
    if (trap) {
      EXPECT(teff_trap_code(trap) == TEFF_TRAP_UNINITIALIZED_ELEMENT);
      print_trap("element 3", trap);
    } else {
      printf("element %d of 21 and 2: %d\n", (int)i, (int)result[0].of.i32);
    }
  }

  /* What comes out is the function that went in. A table has only functions, and only so many. */
  wasm_ref_t *element = wasm_table_get(table, 2);
  EXPECT(wasm_ref_same(element, wasm_func_as_ref(multiply_func)));
  EXPECT(wasm_func_param_arity(wasm_ref_as_func(element)) == 2);
  wasm_ref_delete(element);
  EXPECT(wasm_table_get(table, 3) == NULL);
  EXPECT(!wasm_table_set(table, 4, wasm_func_as_ref(apply)));
  EXPECT(!wasm_table_set(table, 0, wasm_instance_as_ref(instance)));
  EXPECT(!wasm_table_grow(table, 2, NULL));

  wasm_func_delete(multiply_func);
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
