//! `route`, `inhibit_rules` and `time_intervals`, from how they are written to what routing works by.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use watchglass_alerts::{
    DayRange, GroupBy, InclusiveRange, InhibitRule, Route, TimeInterval, TimeRange, parse_location, parse_matchers,
};
use watchglass_model::{Labels, MatchOp, Matcher};
use watchglass_text::{Spanned, TextError};

use super::Source;
use super::values::PromDuration;

/// A route as written.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawRoute {
    receiver: Option<Spanned<String>>,
    group_by: Option<Spanned<Vec<String>>>,
    #[serde(rename = "continue")]
    continue_matching: Spanned<bool>,
    #[serde(rename = "match")]
    equal: Spanned<BTreeMap<String, String>>,
    match_re: Spanned<BTreeMap<String, String>>,
    matchers: Vec<Spanned<String>>,
    group_wait: Option<Spanned<PromDuration>>,
    group_interval: Option<Spanned<PromDuration>>,
    repeat_interval: Option<Spanned<PromDuration>>,
    mute_time_intervals: Vec<Spanned<String>>,
    active_time_intervals: Vec<Spanned<String>>,
    labels: BTreeMap<String, String>,
    routes: Vec<Spanned<RawRoute>>,
}

/// An inhibition rule as written.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawInhibitRule {
    name: String,
    source_match: Spanned<BTreeMap<String, String>>,
    source_match_re: Spanned<BTreeMap<String, String>>,
    source_matchers: Vec<Spanned<String>>,
    target_match: Spanned<BTreeMap<String, String>>,
    target_match_re: Spanned<BTreeMap<String, String>>,
    target_matchers: Vec<Spanned<String>>,
    equal: Vec<String>,
}

/// A named time interval as written.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawNamedInterval {
    pub(crate) name: Spanned<String>,
    time_intervals: Vec<Spanned<RawInterval>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawInterval {
    times: Vec<RawTimes>,
    weekdays: Vec<String>,
    days_of_month: Vec<String>,
    months: Vec<String>,
    years: Vec<String>,
    location: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawTimes {
    start_time: String,
    end_time: String,
}

/// What routes may name.
pub(crate) struct Names<'a> {
    pub(crate) receivers: &'a BTreeSet<String>,
    pub(crate) intervals: &'a BTreeMap<String, Vec<TimeInterval>>,
}

/// Checks the root's own rules and converts the tree.
pub(crate) fn root(raw: &Spanned<RawRoute>, names: &Names<'_>, source: Source<'_>) -> Result<Route, TextError> {
    if raw.receiver.as_ref().is_none_or(|r| r.is_empty()) {
        return Err(source.at(raw, "root route must specify a default receiver"));
    }
    if !(raw.equal.is_empty() && raw.match_re.is_empty() && raw.matchers.is_empty()) {
        return Err(source.at(raw, "root route must not have any matchers"));
    }
    if let Some(first) = raw.mute_time_intervals.first() {
        return Err(source.at(first, "root route must not have any mute time intervals"));
    }
    if let Some(first) = raw.active_time_intervals.first() {
        return Err(source.at(first, "root route must not have any active time intervals"));
    }
    if *raw.continue_matching {
        return Err(source.at(&raw.continue_matching, "cannot have continue in root route"));
    }
    route(raw, names, source)
}

/// The depth of nesting is bounded by the YAML reader.
fn route(raw: &RawRoute, names: &Names<'_>, source: Source<'_>) -> Result<Route, TextError> {
    let mut matchers = exact(&raw.equal, source)?;
    matchers.extend(anchored(&raw.match_re, source)?);
    matchers.extend(lines(&raw.matchers, source)?);
    let receiver = raw.receiver.as_ref().filter(|r| !r.is_empty());
    if let Some(receiver) = receiver.filter(|r| !names.receivers.contains(r.as_str())) {
        let message = format!("undefined receiver \"{}\" used in route", receiver.value);
        let known = names.receivers.iter().map(String::as_str);
        return Err(source.at(receiver, &message).with_nearest(receiver, known));
    }
    for interval in raw.mute_time_intervals.iter().chain(&raw.active_time_intervals) {
        if !names.intervals.contains_key(interval.as_str()) {
            let message = format!("undefined time interval \"{}\" used in route", interval.value);
            let known = names.intervals.keys().map(String::as_str);
            return Err(source.at(interval, &message).with_nearest(interval, known));
        }
    }
    let nonzero = |value: &Option<Spanned<PromDuration>>, name: &str| match value {
        Some(d) if d.0 == 0 => Err(source.at(d, &format!("{name} cannot be zero"))),
        Some(d) => Ok(Some(d.0)),
        None => Ok(None),
    };
    Ok(Route {
        receiver: receiver.map(|r| r.value.clone()),
        group_by: raw.group_by.as_ref().map(|g| group_by(g, source)).transpose()?,
        continue_matching: *raw.continue_matching,
        matchers,
        group_wait: raw.group_wait.as_ref().map(|d| d.0),
        group_interval: nonzero(&raw.group_interval, "group_interval")?,
        repeat_interval: nonzero(&raw.repeat_interval, "repeat_interval")?,
        mute_time_intervals: raw.mute_time_intervals.iter().map(|n| n.value.clone()).collect(),
        active_time_intervals: raw.active_time_intervals.iter().map(|n| n.value.clone()).collect(),
        labels: Labels::from_pairs(&raw.labels),
        routes: raw.routes.iter().map(|r| route(r, names, source)).collect::<Result<_, _>>()?,
    })
}

