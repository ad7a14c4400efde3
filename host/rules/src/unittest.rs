//! promtool's unit tests of rules (`docs/configuration/unit_testing_rules.md`): series in, expected alerts and samples out.

mod check;
mod file;

use std::cell::RefCell;
use std::fmt;

use watchglass_model::{Sample, SeriesData, TimeMs, Value};
use watchglass_promql::script::Memory;
use watchglass_promql::series::{SeriesValue, parse_series};
use watchglass_promql::{Cancel, ParserOptions, Select, Source, SourceError, parse};

use crate::rule::Rule;
use crate::{AlertState, Env, Group, GroupSpec, Queries, Timing, parse_rule_file};

use self::check::{Alert, AlertCheck, check_alerts, check_samples};
use self::file::{Test, UnitTests};

/// The most turns of the groups in one test: a day at one second is far below it.
const MAX_TURNS: i64 = 1_000_000;

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

/// Gives groups of rules that no file holds, those of plugins, as new: each test begins with a set of its own.
pub type External<'a> = dyn Fn() -> Vec<Group> + 'a;

/// Runs the tests of a file. The groups of `external` have their turns after those of the rule files, and their alerts are checked alike.
pub fn run(text: &str, file_name: &str, load: &mut Load<'_>, external: &External<'_>, options: &Options) -> Report {
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
    let reports = tests
        .tests
        .iter()
        .map(|test| Run { test, file: &tests, groups: &groups, external, options }.report())
        .collect();
    Report { tests: reports, errors: vec![] }
}

struct Run<'a> {
    test: &'a Test,
    file: &'a UnitTests,
    groups: &'a [GroupSpec],
    external: &'a External<'a>,
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
        let memory = Shared(RefCell::new(Memory::default()));
        let mut groups: Vec<Group> =
            self.groups.iter().map(|g| Group::new(g.clone(), self.test.interval, 0, Timing::default())).collect();
        groups.extend((self.external)());
        groups.iter_mut().for_each(Group::set_restored);
        let mut failures = vec![];
        for turn in 0..=last / interval {
            let now = start + turn * interval;
            while let Some(sample) = waiting.next_if(|s| s.t <= now) {
                memory.0.borrow_mut().append(&sample.labels, sample.t, sample.value);
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
            memory.0.borrow_mut().append(&sample.labels, sample.t, sample.value);
        }
        for check in &self.test.exprs {
            let found = parse(&check.expr, self.options.parser)
                .map_err(|e| e.to_string())
                .and_then(|expr| self.queries(&memory, |q| q.instant(&check.expr, &expr, start + check.at)));
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
    fn turn(&self, groups: &mut [Group], now: TimeMs, memory: &Shared) -> Vec<String> {
        let mut append = |batch: watchglass_model::SampleBatch| {
            for sample in batch.samples {
                memory.0.borrow_mut().append(&sample.labels, sample.t, sample.value);
            }
        };
        let mut errors = vec![];
        for group in groups {
            self.queries(memory, |queries| {
                let env = Env {
                    queries: *queries,
                    external_labels: &self.test.external_labels,
                    external_url: &self.test.external_url,
                };
                group.evaluate(now, &env, &mut append, &|| std::time::Duration::ZERO)
            });
            for (rule, status) in group.rules().filter(|(_, status)| !status.last_error.is_empty()) {
                let (name, at) = (rule.spec().name(), check::time(now - self.test.start));
                errors.push(format!("    rule: {name}, time: {at}, err: {}", status.last_error));
            }
        }
        errors
    }

    /// Asks of the memory, as the file and the options say.
    fn queries<T>(&self, memory: &Shared, ask: impl FnOnce(&Queries<'_>) -> T) -> T {
        let engine = watchglass_promql::Options {
            subquery_step_ms: self.file.evaluation_interval,
            ..self.options.engine.clone()
        };
        let cancel = Cancel::default();
        ask(&Queries { source: memory, engine: &engine, parser: self.options.parser, cancel: &cancel })
    }
}

/// A memory that is written between two queries.
struct Shared(RefCell<Memory>);

impl Source for Shared {
    fn select(&self, what: &Select<'_>, cancel: &Cancel) -> Result<Vec<SeriesData>, SourceError> {
        self.0.borrow().select(what, cancel)
    }
}

/// The firing alerts of all rules with the check's name.
fn firing(groups: &[Group], check: &AlertCheck) -> Vec<Alert> {
    let rules = groups.iter().flat_map(Group::rules).filter_map(|(rule, _)| match rule {
        Rule::Alerting(rule) => Some(rule),
        Rule::Recording(_) => None,
    });
    // By the alert's name, not the rule's: a plugin's alerts have names of their own.
    rules
        .flat_map(|rule| rule.alerts().filter(|a| a.state == AlertState::Firing))
        .filter(|a| a.labels.value("alertname") == check.alertname)
        .map(|a| Alert { labels: a.labels.clone(), annotations: a.annotations.clone() })
        .collect()
}
