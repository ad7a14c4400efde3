//! Writing families: for `/metrics`, `/federate` and what a plugin's run prints.

use std::fmt::{self, Write};

use crate::labels::{is_legacy_label_name, is_legacy_metric_name};
use crate::number::{GoFloat, OpenMetricsFloat};
use crate::{Labels, METRIC_NAME, MetricType, Sample, SampleBatch, TimeMs, Value};

/// The content type of what [`write_text`] writes.
pub const TEXT_CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8; escaping=allow-utf-8";

/// The content type of what [`write_openmetrics`] writes.
pub const OPENMETRICS_CONTENT_TYPE: &str =
    "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8";

/// A family with its samples.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Family {
    /// Name, as in `# TYPE`: of a counter with its `_total`, as the classic format has it; OpenMetrics gets it without.
    pub name: String,
    /// Type.
    pub kind: MetricType,
    /// Help text; empty where there is none.
    pub help: String,
    /// Unit; empty where there is none.
    pub unit: String,
    /// Samples.
    pub samples: Vec<FamilySample>,
}

/// A sample of a family.
#[derive(Clone, Debug, PartialEq)]
pub struct FamilySample {
    /// The series, metric name included (`http_seconds_bucket`).
    pub labels: Labels,
    /// Value. A native histogram has no place in the text formats and is left out.
    pub value: Value,
    /// A time of its own, where it has one.
    pub t: Option<TimeMs>,
}

impl Family {
    /// A family without samples.
    pub fn new(name: &str, kind: MetricType, help: &str) -> Family {
        Family { name: name.to_owned(), kind, help: help.to_owned(), ..Family::default() }
    }

    /// Adds a float sample under the family's name with a suffix (`_bucket`, `_sum`; empty for none).
    pub fn push<N: AsRef<str>, V: AsRef<str>>(
        &mut self,
        suffix: &str,
        labels: impl IntoIterator<Item = (N, V)>,
        value: f64,
    ) -> &mut Family {
        let name = format!("{}{suffix}", self.name);
        let pairs: Vec<(String, String)> =
            labels.into_iter().map(|(n, v)| (n.as_ref().to_owned(), v.as_ref().to_owned())).collect();
        let labels = Labels::from_pairs(pairs).with(METRIC_NAME, &name);
        self.samples.push(FamilySample { labels, value: Value::Float(value), t: None });
        self
    }

    /// The families of a batch, in the order of their first samples. A sample belongs to the family whose name it bears, with a
    /// suffix that its type allows; without metadata to its own name. `default_time` is the time that needs no writing.
    pub fn from_batch(batch: &SampleBatch, default_time: TimeMs) -> Vec<Family> {
        let metadata: std::collections::HashMap<&str, &crate::MetricMetadata> =
            batch.metadata.iter().map(|m| (m.name.as_str(), m)).collect();
        let mut families: Vec<Family> = Vec::new();
        let mut places: std::collections::HashMap<String, usize> = std::collections::HashMap::new();
        for Sample { labels, t, value } in &batch.samples {
            let name = labels.metric_name();
            let known = metadata.get(name).copied().or_else(|| {
                let suffixes = ["_bucket", "_count", "_sum", "_total", "_created", "_info", "_gcount", "_gsum"];
                let of = |suffix: &&str| {
                    metadata.get(name.strip_suffix(suffix)?).copied().filter(|m| allows(m.kind, suffix))
                };
                suffixes.iter().find_map(of)
            });
            let family_name = known.map_or(name, |m| m.name.as_str());
            let place = *places.entry(family_name.to_owned()).or_insert_with(|| {
                let mut family = Family::new(family_name, MetricType::Unknown, "");
                if let Some(m) = known {
                    (family.kind, family.help, family.unit) = (m.kind, m.help.clone(), m.unit.clone());
                }
                families.push(family);
                families.len() - 1
            });
            families[place].samples.push(FamilySample {
                labels: labels.clone(),
                value: value.clone(),
                t: Some(*t).filter(|t| *t != default_time),
            });
        }
        families
    }
}

