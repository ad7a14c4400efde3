//! Secrets by name; grants `secret:NAME`.

use crate::Error;
use crate::bindings::collector::watchglass::plugin::secrets as wit;

/// Gives the text of the secret `name`.
pub fn get(name: &str) -> Result<String, Error> {
    wit::get(name)
}
