//! Go's `text/template`, as Prometheus' rules and Alertmanager's notifications use it.
//!
//! Written from Go's documentation of `text/template`, `fmt` and `time`, and checked against Go itself. What Go decides by reflection
//! is decided here by [`Value`] and [`Params`]. Left out, because no such template can use them: complex numbers, channels, and functions as values.
//!
//! ```
//! use watchglass_text::template::{Funcs, MissingKey, Options, Param, Params, STRING_MAP, Templates, Value};
//!
//! let mut funcs = Funcs::new();
//! funcs.add("toUpper", Params::fixed(&[Param::String]), |args| {
//!     Ok(Value::from(args[0].as_str().unwrap_or_default().to_uppercase()))
//! });
//! let mut templates = Templates::new();
//! templates.parse("greeting", "{{ .name | toUpper }}{{ .missing }}", &funcs)?;
//! let data = Value::string_map(&STRING_MAP, [("name", "ada")]);
//! let options = Options { missing_key: MissingKey::Zero, ..Options::default() };
//! assert_eq!(templates.execute("greeting", &data, &funcs, &options)?, "ADA");
//! # Ok::<(), watchglass_text::template::TemplateError>(())
//! ```

mod builtins;
mod exec;
mod funcs;
mod lex;
mod methods;
mod node;
mod number;
mod parse;
mod printf;
mod value;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

pub use funcs::{Funcs, Scope};
pub use value::{
    ANY_LIST, ANY_MAP, Class, Field, List, Map, Method, Param, Params, STRING_LIST, STRING_MAP, Struct, Value, Zero,
};

/// A set of named templates, which can call each other. Cloning is cheap: the trees are shared.
#[derive(Clone, Debug, Default)]
pub struct Templates {
    pub(crate) trees: BTreeMap<Arc<str>, Arc<node::Tree>>,
}

impl Templates {
    /// None.
    pub fn new() -> Templates {
        Templates::default()
    }

    /// Parses a text as the template of this name, and the templates it defines. Those that were there under these names are replaced,
    /// save by an empty one (as in Go).
    ///
    /// `funcs` says which functions there are. Errors are worded as Go's: `template: name:1: unclosed action`; the set is unchanged then.
    pub fn parse(&mut self, name: &str, text: &str, funcs: &Funcs<'_>) -> Result<(), TemplateError> {
        let found = parse::parse(name, text, funcs)?;
        for (name, tree) in found {
            if tree.is_empty() && self.trees.contains_key(&name) {
                continue;
            }
            self.trees.insert(name, Arc::new(tree));
        }
        Ok(())
    }

    /// Whether there is a template of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.trees.contains_key(name)
    }

    /// The templates' names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.trees.keys().map(|name| &**name)
    }

    /// Executes a template. Errors are worded as Go's: `template: name:1:2: executing "name" at <.x>: ...`.
    pub fn execute(
        &self,
        name: &str,
        data: &Value,
        funcs: &Funcs<'_>,
        options: &Options,
    ) -> Result<String, TemplateError> {
        let budget = exec::Budget::new(&options.limits);
        let scope = Scope { templates: self, funcs, options, budget: &budget, depth: 0, data };
        exec::execute(self, name, data, &scope)
    }
}

/// How a template is executed.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What a map gives for a key it lacks.
    pub missing_key: MissingKey,
    /// What it may use up.
    pub limits: Limits,
}

/// What a map gives for a key it lacks (Go's option `missingkey`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingKey {
    /// No value, which prints as `<no value>`.
    #[default]
    Default,
    /// The zero value of its elements: the empty string for a map of strings. What Prometheus and Alertmanager set.
    Zero,
    /// An error.
    Error,
}

/// What an execution may use up, with all the templates that it calls.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of output, and of any single text made on the way.
    pub output: usize,
    /// Nodes and function calls evaluated.
    pub steps: u64,
    /// How deep templates may call each other.
    pub depth: usize,
}

impl Default for Limits {
    /// 4 MiB, a million steps, 100 templates deep: far above any real message, and less than a second.
    fn default() -> Limits {
        Limits { output: 4 << 20, steps: 1_000_000, depth: 100 }
    }
}

/// What is wrong with a template, in Go's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    /// The whole message, beginning with `template: name:line`.
    pub message: String,
    /// The line in the template's text, from 1; 0 where not known.
    pub line: usize,
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for TemplateError {}
