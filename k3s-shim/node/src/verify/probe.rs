//! The probe pod: a small module that tells what it may do, and what is seen of its process on the node.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use super::process::Seen;

/// Where the probe's read-only volume is, and its other one.
pub(crate) const READ_ONLY: &str = "/teff-verify/ro";
pub(crate) const READ_WRITE: &str = "/teff-verify/rw";

/// The module's place in its image.
pub(crate) const PATH: &str = "/probe.wasm";

/// The user that it runs as.
pub(crate) const USER: u32 = 65532;

/// What it prints last.
const READY: &str = "ready";

/// A probe pod that was run.
#[derive(Debug)]
pub(crate) struct Probe {
    /// From the request to the pod that runs, in milliseconds.
    pub(crate) millis: u128,
    pub(crate) ip: Option<String>,
    /// Did it have to share the node's network?
    pub(crate) host_network: bool,
    pub(crate) said: Said,
    /// Its process as the node sees it, or why it could not be seen.
    pub(crate) process: Result<Seen, String>,
}

impl Default for Probe {
    fn default() -> Self {
        Self {
            millis: 0,
            ip: None,
            host_network: false,
            said: Said::default(),
            process: Err("it was not looked at".into()),
        }
    }
}

/// What the module printed.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Said {
    /// WASI's error code of creating a file, for each directory.
    pub(crate) write: BTreeMap<String, u8>,
    /// And of reading outside of it.
    pub(crate) outside: BTreeMap<String, u8>,
}

impl Said {
    /// Out of a container's log without its timestamps, if the module has come to its end.
    pub(crate) fn parse(log: &str) -> Option<Self> {
        let mut said = Self::default();
        for line in log.lines() {
            if line == READY {
                return Some(said);
            }
            let parsed = line.split_once(' ').and_then(|(word, rest)| {
                let (path, code) = rest.rsplit_once(' ')?;
                Some((word, path.to_owned(), code.parse().ok()?))
            });
            match parsed {
                Some(("write", path, code)) => drop(said.write.insert(path, code)),
                Some(("outside", path, code)) => drop(said.outside.insert(path, code)),
                _ => {}
            }
        }
        None
    }
}

/// The module's binary form.
pub(crate) fn module() -> Result<Vec<u8>> {
    wat::parse_str(include_str!("probe.wat")).context("the probe's module")
}

/// A log as the CRI has it, without what stands before each line: a time, the stream, and whether the line is whole.
pub(crate) fn without_stamps(log: &str) -> String {
    let lines = log
        .lines()
        .map(|line| line.splitn(4, ' ').nth(3).unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_says_is_read() {
        let log = "2026-01-01T00:00:00Z stdout F write / 69\n2026-01-01T00:00:00Z stdout F outside / 76\n\
                   2026-01-01T00:00:00Z stdout F write /my data 00\n";
        assert_eq!(Said::parse(&without_stamps(log)), None, "not at its end");
        let said = Said::parse(&without_stamps(&format!("{log}now stdout F ready\n"))).unwrap();
        assert_eq!(
            said.write,
            BTreeMap::from([("/".into(), 69), ("/my data".into(), 0)])
        );
        assert_eq!(said.outside, BTreeMap::from([("/".into(), 76)]));
    }

    /// The real module, run as the shim runs one.
    #[test]
    fn it_tells_what_it_may_do() {
        use teff_runtime::{Config, Engine, Linker, Module, Store};
        use teff_wasi::{DirPerms, FilePerms, WasiCtx, WasiCtxBuilder};

        let folder = tempfile::TempDir::new().unwrap();
        let log = tempfile::NamedTempFile::new().unwrap();
        let mut config = Config::new();
        config.epoch_interruption(true);
        let engine = Engine::new(&config).unwrap();
        let module = Module::new(&engine, module().unwrap()).unwrap();
        let mut linker = Linker::<WasiCtx>::new(&engine);
        teff_wasi::add_imported_to_linker(&mut linker, &module, |wasi| wasi).unwrap();
        let mut builder = WasiCtxBuilder::new();
        builder.stdout(std::os::fd::OwnedFd::from(log.reopen().unwrap()));
        let (all, read) = (
            (DirPerms::all(), FilePerms::all()),
            (DirPerms::READ, FilePerms::READ),
        );
        builder
            .preopened_dir(folder.path(), "/rw", all.0, all.1)
            .unwrap();
        builder
            .preopened_dir(folder.path(), "/ro", read.0, read.1)
            .unwrap();
        let mut store = Store::new(&engine, builder.build());
        store.set_epoch_deadline(1);
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let start = instance
            .get_typed_func::<(), ()>(&mut store, "_start")
            .unwrap();
        // It waits at its end, until it is interrupted.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while Said::parse(&std::fs::read_to_string(log.path()).unwrap()).is_none() {
                    std::thread::sleep(std::time::Duration::from_millis(5));
                }
                engine.increment_epoch();
            });
            start.call(&mut store, ()).unwrap_err();
        });
        let said = Said::parse(&std::fs::read_to_string(log.path()).unwrap()).unwrap();
        assert_eq!(said.write["/rw"], 0);
        assert!(
            super::super::security::REFUSED.contains(&said.write["/ro"]),
            "{said:?}"
        );
        assert!(
            said.outside
                .values()
                .all(|code| super::super::security::REFUSED.contains(code)),
            "{said:?}"
        );
        assert_eq!(folder.path().read_dir().unwrap().count(), 0, "it tidies up");
    }
}
