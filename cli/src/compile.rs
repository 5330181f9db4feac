//! `teff compile`: a module as an image, whose code is translated already.

use teff_runtime::{Config, Engine, ImageInfo};

use crate::args::Compile;
use crate::failure::{Failure, Result};
use crate::keys;
use crate::load::Source;
use crate::output::write;

pub(crate) fn compile(args: &Compile) -> Result<()> {
    let source = Source::open(&args.file)?;
    if source.is_image() {
        return Err(Failure::message(format!(
            "{} is an image already: compile the Wasm module that it was made of",
            args.file.display()
        )));
    }
    let mut config = Config::new();
    if let Some(target) = &args.target {
        config.target(target).map_err(Failure::message)?;
    }
    config.consume_fuel(args.metered);
    let engine = Engine::new(&config).map_err(Failure::message)?;
    let module = source.module(&engine)?;
    let image = module
        .serialize()
        .map_err(|e| Failure::message(format!("{}: {e}", args.file.display())))?;
    let image = match &args.sign {
        Some(key) => keys::signing(key)?.sign(&image).map_err(Failure::message)?,
        None => image,
    };
    write(&args.output, &image)?;
    let info = ImageInfo::read(&image).map_err(Failure::message)?;
    println!(
        "{}: {} bytes, {} of them code of the class {}",
        args.output.display(),
        image.len(),
        info.code,
        info.class
    );
    Ok(())
}
