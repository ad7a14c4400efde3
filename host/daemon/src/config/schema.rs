//! `watchglass.toml` as written: one struct a table. An unknown key is an error; Prometheus' names stand for Prometheus' ideas.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use watchglass_model::DurationMs;
use watchglass_targets::{FileSdConfig, StaticConfig, relabel};
use watchglass_text::Spanned;

/// A Prometheus duration (`15s`, `1h30m`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Duration {
    /// Milliseconds.
    pub(crate) ms: i64,
}

impl Duration {
    pub(crate) const fn from_secs(secs: i64) -> Duration {
        Duration { ms: secs * 1000 }
    }

    pub(crate) fn std(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.ms.max(0) as u64)
    }
}

impl std::fmt::Display for Duration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", DurationMs(self.ms))
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        let ms = DurationMs::parse(&text).map(DurationMs::millis).map_err(|_| {
            serde::de::Error::custom(format!(
                "`{text}` is no duration; write a number and a unit, like 15s, 2m or 1h30m"
            ))
        })?;
        Ok(Duration { ms })
    }
}

impl Serialize for Duration {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The whole file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct File {
    pub(crate) global: Global,
    pub(crate) web: Web,
    pub(crate) plugins: Plugins,
    pub(crate) storage: Storage,
    pub(crate) query: Query,
    pub(crate) rules: Rules,
    pub(crate) alerting: Alerting,
    /// `[secrets]`: name = `env:NAME` or `file:PATH`; a plugin reads one by its grant `secret:NAME`.
    pub(crate) secrets: BTreeMap<String, String>,
    pub(crate) collector: Vec<Spanned<Collector>>,
    pub(crate) rule_plugin: Vec<Spanned<RulePlugin>>,
}

/// `[global]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Global {
    /// None: the plugin's manifest decides, else 15 s.
    pub(crate) scrape_interval: Option<Duration>,
    pub(crate) scrape_timeout: Option<Duration>,
    pub(crate) evaluation_interval: Duration,
    /// How far back rules are evaluated that say nothing themselves (`query_offset` of their group).
    pub(crate) rule_query_offset: Duration,
    pub(crate) external_labels: BTreeMap<String, String>,
}

impl Default for Global {
    fn default() -> Self {
        Global {
            scrape_interval: None,
            scrape_timeout: None,
            evaluation_interval: Duration::from_secs(15),
            rule_query_offset: Duration::from_secs(0),
            external_labels: BTreeMap::new(),
        }
    }
}

/// `[web]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Web {
    pub(crate) listen: String,
    /// The address people reach us under, for links in alerts; none: `http://HOSTNAME:PORT`.
    pub(crate) external_url: Option<String>,
    pub(crate) max_connections: usize,
}

impl Default for Web {
    fn default() -> Self {
        Web { listen: "127.0.0.1:9666".to_owned(), external_url: None, max_connections: 512 }
    }
}

/// `[plugins]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Plugins {
    /// None: `./plugins`, else the folder beside the binary.
    pub(crate) dir: Option<String>,
    /// Compiled plugins; none: `watchglass/compiled` in the user's cache folder.
    pub(crate) cache: Option<String>,
}

/// `[storage]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Storage {
    pub(crate) path: String,
    pub(crate) retention: Duration,
}

impl Default for Storage {
    fn default() -> Self {
        Storage { path: "data".to_owned(), retention: Duration::from_secs(15 * 86_400) }
    }
}

/// `[query]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Query {
    pub(crate) lookback_delta: Duration,
    pub(crate) timeout: Duration,
    pub(crate) max_samples: usize,
    pub(crate) max_concurrency: usize,
    pub(crate) experimental_functions: bool,
    pub(crate) delayed_name_removal: bool,
    pub(crate) extended_range_selectors: bool,
    pub(crate) fill_modifiers: bool,
    pub(crate) start_timestamps: bool,
    pub(crate) type_and_unit_labels: bool,
}

