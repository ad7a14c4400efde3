//! What an alerting rule knew before a restart, read from `ALERTS_FOR_STATE`.

use std::collections::{BTreeSet, HashMap};

use watchglass_model::{FloatPoint, Labels, METRIC_NAME, Matcher, TimeMs, is_stale_nan};

use crate::ALERTS_FOR_STATE;
use crate::alerting::AlertingRule;
use crate::group::Timing;
use crate::queries::Queries;

/// Lets a rule's alerts go on with `for` where they stood. What can't be read is as if it had not been.
pub(crate) fn restore(rule: &mut AlertingRule, now: TimeMs, timing: &Timing, queries: &Queries<'_>) {
    // A plugin's alerts may have names of their own.
    let names: BTreeSet<String> = rule.alerts().map(|a| a.labels.value("alertname").to_owned()).collect();
    let mut seen: HashMap<Labels, FloatPoint> = HashMap::new();
    for name in names {
        let matchers = [Matcher::equal(METRIC_NAME, ALERTS_FOR_STATE), Matcher::equal("alertname", &name)];
        let found = queries.last(&matchers, now - timing.outage_tolerance_ms, now).unwrap_or_default();
        seen.extend(found.into_iter().map(|(labels, point)| (labels.without_name(), point)));
    }
    rule.restore(now, timing.grace_ms, |labels| {
        let point = seen.get(labels)?;
        // A marker: it was over before we went down.
        (!is_stale_nan(point.v) && point.v.is_finite()).then_some((point.t, (point.v * 1000.0) as TimeMs))
    });
}
