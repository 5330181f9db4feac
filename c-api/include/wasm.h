/*
 * The WebAssembly C API, as teff implements it.
 *
 * Programs written to the API that the WebAssembly community group publishes as `wasm.h` compile against this header
 * and run unchanged. What teff adds to it is in `teff.h`; docs/c-api.md says how to build and link.
 *
 * Ownership. `own` stands before whatever changes hands: an `own` argument is the callee's from then on, an `own` result
 * is the caller's, and so is what an `own ... *out` argument has been filled with. Whoever owns something deletes it,
 * once, with the function `wasm_..._delete` of its type; deleting NULL does nothing. A vector owns its elements. Results
 * without `own` belong to what they were asked of, and live as long as that.
 *
 * References (`wasm_func_t`, `wasm_instance_t`, ...) are handles: a copy leads to the same object, and deleting one
 * deletes the handle. The objects live as long as their store, which is freed when it and all handles into it have been
 * deleted.
 *
 * Threads. Engines and shared modules may be used by several threads at a time; a store, and everything that belongs to
 * it, by one.
 */

#ifndef WASM_H
#define WASM_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifndef WASM_API_EXTERN
#if defined(_WIN32) && !defined(__MINGW32__) && !defined(LIBWASM_STATIC)
#define WASM_API_EXTERN __declspec(dllimport)
#else
#define WASM_API_EXTERN
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define own

typedef char byte_t;
typedef float float32_t;
typedef double float64_t;

/* The floats of WebAssembly are IEEE 754's. (An array of a negative size does not compile, in any version of C.) */
typedef char wasm_floats_have_their_sizes[sizeof(float32_t) == 4 && sizeof(float64_t) == 8 ? 1 : -1];

/* ---- Families of declarations ------------------------------------------------------------------------------------ */

/* An opaque type that can be owned. */
#define WASM_DECLARE_OWN(name)                                  \
  typedef struct wasm_##name##_t wasm_##name##_t;               \
  WASM_API_EXTERN void wasm_##name##_delete(own wasm_##name##_t *);

/* A vector of elements, or of pointers if `ptr_or_none` is `*`. What `new_uninitialized` makes is zeroed. */
#define WASM_DECLARE_VEC(name, ptr_or_none)                                                                   \
  typedef struct wasm_##name##_vec_t {                                                                        \
    size_t size;                                                                                              \
    wasm_##name##_t ptr_or_none *data;                                                                        \
  } wasm_##name##_vec_t;                                                                                      \
  WASM_API_EXTERN void wasm_##name##_vec_new_empty(own wasm_##name##_vec_t *out);                             \
  WASM_API_EXTERN void wasm_##name##_vec_new_uninitialized(own wasm_##name##_vec_t *out, size_t);             \
  WASM_API_EXTERN void wasm_##name##_vec_new(own wasm_##name##_vec_t *out, size_t,                            \
                                             own wasm_##name##_t ptr_or_none const[]);                        \
  WASM_API_EXTERN void wasm_##name##_vec_copy(own wasm_##name##_vec_t *out, const wasm_##name##_vec_t *);     \
  WASM_API_EXTERN void wasm_##name##_vec_delete(own wasm_##name##_vec_t *);

/* A description of a type. Such descriptions are values: a copy is independent. */
#define WASM_DECLARE_TYPE(name) \
  WASM_DECLARE_OWN(name)        \
  WASM_DECLARE_VEC(name, *)     \
  WASM_API_EXTERN own wasm_##name##_t *wasm_##name##_copy(const wasm_##name##_t *);

/*
 * A reference. The host info is one pointer of the embedder's for each object, whichever handle it was set through. Its
 * finalizer runs when it is replaced, or when the object is freed.
 */
