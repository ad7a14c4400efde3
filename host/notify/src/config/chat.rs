//! Receivers that write into chats, other than Slack: discord, msteams, msteamsv2, webex, telegram, wechat.
#![allow(missing_docs, reason = "keys of alertmanager.yml under their own names")]

use serde::Deserialize;

use super::global::GlobalConfig;
use super::http::{HttpConfig, with_slash};
use super::values::{HttpUrl, Secret, SecretUrl, at_most_one};

/// `webhook_url` or `webhook_url_file`: one of them must be there.
fn check_webhook(url: &Option<SecretUrl>, file: &str) -> Result<(), String> {
    if url.is_none() && file.is_empty() {
        return Err("one of webhook_url or webhook_url_file must be configured".to_owned());
    }
    at_most_one("webhook_url & webhook_url_file", &[url.is_some(), !file.is_empty()])
}

/// One entry of `discord_configs`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct DiscordConfig {
    pub send_resolved: bool,
    pub http_config: Option<HttpConfig>,
    pub webhook_url: Option<SecretUrl>,
    pub webhook_url_file: String,
    pub content: String,
    pub title: String,
    pub message: String,
    pub username: String,
    pub avatar_url: String,
}

impl Default for DiscordConfig {
    fn default() -> Self {
        DiscordConfig {
            send_resolved: true,
            http_config: None,
            webhook_url: None,
            webhook_url_file: String::new(),
            content: String::new(),
            title: "{{ template \"discord.default.title\" . }}".to_owned(),
            message: "{{ template \"discord.default.message\" . }}".to_owned(),
            username: String::new(),
            avatar_url: String::new(),
        }
    }
}

impl DiscordConfig {
    pub(crate) fn check(&self) -> Result<(), String> {
        check_webhook(&self.webhook_url, &self.webhook_url_file)
    }
}

/// One entry of `msteams_configs`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct MsTeamsConfig {
    pub send_resolved: bool,
    pub http_config: Option<HttpConfig>,
    pub webhook_url: Option<SecretUrl>,
    pub webhook_url_file: String,
    pub title: String,
    pub summary: String,
    pub text: String,
}

impl Default for MsTeamsConfig {
    fn default() -> Self {
        let template = |name: &str| format!("{{{{ template \"msteams.default.{name}\" . }}}}");
        MsTeamsConfig {
            send_resolved: true,
            http_config: None,
            webhook_url: None,
            webhook_url_file: String::new(),
            title: template("title"),
            summary: template("summary"),
            text: template("text"),
        }
    }
}

impl MsTeamsConfig {
    pub(crate) fn check(&self) -> Result<(), String> {
        check_webhook(&self.webhook_url, &self.webhook_url_file)
    }
}

/// One entry of `msteamsv2_configs`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct MsTeamsV2Config {
    pub send_resolved: bool,
    pub http_config: Option<HttpConfig>,
    pub webhook_url: Option<SecretUrl>,
    pub webhook_url_file: String,
    pub title: String,
    pub text: String,
}

impl Default for MsTeamsV2Config {
    fn default() -> Self {
        MsTeamsV2Config {
            send_resolved: true,
            http_config: None,
            webhook_url: None,
            webhook_url_file: String::new(),
            title: "{{ template \"msteamsv2.default.title\" . }}".to_owned(),
            text: "{{ template \"msteamsv2.default.text\" . }}".to_owned(),
        }
    }
}

impl MsTeamsV2Config {
    pub(crate) fn check(&self) -> Result<(), String> {
        check_webhook(&self.webhook_url, &self.webhook_url_file)
    }
}

/// One entry of `webex_configs`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct WebexConfig {
    pub send_resolved: bool,
    pub http_config: Option<HttpConfig>,
    pub api_url: Option<HttpUrl>,
    pub message: String,
    pub room_id: String,
}

impl Default for WebexConfig {
    fn default() -> Self {
        WebexConfig {
            send_resolved: true,
            http_config: None,
            api_url: None,
            message: "{{ template \"webex.default.message\" . }}".to_owned(),
            room_id: String::new(),
        }
    }
}

impl WebexConfig {
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.room_id.is_empty() {
            return Err("missing room_id on webex_config".to_owned());
        }
        if self.http_config.as_ref().is_none_or(|h| h.authorization.is_none()) {
            return Err("missing webex_configs.http_config.authorization".to_owned());
        }
        Ok(())
    }

    pub(crate) fn inherit(&mut self, global: &GlobalConfig) -> Result<(), String> {
        if self.api_url.is_none() {
            self.api_url = Some(global.webex_api_url.clone().ok_or("no global Webex URL set")?);
        }
        Ok(())
    }
}

