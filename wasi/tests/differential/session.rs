//! One sequence of calls: both sides make each call, and what they answer is compared.

use std::{fmt::Write, sync::LazyLock};

use teff_wasi::PathResolution;

use crate::{
    Outcome,
    calls::{Arg, Call, DATA, Fd, MEMORY, OUT},
    case::{Case, What},
    differences::{self, Explained},
    oracle::Oracle,
    results,
    subject::Subject,
    tree::{Node, Scratch, Snapshot},
};

const ARGS: &[&str] = &["guest", "", "\u{e4}\u{f6}"];
const ENV: &[(&str, &str)] = &[("A", "1"), ("EMPTY", ""), ("B", "x=y")];

/// What fills the memory before each call.
static PATTERN: LazyLock<Vec<u8>> = LazyLock::new(|| {
    (0..MEMORY)
        .map(|address| (address * 7 + (address >> 8)) as u8 | 1)
        .collect()
});

/// A descriptor that is open on both sides.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) teff: u32,
    pub(crate) oracle: u32,
    pub(crate) dir: bool,
    pub(crate) preopen: bool,
    pub(crate) stdio: bool,
    /// Is it open for writing?
    pub(crate) writes: bool,
    /// Beneath the read-only directory.
    pub(crate) read_only: bool,
    /// The rights that `fd_fdstat_set_rights` left, and those that can be inherited.
    pub(crate) rights: [u64; 2],
}

pub(crate) struct Session {
    scratch: [Scratch; 2],
    before: Snapshot,
    teff: Subject,
    oracle: Oracle,
    live: Vec<Live>,
    trace: String,
    /// The differences that were met, by their places in the table.
    pub(crate) met: Vec<usize>,
}

/// How a sequence goes on.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Continue,
    /// After a difference that is explained, the two sides have no longer the same files.
    Stop,
}

impl Session {
    pub(crate) fn new(nodes: &[Node], read_only: bool, resolution: PathResolution) -> Self {
        let scratch = ["teff", "oracle"]
            .map(|side| Scratch::new(side, nodes).expect("a directory for scratch files"));
        let teff = Subject::new(&scratch[0], read_only, resolution, ARGS, ENV);
        let oracle = Oracle::new(&scratch[1], read_only, ARGS, ENV);
        let live = (0..5)
            .map(|number| Live {
                teff: number,
                oracle: number,
                dir: number > 2,
                preopen: number > 2,
                stdio: number < 3,
                writes: matches!(number, 1 | 2),
                read_only: read_only && number == 4,
                rights: [u64::MAX; 2],
            })
            .collect();
        for scratch in &scratch {
            scratch.age().expect("the scratch directory is new");
        }
        let before = scratch[0].snapshot();
        // Looking at it has left a trace.
        for scratch in &scratch {
            scratch.age().expect("the scratch directory is new");
        }
        Self {
            before,
            scratch,
            teff,
            oracle,
            live,
            trace: String::new(),
            met: Vec::new(),
        }
    }

    /// The descriptor that a call means, if it is open.
    fn find(&self, fd: Fd) -> Option<usize> {
        let pick = |nth: u8, wanted: &dyn Fn(&Live) -> bool| {
            let all: Vec<_> = (0..self.live.len())
                .filter(|index| wanted(&self.live[*index]))
                .collect();
            all.get(usize::from(nth) % all.len().max(1)).copied()
        };
        match fd {
            Fd::Any(nth) => pick(nth, &|_| true),
            Fd::Dir(nth) => pick(nth, &|live| live.dir),
            Fd::File(nth) => pick(nth, &|live| !live.dir),
            Fd::Bad(_) => None,
        }
    }

    /// The number of a descriptor on the side of teff or of the oracle.
    fn number(&self, fd: Fd, teff: bool) -> u32 {
        match (self.find(fd), fd) {
            (Some(index), _) if teff => self.live[index].teff,
            (Some(index), _) => self.live[index].oracle,
            (None, Fd::Bad(number)) => number,
            (None, _) => 4095,
        }
    }

