//! `slack_configs`.

use serde::Deserialize;

use super::global::GlobalConfig;
use super::http::HttpConfig;
use super::values::{GoDuration, HttpUrl, Secret, SecretUrl, at_most_one};

/// Where a Slack app's token posts to, and the one address with which messages can be updated.
pub const SLACK_APP_URL: &str = "https://slack.com/api/chat.postMessage";

/// One entry of `slack_configs`. Texts are templates unless said otherwise.
///
/// After loading, what the global section sets is filled in: exactly one of `api_url`, `api_url_file`, and a token
/// (`app_token` or `app_token_file`, with `app_url`) is set, and `http_config` is.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct SlackConfig {
    /// Whether to tell of resolved alerts.
    pub send_resolved: bool,
    /// How requests are made.
    pub http_config: Option<HttpConfig>,
    /// Address of an incoming webhook.
    pub api_url: Option<SecretUrl>,
    /// A file that holds it.
    pub api_url_file: String,
    /// Token of an app.
    pub app_token: Secret,
    /// A file that holds it.
    pub app_token_file: String,
    /// Where the app's messages are posted.
    pub app_url: Option<HttpUrl>,
    /// Channel or user.
    pub channel: String,
    /// Name of the sender.
    pub username: String,
    /// Color of the bar: `good`, `warning`, `danger` or `#rrggbb`.
    pub color: String,
    /// Title.
    pub title: String,
    /// What the title links to.
    pub title_link: String,
    /// Text above the attachment.
    pub pretext: String,
    /// Text.
    pub text: String,
    /// Text of the message itself, beside its attachment.
    pub message_text: String,
    /// Fields.
    pub fields: Vec<SlackField>,
    /// Whether fields are short that don't say.
    pub short_fields: bool,
    /// Text at the bottom.
    pub footer: String,
    /// What is shown where attachments can't be.
    pub fallback: String,
    /// Id for interactive messages.
    pub callback_id: String,
    /// Sender's picture by emoji name.
    pub icon_emoji: String,
    /// Sender's picture by URL.
    pub icon_url: String,
    /// Large picture.
    pub image_url: String,
    /// Small picture.
    pub thumb_url: String,
    /// Whether Slack makes links of names and channels.
    pub link_names: bool,
    /// Which parts are formatted; not templates. Default: `fallback`, `pretext`, `text`.
    pub mrkdwn_in: Vec<String>,
    /// Buttons.
    pub actions: Vec<SlackAction>,
    /// How long a request may take; 0: until the group's next turn.
    pub timeout: GoDuration,
    /// Whether later notifications of a group update the first one's message in place of a new one.
    pub update_message: bool,
}

impl Default for SlackConfig {
    fn default() -> Self {
        let template = |name: &str| format!("{{{{ template \"slack.default.{name}\" . }}}}");
        SlackConfig {
            send_resolved: false,
            http_config: None,
            api_url: None,
            api_url_file: String::new(),
            app_token: Secret::default(),
            app_token_file: String::new(),
            app_url: None,
            channel: String::new(),
            username: template("username"),
            color: template("color"),
            title: template("title"),
            title_link: template("titlelink"),
            pretext: template("pretext"),
            text: template("text"),
            message_text: String::new(),
            fields: Vec::new(),
            short_fields: false,
            footer: template("footer"),
            fallback: template("fallback"),
            callback_id: template("callbackid"),
            icon_emoji: template("iconemoji"),
            icon_url: template("iconurl"),
            image_url: String::new(),
            thumb_url: String::new(),
            link_names: false,
            mrkdwn_in: Vec::new(),
            actions: Vec::new(),
            timeout: GoDuration(0),
            update_message: false,
        }
    }
}

/// A field: a small titled text. Both are templates.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct SlackField {
    /// Title.
    pub title: String,
    /// Text.
    pub value: String,
    /// Whether two fit into a row; `None`: as `short_fields` says.
    pub short: Option<bool>,
}

