//! The little of WASI preview 1 that the programs use, for engines that bring none (or not enough of it): arguments, an
//! empty environment, clocks, random numbers, the three standard streams, and the end. There are no directories.
//! It knows no engine: memory is a trait, arguments are 64-bit words.

pub mod stages;

use std::io::{Read, Write};
use std::time::{Duration, Instant, SystemTime};

/// The linear memory of the guest.
pub trait Memory {
    /// Reads bytes; false if they are not all inside.
    fn read(&self, at: u32, bytes: &mut [u8]) -> bool;
    /// Writes bytes; false if they are not all inside.
    fn write(&mut self, at: u32, bytes: &[u8]) -> bool;
}

/// A memory that the engine gives as a slice.
pub struct Bytes<'a>(pub &'a mut [u8]);

impl Memory for Bytes<'_> {
    fn read(&self, at: u32, bytes: &mut [u8]) -> bool {
        let from = self
            .0
            .get(at as usize..)
            .and_then(|rest| rest.get(..bytes.len()));
        from.map(|from| bytes.copy_from_slice(from)).is_some()
    }

    fn write(&mut self, at: u32, bytes: &[u8]) -> bool {
        let rest = self.0.get_mut(at as usize..);
        let to = rest.and_then(|rest| rest.get_mut(..bytes.len()));
        to.map(|to| to.copy_from_slice(bytes)).is_some()
    }
}

/// The type of a parameter.
#[derive(Copy, Clone, PartialEq, Eq)]
pub enum Type {
    I32,
    I64,
}

/// A number of the specification.
type Errno = u32;
const SUCCESS: Errno = 0;
const BADF: Errno = 8;
const FAULT: Errno = 21;
const INVAL: Errno = 28;
const IO: Errno = 29;
const NOSYS: Errno = 52;

/// A function of WASI.
#[derive(Copy, Clone)]
pub struct Function {
    pub name: &'static str,
    /// A letter for each parameter: i for i32, I for i64.
    parameters: &'static str,
    call: fn(&Wasi, &mut dyn Memory, &[u64]) -> Result<(), Errno>,
}

/// What a program sees of the system.
pub struct Wasi {
    args: Vec<Vec<u8>>,
    started: Instant,
}

/// The module's name in imports.
pub const MODULE: &str = "wasi_snapshot_preview1";

impl Function {
    pub fn parameters(&self) -> impl Iterator<Item = Type> {
        self.parameters.chars().map(|letter| match letter {
            'I' => Type::I64,
            _ => Type::I32,
        })
    }

    /// Whether it returns an error number; only `proc_exit` does not.
    pub fn has_result(&self) -> bool {
        self.name != "proc_exit"
    }

    /// Wasm3's notation, such as `i(iIi)`.
    pub fn signature(&self) -> String {
        let result = if self.has_result() { 'i' } else { 'v' };
        format!("{result}({})", self.parameters)
    }

    /// Calls it; `proc_exit` ends this process.
    pub fn call(&self, wasi: &Wasi, memory: &mut dyn Memory, args: &[u64]) -> Errno {
        (self.call)(wasi, memory, args).err().unwrap_or(SUCCESS)
    }

