//! `teff-shim verify`: a checklist of four steps as a program. Facts are found out through kubectl or through the CRI's
//! socket, then judged without either.
//!
//! ```text
//! kubectl, socket (messages)        find out; both run the probe pod
//! probe, process, dns               what the probe says; its process as the node sees it; a DNS server asked
//! network, wasi, cri, security      one step each
//! report                            table, JSON, exit status
//! ```

mod cri;
mod dns;
mod kubectl;
mod messages;
mod network;
pub(crate) mod probe;
pub(crate) mod process;
mod report;
mod security;
mod socket;
mod wasi;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};

use self::kubectl::Kubectl;
use self::report::Report;
use crate::{grpc, image};

/// Check in four steps whether a node or a cluster runs modules, with a pod to try it.
///
/// 1. network readiness (4): nodes, pod CIDR, DNS, the probe pod's address.
/// 2. WASI capabilities (8): what a module needs, and what it would be granted.
/// 3. CRI compatibility (16): RuntimeClass, containerd's entry, versions, and a probe pod that runs.
/// 4. security policy (32): seccomp, capabilities, no_new_privs and mounts of the probe's process, and what is refused
///    to it from within.
///
/// On a node, as root, it works through the CRI's socket alone, without a cluster, a network or an image: it makes one
/// and removes it again. Elsewhere it works through kubectl, and the probe pod runs from the installer's image.
///
/// Exit status: 0 if all is well, else the sum of the numbers above of the steps that failed; 1 if it could not be
/// found out at all; 2 for a mistake in the command line.
///
/// Examples:
///   teff-shim verify
///   teff-shim verify --kubectl "k3s kubectl" --node edge-1 --json
///   teff-shim verify --module app.wasm --tcp-listen 0.0.0.0:8080 --memory 16Mi
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The CRI's socket; without it, that of K3s or containerd on this node, if there is one.
    #[arg(long, value_name = "SOCKET", conflicts_with = "kubectl")]
    address: Option<PathBuf>,
    /// Ask through this command instead, which may have arguments.
    #[arg(long, value_name = "COMMAND", num_args = 0..=1, default_missing_value = "kubectl")]
    kubectl: Option<String>,
    /// The module whose needs are mapped; without it, the probe's.
    #[arg(long, value_name = "FILE")]
    module: Option<PathBuf>,
    /// The value that its pod has for the annotation teff.dev/tcp-listen.
    #[arg(long, value_name = "HOST:PORT", requires = "module")]
    tcp_listen: Option<String>,
    /// The limit of memory that its container has, like 64Mi.
    #[arg(long, value_name = "SIZE", value_parser = bytes, requires = "module")]
    memory: Option<u64>,
    /// The address of the cluster's DNS service, which is asked from this node.
    #[arg(long, value_name = "ADDRESS", conflicts_with = "kubectl")]
    dns: Option<String>,
    /// Through kubectl: the node that the probe pod is to run on.
    #[arg(long)]
    node: Option<String>,
    /// Through kubectl: the namespace that it runs in.
    #[arg(long, default_value = "default")]
    namespace: String,
    /// Through kubectl: the image with the probe's module.
    #[arg(long, default_value = image::INSTALLER)]
    image: String,
    /// For how long to wait for the probe pod, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    timeout: u64,
    /// Warnings, and what could not be seen, count as failed.
    #[arg(long)]
    strict: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Does it.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let wasi = wasi::judge(&module(args)?);
    let timeout = Duration::from_secs(args.timeout);
    let found = match &args.kubectl {
        Some(_) => None,
        None => args.address.clone().or_else(socket::find),
    };
    let (through, (mut network, cri, probe)) = match &found {
        Some(path) => (
            path.display().to_string(),
            grpc::block_on(socket::ask(path, timeout))?,
        ),
        None => {
            let kubectl = Kubectl {
                command: args.kubectl.as_deref().unwrap_or("kubectl"),
                namespace: &args.namespace,
                image: &args.image,
                node: args.node.as_deref(),
                timeout,
            };
            (kubectl.command.into(), kubectl.ask()?)
        }
    };
    if let Some(server) = &args.dns {
        let answer = dns::ask(server, dns::NAME).map_err(|e| format!("{e:#}"));
        network.dns = network::Dns::Answer(answer);
    }
    let steps = [
        network::judge(&network, &probe),
        wasi,
        cri::judge(&cri, &probe),
        security::judge(&probe),
    ];
    let report = Report::new(through, steps, args.strict);
    match args.json {
        true => println!("{}", serde_json::to_string_pretty(&report)?),
        false => print!("{}", report.table()),
    }
    Ok(ExitCode::from(report.exit_status))
}

/// The module whose needs are mapped.
fn module(args: &Args) -> Result<wasi::Facts> {
    Ok(match &args.module {
        Some(path) => wasi::Facts {
            name: path.display().to_string(),
            bytes: fs::read(path).with_context(|| path.display().to_string())?,
            listen: args.tcp_listen.clone(),
            memory: args.memory,
        },
        None => wasi::Facts {
            name: "the probe (another: --module)".into(),
            bytes: probe::module()?,
            ..wasi::Facts::default()
        },
    })
}

/// A quantity as Kubernetes writes memory, as far as people use it: `64Mi`, `1G`, `1048576`.
fn bytes(text: &str) -> Result<u64, String> {
    let at = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let factor: u64 = match unit {
        "" => 1,
        "k" => 1000,
        "M" => 1000 * 1000,
        "G" => 1000 * 1000 * 1000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        _ => return Err("a number with Ki, Mi, Gi, k, M, G or nothing after it is wanted".into()),
    };
    let number: u64 = number.parse().map_err(|e| format!("{e}"))?;
    number.checked_mul(factor).ok_or("that is too much".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, size) in [("64Mi", 64 << 20), ("1G", 1_000_000_000), ("12", 12)] {
            assert_eq!(bytes(text), Ok(size));
        }
        for text in ["", "Mi", "1.5Gi", "64MB", "99999999999999999Gi"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }
}
