//! Reading a block's index, version 2: mapped, with every 32nd entry of its sorted tables remembered.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use watchglass_model::{Labels, MatchOp, Matcher};

use super::ChunkRef;
use super::index_write::MAGIC;
use crate::StoreError;
use crate::codec::bytes::{DecodeError, Reader, crc};
use crate::head::list::{intersect, union, without};
use crate::mmap::Mapped;

/// Of so many entries of a sorted table one is remembered.
const EVERY: usize = 32;
/// Bytes of the table of contents: six offsets and a checksum.
const TOC: usize = 6 * 8 + 4;

/// A block's index.
#[derive(Debug)]
pub(crate) struct IndexReader {
    path: PathBuf,
    map: Mapped,
    symbols: Symbols,
    names: BTreeMap<Box<str>, Values>,
    /// Where the list of all series lies.
    all: Option<u64>,
}

#[derive(Debug)]
struct Symbols {
    /// Where the first, the 33rd ... symbol begins in the file.
    starts: Vec<usize>,
    count: u32,
    end: usize,
}

/// A label's part of the postings table.
#[derive(Debug)]
struct Values {
    /// The first, 33rd ... value and where its entry begins in the file.
    samples: Vec<(Box<str>, usize)>,
    count: usize,
    end: usize,
}

/// A series of the index.
#[derive(Debug)]
pub(crate) struct IndexSeries {
    pub(crate) labels: Labels,
    pub(crate) chunks: Vec<ChunkRef>,
}

/// An entry of the postings table.
struct TableEntry<'a> {
    name: &'a str,
    value: &'a str,
    list: u64,
}

fn table_entry<'a>(from: &mut Reader<'a>) -> Result<TableEntry<'a>, DecodeError> {
    if from.uvarint()? != 2 {
        return Err(DecodeError::Invalid("an entry of the postings table that has not two keys"));
    }
    Ok(TableEntry { name: from.str()?, value: from.str()?, list: from.uvarint()? })
}

impl IndexReader {
    /// Opens an index and checks its tables' checksums.
    pub(crate) fn open(path: &Path) -> Result<IndexReader, StoreError> {
        let map = Mapped::open(path)?;
        match Tables::read(&map) {
            Ok(Tables { symbols, names, all }) => Ok(IndexReader { path: path.to_owned(), map, symbols, names, all }),
            Err((offset, reason)) => {
                Err(StoreError::Corrupt { path: path.to_owned(), what: "index", offset: offset as u64, reason })
            }
        }
    }

