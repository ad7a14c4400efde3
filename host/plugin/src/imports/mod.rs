//! The contract's imports: what a plugin may ask of the host.
//!
//! Every function checks its grant before it does anything, takes no longer than the call still has, and gives an error value for whatever goes
//! wrong; only a bug of ours traps.

mod basic;
mod body;
mod dial;
pub(crate) mod errors;
mod files;
mod http;
mod log;
mod mounts;
mod net;
mod ping;
mod slots;
mod system;
mod tls;
mod wasi;

#[allow(unreachable_pub, reason = "the generated bindings export it again")]
pub use body::Body;
pub(crate) use body::BodySlot;
pub(crate) use log::LogSink;
pub(crate) use mounts::Mounts;
#[allow(unreachable_pub, reason = "the generated bindings export it again")]
pub use net::Connection;
pub(crate) use net::ConnectionSlot;
pub(crate) use slots::Slots;
pub(crate) use tls::Tls;
pub(crate) use wasi::wasi_shell;
