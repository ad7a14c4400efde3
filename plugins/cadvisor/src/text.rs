//! The shapes in which the kernel writes numbers.

/// What `max` stands for: no limit.
pub(crate) const UNLIMITED: u64 = u64::MAX;

/// Reads a number; `max` is [`UNLIMITED`]. None for anything else, negative numbers (`-1` of cgroup v1) included.
pub(crate) fn number(text: &str) -> Option<u64> {
    match text.trim() {
        "max" => Some(UNLIMITED),
        other => other.parse().ok(),
    }
}

/// Goes through lines of `key value`; what is no such line is left out.
pub(crate) fn keyed(text: &str) -> impl Iterator<Item = (&str, u64)> {
    text.lines().filter_map(|line| {
        let (key, value) = line.split_once(' ')?;
        Some((key, number(value)?))
    })
}

/// Gives the value of one key of `key value` lines.
pub(crate) fn value_of(text: &str, key: &str) -> Option<u64> {
    keyed(text).find(|(k, _)| *k == key).map(|(_, v)| v)
}

/// Reads `8:16`.
pub(crate) fn device(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Cuts a text to at most `max` bytes, at a character's border.
pub(crate) fn cut(text: &str, max: usize) -> &str {
    if text.len() <= max {
        return text;
    }
    let mut end = max;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_both_versions() {
        for (text, expected) in [
            ("17\n", Some(17)),
            ("max", Some(UNLIMITED)),
            ("-1", None),
            ("", None),
            ("1 2", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(number(text), expected, "{text:?}");
        }
        assert_eq!(value_of("anon 5\njunk\nfile x\nfile 7", "file"), Some(7));
        assert_eq!(device("8:16"), Some((8, 16)));
        assert_eq!(device("Total"), None);
        assert_eq!(cut("aé", 2), "a");
    }
}
