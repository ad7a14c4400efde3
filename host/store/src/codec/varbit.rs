//! The variable-length integers of histogram chunks: a unary prefix says how many bits follow.

use super::bits::{BitReader, BitWriter};
use super::bytes::DecodeError;

/// Bits that follow the prefix of so many ones (and a zero); the last prefix, eight ones, has no zero.
const WIDTHS: [u32; 9] = [0, 3, 6, 9, 12, 18, 25, 56, 64];

fn put(out: &mut BitWriter, ones: u32, value: u64) {
    if ones < 8 {
        out.bits(((1 << ones) - 1) << 1, ones + 1);
    } else {
        out.bits(0xff, 8);
    }
    out.bits(value, WIDTHS[ones as usize]);
}

fn width(from: &mut BitReader<'_>) -> Result<u32, DecodeError> {
    let mut ones = 0;
    while ones < 8 && from.bit()? {
        ones += 1;
    }
    Ok(WIDTHS[ones])
}

/// Appends a signed integer.
pub(crate) fn put_int(out: &mut BitWriter, value: i64) {
    let fits = |n: u32| n == 0 && value == 0 || n > 0 && (n == 64 || in_range(value, n));
    let ones = WIDTHS.iter().position(|&n| fits(n)).unwrap_or(8);
    put(out, ones as u32, value as u64);
}

/// Appends an unsigned integer.
pub(crate) fn put_uint(out: &mut BitWriter, value: u64) {
    let ones = WIDTHS.iter().position(|&n| n == 64 || value < 1 << n).unwrap_or(8);
    put(out, ones as u32, value);
}

/// Whether a signed value fits `n` bits (1 to 63) in the format's lopsided range: `-(2^(n-1)-1)` to `2^(n-1)`.
pub(crate) fn in_range(value: i64, n: u32) -> bool {
    let half = 1i64 << (n - 1);
    value > -half && value <= half
}

/// Undoes what [`in_range`] allows: a field above `2^(n-1)` is negative. `n` from 1 to 63.
pub(crate) fn sign(field: u64, n: u32) -> i64 {
    if field > 1 << (n - 1) { field.wrapping_sub(1 << n) as i64 } else { field as i64 }
}

/// Reads a signed integer.
pub(crate) fn int(from: &mut BitReader<'_>) -> Result<i64, DecodeError> {
    Ok(match width(from)? {
        0 => 0,
        64 => from.bits(64)? as i64,
        n => sign(from.bits(n)?, n),
    })
}

/// Reads an unsigned integer.
pub(crate) fn uint(from: &mut BitReader<'_>) -> Result<u64, DecodeError> {
    let n = width(from)?;
    from.bits(n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn edge() -> impl Strategy<Value = i64> {
        (0u32..63, -2i64..=2, any::<bool>()).prop_map(|(n, d, minus)| {
            let v = (1i64 << n).wrapping_add(d);
            if minus { v.wrapping_neg() } else { v }
        })
    }

    proptest! {
        #[test]
        fn integers_come_back(values in proptest::collection::vec(prop_oneof![edge(), any::<i64>()], 0..100)) {
            let mut out = BitWriter::default();
            for &v in &values {
                put_int(&mut out, v);
                put_uint(&mut out, v as u64);
            }
            let mut reader = BitReader::new(out.bytes());
            for &v in &values {
                prop_assert_eq!(int(&mut reader).unwrap(), v);
                prop_assert_eq!(uint(&mut reader).unwrap(), v as u64);
            }
        }
    }

    #[test]
    fn prefixes_are_as_short_as_they_can_be() {
        for (value, bits) in [(0, 1), (1, 5), (4, 5), (-3, 5), (-4, 9), (5, 9), (32, 9), (33, 13), (i64::MIN, 72)] {
            let mut out = BitWriter::default();
            put_int(&mut out, value);
            assert_eq!(out.bytes().len(), (bits as usize).div_ceil(8), "{value}");
        }
    }
}
