//! Bytes and bits: the encodings that WAL, chunks and index are made of.

pub(crate) mod bits;
pub(crate) mod bytes;
pub(crate) mod chunk;
pub(crate) mod histogram;
pub(crate) mod histogram_float;
pub(crate) mod histogram_int;
pub(crate) mod layout;
pub(crate) mod varbit;
pub(crate) mod xor;
