//! Conversions and words for the contract's error.

use crate::Error;
use std::fmt;
use std::io;

impl Error {
    /// Says what happened, in words. (The generated `Display` prints the variant's debug form.)
    pub fn message(&self) -> String {
        match self {
            Error::NotFound(why) => format!("not found: {why}"),
            Error::Denied(why) => format!("denied: {why}"),
            Error::Forbidden(why) => format!("forbidden: {why}"),
            Error::Unsupported(why) => format!("not supported: {why}"),
            Error::Unavailable(why) => format!("unavailable: {why}"),
            Error::TimedOut => "timed out".to_owned(),
            Error::TooLarge(why) => format!("too large: {why}"),
            Error::BadConfig(why) => format!("bad config: {why}"),
            Error::Protocol(why) => format!("protocol error: {why}"),
            Error::Other(why) => why.clone(),
        }
    }

    /// Tells whether the thing asked for is simply not there, which for many a file is no fault.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Error::NotFound(_))
    }

    /// Tells whether the host withheld it, or the operating system withheld it from the host.
    pub fn is_refused(&self) -> bool {
        matches!(self, Error::Denied(_) | Error::Forbidden(_))
    }

    /// Makes an error about what was read: it is not what the protocol or format promises.
    pub fn protocol(why: impl fmt::Display) -> Error {
        Error::Protocol(why.to_string())
    }

    /// Makes an error of no particular kind.
    pub fn other(why: impl fmt::Display) -> Error {
        Error::Other(why.to_string())
    }
}

/// For `Read` and `Write` over a connection: the contract's error travels inside.
impl From<Error> for io::Error {
    fn from(e: Error) -> io::Error {
        let kind = match &e {
            Error::NotFound(_) => io::ErrorKind::NotFound,
            Error::Denied(_) | Error::Forbidden(_) => io::ErrorKind::PermissionDenied,
            Error::Unsupported(_) => io::ErrorKind::Unsupported,
            Error::TooLarge(_) => io::ErrorKind::FileTooLarge,
            Error::Unavailable(_) => io::ErrorKind::ConnectionAborted,
            Error::TimedOut => io::ErrorKind::TimedOut,
            Error::BadConfig(_) => io::ErrorKind::InvalidInput,
            Error::Protocol(_) => io::ErrorKind::InvalidData,
            Error::Other(_) => io::ErrorKind::Other,
        };
        io::Error::new(kind, e)
    }
}

/// Gives back what `From<Error> for io::Error` put in; sorts std's own errors by kind.
impl From<io::Error> for Error {
    fn from(e: io::Error) -> Error {
        if let Some(inner) = e.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
            return inner.clone();
        }
        match e.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Error::NotFound(e.to_string()),
            io::ErrorKind::PermissionDenied => Error::Forbidden(e.to_string()),
            io::ErrorKind::Unsupported => Error::Unsupported(e.to_string()),
            io::ErrorKind::FileTooLarge => Error::TooLarge(e.to_string()),
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Error::TimedOut,
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Error::Protocol(e.to_string()),
            io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => Error::Unavailable(e.to_string()),
            _ => Error::Other(e.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_survive_the_way_through_io() {
        for e in [Error::TimedOut, Error::Denied("tcp:a:1".into()), Error::Protocol("bad frame".into())] {
            assert_eq!(Error::from(io::Error::from(e.clone())), e);
        }
        assert_eq!(Error::from(io::Error::from(io::ErrorKind::TimedOut)), Error::TimedOut);
    }
}
