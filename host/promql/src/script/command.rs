//! The commands of a script.

use watchglass_model::{DurationMs, TimeMs, go_regex};

use crate::series::{SeriesLine, StartLine, is_start_line, parse_series, parse_starts};

/// A command and the line it stands on, from 1.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) line: usize,
    /// Its first line.
    pub(super) text: String,
    /// What it says, or why it can't be read.
    pub(super) action: Result<Action, Problem>,
}

/// Why a command can't be read.
#[derive(Debug)]
pub(super) struct Problem {
    /// The line at fault.
    pub(super) line: usize,
    /// What is wrong.
    pub(super) message: String,
}

#[derive(Debug)]
pub(super) enum Action {
    Clear,
    Load(Load),
    Eval(Eval),
}

#[derive(Debug, Default)]
pub(super) struct Load {
    /// Milliseconds between two values.
    pub(super) step: i64,
    /// `load_with_nhcb`
    pub(super) custom_buckets: bool,
    pub(super) series: Vec<SeriesLine>,
    pub(super) starts: Vec<StartLine>,
}

#[derive(Debug)]
pub(super) struct Eval {
    pub(super) when: When,
    pub(super) query: String,
    pub(super) expects: Vec<Expect>,
    /// What a query for a number should give.
    pub(super) number: Option<f64>,
    pub(super) series: Vec<SeriesLine>,
}

/// Times in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum When {
    At(TimeMs),
    Range { start: TimeMs, end: TimeMs, step: i64 },
}

#[derive(Debug)]
pub(super) enum Expect {
    Fail(Pattern),
    Warn(Pattern),
    Info(Pattern),
    NoWarn,
    NoInfo,
    Ordered,
    Text(String),
    RangeVector { start: TimeMs, end: TimeMs, step: i64 },
}

/// What a message should be.
#[derive(Debug)]
pub(super) enum Pattern {
    Any,
    Exactly(String),
    Regex(regex::Regex),
}

impl Pattern {
    pub(super) fn matches(&self, message: &str) -> bool {
        match self {
            Pattern::Any => true,
            // Texts may stand in quotes.
            Pattern::Exactly(text) => text == message || unquoted(text) == Some(message),
            Pattern::Regex(regex) => regex.is_match(message),
        }
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Pattern::Any => f.write_str("any"),
            Pattern::Exactly(text) => f.write_str(text),
            Pattern::Regex(regex) => write!(f, "/{regex}/"),
        }
    }
}

fn unquoted(text: &str) -> Option<&str> {
    text.strip_prefix('"')?.strip_suffix('"')
}

/// Splits a script into its commands. A block ends at an empty line, or where the next command begins.
pub(super) fn commands(text: &str) -> Vec<Command> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let mut found = vec![];
    let mut at = 0;
    while at < lines.len() {
        let (first, line) = (lines[at], at + 1);
        at += 1;
        if first.is_empty() || first.starts_with('#') {
            continue;
        }
        let mut block = vec![];
        if first != "clear" {
            while at < lines.len() && !lines[at].is_empty() && !begins_command(lines[at]) {
                if !lines[at].starts_with('#') {
                    block.push((at + 1, lines[at]));
                }
                at += 1;
            }
        }
        let action = command(line, first, &block);
        found.push(Command { line, text: first.to_owned(), action });
    }
    found
}

/// Whether a line inside a block is none of its own but the next command. `load` and `clear` are also names of metrics.
fn begins_command(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().take(3).collect();
    match words.as_slice() {
        ["clear"] => true,
        [load, step] if load.starts_with("load") => DurationMs::parse(step).is_ok() && step.parse::<f64>().is_err(),
        [eval, kind, ..] if eval.starts_with("eval") => matches!(*kind, "instant" | "range"),
        _ => false,
    }
}

fn command(line: usize, first: &str, block: &[(usize, &str)]) -> Result<Action, Problem> {
    let problem = |message: String| Problem { line, message };
    let (word, rest) = split_word(first);
    match word {
        "clear" if rest.is_empty() => Ok(Action::Clear),
        "load" | "load_with_nhcb" => {
            let step = time(rest).map_err(problem)?;
            let mut load = Load { step, custom_buckets: word == "load_with_nhcb", ..Load::default() };
            for (line, text) in block {
                let read = match is_start_line(text) {
                    true => parse_starts(text).map(|s| load.starts.push(s)),
                    false => parse_series(text).map(|s| load.series.push(s)),
                };
                read.map_err(|e| Problem { line: *line, message: e.to_string() })?;
            }
            Ok(Action::Load(load))
        }
        "eval" | "eval_fail" | "eval_warn" | "eval_info" | "eval_ordered" => {
            let (when, query) = when(rest).map_err(problem)?;
            let mut eval = Eval { when, query: query.to_owned(), expects: vec![], number: None, series: vec![] };
            match word {
                "eval_fail" => eval.expects.push(Expect::Fail(Pattern::Any)),
                "eval_warn" => eval.expects.push(Expect::Warn(Pattern::Any)),
                "eval_info" => eval.expects.push(Expect::Info(Pattern::Any)),
                "eval_ordered" => eval.expects.push(Expect::Ordered),
                _ => {}
            }
            for (line, text) in block {
                expectation(&mut eval, text).map_err(|message| Problem { line: *line, message })?;
            }
            Ok(Action::Eval(eval))
        }
        _ => Err(problem(format!("unknown command `{word}`; known are load, load_with_nhcb, clear, eval"))),
    }
}

