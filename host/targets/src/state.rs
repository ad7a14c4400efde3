//! What becomes of a target's samples: relabelled, limited, labelled, and with what vanished marked stale.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use watchglass_model::{Labels, LabelsBuilder, METRIC_NAME, Sample, SampleBatch, TimeMs, Value, stale_nan};

use crate::histograms::{convert_classic, limited};
use crate::relabel;

/// How far in the future a sample's own timestamp may lie, as in Prometheus: a clock that is off must not move the head.
const FUTURE_MS_MAX: i64 = 10 * 60 * 1000;

/// What a job says of samples: the keys of a scrape_config with their meaning. 0 is no limit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SampleOptions {
    /// Keeps the labels of a sample where the target has one of the same name, instead of renaming it `exported_...`.
    pub honor_labels: bool,
    /// Takes the timestamps that samples have of their own.
    pub honor_timestamps: bool,
    /// `metric_relabel_configs`.
    pub metric_relabel: Vec<relabel::Config>,
    /// Samples after relabelling: more fail the collection.
    pub sample_limit: usize,
    /// Labels of a sample: more fail the collection.
    pub label_limit: usize,
    /// Length of a label name: a longer one fails the collection.
    pub label_name_length_limit: usize,
    /// Length of a label value: a longer one fails the collection.
    pub label_value_length_limit: usize,
    /// Ends series with timestamps of their own too, when they don't come again (`track_timestamps_staleness`).
    pub track_timestamps_staleness: bool,
    /// Buckets of a native histogram: it is made coarser until it has no more; one that can't be fails the collection.
    pub native_histogram_bucket_limit: usize,
    /// The least factor by which the buckets of a native histogram grow: finer ones are made coarser.
    pub native_histogram_min_bucket_factor: f64,
    /// Takes classic histograms as native ones with custom buckets.
    pub convert_classic_histograms_to_nhcb: bool,
    /// Takes classic histograms too where they are taken as native ones.
    pub always_scrape_classic_histograms: bool,
    /// Takes the names that Prometheus 2 had, and fails the collection on others.
    pub legacy_names: bool,
}

/// What a collection gave.
#[derive(Clone, Debug)]
pub struct Collected {
    /// When it began: the time of all samples that have none of their own.
    pub at: TimeMs,
    /// How long it took.
    pub duration: Duration,
    /// The samples; an error means there are none.
    pub result: Result<SampleBatch, String>,
    /// The target is down all the same (`up` 0).
    pub failure: Option<String>,
}

/// What is to be stored of it.
#[derive(Clone, Debug, Default)]
pub struct Finished {
    /// The samples with `up` and its like and staleness markers.
    pub batch: SampleBatch,
    /// Why the target is down.
    pub error: Option<String>,
    /// Samples before relabelling.
    pub scraped: usize,
    /// Samples after relabelling.
    pub kept: usize,
    /// Whether there were more samples than the limit.
    pub over_limit: bool,
    /// Samples too far in the future.
    pub out_of_bounds: usize,
}

/// What a series is stored as, remembered from collection to collection, for relabelling costs more than all the rest.
#[derive(Clone, Debug)]
struct Known {
    /// `None`: relabelling drops it.
    stored: Option<Labels>,
    /// The number of the collection that had it last.
    seen: u64,
}

/// A target between two collections.
#[derive(Clone, Debug)]
pub struct TargetState {
    labels: Labels,
    options: SampleOptions,
    /// The series of the last collection that had samples: those that don't come again end.
    series: HashSet<Labels>,
    /// Series as they were exposed.
    known: HashMap<Labels, Known>,
    /// How many collections there were.
    collections: u64,
    /// Whether `up` was written: it ends with the target.
    reported: bool,
}

impl TargetState {
    /// A target that was never collected. `labels` are what its samples get.
    pub fn new(labels: Labels, options: SampleOptions) -> TargetState {
        TargetState { labels, options, series: HashSet::new(), known: HashMap::new(), collections: 0, reported: false }
    }

    /// Works by other options from now on.
    pub fn set_options(&mut self, options: SampleOptions) {
        if self.options != options {
            self.known.clear();
        }
        self.options = options;
    }

