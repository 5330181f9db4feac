//! A quick look at a function's body: how often it names each local in loops, which locals it may read before it has
//! written them, and what comes after each block.
//!
//! Knows just enough of the binary format (spec §5.4) to step from one instruction to the next. It gives up on
//! what it does not know; nothing but speed depends on it.

use bumpalo::collections::Vec;

const BR: u8 = 0x0c;
const RETURN: u8 = 0x0f;
const LOCAL_GET: u8 = 0x20;

/// What follows an opcode.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Immediates {
    Unknown,
    /// So many numbers.
    Numbers(u8),
    /// A local's index.
    Local,
    /// A block type; and whether the block is a loop.
    Block(bool),
    Else,
    End,
    /// The alignment and offset of an access.
    MemArg,
    /// A list of labels and one more.
    Table,
    /// A list of value types.
    Types,
    /// So many bytes.
    Bytes(u8),
    /// A second opcode.
    Prefix,
}

const IMMEDIATES: [Immediates; 256] = {
    use Immediates::*;
    let mut table = [Unknown; 256];
    table[0x00] = Numbers(0); // unreachable
    table[0x01] = Numbers(0); // nop
    table[0x02] = Block(false);
    table[0x03] = Block(true);
    table[0x04] = Block(false); // if
    table[0x05] = Else;
    table[0x08] = Numbers(1); // throw
    table[0x0a] = Numbers(0); // throw_ref
    table[0x0b] = End;
    table[0x0c] = Numbers(1); // br
    table[0x0d] = Numbers(1); // br_if
    table[0x0e] = Table;
    table[0x0f] = Numbers(0); // return
    table[0x10] = Numbers(1); // call
    table[0x11] = Numbers(2); // call_indirect
    table[0x12] = Numbers(1);
    table[0x13] = Numbers(2);
    table[0x14] = Numbers(1); // call_ref
    table[0x15] = Numbers(1);
    table[0x1a] = Numbers(0); // drop
    table[0x1b] = Numbers(0); // select
    table[0x1c] = Types; // select with a type
    table[0x20] = Local; // get
    table[0x21] = Local; // set
    table[0x22] = Local; // tee
    let mut op = 0x23;
    while op <= 0x26 {
        table[op] = Numbers(1); // globals and tables
        op += 1;
    }
    op = 0x28;
    while op <= 0x3e {
        table[op] = MemArg;
        op += 1;
    }
    table[0x3f] = Numbers(1); // memory.size
    table[0x40] = Numbers(1); // memory.grow
    table[0x41] = Numbers(1); // i32.const
    table[0x42] = Numbers(1); // i64.const
    table[0x43] = Bytes(4); // f32.const
    table[0x44] = Bytes(8); // f64.const
    op = 0x45;
    while op <= 0xc4 {
        table[op] = Numbers(0); // numeric
        op += 1;
    }
    table[0xd0] = Numbers(1); // ref.null
    table[0xd1] = Numbers(0); // ref.is_null
    table[0xd2] = Numbers(1); // ref.func
    table[0xfc] = Prefix;
    table
};

/// Numbers after each opcode of the 0xfc prefix: conversions, then bulk operations.
const PREFIXED: [u8; 18] = [0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 2, 1, 2, 1, 2, 1, 1, 1];

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    #[inline]
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.0 = self.0.get(count..)?;
        Some(())
    }

    /// Skips a number of any width.
    #[inline]
    fn number(&mut self) -> Option<()> {
        while self.next()? & 0x80 != 0 {}
        Some(())
    }

    /// An unsigned number of 32 bits.
    #[inline]
    fn u32(&mut self) -> Option<u32> {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = self.next()?;
            value |= u32::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(value);
            }
            shift += 7;
        }
    }

    /// Skips a value type or block type.
    fn value_type(&mut self) -> Option<()> {
        // `ref` and `ref null` are followed by a heap type.
        if matches!(self.0.first()?, 0x63 | 0x64) {
            self.next()?;
        }
        self.number()
    }
}

/// An open block.
#[derive(Copy, Clone)]
struct Block {
    is_loop: bool,
    /// Its number, in the order of the text.
    number: u32,
    /// Blocks, and the branches of an `if`, have different ones.
    id: u32,
}

/// What comes right behind the end of a block.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Something that computes.
    Other,
    /// A branch, or a way that leads where a branch to the block of this number would. With how many operators that are.
    Branch { number: u32, operators: u32 },
    /// The function's end, or a `return`. With the local that is read before, if one is.
    Return { local: Option<u32>, operators: u32 },
}

/// What is known of a block.
#[derive(Copy, Clone, Debug)]
pub(super) struct End {
    pub(super) next: Next,
    pub(super) has_else: bool,
}

impl End {
    const UNKNOWN: Self = Self {
        next: Next::Other,
        has_else: false,
    };
}

/// The blocks whose ends are right before the present place.
struct Ended<'a> {
    numbers: Vec<'a, u32>,
    /// A local that has been read since, by the only operator.
    local: Option<u32>,
}

