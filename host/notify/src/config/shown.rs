//! An alertmanager.yml as it is shown to people and to amtool: the same settings, without secrets.
//!
//! The file is read and written anew, because hiding parts of its text can't be done safely: a value may stand on lines of its own.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use super::Secret;

/// Stands for a secret. amtool takes it for a valid address.
const HIDDEN: &str = "<secret>";

/// Shorter texts are not looked for in errors: they would take harmless words with them.
const LEAST_SECRET: usize = 6;

/// Keys whose values are secrets whatever they belong to.
const SECRET_KEYS: [&str; 15] = [
    "slack_api_url",
    "mattermost_webhook_url",
    "webhook_url",
    "rocketchat_token_id",
    "token_id",
    "api_key",
    "routing_key",
    "service_key",
    "user_key",
    "bot_token",
    "secret_key",
    "key",
    "credentials",
    "secrets",
    "alert_source_token",
];
/// Ends of keys that say the same.
const SECRET_ENDS: [&str; 5] = ["password", "secret", "token", "api_key", "credentials"];

/// Gives the file's settings in block style, their order kept, with `<secret>` in place of every secret. What can't be read gives
/// nothing: it can't be in force either.
pub fn shown(text: &str) -> String {
    let mut out = String::new();
    if let Ok(node) = watchglass_text::yaml::from_str::<Node>(text, "alertmanager.yml") {
        write(&mut out, &hidden(node, &[]), 0);
    }
    out
}

/// All secrets that stand in a file, the longest first, with the parts of addresses that give them away.
pub(crate) fn secrets(text: &str) -> Vec<Secret> {
    let mut found = BTreeSet::new();
    if let Ok(node) = watchglass_text::yaml::from_str::<Node>(text, "alertmanager.yml") {
        collect(&node, &[], false, &mut found);
    }
    let mut found: Vec<String> = found.into_iter().filter(|s| s.len() >= LEAST_SECRET && s != HIDDEN).collect();
    found.sort_by_key(|s| std::cmp::Reverse(s.len()));
    found.into_iter().map(Secret::new).collect()
}

fn collect(node: &Node, path: &[&str], secret: bool, found: &mut BTreeSet<String>) {
    let secret = secret || is_secret(path);
    match node {
        Node::List(items) => items.iter().for_each(|item| collect(item, path, secret, found)),
        Node::Map(entries) => {
            for (key, value) in entries {
                let below: Vec<&str> = path.iter().copied().chain([key.as_str()]).collect();
                collect(value, &below, secret, found);
            }
        }
        Node::Plain(text) | Node::Text(text) => {
            let url = url::Url::parse(text).ok();
            found.extend(url.as_ref().and_then(url::Url::password).map(str::to_owned));
            if secret {
                let segments = url.iter().flat_map(url::Url::path_segments).flatten();
                found.extend(segments.filter(|s| s.len() >= 8).map(str::to_owned));
                found.insert(text.trim().to_owned());
            }
        }
        Node::Null => {}
    }
}

