//! Says when a number is not what it usually is at this hour.
//!
//! Each check is an expression. Its value now is compared with its mean around the same hour of past days: by the median of those, and the
//! median of their deviations from it ([`judge`]), so that a bad day among them doesn't make the next one usual. An alert that is active ends at a lower
//! difference than it began at, so that it doesn't flap.

mod config;
mod judge;

use std::collections::HashMap;

use watchglass_sdk::prelude::*;

pub use config::{Check, Config, Direction};
pub use judge::{Verdict, judge};

/// The rule.
#[derive(Debug)]
pub struct Anomaly {
    config: Config,
}

impl Rule for Anomaly {
    fn describe() -> Manifest {
        Manifest::new("anomaly", env!("CARGO_PKG_VERSION"), "says when a number is not what it usually is at this hour")
            .timing(60_000, 10_000)
            .schema(config::SCHEMA)
    }

    fn configure(config: &Json) -> Result<(Self, Vec<Input>), Vec<Problem>> {
        let config = Config::decode(config)?;
        let inputs = config.check.iter().flat_map(Check::inputs).collect();
        Ok((Anomaly { config }, inputs))
    }

    fn evaluate(&self, _at: i64, inputs: &[Vec<Series>], active: &[Alert]) -> Result<Vec<Alert>, Error> {
        let expected = 2 * self.config.check.len();
        if inputs.len() != expected {
            return Err(Error::Other(format!("{expected} inputs are expected, there are {}", inputs.len())));
        }
        let mut alerts = Vec::new();
        for (check, inputs) in self.config.check.iter().zip(inputs.chunks_exact(2)) {
            let [now, past] = inputs else { continue };
            check.alerts(now, past, active, &mut alerts);
        }
        Ok(alerts)
    }
}

impl Check {
    /// Judges each series by its own past.
    fn alerts(&self, now: &[Series], past: &[Series], active: &[Alert], alerts: &mut Vec<Alert>) {
        let before: HashMap<Vec<(String, String)>, &Series> = past.iter().map(|s| (identity(s), s)).collect();
        for series in now {
            let labels = identity(series);
            let (Some(value), Some(days)) = (series.last(), before.get(&labels)) else { continue };
            let days: Vec<f64> = days.points.iter().map(|p| p.v).filter(|v| v.is_finite()).collect();
            if days.len() < self.min_days {
                continue;
            }
            let Some(verdict) = judge(value, &days, self.tolerance) else { continue };
            let alert = self.alert(&labels, value, &verdict, days.len());
            // The operator's own labels may have been added to what is active.
            let is_active =
                active.iter().any(|a| a.name == alert.name && alert.labels.iter().all(|l| a.labels.contains(l)));
            if self.holds(value, &verdict, is_active) {
                alerts.push(alert);
            }
        }
    }

    fn holds(&self, value: f64, verdict: &Verdict, is_active: bool) -> bool {
        let z = match self.direction {
            Direction::Up => verdict.z,
            Direction::Down => -verdict.z,
            Direction::Both => verdict.z.abs(),
        };
        let least = if is_active { self.clear() } else { self.threshold };
        z >= least && z > 0.0 && (value - verdict.usual).abs() >= self.min_change
    }

    fn alert(&self, labels: &[(String, String)], value: f64, verdict: &Verdict, days: usize) -> Alert {
        let mut alert = Alert::new(&self.name, value).holding_for(u32::try_from(self.hold.ms).unwrap_or(u32::MAX));
        let own = |name: &str| name == "severity" || name == "alertname" || self.labels.contains_key(name);
        alert.labels = labels.iter().filter(|l| !own(&l.0)).cloned().collect();
        alert.labels.extend(self.labels.iter().map(|(n, v)| (n.clone(), v.clone())));
        let about: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let of = if about.is_empty() { String::new() } else { format!(" of {}", about.join(", ")) };
        let (usual, way) = (number(verdict.usual), if verdict.z < 0.0 { "below" } else { "above" });
        let times = if verdict.z.is_finite() {
            format!("{} times the usual spread of {} {way} it", number(verdict.z.abs()), number(verdict.spread))
        } else {
            format!("{way} what never differed")
        };
        let mut alert = alert
            .label("severity", &self.severity)
            .annotation("summary", format!("{}{of} is {}, usually {usual} at this hour", self.name, number(value)))
            .annotation(
                "description",
                format!("the middle of {days} days at this hour is {usual}; {} is {times}", number(value)),
            );
        for (name, text) in &self.annotations {
            alert.annotations.retain(|a| a.0 != *name);
            alert = alert.annotation(name, text.as_str());
        }
        alert
    }
}

/// A series' labels without its name, sorted.
fn identity(series: &Series) -> Vec<(String, String)> {
    let mut labels: Vec<(String, String)> = series.labels.iter().filter(|l| l.0 != "__name__").cloned().collect();
    labels.sort();
    labels
}

/// A number with four digits that matter.
fn number(v: f64) -> String {
    if v == 0.0 || !v.is_finite() {
        return v.to_string();
    }
    let digits = 3 - v.abs().log10().floor() as i32;
    if !(-3..=8).contains(&digits) {
        return format!("{v:.3e}");
    }
    let text = format!("{v:.*}", usize::try_from(digits).unwrap_or(0));
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

watchglass_sdk::export_rule!(Anomaly);