    fn corrupt(&self, offset: u64) -> impl FnOnce(DecodeError) -> StoreError + '_ {
        move |e| StoreError::Corrupt { path: self.path.clone(), what: "index", offset, reason: e.to_string() }
    }

    fn symbol(&self, index: u64) -> Result<&str, DecodeError> {
        let index = u32::try_from(index).ok().filter(|&i| i < self.symbols.count);
        let index = index.ok_or(DecodeError::Invalid("a symbol that does not exist"))? as usize;
        let start = *self.symbols.starts.get(index / EVERY).ok_or(DecodeError::Short)?;
        let mut from = Reader::new(self.map.get(start..self.symbols.end).ok_or(DecodeError::Short)?);
        for _ in 0..index % EVERY {
            let n = from.count(1)?;
            from.bytes(n)?;
        }
        from.str()
    }

    /// All symbols, sorted.
    pub(crate) fn symbols(&self) -> Result<Vec<Box<str>>, StoreError> {
        let start = self.symbols.starts.first().copied().unwrap_or(self.symbols.end);
        let mut from = Reader::new(self.map.get(start..self.symbols.end).unwrap_or_default());
        (0..self.symbols.count)
            .map(|_| from.str().map(Box::from))
            .collect::<Result<_, _>>()
            .map_err(self.corrupt(start as u64))
    }

    /// Label names, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(|n| &**n)
    }

    /// Calls for every value of a label, in order, with the place of its list.
    fn each_value(&self, name: &str, mut f: impl FnMut(&str, u64)) -> Result<(), StoreError> {
        let Some(values) = self.names.get(name) else { return Ok(()) };
        let start = values.samples.first().map_or(values.end, |s| s.1);
        let mut from = Reader::new(self.map.get(start..values.end).unwrap_or_default());
        for _ in 0..values.count {
            let entry = table_entry(&mut from).map_err(self.corrupt(start as u64))?;
            f(entry.value, entry.list);
        }
        Ok(())
    }

    /// Values of a label, sorted.
    pub(crate) fn values(&self, name: &str) -> Result<Vec<String>, StoreError> {
        let mut out = Vec::new();
        self.each_value(name, |value, _| out.push(value.to_owned()))?;
        Ok(out)
    }

    /// The series with a label pair, ascending.
    fn list_of(&self, name: &str, value: &str) -> Result<Vec<u32>, StoreError> {
        let Some(values) = self.names.get(name) else { return Ok(Vec::new()) };
        let at = values.samples.partition_point(|(v, _)| **v <= *value);
        let Some((_, start)) = at.checked_sub(1).and_then(|i| values.samples.get(i)) else { return Ok(Vec::new()) };
        let left = values.count - (at - 1) * EVERY;
        let mut from = Reader::new(self.map.get(*start..values.end).unwrap_or_default());
        for _ in 0..left.min(EVERY) {
            let entry = table_entry(&mut from).map_err(self.corrupt(*start as u64))?;
            if entry.value == value {
                return self.list_at(entry.list);
            }
        }
        Ok(Vec::new())
    }

    fn list_at(&self, offset: u64) -> Result<Vec<u32>, StoreError> {
        let section = usize::try_from(offset).map_err(|_| DecodeError::Short).and_then(|at| section(&self.map, at));
        let (content, _) = section.map_err(self.corrupt(offset))?;
        let (count, ids) = content.split_first_chunk::<4>().ok_or(DecodeError::Short).map_err(self.corrupt(offset))?;
        if ids.len() as u64 != 4 * u64::from(u32::from_be_bytes(*count)) {
            return Err(self.corrupt(offset)(DecodeError::Invalid("a postings list of another length than it says")));
        }
        Ok(ids.as_chunks::<4>().0.iter().map(|id| u32::from_be_bytes(*id)).collect())
    }

    /// All series, ascending: the order of their labels.
    pub(crate) fn all(&self) -> Result<Vec<u32>, StoreError> {
        match self.all {
            Some(offset) => self.list_at(offset),
            None => Ok(Vec::new()),
        }
    }

    /// The series that all matchers let through, ascending.
    pub(crate) fn select(&self, matchers: &[Matcher]) -> Result<Vec<u32>, StoreError> {
        // Those that name few series first; those that let the empty value through only take away.
        let mut order: Vec<&Matcher> = matchers.iter().collect();
        let is_pair = |m: &Matcher| m.op() == MatchOp::Equal && !m.value().is_empty();
        order.sort_by_key(|m| (!is_pair(m), m.matches_empty()));
        let mut found: Option<Vec<u32>> = None;
        for matcher in order {
            if found.as_ref().is_some_and(Vec::is_empty) {
                return Ok(Vec::new());
            }
            let empty = matcher.matches_empty();
            let list = if is_pair(matcher) {
                self.list_of(matcher.name(), matcher.value())?
            } else {
                self.lists_where(matcher, empty)?
            };
            found = Some(match (found, empty) {
                (None, false) => list,
                (None, true) => without(&self.all()?, &list),
                (Some(before), false) => intersect(&before, &list),
                (Some(before), true) => without(&before, &list),
            });
        }
        found.map_or_else(|| self.all(), Ok)
    }

    /// The series of all values that a matcher passes (`empty` false), or of those that it doesn't (`empty` true).
    fn lists_where(&self, matcher: &Matcher, empty: bool) -> Result<Vec<u32>, StoreError> {
        let mut lists = Vec::new();
        match crate::select::alternatives(matcher) {
            Some(words) if !empty => {
                for word in words {
                    lists.push(self.list_of(matcher.name(), word)?);
                }
            }
            _ => {
                let mut places = Vec::new();
                self.each_value(matcher.name(), |value, list| {
                    if matcher.matches(value) != empty {
                        places.push(list);
                    }
                })?;
                for place in places {
                    lists.push(self.list_at(place)?);
                }
            }
        }
        Ok(union(lists.iter().map(Vec::as_slice)))
    }

    /// A series by its number.
    pub(crate) fn series(&self, id: u32) -> Result<IndexSeries, StoreError> {
        let offset = 16 * u64::from(id);
        self.decode_series(offset as usize).map_err(self.corrupt(offset))
    }

    fn decode_series(&self, offset: usize) -> Result<IndexSeries, DecodeError> {
        let mut from = Reader::new(self.map.get(offset..).ok_or(DecodeError::Short)?);
        let length = from.count(1)?;
        let entry = from.bytes(length)?;
        if crc(entry) != from.u32()? {
            return Err(DecodeError::Invalid("a series whose checksum differs"));
        }
        let mut from = Reader::new(entry);
        let n = from.count(2)?;
        let mut pairs = Vec::with_capacity(n.min(64));
        for _ in 0..n {
            pairs.push((self.symbol(from.uvarint()?)?, self.symbol(from.uvarint()?)?));
        }
        let n = from.count(3)?;
        let mut chunks: Vec<ChunkRef> = Vec::with_capacity(n);
        for _ in 0..n {
            let (min, max, reference) = match chunks.last() {
                None => {
                    let min = from.varint()?;
                    (min, min.wrapping_add(from.uvarint()? as i64), from.uvarint()?)
                }
                Some(before) => {
                    let min = before.max.wrapping_add(from.uvarint()? as i64);
                    let max = min.wrapping_add(from.uvarint()? as i64);
                    (min, max, before.reference.wrapping_add(from.varint()? as u64))
                }
            };
            chunks.push(ChunkRef { min, max, reference });
        }
        Ok(IndexSeries { labels: Labels::from_pairs(pairs), chunks })
    }
}

