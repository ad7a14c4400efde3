//! From a name to a connected socket, within grants.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::net::{TcpSocket, TcpStream, UdpSocket, UnixStream};

use super::errors::{Error, of_io};
use crate::bindings::wit::net::IpVersion;
use crate::grant::bare_host;
use crate::manifest::Capability;
use crate::state::State;

/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 16;

/// Where a connection goes, and what it was granted as.
pub(super) struct Way<'a> {
    /// The kind that the addresses are checked as; the name was checked by the caller.
    pub(super) kind: Capability,
    /// Name or address.
    pub(super) host: &'a str,
    /// Port.
    pub(super) port: u16,
    /// Which IP.
    pub(super) ip: IpVersion,
    /// Our own address.
    pub(super) source: Option<&'a str>,
    /// When it has to stand.
    pub(super) until: Instant,
}

/// A connected socket.
pub(super) struct Dialled<S> {
    pub(super) socket: S,
    pub(super) peer: SocketAddr,
    pub(super) resolve: Duration,
    pub(super) connect: Duration,
}

/// Runs something that has to be over at a time.
pub(super) async fn until<T>(at: Instant, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    match tokio::time::timeout_at(at.into(), work).await {
        Ok(done) => done,
        Err(_) => Err(Error::TimedOut),
    }
}

/// The addresses of a host, in the order in which they are to be tried. An address is its own.
pub(super) async fn lookup(host: &str, port: u16, ip: IpVersion) -> Result<Vec<SocketAddr>, Error> {
    let host = bare_host(host);
    let found: Vec<SocketAddr> = match host.parse::<IpAddr>() {
        Ok(address) => vec![SocketAddr::new(address, port)],
        Err(_) => tokio::net::lookup_host((host, port)).await.map_err(|e| unresolved(host, &e))?.collect(),
    };
    let wanted = |a: &SocketAddr| match ip {
        IpVersion::Only4 => a.is_ipv4(),
        IpVersion::Only6 => a.is_ipv6(),
        _ => true,
    };
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in found.into_iter().filter(wanted) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    match ip {
        IpVersion::Prefer4 => addresses.sort_by_key(SocketAddr::is_ipv6),
        IpVersion::Prefer6 => addresses.sort_by_key(SocketAddr::is_ipv4),
        _ => {}
    }
    addresses.truncate(MAX_ADDRESSES);
    if addresses.is_empty() {
        return Err(Error::NotFound(format!("{host}: no address of the wanted IP version")));
    }
    Ok(addresses)
}

/// The resolver's own error kinds tell little: its texts say what happened.
fn unresolved(host: &str, error: &io::Error) -> Error {
    let text = error.to_string();
    let known = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text);
    match known {
        "Temporary failure in name resolution" | "System error" => Error::Unavailable(format!("{host}: {known}")),
        other => Error::NotFound(format!("{host}: {}", other.to_lowercase())),
    }
}

impl State {
    /// The addresses of a host that may be spoken to.
    async fn ways(&mut self, way: &Way<'_>) -> Result<(Vec<SocketAddr>, Duration), Error> {
        let began = Instant::now();
        let found = lookup(way.host, way.port, way.ip).await?;
        let resolve = began.elapsed();
        let mut allowed = Vec::new();
        let mut refused = None;
        for address in found {
            match self.allow(|g| g.address(way.kind, address.ip(), way.port)) {
                Ok(()) => allowed.push(address),
                Err(denied) => refused = Some(denied),
            }
        }
        match (allowed.is_empty(), refused) {
            (true, Some(denied)) => Err(denied.into()),
            _ => Ok((allowed, resolve)),
        }
    }

    /// Connects by TCP: one address after the other, each with a share of the time that is left.
    pub(super) async fn dial_tcp(&mut self, way: &Way<'_>) -> Result<Dialled<TcpStream>, Error> {
        let (addresses, resolve) = until(way.until, self.ways(way)).await?;
        let began = Instant::now();
        let mut failed = Error::TimedOut;
        let count = addresses.len() as u32;
        for (i, peer) in addresses.into_iter().enumerate() {
            let left = way.until.saturating_duration_since(Instant::now());
            let share = left / (count - i as u32);
            let source = source_for(way.source, peer)?;
            match tokio::time::timeout(share, connect(peer, source)).await {
                Ok(Ok(socket)) => {
                    // Requests are written whole: waiting for more to send with them only costs time.
                    let _ = socket.set_nodelay(true);
                    return Ok(Dialled { socket, peer, resolve, connect: began.elapsed() });
                }
                Ok(Err(e)) => failed = of_io(format_args!("{}:{} ({peer})", way.host, way.port), &e),
                Err(_) => failed = Error::TimedOut,
            }
        }
        Err(failed)
    }

    /// Binds a UDP socket to the first address of a host.
    pub(super) async fn dial_udp(&mut self, way: &Way<'_>) -> Result<Dialled<UdpSocket>, Error> {
        let (addresses, resolve) = until(way.until, self.ways(way)).await?;
        let began = Instant::now();
        let Some(peer) = addresses.first().copied() else { return Err(Error::NotFound(way.host.to_owned())) };
        let any: SocketAddr = if peer.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
        let source = source_for(way.source, peer)?.unwrap_or(any);
        let bound = async {
            let socket = UdpSocket::bind(source).await?;
            socket.connect(peer).await?;
            Ok::<_, io::Error>(socket)
        };
        let socket = bound.await.map_err(|e| of_io(format_args!("{}:{} ({peer})", way.host, way.port), &e))?;
        Ok(Dialled { socket, peer, resolve, connect: began.elapsed() })
    }

    /// Connects to a unix socket.
    pub(super) async fn dial_unix(&mut self, path: &str, at: Instant) -> Result<(UnixStream, Duration), Error> {
        let began = Instant::now();
        let wanted = path.to_owned();
        // Looking at a path may block on a mount.
        let real = tokio::task::spawn_blocking(move || std::fs::canonicalize(wanted));
        let real = until(at, async { real.await.map_err(|e| Error::Other(format!("{path}: {e}"))) }).await?;
        let real = match real {
            Ok(real) => real,
            // Whether something is there is told of granted places alone.
            Err(e) => {
                self.allow(|g| g.unix(Path::new(path)))?;
                return Err(of_io(path, &e));
            }
        };
        self.allow(|g| g.unix(&real))?;
        let stream = until(at, async { UnixStream::connect(&real).await.map_err(|e| of_io(path, &e)) }).await?;
        Ok((stream, began.elapsed()))
    }
}

fn source_for(source: Option<&str>, peer: SocketAddr) -> Result<Option<SocketAddr>, Error> {
    let Some(text) = source else { return Ok(None) };
    let address: IpAddr =
        text.parse().map_err(|_| Error::BadConfig(format!("source address \"{text}\" is no IP address")))?;
    if address.is_ipv4() != peer.is_ipv4() {
        return Err(Error::BadConfig(format!("source address {address} can't reach {}", peer.ip())));
    }
    Ok(Some(SocketAddr::new(address, 0)))
}

async fn connect(peer: SocketAddr, source: Option<SocketAddr>) -> io::Result<TcpStream> {
    let socket = if peer.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(source) = source {
        socket.bind(source)?;
    }
    socket.connect(peer).await
}

/// Nanoseconds for the contract.
pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
