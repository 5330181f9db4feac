//! Damaged images of the suite's modules: each gives an error, or is the image that it was.

use std::time::Instant;

use teff_runtime::{CodeForm, Config, Engine, Module};
use teff_spec_tests::pool;
use teff_spec_tests::suite::Suite;

/// Damaged images, unless `TEFF_MUTATIONS` says how many.
const DEFAULT: usize = 20_000;

/// Xorshift: the same numbers in every run.
struct Numbers(u64);

impl Numbers {
    /// Below `bound`.
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }
}

/// Does one to four things to an image that storage and transport might.
fn damage(image: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut damaged = image.to_vec();
    for _ in 0..=numbers.below(4) {
        let len = damaged.len();
        if len < 2 {
            break;
        }
        let at = numbers.below(len);
        let run = 1 + numbers.below((len - at).min(64));
        match numbers.below(8) {
            0 => damaged[at] ^= 1 << numbers.below(8),
            1 => damaged[at] = numbers.below(256) as u8,
            2 => damaged.truncate(at),
            3 => damaged[at..at + run].fill(0),
            4 => damaged[at..at + run].fill(0xff),
            5 => drop(damaged.drain(at..at + run)),
            6 => {
                let piece = damaged[at..at + run].to_vec();
                damaged.splice(at..at, piece);
            }
            _ => {
                let from = numbers.below(len - run + 1);
                damaged.copy_within(from..from + run, at);
            }
        }
    }
    damaged
}

#[test]
fn damaged_images_are_refused() {
    let cases = std::env::var("TEFF_MUTATIONS").map_or(DEFAULT, |cases| {
        cases.parse().expect("TEFF_MUTATIONS is a number of images")
    });
    let mut config = Config::new();
    config.code_form(CodeForm::Compact);
    let engine = Engine::new(&config).unwrap();
    let scripts = pool::load(&Suite::embedded());
    let images: Vec<_> = scripts
        .iter()
        .flat_map(pool::Loaded::modules)
        .filter_map(|binary| engine.precompile_module(binary).ok())
        .filter(|image| image.len() < 64 << 10)
        .collect();
    assert!(images.len() > 1_000, "only {} images", images.len());
    let start = Instant::now();
    let mut numbers = Numbers(0x7eff);
    let mut unchanged = 0;
    for case in 0..cases {
        let image = &images[case % images.len()];
        let damaged = damage(image, &mut numbers);
        // SAFETY: it is an image of `serialize`, or it must be refused; that it is, is what this asserts.
        let loaded = unsafe { Module::deserialize(&engine, &damaged) };
        if damaged == *image {
            unchanged += 1;
            assert!(loaded.is_ok());
        } else {
            assert!(loaded.is_err(), "case {case}: a damaged image is loaded");
        }
    }
    println!(
        "{cases} images, {unchanged} of them as they were: {:?}",
        start.elapsed()
    );
    assert!(unchanged * 10 < cases);
}
