//! Label sets.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use crate::METRIC_NAME;

/// A label set: names unique and sorted by bytes, no empty values. Cloning is a reference count.
///
/// The pairs lie in one shared string, each text behind its length, so that a series costs one allocation and equality and
/// hashing are those of a string. A length is written in base 64, least digit first, one ASCII byte a digit: 0..=63, with 64
/// added where another digit follows. ASCII, so that the whole stays a valid `str` and no `unsafe` is needed to slice it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Labels(Arc<str>);

impl Labels {
    /// The set without labels.
    pub fn empty() -> Labels {
        Labels(Arc::from(""))
    }

    /// A set of these pairs in any order. Of two with one name the last stands; one with an empty value is left out.
    pub fn from_pairs<N: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (N, V)>) -> Labels {
        let pairs: Vec<(N, V)> = pairs.into_iter().collect();
        let mut sorted: Vec<(&str, &str)> = pairs.iter().map(|(n, v)| (n.as_ref(), v.as_ref())).collect();
        // Stable, so that of equal names the last given stays last.
        sorted.sort_by(|a, b| a.0.cmp(b.0));
        let mut text = String::with_capacity(sorted.iter().map(|(n, v)| n.len() + v.len() + 4).sum());
        for (i, (name, value)) in sorted.iter().enumerate() {
            let overridden = sorted.get(i + 1).is_some_and(|next| next.0 == *name);
            if !overridden && !value.is_empty() {
                push_text(&mut text, name);
                push_text(&mut text, value);
            }
        }
        Labels(Arc::from(text))
    }

    /// A set of pairs that are in order already: names ascending, none twice. Empty values are left out. `scratch` is only there to be used again:
    /// a batch of series costs one allocation each. Pairs that are not in order are put in order as [`Labels::from_pairs`] does.
    pub fn from_sorted(pairs: &[(&str, &str)], scratch: &mut String) -> Labels {
        scratch.clear();
        let mut before = None;
        for (name, value) in pairs {
            if before.is_some_and(|b| b >= *name) {
                return Labels::from_pairs(pairs.iter().copied());
            }
            before = Some(*name);
            if !value.is_empty() {
                push_text(scratch, name);
                push_text(scratch, value);
            }
        }
        Labels(Arc::from(scratch.as_str()))
    }

    /// The pairs, by name.
    pub fn iter(&self) -> Iter<'_> {
        Iter { rest: &self.0 }
    }

    /// The value of a label, `None` where the set hasn't it.
    pub fn get(&self, name: &str) -> Option<&str> {
        // Sorted: past the name it can't come any more.
        self.iter().take_while(|(n, _)| *n <= name).find(|(n, _)| *n == name).map(|(_, v)| v)
    }

    /// The value of a label, empty where the set hasn't it: to PromQL and to Alertmanager the two are the same.
    pub fn value(&self, name: &str) -> &str {
        self.get(name).unwrap_or("")
    }

    /// The metric name, empty where there is none.
    pub fn metric_name(&self) -> &str {
        self.value(METRIC_NAME)
    }

    /// How many labels.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Only the labels that the test lets through.
    pub fn filtered(&self, keep: impl FnMut(&str, &str) -> bool) -> Labels {
        let mut key = String::with_capacity(self.0.len());
        self.filtered_key(&mut key, keep);
        if key.len() == self.0.len() { self.clone() } else { Labels(Arc::from(key)) }
    }

    /// Replaces `key` by a text that two sets have in common just where [`Labels::filtered`] would give the same: what is looked up by it
    /// needs no set of its own.
    pub fn filtered_key(&self, key: &mut String, mut keep: impl FnMut(&str, &str) -> bool) {
        key.clear();
        for (name, value) in self.iter().filter(|(n, v)| keep(n, v)) {
            push_text(key, name);
            push_text(key, value);
        }
    }

    /// Without the metric name.
    pub fn without_name(&self) -> Labels {
        self.filtered(|n, _| n != METRIC_NAME)
    }

    /// With this label set (an empty value removes it). To change several, take a [`LabelsBuilder`].
    pub fn with(&self, name: &str, value: &str) -> Labels {
        let mut builder = LabelsBuilder::new(self);
        builder.set(name, value);
        builder.build()
    }

    /// The fingerprint that Prometheus' and Alertmanager's APIs show (as 16 hex digits): FNV-1a, 64 bits, over each name and
    /// value with a byte 255 behind it.
    pub fn fingerprint(&self) -> u64 {
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        let mut add = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        for (name, value) in self.iter() {
            for part in [name, value] {
                part.bytes().for_each(&mut add);
                add(255);
            }
        }
        hash
    }
}

