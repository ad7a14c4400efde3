//! What OpenMetrics 1.0 demands beyond its grammar: families in one piece, types' suffixes, labels and values, histograms that
//! add up. A scrape is laxer, as Prometheus is; this is for `check` and for tests of what we and plugins write.

use std::collections::HashSet;

use super::collect::ExpositionLimits;
use super::openmetrics::{Entry, Line, entries};
use super::{ExpositionError, utf8};
use crate::MetricType;
use crate::number::parse_exposition_float;

/// Checks a text against the whole of OpenMetrics 1.0.
pub fn check_openmetrics(body: &[u8]) -> Result<(), ExpositionError> {
    let mut check = Check::default();
    let mut end = 1;
    entries(utf8(body)?, ExpositionLimits::default().labels, |cursor, entry| {
        let result = if cursor.trailing_comma() { Err("a comma before `}`".to_owned()) } else { check.entry(entry) };
        end += 1;
        result.or_else(|reason| cursor.error(reason))
    })?;
    check.close_family().map_err(|reason| ExpositionError { line: end, reason })
}

#[derive(Default)]
struct Check {
    family: Option<Family>,
    /// Names of samples that families before this one may have.
    claimed: HashSet<String>,
}

#[derive(Default)]
struct Family {
    name: String,
    kind: MetricType,
    seen_help: bool,
    seen_type: bool,
    unit: Option<String>,
    seen_samples: bool,
    groups: HashSet<String>,
    group: Option<Group>,
}

/// The samples of one metric: of one label set, `le` and `quantile` aside.
struct Group {
    key: String,
    t: Option<f64>,
    histogram: HistogramGroup,
}

/// What is known of a histogram's samples of one time.
#[derive(Default)]
struct HistogramGroup {
    bucket: Option<(f64, f64)>,
    count: Option<f64>,
    has_sum: bool,
    has_gsum: bool,
    negative_gsum: bool,
    negative_buckets: bool,
}

fn suffixes(kind: MetricType) -> &'static [&'static str] {
    match kind {
        MetricType::Counter => &["_total", "_created"],
        MetricType::Summary => &["", "_count", "_sum", "_created"],
        MetricType::Histogram => &["_bucket", "_count", "_sum", "_created"],
        MetricType::GaugeHistogram => &["_bucket", "_gcount", "_gsum"],
        MetricType::Info => &["_info"],
        MetricType::Unknown | MetricType::Gauge | MetricType::StateSet => &[""],
    }
}

impl Check {
    fn entry(&mut self, entry: Entry<'_>) -> Result<(), String> {
        match entry {
            Entry::Help(name, _) => {
                self.metadata(&name, "HELP", |family| std::mem::replace(&mut family.seen_help, true))
            }
            Entry::Type(name, kind) => self.metadata(&name, "TYPE", |family| {
                family.kind = kind;
                std::mem::replace(&mut family.seen_type, true)
            }),
            Entry::Unit(name, unit) => {
                self.metadata(&name, "UNIT", |family| family.unit.replace(unit.to_owned()).is_some())
            }
            Entry::Sample(line) => self.sample(&line),
        }
    }

    fn metadata(&mut self, name: &str, what: &str, set: impl FnOnce(&mut Family) -> bool) -> Result<(), String> {
        if self.family.as_ref().is_none_or(|family| family.name != name) {
            self.open_family(name)?;
        }
        let Some(family) = &mut self.family else { return Ok(()) };
        if family.seen_samples {
            return Err(format!("{what} of `{name}` after its samples"));
        }
        if set(family) { Err(format!("a second {what} of `{name}`")) } else { Ok(()) }
    }

    fn open_family(&mut self, name: &str) -> Result<(), String> {
        self.close_family()?;
        self.family = Some(Family { name: name.to_owned(), ..Family::default() });
        Ok(())
    }

