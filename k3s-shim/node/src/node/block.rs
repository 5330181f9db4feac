//! Our lines in a file of others: put in, found again and taken out by the comments around them, all else left as it is.
//! Knows the entry of a runtime in containerd's configuration.

use std::collections::BTreeMap;

use toml_edit::{Item, Table};

/// The name of the runtime, which is the handler that a RuntimeClass names.
pub(crate) const RUNTIME: &str = "teff";

/// The type of the runtime, from which containerd derives the name of its program.
pub(crate) const RUNTIME_TYPE: &str = "io.containerd.teff.v1";

const BEGIN: &str =
    "# teff: begin (written by `teff-shim install`, removed by `teff-shim uninstall`)";
const END: &str = "# teff: end";

/// Both marks start like this, whatever they say after it.
const MARK: [&str; 2] = ["# teff: begin", "# teff: end"];

/// The versions of containerd's configuration that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(crate) enum Version {
    /// containerd 1.x, and 2.x reads it.
    Two,
    /// containerd 2.x.
    Three,
}

impl Version {
    /// The plugin that has the runtimes.
    pub(crate) fn plugin(self) -> &'static str {
        match self {
            Self::Two => "io.containerd.grpc.v1.cri",
            Self::Three => "io.containerd.cri.v1.runtime",
        }
    }

    /// The number in the file.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Two => 2,
            Self::Three => 3,
        }
    }
}

/// Entries of other runtimes that containerd would lose, by name.
pub(crate) type Kept = BTreeMap<String, Table>;

/// The lines. `kept` are runtimes that containerd has without an entry only as long as there is no other entry.
pub(crate) fn lines(version: Version, runtime_type: &str, kept: &Kept) -> String {
    let plugin = version.plugin();
    let mut lines = format!(
        "{BEGIN}\n\
         [plugins.'{plugin}'.containerd.runtimes.{RUNTIME}]\n\
         \x20 runtime_type = {runtime_type:?}\n\
         \x20 pod_annotations = [\"teff.dev/*\"]\n\
         \x20 container_annotations = [\"teff.dev/*\"]\n"
    );
    if !kept.is_empty() {
        lines +=
            "# Without an entry, containerd has these only as long as no other runtime has one.\n";
    }
    for (name, entry) in kept {
        let path = format!("plugins.'{plugin}'.containerd.runtimes.{}", key(name));
        table(&mut lines, &path, entry);
    }
    lines + END + "\n"
}

/// A table and those in it, without what says nothing.
fn table(lines: &mut String, path: &str, entry: &Table) {
    *lines += &format!("[{path}]\n");
    for (name, item) in entry {
        if let Some(value) = item.as_value().filter(|value| !is_nothing(value)) {
            *lines += &format!("  {} = {}\n", key(name), value.to_string().trim());
        }
    }
    for (name, item) in entry {
        if let Item::Table(inner) = item
            && inner
                .iter()
                .any(|(_, item)| item.as_value().is_none_or(|value| !is_nothing(value)))
        {
            table(lines, &format!("{path}.{}", key(name)), inner);
        }
    }
}

/// A key as it is written.
fn key(name: &str) -> String {
    let bare = !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    match bare {
        true => name.into(),
        false => format!("{name:?}"),
    }
}

/// Does a value say no more than its absence?
fn is_nothing(value: &toml_edit::Value) -> bool {
    use toml_edit::Value;
    match value {
        Value::String(text) => text.value().is_empty(),
        Value::Integer(number) => *number.value() == 0,
        Value::Boolean(is) => !is.value(),
        Value::Array(array) => array.is_empty(),
        _ => false,
    }
}

/// The text with these lines: in the place of ours if it has some, else at its end.
pub(crate) fn put(text: &str, lines: &str) -> String {
    if let Some(range) = find(text) {
        return format!("{}{lines}{}", &text[..range.start], &text[range.end..]);
    }
    let gap = match text {
        "" => "",
        _ if text.ends_with("\n\n") => "",
        _ if text.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    format!("{text}{gap}{lines}")
}

/// The text without our lines, and without the empty line before them.
pub(crate) fn take(text: &str) -> String {
    let Some(range) = find(text) else {
        return text.into();
    };
    let before = &text[..range.start];
    let before = match before.strip_suffix("\n\n") {
        Some(rest) => &before[..rest.len() + 1],
        None => before,
    };
    format!("{before}{}", &text[range.end..])
}

/// Where our lines are, with both marks and the end of the last line.
pub(crate) fn find(text: &str) -> Option<std::ops::Range<usize>> {
    let mut start = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let end = at + line.len();
        if line.starts_with(MARK[0]) {
            start = Some(at);
        } else if let (true, Some(start)) = (line.starts_with(MARK[1]), start) {
            return Some(start..end);
        }
        at = end;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_and_out_again() {
        let ours = lines(Version::Three, RUNTIME_TYPE, &Kept::new());
        for text in [
            "",
            "version = 3\n",
            "{{ template \"base\" . }}\n\n",
            "a = 1\n[b]\n",
        ] {
            let with = put(text, &ours);
            assert!(with.contains("runtimes.teff]"));
            assert_eq!(put(&with, &ours), with, "idempotent");
            assert_eq!(take(&with).trim_end(), text.trim_end());
        }
        assert_eq!(take(&put("a = 1\n", &ours)), "a = 1\n", "byte for byte");
        let with = put("a = 1\n", &ours) + "[later]\n";
        assert_eq!(take(&with), "a = 1\n[later]\n");
        let other = lines(
            Version::Three,
            "/opt/teff/containerd-shim-teff-v1",
            &Kept::new(),
        );
        assert_eq!(take(&put(&with, &other)), "a = 1\n[later]\n");
        assert!(put(&with, &other).contains("/opt/teff"));
    }

    #[test]
    fn a_mark_alone_is_not_ours() {
        for text in ["# teff: end\na = 1\n", "# teff: begin\na = 1\n"] {
            assert_eq!(take(text), text);
        }
    }

    #[test]
    fn kept_runtimes_keep_what_they_say() {
        let dump = "runtime_type = \"io.containerd.runc.v2\"\nempty = \"\"\nno = false\n[options]\nSystemdCgroup = true\nnone = \"\"\n[nothing]\na = 0\n";
        let entry = dump
            .parse::<toml_edit::DocumentMut>()
            .unwrap()
            .as_table()
            .clone();
        let ours = lines(
            Version::Two,
            RUNTIME_TYPE,
            &Kept::from([("runc".into(), entry)]),
        );
        let read = ours.parse::<toml_edit::DocumentMut>().unwrap();
        let runc = &read["plugins"]["io.containerd.grpc.v1.cri"]["containerd"]["runtimes"]["runc"];
        assert_eq!(runc["runtime_type"].as_str(), Some("io.containerd.runc.v2"));
        assert_eq!(runc["options"]["SystemdCgroup"].as_bool(), Some(true));
        assert_eq!(runc.as_table().unwrap().len(), 2, "{ours}");
    }
}
