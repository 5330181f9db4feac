//! The state that a script's directives work on: a store, its modules and instances by name, and what can
//! be imported. Knows teff's public API and why a module may be missing; judges nothing.

use std::collections::HashMap;

use teff_runtime::{Engine, Error, Extern, Instance, Linker, Module, Result as TeffResult, Store};
use wasmparser::WasmFeatures;

use crate::features::{self, Supported};
use crate::result::Status;
use crate::script::ModuleSource;
use crate::spectest;

/// What a file's directives are held to.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Rules {
    /// What the engine accepts.
    pub(crate) supported: Supported,
    /// Features past Wasm 3.0 that the file is about.
    pub(crate) beyond_wasm3: WasmFeatures,
    /// May the file be wrong about what Wasm 3.0 accepts?
    pub(crate) older_than_wasm3: bool,
    /// Must the messages of refused modules be the specification's?
    pub(crate) strict_messages: bool,
    /// Does the engine validate functions when they are first called?
    pub(crate) validates_lazily: bool,
    /// Is each module made into an image, which is what runs?
    pub(crate) images: bool,
}

/// Why a directive did not pass.
#[derive(Clone, Debug)]
pub(crate) enum Stop {
    Failed(String),
    /// The feature missing, and what has to do with it.
    Missing {
        feature: String,
        by: Needs,
    },
    /// Another reason to leave the directive out.
    Skipped(&'static str),
}

/// Who needs a missing feature.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// The directive's own module.
    Own,
    /// A module that the directive uses.
    Used,
    /// A module that would have changed one that the directive uses, had it run before.
    Earlier,
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<Stop> for Status {
    fn from(stop: Stop) -> Self {
        let (feature, by) = match stop {
            Stop::Failed(message) => return Self::Failed(message),
            Stop::Skipped(reason) => return Self::Skipped(reason.into()),
            Stop::Missing { feature, by } => (feature, by),
        };
        Self::Skipped(match by {
            Needs::Own => format!("needs {feature}"),
            Needs::Used => format!("uses a module that needs {feature}"),
            Needs::Earlier => format!("checks what a module does that needs {feature}"),
        })
    }
}

pub(crate) fn failed<T>(message: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Failed(message.into()))
}

/// The module again, out of an image of it.
fn image_of(module: &Module) -> TeffResult<Module> {
    let image = module.serialize()?;
    // SAFETY: it is what `serialize` gave.
    unsafe { Module::deserialize(module.engine(), image) }
}

/// An instance, with its place in [`State::uses`].
#[derive(Copy, Clone)]
struct Live {
    instance: Instance,
    id: usize,
}

/// See the module's description.
pub(crate) struct State {
    pub(crate) engine: Engine,
    pub(crate) store: Store<()>,
    rules: Rules,
    spectest: Vec<(&'static str, Extern)>,
    linker: Linker<()>,
    /// The last definition, and those with a name.
    definition: Option<Result<Module, Stop>>,
    definitions: HashMap<String, Result<Module, Stop>>,
    /// The last instance, and those with a name.
    current: Option<Result<Live, Stop>>,
    instances: HashMap<String, Result<Live, Stop>>,
    /// What can be imported, besides `spectest`.
    registered: HashMap<String, Result<Live, Stop>>,
    /// Of each instance, those that it imports from.
    uses: Vec<Vec<usize>>,
    /// Instances that a module imports which could not run, and the feature that it needs.
    outdated: HashMap<usize, String>,
    /// The instance that the directive at work uses.
    at_work: Option<usize>,
}

impl State {
    /// A fresh store with `spectest`.
    pub(crate) fn new(engine: &Engine, rules: Rules) -> TeffResult<Self> {
        let mut store = Store::new(engine, ());
        // Enough for everything, where code is metered.
        let _ = store.set_fuel(u64::MAX);
        store.set_epoch_deadline(u64::MAX);
        let spectest = spectest::externs(&mut store)?;
        let mut state = Self {
            engine: engine.clone(),
            store,
            rules,
            spectest,
            linker: Linker::new(engine),
            definition: None,
            definitions: HashMap::new(),
            current: None,
            instances: HashMap::new(),
            registered: HashMap::new(),
            uses: Vec::new(),
            outdated: HashMap::new(),
            at_work: None,
        };
        state.relink()?;
        Ok(state)
    }

    /// Makes a module, and binds it, or why there is none, as the last definition.
    pub(crate) fn define(
        &mut self,
        name: Option<&str>,
        source: &ModuleSource,
    ) -> Result<Module, Stop> {
        let module = self.compile(source);
        if let Some(name) = name {
            self.definitions.insert(name.into(), module.clone());
        }
        self.definition = Some(module.clone());
        module
    }

    /// A definition, the last one if none is named.
    pub(crate) fn definition(&self, name: Option<&str>) -> Result<Module, Stop> {
        let module = match name {
            Some(name) => self.definitions.get(name),
            None => self.definition.as_ref(),
        };
        match module {
            Some(module) => module.clone().map_err(as_used),
            None => failed("there is no such module definition"),
        }
    }

