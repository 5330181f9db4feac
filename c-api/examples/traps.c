/* Traps of Wasm, and of C through Wasm: their messages, codes and frames. */

#include <inttypes.h>

#include "example.h"

/*
(module
  (import "host" "fail" (func $fail))
  (func $divide (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
  (func (export "divide") (param i32 i32) (result i32) (call $divide (local.get 0) (local.get 1)))
  (func (export "fail") (call $fail))
  (func $deep (export "deep") (call $deep))
  (func (export "unreachable") (unreachable)))
*/
static const unsigned char bytes[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x0a, 0x02, 0x60, 0x00, 0x00, 0x60, 0x02, 0x7f, 0x7f,
    0x01, 0x7f, 0x02, 0x0d, 0x01, 0x04, 0x68, 0x6f, 0x73, 0x74, 0x04, 0x66, 0x61, 0x69, 0x6c, 0x00, 0x00, 0x03,
    0x06, 0x05, 0x01, 0x01, 0x00, 0x00, 0x00, 0x07, 0x26, 0x04, 0x06, 0x64, 0x69, 0x76, 0x69, 0x64, 0x65, 0x00,
    0x02, 0x04, 0x66, 0x61, 0x69, 0x6c, 0x00, 0x03, 0x04, 0x64, 0x65, 0x65, 0x70, 0x00, 0x04, 0x0b, 0x75, 0x6e,
    0x72, 0x65, 0x61, 0x63, 0x68, 0x61, 0x62, 0x6c, 0x65, 0x00, 0x05, 0x0a, 0x20, 0x05, 0x07, 0x00, 0x20, 0x00,
    0x20, 0x01, 0x6d, 0x0b, 0x08, 0x00, 0x20, 0x00, 0x20, 0x01, 0x10, 0x01, 0x0b, 0x04, 0x00, 0x10, 0x00, 0x0b,
    0x04, 0x00, 0x10, 0x04, 0x0b, 0x03, 0x00, 0x00, 0x0b, 0x00, 0x1c, 0x04, 0x6e, 0x61, 0x6d, 0x65, 0x01, 0x15,
    0x03, 0x00, 0x04, 0x66, 0x61, 0x69, 0x6c, 0x01, 0x06, 0x64, 0x69, 0x76, 0x69, 0x64, 0x65, 0x04, 0x04, 0x64,
    0x65, 0x65, 0x70,
};

static wasm_trap_t *fail(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  (void)args, (void)results;
  wasm_message_t message;
  wasm_name_new_from_string_nt(&message, "the host is out of tea");
  wasm_trap_t *trap = wasm_trap_new(env, &message);
  wasm_byte_vec_delete(&message);
  return trap;
}

static void show(const char *what, const wasm_instance_t *instance, wasm_trap_t *trap) {
  EXPECT(trap != NULL);
  printf("%s: code %d", what, teff_trap_code(trap));
  wasm_frame_vec_t trace;
  wasm_trap_trace(trap, &trace);
  for (size_t i = 0; i < trace.size && i < 3; i++) {
    EXPECT(wasm_instance_same(wasm_frame_instance(trace.data[i]), instance));
    printf(", function %" PRIu32 " at %zu", wasm_frame_func_index(trace.data[i]),
           wasm_frame_func_offset(trace.data[i]));
  }
  printf("%s\n", trace.size > 3 ? ", ..." : "");
  wasm_frame_vec_delete(&trace);
  print_trap("  message", trap);
}

int main(void) {
  wasm_engine_t *engine = wasm_engine_new();
  wasm_store_t *store = wasm_store_new(engine);

  wasm_functype_t *nothing = wasm_functype_new_0_0();
  wasm_func_t *fail_func = wasm_func_new_with_env(store, nothing, fail, store, NULL);
  wasm_functype_delete(nothing);
  wasm_extern_t *externs[] = {wasm_func_as_extern(fail_func)};
  wasm_extern_vec_t imports = WASM_ARRAY_VEC(externs), exports;
  wasm_instance_t *instance = instantiate(store, bytes, sizeof bytes, &imports, &exports);

  wasm_val_t values[] = {WASM_I32_VAL(7), WASM_I32_VAL(0)};
  wasm_val_vec_t args = WASM_ARRAY_VEC(values), none = WASM_EMPTY_VEC;
  wasm_val_t result[] = {WASM_INIT_VAL};
  wasm_val_vec_t results = WASM_ARRAY_VEC(result);
  show("divide", instance, wasm_func_call(wasm_extern_as_func(exports.data[0]), &args, &results));
  show("fail", instance, wasm_func_call(wasm_extern_as_func(exports.data[1]), &none, &none));
  show("deep", instance, wasm_func_call(wasm_extern_as_func(exports.data[2]), &none, &none));
  show("unreachable", instance, wasm_func_call(wasm_extern_as_func(exports.data[3]), &none, &none));

  /* What does not fit is a trap too. */
  show("no arguments", instance, wasm_func_call(wasm_extern_as_func(exports.data[0]), &none, &results));
  values[1].kind = WASM_F32;
  show("a float", instance, wasm_func_call(wasm_extern_as_func(exports.data[0]), &args, &results));
  wasm_trap_t *trap = NULL;
  wasm_module_t *module = load(store, bytes, sizeof bytes);
  wasm_extern_vec_t no_imports = WASM_EMPTY_VEC;
  EXPECT(!wasm_instance_new(store, module, &no_imports, &trap));
  show("no imports", instance, trap);
  wasm_module_delete(module);

  /* The module says why it is none. */
  wasm_byte_vec_t binary;
  wasm_message_t error;
  wasm_byte_vec_new(&binary, sizeof bytes - 1, (const char *)bytes);
  EXPECT(!teff_module_new(store, &binary, &error));
  printf("half a module: %s\n", error.data);
  wasm_byte_vec_delete(&error);
  wasm_byte_vec_delete(&binary);

  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_func_delete(fail_func);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
