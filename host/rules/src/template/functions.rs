//! The functions of Prometheus' templates (`docs/configuration/template_reference.md`).

use std::cell::RefCell;
use std::collections::BTreeMap;

use watchglass_model::{DurationMs, Sample, TimeMs, Value as SampleValue, go_regex, parse_go_float};
use watchglass_text::gotime::{Duration, Time};
use watchglass_text::template::{ANY_MAP, Class, Funcs, Param, Params, STRING_MAP, Value, Zero};

use crate::rule::Query;

use super::{humanize, links};

/// What a query gives.
static QUERY_RESULT: Class = Class { name: "template.queryResult", methods: &[], zero: Zero::Nil };
/// One of its samples.
static SAMPLE: Class = Class { name: "*template.sample", methods: &[], zero: Zero::Nil };

const NONE: Params = Params::fixed(&[]);
const ANY: Params = Params::fixed(&[Param::Any]);
const STRING: Params = Params::fixed(&[Param::String]);
const ONE_SAMPLE: Params = Params::fixed(ONE_SAMPLE_KINDS);
const ONE_SAMPLE_KINDS: &[Param] = &[Param::Class(&SAMPLE)];
const RESULT: &[Param] = &[Param::Class(&QUERY_RESULT)];
const NAME_AND_SAMPLE: &[Param] = &[Param::String, Param::Class(&SAMPLE)];
const NAME_AND_RESULT: &[Param] = &[Param::String, Param::Class(&QUERY_RESULT)];

/// What the functions look at outside of the template.
pub(super) struct Surroundings<'a, 'q> {
    pub(super) now: TimeMs,
    pub(super) external_url: &'a str,
    pub(super) query: &'a mut Query<'q>,
}

/// All functions.
pub(super) fn functions<'a>(around: Surroundings<'a, '_>) -> Funcs<'a> {
    let Surroundings { now, external_url, query } = around;
    let query = RefCell::new(query);
    let mut funcs = Funcs::new();
    funcs.add("query", STRING, move |args| {
        let found = (query.borrow_mut())(text(args, 0), now)?;
        Ok(Value::list(&QUERY_RESULT, found.iter().map(sample).collect()))
    });
    funcs.add("now", NONE, move |_| Ok(Value::Float(now as f64 / 1000.0)));
    funcs.add("externalURL", NONE, move |_| Ok(Value::from(external_url)));
    funcs.add("pathPrefix", NONE, move |_| Ok(Value::from(links::path(external_url))));
    samples(&mut funcs);
    texts(&mut funcs);
    numbers(&mut funcs);
    funcs
}

fn text(args: &[Value], index: usize) -> &str {
    args.get(index).and_then(Value::as_str).unwrap_or("")
}

/// A sample as templates see it. What a template makes of a histogram is its text, as its value.
fn sample(sample: &Sample) -> Value {
    let value = match &sample.value {
        SampleValue::Float(v) => Value::Float(*v),
        SampleValue::Histogram(h) => Value::from(h.to_string()),
    };
    let labels = Value::string_map(&STRING_MAP, &sample.labels);
    Value::object(&SAMPLE, vec![("Labels", "Labels", labels), ("Value", "Value", value)])
}

fn label(sample: Option<&Value>, name: &str) -> Value {
    let labels = sample.and_then(|s| s.get("Labels"));
    labels.and_then(|l| l.get(name)).cloned().unwrap_or_else(|| Value::from(""))
}

fn samples(funcs: &mut Funcs<'_>) {
    funcs.add("first", Params::fixed(RESULT), |args| {
        let first = args.first().and_then(|list| list.items().first());
        first.cloned().ok_or_else(|| "first() called on vector with no elements".to_owned())
    });
    funcs.add("label", Params::fixed(NAME_AND_SAMPLE), |args| Ok(label(args.get(1), text(args, 0))));
    funcs.add("value", ONE_SAMPLE, |args| {
        Ok(args.first().and_then(|s| s.get("Value")).cloned().unwrap_or(Value::Float(0.0)))
    });
    funcs.add("strvalue", ONE_SAMPLE, |args| Ok(label(args.first(), "__value__")));
    funcs.add("sortByLabel", Params::fixed(NAME_AND_RESULT), |args| {
        let name = text(args, 0);
        let mut items = args.get(1).map(Value::items).unwrap_or_default().to_vec();
        items.sort_by(|a, b| label(Some(a), name).as_str().cmp(&label(Some(b), name).as_str()));
        Ok(Value::list(&QUERY_RESULT, items))
    });
}

