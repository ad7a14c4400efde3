//! Connections.

use std::time::{Duration, Instant};

use bytes::BufMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UdpSocket;
use wasmtime::component::Resource;

use super::dial::{Way, lookup, nanos, until};
use super::errors::{Error, of_io};
use super::tls::{Duplex, handshake};
use crate::bindings::wit::net::{
    Endpoint, Host, HostConnection, IpVersion, OpenOptions, PingOptions, PingReply, Timings, TlsInfo, TlsOptions,
};
use crate::manifest::Capability;
use crate::state::State;

/// What a plugin's handle of a connection stands for.
#[allow(unreachable_pub, reason = "the generated bindings export it again")]
pub enum Connection {}

/// Bytes that one read may give.
const MAX_READ: u32 = 16 << 20;

/// What a connection is made of.
enum Io {
    Stream(Box<dyn Duplex>),
    Udp(UdpSocket),
    /// A TLS handshake went wrong on it.
    Broken,
}

/// A connection.
pub(crate) struct ConnectionSlot {
    io: Io,
    host: String,
    peer: String,
    tls: Option<TlsInfo>,
    timings: Timings,
}

impl State {
    async fn open_connection(&mut self, to: Endpoint, options: OpenOptions) -> Result<u32, Error> {
        if !self.connections.has_room() {
            return Err(Error::TooLarge(format!("more than {} open connections", self.shared.limits.connections)));
        }
        let at = Instant::now() + self.time(options.timeout_ms);
        let source = options.source_address.as_deref();
        let way = |kind, host, port| Way { kind, host, port, ip: options.ip, source, until: at };
        let mut slot = match &to {
            Endpoint::Tcp((host, port)) => {
                self.allow(|g| g.connect(Capability::Tcp, host, *port))?;
                let made = self.dial_tcp(&way(Capability::Tcp, host, *port)).await?;
                let timings = timings(made.resolve, made.connect);
                slot(Io::Stream(Box::new(made.socket)), host, made.peer.to_string(), timings)
            }
            Endpoint::Udp((host, port)) => {
                self.allow(|g| g.connect(Capability::Udp, host, *port))?;
                let made = self.dial_udp(&way(Capability::Udp, host, *port)).await?;
                slot(Io::Udp(made.socket), host, made.peer.to_string(), timings(made.resolve, made.connect))
            }
            Endpoint::Unix(path) => {
                let (stream, took) = self.dial_unix(path, at).await?;
                slot(Io::Stream(Box::new(stream)), "localhost", path.clone(), timings(Duration::ZERO, took))
            }
        };
        if let Some(tls) = &options.tls {
            let prepared = self.prepare_tls(tls, &slot.host, &[]).await?;
            slot.start_tls(&prepared, at).await?;
        }
        let full = || Error::TooLarge("too many open connections".into());
        self.connections.put(slot).ok_or_else(full)
    }

    fn connection(&mut self, handle: &Resource<Connection>) -> Result<&mut ConnectionSlot, Error> {
        let gone = || Error::Other("this connection is not open".into());
        self.connections.get(handle.rep()).ok_or_else(gone)
    }
}

fn slot(io: Io, host: &str, peer: String, timings: Timings) -> ConnectionSlot {
    ConnectionSlot { io, host: host.to_owned(), peer, tls: None, timings }
}

fn timings(resolve: Duration, connect: Duration) -> Timings {
    Timings { resolve_ns: nanos(resolve), connect_ns: nanos(connect), tls_ns: 0 }
}

impl ConnectionSlot {
    async fn start_tls(&mut self, prepared: &super::tls::Prepared, at: Instant) -> Result<(), Error> {
        let began = Instant::now();
        let plain = match std::mem::replace(&mut self.io, Io::Broken) {
            Io::Stream(stream) if self.tls.is_none() => stream,
            other => {
                self.io = other;
                return Err(Error::Unsupported(format!("{}: tls on this connection", self.peer)));
            }
        };
        let (stream, info) = until(at, handshake(prepared, plain)).await.map_err(|e| about(&self.peer, e))?;
        self.io = Io::Stream(Box::new(stream));
        self.tls = Some(info);
        self.timings.tls_ns = nanos(began.elapsed());
        Ok(())
    }

    async fn write_all(&mut self, data: &[u8]) -> Result<(), Error> {
        let done = match &mut self.io {
            Io::Stream(stream) => {
                async {
                    stream.write_all(data).await?;
                    stream.flush().await
                }
                .await
            }
            Io::Udp(socket) => socket.send(data).await.map(drop),
            Io::Broken => return Err(broken()),
        };
        done.map_err(|e| of_io(&self.peer, &e))
    }

    async fn read(&mut self, max: usize) -> Result<Vec<u8>, Error> {
        match &mut self.io {
            Io::Stream(stream) => {
                let mut bytes = Vec::with_capacity(max.min(64 << 10)).limit(max);
                stream.read_buf(&mut bytes).await.map_err(|e| of_io(&self.peer, &e))?;
                Ok(bytes.into_inner())
            }
            Io::Udp(socket) => {
                // What is longer than the buffer is lost with a datagram: the buffer holds the longest.
                let mut bytes = vec![0; 65_536];
                let n = socket.recv(&mut bytes).await.map_err(|e| of_io(&self.peer, &e))?;
                bytes.truncate(n.min(max));
                Ok(bytes)
            }
            Io::Broken => Err(broken()),
        }
    }

