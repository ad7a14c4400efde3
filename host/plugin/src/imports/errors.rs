//! From the system's errors to the contract's.

use std::fmt::Display;
use std::io;

use rustix::io::Errno;

pub(crate) use crate::bindings::wit::types::Error;
use crate::grant::Denied;

impl From<Denied> for Error {
    fn from(denied: Denied) -> Error {
        Error::Denied(denied.to_string())
    }
}

/// An error of a system call about something.
pub(crate) fn of_errno(about: impl Display, errno: Errno) -> Error {
    of_io(about, &io::Error::from(errno))
}

/// An I/O error about something.
pub(crate) fn of_io(about: impl Display, error: &io::Error) -> Error {
    use io::ErrorKind as Kind;
    let text = format!("{about}: {}", plain(error));
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    match (error.kind(), errno) {
        (_, Some(Errno::NOENT | Errno::NODEV | Errno::NXIO | Errno::SRCH)) => Error::NotFound(text),
        (_, Some(Errno::ACCESS | Errno::PERM)) => Error::Forbidden(text),
        (_, Some(Errno::NOSYS | Errno::OPNOTSUPP | Errno::NOTTY | Errno::PROTONOSUPPORT | Errno::AFNOSUPPORT)) => {
            Error::Unsupported(text)
        }
        (Kind::NotFound, _) => Error::NotFound(text),
        (Kind::PermissionDenied, _) => Error::Forbidden(text),
        (Kind::Unsupported, _) => Error::Unsupported(text),
        (Kind::TimedOut, _) => Error::TimedOut,
        (
            Kind::ConnectionRefused
            | Kind::ConnectionReset
            | Kind::ConnectionAborted
            | Kind::NotConnected
            | Kind::HostUnreachable
            | Kind::NetworkUnreachable
            | Kind::NetworkDown
            | Kind::AddrNotAvailable
            | Kind::BrokenPipe
            | Kind::UnexpectedEof
            | Kind::WouldBlock,
            _,
        ) => Error::Unavailable(text),
        (Kind::InvalidData, _) => Error::Protocol(text),
        _ => Error::Other(text),
    }
}

/// The error's text without Rust's "(os error 2)", in lower case.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => text.to_owned(),
    }
}
