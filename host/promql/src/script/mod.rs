//! The runner of Prometheus' test scripts: `load` samples, `eval` queries, compare.

mod command;
mod compare;
mod convert;
mod evaluate;
mod memory;
mod steady;

use std::fmt;

use watchglass_model::Value;

use crate::engine;
use crate::parser::ParserOptions;
use crate::series::SeriesValue;

use self::command::{Action, Command, Load, commands};

pub use self::memory::Memory;

/// How a script runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// What the parser lets through.
    pub parser: ParserOptions,
    /// How the engine evaluates.
    pub engine: engine::Options,
    /// Asks instant queries again as range queries around their time, and with `@` at other times: the answer must be the same.
    pub again: bool,
}

impl Default for Options {
    /// As Prometheus' own runner: everything on, 5 minutes lookback, 1 minute subquery step. Type and unit labels count as
    /// part of the name; that says nothing where there are none.
    fn default() -> Self {
        let engine = engine::Options {
            delayed_name_removal: true,
            start_timestamps: true,
            type_and_unit_labels: true,
            ..engine::Options::default()
        };
        Options { parser: ParserOptions::all(), engine, again: true }
    }
}

/// What came of a script.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Evaluations that gave what was expected.
    pub passed: usize,
    /// Evaluations that didn't, and commands that can't be read.
    pub failed: Vec<Failure>,
}

/// What didn't go as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The script.
    pub file: String,
    /// The line of the command, or of the part of it that can't be read; from 1.
    pub line: usize,
    /// The command.
    pub command: String,
    /// What was expected.
    pub expected: String,
    /// What was found instead.
    pub got: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { file, line, command, expected, got } = self;
        write!(f, "{file}:{line}: {command}\n    expected: {expected}\n    got:      {got}")
    }
}

/// Runs a script over samples in memory. The file's name is only for the report.
pub fn run(text: &str, file_name: &str, options: &Options) -> Report {
    let mut memory = Memory::default();
    let mut report = Report::default();
    for Command { line, text, action } in commands(text) {
        let fail =
            |line, (expected, got)| Failure { file: file_name.to_owned(), line, command: text.clone(), expected, got };
        match action {
            Err(problem) => report.failed.push(fail(problem.line, ("a command".to_owned(), problem.message))),
            Ok(Action::Clear) => memory = Memory::default(),
            Ok(Action::Load(load)) => {
                if let Err(message) = fill(&mut memory, &load) {
                    report.failed.push(fail(line, ("samples".to_owned(), message)));
                }
            }
            Ok(Action::Eval(eval)) => match evaluate::evaluate(&eval, &memory, options) {
                Ok(()) => report.passed += 1,
                Err(mismatch) => report.failed.push(fail(line, (mismatch.expected, mismatch.got))),
            },
        }
    }
    report
}

fn fill(memory: &mut Memory, load: &Load) -> Result<(), String> {
    let time = |index: usize| load.step.saturating_mul(i64::try_from(index).unwrap_or(i64::MAX));
    for series in &load.series {
        for (index, value) in series.values.iter().enumerate() {
            let value = match value {
                SeriesValue::Omitted => continue,
                SeriesValue::Float(v) => Value::Float(*v),
                SeriesValue::Histogram { histogram, .. } => Value::Histogram(histogram.clone()),
            };
            memory.append(&series.labels, time(index), value);
        }
    }
    for series in &load.starts {
        for (index, offset) in series.offsets.iter().enumerate() {
            if let Some(offset) = offset {
                let t = time(index);
                memory.set_start(&series.labels, t, t.saturating_add(*offset));
            }
        }
    }
    match load.custom_buckets {
        true => convert::classic_histograms(memory, load, time),
        false => Ok(()),
    }
}
