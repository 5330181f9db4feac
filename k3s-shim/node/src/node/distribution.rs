//! Which distribution of containerd a node has. Knows where K3s, RKE2 and containerd alone keep their things.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::ValueEnum;

use super::Node;

/// Whose containerd it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// K3s, which writes containerd's configuration at each start.
    K3s,
    /// RKE2, which does the same.
    Rke2,
    /// containerd as its own service.
    Containerd,
}

/// A distribution and its directory.
#[derive(Debug, Clone)]
pub(crate) struct Distribution {
    pub(crate) kind: Kind,
    /// K3s's and RKE2's data directory.
    data: PathBuf,
    /// The main configuration file of containerd alone.
    main: PathBuf,
}

/// What the command line says of it.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Choice {
    /// Whose containerd it is, if the node has several.
    #[arg(long, value_enum, value_name = "KIND")]
    distribution: Option<Kind>,
    /// The data directory of K3s or RKE2, if theirs was moved.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// containerd's configuration file, if it is not /etc/containerd/config.toml. For K3s and RKE2 it is found.
    #[arg(long, value_name = "FILE", conflicts_with = "data_dir")]
    config: Option<PathBuf>,
}

impl Distribution {
    /// Finds out.
    pub(crate) fn of(node: &Node, choice: &Choice) -> Result<Self> {
        let kind = match (choice.distribution, &choice.config) {
            (Some(kind), _) => kind,
            (None, Some(_)) => Kind::Containerd,
            (None, None) => detect(node, choice.data_dir.as_deref())?,
        };
        let data = choice.data_dir.clone().unwrap_or(match kind {
            Kind::Rke2 => "/var/lib/rancher/rke2".into(),
            _ => "/var/lib/rancher/k3s".into(),
        });
        let main = choice
            .config
            .clone()
            .unwrap_or("/etc/containerd/config.toml".into());
        Ok(Self { kind, data, main })
    }

    /// The directory with the configuration that K3s and RKE2 make, and with what they make it of.
    pub(crate) fn templates(&self) -> PathBuf {
        self.data.join("agent/etc/containerd")
    }

    /// The configuration that containerd reads.
    pub(crate) fn config(&self) -> PathBuf {
        match self.kind {
            Kind::Containerd => self.main.clone(),
            Kind::K3s | Kind::Rke2 => self.templates().join("config.toml"),
        }
    }

    /// containerd's program, if it is there.
    pub(crate) fn containerd(&self, node: &Node) -> Option<PathBuf> {
        let bundled = match self.kind {
            Kind::K3s => self.data.join("data/current/bin/containerd"),
            Kind::Rke2 => self.data.join("bin/containerd"),
            Kind::Containerd => return node.program("containerd"),
        };
        node.has(&bundled).then_some(bundled)
    }

    /// Its name for people.
    pub(crate) fn name(&self) -> &'static str {
        self.kind.name()
    }

    /// The names its service may have.
    pub(crate) fn services(&self) -> &'static [&'static str] {
        match self.kind {
            Kind::K3s => &["k3s", "k3s-agent"],
            Kind::Rke2 => &["rke2-server", "rke2-agent"],
            Kind::Containerd => &["containerd"],
        }
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::K3s => "K3s",
            Self::Rke2 => "RKE2",
            Self::Containerd => "containerd",
        }
    }
}

fn detect(node: &Node, data: Option<&Path>) -> Result<Kind> {
    let has = |path: &str| node.has(Path::new(path));
    let k3s =
        has("/var/lib/rancher/k3s/agent") || node.program("k3s").is_some() || has("/opt/bin/k3s");
    let rke2 = has("/var/lib/rancher/rke2/agent") || node.program("rke2").is_some();
    let containerd = has("/etc/containerd/config.toml") || node.program("containerd").is_some();
    match (k3s, rke2, containerd) {
        (true, true, _) => {
            bail!("both K3s and RKE2 are on this node; say which with --distribution k3s or rke2")
        }
        (true, ..) => Ok(Kind::K3s),
        (_, true, _) => Ok(Kind::Rke2),
        _ if data.is_some() => {
            bail!("--data-dir: neither K3s nor RKE2 is found; say which with --distribution")
        }
        (.., true) => Ok(Kind::Containerd),
        _ => bail!(
            "no containerd on this node: neither K3s (/var/lib/rancher/k3s), RKE2 (/var/lib/rancher/rke2) nor \
             containerd (/etc/containerd/config.toml); install one first, or name its configuration with --config"
        ),
    }
}
