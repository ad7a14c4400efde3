//! How a regular expression is tested: by comparing, by searching for literals, or, where nothing simpler does, by the engine.

use std::collections::HashSet;

use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// The most values or wildcard patterns that an expression is unfolded into; Prometheus' limit for sets of values is the same.
const MAX_UNFOLDED: usize = 256;

/// An alternation of this many literals is still unfolded where it is a plain list, which costs no more than its text.
const MAX_LIST: usize = 100_000;

/// From how many values on a hash beats comparing one by one.
const HASH_FROM: usize = 16;

/// A way to test whether a whole value matches.
#[derive(Debug)]
pub(super) enum Plan {
    /// Exactly these values.
    Values { sorted: Vec<String>, hashed: Option<HashSet<String>> },
    /// Literals with gaps between.
    Wildcards(Vec<Wildcard>),
    /// The engine, asked only where the value begins with the literal that every match begins with.
    Engine { prefix: String, regex: regex::Regex },
}

impl Plan {
    /// Chooses the plan for an expression; `None` where only the engine can do it.
    pub(super) fn without_engine(hir: &Hir) -> Option<Plan> {
        let limit = if is_plain_list(hir) { MAX_LIST } else { MAX_UNFOLDED };
        let mut wildcards = unfold(hir, limit)?;
        // `^` and `$` at the ends say nothing new in an anchored expression; anywhere else only the engine knows.
        for wildcard in &mut wildcards {
            wildcard.drop_anchors()?;
        }
        if wildcards.iter().all(|w| w.0.iter().all(|part| matches!(part, Part::Text(_)))) {
            let mut sorted: Vec<String> = wildcards.into_iter().map(|w| w.into_text()).collect();
            sorted.sort();
            sorted.dedup();
            let hashed = (sorted.len() >= HASH_FROM).then(|| sorted.iter().cloned().collect());
            return Some(Plan::Values { sorted, hashed });
        }
        Some(Plan::Wildcards(wildcards))
    }

    pub(super) fn matches(&self, value: &str) -> bool {
        match self {
            Plan::Values { hashed: Some(set), .. } => set.contains(value),
            Plan::Values { sorted, hashed: None } => sorted.iter().any(|v| v == value),
            Plan::Wildcards(wildcards) => wildcards.iter().any(|w| w.matches(value)),
            Plan::Engine { prefix, regex } => value.starts_with(prefix.as_str()) && regex.is_match(value),
        }
    }
}

/// The literal that every match begins with, as far as the expression's outermost parts show it.
pub(super) fn literal_prefix(hir: &Hir) -> String {
    match hir.kind() {
        HirKind::Literal(literal) => String::from_utf8(literal.0.to_vec()).unwrap_or_default(),
        HirKind::Capture(capture) => literal_prefix(&capture.sub),
        HirKind::Concat(parts) => {
            let first = parts.iter().find(|part| !matches!(part.kind(), HirKind::Look(Look::Start)));
            first.map(literal_prefix).unwrap_or_default()
        }
        _ => String::new(),
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    /// At least so many characters of any kind.
    Gap(usize),
    Start,
    End,
}

/// Literals with gaps between them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Wildcard(Vec<Part>);

impl Wildcard {
    fn push(&mut self, part: Part) {
        match (self.0.last_mut(), part) {
            (_, Part::Text(text)) if text.is_empty() => {}
            (Some(Part::Text(before)), Part::Text(text)) => before.push_str(&text),
            (Some(Part::Gap(before)), Part::Gap(least)) => *before += least,
            (_, part) => self.0.push(part),
        }
    }

    fn drop_anchors(&mut self) -> Option<()> {
        while self.0.first() == Some(&Part::Start) {
            self.0.remove(0);
        }
        while self.0.last() == Some(&Part::End) {
            self.0.pop();
        }
        let free = !self.0.iter().any(|part| matches!(part, Part::Start | Part::End));
        free.then_some(())
    }

    fn into_text(self) -> String {
        self.0.into_iter().map(|part| if let Part::Text(text) = part { text } else { String::new() }).collect()
    }

    /// A gap before a literal is best closed by the literal's first occurrence; only the last literal must reach the end.
    fn matches(&self, value: &str) -> bool {
        let (mut rest, mut gap) = (value, None);
        for (i, part) in self.0.iter().enumerate() {
            match (part, gap.take()) {
                (Part::Gap(least), _) => {
                    let Some(after) = skip_chars(rest, *least) else { return false };
                    rest = after;
                    gap = Some(());
                }
                (Part::Text(text), None) => match rest.strip_prefix(text.as_str()) {
                    Some(after) => rest = after,
                    None => return false,
                },
                (Part::Text(text), Some(())) if i + 1 == self.0.len() => return rest.ends_with(text.as_str()),
                (Part::Text(text), Some(())) => match rest.find(text.as_str()) {
                    Some(at) => rest = &rest[at + text.len()..],
                    None => return false,
                },
                (Part::Start | Part::End, _) => return false,
            }
        }
        gap.is_some() || rest.is_empty()
    }
}

fn skip_chars(text: &str, count: usize) -> Option<&str> {
    let mut chars = text.chars();
    for _ in 0..count {
        chars.next()?;
    }
    Some(chars.as_str())
}

/// Whether it is nothing but literals side by side, so that its size bounds the number of values.
fn is_plain_list(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Literal(_) | HirKind::Empty => true,
        HirKind::Capture(capture) => is_plain_list(&capture.sub),
        HirKind::Alternation(parts) => {
            parts.iter().all(|part| matches!(part.kind(), HirKind::Literal(_) | HirKind::Empty))
        }
        _ => false,
    }
}

