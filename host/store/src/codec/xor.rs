//! Float chunks: delta of delta for times, XOR for values (after Facebook's Gorilla paper, in Prometheus' layout).

use watchglass_model::{FloatPoint, TimeMs};

use super::bits::{BitReader, BitWriter};
use super::bytes::DecodeError;
use super::varbit;

/// No window of meaningful bits yet.
const NO_WINDOW: u8 = 0xff;

/// A value among its predecessors: what XOR needs to know of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct XorValue {
    bits: u64,
    leading: u8,
    trailing: u8,
}

impl XorValue {
    /// The first value of a run, which is written in full.
    pub(crate) fn first(value: f64) -> XorValue {
        XorValue { bits: value.to_bits(), leading: NO_WINDOW, trailing: 0 }
    }

    pub(crate) fn value(&self) -> f64 {
        f64::from_bits(self.bits)
    }

    /// Appends the difference to the value before, and remembers this one.
    #[inline]
    pub(crate) fn write(&mut self, out: &mut BitWriter, value: f64) {
        let delta = value.to_bits() ^ self.bits;
        self.bits = value.to_bits();
        if delta == 0 {
            return out.bits(0, 1);
        }
        let leading = delta.leading_zeros().min(31) as u8;
        let trailing = delta.trailing_zeros() as u8;
        if self.leading != NO_WINDOW && leading >= self.leading && trailing >= self.trailing {
            out.bits(0b10, 2);
            return out.bits(delta >> self.trailing, 64 - u32::from(self.leading) - u32::from(self.trailing));
        }
        (self.leading, self.trailing) = (leading, trailing);
        let meaningful = 64 - u32::from(leading) - u32::from(trailing);
        // 64 does not fit six bits and is written as 0, which would otherwise not occur.
        out.bits(0b11 << 11 | u64::from(leading) << 6 | u64::from(meaningful & 63), 13);
        out.bits(delta >> trailing, meaningful);
    }

    /// Reads the difference and gives the value.
    #[inline]
    pub(crate) fn read(&mut self, from: &mut BitReader<'_>) -> Result<f64, DecodeError> {
        if !from.bit()? {
            return Ok(self.value());
        }
        if from.bit()? {
            let header = from.bits(11)?;
            let leading = (header >> 6) as u32;
            let meaningful = match header & 63 {
                0 => 64,
                n => n as u32,
            };
            if leading + meaningful > 64 {
                return Err(DecodeError::Invalid("more leading and meaningful bits than a value has"));
            }
            self.leading = leading as u8;
            self.trailing = (64 - leading - meaningful) as u8;
        } else if self.leading == NO_WINDOW {
            return Err(DecodeError::Invalid("a value refers to a window of bits that was never set"));
        }
        let meaningful = 64 - u32::from(self.leading) - u32::from(self.trailing);
        self.bits ^= from.bits(meaningful)? << self.trailing;
        Ok(self.value())
    }
}

/// A float chunk that is being written.
#[derive(Clone, Debug)]
pub(crate) struct XorWriter {
    out: BitWriter,
    value: XorValue,
    t: TimeMs,
    delta: i64,
    count: u16,
}

impl XorWriter {
    /// A chunk with its first sample.
    pub(crate) fn new(t: TimeMs, v: f64) -> XorWriter {
        let mut bytes = Vec::with_capacity(32);
        bytes.extend_from_slice(&1u16.to_be_bytes());
        let mut out = BitWriter::new(bytes);
        out.varint(t);
        out.bits(v.to_bits(), 64);
        XorWriter { out, value: XorValue::first(v), t, delta: 0, count: 1 }
    }

    /// Appends a sample, later than the last.
    #[inline]
    pub(crate) fn push(&mut self, t: TimeMs, v: f64) {
        let delta = t.wrapping_sub(self.t);
        if self.count == 1 {
            self.out.uvarint(delta as u64);
        } else {
            match delta.wrapping_sub(self.delta) {
                0 => self.out.bits(0, 1),
                dod if varbit::in_range(dod, 14) => self.out.bits(0b10 << 14 | dod as u64 & 0x3fff, 16),
                dod if varbit::in_range(dod, 17) => self.out.bits(0b110 << 17 | dod as u64 & 0x1_ffff, 20),
                dod if varbit::in_range(dod, 20) => self.out.bits(0b1110 << 20 | dod as u64 & 0xf_ffff, 24),
                dod => {
                    self.out.bits(0b1111, 4);
                    self.out.bits(dod as u64, 64);
                }
            }
        }
        self.value.write(&mut self.out, v);
        (self.t, self.delta, self.count) = (t, delta, self.count + 1);
        self.out.set_u16(self.count);
    }

