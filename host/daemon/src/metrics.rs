//! What the daemon counts of itself, and the table of all metrics it exposes.
//!
//! What means the same as in Prometheus or Alertmanager has their name, so that their dashboards work; all else is `watchglass_*`.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use watchglass_model::{Labels, MetricType, TimeMs};

use MetricType::{Counter, Gauge, Histogram, Info, Summary};

/// Name, type and help of every metric. What is not here can't be counted, and `docs/metrics.md` is checked against it.
pub(crate) const METRICS: &[(&str, MetricType, &str)] = &[
    ("alertmanager_alerts", Gauge, "Alerts by state."),
    ("alertmanager_alerts_invalid_total", Counter, "Alerts that were not taken."),
    ("alertmanager_alerts_received_total", Counter, "Alerts received, from rules and by the API, by status."),
    ("alertmanager_build_info", Gauge, "Version; the value is 1."),
    ("alertmanager_cluster_enabled", Gauge, "Always 0: one daemon is not part of a cluster."),
    ("alertmanager_config_hash", Gauge, "A number made of the text of alertmanager.yml."),
    ("alertmanager_config_last_reload_success_timestamp_seconds", Gauge, "When alertmanager.yml was last loaded."),
    ("alertmanager_config_last_reload_successful", Gauge, "Whether the last reload of alertmanager.yml worked."),
    ("alertmanager_dispatcher_aggregation_groups", Gauge, "Groups of alerts."),
    ("alertmanager_inhibition_rules", Gauge, "Inhibition rules."),
    ("alertmanager_integrations", Gauge, "Integrations of all receivers."),
    (
        "alertmanager_notification_latency_seconds",
        Histogram,
        "Time until a receiver answered, attempts that failed before included.",
    ),
    ("alertmanager_notification_requests_failed_total", Counter, "Attempts to send that a receiver did not take."),
    ("alertmanager_notification_requests_total", Counter, "Attempts to send."),
    ("alertmanager_notifications_failed_total", Counter, "Notifications that a receiver did not take, by reason."),
    (
        "alertmanager_notifications_suppressed_total",
        Counter,
        "Times that an alert was left out of a turn of its group, by reason.",
    ),
    ("alertmanager_notifications_total", Counter, "Notifications tried."),
    ("alertmanager_receivers", Gauge, "Receivers."),
    ("alertmanager_silences", Gauge, "Silences by state."),
    ("process_cpu_seconds_total", Counter, "CPU time of the daemon."),
    ("process_max_fds", Gauge, "File descriptors that the daemon may open."),
    ("process_open_fds", Gauge, "File descriptors that are open."),
    ("process_resident_memory_bytes", Gauge, "Resident memory."),
    ("process_start_time_seconds", Gauge, "When the daemon started, in Unix time."),
    ("process_virtual_memory_bytes", Gauge, "Virtual memory."),
    ("prometheus_build_info", Gauge, "Version; the value is 1."),
    ("prometheus_config_last_reload_success_timestamp_seconds", Gauge, "When the configuration was last loaded."),
    ("prometheus_config_last_reload_successful", Gauge, "Whether the last reload worked."),
    ("prometheus_engine_queries", Gauge, "Queries that run now."),
    ("prometheus_engine_queries_concurrent_max", Gauge, "Queries that may run at once."),
    ("prometheus_engine_query_duration_seconds", Summary, "Time of queries."),
    ("prometheus_engine_query_failures_total", Counter, "Queries that failed."),
    ("prometheus_http_requests_total", Counter, "HTTP requests by path and status."),
    ("prometheus_remote_storage_samples_in_total", Counter, "Samples received by remote write."),
    ("prometheus_rule_evaluation_duration_seconds", Summary, "Time of rule evaluations."),
    ("prometheus_rule_evaluation_failures_total", Counter, "Rule evaluations that failed, by group."),
    ("prometheus_rule_evaluations_total", Counter, "Rule evaluations, by group."),
    ("prometheus_rule_group_interval_seconds", Gauge, "Interval of a group."),
    (
        "prometheus_rule_group_iterations_missed_total",
        Counter,
        "Turns of a group that were left out because one before took too long.",
    ),
    ("prometheus_rule_group_iterations_total", Counter, "Turns of a group, left out ones included."),
    ("prometheus_rule_group_last_duration_seconds", Gauge, "Time of a group's last turn."),
    ("prometheus_rule_group_last_evaluation_samples", Gauge, "Samples that a group's last turn gave."),
    ("prometheus_rule_group_last_evaluation_timestamp_seconds", Gauge, "When a group had its last turn."),
    ("prometheus_rule_group_rules", Gauge, "Rules of a group."),
    ("prometheus_sd_discovered_targets", Gauge, "Targets before relabelling, by collector."),
    (
        "prometheus_target_scrapes_exceeded_sample_limit_total",
        Counter,
        "Collections that failed because they had more samples than `sample_limit`.",
    ),
    (
        "prometheus_target_scrapes_sample_duplicate_timestamp_total",
        Counter,
        "Samples with the time of another that has another value.",
    ),
    ("prometheus_target_scrapes_sample_out_of_bounds_total", Counter, "Samples of a time that is out of bounds."),
    ("prometheus_target_scrapes_sample_out_of_order_total", Counter, "Samples older than their series' newest."),
    ("prometheus_tsdb_blocks_loaded", Gauge, "Blocks."),
    ("prometheus_tsdb_checkpoint_creations_failed_total", Counter, "Checkpoints that failed."),
    ("prometheus_tsdb_checkpoint_creations_total", Counter, "Checkpoints."),
    ("prometheus_tsdb_clean_start", Gauge, "Whether the process before stopped cleanly."),
    ("prometheus_tsdb_compactions_failed_total", Counter, "Blocks that could not be written."),
    ("prometheus_tsdb_compactions_total", Counter, "Blocks written."),
    ("prometheus_tsdb_compactions_triggered_total", Counter, "Looks for blocks to write."),
    ("prometheus_tsdb_data_replay_duration_seconds", Gauge, "Time of the replay at the start."),
    ("prometheus_tsdb_head_chunks", Gauge, "Chunks in the head."),
    ("prometheus_tsdb_head_chunks_created_total", Counter, "Chunks made in the head."),
    ("prometheus_tsdb_head_chunks_removed_total", Counter, "Chunks removed from the head."),
    ("prometheus_tsdb_head_max_time", Gauge, "Newest time in the head, milliseconds."),
    ("prometheus_tsdb_head_max_time_seconds", Gauge, "Newest time in the head."),
    ("prometheus_tsdb_head_min_time", Gauge, "Oldest time in the head, milliseconds."),
    ("prometheus_tsdb_head_min_time_seconds", Gauge, "Oldest time in the head."),
    ("prometheus_tsdb_head_samples_appended_total", Counter, "Samples appended, by type."),
    ("prometheus_tsdb_head_series", Gauge, "Series in the head."),
    ("prometheus_tsdb_head_series_created_total", Counter, "Series made in the head."),
    ("prometheus_tsdb_head_series_removed_total", Counter, "Series removed from the head."),
    ("prometheus_tsdb_head_truncations_total", Counter, "Truncations of the head."),
    ("prometheus_tsdb_lowest_timestamp", Gauge, "Oldest time stored, milliseconds."),
    ("prometheus_tsdb_lowest_timestamp_seconds", Gauge, "Oldest time stored."),
    ("prometheus_tsdb_out_of_bound_samples_total", Counter, "Samples out of bounds."),
    ("prometheus_tsdb_out_of_order_samples_total", Counter, "Samples out of order."),
    ("prometheus_tsdb_reloads_failures_total", Counter, "Blocks that could not be opened."),
    ("prometheus_tsdb_retention_limit_seconds", Gauge, "Retention."),
    ("prometheus_tsdb_size_retentions_total", Counter, "Blocks deleted for want of space."),
    ("prometheus_tsdb_storage_blocks_bytes", Gauge, "Bytes of all blocks."),
    ("prometheus_tsdb_time_retentions_total", Counter, "Blocks deleted for their age."),
    ("prometheus_tsdb_wal_corruptions_total", Counter, "Damaged places found in the WAL."),
    ("prometheus_tsdb_wal_segment_current", Gauge, "Segment of the WAL that is written."),
    ("prometheus_tsdb_wal_storage_size_bytes", Gauge, "Bytes of the WAL."),
    ("prometheus_tsdb_wal_writes_failed_total", Counter, "Writes to the WAL that failed."),
    (
        "watchglass_alerting_state_write_failures_total",
        Counter,
        "Writes of silences and the notification log that failed.",
    ),
    ("watchglass_collection_late_total", Counter, "Collections left out because the one before had not ended."),
    ("watchglass_compiled_plugins_total", Counter, "Plugins compiled, by where the artifact came from."),
    ("watchglass_plugin_calls_total", Counter, "Calls of plugins."),
    ("watchglass_plugin_cpu_seconds_total", Counter, "CPU time in plugins."),
    ("watchglass_plugin_denied_total", Counter, "Imports that were refused for want of a grant."),
    ("watchglass_plugin_duration_seconds", Summary, "Time of calls."),
    ("watchglass_plugin_failures_total", Counter, "Calls that failed, by reason."),
    ("watchglass_plugin_info", Info, "Plugins and what state they are in; the value is 1."),
    ("watchglass_plugin_memory_bytes", Gauge, "Memory of a plugin's instance after its last call."),
    ("watchglass_plugin_samples_dropped_total", Counter, "Samples over the series limit."),
    ("watchglass_plugin_samples_total", Counter, "Samples that plugins gave."),
];

