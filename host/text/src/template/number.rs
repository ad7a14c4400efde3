//! Constants.

use super::node::Number;
use crate::gofmt;

/// A constant from its text, which is that of a character or of a number; the error is Go's.
pub(super) fn number(character: bool, text: &str) -> Result<Number, String> {
    if character {
        if text.len() < 3 {
            return Err("invalid syntax".to_owned());
        }
        let c = gofmt::unquote_char(text).ok_or_else(|| format!("malformed character constant: {text}"))?;
        let int = Some(i64::from(c as u32));
        return Ok(Number { text: text.to_owned(), int, float: Some(f64::from(c as u32)), looks_float: false });
    }
    let hex = text.trim_start_matches(['+', '-']).to_ascii_lowercase().starts_with("0x");
    let mut int = go_int(text);
    let float =
        if hex { int.map(|n| n as f64).or_else(|| hex_float(text)) } else { go_float(text).or(int.map(|n| n as f64)) };
    let exponent = if hex { ".pP" } else { ".eE" };
    let looks_float = text.contains(|c| exponent.contains(c));
    if int.is_none()
        && let Some(x) = float
    {
        if !looks_float {
            return Err(format!("integer overflow: {}", gofmt::quote(text, false)));
        }
        if x.fract() == 0.0 && x.abs() < 9.2e18 {
            int = Some(x as i64);
        }
    }
    if int.is_none() && float.is_none() {
        return Err(format!("illegal number syntax: {}", gofmt::quote(text, false)));
    }
    Ok(Number { text: text.to_owned(), int, float, looks_float })
}

/// Underscores may stand between digits only, and behind a prefix.
fn underscores_fine(text: &str) -> bool {
    let digits = text.trim_start_matches(['+', '-']);
    !digits.starts_with('_') && !digits.ends_with('_') && !digits.contains("__")
}

fn go_int(text: &str) -> Option<i64> {
    if !underscores_fine(text) {
        return None;
    }
    let plain = text.replace('_', "").to_ascii_lowercase();
    let (sign, digits) = match plain.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", plain.strip_prefix('+').unwrap_or(&plain)),
    };
    let (digits, radix) = match digits.as_bytes() {
        [b'0', b'x', ..] => (&digits[2..], 16),
        [b'0', b'o', ..] => (&digits[2..], 8),
        [b'0', b'b', ..] => (&digits[2..], 2),
        [b'0', _, ..] => (&digits[1..], 8),
        _ => (digits, 10),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    i64::from_str_radix(&format!("{sign}{digits}"), radix).ok()
}

fn go_float(text: &str) -> Option<f64> {
    // Underscores are allowed only with a base prefix.
    if text.contains('_') || !text.contains(|c: char| c.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|x: &f64| x.is_finite())
}

/// `0x1.8p3`
fn hex_float(text: &str) -> Option<f64> {
    let plain = text.replace('_', "").to_ascii_lowercase();
    let negative = plain.starts_with('-');
    let digits = plain.trim_start_matches(['+', '-']).strip_prefix("0x")?;
    let (mantissa, exponent) = digits.split_once('p')?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.len() + fraction.len() == 0 || whole.len() + fraction.len() > 13 {
        return None;
    }
    let bits = u64::from_str_radix(&format!("{whole}{fraction}"), 16).ok()?;
    let exponent: i32 = exponent.parse().ok()?;
    let x = bits as f64 * 2f64.powi(exponent.clamp(-2000, 2000) - 4 * fraction.len() as i32);
    Some(if negative { -x } else { x }).filter(|x| x.is_finite())
}
