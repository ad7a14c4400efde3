//! Interrupts by processor (/proc/interrupts).

use crate::machine::{Machine, Memory};
use crate::text::junk;
use watchglass_sdk::prelude::*;

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let filter = m.options.filter("interrupts", "name-include", "name-exclude");
    let zeros = m.options.on("interrupts", "include-zeros");
    let text = m.proc_text("interrupts")?;
    let mut lines = text.lines();
    let cpus = lines.next().unwrap_or("").split_ascii_whitespace().count();
    for line in lines {
        let Some((name, rest)) = line.split_once(':') else { return Err(junk(line, "interrupts")) };
        let name = name.trim();
        // Lines with fewer counts than processors (ERR, MIS) are sums, not by processor.
        let counts: Vec<f64> = rest.split_ascii_whitespace().take(cpus).map_while(|w| w.parse().ok()).collect();
        if counts.len() < cpus {
            continue;
        }
        let words: Vec<&str> = rest.split_ascii_whitespace().skip(cpus).collect();
        // A numbered interrupt has a chip and devices; another a description.
        let (info, devices) = match words.split_first() {
            Some((info, devices)) if name.bytes().all(|c| c.is_ascii_digit()) => ((*info).to_owned(), devices.join(" ")),
            _ => (words.join(" "), String::new()),
        };
        if filter.ignores(&format!("{name};{info};{devices}")) {
            continue;
        }
        for (cpu, count) in counts.iter().enumerate().filter(|(_, c)| zeros || **c != 0.0) {
            let labels = [("cpu", cpu.to_string()), ("type", name.to_owned()), ("info", info.clone()), ("devices", devices.clone())];
            let labels: Vec<(&str, &str)> = labels.iter().map(|(n, v)| (*n, v.as_str())).collect();
            b.counter("node_interrupts_total", "Interrupt details.").sample(&labels, *count);
        }
    }
    Ok(())
}
