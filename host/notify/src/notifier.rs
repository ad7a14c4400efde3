//! Sending: one notification to one integration.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use watchglass_alerts::{Notification, Outcome};
use watchglass_model::{Alert, TimeMs};
use watchglass_text::template::Value;

use crate::config::{
    AlertmanagerConfig, GoDuration, HttpConfig, HttpUrl, IntegrationConfig, Secret, SlackConfig, WebhookConfig,
};
use crate::failure::{Failure, FailureReason};
use crate::forward::{self, ForwardConfig};
use crate::http::{Http, Post};
use crate::render::data::notification_data;
use crate::render::{Renderer, TemplateFileError};
use crate::retry::{PATIENCE, attempts};
use crate::{console, slack, webhook};

/// The longest that a receiver may take to answer where its configuration says nothing.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The shortest time that an attempt is given, even close to its deadline.
const LEAST_TIMEOUT: Duration = Duration::from_secs(1);

/// What is wrong with a configuration's receivers, found when they are made ready.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NotifierError {
    /// A template file can't be used.
    #[error("templates: {0}")]
    Template(#[from] TemplateFileError),
    /// A receiver can't be made ready.
    #[error("receiver {receiver}: {kind}_configs[{index}]: {message}")]
    Receiver {
        /// Its name.
        receiver: String,
        /// The integration's kind.
        kind: String,
        /// Which of its kind.
        index: usize,
        /// What is wrong.
        message: String,
    },
}

/// What became of a notification, with what metrics say of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// What the log is to keep, or why it was not taken.
    pub result: Result<BTreeMap<String, String>, Failure>,
    /// How many attempts were made; all but the last one failed.
    pub requests: u32,
}

impl Delivery {
    /// What the state machine is told.
    pub fn outcome(&self) -> Outcome {
        match &self.result {
            Ok(receiver_data) => Outcome::Sent { receiver_data: receiver_data.clone() },
            Err(failure) => failure.outcome(),
        }
    }
}

/// Sends notifications by a configuration.
pub struct Notifier {
    receivers: BTreeMap<String, Vec<Ready>>,
    renderer: Renderer,
    external_url: String,
    /// What no error may show.
    secrets: Vec<Secret>,
}

/// An integration that is ready to send.
enum Ready {
    Slack(Http, Box<SlackConfig>),
    Webhook(Http, Box<WebhookConfig>),
    Alertmanager(Http, Box<ForwardConfig>),
    Console,
    /// Of a kind that can't be sent to.
    Unsupported(String),
}

impl Notifier {
    /// Makes ready what a configuration names: reads template files and certificates, below `dir` where their paths are relative.
    ///
    /// `external_url` is where people reach us; it stands in messages. Kinds that can't be sent to fail when they are used.
    pub fn new(config: &AlertmanagerConfig, external_url: &str, dir: &Path) -> Result<Notifier, NotifierError> {
        let renderer = Renderer::with_files(&config.templates, dir)?;
        let mut receivers = BTreeMap::new();
        for receiver in &config.receivers {
            let mut all = Vec::new();
            for integration in &receiver.integrations {
                let ready = Ready::new(&integration.config, &integration.spec.kind, dir);
                all.push(ready.map_err(|message| NotifierError::Receiver {
                    receiver: receiver.name.clone(),
                    kind: integration.spec.kind.clone(),
                    index: integration.spec.index,
                    message,
                })?);
            }
            receivers.insert(receiver.name.clone(), all);
        }
        Ok(Notifier {
            receivers,
            renderer,
            external_url: external_url.trim_end_matches('/').to_owned(),
            secrets: config.secrets.clone(),
        })
    }

    /// Sends a notification, and tries again for up to ten seconds where that can help. Never past its deadline.
    ///
    /// Errors hold no secrets. `now` is the wall clock's time, which templates see.
    pub async fn send(&self, notification: &Notification, now: TimeMs) -> Outcome {
        self.deliver(notification, now).await.outcome()
    }

    /// As [`Notifier::send`], and tells what kind of failure it was and how often it was tried.
    pub async fn deliver(&self, notification: &Notification, now: TimeMs) -> Delivery {
        let ready = self.receivers.get(&notification.receiver).and_then(|all| all.get(notification.position));
        let requests = AtomicU32::new(0);
        let result = match ready {
            Some(ready) => self.send_by(ready, notification, &requests, now).await,
            None => {
                let message =
                    format!("receiver {} has no integration {}", notification.receiver, notification.position);
                Err(Failure::lasting(message, FailureReason::Other))
            }
        };
        // Each integration hides its own; an answer may still quote another's, where both write to one server.
        let secrets: Vec<&str> = self.secrets.iter().map(Secret::expose).collect();
        Delivery { result: result.map_err(|f| f.without_secrets(&secrets)), requests: requests.into_inner() }
    }

