//! The text format 0.0.4, as Prometheus' documentation of exposition formats has it.

use std::collections::BTreeMap;
use watchglass_sdk::prelude::*;

/// One sample line.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sample {
    /// What follows the family's name: nothing, `_bucket`, `_sum` or `_count`.
    suffix: &'static str,
    labels: Vec<(String, String)>,
    value: f64,
}

/// A family of a file.
#[derive(Clone, Debug)]
pub(super) struct Family {
    pub(super) kind: Kind,
    /// What the file says of it; empty: nothing.
    pub(super) help: String,
    pub(super) samples: Vec<Sample>,
    /// Where it stands.
    pub(super) files: Vec<String>,
}

/// Reads a file; the error names the line. Samples may not have a time of their own.
pub(super) fn parse(text: &str) -> Result<BTreeMap<String, Family>, String> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        let place = |why: String| format!("line {}: {why}", number + 1);
        if let Some(comment) = line.strip_prefix('#') {
            let mut words = comment.trim_start().splitn(3, [' ', '\t']);
            let (Some(what @ ("HELP" | "TYPE")), Some(name)) = (words.next(), words.next()) else { continue };
            let rest = words.next().unwrap_or("").trim();
            let family = entry(&mut families, name);
            if what == "HELP" {
                family.help = rest.replace("\\n", "\n").replace("\\\\", "\\");
                continue;
            }
            if !family.samples.is_empty() {
                return Err(place(format!("the type of {name} stands behind its samples")));
            }
            family.kind = match rest {
                "counter" => Kind::Counter,
                "gauge" => Kind::Gauge,
                "histogram" => Kind::Histogram,
                "summary" => Kind::Summary,
                "untyped" => Kind::Untyped,
                other => return Err(place(format!("`{other}` is no type"))),
            };
            continue;
        }
        if line.is_empty() {
            continue;
        }
        let (name, labels, value) = sample(line).map_err(place)?;
        let (family, suffix) = base(&families, &name);
        entry(&mut families, &family).samples.push(Sample { suffix, labels, value });
    }
    families.retain(|_, f| !f.samples.is_empty());
    Ok(families)
}

fn entry<'f>(families: &'f mut BTreeMap<String, Family>, name: &str) -> &'f mut Family {
    families.entry(name.to_owned()).or_insert_with(|| Family { kind: Kind::Untyped, help: String::new(), samples: Vec::new(), files: Vec::new() })
}

/// Finds the histogram or summary that a line belongs to.
fn base(families: &BTreeMap<String, Family>, name: &str) -> (String, &'static str) {
    for suffix in ["_bucket", "_sum", "_count"] {
        let Some(base) = name.strip_suffix(suffix) else { continue };
        match families.get(base).map(|f| f.kind) {
            Some(Kind::Histogram) => return (base.to_owned(), suffix),
            Some(Kind::Summary) if suffix != "_bucket" => return (base.to_owned(), suffix),
            _ => {}
        }
    }
    (name.to_owned(), "")
}

/// A histogram or summary: labels, sum, count, buckets or quantiles.
type Group<'f> = (Vec<(&'f str, &'f str)>, f64, f64, Vec<(f64, f64)>);

type Line = (String, Vec<(String, String)>, f64);

fn sample(line: &str) -> Result<Line, String> {
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':')).unwrap_or(line.len());
    let (name, mut rest) = line.split_at(end);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(format!("`{}` begins with no metric name", line.chars().take(40).collect::<String>()));
    }
    let mut labels = Vec::new();
    rest = rest.trim_start();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner.trim_start();
        loop {
            if let Some(after) = rest.strip_prefix('}') {
                rest = after;
                break;
            }
            let (label, after) = rest.split_once('=').ok_or("a label has no value")?;
            let (value, after) = quoted(after.trim_start())?;
            labels.push((label.trim().to_owned(), value));
            rest = after.trim_start();
            rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
        }
    }
    let mut words = rest.split_ascii_whitespace();
    let text = words.next().ok_or("there is no value")?;
    let value = match text {
        "+Inf" | "Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        text => text.parse().map_err(|_| format!("`{text}` is no number"))?,
    };
    if words.next().is_some() {
        return Err("a sample with a time of its own is not allowed here".to_owned());
    }
    Ok((name.to_owned(), labels, value))
}

