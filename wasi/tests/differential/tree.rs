//! Directory trees: random ones to begin with, and what became of them.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsStr,
    fmt, fs, io,
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        fs::{MetadataExt, symlink},
    },
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The directories of a side: two that the guest gets, and one beside them that it must not reach.
pub(crate) const ONE: &str = "one";
pub(crate) const TWO: &str = "two";
const OUTSIDE: &str = "outside";

/// What the guest's standard input, output and error are.
pub(crate) const STDIO: [&str; 3] = ["in", "out", "err"];

/// No file's content is compared beyond this; longer ones are sparse.
const COMPARED: usize = 1 << 16;

/// A piece of a tree. One whose name is taken or whose directory is missing is left out.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) path: String,
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Dir,
    File(Vec<u8>),
    /// A second name of a file.
    Hard(String),
    Link(Vec<u8>),
}

/// A directory that is removed with this value. It has one side's trees.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(side: &str, nodes: &[Node]) -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        let path = env::temp_dir().join(format!("teff-differential-{process}-{number}-{side}"));
        fs::create_dir(&path)?;
        let scratch = Self(path);
        scratch.fill(nodes)?;
        Ok(scratch)
    }

    fn fill(&self, nodes: &[Node]) -> io::Result<()> {
        for name in [ONE, TWO, OUTSIDE] {
            fs::create_dir(self.path(name))?;
        }
        fs::write(self.path(OUTSIDE).join("secret"), "nobody may read this")?;
        for name in STDIO {
            let content = if name == STDIO[0] {
                "standard input"
            } else {
                ""
            };
            fs::write(self.path(name), content)?;
        }
        // Links come last, so that nothing is made through one.
        for rank in 0..4 {
            for node in nodes.iter().filter(|node| node.kind.rank() == rank) {
                // It is the same piece that fails on the other side.
                let _ = self.make(node);
            }
        }
        Ok(())
    }

    /// Gives everything times of long ago, so that one can see what is touched.
    pub(crate) fn age(&self) -> io::Result<()> {
        age(&self.0)
    }

    fn make(&self, node: &Node) -> io::Result<()> {
        let path = self.path(&node.path);
        match &node.kind {
            Kind::Dir => fs::create_dir(path),
            Kind::File(content) => io::Write::write_all(&mut fs::File::create_new(path)?, content),
            // What is read-only must not change by its name in the other directory.
            Kind::Hard(existing) if existing[..ONE.len()] == node.path[..ONE.len()] => {
                fs::hard_link(self.path(existing), path)
            }
            Kind::Hard(_) => Ok(()),
            Kind::Link(target) => symlink(OsStr::from_bytes(target), path),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// All that is there now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::default();
        let mut names = BTreeMap::new();
        list(&self.0, Path::new(""), &mut snapshot, &mut names);
        snapshot
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Kind {
    fn rank(&self) -> u8 {
        match self {
            Self::Dir => 0,
            Self::File(_) => 1,
            Self::Hard(_) => 2,
            Self::Link(_) => 3,
        }
    }
}

fn age(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            age(&entry.path())?;
        }
        if !entry.file_type()?.is_symlink() {
            let then = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
            let times = fs::FileTimes::new().set_accessed(then).set_modified(then);
            fs::File::open(entry.path())?.set_times(times)?;
        }
    }
    Ok(())
}

/// A tree, by its paths.
#[derive(Default, PartialEq)]
pub(crate) struct Snapshot(BTreeMap<Vec<u8>, Entry>);

/// What there is to compare about one name.
#[derive(Clone, Debug, PartialEq)]
struct Entry {
    mode: u32,
    nlink: u64,
    size: u64,
    content: Vec<u8>,
    modified: Time,
    /// The first name of the same file.
    same_as: Vec<u8>,
}

/// A time, if it is not that of the test.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Time {
    /// Nanoseconds since 1970.
    At(i128),
    Now,
}

impl Time {
    pub(crate) fn new(nanoseconds: i128) -> Self {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |now| now.as_nanos() as i128);
        let day = 86_400_000_000_000;
        if (now - day..now + day).contains(&nanoseconds) {
            Self::Now
        } else {
            Self::At(nanoseconds)
        }
    }
}

fn list(
    root: &Path,
    at: &Path,
    snapshot: &mut Snapshot,
    names: &mut BTreeMap<(u64, u64), Vec<u8>>,
) {
    let mut children: Vec<_> = fs::read_dir(root.join(at))
        .expect("the test can list its directories")
        .map(|entry| {
            entry
                .expect("the test can list its directories")
                .file_name()
        })
        .collect();
    children.sort();
    for name in children {
        let path = at.join(name);
        let host = root.join(&path);
        let meta = fs::symlink_metadata(&host).expect("nobody else changes the tree");
        let content = if meta.is_symlink() {
            fs::read_link(&host)
                .map(|target| target.into_os_string().into_vec())
                .unwrap_or_default()
        } else if meta.is_file() {
            head(&host).unwrap_or_default()
        } else {
            Vec::new()
        };
        let key = path.as_os_str().as_bytes().to_vec();
        let same_as = names
            .entry((meta.dev(), meta.ino()))
            .or_insert_with(|| key.clone())
            .clone();
        let modified = i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec());
        snapshot.0.insert(
            key,
            Entry {
                mode: meta.mode(),
                nlink: meta.nlink(),
                size: meta.size(),
                content,
                modified: Time::new(modified),
                same_as,
            },
        );
        if meta.is_dir() {
            list(root, &path, snapshot, names);
        }
    }
}

fn head(path: &Path) -> io::Result<Vec<u8>> {
    use io::Read;

    let mut content = Vec::new();
    fs::File::open(path)?
        .take(COMPARED as u64)
        .read_to_end(&mut content)?;
    Ok(content)
}

impl Snapshot {
    /// How two trees differ, in words.
    pub(crate) fn difference(&self, oracle: &Self) -> String {
        let mut text = String::new();
        let paths: std::collections::BTreeSet<_> = self.0.keys().chain(oracle.0.keys()).collect();
        for path in paths {
            let (teff, oracle) = (self.0.get(path), oracle.0.get(path));
            if teff != oracle {
                let path = path.escape_ascii();
                text += &format!("`{path}`:\n  oracle {oracle:?}\n  teff   {teff:?}\n");
            }
        }
        text
    }

    /// Is all beneath this name as in the other?
    pub(crate) fn same_beneath(&self, other: &Self, name: &str) -> bool {
        let beneath = |snapshot: &Self| -> Vec<(Vec<u8>, Entry)> {
            snapshot
                .0
                .iter()
                .filter(|(path, _)| {
                    path.split(|byte| *byte == b'/').next() == Some(name.as_bytes())
                })
                .map(|(path, entry)| (path.clone(), entry.clone()))
                .collect()
        };
        beneath(self) == beneath(other)
    }

    /// Is everything that the guest was not given as it was?
    pub(crate) fn same_outside(&self, before: &Self) -> bool {
        self.same_beneath(before, OUTSIDE)
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (path, entry) in &self.0 {
            map.entry(&format_args!("{}", path.escape_ascii()), entry);
        }
        map.finish()
    }
}
