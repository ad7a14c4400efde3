//! Open files of the machine (/proc/sys/fs/file-nr).

use crate::machine::{Machine, Memory};
use crate::text::junk;
use watchglass_sdk::prelude::*;

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let text = m.proc_text("sys/fs/file-nr")?;
    // Allocated, free (always 0 since Linux 2.6), most.
    let values: Vec<f64> = text.split_ascii_whitespace().filter_map(|w| w.parse().ok()).collect();
    let [allocated, _, maximum] = values[..] else { return Err(junk(&text, "sys/fs/file-nr")) };
    b.gauge("node_filefd_allocated", "File descriptor statistics: allocated.").value(allocated);
    b.gauge("node_filefd_maximum", "File descriptor statistics: maximum.").value(maximum);
    Ok(())
}
