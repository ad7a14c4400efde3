//! IPsec errors (/proc/net/xfrm_stat; kernel documentation, networking/xfrm_proc).

use crate::machine::{Machine, Memory};
use crate::text::junk;
use watchglass_sdk::prelude::*;

const FIELDS: [(&str, &str); 28] = [
    ("XfrmAcquireError", "State was used before it was fully acquired"),
    ("XfrmFwdHdrError", "Forwarding the packet is not allowed"),
    ("XfrmInBufferError", "No buffer was left for the packet"),
    ("XfrmInError", "Errors of received packets that have no counter of their own"),
    ("XfrmInHdrError", "Header error"),
    ("XfrmInNoPols", "No policy was found for the states of the packet"),
    ("XfrmInNoStates", "No state was found: wrong SPI, address or protocol"),
    ("XfrmInPolBlock", "The policy discards the packet"),
    ("XfrmInPolError", "Policy error"),
    ("XfrmInStateExpired", "The state has expired"),
    ("XfrmInStateInvalid", "The state is invalid"),
    ("XfrmInStateMismatch", "The state has another option than the packet, its encapsulation say"),
    ("XfrmInStateModeError", "Error of the transformation mode"),
    ("XfrmInStateProtoError", "Error of the transformation protocol: a wrong key say"),
    ("XfrmInStateSeqError", "The sequence number is out of the window"),
    ("XfrmInTmplMismatch", "No template of the policy matches the states"),
    ("XfrmOutBundleCheckError", "Checking the bundle failed"),
    ("XfrmOutBundleGenError", "Making the bundle failed"),
    ("XfrmOutError", "Errors of sent packets that have no counter of their own"),
    ("XfrmOutNoStates", "No state was found"),
    ("XfrmOutPolBlock", "The policy discards the packet"),
    ("XfrmOutPolDead", "The policy is dead"),
    ("XfrmOutPolError", "Policy error"),
    ("XfrmOutStateExpired", "The state has expired"),
    ("XfrmOutStateInvalid", "The state is invalid, expired perhaps"),
    ("XfrmOutStateModeError", "Error of the transformation mode"),
    ("XfrmOutStateProtoError", "Error of the transformation protocol"),
    ("XfrmOutStateSeqError", "The sequence number has run over"),
];

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    for line in m.proc_text("net/xfrm_stat")?.lines() {
        let mut words = line.split_ascii_whitespace();
        let (Some(field), Some(value)) = (words.next(), words.next()) else { return Err(junk(line, "net/xfrm_stat")) };
        let Some((_, help)) = FIELDS.iter().find(|f| f.0 == field) else { continue };
        let mut name = String::new();
        for c in field.trim_start_matches("Xfrm").chars() {
            if c.is_ascii_uppercase() && !name.is_empty() {
                name.push('_');
            }
            name.push(c.to_ascii_lowercase());
        }
        let value = value.parse().map_err(|_| junk(line, "net/xfrm_stat"))?;
        b.counter(&format!("node_xfrm_{name}_packets_total"), help).value(value);
    }
    Ok(())
}
