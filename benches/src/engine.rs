//! The engines that can run a program, each by a command of its own.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ValueEnum;
use teff_runtime::{Backend, Config};

use crate::build;
use crate::programs::{Program, Size};

/// An engine, in one of its configurations.
///
/// A further configuration of teff needs a variant here, its `Config`, and its name for people.
#[derive(Copy, Clone, PartialEq, Eq, ValueEnum, Debug)]
pub(crate) enum EngineKind {
    /// teff with its defaults: the reference of the ratios
    Teff,
    /// teff that counts fuel and can be interrupted, as a host of many programs runs it
    TeffMetered,
    /// teff with its other backend, a loop
    TeffLoop,
    /// The interpreter of Silverfir-nano (sf-nano-core)
    #[value(alias = "sf")]
    Silverfir,
    /// wasmi
    Wasmi,
    /// Stitch (makepad-stitch)
    Stitch,
    /// Wasm3, of the crate wasm3-sys or of the source that WASM3_SOURCE names
    Wasm3,
    /// TinyWasm
    Tinywasm,
    /// Wasmtime's interpreter
    Pulley,
    /// Wasmtime's compiler
    Cranelift,
    /// The same source compiled for this machine
    Native,
}

/// What runs the programs of an engine.
enum Kind {
    /// teff, in a process of this program.
    Here { backend: Backend, metered: bool },
    /// A command in `peers/`, with options that come first.
    Peer(&'static str, &'static [&'static str]),
    /// Programs of their own.
    Native,
}

impl EngineKind {
    /// Those that this build can run on this machine, the reference first.
    pub(crate) fn available() -> Vec<Self> {
        Self::value_variants()
            .iter()
            .copied()
            .filter(|engine| engine.check().is_ok())
            .collect()
    }

    /// Whether this build can run it.
    pub(crate) fn check(self) -> Result<(), String> {
        match self.kind() {
            Kind::Here { backend, .. } if !Config::BACKENDS.contains(&backend) => {
                Err(format!("{self} is not in this build of teff"))
            }
            Kind::Here { .. } => Ok(()),
            _ if cfg!(feature = "peers") => Ok(()),
            _ => Err(format!("{self} needs a build with `--features peers`")),
        }
    }

    /// The name on the command line and in the JSON report.
    pub(crate) fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    fn kind(self) -> Kind {
        match self {
            Self::Teff => Kind::Here {
                backend: Backend::Threaded,
                metered: false,
            },
            Self::TeffMetered => Kind::Here {
                backend: Backend::Threaded,
                metered: true,
            },
            Self::TeffLoop => Kind::Here {
                backend: Backend::Loop,
                metered: false,
            },
            Self::Silverfir => Kind::Peer("silverfir", &[]),
            Self::Wasmi => Kind::Peer("wasmi", &[]),
            Self::Stitch => Kind::Peer("stitch", &[]),
            Self::Wasm3 => Kind::Peer("wasm3", &[]),
            Self::Tinywasm => Kind::Peer("tinywasm", &[]),
            Self::Pulley => Kind::Peer("wasmtime", &["--pulley"]),
            Self::Cranelift => Kind::Peer("wasmtime", &[]),
            Self::Native => Kind::Native,
        }
    }

    /// Whether it is teff counting fuel and looking for interruptions.
    pub(crate) fn is_metered(self) -> bool {
        matches!(self.kind(), Kind::Here { metered: true, .. })
    }

    /// How teff is configured; nothing for another engine.
    pub(crate) fn config(self) -> Option<Config> {
        let Kind::Here { backend, metered } = self.kind() else {
            return None;
        };
        let mut config = Config::new();
        config
            .backend(backend)
            .consume_fuel(metered)
            .epoch_interruption(metered);
        Some(config)
    }

    /// Builds what the engine needs, and returns how a program is started with it.
    pub(crate) fn prepare(self) -> Result<Runner, String> {
        self.check()?;
        let mut version = None;
        let start = match self.kind() {
            Kind::Here { .. } => Start::Module {
                command: env::current_exe().map_err(|error| error.to_string())?,
                before: vec!["teff".into(), self.name().into()],
            },
            Kind::Peer(peer, before) => {
                let command = build::peer(peer)?;
                version = build::version(&command);
                Start::Module {
                    command,
                    before: before.iter().map(Into::into).collect(),
                }
            }
            Kind::Native => Start::Native(build::native()?),
        };
        Ok(Runner {
            engine: self,
            version,
            start,
        })
    }
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Teff => "teff",
            Self::TeffMetered => "teff, metered",
            Self::TeffLoop => "teff, loop",
            Self::Silverfir => "Silverfir-nano",
            Self::Wasmi => "wasmi",
            Self::Stitch => "Stitch",
            Self::Wasm3 => "Wasm3",
            Self::Tinywasm => "TinyWasm",
            Self::Pulley => "Pulley",
            Self::Cranelift => "Cranelift",
            Self::Native => "native",
        })
    }
}

/// An engine that is ready to run.
pub(crate) struct Runner {
    pub(crate) engine: EngineKind,
    /// The version that the command tells; nothing for teff itself and for native programs.
    version: Option<String>,
    start: Start,
}

enum Start {
    /// A command that is given the module.
    Module {
        command: PathBuf,
        before: Vec<OsString>,
    },
    /// A directory of commands, one for each program.
    Native(PathBuf),
}

impl Runner {
    /// The engine's name with its version.
    pub(crate) fn label(&self) -> String {
        match &self.version {
            Some(version) => format!("{} {version}", self.engine),
            None => self.engine.to_string(),
        }
    }

    /// The command line that runs a program; nothing if the engine cannot have it.
    pub(crate) fn command(&self, program: &Program, size: Size) -> Option<Command> {
        let mut command = match &self.start {
            Start::Module { command, before } => {
                let mut command = Command::new(command);
                command.args(before).arg(program.module_path());
                command
            }
            Start::Native(directory) => {
                let file = directory.join(program.module);
                if !file.exists() {
                    return None;
                }
                Command::new(file)
            }
        };
        command.args(program.args(size));
        Some(command)
    }

    /// The command lines that tell the memory of loading a module: as by default, and with everything translated.
    /// Nothing if the engine loads none.
    pub(crate) fn memory_commands(&self, module: &Path) -> Option<(Command, Command)> {
        let Start::Module { command, before } = &self.start else {
            return None;
        };
        let line = |option: &str| {
            let mut line = Command::new(command);
            line.args(before).arg(option).arg(module);
            line
        };
        Some((line("--memory"), line("--memory-eager")))
    }

    /// The command line that runs any module; nothing if the engine runs none.
    pub(crate) fn module_command(&self) -> Option<Command> {
        match &self.start {
            Start::Module { command, before } => {
                let mut command = Command::new(command);
                command.args(before);
                Some(command)
            }
            Start::Native(_) => None,
        }
    }
}
