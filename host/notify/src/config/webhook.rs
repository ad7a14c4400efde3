//! `webhook_configs`.

use serde::Deserialize;

use super::http::HttpConfig;
use super::values::{GoDuration, Secret, SecretUrl, at_most_one};

/// One entry of `webhook_configs`. After loading `http_config` is set.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookConfig {
    /// Whether to tell of resolved alerts; default yes.
    pub send_resolved: bool,
    /// How requests are made.
    pub http_config: Option<HttpConfig>,
    /// Where to; a template.
    pub url: Secret,
    /// A file that holds it.
    pub url_file: String,
    /// Alerts in one message; the rest is counted in it. 0: all.
    pub max_alerts: u64,
    /// How long a request may take; 0: until the group's next turn.
    pub timeout: GoDuration,
    /// The body, in place of Alertmanager's: any value whose texts are templates.
    pub payload: Option<serde_json::Value>,
}

impl Default for WebhookConfig {
    fn default() -> Self {
        WebhookConfig {
            send_resolved: true,
            http_config: None,
            url: Secret::default(),
            url_file: String::new(),
            max_alerts: 0,
            timeout: GoDuration(0),
            payload: None,
        }
    }
}

impl WebhookConfig {
    /// Checks the entry by itself.
    pub(crate) fn check(&self) -> Result<(), String> {
        let ways = [!self.url.is_empty(), !self.url_file.is_empty()];
        if ways == [false, false] {
            return Err("one of url or url_file must be configured".to_owned());
        }
        at_most_one("url & url_file", &ways)?;
        let url = self.url.expose();
        if url.contains("{{") {
            super::check_template(url).map_err(|e| format!("invalid template syntax: {e}"))
        } else if ways[0] {
            SecretUrl::parse(url).map(|_| ()).map_err(|e| format!("invalid URL: {e}"))
        } else {
            Ok(())
        }
    }
}
