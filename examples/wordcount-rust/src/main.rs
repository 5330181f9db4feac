//! Counts lines, words and bytes, and lists the ten most frequent words: of the files named as arguments, or of stdin.
//! A directory stands for the files in it. Otherwise this prints what `wordcount.c` prints, with Rust's `std`.
//!
//! ```text
//! teff run --dir examples/data::/data examples/wordcount-rust.wasm /data/letter.txt
//! ```

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const TOP: usize = 10;

#[derive(Default)]
struct Totals {
    lines: usize,
    words: usize,
    bytes: usize,
}

#[derive(Default)]
struct Count {
    total: Totals,
    frequency: HashMap<Vec<u8>, usize>,
}

impl Count {
    fn add(&mut self, name: &str, source: impl Read, out: &mut impl Write) -> io::Result<()> {
        let mut here = Totals::default();
        let mut word = Vec::new();
        for byte in BufReader::new(source).bytes() {
            let byte = byte?;
            here.bytes += 1;
            here.lines += usize::from(byte == b'\n');
            if byte.is_ascii_alphabetic() || byte == b'\'' || byte >= 0x80 {
                word.push(byte.to_ascii_lowercase());
            } else {
                here.words += self.end_word(&mut word);
            }
        }
        here.words += self.end_word(&mut word);
        writeln!(out, "{:7} {:7} {:7} {name}", here.lines, here.words, here.bytes)?;
        self.total.lines += here.lines;
        self.total.words += here.words;
        self.total.bytes += here.bytes;
        Ok(())
    }

    fn end_word(&mut self, word: &mut Vec<u8>) -> usize {
        if word.is_empty() {
            return 0;
        }
        *self.frequency.entry(std::mem::take(word)).or_default() += 1;
        1
    }

    fn print_top(self, out: &mut impl Write) -> io::Result<()> {
        let mut sorted: Vec<_> = self.frequency.into_iter().collect();
        sorted.sort_by(|(a, many), (b, more)| more.cmp(many).then_with(|| a.cmp(b)));
        writeln!(out, "{} distinct words", sorted.len())?;
        for (word, count) in sorted.iter().take(TOP) {
            writeln!(out, "{count:7} {}", String::from_utf8_lossy(word))?;
        }
        Ok(())
    }
}

/// The files that an argument names: itself, or those directly in it, in the order of their names.
fn files_of(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

fn main() -> ExitCode {
    let mut out = io::stdout().lock();
    let mut count = Count::default();
    let mut ok = true;
    let mut report = |name: &str, result: io::Result<()>| {
        if let Err(error) = result {
            eprintln!("wordcount: {name}: {error}");
            ok = false;
        }
    };

    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut counted = 0;
    if arguments.is_empty() {
        report("-", count.add("-", io::stdin().lock(), &mut out));
    }
    for argument in &arguments {
        let files = files_of(Path::new(argument)).unwrap_or_else(|error| {
            report(argument, Err(error));
            Vec::new()
        });
        for path in files {
            let name = path.to_string_lossy();
            report(&name, File::open(&path).and_then(|file| count.add(&name, file, &mut out)));
            counted += 1;
        }
    }
    if counted > 1 {
        let Totals { lines, words, bytes } = count.total;
        report("stdout", writeln!(out, "{lines:7} {words:7} {bytes:7} total"));
    }
    report("stdout", count.print_top(&mut out));
    if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
