//! What templates work on.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::gotime::{Duration, Time};

/// A value as a template sees it: Go's, as far as rule and notification templates meet them.
///
/// A Go program's own types (Alertmanager's `KV`, Prometheus' `queryResult`) are lists, maps and structs with a [`Class`], which
/// gives them their name in error messages and their methods.
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// No value, or nil: prints as `<no value>`, in `print` and `printf` as `<nil>`.
    #[default]
    Nil,
    /// A bool.
    Bool(bool),
    /// Any of Go's integers.
    Int(i64),
    /// A float64.
    Float(f64),
    /// A string.
    String(Arc<str>),
    /// A slice.
    List(Arc<List>),
    /// A map with string keys; ranges go by key.
    Map(Arc<Map>),
    /// A struct.
    Struct(Arc<Struct>),
    /// A `time.Time`.
    Time(Time),
    /// A `time.Duration`.
    Duration(Duration),
}

/// A Go type of list, map or struct: its name and its methods.
#[derive(Debug)]
pub struct Class {
    /// As Go's error messages and `%T` write it, such as `template.KV`.
    pub name: &'static str,
    /// What can be called on it.
    pub methods: &'static [Method],
    /// For a map: what it gives for a key it lacks, under [`MissingKey::Zero`](super::MissingKey::Zero).
    pub zero: Zero,
}

/// The zero value of a map's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zero {
    /// None (a map of `interface {}`).
    Nil,
    /// The empty string (a map of strings).
    String,
}

/// A method of a [`Class`].
#[derive(Debug)]
pub struct Method {
    /// Its name.
    pub name: &'static str,
    /// What it takes beside its receiver.
    pub params: Params,
    /// Its body: receiver, arguments (already checked against `params`); an error is one line without the method's name.
    pub call: fn(&Value, &[Value]) -> Result<Value, String>,
}

/// What a function or method takes.
#[derive(Clone, Copy, Debug)]
pub struct Params {
    /// One for each parameter; for a variadic one the last is that of each further argument.
    pub kinds: &'static [Param],
    /// Whether the last may be given any number of times, also not at all.
    pub variadic: bool,
}

impl Params {
    /// A fixed number of parameters.
    pub const fn fixed(kinds: &'static [Param]) -> Params {
        Params { kinds, variadic: false }
    }

    /// The last any number of times.
    pub const fn variadic(kinds: &'static [Param]) -> Params {
        Params { kinds, variadic: true }
    }
}

/// The type of a parameter. Arguments are checked before the call, as Go does: an integer constant becomes a float where a float is wanted,
/// an integer variable is an error.
#[derive(Clone, Copy, Debug)]
pub enum Param {
    /// `interface {}`: anything.
    Any,
    /// `bool`
    Bool,
    /// `int`
    Int,
    /// `float64`
    Float,
    /// `string`
    String,
    /// `[]string`
    Strings,
    /// `time.Time`
    Time,
    /// `time.Duration`
    Duration,
    /// A list, map or struct of this class.
    Class(&'static Class),
}

impl Param {
    /// Go's name of the type.
    pub fn go_name(&self) -> &'static str {
        match self {
            Param::Any => "interface {}",
            Param::Bool => "bool",
            Param::Int => "int",
            Param::Float => "float64",
            Param::String => "string",
            Param::Strings => "[]string",
            Param::Time => "time.Time",
            Param::Duration => "time.Duration",
            Param::Class(class) => class.name,
        }
    }
}

/// `[]interface {}`
pub static ANY_LIST: Class = Class { name: "[]interface {}", methods: &[], zero: Zero::Nil };
/// `[]string`
pub static STRING_LIST: Class = Class { name: "[]string", methods: &[], zero: Zero::Nil };
/// `map[string]interface {}`
pub static ANY_MAP: Class = Class { name: "map[string]interface {}", methods: &[], zero: Zero::Nil };
/// `map[string]string`
pub static STRING_MAP: Class = Class { name: "map[string]string", methods: &[], zero: Zero::String };

/// A slice.
#[derive(Clone, Debug)]
pub struct List {
    /// Its type.
    pub class: &'static Class,
    /// Its elements.
    pub items: Vec<Value>,
    /// Whether it is a nil slice: the same as an empty one, save for `toJson`, which gives `null`.
    pub nil: bool,
    depth: u16,
}

/// A map.
#[derive(Clone, Debug)]
pub struct Map {
    /// Its type.
    pub class: &'static Class,
    /// Its entries.
    pub entries: BTreeMap<String, Value>,
    /// Whether it is a nil map: the same as an empty one, save for `toJson`, which gives `null`.
    pub nil: bool,
    depth: u16,
}

/// A struct.
#[derive(Clone, Debug)]
pub struct Struct {
    /// Its type.
    pub class: &'static Class,
    /// Its fields in Go's order, which `%v` and `toJson` show.
    pub fields: Vec<Field>,
    depth: u16,
}

