//! `receivers`: names and their integrations of every kind.

use std::collections::BTreeMap;

use serde::Deserialize;
use watchglass_alerts::IntegrationSpec;
use watchglass_text::{Spanned, TextError};

use super::*;
use crate::forward::ForwardConfig;

/// A receiver, checked and filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Receiver {
    /// Unique name.
    pub name: String,
    /// Labels of the receiver itself.
    pub labels: BTreeMap<String, String>,
    /// Its integrations; their positions are those of [`watchglass_alerts::Notification::position`].
    pub integrations: Vec<Integration>,
}

/// One way of sending.
#[derive(Clone, Debug, PartialEq)]
pub struct Integration {
    /// What routing knows of it.
    pub spec: IntegrationSpec,
    /// How it sends.
    pub config: IntegrationConfig,
}

/// The settings of one integration.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the kinds of alertmanager.yml under their own names")]
pub enum IntegrationConfig {
    Slack(Box<SlackConfig>),
    Webhook(Box<WebhookConfig>),
    Discord(Box<DiscordConfig>),
    Email(Box<EmailConfig>),
    Incidentio(Box<IncidentioConfig>),
    Jira(Box<JiraConfig>),
    Mattermost(Box<MattermostConfig>),
    MsTeams(Box<MsTeamsConfig>),
    MsTeamsV2(Box<MsTeamsV2Config>),
    Opsgenie(Box<OpsgenieConfig>),
    Pagerduty(Box<PagerdutyConfig>),
    Pushover(Box<PushoverConfig>),
    Rocketchat(Box<RocketchatConfig>),
    Sns(Box<SnsConfig>),
    Telegram(Box<TelegramConfig>),
    Victorops(Box<VictoropsConfig>),
    Webex(Box<WebexConfig>),
    Wechat(Box<WechatConfig>),
    /// Standard output; made by the program, not by alertmanager.yml.
    Console,
    /// Another Alertmanager; made by the program, not by alertmanager.yml.
    Alertmanager(Box<ForwardConfig>),
}

impl IntegrationConfig {
    /// Whether this crate can send by it.
    pub fn is_supported(&self) -> bool {
        matches!(
            self,
            IntegrationConfig::Slack(_)
                | IntegrationConfig::Webhook(_)
                | IntegrationConfig::Console
                | IntegrationConfig::Alertmanager(_)
        )
    }
}

/// Entries of one kind. An entry of null is none, which Alertmanager refuses.
type Entries<T> = Vec<Spanned<Option<T>>>;

/// A receiver as written.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawReceiver {
    name: Spanned<String>,
    labels: BTreeMap<String, String>,
    slack_configs: Entries<SlackConfig>,
    webhook_configs: Entries<WebhookConfig>,
    discord_configs: Entries<DiscordConfig>,
    email_configs: Entries<EmailConfig>,
    incidentio_configs: Entries<IncidentioConfig>,
    jira_configs: Entries<JiraConfig>,
    mattermost_configs: Entries<MattermostConfig>,
    msteams_configs: Entries<MsTeamsConfig>,
    msteamsv2_configs: Entries<MsTeamsV2Config>,
    opsgenie_configs: Entries<OpsgenieConfig>,
    pagerduty_configs: Entries<PagerdutyConfig>,
    pushover_configs: Entries<PushoverConfig>,
    rocketchat_configs: Entries<RocketchatConfig>,
    sns_configs: Entries<SnsConfig>,
    telegram_configs: Entries<TelegramConfig>,
    victorops_configs: Entries<VictoropsConfig>,
    webex_configs: Entries<WebexConfig>,
    wechat_configs: Entries<WechatConfig>,
}

/// A receiver with the place of its name.
pub(crate) struct PlacedReceiver {
    pub(crate) name: Spanned<String>,
    labels: BTreeMap<String, String>,
    integrations: Vec<Integration>,
}

impl PlacedReceiver {
    pub(crate) fn value(self) -> Receiver {
        Receiver { name: self.name.value, labels: self.labels, integrations: self.integrations }
    }
}

/// Collects the integrations of one receiver.
struct Collector<'a> {
    global: &'a GlobalConfig,
    source: Source<'a>,
    integrations: Vec<Integration>,
}

impl Collector<'_> {
    /// Takes the entries of one kind: `finish` checks an entry, fills it in from the global section, and says whether it sends
    /// resolved alerts.
    fn take<T>(
        &mut self,
        kind: &str,
        entries: Entries<T>,
        http: impl Fn(&mut T) -> Option<&mut Option<HttpConfig>>,
        finish: impl Fn(&mut T, &GlobalConfig) -> Result<bool, String>,
        wrap: impl Fn(Box<T>) -> IntegrationConfig,
    ) -> Result<(), TextError> {
        for (index, entry) in entries.into_iter().enumerate() {
            let place = Spanned { value: (), line: entry.line, column: entry.column };
            let mut config = entry.value.ok_or_else(|| self.source.at(&place, &format!("missing {kind} config")))?;
            let mut check = || {
                if let Some(Some(http)) = http(&mut config) {
                    http.check()?;
                }
                let send_resolved = finish(&mut config, self.global)?;
                if let Some(own) = http(&mut config) {
                    own.get_or_insert_with(|| self.global.http_config.clone());
                }
                Ok(send_resolved)
            };
            let send_resolved = check().map_err(|message: String| self.source.at(&place, &message))?;
            let spec = IntegrationSpec::new(kind, index, send_resolved);
            self.integrations.push(Integration { spec, config: wrap(Box::new(config)) });
        }
        Ok(())
    }
}

