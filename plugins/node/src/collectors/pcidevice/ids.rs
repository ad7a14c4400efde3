//! Names of PCI devices (pci.ids; its own head says how it is written).

use crate::machine::Machine;
use std::collections::BTreeMap;
use watchglass_sdk::prelude::*;

/// Where distributions keep the file.
const USUAL: [&str; 3] = ["/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids", "/usr/share/pci.ids"];

/// What a device is known by: class, vendor, device, vendor and device of the subsystem; lower case, without 0x.
pub(crate) type Ids = [String; 5];

/// The names found so far, in the order of [`Ids`]. The file is long, and devices come seldom: it is read again only for an unknown one.
pub(crate) type Found = BTreeMap<Ids, [String; 5]>;

/// Fills in the names of those that are wanted; without a file every name is the number.
pub(super) fn look_up(m: &Machine, wanted: &[Ids], found: &mut Found) {
    found.retain(|ids, _| wanted.contains(ids));
    if wanted.iter().all(|ids| found.contains_key(ids)) {
        return;
    }
    let given = m.options.text("pcidevice", "idsfile");
    let text = match given {
        "" => USUAL.iter().find_map(|p| m.files.text(p).ok()),
        given => m.files.text(given).ok(),
    };
    if text.is_none() {
        log::warn("pcidevice: no file of names: numbers are shown instead");
    }
    let text = text.unwrap_or_default();
    for ids in wanted {
        found.insert(ids.clone(), names(&text, ids));
    }
}

/// Finds the five names. A class is three pairs of digits; of its names the finest that there is counts.
fn names(text: &str, ids: &Ids) -> [String; 5] {
    let [class, vendor, device, sub_vendor, sub_device] = ids;
    let digits = |from: usize| class.get(from..from + 2).unwrap_or("");
    let mut out = [format!("Unknown class ({class})"), vendor.clone(), device.clone(), sub_vendor.clone(), sub_device.clone()];
    let subsystem = format!("{sub_vendor} {sub_device}");
    // Which of the outer lines we are below: a class or a vendor, then a subclass or a device.
    let (mut in_class, mut in_vendor, mut in_second) = (false, false, false);
    for line in text.lines().filter(|l| !l.starts_with('#') && !l.is_empty()) {
        let depth = line.bytes().take_while(|b| *b == b'\t').count();
        let Some((id, name)) = line[depth..].split_once("  ") else { continue };
        let name = name.trim();
        match depth {
            0 => {
                in_class = id.strip_prefix("C ") == Some(digits(0));
                in_vendor = id == vendor;
                in_second = false;
                if in_class {
                    out[0] = name.to_owned();
                }
                if in_vendor {
                    out[1] = name.to_owned();
                }
                if id == sub_vendor {
                    out[3] = name.to_owned();
                }
            }
            1 => {
                in_second = (in_class && id == digits(2)) || (in_vendor && id == device);
                if in_second {
                    out[usize::from(in_vendor) * 2] = name.to_owned();
                }
            }
            2 if in_second && in_class && id == digits(4) => out[0] = name.to_owned(),
            2 if in_second && in_vendor && id == subsystem => out[4] = name.to_owned(),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# a comment\nC 01  Mass storage\n\t08  Memory controller\n\t\t02  NVM\nC 02  Network\n\n1af4  Red Hat\n\t1000  Virtio network\n\t\t1af4 0001  Its subsystem\n8086  Other\n\t1000  Wrong one\nshort\n";

    fn ids(ids: [&str; 5]) -> Ids {
        ids.map(str::to_owned)
    }

    #[test]
    fn the_finest_name_counts() {
        let n = names(FILE, &ids(["010802", "1af4", "1000", "1af4", "0001"]));
        assert_eq!(n, ["NVM", "Red Hat", "Virtio network", "Red Hat", "Its subsystem"].map(str::to_owned));
        let n = names(FILE, &ids(["020000", "8086", "1000", "1af4", "0002"]));
        assert_eq!(n, ["Network", "Other", "Wrong one", "Red Hat", "0002"].map(str::to_owned));
    }

    #[test]
    fn what_has_no_name_is_its_number() {
        let n = names("\u{fffd}\n\t\t\n", &ids(["", "1af4", "é", "a", "b"]));
        assert_eq!(n, ["Unknown class ()", "1af4", "é", "a", "b"].map(str::to_owned));
    }
}
