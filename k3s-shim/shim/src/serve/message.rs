//! Between the protocol's types and the standard library's. Knows nothing of tasks.

use std::time::{SystemTime, UNIX_EPOCH};

use containerd_shim_protos::protobuf::well_known_types::timestamp::Timestamp;
use containerd_shim_protos::ttrpc::{Code, Error, get_status};

/// A moment.
pub(crate) fn timestamp(at: SystemTime) -> Timestamp {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp {
        seconds: since.as_secs() as i64,
        nanos: since.subsec_nanos() as i32,
        ..Timestamp::default()
    }
}

/// The longest text of an error, in bytes. containerd hands it on in a header of HTTP/2, and a client that gets one of
/// more than a few KiB closes the connection; modules can put names of any length into it.
const TEXT: usize = 2048;

/// The error of a call: containerd tells kinds apart by the code, and shows people the text.
pub(crate) fn error(code: Code, message: impl std::fmt::Display) -> Error {
    let mut message = message.to_string();
    if message.len() > TEXT {
        message.truncate(message.floor_char_boundary(TEXT));
        message.push('…');
    }
    Error::RpcStatus(get_status(code, message))
}

/// An error that has no kind of its own.
pub(crate) fn failed(message: impl std::fmt::Display) -> Error {
    error(Code::UNKNOWN, message)
}
