//! A function body under construction: the stack of types, the locals, and the choice of what comes next.

use wasm_encoder::{Encode, Instruction as Op};

use super::Shape;
use super::types::Ty;
use crate::choices::Choices;

/// How much a function may hold, in steps and values.
const BUDGET: i32 = 250;

/// What an `end` belongs to.
#[derive(Copy, Clone, PartialEq)]
pub(super) enum Kind {
    Function,
    Block,
    /// A loop, and the local that counts its iterations.
    Loop(u32),
    If,
}

/// A structure that branches can go to.
pub(super) struct Frame {
    pub(super) kind: Kind,
    /// What a branch takes along.
    pub(super) label: Vec<Ty>,
    pub(super) results: Vec<Ty>,
    /// The height of the stack below which nothing may be popped.
    pub(super) base: usize,
}

/// A local and whether it is one of the generator's own, which nothing else may write.
#[derive(PartialEq)]
struct Local {
    ty: Ty,
    hidden: bool,
}

/// A function body under construction.
pub(super) struct Body<'a> {
    pub(super) choices: &'a mut Choices,
    pub(super) shape: &'a mut Shape,
    /// The index of this function, imports not counted.
    pub(super) function: usize,
    code: Vec<u8>,
    pub(super) stack: Vec<Ty>,
    pub(super) frames: Vec<Frame>,
    locals: Vec<Local>,
    parameters: usize,
    /// Locals without use between the parameters and the others.
    unused_locals: u32,
    pub(super) budget: i32,
    /// How deep blocks are nested.
    pub(super) depth: u32,
    /// The local that `canonicalize` uses, for both types of floats.
    nan_locals: [Option<u32>; 2],
}

impl<'a> Body<'a> {
    /// The body of the function with this index, with parameters and a few locals.
    pub(super) fn new(
        choices: &'a mut Choices,
        shape: &'a mut Shape,
        function: usize,
        unused_locals: u32,
    ) -> Self {
        let (parameters, results) = shape.signatures[function].clone();
        let visible = |ty| Local { ty, hidden: false };
        let more = Ty::some(choices, 3);
        let locals = parameters.iter().chain(&more).copied().map(visible);
        Self {
            choices,
            shape,
            function,
            code: Vec::new(),
            stack: Vec::new(),
            frames: vec![Frame {
                kind: Kind::Function,
                label: results.clone(),
                results,
                base: 0,
            }],
            locals: locals.collect(),
            parameters: parameters.len(),
            unused_locals,
            budget: BUDGET,
            depth: 0,
            nan_locals: [None; 2],
        }
    }

    /// The types of the locals that are no parameters and have a use, and the instructions.
    pub(super) fn finish(self) -> (Vec<Ty>, Vec<u8>) {
        let locals = &self.locals[self.parameters..];
        (locals.iter().map(|local| local.ty).collect(), self.code)
    }

    /// Adds an instruction; what it does to the stack is up to the caller.
    pub(super) fn emit(&mut self, instruction: &Op<'_>) {
        instruction.encode(&mut self.code);
    }

    /// Adds an instruction of two operands and a result of the type of the first.
    pub(super) fn emit_binary(&mut self, instruction: &Op<'_>) {
        self.emit(instruction);
        self.pop(1);
    }

    /// Adds an instruction of one operand with a result of this type.
    pub(super) fn emit_unary(&mut self, instruction: &Op<'_>, result: Ty) {
        self.emit(instruction);
        self.replace_top(result);
    }

    /// The innermost frame.
    pub(super) fn frame(&self) -> &Frame {
        self.frames.last().expect("a body has a frame")
    }

    /// The frame that a branch of this depth goes to.
    pub(super) fn target(&self, depth: usize) -> &Frame {
        &self.frames[self.frames.len() - 1 - depth]
    }

    /// What the innermost frame has on the stack.
    pub(super) fn available(&self) -> &[Ty] {
        &self.stack[self.frame().base..]
    }

    pub(super) fn top(&self) -> Option<Ty> {
        self.available().last().copied()
    }

    pub(super) fn pop(&mut self, count: usize) {
        assert!(self.available().len() >= count, "the stack is too short");
        self.stack.truncate(self.stack.len() - count);
    }

    pub(super) fn replace_top(&mut self, ty: Ty) {
        self.pop(1);
        self.stack.push(ty);
    }

    /// Lets `f` add instructions that leave everything below this height of the stack alone.
    pub(super) fn above(&mut self, height: usize, f: impl FnOnce(&mut Self)) {
        let base = self.frame().base;
        self.set_base(height);
        f(self);
        self.set_base(base);
    }

    fn set_base(&mut self, base: usize) {
        self.frames.last_mut().expect("a body has a frame").base = base;
    }

    /// A local of this type: mostly one that is there.
    pub(super) fn local(&mut self, ty: Ty) -> u32 {
        let wanted = Local { ty, hidden: false };
        let there: Vec<usize> = (0..self.locals.len())
            .filter(|index| self.locals[*index] == wanted)
            .collect();
        if there.is_empty() || (there.len() < 3 && self.choices.chance(1, 12)) {
            return self.new_local(ty, false);
        }
        // The first one twice as often as the others.
        let choice = self.choices.below(there.len() + 1) % there.len();
        self.local_index(there[choice])
    }