    pub const ALL: &[Self] = &[
        function("args_sizes_get", "ii", |wasi, memory, args| {
            let bytes: usize = wasi.args.iter().map(|arg| arg.len() + 1).sum();
            put(memory, args[0], &(wasi.args.len() as u32).to_le_bytes())?;
            put(memory, args[1], &(bytes as u32).to_le_bytes())
        }),
        function("args_get", "ii", |wasi, memory, args| {
            let (mut list, mut text) = (args[0], args[1]);
            for arg in &wasi.args {
                put(memory, list, &(text as u32).to_le_bytes())?;
                put(memory, text, arg)?;
                put(memory, text + arg.len() as u64, &[0])?;
                list += 4;
                text += arg.len() as u64 + 1;
            }
            Ok(())
        }),
        function("environ_sizes_get", "ii", |_, memory, args| {
            put(memory, args[0], &[0; 4])?;
            put(memory, args[1], &[0; 4])
        }),
        function("environ_get", "ii", |_, _, _| Ok(())),
        function("clock_res_get", "ii", |_, memory, args| {
            put(memory, args[1], &1000u64.to_le_bytes())
        }),
        function("clock_time_get", "iIi", |wasi, memory, args| {
            let time = if args[0] as u32 == 0 {
                let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
                since.unwrap_or_default()
            } else {
                wasi.started.elapsed()
            };
            put(memory, args[2], &(time.as_nanos() as u64).to_le_bytes())
        }),
        function("random_get", "ii", |wasi, memory, args| {
            // The programs only seed hash tables by it.
            let mut state = wasi.started.elapsed().as_nanos() as u64 | 1;
            for offset in 0..args[1] as u32 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                put(memory, args[0] + u64::from(offset), &[state as u8])?;
            }
            Ok(())
        }),
        function("sched_yield", "", |_, _, _| Ok(())),
        function("poll_oneoff", "iiii", poll),
        function("fd_write", "iiii", |_, memory, args| {
            let fd = args[0] as u32;
            let mut written = 0u32;
            for part in 0..args[2] as u32 {
                let at = args[1] + u64::from(part) * 8;
                let (start, length) = (get32(memory, at)?, get32(memory, at + 4)?);
                let bytes = get(memory, start, length)?;
                let done = match fd {
                    1 => std::io::stdout().write_all(&bytes),
                    2 => std::io::stderr().write_all(&bytes),
                    _ => return Err(BADF),
                };
                done.map_err(|_| IO)?;
                written += length;
            }
            put(memory, args[3], &written.to_le_bytes())
        }),
        function("fd_read", "iiii", |_, memory, args| {
            if args[0] as u32 != 0 {
                return Err(BADF);
            }
            let mut read = 0u32;
            for part in 0..args[2] as u32 {
                let at = args[1] + u64::from(part) * 8;
                let (start, length) = (get32(memory, at)?, get32(memory, at + 4)?);
                let mut bytes = get(memory, start, length)?;
                let count = std::io::stdin().read(&mut bytes).map_err(|_| IO)?;
                put(memory, u64::from(start), &bytes[..count])?;
                read += count as u32;
                if count < bytes.len() {
                    break;
                }
            }
            put(memory, args[3], &read.to_le_bytes())
        }),
        function("fd_fdstat_get", "ii", |_, memory, args| {
            if args[0] as u32 > 2 {
                return Err(BADF);
            }
            // A character device with all rights.
            let mut stat = [0u8; 24];
            stat[0] = 2;
            stat[8..].fill(0xff);
            put(memory, args[1], &stat)
        }),
        function("fd_fdstat_set_flags", "ii", |_, _, _| Ok(())),
        function("fd_filestat_get", "ii", |_, memory, args| {
            if args[0] as u32 > 2 {
                return Err(BADF);
            }
            let mut stat = [0u8; 64];
            stat[16] = 2;
            put(memory, args[1], &stat)
        }),
        function("fd_close", "i", |_, _, _| Ok(())),
        function("fd_seek", "iIii", |_, _, _| Err(NOSYS)),
        function("fd_prestat_get", "ii", |_, _, _| Err(BADF)),
        function("fd_prestat_dir_name", "iii", |_, _, _| Err(BADF)),
        function("proc_exit", "i", |_, _, args| {
            std::process::exit(args[0] as u32 as i32)
        }),
        function("fd_advise", "iIIi", nosys),
        function("fd_allocate", "iII", nosys),
        function("fd_datasync", "i", nosys),
        function("fd_fdstat_set_rights", "iII", nosys),
        function("fd_filestat_set_size", "iI", nosys),
        function("fd_filestat_set_times", "iIIi", nosys),
        function("fd_pread", "iiiIi", nosys),
        function("fd_pwrite", "iiiIi", nosys),
        function("fd_readdir", "iiiIi", nosys),
        function("fd_renumber", "ii", nosys),
        function("fd_sync", "i", nosys),
        function("fd_tell", "ii", nosys),
        function("path_create_directory", "iii", nosys),
        function("path_filestat_get", "iiiii", nosys),
        function("path_filestat_set_times", "iiiiIIi", nosys),
        function("path_link", "iiiiiii", nosys),
        function("path_open", "iiiiiIIii", nosys),
        function("path_readlink", "iiiiii", nosys),
        function("path_remove_directory", "iii", nosys),
        function("path_rename", "iiiiii", nosys),
        function("path_symlink", "iiiii", nosys),
        function("path_unlink_file", "iii", nosys),
        function("proc_raise", "i", nosys),
        function("sock_accept", "iii", nosys),
        function("sock_recv", "iiiiii", nosys),
        function("sock_send", "iiiii", nosys),
        function("sock_shutdown", "ii", nosys),
    ];
}

