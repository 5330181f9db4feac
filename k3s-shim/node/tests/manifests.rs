//! The manifests in `k3s-shim/deploy` against the schemas of their APIs, without a cluster: each is read as the type that
//! the API server has for it, and every field must still be there when that is written again. A field that is misspelt,
//! or in the wrong place, is not.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::core::v1::{Namespace, Pod, Service};
use k8s_openapi::api::node::v1::RuntimeClass;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What runtime-class-manager's CRD has, as of its commit 25903b3 (June 2026).
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Shim {
    api_version: String,
    kind: String,
    metadata: ObjectMeta,
    spec: ShimSpec,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ShimSpec {
    #[serde(default)]
    node_selector: BTreeMap<String, String>,
    fetch_strategy: FetchStrategy,
    runtime_class: RuntimeClassSpec,
    rollout_strategy: RolloutStrategy,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    containerd_runtime_options: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct FetchStrategy {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    anon_http: Option<AnonHttp>,
    #[serde(default)]
    platforms: Vec<Platform>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AnonHttp {
    location: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Platform {
    os: Os,
    arch: Arch,
    location: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Os {
    Linux,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Arch {
    Amd64,
    Arm64,
    #[serde(rename = "x86_64")]
    X86,
    Aarch64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuntimeClassSpec {
    name: String,
    handler: String,
}

/// `rolling` is in the CRD, and its controller refuses it as not implemented.
#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
enum RolloutStrategy {
    Recreate,
}

/// What kustomize reads, as far as it is used here.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Kustomization {
    api_version: String,
    kind: String,
    resources: Vec<String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

/// All manifests below the folder.
fn files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            match path.extension() {
                _ if path.is_dir() => folders.push(path),
                Some(ext) if ext == "yaml" || ext == "yml" => found.push(path),
                _ => {}
            }
        }
    }
    found.sort();
    found
}

fn documents(text: &str) -> Vec<Value> {
    let documents = yaml_serde::Deserializer::from_str(text);
    documents
        .map(|document| Value::deserialize(document).expect("YAML"))
        .collect()
}

fn manifest(name: &str) -> Vec<Value> {
    documents(&fs::read_to_string(folder().join(name)).unwrap())
}

/// Reads a document as what it says it is, and tells what is wrong with it.
fn check(document: &Value) -> Result<(), String> {
    let field = |name| document[name].as_str().unwrap_or_default();
    match (field("apiVersion"), field("kind")) {
        ("v1", "Namespace") => typed::<Namespace>(document),
        ("v1", "Pod") => typed::<Pod>(document),
        ("v1", "Service") => typed::<Service>(document),
        ("apps/v1", "DaemonSet") => typed::<DaemonSet>(document),
        ("apps/v1", "Deployment") => typed::<Deployment>(document),
        ("node.k8s.io/v1", "RuntimeClass") => typed::<RuntimeClass>(document),
        ("runtime.spinkube.dev/v1alpha1", "Shim") => typed::<Shim>(document),
        ("kustomize.config.k8s.io/v1beta1", "Kustomization") => typed::<Kustomization>(document),
        (version, kind) => Err(format!("no schema for {version} {kind}")),
    }
}

fn typed<T: DeserializeOwned + Serialize>(document: &Value) -> Result<(), String> {
    let value: T = serde_json::from_value(document.clone()).map_err(|e| e.to_string())?;
    let back = serde_json::to_value(value).map_err(|e| e.to_string())?;
    let mut lost = Vec::new();
    compare(document, &back, "", &mut lost);
    match lost.is_empty() {
        true => Ok(()),
        false => Err(format!("no such field: {}", lost.join(", "))),
    }
}

/// Notes what is in one value and not, or not the same, in the other.
fn compare(wanted: &Value, got: &Value, path: &str, lost: &mut Vec<String>) {
    match (wanted, got) {
        (Value::Object(wanted), _) => {
            for (name, value) in wanted {
                let path = format!("{path}.{name}");
                match got.get(name) {
                    Some(got) => compare(value, got, &path, lost),
                    None => lost.push(path),
                }
            }
        }
        (Value::Array(wanted), Value::Array(got)) if wanted.len() == got.len() => {
            for (index, (wanted, got)) in wanted.iter().zip(got).enumerate() {
                compare(wanted, got, &format!("{path}[{index}]"), lost);
            }
        }
        _ if wanted == got => {}
        _ => lost.push(path.into()),
    }
}

#[test]
fn every_manifest_fits_its_schema() {
    let files = files();
    assert!(files.len() >= 7, "{files:?}");
    for file in files {
        let documents = documents(&fs::read_to_string(&file).unwrap());
        assert!(!documents.is_empty(), "{}", file.display());
        for document in documents {
            check(&document).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        }
    }
}

/// Each of these is a mistake that the test above must not let pass.
#[test]
fn mistakes_are_seen() {
    type Spoil = fn(&mut Value);
    let cases: [(&str, usize, Spoil, &str); 8] = [
        (
            "runtimeclass.yaml",
            0,
            |v| rename(v, "/overhead", "podFixed", "podfixed"),
            "podfixed",
        ),
        (
            "runtimeclass.yaml",
            0,
            |v| rename(v, "", "handler", "Handler"),
            "Handler",
        ),
        (
            "installer.yaml",
            1,
            |v| rename(v, "/spec/template/spec", "hostPID", "hostPid"),
            "hostPid",
        ),
        (
            "installer.yaml",
            1,
            |v| {
                rename(
                    v,
                    "/spec/template/spec/containers/0/securityContext",
                    "capabilities",
                    "capability",
                )
            },
            ".spec.template.spec.containers[0].securityContext.capability",
        ),
        (
            "samples/pod.yaml",
            0,
            |v| rename(v, "/spec", "runtimeClassName", "runtimeClass"),
            ".spec.runtimeClass",
        ),
        (
            "samples/pod.yaml",
            0,
            |v| {
                *v.pointer_mut("/spec/containers/0/ports/0/containerPort")
                    .unwrap() = "many".into()
            },
            "invalid type",
        ),
        (
            "runtime-class-manager/shim.yaml",
            0,
            |v| rename(v, "/spec/fetchStrategy", "platforms", "platform"),
            "unknown field `platform`",
        ),
        (
            "runtime-class-manager/shim.yaml",
            0,
            |v| {
                *v.pointer_mut("/spec/fetchStrategy/platforms/0/arch")
                    .unwrap() = "riscv64".into()
            },
            "unknown variant `riscv64`",
        ),
    ];
    for (file, index, spoil, expected) in cases {
        let mut document = manifest(file).remove(index);
        check(&document).unwrap();
        spoil(&mut document);
        let error = check(&document).expect_err(expected);
        assert!(error.contains(expected), "{file}: {error}");
    }
}

fn rename(document: &mut Value, object: &str, from: &str, to: &str) {
    let object = document
        .pointer_mut(object)
        .unwrap()
        .as_object_mut()
        .unwrap();
    let value = object.remove(from).unwrap();
    object.insert(to.into(), value);
}

/// What no schema says.
#[test]
fn manifests_fit_each_other() {
    let class = &manifest("runtimeclass.yaml")[0];
    assert_eq!(class["handler"], "teff", "what `teff-shim install` writes");
    let name = &class["metadata"]["name"];

    let mut images = BTreeSet::new();
    for file in ["installer.yaml", "uninstaller.yaml"] {
        for document in manifest(file)
            .iter()
            .filter(|document| document["kind"] == "DaemonSet")
        {
            let pod = &document["spec"]["template"];
            let labels = pod["metadata"]["labels"].as_object().unwrap();
            let selector = document["spec"]["selector"]["matchLabels"]
                .as_object()
                .unwrap();
            assert!(
                selector
                    .iter()
                    .all(|(key, value)| labels.get(key) == Some(value)),
                "{file}"
            );
            let container = &pod["spec"]["containers"][0];
            assert!(
                container["securityContext"].get("privileged").is_none(),
                "{file}"
            );
            assert_ne!(
                container["imagePullPolicy"], "Always",
                "{file}: nodes without a network"
            );
            images.insert(container["image"].as_str().unwrap().to_owned());
        }
    }
    let image = concat!("localhost/teff-shim:", env!("CARGO_PKG_VERSION"));
    assert_eq!(
        images,
        BTreeSet::from([image.into()]),
        "the version of this teff-shim"
    );

    assert_eq!(
        &manifest("samples/pod.yaml")[0]["spec"]["runtimeClassName"],
        name
    );
    let sample = manifest("samples/deployment.yaml");
    let pod = &sample[0]["spec"]["template"];
    assert_eq!(&pod["spec"]["runtimeClassName"], name);
    assert_eq!(
        pod["metadata"]["labels"], sample[1]["spec"]["selector"],
        "the Service finds the pods"
    );
    let shim = &manifest("runtime-class-manager/shim.yaml")[0]["spec"];
    assert_eq!(
        (
            &shim["runtimeClass"]["name"],
            &shim["runtimeClass"]["handler"]
        ),
        (name, name)
    );
    for platform in shim["fetchStrategy"]["platforms"].as_array().unwrap() {
        let location = platform["location"].as_str().unwrap();
        assert!(
            location.contains(concat!("/", env!("CARGO_PKG_VERSION"), "/")),
            "{location}"
        );
    }
    for resource in manifest("kustomization.yaml")[0]["resources"]
        .as_array()
        .unwrap()
    {
        assert!(
            folder().join(resource.as_str().unwrap()).is_file(),
            "{resource}"
        );
    }
}

/// The arguments that containers give to teff-shim are arguments that it has.
#[test]
fn containers_call_teff_shim_rightly() {
    for file in ["installer.yaml", "uninstaller.yaml"] {
        let documents = manifest(file);
        let set = documents
            .iter()
            .find(|document| document["kind"] == "DaemonSet")
            .unwrap();
        let args = set["spec"]["template"]["spec"]["containers"][0]["args"]
            .as_array()
            .unwrap();
        let args: Vec<&str> = args.iter().map(|arg| arg.as_str().unwrap()).collect();
        let help = std::process::Command::new(env!("CARGO_BIN_EXE_teff-shim"))
            .args([args[0], "--help"])
            .output()
            .unwrap();
        let help = String::from_utf8(help.stdout).unwrap();
        for flag in args.iter().filter(|arg| arg.starts_with("--")) {
            assert!(
                help.contains(&format!("{flag} ")) || help.contains(&format!("{flag}\n")),
                "{flag}: {help}"
            );
        }
    }
}
