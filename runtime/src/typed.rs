//! Function types at compile time: which Rust types are Wasm values, and which closures are functions.

use core::marker::PhantomData;

use crate::{AsContextMut, Caller, Error, ExternRef, Func, Result};

/// A [`Func`] whose type was checked once, so that calls need no check and no allocation.
pub struct TypedFunc<Params, Results> {
    func: Func,
    marker: PhantomData<fn(Params) -> Results>,
}

impl<Params, Results> Clone for TypedFunc<Params, Results> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Params, Results> Copy for TypedFunc<Params, Results> {}

impl<Params: WasmParams, Results: WasmResults> TypedFunc<Params, Results> {
    /// Calls it.
    pub fn call(&self, mut store: impl AsContextMut, params: Params) -> Result<Results> {
        todo!()
    }

    /// The function without its types.
    pub fn func(&self) -> &Func {
        &self.func
    }
}

/// A Rust type that is a Wasm value: `i32`, `u32`, `i64`, `u64`, `f32`, `f64`, `Option<Func>`,
/// `Option<ExternRef>`.
pub trait WasmTy: Sized + Send + 'static {}

macro_rules! wasm_ty {
    ($($ty:ty)*) => {$(impl WasmTy for $ty {})*};
}
wasm_ty!(i32 u32 i64 u64 f32 f64 Option<Func> Option<ExternRef>);

/// What [`TypedFunc::call`] takes: nothing `()`, one [`WasmTy`], or a tuple of up to 16.
pub trait WasmParams: Send + 'static {}

/// What [`TypedFunc::call`] gives: nothing `()`, one [`WasmTy`], or a tuple of up to 16.
pub trait WasmResults: WasmParams {}

impl<W: WasmTy> WasmParams for W {}
impl<W: WasmParams> WasmResults for W {}

/// What a host function may return: a [`WasmResults`], or that in a `Result`.
pub trait WasmRet {}

impl<W: WasmResults> WasmRet for W {}
impl<W: WasmResults> WasmRet for Result<W, Error> {}

/// A closure that is a host function: up to 16 [`WasmTy`] arguments, after an optional [`Caller`].
pub trait IntoFunc<T, Params, Results>: Send + Sync + 'static {}

macro_rules! tuples {
    ($($name:ident)*) => {
        impl<$($name: WasmTy),*> WasmParams for ($($name,)*) {}

        impl<T, F, R, $($name),*> IntoFunc<T, ($($name,)*), R> for F
        where
            F: Fn($($name),*) -> R + Send + Sync + 'static,
            R: WasmRet,
            $($name: WasmTy,)*
        {}

        impl<T, F, R, $($name),*> IntoFunc<T, (Caller<'_, T>, $($name,)*), R> for F
        where
            F: Fn(Caller<'_, T>, $($name),*) -> R + Send + Sync + 'static,
            R: WasmRet,
            $($name: WasmTy,)*
        {}
    };
}

tuples!();
tuples!(A1);
tuples!(A1 A2);
tuples!(A1 A2 A3);
tuples!(A1 A2 A3 A4);
tuples!(A1 A2 A3 A4 A5);
tuples!(A1 A2 A3 A4 A5 A6);
tuples!(A1 A2 A3 A4 A5 A6 A7);
tuples!(A1 A2 A3 A4 A5 A6 A7 A8);
tuples!(A1 A2 A3 A4 A5 A6 A7 A8 A9);
tuples!(A1 A2 A3 A4 A5 A6 A7 A8 A9 A10);
tuples!(A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11);
tuples!(A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12);
tuples!(A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12 A13);
tuples!(A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12 A13 A14);
tuples!(A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12 A13 A14 A15);
tuples!(A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12 A13 A14 A15 A16);