impl Default for Query {
    fn default() -> Self {
        Query {
            lookback_delta: Duration::from_secs(300),
            timeout: Duration::from_secs(120),
            max_samples: 50_000_000,
            max_concurrency: 20,
            experimental_functions: false,
            delayed_name_removal: false,
            extended_range_selectors: false,
            fill_modifiers: false,
            start_timestamps: false,
            type_and_unit_labels: false,
        }
    }
}

/// `[rules]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Rules {
    /// Rule files, with `*` in the last part of the path.
    pub(crate) files: Vec<String>,
    /// Evaluates the rules that come with Watchglass.
    pub(crate) shipped: bool,
    /// Evaluates a group right after the collection of what it reads, not at its own time alone.
    pub(crate) evaluate_after_scrape: bool,
    /// Prometheus' `--rules.alert.resend-delay`: how long until a firing alert is sent again.
    pub(crate) resend_delay: Duration,
    /// Prometheus' `--rules.alert.for-outage-tolerance`: how long before a restart an alert may have been seen last for its `for` to go on.
    pub(crate) for_outage_tolerance: Duration,
    /// Prometheus' `--rules.alert.for-grace-period`: the least time between a restart and the firing of an alert that was pending before it.
    pub(crate) for_grace_period: Duration,
    /// Prometheus' `--rules.max-concurrent-evals`: threads beyond one a group, for rules that don't depend on each other.
    pub(crate) max_concurrent_evals: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Rules {
            files: Vec::new(),
            shipped: false,
            evaluate_after_scrape: false,
            resend_delay: Duration::from_secs(60),
            for_outage_tolerance: Duration::from_secs(3600),
            for_grace_period: Duration::from_secs(600),
            max_concurrent_evals: 4,
        }
    }
}

/// `[alerting]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Alerting {
    /// An alertmanager.yml; none: everything goes to the console.
    pub(crate) config: Option<String>,
    /// Base addresses of Alertmanagers that every alert is handed on to as well.
    pub(crate) forward: Vec<String>,
    /// How long notifications and expired silences are remembered.
    pub(crate) retention: Option<Duration>,
}

/// `[[collector]]`: a job. The keys of a scrape_config have their names and meaning.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Collector {
    /// The job label; none: the plugin's name.
    pub(crate) name: Option<String>,
    /// `plugins/NAME.wasm`.
    pub(crate) plugin: String,
    pub(crate) scrape_interval: Option<Duration>,
    pub(crate) scrape_timeout: Option<Duration>,
    pub(crate) targets: Vec<String>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) static_configs: Vec<StaticConfig>,
    pub(crate) file_sd_configs: Vec<FileSdConfig>,
    pub(crate) metrics_path: Option<String>,
    pub(crate) scheme: Option<String>,
    pub(crate) params: BTreeMap<String, Vec<String>>,
    pub(crate) honor_labels: bool,
    pub(crate) honor_timestamps: Option<bool>,
    pub(crate) relabel_configs: Vec<relabel::Config>,
    pub(crate) metric_relabel_configs: Vec<relabel::Config>,
    pub(crate) sample_limit: usize,
    pub(crate) label_limit: usize,
    pub(crate) label_name_length_limit: usize,
    pub(crate) label_value_length_limit: usize,
    pub(crate) target_limit: usize,
    pub(crate) keep_dropped_targets: usize,
    pub(crate) track_timestamps_staleness: bool,
    pub(crate) always_scrape_classic_histograms: bool,
    pub(crate) convert_classic_histograms_to_nhcb: bool,
    pub(crate) native_histogram_bucket_limit: usize,
    pub(crate) native_histogram_min_bucket_factor: f64,
    pub(crate) metric_name_validation_scheme: NameValidation,
    pub(crate) proxy_from_environment: bool,
    // How to ask over HTTP is the plugin's to know: see `http_options`.
    pub(crate) authorization: Option<toml::Value>,
    pub(crate) basic_auth: Option<toml::Value>,
    pub(crate) bearer_token: Option<toml::Value>,
    pub(crate) bearer_token_file: Option<toml::Value>,
    pub(crate) body_size_limit: Option<toml::Value>,
    pub(crate) enable_compression: Option<toml::Value>,
    pub(crate) enable_http2: Option<toml::Value>,
    pub(crate) fallback_scrape_protocol: Option<toml::Value>,
    pub(crate) follow_redirects: Option<toml::Value>,
    pub(crate) http_headers: Option<toml::Value>,
    pub(crate) metric_name_escaping_scheme: Option<toml::Value>,
    pub(crate) no_proxy: Option<toml::Value>,
    pub(crate) oauth2: Option<toml::Value>,
    pub(crate) proxy_connect_header: Option<toml::Value>,
    pub(crate) proxy_url: Option<toml::Value>,
    pub(crate) scrape_native_histograms: Option<toml::Value>,
    pub(crate) scrape_protocols: Option<toml::Value>,
    pub(crate) tls_config: Option<toml::Value>,
    pub(crate) grants: Vec<String>,
    pub(crate) limits: Limits,
    /// Handed to the plugin, checked against its schema.
    pub(crate) config: toml::Table,
}

