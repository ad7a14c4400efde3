//! Energy that the processor counts (/sys/class/powercap).

use crate::machine::{Machine, Memory};
use crate::text::{integer, sanitize};
use watchglass_sdk::prelude::*;

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let by_label = m.options.on("rapl", "enable-zone-label");
    let names: Vec<String> = m.sys_names("class/powercap")?.into_iter().filter(|n| n.contains(':')).collect();
    let dirs: Vec<String> = names.iter().map(|n| format!("class/powercap/{n}")).collect();
    for (dir, texts) in dirs.iter().zip(m.attributes(&dirs, &["name", "energy_uj"])) {
        // A zone without a counter of its own, or one that only root may read, is left out.
        let (Some(zone), Some(micro)) = (&texts[0], texts[1].as_deref().and_then(integer)) else { continue };
        // `package-0` is zone `package`, index 0; a zone that has no number is the first of its kind.
        let (zone, index) = match zone.rsplit_once('-') {
            Some((zone, index)) if index.bytes().all(|c| c.is_ascii_digit()) => (zone, index),
            _ => (zone.as_str(), "0"),
        };
        let path = m.sys(dir);
        let labels = [("index", index), ("path", path.as_str()), ("rapl_zone", zone)];
        if by_label {
            b.counter("node_rapl_joules_total", "Current RAPL value in joules").sample(&labels, micro / 1e6);
        } else {
            let name = format!("node_rapl_{}_joules_total", sanitize(zone));
            b.counter(&name, &format!("Current RAPL {zone} value in joules")).sample(&labels[..2], micro / 1e6);
        }
    }
    Ok(())
}
