//! The rule plugin: an alert for each series whose last value is above the limit of 90.

wit_bindgen::generate!({ path: "../../../../wit", world: "rule-plugin" });

use exports::watchglass::plugin::rule::{Alert, Error, Guest, Input, Manifest, Problem, Series};
use watchglass::plugin::meta::Instance;

struct Rule;
export!(Rule);

thread_local! {
    static CONFIG: std::cell::RefCell<String> = const { std::cell::RefCell::new(String::new()) };
}

impl Guest for Rule {
    fn describe() -> Manifest {
        Manifest {
            name: "puppet-rule".into(),
            version: "1".into(),
            summary: "a rule".into(),
            interval_ms: 0,
            timeout_ms: 0,
            memory_mib: 0,
            needs_targets: false,
            instance: Instance::Shared,
            config_schema: r#"{"type":"object","properties":{"do":{"type":"string"}}}"#.into(),
            wants: Vec::new(),
            families: Vec::new(),
            other_families: false,
        }
    }

    fn configure(config: String) -> Result<Vec<Input>, Vec<Problem>> {
        if config.contains("refuse") {
            return Err(vec![Problem { path: "do".into(), message: "refused".into() }]);
        }
        CONFIG.set(config);
        Ok(vec![Input { name: "use".into(), expr: "disk_use".into(), range_ms: 60_000, step_ms: 0 }])
    }

    fn evaluate(at: i64, inputs: Vec<Vec<Series>>, active: Vec<Alert>) -> Result<Vec<Alert>, Error> {
        let told = |word: &str| CONFIG.with_borrow(|config| config.contains(word));
        if at == 13 || told("spin") {
            crate::spin();
        }
        if told("trap") {
            core::arch::wasm32::unreachable();
        }
        let alert = |s: &Series| Alert {
            name: "DiskFull".into(),
            labels: s.labels.iter().filter(|(n, _)| n != "__name__").cloned().collect(),
            annotations: vec![("summary".into(), format!("{} active", active.len()))],
            value: s.points.last().map_or(0.0, |p| p.v),
            for_ms: 60_000,
            keep_firing_for_ms: 0,
        };
        let mut alerts: Vec<Alert> = inputs.iter().flatten().map(alert).filter(|a| a.value > 90.0).collect();
        if at == 14 {
            alerts.push(alerts[0].clone());
        }
        Ok(alerts)
    }
}
