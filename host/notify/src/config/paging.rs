//! Receivers that page people: pagerduty, opsgenie, victorops, pushover, incidentio.
#![allow(missing_docs, reason = "keys of alertmanager.yml under their own names")]

use std::collections::BTreeMap;

use serde::Deserialize;

use super::global::GlobalConfig;
use super::http::{HttpConfig, with_slash};
use super::values::{GoDuration, HttpUrl, Secret, SecretUrl, at_most_one, with_unit};

/// One entry of `pagerduty_configs`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct PagerdutyConfig {
    pub send_resolved: bool,
    pub http_config: Option<HttpConfig>,
    pub service_key: Secret,
    pub service_key_file: String,
    pub routing_key: Secret,
    pub routing_key_file: String,
    pub url: Option<HttpUrl>,
    pub client: String,
    pub client_url: String,
    pub description: String,
    pub details: BTreeMap<String, serde_json::Value>,
    pub images: Vec<PagerdutyImage>,
    pub links: Vec<PagerdutyLink>,
    pub source: String,
    pub severity: String,
    pub class: String,
    pub component: String,
    pub group: String,
    pub timeout: GoDuration,
}

/// An entry of `images`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct PagerdutyImage {
    pub src: String,
    pub alt: String,
    pub href: String,
}

/// An entry of `links`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct PagerdutyLink {
    pub href: String,
    pub text: String,
}

impl Default for PagerdutyConfig {
    fn default() -> Self {
        PagerdutyConfig {
            send_resolved: true,
            http_config: None,
            service_key: Secret::default(),
            service_key_file: String::new(),
            routing_key: Secret::default(),
            routing_key_file: String::new(),
            url: None,
            client: "{{ template \"pagerduty.default.client\" . }}".to_owned(),
            client_url: "{{ template \"pagerduty.default.clientURL\" . }}".to_owned(),
            description: "{{ template \"pagerduty.default.description\" .}}".to_owned(),
            details: BTreeMap::new(),
            images: Vec::new(),
            links: Vec::new(),
            source: String::new(),
            severity: String::new(),
            class: String::new(),
            component: String::new(),
            group: String::new(),
            timeout: GoDuration(0),
        }
    }
}

impl PagerdutyConfig {
    pub(crate) fn check(&mut self) -> Result<(), String> {
        let routing = [!self.routing_key.is_empty(), !self.routing_key_file.is_empty()];
        let service = [!self.service_key.is_empty(), !self.service_key_file.is_empty()];
        if !routing.contains(&true) && !service.contains(&true) {
            return Err("missing service or routing key in PagerDuty config".to_owned());
        }
        at_most_one("routing_key & routing_key_file", &routing)?;
        at_most_one("service_key & service_key_file", &service)?;
        let details = [
            ("firing", "{{ template \"pagerduty.default.instances\" .Alerts.Firing }}"),
            ("resolved", "{{ template \"pagerduty.default.instances\" .Alerts.Resolved }}"),
            ("num_firing", "{{ .Alerts.Firing | len }}"),
            ("num_resolved", "{{ .Alerts.Resolved | len }}"),
        ];
        for (name, template) in details {
            self.details.entry(name.to_owned()).or_insert_with(|| template.into());
        }
        if self.source.is_empty() {
            self.source.clone_from(&self.client);
        }
        Ok(())
    }

    pub(crate) fn inherit(&mut self, global: &GlobalConfig) -> Result<(), String> {
        if self.url.is_none() {
            self.url = Some(global.pagerduty_url.clone().ok_or("no global PagerDuty URL set")?);
        }
        Ok(())
    }
}

/// One entry of `opsgenie_configs`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct OpsgenieConfig {
    pub send_resolved: bool,
    pub http_config: Option<HttpConfig>,
    pub api_key: Secret,
    pub api_key_file: String,
    pub api_url: Option<HttpUrl>,
    pub message: String,
    pub description: String,
    pub source: String,
    pub details: BTreeMap<String, String>,
    pub entity: String,
    pub responders: Vec<OpsgenieResponder>,
    pub actions: String,
    pub tags: String,
    pub note: String,
    pub priority: String,
    pub update_alerts: bool,
}