#define WASM_DECLARE_REF_BASE(name)                                                                            \
  WASM_DECLARE_OWN(name)                                                                                       \
  WASM_API_EXTERN own wasm_##name##_t *wasm_##name##_copy(const wasm_##name##_t *);                            \
  WASM_API_EXTERN bool wasm_##name##_same(const wasm_##name##_t *, const wasm_##name##_t *);                   \
  WASM_API_EXTERN void *wasm_##name##_get_host_info(const wasm_##name##_t *);                                  \
  WASM_API_EXTERN void wasm_##name##_set_host_info(wasm_##name##_t *, void *);                                 \
  WASM_API_EXTERN void wasm_##name##_set_host_info_with_finalizer(wasm_##name##_t *, void *, void (*)(void *));

/* Casts between two kinds of reference are no copies. Those that go down give NULL for an object of another kind. */
#define WASM_DECLARE_CAST(from, to)                                              \
  WASM_API_EXTERN wasm_##to##_t *wasm_##from##_as_##to(wasm_##from##_t *);       \
  WASM_API_EXTERN const wasm_##to##_t *wasm_##from##_as_##to##_const(const wasm_##from##_t *);

#define WASM_DECLARE_REF(name)  \
  WASM_DECLARE_REF_BASE(name)   \
  WASM_DECLARE_CAST(name, ref)  \
  WASM_DECLARE_CAST(ref, name)

