//! A long seeded run with faults: receivers that fail, restarts from what was kept, crashes between a receiver's OK and our note of it,
//! silences, a mute interval, inhibition, reloads. Checked all the way:
//!
//! 1. An alert that fires and that nothing keeps quiet is known as firing to its receivers, once they had the time to hear of it.
//! 2. One that is over is known to be over where ends are told.
//! 3. Nothing is told twice within the repeat interval, unless the process died between a receiver's OK and the note of it.
//!
//! `WATCHGLASS_SEED=n` repeats one run; `WATCHGLASS_RUNS=n` makes so many, `WATCHGLASS_LONG=1` (`cargo xtask test --long`) a great many.

use std::collections::{BTreeMap, BTreeSet};

use watchglass_alerts::{
    AlertState, Alerts, GroupBy, InhibitRule, IntegrationSpec, Notification, NotifyReason, Outcome, ReceiverSpec,
    Route, RoutingConfig, SavedState, Silence, TimeInterval, TimeRange,
};
use watchglass_model::{Alert, Labels, Matcher, TimeMs};

const SECOND: i64 = 1000;
const MINUTE: i64 = 60_000;
const GROUP_WAIT: i64 = 20 * SECOND;
const GROUP_INTERVAL: i64 = 2 * MINUTE;
const REPEAT_INTERVAL: i64 = 30 * MINUTE;
/// The longest a message may take from when nothing stands in its way: a turn, the longest pause between attempts, an answer.
const PATIENCE: i64 = GROUP_INTERVAL + 90 * SECOND + 20 * SECOND + GROUP_WAIT;
/// 2026-01-05, midnight UTC.
const ZERO: TimeMs = 1_767_571_200_000;
const LENGTH: i64 = 24 * 60 * MINUTE;
/// Runs of one day each, in every test and in the long one.
const RUNS: u64 = 10;
const LONG_RUNS: u64 = 2000;

/// Numbers that a seed determines (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// What one receiver was last told of one group.
#[derive(Clone, Default)]
struct Told {
    at: TimeMs,
    /// When the message was issued: what changed since then it does not say.
    issued_at: TimeMs,
    firing: BTreeSet<Labels>,
    resolved: BTreeSet<Labels>,
}

struct World {
    random: Random,
    seed: u64,
    config: RoutingConfig,
    machine: Alerts,
    kept: SavedState,
    now: TimeMs,
    /// What fires, since when.
    firing: BTreeMap<Labels, TimeMs>,
    /// What is over, since when.
    over: BTreeMap<Labels, TimeMs>,
    /// When something last stood in an alert's way or ceased to.
    disturbed: BTreeMap<Labels, TimeMs>,
    quiet: BTreeSet<Labels>,
    /// Receivers that fail.
    down: BTreeSet<String>,
    last_failure: BTreeMap<String, TimeMs>,
    on_their_way: Vec<(TimeMs, Notification)>,
    told: BTreeMap<(String, String), Told>,
    /// By receiver and alert, what the last message that named it said.
    known: BTreeMap<(String, Labels), AlertState>,
    /// Receivers that rightly believe that an alert fires which ended while it was kept quiet, and fires or fired anew since.
    mistaken: BTreeSet<(String, Labels)>,
    /// Groups for which a repetition is allowed once: the process died before its note.
    excused: BTreeSet<(String, String)>,
    next_silence: u64,
    messages: u64,
    crashes: u64,
    restarts: u64,
}

fn config(with_extra_route: bool) -> RoutingConfig {
    let node = |receiver: &str, matcher: Option<Matcher>| Route {
        receiver: Some(receiver.to_owned()),
        matchers: matcher.into_iter().collect(),
        ..Route::default()
    };
    let mut routes = vec![
        Route { continue_matching: true, ..node("pager", Some(Matcher::equal("severity", "critical"))) },
        Route { mute_time_intervals: vec!["night".into()], ..node("day", Some(Matcher::equal("team", "day"))) },
    ];
    if with_extra_route {
        routes.insert(0, node("extra", Some(Matcher::equal("alertname", "never"))));
    }
    let integrations = |names: &[(&str, bool)]| {
        names.iter().map(|(kind, resolved)| IntegrationSpec::new(kind, 0, *resolved)).collect::<Vec<_>>()
    };
    let receiver =
        |name: &str, kinds: &[(&str, bool)]| ReceiverSpec { name: name.into(), integrations: integrations(kinds) };
    let night = TimeInterval { times: vec![TimeRange { start_minute: 0, end_minute: 300 }], ..TimeInterval::default() };
    RoutingConfig {
        route: Route {
            group_by: Some(GroupBy::Labels(vec!["alertname".into()])),
            group_wait: Some(GROUP_WAIT),
            group_interval: Some(GROUP_INTERVAL),
            repeat_interval: Some(REPEAT_INTERVAL),
            routes,
            ..node("ops", None)
        },
        receivers: vec![
            receiver("ops", &[("slack", true), ("webhook", false)]),
            receiver("pager", &[("slack", true)]),
            receiver("day", &[("slack", true)]),
            receiver("extra", &[("slack", true)]),
        ],
        inhibit_rules: vec![InhibitRule {
            name: None,
            source_matchers: vec![Matcher::equal("severity", "critical")],
            target_matchers: vec![Matcher::equal("severity", "warning")],
            equal: vec!["instance".into()],
        }],
        time_intervals: BTreeMap::from([("night".to_owned(), vec![night])]),
        ..RoutingConfig::default()
    }
}

