//! The `global` section.

use serde::Deserialize;

use super::http::{HttpConfig, TlsConfig, with_slash};
use super::slack::SLACK_APP_URL;
use super::values::{HttpUrl, PromDuration, Secret, SecretUrl, at_most_one};

/// The `global` section: what receivers take where they say nothing themselves.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
#[allow(
    missing_docs,
    reason = "keys of alertmanager.yml under their own names; receivers that use them say what they are"
)]
pub struct GlobalConfig {
    /// How long a firing alert without an end counts as firing if nobody renews it.
    pub resolve_timeout: PromDuration,
    /// How requests are made.
    pub http_config: HttpConfig,
    pub smtp_from: String,
    pub smtp_hello: String,
    pub smtp_smarthost: HostPort,
    pub smtp_auth_username: String,
    pub smtp_auth_password: Secret,
    pub smtp_auth_password_file: String,
    pub smtp_auth_secret: Secret,
    pub smtp_auth_secret_file: String,
    pub smtp_auth_identity: String,
    pub smtp_require_tls: bool,
    pub smtp_force_implicit_tls: Option<bool>,
    pub smtp_tls_config: Option<TlsConfig>,
    pub slack_api_url: Option<SecretUrl>,
    pub slack_api_url_file: String,
    pub slack_app_token: Secret,
    pub slack_app_token_file: String,
    pub slack_app_url: Option<HttpUrl>,
    pub pagerduty_url: Option<HttpUrl>,
    pub opsgenie_api_url: Option<HttpUrl>,
    pub opsgenie_api_key: Secret,
    pub opsgenie_api_key_file: String,
    pub wechat_api_url: Option<HttpUrl>,
    pub wechat_api_secret: Secret,
    pub wechat_api_secret_file: String,
    pub wechat_api_corp_id: String,
    pub victorops_api_url: Option<HttpUrl>,
    pub victorops_api_key: Secret,
    pub victorops_api_key_file: String,
    pub telegram_api_url: Option<HttpUrl>,
    pub telegram_bot_token: Secret,
    pub telegram_bot_token_file: String,
    pub webex_api_url: Option<HttpUrl>,
    pub rocketchat_api_url: Option<HttpUrl>,
    pub rocketchat_token: Secret,
    pub rocketchat_token_file: String,
    pub rocketchat_token_id: Secret,
    pub rocketchat_token_id_file: String,
    pub jira_api_url: Option<HttpUrl>,
    pub mattermost_webhook_url: Option<SecretUrl>,
    pub mattermost_webhook_url_file: String,
}

impl Default for GlobalConfig {
    fn default() -> Self {
        let url = |text: &str| HttpUrl::parse(text).ok();
        GlobalConfig {
            resolve_timeout: PromDuration(300_000),
            http_config: HttpConfig::default(),
            smtp_from: String::new(),
            smtp_hello: "localhost".to_owned(),
            smtp_smarthost: HostPort::default(),
            smtp_auth_username: String::new(),
            smtp_auth_password: Secret::default(),
            smtp_auth_password_file: String::new(),
            smtp_auth_secret: Secret::default(),
            smtp_auth_secret_file: String::new(),
            smtp_auth_identity: String::new(),
            smtp_require_tls: true,
            smtp_force_implicit_tls: None,
            smtp_tls_config: None,
            slack_api_url: None,
            slack_api_url_file: String::new(),
            slack_app_token: Secret::default(),
            slack_app_token_file: String::new(),
            slack_app_url: url(SLACK_APP_URL),
            pagerduty_url: url("https://events.pagerduty.com/v2/enqueue"),
            opsgenie_api_url: url("https://api.opsgenie.com/"),
            opsgenie_api_key: Secret::default(),
            opsgenie_api_key_file: String::new(),
            wechat_api_url: url("https://qyapi.weixin.qq.com/cgi-bin/"),
            wechat_api_secret: Secret::default(),
            wechat_api_secret_file: String::new(),
            wechat_api_corp_id: String::new(),
            victorops_api_url: url("https://alert.victorops.com/integrations/generic/20131114/alert/"),
            victorops_api_key: Secret::default(),
            victorops_api_key_file: String::new(),
            telegram_api_url: url("https://api.telegram.org"),
            telegram_bot_token: Secret::default(),
            telegram_bot_token_file: String::new(),
            webex_api_url: url("https://webexapis.com/v1/messages"),
            rocketchat_api_url: url("https://open.rocket.chat/"),
            rocketchat_token: Secret::default(),
            rocketchat_token_file: String::new(),
            rocketchat_token_id: Secret::default(),
            rocketchat_token_id_file: String::new(),
            jira_api_url: None,
            mattermost_webhook_url: None,
            mattermost_webhook_url_file: String::new(),
        }
    }
}