impl Collector {
    /// The keys of a scrape_config that a plugin obeys, not we: each goes into the plugin's configuration under its name.
    pub(crate) fn http_options(&self) -> impl Iterator<Item = (&'static str, &toml::Value)> {
        [
            ("authorization", &self.authorization),
            ("basic_auth", &self.basic_auth),
            ("bearer_token", &self.bearer_token),
            ("bearer_token_file", &self.bearer_token_file),
            ("body_size_limit", &self.body_size_limit),
            ("enable_compression", &self.enable_compression),
            ("enable_http2", &self.enable_http2),
            ("fallback_scrape_protocol", &self.fallback_scrape_protocol),
            ("follow_redirects", &self.follow_redirects),
            ("http_headers", &self.http_headers),
            ("metric_name_escaping_scheme", &self.metric_name_escaping_scheme),
            ("no_proxy", &self.no_proxy),
            ("oauth2", &self.oauth2),
            ("proxy_connect_header", &self.proxy_connect_header),
            ("proxy_url", &self.proxy_url),
            ("scrape_native_histograms", &self.scrape_native_histograms),
            ("scrape_protocols", &self.scrape_protocols),
            ("tls_config", &self.tls_config),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_ref()?)))
    }
}

/// `metric_name_validation_scheme`
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum NameValidation {
    /// Any name.
    #[default]
    Utf8,
    /// `[a-zA-Z_:][a-zA-Z0-9_:]*`, and label names without the colon.
    Legacy,
}

/// `[collector.limits]`: what a plugin may use; none: the manifest's or the host's defaults.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    pub(crate) memory_mib: Option<u32>,
    /// CPU time of one call.
    pub(crate) cpu: Option<Duration>,
    /// Bytes that one call may make the host allocate.
    pub(crate) hostcall_mib: Option<u32>,
    /// Series of one target.
    pub(crate) series: Option<usize>,
}

/// `[[rule_plugin]]`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RulePlugin {
    /// Name of the rule group; none: the plugin's name.
    pub(crate) name: Option<String>,
    pub(crate) plugin: String,
    pub(crate) interval: Option<Duration>,
    /// Of an evaluation; never longer than the interval.
    pub(crate) timeout: Option<Duration>,
    pub(crate) limits: Limits,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) config: toml::Table,
}

impl RulePlugin {
    /// Name of its rule group.
    pub(crate) fn name(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.plugin.clone())
    }
}

impl Limits {
    /// With the host's defaults where nothing is said.
    pub(crate) fn of_plugin(&self) -> watchglass_plugin::Limits {
        let default = watchglass_plugin::Limits::default();
        watchglass_plugin::Limits {
            memory_bytes: self.memory_mib.map(|mib| u64::from(mib) << 20),
            cpu: self.cpu.map_or(default.cpu, Duration::std),
            hostcall_bytes: self.hostcall_mib.map_or(default.hostcall_bytes, |mib| (mib as usize) << 20),
            series: self.series.unwrap_or(default.series),
            ..default
        }
    }
}