/* A reference whose object can be taken to the store of another thread. */
#define WASM_DECLARE_SHARABLE_REF(name)                                                                          \
  WASM_DECLARE_REF(name)                                                                                         \
  WASM_DECLARE_OWN(shared_##name)                                                                                \
  WASM_API_EXTERN own wasm_shared_##name##_t *wasm_##name##_share(const wasm_##name##_t *);                      \
  WASM_API_EXTERN own wasm_##name##_t *wasm_##name##_obtain(wasm_store_t *, const wasm_shared_##name##_t *);

/* ---- Bytes and names --------------------------------------------------------------------------------------------- */

typedef byte_t wasm_byte_t;
WASM_DECLARE_VEC(byte, )

/* UTF-8. Only messages of traps end with a null byte, which counts. */
typedef wasm_byte_vec_t wasm_name_t;

#define wasm_name wasm_byte_vec
#define wasm_name_new wasm_byte_vec_new
#define wasm_name_new_empty wasm_byte_vec_new_empty
#define wasm_name_new_uninitialized wasm_byte_vec_new_uninitialized
#define wasm_name_new_new_uninitialized wasm_byte_vec_new_uninitialized
#define wasm_name_copy wasm_byte_vec_copy
#define wasm_name_delete wasm_byte_vec_delete

static inline void wasm_name_new_from_string(own wasm_name_t *out, const char *string) {
  wasm_byte_vec_new(out, strlen(string), string);
}

/* With the null byte. */
static inline void wasm_name_new_from_string_nt(own wasm_name_t *out, const char *string) {
  wasm_byte_vec_new(out, strlen(string) + 1, string);
}

/* ---- Configuration, engine, store -------------------------------------------------------------------------------- */

WASM_DECLARE_OWN(config)
WASM_DECLARE_OWN(engine)
WASM_DECLARE_OWN(store)

WASM_API_EXTERN own wasm_config_t *wasm_config_new(void);
WASM_API_EXTERN own wasm_engine_t *wasm_engine_new(void);
WASM_API_EXTERN own wasm_engine_t *wasm_engine_new_with_config(own wasm_config_t *);
WASM_API_EXTERN own wasm_store_t *wasm_store_new(wasm_engine_t *);

/* ---- Types ------------------------------------------------------------------------------------------------------- */

/* Of values. */

typedef uint8_t wasm_valkind_t;
enum wasm_valkind_enum {
  WASM_I32,
  WASM_I64,
  WASM_F32,
  WASM_F64,
  WASM_EXTERNREF = 128,
  WASM_FUNCREF,
};

static inline bool wasm_valkind_is_num(wasm_valkind_t kind) { return kind < WASM_EXTERNREF; }
static inline bool wasm_valkind_is_ref(wasm_valkind_t kind) { return kind >= WASM_EXTERNREF; }

WASM_DECLARE_TYPE(valtype)

/* NULL if there is no such kind. */
WASM_API_EXTERN own wasm_valtype_t *wasm_valtype_new(wasm_valkind_t);
WASM_API_EXTERN wasm_valkind_t wasm_valtype_kind(const wasm_valtype_t *);

static inline bool wasm_valtype_is_num(const wasm_valtype_t *type) { return wasm_valkind_is_num(wasm_valtype_kind(type)); }
static inline bool wasm_valtype_is_ref(const wasm_valtype_t *type) { return wasm_valkind_is_ref(wasm_valtype_kind(type)); }

static inline own wasm_valtype_t *wasm_valtype_new_i32(void) { return wasm_valtype_new(WASM_I32); }
static inline own wasm_valtype_t *wasm_valtype_new_i64(void) { return wasm_valtype_new(WASM_I64); }
static inline own wasm_valtype_t *wasm_valtype_new_f32(void) { return wasm_valtype_new(WASM_F32); }
static inline own wasm_valtype_t *wasm_valtype_new_f64(void) { return wasm_valtype_new(WASM_F64); }
static inline own wasm_valtype_t *wasm_valtype_new_externref(void) { return wasm_valtype_new(WASM_EXTERNREF); }
static inline own wasm_valtype_t *wasm_valtype_new_funcref(void) { return wasm_valtype_new(WASM_FUNCREF); }

/* Of functions. */

WASM_DECLARE_TYPE(functype)

WASM_API_EXTERN own wasm_functype_t *wasm_functype_new(own wasm_valtype_vec_t *params, own wasm_valtype_vec_t *results);
WASM_API_EXTERN const wasm_valtype_vec_t *wasm_functype_params(const wasm_functype_t *);
WASM_API_EXTERN const wasm_valtype_vec_t *wasm_functype_results(const wasm_functype_t *);

/* Of globals. */

typedef uint8_t wasm_mutability_t;
enum wasm_mutability_enum {
  WASM_CONST,
  WASM_VAR,
};

WASM_DECLARE_TYPE(globaltype)

WASM_API_EXTERN own wasm_globaltype_t *wasm_globaltype_new(own wasm_valtype_t *, wasm_mutability_t);
WASM_API_EXTERN const wasm_valtype_t *wasm_globaltype_content(const wasm_globaltype_t *);
WASM_API_EXTERN wasm_mutability_t wasm_globaltype_mutability(const wasm_globaltype_t *);

/* Of tables, whose limits count elements, and of memories, whose limits count pages. */

typedef struct wasm_limits_t {
  uint32_t min;
  uint32_t max;
} wasm_limits_t;

/* The maximum that says there is none. */
static const uint32_t wasm_limits_max_default = 0xffffffff;

WASM_DECLARE_TYPE(tabletype)

WASM_API_EXTERN own wasm_tabletype_t *wasm_tabletype_new(own wasm_valtype_t *, const wasm_limits_t *);
WASM_API_EXTERN const wasm_valtype_t *wasm_tabletype_element(const wasm_tabletype_t *);
WASM_API_EXTERN const wasm_limits_t *wasm_tabletype_limits(const wasm_tabletype_t *);

WASM_DECLARE_TYPE(memorytype)

WASM_API_EXTERN own wasm_memorytype_t *wasm_memorytype_new(const wasm_limits_t *);
WASM_API_EXTERN const wasm_limits_t *wasm_memorytype_limits(const wasm_memorytype_t *);

/* Of any of these. The casts work as those of references do. */

typedef uint8_t wasm_externkind_t;
enum wasm_externkind_enum {
  WASM_EXTERN_FUNC,
  WASM_EXTERN_GLOBAL,
  WASM_EXTERN_TABLE,
  WASM_EXTERN_MEMORY,
};

WASM_DECLARE_TYPE(externtype)

WASM_API_EXTERN wasm_externkind_t wasm_externtype_kind(const wasm_externtype_t *);

WASM_DECLARE_CAST(functype, externtype)
WASM_DECLARE_CAST(globaltype, externtype)
WASM_DECLARE_CAST(tabletype, externtype)
WASM_DECLARE_CAST(memorytype, externtype)
WASM_DECLARE_CAST(externtype, functype)
WASM_DECLARE_CAST(externtype, globaltype)
WASM_DECLARE_CAST(externtype, tabletype)
WASM_DECLARE_CAST(externtype, memorytype)

/* Of imports and exports. */

WASM_DECLARE_TYPE(importtype)

WASM_API_EXTERN own wasm_importtype_t *wasm_importtype_new(own wasm_name_t *module, own wasm_name_t *name,
                                                           own wasm_externtype_t *);
WASM_API_EXTERN const wasm_name_t *wasm_importtype_module(const wasm_importtype_t *);
WASM_API_EXTERN const wasm_name_t *wasm_importtype_name(const wasm_importtype_t *);
WASM_API_EXTERN const wasm_externtype_t *wasm_importtype_type(const wasm_importtype_t *);

WASM_DECLARE_TYPE(exporttype)

WASM_API_EXTERN own wasm_exporttype_t *wasm_exporttype_new(own wasm_name_t *, own wasm_externtype_t *);
WASM_API_EXTERN const wasm_name_t *wasm_exporttype_name(const wasm_exporttype_t *);
WASM_API_EXTERN const wasm_externtype_t *wasm_exporttype_type(const wasm_exporttype_t *);

/* ---- References, values ------------------------------------------------------------------------------------------ */

WASM_DECLARE_REF_BASE(ref)

/* A value of a reference type owns its reference, which is NULL for the null reference. */
typedef struct wasm_val_t {
  wasm_valkind_t kind;
  union {
    int32_t i32;
    int64_t i64;
    float32_t f32;
    float64_t f64;
    struct wasm_ref_t *ref;
  } of;
} wasm_val_t;

WASM_API_EXTERN void wasm_val_delete(own wasm_val_t *);
WASM_API_EXTERN void wasm_val_copy(own wasm_val_t *out, const wasm_val_t *);

WASM_DECLARE_VEC(val, )

/* ---- Traps ------------------------------------------------------------------------------------------------------- */

/* A Wasm function that was active when a trap happened. */
WASM_DECLARE_OWN(frame)
WASM_DECLARE_VEC(frame, *)

WASM_API_EXTERN own wasm_frame_t *wasm_frame_copy(const wasm_frame_t *);
WASM_API_EXTERN struct wasm_instance_t *wasm_frame_instance(const wasm_frame_t *);
WASM_API_EXTERN uint32_t wasm_frame_func_index(const wasm_frame_t *);
/* In bytes, from the start of the function's body and of the module. */
WASM_API_EXTERN size_t wasm_frame_func_offset(const wasm_frame_t *);
WASM_API_EXTERN size_t wasm_frame_module_offset(const wasm_frame_t *);

/* With a null byte at the end, which is part of it. */
typedef wasm_name_t wasm_message_t;

WASM_DECLARE_REF(trap)

WASM_API_EXTERN own wasm_trap_t *wasm_trap_new(wasm_store_t *, const wasm_message_t *);
WASM_API_EXTERN void wasm_trap_message(const wasm_trap_t *, own wasm_message_t *out);
/* The innermost frame, or NULL if no Wasm was active. */
WASM_API_EXTERN own wasm_frame_t *wasm_trap_origin(const wasm_trap_t *);
/* All frames, innermost first. */
WASM_API_EXTERN void wasm_trap_trace(const wasm_trap_t *, own wasm_frame_vec_t *out);

/* ---- Objects of the embedder, for `externref` -------------------------------------------------------------------- */

WASM_DECLARE_REF(foreign)

WASM_API_EXTERN own wasm_foreign_t *wasm_foreign_new(wasm_store_t *);

/* ---- Modules ----------------------------------------------------------------------------------------------------- */

WASM_DECLARE_SHARABLE_REF(module)

/* NULL if the binary is not valid; `teff_module_new` also says why. */
WASM_API_EXTERN own wasm_module_t *wasm_module_new(wasm_store_t *, const wasm_byte_vec_t *binary);
WASM_API_EXTERN bool wasm_module_validate(wasm_store_t *, const wasm_byte_vec_t *binary);
WASM_API_EXTERN void wasm_module_imports(const wasm_module_t *, own wasm_importtype_vec_t *out);
WASM_API_EXTERN void wasm_module_exports(const wasm_module_t *, own wasm_exporttype_vec_t *out);
WASM_API_EXTERN void wasm_module_serialize(const wasm_module_t *, own wasm_byte_vec_t *out);
WASM_API_EXTERN own wasm_module_t *wasm_module_deserialize(wasm_store_t *, const wasm_byte_vec_t *);

/* ---- Functions --------------------------------------------------------------------------------------------------- */

WASM_DECLARE_REF(func)

/*
 * A function of the embedder. It gets the arguments, which stay the caller's, fills in as many results as its type has,
 * and returns NULL, or a trap.
 */
typedef own wasm_trap_t *(*wasm_func_callback_t)(const wasm_val_vec_t *args, own wasm_val_vec_t *results);
typedef own wasm_trap_t *(*wasm_func_callback_with_env_t)(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results);

WASM_API_EXTERN own wasm_func_t *wasm_func_new(wasm_store_t *, const wasm_functype_t *, wasm_func_callback_t);
/* The finalizer gets `env` when the function is freed. It may be NULL. */
WASM_API_EXTERN own wasm_func_t *wasm_func_new_with_env(wasm_store_t *, const wasm_functype_t *type,
                                                        wasm_func_callback_with_env_t, void *env,
                                                        void (*finalizer)(void *));
WASM_API_EXTERN own wasm_functype_t *wasm_func_type(const wasm_func_t *);
WASM_API_EXTERN size_t wasm_func_param_arity(const wasm_func_t *);
WASM_API_EXTERN size_t wasm_func_result_arity(const wasm_func_t *);
/* Writes as many results as there is room for, if there is no trap. What was there is not deleted. */
WASM_API_EXTERN own wasm_trap_t *wasm_func_call(const wasm_func_t *, const wasm_val_vec_t *args, wasm_val_vec_t *results);

/* ---- Globals ----------------------------------------------------------------------------------------------------- */

WASM_DECLARE_REF(global)

/* NULL if the value has another type. */
WASM_API_EXTERN own wasm_global_t *wasm_global_new(wasm_store_t *, const wasm_globaltype_t *, const wasm_val_t *);
WASM_API_EXTERN own wasm_globaltype_t *wasm_global_type(const wasm_global_t *);
WASM_API_EXTERN void wasm_global_get(const wasm_global_t *, own wasm_val_t *out);
/* Does nothing if the global is immutable or the value has another type. */
WASM_API_EXTERN void wasm_global_set(wasm_global_t *, const wasm_val_t *);

/* ---- Tables ------------------------------------------------------------------------------------------------------ */

WASM_DECLARE_REF(table)

typedef uint32_t wasm_table_size_t;

WASM_API_EXTERN own wasm_table_t *wasm_table_new(wasm_store_t *, const wasm_tabletype_t *, wasm_ref_t *init);
WASM_API_EXTERN own wasm_tabletype_t *wasm_table_type(const wasm_table_t *);
/* NULL for the null reference, and also if there is no such element. */
WASM_API_EXTERN own wasm_ref_t *wasm_table_get(const wasm_table_t *, wasm_table_size_t index);
WASM_API_EXTERN bool wasm_table_set(wasm_table_t *, wasm_table_size_t index, wasm_ref_t *);
WASM_API_EXTERN wasm_table_size_t wasm_table_size(const wasm_table_t *);
WASM_API_EXTERN bool wasm_table_grow(wasm_table_t *, wasm_table_size_t delta, wasm_ref_t *init);

/* ---- Memories ---------------------------------------------------------------------------------------------------- */

WASM_DECLARE_REF(memory)

typedef uint32_t wasm_memory_pages_t;

/* Of a memory whose type says nothing else. */
static const size_t MEMORY_PAGE_SIZE = 0x10000;

WASM_API_EXTERN own wasm_memory_t *wasm_memory_new(wasm_store_t *, const wasm_memorytype_t *);
WASM_API_EXTERN own wasm_memorytype_t *wasm_memory_type(const wasm_memory_t *);
/* Valid until the memory grows, which it can whenever Wasm runs. */
WASM_API_EXTERN byte_t *wasm_memory_data(wasm_memory_t *);
WASM_API_EXTERN size_t wasm_memory_data_size(const wasm_memory_t *);
WASM_API_EXTERN wasm_memory_pages_t wasm_memory_size(const wasm_memory_t *);
WASM_API_EXTERN bool wasm_memory_grow(wasm_memory_t *, wasm_memory_pages_t delta);

/* ---- Imports and exports ----------------------------------------------------------------------------------------- */

WASM_DECLARE_REF(extern)
WASM_DECLARE_VEC(extern, *)

WASM_API_EXTERN wasm_externkind_t wasm_extern_kind(const wasm_extern_t *);
WASM_API_EXTERN own wasm_externtype_t *wasm_extern_type(const wasm_extern_t *);

WASM_DECLARE_CAST(func, extern)
WASM_DECLARE_CAST(global, extern)
WASM_DECLARE_CAST(table, extern)
WASM_DECLARE_CAST(memory, extern)
WASM_DECLARE_CAST(extern, func)
WASM_DECLARE_CAST(extern, global)
WASM_DECLARE_CAST(extern, table)
WASM_DECLARE_CAST(extern, memory)

/* ---- Instances --------------------------------------------------------------------------------------------------- */

WASM_DECLARE_REF(instance)

/*
 * The imports are in the module's order. If that fails the result is NULL, and the trap, for which `trap` may be NULL,
 * says why: it is one of the start function or of the initialisation, or tells what does not fit.
 */
WASM_API_EXTERN own wasm_instance_t *wasm_instance_new(wasm_store_t *, const wasm_module_t *,
                                                       const wasm_extern_vec_t *imports, own wasm_trap_t **trap);
/* In the module's order. */
WASM_API_EXTERN void wasm_instance_exports(const wasm_instance_t *, own wasm_extern_vec_t *out);

/* ---- Shorthands -------------------------------------------------------------------------------------------------- */

#define WASM_EMPTY_VEC {0, NULL}
#define WASM_ARRAY_VEC(array) {sizeof(array) / sizeof((array)[0]), array}

#define WASM_I32_VAL(i) {.kind = WASM_I32, .of = {.i32 = i}}
#define WASM_I64_VAL(i) {.kind = WASM_I64, .of = {.i64 = i}}
#define WASM_F32_VAL(z) {.kind = WASM_F32, .of = {.f32 = z}}
#define WASM_F64_VAL(z) {.kind = WASM_F64, .of = {.f64 = z}}
#define WASM_REF_VAL(r) {.kind = WASM_EXTERNREF, .of = {.ref = r}}
#define WASM_INIT_VAL {.kind = WASM_EXTERNREF, .of = {.ref = NULL}}

/* A pointer as an integer of its size, for functions that pass one through Wasm. */
static inline void wasm_val_init_ptr(own wasm_val_t *out, void *pointer) {
  memset(out, 0, sizeof *out);
#if UINTPTR_MAX == UINT32_MAX
  out->kind = WASM_I32;
  out->of.i32 = (int32_t)(intptr_t)pointer;
#else
  out->kind = WASM_I64;
  out->of.i64 = (int64_t)(intptr_t)pointer;
#endif
}

static inline void *wasm_val_ptr(const wasm_val_t *value) {
#if UINTPTR_MAX == UINT32_MAX
  return (void *)(intptr_t)value->of.i32;
#else
  return (void *)(intptr_t)value->of.i64;
#endif
}

/* Function types of up to three parameters and two results: `wasm_functype_new_P_R`, parameters first. */
static inline own wasm_functype_t *teff_functype_new(size_t nparams, own wasm_valtype_t *const params[],
                                                     size_t nresults, own wasm_valtype_t *const results[]) {
  wasm_valtype_vec_t param_vec, result_vec;
  wasm_valtype_vec_new(&param_vec, nparams, params);
  wasm_valtype_vec_new(&result_vec, nresults, results);
  return wasm_functype_new(&param_vec, &result_vec);
}

static inline own wasm_functype_t *wasm_functype_new_0_0(void) { return teff_functype_new(0, NULL, 0, NULL); }

static inline own wasm_functype_t *wasm_functype_new_1_0(own wasm_valtype_t *p) {
  return teff_functype_new(1, &p, 0, NULL);
}

static inline own wasm_functype_t *wasm_functype_new_2_0(own wasm_valtype_t *p1, own wasm_valtype_t *p2) {
  wasm_valtype_t *params[] = {p1, p2};
  return teff_functype_new(2, params, 0, NULL);
}

static inline own wasm_functype_t *wasm_functype_new_3_0(own wasm_valtype_t *p1, own wasm_valtype_t *p2,
                                                         own wasm_valtype_t *p3) {
  wasm_valtype_t *params[] = {p1, p2, p3};
  return teff_functype_new(3, params, 0, NULL);
}

static inline own wasm_functype_t *wasm_functype_new_0_1(own wasm_valtype_t *r) {
  return teff_functype_new(0, NULL, 1, &r);
}

static inline own wasm_functype_t *wasm_functype_new_1_1(own wasm_valtype_t *p, own wasm_valtype_t *r) {
  return teff_functype_new(1, &p, 1, &r);
}

static inline own wasm_functype_t *wasm_functype_new_2_1(own wasm_valtype_t *p1, own wasm_valtype_t *p2,
                                                         own wasm_valtype_t *r) {
  wasm_valtype_t *params[] = {p1, p2};
  return teff_functype_new(2, params, 1, &r);
}

static inline own wasm_functype_t *wasm_functype_new_3_1(own wasm_valtype_t *p1, own wasm_valtype_t *p2,
                                                         own wasm_valtype_t *p3, own wasm_valtype_t *r) {
  wasm_valtype_t *params[] = {p1, p2, p3};
  return teff_functype_new(3, params, 1, &r);
}

static inline own wasm_functype_t *wasm_functype_new_0_2(own wasm_valtype_t *r1, own wasm_valtype_t *r2) {
  wasm_valtype_t *results[] = {r1, r2};
  return teff_functype_new(0, NULL, 2, results);
}

static inline own wasm_functype_t *wasm_functype_new_1_2(own wasm_valtype_t *p, own wasm_valtype_t *r1,
                                                         own wasm_valtype_t *r2) {
  wasm_valtype_t *results[] = {r1, r2};
  return teff_functype_new(1, &p, 2, results);
}

static inline own wasm_functype_t *wasm_functype_new_2_2(own wasm_valtype_t *p1, own wasm_valtype_t *p2,
                                                         own wasm_valtype_t *r1, own wasm_valtype_t *r2) {
  wasm_valtype_t *params[] = {p1, p2};
  wasm_valtype_t *results[] = {r1, r2};
  return teff_functype_new(2, params, 2, results);
}

static inline own wasm_functype_t *wasm_functype_new_3_2(own wasm_valtype_t *p1, own wasm_valtype_t *p2,
                                                         own wasm_valtype_t *p3, own wasm_valtype_t *r1,
                                                         own wasm_valtype_t *r2) {
  wasm_valtype_t *params[] = {p1, p2, p3};
  wasm_valtype_t *results[] = {r1, r2};
  return teff_functype_new(3, params, 2, results);
}

#undef own

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* WASM_H */
