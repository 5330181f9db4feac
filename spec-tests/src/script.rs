//! A test script, parsed and with its modules encoded: owned data, so that one parse serves every
//! configuration it is run in. Knows `wast`; knows nothing of the engine.

use wast::lexer::Lexer;
use wast::parser::{self, ParseBuffer};
use wast::token::{Id, Span};
use wast::{QuoteWat, QuoteWatTest, Wast, WastDirective, WastExecute, WastInvoke, Wat};

use crate::value::{Arg, Expected};

/// The directives of one `.wast` file.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    /// In the order of the file.
    pub(crate) directives: Vec<Directive>,
}

/// One directive and where it is.
#[derive(Clone, Debug)]
pub(crate) struct Directive {
    /// Line in the file, from 1.
    pub(crate) line: usize,
    /// What is to be done.
    pub(crate) command: Command,
}

/// A module of a script.
#[derive(Clone, Debug)]
pub(crate) struct ModuleSource {
    /// The binary, or why `wast` refused the text.
    pub(crate) binary: Result<Vec<u8>, String>,
}

/// What a directive asks for.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    /// Define, validate and instantiate.
    Module {
        name: Option<String>,
        module: ModuleSource,
    },
    /// Define and validate.
    Definition {
        name: Option<String>,
        module: ModuleSource,
    },
    /// Instantiate a definition, the last one if none is named.
    Instance {
        name: Option<String>,
        definition: Option<String>,
    },
    /// Make an instance importable under a module name.
    Register {
        as_name: String,
        instance: Option<String>,
    },
    /// Do it, whatever the results.
    Invoke(Invoke),
    /// It must end with these results.
    AssertReturn {
        action: Action,
        results: Vec<Expected>,
    },
    /// It must trap with the message.
    AssertTrap { action: Action, message: String },
    /// It must exhaust the stack.
    AssertExhaustion { call: Invoke, message: String },
    /// It must throw.
    AssertException { action: Action },
    /// It must suspend without a handler.
    AssertSuspension { action: Action },
    /// The module must not validate.
    AssertInvalid {
        module: ModuleSource,
        message: String,
    },
    /// The module must not decode or parse.
    AssertMalformed {
        module: ModuleSource,
        message: String,
    },
    /// A custom section of the module must not validate (`invalid`) or not decode.
    AssertCustom { invalid: bool, module: ModuleSource },
    /// The module must not link.
    AssertUnlinkable {
        module: ModuleSource,
        message: String,
    },
    /// Directives on a thread of their own; how many there are, nested ones included.
    Thread { directives: usize },
    /// Wait for a thread.
    Wait,
}

/// What can be asserted about.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// A call.
    Invoke(Invoke),
    /// The value of an exported global.
    Get {
        instance: Option<String>,
        global: String,
    },
    /// The instantiation of a module.
    Instantiate(ModuleSource),
}

/// A call of an exported function.
#[derive(Clone, Debug)]
pub(crate) struct Invoke {
    /// The instance, the current one if none is named.
    pub(crate) instance: Option<String>,
    /// The export's name.
    pub(crate) function: String,
    /// The arguments.
    pub(crate) args: Vec<Arg>,
}

/// Why a file is no script.
#[derive(Clone, Debug)]
pub(crate) struct ParseError {
    /// Line in the file, from 1.
    pub(crate) line: usize,
    /// What is wrong.
    pub(crate) message: String,
}

impl Script {
    /// Parses a file's text.
    pub(crate) fn parse(text: &str) -> Result<Self, ParseError> {
        let lines = Lines::new(text);
        let error = |e: wast::Error| ParseError {
            line: lines.of(e.span()),
            message: e.message(),
        };
        let buffer = buffer(text).map_err(error)?;
        let script: Wast<'_> = parser::parse(&buffer).map_err(error)?;
        let directives = script.directives.into_iter().map(|directive| Directive {
            line: lines.of(directive.span()),
            command: Command::lower(directive),
        });
        Ok(Self {
            directives: directives.collect(),
        })
    }

