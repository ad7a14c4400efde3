//! What a plugin says of itself.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use watchglass_model::MetricType;

/// Kinds of grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Capability {
    /// Files below a path.
    Files,
    /// A named system call.
    System,
    /// TCP connections.
    Tcp,
    /// UDP.
    Udp,
    /// Unix sockets.
    Unix,
    /// HTTP requests.
    Http,
    /// Pings.
    Icmp,
    /// Name look-ups.
    Dns,
    /// A secret.
    Secret,
}

impl Capability {
    /// All kinds.
    pub const ALL: [Capability; 9] = [
        Capability::Files,
        Capability::System,
        Capability::Tcp,
        Capability::Udp,
        Capability::Unix,
        Capability::Http,
        Capability::Icmp,
        Capability::Dns,
        Capability::Secret,
    ];

    /// The word before the colon in a grant.
    pub fn as_str(self) -> &'static str {
        match self {
            Capability::Files => "files",
            Capability::System => "system",
            Capability::Tcp => "tcp",
            Capability::Udp => "udp",
            Capability::Unix => "unix",
            Capability::Http => "http",
            Capability::Icmp => "icmp",
            Capability::Dns => "dns",
            Capability::Secret => "secret",
        }
    }

    /// Whether a target's address can bring the grant.
    pub fn comes_with_targets(self) -> bool {
        use Capability::*;
        matches!(self, Tcp | Udp | Unix | Http | Icmp | Dns)
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a plugin may ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Want {
    /// The kind.
    pub what: Capability,
    /// The grant to suggest, without its kind; empty where only the operator or the targets can know.
    pub suggested: String,
    /// What for.
    pub why: String,
    /// Whether the plugin has a use without it.
    pub optional: bool,
}

/// How long a plugin's memory lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstancePolicy {
    /// One instance that lives between calls for each target.
    PerTarget,
    /// A small pool for the collector.
    Shared,
    /// A new instance for each call.
    Fresh,
}

/// A family that the plugin can produce.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeclaredFamily {
    /// Name; it may end in `*`.
    pub name: String,
    /// Type.
    #[serde(serialize_with = "kind_name")]
    pub kind: MetricType,
    /// Unit; may be empty.
    pub unit: String,
    /// What it tells.
    pub help: String,
    /// Labels that it has.
    pub label_names: Vec<String>,
    /// Whether it may have others.
    pub more_labels: bool,
}

fn kind_name<S: serde::Serializer>(kind: &MetricType, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.as_str())
}

/// What a plugin says of itself, checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Manifest {
    /// Name: `[a-z][a-z0-9_-]*`.
    pub name: String,
    /// Version.
    pub version: String,
    /// What it does.
    pub summary: String,
    /// Usual interval; `None`: the operator's.
    #[serde(serialize_with = "millis")]
    pub interval: Option<Duration>,
    /// Usual timeout; `None`: the operator's.
    #[serde(serialize_with = "millis")]
    pub timeout: Option<Duration>,
    /// Memory that it needs, bytes; `None`: the host's default.
    pub memory_bytes: Option<u64>,
    /// Whether it makes no sense without targets.
    pub needs_targets: bool,
    /// How long its memory lives.
    pub instance: InstancePolicy,
    /// JSON Schema of its configuration; empty: it takes none.
    pub config_schema: String,
    /// What it may ask for.
    pub wants: Vec<Want>,
    /// Families that it can produce.
    pub families: Vec<DeclaredFamily>,
    /// Whether it may produce others.
    pub other_families: bool,
}

fn millis<S: serde::Serializer>(d: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match d {
        Some(d) => serializer.serialize_some(&(d.as_millis() as u64)),
        None => serializer.serialize_none(),
    }
}

impl Manifest {
    /// Whether it wants this kind at all: one that it does not is never granted.
    pub fn wants_kind(&self, kind: Capability) -> bool {
        self.wants.iter().any(|w| w.what == kind)
    }

    /// Whether a plugin that no config entry names runs by itself: it wants nothing and needs no target.
    pub fn runs_by_itself(&self) -> bool {
        !self.needs_targets && self.wants.is_empty()
    }
}
