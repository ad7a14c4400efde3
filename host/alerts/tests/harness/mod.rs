//! Runs the machine on a virtual clock by a script, and writes what it sends into the script.
//!
//! A script is lines of text; `#` begins a comment. First what there is:
//!
//! ```text
//! route ops group_by: alertname group_wait: 15s group_interval: 1m repeat_interval: 4h
//!   route pager match: {severity="critical"} continue          (two spaces deeper: a child)
//! receiver ops no_resolved latency: 2s                          (send_resolved is on unless said)
//! receiver null without_integrations
//! inhibit source: {severity="critical"} target: {severity="warning"} equal: instance
//! interval nights times: 22:00-24:00 weekdays: monday:friday
//! restart always                                                (before each step the machine is made anew from what was kept)
//! ```
//!
//! Then what happens, by time since midnight of a Monday: `at 1m fire A{i="1"}, B`, `fire_since 10m A` (fires that long already),
//! `resolve A`, `abandon A` (goes on as it is, but nobody renews it after a restart), `silence s1 {i="1"} for 1h`, `unsilence s1`, `down ops`, `refuse ops` (down, and says that trying again can't help), `up ops`, `busy ops 5m` (asks to be left
//! alone so long), `restart`, `lose ops` (its next message arrives, and the process dies before that is noted), `why A`; last `until 2h`.
//! Lines that begin with `->` or `|` are what comes out.

use std::collections::{BTreeMap, BTreeSet};

use watchglass_alerts::{
    AlertState, Alerts, GroupBy, InclusiveRange, InhibitRule, IntegrationSpec, Notification, NotificationId, Options,
    Outcome, Reason, ReceiverSpec, Route, RoutingConfig, SavedState, Silence, TimeInterval, TimeRange, parse_matchers,
};
use watchglass_model::{Alert, Labels, LabelsBuilder, Matcher, TimeMs};

/// Monday, 2026-01-05, midnight UTC: the scripts' zero.
const ZERO: TimeMs = 1_767_571_200_000;
/// How often rules renew what fires, and how long an alert lasts if they don't.
const RENEWED_EVERY: i64 = 60_000;
const LASTS: i64 = 240_000;

struct Runner {
    config: RoutingConfig,
    latency: BTreeMap<String, i64>,
    restart_always: bool,
    machine: Alerts,
    kept: SavedState,
    firing: BTreeMap<Labels, TimeMs>,
    down: BTreeMap<String, (bool, Option<i64>)>,
    losing: BTreeSet<String>,
    on_their_way: Vec<(TimeMs, Notification)>,
    now: TimeMs,
    next_renewal: TimeMs,
}

/// Runs a script and gives it with the lines of output as they really come out.
pub(crate) fn run(script: &str) -> String {
    let head: Vec<&str> =
        script.lines().filter(|l| !is_output(l) && !l.starts_with("at ") && !l.starts_with("until ")).collect();
    let (config, latency, restart_always) = configuration(&head);
    let machine = Alerts::new(config.clone(), SavedState::default(), ZERO).expect("a valid configuration");
    let mut runner = Runner {
        config,
        latency,
        restart_always,
        machine,
        kept: SavedState::default(),
        firing: BTreeMap::new(),
        down: BTreeMap::new(),
        losing: BTreeSet::new(),
        on_their_way: Vec::new(),
        now: ZERO,
        next_renewal: ZERO + RENEWED_EVERY,
    };
    let mut out: Vec<String> = Vec::new();
    for line in script.lines().filter(|l| !is_output(l)) {
        let event = line.strip_prefix("at ").or(line.strip_prefix("until "));
        let Some((time, what)) = event.map(|e| e.split_once(char::is_whitespace).unwrap_or((e, ""))) else {
            out.push(line.to_owned());
            continue;
        };
        // What happens at the same moment comes first, then what the machine does of it.
        out.extend(runner.run_before(ZERO + duration(time)));
        if line.starts_with("until ") {
            out.extend(runner.run_before(ZERO + duration(time) + 1));
        }
        out.push(line.to_owned());
        out.extend(runner.event(what.split('#').next().unwrap_or("").trim()));
    }
    out.join("\n") + "\n"
}

fn is_output(line: &str) -> bool {
    line.trim_start().starts_with("->") || line.trim_start().starts_with('|')
}

