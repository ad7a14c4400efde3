//! Binary operators: scalars with scalars, vectors with scalars. Vectors with vectors are in `matching` and `setops`.

use super::element::{self, Outcome};
use super::series::{Point, PointRef};
use super::{Evaluator, Failure, Series, Steps, Value, is_present, scalar_at};
use crate::ast::{Binary, BinaryOp, Cardinality, Matching, Unary};

impl Evaluator<'_> {
    /// A binary operator at every step.
    pub(crate) fn eval_binary(&mut self, binary: &Binary, steps: Steps) -> Result<Value, Failure> {
        let above = self.buckets;
        self.buckets.needed |= matches!(binary.op, BinaryOp::TrimLower | BinaryOp::TrimUpper);
        let lhs = self.eval(&binary.lhs, steps)?;
        let rhs = self.eval(&binary.rhs, steps)?;
        self.buckets = above;
        match (lhs, rhs) {
            (Value::Scalar(a), Value::Scalar(b)) => {
                let steps = a.len().max(b.len());
                let value = |i| element::floats(binary.op, scalar_at(&a, i), scalar_at(&b, i));
                Ok(Value::Scalar((0..steps).map(value).collect()))
            }
            (Value::Vector(series), Value::Scalar(values)) => self.with_scalar(binary, series, &values, false),
            (Value::Scalar(values), Value::Vector(series)) => self.with_scalar(binary, series, &values, true),
            (Value::Vector(lhs), Value::Vector(rhs)) => self.of_vectors(binary, lhs, rhs, steps),
            _ => Err(Failure::execution(format!("operator {} is not defined on texts", binary.op.as_str()))),
        }
    }

    fn of_vectors(
        &mut self,
        binary: &Binary,
        lhs: Vec<Series>,
        rhs: Vec<Series>,
        steps: Steps,
    ) -> Result<Value, Failure> {
        let default = Matching {
            cardinality: Cardinality::OneToOne,
            labels: Vec::new(),
            on: false,
            include: Vec::new(),
            fill_left: None,
            fill_right: None,
        };
        let matching = binary.matching.as_ref().unwrap_or(&default);
        let out = match binary.op {
            BinaryOp::And => self.and(lhs, &rhs, matching, steps),
            BinaryOp::Unless => self.unless(lhs, &rhs, matching, steps),
            BinaryOp::Or => self.or(lhs, rhs, matching, steps)?,
            _ => self.matched(binary, matching, &lhs, &rhs, steps)?,
        };
        Ok(Value::Vector(out))
    }

    fn with_scalar(
        &mut self,
        binary: &Binary,
        mut series: Vec<Series>,
        values: &[f64],
        scalar_left: bool,
    ) -> Result<Value, Failure> {
        let (op, span) = (binary.op, binary.span);
        let plain = element::drops_name(op);
        for s in &mut series {
            self.check_cancelled()?;
            if plain && s.histograms.is_empty() {
                for (i, v) in s.floats.iter_mut().enumerate().filter(|(_, v)| is_present(**v)) {
                    let scalar = scalar_at(values, i);
                    *v = if scalar_left { element::floats(op, scalar, *v) } else { element::floats(op, *v, scalar) };
                }
                continue;
            }
            for i in 0..s.floats.len() {
                let own = match s.get(i) {
                    None => continue,
                    Some(PointRef::Float(v)) => Point::Float(v),
                    Some(PointRef::Histogram(h)) => Point::Histogram(h.clone()),
                };
                let element = own.as_ref();
                let scalar = PointRef::Float(scalar_at(values, i));
                let (a, b) = if scalar_left { (scalar, element) } else { (element, scalar) };
                match element::elements(op, a, b, &mut self.notes, span) {
                    Outcome::Value(_) if binary.return_bool => s.set(i, Point::Float(1.0)),
                    Outcome::Unequal if binary.return_bool => s.set(i, Point::Float(0.0)),
                    // A comparison filters the vector's elements, on whichever side it stands.
                    Outcome::Value(_) if element::is_comparison(op) => {}
                    Outcome::Value(point) => s.set(i, point),
                    Outcome::Unequal | Outcome::Incompatible => s.clear(i),
                }
            }
        }
        series.retain(|s| !s.is_empty());
        if plain || binary.return_bool {
            series = self.without_names(series)?;
        }
        Ok(Value::Vector(series))
    }

    /// A sign at every step.
    pub(crate) fn eval_unary(&mut self, unary: &Unary, steps: Steps) -> Result<Value, Failure> {
        match self.eval(&unary.expr, steps)? {
            value if !unary.negative => Ok(value),
            Value::Scalar(mut values) => {
                values.iter_mut().for_each(|v| *v = -*v);
                Ok(Value::Scalar(values))
            }
            Value::Vector(mut series) => {
                for s in &mut series {
                    s.floats.iter_mut().filter(|v| is_present(**v)).for_each(|v| *v = -*v);
                    for h in s.histograms.iter_mut().flatten() {
                        std::sync::Arc::make_mut(h).mul(-1.0);
                    }
                }
                self.without_names(series).map(Value::Vector)
            }
            Value::String(_) => {
                Err(Failure::execution("unary expression only allowed on expressions of type scalar or instant vector"))
            }
        }
    }
}

impl Point {
    /// The same, only looked at.
    pub(crate) fn as_ref(&self) -> PointRef<'_> {
        match self {
            Point::Float(v) => PointRef::Float(*v),
            Point::Histogram(h) => PointRef::Histogram(h),
        }
    }
}