/// An entry of `responders`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct OpsgenieResponder {
    pub id: String,
    pub name: String,
    pub username: String,
    #[serde(rename = "type")]
    pub kind: String,
}

impl Default for OpsgenieConfig {
    fn default() -> Self {
        let template = |name: &str| format!("{{{{ template \"opsgenie.default.{name}\" . }}}}");
        OpsgenieConfig {
            send_resolved: true,
            http_config: None,
            api_key: Secret::default(),
            api_key_file: String::new(),
            api_url: None,
            message: template("message"),
            description: template("description"),
            source: template("source"),
            details: BTreeMap::new(),
            entity: String::new(),
            responders: Vec::new(),
            actions: String::new(),
            tags: String::new(),
            note: String::new(),
            priority: String::new(),
            update_alerts: false,
        }
    }
}

impl OpsgenieConfig {
    pub(crate) fn check(&self) -> Result<(), String> {
        at_most_one("api_key & api_key_file", &[!self.api_key.is_empty(), !self.api_key_file.is_empty()])?;
        for r in &self.responders {
            let shown = format!("{{{} {} {} {}}}", r.id, r.name, r.username, r.kind);
            if r.id.is_empty() && r.name.is_empty() && r.username.is_empty() {
                return Err(format!(
                    "opsGenieConfig responder {shown} has to have at least one of id, username or name specified"
                ));
            }
            if r.kind.contains("{{") {
                super::check_template(&r.kind).map_err(|e| {
                    format!("opsGenieConfig responder {shown} type contains invalid template syntax: {e}")
                })?;
            } else if !["team", "teams", "user", "escalation", "schedule"].contains(&r.kind.to_lowercase().as_str()) {
                return Err(format!(
                    "opsGenieConfig responder {shown} type does not match valid options \
                     ^(team|teams|user|escalation|schedule)$"
                ));
            }
        }
        Ok(())
    }

    pub(crate) fn inherit(&mut self, global: &GlobalConfig) -> Result<(), String> {
        let url = self.api_url.take().or_else(|| global.opsgenie_api_url.clone());
        self.api_url = Some(with_slash(url.ok_or("no global OpsGenie URL set")?));
        if self.api_key.is_empty() && self.api_key_file.is_empty() {
            self.api_key = global.opsgenie_api_key.clone();
            self.api_key_file = global.opsgenie_api_key_file.clone();
        }
        if self.api_key.is_empty() && self.api_key_file.is_empty() {
            return Err("no global OpsGenie API Key set either inline or in a file".to_owned());
        }
        Ok(())
    }
}

/// One entry of `victorops_configs`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct VictoropsConfig {
    pub send_resolved: bool,
    pub http_config: Option<HttpConfig>,
    pub api_key: Secret,
    pub api_key_file: String,
    pub api_url: Option<HttpUrl>,
    pub routing_key: String,
    pub message_type: String,
    pub state_message: String,
    pub entity_display_name: String,
    pub monitoring_tool: String,
    pub custom_fields: BTreeMap<String, String>,
}

impl Default for VictoropsConfig {
    fn default() -> Self {
        let template = |name: &str| format!("{{{{ template \"victorops.default.{name}\" . }}}}");
        VictoropsConfig {
            send_resolved: true,
            http_config: None,
            api_key: Secret::default(),
            api_key_file: String::new(),
            api_url: None,
            routing_key: String::new(),
            message_type: "CRITICAL".to_owned(),
            state_message: template("state_message"),
            entity_display_name: template("entity_display_name"),
            monitoring_tool: template("monitoring_tool"),
            custom_fields: BTreeMap::new(),
        }
    }
}

impl VictoropsConfig {
    pub(crate) fn check(&self) -> Result<(), String> {
        const FIXED: [&str; 6] =
            ["routing_key", "message_type", "state_message", "entity_display_name", "monitoring_tool", "entity_id"];
        if self.routing_key.is_empty() {
            return Err("missing Routing key in VictorOps config".to_owned());
        }
        at_most_one("api_key & api_key_file", &[!self.api_key.is_empty(), !self.api_key_file.is_empty()])?;
        match FIXED.iter().find(|name| self.custom_fields.contains_key(**name)) {
            Some(name) => Err(format!(
                "victorOps config contains custom field {name} which cannot be used as it conflicts with the \
                 fixed/static fields"
            )),
            None => Ok(()),
        }
    }

