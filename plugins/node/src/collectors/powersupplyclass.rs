//! Power supplies and batteries (/sys/class/power_supply).

use crate::columns::{self, Column};
use crate::machine::{Machine, Memory};
use watchglass_sdk::prelude::*;

/// The kernel counts in millionths, temperatures in tenths (power/power_supply_class).
const MICRO: f64 = 1e-6;
const TENTH: f64 = 0.1;

const fn gauge(file: &'static str, name: &'static str, factor: f64) -> Column {
    (file, name, Kind::Gauge, factor, "as the file of that name in /sys/class/power_supply/<power_supply>.")
}

const COLUMNS: [Column; 53] = [
    gauge("authentic", "power_supply_authentic", 1.0),
    gauge("calibrate", "power_supply_calibrate", 1.0),
    gauge("capacity", "power_supply_capacity", 1.0),
    gauge("capacity_alert_max", "power_supply_capacity_alert_max", 1.0),
    gauge("capacity_alert_min", "power_supply_capacity_alert_min", 1.0),
    gauge("cycle_count", "power_supply_cyclecount", 1.0),
    gauge("online", "power_supply_online", 1.0),
    gauge("present", "power_supply_present", 1.0),
    gauge("time_to_empty_now", "power_supply_time_to_empty_seconds", 1.0),
    gauge("time_to_full_now", "power_supply_time_to_full_seconds", 1.0),
    gauge("charge_control_limit", "power_supply_charge_control_limit", MICRO),
    gauge("charge_control_limit_max", "power_supply_charge_control_limit_max", MICRO),
    gauge("charge_counter", "power_supply_charge_counter", MICRO),
    gauge("charge_empty", "power_supply_charge_empty", MICRO),
    gauge("charge_empty_design", "power_supply_charge_empty_design", MICRO),
    gauge("charge_full", "power_supply_charge_full", MICRO),
    gauge("charge_full_design", "power_supply_charge_full_design", MICRO),
    gauge("charge_now", "power_supply_charge_ampere", MICRO),
    gauge("charge_term_current", "power_supply_charge_term_current", MICRO),
    gauge("constant_charge_current", "power_supply_constant_charge_current", MICRO),
    gauge("constant_charge_current_max", "power_supply_constant_charge_current_max", MICRO),
    gauge("constant_charge_voltage", "power_supply_constant_charge_voltage", MICRO),
    gauge("constant_charge_voltage_max", "power_supply_constant_charge_voltage_max", MICRO),
    gauge("current_boot", "power_supply_current_boot", MICRO),
    gauge("current_max", "power_supply_current_max", MICRO),
    gauge("current_now", "power_supply_current_ampere", MICRO),
    gauge("energy_empty", "power_supply_energy_empty", MICRO),
    gauge("energy_empty_design", "power_supply_energy_empty_design", MICRO),
    gauge("energy_full", "power_supply_energy_full", MICRO),
    gauge("energy_full_design", "power_supply_energy_full_design", MICRO),
    gauge("energy_now", "power_supply_energy_watthour", MICRO),
    gauge("input_current_limit", "power_supply_input_current_limit", MICRO),
    gauge("input_power_limit", "power_supply_input_power_limit", MICRO),
    gauge("input_voltage_limit", "power_supply_input_voltage_limit", MICRO),
    gauge("power_now", "power_supply_power_watt", MICRO),
    gauge("precharge_current", "power_supply_precharge_current", MICRO),
    gauge("voltage_boot", "power_supply_voltage_boot", MICRO),
    gauge("voltage_max", "power_supply_voltage_max", MICRO),
    gauge("voltage_max_design", "power_supply_voltage_max_design", MICRO),
    gauge("voltage_min", "power_supply_voltage_min", MICRO),
    gauge("voltage_min_design", "power_supply_voltage_min_design", MICRO),
    gauge("voltage_now", "power_supply_voltage_volt", MICRO),
    gauge("voltage_ocv", "power_supply_voltage_ocv", MICRO),
    gauge("temp", "power_supply_temp_celsius", TENTH),
    gauge("temp_alert_max", "power_supply_temp_alert_max_celsius", TENTH),
    gauge("temp_alert_min", "power_supply_temp_alert_min_celsius", TENTH),
    gauge("temp_ambient", "power_supply_temp_ambient_celsius", TENTH),
    gauge("temp_ambient_max", "power_supply_temp_ambient_max_celsius", TENTH),
    gauge("temp_ambient_min", "power_supply_temp_ambient_min_celsius", TENTH),
    gauge("temp_max", "power_supply_temp_max_celsius", TENTH),
    gauge("temp_min", "power_supply_temp_min_celsius", TENTH),
    gauge("charge_control_start_threshold", "power_supply_charge_control_start_threshold", 1.0),
    gauge("charge_control_end_threshold", "power_supply_charge_control_end_threshold", 1.0),
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
    let mut files = columns::files(&COLUMNS);
    files.extend(INFO);
    for (name, texts) in names.iter().zip(m.attributes(&dirs, &files)) {
        let supply = [("power_supply", name.as_str())];
        columns::put(b, &COLUMNS, &texts, &supply);
        let info = texts.iter().skip(COLUMNS.len()).map(|t| t.as_deref().unwrap_or(""));
        let labels: Vec<(&str, &str)> = supply.into_iter().chain(INFO.into_iter().zip(info).filter(|(_, v)| !v.is_empty())).collect();
        b.gauge("node_power_supply_info", "info of /sys/class/power_supply/<power_supply>.").sample(&labels, 1.0);
    }
    Ok(())
}
