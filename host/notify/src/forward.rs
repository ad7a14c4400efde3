//! Forwarding to an external Alertmanager: its API v2.

use watchglass_model::{Alert, TimeMs};
use watchglass_text::gotime::Time;
use watchglass_text::template::Value;

use crate::config::{HttpConfig, SecretUrl};
use crate::render::data::kv;
use crate::render::json::{self, Object};

/// An Alertmanager that alerts are handed on to. Made by the program, not by alertmanager.yml.
#[derive(Clone, Debug, PartialEq)]
pub struct ForwardConfig {
    /// Its address, with the prefix of its path if it has one.
    pub url: SecretUrl,
    /// How requests are made.
    pub http_config: HttpConfig,
}

impl ForwardConfig {
    /// Where alerts are posted.
    pub(crate) fn alerts_url(&self) -> String {
        format!("{}/api/v2/alerts", self.url.expose().trim_end_matches('/'))
    }
}

/// The body of `POST /api/v2/alerts`.
pub fn body<'a>(alerts: impl IntoIterator<Item = &'a Alert>) -> Result<String, String> {
    let mut items = Vec::new();
    for alert in alerts {
        let mut object = Object::new();
        object.raw("labels", &json::value(&kv(&alert.labels))?);
        object.raw("annotations", &json::value(&kv(&alert.annotations))?);
        object.raw("startsAt", &time(alert.starts_at)?).raw("endsAt", &time(alert.ends_at)?);
        object.text_unless_empty("generatorURL", &alert.generator_url);
        items.push(object.end());
    }
    Ok(json::list(items))
}

fn time(at: TimeMs) -> Result<String, String> {
    json::value(&Value::Time(Time::from_ms(at)))
}
