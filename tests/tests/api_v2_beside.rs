//! Alertmanager's API v2 and amtool: a real Alertmanager 0.33 and our daemon answer the same.

use std::process::{Command, Stdio};

use serde_json::{Value, json};
use watchglass_tests::{Answer, Both, eventually, normalized, now_ms, peer_of, rfc3339, skip};

const CONFIG: &str = r##"
global: {slack_api_url: '@/hook'}
route:
  receiver: ops
  group_by: [alertname]
  group_wait: 1s
  group_interval: 5s
  routes:
  - {matchers: ['team="each"'], receiver: each, group_by: ['...'], continue: true}
  - {matchers: ['team="night"'], receiver: night, mute_time_intervals: [always]}
  - {matchers: ['severity=~"warn.*"'], receiver: other, continue: true}
receivers:
- {name: ops, slack_configs: [{channel: '#a'}], labels: {owner: us}}
- name: each
- {name: night, webhook_configs: [{url: '@/night-hook', http_config: {basic_auth: {username: me, password: p4ssw0rd}}}]}
- name: other
inhibit_rules:
- {source_matchers: ['severity="critical"'], target_matchers: ['severity="warning"'], equal: [instance]}
time_intervals:
- {name: always, time_intervals: [{years: ['2000:2100']}]}
"##;

/// Both with some alerts, after all of them were routed.
fn start() -> Option<Both> {
    let both = Both::start(CONFIG, &[])?;
    let (now, later) = (rfc3339(now_ms()), rfc3339(now_ms() + 600_000));
    both.post_alerts(&json!([
        { "labels": { "alertname": "A", "instance": "a", "severity": "critical" }, "annotations": { "summary": "x" }, "generatorURL": "http://g/" },
        { "labels": { "alertname": "B", "instance": "a", "severity": "warning" }, "startsAt": now },
        { "labels": { "alertname": "B", "instance": "b", "severity": "warning", "empty": "" }, "startsAt": now, "endsAt": later },
        { "labels": { "alertname": "N", "team": "night" }, "endsAt": later },
        { "labels": { "alertname": "E", "team": "each", "instance": "q", "ü": "x y" } },
        { "labels": { "alertname": "Over" }, "startsAt": "2020-01-01T00:00:00Z", "endsAt": "2020-01-01T00:01:00Z" },
    ]));
    // Nothing is told of Over: it was gone before its group's first turn, and after that it is in no group.
    eventually("both told of A", || {
        // Theirs knows that a group is muted only after the group's first turn.
        let groups = both.request("GET", "/api/v2/alerts/groups", None, None);
        let ready = groups.iter().all(|answer| {
            let all = answer.body.as_array().cloned().unwrap_or_default();
            all.len() == 4 && all.iter().any(|g| g["alerts"][0]["status"]["mutedBy"][0] == "always")
        });
        if ready { Ok(()) } else { Err(format!("{groups:?}")) }
    });
    Some(both)
}

/// What is compared of an answer: its status, and its body without times and ids. The end of an error that a library worded is left out.
fn comparable(answer: &Answer) -> (u16, Value) {
    let mut text = normalized(&answer.body.to_string());
    for worded_by_a_library in ["failed, because ", "error parsing regexp: ", "is not allowed, but ["] {
        if let Some(at) = text.find(worded_by_a_library) {
            text.truncate(at + worded_by_a_library.len());
            return (answer.status, Value::String(text));
        }
    }
    let mut body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    // Silences that end at the same time come in any order.
    if let Value::Array(items) = &mut body {
        items.sort_by_key(Value::to_string);
    }
    (answer.status, body)
}

/// Requests of one kind whose answers differ.
fn differing(both: &Both, requests: &[(&str, String, Option<String>, Option<&str>)]) -> Vec<String> {
    let mut differ = Vec::new();
    for (method, path, body, content_type) in requests {
        let [theirs, ours] = both.request(method, path, body.as_deref(), *content_type);
        let (theirs, ours) = (comparable(&theirs), comparable(&ours));
        if theirs != ours {
            differ.push(format!(
                "{method} {path} {}\n  theirs {theirs:?}\n  ours   {ours:?}",
                body.as_deref().unwrap_or("")
            ));
        }
    }
    differ
}

