//! One target's task: at each of its turns collect, finish, store.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use watchglass_model::exposition::{ExpositionOptions, Format, parse_exposition_with};
use watchglass_model::{SampleBatch, TimeMs};
use watchglass_plugin::{Call, CallFailure, CallReport, Collection, Collector, Evidence, limit_series};
use watchglass_targets::{Collected, Schedule, Target, TargetState};

use crate::collection::Shared;

/// What is known of a target's last collection.
#[derive(Clone, Debug)]
pub(crate) struct TargetHealth {
    pub(crate) health: &'static str,
    pub(crate) last_error: String,
    pub(crate) last_scrape: TimeMs,
    pub(crate) last_duration: Duration,
    pub(crate) evidence: Vec<Evidence>,
}

impl Default for TargetHealth {
    fn default() -> Self {
        TargetHealth {
            health: "unknown",
            last_error: String::new(),
            last_scrape: 0,
            last_duration: Duration::ZERO,
            evidence: Vec::new(),
        }
    }
}

/// What a target is collected with.
pub(crate) struct Scrape {
    pub(crate) job: String,
    pub(crate) plugin: String,
    /// This machine is collected: the plugin is given no target.
    pub(crate) local: bool,
    pub(crate) target: Target,
    /// Why it may not be collected.
    pub(crate) refused: Option<String>,
    /// Classic histograms are taken even where the same come native.
    pub(crate) classic_beside_native: bool,
    /// Series of one collection: the first so many are kept.
    pub(crate) series_limit: usize,
    pub(crate) collector: Arc<ArcSwap<Collector>>,
    pub(crate) state: Arc<Mutex<TargetState>>,
    pub(crate) health: Arc<Mutex<TargetHealth>>,
    pub(crate) shared: Arc<Shared>,
}

impl Scrape {
    /// Collects at every turn, one after the other: at most one collection of a target is under way.
    pub(crate) async fn run(self, mut schedule: Schedule) {
        let this = Arc::new(self);
        let mut sequence = 0u32;
        loop {
            let at = schedule.next();
            tokio::time::sleep(Duration::from_millis((at - crate::now()).max(0) as u64)).await;
            Arc::clone(&this).collect(at, sequence).await;
            sequence = sequence.wrapping_add(1);
            let late = schedule.advance(crate::now());
            if late > 0 {
                this.shared.counters.add("watchglass_collection_late_total", &[("collector", &this.job)], late as f64);
            }
        }
    }

    async fn collect(self: Arc<Self>, at: TimeMs, sequence: u32) {
        let began = Instant::now();
        if let Some(refused) = &self.refused {
            let refused = Err(refused.clone());
            let stored =
                tokio::task::spawn_blocking(move || self.finish(at, Duration::ZERO, refused, None, Vec::new()));
            return told(stored.await);
        }
        let call = Call {
            target: (!self.local).then(|| watchglass_plugin::Target {
                address: self.target.address.clone(),
                params: self.target.params.clone(),
            }),
            scheduled_at: at,
            deadline: Duration::from_millis(self.target.timeout_ms.max(1) as u64),
            sequence,
        };
        let report = self.collector.load_full().collect(call).await;
        let duration = began.elapsed();
        // Parsing and the WAL may block.
        told(tokio::task::spawn_blocking(move || self.store(at, duration, report)).await);
    }

    fn store(&self, at: TimeMs, duration: Duration, report: CallReport) {
        let (result, failure, evidence) = match report.outcome {
            Err(failure) => (Err(words(&failure)), None, Vec::new()),
            Ok(collection) => {
                let failure = collection.failure.as_ref().map(words);
                let (samples, evidence) = self.samples(collection, at);
                (samples, failure, evidence)
            }
        };
        self.finish(at, duration, result, failure, evidence);
    }

    /// The samples of a collection, bodies read, and what it says of itself.
    fn samples(&self, collection: Collection, at: TimeMs) -> (Result<SampleBatch, String>, Vec<Evidence>) {
        let mut batch = collection.samples;
        let (own, mut excess) = (batch.samples.len(), collection.excess);
        let options = ExpositionOptions { classic_beside_native: self.classic_beside_native, ..Default::default() };
        for body in &collection.expositions {
            let format = Format::from_content_type(&body.content_type).unwrap_or(Format::Text);
            match parse_exposition_with(format, &body.body, at, &options) {
                Ok(parsed) => extend(&mut batch, parsed.batch),
                Err(e) => return (Err(e.to_string()), collection.evidence),
            }
        }
        if !collection.expositions.is_empty() {
            let counted = batch.samples.len().min(self.series_limit) - own.min(self.series_limit);
            excess = limit_series(&mut batch, self.series_limit);
            self.collector.load().count_body(counted, excess.as_ref().map_or(0, |e| e.dropped));
        }
        if let Some(excess) = &excess {
            tracing::warn!(
                collector = self.job,
                target = self.target.address,
                dropped = excess.dropped,
                "more samples than the plugin may give; label `{}` has {} values",
                excess.label,
                excess.distinct
            );
        }
        (Ok(batch), collection.evidence)
    }

    fn finish(
        &self,
        at: TimeMs,
        duration: Duration,
        result: Result<SampleBatch, String>,
        failure: Option<String>,
        evidence: Vec<Evidence>,
    ) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let finished = state.finish(Collected { at, duration, result, failure });
        let appended = self.shared.store.append(&finished.batch, crate::now());
        drop(state);
        let counters = &self.shared.counters;
        if finished.over_limit {
            counters.add("prometheus_target_scrapes_exceeded_sample_limit_total", &[], 1.0);
        }
        match appended {
            Ok(appended) => {
                for (name, count) in [
                    ("prometheus_target_scrapes_sample_out_of_order_total", appended.out_of_order),
                    ("prometheus_target_scrapes_sample_duplicate_timestamp_total", appended.conflicts),
                    (
                        "prometheus_target_scrapes_sample_out_of_bounds_total",
                        appended.out_of_bounds + finished.out_of_bounds as u64,
                    ),
                ] {
                    if count > 0 {
                        counters.add(name, &[], count as f64);
                    }
                }
            }
            Err(e) => {
                tracing::error!(collector = self.job, target = self.target.address, error = %e, "samples were lost")
            }
        }
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        let (before, error) = (health.health, finished.error.unwrap_or_default());
        let now = if error.is_empty() { "up" } else { "down" };
        if before != now && (now == "down" || before == "down") {
            tracing::info!(
                collector = self.job,
                target = self.target.address,
                plugin = self.plugin,
                error,
                "target is {now}"
            );
        }
        *health = TargetHealth { health: now, last_error: error, last_scrape: at, last_duration: duration, evidence };
        drop(health);
        self.shared.evaluation.collected(&finished.batch);
    }
}

fn told(stored: Result<(), tokio::task::JoinError>) {
    if let Err(panic) = stored {
        tracing::error!(error = %panic, "bug: storing a collection panicked; its samples are lost");
    }
}

/// A failure in words: its kind where the words alone would not tell.
fn words(failure: &CallFailure) -> String {
    if failure.reason.is_plugins_fault() { failure.to_string() } else { failure.message.clone() }
}

fn extend(batch: &mut SampleBatch, mut other: SampleBatch) {
    if batch.samples.is_empty() && batch.metadata.is_empty() {
        *batch = other;
    } else {
        batch.samples.append(&mut other.samples);
        batch.metadata.append(&mut other.metadata);
    }
}
