//! The type grammar of the spec (§2.3 "Types"), in Wasmtime's names and shapes.

use alloc::vec::Vec;
use core::fmt;

use crate::{Engine, Result, error::bail, sync::Arc};

/// What a heap reference points to (spec §2.3.3 "Heap Types").
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HeapType {
    /// Any host value.
    Extern,
    /// Any function.
    Func,
}

/// A reference type: nullable or not, and what it refers to (spec §2.3.4).
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct RefType {
    nullable: bool,
    heap_type: HeapType,
}

impl RefType {
    /// `funcref`: a nullable reference to a function.
    pub const FUNCREF: Self = Self {
        nullable: true,
        heap_type: HeapType::Func,
    };
    /// `externref`: a nullable reference to a host value.
    pub const EXTERNREF: Self = Self {
        nullable: true,
        heap_type: HeapType::Extern,
    };

    /// A reference type.
    pub const fn new(nullable: bool, heap_type: HeapType) -> Self {
        Self {
            nullable,
            heap_type,
        }
    }

    /// May the reference be null?
    pub const fn is_nullable(&self) -> bool {
        self.nullable
    }

    /// What it refers to.
    pub const fn heap_type(&self) -> HeapType {
        self.heap_type
    }
}

impl fmt::Display for RefType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.nullable, self.heap_type) {
            (true, HeapType::Func) => "funcref",
            (true, HeapType::Extern) => "externref",
            (false, HeapType::Func) => "(ref func)",
            (false, HeapType::Extern) => "(ref extern)",
        })
    }
}

/// The type of a value (spec §2.3.5 "Value Types").
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum ValType {
    /// 32-bit integer; signedness belongs to the instruction.
    I32,
    /// 64-bit integer.
    I64,
    /// 32-bit float.
    F32,
    /// 64-bit float.
    F64,
    /// 128-bit vector.
    V128,
    /// A reference.
    Ref(RefType),
}

impl ValType {
    /// `funcref`.
    pub const FUNCREF: Self = Self::Ref(RefType::FUNCREF);
    /// `externref`.
    pub const EXTERNREF: Self = Self::Ref(RefType::EXTERNREF);

    /// How many 8-byte slots of a frame a value of this type takes.
    pub(crate) const fn slots(self) -> u32 {
        match self {
            Self::V128 => 2,
            _ => 1,
        }
    }
}

impl fmt::Display for ValType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::I32 => f.write_str("i32"),
            Self::I64 => f.write_str("i64"),
            Self::F32 => f.write_str("f32"),
            Self::F64 => f.write_str("f64"),
            Self::V128 => f.write_str("v128"),
            Self::Ref(ty) => ty.fmt(f),
        }
    }
}

/// A function type: parameters and results (spec §2.3.8). Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FuncType {
    /// Parameters, then results. Shared: modules and host functions hold the engine's copy.
    types: Arc<[ValType]>,
    params: u32,
}

impl PartialOrd for ValType {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ValType {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl ValType {
    /// A total order, so that types can be keys of an ordered map.
    const fn rank(self) -> u8 {
        match self {
            Self::I32 => 0,
            Self::I64 => 1,
            Self::F32 => 2,
            Self::F64 => 3,
            Self::V128 => 4,
            Self::Ref(r) => {
                8 + (r.nullable as u8)
                    + 2 * match r.heap_type {
                        HeapType::Extern => 0,
                        HeapType::Func => 1,
                    }
            }
        }
    }
}

impl ValType {
    /// A number from 1 to 9.
    const fn digit(self) -> u8 {
        match self {
            Self::I32 => 1,
            Self::I64 => 2,
            Self::F32 => 3,
            Self::F64 => 4,
            Self::V128 => 5,
            Self::Ref(RefType {
                nullable,
                heap_type,
            }) => match (nullable, heap_type) {
                (true, HeapType::Func) => 6,
                (true, HeapType::Extern) => 7,
                (false, HeapType::Func) => 8,
                (false, HeapType::Extern) => 9,
            },
        }
    }
}

impl FuncType {
    /// A function type. The engine is taken for the sake of Wasmtime's signature.
    pub fn new(
        _engine: &Engine,
        params: impl IntoIterator<Item = ValType>,
        results: impl IntoIterator<Item = ValType>,
    ) -> Self {
        Self::from_lists(params, results)
    }

    pub(crate) fn from_lists(
        params: impl IntoIterator<Item = ValType>,
        results: impl IntoIterator<Item = ValType>,
    ) -> Self {
        let mut types: Vec<ValType> = params.into_iter().collect();
        let params = types.len() as u32;
        types.extend(results);
        Self {
            types: types.into(),
            params,
        }
    }

    /// The parameter types, in order.
    pub fn params(&self) -> impl ExactSizeIterator<Item = ValType> + '_ {
        self.param_slice().iter().copied()
    }

    /// The result types, in order.
    pub fn results(&self) -> impl ExactSizeIterator<Item = ValType> + '_ {
        self.result_slice().iter().copied()
    }

