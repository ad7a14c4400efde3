//! What API clients and whoever drives the machine rely on: silences, filters, merging, limits, reload, the bounds of what is kept.

use std::collections::BTreeMap;

use watchglass_alerts::{
    AlertFilter, Alerts, GroupBy, GroupFilter, InhibitRule, InsertError, IntegrationSpec, Options, Outcome,
    PostedAlert, Reason, ReceiverSpec, Route, RoutingConfig, RoutingError, SavedState, Silence, SilenceError,
    SilenceState, parse_matcher, parse_matchers, receiver_filter, silence_matches_filter,
};
use watchglass_model::{Alert, Labels, Matcher, TimeMs};

const MINUTE: i64 = 60_000;

fn config() -> RoutingConfig {
    RoutingConfig {
        route: Route {
            receiver: Some("ops".into()),
            group_by: Some(GroupBy::Labels(vec!["alertname".into()])),
            routes: vec![Route {
                receiver: Some("db".into()),
                matchers: vec![Matcher::equal("team", "db")],
                ..Route::default()
            }],
            ..Route::default()
        },
        receivers: ["ops", "db"]
            .map(|name| ReceiverSpec { name: name.into(), integrations: vec![IntegrationSpec::new("slack", 0, true)] })
            .to_vec(),
        inhibit_rules: vec![InhibitRule {
            source_matchers: vec![Matcher::equal("alertname", "Down")],
            target_matchers: vec![Matcher::equal("alertname", "Slow")],
            ..InhibitRule::default()
        }],
        ..RoutingConfig::default()
    }
}

fn machine() -> Alerts {
    Alerts::new(config(), SavedState::default(), 0).expect("a valid configuration")
}

fn labels(text: &str) -> Labels {
    Labels::from_pairs(
        parse_matchers(text).expect("labels").iter().map(|m| (m.name().to_owned(), m.value().to_owned())),
    )
}

fn posted(text: &str) -> PostedAlert {
    PostedAlert { labels: labels(text), ..PostedAlert::default() }
}

fn silence(matchers: &str, starts_at: TimeMs, ends_at: TimeMs) -> Silence {
    Silence {
        id: String::new(),
        matcher_sets: vec![parse_matchers(matchers).expect("matchers")],
        starts_at,
        ends_at,
        updated_at: 0,
        created_by: "someone".into(),
        comment: "why".into(),
        annotations: BTreeMap::new(),
    }
}

#[test]
fn posted_alerts_get_their_times() {
    let mut machine = machine();
    let alerts = [
        posted("alertname=A"),
        PostedAlert { ends_at: Some(MINUTE), ..posted("alertname=B") },
        PostedAlert { starts_at: Some(5), ends_at: Some(4), ..posted("alertname=C") },
        posted("{}"),
    ];
    assert_eq!(machine.post(&alerts, 100), [InsertError::EndsBeforeStart, InsertError::NoLabels]);
    let views = machine.alerts(&AlertFilter::default(), 100);
    let mut times: Vec<_> = views.iter().map(|v| (v.alert.starts_at, v.alert.ends_at, v.updated_at)).collect();
    times.sort_unstable();
    // An end alone is a start too; without an end the resolve timeout is one.
    assert_eq!(times, [(100, 100 + 5 * MINUTE, 100), (MINUTE, MINUTE, 100)]);
    assert_eq!((machine.counts().received_firing, machine.counts().refused_invalid), (3, 2));
}

#[test]
fn overlapping_alerts_are_merged() {
    let mut machine = machine();
    let at = |starts_at, ends_at| PostedAlert { starts_at: Some(starts_at), ends_at, ..posted("alertname=A") };
    let times = |machine: &Alerts, now| {
        let views = machine.alerts(&AlertFilter::default(), now);
        views.first().map(|v| (v.alert.starts_at, v.alert.ends_at))
    };
    machine.post(&[at(1000, None)], 1000);
    machine.post(&[at(2000, None)], 2000);
    assert_eq!(times(&machine, 2000), Some((1000, 2000 + 5 * MINUTE)), "the earliest start, the newer timeout");
    machine.post(&[at(2000, Some(20 * MINUTE))], 3000);
    machine.post(&[at(2000, None)], 4000);
    assert_eq!(times(&machine, 4000), Some((1000, 20 * MINUTE)), "an end that was given outlasts a timeout");
    machine.post(&[at(2000, Some(5000))], 5000);
    assert_eq!(times(&machine, 5000), None, "over");
    machine.post(&[at(2000, Some(4500))], 6000);
    machine.post(&[at(7000, None)], 7000);
    assert_eq!(times(&machine, 7000), Some((7000, 7000 + 5 * MINUTE)), "no overlap: an alert of its own");
}

