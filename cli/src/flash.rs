//! Trees of files that are none of the host's: images, mapped or read, and directories in memory.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::ptr::{self, NonNull};
use std::slice;
use std::time::{SystemTime, UNIX_EPOCH};

use teff_wasi::platform::memory::MemoryDir;
use teff_wasi::platform::romfs::{HEAD, Invalid, RomDir, image_size};
use teff_wasi::{DirPerms, FilePerms, WasiCtxBuilder};

use crate::args::Run;
use crate::failure::{Failure, Result};

/// Grants what `--flash` and `--tmpfs` say.
pub(crate) fn grant(builder: &mut WasiCtxBuilder, args: &Run) -> Result<()> {
    for image in &args.flash {
        let tree = open(&image.host)
            .map_err(|why| Failure::message(format!("--flash {}: {why}", image.host.display())))?;
        // The image itself answers who would write: that it is read-only, as a host's mount does.
        builder.preopened_tree(tree, &image.guest, DirPerms::all(), FilePerms::all());
    }
    for tmpfs in &args.tmpfs {
        let mut tree = MemoryDir::builder().limit(tmpfs.size as u64);
        if args.has_clocks() {
            // A file's times would tell the time.
            tree = tree.clock(now);
        }
        builder.preopened_tree(
            tree.build(),
            &tmpfs.guest,
            DirPerms::all(),
            FilePerms::all(),
        );
    }
    Ok(())
}

/// Nanoseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    })
}

/// The tree of an image; or what is wrong, for a message.
fn open(path: &Path) -> std::result::Result<RomDir, String> {
    let unreadable = |error: io::Error| format!("cannot read it: {error}");
    let mut file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(
            "it is a directory; `teff pack` makes an image of one, and --dir grants it".into(),
        );
    }
    let mapping = match metadata.is_file() {
        true => Mapping::new(&file, metadata.len()),
        false => None,
    };
    let tree = match mapping {
        Some(mapping) => RomDir::from_owner(mapping),
        None => read(&mut file)
            .map_err(unreadable)
            .map(RomDir::from_owner)?,
    };
    tree.map_err(|invalid| match invalid {
        Invalid::Magic => format!("{invalid}; `teff pack DIR -o IMAGE` makes one"),
        _ => invalid.to_string(),
    })
}

/// What cannot be mapped, such as a device, is read: the image, and not what is after it.
fn read(file: &mut File) -> io::Result<Vec<u8>> {
    let mut image = Vec::new();
    file.take(HEAD as u64).read_to_end(&mut image)?;
    if let Ok(size) = image_size(&image) {
        let rest = u64::from(size).saturating_sub(image.len() as u64);
        file.take(rest).read_to_end(&mut image)?;
    }
    Ok(image)
}

/// A file that the system has mapped, for reading.
struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: nobody writes through it, and it may be unmapped from any thread.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps a file, if it can be mapped.
    fn new(file: &File, len: u64) -> Option<Self> {
        let len = usize::try_from(len).ok().filter(|len| *len > 0)?;
        // SAFETY: the system chooses a place where nothing is; the descriptor is open.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                len,
                libc::PROT_READ,
                libc::MAP_PRIVATE,
                file.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return None;
        }
        let start = NonNull::new(start.cast())?;
        Some(Self { start, len })
    }
}

impl AsRef<[u8]> for Mapping {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the mapping has `len` bytes and stays until `self` is dropped. That the file is not changed
        // while it is mapped is up to who runs teff, as it is with the module.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: it was mapped with this length, and nobody has a reference to it any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}
