//! The code of a module that is translated here. Functions are translated when they are first called,
//! or all at once by several threads when the module is loaded. Code lies in chunks that are only appended to
//! and never move, because instruction pointers and branch targets point into them.

use alloc::{boxed::Box, vec::Vec};
use core::{ops::Range, sync::atomic::Ordering};

use bumpalo::Bump;
use wasmparser::FuncValidatorAllocations;

use super::{CodeMap, FuncEntry, ModuleInner, bodies, code::Usage};
use crate::{
    Error, Result,
    exec::Target,
    sync::Lock,
    sys::parallel::{self, Work},
    translate::{self, OffsetMap},
};

/// The entries of all functions that a module defines, and their code.
pub(crate) struct Translated {
    entries: Box<[FuncEntry]>,
    code: Lock<Code>,
}

#[derive(Default)]
struct Code {
    /// Scratch of the translator, and of the validator.
    arena: Bump,
    allocations: FuncValidatorAllocations,
    chunks: Vec<Chunk>,
    /// In the order of translation.
    placed: Vec<Placed>,
}

/// A piece of memory that holds code. Its capacity never changes.
struct Chunk {
    words: Vec<u64>,
    used: usize,
}

/// Where a function's cells are.
#[derive(Copy, Clone)]
struct Placed {
    start: usize,
    bytes: u32,
    index: u32,
}

/// Scratch that is kept for the next function. A large one can need much more.
const KEPT_SCRATCH: usize = 128 << 10;

/// Bytes of the first chunk; each further one is twice as large, up to the maximum.
const FIRST_CHUNK: usize = 2 << 10;
const MAX_CHUNK: usize = 256 << 10;

impl Translated {
    /// The code of a module with `count` functions of its own, none of them translated.
    pub(crate) fn new(target: &Target, count: u32) -> Self {
        let stub = target.translate_ip();
        let entries = (0..count).map(|_| FuncEntry::new(stub));
        Self {
            entries: entries.collect(),
            code: Lock::default(),
        }
    }

    /// The first of all entries.
    pub(crate) fn entries(&self) -> *const FuncEntry {
        self.entries.as_ptr()
    }

    /// The index of a function, among those that the module defines, by the address of its entry.
    pub(crate) fn index_of(&self, entry: *const FuncEntry) -> u32 {
        let offset = entry.addr().wrapping_sub(self.entries().addr());
        (offset / size_of::<FuncEntry>()) as u32
    }

    /// Translates function `index`, unless another thread was faster, and gives its first cell.
    ///
    /// A body that was not validated with the module is validated first.
    pub(crate) fn translate(&self, module: &ModuleInner, index: u32) -> Result<*const u8> {
        self.code.with(|code| code.add(self, module, index))
    }

    /// See [`ModuleInner::translate_all`].
    fn translate_all(&self, module: &ModuleInner) -> Result<()> {
        let batches = bodies::batches(&module.bodies);
        let threads = bodies::threads(module.engine().config(), batches.len());
        let work = TranslateAll { map: self, module };
        let (_, codes) = parallel::run(&work, &batches, threads, || Ok::<_, Error>(()))?;
        self.code.with(|code| {
            for part in codes {
                code.chunks.extend(part.chunks);
                code.placed.extend(part.placed);
            }
        });
        Ok(())
    }

    /// See [`ModuleInner::offsets`].
    fn offsets(&self, module: &ModuleInner, index: u32) -> OffsetMap {
        let arena = Bump::new();
        let entries = (self.entries().expose_provenance(), size_of::<FuncEntry>());
        let naming = module.engine().target().naming(entries);
        let function = translate::translate(module, index, naming, &arena, true);
        function
            .ok()
            .and_then(|function| function.map)
            .unwrap_or_default()
    }

    /// What the code takes.
    pub(super) fn usage(&self) -> Usage {
        self.code.with(|code| Usage {
            functions: code.placed.iter().map(|placed| placed.index).collect(),
            bytes: code.placed.iter().map(|placed| placed.bytes as usize).sum(),
            allocated: code
                .chunks
                .iter()
                .map(|chunk| chunk.words.capacity() * 8)
                .sum(),
            placed: code.placed.capacity() * size_of::<Placed>(),
            scratch: code.arena.allocated_bytes(),
        })
    }