    /// Makes a call on both sides. An error is a difference that nothing explains.
    pub(crate) fn step(&mut self, call: &Call) -> Result<Next, String> {
        let mut image = PATTERN.clone();
        let has = self.rights(call);
        let args = [true, false].map(|teff| {
            let mut args = call.lower(&mut image, |fd| self.number(fd, teff));
            let memory = if teff {
                self.teff.memory()
            } else {
                &mut self.oracle.memory[..]
            };
            memory.copy_from_slice(&image);
            if let Some([base, inheriting]) = has {
                args[1] &= base;
                args[2] &= inheriting;
            }
            args
        });
        let teff = self.teff.call(call.function.name, &args[0]);
        let mut oracle = self.oracle.call(call.function.name, &args[1]);
        self.finish_read(call, &args[1], &mut oracle);
        let _ = writeln!(self.trace, "{}", self.show(call, &args[0], &oracle, &teff));

        let fds: Vec<_> = call.fds().map(|fd| self.find(fd)).collect();
        let meant: Vec<_> = fds
            .iter()
            .map(|fd| fd.map(|index| self.live[index].clone()))
            .collect();
        let opened = self.update(call, &fds, &teff, &oracle)?;
        let what = if oracle != teff {
            Some(What::Outcome)
        } else if oracle == Outcome::Panic {
            return Err(self.report("the oracle panicked and teff too"));
        } else {
            let success = oracle == Outcome::Errno(0);
            results::compare(call, success, self.teff.memory(), &self.oracle.memory)
                .map(What::Result)
        };
        if call.function.name == "path_open" && oracle == Outcome::Errno(0) {
            self.restore_append(call);
        }
        let Some(what) = what else {
            if call.function.name == "fd_readdir" && oracle == Outcome::Errno(0) {
                self.list(call, &args)?;
            }
            return Ok(Next::Continue);
        };
        let lookups = self.look_up(call);
        let case = Case {
            call,
            fds: meant.iter().map(Option::as_ref).collect(),
            teff: &teff,
            oracle: &oracle,
            what: &what,
            lookups,
        };
        let Some((index, explained)) = differences::explain(&case) else {
            let what = match &what {
                What::Outcome => format!("{}: oracle {oracle}, teff {teff}", call.function.name),
                What::Result(text) => format!("{}: results differ\n{text}", call.function.name),
            };
            return Err(self.report(&what));
        };
        self.met.push(index);
        let _ = writeln!(self.trace, "    explained: {}", explained.name);
        self.go_on(call, opened, explained, &oracle)
    }

    /// After a difference that is explained: are the sides still the same?
    fn go_on(
        &mut self,
        call: &Call,
        opened: Option<Live>,
        explained: &Explained,
        oracle: &Outcome,
    ) -> Result<Next, String> {
        if *oracle == Outcome::Panic {
            return Ok(Next::Stop);
        }
        // What only one side has opened is closed again.
        if let Some(live) = opened {
            self.teff.call("fd_close", &[live.teff.into()]);
            self.oracle.call("fd_close", &[live.oracle.into()]);
        }
        if explained.diverges && call.function.name.ends_with("set_times") {
            // Times of access are not part of what is compared here.
            return Ok(Next::Stop);
        }
        let same = self.disagreement();
        if same.is_none() {
            let may_differ = explained.diverges && self.hides_its_position(call);
            return Ok(if may_differ {
                Next::Stop
            } else {
                Next::Continue
            });
        }
        if explained.diverges && !matches!(call.function.name, "fd_close" | "fd_renumber") {
            return Ok(Next::Stop);
        }
        Err(self.report(&format!(
            "the answers are explained as `{}`, but that does not explain this:\n{}",
            explained.name,
            same.unwrap_or_default(),
        )))
    }

    /// Has teff's descriptor given up the right to tell where in the file it is, for a call that goes somewhere else?
    /// Then what is written later may be at two places, and nothing says so before.
    fn hides_its_position(&mut self, call: &Call) -> bool {
        if !matches!(call.function.name, "fd_seek" | "fd_read" | "fd_write") {
            return false;
        }
        let Some(fd) = call.fds().next() else {
            return false;
        };
        let number = self.number(fd, true);
        let told = self.teff.call("fd_tell", &[number.into(), OUT.into()]);
        told != Outcome::Errno(0)
    }

