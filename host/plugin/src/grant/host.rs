//! Patterns for hosts and ports.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// Which hosts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// All, save those that need naming ([`needs_naming`]).
    Any,
    /// All names that end in this; with a dot before it.
    Below(String),
    /// One name, in lower case.
    Name(String),
    /// One address.
    Address(IpAddr),
    /// A network: address and prefix length.
    Network(IpAddr, u8),
}

/// Which ports: from, to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PortPattern(u16, u16);

impl PortPattern {
    /// All.
    pub const ANY: PortPattern = PortPattern(0, u16::MAX);

    /// One.
    pub const fn one(port: u16) -> PortPattern {
        PortPattern(port, port)
    }

    /// Whether the port is one of them.
    pub fn allows(self, port: u16) -> bool {
        (self.0..=self.1).contains(&port)
    }

    fn parse(text: &str) -> Result<PortPattern, String> {
        if text == "*" {
            return Ok(PortPattern::ANY);
        }
        let wrong = || format!("port \"{text}\": allowed are 1 to 65535, a range 8000-8099, or '*'");
        let one = |t: &str| t.parse::<u16>().ok().filter(|p| *p > 0).ok_or_else(wrong);
        let (from, to) = match text.split_once('-') {
            Some((from, to)) => (one(from)?, one(to)?),
            None => (one(text)?, one(text)?),
        };
        if from <= to { Ok(PortPattern(from, to)) } else { Err(wrong()) }
    }
}

impl fmt::Display for PortPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            PortPattern::ANY => f.write_str("*"),
            PortPattern(from, to) if from == to => write!(f, "{from}"),
            PortPattern(from, to) => write!(f, "{from}-{to}"),
        }
    }
}

impl HostPattern {
    /// A host of a grant; an IPv6 address with or without brackets.
    pub(super) fn parse(text: &str) -> Result<HostPattern, String> {
        let inner = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = inner.parse::<IpAddr>() {
            return Ok(HostPattern::Address(canonical(address)));
        }
        if let Some((address, bits)) = inner.split_once('/')
            && let (Ok(address), Ok(bits)) = (address.parse::<IpAddr>(), bits.parse::<u8>())
            && bits <= width(address)
        {
            return Ok(HostPattern::Network(address, bits));
        }
        if text == "*" {
            return Ok(HostPattern::Any);
        }
        let name = text.strip_prefix("*.").unwrap_or(text);
        if !is_host_name(name) {
            return Err(format!(
                "host \"{text}\": allowed are a name, '*.' and a name, an address, a network 10.0.0.0/8, or '*'"
            ));
        }
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        Ok(if text.starts_with("*.") { HostPattern::Below(format!(".{name}")) } else { HostPattern::Name(name) })
    }

    /// Whether a host, as it was asked for, is one of them: a name or an address.
    pub fn allows(&self, host: &str) -> bool {
        let host = bare_host(host);
        if let Ok(address) = host.parse::<IpAddr>() {
            return self.allows_address(address);
        }
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        match self {
            HostPattern::Any => true,
            HostPattern::Below(end) => host.ends_with(end.as_str()) && host.len() > end.len(),
            HostPattern::Name(name) => host == *name,
            HostPattern::Address(_) | HostPattern::Network(..) => false,
        }
    }

    /// Whether an address itself is one of them.
    pub fn allows_address(&self, address: IpAddr) -> bool {
        let address = canonical(address);
        match self {
            HostPattern::Any => !needs_naming(address),
            HostPattern::Address(one) => *one == address,
            // A network that reaches far beyond a special range does not name what lies in it.
            HostPattern::Network(network, bits) => {
                in_network(address, *network, *bits) && (!needs_naming(address) || *bits >= 16)
            }
            HostPattern::Below(_) | HostPattern::Name(_) => false,
        }
    }

    /// With brackets around an IPv6 address or network.
    pub(super) fn write_bracketed(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostPattern::Address(IpAddr::V6(_)) | HostPattern::Network(IpAddr::V6(_), _) => write!(f, "[{self}]"),
            other => write!(f, "{other}"),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostPattern::Any => f.write_str("*"),
            HostPattern::Below(end) => write!(f, "*{end}"),
            HostPattern::Name(name) => f.write_str(name),
            HostPattern::Address(address) => write!(f, "{address}"),
            HostPattern::Network(address, bits) => write!(f, "{address}/{bits}"),
        }
    }
}

