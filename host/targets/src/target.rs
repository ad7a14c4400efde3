//! Targets: from an address in a list to what is collected under which labels.

use std::collections::BTreeMap;

use watchglass_model::{DurationMs, Labels, LabelsBuilder};

use crate::discovery::TargetGroup;
use crate::relabel;

/// What a job says of its targets.
#[derive(Clone, Debug, Default)]
pub struct JobOptions {
    /// The `job` label.
    pub job: String,
    /// Interval in ms, unless a target's `__scrape_interval__` says otherwise.
    pub interval_ms: i64,
    /// Timeout in ms, unless a target's `__scrape_timeout__` says otherwise.
    pub timeout_ms: i64,
    /// `__scheme__`.
    pub scheme: String,
    /// `__metrics_path__`.
    pub metrics_path: String,
    /// `__param_NAME`: the first value of each.
    pub params: BTreeMap<String, Vec<String>>,
    /// `relabel_configs`.
    pub relabel: Vec<relabel::Config>,
    /// Targets after relabelling: where there are more, none is collected. 0 is no limit.
    pub target_limit: usize,
    /// How many of the targets that relabelling dropped are remembered. 0 is no limit.
    pub keep_dropped_targets: usize,
}

/// What is collected.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Address after relabelling.
    pub address: String,
    /// Labels that its samples get.
    pub labels: Labels,
    /// All labels before relabelling, for the API.
    pub discovered: Labels,
    /// The labels that begin with `__` after relabelling, by name: scheme, path and parameters.
    pub params: Vec<(String, String)>,
    /// How often, ms.
    pub interval_ms: i64,
    /// How long at most, ms.
    pub timeout_ms: i64,
}

impl Target {
    /// Where Prometheus would scrape it, for the API.
    pub fn url(&self) -> String {
        let param = |name: &str| self.params.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.as_str());
        let query: Vec<String> = self
            .params
            .iter()
            .filter_map(|(n, v)| Some(format!("{}={}", n.strip_prefix("__param_")?, encoded(v))))
            .collect();
        let question = if query.is_empty() { "" } else { "?" };
        if self.address.contains("://") {
            return self.address.clone();
        }
        format!("{}://{}{}{question}{}", param("__scheme__"), self.address, param("__metrics_path__"), query.join("&"))
    }
}

/// A text as it stands in a URL's query, as Go writes it.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

/// A target that relabelling dropped: its labels before that.
pub type Dropped = Labels;

/// The targets of a job.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resolved {
    /// Those that are collected, each label set once.
    pub active: Vec<Target>,
    /// Those that relabelling dropped.
    pub dropped: Vec<Dropped>,
    /// What is wrong with others.
    pub errors: Vec<String>,
    /// Why none of the active ones may be collected: there are too many.
    pub refused: Option<String>,
    /// How many relabelling dropped, remembered or not.
    pub dropped_count: usize,
}

/// Applies a job's defaults and relabelling to the targets of its lists, as Prometheus does: `job`, `__scheme__` and their like where the list has
/// none, relabelling, `instance` from the address, labels with `__` in front left out.
pub fn resolve(job: &JobOptions, groups: &[TargetGroup]) -> Resolved {
    let mut out = Resolved::default();
    for group in groups {
        for address in &group.targets {
            match resolve_one(job, address, &group.labels) {
                Ok(Ok(target))
                    if out.active.iter().any(|t| t.labels == target.labels && t.address == target.address) => {}
                Ok(Ok(target)) => out.active.push(target),
                Ok(Err(dropped)) => {
                    out.dropped_count += 1;
                    if job.keep_dropped_targets == 0 || out.dropped.len() < job.keep_dropped_targets {
                        out.dropped.push(dropped);
                    }
                }
                Err(error) => out.errors.push(format!("{}: target `{address}`: {error}", job.job)),
            }
        }
    }
    if job.target_limit > 0 && out.active.len() > job.target_limit {
        out.refused = Some(format!(
            "target_limit exceeded (number of targets: {}, limit: {})",
            out.active.len(),
            job.target_limit
        ));
    }
    out
}

