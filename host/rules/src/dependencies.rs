//! Which rules of a group may be evaluated at the same time: those that read nothing of each other's.
//!
//! The outcome is that of evaluating one after the other. A rule waits for an earlier one whose series it may select; an earlier one
//! that selects a later one's series (it means those of the turn before) is not overtaken by it. What a selector may find is judged by its matchers on
//! what is known of a rule's output: its name and the labels that are always the same. Prometheus gives up where a selector names no metric or names `ALERTS`; here
//! only a template that queries, whose text may be made at run time, is beyond judging.

use watchglass_model::{METRIC_NAME, Matcher};
use watchglass_promql::ast::Expr;

use crate::rule::{RuleKind, RuleSpec};
use crate::{ALERTS, ALERTS_FOR_STATE};

/// The metrics that a group looks at, by their names.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    anything: bool,
    names: Vec<Matcher>,
}

impl Inputs {
    /// What these rules look at.
    pub(crate) fn of<'a>(rules: impl Iterator<Item = &'a RuleSpec>) -> Inputs {
        let mut inputs = Inputs::default();
        for spec in rules {
            let reads = reads(spec, false);
            inputs.anything |= reads.anything;
            for matchers in reads.selectors {
                match matchers.iter().find(|m| m.name() == METRIC_NAME) {
                    Some(name) => inputs.names.push(name.clone()),
                    None => inputs.anything = true,
                }
            }
        }
        inputs
    }

    /// Whether series of that name may be looked at.
    pub fn may_read(&self, name: &str) -> bool {
        self.anything || self.names.iter().any(|m| m.matches(name))
    }
}

/// What a rule looks at.
struct Reads<'a> {
    /// More than its selectors tell.
    anything: bool,
    /// The matchers of each selector.
    selectors: Vec<&'a [Matcher]>,
}

/// What a rule writes.
struct Writes<'a> {
    names: &'static [&'static str],
    /// The name of a recording rule's series, or the alert's.
    name: &'a str,
    spec: &'a RuleSpec,
}

/// Batches of rules by their numbers: those of a batch may be evaluated at the same time, what they give is written in the order of the rules, then comes the
/// next batch. `external` says which rules are evaluated elsewhere and may look at anything.
pub(crate) fn batches(rules: &[(&RuleSpec, bool)]) -> Vec<Vec<usize>> {
    let known: Vec<(Reads<'_>, Writes<'_>)> =
        rules.iter().map(|(spec, external)| (reads(spec, *external), writes(spec))).collect();
    let mut levels: Vec<usize> = Vec::with_capacity(rules.len());
    for (later, (later_reads, later_writes)) in known.iter().enumerate() {
        let mut level = 0;
        for (earlier, (earlier_reads, earlier_writes)) in known[..later].iter().enumerate() {
            if later_reads.may_find(earlier_writes) {
                level = level.max(levels[earlier] + 1);
            } else if earlier_reads.may_find(later_writes) || earlier_writes.may_meet(later_writes) {
                level = level.max(levels[earlier]);
            }
        }
        levels.push(level);
    }
    let mut batches = vec![Vec::new(); levels.iter().max().map_or(0, |l| l + 1)];
    for (rule, level) in levels.into_iter().enumerate() {
        batches[level].push(rule);
    }
    batches
}

fn writes(spec: &RuleSpec) -> Writes<'_> {
    let names: &[&str] = match spec.kind {
        RuleKind::Recording { .. } => &[],
        RuleKind::Alerting { .. } => &[ALERTS, ALERTS_FOR_STATE],
    };
    Writes { names, name: spec.name(), spec }
}

impl Writes<'_> {
    /// Whether both may write the same series.
    fn may_meet(&self, other: &Writes<'_>) -> bool {
        self.name == other.name && self.names == other.names
    }

    /// Whether a matcher lets through what is known of the series.
    fn passes(&self, matcher: &Matcher) -> bool {
        let alerting = !self.names.is_empty();
        match matcher.name() {
            METRIC_NAME if alerting => self.names.iter().any(|name| matcher.matches(name)),
            METRIC_NAME => matcher.matches(self.name),
            "alertname" if alerting => matcher.matches(self.name),
            // An alert's labels are templates.
            _ if alerting => true,
            label => self.spec.labels.get(label).is_none_or(|value| matcher.matches(value)),
        }
    }
}

impl Reads<'_> {
    fn may_find(&self, writes: &Writes<'_>) -> bool {
        self.anything || self.selectors.iter().any(|matchers| matchers.iter().all(|m| writes.passes(m)))
    }
}

fn reads(spec: &RuleSpec, external: bool) -> Reads<'_> {
    let mut reads = Reads { anything: external, selectors: Vec::new() };
    if let RuleKind::Alerting { annotations, .. } = &spec.kind {
        let queries = |text: &str| text.contains("{{") && text.contains("query");
        reads.anything |= annotations.iter().chain(spec.labels.iter()).any(|(_, text)| queries(text));
    }
    collect(&spec.expr, &mut reads);
    reads
}