    /// The oracle fills only the first vector that is not empty, which is its right: a guest would read on.
    /// So does this.
    fn finish_read(&mut self, call: &Call, args: &[u64], outcome: &mut Outcome) {
        let (offset, nread) = match call.function.name {
            "fd_read" => (None, args[3]),
            "fd_pread" => (Some(args[3]), args[4]),
            _ => return,
        };
        let Arg::Vectors(vectors) = &call.args[1] else {
            return;
        };
        let full: Vec<_> = vectors.iter().filter(|vector| vector.1 > 0).collect();
        let (at, end) = (nread as usize, nread as usize + 4);
        if full.len() < 2 || *outcome != Outcome::Errno(0) || at + 4 > MEMORY {
            return;
        }
        let read = |memory: &[u8]| {
            let mut bytes = [0; 4];
            bytes.copy_from_slice(&memory[at..end]);
            u32::from_le_bytes(bytes)
        };
        let kept = self.oracle.memory[0x3000..0x3020].to_vec();
        let mut total = read(&self.oracle.memory);
        for index in 1..full.len() {
            let before: u32 = full[..index].iter().map(|vector| vector.1).sum();
            if total < before {
                break;
            }
            let (address, len) = full[index];
            self.oracle.memory[0x3000..0x3004].copy_from_slice(&address.to_le_bytes());
            self.oracle.memory[0x3004..0x3008].copy_from_slice(&len.to_le_bytes());
            let mut args = args.to_vec();
            args[2] = 1;
            if let Some(offset) = offset {
                args[3] = offset + u64::from(before);
            }
            match self.oracle.call(call.function.name, &args) {
                Outcome::Errno(0) => total += read(&self.oracle.memory),
                _ => break,
            }
        }
        // A vector over the list of vectors, or over the count, has the last word.
        if !full
            .iter()
            .any(|vector| results::meet(vector, 0x3000, 0x20))
        {
            self.oracle.memory[0x3000..0x3020].copy_from_slice(&kept);
        }
        self.oracle.memory[at..end].copy_from_slice(&total.to_le_bytes());
    }

