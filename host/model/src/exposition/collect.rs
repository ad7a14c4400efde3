//! Where all parsers put what they read.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::number::OpenMetricsFloat;
use crate::{
    Histogram, Labels, METRIC_NAME, MetricMetadata, MetricType, Sample, SampleBatch, TimeMs, Value, parse_go_float,
};

/// Bounds on what one exposition may hold. Prometheus has none by default; these are far above any honest target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpositionLimits {
    /// Samples.
    pub samples: usize,
    /// Labels of one sample, the metric name included.
    pub labels: usize,
    /// Bytes of a label's name.
    pub label_name_bytes: usize,
    /// Bytes of a label's value, and of a metric's name.
    pub label_value_bytes: usize,
    /// Bytes of a help text; a longer one is cut.
    pub help_bytes: usize,
    /// Buckets of a native histogram.
    pub histogram_buckets: usize,
}

impl Default for ExpositionLimits {
    fn default() -> Self {
        ExpositionLimits {
            samples: 2_000_000,
            labels: 256,
            label_name_bytes: 4096,
            label_value_bytes: 256 << 10,
            help_bytes: 16 << 10,
            histogram_buckets: 10_000,
        }
    }
}

/// An exemplar: an observation that stands for others, often with a trace's id.
#[derive(Clone, Debug, PartialEq)]
pub struct Exemplar {
    /// The series it belongs to.
    pub series: Labels,
    /// Its own labels.
    pub labels: Labels,
    /// The observation.
    pub value: f64,
    /// When it was made, if told.
    pub t: Option<TimeMs>,
}

/// All that an exposition said.
#[derive(Clone, Debug, Default)]
pub struct Exposition {
    /// Samples and metadata.
    pub batch: SampleBatch,
    /// Exemplars.
    pub exemplars: Vec<Exemplar>,
}

/// A label as a parser finds it.
pub(super) type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

/// Gathers samples and metadata within bounds.
pub(super) struct Collect {
    exposition: Exposition,
    default_time: TimeMs,
    pub(super) limits: ExpositionLimits,
    by_name: HashMap<String, usize>,
    /// The family that the last metadata line was about, an index of the metadata.
    current: Option<usize>,
}

impl Collect {
    pub(super) fn new(default_time: TimeMs, limits: ExpositionLimits) -> Collect {
        Collect { exposition: Exposition::default(), default_time, limits, by_name: HashMap::new(), current: None }
    }

    pub(super) fn finish(self) -> Exposition {
        self.exposition
    }

    /// The metadata of a family, begun where there is none yet.
    pub(super) fn family(&mut self, name: &str) -> Result<&mut MetricMetadata, String> {
        let metadata = &mut self.exposition.batch.metadata;
        let known = match self.current {
            Some(i) if metadata[i].name == name => Some(i),
            _ => self.by_name.get(name).copied(),
        };
        let i = match known {
            Some(i) => i,
            None => {
                check_length("metric name", name, self.limits.label_value_bytes)?;
                if metadata.len() >= self.limits.samples {
                    return Err(format!("more than {} metric families", self.limits.samples));
                }
                self.by_name.insert(name.to_owned(), metadata.len());
                metadata.push(MetricMetadata { name: name.to_owned(), ..MetricMetadata::default() });
                metadata.len() - 1
            }
        };
        self.current = Some(i);
        Ok(&mut metadata[i])
    }

    pub(super) fn help(&mut self, name: &str, help: Cow<'_, str>) -> Result<(), String> {
        let limit = self.limits.help_bytes;
        let mut help = help.into_owned();
        if help.len() > limit {
            help.truncate((0..=limit).rev().find(|i| help.is_char_boundary(*i)).unwrap_or(0));
        }
        self.family(name)?.help = help;
        Ok(())
    }

    /// The type of the family that a sample of this name belongs to, if that is the current one.
    fn kind_of(&self, name: &str) -> MetricType {
        let Some(family) = self.current.map(|i| &self.exposition.batch.metadata[i]) else { return MetricType::Unknown };
        let suffixes: &[&str] = match family.kind {
            MetricType::Histogram | MetricType::GaugeHistogram => &["", "_bucket"],
            MetricType::Summary => &[""],
            _ => return family.kind,
        };
        match name.strip_prefix(family.name.as_str()) {
            Some(suffix) if suffixes.contains(&suffix) => family.kind,
            _ => MetricType::Unknown,
        }
    }

