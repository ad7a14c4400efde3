//! Folders named by patterns: `*` and `?` stand for what is in one part of a path, `[a-z]` for one character.

use watchglass_sdk::files::Files;

/// Folders that one pattern may name: more than any machine has, and a bound on what is listed.
const MAX: usize = 1_000;

/// Gives the folders that a pattern names, sorted; one that names none stands for itself, so that its absence is told.
pub(super) fn expand(files: &dyn Files, pattern: &str) -> Vec<String> {
    let pattern = if pattern.len() > 1 { pattern.trim_end_matches('/') } else { pattern };
    if !pattern.contains(['*', '?', '[']) {
        return vec![pattern.to_owned()];
    }
    let mut found = vec![String::new()];
    for part in pattern.split('/') {
        let mut next = Vec::new();
        for base in &found {
            let path = |name: &str| if base.is_empty() && !pattern.starts_with('/') { name.to_owned() } else { format!("{base}/{name}") };
            if part.is_empty() {
                next.push(base.clone());
            } else if part.contains(['*', '?', '[']) {
                let dir = if base.is_empty() { "/" } else { base };
                let names = files.names(dir).unwrap_or_default();
                next.extend(names.iter().filter(|n| matches(part, n)).map(|n| path(n)));
            } else {
                next.push(path(part));
            }
        }
        next.truncate(MAX);
        found = next;
    }
    if found.is_empty() { vec![pattern.to_owned()] } else { found }
}

/// Tells whether a name is what a pattern stands for. Takes at most the product of their lengths of steps.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // Where to go on when what follows the last star does not fit: the star, and how much it has taken.
    let mut retry: Option<(usize, usize)> = None;
    while n < name.len() {
        let step = match pattern.get(p) {
            Some('*') => {
                retry = Some((p, n));
                p += 1;
                continue;
            }
            Some('?') => Some(p + 1),
            Some('[') => class(&pattern, p, name[n]),
            Some(c) if *c == name[n] => Some(p + 1),
            _ => None,
        };
        match (step, retry) {
            (Some(next), _) => (p, n) = (next, n + 1),
            (None, Some((star, taken))) => {
                retry = Some((star, taken + 1));
                (p, n) = (star + 1, taken + 1);
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// Gives where the class that begins at `at` ends, if `c` is in it.
fn class(pattern: &[char], at: usize, c: char) -> Option<usize> {
    let end = at + 2 + pattern.get(at + 2..)?.iter().position(|c| *c == ']')?;
    let inner = &pattern[at + 1..end];
    let (inverted, inner) = match inner {
        ['^', rest @ ..] => (true, rest),
        inner => (false, inner),
    };
    let mut found = false;
    let mut rest = inner;
    while let [first, after @ ..] = rest {
        match after {
            ['-', last, after @ ..] => {
                found |= (*first..=*last).contains(&c);
                rest = after;
            }
            after => {
                found |= *first == c;
                rest = after;
            }
        }
    }
    (found != inverted).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, name, fits) in [
            ("*", "", true),
            ("*_extra", "a_extra", true),
            ("*_extra", "a_extra2", false),
            ("a*b*c", "aXbbYbc", true),
            ("a*b*c", "aXbbYbcd", false),
            ("?b", "ab", true),
            ("?b", "b", false),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("[ac]x", "bx", false),
            ("[", "[", false),
            ("[]", "]", false),
            ("", "", true),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
        let hostile = "*a".repeat(60);
        assert!(!matches(&hostile, &"a".repeat(59)));
    }
}
