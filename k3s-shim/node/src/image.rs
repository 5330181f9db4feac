//! `teff-shim image`: an image of a module, without Docker and without a registry.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::install;
use crate::oci::{Image, Recipe, architecture, full_name};
use crate::verify::probe;

/// Make an image of a module, as an archive that containerd imports.
///
/// Needs neither Docker nor a registry. The image has the module at its root and runs it. With --installer, it is that of
/// the DaemonSet in k3s-shim/deploy instead: the programs of the folder where this program lies (or --from).
///
/// Examples:
///   teff-shim image hello.wasm --name localhost/hello:1 | k3s ctr images import -
///   teff-shim image hello.wasm --name localhost/hello:1 --file data.json=/data.json -o hello.tar
///   teff-shim image --installer -o teff-shim.tar
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The module, binary (.wasm) or text (.wat).
    #[arg(required_unless_present = "installer", conflicts_with = "installer")]
    module: Option<PathBuf>,
    /// The image's name; without it, localhost/ and the module's name.
    #[arg(long)]
    name: Option<String>,
    /// Another file for the image, and its path there.
    #[arg(long, value_name = "FILE=PATH", conflicts_with = "installer")]
    file: Vec<String>,
    /// The nodes' processor: amd64, arm64, arm, riscv64. Modules run on any, but containerd takes only images of its own.
    #[arg(long, default_value = architecture())]
    arch: String,
    /// Where the archive goes; without it, to standard output.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Make the image of the installer.
    #[arg(long)]
    installer: bool,
    /// The folder with the installer's programs, which must be those of the nodes' processor, linked statically.
    #[arg(long, value_name = "DIR", requires = "installer")]
    from: Option<PathBuf>,
}

/// Does it.
pub(crate) fn run(args: &Args) -> Result<()> {
    let (name, archive) = match &args.module {
        Some(module) => of_module(args, module)?,
        None => of_installer(args)?,
    };
    match &args.output {
        Some(path) => {
            fs::write(path, archive).with_context(|| path.display().to_string())?;
            println!("{}: image {name}", path.display());
        }
        None => {
            ensure!(
                !io::IsTerminal::is_terminal(&io::stdout()),
                "the archive is not for a terminal: name a file with --output, or pipe it to `ctr images import -`"
            );
            io::stdout()
                .lock()
                .write_all(&archive)
                .context("standard output")?;
        }
    }
    Ok(())
}

fn of_module(args: &Args, module: &Path) -> Result<(String, Vec<u8>)> {
    let file = module.file_name().and_then(|name| name.to_str());
    let file = file.with_context(|| format!("{}: this is no file", module.display()))?;
    let name = match &args.name {
        Some(name) => full_name(name)?,
        None => {
            let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
            full_name(&format!("localhost/{}", stem.to_lowercase()))?
        }
    };
    let bytes = read(module)?;
    let path = format!("/{file}");
    // Better seen here than on the node.
    let binary = wat::parse_bytes(&bytes).map_err(|mut e| {
        e.set_path(module);
        anyhow::anyhow!("{e}")
    })?;
    match binary.get(..8) {
        Some(b"\0asm\x01\0\0\0") => {}
        Some([0, b'a', b's', b'm', ..]) => bail!(
            "{}: this is a component, and teff runs core modules only; compile for wasm32-wasip1",
            module.display()
        ),
        _ => bail!("{}: this is no module", module.display()),
    }
    drop(binary);
    let mut files = vec![(path.as_str(), true, bytes)];
    for pair in &args.file {
        let (source, target) = pair
            .split_once('=')
            .filter(|(_, target)| {
                target.starts_with('/') && !target.split('/').any(|part| part == "..")
            })
            .with_context(|| format!("--file {pair}: FILE=/PATH is wanted"))?;
        files.push((target, false, read(Path::new(source))?));
    }
    let recipe = Recipe {
        files,
        entrypoint: std::slice::from_ref(&path),
        architecture: &args.arch,
        time: 0,
    };
    let archive = Image::new(&recipe)?.archive(&name)?;
    Ok((name, archive))
}

/// The probe's module is in it too, so that every node that was installed from it has it.
fn of_installer(args: &Args) -> Result<(String, Vec<u8>)> {
    let name = match &args.name {
        Some(name) => full_name(name)?,
        None => INSTALLER.into(),
    };
    let from = match &args.from {
        Some(folder) => folder.clone(),
        None => install::own_folder()?,
    };
    let mut files = vec![(probe::PATH, true, probe::module()?)];
    let paths = install::PROGRAMS.map(|program| format!("/{program}"));
    for (program, path) in install::PROGRAMS.iter().zip(&paths) {
        let bytes = read(&from.join(program))?;
        ensure!(
            bytes.starts_with(b"\x7fELF"),
            "{}: this is no program",
            from.join(program).display()
        );
        ensure!(
            is_static(&bytes),
            "{}: it needs shared libraries, and there are none in the image; take the static programs of a release",
            from.join(program).display()
        );
        files.push((path, true, bytes));
    }
    let recipe = Recipe {
        files,
        entrypoint: &paths[1..],
        architecture: &args.arch,
        time: 0,
    };
    let archive = Image::new(&recipe)?.archive(&name)?;
    Ok((name, archive))
}

/// The name of the installer's image in k3s-shim/deploy.
pub(crate) const INSTALLER: &str = concat!("localhost/teff-shim:", env!("CARGO_PKG_VERSION"));

/// Programs with an interpreter name it in a header of this type.
const PT_INTERP: u32 = 3;

/// Does a little-endian ELF program run without a dynamic linker?
fn is_static(elf: &[u8]) -> bool {
    let number = |at: usize, size: usize| -> Option<u64> {
        let bytes = elf.get(at..at.checked_add(size)?)?;
        Some(
            bytes
                .iter()
                .rev()
                .fold(0, |number, byte| number << 8 | u64::from(*byte)),
        )
    };
    let headers = || -> Option<bool> {
        let (table, size, count) = match elf.get(4)? {
            2 => (number(0x20, 8)?, number(0x36, 2)?, number(0x38, 2)?),
            _ => (number(0x1c, 4)?, number(0x2a, 2)?, number(0x2c, 2)?),
        };
        let mut has = false;
        for index in 0..count {
            has |= number(usize::try_from(table + index * size).ok()?, 4)? == u64::from(PT_INTERP);
        }
        Some(!has)
    };
    headers().unwrap_or(false)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_that_need_a_linker_are_known() {
        let own = fs::read(std::env::current_exe().unwrap()).unwrap();
        // A test is linked as this target links programs.
        assert_eq!(is_static(&own), cfg!(target_feature = "crt-static"));
        let mut cut = own;
        cut.truncate(70);
        assert!(!is_static(&cut), "what cannot be read is not static");
        assert!(!is_static(b"\x7fELF"));
    }
}
