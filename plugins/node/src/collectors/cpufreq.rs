//! Frequencies of processors (/sys/devices/system/cpu/cpu*/cpufreq).

use crate::machine::{Machine, Memory};
use crate::text::integer;
use watchglass_sdk::prelude::*;

/// File, metric, help. The files are in kilohertz.
const FILES: [(&str, &str, &str); 6] = [
    ("cpuinfo_cur_freq", "node_cpu_frequency_hertz", "Current CPU thread frequency in hertz."),
    ("cpuinfo_min_freq", "node_cpu_frequency_min_hertz", "Minimum CPU thread frequency in hertz."),
    ("cpuinfo_max_freq", "node_cpu_frequency_max_hertz", "Maximum CPU thread frequency in hertz."),
    ("scaling_cur_freq", "node_cpu_scaling_frequency_hertz", "Current scaled CPU thread frequency in hertz."),
    ("scaling_min_freq", "node_cpu_scaling_frequency_min_hertz", "Minimum scaled CPU thread frequency in hertz."),
    ("scaling_max_freq", "node_cpu_scaling_frequency_max_hertz", "Maximum scaled CPU thread frequency in hertz."),
];

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let base = "devices/system/cpu";
    let cpus: Vec<String> = m
        .sys_names(base)?
        .into_iter()
        .filter_map(|n| n.strip_prefix("cpu").filter(|r| !r.is_empty() && r.bytes().all(|c| c.is_ascii_digit())).map(str::to_owned))
        .collect();
    let dirs: Vec<String> = cpus.iter().map(|c| format!("{base}/cpu{c}/cpufreq")).collect();
    let mut names: Vec<&str> = FILES.iter().map(|f| f.0).collect();
    names.extend(["scaling_governor", "scaling_available_governors"]);
    for (cpu, texts) in cpus.iter().zip(m.attributes(&dirs, &names)) {
        for ((_, name, help), text) in FILES.iter().zip(&texts) {
            if let Some(khz) = text.as_deref().and_then(integer) {
                b.gauge(name, help).sample(&[("cpu", cpu)], khz * 1_000.0);
            }
        }
        let (Some(governor), Some(available)) = (&texts[6], &texts[7]) else { continue };
        for name in available.split_ascii_whitespace() {
            b.gauge("node_cpu_scaling_governor", "Current enabled CPU frequency governor.")
                .sample(&[("cpu", cpu), ("governor", name)], f64::from(name == governor));
        }
    }
    Ok(())
}