fn split_word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim())
}

/// `instant at 5m <query>` or `range from 0 to 1h step 5m <query>`.
fn when(text: &str) -> Result<(When, &str), String> {
    let (kind, rest) = split_word(text);
    match kind {
        "instant" => {
            let Some(rest) = rest.strip_prefix("at").filter(|r| r.starts_with(char::is_whitespace)) else {
                return Ok((When::At(0), rest));
            };
            let (at, query) = split_word(rest.trim());
            Ok((When::At(time(at)?), query))
        }
        "range" => {
            let (start, rest) = labelled(rest, "from")?;
            let (end, rest) = labelled(rest, "to")?;
            let (step, query) = labelled(rest, "step")?;
            if step <= 0 {
                return Err("the step must be positive".to_owned());
            }
            if end < start {
                return Err("the end lies before the start".to_owned());
            }
            Ok((When::Range { start, end, step }, query))
        }
        other => Err(format!("unknown kind of evaluation `{other}`; known are instant and range")),
    }
}

fn labelled<'a>(text: &'a str, word: &str) -> Result<(i64, &'a str), String> {
    let (found, rest) = split_word(text);
    if found != word {
        return Err(format!("found `{found}`, expected `{word}`"));
    }
    let (value, rest) = split_word(rest);
    Ok((time(value)?, rest))
}

/// A time or step: a duration, negative too, or seconds.
fn time(text: &str) -> Result<i64, String> {
    if let Ok(seconds) = text.parse::<f64>()
        && seconds.is_finite()
    {
        return Ok((seconds * 1000.0).round() as i64);
    }
    DurationMs::parse_signed(text).map(DurationMs::millis).map_err(|e| e.to_string())
}

fn expectation(eval: &mut Eval, text: &str) -> Result<(), String> {
    let (word, rest) = split_word(text);
    let expect = match word {
        "expect" => expect(rest)?,
        "expected_fail_message" => replace_fail(eval, Pattern::Exactly(rest.to_owned())),
        "expected_fail_regexp" => replace_fail(eval, regex(rest)?),
        _ if rest.is_empty() && number(text).is_some() => {
            eval.number = number(text);
            return Ok(());
        }
        _ => {
            eval.series.push(parse_series(text).map_err(|e| e.to_string())?);
            return Ok(());
        }
    };
    eval.expects.push(expect);
    Ok(())
}

/// The old `eval_fail` says nothing of the message; what follows does.
fn replace_fail(eval: &mut Eval, pattern: Pattern) -> Expect {
    eval.expects.retain(|e| !matches!(e, Expect::Fail(Pattern::Any)));
    Expect::Fail(pattern)
}

fn number(text: &str) -> Option<f64> {
    crate::parser::parse_number(text).ok()
}

fn expect(text: &str) -> Result<Expect, String> {
    let (kind, rest) = split_word(text);
    let plain = |expect: Expect| match rest.is_empty() {
        true => Ok(expect),
        false => Err(format!("`expect {kind}` takes nothing behind it, found `{rest}`")),
    };
    match kind {
        "fail" => pattern(rest).map(Expect::Fail),
        "warn" => pattern(rest).map(Expect::Warn),
        "info" => pattern(rest).map(Expect::Info),
        "no_warn" => plain(Expect::NoWarn),
        "no_info" => plain(Expect::NoInfo),
        "ordered" => plain(Expect::Ordered),
        "string" => crate::parser::parse_string(rest).map(Expect::Text),
        "range" => {
            let (vector, rest) = split_word(rest);
            if vector != "vector" {
                return Err(format!("found `range {vector}`, expected `range vector`"));
            }
            let (start, rest) = labelled(rest, "from")?;
            let (end, rest) = labelled(rest, "to")?;
            let (step, rest) = labelled(rest, "step")?;
            match rest.is_empty() && step > 0 {
                true => Ok(Expect::RangeVector { start, end, step }),
                false => Err("expected `range vector from <start> to <end> step <step>`".to_owned()),
            }
        }
        other => Err(format!(
            "unknown expectation `{other}`; known are fail, warn, info, no_warn, no_info, ordered, string, range vector"
        )),
    }
}

fn pattern(text: &str) -> Result<Pattern, String> {
    if text.is_empty() {
        Ok(Pattern::Any)
    } else if let Some(message) = text.strip_prefix("msg:") {
        Ok(Pattern::Exactly(message.trim().to_owned()))
    } else if let Some(pattern) = text.strip_prefix("regex:") {
        regex(pattern.trim())
    } else {
        Err(format!("found `{text}`, expected `msg:` or `regex:`"))
    }
}

fn regex(text: &str) -> Result<Pattern, String> {
    go_regex(unquoted(text).unwrap_or(text)).map(Pattern::Regex).map_err(|e| e.to_string())
}