    /// Ends the family at hand: its names are taken from now on.
    fn close_family(&mut self) -> Result<(), String> {
        let Some(mut family) = self.family.take() else { return Ok(()) };
        family.close_group()?;
        let labels_only = matches!(family.kind, MetricType::Info | MetricType::StateSet);
        if labels_only && family.unit.as_ref().is_some_and(|unit| !unit.is_empty()) {
            return Err(format!("`{}` has a unit, which type {} hasn't", family.name, family.kind.as_str()));
        }
        let names: HashSet<String> =
            suffixes(family.kind).iter().chain(&[""]).map(|suffix| format!("{}{suffix}", family.name)).collect();
        for name in names {
            if self.claimed.contains(&name) {
                return Err(format!("the name `{name}` of family `{}` is another family's too", family.name));
            }
            self.claimed.insert(name);
        }
        Ok(())
    }

    fn sample(&mut self, line: &Line<'_>) -> Result<(), String> {
        let suffix = self.family.as_ref().and_then(|family| {
            let suffix = line.name.strip_prefix(family.name.as_str())?;
            suffixes(family.kind).iter().find(|s| **s == suffix).copied()
        });
        let suffix = match suffix {
            Some(suffix) => suffix,
            None => {
                // Without metadata a name is a family of unknown type.
                self.open_family(&line.name)?;
                ""
            }
        };
        match &mut self.family {
            Some(family) => family.sample(suffix, line),
            None => Ok(()),
        }
    }
}

impl Family {
    fn sample(&mut self, suffix: &'static str, line: &Line<'_>) -> Result<(), String> {
        self.seen_samples = true;
        self.check_value(suffix, line)?;
        let may_have_exemplar = match self.kind {
            MetricType::Counter => suffix == "_total",
            MetricType::Histogram | MetricType::GaugeHistogram => suffix == "_bucket",
            _ => false,
        };
        if line.exemplar.is_some() && !may_have_exemplar {
            return Err(format!("an exemplar on `{}`; only counters' _total and buckets have them", line.name));
        }
        self.enter_group(line)?;
        if matches!(self.kind, MetricType::Histogram | MetricType::GaugeHistogram)
            && let Some(group) = &mut self.group
        {
            group.histogram.sample(suffix, line)?;
        }
        Ok(())
    }

