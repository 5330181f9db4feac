//! Memory from C's allocator: for vectors, whose storage C may see, and for all of Rust where there is no std.

use core::{alloc::Layout, ffi::c_void, ptr::NonNull};

unsafe extern "C" {
    fn calloc(count: usize, size: usize) -> *mut c_void;
    fn free(memory: *mut c_void);
}

/// Zeroed room for `count` values, or the end of the program. `T` has an alignment that C knows, and zeros are a value
/// of it.
pub(crate) fn zeroed<T>(count: usize) -> NonNull<T> {
    // SAFETY: `calloc` takes any numbers, and checks their product.
    let memory = unsafe { calloc(count, size_of::<T>()) };
    NonNull::new(memory.cast()).unwrap_or_else(|| {
        let layout = Layout::array::<T>(count).unwrap_or(Layout::new::<T>());
        alloc::alloc::handle_alloc_error(layout)
    })
}

/// Gives back what [`zeroed`] gave.
///
/// # Safety
/// Nobody uses it any more.
pub(crate) unsafe fn release<T>(memory: *mut T) {
    // SAFETY: it is from `calloc`, and the caller promises the rest.
    unsafe { free(memory.cast()) }
}

/// What Rust wants of a program without std: an allocator, and an end for panics.
#[cfg(not(feature = "std"))]
mod bare {
    use core::{
        alloc::{GlobalAlloc, Layout},
        ffi::c_void,
        ptr,
    };

    unsafe extern "C" {
        fn malloc(size: usize) -> *mut c_void;
        fn abort() -> !;
    }

    struct Malloc;

    /// What any `malloc` aligns to.
    const ALIGN: usize = align_of::<u64>();

    // SAFETY: what is given out is from `malloc`, and apart from everything else; `dealloc` finds its start again.
    unsafe impl GlobalAlloc for Malloc {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            if layout.align() <= ALIGN {
                // SAFETY: `malloc` takes any size.
                return unsafe { malloc(layout.size()) }.cast();
            }
            // Room for the alignment, and in front of the result for the address that `malloc` gave.
            let extra = layout.align() + size_of::<*mut u8>();
            let Some(size) = layout.size().checked_add(extra) else {
                return ptr::null_mut();
            };
            // SAFETY: as above.
            let start: *mut u8 = unsafe { malloc(size) }.cast();
            if start.is_null() {
                return start;
            }
            let aligned = start.map_addr(|at| (at + extra) & !(layout.align() - 1));
            // SAFETY: between `start` and `aligned` is at least the room of an address, and `aligned` is aligned to
            // more than that.
            unsafe { aligned.cast::<*mut u8>().sub(1).write(start) };
            aligned
        }

        unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
            // SAFETY: `memory` is from `alloc` with this layout, which says how it was made.
            unsafe {
                let start = if layout.align() <= ALIGN {
                    memory
                } else {
                    memory.cast::<*mut u8>().sub(1).read()
                };
                super::free(start.cast());
            }
        }
    }

    #[global_allocator]
    static ALLOCATOR: Malloc = Malloc;

    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        // SAFETY: it may be called anywhere.
        unsafe { abort() }
    }
}
