//! The functions that every template has.

use std::cmp::Ordering;
use std::fmt::Write as _;

use super::value::{Param, Params};
use super::{Value, exec, printf};
use crate::gotime::Duration;

/// Their names. `and` and `or` are the engine's own, as they don't evaluate all their arguments.
pub(super) const NAMES: &[&str] = &[
    "and", "call", "eq", "ge", "gt", "html", "index", "js", "le", "len", "lt", "ne", "not", "or", "print", "printf",
    "println", "slice", "urlquery",
];

type Body = fn(&[Value]) -> Result<Value, String>;

/// The function of a name.
pub(super) fn find(name: &str) -> Option<(Params, Body)> {
    const ANY: Params = Params::variadic(&[Param::Any]);
    const ONE: Params = Params::fixed(&[Param::Any]);
    const ONE_OR_MORE: Params = Params::variadic(&[Param::Any, Param::Any]);
    const TWO: Params = Params::fixed(&[Param::Any, Param::Any]);
    Some(match name {
        "not" => (ONE, |args| Ok(Value::Bool(!args[0].truth()))),
        "len" => (ONE, |args| len(&args[0])),
        "index" => (ONE_OR_MORE, |args| index(&args[0], &args[1..])),
        "slice" => (ONE_OR_MORE, |args| slice(&args[0], &args[1..])),
        "call" => (ONE_OR_MORE, |args| match &args[0] {
            Value::Nil => Err("call of nil".to_owned()),
            other => Err(format!("non-function {} of type {}", printf::plain(other), other.type_name())),
        }),
        "print" => (ANY, |args| Ok(Value::from(printf::print(args)))),
        "println" => (ANY, |args| Ok(Value::from(printf::println(args)))),
        "printf" => (Params::variadic(&[Param::String, Param::Any]), |args| {
            Ok(Value::from(printf::printf(args[0].as_str().unwrap_or_default(), &args[1..])))
        }),
        "html" => (ANY, |args| Ok(Value::from(html(&text(args))))),
        "js" => (ANY, |args| Ok(Value::from(js(&text(args))))),
        "urlquery" => (ANY, |args| Ok(Value::from(urlquery(&text(args))))),
        "eq" => (ONE_OR_MORE, |args| eq(&args[0], &args[1..]).map(Value::Bool)),
        "ne" => (TWO, |args| Ok(Value::Bool(!eq(&args[0], &args[1..])?))),
        "lt" => (TWO, |args| Ok(Value::Bool(order(&args[0], &args[1])? == Some(Ordering::Less)))),
        "le" => (TWO, |args| Ok(Value::Bool(less_or_equal(&args[0], &args[1])?))),
        "gt" => (TWO, |args| Ok(Value::Bool(!less_or_equal(&args[0], &args[1])?))),
        "ge" => (TWO, |args| Ok(Value::Bool(order(&args[0], &args[1])? != Some(Ordering::Less)))),
        _ => return None,
    })
}

/// Arguments of the escaping functions as one text.
fn text(args: &[Value]) -> String {
    match args {
        [Value::String(text)] => text.to_string(),
        [Value::Nil] => "<no value>".to_owned(),
        args => printf::print(args),
    }
}

fn len(value: &Value) -> Result<Value, String> {
    let n = match value {
        Value::String(text) => text.len(),
        Value::List(list) => list.items.len(),
        Value::Map(map) => map.entries.len(),
        Value::Nil => return Err("len of nil pointer".to_owned()),
        other => return Err(format!("len of type {}", other.type_name())),
    };
    Ok(Value::Int(n as i64))
}

/// A position in something of this length.
fn position(at: &Value, max: usize) -> Result<usize, String> {
    match at {
        Value::Int(n) | Value::Duration(Duration(n)) => {
            usize::try_from(*n).ok().filter(|n| *n <= max).ok_or_else(|| format!("index out of range: {n}"))
        }
        Value::Nil => Err("cannot index slice/array with nil".to_owned()),
        other => Err(format!("cannot index slice/array with type {}", other.type_name())),
    }
}

fn index(value: &Value, at: &[Value]) -> Result<Value, String> {
    if matches!(value, Value::Nil) {
        return Err("index of untyped nil".to_owned());
    }
    let mut value = value.clone();
    for at in at {
        value = match &value {
            Value::Nil => return Err("index of nil pointer".to_owned()),
            Value::List(list) => {
                let n = position(at, list.items.len())?;
                list.items.get(n).cloned().ok_or_else(|| format!("index out of range: {n}"))?
            }
            Value::String(text) => {
                let n = position(at, text.len())?;
                let byte = text.as_bytes().get(n).ok_or_else(|| format!("index out of range: {n}"))?;
                Value::Int(i64::from(*byte))
            }
            Value::Map(map) => match at {
                Value::String(key) => map.entries.get(&**key).cloned().unwrap_or_else(|| exec::zero(map.class.zero)),
                Value::Nil => return Err("value is nil; should be of type string".to_owned()),
                other => return Err(format!("value has type {}; should be string", other.type_name())),
            },
            other => return Err(format!("can't index item of type {}", other.type_name())),
        };
    }
    Ok(value)
}