/// Content of a section `u32 length, content, u32 checksum` at an offset, and where it begins.
fn section(bytes: &[u8], at: usize) -> Result<(&[u8], usize), DecodeError> {
    let mut from = Reader::new(bytes.get(at..).ok_or(DecodeError::Short)?);
    let length = from.u32()? as usize;
    let content = from.bytes(length)?;
    if crc(content) != from.u32()? {
        return Err(DecodeError::Invalid("a section whose checksum differs"));
    }
    Ok((content, at + 4))
}

/// What is read once at opening.
struct Tables {
    symbols: Symbols,
    names: BTreeMap<Box<str>, Values>,
    all: Option<u64>,
}

impl Tables {
    fn read(bytes: &[u8]) -> Result<Tables, (usize, String)> {
        let at = |offset: usize| move |e: DecodeError| (offset, e.to_string());
        let mut head = Reader::new(bytes);
        if head.u32() != Ok(MAGIC) {
            return Err((0, "the file does not begin with baaad700".to_owned()));
        }
        match head.u8() {
            Ok(2) => {}
            other => return Err((4, format!("version {} (known: 2)", other.unwrap_or(0)))),
        }
        let toc_at =
            bytes.len().checked_sub(TOC).ok_or((0, "the file is shorter than its table of contents".to_owned()))?;
        let (toc, stored) = bytes[toc_at..].split_at(TOC - 4);
        if crc(toc).to_be_bytes() != stored {
            return Err((toc_at, "the checksum of the table of contents differs".to_owned()));
        }
        let mut toc = Reader::new(toc);
        let mut offsets = [0usize; 6];
        for offset in &mut offsets {
            *offset = toc.u64().ok().and_then(|o| usize::try_from(o).ok()).unwrap_or(usize::MAX);
        }
        let [symbols, _, _, _, _, postings] = offsets;
        let (content, start) = section(bytes, symbols).map_err(at(symbols))?;
        let symbols = read_symbols(content, start).map_err(at(symbols))?;
        let (content, start) = section(bytes, postings).map_err(at(postings))?;
        let (names, all) = read_postings_table(content, start).map_err(at(postings))?;
        Ok(Tables { symbols, names, all })
    }
}

fn read_symbols(content: &[u8], start: usize) -> Result<Symbols, DecodeError> {
    let mut from = Reader::new(content);
    let count = from.u32()?;
    let mut starts = Vec::new();
    for i in 0..count as usize {
        if i % EVERY == 0 {
            starts.push(start + content.len() - from.len());
        }
        from.str()?;
    }
    Ok(Symbols { starts, count, end: start + content.len() })
}

type Names = BTreeMap<Box<str>, Values>;

