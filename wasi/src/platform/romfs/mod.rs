//! Read-only trees in images of Linux's format `romfs`: a device's flash has one, a guest sees its files, and
//! nothing of it is copied to memory.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use teff_wasi::{DirPerms, FilePerms, WasiCtxBuilder, platform::romfs::{Builder, RomDir}};
//!
//! // On the machine that makes the image; `teff pack` does the same with a directory.
//! let mut builder = Builder::new("data");
//! builder.file("etc/motd", "hello\n")?.symlink("motd", "etc/motd")?;
//! let image: Vec<u8> = builder.build()?;
//!
//! // On the device. An image in its flash is a `&'static [u8]`, for which there is `RomDir::new`.
//! let tree = RomDir::from_owner(image)?;
//! assert_eq!(tree.contents("motd"), Ok(&b"hello\n"[..]));
//! let ctx = WasiCtxBuilder::new()
//!     .preopened_tree(tree, "/", DirPerms::READ, FilePerms::READ)
//!     .build();
//! # drop(ctx);
//! # Ok(())
//! # }
//! ```
//!
//! An image may come from `genromfs`, and what [`Builder`] makes has the layout that Linux's driver reads. The
//! format, all of whose numbers have 32 bits and begin with the highest byte:
//!
//! | what | at | has |
//! | --- | --- | --- |
//! | the image's head | 0 | `-rom1fs-`, the size, a checksum, the volume's name |
//! | a node's header | after it, and then anywhere | where the next one in its directory is and, in the low 4 bits, its type; a number that depends on the type; the size; a checksum; the name |
//! | a file's data | after its header | its bytes; of a link, its target |
//!
//! Everything begins at a multiple of 16 bytes. A directory's number is where the header of its first entry
//! is, a hard link's where the header is that it stands for. Checksums make the sum of the numbers that they
//! cover 0: of the first 512 bytes, and of a header.
//!
//! `image.rs` reads what is in an image, `tree.rs` and `file.rs` are what a guest has open, `pack.rs` makes
//! images.

#[cfg(all(test, unix, feature = "std"))]
mod damaged;
mod file;
mod image;
mod pack;
#[cfg(all(test, unix, feature = "std"))]
mod tests;
mod tree;

pub use self::{
    image::{HEAD, Invalid, image_size},
    pack::{Builder, PackError},
    tree::RomDir,
};

/// The first bytes of an image.
const MAGIC: &[u8; 8] = b"-rom1fs-";

/// What everything is aligned to.
const ALIGN: usize = 16;

/// Bytes of a header before the name, and of the image's head before the volume's name.
const HEADER: usize = 16;

/// So many bytes at the start of an image have a checksum.
const CHECKED: usize = 512;

/// The types of nodes.
mod kind {
    pub(super) const HARD_LINK: u32 = 0;
    pub(super) const DIRECTORY: u32 = 1;
    pub(super) const FILE: u32 = 2;
    pub(super) const SYMLINK: u32 = 3;
    pub(super) const BLOCK_DEVICE: u32 = 4;
    pub(super) const CHARACTER_DEVICE: u32 = 5;
    pub(super) const SOCKET: u32 = 6;

    /// The bits of a type.
    pub(super) const MASK: u32 = 7;
    /// The bit that says that a file is a program, or that a directory may be searched.
    pub(super) const EXECUTABLE: u32 = 8;
}

/// The sum of all numbers, which a checksum makes 0. Bytes that are no whole number do not count.
fn sum(bytes: &[u8]) -> u32 {
    let words = bytes.as_chunks::<4>().0.iter();
    words.fold(0, |sum, word| sum.wrapping_add(u32::from_be_bytes(*word)))
}
