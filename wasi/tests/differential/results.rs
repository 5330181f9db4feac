//! What functions leave in the guest's memory, and what of it can be compared.

use std::collections::BTreeSet;

use crate::{
    Outcome,
    calls::{Call, EVENTS, MEMORY, SUBSCRIPTIONS, SUBSCRIPTIONS_END},
    tree::Time,
};

/// Bytes of a `dirent` before its name.
const DIRENT: usize = 24;

/// How the memories differ after a call with the same answer, if they do.
pub(crate) fn compare(call: &Call, success: bool, teff: &[u8], oracle: &[u8]) -> Option<String> {
    let mut oracle = oracle.to_vec();
    // It has descriptors of each side.
    copy(
        teff,
        &mut oracle,
        SUBSCRIPTIONS,
        SUBSCRIPTIONS_END - SUBSCRIPTIONS,
    );
    if success && let Some(text) = fields(call, teff, &mut oracle) {
        return Some(text);
    }
    if *teff == *oracle {
        return None;
    }
    let first = teff
        .iter()
        .zip(&oracle)
        .position(|(teff, oracle)| teff != oracle)?;
    let count = teff
        .iter()
        .zip(&oracle)
        .filter(|(teff, oracle)| teff != oracle)
        .count();
    let end = (first + 16).min(MEMORY);
    Some(format!(
        "{count} bytes of memory from {first:#x}: oracle {:x?}, teff {:x?}",
        &oracle[first..end],
        &teff[first..end]
    ))
}

/// Compares the structures that a function has written, and makes alike what cannot be compared.
fn fields(call: &Call, teff: &[u8], oracle: &mut [u8]) -> Option<String> {
    let out = |name: &str| call.number(name) as u32;
    match call.function.name {
        "path_open" => copy(teff, oracle, out("opened_fd"), 4),
        "sock_accept" => copy(teff, oracle, out("accepted_fd"), 4),
        "clock_res_get" => copy(teff, oracle, out("resolution"), 8),
        "clock_time_get" => copy(teff, oracle, out("time"), 8),
        "random_get" => {
            let (address, len) = call.range("buf");
            copy(teff, oracle, address, len);
        }
        "fd_filestat_get" | "path_filestat_get" => {
            let at = out("filestat");
            let pair = [filestat(teff, at), filestat(oracle, at)];
            copy(teff, oracle, at, 64);
            return differ("filestat", &pair);
        }
        "fd_fdstat_get" => {
            let at = out("fdstat") as usize;
            // The type and the flags. Rights are each side's own way; see the table.
            let pair = [teff, oracle].map(|memory| (memory[at], memory[at + 2], memory[at + 3]));
            copy(teff, oracle, at as u32, 24);
            return differ("fdstat's type and flags", &pair);
        }
        "fd_prestat_get" => {
            // Between the tag and the length.
            copy(teff, oracle, out("prestat") + 1, 3);
        }
        "fd_readdir" => {
            // The order of entries is the host's; the whole listings are compared after this.
            let (address, len) = call.range("buf");
            copy(teff, oracle, address, len);
        }
        "poll_oneoff" => {
            let at = out("nevents");
            let pair = [events(teff, at), events(oracle, at)];
            let len = SUBSCRIPTIONS_END - SUBSCRIPTIONS;
            copy(teff, oracle, EVENTS, len);
            copy(teff, oracle, at, 4);
            return differ("events", &pair);
        }
        _ => {}
    }
    None
}

fn differ<T: PartialEq + std::fmt::Debug>(what: &str, pair: &[T; 2]) -> Option<String> {
    let [teff, oracle] = pair;
    (teff != oracle).then(|| format!("{what}:\n  oracle {oracle:?}\n  teff   {teff:?}"))
}

/// Makes a part of the oracle's memory as teff's.
fn copy(teff: &[u8], oracle: &mut [u8], address: u32, len: u32) {
    let start = (address as usize).min(MEMORY);
    let end = (start + len as usize).min(MEMORY);
    oracle[start..end].copy_from_slice(&teff[start..end]);
}

fn number<const N: usize>(memory: &[u8], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&memory[at..at + N]);
    bytes
}

/// What of a `filestat` can be compared. Not its device and inode, and not the time of the last change of
/// its status, for which the oracle gives the time of its creation.
#[derive(Debug, PartialEq)]
struct Filestat {
    filetype: u8,
    nlink: u64,
    size: u64,
    accessed: Time,
    modified: Time,
}

fn filestat(memory: &[u8], at: u32) -> Filestat {
    let at = at as usize;
    let wide = |offset: usize| u64::from_le_bytes(number(memory, at + offset));
    Filestat {
        filetype: memory[at + 16],
        nlink: wide(24),
        size: wide(32),
        accessed: Time::new(wide(40).into()),
        modified: Time::new(wide(48).into()),
    }
}

/// The events by their subscriptions.
fn events(memory: &[u8], nevents: u32) -> Vec<(u64, u16, u8, u16)> {
    let count = u32::from_le_bytes(number(memory, nevents as usize));
    let mut events: Vec<_> = (0..count.min(128) as usize)
        .map(|index| {
            let at = EVENTS as usize + index * 32;
            (
                u64::from_le_bytes(number(memory, at)),
                u16::from_le_bytes(number(memory, at + 8)),
                memory[at + 10],
                u16::from_le_bytes(number(memory, at + 24)),
            )
        })
        .collect();
    events.sort_unstable();
    events
}

/// An entry of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) next: u64,
    filetype: u8,
    name: Vec<u8>,
}

/// A part of a listing: its entries, and whether there may be more.
pub(crate) type Part = (Vec<Entry>, bool);

/// The entries that are whole.
pub(crate) fn entries(memory: &[u8], buf: u32, len: u32, bufused: u32) -> Part {
    let used = u32::from_le_bytes(number(memory, bufused as usize));
    let mut rest = &memory[buf as usize..][..used.min(len) as usize];
    let mut entries = Vec::new();
    while rest.len() >= DIRENT {
        let len = u32::from_le_bytes(number(rest, 16)) as usize;
        let Some(name) = rest.get(DIRENT..DIRENT + len) else {
            break;
        };
        entries.push(Entry {
            next: u64::from_le_bytes(number(rest, 0)),
            filetype: rest[20],
            name: name.to_vec(),
        });
        rest = &rest[DIRENT + len..];
    }
    (entries, used >= len)
}

/// A whole listing, from as many calls as it needs.
pub(crate) fn whole(
    call: &mut dyn FnMut(u64) -> Result<Part, Outcome>,
    mut cookie: u64,
) -> Result<Vec<Entry>, Outcome> {
    let mut all = Vec::new();
    loop {
        let (entries, more) = call(cookie)?;
        match entries.last() {
            Some(last) => cookie = last.next,
            None => return Ok(all),
        }
        all.extend(entries);
        if !more {
            return Ok(all);
        }
    }
}

/// The entries' names and types, none twice.
pub(crate) fn names(entries: &Vec<Entry>) -> Result<BTreeSet<(Vec<u8>, u8)>, String> {
    let names: BTreeSet<_> = entries
        .iter()
        .map(|entry| (entry.name.clone(), entry.filetype))
        .collect();
    if names.len() == entries.len() {
        Ok(names)
    } else {
        Err(format!("a name was listed twice: {entries:?}"))
    }
}

/// Has a vector bytes in this range?
pub(crate) fn meet(vector: &(u32, u32), address: u32, len: u32) -> bool {
    u64::from(vector.0) < u64::from(address) + u64::from(len)
        && u64::from(address) < u64::from(vector.0) + u64::from(vector.1)
}
