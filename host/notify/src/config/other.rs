//! Receivers of other kinds: email, jira, mattermost, rocketchat, sns.
#![allow(missing_docs, reason = "keys of alertmanager.yml under their own names")]

use std::collections::BTreeMap;

use serde::Deserialize;

use super::global::{GlobalConfig, HostPort};
use super::http::{HttpConfig, TlsConfig};
use super::values::{HttpUrl, PromDuration, Secret, SecretUrl, at_most_one};

/// One entry of `email_configs`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct EmailConfig {
    pub send_resolved: bool,
    pub to: String,
    pub from: String,
    pub hello: String,
    pub smarthost: HostPort,
    pub auth_username: String,
    pub auth_password: Secret,
    pub auth_password_file: String,
    pub auth_secret: Secret,
    pub auth_secret_file: String,
    pub auth_identity: String,
    pub headers: BTreeMap<String, String>,
    pub html: String,
    pub text: String,
    pub require_tls: Option<bool>,
    pub force_implicit_tls: Option<bool>,
    pub tls_config: Option<TlsConfig>,
    pub threading: EmailThreading,
}

/// `threading` of an email entry.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct EmailThreading {
    pub enabled: bool,
    pub thread_by_date: String,
}

impl Default for EmailConfig {
    fn default() -> Self {
        EmailConfig {
            send_resolved: false,
            to: String::new(),
            from: String::new(),
            hello: String::new(),
            smarthost: HostPort::default(),
            auth_username: String::new(),
            auth_password: Secret::default(),
            auth_password_file: String::new(),
            auth_secret: Secret::default(),
            auth_secret_file: String::new(),
            auth_identity: String::new(),
            headers: BTreeMap::new(),
            html: "{{ template \"email.default.html\" . }}".to_owned(),
            text: String::new(),
            require_tls: None,
            force_implicit_tls: None,
            tls_config: None,
            threading: EmailThreading::default(),
        }
    }
}

/// A header's name as mail writes it: `message-id` is `Message-Id`.
fn canonical_header(name: &str) -> String {
    let word = |w: &str| {
        let mut chars = w.chars();
        let first = chars.next().map(|c| c.to_ascii_uppercase());
        first.into_iter().chain(chars.map(|c| c.to_ascii_lowercase())).collect::<String>()
    };
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}

impl EmailConfig {
    pub(crate) fn check(&mut self) -> Result<(), String> {
        if self.to.is_empty() {
            return Err("missing to address in email config".to_owned());
        }
        let mut headers = BTreeMap::new();
        for (name, value) in std::mem::take(&mut self.headers) {
            let name = canonical_header(&name);
            if headers.insert(name.clone(), value).is_some() {
                return Err(format!("duplicate header \"{name}\" in email config"));
            }
        }
        self.headers = headers;
        if self.threading.enabled {
            if !matches!(self.threading.thread_by_date.as_str(), "none" | "daily") {
                return Err("threading.thread_by_date must be either 'none' or 'daily'".to_owned());
            }
            for name in ["References", "In-Reply-To"] {
                if self.headers.contains_key(name) {
                    return Err(format!(
                        "conflicting configuration: threading.enabled conflicts with custom {name} header"
                    ));
                }
            }
        }
        self.tls_config.as_ref().map_or(Ok(()), TlsConfig::check)
    }

    pub(crate) fn inherit(&mut self, global: &GlobalConfig) -> Result<(), String> {
        if self.smarthost == HostPort::default() {
            if global.smtp_smarthost == HostPort::default() {
                return Err("no global SMTP smarthost set".to_owned());
            }
            self.smarthost = global.smtp_smarthost.clone();
        }
        if self.from.is_empty() {
            if global.smtp_from.is_empty() {
                return Err("no global SMTP from set".to_owned());
            }
            self.from.clone_from(&global.smtp_from);
        }
        let fill = |own: &mut String, theirs: &String| {
            if own.is_empty() {
                own.clone_from(theirs);
            }
        };
        fill(&mut self.hello, &global.smtp_hello);
        fill(&mut self.auth_username, &global.smtp_auth_username);
        fill(&mut self.auth_identity, &global.smtp_auth_identity);
        if self.auth_password.is_empty() && self.auth_password_file.is_empty() {
            self.auth_password = global.smtp_auth_password.clone();
            self.auth_password_file.clone_from(&global.smtp_auth_password_file);
        }
        if self.auth_secret.is_empty() && self.auth_secret_file.is_empty() {
            self.auth_secret = global.smtp_auth_secret.clone();
            self.auth_secret_file.clone_from(&global.smtp_auth_secret_file);
        }
        self.require_tls.get_or_insert(global.smtp_require_tls);
        self.force_implicit_tls = self.force_implicit_tls.or(global.smtp_force_implicit_tls);
        if self.tls_config.is_none() {
            self.tls_config = global.smtp_tls_config.clone();
        }
        Ok(())
    }
}