impl Ended<'_> {
    /// Notes what comes behind them.
    fn come_before(&mut self, next: Next, ends: &mut [End]) {
        for number in self.numbers.drain(..) {
            if let Some(end) = ends.get_mut(number as usize) {
                end.next = next;
            }
        }
        self.local = None;
    }
}

/// Where a local got its first value: a block, by its depth and number.
#[derive(Copy, Clone)]
struct Origin {
    depth: u32,
    id: u32,
}

/// What is known of one local.
#[derive(Copy, Clone, Default)]
pub(super) struct Usage {
    /// How often instructions in loops name it.
    pub(super) in_loops: u32,
    /// May it be read before it is written? Then it has to be zero at first.
    pub(super) read_first: bool,
    written: Option<Origin>,
}

/// Notes in `usage`, which has an entry for each local, what the operators in `code` do with it, and in `ends` what comes
/// after each block, the function's body first. `None` if it does not understand the code.
pub(super) fn survey(
    code: &[u8],
    usage: &mut Vec<'_, Usage>,
    ends: &mut Vec<'_, End>,
) -> Option<()> {
    let mut code = Bytes(code);
    let mut blocks = Vec::new_in(usage.bump());
    let mut ended = Ended {
        numbers: Vec::new_in(usage.bump()),
        local: None,
    };
    // The function's body is a block.
    let (mut next_id, mut loops) = (1, 0_u32);
    blocks.push(Block {
        is_loop: false,
        number: 0,
        id: 0,
    });
    ends.push(End::UNKNOWN);
    while !blocks.is_empty() {
        let opcode = code.next()?;
        let read = u32::from(ended.local.is_some());
        match IMMEDIATES[opcode as usize] {
            Immediates::Local => {
                let index = code.u32()?;
                if opcode == LOCAL_GET && ended.local.is_none() && !ended.numbers.is_empty() {
                    ended.local = Some(index);
                } else {
                    ended.come_before(Next::Other, ends);
                }
                let local = usage.get_mut(index as usize)?;
                local.in_loops += u32::from(loops > 0);
                // What was written in a block that is still open was written on every way to here.
                let open = |origin: &Origin| {
                    let block = blocks.get(origin.depth as usize);
                    block.is_some_and(|block| block.id == origin.id)
                };
                if !local.written.as_ref().is_some_and(open) {
                    if opcode == LOCAL_GET {
                        local.read_first = true;
                    } else {
                        let depth = blocks.len() as u32 - 1;
                        let id = blocks[depth as usize].id;
                        local.written = Some(Origin { depth, id });
                    }
                }
                continue;
            }
            Immediates::Else => {
                let block = blocks.last_mut()?;
                block.id = next_id;
                next_id += 1;
                ends[block.number as usize].has_else = true;
                let next = match ended.local {
                    None => Next::Branch {
                        number: block.number,
                        operators: 0,
                    },
                    Some(_) => Next::Other,
                };
                ended.come_before(next, ends);
                continue;
            }
            Immediates::End => {
                let block = blocks.pop()?;
                loops -= u32::from(block.is_loop);
                if blocks.is_empty() {
                    let next = Next::Return {
                        local: ended.local,
                        operators: read,
                    };
                    ended.come_before(next, ends);
                } else {
                    if ended.local.is_some() {
                        ended.come_before(Next::Other, ends);
                    }
                    ended.numbers.push(block.number);
                }
                continue;
            }
            Immediates::Numbers(1) if opcode == BR => {
                let depth = code.u32()?;
                let target = blocks.len().checked_sub(1 + depth as usize)?;
                let next = match (target, ended.local) {
                    (0, local) => Next::Return {
                        local,
                        operators: 1 + read,
                    },
                    (_, None) => Next::Branch {
                        number: blocks[target].number,
                        operators: 1,
                    },
                    _ => Next::Other,
                };
                ended.come_before(next, ends);
                continue;
            }
            Immediates::Numbers(0) if opcode == RETURN => {
                let next = Next::Return {
                    local: ended.local,
                    operators: 1 + read,
                };
                ended.come_before(next, ends);
                continue;
            }
            Immediates::Numbers(count) => {
                for _ in 0..count {
                    code.number()?;
                }
            }
            Immediates::MemArg => {
                // A flag in the alignment says that a memory's index follows.
                if code.u32()? & 0x40 != 0 {
                    code.number()?;
                }
                code.number()?;
            }
            Immediates::Block(is_loop) => {
                code.value_type()?;
                loops += u32::from(is_loop);
                blocks.push(Block {
                    is_loop,
                    number: ends.len() as u32,
                    id: next_id,
                });
                ends.push(End::UNKNOWN);
                next_id += 1;
            }
            Immediates::Table => {
                for _ in 0..=code.u32()? {
                    code.number()?;
                }
            }
            Immediates::Types => {
                for _ in 0..code.u32()? {
                    code.value_type()?;
                }
            }
            Immediates::Bytes(count) => code.skip(count.into())?,
            Immediates::Prefix => {
                let op = code.u32()?;
                for _ in 0..*PREFIXED.get(op as usize)? {
                    code.number()?;
                }
            }
            Immediates::Unknown => return None,
        }
        ended.come_before(Next::Other, ends);
    }
    Some(())
}
