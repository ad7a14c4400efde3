//! A parsed template, and its parts as text (for error messages).

use std::fmt;
use std::sync::Arc;

/// A template.
#[derive(Debug)]
pub(crate) struct Tree {
    /// Its name.
    pub(super) name: Arc<str>,
    /// The name of the text that it stands in: another, where it comes from a `define`.
    pub(super) parse_name: Arc<str>,
    /// That text.
    pub(super) text: Arc<str>,
    pub(super) root: Vec<Node>,
}

impl Tree {
    /// Whether there is nothing in it but space.
    pub(super) fn is_empty(&self) -> bool {
        self.root.iter().all(|node| matches!(node, Node::Text(text) if text.trim().is_empty()))
    }
}

#[derive(Debug)]
pub(super) enum Node {
    Text(String),
    Action(Pipe),
    If(Branch),
    With(Branch),
    Range(Branch),
    Template { pos: usize, name: Arc<str>, pipe: Option<Pipe> },
    Break,
    Continue,
}

/// `if`, `with`, `range`.
#[derive(Debug)]
pub(super) struct Branch {
    pub(super) pipe: Pipe,
    pub(super) list: Vec<Node>,
    pub(super) otherwise: Option<Vec<Node>>,
}

#[derive(Debug)]
pub(super) struct Pipe {
    pub(super) pos: usize,
    /// `=`, not `:=`.
    pub(super) assign: bool,
    /// Variables set, with their `$`.
    pub(super) decl: Vec<Arc<str>>,
    pub(super) cmds: Vec<Command>,
}

#[derive(Debug)]
pub(super) struct Command {
    pub(super) pos: usize,
    /// At least one.
    pub(super) args: Vec<Operand>,
}

#[derive(Debug)]
pub(super) struct Operand {
    pub(super) pos: usize,
    pub(super) kind: OperandKind,
}

#[derive(Debug)]
pub(super) enum OperandKind {
    Bool(bool),
    Dot,
    Nil,
    Number(Number),
    String {
        quoted: String,
        text: Arc<str>,
    },
    /// `.a.b`
    Field(Vec<Arc<str>>),
    /// `$x`, and fields behind it.
    Variable(Arc<str>, Vec<Arc<str>>),
    /// `(...).a.b` or `f.a.b`
    Chain(Box<Operand>, Vec<Arc<str>>),
    Function(Arc<str>),
    Pipe(Box<Pipe>),
}

/// A constant: which types it can be, Go decides where it is used.
#[derive(Debug)]
pub(super) struct Number {
    pub(super) text: String,
    pub(super) int: Option<i64>,
    pub(super) float: Option<f64>,
    /// Whether it is a float where nothing decides.
    pub(super) looks_float: bool,
}

impl fmt::Display for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.decl.is_empty() {
            write!(f, "{} {} ", self.decl.join(", "), if self.assign { "=" } else { ":=" })?;
        }
        for (i, command) in self.cmds.iter().enumerate() {
            write!(f, "{}{command}", if i > 0 { " | " } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, arg) in self.args.iter().enumerate() {
            f.write_str(if i > 0 { " " } else { "" })?;
            match &arg.kind {
                OperandKind::Pipe(pipe) => write!(f, "({pipe})")?,
                _ => write!(f, "{arg}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            OperandKind::Bool(b) => write!(f, "{b}"),
            OperandKind::Dot => f.write_str("."),
            OperandKind::Nil => f.write_str("nil"),
            OperandKind::Number(n) => f.write_str(&n.text),
            OperandKind::String { quoted, .. } => f.write_str(quoted),
            OperandKind::Field(names) => fields(f, names),
            OperandKind::Variable(name, names) => {
                f.write_str(name)?;
                fields(f, names)
            }
            OperandKind::Chain(node, names) => {
                match &node.kind {
                    OperandKind::Pipe(pipe) => write!(f, "({pipe})")?,
                    _ => write!(f, "{node}")?,
                }
                fields(f, names)
            }
            OperandKind::Function(name) => f.write_str(name),
            OperandKind::Pipe(pipe) => write!(f, "{pipe}"),
        }
    }
}

fn fields(f: &mut fmt::Formatter<'_>, names: &[Arc<str>]) -> fmt::Result {
    names.iter().try_for_each(|name| write!(f, ".{name}"))
}