impl Runner {
    /// Runs until just before a time.
    fn run_before(&mut self, end: TimeMs) -> Vec<String> {
        let mut out = Vec::new();
        for _ in 0..100_000 {
            let arrival = self.on_their_way.iter().map(|(at, _)| *at).min();
            let wake = self.machine.next_wake(self.now);
            let next = arrival.into_iter().chain(wake).fold(self.next_renewal, i64::min);
            if next >= end {
                self.now = self.now.max(end);
                return out;
            }
            self.now = self.now.max(next);
            if self.now >= self.next_renewal {
                self.next_renewal += RENEWED_EVERY;
                self.renew();
            }
            let (arrived, rest): (Vec<_>, Vec<_>) =
                std::mem::take(&mut self.on_their_way).into_iter().partition(|(at, _)| *at <= self.now);
            self.on_their_way = rest;
            for (_, notification) in arrived {
                out.extend(self.arrive(notification));
            }
            if self.restart_always {
                self.restart();
            }
            for notification in self.machine.step(self.now) {
                let latency = self.latency.get(&notification.receiver).copied().unwrap_or(0);
                self.on_their_way.push((self.now + latency, notification));
            }
            self.keep();
        }
        panic!("the machine does not come to rest");
    }

    fn arrive(&mut self, notification: Notification) -> Option<String> {
        let receiver = notification.receiver.clone();
        if let Some((retry, retry_after)) = self.down.get(&receiver).copied() {
            let outcome = Outcome::Failed { error: "no answer".into(), retry, retry_after };
            self.outcome(notification.id, outcome);
            return None;
        }
        let line = format!("-> {} {}", clock(self.now), described(&notification));
        if self.losing.remove(&receiver) {
            self.restart();
        } else {
            self.outcome(notification.id, Outcome::sent());
        }
        Some(line)
    }

    fn outcome(&mut self, id: NotificationId, outcome: Outcome) {
        self.machine.outcome(id, outcome, self.now);
        self.keep();
    }

    fn keep(&mut self) {
        let changes = self.machine.take_changes();
        self.kept.apply(&changes);
    }

    /// A new machine from what was kept; what was on its way is lost. Rules renew what fires.
    fn restart(&mut self) {
        let json = serde_json::to_string(&self.kept).expect("records are plain");
        let kept: SavedState = serde_json::from_str(&json).expect("what was written can be read");
        self.machine = Alerts::new(self.config.clone(), kept, self.now).expect("a valid configuration");
        self.on_their_way.clear();
        self.renew();
    }

    fn renew(&mut self) {
        let renewed: Vec<Alert> = self.firing.iter().map(|(l, at)| alert(l, *at, self.now + LASTS)).collect();
        self.machine.insert(&renewed, self.now);
        self.keep();
    }

    fn event(&mut self, what: &str) -> Vec<String> {
        let (verb, rest) = what.split_once(' ').unwrap_or((what, ""));
        let now = self.now;
        match verb {
            "fire" => {
                for labels in alerts(rest) {
                    self.firing.insert(labels.clone(), now);
                    self.machine.insert(&[alert(&labels, now, now + LASTS)], now);
                }
            }
            "fire_since" => {
                let (age, rest) = rest.split_once(' ').expect("since when");
                for labels in alerts(rest) {
                    let since = now - duration(age);
                    self.firing.insert(labels.clone(), since);
                    self.machine.insert(&[alert(&labels, since, now + LASTS)], now);
                }
            }
            "abandon" => {
                let abandoned = alerts(rest);
                self.firing.retain(|labels, _| !abandoned.contains(labels));
            }
            "resolve" => {
                for labels in alerts(rest) {
                    let since = self.firing.remove(&labels).expect("it fires");
                    self.machine.insert(&[alert(&labels, since, now)], now);
                }
            }
            "silence" => {
                let (id, rest) = rest.split_once(' ').expect("an id");
                let (matchers, length) = rest.rsplit_once(" for ").expect("for how long");
                let silence = Silence {
                    id: String::new(),
                    matcher_sets: vec![parse_matchers(matchers).expect("matchers")],
                    starts_at: now,
                    ends_at: now + duration(length),
                    updated_at: 0,
                    created_by: "someone".into(),
                    comment: String::new(),
                    annotations: BTreeMap::new(),
                };
                self.machine.set_silence(silence, id, now).expect("a valid silence");
            }
            "unsilence" => self.machine.expire_silence(rest, now).expect("a silence"),
            "down" => drop(self.down.insert(rest.to_owned(), (true, None))),
            "refuse" => drop(self.down.insert(rest.to_owned(), (false, None))),
            "busy" => {
                let (receiver, length) = rest.split_once(' ').expect("for how long");
                self.down.insert(receiver.to_owned(), (true, Some(duration(length))));
            }
            "up" => drop(self.down.remove(rest)),
            "lose" => drop(self.losing.insert(rest.to_owned())),
            "restart" => self.restart(),
            "why" => return self.why(rest),
            "" => {}
            other => panic!("unknown event `{other}`"),
        }
        self.keep();
        Vec::new()
    }

