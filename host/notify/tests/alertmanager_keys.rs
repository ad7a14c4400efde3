//! Every key of alertmanager.yml with every kind of value: amtool's verdict and ours are the same.
//!
//! The files are made here: one valid entry for each kind of receiver, and in it one key set to one value. Needs amtool, in the folder
//! `WATCHGLASS_PEERS` or on the PATH.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use watchglass_notify::config::AlertmanagerConfig;

/// Values that a key is set to, in YAML. Enough to tell apart every type and format that the file knows.
const VALUES: &[&str] = &[
    "text",
    "5",
    "true",
    "[]",
    "[a]",
    "{}",
    "{a: b}",
    "null",
    "''",
    "'{{ .Status }}'",
    "'{{ .Status '",
    "10s",
    "1.5",
    "-1",
    "'http://x/y'",
    "'::'",
    "[{a: b}]",
    "<secret>",
    "'a:25'",
];

/// Receivers: kind, what every entry needs, further keys.
const RECEIVERS: &[(&str, &str, &str)] = &[
    (
        "slack",
        "api_url: 'http://s/x', channel: c",
        "api_url api_url_file app_token app_token_file app_url channel username color title title_link pretext text fields short_fields footer \
         fallback callback_id icon_emoji icon_url image_url thumb_url link_names mrkdwn_in actions timeout message_text update_message",
    ),
    ("webhook", "url: 'http://w/x'", "url url_file max_alerts timeout payload"),
    ("discord", "webhook_url: 'http://d/x'", "webhook_url webhook_url_file content title message username avatar_url"),
    (
        "email",
        "to: a@b, from: c@d, smarthost: 'h:25'",
        "to from hello smarthost auth_username auth_password auth_password_file auth_secret auth_secret_file auth_identity headers html text \
         require_tls force_implicit_tls tls_config threading",
    ),
    (
        "incidentio",
        "url: 'http://i/x', alert_source_token: t",
        "url url_file alert_source_token alert_source_token_file max_alerts timeout metadata",
    ),
    (
        "jira",
        "api_url: 'http://j/x', project: p, issue_type: bug, http_config: {basic_auth: {username: u, password: p}}",
        "api_url api_type project summary description labels priority issue_type reopen_transition resolve_transition wont_fix_resolution \
         reopen_duration fields custom_fields",
    ),
    (
        "mattermost",
        "webhook_url: 'http://m/x'",
        "webhook_url webhook_url_file channel username text icon_url icon_emoji attachments props priority type",
    ),
    ("msteams", "webhook_url: 'http://m/x'", "webhook_url webhook_url_file title summary text"),
    ("msteamsv2", "webhook_url: 'http://m/x'", "webhook_url webhook_url_file title text"),
    (
        "opsgenie",
        "api_key: k",
        "api_key api_key_file api_url message description source details responders tags note priority update_alerts entity actions",
    ),
    (
        "pagerduty",
        "routing_key: k",
        "service_key service_key_file routing_key routing_key_file url client client_url description details images links source severity class \
         component group timeout",
    ),
    (
        "pushover",
        "user_key: k, token: t",
        "user_key user_key_file token token_file title message url url_title device sound priority retry expire ttl html monospace",
    ),
    (
        "rocketchat",
        "token: t, token_id: i, channel: c",
        "api_url token token_file token_id token_id_file channel color title title_link text fields short_fields emoji icon_url image_url thumb_url \
         link_names actions",
    ),
    (
        "sns",
        "topic_arn: t, sigv4: {region: r}",
        "api_url sigv4 topic_arn phone_number target_arn subject message attributes",
    ),
    (
        "telegram",
        "bot_token: t, chat_id: 5",
        "api_url bot_token bot_token_file chat_id chat_id_file message_thread_id message disable_notifications parse_mode",
    ),
    (
        "victorops",
        "api_key: k, routing_key: r",
        "api_key api_key_file api_url routing_key message_type state_message entity_display_name monitoring_tool custom_fields",
    ),
    ("webex", "room_id: r, http_config: {authorization: {credentials: c}}", "api_url message room_id"),
    (
        "wechat",
        "api_secret: s, corp_id: c",
        "api_secret api_secret_file corp_id message api_url to_user to_party to_tag agent_id message_type",
    ),
];

