//! Memory errors (/sys/devices/system/edac/mc).

use crate::machine::{Machine, Memory};
use crate::text::integer;
use watchglass_sdk::prelude::*;

const BASE: &str = "devices/system/edac/mc";

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let names = match m.sys_names(BASE) {
        Err(Error::NotFound(_)) => return Ok(()),
        other => other?,
    };
    let controllers: Vec<&str> = names.iter().filter_map(|n| numbered(n, "mc")).collect();
    for controller in controllers {
        let dir = format!("{BASE}/mc{controller}");
        let texts = m.attributes(&[&dir], &["ce_count", "ce_noinfo_count", "ue_count", "ue_noinfo_count"]);
        let value = |i: usize| texts.first().and_then(|t| t.get(i)?.as_deref()).and_then(integer);
        let total = [("controller", controller)];
        let unknown = [("controller", controller), ("csrow", "unknown")];
        put(b, "correctable", &total, value(0));
        put(b, "csrow_correctable", &unknown, value(1));
        put(b, "uncorrectable", &total, value(2));
        put(b, "csrow_uncorrectable", &unknown, value(3));
        let names = m.sys_names(&dir).unwrap_or_default();
        let rows: Vec<&str> = names.iter().filter_map(|n| numbered(n, "csrow")).collect();
        let dirs: Vec<String> = rows.iter().map(|r| format!("{dir}/csrow{r}")).collect();
        for (row, texts) in rows.iter().zip(m.attributes(&dirs, &["ce_count", "ue_count"])) {
            let labels = [("controller", controller), ("csrow", row)];
            put(b, "csrow_correctable", &labels, texts[0].as_deref().and_then(integer));
            put(b, "csrow_uncorrectable", &labels, texts[1].as_deref().and_then(integer));
        }
        for (row, dir) in rows.iter().zip(&dirs) {
            channels(m, b, dir, [("controller", controller), ("csrow", row)]);
        }
    }
    Ok(())
}

/// The channels of a row: `ch0_ce_count`, `ch0_ue_count`, and the label that names the memory module, where the board's maker gave one.
fn channels(m: &Machine, b: &mut Batch, dir: &str, row: [(&str, &str); 2]) {
    let names = m.sys_names(dir).unwrap_or_default();
    let found = |n: &str| n.strip_prefix("ch")?.strip_suffix("_ce_count").and_then(|n| numbered(n, "")).map(str::to_owned);
    let channels: Vec<String> = names.iter().filter_map(|n| found(n)).collect();
    for channel in &channels {
        let files = ["ce_count", "ue_count", "dimm_label"].map(|f| format!("ch{channel}_{f}"));
        let texts = m.attributes(&[dir], &files.each_ref().map(String::as_str)).into_iter().next().unwrap_or_default();
        let text = |i: usize| texts.get(i).and_then(|t| t.as_deref());
        let labels = [row[0], row[1], ("channel", channel.as_str()), ("dimm_label", text(2).unwrap_or(""))];
        put(b, "channel_correctable", &labels, text(0).and_then(integer));
        put(b, "channel_uncorrectable", &labels, text(1).and_then(integer));
    }
}

fn put(b: &mut Batch, what: &str, labels: &[(&str, &str)], value: Option<f64>) {
    let Some(value) = value else { return };
    let help = match what {
        "correctable" => "Total correctable memory errors.",
        "uncorrectable" => "Total uncorrectable memory errors.",
        "csrow_correctable" => "Total correctable memory errors for this csrow.",
        "csrow_uncorrectable" => "Total uncorrectable memory errors for this csrow.",
        "channel_correctable" => "Total correctable memory errors for this channel.",
        _ => "Total uncorrectable memory errors for this channel.",
    };
    b.counter(&format!("node_edac_{what}_errors_total"), help).sample(labels, value);
}

/// Gives the digits of `mc0` and its like.
pub(crate) fn numbered<'a>(name: &'a str, prefix: &str) -> Option<&'a str> {
    name.strip_prefix(prefix).filter(|n| !n.is_empty() && n.bytes().all(|c| c.is_ascii_digit()))
}
