//! Random and mutated inputs: whatever they say, the parser gives a tree or an error, and a tree prints as what parses to it again.
//! A million inputs, ten million with `WATCHGLASS_LONG=1`; the ten million take two minutes of CPU.

use watchglass_promql::{ParserOptions, parse, prettify, series, tree};

const SEEDS: &[&str] = &[
    "sum by (job, \"a b\") (rate(http_requests_total{job=~\"a.*\", le!=\"0.5\"}[5m] offset -1m @ 1.5e3)) > bool 0.5",
    "histogram_quantile(0.9, sum by (le) (rate(x_bucket{}[5m]))) / on (a) group_left (b) fill_left (0) fill_right (-1) y",
    "max_over_time((a </ 2 >/ -1)[1h:max_of(step(), 5s)] @ end()) unless ignoring (x) -b ^ -2 atan2 c",
    "topk(5, {\"my.metric\", 'q'=`\\d`, r!~\"\\u00e9\\x41\"} anchored) or count_values without () (\"v\", m[range() * 2 - (1m + 3)] smoothed)",
    "label_replace(info(up, {x=\"y\"}), \"a\", \"$1\", \"b\", \"(.*)\") # comment\n + 0x1F - 1_000 % Inf == bool NaN",
];

const SERIES_SEEDS: &[&str] = &[
    "m{a=\"b\"} 1 2+3x4 _x2 stale -1.5e3 NaN",
    "{} {{schema:1 count:2 buckets:[1 2] offset:-1}}+{{count:1}}x3",
    "m@st -1m _ 0-1mx4",
];

const WORDS: &[&str] = &[
    "sum",
    "rate",
    "m",
    "a:b",
    "by",
    "on",
    "bool",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "=",
    "=~",
    "!=",
    "\"x\"",
    "'",
    "`",
    "\\",
    "5m",
    "1",
    ".",
    "-",
    "+",
    "^",
    "and",
    "offset",
    "@",
    "start",
    "step()",
    "</",
    "anchored",
    "fill",
    "#",
    "\n",
    " ",
    "é",
    "without",
    "group_left",
    "0x",
    "1e",
    "Inf",
    "_",
    "\u{0}",
    "end()",
    "$",
];

/// Queries, half of them of random text; as many lines of series come on top.
fn inputs() -> u32 {
    if std::env::var_os("WATCHGLASS_LONG").is_some_and(|v| v == "1") { 10_000_000 } else { 1_000_000 }
}

/// Numbers that look random and are the same in every run (SplitMix64, Steele, Lea and Flood 2014).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n.max(1) as u64) as usize
    }

    /// Mostly what queries are written with, now and then anything.
    fn char(&mut self) -> char {
        match self.below(8) {
            0 => char::from_u32(self.below(0x11_0000) as u32).unwrap_or('\u{fffd}'),
            1 => char::from(self.below(128) as u8),
            _ => char::from(b"(){}[]\"'`=~!<>+-*/%^,:@#.0159aemxsbyo _\\n"[self.below(41)]),
        }
    }
}

fn feed(text: &str) {
    if let Ok(expr) = parse(text, ParserOptions::all()) {
        let line = expr.to_string();
        let again = parse(&line, ParserOptions::all()).unwrap_or_else(|e| panic!("{text:?} prints as {line:?}: {e}"));
        assert_eq!(again.to_string(), line, "{text:?}");
        std::hint::black_box((prettify(&expr, 20), tree(&expr)));
    }
}

fn feed_series(line: &str) {
    std::hint::black_box((series::parse_series(line).is_ok(), series::parse_starts(line).is_ok()));
}

#[test]
fn random_text() {
    let mut dice = Dice(1);
    let mut text = String::new();
    for _ in 0..inputs() / 4 {
        text.clear();
        (0..dice.below(60)).for_each(|_| text.push(dice.char()));
        feed(&text);
        text.clear();
        (0..dice.below(30)).for_each(|_| text.push_str(WORDS[dice.below(WORDS.len())]));
        feed(&text);
        feed_series(&text);
    }
}

#[test]
fn mutated_text() {
    let mut dice = Dice(2);
    for round in 0..inputs() as usize / 2 {
        feed(&mutated(SEEDS[round % SEEDS.len()], &mut dice));
        feed_series(&mutated(SERIES_SEEDS[round % SERIES_SEEDS.len()], &mut dice));
    }
}

/// Replaces, removes, inserts, exchanges and repeats parts of a text, once or a few times.
fn mutated(seed: &str, dice: &mut Dice) -> String {
    let mut chars: Vec<char> = seed.chars().collect();
    for _ in 0..=dice.below(5) {
        let at = dice.below(chars.len());
        let end = (at + dice.below(10)).min(chars.len());
        match dice.below(6) {
            _ if chars.is_empty() => chars.push(dice.char()),
            0 => chars[at] = dice.char(),
            1 => drop(chars.drain(at..end)),
            2 => chars.insert(at, dice.char()),
            3 => drop(chars.splice(at..at, WORDS[dice.below(WORDS.len())].chars())),
            4 => {
                let to = dice.below(chars.len());
                chars.swap(at, to);
            }
            _ => {
                let part: Vec<char> = chars[at..end].to_vec();
                let to = dice.below(chars.len());
                drop(chars.splice(to..to, part));
            }
        }
    }
    chars.into_iter().collect()
}
