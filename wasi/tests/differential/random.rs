//! Random calls, and random trees for them.

use proptest::{
    collection::vec,
    prelude::*,
    sample::{select, subsequence},
    strategy::{BoxedStrategy, Union},
};

use crate::{
    calls::{Arg, Call, DATA, FUNCTIONS, Fd, Kind, MEMORY, Subscription},
    tree::{self, Node},
};

/// A name. There are few, so that calls meet.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => Just("a"),
        6 => Just("b"),
        4 => Just("c"),
        2 => Just("d"),
        1 => Just("\u{e9}"),
    ]
    .prop_map(String::from)
}

/// A path in the guest's way to write it.
fn path() -> BoxedStrategy<Vec<u8>> {
    let component = prop_oneof![
        20 => name(),
        3 => Just(String::from(".")),
        4 => Just(String::from("..")),
        1 => Just(String::new()),
        1 => prop_oneof![Just(255_usize), Just(256)].prop_map(|len| "n".repeat(len)),
    ];
    let usual = (
        prop_oneof![25 => Just(""), 1 => Just("/"), 1 => Just("../one/"), 1 => Just("../two/")],
        prop_oneof![
            5 => vec(component.clone(), 1),
            4 => vec(component.clone(), 2),
            2 => vec(component, 3..5),
        ],
        prop_oneof![12 => Just(""), 2 => Just("/"), 1 => Just("/."), 1 => Just("//")],
    )
        .prop_map(|(start, components, end)| {
            format!("{start}{}{end}", components.join("/")).into_bytes()
        });
    let special = prop_oneof![
        Just(Vec::new()),
        Just(b"/".to_vec()),
        Just(b".".to_vec()),
        Just(b"..".to_vec()),
        Just(b"a\0b".to_vec()),
        Just(b"a/\0".to_vec()),
        Just(b"\xff".to_vec()),
        Just(b"a/\xc3".to_vec()),
        Just(b"../outside/secret".to_vec()),
        Just(b"a/../../outside".to_vec()),
        Just(b"/etc/hostname".to_vec()),
        Just(b"/proc/self/fd/0".to_vec()),
        Just(b"./".repeat(2047)),
        Just([&b"./".repeat(2047)[..], b"a"].concat()),
        Just([&b"./".repeat(2047)[..], b"aa"].concat()),
        Just(b"a/".repeat(2500)),
    ];
    prop_oneof![20 => usual, 1 => special].boxed()
}

/// An address and a length; mostly in the memory.
fn buffer() -> BoxedStrategy<(u32, u32)> {
    let len = prop_oneof![
        4 => 0_u32..64,
        4 => Just(1024_u32),
        2 => 200_u32..4096,
    ];
    prop_oneof![
        60 => (DATA..DATA + 0x1000, len).prop_map(|(address, len)| (address & !7, len)),
        1 => outside(),
    ]
    .boxed()
}

/// Ranges that are not in the memory, or end in it in an unusual way.
fn outside() -> impl Strategy<Value = (u32, u32)> {
    let end = MEMORY as u32;
    select(vec![
        (end - 8, 8),
        (end - 8, 9),
        (end, 0),
        (end, 1),
        (end + 8, 0),
        (0, end + 1),
        (0xffff_fff8, 8),
        (0xffff_fff8, 0xffff_fff8),
    ])
}

fn size() -> BoxedStrategy<u64> {
    prop_oneof![
        10 => 0_u64..40,
        3 => 0_u64..70_000,
        1 => select(vec![1 << 20, 1 << 33, (1 << 63) - 1, 1 << 63, u64::MAX]),
    ]
    .boxed()
}

fn time() -> BoxedStrategy<u64> {
    let second = 1_000_000_000;
    select(vec![
        0,
        1,
        second + 1,
        500_000_000 * second + 123_456_789,
        4_000_000_000 * second,
        i64::MAX as u64,
        1 << 63,
        u64::MAX,
    ])
    .boxed()
}

fn flags(count: u8) -> BoxedStrategy<u64> {
    let bits: Vec<u64> = (0..count).map(|bit| 1 << bit).collect();
    let none = Just(0_u64);
    let len = bits.len();
    let some = subsequence(bits, 0..=len).prop_map(|bits| bits.into_iter().sum());
    let unknown = select(vec![1_u64 << count, 1 << 16, 0x8000_0000, 0xffff_ffff]);
    prop_oneof![40 => none, 40 => some, 1 => unknown].boxed()
}

/// Rights: mostly those that matter to `path_open`.
fn rights() -> BoxedStrategy<u64> {
    const READ: u64 = 1 << 1;
    const WRITE: u64 = 1 << 6;
    const ALL: u64 = (1 << 30) - 1;
    prop_oneof![
        4 => Just(READ),
        4 => Just(READ | WRITE),
        2 => Just(WRITE),
        1 => Just(0_u64),
        4 => Just(ALL),
        2 => any::<u32>().prop_map(|bits| u64::from(bits) & ALL),
        20 => Just(READ | WRITE),
        1 => Just(1_u64 << 30 | READ),
    ]
    .boxed()
}

