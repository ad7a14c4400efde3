//! Trees and data into text.

mod eval;

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use super::node::{Branch, Command, Node, Operand, Pipe, Tree};
use super::value::Zero;
use super::{Limits, Scope, TemplateError, Templates, Value, printf};
use crate::gofmt::quote;
use crate::gotime::Duration;

/// How deep the walk through templates, control structures and parentheses may go in all. Bounds the stack: a level takes at most
/// about a kilobyte of it.
const MAX_NESTING: usize = 400;

/// What is left of an execution's limits.
pub(super) struct Budget {
    steps: Cell<u64>,
    nesting: Cell<usize>,
}

impl Budget {
    pub(super) fn new(limits: &Limits) -> Budget {
        Budget { steps: Cell::new(limits.steps), nesting: Cell::new(0) }
    }
}

/// Executes a named template with a function's scope.
pub(super) fn execute(
    templates: &Templates,
    name: &str,
    data: &Value,
    scope: &Scope<'_>,
) -> Result<String, TemplateError> {
    let Some(tree) = templates.trees.get(name) else {
        let message =
            format!("template: no template {} associated with template {}", quote(name, false), quote(name, false));
        return Err(TemplateError { message, line: 0 });
    };
    let depth = scope.depth + 1;
    let scope = Scope { templates, depth, ..*scope };
    let mut exec = Exec::new(tree, data.clone(), &scope, String::new());
    if depth > scope.options.limits.depth {
        return exec.fail(format!("exceeded maximum template depth ({})", scope.options.limits.depth));
    }
    exec.list(data, &tree.root)?;
    Ok(exec.out)
}

/// What is being evaluated, for error messages.
#[derive(Clone, Copy)]
enum At<'t> {
    Nothing,
    Node(&'t Node),
    Pipe(&'t Pipe),
    Command(&'t Command),
    Operand(&'t Operand),
}

impl At<'_> {
    fn pos(self) -> usize {
        match self {
            At::Nothing => 0,
            At::Node(Node::Template { pos, .. }) => *pos,
            At::Node(Node::Action(pipe)) => pipe.pos,
            At::Node(Node::If(b) | Node::With(b) | Node::Range(b)) => b.pipe.pos,
            At::Node(_) => 0,
            At::Pipe(pipe) => pipe.pos,
            At::Command(command) => command.pos,
            At::Operand(operand) => operand.pos,
        }
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::Node(Node::Template { name, pipe, .. }) => {
                write!(f, "{{{{template {}", quote(name, false))?;
                match pipe {
                    Some(pipe) => write!(f, " {pipe}}}}}"),
                    None => f.write_str("}}"),
                }
            }
            At::Node(Node::Action(pipe)) => write!(f, "{{{{{pipe}}}}}"),
            // The whole structure would be shown; its head says enough.
            At::Node(Node::If(b)) => write!(f, "{{{{if {}}}}}", b.pipe),
            At::Node(Node::With(b)) => write!(f, "{{{{with {}}}}}", b.pipe),
            At::Node(Node::Range(b)) => write!(f, "{{{{range {}}}}}", b.pipe),
            At::Node(_) | At::Nothing => Ok(()),
            At::Pipe(pipe) => write!(f, "{pipe}"),
            At::Command(command) => write!(f, "{command}"),
            At::Operand(operand) => write!(f, "{operand}"),
        }
    }
}

type Done<T> = Result<T, TemplateError>;

/// How a list of nodes ended.
#[derive(PartialEq)]
enum Flow {
    Normal,
    Break,
    Continue,
}

/// The execution of one template.
struct Exec<'t> {
    tree: &'t Tree,
    scope: &'t Scope<'t>,
    vars: Vec<(Arc<str>, Value)>,
    at: At<'t>,
    /// Whether the field just read is an `interface {}` to Go, which shows in messages.
    interface: bool,
    out: String,
}

