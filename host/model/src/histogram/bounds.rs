//! Where buckets lie.

use std::sync::LazyLock;

use super::{CUSTOM_BUCKETS_SCHEMA, MAX_EXPONENTIAL_SCHEMA};

/// 2^-0.5 as Prometheus has it, one unit in the last place below the nearest double.
const HALF_WAY: f64 = 0.707_106_781_186_547_5;

/// Per schema 0..=8 the bounds inside one power of two, as mantissas in [0.5, 1).
///
/// Every second bound is one of the schema before, so that reducing a schema changes no bound; the others follow by
/// multiplication, in the order that gives the very doubles that Prometheus and its clients print.
static MANTISSAS: LazyLock<Vec<Vec<f64>>> = LazyLock::new(|| {
    let mut schemas = vec![vec![0.5], vec![0.5, HALF_WAY]];
    for schema in 2..=MAX_EXPONENTIAL_SCHEMA {
        let factor = (-f64::from(schema)).exp2().exp2();
        let coarser: &Vec<f64> = &schemas[schema as usize - 1];
        schemas.push(coarser.iter().flat_map(|bound| [*bound, bound * factor]).collect());
    }
    schemas
});

/// The upper bound of bucket `index` on the positive side of a schema; the lower bound is that of `index - 1`.
///
/// Exponential: 2^(index * 2^-schema); the last bucket that doubles have ends at the largest double, only the one above it at
/// +Inf. Custom: the bound with that index, -Inf below and +Inf above all of them.
pub(crate) fn upper_bound(index: i32, schema: i32, custom_values: &[f64]) -> f64 {
    if schema == CUSTOM_BUCKETS_SCHEMA {
        return match usize::try_from(index) {
            Ok(i) => custom_values.get(i).copied().unwrap_or(f64::INFINITY),
            Err(_) => f64::NEG_INFINITY,
        };
    }
    if schema < 0 {
        let exponent = i64::from(index) << schema.unsigned_abs().min(31);
        return power_of_two(exponent, 1.0);
    }
    let schema = schema.min(MAX_EXPONENTIAL_SCHEMA) as usize;
    let mantissa = MANTISSAS[schema][index as usize & ((1 << schema) - 1)];
    power_of_two(i64::from(index >> schema) + 1, mantissa)
}

/// mantissa * 2^exponent, where exactly 2^1024 is the largest double.
fn power_of_two(exponent: i64, mantissa: f64) -> f64 {
    if (mantissa == 0.5 && exponent == 1025) || (mantissa == 1.0 && exponent == 1024) {
        return f64::MAX;
    }
    // In two steps, for neither subnormal nor near-maximal results fit one factor.
    let half = exponent.clamp(-2200, 2200) as i32 / 2;
    let rest = exponent.clamp(-2200, 2200) as i32 - half;
    mantissa * 2f64.powi(half) * 2f64.powi(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponential_bounds() {
        assert_eq!(upper_bound(0, 0, &[]), 1.0);
        assert_eq!(upper_bound(3, 0, &[]), 8.0);
        assert_eq!(upper_bound(-1, 0, &[]), 0.5);
        assert_eq!(upper_bound(2, -1, &[]), 16.0);
        assert_eq!(upper_bound(-1, -4, &[]), 2f64.powi(-16));
        assert_eq!(upper_bound(4, 1, &[]), 4.0);
        assert!((upper_bound(1, 1, &[]) - 2f64.sqrt()).abs() < 1e-15);
        assert_eq!(upper_bound(1024, 0, &[]), f64::MAX);
        assert_eq!(upper_bound(1025, 0, &[]), f64::INFINITY);
        assert_eq!(upper_bound(64, -4, &[]), f64::MAX);
        assert_eq!(upper_bound(-1074, 0, &[]), f64::from_bits(1));
        for index in [i32::MIN, i32::MAX] {
            for schema in -4..=8 {
                let _ = upper_bound(index, schema, &[]);
            }
        }
    }

    #[test]
    fn custom_bounds() {
        let bounds = [-2.0, 3.0];
        let at = |i| upper_bound(i, CUSTOM_BUCKETS_SCHEMA, &bounds);
        assert_eq!((at(-1), at(0), at(1), at(2)), (f64::NEG_INFINITY, -2.0, 3.0, f64::INFINITY));
    }
}
