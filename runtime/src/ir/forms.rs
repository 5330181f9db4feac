//! Forms: where the operands of an instruction are, and where its result goes.
//!
//! A form is a list of operand classes, result last. Each kind of instruction exists in the forms listed
//! here, in this order; the encoder counts along the list and the handler registry expands the same list.

/// Where one operand is, or where a result goes.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Operand {
    /// The accumulator of the operand's type.
    A,
    /// A frame slot. A result that goes to a slot is left in the accumulator as well.
    S,
    /// A 32-bit immediate; for 64-bit integers it is sign-extended.
    I,
    /// A 64-bit immediate.
    W,
    /// The pinned local of the operand's type, in its register.
    L,
    /// As a result: the pinned local, in its register and its slot. The accumulator stays as it is.
    D,
    /// As an address: a slot plus the row's offset, in 32 bits, so that it wraps around.
    P,
    /// As an address: the pinned local plus the row's offset, in 32 bits.
    R,
    /// As an address: the 32-bit sum of two slots.
    X,
    /// As an address: the 32-bit sum of accumulator and slot.
    Y,
    /// As an address: the 32-bit sum of pinned local and slot.
    M,
    /// As an address: the 32-bit sum of pinned local and accumulator.
    N,
    /// As an address: a slot, and another slot shifted left by a constant.
    E,
    /// As an address: a slot, and the accumulator shifted.
    V,
    /// As an address: the pinned local, and a slot shifted.
    G,
    /// As an address: the pinned local, and the accumulator shifted.
    H,
    /// As an address: a slot, and the pinned local shifted.
    J,
    /// As an address: a slot shifted.
    K,
    /// As an address: the accumulator shifted.
    O,
    /// As an address: the pinned local shifted.
    Q,
    /// As an address: a slot shifted, plus the row's offset, in 32 bits.
    F,
    /// As an address: the accumulator shifted, plus the row's offset, in 32 bits.
    T,
    /// As an address: the pinned local shifted, plus the row's offset, in 32 bits.
    Z,
    /// No operand, but the mark of a metered form, the last in it: a 32-bit immediate that the meter is
    /// charged with when the edge is taken. Negative where operators that were charged ahead are skipped.
    U,
}

impl Operand {
    /// Slot fields that an operand of this class takes. The last one of a class that shifts is how far.
    pub(crate) const fn slots(self) -> u8 {
        match self {
            Self::A | Self::I | Self::W | Self::L | Self::R | Self::N | Self::U => 0,
            Self::S | Self::D | Self::P | Self::Y | Self::M => 1,
            Self::H | Self::O | Self::Q | Self::T | Self::Z => 1,
            Self::X | Self::V | Self::G | Self::J | Self::K | Self::F => 2,
            Self::E => 3,
        }
    }
}