/// A field of a struct.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its name in JSON, empty where JSON leaves it out.
    pub json: &'static str,
    /// Its value.
    pub value: Value,
}

impl Value {
    /// A string.
    pub fn string(text: impl Into<Arc<str>>) -> Value {
        Value::String(text.into())
    }

    /// A slice of this class.
    pub fn list(class: &'static Class, items: Vec<Value>) -> Value {
        let depth = depth_over(items.iter());
        Value::List(Arc::new(List { class, items, nil: false, depth }))
    }

    /// A nil slice of this class.
    pub fn nil_list(class: &'static Class) -> Value {
        Value::List(Arc::new(List { class, items: Vec::new(), nil: true, depth: 1 }))
    }

    /// A nil map of this class.
    pub fn nil_map(class: &'static Class) -> Value {
        Value::Map(Arc::new(Map { class, entries: BTreeMap::new(), nil: true, depth: 1 }))
    }

    /// A `[]string`.
    pub fn strings<S: Into<Arc<str>>>(items: impl IntoIterator<Item = S>) -> Value {
        Value::list(&STRING_LIST, items.into_iter().map(Value::string).collect())
    }

    /// A map of this class.
    pub fn map(class: &'static Class, entries: BTreeMap<String, Value>) -> Value {
        let depth = depth_over(entries.values());
        Value::Map(Arc::new(Map { class, entries, nil: false, depth }))
    }

    /// A map of strings of this class (`map[string]string` is [`STRING_MAP`]).
    pub fn string_map<'a>(class: &'static Class, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Value {
        Value::map(class, pairs.into_iter().map(|(k, v)| (k.to_owned(), Value::string(v))).collect())
    }

    /// A struct whose fields have the given names in Go and in JSON.
    pub fn object(class: &'static Class, fields: Vec<(&'static str, &'static str, Value)>) -> Value {
        let fields: Vec<Field> = fields.into_iter().map(|(name, json, value)| Field { name, json, value }).collect();
        let depth = depth_over(fields.iter().map(|f| &f.value));
        Value::Struct(Arc::new(Struct { class, fields, depth }))
    }

    /// How deep lists, maps and structs lie in each other here. A function that puts values into a new one has to refuse beyond
    /// [`MAX_DEPTH`](Value::MAX_DEPTH): a template could otherwise nest them until dropping them overflows the stack.
    pub fn depth(&self) -> usize {
        usize::from(match self {
            Value::List(list) => list.depth,
            Value::Map(map) => map.depth,
            Value::Struct(s) => s.depth,
            _ => 0,
        })
    }

    /// How deep a value made by a template may be.
    pub const MAX_DEPTH: usize = 100;

    /// The text of a string, `None` for anything else.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(s) => Some(s),
            _ => None,
        }
    }

    /// The elements of a list, none for anything else.
    pub fn items(&self) -> &[Value] {
        match self {
            Value::List(list) => &list.items,
            _ => &[],
        }
    }

    /// A field of a struct or an entry of a map.
    pub fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Map(map) => map.entries.get(name),
            Value::Struct(s) => s.fields.iter().find(|f| f.name == name).map(|f| &f.value),
            _ => None,
        }
    }

    /// Truth as `if` sees it: not the zero value, not empty; structs and times always.
    pub fn truth(&self) -> bool {
        match self {
            Value::Nil => false,
            Value::Bool(b) => *b,
            Value::Int(n) => *n != 0,
            Value::Float(x) => *x != 0.0,
            Value::String(s) => !s.is_empty(),
            Value::List(list) => !list.items.is_empty(),
            Value::Map(map) => !map.entries.is_empty(),
            Value::Struct(_) | Value::Time(_) => true,
            Value::Duration(d) => d.0 != 0,
        }
    }

    /// Go's name of its type, as `%T` gives it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Nil => "<nil>",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Float(_) => "float64",
            Value::String(_) => "string",
            Value::List(list) => list.class.name,
            Value::Map(map) => map.class.name,
            Value::Struct(s) => s.class.name,
            Value::Time(_) => "time.Time",
            Value::Duration(_) => "time.Duration",
        }
    }

    /// Its class, where it has one.
    pub fn class(&self) -> Option<&'static Class> {
        match self {
            Value::List(list) => Some(list.class),
            Value::Map(map) => Some(map.class),
            Value::Struct(s) => Some(s.class),
            _ => None,
        }
    }
}

fn depth_over<'v>(inside: impl Iterator<Item = &'v Value>) -> u16 {
    inside.map(Value::depth).max().unwrap_or(0).saturating_add(1).min(usize::from(u16::MAX)) as u16
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::string(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::string(text)
    }
}

impl From<f64> for Value {
    fn from(x: f64) -> Value {
        Value::Float(x)
    }
}

impl From<i64> for Value {
    fn from(n: i64) -> Value {
        Value::Int(n)
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Value {
        Value::Bool(b)
    }
}
