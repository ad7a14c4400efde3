//! When a plugin that fails is tried again: a state machine without a clock of its own.

use std::time::{Duration, Instant};

/// First pause after a failure, and what each further one adds.
const STEP: Duration = Duration::from_millis(200);

/// Longest pause before the plugin counts as failed.
const LONGEST: Duration = Duration::from_secs(5);

/// Failures in a row after which it counts as failed.
const FAILED_AFTER: u32 = 3;

/// How often a failed one is tried again.
const FAILED_PAUSE: Duration = Duration::from_secs(300);

/// Good calls that make everything forgotten.
const HEALTHY_AFTER: u32 = 10;

/// How it stands with the instances that share a fate: those of one target, or of the whole collector.
#[derive(Clone, Debug, Default)]
pub(crate) struct Supervisor {
    failures: u32,
    good: u32,
    until: Option<Instant>,
    reason: String,
}

impl Supervisor {
    /// Whether a call may be made now. An error says why not, and how long it still rests.
    pub(crate) fn admit(&self, now: Instant) -> Result<(), (String, Duration)> {
        match self.until {
            Some(until) if until > now => Err((self.reason.clone(), until - now)),
            _ => Ok(()),
        }
    }

    /// Notes a call that went well.
    pub(crate) fn succeeded(&mut self) {
        self.until = None;
        self.good = self.good.saturating_add(1);
        // One good call between bad ones does not yet make a sound plugin, but it is not failing in a row either.
        if self.good >= HEALTHY_AFTER {
            self.failures = 0;
        } else {
            self.failures = self.failures.min(FAILED_AFTER - 1);
        }
    }

    /// Notes a call that failed by the plugin's own fault.
    pub(crate) fn failed(&mut self, now: Instant, reason: String) {
        self.good = 0;
        self.failures = self.failures.saturating_add(1);
        self.reason = reason;
        let pause = if self.is_failed() { FAILED_PAUSE } else { (STEP * self.failures).min(LONGEST) };
        self.until = Some(now + pause);
    }

    /// Whether it failed so often in a row that it is only tried now and then.
    pub(crate) fn is_failed(&self) -> bool {
        self.failures >= FAILED_AFTER
    }

    /// The last failure.
    pub(crate) fn reason(&self) -> &str {
        &self.reason
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_failures_in_a_row_make_it_rest() {
        let now = Instant::now();
        let at = |s: u64| now + Duration::from_secs(s);
        let mut supervisor = Supervisor::default();
        supervisor.failed(now, "trap".into());
        assert!(supervisor.admit(now).is_err() && supervisor.admit(at(1)).is_ok() && !supervisor.is_failed());
        supervisor.failed(at(1), "trap".into());
        supervisor.failed(at(15), "cpu".into());
        assert!(supervisor.is_failed());
        assert!(supervisor.admit(at(300)).is_err_and(|(why, left)| why == "cpu" && left == Duration::from_secs(15)));
        assert!(supervisor.admit(at(316)).is_ok(), "one try");
        supervisor.failed(at(316), "cpu".into());
        assert!(supervisor.admit(at(600)).is_err());
        supervisor.succeeded();
        assert!(!supervisor.is_failed() && supervisor.admit(at(601)).is_ok());
        supervisor.failed(at(602), "trap".into());
        assert!(supervisor.is_failed(), "one good call does not buy three bad ones");
        (0..10).for_each(|_| supervisor.succeeded());
        supervisor.failed(at(700), "trap".into());
        assert!(!supervisor.is_failed(), "ten do");
    }
}
