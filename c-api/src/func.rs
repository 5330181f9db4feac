//! `wasm_func_t`: calls from C into Wasm, and from Wasm into C.

use alloc::{boxed::Box, format, rc::Weak, vec::Vec};
use core::{ffi::c_void, mem::MaybeUninit};

use teff_runtime::{Error, Func, Result, Val, ValType};

use crate::{
    guard::{c_api, catch},
    reference::{wasm_func_t, wasm_ref_t, wasm_trap_t},
    store::{Finalizer, HostInfo, StoreRef, StoreState, wasm_store_t},
    types::wasm_externtype_t,
    val::{wasm_val_t, wasm_val_vec_t},
    vector::Vector,
};

type Plain = unsafe extern "C" fn(&wasm_val_vec_t, &mut wasm_val_vec_t) -> Option<Box<wasm_trap_t>>;
type WithEnv = unsafe extern "C" fn(
    *mut c_void,
    &wasm_val_vec_t,
    &mut wasm_val_vec_t,
) -> Option<Box<wasm_trap_t>>;

/// A function of C's.
enum Code {
    Plain(Plain),
    WithEnv(WithEnv),
}

/// A function of C's in a store.
struct Callback {
    code: Code,
    /// The environment. It goes when the function goes, with its finalizer.
    env: HostInfo,
    /// The function is the store's, so it must not keep it.
    store: Weak<StoreState>,
}

// SAFETY: it belongs to a store, which is used by one thread at a time with all that belongs to it, as `wasm.h` asks.
unsafe impl Send for Callback {}
// SAFETY: as above.
unsafe impl Sync for Callback {}

impl Callback {
    fn call(&self, types: &[ValType], params: &[Val], results: &mut [Val]) -> Result<()> {
        let store = self
            .store
            .upgrade()
            .ok_or_else(|| Error::msg("a function was called while its store was being freed"))?;
        let values = |vals: &[Val]| -> wasm_val_vec_t {
            vals.iter()
                .map(|&val| wasm_val_t::new(&store, val))
                .collect()
        };
        // Results begin as the zeros and nulls of their types.
        let (args, mut out) = (values(params), values(results));
        // SAFETY: the embedder has given a function of this type. No borrow of the store is in use.
        let trap = unsafe {
            match self.code {
                Code::Plain(code) => code(&args, &mut out),
                Code::WithEnv(code) => code(self.env.data, &args, &mut out),
            }
        };
        if let Some(trap) = trap {
            return Err(trap.to_error());
        }
        for ((result, value), &ty) in results.iter_mut().zip(out.as_slice()).zip(types) {
            *result = value
                .to_val(ty, &store)
                .map_err(|error| error.context("bad result of a host function"))?;
        }
        Ok(())
    }
}

fn new(
    store: &wasm_store_t,
    ty: &wasm_externtype_t,
    code: Code,
    env: HostInfo,
) -> Option<Box<wasm_func_t>> {
    let store = &store.state;
    // Also when there is no function, the environment is finalized: it was given up.
    let callback = Callback {
        code,
        env,
        store: StoreRef::downgrade(store),
    };
    let ty = ty.to_func(store.context().engine())?;
    let types: Vec<_> = ty.results().collect();
    let func = Func::new(store.context(), ty, move |_, params, results| {
        callback.call(&types, params, results)
    });
    Some(wasm_ref_t::of_extern(store, func))
}

/// A call of C's, whose arguments have been checked and converted.
pub(crate) struct Call {
    pub(crate) func: Func,
    pub(crate) args: Vec<Val>,
    /// Room for the results; zero or null of their types at first.
    pub(crate) results: Vec<Val>,
}

impl Call {
    pub(crate) fn new(func: &wasm_func_t, args: Option<&wasm_val_vec_t>) -> Result<Self> {
        let store = &func.store;
        let func = func
            .as_func()
            .ok_or_else(|| Error::msg("what is called is not a function"))?;
        let ty = func.ty(store.context());
        let args = args.map_or(&[][..], Vector::as_slice);
        let (params, results) = (ty.params(), ty.results());
        if params.len() != args.len() {
            return Err(Error::msg(format!(
                "the function has {} parameters, but {} arguments were given",
                params.len(),
                args.len()
            )));
        }
        let args = params.zip(args).enumerate().map(|(i, (ty, arg))| {
            arg.to_val(ty, store)
                .map_err(|error| error.context(format_args!("bad argument {i}")))
        });
        Ok(Self {
            func,
            args: args.collect::<Result<_>>()?,
            results: results
                .map(|ty| Val::default_for_ty(&ty).unwrap_or(Val::I32(0)))
                .collect(),
        })
    }
}

/// Hands results to C, as many as there is room for. What was in their place is not read.
pub(crate) fn store_results(store: &StoreRef, vals: &[Val], out: &mut [MaybeUninit<wasm_val_t>]) {
    for (out, &val) in out.iter_mut().zip(vals) {
        out.write(wasm_val_t::new(store, val));
    }
}

/// Runs something that can fail or panic, and gives the trap of that.
pub(crate) fn trapping<R>(
    store: &StoreRef,
    body: impl FnOnce() -> Result<R>,
) -> core::result::Result<R, Box<wasm_trap_t>> {
    match catch(body) {
        Ok(result) => result.map_err(|error| wasm_trap_t::of_error(store, &error)),
        Err(panic) => Err(wasm_trap_t::of_message(store, panic)),
    }
}

c_api! {
    fn wasm_func_new(
        store: &wasm_store_t,
        ty: &wasm_externtype_t,
        callback: Option<Plain>,
    ) -> Option<Box<wasm_func_t>> {
        new(store, ty, Code::Plain(callback?), HostInfo::NONE)
    }

    fn wasm_func_new_with_env(
        store: &wasm_store_t,
        ty: &wasm_externtype_t,
        callback: Option<WithEnv>,
        env: *mut c_void,
        finalizer: Finalizer,
    ) -> Option<Box<wasm_func_t>> {
        let env = HostInfo::new(env, finalizer);
        new(store, ty, Code::WithEnv(callback?), env)
    }

    fn wasm_func_type(func: &wasm_func_t) -> Option<Box<wasm_externtype_t>> {
        let ty = func.as_func()?.ty(func.store.context());
        Some(Box::new(wasm_externtype_t::of_func(&ty)))
    }

    fn wasm_func_param_arity(func: &wasm_func_t) -> usize {
        func.as_func().map_or(0, |item| item.ty(func.store.context()).params().len())
    }

    fn wasm_func_result_arity(func: &wasm_func_t) -> usize {
        func.as_func().map_or(0, |item| item.ty(func.store.context()).results().len())
    }

    fn wasm_func_call(
        func: &wasm_func_t,
        args: Option<&wasm_val_vec_t>,
        results: Option<&mut wasm_val_vec_t>,
    ) -> Option<Box<wasm_trap_t>> {
        // The callee may delete the handle that it was called by.
        let store = func.store.clone();
        let room = results.map_or(&mut [][..], Vector::as_uninit);
        let call = trapping(&store, || {
            let mut call = Call::new(func, args)?;
            call.func.call(store.context(), &call.args, &mut call.results)?;
            Ok(call)
        });
        match call {
            Ok(call) => {
                store_results(&store, &call.results, room);
                None
            }
            Err(trap) => Some(trap),
        }
    }
}
