//! Collects containers: what cAdvisor 0.60 shows of them and of the machine, under its names.
//!
//! Cgroups are found by walking (`hierarchy`), read whole and in batches (`cgroup`, `v1`, `v2`), and named by the engine that made them where its
//! socket is granted (`engine`). What is not granted is left out: without a socket a container is known by its cgroup alone.

mod cgroup;
mod collect;
mod container;
mod disks;
mod engine;
mod families;
mod hierarchy;
mod labels;
mod layers;
mod machine;
mod mounts;
pub mod naming;
mod network;
mod options;
mod process;
mod stats;
mod subject;
mod text;
mod v1;
mod v2;

pub use collect::{Outcome, run};
pub use engine::{Api, HostApi};
pub use machine::{Topology, topology, topology_of_sysfs};
pub use options::Options;

use std::collections::BTreeMap;
use watchglass_sdk::files::{Files, HostFiles};
use watchglass_sdk::prelude::*;

/// The machine during one collection.
#[derive(Clone, Copy)]
pub struct World<'w> {
    /// Its files.
    pub files: &'w dyn Files,
    /// Its engines.
    pub api: &'w dyn Api,
    /// What the operator set.
    pub options: &'w Options,
    /// The collection's time, milliseconds of Unix time.
    pub now_ms: i64,
    /// When it must be over, on the monotonic clock.
    pub deadline_ns: u64,
}

impl std::fmt::Debug for World<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("now_ms", &self.now_ms).finish_non_exhaustive()
    }
}

/// What is remembered between collections.
#[derive(Debug, Default)]
pub struct Memory {
    engines: subject::Engines,
    layers: layers::Layers,
    /// Layers that were found without an engine, and that none was found.
    found_layers: BTreeMap<String, Option<layers::Layer>>,
    facts: Option<machine::Facts>,
    seen: BTreeMap<String, collect::Seen>,
}

/// The collector.
#[derive(Debug)]
pub struct Cadvisor {
    options: Options,
    memory: Memory,
}

impl Collector for Cadvisor {
    fn describe() -> Manifest {
        let mut m = Manifest::new("cadvisor", env!("CARGO_PKG_VERSION"), "collects containers, as cAdvisor does")
            .lives(Instance::Shared, false)
            .memory(64)
            .schema(options::schema())
            .wants(Capability::Files, "/sys", "cgroups")
            .wants(Capability::Files, "/proc", "mounts, networks and disks")
            .may_want(
                Capability::Unix,
                "/var/run/docker.sock",
                "containers' names, images, labels, health and restarts",
            )
            .may_want(Capability::Unix, "/run/podman/podman.sock", "the same of Podman's containers")
            .may_want(Capability::System, "disk-usage", "how full the file systems are")
            .may_want(Capability::Files, "/var/lib/docker", "how much containers' layers hold on disk")
            .may_want(Capability::Files, "/etc/machine-id", "the machine's identifier")
            .may_want(Capability::Files, "/etc/os-release", "the distribution's name");
        let of_machine = ["boot_id", "machine_id", "system_uuid"];
        for family in families::ALL {
            let bare = [families::SCRAPE_ERROR.name, families::MACHINE_SCRAPE_ERROR.name, families::VERSION_INFO.name];
            let base: &[&str] = match family.name {
                name if bare.contains(&name) => &[],
                name if name.starts_with("machine_") => &of_machine,
                _ => &["id", "image", "name"],
            };
            let labels: Vec<&str> = base.iter().chain(family.labels).copied().collect();
            m = m.declares(family.name, family.kind, family.help, &labels);
        }
        // The operator's lists of labels add to those.
        for family in m.families.iter_mut().filter(|f| f.label_names.iter().any(|l| l == "id")) {
            family.more_labels = true;
        }
        m
    }

    fn configure(config: &Json) -> Result<Self, Vec<Problem>> {
        Ok(Cadvisor { options: Options::decode(config)?, memory: Memory::default() })
    }

    fn collect(&mut self, ctx: &Context) -> Result<Collection, Error> {
        let deadline_ns = clock::monotonic_ns().saturating_add(u64::from(ctx.deadline_ms) * 1_000_000);
        let world =
            World { files: &HostFiles, api: &HostApi, options: &self.options, now_ms: ctx.scheduled_at, deadline_ns };
        let Outcome { batch, problems } = run(&world, &mut self.memory);
        let mut collection = Collection::from(batch);
        for (what, e) in problems {
            collection = collection.evidence(&[], format!("{what}: {}", e.message()));
        }
        Ok(collection)
    }
}

watchglass_sdk::export_collector!(Cadvisor);
