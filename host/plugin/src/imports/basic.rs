//! Types, clock, randomness, secrets.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::errors::Error;
use crate::bindings::wit::{clock, meta, random, secrets, types};
use crate::state::{Shared, State};

impl types::Host for State {}
impl meta::Host for State {}

impl clock::Host for State {
    async fn now(&mut self) -> wasmtime::Result<i64> {
        // The plugins' own clock; the host's decisions never hang on it.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    async fn monotonic_ns(&mut self) -> wasmtime::Result<u64> {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        Ok((time.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as u64))
    }
}

/// Most random bytes of one call.
const MAX_RANDOM: u32 = 65_536;

impl random::Host for State {
    async fn bytes(&mut self, n: u32) -> wasmtime::Result<Vec<u8>> {
        let mut bytes = vec![0; n.min(MAX_RANDOM) as usize];
        fill_random(&mut bytes).map_err(wasmtime::Error::msg)?;
        Ok(bytes)
    }
}

/// Fills with random bytes of the cryptographic kind.
pub(super) fn fill_random(bytes: &mut [u8]) -> Result<(), String> {
    let random = rustls::crypto::aws_lc_rs::default_provider().secure_random;
    random.fill(bytes).map_err(|_| "the system gives no random bytes".into())
}

impl secrets::Host for State {
    async fn get(&mut self, name: String) -> wasmtime::Result<Result<String, Error>> {
        if let Err(denied) = self.allow(|g| g.secret(&name)) {
            return Ok(Err(denied.into()));
        }
        Ok(read_secret(self.shared.clone(), &name).await)
    }
}

/// The value of a secret that is granted.
pub(super) async fn read_secret(shared: Arc<Shared>, name: &str) -> Result<String, Error> {
    let wanted = name.to_owned();
    // It may be in a file.
    let read = tokio::task::spawn_blocking(move || shared.secrets.get(&wanted)).await;
    match read {
        Ok(Some(Ok(value))) => Ok(value),
        Ok(Some(Err(why))) => Err(Error::Unavailable(why)),
        Ok(None) => Err(Error::NotFound(format!("secret \"{name}\" is not configured"))),
        Err(e) => Err(Error::Other(format!("secret \"{name}\": {e}"))),
    }
}
