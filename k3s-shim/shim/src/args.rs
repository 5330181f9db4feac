//! The command line, as containerd gives it: flags in Go's style (`-id x`, `-id=x`, `--id x`), then an action.
//! Knows nothing of what the actions do.

use std::path::PathBuf;

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// `-v`: say which version this is.
    Version,
    /// `-info`: say it in containerd's own words.
    Info,
    /// `start`: see to it that a shim serves this container; print where.
    Start,
    /// `delete`: clean up after a shim that is gone.
    Delete,
    /// Be the shim; only `start` asks for this.
    Serve,
    /// `--help`.
    Help,
    /// Be the process of a container; only the shim asks for this.
    Guest,
}

/// The flags.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    /// containerd's namespace; Kubernetes' is `k8s.io`.
    pub(crate) namespace: String,
    /// The container.
    pub(crate) id: String,
    /// containerd's gRPC socket.
    pub(crate) address: String,
    /// The bundle; if none is named, it is the working directory.
    pub(crate) bundle: PathBuf,
    /// Log more.
    pub(crate) debug: bool,
}

/// What `--help` and mistakes print.
pub(crate) const USAGE: &str = "\
containerd-shim-teff-v1: runs WebAssembly modules as containers. containerd starts it; people do not.

usage: containerd-shim-teff-v1 -namespace NS -address SOCKET -id ID [-bundle DIR] [-debug] start|delete
       containerd-shim-teff-v1 -v | -info

To put it on a node: `teff-shim install`. To see whether a node is ready for it: `teff-shim verify`.
";

/// Reads the command line, without the program's name.
pub(crate) fn parse(args: impl Iterator<Item = String>) -> Result<(Action, Flags), String> {
    let mut args = args.peekable();
    let mut flags = Flags::default();
    let (mut version, mut info) = (false, false);
    while let Some(flag) = args.next_if(|arg| arg.starts_with('-')) {
        let name = flag.trim_start_matches('-');
        let (name, mut value) = match name.split_once('=') {
            Some((name, value)) => (name, Some(value.to_string())),
            None => (name, None),
        };
        let mut text = || {
            let value = value.take().or_else(|| args.next());
            value.ok_or(format!("the flag -{name} needs a value"))
        };
        match name {
            "namespace" => flags.namespace = text()?,
            "id" => flags.id = text()?,
            "address" => flags.address = text()?,
            "bundle" => flags.bundle = text()?.into(),
            // Events go to containerd's socket, not through a program; a socket's name is the shim's own affair.
            "publish-binary" | "socket" => drop(text()?),
            "debug" => flags.debug = is_true(value.as_deref(), name)?,
            "v" | "version" => version = is_true(value.as_deref(), name)?,
            "h" | "help" => return Ok((Action::Help, flags)),
            "info" => info = is_true(value.as_deref(), name)?,
            _ => return Err(format!("unknown flag -{name}")),
        }
    }
    let action = match (version, info, args.next().as_deref()) {
        (true, ..) => Action::Version,
        (_, true, _) => Action::Info,
        (.., Some("start")) => Action::Start,
        (.., Some("delete")) => Action::Delete,
        (.., Some("serve")) => Action::Serve,
        (.., Some("guest")) => Action::Guest,
        (.., Some(other)) => {
            return Err(format!(
                "unknown action `{other}`: there are start and delete"
            ));
        }
        (.., None) => return Err("no action: there are start and delete".into()),
    };
    if matches!(action, Action::Start | Action::Delete | Action::Serve) {
        for (name, value) in [("namespace", &flags.namespace), ("id", &flags.id)] {
            if value.is_empty() {
                return Err(format!("the flag -{name} is missing"));
            }
        }
        // Both become parts of file names.
        if flags.id.contains('/') || flags.id.starts_with('.') {
            return Err(format!("-id {}: no container is called that", flags.id));
        }
    }
    Ok((action, flags))
}

/// The value of a flag that is a yes or no; a bare one is a yes.
fn is_true(value: Option<&str>, name: &str) -> Result<bool, String> {
    match value {
        None | Some("true" | "1" | "t" | "T" | "TRUE" | "True") => Ok(true),
        Some("false" | "0" | "f" | "F" | "FALSE" | "False") => Ok(false),
        Some(other) => Err(format!("-{name}={other}: it is true or false")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<(Action, Flags), String> {
        parse(line.split_whitespace().map(String::from))
    }

    #[test]
    fn as_containerd_calls_it() {
        let (action, flags) = parsed(
            "-namespace k8s.io -address /run/c.sock -publish-binary /usr/bin/containerd -id abc -bundle /b -debug delete",
        )
        .unwrap();
        assert_eq!(action, Action::Delete);
        assert_eq!(
            flags,
            Flags {
                namespace: "k8s.io".into(),
                id: "abc".into(),
                address: "/run/c.sock".into(),
                bundle: "/b".into(),
                debug: true,
            }
        );
        assert_eq!(
            parsed("--namespace=n --id=x start").unwrap().0,
            Action::Start
        );
        assert_eq!(parsed("-v").unwrap().0, Action::Version);
        assert_eq!(parsed("-info").unwrap().0, Action::Info);
    }

    #[test]
    fn mistakes_are_named() {
        for (line, message) in [
            ("", "no action"),
            ("-id", "-id needs a value"),
            ("-colour red start", "unknown flag -colour"),
            ("-namespace n -id x dance", "unknown action `dance`"),
            ("-id x start", "-namespace is missing"),
            ("-namespace n -id ../x start", "no container is called that"),
            ("-debug=perhaps -v", "true or false"),
        ] {
            let error = parsed(line).unwrap_err();
            assert!(error.contains(message), "{line}: {error}");
        }
    }
}
