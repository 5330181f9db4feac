//! Accesses to memory at any alignment. Knows of no instruction.
//!
//! Where the processor takes an access at any address, the compiler makes it one machine instruction. Where it may not
//! (riscv64gc does not promise it), the compiler makes it byte by byte: 22 instructions for a load of 64 bits. Programs
//! align nearly all they access, so there the address is looked at first, and only what turns out not to be aligned is
//! put together from parts. That is done in place, not by a call, because a handler that calls needs a frame.

/// Does the compiler take for granted that only aligned accesses are allowed?
const STRICT: bool = cfg!(all(
    any(target_arch = "riscv32", target_arch = "riscv64"),
    not(target_feature = "unaligned-scalar-mem")
));

/// Aligned to one byte. (`ptr::read_unaligned` goes through a stack slot when debug assertions are on, and the tail call
/// is lost.)
#[repr(C, packed)]
struct Unaligned<T>(T);

/// What memory instructions read and write.
///
/// # Safety
/// Of both functions: the bytes of the value at `p` are in a memory, which begins at an address that is aligned to 8 and
/// for which a multiple of 8 bytes is allocated; nobody else uses it meanwhile.
pub(super) trait Unit: Copy {
    unsafe fn read(p: *const u8) -> Self;
    unsafe fn write(p: *mut u8, value: Self);
}

/// Units so small that their bytes cost less than a look at the address would.
macro_rules! small_units {
    ($($ty:ty)*) => {$(
        impl Unit for $ty {
            #[inline(always)]
            unsafe fn read(p: *const u8) -> Self {
                // SAFETY: the caller's promise.
                unsafe { (*p.cast::<Unaligned<Self>>()).0 }
            }

            #[inline(always)]
            unsafe fn write(p: *mut u8, value: Self) {
                // SAFETY: the caller's promise.
                unsafe { (*p.cast::<Unaligned<Self>>()).0 = value }
            }
        }
    )*};
}

small_units! { u8 i8 u16 i16 }

/// Larger units, with the unsigned type of the same size.
macro_rules! large_units {
    ($($ty:ty = $bits:ty;)*) => {$(
        impl Unit for $ty {
            #[inline(always)]
            unsafe fn read(p: *const u8) -> Self {
                // SAFETY: the caller's promise, and the address is aligned where it has to be.
                unsafe {
                    if !STRICT {
                        (*p.cast::<Unaligned<Self>>()).0
                    } else if is_aligned::<Self>(p) {
                        *p.cast::<Self>()
                    } else {
                        join::<$bits>(p, size_of::<Self>()) as Self
                    }
                }
            }

            #[inline(always)]
            unsafe fn write(p: *mut u8, value: Self) {
                // SAFETY: as above.
                unsafe {
                    if !STRICT {
                        (*p.cast::<Unaligned<Self>>()).0 = value;
                    } else if is_aligned::<Self>(p) {
                        *p.cast::<Self>() = value;
                    } else {
                        write_bytes(p, value);
                    }
                }
            }
        }
    )*};
}

large_units! {
    u32 = u32;
    i32 = u32;
    u64 = u64;
}

/// A `u32` as a `u64`. In terms of the other units, the compiler would extend what either way of reading gives, and an
/// aligned load extends by itself.
///
/// # Safety
/// As for [`Unit`].
#[inline(always)]
pub(super) unsafe fn read_extended(p: *const u8) -> u64 {
    // SAFETY: the caller's promise, and the address is aligned where it has to be.
    unsafe {
        if !STRICT {
            u64::from((*p.cast::<Unaligned<u32>>()).0)
        } else if is_aligned::<u32>(p) {
            u64::from(*p.cast::<u32>())
        } else {
            u64::from(join::<u64>(p, size_of::<u32>()) as u32)
        }
    }
}

/// Is `p` aligned to the size of `T`?
#[inline(always)]
fn is_aligned<T>(p: *const u8) -> bool {
    p.addr().is_multiple_of(size_of::<T>())
}

/// An unsigned type that is read as a whole.
trait Word: Copy {
    /// The lower `at` bytes of `low` are dropped, and `high` goes above the rest. If nothing is dropped, both must be the
    /// same word.
    fn shift(low: Self, high: Self, at: u32) -> Self;
}

macro_rules! words {
    ($($ty:ty)*) => {$(
        impl Word for $ty {
            #[inline(always)]
            fn shift(low: Self, high: Self, at: u32) -> Self {
                // Distances are taken modulo the size, as the processor takes them.
                let by = at.wrapping_mul(8);
                low.wrapping_shr(by) | high.wrapping_shl(by.wrapping_neg())
            }
        }
    )*};
}

words! { u32 u64 }

/// The `size` bytes at `p`, which is not aligned, out of the aligned words that hold the first and the last of them. More
/// bytes may follow in the result.
///
/// # Safety
/// As for [`Unit`]; `size` is not above that of `W`. The words are in what is allocated for the memory because of the alignment
/// and size of that.
#[cold]
#[inline(always)]
unsafe fn join<W: Word>(p: *const u8, size: usize) -> W {
    let word = |byte: usize| {
        p.map_addr(|p| p.wrapping_add(byte) & !(size_of::<W>() - 1))
            .cast::<W>()
    };
    // SAFETY: see above.
    unsafe { W::shift(*word(0), *word(size - 1), p.addr() as u32) }
}

/// Writes what is not aligned.
///
/// # Safety
/// As for [`Unit`].
#[cold]
#[inline(always)]
unsafe fn write_bytes<T>(p: *mut u8, value: T) {
    // SAFETY: the caller's promise.
    unsafe { (*p.cast::<Unaligned<T>>()).0 = value }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All addresses, since processors that take any do not run `join` otherwise.
    #[test]
    fn joined_words_are_the_bytes_at_the_address() {
        let words = [0x0807_0605_0403_0201_u64, 0x100f_0e0d_0c0b_0a09];
        let memory = words.as_ptr().cast::<u8>();
        let byte = |at: usize| u64::from(words[at / 8].to_le_bytes()[at % 8]);
        let bytes = |at, size| (0..size).fold(0, |sum, i| sum | byte(at + i) << (8 * i));
        for at in 0..=12 {
            // SAFETY: the bytes are within `words`, which is aligned to 8.
            unsafe {
                let p = memory.add(at);
                assert_eq!(u64::from(join::<u32>(p, 4)), bytes(at, 4), "u32 at {at}");
                assert_eq!(u64::from(join::<u64>(p, 4) as u32), bytes(at, 4), "{at}");
                if at <= 8 {
                    assert_eq!(join::<u64>(p, 8), bytes(at, 8), "u64 at {at}");
                }
            }
        }
    }

    #[test]
    fn what_is_written_in_bytes_is_read() {
        let mut words = [0_u64; 3];
        let memory = words.as_mut_ptr().cast::<u8>();
        for at in 0..=16 {
            let value = 0x0102_0304_0506_0708_u64.rotate_left(at as u32 * 4);
            // SAFETY: the bytes are within `words`, which is aligned to 8.
            unsafe {
                write_bytes(memory.add(at), value);
                assert_eq!(u64::read(memory.add(at)), value, "at {at}");
                write_bytes(memory.add(at), value as u32);
                assert_eq!(u32::read(memory.add(at)), value as u32, "at {at}");
                assert_eq!(i32::read(memory.add(at)), value as i32, "at {at}");
                assert_eq!(read_extended(memory.add(at)), value & 0xffff_ffff);
            }
        }
    }
}
