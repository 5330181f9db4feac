//! Step 4, security policy: what the guest's process could do if it got out of the interpreter, as the kernel tells, and what
//! the module is refused from within.

use super::probe::{Probe, READ_ONLY, READ_WRITE, USER};
use super::process::Seen;
use super::report::Checks;

/// WASI's codes for what is not permitted, a file system that is read-only, and what was not granted.
pub(crate) const REFUSED: [u8; 3] = [63, 69, 76];

/// Through these, a process talks with the kernel about others.
const KERNEL: [&str; 5] = ["proc", "sysfs", "cgroup", "cgroup2", "securityfs"];

/// Judges.
pub(crate) fn judge(probe: &Result<Probe, String>) -> Checks {
    let mut checks = Checks::default();
    let probe = match probe {
        Ok(probe) => probe,
        Err(_) => {
            checks.unknown("guest", "no probe pod: see step 3");
            return checks;
        }
    };
    match &probe.process {
        Ok(seen) => judge_process(&mut checks, seen),
        Err(why) => checks.unknown("guest's process", why.as_str()),
    }
    let code = |path: &str| probe.said.write.get(path).copied();
    for (name, path) in [("read-only root", "/"), ("read-only volume", READ_ONLY)] {
        let name = format!("{name}, from within");
        match code(path) {
            Some(code) => checks.that(
                &name,
                REFUSED.contains(&code),
                match code {
                    0 => format!("the module could create a file in {path}"),
                    code => format!("to create a file in {path} is refused (WASI error {code})"),
                },
            ),
            None => checks.fail(&name, format!("the module was not given {path}")),
        }
    }
    let name = "writable volume, from within";
    match code(READ_WRITE) {
        Some(0) => checks.pass(name, format!("the module can create files in {READ_WRITE}")),
        Some(code) => checks.fail(
            name,
            format!("the module cannot create files in {READ_WRITE} (WASI error {code})"),
        ),
        None => checks.fail(name, format!("the module was not given {READ_WRITE}")),
    }
    let mut outside = probe
        .said
        .outside
        .iter()
        .filter(|(_, code)| !REFUSED.contains(code));
    match outside.next() {
        None => checks.pass("paths", "`..` leads out of no directory"),
        Some((path, code)) => checks.fail(
            "paths",
            format!("`..` in {path} was not refused as a path out of it (WASI error {code})"),
        ),
    }
    checks
}

