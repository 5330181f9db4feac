/* Two guests that take turns on one thread, in steps of a little fuel, and wait for answers of the host. */

#include "example.h"

/*
(module
  (import "host" "read" (func $read (param i32) (result i32)))
  (func (export "filter") (param $sensor i32) (param $rounds i32) (result i32) (local $sum i32) (local $i i32)
    (loop $round
      (local.set $sum (i32.add (local.get $sum) (call $read (local.get $sensor))))
      (local.set $i (i32.const 50))
      (loop $work
        (local.set $i (i32.sub (local.get $i) (i32.const 1)))
        (br_if $work (local.get $i)))
      (local.set $rounds (i32.sub (local.get $rounds) (i32.const 1)))
      (br_if $round (local.get $rounds)))
    (local.get $sum)))
*/
static const unsigned char bytes[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x0c, 0x02, 0x60, 0x01, 0x7f, 0x01, 0x7f, 0x60, 0x02,
    0x7f, 0x7f, 0x01, 0x7f, 0x02, 0x0d, 0x01, 0x04, 0x68, 0x6f, 0x73, 0x74, 0x04, 0x72, 0x65, 0x61, 0x64, 0x00,
    0x00, 0x03, 0x02, 0x01, 0x01, 0x07, 0x0a, 0x01, 0x06, 0x66, 0x69, 0x6c, 0x74, 0x65, 0x72, 0x00, 0x01, 0x0a,
    0x31, 0x01, 0x2f, 0x01, 0x02, 0x7f, 0x03, 0x40, 0x20, 0x02, 0x20, 0x00, 0x10, 0x00, 0x6a, 0x21, 0x02, 0x41,
    0x32, 0x21, 0x03, 0x03, 0x40, 0x20, 0x03, 0x41, 0x01, 0x6b, 0x21, 0x03, 0x20, 0x03, 0x0d, 0x00, 0x0b, 0x20,
    0x01, 0x41, 0x01, 0x6b, 0x21, 0x01, 0x20, 0x01, 0x0d, 0x00, 0x0b, 0x20, 0x02, 0x0b, 0x00, 0x3d, 0x04, 0x6e,
    0x61, 0x6d, 0x65, 0x01, 0x07, 0x01, 0x00, 0x04, 0x72, 0x65, 0x61, 0x64, 0x02, 0x1b, 0x01, 0x01, 0x04, 0x00,
    0x06, 0x73, 0x65, 0x6e, 0x73, 0x6f, 0x72, 0x01, 0x06, 0x72, 0x6f, 0x75, 0x6e, 0x64, 0x73, 0x02, 0x03, 0x73,
    0x75, 0x6d, 0x03, 0x01, 0x69, 0x03, 0x10, 0x01, 0x01, 0x02, 0x00, 0x05, 0x72, 0x6f, 0x75, 0x6e, 0x64, 0x01,
    0x04, 0x77, 0x6f, 0x72, 0x6b,
};

enum { SENSORS = 2 };

/* The sensors: what was asked for, and what has come in. */
typedef struct {
  wasm_store_t *store;
  bool asked[SENSORS], ready[SENSORS];
  int32_t value[SENSORS];
} board_t;

/* Answers if there is something; else it is called again later. */
static wasm_trap_t *read_sensor(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
  board_t *board = env;
  int32_t sensor = args->data[0].of.i32;
  EXPECT(sensor >= 0 && sensor < SENSORS);
  if (!board->ready[sensor]) {
    board->asked[sensor] = true;
    return teff_trap_pending(board->store);
  }
  board->ready[sensor] = false;
  results->data[0].of.i32 = board->value[sensor];
  return NULL;
}

/* What the world does meanwhile. */
static void answer(board_t *board) {
  for (int i = 0; i < SENSORS; i++) {
    if (board->asked[i]) {
      board->asked[i] = false;
      board->ready[i] = true;
      board->value[i] += 10 * (i + 1);
    }
  }
}

int main(void) {
  wasm_config_t *config = wasm_config_new();
  teff_config_consume_fuel(config, true);
  wasm_engine_t *engine = wasm_engine_new_with_config(config);
  wasm_store_t *store = wasm_store_new(engine);

  board_t board = {.store = store};
  wasm_functype_t *type = wasm_functype_new_1_1(wasm_valtype_new_i32(), wasm_valtype_new_i32());
  wasm_func_t *read_func = wasm_func_new_with_env(store, type, read_sensor, &board, NULL);
  wasm_functype_delete(type);
  wasm_extern_t *externs[] = {wasm_func_as_extern(read_func)};
  wasm_extern_vec_t imports = WASM_ARRAY_VEC(externs), exports;
  wasm_instance_t *instance = instantiate(store, bytes, sizeof bytes, &imports, &exports);

  teff_call_t *calls[SENSORS];
  for (int32_t i = 0; i < SENSORS; i++) {
    wasm_val_t values[] = {WASM_I32_VAL(i), WASM_I32_VAL(3)};
    wasm_val_vec_t args = WASM_ARRAY_VEC(values);
    calls[i] = teff_call_new(wasm_extern_as_func(exports.data[0]), &args, NULL);
    EXPECT(calls[i] != NULL);
  }

  int left = SENSORS, counts[SENSORS][TEFF_DONE] = {{0}};
  while (left > 0) {
    for (int i = 0; i < SENSORS; i++) {
      if (!calls[i]) continue;
      wasm_val_t result[] = {WASM_INIT_VAL};
      wasm_val_vec_t results = WASM_ARRAY_VEC(result);
      wasm_trap_t *trap = NULL;
      teff_step_t step = teff_call_step(calls[i], 100, &results, &trap);
      EXPECT(step != TEFF_TRAPPED);
      if (step != TEFF_DONE) {
        counts[i][step]++;
        continue;
      }
      printf("sensor %d: %d, after %d waits%s\n", i, (int)result[0].of.i32, counts[i][TEFF_HOST_CALL],
             counts[i][TEFF_YIELD] > 0 ? " and some yields" : "");
      teff_call_delete(calls[i]);
      calls[i] = NULL;
      left--;
    }
    answer(&board);
  }

  /* A call that is not in steps cannot wait. */
  wasm_val_t values[] = {WASM_I32_VAL(0), WASM_I32_VAL(1)};
  wasm_val_vec_t args = WASM_ARRAY_VEC(values), none = WASM_EMPTY_VEC;
  EXPECT(teff_store_set_fuel(store, 1000000));
  print_trap("all at once", wasm_func_call(wasm_extern_as_func(exports.data[0]), &args, &none));
  EXPECT(teff_store_fuel(store) < 1000000);

  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_func_delete(read_func);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
