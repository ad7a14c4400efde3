//! Random and mutated inputs: whatever they say, the parser gives a tree or an error. 200,000 inputs, 10 million with
//! `WATCHGLASS_LONG=1`.

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use watchglass_promql::{ParserOptions, parse, prettify, series, tree};

const SEEDS: &[&str] = &[
    "sum by (job, \"a b\") (rate(http_requests_total{job=~\"a.*\", le!=\"0.5\"}[5m] offset -1m @ 1.5e3)) > bool 0.5",
    "histogram_quantile(0.9, sum by (le) (rate(x_bucket{}[5m]))) / on (a) group_left (b) fill_left (0) fill_right (-1) y",
    "max_over_time((a </ 2 >/ -1)[1h:max_of(step(), 5s)] @ end()) unless ignoring (x) -b ^ -2 atan2 c",
    "topk(5, {\"my.metric\", 'q'=`\\d`, r!~\"\\u00e9\\x41\"} anchored) or count_values without () (\"v\", m[range() * 2 - (1m + 3)] smoothed)",
    "label_replace(info(up, {x=\"y\"}), \"a\", \"$1\", \"b\", \"(.*)\") # comment\n + 0x1F - 1_000 % Inf == bool NaN",
];

const SERIES_SEEDS: &[&str] = &[
    "m{a=\"b\"} 1 2+3x4 _x2 stale -1.5e3 NaN",
    "{} {{schema:1 count:2 buckets:[1 2] offset:-1}}+{{count:1}}x3",
    "m@st -1m _ 0-1mx4",
];

fn inputs() -> u32 {
    if std::env::var_os("WATCHGLASS_LONG").is_some_and(|v| v == "1") { 10_000_000 } else { 200_000 }
}

fn runner() -> TestRunner {
    TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

fn feed(text: &str) {
    if let Ok(expr) = parse(text, ParserOptions::all()) {
        let line = expr.to_string();
        let again = parse(&line, ParserOptions::all()).unwrap_or_else(|e| panic!("{text:?} prints as {line:?}: {e}"));
        assert_eq!(again.to_string(), line, "{text:?}");
        std::hint::black_box((prettify(&expr, 20), tree(&expr)));
    }
}

#[test]
fn random_text() {
    let mut runner = runner();
    let anything = proptest::string::string_regex("(?s).{0,60}").expect("regex");
    let tokens = proptest::collection::vec(
        proptest::sample::select(vec![
            "sum", "rate", "m", "a:b", "by", "on", "bool", "(", ")", "{", "}", "[", "]", ":", ",", "=", "=~", "!=",
            "\"x\"", "'", "`", "\\", "5m", "1", ".", "-", "+", "^", "and", "offset", "@", "start", "step()", "</",
            "anchored", "fill", "#", "\n", " ", "é",
        ]),
        0..30,
    )
    .prop_map(|words| words.concat());
    for _ in 0..inputs() / 4 {
        feed(&anything.new_tree(&mut runner).expect("tree").current());
        let text = tokens.new_tree(&mut runner).expect("tree").current();
        feed(&text);
        std::hint::black_box((series::parse_series(&text).is_ok(), series::parse_starts(&text).is_ok()));
    }
}

#[test]
fn mutated_text() {
    let mut runner = runner();
    let edit = (0usize..400, 0usize..4, 0usize..400, proptest::char::any());
    let edits = proptest::collection::vec(edit, 1..6);
    for round in 0..inputs() / 2 {
        let round = round as usize;
        let edits = edits.new_tree(&mut runner).expect("tree").current();
        feed(&mutate(SEEDS[round % SEEDS.len()], &edits));
        let line = mutate(SERIES_SEEDS[round % SERIES_SEEDS.len()], &edits);
        std::hint::black_box((series::parse_series(&line).is_ok(), series::parse_starts(&line).is_ok()));
    }
}

/// Replaces, removes, inserts and repeats characters.
fn mutate(seed: &str, edits: &[(usize, usize, usize, char)]) -> String {
    let mut chars: Vec<char> = seed.chars().collect();
    for &(at, kind, other, c) in edits {
        let at = at % chars.len().max(1);
        match kind {
            _ if chars.is_empty() => chars.push(c),
            0 => chars[at] = c,
            1 => drop(chars.remove(at)),
            2 => {
                let copied = chars[other % chars.len()];
                chars.insert(at, copied);
            }
            _ => {
                let end = (at + other % 10).min(chars.len());
                let part: Vec<char> = chars[at..end].to_vec();
                chars.extend(part);
            }
        }
    }
    chars.into_iter().collect()
}