/// Expands `$callback! { $args ; [form] [form] … }` with the forms of a kind of instruction.
macro_rules! with_forms {
    // each of these operands with each place for a result
    (@results $cb:ident $args:tt $([$($operand:ident)*])*) => {
        $cb! { $args; $([$($operand)* A] [$($operand)* S] [$($operand)* D])* }
    };
    // each of these in a free and in a metered form
    (@edges $cb:ident $args:tt $([$($operand:ident)*])*) => {
        $cb! { $args; $([$($operand)*])* $([$($operand)* U])* }
    };
    // a ⊕ b
    (commutative I, $cb:ident $args:tt) => {
        with_forms! { @results $cb $args [A S] [S S] [A I] [S I] [A L] [S L] [L I] [L L] }
    };
    (commutative IW, $cb:ident $args:tt) => {
        with_forms! { @results $cb $args [A S] [S S] [A I] [S I] [A L] [S L] [L I] [L L] [A W] [S W] }
    };
    (commutative W, $cb:ident $args:tt) => {
        with_forms! { @results $cb $args [A S] [S S] [A W] [S W] [A L] [S L] [L W] [L L] }
    };
    // comparisons: mirrored where needed, so immediates come last and the accumulator first
    (compare I, $cb:ident $args:tt) => {
        $cb! { $args; [A S A] [A S S] [S S A] [S S S] [A I A] [A I S] [S I A] [S I S] }
    };
    (compare IW, $cb:ident $args:tt) => {
        $cb! { $args;
        [A S A] [A S S] [S S A] [S S S] [A I A] [A I S] [S I A] [S I S]
        [A W A] [A W S] [S W A] [S W S] }
    };
    (compare W, $cb:ident $args:tt) => {
        $cb! { $args; [A S A] [A S S] [S S A] [S S S] [A W A] [A W S] [S W A] [S W S] }
    };
    // a - b
    (binary I, $cb:ident $args:tt) => {
        with_forms! { @results $cb $args
        [A S] [S A] [S S] [A I] [S I] [I A] [I S] [A L] [L A] [L S] [S L] [L I] }
    };
    (binary W, $cb:ident $args:tt) => {
        with_forms! { @results $cb $args
        [A S] [S A] [S S] [A W] [S W] [W A] [W S] [A L] [L A] [L S] [S L] [L W] }
    };
    // the same for what is rare or slow anyway
    (division I, $cb:ident $args:tt) => {
        $cb! { $args;
        [A S A] [A S S] [S A A] [S A S] [S S A] [S S S]
        [A I A] [A I S] [S I A] [S I S] [I A A] [I A S] [I S A] [I S S] }
    };
    (division W, $cb:ident $args:tt) => {
        $cb! { $args;
        [A S A] [A S S] [S A A] [S A S] [S S A] [S S S]
        [A W A] [A W S] [S W A] [S W S] [W A A] [W A S] [W S A] [W S S] }
    };
    // (x ⊕ y) ⊗ z, where the first is a shift by a constant
    (pair shift_const, $cb:ident $args:tt) => {
        with_forms! { @results $cb $args [A I I] [S I I] [L I I] }
    };
    (pair shift, $cb:ident $args:tt) => {
        with_forms! { @results $cb $args [A I S] [S I S] [L I S] [A I I] [S I I] [L I I] }
    };
    // where the second is one
    (pair then_shift, $cb:ident $args:tt) => {
        with_forms! { @results $cb $args [A S I] [S S I] [L S I] }
    };
    (pair mask, $cb:ident $args:tt) => {
        with_forms! { @results $cb $args [A S S] [S S S] [L S S] [A I S] [S I S] [L I S] }
    };
    (pair I, $cb:ident $args:tt) => {
        with_forms! { @results $cb $args
        [A S S] [S S S] [L S S] [A I S] [S I S] [L I S]
        [A S I] [S S I] [L S I] [A I I] [S I I] [L I I] }
    };
    (pair F32, $cb:ident $args:tt) => {
        with_forms! { @results $cb $args
        [A S S] [S S S] [A L S] [S L S] [L L S] [A I S] [S I S] [L I S]
        [A S L] [S S L] [A L L] [S L L] [L L L] [A I L] [S I L] [L I L] }
    };
    (pair F64, $cb:ident $args:tt) => {
        with_forms! { @results $cb $args
        [A S S] [S S S] [A L S] [S L S] [L L S] [A W S] [S W S] [L W S]
        [A S L] [S S L] [A L L] [S L L] [L L L] [A W L] [S W L] [L W L] }
    };
    // an i32 as an i64, plus b
    (widened, $cb:ident $args:tt) => {
        with_forms! { @results $cb $args [A I] [S I] [L I] [A S] [S S] [L S] }
    };
    // local += number; branch if local < b
    (counted, $cb:ident $args:tt) => {
        with_forms! { @edges $cb $args [S S] [S I] [S L] [D S] [D I] }
    };
    // branch if a < b
    (branch I, $cb:ident $args:tt) => {
        with_forms! { @edges $cb $args [A S] [S S] [A I] [S I] [A L] [S L] [L I] }
    };
    (branch IW, $cb:ident $args:tt) => {
        with_forms! { @edges $cb $args [A S] [S S] [A I] [S I] [A L] [S L] [L I] [A W] [S W] }
    };
    (branch W, $cb:ident $args:tt) => {
        with_forms! { @edges $cb $args [A S] [S S] [A W] [S W] [A L] [S L] [L W] }
    };
    // leave for another place in the code, or for another function
    (edge, $cb:ident $args:tt) => {
        with_forms! { @edges $cb $args [] }
    };
    // the same with a condition or an index
    (edge_if, $cb:ident $args:tt) => {
        with_forms! { @edges $cb $args [A] [S] }
    };
    // result ← f(a)
    (unary, $cb:ident $args:tt) => {
        with_forms! { @results $cb $args [A] [S] }
    };
    // copies that an accumulator or a pinned local takes part in
    (moves I, $cb:ident $args:tt) => {
        $cb! { $args; [A S] [S A] [I A] [A D] [S D] [I D] }
    };
    (moves IW, $cb:ident $args:tt) => {
        $cb! { $args; [A S] [S A] [I A] [A D] [S D] [I D] [W A] [W D] }
    };
    (moves W, $cb:ident $args:tt) => {
        $cb! { $args; [A S] [S A] [W A] [A D] [S D] [W D] }
    };
    // result ← [address + offset]; a constant address is folded into the offset
    (load, $cb:ident $args:tt) => {
        with_forms! { @results $cb $args
        [A] [S] [I] [L] [P] [R] [X] [Y] [M] [N] [E] [V] [G] [H] [J] [K] [O] [Q] [F] [T] [Z] }
    };
    // result ← [address + offset] ⊕ b
    (load_pair, $cb:ident $args:tt) => {
        with_forms! { @results $cb $args [A S] [S S] [L S] [P S] [R S] [X S] [E S] }
    };
    // [address + offset] ← value
    (store, $cb:ident $args:tt) => {
        $cb! { $args;
        [A S] [A I] [A L] [S A] [S S] [S I] [S L] [I A] [I S] [I I] [I L]
        [L A] [L S] [L I] [P A] [P S] [P I] [R A] [R S] [R I]
        [X A] [X S] [X I] [Y S] [Y I] [M A] [M S] [M I] [N S] [N I]
        [E A] [E S] [E I] [V S] [V I] [G A] [G S] [G I] [H S] [H I] [J A] [J S] [J I]
        [K A] [K S] [K I] [O S] [O I] [Q A] [Q S] [Q I] [F A] [F S] [F I] [T S] [T I] [Z A] [Z S] [Z I] }
    };
    // the same for a float accumulator or pinned local, whose address may be in the integer one
    (store_acc, $cb:ident $args:tt) => {
        $cb! { $args;
        [A A] [S A] [I A] [L A] [P A] [R A] [X A] [Y A] [M A] [N A]
        [E A] [V A] [G A] [H A] [J A] [K A] [O A] [Q A] [F A] [T A] [Z A] }
    };
    // result ← condition ? a : b, with the condition first
    (select int, $cb:ident $args:tt) => {
        $cb! { $args;
        [A S S A] [A S S S] [A S I A] [A S I S] [A I S A] [A I S S] [A I I A] [A I I S]
        [S S S A] [S S S S] [S S I A] [S S I S] [S I S A] [S I S S] [S I I A] [S I I S]
        [S A S A] [S A S S] [S S A A] [S S A S] [S A I A] [S A I S] [S I A A] [S I A S] }
    };
    (select float, $cb:ident $args:tt) => {
        $cb! { $args;
        [A S S A] [A S S S] [A A S A] [A A S S] [A S A A] [A S A S]
        [S S S A] [S S S S] [S A S A] [S A S S] [S S A A] [S S A S] }
    };
    // a call with one more argument to put into its slot
    (call, $cb:ident $args:tt) => {
        $cb! { $args; [A] [S] [I] [L] [P] }
    };
    // result ← a < b ? x : y, of one type
    (choose, $cb:ident $args:tt) => {
        with_forms! { @results $cb $args
        [A S S S] [A I S S] [S S S S] [S I S S] [A S I I] [A I I I] [S S I I] [S I I I]
        [A S S I] [A I S I] [S S S I] [S I S I] }
    };
    // a condition, or an index
    (test, $cb:ident $args:tt) => {
        $cb! { $args; [A] [S] }
    };
    // return with this
    (ret I, $cb:ident $args:tt) => {
        with_forms! { @edges $cb $args [S] [I] [L] }
    };
    (ret F, $cb:ident $args:tt) => {
        with_forms! { @edges $cb $args [S] [L] }
    };
    // globals
    (get, $cb:ident $args:tt) => {
        $cb! { $args; [A] [S] [D] }
    };
    (set I, $cb:ident $args:tt) => {
        $cb! { $args; [A] [S] [I] }
    };
    (set acc, $cb:ident $args:tt) => {
        $cb! { $args; [A] }
    };
    // everything that has one form; its operands are fields alone
    (fixed, $cb:ident $args:tt) => {
        $cb! { $args; [] }
    };
}
pub(crate) use with_forms;
