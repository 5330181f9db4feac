//! Reading operators: what wasmparser calls for each one it has read.
//!
//! Each of the common ones gets a copy of [`Translator::visit`] of which the compiler leaves its own line alone: then
//! no operator has to be stored and told apart again.

// Named by the list of operators; the prelude of std has it.
#[cfg(not(feature = "std"))]
use alloc::vec::Vec;

use wasmparser::{FrameKind, FrameStack, Operator, VisitOperator};

use super::{Step, Translator, control::Kind};

/// The methods of the trait, from wasmparser's list of operators.
macro_rules! visitors {
    ($(@$proposal:ident $op:ident $({ $($arg:ident: $ty:ty),* })? => $visit:ident ($($arity:tt)*))*) => {
        $(
            fn $visit(&mut self $($(, $arg: $ty)*)?) -> Step {
                visitors!(@$proposal self, Operator::$op $({ $($arg),* })?)
            }
        )*
    };
    (@mvp $self:ident, $operator:expr) => { $self.visit(&$operator) };
    (@sign_extension $self:ident, $operator:expr) => { $self.visit(&$operator) };
    (@$rest:ident $self:ident, $operator:expr) => { $self.visit_rest(&$operator) };
}

impl<'a> VisitOperator<'a> for Translator<'_, '_> {
    type Output = Step;

    wasmparser::for_each_visit_operator!(visitors);
}

impl Translator<'_, '_> {
    /// The operators that get no copy.
    #[inline(never)]
    fn visit_rest(&mut self, operator: &Operator<'_>) -> Step {
        self.visit(operator)
    }
}

impl FrameStack for Translator<'_, '_> {
    fn current_frame(&self) -> Option<FrameKind> {
        let control = self.controls.last()?;
        Some(match control.kind {
            Kind::Function | Kind::Block => FrameKind::Block,
            Kind::Loop => FrameKind::Loop,
            Kind::If(_) => FrameKind::If,
            Kind::Else => FrameKind::Else,
        })
    }
}
