//! Queries that a grammar makes up over the laboratory's series.

use watchglass_promql::ast::ValueType;
use watchglass_promql::{FUNCTIONS, Function};

use super::corpus::Query;
use super::data::{Dice, END, START};

const FLOATS: [&str; 12] = [
    "lab_requests_total",
    "lab_requests_total{code=~\"4..|5..\"}",
    "lab_requests_total{method!=\"get\"}",
    "lab_errors_total",
    "lab_errors_total{instance=\"a:1\"}",
    "lab_temperature_celsius",
    "lab_temperature_celsius{room=\"attic\"}",
    "lab_wild",
    "lab_info",
    "lab_latency_seconds_bucket",
    "lab_latency_seconds_count{job!~\"d.*\"}",
    "{__name__=~\"lab_latency_seconds_(sum|count)\"}",
];
const HISTOGRAMS: [&str; 4] = ["lab_native", "lab_native_gauge", "lab_native_custom", "lab_native{job=\"api\"}"];
const RANGES: [&str; 5] = ["1m", "2m30s", "5m", "10m", "20m"];
const LABELS: [&str; 6] = ["job", "instance", "code", "method", "room", "le"];
const AGGREGATIONS: [&str; 9] = ["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar", "sum"];
const OPERATORS: [&str; 13] = ["+", "-", "*", "/", "%", "^", "atan2", "==", "!=", ">", "<", ">=", "<="];

/// `n` queries, the same for every run.
pub(crate) fn queries(n: usize) -> Vec<Query> {
    let mut dice = Dice(20);
    (0..n)
        .map(|i| {
            let depth = 1 + dice.below(3) as u32;
            Query { name: format!("generated {i}"), text: Maker { dice: &mut dice }.vector(depth) }
        })
        .collect()
}

struct Maker<'a> {
    dice: &'a mut Dice,
}