    pub(crate) fn param_slice(&self) -> &[ValType] {
        &self.types[..self.params as usize]
    }

    pub(crate) fn result_slice(&self) -> &[ValType] {
        &self.types[self.params as usize..]
    }

    /// The number that an engine gives the type, if no other type has it: see [`Engine`].
    ///
    /// Types of few parameters and results have numbers of their own: a decimal digit for each, and 0 between parameters and
    /// results. Those of more have a hash, above all these.
    pub(crate) fn natural_number(&self) -> u32 {
        const DIGITS: usize = 9;
        let digits = |types: &[ValType], number: u32| {
            let digit = |number: u32, ty: &ValType| {
                number.wrapping_mul(10).wrapping_add(u32::from(ty.digit()))
            };
            types.iter().fold(number, digit)
        };
        if self.types.len() < DIGITS {
            return digits(
                self.result_slice(),
                digits(self.param_slice(), 0).wrapping_mul(10),
            );
        }
        // FNV-1a.
        let add = |hash: u32, byte: u32| (hash ^ byte).wrapping_mul(0x0100_0193);
        let hash = add(0x811c_9dc5, self.params);
        let types = self.types.iter().map(|ty| u32::from(ty.digit()));
        types.fold(hash, add) | 1 << 31
    }

    /// Slots of all parameters.
    pub(crate) fn param_slots(&self) -> u32 {
        self.param_slice().iter().map(|ty| ty.slots()).sum()
    }

    /// Slots of all results.
    pub(crate) fn result_slots(&self) -> u32 {
        self.result_slice().iter().map(|ty| ty.slots()).sum()
    }

    /// Slots of the area in which a caller passes parameters and finds results: the two overlap.
    pub(crate) fn area_slots(&self) -> u32 {
        self.param_slots().max(self.result_slots())
    }
}

impl fmt::Display for FuncType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, types: &[ValType]| {
            f.write_str("(")?;
            for (i, ty) in types.iter().enumerate() {
                write!(f, "{}{ty}", if i == 0 { "" } else { ", " })?;
            }
            f.write_str(")")
        };
        list(f, self.param_slice())?;
        f.write_str(" -> ")?;
        list(f, self.result_slice())
    }
}

/// Whether a global may be written after its initialisation.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Mutability {
    /// Immutable.
    Const,
    /// Mutable.
    Var,
}

/// A global's type (spec §2.3.12).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GlobalType {
    content: ValType,
    mutability: Mutability,
}

impl GlobalType {
    /// A global's type.
    pub const fn new(content: ValType, mutability: Mutability) -> Self {
        Self {
            content,
            mutability,
        }
    }

    /// The type of its value.
    pub const fn content(&self) -> &ValType {
        &self.content
    }

    /// May it be written?
    pub const fn mutability(&self) -> Mutability {
        self.mutability
    }
}

/// A table's type: element type and limits in elements (spec §2.3.11).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TableType {
    element: RefType,
    minimum: u64,
    maximum: Option<u64>,
}

impl TableType {
    /// A table of `min` to `max` elements.
    pub const fn new(element: RefType, min: u32, max: Option<u32>) -> Self {
        let maximum = match max {
            Some(max) => Some(max as u64),
            None => None,
        };
        Self {
            element,
            minimum: min as u64,
            maximum,
        }
    }

    /// The element type.
    pub const fn element(&self) -> &RefType {
        &self.element
    }

    /// Elements at creation.
    pub const fn minimum(&self) -> u64 {
        self.minimum
    }

    /// Most elements it may ever have.
    pub const fn maximum(&self) -> Option<u64> {
        self.maximum
    }
}

/// A memory's type: limits in pages (spec §2.3.10), and the size of a page, which is 65,536 bytes or, with the proposal
/// custom-page-sizes, one byte.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MemoryType {
    minimum: u64,
    maximum: Option<u64>,
    page_size_log2: u8,
}

impl MemoryType {
    /// The usual size of a page, as a power of two.
    pub(crate) const DEFAULT_PAGE_SIZE_LOG2: u8 = 16;

    /// A 32-bit memory of `min` to `max` pages of 65,536 bytes.
    pub const fn new(min: u32, max: Option<u32>) -> Self {
        let maximum = match max {
            Some(max) => Some(max as u64),
            None => None,
        };
        Self {
            minimum: min as u64,
            maximum,
            page_size_log2: Self::DEFAULT_PAGE_SIZE_LOG2,
        }
    }

    /// The same limits in pages of another size, whose logarithm is 0 or 16.
    ///
    /// # Errors
    /// If pages cannot have that size.
    pub fn with_page_size_log2(self, page_size_log2: u8) -> Result<Self> {
        if !matches!(page_size_log2, 0 | Self::DEFAULT_PAGE_SIZE_LOG2) {
            bail!(
                "a page of a memory has 1 or 65,536 bytes, which is a logarithm of 0 or 16, not {page_size_log2}"
            );
        }
        Ok(Self {
            page_size_log2,
            ..self
        })
    }

    /// Pages at creation.
    pub const fn minimum(&self) -> u64 {
        self.minimum
    }