fn judge_process(checks: &mut Checks, seen: &Seen) {
    let field = |name| seen.field(name).unwrap_or("not told");
    let seccomp = field("Seccomp");
    checks.that(
        "seccomp",
        seccomp == "2",
        match seccomp {
            "2" => "a filter is in force".into(),
            other => format!("no filter is in force (Seccomp: {other}): does the kernel have CONFIG_SECCOMP_FILTER?"),
        },
    );
    let no_new_privs = field("NoNewPrivs");
    checks.that(
        "no_new_privs",
        no_new_privs == "1",
        format!("NoNewPrivs: {no_new_privs}"),
    );
    let kept: Vec<String> = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]
        .into_iter()
        .filter(|name| field(name).is_empty() || field(name).bytes().any(|digit| digit != b'0'))
        .map(|name| format!("{name}: {}", field(name)))
        .collect();
    checks.that(
        "capabilities",
        kept.is_empty(),
        match kept.is_empty() {
            true => "none, in any of the five sets".into(),
            false => kept.join(", "),
        },
    );
    let users: Vec<&str> = field("Uid").split_whitespace().collect();
    checks.that(
        "user",
        !users.is_empty() && users.iter().all(|user| *user == USER.to_string()),
        format!("{}, asked for {USER}", users.join(" ")),
    );
    for (name, path) in [("read-only root", "/"), ("read-only volume", READ_ONLY)] {
        // A later mount hides an earlier one at the same place.
        let options = seen.mounts().filter(|(at, ..)| *at == path).last();
        match options {
            Some((_, _, options)) => checks.that(
                name,
                options.split(',').any(|option| option == "ro"),
                format!("mounted {options}"),
            ),
            None => checks.fail(name, format!("nothing is mounted at {path}")),
        }
    }
    let kernel: Vec<&str> = seen
        .mounts()
        .filter(|(_, kind, _)| KERNEL.contains(kind))
        .map(|(at, ..)| at)
        .collect();
    checks.that(
        "kernel's file systems",
        kernel.is_empty(),
        match kernel.is_empty() {
            true => "none are mounted: no /proc, no /sys".into(),
            false => format!("the guest has {}", kernel.join(", ")),
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::probe::Said;
    use crate::verify::report::Verdict::{Fail, Pass, Unknown};

    const STATUS: &str = "Name:\tteff\nUid:\t65532\t65532\t65532\t65532\nCapInh:\t0000000000000000\n\
        CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\n\
        NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n";
    const MOUNTS: &str = "1 2 0:30 / / ro,relatime - overlay overlay rw\n\
        3 1 8:1 /x /teff-verify/ro ro,relatime - ext4 /dev/sda rw\n4 1 8:1 /y /teff-verify/rw rw - ext4 /dev/sda rw\n";

    fn probe(status: &str, mounts: &str) -> Probe {
        let said =
            "write / 69\noutside / 76\nwrite /teff-verify/ro 76\nwrite /teff-verify/rw 00\nready\n";
        Probe {
            said: Said::parse(said).unwrap(),
            process: Ok(Seen {
                pid: 9,
                status: status.into(),
                mounts: mounts.into(),
            }),
            ..Probe::default()
        }
    }

    #[test]
    fn a_guest_without_rights() {
        let checks = judge(&Ok(probe(STATUS, MOUNTS)));
        for name in [
            "seccomp",
            "no_new_privs",
            "capabilities",
            "user",
            "read-only root",
            "read-only volume",
            "kernel's file systems",
            "read-only root, from within",
            "read-only volume, from within",
            "writable volume, from within",
            "paths",
        ] {
            assert_eq!(checks.verdict(name), Pass, "{name}");
        }
    }

    #[test]
    fn each_right_too_many_is_seen() {
        for (name, from, to) in [
            ("seccomp", "Seccomp:\t2", "Seccomp:\t0"),
            ("seccomp", "Seccomp:\t2", "Seccomp:\t1"),
            ("no_new_privs", "NoNewPrivs:\t1", "NoNewPrivs:\t0"),
            (
                "capabilities",
                "CapEff:\t0000000000000000",
                "CapEff:\t00000000a80425fb",
            ),
            (
                "capabilities",
                "CapBnd:\t0000000000000000",
                "CapBnd:\t0000000000000001",
            ),
            ("capabilities", "CapAmb:\t0000000000000000\n", ""),
            ("user", "65532\t65532", "65532\t0"),
            ("user", "Uid:\t65532\t65532\t65532\t65532\n", ""),
        ] {
            let status = STATUS.replacen(from, to, 1);
            assert_ne!(status, STATUS);
            assert_eq!(
                judge(&Ok(probe(&status, MOUNTS))).verdict(name),
                Fail,
                "{name}: {to}"
            );
        }
        for (name, from, to) in [
            ("read-only root", "/ / ro", "/ / rw"),
            ("read-only root", "/ / ro,relatime", "/ /other ro,relatime"),
            (
                "read-only volume",
                "/teff-verify/ro ro",
                "/teff-verify/ro rw",
            ),
            (
                "kernel's file systems",
                "4 1 8:1 /y /teff-verify/rw rw - ext4",
                "4 1 8:1 / /proc rw - proc",
            ),
        ] {
            let mounts = MOUNTS.replacen(from, to, 1);
            assert_ne!(mounts, MOUNTS);
            assert_eq!(
                judge(&Ok(probe(STATUS, &mounts))).verdict(name),
                Fail,
                "{name}: {to}"
            );
        }
        for (name, path, code) in [
            ("read-only root, from within", "/", 0),
            ("read-only root, from within", "/", 2),
            ("read-only volume, from within", READ_ONLY, 0),
            ("writable volume, from within", READ_WRITE, 69),
        ] {
            let mut probe = probe(STATUS, MOUNTS);
            probe.said.write.insert(path.into(), code);
            assert_eq!(judge(&Ok(probe)).verdict(name), Fail, "{name}");
        }
        let mut escaped = probe(STATUS, MOUNTS);
        escaped.said.outside.insert("/".into(), 0);
        assert_eq!(judge(&Ok(escaped)).verdict("paths"), Fail);
    }

    #[test]
    fn what_was_not_seen_is_not_judged() {
        let checks = judge(&Ok(Probe {
            process: Err("no installer".into()),
            ..probe("", "")
        }));
        assert_eq!(checks.verdict("guest's process"), Unknown);
        assert_eq!(checks.verdict("read-only root, from within"), Pass);
        assert_eq!(judge(&Err("no image".into())).verdict("guest"), Unknown);
    }
}
