//! Makes damaged modules: valid ones of the suite, with bytes, operators and sections changed. Knows the
//! binary format; knows nothing of the engine.

use std::ops::Range;
use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use teff_spec_tests::pool;
use teff_spec_tests::suite::Suite;
use wasmparser::{Parser, Payload};

/// The suite's modules, which are valid in Wasm 3.0.
pub(crate) static MODULES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let scripts = pool::load(&Suite::embedded());
    scripts
        .iter()
        .flat_map(|script| script.modules())
        .map(<[u8]>::to_vec)
        .collect()
});

/// One change. Places are chosen among those that the bytes have when it is made.
#[derive(Clone, Debug)]
enum Mutation {
    Flip {
        at: Index,
        bit: u8,
        in_code: bool,
    },
    Set {
        at: Index,
        byte: u8,
        in_code: bool,
    },
    Truncate {
        at: Index,
    },
    Insert {
        at: Index,
        bytes: Vec<u8>,
    },
    Remove {
        at: Index,
        len: usize,
    },
    Splice {
        at: Index,
        from: Index,
        start: Index,
        len: usize,
    },
    SwapSections(Index, Index),
    RemoveSection(Index),
    /// An operator becomes another one of the same type.
    Operator {
        at: Index,
        to: Index,
    },
    /// A byte of an operator's immediates changes, but not the length of its number.
    Immediate {
        at: Index,
        byte: u8,
    },
    RepeatSection(Index, Index),
    ForeignSection {
        at: Index,
        from: Index,
        section: Index,
    },
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let index = any::<Index>;
    // Bytes that mean much: small numbers, limits of LEB128, opcodes, types.
    let byte = || {
        prop_oneof![
            any::<u8>(),
            0_u8..0x20,
            Just(0x7f),
            Just(0x80),
            Just(0xff),
            0x60_u8..0x80
        ]
    };
    prop_oneof![
        6 => (index(), 0_u8..8, any::<bool>())
            .prop_map(|(at, bit, in_code)| Mutation::Flip { at, bit, in_code }),
        8 => (index(), byte(), any::<bool>())
            .prop_map(|(at, byte, in_code)| Mutation::Set { at, byte, in_code }),
        1 => index().prop_map(|at| Mutation::Truncate { at }),
        1 => (index(), vec(byte(), 1..8)).prop_map(|(at, bytes)| Mutation::Insert { at, bytes }),
        1 => (index(), 1_usize..16).prop_map(|(at, len)| Mutation::Remove { at, len }),
        2 => (index(), index(), index(), 1_usize..64)
            .prop_map(|(at, from, start, len)| Mutation::Splice { at, from, start, len }),
        1 => (index(), index()).prop_map(|(a, b)| Mutation::SwapSections(a, b)),
        1 => index().prop_map(Mutation::RemoveSection),
        1 => (index(), index()).prop_map(|(a, b)| Mutation::RepeatSection(a, b)),
        2 => (index(), index(), index())
            .prop_map(|(at, from, section)| Mutation::ForeignSection { at, from, section }),
    ]
}

/// Changes that most often leave a module valid.
fn gentle_mutation() -> impl Strategy<Value = Mutation> {
    let index = any::<Index>;
    prop_oneof![
        3 => (index(), index()).prop_map(|(at, to)| Mutation::Operator { at, to }),
        1 => (index(), any::<u8>()).prop_map(|(at, byte)| Mutation::Immediate { at, byte }),
    ]
}

/// A valid module, damaged.
pub(crate) fn damaged_module() -> impl Strategy<Value = Vec<u8>> {
    let mutations = prop_oneof![
        vec(gentle_mutation(), 1..6),
        vec(mutation(), 1..4),
        (vec(gentle_mutation(), 1..6), mutation()).prop_map(|(mut all, last)| {
            all.push(last);
            all
        }),
    ];
    (any::<Index>(), mutations).prop_map(|(module, mutations)| {
        let mut bytes = MODULES[module.index(MODULES.len())].clone();
        for mutation in &mutations {
            mutation.apply(&mut bytes);
        }
        bytes
    })
}

