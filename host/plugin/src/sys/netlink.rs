//! Netlink: asking the kernel for lists (RFC 3549, netlink(7)). Numbers are in the machine's byte order.

use std::io::{self, Read};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

/// `NETLINK_ROUTE`
pub(super) const ROUTE: i32 = 0;
/// `NETLINK_GENERIC`
pub(super) const GENERIC: i32 = 16;

const HEADER: usize = 16;
const REQUEST: u16 = 1;
const ACK: u16 = 4;
const DUMP: u16 = 0x300;
const MSG_ERROR: u16 = 2;
const MSG_DONE: u16 = 3;

/// Bytes of one answer; the kernel sends 32 KiB at once.
const BUFFER: usize = 256 << 10;

/// Bytes of all answers to one question: some hundred thousand routes.
const MAX_ANSWER: usize = 64 << 20;

/// The kernel answers at once.
const TIMEOUT: Duration = Duration::from_secs(2);

/// A message's type and what follows its header.
pub(super) type Message = (u16, Vec<u8>);

/// Asks, and gives all answers.
///
/// Errors: the kernel's own, as the system's error.
pub(super) fn ask(protocol: i32, kind: u16, dump: bool, body: &[u8]) -> io::Result<Vec<Message>> {
    let socket = Socket::new(Domain::from(libc::AF_NETLINK), Type::RAW, Some(Protocol::from(protocol)))?;
    socket.set_read_timeout(Some(TIMEOUT))?;
    let flags = REQUEST | if dump { DUMP } else { ACK };
    let mut request = Vec::with_capacity(HEADER + body.len());
    request.extend_from_slice(&((HEADER + body.len()) as u32).to_ne_bytes());
    request.extend_from_slice(&kind.to_ne_bytes());
    request.extend_from_slice(&flags.to_ne_bytes());
    request.extend_from_slice(&[0; 8]);
    request.extend_from_slice(body);
    socket.send(&request)?;
    let mut buffer = vec![0; BUFFER];
    let (mut messages, mut total) = (Vec::new(), 0);
    loop {
        let n = match (&socket).read(&mut buffer) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        total += n;
        if n == 0 || total > MAX_ANSWER {
            return Err(io::Error::other("netlink: an answer without an end"));
        }
        if split(&buffer[..n], &mut messages)? {
            return Ok(messages);
        }
    }
}

/// Takes an answer apart. True: it was the last.
fn split(mut bytes: &[u8], messages: &mut Vec<Message>) -> io::Result<bool> {
    while bytes.len() >= HEADER {
        let length = u32_at(bytes, 0) as usize;
        if length < HEADER || length > bytes.len() {
            return Err(io::Error::other("netlink: a message that is cut short"));
        }
        let kind = u16_at(bytes, 4);
        let body = &bytes[HEADER..length];
        match kind {
            MSG_DONE => return Ok(true),
            MSG_ERROR => match u32_at(body, 0) as i32 {
                0 => return Ok(true),
                code => return Err(io::Error::from_raw_os_error(code.wrapping_neg())),
            },
            _ => messages.push((kind, body.to_vec())),
        }
        bytes = &bytes[align(length).min(bytes.len())..];
    }
    Ok(false)
}

fn align(n: usize) -> usize {
    (n + 3) & !3
}

/// The attributes behind a fixed part: number and content. What is cut short ends the list.
pub(super) fn attributes(bytes: &[u8], fixed: usize) -> Attributes<'_> {
    Attributes { rest: bytes.get(fixed..).unwrap_or(&[]) }
}

/// See [`attributes`].
pub(super) struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.len() < 4 {
            return None;
        }
        let length = usize::from(u16_at(self.rest, 0));
        let content = self.rest.get(4..length)?;
        // The two highest bits say how the content is to be taken.
        let number = u16_at(self.rest, 2) & 0x3fff;
        self.rest = self.rest.get(align(length)..).unwrap_or(&[]);
        Some((number, content))
    }
}

/// An attribute to ask with.
pub(super) fn attribute(number: u16, content: &[u8]) -> Vec<u8> {
    let mut out = ((content.len() + 4) as u16).to_ne_bytes().to_vec();
    out.extend_from_slice(&number.to_ne_bytes());
    out.extend_from_slice(content);
    out.resize(align(out.len()), 0);
    out
}

/// A number at a place; 0 beyond the end.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).and_then(|b| b.try_into().ok()).map_or(0, u16::from_ne_bytes)
}

/// A number at a place; 0 beyond the end.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_ne_bytes)
}

/// A number at a place; 0 beyond the end.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_ne_bytes)
}

/// Text that a zero byte ends.
pub(super) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// A hardware address.
pub(super) fn hardware(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(":")
}

/// An IP address of 4 or 16 bytes; empty for others.
pub(super) fn address(bytes: &[u8]) -> String {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return std::net::Ipv4Addr::from(v4).to_string();
    }
    <[u8; 16]>::try_from(bytes).map(|v6| std::net::Ipv6Addr::from(v6).to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_short_ends_quietly() {
        let mut bytes = attribute(3, b"eth0\0");
        bytes.extend(attribute(0x8000 | 18, &attribute(1, b"veth")));
        let all: Vec<_> = attributes(&bytes, 0).collect();
        assert_eq!((all[0].0, text(all[0].1), all[1].0), (3, "eth0".to_owned(), 18));
        for end in 0..bytes.len() {
            attributes(&bytes[..end], 0).for_each(drop);
        }
        assert_eq!(attributes(&[0, 0, 0, 0, 1, 0, 1, 0], 0).count(), 0, "a length of nothing must not go on for ever");
        let mut messages = Vec::new();
        assert!(split(&[0; 16], &mut messages).is_err());
        assert!(split(&[255; 20], &mut messages).is_err());
    }
}
