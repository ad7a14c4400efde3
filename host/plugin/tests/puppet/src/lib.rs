//! A plugin that does as the tests of its host say, most of it bad. What `collect` does is the target's parameter `do` (else the configuration's);
//! what `describe` does is written into the compiled file by the tests.

#[cfg(all(target_arch = "wasm32", not(feature = "rule")))]
mod collector;
#[cfg(all(target_arch = "wasm32", feature = "rule"))]
mod rule;

/// What `describe` does. The tests replace the text behind the equals sign in the wasm file.
#[used]
static MODE: [u8; 48] = *b"PUPPET-MODE=good                                ";

/// The mode as it stands in the file.
#[allow(dead_code, reason = "unused where nothing is built for wasm")]
fn mode() -> String {
    // Read as it is in memory, not as the compiler knows it: the tests change it in the compiled file.
    let bytes: Vec<u8> = (12..MODE.len()).map(|i| unsafe { core::ptr::read_volatile(&MODE[i]) }).collect();
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

/// Runs for ever.
#[allow(dead_code, reason = "unused where nothing is built for wasm")]
fn spin() -> ! {
    let mut n = 0u64;
    loop {
        n = core::hint::black_box(n.wrapping_add(1));
    }
}

/// Takes memory until there is none.
#[allow(dead_code, reason = "unused where nothing is built for wasm")]
fn eat() -> ! {
    let mut all = Vec::new();
    loop {
        all.push(core::hint::black_box(vec![1u8; 1 << 20]));
    }
}

/// Goes deeper and deeper.
#[allow(
    dead_code,
    unconditional_recursion,
    reason = "unused where nothing is built for wasm; the recursion is the point"
)]
fn recurse(n: u64) -> u64 {
    // Nothing here needs the guest's own stack in its memory: it is the host's that has to end this.
    let a = recurse(n + 1);
    let b = recurse(n + (a & 1));
    a ^ b.rotate_left(3)
}
