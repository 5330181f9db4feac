//! `teff-shim install`, `status` and `uninstall` on the file systems of nodes of several kinds, each made in a folder of
//! its own.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

const VERSION: &str = env!("CARGO_PKG_VERSION");

const K3S: &str = "var/lib/rancher/k3s/agent/etc/containerd";

/// What K3s writes, as far as it matters here.
const MADE_V3: &str = "version = 3\nroot = \"/r\"\n[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]\n  runtime_type = \"io.containerd.runc.v2\"\n";
const MADE_V2: &str = "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc]\n  runtime_type = \"io.containerd.runc.v2\"\n";
const IMPORTS: &str =
    "imports = [\"/var/lib/rancher/k3s/agent/etc/containerd/config-v3.toml.d/*.toml\"]\n";

/// A node in a folder.
struct Node {
    root: TempDir,
    containerd: Option<PathBuf>,
}

impl Node {
    fn new(files: &[(&str, &str)]) -> Self {
        let node = Self {
            root: TempDir::new().unwrap(),
            containerd: None,
        };
        for (path, text) in files {
            node.write(path, text);
        }
        node
    }

    fn with_containerd_2(mut self) -> Self {
        self.containerd = Some(here("tests/containerd/containerd-2"));
        self
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    fn run(&self, args: &[&str]) -> Output {
        self.run_with(args, VERSION)
    }

    fn run_with(&self, args: &[&str], shim_version: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_teff-shim"));
        command
            .env("TEST_SHIM_VERSION", shim_version)
            .env("TEST_OWN_VERSION", VERSION);
        command.arg(args[0]).arg("--root").arg(self.root.path());
        if args[0] == "install" {
            command.arg("--from").arg(here("tests/programs"));
        }
        if let Some(containerd) = &self.containerd {
            command.arg("--containerd").arg(containerd);
        }
        command.args(&args[1..]).output().unwrap()
    }

    fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{args:?}: {text}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        text
    }

    fn fails(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(
            !output.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&output.stdout)
        );
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// All files with what is in them and their permissions.
    fn files(&self) -> Vec<(PathBuf, Vec<u8>, u32)> {
        let mut found = Vec::new();
        let mut folders = vec![self.root.path().to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let metadata = path.symlink_metadata().unwrap();
                match metadata.is_dir() {
                    true => folders.push(path),
                    false => found.push((path.clone(), fs::read(&path).unwrap(), metadata.mode())),
                }
            }
        }
        found.sort();
        found
    }

    /// Installs, installs again, and uninstalls: the second changes nothing, and in the end all is as it was.
    fn there_and_back(&self, file: &str) -> String {
        let before = self.files();
        let shown = self.ok(&["install", "--dry-run"]);
        assert!(shown.contains("runtimes.teff]"), "{shown}");
        assert_eq!(self.files(), before, "--dry-run changes nothing");
        let said = self.ok(&["install"]);
        assert!(
            said.contains(&format!("teff {VERSION} is installed")),
            "{said}"
        );
        let text = self.read(file);
        assert!(text.contains("runtimes.teff]"), "{text}");
        let once = self.files();
        let again = self.ok(&["install"]);
        assert!(again.contains("nothing was changed"), "{again}");
        assert_eq!(self.files(), once);
        for name in ["containerd-shim-teff-v1", "teff-shim"] {
            let mode = fs::metadata(self.path("usr/local/bin").join(name))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o755);
        }
        self.ok(&["status"]);
        self.ok(&["uninstall"]);
        assert_eq!(self.files(), before, "as it was");
        text
    }
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn a_new_k3s_has_a_folder_of_drop_ins() {
    let made = format!("{IMPORTS}{MADE_V3}");
    let node = Node::new(&[(&format!("{K3S}/config.toml"), &made)]).with_containerd_2();
    let text = node.there_and_back(&format!("{K3S}/config-v3.toml.d/teff.toml"));
    assert!(text.starts_with("version = 3\n"), "{text}");
    assert!(
        text.contains("[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.teff]"),
        "{text}"
    );
    assert!(!text.contains("runtimes.runc"), "{text}");
    let said = node.ok(&["install"]);
    assert!(
        said.contains("accepts its configuration, and has the runtimes runc, teff"),
        "{said}"
    );
    let status: serde_json::Value = serde_json::from_str(&node.ok(&["status", "--json"])).unwrap();
    assert_eq!(status["distribution"], "K3s");
    assert_eq!(status["runtime"], true);
    assert_eq!(status["installed"], VERSION);
}

