//! Patterns: regular expressions compiled to a small program, matched by simulation of all threads at once and by
//! backtracking, over lines of a log; then the edit distances of the words found.

use programs::{Noise, Sum, amount};

#[derive(Clone, Debug)]
enum Step {
    Byte(u8),
    Any,
    /// One of 256 bits is set for each byte that fits.
    Class(Box<[u64; 4]>),
    Split(usize, usize),
    Jump(usize),
    Match,
}

struct Compiler<'a> {
    pattern: &'a [u8],
    at: usize,
    steps: Vec<Step>,
}

impl Compiler<'_> {
    fn compile(pattern: &str) -> Vec<Step> {
        let mut compiler = Compiler {
            pattern: pattern.as_bytes(),
            at: 0,
            steps: Vec::new(),
        };
        compiler.alternatives();
        compiler.steps.push(Step::Match);
        compiler.steps
    }

    fn peek(&self) -> Option<u8> {
        self.pattern.get(self.at).copied()
    }

    fn alternatives(&mut self) {
        let start = self.steps.len();
        self.sequence();
        if self.peek() == Some(b'|') {
            self.at += 1;
            self.insert(start, Step::Split(start + 1, self.steps.len() + 2));
            let jump = self.steps.len();
            self.steps.push(Step::Jump(0));
            self.alternatives();
            self.steps[jump] = Step::Jump(self.steps.len());
        }
    }

    fn sequence(&mut self) {
        while !matches!(self.peek(), None | Some(b'|' | b')')) {
            let start = self.steps.len();
            self.atom();
            match self.peek() {
                Some(b'*') => {
                    self.at += 1;
                    self.insert(start, Step::Split(start + 1, self.steps.len() + 2));
                    self.steps.push(Step::Jump(start));
                }
                Some(b'+') => {
                    self.at += 1;
                    self.steps.push(Step::Split(start, self.steps.len() + 1));
                }
                Some(b'?') => {
                    self.at += 1;
                    self.insert(start, Step::Split(start + 1, self.steps.len() + 1));
                }
                _ => {}
            }
        }
    }

    fn atom(&mut self) {
        let c = self.pattern[self.at];
        self.at += 1;
        match c {
            b'(' => {
                self.alternatives();
                self.at += 1;
            }
            b'.' => self.steps.push(Step::Any),
            b'[' => {
                let negative = self.peek() == Some(b'^');
                self.at += usize::from(negative);
                let mut set = [0u64; 4];
                while self.pattern[self.at] != b']' {
                    let low = self.pattern[self.at];
                    let range = self.pattern[self.at + 1] == b'-' && self.pattern[self.at + 2] != b']';
                    let high = if range { self.pattern[self.at + 2] } else { low };
                    self.at += if range { 3 } else { 1 };
                    for byte in low..=high {
                        set[usize::from(byte >> 6)] |= 1 << (byte & 63);
                    }
                }
                self.at += 1;
                if negative {
                    set.iter_mut().for_each(|part| *part = !*part);
                }
                self.steps.push(Step::Class(Box::new(set)));
            }
            b'\\' => {
                self.steps.push(Step::Byte(self.pattern[self.at]));
                self.at += 1;
            }
            c => self.steps.push(Step::Byte(c)),
        }
    }

    /// Inserts a step, and moves the targets behind it.
    fn insert(&mut self, at: usize, step: Step) {
        let shift = |target: &mut usize| *target += usize::from(*target >= at);
        for step in &mut self.steps[at..] {
            match step {
                Step::Split(a, b) => {
                    shift(a);
                    shift(b);
                }
                Step::Jump(a) => shift(a),
                _ => {}
            }
        }
        self.steps.insert(at, step);
    }
}

fn fits(step: &Step, byte: u8) -> bool {
    match step {
        Step::Byte(wanted) => *wanted == byte,
        Step::Any => byte != b'\n',
        Step::Class(set) => set[usize::from(byte >> 6)] >> (byte & 63) & 1 != 0,
        _ => false,
    }
}

/// All threads at once: the end of the longest match that begins at the start of the text.
struct Threads {
    now: Vec<usize>,
    then: Vec<usize>,
    seen: Vec<u32>,
    mark: u32,
}

