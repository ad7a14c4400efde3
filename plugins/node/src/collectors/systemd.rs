//! Units of systemd (org.freedesktop.systemd1 over D-Bus).

use crate::dbus::{Bus, Value};
use crate::machine::{Machine, Memory};
use watchglass_sdk::prelude::*;

const TO: &str = "org.freedesktop.systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const PATH: &str = "/org/freedesktop/systemd1";
const STATES: [&str; 5] = ["active", "activating", "deactivating", "inactive", "failed"];

/// A unit as ListUnits tells it.
struct Unit {
    name: String,
    load: String,
    active: String,
    path: String,
}

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let mut bus = Bus::open(m.system.bus()?)?;
    let filter = m.options.filter("systemd", "unit-include", "unit-exclude");
    if let Ok(version) = bus.property(TO, PATH, MANAGER, "Version") {
        let version = version.text().to_owned();
        // `252.30-1~deb12u2` is 252.30.
        let number: String = version.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        if let Ok(v) = number.trim_end_matches('.').parse() {
            b.gauge("node_systemd_version", "Detected systemd version").sample(&[("version", &version)], v);
        }
    }
    let virtualization = bus.property(TO, PATH, MANAGER, "Virtualization").map_or_else(|_| "unknown".to_owned(), |v| v.text().to_owned());
    let virtualization = if virtualization.is_empty() { "none" } else { virtualization.as_str() };
    b.gauge("node_systemd_virtualization_info", "Detected virtualization technology").sample(&[("virtualization_type", virtualization)], 1.0);
    let listed = bus.call(TO, PATH, MANAGER, "ListUnits", &[])?;
    let units: Vec<Unit> = listed.first().map(Value::items).unwrap_or(&[]).iter().filter_map(unit).collect();
    let mut counts = [0.0; STATES.len()];
    for u in &units {
        if let Some(i) = STATES.iter().position(|s| *s == u.active) {
            counts[i] += 1.0;
        }
    }
    for (state, count) in STATES.iter().zip(counts) {
        b.gauge("node_systemd_units", "Summary of systemd unit states").sample(&[("state", state)], count);
    }
    // Units that are only referred to are not there.
    for u in units.iter().filter(|u| u.load == "loaded" && !filter.ignores(&u.name)) {
        unit_samples(m, &mut bus, b, u);
    }
    if let Ok(state) = bus.property(TO, PATH, MANAGER, "SystemState") {
        b.gauge("node_systemd_system_running", "Whether the system is operational (see 'systemctl is-system-running')")
            .value(f64::from(state.text() == "running"));
    }
    Ok(())
}

fn unit(row: &Value) -> Option<Unit> {
    // Name, description, load state, active state, sub state, followed unit, path, job id, job type, job path.
    let [name, _, load, active, _, _, path, ..] = row.items() else { return None };
    let of = |v: &Value| v.text().to_owned();
    Some(Unit { name: of(name), load: of(load), active: of(active), path: of(path) })
}

fn unit_samples(m: &Machine, bus: &mut Bus, b: &mut Batch, u: &Unit) {
    let name = ("name", u.name.as_str());
    let suffix = u.name.rsplit_once('.').map_or("", |s| s.1);
    let mut kind = String::new();
    if suffix == "service" {
        kind = bus.property(TO, &u.path, "org.freedesktop.systemd1.Service", "Type").map(|t| t.text().to_owned()).unwrap_or_default();
    }
    for state in STATES {
        b.gauge("node_systemd_unit_state", "Systemd unit").sample(&[name, ("state", state), ("type", &kind)], f64::from(state == u.active));
    }
    let mut put = |on: bool, interface: &str, property: &str, metric: &str, family: Kind, help: &str, divisor: f64| {
        if !on {
            return;
        }
        let value = bus.property(TO, &u.path, &format!("org.freedesktop.systemd1.{interface}"), property).ok().and_then(|v| v.number());
        // All bits set: there is none, no limit say.
        if let Some(v) = value.filter(|v| *v < u64::MAX as f64) {
            b.family(&format!("node_systemd_{metric}"), family, help).sample(&[name], v / divisor);
        }
    };
    let flag = |f: &str| m.options.on("systemd", f);
    let (service, socket) = (suffix == "service", suffix == "socket");
    put(suffix == "timer", "Timer", "LastTriggerUSec", "timer_last_trigger_seconds", Kind::Gauge, "Seconds since epoch of last trigger.", 1e6);
    put(socket, "Socket", "NAccepted", "socket_accepted_connections_total", Kind::Counter, "Total number of accepted socket connections", 1.0);
    put(socket, "Socket", "NConnections", "socket_current_connections", Kind::Gauge, "Current number of socket connections", 1.0);
    put(socket, "Socket", "NRefused", "socket_refused_connections_total", Kind::Gauge, "Total number of refused socket connections", 1.0);
    let restarts = service && flag("enable-restarts-metrics");
    put(restarts, "Service", "NRestarts", "service_restart_total", Kind::Counter, "Service unit count of Restart triggers", 1.0);
    let tasks = service && flag("enable-task-metrics");
    put(tasks, "Service", "TasksCurrent", "unit_tasks_current", Kind::Gauge, "Current number of tasks per Systemd unit", 1.0);
    put(tasks, "Service", "TasksMax", "unit_tasks_max", Kind::Gauge, "Maximum number of tasks per Systemd unit", 1.0);
    let help = "Start time of the unit since unix epoch in seconds.";
    let start = flag("enable-start-time-metrics");
    put(start && u.active == "active", "Unit", "ActiveEnterTimestamp", "unit_start_time_seconds", Kind::Gauge, help, 1e6);
    if start && u.active != "active" {
        b.gauge("node_systemd_unit_start_time_seconds", help).sample(&[name], 0.0);
    }
}