fn resolve_one(
    job: &JobOptions,
    address: &str,
    group: &BTreeMap<String, String>,
) -> Result<Result<Target, Dropped>, String> {
    let mut labels = LabelsBuilder::default();
    for (name, value) in group {
        labels.set(name, value);
    }
    labels.set("__address__", address);
    let seconds = |ms: i64| DurationMs(ms).to_string();
    let (interval, timeout) = (seconds(job.interval_ms), seconds(job.timeout_ms));
    let defaults = [
        ("job", job.job.as_str()),
        ("__scrape_interval__", interval.as_str()),
        ("__scrape_timeout__", timeout.as_str()),
        ("__metrics_path__", job.metrics_path.as_str()),
        ("__scheme__", job.scheme.as_str()),
    ];
    for (name, value) in defaults {
        if labels.value(name).is_empty() {
            labels.set(name, value);
        }
    }
    for (name, values) in &job.params {
        let name = format!("__param_{name}");
        if let Some(first) = values.first().filter(|_| labels.value(&name).is_empty()) {
            labels.set(&name, first);
        }
    }
    let discovered = labels.build();
    let Some(relabelled) = relabel::apply(&job.relabel, &discovered) else { return Ok(Err(discovered)) };
    let address = relabelled.value("__address__").to_owned();
    if address.is_empty() {
        return Err("no address is left after relabelling".to_owned());
    }
    let duration = |name: &str| {
        let text = relabelled.value(name);
        DurationMs::parse(text)
            .ok()
            .map(DurationMs::millis)
            .filter(|ms| *ms > 0)
            .ok_or_else(|| format!("{name} `{text}` is no duration above 0"))
    };
    let (interval_ms, timeout_ms) = (duration("__scrape_interval__")?, duration("__scrape_timeout__")?);
    if timeout_ms > interval_ms {
        return Err(format!("the timeout of {timeout_ms} ms is greater than the interval of {interval_ms} ms"));
    }
    let mut public = LabelsBuilder::new(&relabelled);
    public.retain(|n| !n.starts_with("__"));
    if public.value("instance").is_empty() {
        public.set("instance", &address);
    }
    let params = relabelled
        .iter()
        .filter(|(n, _)| {
            n.starts_with("__") && !n.starts_with("__meta_") && *n != "__address__" && !n.starts_with("__scrape_")
        })
        .map(|(n, v)| (n.to_owned(), v.to_owned()))
        .collect();
    Ok(Ok(Target { address, labels: public.build(), discovered, params, interval_ms, timeout_ms }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(relabel: &str) -> JobOptions {
        JobOptions {
            job: "web".into(),
            interval_ms: 15_000,
            timeout_ms: 10_000,
            scheme: "http".into(),
            metrics_path: "/metrics".into(),
            params: BTreeMap::from([("module".to_owned(), vec!["http_2xx".to_owned()])]),
            relabel: serde_json::from_str(relabel).unwrap(),
            ..JobOptions::default()
        }
    }

    fn group(targets: &[&str]) -> TargetGroup {
        TargetGroup {
            source: "static".into(),
            targets: targets.iter().map(|t| (*t).to_owned()).collect(),
            labels: BTreeMap::from([("env".to_owned(), "prod".to_owned())]),
        }
    }

    #[test]
    fn defaults_and_instance() {
        let out = resolve(&job("[]"), &[group(&["a:1", "a:1"])]);
        assert_eq!(out.active.len(), 1, "the same target twice is one");
        assert_eq!(out.active[0].labels.to_string(), r#"{env="prod", instance="a:1", job="web"}"#);
        assert_eq!(out.active[0].url(), "http://a:1/metrics?module=http_2xx");
        assert_eq!(out.active[0].discovered.value("__scrape_interval__"), "15s");
    }

    #[test]
    fn relabelling_renames_redirects_and_drops() {
        let rules = r#"[
            {"source_labels":["__address__"],"target_label":"__param_target"},
            {"source_labels":["__param_target"],"target_label":"instance"},
            {"target_label":"__address__","replacement":"localhost:9115"},
            {"source_labels":["instance"],"regex":"b.*","action":"drop"},
            {"source_labels":["instance"],"regex":"c.*","target_label":"__scrape_interval__","replacement":"soon"}]"#;
        let out = resolve(&job(rules), &[group(&["a", "b", "c"])]);
        assert_eq!((out.active.len(), out.dropped.len(), out.errors.len()), (1, 1, 1));
        assert_eq!((out.active[0].address.as_str(), out.active[0].labels.value("instance")), ("localhost:9115", "a"));
        assert!(out.active[0].params.contains(&("__param_target".to_owned(), "a".to_owned())));
        assert!(out.errors[0].contains("__scrape_interval__ `soon`"), "{}", out.errors[0]);
    }
}
