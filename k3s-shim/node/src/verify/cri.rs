//! Step 3, CRI compatibility: the RuntimeClass, containerd's entry of the runtime, versions, and a pod that really runs.
//! Judges what others have found out.

use std::collections::BTreeMap;

use serde_json::Value;

use super::probe::Probe;
use super::report::Checks;
use crate::node::block::RUNTIME;
use crate::node::containerd::Number;

/// What there is to judge.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// The RuntimeClass, if there is a cluster to ask; an error is that it has none.
    pub(crate) class: Option<Result<Value, String>>,
    /// Each node's runtime and version, as in `containerd://1.7.13-k3s1`.
    pub(crate) runtimes: BTreeMap<String, String>,
    /// Of the CRI's API; only on a node.
    pub(crate) api: Option<String>,
    /// Each node's handlers, as far as it tells them.
    pub(crate) handlers: BTreeMap<String, Option<Vec<String>>>,
    /// containerd's entry of the runtime; only on a node.
    pub(crate) entry: Option<Value>,
    /// The version that the shim says it has, if it was found, or why it does not tell.
    pub(crate) shim: Option<Result<String, String>>,
}

/// The oldest containerd that the shim is tested with.
const OLDEST: Number = Number(1, 6, 0);

/// Judges.
pub(crate) fn judge(facts: &Facts, probe: &Result<Probe, String>) -> Checks {
    let mut checks = Checks::default();
    match &facts.class {
        Some(Ok(class)) => judge_class(&mut checks, class),
        Some(Err(why)) => checks.fail(
            "RuntimeClass",
            format!("{why}\nkubectl apply -f k3s-shim/deploy/runtimeclass.yaml"),
        ),
        None => checks.unknown(
            "RuntimeClass",
            "only the API server knows it: ask through kubectl",
        ),
    }
    for (node, runtime) in &facts.runtimes {
        let name = format!("runtime of {node}");
        let (kind, version) = runtime.split_once("://").unwrap_or((runtime, ""));
        match Number::find(version) {
            _ if kind != "containerd" => {
                checks.fail(&name, format!("{runtime}: the shim is one of containerd's"))
            }
            Some(number) if number >= OLDEST => checks.pass(&name, runtime.as_str()),
            Some(_) => checks.fail(&name, format!("{runtime}: 1.6 or later is needed")),
            None => checks.unknown(
                &name,
                format!("{runtime}: it tells no version that can be read"),
            ),
        }
    }
    if let Some(api) = &facts.api {
        checks.that("CRI", api == "v1", format!("the API's version is {api}"));
    }
    for (node, handlers) in &facts.handlers {
        let name = format!("handler on {node}");
        match handlers {
            Some(handlers) if handlers.iter().any(|handler| handler == RUNTIME) => {
                checks.pass(&name, format!("containerd has the runtime {RUNTIME}"));
            }
            Some(_) => checks.fail(
                &name,
                format!(
                    "containerd has no runtime {RUNTIME}: run `teff-shim install --restart` on the node; `teff-shim \
                     status` tells more"
                ),
            ),
            None => checks.unknown(&name, "the node does not tell its handlers (Kubernetes 1.30 and later do)"),
        }
    }
    if let Some(entry) = &facts.entry {
        judge_entry(&mut checks, entry);
    }
    match &facts.shim {
        Some(Ok(version)) if version == env!("CARGO_PKG_VERSION") => {
            checks.pass("shim", version.as_str())
        }
        Some(Ok(version)) => checks.fail(
            "shim",
            format!(
                "it is version {version}, and this teff-shim is {}: install both from one release",
                env!("CARGO_PKG_VERSION")
            ),
        ),
        Some(Err(why)) => checks.fail("shim", why.as_str()),
        None if facts.entry.is_some() => checks.unknown(
            "shim",
            "it is in none of the usual folders; whether containerd finds it, the probe pod tells",
        ),
        None => {}
    }
    match probe {
        Ok(probe) => checks.pass("probe pod", format!("ran after {} ms", probe.millis)),
        Err(why) => checks.fail("probe pod", why.as_str()),
    }
    checks
}

fn judge_class(checks: &mut Checks, class: &Value) {
    let handler = class["handler"].as_str().unwrap_or_default();
    checks.that(
        "RuntimeClass",
        handler == RUNTIME,
        format!("its handler is {handler}"),
    );
    match class["overhead"]["podFixed"]["memory"].as_str() {
        Some(memory) => checks.pass("overhead", format!("{memory} of memory for each pod")),
        None => checks.warn(
            "overhead",
            "the RuntimeClass has none: the scheduler takes the shim for nothing (see k3s-shim/deploy/runtimeclass.yaml)",
        ),
    }
}

