//! cgroup v1: Documentation/admin-guide/cgroup-v1.

use crate::cgroup::{Kinds, Texts};
use crate::stats::{self, Cfs, Cpu, CpuSpec, DeviceCounts, Memory, MemorySpec, Stats};
use crate::text;

/// Ticks in a second of `cpuacct.stat`: USER_HZ, 100 on every machine that Linux runs containers on.
const TICKS: f64 = 100.0;

/// Block statistics, best first: of the BFQ scheduler, of CFQ (until Linux 4.20), of throttling with all below, of throttling.
const BLOCK: [(&str, &str); 4] = [
    ("blkio.bfq.io_service_bytes_recursive", "blkio.bfq.io_serviced_recursive"),
    ("blkio.io_service_bytes_recursive", "blkio.io_serviced_recursive"),
    ("blkio.throttle.io_service_bytes_recursive", "blkio.throttle.io_serviced_recursive"),
    ("blkio.throttle.io_service_bytes", "blkio.throttle.io_serviced"),
];

/// Names the files that are wanted of a controller.
pub(crate) fn wanted(controller: &str, kinds: Kinds) -> Vec<&'static str> {
    match controller {
        "memory" if kinds.memory => vec![
            "memory.stat",
            "memory.usage_in_bytes",
            "memory.max_usage_in_bytes",
            "memory.failcnt",
            "memory.kmem.usage_in_bytes",
            "memory.limit_in_bytes",
            "memory.memsw.limit_in_bytes",
            "memory.soft_limit_in_bytes",
            "memory.oom_control",
        ],
        "memory" if kinds.oom => vec!["memory.oom_control"],
        "cpu" if kinds.cpu => vec!["cpu.stat", "cpu.shares", "cpu.cfs_period_us", "cpu.cfs_quota_us"],
        "cpuacct" if kinds.cpu => vec!["cpuacct.usage", "cpuacct.usage_percpu", "cpuacct.stat"],
        "blkio" if kinds.io => BLOCK.iter().flat_map(|(bytes, operations)| [*bytes, *operations]).collect(),
        "pids" if kinds.pids => vec!["pids.current", "pids.max"],
        "cpuset" if kinds.cpuset => vec!["cpuset.cpus", "cpuset.effective_cpus"],
        _ => Vec::new(),
    }
}

/// Makes stats of what was read.
pub(crate) fn parse(t: &Texts) -> Stats {
    let mut stats = Stats {
        cpu: cpu(t),
        memory: memory(t),
        cpu_spec: cpu_spec(t),
        memory_spec: memory_spec(t),
        oom_kills: t.get("memory.oom_control").and_then(|c| text::value_of(c, "oom_kill")),
        pids: t.number("pids.current"),
        pids_max: t.number("pids.max"),
        cpus: t.get("cpuset.effective_cpus").or(t.get("cpuset.cpus")).map(|c| c.trim().to_owned()),
        ..Stats::default()
    };
    for (bytes, operations) in BLOCK {
        let bytes = t.get(bytes).map(block).unwrap_or_default();
        if !bytes.is_empty() {
            stats.io.bytes = bytes;
            stats.io.operations = t.get(operations).map(block).unwrap_or_default();
            break;
        }
    }
    stats
}

fn cpu(t: &Texts) -> Option<Cpu> {
    let per_cpu_ns: Vec<u64> = t
        .get("cpuacct.usage_percpu")
        .map(|p| p.split_ascii_whitespace().map_while(|n| n.parse().ok()).collect())
        .unwrap_or_default();
    let usage_ns = t.number("cpuacct.usage").or_else(|| (!per_cpu_ns.is_empty()).then(|| per_cpu_ns.iter().sum()));
    let shares = t.get("cpu.stat");
    if usage_ns.is_none() && shares.is_none() {
        return None;
    }
    let ticks = |key| t.get("cpuacct.stat").and_then(|s| text::value_of(s, key)).unwrap_or(0) as f64 / TICKS;
    let mut cfs = Cfs::default();
    for (key, value) in shares.into_iter().flat_map(text::keyed) {
        match key {
            "nr_periods" => cfs.periods = value,
            "nr_throttled" => cfs.throttled_periods = value,
            "throttled_time" => cfs.throttled = value as f64 / 1e9,
            "nr_bursts" => cfs.burst_periods = value,
            "burst_time" => cfs.burst = value as f64 / 1e9,
            _ => {}
        }
    }
    Some(Cpu { usage_ns: usage_ns.unwrap_or(0), per_cpu_ns, user: ticks("user"), system: ticks("system"), cfs })
}

fn cpu_spec(t: &Texts) -> Option<CpuSpec> {
    let (shares, period) = (t.number("cpu.shares"), t.number("cpu.cfs_period_us"));
    if shares.is_none() && period.is_none() {
        return None;
    }
    // -1 is no quota, and no number here.
    let quota = t.number("cpu.cfs_quota_us").filter(|q| *q > 0);
    Some(CpuSpec { period: period.unwrap_or(0), quota, shares: shares.unwrap_or(0) })
}