/// A button. All texts are templates.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct SlackAction {
    /// Kind: `button`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it says.
    pub text: String,
    /// What it links to.
    pub url: String,
    /// `primary`, `danger` or empty.
    pub style: String,
    /// Name for interactive messages.
    pub name: String,
    /// Value for interactive messages.
    pub value: String,
    /// What is asked before it does anything.
    pub confirm: Option<SlackConfirmation>,
}

/// What a button asks before it does anything. All texts are templates.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct SlackConfirmation {
    /// Question.
    pub text: String,
    /// Title.
    pub title: String,
    /// Yes.
    pub ok_text: String,
    /// No.
    pub dismiss_text: String,
}

impl SlackConfig {
    fn has_url(&self) -> bool {
        self.api_url.is_some() || !self.api_url_file.is_empty()
    }

    fn has_token(&self) -> bool {
        !self.app_token.is_empty() || !self.app_token_file.is_empty()
    }

    /// Checks the entry by itself.
    pub(crate) fn check(&self) -> Result<(), String> {
        at_most_one("api_url & api_url_file", &[self.api_url.is_some(), !self.api_url_file.is_empty()])?;
        at_most_one("app_token & app_token_file", &[!self.app_token.is_empty(), !self.app_token_file.is_empty()])?;
        at_most_one("api_url/api_url_file & app_token/app_token_file", &[self.has_url(), self.has_token()])?;
        for field in &self.fields {
            if field.title.is_empty() {
                return Err("missing title in Slack field configuration".to_owned());
            }
            if field.value.is_empty() {
                return Err("missing value in Slack field configuration".to_owned());
            }
        }
        for action in &self.actions {
            let missing = if action.kind.is_empty() {
                "type"
            } else if action.text.is_empty() {
                "text"
            } else if action.url.is_empty() && action.name.is_empty() {
                "name or url"
            } else if action.confirm.as_ref().is_some_and(|c| c.text.is_empty()) {
                return Err("missing text in Slack confirmation configuration".to_owned());
            } else {
                continue;
            };
            return Err(format!("missing {missing} in Slack action configuration"));
        }
        Ok(())
    }

    /// Takes from the global section what the entry leaves open, and checks the whole.
    pub(crate) fn inherit(&mut self, global: &GlobalConfig) -> Result<(), String> {
        let own_http = self.http_config.is_some();
        let http = self.http_config.get_or_insert_with(|| global.http_config.clone());
        // A token may also be given by hand, as an `Authorization` header for the app's address.
        let authorized = own_http && http.has_authorization();
        if self.app_url.is_none() {
            self.app_url = global.slack_app_url.clone();
        }
        if !self.has_url() && !self.has_token() {
            let global_token = !global.slack_app_token.is_empty() || !global.slack_app_token_file.is_empty();
            if global_token && !authorized {
                self.app_token = global.slack_app_token.clone();
                self.app_token_file = global.slack_app_token_file.clone();
            } else if global.slack_api_url.is_some() || !global.slack_api_url_file.is_empty() {
                self.api_url = global.slack_api_url.clone();
                self.api_url_file = global.slack_api_url_file.clone();
            } else {
                return Err("no Slack API URL nor App token set either inline or in a file".to_owned());
            }
        }
        if self.has_token() {
            if authorized {
                return Err("http authorization can't be set when using Slack App tokens".to_owned());
            }
            if self.app_url.is_none() {
                return Err("no Slack App URL set".to_owned());
            }
        }
        if self.update_message {
            let url = match &self.api_url {
                Some(url) => Some(url.expose()),
                None => self.app_url.as_ref().filter(|_| self.has_token()).map(HttpUrl::as_str),
            };
            // Of a token's own address any is right: a proxy or a test may stand in for Slack.
            if !self.has_token() && url != Some(SLACK_APP_URL) {
                return Err(format!(
                    "update_message can only be used with bot tokens. api_url must be set to {SLACK_APP_URL}"
                ));
            }
        }
        Ok(())
    }
}
