//! Sensors (/sys/class/hwmon; kernel documentation, hwmon/sysfs-interface).

use crate::machine::{Machine, Memory};
use crate::text::float;
use std::collections::BTreeMap;
use watchglass_sdk::prelude::*;

/// What a sensor's file name may begin with.
const TYPES: [&str; 14] = [
    "vrm", "beep_enable", "update_interval", "in", "cpu", "fan", "pwm", "temp", "curr", "power", "energy", "humidity", "intrusion", "freq",
];

/// By sensor (`temp1`): its properties (`input`, `max`) and their texts.
type Sensors = BTreeMap<String, BTreeMap<String, String>>;

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let chips = m.options.filter("hwmon", "chip-include", "chip-exclude");
    let sensors = m.options.filter("hwmon", "sensor-include", "sensor-exclude");
    let names = m.sys_names("class/hwmon")?;
    let found: Vec<(String, String)> = names.iter().map(|n| (n.clone(), chip_name(m, n))).collect();
    for (hwmon, base) in &found {
        let dir = format!("class/hwmon/{hwmon}");
        let own = m.sys_text(&format!("{dir}/name")).ok().map(|n| clean(&n)).unwrap_or_default();
        // Several monitors of one device would have the same name.
        let shared = found.iter().filter(|f| &f.1 == base).count() > 1;
        let chip = if shared && !own.is_empty() { format!("{base}_{own}") } else { base.clone() };
        if chip.is_empty() || chips.ignores(&chip) {
            continue;
        }
        if !own.is_empty() {
            b.gauge("node_hwmon_chip_names", "Annotation metric for human-readable chip names").sample(&[("chip", &chip), ("chip_name", &own)], 1.0);
        }
        let mut data = Sensors::new();
        // Older drivers put the files beside the device.
        let dirs = if shared { vec![dir.clone()] } else { vec![dir.clone(), format!("{dir}/device")] };
        for (name, text) in m.all_attributes(&dirs).into_iter().flatten() {
            let Some((sensor, property)) = explode(&name) else { continue };
            if !sensors.ignores(&format!("{chip};{sensor}")) {
                data.entry(sensor).or_default().insert(property, text);
            }
        }
        for (sensor, properties) in &data {
            put(b, &chip, sensor, properties);
        }
    }
    Ok(())
}

/// Names a chip by its device's bus and name, which stay, else by its own name, else by its number.
fn chip_name(m: &Machine, hwmon: &str) -> String {
    let dir = m.sys(&format!("class/hwmon/{hwmon}"));
    let real = m.files.read_link(&dir).map_or_else(|_| dir.clone(), |link| resolve(&m.sys("class/hwmon"), &link));
    if let Ok(link) = m.files.read_link(&format!("{real}/device")) {
        let device = resolve(&real, &link);
        let mut parts = device.rsplit('/');
        let (name, kind) = (clean(parts.next().unwrap_or("")), clean(parts.next().unwrap_or("")));
        match (kind.is_empty(), name.is_empty()) {
            (false, false) => return format!("{kind}_{name}"),
            (true, false) => return name,
            _ => {}
        }
    }
    let own = m.sys_text(&format!("class/hwmon/{hwmon}/name")).map(|n| clean(&n)).unwrap_or_default();
    if own.is_empty() { clean(real.rsplit('/').next().unwrap_or(hwmon)) } else { own }
}

/// Resolves a link's text against the folder it lies in.
pub(crate) fn resolve(dir: &str, link: &str) -> String {
    let mut parts: Vec<&str> = if link.starts_with('/') { Vec::new() } else { dir.split('/').collect() };
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let path = parts.join("/");
    if link.starts_with('/') { format!("/{path}") } else { path }
}

fn clean(text: &str) -> String {
    let lower = text.trim().to_ascii_lowercase();
    let mapped: String = lower.chars().map(|c| if c.is_ascii_alphanumeric() || c == ':' || c == '_' { c } else { '_' }).collect();
    mapped.trim_matches('_').to_owned()
}

/// Splits `temp1_crit_alarm` into `temp1` and `crit_alarm`.
fn explode(file: &str) -> Option<(String, String)> {
    let digits = file.find(|c: char| c.is_ascii_digit());
    let Some(at) = digits else { return TYPES.contains(&file).then(|| (file.to_owned(), String::new())) };
    let (kind, rest) = file.split_at(at);
    if !TYPES.contains(&kind) {
        return None;
    }
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (number, property) = rest.split_at(end);
    let property = if property.is_empty() { "" } else { property.strip_prefix('_')? };
    Some((format!("{kind}{number}"), property.to_owned()))
}

