//! Tape drives (/sys/class/scsi_tape).

use crate::collectors::edac::numbered;
use crate::columns::{self, Column};
use crate::machine::{Machine, Memory};
use watchglass_sdk::prelude::*;

const COLUMNS: [Column; 10] = [
    ("in_flight", "tape_io_now", Kind::Gauge, 1.0, "The number of I/Os currently outstanding to this device."),
    ("io_ns", "tape_io_time_seconds_total", Kind::Counter, 1e-9, "The amount of time spent waiting for all I/O to complete."),
    ("other_cnt", "tape_io_others_total", Kind::Counter, 1.0, "The number of I/Os issued to the tape drive other than read or write commands."),
    ("read_byte_cnt", "tape_read_bytes_total", Kind::Counter, 1.0, "The number of bytes read from the tape drive."),
    ("read_cnt", "tape_reads_completed_total", Kind::Counter, 1.0, "The number of read requests issued to the tape drive."),
    ("read_ns", "tape_read_time_seconds_total", Kind::Counter, 1e-9, "The amount of time spent waiting for read requests to complete."),
    ("resid_cnt", "tape_residual_total", Kind::Counter, 1.0, "The number of times during a read or write we found the residual amount to be non-zero."),
    ("write_byte_cnt", "tape_written_bytes_total", Kind::Counter, 1.0, "The number of bytes written to the tape drive."),
    ("write_cnt", "tape_writes_completed_total", Kind::Counter, 1.0, "The number of write requests issued to the tape drive."),
    ("write_ns", "tape_write_time_seconds_total", Kind::Counter, 1e-9, "The amount of time spent waiting for write requests to complete."),
];

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let ignored = m.options.pattern("tapestats", "ignored-devices");
    // `st0` is the drive; `nst0`, `st0a` and their like are modes of it.
    let names: Vec<String> = m
        .sys_names("class/scsi_tape")?
        .into_iter()
        .filter(|n| numbered(n, "st").is_some() && ignored.is_none_or(|p| !p.is_match(n)))
        .collect();
    let dirs: Vec<String> = names.iter().map(|n| format!("class/scsi_tape/{n}/stats")).collect();
    for (name, texts) in names.iter().zip(m.attributes(&dirs, &columns::files(&COLUMNS))) {
        columns::put(b, &COLUMNS, &texts, &[("device", name)]);
    }
    Ok(())
}