#[test]
fn too_many_alerts_are_refused_and_counted() {
    let config = RoutingConfig { options: Options { max_alerts: 2, ..Options::default() }, ..config() };
    let mut machine = Alerts::new(config, SavedState::default(), 0).expect("a valid configuration");
    let errors = machine.post(&[posted("a=1"), posted("a=2"), posted("a=3"), posted("a=1")], 0);
    assert_eq!((errors, machine.counts().refused_limit), (vec![InsertError::TooMany(2)], 1));
    let why = machine.explain(&[Matcher::equal("a", "3")]);
    assert!(matches!(&why[0].reason, Reason::Refused { error } if error.contains("which is the limit")), "{why:?}");
}

#[test]
fn silences_are_made_changed_and_ended() {
    let mut machine = machine();
    let id = machine.set_silence(silence("a=b", 0, 10 * MINUTE), "one", 1000).expect("a silence");
    assert_eq!((id.as_str(), machine.silence("one").map(|s| s.starts_at)), ("one", Some(1000)), "not before now");
    // The end of an active one may change.
    let longer = Silence { id: "one".into(), ends_at: 20 * MINUTE, ..silence("a=b", 1000, 0) };
    assert_eq!(machine.set_silence(longer, "two", 2000), Ok("one".to_owned()));
    // Other matchers make another of it.
    let other = Silence { id: "one".into(), ..silence("a=c", 1000, 20 * MINUTE) };
    assert_eq!(machine.set_silence(other, "two", 3000), Ok("two".to_owned()));
    let states: Vec<_> = machine.silences(3000).iter().map(|s| (s.id.clone(), s.state(3000))).collect();
    assert_eq!(states, [("two".to_owned(), SilenceState::Active), ("one".to_owned(), SilenceState::Expired)]);
    // One that waits may begin at another time; ended, it never begins.
    machine.set_silence(silence("a=d", 60 * MINUTE, 70 * MINUTE), "three", 4000).expect("a silence");
    let later = Silence { id: "three".into(), ..silence("a=d", 61 * MINUTE, 71 * MINUTE) };
    assert_eq!(machine.set_silence(later, "four", 5000), Ok("three".to_owned()));
    assert_eq!(machine.expire_silence("three", 6000), Ok(()));
    assert_eq!(machine.silence("three").map(|s| s.state(65 * MINUTE)), Some(SilenceState::Expired));
    assert_eq!(machine.expire_silence("three", 7000), Ok(()), "to end it again changes nothing");
    assert_eq!(machine.expire_silence("nine", 7000), Err(SilenceError::NotFound));
}

#[test]
fn silences_that_say_nothing_are_refused() {
    let mut machine = machine();
    let mut refused = |silence: Silence| machine.set_silence(silence, "x", 1000).expect_err("refused").to_string();
    assert_eq!(refused(silence("a=b", 10, 5)), "Failed to create silence: start time must be before end time");
    assert_eq!(refused(silence("a=b", 0, 500)), "Failed to create silence: end time can't be in the past");
    assert_eq!(refused(silence("{}", 0, 5000)), "invalid silence: matcher set 0: at least one matcher required");
    let empty = "invalid silence: matcher set 0: at least one matcher must not match the empty string";
    assert_eq!(refused(silence("a=~\".*\"", 0, 5000)), empty);
    let unknown = Silence { id: "nine".into(), ..silence("a=b", 0, 5000) };
    assert_eq!(refused(unknown), "silence not found");
    let options = Options { max_silences: 1, max_silence_bytes: 100, ..Options::default() };
    let mut machine = Alerts::new(RoutingConfig { options, ..config() }, SavedState::default(), 0).expect("valid");
    let large = Silence { comment: "x".repeat(200), ..silence("a=b", 0, 5000) };
    assert!(machine.set_silence(large, "x", 0).expect_err("large").to_string().contains("maximum size"));
    machine.set_silence(silence("a=b", 0, 5000), "x", 0).expect("the first");
    let second = machine.set_silence(silence("a=c", 0, 5000), "y", 0).expect_err("the second");
    assert_eq!(second.to_string(), "exceeded maximum number of silences: 1 (limit: 1)");
}

