//! How an engine behaves: backend, code form, metering, and the limits of a store.

use core::sync::atomic::AtomicUsize;

#[cfg(feature = "compile")]
use crate::{ImageClass, Result, error::bail};

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

/// When function bodies are validated and translated. The rest of a module is always validated when it is
/// loaded.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CompilationMode {
    /// Both when the module is loaded: the first call of a function is as fast as all others.
    Eager,
    /// Validated when the module is loaded, translated when first called. The default.
    LazyTranslation,
    /// Both when first called. A module is loaded with an invalid function in it, and whoever calls that
    /// function gets an error; nothing of its body is ever executed.
    ///
    /// [`Module::validate`](crate::Module::validate) says whether all of a module is valid.
    Lazy,
}

/// Options of an [`Engine`](crate::Engine), in Wasmtime's manner: setters that return `&mut Self`.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) backend: Backend,
    pub(crate) code_form: CodeForm,
    pub(crate) compilation_mode: CompilationMode,
    pub(crate) compilation_threads: usize,
    pub(crate) consume_fuel: bool,
    pub(crate) custom_page_sizes: bool,
    pub(crate) deterministic: bool,
    pub(crate) fusion: bool,
    pub(crate) epoch_interruption: bool,
    pub(crate) epoch_source: Option<&'static AtomicUsize>,
    pub(crate) max_wasm_stack: usize,
    pub(crate) max_host_nesting: u32,
    #[cfg(feature = "compile")]
    pub(crate) image_class: ImageClass,
    pub(crate) verify_images: bool,
}

