//! The intermediate representation: register instructions in cells.
//!
//! Knows of nothing else in the crate. `table` is the instruction set, `forms` the operand classes,
//! `cell` the layout, `handlers` their addresses; `encode` writes cells and `disasm` prints them.

pub(crate) mod cell;
pub(crate) mod disasm;
#[cfg(feature = "compile")]
pub(crate) mod encode;
pub(crate) mod forms;
pub(crate) mod handlers;
pub(crate) mod table;
mod version;

pub(crate) use cell::{CellClass, Format};
#[cfg(feature = "compile")]
pub(crate) use encode::{Encoder, Inst, Label};
pub(crate) use forms::Operand;
pub(crate) use handlers::HandlerList;
pub(crate) use version::INSTRUCTION_SET;

use forms::with_forms;
use table::instructions;

/// What distinguishes the operations of the table: one per row and form.
///
/// It holds no pointers: a table of thousands of them would be relocated, and so written, whenever a program
/// starts.
#[derive(Copy, Clone, Debug)]
struct OpInfo {
    family: Family,
    form: [Operand; MAX_OPERANDS],
    operands: u8,
    format: Format,
}

/// Most operands of a form, its result among them.
const MAX_OPERANDS: usize = 5;

macro_rules! form_list {
    ({}; $([$($operand:ident)*])*) => { &[$(&[$(Operand::$operand),*]),*] };
}

macro_rules! form_keys {
    ({}; $([$($operand:ident)*])*) => {
        &[$(FormKey::EMPTY$(.with(Operand::$operand))*),*]
    };
}

/// A form as a number, by which it is found: five bits an operand, behind a leading one.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct FormKey(u32);

impl FormKey {
    /// No operands.
    pub(crate) const EMPTY: Self = Self(1);

    /// One more operand.
    pub(crate) const fn with(self, operand: Operand) -> Self {
        Self(self.0 << 5 | operand as u32)
    }

    /// The same with another last operand.
    #[cfg(feature = "compile")]
    pub(crate) const fn with_last(self, operand: Operand) -> Self {
        Self(self.0 & !31 | operand as u32)
    }

    #[cfg(feature = "compile")]
    fn of(form: &[Operand]) -> Self {
        form.iter()
            .fold(Self::EMPTY, |key, operand| key.with(*operand))
    }
}