fn universe() -> Vec<Labels> {
    let mut all = Vec::new();
    for instance in ["a", "b", "c"] {
        for (name, severity) in [("Down", "critical"), ("Slow", "warning"), ("Full", "warning")] {
            all.push(Labels::from_pairs([("alertname", name), ("instance", instance), ("severity", severity)]));
        }
        all.push(Labels::from_pairs([("alertname", "Stale"), ("instance", instance), ("team", "day")]));
    }
    all
}

impl World {
    fn new(seed: u64) -> World {
        let config = config(false);
        let machine = Alerts::new(config.clone(), SavedState::default(), ZERO).expect("a valid configuration");
        World {
            random: Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            seed,
            config,
            machine,
            kept: SavedState::default(),
            now: ZERO,
            firing: BTreeMap::new(),
            over: BTreeMap::new(),
            disturbed: BTreeMap::new(),
            quiet: BTreeSet::new(),
            down: BTreeSet::new(),
            last_failure: BTreeMap::new(),
            on_their_way: Vec::new(),
            told: BTreeMap::new(),
            known: BTreeMap::new(),
            mistaken: BTreeSet::new(),
            excused: BTreeSet::new(),
            next_silence: 0,
            messages: 0,
            crashes: 0,
            restarts: 0,
        }
    }

    fn run(&mut self) {
        let universe = universe();
        let end = ZERO + LENGTH;
        let mut next_event = ZERO;
        let mut next_renewal = ZERO;
        while self.now < end {
            let arrival = self.on_their_way.iter().map(|(at, _)| *at);
            let next = self
                .machine
                .next_wake(self.now)
                .into_iter()
                .chain(arrival)
                .fold(next_event.min(next_renewal), i64::min);
            self.now = self.now.max(next);
            if self.now >= next_renewal {
                next_renewal = self.now + MINUTE;
                self.renew();
            }
            if self.now >= next_event {
                next_event = self.now + 1 + self.random.below(4 * MINUTE as u64) as i64;
                self.event(&universe);
            }
            self.arrivals();
            self.look_at_quiet(&universe);
            for notification in self.machine.step(self.now) {
                let latency = if self.random.one_in(8) { self.random.below(20_000) as i64 } else { 0 };
                self.on_their_way.push((self.now + latency, notification));
            }
            self.keep();
            self.check();
        }
    }

    fn keep(&mut self) {
        self.kept.apply(&self.machine.take_changes());
    }

    fn alert(&self, labels: &Labels, since: TimeMs, ends_at: TimeMs) -> Alert {
        Alert {
            labels: labels.clone(),
            annotations: Labels::empty(),
            starts_at: since,
            ends_at,
            generator_url: String::new(),
        }
    }

    /// What rules do every minute: renew what fires, and tell for a while what is over.
    fn renew(&mut self) {
        let lasts = self.now + 4 * MINUTE;
        let mut alerts: Vec<Alert> = self.firing.iter().map(|(l, since)| self.alert(l, *since, lasts)).collect();
        let recent = self.over.iter().filter(|(_, at)| self.now - **at < 15 * MINUTE);
        alerts.extend(recent.map(|(l, at)| self.alert(l, *at - 1, *at)));
        assert!(self.machine.insert(&alerts, self.now).is_empty());
        self.keep();
    }