impl Config {
    /// The backends that this build has, best first.
    pub const BACKENDS: &'static [Backend] = &[
        #[cfg(teff_threaded)]
        Backend::Threaded,
        #[cfg(any(feature = "loop", not(teff_threaded)))]
        Backend::Loop,
    ];

    /// The defaults: the best backend of the build, direct code, [`CompilationMode::LazyTranslation`] on all
    /// processors, no metering, 8 MiB of value stack where
    /// there is an operating system (committed as it is used) and 64 KiB elsewhere.
    pub fn new() -> Self {
        Self {
            backend: Self::BACKENDS[0],
            code_form: if cfg!(feature = "compile") {
                CodeForm::Direct
            } else {
                CodeForm::Compact
            },
            compilation_mode: CompilationMode::LazyTranslation,
            compilation_threads: usize::MAX,
            consume_fuel: false,
            custom_page_sizes: false,
            deterministic: false,
            fusion: true,
            epoch_interruption: false,
            epoch_source: None,
            max_wasm_stack: if cfg!(feature = "std") {
                8 << 20
            } else {
                64 << 10
            },
            max_host_nesting: 64,
            #[cfg(feature = "compile")]
            image_class: ImageClass::NATIVE,
            verify_images: true,
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

    /// Chooses the form of translated code. [`Backend::Loop`] has compact code whatever is chosen.
    ///
    /// # Panics
    /// If the build has no such code: [`CodeForm::Compact`] takes the feature `compact` or `loop`, and
    /// [`CodeForm::Direct`] the feature `compile`.
    pub fn code_form(&mut self, form: CodeForm) -> &mut Self {
        let has = match form {
            CodeForm::Direct => cfg!(feature = "compile"),
            CodeForm::Compact => cfg!(any(teff_compact, not(teff_threaded), feature = "loop")),
        };
        assert!(has, "this build of teff has no {form:?} code");
        self.code_form = form;
        self
    }

    /// Chooses when function bodies are validated and translated.
    pub fn compilation_mode(&mut self, mode: CompilationMode) -> &mut Self {
        self.compilation_mode = mode;
        self
    }

    /// How many threads may validate and translate a module while it is loaded, the caller's among them. 0
    /// and 1 mean that no thread is started. By default there are as many as processors.
    ///
    /// Threads are used only for modules so large that it pays, only while a constructor of
    /// [`Module`](crate::Module) runs, and not without the feature `std`. Results and errors do not depend on
    /// them.
    pub fn compilation_threads(&mut self, limit: usize) -> &mut Self {
        self.compilation_threads = limit;
        self
    }

    /// Fuel: with it on, code uses up the fuel given by [`Store::set_fuel`](crate::Store::set_fuel), and
    /// stops when none is left: with [`Trap::OutOfFuel`](crate::Trap::OutOfFuel), or resumably, see
    /// [`Func::call_resumable`](crate::Func::call_resumable). Off by default, and free when off.
    ///
    /// A call that returns has used one unit for each Wasm operator that was executed, whatever the backend
    /// and the form of the code. `block`, `loop`, `else`, `end` and `nop` cost nothing. What moves many
    /// values costs more: a function or block one unit for every eight parameters, results and locals, a
    /// call, branch or return one for every eight values; bulk instructions one for every 64 bytes.
    ///
    /// Units are charged ahead: for all of a function when it is entered, for the body of a loop when it
    /// begins again. What is skipped is given back. So code stops when the fuel left does not suffice for
    /// all that may come before the next such place, and a trap keeps what was charged ahead.
    pub fn consume_fuel(&mut self, enable: bool) -> &mut Self {
        self.consume_fuel = enable;
        self
    }

    /// The proposal custom-page-sizes: memories in pages of one byte, for modules that need less than 64 KiB. Off by
    /// default. Where there is no operating system such a memory takes no more than its size, rounded up to eight bytes.
    pub fn wasm_custom_page_sizes(&mut self, enable: bool) -> &mut Self {
        self.custom_page_sizes = enable;
        self
    }

    /// Results that are the same to the bit on every machine. Off by default.
    ///
    /// What WebAssembly leaves open is the sign and payload of a NaN that an operation makes. With this on it is the
    /// positive canonical NaN, which costs one more instruction after each such operation. What remains is what a
    /// program is given: by host functions, whose results are the embedder's affair, and by the machine's memory and the
    /// limits of stacks, which a program can run into. Set limits that every machine can keep, and let no call depend on
    /// the time: fuel is deterministic, epochs are not.
    pub fn deterministic(&mut self, enable: bool) -> &mut Self {
        self.deterministic = enable;
        self
    }

    /// Is the engine deterministic ([`Config::deterministic`])? Host functions that know of time or chance ask for it.
    pub fn is_deterministic(&self) -> bool {
        self.deterministic
    }

    /// With `false`, the translator writes one plain instruction for each that Wasm has: no instruction does the work
    /// of several, none writes a local on the way, and no local stays in a register. Slow; for tests that compare.
    pub fn fusion(&mut self, enable: bool) -> &mut Self {
        self.fusion = enable;
        self
    }

    /// Interruption: with it on, code stops soon after the engine's epoch has reached the deadline of its
    /// store: see [`Engine::increment_epoch`](crate::Engine::increment_epoch) and
    /// [`Store::set_epoch_deadline`](crate::Store::set_epoch_deadline). Off by default, and free when off.
    ///
    /// The epoch is looked at after every 8,000 operators or so, in bulk instructions after every 64 KiB,
    /// and when a host function returns. A host function itself is only interrupted if it sees to that
    /// ([`Engine::wake_on_epoch`](crate::Engine::wake_on_epoch)), the translation of a function that is called
    /// for the first time not at all. What a deep recursion has left to do, if it is neither a
    /// loop nor a call, is done before the next look.
    pub fn epoch_interruption(&mut self, enable: bool) -> &mut Self {
        self.epoch_interruption = enable;
        self
    }

    /// The counter that is the epoch of engines with this configuration, in place of one that the engine
    /// has itself. For devices whose timer interrupt counts already, and has no way to an [`Engine`]. It may
    /// wrap around.
    ///
    /// [`Engine`]: crate::Engine
    pub fn epoch_source(&mut self, counter: &'static AtomicUsize) -> &mut Self {
        self.epoch_source = Some(counter);
        self
    }

    /// Is interruption on ([`Config::epoch_interruption`])? Host functions that wait ask for it.
    pub fn is_epoch_interruption(&self) -> bool {
        self.epoch_interruption
    }

    /// Was a counter given to [`Config::epoch_source`]?
    pub fn has_epoch_source(&self) -> bool {
        self.epoch_source.is_some()
    }

    /// Is code to be metered?
    pub(crate) fn is_metered(&self) -> bool {
        self.consume_fuel || self.epoch_interruption
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

/// Options of images.
impl Config {
    /// The machines that [`Module::serialize`](crate::Module) makes images for: a Rust target triple, or `compact64` or
    /// `compact32`. By default those like this one. Modules run here all the same.
    ///
    /// # Errors
    /// If it is no target that images can be made for.
    #[cfg(feature = "compile")]
    pub fn target(&mut self, target: &str) -> Result<&mut Self> {
        let Some(class) = ImageClass::of_target(target) else {
            bail!(
                "no images can be made for the target `{target}`: its processor must be little-endian, and one of x86_64,                  aarch64, riscv64, arm, thumb, riscv32 or their like"
            );
        };
        self.image_class = class;
        Ok(self)
    }

    /// With `false`, checksums of images are not compared when images are loaded: what storage has damaged runs, and may
    /// do anything. For images that something else vouches for, such as dm-verity or a boot loader; they are loaded without
    /// a look at all of their bytes then.
    ///
    /// # Safety
    /// Images must be as they were written.
    pub unsafe fn verify_images(&mut self, enable: bool) -> &mut Self {
        self.verify_images = enable;
        self
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}
