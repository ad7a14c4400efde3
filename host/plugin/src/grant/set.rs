//! A collector's grants together, and the checks against them.

use std::net::IpAddr;
use std::path::{Component, Path, PathBuf};

use super::host::needs_naming;
use super::{Grant, GrantError};
use crate::manifest::{Capability, Manifest, Want};

/// What one collector is granted.
#[derive(Clone, Debug, Default)]
pub struct Grants {
    list: Vec<Grant>,
    /// The paths of `files` grants with their links resolved, beside those as written: `/var/run` is `/run` on most machines.
    roots: Vec<PathBuf>,
    /// Those of `unix` grants.
    sockets: Vec<PathBuf>,
}

/// A want that no grant satisfies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingGrant {
    /// What the plugin wants.
    pub want: Want,
    /// The grant that would satisfy it: the plugin's suggestion, or a pattern to fill in.
    pub grant: String,
}

/// A request that no grant allows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no grant \"{0}\"")]
pub struct Denied(
    /// The narrowest grant that would allow it.
    pub String,
);

impl Grants {
    /// These grants.
    pub fn new(list: Vec<Grant>) -> Grants {
        let (mut roots, mut sockets) = (Vec::new(), Vec::new());
        for grant in &list {
            match grant {
                Grant::Files(path) => roots.extend(resolved(path)),
                Grant::Unix(path) => sockets.extend(resolved(path)),
                _ => {}
            }
        }
        Grants { list, roots, sockets }
    }

    /// Grants from their texts.
    pub fn parse<T: AsRef<str>>(texts: &[T]) -> Result<Grants, GrantError> {
        Ok(Grants::new(texts.iter().map(|t| t.as_ref().parse()).collect::<Result<_, _>>()?))
    }

    /// The grants.
    pub fn list(&self) -> &[Grant] {
        &self.list
    }

    /// Only those of a kind that the plugin wants: one that it never wanted is never granted.
    pub fn wanted_by(&self, manifest: &Manifest) -> Grants {
        Grants::new(self.list.iter().filter(|g| manifest.wants_kind(g.kind())).cloned().collect())
    }

    fn any(&self, test: impl FnMut(&Grant) -> bool) -> bool {
        self.list.iter().any(test)
    }

    /// What the plugin wants, has a need for, and is not granted. Any grant of a kind satisfies the wants of that kind: how far it reaches is
    /// the operator's choice. Where there are targets, they bring what they name.
    pub fn missing(&self, manifest: &Manifest, has_targets: bool) -> Vec<MissingGrant> {
        self.unsatisfied(manifest, has_targets).into_iter().filter(|m| !m.want.optional).collect()
    }

    /// As [`missing`](Grants::missing), with the wants that the plugin can do without.
    pub fn unsatisfied(&self, manifest: &Manifest, has_targets: bool) -> Vec<MissingGrant> {
        let satisfied =
            |want: &Want| self.any(|g| g.kind() == want.what) || (has_targets && want.what.comes_with_targets());
        manifest
            .wants
            .iter()
            .filter(|w| !satisfied(w))
            .map(|w| MissingGrant { want: w.clone(), grant: suggestion(w) })
            .collect()
    }

    /// The line of TOML that grants what is there and what is missing: `grants = ["files:/proc"]`.
    pub fn toml_line(&self, missing: &[MissingGrant]) -> String {
        let mut all: Vec<String> = self.list.iter().map(Grant::to_string).collect();
        for grant in missing.iter().map(|m| &m.grant) {
            if !all.contains(grant) {
                all.push(grant.clone());
            }
        }
        let quoted: Vec<String> = all.iter().map(|g| toml_string(g)).collect();
        format!("grants = [{}]", quoted.join(", "))
    }

    /// Whether a file may be read; the path has its links resolved.
    pub fn file(&self, real: &Path) -> Result<(), Denied> {
        let deny = || Err(Denied(format!("files:{}", real.display())));
        if !self.roots.iter().any(|root| is_below(real, root)) {
            return deny();
        }
        match guarded_name(real) {
            // A secret inside /proc: a grant has to end in its name.
            Some(name) if !self.roots.iter().any(|r| r.ends_with(name) && is_below(real, r)) => deny(),
            _ => Ok(()),
        }
    }

    /// The longest root, as granted, that a path lies below by its letters alone.
    pub(crate) fn root_of(&self, path: &Path) -> Option<&Path> {
        self.roots.iter().map(PathBuf::as_path).filter(|r| path.starts_with(r)).max_by_key(|r| r.as_os_str().len())
    }

    /// Whether a function of the `system` interface may be called.
    pub fn system(&self, name: &str) -> Result<(), Denied> {
        let ok = self.any(|g| matches!(g, Grant::System(n) if n == "*" || n == name));
        if ok { Ok(()) } else { Err(Denied(format!("system:{name}"))) }
    }

