//! Runs one script: the state that directives work on, and what each of them asserts. Knows teff's
//! public API; knows nothing of `wast`, files, threads or output.

use std::collections::HashMap;

use teff_runtime::{
    Engine, Error, Instance, Linker, Module, Result as TeffResult, Store, Trap, Val,
};
use wasmparser::WasmFeatures;

use crate::features::{Supported, is_wasm3};
use crate::result::{DirectiveResult, Status};
use crate::script::{Action, Command, Invoke, ModuleSource, Script};
use crate::spectest;
use crate::value::{Expected, show};

/// How directives are judged.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Rules {
    /// What the engine accepts.
    pub(crate) supported: Supported,
    /// Features past Wasm 3.0 that the file is about.
    pub beyond_wasm3: WasmFeatures,
    /// May the file be wrong about what Wasm 3.0 accepts?
    pub(crate) older_than_wasm3: bool,
    /// Must the messages of refused modules be the specification's?
    pub(crate) strict_messages: bool,
}

/// Why a directive could not be judged.
#[derive(Clone, Debug)]
enum Stop {
    Failed(String),
    /// The feature missing, and whether it is a module that the directive only uses that needs it.
    Missing {
        feature: String,
        used: bool,
    },
    /// Another reason to leave the directive out.
    Skipped(&'static str),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<Stop> for Status {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Failed(message) => Self::Failed(message),
            Stop::Missing {
                feature,
                used: false,
            } => Self::Skipped(format!("needs {feature}")),
            Stop::Missing {
                feature,
                used: true,
            } => Self::Skipped(format!("uses a module that needs {feature}")),
            Stop::Skipped(reason) => Self::Skipped(reason.into()),
        }
    }
}

fn failed<T>(message: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Failed(message.into()))
}

/// The state of a script.
pub(crate) struct Runner {
    engine: Engine,
    rules: Rules,
    store: Store<()>,
    spectest: Vec<(&'static str, teff_runtime::Extern)>,
    linker: Linker<()>,
    /// The last definition, and those with a name.
    definition: Option<Result<Module, Stop>>,
    definitions: HashMap<String, Result<Module, Stop>>,
    /// The last instance, and those with a name.
    current: Option<Result<Instance, Stop>>,
    instances: HashMap<String, Result<Instance, Stop>>,
    /// What can be imported, besides `spectest`.
    registered: HashMap<String, Result<Instance, Stop>>,
}

impl Runner {
    /// A fresh store with `spectest`.
    pub(crate) fn new(engine: &Engine, rules: Rules) -> TeffResult<Self> {
        let mut store = Store::new(engine, ());
        let spectest = spectest::externs(&mut store)?;
        let mut runner = Self {
            engine: engine.clone(),
            rules,
            store,
            spectest,
            linker: Linker::new(engine),
            definition: None,
            definitions: HashMap::new(),
            current: None,
            instances: HashMap::new(),
            registered: HashMap::new(),
        };
        runner.relink()?;
        Ok(runner)
    }