    /// Makes what is stored of a collection. A failed one ends all series, as in Prometheus.
    pub fn finish(&mut self, collected: Collected) -> Finished {
        let at = collected.at;
        let mut out = Finished { error: collected.failure, ..Finished::default() };
        let mut series = HashSet::new();
        match collected.result {
            Err(error) => out.error = Some(error),
            Ok(mut batch) => {
                out.scraped = batch.samples.len();
                if self.options.convert_classic_histograms_to_nhcb {
                    convert_classic(&mut batch, self.options.always_scrape_classic_histograms);
                }
                out.batch.metadata = batch.metadata;
                match self.take(batch.samples, at, &mut series, &mut out) {
                    Ok(samples) => out.batch.samples = samples,
                    // As if nothing had been collected.
                    Err(error) => {
                        series.clear();
                        out.error = Some(error);
                    }
                }
            }
        }
        let added = series.difference(&self.series).count();
        let mut gone: Vec<Labels> = self.series.difference(&series).cloned().collect();
        gone.sort();
        out.batch.samples.extend(gone.into_iter().map(|labels| sample(labels, at, stale_nan())));
        self.series = series;
        self.reported = true;
        let reports = [
            ("up", f64::from(u8::from(out.error.is_none()))),
            ("scrape_duration_seconds", collected.duration.as_secs_f64()),
            ("scrape_samples_scraped", out.scraped as f64),
            ("scrape_samples_post_metric_relabeling", out.kept as f64),
            ("scrape_series_added", added as f64),
        ];
        out.batch.samples.extend(reports.map(|(name, value)| sample(self.report_labels(name), at, value)));
        out
    }

    fn take(
        &mut self,
        samples: Vec<Sample>,
        at: TimeMs,
        series: &mut HashSet<Labels>,
        out: &mut Finished,
    ) -> Result<Vec<Sample>, String> {
        let mut kept = Vec::with_capacity(samples.len() + 8);
        self.collections += 1;
        let (limit, buckets) = (self.options.sample_limit, self.options.native_histogram_bucket_limit);
        let factor = self.options.native_histogram_min_bucket_factor;
        for mut sample in samples {
            let Some(labels) = self.stored(&sample.labels)? else { continue };
            out.kept += 1;
            if limit > 0 && out.kept > limit {
                // Counted to the end: whoever raises the limit wants to know how far.
                continue;
            }
            if let Value::Histogram(histogram) = &sample.value
                && (buckets > 0 || factor > 0.0)
            {
                sample.value = Value::Histogram(limited(histogram, buckets, factor)?);
            }
            sample.labels = labels;
            if !self.options.honor_timestamps {
                sample.t = at;
            }
            if sample.t > at + FUTURE_MS_MAX {
                out.out_of_bounds += 1;
                out.kept -= 1;
                continue;
            }
            // A series with timestamps of its own ends when its timestamps end: no marker, as in Prometheus.
            if sample.t == at || self.options.track_timestamps_staleness {
                series.insert(sample.labels.clone());
            }
            kept.push(sample);
        }
        let collection = self.collections;
        self.known.retain(|_, known| known.seen == collection);
        if limit > 0 && out.kept > limit {
            out.over_limit = true;
            return Err(format!("sample limit exceeded (limit: {limit}, samples: {})", out.kept));
        }
        Ok(kept)
    }

    /// As what a series is stored; `None`: it is dropped. An error where it goes beyond a limit on labels.
    fn stored(&mut self, exposed: &Labels) -> Result<Option<Labels>, String> {
        if let Some(known) = self.known.get_mut(exposed) {
            known.seen = self.collections;
            return Ok(known.stored.clone());
        }
        let stored = self.relabelled(exposed);
        if let Some(labels) = &stored {
            self.check_limits(labels)?;
        }
        self.known.insert(exposed.clone(), Known { stored: stored.clone(), seen: self.collections });
        Ok(stored)
    }

    /// The labels under which a sample is stored; `None`: it is dropped.
    fn relabelled(&self, labels: &Labels) -> Option<Labels> {
        let mut builder = LabelsBuilder::new(labels);
        for (name, value) in self.labels.iter() {
            let own = builder.value(name);
            if own.is_empty() {
                builder.set(name, value);
            } else if !self.options.honor_labels {
                let own = own.to_owned();
                let mut renamed = format!("exported_{name}");
                while !builder.value(&renamed).is_empty() || self.labels.get(&renamed).is_some() {
                    renamed.insert_str(0, "exported_");
                }
                builder.set(&renamed, &own).set(name, value);
            }
        }
        let labels = relabel::apply(&self.options.metric_relabel, &builder.build())?;
        (!labels.metric_name().is_empty()).then_some(labels)
    }