    /// Whether a secret may be read.
    pub fn secret(&self, name: &str) -> Result<(), Denied> {
        let ok = self.any(|g| matches!(g, Grant::Secret(n) if n == "*" || n == name));
        if ok { Ok(()) } else { Err(Denied(format!("secret:{name}"))) }
    }

    /// Whether a socket may be connected to; the path has its links resolved.
    pub fn unix(&self, real: &Path) -> Result<(), Denied> {
        let all = self.any(|g| matches!(g, Grant::Unix(p) if p == "*"));
        let same_depth = |s: &PathBuf| s.components().count() == real.components().count();
        let ok = all || self.sockets.iter().any(|s| same_depth(s) && is_below(real, s));
        if ok { Ok(()) } else { Err(Denied(format!("unix:{}", real.display()))) }
    }

    /// Whether a host may be spoken to by TCP or UDP.
    pub fn connect(&self, kind: Capability, host: &str, port: u16) -> Result<(), Denied> {
        let ok = self.any(|g| match (g, kind) {
            (Grant::Tcp(h, p), Capability::Tcp) | (Grant::Udp(h, p), Capability::Udp) => {
                h.allows(host) && p.allows(port)
            }
            _ => false,
        });
        if ok { Ok(()) } else { Err(Denied(format!("{kind}:{}:{port}", bracketed(host)))) }
    }

    /// Whether a request may go there.
    pub fn http(&self, scheme: &str, host: &str, port: u16) -> Result<(), Denied> {
        let ok =
            self.any(|g| matches!(g, Grant::Http(s, h, p) if s.allows(scheme) && h.allows(host) && p.allows(port)));
        let usual = (scheme == "http" && port == 80) || (scheme == "https" && port == 443);
        let port = if usual { String::new() } else { format!(":{port}") };
        if ok { Ok(()) } else { Err(Denied(format!("http:{scheme}://{}{port}", bracketed(host)))) }
    }

    /// Whether a host may be pinged or looked up.
    pub fn host(&self, kind: Capability, host: &str) -> Result<(), Denied> {
        let ok = self.any(|g| match (g, kind) {
            (Grant::Icmp(h), Capability::Icmp) | (Grant::Dns(h), Capability::Dns) => h.allows(host),
            _ => false,
        });
        if ok { Ok(()) } else { Err(Denied(format!("{kind}:{host}"))) }
    }

    /// Whether an address that a granted name resolved to may be spoken to: one on the link or of a metadata service needs a grant of its
    /// own, whatever name leads to it.
    pub fn address(&self, kind: Capability, address: IpAddr, port: u16) -> Result<(), Denied> {
        if !needs_naming(address) {
            return Ok(());
        }
        let ok = self.any(|g| match (g, kind) {
            (Grant::Tcp(h, p), Capability::Tcp) | (Grant::Udp(h, p), Capability::Udp) => {
                h.allows_address(address) && p.allows(port)
            }
            (Grant::Http(_, h, p), Capability::Http) => h.allows_address(address) && p.allows(port),
            (Grant::Icmp(h), Capability::Icmp) => h.allows_address(address),
            _ => false,
        });
        let host = bracketed(&address.to_string());
        match kind {
            _ if ok => Ok(()),
            Capability::Http => Err(Denied(format!("http:*://{host}:{port}"))),
            Capability::Icmp => Err(Denied(format!("icmp:{address}"))),
            _ => Err(Denied(format!("{kind}:{host}:{port}"))),
        }
    }
}

/// A text as TOML writes it.
pub(crate) fn toml_string(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn suggestion(want: &Want) -> String {
    let pattern = match (want.suggested.as_str(), want.what) {
        ("", Capability::Files) => "/PATH",
        ("", Capability::Tcp | Capability::Udp) => "HOST:PORT",
        ("", Capability::Unix) => "/PATH.sock",
        ("", Capability::Http) => "https://HOST",
        ("", Capability::Icmp | Capability::Dns) => "HOST",
        ("", Capability::System | Capability::Secret) => "NAME",
        (given, _) => given,
    };
    format!("{}:{pattern}", want.what)
}

fn bracketed(host: &str) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() }
}

/// A granted path as it is written, and with its links resolved where that is another.
fn resolved(path: &str) -> Vec<PathBuf> {
    let written = PathBuf::from(path);
    match std::fs::canonicalize(path) {
        // /proc/self is each asking process itself, whatever number it has now.
        Ok(real) if real != written && !written.starts_with("/proc/self") => vec![written, real],
        // Absent as yet, or with a `*` in it: it counts as it is written.
        _ => vec![written],
    }
}

/// Whether a path is the root or lies below it; a component `*` of the root stands for any one name.
fn is_below(path: &Path, root: &Path) -> bool {
    let mut parts = path.components();
    root.components().all(|r| match parts.next() {
        Some(p) => p == r || (r.as_os_str() == "*" && matches!(p, Component::Normal(_))),
        None => false,
    })
}