/// One entry of `telegram_configs`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct TelegramConfig {
    pub send_resolved: bool,
    pub http_config: Option<HttpConfig>,
    pub api_url: Option<HttpUrl>,
    pub bot_token: Secret,
    pub bot_token_file: String,
    pub chat_id: i64,
    pub chat_id_file: String,
    pub message_thread_id: i64,
    pub message: String,
    pub disable_notifications: bool,
    pub parse_mode: String,
}

impl Default for TelegramConfig {
    fn default() -> Self {
        TelegramConfig {
            send_resolved: true,
            http_config: None,
            api_url: None,
            bot_token: Secret::default(),
            bot_token_file: String::new(),
            chat_id: 0,
            chat_id_file: String::new(),
            message_thread_id: 0,
            message: "{{ template \"telegram.default.message\" . }}".to_owned(),
            disable_notifications: false,
            parse_mode: "HTML".to_owned(),
        }
    }
}

impl TelegramConfig {
    pub(crate) fn check(&self) -> Result<(), String> {
        at_most_one("bot_token & bot_token_file", &[!self.bot_token.is_empty(), !self.bot_token_file.is_empty()])?;
        if self.chat_id == 0 && self.chat_id_file.is_empty() {
            return Err("missing chat_id or chat_id_file on telegram_config".to_owned());
        }
        at_most_one("chat_id & chat_id_file", &[self.chat_id != 0, !self.chat_id_file.is_empty()])?;
        if !matches!(self.parse_mode.as_str(), "" | "Markdown" | "MarkdownV2" | "HTML") {
            return Err(
                "unknown parse_mode on telegram_config, must be Markdown, MarkdownV2, HTML or empty string".to_owned()
            );
        }
        Ok(())
    }

    pub(crate) fn inherit(&mut self, global: &GlobalConfig) -> Result<(), String> {
        self.api_url = self.api_url.take().or_else(|| global.telegram_api_url.clone());
        if self.bot_token.is_empty() && self.bot_token_file.is_empty() {
            self.bot_token = global.telegram_bot_token.clone();
            self.bot_token_file = global.telegram_bot_token_file.clone();
        }
        if self.bot_token.is_empty() && self.bot_token_file.is_empty() {
            return Err("missing bot_token or bot_token_file on telegram_config".to_owned());
        }
        Ok(())
    }
}

/// One entry of `wechat_configs`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct WechatConfig {
    pub send_resolved: bool,
    pub http_config: Option<HttpConfig>,
    pub api_url: Option<HttpUrl>,
    pub api_secret: Secret,
    pub api_secret_file: String,
    pub corp_id: String,
    pub message: String,
    pub message_type: String,
    pub to_user: String,
    pub to_party: String,
    pub to_tag: String,
    pub agent_id: String,
}

impl Default for WechatConfig {
    fn default() -> Self {
        let template = |name: &str| format!("{{{{ template \"wechat.default.{name}\" . }}}}");
        WechatConfig {
            send_resolved: false,
            http_config: None,
            api_url: None,
            api_secret: Secret::default(),
            api_secret_file: String::new(),
            corp_id: String::new(),
            message: template("message"),
            message_type: String::new(),
            to_user: template("to_user"),
            to_party: template("to_party"),
            to_tag: template("to_tag"),
            agent_id: template("agent_id"),
        }
    }
}

impl WechatConfig {
    pub(crate) fn check(&mut self) -> Result<(), String> {
        if self.message_type.is_empty() {
            self.message_type = "text".to_owned();
        }
        if !matches!(self.message_type.as_str(), "text" | "markdown") {
            let found = &self.message_type;
            return Err(format!("weChat message type \"{found}\" does not match valid options ^(text|markdown)$"));
        }
        at_most_one("api_secret & api_secret_file", &[!self.api_secret.is_empty(), !self.api_secret_file.is_empty()])
    }

    pub(crate) fn inherit(&mut self, global: &GlobalConfig) -> Result<(), String> {
        let url = self.api_url.take().or_else(|| global.wechat_api_url.clone());
        self.api_url = Some(with_slash(url.ok_or("no global Wechat URL set")?));
        if self.api_secret.is_empty() && self.api_secret_file.is_empty() {
            self.api_secret = global.wechat_api_secret.clone();
            self.api_secret_file = global.wechat_api_secret_file.clone();
        }
        if self.api_secret.is_empty() && self.api_secret_file.is_empty() {
            return Err("no global Wechat Api Secret set either inline or in a file".to_owned());
        }
        if self.corp_id.is_empty() {
            self.corp_id = global.wechat_api_corp_id.clone();
        }
        if self.corp_id.is_empty() {
            return Err("no global Wechat CorpID set".to_owned());
        }
        Ok(())
    }
}
