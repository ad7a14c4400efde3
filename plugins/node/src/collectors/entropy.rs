//! Randomness in the kernel's pool (/proc/sys/kernel/random).

use crate::machine::{Machine, Memory};
use crate::text::number;
use watchglass_sdk::prelude::*;

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    for (file, name, help) in [
        ("entropy_avail", "node_entropy_available_bits", "Bits of available entropy."),
        ("poolsize", "node_entropy_pool_size_bits", "Bits of entropy pool."),
    ] {
        let path = format!("sys/kernel/random/{file}");
        b.gauge(name, help).value(number(&m.proc_text(&path)?, &path)?);
    }
    Ok(())
}
