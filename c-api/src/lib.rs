//! teff for C: the functions that `include/wasm.h` and `include/teff.h` declare.
//!
//! Each file has the functions of one section of the headers, and knows the runtime's public API alone.
//!
//! # What C promises
//!
//! The functions take C's pointers as Rust's references and boxes, of which these are true by the headers' rules:
//! `&T` and `&mut T` are pointers to live objects, `Option<&T>` may be NULL, `Box<T>` is owned by the caller and given
//! up, `Option<Box<T>>` may be NULL. An object is used by one thread at a time, except for engines and shared modules.
//! A function that gets an object of the wrong kind, or an index or size out of range, gives an error; one that gets a
//! pointer to something else, or to what was deleted, is undefined, as everywhere in C.
//!
//! No panic leaves a function: `guard` makes an error of it.
#![cfg_attr(not(feature = "std"), no_std)]
// The names are C's.
#![allow(non_camel_case_types)]

extern crate alloc;

mod engine;
mod func;
mod guard;
mod instance;
mod items;
mod libc;
mod module;
mod reference;
mod store;
mod teff;
mod trap;
mod types;
mod val;
mod vector;
