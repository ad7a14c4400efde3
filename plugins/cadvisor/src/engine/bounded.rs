//! Lists and maps of JSON that are read only so far: whoever answers at the socket is not to fill the plugin's memory.

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

/// Most entries of a container's labels, names or environment.
const MAX_ENTRIES: usize = 512;

/// Reads a list of texts, the first so many; null is an empty one.
pub(crate) fn list<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<String>, D::Error> {
    d.deserialize_any(List { max: MAX_ENTRIES, keep: |_: &String| true, item: PhantomData })
}

/// Reads a map of texts, the first so many; null is an empty one.
pub(crate) fn map<'de, D: Deserializer<'de>>(d: D) -> Result<BTreeMap<String, String>, D::Error> {
    d.deserialize_any(Map)
}

/// Reads a JSON list, of those that `keep` says yes to the first `max`.
pub(crate) fn filtered<'de, T: Deserialize<'de>>(
    json: &'de [u8],
    max: usize,
    keep: impl Fn(&T) -> bool,
) -> Result<Vec<T>, serde_json::Error> {
    let mut d = serde_json::Deserializer::from_slice(json);
    let all = d.deserialize_seq(List { max, keep, item: PhantomData })?;
    d.end()?;
    Ok(all)
}

struct List<T, K> {
    max: usize,
    keep: K,
    item: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>, K: Fn(&T) -> bool> Visitor<'de> for List<T, K> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Vec<T>, E> {
        Ok(Vec::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
        let mut out = Vec::new();
        while out.len() < self.max {
            match seq.next_element::<T>()? {
                Some(item) if (self.keep)(&item) => out.push(item),
                Some(_) => {}
                None => return Ok(out),
            }
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(out)
    }
}

struct Map;

impl<'de> Visitor<'de> for Map {
    type Value = BTreeMap<String, String>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a map of texts")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
        Ok(BTreeMap::new())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut out = BTreeMap::new();
        let mut read = 0usize;
        while out.len() < MAX_ENTRIES {
            let Some((key, value)) = map.next_entry::<String, Option<String>>()? else { return Ok(out) };
            out.insert(key, value.unwrap_or_default());
            // The same key again and again would never fill it.
            read += 1;
            if read > 100 * MAX_ENTRIES {
                return Err(A::Error::custom("a map with too many entries"));
            }
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, serde::Deserialize)]
    #[serde(default)]
    struct Thing {
        #[serde(deserialize_with = "list")]
        names: Vec<String>,
        #[serde(deserialize_with = "map")]
        labels: BTreeMap<String, String>,
    }

    #[test]
    fn what_is_too_long_is_cut_and_null_is_empty() {
        let names: Vec<String> = (0..2_000).map(|i| format!("\"n{i}\"")).collect();
        let labels: Vec<String> = (0..2_000).map(|i| format!("\"k{i}\":\"v\"")).collect();
        let json = format!("{{\"names\":[{}],\"labels\":{{{}}}}}", names.join(","), labels.join(","));
        let thing: Thing = serde_json::from_str(&json).unwrap();
        assert_eq!((thing.names.len(), thing.labels.len()), (MAX_ENTRIES, MAX_ENTRIES));
        let empty: Thing = serde_json::from_str("{\"names\":null,\"labels\":null}").unwrap();
        assert!(empty.names.is_empty() && empty.labels.is_empty());
        assert!(serde_json::from_str::<Thing>("{\"names\":{}}").is_err());
    }

    #[test]
    fn only_those_that_are_wanted() {
        let even: Vec<u32> = filtered(b"[1,2,3,4,5,6,7,8]", 3, |n| n % 2 == 0).unwrap();
        assert_eq!(even, [2, 4, 6]);
        assert!(filtered::<u32>(b"[1,2", 9, |_| true).is_err());
        assert!(filtered::<u32>(b"[1] 2", 9, |_| true).is_err());
    }
}
