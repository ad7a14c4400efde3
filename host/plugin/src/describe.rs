//! Checks what a plugin says of itself.

use std::time::Duration;

use crate::bindings::wit::meta::{Capability as WitCapability, Instance as WitInstance};
use crate::convert::metric_type;
use crate::grant::Grant;
use crate::load::{Checked, RawManifest};
use crate::manifest::{Capability, DeclaredFamily, InstancePolicy, Manifest, Want};
use crate::schema;

/// Wants, and families, of one plugin.
const MAX_ITEMS: usize = 10_000;

/// Longest text, bytes.
const MAX_TEXT: usize = 2_000;

/// Longest schema, bytes.
const MAX_SCHEMA: usize = 1 << 20;

/// Most memory that a manifest may ask for, MiB; an operator may give more.
const MAX_MEMORY: u32 = 512;

/// The manifest, or what is wrong with it.
pub(crate) fn checked(raw: RawManifest) -> Checked {
    check_name(&raw.name)?;
    for (what, text) in [("version", &raw.version), ("summary", &raw.summary)] {
        check_text(what, text)?;
    }
    if raw.wants.len() > MAX_ITEMS || raw.families.len() > MAX_ITEMS {
        return Err(format!("more than {MAX_ITEMS} wants or families"));
    }
    if raw.config_schema.len() > MAX_SCHEMA {
        return Err(format!("config-schema has more than {MAX_SCHEMA} bytes"));
    }
    schema::parse(&raw.config_schema).map_err(|e| format!("config-schema is no JSON Schema: {e}"))?;
    if raw.memory_mib > MAX_MEMORY {
        return Err(format!("memory-mib is {}, allowed are {MAX_MEMORY} at most", raw.memory_mib));
    }
    let millis = |ms: u32| (ms > 0).then(|| Duration::from_millis(u64::from(ms)));
    let mut wants = Vec::with_capacity(raw.wants.len());
    for want in raw.wants {
        let what = capability(want.what);
        check_text("why of a want", &want.why)?;
        if !want.suggested.is_empty() {
            // It goes into the TOML that the operator is shown: only what is a grant may stand there.
            let text = format!("{what}:{}", want.suggested);
            text.parse::<Grant>().map_err(|e| format!("suggested want: {e}"))?;
        }
        wants.push(Want { what, suggested: want.suggested, why: want.why, optional: want.optional });
    }
    let mut families = Vec::with_capacity(raw.families.len());
    for family in raw.families {
        check_text("name of a family", &family.name)?;
        check_text("unit of a family", &family.unit)?;
        if family.name.is_empty() || family.label_names.len() > 128 {
            return Err(format!("family {:?} has no name, or more than 128 labels", family.name));
        }
        families.push(DeclaredFamily {
            name: family.name,
            kind: metric_type(family.kind),
            unit: family.unit,
            help: crate::convert::cut(&family.help, MAX_TEXT).to_owned(),
            label_names: family.label_names,
            more_labels: family.more_labels,
        });
    }
    Ok(Manifest {
        name: raw.name,
        version: raw.version,
        summary: raw.summary,
        interval: millis(raw.interval_ms),
        timeout: millis(raw.timeout_ms),
        memory_bytes: (raw.memory_mib > 0).then(|| u64::from(raw.memory_mib) << 20),
        needs_targets: raw.needs_targets,
        instance: match raw.instance {
            WitInstance::PerTarget => InstancePolicy::PerTarget,
            WitInstance::Shared => InstancePolicy::Shared,
            WitInstance::Fresh => InstancePolicy::Fresh,
        },
        config_schema: raw.config_schema,
        wants,
        families,
        other_families: raw.other_families,
    })
}

fn check_name(name: &str) -> Result<(), String> {
    let ok = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if name.len() <= 64 && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(ok) {
        return Ok(());
    }
    let shown: String = name.chars().take(64).collect();
    Err(format!("name {shown:?}: allowed are a small letter, then small letters, digits, '-' and '_', 64 at most"))
}

fn check_text(what: &str, text: &str) -> Result<(), String> {
    if text.len() > MAX_TEXT || text.chars().any(|c| c.is_control()) {
        return Err(format!("{what} is longer than {MAX_TEXT} bytes, or has control characters"));
    }
    Ok(())
}

fn capability(what: WitCapability) -> Capability {
    match what {
        WitCapability::Files => Capability::Files,
        WitCapability::System => Capability::System,
        WitCapability::Tcp => Capability::Tcp,
        WitCapability::Udp => Capability::Udp,
        WitCapability::Unix => Capability::Unix,
        WitCapability::Http => Capability::Http,
        WitCapability::Icmp => Capability::Icmp,
        WitCapability::Dns => Capability::Dns,
        WitCapability::Secret => Capability::Secret,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::wit::meta::Want as WitWant;

    fn sound() -> RawManifest {
        RawManifest {
            name: "node".into(),
            version: "1".into(),
            summary: "x".into(),
            interval_ms: 0,
            timeout_ms: 100,
            memory_mib: 8,
            needs_targets: false,
            instance: WitInstance::Fresh,
            config_schema: String::new(),
            wants: vec![WitWant {
                what: WitCapability::Files,
                suggested: "/proc".into(),
                why: "cpu".into(),
                optional: false,
            }],
            families: Vec::new(),
            other_families: true,
        }
    }

    #[test]
    fn a_sound_one_is_taken() {
        let manifest = checked(sound());
        assert!(manifest.is_ok_and(|m| m.memory_bytes == Some(8 << 20) && m.interval.is_none() && m.wants.len() == 1));
    }

    #[test]
    fn lies_are_found() {
        type Lie = fn(&mut RawManifest);
        let lies: [(&str, Lie); 7] = [
            ("name \"\"", |m| m.name.clear()),
            ("name \"A b\"", |m| m.name = "A b".into()),
            ("summary is longer", |m| m.summary = "x".repeat(5_000)),
            ("version is longer", |m| m.version = "1\n2".into()),
            ("no JSON Schema", |m| m.config_schema = "{".into()),
            ("no JSON object", |m| m.config_schema = "3".into()),
            ("not absolute", |m| m.wants[0].suggested = "proc\"]\nx = [\"".into()),
        ];
        for (expected, lie) in lies {
            let mut manifest = sound();
            lie(&mut manifest);
            let told = checked(manifest).unwrap_err();
            assert!(told.contains(expected) || told.contains("control characters"), "{expected}: {told}");
        }
    }
}
