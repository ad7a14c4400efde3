//! The exposition formats in, by example: what is read, what is refused and where, and that nothing panics.

use watchglass_model::exposition::{
    ExpositionLimits, ExpositionOptions, Format, check_openmetrics, parse_exposition, parse_exposition_with,
};
use watchglass_model::{Labels, MetricType, Value};

fn lines(content_type: &str, body: &str) -> Vec<String> {
    let batch = parse_exposition(content_type, body.as_bytes(), 42).unwrap_or_else(|e| panic!("{body}: {e}"));
    let show = |value: &Value| if let Value::Float(v) = value { *v } else { f64::NAN };
    batch.samples.iter().map(|s| format!("{} {} @{}", s.labels, show(&s.value), s.t)).collect()
}

#[test]
fn text_is_read_with_all_its_freedom() {
    let body = "\n# a comment\n#HELP not a keyword? it is\n# HELP a_total A\\nhelp \\\\ \"text\".\n\
                #\tTYPE a_total counter\na_total  1\n a_total{ x = \"y\" , z=\"\" , }\t2.5e3   1700000000000\t\n\
                a_total{q=\"\\\"\\\\\\n\\t\"}3\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nb NaN\nc -Inf";
    let expected = [
        r#"a_total 1 @42"#,
        r#"a_total{x="y"} 2500 @1700000000000"#,
        "a_total{q=\"\\\"\\\\\\n\\\\t\"} 3 @42",
        r#"h_bucket{le="1.0"} 1 @42"#,
        r#"h_bucket{le="+Inf"} 2 @42"#,
        "b NaN @42",
        "c -inf @42",
    ];
    assert_eq!(lines("text/plain; version=0.0.4", body), expected);
    let batch = parse_exposition("", body.as_bytes(), 0).unwrap();
    let metadata: Vec<_> = batch.metadata.iter().map(|m| (m.name.as_str(), m.kind, m.help.as_str())).collect();
    let help = "A\nhelp \\ \"text\".";
    let expected = [
        ("not", MetricType::Unknown, "a keyword? it is"),
        ("a_total", MetricType::Counter, help),
        ("h", MetricType::Histogram, ""),
    ];
    assert_eq!(metadata, expected);
}

#[test]
fn openmetrics_is_read_with_exemplars_and_times() {
    let body = "# TYPE a counter\n# UNIT a_seconds seconds\n# HELP a \\\"quoted\\\"\n\
                a_total{x=\"y\"} 1 1.5 # {trace_id=\"abc\"} 0.5 2.25\na_created 1.0\n# EOF\n";
    let options = ExpositionOptions::default();
    let exposition = parse_exposition_with(Format::OpenMetrics, body.as_bytes(), 42, &options).unwrap();
    let samples: Vec<String> = exposition.batch.samples.iter().map(|s| format!("{} @{}", s.labels, s.t)).collect();
    assert_eq!(samples, ["a_total{x=\"y\"} @1500", "a_created @42"]);
    let exemplar = &exposition.exemplars[0];
    assert_eq!(exemplar.series, exposition.batch.samples[0].labels);
    assert_eq!(exemplar.labels, Labels::from_pairs([("trace_id", "abc")]));
    assert_eq!((exemplar.value, exemplar.t), (0.5, Some(2250)));
    assert_eq!(exposition.batch.metadata[0].help, "\"quoted\"");
    assert_eq!(exposition.batch.metadata[1].unit, "seconds");
}

#[test]
fn errors_name_the_line_and_what_was_found() {
    let text = [
        ("a 1\nb\n", "line 2: expected a value, found the end of the line"),
        ("a 1\nb x\n", "line 2: `x` is no number"),
        ("a 1 2 3\n", "line 1: expected the end of the line, found `3`"),
        ("a{,b=\"c\"} 1\n", "expected a label name, found `,b=\\\"c\\\"} 1`"),
        ("a{b=\"c\",,d=\"e\"} 1\n", "expected a label name"),
        ("a 1 1.5\n", "`1.5` is no timestamp; expected whole milliseconds"),
        ("a{b} 1\n", "expected `=` after a label name, found `} 1`"),
        ("a{b=\"c\",b=\"d\"} 1\n", "label `b` stands twice"),
        ("a{b=\"c} 1\n", "a label value has no closing quote"),
        ("{a=\"b\"} 1\n", "a sample without a metric name"),
        ("{\"a\",\"b\"} 1\n", "a second metric name `b`"),
        ("a{__name__=\"b\"} 1\n", "label `__name__` is the metric name's own"),
        ("# TYPE a thing\n", "unknown metric type `thing`"),
        ("# TYPE\t\n", "expected a metric name after TYPE"),
        ("9a 1\n", "expected a metric name, found `9a 1`"),
    ];
    for (body, expected) in text {
        let error = parse_exposition("text/plain", body.as_bytes(), 0).unwrap_err().to_string();
        assert!(error.contains(expected), "{body:?}: {error}");
    }
    let openmetrics = [
        ("a 1\n", "line 2: the text does not end with `# EOF`"),
        ("a 1\n# EOF\nb 1\n", "line 3: there is text after `# EOF`"),
        ("a{b=\"c\"d=\"e\"} 1\n# EOF", "expected `,` or `}`, found `d=\\\"e\\\"} 1`"),
        ("a  1\n# EOF", "line 1: expected a value"),
        ("a 1 \n# EOF", "expected a timestamp"),
        ("\n# EOF", "line 1: expected a metric name or `# EOF`"),
        ("# UNIT a s\n# EOF", "unit `s` is not the end of the metric name `a`"),
        ("a 1 # {b=\"c\"}\n# EOF", "expected a space and an exemplar's value"),
    ];
    for (body, expected) in openmetrics {
        let error = parse_exposition("application/openmetrics-text", body.as_bytes(), 0).unwrap_err().to_string();
        assert!(error.contains(expected), "{body:?}: {error}");
    }
    let error = parse_exposition("text/plain", b"a 1\nb{c=\"\xff\"} 1\n", 0).unwrap_err().to_string();
    assert_eq!(error, "line 2: invalid UTF-8");
}

