//! Cases that other projects wrote: matcher strings, routing, inhibition. Read from the conformance folder where it is there.

use std::path::{Path, PathBuf};

use serde_json::Value;
use watchglass_alerts::{
    Alerts, GroupBy, InhibitRule, IntegrationSpec, ReceiverSpec, Route, RouteTree, RoutingConfig, SavedState,
    parse_matcher_utf8, parse_matchers_classic, parse_matchers_utf8,
};
use watchglass_model::{Alert, Labels, MatchOp, Matcher};

/// Cases that come out otherwise here, with the reason.
const KNOWN: [(&str, &str); 0] = [];

/// A file of the conformance data; `None` where it is absent, which fails the run under CI.
fn conformance(name: &str) -> Option<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance");
    let path = std::env::var_os("WATCHGLASS_CONFORMANCE").map_or(root, PathBuf::from).join(name);
    if let Ok(text) = std::fs::read_to_string(&path) {
        return Some(serde_json::from_str(&text).expect("JSON"));
    }
    assert!(std::env::var_os("CI").is_none_or(|v| v != "true"), "no conformance data at {}", path.display());
    eprintln!("SKIPPED: no conformance data at {}", path.display());
    None
}

/// Fails where a case that isn't listed went wrong, or one that is listed went right.
fn judge(name: &str, wrong: Option<String>, failures: &mut Vec<String>) {
    match (wrong, KNOWN.iter().any(|(case, _)| *case == name)) {
        (Some(wrong), false) => failures.push(format!("{name}: {wrong}")),
        (None, true) => failures.push(format!("{name} passes now: take it off the list")),
        _ => {}
    }
}

