//! The command line. Knows the options and their texts; knows nothing of what they do.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::process::exit;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand, ValueEnum};
use teff_runtime::{Backend, CodeForm, CompilationMode, Config};
use teff_wasi::Faults;

use crate::failure::{Failure, Result};

/// Run WebAssembly programs, and look into them.
#[derive(Debug, Parser)]
#[command(
    name = "teff",
    version,
    arg_required_else_help = true,
    after_help = "\
Examples:
  teff run hello.wasm                     run a program that was built for wasm32-wasip1
  teff run --dir . wc.wasm notes.txt      let it see the current directory
  teff run --invoke add math.wat 2 3      call one exported function
  teff compile hello.wasm -o hello.teff   an image, which starts without validation and translation
  teff inspect hello.wasm                 what it imports, exports and needs
  teff validate hello.wasm                is it valid?
  teff pack files -o files.romfs          a directory as an image for `teff run --flash`

`teff help run` says more about running."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(Box<Run>),
    Compile(Compile),
    Keygen(Keygen),
    Inspect(Inspect),
    Validate(Validate),
    Pack(Pack),
}

/// Run a program, or one function of a module
///
/// A command is run from its export `_start`; a module without one has its `_initialize` called.
/// Options of teff come before FILE; all that comes after it belongs to the program.
#[derive(Debug, Default, Args)]
#[command(after_help = "\
Examples:
  teff run hello.wasm                          a program; its exit status becomes teff's
  teff run tool.wasm --verbose input           --verbose and input are the program's arguments
  teff run --dir . --dir-ro /srv/data::/data app.wasm
                                               it sees . and, to read, /srv/data as /data; nothing else
  teff run --flash data.romfs --tmpfs /tmp=1M app.wasm
                                               it sees the files of an image, which `teff pack` makes,
                                               and has a place to write to that is gone at the end
  teff run --tcp-listen 127.0.0.1:8080 server.wasm
                                               descriptor 3 is a socket that listens there
  teff run --audit --max-written 10M plugin.wasm
                                               says what it was refused; it may write so much
  teff run --env LANG=C --env HOME app.wasm    LANG as given, HOME as it is here
  teff run --invoke fib fib.wat 30             prints the results, one a line
  wat2wasm x.wat -o - | teff run -             a module on standard input
  teff run --max-memory 64M --stack 1M --timeout 2s untrusted.wasm
                                               it gets so much, and no more
  teff run --fuel 1000000000 app.wasm          a limit that does not depend on the machine's speed
  teff run --compilation-mode lazy huge.wasm   starts at once: functions are checked when first called

Sizes are bytes, or take K, M or G (1024 each).

What it is granted: its arguments, its standard streams, clocks and randomness, all but the first of which can
be withheld; all else only by an option.
`teff inspect` shows what a module may ask for.

Fuel and time: one unit of fuel is one Wasm instruction (blocks are free; bulk instructions cost more by
their size). Both limits cost a few percent of speed while they are set, and nothing otherwise.

