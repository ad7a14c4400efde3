//! HTTP.

use wasmtime::component::Resource;

use super::errors::Error;
use crate::bindings::wit::http::{Host, HostBody, Request, Response};
use crate::state::State;

/// What a plugin's handle of a body stands for.
pub enum Body {}

/// A body.
pub(crate) struct BodySlot;

impl BodySlot {
    /// What is left of it.
    pub(crate) async fn into_bytes(self, _: std::time::Duration) -> Result<bytes::Bytes, Error> {
        Err(Error::Unsupported("not yet".into()))
    }
}

impl Host for State {
    async fn send(&mut self, _: Request) -> wasmtime::Result<Result<Response, Error>> {
        Ok(Err(Error::Unsupported("not yet".into())))
    }
}

impl HostBody for State {
    async fn read(&mut self, _: Resource<Body>, _: u32) -> wasmtime::Result<Result<Vec<u8>, Error>> {
        Ok(Err(Error::Unsupported("not yet".into())))
    }
    async fn read_text(&mut self, _: Resource<Body>, _: u32) -> wasmtime::Result<Result<String, Error>> {
        Ok(Err(Error::Unsupported("not yet".into())))
    }
    async fn trailers(&mut self, _: Resource<Body>) -> wasmtime::Result<Vec<(String, String)>> {
        Ok(Vec::new())
    }
    async fn received(&mut self, _: Resource<Body>) -> wasmtime::Result<u64> {
        Ok(0)
    }
    async fn transfer_ns(&mut self, _: Resource<Body>) -> wasmtime::Result<u64> {
        Ok(0)
    }
    async fn drop(&mut self, b: Resource<Body>) -> wasmtime::Result<()> {
        self.bodies.take(b.rep());
        Ok(())
    }
}