#[test]
fn the_api_answers_the_same() {
    let Some(both) = start() else { return skip("the API beside a real Alertmanager", "alertmanager") };
    let get = |path: &str| ("GET", path.to_owned(), None, None);
    let mut requests = vec![get("/api/v2/receivers"), get("/api/v2/nothing"), get("/api/v2/silences")];
    let filters = [
        "",
        "active=false",
        "silenced=false",
        "inhibited=false",
        "unprocessed=false",
        "muted=false",
        "receiver=op",
        "receiver=op.*",
        "receiver=%5B",
        "receiver=",
        "active=maybe",
        "active=",
        "active=1",
        "active=TRUE",
        "inhibited=false&active=false",
        "foo=bar",
        "filter=alertname%3D%22A%22",
        "filter=alertname%3DB&filter=instance!%3Da",
        "filter=%7Bteam%3D~%22n.*%22%7D",
        "filter=%7Ba",
        "filter=",
        "filter=a%3D~%22%5B%22",
        "filter=alertname%3DA,B",
        "filter=alertname",
        "filter=%22",
        "filter=x%3D%3Dy",
        "filter=%3Da",
        "filter=%22%C3%BC%22%3D%22x%20y%22",
        "filter=team!~%22each%22",
    ];
    for filter in filters {
        requests.extend([get(&format!("/api/v2/alerts?{filter}")), get(&format!("/api/v2/alerts/groups?{filter}"))]);
    }
    let bodies = [
        "",
        "{}",
        "[]",
        "nope",
        "null",
        "[{}]",
        r#"[{"labels":{}}]"#,
        r#"[{"labels":null}]"#,
        r#"[{"labels":{"a":""}}]"#,
        r#"[{"labels":{"a":1}}]"#,
        r#"[{"labels":{"":"x"}}]"#,
        r#"[{"labels":{"a":"b"},"annotations":{"":"x"}}]"#,
        r#"[{"labels":{"a":"b"},"startsAt":"x"}]"#,
        r#"[{"labels":{"a":"b"},"startsAt":"2030-01-01T00:00:00Z","endsAt":"2020-01-01T00:00:00Z"}]"#,
        r#"[{"labels":{"q":"1"},"startsAt":1577836800}]"#,
        r#"[{"labels":{"q":"1"},"startsAt":"1577836800"}]"#,
        r#"[{"labels":{"q":"1"},"startsAt":"2020-01-01"}]"#,
        r#"[{"labels":{"q":"1"},"startsAt":"2020-01-01 00:00:00"}]"#,
        r#"[{"labels":{"q":"1"},"startsAt":"2020-01-01T00:00:00+02:00","endsAt":null}]"#,
        r#"[{"labels":{"u":"1"},"generatorURL":"::bad"}]"#,
        r#"[{"labels":{"u":"1"},"generatorURL":"foo"}]"#,
        r#"[{"labels":{"u":"1"},"generatorURL":"/foo"}]"#,
        r#"[{"labels":{"u":"1"},"generatorURL":"http://a b/"}]"#,
        r#"[{"labels":{"u":"1"},"generatorURL":"http://a/b c?d e"}]"#,
        r#"[{"labels":{"u":"1"},"generatorURL":"http://a/%zz"}]"#,
        r#"[{"labels":{"u":"1"},"generatorURL":"http://a:b/"}]"#,
        r#"[{"labels":{"u":"1"},"generatorURL":""}]"#,
        r#"[{"annotations":{"x":"y"}}]"#,
        r#"{"labels":{}}"#,
        r#"[{"labels":{"a":"b"},"unknown":1}]"#,
        r#"[{"labels":{"a-b c":"d"}}]"#,
        r#"[{"labels":{}},{"labels":{"z":"1"}},{"labels":{"y":"1"},"startsAt":"2030-01-01T00:00:00Z","endsAt":"2020-01-01T00:00:00Z"}]"#,
        r#"[{"labels":{}},{"labels":{"a":"1"},"generatorURL":"x"}]"#,
    ];
    for body in bodies {
        requests.push(("POST", "/api/v2/alerts".to_owned(), Some(body.to_owned()), None));
    }
    for kind in ["text/plain", "application/json; charset=utf-8", "application/xml"] {
        requests.push(("POST", "/api/v2/alerts".to_owned(), Some("[]".to_owned()), Some(kind)));
    }
    for (method, path) in [
        ("PUT", "alerts"),
        ("DELETE", "silences"),
        ("POST", "status"),
        ("POST", "receivers"),
        ("OPTIONS", "alerts/groups"),
    ] {
        requests.push((method, format!("/api/v2/{path}"), None, None));
    }
    requests.extend([get("/api/v2/alerts"), get("/api/v2/alerts/groups")]);
    let differ = differing(&both, &requests);
    assert!(differ.is_empty(), "{} of {} answers differ:\n{}", differ.len(), requests.len(), differ.join("\n"));

    // The status has the same keys, and the configuration without its secrets; ours is as it was written, theirs with all defaults.
    let [theirs, ours] = both.request("GET", "/api/v2/status", None, None).map(|a| a.body);
    let keys = |v: &Value| v.as_object().map(|m| m.keys().cloned().collect::<Vec<_>>());
    for part in ["", "/cluster", "/config", "/versionInfo"] {
        assert_eq!(keys(ours.pointer(part).unwrap()), keys(theirs.pointer(part).unwrap()), "{part}");
    }
    assert_eq!(ours["cluster"], theirs["cluster"]);
    let shown = ours["config"]["original"].as_str().unwrap();
    assert!(shown.contains("slack_api_url: <secret>") && shown.contains("password: <secret>"), "{shown}");
    assert!(!shown.contains("/hook") && !shown.contains("p4ssw0rd") && !shown.contains("night-hook"), "{shown}");
}

