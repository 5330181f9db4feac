/* Memories: bytes exchanged in place, growth, a memory of C's as an import, limits. */

#include "example.h"

/*
(module
  (import "host" "shared" (memory 1 3))
  (global (export "calls") (mut i32) (i32.const 0))
  (func (export "upper") (param $at i32) (param $len i32) (result i32) (local $c i32)
    (global.set 0 (i32.add (global.get 0) (i32.const 1)))
    (if (i32.eqz (local.get $len)) (then (return (i32.const 0))))
    (loop $next
      (local.set $c (i32.load8_u (local.get $at)))
      (if (i32.and (i32.ge_u (local.get $c) (i32.const 97)) (i32.le_u (local.get $c) (i32.const 122)))
        (then (i32.store8 (local.get $at) (i32.sub (local.get $c) (i32.const 32)))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (local.set $len (i32.sub (local.get $len) (i32.const 1)))
      (br_if $next (local.get $len)))
    (local.get $at))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))
*/
static const unsigned char bytes[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x0c, 0x02, 0x60, 0x02, 0x7f, 0x7f, 0x01, 0x7f, 0x60,
    0x01, 0x7f, 0x01, 0x7f, 0x02, 0x11, 0x01, 0x04, 0x68, 0x6f, 0x73, 0x74, 0x06, 0x73, 0x68, 0x61, 0x72, 0x65,
    0x64, 0x02, 0x01, 0x01, 0x03, 0x03, 0x03, 0x02, 0x00, 0x01, 0x06, 0x06, 0x01, 0x7f, 0x01, 0x41, 0x00, 0x0b,
    0x07, 0x18, 0x03, 0x05, 0x63, 0x61, 0x6c, 0x6c, 0x73, 0x03, 0x00, 0x05, 0x75, 0x70, 0x70, 0x65, 0x72, 0x00,
    0x00, 0x04, 0x67, 0x72, 0x6f, 0x77, 0x00, 0x01, 0x0a, 0x55, 0x02, 0x4c, 0x01, 0x01, 0x7f, 0x23, 0x00, 0x41,
    0x01, 0x6a, 0x24, 0x00, 0x20, 0x01, 0x45, 0x04, 0x40, 0x41, 0x00, 0x0f, 0x0b, 0x03, 0x40, 0x20, 0x00, 0x2d,
    0x00, 0x00, 0x21, 0x02, 0x20, 0x02, 0x41, 0xe1, 0x00, 0x4f, 0x20, 0x02, 0x41, 0xfa, 0x00, 0x4d, 0x71, 0x04,
    0x40, 0x20, 0x00, 0x20, 0x02, 0x41, 0x20, 0x6b, 0x3a, 0x00, 0x00, 0x0b, 0x20, 0x00, 0x41, 0x01, 0x6a, 0x21,
    0x00, 0x20, 0x01, 0x41, 0x01, 0x6b, 0x21, 0x01, 0x20, 0x01, 0x0d, 0x00, 0x0b, 0x20, 0x00, 0x0b, 0x06, 0x00,
    0x20, 0x00, 0x40, 0x00, 0x0b, 0x00, 0x21, 0x04, 0x6e, 0x61, 0x6d, 0x65, 0x02, 0x0f, 0x01, 0x00, 0x03, 0x00,
    0x02, 0x61, 0x74, 0x01, 0x03, 0x6c, 0x65, 0x6e, 0x02, 0x01, 0x63, 0x03, 0x09, 0x01, 0x00, 0x01, 0x01, 0x04,
    0x6e, 0x65, 0x78, 0x74,
};

int main(void) {
  wasm_engine_t *engine = wasm_engine_new();
  wasm_store_t *store = wasm_store_new(engine);

  wasm_limits_t limits = {1, 3};
  wasm_memorytype_t *type = wasm_memorytype_new(&limits);
  wasm_memory_t *memory = wasm_memory_new(store, type);
  wasm_memorytype_delete(type);
  EXPECT(memory != NULL);
  wasm_extern_t *externs[] = {wasm_memory_as_extern(memory)};
  wasm_extern_vec_t imports = WASM_ARRAY_VEC(externs), exports;
  wasm_instance_t *instance = instantiate(store, bytes, sizeof bytes, &imports, &exports);
  wasm_global_t *calls = wasm_extern_as_global(exports.data[0]);
  wasm_func_t *upper = wasm_extern_as_func(exports.data[1]), *grow = wasm_extern_as_func(exports.data[2]);

  const char text[] = "no copies are made";
  memcpy(wasm_memory_data(memory) + 64, text, sizeof text);
  wasm_val_t range[] = {WASM_I32_VAL(64), WASM_I32_VAL(sizeof text - 1)};
  printf("it ends at %d: %s\n", (int)call(upper, 2, range), wasm_memory_data(memory) + 64);

  /* A memory grows by C and by Wasm, up to its maximum. The address of its bytes may change. */
  EXPECT(wasm_memory_data_size(memory) == MEMORY_PAGE_SIZE);
  EXPECT(wasm_memory_grow(memory, 1));
  wasm_val_t one[] = {WASM_I32_VAL(1)};
  printf("pages before it grew: %d\n", (int)call(grow, 1, one));
  printf("and once more: %d\n", (int)call(grow, 1, one));
  EXPECT(!wasm_memory_grow(memory, 1));
  EXPECT(wasm_memory_size(memory) == 3);
  printf("still there: %s\n", wasm_memory_data(memory) + 64);

  wasm_val_t value;
  wasm_global_get(calls, &value);
  printf("calls: %d\n", (int)value.of.i32);
  value.of.i32 = 10;
  wasm_global_set(calls, &value);
  wasm_val_t nothing[] = {WASM_I32_VAL(0), WASM_I32_VAL(0)};
  call(upper, 2, nothing);
  wasm_global_get(calls, &value);
  printf("calls: %d\n", (int)value.of.i32);

  /* A store's limits are beside those of types. */
  teff_limits_t store_limits = TEFF_NO_LIMITS;
  store_limits.memory_bytes = 2 * MEMORY_PAGE_SIZE;
  teff_store_limit(store, &store_limits);
  wasm_limits_t large = {3, wasm_limits_max_default};
  type = wasm_memorytype_new(&large);
  EXPECT(wasm_memory_new(store, type) == NULL);
  wasm_memorytype_delete(type);

  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_memory_delete(memory);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