    fn why(&self, alert: &str) -> Vec<String> {
        let labels = alerts(alert).remove(0);
        let decisions = self.machine.explain_fingerprint(labels.fingerprint());
        let line = |d: watchglass_alerts::Decision| {
            let times = if d.times > 1 { format!(" (x{} until {})", d.times, clock(d.last_at)) } else { String::new() };
            format!("| {} {}: {}{times}", clock(d.at), d.receiver, reason(&d.reason))
        };
        decisions.into_iter().map(line).collect()
    }
}

fn reason(reason: &Reason) -> String {
    match reason {
        Reason::Grouped { until } => format!("grouped, waits until {}", clock(*until)),
        Reason::Waiting { until } => format!("waits for its group's turn at {}", clock(*until)),
        Reason::Inhibited { source, rule, .. } => format!("inhibited by {} (rule {rule})", name(source)),
        Reason::Silenced { by, until } => format!("silenced by {} until {}", by.join(", "), clock(*until)),
        Reason::Muted { by, until } => {
            format!("muted by {} until {}", by.join(", "), until.map_or("?".to_owned(), clock))
        }
        Reason::Deduplicated { until } => format!("already told, again after {}", clock(*until)),
        Reason::ResolvedUnsent => "over before anybody was told".to_owned(),
        Reason::Notifying { why, .. } => format!("sending: {}", why.as_str()),
        Reason::Sent { resolved } => format!("sent as {}", if *resolved { "resolved" } else { "firing" }),
        Reason::Failed { error, retry_at } => format!("failed: {error}; again at {}", clock(*retry_at)),
        Reason::InFlight => "the attempt before has no outcome yet".to_owned(),
        Reason::NoIntegration => "the receiver sends nothing".to_owned(),
        Reason::Refused { error } => format!("refused: {error}"),
    }
}

fn described(notification: &Notification) -> String {
    let of = |state: AlertState| {
        let names: Vec<String> =
            notification.alerts.iter().filter(|a| a.state == state).map(|a| name(&a.alert.labels)).collect();
        if names.is_empty() { String::new() } else { format!(" {} {}", state.as_str(), names.join(", ")) }
    };
    let (firing, resolved) = (of(AlertState::Firing), of(AlertState::Resolved));
    format!("{}{firing}{resolved} ({})", notification.receiver, notification.reason.as_str())
}

fn name(labels: &Labels) -> String {
    let rest: Vec<String> =
        labels.iter().filter(|(n, _)| *n != "alertname").map(|(n, v)| format!("{n}={v:?}")).collect();
    let name = labels.value("alertname");
    if rest.is_empty() { name.to_owned() } else { format!("{name}{{{}}}", rest.join(",")) }
}

/// Reads `A{i="1"}, B`.
fn alerts(text: &str) -> Vec<Labels> {
    let (mut parts, mut depth, mut from) = (Vec::new(), 0, 0);
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[from..]);
    let one = |part: &str| {
        let (name, rest) = part.trim().split_once('{').unwrap_or((part.trim(), "}"));
        let mut builder = LabelsBuilder::default();
        for m in parse_matchers(&format!("{{{rest}")).expect("labels") {
            builder.set(m.name(), m.value());
        }
        builder.set("alertname", name);
        builder.build()
    };
    parts.into_iter().map(one).collect()
}

fn alert(labels: &Labels, starts_at: TimeMs, ends_at: TimeMs) -> Alert {
    Alert { labels: labels.clone(), annotations: Labels::empty(), starts_at, ends_at, generator_url: String::new() }
}

