//! Element and data segments (spec §2.5.7, §2.5.8), read in place.
//!
//! There is no table of segments: Go modules carry up to 96,000 data segments, which are used once, in
//! order, at instantiation. Only passive segments, which code refers to at any time, are listed.

use alloc::{boxed::Box, vec::Vec};

use super::{ByteRange, const_expr, const_expr::Environment, cursor::Cursor};

/// How a segment is used.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// By instructions.
    Passive,
    /// At instantiation: in this table or memory, at the offset that the expression at this position has.
    Active { index: u32, offset: u32 },
    /// Not at all; it declares functions for `ref.func`.
    Declared,
}

/// A data segment.
#[derive(Copy, Clone, Debug)]
pub(crate) struct DataSegment {
    pub(crate) mode: Mode,
    pub(crate) bytes: ByteRange,
}

/// An element segment.
#[derive(Copy, Clone, Debug)]
pub(crate) struct ElemSegment {
    pub(crate) mode: Mode,
    pub(crate) items: ElemItems,
}

/// The items of an element segment, in their encoded form.
#[derive(Copy, Clone, Debug)]
pub(crate) struct ElemItems {
    /// Where the first item is.
    position: u32,
    pub(crate) count: u32,
    /// Constant expressions; else function indices.
    expressions: bool,
}

impl ElemItems {
    /// Evaluates `len` items from `start`, in order.
    pub(crate) fn for_each(
        self,
        bytes: &[u8],
        start: u32,
        len: u32,
        environment: &impl Environment,
        mut each: impl FnMut(u64),
    ) {
        let mut cursor = Cursor::new(bytes, self.position as usize);
        self.skip_some(&mut cursor, start);
        for _ in 0..len {
            each(if self.expressions {
                const_expr::evaluate(&mut cursor, environment)[0]
            } else {
                environment.func_ref(cursor.u32())
            });
        }
    }

    /// Moves past some items.
    fn skip_some(self, cursor: &mut Cursor<'_>, count: u32) {
        for _ in 0..count {
            if self.expressions {
                const_expr::skip(cursor);
            } else {
                cursor.skip_leb();
            }
        }
    }
}

/// A section that is a list of segments: where its first segment is, and how many there are.
#[derive(Copy, Clone, Debug, Default)]
pub(crate) struct SegmentSection {
    position: u32,
    pub(crate) count: u32,
}

impl SegmentSection {
    pub(crate) fn new(position: u32, count: u32) -> Self {
        Self { position, count }
    }

    /// Where its first segment is.
    pub(crate) fn position(self) -> u32 {
        self.position
    }

    /// All of a data section's segments.
    #[cfg(feature = "compile")]
    pub(crate) fn data_range(self, bytes: &[u8]) -> ByteRange {
        let last = self.data(bytes).last();
        self.up_to(last.map(|segment| segment.bytes.start + segment.bytes.len))
    }

    /// All of an element section's segments.
    #[cfg(feature = "compile")]
    pub(crate) fn elems_range(self, bytes: &[u8]) -> ByteRange {
        let last = self.elems(bytes).last();
        self.up_to(last.map(|segment| {
            let mut cursor = Cursor::new(bytes, segment.items.position as usize);
            segment.items.skip_some(&mut cursor, segment.items.count);
            cursor.position() as u32
        }))
    }

    #[cfg(feature = "compile")]
    fn up_to(self, end: Option<u32>) -> ByteRange {
        ByteRange {
            start: self.position,
            len: end.unwrap_or(self.position) - self.position,
        }
    }

    /// The segments of a data section.
    pub(crate) fn data(self, bytes: &[u8]) -> impl Iterator<Item = DataSegment> {
        let mut cursor = Cursor::new(bytes, self.position as usize);
        (0..self.count).map(move |_| {
            let flags = cursor.u32();
            let mode = if flags == 1 {
                Mode::Passive
            } else {
                active(&mut cursor, flags == 2)
            };
            let len = cursor.u32();
            let bytes = ByteRange {
                start: cursor.position() as u32,
                len,
            };
            cursor.skip(len as usize);
            DataSegment { mode, bytes }
        })
    }

