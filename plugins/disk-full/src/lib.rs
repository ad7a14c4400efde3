//! Says when a file system will be full, before it is.
//!
//! It looks at the free bytes of the last hours, draws a line through them that single points don't turn ([`trend`]), and sees when the line
//! meets zero. Each level (a severity, a time ahead) is an alert of its own with labels that never change; an inhibition rule keeps the lesser ones quiet.
//! An alert that is active ends only when the forecast is well beyond its level, or when room was made: so it doesn't flap with the forecast.

mod config;
pub mod trend;
pub mod words;

use std::collections::HashMap;

use watchglass_sdk::prelude::*;
use watchglass_sdk::{Duration, Point};

pub use config::{Config, Level};

/// The rule.
#[derive(Debug)]
pub struct DiskFull {
    config: Config,
}

impl Rule for DiskFull {
    fn describe() -> Manifest {
        Manifest::new("disk-full", env!("CARGO_PKG_VERSION"), "says when a file system will be full")
            .timing(60_000, 10_000)
            .schema(config::SCHEMA)
    }

    fn configure(config: &Json) -> Result<(Self, Vec<Input>), Vec<Problem>> {
        let config = Config::decode(config)?;
        let matchers = config.matchers();
        let millis = |d: Duration| u32::try_from(d.ms).unwrap_or(u32::MAX);
        let inputs = vec![
            Input::range("avail", &format!("{}{matchers}", config.avail), millis(config.window), millis(config.step)),
            Input::instant("size", &format!("{}{matchers}", config.size)),
        ];
        Ok((DiskFull { config }, inputs))
    }

    fn evaluate(&self, at: i64, inputs: &[Vec<Series>], active: &[Alert]) -> Result<Vec<Alert>, Error> {
        let [avail, size] = inputs else {
            return Err(Error::Other(format!("2 inputs are expected, there are {}", inputs.len())));
        };
        let sizes: HashMap<Vec<(String, String)>, f64> =
            size.iter().filter_map(|s| Some((identity(s), s.last()?))).collect();
        let mut alerts = Vec::new();
        for series in avail {
            let labels = identity(series);
            // Without a size there is no share; a file system of no size holds nothing.
            let Some(size) = sizes.get(&labels).filter(|s| **s > 0.0) else { continue };
            let Some(disk) = self.forecast(&series.points, *size) else { continue };
            for level in &self.config.levels {
                let alert = self.alert(&labels, level, &disk, at);
                let before = active.iter().any(|a| is_same(a, &alert));
                if self.holds(level, &disk, at, before) {
                    alerts.push(alert);
                }
            }
        }
        Ok(alerts)
    }
}

/// What is known of a file system.
#[derive(Clone, Copy, Debug)]
struct Disk {
    free: f64,
    size: f64,
    /// Bytes per second: negative while it fills. `None` where there are too few points to tell.
    trend: Option<f64>,
    /// The time of the newest point, milliseconds.
    seen: i64,
}

impl Disk {
    fn free_share(&self) -> f64 {
        self.free / self.size
    }

    /// Seconds from its newest point until it is full; infinite where it doesn't fill.
    fn seconds_left(&self, full: f64) -> f64 {
        if self.free_share() <= full {
            return 0.0;
        }
        self.trend.filter(|t| *t < 0.0).map_or(f64::INFINITY, |t| self.free / -t)
    }
}

impl DiskFull {
    fn forecast(&self, points: &[Point], size: f64) -> Option<Disk> {
        let last = points.last()?;
        let enough = points.len() >= self.config.min_points;
        let trend = if enough { trend::slope(points) } else { None };
        Some(Disk { free: last.v.max(0.0), size, trend, seen: last.at })
    }

    /// Whether a level's alert is to be. One that is active already has to be refuted; a new one has to be shown.
    fn holds(&self, level: &Level, disk: &Disk, at: i64, active: bool) -> bool {
        let (left, within) = (disk.seconds_left(self.config.full), level.within.ms as f64 / 1000.0);
        // No news for two steps: nothing begins, and nothing ends either.
        let is_old = at - disk.seen > 2 * self.config.step.ms as i64;
        if !active {
            return !is_old && left <= within && disk.free_share() < level.free_below;
        }
        let unknown = is_old || disk.trend.is_none();
        unknown
            || left <= within * (1.0 + self.config.margin)
                && disk.free_share() < level.free_below + self.config.free_margin
    }

    fn alert(&self, labels: &[(String, String)], level: &Level, disk: &Disk, at: i64) -> Alert {
        let config = &self.config;
        let left = disk.seconds_left(config.full);
        let label = |name: &str| labels.iter().find(|l| l.0 == name).map_or("", |l| l.1.as_str());
        let mount = match label("mountpoint") {
            "" => label("device"),
            mount => mount,
        };
        let place = match label("instance") {
            "" => mount.to_owned(),
            instance => format!("{mount} on {instance}"),
        };
        let mut alert = Alert::new(&config.alertname, left);
        alert.labels = labels.to_vec();
        alert.labels.retain(|l| l.0 != "severity" && l.0 != "alertname");
        let (summary, when) = if left == 0.0 {
            (format!("{place} is full"), "now".to_owned())
        } else if left.is_finite() {
            // A point may be some minutes old.
            let full_at = disk.seen.saturating_add((left * 1000.0) as i64);
            let from_now = Duration { ms: u64::try_from(full_at - at).unwrap_or(0) };
            (format!("{place} will be full in {from_now}"), words::time(full_at))
        } else {
            (format!("{place} was filling, and there is no news of it"), "not known".to_owned())
        };
        let rate = match disk.trend {
            Some(t) if t < 0.0 => format!(
                "; it loses {} an hour, as it went during the last {}",
                words::bytes(-t * 3600.0),
                config.window
            ),
            _ => String::new(),
        };
        let share = 100.0 * disk.free_share();
        let description =
            format!("{} of {} ({share:.1} %) are left{rate}", words::bytes(disk.free), words::bytes(disk.size));
        alert
            .label("severity", &level.severity)
            .annotation("summary", summary)
            .annotation("description", description)
            .annotation("full_at", when)
            .holding_for(u32::try_from(config.hold.ms).unwrap_or(u32::MAX))
    }
}

/// A series' labels without its name, sorted: what it has in common with the other metric's.
fn identity(series: &Series) -> Vec<(String, String)> {
    let mut labels: Vec<(String, String)> = series.labels.iter().filter(|l| l.0 != "__name__").cloned().collect();
    labels.sort();
    labels
}

/// Whether an active alert is the one that a level would make. The operator's own labels may have been added to it.
fn is_same(active: &Alert, ours: &Alert) -> bool {
    active.name == ours.name && ours.labels.iter().all(|l| active.labels.contains(l))
}

watchglass_sdk::export_rule!(DiskFull);