fn triple(m: &Matcher) -> [String; 3] {
    [m.name().to_owned(), m.op().as_str().to_owned(), m.value().to_owned()]
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[test]
fn utf8_matchers() {
    let Some(cases) = conformance("alertmanager-matchers/utf8_matchers.json") else { return };
    let (mut failures, cases) = (Vec::new(), cases.as_array().expect("cases").clone());
    for case in &cases {
        let (input, error) = (case["input"].as_str().expect("input"), case["error"].as_str().expect("error"));
        let one = case["test"] == "TestMatcher";
        let found = if one { parse_matcher_utf8(input).map(|m| vec![m]) } else { parse_matchers_utf8(input) };
        let wanted: Vec<Vec<&str>> = match &case["expected"] {
            Value::Array(_) if one => vec![strings(&case["expected"])],
            Value::Array(all) => all.iter().map(strings).collect(),
            _ => Vec::new(),
        };
        let wrong = match &found {
            Ok(found) if error.is_empty() => {
                let found: Vec<Vec<String>> = found.iter().map(|m| triple(m).to_vec()).collect();
                (found != wanted).then(|| format!("wanted {wanted:?}, found {found:?}"))
            }
            Err(found) if found.to_string() == error => None,
            other => Some(format!("wanted error {error:?}, found {other:?}")),
        };
        judge(&format!("utf8 {input}"), wrong, &mut failures);
    }
    assert!(cases.len() >= 50, "{} cases", cases.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The wanted matchers of a classic case are told as a piece of Go: `NewMatcher(MatchEqual, "foo", "bar")`.
fn matchers_from_go(text: &str) -> Vec<[String; 3]> {
    let literal = |text: &str| -> (String, usize) {
        let quote = text.chars().next().expect("a literal");
        let mut end = 1;
        while !text[end..].starts_with(quote) {
            end += if quote == '"' && text[end..].starts_with('\\') { 2 } else { 1 };
        }
        let body = &text[1..end];
        let plain = |b: &str| b.replace("\\n", "\n").replace("\\\"", "\"").replace("\\\\", "\\");
        (if quote == '"' { plain(body) } else { body.to_owned() }, end + 1)
    };
    let mut found = Vec::new();
    for call in text.split("NewMatcher(").skip(1) {
        let (op, rest) = call.split_once(", ").expect("an operator");
        let op = match op {
            "MatchEqual" => "=",
            "MatchNotEqual" => "!=",
            "MatchRegexp" => "=~",
            _ => "!~",
        };
        let (name, used) = literal(rest);
        let (value, _) = literal(rest[used..].trim_start_matches([',', ' ']));
        found.push([name, op.to_owned(), value]);
    }
    found
}

#[test]
fn classic_matchers() {
    let Some(cases) = conformance("alertmanager-matchers/classic_matchers.json") else { return };
    let (mut failures, cases) = (Vec::new(), cases.as_array().expect("cases").clone());
    for case in &cases {
        let (input, error) = (case["input"].as_str().expect("input"), case["error"].as_str().expect("error"));
        let wrong = match parse_matchers_classic(input) {
            Ok(found) if error.is_empty() => {
                let wanted = matchers_from_go(case["want"]["$call"].as_str().expect("want"));
                let found: Vec<[String; 3]> = found.iter().map(triple).collect();
                (found != wanted).then(|| format!("wanted {wanted:?}, found {found:?}"))
            }
            // Of a bad regular expression the engine speaks in its own words.
            Err(found) if found.to_string() == error => None,
            Err(found)
                if error.starts_with("error parsing regexp")
                    && found.to_string().starts_with("error parsing regexp") =>
            {
                None
            }
            other => Some(format!("wanted error {error:?}, found {other:?}")),
        };
        judge(&format!("classic {input}"), wrong, &mut failures);
    }
    assert!(cases.len() >= 36, "{} cases", cases.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn labels(value: &Value) -> Labels {
    let pairs = value.as_object().into_iter().flatten();
    Labels::from_pairs(pairs.map(|(n, v)| (n.clone(), v.as_str().unwrap_or_default().to_owned())))
}

fn alert(labels: Labels) -> Alert {
    Alert { labels, annotations: Labels::empty(), starts_at: 0, ends_at: 1_000_000, generator_url: String::new() }
}

#[test]
fn inhibition() {
    let Some(tests) = conformance("alertmanager-inhibit/matches.json") else { return };
    let equal = |pairs: &Value| -> Vec<Matcher> {
        pairs
            .as_object()
            .into_iter()
            .flatten()
            .map(|(n, v)| Matcher::equal(n, v.as_str().unwrap_or_default()))
            .collect()
    };
    let (mut failures, mut count) = (Vec::new(), 0);
    for test in tests.as_array().expect("tests") {
        let rule = |r: &Value| InhibitRule {
            name: None,
            source_matchers: equal(&r["SourceMatch"]),
            target_matchers: equal(&r["TargetMatch"]),
            equal: strings(&r["Equal"]).into_iter().map(str::to_owned).collect(),
        };
        for case in test["cases"].as_array().expect("cases") {
            let config = RoutingConfig {
                route: Route { receiver: Some("r".into()), ..Route::default() },
                receivers: vec![ReceiverSpec { name: "r".into(), integrations: Vec::new() }],
                inhibit_rules: test["rules"].as_array().expect("rules").iter().map(rule).collect(),
                ..RoutingConfig::default()
            };
            let mut machine = Alerts::new(config, SavedState::default(), 0).expect("a valid configuration");
            // What fires in the original: one alert that is a source only, and one that is on both sides of the second rule.
            let sources = [[("s1", "1"), ("t1", "2"), ("e", "1")].as_slice(), &[("s2", "1"), ("t2", "1"), ("e", "1")]];
            for pairs in sources {
                machine.insert(&[alert(Labels::from_pairs(pairs.iter().copied()))], 0);
            }
            let target = labels(&case["target"]);
            machine.insert(&[alert(target.clone())], 0);
            let views = machine.alerts(&Default::default(), 0);
            let view = views.iter().find(|v| v.alert.labels == target).expect("the target");
            let (found, wanted) = (!view.status.inhibited_by.is_empty(), case["expected"] == true);
            count += 1;
            let wrong = (found != wanted).then(|| format!("wanted {wanted}, found {found}"));
            judge(&format!("inhibit {target}"), wrong, &mut failures);
        }
    }
    assert!(count >= 8, "{count} cases");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn equal(name: &str, value: &str) -> Matcher {
    Matcher::equal(name, value)
}

fn regex(name: &str, op: MatchOp, value: &str) -> Matcher {
    Matcher::new(name, op, value).expect("a regular expression")
}

#[test]
fn routes_match_depth_first_and_go_on_where_told() {
    let node = |receiver: &str, matchers: Vec<Matcher>, continue_matching: bool, routes: Vec<Route>| Route {
        receiver: (!receiver.is_empty()).then(|| receiver.to_owned()),
        matchers,
        continue_matching,
        routes,
        ..Route::default()
    };
    let production = regex("env", MatchOp::Regex, "^(?:prod.*)$");
    let storage = vec![
        node("disks", vec![equal("kind", "disk"), equal("env", "x")], false, vec![]),
        node("pager", vec![equal("env", "prod")], true, vec![]),
        node("log", vec![regex("kind", MatchOp::NotRegex, ".*net"), production], false, vec![]),
    ];
    let config = RoutingConfig {
        route: Route {
            group_by: Some(GroupBy::Labels(vec!["kind".into()])),
            ..node("default", vec![], false, vec![node("storage", vec![equal("team", "st\"or")], false, storage)])
        },
        receivers: ["default", "storage", "disks", "pager", "log"]
            .map(|name| ReceiverSpec { name: name.into(), integrations: vec![IntegrationSpec::new("slack", 0, true)] })
            .to_vec(),
        ..RoutingConfig::default()
    };
    let tree = RouteTree::new(&config).expect("a tree");
    let keys = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        let labels = Labels::from_pairs(pairs.iter().copied());
        let nodes = tree.matching(&labels).into_iter().map(|at| tree.node(at));
        nodes.map(|n| (n.receiver.clone(), n.group_key(&n.group_labels(&labels)))).collect()
    };
    let one = |receiver: &str, key: &str| vec![(receiver.to_owned(), key.to_owned())];
    assert_eq!(keys(&[("kind", "a\nb")]), one("default", r#"{}:{kind="a\nb"}"#));
    let team = r#"{}/{team="st\"or"}"#;
    assert_eq!(keys(&[("team", "st\"or")]), one("storage", &format!("{team}:{{}}")));
    let sorted = r#"/{env="x",kind="disk"}:{kind="disk"}"#;
    assert_eq!(keys(&[("team", "st\"or"), ("env", "x"), ("kind", "disk")]), one("disks", &format!("{team}{sorted}")));
    let both = keys(&[("team", "st\"or"), ("env", "prod")]);
    assert_eq!(both[0], ("pager".to_owned(), format!(r#"{team}/{{env="prod"}}:{{}}"#)));
    assert_eq!(both[1], ("log".to_owned(), format!(r#"{team}/{{env=~"^(?:prod.*)$",kind!~".*net"}}:{{}}"#)));
}
