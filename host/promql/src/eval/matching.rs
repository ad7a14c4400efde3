//! Arithmetic and comparisons between two vectors: who meets whom, and what the result is called.

use std::collections::HashMap;

use watchglass_model::{Labels, LabelsBuilder, METRIC_NAME};

use super::element::{self, Outcome};
use super::number::quoted;
use super::series::{ABSENT, Point, PointRef, is_name_label};
use super::{Evaluator, Failure, Series, Steps, is_present, merge_equal};
use crate::ast::{Binary, Cardinality, Matching};

/// Numbers the groups of series that match each other.
pub(crate) struct Signatures<'m> {
    matching: &'m Matching,
    type_and_unit: bool,
    known: HashMap<String, usize>,
    key: String,
}

impl<'m> Signatures<'m> {
    /// Groups by the labels of `on`, or by all but those of `ignoring` and the name.
    pub(crate) fn new(matching: &'m Matching, type_and_unit: bool) -> Signatures<'m> {
        Signatures { matching, type_and_unit, known: HashMap::new(), key: String::new() }
    }

    /// The labels that a group has in common.
    pub(crate) fn labels(&self, labels: &Labels) -> Labels {
        labels.filtered(|name, _| tells_group(name, self.matching, self.type_and_unit))
    }

    /// The number of a series' group.
    pub(crate) fn of(&mut self, labels: &Labels) -> usize {
        let (matching, type_and_unit) = (self.matching, self.type_and_unit);
        labels.filtered_key(&mut self.key, |name, _| tells_group(name, matching, type_and_unit));
        if let Some(group) = self.known.get(&self.key) {
            return *group;
        }
        let next = self.known.len();
        self.known.insert(self.key.clone(), next);
        next
    }

    /// How many groups there are so far.
    pub(crate) fn count(&self) -> usize {
        self.known.len()
    }
}

fn tells_group(name: &str, matching: &Matching, type_and_unit: bool) -> bool {
    let named = matching.labels.iter().any(|l| l == name);
    if matching.on { named } else { !named && !is_name_label(name, type_and_unit) }
}

/// How the two sides lie, of which one, `many`, may have several series in a group.
struct Sides {
    swapped: bool,
    /// What stands for a missing series of either.
    fill_many: Option<f64>,
    fill_one: Option<f64>,
}

/// Results by their pair of series, as a pair gives one series for all steps.
struct Results<'e, 'm> {
    binary: &'e Binary,
    matching: &'m Matching,
    drop_now: bool,
    type_and_unit: bool,
    steps: usize,
    by_pair: HashMap<(usize, usize), usize>,
    series: Vec<Series>,
}

const NONE: usize = usize::MAX;

impl Evaluator<'_> {
    /// An arithmetic operator or a comparison between two vectors, at every step.
    pub(crate) fn matched(
        &mut self,
        binary: &Binary,
        matching: &Matching,
        lhs: &[Series],
        rhs: &[Series],
        steps: Steps,
    ) -> Result<Vec<Series>, Failure> {
        let swapped = matching.cardinality == Cardinality::OneToMany;
        let (many, one) = if swapped { (rhs, lhs) } else { (lhs, rhs) };
        // Prometheus doesn't swap these along: `fill_left` with `group_right` fills the right side, the one with many.
        let sides = Sides { swapped, fill_many: matching.fill_left, fill_one: matching.fill_right };
        let mut signatures = Signatures::new(matching, self.options.type_and_unit_labels);
        let many_groups: Vec<usize> = many.iter().map(|s| signatures.of(&s.labels)).collect();
        let one_groups: Vec<usize> = one.iter().map(|s| signatures.of(&s.labels)).collect();
        let group_labels: Vec<Labels> = if sides.fill_many.is_some() || sides.fill_one.is_some() {
            let mut labels = vec![Labels::empty(); signatures.count()];
            for (s, group) in many.iter().zip(&many_groups).chain(one.iter().zip(&one_groups)) {
                labels[*group] = signatures.labels(&s.labels);
            }
            labels
        } else {
            Vec::new()
        };
        let mut results = Results {
            binary,
            matching,
            // Arithmetic has a new meaning at once, `bool` at the end where that is switched on.
            drop_now: element::drops_name(binary.op) || (binary.return_bool && !self.options.delayed_name_removal),
            type_and_unit: self.options.type_and_unit_labels,
            steps: steps.count,
            by_pair: HashMap::with_capacity(many.len()),
            series: Vec::with_capacity(many.len()),
        };
        let fills = sides.fill_many.is_some() || sides.fill_one.is_some();
        let contested = contested(matching, signatures.count(), &many_groups, &one_groups, fills);
        let mut partners = vec![NONE; signatures.count()];
        for (i, group) in one_groups.iter().enumerate() {
            partners[*group] = i;
        }
        for (i, group) in
            many_groups.iter().enumerate().filter(|(_, group)| !contested[**group] && partners[**group] != NONE)
        {
            self.check_cancelled()?;
            self.pair(binary, &sides, &many[i], &one[partners[*group]], &mut results);
        }
        let in_contest = |groups: &[usize]| -> Vec<(usize, usize)> {
            groups.iter().copied().enumerate().filter(|(_, group)| contested[*group]).collect()
        };
        let (many_groups, one_groups) = (in_contest(&many_groups), in_contest(&one_groups));
        if many_groups.is_empty() && one_groups.is_empty() {
            if matching.cardinality == Cardinality::OneToOne {
                // One for each group, called by what tells the group.
                return Ok(results.series);
            }
            return results.finish();
        }
        // Of each group the series of the one side that is there at the step, whether the many side is,
        // and whether the two have met.
        let mut present = vec![NONE; signatures.count()];
        let mut seen = vec![false; signatures.count()];
        let mut met = vec![false; signatures.count()];
        for step in 0..steps.count {
            self.check_cancelled()?;
            // Where a side has nothing at all nothing can be ambiguous.
            let any = |side: &[Series]| side.iter().any(|s| s.has(step));
            if !fills && (!any(many) || !any(one)) {
                continue;
            }
            present.fill(NONE);
            for (i, group) in one_groups.iter().filter(|(i, _)| one[*i].has(step)) {
                let s = &one[*i];
                if present[*group] != NONE {
                    return Err(duplicate(
                        &signatures.labels(&s.labels),
                        swapped,
                        &one[present[*group]].labels,
                        &s.labels,
                    ));
                }
                present[*group] = *i;
            }
            seen.fill(false);
            met.fill(false);
            for (i, group) in &many_groups {
                let Some(point) = many[*i].get(step) else { continue };
                seen[*group] = true;
                let partner = present[*group];
                let other = match (partner, sides.fill_one) {
                    (NONE, None) => continue,
                    (NONE, Some(fill)) => PointRef::Float(fill),
                    (partner, _) => match one[partner].get(step) {
                        Some(point) => point,
                        None => continue,
                    },
                };
                // Also where a comparison then filters all of them away.
                if matching.cardinality == Cardinality::OneToOne && std::mem::replace(&mut met[*group], true) {
                    let text =
                        "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)";
                    return Err(Failure::execution(text));
                }
                if let Some(value) = self.pair_value(binary, &sides, point, other) {
                    let one_labels = if partner == NONE { None } else { Some(&one[partner]) };
                    results.put(step, (*i, partner), Some(&many[*i]), one_labels, group_labels.get(*group), value)?;
                }
            }
            if let Some(fill) = sides.fill_many {
                for (group, partner) in present.iter().enumerate().filter(|(g, p)| **p != NONE && !seen[*g]) {
                    let Some(point) = one[*partner].get(step) else { continue };
                    if let Some(value) = self.pair_value(binary, &sides, PointRef::Float(fill), point) {
                        results.put(
                            step,
                            (NONE, *partner),
                            None,
                            Some(&one[*partner]),
                            group_labels.get(group),
                            value,
                        )?;
                    }
                }
            }
        }
        results.finish()
    }

