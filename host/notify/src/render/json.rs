//! JSON in the bytes of Go's `encoding/json`: `<`, `>`, `&` escaped, keys of maps sorted, its formats of numbers and times.

use std::fmt::Write as _;

use watchglass_text::gofmt;
use watchglass_text::gotime::Duration;
use watchglass_text::template::Value;

/// The largest text made of a value: one list may lie in another many times over.
const MAX_BYTES: usize = 8 << 20;

/// A template's value as `toJson` and the webhook's body have it.
pub fn value(value: &Value) -> Result<String, String> {
    let mut out = String::new();
    write_value(&mut out, value)?;
    Ok(out)
}

fn write_value(out: &mut String, value: &Value) -> Result<(), String> {
    if out.len() > MAX_BYTES {
        return Err(format!("more than {MAX_BYTES} bytes of JSON"));
    }
    match value {
        Value::Nil => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Int(n) | Value::Duration(Duration(n)) => {
            let _ = write!(out, "{n}");
        }
        Value::Float(x) => out.push_str(
            &gofmt::json_float(*x)
                .ok_or_else(|| format!("json: unsupported value: {}", gofmt::float(*x, 'g', None)))?,
        ),
        Value::String(text) => string(out, text),
        Value::Time(time) => string(out, &time.rfc3339()),
        Value::List(list) if list.nil => out.push_str("null"),
        Value::List(list) => {
            out.push('[');
            for (i, item) in list.items.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                write_value(out, item)?;
            }
            out.push(']');
        }
        Value::Map(map) if map.nil => out.push_str("null"),
        Value::Map(map) => {
            out.push('{');
            for (i, (key, item)) in map.entries.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                string(out, key);
                out.push(':');
                write_value(out, item)?;
            }
            out.push('}');
        }
        Value::Struct(s) => {
            out.push('{');
            for (i, field) in s.fields.iter().filter(|f| !f.json.is_empty()).enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                string(out, field.json);
                out.push(':');
                write_value(out, &field.value)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

/// Writes a text in quotes.
pub fn string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        let _ = match c {
            '"' => out.write_str("\\\""),
            '\\' => out.write_str("\\\\"),
            '\n' => out.write_str("\\n"),
            '\r' => out.write_str("\\r"),
            '\t' => out.write_str("\\t"),
            '\u{8}' => out.write_str("\\b"),
            '\u{c}' => out.write_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => write!(out, "\\u{:04x}", c as u32),
            c if (c as u32) < 0x20 => write!(out, "\\u{:04x}", c as u32),
            c => out.write_char(c),
        };
    }
    out.push('"');
}

/// A parsed JSON or YAML value.
pub fn parsed(out: &mut String, value: &serde_json::Value) {
    use serde_json::Value as J;
    match value {
        J::Null => out.push_str("null"),
        J::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        J::Number(n) => match n.as_f64().filter(|_| n.is_f64()).and_then(gofmt::json_float) {
            Some(text) => out.push_str(&text),
            None => {
                let _ = write!(out, "{n}");
            }
        },
        J::String(text) => string(out, text),
        J::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                parsed(out, item);
            }
            out.push(']');
        }
        J::Object(map) => {
            // Sorted here, as the library's own order depends on how it is built.
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| key.as_str());
            out.push('{');
            for (i, (key, item)) in entries.into_iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                string(out, key);
                out.push(':');
                parsed(out, item);
            }
            out.push('}');
        }
    }
}

/// An object that is written key by key, in the order of a Go struct.
pub struct Object {
    text: String,
}

impl Object {
    /// An empty one.
    #[expect(clippy::new_without_default, reason = "an object under construction has no default")]
    pub fn new() -> Object {
        Object { text: "{".to_owned() }
    }

    /// Writes a key and a value that is JSON already.
    pub fn raw(&mut self, key: &str, json: &str) -> &mut Object {
        if self.text.len() > 1 {
            self.text.push(',');
        }
        string(&mut self.text, key);
        self.text.push(':');
        self.text.push_str(json);
        self
    }

    /// Writes a key and a text.
    pub fn text(&mut self, key: &str, text: &str) -> &mut Object {
        let mut json = String::new();
        string(&mut json, text);
        self.raw(key, &json)
    }

    /// The same unless the text is empty (Go's `omitempty`).
    pub fn text_unless_empty(&mut self, key: &str, text: &str) -> &mut Object {
        if text.is_empty() { self } else { self.text(key, text) }
    }

    /// The whole.
    pub fn end(&self) -> String {
        format!("{}}}", self.text)
    }
}

/// A list of values that are JSON already.
pub fn list(items: impl IntoIterator<Item = String>) -> String {
    let items: Vec<String> = items.into_iter().collect();
    format!("[{}]", items.join(","))
}
