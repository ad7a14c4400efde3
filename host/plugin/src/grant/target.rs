//! What a target brings: its address is granted for the call, as far as the plugin wants the kind.

use super::host::{HostPattern, PortPattern, bare_host};
use super::{Grant, Grants, HttpScheme};
use crate::manifest::Manifest;
use crate::report::Target;

impl Grants {
    /// The grants that a target brings to a plugin: what its `__param_target` names where it has one, else its address. A URL grants its scheme, host and
    /// port; `host:port` that host and port; a host alone all its ports; a path or `unix:PATH` that socket.
    pub fn of_target(target: &Target, manifest: &Manifest) -> Grants {
        let mut list = grants_of(target.named());
        list.retain(|g| manifest.wants_kind(g.kind()));
        Grants::new(list)
    }
}

fn grants_of(named: &str) -> Vec<Grant> {
    let path = named.strip_prefix("unix://").or_else(|| named.strip_prefix("unix:")).unwrap_or(named);
    if path.starts_with('/') {
        return format!("unix:{path}").parse().map(|g| vec![g]).unwrap_or_default();
    }
    let (scheme, rest) = match named.split_once("://") {
        Some((scheme, rest)) => (Some(scheme.to_ascii_lowercase()), rest),
        None => (None, named),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, port) = split_port(authority);
    let Ok(pattern) = HostPattern::parse(bare_host(host)) else { return Vec::new() };
    // A target is one host: a pattern in it is not what discovery or an operator means by an address.
    if !matches!(pattern, HostPattern::Name(_) | HostPattern::Address(_)) {
        return Vec::new();
    }
    let known = match scheme.as_deref() {
        Some("http" | "ws") => Some((HttpScheme::Http, 80)),
        Some("https" | "wss") => Some((HttpScheme::Https, 443)),
        _ => None,
    };
    let usual = port.or(known.map(|(_, p)| p)).map_or(PortPattern::ANY, PortPattern::one);
    let mut list = vec![
        Grant::Tcp(pattern.clone(), usual),
        Grant::Udp(pattern.clone(), usual),
        Grant::Icmp(pattern.clone()),
        Grant::Dns(pattern.clone()),
    ];
    match known {
        Some((scheme, _)) => list.push(Grant::Http(scheme, pattern, usual)),
        None => list.push(Grant::Http(HttpScheme::Any, pattern, usual)),
    }
    list
}

fn split_port(authority: &str) -> (&str, Option<u16>) {
    let end_of_host = authority.rfind(']').map_or(0, |i| i + 1);
    match authority[end_of_host..].rfind(':') {
        // An IPv6 address without brackets has no port.
        Some(colon) if end_of_host > 0 || authority.matches(':').count() == 1 => {
            let colon = end_of_host + colon;
            (&authority[..colon], authority[colon + 1..].parse().ok())
        }
        _ => (authority, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_grants_what_it_names() {
        for (target, http, tcp) in [
            ("redis-1:6379", "http:*://redis-1:6379", "tcp:redis-1:6379"),
            ("https://example.com/path?x", "http:https://example.com", "tcp:example.com:443"),
            ("http://user:pw@example.com:8080", "http:http://example.com:8080", "tcp:example.com:8080"),
            ("example.com", "http:*://example.com", "tcp:example.com:*"),
            ("[::1]:80", "http:*://[::1]:80", "tcp:[::1]:80"),
            ("::1", "http:*://[::1]", "tcp:[::1]:*"),
            ("redis://db:6380/0", "http:*://db:6380", "tcp:db:6380"),
        ] {
            let texts: Vec<String> = grants_of(target).iter().map(Grant::to_string).collect();
            assert!(texts.contains(&http.to_owned()) && texts.contains(&tcp.to_owned()), "{target}: {texts:?}");
        }
        assert_eq!(
            grants_of("unix:/run/x.sock"),
            ["unix:/run/x.sock".parse::<Grant>().unwrap_or_else(|e| panic!("{e}"))]
        );
        for nothing in ["", "*", "*.example.com:80", "10.0.0.0/8", "a b"] {
            let wide = grants_of(nothing).iter().any(|g| !g.to_string().contains("10.0.0.0"));
            assert!(!wide, "{nothing}: {:?}", grants_of(nothing));
        }
    }
}
