//! Step 1, network readiness: nodes, the pods' addresses, DNS. Judges what others have found out.

use serde_json::Value;

use super::probe::Probe;
use super::report::Checks;

/// What there is to judge.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// The cluster's nodes, as `kubectl get nodes -o json` has them. On a node alone, nobody knows them.
    pub(crate) nodes: Option<Value>,
    /// The conditions that the CRI tells: a type, whether it is so, and a message.
    pub(crate) conditions: Vec<(String, bool, String)>,
    pub(crate) dns: Dns,
}

/// What is known of DNS.
#[derive(Debug, Default)]
pub(crate) enum Dns {
    /// The EndpointSlices of the cluster's DNS service.
    Slices(Value),
    /// The answer of the server that was named, or what came instead.
    Answer(Result<String, String>),
    /// Nobody was asked: this is why.
    #[default]
    NotAsked,
}

/// Judges.
pub(crate) fn judge(facts: &Facts, probe: &Result<Probe, String>) -> Checks {
    let mut checks = Checks::default();
    match &facts.nodes {
        Some(nodes) => judge_nodes(&mut checks, nodes),
        None => judge_conditions(&mut checks, &facts.conditions),
    }
    match &facts.dns {
        Dns::Slices(slices) => judge_slices(&mut checks, slices),
        Dns::Answer(Ok(answer)) => checks.pass("cluster DNS", answer.as_str()),
        Dns::Answer(Err(why)) => checks.fail("cluster DNS", why.as_str()),
        Dns::NotAsked => checks.unknown(
            "cluster DNS",
            "not asked: name the address of the cluster's DNS service with --dns (K3s: 10.43.0.10)",
        ),
    }
    match probe {
        Ok(Probe {
            host_network: true, ..
        }) => checks.unknown(
            "address of a pod",
            "the probe pod ran in the node's network, because there is no other yet",
        ),
        Ok(Probe { ip: Some(ip), .. }) => {
            checks.pass("address of a pod", format!("the probe pod got {ip}"));
        }
        Ok(_) => checks.fail(
            "address of a pod",
            "the probe pod got none: look at the network plugin's configuration (K3s: \
             /var/lib/rancher/k3s/agent/etc/cni/net.d)",
        ),
        Err(_) => checks.unknown("address of a pod", "no probe pod: see step 3"),
    }
    checks
}

fn judge_nodes(checks: &mut Checks, nodes: &Value) {
    let empty = Vec::new();
    let nodes = nodes["items"].as_array().unwrap_or(&empty);
    if nodes.is_empty() {
        return checks.fail("nodes", "the cluster has none");
    }
    for node in nodes {
        let name = node["metadata"]["name"].as_str().unwrap_or("?");
        let ready = condition(node, "Ready");
        checks.that(
            &format!("node {name}"),
            ready.is_some_and(|(is, _)| is),
            match ready {
                Some((true, _)) => "is ready".into(),
                Some((false, message)) => format!("is not ready: {message}"),
                None => "does not say whether it is ready".into(),
            },
        );
        let what = format!("pod CIDR of {name}");
        match node["spec"]["podCIDR"].as_str() {
            Some(cidr) => checks.pass(&what, cidr),
            // Cilium and others give out addresses themselves.
            None => checks.warn(
                &what,
                "none: fine if the network plugin gives out addresses itself, else the controller manager has none left \
                 (K3s: --cluster-cidr)",
            ),
        }
        if let Some((true, message)) = condition(node, "NetworkUnavailable") {
            checks.fail(&format!("network of {name}"), message);
        }
    }
}

/// A condition of a node, and its message.
fn condition<'a>(node: &'a Value, kind: &str) -> Option<(bool, &'a str)> {
    let conditions = node["status"]["conditions"].as_array()?;
    let found = conditions
        .iter()
        .find(|condition| condition["type"] == kind)?;
    Some((
        found["status"] == "True",
        found["message"].as_str().unwrap_or("no reason is given"),
    ))
}

fn judge_conditions(checks: &mut Checks, conditions: &[(String, bool, String)]) {
    for (kind, what) in [
        ("RuntimeReady", "container runtime"),
        ("NetworkReady", "pod network"),
    ] {
        match conditions.iter().find(|(name, ..)| name == kind) {
            Some((_, true, _)) => checks.pass(what, "is ready"),
            Some((_, false, message)) => checks.fail(what, format!("is not ready: {message}")),
            None => checks.unknown(what, "the CRI says nothing of it"),
        }
    }
}

