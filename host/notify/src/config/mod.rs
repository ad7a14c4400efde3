//! alertmanager.yml: all keys that Alertmanager accepts, every kind of receiver, checked with amtool's verdicts.
//!
//! Unknown keys are errors. What the global section sets is filled into receivers here, so that those who send look at one
//! struct only. Kinds that can't be sent to are read and checked all the same.

mod chat;
mod global;
mod http;
mod other;
mod paging;
mod receiver;
mod route;
mod shown;
mod slack;
mod values;
mod webhook;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use watchglass_alerts::{InhibitRule, IntegrationSpec, Options, ReceiverSpec, Route, RoutingConfig, TimeInterval};
use watchglass_text::{Spanned, TextError};

pub use chat::{DiscordConfig, MsTeamsConfig, MsTeamsV2Config, TelegramConfig, WebexConfig, WechatConfig};
pub use global::{GlobalConfig, HostPort};
pub use http::{Authorization, BasicAuth, HeaderValues, HttpConfig, OAuth2, TlsConfig};
pub use other::{
    EmailConfig, EmailThreading, JiraConfig, JiraText, MattermostAttachment, MattermostConfig, MattermostField,
    MattermostPriority, MattermostProps, RocketchatAction, RocketchatConfig, RocketchatField, SigV4Config, SnsConfig,
};
pub use paging::{
    IncidentioConfig, OpsgenieConfig, OpsgenieResponder, PagerdutyConfig, PagerdutyImage, PagerdutyLink,
    PushoverConfig, VictoropsConfig,
};
pub use receiver::{Integration, IntegrationConfig, Receiver};
pub use shown::shown;
pub use slack::{SLACK_APP_URL, SlackAction, SlackConfig, SlackConfirmation, SlackField};
pub use values::{GoDuration, HttpUrl, PromDuration, Secret, SecretUrl};
pub use webhook::WebhookConfig;

use route::{Names, RawInhibitRule, RawNamedInterval, RawRoute};

/// A loaded alertmanager.yml.
#[derive(Clone, Debug)]
pub struct AlertmanagerConfig {
    /// The global section, as far as it was not filled into receivers already.
    pub global: GlobalConfig,
    /// The routing tree.
    pub route: Route,
    /// Inhibition rules.
    pub inhibit_rules: Vec<InhibitRule>,
    /// Time intervals by name, from both `time_intervals` and `mute_time_intervals`.
    pub time_intervals: BTreeMap<String, Vec<TimeInterval>>,
    /// Receivers, in order.
    pub receivers: Vec<Receiver>,
    /// Glob patterns of template files, relative to the config file.
    pub templates: Vec<String>,
    /// All secrets that stand in the file, the longest first: what no error may show, whoever's it is.
    pub secrets: Vec<Secret>,
}

/// The file as written.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawConfig {
    global: Option<Spanned<GlobalConfig>>,
    route: Option<Spanned<RawRoute>>,
    inhibit_rules: Vec<RawInhibitRule>,
    receivers: Vec<Spanned<receiver::RawReceiver>>,
    templates: Vec<String>,
    mute_time_intervals: Vec<RawNamedInterval>,
    time_intervals: Vec<RawNamedInterval>,
    // Of Alertmanager's own doings, not of alerts: read, so that such files load, and left alone.
    tracing: Option<Spanned<RawTracing>>,
    event_recorder: Option<BTreeMap<String, serde_json::Value>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawTracing {
    client_type: String,
    endpoint: String,
    sampling_fraction: f64,
    insecure: bool,
    tls_config: Option<TlsConfig>,
    headers: BTreeMap<String, Secret>,
    compression: String,
    timeout: PromDuration,
}

/// Where errors point to.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    file: &'a str,
    text: &'a str,
}

impl Source<'_> {
    pub(crate) fn at<T>(self, place: &Spanned<T>, message: &str) -> TextError {
        place.error(self.file, self.text, message)
    }

    pub(crate) fn whole(self, message: &str) -> TextError {
        TextError::whole(self.file, message)
    }
}

/// Checks the syntax of a template, and that it calls no unknown functions.
fn check_template(text: &str) -> Result<(), String> {
    crate::render::check(text).map_err(|e| e.message)
}

