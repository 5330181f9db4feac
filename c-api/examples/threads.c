/* One module on several threads, each with a store of its own; and one thread that stops the others. */

#include <pthread.h>
#include <stdatomic.h>

#include "example.h"

/*
(module
  (func (export "sum") (param $n i32) (result i32) (local $sum i32)
    (loop
      (local.set $sum (i32.add (local.get $sum) (local.get $n)))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br_if 0 (local.get $n)))
    (local.get $sum))
  (func (export "forever") (loop (br 0))))
*/
static const unsigned char bytes[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x09, 0x02, 0x60, 0x01, 0x7f, 0x01, 0x7f, 0x60, 0x00,
    0x00, 0x03, 0x03, 0x02, 0x00, 0x01, 0x07, 0x11, 0x02, 0x03, 0x73, 0x75, 0x6d, 0x00, 0x00, 0x07, 0x66, 0x6f,
    0x72, 0x65, 0x76, 0x65, 0x72, 0x00, 0x01, 0x0a, 0x25, 0x02, 0x1b, 0x01, 0x01, 0x7f, 0x03, 0x40, 0x20, 0x01,
    0x20, 0x00, 0x6a, 0x21, 0x01, 0x20, 0x00, 0x41, 0x01, 0x6b, 0x21, 0x00, 0x20, 0x00, 0x0d, 0x00, 0x0b, 0x20,
    0x01, 0x0b, 0x07, 0x00, 0x03, 0x40, 0x0c, 0x00, 0x0b, 0x0b, 0x00, 0x12, 0x04, 0x6e, 0x61, 0x6d, 0x65, 0x02,
    0x0b, 0x01, 0x00, 0x02, 0x00, 0x01, 0x6e, 0x01, 0x03, 0x73, 0x75, 0x6d,
};

enum { THREADS = 4 };

typedef struct {
  wasm_engine_t *engine;
  const wasm_shared_module_t *module;
  int32_t n, sum;
  /* How many threads are about to run without end. */
  atomic_int *running;
} job_t;

static void *work(void *argument) {
  job_t *job = argument;
  wasm_store_t *store = wasm_store_new(job->engine);
  teff_store_set_epoch_deadline(store, 1);
  wasm_module_t *module = wasm_module_obtain(store, job->module);
  wasm_extern_vec_t imports = WASM_EMPTY_VEC, exports;
  wasm_instance_t *instance = wasm_instance_new(store, module, &imports, NULL);
  EXPECT(instance != NULL);
  wasm_module_delete(module);
  wasm_instance_exports(instance, &exports);

  wasm_val_t n[] = {WASM_I32_VAL(job->n)};
  job->sum = call(wasm_extern_as_func(exports.data[0]), 1, n);

  atomic_fetch_add(job->running, 1);
  wasm_val_vec_t none = WASM_EMPTY_VEC;
  wasm_trap_t *trap = wasm_func_call(wasm_extern_as_func(exports.data[1]), &none, &none);
  EXPECT(trap != NULL && teff_trap_code(trap) == TEFF_TRAP_INTERRUPTED);
  wasm_trap_delete(trap);

  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
  return NULL;
}

int main(void) {
  wasm_config_t *config = wasm_config_new();
  teff_config_epoch_interruption(config, true);
  wasm_engine_t *engine = wasm_engine_new_with_config(config);

  /* The store that a module was made in is not needed to share it. */
  wasm_store_t *store = wasm_store_new(engine);
  wasm_module_t *module = load(store, bytes, sizeof bytes);
  wasm_shared_module_t *shared = wasm_module_share(module);
  wasm_module_delete(module);
  wasm_store_delete(store);

  atomic_int running = 0;
  pthread_t threads[THREADS];
  job_t jobs[THREADS];
  for (int i = 0; i < THREADS; i++) {
    jobs[i] = (job_t){engine, shared, 1000 * (i + 1), 0, &running};
    EXPECT(pthread_create(&threads[i], NULL, work, &jobs[i]) == 0);
  }
  while (atomic_load(&running) < THREADS) {
  }
  teff_engine_increment_epoch(engine);
  for (int i = 0; i < THREADS; i++) {
    pthread_join(threads[i], NULL);
    printf("the sum up to %d is %d\n", (int)jobs[i].n, (int)jobs[i].sum);
  }

  wasm_shared_module_delete(shared);
  wasm_engine_delete(engine);
  return 0;
}
