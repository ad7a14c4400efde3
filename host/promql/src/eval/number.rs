//! Numbers as Go computes and writes them, where neither Rust nor the model has it.

use watchglass_model::{GoFloat, PlainFloat};

use crate::quote::Quoted;

/// Go's `%.2g`: two significant digits.
pub(crate) fn two_digits(v: f64) -> String {
    if !v.is_finite() || v == 0.0 {
        return GoFloat(v).to_string();
    }
    let text = format!("{v:.1e}");
    let exponent: i32 = text.split_once('e').and_then(|(_, e)| e.parse().ok()).unwrap_or(0);
    let rounded: f64 = text.parse().unwrap_or(v);
    // Beyond two digits Go writes an exponent, which the shortest form does from six digits on.
    match exponent {
        2..6 => {
            let digits = format!("{}", rounded / 10f64.powi(exponent));
            format!("{digits}e+{exponent:02}")
        }
        ..-4 | 6.. => GoFloat(rounded).to_string(),
        _ => PlainFloat(rounded).to_string(),
    }
}

/// A text in Go's double quotes.
pub(crate) fn quoted(text: &str) -> String {
    Quoted(text).to_string()
}

/// Go's `math.Max`: NaN if either is, unless the other is infinite.
pub(crate) fn go_max(a: f64, b: f64) -> f64 {
    match (a, b) {
        (f64::INFINITY, _) | (_, f64::INFINITY) => f64::INFINITY,
        (a, b) if a.is_nan() || b.is_nan() => f64::NAN,
        (a, b) => a.max(b),
    }
}

/// Go's `math.Min`: NaN if either is, unless the other is infinite.
pub(crate) fn go_min(a: f64, b: f64) -> f64 {
    match (a, b) {
        (f64::NEG_INFINITY, _) | (_, f64::NEG_INFINITY) => f64::NEG_INFINITY,
        (a, b) if a.is_nan() || b.is_nan() => f64::NAN,
        (a, b) => a.min(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_significant_digits() {
        let cases = [(1234.0, "1.2e+03"), (0.0123, "0.012"), (12.4, "12"), (1.0, "1"), (0.0, "0"), (9.99e-7, "1e-06")];
        for (v, text) in cases {
            assert_eq!(two_digits(v), text, "{v}");
        }
    }

    #[test]
    fn nan_and_infinity() {
        assert!(go_max(f64::NAN, 1.0).is_nan() && go_min(1.0, f64::NAN).is_nan());
        assert_eq!(
            (go_max(f64::NAN, f64::INFINITY), go_min(f64::NEG_INFINITY, f64::NAN)),
            (f64::INFINITY, f64::NEG_INFINITY)
        );
    }
}
