//! The builder, which says what a guest is granted. What only Unix has is in `builder/unix.rs`.

#[cfg(all(unix, feature = "std"))]
mod unix;

use alloc::{boxed::Box, vec::Vec};

use crate::{
    WasiCtx,
    audit::{Audit, Refusal},
    device::Identity,
    fd::{Descriptor, Dir, Fds},
    limits::{Budget, WasiLimits},
    platform::{self, Blocking, Clock, File, Platform, null::NullFile},
    proc::Strings,
    types::{DirPerms, Errno, Fdflags, FilePerms, Rights},
    wait::Parked,
};

/// Builds a [`WasiCtx`].
///
/// A guest gets nothing that is not granted here: without a grant it has no arguments, no environment, no
/// directory and no socket, its standard input is at its end, and what it writes to its standard output and
/// error is lost. Clocks and randomness it has unless they are withheld, because the runtimes of most
/// languages do not start without them.
///
/// ```
/// # fn main() -> teff_runtime::Result<()> {
/// use teff_wasi::{DirPerms, FilePerms, WasiCtxBuilder};
///
/// let ctx = WasiCtxBuilder::new()
///     .arg("guest")
///     .env("HOME", "/")
///     .inherit_stdio()
///     .preopened_dir(".", "/", DirPerms::READ, FilePerms::READ)?
///     .build();
/// # drop(ctx);
/// # Ok(())
/// # }
/// ```
pub struct WasiCtxBuilder {
    args: Strings,
    env: Strings,
    device: Identity,
    stdio: [Option<Stream>; 3],
    sockets: Vec<Box<dyn File>>,
    preopens: Vec<Dir>,
    platform: Option<Box<dyn Platform>>,
    clocks: bool,
    monotonic: Clock,
    random: bool,
    sigpipe: bool,
    limits: WasiLimits,
    audit: Audit,
    #[cfg(all(unix, feature = "std"))]
    path_resolution: platform::unix::PathResolution,
    #[cfg(target_has_atomic = "ptr")]
    net_faults: Option<crate::Faults>,
}

/// A standard stream, and the flags that it has already.
struct Stream {
    file: Box<dyn File>,
    flags: Fdflags,
}

impl core::fmt::Debug for WasiCtxBuilder {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("WasiCtxBuilder").finish_non_exhaustive()
    }
}

impl Default for WasiCtxBuilder {
    fn default() -> Self {
        Self {
            args: Strings::default(),
            env: Strings::default(),
            device: Vec::new(),
            stdio: [const { None }; 3],
            sockets: Vec::new(),
            preopens: Vec::new(),
            platform: None,
            clocks: true,
            monotonic: Clock::Monotonic,
            random: true,
            sigpipe: false,
            limits: WasiLimits::default(),
            audit: Audit::default(),
            #[cfg(all(unix, feature = "std"))]
            path_resolution: Default::default(),
            #[cfg(target_has_atomic = "ptr")]
            net_faults: None,
        }
    }
}

impl WasiCtxBuilder {
    /// Nothing granted.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an argument. The first is the program's name.
    ///
    /// The guest gets it with a NUL after it, so one with a NUL inside looks shorter to most guests.
    pub fn arg(&mut self, arg: impl AsRef<[u8]>) -> &mut Self {
        self.args.push(&[arg.as_ref()]);
        self
    }

    /// Adds arguments.
    pub fn args(&mut self, args: &[impl AsRef<[u8]>]) -> &mut Self {
        for arg in args {
            self.arg(arg);
        }
        self
    }

