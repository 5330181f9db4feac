//! The process of a container. It makes its own surroundings, out of what the shim has asked for and the bundle says,
//! gives up every right that it does not need for it any more, and becomes the guest. Knows all parts of `guest`; of the
//! shim only `protocol`.

mod confine;
mod entry;
pub(crate) mod mounts;
mod namespaces;
mod program;
mod signals;
mod wasi;

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio, exit};
use std::time::Duration;

use crate::protocol::{self, Go, Reply, Request};
use crate::spec::{Process, Spec};

use entry::{Entry, Found};
use program::Program;
use wasi::Streams;

/// The annotation that says for how many seconds `_wasm_exit_graceful` may run.
const GRACE_PERIOD: &str = "teff.dev/grace-period";

/// How long it may, if that is not said: a little less than Kubernetes waits.
const GRACE: Duration = Duration::from_secs(25);

/// What this process needs of the container's memory beside the guest's own, at least.
const OWN_MEMORY: u64 = 2 << 20;

/// The program that turns text into modules.
const CONVERTER: &str = "teff-shim";

/// Is the process that the shim wants.
pub(crate) fn run() -> io::Result<()> {
    // SAFETY: the shim passed it; nobody else in this process knows of it.
    let socket = UnixStream::from(unsafe { OwnedFd::from_raw_fd(protocol::SOCKET) });
    let mut from = BufReader::new(socket.try_clone()?);
    confine::die_with_parent()?;
    let Some(request) = protocol::receive::<Request>(&mut from)? else {
        // The shim has changed its mind.
        return Ok(());
    };
    let ready = match prepare(request) {
        Ok(ready) => ready,
        Err(reply) => return protocol::send(&socket, &reply),
    };
    protocol::send(&socket, &Reply::Ready)?;
    if protocol::receive::<Go>(&mut from)?.is_none() {
        return Ok(());
    }
    drop((from, socket));
    exit(ready.program.run(ready.wasi, ready.memory, &ready.stop))
}

/// A guest that can run.
struct Ready {
    program: Program,
    wasi: teff_wasi::WasiCtx,
    memory: Option<u64>,
    stop: signals::Stop,
}

