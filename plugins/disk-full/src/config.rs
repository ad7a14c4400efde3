//! What an operator may set.

use serde::Deserialize;
use watchglass_sdk::prelude::*;
use watchglass_sdk::{Duration, Json};

/// What an operator may write under `[rule_plugin.config]`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Name of the alerts.
    pub alertname: String,
    /// Metric of the free bytes.
    pub avail: String,
    /// Metric of all bytes, with the same labels.
    pub size: String,
    /// Matchers that both are selected with besides those below: `job="node", env="prod"`.
    pub selector: String,
    /// Regular expression of mount points to look at; empty: all.
    pub mountpoint: String,
    /// Regular expression of mount points to leave out.
    pub mountpoint_exclude: String,
    /// Regular expression of file system types to leave out: those that hold no files of their own.
    pub fstype_exclude: String,
    /// How far back the trend is looked for.
    pub window: Duration,
    /// Distance of the points that it is made of.
    pub step: Duration,
    /// With fewer points nothing is forecast.
    pub min_points: usize,
    /// Whom to tell, and how long before it is full.
    pub levels: Vec<Level>,
    /// An alert is over when the forecast is this share beyond its level's time ...
    pub margin: f64,
    /// ... or when the free share is so much over its level's.
    pub free_margin: f64,
    /// Below this free share it is full, whatever the trend says.
    pub full: f64,
    /// How long it must be so before it fires.
    #[serde(rename = "for")]
    pub hold: Duration,
}

/// A severity, and when it is one.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Level {
    /// The `severity` label.
    pub severity: String,
    /// Full within this time.
    pub within: Duration,
    /// Only where less than this share is free: a large disk that is half empty is nobody's night.
    #[serde(default = "half")]
    pub free_below: f64,
}

fn half() -> f64 {
    0.5
}

const HOUR: u64 = 3_600_000;

impl Default for Config {
    fn default() -> Config {
        let level = |severity: &str, hours, free_below| Level {
            severity: severity.to_owned(),
            within: Duration { ms: hours * HOUR },
            free_below,
        };
        Config {
            alertname: "DiskFull".to_owned(),
            avail: "node_filesystem_avail_bytes".to_owned(),
            size: "node_filesystem_size_bytes".to_owned(),
            selector: String::new(),
            mountpoint: String::new(),
            mountpoint_exclude: String::new(),
            fstype_exclude:
                "autofs|devtmpfs|efivarfs|fuse.*|iso9660|nsfs|overlay|proc|ramfs|rootfs|squashfs|sysfs|tmpfs".to_owned(),
            window: Duration { ms: 6 * HOUR },
            step: Duration { ms: 5 * 60_000 },
            min_points: 12,
            levels: vec![level("warning", 24, 0.4), level("critical", 4, 0.2)],
            margin: 0.25,
            free_margin: 0.05,
            full: 0.005,
            hold: Duration { ms: 10 * 60_000 },
        }
    }
}

/// The most points of a trend: their pairs are looked at.
const MAX_POINTS: u64 = 300;

impl Config {
    /// Reads the config; all that is wrong at once.
    pub fn decode(json: &Json) -> Result<Config, Vec<Problem>> {
        let c: Config = config::decode(json)?;
        let mut problems = Vec::new();
        let mut check = |ok: bool, path: &str, message: String| {
            if !ok {
                problems.push(Problem::at(path, message));
            }
        };
        check(c.step.ms >= 1_000, "step", format!("is {}; it must be a second at least", c.step));
        let points = c.window.ms / c.step.ms.max(1);
        check(
            (2..=MAX_POINTS).contains(&points),
            "window",
            format!("has {points} points of `step`; allowed are 2 to {MAX_POINTS}"),
        );
        check(c.min_points >= 2, "min_points", format!("is {}; a trend needs 2", c.min_points));
        check(
            c.min_points as u64 <= points + 1,
            "min_points",
            format!("is {}, but the window has {} points", c.min_points, points + 1),
        );
        check(!c.alertname.is_empty(), "alertname", "must not be empty".to_owned());
        check(!c.levels.is_empty(), "levels", "must not be empty".to_owned());
        let share = |v: f64| (0.0..=1.0).contains(&v);
        check(c.margin >= 0.0 && c.margin.is_finite(), "margin", format!("is {}; it must not be negative", c.margin));
        check(share(c.free_margin), "free_margin", format!("is {}; allowed is 0 to 1", c.free_margin));
        check(share(c.full), "full", format!("is {}; allowed is 0 to 1", c.full));
        check(u32::try_from(c.hold.ms).is_ok(), "for", format!("is {}; allowed are 49 days", c.hold));
        for (i, level) in c.levels.iter().enumerate() {
            let twice = c.levels[..i].iter().any(|l| l.severity == level.severity);
            check(!twice, &format!("levels[{i}].severity"), format!("`{}` is there twice", level.severity));
            check(level.within.ms > 0, &format!("levels[{i}].within"), "must not be 0".to_owned());
            check(
                share(level.free_below),
                &format!("levels[{i}].free_below"),
                format!("is {}; allowed is 0 to 1", level.free_below),
            );
        }
        if problems.is_empty() { Ok(c) } else { Err(problems) }
    }