Exit status: the program's own; 134 if it traps, also for want of fuel, and 124 if it times out, with the
Wasm backtrace on standard error; 1 if teff cannot run it.")]
pub(crate) struct Run {
    /// Let the program see a directory of the host, by this name or as GUEST (repeatable)
    #[arg(long = "dir", value_name = "HOST[::GUEST]", value_parser = parse_dir)]
    pub(crate) dirs: Vec<Dir>,
    /// Let the program read the files of a romfs image (a file, /dev/mtd*), as / or GUEST (repeatable)
    #[arg(long, value_name = "IMAGE[::GUEST]", value_parser = parse_flash)]
    pub(crate) flash: Vec<Dir>,
    /// Give the program an empty directory in memory, with room for SIZE bytes, or 64M (repeatable)
    #[arg(long, value_name = "GUEST[=SIZE]", value_parser = parse_tmpfs)]
    pub(crate) tmpfs: Vec<Tmpfs>,
    /// Set an environment variable, or pass one on with its value here (repeatable)
    #[arg(long = "env", value_name = "K=V|K", value_parser = parse_env)]
    pub(crate) env: Vec<(String, Vec<u8>)>,
    /// The same, to read only
    #[arg(long = "dir-ro", value_name = "HOST[::GUEST]", value_parser = parse_dir)]
    pub(crate) dirs_ro: Vec<Dir>,
    /// Give the program a socket that listens on this address: descriptor 3, the next 4, and so on; port 0
    /// is one that is free, and said on standard error (repeatable)
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) tcp_listen: Vec<String>,
    /// Put a faulty network before its sockets, for tests: loss=1%,delay=50ms,jitter=10ms,reset=0.1%,
    /// bandwidth=64K,seed=42, or some of these
    #[arg(long, value_name = "FAULTS", value_parser = Faults::parse)]
    pub(crate) net_faults: Option<Faults>,
    /// Tell it something about the device: as an environment variable, and by `device.get` (repeatable)
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_device)]
    pub(crate) device: Vec<(String, Vec<u8>)>,
    /// Withhold the standard streams: its input is at its end, and its output is lost
    #[arg(long)]
    pub(crate) no_stdio: bool,
    /// Withhold clocks
    #[arg(long)]
    pub(crate) no_clocks: bool,
    /// Withhold randomness
    #[arg(long)]
    pub(crate) no_random: bool,
    /// Let its monotonic clock be the hardware's, which no network time corrects
    #[arg(long)]
    pub(crate) monotonic_raw: bool,
    /// Say on standard error what the program was refused: each time, and in sum
    #[arg(long)]
    pub(crate) audit: bool,
    /// Most descriptors that it may have open
    #[arg(long, value_name = "N")]
    pub(crate) max_fds: Option<usize>,
    /// Most bytes that it may write, to whatever
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) max_written: Option<usize>,
    /// Most files, directories and links that it may create
    #[arg(long, value_name = "N")]
    pub(crate) max_entries: Option<u64>,
    /// Most clocks and descriptors that it may wait for at once
    #[arg(long, value_name = "N")]
    pub(crate) max_subscriptions: Option<u32>,
    /// Most time that it may spend waiting, in sum
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) max_wait: Option<Duration>,
    /// Run only an image that is signed with the key of which this is the public one
    #[arg(long, value_name = "KEY.pub")]
    pub(crate) trusted_key: Option<PathBuf>,
    /// Call this exported function instead; ARGS are its arguments
    #[arg(long, value_name = "NAME")]
    pub(crate) invoke: Option<String>,
    /// Most bytes of each memory
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) max_memory: Option<usize>,
    /// Bytes of the Wasm stack: how deep calls may go
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) stack: Option<usize>,
    /// Trap when the program has executed so many Wasm instructions: the same on every machine
    #[arg(long, value_name = "N")]
    pub(crate) fuel: Option<u64>,
    /// End the program after this time: 500ms, 2s, 1.5m; plain numbers are seconds
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) timeout: Option<Duration>,
    /// Give the same results on every machine, to the bit: one NaN, and no clocks and no randomness for the program
    #[arg(long)]
    pub(crate) deterministic: bool,
    /// Allow memories in pages of one byte (the proposal custom-page-sizes)
    #[arg(long)]
    pub(crate) custom_page_sizes: bool,
    /// How instructions are dispatched; the default is the fastest of this build
    #[arg(long, value_enum)]
    pub(crate) backend: Option<BackendArg>,
    /// How translated code is kept: direct is fastest, compact smallest
    #[arg(long, value_enum)]
    pub(crate) form: Option<FormArg>,
    /// Count what the loop backend dispatches, and print the N most frequent operations and pairs on
    /// standard error
    #[cfg(feature = "census")]
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "40")]
    pub(crate) census: Option<usize>,
    /// When functions are validated and translated
    #[arg(long, value_enum, value_name = "MODE", default_value_t)]
    pub(crate) compilation_mode: ModeArg,
    /// Most threads that validate and translate at the start; 1 is no more than the main one
    #[arg(long, value_name = "N")]
    pub(crate) compilation_threads: Option<usize>,
    /// The module, binary, text or image (- is standard input), and what the program gets as arguments
    #[arg(value_names = ["FILE", "ARGS"], required = true, trailing_var_arg = true)]
    file_and_args: Vec<OsString>,
}

