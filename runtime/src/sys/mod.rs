//! What the operating system gives, or `alloc` where there is none. Nothing here knows WebAssembly.

// Miri has no address space to reserve.
#[cfg(all(feature = "std", unix, not(miri)))]
#[path = "pages_mmap.rs"]
mod pages;
#[cfg(not(all(feature = "std", unix, not(miri))))]
#[path = "pages_alloc.rs"]
mod pages;

#[cfg(all(feature = "std", unix))]
mod file;
#[cfg(feature = "compile")]
pub(crate) mod parallel;

#[cfg(all(feature = "std", unix))]
pub(crate) use file::FileMap;
pub(crate) use pages::Pages;

/// The system has no more memory.
#[derive(Copy, Clone, Debug)]
pub(crate) struct OutOfMemory;

#[cfg(test)]
mod tests {
    use super::Pages;

    fn bytes(pages: &mut Pages) -> &mut [u8] {
        // SAFETY: `base` is valid for `len` bytes, and the borrow of `pages` excludes others.
        unsafe { core::slice::from_raw_parts_mut(pages.base(), pages.len()) }
    }

    #[test]
    fn growth_keeps_contents_and_zeroes_the_rest() {
        // Within the reserve, and beyond it.
        for reserve in [0, 64 << 10, 1 << 20] {
            let mut pages = Pages::new(64 << 10, reserve).unwrap();
            assert!(bytes(&mut pages).iter().all(|&byte| byte == 0));
            bytes(&mut pages).fill(7);
            for new_len in [128 << 10, 512 << 10, 2 << 20] {
                let old_len = pages.len();
                pages.grow(new_len).unwrap();
                assert_eq!(pages.len(), new_len);
                let (old, new) = bytes(&mut pages).split_at_mut(old_len);
                assert!(old.iter().all(|&byte| byte == 7));
                assert!(new.iter().all(|&byte| byte == 0));
                new.fill(7);
            }
        }
    }

    #[test]
    fn empty() {
        let mut pages = Pages::new(0, 0).unwrap();
        assert!(bytes(&mut pages).is_empty());
        pages.grow(0).unwrap();
        pages.grow(64 << 10).unwrap();
        bytes(&mut pages).fill(1);
    }

    #[test]
    fn too_much_is_an_error() {
        assert!(Pages::new(isize::MAX as usize & !0xffff, 0).is_err());
        let mut pages = Pages::new(64 << 10, 0).unwrap();
        bytes(&mut pages).fill(3);
        assert!(pages.grow(isize::MAX as usize & !0xffff).is_err());
        assert!(bytes(&mut pages).iter().all(|&byte| byte == 3));
    }
}
