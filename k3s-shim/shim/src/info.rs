//! `-v` and `-info`: which version this is, for people and for containerd. Knows the build alone.

use std::io::{self, Write};

use containerd_shim_protos::protobuf::{Message, MessageField};
use containerd_shim_protos::types::introspection::{RuntimeInfo, RuntimeVersion};

/// The version of this build; `teff-shim` refuses another.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The runtime's name in containerd's configuration.
const NAME: &str = "io.containerd.teff.v1";

/// For people.
pub(crate) fn version() -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "containerd-shim-teff-v1:\n  Version: {VERSION}")
}

/// For containerd 2.0 and later.
pub(crate) fn info() -> io::Result<()> {
    let info = RuntimeInfo {
        name: NAME.into(),
        version: MessageField::some(RuntimeVersion {
            version: VERSION.into(),
            ..RuntimeVersion::default()
        }),
        ..RuntimeInfo::default()
    };
    io::stdout().write_all(&info.write_to_bytes()?)
}
