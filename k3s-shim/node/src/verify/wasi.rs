//! Step 2, the map of WASI's capabilities: what a module imports and needs, against what a pod grants. Knows teff's runtime
//! and its table of WASI.

use teff_runtime::{Engine, ExternType, Module};
use teff_wasi::FUNCTIONS;

use super::report::Checks;

/// The module, and what its pod is to grant beside its files.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// Its name for people.
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    /// The value of the annotation teff.dev/tcp-listen.
    pub(crate) listen: Option<String>,
    /// The container's limit of memory, in bytes.
    pub(crate) memory: Option<u64>,
}

/// The names of WASI preview 1 in modules, of today and of long ago.
const WASI: [&str; 2] = ["wasi_snapshot_preview1", "wasi_unstable"];

/// What one wants that imports from these, and what can be done.
const OTHERS: [(&str, &str); 4] = [
    (
        "wasi:",
        "a component's interface: compile for wasm32-wasip1",
    ),
    (
        "wasi_ephemeral",
        "a draft that never became an interface: compile for wasm32-wasip1",
    ),
    (
        "env",
        "functions of its embedder, often left undefined by the linker: link all of its libraries",
    ),
    ("", "no host function of that name is in a pod"),
];

/// What functions are for, by how their names begin, and where a pod's grant comes from.
const GROUPS: [(&str, &[&str], &str); 6] = [
    ("arguments", &["args_"], "the container's command and args"),
    (
        "environment",
        &["environ_"],
        "the container's env, with PWD and HOSTNAME",
    ),
    ("clocks", &["clock_", "poll_"], "all clocks, and waiting"),
    ("randomness", &["random_"], "the node's"),
    (
        "files",
        &["fd_", "path_"],
        "the image's root and the volumes, each to write unless it is read-only; stdin, stdout, stderr",
    ),
    (
        "process",
        &["proc_", "sched_"],
        "its exit status; signals to itself are not there",
    ),
];

/// Bytes of a page of Wasm's memory.
const PAGE: u64 = 64 << 10;

/// Judges.
pub(crate) fn judge(facts: &Facts) -> Checks {
    let mut checks = Checks::default();
    let loaded = wat::parse_bytes(&facts.bytes)
        .map_err(|e| e.to_string())
        .and_then(|binary| Module::new(&Engine::default(), &binary).map_err(|e| e.to_string()));
    let module = match loaded {
        Ok(module) => module,
        Err(e) => {
            checks.fail(
                "module",
                format!("{}: teff does not run it: {e}", facts.name),
            );
            return checks;
        }
    };
    checks.pass("module", format!("{}: teff takes it", facts.name));
    judge_imports(&mut checks, &module, facts);
    judge_exports(&mut checks, &module);
    judge_memory(&mut checks, &module, facts.memory);
    checks
}

fn judge_imports(checks: &mut Checks, module: &Module, facts: &Facts) {
    let mut groups: Vec<Vec<&str>> = vec![Vec::new(); GROUPS.len()];
    let mut sockets = Vec::new();
    for import in module.imports() {
        let (from, name) = (import.module(), import.name());
        let full = format!("import {from}::{name}");
        if !WASI.contains(&from) {
            let other = OTHERS.iter().find(|(start, _)| from.starts_with(start));
            checks.fail(&full, other.map_or("", |(_, what)| what).to_string());
            continue;
        }
        let Some(function) = FUNCTIONS.iter().find(|function| function.name == name) else {
            checks.fail(&full, "WASI preview 1 has no function of that name");
            continue;
        };
        let fits = match import.ty() {
            ExternType::Func(ty) => {
                let params = function.params.iter().map(|(_, ty)| format!("{ty:?}"));
                ty.params().map(|ty| format!("{ty:?}")).eq(params)
                    && ty.results().len() == usize::from(function.returns_errno)
            }
            _ => false,
        };
        if !fits {
            checks.fail(&full, "it is imported with another type than WASI's");
            continue;
        }
        if name.starts_with("sock_") {
            sockets.push(name);
            continue;
        }
        let group = GROUPS
            .iter()
            .position(|(_, starts, _)| starts.iter().any(|start| name.starts_with(start)));
        if let Some(group) = group {
            groups[group].push(name);
        }
    }
    for ((what, _, grant), names) in GROUPS.iter().zip(&groups) {
        if !names.is_empty() {
            checks.pass(
                what,
                format!("granted: {grant}\nneeds {}", names.join(", ")),
            );
        }
    }
    let listen = facts
        .listen
        .as_deref()
        .filter(|listen| !listen.trim().is_empty());
    match (sockets.is_empty(), listen) {
        (true, None) => {}
        (true, Some(listen)) => checks.warn(
            "sockets",
            format!("granted: {listen}; but it imports no function for sockets"),
        ),
        (false, Some(listen)) => checks.pass(
            "sockets",
            format!("granted: listens at {listen}\nneeds {}", sockets.join(", ")),
        ),
        // Standard libraries import them for programs that never use one.
        (false, None) => checks.warn(
            "sockets",
            format!(
                "not granted: no annotation teff.dev/tcp-listen; there will be no socket to accept from\nneeds {}",
                sockets.join(", ")
            ),
        ),
    }
    if module.imports().next().is_none() {
        checks.pass("imports", "it needs nothing");
    }
}

