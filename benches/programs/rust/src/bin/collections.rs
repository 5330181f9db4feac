//! The collections of std: HashMap (SipHash) with number and text keys, BTreeMap with ranges, BinaryHeap, VecDeque,
//! and a Vec of boxes.

use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet, VecDeque};
use std::hash::{BuildHasherDefault, DefaultHasher};

use programs::{Noise, Sum, amount};

// std's hasher without its random keys: every run must do the same.
type Map<K, V> = HashMap<K, V, BuildHasherDefault<DefaultHasher>>;
type Set<K> = HashSet<K, BuildHasherDefault<DefaultHasher>>;

fn word(noise: &mut Noise) -> String {
    const PARTS: [&str; 8] = ["ka", "lem", "ti", "ros", "bu", "dan", "e", "shi"];
    (0..1 + noise.below(4))
        .map(|_| PARTS[noise.below(8) as usize])
        .collect()
}

fn maps(noise: &mut Noise, sum: &mut Sum) {
    let mut words: Map<String, u32> = Map::default();
    for _ in 0..4000 {
        *words.entry(word(noise)).or_default() += 1;
    }
    let mut ordered: Vec<_> = words.into_iter().collect();
    ordered.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    for (word, count) in ordered.iter().take(50) {
        sum.add(word.as_bytes());
        sum.number(u64::from(*count));
    }

    let mut numbers: Map<u64, Vec<u32>> = Map::default();
    for i in 0..6000 {
        numbers
            .entry(u64::from(noise.below(700)) << 20)
            .or_default()
            .push(i);
    }
    for key in 0..700u64 {
        if let Some(list) = numbers.get(&(key << 20)) {
            sum.number(list.len() as u64 + u64::from(list[list.len() / 2]));
        }
    }
    numbers.retain(|key, _| key >> 20 & 1 == 0);
    let seen: Set<u32> = (0..3000).map(|_| noise.below(2000)).collect();
    sum.number(numbers.len() as u64 + seen.len() as u64);
}

fn trees(noise: &mut Noise, sum: &mut Sum) {
    let mut tree = BTreeMap::new();
    for i in 0..5000u32 {
        tree.insert((noise.below(1000), i), u64::from(i));
        if i % 3 == 0 {
            let key = (noise.below(1000), 0);
            if let Some((&found, _)) = tree.range(key..).next() {
                tree.remove(&found);
            }
        }
    }
    for low in (0..1000).step_by(50) {
        let part: u64 = tree.range((low, 0)..(low + 50, 0)).map(|(_, v)| v).sum();
        sum.number(part);
    }
}

/// The shortest paths over a grid with weights.
fn paths(noise: &mut Noise, sum: &mut Sum) {
    const SIDE: usize = 48;
    let weights: Vec<u32> = (0..SIDE * SIDE).map(|_| 1 + noise.below(9)).collect();
    let mut best = vec![u32::MAX; SIDE * SIDE];
    let mut open = BinaryHeap::new();
    open.push((std::cmp::Reverse(0), 0usize));
    while let Some((std::cmp::Reverse(cost), at)) = open.pop() {
        if cost >= best[at] {
            continue;
        }
        best[at] = cost;
        let (x, y) = (at % SIDE, at / SIDE);
        let mut visit = |x: usize, y: usize| {
            if x < SIDE && y < SIDE {
                let next = y * SIDE + x;
                open.push((std::cmp::Reverse(cost + weights[next]), next));
            }
        };
        visit(x.wrapping_sub(1), y);
        visit(x + 1, y);
        visit(x, y.wrapping_sub(1));
        visit(x, y + 1);
    }
    sum.number(u64::from(best[SIDE * SIDE - 1]));
    sum.number(best.iter().map(|&cost| u64::from(cost)).sum());
}

fn boxes(noise: &mut Noise, sum: &mut Sum) {
    let mut boxes: Vec<Box<[u64; 3]>> = (0..3000u64)
        .map(|i| Box::new([i, u64::from(noise.next()), i * i]))
        .collect();
    boxes.sort_unstable_by_key(|item| item[1]);
    let mut queue: VecDeque<_> = boxes.into();
    let mut total = 0;
    while let Some(front) = queue.pop_front() {
        total = front[2] ^ (total << 1);
        if front[0] > 8 {
            queue.push_back(Box::new([front[0] / 8, front[1], total]));
        }
    }
    sum.number(total);
}

fn main() {
    let times = amount(30);
    let (mut noise, mut sum) = (Noise::new(), Sum::new());
    for _ in 0..times {
        maps(&mut noise, &mut sum);
        trees(&mut noise, &mut sum);
        paths(&mut noise, &mut sum);
        boxes(&mut noise, &mut sum);
    }
    println!("collections {times}: {:016x}", sum.0);
}
