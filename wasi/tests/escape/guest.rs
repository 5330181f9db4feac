//! The hostile guest, and the tree around it.

use std::{
    collections::BTreeSet,
    env, fs,
    os::unix::fs::{MetadataExt, symlink},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use teff_runtime::{Engine, Instance, Linker, Memory, Module, Store, Val};
use teff_wasi::{DirPerms, FilePerms, PathResolution, WasiCtx, WasiCtxBuilder};

/// What nobody in the sandbox may read.
pub(crate) const SECRET: &str = "the secret outside";

/// What is in files of the same names inside.
pub(crate) const HARMLESS: &str = "harmless";

/// The ways to resolve a path.
pub(crate) const RESOLUTIONS: [PathResolution; 2] = [PathResolution::Kernel, PathResolution::Walk];

/// Directories that are removed with this value: `root` and `other`, which the guest gets as 3 and 4,
/// `read_only`, which it gets as 5, and `outside`.
pub(crate) struct World(pub(crate) PathBuf);

impl World {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("teff-escape-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        // Absolute links must lead to the place itself.
        let world = Self(path.canonicalize().unwrap());
        fs::create_dir_all(world.path("outside/dir")).unwrap();
        fs::create_dir(world.path("outside/empty")).unwrap();
        for file in ["secret", "victim", "dir/secret"] {
            fs::write(world.path("outside").join(file), SECRET).unwrap();
        }
        for dir in ["root", "other", "read_only"] {
            fs::create_dir(world.path(dir)).unwrap();
        }
        fs::create_dir(world.path("read_only/dir")).unwrap();
        fs::write(world.path("read_only/file"), HARMLESS).unwrap();
        world
    }

    /// The tree in `root`, new: files, directories, and links that lead everywhere.
    pub(crate) fn fill(&self) {
        // The directories themselves stay: the guest has them open.
        for dir in ["root", "other"] {
            for entry in fs::read_dir(self.path(dir)).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    fs::remove_dir_all(entry.path()).unwrap();
                } else {
                    fs::remove_file(entry.path()).unwrap();
                }
            }
        }
        fs::create_dir_all(self.path("root/dir/below")).unwrap();
        for file in ["file", "dir/file", "dir/below/file"] {
            fs::write(self.path("root").join(file), HARMLESS).unwrap();
        }
        let outside = self.path("outside");
        let outside = outside.to_str().unwrap();
        let long = format!("{}../outside/secret", "./".repeat(2038));
        let links = [
            ("up", ".."),
            ("out", "../outside"),
            ("out_slash", "../outside/"),
            ("secret", "../outside/secret"),
            ("dir/up", ".."),
            ("dir/out", "../../outside"),
            ("through", "dir/../../outside"),
            ("through_link", "dir/up/up/outside"),
            ("back", "../root/file"),
            ("back_dir", "../root/dir"),
            ("absolute", outside),
            ("chain1", "chain2"),
            ("chain2", "dir/../chain3"),
            ("chain3", "out"),
            ("chain1_secret", "chain1/secret"),
            ("self", "self"),
            ("loop1", "loop2"),
            ("loop2", "dir/../loop1"),
            ("fds", "/proc/self/fd"),
            ("host_root", "/proc/self/root"),
            ("host_cwd", "/proc/self/cwd"),
            ("slash", "/"),
            ("etc", "/etc"),
            ("dangling_out", "../outside/new"),
            ("long", long.as_str()),
            ("inside", "dir"),
            ("inside_file", "dir/file"),
        ];
        for (name, target) in links {
            symlink(target, self.path("root").join(name)).unwrap();
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Everything outside of what the guest has: names, kinds, contents, names of the same file, times.
    pub(crate) fn outside(&self) -> Vec<String> {
        let mut all = Vec::new();
        for name in ["outside", "read_only"] {
            list(&self.path(name), &mut all);
        }
        let mut here: Vec<_> = fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        here.sort();
        all.push(format!("{here:?}"));
        all
    }

    /// The inodes that the guest must not get to see: those outside, and of the directories above, as far as
    /// they are on the device of the trees.
    fn inodes_outside(&self) -> BTreeSet<u64> {
        let device = fs::metadata(&self.0).unwrap().dev();
        let outside = [
            "outside",
            "outside/dir",
            "outside/empty",
            "outside/secret",
            "outside/victim",
            "outside/dir/secret",
        ];
        let elsewhere = ["/etc", "/etc/hostname", "/etc/passwd", "."].map(PathBuf::from);
        let above = self.0.ancestors().map(PathBuf::from);
        outside
            .map(|name| self.path(name))
            .into_iter()
            .chain(elsewhere)
            .chain(above)
            .filter_map(|path| fs::metadata(path).ok())
            .filter(|meta| meta.dev() == device)
            .map(|meta| meta.ino())
            .collect()
    }
}

/// What the guest must not get to see.
pub(crate) struct Forbidden {
    /// The device of all that is the guest's, in the numbers that the guest is told.
    device: u64,
    inodes: BTreeSet<u64>,
}

impl Forbidden {
    pub(crate) fn new(world: &World, guest: &mut Guest) -> Self {
        Self {
            device: guest.stat(3, b".", true).unwrap().0,
            inodes: world.inodes_outside(),
        }
    }

    /// Is it forbidden?
    pub(crate) fn has(&self, (device, inode): (u64, u64)) -> bool {
        device != self.device || self.inodes.contains(&inode)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn list(path: &Path, all: &mut Vec<String>) {
    let meta = fs::symlink_metadata(path).unwrap();
    let content = if meta.is_file() {
        fs::read_to_string(path).unwrap()
    } else {
        String::new()
    };
    let time = (meta.mtime(), meta.mtime_nsec());
    let (mode, nlink) = (meta.mode(), meta.nlink());
    all.push(format!("{path:?} {mode:o} {nlink} {time:?} {content}"));
    if meta.is_dir() {
        let mut names: Vec<_> = fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        names.sort();
        for name in names {
            list(&name, all);
        }
    }
}

/// The functions that the guest calls: `i` for `i32`, `I` for `i64`.
const SIGNATURES: &[(&str, &str)] = &[
    ("fd_close", "i"),
    ("fd_filestat_get", "ii"),
    ("fd_filestat_set_times", "iIIi"),
    ("fd_read", "iiii"),
    ("fd_readdir", "iiiIi"),
    ("fd_write", "iiii"),
    ("path_create_directory", "iii"),
    ("path_filestat_get", "iiiii"),
    ("path_filestat_set_times", "iiiiIIi"),
    ("path_link", "iiiiiii"),
    ("path_open", "iiiiiIIii"),
    ("path_readlink", "iiiiii"),
    ("path_remove_directory", "iii"),
    ("path_rename", "iiiiii"),
    ("path_symlink", "iiiii"),
    ("path_unlink_file", "iii"),
];

fn wat() -> String {
    let (mut imports, mut exports) = (String::new(), String::new());
    for (name, params) in SIGNATURES {
        let types: String = params
            .chars()
            .map(|c| if c == 'i' { " i32" } else { " i64" })
            .collect();
        imports += &format!(
            "(import \"wasi_snapshot_preview1\" \"{name}\" \
             (func ${name} (param{types}) (result i32)))\n"
        );
        let get: String = (0..params.len())
            .map(|i| format!("(local.get {i})"))
            .collect();
        exports += &format!(
            "(func (export \"{name}\") (param{types}) (result i32) (call ${name} {get}))\n"
        );
    }
    format!("(module\n{imports}(memory (export \"memory\") 2)\n{exports})")
}

pub(crate) struct Guest {
    store: Store<WasiCtx>,
    instance: Instance,
    memory: Memory,
}

/// Where things are in the guest's memory.
const PATH: i64 = 0x1000;
const PATH2: i64 = 0x5000;
const VECTOR: i64 = 0x9000;
const OUT: i64 = 0x9100;
const DATA: i64 = 0xa000;
const DATA_LEN: i64 = 0x4000;

/// `oflags`.
pub(crate) const CREAT: i64 = 1;
pub(crate) const DIRECTORY: i64 = 2;
pub(crate) const EXCL: i64 = 4;
pub(crate) const TRUNC: i64 = 8;

/// `rights`: to read, to write.
pub(crate) const READ: i64 = 1 << 1;
pub(crate) const WRITE: i64 = 1 << 6;

impl Guest {
    /// With `root` as 3, `other` as 4, `read_only` as 5.
    pub(crate) fn new(world: &World, resolution: PathResolution) -> Self {
        let mut builder = WasiCtxBuilder::new();
        builder.path_resolution(resolution);
        let all = (DirPerms::all(), FilePerms::all());
        let read = (DirPerms::READ, FilePerms::READ);
        for (name, (dir, file)) in [("root", all), ("other", all), ("read_only", read)] {
            builder
                .preopened_dir(world.path(name), name, dir, file)
                .unwrap();
        }
        let engine = Engine::default();
        let module = Module::new(&engine, wat::parse_str(wat()).unwrap()).unwrap();
        let mut linker = Linker::<WasiCtx>::new(&engine);
        teff_wasi::add_to_linker(&mut linker, |ctx| ctx).unwrap();
        let mut store = Store::new(&engine, builder.build());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let memory = instance.get_memory(&mut store, "memory").unwrap();
        Self {
            store,
            instance,
            memory,
        }
    }

    /// Calls a function: its error code, 0 for success.
    fn call(&mut self, name: &str, args: &[i64]) -> u16 {
        let params = SIGNATURES.iter().find(|s| s.0 == name).unwrap().1;
        let args: Vec<_> = params
            .chars()
            .zip(args)
            .map(|(ty, arg)| match ty {
                'i' => Val::I32(*arg as i32),
                _ => Val::I64(*arg),
            })
            .collect();
        let mut results = [Val::I32(-1)];
        let func = self.instance.get_func(&mut self.store, name).unwrap();
        func.call(&mut self.store, &args, &mut results).unwrap();
        results[0].i32().unwrap().try_into().unwrap()
    }

    fn put(&mut self, at: i64, bytes: &[u8]) -> i64 {
        self.memory
            .write(&mut self.store, at as usize, bytes)
            .unwrap();
        bytes.len() as i64
    }

    fn bytes(&self, at: i64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.memory
            .read(&self.store, at as usize, &mut bytes)
            .unwrap();
        bytes
    }

    fn number(&self, at: i64, len: usize) -> u64 {
        let mut bytes = [0; 8];
        bytes[..len].copy_from_slice(&self.bytes(at, len));
        u64::from_le_bytes(bytes)
    }

    /// Opens a path.
    pub(crate) fn open(
        &mut self,
        dir: i64,
        path: &[u8],
        follow: bool,
        oflags: i64,
        rights: i64,
    ) -> Result<i64, u16> {
        let len = self.put(PATH, path);
        let args = [
            dir,
            i64::from(follow),
            PATH,
            len,
            oflags,
            rights,
            rights,
            0,
            OUT,
        ];
        match self.call("path_open", &args) {
            0 => Ok(self.number(OUT, 4) as i64),
            errno => Err(errno),
        }
    }

    pub(crate) fn close(&mut self, fd: i64) {
        assert_eq!(self.call("fd_close", &[fd]), 0);
    }

    /// Reads an open file, or lists an open directory.
    pub(crate) fn look(&mut self, fd: i64) -> Vec<u8> {
        self.put(VECTOR, &(DATA as u32).to_le_bytes());
        self.put(VECTOR + 4, &(DATA_LEN as u32).to_le_bytes());
        if self.call("fd_read", &[fd, VECTOR, 1, OUT]) == 0
            || self.call("fd_readdir", &[fd, DATA, DATA_LEN, 0, OUT]) == 0
        {
            return self.bytes(DATA, self.number(OUT, 4) as usize);
        }
        Vec::new()
    }

    pub(crate) fn write(&mut self, fd: i64, bytes: &[u8]) -> u16 {
        let len = self.put(DATA, bytes);
        self.put(VECTOR, &(DATA as u32).to_le_bytes());
        self.put(VECTOR + 4, &(len as u32).to_le_bytes());
        self.call("fd_write", &[fd, VECTOR, 1, OUT])
    }

    /// Sets the times of an open file or directory.
    pub(crate) fn touch(&mut self, fd: i64) -> u16 {
        self.call("fd_filestat_set_times", &[fd, 1, 1, 1 | 4])
    }

    /// The device and inode of what is open.
    pub(crate) fn inode(&mut self, fd: i64) -> (u64, u64) {
        assert_eq!(self.call("fd_filestat_get", &[fd, OUT]), 0);
        (self.number(OUT, 8), self.number(OUT + 8, 8))
    }

    /// The device and inode of what is at a path.
    pub(crate) fn stat(&mut self, dir: i64, path: &[u8], follow: bool) -> Result<(u64, u64), u16> {
        let len = self.put(PATH, path);
        match self.call(
            "path_filestat_get",
            &[dir, i64::from(follow), PATH, len, OUT],
        ) {
            0 => Ok((self.number(OUT, 8), self.number(OUT + 8, 8))),
            errno => Err(errno),
        }
    }

    /// A function that takes a path alone.
    pub(crate) fn on(&mut self, function: &str, dir: i64, path: &[u8]) -> u16 {
        let len = self.put(PATH, path);
        self.call(function, &[dir, PATH, len])
    }

    pub(crate) fn rename(&mut self, dir: i64, old: &[u8], new_dir: i64, new: &[u8]) -> u16 {
        let (old, new) = (self.put(PATH, old), self.put(PATH2, new));
        self.call("path_rename", &[dir, PATH, old, new_dir, PATH2, new])
    }

    pub(crate) fn link(
        &mut self,
        (dir, old): (i64, &[u8]),
        follow: bool,
        (new_dir, new): (i64, &[u8]),
    ) -> u16 {
        let (old, new) = (self.put(PATH, old), self.put(PATH2, new));
        self.call(
            "path_link",
            &[dir, i64::from(follow), PATH, old, new_dir, PATH2, new],
        )
    }

    pub(crate) fn symlink(&mut self, target: &[u8], dir: i64, path: &[u8]) -> u16 {
        let (target, path) = (self.put(PATH, target), self.put(PATH2, path));
        self.call("path_symlink", &[PATH, target, dir, PATH2, path])
    }

    /// Sets the times of what is at a path.
    pub(crate) fn touch_at(&mut self, dir: i64, path: &[u8], follow: bool) -> u16 {
        let len = self.put(PATH, path);
        let args = [dir, i64::from(follow), PATH, len, 1, 1, 1 | 4];
        self.call("path_filestat_set_times", &args)
    }
}
