//! The machine: processors, memory, identifiers.

use crate::families as f;
use crate::options::Options;
use crate::text;
use std::collections::{BTreeMap, BTreeSet};
use watchglass_sdk::files::Files;
use watchglass_sdk::{Batch, Shared};

/// Where the firmware's identifier of the machine may be: PC, device tree, s390x' hypervisor.
const SYSTEM_UUID: [&str; 4] =
    ["/sys/class/dmi/id/product_uuid", "/proc/device-tree/system-id", "/proc/device-tree/vm,uuid", "/etc/machine-id"];

/// Most processors whose place is looked at.
const MAX_PROCESSORS: usize = 8_192;

/// What does not change while the machine runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    machine_id: String,
    system_uuid: String,
    boot_id: String,
    os: String,
    kernel: String,
    topology: Topology,
    books: usize,
    drawers: usize,
    /// Memory modules by type: bytes and how many.
    modules: BTreeMap<String, (u64, u64)>,
}

/// How many processors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Topology {
    /// Logical ones.
    pub cores: usize,
    /// Physical cores.
    pub physical: usize,
    /// Sockets.
    pub sockets: usize,
}

/// Memory and swap, bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amounts {
    pub(crate) memory: u64,
    pub(crate) swap: u64,
    pub(crate) swap_free: u64,
}

/// Reads /proc/meminfo, which counts in KiB.
pub(crate) fn amounts(text: &str) -> Option<Amounts> {
    let value = |key: &str| {
        let rest = text.lines().find_map(|l| l.strip_prefix(key))?;
        let kib: u64 = rest.trim().trim_end_matches("kB").trim().parse().ok()?;
        kib.checked_mul(1_024)
    };
    Some(Amounts {
        memory: value("MemTotal:")?,
        swap: value("SwapTotal:").unwrap_or(0),
        swap_free: value("SwapFree:").unwrap_or(0),
    })
}