#[test]
fn an_older_k3s_has_a_template() {
    let node = Node::new(&[(&format!("{K3S}/config.toml"), MADE_V3)]).with_containerd_2();
    let text = node.there_and_back(&format!("{K3S}/config-v3.toml.tmpl"));
    assert!(text.starts_with("{{ template \"base\" . }}\n"), "{text}");
    // What K3s makes of it at its next start has our lines once, and a later run finds that all is in place.
    node.ok(&["install"]);
    node.write(
        &format!("{K3S}/config.toml"),
        &text.replace("{{ template \"base\" . }}", MADE_V3),
    );
    assert!(node.ok(&["install"]).contains("nothing was changed"));
    node.ok(&["status"]);
}

#[test]
fn a_k3s_with_containerd_1_has_the_older_template() {
    let node = Node::new(&[(&format!("{K3S}/config.toml"), MADE_V2)]);
    let text = node.there_and_back(&format!("{K3S}/config.toml.tmpl"));
    assert!(
        text.contains("[plugins.'io.containerd.grpc.v1.cri'.containerd.runtimes.teff]"),
        "{text}"
    );
}

#[test]
fn a_template_of_the_user_keeps_what_it_says() {
    let own = "{{ template \"base\" . }}\n\n[debug]\n  level = \"info\"\n";
    let template = format!("{K3S}/config-v3.toml.tmpl");
    let node = Node::new(&[(&format!("{K3S}/config.toml"), MADE_V3), (&template, own)])
        .with_containerd_2();
    let text = node.there_and_back(&template);
    assert!(text.starts_with(own), "{text}");
    // Changed after the installation: only our lines go.
    node.ok(&["install"]);
    let changed = node.read(&template) + "[timeouts]\n  x = \"1s\"\n";
    node.write(&template, &changed);
    assert!(node.ok(&["status"]).contains("changed around our lines"));
    let said = node.ok(&["uninstall"]);
    assert!(said.contains("only our lines are taken out"), "{said}");
    assert_eq!(
        node.read(&template),
        format!("{own}[timeouts]\n  x = \"1s\"\n")
    );
}

#[test]
fn a_k3s_that_was_never_started_is_not_guessed() {
    let node = Node::new(&[("usr/local/bin/k3s", "not a program")]);
    let error = node.fails(&["install"]);
    assert!(error.contains("start it once"), "{error}");
    node.write(
        &format!("{K3S}/config.toml.tmpl"),
        "{{ template \"base\" . }}\n",
    );
    node.there_and_back(&format!("{K3S}/config.toml.tmpl"));
}

#[test]
fn rke2_is_like_k3s() {
    let folder = "var/lib/rancher/rke2/agent/etc/containerd";
    let made = format!("{}{MADE_V3}", IMPORTS.replace("k3s", "rke2"));
    let node = Node::new(&[(&format!("{folder}/config.toml"), &made)]);
    node.there_and_back(&format!("{folder}/config-v3.toml.d/teff.toml"));
    let moved = "srv/rke2/agent/etc/containerd";
    let node = Node::new(&[(&format!("{moved}/config.toml"), MADE_V3)]);
    node.ok(&[
        "install",
        "--distribution",
        "rke2",
        "--data-dir",
        "/srv/rke2",
    ]);
    assert!(node.path(&format!("{moved}/config-v3.toml.tmpl")).exists());
}