impl Maker<'_> {
    fn vector(&mut self, depth: u32) -> String {
        if depth == 0 {
            return self.instant_selector();
        }
        match self.dice.below(20) {
            0 => self.instant_selector(),
            1..=6 => self.call(depth),
            7..=11 => self.aggregation(depth),
            12..=15 => self.binary(depth),
            16 => self.quantile_of_buckets(),
            17 => format!("-({})", self.vector(depth - 1)),
            18 => self.relabelled(depth),
            _ => self.over_subquery(depth),
        }
    }

    fn selector(&mut self) -> &'static str {
        if self.dice.below(6) == 0 { self.dice.pick(&HISTOGRAMS) } else { self.dice.pick(&FLOATS) }
    }

    fn modifiers(&mut self) -> String {
        let at = START / 1000 + self.dice.below((END - START) as u64 / 1000) as i64;
        match self.dice.below(16) {
            0 => " offset 3m".to_owned(),
            1 => " offset -2m".to_owned(),
            2 => format!(" @ {at}"),
            3 => " @ start()".to_owned(),
            4 => " @ end() offset 1m".to_owned(),
            _ => String::new(),
        }
    }

    fn instant_selector(&mut self) -> String {
        format!("{}{}", self.selector(), self.modifiers())
    }

    fn range(&mut self, depth: u32) -> String {
        if depth > 0 && self.dice.below(6) == 0 {
            let step = self.dice.pick(&["", "30s", "1m"]);
            return format!("({})[{}:{step}]{}", self.vector(depth - 1), self.dice.pick(&RANGES), self.modifiers());
        }
        format!("{}[{}]{}", self.selector(), self.dice.pick(&RANGES), self.modifiers())
    }

    fn scalar(&mut self, depth: u32) -> String {
        match self.dice.below(12) {
            0 => "time()".to_owned(),
            1 if depth > 0 => format!("scalar({})", self.vector(depth - 1)),
            2 => format!("-{}", self.dice.below(100)),
            3..=6 => format!("0.{}", self.dice.below(100)),
            _ => format!("{}", self.dice.below(20)),
        }
    }

    fn call(&mut self, depth: u32) -> String {
        // Half of the calls are of what most queries have.
        if self.dice.below(2) == 0 {
            let name = self.dice.pick(&[
                "rate",
                "increase",
                "irate",
                "delta",
                "avg_over_time",
                "max_over_time",
                "sum_over_time",
            ]);
            return known_to_both(name, format!("{name}({})", self.range(depth - 1)));
        }
        let function = loop {
            let function = &FUNCTIONS[self.dice.below(FUNCTIONS.len() as u64) as usize];
            let own =
                ["label_replace", "label_join", "info", "sort_by_label", "sort_by_label_desc", "histogram_quantiles"];
            if function.returns == ValueType::Vector && !own.contains(&function.name) {
                break function;
            }
        };
        let args = self.arguments(function, depth);
        known_to_both(function.name, format!("{}({})", function.name, args.join(", ")))
    }

    fn arguments(&mut self, function: &Function, depth: u32) -> Vec<String> {
        let (least, _) = function.arity();
        let count = if least == function.args.len() || self.dice.below(2) == 0 { function.args.len() } else { least };
        (0..count)
            .map(|i| match function.args[i] {
                ValueType::Vector => self.vector(depth - 1),
                ValueType::Matrix => self.range(depth - 1),
                ValueType::Scalar => self.scalar(depth - 1),
                ValueType::String => "\"x\"".to_owned(),
            })
            .collect()
    }

    fn aggregation(&mut self, depth: u32) -> String {
        let grouping = self.grouping();
        let inner = self.vector(depth - 1);
        match self.dice.below(12) {
            0 => format!("topk{grouping} ({}, {})", 1 + self.dice.below(4), self.distinct()),
            1 => format!("bottomk{grouping} ({}, {})", 1 + self.dice.below(4), self.distinct()),
            2 => format!("quantile{grouping} (0.{}, {inner})", self.dice.below(100)),
            // A last bit that differs, or an order that nothing promises, would be another label here.
            3 => format!("count_values{grouping} (\"value\", {})", self.selector()),
            4 => format!("limitk{grouping} ({}, {})", 1 + self.dice.below(4), self.selector()),
            _ => format!("{}{grouping} ({inner})", self.dice.pick(&AGGREGATIONS)),
        }
    }

    /// Series of which no two have the same value: which of two equal ones ranks first is open.
    fn distinct(&mut self) -> String {
        let metric = self.dice.pick(&["lab_requests_total", "lab_errors_total", "lab_temperature_celsius"]);
        match self.dice.below(2) {
            0 => metric.to_owned(),
            _ => format!("avg_over_time({metric}[{}])", self.dice.pick(&RANGES)),
        }
    }

    fn grouping(&mut self) -> String {
        let word = match self.dice.below(3) {
            0 => return String::new(),
            1 => "by",
            _ => "without",
        };
        format!(" {word} ({})", self.labels())
    }

    fn labels(&mut self) -> String {
        let count = self.dice.below(3) + 1;
        (0..count).map(|_| self.dice.pick(&LABELS)).collect::<Vec<_>>().join(", ")
    }

    fn binary(&mut self, depth: u32) -> String {
        let left = self.vector(depth - 1);
        match self.dice.below(6) {
            0 | 1 => {
                let (op, bool) = self.operator();
                let right = self.scalar(depth - 1);
                if self.dice.below(3) == 0 {
                    format!("{right} {op}{bool} ({left})")
                } else {
                    format!("({left}) {op}{bool} {right}")
                }
            }
            2 => {
                let op = self.dice.pick(&["and", "or", "unless"]);
                let on = if self.dice.below(2) == 0 { format!(" on ({})", self.labels()) } else { String::new() };
                format!("({left}) {op}{on} ({})", self.vector(depth - 1))
            }
            3 => {
                // Of the right side there is one for each group, so that there is a match.
                let (op, bool) = self.operator();
                let label = self.dice.pick(&["job", "instance"]);
                format!("({left}) {op}{bool} on ({label}) group_left () sum by ({label}) ({})", self.vector(depth - 1))
            }
            4 => {
                let (op, bool) = self.operator();
                format!("({left}) {op}{bool} ({left})")
            }
            _ => {
                let (op, bool) = self.operator();
                format!("sum by (job) ({left}) {op}{bool} avg by (job) ({})", self.vector(depth - 1))
            }
        }
    }

    fn operator(&mut self) -> (&'static str, &'static str) {
        let op = self.dice.pick(&OPERATORS);
        let compares = op.contains(['=', '<', '>']);
        (op, if compares && self.dice.below(2) == 0 { " bool" } else { "" })
    }

    fn quantile_of_buckets(&mut self) -> String {
        let by = self.dice.pick(&["", "sum by (le) ", "sum by (le, job) ", "sum without (instance) "]);
        let q = self.dice.below(110) as f64 / 100.0;
        let inner = format!("{by}(rate(lab_latency_seconds_bucket[{}]))", self.dice.pick(&RANGES));
        match self.dice.below(3) {
            // 3.5.3 has no fraction where the lower end falls into the first bucket.
            0 => format!("histogram_fraction(0.2, {q}, {inner})"),
            _ => format!("histogram_quantile({q}, {inner})"),
        }
    }

    fn relabelled(&mut self, depth: u32) -> String {
        let inner = self.vector(depth - 1);
        match self.dice.below(3) {
            0 => format!("label_join({inner}, \"joined\", \"-\", \"job\", \"instance\")"),
            1 => format!("label_replace({inner}, \"host\", \"$1-x\", \"instance\", \"(.*):.*\")"),
            _ => format!("sort_by_label({inner}, \"instance\", \"code\")"),
        }
    }

    fn over_subquery(&mut self, depth: u32) -> String {
        let name = self.dice.pick(&["max_over_time", "min_over_time", "avg_over_time", "quantile_over_time", "deriv"]);
        let inner = self.vector(depth - 1);
        let range = self.dice.pick(&RANGES);
        let step = self.dice.pick(&["", "15s", "1m"]);
        match name {
            "quantile_over_time" => format!("{name}(0.7, ({inner})[{range}:{step}])"),
            _ => format!("{name}(({inner})[{range}:{step}])"),
        }
    }
}

/// 3.5.3 extends the rate of a histogram beyond the time at which its count was zero, which newer ones do not. Counters here are far from
/// zero; a gauge taken for one is not.
fn known_to_both(name: &str, call: String) -> String {
    if matches!(name, "rate" | "increase") { call.replace("lab_native_gauge", "lab_native") } else { call }
}
