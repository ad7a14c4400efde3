//! Label matchers, and regular expressions with Go's meaning.

mod plan;
mod translate;

use std::fmt;
use std::sync::Arc;

use self::plan::Plan;
use crate::labels::{Quoted, is_legacy_label_name};

/// How a matcher compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Regex,
    /// `!~`
    NotRegex,
}

impl MatchOp {
    /// The operator as written.
    pub fn as_str(self) -> &'static str {
        match self {
            MatchOp::Equal => "=",
            MatchOp::NotEqual => "!=",
            MatchOp::Regex => "=~",
            MatchOp::NotRegex => "!~",
        }
    }
}

/// A regular expression that can't be used in a matcher.
#[derive(Clone, Debug, thiserror::Error)]
#[error("invalid regular expression `{pattern}`: {reason}")]
pub struct MatcherError {
    /// The expression.
    pub pattern: String,
    /// What is wrong with it.
    pub reason: String,
}

/// The largest compiled expression, in bytes, and the largest cache of its states.
const MAX_COMPILED_BYTES: usize = 8 << 20;

/// How deep an expression may nest.
const MAX_NESTING: u32 = 200;

/// Compiles a regular expression that means what it means to Go's `regexp` (RE2), save that it isn't anchored.
///
/// The dot doesn't match newlines unless the expression says so. For templates; matchers and relabelling anchor:
/// [`go_regex_anchored`].
pub fn go_regex(pattern: &str) -> Result<regex::Regex, MatcherError> {
    let translated = translated(pattern)?;
    compile(pattern, &translated)
}

/// Compiles a regular expression as Prometheus uses them: Go's syntax, anchored at both ends, the dot matches newlines.
pub fn go_regex_anchored(pattern: &str) -> Result<regex::Regex, MatcherError> {
    let translated = translated(pattern)?;
    compile(pattern, &anchored(&translated))
}

fn translated(pattern: &str) -> Result<String, MatcherError> {
    translate::translate(pattern).map_err(|reason| MatcherError { pattern: shortened(pattern), reason })
}

fn anchored(translated: &str) -> String {
    format!("^(?s:{translated})$")
}

fn compile(pattern: &str, translated: &str) -> Result<regex::Regex, MatcherError> {
    regex::RegexBuilder::new(translated)
        .size_limit(MAX_COMPILED_BYTES)
        .dfa_size_limit(MAX_COMPILED_BYTES)
        .nest_limit(MAX_NESTING)
        .build()
        .map_err(|e| MatcherError { pattern: shortened(pattern), reason: last_line(&e.to_string()) })
}

/// Of an error drawn over several lines what it says.
fn last_line(error: &str) -> String {
    let line = error.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or(error);
    line.trim().trim_start_matches("error: ").to_owned()
}

fn shortened(pattern: &str) -> String {
    match pattern.char_indices().nth(200) {
        Some((end, _)) => format!("{}...", &pattern[..end]),
        None => pattern.to_owned(),
    }
}

/// A test on one label. A label that a series lacks has the empty value.
#[derive(Clone, Debug)]
pub struct Matcher {
    name: String,
    op: MatchOp,
    value: String,
    plan: Option<Arc<Plan>>,
}

impl Matcher {
    /// A matcher. Regular expressions have Go's meaning, are anchored at both ends and their dot matches newlines, as in
    /// Prometheus.
    pub fn new(name: &str, op: MatchOp, value: &str) -> Result<Matcher, MatcherError> {
        let plan = match op {
            MatchOp::Equal | MatchOp::NotEqual => None,
            MatchOp::Regex | MatchOp::NotRegex => Some(Arc::new(plan_for(value)?)),
        };
        Ok(Matcher { name: name.to_owned(), op, value: value.to_owned(), plan })
    }

    /// An equality matcher, which can't fail.
    pub fn equal(name: &str, value: &str) -> Matcher {
        Matcher { name: name.to_owned(), op: MatchOp::Equal, value: value.to_owned(), plan: None }
    }

    /// The label it tests.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it compares.
    pub fn op(&self) -> MatchOp {
        self.op
    }

    /// What it compares with: a text or a regular expression, as written.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Whether a label value passes.
    pub fn matches(&self, value: &str) -> bool {
        let regex = || self.plan.as_ref().is_some_and(|plan| plan.matches(value));
        match self.op {
            MatchOp::Equal => value == self.value,
            MatchOp::NotEqual => value != self.value,
            MatchOp::Regex => regex(),
            MatchOp::NotRegex => !regex(),
        }
    }

    /// Whether a series without the label passes.
    pub fn matches_empty(&self) -> bool {
        self.matches("")
    }

    /// The values that a regular expression accepts, sorted, where it accepts only finitely many (`a|b|c`, `job-[12]`): so that an
    /// index can look them up instead of testing every value it has. Of `!~` the values that it refuses. `None` for `=`, `!=`
    /// and for expressions with gaps.
    pub fn set_matches(&self) -> Option<&[String]> {
        match self.plan.as_deref() {
            Some(Plan::Values { sorted, .. }) => Some(sorted),
            _ => None,
        }
    }

