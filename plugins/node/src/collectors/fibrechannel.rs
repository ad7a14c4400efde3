//! Fibre Channel adapters (/sys/class/fc_host).

use crate::columns::{self, Column};
use crate::machine::{Machine, Memory};
use watchglass_sdk::prelude::*;

const COLUMNS: [Column; 14] = [
    ("statistics/dumped_frames", "fibrechannel_dumped_frames_total", Kind::Counter, 1.0, "Number of dumped frames"),
    ("statistics/error_frames", "fibrechannel_error_frames_total", Kind::Counter, 1.0, "Number of errors in frames"),
    ("statistics/invalid_crc_count", "fibrechannel_invalid_crc_total", Kind::Counter, 1.0, "Invalid Cyclic Redundancy Check count"),
    ("statistics/rx_frames", "fibrechannel_rx_frames_total", Kind::Counter, 1.0, "Number of frames received"),
    ("statistics/rx_words", "fibrechannel_rx_words_total", Kind::Counter, 1.0, "Number of words received by host port"),
    ("statistics/tx_frames", "fibrechannel_tx_frames_total", Kind::Counter, 1.0, "Number of frames transmitted by host port"),
    ("statistics/tx_words", "fibrechannel_tx_words_total", Kind::Counter, 1.0, "Number of words transmitted by host port"),
    ("statistics/seconds_since_last_reset", "fibrechannel_seconds_since_last_reset_total", Kind::Counter, 1.0, "Number of seconds since last host port reset"),
    ("statistics/invalid_tx_word_count", "fibrechannel_invalid_tx_words_total", Kind::Counter, 1.0, "Number of invalid words transmitted by host port"),
    ("statistics/link_failure_count", "fibrechannel_link_failure_total", Kind::Counter, 1.0, "Number of times the host port link has failed"),
    ("statistics/loss_of_sync_count", "fibrechannel_loss_of_sync_total", Kind::Counter, 1.0, "Number of failures on either bit or transmission word boundaries"),
    ("statistics/loss_of_signal_count", "fibrechannel_loss_of_signal_total", Kind::Counter, 1.0, "Number of times signal has been lost"),
    ("statistics/nos_count", "fibrechannel_nos_total", Kind::Counter, 1.0, "Number Not_Operational Primitive Sequence received by host port"),
    ("statistics/fcp_packet_aborts", "fibrechannel_fcp_packet_aborts_total", Kind::Counter, 1.0, "Number of aborted packets"),
];

const INFO: [&str; 10] = [
    "speed", "port_state", "port_type", "port_id", "port_name", "fabric_name", "symbolic_name", "supported_classes", "supported_speeds", "dev_loss_tmo",
];

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let hosts = m.sys_names("class/fc_host")?;
    let dirs: Vec<String> = hosts.iter().map(|h| format!("class/fc_host/{h}")).collect();
    let mut files = columns::files(&COLUMNS);
    files.extend(INFO);
    for (host, texts) in hosts.iter().zip(m.attributes(&dirs, &files)) {
        let fc_host = ("fc_host", host.as_str());
        // All bits set: the adapter does not count it.
        let texts: Vec<Option<String>> = texts.into_iter().map(|t| t.filter(|t| t != "0xffffffffffffffff")).collect();
        columns::put(b, &COLUMNS, &texts, &[fc_host]);
        // Names of ports and fabrics are numbers; they are shown without the 0x.
        let info = texts.iter().skip(COLUMNS.len()).map(|t| t.as_deref().map_or("", |t| t.strip_prefix("0x").unwrap_or(t)));
        let labels: Vec<(&str, &str)> = [fc_host].into_iter().chain(INFO.into_iter().zip(info)).collect();
        b.gauge("node_fibrechannel_info", "Non-numeric data from /sys/class/fc_host/<host>, value is always 1.").sample(&labels, 1.0);
    }
    Ok(())
}
