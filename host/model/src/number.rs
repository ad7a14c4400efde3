//! Numbers as Go writes and reads them, which is how Prometheus' formats do.

use std::fmt;

/// A float as Go's `%g` and `%v` (`strconv.FormatFloat(v, 'g', -1, 64)`) write it: the fewest digits that read back the same,
/// with an exponent of at least two digits below 1e-4 and from 1e6 on: `0.0001`, `1e-05`, `999999`, `1e+06`, `+Inf`, `NaN`.
///
/// So the exposition formats, annotations and templates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GoFloat(pub f64);

impl fmt::Display for GoFloat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let v = self.0;
        let size = v.abs();
        if !v.is_finite() {
            return write!(f, "{}", PlainFloat(v));
        }
        if size == 0.0 || (1e-4..1e6).contains(&size) {
            return write!(f, "{v}");
        }
        write_with_exponent(f, v)
    }
}

/// A float as `strconv.FormatFloat(v, 'f', -1, 64)` writes it: never an exponent. So the HTTP API.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlainFloat(pub f64);

impl fmt::Display for PlainFloat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            v if v.is_nan() => f.write_str("NaN"),
            f64::INFINITY => f.write_str("+Inf"),
            f64::NEG_INFINITY => f.write_str("-Inf"),
            v => write!(f, "{v}"),
        }
    }
}

/// A float as OpenMetrics wants bounds and quantiles: as [`GoFloat`], whole numbers with `.0`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OpenMetricsFloat(pub f64);

impl fmt::Display for OpenMetricsFloat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", GoFloat(self.0))?;
        let whole = self.0.is_finite() && self.0.fract() == 0.0 && self.0.abs() < 1e6;
        if whole { f.write_str(".0") } else { Ok(()) }
    }
}

/// A float as `strconv.FormatFloat(v, 'e', -1, 64)` writes it: always an exponent, `1e+00`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExponentFloat(pub f64);

impl fmt::Display for ExponentFloat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_finite() { write_with_exponent(f, self.0) } else { write!(f, "{}", PlainFloat(self.0)) }
    }
}

fn write_with_exponent(f: &mut fmt::Formatter<'_>, v: f64) -> fmt::Result {
    // Rust writes `1.5e-7`, Go `1.5e-07`.
    let text = format!("{v:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    write!(f, "{mantissa}e{sign}{digits:0>2}")
}

/// Reads a float as Go's `strconv.ParseFloat` does, or gives `None`: decimal with underscores between digits, hexadecimal with
/// `p` exponent, `Inf`, `Infinity` and `NaN` in any case; what is too large for a double is an error there and `None` here.
pub fn parse_go_float(text: &str) -> Option<f64> {
    if text.contains('_') {
        let bytes = text.as_bytes();
        let between_digits = |i: usize| {
            i > 0 && bytes[i - 1].is_ascii_alphanumeric() && bytes.get(i + 1).is_some_and(u8::is_ascii_alphanumeric)
        };
        if bytes.iter().enumerate().any(|(i, b)| *b == b'_' && !between_digits(i)) {
            return None;
        }
        let plain: String = text.chars().filter(|c| *c != '_').collect();
        // Go takes them only between digits (or behind 0x), which words have none of.
        return if plain.bytes().any(|b| b.is_ascii_digit()) { parse_go_float(&plain) } else { None };
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if let Some(hex) = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X")) {
        let v = parse_hex(hex)?;
        return Some(if text.starts_with('-') { -v } else { v });
    }
    parse_exposition_float(text)
}

/// Reads a float as the exposition formats allow it (as Go read them before it knew hexadecimal floats), or gives `None`.
pub fn parse_exposition_float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let first = unsigned.bytes().next()?;
    if first.is_ascii_digit() || first == b'.' {
        let v: f64 = text.parse().ok()?;
        return v.is_finite().then_some(v);
    }
    if unsigned.eq_ignore_ascii_case("inf") || unsigned.eq_ignore_ascii_case("infinity") {
        return Some(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY });
    }
    text.eq_ignore_ascii_case("nan").then_some(f64::NAN)
}

