//! cgroup v2: Documentation/admin-guide/cgroup-v2.rst.

use crate::cgroup::{Kinds, Texts};
use crate::stats::{self, Cfs, Cpu, CpuSpec, Io, Memory, MemorySpec, Stats};
use crate::text;

/// Names the files that are wanted.
pub(crate) fn wanted(kinds: Kinds) -> Vec<&'static str> {
    let mut names = Vec::new();
    if kinds.cpu {
        names.extend(["cpu.stat", "cpu.weight", "cpu.max"]);
    }
    if kinds.memory {
        names.extend([
            "memory.current",
            "memory.stat",
            "memory.peak",
            "memory.max",
            "memory.min",
            "memory.swap.current",
            "memory.swap.max",
        ]);
    }
    if kinds.memory || kinds.oom {
        names.push("memory.events");
    }
    if kinds.io {
        names.push("io.stat");
    }
    if kinds.pids {
        names.extend(["pids.current", "pids.max"]);
    }
    if kinds.cpuset {
        names.push("cpuset.cpus.effective");
    }
    names
}

/// Makes stats of what was read.
pub(crate) fn parse(t: &Texts) -> Stats {
    Stats {
        cpu: t.get("cpu.stat").map(cpu),
        memory: memory(t),
        io: t.get("io.stat").map(io).unwrap_or_default(),
        cpu_spec: cpu_spec(t),
        memory_spec: memory_spec(t),
        oom_kills: t.get("memory.events").and_then(|e| text::value_of(e, "oom_kill")),
        pids: t.number("pids.current"),
        pids_max: t.number("pids.max"),
        cpus: t.get("cpuset.cpus.effective").map(|c| c.trim().to_owned()),
        ..Stats::default()
    }
}

fn cpu(stat: &str) -> Cpu {
    let mut cpu = Cpu::default();
    let mut cfs = Cfs::default();
    for (key, value) in text::keyed(stat) {
        match key {
            "usage_usec" => cpu.usage_ns = value.saturating_mul(1_000),
            "user_usec" => cpu.user = value as f64 / 1e6,
            "system_usec" => cpu.system = value as f64 / 1e6,
            "nr_periods" => cfs.periods = value,
            "nr_throttled" => cfs.throttled_periods = value,
            "throttled_usec" => cfs.throttled = value as f64 / 1e6,
            "nr_bursts" => cfs.burst_periods = value,
            "burst_usec" => cfs.burst = value as f64 / 1e6,
            _ => {}
        }
    }
    Cpu { cfs, ..cpu }
}

fn cpu_spec(t: &Texts) -> Option<CpuSpec> {
    let (weight, max) = (t.number("cpu.weight"), t.get("cpu.max"));
    // The root has neither, and still the time of the machine's processors.
    if weight.is_none() && max.is_none() && t.get("cpu.stat").is_none() {
        return None;
    }
    let mut spec = CpuSpec { shares: weight.and_then(shares).unwrap_or(0), ..CpuSpec::default() };
    if let Some((quota, period)) = max.and_then(|m| m.trim().split_once(' ')) {
        spec.quota = quota.parse().ok().filter(|q| *q > 0);
        spec.period = text::number(period).unwrap_or(0);
    }
    Some(spec)
}

/// Turns a weight (1 to 10,000) into the shares of cgroup v1 (2 to 262,144): the straight line that runtimes take for the way back.
fn shares(weight: u64) -> Option<u64> {
    (1..=10_000).contains(&weight).then(|| 2 + (weight - 1) * 262_142 / 9_999)
}

fn memory(t: &Texts) -> Option<Memory> {
    let current = t.number("memory.current");
    let stat = t.get("memory.stat");
    // The root has no `memory.current`: it uses what it keeps of anonymous pages and files.
    if current.is_none() && stat.is_none() {
        return None;
    }
    let mut m = Memory { max_usage: t.number("memory.peak").unwrap_or(0), ..Memory::default() };
    m.swap = t.number("memory.swap.current").unwrap_or(0);
    let (mut kernel, mut parts) = (None, 0u64);
    let (mut scan, mut steal) = (None, None);
    for (key, value) in stat.into_iter().flat_map(text::keyed) {
        match key {
            "file" => m.cache = value,
            "anon" => m.rss = value,
            "file_mapped" => m.mapped_file = value,
            "active_file" => m.active_file = value,
            "inactive_file" => m.inactive_file = value,
            "file_dirty" => m.file_dirty = value,
            "file_writeback" => m.file_writeback = value,
            "pgfault" => m.pgfault = [value; 2],
            "pgmajfault" => m.pgmajfault = [value; 2],
            "pgscan" => scan = Some(value),
            "pgsteal" => steal = Some(value),
            "workingset_refault_anon" => m.refault_anon = value,
            // Before Linux 5.9 it had no suffix.
            "workingset_refault_file" | "workingset_refault" => m.refault_file = value,
            "kernel" => kernel = Some(value),
            // What `kernel` is made of, for Linux before 5.18.
            "kernel_stack" | "pagetables" | "percpu" | "slab" => parts = parts.saturating_add(value),
            _ => {}
        }
    }
    m.usage = current.unwrap_or_else(|| m.rss.saturating_add(m.cache));
    m.kernel = kernel.unwrap_or(parts);
    m.pgscan = scan.unwrap_or(0);
    m.pgsteal = steal.unwrap_or(0);
    for (key, value) in t.get("memory.events").into_iter().flat_map(text::keyed) {
        match key {
            "high" => m.events_high = value,
            // How often usage was about to go over the limit: what `memory.failcnt` of cgroup v1 counts.
            "max" => (m.events_max, m.failcnt) = (value, value),
            _ => {}
        }
    }
    Some(m)
}

