//! Rule templates: our own cases, and Prometheus'.

mod common;

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value as Json;
use watchglass_model::{Labels, Sample, Value as SampleValue};
use watchglass_rules::{TemplateData, expand, expand_value};
use watchglass_text::template::{ANY_LIST, ANY_MAP, MissingKey, Value};

/// Cases that can't pass, by template, and why.
const LEFT_OUT: &str = "pages of HTML (console templates) are not offered";

fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(b) => Value::Bool(*b),
        // The tables' numbers are floats.
        Json::Number(n) => Value::Float(n.as_f64().unwrap_or(f64::NAN)),
        Json::String(s) => Value::from(s.as_str()),
        Json::Array(items) => Value::list(&ANY_LIST, items.iter().map(value).collect()),
        Json::Object(map) => {
            Value::map(&ANY_MAP, map.iter().map(|(k, v)| (k.clone(), value(v))).collect::<BTreeMap<_, _>>())
        }
    }
}

fn samples(json: &Json) -> Vec<Sample> {
    let sample = |s: &Json| {
        let metric = s["Metric"].as_object().into_iter().flatten();
        let labels: Labels = metric.map(|(k, v)| (k.clone(), v.as_str().unwrap_or("").to_owned())).collect();
        Sample { labels, t: 0, value: SampleValue::Float(s["F"].as_f64().unwrap_or(0.0)) }
    };
    json.as_array().map(|list| list.iter().map(sample).collect()).unwrap_or_default()
}

#[test]
fn prometheus_template_cases() {
    let Some(dir) = common::conformance("prom-template") else { return };
    let text = fs::read_to_string(dir.join("expand.json")).expect("expand.json");
    let cases: Vec<Json> = serde_json::from_str(&text).expect("json");
    let (mut passed, mut left_out, mut failures) = (0, 0, vec![]);
    for case in &cases {
        let template = case["text"].as_str().expect("text");
        if case["html"] == true {
            left_out += 1;
            continue;
        }
        let missing = match case["options"].as_array().and_then(|o| o.first()).and_then(Json::as_str) {
            Some("missingkey=error") => MissingKey::Error,
            _ => MissingKey::Zero,
        };
        let mut query = |_: &str, _| Ok(samples(&case["queryResult"]));
        let url = "http://testhost:9090/path/prefix";
        let found = expand_value("test", template, &value(&case["input"]), url, 1_353_755_652_000, missing, &mut query);
        let expected = match case["shouldFail"] == true {
            true => Err(case["errorMsg"].as_str().unwrap_or("").to_owned()),
            false => Ok(case["output"].as_str().unwrap_or("").to_owned()),
        };
        if found == expected {
            passed += 1
        } else {
            failures.push(format!("{template}\n  found    {found:?}\n  expected {expected:?}"))
        }
    }
    println!("prom-template: {passed} passed, {} failed, {left_out} left out: {LEFT_OUT}", failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn rule(text: &str) -> Result<String, String> {
    let labels = Labels::from_pairs([("instance", "web-1:9100"), ("job", "node")]);
    let external = Labels::from_pairs([("env", "production")]);
    let value = SampleValue::Float(0.9375);
    let data =
        TemplateData { labels: &labels, external_labels: &external, external_url: "http://w:9666/p", value: &value };
    let mut query = |text: &str, at| match text {
        "up" => Ok(vec![Sample { labels: labels.clone(), t: at, value: SampleValue::Float(1.0) }]),
        "none" => Ok(vec![]),
        other => Err(format!("no such query: {other}")),
    };
    expand("__alert_Disk", text, &data, 60_000, &mut query)
}

#[test]
fn variables_and_functions_of_rules() {
    let cases = [
        ("plain", "plain"),
        (
            "{{ $labels.instance }} of {{ .Labels.job }}{{ $labels.nothing }} in {{ $externalLabels.env }}",
            "web-1:9100 of node in production",
        ),
        ("{{ $value | humanizePercentage }} {{ printf \"%.1f\" $value }} {{ .Value }}", "93.75% 0.9 0.9375"),
        ("{{ $labels.instance | stripPort | title }}", "Web-1"),
        ("{{ with query \"up\" }}{{ . | first | value }}{{ end }}{{ range query \"none\" }}x{{ end }}", "1"),
        ("{{ $externalURL }}{{ graphLink \"a * b~c\" }}", "http://w:9666/p/graph?g0.expr=a+%2A+b~c&g0.tab=0"),
        ("{{ define \"t\" }}<{{ .arg0 }}>{{ end }}{{ tmpl \"t\" (args 7) }}", "<7>"),
        (
            "{{ match \"^web\" $labels.instance }} {{ reReplaceAll \"(.*)-(.*):.*\" \"$2-$1\" $labels.instance }}",
            "true 1-web",
        ),
        ("{{ now | toTime }}", "1970-01-01 00:01:00 +0000 UTC"),
        ("{{ humanize 1234567.0 }} {{ humanize1024 2048.0 }} {{ humanizeDuration 93784.0 }}", "1.235M 2ki 1d 2h 3m 4s"),
    ];
    for (text, expected) in cases {
        assert_eq!(rule(text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn errors_say_what_and_where() {
    let cases = [
        ("{{ $label.x }}", "undefined variable \"$label\""),
        ("{{ query \"none\" | first }}", "first() called on vector with no elements"),
        ("{{ query \"bad\" }}", "no such query: bad"),
        ("{{ humanize \"one\" }}", "strconv.ParseFloat: parsing \"one\": invalid syntax"),
        ("{{ toTime 1e300 }}", "overflows int64"),
        ("{{ match \"(\" \"a\" }}", "error calling match"),
        ("{{ nope }}", "function \"nope\" not defined"),
    ];
    for (text, expected) in cases {
        let error = rule(text).expect_err(text);
        assert!(error.contains("__alert_Disk") && error.contains(expected), "{text}: {error}");
    }
}
