//! Metrics that scripts leave in files: `*.prom` in the folders the operator names (text format 0.0.4).

mod glob;
mod parse;

use crate::machine::{Machine, Memory};
use parse::{Family, parse};
use std::collections::BTreeMap;
use watchglass_sdk::prelude::*;

/// The longest file that is read.
const MAX: u32 = 16 << 20;

/// Collects. A file that can't be read as metrics is left out whole, and `node_textfile_scrape_error` is 1.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let mut failed = false;
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    for dir in m.options.list("textfile", "directory").into_iter().flat_map(|d| glob::expand(m.files, d)) {
        let names = match m.files.list_dir(&dir) {
            Ok(entries) => entries.into_iter().map(|e| e.name).filter(|n| n.ends_with(".prom")).collect::<Vec<_>>(),
            Err(e) => {
                log::warn(&format!("textfile: cannot list {dir}: {}", e.message()));
                failed = true;
                continue;
            }
        };
        let paths: Vec<String> = names.iter().map(|n| format!("{dir}/{n}")).collect();
        for (path, bytes) in paths.iter().zip(m.files.read_many(&paths, MAX)) {
            let read = bytes.map_err(|e| e.message()).and_then(|b| parse(&watchglass_sdk::files::into_text(b)));
            if let (Ok(_), Ok(stat)) = (&read, m.files.metadata(path)) {
                b.gauge("node_textfile_mtime_seconds", "Unixtime mtime of textfiles successfully read.")
                    .sample(&[("file", path)], stat.modified as f64 / 1e3);
            }
            if let Err(why) = read.and_then(|new| merge(&mut families, new, path)) {
                log::warn(&format!("textfile: {path}: {why}"));
                failed = true;
            }
        }
    }
    for (name, family) in &families {
        family.put(b, name);
    }
    b.gauge("node_textfile_scrape_error", "1 if there was an error opening or reading a file, 0 otherwise").value(f64::from(failed));
    Ok(())
}

/// Joins a file's families to those of other files. A family must have one kind and one help text in all of them: one that has another
/// is left out of this file, and is an error.
fn merge(all: &mut BTreeMap<String, Family>, new: BTreeMap<String, Family>, path: &str) -> Result<(), String> {
    let mut wrong = Vec::new();
    for (name, mut family) in new {
        let Some(old) = all.get_mut(&name) else {
            family.files.push(path.to_owned());
            all.insert(name, family);
            continue;
        };
        if old.kind != family.kind {
            wrong.push(format!("{name} is a {:?} here and a {:?} in another file", family.kind, old.kind));
        } else if !family.help.is_empty() && old.help != family.help {
            wrong.push(format!("{name} has another help text in another file"));
        } else {
            old.samples.append(&mut family.samples);
            old.files.push(path.to_owned());
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
}