/// Compile a module into an image
///
/// An image has a module's register code, made for a class of machines, so that running it needs neither validation nor
/// translation: `teff run` maps it, and its code runs where it is. An image is code. Run only those that you made, or
/// that come from whom you trust: unlike a Wasm module, an image that was made to harm can do what teff can.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  teff compile app.wasm -o app.teff        for machines like this one
  teff run app.teff                        runs it
  teff compile app.wasm -o app.teff --target thumbv7em-none-eabihf
                                           for a microcontroller
  teff compile app.wasm -o app.teff --metered
                                           one that --fuel and --timeout can limit

An image runs with the version of teff that made it. The same module gives the same image.")]
pub(crate) struct Compile {
    /// The image's file
    #[arg(short, long, value_name = "IMAGE")]
    pub(crate) output: PathBuf,
    /// The machines that it is for: a Rust target triple, or compact64 or compact32; the default is this one
    #[arg(long, value_name = "TARGET")]
    pub(crate) target: Option<String>,
    /// Sign the image with this secret key, which `teff keygen` makes
    #[arg(long, value_name = "KEY")]
    pub(crate) sign: Option<PathBuf>,
    /// Meter the code, which --fuel and --timeout of `teff run` need; it costs a few percent of speed
    #[arg(long)]
    pub(crate) metered: bool,
    /// The module, binary or text (- is standard input)
    pub(crate) file: PathBuf,
}

/// Make a key that signs images
///
/// Writes a new secret key to FILE, readable by its owner alone, and the public key that belongs to it to FILE.pub. Neither
/// may exist. The keys are of Ed25519.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  teff keygen release.key                              release.key and release.key.pub
  teff compile app.wasm -o app.teff --sign release.key an image that bears the key's signature
  teff run --trusted-key release.key.pub app.teff      runs that, and nothing that the key did not sign")]
pub(crate) struct Keygen {
    /// The secret key's file
    pub(crate) file: PathBuf,
}

/// Show what a module has and needs
///
/// Imports, exports, memories, tables, globals, sizes, and the proposals past WebAssembly 1.0 without
/// which the module is invalid. With --ir, the register code that teff runs, beside the offsets of the
/// Wasm instructions that it comes from.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  teff inspect app.wasm                    everything but code
  teff inspect --ir=main app.wasm          the code of one function, by name
  teff inspect --ir=17 app.wasm            ... or by index, imports first
  teff inspect --ir app.wat                the code of all functions")]
pub(crate) struct Inspect {
    /// Print register code: of one function, or of all
    #[arg(long, value_name = "FUNC", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub(crate) ir: Option<String>,
    /// The module, binary, text or image (- is standard input)
    pub(crate) file: PathBuf,
}

/// Check whether teff accepts a module: silent and status 0 if it does
#[derive(Debug, Args)]
pub(crate) struct Validate {
    /// The module, binary, text or image (- is standard input)
    pub(crate) file: PathBuf,
}

/// Pack a directory into a read-only image, for `teff run --flash` and for a device's flash
///
/// The image is a romfs, a format of Linux. It has the directory's files, directories and symbolic
/// links; no owners and no times. Symbolic links stay as they are: a program can follow those that lead to
/// something in the image by a relative path.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  teff pack www -o www.romfs               all that is in www
  teff run --flash www.romfs::/www app.wasm
                                           the program sees it as /www
  mount -t romfs -o loop,ro www.romfs /mnt Linux shows it in /mnt, if it was built with romfs

