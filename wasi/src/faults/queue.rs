//! What is under way on a line, in the order in which it arrives.

use alloc::{collections::VecDeque, vec::Vec};

use super::{
    Faults,
    line::{Fate, Line},
};
use crate::types::Errno;

/// The most bytes of a segment of a stream: what an Ethernet frame has room for.
pub(super) const SEGMENT: usize = 1460;

/// The most bytes that are under way, as with TCP's window.
const WINDOW: usize = 256 << 10;

/// What keeping a piece costs besides its bytes, about. Without it empty datagrams would have no limit.
const OVERHEAD: usize = 64;

/// What arrives.
pub(super) enum What {
    /// Bytes: of a stream, or a whole datagram.
    Data(Vec<u8>),
    /// The end of the stream.
    End,
    /// An error.
    Failed(Errno),
    /// A piece that breaks the connection.
    Break,
}

impl What {
    fn cost(&self) -> usize {
        match self {
            Self::Data(bytes) => OVERHEAD + bytes.len(),
            _ => OVERHEAD,
        }
    }
}

struct Piece {
    due: u64,
    what: What,
}

/// A line with what is under way on it.
pub(super) struct Queue {
    line: Line,
    pieces: VecDeque<Piece>,
    /// How many bytes of the first piece are gone.
    gone: usize,
    cost: usize,
    window: usize,
}

impl Queue {
    /// For the `number`th line.
    pub(super) fn new(faults: Faults, stream: bool, number: u64) -> Self {
        // Not more than a second's worth, or a slow line would swallow what its sender should wait for.
        let second = faults.bandwidth.map_or(WINDOW as u64, |bytes| bytes);
        let least = 2 * (SEGMENT + OVERHEAD);
        let window = usize::try_from(second).map_or(WINDOW, |bytes| bytes.clamp(least, WINDOW));
        Self {
            line: Line::new(faults, stream, number),
            pieces: VecDeque::new(),
            gone: 0,
            cost: 0,
            window,
        }
    }

    /// For how many bytes of a stream is there room?
    pub(super) fn room(&self) -> usize {
        let room = self.window.saturating_sub(self.cost);
        // One small piece after another would cost more than what they bring.
        if room < SEGMENT + OVERHEAD {
            0
        } else {
            room / (SEGMENT + OVERHEAD) * SEGMENT
        }
    }

    /// Bytes come to the line.
    pub(super) fn push(&mut self, now: u64, bytes: Vec<u8>) {
        match self.line.pass(now, bytes.len()) {
            Fate::Arrives(due) => self.insert(due, What::Data(bytes)),
            Fate::Breaks(due) => self.insert(due, What::Break),
            Fate::Lost => {}
        }
    }

    /// The end, or an error, comes to the line.
    pub(super) fn push_end(&mut self, now: u64, what: What) {
        let due = self.line.end(now);
        self.insert(due, what);
    }

    fn insert(&mut self, due: u64, what: What) {
        self.cost += what.cost();
        let mut place = self.pieces.partition_point(|piece| piece.due <= due);
        if place == 0 && self.gone > 0 {
            // The first has begun to leave.
            place = 1;
        }
        self.pieces.insert(place, Piece { due, what });
    }

    /// When the first piece arrives.
    pub(super) fn due(&self) -> Option<u64> {
        self.pieces.front().map(|piece| piece.due)
    }

    /// The first piece, if it has arrived, and how many of its bytes are gone.
    pub(super) fn arrived(&self, now: u64) -> Option<(&What, usize)> {
        let first = self.pieces.front().filter(|piece| piece.due <= now)?;
        Some((&first.what, self.gone))
    }

    /// The bytes of a stream that have arrived, in slices, up to what is not bytes.
    pub(super) fn bytes(&self, now: u64) -> impl Iterator<Item = &[u8]> {
        let mut gone = self.gone;
        self.pieces
            .iter()
            .take_while(move |piece| piece.due <= now)
            .map_while(move |piece| match &piece.what {
                What::Data(bytes) => bytes.get(core::mem::take(&mut gone)..),
                _ => None,
            })
    }

    /// Takes bytes off its start.
    pub(super) fn take(&mut self, mut count: usize) {
        while count > 0 {
            let Some(Piece {
                what: What::Data(bytes),
                ..
            }) = self.pieces.front()
            else {
                return;
            };
            let left = bytes.len() - self.gone;
            if count < left {
                self.gone += count;
                return;
            }
            count -= left;
            self.pop();
        }
    }

    /// Takes the first piece off.
    pub(super) fn pop(&mut self) {
        if let Some(piece) = self.pieces.pop_front() {
            self.cost -= piece.what.cost();
        }
        self.gone = 0;
    }

    pub(super) fn clear(&mut self) {
        self.pieces.clear();
        self.gone = 0;
        self.cost = 0;
    }
}