/// containerd 1 and 2 print it with the names of their Go fields or of their TOML.
fn judge_entry(checks: &mut Checks, entry: &Value) {
    let field = |names: [&str; 2]| {
        names
            .into_iter()
            .map(|name| &entry[name])
            .find(|value| !value.is_null())
    };
    let kind = field(["runtimeType", "runtime_type"])
        .and_then(Value::as_str)
        .unwrap_or_default();
    checks.that(
        "containerd's entry",
        kind.contains(&format!("{RUNTIME}.v1")) || kind.ends_with(&format!("-{RUNTIME}-v1")),
        format!("runtime_type = {kind:?}"),
    );
    // These go to the pod's containers too. What containerd calls a container's annotations, no user can write.
    let patterns = field(["PodAnnotations", "pod_annotations"]).and_then(Value::as_array);
    let passed =
        patterns.is_some_and(|patterns| patterns.iter().any(|pattern| pattern == "teff.dev/*"));
    match passed {
        true => checks.pass("annotations", "those of teff.dev/ reach the shim"),
        false => checks.warn(
            "annotations",
            "those of teff.dev/ do not reach the shim, so teff.dev/tcp-listen has no effect: run `teff-shim install`",
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::verify::report::Verdict::{Fail, Pass, Unknown, Warn};

    fn cluster(runtime: &str, handlers: Option<&[&str]>) -> Facts {
        let handlers = handlers.map(|all| all.iter().map(|name| (*name).into()).collect());
        Facts {
            class: Some(Ok(
                json!({"handler": "teff", "overhead": {"podFixed": {"memory": "4Mi"}}}),
            )),
            runtimes: BTreeMap::from([("a".into(), runtime.into())]),
            handlers: BTreeMap::from([("a".into(), handlers)]),
            ..Facts::default()
        }
    }

    #[test]
    fn a_cluster() {
        let good = cluster("containerd://2.1.9-k3s1", Some(&["", "runc", "teff"]));
        let checks = judge(&good, &Ok(Probe::default()));
        for name in [
            "RuntimeClass",
            "overhead",
            "runtime of a",
            "handler on a",
            "probe pod",
        ] {
            assert_eq!(checks.verdict(name), Pass, "{name}");
        }
        for (runtime, verdict) in [
            ("containerd://1.6.20~ds1", Pass),
            ("containerd://1.5.9", Fail),
            ("cri-o://1.30.0", Fail),
            ("containerd://unknown", Unknown),
        ] {
            let checks = judge(&cluster(runtime, None), &Err("no image".into()));
            assert_eq!(checks.verdict("runtime of a"), verdict, "{runtime}");
            assert_eq!(checks.verdict("handler on a"), Unknown);
            assert_eq!(checks.verdict("probe pod"), Fail);
        }
        let mut facts = cluster("containerd://1.7.2", Some(&["runc"]));
        assert_eq!(
            judge(&facts, &Ok(Probe::default())).verdict("handler on a"),
            Fail
        );
        for (class, name, verdict) in [
            (Ok(json!({"handler": "teff"})), "overhead", Warn),
            (Ok(json!({"handler": "runc"})), "RuntimeClass", Fail),
            (Err("not found".into()), "RuntimeClass", Fail),
        ] {
            facts.class = Some(class);
            assert_eq!(judge(&facts, &Ok(Probe::default())).verdict(name), verdict);
        }
    }

    #[test]
    fn a_node() {
        let entry = |kind: &str, patterns: &[&str]| json!({"runtimeType": kind, "PodAnnotations": patterns});
        let mut facts = Facts {
            api: Some("v1".into()),
            entry: Some(entry("io.containerd.teff.v1", &["teff.dev/*"])),
            shim: Some(Ok(env!("CARGO_PKG_VERSION").into())),
            ..Facts::default()
        };
        let checks = judge(&facts, &Ok(Probe::default()));
        for name in ["CRI", "containerd's entry", "annotations", "shim"] {
            assert_eq!(checks.verdict(name), Pass, "{name}");
        }
        assert_eq!(checks.verdict("RuntimeClass"), Unknown);
        facts.entry = Some(entry("io.containerd.runc.v2", &[]));
        facts.api = Some("v1alpha2".into());
        facts.shim = Some(Ok("0.0.1".into()));
        let checks = judge(&facts, &Ok(Probe::default()));
        for name in ["CRI", "containerd's entry", "shim"] {
            assert_eq!(checks.verdict(name), Fail, "{name}");
        }
        assert_eq!(checks.verdict("annotations"), Warn);
        facts.shim = None;
        facts.entry = Some(json!({"runtime_type": "/opt/teff/containerd-shim-teff-v1"}));
        let checks = judge(&facts, &Ok(Probe::default()));
        assert_eq!(checks.verdict("containerd's entry"), Pass);
        assert_eq!(checks.verdict("shim"), Unknown, "containerd may find it");
    }
}