#[test]
fn two_distributions_are_a_question() {
    let node = Node::new(&[
        (&format!("{K3S}/config.toml"), MADE_V3),
        (
            "var/lib/rancher/rke2/agent/etc/containerd/config.toml",
            MADE_V3,
        ),
    ]);
    assert!(node.fails(&["install"]).contains("--distribution"));
    node.ok(&["install", "--distribution", "k3s"]);
    assert!(node.path(&format!("{K3S}/config-v3.toml.tmpl")).exists());
    let nothing = Node::new(&[]);
    assert!(
        nothing
            .fails(&["install"])
            .contains("no containerd on this node")
    );
}

#[test]
fn containerd_1_keeps_the_runtime_that_it_has_by_default() {
    // As Debian ships it: no runtime has an entry, and with one for teff alone, containerd 1 would forget runc.
    let own = "version = 2\n\n[plugins]\n  [plugins.\"io.containerd.internal.v1.opt\"]\n    path = \"/var/lib/containerd/opt\"\n";
    let node = Node::new(&[("etc/containerd/config.toml", own)]);
    let text = node.there_and_back("etc/containerd/config.toml");
    assert!(text.starts_with(own), "{text}");
    assert!(
        text.contains("runtimes.runc]\n  runtime_type = \"io.containerd.runc.v2\"\n"),
        "{text}"
    );
    // Where runc has an entry, it is left alone.
    let node = Node::new(&[("etc/containerd/config.toml", MADE_V2)]);
    let text = node.there_and_back("etc/containerd/config.toml");
    assert_eq!(text.matches("runtimes.runc]").count(), 1, "{text}");
}

#[test]
fn containerd_1_gets_no_drop_in() {
    // There, the plugins of an imported file replace those of the main file.
    let own = format!("imports = [\"/etc/containerd/conf.d/*.toml\"]\n{MADE_V2}");
    let node = Node::new(&[("etc/containerd/config.toml", &own)]);
    node.there_and_back("etc/containerd/config.toml");
    let node = Node::new(&[("etc/containerd/config.toml", &own.replace(MADE_V2, MADE_V3))])
        .with_containerd_2();
    node.there_and_back("etc/containerd/conf.d/teff.toml");
}

#[test]
fn containerd_without_a_configuration_gets_one() {
    let node = Node::new(&[("usr/bin/containerd", "not a program")]);
    let error = node.fails(&["install"]);
    assert!(error.contains("containerd config default"), "{error}");
    let error = Node::new(&[(
        "etc/containerd/config.toml",
        "disabled_plugins = [\"cri\"]\n",
    )])
    .fails(&["install"]);
    assert!(
        error.contains("version 1") && error.contains("migrate"),
        "{error}"
    );
    let error = Node::new(&[("etc/containerd/config.toml", "version = [\n")]).fails(&["install"]);
    assert!(
        error.contains("etc/containerd/config.toml") && error.contains("TOML parse error"),
        "{error}"
    );
}

#[test]
fn what_containerd_does_not_accept_is_taken_back() {
    let node = Node::new(&[("etc/containerd/config.toml", MADE_V3)]).with_containerd_2();
    node.write(
        "etc/containerd/config.toml",
        &format!("{MADE_V3}# broken\n"),
    );
    let before = node.files();
    let error = node.fails(&["install"]);
    assert!(error.contains("mend it first"), "{error}");
    assert_eq!(node.files(), before);
    // It accepts the configuration, but not what it becomes.
    let made = format!("{IMPORTS}{MADE_V3}");
    let node = Node::new(&[(&format!("{K3S}/config.toml"), &made)]).with_containerd_2();
    node.write(
        &format!("{K3S}/config-v3.toml.d/aa.toml"),
        "version = 3\n[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.teff]\n  runtime_type = \"other\"\n",
    );
    let before = node.files();
    let error = node.fails(&["install"]);
    assert!(error.contains("nothing was changed"), "{error}");
    assert_eq!(node.files(), before);
}