/// A host without the brackets of an IPv6 address.
pub(crate) fn bare_host(host: &str) -> &str {
    host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host)
}

/// Addresses that no wildcard and no name reaches, only a grant that names them: link-local ones (cloud metadata services
/// live there), and the metadata services that live elsewhere (AWS over IPv6, Alibaba).
pub(crate) fn needs_naming(address: IpAddr) -> bool {
    match canonical(address) {
        IpAddr::V4(v4) => v4.is_link_local() || v4.octets() == [100, 100, 100, 200],
        IpAddr::V6(v6) => {
            (v6.segments()[0] & 0xffc0) == 0xfe80 || v6 == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)
        }
    }
}

/// An IPv4 address that is written as IPv6 is the IPv4 address.
fn canonical(address: IpAddr) -> IpAddr {
    match address {
        // NAT64's well-known prefix leads to the embedded address as well.
        IpAddr::V6(v6) if v6.segments()[..6] == [0x64, 0xff9b, 0, 0, 0, 0] => {
            let [.., a, b, c, d] = v6.octets();
            IpAddr::from([a, b, c, d])
        }
        other => other.to_canonical(),
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn in_network(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    let same = |a: u128, b: u128, width: u8| bits == 0 || (a ^ b) >> (width - bits.min(width)) == 0;
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(n)) => same(u128::from(a.to_bits()), u128::from(n.to_bits()), 32),
        (IpAddr::V6(a), IpAddr::V6(n)) => same(a.to_bits(), n.to_bits(), 128),
        _ => false,
    }
}

fn is_host_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    !name.is_empty()
        && name.len() <= 253
        && name.split('.').all(|label| {
            !label.is_empty() && label.len() <= 63 && label.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
        })
}

/// `HOST:PORT`; `*` alone is every port of every host.
pub(super) fn parse_host_port(text: &str) -> Result<(HostPattern, PortPattern), String> {
    if text == "*" {
        return Ok((HostPattern::Any, PortPattern::ANY));
    }
    let no_port = || format!("\"{text}\" has no port: HOST:PORT, '*' for any");
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once("]:").ok_or_else(no_port)?,
        None => text.rsplit_once(':').ok_or_else(no_port)?,
    };
    if host.contains(':') && !text.starts_with('[') {
        return Err(format!("\"{text}\": an IPv6 address stands in brackets: [::1]:PORT"));
    }
    Ok((HostPattern::parse(host)?, PortPattern::parse(port)?))
}

pub(super) fn write_host_port(f: &mut fmt::Formatter<'_>, host: &HostPattern, port: &PortPattern) -> fmt::Result {
    host.write_bracketed(f)?;
    write!(f, ":{port}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_match_as_told() {
        for (pattern, host, expected) in [
            ("*", "example.com", true),
            ("*", "10.0.0.1", true),
            ("*", "169.254.169.254", false),
            ("*", "::ffff:169.254.169.254", false),
            ("*", "64:ff9b::a9fe:a9fe", false),
            ("*", "fe80::1", false),
            ("*", "fd00:ec2::254", false),
            ("*", "100.100.100.200", false),
            ("169.254.169.254", "169.254.169.254", true),
            ("169.254.0.0/16", "169.254.169.254", true),
            ("0.0.0.0/0", "169.254.169.254", false),
            ("0.0.0.0/0", "10.1.2.3", true),
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("10.0.0.0/8", "example.com", false),
            ("fd00::/8", "fd12::1", true),
            ("::1", "[::1]", true),
            ("example.com", "EXAMPLE.com.", true),
            ("example.com", "www.example.com", false),
            ("*.example.com", "www.example.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", "wwwexample.com", false),
        ] {
            let pattern_parsed = HostPattern::parse(pattern).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(pattern_parsed.allows(host), expected, "{pattern} {host}");
        }
    }
}
