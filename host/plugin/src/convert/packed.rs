//! Packed payloads.

use super::{Rows, check_label_names, check_metric_name, check_value, invalid, metric_type, time};
use crate::bindings::collector::exports::watchglass::plugin::collector::{Packed, PackedFamily};
use crate::report::CallFailure;

/// The strings of a payload, checked once.
struct Strings<'a> {
    text: &'a str,
    ends: &'a [u32],
}

impl<'a> Strings<'a> {
    fn new(packed: &'a Packed) -> Result<Strings<'a>, CallFailure> {
        let text = packed.text.as_str();
        let mut before = 0;
        for (i, &end) in packed.ends.iter().enumerate() {
            if end < before || !text.is_char_boundary(end as usize) {
                return Err(invalid(format!(
                    "packed: end {i} is {end}: ends ascend within the {} bytes of the text, between characters",
                    text.len()
                )));
            }
            before = end;
        }
        Ok(Strings { text, ends: &packed.ends })
    }

    fn get(&self, number: u32) -> Result<&'a str, CallFailure> {
        let i = number as usize;
        let Some(&end) = self.ends.get(i) else {
            return Err(invalid(format!("packed: string {number} of {}", self.ends.len())));
        };
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        // Both are boundaries within the text, in order: `new` looked.
        Ok(self.text.get(start as usize..end as usize).unwrap_or(""))
    }
}

/// Adds the samples of a payload.
pub(super) fn add(rows: &mut Rows, packed: &Packed) -> Result<(), CallFailure> {
    let strings = Strings::new(packed)?;
    let total: u64 = packed.families.iter().map(|f| u64::from(f.rows)).sum();
    if total != packed.values.len() as u64 {
        return Err(invalid(format!("packed: {total} rows in families, {} values", packed.values.len())));
    }
    // Only now: what the rows claimed is bounded by values that were really sent.
    let cells: u64 = packed.families.iter().map(|f| u64::from(f.rows) * f.label_names.len() as u64).sum();
    if cells != packed.label_values.len() as u64 {
        return Err(invalid(format!("packed: {} label values where families need {cells}", packed.label_values.len())));
    }
    if !packed.at.is_empty() && packed.at.len() != packed.values.len() {
        return Err(invalid(format!("packed: {} times for {} values", packed.at.len(), packed.values.len())));
    }
    rows.expect(packed.values.len());
    let (mut row, mut cell) = (0, 0);
    for family in &packed.families {
        let (count, width) = (family.rows as usize, family.label_names.len());
        let cells = &packed.label_values[cell..cell + count * width];
        let values = &packed.values[row..row + count];
        let at = packed.at.get(row..row + count).unwrap_or(&[]);
        add_family(rows, &strings, family, cells, values, at)?;
        row += count;
        cell += count * width;
    }
    Ok(())
}

