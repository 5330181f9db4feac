//! What pods cost, beside those of other runtimes on the same containerd, in one run: the table of docs/shim.md.
//! `k3s-shim/tests/side-by-side.sh` builds what it compares, and runs it.
//!
//! ```text
//! main      starts pods in turn, one of each runtime; measures; stops them in turn
//! runtimes  what is compared: images, commands, programs
//! memory    the processes of a pod, and what they take
//! report    the table, and how far the goals are met
//! ```

mod memory;
mod report;
mod runtimes;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use k8s_cri::v1::StopContainerRequest;
use teff_shim_tests::{Node, Pod};

use memory::Memory;
use runtimes::Runtime;

/// What was measured of one runtime.
#[derive(Default)]
struct Costs {
    /// One for each pod.
    memory: Vec<Memory>,
    /// In the node's network.
    host: Times,
    /// In a network of its own, on a bridge.
    cni: Times,
}

/// How long each pod took: sandbox and container made and started; container and sandbox stopped.
#[derive(Default)]
struct Times {
    start: Vec<Duration>,
    stop: Vec<Duration>,
}

fn main() -> ExitCode {
    let pods = match arguments() {
        Ok(pods) => pods,
        Err(why) => {
            eprintln!("side-by-side: {why}");
            return ExitCode::from(2);
        }
    };
    match run(pods) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("side-by-side: {why}");
            ExitCode::from(2)
        }
    }
}

/// How many pods of each runtime.
fn arguments() -> Result<usize, String> {
    let mut arguments = std::env::args().skip(1);
    let pods = match arguments.next() {
        None => return Ok(20),
        Some(number) => number.parse().ok().filter(|number| *number > 0),
    };
    match (pods, arguments.next()) {
        (Some(pods), None) => Ok(pods),
        _ => Err("one argument, the number of pods of each runtime: 20 unless said".into()),
    }
}

/// Measures, prints, and says if all goals are met.
fn run(pods: usize) -> Result<bool, String> {
    let runtimes = runtimes::here();
    let others: Vec<&str> = runtimes
        .iter()
        .filter(|runtime| runtime.extra)
        .map(|runtime| runtime.handler)
        .collect();
    let node = Node::with_runtimes(&others)?;
    runtimes::import(&node)?;
    // Images are unpacked, and programs read from the disk, before anything is timed.
    for runtime in &runtimes {
        drop(start(&node, runtime, "first", true)?);
    }

    let mut costs: Vec<Costs> = runtimes.iter().map(|_| Costs::default()).collect();
    for host in [true, false] {
        let network = if host { "host" } else { "cni" };
        let mut running: Vec<Vec<(Pod<'_>, String)>> =
            runtimes.iter().map(|_| Vec::new()).collect();
        for number in 0..pods {
            // In turn, and each time another one first: what disturbs, disturbs all.
            for turn in 0..runtimes.len() {
                let n = (number + turn) % runtimes.len();
                let name = format!("{network}-{}-{number}", runtimes[n].handler);
                let begin = Instant::now();
                let (pod, container) = start(&node, runtimes[n], &name, host)?;
                costs[n].times(host).start.push(begin.elapsed());
                running[n].push((pod, container));
            }
        }
        if host {
            std::thread::sleep(Duration::from_secs(1));
            for (costs, running) in costs.iter_mut().zip(&running) {
                let all = running.iter().map(|(pod, _)| Memory::of(&node, pod));
                costs.memory = all.collect();
            }
        }
        for _ in 0..pods {
            for n in 0..runtimes.len() {
                let Some((pod, container)) = running[n].pop() else {
                    continue;
                };
                let request = StopContainerRequest {
                    container_id: container,
                    timeout: 10,
                };
                let begin = Instant::now();
                node.cri
                    .call(async |mut cri| cri.stop_container(request).await)?;
                pod.stop()?;
                costs[n].times(host).stop.push(begin.elapsed());
                pod.remove()?;
            }
        }
    }
    Ok(report::print(&node, pods, &runtimes, &costs))
}

impl Costs {
    fn times(&mut self, host: bool) -> &mut Times {
        match host {
            true => &mut self.host,
            false => &mut self.cni,
        }
    }
}

/// A pod with one container that runs: the pod, and the container's id.
fn start<'a>(
    node: &'a Node,
    runtime: &Runtime,
    name: &str,
    host: bool,
) -> Result<(Pod<'a>, String), String> {
    let pod = node.pod(name).handler(runtime.handler);
    let pod = if host { pod.host_network() } else { pod };
    let pod = pod.try_start()?;
    let container = pod.container(runtime.image, runtime.command).try_start()?;
    let id = container.id.clone();
    Ok((pod, id))
}
