//! The head of a histogram chunk: what all its samples have in common.

use watchglass_model::{Histogram, Span};

use super::bits::{BitReader, BitWriter};
use super::bytes::DecodeError;
use super::varbit;

/// What the two top bits of a histogram chunk's flag byte say of counter resets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResetHeader {
    /// Nothing.
    Unknown,
    /// The chunk was begun because of a reset.
    Reset,
    /// It was begun for another reason.
    NotReset,
    /// It holds gauge histograms.
    Gauge,
}

impl ResetHeader {
    fn bits(self) -> u8 {
        match self {
            ResetHeader::Unknown => 0b0000_0000,
            ResetHeader::NotReset => 0b0100_0000,
            ResetHeader::Reset => 0b1000_0000,
            ResetHeader::Gauge => 0b1100_0000,
        }
    }

    fn from_bits(flags: u8) -> ResetHeader {
        match flags >> 6 {
            0b00 => ResetHeader::Unknown,
            0b01 => ResetHeader::NotReset,
            0b10 => ResetHeader::Reset,
            _ => ResetHeader::Gauge,
        }
    }
}

/// Schema, threshold, spans and bounds: what all samples of a chunk share.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Layout {
    pub(crate) schema: i32,
    pub(crate) zero_threshold: f64,
    pub(crate) positive: Vec<Span>,
    pub(crate) negative: Vec<Span>,
    pub(crate) custom_values: Vec<f64>,
}

impl Layout {
    /// The layout of a histogram; a staleness marker has the empty one.
    pub(crate) fn of(h: &Histogram) -> Layout {
        Layout {
            schema: h.schema,
            zero_threshold: h.zero_threshold,
            positive: h.positive_spans.clone(),
            negative: h.negative_spans.clone(),
            custom_values: h.custom_values.clone(),
        }
    }

    /// Whether a histogram has this layout.
    pub(crate) fn is_of(&self, h: &Histogram) -> bool {
        self.schema == h.schema
            && self.zero_threshold.to_bits() == h.zero_threshold.to_bits()
            && self.positive == h.positive_spans
            && self.negative == h.negative_spans
            && self.custom_values == h.custom_values
    }

    pub(crate) fn positive_buckets(&self) -> usize {
        buckets(&self.positive)
    }

    pub(crate) fn negative_buckets(&self) -> usize {
        buckets(&self.negative)
    }

    /// A histogram of this layout with nothing counted.
    pub(crate) fn empty_histogram(&self) -> Histogram {
        Histogram {
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            positive_spans: self.positive.clone(),
            negative_spans: self.negative.clone(),
            custom_values: self.custom_values.clone(),
            ..Histogram::default()
        }
    }

    pub(crate) fn write(&self, out: &mut BitWriter, reset: ResetHeader) {
        out.byte(reset.bits());
        write_zero_threshold(out, self.zero_threshold);
        varbit::put_int(out, i64::from(self.schema));
        write_spans(out, &self.positive);
        write_spans(out, &self.negative);
        if self.schema == CUSTOM_BUCKETS {
            varbit::put_uint(out, self.custom_values.len() as u64);
            for &bound in &self.custom_values {
                write_bound(out, bound);
            }
        }
    }

    pub(crate) fn read(from: &mut BitReader<'_>, data_bits: usize) -> Result<(Layout, ResetHeader), DecodeError> {
        let reset = ResetHeader::from_bits(from.byte()?);
        let zero_threshold = read_zero_threshold(from)?;
        let schema = i32::try_from(varbit::int(from)?).map_err(|_| DecodeError::Invalid("a schema beyond 32 bits"))?;
        let positive = read_spans(from, data_bits)?;
        let negative = read_spans(from, data_bits)?;
        let mut custom_values = Vec::new();
        if schema == CUSTOM_BUCKETS {
            let n = varbit::uint(from)?;
            if n > data_bits as u64 {
                return Err(DecodeError::Short);
            }
            for _ in 0..n {
                custom_values.push(read_bound(from)?);
            }
        }
        let layout = Layout { schema, zero_threshold, positive, negative, custom_values };
        // Each bucket takes at least a bit, so a chunk that claims more of them than it has bits is not whole.
        if layout.positive_buckets().saturating_add(layout.negative_buckets()) > data_bits {
            return Err(DecodeError::Invalid("more buckets than the chunk has bits"));
        }
        Ok((layout, reset))
    }
}

