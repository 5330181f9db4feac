//! The engines that can run a workload. Each has a module here, which alone knows the engine's API.

mod teff;
#[cfg(feature = "peers")]
mod wasmi;

use std::fmt;
use std::path::Path;

use clap::ValueEnum;
use teff_runtime::{Backend, Config};

use crate::workload::{Program, Workload};

/// An engine, in one of its configurations.
#[derive(Copy, Clone, PartialEq, Eq, ValueEnum)]
pub(crate) enum EngineKind {
    TeffThreaded,
    TeffLoop,
    #[cfg(feature = "peers")]
    Wasmi,
}

impl EngineKind {
    /// Those of this build, the reference of the ratios first.
    pub(crate) fn available() -> Vec<Self> {
        Self::value_variants()
            .iter()
            .copied()
            .filter(|kind| {
                kind.backend()
                    .is_none_or(|backend| Config::BACKENDS.contains(&backend))
            })
            .collect()
    }

    fn backend(self) -> Option<Backend> {
        match self {
            Self::TeffThreaded => Some(Backend::Threaded),
            Self::TeffLoop => Some(Backend::Loop),
            #[cfg(feature = "peers")]
            Self::Wasmi => None,
        }
    }

    /// Runs a workload in this process, with its output on stdout.
    pub(crate) fn run(self, workload: &Workload, examples: &Path) -> Result<(), String> {
        let bytes = match workload.program {
            Program::Text { source, .. } => {
                wat::parse_str(source).map_err(|error| error.to_string())?
            }
            Program::Wasi { file, .. } => {
                let path = examples.join(file);
                std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?
            }
        };
        match self {
            Self::TeffThreaded => teff::run(Backend::Threaded, bytes, &workload.program),
            Self::TeffLoop => teff::run(Backend::Loop, bytes, &workload.program),
            #[cfg(feature = "peers")]
            Self::Wasmi => wasmi::run(&bytes, &workload.program),
        }
    }
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TeffThreaded => "teff (threaded)",
            Self::TeffLoop => "teff (loop)",
            #[cfg(feature = "peers")]
            Self::Wasmi => "wasmi 2.0.0",
        })
    }
}
