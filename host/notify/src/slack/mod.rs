//! Slack: incoming webhooks, and apps by their token, whose messages can be changed later.

pub mod answer;
pub mod message;

use std::collections::BTreeMap;
use std::time::Duration;

use watchglass_model::TimeMs;

use crate::config::{HttpUrl, SlackConfig};
use crate::failure::{Failure, FailureReason};
use crate::http::{Http, Post};
use message::Earlier;

/// Under which keys the log keeps where a message went.
const CHANNEL: &str = "channel";
const TS: &str = "ts";

/// One message to send.
pub(crate) struct Message<'a> {
    /// The body of a new message.
    pub(crate) new: String,
    /// An earlier message of the group, and the body that changes it.
    pub(crate) change: Option<String>,
    pub(crate) config: &'a SlackConfig,
    pub(crate) timeout: Duration,
    pub(crate) now: TimeMs,
}

/// Where the earlier message of a group is, if the log knows.
pub(crate) fn earlier(config: &SlackConfig, kept: &BTreeMap<String, String>) -> Option<Earlier> {
    let (channel, ts) = (kept.get(CHANNEL)?, kept.get(TS)?);
    config.update_message.then(|| Earlier { channel: channel.clone(), ts: ts.clone() })
}

/// Sends a message once: changes the earlier one if there is one, posts a new one else. Gives what the log is to keep.
pub(crate) async fn send(http: &Http, message: &Message<'_>) -> Result<BTreeMap<String, String>, Failure> {
    let config = message.config;
    let token = match (config.app_token.is_empty(), config.app_token_file.as_str()) {
        (true, "") => None,
        (false, _) => Some(config.app_token.expose().to_owned()),
        (true, file) => Some(http.value("", file).await?),
    };
    let url = match (&token, &config.api_url, &config.app_url) {
        (Some(_), None, Some(url)) => HttpUrl::as_str(url).to_owned(),
        (_, Some(url), _) => url.expose().to_owned(),
        _ => http.value("", &config.api_url_file).await?,
    };
    // An address from a file was not checked with the configuration.
    if HttpUrl::parse(&url).is_err() {
        return Err(Failure::lasting("the Slack URL is no http or https address", FailureReason::Other));
    }
    let clean = |failure: Failure| failure.without_url(&url).without_secrets(&[token.as_deref().unwrap_or_default()]);
    let post = async |url: &str, body: &str| {
        let post =
            Post { url, body: body.to_owned(), token: token.as_deref(), timeout: message.timeout, now: message.now };
        let answer = http.post(post).await.map_err(clean)?;
        answer::read(answer.status, &answer.content_type, &answer.body, answer.retry_after).map_err(clean)
    };
    if let Some(change) = &message.change {
        match post(&url.replace("chat.postMessage", "chat.update"), change).await {
            Ok(place) => return Ok(kept(config, place)),
            // Deleted, or too old to change: people must hear of it all the same.
            Err(failure) if answer::is_gone(&failure) => {}
            Err(failure) => return Err(failure),
        }
    }
    post(&url, &message.new).await.map(|place| kept(config, place))
}

fn kept(config: &SlackConfig, place: Option<Earlier>) -> BTreeMap<String, String> {
    match place {
        Some(place) if config.update_message => {
            BTreeMap::from([(CHANNEL.to_owned(), place.channel), (TS.to_owned(), place.ts)])
        }
        _ => BTreeMap::new(),
    }
}