    /// Adds a sample. Bounds (`le`) and quantiles are written in one way only, as `1.0`, whatever the target wrote.
    pub(super) fn sample(
        &mut self,
        name: &str,
        labels: &mut [Pair<'_>],
        value: f64,
        t: Option<TimeMs>,
    ) -> Result<(), String> {
        let normalized = match self.kind_of(name) {
            MetricType::Histogram => "le",
            MetricType::Summary => "quantile",
            _ => "",
        };
        if !normalized.is_empty() {
            for (name, value) in labels.iter_mut().filter(|(name, _)| name == normalized) {
                debug_assert!(!name.is_empty());
                if let Some(number) = parse_go_float(value) {
                    *value = Cow::Owned(OpenMetricsFloat(number).to_string());
                }
            }
        }
        let labels = self.labels(name, labels)?;
        self.push(labels, Value::Float(value), t)
    }

    /// Adds a native histogram.
    pub(super) fn histogram(
        &mut self,
        name: &str,
        labels: &mut [Pair<'_>],
        histogram: Histogram,
        t: Option<TimeMs>,
    ) -> Result<(), String> {
        let buckets = histogram.positive_buckets.len() + histogram.negative_buckets.len();
        if buckets > self.limits.histogram_buckets {
            return Err(format!("histogram with {buckets} buckets, the limit is {}", self.limits.histogram_buckets));
        }
        histogram.validate().map_err(|e| e.to_string())?;
        let labels = self.labels(name, labels)?;
        self.push(labels, Value::Histogram(histogram.into()), t)
    }

    fn push(&mut self, labels: Labels, value: Value, t: Option<TimeMs>) -> Result<(), String> {
        let samples = &mut self.exposition.batch.samples;
        if samples.len() >= self.limits.samples {
            return Err(format!("more than {} samples", self.limits.samples));
        }
        samples.push(Sample { labels, t: t.unwrap_or(self.default_time), value });
        Ok(())
    }

    /// Adds an exemplar to the sample that was added last.
    pub(super) fn exemplar(&mut self, labels: &mut [Pair<'_>], value: f64, t: Option<TimeMs>) -> Result<(), String> {
        let labels = self.labels("", labels)?;
        if let Some(sample) = self.exposition.batch.samples.last() {
            self.exposition.exemplars.push(Exemplar { series: sample.labels.clone(), labels, value, t });
        }
        Ok(())
    }

    /// A label set with the metric name, each name once.
    fn labels(&self, name: &str, labels: &mut [Pair<'_>]) -> Result<Labels, String> {
        let limits = &self.limits;
        if labels.len() + 1 > limits.labels {
            return Err(format!("{} labels on one sample, the limit is {}", labels.len() + 1, limits.labels));
        }
        check_length("metric name", name, limits.label_value_bytes)?;
        labels.sort_by(|a, b| a.0.cmp(&b.0));
        for (i, (label, value)) in labels.iter().enumerate() {
            check_length("label name", label, limits.label_name_bytes)?;
            check_length("label value", value, limits.label_value_bytes)?;
            if i > 0 && labels[i - 1].0 == *label {
                return Err(format!("label `{label}` stands twice"));
            }
            if label == METRIC_NAME {
                return Err(format!("label `{METRIC_NAME}` is the metric name's own"));
            }
        }
        let named = std::iter::once((METRIC_NAME, name)).filter(|(_, name)| !name.is_empty());
        Ok(Labels::from_pairs(named.chain(labels.iter().map(|(n, v)| (n.as_ref(), v.as_ref())))))
    }
}

fn check_length(what: &str, text: &str, limit: usize) -> Result<(), String> {
    if text.len() <= limit {
        return Ok(());
    }
    let shown: String = text.chars().take(40).collect();
    Err(format!("{what} `{shown}...` is {} bytes long, the limit is {limit}", text.len()))
}
