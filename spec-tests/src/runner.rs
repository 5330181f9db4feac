//! Runs one script: what each directive does to the state, and what it asserts. Knows teff's public API;
//! knows nothing of `wast`, files, threads or output.

use teff_runtime::{Engine, Module, Result as TeffResult, Trap, Val};

use crate::features::is_wasm3;
use crate::result::{DirectiveResult, Status};
use crate::script::{Action, Command, Invoke, ModuleSource, Script};
use crate::state::{Rules, State, Stop, failed};
use crate::value::{Expected, show};

/// The state of a script, and how its directives are judged.
pub(crate) struct Runner {
    state: State,
    rules: Rules,
}

impl Runner {
    /// With a fresh store.
    pub(crate) fn new(engine: &Engine, rules: Rules) -> TeffResult<Self> {
        Ok(Self {
            state: State::new(engine, rules)?,
            rules,
        })
    }

    /// Runs all directives, and gives each result to `sink` as soon as it is there.
    pub(crate) fn run(&mut self, script: &Script, mut sink: impl FnMut(DirectiveResult)) {
        for directive in &script.directives {
            self.state.start_directive();
            let status = match self.step(&directive.command) {
                Ok(status) => status,
                Err(stop) => self.state.explain_failure(stop).into(),
            };
            let kind = directive.command.kind();
            for _ in 0..directive.command.count() {
                sink(DirectiveResult {
                    line: directive.line,
                    kind,
                    status: status.clone(),
                });
            }
        }
    }

    fn step(&mut self, command: &Command) -> Result<Status, Stop> {
        match command {
            Command::Module { name, module } => {
                let defined = self.state.define(name.as_deref(), module);
                let bound = self.state.bind_instance(name.as_deref(), defined);
                self.passed(module, bound)
            }
            Command::Definition { name, module } => self
                .state
                .define(name.as_deref(), module)
                .map(|_| Status::Passed),
            Command::Instance { name, definition } => {
                let module = self.state.definition(definition.as_deref());
                self.state
                    .bind_instance(name.as_deref(), module)
                    .map(|()| Status::Passed)
            }
            Command::Register { as_name, instance } => self
                .state
                .register(as_name, instance.as_deref())
                .map(|()| Status::Passed),
            Command::Invoke(invoke) => {
                self.invoke(invoke)??;
                Ok(Status::Passed)
            }
            Command::AssertReturn { action, results } => {
                let actual = self.act(action)??;
                self.check_results(results, &actual)
            }
            Command::AssertTrap { action, message } => {
                let outcome = self.act(action)?;
                self.check_trap(
                    outcome,
                    |trap| is_trap_text(message, &trap.to_string()),
                    message,
                )
            }
            Command::AssertExhaustion { call, message } => {
                let outcome = self.invoke(call)?;
                let exhausted = |trap: Trap| {
                    trap == Trap::StackOverflow && trap.to_string().starts_with(message)
                };
                self.check_trap(outcome, exhausted, message)
            }
            Command::AssertException { action } => match self.act(action)? {
                Ok(results) => failed(format!(
                    "expected an exception, got {}",
                    self.show(&results)
                )),
                Err(error) => failed(format!("expected an exception, got: {error}")),
            },
            Command::AssertSuspension { action } => match self.act(action)? {
                Ok(results) => failed(format!(
                    "expected a suspension, got {}",
                    self.show(&results)
                )),
                Err(error) => failed(format!("expected a suspension, got: {error}")),
            },
            Command::AssertInvalid { module, message } => self.check_refused(module, message),
            Command::AssertMalformed { module, message } => self.check_refused(module, message),
            Command::AssertCustom { module, .. } => match module.binary {
                Err(_) => Ok(Status::TextDelegated),
                // Nor may an engine refuse a module for its custom sections (specification, appendix
                // "Custom Sections").
                Ok(_) => Err(Stop::Skipped(
                    "about a custom section that wast and engines ignore",
                )),
            },
            Command::AssertUnlinkable { module, message } => self.check_unlinkable(module, message),
            Command::Thread { .. } | Command::Wait => {
                Err(Stop::Skipped("needs threads: a directive about threads"))
            }
        }
    }

    // Actions.

    fn act(&mut self, action: &Action) -> Result<TeffResult<Vec<Val>>, Stop> {
        match action {
            Action::Invoke(invoke) => self.invoke(invoke),
            Action::Get { instance, global } => {
                let instance = self.state.instance(instance.as_deref())?;
                match instance.get_global(&mut self.state.store, global) {
                    Some(global) => Ok(Ok(vec![global.get(&mut self.state.store)])),
                    None => failed(format!("there is no exported global `{global}`")),
                }
            }
            Action::Instantiate(source) => {
                let instantiated = self.instantiate(source);
                if let Err(stop) = &instantiated {
                    self.state.note_missing(source, stop);
                }
                Ok(instantiated?.map(|()| Vec::new()))
            }
        }
    }

    fn instantiate(&mut self, source: &ModuleSource) -> Result<TeffResult<()>, Stop> {
        let module = self.state.compile(source)?;
        Ok(self.state.instantiate(&module)?.map(drop))
    }

