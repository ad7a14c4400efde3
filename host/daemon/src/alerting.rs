//! The alert machine at work: alerts in, notifications out, outcomes back, everything that must outlive a restart on disk.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Notify, Semaphore};
use watchglass_alerts::{Alerts, InsertError, Notification, PostedAlert};
use watchglass_model::{Alert, TimeMs};
use watchglass_notify::Notifier;

use crate::alerting_metrics::{self, Deliveries};
use crate::metrics::{Counters, Metric};
use crate::state::State;

/// Requests to receivers at the same time. Enough that a slow one does not hold up the others, few enough not to flood anybody.
const SENDS_MAX: usize = 32;
/// The longest sleep: silences and time intervals begin and end without anybody waking us.
const SLEEP_MAX: Duration = Duration::from_secs(15);

/// The alert machine with what it needs to work.
pub(crate) struct Alerting {
    machine: Mutex<Alerts>,
    notifier: ArcSwap<Notifier>,
    state: State,
    wake: Notify,
    sends: Arc<Semaphore>,
    deliveries: Deliveries,
    counters: Arc<Counters>,
}

impl Alerting {
    pub(crate) fn new(machine: Alerts, notifier: Notifier, state: State, counters: Arc<Counters>) -> Alerting {
        Alerting {
            machine: Mutex::new(machine),
            notifier: ArcSwap::from_pointee(notifier),
            state,
            wake: Notify::new(),
            sends: Arc::new(Semaphore::new(SENDS_MAX)),
            deliveries: Deliveries::default(),
            counters,
        }
    }

    /// The machine, for looking. What changes it goes through [`Alerting::change`].
    pub(crate) fn look(&self) -> MutexGuard<'_, Alerts> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the machine, keeps what must be kept, and lets it go on.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Alerts) -> T) -> T {
        let mut machine = self.look();
        let result = change(&mut machine);
        // Under the lock, so that records reach the disk in the order in which they were made.
        self.keep(&mut machine);
        drop(machine);
        self.wake.notify_one();
        result
    }

    fn keep(&self, machine: &mut Alerts) {
        let changes = machine.take_changes();
        if changes.is_empty() {
            return;
        }
        if let Err(e) = self.state.write(&changes) {
            self.counters.state_write_failed();
            tracing::error!(
                error = format!("{e:#}"),
                "the alerting state can't be written: a restart may repeat messages or forget silences"
            );
        }
    }

    /// Takes alerts from rules.
    pub(crate) fn insert(&self, alerts: &[Alert], now: TimeMs) {
        if alerts.is_empty() {
            return;
        }
        let refused = self.change(|machine| machine.insert(alerts, now));
        if let Some(first) = refused.first() {
            tracing::warn!(refused = refused.len(), reason = %first, "alerts were not taken");
        }
    }

    /// Takes alerts from the API's clients. Gives the errors of those that were not taken.
    pub(crate) fn post(&self, alerts: &[PostedAlert], now: TimeMs) -> Vec<InsertError> {
        self.change(|machine| machine.post(alerts, now))
    }

    /// Works by another configuration from now on; on an error by the old one.
    pub(crate) fn reload(
        &self,
        routing: watchglass_alerts::RoutingConfig,
        notifier: Notifier,
        now: TimeMs,
    ) -> Result<(), watchglass_alerts::RoutingError> {
        self.change(|machine| machine.reload(routing, now))?;
        self.notifier.store(Arc::new(notifier));
        Ok(())
    }

    /// Sends what is due, for ever.
    pub(crate) async fn run(self: Arc<Self>) {
        loop {
            let now = crate::now();
            for notification in self.change_quietly(|machine| machine.step(now)) {
                tokio::spawn(Arc::clone(&self).send(notification));
            }
            let next = self
                .look()
                .next_wake(now)
                .map_or(SLEEP_MAX, |at| Duration::from_millis((at - now).max(0) as u64).min(SLEEP_MAX));
            tokio::select! {
                () = tokio::time::sleep(next) => {}
                () = self.wake.notified() => {}
            }
        }
    }

    /// As [`Alerting::change`], by the loop itself, which needs no waking.
    fn change_quietly<T>(&self, change: impl FnOnce(&mut Alerts) -> T) -> T {
        let mut machine = self.look();
        let result = change(&mut machine);
        self.keep(&mut machine);
        result
    }

    async fn send(self: Arc<Self>, notification: Notification) {
        // Never closed, so never an error; a closed one would mean a shutdown, where not sending is right.
        let Ok(_permit) = Arc::clone(&self.sends).acquire_owned().await else { return };
        let started = std::time::Instant::now();
        let notifier = self.notifier.load_full();
        let delivery = notifier.deliver(&notification, crate::now()).await;
        self.deliveries.count(&notification, &delivery, started.elapsed());
        let (group, receiver, kind) = (&notification.group_key, &notification.receiver, &notification.integration.kind);
        match &delivery.result {
            Ok(_) => {
                tracing::info!(
                    receiver,
                    integration = kind,
                    group,
                    alerts = notification.alerts.len(),
                    why = notification.reason.as_str(),
                    "notified"
                );
            }
            Err(failure) => {
                let (error, retry) = (&failure.error, failure.retry);
                tracing::warn!(receiver, integration = kind, group, error, retry, "notification failed");
            }
        }
        let at = crate::now();
        self.change(|machine| machine.outcome(notification.id, delivery.outcome(), at));
    }
}

impl Alerting {
    /// The metrics of alerts, groups, silences and notifications, under Alertmanager's names.
    pub(crate) fn metrics(&self, now: TimeMs) -> Vec<Metric> {
        alerting_metrics::metrics(&self.look(), &self.deliveries, now)
    }
}
