//! Grants: what an operator lets a plugin reach.
//!
//! One grammar for all kinds, `KIND:PATTERN`:
//!
//! | grant | allows |
//! |---|---|
//! | `files:/proc` | reading `/proc` and all below it; a component `*` stands for any one name |
//! | `system:uname`, `system:*` | a function of the `system` interface |
//! | `tcp:redis-1:6379`, `udp:10.0.0.0/8:53` | connections; host and port patterns as below |
//! | `unix:/var/run/docker.sock`, `unix:/run/app/*` | a stream socket |
//! | `http:https://api.example.com:8443` | requests to that scheme, host and port; without a port the scheme's own |
//! | `icmp:*`, `dns:*.example.com` | pings, look-ups |
//! | `secret:NAME` | a secret |
//!
//! A host is a name, `*.` and a name, an address (IPv6 in brackets where a port follows), a network `10.0.0.0/8`, or `*`. A port is a number, a range
//! `8000-8099`, or `*`.

mod host;
mod set;
mod target;

use std::fmt;
use std::str::FromStr;

pub(crate) use host::bare_host;
pub use host::{HostPattern, PortPattern};
pub(crate) use set::toml_string;
pub use set::{Denied, Grants, MissingGrant};

use crate::manifest::Capability;

/// A grant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Grant {
    /// Files at and below an absolute path without `.` and `..`; a component `*` stands for any one name.
    Files(String),
    /// A function of the `system` interface; `*`: all.
    System(String),
    /// TCP connections.
    Tcp(HostPattern, PortPattern),
    /// UDP.
    Udp(HostPattern, PortPattern),
    /// A unix socket's path; a last component `*` stands for any one name, `*` alone for all.
    Unix(String),
    /// HTTP requests.
    Http(HttpScheme, HostPattern, PortPattern),
    /// Pings.
    Icmp(HostPattern),
    /// Look-ups.
    Dns(HostPattern),
    /// A secret's name; `*`: all.
    Secret(String),
}

/// The scheme in a grant for HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HttpScheme {
    /// `http`
    Http,
    /// `https`
    Https,
    /// Either.
    Any,
}

impl HttpScheme {
    fn as_str(self) -> &'static str {
        match self {
            HttpScheme::Http => "http",
            HttpScheme::Https => "https",
            HttpScheme::Any => "*",
        }
    }

    fn allows(self, scheme: &str) -> bool {
        match self {
            HttpScheme::Any => scheme == "http" || scheme == "https",
            one => one.as_str() == scheme,
        }
    }

    fn default_port(self) -> PortPattern {
        match self {
            HttpScheme::Http => PortPattern::one(80),
            HttpScheme::Https => PortPattern::one(443),
            HttpScheme::Any => PortPattern::ANY,
        }
    }
}

/// A text that is no grant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("grant \"{grant}\": {problem}\n  hint: {hint}")]
pub struct GrantError {
    /// The text.
    pub grant: String,
    /// What is wrong with it.
    pub problem: String,
    /// What a right one looks like.
    pub hint: String,
}

impl Grant {
    /// Its kind.
    pub fn kind(&self) -> Capability {
        match self {
            Grant::Files(_) => Capability::Files,
            Grant::System(_) => Capability::System,
            Grant::Tcp(..) => Capability::Tcp,
            Grant::Udp(..) => Capability::Udp,
            Grant::Unix(_) => Capability::Unix,
            Grant::Http(..) => Capability::Http,
            Grant::Icmp(_) => Capability::Icmp,
            Grant::Dns(_) => Capability::Dns,
            Grant::Secret(_) => Capability::Secret,
        }
    }
}

/// An example of each kind, for hints.
fn example(kind: Capability) -> &'static str {
    match kind {
        Capability::Files => "files:/proc",
        Capability::System => "system:uname, system:*",
        Capability::Tcp => "tcp:redis-1:6379, tcp:*:6379",
        Capability::Udp => "udp:10.0.0.2:53, udp:*:53",
        Capability::Unix => "unix:/var/run/docker.sock",
        Capability::Http => "http:https://api.example.com, http:http://10.0.0.0/8:9090, http:*",
        Capability::Icmp => "icmp:10.0.0.0/8, icmp:*",
        Capability::Dns => "dns:*.example.com, dns:*",
        Capability::Secret => "secret:redis-password",
    }
}

