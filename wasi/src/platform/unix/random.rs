//! The host's cryptographic randomness.

use super::sys::last_error;
use crate::types::Errno;

/// By `getrandom`, or by the device where the kernel is older than that (Linux 3.17).
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn fill(mut buffer: &mut [u8]) -> Result<(), Errno> {
    while !buffer.is_empty() {
        // SAFETY: the buffer has the length that is passed.
        let filled = unsafe { libc::getrandom(buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        match usize::try_from(filled) {
            Ok(filled) => buffer = &mut buffer[filled..],
            Err(_) => match last_error() {
                Errno::Intr => {}
                Errno::Nosys => return from_device(buffer),
                error => return Err(error),
            },
        }
    }
    Ok(())
}

/// By `getentropy`, which takes at most 256 bytes.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn fill(buffer: &mut [u8]) -> Result<(), Errno> {
    for chunk in buffer.chunks_mut(256) {
        // SAFETY: the chunk has the length that is passed.
        if unsafe { libc::getentropy(chunk.as_mut_ptr().cast(), chunk.len()) } != 0 {
            return Err(last_error());
        }
    }
    Ok(())
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn from_device(buffer: &mut [u8]) -> Result<(), Errno> {
    use std::io::Read;

    Ok(std::fs::File::open("/dev/urandom")?.read_exact(buffer)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_filled() {
        for fill in [fill, from_device] {
            let mut seen = vec![0_u8; 100_000];
            // A byte that stays 0 in 16 rounds was not written, but for a chance of 2^-128.
            for _ in 0..16 {
                let mut buffer = vec![0; seen.len()];
                fill(&mut buffer).unwrap();
                seen.iter_mut()
                    .zip(&buffer)
                    .for_each(|(seen, byte)| *seen |= byte);
            }
            assert!(seen.iter().all(|byte| *byte != 0));
            fill(&mut []).unwrap();
        }
    }
}