/// One entry of `jira_configs`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct JiraConfig {
    pub send_resolved: bool,
    pub http_config: Option<HttpConfig>,
    pub api_url: Option<HttpUrl>,
    pub api_type: String,
    pub project: String,
    pub summary: JiraText,
    pub description: JiraText,
    pub labels: Vec<String>,
    pub priority: String,
    pub issue_type: String,
    pub resolve_transition: String,
    pub reopen_transition: String,
    pub wont_fix_resolution: String,
    pub reopen_duration: PromDuration,
    pub fields: BTreeMap<String, serde_json::Value>,
}

/// A text of a Jira issue: a template, or a map that also says whether later notifications change it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JiraText {
    pub template: String,
    pub enable_update: Option<bool>,
}

impl<'de> Deserialize<'de> for JiraText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        #[derive(Deserialize)]
        #[serde(default, deny_unknown_fields)]
        #[derive(Default)]
        struct Map {
            template: String,
            enable_update: Option<bool>,
        }
        impl<'de> serde::de::Visitor<'de> for Text {
            type Value = JiraText;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a template or a map with `template`")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<JiraText, E> {
                Ok(JiraText { template: text.to_owned(), enable_update: None })
            }

            fn visit_bool<E: serde::de::Error>(self, v: bool) -> Result<JiraText, E> {
                self.visit_str(&v.to_string())
            }

            fn visit_i64<E: serde::de::Error>(self, v: i64) -> Result<JiraText, E> {
                self.visit_str(&v.to_string())
            }

            fn visit_u64<E: serde::de::Error>(self, v: u64) -> Result<JiraText, E> {
                self.visit_str(&v.to_string())
            }

            fn visit_f64<E: serde::de::Error>(self, v: f64) -> Result<JiraText, E> {
                self.visit_str(&v.to_string())
            }

            fn visit_unit<E: serde::de::Error>(self) -> Result<JiraText, E> {
                self.visit_str("")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<JiraText, A::Error> {
                let map = Map::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                Ok(JiraText { template: map.template, enable_update: map.enable_update })
            }
        }
        deserializer.deserialize_any(Text)
    }
}

impl Default for JiraConfig {
    fn default() -> Self {
        let template = |name: &str| format!("{{{{ template \"jira.default.{name}\" . }}}}");
        JiraConfig {
            send_resolved: true,
            http_config: None,
            api_url: None,
            api_type: "auto".to_owned(),
            project: String::new(),
            summary: JiraText { template: template("summary"), enable_update: None },
            description: JiraText { template: template("description"), enable_update: None },
            labels: Vec::new(),
            priority: template("priority"),
            issue_type: String::new(),
            resolve_transition: String::new(),
            reopen_transition: String::new(),
            wont_fix_resolution: String::new(),
            reopen_duration: PromDuration(0),
            fields: BTreeMap::new(),
        }
    }
}

impl JiraConfig {
    pub(crate) fn check(&self) -> Result<(), String> {
        for (name, value) in [("project", &self.project), ("issue_type", &self.issue_type)] {
            if value.is_empty() {
                return Err(format!("missing {name} in jira_config"));
            }
        }
        if !matches!(self.api_type.as_str(), "auto" | "cloud" | "datacenter") {
            return Err("unknown api_type on jira_config, must be auto, cloud or datacenter".to_owned());
        }
        Ok(())
    }

    pub(crate) fn inherit(&mut self, global: &GlobalConfig) -> Result<(), String> {
        if self.api_url.is_none() {
            self.api_url = Some(global.jira_api_url.clone().ok_or("no global Jira Cloud URL set")?);
        }
        Ok(())
    }
}

