//! Rule files: Prometheus' YAML, every key, with its checks and close to its words.

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;
use watchglass_model::{DurationMs, Labels, METRIC_NAME};
use watchglass_promql::{ParserOptions, parse};
use watchglass_text::{Spanned, TextError, yaml};

use crate::rule::{GroupSpec, RuleKind, RuleSpec};
use crate::template;

/// A rule file's content.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleFile {
    /// Its groups, in order.
    pub groups: Vec<GroupSpec>,
    /// What is no error but should be known.
    pub warnings: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileYaml {
    #[serde(default)]
    groups: Vec<GroupYaml>,
}

type Map = BTreeMap<String, Spanned<String>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupYaml {
    #[serde(default)]
    name: Spanned<String>,
    interval: Option<Spanned<String>>,
    query_offset: Option<Spanned<String>>,
    #[serde(default)]
    limit: Spanned<i64>,
    #[serde(default)]
    labels: Map,
    #[serde(default)]
    rules: Vec<Spanned<RuleYaml>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleYaml {
    #[serde(default)]
    record: Spanned<String>,
    #[serde(default)]
    alert: Spanned<String>,
    #[serde(default)]
    expr: Spanned<String>,
    r#for: Option<Spanned<String>>,
    keep_firing_for: Option<Spanned<String>>,
    #[serde(default)]
    labels: Map,
    #[serde(default)]
    annotations: Map,
}

/// Reads a rule file. All errors that are not of the YAML itself are given at once, each with its place.
///
/// As Prometheus does, only the first document of a file is read; a warning says so where there are more.
pub fn parse_rule_file(text: &str, file: &str, options: ParserOptions) -> Result<RuleFile, Vec<TextError>> {
    let first = first_document(text);
    let read: FileYaml = yaml::from_str(first, file).map_err(|e| vec![e])?;
    let mut reader = Reader { text, file, options, errors: vec![] };
    let mut names = HashSet::new();
    let mut groups = vec![];
    for group in read.groups {
        if group.name.is_empty() {
            reader.error(&group.name, "Groupname must not be empty");
        } else if !names.insert(group.name.value.clone()) {
            reader.error(&group.name, format!("groupname: \"{}\" is repeated in the same file", *group.name));
        }
        groups.push(reader.group(group));
    }
    if !reader.errors.is_empty() {
        return Err(reader.errors);
    }
    let mut warnings = vec![];
    if first.len() < text.len() && !text[first.len()..].trim().trim_start_matches("---").trim().is_empty() {
        warnings.push(format!("{file}: only the first YAML document of a rule file is read; there are more"));
    }
    Ok(RuleFile { groups, warnings })
}

/// The text up to where a second document begins.
fn first_document(text: &str) -> &str {
    let (mut at, mut content) = (0, false);
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end();
        let marker = bare == "---" || bare.starts_with("--- ");
        if marker && content {
            return &text[..at];
        }
        content |= !marker && !bare.is_empty() && !bare.trim_start().starts_with(['#', '%']);
        at += line.len();
    }
    text
}

struct Reader<'a> {
    text: &'a str,
    file: &'a str,
    options: ParserOptions,
    errors: Vec<TextError>,
}

