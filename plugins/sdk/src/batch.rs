//! The builder of samples: families in, packed columns out.

use crate::Kind;
use crate::bindings::collector::exports::watchglass::plugin::collector as wit;
use crate::intern::Interner;
use std::fmt::Write as _;

/// The samples of one collection.
///
/// ```
/// use watchglass_sdk::prelude::*;
/// let mut batch = Batch::new();
/// batch
///     .family("disk_bytes_total", Kind::Counter, "Bytes written.")
///     .sample(&[("device", "sda")], 17.0)
///     .sample(&[("device", "sdb")], 4.0);
/// batch.family("load1", Kind::Gauge, "Load over one minute.").value(0.5);
/// assert!(batch.to_text().contains("disk_bytes_total{device=\"sda\"} 17\n"));
/// ```
///
/// A family may be opened again and again, in any order; its samples end up together. Samples of one family may differ in their label
/// names. Strings are stored once however often they come; nothing crosses to the host before the collection is handed back.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    strings: Interner,
    families: Vec<Columns>,
    /// By the string number of a family's name: its index in `families` plus one.
    by_name: Vec<u32>,
    /// What is no plain number: histograms, summaries and samples with a time of their own.
    rich: Vec<wit::Family>,
}

/// The scalar samples of a family that share their label names.
#[derive(Clone, Debug)]
struct Columns {
    name: u32,
    help: u32,
    unit: u32,
    kind: Kind,
    label_names: Vec<u32>,
    label_values: Vec<u32>,
    values: Vec<f64>,
    /// The family's next set of label names, if its samples differ in them.
    more: Option<usize>,
    /// Only the first set of a family stands in the output's order; the others follow it.
    first: bool,
}

/// One open family of a [`Batch`]; see [`Batch::family`].
#[derive(Debug)]
pub struct Family<'b> {
    batch: &'b mut Batch,
    index: usize,
}

/// Labels that many samples share, made once: see [`Batch::labels`].
#[derive(Clone, Debug, Default)]
pub struct Shared {
    names: Vec<u32>,
    values: Vec<u32>,
}

impl Batch {
    /// Makes labels for many samples, to be given to [`Family::sample_of`]. They are good for this batch alone.
    pub fn labels(&mut self, labels: &[(&str, &str)]) -> Shared {
        Shared {
            names: labels.iter().map(|l| self.strings.id(l.0)).collect(),
            values: labels.iter().map(|l| self.strings.id(l.1)).collect(),
        }
    }

    /// Makes an empty batch.
    pub fn new() -> Batch {
        Batch::default()
    }