    /// The function whose code `ip` points into, and the offset of `ip` in it.
    pub(crate) fn find(&self, ip: *const u8) -> Option<(u32, u32)> {
        self.code.with(|code| {
            code.placed.iter().find_map(|placed| {
                let offset = (ip as usize).wrapping_sub(placed.start);
                (offset < placed.bytes as usize).then_some((placed.index, offset as u32))
            })
        })
    }
}

impl ModuleInner {
    /// Translates all functions, which are valid. Nobody else uses the module yet. The error is that of the first
    /// function that has one.
    pub(super) fn translate_all(&self) -> Result<()> {
        match &self.code {
            CodeMap::Translated(code) => code.translate_all(self),
            CodeMap::Placed(_) => Ok(()),
        }
    }

    /// Where in the code of function `index` its operators are, if the module has its body. Nothing is kept for
    /// that: the function is translated once more.
    pub(crate) fn offsets(&self, index: u32) -> OffsetMap {
        match &self.code {
            CodeMap::Translated(code) => code.offsets(self, index),
            CodeMap::Placed(_) => OffsetMap::new(),
        }
    }
}

impl Code {
    /// Translates function `index`, unless it is there, and publishes its first cell.
    fn add(&mut self, map: &Translated, module: &ModuleInner, index: u32) -> Result<*const u8> {
        let target = module.engine().target();
        let entry = &map.entries[index as usize];
        let present = entry.code.load(Ordering::Acquire).cast_const();
        if present != target.translate_ip() {
            return Ok(present);
        }
        module.ensure_valid(index, &mut self.allocations)?;
        if self.arena.allocated_bytes() > KEPT_SCRATCH {
            self.arena = Bump::new();
        }
        self.arena.reset();
        let entries = (map.entries().expose_provenance(), size_of::<FuncEntry>());
        let function =
            translate::translate(module, index, target.naming(entries), &self.arena, false)?;
        let bytes = function.len();
        let base = place(&mut self.chunks, bytes.div_ceil(8));
        let finished = function.finish(base.expose_provenance());
        // SAFETY: `place` gives room for the bytes, which nothing points to yet.
        unsafe { base.copy_from(finished.as_ptr(), bytes) };
        let first = base.wrapping_add(target.class().prelude());
        self.placed.push(Placed {
            start: base as usize,
            bytes: bytes as u32,
            index,
        });
        // Release: who sees the address sees the code.
        entry.code.store(first, Ordering::Release);
        Ok(first.cast_const())
    }
}

/// Translates all functions. Each thread has chunks of its own.
struct TranslateAll<'a> {
    map: &'a Translated,
    module: &'a ModuleInner,
}

impl Work for TranslateAll<'_> {
    type State = Code;
    type Error = Error;

    fn begin(&self) -> Code {
        Code::default()
    }

    fn batch(&self, code: &mut Code, functions: Range<u32>) -> Result<()> {
        for index in functions.clone() {
            code.add(self.map, self.module, index)?;
        }
        self.module.release_bodies(functions);
        Ok(())
    }
}

/// Room for `words` more words of code.
fn place(chunks: &mut Vec<Chunk>, words: usize) -> *mut u8 {
    let full = chunks
        .last()
        .is_none_or(|chunk| chunk.words.capacity() - chunk.used < words);
    if full {
        let last = chunks
            .last()
            .map_or(FIRST_CHUNK / 2, |chunk| chunk.words.capacity() * 8);
        let size = (last * 2).min(MAX_CHUNK).max(words * 8);
        chunks.push(Chunk {
            words: Vec::with_capacity(size / 8),
            used: 0,
        });
    }
    let chunk = chunks.last_mut().expect("there is one now");
    let at = chunk.words.as_mut_ptr().wrapping_add(chunk.used).cast();
    chunk.used += words;
    at
}