/// The digits behind `0x`: a mantissa, with a `p` and the power of two (which Go demands).
fn parse_hex(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.len() + fraction.len() == 0 || mantissa.len() > 64 {
        return None;
    }
    let mut value = 0f64;
    for digit in whole.chars().chain(fraction.chars()) {
        value = value * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let scaled = value * 2f64.powi(exponent.saturating_sub(4 * fraction.len() as i32));
    scaled.is_finite().then_some(scaled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_as_go_does() {
        let inf = f64::INFINITY;
        let cases = [
            (0.0, "0", "0", "0e+00"),
            (-0.0, "-0", "-0", "-0e+00"),
            (1.0, "1", "1", "1e+00"),
            (-2.5, "-2.5", "-2.5", "-2.5e+00"),
            (0.0001, "0.0001", "0.0001", "1e-04"),
            (0.00001, "1e-05", "0.00001", "1e-05"),
            (123456.0, "123456", "123456", "1.23456e+05"),
            (999999.5, "999999.5", "999999.5", "9.999995e+05"),
            (1e6, "1e+06", "1000000", "1e+06"),
            (1234567.5, "1.2345675e+06", "1234567.5", "1.2345675e+06"),
            (1e21, "1e+21", "1000000000000000000000", "1e+21"),
            (1.5e300, "1.5e+300", &format!("15{}", "0".repeat(299)), "1.5e+300"),
            (5e-324, "5e-324", &format!("0.{}5", "0".repeat(323)), "5e-324"),
            (inf, "+Inf", "+Inf", "+Inf"),
            (-inf, "-Inf", "-Inf", "-Inf"),
            (f64::NAN, "NaN", "NaN", "NaN"),
        ];
        for (v, g, f, e) in cases {
            let got = (GoFloat(v).to_string(), PlainFloat(v).to_string(), ExponentFloat(v).to_string());
            assert_eq!(got, (g.to_owned(), f.to_owned(), e.to_owned()));
        }
        assert_eq!(OpenMetricsFloat(5.0).to_string(), "5.0");
        assert_eq!(OpenMetricsFloat(0.5).to_string(), "0.5");
        assert_eq!(OpenMetricsFloat(1e6).to_string(), "1e+06");
        assert_eq!(OpenMetricsFloat(inf).to_string(), "+Inf");
    }

    #[test]
    fn reads_as_go_does() {
        let good = [
            ("1", 1.0),
            ("+1.5e3", 1500.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("-iNf", f64::NEG_INFINITY),
            ("+Infinity", f64::INFINITY),
            ("1_000.5", 1000.5),
            ("0x1p-2", 0.25),
            ("-0x1.8p1", -3.0),
        ];
        for (text, value) in good {
            assert_eq!(parse_go_float(text), Some(value), "{text}");
        }
        assert!(parse_go_float("nAn").is_some_and(f64::is_nan));
        for text in
            ["", "+", "-nan", "1e", "1e400", "_1", "1_", "1__0", "0x", "0x1", "0xp1", "1 ", "e5", ".", "i_nf", "0xzp1"]
        {
            assert_eq!(parse_go_float(text), None, "{text}");
        }
        for text in ["1_0", "0x1p-2"] {
            assert_eq!(parse_exposition_float(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_reads_back(bits: u64, text in ".{0,12}") {
            let v = f64::from_bits(bits);
            for written in [GoFloat(v).to_string(), PlainFloat(v).to_string(), ExponentFloat(v).to_string()] {
                let read = parse_go_float(&written).expect("a number");
                proptest::prop_assert!(read == v || (read.is_nan() && v.is_nan()), "{} {}", v, written);
            }
            let _ = parse_go_float(&text);
        }
    }
}