/// Other places: name, a file with `@` where the entry stands, what the entry has, keys to set in it.
const PLACES: &[(&str, &str, &str, &str)] = &[
    (
        "root",
        "@",
        "route: {receiver: a}\nreceivers: [{name: a}]",
        "global route templates receivers inhibit_rules mute_time_intervals time_intervals tracing event_recorder other",
    ),
    (
        "global",
        "global: {@}\nroute: {receiver: a}\nreceivers: [{name: a}]",
        "",
        "resolve_timeout http_config smtp_from smtp_hello smtp_smarthost smtp_auth_username smtp_auth_password smtp_auth_password_file \
         smtp_auth_secret smtp_auth_secret_file smtp_auth_identity smtp_require_tls smtp_tls_config smtp_force_implicit_tls slack_api_url \
         slack_api_url_file slack_app_token slack_app_token_file slack_app_url pagerduty_url opsgenie_api_url opsgenie_api_key \
         opsgenie_api_key_file wechat_api_url wechat_api_secret wechat_api_secret_file wechat_api_corp_id victorops_api_url victorops_api_key \
         victorops_api_key_file telegram_api_url telegram_bot_token telegram_bot_token_file webex_api_url rocketchat_api_url rocketchat_token \
         rocketchat_token_file rocketchat_token_id rocketchat_token_id_file jira_api_url mattermost_webhook_url mattermost_webhook_url_file other",
    ),
    (
        "route",
        "route: {receiver: a, routes: [{@}]}\nreceivers: [{name: a}, {name: text}]\ntime_intervals: [{name: a, time_intervals: []}]",
        "",
        "receiver group_by match match_re matchers continue group_wait group_interval repeat_interval mute_time_intervals active_time_intervals \
         routes labels other",
    ),
    (
        "root-route",
        "route: {@}\nreceivers: [{name: a}, {name: text}]\ntime_intervals: [{name: a, time_intervals: []}]",
        "receiver: a",
        "receiver group_by match match_re matchers continue group_wait group_interval repeat_interval mute_time_intervals active_time_intervals labels",
    ),
    (
        "inhibit",
        "route: {receiver: a}\nreceivers: [{name: a}]\ninhibit_rules: [{@}]",
        "",
        "name source_match source_match_re source_matchers target_match target_match_re target_matchers equal sources other",
    ),
    (
        "receiver",
        "route: {receiver: a}\nreceivers: [{@}]",
        "name: a",
        "name labels slack_configs webhook_configs other_configs",
    ),
    (
        "interval",
        "route: {receiver: a}\nreceivers: [{name: a}]\ntime_intervals: [{name: i, time_intervals: [{@}]}]",
        "",
        "times weekdays days_of_month months years location other",
    ),
    (
        "named-interval",
        "route: {receiver: a}\nreceivers: [{name: a}]\ntime_intervals: [{@}]",
        "name: i",
        "name time_intervals other",
    ),
    (
        "http",
        "route: {receiver: a}\nreceivers: [{name: a, webhook_configs: [{url: 'http://w/', http_config: {@}}]}]",
        "",
        "basic_auth authorization oauth2 bearer_token bearer_token_file tls_config follow_redirects enable_http2 proxy_url no_proxy \
         proxy_from_environment proxy_connect_header http_headers other",
    ),
    (
        "tls",
        "route: {receiver: a}\nreceivers: [{name: a, webhook_configs: [{url: 'http://w/', http_config: {tls_config: {@}}}]}]",
        "",
        "ca cert key ca_file cert_file key_file ca_ref cert_ref key_ref server_name insecure_skip_verify min_version max_version other",
    ),
    (
        "basic",
        "route: {receiver: a}\nreceivers: [{name: a, webhook_configs: [{url: 'http://w/', http_config: {basic_auth: {@}}}]}]",
        "",
        "username username_file username_ref password password_file password_ref other",
    ),
    (
        "authorization",
        "route: {receiver: a}\nreceivers: [{name: a, webhook_configs: [{url: 'http://w/', http_config: {authorization: {@}}}]}]",
        "",
        "type credentials credentials_file credentials_ref other",
    ),
    (
        "oauth2",
        "route: {receiver: a}\nreceivers: [{name: a, webhook_configs: [{url: 'http://w/', http_config: {oauth2: {@}}}]}]",
        "client_id: i, client_secret: s, token_url: 'http://t/'",
        "client_id client_secret client_secret_file client_secret_ref scopes token_url endpoint_params tls_config proxy_url no_proxy \
         proxy_from_environment proxy_connect_header client_certificate_key_id client_certificate_key grant_type iss audience claims other",
    ),
    (
        "slack-field",
        "route: {receiver: a}\nreceivers: [{name: a, slack_configs: [{api_url: 'http://s/', fields: [{@}]}]}]",
        "title: t, value: v",
        "title value short other",
    ),
    (
        "slack-action",
        "route: {receiver: a}\nreceivers: [{name: a, slack_configs: [{api_url: 'http://s/', actions: [{@}]}]}]",
        "type: button, text: t, name: n",
        "type text url style name value confirm other",
    ),
    (
        "slack-confirm",
        "route: {receiver: a}\nreceivers: [{name: a, slack_configs: [{api_url: 'http://s/', actions: [{type: b, text: t, name: n, confirm: {@}}]}]}]",
        "text: t",
        "text title ok_text dismiss_text other",
    ),
];