impl<'t> Exec<'t> {
    fn new(tree: &'t Tree, dot: Value, scope: &'t Scope<'t>, out: String) -> Exec<'t> {
        Exec { tree, scope, vars: vec![(Arc::from("$"), dot)], at: At::Nothing, interface: false, out }
    }

    fn fail<T>(&self, message: impl fmt::Display) -> Done<T> {
        let pos = self.at.pos().min(self.tree.text.len());
        let before = &self.tree.text[..pos];
        let line = 1 + before.matches('\n').count();
        // Go's columns: bytes, from 1 except on the first line.
        let column = before.rfind('\n').map_or(pos, |newline| pos - newline - 1);
        let (file, name) = (&self.tree.parse_name, quote(&self.tree.name, false));
        let message = match self.at {
            At::Nothing => format!("template: {file}: {message}"),
            at => format!("template: {file}:{line}:{column}: executing {name} at <{at}>: {message}"),
        };
        Err(TemplateError { message, line })
    }

    fn step(&self) -> Done<()> {
        let left = self.scope.budget.steps.get();
        if left == 0 {
            return self.fail(format!("exceeded the limit of {} steps", self.scope.options.limits.steps));
        }
        self.scope.budget.steps.set(left - 1);
        Ok(())
    }

    /// Goes a level deeper.
    fn nested<T>(&mut self, run: impl FnOnce(&mut Self) -> Done<T>) -> Done<T> {
        let nesting = &self.scope.budget.nesting;
        if nesting.get() >= MAX_NESTING {
            return self.fail(format!("exceeded the limit of {MAX_NESTING} levels of nesting"));
        }
        nesting.set(nesting.get() + 1);
        let result = run(self);
        nesting.set(nesting.get() - 1);
        result
    }

    fn write(&mut self, text: &str) -> Done<()> {
        let limit = self.scope.options.limits.output;
        if self.out.len() + text.len() > limit {
            return self.fail(format!("exceeded the limit of {limit} bytes of output"));
        }
        self.out.push_str(text);
        Ok(())
    }

    fn list(&mut self, dot: &Value, nodes: &'t [Node]) -> Done<Flow> {
        for node in nodes {
            let flow = self.node(dot, node)?;
            if flow != Flow::Normal {
                return Ok(flow);
            }
        }
        Ok(Flow::Normal)
    }

    fn node(&mut self, dot: &Value, node: &'t Node) -> Done<Flow> {
        self.step()?;
        self.at = At::Node(node);
        match node {
            Node::Text(text) => self.write(text)?,
            Node::Action(pipe) => {
                let value = self.pipe(dot, pipe)?;
                if pipe.decl.is_empty() {
                    self.at = At::Node(node);
                    match &value {
                        Value::Nil => self.write("<no value>")?,
                        Value::String(text) => self.write(text)?,
                        value => {
                            let text = printf::plain(value);
                            self.write(&text)?;
                        }
                    }
                }
            }
            Node::If(branch) => return self.nested(|x| x.branch(dot, branch, false)),
            Node::With(branch) => return self.nested(|x| x.branch(dot, branch, true)),
            Node::Range(branch) => return self.nested(|x| x.range(dot, branch)),
            Node::Template { name, pipe, .. } => self.nested(|x| x.template(dot, name, pipe.as_ref()))?,
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Normal)
    }

    fn branch(&mut self, dot: &Value, branch: &'t Branch, with: bool) -> Done<Flow> {
        let mark = self.vars.len();
        let value = self.pipe(dot, &branch.pipe)?;
        let flow = if value.truth() {
            self.list(if with { &value } else { dot }, &branch.list)?
        } else {
            self.list(dot, branch.otherwise.as_deref().unwrap_or_default())?
        };
        self.vars.truncate(mark);
        Ok(flow)
    }

    fn range(&mut self, dot: &Value, branch: &'t Branch) -> Done<Flow> {
        let outer = self.vars.len();
        let value = self.pipe(dot, &branch.pipe)?;
        let ran = match &value {
            Value::Nil => false,
            Value::Int(n) | Value::Duration(Duration(n)) => {
                if branch.pipe.decl.len() > 1 {
                    return self
                        .fail(format!("can't use {} to iterate over more than one variable", printf::plain(&value)));
                }
                for i in 0..*n {
                    let element =
                        if matches!(value, Value::Int(_)) { Value::Int(i) } else { Value::Duration(Duration(i)) };
                    if self.iteration(branch, Value::Nil, element)? == Flow::Break {
                        break;
                    }
                }
                *n > 0
            }
            Value::List(list) => {
                for (i, item) in list.items.iter().enumerate() {
                    if self.iteration(branch, Value::Int(i as i64), item.clone())? == Flow::Break {
                        break;
                    }
                }
                !list.items.is_empty()
            }
            Value::Map(map) => {
                for (key, item) in &map.entries {
                    if self.iteration(branch, Value::string(key.as_str()), item.clone())? == Flow::Break {
                        break;
                    }
                }
                !map.entries.is_empty()
            }
            other => return self.fail(format!("range can't iterate over {}", printf::plain(other))),
        };
        let flow = match &branch.otherwise {
            Some(list) if !ran => self.list(dot, list)?,
            _ => Flow::Normal,
        };
        self.vars.truncate(outer);
        Ok(flow)
    }

    fn iteration(&mut self, branch: &'t Branch, key: Value, item: Value) -> Done<Flow> {
        self.step()?;
        let mark = self.vars.len();
        let decl = &branch.pipe.decl;
        let values = match decl.len() {
            0 => vec![],
            1 => vec![item.clone()],
            _ => vec![key, item.clone()],
        };
        for (i, value) in values.into_iter().enumerate() {
            if branch.pipe.assign {
                self.set(&decl[i], value)?;
            } else if let Some(var) = (mark + i).checked_sub(decl.len()) {
                // The pipeline pushed them; they are the last ones.
                self.vars[var].1 = value;
            }
        }
        let flow = self.list(&item, &branch.list)?;
        self.vars.truncate(mark);
        Ok(flow)
    }

    fn template(&mut self, dot: &Value, name: &str, pipe: Option<&'t Pipe>) -> Done<()> {
        let Some(tree) = self.scope.templates.trees.get(name) else {
            return self.fail(format!("template {} not defined", quote(name, false)));
        };
        let limit = self.scope.options.limits.depth;
        if self.scope.depth >= limit {
            return self.fail(format!("exceeded maximum template depth ({limit})"));
        }
        let dot = match pipe {
            Some(pipe) => self.pipe(dot, pipe)?,
            None => Value::Nil,
        };
        let scope = Scope { depth: self.scope.depth + 1, ..*self.scope };
        let mut inner = Exec::new(tree, dot.clone(), &scope, std::mem::take(&mut self.out));
        inner.list(&dot, &tree.root)?;
        self.out = inner.out;
        Ok(())
    }
}

/// The zero value of a map's elements.
pub(super) fn zero(zero: Zero) -> Value {
    match zero {
        Zero::Nil => Value::Nil,
        Zero::String => Value::from(""),
    }
}