fn allows(kind: MetricType, suffix: &str) -> bool {
    match kind {
        MetricType::Counter => matches!(suffix, "_total" | "_created"),
        MetricType::Histogram => matches!(suffix, "_bucket" | "_count" | "_sum" | "_created"),
        MetricType::Summary => matches!(suffix, "_count" | "_sum" | "_created"),
        MetricType::GaugeHistogram => matches!(suffix, "_bucket" | "_gcount" | "_gsum"),
        MetricType::Info => suffix == "_info",
        MetricType::Unknown | MetricType::Gauge | MetricType::StateSet => false,
    }
}

/// Writes the text format 0.0.4, with names that are no identifiers in quotes as version 1.0.0 has it.
pub fn write_text(families: &[Family]) -> String {
    let mut out = String::new();
    for family in families {
        let name = name_text(&family.name);
        if !family.help.is_empty() {
            let _ = writeln!(out, "# HELP {name} {}", Escaped(&family.help, false));
        }
        let kind = match family.kind {
            MetricType::Counter => "counter",
            MetricType::Gauge | MetricType::Info | MetricType::StateSet => "gauge",
            MetricType::Histogram => "histogram",
            MetricType::Summary => "summary",
            MetricType::Unknown | MetricType::GaugeHistogram => "untyped",
        };
        let _ = writeln!(out, "# TYPE {name} {kind}");
        for sample in &family.samples {
            let Value::Float(value) = sample.value else { continue };
            write_series(&mut out, &sample.labels, sample.labels.metric_name());
            let _ = write!(out, " {}", GoFloat(value));
            if let Some(t) = sample.t {
                let _ = write!(out, " {t}");
            }
            out.push('\n');
        }
    }
    out
}

/// Writes OpenMetrics 1.0, `# EOF` included.
pub fn write_openmetrics(families: &[Family]) -> String {
    let mut out = String::new();
    for family in families {
        let base = match family.kind {
            MetricType::Counter => family.name.strip_suffix("_total").unwrap_or(&family.name),
            MetricType::Info => family.name.strip_suffix("_info").unwrap_or(&family.name),
            _ => &family.name,
        };
        let name = name_text(base);
        if !family.help.is_empty() {
            let _ = writeln!(out, "# HELP {name} {}", Escaped(&family.help, true));
        }
        let _ = writeln!(out, "# TYPE {name} {}", family.kind.as_str());
        let has_unit =
            base.strip_suffix(family.unit.as_str()).is_some_and(|front| front.ends_with('_') && front.len() > 1);
        if !family.unit.is_empty() && has_unit {
            let _ = writeln!(out, "# UNIT {name} {}", family.unit);
        }
        for sample in &family.samples {
            let Value::Float(value) = sample.value else { continue };
            let own = sample.labels.metric_name();
            let suffix = match family.kind {
                MetricType::Counter if own == base => "_total",
                MetricType::Info if own == base => "_info",
                _ => "",
            };
            write_series(&mut out, &sample.labels, &format!("{own}{suffix}"));
            let _ = write!(out, " {}", OpenMetricsFloat(value));
            if let Some(t) = sample.t {
                let _ = write!(out, " {}", GoSeconds(t));
            }
            out.push('\n');
        }
    }
    out.push_str("# EOF\n");
    out
}

fn name_text(name: &str) -> String {
    if is_legacy_metric_name(name) { name.to_owned() } else { format!("\"{}\"", Escaped(name, true)) }
}

/// Name and labels: `name{a="b"}`, or `{"my.name",a="b"}` where the name is no identifier.
fn write_series(out: &mut String, labels: &Labels, name: &str) {
    let plain = is_legacy_metric_name(name);
    let mut separator = "{";
    if plain {
        out.push_str(name);
    } else {
        let _ = write!(out, "{{\"{}\"", Escaped(name, true));
        separator = ",";
    }
    for (label, value) in labels.iter().filter(|(n, _)| *n != METRIC_NAME) {
        out.push_str(separator);
        separator = ",";
        let _ = match is_legacy_label_name(label) {
            true => write!(out, "{label}=\"{}\"", Escaped(value, true)),
            false => write!(out, "\"{}\"=\"{}\"", Escaped(label, true), Escaped(value, true)),
        };
    }
    if separator == "," {
        out.push('}');
    }
}

