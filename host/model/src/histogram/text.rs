//! The two text forms.

use std::fmt;

use super::{Bucket, CounterResetHint, Histogram, Span};
use crate::number::GoFloat;

/// How wide a gap the script form bridges with zeros; a histogram that is wider has no such form, and what lies beyond is left out.
const MAX_LITERAL_GAP: usize = 1 << 16;

impl fmt::Display for Bucket {
    /// `[lower,upper]:count`, round brackets where a bound is exclusive.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = if self.lower_inclusive { '[' } else { '(' };
        let close = if self.upper_inclusive { ']' } else { ')' };
        write!(f, "{open}{},{}{close}:{}", GoFloat(self.lower), GoFloat(self.upper), GoFloat(self.count))
    }
}

impl fmt::Display for Histogram {
    /// As query output and annotations show it: `{count:3, sum:5, [-0.001,0.001]:1, (1,2]:2}`, populated buckets ascending.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{count:{}, sum:{}", GoFloat(self.count), GoFloat(self.sum))?;
        let zero = (self.zero_count != 0.0).then(|| self.zero_bucket());
        for bucket in self.negative_iter().rev().chain(zero).chain(self.positive_iter()).filter(|b| b.count != 0.0) {
            write!(f, ", {bucket}")?;
        }
        f.write_str("}")
    }
}

impl Histogram {
    /// As test scripts write it: `{{schema:1 count:3 sum:5 buckets:[1 2]}}`, fields of value 0 left out.
    pub fn to_literal(&self) -> String {
        let mut compact = self.clone();
        compact.compact(MAX_LITERAL_GAP);
        let mut fields = Vec::new();
        if compact.schema != 0 {
            fields.push(format!("schema:{}", compact.schema));
        }
        let numbers = [
            ("count", compact.count),
            ("sum", compact.sum),
            ("z_bucket", compact.zero_count),
            ("z_bucket_w", compact.zero_threshold),
        ];
        fields.extend(numbers.iter().filter(|(_, v)| *v != 0.0).map(|(name, v)| format!("{name}:{}", GoFloat(*v))));
        if compact.uses_custom_buckets() {
            fields.push(format!("custom_values:[{}]", list(&compact.custom_values)));
        }
        if compact.counter_reset_hint != CounterResetHint::Unknown {
            fields.push(format!("counter_reset_hint:{}", compact.counter_reset_hint.as_str()));
        }
        side(&mut fields, "offset", "buckets", &compact.positive_spans, &compact.positive_buckets);
        side(&mut fields, "n_offset", "n_buckets", &compact.negative_spans, &compact.negative_buckets);
        format!("{{{{{}}}}}", fields.join(" "))
    }
}

fn side(fields: &mut Vec<String>, offset: &str, name: &str, spans: &[Span], buckets: &[f64]) {
    let Some(span) = spans.first() else { return };
    if span.offset != 0 {
        fields.push(format!("{offset}:{}", span.offset));
    }
    let shown = buckets.len().min(span.length as usize);
    fields.push(format!("{name}:[{}]", list(&buckets[..shown])));
}

fn list(values: &[f64]) -> String {
    values.iter().map(|v| GoFloat(*v).to_string()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::super::HistogramLiteral;

    #[test]
    fn both_forms() {
        let literal = "{{schema:1 count:9 sum:1e+06 z_bucket:1 z_bucket_w:0.001 counter_reset_hint:gauge offset:-2 buckets:[1 0 2] n_buckets:[2 3]}}";
        let h = HistogramLiteral::parse(literal).unwrap().histogram;
        assert_eq!(h.to_literal(), literal);
        assert!(h.to_string().starts_with("{count:9, sum:1e+06, [-1.41421356237309"), "{h}");
        assert!(h.to_string().contains(",-1):3, [-1,-0.7071067811865"), "{h}");
        assert!(h.to_string().contains("):2, [-0.001,0.001]:1, ("), "{h}");
        let custom = "{{schema:-53 count:3 custom_values:[-2 3] buckets:[1 2]}}";
        let h = HistogramLiteral::parse(custom).unwrap().histogram;
        assert_eq!(h.to_literal(), custom);
        assert_eq!(h.to_string(), "{count:3, sum:0, [-Inf,-2]:1, (-2,3]:2}");
        assert_eq!(super::Histogram::default().to_literal(), "{{}}");
    }
}