impl FromStr for Grant {
    type Err = GrantError;

    fn from_str(text: &str) -> Result<Grant, GrantError> {
        let fail = |problem: String, hint: String| GrantError { grant: text.to_owned(), problem, hint };
        let kinds = || Capability::ALL.map(Capability::as_str).join(", ");
        let Some((word, rest)) = text.split_once(':') else {
            return Err(fail("no kind before a colon".into(), format!("KIND:PATTERN, with KIND one of {}", kinds())));
        };
        let Some(kind) = Capability::ALL.into_iter().find(|k| k.as_str() == word) else {
            return Err(fail(format!("unknown kind \"{word}\""), format!("one of {}", kinds())));
        };
        parse_pattern(kind, rest).map_err(|problem| fail(problem, format!("for example {}", example(kind))))
    }
}

fn parse_pattern(kind: Capability, rest: &str) -> Result<Grant, String> {
    if rest.is_empty() {
        return Err("nothing behind the colon".into());
    }
    if rest.len() > 4096 || rest.chars().any(char::is_control) {
        return Err("longer than 4096 bytes, or with control characters".into());
    }
    Ok(match kind {
        Capability::Files => Grant::Files(parse_path(rest)?),
        Capability::Unix if rest == "*" => Grant::Unix(rest.into()),
        Capability::Unix => Grant::Unix(parse_path(rest)?),
        Capability::System => Grant::System(parse_word(rest)?),
        Capability::Secret => Grant::Secret(parse_word(rest)?),
        Capability::Tcp => host::parse_host_port(rest).map(|(h, p)| Grant::Tcp(h, p))?,
        Capability::Udp => host::parse_host_port(rest).map(|(h, p)| Grant::Udp(h, p))?,
        Capability::Icmp => Grant::Icmp(HostPattern::parse(rest)?),
        Capability::Dns => Grant::Dns(HostPattern::parse(rest)?),
        Capability::Http => parse_http(rest)?,
    })
}

fn parse_word(text: &str) -> Result<String, String> {
    let ok = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    if text == "*" || text.chars().all(ok) {
        return Ok(text.into());
    }
    Err(format!("\"{text}\" is no name: allowed are letters, digits, '-', '_', '.', '/', or '*' for all"))
}

/// An absolute path without empty, `.` and `..` components and without a slash at the end.
fn parse_path(text: &str) -> Result<String, String> {
    if !text.starts_with('/') {
        return Err(format!("path \"{text}\" is not absolute"));
    }
    let mut path = String::new();
    for component in text.split('/').filter(|c| !c.is_empty()) {
        match component {
            "." => continue,
            ".." => return Err(format!("path \"{text}\" contains '..'")),
            _ => {
                path.push('/');
                path.push_str(component);
            }
        }
    }
    Ok(if path.is_empty() { "/".into() } else { path })
}

