//! Content by its digest: straight from the files of containerd's content store where they can be read, else through
//! containerd. Knows digests, and nothing of what the content means.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256, Sha512};

use super::containerd::Containerd;

/// The largest manifest or index that is taken.
const LARGEST_DOCUMENT: u64 = 8 << 20;

/// The content store.
pub(crate) struct Store<'a> {
    containerd: &'a Containerd,
    root: Option<PathBuf>,
}

impl<'a> Store<'a> {
    /// The content store of this containerd.
    pub(crate) async fn of(containerd: &'a Containerd) -> Self {
        Self {
            root: containerd.content_root().await,
            containerd,
        }
    }

    /// A small document, checked against its digest.
    pub(crate) async fn document(&self, digest: &str) -> Result<Vec<u8>> {
        let mut hash = Hash::of(digest)?;
        let mut bytes = Vec::new();
        let too_large = || {
            format!(
                "content {digest}: a manifest of more than {LARGEST_DOCUMENT} bytes is not taken"
            )
        };
        if let Some(file) = self.file(digest) {
            file.1
                .take(LARGEST_DOCUMENT + 1)
                .read_to_end(&mut bytes)
                .context(file.0.display().to_string())?;
            ensure!(bytes.len() as u64 <= LARGEST_DOCUMENT, too_large());
        } else {
            let mut pieces = self.containerd.read(digest, 0).await?;
            while let Some(piece) = pieces
                .message()
                .await
                .with_context(|| format!("content {digest}"))?
            {
                bytes.extend_from_slice(&piece.data);
                ensure!(bytes.len() as u64 <= LARGEST_DOCUMENT, too_large());
            }
        }
        hash.update(&bytes);
        hash.check()?;
        Ok(bytes)
    }

    /// A file with a blob: the store's own, so that all containers of an image share its pages; or else a copy at `copy`.
    pub(crate) async fn blob(&self, digest: &str, size: u64, copy: &Path) -> Result<PathBuf> {
        if let Some((path, file)) = self.file(digest)
            && file.metadata().is_ok_and(|metadata| metadata.len() == size)
        {
            return Ok(path);
        }
        let directory = copy
            .parent()
            .filter(|parent| *parent != Path::new(""))
            .unwrap_or(Path::new("."));
        // Under another name until it is whole: whoever finds the file finds all of it.
        let name = copy
            .file_name()
            .with_context(|| format!("--output {}: this is no file name", copy.display()))?;
        let part = directory.join(format!(
            ".{}.{}",
            name.to_string_lossy(),
            std::process::id()
        ));
        let result = self
            .copy(digest, size, &part)
            .await
            .and_then(|()| fs::rename(&part, copy).with_context(|| copy.display().to_string()));
        if result.is_err() {
            let _ = fs::remove_file(&part);
        }
        result.map(|()| copy.to_path_buf())
    }

    /// Has containerd send a blob.
    async fn copy(&self, digest: &str, size: u64, to: &Path) -> Result<()> {
        let mut hash = Hash::of(digest)?;
        let mut pieces = self.containerd.read(digest, 0).await?;
        let mut file = File::create(to).with_context(|| to.display().to_string())?;
        let mut written = 0;
        while let Some(piece) = pieces
            .message()
            .await
            .with_context(|| format!("content {digest}"))?
        {
            file.write_all(&piece.data)
                .with_context(|| to.display().to_string())?;
            hash.update(&piece.data);
            written += piece.data.len() as u64;
            ensure!(
                written <= size,
                "content {digest}: it is longer than the {size} bytes that its manifest says"
            );
        }
        ensure!(
            written == size,
            "content {digest}: {written} bytes came of the {size} that its manifest says"
        );
        hash.check()
    }

    /// The store's file with a blob, if it can be read.
    fn file(&self, digest: &str) -> Option<(PathBuf, File)> {
        let (algorithm, hex) = parts(digest).ok()?;
        let path = self.root.as_ref()?.join("blobs").join(algorithm).join(hex);
        let file = File::open(&path).ok()?;
        Some((path, file))
    }
}

/// `algorithm:hex`; both become parts of a path.
fn parts(digest: &str) -> Result<(&str, &str)> {
    let (algorithm, hex) = digest.split_once(':').unwrap_or((digest, ""));
    let length = match algorithm {
        "sha256" => 64,
        "sha512" => 128,
        _ => bail!("digest {digest:?}: only sha256 and sha512 are known"),
    };
    let is_hex = hex
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    ensure!(
        hex.len() == length && is_hex,
        "digest {digest:?}: it is not {length} lower-case hexadecimal digits"
    );
    Ok((algorithm, hex))
}

/// A digest that is being computed, and what it has to be.
struct Hash<'a> {
    state: State,
    expected: &'a str,
}

enum State {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl<'a> Hash<'a> {
    fn of(digest: &'a str) -> Result<Self> {
        let state = match parts(digest)?.0 {
            "sha512" => State::Sha512(Sha512::new()),
            _ => State::Sha256(Sha256::new()),
        };
        Ok(Self {
            state,
            expected: digest,
        })
    }

    fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Sha256(state) => state.update(bytes),
            State::Sha512(state) => state.update(bytes),
        }
    }

    fn check(self) -> Result<()> {
        let hash = match self.state {
            State::Sha256(state) => state.finalize().to_vec(),
            State::Sha512(state) => state.finalize().to_vec(),
        };
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        ensure!(
            self.expected.ends_with(&format!(":{hex}")),
            "content {}: what came has the digest {hex}: the content store is damaged",
            self.expected
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn digests() {
        assert_eq!(parts(EMPTY).unwrap().0, "sha256");
        for wrong in [
            "",
            "sha256",
            "sha256:",
            "sha256:../../etc/passwd",
            "md5:00",
            &EMPTY.to_uppercase(),
        ] {
            assert!(parts(wrong).is_err(), "{wrong}");
        }
        Hash::of(EMPTY).unwrap().check().unwrap();
        let mut hash = Hash::of(EMPTY).unwrap();
        hash.update(b"x");
        assert!(hash.check().unwrap_err().to_string().contains("damaged"));
    }
}
