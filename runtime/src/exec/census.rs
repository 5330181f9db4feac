//! A count of what the loop backend dispatches: operations, and pairs of operations one after the other.
//!
//! It exists in builds with the feature `census` alone, and counts compact code, whose cells say which
//! operation they are. It decides which instructions are worth fusing; it knows the numbers of operations
//! and nothing else of the machine.

use alloc::{format, string::String, vec, vec::Vec};
use core::cell::RefCell;

use super::backend::Class;
use crate::ir::{CellClass, Op};

/// What this thread has dispatched so far.
struct Counts {
    /// How often operation `b` came after operation `a`, at `a * Op::COUNT + b`.
    pairs: Vec<u64>,
    before: Option<u16>,
    /// First operations, which come after none.
    firsts: Vec<u64>,
}

std::thread_local! {
    static COUNTS: RefCell<Counts> = RefCell::new(Counts {
        pairs: vec![0; Op::COUNT * Op::COUNT],
        before: None,
        firsts: vec![0; Op::COUNT],
    });
}

/// Counts the cell at `ip`, which is about to be executed.
///
/// # Safety
/// `ip` is at a cell of class `C`.
pub(super) unsafe fn count<C: Class>(ip: *const u8) {
    if const { !matches!(C::CLASS, CellClass::Compact) } {
        return;
    }
    // SAFETY: compact cells begin with the operation's number.
    let op = unsafe { *ip.cast::<u16>() };
    COUNTS.with_borrow_mut(|counts| {
        let cell = match counts.before.replace(op) {
            Some(before) => &mut counts.pairs[usize::from(before) * Op::COUNT + usize::from(op)],
            None => &mut counts.firsts[usize::from(op)],
        };
        *cell += 1;
    });
}

/// How often each operation was dispatched, and each pair of operations in a row.
///
/// Only code of engines with [`Backend::Loop`](crate::Backend::Loop) and
/// [`CodeForm::Compact`](crate::CodeForm::Compact) is counted.
#[derive(Clone, Debug, Default)]
pub struct Census {
    /// All dispatches.
    pub total: u64,
    /// Operations, by mnemonic and form; the most frequent first.
    pub ops: Vec<(String, u64)>,
    /// Pairs, the most frequent first.
    pub pairs: Vec<([String; 2], u64)>,
}

impl Census {
    /// What the present thread has dispatched since it began, or since this was last called.
    pub fn take() -> Self {
        COUNTS.with_borrow_mut(|counts| {
            let mut ops = core::mem::replace(&mut counts.firsts, vec![0; Op::COUNT]);
            counts.before = None;
            let mut pairs = Vec::new();
            for (i, count) in counts.pairs.iter_mut().enumerate() {
                let count = core::mem::take(count);
                let (a, b) = (i / Op::COUNT, i % Op::COUNT);
                ops[b] += count;
                if count > 0 {
                    pairs.push(([name(a), name(b)], count));
                }
            }
            let total = ops.iter().sum();
            let ops = ops.into_iter().enumerate();
            let mut ops: Vec<_> = ops
                .filter(|(_, count)| *count > 0)
                .map(|(op, count)| (name(op), count))
                .collect();
            ops.sort_by_key(|(_, count)| core::cmp::Reverse(*count));
            pairs.sort_by_key(|(_, count)| core::cmp::Reverse(*count));
            Self { total, ops, pairs }
        })
    }
}

/// The mnemonic, and the classes of the operands: the result's behind an arrow.
fn name(op: usize) -> String {
    let op = Op(op as u16);
    let (operands, result) = match op.form().split_last() {
        Some((result, operands)) if op.has_result() => (operands, Some(result)),
        _ => (op.form(), None),
    };
    let mut name = String::from(op.mnemonic());
    for (i, operand) in operands.iter().enumerate() {
        name += &format!("{}{operand:?}", if i == 0 { " " } else { "," });
    }
    if let Some(result) = result {
        name += &format!("→{result:?}");
    }
    name
}
