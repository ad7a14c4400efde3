//! File systems and disks: what is mounted, how full it is, and what went through its device.

use crate::families::{self as f, Family};
use crate::mounts::Mount;
use crate::options::Options;
use crate::stats::Io;
use std::collections::{BTreeMap, BTreeSet};
use watchglass_sdk::Shared;
use watchglass_sdk::files::{Files, Usage};
use watchglass_sdk::prelude::*;

/// Most file systems of the root that are shown.
const MAX_FILESYSTEMS: usize = 256;

/// How long one file system may take to answer, milliseconds.
const USAGE_MS: u64 = 500;

/// A disk's line in /proc/diskstats (Documentation/admin-guide/iostats.rst).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Disk {
    pub(crate) name: String,
    /// Reads, merged, sectors, ms; writes, merged, sectors, ms; in progress, ms busy, ms weighted.
    pub(crate) counts: [u64; 11],
}

/// Reads /proc/diskstats.
pub(crate) fn diskstats(text: &str) -> BTreeMap<(u32, u32), Disk> {
    let mut disks = BTreeMap::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let (Some(major), Some(minor), Some(name)) =
            (words.first().and_then(|w| w.parse().ok()), words.get(1).and_then(|w| w.parse().ok()), words.get(2))
        else {
            continue;
        };
        let mut disk = Disk { name: (*name).to_owned(), ..Disk::default() };
        for (count, word) in disk.counts.iter_mut().zip(words.iter().skip(3)) {
            *count = word.parse().unwrap_or(0);
        }
        disks.insert((major, minor), disk);
    }
    disks
}

/// A file system, as a container or the root has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct FileSystem {
    /// `/dev/sda1`; of a tmpfs where it is mounted; of an overlay its name and number.
    pub(crate) device: String,
    /// Bytes it holds.
    pub(crate) limit: Option<u64>,
    /// Bytes used.
    pub(crate) usage: Option<u64>,
    pub(crate) inodes: Option<u64>,
    pub(crate) inodes_free: Option<u64>,
    /// What went through its device.
    pub(crate) disk: Disk,
}

/// Everything known of the machine's disks during one collection.
pub(crate) struct Disks<'a> {
    files: &'a dyn Files,
    options: &'a Options,
    mounts: &'a [Mount],
    by_number: BTreeMap<(u32, u32), Disk>,
    deadline_ns: u64,
    /// What was asked already.
    asked: BTreeMap<String, Option<(u64, u64, u64, u64)>>,
}

