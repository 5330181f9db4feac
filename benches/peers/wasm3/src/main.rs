//! Wasm3: runs one WASI program. Wasm3's own WASI lacks what Go needs, so it gets ours.

use std::ffi::{CStr, CString, c_char, c_void};
use std::process::ExitCode;
use std::ptr;

use peer_wasi::{Bytes, Function, Request, Type, Wasi, stages};

type Handle = *mut c_void;
type Outcome = *const c_char;

// The declarations of wasm3.h and shim.c that are used here.
unsafe extern "C" {
    fn m3_NewEnvironment() -> Handle;
    fn m3_NewRuntime(environment: Handle, stack: u32, unused: *mut c_void) -> Handle;
    fn m3_ParseModule(
        environment: Handle,
        module: *mut Handle,
        bytes: *const u8,
        length: u32,
    ) -> Outcome;
    fn m3_LoadModule(runtime: Handle, module: Handle) -> Outcome;
    fn peer_link(
        module: Handle,
        from: *const c_char,
        name: *const c_char,
        signature: *const c_char,
        host: *mut c_void,
    ) -> Outcome;
    fn peer_compile(module: Handle) -> Outcome;
    fn peer_start(runtime: Handle) -> Outcome;
    fn peer_version() -> *const c_char;
}

/// What a host function is given. Aligned, because the shim uses the low bit of its address.
#[repr(align(8))]
struct Host {
    function: Function,
    wasi: &'static Wasi,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let done = peer_wasi::request(&args).and_then(|request| match request {
        Request::Version => {
            // SAFETY: it returns a constant text.
            println!(
                "{}",
                unsafe { CStr::from_ptr(peer_version()) }.to_string_lossy()
            );
            Ok(())
        }
        Request::Run(args) => run(args),
        Request::Memory { path, eager } => memory(path, eager),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("peer-wasm3: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<(), String> {
    let bytes = peer_wasi::read(&args[0])?.leak();
    let (runtime, _) = instantiate(bytes, args)?;
    // SAFETY: the runtime was just made, and is never freed.
    unsafe { check(peer_start(runtime)) }
}

/// A module belongs to one instance of it, so each is parsed again.
fn memory(path: &str, eager: bool) -> Result<(), String> {
    let bytes = peer_wasi::read(path)?.leak();
    stages::mark("start");
    for number in 0..=stages::FURTHER_INSTANCES {
        let (_, module) = instantiate(bytes, &[])?;
        if eager {
            // SAFETY: the module was just loaded, and is never freed.
            unsafe { check(peer_compile(module))? };
        }
        if number == 0 {
            stages::mark("instance");
        }
    }
    stages::mark("instances");
    Ok(())
}

/// A runtime with the module in it, and the module.
fn instantiate(bytes: &'static [u8], args: &[String]) -> Result<(Handle, Handle), String> {
    let wasi: &Wasi = Box::leak(Box::new(Wasi::new(args)));
    let length = u32::try_from(bytes.len()).map_err(|_| "the module is too large")?;
    let from = CString::new(peer_wasi::MODULE).map_err(|error| error.to_string())?;
    // SAFETY: the declarations are those of wasm3.h and shim.c. Bytes, WASI and host data live as long as the process,
    // and the handles are used in the order that Wasm3 wants: parse, load, link.
    unsafe {
        let environment = m3_NewEnvironment();
        let runtime = m3_NewRuntime(environment, 1 << 20, ptr::null_mut());
        let mut module = ptr::null_mut();
        check(m3_ParseModule(
            environment,
            &mut module,
            bytes.as_ptr(),
            length,
        ))?;
        check(m3_LoadModule(runtime, module))?;
        for &function in Function::ALL {
            let name = CString::new(function.name).map_err(|error| error.to_string())?;
            let signature =
                CString::new(function.signature()).map_err(|error| error.to_string())?;
            let host = ptr::from_mut(Box::leak(Box::new(Host { function, wasi })));
            check(peer_link(
                module,
                from.as_ptr(),
                name.as_ptr(),
                signature.as_ptr(),
                host.cast(),
            ))?;
        }
        Ok((runtime, module))
    }
}

/// # Safety
/// The outcome is null or one of Wasm3's constant texts.
unsafe fn check(outcome: Outcome) -> Result<(), String> {
    if outcome.is_null() {
        return Ok(());
    }
    // SAFETY: the caller's promise.
    Err(unsafe { CStr::from_ptr(outcome) }
        .to_string_lossy()
        .into_owned())
}

/// What shim.c calls for every host function.
#[unsafe(no_mangle)]
extern "C" fn peer_call(host: *mut c_void, args: *const u64, memory: *mut u8, size: u32) -> u32 {
    // SAFETY: the pointer is that of a `Host` given when linking, which is never freed. Wasm3 has checked the signature,
    // so there are as many arguments as parameters. Nothing else uses the memory while the host function runs.
    unsafe {
        let host = &*host.cast::<Host>();
        let mut words = [0u64; 16];
        let mut count = 0;
        for kind in host.function.parameters() {
            let slot = *args.add(count);
            // Of an i32 only the low half of its slot is set.
            words[count] = if kind == Type::I32 {
                u64::from(slot as u32)
            } else {
                slot
            };
            count += 1;
        }
        let memory = if memory.is_null() {
            &mut []
        } else {
            std::slice::from_raw_parts_mut(memory, size as usize)
        };
        host.function
            .call(host.wasi, &mut Bytes(memory), &words[..count])
    }
}
