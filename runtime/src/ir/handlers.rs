//! Handlers' addresses by operation number, found out when they are first asked for.
//!
//! There are many thousands of them. A table that the linker makes would be written by the dynamic linker at
//! every start of a position-independent program; a list that is made at the start would take as long as a
//! small guest runs.

use alloc::boxed::Box;
use core::sync::atomic::{AtomicUsize, Ordering};

use super::{BASES, Family, Op};

/// The addresses of the handlers of a backend and a class.
pub(crate) struct HandlerList {
    /// 0 stands for what was not asked for yet.
    addresses: Box<[AtomicUsize]>,
    write_row: WriteRow,
}

/// Writes the addresses of all operations of a row.
pub(crate) type WriteRow = fn(Family, RowAddresses<'_>);

impl HandlerList {
    /// Nothing is known yet.
    pub(crate) fn new(write_row: WriteRow) -> Self {
        let addresses = Box::<[AtomicUsize]>::new_zeroed_slice(Op::COUNT);
        Self {
            // SAFETY: zeroed memory is zeros, which are valid.
            addresses: unsafe { addresses.assume_init() },
            write_row,
        }
    }

    /// The address of an operation's handler. From now on it is in the list, for whoever sees what is written
    /// after this.
    pub(crate) fn address(&self, op: Op) -> usize {
        match self.addresses[op.0 as usize].load(Ordering::Acquire) {
            0 => self.find(op),
            address => address,
        }
    }

    /// Has the handlers of a row in the list.
    #[cfg(teff_lists)]
    pub(crate) fn prepare(&self, row: Family) {
        self.address(Op(BASES[row as usize]));
    }

    #[cold]
    fn find(&self, op: Op) -> usize {
        let row = op.family() as usize;
        let addresses = &self.addresses[BASES[row] as usize..BASES[row + 1] as usize];
        // Another thread may do the same now, and writes the same.
        (self.write_row)(op.family(), RowAddresses { left: addresses });
        self.addresses[op.0 as usize].load(Ordering::Acquire)
    }

    /// Where compact code finds the addresses of its operations. Reads must be atomic: rows that the code does
    /// not use may be written at any time.
    #[cfg(feature = "std")]
    pub(crate) fn as_ptr(&self) -> *const AtomicUsize {
        self.addresses.as_ptr()
    }
}

/// The places of a row's addresses, in the order of its forms.
#[cfg_attr(
    not(teff_lists),
    allow(dead_code, reason = "only tables are used then")
)]
pub(crate) struct RowAddresses<'a> {
    left: &'a [AtomicUsize],
}

impl RowAddresses<'_> {
    /// Writes the next address.
    #[cfg_attr(
        not(teff_lists),
        allow(dead_code, reason = "only the table of the loop is used then")
    )]
    #[inline(always)]
    pub(crate) fn put(&mut self, address: usize) {
        if let Some((next, left)) = self.left.split_first() {
            next.store(address, Ordering::Release);
            self.left = left;
        }
    }
}
