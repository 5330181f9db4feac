//! Keys that sign images, and their files: one line each, what the key is for and its bytes in hexadecimal.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use teff_runtime::{SigningKey, TrustedKey};

use crate::args::Keygen;
use crate::failure::{Failure, Result};

const SECRET: &str = "teff-secret-key";
const PUBLIC: &str = "teff-public-key";

/// `teff keygen`: a new secret key, and the public key beside it.
pub(crate) fn keygen(args: &Keygen) -> Result<()> {
    let mut seed = [0; 32];
    File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut seed))
        .map_err(|e| {
            Failure::message(format!("cannot read random bytes from /dev/urandom: {e}"))
        })?;
    let mut public = args.file.clone().into_os_string();
    public.push(".pub");
    let public = Path::new(&public);
    let key = SigningKey::from_seed(seed);
    create(&args.file, 0o600, SECRET, &seed)?;
    create(public, 0o644, PUBLIC, &key.public_key())?;
    println!(
        "{}: the secret key, for `teff compile --sign`; keep it\n{}: the public key, for `teff run --trusted-key`",
        args.file.display(),
        public.display()
    );
    Ok(())
}

/// The key that signs.
pub(crate) fn signing(path: &Path) -> Result<SigningKey> {
    read(path, SECRET).map(SigningKey::from_seed)
}

/// The key whose images are run, and no others.
pub(crate) fn trusted(path: &Path) -> Result<TrustedKey> {
    // SAFETY: whom to trust is up to who runs teff, who named the key for that.
    read(path, PUBLIC).map(|key| unsafe { TrustedKey::new(key) })
}

/// Writes a key to a file that is not there yet: nobody loses a key for a slip.
fn create(path: &Path, mode: u32, kind: &str, key: &[u8; 32]) -> Result<()> {
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(mode).open(path);
    file.and_then(|mut file| writeln!(file, "{kind} {hex}"))
        .map_err(|e| Failure::message(format!("cannot write the key {}: {e}", path.display())))
}

fn read(path: &Path, kind: &str) -> Result<[u8; 32]> {
    let text = fs::read_to_string(path)
        .map_err(|e| Failure::message(format!("cannot read the key {}: {e}", path.display())))?;
    let other = if kind == SECRET { PUBLIC } else { SECRET };
    let hint = if text.starts_with(other) {
        format!("it is a {other}, and a {kind} is needed")
    } else {
        format!("expected `{kind}` and 64 hexadecimal digits, as `teff keygen` writes")
    };
    let key = text.trim_end().strip_prefix(kind);
    key.and_then(|key| bytes_of(key.strip_prefix(' ')?))
        .ok_or_else(|| Failure::message(format!("{} is no such key: {hint}", path.display())))
}

fn bytes_of(hex: &str) -> Option<[u8; 32]> {
    if hex.len() != 64 || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::bytes_of;

    #[test]
    fn keys_in_hexadecimal() {
        let bytes = bytes_of(&"0aF1".repeat(16)).unwrap();
        assert_eq!(bytes[..4], [0x0a, 0xf1, 0x0a, 0xf1]);
        for wrong in [
            "",
            "0a",
            &"+f".repeat(32),
            &"0a".repeat(33),
            &"é".repeat(32),
        ] {
            assert_eq!(bytes_of(wrong), None, "{wrong}");
        }
    }
}