fn memory_spec(t: &Texts) -> Option<MemorySpec> {
    Some(MemorySpec {
        limit: stats::limit(Some(t.number("memory.max")?)),
        swap_limit: stats::limit(t.number("memory.swap.max")),
        reservation: stats::limit(t.number("memory.min")),
    })
}

/// Reads `8:0 rbytes=90112 wbytes=0 rios=22 wios=0 dbytes=0 dios=0`, and `cost.usage=` and its like where io.cost runs (microseconds).
fn io(stat: &str) -> Io {
    let mut io = Io::default();
    for line in stat.lines() {
        let mut words = line.split_ascii_whitespace();
        let Some(device) = words.next().and_then(text::device) else { continue };
        let mut costs: Option<[f64; 3]> = None;
        for (key, value) in words.filter_map(|w| w.split_once('=')) {
            let Ok(value) = value.parse::<u64>() else { continue };
            match key {
                "rbytes" => stats::add(&mut io.bytes, device, "Read", value),
                "wbytes" => stats::add(&mut io.bytes, device, "Write", value),
                "rios" => stats::add(&mut io.operations, device, "Read", value),
                "wios" => stats::add(&mut io.operations, device, "Write", value),
                "cost.usage" => costs.get_or_insert_default()[0] = value as f64 / 1e6,
                "cost.wait" => costs.get_or_insert_default()[1] = value as f64 / 1e6,
                "cost.indelay" => costs.get_or_insert_default()[2] = value as f64 / 1e6,
                _ => {}
            }
        }
        io.costs.extend(costs.map(|c| (device, c)));
    }
    io
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
    fn weights_become_shares() {
        for (weight, expected) in
            [(1, Some(2)), (50, Some(1_286)), (100, Some(2_597)), (10_000, Some(262_144)), (0, None), (10_001, None)]
        {
            assert_eq!(shares(weight), expected, "{weight}");
        }
    }

    #[test]
    fn limits_and_max() {
        let s = parse(&texts(&[
            ("cpu.max", "20000 100000\n"),
            ("cpu.weight", "100\n"),
            ("memory.max", "max\n"),
            ("memory.swap.max", "13579\n"),
            ("memory.min", "0\n"),
        ]));
        assert_eq!(s.cpu_spec, Some(CpuSpec { period: 100_000, quota: Some(20_000), shares: 2_597 }));
        assert_eq!(s.memory_spec, Some(MemorySpec { limit: 0, swap_limit: 13_579, reservation: 0 }));
        let none = parse(&texts(&[("cpu.max", "max 100000\n")])).cpu_spec.unwrap();
        assert_eq!((none.quota, none.period), (None, 100_000));
        assert_eq!(parse(&texts(&[("cpu.max", "\u{fffd}")])).cpu_spec, Some(CpuSpec::default()));
    }

    #[test]
    fn the_root_uses_what_it_keeps() {
        let m = memory(&texts(&[("memory.stat", "anon 100\nfile 50\ninactive_file 20\nkernel_stack 3\nslab 4\n")]))
            .unwrap();
        assert_eq!((m.usage, m.working_set(), m.rss, m.cache, m.kernel), (150, 130, 100, 50, 7));
    }

    #[test]
    fn devices() {
        let io = io(
            "8:0 rbytes=90112 wbytes=5 rios=22 wios=1 dbytes=0 dios=0 cost.usage=1500000 cost.wait=10\n7:0 \njunk rbytes=1\n",
        );
        assert_eq!(
            (io.bytes.len(), io.bytes[0].get("Read"), io.operations[0].get("Write")),
            (1, Some(90_112), Some(1))
        );
        assert_eq!(io.costs, [((8, 0), [1.5, 0.000_01, 0.0])]);
    }
}