    fn event(&mut self, universe: &[Labels]) {
        let labels = universe[self.random.below(universe.len() as u64) as usize].clone();
        match self.random.below(20) {
            0..=7 => match self.firing.remove(&labels) {
                Some(since) => {
                    self.over.insert(labels.clone(), self.now);
                    let alert = self.alert(&labels, since, self.now);
                    self.machine.insert(&[alert], self.now);
                }
                None => {
                    if let Some(at) = self.over.remove(&labels)
                        && self.quiet_at_the_end(&labels, at)
                    {
                        let believe = self.known.iter().filter(|((_, l), s)| *l == labels && **s == AlertState::Firing);
                        self.mistaken.extend(believe.map(|(key, _)| key.clone()));
                    }
                    self.firing.insert(labels.clone(), self.now);
                    let alert = self.alert(&labels, self.now, self.now + 4 * MINUTE);
                    self.machine.insert(&[alert], self.now);
                }
            },
            8 | 9 => {
                let receiver = ["ops", "pager", "day"][self.random.below(3) as usize].to_owned();
                if !self.down.remove(&receiver) {
                    self.down.insert(receiver);
                }
            }
            // Most of the time all is well, or nothing could be expected of anybody.
            10 | 11 => self.down.clear(),
            12 => {
                self.next_silence += 1;
                let silence = Silence {
                    id: String::new(),
                    matcher_sets: vec![vec![Matcher::equal("instance", labels.value("instance"))]],
                    starts_at: self.now,
                    ends_at: self.now + 1 + self.random.below(20 * MINUTE as u64) as i64,
                    updated_at: 0,
                    created_by: String::new(),
                    comment: String::new(),
                    annotations: BTreeMap::new(),
                };
                let id = format!("s{}", self.next_silence);
                self.machine.set_silence(silence, &id, self.now).expect("a valid silence");
            }
            13 => self.restart(),
            14 => {
                self.config = config(self.random.one_in(2));
                self.machine.reload(self.config.clone(), self.now).expect("a valid configuration");
            }
            _ => {}
        }
        self.keep();
    }

    fn restart(&mut self) {
        self.restarts += 1;
        for (_, lost) in std::mem::take(&mut self.on_their_way) {
            // It may have arrived or not.
            if self.random.one_in(2) && !self.down.contains(&lost.receiver) {
                self.crashes += 1;
                self.accept(&lost);
                self.excused.insert(place(&lost));
            }
        }
        let json = serde_json::to_string(&self.kept).expect("records are plain");
        let kept: SavedState = serde_json::from_str(&json).expect("what was written can be read");
        self.machine = Alerts::new(self.config.clone(), kept, self.now).expect("a valid configuration");
        self.renew();
    }

    fn arrivals(&mut self) {
        let (arrived, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.on_their_way).into_iter().partition(|(at, _)| *at <= self.now);
        self.on_their_way = rest;
        for (_, notification) in arrived {
            if self.down.contains(&notification.receiver) || self.random.one_in(15) {
                self.last_failure.insert(notification.receiver.clone(), self.now);
                let retry = !self.random.one_in(5);
                let retry_after = self.random.one_in(5).then_some(10 * SECOND);
                let outcome = Outcome::Failed { error: "no answer".into(), retry, retry_after };
                assert!(self.machine.outcome(notification.id, outcome, self.now));
            } else {
                self.accept(&notification);
                if self.random.one_in(40) {
                    self.crashes += 1;
                    self.excused.insert(place(&notification));
                    self.restart();
                    return;
                }
                assert!(self.machine.outcome(notification.id, Outcome::sent(), self.now));
            }
            self.keep();
        }
    }

    /// A receiver takes a message. Checks that it had to come.
    fn accept(&mut self, notification: &Notification) {
        self.messages += 1;
        let of = |state: AlertState| -> BTreeSet<Labels> {
            notification.alerts.iter().filter(|a| a.state == state).map(|a| a.alert.labels.clone()).collect()
        };
        let (firing, resolved) = (of(AlertState::Firing), of(AlertState::Resolved));
        let now_told = Told { at: self.now, issued_at: notification.at, firing, resolved };
        let place = place(notification);
        assert!(!notification.alerts.is_empty(), "seed {}: an empty message", self.seed);
        if let Some(before) = self.told.get(&place) {
            let news = !now_told.firing.is_subset(&before.firing)
                || !now_told.resolved.is_subset(&before.resolved)
                || (now_told.firing.is_empty() && !before.firing.is_empty())
                // It fired anew and is over anew.
                || notification.alerts.iter().any(|a| a.state == AlertState::Resolved && a.alert.starts_at > before.at);
            let in_time = notification.at - before.at > REPEAT_INTERVAL;
            // Without ends told, an alert that fires again looks the same as before, and so does one that was kept quiet while the rest of its
            // group ended.
            let silent_ends = !notification.integration.send_resolved
                && notification.alerts.iter().any(|a| {
                    let disturbed = self.disturbed.get(&a.alert.labels).copied().unwrap_or(TimeMs::MIN);
                    a.alert.starts_at.max(disturbed) >= before.issued_at
                });
            let excused = self.excused.remove(&place);
            let honest = in_time || excused || notification.reason != NotifyReason::RepeatInterval;
            assert!(
                honest && (news || in_time || excused || silent_ends),
                "seed {}: told twice: {notification:#?}",
                self.seed
            );
        }
        for alert in &notification.alerts {
            let key = (place.0.clone(), alert.alert.labels.clone());
            self.mistaken.remove(&key);
            self.known.insert(key, alert.state);
        }
        self.told.insert(place, now_told);
    }

