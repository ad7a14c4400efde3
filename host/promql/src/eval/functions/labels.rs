//! `label_replace` and `label_join`.

use std::collections::HashMap;

use regex::Regex;
use watchglass_model::{Labels, METRIC_NAME};

use super::super::number::quoted;
use super::super::{Evaluator, Failure, Series, Steps, Value, merge_equal};
use super::argument;
use crate::ast::Call;

impl Evaluator<'_> {
    /// `label_replace(v, dst, replacement, src, regex)`.
    pub(crate) fn label_replace(&mut self, call: &Call, steps: Steps) -> Result<Value, Failure> {
        let target = self.string(argument(call, 1)?, steps)?;
        let replacement = self.string(argument(call, 2)?, steps)?;
        let source = self.string(argument(call, 3)?, steps)?;
        let pattern = self.string(argument(call, 4)?, steps)?;
        let regex = Regex::new(&format!("^(?s:{pattern})$"))
            .map_err(|_| Failure::execution(format!("invalid regular expression in label_replace(): {pattern}")))?;
        if target.is_empty() {
            return Err(Failure::execution(format!("invalid destination label name in label_replace(): {target}")));
        }
        // Many series share few values.
        let mut known: HashMap<String, Option<String>> = HashMap::new();
        self.relabelled(call, steps, &target, |labels| {
            let value = labels.value(&source);
            if let Some(replaced) = known.get(value) {
                return replaced.clone();
            }
            let replaced = regex.captures(value).map(|captures| {
                let mut out = String::new();
                captures.expand(&replacement, &mut out);
                out
            });
            known.insert(value.to_owned(), replaced.clone());
            replaced
        })
    }

    /// `label_join(v, dst, separator, src...)`.
    pub(crate) fn label_join(&mut self, call: &Call, steps: Steps) -> Result<Value, Failure> {
        let target = self.string(argument(call, 1)?, steps)?;
        let separator = self.string(argument(call, 2)?, steps)?;
        let sources = call.args.iter().skip(3).map(|arg| self.string(arg, steps)).collect::<Result<Vec<_>, _>>()?;
        if let Some(source) = sources.iter().find(|s| s.is_empty()) {
            return Err(Failure::execution(format!("invalid source label name in label_join(): {source}")));
        }
        if target.is_empty() {
            return Err(Failure::execution(format!("invalid destination label name in label_join(): {target}")));
        }
        self.relabelled(call, steps, &target, |labels| {
            Some(sources.iter().map(|s| labels.value(s)).collect::<Vec<_>>().join(&separator))
        })
    }

    // Sets the target to what the closure gives, where it gives anything.
    fn relabelled(
        &mut self,
        call: &Call,
        steps: Steps,
        target: &str,
        mut value: impl FnMut(&Labels) -> Option<String>,
    ) -> Result<Value, Failure> {
        let mut series: Vec<Series> = self.vector(argument(call, 0)?, steps)?;
        for s in &mut series {
            if let Some(value) = value(&s.labels) {
                s.labels = s.labels.with(target, &value);
                // A name that was set on purpose stays.
                s.drop_name &= target != METRIC_NAME;
            }
        }
        merge_equal(series).map(Value::Vector)
    }

    /// Whether a text can be a label's name: not empty. All of them are valid UTF-8.
    pub(crate) fn check_label_name(&self, name: &str) -> Result<(), Failure> {
        if name.is_empty() { Err(Failure::execution(format!("invalid label name {}", quoted(name)))) } else { Ok(()) }
    }
}
