//! Has the linker put what every start needs of the program beside one another.
//!
//! Linux maps a program's file in blocks of 64 KiB around each page that is touched. What a start touches is a tenth of
//! the machine code, but lies everywhere in it, so that most of the file would count as resident. `functions.txt` names
//! the functions that ran in some, as `record.sh` found, in the order in which they are placed; `c-library.txt` the
//! members of the C library's archive. The rest of the program, and all machine code, stays as it is. A function that
//! has changed its name is found at its usual place: it costs memory and does no harm.

use std::fmt::Write;

const FUNCTIONS: &str = include_str!("functions.txt");
const C_LIBRARY: &str = include_str!("c-library.txt");

/// A linker script that adds to the linker's own, which GNU ld and LLD can read. Its sections are in the segments of
/// those they are inserted beside: constants are not executable.
pub(super) fn script() -> String {
    let mut script = String::from("SECTIONS { .text.start : {\n");
    for member in lines(C_LIBRARY) {
        put(&mut script, &format!("*libc.a:{member}.o(.text .text.*)"));
    }
    for function in lines(FUNCTIONS) {
        put(
            &mut script,
            &format!("*(.text.{function} .text.unlikely.{function})"),
        );
    }
    script.push_str("} } INSERT BEFORE .text;\n");
    // The tables of `match` expressions have names after their functions.
    script.push_str("SECTIONS { .rodata.start : {\n");
    for function in lines(FUNCTIONS) {
        put(
            &mut script,
            &format!("*(.rodata.{function} .rodata..Lswitch.table.{function}*)"),
        );
    }
    script.push_str("} } INSERT AFTER .rodata;\n");
    script
}

fn put(script: &mut String, line: &str) {
    writeln!(script, "{line}").expect("a string takes everything");
}

/// Without comments.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}