    /// The binaries of all modules that are meant to be valid.
    pub(crate) fn modules(&self) -> impl Iterator<Item = &[u8]> {
        self.directives
            .iter()
            .filter_map(|directive| match &directive.command {
                Command::Module { module, .. } | Command::Definition { module, .. } => {
                    module.binary.as_deref().ok()
                }
                _ => None,
            })
    }
}

/// The suite's names hold every Unicode character, also those that `wast` finds confusing.
fn buffer(text: &str) -> Result<ParseBuffer<'_>, wast::Error> {
    let mut lexer = Lexer::new(text);
    lexer.allow_confusing_unicode(true);
    ParseBuffer::new_with_lexer(lexer)
}

/// Where the lines of a text begin.
struct Lines(Vec<usize>);

impl Lines {
    fn new(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at + 1).collect())
    }

    fn of(&self, span: Span) -> usize {
        1 + self.0.partition_point(|start| *start <= span.offset())
    }
}

impl ModuleSource {
    fn lower(mut module: QuoteWat<'_>) -> Self {
        match module.to_test() {
            Ok(QuoteWatTest::Binary(bytes)) => Self { binary: Ok(bytes) },
            Ok(QuoteWatTest::Text(text)) => Self {
                binary: encode_text(&text),
            },
            Err(e) => Self {
                binary: Err(e.message()),
            },
        }
    }

    fn lower_wat(mut module: Wat<'_>) -> Self {
        Self {
            binary: module.encode().map_err(|e| e.message()),
        }
    }
}

fn encode_text(text: &[u8]) -> Result<Vec<u8>, String> {
    let text = std::str::from_utf8(text).map_err(|_| "malformed UTF-8 encoding".to_string())?;
    let encode = || -> Result<Vec<u8>, wast::Error> {
        let buffer = buffer(text)?;
        parser::parse::<Wat<'_>>(&buffer)?.encode()
    };
    encode().map_err(|e| e.message())
}

fn owned(id: Option<Id<'_>>) -> Option<String> {
    id.map(|id| id.name().to_string())
}

impl Command {
    fn lower(directive: WastDirective<'_>) -> Self {
        match directive {
            WastDirective::Module(module) => Self::Module {
                name: owned(module.name()),
                module: ModuleSource::lower(module),
            },
            WastDirective::ModuleDefinition(module) => Self::Definition {
                name: owned(module.name()),
                module: ModuleSource::lower(module),
            },
            WastDirective::ModuleInstance {
                instance, module, ..
            } => Self::Instance {
                name: owned(instance),
                definition: owned(module),
            },
            WastDirective::Register { name, module, .. } => Self::Register {
                as_name: name.to_string(),
                instance: owned(module),
            },
            WastDirective::Invoke(invoke) => Self::Invoke(Invoke::lower(invoke)),
            WastDirective::AssertReturn { exec, results, .. } => Self::AssertReturn {
                action: Action::lower(exec),
                results: results.iter().map(Expected::lower).collect(),
            },
            WastDirective::AssertTrap { exec, message, .. } => Self::AssertTrap {
                action: Action::lower(exec),
                message: message.to_string(),
            },
            WastDirective::AssertExhaustion { call, message, .. } => Self::AssertExhaustion {
                call: Invoke::lower(call),
                message: message.to_string(),
            },
            WastDirective::AssertException { exec, .. } => Self::AssertException {
                action: Action::lower(exec),
            },
            WastDirective::AssertSuspension { exec, .. } => Self::AssertSuspension {
                action: Action::lower(exec),
            },
            WastDirective::AssertInvalid {
                module, message, ..
            } => Self::AssertInvalid {
                module: ModuleSource::lower(module),
                message: message.to_string(),
            },
            WastDirective::AssertMalformed {
                module, message, ..
            } => Self::AssertMalformed {
                module: ModuleSource::lower(module),
                message: message.to_string(),
            },
            WastDirective::AssertInvalidCustom { module, .. } => Self::AssertCustom {
                invalid: true,
                module: ModuleSource::lower(module),
            },
            WastDirective::AssertMalformedCustom { module, .. } => Self::AssertCustom {
                invalid: false,
                module: ModuleSource::lower(module),
            },
            WastDirective::AssertUnlinkable {
                module, message, ..
            } => Self::AssertUnlinkable {
                module: ModuleSource::lower_wat(module),
                message: message.to_string(),
            },
            WastDirective::Thread(thread) => {
                let count = |directive| Self::lower(directive).count();
                Self::Thread {
                    directives: 1 + thread.directives.into_iter().map(count).sum::<usize>(),
                }
            }
            WastDirective::Wait { .. } => Self::Wait,
        }
    }