#[test]
fn silences_are_made_and_refused_the_same() {
    let Some(both) = start() else { return skip("silences beside a real Alertmanager", "alertmanager") };
    let matcher = json!({ "name": "alertname", "value": "A", "isRegex": false, "isEqual": true });
    let at = |seconds: i64| rfc3339(now_ms() + seconds * 1000);
    let silence = |changes: Value| {
        let mut silence =
            json!({ "matchers": [matcher], "startsAt": at(-5), "endsAt": at(600), "createdBy": "me", "comment": "c" });
        for (key, value) in changes.as_object().unwrap() {
            match value {
                // Not there at all.
                Value::String(text) if text == "-" => drop(silence.as_object_mut().unwrap().remove(key)),
                value => silence[key] = value.clone(),
            }
        }
        silence.to_string()
    };
    let m = |name: &str, value: &str, regex: bool, equal: bool| json!({ "matchers": [{ "name": name, "value": value, "isRegex": regex, "isEqual": equal }] });
    let bodies = [
        silence(json!({})),
        silence(json!({ "matchers": [] })),
        silence(json!({ "matchers": "-" })),
        silence(m("a", "", false, true)),
        silence(m("a", "[", true, true)),
        silence(m("a", ".*", true, true)),
        silence(m("a", "x", false, false)),
        silence(m("a", "x.*", true, false)),
        silence(m("a", "", false, false)),
        silence(m("", "x", false, true)),
        silence(m("a-ü", "x", false, true)),
        silence(json!({ "matchers": [{ "value": "x", "isRegex": false }] })),
        silence(json!({ "matchers": [{ "name": "a", "value": "x" }] })),
        silence(json!({ "matchers": [{ "name": "a", "isRegex": false }] })),
        silence(json!({ "matchers": [matcher, {}] })),
        silence(json!({ "matchers": [{ "name": "a", "value": 5, "isRegex": false }] })),
        silence(json!({ "matchers": "x" })),
        silence(json!({ "matchers": [{ "name": "a", "value": "x", "isRegex": "no" }] })),
        silence(json!({ "startsAt": at(-100), "endsAt": at(-50) })),
        silence(json!({ "startsAt": at(100), "endsAt": at(50) })),
        silence(json!({ "startsAt": "2030-01-01T00:00:00Z", "endsAt": "2030-01-01T00:00:00Z" })),
        silence(json!({ "startsAt": at(100), "endsAt": at(200) })),
        silence(json!({ "startsAt": "-" })),
        silence(json!({ "endsAt": "-" })),
        silence(json!({ "createdBy": "-" })),
        silence(json!({ "comment": "-" })),
        silence(json!({ "createdBy": "", "comment": "" })),
        silence(json!({ "startsAt": "soon" })),
        silence(json!({ "startsAt": 123 })),
        silence(json!({ "id": "d3f9a6d6-5a0e-4f2f-9b7f-9b8a1a3c2a10" })),
        silence(json!({ "id": "zz" })),
        silence(json!({ "id": "" })),
        silence(json!({ "id": null })),
        silence(json!({ "annotations": { "a": "b" } })),
        silence(json!({ "unknown": 1 })),
        silence(json!({ "comment": "-", "createdBy": "-" })),
        "nope".to_owned(),
        String::new(),
        "null".to_owned(),
        "[1]".to_owned(),
        "{}".to_owned(),
        "\"x\"".to_owned(),
    ];
    let post = |body: &String| ("POST", "/api/v2/silences".to_owned(), Some(body.clone()), None);
    let mut requests: Vec<_> = bodies.iter().map(post).collect();
    for filter in [
        "alertname%3D%22A%22",
        "alertname!%3D%22B%22",
        "alertname%3D~%22A%22",
        "a%3D~%22x.*%22",
        "a!~%22x.*%22",
        "%22a-%C3%BC%22%3Dx",
        "%7Ba",
        "z%3D%22%22",
    ] {
        requests.push(("GET", format!("/api/v2/silences?filter={filter}"), None, None));
    }
    for id in [
        "zz",
        "d3f9a6d6-5a0e-4f2f-9b7f-9b8a1a3c2a10",
        "D3F9A6D6-5A0E-4F2F-9B7F-9B8A1A3C2A10",
        "d3f9a6d6_5a0e_4f2f_9b7f_9b8a1a3c2a10",
    ] {
        requests.extend([
            ("GET", format!("/api/v2/silence/{id}"), None, None),
            ("DELETE", format!("/api/v2/silence/{id}"), None, None),
        ]);
    }
    let differ = differing(&both, &requests);
    assert!(differ.is_empty(), "{} of {} answers differ:\n{}", differ.len(), requests.len(), differ.join("\n"));
    let sorted = |answer: &Answer| {
        let mut all: Vec<String> = answer.body.as_array().unwrap().iter().map(|s| normalized(&s.to_string())).collect();
        all.sort();
        all
    };
    let [theirs, ours] = both.request("GET", "/api/v2/silences", None, None);
    assert_eq!(sorted(&ours), sorted(&theirs));

    a_silences_life(&both, &silence);
}

