//! `teff-shim verify` through kubectl: a script that answers as a cluster did, and the judgement that comes out.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A cluster in a folder.
struct Cluster(TempDir);

impl Cluster {
    /// One where all is well.
    fn new() -> Self {
        let cluster = Self(TempDir::new().unwrap());
        cluster.json(
            "nodes.json",
            &json!({"items": [{
                "metadata": {"name": "edge-1"},
                "spec": {"podCIDR": "10.42.0.0/24"},
                "status": {
                    "conditions": [{"type": "Ready", "status": "True"}],
                    "nodeInfo": {"containerRuntimeVersion": "containerd://2.1.9-k3s1", "architecture": "arm64"},
                    "runtimeHandlers": [{"name": "runc"}, {"name": "teff"}],
                },
            }]}),
        );
        cluster.json(
            "slices.json",
            &json!({"items": [{"endpoints": [{"addresses": ["10.42.0.3"], "conditions": {"ready": true}}]}]}),
        );
        cluster.json(
            "class.json",
            &json!({"handler": "teff", "overhead": {"podFixed": {"memory": "4Mi"}}}),
        );
        cluster.json(
            "installers.json",
            &json!({"items": [{"metadata": {"name": "teff-installer-x"}}]}),
        );
        cluster.json(
            "pod.json",
            &json!({
                "spec": {"nodeName": "edge-1"},
                "status": {
                    "podIP": "10.42.0.9",
                    "containerStatuses": [{
                        "containerID": "containerd://abc123",
                        "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
                    }],
                },
            }),
        );
        cluster.write(
            "log",
            "write / 63\noutside / 63\nwrite /teff-verify/ro 63\nwrite /teff-verify/rw 00\nready\n",
        );
        let zero = "0000000000000000";
        let status = format!(
            "Uid:\t65532\t65532\t65532\t65532\nCapInh:\t{zero}\nCapPrm:\t{zero}\nCapEff:\t{zero}\nCapBnd:\t{zero}\n\
             CapAmb:\t{zero}\nNoNewPrivs:\t1\nSeccomp:\t2\n"
        );
        let mounts = "1 2 0:30 / / ro - overlay overlay rw\n3 1 8:1 /x /teff-verify/ro ro - ext4 /dev/sda rw\n";
        cluster.json(
            "seen.json",
            &json!({"pid": 77, "status": status, "mounts": mounts}),
        );
        cluster
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn json(&self, name: &str, value: &Value) {
        self.write(name, &value.to_string());
    }

    fn run(&self, args: &[&str]) -> Output {
        let kubectl = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/kubectl");
        let mut command = Command::new(env!("CARGO_BIN_EXE_teff-shim"));
        command.env("FAKE_CLUSTER", self.0.path());
        command.args(["verify", "--timeout", "1", "--kubectl"]);
        command.arg(format!("{} --context edge", kubectl.display()));
        command.args(args).output().unwrap()
    }

    /// The exit status, and the verdicts of the steps.
    fn verdicts(&self, args: &[&str]) -> (i32, Value) {
        let output = self.run(&[args, &["--json"]].concat());
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)));
        let status = output.status.code().unwrap();
        assert_eq!(report["exit_status"], status);
        let steps = report["steps"].as_array().unwrap();
        (
            status,
            steps.iter().map(|step| step["verdict"].clone()).collect(),
        )
    }
}

#[test]
fn a_cluster_that_is_ready() {
    let cluster = Cluster::new();
    let (status, verdicts) = cluster.verdicts(&["--strict", "--node", "edge-1"]);
    assert_eq!(
        (status, verdicts),
        (0, json!(["pass", "pass", "pass", "pass"]))
    );
    let calls = fs::read_to_string(cluster.path("calls")).unwrap();
    assert!(
        calls
            .lines()
            .all(|line| line.starts_with("--context edge ")),
        "{calls}"
    );
    assert!(cluster.path("deleted").exists());
    let pod: Value =
        serde_json::from_str(&fs::read_to_string(cluster.path("created.json")).unwrap()).unwrap();
    assert_eq!(pod["spec"]["runtimeClassName"], "teff");
    assert_eq!(
        pod["spec"]["nodeSelector"]["kubernetes.io/hostname"],
        "edge-1"
    );

    let output = cluster.run(&[]);
    let table = String::from_utf8(output.stdout).unwrap();
    for words in [
        "1. network readiness: ok",
        "2. WASI capabilities: ok",
        "3. CRI",
        "4. security",
        "Ready.",
    ] {
        assert!(table.contains(words), "{table}");
    }
}

