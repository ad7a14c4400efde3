//! Software RAID (/proc/mdstat, /sys/block/md*/md).

use crate::columns::{self, Column};
use crate::machine::{Machine, Memory};
use watchglass_sdk::prelude::*;

const STATES: [&str; 6] = ["active", "inactive", "recovering", "resync", "check", "reshape"];

const SYSFS: [Column; 2] = [
    ("degraded", "md_degraded", Kind::Gauge, 1.0, "Number of degraded disks on device."),
    ("raid_disks", "md_raid_disks", Kind::Gauge, 1.0, "Number of raid disks on device."),
];

/// What mdstat tells of one array.
#[derive(Debug, Default, PartialEq)]
struct Array {
    name: String,
    state: &'static str,
    active: f64,
    required: f64,
    failed: f64,
    spare: f64,
    blocks: f64,
    synced: f64,
}

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    for a in parse(&m.proc_text("mdstat")?) {
        let device = [("device", a.name.as_str())];
        b.gauge("node_md_disks_required", "Total number of disks of device.").sample(&device, a.required);
        for (state, count) in [("active", a.active), ("failed", a.failed), ("spare", a.spare)] {
            b.gauge("node_md_disks", "Number of active/failed/spare disks of device.").sample(&[device[0], ("state", state)], count);
        }
        // `reshape` has no line of its own with the older names.
        for state in STATES.iter().take(5) {
            b.gauge("node_md_state", "Indicates the state of md-device.")
                .sample(&[device[0], ("state", state)], f64::from(*state == a.state));
        }
        b.gauge("node_md_blocks", "Total number of blocks on device.").sample(&device, a.blocks);
        b.gauge("node_md_blocks_synced", "Number of blocks synced on device.").sample(&device, a.synced);
    }
    let arrays: Vec<String> = m.sys_names("block").unwrap_or_default().into_iter().filter(|n| n.starts_with("md")).collect();
    let dirs: Vec<String> = arrays.iter().map(|n| format!("block/{n}/md")).collect();
    for (name, mut texts) in arrays.iter().zip(m.attributes(&dirs, &columns::files(&SYSFS))) {
        // Levels without redundancy have no such file, and nothing that could be degraded.
        if texts[1].is_some() && texts[0].is_none() {
            texts[0] = Some("0".to_owned());
        }
        columns::put(b, &SYSFS, &texts, &[("device", name)]);
    }
    Ok(())
}

/// Reads mdstat: a line `md0 : active raid1 sda1[0] ...`, then one with blocks and `[2/1] [U_]`, then perhaps one with a progress.
fn parse(text: &str) -> Vec<Array> {
    let mut arrays: Vec<Array> = Vec::new();
    for line in text.lines() {
        if let Some((name, rest)) = line.split_once(" : ")
            && !line.starts_with([' ', '\t'])
            && name != "Personalities"
        {
            let words: Vec<&str> = rest.split_ascii_whitespace().collect();
            let state = if words.first() == Some(&"active") { "active" } else { "inactive" };
            let disks: Vec<&&str> = words.iter().filter(|w| w.contains('[') && w.contains(']')).collect();
            let marked = |mark: &str| disks.iter().filter(|d| d.contains(mark)).count() as f64;
            let (failed, spare) = (marked("(F)"), marked("(S)"));
            let plain = disks.len() as f64 - failed - spare;
            let name = name.trim().to_owned();
            let running = if state == "active" { plain } else { 0.0 };
            arrays.push(Array { name, state, active: running, required: running, failed, spare, ..Array::default() });
            continue;
        }
        let Some(a) = arrays.last_mut() else { continue };
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        if words.get(1) == Some(&"blocks") {
            a.blocks = words[0].parse().unwrap_or(0.0);
            a.synced = a.blocks;
            // `[required/active]`; levels without redundancy have none.
            // An array that does not run has no disks in use, whatever the line of its last run says.
            let counts = words.iter().filter(|_| a.state != "inactive").find_map(|w| w.strip_prefix('[')?.strip_suffix(']')?.split_once('/'));
            if let Some((required, active)) = counts
                && let (Ok(required), Ok(active)) = (required.parse(), active.parse())
            {
                (a.required, a.active) = (required, active);
            }
        }
        for (word, state) in [("recovery", "recovering"), ("resync", "resync"), ("check", "check"), ("reshape", "recovering")] {
            let Some((_, rest)) = line.split_once(word) else { continue };
            if !rest.trim_start().starts_with('=') {
                continue;
            }
            a.state = state;
            // `= 8.5% (16775552/195310144)`; while it is pending or delayed there is nothing done.
            let done = rest.split_once('(').and_then(|(_, r)| r.split_once('/')).and_then(|(done, _)| done.parse().ok());
            a.synced = done.unwrap_or(0.0);
        }
    }
    arrays
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_in_every_state() {
        let text = "Personalities : [raid1]\nmd1 : active raid1 sdb2[2](F) sdc[1](S) sda2[0]\n      100 blocks [2/1] [U_]\n      \
                    [=>..]  recovery =  8.5% (9/100) finish=1.0min speed=1K/sec\n\nmd2 : active raid0 sda[0] sdb[1]\n      50 blocks 64k chunks\n\nunused devices: <none>\n";
        let a = parse(text);
        assert_eq!(a[0], Array { name: "md1".into(), state: "recovering", active: 1.0, required: 2.0, failed: 1.0, spare: 1.0, blocks: 100.0, synced: 9.0 });
        assert_eq!(a[1], Array { name: "md2".into(), state: "active", active: 2.0, required: 2.0, failed: 0.0, spare: 0.0, blocks: 50.0, synced: 50.0 });
        assert!(parse("junk\u{0}\n : \n").len() < 2);
    }
}