#[test]
fn any_set_of_matchers_silences() {
    let mut machine = machine();
    let mut both = silence("alertname=A", 0, MINUTE);
    both.matcher_sets.push(parse_matchers("alertname=B, team=db").expect("matchers"));
    machine.set_silence(both.clone(), "s", 0).expect("a silence");
    machine.post(&[posted("alertname=A"), posted("alertname=B"), posted("alertname=B,team=db")], 0);
    let quiet = AlertFilter { active: false, ..AlertFilter::default() };
    assert_eq!(machine.alerts(&quiet, 0).len(), 2);
    assert!(silence_matches_filter(&both, &parse_matchers("team=db").expect("a filter")));
    assert!(!silence_matches_filter(&both, &parse_matchers("team=web").expect("a filter")));
    assert!(silence_matches_filter(&both, &parse_matchers("team=db, alertname=B").expect("a filter")));
    // Matchers are looked for as they stand, not tried on each other.
    assert!(!silence_matches_filter(&both, &parse_matchers("alertname=~\"B|C\"").expect("a filter")));
    assert!(!silence_matches_filter(&both, &parse_matchers("alertname=A, team=db").expect("a filter")));
}

#[test]
fn the_apis_filters() {
    let mut machine = machine();
    machine.set_silence(silence("alertname=Hush", 0, 60 * MINUTE), "s1", 0).expect("a silence");
    machine.post(
        &[posted("alertname=Down"), posted("alertname=Slow"), posted("alertname=Hush"), posted("alertname=Db,team=db")],
        0,
    );
    let names = |filter: &AlertFilter| -> Vec<String> {
        let views = machine.alerts(filter, 0);
        let mut names: Vec<String> = views.iter().map(|v| v.alert.labels.value("alertname").to_owned()).collect();
        names.sort_unstable();
        names
    };
    let all = AlertFilter::default();
    assert_eq!(names(&all), ["Db", "Down", "Hush", "Slow"]);
    assert_eq!(names(&AlertFilter { active: false, ..all.clone() }), ["Hush", "Slow"]);
    assert_eq!(names(&AlertFilter { silenced: false, ..all.clone() }), ["Db", "Down", "Slow"]);
    assert_eq!(names(&AlertFilter { inhibited: false, ..all.clone() }), ["Db", "Down", "Hush"]);
    let matchers =
        vec![parse_matcher("alertname=~D.*").expect("a matcher"), parse_matcher("team!=db").expect("a matcher")];
    assert_eq!(names(&AlertFilter { matchers, ..all.clone() }), ["Down"]);
    let receiver = receiver_filter("d.").ok();
    assert_eq!(names(&AlertFilter { receiver: receiver.clone(), ..all.clone() }), ["Db"]);
    let groups = machine.groups(&GroupFilter { alerts: AlertFilter { receiver, ..all }, muted: true }, 0);
    assert_eq!((groups.len(), groups[0].group_key.as_str()), (1, "{}/{team=\"db\"}:{alertname=\"Db\"}"));
    assert!(receiver_filter("(").is_err() && parse_matcher("{a=b}").is_err() && parse_matcher("a").is_err());
    let slow =
        machine.alerts(&AlertFilter { matchers: vec![Matcher::equal("alertname", "Slow")], ..Default::default() }, 0);
    assert_eq!(
        (slow[0].status.state(), slow[0].status.inhibited_by.clone()),
        ("suppressed", vec![labels("alertname=Down").fingerprint()])
    );
}

#[test]
fn a_reload_keeps_turns_and_what_is_on_its_way() {
    let mut machine = machine();
    machine.post(&[posted("alertname=A"), posted("alertname=D,team=db")], 0);
    let due = machine.step(30_000);
    assert_eq!(due.len(), 2);
    machine.outcome(due[0].id, Outcome::sent(), 30_000);
    // A route before the others moves all their numbers; the database's own route is gone.
    let mut changed = config();
    let never = Route { matchers: vec![Matcher::equal("never", "1")], ..Route::default() };
    changed.route.routes = vec![never];
    machine.reload(changed, 40_000).expect("a valid configuration");
    let groups = machine.groups(&GroupFilter::default(), 40_000);
    let next: Vec<_> = groups.iter().map(|g| (g.group_key.as_str(), g.next_at)).collect();
    assert_eq!(next, [("{}:{alertname=\"A\"}", 330_000), ("{}:{alertname=\"D\"}", 40_000)]);
    assert!(machine.outcome(due[1].id, Outcome::sent(), 41_000), "its group is gone, the note is taken");
    assert!(!machine.outcome(due[1].id, Outcome::sent(), 41_000), "but only once");
    let moved = machine.step(41_000);
    assert_eq!((moved.len(), moved[0].receiver.as_str()), (1, "ops"));
    let broken = RoutingConfig { route: Route::default(), ..config() };
    assert_eq!(machine.reload(broken, 42_000), Err(RoutingError::NoReceiver));
    assert_eq!(machine.groups(&GroupFilter::default(), 42_000).len(), 2, "a bad one changes nothing");
}