    /// The rights that teff's descriptor has, for a call that is to leave some of them: only those can be
    /// left. Those that it has not can be asked for too, which is not often done.
    fn rights(&mut self, call: &Call) -> Option<[u64; 2]> {
        let fd = call
            .fds()
            .next()
            .filter(|_| call.function.name == "fd_fdstat_set_rights")?;
        if call.number("fs_rights_base") & 1 == 0 {
            return None;
        }
        let number = self.number(fd, true);
        self.teff
            .call("fd_fdstat_get", &[number.into(), OUT.into()]);
        Some([8, 16].map(|offset| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&self.teff.memory()[OUT as usize + offset..][..8]);
            u64::from_le_bytes(bytes)
        }))
    }

    /// The oracle forgets `append` when a file is opened with `nonblock` too. So does nobody else, so it is
    /// told again.
    fn restore_append(&mut self, call: &Call) {
        if call.number("fdflags") & 5 != 5 {
            return;
        }
        if let Some(live) = self.live.last() {
            let kept = self.oracle.memory.clone();
            self.oracle
                .call("fd_fdstat_set_flags", &[live.oracle.into(), 5]);
            self.oracle.memory = kept;
        }
    }

    /// Keeps the table of descriptors. What only one side has opened is returned.
    fn update(
        &mut self,
        call: &Call,
        fds: &[Option<usize>],
        teff: &Outcome,
        oracle: &Outcome,
    ) -> Result<Option<Live>, String> {
        let ok = [teff, oracle].map(|outcome| *outcome == Outcome::Errno(0));
        let both = ok == [true, true];
        match call.function.name {
            "path_open" if ok[0] || ok[1] => {
                let at = call.number("opened_fd") as usize;
                let get = |memory: &[u8]| {
                    let mut bytes = [0; 4];
                    bytes.copy_from_slice(&memory[at..at + 4]);
                    u32::from_le_bytes(bytes)
                };
                // A number that is never open, for the side that opened nothing.
                let numbers = [
                    if ok[0] {
                        get(self.teff.memory())
                    } else {
                        u32::MAX
                    },
                    if ok[1] {
                        get(&self.oracle.memory)
                    } else {
                        u32::MAX
                    },
                ];
                let lowest = (0..).find(|free| self.live.iter().all(|live| live.teff != *free));
                if ok[0] && Some(numbers[0]) != lowest {
                    let text = format!(
                        "teff gave the descriptor {}, the lowest free one is {lowest:?}",
                        numbers[0]
                    );
                    return Err(self.report(&text));
                }
                let parent = fds[0].map(|index| self.live[index].clone());
                let mut live = Live {
                    teff: numbers[0],
                    oracle: numbers[1],
                    dir: false,
                    preopen: false,
                    stdio: false,
                    writes: call.number("fs_rights_base") & (1 << 6) != 0,
                    read_only: parent.as_ref().is_some_and(|parent| parent.read_only),
                    rights: parent.map_or([0; 2], |parent| [parent.rights[1]; 2]),
                };
                live.dir = if ok[0] {
                    self.is_dir(live.teff, true)
                } else {
                    self.is_dir(live.oracle, false)
                };
                if both {
                    self.live.push(live);
                    Ok(None)
                } else {
                    Ok(Some(live))
                }
            }
            "fd_close" if both => {
                if let Some(index) = fds[0] {
                    self.live.remove(index);
                }
                Ok(None)
            }
            "fd_renumber" if both => {
                if let [Some(from), Some(to)] = *fds
                    && from != to
                {
                    let Live { teff, oracle, .. } = self.live[to];
                    self.live[from].teff = teff;
                    self.live[from].oracle = oracle;
                    self.live.remove(to);
                }
                Ok(None)
            }
            "fd_fdstat_set_rights" if both => {
                if let Some(index) = fds[0] {
                    self.live[index].rights[0] &= call.number("fs_rights_base");
                    self.live[index].rights[1] &= call.number("fs_rights_inheriting");
                }
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// Is this descriptor of one side a directory?
    fn is_dir(&mut self, number: u32, teff: bool) -> bool {
        let args = [number.into(), u64::from(OUT)];
        let at = OUT as usize;
        if teff {
            let kept = self.teff.memory().to_vec();
            let outcome = self.teff.call("fd_fdstat_get", &args);
            let dir = outcome == Outcome::Errno(0) && self.teff.memory()[at] == 3;
            self.teff.memory().copy_from_slice(&kept);
            dir
        } else {
            let kept = self.oracle.memory.clone();
            let outcome = self.oracle.call("fd_fdstat_get", &args);
            let dir = outcome == Outcome::Errno(0) && self.oracle.memory[at] == 3;
            self.oracle.memory = kept;
            dir
        }
    }

    /// Lists a directory whole on both sides, with a buffer of the call's size, and from the middle again.
    fn list(&mut self, call: &Call, args: &[Vec<u64>; 2]) -> Result<(), String> {
        let len = call.range("buf").1.max(300);
        let mut listings = Vec::new();
        for (args, teff) in args.iter().zip([true, false]) {
            let mut call = |cookie: u64| {
                let args = [args[0], DATA.into(), len.into(), cookie, OUT.into()];
                let (outcome, memory) = if teff {
                    let outcome = self.teff.call("fd_readdir", &args);
                    (outcome, &*self.teff.memory())
                } else {
                    let outcome = self.oracle.call("fd_readdir", &args);
                    (outcome, &self.oracle.memory[..])
                };
                match outcome {
                    Outcome::Errno(0) => Ok(results::entries(memory, DATA, len, OUT)),
                    other => Err(other),
                }
            };
            let all = results::whole(&mut call, 0).map_err(|error| format!("{error}"));
            let all =
                all.map_err(|error| self.report(&format!("teff {teff}: listing: {error}")))?;
            listings.push(all);
            if !teff {
                continue;
            }
            // Every cookie leads to where it was given.
            let all = &listings[0];
            let middle = all.len() / 2;
            let mut call = |cookie: u64| {
                let args = [args[0], DATA.into(), len.into(), cookie, OUT.into()];
                match self.teff.call("fd_readdir", &args) {
                    Outcome::Errno(0) => Ok(results::entries(self.teff.memory(), DATA, len, OUT)),
                    other => Err(other),
                }
            };
            let cookie = middle.checked_sub(1).map_or(0, |before| all[before].next);
            let rest = results::whole(&mut call, cookie);
            if rest.as_deref() != Ok(&all[middle..]) {
                let text = format!("from {cookie}: {rest:?}\nof {all:?}");
                return Err(self.report(&format!("a cookie of teff leads elsewhere: {text}")));
            }
        }
        let sets = listings.map_each(results::names);
        if sets[0] != sets[1] {
            let text = format!("oracle {:?}\nteff   {:?}", sets[1], sets[0]);
            return Err(self.report(&format!("the listings differ:\n{text}")));
        }
        Ok(())
    }

    /// What the oracle says to looking up the paths of a call with two.
    fn look_up(&mut self, call: &Call) -> Vec<u16> {
        if !matches!(call.function.name, "path_link" | "path_rename") {
            return Vec::new();
        }
        let kept = self.oracle.memory.clone();
        let mut errors = Vec::new();
        for (fd, path) in call.fds().zip(call.paths()) {
            let number = self.number(fd, false);
            self.oracle.memory[DATA as usize..][..path.len()].copy_from_slice(path);
            let args = [number, 0, DATA, path.len() as u32, OUT].map(u64::from);
            if let Outcome::Errno(errno) = self.oracle.call("path_filestat_get", &args) {
                errors.push(errno);
            }
        }
        self.oracle.memory = kept;
        errors
    }

    /// How the two sides have come to differ, if they have.
    pub(crate) fn disagreement(&mut self) -> Option<String> {
        let [teff, oracle] = self.scratch.each_ref().map(Scratch::snapshot);
        if teff != oracle {
            return Some(teff.difference(&oracle));
        }
        for index in 0..self.live.len() {
            let live = self.live[index].clone();
            let at = OUT as usize;
            // What the flags of a directory are is explained in the table.
            let compared = if live.dir { 2 } else { 4 };
            for (function, len) in [("fd_tell", 8), ("fd_fdstat_get", compared)] {
                self.teff.memory()[at + 1] = 0;
                self.oracle.memory[at + 1] = 0;
                let args = |number: u32| [number.into(), u64::from(OUT)];
                let outcomes = [
                    self.teff.call(function, &args(live.teff)),
                    self.oracle.call(function, &args(live.oracle)),
                ];
                if outcomes != [Outcome::Errno(0), Outcome::Errno(0)] {
                    continue;
                }
                let teff = &self.teff.memory()[at..at + len];
                let oracle = &self.oracle.memory[at..at + len];
                if teff != oracle {
                    return Some(format!(
                        "{function} of {live:?}: oracle {oracle:?}, teff {teff:?}"
                    ));
                }
            }
        }
        None
    }

    /// At the end of a sequence.
    pub(crate) fn finish(&mut self, diverged: bool) -> Result<(), String> {
        let now = self.scratch[0].snapshot();
        if !now.same_outside(&self.before) {
            return Err(self.report("teff has changed what is outside of its directories"));
        }
        let read_only = self.live.iter().any(|live| live.read_only);
        if read_only && !now.same_beneath(&self.before, crate::tree::TWO) {
            let text = now.difference(&self.before);
            return Err(self.report(&format!(
                "teff has changed the read-only directory:\n{text}"
            )));
        }
        match self.disagreement() {
            Some(text) if !diverged => Err(self.report(&format!("the ends differ:\n{text}"))),
            _ => Ok(()),
        }
    }

    /// A call and its answers in one line.
    fn show(&self, call: &Call, args: &[u64], oracle: &Outcome, teff: &Outcome) -> String {
        let numbers: Vec<_> = call
            .fds()
            .map(|fd| format!("{fd:?}={}", self.number(fd, true)))
            .collect();
        let _ = args;
        let answers = if oracle == teff {
            format!("{oracle}")
        } else {
            format!("oracle {oracle}, teff {teff}")
        };
        format!("{call:?} [{}]\n    {answers}", numbers.join(" "))
    }

    fn report(&self, what: &str) -> String {
        let Self { before, trace, .. } = self;
        format!("{what}\nThe tree was:\n{before:#?}\nThe calls:\n{trace}")
    }
}

/// A closure over both of two.
trait MapEach<T> {
    fn map_each<U>(&self, f: impl Fn(&T) -> U) -> Vec<U>;
}

impl<T> MapEach<T> for Vec<T> {
    fn map_each<U>(&self, f: impl Fn(&T) -> U) -> Vec<U> {
        self.iter().map(f).collect()
    }
}
