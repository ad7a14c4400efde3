//! promtool's unit tests of rules (`docs/configuration/unit_testing_rules.md`): series in, expected alerts and samples out.

mod check;
mod file;

use std::cell::RefCell;
use std::fmt;

use watchglass_model::{Labels, Sample, TimeMs, Value};
use watchglass_promql::ast::Expr;
use watchglass_promql::script::Memory;
use watchglass_promql::series::{SeriesValue, parse_series};
use watchglass_promql::{Cancel, ParserOptions, QueryValue, parse, query_instant};

use crate::rule::Rule;
use crate::{AlertState, Env, Group, GroupSpec, parse_rule_file};

use self::check::{Alert, AlertCheck, check_alerts, check_samples};
use self::file::{Test, UnitTests};

/// The most turns of the groups in one test: a day at one second is far below it.
const MAX_TURNS: i64 = 1_000_000;
/// Firing alerts are sent again after this long; nobody receives them here.
const RESEND_DELAY_MS: i64 = 60_000;

/// How unit tests run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What the parser lets through, in rules and in tests.
    pub parser: ParserOptions,
    /// How queries are evaluated. The subquery step is set to the file's evaluation interval.
    pub engine: watchglass_promql::Options,
}

/// What came of a file.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Each test, in order.
    pub tests: Vec<TestReport>,
    /// Why the file, or a rule file it names, can't be used. No test ran then.
    pub errors: Vec<String>,
}

impl Report {
    /// Whether everything is as expected.
    pub fn is_ok(&self) -> bool {
        self.errors.is_empty() && self.tests.iter().all(|t| t.failures.is_empty())
    }
}

impl fmt::Display for Report {
    /// What isn't as expected, under the names of the tests; nothing where all is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for error in &self.errors {
            writeln!(f, "  {error}")?;
        }
        for test in self.tests.iter().filter(|t| !t.failures.is_empty()) {
            writeln!(f, "  name: {} (line {}),", test.name, test.line)?;
            for failure in &test.failures {
                writeln!(f, "{failure}")?;
            }
        }
        Ok(())
    }
}

/// What came of a test.
#[derive(Clone, Debug, Default)]
pub struct TestReport {
    /// Its name; empty where it has none.
    pub name: String,
    /// The line where it stands.
    pub line: usize,
    /// How many expectations it has.
    pub checks: usize,
    /// What isn't as expected, each in promtool's form.
    pub failures: Vec<String>,
}

/// Gives the files that a pattern of `rule_files` names, with their texts. Patterns are relative to the test file.
pub type Load<'a> = dyn FnMut(&str) -> Result<Vec<(String, String)>, String> + 'a;

/// Runs the tests of a file.
pub fn run(text: &str, file_name: &str, load: &mut Load<'_>, options: &Options) -> Report {
    let tests = match file::parse(text, file_name) {
        Ok(tests) => tests,
        Err(errors) => return Report { errors, ..Report::default() },
    };
    let mut errors = vec![];
    let mut groups = vec![];
    for pattern in &tests.rule_files {
        match load(pattern) {
            Err(e) => errors.push(format!("{file_name}: rule_files: {pattern}: {e}")),
            Ok(files) => {
                for (name, text) in files {
                    match parse_rule_file(&text, &name, options.parser) {
                        Ok(file) => groups.extend(file.groups),
                        Err(found) => errors.extend(found.iter().map(ToString::to_string)),
                    }
                }
            }
        }
    }
    if !errors.is_empty() {
        return Report { errors, ..Report::default() };
    }
    // Groups that are named come first, in that order; the others stay in theirs.
    let place = |group: &GroupSpec| tests.group_eval_order.iter().position(|n| *n == group.name).unwrap_or(usize::MAX);
    groups.sort_by_key(place);
    let reports =
        tests.tests.iter().map(|test| Run { test, file: &tests, groups: &groups, options }.report()).collect();
    Report { tests: reports, errors: vec![] }
}

struct Run<'a> {
    test: &'a Test,
    file: &'a UnitTests,
    groups: &'a [GroupSpec],
    options: &'a Options,
}

