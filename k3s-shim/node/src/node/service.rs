//! Starting containerd again, so that it reads its configuration. Knows systemd and OpenRC by their commands.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::Node;
use super::distribution::Distribution;

/// The command that starts containerd again on this node, if it is known.
pub(crate) fn restart_command(node: &Node, distribution: &Distribution) -> Option<Vec<String>> {
    let unit = |name: &str| {
        [
            "/etc/systemd/system",
            "/usr/local/lib/systemd/system",
            "/usr/lib/systemd/system",
            "/lib/systemd/system",
        ]
        .iter()
        .any(|folder| node.has(&Path::new(folder).join(format!("{name}.service"))))
    };
    let script = |name: &str| node.has(&Path::new("/etc/init.d").join(name));
    let words = |words: [&str; 3]| Some(words.map(String::from).to_vec());
    let services = distribution.services();
    if node.program("systemctl").is_some()
        && let Some(name) = services.iter().find(|name| unit(name))
    {
        return words(["systemctl", "restart", name]);
    }
    if node.program("rc-service").is_some()
        && let Some(name) = services.iter().find(|name| script(name))
    {
        return words(["rc-service", name, "restart"]);
    }
    None
}

/// Runs it.
pub(crate) fn restart(node: &Node, distribution: &Distribution) -> Result<()> {
    let Some(words) = restart_command(node, distribution) else {
        bail!(
            "no service of {} is known to systemd or OpenRC on this node (looked for {}); start it again by hand",
            distribution.name(),
            distribution.services().join(", ")
        );
    };
    let line = words.join(" ");
    let program = node.program(&words[0]).unwrap_or(PathBuf::from(&words[0]));
    let output = node
        .command(&program)
        .and_then(|mut command| command.args(&words[1..]).output());
    let output = output.with_context(|| line.clone())?;
    if !output.status.success() {
        bail!("{line}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