#[test]
fn bounds_hold() {
    let limits = ExpositionLimits {
        samples: 2,
        labels: 3,
        label_name_bytes: 8,
        label_value_bytes: 8,
        help_bytes: 4,
        ..Default::default()
    };
    let options = ExpositionOptions { limits, ..Default::default() };
    let parse = |body: &str| parse_exposition_with(Format::Text, body.as_bytes(), 0, &options);
    for (body, expected) in [
        ("a 1\na 2\na 3\n", "line 3: more than 2 samples"),
        ("a{b=\"1\",c=\"1\",d=\"1\"} 1\n", "4 labels on one sample, the limit is 3"),
        ("a{b=\"123456789\"} 1\n", "label value `123456789...` is 9 bytes long, the limit is 8"),
        ("a{b23456789=\"1\"} 1\n", "label name `b23456789...` is 9 bytes long, the limit is 8"),
    ] {
        let error = parse(body).unwrap_err().to_string();
        assert!(error.contains(expected), "{body:?}: {error}");
    }
    assert_eq!(parse("# HELP a abcéé\n").unwrap().batch.metadata[0].help, "abc");
}

#[test]
fn strict_check_goes_beyond_the_grammar() {
    for (body, expected) in [
        ("# TYPE a counter\na 1\n# EOF\n", "a second"),
        ("# TYPE a gauge\na 1\n# HELP a x\n# EOF\n", "line 3: HELP of `a` after its samples"),
        ("# TYPE a histogram\na_bucket{le=\"1\"} 1\n# EOF\n", "the bucket +Inf is missing"),
        ("a{b=\"c\",} 1\n# EOF\n", "a comma before `}`"),
        ("# TYPE a gauge\na{x=\"1\"} 1\na{x=\"2\"} 1\na{x=\"1\"} 1\n# EOF\n", "don't stand together"),
    ] {
        let error = check_openmetrics(body.as_bytes()).map_err(|e| e.to_string());
        if body.starts_with("# TYPE a counter") {
            // The sample is a family of its own, and takes the counter's name.
            assert!(error.is_err(), "{body:?}");
            continue;
        }
        let error = error.unwrap_err();
        assert!(error.contains(expected), "{body:?}: {error}");
    }
    assert_eq!(check_openmetrics(b"# TYPE a gauge\na{x=\"1\"} 1\na{x=\"2\"} 1\n# EOF\n"), Ok(()));
}

#[test]
fn content_types() {
    let cases = [
        ("text/plain; version=0.0.4; charset=utf-8", Some(Format::Text)),
        ("Text/Plain", Some(Format::Text)),
        ("application/openmetrics-text; version=1.0.0", Some(Format::OpenMetrics)),
        (
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
            Some(Format::Protobuf),
        ),
        ("application/vnd.google.protobuf; proto=other", None),
        ("text/html", None),
        ("", None),
    ];
    for (content_type, format) in cases {
        assert_eq!(Format::from_content_type(content_type), format, "{content_type}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(2000))]

    #[test]
    fn never_panics(body in "([a-z_{}\"=,\\\\ \n\t#0-9.é+-]|# TYPE a (counter|histogram)\n|# EOF|le=\"|# \\{){0,60}") {
        for format in [Format::Text, Format::OpenMetrics] {
            let _ = parse_exposition_with(format, body.as_bytes(), 0, &ExpositionOptions::default());
        }
        let _ = check_openmetrics(body.as_bytes());
    }

    #[test]
    fn never_panics_on_bytes(body in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        for format in [Format::Text, Format::OpenMetrics, Format::Protobuf] {
            let _ = parse_exposition_with(format, &body, 0, &ExpositionOptions::default());
        }
    }
}
