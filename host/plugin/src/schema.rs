//! The subset of JSON Schema that plugins' configurations are checked with.
//!
//! Known: `type`, `properties`, `required`, `additionalProperties`, `items`, `minItems`, `maxItems`, `enum`, `const`, `minimum`, `maximum`,
//! `exclusiveMinimum`, `exclusiveMaximum`, `minLength`, `maxLength`, `anyOf`, `oneOf`, `allOf`, `$ref` to `#/$defs/NAME` or `#/definitions/NAME`. Other keywords say nothing, as
//! the standard has it. Unlike the standard, an object with `properties` and without `additionalProperties` takes no other keys: a
//! misspelt option is the commonest mistake there is.

use std::cell::Cell;

use serde_json::{Map, Value};

use crate::collector::Problem;

/// Schemas within schemas, and references.
const MAX_DEPTH: usize = 32;

/// Problems that are told of.
const MAX_PROBLEMS: usize = 50;

/// Schemas that are looked at in one check. Alternatives that refer to themselves would double at each level.
const MAX_STEPS: u32 = 100_000;

/// Checks that a text is a schema: a JSON object, or empty for none.
pub(crate) fn parse(text: &str) -> Result<Option<Value>, String> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    match serde_json::from_str::<Value>(text) {
        Ok(schema @ (Value::Object(_) | Value::Bool(true))) => Ok(Some(schema)),
        Ok(_) => Err("it is no JSON object".into()),
        Err(e) => Err(e.to_string()),
    }
}

/// What is wrong with a value; empty: nothing.
pub(crate) fn check(schema: &Value, value: &Value) -> Vec<Problem> {
    let steps = Cell::new(0);
    let mut checker = Checker { root: schema, steps: &steps, problems: Vec::new() };
    checker.check(schema, value, &mut String::new(), 0);
    checker.problems.truncate(MAX_PROBLEMS);
    checker.problems
}

struct Checker<'a> {
    root: &'a Value,
    steps: &'a Cell<u32>,
    problems: Vec<Problem>,
}

