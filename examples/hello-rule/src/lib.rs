//! The smallest alert rule in code: it looks at one query and says which disks will be full within a day, if they go on as they did.
//!
//! Build it with `cargo component build --release --target wasm32-unknown-unknown`, put the .wasm file into Watchglass' plugin folder,
//! and add to watchglass.toml:
//!
//! ```toml
//! [[rule_plugin]]
//! name = "disk-full-soon"
//! plugin = "hello_rule"
//! interval = "1m"
//! ```

use serde::Deserialize;
use watchglass_sdk::prelude::*;

/// What an operator may write under `[rule_plugin.config]`.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// Hours ahead to look.
    hours: f64,
}

impl Default for Config {
    fn default() -> Config {
        Config { hours: 24.0 }
    }
}

const SCHEMA: &str = r#"{"type": "object", "additionalProperties": false, "properties": {"hours": {"type": "number", "default": 24}}}"#;

struct DiskFullSoon {
    config: Config,
}

impl Rule for DiskFullSoon {
    fn describe() -> Manifest {
        Manifest::new("hello-rule", env!("CARGO_PKG_VERSION"), "says which disks will soon be full").schema(SCHEMA)
    }

    /// Which queries the host is to make before each evaluation: here the free bytes over the last hour, a point a minute.
    fn configure(config: &Json) -> Result<(Self, Vec<Input>), Vec<Problem>> {
        let rule = DiskFullSoon { config: config::decode(config)? };
        Ok((rule, vec![Input::range("free", "node_filesystem_avail_bytes", 3_600_000, 60_000)]))
    }

    /// The alerts that hold now. `for`, grouping, silences and notification are the host's business.
    fn evaluate(&self, _at: i64, inputs: &[Vec<Series>], _active: &[Alert]) -> Result<Vec<Alert>, Error> {
        let free = inputs.first().map(Vec::as_slice).unwrap_or(&[]);
        Ok(free.iter().filter_map(|series| self.check(series)).collect())
    }
}

impl DiskFullSoon {
    fn check(&self, series: &Series) -> Option<Alert> {
        let (first, last) = (series.points.first()?, series.points.last()?);
        let hours = (last.at - first.at) as f64 / 3_600_000.0;
        let lost_an_hour = (first.v - last.v) / hours;
        if hours <= 0.0 || lost_an_hour <= 0.0 || last.v / lost_an_hour > self.config.hours {
            return None;
        }
        let left = last.v / lost_an_hour;
        let mountpoint = series.label("mountpoint");
        Some(
            Alert::new("DiskFullSoon", left)
                .label("severity", "warning")
                .label("instance", series.label("instance"))
                .label("mountpoint", mountpoint)
                .annotation("summary", format!("{mountpoint} will be full in {left:.1} hours"))
                .holding_for(5 * 60_000),
        )
    }
}

// This line makes a component of it.
watchglass_sdk::export_rule!(DiskFullSoon);

#[cfg(test)]
mod tests {
    use super::*;
    use watchglass_sdk::Point;

    fn series(values: &[f64]) -> Series {
        let labels = vec![("instance".to_owned(), "a".to_owned()), ("mountpoint".to_owned(), "/".to_owned())];
        let points = values.iter().enumerate().map(|(i, &v)| Point { at: i as i64 * 1_800_000, v }).collect();
        Series { labels, points }
    }

    #[test]
    fn a_disk_that_fills_is_named() {
        let (rule, inputs) = DiskFullSoon::configure(&serde_json::json!({"hours": 10})).unwrap();
        assert_eq!(inputs.len(), 1);
        let alerts = rule.evaluate(0, &[vec![series(&[100.0, 95.0, 90.0]), series(&[100.0, 99.9, 99.8]), series(&[1.0, 2.0])]], &[]).unwrap();
        assert_eq!(alerts.len(), 1);
        assert_eq!(alerts[0].value, 9.0);
        assert_eq!(alerts[0].annotations[0].1, "/ will be full in 9.0 hours");
    }

    #[test]
    fn nothing_in_nothing_out() {
        let (rule, _) = DiskFullSoon::configure(&serde_json::json!({})).unwrap();
        assert!(rule.evaluate(0, &[vec![]], &[]).unwrap().is_empty());
        assert!(rule.evaluate(0, &[vec![series(&[])]], &[]).unwrap().is_empty());
    }
}
