//! Notification templates: Alertmanager's own cases, its default templates beside ours, and cases of our own.

mod common;

use std::collections::BTreeMap;

use serde_json::Value as J;
use watchglass_notify::render::Renderer;
use watchglass_notify::render::data::{self, ALERTS, KV, Parts};
use watchglass_text::gotime::Time;
use watchglass_text::template::{ANY_LIST, ANY_MAP, MissingKey, Options, STRING_LIST, Templates, Value};

/// Cases of Alertmanager that we don't share, with the reason.
const KNOWN: &[(&str, &str)] = &[
    ("HTML template with escaping", "no receiver that can be sent to takes HTML"),
    ("URL template with escaping", "no receiver that can be sent to takes HTML"),
];

/// A case's data: Alertmanager's `Data` where its fields are named, else maps and lists as they are.
fn value(json: &J) -> Value {
    match json {
        J::Null => Value::Nil,
        J::Bool(b) => Value::Bool(*b),
        J::Number(n) => n.as_i64().map_or_else(|| Value::Float(n.as_f64().unwrap()), Value::Int),
        J::String(s) => Value::from(s.as_str()),
        J::Array(items) if items.iter().all(J::is_string) => {
            Value::list(&STRING_LIST, items.iter().map(value).collect())
        }
        J::Array(items) => Value::list(&ANY_LIST, items.iter().map(value).collect()),
        J::Object(map) if map.contains_key("op") => match value(&map["x"]) {
            Value::Int(n) => Value::Int(-n),
            other => other,
        },
        J::Object(map)
            if ["Alerts", "GroupLabels", "CommonLabels", "RouteLabels"].iter().any(|k| map.contains_key(*k)) =>
        {
            let alerts = map.get("Alerts").and_then(J::as_array).into_iter().flatten();
            data::data(Parts {
                receiver: String::new(),
                status: "firing",
                alerts: Value::list(&ALERTS, alerts.map(alert).collect()),
                reason: String::new(),
                group_labels: kv(map.get("GroupLabels")),
                common_labels: kv(map.get("CommonLabels")),
                common_annotations: kv(None),
                route_labels: kv(map.get("RouteLabels")),
                external_url: String::new(),
            })
        }
        J::Object(map) => {
            Value::map(&ANY_MAP, map.iter().map(|(k, v)| (k.clone(), value(v))).collect::<BTreeMap<_, _>>())
        }
    }
}

fn kv(json: Option<&J>) -> Value {
    match json.and_then(J::as_object) {
        Some(map) => Value::map(&KV, map.iter().map(|(k, v)| (k.clone(), value(v))).collect()),
        None => Value::nil_map(&KV),
    }
}

fn alert(json: &J) -> Value {
    let zero = || Value::Time(Time::zero());
    let status = json["Status"].as_str().unwrap_or_default();
    data::alert_value(status, kv(json.get("Labels")), kv(json.get("Annotations")), [zero(), zero()], "", "")
}

#[test]
fn alertmanagers_cases() {
    let Some(folder) = common::conformance("alertmanager-template") else { return };
    let renderer = Renderer::new().unwrap();
    let (mut wrong, mut passed) = (Vec::new(), 0);
    for case in common::cases(&folder.join("expand.json")) {
        let (title, text) = (case["title"].as_str().unwrap(), case["in"].as_str().unwrap());
        let result = renderer.text(text, &value(&case["data"]), 0);
        let right = match &result {
            Ok(text) => case["exp"].as_str() == Some(text),
            Err(_) => case["fail"].as_bool() == Some(true),
        };
        let known = KNOWN.iter().any(|(t, _)| *t == title);
        if right == known {
            wrong.push(format!("{title}: {text}\n  expected {}\n  got {result:?}", case["exp"]));
        }
        passed += usize::from(right);
    }
    assert!(wrong.is_empty(), "{passed} passed\n{}", wrong.join("\n"));
    eprintln!("alertmanager-template: {passed} cases passed");
}

/// A notification's data with this many firing and resolved alerts.
fn sample(firing: usize, resolved: usize, further_labels: bool) -> Value {
    let mut alerts = Vec::new();
    for i in 0..firing + resolved {
        let instance = format!("host-{i}:9100");
        let mut labels = vec![("alertname", "Down"), ("instance", instance.as_str()), ("zone", "a b")];
        if further_labels {
            labels.extend([("severity", ["warning", "critical", "info"][i % 3]), ("team", "x")]);
        }
        let ended = (i >= firing).then_some(60_000);
        alerts.push(common::alert(&labels, &[("summary", "it's <down>"), ("who", "you")], ended));
    }
    let n = common::notification("team & co", "slack", &[("alertname", "Down"), ("zone", "a b")], alerts);
    data::notification_data(&n, &n.alerts, "http://am:9093/prefix/")
}

