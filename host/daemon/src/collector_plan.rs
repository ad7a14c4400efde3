//! From the configuration and the plugins that are there to what is to be run.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use watchglass_plugin::{CollectorSpec, Grant, Grants, Kind, Limits, Plugin, Secrets};
use watchglass_targets::{JobOptions, Resolved, SampleOptions, Target, TargetGroup, read_file_sd, resolve};

use crate::config::Config;
use crate::config::references;
use crate::config::schema::{Collector as Entry, Duration, NameValidation};

/// Where neither the collector, nor the plugin's manifest, nor `[global]` says how often.
const INTERVAL_MS: i64 = 15_000;
/// Likewise for the timeout: Prometheus' own.
const TIMEOUT_MS: i64 = 10_000;

/// A collector that is to be run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The config entry; of a plugin that runs by itself, one that says no more than its name.
    pub(crate) entry: Entry,
    /// Job, intervals and relabelling.
    pub(crate) options: JobOptions,
    /// What happens to samples.
    pub(crate) samples: SampleOptions,
    /// Where targets are listed, files read.
    pub(crate) groups: Vec<TargetGroup>,
    /// Where the secrets come from that the plugin may ask for.
    secrets: Secrets,
}

impl PartialEq for Plan {
    fn eq(&self, other: &Self) -> bool {
        let options = |o: &JobOptions| (o.interval_ms, o.timeout_ms);
        self.entry == other.entry
            && options(&self.options) == options(&other.options)
            && self.groups == other.groups
            && self.secrets == other.secrets
    }
}

/// The collectors of the configuration, then the plugins that run by themselves.
pub(crate) fn plan(config: &Config, plugins: &[Arc<Plugin>]) -> Vec<Plan> {
    let of = |name: &str| plugins.iter().find(|p| p.file_stem() == name);
    let mut plans: Vec<Plan> =
        config.file.collector.iter().map(|e| Plan::new(e.value.clone(), of(&e.value.plugin), config)).collect();
    for plugin in plugins {
        let name = plugin.file_stem();
        let named = plans.iter().any(|p| p.entry.plugin == name || p.options.job == name);
        if plugin.kind == Kind::Collector && plugin.manifest.runs_by_itself() && !named {
            plans.push(Plan::new(Entry { plugin: name, ..Entry::default() }, Some(plugin), config));
        }
    }
    plans
}

impl Plan {
    fn new(entry: Entry, plugin: Option<&Arc<Plugin>>, config: &Config) -> Plan {
        let millis = |d: std::time::Duration| i64::try_from(d.as_millis()).unwrap_or(i64::MAX);
        let manifest = plugin.map(|p| &p.manifest);
        // The collector's own value beats the manifest's, which beats the global one.
        let chosen =
            |own: Option<Duration>, theirs: Option<std::time::Duration>, global: Option<Duration>, default: i64| {
                own.map(|d| d.ms).or(theirs.map(millis)).or(global.map(|d| d.ms)).unwrap_or(default)
            };
        let global = &config.file.global;
        let interval_ms =
            chosen(entry.scrape_interval, manifest.and_then(|m| m.interval), global.scrape_interval, INTERVAL_MS);
        let timeout_ms =
            chosen(entry.scrape_timeout, manifest.and_then(|m| m.timeout), global.scrape_timeout, TIMEOUT_MS);
        let options = JobOptions {
            job: entry.job(),
            interval_ms,
            timeout_ms: timeout_ms.min(interval_ms),
            scheme: entry.scheme.clone().unwrap_or_else(|| "http".to_owned()),
            metrics_path: entry.metrics_path.clone().unwrap_or_else(|| "/metrics".to_owned()),
            params: entry.params.clone(),
            relabel: entry.relabel_configs.clone(),
            target_limit: entry.target_limit,
            keep_dropped_targets: entry.keep_dropped_targets,
        };
        let samples = SampleOptions {
            honor_labels: entry.honor_labels,
            honor_timestamps: entry.honor_timestamps.unwrap_or(true),
            metric_relabel: entry.metric_relabel_configs.clone(),
            sample_limit: entry.sample_limit,
            label_limit: entry.label_limit,
            label_name_length_limit: entry.label_name_length_limit,
            label_value_length_limit: entry.label_value_length_limit,
            track_timestamps_staleness: entry.track_timestamps_staleness,
            native_histogram_bucket_limit: entry.native_histogram_bucket_limit,
            native_histogram_min_bucket_factor: entry.native_histogram_min_bucket_factor,
            convert_classic_histograms_to_nhcb: entry.convert_classic_histograms_to_nhcb,
            always_scrape_classic_histograms: entry.always_scrape_classic_histograms,
            legacy_names: entry.metric_name_validation_scheme == NameValidation::Legacy,
        };
        let secrets = config.secrets(&references::references(&references::as_json(&entry)));
        let mut plan = Plan { entry, options, samples, groups: Vec::new(), secrets };
        plan.groups = plan.groups(config);
        plan
    }