fn judge_slices(checks: &mut Checks, slices: &Value) {
    let slices = slices["items"].as_array().map_or(&[][..], Vec::as_slice);
    let endpoints = || {
        slices
            .iter()
            .filter_map(|slice| slice["endpoints"].as_array())
            .flatten()
    };
    // No statement means ready, says the API.
    let ready = endpoints().filter(|endpoint| endpoint["conditions"]["ready"] != false);
    match (endpoints().count(), ready.count()) {
        (0, _) => checks.fail(
            "cluster DNS",
            "the service kube-dns in kube-system has no endpoints: look at the pods with the label k8s-app=kube-dns",
        ),
        (all, 0) => checks.fail("cluster DNS", format!("none of its {all} endpoints is ready")),
        (all, ready) => checks.pass("cluster DNS", format!("{ready} of {all} endpoints are ready")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::verify::report::Verdict::{Fail, Pass, Unknown, Warn};

    fn nodes(ready: &str) -> Value {
        json!({"items": [{
            "metadata": {"name": "edge-1"},
            "spec": {"podCIDR": "10.42.0.0/24"},
            "status": {"conditions": [
                {"type": "MemoryPressure", "status": "False"},
                {"type": "Ready", "status": ready, "message": "container runtime is down"},
            ]},
        }]})
    }

    fn judged(nodes: Value, slices: Value) -> Checks {
        let facts = Facts {
            nodes: Some(nodes),
            dns: Dns::Slices(slices),
            ..Facts::default()
        };
        judge(
            &facts,
            &Ok(Probe {
                ip: Some("10.42.0.9".into()),
                ..Probe::default()
            }),
        )
    }

    #[test]
    fn a_cluster() {
        let slices = json!({"items": [{"endpoints": [{"conditions": {"ready": true}}, {"conditions": {"ready": false}}]}]});
        let checks = judged(nodes("True"), slices.clone());
        for name in [
            "node edge-1",
            "pod CIDR of edge-1",
            "cluster DNS",
            "address of a pod",
        ] {
            assert_eq!(checks.verdict(name), Pass, "{name}");
        }
        assert_eq!(
            judged(nodes("False"), slices.clone()).verdict("node edge-1"),
            Fail
        );
        assert_eq!(
            judged(nodes("Unknown"), slices.clone()).verdict("node edge-1"),
            Fail
        );
        let mut without = nodes("True");
        without["items"][0]["spec"] = json!({});
        assert_eq!(
            judged(without, slices.clone()).verdict("pod CIDR of edge-1"),
            Warn
        );
        assert_eq!(judged(json!({"items": []}), slices).verdict("nodes"), Fail);
        for slices in [
            json!({"items": []}),
            json!({"items": [{"endpoints": null}]}),
            json!({"items": [{"endpoints": [{"conditions": {"ready": false}}]}]}),
        ] {
            assert_eq!(judged(nodes("True"), slices).verdict("cluster DNS"), Fail);
        }
    }

    #[test]
    fn a_node_alone() {
        let mut facts = Facts {
            conditions: vec![
                ("RuntimeReady".into(), true, String::new()),
                (
                    "NetworkReady".into(),
                    false,
                    "cni plugin not initialized".into(),
                ),
            ],
            ..Facts::default()
        };
        let checks = judge(
            &facts,
            &Ok(Probe {
                host_network: true,
                ..Probe::default()
            }),
        );
        assert_eq!(checks.verdict("container runtime"), Pass);
        assert_eq!(checks.verdict("pod network"), Fail);
        assert_eq!(checks.verdict("cluster DNS"), Unknown);
        assert_eq!(checks.verdict("address of a pod"), Unknown);
        facts.conditions[1].1 = true;
        facts.dns = Dns::Answer(Err("no answer".into()));
        let checks = judge(&facts, &Ok(Probe::default()));
        assert_eq!(checks.verdict("pod network"), Pass);
        assert_eq!(checks.verdict("cluster DNS"), Fail);
        assert_eq!(checks.verdict("address of a pod"), Fail);
    }
}
