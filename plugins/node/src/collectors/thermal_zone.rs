//! Temperatures and cooling devices (/sys/class/thermal).

use crate::columns::{self, Column};
use crate::machine::{Machine, Memory};
use crate::text::integer;
use watchglass_sdk::prelude::*;

const COOLING: [Column; 2] = [
    ("cur_state", "cooling_device_cur_state", Kind::Gauge, 1.0, "Current throttle state of the cooling device"),
    ("max_state", "cooling_device_max_state", Kind::Gauge, 1.0, "Maximum throttle state of the cooling device"),
];

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let names = m.sys_names_if_any("class/thermal")?;
    let numbered = |prefix: &str| -> Vec<(String, String)> {
        names.iter().filter_map(|n| Some((n.strip_prefix(prefix)?.to_owned(), format!("class/thermal/{n}")))).collect()
    };
    let zones = numbered("thermal_zone");
    let dirs: Vec<&str> = zones.iter().map(|z| z.1.as_str()).collect();
    for ((zone, _), texts) in zones.iter().zip(m.attributes(&dirs, &["type", "temp"])) {
        // A zone that is switched off can't be read.
        if let Some(milli) = texts[1].as_deref().and_then(integer) {
            b.gauge("node_thermal_zone_temp", "Zone temperature in Celsius")
                .sample(&[("zone", zone), ("type", texts[0].as_deref().unwrap_or(""))], milli / 1e3);
        }
    }
    let devices = numbered("cooling_device");
    let dirs: Vec<&str> = devices.iter().map(|z| z.1.as_str()).collect();
    for ((name, _), texts) in devices.iter().zip(m.attributes(&dirs, &["cur_state", "max_state", "type"])) {
        columns::put(b, &COOLING, &texts, &[("name", name), ("type", texts[2].as_deref().unwrap_or(""))]);
    }
    Ok(())
}