/// One silence on both: changed in place, changed so that another takes its place, ended, ended again, taken up again.
fn a_silences_life(both: &Both, silence: &dyn Fn(Value) -> String) {
    let ids = |answers: [Answer; 2]| {
        answers.map(|a| a.body["silenceID"].as_str().unwrap_or_else(|| panic!("{a:?}")).to_owned())
    };
    let make = |changes: Value| ids(both.request("POST", "/api/v2/silences", Some(&silence(changes)), None));
    let sides = [both.theirs.url().to_owned(), both.ours.url().to_owned()];
    let client = reqwest::blocking::Client::new();
    let change = |of: &[String; 2], changes: Value| {
        let both = [0, 1].map(|side| {
            let mut changes = changes.clone();
            changes["id"] = json!(of[side]);
            let url = format!("{}/api/v2/silences", sides[side]);
            let answer =
                client.post(url).header("content-type", "application/json").body(silence(changes)).send().unwrap();
            Answer { status: answer.status().as_u16(), body: answer.json().unwrap() }
        });
        ids(both)
    };
    let seen = |of: &[String; 2], step: &str| {
        let [theirs, ours] = [0, 1].map(|side| {
            let text =
                client.get(format!("{}/api/v2/silence/{}", sides[side], of[side])).send().unwrap().text().unwrap();
            serde_json::from_str::<Value>(&normalized(&text)).unwrap_or(Value::String(text))
        });
        assert_eq!(ours, theirs, "{step}");
        ours["status"]["state"].as_str().unwrap_or_else(|| panic!("{step}: {ours}")).to_owned()
    };
    let end = |of: &[String; 2]| {
        let [theirs, ours] = [0, 1]
            .map(|side| client.delete(format!("{}/api/v2/silence/{}", sides[side], of[side])).send().unwrap().status());
        assert_eq!((ours, theirs.as_u16()), (theirs, 200));
    };
    let starts_at = rfc3339(now_ms());
    let fixed = |more: Value| {
        let mut all = json!({ "startsAt": starts_at });
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    let first = make(fixed(json!({})));
    assert_eq!(seen(&first, "made"), "active");
    // A start in the past is taken for now, so the same text again may be another start: ask for what was made.
    let same_start = |side: usize| -> Value {
        client.get(format!("{}/api/v2/silence/{}", sides[side], first[side])).send().unwrap().json::<Value>().unwrap()["startsAt"].clone()
    };
    for side in [0, 1] {
        let changes = json!({ "id": first[side], "startsAt": same_start(side), "endsAt": rfc3339(now_ms() + 900_000), "comment": "longer" });
        let url = format!("{}/api/v2/silences", sides[side]);
        let answer: Value = client
            .post(url)
            .header("content-type", "application/json")
            .body(silence(changes))
            .send()
            .unwrap()
            .json()
            .unwrap();
        assert_eq!(answer["silenceID"], json!(first[side]), "side {side}: a longer one is the same one");
    }
    assert_eq!(seen(&first, "longer"), "active");
    let second = change(&first, json!({ "matchers": [{ "name": "alertname", "value": "B", "isRegex": false }] }));
    assert!(second[0] != first[0] && second[1] != first[1], "other matchers make another");
    assert_eq!((seen(&first, "left"), seen(&second, "other")), ("expired".to_owned(), "active".to_owned()));
    end(&second);
    assert_eq!(seen(&second, "ended"), "expired");
    end(&second);
    let third = change(&second, json!({}));
    assert!(third[0] != second[0] && third[1] != second[1], "an ended one is not taken up again");
    let pending = make(json!({ "startsAt": rfc3339(now_ms() + 100_000) }));
    assert_eq!(seen(&pending, "not begun"), "pending");
    let moved = change(&pending, json!({ "startsAt": rfc3339(now_ms() + 200_000) }));
    assert_eq!(moved, pending, "one that has not begun can be moved");
    end(&pending);
    assert_eq!(seen(&pending, "ended before it began"), "expired");
}

/// amtool's command lines; `%` stands for a time to come. Run against both in order, so that they build on one another.
const COMMANDS: &[&str] = &[
    "alert",
    "alert query -o extended",
    "alert query -o json alertname=A",
    "alert query --silenced --inhibited --active --unprocessed",
    "alert query -r op.*",
    "alert query B",
    "alert query team=~n.*",
    "alert query {x",
    "alert query nothing=here",
    "alert add Added instance=x --annotation=summary=s --generator-url=http://g/ --end=2100-01-01T00:00:00Z",
    "alert add foo=bar baz",
    "alert add --start=2020-01-01T00:00:00Z --end=2019-01-01T00:00:00Z x=y",
    "alert query Added -o extended",
    "alert query foo=bar",
    "silence query",
    "silence add",
    "silence add alertname=A",
    "silence add -c why -a me alertname=A",
    "silence add -c c -a me B instance=~a|b --duration=2h --annotation=k=v",
    "silence add -c c -a me x!=y",
    "silence add -c c -a me z!~y.*",
    "silence add -c c -a me x=~[",
    "silence add -c c -a me x=",
    "silence add -c c -a me --start=2100-01-01T00:00:00Z --end=2100-01-02T00:00:00Z later=yes",
    "silence add -c c -a me --start=2000-01-01T00:00:00Z --end=2000-01-02T00:00:00Z never=yes",
    "silence query -o extended",
    "silence query alertname=A",
    "silence query alertname=~A",
    "silence query --created-by=me -q",
    "silence query --within 1h",
    "silence query --expired",
    "alert query --silenced",
    "alert query",
    "silence update --end=2100-01-03T00:00:00Z ID later=yes",
    "silence update -c other -d 3h ID alertname=A",
    "silence query -o extended alertname=A",
    "silence expire ID alertname=A",
    "silence query alertname=A",
    "silence expire zz",
    "silence expire d3f9a6d6-5a0e-4f2f-9b7f-9b8a1a3c2a10",
    "silence update zz -c x",
    "silence query --expired -o extended alertname=A",
    "silence import import.json",
    "silence query imported=yes -o extended",
    "silence import broken.json",
    "config routes",
    "config routes show",
    "config routes test team=each",
    "config routes test severity=warning",
    "config routes test --verify.receivers=ops foo=bar",
    "config routes test --verify.receivers=each foo=bar",
    "config routes test team=night --tree",
    "cluster",
    "cluster show -o json",
];

#[test]
fn amtool_says_the_same_of_both() {
    let Some(amtool) = peer_of(&["amtool"]) else { return skip("amtool against both", "amtool") };
    let Some(both) = start() else { return skip("amtool against both", "alertmanager") };
    let imported = json!([{ "matchers": [{ "name": "imported", "value": "yes", "isRegex": false, "isEqual": true }], "startsAt": "2020-01-01T00:00:00Z",
        "endsAt": "2100-01-01T00:00:00Z", "createdBy": "it", "comment": "c", "id": "", "updatedAt": "2020-01-01T00:00:00Z", "status": { "state": "active" } }]);
    std::fs::write(both.dir().join("import.json"), imported.to_string()).unwrap();
    std::fs::write(both.dir().join("broken.json"), "[{\"matchers\":[]}]").unwrap();
    let run = |base: &str, args: &[String]| {
        let out = Command::new(&amtool)
            .args(args)
            .arg(format!("--alertmanager.url={base}"))
            .current_dir(both.dir())
            .env("HOME", both.dir())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        (out.status.code(), text)
    };
    let mut differ = Vec::new();
    for line in COMMANDS {
        let [theirs, ours] = [both.theirs.url(), both.ours.url()].map(|base| {
            let mut args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            // `ID MATCHER` is the id of the silence that has this matcher.
            if let Some(at) = args.iter().position(|a| a == "ID") {
                let matcher = args.remove(at + 1);
                let (_, found) = run(base, &["silence".into(), "query".into(), "-q".into(), matcher]);
                args[at] = found.trim().to_owned();
            }
            let (code, text) = run(base, &args);
            // Tables are as wide as their ids and times: the same in both. Lines of one table come in any order of equals.
            let mut lines: Vec<String> =
                normalized(&text).lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
            lines.sort();
            (code, lines)
        });
        if theirs != ours {
            differ.push(format!("amtool {line}\n  theirs {theirs:#?}\n  ours   {ours:#?}"));
        }
    }
    assert!(differ.is_empty(), "{} of {} commands differ:\n{}", differ.len(), COMMANDS.len(), differ.join("\n"));

    // The configuration is shown as it was written, theirs with all defaults: both read as the same routes, above.
    let (code, shown) = run(both.ours.url(), &["config".to_owned(), "show".to_owned()]);
    assert!(code == Some(0) && shown.contains("slack_api_url: <secret>") && !shown.contains("p4ssw0rd"), "{shown}");
}
