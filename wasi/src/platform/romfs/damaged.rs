//! Thousands of images that are damaged in all ways: whatever is asked of them, an answer or an error comes
//! back, and soon.

use std::vec::Vec;

use super::{
    HEADER, RomDir,
    tests::{GENROMFS, fix, fix_header, headers, image, number, set},
};
use crate::platform::{
    Dir, OpenOptions, Opened,
    suite::{READ, read},
};

/// Numbers that look random, the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }
}

/// Damages an image in a few places, and makes some of its checksums right again.
fn damage(random: &mut Random, image: &mut Vec<u8>, headers: &[usize]) {
    for _ in 0..=random.below(3) {
        let header = headers[random.below(headers.len())];
        match random.below(8) {
            0 => {
                let at = random.below(image.len());
                image[at] = random.below(256) as u8;
            }
            // A field of a header: another header, or anything, with the type that it may have had.
            1..=4 => {
                let field = header + 4 * random.below(3);
                let value = match random.below(3) {
                    0 => headers[random.below(headers.len())],
                    1 => random.below(2 * image.len()),
                    _ => random.below(1 << 32),
                };
                let low = [value & 15, number(image, field) & 15];
                set(image, field, value & !15 | low[random.below(2)]);
            }
            5 => {
                let at = header + HEADER + random.below(20);
                image[at] = [0, b'/', b'.', b'f'][random.below(4)];
            }
            6 => {
                let len = image.len();
                set(image, 8, random.below(len + 64));
            }
            _ => {
                image.truncate(random.below(image.len()).max(64));
                let len = image.len();
                set(image, 8, len);
                image.resize(len.max(4096), 0);
            }
        }
        if random.below(4) != 0 && image[header + HEADER..].iter().take(256).any(|b| *b == 0) {
            fix_header(image, header);
        }
    }
    if random.below(8) != 0 {
        fix(image);
    }
}

/// Uses all that can be found in an image, and counts answers and errors.
fn explore(dir: &RomDir, depth: usize, most: usize, counts: &mut [usize; 2]) {
    let mut count = |ok: bool| counts[usize::from(!ok)] += 1;
    let mut found = Vec::new();
    let listing = dir.list(0, 4096, &mut |entry| {
        found.push((entry.name.to_vec(), entry.filetype));
        true
    });
    count(listing.is_ok());
    assert!(found.len() <= most, "{} entries", found.len());
    let mut inner = Vec::new();
    for (name, _) in found {
        for follow in [false, true] {
            count(dir.filestat_at(&name, follow).is_ok());
            let how = OpenOptions { follow, ..READ };
            let opened = dir.open(&name, how);
            count(opened.is_ok());
            match opened {
                Ok(Opened::File(file)) => {
                    let bytes = read(&*file, 64, Some(0)).unwrap();
                    let size = file.filestat().unwrap().size;
                    assert_eq!(bytes.len() as u64, size.min(64));
                }
                Ok(Opened::Dir(_)) if follow && name != b"." && name != b".." => {
                    inner.push(dir.dir(&name).unwrap());
                }
                _ => {}
            }
        }
        count(dir.readlink(&name, &mut [0; 100]).is_ok());
    }
    count(dir.contents("no such name").is_ok());
    if depth > 0 {
        for dir in inner {
            explore(&dir, depth - 1, most, counts);
        }
    }
}

#[test]
fn damaged_images_do_no_harm() {
    let mut random = Random(0x5eed_0001);
    let (mut refused, mut counts) = (0, [0; 2]);
    for good in [image(), GENROMFS.to_vec()] {
        let headers = headers(&good);
        assert!(headers.len() > 10);
        for _ in 0..5_000 {
            let mut image = good.clone();
            image.resize(4096, 0);
            damage(&mut random, &mut image, &headers);
            let most = image.len() / 16;
            match RomDir::from_owner(image) {
                Ok(tree) => explore(&tree, 2, most, &mut counts),
                Err(_) => refused += 1,
            }
        }
    }
    // It has seen something of all kinds.
    assert!(refused > 100, "{refused}");
    assert!(counts.iter().all(|count| *count > 10_000), "{counts:?}");
}
