//! `teff inspect`: what a module has and needs, or its register code. Also works for modules that teff
//! does not run.

use std::io::{self, Write};
use std::path::Path;

use teff_runtime::{CodeForm, CompilationMode, Config, Engine, MemoryReport, Module};

use crate::args::Inspect;
use crate::failure::{Failure, Result};
use crate::load::Source;
use crate::{features, image, ir, summary};

pub(crate) fn inspect(args: &Inspect) -> Result<()> {
    let source = Source::open(&args.file)?;
    let text = match &args.ir {
        Some(func) if source.is_image() => image::code(&source, func)?,
        None if source.is_image() => image::overview(&source)?,
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
    match memory(&binary) {
        Ok(lines) => {
            summary::list(&mut text, "in memory", &lines).expect("a string takes any text")
        }
        Err(e) => text.push_str(&format!("\nteff does not run this module: {e}\n")),
    }
    Ok(text)
}

/// What the module takes in memory when all of it is translated.
fn memory(binary: &[u8]) -> teff_runtime::Result<Vec<String>> {
    let report = |form| -> teff_runtime::Result<MemoryReport> {
        let mut config = Config::new();
        config
            .code_form(form)
            .compilation_mode(CompilationMode::Eager);
        let module = Module::new(&Engine::new(&config)?, binary)?;
        Ok(module.memory_report())
    };
    let mut lines = Vec::new();
    for (form, name) in [(CodeForm::Direct, "direct"), (CodeForm::Compact, "compact")] {
        let report = report(form)?;
        if lines.is_empty() {
            lines.push(format!(
                "tables: {} bytes, {} of them for {} functions",
                report.tables, report.function_tables, report.functions
            ));
        }
        let ratio = report.code as f64 / (report.bodies as f64).max(1.0);
        lines.push(format!(
            "{name} code: {} bytes when all is translated, {ratio:.2} for each byte of function bodies",
            report.code
        ));
    }
    Ok(lines)
}
