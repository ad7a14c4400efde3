//! Durations: text to nanoseconds and back to the canonical text.

use watchglass_model::DurationMs;

#[test]
fn durations() {
    let Some(cases) = super::json("durations", "durations.json") else { return };
    let (mut passed, mut failed) = (0, Vec::new());
    for case in cases.as_array().expect("a list") {
        let text = case["in"].as_str().expect("`in`");
        let signed = case["negative_allowed"] == true;
        let parsed = if signed { DurationMs::parse_signed(text) } else { DurationMs::parse(text) };
        // Negative numbers are written as a negation.
        let nanos = case["ns"].as_i64().or_else(|| case["ns"]["x"].as_i64().map(|x| -x));
        let ok = match (nanos, &parsed) {
            (Some(ns), Ok(d)) => {
                d.0 * 1_000_000 == ns && case["string"].as_str().is_none_or(|string| d.to_string() == string)
            }
            (None, Err(_)) => true,
            _ => false,
        };
        if ok {
            passed += 1;
        } else {
            failed.push(format!("{case}: got {parsed:?}"));
        }
    }
    super::report("durations", passed, &failed);
}
