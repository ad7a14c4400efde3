//! The plugin's log: the host writes it beside its own, bounded. Natively it goes to stderr.

pub use crate::bindings::collector::watchglass::plugin::log::Level;

/// Writes a line.
pub fn write(level: Level, message: &str) {
    #[cfg(target_arch = "wasm32")]
    crate::bindings::collector::watchglass::plugin::log::write(level, message);
    #[cfg(not(target_arch = "wasm32"))]
    eprintln!("{level:?}: {message}");
}

/// Writes what only matters when something is being looked into.
pub fn debug(message: &str) {
    write(Level::Debug, message);
}

/// Writes what an operator may want to know.
pub fn info(message: &str) {
    write(Level::Info, message);
}

/// Writes what was unexpected; nothing was lost.
pub fn warn(message: &str) {
    write(Level::Warn, message);
}

/// Writes that data was lost.
pub fn error(message: &str) {
    write(Level::Error, message);
}