fn texts(funcs: &mut Funcs<'_>) {
    funcs.add("args", Params::variadic(&[Param::Any]), |args| {
        if args.iter().any(|v| v.depth() >= Value::MAX_DEPTH) {
            return Err(format!("values are nested too deeply: at most {} levels are allowed", Value::MAX_DEPTH));
        }
        let named: BTreeMap<String, Value> =
            args.iter().enumerate().map(|(i, v)| (format!("arg{i}"), v.clone())).collect();
        Ok(Value::map(&ANY_MAP, named))
    });
    funcs.add_scoped("tmpl", Params::fixed(&[Param::String, Param::Any]), |scope, args| {
        let data = args.get(1).cloned().unwrap_or_default();
        scope.render(text(args, 0), &data).map(Value::from).map_err(|e| e.to_string())
    });
    funcs.add("reReplaceAll", Params::fixed(&[Param::String, Param::String, Param::String]), |args| {
        let regex = go_regex(text(args, 0)).map_err(|e| e.to_string())?;
        Ok(Value::from(regex.replace_all(text(args, 2), text(args, 1)).into_owned()))
    });
    funcs.add("match", Params::fixed(&[Param::String, Param::String]), |args| {
        let regex = go_regex(text(args, 0)).map_err(|e| e.to_string())?;
        Ok(Value::Bool(regex.is_match(text(args, 1))))
    });
    // Only pages of HTML are escaped, and there are none here.
    funcs.add("safeHtml", STRING, |args| Ok(Value::from(text(args, 0))));
    funcs.add("title", STRING, |args| Ok(Value::from(title(text(args, 0)))));
    funcs.add("toUpper", STRING, |args| Ok(Value::from(text(args, 0).to_uppercase())));
    funcs.add("toLower", STRING, |args| Ok(Value::from(text(args, 0).to_lowercase())));
    funcs.add("urlQueryEscape", STRING, |args| Ok(Value::from(links::query_escape(text(args, 0)))));
    funcs.add("graphLink", STRING, |args| Ok(Value::from(links::graph_link(text(args, 0)))));
    funcs.add("tableLink", STRING, |args| Ok(Value::from(links::table_link(text(args, 0)))));
    funcs.add("stripPort", STRING, |args| Ok(Value::from(links::strip_port(text(args, 0)))));
    funcs.add("stripDomain", STRING, |args| Ok(Value::from(links::strip_domain(text(args, 0)))));
}

/// The first letter of each word in upper case; the rest stays.
fn title(text: &str) -> String {
    let mut before = ' ';
    text.chars()
        .flat_map(|c| {
            let begins = !(before.is_alphanumeric() || before == '_' || before == '\'');
            before = c;
            let upper: Vec<char> = if begins { c.to_uppercase().collect() } else { vec![c] };
            upper
        })
        .collect()
}

fn numbers(funcs: &mut Funcs<'_>) {
    funcs.add("humanize", ANY, |args| Ok(Value::from(humanize::decimal(number(args)?))));
    funcs.add("humanize1024", ANY, |args| Ok(Value::from(humanize::binary(number(args)?))));
    funcs.add("humanizeDuration", ANY, |args| Ok(Value::from(humanize::duration(number(args)?))));
    funcs.add("humanizePercentage", ANY, |args| Ok(Value::from(humanize::percentage(number(args)?))));
    funcs.add("humanizeTimestamp", ANY, |args| {
        let seconds = number(args)?;
        match seconds.is_finite() {
            true => Ok(Value::from(time(seconds)?.to_string())),
            false => Ok(Value::from(humanize::short(seconds))),
        }
    });
    funcs.add("toTime", ANY, |args| time(number(args)?).map(Value::Time));
    funcs.add("toDuration", ANY, |args| {
        let seconds = number(args)?;
        nanoseconds(seconds, "duration").map(|ns| Value::Duration(Duration(ns)))
    });
    funcs.add("parseDuration", STRING, |args| {
        let duration = DurationMs::parse_signed(text(args, 0)).map_err(|e| e.to_string())?;
        Ok(Value::Float(duration.seconds()))
    });
}

/// A number, or a text that is one.
fn number(args: &[Value]) -> Result<f64, String> {
    match args.first().unwrap_or(&Value::Nil) {
        Value::Float(v) => Ok(*v),
        Value::Int(n) => Ok(*n as f64),
        Value::Duration(d) => Ok(d.seconds()),
        Value::String(text) => parse_go_float(text).ok_or_else(|| {
            format!("strconv.ParseFloat: parsing {}: invalid syntax", watchglass_text::gofmt::quote(text, false))
        }),
        other => Err(format!("can't convert {} to float", other.type_name())),
    }
}

fn nanoseconds(seconds: f64, what: &str) -> Result<i64, String> {
    let ns = seconds * 1e9;
    if ns.is_nan() || ns.abs() > i64::MAX as f64 {
        let shown = watchglass_text::gofmt::float(seconds, 'g', None);
        return Err(format!("{shown} cannot be represented as a nanoseconds {what} since it overflows int64"));
    }
    Ok(ns as i64)
}

/// Seconds as a time, to the millisecond.
fn time(seconds: f64) -> Result<Time, String> {
    nanoseconds(seconds, "timestamp").map(|ns| Time::from_ms(ns / 1_000_000))
}
