//! The time, the time zone, the clock sources.

use crate::machine::{Machine, Memory};
use watchglass_sdk::prelude::*;

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    b.gauge("node_time_seconds", "System time in seconds since epoch (1970).").value(clock::now() as f64 / 1e3);
    if let Ok(zone) = m.system.time_zone() {
        b.gauge("node_time_zone_offset_seconds", "System time zone offset in seconds.")
            .sample(&[("time_zone", &zone.name)], f64::from(zone.offset_seconds));
    }
    let base = "devices/system/clocksource";
    let names: Vec<String> = m.sys_names(base).unwrap_or_default().into_iter().filter(|n| n.starts_with("clocksource")).collect();
    let dirs: Vec<String> = names.iter().map(|n| format!("{base}/{n}")).collect();
    for (name, texts) in names.iter().zip(m.attributes(&dirs, &["available_clocksource", "current_clocksource"])) {
        let device = name.trim_start_matches("clocksource");
        for source in texts[0].iter().flat_map(|t| t.split_ascii_whitespace()) {
            b.gauge("node_time_clocksource_available_info", "Available clocksources read from '/sys/devices/system/clocksource'.")
                .sample(&[("device", device), ("clocksource", source)], 1.0);
        }
        if let Some(source) = &texts[1] {
            b.gauge("node_time_clocksource_current_info", "Current clocksource read from '/sys/devices/system/clocksource'.")
                .sample(&[("device", device), ("clocksource", source)], 1.0);
        }
    }
    Ok(())
}