    /// Whether the plugin is given targets; else it looks at this machine.
    pub(crate) fn has_targets(&self) -> bool {
        !(self.entry.targets.is_empty()
            && self.entry.static_configs.is_empty()
            && self.entry.file_sd_configs.is_empty())
    }

    /// Whether targets are listed in files.
    pub(crate) fn has_files(&self) -> bool {
        !self.entry.file_sd_configs.is_empty()
    }

    /// The lists of targets as they are now. A file that can't be read lists nothing, and is told.
    pub(crate) fn groups(&self, config: &Config) -> Vec<TargetGroup> {
        let entry = &self.entry;
        let with_own = |labels: &BTreeMap<String, String>| {
            let mut all = entry.labels.clone();
            all.extend(labels.clone());
            all
        };
        let mut groups = Vec::new();
        if !entry.targets.is_empty() {
            groups.push(TargetGroup {
                source: "static".to_owned(),
                targets: entry.targets.clone(),
                labels: entry.labels.clone(),
            });
        }
        for list in &entry.static_configs {
            groups.push(TargetGroup {
                source: "static".to_owned(),
                targets: list.targets.clone(),
                labels: with_own(&list.labels),
            });
        }
        for path in entry.file_sd_configs.iter().flat_map(|sd| config.expand(&sd.files)) {
            let shown = path.display().to_string();
            let read = std::fs::read_to_string(&path).map_err(|e| format!("{shown}: cannot be read: {e}"));
            match read.and_then(|text| read_file_sd(&shown, &text).map_err(|e| e.to_string())) {
                Ok(found) => groups.extend(found.into_iter().map(|g| TargetGroup { labels: with_own(&g.labels), ..g })),
                Err(e) => tracing::warn!(collector = entry.job(), "{e}"),
            }
        }
        groups
    }

    /// The targets: those of the lists, or this machine under its name.
    pub(crate) fn resolve(&self) -> Resolved {
        if self.has_targets() {
            return resolve(&self.options, &self.groups);
        }
        let host = TargetGroup {
            source: "local".to_owned(),
            targets: vec![crate::hostname()],
            labels: self.entry.labels.clone(),
        };
        let mut resolved = resolve(&self.options, &[host]);
        for target in &mut resolved.active {
            retain_local(target);
        }
        resolved
    }

    /// What the host makes the collector of. The error says what is wrong with the options, before the plugin is asked.
    pub(crate) fn spec(&self, plugin: &Plugin) -> Result<CollectorSpec, String> {
        if plugin.kind != Kind::Collector {
            return Err(format!("plugin `{}` is a rule plugin\nhint: name it in a [[rule_plugin]]", self.entry.plugin));
        }
        let config = self.config(plugin)?;
        Ok(CollectorSpec {
            name: self.options.job.clone(),
            config_json: config.to_string(),
            grants: self.grants(&config)?,
            has_targets: self.has_targets(),
            limits: self.limits(),
            secrets: self.secrets.clone(),
        })
    }

