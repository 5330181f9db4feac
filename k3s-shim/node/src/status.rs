//! `teff-shim status`: what is installed on a node, without changing anything.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;

use crate::install::{PROGRAMS, Place, running, version_of};
use crate::node::Node;
use crate::node::block::{self, RUNTIME};
use crate::node::change::sha256;
use crate::node::distribution::Distribution;
use crate::node::record::{Kind, Record};
use crate::node::target::text;

/// Tell what is installed on a node.
///
/// Exit status: 0 if all is in place, 1 if something is missing or changed.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What is found.
#[derive(Debug, Serialize)]
struct Status {
    /// K3s, RKE2 or containerd, and the version of the latter.
    distribution: Option<String>,
    containerd: Option<String>,
    /// The version that was installed.
    installed: Option<String>,
    files: Vec<File>,
    /// Does containerd see the runtime in its configuration? Nothing if it cannot be asked.
    runtime: Option<bool>,
    /// `install` has changed containerd's configuration and not started containerd again itself.
    restart_pending: bool,
    /// Shims that run.
    shims: usize,
    /// What is wrong.
    problems: Vec<String>,
}

#[derive(Debug, Serialize)]
struct File {
    path: PathBuf,
    state: &'static str,
    version: Option<String>,
}

/// Does it.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let status = status(&args.place)?;
    match args.json {
        true => println!("{}", serde_json::to_string_pretty(&status)?),
        false => print(&status),
    }
    Ok(match status.problems.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn status(place: &Place) -> Result<Status> {
    let node = place.node();
    let mut problems = Vec::new();
    let distribution = Distribution::of(&node, &place.choice)
        .map_err(|e| problems.push(format!("{e:#}")))
        .ok();
    let containerd = distribution
        .as_ref()
        .and_then(|distribution| place.containerd(&node, distribution));
    let version = containerd
        .as_ref()
        .and_then(|containerd| containerd.version(&node).ok());
    let record = Record::load(&node)?;
    if record.is_none() {
        problems.push("teff is not installed on this node: there is no record of it".into());
    }
    let record = record.unwrap_or_default();
    let files = record.files.iter().map(|entry| {
        let state = match node.read(&entry.path)? {
            None => "missing",
            Some(bytes) if sha256(&bytes) == entry.after => "as installed",
            // Others may add lines of their own.
            Some(bytes)
                if entry.kind == Kind::Config
                    && block::find(&String::from_utf8_lossy(&bytes)).is_some() =>
            {
                "changed around our lines"
            }
            Some(_) => "changed",
        };
        let version = (entry.kind == Kind::Program)
            .then(|| program_version(&node, &entry.path))
            .flatten();
        Ok(File {
            path: entry.path.clone(),
            state,
            version,
        })
    });
    let files: Vec<File> = files.collect::<Result<_>>()?;
    for file in files
        .iter()
        .filter(|file| matches!(file.state, "missing" | "changed"))
    {
        problems.push(format!("{} is {}", file.path.display(), file.state));
    }
    let runtime = match (&distribution, &containerd) {
        (Some(distribution), Some(containerd))
            if version.is_some() && text(&node, &distribution.config())?.is_some() =>
        {
            let runtimes = containerd.runtimes(&node, &distribution.config());
            runtimes
                .map_err(|e| problems.push(format!("{e:#}")))
                .ok()
                .map(|all| all.contains_key(RUNTIME))
        }
        _ => None,
    };
    if runtime == Some(false) && !record.restart && !record.files.is_empty() {
        problems.push(format!(
            "containerd does not see the runtime {RUNTIME} in its configuration"
        ));
    }
    let shim = record
        .files
        .iter()
        .find(|entry| entry.path.ends_with(PROGRAMS[0]));
    Ok(Status {
        distribution: distribution.map(|distribution| distribution.name().into()),
        containerd: version.map(|number| format!("{}.{}.{}", number.0, number.1, number.2)),
        installed: Some(record.version).filter(|version| !version.is_empty()),
        files,
        runtime,
        restart_pending: record.restart,
        shims: shim.map_or(0, |entry| running(&node, &entry.path)),
        problems,
    })
}

/// The version that an installed program says it has, if it can be run.
fn program_version(node: &Node, path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    version_of(node.command(path).ok()?, name).ok()
}

fn print(status: &Status) {
    let unknown = || String::from("unknown");
    let containerd = status.containerd.clone().unwrap_or_else(unknown);
    println!(
        "distribution  {} (containerd {containerd})",
        status.distribution.clone().unwrap_or_else(unknown)
    );
    println!(
        "installed     {}",
        status.installed.as_deref().unwrap_or("no")
    );
    for file in &status.files {
        let version = file
            .version
            .as_ref()
            .map(|version| format!(", version {version}"))
            .unwrap_or_default();
        println!(
            "file          {}: {}{version}",
            file.path.display(),
            file.state
        );
    }
    let seen = match status.runtime {
        Some(true) => "in containerd's configuration",
        Some(false) => "not in containerd's configuration",
        None => "not checked: containerd cannot be asked",
    };
    println!("runtime       {seen}");
    if status.restart_pending {
        println!(
            "restart       containerd reads its configuration when it starts; teff-shim has not started it since"
        );
    }
    println!("shims         {} running", status.shims);
    for problem in &status.problems {
        println!("problem       {problem}");
    }
}