/// A text with `\\`, `\n` and, where the flag is set, `\"`.
struct Escaped<'a>(&'a str, bool);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(['\\', '\n', '"']) {
            f.write_str(&rest[..at])?;
            match &rest[at..at + 1] {
                "\\" => f.write_str("\\\\")?,
                "\n" => f.write_str("\\n")?,
                _ if self.1 => f.write_str("\\\"")?,
                quote => f.write_str(quote)?,
            }
            rest = &rest[at + 1..];
        }
        f.write_str(rest)
    }
}

/// Milliseconds as seconds with up to three decimals.
struct GoSeconds(TimeMs);

impl fmt::Display for GoSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, millis) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        write!(f, "{sign}{}.{:03}", millis / 1000, millis % 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exposition::{Format, check_openmetrics, parse_exposition, parse_exposition_with};

    fn families() -> Vec<Family> {
        let mut requests = Family::new("requests_total", MetricType::Counter, "Requests.\nBy \"path\" \\ code.");
        requests.push("", [("path", "/a\"b\\c\nd"), ("code", "200")], 1e6).push("", [("path", "/")], 3.0);
        requests.samples[1].t = Some(1_500);
        let mut seconds = Family::new("http_seconds", MetricType::Histogram, "");
        seconds.unit = "seconds".to_owned();
        seconds.push("_bucket", [("le", "0.5")], 1.0).push("_bucket", [("le", "+Inf")], 2.0);
        seconds.push("_sum", [("", ""); 0], 0.75).push("_count", [("", ""); 0], 2.0);
        let mut odd = Family::new("my.metric", MetricType::Gauge, "Odd.");
        odd.push("", [("a.b", "ü")], f64::NEG_INFINITY);
        vec![requests, seconds, odd]
    }

    #[test]
    fn text() {
        let expected = r#"# HELP requests_total Requests.\nBy "path" \\ code.
# TYPE requests_total counter
requests_total{code="200",path="/a\"b\\c\nd"} 1e+06
requests_total{path="/"} 3 1500
# TYPE http_seconds histogram
http_seconds_bucket{le="0.5"} 1
http_seconds_bucket{le="+Inf"} 2
http_seconds_sum 0.75
http_seconds_count 2
# HELP "my.metric" Odd.
# TYPE "my.metric" gauge
{"my.metric","a.b"="ü"} -Inf
"#;
        assert_eq!(write_text(&families()), expected);
    }

    #[test]
    fn openmetrics() {
        let written = write_openmetrics(&families());
        assert!(written.starts_with(r#"# HELP requests Requests.\nBy \"path\" \\ code."#), "{written}");
        assert!(written.contains("# UNIT http_seconds seconds\n") && written.ends_with("# EOF\n"), "{written}");
        assert!(written.contains("requests_total{path=\"/\"} 3.0 1.500\n"), "{written}");
        assert_eq!(check_openmetrics(written.as_bytes()), Ok(()));
    }

    #[test]
    fn what_is_written_reads_back() {
        let families = families();
        let text = parse_exposition(TEXT_CONTENT_TYPE, write_text(&families).as_bytes(), 7).unwrap();
        let om =
            parse_exposition_with(Format::OpenMetrics, write_openmetrics(&families).as_bytes(), 7, &Default::default());
        let om = om.unwrap().batch;
        assert_eq!(text.samples, om.samples);
        assert_eq!(text.samples[1].t, 1500);
        let mut again = Family::from_batch(&text, 7);
        again[1].unit = "seconds".to_owned();
        assert_eq!(again, families);
    }
}