impl Threads {
    fn add(list: &mut Vec<usize>, seen: &mut [u32], mark: u32, steps: &[Step], at: usize) {
        if std::mem::replace(&mut seen[at], mark) == mark {
            return;
        }
        match steps[at] {
            Step::Jump(to) => Self::add(list, seen, mark, steps, to),
            Step::Split(a, b) => {
                Self::add(list, seen, mark, steps, a);
                Self::add(list, seen, mark, steps, b);
            }
            _ => list.push(at),
        }
    }

    fn longest(&mut self, steps: &[Step], text: &[u8]) -> Option<usize> {
        self.seen.resize(steps.len().max(self.seen.len()), 0);
        self.now.clear();
        self.mark += 1;
        Self::add(&mut self.now, &mut self.seen, self.mark, steps, 0);
        let mut found = None;
        for at in 0..=text.len() {
            self.mark += 1;
            self.then.clear();
            for &thread in &self.now {
                match &steps[thread] {
                    Step::Match => found = Some(at),
                    step if text.get(at).is_some_and(|&byte| fits(step, byte)) => {
                        Self::add(&mut self.then, &mut self.seen, self.mark, steps, thread + 1);
                    }
                    _ => {}
                }
            }
            std::mem::swap(&mut self.now, &mut self.then);
            if self.now.is_empty() {
                break;
            }
        }
        found
    }
}

fn backtrack(steps: &[Step], step: usize, text: &[u8], at: usize, fuel: &mut u32) -> Option<usize> {
    *fuel = fuel.checked_sub(1)?;
    match &steps[step] {
        Step::Match => Some(at),
        Step::Jump(to) => backtrack(steps, *to, text, at, fuel),
        Step::Split(a, b) => backtrack(steps, *a, text, at, fuel)
            .or_else(|| backtrack(steps, *b, text, at, fuel)),
        one if text.get(at).is_some_and(|&byte| fits(one, byte)) => {
            backtrack(steps, step + 1, text, at + 1, fuel)
        }
        _ => None,
    }
}

fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let cost = (corner + usize::from(x != y)).min(row[j] + 1).min(row[j + 1] + 1);
            corner = std::mem::replace(&mut row[j + 1], cost);
        }
    }
    row[b.len()]
}

fn main() {
    let times = amount(80);
    let programs: Vec<_> = [
        "[a-z]+@[a-z]+\\.(com|org|et)",
        "[0-9]+\\.[0-9]+\\.[0-9]+\\.[0-9]+",
        "(GET|POST) /[a-z/]*(\\?[a-z]+=[0-9]+)?",
        "error: .*code [0-9]+",
        "(a|b|ab)*c",
        "\"[^\"]*\"",
    ]
    .map(Compiler::compile)
    .into();
    let mut threads = Threads {
        now: Vec::new(),
        then: Vec::new(),
        seen: Vec::new(),
        mark: 0,
    };
    let (mut noise, mut sum) = (Noise::new(), Sum::new());
    for _ in 0..times {
        let mut words: Vec<Vec<u8>> = Vec::new();
        for line in 0..60 {
            let n = noise.next();
            let text = match n % 4 {
                0 => format!("{line} 10.{}.0.{} - GET /teff/grain?size={} \"Mozilla {}\"", n & 255, n >> 24, n >> 9, n % 7),
                1 => format!("{line} mail from abebe@example.com to u{}@addis.et: ababababc", n % 100),
                2 => format!("{line} error: the disk {} is full, code {}", n % 9, n >> 20),
                _ => format!("{line} POST /orders/new \"curl\" tigist@mail.org 192.168.1.{}", n & 127),
            };
            let text = text.as_bytes();
            for steps in &programs {
                let mut at = 0;
                while at < text.len() {
                    let Some(length) = threads.longest(steps, &text[at..]).filter(|&length| length > 0) else {
                        at += 1;
                        continue;
                    };
                    let again = backtrack(steps, 0, &text[at..], 0, &mut 20000).unwrap_or(0);
                    sum.number((at * 1000 + length * 10 + again) as u64);
                    words.push(text[at..at + length].to_vec());
                    at += length;
                }
            }
        }
        for pair in words.windows(3) {
            sum.number((distance(&pair[0], &pair[1]) * 100 + distance(&pair[0], &pair[2])) as u64);
        }
    }
    println!("patterns {times}: {:016x}", sum.0);
}
