//! Regular expressions: which values they match, by Go's regexp.

use watchglass_model::{MatchOp, Matcher};

#[test]
fn cross() {
    let Some(cases) = super::json("label-regex", "cross.json") else { return };
    let values: Vec<&str> = cases["values"].as_array().expect("`values`").iter().filter_map(|v| v.as_str()).collect();
    let (mut passed, mut failed) = (0, Vec::new());
    for row in cases["rows"].as_array().expect("`rows`") {
        let regex = row["regex"].as_str().expect("`regex`");
        let expected: Vec<u64> =
            row["matches"].as_array().expect("`matches`").iter().filter_map(|i| i.as_u64()).collect();
        let matcher = Matcher::new("x", MatchOp::Regex, regex).expect("a regular expression");
        for (i, value) in values.iter().enumerate() {
            let expected = expected.contains(&(i as u64));
            if matcher.matches(value) == expected {
                passed += 1;
            } else {
                failed.push(format!("{regex} on {value:?} should give {expected}"));
            }
        }
    }
    super::report("label-regex cross", passed, &failed);
}

#[test]
fn matches() {
    let Some(cases) = super::json("label-regex", "matches.json") else { return };
    let (mut passed, mut failed) = (0, Vec::new());
    for case in cases.as_array().expect("a list") {
        let pattern = case["pattern"].as_str().expect("`pattern`");
        let matcher = Matcher::new("x", MatchOp::Regex, pattern).expect("a regular expression");
        for (list, expected) in [("match", true), ("nomatch", false)] {
            for value in case[list].as_array().expect("a list of values").iter().filter_map(|v| v.as_str()) {
                if matcher.matches(value) == expected {
                    passed += 1;
                } else {
                    failed.push(format!("{pattern} on {value:?} should give {expected}"));
                }
            }
        }
    }
    super::report("label-regex matches", passed, &failed);
}