fn push_text(to: &mut String, text: &str) {
    let mut rest = text.len();
    while rest > 63 {
        to.push(char::from(64 | (rest & 63) as u8));
        rest >>= 6;
    }
    to.push(char::from(rest as u8));
    to.push_str(text);
}

/// How many bytes two texts have in common at their beginning.
fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let words = a.chunks_exact(8).zip(b.chunks_exact(8)).take_while(|(a, b)| a == b).count();
    let from = words * 8;
    from + a[from..].iter().zip(&b[from..]).take_while(|(a, b)| a == b).count()
}

/// The pairs of a [`Labels`], by name.
#[derive(Clone)]
pub struct Iter<'a> {
    rest: &'a str,
}

impl<'a> Iter<'a> {
    fn text(&mut self) -> &'a str {
        let bytes = self.rest.as_bytes();
        let (mut len, mut shift, mut at) = (0usize, 0, 0);
        while bytes[at] >= 64 {
            len |= usize::from(bytes[at] & 63) << shift;
            shift += 6;
            at += 1;
        }
        len |= usize::from(bytes[at]) << shift;
        let (text, rest) = self.rest[at + 1..].split_at(len);
        self.rest = rest;
        text
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let name = self.text();
        Some((name, self.text()))
    }
}

impl Ord for Labels {
    /// Pair by pair, a set that is the beginning of another first: the order of series in Prometheus' index.
    fn cmp(&self, other: &Self) -> Ordering {
        // Most series of a metric begin alike: find where they differ, then compare the one text that lies there.
        let (a, b) = (self.0.as_bytes(), other.0.as_bytes());
        let same = common_prefix(a, b);
        if same == a.len() || same == b.len() {
            return a.len().cmp(&b.len());
        }
        let mut before = Iter { rest: &self.0 };
        loop {
            let at = self.0.len() - before.rest.len();
            let text = before.text();
            if self.0.len() - before.rest.len() > same {
                // What lies before is the same in both, so a text begins here in the other too.
                return text.cmp(Iter { rest: &other.0[at..] }.text());
            }
        }
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Default for Labels {
    fn default() -> Self {
        Labels::empty()
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for Labels {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Labels {
        Labels::from_pairs(pairs)
    }
}

impl<'a> IntoIterator for &'a Labels {
    type Item = (&'a str, &'a str);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl fmt::Display for Labels {
    /// As PromQL writes a series: `name{a="b"}`, names that are no identifiers in quotes (`{"my.metric", "a.b"="c"}`).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.metric_name();
        let plain = is_legacy_metric_name(name);
        if plain {
            f.write_str(name)?;
            if self.len() == 1 {
                return Ok(());
            }
        }
        f.write_str("{")?;
        let mut first = true;
        if !plain && !name.is_empty() {
            write!(f, "{}", Quoted(name))?;
            first = false;
        }
        for (name, value) in self.iter().filter(|(n, _)| *n != METRIC_NAME) {
            if !first {
                f.write_str(", ")?;
            }
            first = false;
            if is_legacy_label_name(name) {
                f.write_str(name)?
            } else {
                write!(f, "{}", Quoted(name))?
            }
            write!(f, "={}", Quoted(value))?;
        }
        f.write_str("}")
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for Labels {
    /// A map, as in the HTTP APIs.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

/// A text in double quotes with Go's escapes for quotes, backslashes and control characters.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                c if (c as u32) < 0x20 || c as u32 == 0x7f => write!(f, "\\x{:02x}", c as u32)?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

/// Whether a metric name is of the classic form `[a-zA-Z_:][a-zA-Z0-9_:]*`, which needs no quotes.
pub(crate) fn is_legacy_metric_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_' || b == b':')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b':')
}

/// Whether a label name is of the classic form `[a-zA-Z_][a-zA-Z0-9_]*`, which needs no quotes.
pub(crate) fn is_legacy_label_name(name: &str) -> bool {
    !name.contains(':') && is_legacy_metric_name(name)
}

/// Builds a [`Labels`] from another by setting and deleting.
#[derive(Clone, Debug, Default)]
pub struct LabelsBuilder {
    pairs: Vec<(String, String)>,
}

impl LabelsBuilder {
    /// Begins with these labels.
    pub fn new(base: &Labels) -> LabelsBuilder {
        LabelsBuilder { pairs: base.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect() }
    }

    /// Sets a label; an empty value deletes it.
    pub fn set(&mut self, name: &str, value: &str) -> &mut LabelsBuilder {
        match self.pairs.binary_search_by(|(n, _)| n.as_str().cmp(name)) {
            Ok(i) if value.is_empty() => drop(self.pairs.remove(i)),
            Ok(i) => self.pairs[i].1 = value.to_owned(),
            Err(_) if value.is_empty() => {}
            Err(i) => self.pairs.insert(i, (name.to_owned(), value.to_owned())),
        }
        self
    }

    /// Deletes a label; nothing where there is none.
    pub fn delete(&mut self, name: &str) -> &mut LabelsBuilder {
        self.set(name, "")
    }

    /// The value of a label as it stands, empty where there is none.
    pub fn value(&self, name: &str) -> &str {
        match self.pairs.binary_search_by(|(n, _)| n.as_str().cmp(name)) {
            Ok(i) => &self.pairs[i].1,
            Err(_) => "",
        }
    }

    /// The pairs as they stand, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(n, v)| (n.as_str(), v.as_str()))
    }

    /// Keeps only the labels whose name the test lets through.
    pub fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        self.pairs.retain(|(n, _)| keep(n));
    }

    /// The set.
    pub fn build(&self) -> Labels {
        let mut text = String::with_capacity(self.pairs.iter().map(|(n, v)| n.len() + v.len() + 4).sum());
        for (name, value) in &self.pairs {
            push_text(&mut text, name);
            push_text(&mut text, value);
        }
        Labels(Arc::from(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_sorted_unique_and_not_empty() {
        let long = "x".repeat(5000);
        let labels = Labels::from_pairs([("b", "1"), ("a", long.as_str()), ("c", ""), ("b", "2")]);
        assert_eq!(labels.iter().collect::<Vec<_>>(), [("a", long.as_str()), ("b", "2")]);
        assert_eq!((labels.get("b"), labels.get("c"), labels.len()), (Some("2"), None, 2));
    }

    #[test]
    fn sorted_pairs_give_what_from_pairs_gives() {
        let mut scratch = String::new();
        for pairs in
            [&[("a", "1"), ("b", ""), ("c", "é")][..], &[("b", "1"), ("a", "2")], &[("a", "1"), ("a", "2")], &[]]
        {
            assert_eq!(
                Labels::from_sorted(pairs, &mut scratch),
                Labels::from_pairs(pairs.iter().copied()),
                "{pairs:?}"
            );
        }
    }

    #[test]
    fn a_builder_gives_what_from_pairs_gives() {
        let mut builder = LabelsBuilder::new(&Labels::from_pairs([("a", "1"), ("z", "2")]));
        builder.set("m", "é\u{1F600}").set("a", "").delete("nothing");
        let expected = Labels::from_pairs([("z", "2"), ("m", "é\u{1F600}")]);
        assert_eq!(builder.build(), expected);
        assert_eq!(expected.with("m", "").to_string(), "{z=\"2\"}");
    }

    #[test]
    fn order_is_by_pairs() {
        let a = Labels::from_pairs([("a", "1")]);
        let ab = Labels::from_pairs([("a", "1"), ("b", "1")]);
        let long = Labels::from_pairs([("a", "1111111111")]);
        assert!(a < ab && ab < long, "a longer text must not sort by its length");
    }

    proptest::proptest! {
        #[test]
        fn order_is_that_of_the_pairs(
            a in proptest::collection::vec(("[ab]{1,2}|x{60,70}", "[ab]{0,3}|x{60,70}|é"), 0..4),
            b in proptest::collection::vec(("[ab]{1,2}|x{60,70}", "[ab]{0,3}|x{60,70}|é"), 0..4),
        ) {
            let (a, b) = (Labels::from_pairs(a), Labels::from_pairs(b));
            proptest::prop_assert_eq!(a.cmp(&b), a.iter().cmp(b.iter()));
        }
    }

    #[test]
    fn display_quotes_what_is_no_identifier() {
        let show = |pairs: &[(&str, &str)]| Labels::from_pairs(pairs.iter().copied()).to_string();
        assert_eq!(show(&[("__name__", "up")]), "up");
        assert_eq!(show(&[("__name__", "up"), ("job", "a\"b")]), "up{job=\"a\\\"b\"}");
        assert_eq!(show(&[("__name__", "my.metric"), ("a.b", "c")]), "{\"my.metric\", \"a.b\"=\"c\"}");
        assert_eq!(show(&[]), "{}");
    }
}