impl Run<'_> {
    fn report(&self) -> TestReport {
        let test = self.test;
        let checks = test.alerts.len() + test.exprs.len();
        let failures = self.failures().unwrap_or_else(|e| vec![e]);
        TestReport { name: test.name.clone(), line: test.line, checks, failures }
    }

    fn failures(&self) -> Result<Vec<String>, String> {
        let (start, interval) = (self.test.start, self.file.evaluation_interval);
        let last = self.test.last_time();
        if last / interval >= MAX_TURNS {
            return Err(format!("more than {MAX_TURNS} evaluations; hint: a longer evaluation_interval"));
        }
        let mut waiting = self.samples()?.into_iter().peekable();
        let memory = RefCell::new(Memory::default());
        let mut groups: Vec<Group> =
            self.groups.iter().map(|g| Group::new(g.clone(), self.test.interval, 0, RESEND_DELAY_MS)).collect();
        groups.iter_mut().for_each(Group::set_restored);
        let mut failures = vec![];
        for turn in 0..=last / interval {
            let now = start + turn * interval;
            while let Some(sample) = waiting.next_if(|s| s.t <= now) {
                memory.borrow_mut().append(&sample.labels, sample.t, sample.value);
            }
            let errors = self.turn(&mut groups, now, &memory);
            if !errors.is_empty() {
                failures.extend(errors);
                return Ok(failures);
            }
            for check in self.test.alerts.iter().filter(|c| c.at / interval == turn) {
                failures.extend(check_alerts(check, &firing(&groups, check)));
            }
        }
        for sample in waiting {
            memory.borrow_mut().append(&sample.labels, sample.t, sample.value);
        }
        for check in &self.test.exprs {
            let found = parse(&check.expr, self.options.parser)
                .map_err(|e| e.to_string())
                .and_then(|expr| self.query(&memory.borrow(), &check.expr, &expr, start + check.at));
            match found {
                Ok(samples) => failures.extend(check_samples(check, samples, self.file.fuzzy_compare)),
                Err(e) => {
                    failures.push(format!("    expr: {:?}, time: {}, err: {e}", check.expr, check::time(check.at)))
                }
            }
        }
        Ok(failures)
    }

    /// The test's samples by time.
    fn samples(&self) -> Result<Vec<Sample>, String> {
        let mut samples = vec![];
        for input in &self.test.series {
            let line = format!("{} {}", input.series, input.values);
            let series = parse_series(&line).map_err(|e| format!("{}: {e}", input.series))?;
            for (step, value) in series.values.into_iter().enumerate() {
                let value = match value {
                    SeriesValue::Omitted => continue,
                    SeriesValue::Float(v) => Value::Float(v),
                    SeriesValue::Histogram { histogram, .. } => Value::Histogram(histogram),
                };
                let step = i64::try_from(step).unwrap_or(i64::MAX);
                let t = self.test.start.saturating_add(self.test.interval.saturating_mul(step));
                samples.push(Sample { labels: series.labels.clone(), t, value });
            }
        }
        samples.sort_by_key(|s| s.t);
        Ok(samples)
    }

    /// Evaluates every group; gives the errors of their rules.
    fn turn(&self, groups: &mut [Group], now: TimeMs, memory: &RefCell<Memory>) -> Vec<String> {
        let mut query = |text: &str, expr: &Expr, at| self.query(&memory.borrow(), text, expr, at);
        let mut query_text = |text: &str, at| {
            let expr = parse(text, self.options.parser).map_err(|e| e.to_string())?;
            self.query(&memory.borrow(), text, &expr, at)
        };
        let mut append = |batch: watchglass_model::SampleBatch| {
            for sample in batch.samples {
                memory.borrow_mut().append(&sample.labels, sample.t, sample.value);
            }
        };
        let mut env = Env {
            query: &mut query,
            query_text: &mut query_text,
            append: &mut append,
            external_labels: &self.test.external_labels,
            external_url: &self.test.external_url,
        };
        let mut errors = vec![];
        for group in groups {
            group.evaluate(now, &mut env, &|| std::time::Duration::ZERO);
            for (rule, status) in group.rules().filter(|(_, status)| !status.last_error.is_empty()) {
                let (name, at) = (rule.spec().name(), check::time(now - self.test.start));
                errors.push(format!("    rule: {name}, time: {at}, err: {}", status.last_error));
            }
        }
        errors
    }

    fn query(&self, memory: &Memory, text: &str, expr: &Expr, at: TimeMs) -> Result<Vec<Sample>, String> {
        let engine = watchglass_promql::Options {
            subquery_step_ms: self.file.evaluation_interval,
            ..self.options.engine.clone()
        };
        let result = query_instant(memory, text, expr, at, &engine, &Cancel::default()).map_err(|e| e.to_string())?;
        match result.value {
            QueryValue::Vector(samples) => Ok(samples),
            QueryValue::Scalar(point) => {
                Ok(vec![Sample { labels: Labels::empty(), t: point.t, value: Value::Float(point.v) }])
            }
            QueryValue::String(..) | QueryValue::Matrix(_) => Err("rule result is not a vector or scalar".to_owned()),
        }
    }
}

/// The firing alerts of all rules with the check's name.
fn firing(groups: &[Group], check: &AlertCheck) -> Vec<Alert> {
    let rules = groups.iter().flat_map(Group::rules).filter_map(|(rule, _)| match rule {
        Rule::Alerting(rule) if rule.spec().name() == check.alertname => Some(rule),
        _ => None,
    });
    rules
        .flat_map(|rule| rule.alerts().filter(|a| a.state == AlertState::Firing))
        .map(|a| Alert { labels: a.labels.clone(), annotations: a.annotations.clone() })
        .collect()
}