    fn invoke(&mut self, invoke: &Invoke) -> Result<TeffResult<Vec<Val>>, Stop> {
        let instance = self.state.instance(invoke.instance.as_deref())?;
        let Some(func) = instance.get_func(&mut self.state.store, &invoke.function) else {
            return failed(format!(
                "there is no exported function `{}`",
                invoke.function
            ));
        };
        let mut args = Vec::with_capacity(invoke.args.len());
        for arg in &invoke.args {
            args.push(arg.to_val(&mut self.state.store)?);
        }
        let mut results = vec![Val::I32(0); func.ty(&self.state.store).results().len()];
        Ok(func
            .call(&mut self.state.store, &args, &mut results)
            .map(|()| results))
    }

    // Judgements.

    /// The end of a directive about `source` that asserts nothing more.
    fn passed(&mut self, source: &ModuleSource, outcome: Result<(), Stop>) -> Result<Status, Stop> {
        if let Err(stop) = &outcome {
            self.state.note_missing(source, stop);
        }
        outcome.map(|()| Status::Passed)
    }

    fn check_results(&self, expected: &[Expected], actual: &[Val]) -> Result<Status, Stop> {
        let matched = expected.len() == actual.len()
            && expected
                .iter()
                .zip(actual)
                .all(|(e, a)| e.matches(a, &self.state.store));
        if matched {
            return Ok(Status::Passed);
        }
        let expected: Vec<_> = expected.iter().map(Expected::to_string).collect();
        failed(format!(
            "expected [{}], got {}",
            expected.join(", "),
            self.show(actual)
        ))
    }

    fn show(&self, values: &[Val]) -> String {
        let values: Vec<_> = values
            .iter()
            .map(|val| show(val, &self.state.store))
            .collect();
        format!("[{}]", values.join(", "))
    }

    fn check_trap(
        &self,
        outcome: TeffResult<Vec<Val>>,
        is_expected: impl Fn(Trap) -> bool,
        message: &str,
    ) -> Result<Status, Stop> {
        match outcome {
            Ok(results) => failed(format!(
                "expected the trap `{message}`, got {}",
                self.show(&results)
            )),
            Err(error) => match error.downcast_ref::<Trap>() {
                Some(trap) if is_expected(*trap) => Ok(Status::Passed),
                Some(trap) => failed(format!("expected the trap `{message}`, got `{trap}`")),
                None => failed(format!(
                    "expected the trap `{message}`, got the error: {error}"
                )),
            },
        }
    }

    fn check_refused(&self, source: &ModuleSource, message: &str) -> Result<Status, Stop> {
        let Ok(binary) = &source.binary else {
            return Ok(Status::TextDelegated);
        };
        let (validated, made) = (
            Module::validate(&self.state.engine, binary),
            Module::new(&self.state.engine, binary),
        );
        match (validated, made) {
            // A function that is not called may be invalid then; `Module::validate` looks at all of them.
            (Err(error), made) if made.is_err() || self.rules.validates_lazily => {
                let actual = error.to_string();
                if self.rules.strict_messages && !actual.contains(message) {
                    return failed(format!("expected the message `{message}`, got `{actual}`"));
                }
                Ok(Status::Passed)
            }
            (Ok(()), Ok(_)) if self.rules.older_than_wasm3 && is_wasm3(binary) => {
                Err(Stop::Skipped("older than Wasm 3.0, which contradicts it"))
            }
            (Ok(()), Ok(_)) => failed(format!("the module is accepted; expected: {message}")),
            (Ok(()), Err(error)) => failed(format!(
                "Module::validate accepts what Module::new refuses: {error}"
            )),
            (Err(error), _) => failed(format!(
                "Module::new accepts what Module::validate refuses: {error}"
            )),
        }
    }

    fn check_unlinkable(&mut self, source: &ModuleSource, message: &str) -> Result<Status, Stop> {
        match self.instantiate(source)? {
            Ok(_) => failed(format!("the module links; expected: {message}")),
            Err(error) if error.is::<Trap>() => failed(format!(
                "the module links, and traps: {error}; expected: {message}"
            )),
            Err(error) if error.to_string().starts_with(message) => Ok(Status::Passed),
            Err(error) => failed(format!("expected the message `{message}`, got `{error}`")),
        }
    }
}

/// Is `actual` the trap that a script calls `expected`? The reference interpreter takes `expected` as a
/// prefix; where it names an element by number ("uninitialized element 2"), the number is not part of
/// the trap.
fn is_trap_text(expected: &str, actual: &str) -> bool {
    let numbered = || {
        let number = expected.strip_prefix(actual)?.strip_prefix(' ')?;
        Some(!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    actual.starts_with(expected) || numbered().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::is_trap_text;

    #[test]
    fn trap_texts() {
        assert!(is_trap_text("unreachable", "unreachable"));
        assert!(is_trap_text("uninitialized", "uninitialized element"));
        assert!(is_trap_text(
            "uninitialized element 2",
            "uninitialized element"
        ));
        assert!(!is_trap_text(
            "uninitialized element two",
            "uninitialized element"
        ));
        assert!(!is_trap_text("undefined element", "uninitialized element"));
        assert!(!is_trap_text(
            "out of bounds memory access",
            "out of bounds table access"
        ));
    }
}
