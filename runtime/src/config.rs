//! How an engine behaves: backend, code form, metering, and the limits of a store.

/// How handlers are dispatched.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// Threaded code: each handler jumps to the next one. The fastest.
    Threaded,
    /// A loop calls the handlers. For targets and builds without sibling calls, and as the twin that the
    /// tests compare the threaded backend with.
    Loop,
}

/// How translated code names its handlers.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CodeForm {
    /// By address: fastest, one machine word an instruction.
    Direct,
    /// By a 16-bit index: position independent and about half the size.
    Compact,
}

/// Options of an [`Engine`](crate::Engine), in Wasmtime's manner: setters that return `&mut Self`.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) backend: Backend,
    pub(crate) code_form: CodeForm,
    pub(crate) consume_fuel: bool,
    pub(crate) fusion: bool,
    pub(crate) max_wasm_stack: usize,
    pub(crate) max_host_nesting: u32,
}

impl Config {
    /// The backends that this build has, best first.
    pub const BACKENDS: &'static [Backend] = &[
        #[cfg(teff_threaded)]
        Backend::Threaded,
        #[cfg(any(feature = "loop", not(teff_threaded)))]
        Backend::Loop,
    ];

    /// The defaults: the best backend of the build, direct code, no metering, 8 MiB of value stack where
    /// there is an operating system (committed as it is used) and 64 KiB elsewhere.
    pub fn new() -> Self {
        Self {
            backend: Self::BACKENDS[0],
            code_form: CodeForm::Direct,
            consume_fuel: false,
            fusion: true,
            max_wasm_stack: if cfg!(feature = "std") {
                8 << 20
            } else {
                64 << 10
            },
            max_host_nesting: 64,
        }
    }

    /// Chooses the backend.
    ///
    /// # Panics
    /// If this build does not have it: see [`Config::BACKENDS`].
    pub fn backend(&mut self, backend: Backend) -> &mut Self {
        assert!(
            Self::BACKENDS.contains(&backend),
            "this build of teff has no {backend:?} backend"
        );
        self.backend = backend;
        self
    }

    /// Chooses the form of translated code.
    pub fn code_form(&mut self, form: CodeForm) -> &mut Self {
        self.code_form = form;
        self
    }

    /// Metering: with it on, execution uses up the fuel given by
    /// [`Store::set_fuel`](crate::Store::set_fuel), and traps with
    /// [`Trap::OutOfFuel`](crate::Trap::OutOfFuel) when none is left. Off by default, and free when off.
    ///
    /// One unit is about one Wasm instruction; it is charged at function entries and loop headers.
    pub fn consume_fuel(&mut self, enable: bool) -> &mut Self {
        self.consume_fuel = enable;
        self
    }

    /// With `false`, the translator writes one plain instruction for each that Wasm has: no instruction does the work
    /// of several, none writes a local on the way, and no local stays in a register. Slow; for tests that compare.
    pub fn fusion(&mut self, enable: bool) -> &mut Self {
        self.fusion = enable;
        self
    }

    /// Bytes of the value stack, which holds the frames of all active Wasm calls of a store. The native
    /// stack does not grow with Wasm call depth.
    pub fn max_wasm_stack(&mut self, bytes: usize) -> &mut Self {
        self.max_wasm_stack = bytes;
        self
    }

    /// How often Wasm and host functions may nest: Wasm that calls a host function that calls Wasm again,
    /// and so on. Each level uses native stack. Beyond it, the call traps with
    /// [`Trap::StackOverflow`](crate::Trap::StackOverflow).
    pub fn max_host_nesting(&mut self, levels: u32) -> &mut Self {
        self.max_host_nesting = levels;
        self
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}
