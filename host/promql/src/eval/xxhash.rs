//! The hash that `limit_ratio` samples by: XXH64 with seed 0 (github.com/Cyan4973/xxHash, doc/xxhash_spec.md) over a series'
//! labels in the byte form Prometheus keeps them in, so that both pick the same series.

use watchglass_model::Labels;

const P1: u64 = 0x9E37_79B1_85EB_CA87;
const P2: u64 = 0xC2B2_AE3D_27D4_EB4F;
const P3: u64 = 0x1656_67B1_9E37_79F9;
const P4: u64 = 0x85EB_CA77_C2B2_AE63;
const P5: u64 = 0x27D4_EB2F_1656_67C5;

/// The hash of a label set.
pub(crate) fn labels_hash(labels: &Labels) -> u64 {
    let mut bytes = Vec::new();
    for (name, value) in labels {
        for text in [name, value] {
            push_length(&mut bytes, text.len());
            bytes.extend_from_slice(text.as_bytes());
        }
    }
    xxh64(&bytes)
}

// One byte up to 254, else 255 and three bytes, least first.
fn push_length(bytes: &mut Vec<u8>, len: usize) {
    if len < 255 {
        bytes.push(len as u8);
    } else {
        bytes.extend_from_slice(&[255, len as u8, (len >> 8) as u8, (len >> 16) as u8]);
    }
}

fn round(acc: u64, input: u64) -> u64 {
    acc.wrapping_add(input.wrapping_mul(P2)).rotate_left(31).wrapping_mul(P1)
}

fn word(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |acc, b| acc << 8 | u64::from(*b))
}

fn xxh64(bytes: &[u8]) -> u64 {
    let (mut stripes, mut hash) = (bytes.chunks_exact(32), P5);
    if bytes.len() >= 32 {
        let mut acc = [P1.wrapping_add(P2), P2, 0, 0u64.wrapping_sub(P1)];
        for stripe in stripes.by_ref() {
            for (lane, chunk) in acc.iter_mut().zip(stripe.chunks_exact(8)) {
                *lane = round(*lane, word(chunk));
            }
        }
        let [a, b, c, d] = acc;
        hash = a
            .rotate_left(1)
            .wrapping_add(b.rotate_left(7))
            .wrapping_add(c.rotate_left(12))
            .wrapping_add(d.rotate_left(18));
        for lane in acc {
            hash = (hash ^ round(0, lane)).wrapping_mul(P1).wrapping_add(P4);
        }
    }
    hash = hash.wrapping_add(bytes.len() as u64);
    let mut rest = stripes.remainder();
    while let Some((chunk, after)) = rest.split_at_checked(8) {
        hash = (hash ^ round(0, word(chunk))).rotate_left(27).wrapping_mul(P1).wrapping_add(P4);
        rest = after;
    }
    if let Some((chunk, after)) = rest.split_at_checked(4) {
        hash = (hash ^ word(chunk).wrapping_mul(P1)).rotate_left(23).wrapping_mul(P2).wrapping_add(P3);
        rest = after;
    }
    for byte in rest {
        hash = (hash ^ u64::from(*byte).wrapping_mul(P5)).rotate_left(11).wrapping_mul(P1);
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(P2);
    hash = (hash ^ (hash >> 29)).wrapping_mul(P3);
    hash ^ (hash >> 32)
}

#[cfg(test)]
mod tests {
    use super::xxh64;

    #[test]
    fn known_hashes() {
        // From the algorithm's specification and its command line tool.
        assert_eq!(xxh64(b""), 0xEF46_DB37_51D8_E999);
        assert_eq!(xxh64(b"a"), 0xD24E_C4F1_A98C_6E5B);
        assert_eq!(xxh64(b"abc"), 0x44BC_2CF5_AD77_0999);
        assert_eq!(xxh64(b"Nobody inspects the spammish repetition"), 0xFBCE_A83C_8A37_8BF1);
    }
}