    /// Notes for which alerts something changed that stands in their way.
    fn look_at_quiet(&mut self, universe: &[Labels]) {
        let minute = (self.now - ZERO).rem_euclid(24 * 60 * MINUTE) / MINUTE;
        for labels in universe {
            let silenced = self
                .machine
                .silences(self.now)
                .iter()
                .any(|s| s.state(self.now) == watchglass_alerts::SilenceState::Active && s.matches(labels));
            let source =
                |l: &&Labels| l.value("severity") == "critical" && l.value("instance") == labels.value("instance");
            let inhibited = labels.value("severity") == "warning" && self.firing.keys().any(|l| source(&l));
            let muted = labels.value("team") == "day" && minute < 300;
            let quiet = silenced || inhibited || muted;
            let changed = if quiet { self.quiet.insert(labels.clone()) } else { self.quiet.remove(labels) };
            if changed || quiet {
                self.disturbed.insert(labels.clone(), self.now);
            }
        }
    }

    /// What ended while it was kept quiet is not told: then nothing is known to be wrong.
    fn quiet_at_the_end(&self, labels: &Labels, ended: TimeMs) -> bool {
        self.disturbed.get(labels).is_some_and(|at| *at + PATIENCE > ended)
    }

    fn check(&self) {
        let receivers = |labels: &Labels| -> Vec<(&str, bool)> {
            let mut all = match labels.value("team") {
                "day" => vec![("day/slack", true)],
                _ if labels.value("severity") == "critical" => vec![("pager/slack", true)],
                _ => vec![("ops/slack", true), ("ops/webhook", false)],
            };
            all.sort_unstable();
            all
        };
        let settled = |labels: &Labels, since: TimeMs, receiver: &str| {
            let name = receiver.split('/').next().unwrap_or_default();
            let failed = self.last_failure.get(name).copied().unwrap_or(TimeMs::MIN);
            let disturbed = self.disturbed.get(labels).copied().unwrap_or(TimeMs::MIN);
            !self.down.contains(name) && self.now - since.max(failed).max(disturbed) > PATIENCE
        };
        for (labels, since) in &self.firing {
            for (receiver, _) in receivers(labels) {
                let known = self.known.get(&(receiver.to_owned(), labels.clone()));
                assert!(
                    !settled(labels, *since, receiver) || known == Some(&AlertState::Firing),
                    "seed {}: {labels} fires since {} s and {receiver} knows {known:?}: {:#?}",
                    self.seed,
                    (self.now - since) / SECOND,
                    self.machine.explain_fingerprint(labels.fingerprint())
                );
            }
        }
        for (labels, since) in &self.over {
            let quiet_at_the_end = self.quiet_at_the_end(labels, *since);
            for (receiver, send_resolved) in receivers(labels) {
                let key = (receiver.to_owned(), labels.clone());
                let known = self.known.get(&key);
                // A firing of which nobody was told, over within the group's wait, is not told of either; an older belief stays.
                let wanted = send_resolved
                    && !quiet_at_the_end
                    && !self.mistaken.contains(&key)
                    && settled(labels, *since, receiver);
                assert!(
                    !wanted || known != Some(&AlertState::Firing),
                    "seed {}: {labels} is over since {} s and {receiver} does not know: {:#?}",
                    self.seed,
                    (self.now - since) / SECOND,
                    self.machine.explain_fingerprint(labels.fingerprint())
                );
            }
        }
    }
}

/// Receiver with integration, and group key.
fn place(notification: &Notification) -> (String, String) {
    let receiver = format!("{}/{}", notification.receiver, notification.integration.kind);
    (receiver, notification.group_key.clone())
}

#[test]
fn nothing_is_lost_and_nothing_told_twice() {
    let number = |name: &str| std::env::var(name).ok().and_then(|v| v.parse::<u64>().ok());
    let seeds = match number("WATCHGLASS_SEED") {
        Some(seed) => seed..seed + 1,
        None => {
            let long = std::env::var("WATCHGLASS_LONG").is_ok_and(|v| v == "1");
            1..1 + number("WATCHGLASS_RUNS").unwrap_or(if long { LONG_RUNS } else { RUNS })
        }
    };
    let (mut messages, mut crashes, mut restarts) = (0, 0, 0);
    for seed in seeds.clone() {
        let mut world = World::new(seed);
        world.run();
        messages += world.messages;
        crashes += world.crashes;
        restarts += world.restarts;
    }
    println!("{} runs: {messages} messages, {restarts} restarts, {crashes} of them before a note", seeds.count());
    assert!(messages > 0 && restarts > 0);
}