fn collect<'a>(expr: &'a Expr, reads: &mut Reads<'a>) {
    match expr {
        Expr::Number(_) | Expr::String(_) => {}
        Expr::Vector(selector) => reads.selectors.push(&selector.matchers),
        Expr::Matrix(selector) => reads.selectors.push(&selector.vector.matchers),
        Expr::Subquery(e) => collect(&e.expr, reads),
        Expr::Unary(e) => collect(&e.expr, reads),
        Expr::Paren(e) => collect(&e.expr, reads),
        Expr::Binary(e) => {
            collect(&e.lhs, reads);
            collect(&e.rhs, reads);
        }
        Expr::Aggregate(e) => {
            e.param.iter().for_each(|param| collect(param, reads));
            collect(&e.expr, reads);
        }
        Expr::Call(call) => {
            // It selects info series that stand nowhere in its text.
            reads.anything |= call.function.name == "info";
            call.args.iter().for_each(|arg| collect(arg, reads));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse_rule_file;
    use watchglass_promql::ParserOptions;

    /// The batches of rules given as YAML.
    fn of(rules: &str) -> Vec<Vec<usize>> {
        let text = format!("groups: [{{name: g, rules: [{rules}]}}]");
        let file = parse_rule_file(&text, "f.yml", ParserOptions::all()).unwrap_or_else(|e| panic!("{e:?}"));
        let rules: Vec<(&RuleSpec, bool)> = file.groups[0].rules.iter().map(|r| (r, false)).collect();
        batches(&rules)
    }

    #[test]
    fn who_waits_for_whom() {
        for (rules, expected) in [
            ("", vec![]),
            // Nothing in common.
            ("{record: a, expr: x}, {record: b, expr: y}, {alert: C, expr: z}", vec![vec![0, 1, 2]]),
            // A chain, and one that stands alone.
            (
                "{record: a, expr: x}, {record: b, expr: a * 2}, {record: c, expr: 'sum(rate(b[5m]))'}, {record: d, expr: x}",
                vec![vec![0, 3], vec![1], vec![2]],
            ),
            // A diamond.
            (
                "{record: a, expr: x}, {record: b, expr: a}, {record: c, expr: a}, {record: d, expr: b + c}",
                vec![vec![0], vec![1, 2], vec![3]],
            ),
            // Names by pattern, by a label that a recording rule sets, and not at all.
            (
                "{record: 'job:a', expr: x}, {record: b, expr: '{__name__=~\"job:.*\"}'}, {record: c, expr: '{__name__!~\"job:.*|b\",z=\"1\"}'}",
                vec![vec![0, 2], vec![1]],
            ),
            (
                "{record: a, expr: x, labels: {q: p99}}, {record: b, expr: 'a{q=\"p50\"}'}, {record: c, expr: 'a{q=~\"p9.*\"}'}",
                vec![vec![0, 1], vec![2]],
            ),
            (
                "{record: a, expr: x}, {record: b, expr: 'count({job=\"j\"})'}, {record: c, expr: y}",
                vec![vec![0], vec![1, 2]],
            ),
            // Alerts on alerts, by name.
            (
                "{alert: A, expr: x}, {alert: B, expr: 'ALERTS{alertname=\"A\"}'}, {alert: C, expr: 'ALERTS{alertname=\"D\"}'}",
                vec![vec![0, 2], vec![1]],
            ),
            ("{alert: A, expr: x}, {alert: B, expr: 'ALERTS_FOR_STATE{alertname!=\"A\"}'}", vec![vec![0, 1]]),
            // The first means the third's series of the turn before, so the third must not come first.
            ("{record: a, expr: x}, {record: b, expr: a + c}, {record: c, expr: y}", vec![vec![0], vec![1, 2]]),
            // Two that write the same series stay in order.
            (
                "{record: a, expr: x}, {record: b, expr: a, labels: {l: one}}, {record: b, expr: y, labels: {l: one}}",
                vec![vec![0], vec![1, 2]],
            ),
            // Selectors within everything that can hold one.
            (
                "{record: a, expr: x}, {record: b, expr: 'topk(scalar(a), -(y > bool 1))'}, {record: c, expr: 'max_over_time((y or a)[1h:1m])'}",
                vec![vec![0], vec![1, 2]],
            ),
            // What only run time tells.
            (
                "{record: a, expr: x}, {alert: A, expr: y, annotations: {t: '{{ range query \"z\" }}{{ end }}'}}, {record: b, expr: z}",
                vec![vec![0], vec![1, 2]],
            ),
            ("{record: a, expr: x}, {record: b, expr: info(y)}", vec![vec![0], vec![1]]),
        ] {
            assert_eq!(of(rules), expected, "{rules}");
        }
    }
}
