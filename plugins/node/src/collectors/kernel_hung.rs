//! Hung tasks that the kernel has seen (since Linux 6.13).

use crate::machine::{Machine, Memory};
use crate::text::number;
use watchglass_sdk::prelude::*;

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let path = "sys/kernel/hung_task_detect_count";
    let value = number(&m.proc_text(path)?, path)?;
    b.counter("node_kernel_hung_tasks_total", "Total number of tasks that have been detected as hung since the system booted.").value(value);
    Ok(())
}