const fn function(
    name: &'static str,
    parameters: &'static str,
    call: fn(&Wasi, &mut dyn Memory, &[u64]) -> Result<(), Errno>,
) -> Function {
    Function {
        name,
        parameters,
        call,
    }
}

impl Wasi {
    pub fn new(args: &[String]) -> Self {
        Self {
            args: args.iter().map(|arg| arg.clone().into_bytes()).collect(),
            started: Instant::now(),
        }
    }
}

fn nosys(_: &Wasi, _: &mut dyn Memory, _: &[u64]) -> Result<(), Errno> {
    Err(NOSYS)
}

/// Waits for the first clock among the subscriptions; streams are always ready.
fn poll(wasi: &Wasi, memory: &mut dyn Memory, args: &[u64]) -> Result<(), Errno> {
    let (subscriptions, events, count) = (args[0], args[1], args[2] as u32);
    if count == 0 {
        return Err(INVAL);
    }
    let mut shortest = None;
    let mut stored = 0u32;
    let mut event = |memory: &mut dyn Memory, user: u64, kind: u8| -> Result<(), Errno> {
        let mut bytes = [0u8; 32];
        bytes[..8].copy_from_slice(&user.to_le_bytes());
        bytes[10] = kind;
        put(memory, events + u64::from(stored) * 32, &bytes)?;
        stored += 1;
        Ok(())
    };
    for index in 0..count {
        let at = subscriptions + u64::from(index) * 48;
        let user = get64(memory, at)?;
        let kind = get(memory, (at + 8) as u32, 1)?[0];
        if kind != 0 {
            event(memory, user, kind)?;
            continue;
        }
        let timeout = get64(memory, at + 24)?;
        let absolute = get(memory, (at + 40) as u32, 1)?[0] & 1 != 0;
        let wait = if absolute {
            timeout.saturating_sub(wasi.started.elapsed().as_nanos() as u64)
        } else {
            timeout
        };
        if shortest.is_none_or(|(least, _)| wait < least) {
            shortest = Some((wait, user));
        }
    }
    if let Some((wait, user)) = shortest {
        std::thread::sleep(Duration::from_nanos(wait));
        event(memory, user, 0)?;
    }
    put(memory, args[3], &stored.to_le_bytes())
}

fn put(memory: &mut dyn Memory, at: u64, bytes: &[u8]) -> Result<(), Errno> {
    let inside = u32::try_from(at).is_ok_and(|at| memory.write(at, bytes));
    if inside { Ok(()) } else { Err(FAULT) }
}

fn get(memory: &dyn Memory, at: u32, length: u32) -> Result<Vec<u8>, Errno> {
    let mut bytes = vec![0; length as usize];
    if memory.read(at, &mut bytes) {
        Ok(bytes)
    } else {
        Err(FAULT)
    }
}

fn get32(memory: &dyn Memory, at: u64) -> Result<u32, Errno> {
    let mut bytes = [0; 4];
    let inside = u32::try_from(at).is_ok_and(|at| memory.read(at, &mut bytes));
    if inside {
        Ok(u32::from_le_bytes(bytes))
    } else {
        Err(FAULT)
    }
}

fn get64(memory: &dyn Memory, at: u64) -> Result<u64, Errno> {
    Ok(u64::from(get32(memory, at)?) | u64::from(get32(memory, at + 4)?) << 32)
}

/// What the command line of a peer asks for.
pub enum Request<'a> {
    /// The version of the engine.
    Version,
    /// Run the module that is the first argument; all of them are the program's.
    Run(&'a [String]),
    /// Load the module and make instances, and tell the memory at each stage; with everything translated if `eager`.
    Memory { path: &'a str, eager: bool },
}

/// Reads `--version`, `--memory MODULE`, `--memory-eager MODULE` or `MODULE [ARGUMENT…]`.
pub fn request(args: &[String]) -> Result<Request<'_>, String> {
    match args {
        [version] if version == "--version" => Ok(Request::Version),
        [memory, path] if memory == "--memory" => Ok(Request::Memory { path, eager: false }),
        [memory, path] if memory == "--memory-eager" => Ok(Request::Memory { path, eager: true }),
        [] => Err("usage: MODULE [ARGUMENT…]".to_owned()),
        args => Ok(Request::Run(args)),
    }
}

/// The bytes of a module.
pub fn read(path: &str) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("{path}: {error}"))
}
