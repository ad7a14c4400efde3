//! What notification templates see: Alertmanager's `Data` with its `Alerts`, `KV` and `Pairs`.

use std::collections::BTreeMap;

use watchglass_alerts::{AlertState, Notification, NotifiedAlert};
use watchglass_model::Labels;
use watchglass_text::gotime::Time;
use watchglass_text::template::{Class, Method, Param, Params, STRING_LIST, Value, Zero};

const NONE: Params = Params::fixed(&[]);

/// `map[string]string` with methods: label and annotation sets.
pub static KV: Class = Class {
    name: "template.KV",
    zero: Zero::String,
    methods: &[
        Method { name: "SortedPairs", params: NONE, call: |kv, _| Ok(sorted_pairs(kv)) },
        Method { name: "Names", params: NONE, call: |kv, _| Ok(column(&sorted_pairs(kv), "Name")) },
        Method { name: "Values", params: NONE, call: |kv, _| Ok(column(&sorted_pairs(kv), "Value")) },
        Method { name: "String", params: NONE, call: |kv, _| Ok(pairs_text(&sorted_pairs(kv))) },
        Method { name: "Remove", params: Params::fixed(&[Param::Strings]), call: |kv, args| Ok(remove(kv, args)) },
    ],
};

static PAIR: Class = Class { name: "template.Pair", zero: Zero::Nil, methods: &[] };

/// Name and value pairs in order.
static PAIRS: Class = Class {
    name: "template.Pairs",
    zero: Zero::Nil,
    methods: &[
        Method { name: "Names", params: NONE, call: |pairs, _| Ok(column(pairs, "Name")) },
        Method { name: "Values", params: NONE, call: |pairs, _| Ok(column(pairs, "Value")) },
        Method { name: "String", params: NONE, call: |pairs, _| Ok(pairs_text(pairs)) },
    ],
};

static ALERT: Class = Class { name: "template.Alert", zero: Zero::Nil, methods: &[] };

/// A list of alerts.
pub static ALERTS: Class = Class {
    name: "template.Alerts",
    zero: Zero::Nil,
    methods: &[
        Method { name: "Firing", params: NONE, call: |alerts, _| Ok(with_status(alerts, AlertState::Firing)) },
        Method { name: "Resolved", params: NONE, call: |alerts, _| Ok(with_status(alerts, AlertState::Resolved)) },
    ],
};

static DATA: Class = Class { name: "*template.Data", zero: Zero::Nil, methods: &[] };

/// By name, `alertname` first.
fn sorted_pairs(kv: &Value) -> Value {
    let Value::Map(map) = kv else { return Value::list(&PAIRS, Vec::new()) };
    let mut entries: Vec<(&String, &Value)> = map.entries.iter().collect();
    // Stable: the others stay as the map has them.
    entries.sort_by_key(|(name, _)| name.as_str() != "alertname");
    let pair = |(name, value): (&String, &Value)| {
        Value::object(&PAIR, vec![("Name", "Name", Value::from(name.as_str())), ("Value", "Value", value.clone())])
    };
    Value::list(&PAIRS, entries.into_iter().map(pair).collect())
}

fn column(pairs: &Value, name: &str) -> Value {
    Value::list(&STRING_LIST, pairs.items().iter().filter_map(|pair| pair.get(name).cloned()).collect())
}

fn pairs_text(pairs: &Value) -> Value {
    let text = |pair: &Value, name: &str| pair.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let shown: Vec<String> =
        pairs.items().iter().map(|p| format!("{}={}", text(p, "Name"), text(p, "Value"))).collect();
    Value::from(shown.join(", "))
}

fn remove(kv: &Value, args: &[Value]) -> Value {
    let Value::Map(map) = kv else { return Value::map(&KV, BTreeMap::new()) };
    let gone: Vec<&str> = args.iter().flat_map(Value::items).filter_map(Value::as_str).collect();
    let kept = map.entries.iter().filter(|(name, _)| !gone.contains(&name.as_str()));
    Value::map(&KV, kept.map(|(name, value)| (name.clone(), value.clone())).collect())
}