fn group_by(raw: &Spanned<Vec<String>>, source: Source<'_>) -> Result<GroupBy, TextError> {
    let mut labels: Vec<String> = Vec::new();
    for name in &raw.value {
        if name.is_empty() {
            return Err(source.at(raw, "invalid label name \"\" in group_by list"));
        }
        if labels.contains(name) {
            return Err(source.at(raw, &format!("duplicated label \"{name}\" in group_by")));
        }
        labels.push(name.clone());
    }
    if !labels.iter().any(|l| l == "...") {
        return Ok(GroupBy::Labels(labels));
    }
    if labels.len() > 1 {
        return Err(source.at(raw, "cannot have wildcard group_by (`...`) and other labels at the same time"));
    }
    Ok(GroupBy::All)
}

/// Checks and converts an inhibition rule.
pub(crate) fn inhibit_rule(raw: &RawInhibitRule, source: Source<'_>) -> Result<InhibitRule, TextError> {
    let side = |equal, regex, matchers: &[Spanned<String>]| {
        let mut all = exact(equal, source)?;
        all.extend(anchored(regex, source)?);
        all.extend(lines(matchers, source)?);
        Ok::<_, TextError>(all)
    };
    Ok(InhibitRule {
        name: Some(raw.name.clone()).filter(|n| !n.is_empty()),
        source_matchers: side(&raw.source_match, &raw.source_match_re, &raw.source_matchers)?,
        target_matchers: side(&raw.target_match, &raw.target_match_re, &raw.target_matchers)?,
        equal: raw.equal.clone(),
    })
}

/// Checks and converts named time intervals.
pub(crate) fn intervals(
    raw: &[RawNamedInterval],
    into: &mut BTreeMap<String, Vec<TimeInterval>>,
    source: Source<'_>,
) -> Result<(), TextError> {
    for named in raw {
        if named.name.is_empty() {
            return Err(source.at(&named.name, "missing name in time interval"));
        }
        let converted = named.time_intervals.iter().map(|i| interval(i).map_err(|e| source.at(i, &e)));
        let converted = converted.collect::<Result<Vec<_>, _>>()?;
        if into.insert(named.name.value.clone(), converted).is_some() {
            return Err(source.at(&named.name, &format!("time interval \"{}\" is not unique", named.name.value)));
        }
    }
    Ok(())
}

fn interval(raw: &RawInterval) -> Result<TimeInterval, String> {
    fn all<T>(texts: &[String], parse: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
        texts.iter().map(|t| parse(t)).collect()
    }
    Ok(TimeInterval {
        times: raw.times.iter().map(|t| TimeRange::parse(&t.start_time, &t.end_time)).collect::<Result<_, _>>()?,
        weekdays: all(&raw.weekdays, InclusiveRange::parse_weekdays)?,
        days_of_month: all(&raw.days_of_month, DayRange::parse)?,
        months: all(&raw.months, InclusiveRange::parse_months)?,
        years: all(&raw.years, InclusiveRange::parse_years)?,
        location: raw.location.as_deref().map(parse_location).transpose()?,
    })
}

/// `match`: label names of the classic form only, as before UTF-8.
fn exact(raw: &Spanned<BTreeMap<String, String>>, source: Source<'_>) -> Result<Vec<Matcher>, TextError> {
    check_names(raw, source)?;
    Ok(raw.iter().map(|(name, value)| Matcher::equal(name, value)).collect())
}

/// `match_re`: the expression is anchored in its text too, as group keys show it so.
fn anchored(raw: &Spanned<BTreeMap<String, String>>, source: Source<'_>) -> Result<Vec<Matcher>, TextError> {
    check_names(raw, source)?;
    let matcher = |(name, value): (&String, &String)| {
        let value = format!("^(?:{value})$");
        Matcher::new(name, MatchOp::Regex, &value).map_err(|e| source.at(raw, &format!("error parsing regexp: {e}")))
    };
    raw.iter().map(matcher).collect()
}

fn check_names(raw: &Spanned<BTreeMap<String, String>>, source: Source<'_>) -> Result<(), TextError> {
    let classic = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    match raw.keys().find(|name| !classic(name)) {
        Some(name) => {
            let error = source.at(raw, &format!("invalid label name \"{name}\""));
            Err(error.with_hint("`matchers` takes any label name, in quotes"))
        }
        None => Ok(()),
    }
}

fn lines(raw: &[Spanned<String>], source: Source<'_>) -> Result<Vec<Matcher>, TextError> {
    let parsed = raw.iter().map(|line| parse_matchers(line).map_err(|e| source.at(line, &e.to_string())));
    Ok(parsed.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}
