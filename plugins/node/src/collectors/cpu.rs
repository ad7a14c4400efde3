//! Processor time, and what processors are (/proc/stat, /proc/cpuinfo, /sys/devices/system/cpu).

use crate::machine::{Machine, Memory};
use crate::text::{float, integer, junk, ranges};
use std::collections::{BTreeMap, BTreeSet};
use watchglass_sdk::prelude::*;

/// The unit of /proc/stat: USER_HZ, which is 100 on every Linux that anyone runs.
const TICKS: f64 = 100.0;

/// Idle time that goes back so far means that the processor was away and came again.
const JUMP_BACK_SECONDS: f64 = 3.0;

const MODES: [&str; 8] = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"];

/// Seconds by processor: eight modes, then guest and guest with low priority.
pub(crate) type Seen = BTreeMap<u32, [f64; 10]>;

/// Collects.
pub(crate) fn collect(m: &Machine, memory: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    if m.options.on("cpu", "info") {
        info(m, b)?;
    }
    times(m, &mut memory.cpu, b)?;
    throttles(m, b);
    if let Ok(text) = m.sys_text("devices/system/cpu/isolated") {
        for cpu in ranges(&text) {
            b.gauge("node_cpu_isolated", "Whether each core is isolated, information from /sys/devices/system/cpu/isolated.")
                .sample(&[("cpu", &cpu.to_string())], 1.0);
        }
    }
    Ok(())
}

fn times(m: &Machine, seen: &mut Seen, b: &mut Batch) -> Result<(), Error> {
    let text = m.proc_text("stat")?;
    let mut now = Seen::new();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let Some(cpu) = words.next().and_then(|w| w.strip_prefix("cpu")).and_then(|n| n.parse().ok()) else { continue };
        let mut values = [0.0; 10];
        for (slot, word) in values.iter_mut().zip(words) {
            *slot = word.parse::<f64>().map_err(|_| junk(line, "stat"))? / TICKS;
        }
        now.insert(cpu, values);
    }
    if now.is_empty() {
        return Err(junk(&text, "stat"));
    }
    // Counters of idle and iowait are known to go back a little; a counter must not.
    for (cpu, values) in &mut now {
        let Some(before) = seen.get(cpu) else { continue };
        if before[3] - values[3] >= JUMP_BACK_SECONDS {
            continue;
        }
        for (value, before) in values.iter_mut().zip(before) {
            *value = value.max(*before);
        }
    }
    *seen = now;
    for (cpu, values) in seen.iter() {
        let cpu = cpu.to_string();
        let mut family = b.counter("node_cpu_seconds_total", "Seconds the CPUs spent in each mode.");
        for (mode, value) in MODES.iter().zip(values) {
            family.sample(&[("cpu", &cpu), ("mode", mode)], *value);
        }
        if m.options.on("cpu", "guest") {
            b.counter("node_cpu_guest_seconds_total", "Seconds the CPUs spent in guests (VMs) for each mode.")
                .sample(&[("cpu", &cpu), ("mode", "user")], values[8])
                .sample(&[("cpu", &cpu), ("mode", "nice")], values[9]);
        }
    }
    Ok(())
}

fn throttles(m: &Machine, b: &mut Batch) {
    let Ok(names) = m.sys_names("devices/system/cpu") else { return };
    let cpus: Vec<String> = names
        .iter()
        .filter(|n| n.strip_prefix("cpu").is_some_and(|r| !r.is_empty() && r.bytes().all(|c| c.is_ascii_digit())))
        .map(|n| format!("devices/system/cpu/{n}"))
        .collect();
    let files = ["topology/physical_package_id", "topology/core_id", "thermal_throttle/core_throttle_count", "thermal_throttle/package_throttle_count"];
    let mut cores = BTreeSet::new();
    let mut packages = BTreeSet::new();
    for texts in m.attributes(&cpus, &files) {
        // Threads of a core and cores of a package repeat its count.
        let [Some(package), Some(core), core_count, package_count] = &texts[..] else { continue };
        if let Some(v) = core_count.as_deref().and_then(integer)
            && cores.insert((package.clone(), core.clone()))
        {
            b.counter("node_cpu_core_throttles_total", "Number of times this CPU core has been throttled.")
                .sample(&[("package", package), ("core", core)], v);
        }
        if let Some(v) = package_count.as_deref().and_then(integer)
            && packages.insert(package.clone())
        {
            b.counter("node_cpu_package_throttles_total", "Number of times this CPU package has been throttled.")
                .sample(&[("package", package)], v);
        }
    }
}

fn info(m: &Machine, b: &mut Batch) -> Result<(), Error> {
    let text = m.proc_text("cpuinfo")?;
    for (i, block) in text.split("\n\n").filter(|block| block.contains("processor")).enumerate() {
        let fields: BTreeMap<&str, &str> =
            block.lines().filter_map(|l| l.split_once(':')).map(|(k, v)| (k.trim(), v.trim())).collect();
        let get = |name: &str| fields.get(name).copied().unwrap_or("");
        let labels = [
            ("package", get("physical id")),
            ("core", get("core id")),
            ("cpu", get("processor")),
            ("vendor", get("vendor_id")),
            ("family", get("cpu family")),
            ("model", get("model")),
            ("model_name", get("model name")),
            ("microcode", get("microcode")),
            ("stepping", get("stepping")),
            ("cachesize", get("cache size")),
        ];
        b.gauge("node_cpu_info", "CPU information from /proc/cpuinfo.").sample(&labels, 1.0);
        if let Some(mhz) = float(get("cpu MHz")).filter(|_| m.options.enabled("cpufreq", true)) {
            b.gauge("node_cpu_frequency_hertz", "CPU frequency in hertz from /proc/cpuinfo.").sample(&labels[..3], mhz * 1e6);
        }
        if i > 0 {
            continue;
        }
        for (flag, field, name, label) in
            [("info.flags-include", "flags", "node_cpu_flag_info", "flag"), ("info.bugs-include", "bugs", "node_cpu_bug_info", "bug")]
        {
            let Some(pattern) = m.options.pattern("cpu", flag) else { continue };
            let help = format!("The `{field}` field of CPU information from /proc/cpuinfo taken from the first core.");
            for word in get(field).split_ascii_whitespace().filter(|w| pattern.is_match(w)) {
                b.gauge(name, &help).sample(&[(label, word)], 1.0);
            }
        }
    }
    Ok(())
}