fn slice(value: &Value, at: &[Value]) -> Result<Value, String> {
    let len = match value {
        Value::Nil => return Err("slice of untyped nil".to_owned()),
        _ if at.len() > 3 => return Err(format!("too many slice indexes: {}", at.len())),
        Value::String(_) if at.len() == 3 => return Err("cannot 3-index slice a string".to_owned()),
        Value::String(text) => text.len(),
        Value::List(list) => list.items.len(),
        other => return Err(format!("can't slice item of type {}", other.type_name())),
    };
    let mut bounds = [0, len, len];
    for (i, at) in at.iter().enumerate() {
        bounds[i] = position(at, len)?;
    }
    let [from, to, cap] = bounds;
    for (low, high) in [(from, to), (to, cap)] {
        if low > high {
            return Err(format!("invalid slice index: {low} > {high}"));
        }
    }
    Ok(match value {
        Value::List(list) => Value::list(list.class, list.items[from..to].to_vec()),
        // Go cuts bytes. Half a character would be no text; it becomes the replacement character.
        Value::String(text) => Value::from(String::from_utf8_lossy(&text.as_bytes()[from..to]).into_owned()),
        _ => Value::Nil,
    })
}

/// Go's kinds that compare with each other.
#[derive(PartialEq)]
enum Basic<'v> {
    Bool(bool),
    Int(i64),
    Float(f64),
    String(&'v str),
}

fn basic(value: &Value) -> Option<Basic<'_>> {
    Some(match value {
        Value::Bool(b) => Basic::Bool(*b),
        Value::Int(n) | Value::Duration(Duration(n)) => Basic::Int(*n),
        Value::Float(x) => Basic::Float(*x),
        Value::String(text) => Basic::String(text),
        _ => return None,
    })
}

fn incompatible(a: &Value, b: &Value) -> String {
    format!("incompatible types for comparison: {} and {}", a.type_name(), b.type_name())
}

/// Whether the first equals any of the others.
fn eq(first: &Value, others: &[Value]) -> Result<bool, String> {
    if others.is_empty() {
        return Err("missing argument for comparison".to_owned());
    }
    for other in others {
        let equal = match (basic(first), basic(other)) {
            (Some(a), Some(b)) if std::mem::discriminant(&a) == std::mem::discriminant(&b) => a == b,
            (None, None) => same(first, other)?,
            _ if matches!(first, Value::Nil) || matches!(other, Value::Nil) => false,
            _ => return Err(incompatible(first, other)),
        };
        if equal {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Equality of what has no order.
fn same(a: &Value, b: &Value) -> Result<bool, String> {
    match (a, b) {
        (Value::Nil, Value::Nil) => Ok(true),
        (Value::Nil, Value::List(list)) | (Value::List(list), Value::Nil) => Ok(list.nil),
        (Value::Nil, Value::Map(map)) | (Value::Map(map), Value::Nil) => Ok(map.nil),
        (Value::Nil, _) | (_, Value::Nil) => Ok(false),
        (Value::Time(a), Value::Time(b)) => Ok(a == b),
        (a, b) if a.type_name() == b.type_name() => {
            Err(format!("non-comparable type {}: {}", printf::plain(a), a.type_name()))
        }
        (a, b) => {
            let (x, y) = (printf::plain(a), printf::plain(b));
            Err(format!("non-comparable types {x}: {}, {}: {y}", a.type_name(), b.type_name()))
        }
    }
}

/// `None` where a NaN is in it.
fn order(a: &Value, b: &Value) -> Result<Option<Ordering>, String> {
    const INVALID: &str = "invalid type for comparison";
    match (basic(a).ok_or(INVALID)?, basic(b).ok_or(INVALID)?) {
        (Basic::Int(a), Basic::Int(b)) => Ok(Some(a.cmp(&b))),
        (Basic::Float(a), Basic::Float(b)) => Ok(a.partial_cmp(&b)),
        (Basic::String(a), Basic::String(b)) => Ok(Some(a.cmp(b))),
        (Basic::Bool(_), Basic::Bool(_)) => Err(INVALID.to_owned()),
        _ => Err(incompatible(a, b)),
    }
}

fn less_or_equal(a: &Value, b: &Value) -> Result<bool, String> {
    Ok(matches!(order(a, b)?, Some(Ordering::Less | Ordering::Equal)))
}

fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' => out.push('\u{fffd}'),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    out
}

fn js(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let _ = match c {
            '\\' => out.write_str("\\\\"),
            '\'' => out.write_str("\\'"),
            '"' => out.write_str("\\\""),
            '<' | '>' | '&' | '=' => write!(out, "\\u{:04X}", c as u32),
            c if (c as u32) < 0x20 || c as u32 == 0x7f => write!(out, "\\u{:04X}", c as u32),
            c => out.write_char(c),
        };
    }
    out
}

/// Escapes for a URL's query: letters, digits and `-_.~` stay, a space becomes a plus.
fn urlquery(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let _ = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.write_char(char::from(byte)),
            b' ' => out.write_char('+'),
            _ => write!(out, "%{byte:02X}"),
        };
    }
    out
}
