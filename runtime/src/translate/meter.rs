//! Metering: what the edges of a function are charged with, when the engine asks for it.
//!
//! Every place in the function has a position: the cost of the operators before it, reachable or not. A
//! function is paid for when it is entered; an edge is charged with the position it comes from less the one
//! it leads to (`exec/meter.rs` says why). Instructions that are edges get their metered form when they are
//! written, with the position as the charge; the encoder takes that of the label off when it is known.

use wasmparser::Operator;

use super::{Translator, control::slots_of};
use crate::ir::{Family, Inst, Label};

/// The state of a function that is metered.
pub(super) struct Meter {
    /// The cost of the operators so far.
    position: u32,
    /// The position of the function's end.
    end: Label,
    /// Where its `EnterMetered` is. That is always the first instruction: calls rely on it.
    enter: u32,
    /// The next edge joins places of the same position.
    free: bool,
    /// Nothing comes after what is written now.
    ended: bool,
}

/// Values that are moved for each unit they cost.
pub(super) const VALUES: u32 = 8;

impl Translator<'_, '_> {
    /// With metering, begins the function.
    pub(super) fn begin_meter(&mut self) {
        if !self.module.engine().config().is_metered() {
            return;
        }
        let enter = self.encoder.position();
        self.append(Inst::new(Family::EnterMetered.fixed()));
        // What comes next looks no further back.
        self.last = None;
        self.meter = Some(Meter {
            position: 0,
            end: self.encoder.label(),
            enter,
            free: false,
            ended: false,
        });
    }

    /// At the end of the function, charges its entry. What is appended from here on leaves it without
    /// skipping anything.
    pub(super) fn finish_meter(&mut self) {
        let Some(meter) = &mut self.meter else { return };
        meter.ended = true;
        self.encoder.bind(meter.end, meter.position);
        let locals: u32 = self.locals.iter().map(|local| local.ty.slots()).sum();
        let cost = meter.position + (locals + self.ty.result_slots()) / VALUES;
        let op = Family::EnterMetered.fixed();
        self.encoder.patch_imm32(meter.enter, op, 0, cost);
    }

    /// The position of what comes next.
    pub(super) fn meter_position(&self) -> u32 {
        self.meter.as_ref().map_or(0, |meter| meter.position)
    }

    /// Has `append` write edges as if they came from a place so much further on: they do the work of
    /// operators there too.
    pub(super) fn with_edges_further_on<R>(
        &mut self,
        cost: u32,
        append: impl FnOnce(&mut Self) -> R,
    ) -> R {
        let shift = |this: &mut Self, cost: u32| {
            if let Some(meter) = &mut this.meter {
                meter.position = meter.position.wrapping_add(cost);
            }
        };
        shift(self, cost);
        let result = append(self);
        shift(self, cost.wrapping_neg());
        result
    }

    /// The next edge skips nothing: it needs no charge.
    pub(super) fn free_edge(&mut self) {
        if let Some(meter) = &mut self.meter {
            meter.free = true;
        }
    }

    /// Counts an operator that is about to be translated.
    #[inline]
    pub(super) fn count_operator(&mut self, operator: &Operator<'_>) {
        if self.meter.is_some() {
            let cost = self.cost(operator);
            if let Some(meter) = &mut self.meter {
                meter.position += cost;
            }
        }
    }

    /// One, and more for what moves many values. Labels are bound at operators that cost nothing.
    fn cost(&self, operator: &Operator<'_>) -> u32 {
        let branch = |depth| slots_of(self.control(depth).branch_types());
        let values = match operator {
            Operator::Block { blockty } | Operator::Loop { blockty } | Operator::If { blockty } => {
                let signature = self.signature(*blockty);
                slots_of(signature.params) + slots_of(signature.results)
            }
            Operator::Br { relative_depth } | Operator::BrIf { relative_depth } => {
                branch(*relative_depth)
            }
            Operator::BrTable { targets } => branch(targets.default()),
            Operator::Return => slots_of(self.ty.result_slice()),
            Operator::Call { function_index } | Operator::ReturnCall { function_index } => {
                self.module.func_type(*function_index).area_slots()
            }
            Operator::CallIndirect { type_index, .. }
            | Operator::ReturnCallIndirect { type_index, .. } => {
                self.module.type_at(*type_index).area_slots()
            }
            _ => 0,
        };
        let nothing = matches!(
            operator,
            Operator::Block { .. }
                | Operator::Loop { .. }
                | Operator::Else
                | Operator::End
                | Operator::Nop
        );
        u32::from(!nothing) + values / VALUES
    }

    /// Gives an instruction its metered form if it is an edge of a function that is metered.
    #[inline]
    pub(super) fn meter(&mut self, inst: &mut Inst) {
        let Some(meter) = &mut self.meter else { return };
        if meter.ended {
            return;
        }
        if let Some(op) = twin(inst.op.family()).and_then(|twin| twin.form_by_key(inst.op.key())) {
            inst.op = op;
        } else if let Some(op) = inst.op.metered()
            && !core::mem::take(&mut meter.free)
        {
            let format = op.format();
            inst.op = op;
            inst.imm32[format.imm32 as usize - 1] = meter.position;
            if format.target == 0 {
                inst.target = meter.end;
            }
        }
    }
}

/// The row that does the same where code is metered, if that is not a matter of the form.
fn twin(family: Family) -> Option<Family> {
    Some(match family {
        Family::BrTable => Family::BrTableMetered,
        Family::Call => Family::CallMetered,
        Family::CallWith => Family::CallWithMetered,
        Family::CallIndirect => Family::CallIndirectMetered,
        Family::MemoryGrow => Family::MemoryGrowMetered,
        Family::MemoryFill => Family::MemoryFillMetered,
        Family::MemoryCopy => Family::MemoryCopyMetered,
        Family::MemoryInit => Family::MemoryInitMetered,
        Family::TableGrow => Family::TableGrowMetered,
        Family::TableFill => Family::TableFillMetered,
        Family::TableCopy => Family::TableCopyMetered,
        Family::TableInit => Family::TableInitMetered,
        _ => return None,
    })
}
