//! What is run: each workload with the amount of work that takes a fast interpreter about half a second.

/// A program, and how to start it.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) program: Program,
}

pub(crate) enum Program {
    /// A module in the text format; its export `run` takes and returns an i32.
    Text { source: &'static str, argument: i32 },
    /// A WASI program in `examples/`, with its arguments.
    Wasi {
        file: &'static str,
        args: &'static [&'static str],
    },
}

const fn kernels(name: &'static str, args: &'static [&'static str]) -> Workload {
    Workload {
        name,
        program: Program::Wasi {
            file: "kernels.wasm",
            args,
        },
    }
}

const fn gotour(name: &'static str, args: &'static [&'static str]) -> Workload {
    Workload {
        name,
        program: Program::Wasi {
            file: "gotour.wasm",
            args,
        },
    }
}

impl Workload {
    pub(crate) const ALL: &[Self] = &[
        Self {
            name: "fib",
            program: Program::Text {
                source: include_str!("../fib.wat"),
                argument: 35,
            },
        },
        kernels("sha256", &["sha256", "8192"]),
        kernels("matmul", &["matmul", "120"]),
        kernels("nbody", &["nbody", "1000000"]),
        // Of the Go runs, the first is mostly start-up: decoding 5 MB and translating what is used of it.
        gotour("go-json", &["json"]),
        gotour("go-gc", &["gc"]),
    ];

    pub(crate) fn named(name: &str) -> Result<&'static Self, String> {
        Self::ALL
            .iter()
            .find(|workload| workload.name == name)
            .ok_or_else(|| format!("no workload is called `{name}`"))
    }
}
