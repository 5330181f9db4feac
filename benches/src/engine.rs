//! The engines that can run a program, each by a command of its own.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::process::Command;

use clap::ValueEnum;
use teff_runtime::{Backend, Config};

use crate::peers;
use crate::programs::{Program, Size};

/// An engine, in one of its configurations.
#[derive(Copy, Clone, PartialEq, Eq, ValueEnum, Debug)]
pub(crate) enum EngineKind {
    /// teff with its defaults: the reference of the ratios
    Teff,
    /// teff with its other backend, a loop
    TeffLoop,
    /// The interpreter of Silverfir-nano (sf-nano-core 0.6.0)
    #[value(alias = "sf")]
    Silverfir,
    /// wasmi 2.0.0
    Wasmi,
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
        match self.backend() {
            Some(backend) if Config::BACKENDS.contains(&backend) => Ok(()),
            Some(_) => Err(format!("{self} is not in this build of teff")),
            None if cfg!(feature = "peers") => Ok(()),
            None => Err(format!("{self} needs a build with `--features peers`")),
        }
    }

    /// The name on the command line and in the JSON report.
    pub(crate) fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// How teff is configured; nothing for another engine.
    pub(crate) fn config(self) -> Option<Config> {
        let mut config = Config::new();
        config.backend(self.backend()?);
        Some(config)
    }

    /// teff's backend; nothing for another engine.
    fn backend(self) -> Option<Backend> {
        match self {
            Self::Teff => Some(Backend::Threaded),
            Self::TeffLoop => Some(Backend::Loop),
            _ => None,
        }
    }

    /// The command in `peers/` that is the engine.
    pub(crate) fn peer(self) -> Option<&'static str> {
        match self {
            Self::Teff | Self::TeffLoop => None,
            Self::Silverfir => Some("silverfir"),
            Self::Wasmi => Some("wasmi"),
        }
    }

    /// Builds what the engine needs, and returns how a program is started with it.
    pub(crate) fn prepare(self) -> Result<Runner, String> {
        self.check()?;
        let (command, before) = match self.peer() {
            None => {
                let this = env::current_exe().map_err(|error| error.to_string())?;
                (this, vec!["teff".into(), self.name().into()])
            }
            Some(peer) => (peers::build(peer)?, Vec::new()),
        };
        Ok(Runner {
            engine: self,
            command,
            before,
        })
    }
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Teff => "teff",
            Self::TeffLoop => "teff (loop)",
            Self::Silverfir => "Silverfir-nano",
            Self::Wasmi => "wasmi",
        })
    }
}

/// An engine that is ready to run.
pub(crate) struct Runner {
    pub(crate) engine: EngineKind,
    command: PathBuf,
    before: Vec<OsString>,
}

impl Runner {
    /// The command line that runs a program.
    pub(crate) fn command(&self, program: &Program, size: Size) -> Command {
        let mut command = Command::new(&self.command);
        command
            .args(&self.before)
            .arg(program.module())
            .args(program.args(size));
        command
    }
}