    /// Two series that nobody else comes between, at all steps at once.
    fn pair(&mut self, binary: &Binary, sides: &Sides, many: &Series, one: &Series, results: &mut Results<'_, '_>) {
        if many.histograms.is_empty() && one.histograms.is_empty() && element::drops_name(binary.op) {
            let value = |(a, b): (&f64, &f64)| {
                if !is_present(*a) || !is_present(*b) {
                    return ABSENT;
                }
                if sides.swapped { element::floats(binary.op, *b, *a) } else { element::floats(binary.op, *a, *b) }
            };
            let floats: Vec<f64> = many.floats.iter().zip(&one.floats).map(value).collect();
            if floats.iter().any(|v| is_present(*v)) {
                let mut series = results.new_series(Some(many), Some(one), None, 0);
                series.floats = floats;
                results.series.push(series);
            }
            return;
        }
        let mut series: Option<Series> = None;
        for step in 0..many.floats.len() {
            let (Some(a), Some(b)) = (many.get(step), one.get(step)) else { continue };
            if let Some(value) = self.pair_value(binary, sides, a, b) {
                let steps = many.floats.len();
                series.get_or_insert_with(|| results.new_series(Some(many), Some(one), None, steps)).set(step, value);
            }
        }
        results.series.extend(series);
    }

