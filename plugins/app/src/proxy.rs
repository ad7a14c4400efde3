//! Which hosts are asked without the proxy: `no_proxy`, as Go's clients read it.

use std::net::IpAddr;

/// Tells whether `host` and `port` are to be asked directly by a list like `localhost,10.0.0.0/8,.internal,db:8080`.
pub(crate) fn is_direct(list: &str, host: &str, port: u16) -> bool {
    let host = host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
    let ip: Option<IpAddr> = host.parse().ok();
    list.split(',').map(|entry| entry.trim().to_ascii_lowercase()).filter(|e| !e.is_empty()).any(|entry| {
        if entry == "*" {
            return true;
        }
        if let Some((net, bits)) = entry.split_once('/') {
            return matches!((ip, net.parse(), bits.parse()), (Some(ip), Ok(net), Ok(bits)) if within(ip, net, bits));
        }
        let (name, only) = match entry.rsplit_once(':') {
            // An IPv6 address has colons of its own, and a port only behind brackets.
            Some((name, p)) if !name.contains(':') || name.ends_with(']') => (name, p.parse::<u16>().ok()),
            _ => (entry.as_str(), None),
        };
        if only.is_some_and(|p| p != port) {
            return false;
        }
        let name = name.trim_matches(['[', ']']);
        if let (Some(ip), Ok(entry)) = (ip, name.parse::<IpAddr>()) {
            return ip == entry;
        }
        let bare = name.trim_start_matches("*.").trim_start_matches('.');
        let below = host.strip_suffix(bare).is_some_and(|front| front.ends_with('.'));
        // `.example.com` is what lies below; `example.com` is it as well.
        below || bare == name && host == bare
    })
}

fn within(ip: IpAddr, net: IpAddr, bits: u32) -> bool {
    match (ip, net) {
        (IpAddr::V4(a), IpAddr::V4(b)) if bits <= 32 => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            u32::from(a) & mask == u32::from(b) & mask
        }
        (IpAddr::V6(a), IpAddr::V6(b)) if bits <= 128 => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            u128::from(a) & mask == u128::from(b) & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_names_networks_and_ports() {
        for (list, host, port, direct) in [
            ("", "a", 80, false),
            ("*", "a", 80, true),
            ("example.com", "example.com", 80, true),
            ("example.com", "www.Example.com.", 80, true),
            ("example.com", "notexample.com", 80, false),
            (".example.com", "example.com", 80, false),
            ("*.example.com", "a.example.com", 80, true),
            ("a, b:8080", "b", 8080, true),
            ("b:8080", "b", 80, false),
            ("10.0.0.0/8", "10.1.2.3", 80, true),
            ("10.0.0.0/8", "11.1.2.3", 80, false),
            ("0.0.0.0/0", "11.1.2.3", 80, true),
            ("fd00::/8", "[fd00::1]", 80, true),
            ("[::1]:80", "[::1]", 80, true),
            ("::1", "::1", 443, true),
            ("10.0.0.1", "10.0.0.1", 80, true),
            ("10.0.0.0/x", "10.0.0.1", 80, false),
        ] {
            assert_eq!(is_direct(list, host, port), direct, "{list} {host}:{port}");
        }
    }
}
