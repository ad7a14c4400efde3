//! What the tests share: where the data is, archives, comparable expositions, a recorded system.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests run natively, where std is the world")]
#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod exporter;
pub(crate) mod exposition;
pub(crate) mod flags;
pub(crate) mod recorded;

use std::path::PathBuf;
use watchglass_plugin_node::System;
use watchglass_sdk::{Error, system};

/// Finds a folder of conformance data; without it the test is skipped, loudly.
pub(crate) fn conformance(name: &str) -> Option<PathBuf> {
    let dir = std::env::var_os("WATCHGLASS_CONFORMANCE")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance"), PathBuf::from)
        .join(name);
    if dir.is_dir() {
        return Some(dir);
    }
    skip(&format!("no conformance data in {}: set WATCHGLASS_CONFORMANCE", dir.display()));
    None
}

/// Says that a test is skipped, or fails where nothing may be (`CI=true`).
pub(crate) fn skip(why: &str) {
    eprintln!("SKIPPED: {why}");
    assert!(std::env::var("CI").as_deref() != Ok("true"), "CI=true forbids skipping: {why}");
}

/// System calls as the recording's machine would answer them.
pub(crate) struct FixtureSystem {
    pub(crate) dir: PathBuf,
}

impl System for FixtureSystem {
    fn network_links(&self) -> Result<Vec<system::Link>, Error> {
        let zero = system::LinkCounters {
            rx_packets: 0,
            tx_packets: 0,
            rx_bytes: 0,
            tx_bytes: 0,
            rx_errors: 0,
            tx_errors: 0,
            rx_dropped: 0,
            tx_dropped: 0,
            multicast: 0,
            collisions: 0,
            rx_length_errors: 0,
            rx_over_errors: 0,
            rx_crc_errors: 0,
            rx_frame_errors: 0,
            rx_fifo_errors: 0,
            rx_missed_errors: 0,
            tx_aborted_errors: 0,
            tx_carrier_errors: 0,
            tx_fifo_errors: 0,
            tx_heartbeat_errors: 0,
            tx_window_errors: 0,
            rx_compressed: 0,
            tx_compressed: 0,
            rx_nohandler: 0,
        };
        Ok(vec![system::Link {
            index: 1,
            name: "lo".into(),
            hardware_type: 772,
            address: String::new(),
            broadcast: String::new(),
            alias: String::new(),
            flags: 9,
            mtu: 65_536,
            operational_state: "unknown".into(),
            carrier: None,
            carrier_changes: None,
            carrier_ups: None,
            carrier_downs: None,
            transmit_queue_length: 1_000,
            master: None,
            lower: None,
            virtual_kind: String::new(),
            counters: Some(zero),
        }])
    }
}