/// The last name of a path in /proc that shows what a process or the kernel keeps to itself. A host's /proc is often mounted elsewhere in a
/// container, `/host/proc` say: any folder of that name counts.
fn guarded_name(real: &Path) -> Option<&str> {
    let parts: Vec<&str> = real.components().map(|c| c.as_os_str().to_str().unwrap_or("")).collect();
    let proc = parts.iter().rposition(|p| *p == "proc")?;
    let (first, last) = (*parts.get(proc + 1)?, *parts.last()?);
    const OF_A_PROCESS: [&str; 7] = ["environ", "mem", "cmdline", "auxv", "pagemap", "stack", "syscall"];
    const OF_THE_KERNEL: [&str; 8] =
        ["kcore", "kmsg", "kmem", "vmcore", "kallsyms", "keys", "kpageflags", "kpagecount"];
    let of_a_process = first == "self" || first == "thread-self" || first.bytes().all(|b| b.is_ascii_digit());
    if of_a_process && real.components().any(|c| c.as_os_str() == "map_files") {
        return Some("map_files");
    }
    let guarded =
        if of_a_process { OF_A_PROCESS.contains(&last) && first != last } else { OF_THE_KERNEL.contains(&last) };
    guarded.then_some(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(texts: &[&str]) -> Grants {
        Grants::parse(texts).unwrap_or_else(|e| panic!("{e}"))
    }

    #[test]
    fn files_are_below_their_grant() {
        for (grant, path, expected) in [
            ("files:/proc", "/proc/stat", true),
            ("files:/proc", "/proc", true),
            ("files:/proc", "/procfs", false),
            ("files:/proc/net", "/proc/stat", false),
            ("files:/", "/etc/passwd", true),
            ("files:/proc", "/proc/1/stat", true),
            ("files:/proc", "/proc/1/environ", false),
            ("files:/", "/proc/1/environ", false),
            ("files:/proc", "/proc/1/task/2/environ", false),
            ("files:/proc", "/proc/self/mem", false),
            ("files:/proc", "/proc/cmdline", true),
            ("files:/proc", "/proc/1/cmdline", false),
            ("files:/proc", "/proc/kcore", false),
            ("files:/host/proc", "/host/proc/1/environ", false),
            ("files:/host/proc", "/host/proc/1/stat", true),
            ("unix:/run/app", "/run/app/x", false),
            ("unix:/run/app/*", "/run/app/x", false),
            ("files:/proc/1/environ", "/proc/1/environ", true),
            ("files:/proc/1/environ", "/proc/2/environ", false),
            ("files:/proc/*/environ", "/proc/2/environ", true),
            ("files:/proc/*/environ", "/proc/2/mem", false),
            ("files:/data/*/log", "/data/a/log/x", true),
            ("files:/data/*/log", "/data/a/b/log", false),
            ("tcp:*", "/etc/passwd", false),
        ] {
            assert_eq!(grants(&[grant]).file(Path::new(path)).is_ok(), expected, "{grant} {path}");
        }
    }

    #[test]
    fn what_is_denied_names_the_grant() {
        let none = Grants::default();
        assert_eq!(none.connect(Capability::Tcp, "redis-1", 6379), Err(Denied("tcp:redis-1:6379".into())));
        assert_eq!(none.http("https", "a.b", 443), Err(Denied("http:https://a.b".into())));
        assert_eq!(none.http("http", "::1", 8080), Err(Denied("http:http://[::1]:8080".into())));
        assert_eq!(none.unix(Path::new("/run/x.sock")), Err(Denied("unix:/run/x.sock".into())));
        for text in ["tcp:redis-1:6379", "http:https://a.b", "http:http://[::1]:8080", "unix:/run/x.sock"] {
            assert!(text.parse::<Grant>().is_ok(), "a suggestion must be a grant: {text}");
        }
    }

    #[test]
    fn a_name_does_not_lead_to_metadata() {
        let metadata: IpAddr = [169, 254, 169, 254].into();
        let named = grants(&["http:http://evil.example", "http:http://*"]);
        assert!(named.http("http", "evil.example", 80).is_ok());
        assert!(named.address(Capability::Http, metadata, 80).is_err());
        assert!(named.address(Capability::Http, [10, 0, 0, 1].into(), 80).is_ok());
        assert!(grants(&["http:http://169.254.169.254"]).address(Capability::Http, metadata, 80).is_ok());
    }

    #[test]
    fn a_unix_socket_is_named_whole() {
        let one = grants(&["unix:/run/docker.sock"]);
        assert!(one.unix(Path::new("/run/docker.sock")).is_ok());
        assert!(one.unix(Path::new("/run/docker.sock/x")).is_err());
        assert!(grants(&["unix:/run/app/*"]).unix(Path::new("/run/app/a.sock")).is_ok());
        assert!(grants(&["unix:/run/app/*"]).unix(Path::new("/run/a.sock")).is_err());
        assert!(grants(&["unix:*"]).unix(Path::new("/run/a.sock")).is_ok());
        assert!(grants(&["files:/run"]).unix(Path::new("/run/a.sock")).is_err());
    }
}