impl<'a> Disks<'a> {
    /// Reads /proc/diskstats; without it the counters are 0.
    pub(crate) fn read(files: &'a dyn Files, options: &'a Options, mounts: &'a [Mount], deadline_ns: u64) -> Disks<'a> {
        let text = files.text(&options.proc("diskstats")).unwrap_or_default();
        Disks { files, options, mounts, by_number: diskstats(&text), deadline_ns, asked: BTreeMap::new() }
    }

    /// Gives a device's name as a path; none for a number that is no disk.
    pub(crate) fn name(&self, device: (u32, u32)) -> Option<String> {
        self.by_number.get(&device).map(|d| format!("/dev/{}", d.name))
    }

    /// Size, free bytes, nodes, free nodes; none where it does not answer.
    fn usage(&mut self, point: &str) -> Option<(u64, u64, u64, u64)> {
        if let Some(known) = self.asked.get(point) {
            return *known;
        }
        let left_ms = self.deadline_ns.saturating_sub(clock::monotonic_ns()) / 2_000_000;
        let answer = self.files.disk_usage(&self.options.root(point), USAGE_MS.min(left_ms).max(1) as u32).ok();
        let numbers = answer.map(|u: Usage| (u.size, u.free, u.files, u.files_free));
        self.asked.insert(point.to_owned(), numbers);
        numbers
    }

    /// Gives the file systems of the machine: what is on a disk or in memory, once each; not what containers have mounted for themselves.
    pub(crate) fn of_machine(&mut self) -> Vec<FileSystem> {
        let mut out: Vec<FileSystem> = Vec::new();
        let mut seen = BTreeSet::new();
        for m in self.mounts {
            let device = match m.kind.as_str() {
                "tmpfs" => m.point.clone(),
                "overlay" if is_layer(&m.point) => continue,
                "overlay" => format!("{}_{}-{}", m.source, m.device_number.0, m.device_number.1),
                kind if is_shown(kind) => m.source.clone(),
                _ => continue,
            };
            // A second mount of the same is a bind mount.
            if out.len() >= MAX_FILESYSTEMS || !seen.insert(device.clone()) {
                continue;
            }
            let Some((size, free, nodes, nodes_free)) = self.usage(&m.point) else { continue };
            out.push(FileSystem {
                device,
                limit: Some(size),
                usage: Some(size.saturating_sub(free)),
                inodes: Some(nodes),
                inodes_free: Some(nodes_free),
                disk: self.by_number.get(&m.device_number).cloned().unwrap_or_default(),
            });
        }
        out
    }

    /// Gives the file system that a container's layer is on; how much of it the layer takes is for others to say.
    pub(crate) fn of_layer(&mut self, dir: &str) -> Option<FileSystem> {
        let m = crate::mounts::of_path(self.mounts, dir)?;
        let usage = self.usage(&m.point);
        Some(FileSystem {
            device: m.source.clone(),
            limit: usage.map(|u| u.0),
            inodes_free: usage.map(|u| u.3),
            disk: self.by_number.get(&m.device_number).cloned().unwrap_or_default(),
            ..FileSystem::default()
        })
    }
}

/// Tells whether a type of file systems holds files of its own.
fn is_shown(kind: &str) -> bool {
    kind.starts_with("ext") || kind.starts_with("nfs") || matches!(kind, "btrfs" | "xfs" | "zfs")
}

/// Tells whether an overlay is a container's root: the engines mount it at `.../merged` or `.../rootfs`.
fn is_layer(point: &str) -> bool {
    point.ends_with("/merged") || point.ends_with("/rootfs")
}

/// Adds the file systems and a cgroup's own counts of devices.
pub(crate) fn put(filesystems: &[FileSystem], io: &Io, disks: &Disks, batch: &mut Batch, base: &Shared) {
    let name = |device: (u32, u32)| disks.name(device).unwrap_or_default();
    for d in &io.bytes {
        let (device, major, minor) = (name(d.device), d.device.0.to_string(), d.device.1.to_string());
        for (operation, value) in &d.by_operation {
            f::BLKIO_DEVICE_USAGE.put(batch, base, &[&device, &major, &minor, operation], *value as f64);
        }
        for (family, operation) in [(f::FS_READS_BYTES, "Read"), (f::FS_WRITES_BYTES, "Write")] {
            if let Some(value) = d.get(operation) {
                family.put(batch, base, &[&device], value as f64);
            }
        }
    }
    let mut counted = BTreeSet::new();
    for d in &io.operations {
        let device = name(d.device);
        for (family, operation) in [(f::FS_READS, "Read"), (f::FS_WRITES, "Write")] {
            if let Some(value) = d.get(operation) {
                family.put(batch, base, &[&device], value as f64);
            }
        }
        counted.insert(device);
    }
    for (device, costs) in &io.costs {
        let device = name(*device);
        for (family, value) in [f::FS_IO_COST_USAGE, f::FS_IO_COST_WAIT, f::FS_IO_COST_DELAY].iter().zip(costs) {
            family.put(batch, base, &[&device], *value);
        }
    }
    for fs in filesystems {
        let numbers: [(Family, Option<u64>); 4] = [
            (f::FS_LIMIT, fs.limit),
            (f::FS_USAGE, fs.usage),
            (f::FS_INODES, fs.inodes),
            (f::FS_INODES_FREE, fs.inodes_free),
        ];
        for (family, value) in numbers {
            if let Some(value) = value {
                family.put(batch, base, &[&fs.device], value as f64);
            }
        }
        put_disk(&fs.disk, counted.contains(&fs.device), batch, base, &fs.device);
    }
}

/// Adds a disk's counters. `counted`: the cgroup itself told how many reads and writes were its own.
fn put_disk(disk: &Disk, counted: bool, batch: &mut Batch, base: &Shared, device: &str) {
    const COUNTS: [(Family, usize); 7] = [
        (f::FS_READS, 0),
        (f::FS_WRITES, 4),
        (f::FS_READS_MERGED, 1),
        (f::FS_SECTOR_READS, 2),
        (f::FS_WRITES_MERGED, 5),
        (f::FS_SECTOR_WRITES, 6),
        (f::FS_IO_CURRENT, 8),
    ];
    // The kernel counts milliseconds.
    const TIMES: [(Family, usize); 4] =
        [(f::FS_READ_SECONDS, 3), (f::FS_WRITE_SECONDS, 7), (f::FS_IO_TIME, 9), (f::FS_IO_TIME_WEIGHTED, 10)];
    for (family, at) in COUNTS.iter().skip(if counted { 2 } else { 0 }) {
        family.put(batch, base, &[device], disk.counts.get(*at).copied().unwrap_or(0) as f64);
    }
    for (family, at) in TIMES {
        family.put(batch, base, &[device], disk.counts.get(at).copied().unwrap_or(0) as f64 / 1e3);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_diskstats() {
        let d = diskstats("   8       0 sda 1 2 3 4 5 6 7 8 9 10 11 0 0 0 0\n 8 1 sda1 1\njunk\n 9\n 8 x y\n");
        assert_eq!(d.len(), 2);
        assert_eq!(d[&(8, 0)].counts, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
        assert_eq!(d[&(8, 1)].counts[1], 0);
    }
}