fn fd(kind: Kind) -> BoxedStrategy<Fd> {
    let all = any::<u8>().prop_map(Fd::Any);
    let bad = select(vec![4096_u32, 0x7fff_ffff, 0x8000_0000, u32::MAX]).prop_map(Fd::Bad);
    match kind {
        Kind::Dir => {
            // The first two are those that the guest had from its start.
            let preopen = (0_u8..2).prop_map(Fd::Dir);
            let dir = any::<u8>().prop_map(Fd::Dir);
            prop_oneof![20 => preopen, 20 => dir, 1 => all, 1 => bad].boxed()
        }
        Kind::File => {
            // The first three are the standard streams.
            let opened = (3_u8..).prop_map(Fd::File);
            let file = any::<u8>().prop_map(Fd::File);
            prop_oneof![20 => opened, 8 => file, 2 => all, 1 => bad].boxed()
        }
        _ => prop_oneof![30 => all, 1 => bad].boxed(),
    }
}

fn subscription() -> impl Strategy<Value = Subscription> {
    prop_oneof![
        4 => (0_u32..2, select(vec![0_u64, 1, 1000]), 0_u16..2)
            .prop_map(|(id, timeout, flags)| Subscription::Clock { id, timeout, flags }),
        1 => (0_u32..6, Just(0_u64), 0_u16..4)
            .prop_map(|(id, timeout, flags)| Subscription::Clock { id, timeout, flags }),
        4 => fd(Kind::File).prop_map(Subscription::Read),
        4 => fd(Kind::File).prop_map(Subscription::Write),
        1 => (3_u8..).prop_map(Subscription::Unknown),
    ]
}

fn arg(kind: Kind) -> BoxedStrategy<Arg> {
    let range = |(address, len)| Arg::Range(address, len);
    match kind {
        Kind::Fd | Kind::Dir | Kind::File => fd(kind).prop_map(Arg::Fd).boxed(),
        Kind::Path => {
            prop_oneof![80 => path().prop_map(Arg::Path), 1 => outside().prop_map(range)].boxed()
        }
        Kind::Vectors => {
            let vectors = vec(buffer(), 0..4).prop_map(Arg::Vectors);
            prop_oneof![80 => vectors, 1 => outside().prop_map(range)].boxed()
        }
        Kind::Buffer => buffer().prop_map(range).boxed(),
        Kind::Out(address) => {
            let end = MEMORY as u32;
            let others = select(vec![end - 8, end - 1, end, 0xffff_fffc, address + 1]);
            prop_oneof![120 => Just(address), 1 => others]
                .prop_map(|address| Arg::Number(address.into()))
                .boxed()
        }
        Kind::Flags(count) => flags(count).prop_map(Arg::Number).boxed(),
        Kind::Fdflags => {
            let known = select(vec![0_u64, 0, 0, 1, 4, 5]);
            prop_oneof![12 => known, 1 => flags(5)]
                .prop_map(Arg::Number)
                .boxed()
        }
        Kind::Choice(count) => {
            let unknown = select(vec![u64::from(count), 0x100, 0xffff_ffff]);
            prop_oneof![30 => 0..u64::from(count), 1 => unknown]
                .prop_map(Arg::Number)
                .boxed()
        }
        Kind::Rights => rights().prop_map(Arg::Number).boxed(),
        Kind::Fewer => {
            const ALL: u64 = (1 << 30) - 1;
            let one_less = (0_u8..30).prop_map(|bit| ALL & !(1 << bit));
            let any = any::<u64>().prop_map(|bits| bits & ALL);
            prop_oneof![4 => one_less, 2 => any, 1 => Just(0), 1 => Just(ALL)]
                .prop_map(Arg::Number)
                .boxed()
        }
        Kind::Size => size().prop_map(Arg::Number).boxed(),
        Kind::Delta => {
            let edge = select(vec![i64::MIN, i64::MAX, -1]);
            prop_oneof![20 => -50_i64..100, 1 => edge]
                .prop_map(|delta| Arg::Number(delta as u64))
                .boxed()
        }
        Kind::Time => time().prop_map(Arg::Number).boxed(),
        // Others cannot be compared: a cookie means something to the side that gave it.
        Kind::Cookie => Just(Arg::Number(0)).boxed(),
        Kind::Subscriptions => vec(subscription(), 0..4)
            .prop_map(Arg::Subscriptions)
            .boxed(),
    }
}

/// A random call.
pub(crate) fn call() -> impl Strategy<Value = Call> {
    let functions = FUNCTIONS.iter().map(|function| {
        let args: Vec<_> = function.params.iter().map(|param| arg(param.1)).collect();
        let call = args.prop_map(move |args| Call { function, args });
        (function.weight, call.boxed())
    });
    Union::new_weighted(functions.collect())
}

/// A piece of a random tree.
pub(crate) fn node() -> impl Strategy<Value = Node> {
    let place = || {
        let names = prop_oneof![5 => vec(name(), 1), 4 => vec(name(), 2), 2 => vec(name(), 3)];
        (select(vec![tree::ONE, tree::TWO]), names)
            .prop_map(|(root, names)| format!("{root}/{}", names.join("/")))
    };
    let kind = prop_oneof![
        3 => Just(tree::Kind::Dir),
        2 => vec(any::<u8>(), 0..60).prop_map(tree::Kind::File),
        1 => place().prop_map(tree::Kind::Hard),
        3 => path().prop_map(tree::Kind::Link),
    ];
    (place(), kind).prop_map(|(path, kind)| Node { path, kind })
}