    /// Opens the family `name`. Its kind and help are those of the first opening.
    ///
    /// For `Kind::Histogram` and `Kind::Summary` use [`Batch::histogram`] and [`Batch::summary`].
    pub fn family(&mut self, name: &str, kind: Kind, help: &str) -> Family<'_> {
        let id = self.strings.id(name);
        let index = match self.by_name.get(id as usize) {
            Some(&at) if at != 0 => at as usize - 1,
            _ => {
                let help = self.strings.id(help);
                let unit = self.strings.id("");
                self.families.push(Columns {
                    name: id,
                    help,
                    unit,
                    kind,
                    label_names: Vec::new(),
                    label_values: Vec::new(),
                    values: Vec::new(),
                    more: None,
                    first: true,
                });
                if self.by_name.len() <= id as usize {
                    self.by_name.resize(id as usize + 1, 0);
                }
                self.by_name[id as usize] = self.families.len() as u32;
                self.families.len() - 1
            }
        };
        Family { batch: self, index }
    }

    /// Opens a counter family; its name should end in `_total`.
    pub fn counter(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(name, Kind::Counter, help)
    }

    /// Opens a gauge family.
    pub fn gauge(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(name, Kind::Gauge, help)
    }

    /// Opens a family whose kind nobody knows.
    pub fn untyped(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(name, Kind::Untyped, help)
    }

    /// Adds a classic histogram. `buckets` are upper bounds with cumulative counts; the one at +Inf may be left out.
    pub fn histogram(
        &mut self,
        name: &str,
        help: &str,
        labels: &[(&str, &str)],
        sum: f64,
        count: f64,
        buckets: &[(f64, f64)],
    ) {
        let buckets = buckets.iter().map(|&(le, count)| wit::Bucket { le, count }).collect();
        self.rich(name, Kind::Histogram, help, labels, wit::Value::Classic(wit::Classic { count, sum, buckets }), None);
    }

    /// Adds a summary. `quantiles` are pairs of quantile (0 to 1) and value.
    pub fn summary(
        &mut self,
        name: &str,
        help: &str,
        labels: &[(&str, &str)],
        sum: f64,
        count: f64,
        quantiles: &[(f64, f64)],
    ) {
        let quantiles = quantiles.iter().map(|&(q, v)| wit::Quantile { q, v }).collect();
        self.rich(name, Kind::Summary, help, labels, wit::Value::Summary(wit::Summary { count, sum, quantiles }), None);
    }

    /// Adds a sample that carries its own time, in milliseconds of Unix time. Rarely right: the host stamps a collection by itself.
    pub fn sample_at(&mut self, name: &str, kind: Kind, help: &str, labels: &[(&str, &str)], value: f64, at: i64) {
        self.rich(name, kind, help, labels, wit::Value::Number(value), Some(at));
    }

    fn rich(
        &mut self,
        name: &str,
        kind: Kind,
        help: &str,
        labels: &[(&str, &str)],
        value: wit::Value,
        at: Option<i64>,
    ) {
        let same = |f: &&mut wit::Family| {
            f.name == name && f.label_names.iter().map(String::as_str).eq(labels.iter().map(|l| l.0))
        };
        let sample = wit::Sample { label_values: labels.iter().map(|l| l.1.to_owned()).collect(), value, at };
        match self.rich.iter_mut().rev().find(same) {
            Some(f) => f.samples.push(sample),
            None => self.rich.push(wit::Family {
                name: name.to_owned(),
                help: help.to_owned(),
                unit: String::new(),
                kind,
                label_names: labels.iter().map(|l| l.0.to_owned()).collect(),
                samples: vec![sample],
            }),
        }
    }

    /// Counts the samples; a histogram or a summary is one.
    pub fn len(&self) -> usize {
        self.families.iter().map(|f| f.values.len()).sum::<usize>()
            + self.rich.iter().map(|f| f.samples.len()).sum::<usize>()
    }

    /// Tells whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Gives the value of a plain sample, for tests; labels in the order they were written.
    pub fn get(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        self.families.iter().filter(|f| self.strings.get(f.name) == name).find_map(|f| {
            let names = f.label_names.iter().map(|&n| self.strings.get(n));
            if !names.eq(labels.iter().map(|l| l.0)) {
                return None;
            }
            (0..f.values.len())
                .find(|&row| self.row(f, row).iter().map(|&v| self.strings.get(v)).eq(labels.iter().map(|l| l.1)))
                .and_then(|row| f.values.get(row).copied())
        })
    }

    fn row<'a>(&self, f: &'a Columns, row: usize) -> &'a [u32] {
        let width = f.label_names.len();
        f.label_values.get(row * width..(row + 1) * width).unwrap_or(&[])
    }

    /// The families in output order: each one's sets of label names together.
    fn ordered(&self) -> Vec<usize> {
        let mut order = Vec::with_capacity(self.families.len());
        for (i, f) in self.families.iter().enumerate().filter(|(_, f)| f.first) {
            let mut next = Some((i, f));
            while let Some((at, set)) = next {
                if !set.values.is_empty() {
                    order.push(at);
                }
                next = set.more.and_then(|m| Some((m, self.families.get(m)?)));
            }
        }
        order
    }

    /// Turns the batch into what crosses to the host.
    pub(crate) fn into_payloads(self) -> Vec<wit::Payload> {
        let mut payloads = Vec::new();
        let rows: usize = self.families.iter().map(|f| f.values.len()).sum();
        if rows > 0 {
            let cells: usize = self.families.iter().map(|f| f.label_values.len()).sum();
            let (mut label_values, mut values) = (Vec::with_capacity(cells), Vec::with_capacity(rows));
            let mut families = Vec::with_capacity(self.families.len());
            for f in self.ordered().into_iter().filter_map(|i| self.families.get(i)) {
                label_values.extend_from_slice(&f.label_values);
                values.extend_from_slice(&f.values);
                families.push(wit::PackedFamily {
                    name: f.name,
                    help: f.help,
                    unit: f.unit,
                    kind: f.kind,
                    label_names: f.label_names.clone(),
                    rows: f.values.len() as u32,
                });
            }
            let (text, ends) = self.strings.into_parts();
            payloads.push(wit::Payload::Packed(wit::Packed {
                text,
                ends,
                families,
                label_values,
                values,
                at: Vec::new(),
            }));
        }
        if !self.rich.is_empty() {
            payloads.push(wit::Payload::Families(self.rich));
        }
        payloads
    }

    /// Prints the batch in Prometheus' text format 0.0.4, for tests: families and samples in the order they were written.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        for f in self.ordered().into_iter().filter_map(|i| self.families.get(i)) {
            let name = self.strings.get(f.name);
            if f.first {
                head(&mut out, name, f.kind, self.strings.get(f.help));
            }
            for (row, value) in f.values.iter().enumerate() {
                let labels = f
                    .label_names
                    .iter()
                    .zip(self.row(f, row))
                    .map(|(&n, &v)| (self.strings.get(n), self.strings.get(v)));
                line(&mut out, name, labels, *value, None);
            }
        }
        for f in &self.rich {
            head(&mut out, &f.name, f.kind, &f.help);
            for s in &f.samples {
                rich_lines(&mut out, f, s);
            }
        }
        out
    }
}

