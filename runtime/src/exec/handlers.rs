//! The handlers of every operation, listed from the instruction table: per backend and per cell class.

#[cfg(any(teff_compact, feature = "loop", not(teff_threaded)))]
use super::backend::Compact;
#[cfg(all(teff_threaded, feature = "compile"))]
use super::backend::Direct;
use super::{
    address::{E, F, G, H, J, K, M, N, O, P, Q, R, T, V, X, Y, Z},
    backend::Class,
    bulk::*,
    call::*,
    control::*,
    convert::*,
    float::*,
    int::*,
    kinds::*,
    memory::*,
    meter::U,
    operand::{A, D, I, L, S, W},
    pair::*,
    table::*,
    variable::*,
};
#[cfg(teff_lists)]
use crate::ir::handlers::RowAddresses;
use crate::{
    config::Backend,
    ir::{CellClass, Family, forms::with_forms, handlers::WriteRow, table::instructions},
};

#[cfg(not(feature = "std"))]
use crate::ir::Op;

/// One handler an operation, by its number.
#[cfg(not(feature = "std"))]
pub(super) struct Handlers<H: 'static>(pub(super) [H; Op::COUNT]);

/// A backend and a class: names the handlers of one list.
#[allow(dead_code, reason = "used by its associated types alone")]
trait Set: 'static {
    type Handler: Handler;
    type Of<O: Instr>: Pick<Self::Handler>;
}

/// The handler of one operation in one set.
trait Pick<H> {
    const HANDLER: H;
}