/// The expression as an alternation of wildcards, where it is one of at most `limit`.
fn unfold(hir: &Hir, limit: usize) -> Option<Vec<Wildcard>> {
    let one = |part: Part| {
        let mut wildcard = Wildcard::default();
        wildcard.push(part);
        Some(vec![wildcard])
    };
    match hir.kind() {
        HirKind::Empty => Some(vec![Wildcard::default()]),
        HirKind::Literal(literal) => one(Part::Text(String::from_utf8(literal.0.to_vec()).ok()?)),
        HirKind::Capture(capture) => unfold(&capture.sub, limit),
        HirKind::Look(Look::Start) => one(Part::Start),
        HirKind::Look(Look::End) => one(Part::End),
        HirKind::Look(_) => None,
        HirKind::Class(class) => {
            let chars = class_chars(class, limit)?;
            Some(chars.into_iter().map(|c| Wildcard(vec![Part::Text(c.to_string())])).collect())
        }
        HirKind::Repetition(repetition) => {
            let any = matches!(repetition.sub.kind(), HirKind::Class(class) if is_any_char(class));
            if any && repetition.max.is_none() && repetition.min <= 16 {
                return one(Part::Gap(repetition.min as usize));
            }
            if (repetition.min, repetition.max) == (0, Some(1)) {
                let mut all = unfold(&repetition.sub, limit - 1)?;
                all.push(Wildcard::default());
                return Some(all);
            }
            None
        }
        HirKind::Alternation(parts) => {
            let mut all = Vec::new();
            for part in parts {
                all.extend(unfold(part, limit.checked_sub(all.len())?)?);
            }
            (all.len() <= limit).then_some(all)
        }
        HirKind::Concat(parts) => {
            let mut all = vec![Wildcard::default()];
            for part in parts {
                let next = unfold(part, limit)?;
                if all.len() * next.len() > limit {
                    return None;
                }
                all = all.iter().flat_map(|head| next.iter().map(move |tail| joined(head, tail))).collect();
            }
            Some(all)
        }
    }
}

fn joined(head: &Wildcard, tail: &Wildcard) -> Wildcard {
    let mut whole = head.clone();
    tail.0.iter().for_each(|part| whole.push(part.clone()));
    whole
}

fn is_any_char(class: &Class) -> bool {
    match class {
        Class::Unicode(class) => matches!(class.ranges(), [all] if (all.start(), all.end()) == ('\0', char::MAX)),
        Class::Bytes(_) => false,
    }
}

fn class_chars(class: &Class, limit: usize) -> Option<Vec<char>> {
    let mut chars = Vec::new();
    match class {
        Class::Unicode(class) => {
            for range in class.ranges() {
                if range.len() + chars.len() > limit {
                    return None;
                }
                chars.extend(range.start()..=range.end());
            }
        }
        Class::Bytes(class) => {
            for range in class.ranges() {
                if range.len() + chars.len() > limit || !range.end().is_ascii() {
                    return None;
                }
                chars.extend((range.start()..=range.end()).map(char::from));
            }
        }
    }
    Some(chars)
}