The same files make the same image. A name has at most 127 bytes, and an image less than 4 GiB.")]
pub(crate) struct Pack {
    /// The image's file
    #[arg(short, long, value_name = "IMAGE")]
    pub(crate) output: PathBuf,
    /// The name that the image has inside; the default is the directory's
    #[arg(long, value_name = "NAME")]
    pub(crate) volume: Option<String>,
    /// What is packed
    pub(crate) dir: PathBuf,
}

/// A directory in memory: its name in the guest, and how many bytes it has room for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tmpfs {
    pub(crate) guest: String,
    pub(crate) size: usize,
}

/// A directory of the host, or an image, and its name in the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dir {
    pub(crate) host: PathBuf,
    pub(crate) guest: String,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BackendArg {
    /// Each handler jumps to the next
    Threaded,
    /// A loop calls the handlers
    Loop,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormArg {
    /// Handlers by address
    Direct,
    /// Handlers by index
    Compact,
}

#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModeArg {
    /// Both at the start
    Eager,
    /// Validated at the start, translated when first called
    #[default]
    LazyTranslation,
    /// Both when first called: starts fastest, finds an invalid function only when it is called
    Lazy,
}

impl From<ModeArg> for CompilationMode {
    fn from(mode: ModeArg) -> Self {
        match mode {
            ModeArg::Eager => Self::Eager,
            ModeArg::LazyTranslation => Self::LazyTranslation,
            ModeArg::Lazy => Self::Lazy,
        }
    }
}

impl From<FormArg> for CodeForm {
    fn from(form: FormArg) -> Self {
        match form {
            FormArg::Direct => Self::Direct,
            FormArg::Compact => Self::Compact,
        }
    }
}

impl Run {
    /// The module's file, as given.
    pub(crate) fn file(&self) -> PathBuf {
        PathBuf::from(&self.file_and_args[0])
    }

    /// What comes after the file.
    pub(crate) fn args(&self) -> &[OsString] {
        &self.file_and_args[1..]
    }

    /// The guest's arguments: the file's name first.
    pub(crate) fn argv(&self) -> Vec<&[u8]> {
        // With --invoke, the others are the function's.
        let len = if self.invoke.is_some() {
            1
        } else {
            self.file_and_args.len()
        };
        self.file_and_args[..len]
            .iter()
            .map(|arg| arg.as_bytes())
            .collect()
    }

    /// Does the program have clocks?
    pub(crate) fn has_clocks(&self) -> bool {
        !self.no_clocks && !self.deterministic
    }

    /// The engine's configuration.
    pub(crate) fn config(&self) -> Result<Config> {
        let mut config = Config::new();
        if let Some(backend) = self.backend {
            let backend = match backend {
                BackendArg::Threaded => Backend::Threaded,
                BackendArg::Loop => Backend::Loop,
            };
            if !Config::BACKENDS.contains(&backend) {
                return Err(Failure::message(format!(
                    "this build has no {backend:?} backend"
                )));
            }
            config.backend(backend);
        }
        if let Some(form) = self.form {
            config.code_form(form.into());
        }
        config.compilation_mode(self.compilation_mode.into());
        if let Some(limit) = self.compilation_threads {
            config.compilation_threads(limit);
        }
        if let Some(bytes) = self.stack {
            config.max_wasm_stack(bytes);
        }
        config.consume_fuel(self.fuel.is_some());
        config.epoch_interruption(self.timeout.is_some());
        config.deterministic(self.deterministic);
        config.wasm_custom_page_sizes(self.custom_page_sizes);
        #[cfg(feature = "census")]
        if self.census.is_some() {
            // Nothing else is counted.
            config.backend(Backend::Loop).code_form(CodeForm::Compact);
        }
        Ok(config)
    }
}

/// `teff run FILE ARGS…`, which has nothing that the parser would be needed for. To set that up takes longer
/// than a small program runs.
fn run_without_options(arguments: &[OsString]) -> Option<Run> {
    let [_, command, file_and_args @ ..] = arguments else {
        return None;
    };
    let file = file_and_args.first()?.as_bytes();
    (command == "run" && !file.is_empty() && !file.starts_with(b"-")).then(|| Run {
        file_and_args: file_and_args.to_vec(),
        ..Run::default()
    })
}

