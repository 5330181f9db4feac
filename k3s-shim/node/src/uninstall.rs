//! `teff-shim uninstall`: what `install` did to a node, undone. Knows the record that it left.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::install::{Checked, Place, SHIM, check, running, wait};
use crate::node::block;
use crate::node::change::{self, Change, sha256};
use crate::node::distribution::Distribution;
use crate::node::record::{Entry, Kind, Record};
use crate::node::{Node, service};

/// Undo what `install` did to a node.
///
/// A file that nobody has changed since gets back what was in it before, byte for byte; of one that somebody has, only
/// the lines of teff are taken out. Refuses as long as pods of the runtime run on the node: containerd needs the
/// shim's program to clean up after them.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
    /// Only show what would be changed.
    #[arg(long)]
    dry_run: bool,
    /// Start containerd (or K3s, or RKE2) again afterwards.
    #[arg(long)]
    restart: bool,
    /// Also if pods of the runtime run.
    #[arg(long)]
    force: bool,
    /// Then wait until told to stop: a container of a DaemonSet has to.
    #[arg(long)]
    stay: bool,
}

/// Does it.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    uninstall(args)?;
    if args.stay {
        wait()?;
    }
    Ok(ExitCode::SUCCESS)
}

fn uninstall(args: &Args) -> Result<()> {
    let node = args.place.node();
    let Some(record) = Record::load(&node)? else {
        println!("teff is not installed on this node: there is no record of it.");
        return Ok(());
    };
    let shim = record.files.iter().find(|entry| entry.path.ends_with(SHIM));
    let pods = shim.map_or(0, |entry| running(&node, &entry.path));
    if pods > 0 && !args.force && !args.dry_run {
        bail!(
            "{pods} shims run on this node: delete the pods of the RuntimeClass first (or say --force)"
        );
    }
    // The configuration before the programs it names.
    let mut changes = Vec::new();
    for kind in [Kind::Config, Kind::Program] {
        for entry in record.files.iter().rev().filter(|entry| entry.kind == kind) {
            changes.extend(undo(&node, entry)?.filter(Change::is_any));
        }
    }
    for change in &changes {
        print!("{}", change.diff());
    }
    if args.dry_run {
        println!("Nothing was changed: --dry-run.");
        return Ok(());
    }
    let _lock = Record::lock(&node)?;
    let distribution = Distribution::of(&node, &args.place.choice);
    change::apply(&node, &changes, || {
        // A node whose containerd is gone can be cleaned too.
        let Ok(distribution) = &distribution else {
            return Ok(());
        };
        let containerd = args.place.containerd(&node, distribution);
        if let Checked::No(why) = check(&node, distribution, containerd.as_ref())? {
            println!(
                "Not checked whether {} accepts its configuration: {why}.",
                distribution.name()
            );
        }
        Ok(())
    })?;
    Record::remove(&node)?;
    println!("teff is not installed any more.");
    if let Ok(distribution) = &distribution {
        let name = distribution.name();
        if args.restart {
            service::restart(&node, distribution)
                .with_context(|| format!("{name} could not be started again"))?;
            println!("{name} was started again.");
        } else if let Some(words) = service::restart_command(&node, distribution) {
            println!(
                "{name} reads its configuration when it starts: {}",
                words.join(" ")
            );
        }
    }
    Ok(())
}

/// The change that undoes an entry, if there is something to undo.
fn undo(node: &Node, entry: &Entry) -> Result<Option<Change>> {
    let path = entry.path.display();
    let Some(now) = node.read(&entry.path)? else {
        println!("{path}: somebody has removed it.");
        return Ok(None);
    };
    if sha256(&now) == entry.after {
        return entry.back(node).map(Some);
    }
    match entry.kind {
        Kind::Program => {
            println!("{path}: somebody has replaced it; it is left as it is.");
            Ok(None)
        }
        Kind::Config => {
            let text =
                String::from_utf8(now).with_context(|| format!("{path}: it is not UTF-8"))?;
            if block::find(&text).is_none() {
                println!("{path}: somebody has taken our lines out; it is left as it is.");
                return Ok(None);
            }
            let rest = block::take(&text);
            let is_ours = entry
                .skeleton
                .as_ref()
                .is_some_and(|skeleton| skeleton.trim() == rest.trim());
            println!("{path}: somebody has changed it since; only our lines are taken out.");
            Change::of(node, &entry.path, (!is_ours).then(|| rest.into_bytes()), 0).map(Some)
        }
    }
}
