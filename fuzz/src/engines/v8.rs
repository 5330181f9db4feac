//! V8, by way of `node`: the judge where teff and wasmi differ. It is slow to ask, as it is another process.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::{Deserialize, Serialize};
use wasmparser::types::EntityType;
use wasmparser::{Parser, Payload, ValType, Validator, WasmFeatures};

use crate::outcome::{Ending, Outcome, RESET, ROUNDS, Type, argument};

/// The other half of this file.
const SCRIPT: &str = include_str!("v8.js");

/// What V8 says to an outcome.
pub(crate) enum Verdict {
    /// The same, or nothing: it ran out of stack.
    NoObjection,
    /// Something else; the text says what.
    Objection(String),
    /// It could not be asked, for this reason.
    Unavailable(String),
}

/// V8, in a process that starts when it is first asked.
#[derive(Default)]
pub(crate) struct V8 {
    node: Option<Node>,
}

struct Node {
    child: Child,
    queries: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to do about either failing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A module and all that V8 shall do with it. Exports go by their index, which no name can confuse.
#[derive(Serialize)]
struct Query {
    wasm: String,
    reset: Option<usize>,
    functions: Vec<Function>,
    globals: Vec<Global>,
    memory: Option<usize>,
}

#[derive(Serialize)]
struct Function {
    #[serde(skip)]
    name: String,
    index: usize,
    parameters: Vec<Type>,
    results: Vec<Type>,
    /// The arguments of each call, as hexadecimal bits.
    rounds: Vec<Vec<String>>,
}

#[derive(Serialize)]
struct Global {
    #[serde(skip)]
    name: String,
    index: usize,
    #[serde(rename = "type")]
    ty: Type,
}

#[derive(Deserialize)]
struct Answer {
    start: V8Ending,
    calls: Vec<V8Ending>,
    globals: Vec<String>,
    memory: Vec<String>,
    exhausted: bool,
}

#[derive(Deserialize, Debug)]
#[serde(rename_all = "lowercase")]
enum V8Ending {
    Returned(Vec<String>),
    Trapped(String),
}

impl V8 {
    /// Says whether V8 agrees with what `got` says of the module.
    pub(crate) fn judge(&mut self, wasm: &[u8], got: &Outcome) -> Verdict {
        let query = match query(wasm) {
            Ok(query) => query,
            Err(error) => return Verdict::Unavailable(format!("the module is not valid: {error}")),
        };
        match self.ask(&query) {
            Ok(answer) => match objection(&answer, got) {
                None => Verdict::NoObjection,
                Some(text) => Verdict::Objection(text),
            },
            Err(error) => {
                // The next question goes to a new process.
                self.node = None;
                Verdict::Unavailable(match error.kind() {
                    ErrorKind::NotFound => "there is no command `node`".to_owned(),
                    _ => format!("`node` failed: {error}"),
                })
            }
        }
    }

