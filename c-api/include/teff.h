/*
 * What teff adds to `wasm.h`: configuration, limits, fuel and interruption, calls in steps, reasons. The rules of
 * ownership and of threads are those of `wasm.h`.
 */

#ifndef TEFF_H
#define TEFF_H

#include "wasm.h"

#ifdef __cplusplus
extern "C" {
#endif

#define own

/* ---- Configuration ----------------------------------------------------------------------------------------------- */

/* Whether code uses up fuel: off by default, and free when off. One unit for each Wasm operator, see docs/c-api.md. */
WASM_API_EXTERN void teff_config_consume_fuel(wasm_config_t *, bool);

/* Whether code stops at the store's epoch deadline: off by default, and free when off. */
WASM_API_EXTERN void teff_config_epoch_interruption(wasm_config_t *, bool);

/* Bytes for the frames of all active Wasm calls of a store. */
WASM_API_EXTERN void teff_config_max_wasm_stack(wasm_config_t *, size_t bytes);

/* How often Wasm and functions of C may call each other in turn. Each level uses native stack. */
WASM_API_EXTERN void teff_config_max_host_nesting(wasm_config_t *, uint32_t levels);

/* How many threads may validate and translate a module while it is loaded; 1 means none but the caller's. */
WASM_API_EXTERN void teff_config_compilation_threads(wasm_config_t *, size_t threads);

/* When functions are validated and translated. */
typedef uint8_t teff_compilation_mode_t;
enum teff_compilation_mode_enum {
  /* Both when the module is loaded. */
  TEFF_EAGER,
  /* Validated when the module is loaded, translated when first called. The default. */
  TEFF_LAZY_TRANSLATION,
  /* Both when first called: a call of an invalid function traps. */
  TEFF_LAZY,
};

/* False if there is no such mode. */
WASM_API_EXTERN bool teff_config_compilation_mode(wasm_config_t *, teff_compilation_mode_t);

/* Memories in pages of one byte, for modules that need less than 64 KiB. Off by default. */
WASM_API_EXTERN void teff_config_custom_page_sizes(wasm_config_t *, bool);

/* The same results on every machine, to the bit: every NaN that an operation makes is the canonical one. Off by default. */
WASM_API_EXTERN void teff_config_deterministic(wasm_config_t *, bool);

/* How instructions follow each other: by jumps, which is faster, or in a loop, which every machine can. */
typedef uint8_t teff_backend_t;
enum teff_backend_enum {
  TEFF_BACKEND_THREADED,
  TEFF_BACKEND_LOOP,
};

/* False if this build of teff does not have it. */
WASM_API_EXTERN bool teff_config_backend(wasm_config_t *, teff_backend_t);

/* ---- Limits ------------------------------------------------------------------------------------------------------ */

/* Most of each that a store's modules may have; of one memory in bytes, of one table in elements. */
typedef struct teff_limits_t {
  size_t memory_bytes;
  size_t table_elements;
  size_t instances;
  size_t tables;
  size_t memories;
} teff_limits_t;

/* What a new store has. */
#define TEFF_NO_LIMITS {SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX}

/* From now on: what exists already keeps its limits. */
WASM_API_EXTERN void teff_store_limit(wasm_store_t *, const teff_limits_t *);

/* ---- Fuel and interruption --------------------------------------------------------------------------------------- */

/* False if the engine does not use fuel (`teff_config_consume_fuel`). A new store has none. */
WASM_API_EXTERN bool teff_store_set_fuel(wasm_store_t *, uint64_t fuel);

/* What is left; 0 if the engine does not use fuel. */
WASM_API_EXTERN uint64_t teff_store_fuel(const wasm_store_t *);

/* Begins the next epoch. Any thread may do so, and code of stores whose deadline has come stops within a millisecond. */
WASM_API_EXTERN void teff_engine_increment_epoch(wasm_engine_t *);

/* The deadline is so many epochs after the present one. A new store's is the one at which it was made. */
WASM_API_EXTERN void teff_store_set_epoch_deadline(wasm_store_t *, uint64_t epochs);

/* ---- Calls in steps ---------------------------------------------------------------------------------------------- */

/* A call that runs bit by bit. Between two steps its store can be used for anything else, also for other such calls. */
typedef struct teff_call_t teff_call_t;

typedef uint8_t teff_step_t;
enum teff_step_enum {
  /* The fuel of the step is used up, or the deadline has come: there is more to do. */
  TEFF_YIELD,
  /* A function of C returned `teff_trap_pending`. The next step calls it again. */
  TEFF_HOST_CALL,
  /* The call has returned, and results are written. */
  TEFF_DONE,
  /* The call has trapped. */
  TEFF_TRAPPED,
};

/* NULL if the arguments do not fit; then the trap, for which `trap` may be NULL, says why. Nothing runs yet. */
WASM_API_EXTERN own teff_call_t *teff_call_new(const wasm_func_t *, const wasm_val_vec_t *args, own wasm_trap_t **trap);

WASM_API_EXTERN void teff_call_delete(own teff_call_t *);

/*
 * Runs for about `fuel` units: the store's fuel is set to that, or to what the next instruction needs if that is more.
 * If the engine does not use fuel, `fuel` is not looked at, and a step ends at the deadline or in a function of C.
 * Results and `trap`, for which NULL may be given, are written by the step that is done or trapped. A call that is over
 * traps when it is stepped again.
 */
WASM_API_EXTERN teff_step_t teff_call_step(teff_call_t *, uint64_t fuel, wasm_val_vec_t *results,
                                           own wasm_trap_t **trap);

/*
 * For functions of C that have nothing to give yet: the call that led here, if it is one in steps, stops as
 * TEFF_HOST_CALL, and calls the function once more, with the same arguments, in its next step. Others trap.
 */
WASM_API_EXTERN own wasm_trap_t *teff_trap_pending(wasm_store_t *);

/* ---- Reasons ----------------------------------------------------------------------------------------------------- */

/* As `wasm_module_new`; if the result is NULL, `error` is a message that says why, and empty otherwise. */
WASM_API_EXTERN own wasm_module_t *teff_module_new(wasm_store_t *, const wasm_byte_vec_t *binary,
                                                   own wasm_message_t *error);

/* What a trap was. */
typedef uint8_t teff_trap_code_t;
enum teff_trap_code_enum {
  /* A trap of the embedder's, or an error that is no trap of WebAssembly. */
  TEFF_TRAP_OTHER,
  TEFF_TRAP_STACK_OVERFLOW,
  TEFF_TRAP_MEMORY_OUT_OF_BOUNDS,
  TEFF_TRAP_TABLE_OUT_OF_BOUNDS,
  TEFF_TRAP_UNDEFINED_ELEMENT,
  TEFF_TRAP_UNINITIALIZED_ELEMENT,
  TEFF_TRAP_BAD_SIGNATURE,
  TEFF_TRAP_INTEGER_OVERFLOW,
  TEFF_TRAP_DIVISION_BY_ZERO,
  TEFF_TRAP_BAD_CONVERSION,
  TEFF_TRAP_UNREACHABLE,
  TEFF_TRAP_OUT_OF_FUEL,
  TEFF_TRAP_INTERRUPTED,
};

WASM_API_EXTERN teff_trap_code_t teff_trap_code(const wasm_trap_t *);

#undef own

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* TEFF_H */