/// One value of one metric.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Metric {
    /// Its name in the table, with `_sum` or `_count` behind that of a summary.
    pub(crate) name: &'static str,
    /// Its labels.
    pub(crate) labels: Labels,
    /// Its value.
    pub(crate) value: f64,
}

/// A metric without state of its own.
pub(crate) fn metric(name: &'static str, labels: &[(&str, &str)], value: f64) -> Metric {
    Metric { name, labels: Labels::from_pairs(labels.iter().copied()), value }
}

/// Counters and gauges that are kept between two looks.
#[derive(Default)]
pub(crate) struct Counters(Mutex<BTreeMap<(&'static str, Labels), f64>>);

impl Counters {
    /// Adds to a counter.
    pub(crate) fn add(&self, name: &'static str, labels: &[(&str, &str)], by: f64) {
        *self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry((name, Labels::from_pairs(labels.iter().copied())))
            .or_default() += by;
    }

    /// Sets a gauge.
    pub(crate) fn set(&self, name: &'static str, labels: &[(&str, &str)], value: f64) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert((name, Labels::from_pairs(labels.iter().copied())), value);
    }

    /// Forgets what carries a label: a collector or a group that is gone.
    pub(crate) fn forget(&self, label: &str, value: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|(_, labels), _| labels.value(label) != value);
    }

    /// Everything counted.
    pub(crate) fn metrics(&self) -> Vec<Metric> {
        let counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counted.iter().map(|((name, labels), value)| Metric { name, labels: labels.clone(), value: *value }).collect()
    }

    pub(crate) fn query(&self, took: Duration, ok: bool) {
        self.add("prometheus_engine_query_duration_seconds_sum", &[("slice", "inner_eval")], took.as_secs_f64());
        self.add("prometheus_engine_query_duration_seconds_count", &[("slice", "inner_eval")], 1.0);
        if !ok {
            self.add("prometheus_engine_query_failures_total", &[], 1.0);
        }
    }

    pub(crate) fn state_write_failed(&self) {
        self.add("watchglass_alerting_state_write_failures_total", &[], 1.0);
    }
}

/// What the kernel knows of this process, as Prometheus' clients expose it.
pub(crate) fn process_metrics() -> Vec<Metric> {
    let mut out = Vec::new();
    let page = rustix::param::page_size() as f64;
    let ticks = rustix::param::clock_ticks_per_second() as f64;
    if let Ok(stat) = std::fs::read_to_string("/proc/self/stat")
        && let Some((_, rest)) = stat.rsplit_once(')')
    {
        // Fields after the name, from the third on: utime is the 14th of all, stime the 15th, starttime the 22nd, vsize, rss.
        let field = |n: usize| rest.split_whitespace().nth(n - 3).and_then(|f| f.parse::<f64>().ok());
        if let (Some(user), Some(system)) = (field(14), field(15)) {
            out.push(metric("process_cpu_seconds_total", &[], (user + system) / ticks));
        }
        out.extend(field(23).map(|v| metric("process_virtual_memory_bytes", &[], v)));
        out.extend(field(24).map(|v| metric("process_resident_memory_bytes", &[], v * page)));
    }
    if let Ok(fds) = std::fs::read_dir("/proc/self/fd") {
        out.push(metric("process_open_fds", &[], fds.count() as f64));
    }
    if let Some(max) = rustix::process::getrlimit(rustix::process::Resource::Nofile).current {
        out.push(metric("process_max_fds", &[], max as f64));
    }
    out
}

/// The metrics of the store.
pub(crate) fn store_metrics(stats: &watchglass_store::Stats, retention_ms: TimeMs) -> Vec<Metric> {
    let n = |v: u64| v as f64;
    let mut out: Vec<Metric> = [
        ("prometheus_tsdb_blocks_loaded", n(stats.blocks)),
        ("prometheus_tsdb_checkpoint_creations_failed_total", n(stats.checkpoint_creations_failed)),
        ("prometheus_tsdb_checkpoint_creations_total", n(stats.checkpoint_creations)),
        ("prometheus_tsdb_clean_start", f64::from(u8::from(stats.clean_start))),
        ("prometheus_tsdb_compactions_failed_total", n(stats.compactions_failed)),
        ("prometheus_tsdb_compactions_total", n(stats.compactions)),
        ("prometheus_tsdb_compactions_triggered_total", n(stats.compactions_triggered)),
        ("prometheus_tsdb_data_replay_duration_seconds", stats.replay_seconds),
        ("prometheus_tsdb_head_chunks", n(stats.head_chunks)),
        ("prometheus_tsdb_head_chunks_created_total", n(stats.head_chunks_created)),
        ("prometheus_tsdb_head_chunks_removed_total", n(stats.head_chunks_removed)),
        ("prometheus_tsdb_head_series", n(stats.head_series)),
        ("prometheus_tsdb_head_series_created_total", n(stats.head_series_created)),
        ("prometheus_tsdb_head_series_removed_total", n(stats.head_series_removed)),
        ("prometheus_tsdb_head_truncations_total", n(stats.head_truncations)),
        ("prometheus_tsdb_out_of_bound_samples_total", n(stats.out_of_bound_samples)),
        ("prometheus_tsdb_out_of_order_samples_total", n(stats.out_of_order_samples)),
        ("prometheus_tsdb_reloads_failures_total", n(stats.blocks_failed)),
        ("prometheus_tsdb_retention_limit_seconds", retention_ms as f64 / 1000.0),
        ("prometheus_tsdb_size_retentions_total", n(stats.size_retentions)),
        ("prometheus_tsdb_storage_blocks_bytes", n(stats.block_bytes)),
        ("prometheus_tsdb_time_retentions_total", n(stats.time_retentions)),
        ("prometheus_tsdb_wal_corruptions_total", n(stats.wal_corruptions)),
        ("prometheus_tsdb_wal_segment_current", n(stats.wal_segment)),
        ("prometheus_tsdb_wal_storage_size_bytes", n(stats.wal_bytes)),
        ("prometheus_tsdb_wal_writes_failed_total", n(stats.wal_writes_failed)),
    ]
    .map(|(name, value)| metric(name, &[], value))
    .into();
    for (kind, count) in [("float", stats.head_floats_appended), ("histogram", stats.head_histograms_appended)] {
        out.push(metric("prometheus_tsdb_head_samples_appended_total", &[("type", kind)], n(count)));
    }
    let times = [
        ("prometheus_tsdb_head_max_time", "prometheus_tsdb_head_max_time_seconds", stats.head_max_time),
        ("prometheus_tsdb_head_min_time", "prometheus_tsdb_head_min_time_seconds", stats.head_min_time),
        ("prometheus_tsdb_lowest_timestamp", "prometheus_tsdb_lowest_timestamp_seconds", stats.lowest_time),
    ];
    for (ms_name, s_name, time) in times {
        let time = time.unwrap_or(0) as f64;
        out.extend([metric(ms_name, &[], time), metric(s_name, &[], (time / 1000.0).floor())]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Alertmanager has and we have not, and why.
    const LEFT_OUT: &str = "
What Alertmanager exposes and Watchglass does not, because it measures what is not there: `alertmanager_cluster_*` but the one above and
`*_gossip_*` (no cluster), `alertmanager_nflog_*` and `alertmanager_silences_*` but the states (no snapshots, no index: both are written
record by record), `alertmanager_http_*` (see `prometheus_http_requests_total`), `alertmanager_alerts_subscriber_channel_writes_total`,
`alertmanager_dispatcher_alert_processing_duration_seconds` and `alertmanager_dispatcher_aggregation_group_*` (one state machine, no
channels between parts), `alertmanager_alerts_per_alert_limit` (no such limit). Notifications have the label `receiver_name` always.
";

    /// The page is made of the table: `UPDATE_EXPECT=1 cargo test -p watchglass` writes it.
    #[test]
    fn the_page_of_metrics_is_the_table() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
        let mut page = String::from(
            "# Metrics of the daemon\n\nAt `/metrics`. What means the same as in Prometheus or Alertmanager has their name.\n\n| metric | type | what |\n|---|---|---|\n",
        );
        for (name, kind, help) in METRICS {
            page.push_str(&format!("| `{name}` | {} | {help} |\n", kind.as_str()));
        }
        page.push_str(LEFT_OUT);
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&path, &page).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), page, "hint: UPDATE_EXPECT=1 writes it anew");
    }

    #[test]
    fn the_table_is_sorted_and_every_metric_of_a_snapshot_is_in_it() {
        assert!(METRICS.windows(2).all(|w| w[0].0 < w[1].0), "sorted, each once");
        let known = |name: &str| METRICS.iter().any(|(n, ..)| *n == name);
        for m in process_metrics().iter().chain(&store_metrics(&watchglass_store::Stats::default(), 0)) {
            assert!(known(m.name), "{} is not in the table", m.name);
        }
    }
}
