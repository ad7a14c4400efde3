//! Fixed-width integers (big-endian), LEB128 varints and zig-zag, as Go's encoding/binary writes them.

/// Bytes that end too early, or a field that its format does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeError {
    /// The data ends inside a field.
    #[error("the data ends inside a field")]
    Short,
    /// A field's value is not allowed; says which.
    #[error("{0}")]
    Invalid(&'static str),
}

/// Appends an unsigned varint.
pub(crate) fn put_uvarint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a signed varint, zig-zag.
pub(crate) fn put_varint(out: &mut Vec<u8>, value: i64) {
    put_uvarint(out, ((value << 1) ^ (value >> 63)) as u64);
}

/// Appends a text behind its length.
pub(crate) fn put_str(out: &mut Vec<u8>, text: &str) {
    put_uvarint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// CRC-32C of some bytes, the checksum of every file of the format.
pub(crate) fn crc(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
}

/// Reads fields off the front of a slice.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// How many bytes are left.
    pub(crate) fn len(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn bytes(&mut self, n: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(n).ok_or(DecodeError::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(DecodeError::Short)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_be_bytes)
    }

    pub(crate) fn f64(&mut self) -> Result<f64, DecodeError> {
        self.u64().map(f64::from_bits)
    }

    #[inline]
    pub(crate) fn uvarint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0u64;
        for (i, &byte) in self.rest.iter().take(10).enumerate() {
            if i == 9 && byte > 1 {
                return Err(DecodeError::Invalid("a varint longer than 64 bits"));
            }
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte < 0x80 {
                self.rest = &self.rest[i + 1..];
                return Ok(value);
            }
        }
        if self.rest.len() >= 10 {
            Err(DecodeError::Invalid("a varint longer than 64 bits"))
        } else {
            Err(DecodeError::Short)
        }
    }

    #[inline]
    pub(crate) fn varint(&mut self) -> Result<i64, DecodeError> {
        let value = self.uvarint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// A length or count that is followed by at least `unit` bytes for each: so a hostile count can't make anybody reserve more than the data is long.
    pub(crate) fn count(&mut self, unit: usize) -> Result<usize, DecodeError> {
        let n = self.uvarint()?;
        let most = (self.rest.len() / unit.max(1)) as u64;
        if n > most { Err(DecodeError::Short) } else { Ok(n as usize) }
    }

    /// A text behind its length.
    pub(crate) fn str(&mut self) -> Result<&'a str, DecodeError> {
        let n = self.count(1)?;
        std::str::from_utf8(self.bytes(n)?).map_err(|_| DecodeError::Invalid("a text that is not UTF-8"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn varints_come_back(u in any::<u64>(), i in any::<i64>(), text in ".{0,40}") {
            let mut out = Vec::new();
            put_uvarint(&mut out, u);
            put_varint(&mut out, i);
            put_str(&mut out, &text);
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.uvarint().unwrap(), u);
            prop_assert_eq!(reader.varint().unwrap(), i);
            prop_assert_eq!(reader.str().unwrap(), text);
            prop_assert!(reader.is_empty());
        }
    }

    #[test]
    fn known_varints() {
        let mut out = Vec::new();
        put_uvarint(&mut out, 300);
        put_varint(&mut out, -1);
        put_varint(&mut out, 64);
        assert_eq!(out, [0xac, 0x02, 0x01, 0x80, 0x01]);
    }

    #[test]
    fn too_long_or_too_short_is_an_error() {
        assert_eq!(Reader::new(&[0x80, 0x80]).uvarint(), Err(DecodeError::Short));
        assert!(matches!(Reader::new(&[0xff; 12]).uvarint(), Err(DecodeError::Invalid(_))));
        assert_eq!(Reader::new(&[0xff, 0x7f]).count(1), Err(DecodeError::Short));
    }
}
