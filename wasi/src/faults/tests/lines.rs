//! The words that faults are asked for with, and what a line does to what passes it.

use std::{time::Duration, vec::Vec};

use super::{
    super::{
        CERTAIN, Faults,
        line::{Fate, Line, RETRANSMISSION},
    },
    world::MS,
};

#[test]
fn words_are_read() {
    let all = "loss=1%,delay=50ms,jitter=10ms,reset=0.1%,bandwidth=64K,seed=42";
    let faults = Faults::new()
        .loss(0.01)
        .delay(Duration::from_millis(50))
        .jitter(Duration::from_millis(10))
        .reset(0.001)
        .bandwidth(65536)
        .seed(42);
    assert_eq!(Faults::parse(all), Ok(faults));
    for (one, other) in [
        (" delay = 2 s , seed=0 ", "delay=2000ms"),
        ("loss=0.25", "loss=25%"),
        ("loss=0%", "reset=0"),
        ("jitter=0.5ms", "jitter=500us"),
        ("bandwidth=1.5K", "bandwidth=1536"),
        ("bandwidth=2M", "bandwidth=2048K"),
    ] {
        assert_eq!(Faults::parse(one), Faults::parse(other));
        assert!(Faults::parse(one).is_ok(), "{one}");
    }
    assert_eq!(Faults::parse("loss=100%").unwrap().loss, CERTAIN);
}

#[test]
fn what_is_wrong_is_named() {
    for (words, named) in [
        ("", "`NAME=VALUE`"),
        ("loss", "and not `loss`"),
        ("loss=1%,", "and not ``"),
        ("lost=1%", "no network fault `lost`"),
        ("seed=1,seed=2", "`seed` is given twice"),
        ("loss=101%", "`101%`"),
        ("loss=-1%", "`-1%`"),
        ("loss=nan", "`nan`"),
        ("loss=1.5", "`1.5`"),
        ("loss=", "percentage"),
        ("delay=50", "`50`"),
        ("delay=1e3ms", "`1e3ms`"),
        ("delay=2h", "such as `50ms`"),
        ("jitter=99999999999999999999s", "at most 3600s"),
        ("bandwidth=0", "at least 1"),
        ("bandwidth=64KB", "`64KB`"),
        ("bandwidth=99999999999G", "`99999999999G`"),
        ("seed=x", "a whole number"),
        ("seed=18446744073709551616", "a whole number"),
    ] {
        let error = Faults::parse(words).unwrap_err();
        assert!(error.contains(named), "{words}: {error}");
    }
}

#[test]
fn a_line_does_what_it_was_told() {
    let faults = Faults::parse("delay=50ms,jitter=10ms,bandwidth=1000,seed=7").unwrap();
    let mut line = Line::new(faults, false, 1);
    let (mut least, mut most) = (u64::MAX, 0);
    for piece in 1..=1000 {
        // 10 bytes take 10 ms.
        let Fate::Arrives(time) = line.pass(0, 10) else {
            panic!("nothing is lost here");
        };
        let delay = time - piece * 10 * MS;
        (least, most) = (least.min(delay), most.max(delay));
    }
    assert!((40 * MS..41 * MS).contains(&least), "{least}");
    assert!((59 * MS..=60 * MS).contains(&most), "{most}");
    // It was free in between.
    assert!(matches!(line.pass(60_000 * MS, 10), Fate::Arrives(time) if time <= 60_070 * MS));
    // On a stream nothing is overtaken.
    let mut line = Line::new(faults.bandwidth(u64::MAX), true, 1);
    let mut before = 0;
    for now in 0..1000 {
        let Fate::Arrives(time) = line.pass(now * MS, 10) else {
            panic!("nothing is lost here");
        };
        assert!(time >= before && time >= (now + 40) * MS);
        before = time;
    }
    assert!(line.end(0) >= before);
}

#[test]
fn as_many_are_lost_as_were_asked_for() {
    let faults = Faults::parse("loss=1%,reset=0.1%,seed=1").unwrap();
    let mut datagrams = Line::new(faults, false, 0);
    let lost = (0..100_000).filter(|_| datagrams.pass(0, 1) == Fate::Lost);
    let lost = lost.count();
    assert!((900..1100).contains(&lost), "{lost}");
    let mut stream = Line::new(faults, true, 0);
    let (mut late, mut broken) = (0, 0);
    for second in 0..100_000 {
        let now = second * 1000 * MS;
        match stream.pass(now, 1) {
            Fate::Arrives(time) if time == now => {}
            Fate::Arrives(time) => {
                assert_eq!(time, now + RETRANSMISSION);
                late += 1;
            }
            Fate::Breaks(_) => broken += 1,
            Fate::Lost => panic!("a stream loses nothing"),
        }
    }
    assert!((900..1100).contains(&late), "{late}");
    assert!((70..130).contains(&broken), "{broken}");
}

const PINNED: [u64; 3] = [87_811_055, 87_811_055, 91_130_858];

#[test]
fn the_seed_decides() {
    let course = |words: &str, number| -> Vec<_> {
        let mut line = Line::new(Faults::parse(words).unwrap(), true, number);
        (0..100).map(|now| line.pass(now * MS, 10)).collect()
    };
    let words = "loss=10%,jitter=5ms,seed=42";
    assert_eq!(course(words, 3), course(words, 3));
    assert_ne!(course(words, 3), course(words, 4));
    assert_ne!(course(words, 3), course("loss=10%,jitter=5ms,seed=43", 3));
    // These are the numbers that were chosen, and a change of the generator is to be noticed: who has
    // written down a seed wants the same course again.
    let first: Vec<_> = course("delay=50ms,jitter=50ms,seed=42", 0)[..3].to_vec();
    assert_eq!(
        first,
        PINNED.map(Fate::Arrives),
        "the course of events of a seed has changed"
    );
}