/// Keys of which null means "as if it were not there" to amtool, and a mistake to us: a switch, a number or a time without a value.
const NULL_REFUSED: &str = "discord.send_resolved email.send_resolved global.resolve_timeout global.smtp_require_tls http.enable_http2 http.follow_redirects \
    http.proxy_from_environment incidentio.max_alerts incidentio.send_resolved incidentio.timeout jira.reopen_duration \
    jira.send_resolved mattermost.send_resolved msteams.send_resolved msteamsv2.send_resolved oauth2.proxy_from_environment \
    opsgenie.send_resolved opsgenie.update_alerts pagerduty.send_resolved pagerduty.timeout pushover.expire pushover.html \
    pushover.monospace pushover.retry pushover.send_resolved pushover.ttl rocketchat.link_names rocketchat.send_resolved \
    rocketchat.short_fields root-route.continue route.continue slack.link_names slack.send_resolved slack.short_fields slack.timeout \
    slack.update_message sns.send_resolved telegram.disable_notifications telegram.message_thread_id telegram.send_resolved \
    tls.insecure_skip_verify victorops.send_resolved webex.send_resolved webhook.max_alerts webhook.send_resolved webhook.timeout \
    wechat.send_resolved";
/// Files on which the verdicts differ, with the reason.
const KNOWN: &[(&str, &str)] = &[
    ("incidentio.max_alerts.12.yml", "a fraction of an alert"),
    ("webhook.max_alerts.12.yml", "a fraction of an alert"),
    ("telegram.chat_id.12.yml", "a fraction of an id"),
    ("telegram.message_thread_id.12.yml", "a fraction of an id"),
    ("rocketchat.token.08.yml", "an empty token"),
    ("rocketchat.token_id.08.yml", "an empty token"),
    ("tls.min_version.08.yml", "an empty version is none"),
    ("tls.max_version.08.yml", "an empty version is none"),
    ("route.labels.05.yml", "labels of a route came with 0.34"),
    ("route.labels.06.yml", "labels of a route came with 0.34"),
    ("route.labels.07.yml", "labels of a route came with 0.34"),
    ("root-route.labels.05.yml", "labels of a route came with 0.34"),
    ("root-route.labels.06.yml", "labels of a route came with 0.34"),
    ("root-route.labels.07.yml", "labels of a route came with 0.34"),
    ("incidentio.url.17.yml", "who knows this address can write to it, so here it is a secret"),
    ("root.event_recorder.06.yml", "Alertmanager's own doings: its keys are left alone"),
];

/// Whether the verdicts on a file are known to differ.
fn is_known(name: &str) -> bool {
    let null = name.strip_suffix(".07.yml").is_some_and(|key| NULL_REFUSED.split_whitespace().any(|k| k == key));
    null || KNOWN.iter().any(|(known, _)| *known == name)
}

/// An entry with a key set to a value: in the place of the one that is there, else behind it.
fn entry(has: &str, key: &str, value: &str) -> String {
    let separator = if has.contains('\n') { "\n" } else { ", " };
    let mut parts: Vec<String> =
        split(has, separator).into_iter().filter(|p| p.split(':').next() != Some(key)).collect();
    parts.push(format!("{key}: {value}"));
    parts.join(separator)
}

/// Splits at separators outside of braces.
fn split(text: &str, separator: &str) -> Vec<String> {
    let (mut parts, mut depth) = (vec![String::new()], 0);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if depth == 0 && rest.starts_with(separator) {
            parts.push(String::new());
            rest = &rest[separator.len()..];
            continue;
        }
        match c {
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            _ => {}
        }
        if let Some(last) = parts.last_mut() {
            last.push(c);
        }
        rest = &rest[c.len_utf8()..];
    }
    parts.retain(|p| !p.is_empty());
    parts
}