    fn check_limits(&self, labels: &Labels) -> Result<(), String> {
        let (o, name) = (&self.options, labels.metric_name());
        if o.legacy_names
            && let Some(wrong) = labels.iter().find_map(|(n, v)| legacy_fault(n, v))
        {
            return Err(format!(
                "`{wrong}` is no name that metric_name_validation_scheme = \"legacy\" allows (metric: \"{name}\")"
            ));
        }
        if o.label_limit > 0 && labels.len() > o.label_limit {
            return Err(format!(
                "label_limit exceeded (metric: \"{name}\", number of labels: {}, limit: {})",
                labels.len(),
                o.label_limit
            ));
        }
        if o.label_name_length_limit == 0 && o.label_value_length_limit == 0 {
            return Ok(());
        }
        for (label, value) in labels.iter() {
            if o.label_name_length_limit > 0 && label.len() > o.label_name_length_limit {
                return Err(format!(
                    "label_name_length_limit exceeded (metric: \"{name}\", label name: \"{label}\", length: {}, limit: {})",
                    label.len(),
                    o.label_name_length_limit
                ));
            }
            if o.label_value_length_limit > 0 && value.len() > o.label_value_length_limit {
                return Err(format!(
                    "label_value_length_limit exceeded (metric: \"{name}\", label name: \"{label}\", length: {}, limit: {})",
                    value.len(),
                    o.label_value_length_limit
                ));
            }
        }
        Ok(())
    }

    fn report_labels(&self, name: &str) -> Labels {
        self.labels.with(METRIC_NAME, name)
    }

    /// The target goes away: its series and what was reported of it end.
    pub fn end(&mut self, at: TimeMs) -> SampleBatch {
        let mut gone: Vec<Labels> = self.series.drain().collect();
        gone.sort();
        self.known.clear();
        let mut samples: Vec<Sample> = gone.into_iter().map(|labels| sample(labels, at, stale_nan())).collect();
        if std::mem::take(&mut self.reported) {
            let names = [
                "up",
                "scrape_duration_seconds",
                "scrape_samples_scraped",
                "scrape_samples_post_metric_relabeling",
                "scrape_series_added",
            ];
            samples.extend(names.map(|name| sample(self.report_labels(name), at, stale_nan())));
        }
        SampleBatch { samples, metadata: Vec::new() }
    }
}

/// The metric or label name that is none of Prometheus 2's.
fn legacy_fault<'a>(name: &'a str, value: &'a str) -> Option<&'a str> {
    let ok = |text: &str, colons: bool| {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || colons && c == ':';
        !text.is_empty() && text.chars().all(fits) && !text.starts_with(|c: char| c.is_ascii_digit())
    };
    if name == METRIC_NAME { (!ok(value, true)).then_some(value) } else { (!ok(name, false)).then_some(name) }
}