/// Reads the lines before the events.
fn configuration(lines: &[&str]) -> (RoutingConfig, BTreeMap<String, i64>, bool) {
    let mut config = RoutingConfig { options: Options::default(), ..RoutingConfig::default() };
    let (mut latency, mut always) = (BTreeMap::new(), false);
    let (mut off, mut empty) = (BTreeSet::new(), BTreeSet::new());
    let mut path: Vec<Route> = Vec::new();
    for line in lines {
        let line = line.split('#').next().unwrap_or("").trim_end();
        let depth = (line.len() - line.trim_start().len()) / 2;
        let (verb, rest) = line.trim_start().split_once(' ').unwrap_or((line.trim_start(), ""));
        match verb {
            "route" => {
                while path.len() > depth.max(1) || (depth == 0 && !path.is_empty()) {
                    close(&mut path, &mut config);
                }
                path.push(route(rest));
            }
            "receiver" => {
                let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
                if let Some(length) = value(rest, "latency") {
                    latency.insert(name.to_owned(), duration(length));
                }
                if rest.contains("without_integrations") {
                    empty.insert(name.to_owned());
                }
                if rest.contains("no_resolved") {
                    off.insert(name.to_owned());
                }
            }
            "inhibit" => config.inhibit_rules.push(InhibitRule {
                name: value(rest, "name").map(str::to_owned),
                source_matchers: matchers(rest, "source"),
                target_matchers: matchers(rest, "target"),
                equal: list(rest, "equal"),
            }),
            "interval" => {
                let (name, rest) = rest.split_once(' ').expect("an interval");
                let times = |text: &str| {
                    let (start, end) = text.split_once('-').expect("a range");
                    TimeRange::parse(start, end).expect("times")
                };
                let days = |text: &str| InclusiveRange::parse_weekdays(text).expect("weekdays");
                let interval = TimeInterval {
                    times: list(rest, "times").iter().map(|t| times(t)).collect(),
                    weekdays: list(rest, "weekdays").iter().map(|d| days(d)).collect(),
                    ..TimeInterval::default()
                };
                config.time_intervals.insert(name.to_owned(), vec![interval]);
            }
            "restart" => always = true,
            "" => {}
            other => panic!("unknown line `{other}`"),
        }
    }
    while !path.is_empty() {
        close(&mut path, &mut config);
    }
    let mut names = BTreeSet::new();
    collect(&config.route, &mut names);
    config.receivers = names
        .into_iter()
        .map(|name| {
            let slack = IntegrationSpec::new("slack", 0, !off.contains(&name));
            ReceiverSpec { integrations: if empty.contains(&name) { Vec::new() } else { vec![slack] }, name }
        })
        .collect();
    (config, latency, always)
}

fn collect(route: &Route, names: &mut BTreeSet<String>) {
    names.extend(route.receiver.clone());
    route.routes.iter().for_each(|r| collect(r, names));
}

/// Puts the innermost open route into the one around it.
fn close(path: &mut Vec<Route>, config: &mut RoutingConfig) {
    let done = path.pop().expect("an open route");
    match path.last_mut() {
        Some(parent) => parent.routes.push(done),
        None => config.route = done,
    }
}

fn route(rest: &str) -> Route {
    let receiver = rest.split_whitespace().next().expect("a receiver").to_owned();
    Route {
        receiver: Some(receiver),
        group_by: value(rest, "group_by").map(|_| match list(rest, "group_by") {
            all if all == ["..."] => GroupBy::All,
            names => GroupBy::Labels(names),
        }),
        continue_matching: rest.split_whitespace().any(|w| w == "continue"),
        matchers: matchers(rest, "match"),
        group_wait: value(rest, "group_wait").map(duration),
        group_interval: value(rest, "group_interval").map(duration),
        repeat_interval: value(rest, "repeat_interval").map(duration),
        mute_time_intervals: list(rest, "mute"),
        active_time_intervals: list(rest, "active"),
        ..Route::default()
    }
}

/// The text behind `name:`, up to the next blank.
fn value<'a>(rest: &'a str, name: &str) -> Option<&'a str> {
    let mut words = rest.split_whitespace();
    words.find(|w| w.strip_suffix(':') == Some(name))?;
    words.next()
}

fn list(rest: &str, name: &str) -> Vec<String> {
    value(rest, name).map_or_else(Vec::new, |v| v.split(',').map(str::to_owned).collect())
}

fn matchers(rest: &str, name: &str) -> Vec<Matcher> {
    value(rest, name).map_or_else(Vec::new, |v| parse_matchers(v).expect("matchers"))
}

/// Reads `1h2m3s` and `500ms`.
fn duration(text: &str) -> i64 {
    let (mut total, mut rest) = (0, text);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).expect("a unit");
        let number: i64 = rest[..digits].parse().expect("a number");
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        total += number
            * match &rest[..letters] {
                "d" => 86_400_000,
                "h" => 3_600_000,
                "m" => 60_000,
                "s" => 1000,
                "ms" => 1,
                other => panic!("unknown unit `{other}`"),
            };
        rest = &rest[letters..];
    }
    total
}

/// Writes a time as the scripts do.
fn clock(at: TimeMs) -> String {
    let mut rest = at - ZERO;
    let mut text = String::new();
    for (unit, ms) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)] {
        if rest / ms != 0 {
            text += &format!("{}{unit}", rest / ms);
            rest %= ms;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}