/// A YAML value with its keys in order.
#[derive(Clone, Debug, PartialEq)]
enum Node {
    Null,
    /// As it is written without quotes.
    Plain(String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

/// Whether what lies under these keys is a secret.
fn is_secret(path: &[&str]) -> bool {
    let Some((key, above)) = path.split_last() else { return false };
    match *key {
        // The addresses that Alertmanager itself takes for secrets: who knows them can write there.
        "api_url" => above.last() == Some(&"slack_configs"),
        "url" => matches!(above.last(), Some(&"webhook_configs")),
        "headers" => above.last() == Some(&"tracing"),
        key => SECRET_KEYS.contains(&key) || SECRET_ENDS.iter().any(|end| key.ends_with(end)),
    }
}

/// The same with its secrets hidden.
fn hidden(node: Node, path: &[&str]) -> Node {
    if is_secret(path) {
        return all_hidden(node);
    }
    match node {
        Node::List(items) => Node::List(items.into_iter().map(|item| hidden(item, path)).collect()),
        Node::Map(entries) => {
            let entry = |(key, value): (String, Node)| {
                let below: Vec<&str> = path.iter().copied().chain([key.as_str()]).collect();
                let value = hidden(value, &below);
                (key, value)
            };
            Node::Map(entries.into_iter().map(entry).collect())
        }
        Node::Text(text) => Node::Text(without_login(text)),
        other => other,
    }
}

/// Every value in it hidden, its shape kept.
fn all_hidden(node: Node) -> Node {
    match node {
        Node::List(items) => Node::List(items.into_iter().map(all_hidden).collect()),
        Node::Map(entries) => Node::Map(entries.into_iter().map(|(key, value)| (key, all_hidden(value))).collect()),
        Node::Null => Node::Null,
        Node::Text(text) if text.is_empty() => Node::Text(text),
        Node::Plain(_) | Node::Text(_) => Node::Text(HIDDEN.to_owned()),
    }
}

/// An address without the login that may stand in it.
fn without_login(text: String) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    match authority.rsplit_once('@') {
        Some((login, _)) if !login.is_empty() => format!("{scheme}://{}", &rest[login.len() + 1..]),
        _ => text,
    }
}

fn write(out: &mut String, node: &Node, indent: usize) {
    let pad = " ".repeat(indent);
    match node {
        Node::Map(entries) if !entries.is_empty() => {
            for (key, value) in entries {
                out.push_str(&pad);
                out.push_str(&scalar(key));
                write_behind_key(out, value, indent);
            }
        }
        Node::List(items) if !items.is_empty() => {
            for item in items {
                let from = out.len();
                write(out, item, indent + 2);
                // The first line's indentation makes room for the dash.
                if out[from..].starts_with(&" ".repeat(indent + 2)) {
                    out.replace_range(from + indent..from + indent + 1, "-");
                }
            }
        }
        leaf => out.push_str(&format!("{pad}{}\n", inline(leaf))),
    }
}

fn write_behind_key(out: &mut String, value: &Node, indent: usize) {
    match value {
        Node::Map(entries) if !entries.is_empty() => {
            out.push_str(":\n");
            write(out, value, indent + 2);
        }
        Node::List(items) if !items.is_empty() => {
            out.push_str(":\n");
            write(out, value, indent);
        }
        leaf => out.push_str(&format!(": {}\n", inline(leaf))),
    }
}

fn inline(leaf: &Node) -> String {
    match leaf {
        Node::Null => "null".to_owned(),
        Node::Plain(text) => text.clone(),
        Node::Text(text) => scalar(text),
        Node::List(_) => "[]".to_owned(),
        Node::Map(_) => "{}".to_owned(),
    }
}

/// A text without quotes where it reads as nothing else, else as JSON's text, which is YAML's double-quoted one.
fn scalar(text: &str) -> String {
    let plain_byte = |b: u8| b.is_ascii_alphanumeric() || b"_-./<>".contains(&b);
    let other_meaning = ["null", "true", "false", "yes", "no", "on", "off", "y", "n", "~"];
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '<')
        && text.bytes().all(plain_byte)
        && !other_meaning.contains(&text.to_ascii_lowercase().as_str());
    if is_plain { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_bool<E>(self, v: bool) -> Result<Node, E> {
        Ok(Node::Plain(v.to_string()))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Node, E> {
        Ok(Node::Plain(v.to_string()))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Node, E> {
        Ok(Node::Plain(v.to_string()))
    }

    fn visit_f64<E>(self, v: f64) -> Result<Node, E> {
        Ok(Node::Plain(v.to_string()))
    }

    fn visit_str<E>(self, v: &str) -> Result<Node, E> {
        Ok(Node::Text(v.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            entries.push((key, map.next_value()?));
        }
        Ok(Node::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_and_the_rest_is_kept() {
        let text = r#"
global: {slack_api_url: 'https://hooks.example/T/B/one', slack_app_token: "two", opsgenie_api_url: 'https://me:three@ops.example/'}
route:
  receiver: a # key
  group_wait: 30s
  matchers: []
receivers:
- name: "a: b"
  slack_configs:
  - api_url: >-
      https://hooks.example/T/B/four
    title_link: http://shown.example
    http_config: {basic_auth: {username: me, password: five}, authorization: {credentials: six},
      http_headers: {X-Key: {values: [open], secrets: [seven]}}}
  webhook_configs: [{url: https://hook.example/eight, max_alerts: 3, send_resolved: false}, {url_file: /shown}]
  pagerduty_configs:
  - {routing_key: nine, url: https://shown.example/x}
tracing: {endpoint: e, headers: {Authorization: ten}}
"#;
        let out = shown(text);
        for hidden in ["hooks.example", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"] {
            assert!(!out.contains(hidden), "{hidden} is in\n{out}");
        }
        for kept in [
            "global:\n  slack_api_url: <secret>\n",
            "  opsgenie_api_url: \"https://ops.example/\"\n",
            "  receiver: a\n  group_wait: \"30s\"\n  matchers: []\n",
            "receivers:\n- name: \"a: b\"\n  slack_configs:\n  - api_url: <secret>\n    title_link: \"http://shown.example\"\n",
            "        username: me\n        password: <secret>\n",
            "          values:\n          - open\n          secrets:\n          - <secret>\n",
            "  - url: <secret>\n    max_alerts: 3\n    send_resolved: false\n  - url_file: \"/shown\"\n",
            "    url: \"https://shown.example/x\"\n",
        ] {
            assert!(out.contains(kept), "{kept} is not in\n{out}");
        }
        let found: Vec<String> = secrets(text).iter().map(|s| s.expose().to_owned()).collect();
        for secret in ["https://hooks.example/T/B/one", "https://hook.example/eight", "https://hooks.example/T/B/four"]
        {
            assert!(found.iter().any(|s| s == secret), "{found:?}");
        }
        assert!(found.windows(2).all(|w| w[0].len() >= w[1].len()));
        assert!(!found.iter().any(|s| s.contains("shown")), "{found:?}");
        let again = shown(&out);
        assert_eq!(again, out, "what is shown reads as itself");
        assert_eq!(shown("a: [b"), "");
    }

    #[test]
    fn what_is_shown_can_be_read() {
        let text = "route: {receiver: 'on', routes: [{matchers: ['a=~\"x.*\"']}]}\nreceivers: [{name: 'on', slack_configs: [{api_url: 'http://h/s', text: \"{{ .x }}\\nb\", channel: '#5'}]}]\ntemplates: []\n";
        let out = shown(text);
        let read = |text: &str| super::super::AlertmanagerConfig::parse(text, "a.yml").unwrap();
        let matchers = |text: &str| read(text).route.routes[0].matchers.clone();
        assert_eq!((matchers(&out), matchers(&out).len()), (matchers(text), 1), "{out}");
        assert_eq!(read(&out).receivers[0].name, "on");
    }
}
