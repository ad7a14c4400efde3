//! Connections.

use wasmtime::component::Resource;

use super::errors::Error;
use crate::bindings::wit::net::{
    Endpoint, Host, HostConnection, IpVersion, OpenOptions, PingOptions, PingReply, Timings, TlsInfo, TlsOptions,
};
use crate::state::State;

/// What a plugin's handle of a connection stands for.
pub enum Connection {}

/// A connection.
pub(crate) struct ConnectionSlot;

impl Host for State {
    async fn ping(&mut self, _: String, _: PingOptions) -> wasmtime::Result<Result<PingReply, Error>> {
        Ok(Err(Error::Unsupported("not yet".into())))
    }
    async fn resolve(&mut self, _: String, _: IpVersion, _: u32) -> wasmtime::Result<Result<Vec<String>, Error>> {
        Ok(Err(Error::Unsupported("not yet".into())))
    }
}

impl HostConnection for State {
    async fn open(&mut self, _: Endpoint, _: OpenOptions) -> wasmtime::Result<Result<Resource<Connection>, Error>> {
        Ok(Err(Error::Unsupported("not yet".into())))
    }
    async fn write_all(&mut self, _: Resource<Connection>, _: Vec<u8>, _: u32) -> wasmtime::Result<Result<(), Error>> {
        Ok(Err(Error::Unsupported("not yet".into())))
    }
    async fn read(&mut self, _: Resource<Connection>, _: u32, _: u32) -> wasmtime::Result<Result<Vec<u8>, Error>> {
        Ok(Err(Error::Unsupported("not yet".into())))
    }
    async fn read_exact(&mut self, _: Resource<Connection>, _: u32, _: u32) -> wasmtime::Result<Result<Vec<u8>, Error>> {
        Ok(Err(Error::Unsupported("not yet".into())))
    }
    async fn start_tls(&mut self, _: Resource<Connection>, _: TlsOptions, _: u32) -> wasmtime::Result<Result<(), Error>> {
        Ok(Err(Error::Unsupported("not yet".into())))
    }
    async fn tls(&mut self, _: Resource<Connection>) -> wasmtime::Result<Option<TlsInfo>> {
        Ok(None)
    }
    async fn timings(&mut self, _: Resource<Connection>) -> wasmtime::Result<Timings> {
        Ok(Timings { resolve_ns: 0, connect_ns: 0, tls_ns: 0 })
    }
    async fn peer(&mut self, _: Resource<Connection>) -> wasmtime::Result<String> {
        Ok(String::new())
    }
    async fn drop(&mut self, c: Resource<Connection>) -> wasmtime::Result<()> {
        self.connections.take(c.rep());
        Ok(())
    }
}
