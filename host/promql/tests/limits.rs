//! Limits, cancelling, and the switches that the script runner leaves on.

use std::cell::RefCell;

use watchglass_model::{Labels, SeriesData, TimeMs, Value};
use watchglass_promql::script::Memory;
use watchglass_promql::{
    Cancel, Options, ParserOptions, QueryError, QueryResult, QueryValue, Select, Source, SourceError, parse,
    query_instant, query_range,
};

const MINUTE: TimeMs = 60_000;

/// `series` counters with a sample every second for ten minutes.
fn counters(series: usize) -> Memory {
    let mut memory = Memory::default();
    for i in 0..series {
        let labels = Labels::from_pairs([("__name__", "requests_total".to_owned()), ("i", i.to_string())]);
        for n in 0..=600 {
            memory.append(&labels, n * 1000, Value::Float((n * (i as i64 + 1)) as f64));
        }
    }
    memory
}

fn range(source: &dyn Source, text: &str, options: &Options, cancel: &Cancel) -> Result<QueryResult, QueryError> {
    let expr = parse(text, ParserOptions::default()).expect("a query");
    query_range(source, text, &expr, MINUTE, 10 * MINUTE, 10_000, options, cancel)
}

fn instant(source: &dyn Source, text: &str, options: &Options) -> Result<QueryResult, QueryError> {
    let expr = parse(text, ParserOptions::default()).expect("a query");
    query_instant(source, text, &expr, 10 * MINUTE, options, &Cancel::default())
}

/// Remembers what was asked of another source.
struct Watched<'a> {
    inner: &'a Memory,
    asked: RefCell<Vec<(TimeMs, TimeMs)>>,
}

impl Source for Watched<'_> {
    fn select(&self, what: &Select<'_>, cancel: &Cancel) -> Result<Vec<SeriesData>, SourceError> {
        self.asked.borrow_mut().push((what.start, what.end));
        self.inner.select(what, cancel)
    }
}

#[test]
fn a_selector_is_resolved_once_for_all_steps() {
    let memory = counters(2);
    let watched = Watched { inner: &memory, asked: RefCell::default() };
    let result = range(&watched, "sum(rate(requests_total[1m]))", &Options::default(), &Cancel::default());
    result.expect("an answer");
    // Left-open: a point just a minute before the first step doesn't count.
    assert_eq!(*watched.asked.borrow(), [(1, 10 * MINUTE)]);
}

#[test]
fn what_does_not_fit_at_once_is_evaluated_in_parts() {
    let memory = counters(3);
    let query = "sum by (i) (rate(requests_total[1m]))";
    let whole = range(&memory, query, &Options::default(), &Cancel::default()).expect("an answer");
    // All points are 1,800, the result 165, a minute of all series 180.
    let options = Options { max_samples: 700, ..Options::default() };
    let watched = Watched { inner: &memory, asked: RefCell::default() };
    let parts = range(&watched, query, &options, &Cancel::default()).expect("an answer");
    assert_eq!(whole.value, parts.value);
    assert_eq!(whole.infos, parts.infos);
    assert!(watched.asked.borrow().len() > 2, "{:?}", watched.asked.borrow());
    assert!(parts.peak_samples <= 1400, "{}", parts.peak_samples);
}

#[test]
fn too_many_samples_are_an_error() {
    let memory = counters(3);
    let options = Options { max_samples: 100, ..Options::default() };
    for query in ["requests_total", "rate(requests_total[5m])", "sum_over_time(requests_total[5m:1s])"] {
        let expr = parse(query, ParserOptions::default()).expect(query);
        let error = query_range(&memory, query, &expr, 0, 10 * MINUTE, 1000, &options, &Cancel::default());
        let error = error.expect_err(query).to_string();
        assert_eq!(error, "query processing would load too many samples into memory in query execution", "{query}");
    }
}

#[test]
fn a_huge_grid_is_refused_before_it_is_allocated() {
    let memory = counters(1);
    let expr = parse("max_over_time(vector(1)[100y:1ms])", ParserOptions::default()).expect("a query");
    let error = query_instant(&memory, "", &expr, 10 * MINUTE, &Options::default(), &Cancel::default());
    assert!(matches!(error, Err(QueryError::Source(SourceError::TooManySamples))), "{error:?}");
    let expr = parse("1", ParserOptions::default()).expect("a query");
    let error = query_range(&memory, "1", &expr, 0, i64::MAX, 1, &Options::default(), &Cancel::default());
    assert!(matches!(error, Err(QueryError::Source(SourceError::TooManySamples))), "{error:?}");
}

#[test]
fn times_at_the_ends_of_what_there_is_do_no_harm() {
    let memory = counters(1);
    for query in
        ["requests_total offset 200y", "rate(requests_total[200y])", "requests_total @ 1e9", "hour(vector(1e300))"]
    {
        let expr = parse(query, ParserOptions::default()).expect(query);
        for at in [i64::MIN, 0, i64::MAX] {
            query_instant(&memory, query, &expr, at, &Options::default(), &Cancel::default()).expect(query);
        }
    }
}

#[test]
fn a_cancelled_query_stops() {
    let cancel = Cancel::default();
    cancel.cancel();
    let error = range(&counters(1), "requests_total", &Options::default(), &cancel);
    assert!(matches!(error, Err(QueryError::Source(SourceError::Cancelled))), "{error:?}");
}

#[test]
fn names_are_dropped_at_each_function_unless_switched_on() {
    let labels = |options: &Options| {
        let query = r#"label_replace(rate(requests_total[1m]), "was", "$1", "__name__", "(.+)")"#;
        match instant(&counters(1), query, options).expect("an answer").value {
            QueryValue::Vector(samples) => samples.iter().map(|s| s.labels.to_string()).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(labels(&Options::default()), [r#"{i="0"}"#]);
    let delayed = Options { delayed_name_removal: true, ..Options::default() };
    assert_eq!(labels(&delayed), [r#"{i="0", was="requests_total"}"#]);
}

#[test]
fn a_note_is_made_once_and_tells_where() {
    let memory = counters(3);
    let mut gauge = memory.clone();
    gauge.append(&Labels::from_pairs([("__name__", "load")]), 10 * MINUTE - 1000, Value::Float(1.0));
    gauge.append(&Labels::from_pairs([("__name__", "load")]), 10 * MINUTE, Value::Float(2.0));
    let result = instant(&gauge, "1 +\n  rate(load[1m]) +\n rate(load[1m])", &Options::default()).expect("an answer");
    let info =
        "PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"load\" (3:7)";
    assert_eq!(result.infos, [info]);
    assert!(result.warnings.is_empty());
}
