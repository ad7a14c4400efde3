//! The parser's own cases: positions, modifiers, limits, switches.

use watchglass_promql::ast::{At, DurationExpr, Expr, Extension, Matching};
use watchglass_promql::{MAX_QUERY_DEPTH, MAX_QUERY_LENGTH, ParserOptions, parse, prettify, tree};

fn ok(text: &str) -> Expr {
    parse(text, ParserOptions::all()).unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn error(text: &str) -> String {
    match parse(text, ParserOptions::all()) {
        Ok(expr) => panic!("{text} parses as {expr}"),
        Err(e) => e.to_string(),
    }
}

#[test]
fn errors_name_line_column_and_what_was_expected() {
    let cases = [
        ("sum(\n  é{a=b})", "2:3: parse error: unexpected character: 'é'"),
        ("sum(\n  m{a=b})", "2:7: parse error: unexpected identifier \"b\" in label matching, expected string"),
        ("m{a=\"é\"} and", "1:13: parse error: unexpected end of input"),
        ("rate(m)", "1:6: parse error: expected type range vector in call to function \"rate\", got instant vector"),
        ("nope(m)", "1:1: parse error: unknown function with name \"nope\""),
        ("m[5m", "1:5: parse error: unexpected end of input in duration expression"),
        ("m[5m:1m:1m]", "1:8: parse error: unexpected colon ':'"),
        ("m[1m1h]", "1:3: parse error: not a valid duration string: \"1m1h\""),
        ("round()", "1:1: parse error: expected at least 1 argument(s) in call to \"round\", got 0"),
        ("label_replace(m, \"a\")", "1:1: parse error: expected 5 argument(s) in call to \"label_replace\", got 2"),
        ("sum(m, )", "1:6: parse error: trailing commas not allowed in function call args"),
        ("m offset 5m offset 5m", "1:13: parse error: offset may not be set multiple times"),
        ("m @ 1 @ 2", "1:7: parse error: @ <timestamp> may not be set multiple times"),
        (
            "sum(m) offset 5m",
            "1:8: parse error: offset modifier must be preceded by an instant vector selector or range vector selector or a subquery",
        ),
        ("m{a=~\"(\"}", "1:3: parse error: "),
        ("a + fill(x) b", "1:10: parse error: unexpected identifier \"x\" in fill modifier, expected number"),
        ("a and fill(1) b", "1:1: parse error: filling in missing series not allowed for set operators"),
    ];
    for (text, expected) in cases {
        let found = error(text);
        assert!(found.starts_with(expected), "{text}\n  found    {found}\n  expected {expected}");
    }
}

#[test]
fn switches_close_what_is_experimental() {
    let off = ParserOptions::default();
    for text in [
        "limitk(1, m)",
        "limit_ratio(0.5, m)",
        "mad_over_time(m[5m])",
        "m[5m] anchored",
        "m smoothed",
        "a + fill(0) b",
        "info(m)",
    ] {
        let message = parse(text, off).expect_err(text).message;
        assert!(message.ends_with("is not enabled"), "{text}: {message}");
        ok(text);
    }
    // As names they are free.
    for text in ["anchored", "fill + fill_left", "step", "m[step()]", "m @ end()"] {
        parse(text, off).unwrap_or_else(|e| panic!("{text}: {e}"));
    }
}

#[test]
fn modifiers_land_where_they_belong() {
    let Expr::Matrix(m) = ok("m[5m] smoothed @ 1.5 offset -1m") else { panic!("no matrix") };
    assert_eq!((m.vector.at, m.vector.extension), (Some(At::Time(1500)), Extension::Smoothed));
    assert_eq!((m.range, m.vector.offset), (DurationExpr::Literal(300_000), Some(DurationExpr::Literal(-60_000))));
    let Expr::Binary(b) = ok("a * on (x) group_right (y) fill_left(1) fill_right(2) b") else { panic!("no operation") };
    let Some(Matching { on: true, fill_left: Some(1.0), fill_right: Some(2.0), include, .. }) = b.matching else {
        panic!("{:?}", b.matching)
    };
    assert_eq!(include, ["y"]);
    assert!(matches!(ok("a + 1"), Expr::Binary(b) if b.matching.is_none()));
    assert!(matches!(ok("1m30s"), Expr::Number(n) if n.value == 90.0 && n.duration));
}

#[test]
fn operators_bind_as_in_prometheus() {
    let grouped = |text: &str| bracket(&ok(text));
    assert_eq!(grouped("a + b * c ^ d ^ e - f"), "((a + (b * (c ^ (d ^ e)))) - f)");
    assert_eq!(grouped("a or b and c unless d == e"), "(a or ((b and c) unless (d == e)))");
    assert_eq!(grouped("-a ^ b * c"), "(-(a ^ b) * c)");
    assert_eq!(grouped("2 ^ -a ^ b"), "(2 ^ -(a ^ b))");
    assert_eq!(grouped("a atan2 b % c"), "((a atan2 b) % c)");
    assert_eq!(grouped("a </ 1 + 2"), "(a </ (1 + 2))");
}

fn bracket(expr: &Expr) -> String {
    match expr {
        Expr::Binary(b) => format!("({} {} {})", bracket(&b.lhs), b.op.as_str(), bracket(&b.rhs)),
        Expr::Unary(u) => format!("-{}", bracket(&u.expr)),
        other => other.to_string(),
    }
}

#[test]
fn keywords_are_names_where_no_keyword_fits() {
    for text in [
        "and and and",
        "by",
        "sum + sum",
        "offset offset 5m",
        "SUM(sum) BY (by)",
        "start @ start()",
        "min_of",
        "atan2{} or x",
    ] {
        if text.starts_with("atan2") {
            assert!(error(text).contains("unexpected <op:atan2>"));
        } else {
            ok(text);
        }
    }
    assert_eq!(ok("SUM BY (Job) (m) / ON (a) m").to_string(), "sum by (Job) (m) / on (a) m");
    assert_eq!(ok("{\"my.metric\", 'a b'!~`x\\d`}").to_string(), "{\"a b\"!~\"x\\\\d\",__name__=\"my.metric\"}");
}

#[test]
fn hostile_queries_get_an_error() {
    for (open, close) in [("(", ")"), ("-", ""), ("abs(", ")"), ("m + (", ")"), ("sum by (a) (", ")")] {
        let text = format!("{}m{}", open.repeat(20_000), close.repeat(20_000));
        assert!(error(&text).contains("nested too deeply"), "{open}");
    }
    for (begin, more) in [("m", "[5m:]"), ("m", " + m"), ("m[1", "+1"), ("m", "^m")] {
        let end = if begin.ends_with('1') { "]" } else { "" };
        let message = error(&format!("{begin}{}{end}", more.repeat(20_000)));
        assert!(
            message.contains("nested too deeply") || message.contains("subquery is only allowed"),
            "{more}: {message}"
        );
    }
    assert!(error(&format!("m[{}1", "(".repeat(20_000))).contains("nested too deeply"));
    assert!(error(&" ".repeat(MAX_QUERY_LENGTH + 1)).contains("too long"));
    let deep = vec!["m"; MAX_QUERY_DEPTH].join(" or ");
    let expr = ok(&deep);
    assert_eq!(expr.to_string(), deep);
    assert!(prettify(&expr, 100).len() > deep.len());
    assert!(tree(&expr).to_string().len() > deep.len());
}

#[test]
fn the_tree_is_that_of_parse_query() {
    let found = tree(&ok("sum by (job) (rate(up{job!=\"x\"}[5m] offset 1m)) / on () group_left (a) -b"));
    assert_eq!(found["type"], "binaryExpr");
    assert_eq!(found["matching"]["card"], "many-to-one");
    assert_eq!(
        found["rhs"],
        serde_json::json!({
            "type": "unaryExpr", "op": "-", "expr": {
                "type": "vectorSelector", "name": "b", "offset": 0, "timestamp": null, "startOrEnd": null,
                "anchored": false, "smoothed": false,
                "matchers": [{"name": "__name__", "type": "=", "value": "b"}],
            },
        })
    );
    let call = &found["lhs"]["expr"];
    assert_eq!(
        call["func"],
        serde_json::json!({"name": "rate", "argTypes": ["matrix"], "variadic": 0, "returnType": "vector"})
    );
    assert_eq!(
        (&call["args"][0]["range"], &call["args"][0]["offset"]),
        (&serde_json::json!(300_000), &serde_json::json!(60_000))
    );
}
