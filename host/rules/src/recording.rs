//! Recording rules.

use std::collections::HashSet;

use watchglass_model::{LabelsBuilder, METRIC_NAME, Sample, TimeMs};

use crate::rule::{Env, EvalError, RuleSpec};

/// A recording rule at work.
#[derive(Debug)]
pub struct RecordingRule {
    spec: RuleSpec,
}

impl RecordingRule {
    pub(crate) fn new(spec: RuleSpec) -> RecordingRule {
        RecordingRule { spec }
    }

    /// The rule as written.
    pub fn spec(&self) -> &RuleSpec {
        &self.spec
    }

    /// The samples that it records. Two with the same labels, and more than `limit` (0: any number), are errors.
    pub(crate) fn look(&self, at: TimeMs, limit: usize, env: &Env<'_>) -> Result<Vec<Sample>, EvalError> {
        let mut samples = env.queries.instant(&self.spec.expr_text, &self.spec.expr, at).map_err(EvalError)?;
        let mut seen = HashSet::with_capacity(samples.len());
        for sample in &mut samples {
            let mut labels = LabelsBuilder::new(&sample.labels);
            labels.set(METRIC_NAME, self.spec.name());
            for (name, value) in self.spec.labels.iter() {
                labels.set(name, value);
            }
            sample.labels = labels.build();
            if !seen.insert(sample.labels.clone()) {
                return Err(EvalError(
                    "vector contains metrics with the same labelset after applying rule labels".to_owned(),
                ));
            }
        }
        if limit > 0 && samples.len() > limit {
            return Err(EvalError(format!("exceeded limit of {limit} with {} series", samples.len())));
        }
        Ok(samples)
    }
}