#[test]
fn default_templates_give_alertmanagers_texts() {
    let Some(folder) = common::conformance("alertmanager-template") else { return };
    let theirs = std::fs::read_to_string(folder.join("default.tmpl")).unwrap();
    let functions = watchglass_notify::render::functions::functions(0);
    let mut original = Templates::new();
    original.parse("default.tmpl", &theirs, &functions).unwrap();
    let options = Options { missing_key: MissingKey::Zero, ..Options::default() };
    let renderer = Renderer::new().unwrap();
    let names: Vec<String> = original.names().filter(|n| *n != "default.tmpl").map(str::to_owned).collect();
    assert!(names.len() > 50, "{}", names.len());
    for (firing, resolved, further) in
        [(1, 0, true), (3, 2, true), (0, 2, true), (2, 0, false), (0, 1, false), (7, 0, true)]
    {
        let data = sample(firing, resolved, further);
        for name in &names {
            let data = if name.starts_with("__text_alert_list") || name.ends_with(".instances") {
                data.get("Alerts").unwrap().clone()
            } else {
                data.clone()
            };
            let expected = original.execute(name, &data, &functions, &options).unwrap();
            let got = renderer.text(&format!("{{{{ template {name:?} . }}}}"), &data, 0);
            assert_eq!(got.as_ref().map(String::as_str), Ok(expected.as_str()), "{name} with {firing}+{resolved}");
        }
    }
}

/// Templates over `sample(2, 1, true)`, and what they give; a result that begins with `!` is the end of an error. Checked against `amtool template render`.
const CASES: &[(&str, &str)] = &[
    ("{{ .Status }} {{ .Alerts.Firing | len }} {{ .Alerts.Resolved | len }} {{ len .Alerts }}", "firing 2 1 3"),
    ("{{ .CommonLabels }}|{{ .GroupLabels.SortedPairs }}", "alertname=Down, team=x, zone=a b|alertname=Down, zone=a b"),
    ("{{ .CommonLabels.Names }} {{ .CommonLabels.Values }}", "[alertname team zone] [Down x a b]"),
    (
        "{{ .CommonLabels.Remove .GroupLabels.Names }}|{{ .CommonLabels.nothing }}|{{ .CommonAnnotations.who }}",
        "team=x||you",
    ),
    (
        "{{ .NotificationReason }}|{{ .ExternalURL }}|{{ .Receiver }}",
        "first notification|http://am:9093/prefix|team & co",
    ),
    (
        "{{ with index .Alerts 0 }}{{ .StartsAt }} {{ .EndsAt.IsZero }} {{ .Fingerprint | len }}{{ end }}",
        "1970-01-01 00:00:10.5 +0000 UTC true 16",
    ),
    ("{{ (index .Alerts 2).EndsAt | date \"15:04:05 MST\" }}", "00:01:00 UTC"),
    ("{{ (index .Alerts 0).StartsAt | tz \"Europe/Berlin\" | date \"15:04 MST\" }}", "01:00 CET"),
    ("{{ (index .Alerts 0).StartsAt | tz \"Nowhere\" }}", "!error calling tz: unknown time zone Nowhere"),
    ("{{ since (index .Alerts 0).StartsAt }} {{ now.Unix }}", "59.5s 70"),
    ("{{ title \"hello wORLD foo-bar don't a_b x.y 3d éa\" }}", "Hello World Foo-Bar Don't A_b X.y 3D Éa"),
    ("{{ toUpper \"ßé\" }} {{ toLower \"İÉ\" }} [{{ trimSpace \" a\\n\" }}]", "ßÉ ié [a]"),
    (
        "{{ urlUnescape \"a%20b+c\" }} {{ urlUnescape \"%zz\" }}",
        "!error calling urlUnescape: invalid URL escape \"%zz\"",
    ),
    ("{{ match \"[\" \"x\" }}", "!error calling match: error parsing regexp: missing closing ]: `[`"),
    ("{{ reReplaceAll \"(a+)b\" \"<$1>\" \"aab ab\" }} {{ match \"^a.c$\" \"abc\" }}", "<aa> <a> true"),
    (
        "{{ toJson .CommonLabels.SortedPairs }}",
        "[{\"Name\":\"alertname\",\"Value\":\"Down\"},{\"Name\":\"team\",\"Value\":\"x\"},{\"Name\":\"zone\",\"Value\":\"a b\"}]",
    ),
    (
        "{{ toJson (list 1 \"<&>\" 1.5 nil) }}{{ toJson (dict \"b\" true \"a\" 1e21) }}",
        "[1,\"\\u003c\\u0026\\u003e\",1.5,null]{\"a\":1e+21,\"b\":true}",
    ),
    ("{{ append nil 1 }}{{ append (list 1) 2 3 }}{{ list }}{{ dict }}", "[1][1 2 3][]map[]"),
    ("{{ append .Alerts 1 }}", "!wrong type for value; expected []interface {}; got template.Alerts"),
    ("{{ dict 1 2 }}", "!error calling dict: dict keys must be strings"),
    (
        "{{ humanizeDuration 0.0000001 }} {{ humanizeDuration -0.5 }} {{ humanizeDuration 59.99 }} {{ humanizeDuration 1e10 }}",
        "100ns -500ms 59.99s 115740d 17h 46m 40s",
    ),
    (
        "{{ humanizeDuration .Status }}",
        "!error calling humanizeDuration: strconv.ParseFloat: parsing \"firing\": invalid syntax",
    ),
    ("{{ humanizeDuration .Alerts }}", "!error calling humanizeDuration: can't convert template.Alerts to float"),
    (
        "{{ base64encode \"a?>b\" }} {{ base64decode \"YT8-Yg==\" }} {{ base64decode \"YQ\" }}",
        "!illegal base64 data at input byte 0",
    ),
    ("{{ base64encode \"\" }}{{ base64encode \"ab\" }} {{ base64decode \"YT8-Yg==\" }}", "YWI= a?>b"),
    (
        "{{ mustToDate \"2006\" \"x\" }}",
        "!error calling mustToDate: parsing time \"x\" as \"2006\": cannot parse \"x\" as \"2006\"",
    ),
    ("{{ toDate \"2006\" \"x\" }}", "0001-01-01 00:00:00 +0000 UTC"),
    ("{{ join \",\" .CommonLabels.Values }} {{ stringSlice \"a\" \"b\" }}", "Down,x,a b [a b]"),
    ("{{ .Nothing }}", "!can't evaluate field Nothing in type *template.Data"),
    ("{{ nothing }}", "!function \"nothing\" not defined"),
    ("{{ $x := list 1 }}{{ range 1000 }}{{ $x = list $x $x }}{{ end }}", "!more than 100 lists and maps in each other"),
    (
        "{{ $x := \"aaaaaaaaaaaaaaaa\" }}{{ range 100 }}{{ $x = print $x $x }}{{ end }}",
        "!exceeded the limit of 4194304 bytes",
    ),
    (
        "{{ $x := list \"aaaaaaaa\" }}{{ range 60 }}{{ $x = list $x $x }}{{ end }}{{ toJson $x }}",
        "!more than 8388608 bytes of JSON",
    ),
    (
        "{{ $x := list \"aaaaaaaa\" }}{{ range 60 }}{{ $x = list $x $x }}{{ end }}{{ print $x }}",
        "!exceeded the limit of 4194304 bytes",
    ),
    ("{{ range 100000 }}{{ range 100000 }}{{ end }}{{ end }}", "!exceeded the limit of 1000000 steps"),
];

