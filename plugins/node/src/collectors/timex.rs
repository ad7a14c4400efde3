//! The kernel's clock discipline (adjtimex(2)).

use crate::machine::{Machine, Memory};
use watchglass_sdk::prelude::*;

/// Frequencies are parts per million, scaled by 2^16.
const PPM: f64 = 1e6 * 65_536.0;

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let s = match m.system.clock_adjustment() {
        // An operator who did not grant it wants it left out, not reported.
        Err(Error::Denied(why)) => return Err(Error::NotFound(why)),
        other => other?,
    };
    for (name, help, value) in [
        ("sync_status", "Is clock synchronized to a reliable server (1 = yes, 0 = no).", f64::from(s.synchronized)),
        ("offset_seconds", "Time offset in between local system and reference clock.", s.offset_ns as f64 / 1e9),
        ("frequency_adjustment_ratio", "Local clock frequency adjustment.", 1.0 + s.frequency as f64 / PPM),
        ("maxerror_seconds", "Maximum error in seconds.", s.max_error_us as f64 / 1e6),
        ("estimated_error_seconds", "Estimated error in seconds.", s.estimated_error_us as f64 / 1e6),
        ("status", "Value of the status array bits.", f64::from(s.status)),
        ("loop_time_constant", "Phase-locked loop time constant.", s.constant as f64),
        ("tick_seconds", "Seconds between clock ticks.", s.tick_us as f64 / 1e6),
        ("pps_frequency_hertz", "Pulse per second frequency.", s.pps_frequency as f64 / PPM),
        ("pps_jitter_seconds", "Pulse per second jitter.", s.pps_jitter_ns as f64 / 1e9),
        ("pps_shift_seconds", "Pulse per second interval duration.", f64::from(s.pps_shift)),
        ("pps_stability_hertz", "Pulse per second stability, average of recent frequency changes.", s.pps_stability as f64 / PPM),
        ("tai_offset_seconds", "International Atomic Time (TAI) offset.", f64::from(s.tai_offset)),
    ] {
        b.gauge(&format!("node_timex_{name}"), help).value(value);
    }
    for (name, help, value) in [
        ("jitter", "Pulse per second count of jitter limit exceeded events.", s.pps_jitter_count),
        ("calibration", "Pulse per second count of calibration intervals.", s.pps_calibration_count),
        ("error", "Pulse per second count of calibration errors.", s.pps_error_count),
        ("stability_exceeded", "Pulse per second count of stability limit exceeded events.", s.pps_stability_count),
    ] {
        b.counter(&format!("node_timex_pps_{name}_total"), help).value(value as f64);
    }
    Ok(())
}