    /// The segments of an element section.
    pub(crate) fn elems(self, bytes: &[u8]) -> impl Iterator<Item = ElemSegment> {
        let mut cursor = Cursor::new(bytes, self.position as usize);
        (0..self.count).map(move |_| {
            let flags = cursor.u32();
            let mode = match flags & 3 {
                1 => Mode::Passive,
                3 => Mode::Declared,
                explicit => active(&mut cursor, explicit == 2),
            };
            if flags & 3 != 0 {
                // The element kind or reference type. Other than null or not, all of them are one byte.
                cursor.skip_leb();
            }
            let count = cursor.u32();
            let position = cursor.position() as u32;
            let items = ElemItems {
                position,
                count,
                expressions: flags & 4 != 0,
            };
            items.skip_some(&mut cursor, count);
            ElemSegment { mode, items }
        })
    }
}

fn active(cursor: &mut Cursor<'_>, explicit_index: bool) -> Mode {
    let index = if explicit_index { cursor.u32() } else { 0 };
    let offset = cursor.position() as u32;
    const_expr::skip(cursor);
    Mode::Active { index, offset }
}

/// Items from one mark to the next.
const MARK: u32 = 1024;

/// The items of a passive segment. Code reads them from anywhere on, so there are marks to begin at.
#[derive(Debug)]
pub(crate) struct PassiveItems {
    items: ElemItems,
    /// Where item `MARK` is, item `2 * MARK`, ….
    marks: Box<[u32]>,
}

impl PassiveItems {
    pub(crate) fn new(items: ElemItems, bytes: &[u8]) -> Self {
        let mut cursor = Cursor::new(bytes, items.position as usize);
        let marks = (0..items.count / MARK).map(|_| {
            items.skip_some(&mut cursor, MARK);
            cursor.position() as u32
        });
        Self {
            marks: marks.collect(),
            items,
        }
    }

    pub(crate) fn count(&self) -> u32 {
        self.items.count
    }

    /// Evaluates `len` items from `start`, in order.
    pub(crate) fn for_each(
        &self,
        bytes: &[u8],
        start: u32,
        len: u32,
        environment: &impl Environment,
        each: impl FnMut(u64),
    ) {
        let position = match (start / MARK) as usize {
            0 => self.items.position,
            mark => self.marks[mark - 1],
        };
        let items = ElemItems {
            position,
            ..self.items
        };
        items.for_each(bytes, start % MARK, len, environment, each);
    }
}

/// The passive segments of a module, by index.
#[derive(Debug)]
pub(crate) struct PassiveSegments<S> {
    segments: Box<[(u32, S)]>,
}

impl<S> Default for PassiveSegments<S> {
    fn default() -> Self {
        Self {
            segments: Box::default(),
        }
    }
}

impl<S> PassiveSegments<S> {
    /// The passive ones of all segments, each made of what describes it.
    pub(crate) fn collect<D>(all: impl Iterator<Item = (Mode, D)>, make: impl Fn(D) -> S) -> Self {
        let passive: Vec<_> = (0..)
            .zip(all)
            .filter(|(_, (mode, _))| *mode == Mode::Passive)
            .map(|(index, (_, segment))| (index, make(segment)))
            .collect();
        Self {
            segments: passive.into(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.segments.len()
    }

    /// Bytes of the list.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.segments)
    }

    /// The passive segment with this index among all segments, and its number among passive ones.
    pub(crate) fn get(&self, index: u32) -> Option<(usize, &S)> {
        let number = self
            .segments
            .binary_search_by_key(&index, |(index, _)| *index)
            .ok()?;
        Some((number, &self.segments[number].1))
    }
}
