//! Small readers of the kernel's texts.

use watchglass_sdk::Error;

/// Reads a decimal number; junk is an error that names the file.
pub(crate) fn number(text: &str, path: &str) -> Result<f64, Error> {
    text.trim().parse().map_err(|_| junk(text, path))
}

/// Reads a number that may be hexadecimal (0x...).
pub(crate) fn integer(text: &str) -> Option<f64> {
    let text = text.trim();
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16).ok().map(|v| v as f64),
        None => text.parse::<i64>().map(|v| v as f64).or_else(|_| text.parse::<u64>().map(|v| v as f64)).ok(),
    }
}

/// Reads a plain finite number.
pub(crate) fn float(text: &str) -> Option<f64> {
    text.trim().parse().ok()
}

/// Reads an unsigned hexadecimal number without prefix.
pub(crate) fn hex(text: &str) -> Option<f64> {
    u64::from_str_radix(text.trim(), 16).ok().map(|v| v as f64)
}

/// Makes the error for text that is not what the kernel's documents say.
pub(crate) fn junk(text: &str, path: &str) -> Error {
    let shown: String = text.chars().take(60).collect();
    Error::protocol(format!("{path}: cannot read `{}`", shown.trim_end()))
}

/// Makes a metric name of a word: whatever is no letter, digit or _ becomes _.
pub(crate) fn sanitize(word: &str) -> String {
    word.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// Reads a list of ranges as the kernel prints it: `0-3,7`. Bounded by what a machine can have of processors.
pub(crate) fn ranges(text: &str) -> Vec<u32> {
    let mut all = Vec::new();
    for part in text.trim().split(',').filter(|p| !p.is_empty()) {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (Ok(from), Ok(to)) = (from.trim().parse::<u32>(), to.trim().parse::<u32>()) else { continue };
        all.extend(from..=to.min(from.saturating_add(65_535)));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_ranges() {
        assert_eq!(integer("0x1003"), Some(4099.0));
        assert_eq!(integer(" -1\n"), Some(-1.0));
        assert_eq!(integer("18446744073709551615"), Some(u64::MAX as f64));
        assert_eq!(integer("x"), None);
        assert_eq!(ranges("1,3-5,9\n"), [1, 3, 4, 5, 9]);
        assert_eq!(ranges("0-4294967295").len(), 65_536);
        assert_eq!(ranges("\n"), [] as [u32; 0]);
        assert_eq!(sanitize("a.b-c d"), "a_b_c_d");
        assert!(number("4x", "/proc/y").unwrap_err().message().contains("/proc/y: cannot read `4x`"));
    }
}
