//! Texts that users hand us: YAML and TOML files with places in them, Go templates, Go's formats of numbers and times.
//!
//! Synchronous, no I/O (save the time zone database, read when a template asks for a zone), no clock.

mod de;
mod error;
pub mod gofmt;
pub mod gotime;
pub mod template;
pub mod toml;
pub mod yaml;

pub use de::Spanned;
pub use error::{TextError, nearest};