    /// The braces behind a metric: `{fstype!~"tmpfs"}`.
    pub fn matchers(&self) -> String {
        let mut matchers = Vec::new();
        for (name, op, pattern) in [
            ("mountpoint", "=~", &self.mountpoint),
            ("mountpoint", "!~", &self.mountpoint_exclude),
            ("fstype", "!~", &self.fstype_exclude),
        ] {
            if !pattern.is_empty() {
                matchers.push(format!("{name}{op}{}", quote(pattern)));
            }
        }
        if !self.selector.is_empty() {
            matchers.push(self.selector.clone());
        }
        format!("{{{}}}", matchers.join(","))
    }
}

/// A text as a PromQL string.
fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// The JSON schema of [`Config`].
pub(crate) const SCHEMA: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "alertname": {"type": "string", "default": "DiskFull"},
    "avail": {"type": "string", "default": "node_filesystem_avail_bytes", "description": "metric of the free bytes"},
    "size": {"type": "string", "default": "node_filesystem_size_bytes", "description": "metric of all bytes, with the same labels"},
    "selector": {"type": "string", "description": "more matchers: job=\"node\", env=\"prod\""},
    "mountpoint": {"type": "string", "description": "regular expression; empty: all"},
    "mountpoint_exclude": {"type": "string", "description": "regular expression"},
    "fstype_exclude": {"type": "string", "description": "regular expression"},
    "window": {"type": "string", "default": "6h", "description": "how far back the trend is looked for"},
    "step": {"type": "string", "default": "5m"},
    "min_points": {"type": "integer", "minimum": 2, "default": 12},
    "levels": {
      "type": "array", "minItems": 1, "maxItems": 10,
      "items": {
        "type": "object", "additionalProperties": false, "required": ["severity", "within"],
        "properties": {
          "severity": {"type": "string", "minLength": 1},
          "within": {"type": "string"},
          "free_below": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.5}
        }
      }
    },
    "margin": {"type": "number", "minimum": 0, "default": 0.25},
    "free_margin": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.05},
    "full": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.005},
    "for": {"type": "string", "default": "10m"}
  }
}"#;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nothing_is_a_config() {
        assert_eq!(Config::decode(&json!({})).unwrap(), Config::default());
        serde_json::from_str::<Json>(SCHEMA).unwrap();
    }

    #[test]
    fn problems_name_their_place() {
        for (config, path) in [
            (json!({"window": "1m"}), "window"),
            (json!({"window": "30d"}), "window"),
            (json!({"window": "soon"}), "window"),
            (json!({"step": "0"}), "step"),
            (json!({"min_points": 100}), "min_points"),
            (json!({"levels": []}), "levels"),
            (
                json!({"levels": [{"severity": "a", "within": "1h"}, {"severity": "a", "within": "2h"}]}),
                "levels[1].severity",
            ),
            (json!({"levels": [{"severity": "a", "within": "0"}]}), "levels[0].within"),
            (json!({"levels": [{"severity": "a", "within": "1h", "free_below": 40}]}), "levels[0].free_below"),
            (json!({"horizon": "1h"}), "horizon"),
        ] {
            let problems = Config::decode(&config).unwrap_err();
            assert!(problems.iter().any(|p| p.path == path), "{config}: {problems:?}");
        }
    }

    #[test]
    fn matchers_are_quoted() {
        let config =
            Config::decode(&json!({"mountpoint": "/(a|\"b\")", "fstype_exclude": "", "selector": "job=\"n\""}))
                .unwrap();
        assert_eq!(config.matchers(), "{mountpoint=~\"/(a|\\\"b\\\")\",job=\"n\"}");
        assert_eq!(Config { fstype_exclude: String::new(), ..Config::default() }.matchers(), "{}");
    }
}
