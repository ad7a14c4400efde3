//! Statistics of the network's caches by processor (/proc/net/stat).

use crate::machine::{Machine, Memory};
use crate::text::{hex, junk};
use watchglass_sdk::prelude::*;

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let dir = m.proc("net/stat");
    let names: Vec<String> = m.files.list_dir(&dir)?.into_iter().map(|e| e.name).collect();
    let paths: Vec<String> = names.iter().map(|n| format!("{dir}/{n}")).collect();
    for (subsystem, text) in names.iter().zip(m.files.texts(&paths)) {
        let Some(text) = text else { continue };
        let mut lines = text.lines();
        let fields: Vec<&str> = lines.next().unwrap_or("").split_ascii_whitespace().collect();
        for (cpu, line) in lines.enumerate() {
            for (field, word) in fields.iter().zip(line.split_ascii_whitespace()) {
                let value = hex(word).ok_or_else(|| junk(line, subsystem))?;
                b.counter(&format!("node_lnstat_{field}_total"), "linux network cache stats")
                    .sample(&[("subsystem", subsystem), ("cpu", &cpu.to_string())], value);
            }
        }
    }
    Ok(())
}
