//! What an operator may set.

use std::collections::BTreeMap;

use serde::Deserialize;
use watchglass_sdk::prelude::*;
use watchglass_sdk::{Duration, Json};

/// What an operator may write under `[rule_plugin.config]`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What to look at.
    pub check: Vec<Check>,
}

/// Which way is unusual.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// More than usual.
    Up,
    /// Less than usual.
    Down,
    /// Either.
    #[default]
    Both,
}

/// An expression whose value is compared with what it was at the same hour of past days.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Check {
    /// The alert's name.
    pub name: String,
    /// PromQL: an instant vector, each series of which is judged by itself.
    pub expr: String,
    /// Which way is unusual.
    pub direction: Direction,
    /// How many days to compare with.
    pub days: u32,
    /// With fewer of them nothing is said.
    pub min_days: usize,
    /// A day; a week compares with the same hour of the same weekday.
    pub period: Duration,
    /// The stretch of a past day, around this hour, whose mean counts.
    pub window: Duration,
    /// It fires at this many times the usual spread ...
    pub threshold: f64,
    /// ... and is over below this many; none: three quarters of `threshold`.
    pub clear: Option<f64>,
    /// The spread is taken for at least this share of the usual value: days that were all alike would make a trifle unusual.
    pub tolerance: f64,
    /// A difference smaller than this never counts.
    pub min_change: f64,
    /// The `severity` label.
    pub severity: String,
    /// How long it must be so before it fires.
    #[serde(rename = "for")]
    pub hold: Duration,
    /// More labels.
    pub labels: BTreeMap<String, String>,
    /// More annotations.
    pub annotations: BTreeMap<String, String>,
}

const MINUTE: u64 = 60_000;

impl Default for Check {
    fn default() -> Check {
        Check {
            name: String::new(),
            expr: String::new(),
            direction: Direction::Both,
            days: 7,
            min_days: 4,
            period: Duration { ms: 24 * 60 * MINUTE },
            window: Duration { ms: 60 * MINUTE },
            threshold: 4.0,
            clear: None,
            tolerance: 0.05,
            min_change: 0.0,
            severity: "warning".to_owned(),
            hold: Duration { ms: 10 * MINUTE },
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
        }
    }
}

/// The most checks: each is two inputs of the hundred that a rule may have.
const MAX_CHECKS: usize = 50;

/// Points of a past day's stretch.
const POINTS: u64 = 12;

impl Config {
    /// Reads the config; all that is wrong at once.
    pub fn decode(json: &Json) -> Result<Config, Vec<Problem>> {
        let config: Config = config::decode(json)?;
        let mut problems = Vec::new();
        if config.check.is_empty() || config.check.len() > MAX_CHECKS {
            let count = config.check.len();
            problems.push(Problem::at("check", format!("{count} checks; allowed are 1 to {MAX_CHECKS}")));
        }
        for (i, check) in config.check.iter().enumerate() {
            let twice = config.check[..i].iter().any(|c| c.name == check.name);
            let told = check.problems(twice);
            problems.extend(told.into_iter().map(|(key, message)| Problem::at(format!("check[{i}].{key}"), message)));
        }
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }
}

impl Check {
    fn problems(&self, twice: bool) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let mut check = |ok: bool, key, message: String| {
            if !ok {
                problems.push((key, message));
            }
        };
        check(!self.name.is_empty(), "name", "must not be empty".to_owned());
        check(!twice, "name", format!("`{}` is there twice", self.name));
        check(!self.expr.trim().is_empty(), "expr", "must not be empty".to_owned());
        check(self.min_days >= 2, "min_days", format!("is {}; a spread needs 2", self.min_days));
        check(
            self.min_days <= self.days as usize,
            "min_days",
            format!("is {}, but days is {}", self.min_days, self.days),
        );
        check(self.window.ms >= POINTS * 1000, "window", format!("is {}; it must be {POINTS}s at least", self.window));
        check(
            self.window <= self.period,
            "window",
            format!("is {}, longer than the period of {}", self.window, self.period),
        );
        let span = self.period.ms.checked_mul(u64::from(self.days)).and_then(|ms| u32::try_from(ms).ok());
        check(span.is_some(), "days", format!("{} times {}; allowed are 49 days", self.days, self.period));
        check(self.threshold > 0.0, "threshold", format!("is {}; it must be greater than 0", self.threshold));
        check(
            (0.0..=self.threshold).contains(&self.clear()),
            "clear",
            format!("is {}; allowed is 0 to the threshold of {}", self.clear(), self.threshold),
        );
        check(self.tolerance >= 0.0, "tolerance", format!("is {}; it must not be negative", self.tolerance));
        check(self.min_change >= 0.0, "min_change", format!("is {}; it must not be negative", self.min_change));
        check(u32::try_from(self.hold.ms).is_ok(), "for", format!("is {}; allowed are 49 days", self.hold));
        problems
    }

    /// Where it is over.
    pub fn clear(&self) -> f64 {
        self.clear.unwrap_or(self.threshold * 0.75)
    }

    /// What to ask: the value now, and for each past day the mean around this hour.
    ///
    /// A subquery may lie in the future of the step that it is evaluated at only by its offset, so the range is one of the days themselves, each step looking back
    /// one period less half of the window.
    pub(crate) fn inputs(&self) -> [Input; 2] {
        let offset = self.period.ms - self.window.ms / 2;
        let past = format!(
            "avg_over_time(({})[{}ms:{}ms] offset {offset}ms)",
            self.expr,
            self.window.ms,
            self.window.ms / POINTS
        );
        let period = u32::try_from(self.period.ms).unwrap_or(u32::MAX);
        let range = period.saturating_mul(self.days.saturating_sub(1));
        // A range of nothing would be an instant query, which is what one day comes to.
        [Input::instant(&self.name, &self.expr), Input::range(&format!("{} before", self.name), &past, range, period)]
    }
}

