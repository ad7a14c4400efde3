//! Connections; grants `tcp:HOST:PORT`, `udp:HOST:PORT`, `unix:PATH`, `icmp:HOST`, `dns:NAME`.
//!
//! A [`Connection`] is `Read + Write` with timeouts, so that sync protocol crates work over it.

use crate::Error;
use crate::bindings::collector::watchglass::plugin::net as wit;
use std::io::{self, Read, Write};

pub use wit::{Certificate, Endpoint, IpVersion, OpenOptions, PingOptions, PingReply, Timings, TlsInfo, TlsOptions};

/// The most that one `read` call asks of the host.
const READ_MAX: usize = 64 << 10;

/// What was written is sent at the latest when so much has gathered.
const WRITE_BUFFER: usize = 16 << 10;

/// An open connection. Writes gather until `flush`, a read, or 16 KiB; a read gives what there is.
#[derive(Debug)]
pub struct Connection {
    raw: wit::Connection,
    timeout_ms: u32,
    unread: Vec<u8>,
    read_at: usize,
    unsent: Vec<u8>,
}

impl Connection {
    /// Opens a TCP connection; `timeout_ms` bounds the opening and then each read and write.
    pub fn tcp(host: &str, port: u16, timeout_ms: u32) -> Result<Connection, Error> {
        Connection::open(&Endpoint::Tcp((host.to_owned(), port)), &options(timeout_ms, None))
    }

    /// Opens a TCP connection with TLS.
    pub fn tls(host: &str, port: u16, timeout_ms: u32, tls: TlsOptions) -> Result<Connection, Error> {
        Connection::open(&Endpoint::Tcp((host.to_owned(), port)), &options(timeout_ms, Some(tls)))
    }

    /// Opens a unix socket.
    pub fn unix(path: &str, timeout_ms: u32) -> Result<Connection, Error> {
        Connection::open(&Endpoint::Unix(path.to_owned()), &options(timeout_ms, None))
    }

    /// Opens a connection with every option.
    pub fn open(to: &Endpoint, options: &OpenOptions) -> Result<Connection, Error> {
        let raw = wit::Connection::open(to, options)?;
        Ok(Connection { raw, timeout_ms: options.timeout_ms, unread: Vec::new(), read_at: 0, unsent: Vec::new() })
    }

    /// Sets how long each read and write may take from here on.
    pub fn set_timeout(&mut self, ms: u32) {
        self.timeout_ms = ms;
    }

    /// Goes on with TLS on a connection that began without (STARTTLS).
    pub fn start_tls(&mut self, options: &TlsOptions) -> Result<(), Error> {
        self.send()?;
        self.raw.start_tls(options, self.timeout_ms)
    }

    /// Gives the TLS session's version, cipher and certificates; `None` without TLS.
    pub fn tls_info(&self) -> Option<TlsInfo> {
        self.raw.tls()
    }

    /// Gives how long resolving, connecting and the TLS handshake took.
    pub fn timings(&self) -> Timings {
        self.raw.timings()
    }

    /// Gives the other side's address.
    pub fn peer(&self) -> String {
        self.raw.peer()
    }

    fn send(&mut self) -> Result<(), Error> {
        if self.unsent.is_empty() {
            return Ok(());
        }
        let data = std::mem::take(&mut self.unsent);
        self.raw.write_all(&data, self.timeout_ms)
    }
}

impl Read for Connection {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.send()?;
        if buf.is_empty() {
            return Ok(0);
        }
        if self.read_at >= self.unread.len() {
            self.unread = self.raw.read(READ_MAX as u32, self.timeout_ms)?;
            self.read_at = 0;
        }
        let rest = self.unread.get(self.read_at..).unwrap_or(&[]);
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        self.read_at += n;
        Ok(n)
    }
}

impl Write for Connection {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.unsent.extend_from_slice(buf);
        if self.unsent.len() >= WRITE_BUFFER {
            self.send()?;
        }
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(self.send()?)
    }
}

/// Gives the options of a plain connection.
pub fn options(timeout_ms: u32, tls: Option<TlsOptions>) -> OpenOptions {
    OpenOptions { tls, timeout_ms, ip: IpVersion::Any, source_address: None }
}

/// Gives the options of verified TLS.
pub fn tls_options() -> TlsOptions {
    TlsOptions {
        server_name: None,
        verify: true,
        ca: None,
        client_identity: None,
        client_key: None,
        alpn: Vec::new(),
        min_version: None,
        max_version: None,
    }
}

/// Sends one ICMP echo request and waits for its reply.
pub fn ping(host: &str, options: &PingOptions) -> Result<PingReply, Error> {
    wit::ping(host, options)
}

/// Gives the addresses of a name.
pub fn resolve(name: &str, ip: IpVersion, timeout_ms: u32) -> Result<Vec<String>, Error> {
    wit::resolve(name, ip, timeout_ms)
}

/// Splits `host:port`, `[v6]:port` or `host` (with the default port); an error says what was found.
pub fn split_host_port(address: &str, default_port: u16) -> Result<(String, u16), Error> {
    let bad = |why: &str| Error::BadConfig(format!("address `{address}`: {why}; allowed is host:port or [v6]:port"));
    let port = |p: &str| p.parse::<u16>().map_err(|_| bad(&format!("`{p}` is no port")));
    if let Some(rest) = address.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or_else(|| bad("the bracket is not closed"))?;
        return match rest.strip_prefix(':') {
            Some(p) => Ok((host.to_owned(), port(p)?)),
            None if rest.is_empty() => Ok((host.to_owned(), default_port)),
            None => Err(bad("text after the bracket")),
        };
    }
    match address.rsplit_once(':') {
        // More than one colon and no brackets: a bare IPv6 address.
        Some((host, _)) if host.contains(':') => Ok((address.to_owned(), default_port)),
        Some(("", _)) => Err(bad("the host is empty")),
        Some((host, p)) => Ok((host.to_owned(), port(p)?)),
        None if address.is_empty() => Err(bad("it is empty")),
        None => Ok((address.to_owned(), default_port)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_split() {
        let ok = |a: &str| split_host_port(a, 6379).unwrap();
        assert_eq!(ok("redis-1:6380"), ("redis-1".into(), 6380));
        assert_eq!(ok("redis-1"), ("redis-1".into(), 6379));
        assert_eq!(ok("[::1]:1"), ("::1".into(), 1));
        assert_eq!(ok("[::1]"), ("::1".into(), 6379));
        assert_eq!(ok("::1"), ("::1".into(), 6379));
        for bad in ["", ":1", "a:b", "a:70000", "[::1", "[::1]x"] {
            assert!(split_host_port(bad, 1).is_err(), "{bad}");
        }
    }
}