macro_rules! sets {
    ($($(#[$cfg:meta])* $set:ident $pick:ident: $handler:ident = $wrapper:ident;)*) => {$(
        $(#[$cfg])*
        struct $set<C>(core::marker::PhantomData<C>);

        $(#[$cfg])*
        #[allow(dead_code, reason = "a name for constants")]
        struct $pick<C, O>(core::marker::PhantomData<(C, O)>);

        $(#[$cfg])*
        impl<C: Class> Set for $set<C> {
            type Handler = super::backend::$handler;
            type Of<O: Instr> = $pick<C, O>;
        }

        $(#[$cfg])*
        impl<C: Class, O: Instr> Pick<super::backend::$handler> for $pick<C, O> {
            const HANDLER: super::backend::$handler = super::backend::$wrapper::<C, O>;
        }
    )*};
}

sets! {
    #[cfg(teff_threaded)]
    ThreadedSet ThreadedPick: ThreadedFn = threaded;
    #[cfg(any(feature = "loop", not(teff_threaded)))]
    LoopSet LoopPick: LoopFn = looped;
}

/// Puts the handlers of one row in set `Which` into a list: one for each of its forms.
macro_rules! row_handlers {
    ({commutative $t:ident $list:ident}; $([$l:ident $r:ident $d:ident])*) => { row_handlers!(@ $list; $(Binary<$t, $l, $r, $d>)*) };
    ({compare $t:ident $list:ident}; $([$l:ident $r:ident $d:ident])*) => { row_handlers!(@ $list; $(Binary<$t, $l, $r, $d>)*) };
    ({binary $t:ident $list:ident}; $([$l:ident $r:ident $d:ident])*) => { row_handlers!(@ $list; $(Binary<$t, $l, $r, $d>)*) };
    ({division $t:ident $list:ident}; $([$l:ident $r:ident $d:ident])*) => { row_handlers!(@ $list; $(Binary<$t, $l, $r, $d>)*) };
    ({pair $t:ident $list:ident}; $([$x:ident $y:ident $z:ident $d:ident])*) => {
        row_handlers!(@ $list; $(Pair<$t, $x, $y, $z, $d>)*)
    };
    ({widened $t:ident $list:ident}; $([$l:ident $r:ident $d:ident])*) => { row_handlers!(@ $list; $(Binary<$t, $l, $r, $d>)*) };
    ({counted $t:ident $list:ident}; $([$l:ident $r:ident $($u:ident)?])*) => {
        row_handlers!(@ $list; $(Counted<$t, $l, $r $(, $u)?>)*)
    };
    ({ret $t:ident $list:ident}; $([$l:ident $($u:ident)?])*) => { row_handlers!(@ $list; $(Ret<$t, $l $(, $u)?>)*) };
    ({branch $t:ident $list:ident}; $([$l:ident $r:ident $($u:ident)?])*) => {
        row_handlers!(@ $list; $(Branch<$t, $l, $r $(, $u)?>)*)
    };
    ({edge $t:ident $list:ident}; [] [$u:ident]) => { row_handlers!(@ $list; Edge<$t> Edge<$t, $u>) };
    ({edge_if $t:ident $list:ident}; $([$l:ident $($u:ident)?])*) => { row_handlers!(@ $list; $(Index<$t, $l $(, $u)?>)*) };
    ({unary $t:ident $list:ident}; $([$l:ident $d:ident])*) => { row_handlers!(@ $list; $(Unary<$t, $l, $d>)*) };
    ({moves $t:ident $list:ident}; $([$l:ident $d:ident])*) => { row_handlers!(@ $list; $(Move<$t, $l, $d>)*) };
    ({load $t:ident $list:ident}; $([$l:ident $d:ident])*) => { row_handlers!(@ $list; $(Load<$t, $l, $d>)*) };
    ({load_pair $t:ident $list:ident}; $([$x:ident $r:ident $d:ident])*) => { row_handlers!(@ $list; $(LoadPair<$t, $x, $r, $d>)*) };
    ({call $t:ident $list:ident}; $([$l:ident])*) => { row_handlers!(@ $list; $(CallArg<$t, $l>)*) };
    ({store $t:ident $list:ident}; $([$l:ident $r:ident])*) => { row_handlers!(@ $list; $(Store<$t, $l, $r>)*) };
    ({store_acc $t:ident $list:ident}; $([$l:ident $r:ident])*) => { row_handlers!(@ $list; $(Store<$t, $l, $r>)*) };
    ({select $t:ident $list:ident}; $([$k:ident $l:ident $r:ident $d:ident])*) => {
        row_handlers!(@ $list; $(Select<$t, $k, $l, $r, $d>)*)
    };
    ({choose $t:ident $list:ident}; $([$a:ident $b:ident $x:ident $y:ident $d:ident])*) => {
        row_handlers!(@ $list; $(Choose<$t, $a, $b, $x, $y, $d>)*)
    };
    ({test $t:ident $list:ident}; $([$l:ident])*) => { row_handlers!(@ $list; $(Index<$t, $l>)*) };
    ({get $t:ident $list:ident}; $([$d:ident])*) => { row_handlers!(@ $list; $(Get<$t, $d>)*) };
    ({set $t:ident $list:ident}; $([$l:ident])*) => { row_handlers!(@ $list; $(Set_<$t, $l>)*) };
    ({fixed $t:ident $list:ident}; []) => { row_handlers!(@ $list; Fixed<$t>) };
    (@ $list:ident; $($instr:ty)*) => { $($list.put(<Which::Of<$instr> as Pick<Which::Handler>>::HANDLER);)* };
}

use super::kinds::Set as Set_;

macro_rules! list_handlers {
    ($($kind:ident ($($imm:ident)?) $name:ident $mnemonic:literal ($($field:ident)*);)*) => {
        $(
            impl Row for $name {
                const FAMILY: Family = Family::$name;
            }
        )*

        /// The handlers of a set.
        struct List<Which>(core::marker::PhantomData<Which>);

        impl<Which: Set> List<Which> {
            /// All of them, by operation number.
            #[cfg(not(feature = "std"))]
            const HANDLERS: Handlers<Which::Handler> = {
                let halt = <Which::Of<Fixed<Halt>> as Pick<Which::Handler>>::HANDLER;
                let mut list = Table { handlers: [halt; Op::COUNT], len: 0 };
                $(with_forms!($kind $($imm)?, row_handlers {$kind $name list});)*
                assert!(list.len == Op::COUNT);
                Handlers(list.handlers)
            };

            /// Writes the addresses of a row's handlers.
            ///
            /// This is code, and no table: see [`HandlerList`](crate::ir::HandlerList).
            #[cfg(teff_lists)]
            fn write_row(family: Family, mut list: Addresses<'_>) {
                match family {
                    $(Family::$name => {
                        // One function a row: all in one takes the compiler minutes.
                        #[inline(never)]
                        fn row<Which: Set>(list: &mut Addresses<'_>) {
                            with_forms!($kind $($imm)?, row_handlers {$kind $name list});
                        }
                        row::<Which>(&mut list);
                    })*
                }
            }
        }
    };
}

/// Handlers one after the other, for programs that lie in memory where they were linked to.
#[cfg(not(feature = "std"))]
struct Table<H> {
    handlers: [H; Op::COUNT],
    len: usize,
}

#[cfg(not(feature = "std"))]
impl<H: Copy> Table<H> {
    const fn put(&mut self, handler: H) {
        self.handlers[self.len] = handler;
        self.len += 1;
    }
}

/// Where the addresses of a row's handlers go.
#[cfg(teff_lists)]
struct Addresses<'a>(RowAddresses<'a>);

#[cfg(teff_lists)]
impl Addresses<'_> {
    #[inline(always)]
    fn put<H: Handler>(&mut self, handler: H) {
        self.0.put(handler.address());
    }
}

/// A handler of one of the backends.
pub(super) trait Handler: Copy + 'static {
    #[cfg_attr(
        not(teff_lists),
        allow(dead_code, reason = "only the table of the loop is used then")
    )]
    /// Its address, which cells name it by.
    fn address(self) -> usize;
}