fn read_postings_table(content: &[u8], start: usize) -> Result<(Names, Option<u64>), DecodeError> {
    let mut from = Reader::new(content);
    let count = from.u32()?;
    let (mut names, mut all) = (Names::new(), None);
    let mut current: Option<(&str, Values)> = None;
    for _ in 0..count {
        let at = start + content.len() - from.len();
        let entry = table_entry(&mut from)?;
        if entry.name.is_empty() && entry.value.is_empty() {
            all = Some(entry.list);
            continue;
        }
        if current.as_ref().is_none_or(|(name, _)| *name != entry.name) {
            if let Some((name, values)) = current.take() {
                names.insert(name.into(), values);
            }
            current = Some((entry.name, Values { samples: Vec::new(), count: 0, end: at }));
        }
        if let Some((_, values)) = &mut current {
            if values.count % EVERY == 0 {
                values.samples.push((entry.value.into(), at));
            }
            values.count += 1;
            values.end = start + content.len() - from.len();
        }
    }
    if let Some((name, values)) = current {
        names.insert(name.into(), values);
    }
    Ok((names, all))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::index_write::IndexWriter;
    use proptest::prelude::*;

    fn write(path: &Path, series: &[Labels]) {
        let mut symbols: Vec<Box<str>> =
            series.iter().flat_map(|l| l.iter()).flat_map(|(n, v)| [n.into(), v.into()]).collect();
        symbols.sort();
        symbols.dedup();
        let mut writer = IndexWriter::create(path, symbols).unwrap();
        for (i, labels) in series.iter().enumerate() {
            let t = i as i64 * 100;
            let chunks = [
                ChunkRef { min: t, max: t + 10, reference: 8 },
                ChunkRef { min: t + 20, max: t + 20, reference: (1 << 32) + 8 },
                ChunkRef { min: t + 21, max: t + 1000, reference: 9 },
            ];
            writer.push(labels, &chunks[..i % 4]).unwrap();
        }
        writer.finish().unwrap();
    }

    fn series(n: usize) -> Vec<Labels> {
        let mut all: Vec<Labels> = (0..n)
            .map(|i| {
                let (host, odd) = (format!("host-{i:03}"), ["even", "odd"][i % 2]);
                Labels::from_pairs([("__name__", "m"), ("host", &host), ("parity", odd), ("é", "ü")])
            })
            .collect();
        all.sort();
        all
    }

    #[test]
    fn an_index_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("index");
        let series = series(100);
        write(&path, &series);
        let index = IndexReader::open(&path).unwrap();
        assert_eq!(index.names().collect::<Vec<_>>(), ["__name__", "host", "parity", "é"]);
        assert_eq!(index.values("host").unwrap().len(), 100);
        let ids = index.all().unwrap();
        let back: Vec<IndexSeries> = ids.iter().map(|&id| index.series(id).unwrap()).collect();
        assert_eq!(back.iter().map(|s| s.labels.clone()).collect::<Vec<_>>(), series);
        assert_eq!(back[3].chunks[2], ChunkRef { min: 321, max: 1300, reference: 9 });
        let host = |i: usize| index.select(&[Matcher::equal("host", &format!("host-{i:03}"))]).unwrap();
        assert!((0..100).all(|i| host(i).len() == 1) && host(100).is_empty());
        let matcher = |op, value| Matcher::new("host", op, value).unwrap();
        let both = [Matcher::equal("parity", "odd"), matcher(MatchOp::Regex, "host-00.")];
        assert_eq!(index.select(&both).unwrap().len(), 5);
        assert_eq!(index.select(&[matcher(MatchOp::NotRegex, "host-0.*")]).unwrap().len(), 0);
        assert_eq!(index.select(&[matcher(MatchOp::Regex, "host-001|host-099|x")]).unwrap().len(), 2);
        assert_eq!(index.select(&[Matcher::equal("nobody", "")]).unwrap().len(), 100);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
        #[test]
        fn a_damaged_index_never_panics(
            flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
            cut in prop::option::of(any::<prop::sample::Index>()),
            mend in any::<bool>(),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("index");
            write(&path, &series(10));
            let mut bytes = std::fs::read(&path).unwrap();
            for (at, byte) in flips {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            if mend && bytes.len() > TOC {
                // With a table of contents that checks, so that what it points to is looked at.
                let at = bytes.len() - TOC;
                let sum = crc(&bytes[at..at + TOC - 4]);
                let end = bytes.len();
                bytes[end - 4..].copy_from_slice(&sum.to_be_bytes());
            }
            std::fs::write(&path, &bytes).unwrap();
            if let Ok(index) = IndexReader::open(&path) {
                let _ = index.symbols();
                for id in index.all().unwrap_or_default() {
                    let _ = index.series(id);
                }
                let _ = index.select(&[Matcher::new("host", MatchOp::Regex, ".*1").unwrap()]);
            }
        }
    }
}
