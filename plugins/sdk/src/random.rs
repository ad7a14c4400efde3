//! The host's randomness; with the crate's feature `getrandom`, what the `getrandom` crate (0.3, 0.4) draws from.

use crate::bindings::collector::watchglass::plugin::random as wit;

/// Gives `n` random bytes, fit for keys.
pub fn bytes(n: u32) -> Vec<u8> {
    wit::bytes(n)
}

#[cfg(all(feature = "getrandom", target_arch = "wasm32", target_os = "unknown"))]
mod backend {
    #![allow(unsafe_code, reason = "getrandom's custom backend is a function with this fixed symbol and signature")]

    /// getrandom's hook, as its documentation of the `custom` backend has it; 0.4 kept the symbol of 0.3.
    #[unsafe(no_mangle)]
    unsafe extern "Rust" fn __getrandom_v03_custom(dest: *mut u8, len: usize) -> Result<(), getrandom::Error> {
        let mut filled = 0;
        while filled < len {
            let want = (len - filled).min(64 << 10);
            let got = super::bytes(want as u32);
            if got.is_empty() {
                return Err(getrandom::Error::UNEXPECTED);
            }
            let n = got.len().min(want);
            // SAFETY: the caller gives `len` writable bytes at `dest`; `filled + n` never exceeds `len`, and `got` is our own memory.
            unsafe { std::ptr::copy_nonoverlapping(got.as_ptr(), dest.add(filled), n) };
            filled += n;
        }
        Ok(())
    }
}