fn memory(t: &Texts) -> Option<Memory> {
    let mut m = Memory { usage: t.number("memory.usage_in_bytes")?, ..Memory::default() };
    m.max_usage = t.number("memory.max_usage_in_bytes").unwrap_or(0);
    m.failcnt = t.number("memory.failcnt").unwrap_or(0);
    m.kernel = t.number("memory.kmem.usage_in_bytes").unwrap_or(0);
    // Lines without `total_` are the cgroup's own, those with it count all below it; the latter come later and hold.
    for (key, value) in t.get("memory.stat").into_iter().flat_map(text::keyed) {
        match key {
            "pgfault" => m.pgfault = [value; 2],
            "pgmajfault" => m.pgmajfault = [value; 2],
            "total_pgfault" => m.pgfault[1] = value,
            "total_pgmajfault" => m.pgmajfault[1] = value,
            _ => match key.strip_prefix("total_").unwrap_or(key) {
                "cache" => m.cache = value,
                "rss" => m.rss = value,
                "swap" => m.swap = value,
                "mapped_file" => m.mapped_file = value,
                "active_file" => m.active_file = value,
                "inactive_file" => m.inactive_file = value,
                "dirty" => m.file_dirty = value,
                "writeback" => m.file_writeback = value,
                "workingset_refault_anon" => m.refault_anon = value,
                // Before Linux 5.9 it had no suffix.
                "workingset_refault_file" | "workingset_refault" => m.refault_file = value,
                _ => {}
            },
        }
    }
    Some(m)
}

fn memory_spec(t: &Texts) -> Option<MemorySpec> {
    Some(MemorySpec {
        limit: stats::limit(Some(t.number("memory.limit_in_bytes")?)),
        swap_limit: stats::limit(t.number("memory.memsw.limit_in_bytes")),
        reservation: stats::limit(t.number("memory.soft_limit_in_bytes")),
    })
}

/// Reads `8:0 Read 4096`; the closing `Total 4096` belongs to no device.
fn block(text: &str) -> Vec<DeviceCounts> {
    let mut out = Vec::new();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        if let (Some(device), Some(operation), Some(value)) =
            (words.next().and_then(text::device), words.next(), words.next().and_then(|v| v.parse().ok()))
        {
            stats::add(&mut out, device, operation, value);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts<'n>(files: &[(&'n str, &str)]) -> Texts<'n> {
        let mut t = Texts::default();
        for (name, text) in files {
            t.push(name, (*text).to_owned());
        }
        t
    }

    #[test]
    fn totals_hold_where_there_are_any() {
        let m = memory(&texts(&[
            ("memory.usage_in_bytes", "1000\n"),
            ("memory.stat", "cache 1\npgfault 3\ninactive_file 5\ntotal_cache 10\ntotal_pgfault 30\ntotal_inactive_file 400\njunk\nrss x\n"),
        ]))
        .unwrap();
        assert_eq!((m.cache, m.pgfault, m.working_set()), (10, [3, 30], 600));
        let own =
            memory(&texts(&[("memory.usage_in_bytes", "3"), ("memory.stat", "cache 1\ninactive_file 5")])).unwrap();
        assert_eq!((own.cache, own.working_set()), (1, 0));
        assert_eq!(memory(&texts(&[("memory.stat", "cache 1")])), None);
    }

    #[test]
    fn a_scheduler_without_devices_leaves_it_to_the_next() {
        let s = parse(&texts(&[
            ("blkio.bfq.io_service_bytes_recursive", "Total 0\n"),
            ("blkio.throttle.io_service_bytes_recursive", "8:0 Read 4096\n8:0 Write 0\nTotal 4096\n"),
            ("blkio.throttle.io_serviced_recursive", "8:0 Read 1\n"),
        ]));
        assert_eq!(s.io.bytes.len(), 1);
        assert_eq!((s.io.bytes[0].get("Read"), s.io.operations[0].get("Read")), (Some(4096), Some(1)));
    }

    #[test]
    fn quota_and_time() {
        let s = parse(&texts(&[
            ("cpu.shares", "1025"),
            ("cpu.cfs_period_us", "100010"),
            ("cpu.cfs_quota_us", "-1"),
            ("cpu.stat", "nr_periods 5\nnr_throttled 2\nthrottled_time 1500000000\n"),
            ("cpuacct.usage_percpu", "10 20 \n"),
            ("cpuacct.stat", "user 150\nsystem 50\n"),
        ]));
        assert_eq!(s.cpu_spec, Some(CpuSpec { period: 100_010, quota: None, shares: 1025 }));
        let cpu = s.cpu.unwrap();
        assert_eq!((cpu.usage_ns, cpu.user, cpu.system, cpu.cfs.throttled), (30, 1.5, 0.5, 1.5));
    }
}