/// One entry of `mattermost_configs`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct MattermostConfig {
    pub send_resolved: bool,
    pub http_config: Option<HttpConfig>,
    pub webhook_url: Option<SecretUrl>,
    pub webhook_url_file: String,
    pub channel: String,
    pub username: String,
    pub text: String,
    pub icon_url: String,
    pub icon_emoji: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub props: Option<MattermostProps>,
    pub priority: Option<MattermostPriority>,
    pub attachments: Vec<MattermostAttachment>,
    pub fallback: String,
    pub color: String,
    pub pretext: String,
    pub author_name: String,
    pub author_link: String,
    pub author_icon: String,
    pub title: String,
    pub title_link: String,
    pub fields: Vec<MattermostField>,
    pub thumb_url: String,
    pub footer: String,
    pub footer_icon: String,
    pub image_url: String,
}

/// `props` of a mattermost entry.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct MattermostProps {
    pub card: String,
}

/// `priority` of a mattermost entry.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct MattermostPriority {
    pub priority: String,
    pub requested_ack: bool,
    pub persistent_notifications: bool,
}

/// An entry of `attachments`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct MattermostAttachment {
    pub fallback: String,
    pub color: String,
    pub pretext: String,
    pub text: String,
    pub author_name: String,
    pub author_link: String,
    pub author_icon: String,
    pub title: String,
    pub title_link: String,
    pub fields: Vec<MattermostField>,
    pub thumb_url: String,
    pub footer: String,
    pub footer_icon: String,
    pub image_url: String,
}

/// An entry of `fields`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct MattermostField {
    pub title: String,
    pub value: String,
    pub short: Option<bool>,
}

impl Default for MattermostConfig {
    fn default() -> Self {
        let template = |name: &str| format!("{{{{ template \"mattermost.default.{name}\" . }}}}");
        MattermostConfig {
            send_resolved: true,
            http_config: None,
            webhook_url: None,
            webhook_url_file: String::new(),
            channel: String::new(),
            username: template("username"),
            text: template("text"),
            icon_url: String::new(),
            icon_emoji: String::new(),
            kind: String::new(),
            props: None,
            priority: None,
            attachments: Vec::new(),
            fallback: template("fallback"),
            color: template("color"),
            pretext: String::new(),
            author_name: String::new(),
            author_link: String::new(),
            author_icon: String::new(),
            title: template("title"),
            title_link: template("titlelink"),
            fields: Vec::new(),
            thumb_url: String::new(),
            footer: String::new(),
            footer_icon: String::new(),
            image_url: String::new(),
        }
    }
}

impl MattermostConfig {
    pub(crate) fn check(&self) -> Result<(), String> {
        at_most_one(
            "webhook_url & webhook_url_file",
            &[self.webhook_url.is_some(), !self.webhook_url_file.is_empty()],
        )?;
        for field in self.fields.iter().chain(self.attachments.iter().flat_map(|a| &a.fields)) {
            for (name, value) in [("title", &field.title), ("value", &field.value)] {
                if value.is_empty() {
                    return Err(format!("missing {name} in Mattermost field configuration"));
                }
            }
        }
        Ok(())
    }

    pub(crate) fn inherit(&mut self, global: &GlobalConfig) -> Result<(), String> {
        if self.webhook_url.is_none() && self.webhook_url_file.is_empty() {
            self.webhook_url = global.mattermost_webhook_url.clone();
            self.webhook_url_file.clone_from(&global.mattermost_webhook_url_file);
        }
        if self.webhook_url.is_none() && self.webhook_url_file.is_empty() {
            return Err("missing webhook_url or webhook_url_file on mattermost_config".to_owned());
        }
        Ok(())
    }
}

/// One entry of `rocketchat_configs`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct RocketchatConfig {
    pub send_resolved: bool,
    pub http_config: Option<HttpConfig>,
    pub api_url: Option<HttpUrl>,
    pub token: Secret,
    pub token_file: String,
    pub token_id: Secret,
    pub token_id_file: String,
    pub channel: String,
    pub color: String,
    pub title: String,
    pub title_link: String,
    pub text: String,
    pub fields: Vec<RocketchatField>,
    pub short_fields: bool,
    pub emoji: String,
    pub icon_url: String,
    pub image_url: String,
    pub thumb_url: String,
    pub link_names: bool,
    pub actions: Vec<RocketchatAction>,
}