    /// Most pages it may ever have.
    pub const fn maximum(&self) -> Option<u64> {
        self.maximum
    }

    /// Bytes in a page.
    pub const fn page_size(&self) -> u64 {
        1 << self.page_size_log2
    }

    /// The logarithm of that to the base of two.
    pub const fn page_size_log2(&self) -> u8 {
        self.page_size_log2
    }
}

/// The type of something imported or exported (spec §2.3.14).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExternType {
    /// A function.
    Func(FuncType),
    /// A global.
    Global(GlobalType),
    /// A table.
    Table(TableType),
    /// A memory.
    Memory(MemoryType),
}

impl fmt::Display for ExternType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let max = |f: &mut fmt::Formatter<'_>, max: Option<u64>| match max {
            Some(max) => write!(f, " {max}"),
            None => Ok(()),
        };
        match self {
            Self::Func(ty) => write!(f, "func {ty}"),
            Self::Global(ty) => match ty.mutability {
                Mutability::Const => write!(f, "global {}", ty.content),
                Mutability::Var => write!(f, "global (mut {})", ty.content),
            },
            Self::Table(ty) => {
                write!(f, "table {}", ty.minimum)?;
                max(f, ty.maximum)?;
                write!(f, " {}", ty.element)
            }
            Self::Memory(ty) => {
                write!(f, "memory {}", ty.minimum)?;
                max(f, ty.maximum)?;
                if ty.page_size_log2 != MemoryType::DEFAULT_PAGE_SIZE_LOG2 {
                    write!(f, " (pagesize {})", ty.page_size())?;
                }
                Ok(())
            }
        }
    }
}

macro_rules! extern_type_accessors {
    ($($variant:ident $get:ident $unwrap:ident $ty:ident $what:literal;)*) => {
        impl ExternType {$(
            #[doc = concat!("The ", $what, " type, if it is one.")]
            pub fn $get(&self) -> Option<&$ty> {
                match self {
                    Self::$variant(ty) => Some(ty),
                    _ => None,
                }
            }

            #[doc = concat!("The ", $what, " type.\n\n# Panics\nIf it is something else.")]
            pub fn $unwrap(&self) -> &$ty {
                self.$get().expect(concat!("expected a ", $what))
            }
        )*}

        $(impl From<$ty> for ExternType {
            fn from(ty: $ty) -> Self {
                Self::$variant(ty)
            }
        })*
    };
}

extern_type_accessors! {
    Func func unwrap_func FuncType "function";
    Global global unwrap_global GlobalType "global";
    Table table unwrap_table TableType "table";
    Memory memory unwrap_memory MemoryType "memory";
}

/// An import: module name, field name, type.
#[derive(Clone, Debug)]
pub struct ImportType<'module> {
    pub(crate) module: &'module str,
    pub(crate) name: &'module str,
    pub(crate) ty: ExternType,
}

impl<'module> ImportType<'module> {
    /// The name of the module it comes from.
    pub fn module(&self) -> &'module str {
        self.module
    }

    /// The field's name.
    pub fn name(&self) -> &'module str {
        self.name
    }

    /// What it must be.
    pub fn ty(&self) -> ExternType {
        self.ty.clone()
    }
}

/// An export: name and type.
#[derive(Clone, Debug)]
pub struct ExportType<'module> {
    pub(crate) name: &'module str,
    pub(crate) ty: ExternType,
}

impl<'module> ExportType<'module> {
    /// The export's name.
    pub fn name(&self) -> &'module str {
        self.name
    }

    /// What it is.
    pub fn ty(&self) -> ExternType {
        self.ty.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn small_function_types_have_numbers_of_their_own() {
        let all = [
            ValType::I32,
            ValType::I64,
            ValType::F32,
            ValType::F64,
            ValType::V128,
            ValType::FUNCREF,
            ValType::EXTERNREF,
            ValType::Ref(RefType::new(false, HeapType::Func)),
            ValType::Ref(RefType::new(false, HeapType::Extern)),
        ];
        // All lists of up to three types, cut in two wherever that is possible.
        let mut lists = alloc::vec![Vec::new()];
        for start in 0..1 + 9 + 81 {
            for ty in all {
                let mut list = lists[start].clone();
                list.push(ty);
                lists.push(list);
            }
        }
        let (mut types, mut numbers) = (0, BTreeSet::new());
        for list in &lists {
            for cut in 0..=list.len() {
                let (params, results) = list.split_at(cut);
                let ty = FuncType::from_lists(params.to_vec(), results.to_vec());
                numbers.insert(ty.natural_number());
                types += 1;
            }
        }
        assert_eq!(numbers.len(), types);
        assert_eq!(types, 1 + 9 * 2 + 81 * 3 + 729 * 4);
        let long = |params| FuncType::from_lists(alloc::vec![ValType::F64; params], [ValType::I32]);
        assert!(long(7).natural_number() < 1 << 31 && long(8).natural_number() >= 1 << 31);
        assert_ne!(long(8).natural_number(), long(9).natural_number());
    }
}
