//! The table, as Markdown, and the goals of the shim.

use std::fs;
use std::time::Duration;

use teff_shim_tests::Node;

use crate::memory::Memory;
use crate::runtimes::Runtime;
use crate::{Costs, Times};

/// Prints everything; says if all goals are met.
pub(crate) fn print(node: &Node, pods: usize, runtimes: &[&Runtime], costs: &[Costs]) -> bool {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<&str> = load.split(' ').take(3).collect();
    println!(
        "{pods} pods of each runtime, containerd {}, load at the end {}\n",
        node.version,
        load.join(" ")
    );
    let names = runtimes.iter().map(|runtime| runtime.name);
    println!("| of a pod | {} |", names.collect::<Vec<_>>().join(" | "));
    println!("|---|{}", "--:|".repeat(runtimes.len()));
    let row = |what: &str, value: &dyn Fn(&Costs) -> String| {
        let values = costs.iter().map(value).collect::<Vec<_>>();
        println!("| {what} | {} |", values.join(" | "));
    };
    row("processes", &|it| tenths(it, |memory| memory.processes));
    row("threads", &|it| tenths(it, |memory| memory.threads));
    row("RSS, sum, KiB", &|it| whole(it, |memory| memory.rss));
    row("PSS, sum, KiB", &|it| whole(it, |memory| memory.pss));
    row("private memory, KiB", &|it| {
        whole(it, |memory| memory.private)
    });
    type Part = fn(&Costs) -> &Times;
    let networks: [(&str, Part); 2] = [
        ("node's network", |it| &it.host),
        ("own network", |it| &it.cni),
    ];
    for (network, times) in networks {
        row(&format!("start, {network}: median, least, ms"), &|it| {
            range(&times(it).start)
        });
        row(&format!("stop, {network}: median, least, ms"), &|it| {
            range(&times(it).stop)
        });
    }
    let sizes = runtimes.iter().map(|runtime| size(node, runtime));
    println!(
        "| programs on the node, bytes | {} |",
        sizes.collect::<Vec<_>>().join(" | ")
    );
    println!();
    goals(node, runtimes, costs)
}

/// How far each goal is met.
fn goals(node: &Node, runtimes: &[&Runtime], costs: &[Costs]) -> bool {
    let of = |handler| {
        let n = runtimes
            .iter()
            .position(|runtime| runtime.handler == handler);
        &costs[n.expect("teff and runc are always compared")]
    };
    let (teff, runc) = (of("teff"), of("runc"));
    let ahead = |times: fn(&Costs) -> &Times| {
        median(&times(runc).start).as_secs_f64() / median(&times(teff).start).as_secs_f64()
    };
    let program = node
        .find("containerd-shim-teff-v1")
        .and_then(|path| fs::metadata(path).map_err(|e| e.to_string()))
        .map_or(f64::INFINITY, |file| file.len() as f64);
    let at_most = |what: &str, value: f64, limit: f64| {
        let met = value <= limit;
        println!("{}: {what}: {value:.2}, at most {limit}", word(met));
        met
    };
    let at_least = |what: &str, value: f64, limit: f64| {
        let met = value >= limit;
        println!("{}: {what}: {value:.2}, at least {limit}", word(met));
        met
    };
    let all = [
        at_most("processes", mean(teff, |memory| memory.processes), 2.0),
        at_most("threads", mean(teff, |memory| memory.threads), 6.0),
        at_most("PSS, KiB", mean(teff, |memory| memory.pss), 900.0),
        at_most("size of the shim, bytes", program, 2_500_000.0),
        at_least(
            "runc's start by teff's, node's network",
            ahead(|it| &it.host),
            2.0,
        ),
        at_least(
            "runc's start by teff's, own network",
            ahead(|it| &it.cni),
            1.0,
        ),
    ];
    all.iter().all(|met| *met)
}

fn word(met: bool) -> &'static str {
    match met {
        true => "met",
        false => "NOT MET",
    }
}

fn mean(costs: &Costs, of: impl Fn(&Memory) -> u64) -> f64 {
    let sum: u64 = costs.memory.iter().map(of).sum();
    sum as f64 / costs.memory.len() as f64
}

fn tenths(costs: &Costs, of: impl Fn(&Memory) -> u64) -> String {
    format!("{:.1}", mean(costs, of))
}

fn whole(costs: &Costs, of: impl Fn(&Memory) -> u64) -> String {
    format!("{:.0}", mean(costs, of))
}

fn median(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort();
    sorted[sorted.len() / 2]
}

fn range(times: &[Duration]) -> String {
    let least = times.iter().min().copied().unwrap_or_default();
    format!("{}, {}", median(times).as_millis(), least.as_millis())
}

/// The sizes of a runtime's programs.
fn size(node: &Node, runtime: &Runtime) -> String {
    let sizes = runtime.programs.iter().map(|program| {
        let file = node
            .find(program)
            .ok()
            .and_then(|path| fs::metadata(path).ok());
        file.map_or("unknown".into(), |file| file.len().to_string())
    });
    sizes.collect::<Vec<_>>().join(" + ")
}