/// The schema of histograms with custom bounds.
pub(crate) const CUSTOM_BUCKETS: i32 = -53;

/// Buckets in some spans.
pub(crate) fn buckets(spans: &[Span]) -> usize {
    spans.iter().fold(0usize, |sum, span| sum.saturating_add(span.length as usize))
}

fn write_spans(out: &mut BitWriter, spans: &[Span]) {
    varbit::put_uint(out, spans.len() as u64);
    for span in spans {
        varbit::put_uint(out, u64::from(span.length));
        varbit::put_int(out, i64::from(span.offset));
    }
}

fn read_spans(from: &mut BitReader<'_>, data_bits: usize) -> Result<Vec<Span>, DecodeError> {
    let n = varbit::uint(from)?;
    if n > data_bits as u64 {
        return Err(DecodeError::Short);
    }
    let mut spans = Vec::new();
    for _ in 0..n {
        let length = u32::try_from(varbit::uint(from)?).map_err(|_| DecodeError::Invalid("a span beyond 32 bits"))?;
        let offset = i32::try_from(varbit::int(from)?).map_err(|_| DecodeError::Invalid("a span beyond 32 bits"))?;
        spans.push(Span { offset, length });
    }
    Ok(spans)
}

/// A zero threshold is a byte where it is 0 or a power of two from 2^-243 to 2^10, which it nearly always is.
fn write_zero_threshold(out: &mut BitWriter, threshold: f64) {
    if threshold == 0.0 {
        return out.byte(0);
    }
    let bits = threshold.to_bits();
    let exponent = (bits >> 52 & 0x7ff) as i64 - 1023;
    let is_power = threshold > 0.0 && bits & ((1 << 52) - 1) == 0;
    if is_power && (-243..=10).contains(&exponent) {
        return out.byte((exponent + 244) as u8);
    }
    out.byte(255);
    out.bits(bits, 64);
}

fn read_zero_threshold(from: &mut BitReader<'_>) -> Result<f64, DecodeError> {
    Ok(match from.byte()? {
        0 => 0.0,
        255 => from.f64()?,
        n => f64::from_bits(((i64::from(n) - 244 + 1023) as u64) << 52),
    })
}

/// A bound with at most three decimals becomes an integer, in thousandths; others are written in full behind a 0.
fn write_bound(out: &mut BitWriter, bound: f64) {
    let thousandths = bound * 1000.0;
    if (0.0..=33_554_430.0).contains(&thousandths)
        && thousandths == thousandths.floor()
        && thousandths / 1000.0 == bound
    {
        return varbit::put_uint(out, thousandths as u64 + 1);
    }
    out.bits(0, 1);
    out.bits(bound.to_bits(), 64);
}

fn read_bound(from: &mut BitReader<'_>) -> Result<f64, DecodeError> {
    Ok(match varbit::uint(from)? {
        0 => from.f64()?,
        n => (n - 1) as f64 / 1000.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_come_back() {
        let powers = (-250..=20).map(|e| 2f64.powi(e));
        for threshold in powers.chain([0.0, 0.001, 1e-128, 3.0, f64::MAX]) {
            let mut out = BitWriter::default();
            write_zero_threshold(&mut out, threshold);
            assert_eq!(read_zero_threshold(&mut BitReader::new(out.bytes())), Ok(threshold));
        }
        let mut out = BitWriter::default();
        write_zero_threshold(&mut out, 2f64.powi(-128));
        assert_eq!(out.bytes().len(), 1, "a power of two takes a byte");
    }

    #[test]
    fn bounds_come_back() {
        for bound in [0.0, 0.005, 0.1, 1.0, 2.5, 1e10, 33554.43, 0.0001, -1.0, f64::INFINITY] {
            let mut out = BitWriter::default();
            write_bound(&mut out, bound);
            assert_eq!(read_bound(&mut BitReader::new(out.bytes())), Ok(bound));
        }
    }
}