fn judge_exports(checks: &mut Checks, module: &Module) {
    let has = |name: &str| {
        let mut exports = module.exports();
        exports.any(|export| export.name() == name && matches!(export.ty(), ExternType::Func(_)))
    };
    match (has("_start"), has("_initialize") || has("__post_init")) {
        (true, _) => checks.pass("entry", "a command: `_start` is run"),
        (false, true) => checks.pass("entry", "a reactor: it is set up and stays"),
        (false, false) => checks.fail(
            "entry",
            "it exports neither `_start` nor `_initialize`; name a function in the container's command: \
             [\"/app.wasm#function\"]",
        ),
    }
    let hooks = ["__post_init", "_wasm_exit_graceful"];
    let hooks: Vec<&str> = hooks.into_iter().filter(|hook| has(hook)).collect();
    if !hooks.is_empty() {
        checks.pass("hooks", hooks.join(", "));
    }
    let is_memory = |ty| matches!(ty, ExternType::Memory(_));
    if module
        .imports()
        .any(|import| WASI.contains(&import.module()))
        && !module
            .exports()
            .any(|export| export.name() == "memory" && is_memory(export.ty()))
    {
        checks.fail(
            "memory",
            "WASI needs the memory that a module exports as `memory`; it exports none",
        );
    }
}

fn judge_memory(checks: &mut Checks, module: &Module, limit: Option<u64>) {
    let least: u64 = module
        .exports()
        .filter_map(|export| match export.ty() {
            ExternType::Memory(memory) => Some(memory.minimum()),
            _ => None,
        })
        .sum();
    let needed = least * PAGE;
    let mib = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
    match limit {
        Some(limit) if needed >= limit => checks.fail(
            "memory limit",
            format!(
                "{} are not enough: it starts with {}",
                mib(limit),
                mib(needed)
            ),
        ),
        Some(limit) => checks.pass(
            "memory limit",
            format!("{}; it starts with {}", mib(limit), mib(needed)),
        ),
        None if needed > 0 => {
            checks.pass("memory limit", format!("it starts with {}", mib(needed)))
        }
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::report::Verdict::{Fail, Pass, Warn};

    fn judged(text: &str, listen: Option<&str>, memory: Option<u64>) -> Checks {
        judge(&Facts {
            name: "m".into(),
            bytes: text.into(),
            listen: listen.map(String::from),
            memory,
        })
    }

    const SERVER: &str = r#"(module
        (import "wasi_snapshot_preview1" "sock_accept" (func (param i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "path_open"
            (func (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
        (memory (export "memory") 32)
        (func (export "_start")) (func (export "_wasm_exit_graceful")))"#;

    #[test]
    fn what_is_granted() {
        let checks = judged(SERVER, Some("0.0.0.0:80"), Some(16 << 20));
        for name in [
            "module",
            "files",
            "process",
            "sockets",
            "entry",
            "hooks",
            "memory limit",
        ] {
            assert_eq!(checks.verdict(name), Pass, "{name}");
        }
        assert_eq!(judged(SERVER, None, None).verdict("sockets"), Warn);
        assert_eq!(judged(SERVER, Some(" "), None).verdict("sockets"), Warn);
        assert_eq!(
            judged(SERVER, None, Some(2 << 20)).verdict("memory limit"),
            Fail
        );
        let checks = judged("(module (func (export \"_initialize\")))", None, None);
        assert_eq!(checks.verdict("imports"), Pass);
        assert_eq!(checks.verdict("entry"), Pass);
    }

    #[test]
    fn what_is_not() {
        for (text, name) in [
            ("not a module", "module"),
            ("(module (func (result i32)))", "module"),
            (
                "(module (import \"env\" \"log\" (func)))",
                "import env::log",
            ),
            (
                "(module (import \"wasi:io/streams\" \"read\" (func)))",
                "import wasi:io/streams::read",
            ),
            (
                "(module (import \"wasi_snapshot_preview1\" \"sock_open\" (func)))",
                "import wasi_snapshot_preview1::sock_open",
            ),
            (
                "(module (import \"wasi_snapshot_preview1\" \"proc_exit\" (func (param i64))))",
                "import wasi_snapshot_preview1::proc_exit",
            ),
            (
                "(module (import \"wasi_snapshot_preview1\" \"proc_exit\" (func (param i32))))",
                "memory",
            ),
            ("(module (func (export \"run\")))", "entry"),
        ] {
            assert_eq!(judged(text, None, None).verdict(name), Fail, "{text}");
        }
    }

    /// Every function of the table has a place on the map.
    #[test]
    fn the_map_is_whole() {
        for function in FUNCTIONS {
            let groups = GROUPS.iter().flat_map(|(_, starts, _)| starts.iter());
            let mut starts = groups.chain(&["sock_"]);
            assert!(
                starts.any(|start| function.name.starts_with(start)),
                "{}",
                function.name
            );
        }
    }

    #[test]
    fn the_probe_passes() {
        let bytes = crate::verify::probe::module().unwrap();
        let checks = judge(&Facts {
            name: "probe".into(),
            bytes,
            ..Facts::default()
        });
        for name in ["module", "files", "clocks", "entry"] {
            assert_eq!(checks.verdict(name), Pass, "{name}");
        }
    }
}