impl Reader<'_> {
    fn error<T>(&mut self, place: &Spanned<T>, message: impl Into<String>) {
        self.errors.push(place.error(self.file, self.text, message));
    }

    fn group(&mut self, group: GroupYaml) -> GroupSpec {
        let name = group.name.value.clone();
        for label in &group.labels {
            self.label(&format!("group \"{name}\": "), label);
        }
        if *group.limit < 0 {
            self.error(&group.limit, format!("group \"{name}\": limit is {}; it must not be negative", *group.limit));
        }
        let interval = self.duration(group.interval.as_ref(), &format!("group \"{name}\": interval"));
        let query_offset = self.duration(group.query_offset.as_ref(), &format!("group \"{name}\": query_offset"));
        let labels = plain(&group.labels);
        let rules = group.rules.into_iter().enumerate();
        let rules: Vec<RuleSpec> = rules.filter_map(|(i, rule)| self.rule(&name, i + 1, rule, &labels)).collect();
        GroupSpec {
            name,
            file: self.file.to_owned(),
            // As in Prometheus zero means the global one.
            interval: interval.filter(|ms| *ms > 0),
            query_offset,
            limit: usize::try_from(*group.limit).unwrap_or(0),
            labels,
            rules,
        }
    }

    fn duration(&mut self, text: Option<&Spanned<String>>, what: &str) -> Option<i64> {
        let text = text?;
        match DurationMs::parse(text) {
            Ok(duration) => Some(duration.millis()),
            Err(e) => {
                self.error(text, format!("{what}: {e}"));
                None
            }
        }
    }

    /// Checks a label's name: any text but the empty one and the metric name's.
    fn label(&mut self, context: &str, (name, value): (&String, &Spanned<String>)) {
        if name.is_empty() || name == METRIC_NAME {
            self.error(value, format!("{context}invalid label name: {name}"));
        }
    }

    fn rule(&mut self, group: &str, number: usize, rule: Spanned<RuleYaml>, inherited: &Labels) -> Option<RuleSpec> {
        let errors_before = self.errors.len();
        let name = if rule.record.is_empty() { &rule.alert } else { &rule.record };
        let context = format!("group \"{group}\", rule {number}, {}: ", watchglass_text::gofmt::quote(name, false));
        match (rule.record.is_empty(), rule.alert.is_empty()) {
            (false, false) => {
                self.error(&rule.record, format!("{context}only one of 'record' and 'alert' must be set"));
            }
            (true, true) => self.error(&rule, format!("{context}one of 'record' or 'alert' must be set")),
            _ => {}
        }
        let expr = self.expr(&context, &rule);
        let record = !rule.record.is_empty();
        if record {
            self.recording(&context, &rule);
        }
        for label in &rule.labels {
            self.label(&context, label);
        }
        for (name, value) in &rule.annotations {
            if name.is_empty() {
                self.error(value, format!("{context}invalid annotation name: {name}"));
            }
        }
        if !record && !rule.alert.is_empty() {
            let labels = rule.labels.iter().map(|pair| ("label", pair));
            for (kind, (name, value)) in labels.chain(rule.annotations.iter().map(|pair| ("annotation", pair))) {
                if let Err(e) = template::check(&format!("__alert_{}", *rule.alert), value) {
                    self.error(value, format!("{context}{kind} \"{name}\": {e}"));
                }
            }
        }
        let hold_ms = self.duration(rule.r#for.as_ref(), &format!("{context}for"));
        let keep_firing_ms = self.duration(rule.keep_firing_for.as_ref(), &format!("{context}keep_firing_for"));
        if self.errors.len() > errors_before {
            return None;
        }
        let kind = match record {
            true => RuleKind::Recording { record: rule.record.value.clone() },
            false => RuleKind::Alerting {
                alert: rule.alert.value.clone(),
                hold_ms: hold_ms.unwrap_or(0),
                keep_firing_ms: keep_firing_ms.unwrap_or(0),
                annotations: plain(&rule.annotations),
            },
        };
        let own = plain(&rule.labels);
        let labels = Labels::from_pairs(inherited.iter().chain(own.iter()));
        Some(RuleSpec { kind, expr_text: rule.expr.value.clone(), expr: expr?, labels })
    }

    fn expr(&mut self, context: &str, rule: &Spanned<RuleYaml>) -> Option<watchglass_promql::ast::Expr> {
        if rule.expr.is_empty() {
            self.error(rule, format!("{context}field 'expr' must be set in rule"));
            return None;
        }
        match parse(&rule.expr, self.options) {
            Ok(expr) => Some(expr),
            Err(e) => {
                self.error(&rule.expr, format!("{context}could not parse expression: {e}"));
                None
            }
        }
    }

    /// What a recording rule can't have.
    fn recording(&mut self, context: &str, rule: &RuleYaml) {
        if let Some(first) = rule.annotations.values().next() {
            self.error(first, format!("{context}invalid field 'annotations' in recording rule"));
        }
        for (key, value) in [("for", &rule.r#for), ("keep_firing_for", &rule.keep_firing_for)] {
            if let Some(value) = value
                && DurationMs::parse(value).is_ok_and(|d| d.millis() != 0)
            {
                self.error(value, format!("{context}invalid field '{key}' in recording rule"));
            }
        }
        if rule.record.contains(['{', '}']) {
            let message =
                format!("{context}braces present in the recording rule name; should it be in expr?: {}", *rule.record);
            self.error(&rule.record, message);
        }
    }
}

fn plain(map: &Map) -> Labels {
    map.iter().map(|(name, value)| (name, value.as_str())).collect()
}
