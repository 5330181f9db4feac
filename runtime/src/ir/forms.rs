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
}

/// Expands `$callback! { $args ; [form] [form] … }` with the forms of a kind of instruction.
macro_rules! with_forms {
    // a ⊕ b, and comparisons (mirrored where needed, so immediates and the accumulator come first or last)
    (commutative I, $cb:ident $args:tt) => {
        $cb! { $args;
        [A S A] [A S S] [S S A] [S S S] [A I A] [A I S] [S I A] [S I S] }
    };
    (commutative IW, $cb:ident $args:tt) => {
        $cb! { $args;
        [A S A] [A S S] [S S A] [S S S] [A I A] [A I S] [S I A] [S I S]
        [A W A] [A W S] [S W A] [S W S] }
    };
    (commutative W, $cb:ident $args:tt) => {
        $cb! { $args;
        [A S A] [A S S] [S S A] [S S S] [A W A] [A W S] [S W A] [S W S] }
    };
    (compare $imm:ident, $cb:ident $args:tt) => {
        with_forms! { commutative $imm, $cb $args }
    };
    // a - b
    (binary I, $cb:ident $args:tt) => {
        $cb! { $args;
        [A S A] [A S S] [S A A] [S A S] [S S A] [S S S]
        [A I A] [A I S] [S I A] [S I S] [I A A] [I A S] [I S A] [I S S] }
    };
    (binary W, $cb:ident $args:tt) => {
        $cb! { $args;
        [A S A] [A S S] [S A A] [S A S] [S S A] [S S S]
        [A W A] [A W S] [S W A] [S W S] [W A A] [W A S] [W S A] [W S S] }
    };
    // branch if a < b
    (branch I, $cb:ident $args:tt) => {
        $cb! { $args; [A S] [S S] [A I] [S I] }
    };
    (branch IW, $cb:ident $args:tt) => {
        $cb! { $args; [A S] [S S] [A I] [S I] [A W] [S W] }
    };
    (branch W, $cb:ident $args:tt) => {
        $cb! { $args; [A S] [S S] [A W] [S W] }
    };
    // result ← f(a)
    (unary, $cb:ident $args:tt) => {
        $cb! { $args; [A A] [A S] [S A] [S S] }
    };
    // copies that an accumulator takes part in
    (moves I, $cb:ident $args:tt) => {
        $cb! { $args; [A S] [S A] [I A] }
    };
    (moves IW, $cb:ident $args:tt) => {
        $cb! { $args; [A S] [S A] [I A] [W A] }
    };
    (moves W, $cb:ident $args:tt) => {
        $cb! { $args; [A S] [S A] [W A] }
    };
    // result ← [address + offset]; a constant address is folded into the offset
    (load, $cb:ident $args:tt) => {
        $cb! { $args; [A A] [A S] [S A] [S S] [I A] [I S] }
    };
    // [address + offset] ← value
    (store, $cb:ident $args:tt) => {
        $cb! { $args;
        [A S] [S A] [S S] [A I] [S I] [I A] [I S] [I I] }
    };
    // the same for a float accumulator, whose address may be in the integer one
    (store_acc, $cb:ident $args:tt) => {
        $cb! { $args; [A A] [S A] [I A] }
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
    // a condition, or an index
    (test, $cb:ident $args:tt) => {
        $cb! { $args; [A] [S] }
    };
    // globals
    (get, $cb:ident $args:tt) => {
        $cb! { $args; [A] [S] }
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