/// Checks a receiver and fills in what the global section sets.
pub(crate) fn receiver(
    raw: Spanned<RawReceiver>,
    global: &GlobalConfig,
    source: Source<'_>,
) -> Result<PlacedReceiver, TextError> {
    use IntegrationConfig as C;
    if raw.name.is_empty() {
        return Err(source.at(&raw, "missing name in receiver"));
    }
    let raw = raw.value;
    let mut all = Collector { global, source, integrations: Vec::new() };
    // The order is Alertmanager's, as positions show in logs and metrics.
    all.take(
        "webhook",
        raw.webhook_configs,
        |c| Some(&mut c.http_config),
        |c, _| c.check().map(|()| c.send_resolved),
        C::Webhook,
    )?;
    let finish =
        |c: &mut EmailConfig, g: &GlobalConfig| c.check().and_then(|()| c.inherit(g)).map(|()| c.send_resolved);
    all.take("email", raw.email_configs, |_| None, finish, C::Email)?;
    let finish =
        |c: &mut PagerdutyConfig, g: &GlobalConfig| c.check().and_then(|()| c.inherit(g)).map(|()| c.send_resolved);
    all.take("pagerduty", raw.pagerduty_configs, |c| Some(&mut c.http_config), finish, C::Pagerduty)?;
    let finish =
        |c: &mut OpsgenieConfig, g: &GlobalConfig| c.check().and_then(|()| c.inherit(g)).map(|()| c.send_resolved);
    all.take("opsgenie", raw.opsgenie_configs, |c| Some(&mut c.http_config), finish, C::Opsgenie)?;
    let finish =
        |c: &mut WechatConfig, g: &GlobalConfig| c.check().and_then(|()| c.inherit(g)).map(|()| c.send_resolved);
    all.take("wechat", raw.wechat_configs, |c| Some(&mut c.http_config), finish, C::Wechat)?;
    let finish =
        |c: &mut SlackConfig, g: &GlobalConfig| c.check().and_then(|()| c.inherit(g)).map(|()| c.send_resolved);
    all.take("slack", raw.slack_configs, |c| Some(&mut c.http_config), finish, C::Slack)?;
    let finish =
        |c: &mut VictoropsConfig, g: &GlobalConfig| c.check().and_then(|()| c.inherit(g)).map(|()| c.send_resolved);
    all.take("victorops", raw.victorops_configs, |c| Some(&mut c.http_config), finish, C::Victorops)?;
    let finish = |c: &mut PushoverConfig, _: &GlobalConfig| c.check().map(|()| c.send_resolved);
    all.take("pushover", raw.pushover_configs, |c| Some(&mut c.http_config), finish, C::Pushover)?;
    let finish = |c: &mut SnsConfig, _: &GlobalConfig| c.check().map(|()| c.send_resolved);
    all.take("sns", raw.sns_configs, |c| Some(&mut c.http_config), finish, C::Sns)?;
    let finish =
        |c: &mut TelegramConfig, g: &GlobalConfig| c.check().and_then(|()| c.inherit(g)).map(|()| c.send_resolved);
    all.take("telegram", raw.telegram_configs, |c| Some(&mut c.http_config), finish, C::Telegram)?;
    let finish = |c: &mut DiscordConfig, _: &GlobalConfig| c.check().map(|()| c.send_resolved);
    all.take("discord", raw.discord_configs, |c| Some(&mut c.http_config), finish, C::Discord)?;
    let finish =
        |c: &mut WebexConfig, g: &GlobalConfig| c.check().and_then(|()| c.inherit(g)).map(|()| c.send_resolved);
    all.take("webex", raw.webex_configs, |c| Some(&mut c.http_config), finish, C::Webex)?;
    let finish = |c: &mut MsTeamsConfig, _: &GlobalConfig| c.check().map(|()| c.send_resolved);
    all.take("msteams", raw.msteams_configs, |c| Some(&mut c.http_config), finish, C::MsTeams)?;
    let finish = |c: &mut MsTeamsV2Config, _: &GlobalConfig| c.check().map(|()| c.send_resolved);
    all.take("msteamsv2", raw.msteamsv2_configs, |c| Some(&mut c.http_config), finish, C::MsTeamsV2)?;
    let finish = |c: &mut JiraConfig, g: &GlobalConfig| c.check().and_then(|()| c.inherit(g)).map(|()| c.send_resolved);
    all.take("jira", raw.jira_configs, |c| Some(&mut c.http_config), finish, C::Jira)?;
    let finish =
        |c: &mut RocketchatConfig, g: &GlobalConfig| c.check().and_then(|()| c.inherit(g)).map(|()| c.send_resolved);
    all.take("rocketchat", raw.rocketchat_configs, |c| Some(&mut c.http_config), finish, C::Rocketchat)?;
    let finish = |c: &mut IncidentioConfig, _: &GlobalConfig| c.check().map(|()| c.send_resolved);
    all.take("incidentio", raw.incidentio_configs, |c| Some(&mut c.http_config), finish, C::Incidentio)?;
    let finish =
        |c: &mut MattermostConfig, g: &GlobalConfig| c.check().and_then(|()| c.inherit(g)).map(|()| c.send_resolved);
    all.take("mattermost", raw.mattermost_configs, |c| Some(&mut c.http_config), finish, C::Mattermost)?;
    Ok(PlacedReceiver { name: raw.name, labels: raw.labels, integrations: all.integrations })
}