    /// A module, or which feature the engine lacks for it.
    pub(crate) fn compile(&self, source: &ModuleSource) -> Result<Module, Stop> {
        let binary = match &source.binary {
            Ok(binary) => binary,
            Err(message) => return failed(format!("wast refuses the text: {message}")),
        };
        let validated = if self.rules.validates_lazily {
            Module::validate(&self.engine, binary)
        } else {
            Ok(())
        };
        let module = validated.and_then(|()| Module::new(&self.engine, binary));
        if self.rules.images
            && let Ok(module) = &module
        {
            return image_of(module).map_err(|e| Stop::Failed(format!("the image: {e}")));
        }
        module.map_err(|error| {
            match self
                .rules
                .supported
                .missing(binary, self.rules.beyond_wasm3)
            {
                Some(feature) => Stop::Missing {
                    feature,
                    by: Needs::Own,
                },
                None => Stop::Failed(format!("the module is refused: {error}")),
            }
        })
    }

    /// Binds an instance of `module`, or why there is none, as the current one.
    pub(crate) fn bind_instance(
        &mut self,
        name: Option<&str>,
        module: Result<Module, Stop>,
    ) -> Result<(), Stop> {
        let live = module.and_then(|module| {
            let instance = self.instantiate(&module)??;
            self.uses
                .push(self.imported(module.imports().map(|import| import.module())));
            Ok(Live {
                instance,
                id: self.uses.len() - 1,
            })
        });
        if let Some(name) = name {
            self.instances.insert(name.into(), live.clone());
        }
        self.current = Some(live.clone());
        live.map(drop)
    }

    /// An instance that is bound to no name.
    pub(crate) fn instantiate(&mut self, module: &Module) -> Result<TeffResult<Instance>, Stop> {
        for import in module.imports() {
            if let Some(Err(stop)) = self.registered.get(import.module()) {
                return Err(as_used(stop.clone()));
            }
            if import.module() == "spectest"
                && let Some(feature) = spectest::missing(import.name(), self.rules.supported)
            {
                return Err(Stop::Missing {
                    feature,
                    by: Needs::Used,
                });
            }
        }
        Ok(self.linker.instantiate(&mut self.store, module))
    }

    /// The instance of the name, or else the current one.
    pub(crate) fn instance(&mut self, name: Option<&str>) -> Result<Instance, Stop> {
        let live = self.live(name)?;
        self.at_work = Some(live.id);
        Ok(live.instance)
    }

    fn live(&self, name: Option<&str>) -> Result<Live, Stop> {
        let live = match name {
            Some(name) => self.instances.get(name),
            None => self.current.as_ref(),
        };
        match live {
            Some(live) => live.clone().map_err(as_used),
            None => failed("there is no such module instance"),
        }
    }

    /// Makes an instance importable under a module name, in the place of an earlier one.
    pub(crate) fn register(&mut self, as_name: &str, instance: Option<&str>) -> Result<(), Stop> {
        let live = self.live(instance);
        let earlier = self.registered.insert(as_name.into(), live.clone());
        if earlier.is_some() {
            self.relink()?;
        } else if let Ok(live) = &live {
            self.linker
                .instance(&mut self.store, as_name, live.instance)?;
        }
        live.map(drop)
    }

    /// Starts the linker anew: a registration hides all of an earlier one of that name.
    fn relink(&mut self) -> TeffResult<()> {
        self.linker = Linker::new(&self.engine);
        for (name, item) in &self.spectest {
            self.linker
                .define(&mut self.store, "spectest", name, *item)?;
        }
        for (name, live) in &self.registered {
            if let Ok(live) = live {
                self.linker.instance(&mut self.store, name, live.instance)?;
            }
        }
        Ok(())
    }

    // Modules that cannot run leave those that they import without what they would have written there.

    /// Takes note that `source` did not run, if that is for a missing feature.
    pub(crate) fn note_missing(&mut self, source: &ModuleSource, stop: &Stop) {
        if let (Stop::Missing { feature, .. }, Ok(binary)) = (stop, &source.binary) {
            let names = features::imported_modules(binary);
            for id in self.imported(names.into_iter()) {
                self.outdated.entry(id).or_insert_with(|| feature.clone());
            }
        }
    }

    /// Before each directive.
    pub(crate) fn start_directive(&mut self) {
        self.at_work = None;
    }

    /// If the directive at work failed, is it because of a module that could not run?
    pub(crate) fn explain_failure(&self, stop: Stop) -> Stop {
        match (stop, self.at_work.and_then(|id| self.outdated_by(id))) {
            (Stop::Failed(_), Some(feature)) => Stop::Missing {
                feature: feature.clone(),
                by: Needs::Earlier,
            },
            (stop, _) => stop,
        }
    }

    fn outdated_by(&self, id: usize) -> Option<&String> {
        let of_imports = || self.uses[id].iter().find_map(|id| self.outdated_by(*id));
        self.outdated.get(&id).or_else(of_imports)
    }

    /// The instances that are registered under the names.
    fn imported<'a>(&self, names: impl Iterator<Item = &'a str>) -> Vec<usize> {
        let live = names.filter_map(|name| self.registered.get(name)?.as_ref().ok());
        let mut ids: Vec<_> = live.map(|live| live.id).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

/// For a directive that uses the module for which `stop` is the reason that there is no instance.
fn as_used(stop: Stop) -> Stop {
    match stop {
        Stop::Missing { feature, .. } => Stop::Missing {
            feature,
            by: Needs::Used,
        },
        Stop::Failed(_) => Stop::Failed("uses a module that failed".into()),
        other => other,
    }
}