fn put(b: &mut Batch, chip: &str, sensor: &str, properties: &BTreeMap<String, String>) {
    let kind = sensor.trim_end_matches(|c: char| c.is_ascii_digit());
    let labels = [("chip", chip), ("sensor", sensor)];
    if let Some(label) = properties.get("label") {
        b.gauge("node_hwmon_sensor_label", "Label for given chip and sensor").sample(&[labels[0], labels[1], ("label", label)], 1.0);
    }
    for (property, text) in properties.iter().filter(|(p, _)| *p != "label") {
        let Some(v) = float(text) else { continue };
        let special = match kind {
            "beep_enable" => Some(("node_hwmon_beep_enabled", "Hardware beep enabled", f64::from(text == "1"))),
            "vrm" => Some(("node_hwmon_voltage_regulator_version", "Hardware voltage regulator", v)),
            "update_interval" => Some(("node_hwmon_update_interval_seconds", "Hardware monitor update interval", v * 0.001)),
            _ => None,
        };
        if let Some((name, help, v)) = special {
            b.gauge(name, help).sample(&labels, v);
            continue;
        }
        let name = match property.as_str() {
            // The input is the value itself, unless there is a file that is nothing else.
            "input" if properties.contains_key("") => format!("node_hwmon_{kind}_input"),
            "input" | "" => format!("node_hwmon_{kind}"),
            other => format!("node_hwmon_{kind}_{}", clean(other)),
        };
        let shown = if property.is_empty() { "input" } else { property.as_str() };
        let fan_speed = matches!(property.as_str(), "input" | "min" | "max" | "target");
        let (suffix, factor, of) = match (kind, property.as_str()) {
            (_, "fault" | "alarm") => ("", 1.0, ""),
            (_, "beep") => ("_enabled", 1.0, ""),
            ("in" | "cpu", _) => ("_volts", 1e-3, "voltage"),
            ("temp", "type") => ("", 1.0, "type"),
            ("temp", _) => ("_celsius", 1e-3, "temperature"),
            ("curr", _) => ("_amps", 1e-3, "current"),
            ("energy", _) => ("_joule_total", 1e-6, "joules used so far"),
            ("power", "accuracy") => ("", 1e-6, "power meter accuracy, as a ratio"),
            ("power", "average_interval" | "average_interval_min" | "average_interval_max") => ("_seconds", 1e-3, "power usage update interval"),
            ("power", _) => ("_watt", 1e-6, "power usage in watts"),
            ("humidity", _) => ("", 1e-6, "humidity, as a ratio"),
            ("fan", _) if fan_speed => ("_rpm", 1.0, "fan revolutions per minute"),
            ("freq", "input") => {
                // Shown under the label that says whose frequency it is.
                if let Some(label) = properties.get("label") {
                    b.gauge("node_hwmon_freq_freq_mhz", "Hardware monitor for GPU frequency in MHz").sample(&[labels[0], ("sensor", &clean(label))], v / 1e6);
                }
                continue;
            }
            _ => ("", 1.0, ""),
        };
        let family = if kind == "energy" && suffix == "_joule_total" { Kind::Counter } else { Kind::Gauge };
        let help = match (of, shown) {
            (_, "fault" | "alarm") => format!("Hardware sensor {shown} status ({kind})"),
            (_, "beep") => "Hardware monitor sensor has beeping enabled".to_owned(),
            ("", _) => format!("Hardware monitor {kind} element {shown}"),
            _ => format!("Hardware monitor for {of} ({shown})"),
        };
        b.family(&format!("{name}{suffix}"), family, &help).sample(&labels, v * factor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_links() {
        assert_eq!(explode("temp1_crit_alarm"), Some(("temp1".into(), "crit_alarm".into())));
        assert_eq!(explode("pwm1"), Some(("pwm1".into(), String::new())));
        assert_eq!(explode("update_interval"), Some(("update_interval".into(), String::new())));
        assert_eq!((explode("name"), explode("bogus1_input"), explode("subsystem")), (None, None, None));
        assert_eq!(resolve("/sys/class/hwmon", "../../devices/platform/coretemp.0/hwmon/hwmon0"), "/sys/devices/platform/coretemp.0/hwmon/hwmon0");
        assert_eq!(resolve("/a", "/b/./c"), "/b/c");
        assert_eq!(clean(" Core Temp.0-"), "core_temp_0");
    }
}
