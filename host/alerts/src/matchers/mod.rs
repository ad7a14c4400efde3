//! Matcher strings of alertmanager.yml, of silences and of the API's `filter=`, in both of Alertmanager's grammars.
//!
//! The newer one (UTF-8) allows any label name, in quotes where it holds reserved characters, and knows Go's escapes in quoted
//! texts. The classic one allows only classic names but nearly anything as a value. Where both accept a text and differ, the
//! classic reading wins, so that a config from before keeps its meaning.

mod classic;
mod utf8;

use watchglass_model::{MatchOp, Matcher};

pub use classic::{parse_matcher_classic, parse_matchers_classic};
pub use utf8::{parse_matcher_utf8, parse_matchers_utf8};

use crate::gotext::go_quote;

/// Why a matcher string can't be read; the words are Alertmanager's, so that they can be looked up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MatcherParseError(pub(crate) String);

/// Reads several matchers: `{a="b", c=~"d.*"}`, with or without braces.
pub fn parse_matchers(input: &str) -> Result<Vec<Matcher>, MatcherParseError> {
    match (parse_matchers_utf8(input), parse_matchers_classic(input)) {
        (Ok(new), Ok(classic)) => Ok(if new == classic { new } else { classic }),
        (Ok(new), Err(_)) => Ok(new),
        (Err(_), classic) => classic,
    }
}

/// Reads one matcher, as each `filter=` of the API has.
pub fn parse_matcher(input: &str) -> Result<Matcher, MatcherParseError> {
    if input.starts_with('{') || input.ends_with('}') {
        return Err(MatcherParseError(format!("unexpected open or close brace: {input}")));
    }
    match (parse_matcher_utf8(input), parse_matcher_classic(input)) {
        (Ok(new), Ok(classic)) => Ok(if new == classic { new } else { classic }),
        (Ok(new), Err(_)) => Ok(new),
        (Err(_), classic) => classic,
    }
}

/// Whether a character ends an unquoted text of the UTF-8 grammar, and a name that holds it needs quotes.
pub(crate) fn is_reserved(c: char) -> bool {
    c.is_whitespace() || "{}!=~,\\\"'`".contains(c)
}

/// Writes a matcher as Alertmanager does in group keys and in the API.
pub fn matcher_text(matcher: &Matcher) -> String {
    let (name, op, value) = (matcher.name(), matcher.op().as_str(), matcher.value());
    if name.contains(is_reserved) {
        return format!("{}{op}{}", go_quote(name), go_quote(value));
    }
    let escaped = value.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"");
    format!("{name}{op}\"{escaped}\"")
}

/// Writes matchers in braces, as they stand.
pub fn matchers_text(matchers: &[Matcher]) -> String {
    format!("{{{}}}", matchers.iter().map(matcher_text).collect::<Vec<_>>().join(","))
}

/// Sorts matchers as Alertmanager does: by name, value, operator.
pub fn sort_matchers(matchers: &mut [Matcher]) {
    let rank = |op| match op {
        MatchOp::Equal => 0,
        MatchOp::NotEqual => 1,
        MatchOp::Regex => 2,
        MatchOp::NotRegex => 3,
    };
    matchers.sort_by(|a, b| (a.name(), a.value(), rank(a.op())).cmp(&(b.name(), b.value(), rank(b.op()))));
}

/// An operator from its text.
pub(crate) fn operator(text: &str) -> Option<MatchOp> {
    Some(match text {
        "=" => MatchOp::Equal,
        "!=" => MatchOp::NotEqual,
        "=~" => MatchOp::Regex,
        "!~" => MatchOp::NotRegex,
        _ => return None,
    })
}

fn matcher(name: &str, op: MatchOp, value: &str) -> Result<Matcher, MatcherParseError> {
    Matcher::new(name, op, value).map_err(|e| MatcherParseError(format!("error parsing regexp: {}", e.reason)))
}
