//! Blocks: how they open and close.
//!
//! Where control flow meets, values are in the slots that belong to their place on the operand stack, and
//! the accumulators hold nothing.

use wasmparser::BlockType;

use super::{
    Step, Translator,
    stack::{AccState, Content, NONE},
};
use crate::{
    ir::{Family, Inst, Label},
    module::val_type,
    types::ValType,
};

/// The parameters and results of a block.
#[derive(Copy, Clone)]
pub(super) struct Signature<'m> {
    pub(super) params: &'m [ValType],
    pub(super) results: &'m [ValType],
}

#[derive(Copy, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Function,
    Block,
    Loop,
    /// With the label of its else branch.
    If(Label),
    Else,
}

/// A block that is open.
#[derive(Copy, Clone)]
pub(super) struct Control<'m> {
    pub(super) kind: Kind,
    /// Blocks have numbers in the order of the text.
    pub(super) number: u32,
    pub(super) signature: Signature<'m>,
    /// Where branches to it lead.
    pub(super) label: Label,
    /// Is there such a branch?
    pub(super) branched_to: bool,
    /// Is the code before it reachable?
    reachable: bool,
    /// Entries and slots of the operand stack below its parameters.
    base: usize,
    pub(super) base_slot: u32,
    /// While a `br_table` is translated: the code that moves the values for it.
    pub(super) mover: Option<Label>,
    /// Of a loop: what `Translator::heads` has for it.
    pub(super) head: u32,
}

impl<'m> Control<'m> {
    /// The types of the values that a branch to it carries.
    pub(super) fn branch_types(&self) -> &'m [ValType] {
        match self.kind {
            Kind::Loop => self.signature.params,
            _ => self.signature.results,
        }
    }
}

/// Slots of values of these types.
pub(super) fn slots_of(types: &[ValType]) -> u32 {
    types.iter().map(|ty| ty.slots()).sum()
}

/// The single types, to take slices of.
const SINGLE: [ValType; 6] = [
    ValType::I32,
    ValType::I64,
    ValType::F32,
    ValType::F64,
    ValType::FUNCREF,
    ValType::EXTERNREF,
];