#[test]
fn an_outcome_that_never_comes_is_given_up_on() {
    let mut machine = machine();
    let forever = PostedAlert { ends_at: Some(1000 * MINUTE), ..posted("alertname=A") };
    machine.post(&[PostedAlert { starts_at: Some(0), ..forever }], 0);
    let first = machine.step(30_000).remove(0);
    assert!(machine.step(first.deadline + 300_000).is_empty(), "it is awaited");
    let wake = machine.next_wake(first.deadline + 300_001).expect("a time");
    assert!(wake <= first.deadline + 600_000);
    let late = first.deadline + 600_000;
    let again = machine.step(late);
    assert_eq!((again.len(), machine.counts().outcomes_missed), (1, 1));
}

#[test]
fn what_was_sent_is_kept_for_the_next_message() {
    let mut machine = machine();
    machine.post(&[posted("alertname=A")], 0);
    let first = machine.step(30_000).remove(0);
    let receiver_data = BTreeMap::from([("ts".to_owned(), "17.5".to_owned())]);
    machine.outcome(first.id, Outcome::Sent { receiver_data: receiver_data.clone() }, 30_000);
    let mut kept = SavedState::default();
    kept.apply(&machine.take_changes());
    assert!(machine.take_changes().is_empty(), "once");
    let json = serde_json::to_string(&kept).expect("records are plain");
    let kept: SavedState = serde_json::from_str(&json).expect("and can be read");
    let mut machine = Alerts::new(config(), kept, 31_000).expect("a valid configuration");
    let ended = Alert {
        labels: labels("alertname=A"),
        annotations: Labels::empty(),
        starts_at: 0,
        ends_at: 32_000,
        generator_url: String::new(),
    };
    machine.insert(&[ended], 32_000);
    let next = machine.step(32_000).remove(0);
    assert_eq!((next.receiver_data, next.reason.as_str()), (receiver_data, "all alerts resolved"));
}

#[test]
fn old_silences_and_log_entries_are_forgotten() {
    let options = Options { retention: 60 * MINUTE, ..Options::default() };
    let mut machine = Alerts::new(RoutingConfig { options, ..config() }, SavedState::default(), 0).expect("valid");
    machine.set_silence(silence("a=b", 0, MINUTE), "s", 0).expect("a silence");
    machine.post(&[posted("alertname=A")], 0);
    let first = machine.step(30_000).remove(0);
    machine.outcome(first.id, Outcome::sent(), 30_000);
    let mut kept = SavedState::default();
    kept.apply(&machine.take_changes());
    assert_eq!((kept.silences.len(), kept.log.len(), kept.alerts.len()), (1, 1, 1));
    let over = machine.step(10 * MINUTE);
    machine.outcome(over[0].id, Outcome::sent(), 10 * MINUTE);
    machine.step(200 * MINUTE);
    kept.apply(&machine.take_changes());
    assert_eq!(kept, SavedState::default());
    let counts = machine.counts();
    assert_eq!((counts.alerts, counts.groups, counts.silences, counts.log_entries), (0, 0, 0, 0));
}

#[test]
fn reasons_are_bounded() {
    let mut machine = machine();
    for n in 0..300 {
        let now = n * MINUTE;
        let ends_at = Some(if n % 2 == 0 { now + 60 * MINUTE } else { now });
        machine.post(&[PostedAlert { starts_at: Some(now - 1), ends_at, ..posted("alertname=A") }], now);
        for notification in machine.step(now) {
            machine.outcome(notification.id, Outcome::failed(format!("error {n}")), now);
        }
    }
    let why = machine.explain(&[Matcher::equal("alertname", "A")]);
    assert_eq!(why.len(), 64);
    assert!(why.windows(2).all(|w| w[0].at <= w[1].at));
}

#[test]
fn alerts_are_told_in_alertmanagers_order() {
    let mut machine = machine();
    let all = ["x=1", "b=1", "a=1,c=1", "a=1,b=2", "a=1,b=1", "instance=z", "instance=y,a=1", "job=j,instance=a,q=1"];
    let posts: Vec<PostedAlert> = all.iter().map(|l| posted(&format!("alertname=A,{l}"))).collect();
    machine.post(&posts, 0);
    let told = machine.step(30_000).remove(0);
    let text = |labels: &Labels| {
        let pairs = labels.iter().filter(|(name, _)| *name != "alertname").map(|(n, v)| format!("{n}={v}"));
        pairs.collect::<Vec<_>>().join(",")
    };
    let order: Vec<String> = told.alerts.iter().map(|a| text(&a.alert.labels)).collect();
    let wanted =
        ["instance=a,job=j,q=1", "a=1,instance=y", "instance=z", "x=1", "b=1", "a=1,c=1", "a=1,b=1", "a=1,b=2"];
    assert_eq!(order, wanted);
}