    /// The literal that every value the expression accepts begins with; empty where there is none, or it is no expression.
    pub fn literal_prefix(&self) -> &str {
        match self.plan.as_deref() {
            Some(Plan::Engine { prefix, .. }) => prefix,
            _ => "",
        }
    }
}

fn plan_for(pattern: &str) -> Result<Plan, MatcherError> {
    let translated = translated(pattern)?;
    let hir = regex_syntax::ParserBuilder::new()
        .dot_matches_new_line(true)
        .nest_limit(MAX_NESTING)
        .build()
        .parse(&translated)
        .map_err(|e| MatcherError { pattern: shortened(pattern), reason: last_line(&e.to_string()) })?;
    if let Some(plan) = Plan::without_engine(&hir) {
        return Ok(plan);
    }
    Ok(Plan::Engine { prefix: plan::literal_prefix(&hir), regex: compile(pattern, &anchored(&translated))? })
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.op, &self.value) == (&other.name, other.op, &other.value)
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_legacy_label_name(&self.name) {
            f.write_str(&self.name)?
        } else {
            write!(f, "{}", Quoted(&self.name))?
        }
        write!(f, "{}{}", self.op.as_str(), Quoted(&self.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regex(pattern: &str) -> Matcher {
        Matcher::new("x", MatchOp::Regex, pattern).unwrap()
    }

    #[test]
    fn sets_are_found() {
        let sets = [
            ("a|b|c", Some(vec!["a", "b", "c"])),
            ("job-[12]", Some(vec!["job-1", "job-2"])),
            ("(foo|ba(r|z))", Some(vec!["bar", "baz", "foo"])),
            ("^(a|b)$", Some(vec!["a", "b"])),
            ("fo?", Some(vec!["f", "fo"])),
            ("", Some(vec![""])),
            ("a.*", None),
            ("a^b", None),
            ("[^a]", None),
        ];
        for (pattern, set) in sets {
            let matcher = regex(pattern);
            let found = matcher.set_matches().map(|s| s.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(found, set, "{pattern}");
        }
        let many: Vec<String> = (0..5000).map(|i| format!("host-{i:04}")).collect();
        let matcher = regex(&many.join("|"));
        assert!(matcher.matches("host-4999") && !matcher.matches("host-5000"));
    }

    #[test]
    fn plans_agree_with_the_engine() {
        let patterns = [
            "foo.*", ".*foo", ".*foo.*", ".+foo", "foo.+", "a.*b.*c", "a.+b", ".*", ".+", "(a|b).*", "a.*|.*b",
            "(?i)ab.*", "x?y.*", "^a.*$", "ab(c|d)?", ".*a.*a", "aa.*aa",
        ];
        let values = [
            "", "a", "b", "ab", "AB", "foo", "xfoo", "foox", "xfoox", "abc", "axbxc", "a\nb", "acb", "y", "xyz", "aa",
            "aaa", "aaaa", "éfoo", "fooé", "abd", "foofoo", "ba",
        ];
        for pattern in patterns {
            let engine = go_regex_anchored(pattern).unwrap();
            let matcher = regex(pattern);
            assert!(!matches!(matcher.plan.as_deref(), Some(Plan::Engine { .. })), "{pattern} needs no engine");
            for value in values {
                assert_eq!(matcher.matches(value), engine.is_match(value), "{pattern} on {value:?}");
            }
        }
    }

    #[test]
    fn ascii_classes_and_folding() {
        assert!(!regex(r"\d").matches("٣") && regex(r"\d").matches("3"));
        assert!(!regex(r"\w+").matches("é") && regex(r"\W").matches("é"));
        assert!(regex("(?i)k").matches("\u{212a}") && regex("(?i)s+").matches("\u{17f}"));
        assert!(regex(".").matches("\n") && !regex("(?-s:.)").matches("\n"));
        assert!(!Matcher::new("x", MatchOp::NotRegex, "a.*").unwrap().matches("ab"));
    }

    #[test]
    fn errors_name_the_expression() {
        for pattern in ["(", "a{1001}", "[b-a]", "(?x)", "\\y", "x{1000}{1000}", "((a{1000}){1000}){1000}"] {
            let error = Matcher::new("x", MatchOp::Regex, pattern).unwrap_err().to_string();
            assert!(error.starts_with(&format!("invalid regular expression `{pattern}`: ")), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_plan_agrees_with_the_engine(pattern in r"[ab.*+?|()\[\]^$\\d-]{0,12}", value in "[abd]{0,6}") {
            if let (Ok(matcher), Ok(engine)) = (Matcher::new("x", MatchOp::Regex, &pattern), go_regex_anchored(&pattern)) {
                proptest::prop_assert_eq!(matcher.matches(&value), engine.is_match(&value), "{} on {:?}", pattern, value);
            }
        }
    }
}