/// All files, by a name that says what is in them.
fn files() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for (kind, has, keys) in RECEIVERS {
        for key in keys.split_whitespace().chain(["send_resolved", "http_config", "other"]) {
            for (number, value) in VALUES.iter().enumerate() {
                let text = format!(
                    "route: {{receiver: a}}\nreceivers: [{{name: a, {kind}_configs: [{{{}}}]}}]\n",
                    entry(has, key, value)
                );
                files.insert(format!("{kind}.{key}.{number:02}.yml"), text);
            }
        }
        // Without each thing that it needs.
        let needed = split(has, ", ");
        for left_out in 0..needed.len() {
            let rest: Vec<&str> =
                needed.iter().enumerate().filter(|(n, _)| *n != left_out).map(|(_, p)| p.as_str()).collect();
            let text = format!(
                "route: {{receiver: a}}\nreceivers: [{{name: a, {kind}_configs: [{{{}}}]}}]\n",
                rest.join(", ")
            );
            files.insert(format!("{kind}.without.{left_out:02}.yml"), text);
        }
    }
    for (place, text, has, keys) in PLACES {
        for key in keys.split_whitespace() {
            for (number, value) in VALUES.iter().enumerate() {
                files.insert(
                    format!("{place}.{key}.{number:02}.yml"),
                    text.replace('@', &entry(has, key, value)) + "\n",
                );
            }
        }
    }
    files
}

/// amtool, where it is installed.
fn amtool() -> Option<PathBuf> {
    let folders = std::env::var_os("WATCHGLASS_PEERS").into_iter().chain(std::env::var_os("PATH"));
    let mut folders = folders.flat_map(|v| std::env::split_paths(&v).collect::<Vec<_>>());
    let found = folders.find_map(|f| Some(f.join("amtool")).filter(|p| p.is_file()));
    if found.is_none() {
        eprintln!("SKIPPED: no amtool on PATH or in WATCHGLASS_PEERS");
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "amtool is missing in CI");
    }
    found
}

/// amtool's verdicts: none is fine, else its message.
fn verdicts(amtool: &Path, dir: &Path, names: &[&String]) -> BTreeMap<String, Option<String>> {
    let mut found = BTreeMap::new();
    // Few enough for a command line.
    for names in names.chunks(1000) {
        let out = Command::new(amtool).arg("check-config").args(names).current_dir(dir).output().expect("amtool runs");
        let text = String::from_utf8_lossy(&out.stdout);
        for part in text.split("Checking '").skip(1) {
            let (name, verdict) = part.split_once('\'').expect("a name in quotes");
            let failed = verdict.split_once("FAILED: ").map(|(_, why)| why.trim().to_owned());
            assert!(failed.is_some() || verdict.contains("SUCCESS"), "{part}");
            found.insert(name.to_owned(), failed);
        }
    }
    found
}

#[test]
fn every_key_with_every_kind_of_value() {
    let Some(amtool) = amtool() else { return };
    let files = files();
    let dir = tempfile::tempdir().expect("a folder");
    for (name, text) in &files {
        std::fs::write(dir.path().join(name), text).expect("a file");
    }
    let theirs = verdicts(&amtool, dir.path(), &files.keys().collect::<Vec<_>>());
    assert_eq!(theirs.len(), files.len(), "amtool spoke of every file");
    let (mut differ, mut fine) = (Vec::new(), 0);
    for (name, text) in &files {
        let ours = AlertmanagerConfig::parse(text, name).err().map(|e| e.message);
        fine += usize::from(ours.is_none());
        let known = is_known(name);
        if (ours.is_some() == theirs[name].is_some()) == known {
            differ.push(format!(
                "{name}{}: {}\n  theirs {:?}\n  ours   {ours:?}",
                if known { " (known)" } else { "" },
                text.replace('\n', " "),
                theirs[name]
            ));
        }
    }
    println!("{} files, {fine} of them fine", files.len());
    if std::env::var_os("WATCHGLASS_LIST").is_some() {
        std::fs::write(std::env::temp_dir().join("alertmanager_keys.txt"), differ.join("\n")).expect("a file");
    }
    assert!(fine > 500 && files.len() > 4000, "{fine} of {} are fine", files.len());
    assert!(
        differ.is_empty(),
        "{} of {} verdicts differ:\n{}",
        differ.len(),
        files.len(),
        differ.iter().take(40).cloned().collect::<Vec<_>>().join("\n")
    );
}