/// Reads /proc/cpuinfo; where it names no cores or sockets each processor is a core, of one socket.
pub fn topology(cpuinfo: &str) -> Topology {
    let (mut cores, mut places, mut sockets) = (0, BTreeSet::new(), BTreeSet::new());
    let mut socket = "";
    for line in cpuinfo.lines() {
        let Some((key, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        match key.trim().to_ascii_lowercase().as_str() {
            // On 32-bit ARM the model's name stands behind "Processor" too.
            "processor" if value.parse::<u32>().is_ok() => (cores, socket) = (cores + 1, ""),
            "physical id" => {
                socket = value;
                sockets.insert(value);
            }
            "core id" => {
                places.insert((socket, value));
            }
            _ => {}
        }
    }
    Topology {
        cores,
        physical: if places.is_empty() { cores } else { places.len() },
        sockets: if sockets.is_empty() { cores.min(1) } else { sockets.len() },
    }
}

/// Reads where each processor sits: `cpuN/topology` below a folder of sysfs. None where it does not say.
pub fn topology_of_sysfs(files: &dyn Files, dir: &str) -> Option<(usize, usize)> {
    let is_processor =
        |n: &str| n.strip_prefix("cpu").is_some_and(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_digit()));
    let names = files.names(dir).ok()?;
    let processors: Vec<&String> = names.iter().filter(|n| is_processor(n)).take(MAX_PROCESSORS).collect();
    let paths: Vec<String> = processors
        .iter()
        .flat_map(|n| ["physical_package_id", "core_id"].map(|file| format!("{dir}/{n}/topology/{file}")))
        .collect();
    let texts = files.texts(&paths);
    let (mut cores, mut sockets) = (BTreeSet::new(), BTreeSet::new());
    for pair in texts.chunks(2) {
        // A processor that is off has no place.
        let [Some(socket), Some(core)] = pair else { continue };
        if socket.is_empty() || core.is_empty() {
            continue;
        }
        cores.insert((socket.as_str(), core.as_str()));
        sockets.insert(socket.as_str());
    }
    (!cores.is_empty()).then_some((cores.len(), sockets.len()))
}

impl Facts {
    /// Reads them; what is not there, or not granted, is empty.
    pub(crate) fn read(files: &dyn Files, options: &Options) -> Facts {
        let first = |paths: &[&str]| {
            let read = |p: &&str| files.read(&options.root(p.trim()), 4_096).ok();
            let text =
                paths.iter().filter(|p| !p.trim().is_empty()).find_map(read).map(watchglass_sdk::files::into_text);
            text.map(|t| text::cut(t.trim_matches(|c: char| c.is_whitespace() || c == '\0'), 200).to_owned())
                .unwrap_or_default()
        };
        let mut topology = topology(&files.text(&options.proc("cpuinfo")).unwrap_or_default());
        let processors = options.sys("devices/system/cpu");
        if let Some((physical, sockets)) = topology_of_sysfs(files, &processors) {
            (topology.physical, topology.sockets) = (physical, sockets);
        }
        let (books, drawers) = groups(files, &processors);
        Facts {
            machine_id: first(&options.machine_id_file.split(',').collect::<Vec<_>>()),
            system_uuid: first(&SYSTEM_UUID),
            boot_id: first(&options.boot_id_file.split(',').collect::<Vec<_>>()),
            os: ["/etc/os-release", "/usr/lib/os-release"]
                .iter()
                .find_map(|p| files.read(&options.root(p), 64 << 10).ok())
                .map(|t| distribution(&watchglass_sdk::files::into_text(t)))
                .unwrap_or_default(),
            kernel: first(&["/proc/sys/kernel/osrelease"]),
            topology,
            books,
            drawers,
            modules: modules(files, &options.sys("devices/system/edac/mc")),
        }
    }

    /// Adds the machine's families.
    pub(crate) fn put(&self, amounts: Option<Amounts>, engine: &str, batch: &mut Batch) {
        let base = batch.labels(&[
            ("boot_id", self.boot_id.as_str()),
            ("machine_id", self.machine_id.as_str()),
            ("system_uuid", self.system_uuid.as_str()),
        ]);
        let bare = Shared::default();
        let numbers = [
            (f::MACHINE_BOOKS, self.books),
            (f::MACHINE_CORES, self.topology.cores),
            (f::MACHINE_DRAWERS, self.drawers),
            (f::MACHINE_PHYSICAL_CORES, self.topology.physical),
            (f::MACHINE_SOCKETS, self.topology.sockets),
        ];
        for (family, value) in numbers {
            family.put(batch, &base, &[], value as f64);
        }
        for (kind, (bytes, count)) in &self.modules {
            f::MACHINE_DIMM_BYTES.put(batch, &base, &[kind], *bytes as f64);
            f::MACHINE_DIMM_COUNT.put(batch, &base, &[kind], *count as f64);
        }
        if let Some(a) = amounts {
            f::MACHINE_MEMORY.put(batch, &base, &[], a.memory as f64);
            f::MACHINE_SWAP.put(batch, &base, &[], a.swap as f64);
        }
        // Persistent memory is told of by a library for such modules, which nobody makes any more: as on all machines without them, none.
        f::MACHINE_NVM_POWER.put(batch, &base, &[], 0.0);
        for mode in ["app_direct_mode", "memory_mode"] {
            f::MACHINE_NVM.put(batch, &base, &[mode], 0.0);
        }
        f::MACHINE_SCRAPE_ERROR.put(batch, &bare, &[], f64::from(amounts.is_none() || self.topology.cores == 0));
        let versions = [self.kernel.as_str(), &self.os, engine, concat!("watchglass ", env!("CARGO_PKG_VERSION")), ""];
        f::VERSION_INFO.put(batch, &bare, &versions, 1.0);
    }
}

/// Counts the books and drawers that s390x groups its sockets in.
fn groups(files: &dyn Files, processors: &str) -> (usize, usize) {
    // Elsewhere they are not there, or all say -1.
    let of = |file: &str| files.read(&format!("{processors}/cpu0/topology/{file}"), 64).ok();
    if of("book_id").is_none() {
        return (0, 0);
    }
    let names = files.names(processors).unwrap_or_default();
    let count = |file: &str| {
        let paths: Vec<String> =
            names.iter().take(MAX_PROCESSORS).map(|n| format!("{processors}/{n}/topology/{file}")).collect();
        let found: BTreeSet<String> =
            files.texts(&paths).into_iter().flatten().filter(|t| t != "-1" && !t.is_empty()).collect();
        found.len()
    };
    (count("book_id"), count("drawer_id"))
}

/// Memory modules that the kernel watches for errors: `mcN/dimmM` with type and size in MiB.
fn modules(files: &dyn Files, dir: &str) -> BTreeMap<String, (u64, u64)> {
    let mut out: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for controller in files.names(dir).unwrap_or_default().into_iter().filter(|n| n.starts_with("mc")).take(256) {
        let dir = format!("{dir}/{controller}");
        for dimm in files.names(&dir).unwrap_or_default().into_iter().filter(|n| n.starts_with("dimm")).take(256) {
            let texts = files.texts(&[format!("{dir}/{dimm}/dimm_mem_type"), format!("{dir}/{dimm}/size")]);
            let [Some(kind), Some(size)] = &texts[..] else { continue };
            let Some(mib) = size.parse::<u64>().ok() else { continue };
            let entry = out.entry(text::cut(kind, 100).to_owned()).or_default();
            *entry = (entry.0.saturating_add(mib.saturating_mul(1 << 20)), entry.1 + 1);
        }
    }
    out
}

/// The distribution's name out of os-release(5).
fn distribution(text: &str) -> String {
    let line = text.lines().find_map(|l| l.strip_prefix("PRETTY_NAME=")).unwrap_or("");
    text::cut(line.trim().trim_matches('"'), 200).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_and_sockets() {
        let two = "processor : 0\nphysical id : 0\ncore id : 0\n\nprocessor: 1\nphysical id: 0\ncore id: 0\n\nprocessor:2\nphysical id:1\ncore id:0\n";
        assert_eq!(topology(two), Topology { cores: 3, physical: 2, sockets: 2 });
        assert_eq!(
            topology("Processor : ARMv7\nprocessor : 0\nprocessor : 1\n"),
            Topology { cores: 2, physical: 2, sockets: 1 }
        );
        assert_eq!(topology("\u{0}junk"), Topology::default());
    }

    #[test]
    fn memory() {
        let a = amounts("MemTotal:       1024 kB\nMemFree: 1 kB\nSwapTotal:  2 kB\nSwapFree: 1 kB\n").unwrap();
        assert_eq!((a.memory, a.swap, a.swap_free), (1 << 20, 2_048, 1_024));
        assert_eq!(amounts("MemTotal: 99999999999999999999 kB"), None);
        assert_eq!(amounts(""), None);
    }
}
