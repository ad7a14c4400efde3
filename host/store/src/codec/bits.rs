//! Bit streams, most significant bit first.

use super::bytes::DecodeError;

/// Appends bits to bytes. How many bits of the last byte are still free is kept beside the bytes, so that an open chunk costs no more than its data.
#[derive(Clone, Debug, Default)]
pub(crate) struct BitWriter {
    bytes: Vec<u8>,
    /// Free bits in the last byte: 0 to 7.
    free: u8,
}

impl BitWriter {
    /// Begins behind some whole bytes.
    pub(crate) fn new(bytes: Vec<u8>) -> BitWriter {
        BitWriter { bytes, free: 0 }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Writes a count over the first two bytes, where every chunk keeps its own.
    pub(crate) fn set_u16(&mut self, value: u16) {
        if let Some(first) = self.bytes.first_chunk_mut::<2>() {
            *first = value.to_be_bytes();
        }
    }

    /// Appends the low `n` bits of a value, `n` from 0 to 64.
    #[inline]
    pub(crate) fn bits(&mut self, value: u64, n: u32) {
        if n == 0 {
            return;
        }
        let mut left = n;
        let value = if n == 64 { value } else { value & ((1 << n) - 1) };
        if self.free > 0 {
            let free = u32::from(self.free);
            if let Some(last) = self.bytes.last_mut() {
                if left <= free {
                    *last |= (value << (free - left)) as u8;
                    self.free = (free - left) as u8;
                    return;
                }
                *last |= (value >> (left - free)) as u8;
                left -= free;
            }
            self.free = 0;
        }
        while left >= 8 {
            left -= 8;
            self.push((value >> left) as u8);
        }
        if left > 0 {
            self.push((value << (8 - left)) as u8);
            self.free = (8 - left) as u8;
        }
    }

    #[inline]
    fn push(&mut self, byte: u8) {
        if self.bytes.len() == self.bytes.capacity() {
            // By halves, not doubled: millions of open chunks make the slack dear.
            self.bytes.reserve_exact((self.bytes.len() / 2).max(24));
        }
        self.bytes.push(byte);
    }

    /// A whole byte, on whatever bit the stream stands.
    pub(crate) fn byte(&mut self, byte: u8) {
        self.bits(u64::from(byte), 8);
    }

    /// An unsigned varint, byte by byte.
    pub(crate) fn uvarint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.byte(value as u8 | 0x80);
            value >>= 7;
        }
        self.byte(value as u8);
    }

    /// A signed varint, zig-zag.
    pub(crate) fn varint(&mut self, value: i64) {
        self.uvarint(((value << 1) ^ (value >> 63)) as u64);
    }
}

/// Reads bits off a slice.
#[derive(Clone, Debug)]
pub(crate) struct BitReader<'a> {
    rest: &'a [u8],
    /// Bits read from `rest` but not handed out, in the low `held` bits.
    buffer: u64,
    held: u32,
}

impl<'a> BitReader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> BitReader<'a> {
        BitReader { rest: bytes, buffer: 0, held: 0 }
    }

    /// Fills an empty buffer with up to eight bytes.
    #[inline]
    fn refill(&mut self) -> Result<(), DecodeError> {
        if let Some((first, rest)) = self.rest.split_first_chunk::<8>() {
            self.buffer = u64::from_be_bytes(*first);
            self.held = 64;
            self.rest = rest;
            return Ok(());
        }
        if self.rest.is_empty() {
            return Err(DecodeError::Short);
        }
        self.buffer = self.rest.iter().fold(0, |buffer, &byte| buffer << 8 | u64::from(byte));
        self.held = 8 * self.rest.len() as u32;
        self.rest = &[];
        Ok(())
    }

    #[inline]
    pub(crate) fn bit(&mut self) -> Result<bool, DecodeError> {
        if self.held == 0 {
            self.refill()?;
        }
        self.held -= 1;
        Ok(self.buffer >> self.held & 1 == 1)
    }

    /// `n` bits, from 0 to 64.
    #[inline]
    pub(crate) fn bits(&mut self, n: u32) -> Result<u64, DecodeError> {
        if n <= self.held {
            if n == 0 {
                return Ok(0);
            }
            self.held -= n;
            return Ok(self.buffer >> self.held & (u64::MAX >> (64 - n)));
        }
        let have = self.held;
        let high = if have == 0 { 0 } else { self.buffer & (u64::MAX >> (64 - have)) };
        self.held = 0;
        self.refill()?;
        let more = n - have;
        if more > self.held {
            return Err(DecodeError::Short);
        }
        self.held -= more;
        let low = self.buffer >> self.held & (u64::MAX >> (64 - more));
        Ok(if more == 64 { low } else { high << more | low })
    }

    pub(crate) fn byte(&mut self) -> Result<u8, DecodeError> {
        self.bits(8).map(|b| b as u8)
    }

    pub(crate) fn f64(&mut self) -> Result<f64, DecodeError> {
        self.bits(64).map(f64::from_bits)
    }

    pub(crate) fn uvarint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0u64;
        for i in 0..10 {
            let byte = self.byte()?;
            if i == 9 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(DecodeError::Invalid("a varint longer than 64 bits"))
    }

    pub(crate) fn varint(&mut self) -> Result<i64, DecodeError> {
        let value = self.uvarint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bits_come_back(fields in proptest::collection::vec((any::<u64>(), 0u32..=64), 0..200)) {
            let mut writer = BitWriter::default();
            for &(value, n) in &fields {
                writer.bits(value, n);
            }
            let total: u32 = fields.iter().map(|f| f.1).sum();
            prop_assert_eq!(writer.bytes().len(), total.div_ceil(8) as usize);
            let mut reader = BitReader::new(writer.bytes());
            for &(value, n) in &fields {
                let expected = if n == 0 { 0 } else { value & (u64::MAX >> (64 - n)) };
                prop_assert_eq!(reader.bits(n).unwrap(), expected);
            }
        }
    }

    #[test]
    fn the_end_is_an_error() {
        let mut reader = BitReader::new(&[0xff]);
        assert_eq!(reader.bits(7), Ok(0x7f));
        assert_eq!(reader.bits(2), Err(DecodeError::Short));
    }
}