impl Mutation {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Flip { at, bit, in_code } => {
                if let Some(at) = place(bytes, at, *in_code) {
                    bytes[at] ^= 1 << bit;
                }
            }
            Self::Set { at, byte, in_code } => {
                if let Some(at) = place(bytes, at, *in_code) {
                    bytes[at] = *byte;
                }
            }
            Self::Operator { at, to } => {
                let mut all = operators(bytes);
                all.retain(|range| class(bytes[range.start]).is_some());
                if let Some(range) = choose(&all, at)
                    && let Some(class) = class(bytes[range.start])
                {
                    bytes[range.start] = class.start + to.index(class.len()) as u8;
                }
            }
            Self::Immediate { at, byte } => {
                let mut all = operators(bytes);
                all.retain(|range| range.len() > 1);
                if let Some(range) = choose(&all, at) {
                    let at = range.start + 1 + usize::from(*byte) % (range.len() - 1);
                    bytes[at] = bytes[at] & 0x80 | byte & 0x7f;
                }
            }
            Self::Truncate { at } => bytes.truncate(at.index(bytes.len() + 1)),
            Self::Insert { at, bytes: new } => {
                let at = at.index(bytes.len() + 1);
                bytes.splice(at..at, new.iter().copied());
            }
            Self::Remove { at, len } => {
                let at = at.index(bytes.len() + 1);
                let end = bytes.len().min(at + len);
                bytes.drain(at..end);
            }
            Self::Splice {
                at,
                from,
                start,
                len,
            } => {
                let from = &MODULES[from.index(MODULES.len())];
                let start = start.index(from.len());
                let new = &from[start..from.len().min(start + len)];
                let at = at.index(bytes.len() + 1);
                let end = bytes.len().min(at + new.len());
                bytes.splice(at..end, new.iter().copied());
            }
            Self::SwapSections(a, b) => edit_sections(bytes, |sections| {
                let (a, b) = (a.index(sections.len()), b.index(sections.len()));
                sections.swap(a, b);
            }),
            Self::RemoveSection(a) => edit_sections(bytes, |sections| {
                sections.remove(a.index(sections.len()));
            }),
            Self::RepeatSection(a, b) => edit_sections(bytes, |sections| {
                let section = sections[a.index(sections.len())].clone();
                sections.insert(b.index(sections.len() + 1), section);
            }),
            Self::ForeignSection { at, from, section } => {
                let from = &MODULES[from.index(MODULES.len())];
                let foreign = sections(from);
                if foreign.is_empty() {
                    return;
                }
                let foreign = from[foreign[section.index(foreign.len())].clone()].to_vec();
                edit_sections(bytes, |sections| {
                    // In the place of one of its kind, so that the order stays right.
                    match sections.iter().position(|section| section[0] == foreign[0]) {
                        Some(same) => sections[same] = foreign,
                        None => sections.insert(at.index(sections.len() + 1), foreign),
                    }
                });
            }
        }
    }
}

fn choose<'a, T>(all: &'a [T], index: &Index) -> Option<&'a T> {
    (!all.is_empty()).then(|| &all[index.index(all.len())])
}

/// Where the operators of all functions are; those before the first that is damaged.
fn operators(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut all = Vec::new();
    let bodies = Parser::new(0)
        .parse_all(bytes)
        .map_while(|payload| payload.ok());
    for payload in bodies {
        let Payload::CodeSectionEntry(body) = payload else {
            continue;
        };
        let Ok(mut reader) = body.get_operators_reader() else {
            break;
        };
        while !reader.eof() {
            let start = reader.original_position() as usize;
            if reader.read().is_err() {
                return all;
            }
            all.push(start..reader.original_position() as usize);
        }
    }
    all
}