impl AlertmanagerConfig {
    /// Reads and checks a file. Errors name the place, in amtool's words.
    pub fn parse(text: &str, file_name: &str) -> Result<AlertmanagerConfig, TextError> {
        let source = Source { file: file_name, text };
        if text.trim().is_empty() {
            return Err(source.whole("no route provided in config"));
        }
        let raw: RawConfig = watchglass_text::yaml::from_str(text, file_name)?;
        let mut global = raw.global.unwrap_or_default();
        if let Err(message) = global.value.check() {
            return Err(source.at(&global, &message));
        }
        if let Some(tracing) = &raw.tracing {
            check_tracing(tracing).map_err(|message| source.at(tracing, &message))?;
        }
        let global = global.value;
        let mut names = BTreeSet::new();
        let mut receivers = Vec::new();
        for raw in raw.receivers {
            let receiver = receiver::receiver(raw, &global, source)?;
            if !names.insert(receiver.name.value.clone()) {
                let message = format!("notification config name \"{}\" is not unique", receiver.name.value);
                return Err(source.at(&receiver.name, &message));
            }
            receivers.push(receiver.value());
        }
        let mut time_intervals = BTreeMap::new();
        route::intervals(&raw.mute_time_intervals, &mut time_intervals, source)?;
        route::intervals(&raw.time_intervals, &mut time_intervals, source)?;
        let root = raw.route.as_ref().ok_or_else(|| source.whole("no routes provided"))?;
        let route = route::root(root, &Names { receivers: &names, intervals: &time_intervals }, source)?;
        let inhibit_rules =
            raw.inhibit_rules.iter().map(|r| route::inhibit_rule(r, source)).collect::<Result<_, _>>()?;
        let (templates, secrets) = (raw.templates, shown::secrets(text));
        Ok(AlertmanagerConfig { global, route, inhibit_rules, time_intervals, receivers, templates, secrets })
    }

    /// What the state machine works by.
    pub fn routing(&self, options: Options) -> RoutingConfig {
        let spec = |receiver: &Receiver| ReceiverSpec {
            name: receiver.name.clone(),
            integrations: receiver.integrations.iter().map(|i| i.spec.clone()).collect(),
        };
        RoutingConfig {
            route: self.route.clone(),
            inhibit_rules: self.inhibit_rules.clone(),
            time_intervals: self.time_intervals.clone(),
            receivers: self.receivers.iter().map(spec).collect(),
            options: Options { resolve_timeout: self.global.resolve_timeout.0, ..options },
        }
    }

    /// Lets the receivers that have no integrations write to the console.
    pub fn send_to_console(&mut self) {
        self.add_where_empty("console", || IntegrationConfig::Console);
    }

    /// Lets the receivers that have no integrations hand their alerts on to another Alertmanager.
    pub fn forward_to(&mut self, target: &crate::forward::ForwardConfig) {
        self.add_where_empty("alertmanager", || IntegrationConfig::Alertmanager(Box::new(target.clone())));
    }

    fn add_where_empty(&mut self, kind: &str, config: impl Fn() -> IntegrationConfig) {
        for receiver in self.receivers.iter_mut().filter(|r| r.integrations.is_empty()) {
            let spec = IntegrationSpec::new(kind, 0, true);
            receiver.integrations.push(Integration { spec, config: config() });
        }
    }

    /// The receiver of a name.
    pub fn receiver(&self, name: &str) -> Option<&Receiver> {
        self.receivers.iter().find(|r| r.name == name)
    }

    /// Integrations that can't be sent to though a route leads to them, as `(receiver, kind)`: to run with them would lose alerts.
    pub fn unsupported_receivers_reached_by_routes(&self) -> Vec<(String, String)> {
        let mut reached = BTreeSet::new();
        collect_receivers(&self.route, &mut reached);
        self.unsupported(|name| reached.contains(name))
    }

    /// Integrations that can't be sent to and that no route leads to: worth a warning.
    pub fn unsupported_receivers_unreached(&self) -> Vec<(String, String)> {
        let mut reached = BTreeSet::new();
        collect_receivers(&self.route, &mut reached);
        self.unsupported(|name| !reached.contains(name))
    }

    fn unsupported(&self, wanted: impl Fn(&str) -> bool) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for receiver in self.receivers.iter().filter(|r| wanted(&r.name)) {
            for integration in receiver.integrations.iter().filter(|i| !i.config.is_supported()) {
                let pair = (receiver.name.clone(), integration.spec.kind.clone());
                if !found.contains(&pair) {
                    found.push(pair);
                }
            }
        }
        found
    }
}

fn collect_receivers<'a>(route: &'a Route, into: &mut BTreeSet<&'a str>) {
    into.extend(route.receiver.as_deref());
    route.routes.iter().for_each(|r| collect_receivers(r, into));
}

fn check_tracing(tracing: &RawTracing) -> Result<(), String> {
    if tracing.endpoint.is_empty() {
        return Err("tracing endpoint must be set".to_owned());
    }
    match tracing.client_type.as_str() {
        "" | "http" | "grpc" => Ok(()),
        other => Err(format!("expected tracing client type to be to be http or grpc, but got {other}")),
    }
}