fn add_family(
    rows: &mut Rows,
    strings: &Strings<'_>,
    family: &PackedFamily,
    cells: &[u32],
    values: &[f64],
    at: &[i64],
) -> Result<(), CallFailure> {
    let name = strings.get(family.name)?;
    check_metric_name(name)?;
    let names = family.label_names.iter().map(|n| strings.get(*n)).collect::<Result<Vec<_>, _>>()?;
    check_label_names(name, names.iter().copied())?;
    if !rows.family(name, strings.get(family.help)?, strings.get(family.unit)?, metric_type(family.kind)) {
        return Err(invalid("more families than one collection may have"));
    }
    // The order of the labels is the same in every row: it is found once.
    let mut order: Vec<(&str, Option<usize>)> = names.iter().enumerate().map(|(i, n)| (*n, Some(i))).collect();
    order.push(("__name__", None));
    order.sort_unstable();
    let mut pairs: Vec<(&str, &str)> = order.iter().map(|(n, _)| (*n, name)).collect();
    for (i, value) in values.iter().enumerate() {
        let row = &cells[i * names.len()..(i + 1) * names.len()];
        for (pair, (_, column)) in pairs.iter_mut().zip(&order) {
            if let Some(column) = column {
                let text = strings.get(row[*column])?;
                check_value(name, pair.0, text)?;
                pair.1 = text;
            }
        }
        let t = time(at.get(i).copied(), rows.scheduled_at, name)?;
        rows.push(&pairs, t, *value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::wit::types::Kind;

    fn sound() -> Packed {
        // m{a="x",B="é"} 1, m{a="",B="x"} 2
        Packed {
            text: "maBxé".into(),
            ends: vec![1, 2, 3, 4, 6, 6],
            families: vec![PackedFamily {
                name: 0,
                help: 5,
                unit: 5,
                kind: Kind::Gauge,
                label_names: vec![1, 2],
                rows: 2,
            }],
            label_values: vec![3, 4, 5, 3],
            values: vec![1.0, 2.0],
            at: Vec::new(),
        }
    }

    fn convert(packed: &Packed) -> Result<Vec<String>, String> {
        let mut rows = Rows::new(1_000, 100);
        add(&mut rows, packed).map_err(|f| f.to_string())?;
        Ok(rows.finish().0.samples.iter().map(|s| format!("{} {}", s.labels, s.t)).collect())
    }

    #[test]
    fn rows_become_samples() {
        assert_eq!(convert(&sound()), Ok(vec!["m{B=\"é\", a=\"x\"} 1000".to_owned(), "m{B=\"x\"} 1000".to_owned()]));
        let timed = Packed { at: vec![5, 6], ..sound() };
        assert_eq!(convert(&timed).map(|s| s[1].clone()), Ok("m{B=\"x\"} 6".to_owned()));
    }

    #[test]
    fn lies_are_found() {
        type Lie = fn(&mut Packed);
        let lies: [(&str, Lie); 13] = [
            ("end 4 is 5", |p| p.ends[4] = 5),
            ("end 5 is 7", |p| p.ends[5] = 7),
            ("end 1 is 0", |p| p.ends[1] = 0),
            ("string 9 of 6", |p| p.families[0].name = 9),
            ("string 4294967295 of 6", |p| p.label_values[0] = u32::MAX),
            ("3 rows in families, 2 values", |p| p.families[0].rows = 3),
            ("4294967295 rows", |p| p.families[0].rows = u32::MAX),
            ("3 label values where families need 4", |p| p.label_values.truncate(3)),
            ("1 times for 2 values", |p| p.at = vec![1]),
            ("label \"a\" twice", |p| p.families[0].label_names[1] = 1),
            ("family without a name", |p| p.families[0].name = 5),
            ("label name \"\" is empty", |p| p.families[0].label_names[0] = 5),
            ("time 9223372036854775807", |p| p.at = vec![i64::MAX, 0]),
        ];
        for (expected, lie) in lies {
            let mut packed = sound();
            lie(&mut packed);
            let told = convert(&packed).unwrap_err();
            assert!(told.starts_with("invalid: ") && told.contains(expected), "{expected}: {told}");
        }
    }

    #[test]
    fn a_flood_is_cut_and_counted() {
        let n = 100_000u32;
        let mut text = String::from("muser");
        let mut ends = vec![1, 5, 5];
        for i in 0..n {
            text.push_str(&i.to_string());
            ends.push(text.len() as u32);
        }
        let family = PackedFamily { name: 0, help: 2, unit: 2, kind: Kind::Gauge, label_names: vec![1], rows: n };
        let label_values = (3..n + 3).collect();
        let packed =
            Packed { text, ends, families: vec![family], label_values, values: vec![0.0; n as usize], at: vec![] };
        let mut rows = Rows::new(0, 100);
        assert!(add(&mut rows, &packed).is_ok());
        let (batch, excess) = rows.finish();
        let excess = excess.map(|e| (e.dropped, e.label, e.distinct));
        assert_eq!((batch.samples.len(), excess), (100, Some((99_900, "user".to_owned(), 100_000))));
    }
}
