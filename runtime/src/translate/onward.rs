//! Where branches to the ends of blocks lead in the end.
//!
//! What comes behind a block is often a branch again, the next arm of an `if`, or the function's end. A branch to the
//! block then leads there at once: to the other branch's target, or it returns. What comes behind each block is known
//! from the survey (`scan`).

use super::{
    Step, Translator,
    control::{Kind, Signature, slots_of},
    meter::VALUES,
    scan::{End, Next},
};
use crate::ir::Label;

/// Where a branch leads.
pub(super) enum Way {
    /// To the block with this depth.
    To(u32),
    /// Out of the function; with the value of a local, if that is read on the way.
    Return(Option<u32>),
}

/// More branches to branches than this are not followed.
const HOPS: u32 = 8;

impl Translator<'_, '_> {
    /// Where a branch with this depth leads, and the cost of the operators on the way, which it is to be charged with.
    pub(super) fn onward(&self, depth: u32) -> (Way, u32) {
        let (mut depth, mut cost) = (depth, 0);
        for _ in 0..HOPS {
            let control = self.control(depth);
            if matches!(control.kind, Kind::Function | Kind::Loop) {
                break;
            }
            let results = control.signature.results;
            match self.ends.get(control.number as usize).map(|end| end.next) {
                Some(Next::Branch { number, operators }) if results.is_empty() => {
                    let Some(next) = self.depth_without_values(number) else {
                        break;
                    };
                    depth = next;
                    cost += operators;
                }
                Some(Next::Return { local, operators }) => {
                    let read = usize::from(local.is_some());
                    if results.len() + read != self.ty.result_slice().len() {
                        break;
                    }
                    // A `return` is charged for the values; the function's end is free.
                    let explicit = operators > read as u32;
                    let values = match explicit {
                        true => slots_of(self.ty.result_slice()) / VALUES,
                        false => 0,
                    };
                    return (Way::Return(local), cost + operators + values);
                }
                _ => break,
            }
        }
        (Way::To(depth), cost)
    }

    /// The depth of the open block with this number, if branches to it carry no values.
    fn depth_without_values(&self, number: u32) -> Option<u32> {
        let at = self
            .controls
            .binary_search_by_key(&number, |control| control.number)
            .ok()?;
        let control = &self.controls[at];
        control
            .branch_types()
            .is_empty()
            .then(|| (self.controls.len() - 1 - at) as u32)
    }

    /// The same for the edge past an `if` that is about to be opened, if it has neither values nor an `else`.
    pub(super) fn onward_from_if(&self, signature: Signature<'_>) -> Option<(u32, u32)> {
        let End { next, has_else } = *self.ends.get(self.opened as usize)?;
        let Next::Branch { number, operators } = next else {
            return None;
        };
        if has_else || !signature.params.is_empty() || !signature.results.is_empty() {
            return None;
        }
        let depth = self.depth_without_values(number)?;
        self.test_can_lead_on()
            .then(|| self.onward_to_block(depth, operators))
    }

    /// The same for a branch with a condition.
    pub(super) fn onward_if(&self, depth: u32) -> (u32, u32) {
        match self.test_can_lead_on() {
            true => self.onward_to_block(depth, 0),
            false => (depth, 0),
        }
    }

    /// As far as it leads to a block.
    pub(super) fn onward_to_block(&self, depth: u32, cost: u32) -> (u32, u32) {
        match self.onward(depth) {
            (Way::To(to), more) => (to, cost + more),
            (Way::Return(_), _) => (depth, cost),
        }
    }

    /// A loop's first test is charged as it stands, since branches back repeat it.
    fn test_can_lead_on(&self) -> bool {
        self.meter.is_none() || !self.at_loop_start()
    }

    /// Returns, from a branch that leads out of the function.
    pub(super) fn return_onward(&mut self, local: Option<u32>, cost: u32) -> Step {
        self.with_edges_further_on(cost, |this| {
            if let Some(local) = local {
                this.push_local(local);
            }
            this.append_return()
        })
    }

    /// Branches to a block that takes no values, or whose values are in place.
    pub(super) fn br_to(&mut self, depth: u32, cost: u32) {
        let control = self.control(depth);
        self.mark_branched_to(depth);
        self.with_edges_further_on(cost, |this| {
            if !this.br_to_head(control.head) {
                this.append_br(control.label);
            }
        });
    }

    /// The label for an entry of a `br_table` without values, and the cost of what it leaves out.
    pub(super) fn entry_onward(&mut self, depth: u32) -> (Label, u32) {
        let (to, cost) = self.onward_to_block(depth, 0);
        self.mark_branched_to(to);
        (self.control(to).label, cost)
    }
}