    /// Adds a variable to the environment.
    pub fn env(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> &mut Self {
        self.env.push(&[name.as_ref(), b"=", value.as_ref()]);
        self
    }

    /// Adds variables to the environment.
    pub fn envs(&mut self, env: &[(impl AsRef<[u8]>, impl AsRef<[u8]>)]) -> &mut Self {
        for (name, value) in env {
            self.env(name, value);
        }
        self
    }

    /// Tells the guest something about the device that it runs on, such as `DEVICE_UUID` or `OTA_VERSION`:
    /// as a variable of its environment, and by `device.get`
    /// ([`add_device_to_linker`](crate::add_device_to_linker)).
    pub fn device(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> &mut Self {
        let (key, value) = (key.as_ref(), value.as_ref());
        self.device.push((key.into(), value.into()));
        self.env(key, value)
    }

    /// Gives the guest this as its standard input.
    pub fn stdin_file(&mut self, file: impl File + 'static) -> &mut Self {
        self.stream(0, file)
    }

    /// Gives the guest this as its standard output.
    pub fn stdout_file(&mut self, file: impl File + 'static) -> &mut Self {
        self.stream(1, file)
    }

    /// Gives the guest this as its standard error.
    pub fn stderr_file(&mut self, file: impl File + 'static) -> &mut Self {
        self.stream(2, file)
    }

    fn stream(&mut self, number: usize, file: impl File + 'static) -> &mut Self {
        self.stdio[number] = Some(Stream {
            file: Box::new(file),
            flags: Fdflags::empty(),
        });
        self
    }

    /// Gives the guest a tree of files, which it sees as `guest_path`. Host directories are granted by
    /// `preopened_dir`.
    pub fn preopened_tree(
        &mut self,
        dir: impl platform::Dir + 'static,
        guest_path: impl AsRef<[u8]>,
        dir_perms: DirPerms,
        file_perms: FilePerms,
    ) -> &mut Self {
        self.preopens.push(Dir {
            dir: Box::new(dir),
            perms: dir_perms,
            file_perms,
            preopen: Some(guest_path.as_ref().into()),
        });
        self
    }

    /// Gives the guest an open file or socket, to read and to write. These come first, as descriptors 3 and up in
    /// this order; directories are after them.
    ///
    /// A socket that listens has the flag `nonblock` at first: Go's library waits for other things as well only
    /// where it finds that flag, and servers do not set it themselves. Other hosts do the same. A guest that
    /// wants `sock_accept` to wait takes the flag off.
    pub fn preopened_file(&mut self, file: impl File + 'static) -> &mut Self {
        self.sockets.push(Box::new(file));
        self
    }

    /// Where clocks, randomness and waiting come from. On Unix it is the host if nothing is said here; else
    /// there are none.
    pub fn platform(&mut self, platform: impl Platform + 'static) -> &mut Self {
        self.platform = Some(Box::new(platform));
        self
    }

    /// Does the guest have clocks? Without them it cannot tell the time, nor wait for one: both are
    /// `notcapable`.
    pub fn allow_clocks(&mut self, allow: bool) -> &mut Self {
        self.clocks = allow;
        self
    }

    /// Does the guest have randomness? Without it, `random_get` is `notcapable`.
    pub fn allow_random(&mut self, allow: bool) -> &mut Self {
        self.random = allow;
        self
    }

    /// Gives the guest the raw monotonic clock as its monotonic one: its speed is the hardware's, and no
    /// time from the network corrects it.
    pub fn monotonic_raw(&mut self, raw: bool) -> &mut Self {
        self.monotonic = if raw {
            Clock::MonotonicRaw
        } else {
            Clock::Monotonic
        };
        self
    }

    /// With `true`, a guest that writes to its standard output or error after the reader has gone ends, with
    /// the status of a program that the signal `SIGPIPE` has ended (141). With `false` it gets the error
    /// `pipe`.
    pub fn sigpipe(&mut self, ends: bool) -> &mut Self {
        self.sigpipe = ends;
        self
    }

    /// Limits what the guest may use.
    pub fn limits(&mut self, limits: WasiLimits) -> &mut Self {
        self.limits = limits;
        self
    }

    /// Puts a faulty network between the guest and the sockets that it is granted, and those that it accepts
    /// from them, for tests. The standard streams and other descriptors are as they were.
    #[cfg(target_has_atomic = "ptr")]
    pub fn net_faults(&mut self, faults: crate::Faults) -> &mut Self {
        self.net_faults = Some(faults);
        self
    }

    /// Has this called for everything that the guest is refused. [`WasiCtx::refusals`] counts in any case.
    pub fn on_refusal(
        &mut self,
        log: impl FnMut(&Refusal<'_>) + Send + Sync + 'static,
    ) -> &mut Self {
        self.audit.log = Some(Box::new(log));
        self
    }

    /// The context with all that was granted. The builder is then as new.
    pub fn build(&mut self) -> WasiCtx {
        let this = core::mem::take(self);
        let mut platform = this.platform.unwrap_or_else(default_platform);
        let (mut sockets, mut only_platform_waits) = (this.sockets, false);
        #[cfg(target_has_atomic = "ptr")]
        if let Some(faults) = this.net_faults {
            (platform, sockets) = crate::faults::apply(faults, platform, sockets);
            only_platform_waits = true;
        }
        let mut fds = Fds::default();
        let access = [Rights::FD_READ, Rights::FD_WRITE, Rights::FD_WRITE];
        for (stream, access) in this.stdio.into_iter().zip(access) {
            // Whether it blocks is the guest's own choice.
            let granted = stream.and_then(|Stream { file, flags }| {
                let flags = flags.difference(Fdflags::NONBLOCK);
                let mut file = Descriptor::file(file, access, Rights::all(), flags).ok()?;
                if access == Rights::FD_READ {
                    file.perms = FilePerms::READ;
                }
                Some(file)
            });
            // The table is new and has room for these.
            let _ = fds.insert(granted.unwrap_or_else(|| null(access)));
        }
        for socket in sockets {
            let all = Rights::READ_WRITE;
            let flags = if socket.is_listener() {
                Fdflags::NONBLOCK
            } else {
                Fdflags::empty()
            };
            if let Ok(mut socket) = Descriptor::file(socket, all, Rights::all(), flags) {
                socket.preopened = true;
                let _ = fds.insert(socket);
            }
        }
        for dir in this.preopens {
            let _ = fds.insert(Descriptor::preopen(dir));
        }
        WasiCtx {
            args: this.args,
            env: this.env,
            device: this.device,
            fds,
            platform,
            clocks: this.clocks,
            monotonic: this.monotonic,
            random: this.random,
            sigpipe: this.sigpipe,
            limits: this.limits,
            budget: Budget::new(&this.limits),
            blocking: Blocking::Allowed,
            only_platform_waits,
            parked: Parked::default(),
            memory: None,
            audit: this.audit,
        }
    }
}

/// A standard stream that was not granted.
fn null(access: Rights) -> Descriptor {
    let null = Descriptor::file(Box::new(NullFile), access, Rights::all(), Fdflags::empty());
    null.unwrap_or_else(|error: Errno| unreachable!("the null file has attributes: {error:?}"))
}

#[cfg(all(unix, feature = "std"))]
fn default_platform() -> Box<dyn Platform> {
    Box::new(platform::unix::Unix::new())
}

#[cfg(not(all(unix, feature = "std")))]
fn default_platform() -> Box<dyn Platform> {
    Box::new(platform::null::NoPlatform)
}
