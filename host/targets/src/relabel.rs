//! Relabelling: `relabel_configs` and `metric_relabel_configs`, as Prometheus documents them.

use md5::{Digest, Md5};
use regex::Regex;
use serde::{Deserialize, Deserializer};
use watchglass_model::{Labels, LabelsBuilder, MatcherError, go_regex_anchored};

/// What a rule does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Sets `target_label` to `replacement` if `regex` matches.
    #[default]
    Replace,
    /// Drops what `regex` does not match.
    Keep,
    /// Drops what `regex` matches.
    Drop,
    /// Drops what has another value in `target_label`.
    KeepEqual,
    /// Drops what has the same value in `target_label`.
    DropEqual,
    /// Sets `target_label` to the hash modulo `modulus`.
    HashMod,
    /// Copies labels whose names match to names made of `replacement`.
    LabelMap,
    /// Deletes labels whose names match.
    LabelDrop,
    /// Deletes labels whose names do not match.
    LabelKeep,
    /// Sets `target_label` to the lower-case value.
    Lowercase,
    /// Sets `target_label` to the upper-case value.
    Uppercase,
}

impl Action {
    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Replace => "replace",
            Action::Keep => "keep",
            Action::Drop => "drop",
            Action::KeepEqual => "keepequal",
            Action::DropEqual => "dropequal",
            Action::HashMod => "hashmod",
            Action::LabelMap => "labelmap",
            Action::LabelDrop => "labeldrop",
            Action::LabelKeep => "labelkeep",
            Action::Lowercase => "lowercase",
            Action::Uppercase => "uppercase",
        }
    }
}

/// A regular expression that must match the whole text; compared by its text.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    regex: Regex,
}

impl Pattern {
    fn new(text: &str) -> Result<Pattern, MatcherError> {
        Ok(Pattern { text: text.to_owned(), regex: go_regex_anchored(text)? })
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// One rule, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    source_labels: Vec<String>,
    separator: String,
    regex: Pattern,
    modulus: u64,
    target_label: String,
    replacement: String,
    action: Action,
}

/// A rule as written; what is not written is `None`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    source_labels: Option<Vec<String>>,
    #[serde(default)]
    separator: Option<String>,
    #[serde(default)]
    regex: Option<String>,
    #[serde(default)]
    modulus: Option<u64>,
    #[serde(default)]
    target_label: Option<String>,
    #[serde(default)]
    replacement: Option<String>,
    #[serde(default)]
    action: Option<String>,
}

const DEFAULT_REGEX: &str = "(.*)";
const DEFAULT_REPLACEMENT: &str = "$1";
const DEFAULT_SEPARATOR: &str = ";";