/// An entry of `fields`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct RocketchatField {
    pub title: String,
    pub value: String,
    pub short: Option<bool>,
}

/// An entry of `actions`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct RocketchatAction {
    #[serde(rename = "type")]
    pub kind: String,
    pub text: String,
    pub url: String,
}

impl Default for RocketchatConfig {
    fn default() -> Self {
        let template = |name: &str| format!("{{{{ template \"rocketchat.default.{name}\" . }}}}");
        RocketchatConfig {
            send_resolved: false,
            http_config: None,
            api_url: None,
            token: Secret::default(),
            token_file: String::new(),
            token_id: Secret::default(),
            token_id_file: String::new(),
            channel: String::new(),
            color: "{{ if eq .Status \"firing\" }}red{{ else }}green{{ end }}".to_owned(),
            title: template("title"),
            title_link: template("titlelink"),
            text: template("text"),
            fields: Vec::new(),
            short_fields: false,
            emoji: template("emoji"),
            icon_url: template("iconurl"),
            image_url: String::new(),
            thumb_url: String::new(),
            link_names: false,
            actions: Vec::new(),
        }
    }
}

impl RocketchatConfig {
    pub(crate) fn check(&self) -> Result<(), String> {
        at_most_one("token & token_file", &[!self.token.is_empty(), !self.token_file.is_empty()])?;
        at_most_one("token_id & token_id_file", &[!self.token_id.is_empty(), !self.token_id_file.is_empty()])
    }

    pub(crate) fn inherit(&mut self, global: &GlobalConfig) -> Result<(), String> {
        self.api_url = self.api_url.take().or_else(|| global.rocketchat_api_url.clone());
        if self.token_id.is_empty() && self.token_id_file.is_empty() {
            self.token_id = global.rocketchat_token_id.clone();
            self.token_id_file.clone_from(&global.rocketchat_token_id_file);
        }
        if self.token_id.is_empty() && self.token_id_file.is_empty() {
            return Err("no global Rocketchat TokenID set either inline or in a file".to_owned());
        }
        if self.token.is_empty() && self.token_file.is_empty() {
            self.token = global.rocketchat_token.clone();
            self.token_file.clone_from(&global.rocketchat_token_file);
        }
        if self.token.is_empty() && self.token_file.is_empty() {
            return Err("no global Rocketchat Token set either inline or in a file".to_owned());
        }
        Ok(())
    }
}

/// One entry of `sns_configs`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct SnsConfig {
    pub send_resolved: bool,
    pub http_config: Option<HttpConfig>,
    pub api_url: String,
    pub sigv4: SigV4Config,
    pub topic_arn: String,
    pub phone_number: String,
    pub target_arn: String,
    pub subject: String,
    pub message: String,
    pub attributes: BTreeMap<String, String>,
    pub use_aws_http_client: bool,
}

/// `sigv4` of an SNS entry.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct SigV4Config {
    pub region: String,
    pub access_key: String,
    pub secret_key: Secret,
    pub profile: String,
    pub role_arn: String,
    pub external_id: String,
    pub use_fips_sts_endpoint: bool,
    pub service_name: String,
}

impl Default for SnsConfig {
    fn default() -> Self {
        SnsConfig {
            send_resolved: true,
            http_config: None,
            api_url: String::new(),
            sigv4: SigV4Config::default(),
            topic_arn: String::new(),
            phone_number: String::new(),
            target_arn: String::new(),
            subject: "{{ template \"sns.default.subject\" . }}".to_owned(),
            message: "{{ template \"sns.default.message\" . }}".to_owned(),
            attributes: BTreeMap::new(),
            use_aws_http_client: false,
        }
    }
}

impl SnsConfig {
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.sigv4.access_key.is_empty() != self.sigv4.secret_key.is_empty() {
            return Err(
                "must provide a AWS SigV4 Access key and Secret Key if credentials are specified in the SigV4 \
                        config"
                    .to_owned(),
            );
        }
        // An odd number of the three, which is how amtool counts.
        if self.target_arn.is_empty() != (self.topic_arn.is_empty() != self.phone_number.is_empty()) {
            return Err("must provide either a Target ARN, Topic ARN, or Phone Number for SNS config".to_owned());
        }
        Ok(())
    }
}
