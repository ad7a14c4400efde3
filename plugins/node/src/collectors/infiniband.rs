//! InfiniBand and RoCE adapters (/sys/class/infiniband).

use crate::columns::{self, Column};
use crate::machine::{Machine, Memory};
use watchglass_sdk::prelude::*;

const fn counter(file: &'static str, name: &'static str, factor: f64, help: &'static str) -> Column {
    (file, name, Kind::Counter, factor, help)
}

/// Data counters count words of four bytes (InfiniBand specification, PortCounters).
const WORDS: f64 = 4.0;

const COLUMNS: [Column; 60] = [
    counter("counters_ext/port_multicast_rcv_packets", "infiniband_legacy_multicast_packets_received_total", 1.0, "Number of multicast packets received"),
    counter("counters_ext/port_multicast_xmit_packets", "infiniband_legacy_multicast_packets_transmitted_total", 1.0, "Number of multicast packets transmitted"),
    counter("counters_ext/port_rcv_data_64", "infiniband_legacy_data_received_bytes_total", WORDS, "Number of data octets received on all links"),
    counter("counters_ext/port_rcv_packets_64", "infiniband_legacy_packets_received_total", 1.0, "Number of data packets received on all links"),
    counter("counters_ext/port_unicast_rcv_packets", "infiniband_legacy_unicast_packets_received_total", 1.0, "Number of unicast packets received"),
    counter("counters_ext/port_unicast_xmit_packets", "infiniband_legacy_unicast_packets_transmitted_total", 1.0, "Number of unicast packets transmitted"),
    counter("counters_ext/port_xmit_data_64", "infiniband_legacy_data_transmitted_bytes_total", WORDS, "Number of data octets transmitted on all links"),
    counter("counters_ext/port_xmit_packets_64", "infiniband_legacy_packets_transmitted_total", 1.0, "Number of data packets transmitted on all links"),
    counter("counters/excessive_buffer_overrun_errors", "infiniband_excessive_buffer_overrun_errors_total", 1.0, "Number of times that buffers overran for longer than the port allows"),
    counter("counters/link_downed", "infiniband_link_downed_total", 1.0, "Number of times the link failed to recover from an error state and went down"),
    counter("counters/link_error_recovery", "infiniband_link_error_recovery_total", 1.0, "Number of times the link successfully recovered from an error state"),
    counter("counters/local_link_integrity_errors", "infiniband_local_link_integrity_errors_total", 1.0, "Number of times local errors of the physical link went over the threshold"),
    counter("counters/multicast_rcv_packets", "infiniband_multicast_packets_received_total", 1.0, "Number of multicast packets received (including errors)"),
    counter("counters/multicast_xmit_packets", "infiniband_multicast_packets_transmitted_total", 1.0, "Number of multicast packets transmitted (including errors)"),
    counter("counters/port_rcv_constraint_errors", "infiniband_port_constraint_errors_received_total", 1.0, "Number of packets received on the switch physical port that are discarded"),
    counter("counters/port_xmit_constraint_errors", "infiniband_port_constraint_errors_transmitted_total", 1.0, "Number of packets not transmitted from the switch physical port"),
    counter("counters/port_rcv_data", "infiniband_port_data_received_bytes_total", WORDS, "Number of data octets received on all links"),
    counter("counters/port_xmit_data", "infiniband_port_data_transmitted_bytes_total", WORDS, "Number of data octets transmitted on all links"),
    counter("counters/port_rcv_discards", "infiniband_port_discards_received_total", 1.0, "Number of inbound packets discarded by the port because the port is down or congested"),
    counter("counters/port_xmit_discards", "infiniband_port_discards_transmitted_total", 1.0, "Number of outbound packets discarded by the port because the port is down or congested"),
    counter("counters/port_rcv_errors", "infiniband_port_errors_received_total", 1.0, "Number of packets containing an error that were received on this port"),
    counter("counters/port_rcv_packets", "infiniband_port_packets_received_total", 1.0, "Number of packets received on all VLs by this port (including errors)"),
    counter("counters/port_xmit_packets", "infiniband_port_packets_transmitted_total", 1.0, "Number of packets transmitted on all VLs from this port (including errors)"),
    counter("counters/port_rcv_remote_physical_errors", "infiniband_port_receive_remote_physical_errors_total", 1.0, "Number of packets received that the sender had marked as bad"),
    counter("counters/port_rcv_switch_relay_errors", "infiniband_port_receive_switch_relay_errors_total", 1.0, "Number of packets that the switch could not forward"),
    counter("counters/port_xmit_wait", "infiniband_port_transmit_wait_total", 1.0, "Number of ticks during which the port had data to transmit but no data was sent during the entire tick"),
    counter("counters/symbol_error", "infiniband_symbol_error_total", 1.0, "Number of minor link errors on one or more physical lanes"),
    counter("counters/unicast_rcv_packets", "infiniband_unicast_packets_received_total", 1.0, "Number of unicast packets received (including errors)"),
    counter("counters/unicast_xmit_packets", "infiniband_unicast_packets_transmitted_total", 1.0, "Number of unicast packets transmitted (including errors)"),
    counter("counters/VL15_dropped", "infiniband_vl15_dropped_total", 1.0, "Number of management packets (VL15) dropped for want of buffers"),
    counter("hw_counters/duplicate_request", "infiniband_duplicate_requests_packets_total", 1.0, "Number of packets of requests that had come before"),
    counter("hw_counters/implied_nak_seq_err", "infiniband_implied_nak_seq_errors_total", 1.0, "Number of times an acknowledgement came for a packet beyond the one expected of a read or atomic request"),
    ("hw_counters/lifespan", "infiniband_lifespan_seconds", Kind::Gauge, 1e-3, "The maximum period between updates of the hardware counters."),
    counter("hw_counters/local_ack_timeout_err", "infiniband_local_ack_timeout_errors_total", 1.0, "Number of times the timer for acknowledgements expired"),
    counter("hw_counters/np_cnp_sent", "infiniband_np_cnp_packets_sent_total", 1.0, "Number of congestion notification packets sent"),
    counter("hw_counters/np_ecn_marked_roce_packets", "infiniband_np_ecn_marked_roce_packets_received_total", 1.0, "Number of RoCE packets received that were marked for congestion"),
    counter("hw_counters/out_of_buffer", "infiniband_out_of_buffer_drops_total", 1.0, "Number of drops for want of receive buffers"),
    counter("hw_counters/out_of_sequence", "infiniband_out_of_sequence_packets_received_total", 1.0, "Number of packets received out of sequence"),
    counter("hw_counters/packet_seq_err", "infiniband_packet_sequence_errors_total", 1.0, "Number of negative acknowledgements received for errors of sequence"),
    counter("hw_counters/req_cqe_error", "infiniband_req_cqes_errors_total", 1.0, "Number of requests that completed with an error"),
    counter("hw_counters/req_cqe_flush_error", "infiniband_req_cqes_flush_errors_total", 1.0, "Number of requests that completed with a flush error"),
    counter("hw_counters/req_remote_access_errors", "infiniband_req_remote_access_errors_total", 1.0, "Number of remote access errors that the requester saw"),
    counter("hw_counters/req_remote_invalid_request", "infiniband_req_remote_invalid_request_errors_total", 1.0, "Number of requests that the other side called invalid"),
    counter("hw_counters/resp_cqe_error", "infiniband_resp_cqes_errors_total", 1.0, "Number of responses that completed with an error"),
    counter("hw_counters/resp_cqe_flush_error", "infiniband_resp_cqes_flush_errors_total", 1.0, "Number of responses that completed with a flush error"),
    counter("hw_counters/resp_local_length_error", "infiniband_resp_local_length_errors_total", 1.0, "Number of errors of local length that the responder saw"),
    counter("hw_counters/resp_remote_access_errors", "infiniband_resp_remote_access_errors_total", 1.0, "Number of remote access errors that the responder saw"),
    counter("hw_counters/rnr_nak_retry_err", "infiniband_rnr_nak_retry_packets_received_total", 1.0, "Number of packets received that said that the receiver was not ready"),
    counter("hw_counters/roce_adp_retrans", "infiniband_roce_adp_retransmits_total", 1.0, "Number of adaptive retransmissions of RoCE traffic"),
    counter("hw_counters/roce_adp_retrans_to", "infiniband_roce_adp_retransmits_timeout_total", 1.0, "Number of times RoCE traffic timed out for want of adaptive retransmission"),
    counter("hw_counters/roce_slow_restart", "infiniband_roce_slow_restart_used_total", 1.0, "Number of times RoCE slow restart was used"),
    counter("hw_counters/roce_slow_restart_cnps", "infiniband_roce_slow_restart_cnps_total", 1.0, "Number of congestion notification packets that RoCE slow restart made"),
    counter("hw_counters/roce_slow_restart_trans", "infiniband_roce_slow_restart_total", 1.0, "Number of times RoCE slow restart changed its state"),
    counter("hw_counters/rp_cnp_handled", "infiniband_rp_cnp_packets_handled_total", 1.0, "Number of congestion notification packets handled"),
    counter("hw_counters/rp_cnp_ignored", "infiniband_rp_cnp_ignored_packets_received_total", 1.0, "Number of congestion notification packets received and ignored"),
    counter("hw_counters/rx_atomic_requests", "infiniband_rx_atomic_requests_total", 1.0, "Number of atomic requests received"),
    counter("hw_counters/rx_dct_connect", "infiniband_rx_dct_connect_requests_total", 1.0, "Number of requests to connect dynamically connected transport received"),
    counter("hw_counters/rx_read_requests", "infiniband_rx_read_requests_total", 1.0, "Number of read requests received"),
    counter("hw_counters/rx_write_requests", "infiniband_rx_write_requests_total", 1.0, "Number of write requests received"),
    counter("hw_counters/rx_icrc_encapsulated", "infiniband_rx_icrc_encapsulated_errors_total", 1.0, "Number of RoCE packets received with a wrong ICRC"),
];

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let devices = m.sys_names("class/infiniband")?;
    let dirs: Vec<String> = devices.iter().map(|d| format!("class/infiniband/{d}")).collect();
    for ((device, dir), texts) in devices.iter().zip(&dirs).zip(m.attributes(&dirs, &["board_id", "fw_ver", "hca_type"])) {
        let of = |i: usize| texts.get(i).and_then(|t| t.as_deref()).unwrap_or("");
        let labels = [("device", device.as_str()), ("board_id", of(0)), ("firmware_version", of(1)), ("hca_type", of(2))];
        b.gauge("node_infiniband_info", "Non-numeric data from /sys/class/infiniband/<device>, value is always 1.").sample(&labels, 1.0);
        let ports = m.sys_names(&format!("{dir}/ports")).unwrap_or_default();
        let port_dirs: Vec<String> = ports.iter().map(|p| format!("{dir}/ports/{p}")).collect();
        let states = m.attributes(&port_dirs, &["state", "phys_state", "rate"]);
        let counters = m.attributes(&port_dirs, &columns::files(&COLUMNS));
        for ((port, state), counters) in ports.iter().zip(states).zip(counters) {
            let labels = [("device", device.as_str()), ("port", port.as_str())];
            // `4: ACTIVE`, `5: LinkUp`, `40 Gb/sec (4X QDR)`.
            let first = |i: usize| state.get(i)?.as_deref()?.split([':', ' ']).next()?.parse::<f64>().ok();
            for (i, name, factor, help) in [
                (0, "state_id", 1.0, "State of the InfiniBand port (0: no change, 1: down, 2: init, 3: armed, 4: active, 5: act defer)"),
                (1, "physical_state_id", 1.0, "Physical state of the InfiniBand port (0: no change, 1: sleep, 2: polling, 3: disable, 4: shift, 5: link up, 6: link error recover, 7: phytest)"),
                (2, "rate_bytes_per_second", 1e9 / 8.0, "Maximum signal transfer rate"),
            ] {
                if let Some(v) = first(i) {
                    b.gauge(&format!("node_infiniband_{name}"), help).sample(&labels, v * factor);
                }
            }
            columns::put(b, &COLUMNS, &counters, &labels);
        }
    }
    Ok(())
}