#[test]
fn each_step_can_fail() {
    type Spoil = fn(&Cluster);
    let cases: [(Spoil, i32, Value); 6] = [
        (
            |cluster| cluster.json("slices.json", &json!({"items": []})),
            4,
            json!(["fail", "pass", "pass", "pass"]),
        ),
        (
            |cluster| fs::remove_file(cluster.path("class.json")).unwrap(),
            16,
            json!(["unknown", "pass", "fail", "unknown"]),
        ),
        (
            |cluster| cluster.write("forbidden", "pods is forbidden: exceeded quota"),
            16,
            json!(["unknown", "pass", "fail", "unknown"]),
        ),
        (
            |cluster| {
                let waiting = json!({"reason": "ErrImageNeverPull", "message": "Container image is not present"});
                let status = json!({"containerStatuses": [{"state": {"waiting": waiting}}]});
                cluster.json("pod.json", &json!({"status": status}));
            },
            16,
            json!(["unknown", "pass", "fail", "unknown"]),
        ),
        (
            |cluster| {
                let seen = fs::read_to_string(cluster.path("seen.json")).unwrap();
                cluster.write("seen.json", &seen.replace("Seccomp:\\t2", "Seccomp:\\t0"));
            },
            32,
            json!(["pass", "pass", "pass", "fail"]),
        ),
        (
            |cluster| cluster.json("installers.json", &json!({"items": []})),
            0,
            json!(["pass", "pass", "pass", "unknown"]),
        ),
    ];
    for (index, (spoil, status, verdicts)) in cases.into_iter().enumerate() {
        let cluster = Cluster::new();
        spoil(&cluster);
        assert_eq!(cluster.verdicts(&[]), (status, verdicts), "case {index}");
        let was_made = cluster.path("created.json").exists() && !cluster.path("forbidden").exists();
        assert_eq!(
            cluster.path("deleted").exists(),
            was_made,
            "case {index}: the pod is deleted"
        );
    }
}

#[test]
fn a_pod_that_cannot_run_says_why() {
    let cluster = Cluster::new();
    let terminated = json!({"exitCode": 134, "reason": "Error"});
    cluster.json(
        "pod.json",
        &json!({"status": {"containerStatuses": [{"state": {"terminated": terminated}}]}}),
    );
    let output = cluster.run(&[]);
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(
        table.contains("FAILED") && table.contains("\"exitCode\":134"),
        "{table}"
    );
}

#[test]
fn a_module_of_ones_own() {
    let cluster = Cluster::new();
    let module = cluster.path("app.wat");
    fs::write(
        &module,
        r#"(module (import "wasi_snapshot_preview1" "sock_accept" (func (param i32 i32 i32) (result i32)))
            (memory (export "memory") 32) (func (export "_start")))"#,
    )
    .unwrap();
    let module = module.to_str().unwrap();
    let args = [
        "--strict",
        "--module",
        module,
        "--tcp-listen",
        "0.0.0.0:80",
        "--memory",
        "16Mi",
    ];
    assert_eq!(cluster.verdicts(&args).0, 0);
    assert_eq!(
        cluster.verdicts(&args[..3]).0,
        8,
        "a warning counts: there is no socket"
    );
    assert_eq!(
        cluster.verdicts(&["--module", module, "--memory", "2Mi"]).0,
        8
    );
}

#[test]
fn what_cannot_be_found_out_is_no_verdict() {
    let cluster = Cluster::new();
    fs::remove_file(cluster.path("nodes.json")).unwrap();
    let output = cluster.run(&[]);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.contains("get nodes") && error.contains("NotFound"),
        "{error}"
    );
    let nothing = Command::new(env!("CARGO_BIN_EXE_teff-shim"))
        .args(["verify", "--address", "/nowhere.sock"])
        .output()
        .unwrap();
    assert_eq!(nothing.status.code(), Some(1));
    assert!(
        String::from_utf8(nothing.stderr)
            .unwrap()
            .contains("/nowhere.sock")
    );
}
