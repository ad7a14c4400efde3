//! What the firmware says of the machine (/sys/class/dmi/id).

use crate::machine::{Machine, Memory};
use watchglass_sdk::prelude::*;

const FIELDS: [&str; 20] = [
    "bios_date", "bios_release", "bios_vendor", "bios_version", "board_asset_tag", "board_name", "board_serial", "board_vendor", "board_version",
    "chassis_asset_tag", "chassis_serial", "chassis_vendor", "chassis_version", "product_family", "product_name", "product_serial", "product_sku",
    "product_uuid", "product_version", "sys_vendor",
];

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    m.sys_names("class/dmi/id")?;
    for texts in m.attributes(&["class/dmi/id"], &FIELDS) {
        // The vendor is a label of the node's system; a field that is not there, or that only root may read, is no label.
        let labels: Vec<(&str, &str)> = FIELDS
            .iter()
            .zip(&texts)
            .filter_map(|(field, text)| Some((if *field == "sys_vendor" { "system_vendor" } else { field }, text.as_deref()?)))
            .collect();
        b.gauge("node_dmi_info", "A metric with a constant '1' value labeled by the fields of /sys/class/dmi/id if provided by DMI.")
            .sample(&labels, 1.0);
    }
    Ok(())
}