/// The JSON schema of [`Config`].
pub(crate) const SCHEMA: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "required": ["check"],
  "properties": {
    "check": {
      "type": "array", "minItems": 1, "maxItems": 50,
      "items": {
        "type": "object", "additionalProperties": false, "required": ["name", "expr"],
        "properties": {
          "name": {"type": "string", "minLength": 1, "description": "the alert's name"},
          "expr": {"type": "string", "minLength": 1, "description": "PromQL"},
          "direction": {"enum": ["up", "down", "both"], "default": "both"},
          "days": {"type": "integer", "minimum": 2, "maximum": 49, "default": 7},
          "min_days": {"type": "integer", "minimum": 2, "default": 4},
          "period": {"type": "string", "default": "1d", "description": "1w compares with the same weekday"},
          "window": {"type": "string", "default": "1h"},
          "threshold": {"type": "number", "exclusiveMinimum": 0, "default": 4},
          "clear": {"type": "number", "minimum": 0, "description": "default: three quarters of threshold"},
          "tolerance": {"type": "number", "minimum": 0, "default": 0.05},
          "min_change": {"type": "number", "minimum": 0, "default": 0},
          "severity": {"type": "string", "default": "warning"},
          "for": {"type": "string", "default": "10m"},
          "labels": {"type": "object", "additionalProperties": {"type": "string"}},
          "annotations": {"type": "object", "additionalProperties": {"type": "string"}}
        }
      }
    }
  }
}"#;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn little_is_needed() {
        let config = Config::decode(&json!({"check": [{"name": "A", "expr": "x"}]})).unwrap();
        let expected = Check { name: "A".to_owned(), expr: "x".to_owned(), ..Check::default() };
        assert_eq!(config.check, [expected]);
        serde_json::from_str::<Json>(SCHEMA).unwrap();
    }

    #[test]
    fn problems_name_their_place() {
        for (check, path) in [
            (json!({"name": ""}), "check[1].name"),
            (json!({"name": "A"}), "check[1].name"),
            (json!({"expr": " "}), "check[1].expr"),
            (json!({"min_days": 1}), "check[1].min_days"),
            (json!({"min_days": 8}), "check[1].min_days"),
            (json!({"window": "2d"}), "check[1].window"),
            (json!({"window": "1s"}), "check[1].window"),
            (json!({"period": "1w", "days": 8}), "check[1].days"),
            (json!({"threshold": 0}), "check[1].threshold"),
            (json!({"clear": 5}), "check[1].clear"),
            (json!({"direction": "left"}), "check[1].direction"),
            (json!({"sigma": 3}), "check[1].sigma"),
        ] {
            let mut second = json!({"name": "B", "expr": "y"});
            second.as_object_mut().unwrap().extend(check.as_object().unwrap().clone());
            let problems = Config::decode(&json!({"check": [{"name": "A", "expr": "x"}, second]})).unwrap_err();
            assert!(problems.iter().any(|p| p.path == path), "{check}: {problems:?}");
        }
        assert_eq!(Config::decode(&json!({})).unwrap_err()[0].path, "check");
    }

    #[test]
    fn past_days_are_asked_for_around_this_hour() {
        let check = Check { name: "A".to_owned(), expr: "sum(x)".to_owned(), ..Check::default() };
        let [now, past] = check.inputs();
        assert_eq!((now.expr.as_str(), now.range_ms), ("sum(x)", 0));
        // From half an hour before until half an hour after: 23 h 30 m back, and an hour from there.
        assert_eq!(past.expr, "avg_over_time((sum(x))[3600000ms:300000ms] offset 84600000ms)");
        assert_eq!((past.range_ms, past.step_ms), (6 * 86_400_000, 86_400_000));
    }
}