    async fn read_exact(&mut self, n: usize) -> Result<Vec<u8>, Error> {
        let Io::Stream(stream) = &mut self.io else {
            return Err(Error::Unsupported("read-exact on datagrams".into()));
        };
        // Grows with what really comes: the number alone takes no memory.
        let mut bytes = Vec::new();
        let got = stream.take(n as u64).read_to_end(&mut bytes).await.map_err(|e| of_io(&self.peer, &e))?;
        if got < n {
            return Err(Error::Unavailable(format!("{}: closed after {got} of {n} bytes", self.peer)));
        }
        Ok(bytes)
    }
}

fn broken() -> Error {
    Error::Unavailable("the connection broke when it went over to tls".into())
}

/// The error with who it is about.
fn about(peer: &str, error: Error) -> Error {
    match error {
        Error::Protocol(text) => Error::Protocol(format!("{peer}: {text}")),
        Error::Unavailable(text) => Error::Unavailable(format!("{peer}: {text}")),
        other => other,
    }
}

impl Host for State {
    async fn ping(&mut self, host: String, options: PingOptions) -> wasmtime::Result<Result<PingReply, Error>> {
        Ok(self.ping_host(&host, &options).await)
    }

    async fn resolve(
        &mut self,
        name: String,
        ip: IpVersion,
        timeout_ms: u32,
    ) -> wasmtime::Result<Result<Vec<String>, Error>> {
        if let Err(denied) = self.allow(|g| g.host(Capability::Dns, &name)) {
            return Ok(Err(denied.into()));
        }
        let at = Instant::now() + self.time(timeout_ms);
        let found = until(at, lookup(&name, 0, ip)).await;
        Ok(found.map(|list| list.into_iter().map(|a| a.ip().to_string()).collect()))
    }
}

impl HostConnection for State {
    async fn open(
        &mut self,
        to: Endpoint,
        options: OpenOptions,
    ) -> wasmtime::Result<Result<Resource<Connection>, Error>> {
        Ok(self.open_connection(to, options).await.map(Resource::new_own))
    }

    async fn write_all(
        &mut self,
        handle: Resource<Connection>,
        data: Vec<u8>,
        timeout_ms: u32,
    ) -> wasmtime::Result<Result<(), Error>> {
        let at = Instant::now() + self.time(timeout_ms);
        Ok(match self.connection(&handle) {
            Ok(connection) => until(at, connection.write_all(&data)).await,
            Err(e) => Err(e),
        })
    }

    async fn read(
        &mut self,
        handle: Resource<Connection>,
        max: u32,
        timeout_ms: u32,
    ) -> wasmtime::Result<Result<Vec<u8>, Error>> {
        let at = Instant::now() + self.time(timeout_ms);
        let max = (max.min(MAX_READ) as usize).min(self.room()).max(1);
        let read = match self.connection(&handle) {
            Ok(connection) => until(at, connection.read(max)).await,
            Err(e) => Err(e),
        };
        self.given += read.as_ref().map_or(0, |b| b.len() as u64);
        Ok(read)
    }

    async fn read_exact(
        &mut self,
        handle: Resource<Connection>,
        n: u32,
        timeout_ms: u32,
    ) -> wasmtime::Result<Result<Vec<u8>, Error>> {
        if n as usize > self.room() || n > MAX_READ {
            return Ok(Err(Error::TooLarge(format!("reading {n} bytes at once"))));
        }
        let at = Instant::now() + self.time(timeout_ms);
        let read = match self.connection(&handle) {
            Ok(connection) => until(at, connection.read_exact(n as usize)).await,
            Err(e) => Err(e),
        };
        self.given += read.as_ref().map_or(0, |b| b.len() as u64);
        Ok(read)
    }

    async fn start_tls(
        &mut self,
        handle: Resource<Connection>,
        options: TlsOptions,
        timeout_ms: u32,
    ) -> wasmtime::Result<Result<(), Error>> {
        let at = Instant::now() + self.time(timeout_ms);
        let host = match self.connection(&handle) {
            Ok(connection) => connection.host.clone(),
            Err(e) => return Ok(Err(e)),
        };
        let prepared = match self.prepare_tls(&options, &host, &[]).await {
            Ok(prepared) => prepared,
            Err(e) => return Ok(Err(e)),
        };
        Ok(match self.connection(&handle) {
            Ok(connection) => connection.start_tls(&prepared, at).await,
            Err(e) => Err(e),
        })
    }

    async fn tls(&mut self, handle: Resource<Connection>) -> wasmtime::Result<Option<TlsInfo>> {
        Ok(self.connection(&handle).ok().and_then(|c| c.tls.clone()))
    }

    async fn timings(&mut self, handle: Resource<Connection>) -> wasmtime::Result<Timings> {
        let none = Timings { resolve_ns: 0, connect_ns: 0, tls_ns: 0 };
        Ok(self.connection(&handle).map_or(none, |c| c.timings))
    }

    async fn peer(&mut self, handle: Resource<Connection>) -> wasmtime::Result<String> {
        Ok(self.connection(&handle).map_or_else(|_| String::new(), |c| c.peer.clone()))
    }

    async fn drop(&mut self, handle: Resource<Connection>) -> wasmtime::Result<()> {
        self.connections.take(handle.rep());
        Ok(())
    }
}
