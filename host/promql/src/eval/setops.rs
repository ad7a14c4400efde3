//! `and`, `or`, `unless`.

use super::matching::Signatures;
use super::{Evaluator, Failure, Series, Steps, merge_equal};
use crate::ast::Matching;

/// At which steps any series of a signature is there.
struct Presence {
    steps: usize,
    bits: Vec<bool>,
}

impl Presence {
    fn of(series: &[Series], signatures: &[usize], count: usize, steps: usize) -> Presence {
        let mut bits = vec![false; count * steps];
        for (s, signature) in series.iter().zip(signatures) {
            for (step, bit) in bits[signature * steps..(signature + 1) * steps].iter_mut().enumerate() {
                *bit |= s.has(step);
            }
        }
        Presence { steps, bits }
    }

    fn at(&self, signature: usize, step: usize) -> bool {
        self.bits.get(signature * self.steps + step).copied().unwrap_or(false)
    }
}

impl Evaluator<'_> {
    /// What the left side has where the right side has a match.
    pub(crate) fn and(&self, lhs: Vec<Series>, rhs: &[Series], matching: &Matching, steps: Steps) -> Vec<Series> {
        self.filtered(lhs, rhs, matching, steps, true)
    }

    /// What the left side has where the right side has no match.
    pub(crate) fn unless(&self, lhs: Vec<Series>, rhs: &[Series], matching: &Matching, steps: Steps) -> Vec<Series> {
        self.filtered(lhs, rhs, matching, steps, false)
    }

    fn filtered(
        &self,
        mut lhs: Vec<Series>,
        rhs: &[Series],
        matching: &Matching,
        steps: Steps,
        matched: bool,
    ) -> Vec<Series> {
        let mut signatures = Signatures::new(matching, self.options.type_and_unit_labels);
        let right: Vec<usize> = rhs.iter().map(|s| signatures.of(&s.labels)).collect();
        let presence = Presence::of(rhs, &right, signatures.count(), steps.count);
        for s in &mut lhs {
            let signature = signatures.of(&s.labels);
            for step in (0..steps.count).filter(|step| presence.at(signature, *step) != matched) {
                s.clear(step);
            }
        }
        lhs.retain(|s| !s.is_empty());
        lhs
    }

    /// What the left side has, and what the right side has where the left one has no match.
    pub(crate) fn or(
        &self,
        mut lhs: Vec<Series>,
        rhs: Vec<Series>,
        matching: &Matching,
        steps: Steps,
    ) -> Result<Vec<Series>, Failure> {
        let mut signatures = Signatures::new(matching, self.options.type_and_unit_labels);
        let left: Vec<usize> = lhs.iter().map(|s| signatures.of(&s.labels)).collect();
        let presence = Presence::of(&lhs, &left, signatures.count(), steps.count);
        for mut s in rhs {
            let signature = signatures.of(&s.labels);
            (0..steps.count).filter(|step| presence.at(signature, *step)).for_each(|step| s.clear(step));
            if !s.is_empty() {
                lhs.push(s);
            }
        }
        merge_equal(lhs)
    }
}
