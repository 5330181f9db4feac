//! The handlers of every operation, listed from the instruction table: per backend and per cell class.

use alloc::vec::Vec;

use super::{
    address::{E, G, H, J, K, M, N, O, P, Q, R, V, X, Y},
    backend::{Class, Compact, Direct},
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
use crate::{
    config::Backend,
    ir::{Family, Op, forms::with_forms, table::instructions},
};

/// One handler an operation, by its number.
pub(super) struct Handlers<H: 'static>(pub(super) [H; Op::COUNT]);

/// A backend and a class: names the handlers of one list.
#[allow(dead_code, reason = "used by its associated types alone")]
trait Set: 'static {
    type Handler: Copy + 'static;
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

/// The handlers of one row in set `Which`: one for each of its forms.
macro_rules! row_handlers {
    ({commutative $t:ident}; $([$l:ident $r:ident $d:ident])*) => { row_handlers!(@ $(Binary<$t, $l, $r, $d>)*) };
    ({compare $t:ident}; $([$l:ident $r:ident $d:ident])*) => { row_handlers!(@ $(Binary<$t, $l, $r, $d>)*) };
    ({binary $t:ident}; $([$l:ident $r:ident $d:ident])*) => { row_handlers!(@ $(Binary<$t, $l, $r, $d>)*) };
    ({division $t:ident}; $([$l:ident $r:ident $d:ident])*) => { row_handlers!(@ $(Binary<$t, $l, $r, $d>)*) };
    ({pair $t:ident}; $([$x:ident $y:ident $z:ident $d:ident])*) => {
        row_handlers!(@ $(Pair<$t, $x, $y, $z, $d>)*)
    };
    ({widened $t:ident}; $([$l:ident $r:ident $d:ident])*) => { row_handlers!(@ $(Binary<$t, $l, $r, $d>)*) };
    ({counted $t:ident}; $([$l:ident $r:ident $($u:ident)?])*) => {
        row_handlers!(@ $(Counted<$t, $l, $r $(, $u)?>)*)
    };
    ({ret $t:ident}; $([$l:ident $($u:ident)?])*) => { row_handlers!(@ $(Ret<$t, $l $(, $u)?>)*) };
    ({branch $t:ident}; $([$l:ident $r:ident $($u:ident)?])*) => {
        row_handlers!(@ $(Branch<$t, $l, $r $(, $u)?>)*)
    };
    ({edge $t:ident}; [] [$u:ident]) => { row_handlers!(@ Edge<$t> Edge<$t, $u>) };
    ({edge_if $t:ident}; $([$l:ident $($u:ident)?])*) => { row_handlers!(@ $(Index<$t, $l $(, $u)?>)*) };
    ({unary $t:ident}; $([$l:ident $d:ident])*) => { row_handlers!(@ $(Unary<$t, $l, $d>)*) };
    ({moves $t:ident}; $([$l:ident $d:ident])*) => { row_handlers!(@ $(Move<$t, $l, $d>)*) };
    ({load $t:ident}; $([$l:ident $d:ident])*) => { row_handlers!(@ $(Load<$t, $l, $d>)*) };
    ({load_pair $t:ident}; $([$x:ident $r:ident $d:ident])*) => { row_handlers!(@ $(LoadPair<$t, $x, $r, $d>)*) };
    ({call $t:ident}; $([$l:ident])*) => { row_handlers!(@ $(CallArg<$t, $l>)*) };
    ({store $t:ident}; $([$l:ident $r:ident])*) => { row_handlers!(@ $(Store<$t, $l, $r>)*) };
    ({store_acc $t:ident}; $([$l:ident $r:ident])*) => { row_handlers!(@ $(Store<$t, $l, $r>)*) };
    ({select $t:ident}; $([$k:ident $l:ident $r:ident $d:ident])*) => {
        row_handlers!(@ $(Select<$t, $k, $l, $r, $d>)*)
    };
    ({choose $t:ident}; $([$a:ident $b:ident $x:ident $y:ident $d:ident])*) => {
        row_handlers!(@ $(Choose<$t, $a, $b, $x, $y, $d>)*)
    };
    ({test $t:ident}; $([$l:ident])*) => { row_handlers!(@ $(Index<$t, $l>)*) };
    ({get $t:ident}; $([$d:ident])*) => { row_handlers!(@ $(Get<$t, $d>)*) };
    ({set $t:ident}; $([$l:ident])*) => { row_handlers!(@ $(Set_<$t, $l>)*) };
    ({fixed $t:ident}; []) => { row_handlers!(@ Fixed<$t>) };
    (@ $($instr:ty)*) => { [$(<Which::Of<$instr> as Pick<Which::Handler>>::HANDLER),*] };
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
            const HANDLERS: Handlers<Which::Handler> = {
                let mut handlers = [<Which::Of<Fixed<Halt>> as Pick<Which::Handler>>::HANDLER; Op::COUNT];
                let mut op = 0;
                $({
                    let row = with_forms!($kind $($imm)?, row_handlers {$kind $name});
                    let mut form = 0;
                    while form < row.len() {
                        handlers[op] = row[form];
                        form += 1;
                        op += 1;
                    }
                })*
                assert!(op == Op::COUNT);
                Handlers(handlers)
            };
        }
    };
}

instructions!(list_handlers);

#[cfg(teff_threaded)]
static THREADED_DIRECT: Handlers<super::backend::ThreadedFn> =
    List::<ThreadedSet<Direct>>::HANDLERS;
#[cfg(teff_threaded)]
pub(super) static THREADED_COMPACT: Handlers<super::backend::ThreadedFn> =
    List::<ThreadedSet<Compact>>::HANDLERS;
#[cfg(any(feature = "loop", not(teff_threaded)))]
pub(super) static LOOP_COMPACT: Handlers<super::backend::LoopFn> =
    List::<LoopSet<Compact>>::HANDLERS;

/// The addresses of the handlers that direct cells name, by operation number. The loop runs compact code alone.
pub(super) fn direct_addresses(backend: Backend) -> Vec<usize> {
    match backend {
        #[cfg(teff_threaded)]
        Backend::Threaded => THREADED_DIRECT
            .0
            .iter()
            .map(|h| (*h as *const ()).expose_provenance())
            .collect(),
        _ => Vec::new(),
    }
}