impl<'a> Checker<'a> {
    fn tell(&mut self, path: &str, message: impl Into<String>) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem { path: path.to_owned(), message: message.into() });
        }
    }

    /// Whether a value fits, without telling of it.
    fn fits(&self, schema: &'a Value, value: &Value, depth: usize) -> bool {
        let mut trial = Checker { root: self.root, steps: self.steps, problems: Vec::new() };
        trial.check(schema, value, &mut String::new(), depth);
        trial.problems.is_empty()
    }

    fn check(&mut self, schema: &'a Value, value: &Value, path: &mut String, depth: usize) {
        self.steps.set(self.steps.get() + 1);
        if self.steps.get() > MAX_STEPS {
            return self.tell(path, "the plugin's schema takes too long to check");
        }
        if depth > MAX_DEPTH {
            return self.tell(path, "the plugin's schema goes deeper than 32 levels");
        }
        let schema = match schema {
            Value::Bool(false) => return self.tell(path, "is not allowed"),
            Value::Object(schema) => schema,
            _ => return,
        };
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            return match self.resolve(reference) {
                Some(target) => self.check(target, value, path, depth + 1),
                None => self.tell(path, format!("the plugin's schema refers to {reference:?}, which is not there")),
            };
        }
        if let Some(wanted) = schema.get("type")
            && !type_fits(wanted, value)
        {
            return self.tell(path, format!("is {}, allowed is {}", describe(value), types_text(wanted)));
        }
        if let Some(allowed) = schema.get("enum").and_then(Value::as_array)
            && !allowed.contains(value)
        {
            let list: Vec<String> = allowed.iter().take(50).map(Value::to_string).collect();
            let hint = value.as_str().and_then(|v| nearest(v, allowed.iter().filter_map(Value::as_str)));
            return self.tell(path, format!("{value} is not one of {}{}", list.join(", "), hint_text(hint)));
        }
        if let Some(only) = schema.get("const")
            && only != value
        {
            return self.tell(path, format!("is {value}, allowed is {only}"));
        }
        self.check_combinations(schema, value, path, depth);
        match value {
            Value::Object(object) => self.check_object(schema, object, path, depth),
            Value::Array(items) => self.check_array(schema, items, path, depth),
            Value::Number(number) => self.check_number(schema, number.as_f64().unwrap_or(0.0), path),
            Value::String(text) => self.check_string(schema, text, path),
            _ => {}
        }
    }

    fn resolve(&self, reference: &str) -> Option<&'a Value> {
        if reference == "#" {
            return Some(self.root);
        }
        self.root.pointer(reference.strip_prefix('#')?)
    }

    fn check_combinations(&mut self, schema: &'a Map<String, Value>, value: &Value, path: &mut String, depth: usize) {
        for all in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            self.check(all, value, path, depth + 1);
        }
        for key in ["anyOf", "oneOf"] {
            let Some(options) = schema.get(key).and_then(Value::as_array) else { continue };
            let fitting = options.iter().filter(|o| self.fits(o, value, depth + 1)).count();
            if fitting == 0 || (key == "oneOf" && fitting > 1) {
                let types: Vec<String> = options.iter().filter_map(|o| o.get("type")).map(types_text).collect();
                let allowed =
                    if types.is_empty() { String::new() } else { format!(", allowed is {}", types.join(" or ")) };
                self.tell(
                    path,
                    format!(
                        "is {}, which fits {} of the allowed forms{allowed}",
                        describe(value),
                        if fitting == 0 { "none" } else { "several" }
                    ),
                );
            }
        }
    }

    fn check_object(
        &mut self,
        schema: &'a Map<String, Value>,
        object: &Map<String, Value>,
        path: &mut String,
        depth: usize,
    ) {
        let properties = schema.get("properties").and_then(Value::as_object);
        for (key, value) in object {
            let length = path.len();
            push_key(path, key);
            match (properties.and_then(|p| p.get(key)), schema.get("additionalProperties")) {
                (Some(property), _) => self.check(property, value, path, depth + 1),
                (None, Some(Value::Bool(true))) => {}
                (None, Some(other @ Value::Object(_))) => self.check(other, value, path, depth + 1),
                (None, None) if properties.is_none() => {}
                (None, _) => {
                    let known = properties.into_iter().flat_map(|p| p.keys()).map(String::as_str);
                    let hint = nearest(key, known.clone());
                    let list: Vec<&str> = known.take(50).collect();
                    let allowed = if list.is_empty() {
                        "none is allowed".into()
                    } else {
                        format!("allowed are {}", list.join(", "))
                    };
                    self.tell(path, format!("unknown key; {allowed}{}", hint_text(hint)));
                }
            }
            path.truncate(length);
        }
        for key in schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            if !object.contains_key(key) {
                self.tell(path, format!("key {key:?} is missing"));
            }
        }
    }

    fn check_array(&mut self, schema: &'a Map<String, Value>, items: &[Value], path: &mut String, depth: usize) {
        let bound = |key: &str| schema.get(key).and_then(Value::as_u64);
        if bound("minItems").is_some_and(|min| (items.len() as u64) < min) {
            self.tell(
                path,
                format!("has {} entries, needed are {} or more", items.len(), bound("minItems").unwrap_or(0)),
            );
        }
        if bound("maxItems").is_some_and(|max| (items.len() as u64) > max) {
            self.tell(
                path,
                format!("has {} entries, allowed are {} at most", items.len(), bound("maxItems").unwrap_or(0)),
            );
        }
        let Some(schema) = schema.get("items") else { return };
        for (i, item) in items.iter().enumerate() {
            let length = path.len();
            path.push_str(&format!("[{i}]"));
            self.check(schema, item, path, depth + 1);
            path.truncate(length);
        }
    }

    fn check_number(&mut self, schema: &Map<String, Value>, number: f64, path: &str) {
        type Test = fn(f64, f64) -> bool;
        let bounds: [(&str, &str, Test); 4] = [
            ("minimum", "less than", |n, b| n < b),
            ("maximum", "more than", |n, b| n > b),
            ("exclusiveMinimum", "not more than", |n, b| n <= b),
            ("exclusiveMaximum", "not less than", |n, b| n >= b),
        ];
        for (key, words, broken) in bounds {
            if let Some(bound) = schema.get(key).and_then(Value::as_f64)
                && broken(number, bound)
            {
                self.tell(path, format!("{number} is {words} {bound}"));
            }
        }
    }

    fn check_string(&mut self, schema: &Map<String, Value>, text: &str, path: &str) {
        let length = text.chars().count() as u64;
        if let Some(min) = schema.get("minLength").and_then(Value::as_u64)
            && length < min
        {
            let words = if length == 0 {
                "is empty".into()
            } else {
                format!("has {length} characters, needed are {min} or more")
            };
            self.tell(path, words);
        }
        if let Some(max) = schema.get("maxLength").and_then(Value::as_u64)
            && length > max
        {
            self.tell(path, format!("has {length} characters, allowed are {max} at most"));
        }
    }
}

