//! Watchdog timers (/sys/class/watchdog).

use crate::columns::{self, Column};
use crate::machine::{Machine, Memory};
use watchglass_sdk::prelude::*;

const COLUMNS: [Column; 7] = [
    ("bootstatus", "watchdog_bootstatus", Kind::Gauge, 1.0, "Value of /sys/class/watchdog/<watchdog>/bootstatus"),
    ("fw_version", "watchdog_fw_version", Kind::Gauge, 1.0, "Value of /sys/class/watchdog/<watchdog>/fw_version"),
    ("nowayout", "watchdog_nowayout", Kind::Gauge, 1.0, "Value of /sys/class/watchdog/<watchdog>/nowayout"),
    ("timeleft", "watchdog_timeleft_seconds", Kind::Gauge, 1.0, "Value of /sys/class/watchdog/<watchdog>/timeleft"),
    ("timeout", "watchdog_timeout_seconds", Kind::Gauge, 1.0, "Value of /sys/class/watchdog/<watchdog>/timeout"),
    ("pretimeout", "watchdog_pretimeout_seconds", Kind::Gauge, 1.0, "Value of /sys/class/watchdog/<watchdog>/pretimeout"),
    ("access_cs0", "watchdog_access_cs0", Kind::Gauge, 1.0, "Value of /sys/class/watchdog/<watchdog>/access_cs0"),
];

const INFO: [&str; 5] = ["options", "identity", "state", "status", "pretimeout_governor"];

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let names = m.sys_names("class/watchdog")?;
    let dirs: Vec<String> = names.iter().map(|n| format!("class/watchdog/{n}")).collect();
    let mut files = columns::files(&COLUMNS);
    files.extend(INFO);
    for (name, texts) in names.iter().zip(m.attributes(&dirs, &files)) {
        columns::put(b, &COLUMNS, &texts, &[("name", name)]);
        let info = texts.iter().skip(COLUMNS.len()).map(|t| t.as_deref().unwrap_or(""));
        let mut labels = vec![("name", name.as_str())];
        labels.extend(INFO.into_iter().zip(info));
        b.gauge("node_watchdog_info", "Info of /sys/class/watchdog/<watchdog>").sample(&labels, 1.0);
    }
    Ok(())
}
