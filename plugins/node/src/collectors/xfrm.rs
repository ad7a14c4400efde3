//! IPsec errors (/proc/net/xfrm_stat; kernel documentation, networking/xfrm_proc).

use crate::machine::{Machine, Memory};
use crate::text::junk;
use watchglass_sdk::prelude::*;

const FIELDS: [&str; 28] = [
    "XfrmAcquireError", "XfrmFwdHdrError", "XfrmInBufferError", "XfrmInError", "XfrmInHdrError", "XfrmInNoPols", "XfrmInNoStates", "XfrmInPolBlock",
    "XfrmInPolError", "XfrmInStateExpired", "XfrmInStateInvalid", "XfrmInStateMismatch", "XfrmInStateModeError", "XfrmInStateProtoError",
    "XfrmInStateSeqError", "XfrmInTmplMismatch", "XfrmOutBundleCheckError", "XfrmOutBundleGenError", "XfrmOutError", "XfrmOutNoStates", "XfrmOutPolBlock",
    "XfrmOutPolDead", "XfrmOutPolError", "XfrmOutStateExpired", "XfrmOutStateInvalid", "XfrmOutStateModeError", "XfrmOutStateProtoError",
    "XfrmOutStateSeqError",
];

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    for line in m.proc_text("net/xfrm_stat")?.lines() {
        let mut words = line.split_ascii_whitespace();
        let (Some(field), Some(value)) = (words.next(), words.next()) else { return Err(junk(line, "net/xfrm_stat")) };
        if !FIELDS.contains(&field) {
            continue;
        }
        let mut name = String::new();
        for c in field.trim_start_matches("Xfrm").chars() {
            if c.is_ascii_uppercase() && !name.is_empty() {
                name.push('_');
            }
            name.push(c.to_ascii_lowercase());
        }
        let value = value.parse().map_err(|_| junk(line, "net/xfrm_stat"))?;
        b.counter(&format!("node_xfrm_{name}_packets_total"), &format!("Packets counted as {field}.")).value(value);
    }
    Ok(())
}