fn parse_http(text: &str) -> Result<Grant, String> {
    if text == "*" {
        return Ok(Grant::Http(HttpScheme::Any, HostPattern::Any, PortPattern::ANY));
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(format!("\"{text}\" has no scheme"));
    };
    let scheme = match scheme {
        "http" => HttpScheme::Http,
        "https" => HttpScheme::Https,
        "*" => HttpScheme::Any,
        other => return Err(format!("unknown scheme \"{other}\": allowed are http, https, *")),
    };
    // A network has a slash of its own; anything else behind one is a path, which a grant can't limit.
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains('@') {
        return Err("user and password don't belong into a grant".into());
    }
    if let Ok((host, port)) = host::parse_host_port(rest).or_else(|e| match HostPattern::parse(rest) {
        Ok(HostPattern::Any) => Ok((HostPattern::Any, PortPattern::ANY)),
        Ok(host) => Ok((host, scheme.default_port())),
        Err(_) => Err(e),
    }) {
        return Ok(Grant::Http(scheme, host, port));
    }
    if rest.contains('/') {
        return Err(format!("\"{rest}\" has a path: only scheme, host and port can be granted"));
    }
    Err(format!("\"{rest}\" is no host with an optional port"))
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.kind())?;
        match self {
            Grant::Files(text) | Grant::System(text) | Grant::Unix(text) | Grant::Secret(text) => f.write_str(text),
            Grant::Tcp(host, port) | Grant::Udp(host, port) => host::write_host_port(f, host, port),
            Grant::Icmp(host) | Grant::Dns(host) => write!(f, "{host}"),
            Grant::Http(HttpScheme::Any, HostPattern::Any, PortPattern::ANY) => f.write_str("*"),
            Grant::Http(scheme, host, port) => {
                write!(f, "{}://", scheme.as_str())?;
                // `*` without a port stands for all ports; another host for the scheme's own.
                let bare = if *host == HostPattern::Any { PortPattern::ANY } else { scheme.default_port() };
                if *port == bare { host.write_bracketed(f) } else { host::write_host_port(f, host, port) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_read_and_written_back() {
        for text in [
            "files:/proc",
            "files:/",
            "files:/proc/*/environ",
            "system:clock-adjustment",
            "system:*",
            "tcp:redis-1:6379",
            "tcp:*:6379",
            "tcp:*:*",
            "tcp:[::1]:80-90",
            "tcp:10.0.0.0/8:*",
            "tcp:[fd00::/8]:1",
            "udp:10.0.0.2:53",
            "unix:/var/run/docker.sock",
            "unix:/run/app/*",
            "http:https://api.example.com",
            "http:http://api.example.com:8080",
            "http:http://[::1]:8080",
            "http:http://[::1]",
            "http:https://*.example.com:*",
            "http:http://10.0.0.0/8:9090",
            "http:http://10.0.0.0/8",
            "http:https://*",
            "http:*",
            "icmp:*",
            "icmp:169.254.169.254",
            "dns:*.example.com",
            "secret:redis-password",
        ] {
            let grant: Grant = text.parse().unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(grant.to_string(), text);
        }
    }

    #[test]
    fn other_spellings_mean_the_same() {
        for (text, same) in [
            ("files:/proc/", "files:/proc"),
            ("files://proc/./net", "files:/proc/net"),
            ("tcp:Redis-1:6379", "tcp:redis-1:6379"),
            ("tcp:*", "tcp:*:*"),
            ("http:https://api.example.com/", "http:https://api.example.com"),
            ("http:https://api.example.com:443", "http:https://api.example.com"),
            ("http:http://API.example.com:80", "http:http://api.example.com"),
            ("icmp:[::1]", "icmp:::1"),
        ] {
            assert_eq!(text.parse::<Grant>().map(|g| g.to_string()), Ok(same.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_grant_is_told_so() {
        for (text, part) in [
            ("", "no kind"),
            ("files", "no kind before a colon"),
            ("file:/proc", "unknown kind \"file\""),
            ("files:", "nothing behind the colon"),
            ("files:proc", "not absolute"),
            ("files:/proc/../etc", "contains '..'"),
            ("tcp:redis-1", "no port"),
            ("tcp:redis-1:99999", "port \"99999\""),
            ("tcp:re dis:1", "host \"re dis\""),
            ("tcp:a*b:1", "host \"a*b\""),
            ("tcp:10.0.0.0/33:1", "host \"10.0.0.0/33\""),
            ("http:api.example.com", "no scheme"),
            ("http:ftp://x", "unknown scheme \"ftp\""),
            ("http:https://x/path", "has a path"),
            ("http:https://u:p@x", "user and password"),
            ("secret:a b", "no name"),
            ("system:", "nothing behind"),
        ] {
            let message = text.parse::<Grant>().map(|g| g.to_string()).unwrap_err().to_string();
            assert!(message.contains(part) && message.contains("hint: "), "{text}: {message}");
        }
    }
}
