//! What is there where nothing was granted: a file that is empty and takes everything, and a platform
//! without clocks and randomness.

use super::{
    Blocking, Clock, Errno, File, Filestat, Filetype, Platform, ReadBuffers, Source, WriteBuffers,
};

/// Empty to read; what is written to it is lost.
#[derive(Copy, Clone, Debug, Default)]
pub struct NullFile;

impl File for NullFile {
    fn filestat(&self) -> Result<Filestat, Errno> {
        Ok(Filestat {
            dev: 0,
            ino: 0,
            filetype: Filetype::Unknown,
            nlink: 1,
            size: 0,
            atim: 0,
            mtim: 0,
            ctim: 0,
        })
    }

    fn read(&self, _buffers: &mut ReadBuffers<'_>, _blocking: Blocking) -> Result<usize, Errno> {
        Ok(0)
    }

    fn write(&self, buffers: &mut WriteBuffers<'_>, _blocking: Blocking) -> Result<usize, Errno> {
        Ok(buffers.len())
    }
}

/// A machine of which nothing is known. Nobody can wait for anything on it.
#[derive(Copy, Clone, Debug, Default)]
pub struct NoPlatform;

impl Platform for NoPlatform {
    fn now(&self, _clock: Clock) -> Result<u64, Errno> {
        Err(Errno::Notsup)
    }

    fn resolution(&self, _clock: Clock) -> Result<u64, Errno> {
        Err(Errno::Notsup)
    }

    fn random(&self, _buffer: &mut [u8]) -> Result<(), Errno> {
        Err(Errno::Notsup)
    }

    fn wait(&self, _sources: &mut [Source], _timeout: Option<u64>) -> Result<(), Errno> {
        Err(Errno::Notsup)
    }
}