#[test]
fn an_entry_of_others_is_not_overwritten() {
    let other = MADE_V3.replace("runtimes.runc", "runtimes.teff");
    let error = Node::new(&[("etc/containerd/config.toml", &other)]).fails(&["install"]);
    assert!(error.contains("did not write"), "{error}");
    let template = format!("{K3S}/config-v3.toml.tmpl");
    let own = "{{ template \"base\" . }}\n[plugins.'x'.containerd.runtimes.\"teff\"]\n  runtime_type = \"x\"\n";
    let node = Node::new(&[(&format!("{K3S}/config.toml"), MADE_V3), (&template, own)]);
    assert!(node.fails(&["install"]).contains("did not write"));
}

#[test]
fn versions_belong_together() {
    let node = Node::new(&[("etc/containerd/config.toml", MADE_V3)]);
    let before = node.files();
    let output = node.run_with(&["install"], "9.9.9");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(
        error.contains("version 9.9.9") && error.contains(VERSION),
        "{error}"
    );
    assert_eq!(node.files(), before);
}

#[test]
fn an_upgrade_leaves_running_programs_theirs() {
    let node = Node::new(&[
        ("etc/containerd/config.toml", MADE_V3),
        ("usr/local/bin/teff-shim", "from before us"),
    ]);
    node.ok(&["install"]);
    let shim = node.path("usr/local/bin/containerd-shim-teff-v1");
    // An older version that runs: another file, which its process keeps.
    let old = fs::File::open(&shim).unwrap();
    let record = node.path("var/lib/teff/install.json");
    fs::write(&shim, "an older version").unwrap();
    let text = fs::read_to_string(&record).unwrap();
    assert!(text.contains("usr/local/bin/containerd-shim-teff-v1"));
    let said = node.ok(&["install"]);
    assert!(said.contains("containerd-shim-teff-v1"), "{said}");
    assert_ne!(
        fs::metadata(&shim).unwrap().ino(),
        old.metadata().unwrap().ino(),
        "renamed over it, not written into it"
    );
    // What was there before all versions of ours comes back.
    node.ok(&["uninstall"]);
    assert_eq!(node.read("usr/local/bin/teff-shim"), "from before us");
}

#[test]
fn another_folder_for_programs_is_named_in_the_configuration() {
    let node = Node::new(&[("etc/containerd/config.toml", MADE_V3)]).with_containerd_2();
    node.ok(&["install", "--bin-dir", "/opt/teff/bin"]);
    let text = node.read("etc/containerd/config.toml");
    assert!(
        text.contains("runtime_type = \"/opt/teff/bin/containerd-shim-teff-v1\""),
        "{text}"
    );
    assert!(node.path("opt/teff/bin/containerd-shim-teff-v1").exists());
}