    fn ask(&mut self, query: &Query) -> std::io::Result<Answer> {
        let node = match &mut self.node {
            Some(node) => node,
            none => none.insert(Node::start()?),
        };
        let mut line = serde_json::to_string(query)?;
        line.push('\n');
        node.queries.write_all(line.as_bytes())?;
        line.clear();
        if node.answers.read_line(&mut line)? == 0 {
            return Err(std::io::Error::other(
                "it ended in the middle of a module; see its output",
            ));
        }
        Ok(serde_json::from_str(&line)?)
    }
}

impl Node {
    fn start() -> std::io::Result<Self> {
        let mut child = Command::new("node")
            .args(["--stack-size=3000", "-e", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(queries), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(std::io::Error::other("no pipes to it"));
        };
        Ok(Self {
            child,
            queries,
            answers: BufReader::new(answers),
        })
    }
}

/// What to ask about this module: functions and globals in the order of their names, as outcomes have them.
fn query(wasm: &[u8]) -> wasmparser::Result<Query> {
    let types = Validator::new_with_features(WasmFeatures::all()).validate_all(wasm)?;
    let types = types.as_ref();
    let mut query = Query {
        wasm: wasm.iter().map(|byte| format!("{byte:02x}")).collect(),
        reset: None,
        functions: Vec::new(),
        globals: Vec::new(),
        memory: None,
    };
    let mut exports = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        if let Payload::ExportSection(section) = payload? {
            exports = section.into_iter().collect::<wasmparser::Result<_>>()?;
        }
    }
    for (index, export) in exports.iter().enumerate() {
        let name = export.name.to_owned();
        match types.entity_type_from_export(export) {
            Some(EntityType::Func(_) | EntityType::FuncExact(_)) if name == RESET => {
                query.reset = Some(index)
            }
            Some(EntityType::Func(id) | EntityType::FuncExact(id)) => {
                let ty = types[id].unwrap_func();
                let parameters: Vec<Type> = ty.params().iter().map(type_of).collect();
                query.functions.push(Function {
                    name,
                    index,
                    rounds: rounds(&parameters),
                    parameters,
                    results: ty.results().iter().map(type_of).collect(),
                });
            }
            Some(EntityType::Global(ty)) => query.globals.push(Global {
                name,
                index,
                ty: type_of(&ty.content_type),
            }),
            Some(EntityType::Memory(_)) => query.memory = Some(index),
            _ => {}
        }
    }
    query.functions.sort_by(|a, b| a.name.cmp(&b.name));
    query.globals.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(query)
}

fn rounds(parameters: &[Type]) -> Vec<Vec<String>> {
    let hexadecimal = |round, index, ty: &Type| format!("{:x}", argument(*ty, round, index));
    (0..ROUNDS)
        .map(|round| {
            let arguments = parameters.iter().enumerate();
            arguments
                .map(|(index, ty)| hexadecimal(round, index, ty))
                .collect()
        })
        .collect()
}

fn type_of(ty: &ValType) -> Type {
    match ty {
        ValType::I32 => Type::I32,
        ValType::I64 => Type::I64,
        ValType::F32 => Type::F32,
        ValType::F64 => Type::F64,
        _ => Type::Reference,
    }
}

/// The first thing that V8 saw and `got` does not have.
fn objection(answer: &Answer, got: &Outcome) -> Option<String> {
    if answer.exhausted || got.exhausted {
        return None;
    }
    if !same_ending(&answer.start, &got.start) {
        return Some(format!(
            "start: V8 {:x?}, not {:x?}",
            answer.start, got.start
        ));
    }
    if answer.calls.len() != got.calls.len() {
        return Some(format!("V8 made {} calls", answer.calls.len()));
    }
    for (theirs, (name, ours)) in answer.calls.iter().zip(&got.calls) {
        if !same_ending(theirs, ours) {
            return Some(format!("{name}: V8 {theirs:x?}, not {ours:x?}"));
        }
    }
    for (theirs, (name, ours)) in answer.globals.iter().zip(&got.globals) {
        if !same_bits(theirs, *ours) {
            return Some(format!("global {name}: V8 {theirs}, not {ours:x}"));
        }
    }
    if answer.memory.len() != got.memory.len() {
        return Some(format!("V8 has {} blocks of memory", answer.memory.len()));
    }
    for (block, (theirs, ours)) in answer.memory.iter().zip(&got.memory).enumerate() {
        if !same_bits(theirs, *ours) {
            return Some(format!("block {block} of memory differs from V8's"));
        }
    }
    None
}

fn same_ending(theirs: &V8Ending, ours: &Ending) -> bool {
    match (theirs, ours) {
        (V8Ending::Returned(theirs), Ending::Returned(ours)) => {
            theirs.len() == ours.len() && theirs.iter().zip(ours).all(|(t, o)| same_bits(t, *o))
        }
        (V8Ending::Trapped(theirs), Ending::Trapped(ours)) => match theirs.as_str() {
            "truncation" => matches!(&**ours, "IntegerOverflow" | "BadConversionToInteger"),
            "signature" => matches!(&**ours, "BadSignature" | "IndirectCallToNull"),
            class => class == ours,
        },
        _ => false,
    }
}

/// JavaScript does not show the bits of a NaN, so any is the same as any.
fn same_bits(theirs: &str, ours: u64) -> bool {
    match theirs {
        "nan32" => f32::from_bits(ours as u32).is_nan(),
        "nan64" => f64::from_bits(ours).is_nan(),
        bits => u64::from_str_radix(bits, 16) == Ok(ours),
    }
}