    fn check_value(&self, suffix: &str, line: &Line<'_>) -> Result<(), String> {
        let value = line.value;
        let label = |name: &str| line.labels.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_ref());
        let counts = matches!(
            (self.kind, suffix),
            (MetricType::Counter, "_total")
                | (MetricType::Histogram | MetricType::GaugeHistogram, "_bucket" | "_count" | "_gcount")
                | (MetricType::Histogram, "_sum")
                | (MetricType::Summary, "_count" | "_sum")
        );
        if counts && (value < 0.0 || value.is_nan()) {
            return Err(format!("`{}` is {value}; it only grows from 0", line.name));
        }
        match (self.kind, suffix) {
            (MetricType::Info, _) if value != 1.0 => Err(format!("`{}` is {value}; an info is 1", line.name)),
            (MetricType::StateSet, _) if value != 0.0 && value != 1.0 => {
                Err(format!("`{}` is {value}; a state is 0 or 1", line.name))
            }
            (MetricType::StateSet, _) if label(&self.name).is_none() => {
                Err(format!("`{}` has no label `{}` with the state", line.name, self.name))
            }
            (MetricType::Summary, "") => {
                let quantile = label("quantile").and_then(parse_exposition_float);
                if !quantile.is_some_and(|q| (0.0..=1.0).contains(&q)) {
                    return Err(format!("`{}` needs a label `quantile` between 0 and 1", line.name));
                }
                if value < 0.0 {
                    return Err(format!("`{}` is {value}; quantiles of a summary aren't negative", line.name));
                }
                Ok(())
            }
            (MetricType::Histogram | MetricType::GaugeHistogram, "_bucket") => {
                match label("le").and_then(parse_exposition_float) {
                    Some(le) if !le.is_nan() => Ok(()),
                    _ => Err(format!("`{}` needs a label `le` with a number", line.name)),
                }
            }
            _ => Ok(()),
        }
    }

    fn enter_group(&mut self, line: &Line<'_>) -> Result<(), String> {
        let mut labels: Vec<(&str, &str)> = match self.kind {
            // One info can't be told from another.
            MetricType::Info => Vec::new(),
            _ => line.labels.iter().map(|(n, v)| (n.as_ref(), v.as_ref())).collect(),
        };
        labels.retain(|(name, _)| match self.kind {
            MetricType::StateSet => *name != self.name,
            MetricType::Histogram | MetricType::GaugeHistogram => *name != "le",
            MetricType::Summary => *name != "quantile",
            _ => true,
        });
        labels.sort_unstable();
        if let Some(pair) = labels.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(format!("label `{}` stands twice", pair[0].0));
        }
        let key = format!("{labels:?}");
        match &self.group {
            Some(group) if group.key == key => {
                let (before, t) = (group.t, line.t);
                if before.is_some() != t.is_some() {
                    return Err(format!("some samples of `{}` have timestamps, some haven't", self.name));
                }
                if before > t && self.kind != MetricType::Info {
                    return Err(format!("the timestamps of `{}` go back", self.name));
                }
                if before == t {
                    return Ok(());
                }
            }
            _ if self.groups.contains(&key) => {
                return Err(format!("the samples of one metric of `{}` don't stand together", self.name));
            }
            _ => {}
        }
        self.close_group()?;
        self.groups.insert(key.clone());
        self.group = Some(Group { key, t: line.t, histogram: HistogramGroup::default() });
        Ok(())
    }

    fn close_group(&mut self) -> Result<(), String> {
        let Some(group) = self.group.take() else { return Ok(()) };
        if !matches!(self.kind, MetricType::Histogram | MetricType::GaugeHistogram) {
            return Ok(());
        }
        group.histogram.check().map_err(|reason| format!("histogram `{}`: {reason}", self.name))
    }
}

impl HistogramGroup {
    fn sample(&mut self, suffix: &str, line: &Line<'_>) -> Result<(), String> {
        match suffix {
            "_bucket" => {
                let le = line.labels.iter().find(|(name, _)| name == "le").and_then(|(_, v)| parse_exposition_float(v));
                let le = le.unwrap_or(f64::NAN);
                if let Some((bound, count)) = self.bucket {
                    if le <= bound {
                        return Err(format!("bucket {le} stands behind bucket {bound}"));
                    }
                    if line.value < count {
                        return Err(format!("bucket {le} has {}, the one below it {count}", line.value));
                    }
                }
                self.negative_buckets |= le < 0.0;
                self.bucket = Some((le, line.value));
            }
            "_count" | "_gcount" => self.count = Some(line.value),
            "_sum" => self.has_sum = true,
            "_gsum" => {
                self.has_gsum = true;
                self.negative_gsum = line.value < 0.0;
            }
            _ => {}
        }
        Ok(())
    }

    fn check(&self) -> Result<(), &'static str> {
        let Some((f64::INFINITY, in_buckets)) = self.bucket else { return Err("the bucket +Inf is missing") };
        match self.count {
            Some(count) if count != in_buckets => return Err("the count is not that of the bucket +Inf"),
            None if self.has_sum || self.has_gsum => return Err("there is a sum, but no count"),
            Some(_) if !self.has_sum && !self.has_gsum => return Err("there is a count, but no sum"),
            _ => {}
        }
        if self.negative_buckets && self.has_sum {
            return Err("with negative buckets there is no sum that only grows");
        }
        if !self.negative_buckets && self.negative_gsum {
            return Err("the sum is negative, but no bucket is");
        }
        Ok(())
    }
}
