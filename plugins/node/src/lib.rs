//! Collects the machine: what node_exporter 1.12 shows on Linux, under its names.
//!
//! Every collector is one file in `collectors`, reads through [`Machine`] alone, and is a line in the table in `collectors/mod.rs`. One that
//! fails leaves the others: its `node_scrape_collector_success` is 0, and what it had told until then stays.

mod ahead;
mod collectors;
mod columns;
mod dbus;
mod families;
mod flags;
mod machine;
mod mounts;
mod options;
mod text;

pub use collectors::{Known, known};
pub use dbus::Stream;
pub use flags::{FLAGS, Flag, Preset};
pub use machine::{HostSystem, Machine, Memory, System};
pub use options::Options;

use watchglass_sdk::files::HostFiles;
use watchglass_sdk::prelude::*;

/// The collector.
#[derive(Debug)]
pub struct Node {
    options: Options,
    memory: Memory,
}

impl Collector for Node {
    fn describe() -> Manifest {
        let mut m = Manifest::new("node", env!("CARGO_PKG_VERSION"), "collects this machine, as node_exporter does")
            .lives(Instance::Shared, false)
            .schema(options::schema())
            .wants(Capability::Files, "/proc", "most of what the kernel tells")
            .wants(Capability::Files, "/sys", "devices")
            .may_want(Capability::System, "disk-usage", "how full the file systems are")
            .may_want(Capability::System, "uname", "the machine's architecture")
            .may_want(Capability::System, "clock-adjustment", "timex")
            .may_want(Capability::System, "time-zone", "the offset of local time")
            .may_want(Capability::System, "network-links", "what /proc/net/dev does not have")
            .may_want(Capability::System, "*", "ethtool, wifi, qdisc, network_route and btrfs, where enabled")
            .may_want(Capability::Files, "/usr/lib/os-release", "the distribution's name")
            .may_want(Capability::Files, "/usr/share/misc/pci.ids", "names of PCI devices, where enabled")
            .may_want(Capability::Files, "/run/udev/data", "models and serial numbers of disks")
            .may_want(Capability::Unix, "/run/dbus/system_bus_socket", "systemd and logind, where enabled");
        for (name, kind, labels) in families::DECLARED {
            m = m.declares(name, *kind, "as node_exporter has it", labels);
        }
        m.declares(
            "node_scrape_collector_duration_seconds",
            Kind::Gauge,
            "Duration of a collector's run.",
            &["collector"],
        )
        .declares("node_scrape_collector_success", Kind::Gauge, "Whether a collector succeeded.", &["collector"])
        .declares_more()
    }

    fn configure(config: &Json) -> Result<Self, Vec<Problem>> {
        Ok(Node { options: Options::decode(config)?, memory: Memory::default() })
    }

    fn collect(&mut self, ctx: &Context) -> Result<Collection, Error> {
        let deadline = clock::monotonic_ns().saturating_add(u64::from(ctx.deadline_ms) * 1_000_000);
        let machine = Machine::new(&HostFiles, &HostSystem, &self.options, ctx.scheduled_at, deadline);
        let (batch, failures) = run(&machine, &mut self.memory);
        let mut collection = Collection::from(batch);
        for (name, e) in failures {
            collection = collection.evidence(&[("collector", name)], format!("{name}: {}", e.message()));
        }
        Ok(collection)
    }
}

/// Runs every enabled collector; gives the samples, and what failed otherwise than by having nothing to tell.
pub fn run(machine: &Machine, memory: &mut Memory) -> (Batch, Vec<(&'static str, Error)>) {
    let mut batch = Batch::new();
    let mut failures = Vec::new();
    let enabled = |c: &&Known| machine.options.enabled(c.name, c.default_on);
    let names: Vec<&str> = known().iter().filter(enabled).map(|c| c.name).collect();
    let files = ahead::Ahead::new(machine, |name| names.contains(&name));
    let machine = &Machine { files: &files, ..*machine };
    for c in known().iter().filter(enabled) {
        let watch = clock::Stopwatch::start();
        let result = (c.collect)(machine, memory, &mut batch);
        let labels = [("collector", c.name)];
        batch
            .gauge("node_scrape_collector_duration_seconds", "Duration of a collector's run.")
            .sample(&labels, watch.seconds());
        batch
            .gauge("node_scrape_collector_success", "Whether a collector succeeded.")
            .sample(&labels, f64::from(result.is_ok()));
        match result {
            Err(Error::NotFound(_)) | Ok(()) => {}
            // What is on by default and not granted is left out on purpose; what the operator enabled is not.
            Err(Error::Denied(_)) if !machine.options.asked_for(c.name) => {}
            Err(e) => failures.push((c.name, e)),
        }
    }
    (batch, failures)
}

watchglass_sdk::export_collector!(Node);
