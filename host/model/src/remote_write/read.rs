//! Reads a request's series where they stand in its bytes: of a sender that has one new sample for each series, copying their labels'
//! texts would be most of the work.

use prost::Message;
use prost::bytes::Buf;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use super::{FloatSample, Metadata, RemoteWriteError, WireHistogram};

/// A part of a request.
pub(super) enum Part<'s, 'a> {
    /// A series.
    Series(&'s Series<'a>),
    /// What is known of a family.
    Metadata(Metadata),
}

/// A series, its texts in the request's bytes.
#[derive(Default)]
pub(super) struct Series<'a> {
    pub(super) labels: Vec<(&'a str, &'a str)>,
    pub(super) samples: Vec<FloatSample>,
    pub(super) histograms: Vec<WireHistogram>,
}

fn error(what: impl ToString) -> RemoteWriteError {
    RemoteWriteError::Protobuf(what.to_string())
}

/// Reads a `WriteRequest`, handing on part by part.
pub(super) fn request<'a>(
    mut body: &'a [u8],
    mut to: impl FnMut(Part<'_, 'a>) -> Result<(), RemoteWriteError>,
) -> Result<(), RemoteWriteError> {
    let mut series = Series::default();
    while !body.is_empty() {
        match field(&mut body)? {
            (1, Field::Bytes(bytes)) => {
                read_series(bytes, &mut series)?;
                to(Part::Series(&series))?;
            }
            (3, Field::Bytes(bytes)) => to(Part::Metadata(Metadata::decode(bytes).map_err(error)?))?,
            (1 | 3, Field::Other) => return Err(error("a message's field is of another type than the format has")),
            _ => {}
        }
    }
    Ok(())
}

fn read_series<'a>(mut body: &'a [u8], series: &mut Series<'a>) -> Result<(), RemoteWriteError> {
    series.labels.clear();
    series.samples.clear();
    series.histograms.clear();
    while !body.is_empty() {
        match field(&mut body)? {
            (1, Field::Bytes(bytes)) => series.labels.push(label(bytes)?),
            (2, Field::Bytes(bytes)) => series.samples.push(FloatSample::decode(bytes).map_err(error)?),
            (4, Field::Bytes(bytes)) => series.histograms.push(WireHistogram::decode(bytes).map_err(error)?),
            (1 | 2 | 4, Field::Other) => return Err(error("a series' field is of another type than the format has")),
            _ => {}
        }
    }
    Ok(())
}

fn label(mut body: &[u8]) -> Result<(&str, &str), RemoteWriteError> {
    let (mut name, mut value) = ("", "");
    while !body.is_empty() {
        let text = |bytes| std::str::from_utf8(bytes).map_err(|_| error("a label is no UTF-8"));
        match field(&mut body)? {
            (1, Field::Bytes(bytes)) => name = text(bytes)?,
            (2, Field::Bytes(bytes)) => value = text(bytes)?,
            (1 | 2, Field::Other) => return Err(error("a label's field is of another type than the format has")),
            _ => {}
        }
    }
    Ok((name, value))
}

enum Field<'a> {
    /// Behind its length: a text or a message.
    Bytes(&'a [u8]),
    /// A number, skipped.
    Other,
}

/// Takes a field off the front.
fn field<'a>(body: &mut &'a [u8]) -> Result<(u32, Field<'a>), RemoteWriteError> {
    let (tag, wire) = decode_key(body).map_err(error)?;
    if wire != WireType::LengthDelimited {
        skip_field(wire, tag, body, DecodeContext::default()).map_err(error)?;
        return Ok((tag, Field::Other));
    }
    let length = decode_varint(body).map_err(error)?;
    let taken = usize::try_from(length).ok().and_then(|n| body.split_at_checked(n));
    let (bytes, _) = taken.ok_or_else(|| error("a field is longer than what is left"))?;
    body.advance(bytes.len());
    Ok((tag, Field::Bytes(bytes)))
}