#[cfg(teff_threaded)]
impl Handler for super::backend::ThreadedFn {
    #[inline(always)]
    fn address(self) -> usize {
        (self as *const ()).expose_provenance()
    }
}

#[cfg(any(feature = "loop", not(teff_threaded)))]
impl Handler for super::backend::LoopFn {
    #[inline(always)]
    fn address(self) -> usize {
        (self as *const ()).expose_provenance()
    }
}

instructions!(list_handlers);

#[cfg(all(teff_threaded, not(feature = "std")))]
pub(super) static THREADED_COMPACT: Handlers<super::backend::ThreadedFn> =
    List::<ThreadedSet<Compact>>::HANDLERS;
#[cfg(all(any(feature = "loop", not(teff_threaded)), not(feature = "std")))]
pub(super) static LOOP_COMPACT: Handlers<super::backend::LoopFn> =
    List::<LoopSet<Compact>>::HANDLERS;

/// What writes the addresses of the handlers of a backend and a class. Without `std`, the compact class has its
/// tables, which need no memory but that of the program.
pub(super) fn write_row(backend: Backend, class: CellClass) -> Option<WriteRow> {
    match (backend, class) {
        #[cfg(not(feature = "std"))]
        (_, CellClass::Compact) => None,
        #[cfg(all(teff_compact, feature = "std"))]
        (Backend::Threaded, CellClass::Compact) => Some(|family, row| {
            List::<ThreadedSet<Compact>>::write_row(family, Addresses(row));
        }),
        #[cfg(all(teff_threaded, feature = "compile"))]
        (Backend::Threaded, _) => Some(|family, row| {
            List::<ThreadedSet<Direct>>::write_row(family, Addresses(row));
        }),
        // The loop runs compact code alone.
        #[cfg(all(any(feature = "loop", not(teff_threaded)), feature = "std"))]
        (Backend::Loop, _) => Some(|family, row| {
            List::<LoopSet<Compact>>::write_row(family, Addresses(row));
        }),
        #[allow(unreachable_patterns, reason = "a build may have one backend alone")]
        _ => unreachable!("`Config::backend` admits only what this build has"),
    }
}