fn push_key(path: &mut String, key: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    if key.contains('.') {
        path.push_str(&format!("{key:?}"));
    } else {
        path.push_str(key);
    }
}

fn type_fits(wanted: &Value, value: &Value) -> bool {
    let one = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|v| v.fract() == 0.0),
        _ => true,
    };
    match wanted {
        Value::String(name) => one(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(one),
        _ => true,
    }
}

fn types_text(wanted: &Value) -> String {
    match wanted {
        Value::String(name) => article(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).map(article).collect::<Vec<_>>().join(" or "),
        other => other.to_string(),
    }
}

fn article(name: &str) -> String {
    match name {
        "object" => "a table".into(),
        "array" => "a list".into(),
        "integer" => "a whole number".into(),
        "boolean" => "true or false".into(),
        "null" => "nothing".into(),
        other => format!("a {other}"),
    }
}

fn describe(value: &Value) -> String {
    match value {
        Value::Object(_) => "a table".into(),
        Value::Array(_) => "a list".into(),
        Value::String(text) => format!("the string {:?}", text.chars().take(60).collect::<String>()),
        other => other.to_string(),
    }
}

fn hint_text(nearest: Option<&str>) -> String {
    nearest.map(|n| format!("\n  hint: did you mean {n:?}?")).unwrap_or_default()
}

/// The word that is most alike, if one is alike enough to have been meant.
fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = word.chars().count().div_ceil(3).max(1);
    known.map(|k| (distance(word, k), k)).filter(|(d, _)| *d <= allowed).min().map(|(_, k)| k)
}

/// Levenshtein's distance: insertions, deletions and replacements that make one word of the other.
fn distance(a: &str, b: &str) -> usize {
    // What is long is no misspelt option, and the cost grows with the product of the lengths.
    if a.len() > 100 || b.len() > 100 {
        return usize::MAX;
    }
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(schema: &Value, value: &Value) -> Vec<String> {
        check(schema, value).into_iter().map(|p| format!("{}: {}", p.path, p.message)).collect()
    }

    #[test]
    fn what_fits_is_not_told_of() {
        let schema = json!({
            "type": "object",
            "required": ["enable"],
            "properties": {
                "enable": { "type": "array", "items": { "enum": ["cpu", "mem"] } },
                "netdev": { "type": "object", "properties": { "device-exclude": { "type": ["string", "null"] } } },
                "port": { "$ref": "#/$defs/port" },
                "extra": { "type": "object", "additionalProperties": { "type": "number" } },
                "either": { "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] },
            },
            "$defs": { "port": { "type": "integer", "minimum": 1, "maximum": 65535 } },
        });
        let good = json!({ "enable": ["cpu"], "netdev": { "device-exclude": "^lo" }, "port": 80, "extra": { "a": 1 }, "either": ["x"] });
        assert_eq!(told(&schema, &good), Vec::<String>::new());
        for (bad, expected) in [
            (json!([]), ": is a list, allowed is a table"),
            (json!({}), ": key \"enable\" is missing"),
            (json!({"enable": "cpu"}), "enable: is the string \"cpu\", allowed is a list"),
            (
                json!({"enable": ["cpi"]}),
                "enable[0]: \"cpi\" is not one of \"cpu\", \"mem\"\n  hint: did you mean \"cpu\"?",
            ),
            (
                json!({"enable": [], "netdev": {"device_exclude": "x"}}),
                "netdev.device_exclude: unknown key; allowed are device-exclude\n  hint: did you mean \"device-exclude\"?",
            ),
            (json!({"enable": [], "port": 70000}), "port: 70000 is more than 65535"),
            (json!({"enable": [], "port": 1.5}), "port: is 1.5, allowed is a whole number"),
            (json!({"enable": [], "extra": {"a.b": "x"}}), "extra.\"a.b\": is the string \"x\", allowed is a number"),
            (
                json!({"enable": [], "either": 1}),
                "either: is 1, which fits none of the allowed forms, allowed is a string or a list",
            ),
        ] {
            assert_eq!(told(&schema, &bad), [expected.to_owned()], "{bad}");
        }
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let schema = json!({ "$ref": "#" });
        assert_eq!(told(&schema, &json!(1)), [": the plugin's schema goes deeper than 32 levels"]);
        let doubling = json!({ "anyOf": [{ "$ref": "#" }, { "$ref": "#" }] });
        assert_eq!(check(&doubling, &json!(1)).len(), 1);
        assert!(parse("[").is_err() && parse("[]").is_err() && parse(" ").is_ok_and(|s| s.is_none()));
    }
}
