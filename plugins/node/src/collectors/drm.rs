//! Graphics cards of AMD (/sys/class/drm; kernel documentation, gpu/amdgpu).

use crate::collectors::edac::numbered;
use crate::columns::{self, Column};
use crate::machine::{Machine, Memory};
use watchglass_sdk::prelude::*;

const COLUMNS: [Column; 7] = [
    ("device/gpu_busy_percent", "drm_gpu_busy_percent", Kind::Gauge, 1.0, "How busy the GPU is as a percentage."),
    ("device/mem_info_gtt_total", "drm_memory_gtt_size_bytes", Kind::Gauge, 1.0, "The size of the graphics translation table (GTT) block in bytes."),
    ("device/mem_info_gtt_used", "drm_memory_gtt_used_bytes", Kind::Gauge, 1.0, "The used amount of the graphics translation table (GTT) block in bytes."),
    ("device/mem_info_vis_vram_total", "drm_memory_visible_vram_size_bytes", Kind::Gauge, 1.0, "The size of visible VRAM in bytes."),
    ("device/mem_info_vis_vram_used", "drm_memory_visible_vram_used_bytes", Kind::Gauge, 1.0, "The used amount of visible VRAM in bytes."),
    ("device/mem_info_vram_total", "drm_memory_vram_size_bytes", Kind::Gauge, 1.0, "The size of VRAM in bytes."),
    ("device/mem_info_vram_used", "drm_memory_vram_used_bytes", Kind::Gauge, 1.0, "The used amount of VRAM in bytes."),
];

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let names = m.sys_names_if_any("class/drm")?;
    let cards: Vec<&String> = names.iter().filter(|n| numbered(n, "card").is_some()).collect();
    let dirs: Vec<String> = cards.iter().map(|c| format!("class/drm/{c}")).collect();
    let mut files = columns::files(&COLUMNS);
    files.extend(["device/mem_info_vram_vendor", "device/power_dpm_force_performance_level", "device/unique_id"]);
    for (card, texts) in cards.iter().zip(m.attributes(&dirs, &files)) {
        // Other makers' cards have none of these files.
        if texts[0].is_none() {
            continue;
        }
        let label = ("card", card.as_str());
        columns::put(b, &COLUMNS, &texts, &[label]);
        let of = |i: usize| texts.get(COLUMNS.len() + i).and_then(|t| t.as_deref()).unwrap_or("");
        let labels = [label, ("memory_vendor", of(0)), ("power_performance_level", of(1)), ("unique_id", of(2)), ("vendor", "amd")];
        b.gauge("node_drm_card_info", "Card information").sample(&labels, 1.0);
    }
    Ok(())
}