/// The opcodes with parameters and results like `opcode`'s, if there are others.
fn class(opcode: u8) -> Option<Range<u8>> {
    const CLASSES: &[Range<u8>] = &[
        0x2c..0x2e, // i32.load8
        0x2e..0x30, // i32.load16
        0x30..0x32, // i64.load8
        0x32..0x34, // i64.load16
        0x34..0x36, // i64.load32
        0x46..0x50, // comparisons of i32, i64, f32, f64
        0x51..0x5b,
        0x5b..0x61,
        0x61..0x67,
        0x67..0x6a, // arithmetic of one and of two i32, i64, f32, f64
        0x6a..0x79,
        0x79..0x7c,
        0x7c..0x8b,
        0x8b..0x92,
        0x92..0x99,
        0x99..0xa0,
        0xa0..0xa7,
        0xa8..0xaa, // conversions
        0xaa..0xac,
        0xac..0xae,
        0xae..0xb0,
        0xb0..0xb2,
        0xb2..0xb4,
        0xb4..0xb6,
        0xb7..0xb9,
        0xb9..0xbb,
        0xc0..0xc2, // sign extension
        0xc2..0xc5,
    ];
    CLASSES
        .iter()
        .find(|class| class.contains(&opcode))
        .cloned()
}

const CODE_SECTION: u8 = 10;
const HEADER: usize = 8;

/// A byte of the module, or of its code section.
fn place(bytes: &[u8], at: &Index, in_code: bool) -> Option<usize> {
    let code = || {
        sections(bytes)
            .into_iter()
            .find(|section| bytes[section.start] == CODE_SECTION)
    };
    let range = in_code.then(code).flatten().unwrap_or(0..bytes.len());
    (!range.is_empty()).then(|| range.start + at.index(range.len()))
}

/// The sections, with their ids and sizes; those before the first that is damaged.
fn sections(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut sections = Vec::new();
    let mut at = HEADER;
    while at < bytes.len() {
        let Some((size, body)) = leb128(bytes, at + 1) else {
            break;
        };
        let Some(end) = body.checked_add(size).filter(|end| *end <= bytes.len()) else {
            break;
        };
        sections.push(at..end);
        at = end;
    }
    sections
}

/// An unsigned number and where it ends.
fn leb128(bytes: &[u8], mut at: usize) -> Option<(usize, usize)> {
    let mut value = 0;
    for shift in (0..35).step_by(7) {
        let byte = *bytes.get(at)?;
        at += 1;
        value |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((value, at));
        }
    }
    None
}

fn edit_sections(bytes: &mut Vec<u8>, edit: impl FnOnce(&mut Vec<Vec<u8>>)) {
    let ranges = sections(bytes);
    let Some(last) = ranges.last() else { return };
    let rest = bytes[last.end..].to_vec();
    let mut sections: Vec<_> = ranges
        .iter()
        .map(|range| bytes[range.clone()].to_vec())
        .collect();
    edit(&mut sections);
    bytes.truncate(HEADER);
    bytes.extend(sections.into_iter().flatten());
    bytes.extend(rest);
}

#[test]
fn sections_are_found() {
    let module = wat::parse_str("(module (func) (memory 1) (export \"f\" (func 0)))").unwrap();
    let ids: Vec<_> = sections(&module)
        .into_iter()
        .map(|section| module[section.start])
        .collect();
    assert_eq!(ids, [1, 3, 5, 7, 10]);
    let mut edited = module.clone();
    edit_sections(&mut edited, |sections| sections.swap(0, 1));
    assert_eq!(edited.len(), module.len());
    assert_ne!(edited, module);
    edit_sections(&mut edited, |sections| sections.swap(0, 1));
    assert_eq!(edited, module);
}

#[test]
fn operators_are_found() {
    let text = "(module (func (result i32) (i32.add (i32.const 300) (i32.const 1))))";
    let module = wat::parse_str(text).unwrap();
    let found: Vec<_> = operators(&module)
        .iter()
        .map(|range| module[range.start])
        .collect();
    assert_eq!(found, [0x41, 0x41, 0x6a, 0x0b]);
    assert_eq!(class(0x6a), Some(0x6a..0x79));
    assert_eq!(class(0x41), None);
}
