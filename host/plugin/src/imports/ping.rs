//! Pings.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::UdpSocket;

use super::dial::{lookup, nanos, until};
use super::errors::{Error, of_io};
use crate::bindings::wit::net::{PingOptions, PingReply};
use crate::manifest::Capability;
use crate::state::State;

/// Longest payload: what an IPv4 packet holds beside its headers.
const MAX_PAYLOAD: u16 = 65_507;

impl State {
    /// Sends one echo request and waits for its reply.
    pub(super) async fn ping_host(&mut self, host: &str, options: &PingOptions) -> Result<PingReply, Error> {
        self.allow(|g| g.host(Capability::Icmp, host))?;
        let at = Instant::now() + self.time(options.timeout_ms);
        let began = Instant::now();
        let found = until(at, lookup(host, 0, options.ip)).await?;
        let resolve = began.elapsed();
        let mut refused = None;
        let mut allowed = None;
        for address in found {
            match self.allow(|g| g.address(Capability::Icmp, address.ip(), 0)) {
                Ok(()) => {
                    allowed = Some(address);
                    break;
                }
                Err(denied) => refused = Some(denied),
            }
        }
        let Some(address) = allowed else {
            return Err(refused.map_or_else(|| Error::NotFound(host.to_owned()), Error::from));
        };
        let reply = until(at, async {
            exchange(address, options).await.map_err(|e| of_io(format_args!("{host} ({})", address.ip()), &e))
        })
        .await?;
        Ok(PingReply { resolve_ns: nanos(resolve), ..reply })
    }
}

/// An ICMP socket: raw, which tells the reply's TTL, else the kind that the kernel lets anybody open (net.ipv4.ping_group_range).
struct Icmp {
    /// To the runtime one socket for packets is like another: it only sends and receives.
    socket: UdpSocket,
    raw: bool,
}

fn open(address: SocketAddr, options: &PingOptions) -> io::Result<Icmp> {
    let (domain, protocol) =
        if address.is_ipv4() { (Domain::IPV4, Protocol::ICMPV4) } else { (Domain::IPV6, Protocol::ICMPV6) };
    let (socket, raw) = match Socket::new(domain, Type::RAW, Some(protocol)) {
        Ok(socket) => (socket, true),
        Err(_) => (Socket::new(domain, Type::DGRAM, Some(protocol))?, false),
    };
    socket.set_nonblocking(true)?;
    if let Some(ttl) = options.ttl {
        if address.is_ipv4() {
            socket.set_ttl_v4(u32::from(ttl))?
        } else {
            socket.set_unicast_hops_v6(u32::from(ttl))?
        }
    }
    if options.dont_fragment && address.is_ipv4() {
        let how = rustix::net::sockopt::Ipv4PathMtuDiscovery::DO;
        rustix::net::sockopt::set_ip_mtu_discover(&socket, how)?;
    }
    if let Some(text) = &options.source_address {
        let source: IpAddr = text
            .parse()
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, format!("source address \"{text}\"")))?;
        socket.bind(&SockAddr::from(SocketAddr::new(source, 0)))?;
    }
    // Only what comes from there is read then.
    socket.connect(&SockAddr::from(SocketAddr::new(address.ip(), 0)))?;
    Ok(Icmp { socket: UdpSocket::from_std(socket.into())?, raw })
}

async fn exchange(address: SocketAddr, options: &PingOptions) -> io::Result<PingReply> {
    let began = Instant::now();
    let icmp = open(address, options)?;
    let (id, seq) = numbers()?;
    let v4 = address.is_ipv4();
    let request = request(v4, id, seq, options.payload_size.min(MAX_PAYLOAD));
    let setup = began.elapsed();
    let sent = Instant::now();
    icmp.socket.send(&request).await?;
    let mut buffer = vec![0u8; 66_000];
    loop {
        let n = icmp.socket.recv(&mut buffer).await?;
        let rtt = sent.elapsed();
        if let Some((ttl, payload)) = answer(&buffer[..n], v4, icmp.raw, id, seq)? {
            return Ok(PingReply {
                resolve_ns: 0,
                setup_ns: nanos(setup),
                rtt_ns: nanos(rtt),
                ttl,
                bytes: payload,
                from_address: address.ip().to_string(),
            });
        }
    }
}

/// What tells our request from others'.
fn numbers() -> io::Result<(u16, u16)> {
    let mut bytes = [0; 4];
    super::basic::fill_random(&mut bytes).map_err(io::Error::other)?;
    Ok((u16::from_be_bytes([bytes[0], bytes[1]]), u16::from_be_bytes([bytes[2], bytes[3]])))
}

/// An echo request (RFC 792, RFC 4443). The kernel sums up ICMPv6 itself.
fn request(v4: bool, id: u16, seq: u16, payload: u16) -> Vec<u8> {
    let mut packet = vec![if v4 { 8 } else { 128 }, 0, 0, 0];
    packet.extend_from_slice(&id.to_be_bytes());
    packet.extend_from_slice(&seq.to_be_bytes());
    packet.extend((0..payload).map(|i| i as u8));
    if v4 {
        let sum = checksum(&packet).to_be_bytes();
        packet[2..4].copy_from_slice(&sum);
    }
    packet
}

/// The Internet checksum (RFC 1071).
fn checksum(packet: &[u8]) -> u16 {
    let mut sum: u32 = packet
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)])))
        .fold(0, u32::wrapping_add);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// TTL and payload's length if a packet is the reply to our request. Errors: it tells that the target can't be reached.
fn answer(packet: &[u8], v4: bool, raw: bool, id: u16, seq: u16) -> io::Result<Option<(u8, u32)>> {
    // A raw socket of IPv4 gives the IP header too.
    let (ttl, icmp) = match packet.first() {
        Some(first) if v4 && raw => {
            let length = usize::from(first & 15) * 4;
            (packet.get(8).copied().unwrap_or(0), packet.get(length..).unwrap_or(&[]))
        }
        _ => (0, packet),
    };
    let [kind, _code, _, _, i1, i2, s1, s2, payload @ ..] = icmp else { return Ok(None) };
    // The kernel puts an id of its own into requests of datagram sockets, and gives back only their replies.
    let ours = (!raw || u16::from_be_bytes([*i1, *i2]) == id) && u16::from_be_bytes([*s1, *s2]) == seq;
    let reply = if v4 { 0 } else { 129 };
    Ok((*kind == reply && ours).then_some((ttl, payload.len() as u32)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_answered_by_its_reply_alone() -> io::Result<()> {
        let packet = request(true, 0x1234, 7, 5);
        assert_eq!(checksum(&packet), 0, "a packet with its sum sums up to nothing");
        let mut reply = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 63, 1, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1];
        reply.extend_from_slice(&packet);
        assert_eq!(answer(&reply, true, true, 0x1234, 7)?, None, "our own request on loopback");
        reply[20] = 0;
        assert_eq!(answer(&reply, true, true, 0x1234, 7)?, Some((63, 5)));
        assert_eq!(answer(&reply, true, true, 0x1235, 7)?, None);
        assert_eq!(answer(&reply, true, true, 0x1234, 8)?, None);
        for end in 0..reply.len() {
            answer(&reply[..end], true, true, 0x1234, 7)?;
        }
        Ok(())
    }
}
