//! One cgroup's samples.

use crate::families::{self as f, Family};
use crate::options::Options;
use crate::process::{Load, Tasks};
use crate::stats::{Cpu, CpuSpec, Memory, MemorySpec, Pressure, Stats};
use watchglass_sdk::{Batch, Shared};

/// Adds what the cgroup's files told.
pub(crate) fn put(stats: &Stats, options: &Options, batch: &mut Batch, base: &Shared) {
    if let Some(cpu) = &stats.cpu {
        put_cpu(cpu, options.collects("percpu"), batch, base);
        // Without a quota there are no periods.
        if stats.cpu_spec.is_some_and(|s| s.quota.is_some()) {
            let c = &cpu.cfs;
            for (family, value) in [
                (f::CPU_PERIODS, c.periods as f64),
                (f::CPU_THROTTLED_PERIODS, c.throttled_periods as f64),
                (f::CPU_THROTTLED_SECONDS, c.throttled),
                (f::CPU_BURST_PERIODS, c.burst_periods as f64),
                (f::CPU_BURST_SECONDS, c.burst),
            ] {
                family.put(batch, base, &[], value);
            }
        }
    }
    if let Some(memory) = stats.memory.as_ref().filter(|_| options.collects("memory")) {
        put_memory(memory, batch, base);
    }
    if options.collects("pressure") {
        put_pressure(&stats.pressure, batch, base);
    }
    if let Some(CpuSpec { period, quota, shares }) = stats.cpu_spec {
        f::SPEC_CPU_PERIOD.put(batch, base, &[], period as f64);
        f::SPEC_CPU_SHARES.put(batch, base, &[], shares as f64);
        if let Some(quota) = quota {
            f::SPEC_CPU_QUOTA.put(batch, base, &[], quota as f64);
        }
    }
    if let Some(MemorySpec { limit, swap_limit, reservation }) = stats.memory_spec {
        f::SPEC_MEMORY_LIMIT.put(batch, base, &[], limit as f64);
        f::SPEC_MEMORY_SWAP_LIMIT.put(batch, base, &[], swap_limit as f64);
        f::SPEC_MEMORY_RESERVATION.put(batch, base, &[], reservation as f64);
    }
}

fn put_cpu(cpu: &Cpu, each: bool, batch: &mut Batch, base: &Shared) {
    if each && !cpu.per_cpu_ns.is_empty() {
        for (at, ns) in cpu.per_cpu_ns.iter().enumerate().filter(|(_, ns)| **ns > 0) {
            f::CPU_USAGE.put(batch, base, &[&format!("cpu{at:02}")], *ns as f64 / 1e9);
        }
    } else {
        f::CPU_USAGE.put(batch, base, &["total"], cpu.usage_ns as f64 / 1e9);
    }
    f::CPU_USER.put(batch, base, &[], cpu.user);
    f::CPU_SYSTEM.put(batch, base, &[], cpu.system);
}

fn put_memory(m: &Memory, batch: &mut Batch, base: &Shared) {
    let numbers: [(Family, u64); 19] = [
        (f::MEMORY_CACHE, m.cache),
        (f::MEMORY_RSS, m.rss),
        (f::MEMORY_MAPPED_FILE, m.mapped_file),
        (f::MEMORY_SWAP, m.swap),
        (f::MEMORY_FAILCNT, m.failcnt),
        (f::MEMORY_USAGE, m.usage),
        (f::MEMORY_MAX_USAGE, m.max_usage),
        (f::MEMORY_WORKING_SET, m.working_set()),
        (f::MEMORY_KERNEL, m.kernel),
        (f::MEMORY_ACTIVE_FILE, m.active_file),
        (f::MEMORY_INACTIVE_FILE, m.inactive_file),
        (f::MEMORY_FILE_DIRTY, m.file_dirty),
        (f::MEMORY_FILE_WRITEBACK, m.file_writeback),
        (f::MEMORY_PGSCAN, m.pgscan),
        (f::MEMORY_PGSTEAL, m.pgsteal),
        (f::MEMORY_REFAULT_ANON, m.refault_anon),
        (f::MEMORY_REFAULT_FILE, m.refault_file),
        (f::MEMORY_EVENTS_HIGH, m.events_high),
        (f::MEMORY_EVENTS_MAX, m.events_max),
    ];
    for (family, value) in numbers {
        family.put(batch, base, &[], value as f64);
    }
    for (kind, counts) in [("pgfault", m.pgfault), ("pgmajfault", m.pgmajfault)] {
        for (scope, value) in ["container", "hierarchy"].iter().zip(counts) {
            f::MEMORY_FAILURES.put(batch, base, &[kind, scope], value as f64);
        }
    }
}

fn put_pressure(p: &Pressure, batch: &mut Batch, base: &Shared) {
    for (stall, waiting, stalled) in [
        (p.cpu, f::PRESSURE_CPU_WAITING, f::PRESSURE_CPU_STALLED),
        (p.memory, f::PRESSURE_MEMORY_WAITING, f::PRESSURE_MEMORY_STALLED),
        (p.io, f::PRESSURE_IO_WAITING, f::PRESSURE_IO_STALLED),
    ] {
        if let Some(stall) = stall {
            waiting.put(batch, base, &[], stall.waiting);
            stalled.put(batch, base, &[], stall.stalled);
        }
    }
}

/// Adds tasks and load; both are 0 where nobody counts them.
pub(crate) fn put_load(tasks: Tasks, load: Load, batch: &mut Batch, base: &Shared) {
    f::CPU_LOAD.put(batch, base, &[], load.wanting.round());
    f::CPU_LOAD_D.put(batch, base, &[], load.uninterruptible.round());
    for (state, value) in [
        ("sleeping", tasks.sleeping),
        ("running", tasks.running),
        ("stopped", tasks.stopped),
        ("uninterruptible", tasks.uninterruptible),
        // Tasks that wait for a disk are uninterruptible in the kernel's own count too.
        ("iowaiting", 0),
    ] {
        f::TASKS.put(batch, base, &[state], value as f64);
    }
}
