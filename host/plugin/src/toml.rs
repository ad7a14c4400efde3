//! The TOML that would start a plugin.

use crate::grant::{Grants, toml_string};
use crate::manifest::Manifest;
use crate::plugin::Kind;

/// A config entry for a plugin that has none.
pub(crate) fn entry(manifest: &Manifest, kind: Kind, stem: &str) -> String {
    let table = match kind {
        Kind::Collector => "collector",
        Kind::Rule => "rule_plugin",
    };
    let mut lines = vec![
        format!("[[{table}]]"),
        format!("name = {}", toml_string(&manifest.name)),
        format!("plugin = {}", toml_string(stem)),
    ];
    if manifest.needs_targets {
        lines.push("targets = [\"HOST:PORT\"]".into());
    }
    let none = Grants::default();
    // With targets, what they bring needs no grant of its own.
    let wants = none.unsatisfied(manifest, manifest.needs_targets);
    let (needed, optional): (Vec<_>, Vec<_>) = wants.into_iter().partition(|m| !m.want.optional);
    if !needed.is_empty() {
        for missing in &needed {
            lines.push(format!("# {}: {}", missing.grant, missing.want.why.replace('\n', " ")));
        }
        lines.push(none.toml_line(&needed));
    }
    for missing in &optional {
        lines.push(format!("# optional, {}: {}", missing.grant, missing.want.why.replace('\n', " ")));
    }
    lines.join("\n") + "\n"
}