    /// Runs all directives, and gives each result to `sink` as soon as it is there.
    pub(crate) fn run(&mut self, script: &Script, mut sink: impl FnMut(DirectiveResult)) {
        for directive in &script.directives {
            let status = self.step(&directive.command).unwrap_or_else(Status::from);
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
                let module = self.define(name.as_deref(), module);
                self.bind_instance(name.as_deref(), module)
            }
            Command::Definition { name, module } => {
                self.define(name.as_deref(), module).map(|_| Status::Passed)
            }
            Command::Instance { name, definition } => {
                let module = match definition {
                    Some(name) => self.definitions.get(name).cloned(),
                    None => self.definition.clone(),
                };
                let module = module.unwrap_or_else(|| failed("there is no such module definition"));
                self.bind_instance(name.as_deref(), module.map_err(as_used))
            }
            Command::Register { as_name, instance } => {
                let instance = self.instance(instance.as_deref());
                self.register(as_name, instance)
            }
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

    // Modules and instances.

    fn define(&mut self, name: Option<&str>, source: &ModuleSource) -> Result<Module, Stop> {
        let module = self.compile(source);
        if let Some(name) = name {
            self.definitions.insert(name.into(), module.clone());
        }
        self.definition = Some(module.clone());
        module
    }

    fn compile(&self, source: &ModuleSource) -> Result<Module, Stop> {
        let binary = match &source.binary {
            Ok(binary) => binary,
            Err(message) => return failed(format!("wast refuses the text: {message}")),
        };
        Module::new(&self.engine, binary).map_err(|error| {
            match self
                .rules
                .supported
                .missing(binary, self.rules.beyond_wasm3)
            {
                Some(feature) => Stop::Missing {
                    feature,
                    used: false,
                },
                None => Stop::Failed(format!("the module is refused: {error}")),
            }
        })
    }

    /// Instantiates `module`, and binds the instance, or why there is none, as the current one.
    fn bind_instance(
        &mut self,
        name: Option<&str>,
        module: Result<Module, Stop>,
    ) -> Result<Status, Stop> {
        let instance = module.and_then(|module| Ok(self.instantiate(&module)??));
        if let Some(name) = name {
            self.instances.insert(name.into(), instance.clone());
        }
        self.current = Some(instance.clone());
        instance.map(|_| Status::Passed)
    }

    fn instantiate(&mut self, module: &Module) -> Result<TeffResult<Instance>, Stop> {
        for import in module.imports() {
            if let Some(Err(stop)) = self.registered.get(import.module()) {
                return Err(as_used(stop.clone()));
            }
        }
        Ok(self.linker.instantiate(&mut self.store, module))
    }

    fn instance(&self, name: Option<&str>) -> Result<Instance, Stop> {
        let instance = match name {
            Some(name) => self.instances.get(name),
            None => self.current.as_ref(),
        };
        match instance {
            Some(instance) => instance.clone().map_err(as_used),
            None => failed("there is no such module instance"),
        }
    }

    fn register(&mut self, name: &str, instance: Result<Instance, Stop>) -> Result<Status, Stop> {
        let earlier = self.registered.insert(name.into(), instance.clone());
        if earlier.is_some() {
            self.relink()?;
        } else if let Ok(instance) = &instance {
            self.linker.instance(&mut self.store, name, *instance)?;
        }
        instance.map(|_| Status::Passed)
    }

    /// Starts the linker anew: a registration hides all of an earlier one of that name.
    fn relink(&mut self) -> TeffResult<()> {
        self.linker = Linker::new(&self.engine);
        for (name, item) in &self.spectest {
            self.linker
                .define(&mut self.store, "spectest", name, *item)?;
        }
        for (name, instance) in &self.registered {
            if let Ok(instance) = instance {
                self.linker.instance(&mut self.store, name, *instance)?;
            }
        }
        Ok(())
    }

    // Actions.

    fn act(&mut self, action: &Action) -> Result<TeffResult<Vec<Val>>, Stop> {
        match action {
            Action::Invoke(invoke) => self.invoke(invoke),
            Action::Get { instance, global } => {
                let instance = self.instance(instance.as_deref())?;
                match instance.get_global(&mut self.store, global) {
                    Some(global) => Ok(Ok(vec![global.get(&mut self.store)])),
                    None => failed(format!("there is no exported global `{global}`")),
                }
            }
            Action::Instantiate(source) => {
                let module = self.compile(source)?;
                Ok(self.instantiate(&module)?.map(|_| Vec::new()))
            }
        }
    }

    fn invoke(&mut self, invoke: &Invoke) -> Result<TeffResult<Vec<Val>>, Stop> {
        let instance = self.instance(invoke.instance.as_deref())?;
        let Some(func) = instance.get_func(&mut self.store, &invoke.function) else {
            return failed(format!(
                "there is no exported function `{}`",
                invoke.function
            ));
        };
        let mut args = Vec::with_capacity(invoke.args.len());
        for arg in &invoke.args {
            args.push(arg.to_val(&mut self.store)?);
        }
        let mut results = vec![Val::I32(0); func.ty(&self.store).results().len()];
        Ok(func
            .call(&mut self.store, &args, &mut results)
            .map(|()| results))
    }

    // Judgements.

    fn check_results(&self, expected: &[Expected], actual: &[Val]) -> Result<Status, Stop> {
        let matched = expected.len() == actual.len()
            && expected
                .iter()
                .zip(actual)
                .all(|(e, a)| e.matches(a, &self.store));
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
        let values: Vec<_> = values.iter().map(|val| show(val, &self.store)).collect();
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
            Module::validate(&self.engine, binary),
            Module::new(&self.engine, binary),
        );
        match (validated, made) {
            (Err(error), Err(_)) => {
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
            (Err(error), Ok(_)) => failed(format!(
                "Module::new accepts what Module::validate refuses: {error}"
            )),
        }
    }

    fn check_unlinkable(&mut self, source: &ModuleSource, message: &str) -> Result<Status, Stop> {
        let module = self.compile(source)?;
        match self.instantiate(&module)? {
            Ok(_) => failed(format!("the module links; expected: {message}")),
            Err(error) if error.is::<Trap>() => failed(format!(
                "the module links, and traps: {error}; expected: {message}"
            )),
            Err(error) if error.to_string().starts_with(message) => Ok(Status::Passed),
            Err(error) => failed(format!("expected the message `{message}`, got `{error}`")),
        }
    }
}

/// For a directive that uses the module for which `stop` is the reason that there is no instance.
fn as_used(stop: Stop) -> Stop {
    match stop {
        Stop::Missing { feature, .. } => Stop::Missing {
            feature,
            used: true,
        },
        Stop::Failed(_) => Stop::Failed("uses a module that failed".into()),
        other => other,
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
