//! Chunks of any encoding.

use watchglass_model::{FloatPoint, HistogramPoint, TimeMs};

use super::bytes::DecodeError;
use super::{histogram_float, histogram_int, xor};

/// How a chunk's data is encoded: the byte before it on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Encoding(pub(crate) u8);

impl Encoding {
    pub(crate) const XOR: Encoding = Encoding(1);
    pub(crate) const HISTOGRAM: Encoding = Encoding(2);
    pub(crate) const FLOAT_HISTOGRAM: Encoding = Encoding(3);

    /// Whether samples of this encoding are histograms.
    pub(crate) fn is_histogram(self) -> bool {
        self == Encoding::HISTOGRAM || self == Encoding::FLOAT_HISTOGRAM
    }
}

/// Decoded points of one series.
#[derive(Clone, Debug, Default)]
pub(crate) struct Points {
    pub(crate) floats: Vec<FloatPoint>,
    pub(crate) histograms: Vec<HistogramPoint>,
}

impl Points {
    pub(crate) fn len(&self) -> usize {
        self.floats.len() + self.histograms.len()
    }
}

/// How many samples a chunk says it has.
pub(crate) fn sample_count(data: &[u8]) -> u16 {
    data.first_chunk::<2>().map_or(0, |n| u16::from_be_bytes(*n))
}

/// Appends the points of a chunk between `start` and `end` (both included).
pub(crate) fn decode(
    encoding: Encoding,
    data: &[u8],
    start: TimeMs,
    end: TimeMs,
    points: &mut Points,
) -> Result<(), DecodeError> {
    match encoding {
        Encoding::XOR => xor::decode(data, start, end, &mut points.floats),
        Encoding::HISTOGRAM => histogram_int::decode(data, start, end, &mut points.histograms),
        Encoding::FLOAT_HISTOGRAM => histogram_float::decode(data, start, end, &mut points.histograms),
        _ => Err(DecodeError::Invalid("a chunk encoding that is not known here (known: 1, 2, 3)")),
    }
}
