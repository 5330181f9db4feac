//! `teff-shim install`: the programs and the runtime's entry, onto a node.
//!
//! ```text
//! programs   which are put in place, and whether they belong together
//! entry      the runtime's entry, and whether containerd takes it
//! ```

mod entry;
mod programs;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::grpc;
use crate::node::Node;
use crate::node::change::{self, Change};
use crate::node::containerd::Containerd;
use crate::node::distribution::{Choice, Distribution};
use crate::node::record::{Kind, Record};
use crate::node::service;

pub(crate) use self::entry::{Checked, check};
pub(crate) use self::programs::{PROGRAMS, SHIM, running, version_of};

/// Put the shim on a node and enter it in containerd's configuration.
///
/// Takes the programs containerd-shim-teff-v1 and teff-shim from the folder where this program lies (or --from), and
/// adds the runtime `teff` to the configuration of K3s, RKE2 or containerd, whichever the node has. Shows every change
/// before it makes it, asks containerd whether it accepts the result, and keeps what was there, so that `teff-shim
/// uninstall` puts it back. Needs no network. To run it again changes nothing; after an upgrade it replaces the
/// programs, and pods that run keep theirs.
///
/// Examples:
///   teff-shim install --dry-run       what would be changed
///   teff-shim install --restart       do it, and start containerd (or K3s) again
///   teff-shim install --root /host    the node's file system is mounted at /host
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
    /// The folder with the two programs, if it is not that of this program.
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    /// The folder of the node that they go to.
    #[arg(long, value_name = "DIR", default_value = "/usr/local/bin")]
    bin_dir: PathBuf,
    /// Only show what would be changed.
    #[arg(long)]
    dry_run: bool,
    /// Start containerd (or K3s, or RKE2) again if its configuration was changed. Pods run on meanwhile.
    #[arg(long)]
    restart: bool,
    /// Then wait until told to stop: a container of a DaemonSet has to.
    #[arg(long)]
    stay: bool,
}

/// Which node, and which containerd on it.
#[derive(clap::Args)]
pub(crate) struct Place {
    /// Where the node's file system is.
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub(crate) root: PathBuf,
    #[command(flatten)]
    pub(crate) choice: Choice,
    /// The containerd that is asked whether it accepts the configuration, if not the node's own.
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) containerd: Option<PathBuf>,
}

impl Place {
    /// The node.
    pub(crate) fn node(&self) -> Node {
        Node::at(&self.root)
    }

    /// The containerd that is asked.
    pub(crate) fn containerd(
        &self,
        node: &Node,
        distribution: &Distribution,
    ) -> Option<Containerd> {
        match &self.containerd {
            Some(path) => Some(Containerd::Named(path.clone())),
            None => distribution.containerd(node).map(Containerd::OfNode),
        }
    }
}

/// Does it.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let node = args.place.node();
    let from = match &args.from {
        Some(folder) => folder.clone(),
        None => own_folder()?,
    };
    programs::same_version(&from)?;
    let distribution = Distribution::of(&node, &args.place.choice)?;
    let containerd = args.place.containerd(&node, &distribution);
    let _lock = match args.dry_run {
        true => None,
        false => Some(Record::lock(&node)?),
    };

    let programs = programs::changes(&node, &from, &args.bin_dir)?;
    let entry = entry::Plan::new(
        &node,
        &distribution,
        containerd.as_ref(),
        &runtime_type(&args.bin_dir),
    )?;
    let changes: Vec<Change> = programs.into_iter().chain([entry.change.clone()]).collect();
    for change in changes.iter().filter(|change| change.is_any()) {
        print!("{}", change.diff());
    }
    let name = distribution.name();
    if args.dry_run {
        match changes.iter().any(Change::is_any) {
            true => println!(
                "Nothing was changed, and {name} was not asked whether it accepts this: --dry-run."
            ),
            false => println!("There is nothing to change."),
        }
        return Ok(ExitCode::SUCCESS);
    }

    let old = Record::load(&node)?;
    let mut record = Record::load(&node)?.unwrap_or_default();
    record.version = env!("CARGO_PKG_VERSION").into();
    record.restart |= entry.change.is_any();
    for change in &changes {
        match change.path == entry.change.path {
            true => record.note(
                &node,
                change,
                Kind::Config,
                entry.original(),
                Some(entry.skeleton()),
            )?,
            false => record.note(&node, change, Kind::Program, change.before.as_deref(), None)?,
        }
    }
    // Written down first: whatever happens then can be undone.
    record.save(&node)?;
    let mut checked = Checked::No(String::new());
    let result = change::apply(&node, &changes, || {
        checked = entry.check(&node, &distribution, containerd.as_ref())?;
        Ok(())
    });
    if let Err(e) = result {
        match old {
            Some(old) => old.save(&node)?,
            None => Record::remove(&node)?,
        }
        return Err(e);
    }
    match checked {
        Checked::Yes(what) => println!("{what}"),
        Checked::No(why) => {
            println!("Not checked whether {name} accepts its configuration: {why}.")
        }
    }
    let pods = running(&node, &args.bin_dir.join(SHIM));
    if changes
        .iter()
        .any(|change| change.is_any() && change.path.ends_with(SHIM))
        && pods > 0
    {
        println!("{pods} shims that run keep the program that they were started with.");
    }
    restart(&node, &distribution, &mut record, args.restart)?;
    match changes.iter().any(Change::is_any) {
        true => println!("teff {} is installed.", record.version),
        false => println!(
            "teff {} was installed already; nothing was changed.",
            record.version
        ),
    }
    if args.stay {
        wait()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Starts containerd again if it has not read its configuration, or says that somebody has to.
fn restart(node: &Node, distribution: &Distribution, record: &mut Record, now: bool) -> Result<()> {
    let name = distribution.name();
    if record.restart && now {
        service::restart(node, distribution)
            .with_context(|| format!("all is in place, but {name} could not be started again"))?;
        record.restart = false;
        println!("{name} was started again.");
    } else if record.restart {
        let how = match service::restart_command(node, distribution) {
            Some(words) => words.join(" "),
            None => "start it again".into(),
        };
        println!("{name} reads its configuration when it starts: {how}");
    }
    record.save(node)
}

/// The runtime's type: a name, or where containerd would not find it, a path.
fn runtime_type(bin_dir: &Path) -> String {
    match crate::node::PATH
        .iter()
        .any(|known| Path::new(known) == bin_dir)
    {
        true => crate::node::block::RUNTIME_TYPE.into(),
        false => bin_dir.join(SHIM).display().to_string(),
    }
}

pub(crate) fn own_folder() -> Result<PathBuf> {
    let own = std::env::current_exe()
        .context("where this program lies is not known; name its folder with --from")?;
    Ok(own.parent().unwrap_or(Path::new("/")).to_path_buf())
}

/// Until SIGTERM or SIGINT.
pub(crate) fn wait() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    grpc::block_on(async {
        let (mut terminate, mut interrupt) = (
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
        );
        println!("Waiting for SIGTERM.");
        std::future::poll_fn(|context| {
            match terminate.poll_recv(context).is_ready() || interrupt.poll_recv(context).is_ready()
            {
                true => std::task::Poll::Ready(()),
                false => std::task::Poll::Pending,
            }
        })
        .await;
        Ok(())
    })
}