/// Reads a quoted value; gives it and what follows.
fn quoted(text: &str) -> Result<(String, &str), String> {
    let inner = text.strip_prefix('"').ok_or("a label's value is not quoted")?;
    let mut value = String::new();
    let mut chars = inner.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, &inner[at + 1..])),
            '\\' => match chars.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, c)) => value.push(c),
                None => break,
            },
            c => value.push(c),
        }
    }
    Err("a label's value does not end".to_owned())
}

impl Family {
    /// Puts the family into a batch.
    pub(super) fn put(&self, b: &mut Batch, name: &str) {
        let help = if self.help.is_empty() { format!("Metric read from {}", self.files.join(", ")) } else { self.help.clone() };
        if !matches!(self.kind, Kind::Histogram | Kind::Summary) {
            let mut family = b.family(name, self.kind, &help);
            for s in &self.samples {
                let labels: Vec<(&str, &str)> = s.labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
                family.sample(&labels, s.value);
            }
            return;
        }
        let bound = if self.kind == Kind::Histogram { "le" } else { "quantile" };
        // One histogram for each set of the other labels.
        let mut groups: Vec<Group> = Vec::new();
        for s in &self.samples {
            let labels: Vec<(&str, &str)> = s.labels.iter().filter(|l| l.0 != bound).map(|(n, v)| (n.as_str(), v.as_str())).collect();
            let at = groups.iter().position(|g| g.0 == labels).unwrap_or_else(|| {
                groups.push((labels, 0.0, 0.0, Vec::new()));
                groups.len() - 1
            });
            let group = &mut groups[at];
            match s.suffix {
                "_sum" => group.1 = s.value,
                "_count" => group.2 = s.value,
                _ => {
                    let limit = s.labels.iter().find(|l| l.0 == bound).map_or("", |l| l.1.as_str());
                    let limit = if limit == "+Inf" { Some(f64::INFINITY) } else { limit.parse().ok() };
                    group.3.extend(limit.map(|l| (l, s.value)));
                }
            }
        }
        for (labels, sum, count, pairs) in groups {
            match self.kind {
                Kind::Histogram => b.histogram(name, &help, &labels, sum, count, &pairs),
                _ => b.summary(name, &help, &labels, sum, count, &pairs),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read() {
        let text = "# HELP a what\\nit is\n# TYPE a counter\na{x=\"1\",y=\"\\\"q\\\"\"} 3\n# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 4\nh_sum 3.5\nh_count 4\nplain 1e3\n";
        let families = parse(text).unwrap();
        let mut b = Batch::new();
        for (name, f) in &families {
            f.put(&mut b, name);
        }
        let out = b.to_text();
        for line in ["a{x=\"1\",y=\"\\\"q\\\"\"} 3\n", "h_bucket{le=\"1\"} 2\n", "h_bucket{le=\"+Inf\"} 4\n", "h_count 4\n", "# TYPE plain untyped\nplain 1000\n"] {
            assert!(out.contains(line), "{line} missing in\n{out}");
        }
    }

    #[test]
    fn junk_is_refused_with_its_line() {
        for (text, part) in [
            ("ok 1\na{x=1} 2", "line 2: a label's value is not quoted"),
            ("a{x=\"1} 2", "does not end"),
            ("a 1 1600000000", "time of its own"),
            ("a x", "`x` is no number"),
            ("7a 1", "begins with no metric name"),
            ("a", "there is no value"),
            ("# TYPE a bogus", "`bogus` is no type"),
            ("a 1\n# TYPE a gauge", "behind its samples"),
        ] {
            let e = parse(text).unwrap_err();
            assert!(e.contains(part), "{text}: {e}");
        }
    }
}
