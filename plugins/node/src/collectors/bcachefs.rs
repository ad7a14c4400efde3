//! bcachefs file systems (/sys/fs/bcachefs).

use crate::collectors::edac::numbered;
use crate::machine::{Machine, Memory};
use crate::text::float;
use watchglass_sdk::prelude::*;

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    for uuid in m.sys_names("fs/bcachefs")? {
        let dir = format!("fs/bcachefs/{uuid}");
        let set = ("uuid", uuid.as_str());
        b.gauge("node_bcachefs_info", "Filesystem information.").sample(&[set], 1.0);
        let texts = m.attributes(&[&dir], &["btree_cache_size", "compression_stats", "errors", "btree_write_stats"]);
        let text = |i: usize| texts.first().and_then(|t| t.get(i)?.as_deref()).unwrap_or("");
        if let Some(v) = size(text(0)) {
            b.gauge("node_bcachefs_btree_cache_size_bytes", "Btree cache memory usage in bytes.").sample(&[set], v);
        }
        // A title, then algorithm, compressed and uncompressed size.
        for words in lines(text(1)).skip(1) {
            let [algorithm, compressed, uncompressed, ..] = words.as_slice() else { continue };
            let labels = [set, ("algorithm", *algorithm)];
            for (name, help, v) in [
                ("compressed", "Compressed size by algorithm.", size(compressed)),
                ("uncompressed", "Uncompressed size by algorithm.", size(uncompressed)),
            ] {
                if let Some(v) = v {
                    b.gauge(&format!("node_bcachefs_compression_{name}_bytes"), help).sample(&labels, v);
                }
            }
        }
        for words in lines(text(2)) {
            if let [error, count, ..] = words.as_slice()
                && let Some(v) = float(count)
            {
                b.counter("node_bcachefs_errors_total", "Error count by error type.").sample(&[set, ("error_type", error)], v);
            }
        }
        for words in lines(text(3)).skip(1) {
            let [kind, count, average] = words.as_slice() else { continue };
            let labels = [set, ("type", kind.trim_end_matches(':'))];
            if let (Some(count), Some(average)) = (float(count), size(average)) {
                b.counter("node_bcachefs_btree_writes_total", "Number of btree writes by type.").sample(&labels, count);
                b.gauge("node_bcachefs_btree_write_average_size_bytes", "Average btree write size by type.").sample(&labels, average);
            }
        }
        for (name, text) in m.all_attributes(&[format!("{dir}/counters")]).into_iter().flatten() {
            let total = text.lines().find_map(|l| l.trim().strip_prefix("since filesystem creation:"));
            if let Some(v) = total.and_then(size) {
                b.counter(&format!("node_bcachefs_{name}_total"), &format!("Bcachefs counter {name} since filesystem creation.")).sample(&[set], v);
            }
        }
        devices(m, b, &dir, set);
    }
    Ok(())
}

fn devices(m: &Machine, b: &mut Batch, dir: &str, set: (&str, &str)) {
    let names = m.sys_names(dir).unwrap_or_default();
    let numbers: Vec<&str> = names.iter().filter_map(|n| numbered(n, "dev-")).collect();
    let dirs: Vec<String> = numbers.iter().map(|n| format!("{dir}/dev-{n}")).collect();
    let files = ["label", "state", "bucket_size", "nbuckets", "durability", "io_done", "io_errors"];
    for (number, texts) in numbers.iter().zip(m.attributes(&dirs, &files)) {
        let of = |i: usize| texts.get(i).and_then(|t| t.as_deref()).unwrap_or("");
        let device = ("device", *number);
        b.gauge("node_bcachefs_device_info", "Device information.").sample(&[set, device, ("label", of(0)), ("state", of(1))], 1.0);
        for (i, name, help) in [
            (2, "bucket_size_bytes", "Bucket size in bytes."),
            (3, "buckets", "Total number of buckets."),
            (4, "durability", "Device durability setting."),
        ] {
            if let Some(v) = size(of(i)) {
                b.gauge(&format!("node_bcachefs_device_{name}"), help).sample(&[set, device], v);
            }
        }
        let mut operation = "";
        for line in of(5).lines() {
            match line.split_once(':') {
                Some((op @ ("read" | "write"), "")) => operation = op,
                Some((kind, value)) if !operation.is_empty() => {
                    if let Some(v) = float(value) {
                        b.counter("node_bcachefs_device_io_done_bytes_total", "IO bytes by operation type and data type.")
                            .sample(&[set, device, ("operation", operation), ("data_type", kind.trim())], v);
                    }
                }
                _ => {}
            }
        }
        // The second part counts since some time only.
        for line in of(6).lines().skip(1).take_while(|l| !l.starts_with("IO errors")) {
            if let Some((kind, value)) = line.trim().split_once(':')
                && let Some(v) = float(value)
            {
                b.counter("node_bcachefs_device_io_errors_total", "IO errors by error type.").sample(&[set, device, ("type", kind)], v);
            }
        }
    }
}

fn lines(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().map(|l| l.split_ascii_whitespace().collect())
}

/// Reads a size printed for people, in whole bytes: `48.9G`.
fn size(text: &str) -> Option<f64> {
    let text = text.trim();
    let at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let exponent = match unit {
        "" => 0,
        "k" | "K" => 1,
        "M" => 2,
        "G" => 3,
        "T" => 4,
        "P" => 5,
        _ => return None,
    };
    Some((number.parse::<f64>().ok()? * 1024f64.powi(exponent)).trunc())
}
