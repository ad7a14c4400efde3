//! Expositions made comparable: by family, labels in order, what no comparison can hold left out.
#![allow(dead_code, reason = "each test uses its part")]

use std::collections::BTreeMap;

/// A family: its type under `# TYPE`, and its series with their values.
pub(crate) type Family = BTreeMap<String, String>;

/// Families by name.
pub(crate) type Families = BTreeMap<String, Family>;

/// Reads a text exposition, without the families that `skipped` names.
pub(crate) fn comparable(text: &str, skipped: impl Fn(&str) -> bool) -> Families {
    let mut types: BTreeMap<&str, &str> = BTreeMap::new();
    let mut families = Families::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            types.insert(name, kind);
            continue;
        }
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        let name = series.split('{').next().unwrap();
        if skipped(name) {
            continue;
        }
        let family = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|s| name.strip_suffix(s).filter(|n| types.contains_key(n)))
            .unwrap_or(name);
        let value: f64 = value.replace("+Inf", "inf").parse().unwrap();
        let entry = families.entry(family.to_owned()).or_default();
        entry.insert("# TYPE".to_owned(), types.get(family).unwrap_or(&"untyped").to_string());
        entry.insert(sorted(series), format!("{value:?}"));
    }
    families
}

/// Puts labels in order and leaves out the empty ones, which are none.
fn sorted(series: &str) -> String {
    let Some((name, labels)) = series.split_once('{') else { return series.to_owned() };
    let labels = labels.strip_suffix('}').unwrap();
    let mut pairs = Vec::new();
    let (mut start, mut quoted, mut escaped) = (0, false, false);
    for (i, c) in labels.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                pairs.push(&labels[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    pairs.push(&labels[start..]);
    pairs.retain(|p| !p.ends_with("=\"\"") && !p.is_empty());
    let mut pairs: Vec<String> = pairs.into_iter().map(bound).collect();
    pairs.sort_unstable();
    if pairs.is_empty() { name.to_owned() } else { format!("{name}{{{}}}", pairs.join(",")) }
}

/// Bounds are numbers, however they are written.
fn bound(pair: &str) -> String {
    let number = |text: &str| text.trim_matches('"').replace("+Inf", "inf").parse::<f64>();
    match pair.split_once('=').map(|(name, value)| (name, number(value))) {
        Some((name @ ("le" | "quantile"), Ok(bound))) => format!("{name}=\"{bound:?}\""),
        _ => pair.to_owned(),
    }
}

/// The families in which the two differ, with the lines: `-` expected and missing, `+` ours alone, `!` another value.
pub(crate) fn diff(ours: &Families, theirs: &Families) -> BTreeMap<String, Vec<String>> {
    let empty = BTreeMap::new();
    let mut out = BTreeMap::new();
    for name in ours.keys().chain(theirs.keys()) {
        let (a, b) = (ours.get(name).unwrap_or(&empty), theirs.get(name).unwrap_or(&empty));
        let mut lines = Vec::new();
        for (series, value) in b {
            match a.get(series) {
                Some(v) if v == value => {}
                Some(v) => lines.push(format!("! {series}: ours {v}, expected {value}")),
                None => lines.push(format!("- {series} {value}")),
            }
        }
        lines.extend(a.iter().filter(|(s, _)| !b.contains_key(*s)).map(|(s, v)| format!("+ {s} {v}")));
        if !lines.is_empty() {
            out.insert(name.clone(), lines);
        }
    }
    out
}