/// Bytes, or 1024s of them by the letters K, M and G.
fn parse_size(text: &str) -> std::result::Result<usize, String> {
    let (number, shift) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 10),
        Some((at, 'm' | 'M')) => (&text[..at], 20),
        Some((at, 'g' | 'G')) => (&text[..at], 30),
        _ => (text, 0),
    };
    let number: usize = number
        .parse()
        .map_err(|_| "expected a size such as 4096, 512K, 64M or 1G".to_string())?;
    number
        .checked_mul(1 << shift)
        .ok_or_else(|| "the size is beyond this machine's memory".into())
}

/// A time with a unit; seconds without one.
fn parse_time(text: &str) -> std::result::Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let seconds = match &text[digits.len()..] {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => f64::NAN,
    };
    // What is no number at all, such as `inf`, has no digits.
    let number: Option<f64> = digits.parse().ok();
    number
        .and_then(|number| Duration::try_from_secs_f64(number * seconds).ok())
        .ok_or_else(|| "expected a time such as 500ms, 2s, 1.5m or 1h".into())
}

fn parse_dir(text: &str) -> std::result::Result<Dir, String> {
    let (host, guest) = text.split_once("::").unwrap_or((text, text));
    if host.is_empty() || guest.is_empty() {
        return Err("expected HOST or HOST::GUEST".into());
    }
    Ok(Dir {
        host: host.into(),
        guest: guest.into(),
    })
}

fn parse_flash(text: &str) -> std::result::Result<Dir, String> {
    let (image, guest) = text.split_once("::").unwrap_or((text, "/"));
    if image.is_empty() || guest.is_empty() {
        return Err("expected IMAGE or IMAGE::GUEST".into());
    }
    Ok(Dir {
        host: image.into(),
        guest: guest.into(),
    })
}

fn parse_tmpfs(text: &str) -> std::result::Result<Tmpfs, String> {
    const DEFAULT: usize = 64 << 20;
    let (guest, size) = match text.split_once('=') {
        Some((guest, size)) => (guest, parse_size(size)?),
        None => (text, DEFAULT),
    };
    if guest.is_empty() {
        return Err("expected GUEST or GUEST=SIZE, such as /tmp=1M".into());
    }
    Ok(Tmpfs {
        guest: guest.into(),
        size,
    })
}

fn parse_env(text: &str) -> std::result::Result<(String, Vec<u8>), String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, value.as_bytes().to_vec()),
        None => match std::env::var_os(text) {
            Some(value) => (text, value.into_vec()),
            None => return Err("no such variable is set here; give it a value with K=V".into()),
        },
    };
    if name.is_empty() {
        return Err("expected K=V or K".into());
    }
    Ok((name.into(), value))
}

fn parse_device(text: &str) -> std::result::Result<(String, Vec<u8>), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.into(), value.into())),
        _ => Err("expected KEY=VALUE, such as DEVICE_UUID=7f3a".into()),
    }
}