macro_rules! define_families {
    ($($kind:ident ($($imm:ident)?) $name:ident $mnemonic:literal ($($field:ident)*);)*) => {
        /// A row of the instruction table.
        #[derive(Copy, Clone, Debug, PartialEq, Eq)]
        #[repr(u16)]
        pub(crate) enum Family {
            $($name,)*
        }

        impl Family {
            const COUNT: usize = [$(Self::$name),*].len();

            const ALL: [Self; Self::COUNT] = [$(Self::$name),*];

            const MNEMONICS: [&'static str; Self::COUNT] = [$($mnemonic),*];

            const FORMS: [&'static [&'static [Operand]]; Self::COUNT] =
                [$(with_forms!($kind $($imm)?, form_list {})),*];

            const FORM_KEYS: [&'static [FormKey]; Self::COUNT] =
                [$(with_forms!($kind $($imm)?, form_keys {})),*];

            const HAVE_RESULTS: [bool; Self::COUNT] = [$(define_families!(@result $kind)),*];

            const FIELDS: [Format; Self::COUNT] = [$({
                #[allow(unused_mut, reason = "not every row has fields")]
                let mut format = Format::EMPTY;
                $(define_families!(@field format $field);)*
                format
            }),*];
        }
    };
    (@result branch) => { false };
    (@result counted) => { false };
    (@result call) => { false };
    (@result ret) => { false };
    (@result store) => { false };
    (@result store_acc) => { false };
    (@result test) => { false };
    (@result edge) => { false };
    (@result edge_if) => { false };
    (@result set) => { false };
    (@result fixed) => { false };
    (@result $kind:ident) => { true };
    (@field $format:ident slot) => { $format.slots += 1; };
    (@field $format:ident imm32) => { $format.imm32 += 1; };
    (@field $format:ident func) => { $format.func += 1; };
    (@field $format:ident target) => { $format.target += 1; };
    (@field $format:ident imm64) => { $format.imm64 += 1; };
}

instructions!(define_families);

/// Number of the first operation of each row, and at the end the count of all.
const BASES: [u16; Family::COUNT + 1] = {
    let mut bases = [0; Family::COUNT + 1];
    let mut i = 0;
    while i < Family::COUNT {
        bases[i + 1] = bases[i] + Family::FORMS[i].len() as u16;
        i += 1;
    }
    bases
};

static OPS: [OpInfo; Op::COUNT] = {
    let mut ops = [OpInfo {
        family: Family::Halt,
        form: [Operand::A; MAX_OPERANDS],
        operands: 0,
        format: Format::EMPTY,
    }; Op::COUNT];
    let (mut row, mut op) = (0, 0);
    while row < Family::COUNT {
        let mut form = 0;
        while form < Family::FORMS[row].len() {
            let operands = Family::FORMS[row][form];
            ops[op].family = Family::ALL[row];
            ops[op].operands = operands.len() as u8;
            ops[op].format = form_format(Family::FIELDS[row], operands);
            let mut i = 0;
            while i < operands.len() {
                ops[op].form[i] = operands[i];
                i += 1;
            }
            form += 1;
            op += 1;
        }
        row += 1;
    }
    ops
};

/// The keys of the forms of all operations, to be searched for those of a row.
static KEYS: [FormKey; Op::COUNT] = {
    let mut keys = [FormKey::EMPTY; Op::COUNT];
    let (mut row, mut op) = (0, 0);
    while row < Family::COUNT {
        let mut form = 0;
        while form < Family::FORM_KEYS[row].len() {
            keys[op] = Family::FORM_KEYS[row][form];
            form += 1;
            op += 1;
        }
        row += 1;
    }
    keys
};

/// A row's fields and those of a form's operands: the operands' slots come before the row's, and their
/// immediates after the row's.
pub(crate) const fn form_format(fields: Format, form: &[Operand]) -> Format {
    let mut format = fields;
    let mut i = 0;
    while i < form.len() {
        format.slots += form[i].slots();
        match form[i] {
            Operand::I | Operand::U => format.imm32 += 1,
            Operand::W => format.imm64 += 1,
            _ => {}
        }
        i += 1;
    }
    format
}

impl Family {
    /// The row with this number, counted from the start of the table.
    #[cfg(teff_lists)]
    pub(crate) fn from_number(number: u32) -> Option<Self> {
        Self::ALL.get(number as usize).copied()
    }

    /// The row's fields besides operands.
    pub(crate) const fn fields(self) -> Format {
        Self::FIELDS[self as usize]
    }

    /// The operation of this row in `form`, if it exists.
    #[cfg(feature = "compile")]
    pub(crate) fn form(self, form: &[Operand]) -> Option<Op> {
        self.form_by_key(FormKey::of(form))
    }

    /// The same by the form's key.
    #[cfg(feature = "compile")]
    pub(crate) fn form_by_key(self, key: FormKey) -> Option<Op> {
        let (start, end) = (BASES[self as usize], BASES[self as usize + 1]);
        let keys = &KEYS[start as usize..end as usize];
        let index = keys.iter().position(|have| *have == key)?;
        Some(Op(start + index as u16))
    }

    /// The operation of a row that has a single form without operands.
    pub(crate) fn fixed(self) -> Op {
        let op = Op(BASES[self as usize]);
        debug_assert!(op.form().is_empty());
        op
    }
}

/// An operation: a row of the table in one of its forms. Its number is the handler's index.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Op(pub(crate) u16);

impl Op {
    /// How many there are.
    pub(crate) const COUNT: usize = BASES[Family::COUNT] as usize;

    /// All of them, in order.
    #[cfg(test)]
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT as u16).map(Self)
    }

    const fn info(self) -> &'static OpInfo {
        &OPS[self.0 as usize]
    }

    pub(crate) fn family(self) -> Family {
        self.info().family
    }

    pub(crate) fn form(self) -> &'static [Operand] {
        let info = self.info();
        &info.form[..info.operands as usize]
    }

    #[cfg(feature = "compile")]
    pub(crate) fn key(self) -> FormKey {
        KEYS[self.0 as usize]
    }

    pub(crate) const fn format(self) -> Format {
        self.info().format
    }

    /// Is it a metered form? Then the last 32-bit immediate is the charge.
    #[cfg(feature = "compile")]
    pub(crate) fn is_metered(self) -> bool {
        self.form().last() == Some(&Operand::U)
    }

    /// The same with a charge, if it exists and has none.
    #[cfg(feature = "compile")]
    pub(crate) fn metered(self) -> Option<Self> {
        self.family().form_by_key(self.key().with(Operand::U))
    }

    /// Is the last operand of its form a result?
    pub(crate) fn has_result(self) -> bool {
        Family::HAVE_RESULTS[self.family() as usize]
    }

    pub(crate) fn mnemonic(self) -> &'static str {
        Family::MNEMONICS[self.family() as usize]
    }
}
