//! `info`: adds the data labels of info series to others.

use std::collections::HashMap;

use watchglass_model::{Labels, LabelsBuilder, METRIC_NAME, MatchOp, Matcher, TimeMs};

use super::functions::argument;
use super::number::quoted;
use super::selector::Reference;
use super::series::{Point, PointRef};
use super::{Evaluator, Failure, Series, Steps, Value, merge_equal};
use crate::ast::{Call, Expr, Extension, Span, VectorSelector};

/// The labels that tell to which series an info series belongs.
const IDENTIFYING: [&str; 2] = ["instance", "job"];
const DEFAULT_METRIC: &str = "target_info";
const ANY_INFO_METRIC: &str = ".+_info";

/// An info series, with the time of its newest sample at each step.
struct InfoSeries {
    labels: Labels,
    times: Vec<Option<TimeMs>>,
}

/// What the second argument asks for.
struct Wanted {
    names: Vec<Matcher>,
    data: Vec<Matcher>,
}

impl Wanted {
    fn of(call: &Call) -> Result<Wanted, Failure> {
        let mut wanted = Wanted { names: Vec::new(), data: Vec::new() };
        if let Some(Expr::Vector(selector)) = call.args.get(1) {
            let (names, data) = selector.matchers.iter().cloned().partition(|m| m.name() == METRIC_NAME);
            wanted = Wanted { names, data };
        }
        let positive = |m: &Matcher| matches!(m.op(), MatchOp::Equal | MatchOp::Regex);
        if wanted.names.is_empty() {
            wanted.names.push(Matcher::equal(METRIC_NAME, DEFAULT_METRIC));
        } else if !wanted.names.iter().any(positive) {
            // Negations alone would take in every metric there is.
            let any_info = Matcher::new(METRIC_NAME, MatchOp::Regex, ANY_INFO_METRIC);
            wanted.names.push(any_info.map_err(|e| Failure::execution(e.to_string()))?);
        }
        Ok(wanted)
    }

    /// Whether a series is itself one of those asked for.
    fn is_info(&self, labels: &Labels) -> bool {
        self.names.iter().all(|m| m.matches(labels.metric_name()))
    }

    /// Whether series without a match are dropped.
    fn is_required(&self) -> bool {
        self.data.iter().any(|m| !m.matches_empty())
    }

    fn takes(&self, label: &str) -> bool {
        label != METRIC_NAME
            && !IDENTIFYING.contains(&label)
            && (self.data.is_empty() || self.data.iter().any(|m| m.name() == label))
    }
}

impl Evaluator<'_> {
    /// `info(v, {matchers})` at every step.
    pub(crate) fn info(&mut self, call: &Call, steps: Steps) -> Result<Value, Failure> {
        let arg = argument(call, 0)?;
        let wanted = Wanted::of(call)?;
        let base = self.vector(arg, steps)?;
        let (ignored, enriched): (Vec<Series>, Vec<Series>) = base.into_iter().partition(|s| wanted.is_info(&s.labels));
        if enriched.is_empty() {
            return Ok(Value::Vector(ignored));
        }
        // Info series are looked up as of the time that the samples are of, so that both tell of the same moment.
        let reference = self.moment(arg, Reference { at: None, offset: 0 })?;
        let infos = self.info_series(&wanted, &enriched, reference, steps, call.span)?;
        let mut by_identity: HashMap<Labels, Vec<usize>> = HashMap::new();
        for (i, info) in infos.iter().enumerate() {
            by_identity.entry(identity(&info.labels)).or_default().push(i);
        }
        let mut out = ignored;
        for s in enriched {
            self.check_cancelled()?;
            // A series that doesn't say whose it is belongs to nobody.
            let own = Some(identity(&s.labels)).filter(|labels| !labels.is_empty());
            let candidates = own.and_then(|own| by_identity.get(&own)).map(Vec::as_slice).unwrap_or(&[]);
            enrich(&s, candidates, &infos, &wanted, steps, &mut out)?;
        }
        merge_equal(out).map(Value::Vector)
    }

    fn info_series(
        &mut self,
        wanted: &Wanted,
        base: &[Series],
        reference: Reference,
        steps: Steps,
        span: Span,
    ) -> Result<Vec<InfoSeries>, Failure> {
        let mut matchers: Vec<Matcher> = wanted.names.iter().chain(&wanted.data).cloned().collect();
        // Only infos of what is there; a regular expression of all values would be longer than what it saves.
        for label in IDENTIFYING {
            if let Some(value) = base.first().map(|s| s.labels.value(label))
                && base.iter().all(|s| s.labels.value(label) == value)
            {
                matchers.push(Matcher::equal(label, value));
            }
        }
        if matchers.iter().all(Matcher::matches_empty) {
            // A selector has to name something; every series has a name.
            matchers
                .push(Matcher::new(METRIC_NAME, MatchOp::NotEqual, "").map_err(|e| Failure::execution(e.to_string()))?);
        }
        let fixed = reference.at.map(crate::ast::At::Time);
        let selector = VectorSelector {
            name: String::new(),
            matchers,
            offset: Some(crate::ast::DurationExpr::Literal(reference.offset)),
            at: fixed,
            extension: Extension::None,
            span,
        };
        let mut infos = Vec::new();
        let (selected, picks) = self.select_instant(&selector, steps)?;
        for data in selected {
            self.check_cancelled()?;
            self.hold(steps.count)?;
            let mut times = vec![None; steps.count];
            picks.each(&data, |step, t, point| {
                if matches!(point, PointRef::Float(_)) {
                    times[step] = Some(t);
                }
            });
            if times.iter().any(Option::is_some) {
                infos.push(InfoSeries { labels: data.labels, times });
            }
        }
        Ok(infos)
    }

    // Which time the samples of an expression are of: that of its first selector, with the subqueries around it.
    fn moment(&self, expr: &Expr, outer: Reference) -> Result<Reference, Failure> {
        let inside = |own: Reference| match own.at {
            Some(_) => own,
            None => Reference { at: outer.at, offset: outer.offset.saturating_add(own.offset) },
        };
        Ok(match expr {
            Expr::Vector(selector) => inside(self.reference(selector)?),
            Expr::Matrix(matrix) => inside(self.reference(&matrix.vector)?),
            Expr::Subquery(subquery) => {
                let own = Reference { at: self.fixed(subquery.at), offset: self.offset(subquery.offset.as_ref())? };
                self.moment(&subquery.expr, inside(own))?
            }
            Expr::Paren(e) => self.moment(&e.expr, outer)?,
            Expr::Unary(e) => self.moment(&e.expr, outer)?,
            Expr::Aggregate(e) => self.moment(&e.expr, outer)?,
            Expr::Binary(e) if has_selector(&e.lhs) => self.moment(&e.lhs, outer)?,
            Expr::Binary(e) => self.moment(&e.rhs, outer)?,
            Expr::Call(call) => match call.args.iter().find(|arg| has_selector(arg)) {
                Some(arg) => self.moment(arg, outer)?,
                None => outer,
            },
            Expr::Number(_) | Expr::String(_) => outer,
        })
    }
}