    /// What the plugin is handed as its configuration: [collector.config], and the keys of a scrape_config that are the plugin's to obey.
    fn config(&self, plugin: &Plugin) -> Result<Value, String> {
        let (entry, schema) = (&self.entry, &plugin.manifest.config_schema);
        if schema.is_empty() && !entry.config.is_empty() {
            return Err(format!("plugin `{}` takes no [collector.config]", entry.plugin));
        }
        let schema: Value = serde_json::from_str(schema).unwrap_or(Value::Null);
        let knows = |option: &str| schema.pointer("/properties").is_some_and(|p| p.get(option).is_some());
        for (option, _) in entry.http_options() {
            if !knows(option) {
                return Err(format!(
                    "plugin `{}` has no option `{option}`\nhint: `watchglass plugin inspect` shows those it has",
                    entry.plugin
                ));
            }
            if entry.config.contains_key(option) {
                return Err(format!("`{option}` stands both in [[collector]] and in [collector.config]"));
            }
        }
        let mut config = references::as_json(entry);
        if let Value::Object(config) = &mut config {
            // A target carries the first value of each parameter in a label, as in Prometheus; the others come from here.
            if !entry.params.is_empty() && knows("params") && !config.contains_key("params") {
                config.insert("params".to_owned(), json!(entry.params));
            }
            if entry.proxy_from_environment {
                if !knows("proxy_url") || config.contains_key("proxy_url") {
                    return Err(
                        "proxy_from_environment needs a plugin that takes proxy_url, and no proxy_url beside it"
                            .to_owned(),
                    );
                }
                let https = entry.scheme.as_deref() == Some("https");
                for (option, value) in proxy_of_environment(https, |name| std::env::var(name).ok()) {
                    config.insert(option.to_owned(), Value::String(value));
                }
            }
        }
        Ok(config)
    }

    /// The grants of the configuration, with what naming a thing in an option grants: secrets, the proxy, the server of tokens.
    fn grants(&self, config: &Value) -> Result<Grants, String> {
        let mut grants = Grants::parse(&self.entry.grants).map_err(|e| e.to_string())?.list().to_vec();
        grants.extend(references::references(config).into_iter().map(Grant::Secret));
        for place in ["/proxy_url", "/oauth2/token_url", "/oauth2/proxy_url"] {
            if let Some(url) = config.pointer(place).and_then(Value::as_str) {
                let origin = url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
                let grant = format!("http:{origin}").parse::<Grant>();
                grants.push(grant.map_err(|e| format!("{}: {e}", place.trim_start_matches('/').replace('/', ".")))?);
            }
        }
        Ok(Grants::new(grants))
    }

    /// What the plugin may use.
    pub(crate) fn limits(&self) -> Limits {
        self.entry.limits.of_plugin()
    }
}

/// What `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` say, the small ones first, as options.
fn proxy_of_environment(https: bool, variable: impl Fn(&str) -> Option<String>) -> Vec<(&'static str, String)> {
    let either = |name: &str| variable(&name.to_lowercase()).or_else(|| variable(name)).filter(|v| !v.is_empty());
    let proxy = either(if https { "HTTPS_PROXY" } else { "HTTP_PROXY" });
    let Some(proxy) = proxy else { return Vec::new() };
    let proxy = if proxy.contains("://") { proxy } else { format!("http://{proxy}") };
    let mut options = vec![("proxy_url", proxy)];
    options.extend(either("NO_PROXY").map(|list| ("no_proxy", list)));
    options
}

/// A collector of this machine has no scheme or path: nothing is asked over a network.
fn retain_local(target: &mut Target) {
    target.params.retain(|(n, _)| n.starts_with("__param_"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_names_a_proxy() {
        let variables = |name: &str| match name {
            "https_proxy" => Some("p:3128".to_owned()),
            "HTTP_PROXY" => Some("http://q".to_owned()),
            "NO_PROXY" => Some("localhost".to_owned()),
            _ => None,
        };
        let both = |url: &str| vec![("proxy_url", url.to_owned()), ("no_proxy", "localhost".to_owned())];
        assert_eq!(proxy_of_environment(true, variables), both("http://p:3128"));
        assert_eq!(proxy_of_environment(false, variables), both("http://q"));
        assert!(proxy_of_environment(true, |_| None).is_empty());
    }
}