/// Parses the command line. Help and version end the program here.
pub(crate) fn parse(arguments: &[OsString]) -> Result<Command> {
    if let Some(run) = run_without_options(arguments) {
        return Ok(Command::Run(Box::new(run)));
    }
    let error = match Cli::try_parse_from(arguments) {
        Ok(cli) => return Ok(cli.command),
        Err(error) => error,
    };
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A closed pipe is the reader's choice.
            let _ = error.print();
            exit(0)
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            exit(1)
        }
        _ => {
            let text = error.render().to_string();
            let text = text.strip_prefix("error: ").unwrap_or(&text);
            // What follows the first paragraph is usage.
            Err(Failure::message(text.split("\n\n").next().unwrap_or(text)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn sizes() {
        assert_eq!(parse_size("4096"), Ok(4096));
        assert_eq!(parse_size("64k"), Ok(64 << 10));
        assert_eq!(parse_size("3M"), Ok(3 << 20));
        assert!(parse_size("M").is_err());
        assert!(parse_size("-1").is_err());
        assert!(parse_size("1.5G").is_err());
        assert!(parse_size("64MB").is_err());
        assert!(parse_size(&format!("{}G", usize::MAX)).is_err());
    }

    #[test]
    fn times() {
        let ms = |ms| Ok(Duration::from_millis(ms));
        assert_eq!(parse_time("500ms"), ms(500));
        assert_eq!(parse_time("2"), ms(2_000));
        assert_eq!(parse_time("2s"), ms(2_000));
        assert_eq!(parse_time("1.5m"), ms(90_000));
        assert_eq!(parse_time("1h"), ms(3_600_000));
        for bad in ["", "s", "-1s", "2 s", "2S", "inf", "NaN", "1e400", "1d"] {
            assert!(parse_time(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn directories() {
        let dir = |host: &str, guest: &str| Dir {
            host: host.into(),
            guest: guest.into(),
        };
        assert_eq!(parse_dir("a/b"), Ok(dir("a/b", "a/b")));
        assert_eq!(parse_dir("a::/b"), Ok(dir("a", "/b")));
        assert!(parse_dir("::b").is_err());
        assert!(parse_dir("a::").is_err());
    }

    #[test]
    fn trees() {
        let image = |host: &str, guest: &str| Dir {
            host: host.into(),
            guest: guest.into(),
        };
        assert_eq!(parse_flash("a.romfs"), Ok(image("a.romfs", "/")));
        assert_eq!(parse_flash("/dev/mtd3::/b"), Ok(image("/dev/mtd3", "/b")));
        assert!(parse_flash("::b").is_err());
        assert!(parse_flash("a::").is_err());
        let tmpfs = |guest: &str, size| Tmpfs {
            guest: guest.into(),
            size,
        };
        assert_eq!(parse_tmpfs("/tmp"), Ok(tmpfs("/tmp", 64 << 20)));
        assert_eq!(parse_tmpfs("/tmp=16K"), Ok(tmpfs("/tmp", 16 << 10)));
        assert!(parse_tmpfs("=1M").is_err());
        assert!(parse_tmpfs("").is_err());
        assert!(parse_tmpfs("/tmp=").is_err());
        assert!(parse_tmpfs("/tmp=all").is_err());
    }

    #[test]
    fn all_after_the_file_is_the_guests() {
        let line = [
            "teff", "run", "--fuel", "5", "a.wasm", "--dir", "x", "--", "-h",
        ];
        let Command::Run(run) = Cli::try_parse_from(line).unwrap().command else {
            panic!("not a run")
        };
        assert_eq!(run.fuel, Some(5));
        assert_eq!(run.argv(), [&b"a.wasm"[..], b"--dir", b"x", b"--", b"-h"]);
        assert!(run.dirs.is_empty());
    }

    #[test]
    fn a_run_without_options_is_parsed_alike() {
        let without = |line: &[&str]| {
            let line: Vec<_> = line.iter().map(OsString::from).collect();
            run_without_options(&line).map(|run| format!("{run:?}"))
        };
        for line in [
            &["teff", "run", "a.wasm"][..],
            &["teff", "run", "a.wasm", "--dir", "x", "--", "-h", ""],
            &["other", "run", "dir/run", "run", "help"],
            &["teff", "run", "help"],
        ] {
            let Command::Run(parsed) = Cli::try_parse_from(line).unwrap().command else {
                panic!("not a run")
            };
            assert_eq!(without(line), Some(format!("{parsed:?}")));
        }
        for line in [
            &["teff"][..],
            &["teff", "run"],
            &["teff", "run", ""],
            &["teff", "run", "-"],
            &["teff", "run", "--help"],
            &["teff", "run", "--fuel", "1", "a.wasm"],
            &["teff", "inspect", "a.wasm"],
            &["teff", "--version", "run", "a.wasm"],
        ] {
            assert_eq!(without(line), None, "{line:?}");
        }
    }
}