    pub(crate) fn count(&self) -> usize {
        match self {
            Self::Thread { directives } => *directives,
            _ => 1,
        }
    }

    /// The directive's keyword.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Module { .. } => "module",
            Self::Definition { .. } => "module definition",
            Self::Instance { .. } => "module instance",
            Self::Register { .. } => "register",
            Self::Invoke(_) => "invoke",
            Self::AssertReturn { .. } => "assert_return",
            Self::AssertTrap { .. } => "assert_trap",
            Self::AssertExhaustion { .. } => "assert_exhaustion",
            Self::AssertException { .. } => "assert_exception",
            Self::AssertSuspension { .. } => "assert_suspension",
            Self::AssertInvalid { .. } => "assert_invalid",
            Self::AssertMalformed { .. } => "assert_malformed",
            Self::AssertCustom { invalid: true, .. } => "assert_invalid_custom",
            Self::AssertCustom { invalid: false, .. } => "assert_malformed_custom",
            Self::AssertUnlinkable { .. } => "assert_unlinkable",
            Self::Thread { .. } => "thread",
            Self::Wait => "wait",
        }
    }
}

impl Action {
    fn lower(action: WastExecute<'_>) -> Self {
        match action {
            WastExecute::Invoke(invoke) => Self::Invoke(Invoke::lower(invoke)),
            WastExecute::Wat(module) => Self::Instantiate(ModuleSource::lower_wat(module)),
            WastExecute::Get { module, global, .. } => Self::Get {
                instance: owned(module),
                global: global.to_string(),
            },
        }
    }
}

impl Invoke {
    fn lower(invoke: WastInvoke<'_>) -> Self {
        Self {
            instance: owned(invoke.module),
            function: invoke.name.to_string(),
            args: invoke.args.iter().map(Arg::lower).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_count_from_one() {
        let script = Script::parse(
            "(module)\n\n(invoke \"a\")\n(assert_malformed (module quote \"(func\") \"\")",
        )
        .unwrap();
        let lines: Vec<_> = script
            .directives
            .iter()
            .map(|d| (d.line, d.command.kind()))
            .collect();
        assert_eq!(
            lines,
            [(1, "module"), (3, "invoke"), (4, "assert_malformed")]
        );
        let Command::AssertMalformed { module, .. } = &script.directives[2].command else {
            unreachable!()
        };
        assert!(module.binary.is_err());
    }

    #[test]
    fn a_file_that_is_no_script_says_where() {
        let error = Script::parse("(module)\n(assert_nothing)").unwrap_err();
        assert_eq!(error.line, 2);
    }

    #[test]
    fn a_module_without_directives_is_a_script() {
        let script = Script::parse("(func) (memory 1)").unwrap();
        assert_eq!(script.directives.len(), 1);
    }

    #[test]
    fn directives_of_threads_count() {
        let script = "(module $M (memory 1 1 shared)) \
            (thread $T (shared (module $M)) (register \"m\" $M) (invoke \"f\")) (wait $T)";
        let script = Script::parse(script).unwrap();
        let counts: Vec<_> = script
            .directives
            .iter()
            .map(|d| d.command.count())
            .collect();
        assert_eq!(counts, [1, 3, 1]);
    }
}