impl Family<'_> {
    /// Adds a sample. A label with an empty value is, as in Prometheus, the same as none.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: f64) -> &mut Self {
        let at = self.set_for(labels);
        for (_, v) in labels {
            let v = self.batch.strings.id(v);
            if let Some(f) = self.batch.families.get_mut(at) {
                f.label_values.push(v);
            }
        }
        if let Some(f) = self.batch.families.get_mut(at) {
            f.values.push(value);
        }
        self
    }

    /// Adds the sample without labels.
    pub fn value(&mut self, value: f64) -> &mut Self {
        self.sample(&[], value)
    }

    /// Sets the family's unit (OpenMetrics), `seconds` say. The name must end in it.
    pub fn unit(&mut self, unit: &str) -> &mut Self {
        let unit = self.batch.strings.id(unit);
        if let Some(f) = self.batch.families.get_mut(self.index) {
            f.unit = unit;
        }
        self
    }

    /// Adds a sample with labels that others share, and some of its own behind them. Cheaper than [`Family::sample`] where the same labels
    /// come again and again: a container's, say.
    pub fn sample_of(&mut self, shared: &Shared, own: &[(&str, &str)], value: f64) -> &mut Self {
        let count = shared.names.len();
        let same = |set: &Columns, strings: &Interner| {
            set.label_names.get(..count) == Some(&shared.names[..])
                && set.label_names.iter().skip(count).map(|&n| strings.get(n)).eq(own.iter().map(|l| l.0))
        };
        let at = self.find_set(same, |strings| {
            shared.names.iter().copied().chain(own.iter().map(|l| strings.id(l.0))).collect()
        });
        let Batch { strings, families, .. } = &mut *self.batch;
        if let Some(f) = families.get_mut(at) {
            f.label_values.extend_from_slice(&shared.values);
            f.label_values.extend(own.iter().map(|l| strings.id(l.1)));
            f.values.push(value);
        }
        self
    }

    /// Finds the columns for these label names, adding them if they are new to the family.
    fn set_for(&mut self, labels: &[(&str, &str)]) -> usize {
        let same = |set: &Columns, strings: &Interner| {
            set.label_names.iter().map(|&n| strings.get(n)).eq(labels.iter().map(|l| l.0))
        };
        self.find_set(same, |strings| labels.iter().map(|l| strings.id(l.0)).collect())
    }

    fn find_set(
        &mut self,
        same: impl Fn(&Columns, &Interner) -> bool,
        names: impl FnOnce(&mut Interner) -> Vec<u32>,
    ) -> usize {
        let Batch { strings, families, .. } = &mut *self.batch;
        let mut at = self.index;
        loop {
            let set = &mut families[at];
            if set.values.is_empty() {
                set.label_names = names(strings);
                return at;
            }
            if same(set, strings) {
                return at;
            }
            match set.more {
                Some(next) => at = next,
                None => break,
            }
        }
        let new = families.len();
        let label_names = names(strings);
        let set = &mut families[at];
        set.more = Some(new);
        let columns =
            Columns { label_names, label_values: Vec::new(), values: Vec::new(), more: None, first: false, ..*set };
        families.push(columns);
        new
    }
}

