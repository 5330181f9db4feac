//! Verifying a cluster through `kubectl`: the user's own rights, and the version of the API that it knows.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::probe::{self, Probe, READ_ONLY, READ_WRITE, Said, USER};
use super::process::Seen;
use super::{cri, network};
use crate::node::block::RUNTIME;

/// Between two looks at the pod.
const STEP: Duration = Duration::from_millis(250);

/// The namespace of the installer in k3s-shim/deploy, and its label there.
const INSTALLER: [&str; 2] = ["teff-system", "app.kubernetes.io/component=installer"];

/// How it is called, and what is wanted.
pub(crate) struct Kubectl<'a> {
    /// The command, which can have arguments: `k3s kubectl`, `kubectl --context edge`.
    pub(crate) command: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) image: &'a str,
    pub(crate) node: Option<&'a str>,
    pub(crate) timeout: Duration,
}

impl Kubectl<'_> {
    /// Asks, and runs the probe.
    pub(crate) fn ask(&self) -> Result<(network::Facts, cri::Facts, Result<Probe, String>)> {
        let nodes = self.json(&["get", "nodes"])?;
        let slices = self.json(&[
            "-n",
            "kube-system",
            "get",
            "endpointslices",
            "-l",
            "kubernetes.io/service-name=kube-dns",
        ])?;
        let class = self
            .json(&["get", "runtimeclass", RUNTIME])
            .map_err(|e| format!("{e:#}"));
        let all = || nodes["items"].as_array().into_iter().flatten();
        let name = |node: &Value| node["metadata"]["name"].as_str().unwrap_or("?").to_owned();
        let runtimes = all().map(|node| {
            let version = node["status"]["nodeInfo"]["containerRuntimeVersion"].as_str();
            (name(node), version.unwrap_or("not told").to_owned())
        });
        let handlers = all().map(|node| {
            let handlers = node["status"]["runtimeHandlers"]
                .as_array()
                .map(|handlers| {
                    let names = handlers
                        .iter()
                        .filter_map(|handler| handler["name"].as_str());
                    names.map(String::from).collect::<Vec<_>>()
                });
            (name(node), handlers)
        });
        let cri = cri::Facts {
            runtimes: runtimes.collect(),
            handlers: handlers.collect::<BTreeMap<_, _>>(),
            class: Some(class),
            ..cri::Facts::default()
        };
        let probe = match &cri.class {
            Some(Err(_)) => Err(format!(
                "without the RuntimeClass {RUNTIME}, none can be run"
            )),
            _ => self.probe().map_err(|e| format!("{e:#}")),
        };
        let network = network::Facts {
            nodes: Some(nodes),
            dns: network::Dns::Slices(slices),
            ..network::Facts::default()
        };
        Ok((network, cri, probe))
    }

    fn probe(&self) -> Result<Probe> {
        let pod = format!("teff-verify-{}", std::process::id());
        let began = Instant::now();
        self.run(
            &["-n", self.namespace, "create", "-f", "-"],
            Some(self.manifest(&pod).to_string().as_bytes()),
        )?;
        let result = self.watch(&pod, began);
        let deleted = self.run(
            &[
                "-n",
                self.namespace,
                "delete",
                "pod",
                &pod,
                "--grace-period=1",
            ],
            None,
        );
        let probe = result?;
        deleted.context("the probe ran, but its pod could not be deleted")?;
        Ok(probe)
    }

    fn manifest(&self, name: &str) -> Value {
        let volume = |name: &str| json!({"name": name, "emptyDir": {"sizeLimit": "1Mi"}});
        let mut pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": {"app.kubernetes.io/name": "teff-verify"}},
            "spec": {
                "runtimeClassName": RUNTIME,
                "restartPolicy": "Never",
                "automountServiceAccountToken": false,
                "enableServiceLinks": false,
                "securityContext": {
                    "runAsNonRoot": true,
                    "runAsUser": USER,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [{
                    "name": "probe",
                    "image": self.image,
                    "imagePullPolicy": "IfNotPresent",
                    "command": [probe::PATH],
                    "resources": {"limits": {"memory": "16Mi"}, "requests": {"memory": "1Mi"}},
                    "securityContext": {
                        "allowPrivilegeEscalation": false,
                        "readOnlyRootFilesystem": true,
                        "capabilities": {"drop": ["ALL"]},
                    },
                    "volumeMounts": [
                        {"name": "ro", "mountPath": READ_ONLY, "readOnly": true},
                        {"name": "rw", "mountPath": READ_WRITE},
                    ],
                }],
                "volumes": [volume("ro"), volume("rw")],
            },
        });
        if let Some(node) = self.node {
            // Not nodeName: the scheduler is to see it as it sees others.
            pod["spec"]["nodeSelector"] = json!({"kubernetes.io/hostname": node});
        }
        pod
    }

    /// Waits until the pod has said all.
    fn watch(&self, name: &str, began: Instant) -> Result<Probe> {
        let mut millis = None;
        loop {
            let pod = self.json(&["-n", self.namespace, "get", "pod", name])?;
            let status = &pod["status"];
            let container = &status["containerStatuses"][0];
            if !container["state"]["running"].is_null() {
                let millis = *millis.get_or_insert(began.elapsed().as_millis());
                let log = self.run(&["-n", self.namespace, "logs", name], None)?;
                if let Some(said) = Said::parse(&log) {
                    return Ok(Probe {
                        millis,
                        ip: status["podIP"].as_str().map(String::from),
                        host_network: false,
                        said,
                        process: self.look(&pod).map_err(|e| format!("{e:#}")),
                    });
                }
            }
            let why = reason(status);
            if let Some(end) = container["state"]["terminated"].as_object() {
                bail!("the probe ended: {}", Value::from(end.clone()));
            }
            if began.elapsed() >= self.timeout {
                bail!(
                    "the probe pod does not run after {} s: {why}",
                    self.timeout.as_secs()
                );
            }
            std::thread::sleep(STEP);
        }
    }

    /// Has the installer's container on the pod's node look at its process.
    fn look(&self, pod: &Value) -> Result<Seen> {
        let node = pod["spec"]["nodeName"].as_str().unwrap_or_default();
        let id = pod["status"]["containerStatuses"][0]["containerID"].as_str();
        let id = id.and_then(|id| id.split_once("://")).map(|(_, id)| id);
        let id = id.context("the API server does not tell the container's id")?;
        let [namespace, label] = INSTALLER;
        let field = format!("--field-selector=spec.nodeName={node}");
        let installers = self.json(&["-n", namespace, "get", "pods", "-l", label, &field])?;
        let installer = installers["items"][0]["metadata"]["name"].as_str();
        let installer = installer.with_context(|| {
            format!("there is no installer on node {node} to look at it; run `teff-shim verify` on the node itself")
        })?;
        let seen = self.run(
            &[
                "-n",
                namespace,
                "exec",
                installer,
                "--",
                "/teff-shim",
                "look",
                "--container",
                id,
            ],
            None,
        )?;
        serde_json::from_str(&seen).context("what `teff-shim look` printed")
    }

    fn json(&self, args: &[&str]) -> Result<Value> {
        let text = self.run(&[args, &["-o", "json"]].concat(), None)?;
        serde_json::from_str(&text)
            .with_context(|| format!("{} {} printed no JSON", self.command, args.join(" ")))
    }

    fn run(&self, args: &[&str], input: Option<&[u8]>) -> Result<String> {
        let mut words = self.command.split_whitespace();
        let program = words.next().context("--kubectl is empty")?;
        let line = || format!("{} {}", self.command, args.join(" "));
        let mut command = Command::new(program);
        command
            .args(words)
            .args(args)
            .stdin(if input.is_some() {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| {
            format!(
                "{program} cannot be run; name it with --kubectl (K3s: --kubectl \"k3s kubectl\")"
            )
        })?;
        if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
            // If it ends early, it says why.
            let _ = stdin.write_all(input);
        }
        let output = child.wait_with_output().with_context(line)?;
        if !output.status.success() {
            bail!(
                "{}: {}",
                line(),
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        String::from_utf8(output.stdout).with_context(line)
    }
}

/// Why a pod does not run yet.
fn reason(status: &Value) -> String {
    let waiting = &status["containerStatuses"][0]["state"]["waiting"];
    if let Some(reason) = waiting["reason"].as_str() {
        return format!(
            "{reason} {}",
            waiting["message"].as_str().unwrap_or_default()
        );
    }
    let conditions = status["conditions"].as_array().into_iter().flatten();
    let mut messages = conditions.filter_map(|condition| condition["message"].as_str());
    messages.next().unwrap_or("no reason is given").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probe_pod_fits_its_schema() {
        let kubectl = Kubectl {
            command: "kubectl",
            namespace: "default",
            image: "localhost/teff-shim:1",
            node: Some("edge-1"),
            timeout: Duration::ZERO,
        };
        let manifest = kubectl.manifest("probe");
        let pod: k8s_openapi::api::core::v1::Pod =
            serde_json::from_value(manifest.clone()).unwrap();
        assert_eq!(
            serde_json::to_value(pod).unwrap(),
            manifest,
            "no field is lost"
        );
    }
}