#[test]
fn links_and_strangers() {
    let node = Node::new(&[("etc/elsewhere.toml", MADE_V3)]);
    fs::create_dir_all(node.path("etc/containerd")).unwrap();
    std::os::unix::fs::symlink("../elsewhere.toml", node.path("etc/containerd/config.toml"))
        .unwrap();
    assert!(node.fails(&["install"]).contains("this is a link"));
    let node = Node::new(&[("etc/containerd/config.toml", MADE_V3)]);
    assert!(node.ok(&["uninstall"]).contains("not installed"));
    assert!(
        node.fails(&["status"]).is_empty(),
        "it is said on standard output"
    );
    node.ok(&["install"]);
    fs::remove_file(node.path("usr/local/bin/teff-shim")).unwrap();
    let output = node.run(&["status"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("teff-shim is missing"));
    assert!(node.ok(&["uninstall"]).contains("somebody has removed it"));
}

#[test]
fn a_restart_needs_a_service() {
    let node = Node::new(&[("etc/containerd/config.toml", MADE_V3)]);
    let error = node.fails(&["install", "--restart"]);
    assert!(
        error.contains("all is in place, but") && error.contains("by hand"),
        "{error}"
    );
    let node = Node::new(&[
        ("etc/containerd/config.toml", MADE_V3),
        ("usr/bin/systemctl", ""),
        ("lib/systemd/system/containerd.service", ""),
    ]);
    assert!(
        node.ok(&["install"])
            .contains("systemctl restart containerd")
    );
    let node = Node::new(&[
        (&format!("{K3S}/config.toml"), MADE_V3),
        ("sbin/rc-service", ""),
        ("etc/init.d/k3s-agent", ""),
    ]);
    assert!(
        node.ok(&["install"])
            .contains("rc-service k3s-agent restart")
    );
}

/// The containerd of this machine, where there is one.
#[test]
fn a_real_containerd_accepts_it() {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let Some(containerd) = std::env::split_paths(&path)
        .map(|folder| folder.join("containerd"))
        .find(|path| path.exists())
    else {
        eprintln!("skipped: containerd is not installed here");
        return;
    };
    let version = Command::new(&containerd).arg("--version").output().unwrap();
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    for own in [
        "version = 2\n",
        MADE_V2,
        "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".containerd]\n  default_runtime_name = \"runc\"\n",
    ] {
        let mut node = Node::new(&[("etc/containerd/config.toml", own)]);
        node.containerd = Some(containerd.clone());
        node.there_and_back("etc/containerd/config.toml");
        let said = node.ok(&["install"]);
        assert!(
            said.contains("has the runtimes runc, teff"),
            "{version}: {said}"
        );
    }
    // Without a configuration, and as a template's result.
    let mut node = Node::new(&[("usr/bin/containerd", "")]);
    node.containerd = Some(containerd.clone());
    let said = node.ok(&["install"]);
    assert!(
        said.contains("has the runtimes runc, teff"),
        "{version}: {said}"
    );
    let mut node = Node::new(&[(&format!("{K3S}/config.toml"), MADE_V2)]);
    node.containerd = Some(containerd);
    let said = node.ok(&["install"]);
    assert!(
        said.contains("has the runtimes runc, teff"),
        "{version}: {said}"
    );
    assert!(!node.path(&format!("{K3S}/teff-trial.toml")).exists());
}

/// As in a DaemonSet's container: it does its work, waits, and ends when it is told to.
#[test]
fn it_stays_until_it_is_told_to_stop() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;

    let node = Node::new(&[("etc/containerd/config.toml", MADE_V2)]);
    let before = node.files();
    for (command, said) in [
        ("install", "is installed."),
        ("uninstall", "is not installed any more."),
    ] {
        let mut process = Command::new(env!("CARGO_BIN_EXE_teff-shim"));
        process
            .env("TEST_SHIM_VERSION", VERSION)
            .env("TEST_OWN_VERSION", VERSION)
            .args([command, "--stay", "--root"])
            .arg(node.root.path());
        if command == "install" {
            process.arg("--from").arg(here("tests/programs"));
        }
        let mut process = process.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut worked = false;
        for line in lines.by_ref() {
            let line = line.unwrap();
            worked |= line.contains(said);
            if line == "Waiting for SIGTERM." {
                break;
            }
        }
        assert!(worked, "{command}");
        assert!(process.try_wait().unwrap().is_none(), "{command} stays");
        let killed = Command::new("kill").arg(process.id().to_string()).status();
        assert!(killed.unwrap().success());
        assert!(process.wait().unwrap().success(), "{command}");
    }
    let after: Vec<_> = node.files();
    assert_eq!(
        after
            .iter()
            .filter(|(path, ..)| path.ends_with("config.toml"))
            .collect::<Vec<_>>(),
        before.iter().collect::<Vec<_>>()
    );
}
