//! The two forms of `cgroupsPath`: a path, and systemd's `slice:prefix:name`. Turns both into a path below the root of a
//! hierarchy. Knows nothing of the files there.

use std::io;
use std::path::{Component, Path, PathBuf};

/// Where systemd puts units without a slice.
const DEFAULT_SLICE: &str = "system.slice";

/// A parsed `cgroupsPath`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CgroupsPath {
    /// A path below the root of every hierarchy.
    Absolute(PathBuf),
    /// A path below the cgroup that the shim was started in.
    Relative(PathBuf),
    /// A path below the root of every hierarchy whose parent is one of systemd's slices.
    Systemd(PathBuf),
}

impl CgroupsPath {
    /// Parses what `config.json` says; nothing for an empty text.
    pub(super) fn parse(text: &str) -> io::Result<Option<Self>> {
        if text.is_empty() {
            return Ok(None);
        }
        if text.contains('\0') {
            return Err(io::Error::other(format!(
                "linux.cgroupsPath {text:?}: a path has no NUL in it"
            )));
        }
        let parts: Vec<&str> = text.split(':').collect();
        if let [slice, prefix, name] = parts[..]
            && !text.contains('/')
        {
            return systemd(slice, prefix, name)
                .map(|path| Some(Self::Systemd(path)))
                .ok_or_else(|| {
                    io::Error::other(format!(
                        "linux.cgroupsPath {text:?}: not of systemd's form slice:prefix:name"
                    ))
                });
        }
        let mut path = PathBuf::new();
        for component in Path::new(text).components() {
            match component {
                Component::Normal(name) => path.push(name),
                Component::RootDir | Component::CurDir => {}
                Component::ParentDir | Component::Prefix(_) => {
                    return Err(io::Error::other(format!(
                        "linux.cgroupsPath {text:?}: \"..\" could leave the part of the hierarchy that is meant for it"
                    )));
                }
            }
        }
        if path.as_os_str().is_empty() {
            return Err(io::Error::other(format!(
                "linux.cgroupsPath {text:?}: the root cgroup cannot be a container's"
            )));
        }
        Ok(Some(match text.starts_with('/') {
            true => Self::Absolute(path),
            false => Self::Relative(path),
        }))
    }
}

/// `a-b.slice`, `cri-containerd` and `ID` are `a.slice/a-b.slice/cri-containerd-ID.scope`.
fn systemd(slice: &str, prefix: &str, name: &str) -> Option<PathBuf> {
    let mut path = slices(if slice.is_empty() {
        DEFAULT_SLICE
    } else {
        slice
    })?;
    if name.is_empty() {
        return None;
    }
    path.push(match (prefix, name.ends_with(".slice")) {
        (_, true) => name.to_owned(),
        ("", false) => format!("{name}.scope"),
        (prefix, false) => format!("{prefix}-{name}.scope"),
    });
    Some(path)
}

/// The path of a slice: each dash of its name is a step down. `-.slice` is the root.
fn slices(slice: &str) -> Option<PathBuf> {
    let name = slice.strip_suffix(".slice")?;
    let mut path = PathBuf::new();
    if name == "-" {
        return Some(path);
    }
    for (at, part) in name.match_indices('-').chain([(name.len(), "")]) {
        let upto = &name[..at];
        // An empty part: a dash at an end, or two in a row.
        if upto.is_empty() || upto.ends_with('-') {
            return None;
        }
        debug_assert!(part.len() <= 1);
        path.push(format!("{upto}.slice"));
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> CgroupsPath {
        CgroupsPath::parse(text).unwrap().unwrap()
    }

    #[test]
    fn paths() {
        assert_eq!(CgroupsPath::parse("").unwrap(), None);
        assert_eq!(
            parse("/kubepods/burstable/podX/ID"),
            CgroupsPath::Absolute("kubepods/burstable/podX/ID".into())
        );
        assert_eq!(parse("//a/./b/"), CgroupsPath::Absolute("a/b".into()));
        assert_eq!(parse("a/b"), CgroupsPath::Relative("a/b".into()));
    }

    #[test]
    fn a_path_with_colons_is_a_path() {
        assert_eq!(parse("/a:b:c/d"), CgroupsPath::Absolute("a:b:c/d".into()));
        assert_eq!(parse("a:b"), CgroupsPath::Relative("a:b".into()));
    }

    #[test]
    fn systemd_units() {
        let systemd = |text: &str| CgroupsPath::Systemd(text.into());
        assert_eq!(
            parse("kubepods-burstable-podX.slice:cri-containerd:ID"),
            systemd(
                "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podX.slice/cri-containerd-ID.scope"
            )
        );
        assert_eq!(
            parse("kubepods-pod1_2_3.slice:cri-containerd:ID"),
            systemd("kubepods.slice/kubepods-pod1_2_3.slice/cri-containerd-ID.scope")
        );
        assert_eq!(parse(":p:n"), systemd("system.slice/p-n.scope"));
        assert_eq!(parse("-.slice:p:n"), systemd("p-n.scope"));
        assert_eq!(parse("a.slice::n"), systemd("a.slice/n.scope"));
        assert_eq!(parse("a.slice:p:a-b.slice"), systemd("a.slice/a-b.slice"));
    }

    #[test]
    fn what_is_refused() {
        for text in [
            "/",
            ".",
            "/a/../../b",
            "../a",
            "a/..",
            "/a\0b",
            "a-.slice:p:n",
            "-a.slice:p:n",
            "a--b.slice:p:n",
            "a:p:n",
            "a.slice:p:",
            ".slice:p:n",
        ] {
            let e = CgroupsPath::parse(text).expect_err(text);
            assert!(e.to_string().contains("linux.cgroupsPath"), "{text:?}: {e}");
        }
    }
}
