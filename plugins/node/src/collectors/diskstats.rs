//! Disks (/proc/diskstats), and what udev knows of them.

use crate::machine::{Machine, Memory};
use crate::text::{float, junk};
use std::collections::BTreeMap;
use watchglass_sdk::prelude::*;

/// The kernel counts sectors of this many bytes, whatever the disk's own are.
const SECTOR: f64 = 512.0;
const MILLI: f64 = 1e-3;

/// The columns after the device's name, in their order: name, kind, factor, help.
const COLUMNS: [(&str, Kind, f64, &str); 17] = [
    ("reads_completed_total", Kind::Counter, 1.0, "The total number of reads completed successfully."),
    ("reads_merged_total", Kind::Counter, 1.0, "The total number of reads merged."),
    ("read_bytes_total", Kind::Counter, SECTOR, "The total number of bytes read successfully."),
    ("read_time_seconds_total", Kind::Counter, MILLI, "The total number of seconds spent by all reads."),
    ("writes_completed_total", Kind::Counter, 1.0, "The total number of writes completed successfully."),
    ("writes_merged_total", Kind::Counter, 1.0, "The number of writes merged."),
    ("written_bytes_total", Kind::Counter, SECTOR, "The total number of bytes written successfully."),
    ("write_time_seconds_total", Kind::Counter, MILLI, "The total number of seconds spent by all writes."),
    ("io_now", Kind::Gauge, 1.0, "The number of I/Os currently in progress."),
    ("io_time_seconds_total", Kind::Counter, MILLI, "Total seconds spent doing I/Os."),
    ("io_time_weighted_seconds_total", Kind::Counter, MILLI, "The weighted number of seconds spent doing I/Os."),
    ("discards_completed_total", Kind::Counter, 1.0, "The total number of discards completed successfully."),
    ("discards_merged_total", Kind::Counter, 1.0, "The total number of discards merged."),
    ("discarded_sectors_total", Kind::Counter, 1.0, "The total number of sectors discarded successfully."),
    ("discard_time_seconds_total", Kind::Counter, MILLI, "The total number of seconds spent by all discards."),
    ("flush_requests_total", Kind::Counter, 1.0, "The total number of flush requests completed successfully."),
    ("flush_requests_time_seconds_total", Kind::Counter, MILLI, "The total number of seconds spent by all flush requests."),
];

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let filter = m.options.filter("diskstats", "device-include", "device-exclude");
    let text = m.proc_text("diskstats")?;
    let disks: Vec<Vec<&str>> = text
        .lines()
        .map(|l| l.split_ascii_whitespace().collect::<Vec<_>>())
        .filter(|w| w.len() >= 4 && !filter.ignores(w[2]))
        .collect();
    let mut paths: Vec<String> = Vec::new();
    for disk in &disks {
        paths.push(format!("{}/b{}:{}", m.options.text("path", "udev.data"), disk[0], disk[1]));
        paths.push(m.sys(&format!("block/{}/queue/rotational", disk[2])));
    }
    let texts = m.files.texts(&paths);
    for (disk, texts) in disks.iter().zip(texts.chunks_exact(2)) {
        let device = disk[2];
        for ((name, kind, factor, help), word) in COLUMNS.iter().zip(&disk[3..]) {
            let value: f64 = word.parse().map_err(|_| junk(&disk.join(" "), "diskstats"))?;
            b.family(&format!("node_disk_{name}"), *kind, help).sample(&[("device", device)], value * factor);
        }
        let udev: BTreeMap<&str, &str> =
            texts[0].iter().flat_map(|t| t.lines()).filter_map(|l| l.strip_prefix("E:")?.split_once('=')).collect();
        described(b, disk, texts[1].as_deref().unwrap_or("0"), &udev);
    }
    Ok(())
}

fn described(b: &mut Batch, disk: &[&str], rotational: &str, udev: &BTreeMap<&str, &str>) {
    let device = disk[2];
    let get = |name: &str| udev.get(name).copied().unwrap_or("");
    // The SCSI serial is the disk's own; the others may be made up of it.
    let serial = ["SCSI_IDENT_SERIAL", "ID_SERIAL_SHORT", "ID_SERIAL"].into_iter().map(get).find(|s| !s.is_empty()).unwrap_or("");
    let labels = [
        ("device", device),
        ("major", disk[0]),
        ("minor", disk[1]),
        ("path", get("ID_PATH")),
        ("wwn", get("ID_WWN")),
        ("model", get("ID_MODEL")),
        ("serial", serial),
        ("revision", get("ID_REVISION")),
        ("rotational", rotational),
    ];
    b.gauge("node_disk_info", "Info of /sys/block/<block_device>.").sample(&labels, 1.0);
    if !get("ID_FS_TYPE").is_empty() || !get("ID_FS_VERSION").is_empty() {
        let labels = [("device", device), ("type", get("ID_FS_TYPE")), ("usage", get("ID_FS_USAGE")), ("uuid", get("ID_FS_UUID")), ("version", get("ID_FS_VERSION"))];
        b.gauge("node_disk_filesystem_info", "Info about disk filesystem.").sample(&labels, 1.0);
    }
    if !get("DM_NAME").is_empty() {
        let labels = [
            ("device", device),
            ("name", get("DM_NAME")),
            ("uuid", get("DM_UUID")),
            ("vg_name", get("DM_VG_NAME")),
            ("lv_name", get("DM_LV_NAME")),
            ("lv_layer", get("DM_LV_LAYER")),
        ];
        b.gauge("node_disk_device_mapper_info", "Info about disk device mapper.").sample(&labels, 1.0);
    }
    for (field, name, help) in [
        ("ID_ATA_WRITE_CACHE", "node_disk_ata_write_cache", "ATA disk has a write cache."),
        ("ID_ATA_WRITE_CACHE_ENABLED", "node_disk_ata_write_cache_enabled", "ATA disk has its write cache enabled."),
        ("ID_ATA_ROTATION_RATE_RPM", "node_disk_ata_rotation_rate_rpm", "ATA disk rotation rate in RPMs (0 for SSDs)."),
    ] {
        // Only what speaks ATA has them; there a missing one is none.
        if let (false, Some(v)) = (get("ID_ATA").is_empty(), float(get(field))) {
            b.gauge(name, help).sample(&[("device", device)], v);
        }
    }
}
