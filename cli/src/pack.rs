//! `teff pack`: a directory of the host as an image. Knows the host's files; leaves the format to `teff-wasi`.

use std::collections::HashMap;
use std::fs::{self, FileType, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;

use teff_wasi::platform::romfs::{Builder, PackError, image_size};

use crate::args::Pack;
use crate::failure::{Failure, Result};
use crate::output::write;

pub(crate) fn pack(args: &Pack) -> Result<()> {
    let shown = args.dir.display();
    let metadata = fs::metadata(&args.dir).map_err(|e| unreadable(&args.dir, &e))?;
    if !metadata.is_dir() {
        return Err(Failure::message(format!(
            "cannot pack {shown}: it is no directory"
        )));
    }
    let volume = match &args.volume {
        Some(volume) => volume.as_bytes().to_vec(),
        None => volume(&args.dir),
    };
    let mut packer = Packer {
        builder: Builder::new(volume),
        names: HashMap::new(),
        output: fs::metadata(&args.output).ok().map(|found| id(&found)),
        files: 0,
        dirs: 0,
        links: 0,
    };
    packer.dir(&args.dir, b"")?;
    let counts = [
        (packer.files, "file", "files"),
        (packer.dirs, "directory", "directories"),
        (packer.links, "symbolic link", "symbolic links"),
    ];
    let image = packer
        .builder
        .build()
        .map_err(|e| Failure::message(format!("cannot pack {shown}: {e}")))?;
    write(&args.output, &image)?;
    let output = args.output.display();
    let counts: Vec<_> = counts
        .iter()
        .map(|(n, one, many)| format!("{n} {}", if *n == 1 { one } else { many }))
        .collect();
    let bytes = image_size(&image).unwrap_or(0);
    println!("{output}: {}, {bytes} bytes", counts.join(", "));
    Ok(())
}

/// The directory's own name, also if it was given as `.`.
fn volume(dir: &Path) -> Vec<u8> {
    let path = dir.canonicalize().unwrap_or_else(|_| dir.into());
    let name = path.file_name().unwrap_or_default();
    name.as_bytes().to_vec()
}

/// What makes a file the same as another one.
type Id = (u64, u64);

fn id(metadata: &Metadata) -> Id {
    (metadata.dev(), metadata.ino())
}

/// What has been packed so far.
struct Packer {
    builder: Builder<'static>,
    /// Files that have other names, with the first of them.
    names: HashMap<Id, Vec<u8>>,
    /// The image itself, if it is there already: it may be in the directory.
    output: Option<Id>,
    files: usize,
    dirs: usize,
    links: usize,
}

impl Packer {
    /// Packs what is in a directory, which is at `path` in the image.
    fn dir(&mut self, host: &Path, path: &[u8]) -> Result<()> {
        let entries = fs::read_dir(host).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let mut names: Vec<_> = entries
            .map_err(|e| unreadable(host, &e))?
            .iter()
            .map(fs::DirEntry::file_name)
            .collect();
        names.sort();
        for name in names {
            let mut inner = path.to_vec();
            if !inner.is_empty() {
                inner.push(b'/');
            }
            inner.extend_from_slice(name.as_bytes());
            self.entry(&host.join(&name), &inner)?;
        }
        Ok(())
    }

    fn entry(&mut self, host: &Path, path: &[u8]) -> Result<()> {
        let metadata = fs::symlink_metadata(host).map_err(|e| unreadable(host, &e))?;
        let kind = metadata.file_type();
        if kind.is_dir() {
            self.dirs += 1;
            added(host, self.builder.dir(path))?;
            return self.dir(host, path);
        }
        if kind.is_symlink() {
            self.links += 1;
            let target = fs::read_link(host).map_err(|e| unreadable(host, &e))?;
            let target = target.as_os_str().as_bytes();
            return added(host, self.builder.symlink(path, target));
        }
        if !kind.is_file() {
            return Err(Failure::message(format!(
                "cannot pack {}: it is {}, and an image has files, directories and symbolic links",
                host.display(),
                name_of(kind)
            )));
        }
        let id = id(&metadata);
        if self.output == Some(id) {
            return Ok(());
        }
        self.files += 1;
        if let Some(first) = self.names.get(&id) {
            return added(host, self.builder.hard_link(path, first));
        }
        if metadata.nlink() > 1 {
            self.names.insert(id, path.to_vec());
        }
        let contents = fs::read(host).map_err(|e| unreadable(host, &e))?;
        let executable = metadata.permissions().mode() & 0o111 != 0;
        added(host, self.builder.add_file(path, contents, executable))
    }
}

/// The result of adding something, with the host's name for it.
fn added(host: &Path, result: std::result::Result<&mut Builder<'_>, PackError>) -> Result<()> {
    match result {
        Ok(_) => Ok(()),
        Err(error) => Err(Failure::message(format!(
            "cannot pack {}: {error}",
            host.display()
        ))),
    }
}

fn name_of(kind: FileType) -> &'static str {
    if kind.is_socket() {
        "a socket"
    } else if kind.is_fifo() {
        "a pipe"
    } else {
        "a device"
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::message(format!("cannot read {}: {error}", path.display()))
}
