//! How wasmtime is set up; the same in the host and in the compiling child, or the child's code would not load.

use std::num::NonZeroUsize;

use wasmtime::{Config, Engine, Error};

/// Stack of wasm code. A plugin that recurses deeper traps.
const WASM_STACK: usize = 512 << 10;

/// Stack of a call: wasm's and our host functions' on top of it. Virtual until it is touched.
const CALL_STACK: usize = 1 << 20;

/// Frames of a backtrace: a trap's text goes into a log line.
const BACKTRACE_FRAMES: usize = 16;

/// The engine. Errors: this machine lacks what the code needs.
pub(crate) fn engine() -> Result<Engine, Error> {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        // No component-async guests: a call is cheaper, and that code is not linked in.
        .concurrency_support(false)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(CALL_STACK)
        .memory_init_cow(true)
        .generate_address_map(true);
    if let Some(frames) = NonZeroUsize::new(BACKTRACE_FRAMES) {
        config.wasm_backtrace_max_frames(Some(frames));
    }
    Engine::new(&config)
}

/// What tells this engine's code from that of another version or configuration: 16 hexadecimal digits.
pub(crate) fn fingerprint(engine: &Engine) -> String {
    use std::hash::{Hash, Hasher};
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// FNV-1a: the standard library's hasher may give something else after an update of the compiler; this one does not.
struct Fnv(u64);

impl std::hash::Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