impl GlobalConfig {
    /// Checks what amtool checks, in its words.
    pub(crate) fn check(&mut self) -> Result<(), String> {
        self.http_config.check()?;
        if let Some(tls) = &self.smtp_tls_config {
            tls.check()?;
        }
        let set = |text: &str| !text.is_empty();
        at_most_one(
            "slack_api_url & slack_api_url_file",
            &[self.slack_api_url.is_some(), set(&self.slack_api_url_file)],
        )?;
        let tokens = [!self.slack_app_token.is_empty(), set(&self.slack_app_token_file)];
        at_most_one("slack_app_token & slack_app_token_file", &tokens)?;
        // The app's own address as `slack_api_url` is how tokens were used before there was `slack_app_token`.
        let webhook =
            set(&self.slack_api_url_file) || self.slack_api_url.as_ref().is_some_and(|u| u.expose() != SLACK_APP_URL);
        let both = "slack_app_token/slack_app_token_file & slack_api_url/slack_api_url_file";
        at_most_one(both, &[tokens.contains(&true), webhook])?;
        at_most_one(
            "opsgenie_api_key & opsgenie_api_key_file",
            &[!self.opsgenie_api_key.is_empty(), set(&self.opsgenie_api_key_file)],
        )?;
        at_most_one(
            "victorops_api_key & victorops_api_key_file",
            &[!self.victorops_api_key.is_empty(), set(&self.victorops_api_key_file)],
        )?;
        at_most_one(
            "wechat_api_secret & wechat_api_secret_file",
            &[!self.wechat_api_secret.is_empty(), set(&self.wechat_api_secret_file)],
        )?;
        at_most_one(
            "smtp_auth_password & smtp_auth_password_file",
            &[!self.smtp_auth_password.is_empty(), set(&self.smtp_auth_password_file)],
        )?;
        at_most_one(
            "smtp_auth_secret & smtp_auth_secret_file",
            &[!self.smtp_auth_secret.is_empty(), set(&self.smtp_auth_secret_file)],
        )?;
        at_most_one(
            "telegram_bot_token & telegram_bot_token_file",
            &[!self.telegram_bot_token.is_empty(), set(&self.telegram_bot_token_file)],
        )?;
        at_most_one(
            "rocketchat_token & rocketchat_token_file",
            &[!self.rocketchat_token.is_empty(), set(&self.rocketchat_token_file)],
        )?;
        at_most_one(
            "rocketchat_token_id & rocketchat_token_id_file",
            &[!self.rocketchat_token_id.is_empty(), set(&self.rocketchat_token_id_file)],
        )?;
        at_most_one(
            "mattermost_webhook_url & mattermost_webhook_url_file",
            &[self.mattermost_webhook_url.is_some(), set(&self.mattermost_webhook_url_file)],
        )?;
        for url in [&mut self.opsgenie_api_url, &mut self.wechat_api_url, &mut self.victorops_api_url] {
            *url = url.take().map(with_slash);
        }
        Ok(())
    }
}

/// A mail server's host and port; empty where none is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostPort {
    /// Host.
    pub host: String,
    /// Port.
    pub port: String,
}

impl<'de> Deserialize<'de> for HostPort {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let text = String::deserialize(deserializer)?;
        if text.is_empty() {
            return Ok(HostPort::default());
        }
        let (host, port) = match text.strip_prefix('[').and_then(|t| t.split_once("]:")) {
            Some(v6) => v6,
            None => match text.split_once(':') {
                None => return Err(D::Error::custom(format!("address {text}: missing port in address"))),
                Some((_, rest)) if rest.contains(':') => {
                    return Err(D::Error::custom(format!("address {text}: too many colons in address")));
                }
                Some(parts) => parts,
            },
        };
        if port.is_empty() {
            return Err(D::Error::custom(format!("address \"{text}\": port cannot be empty")));
        }
        Ok(HostPort { host: host.to_owned(), port: port.to_owned() })
    }
}