    fn pair_value(&mut self, binary: &Binary, sides: &Sides, many: PointRef<'_>, one: PointRef<'_>) -> Option<Point> {
        let (a, b) = if sides.swapped { (one, many) } else { (many, one) };
        match element::elements(binary.op, a, b, &mut self.notes, binary.span) {
            Outcome::Value(_) if binary.return_bool => Some(Point::Float(1.0)),
            Outcome::Unequal if binary.return_bool => Some(Point::Float(0.0)),
            Outcome::Value(point) => Some(point),
            Outcome::Unequal | Outcome::Incompatible => None,
        }
    }
}

impl Results<'_, '_> {
    fn put(
        &mut self,
        step: usize,
        pair: (usize, usize),
        many: Option<&Series>,
        one: Option<&Series>,
        group: Option<&Labels>,
        value: Point,
    ) -> Result<(), Failure> {
        let index = match self.by_pair.get(&pair) {
            Some(index) => *index,
            None => {
                let series = self.new_series(many, one, group, self.steps);
                self.by_pair.insert(pair, self.series.len());
                self.series.push(series);
                self.series.len() - 1
            }
        };
        self.series[index].set(step, value);
        Ok(())
    }

    fn new_series(&self, many: Option<&Series>, one: Option<&Series>, group: Option<&Labels>, steps: usize) -> Series {
        let empty = Labels::empty();
        let base = many.map(|s| &s.labels).or(group).unwrap_or(&empty);
        let drop_name = many.is_some_and(|s| s.drop_name) || self.binary.return_bool;
        Series::new(self.labels(base, one.map(|s| &s.labels)), drop_name, steps)
    }

    /// The labels of the many side's series, less what must go, with what is taken from the one side.
    fn labels(&self, many: &Labels, one: Option<&Labels>) -> Labels {
        let to_one = self.matching.cardinality == Cardinality::OneToOne;
        let named = |name: &str| self.matching.labels.iter().any(|l| l == name);
        let kept = many.filtered(|name, _| {
            !(self.drop_now && is_name_label(name, self.type_and_unit)) && (!to_one || named(name) == self.matching.on)
        });
        let Some(one) = one.filter(|_| !self.matching.include.is_empty()) else { return kept };
        let mut builder = LabelsBuilder::new(&kept);
        for name in &self.matching.include {
            builder.set(name, one.value(name));
        }
        builder.build()
    }

    fn finish(self) -> Result<Vec<Series>, Failure> {
        let many = self.matching.cardinality != Cardinality::OneToOne;
        let comparison = element::is_comparison(self.binary.op);
        merge_equal(self.series).map_err(|e| {
            if many || comparison {
                Failure::execution("multiple matches for labels: grouping labels must ensure unique matches")
            } else {
                e
            }
        })
    }
}

/// Which groups have series that can be in each other's way: several of the one side, or of both where each may meet but once.
/// Who meets whom must be decided there step by step. So where missing ones are filled in.
fn contested(matching: &Matching, groups: usize, many: &[usize], one: &[usize], fills: bool) -> Vec<bool> {
    let mut count = vec![(0usize, 0usize); groups];
    many.iter().for_each(|group| count[*group].0 += 1);
    one.iter().for_each(|group| count[*group].1 += 1);
    let to_one = matching.cardinality == Cardinality::OneToOne;
    count.iter().map(|(many, one)| fills || *one > 1 || (to_one && *many > 1)).collect()
}

fn duplicate(group: &Labels, swapped: bool, a: &Labels, b: &Labels) -> Failure {
    let side = if swapped { "left" } else { "right" };
    // In order, so that the text doesn't depend on that of the series.
    let (a, b) = if a <= b { (a, b) } else { (b, a) };
    Failure::execution(format!(
        "found duplicate series for the match group {} on the {side} hand-side of the operation: [{}, {}];many-to-many matching not \
         allowed: matching labels must be unique on one side",
        braced(group),
        braced(a),
        braced(b)
    ))
}

/// Labels as Go's client prints them: the name among the others.
fn braced(labels: &Labels) -> String {
    let pairs: Vec<String> = labels
        .iter()
        .map(|(name, value)| {
            let plain = name == METRIC_NAME || name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            if plain { format!("{name}={}", quoted(value)) } else { format!("{}={}", quoted(name), quoted(value)) }
        })
        .collect();
    format!("{{{}}}", pairs.join(", "))
}
