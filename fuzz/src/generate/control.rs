//! Blocks, branches, conditions and calls.

use wasm_encoder::{BlockType, Instruction as Op};

use super::body::{Body, Frame, Kind};
use super::types::Ty;
use super::{HOST, IMPORTS};

impl Body<'_> {
    /// A `block`, `loop` or `if`, with all that is in it.
    pub(super) fn block(&mut self) {
        self.depth += 1;
        let most_parameters = self.choices.pick(&[0, 0, 1, 2, 3]);
        let choice = self.choices.below(3);
        let (is_loop, is_if) = (choice == 1, choice == 2);
        let parameters = if most_parameters > 0 && self.choices.chance(2, 3) {
            let available = self.available();
            let count = most_parameters.min(available.len());
            available[available.len() - count..].to_vec()
        } else {
            Ty::some(self.choices, most_parameters)
        };
        let mut results = if self.choices.chance(1, 4) {
            parameters.clone()
        } else {
            Ty::some(self.choices, 3)
        };
        let has_else = is_if && self.choices.chance(2, 3);
        if is_if && !has_else {
            results = parameters.clone();
        }

        self.need(&parameters);
        if is_if {
            self.condition_above(parameters.len());
        }
        let kind = match choice {
            0 => Kind::Block,
            1 => Kind::Loop(self.counter()),
            _ => Kind::If,
        };
        let ty = self.block_type(&parameters, &results);
        self.emit(&match choice {
            0 => Op::Block(ty),
            1 => Op::Loop(ty),
            _ => Op::If(ty),
        });
        if is_if {
            self.pop(1);
        }

        let base = self.stack.len() - parameters.len();
        let label = if is_loop { &parameters } else { &results };
        self.frames.push(Frame {
            kind,
            label: label.clone(),
            results: results.clone(),
            base,
        });
        self.instructions();
        if has_else {
            self.emit(&Op::Else);
            self.stack.truncate(base);
            self.stack.extend(&parameters);
            self.instructions();
        }
        self.emit(&Op::End);
        self.frames.pop();
        self.stack.truncate(base);
        self.stack.extend(&results);
        self.depth -= 1;
    }

    /// A local that counts the iterations of a loop, with its first value.
    fn counter(&mut self) -> u32 {
        let counter = self.new_local(Ty::I32, true);
        let value = self.choices.pick(&[1, 3, 7, 2]);
        self.i32_const(value);
        self.local_set(counter);
        counter
    }

    fn block_type(&mut self, parameters: &[Ty], results: &[Ty]) -> BlockType {
        match (parameters, results) {
            ([], []) => BlockType::Empty,
            ([], [result]) if self.choices.chance(3, 4) => BlockType::Result(result.encoded()),
            _ => {
                let signature = (parameters.to_vec(), results.to_vec());
                BlockType::FunctionType(self.shape.type_index(&signature))
            }
        }
    }

    /// Brings the stack to what the innermost frame returns, or branches with that.
    pub(super) fn close(&mut self) {
        let frame = self.frame();
        let (results, base, kind) = (frame.results.clone(), frame.base, frame.kind);
        if self.available() == results {
            return;
        }
        if !matches!(kind, Kind::Loop(_)) && self.choices.chance(1, 3) {
            self.need(&results);
            if kind == Kind::Function && self.choices.chance(1, 2) {
                self.emit(&Op::Return);
            } else {
                self.emit(&Op::Br(0));
            }
            self.unreachable_code();
            return;
        }
        let pairs = self.available().iter().zip(&results);
        let kept = pairs.take_while(|(have, want)| have == want).count();
        while self.stack.len() > base + kept
            && let Some(ty) = self.top()
        {
            self.sink(ty);
        }
        for ty in &results[kept..] {
            self.push(*ty, 1);
        }
    }

    /// Pushes a condition of some kind.
    fn condition(&mut self) {
        match self.choices.below(10) {
            0 => self.i32_const(0),
            1 => {
                let value = self.choices.below(2);
                self.i32_const(value as i32);
            }
            3 => {
                let local = self.local(Ty::I32);
                self.local_get(local, Ty::I32);
            }
            4 => {
                self.push(Ty::I32, 1);
                self.push(Ty::I32, 2);
                self.emit_binary(&Op::I32And);
            }
            5 | 6 => {
                let ty = Ty::number(self.choices);
                self.need(&[ty, ty]);
                self.compare(ty);
            }
            7 => {
                let ty = Ty::number(self.choices);
                self.push(ty, 2);
                self.push(ty, 2);
                self.compare(ty);
            }
            8 => {
                self.push(Ty::I64, 2);
                self.emit_unary(&Op::I64Eqz, Ty::I32);
            }
            _ => self.need(&[Ty::I32]),
        }
        let negations = self.choices.pick(&[0, 0, 0, 1, 1, 2, 3]);
        for _ in 0..negations {
            self.emit(&Op::I32Eqz);
        }
    }

    /// Pushes a condition that does not use the topmost values, if there are `kept` of these.
    pub(super) fn condition_above(&mut self, kept: usize) {
        if kept == 0 {
            self.condition();
        } else {
            self.above(self.stack.len(), Self::condition);
        }
    }

    /// A `br_if` to any frame.
    pub(super) fn br_if(&mut self) {
        let depth = self.choices.below(self.frames.len());
        let target = self.target(depth);
        let (label, kind) = (target.label.clone(), target.kind);
        self.need(&label);
        match kind {
            Kind::Loop(counter) => self.count_down(counter),
            _ => self.condition_above(label.len()),
        }
        self.emit(&Op::BrIf(depth as u32));
        self.pop(1);
    }

    /// Halves a counter, and pushes whether something is left of it.
    fn count_down(&mut self, counter: u32) {
        self.halve(counter);
        match self.choices.below(5) {
            0 => {}
            1 => {
                self.i32_const(0);
                self.emit_binary(&Op::I32GtS);
            }
            2 => {
                self.emit(&Op::I32Eqz);
                self.emit(&Op::I32Eqz);
            }
            3 => {
                self.i32_const(0);
                self.emit_binary(&Op::I32Ne);
            }
            _ => {
                self.i32_const(1);
                self.emit_binary(&Op::I32GeU);
            }
        }
    }

    /// Halves a counter and pushes it. Once it is zero it stays so, however often that is done.
    fn halve(&mut self, counter: u32) {
        self.local_get(counter, Ty::I32);
        self.i32_const(1);
        self.emit_binary(&Op::I32ShrU);
        self.emit(&Op::LocalTee(counter));
    }

    /// Instructions that are never reached, valid on any stack.
    fn unreachable_code(&mut self) {
        for _ in 0..self.choices.below(3) {
            let instructions: &[Op<'_>] = match self.choices.below(6) {
                0 => &[Op::Nop],
                1 => &[Op::Drop],
                2 => &[Op::I32Const(0), Op::I32Add, Op::Drop],
                3 => &[Op::Block(BlockType::Empty), Op::Br(0), Op::End],
                4 => &[Op::I32Const(1), Op::If(BlockType::Empty), Op::Else, Op::End],
                _ => &[Op::Loop(BlockType::Empty), Op::End],
            };
            for instruction in instructions {
                self.emit(instruction);
            }
        }
    }

    /// Ends the innermost frame by an instruction that nothing follows, after which the stack does not matter. Says
    /// whether it did; there may be no way.
    pub(super) fn leave(&mut self) -> bool {
        let left = match self.choices.below(7) {
            0 | 1 => self.br(),
            2 | 3 => self.br_table(),
            4 => {
                let results = self.frames[0].results.clone();
                self.need(&results);
                self.emit(&Op::Return);
                true
            }
            5 => self.return_call(),
            _ => {
                let trap = self.choices.chance(1, 4);
                if trap {
                    self.emit(&Op::Unreachable);
                }
                trap
            }
        };
        if left {
            self.unreachable_code();
        }
        left
    }

    /// The depths of frames that a branch leaves.
    fn forward_targets(&self) -> Vec<usize> {
        (0..self.frames.len())
            .filter(|depth| !matches!(self.target(*depth).kind, Kind::Loop(_)))
            .collect()
    }

    fn br(&mut self) -> bool {
        let targets = self.forward_targets();
        let depth = self.choices.pick(&targets);
        let label = self.target(depth).label.clone();
        self.need(&label);
        self.emit(&Op::Br(depth as u32));
        true
    }

    fn br_table(&mut self) -> bool {
        let depth = self.choices.below(self.frames.len());
        let target = self.target(depth);
        let (label, kind) = (target.label.clone(), target.kind);
        let mut same = self.forward_targets();
        same.retain(|depth| self.target(*depth).label == label);
        if same.is_empty() {
            return false;
        }
        self.need(&label);
        let default = self.choices.pick(&same) as u32;
        let mut targets = Vec::new();
        if let Kind::Loop(counter) = kind {
            // Zero, the way back, while something is left of the counter; one, the way out, after that.
            self.halve(counter);
            self.emit(&Op::I32Eqz);
            targets.push(depth as u32);
            let more = self.choices.below(3);
            targets.resize(1 + more, default);
        } else {
            for _ in 0..self.choices.below(5) {
                targets.push(self.choices.pick(&same) as u32);
            }
            self.condition_above(label.len());
            if self.choices.chance(1, 2) {
                // An index that is not only 0 or 1.
                self.above(self.stack.len() - 1, |body| {
                    let local = body.local(Ty::I32);
                    body.local_get(local, Ty::I32);
                    body.emit_binary(&Op::I32Add);
                    body.mask(3);
                });
            }
        }
        self.emit(&Op::BrTable(targets.into(), default));
        true
    }

    fn return_call(&mut self) -> bool {
        let results = self.frames[0].results.clone();
        let own = self.function + 1..self.shape.signatures.len();
        let mut callees: Vec<u32> = own
            .filter(|callee| self.shape.signatures[*callee].1 == results)
            .map(|callee| (callee + IMPORTS) as u32)
            .collect();
        for (index, host) in HOST.iter().enumerate() {
            if host.1 == results {
                callees.push(index as u32);
            }
        }
        if callees.is_empty() {
            return false;
        }
        let callee = self.choices.pick(&callees);
        let signature = self.shape.signature(callee);
        self.need(&signature.0);
        if self.choices.chance(1, 2) {
            self.emit(&Op::ReturnCall(callee));
        } else {
            self.table_index(callee);
            let type_index = self.shape.type_index(&signature);
            self.emit(&Op::ReturnCallIndirect {
                type_index,
                table_index: 0,
            });
        }
        true
    }

    /// A call of a function after this one, or of the host.
    pub(super) fn call(&mut self) {
        let later = self.shape.signatures.len() - self.function - 1;
        let choice = self.choices.below(later + IMPORTS);
        let callee = if choice < IMPORTS {
            choice as u32
        } else {
            (self.function + 1 + choice) as u32
        };
        let signature = self.shape.signature(callee);
        self.need(&signature.0);
        if self.choices.chance(1, 2) {
            self.table_index(callee);
            self.pop(1);
            let type_index = self.shape.type_index(&signature);
            self.emit(&Op::CallIndirect {
                type_index,
                table_index: 0,
            });
        } else {
            self.emit(&Op::Call(callee));
        }
        self.pop(signature.0.len());
        self.stack.extend(&signature.1);
    }

    /// Pushes the index of a function in the table, seldom another one.
    fn table_index(&mut self, function: u32) {
        let index = function as i32;
        self.above(self.stack.len(), |body| match body.choices.below(6) {
            0 => body.i32_const(index),
            1 => {
                let local = body.local(Ty::I32);
                body.i32_const(index);
                body.local_set(local);
                body.local_get(local, Ty::I32);
            }
            2 => {
                body.push(Ty::I32, 2);
                body.mask(0);
                body.i32_const(index);
                body.emit_binary(&Op::I32Or);
            }
            3 => {
                let local = body.local(Ty::I32);
                body.i32_const(index);
                body.emit(&Op::LocalTee(local));
            }
            4 if body.choices.chance(1, 4) => body.push(Ty::I32, 2),
            _ => {
                body.i32_const(index);
                body.i32_const(1);
                body.emit_binary(&Op::I32Mul);
            }
        });
    }
}
