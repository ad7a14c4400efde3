//! What a cgroup tells, whatever its version.

/// All of it; what its hierarchy does not have is none.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Stats {
    pub(crate) cpu: Option<Cpu>,
    pub(crate) memory: Option<Memory>,
    pub(crate) io: Io,
    pub(crate) pressure: Pressure,
    pub(crate) cpu_spec: Option<CpuSpec>,
    pub(crate) memory_spec: Option<MemorySpec>,
    /// Processes that the kernel killed for want of memory.
    pub(crate) oom_kills: Option<u64>,
    /// Tasks now.
    pub(crate) pids: Option<u64>,
    /// Tasks allowed; `u64::MAX` where there is no limit.
    pub(crate) pids_max: Option<u64>,
    /// Processors it may run on, and nodes of memory, as lists (`0-3,8`).
    pub(crate) cpus: Option<String>,
    /// Processes, by the numbers that our /proc has for them.
    pub(crate) procs: Vec<u32>,
}

/// Time on processors.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Cpu {
    /// All, nanoseconds.
    pub(crate) usage_ns: u64,
    /// By processor, nanoseconds; cgroup v2 does not tell.
    pub(crate) per_cpu_ns: Vec<u64>,
    /// In user mode, seconds.
    pub(crate) user: f64,
    /// In the kernel, seconds.
    pub(crate) system: f64,
    /// What the quota did.
    pub(crate) cfs: Cfs,
}

/// Enforcement of the quota.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Cfs {
    /// Periods that went by.
    pub(crate) periods: u64,
    /// Of them those in which it was throttled.
    pub(crate) throttled_periods: u64,
    /// How long, seconds.
    pub(crate) throttled: f64,
    /// Periods with a burst.
    pub(crate) burst_periods: u64,
    /// How much more than the quota that was, seconds.
    pub(crate) burst: f64,
}

/// Memory, in bytes and counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    pub(crate) usage: u64,
    pub(crate) max_usage: u64,
    pub(crate) cache: u64,
    pub(crate) rss: u64,
    pub(crate) swap: u64,
    pub(crate) mapped_file: u64,
    pub(crate) kernel: u64,
    pub(crate) failcnt: u64,
    pub(crate) active_file: u64,
    pub(crate) inactive_file: u64,
    pub(crate) file_dirty: u64,
    pub(crate) file_writeback: u64,
    /// Page faults: its own, and with all below it.
    pub(crate) pgfault: [u64; 2],
    /// Of them those that waited for a disk.
    pub(crate) pgmajfault: [u64; 2],
    pub(crate) pgscan: u64,
    pub(crate) pgsteal: u64,
    pub(crate) refault_anon: u64,
    pub(crate) refault_file: u64,
    pub(crate) events_high: u64,
    pub(crate) events_max: u64,
}

impl Memory {
    /// Gives what would be hard to do without: all but the page cache that was not used lately.
    pub(crate) fn working_set(&self) -> u64 {
        self.usage.saturating_sub(self.inactive_file)
    }
}

/// Devices and what went through them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Io {
    pub(crate) bytes: Vec<DeviceCounts>,
    pub(crate) operations: Vec<DeviceCounts>,
    /// Device, and seconds of use, of waiting, of delay, of the io.cost controller.
    pub(crate) costs: Vec<((u32, u32), [f64; 3])>,
}

/// Counts of a device by what was done: `Read`, `Write` ...
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DeviceCounts {
    pub(crate) device: (u32, u32),
    pub(crate) by_operation: Vec<(String, u64)>,
}

impl DeviceCounts {
    /// Gives one of its counts.
    pub(crate) fn get(&self, operation: &str) -> Option<u64> {
        self.by_operation.iter().find(|(o, _)| o == operation).map(|(_, v)| *v)
    }
}

/// Adds a count to the device's.
pub(crate) fn add(list: &mut Vec<DeviceCounts>, device: (u32, u32), operation: &str, value: u64) {
    let at = match list.iter().position(|d| d.device == device) {
        Some(at) => at,
        None => {
            list.push(DeviceCounts { device, by_operation: Vec::new() });
            list.len() - 1
        }
    };
    if let Some(d) = list.get_mut(at) {
        d.by_operation.push((operation.to_owned(), value));
    }
}

/// Time that was lost for want of something, seconds: some of its tasks waited, none could go on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Pressure {
    pub(crate) cpu: Option<Stall>,
    pub(crate) memory: Option<Stall>,
    pub(crate) io: Option<Stall>,
}

/// Waiting and stalled, seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Stall {
    pub(crate) waiting: f64,
    pub(crate) stalled: f64,
}

impl Stall {
    /// Reads `some avg10=0.00 avg60=0.00 avg300=0.00 total=0` and `full ...` (Documentation/accounting/psi.rst). Times there are in microseconds.
    pub(crate) fn parse(text: &str) -> Option<Stall> {
        let total = |which: &str| {
            let line = text.lines().find_map(|l| l.strip_prefix(which))?;
            let total: u64 = line.split(' ').find_map(|w| w.strip_prefix("total="))?.trim().parse().ok()?;
            Some(total as f64 / 1e6)
        };
        // Before Linux 5.13 there is no `full` of the processor.
        Some(Stall { waiting: total("some ")?, stalled: total("full ").unwrap_or(0.0) })
    }
}

/// Limits of processor time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CpuSpec {
    /// Microseconds.
    pub(crate) period: u64,
    /// Microseconds in a period; none: no limit.
    pub(crate) quota: Option<u64>,
    /// Weight among its siblings, as shares: 1024 is the usual.
    pub(crate) shares: u64,
}

/// Limits of memory, bytes; 0: none, or unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MemorySpec {
    pub(crate) limit: u64,
    pub(crate) swap_limit: u64,
    pub(crate) reservation: u64,
}

/// From here on a limit is none: cgroup v1 writes "unlimited" as the greatest multiple of the page size, cgroup v2 as `max`.
const NO_LIMIT: u64 = 1 << 62;

/// Gives a limit as it is shown: 0 where there is none.
pub(crate) fn limit(value: Option<u64>) -> u64 {
    value.filter(|v| *v < NO_LIMIT).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressure_has_two_lines_or_one() {
        let both = "some avg10=0.00 avg60=0.00 avg300=0.00 total=1500000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=250000\n";
        assert_eq!(Stall::parse(both), Some(Stall { waiting: 1.5, stalled: 0.25 }));
        assert_eq!(Stall::parse("some total=2000000"), Some(Stall { waiting: 2.0, stalled: 0.0 }));
        assert_eq!(Stall::parse("full total=1"), None);
        assert_eq!(Stall::parse("some total=\u{fffd}"), None);
    }

    #[test]
    fn no_limit_is_0() {
        assert_eq!(limit(Some(9_223_372_036_854_771_712)), 0);
        assert_eq!(limit(Some(u64::MAX)), 0);
        assert_eq!(limit(Some(64 << 20)), 64 << 20);
        assert_eq!(limit(None), 0);
    }
}