    pub(crate) fn count(&self) -> u16 {
        self.count
    }

    pub(crate) fn last_time(&self) -> TimeMs {
        self.t
    }

    pub(crate) fn last_value(&self) -> f64 {
        self.value.value()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.out.bytes()
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.out.into_bytes()
    }
}

/// Appends the points of a chunk between `start` and `end` (both included) to `points`. A chunk that breaks off is an error; what came before it was appended.
pub(crate) fn decode(data: &[u8], start: TimeMs, end: TimeMs, points: &mut Vec<FloatPoint>) -> Result<(), DecodeError> {
    let (head, stream) = data.split_first_chunk::<2>().ok_or(DecodeError::Short)?;
    let count = u16::from_be_bytes(*head);
    if count == 0 {
        return Ok(());
    }
    let mut from = BitReader::new(stream);
    let mut t = from.varint()?;
    let mut value = XorValue::first(from.f64()?);
    let mut delta = 0i64;
    if t >= start && t <= end {
        points.push(FloatPoint { t, v: value.value() });
    }
    for i in 1..count {
        if i == 1 {
            delta = from.uvarint()? as i64;
        } else if from.bit()? {
            let dod = if !from.bit()? {
                varbit::sign(from.bits(14)?, 14)
            } else if !from.bit()? {
                varbit::sign(from.bits(17)?, 17)
            } else if !from.bit()? {
                varbit::sign(from.bits(20)?, 20)
            } else {
                from.bits(64)? as i64
            };
            delta = delta.wrapping_add(dod);
        }
        t = t.wrapping_add(delta);
        if t > end && delta >= 0 {
            // Times only grow in a chunk that is whole; what is behind the range is of no interest.
            return Ok(());
        }
        let v = value.read(&mut from)?;
        if t >= start && t <= end {
            points.push(FloatPoint { t, v });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = f64> {
        prop_oneof![
            any::<u64>().prop_map(f64::from_bits),
            (0i64..1000).prop_map(|n| n as f64),
            Just(f64::from_bits(watchglass_model::STALE_NAN_BITS)),
            Just(0.0),
            (0i64..1_000_000).prop_map(|n| n as f64 / 1000.0),
        ]
    }

    fn steps() -> impl Strategy<Value = Vec<(i64, f64)>> {
        let step = prop_oneof![Just(15_000i64), 14_900i64..15_100, 1i64..200_000, 1i64..1 << 40];
        proptest::collection::vec((step, value()), 1..240)
    }

    proptest! {
        #[test]
        fn samples_come_back(start in -1i64 << 40..1 << 44, steps in steps()) {
            let mut t = start;
            let mut writer: Option<XorWriter> = None;
            let mut expected = Vec::new();
            for (step, v) in steps {
                t += step;
                match &mut writer {
                    None => writer = Some(XorWriter::new(t, v)),
                    Some(writer) => writer.push(t, v),
                }
                expected.push((t, v.to_bits()));
            }
            let writer = writer.unwrap();
            let mut points = Vec::new();
            decode(writer.bytes(), i64::MIN, i64::MAX, &mut points).unwrap();
            prop_assert_eq!(points.iter().map(|p| (p.t, p.v.to_bits())).collect::<Vec<_>>(), expected.clone());
            // A part of it.
            let (from, to) = (expected[expected.len() / 3].0, expected[expected.len() / 2].0);
            points.clear();
            decode(writer.bytes(), from, to, &mut points).unwrap();
            expected.retain(|(t, _)| *t >= from && *t <= to);
            prop_assert_eq!(points.len(), expected.len());
        }

        #[test]
        fn junk_never_panics(data in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut points = Vec::new();
            let _ = decode(&data, i64::MIN, i64::MAX, &mut points);
            prop_assert!(points.len() <= data.len() * 8, "a sample takes at least a bit");
        }
    }

    /// By hand from the format: count 3; t 1000 as zig-zag varint d0 0f; 1.0; delta 10; the same value; dod 0; the same value.
    #[test]
    fn known_bytes() {
        let mut writer = XorWriter::new(1000, 1.0);
        writer.push(1010, 1.0);
        writer.push(1020, 1.0);
        let mut expected = vec![0, 3, 0xd0, 0x0f, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 10];
        expected.push(0);
        assert_eq!(writer.bytes(), expected);
    }
}