fn has_selector(expr: &Expr) -> bool {
    match expr {
        Expr::Vector(_) | Expr::Matrix(_) => true,
        Expr::Subquery(e) => has_selector(&e.expr),
        Expr::Paren(e) => has_selector(&e.expr),
        Expr::Unary(e) => has_selector(&e.expr),
        Expr::Aggregate(e) => has_selector(&e.expr),
        Expr::Binary(e) => has_selector(&e.lhs) || has_selector(&e.rhs),
        Expr::Call(call) => call.args.iter().any(has_selector),
        Expr::Number(_) | Expr::String(_) => false,
    }
}

fn identity(labels: &Labels) -> Labels {
    labels.filtered(|name, _| IDENTIFYING.contains(&name))
}

// A series may have different infos at different steps: it comes out once for each set of labels.
fn enrich(
    base: &Series,
    candidates: &[usize],
    infos: &[InfoSeries],
    wanted: &Wanted,
    steps: Steps,
    out: &mut Vec<Series>,
) -> Result<(), Failure> {
    let mut known: HashMap<Vec<usize>, usize> = HashMap::new();
    for step in 0..steps.count {
        let point = match base.get(step) {
            None => continue,
            Some(PointRef::Float(v)) => Point::Float(v),
            Some(PointRef::Histogram(h)) => Point::Histogram(h.clone()),
        };
        let newest = newest_of_each_metric(candidates, infos, step)?;
        if newest.is_empty() && wanted.is_required() {
            continue;
        }
        let index = match known.get(&newest) {
            Some(index) => *index,
            None => {
                let labels = with_data(&base.labels, &newest, infos, wanted)?;
                out.push(Series::new(labels, base.drop_name, steps.count));
                known.insert(newest, out.len() - 1);
                out.len() - 1
            }
        };
        out[index].set(step, point);
    }
    Ok(())
}

fn newest_of_each_metric(candidates: &[usize], infos: &[InfoSeries], step: usize) -> Result<Vec<usize>, Failure> {
    let mut newest: Vec<usize> = Vec::new();
    for i in candidates {
        let Some(time) = infos[*i].times[step] else { continue };
        let name = infos[*i].labels.metric_name();
        match newest.iter_mut().find(|other| infos[**other].labels.metric_name() == name) {
            None => newest.push(*i),
            Some(other) => match infos[*other].times[step] {
                Some(existing) if existing == time => {
                    return Err(Failure::execution(format!(
                        "found duplicate series for info metric: existing {} @ {existing}, new {} @ {time}",
                        infos[*other].labels, infos[*i].labels
                    )));
                }
                Some(existing) if existing > time => {}
                _ => *other = *i,
            },
        }
    }
    Ok(newest)
}

fn with_data(base: &Labels, newest: &[usize], infos: &[InfoSeries], wanted: &Wanted) -> Result<Labels, Failure> {
    let mut builder = LabelsBuilder::new(base);
    for i in newest {
        for (name, value) in infos[*i].labels.iter().filter(|(name, _)| wanted.takes(name)) {
            // What the series says of itself stands.
            if base.get(name).is_some() {
                continue;
            }
            let before = builder.value(name);
            if !before.is_empty() && before != value {
                return Err(Failure::execution(format!(
                    "conflicting label: {name} is {} and {}",
                    quoted(before),
                    quoted(value)
                )));
            }
            builder.set(name, value);
        }
    }
    Ok(builder.build())
}