fn with_status(alerts: &Value, state: AlertState) -> Value {
    let wanted = |alert: &&Value| alert.get("Status").and_then(Value::as_str) == Some(state.as_str());
    Value::list(&ALERTS, alerts.items().iter().filter(wanted).cloned().collect())
}

/// A label set as templates see it.
pub fn kv<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Value {
    Value::string_map(&KV, pairs)
}

/// An alert as templates see it. Of a firing one there is no end: Go's zero time.
pub fn alert(alert: &NotifiedAlert) -> Value {
    let (a, time) = (&alert.alert, |ms| Value::Time(Time::from_ms(ms)));
    alert_value(
        alert.state.as_str(),
        kv(&a.labels),
        kv(&a.annotations),
        [time(a.starts_at), alert.ended_at().map_or_else(|| Value::Time(Time::zero()), time)],
        &a.generator_url,
        &format!("{:016x}", a.labels.fingerprint()),
    )
}

/// An alert of these parts; `times` are start and end.
pub fn alert_value(
    status: &str,
    labels: Value,
    annotations: Value,
    times: [Value; 2],
    url: &str,
    fingerprint: &str,
) -> Value {
    let [start, end] = times;
    Value::object(
        &ALERT,
        vec![
            ("Status", "status", Value::from(status)),
            ("Labels", "labels", labels),
            ("Annotations", "annotations", annotations),
            ("StartsAt", "startsAt", start),
            ("EndsAt", "endsAt", end),
            ("GeneratorURL", "generatorURL", Value::from(url)),
            ("Fingerprint", "fingerprint", Value::from(fingerprint)),
        ],
    )
}

/// The parts of [`data`].
pub struct Parts {
    /// Name of the receiver.
    pub receiver: String,
    /// `firing` or `resolved`.
    pub status: &'static str,
    /// Alerts, as [`alert`] makes them.
    pub alerts: Value,
    /// Why now.
    pub reason: String,
    /// [`kv`]s: of the group, common labels, common annotations, of the route.
    pub group_labels: Value,
    /// Labels that all alerts have.
    pub common_labels: Value,
    /// Annotations that all alerts have.
    pub common_annotations: Value,
    /// The route's labels.
    pub route_labels: Value,
    /// Where people reach us, without a slash at the end.
    pub external_url: String,
}

/// What a template's dot is.
pub fn data(parts: Parts) -> Value {
    Value::object(
        &DATA,
        vec![
            ("Receiver", "receiver", Value::from(parts.receiver)),
            ("Status", "status", Value::from(parts.status)),
            ("Alerts", "alerts", parts.alerts),
            ("NotificationReason", "notification_reason", Value::from(parts.reason)),
            ("GroupLabels", "groupLabels", parts.group_labels),
            ("CommonLabels", "commonLabels", parts.common_labels),
            ("CommonAnnotations", "commonAnnotations", parts.common_annotations),
            // Only since Alertmanager 0.34; bodies stay those of 0.33 where a route has none.
            ("RouteLabels", if parts.route_labels.truth() { "routeLabels" } else { "" }, parts.route_labels),
            ("ExternalURL", "externalURL", Value::from(parts.external_url)),
        ],
    )
}

/// What a template's dot is for a notification, told of these of its alerts.
pub fn notification_data(n: &Notification, alerts: &[NotifiedAlert], external_url: &str) -> Value {
    let firing = alerts.iter().any(|a| a.state == AlertState::Firing);
    data(Parts {
        receiver: n.receiver.clone(),
        status: if firing { "firing" } else { "resolved" },
        alerts: Value::list(&ALERTS, alerts.iter().map(alert).collect()),
        reason: n.reason.as_str().to_owned(),
        group_labels: kv(&n.group_labels),
        common_labels: common(alerts.iter().map(|a| &a.alert.labels)),
        common_annotations: common(alerts.iter().map(|a| &a.alert.annotations)),
        route_labels: kv(&n.route_labels),
        external_url: external_url.trim_end_matches('/').to_owned(),
    })
}

/// Pairs that all sets have.
fn common<'a>(mut sets: impl Iterator<Item = &'a Labels>) -> Value {
    let mut shared = sets.next().cloned().unwrap_or_default();
    for set in sets {
        shared = shared.filtered(|name, value| set.get(name) == Some(value));
    }
    kv(&shared)
}