    /// As `local`, but without a choice if there is none of this type.
    pub(super) fn local_if_any(&mut self, ty: Ty) -> u32 {
        if self.locals.contains(&Local { ty, hidden: false }) {
            self.local(ty)
        } else {
            self.new_local(ty, false)
        }
    }

    pub(super) fn new_local(&mut self, ty: Ty, hidden: bool) -> u32 {
        self.locals.push(Local { ty, hidden });
        self.local_index(self.locals.len() - 1)
    }

    fn local_index(&self, position: usize) -> u32 {
        if position < self.parameters {
            position as u32
        } else {
            position as u32 + self.unused_locals
        }
    }

    /// The hidden local that `canonicalize` may use for this type.
    pub(super) fn nan_local(&mut self, ty: Ty) -> u32 {
        let which = usize::from(ty == Ty::F64);
        if let Some(local) = self.nan_locals[which] {
            return local;
        }
        let local = self.new_local(ty, true);
        self.nan_locals[which] = Some(local);
        local
    }

    pub(super) fn local_get(&mut self, local: u32, ty: Ty) {
        self.emit(&Op::LocalGet(local));
        self.stack.push(ty);
    }

    pub(super) fn local_set(&mut self, local: u32) {
        self.emit(&Op::LocalSet(local));
        self.pop(1);
    }

    /// A global of this type that is not the fuel.
    pub(super) fn global(&mut self, ty: Ty) -> Option<u32> {
        let there: Vec<u32> = (1..self.shape.globals.len())
            .filter(|index| self.shape.globals[*index] == ty)
            .map(|index| index as u32)
            .collect();
        (!there.is_empty()).then(|| self.choices.pick(&there))
    }

    /// What is between the header of the innermost frame and its `end` or `else`.
    pub(super) fn instructions(&mut self) {
        let most = if self.depth == 0 { 30 } else { 12 };
        let mut steps = self.choices.below(most);
        while steps > 0 && self.budget > 0 {
            steps -= 1;
            self.budget -= 1;
            self.step();
        }
        if self.budget > 0 && self.choices.chance(1, 4) && self.leave() {
            return;
        }
        self.close();
    }

    /// Does one thing of all that there are.
    fn step(&mut self) {
        match self.choices.below(40) {
            0..=3 => {
                let ty = Ty::any(self.choices);
                self.push(ty, 0);
            }
            4 | 5 => {
                if let Some(ty) = self.top() {
                    let local = self.local(ty);
                    self.local_set(local);
                }
            }
            6 | 7 => {
                if let Some(ty) = self.top() {
                    let local = self.local(ty);
                    self.emit(&Op::LocalTee(local));
                }
            }
            8 | 9 => {
                let ty = Ty::number(self.choices);
                let local = self.local(ty);
                self.local_get(local, ty);
            }
            10..=13 => {
                let ty = self.top_number_or_any();
                self.need(&[ty, ty]);
                self.binary(ty);
            }
            14 | 15 => {
                let ty = self.top_number_or_any();
                self.need(&[ty, ty]);
                self.compare(ty);
            }
            16..=18 => {
                if let Some(ty) = self.top() {
                    self.unary(ty);
                }
            }
            19..=21 => self.select(),
            22 | 23 => self.store(),
            24 => {
                let ty = Ty::number(self.choices);
                self.load(ty);
            }
            25 => {
                if let Some(ty) = self.top()
                    && let Some(global) = self.global(ty)
                {
                    self.emit(&Op::GlobalSet(global));
                    self.pop(1);
                }
            }
            26 => {
                if self.top().is_some() {
                    self.emit(&Op::Drop);
                    self.pop(1);
                }
            }
            27..=30 => {
                if self.depth < 4 {
                    self.block();
                }
            }
            31..=33 => self.br_if(),
            34 | 35 => self.call(),
            36 => self.bulk(),
            37 => self.old_values_of_a_local(),
            38 => {
                let ty = Ty::number(self.choices);
                self.need(&[ty]);
                self.constant(ty);
                if self.choices.chance(1, 3) {
                    self.compare(ty);
                } else {
                    self.binary(ty);
                }
            }
            _ => {
                let count = 2 + self.choices.below(4);
                for _ in 0..count {
                    let ty = Ty::number(self.choices);
                    self.push(ty, 0);
                }
            }
        }
    }

    /// The type on top if that is a number, or a choice.
    pub(super) fn top_number_or_any(&mut self) -> Ty {
        match self.top() {
            Some(ty) if !ty.is_reference() => ty,
            _ => Ty::number(self.choices),
        }
    }

    /// Pushes a local several times, with or without other things between, and then writes it.
    fn old_values_of_a_local(&mut self) {
        let ty = Ty::any(self.choices);
        let local = self.local(ty);
        for _ in 0..1 + self.choices.below(3) {
            self.local_get(local, ty);
            if self.choices.chance(1, 2) {
                let other = Ty::any(self.choices);
                self.push(other, 2);
            }
        }
        self.push(ty, 1);
        if self.choices.chance(1, 2) {
            self.local_set(local);
        } else {
            self.emit(&Op::LocalTee(local));
        }
    }
}