impl<'m> Translator<'_, 'm> {
    pub(super) fn signature(&self, ty: BlockType) -> Signature<'m> {
        match ty {
            BlockType::Empty => Signature {
                params: &[],
                results: &[],
            },
            BlockType::Type(ty) => {
                let ty = val_type(ty);
                let at = SINGLE.iter().position(|have| *have == ty).unwrap_or(0);
                Signature {
                    params: &[],
                    results: &SINGLE[at..=at],
                }
            }
            BlockType::FuncType(index) => {
                let ty = self.module.type_at(index);
                Signature {
                    params: ty.param_slice(),
                    results: ty.result_slice(),
                }
            }
        }
    }

    fn open(&mut self, kind: Kind, signature: Signature<'m>) {
        let label = self.encoder.label();
        let base = self.stack.len() - signature.params.len();
        let base_slot = self.height - slots_of(signature.params);
        let number = self.opened;
        self.opened += 1;
        self.controls.push(Control {
            kind,
            number,
            signature,
            label,
            branched_to: false,
            reachable: self.reachable,
            base,
            base_slot,
            mover: None,
            head: NONE,
        });
    }

    /// Starts the function: its body is a block with its results.
    pub(super) fn begin_function(&mut self) {
        self.begin_meter();
        self.append_enter();
        self.append_pin();
        let signature = Signature {
            params: &[],
            results: self.ty.result_slice(),
        };
        self.open(Kind::Function, signature);
    }

    pub(super) fn block(&mut self, ty: BlockType) -> Step {
        let signature = self.signature(ty);
        if self.reachable {
            self.settle_stack()?;
            self.materialise_last(signature.params.len())?;
        }
        self.open_or_skip(Kind::Block, signature);
        Ok(())
    }

    /// In unreachable code nothing is known of the operand stack.
    fn open_or_skip(&mut self, kind: Kind, signature: Signature<'m>) {
        if self.reachable {
            self.open(kind, signature);
        } else {
            self.open(
                kind,
                Signature {
                    params: &[],
                    results: signature.results,
                },
            );
        }
    }

    pub(super) fn loop_(&mut self, ty: BlockType) -> Step {
        let signature = self.signature(ty);
        if self.reachable {
            self.settle_stack()?;
            self.materialise_last(signature.params.len())?;
        }
        self.open_or_skip(Kind::Loop, signature);
        if self.reachable {
            let label = self.controls.last().expect("just opened").label;
            self.bind(label);
            self.begin_loop();
        }
        Ok(())
    }

    pub(super) fn if_(&mut self, ty: BlockType) -> Step {
        let signature = self.signature(ty);
        let otherwise = self.encoder.label();
        if self.reachable {
            let test = self.take_test()?;
            self.settle_stack()?;
            self.materialise_last(signature.params.len())?;
            match self.onward_from_if(signature) {
                Some((depth, cost)) => {
                    self.mark_branched_to(depth);
                    let label = self.control(depth).label;
                    self.with_edges_further_on(cost, |this| this.branch_if(test, false, label))?;
                }
                None => self.branch_if(test, false, otherwise)?,
            }
        }
        self.open_or_skip(Kind::If(otherwise), signature);
        Ok(())
    }

    pub(super) fn else_(&mut self) -> Step {
        let control = *self.controls.last().expect("validated");
        let Kind::If(otherwise) = control.kind else {
            unreachable!("validated")
        };
        if self.reachable {
            self.br(0)?;
        }
        self.pop_to(control.base);
        self.reachable = control.reachable;
        if self.reachable {
            self.acc_lost();
            self.bind(otherwise);
            self.push_temps(control.signature.params);
            self.settled = self.stack.len();
        }
        self.controls.last_mut().expect("validated").kind = Kind::Else;
        Ok(())
    }

    /// Entries in the accumulators have all been popped or left behind.
    pub(super) fn acc_lost(&mut self) {
        self.acc = [AccState::Empty; 3];
        self.producers = [None; 3];
    }

    fn push_temps(&mut self, types: &[ValType]) {
        for ty in types {
            self.push(Content::Temp, *ty);
        }
    }

    pub(super) fn end(&mut self) -> Step {
        let control = *self.controls.last().expect("validated");
        if control.kind == Kind::Function {
            return self.end_function();
        }
        // An empty loop has no first instruction.
        self.loop_start = NONE;
        if control.kind == Kind::Loop {
            self.beginning.close();
        }
        // Control reaches the end: from above, by a branch, or because there is no else.
        let no_else = matches!(control.kind, Kind::If(_)) && control.reachable;
        let meets = no_else || control.branched_to && control.kind != Kind::Loop;
        if self.reachable && meets {
            self.materialise_last(control.signature.results.len())?;
        }
        if meets {
            self.pop_to(control.base);
            self.acc_lost();
            if let (Kind::If(otherwise), true) = (control.kind, control.reachable) {
                // Its parameters are its results then, and in the same slots.
                self.bind(otherwise);
            }
            self.bind(control.label);
            self.push_temps(control.signature.results);
            self.settled = self.stack.len();
            self.reachable = true;
        } else if !self.reachable {
            self.pop_to(control.base);
            self.acc_lost();
        }
        self.controls.pop();
        Ok(())
    }

    fn end_function(&mut self) -> Step {
        let control = *self.controls.last().expect("the function's block");
        self.finish_meter();
        if self.reachable {
            self.append_return()?;
        }
        if control.branched_to {
            // Branches to the function's label come here; only functions without results have them.
            self.pop_to(0);
            self.acc_lost();
            self.bind(control.label);
            self.append_leave();
        }
        self.settle_last();
        self.controls.pop();
        Ok(())
    }

    /// From here to the end of the block nothing is executed.
    pub(super) fn unreachable_from_here(&mut self) {
        self.settle_last();
        let base = self.controls.last().expect("validated").base;
        self.pop_to(base);
        self.acc_lost();
        self.last = None;
        self.reachable = false;
    }

    pub(super) fn unreachable(&mut self) {
        self.append(Inst::new(Family::Unreachable.fixed()));
        self.unreachable_from_here();
    }
}