#[test]
fn our_cases() {
    let renderer = Renderer::new().unwrap();
    let data = sample(2, 1, true);
    for (text, expected) in CASES {
        match (renderer.text(text, &data, 70_000), expected.strip_prefix('!')) {
            (Ok(got), None) => assert_eq!(&got, expected, "{text}"),
            (Err(e), Some(end)) => assert!(e.to_string().ends_with(end), "{text}\n{e}"),
            (got, _) => panic!("{text}\nexpected {expected}\ngot {got:?}"),
        }
    }
}

#[test]
fn a_template_that_calls_itself_ends() {
    let renderer = Renderer::new().unwrap();
    // On a stack as small as that of a runtime's thread.
    let run = move || {
        for text in [
            "{{ define \"a\" }}{{ template \"a\" . }}{{ end }}{{ template \"a\" . }}",
            "{{ define \"a\" }}{{ range list 1 }}{{ with 1 }}{{ if true }}{{ template \"a\" (print (print .)) }}{{ end }}{{ end }}{{ end }}{{ end }}{{ template \"a\" . }}",
        ] {
            let error = renderer.text(text, &Value::Nil, 0).unwrap_err().to_string();
            assert!(error.contains("exceeded"), "{error}");
        }
    };
    std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap().join().unwrap();
}

#[test]
fn template_files_by_pattern() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("t")).unwrap();
    std::fs::write(dir.path().join("t/a.tmpl"), "{{ define \"mine\" }}a{{ end }}{{ define \"both\" }}a{{ end }}")
        .unwrap();
    std::fs::write(
        dir.path().join("t/b.tmpl"),
        "{{ define \"both\" }}b{{ end }}{{ define \"slack.default.text\" }}t{{ end }}",
    )
    .unwrap();
    std::fs::write(dir.path().join("t/c.txt"), "{{ wrong").unwrap();
    let renderer = Renderer::with_files(&["t/*.tmpl".to_owned(), "none/*".to_owned()], dir.path()).unwrap();
    let text = "{{ template \"mine\" }}{{ template \"both\" }}{{ template \"slack.default.text\" }}";
    assert_eq!(renderer.text(text, &Value::Nil, 0).unwrap(), "abt");
    let error = Renderer::with_files(&["t/c.txt".to_owned()], dir.path()).unwrap_err().to_string();
    assert!(error.ends_with("c.txt: template: c.txt:1: function \"wrong\" not defined"), "{error}");
    assert!(Renderer::with_files(&["t/[".to_owned()], dir.path()).is_err());
}
