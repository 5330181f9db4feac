// Between the releases of Wasm3, whose host functions and calls differ: what main.rs calls is the same for all.
#include "wasm3.h"

// main.rs: calls WASI with the arguments, each in 64 bits, and returns the error number.
extern uint32_t peer_call(void *host, const uint64_t *args, uint8_t *memory, uint32_t size);

static const void *answer(IM3Runtime runtime, void *host, uint64_t *args, uint64_t *result) {
    uint32_t size = 0;
    uint8_t *memory = m3_GetMemory(runtime, &size, 0);
    *(uint32_t *)result = peer_call(host, args, memory, size);
    return 0;
}

#if M3_VERSION_MAJOR == 0 && M3_VERSION_MINOR < 5
// The result takes the place of the first argument.
static const void *raw(IM3Runtime runtime, uint64_t *sp, void *memory, void *host) {
    (void)memory;
    return answer(runtime, host, sp, sp);
}
#else
// The result comes before the arguments, if there is one: `has_result` is in the low bit of the pointer.
static const void *raw(IM3Runtime runtime, IM3ImportContext context, uint64_t *sp, void *memory) {
    (void)memory;
    uintptr_t host = (uintptr_t)context->userdata;
    uint64_t unused;
    return answer(runtime, (void *)(host & ~(uintptr_t)1), host & 1 ? sp + 1 : sp, host & 1 ? sp : &unused);
}
#endif

M3Result peer_link(IM3Module module, const char *from, const char *name, const char *signature, void *host) {
    uintptr_t data = (uintptr_t)host;
#if !(M3_VERSION_MAJOR == 0 && M3_VERSION_MINOR < 5)
    data |= signature[0] != 'v';
#endif
    M3Result result = m3_LinkRawFunctionEx(module, from, name, signature, raw, (void *)data);
    return result == m3Err_functionLookupFailed ? m3Err_none : result;
}

// Translates all functions.
M3Result peer_compile(IM3Module module) {
#if M3_VERSION_MAJOR == 0 && M3_VERSION_MINOR < 5
    (void)module;
    return "this release only translates what is called";
#else
    return m3_CompileModule(module);
#endif
}

M3Result peer_start(IM3Runtime runtime) {
    IM3Function start;
    M3Result result = m3_FindFunction(&start, runtime, "_start");
    if (result) return result;
#if M3_VERSION_MAJOR == 0 && M3_VERSION_MINOR < 5
    return m3_Call(start);
#else
    return m3_CallV(start);
#endif
}

const char *peer_version(void) { return M3_VERSION; }
