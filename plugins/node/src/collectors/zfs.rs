//! OpenZFS (/proc/spl/kstat/zfs).

use crate::machine::{Machine, Memory};
use crate::text::sanitize;
use watchglass_sdk::files::EntryKind;
use watchglass_sdk::prelude::*;

/// File and what its metrics begin with.
const FILES: [(&str, &str); 11] = [
    ("abdstats", "abd"),
    ("arcstats", "arc"),
    ("dbufstats", "dbuf"),
    ("dmu_tx", "dmu_tx"),
    ("dnodestats", "dnode"),
    ("fm", "fm"),
    ("vdev_cache_stats", "vdev_cache"),
    ("vdev_mirror_stats", "vdev_mirror"),
    ("xuio_stats", "xuio"),
    ("zfetchstats", "zfetch"),
    ("zil", "zil"),
];

const STATES: [&str; 7] = ["online", "degraded", "faulted", "offline", "removed", "unavail", "suspended"];

/// Types of values in a kstat (sys/kstat.h): signed and unsigned numbers of 32 and 64 bits.
const NUMERIC: [&str; 4] = ["1", "2", "3", "4"];

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let base = m.proc("spl/kstat/zfs");
    let entries = m.files.list_dir(&base)?;
    let paths: Vec<String> = FILES.iter().map(|f| format!("{base}/{}", f.0)).collect();
    for ((file, subsystem), text) in FILES.iter().zip(m.files.texts(&paths)) {
        for (name, value) in named(text.as_deref().unwrap_or("")) {
            let help = format!("kstat.zfs.misc.{file}.{name}");
            b.untyped(&format!("node_zfs_{subsystem}_{}", sanitize(name)), &help).value(value);
        }
    }
    for pool in entries.iter().filter(|e| e.kind == EntryKind::Directory).map(|e| e.name.as_str()) {
        self::pool(m, b, &base, pool)?;
    }
    Ok(())
}

fn pool(m: &Machine, b: &mut Batch, base: &str, pool: &str) -> Result<(), Error> {
    let names = m.files.names(&format!("{base}/{pool}"))?;
    let paths: Vec<String> = names.iter().map(|n| format!("{base}/{pool}/{n}")).collect();
    for (name, text) in names.iter().zip(m.files.texts(&paths)) {
        let Some(text) = text else { continue };
        if name == "io" {
            // A line of names, then one of values.
            let mut lines = text.lines().skip(1);
            let (titles, values) = (lines.next().unwrap_or(""), lines.next().unwrap_or(""));
            for (title, value) in titles.split_ascii_whitespace().zip(values.split_ascii_whitespace()) {
                if let Ok(v) = value.parse() {
                    b.untyped(&format!("node_zfs_zpool_{title}"), &format!("kstat.zfs.misc.io.{title}")).sample(&[("zpool", pool)], v);
                }
            }
        } else if name == "state" {
            let now = text.trim().to_ascii_lowercase();
            for state in STATES {
                b.gauge("node_zfs_zpool_state", "kstat.zfs.misc.state").sample(&[("zpool", pool), ("state", state)], f64::from(state == now));
            }
        } else if name.starts_with("objset-") {
            // The name is the rest of the line behind its type, and may hold spaces.
            let rest = text.lines().find_map(|l| l.strip_prefix("dataset_name")).unwrap_or("").trim_start();
            let dataset = rest.split_once(' ').map_or("", |r| r.1.trim()).to_owned();
            for (field, value) in named(&text) {
                let help = format!("kstat.zfs.misc.objset.{field}");
                b.untyped(&format!("node_zfs_zpool_dataset_{}", sanitize(field)), &help).sample(&[("zpool", pool), ("dataset", &dataset)], value);
            }
        }
    }
    Ok(())
}

/// The lines `name type data` of a kstat whose data is a number.
fn named(text: &str) -> impl Iterator<Item = (&str, f64)> {
    text.lines().skip(1).filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let (name, kind, data) = (words.next()?, words.next()?, words.next()?);
        if !NUMERIC.contains(&kind) {
            return None;
        }
        Some((name, data.parse().ok()?))
    })
}
