//! What is run: the programs in `programs/`, each a WASI command that prints one line with a checksum of its work.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// How much work a program does.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Size {
    /// What the comparison measures: some tenths of a second in an interpreter.
    Full,
    /// So little that a test can run it in a slow build.
    Tiny,
}

/// One program.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    /// The language that it was written in: also where its source is.
    pub(crate) language: &'static str,
    /// The module in `programs/wasm/`, without its extension; also the name of the native program.
    pub(crate) module: &'static str,
    /// What comes before the amount of work among the arguments.
    part: Option<&'static str>,
    /// The amount of work of the size `Tiny`; that of `Full` is the program's own default.
    tiny: &'static str,
    /// What it does, in a few words.
    pub(crate) what: &'static str,
}

const fn program(
    name: &'static str,
    language: &'static str,
    tiny: &'static str,
    what: &'static str,
) -> Program {
    Program {
        name,
        language,
        module: name,
        part: None,
        tiny,
        what,
    }
}

const fn go(
    name: &'static str,
    part: &'static str,
    tiny: &'static str,
    what: &'static str,
) -> Program {
    Program {
        name,
        language: "Go",
        module: "go",
        part: Some(part),
        tiny,
        what,
    }
}

impl Program {
    pub(crate) const ALL: &[Self] = &[
        program("fib", "wat", "16", "recursive calls with one argument"),
        program("collatz", "wat", "300", "a tight i64 loop, a global"),
        program(
            "automaton",
            "wat",
            "1",
            "a state machine by br_table and by call_indirect",
        ),
        program(
            "tak",
            "C",
            "2",
            "recursive calls with three and with seven arguments",
        ),
        program(
            "sieve",
            "C",
            "1",
            "tight loops over bytes and bits, remainders",
        ),
        program("nbody", "C", "500", "f64 in structures, square roots"),
        program("mandelbrot", "C", "40", "f64 in locals"),
        program(
            "linear",
            "C",
            "1",
            "f64 matrices: products, LU, spectral norm",
        ),
        program(
            "filter",
            "C",
            "1",
            "f32: image blur and edges, a chain of sound filters",
        ),
        program(
            "stream",
            "C",
            "1",
            "copy, scale, add, triad; memcpy, memmove, memset, memcmp",
        ),
        program(
            "hash",
            "C",
            "2",
            "CRC-32, SipHash, i64 lanes, Adler-32, Murmur",
        ),
        program("sha256", "C", "20", "SHA-256, unrolled by eight"),
        program(
            "cipher",
            "C",
            "40",
            "big functions: ChaCha20, a Feistel cipher, Keccak, all unrolled",
        ),
        program(
            "sort",
            "C",
            "1",
            "qsort by comparator, heapsort, radix and merge sort",
        ),
        program("json", "C", "1", "a JSON parser and writer"),
        program(
            "text",
            "C",
            "2",
            "snprintf, strtod, base64, search in strings",
        ),
        program(
            "compress",
            "C",
            "1",
            "LZ77 with hash chains, Huffman codes, both ways",
        ),
        program("alloc", "C", "1", "malloc, realloc, free; trees; chains"),
        program("vm-switch", "C", "1", "a bytecode interpreter by switch"),
        program(
            "vm-table",
            "C",
            "1",
            "the same interpreter by a table of functions",
        ),
        program(
            "collections",
            "Rust",
            "1",
            "HashMap, BTreeMap, BinaryHeap, boxes",
        ),
        program("shapes", "Rust", "1", "a ray caster over dyn traits"),
        program(
            "expressions",
            "Rust",
            "12",
            "parse, simplify, derive and evaluate trees of Rc",
        ),
        program(
            "patterns",
            "Rust",
            "1",
            "regular expressions, edit distances",
        ),
        program(
            "format",
            "Rust",
            "2",
            "formatting, splitting, UTF-8, floats",
        ),
        go("go-maps", "maps", "1", "maps; life on a map"),
        go("go-sorting", "sorting", "1", "sorting, strings, a heap"),
        go(
            "go-hashing",
            "hashing",
            "3",
            "SHA-256, CRC-32, wide numbers",
        ),
        go("go-channels", "channels", "10", "goroutines and channels"),
        go("go-garbage", "garbage", "1", "the garbage collector"),
    ];

    pub(crate) fn named(name: &str) -> Result<&'static Self, String> {
        Self::ALL
            .iter()
            .find(|program| program.name == name)
            .ok_or_else(|| format!("no program is called `{name}`: `teff-benches list` names them"))
    }

    /// The programs with one of these texts in their names; all, if there are no texts.
    pub(crate) fn matching(filters: &[String]) -> Result<Vec<&'static Self>, String> {
        for filter in filters {
            if !Self::ALL
                .iter()
                .any(|program| program.name.contains(filter))
            {
                return Err(format!(
                    "no program has `{filter}` in its name: `teff-benches list` names them"
                ));
            }
        }
        let chosen = |program: &&Self| {
            filters.is_empty() || filters.iter().any(|filter| program.name.contains(filter))
        };
        Ok(Self::ALL.iter().filter(chosen).collect())
    }

    pub(crate) fn module_path(&self) -> PathBuf {
        directory()
            .join("wasm")
            .join(self.module)
            .with_extension("wasm")
    }

    /// The arguments behind the program's name.
    pub(crate) fn args(&self, size: Size) -> Vec<&'static str> {
        let amount = (size == Size::Tiny).then_some(self.tiny);
        self.part.into_iter().chain(amount).collect()
    }

    /// What the program must print.
    pub(crate) fn expected(&self, size: Size) -> Result<Vec<u8>, String> {
        let name = match size {
            Size::Full => format!("{}.txt", self.name),
            Size::Tiny => format!("{}.tiny.txt", self.name),
        };
        read(&directory().join("expected").join(name))
    }
}

/// The sources, modules and expected outputs of all programs.
pub(crate) fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("programs")
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error: io::Error| format!("{}: {error}", path.display()))
}
