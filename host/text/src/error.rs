//! Errors that point at a place in a file.

use std::fmt;

/// What is wrong with a file, and where. Displayed as `file:line:column: message`, the line with a caret below it, and a hint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextError {
    /// The file's name as the user knows it.
    pub file: String,
    /// Line, from 1; 0 where the place is not known.
    pub line: usize,
    /// Column in characters, from 1; 0 where the place is not known.
    pub column: usize,
    /// What is wrong, in one line.
    pub message: String,
    /// The line in question, empty where the place is not known.
    pub snippet: String,
    /// What might be meant.
    pub hint: Option<String>,
}

/// How many characters of a long line are shown around the place.
const SNIPPET_WIDTH: usize = 100;

impl TextError {
    /// An error at a place (line and column from 1) of a file's text: how semantic errors (an unknown receiver, a bad expression)
    /// get the form of syntax errors. Line 0 means: no place known.
    pub fn at(file: &str, text: &str, line: usize, column: usize, message: impl Into<String>) -> TextError {
        let snippet = line.checked_sub(1).and_then(|l| text.lines().nth(l)).unwrap_or("").trim_end().to_owned();
        TextError { file: file.to_owned(), line, column, message: message.into(), snippet, hint: None }
    }

    /// An error about a file as a whole.
    pub fn whole(file: &str, message: impl Into<String>) -> TextError {
        TextError { file: file.to_owned(), message: message.into(), ..TextError::default() }
    }

    /// The same with a hint.
    pub fn with_hint(mut self, hint: impl Into<String>) -> TextError {
        self.hint = Some(hint.into());
        self
    }

    /// The same with the hint `did you mean X?` where one of the allowed words is near enough to what was found.
    pub fn with_nearest<'a>(mut self, found: &str, allowed: impl IntoIterator<Item = &'a str>) -> TextError {
        if let Some(word) = nearest(found, allowed) {
            self.hint = Some(format!("did you mean `{word}`?"));
        }
        self
    }

    /// The line cut to a width that a terminal shows, and the caret's column in it.
    fn cut(&self) -> (String, usize) {
        let chars: Vec<char> = self.snippet.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let caret = self.column.saturating_sub(1).min(chars.len());
        if chars.len() <= SNIPPET_WIDTH {
            return (chars.into_iter().collect(), caret);
        }
        let from = caret.saturating_sub(SNIPPET_WIDTH / 2).min(chars.len() - SNIPPET_WIDTH);
        (chars[from..from + SNIPPET_WIDTH].iter().collect(), caret - from)
    }
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column.max(1))?;
        }
        if !self.file.is_empty() || self.line > 0 {
            f.write_str(": ")?;
        }
        f.write_str(&self.message)?;
        if !self.snippet.is_empty() {
            let (line, caret) = self.cut();
            let number = self.line.to_string();
            write!(f, "\n{number} | {line}\n{:w$} | {:caret$}^", "", "", w = number.len())?;
        }
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for TextError {}

/// The allowed word nearest to what was found, if it is near: at most a third of its letters (but at least one, at most three) changed,
/// added, left out or swapped with their neighbour. Upper and lower case, `-` and `_` count as the same.
pub fn nearest<'a>(found: &str, allowed: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |s: &str| s.to_lowercase().replace('-', "_").chars().collect::<Vec<char>>();
    let found = plain(found);
    if found.is_empty() || found.len() > 200 {
        return None;
    }
    let limit = (found.len() / 3).clamp(1, 3);
    allowed
        .into_iter()
        .map(|word| (distance(&found, &plain(word)), word))
        .filter(|(d, _)| *d <= limit)
        .min_by_key(|(d, _)| *d)
        .map(|(_, word)| word)
}

/// Edit distance with swaps of neighbours (optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let change = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = change.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_finds_slips_and_leaves_strangers() {
        let allowed = ["scrape_interval", "scrape_timeout", "targets"];
        assert_eq!(nearest("scrape-intervall", allowed), Some("scrape_interval"));
        assert_eq!(nearest("tragets", allowed), Some("targets"));
        assert_eq!(nearest("banana", allowed), None);
        assert_eq!(nearest("", allowed), None);
    }

    #[test]
    fn an_error_shows_its_place() {
        let e = TextError::at("a.yml", "a: 1\nbb: 2\n", 2, 5, "wrong").with_nearest("targts", ["targets"]);
        assert_eq!(e.to_string(), "a.yml:2:5: wrong\n2 | bb: 2\n  |     ^\nhint: did you mean `targets`?");
        assert_eq!(TextError::whole("a.yml", "empty").to_string(), "a.yml: empty");
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let text = "x".repeat(5000);
        let shown = TextError::at("a", &text, 1, 2500, "m").to_string();
        assert!(shown.lines().all(|l| l.len() < 120), "{shown}");
        assert!(shown.ends_with('^'));
    }
}