fn sample(labels: Labels, t: TimeMs, value: f64) -> Sample {
    Sample { labels, t, value: Value::Float(value) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use watchglass_model::is_stale_nan;

    fn state(options: SampleOptions) -> TargetState {
        TargetState::new(Labels::from_pairs([("job", "j"), ("instance", "i")]), options)
    }

    fn batch(samples: &[(&str, TimeMs, f64)]) -> SampleBatch {
        let parse = |text: &str| Labels::from_pairs(text.split(',').map(|p| p.split_once('=').unwrap()));
        let samples = samples.iter().map(|(labels, t, v)| sample(parse(labels), *t, *v)).collect();
        SampleBatch { samples, metadata: Vec::new() }
    }

    fn collect(state: &mut TargetState, at: TimeMs, result: Result<SampleBatch, String>) -> Vec<String> {
        let finished = state.finish(Collected { at, duration: Duration::from_millis(5), result, failure: None });
        let show = |s: &Sample| {
            let Value::Float(v) = s.value else { panic!("no histograms here") };
            let v = if is_stale_nan(v) { "stale".to_owned() } else { v.to_string() };
            format!("{} {v} @{}", s.labels, s.t)
        };
        finished.batch.samples.iter().map(show).filter(|s| !s.starts_with("scrape_")).collect()
    }

    #[test]
    fn vanished_series_end_and_a_failure_ends_all() {
        let mut state = state(SampleOptions { honor_timestamps: true, ..SampleOptions::default() });
        let up = |v: u8, t: i64| format!("up{{instance=\"i\", job=\"j\"}} {v} @{t}");
        let first = collect(
            &mut state,
            1000,
            Ok(batch(&[("__name__=a", 1000, 1.0), ("__name__=b", 1000, 2.0), ("__name__=c", 500, 3.0)])),
        );
        assert_eq!(first[3], up(1, 1000));
        let second = collect(&mut state, 2000, Ok(batch(&[("__name__=a", 2000, 1.0)])));
        assert_eq!(
            second,
            [
                "a{instance=\"i\", job=\"j\"} 1 @2000".to_owned(),
                "b{instance=\"i\", job=\"j\"} stale @2000".to_owned(),
                up(1, 2000)
            ],
            "c has its own time: no marker"
        );
        let third = collect(&mut state, 3000, Err("connection refused".into()));
        assert_eq!(third, ["a{instance=\"i\", job=\"j\"} stale @3000".to_owned(), up(0, 3000)]);
        assert_eq!(state.end(4000).samples.len(), 5, "the reports end");
        assert!(state.end(5000).samples.is_empty());
    }

    #[test]
    fn labels_of_the_target_win_unless_honored() {
        let own = "__name__=a,job=mine,exported_job=x";
        let mut plain = state(SampleOptions::default());
        assert_eq!(
            collect(&mut plain, 1, Ok(batch(&[(own, 0, 1.0)])))[0],
            r#"a{exported_exported_job="mine", exported_job="x", instance="i", job="j"} 1 @1"#
        );
        let mut honoring = state(SampleOptions { honor_labels: true, ..SampleOptions::default() });
        assert_eq!(
            collect(&mut honoring, 1, Ok(batch(&[(own, 0, 1.0)])))[0],
            r#"a{exported_job="x", instance="i", job="mine"} 1 @1"#
        );
    }

    #[test]
    fn own_timestamps_end_too_where_that_is_asked_for() {
        for (tracked, lines) in [(false, 1), (true, 2)] {
            let options = SampleOptions {
                honor_timestamps: true,
                track_timestamps_staleness: tracked,
                ..SampleOptions::default()
            };
            let mut state = state(options);
            collect(&mut state, 1000, Ok(batch(&[("__name__=a", 500, 1.0)])));
            let second = collect(&mut state, 2000, Ok(batch(&[])));
            assert_eq!(second.len(), lines, "{second:?}");
        }
    }

    #[test]
    fn limits() {
        let mut limited = state(SampleOptions { sample_limit: 1, ..SampleOptions::default() });
        let finished = limited.finish(Collected {
            at: 1,
            duration: Duration::ZERO,
            result: Ok(batch(&[("__name__=a", 1, 1.0), ("__name__=b", 1, 1.0)])),
            failure: None,
        });
        assert_eq!((finished.kept, finished.over_limit), (2, true), "none of it is stored, as in Prometheus");
        assert!(finished.error.unwrap().starts_with("sample limit exceeded"));
        let mut legacy = state(SampleOptions { legacy_names: true, ..SampleOptions::default() });
        for (labels, fails) in
            [("__name__=a:b", false), ("__name__=a.b", true), ("__name__=a,b:c=d", true), ("__name__=9a", true)]
        {
            let result = Ok(batch(&[(labels, 1, 1.0)]));
            let finished = legacy.finish(Collected { at: 1, duration: Duration::ZERO, result, failure: None });
            assert_eq!(finished.error.is_some(), fails, "{labels}");
        }
        let mut labelled = state(SampleOptions { label_limit: 2, ..SampleOptions::default() });
        let finished = labelled.finish(Collected {
            at: 1,
            duration: Duration::ZERO,
            result: Ok(batch(&[("__name__=a", 1, 1.0)])),
            failure: None,
        });
        assert!(finished.error.unwrap().starts_with("label_limit exceeded"));
        let far = state(SampleOptions { honor_timestamps: true, ..SampleOptions::default() }).finish(Collected {
            at: 1,
            duration: Duration::ZERO,
            result: Ok(batch(&[("__name__=a", 1_000_000, 1.0)])),
            failure: None,
        });
        assert_eq!((far.kept, far.out_of_bounds), (0, 1));
    }
}