impl<'de> Deserialize<'de> for Config {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Config, D::Error> {
        Config::check(Written::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl Config {
    /// The errors are Prometheus' own, so that a file is refused in the words that people find when they look for them.
    fn check(w: Written) -> Result<Config, String> {
        use Action::*;
        let action = match &w.action {
            None => Replace,
            Some(text) if text.is_empty() => return Err("relabel action cannot be empty".to_owned()),
            Some(text) => {
                let all = [
                    Replace, Keep, Drop, KeepEqual, DropEqual, HashMod, LabelMap, LabelDrop, LabelKeep, Lowercase,
                    Uppercase,
                ];
                let lower = text.to_lowercase();
                all.into_iter()
                    .find(|a| a.as_str() == lower)
                    .ok_or_else(|| format!("unknown relabel action \"{text}\""))?
            }
        };
        let name = action.as_str();
        let text = w.regex.as_deref().unwrap_or(DEFAULT_REGEX);
        let regex = Pattern::new(text).map_err(|e| e.to_string())?;
        let target_label = w.target_label.clone().unwrap_or_default();
        let replacement = w.replacement.clone().unwrap_or_else(|| DEFAULT_REPLACEMENT.to_owned());
        let modulus = w.modulus.unwrap_or(0);
        if modulus == 0 && action == HashMod {
            return Err("relabel configuration for hashmod requires non-zero modulus".to_owned());
        }
        let needs_target = matches!(action, Replace | HashMod | Lowercase | Uppercase | KeepEqual | DropEqual);
        if needs_target && target_label.is_empty() {
            return Err(format!("relabel configuration for {name} action requires 'target_label' value"));
        }
        let default_replacement = replacement == DEFAULT_REPLACEMENT;
        if matches!(action, Lowercase | Uppercase | KeepEqual | DropEqual) && !default_replacement {
            return Err(format!("'replacement' can not be set for {name} action"));
        }
        if action == LabelMap && replacement.is_empty() {
            return Err(format!("\"{replacement}\" is invalid 'replacement' for {name} action"));
        }
        let (default_regex, default_separator) =
            (text == DEFAULT_REGEX, w.separator.as_deref().is_none_or(|s| s == DEFAULT_SEPARATOR));
        if matches!(action, DropEqual | KeepEqual)
            && !(default_regex && modulus == 0 && default_separator && default_replacement)
        {
            return Err(format!("{name} action requires only 'source_labels' and `target_label`, and no other fields"));
        }
        let sources = w.source_labels.clone().unwrap_or_default();
        if matches!(action, LabelDrop | LabelKeep)
            && !(sources.is_empty()
                && target_label.is_empty()
                && modulus == 0
                && default_separator
                && default_replacement)
        {
            return Err(format!("{name} action requires only 'regex', and no other fields"));
        }
        Ok(Config {
            source_labels: sources,
            separator: w.separator.unwrap_or_else(|| DEFAULT_SEPARATOR.to_owned()),
            regex,
            modulus,
            target_label,
            replacement,
            action,
        })
    }

    /// Applies the rule. `false`: drop it.
    fn apply(&self, labels: &mut LabelsBuilder) -> bool {
        let value = self.source_labels.iter().map(|n| labels.value(n)).collect::<Vec<_>>().join(&self.separator);
        let regex = &self.regex.regex;
        match self.action {
            Action::Drop => return !regex.is_match(&value),
            Action::Keep => return regex.is_match(&value),
            Action::DropEqual => return labels.value(&self.target_label) != value,
            Action::KeepEqual => return labels.value(&self.target_label) == value,
            Action::Replace => {
                let Some(groups) = regex.captures(&value) else { return true };
                let (mut target, mut result) = (String::new(), String::new());
                groups.expand(&self.target_label, &mut target);
                groups.expand(&self.replacement, &mut result);
                if !target.is_empty() {
                    labels.set(&target, &result);
                }
            }
            Action::Lowercase => drop(labels.set(&self.target_label, &value.to_lowercase())),
            Action::Uppercase => drop(labels.set(&self.target_label, &value.to_uppercase())),
            Action::HashMod => {
                // The last eight bytes of the MD5 sum, as Prometheus has it: another hash would deal targets to other shards.
                let digest = Md5::digest(value.as_bytes());
                let hash = digest.iter().skip(8).fold(0u64, |hash, byte| hash << 8 | u64::from(*byte));
                labels.set(&self.target_label, &(hash % self.modulus).to_string());
            }
            Action::LabelMap => {
                let renamed: Vec<(String, String)> = labels
                    .iter()
                    .filter(|(n, _)| regex.is_match(n))
                    .map(|(n, v)| (regex.replace_all(n, &self.replacement).into_owned(), v.to_owned()))
                    .collect();
                for (name, value) in renamed.iter().filter(|(n, _)| !n.is_empty()) {
                    labels.set(name, value);
                }
            }
            Action::LabelDrop => labels.retain(|n| !regex.is_match(n)),
            Action::LabelKeep => labels.retain(|n| regex.is_match(n)),
        }
        true
    }
}

/// Applies rules in order. `None`: one of them dropped it.
pub fn apply(rules: &[Config], labels: &Labels) -> Option<Labels> {
    if rules.is_empty() {
        return Some(labels.clone());
    }
    let mut builder = LabelsBuilder::new(labels);
    rules.iter().all(|rule| rule.apply(&mut builder)).then(|| builder.build())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(json: &str) -> Result<Config, String> {
        serde_json::from_str(json).map_err(|e| e.to_string())
    }

    #[test]
    fn replaces_hashes_maps_and_drops() {
        let labels = Labels::from_pairs([("a", "foo"), ("b", "bar"), ("__meta_x", "y")]);
        for (json, expected) in [
            (
                r#"{"source_labels":["a","b"],"regex":"f(.*);(.*)r","target_label":"d","replacement":"ch${1}-ch${2}"}"#,
                r#"{__meta_x="y", a="foo", b="bar", d="choo-chba"}"#,
            ),
            (r#"{"regex":"__meta_(.+)","action":"labelmap"}"#, r#"{__meta_x="y", a="foo", b="bar", x="y"}"#),
            (r#"{"regex":"a|__.*","action":"labeldrop"}"#, r#"{b="bar"}"#),
            (r#"{"source_labels":["a"],"target_label":"a","replacement":""}"#, r#"{__meta_x="y", b="bar"}"#),
            (
                r#"{"source_labels":["a"],"target_label":"u","action":"uppercase"}"#,
                r#"{__meta_x="y", a="foo", b="bar", u="FOO"}"#,
            ),
        ] {
            assert_eq!(apply(&[rule(json).unwrap()], &labels).unwrap().to_string(), expected, "{json}");
        }
        assert_eq!(
            apply(&[rule(r#"{"source_labels":["a"],"regex":"fo","action":"keep"}"#).unwrap()], &labels),
            None,
            "anchored"
        );
    }

    #[test]
    fn wrong_rules_are_refused_in_prometheus_words() {
        for (json, words) in [
            (r#"{"action":"hashmod","target_label":"x"}"#, "non-zero modulus"),
            (r#"{"action":"replace"}"#, "requires 'target_label' value"),
            (r#"{"action":"labeldrop","regex":"a","source_labels":["x"]}"#, "requires only 'regex'"),
            (r#"{"action":"jump"}"#, "unknown relabel action"),
            (r#"{"regex":"("}"#, "invalid regular expression"),
            (r#"{"sorce_labels":[]}"#, "unknown field"),
        ] {
            let error = rule(json).unwrap_err();
            assert!(error.contains(words), "{json}: {error}");
        }
    }
}