    async fn send_by(
        &self,
        ready: &Ready,
        notification: &Notification,
        requests: &AtomicU32,
        now: TimeMs,
    ) -> Result<BTreeMap<String, String>, Failure> {
        let clock = Clock::new(notification, requests, now);
        match ready {
            Ready::Slack(http, config) => {
                let data = notification_data(notification, &notification.alerts, &self.external_url);
                let earlier = slack::earlier(config, &notification.receiver_data);
                let body = |earlier| slack::message::body(config, earlier, |text| self.render(text, &data, now));
                let new = body(None)?;
                let change = earlier.as_ref().map(|e| body(Some(e))).transpose()?;
                let timeout = clock.timeout(config.timeout);
                let message = slack::Message { new, change, config, timeout, now };
                clock.attempts(|| slack::send(http, &message)).await
            }
            Ready::Webhook(http, config) => {
                let shown = match config.max_alerts {
                    0 => notification.alerts.len(),
                    max => notification.alerts.len().min(usize::try_from(max).unwrap_or(usize::MAX)),
                };
                let data = notification_data(notification, &notification.alerts[..shown], &self.external_url);
                let body = match &config.payload {
                    Some(payload) => webhook::custom_body(payload, |text| self.render(text, &data, now))?,
                    None => webhook::body(&data, notification, (notification.alerts.len() - shown) as u64)
                        .map_err(|e| Failure::lasting(e, FailureReason::Other))?,
                };
                let timeout = clock.timeout(config.timeout);
                clock.attempts(|| self.post_webhook(http, config, &data, &body, timeout, now)).await
            }
            Ready::Alertmanager(http, config) => {
                let alerts: Vec<Alert> = notification.alerts.iter().map(|a| a.alert.clone()).collect();
                let body = forward::body(&alerts).map_err(|e| Failure::lasting(e, FailureReason::Other))?;
                let (url, timeout) = (config.alerts_url(), clock.timeout(GoDuration(0)));
                clock.attempts(|| post(http, &url, &body, timeout, now)).await
            }
            Ready::Console => {
                write_out(console::text(notification)).await.map_err(|e| {
                    Failure::passing(format!("the console can't be written: {e}"), FailureReason::Other)
                })?;
                Ok(BTreeMap::new())
            }
            Ready::Unsupported(kind) => {
                Err(Failure::lasting(format!("receivers of kind {kind} can't be sent to yet"), FailureReason::Other))
            }
        }
    }

    fn render(&self, text: &str, data: &Value, now: TimeMs) -> Result<String, Failure> {
        self.renderer.text(text, data, now).map_err(|e| Failure::lasting(e.message, FailureReason::Other))
    }

    async fn post_webhook(
        &self,
        http: &Http,
        config: &WebhookConfig,
        data: &Value,
        body: &str,
        timeout: Duration,
        now: TimeMs,
    ) -> Result<BTreeMap<String, String>, Failure> {
        let url = match config.url_file.as_str() {
            "" => self.render(config.url.expose(), data, now).map_err(|f| f.without_secrets(&[config.url.expose()]))?,
            file => http.value("", file).await?,
        };
        if HttpUrl::parse(&url).is_err() {
            return Err(Failure::lasting("the webhook's URL is no http or https address", FailureReason::Other));
        }
        post(http, &url, body, timeout, now).await
    }
}

impl Ready {
    fn new(config: &IntegrationConfig, kind: &str, dir: &Path) -> Result<Ready, String> {
        let http = |config: &Option<HttpConfig>| match config {
            Some(config) => Http::new(config, dir),
            None => Http::new(&HttpConfig::default(), dir),
        };
        Ok(match config {
            IntegrationConfig::Slack(config) => Ready::Slack(http(&config.http_config)?, config.clone()),
            IntegrationConfig::Webhook(config) => Ready::Webhook(http(&config.http_config)?, config.clone()),
            IntegrationConfig::Alertmanager(config) => {
                Ready::Alertmanager(Http::new(&config.http_config, dir)?, config.clone())
            }
            IntegrationConfig::Console => Ready::Console,
            _ => Ready::Unsupported(kind.to_owned()),
        })
    }
}

/// What a notification's deadline leaves.
struct Clock<'a> {
    left: Duration,
    seed: u64,
    requests: &'a AtomicU32,
}

impl<'a> Clock<'a> {
    fn new(notification: &Notification, requests: &'a AtomicU32, now: TimeMs) -> Clock<'a> {
        let left = Duration::from_millis(notification.deadline.saturating_sub(now).max(0) as u64).max(LEAST_TIMEOUT);
        let seed = notification.id.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ now as u64;
        Clock { left, seed, requests }
    }

    /// How long one request may take.
    fn timeout(&self, configured: GoDuration) -> Duration {
        let configured = match configured.0 {
            ms if ms > 0 => Duration::from_millis(ms as u64),
            _ => TIMEOUT,
        };
        configured.min(self.left)
    }

    /// Tries until it succeeds, within the deadline.
    async fn attempts<T, F, R>(&self, mut attempt: F) -> Result<T, Failure>
    where
        F: FnMut() -> R,
        R: Future<Output = Result<T, Failure>>,
    {
        let counted = || {
            self.requests.fetch_add(1, Ordering::Relaxed);
            attempt()
        };
        let all = attempts(PATIENCE.min(self.left), self.seed, counted);
        match tokio::time::timeout(self.left, all).await {
            Ok(result) => result,
            Err(_) => Err(Failure::passing("no answer before the group's next turn", FailureReason::Timeout)),
        }
    }
}

async fn post(
    http: &Http,
    url: &str,
    body: &str,
    timeout: Duration,
    now: TimeMs,
) -> Result<BTreeMap<String, String>, Failure> {
    let answer = http.post(Post { url, body: body.to_owned(), token: None, timeout, now }).await?;
    if (200..300).contains(&answer.status) {
        return Ok(BTreeMap::new());
    }
    Err(Failure::status(answer.status, &answer.body, answer.retry_after).without_url(url))
}

/// Writes to the standard output, off the runtime's threads: a terminal may be stopped.
async fn write_out(text: String) -> std::io::Result<()> {
    let write = move || {
        use std::io::Write;
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    };
    tokio::task::spawn_blocking(write).await.map_err(std::io::Error::other)?
}
