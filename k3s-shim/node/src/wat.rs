//! `teff-shim wat`: a module's text to its binary form, standard input to standard output. Knows nothing of containers.

use std::io::{self, Read, Write};

use anyhow::{Context, Result, anyhow, bail};

/// Turn a module's text (.wat) into its binary form (.wasm), standard input to standard output.
///
/// Text that is no module is reported with its line and column, and nothing is written. Bytes that are a binary module
/// already come out as they are.
///
/// Example: teff-shim wat < hello.wat > hello.wasm
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {}

/// More than this is no text that a person or a compiler wrote.
const LIMIT: u64 = 256 << 20;

/// Does it.
pub(crate) fn run(_: &Args) -> Result<()> {
    let mut text = Vec::new();
    let stdin = io::stdin().lock();
    stdin
        .take(LIMIT + 1)
        .read_to_end(&mut text)
        .context("standard input")?;
    if text.len() as u64 > LIMIT {
        bail!("standard input: more than {} MiB is not taken", LIMIT >> 20);
    }
    let binary = assemble(&text)?;
    let mut out = io::stdout().lock();
    out.write_all(&binary)
        .and_then(|()| out.flush())
        .context("standard output")
}

/// The binary form. What is wrong is said in one line that starts with where.
fn assemble(text: &[u8]) -> Result<Vec<u8>> {
    match wat::parse_bytes(text) {
        Ok(binary) => Ok(binary.into_owned()),
        Err(mut e) => {
            e.set_path("standard input");
            Err(anyhow!("{e}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_a_module() {
        let binary = assemble(b"(module (func (export \"_start\")))").unwrap();
        assert_eq!(binary[..8], *b"\0asm\x01\0\0\0");
        assert_eq!(assemble(&binary).unwrap(), binary);
    }

    #[test]
    fn mistakes_have_a_line() {
        let error = assemble(b"(module\n  (func\n    i32.konst 1))")
            .unwrap_err()
            .to_string();
        assert!(error.contains("standard input:3:5"), "{error}");
        assert!(error.contains("i32.konst"), "{error}");
        assert!(assemble(b"\xff\xfe").is_err());
        assert!(assemble(b"").is_err(), "no text at all");
    }
}
