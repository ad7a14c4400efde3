//! Queries on a bounded blocking pool: never on a tokio worker, never more at once than configured, never past their time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use watchglass_model::{SeriesData, TimeMs};
use watchglass_promql::{
    Cancel, Options, ParserOptions, QueryError, QueryResult, Select, Source, SourceError, parse, query_instant,
    query_range,
};
use watchglass_store::{SelectError, Store};

use crate::config::schema;

/// The store as the engine sees it.
pub(crate) struct StoreSource<'a>(pub(crate) &'a Store);

impl Source for StoreSource<'_> {
    fn select(&self, what: &Select<'_>, cancel: &Cancel) -> Result<Vec<SeriesData>, SourceError> {
        self.0.select(what.matchers, what.start, what.end, what.max_samples, &|| cancel.is_cancelled()).map_err(|e| {
            match e {
                SelectError::Cancelled => SourceError::Cancelled,
                SelectError::TooManySamples { .. } => SourceError::TooManySamples,
                other => SourceError::Failed(other.to_string()),
            }
        })
    }
}

/// When to evaluate.
#[derive(Clone, Copy, Debug)]
pub(crate) enum When {
    /// At one time.
    At(TimeMs),
    /// At steps.
    Range {
        /// First.
        start: TimeMs,
        /// Last, itself included if a step falls on it.
        end: TimeMs,
        /// Milliseconds.
        step: i64,
    },
}

/// Why a query gave nothing.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The text is no expression.
    Parse(String),
    /// The engine or the store failed.
    Query(QueryError),
    /// Its time is over.
    Timeout(Duration),
    /// It panicked.
    Bug(String),
}

/// Runs queries over a store.
pub(crate) struct QueryService {
    store: Arc<Store>,
    permits: Arc<Semaphore>,
    /// The engine's options as configured.
    pub(crate) options: Options,
    /// What the parser lets through, as configured.
    pub(crate) parser: ParserOptions,
    timeout: Duration,
}

impl QueryService {
    /// As `[query]` says.
    pub(crate) fn new(store: Arc<Store>, config: &schema::Query) -> QueryService {
        QueryService {
            store,
            permits: Arc::new(Semaphore::new(config.max_concurrency.max(1))),
            options: Options {
                lookback_ms: config.lookback_delta.ms,
                max_samples: config.max_samples,
                delayed_name_removal: config.delayed_name_removal,
                start_timestamps: config.start_timestamps,
                type_and_unit_labels: config.type_and_unit_labels,
                ..Options::default()
            },
            parser: ParserOptions {
                experimental_functions: config.experimental_functions,
                extended_range_selectors: config.extended_range_selectors,
                fill_modifiers: config.fill_modifiers,
            },
            timeout: config.timeout.std(),
        }
    }

    /// The queries that may run at once, and how many run.
    pub(crate) fn running(&self, max: usize) -> usize {
        max.saturating_sub(self.permits.available_permits())
    }

    /// Evaluates an expression. `timeout` and `lookback_ms` can only shorten what is configured, and replace it, in turn. Dropping
    /// the future stops the query.
    pub(crate) async fn run(
        &self,
        text: String,
        when: When,
        timeout: Option<Duration>,
        lookback_ms: Option<i64>,
    ) -> Result<QueryResult, Failure> {
        let expr = parse(&text, self.parser).map_err(|e| Failure::Parse(e.to_string()))?;
        let timeout = timeout.map_or(self.timeout, |t| t.min(self.timeout));
        let mut options = self.options.clone();
        if let Some(ms) = lookback_ms {
            options.lookback_ms = ms;
        }
        let cancel = Cancel::default();
        // Cancels when this future is dropped, as it is when the client hangs up.
        let _guard = CancelOnDrop(cancel.clone());
        let work = async {
            let permit = Arc::clone(&self.permits).acquire_owned().await;
            let store = Arc::clone(&self.store);
            tokio::task::spawn_blocking(move || {
                let _permit = permit;
                let source = StoreSource(&store);
                match when {
                    When::At(at) => query_instant(&source, &text, &expr, at, &options, &cancel),
                    When::Range { start, end, step } => {
                        query_range(&source, &text, &expr, start, end, step, &options, &cancel)
                    }
                }
            })
            .await
        };
        match tokio::time::timeout(timeout, work).await {
            Err(_) => Err(Failure::Timeout(timeout)),
            Ok(Err(panic)) => Err(Failure::Bug(format!("bug: the query engine panicked: {panic}"))),
            Ok(Ok(result)) => result.map_err(Failure::Query),
        }
    }
}

struct CancelOnDrop(Cancel);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}
