//! Text with std: numbers and tables formatted, floats printed and read back, lines split, words counted and sorted,
//! cases changed, characters reversed.

use std::fmt::Write;

use programs::{Noise, Sum, amount};

#[derive(Debug, Clone)]
#[allow(dead_code, reason = "read by its Debug form")]
struct Reading {
    station: u16,
    name: String,
    values: Vec<f64>,
    ok: Option<bool>,
}

fn main() {
    let times = amount(250);
    let (mut noise, mut sum) = (Noise::new(), Sum::new());
    let mut text = String::new();
    for _ in 0..times {
        text.clear();
        for i in 0..60u32 {
            let reading = Reading {
                station: noise.below(9000) as u16,
                name: ["Āwash", "Tana", "Bale", "Simien", "Gonder"][noise.below(5) as usize].to_owned(),
                values: (0..4).map(|_| f64::from(noise.next() >> 7) / 1024.0).collect(),
                ok: (i % 5 != 0).then_some(i % 2 == 0),
            };
            let _ = writeln!(text, "{reading:?}");
            let _ = writeln!(
                text,
                "{:>6}|{:<10}|{:^12.3}|{:+e}|{:#010x}",
                reading.station,
                reading.name,
                reading.values[0],
                reading.values[1],
                i * 77
            );
        }
        let mut total = 0.0;
        let mut words: Vec<&str> = Vec::new();
        for line in text.lines() {
            for part in line.split(['|', ' ', ',', '[', ']', '{', '}', ':']) {
                let part = part.trim();
                if let Ok(value) = part.parse::<f64>() {
                    total += value;
                } else if !part.is_empty() {
                    words.push(part);
                }
            }
        }
        words.sort_by(|a, b| a.len().cmp(&b.len()).then(b.cmp(a)));
        sum.number(words.len() as u64);
        words.dedup();
        let joined = words.join("-").to_uppercase();
        let backwards: String = joined.chars().rev().filter(|c| !c.is_numeric()).collect();
        sum.add(backwards.replace("NOT", "no").as_bytes());
        sum.add(format!("{total:.6}").as_bytes());
        sum.number(text.char_indices().filter(|(_, c)| c.is_uppercase()).count() as u64);
        sum.number(text.bytes().rev().position(|b| b == b'#').unwrap_or(text.len()) as u64);
    }
    println!("format {times}: {:016x}", sum.0);
}