/// Why there is none.
impl From<io::Error> for Reply {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Makes the surroundings and loads the module, in the order in which one needs the other.
fn prepare(request: Request) -> Result<Ready, Reply> {
    let (container, exec) = match request {
        Request::Container(container) => (container, None),
        Request::Exec(exec) => (exec.container, Some((exec.pid, exec.process))),
    };
    let mut spec = Spec::load(&container.bundle)?;
    let own = entry(&spec.process)?;
    let joined = exec.as_ref().map(|(pid, _)| *pid);
    if let Some((_, process)) = exec {
        let process: Process = serde_json::from_value(process)
            .map_err(|e| Reply::Failed(format!("the process to execute: {e}")))?;
        spec.process = Process {
            oom_score_adj: process.oom_score_adj.or(spec.process.oom_score_adj),
            ..process
        };
    }
    let mut entry = entry(&spec.process)?;
    if entry.name.is_empty() && joined.is_some() {
        entry.name = own.name;
    }

    // Paths are the node's.
    let streams = Streams::open(&container.stdio)?;
    let layer = container.module.as_deref().map(open).transpose()?;
    let converter = if entry.is_text() {
        Some(converter()?)
    } else {
        None
    };
    confine::raise_oom_score(spec.process.oom_score_adj);
    let volumes = match joined {
        Some(pid) => {
            namespaces::join_process(pid)?;
            mounts::volumes(&spec)
        }
        None => {
            namespaces::enter(
                &spec,
                container.shim_is_shared,
                container.network.as_deref(),
            )?;
            mounts::enter(&container.bundle, &container.rootfs, &spec)?
        }
    };

    // Paths are the container's.
    let program = load(entry, &spec.process, layer, converter)?;
    let listeners = match joined {
        // The container's first process has them.
        Some(_) => Vec::new(),
        None => wasi::listeners(&spec)?,
    };
    streams.take_over()?;
    confine::rlimits(&spec.process)?;
    let grace = grace(&spec)?;
    confine::identity(&spec.process.user)?;
    let wasi = wasi::context(&spec, streams, listeners, &volumes)
        .map_err(|e| Reply::Failed(e.to_string()))?;
    confine::landlock(spec.root.readonly, &volumes)?;
    let stop = program.watch(grace)?;
    confine::seccomp()?;
    Ok(Ready {
        program,
        wasi,
        memory: container.memory.map(left_for_guest),
        stop,
    })
}

/// What a process is to run.
fn entry(process: &Process) -> Result<Entry, Reply> {
    match process.args.first() {
        Some(argument) => Ok(Entry::parse(argument)),
        None => Err(Reply::Failed("the container has no command to run".into())),
    }
}

/// Finds the module and loads it.
fn load(
    entry: Entry,
    process: &Process,
    layer: Option<File>,
    converter: Option<Child>,
) -> Result<Program, Reply> {
    let path = process
        .env
        .iter()
        .find_map(|variable| variable.strip_prefix("PATH="));
    let Entry { name, function } = &entry;
    let found = match name.is_empty() {
        true => Found::Missing,
        false => entry.find(&process.cwd, path.unwrap_or_default())?,
    };
    let program = match (found, layer, converter) {
        (Found::Binary(file), ..) | (Found::Missing, Some(file), _) => {
            Program::load(&file, name, function.clone())?
        }
        (Found::Text(file), _, Some(converter)) => {
            Program::load_bytes(&converted(converter, file, name)?, name, function.clone())?
        }
        (Found::Text(_), _, None) => {
            return Err(Reply::Failed(format!(
                "{name}: it is text, and its name does not say so"
            )));
        }
        (Found::Native(path), ..) => {
            return Err(Reply::NotWasm(path.to_string_lossy().into_owned()));
        }
        (Found::Missing, None, _) => return Err(Reply::NoModule(name.clone())),
    };
    Ok(program)
}

fn open(path: &Path) -> io::Result<File> {
    File::open(path).map_err(|e| io::Error::other(format!("{}: {e}", path.display())))
}

/// Starts the program that converts text. It must be running before the node's programs are out of reach.
fn converter() -> io::Result<Child> {
    let own = fs::read_link("/proc/self/exe")?;
    let beside = own.with_file_name(CONVERTER);
    let program = match beside.exists() {
        true => beside,
        false => PathBuf::from(CONVERTER),
    };
    let mut command = Command::new(program);
    command
        .arg("wat")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().map_err(|e| {
        io::Error::other(format!(
            "modules as text need the program {CONVERTER} on the node: {e}"
        ))
    })
}

/// Has a module converted.
fn converted(mut converter: Child, mut text: File, name: &str) -> io::Result<Vec<u8>> {
    let mut source = Vec::new();
    text.read_to_end(&mut source)?;
    if let Some(mut stdin) = converter.stdin.take() {
        // It reads all before it writes. If it ends early, it says why.
        let _ = stdin.write_all(&source);
    }
    let output = converter.wait_with_output()?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let why = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<_> = why.lines().map(str::trim).collect();
    Err(io::Error::other(format!("{name}: {}", lines.join(" "))))
}

/// For how long the guest may tidy up.
fn grace(spec: &Spec) -> io::Result<Duration> {
    let Some(seconds) = spec.annotation(GRACE_PERIOD) else {
        return Ok(GRACE);
    };
    let parsed = seconds.trim().parse().map(Duration::from_secs);
    parsed.map_err(|e| {
        io::Error::other(format!(
            "annotation {GRACE_PERIOD}: `{seconds}` is no number of seconds: {e}"
        ))
    })
}

/// How much of the container's memory the guest may use: what this process has needed so far, and some more for the
/// code that it will translate, is not the guest's. A guest that wants more than that is told so, and lives.
fn left_for_guest(limit: u64) -> u64 {
    let resident = fs::read_to_string("/proc/self/statm").ok();
    let pages = resident
        .as_ref()
        .and_then(|statm| statm.split(' ').nth(1)?.parse::<u64>().ok());
    limit.saturating_sub(OWN_MEMORY.max(pages.unwrap_or(0) * 4096 * 2))
}