    pub(crate) fn inherit(&mut self, global: &GlobalConfig) -> Result<(), String> {
        let url = self.api_url.take().or_else(|| global.victorops_api_url.clone());
        self.api_url = Some(with_slash(url.ok_or("no global VictorOps URL set")?));
        if self.api_key.is_empty() && self.api_key_file.is_empty() {
            self.api_key = global.victorops_api_key.clone();
            self.api_key_file = global.victorops_api_key_file.clone();
        }
        if self.api_key.is_empty() && self.api_key_file.is_empty() {
            return Err("no global VictorOps API Key set".to_owned());
        }
        Ok(())
    }
}

/// One entry of `pushover_configs`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct PushoverConfig {
    pub send_resolved: bool,
    pub http_config: Option<HttpConfig>,
    pub user_key: Secret,
    pub user_key_file: String,
    pub token: Secret,
    pub token_file: String,
    pub title: String,
    pub message: String,
    pub url: String,
    pub url_title: String,
    pub device: String,
    pub sound: String,
    pub priority: String,
    #[serde(deserialize_with = "with_unit")]
    pub retry: GoDuration,
    #[serde(deserialize_with = "with_unit")]
    pub expire: GoDuration,
    #[serde(deserialize_with = "with_unit")]
    pub ttl: GoDuration,
    pub html: bool,
    pub monospace: bool,
}

impl Default for PushoverConfig {
    fn default() -> Self {
        let template = |name: &str| format!("{{{{ template \"pushover.default.{name}\" . }}}}");
        PushoverConfig {
            send_resolved: true,
            http_config: None,
            user_key: Secret::default(),
            user_key_file: String::new(),
            token: Secret::default(),
            token_file: String::new(),
            title: template("title"),
            message: template("message"),
            url: template("url"),
            url_title: String::new(),
            device: String::new(),
            sound: String::new(),
            priority: "{{ if eq .Status \"firing\" }}2{{ else }}0{{ end }}".to_owned(),
            retry: GoDuration(60_000),
            expire: GoDuration(3_600_000),
            ttl: GoDuration(0),
            html: false,
            monospace: false,
        }
    }
}

impl PushoverConfig {
    pub(crate) fn check(&self) -> Result<(), String> {
        let user = [!self.user_key.is_empty(), !self.user_key_file.is_empty()];
        let token = [!self.token.is_empty(), !self.token_file.is_empty()];
        if !user.contains(&true) {
            return Err("one of user_key or user_key_file must be configured".to_owned());
        }
        at_most_one("user_key & user_key_file", &user)?;
        if !token.contains(&true) {
            return Err("one of token or token_file must be configured".to_owned());
        }
        at_most_one("token & token_file", &token)?;
        at_most_one("monospace & html", &[self.monospace, self.html])
    }
}

/// One entry of `incidentio_configs`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct IncidentioConfig {
    pub send_resolved: bool,
    pub http_config: Option<HttpConfig>,
    pub url: Option<SecretUrl>,
    pub url_file: String,
    pub alert_source_token: Secret,
    pub alert_source_token_file: String,
    pub max_alerts: u64,
    pub timeout: GoDuration,
}

impl Default for IncidentioConfig {
    fn default() -> Self {
        IncidentioConfig {
            send_resolved: true,
            http_config: None,
            url: None,
            url_file: String::new(),
            alert_source_token: Secret::default(),
            alert_source_token_file: String::new(),
            max_alerts: 0,
            timeout: GoDuration(0),
        }
    }
}

impl IncidentioConfig {
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.url.is_none() && self.url_file.is_empty() {
            return Err("one of url or url_file must be configured".to_owned());
        }
        at_most_one("url & url_file", &[self.url.is_some(), !self.url_file.is_empty()])?;
        let token = [!self.alert_source_token.is_empty(), !self.alert_source_token_file.is_empty()];
        at_most_one("alert_source_token & alert_source_token_file", &token)?;
        if token.contains(&true) && self.http_config.as_ref().is_some_and(|h| h.authorization.is_some()) {
            return Err("cannot specify alert_source_token or alert_source_token_file when using \
                        http_config.authorization"
                .to_owned());
        }
        Ok(())
    }
}
