//! Power supplies and batteries (/sys/class/power_supply).

use crate::machine::{Machine, Memory};
use crate::text::integer;
use watchglass_sdk::prelude::*;

/// The kernel counts in millionths, temperatures in tenths (power/power_supply_class).
const MICRO: f64 = 1e6;
const TENTH: f64 = 10.0;

/// File, the metric's name behind `node_power_supply_`, what to divide by.
const COLUMNS: [(&str, &str, f64); 53] = [
    ("authentic", "authentic", 1.0),
    ("calibrate", "calibrate", 1.0),
    ("capacity", "capacity", 1.0),
    ("capacity_alert_max", "capacity_alert_max", 1.0),
    ("capacity_alert_min", "capacity_alert_min", 1.0),
    ("cycle_count", "cyclecount", 1.0),
    ("online", "online", 1.0),
    ("present", "present", 1.0),
    ("time_to_empty_now", "time_to_empty_seconds", 1.0),
    ("time_to_full_now", "time_to_full_seconds", 1.0),
    ("charge_control_limit", "charge_control_limit", MICRO),
    ("charge_control_limit_max", "charge_control_limit_max", MICRO),
    ("charge_counter", "charge_counter", MICRO),
    ("charge_empty", "charge_empty", MICRO),
    ("charge_empty_design", "charge_empty_design", MICRO),
    ("charge_full", "charge_full", MICRO),
    ("charge_full_design", "charge_full_design", MICRO),
    ("charge_now", "charge_ampere", MICRO),
    ("charge_term_current", "charge_term_current", MICRO),
    ("constant_charge_current", "constant_charge_current", MICRO),
    ("constant_charge_current_max", "constant_charge_current_max", MICRO),
    ("constant_charge_voltage", "constant_charge_voltage", MICRO),
    ("constant_charge_voltage_max", "constant_charge_voltage_max", MICRO),
    ("current_boot", "current_boot", MICRO),
    ("current_max", "current_max", MICRO),
    ("current_now", "current_ampere", MICRO),
    ("energy_empty", "energy_empty", MICRO),
    ("energy_empty_design", "energy_empty_design", MICRO),
    ("energy_full", "energy_full", MICRO),
    ("energy_full_design", "energy_full_design", MICRO),
    ("energy_now", "energy_watthour", MICRO),
    ("input_current_limit", "input_current_limit", MICRO),
    ("input_power_limit", "input_power_limit", MICRO),
    ("input_voltage_limit", "input_voltage_limit", MICRO),
    ("power_now", "power_watt", MICRO),
    ("precharge_current", "precharge_current", MICRO),
    ("voltage_boot", "voltage_boot", MICRO),
    ("voltage_max", "voltage_max", MICRO),
    ("voltage_max_design", "voltage_max_design", MICRO),
    ("voltage_min", "voltage_min", MICRO),
    ("voltage_min_design", "voltage_min_design", MICRO),
    ("voltage_now", "voltage_volt", MICRO),
    ("voltage_ocv", "voltage_ocv", MICRO),
    ("temp", "temp_celsius", TENTH),
    ("temp_alert_max", "temp_alert_max_celsius", TENTH),
    ("temp_alert_min", "temp_alert_min_celsius", TENTH),
    ("temp_ambient", "temp_ambient_celsius", TENTH),
    ("temp_ambient_max", "temp_ambient_max_celsius", TENTH),
    ("temp_ambient_min", "temp_ambient_min_celsius", TENTH),
    ("temp_max", "temp_max_celsius", TENTH),
    ("temp_min", "temp_min_celsius", TENTH),
    ("charge_control_start_threshold", "charge_control_start_threshold", 1.0),
    ("charge_control_end_threshold", "charge_control_end_threshold", 1.0),
];

const INFO: [&str; 11] = [
    "capacity_level", "charge_type", "health", "manufacturer", "model_name", "scope", "serial_number", "status", "technology", "type", "usb_type",
];

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let ignored = m.options.pattern("powersupply", "ignored-supplies");
    let names: Vec<String> =
        m.sys_names("class/power_supply")?.into_iter().filter(|n| ignored.is_none_or(|p| !p.is_match(n))).collect();
    let dirs: Vec<String> = names.iter().map(|n| format!("class/power_supply/{n}")).collect();
    let mut files: Vec<&str> = COLUMNS.iter().map(|c| c.0).collect();
    files.extend(INFO);
    for (name, texts) in names.iter().zip(m.attributes(&dirs, &files)) {
        let supply = [("power_supply", name.as_str())];
        for ((_, metric, divisor), text) in COLUMNS.iter().zip(&texts) {
            if let Some(v) = text.as_deref().and_then(integer) {
                let help = format!("{metric} value of /sys/class/power_supply/<power_supply>.");
                b.gauge(&format!("node_power_supply_{metric}"), &help).sample(&supply, v / divisor);
            }
        }
        let info = texts.iter().skip(COLUMNS.len()).map(|t| t.as_deref().unwrap_or(""));
        let labels: Vec<(&str, &str)> = supply.into_iter().chain(INFO.into_iter().zip(info).filter(|(_, v)| !v.is_empty())).collect();
        b.gauge("node_power_supply_info", "info of /sys/class/power_supply/<power_supply>.").sample(&labels, 1.0);
    }
    Ok(())
}
