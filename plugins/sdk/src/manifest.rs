//! A readable way to write a manifest.

use crate::{Capability, DeclaredFamily, Instance, Kind, Manifest, Problem, Want};

impl Manifest {
    /// Makes a manifest with the usual values: every 15 s, at most 10 s, 32 MiB, no targets, one instance for the collector, no config.
    pub fn new(name: &str, version: &str, summary: &str) -> Manifest {
        Manifest {
            name: name.to_owned(),
            version: version.to_owned(),
            summary: summary.to_owned(),
            interval_ms: 15_000,
            timeout_ms: 10_000,
            memory_mib: 32,
            needs_targets: false,
            instance: Instance::Shared,
            config_schema: String::new(),
            wants: Vec::new(),
            families: Vec::new(),
            other_families: false,
        }
    }

    /// Sets how often it is asked and how long it may take, in milliseconds, where no config says otherwise.
    pub fn timing(mut self, interval_ms: u32, timeout_ms: u32) -> Manifest {
        (self.interval_ms, self.timeout_ms) = (interval_ms, timeout_ms);
        self
    }

    /// Sets how much memory an instance may use.
    pub fn memory(mut self, mib: u32) -> Manifest {
        self.memory_mib = mib;
        self
    }

    /// Says that each collection has a target, and that an instance is kept for each (its connection, its rates).
    pub fn per_target(mut self) -> Manifest {
        (self.needs_targets, self.instance) = (true, Instance::PerTarget);
        self
    }

    /// Sets which instances live between calls, and whether a collection needs a target.
    pub fn lives(mut self, instance: Instance, needs_targets: bool) -> Manifest {
        (self.needs_targets, self.instance) = (needs_targets, instance);
        self
    }

    /// Sets the JSON schema of the config; the host checks a config against it before `configure` sees it.
    pub fn schema(mut self, json: impl Into<String>) -> Manifest {
        self.config_schema = json.into();
        self
    }

    /// Asks for a capability it can't work without: the grant to suggest to the operator, without its kind (`/proc`; empty where only
    /// the operator or the targets know), and the reason shown beside it.
    pub fn wants(mut self, what: Capability, suggested: &str, why: &str) -> Manifest {
        self.wants.push(Want { what, suggested: suggested.to_owned(), why: why.to_owned(), optional: false });
        self
    }

    /// Asks for a capability it has a use without.
    pub fn may_want(mut self, what: Capability, suggested: &str, why: &str) -> Manifest {
        self.wants.push(Want { what, suggested: suggested.to_owned(), why: why.to_owned(), optional: true });
        self
    }

    /// Declares a family that the plugin can produce; a name may end in `*`.
    pub fn declares(mut self, name: &str, kind: Kind, help: &str, label_names: &[&str]) -> Manifest {
        self.families.push(DeclaredFamily {
            name: name.to_owned(),
            kind,
            unit: String::new(),
            help: help.to_owned(),
            label_names: label_names.iter().map(|&n| n.to_owned()).collect(),
            more_labels: false,
        });
        self
    }

    /// Says that families come that nobody can name beforehand.
    pub fn declares_more(mut self) -> Manifest {
        self.other_families = true;
        self
    }
}

impl Problem {
    /// Makes a problem at `path` (`netdev.device-exclude`; empty for the whole config).
    pub fn at(path: impl Into<String>, message: impl Into<String>) -> Problem {
        Problem { path: path.into(), message: message.into() }
    }
}
