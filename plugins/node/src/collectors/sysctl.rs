//! Kernel parameters that the operator names (/proc/sys).

use crate::machine::{Machine, Memory};
use crate::text::{junk, sanitize};
use watchglass_sdk::prelude::*;

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    for spec in m.options.list("sysctl", "include") {
        let (name, fields) = spec.split_once(':').map_or((spec, None), |(n, f)| (n, Some(f.split(',').collect::<Vec<_>>())));
        let text = read(m, name)?;
        let metric = format!("node_sysctl_{}", sanitize(name));
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let number = |w: &str| w.parse::<f64>().map_err(|_| junk(&text, name));
        match fields {
            Some(fields) if fields.len() != words.len() => {
                return Err(Error::BadConfig(format!("sysctl.include `{spec}`: {} fields named, {} found", fields.len(), words.len())));
            }
            Some(fields) => {
                for (index, (field, word)) in fields.iter().zip(&words).enumerate() {
                    b.untyped(&format!("{metric}_{}", sanitize(field)), &format!("sysctl {name}, field {index}")).value(number(word)?);
                }
            }
            None if words.len() == 1 => {
                b.untyped(&metric, &format!("sysctl {name}")).value(number(words[0])?);
            }
            None => {
                for (index, word) in words.iter().enumerate() {
                    b.untyped(&metric, &format!("sysctl {name}")).sample(&[("index", &index.to_string())], number(word)?);
                }
            }
        }
    }
    for name in m.options.list("sysctl", "include-info") {
        for (index, value) in read(m, name)?.split_ascii_whitespace().enumerate() {
            b.gauge("node_sysctl_info", "sysctl info").sample(&[("name", name), ("value", value), ("index", &index.to_string())], 1.0);
        }
    }
    Ok(())
}

/// `kernel.threads-max` lies at sys/kernel/threads-max; nothing else may be reached by a name.
fn read(m: &Machine, name: &str) -> Result<String, Error> {
    if name.split('.').any(str::is_empty) || name.contains("..") {
        return Err(Error::BadConfig(format!("`{name}` is no sysctl")));
    }
    m.proc_text(&format!("sys/{}", name.replace('.', "/")))
}
