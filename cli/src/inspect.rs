//! `teff inspect`: what a module has and needs, or its register code. Also works for modules that teff
//! does not run.

use std::io::{self, Write};
use std::path::Path;

use teff_runtime::{Engine, Module};

use crate::args::Inspect;
use crate::failure::{Failure, Result};
use crate::load::Source;
use crate::{features, ir, summary};

pub(crate) fn inspect(args: &Inspect) -> Result<()> {
    let source = Source::open(&args.file)?;
    let text = match &args.ir {
        Some(func) => ir::text(&source, func)?,
        None => overview(&source, &args.file)?,
    };
    let mut stdout = io::stdout().lock();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    written.map_err(|e| Failure::message(format!("cannot write to standard output: {e}")))
}

fn overview(source: &Source, file: &Path) -> Result<String> {
    let binary = source.binary()?;
    let invalid = |e| Failure::message(format!("{} is not valid: {e}", file.display()));
    let (needed, types) = features::needed(&binary).map_err(invalid)?;
    let mut text = summary::describe(&binary, types.as_ref()).map_err(invalid)?;
    summary::list(&mut text, "features needed", &needed).expect("a string takes any text");
    if let Err(e) = Module::validate(&Engine::default(), &binary) {
        text.push_str(&format!("\nteff does not run this module: {e}\n"));
    }
    Ok(text)
}
