//! The first program once more, in Rust with `std`: greets, says what it was given, counts letters in a hash map.
//!
//!   teff run examples/hello-rust.wasm
//!   teff run --env LANG=rw examples/hello-rust.wasm Ada Grace

use std::collections::{BTreeMap, HashMap};
use std::env;
use std::time::Instant;

fn main() {
    let names: Vec<String> = env::args().skip(1).collect();
    match names.split_last() {
        None => println!("Hello, world! Welcome to teff."),
        Some((only, [])) => println!("Hello, {only}! Welcome to teff."),
        Some((last, others)) => println!("Hello, {} and {last}! Welcome to teff.", others.join(", ")),
    }
    println!("I am a small Rust program, and I have a standard library.");

    // In order: the order of the host's list is nobody's business.
    let variables: BTreeMap<String, String> = env::vars().collect();
    println!("Environment: {} variables", variables.len());
    for (name, value) in &variables {
        println!("  {name} is {value:?}");
    }

    // The map hashes with random keys; what it counts does not depend on them.
    let start = Instant::now();
    let mut letters: HashMap<char, usize> = HashMap::new();
    for letter in names.iter().flat_map(|name| name.chars()) {
        *letters.entry(letter).or_default() += 1;
    }
    let most = letters.into_iter().max_by_key(|(letter, count)| (*count, *letter));
    if let Some((letter, count)) = most {
        println!("The letter {letter:?} is in your names most often: {count} times.");
    }
    assert!(start.elapsed().as_secs() < 3600, "a clock that runs");
}