fn head(out: &mut String, name: &str, kind: Kind, help: &str) {
    let kind = match kind {
        Kind::Counter => "counter",
        Kind::Gauge | Kind::Info | Kind::StateSet => "gauge",
        Kind::Histogram | Kind::GaugeHistogram => "histogram",
        Kind::Summary => "summary",
        Kind::Untyped => "untyped",
    };
    // Writing to a String can't fail.
    let _ = write!(out, "# HELP {name} {}\n# TYPE {name} {kind}\n", help.replace('\\', "\\\\").replace('\n', "\\n"));
}

fn line<'a>(
    out: &mut String,
    name: &str,
    labels: impl Iterator<Item = (&'a str, &'a str)>,
    value: f64,
    at: Option<i64>,
) {
    out.push_str(name);
    let mut separator = '{';
    for (n, v) in labels {
        out.push(separator);
        let _ = write!(out, "{n}=\"{}\"", v.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"));
        separator = ',';
    }
    if separator == ',' {
        out.push('}');
    }
    let _ = write!(out, " {}", number(value));
    if let Some(at) = at {
        let _ = write!(out, " {at}");
    }
    out.push('\n');
}

fn rich_lines(out: &mut String, f: &wit::Family, s: &wit::Sample) {
    let labels = || f.label_names.iter().map(String::as_str).zip(s.label_values.iter().map(String::as_str));
    let mut parts = |name: &str, bound: &str, pairs: &[(f64, f64)], sum: f64, count: f64| {
        for (b, v) in pairs {
            let bound_value = number(*b);
            line(out, name, labels().chain([(bound, bound_value.as_str())]), *v, s.at);
        }
        line(out, &format!("{}_sum", f.name), labels(), sum, s.at);
        line(out, &format!("{}_count", f.name), labels(), count, s.at);
    };
    match &s.value {
        wit::Value::Number(v) => line(out, &f.name, labels(), *v, s.at),
        wit::Value::Classic(h) => {
            let mut pairs: Vec<(f64, f64)> = h.buckets.iter().map(|b| (b.le, b.count)).collect();
            if pairs.last().is_none_or(|b| b.0 != f64::INFINITY) {
                pairs.push((f64::INFINITY, h.count));
            }
            parts(&format!("{}_bucket", f.name), "le", &pairs, h.sum, h.count);
        }
        wit::Value::Summary(q) => {
            let pairs: Vec<(f64, f64)> = q.quantiles.iter().map(|p| (p.q, p.v)).collect();
            parts(&f.name, "quantile", &pairs, q.sum, q.count);
        }
    }
}

/// Writes a number as Prometheus' text format does: the shortest form that reads back the same, with an exponent below 1e-4 and from 1e21.
fn number(v: f64) -> String {
    if v.is_nan() {
        return "NaN".to_owned();
    }
    if v.is_infinite() {
        return if v > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let plain = v == 0.0 || (1e-4..1e21).contains(&v.abs());
    if plain {
        return format!("{v}");
    }
    let text = format!("{v:e}");
    match text.split_once('e') {
        Some((m, e)) => {
            let (sign, digits) = e.strip_prefix('-').map_or(('+', e), |d| ('-', d));
            format!("{m}e{sign}{digits:0>2}")
        }
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_opened_twice_stays_together_and_label_sets_may_differ() {
        let mut b = Batch::new();
        b.gauge("a", "first").sample(&[("x", "1")], 1.0);
        b.gauge("b", "second").value(5.0);
        b.gauge("a", "first").sample(&[("x", "1"), ("y", "2")], 2.0).sample(&[("x", "3")], 3.0);
        assert_eq!(
            b.to_text(),
            "# HELP a first\n# TYPE a gauge\na{x=\"1\"} 1\na{x=\"3\"} 3\na{x=\"1\",y=\"2\"} 2\n# HELP b second\n# TYPE b gauge\nb 5\n"
        );
        assert_eq!(b.len(), 4);
        assert_eq!(b.get("a", &[("x", "1"), ("y", "2")]), Some(2.0));
        assert_eq!(b.get("a", &[("x", "9")]), None);
    }

    #[test]
    fn samples_with_shared_labels_are_like_others() {
        let (mut a, mut b) = (Batch::new(), Batch::new());
        let shared = a.labels(&[("id", "/x"), ("name", "")]);
        a.gauge("g", "h").sample_of(&shared, &[], 1.0).sample_of(&shared, &[("cpu", "0")], 2.0);
        a.gauge("g", "h").sample(&[("id", "/y"), ("name", "y")], 3.0).sample_of(&Shared::default(), &[], 4.0);
        b.gauge("g", "h")
            .sample(&[("id", "/x"), ("name", "")], 1.0)
            .sample(&[("id", "/x"), ("name", ""), ("cpu", "0")], 2.0);
        b.gauge("g", "h").sample(&[("id", "/y"), ("name", "y")], 3.0).value(4.0);
        assert_eq!(a.to_text(), b.to_text());
    }

    #[test]
    fn packed_columns_hold_every_string_once() {
        let mut b = Batch::new();
        for cpu in ["0", "1"] {
            for mode in ["idle", "user"] {
                b.counter("cpu_seconds_total", "Seconds.").sample(&[("cpu", cpu), ("mode", mode)], 2.0);
            }
        }
        let payloads = b.into_payloads();
        let [wit::Payload::Packed(p)] = payloads.as_slice() else { panic!("one packed payload: {payloads:?}") };
        assert_eq!(p.text, "cpu_seconds_totalSeconds.cpumode0idleuser1");
        assert_eq!(p.ends, [17, 25, 25, 28, 32, 33, 37, 41, 42]);
        assert_eq!(p.families.len(), 1);
        assert_eq!((p.families[0].rows, p.label_values.len(), p.values.len()), (4, 8, 4));
        assert_eq!(p.label_values, [5, 6, 5, 7, 8, 6, 8, 7]);
    }

    #[test]
    fn histograms_and_summaries_travel_as_families() {
        let mut b = Batch::new();
        b.histogram("h", "hist", &[("a", "b")], 7.5, 3.0, &[(0.5, 1.0), (1.0, 2.0)]);
        b.summary("s", "summ", &[], 1.0, 2.0, &[(0.5, 0.25)]);
        b.sample_at("t", Kind::Gauge, "timed", &[], 1e-7, 1_000);
        let text = b.to_text();
        for expected in [
            "h_bucket{a=\"b\",le=\"0.5\"} 1\n",
            "h_bucket{a=\"b\",le=\"+Inf\"} 3\n",
            "h_sum{a=\"b\"} 7.5\n",
            "h_count{a=\"b\"} 3\n",
            "s{quantile=\"0.5\"} 0.25\n",
            "t 1e-07 1000\n",
        ] {
            assert!(text.contains(expected), "{expected} missing in\n{text}");
        }
        assert!(matches!(b.into_payloads().as_slice(), [wit::Payload::Families(f)] if f.len() == 3));
    }

    #[test]
    fn empty_families_are_not_sent() {
        let mut b = Batch::new();
        b.gauge("nothing", "no samples");
        assert!(b.is_empty() && b.to_text().is_empty() && b.into_payloads().is_empty());
    }
}
