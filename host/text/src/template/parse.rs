//! Tokens into trees.

use std::sync::Arc;

use super::lex::{Kind, Token, lex};
use super::node::{Branch, Command, Node, Operand, OperandKind, Pipe, Tree};
use super::{Funcs, TemplateError, builtins, number};
use crate::gofmt;

/// How deep control structures and parentheses may lie in each other. Bounds this parser's recursion, and the tree's own.
const MAX_NESTING: usize = 100;

/// The trees in a text by name, its own last.
pub(super) fn parse(name: &str, text: &str, funcs: &Funcs<'_>) -> Result<Vec<(Arc<str>, Tree)>, TemplateError> {
    let mut parser = Parser {
        name: Arc::from(name),
        text: Arc::from(text),
        tokens: lex(text),
        at: 0,
        furthest: 0,
        funcs,
        vars: vec![Arc::from("$")],
        range_depth: 0,
        nesting: 0,
        action_line: 0,
        trees: Vec::new(),
    };
    let root = parser.top()?;
    parser.add(Arc::from(name), root)?;
    Ok(parser.trees)
}

struct Parser<'p> {
    name: Arc<str>,
    text: Arc<str>,
    tokens: Vec<Token>,
    at: usize,
    /// The last token looked at: errors name its line.
    furthest: usize,
    funcs: &'p Funcs<'p>,
    /// Variables that are defined here.
    vars: Vec<Arc<str>>,
    range_depth: usize,
    nesting: usize,
    /// Where the action that is being read began.
    action_line: usize,
    trees: Vec<(Arc<str>, Tree)>,
}

type Parsed<T> = Result<T, TemplateError>;

/// How a list of nodes ended.
enum End {
    End,
    /// `else`, with the keyword of an `else if` or `else with` still to read.
    Else,
}

/// A node, or what ends a list of them.
enum Item {
    Node(Node),
    End(End),
}

impl Parser<'_> {
    fn token(&mut self, index: usize) -> Token {
        let index = index.min(self.tokens.len() - 1);
        self.furthest = self.furthest.max(index);
        self.tokens[index].clone()
    }

    fn next(&mut self) -> Token {
        let token = self.token(self.at);
        self.at += 1;
        token
    }

    fn peek(&mut self) -> Token {
        self.token(self.at)
    }

    fn skip_space(&mut self) {
        while self.peek().kind == Kind::Space {
            self.at += 1;
        }
    }

    fn next_non_space(&mut self) -> Token {
        self.skip_space();
        self.next()
    }

    fn peek_non_space(&mut self) -> Token {
        self.skip_space();
        self.peek()
    }

    fn fail<T>(&self, message: impl std::fmt::Display) -> Parsed<T> {
        let line = self.tokens[self.furthest].line;
        Err(TemplateError { message: format!("template: {}:{line}: {message}", self.name), line })
    }

    fn unexpected<T>(&self, token: &Token, context: &str) -> Parsed<T> {
        if token.kind != Kind::Error {
            return self.fail(format!("unexpected {} in {context}", shown(token)));
        }
        let mut extra = String::new();
        if self.action_line != 0 && self.action_line != token.line {
            // "unclosed action started at", not "unclosed action in action started at".
            let what = if token.text.ends_with(" action") { "" } else { " in action" };
            extra = format!("{what} started at {}:{}", self.name, self.action_line);
        }
        self.fail(format!("{}{extra}", token.text))
    }

    fn expect(&mut self, kinds: &[Kind], context: &str) -> Parsed<Token> {
        let token = self.next_non_space();
        if kinds.contains(&token.kind) { Ok(token) } else { self.unexpected(&token, context) }
    }

    /// Goes a level deeper.
    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.nesting >= MAX_NESTING {
            return self.fail("max expression depth exceeded");
        }
        self.nesting += 1;
        let result = read(self);
        self.nesting -= 1;
        result
    }

    fn add(&mut self, name: Arc<str>, root: Vec<Node>) -> Parsed<()> {
        let tree = Tree { name: name.clone(), parse_name: self.name.clone(), text: self.text.clone(), root };
        match self.trees.iter_mut().find(|(n, _)| *n == name) {
            None => self.trees.push((name, tree)),
            Some((_, old)) if old.is_empty() => *old = tree,
            Some(_) if tree.is_empty() => {}
            Some(_) => return self.fail(format!("template: multiple definition of template {}", quoted(&name))),
        }
        Ok(())
    }

    fn top(&mut self) -> Parsed<Vec<Node>> {
        let mut list = Vec::new();
        while self.peek().kind != Kind::Eof {
            if self.peek().kind == Kind::LeftDelim {
                let start = self.at;
                self.at += 1;
                let token = self.next_non_space();
                if token.kind == Kind::Keyword && token.text == "define" {
                    self.definition()?;
                    continue;
                }
                self.at = start;
            }
            match self.item()? {
                Item::Node(node) => list.push(node),
                Item::End(End::End) => return self.fail("unexpected {{end}}"),
                Item::End(End::Else) => return self.fail("unexpected {{else}}"),
            }
        }
        Ok(list)
    }

    /// Reads something with its own variables, as a `define` has them.
    fn separate<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        let vars = std::mem::replace(&mut self.vars, vec![Arc::from("$")]);
        let depth = std::mem::take(&mut self.range_depth);
        let result = read(self)?;
        (self.vars, self.range_depth) = (vars, depth);
        Ok(result)
    }

    fn definition(&mut self) -> Parsed<()> {
        let name = self.expect(&[Kind::String, Kind::RawString], "define clause")?;
        let name = self.unquote(&name)?;
        self.expect(&[Kind::RightDelim], "define clause")?;
        let root = self.separate(|p| p.body("define clause"))?;
        self.add(Arc::from(name), root)
    }

    /// A list that ends in `{{end}}`.
    fn body(&mut self, context: &str) -> Parsed<Vec<Node>> {
        match self.nested(Self::list)? {
            (list, End::End) => Ok(list),
            (_, End::Else) => self.fail(format!("unexpected {{{{else}}}} in {context}")),
        }
    }

    fn list(&mut self) -> Parsed<(Vec<Node>, End)> {
        let mut list = Vec::new();
        while self.peek_non_space().kind != Kind::Eof {
            match self.item()? {
                Item::Node(node) => list.push(node),
                Item::End(end) => return Ok((list, end)),
            }
        }
        self.fail("unexpected EOF")
    }

    fn item(&mut self) -> Parsed<Item> {
        let token = self.next_non_space();
        match token.kind {
            Kind::Text => Ok(Item::Node(Node::Text(token.text))),
            Kind::LeftDelim => {
                self.action_line = token.line;
                let item = self.action();
                self.action_line = 0;
                item
            }
            _ => self.unexpected(&token, "input"),
        }
    }

    fn action(&mut self) -> Parsed<Item> {
        let token = self.peek_non_space();
        if token.kind != Kind::Keyword {
            return Ok(Item::Node(Node::Action(self.pipeline("command", Kind::RightDelim)?)));
        }
        self.at += 1;
        let node = match token.text.as_str() {
            "if" => Node::If(self.branch("if")?),
            "with" => Node::With(self.branch("with")?),
            "range" => Node::Range(self.branch("range")?),
            "template" => self.template()?,
            "block" => self.block()?,
            "end" => {
                self.expect(&[Kind::RightDelim], "end")?;
                return Ok(Item::End(End::End));
            }
            "else" => {
                let next = self.peek_non_space();
                if !(next.kind == Kind::Keyword && matches!(next.text.as_str(), "if" | "with")) {
                    self.expect(&[Kind::RightDelim], "else")?;
                }
                return Ok(Item::End(End::Else));
            }
            "break" | "continue" => {
                let context = format!("{{{{{}}}}}", token.text);
                self.expect(&[Kind::RightDelim], &context)?;
                if self.range_depth == 0 {
                    return self.fail(format!("{context} outside {{{{range}}}}"));
                }
                if token.text == "break" { Node::Break } else { Node::Continue }
            }
            _ => return self.unexpected(&token, "command"),
        };
        Ok(Item::Node(node))
    }

    fn branch(&mut self, context: &str) -> Parsed<Branch> {
        let vars = self.vars.len();
        let pipe = self.pipeline(context, Kind::RightDelim)?;
        let ranges = usize::from(context == "range");
        self.range_depth += ranges;
        let (list, end) = self.nested(Self::list)?;
        self.range_depth -= ranges;
        let mut otherwise = None;
        if matches!(end, End::Else) {
            let next = self.peek();
            let chained = next.kind == Kind::Keyword && next.text == context;
            otherwise = Some(match context {
                // `else if` is an `if` inside the `else`, whose `end` is both's.
                "if" if chained => {
                    self.at += 1;
                    vec![Node::If(self.nested(|p| p.branch("if"))?)]
                }
                "with" if chained => {
                    self.at += 1;
                    vec![Node::With(self.nested(|p| p.branch("with"))?)]
                }
                _ => match self.nested(Self::list)? {
                    (list, End::End) => list,
                    (_, End::Else) => return self.fail("expected end; found {{else}}"),
                },
            });
        }
        self.vars.truncate(vars);
        Ok(Branch { pipe, list, otherwise })
    }

    fn template_name(&mut self, context: &str) -> Parsed<(usize, Arc<str>)> {
        let token = self.next_non_space();
        match token.kind {
            Kind::String | Kind::RawString => Ok((token.pos, Arc::from(self.unquote(&token)?))),
            _ => self.unexpected(&token, context),
        }
    }

    fn template(&mut self) -> Parsed<Node> {
        let (pos, name) = self.template_name("template clause")?;
        let pipe = if self.peek_non_space().kind == Kind::RightDelim {
            self.at += 1;
            None
        } else {
            Some(self.pipeline("template clause", Kind::RightDelim)?)
        };
        Ok(Node::Template { pos, name, pipe })
    }

    fn block(&mut self) -> Parsed<Node> {
        let (pos, name) = self.template_name("block clause")?;
        let pipe = self.pipeline("block clause", Kind::RightDelim)?;
        let root = self.separate(|p| p.body("block clause"))?;
        self.add(name.clone(), root)?;
        Ok(Node::Template { pos, name, pipe: Some(pipe) })
    }

    fn pipeline(&mut self, context: &str, end: Kind) -> Parsed<Pipe> {
        let pos = self.peek_non_space().pos;
        let mut pipe = Pipe { pos, assign: false, decl: Vec::new(), cmds: Vec::new() };
        self.declarations(&mut pipe, context)?;
        loop {
            let token = self.peek_non_space();
            match token.kind {
                kind if kind == end => {
                    self.at += 1;
                    break;
                }
                Kind::Bool
                | Kind::CharConstant
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::Nil
                | Kind::RawString
                | Kind::String
                | Kind::Variable
                | Kind::LeftParen => pipe.cmds.push(self.command()?),
                _ => return self.unexpected(&token, context),
            }
        }
        if pipe.cmds.is_empty() {
            return self.fail(format!("missing value for {context}"));
        }
        for (i, command) in pipe.cmds.iter().enumerate().skip(1) {
            use OperandKind::{Bool, Dot, Nil, Number, String};
            if matches!(command.args[0].kind, Bool(_) | Dot | Nil | Number(_) | String { .. }) {
                return self.fail(format!("non executable command in pipeline stage {}", i + 1));
            }
        }
        Ok(pipe)
    }

    /// `$x :=`, `$x =`, and in `range` also `$i, $x :=`.
    fn declarations(&mut self, pipe: &mut Pipe, context: &str) -> Parsed<()> {
        while self.peek_non_space().kind == Kind::Variable {
            let start = self.at;
            let name: Arc<str> = Arc::from(self.next().text);
            let next = self.peek_non_space();
            match next.kind {
                Kind::Assign | Kind::Declare => {
                    self.at += 1;
                    pipe.assign = next.kind == Kind::Assign;
                    pipe.decl.push(name.clone());
                    self.vars.push(name);
                    return Ok(());
                }
                Kind::Char if next.text == "," => {
                    self.at += 1;
                    pipe.decl.push(name.clone());
                    self.vars.push(name);
                    if context != "range" || pipe.decl.len() >= 2 {
                        return self.fail(format!("too many declarations in {context}"));
                    }
                    if !matches!(self.peek_non_space().kind, Kind::Variable | Kind::RightDelim | Kind::RightParen) {
                        return self.fail("range can only initialize variables");
                    }
                }
                _ => {
                    self.at = start;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Parsed<Command> {
        let mut command = Command { pos: self.peek_non_space().pos, args: Vec::new() };
        loop {
            self.skip_space();
            if let Some(operand) = self.operand()? {
                command.args.push(operand);
            }
            let token = self.peek();
            match token.kind {
                Kind::Space => {
                    self.at += 1;
                    continue;
                }
                Kind::RightDelim | Kind::RightParen => {}
                Kind::Pipe => self.at += 1,
                _ => {
                    self.at += 1;
                    return self.unexpected(&token, "operand");
                }
            }
            break;
        }
        if command.args.is_empty() { self.fail("empty command") } else { Ok(command) }
    }

    fn operand(&mut self) -> Parsed<Option<Operand>> {
        let Some(mut operand) = self.term()? else { return Ok(None) };
        let pos = self.peek().pos;
        let mut names = Vec::new();
        while self.peek().kind == Kind::Field {
            names.push(Arc::from(&self.next().text[1..]));
        }
        if names.is_empty() {
            return Ok(Some(operand));
        }
        let shown = operand.to_string();
        match &mut operand.kind {
            OperandKind::Field(fields) | OperandKind::Variable(_, fields) => {
                fields.extend(names);
                operand.pos = pos;
            }
            OperandKind::Bool(_)
            | OperandKind::String { .. }
            | OperandKind::Number(_)
            | OperandKind::Nil
            | OperandKind::Dot => return self.fail(format!("unexpected . after term {}", quoted(&shown))),
            _ => operand = Operand { pos, kind: OperandKind::Chain(Box::new(operand), names) },
        }
        Ok(Some(operand))
    }

    fn term(&mut self) -> Parsed<Option<Operand>> {
        let token = self.next_non_space();
        let kind = match token.kind {
            Kind::Identifier => {
                let name = token.text.as_str();
                if !self.funcs.by_name.contains_key(name) && !builtins::NAMES.contains(&name) {
                    return self.fail(format!("function {} not defined", quoted(name)));
                }
                OperandKind::Function(Arc::from(name))
            }
            Kind::Dot => OperandKind::Dot,
            Kind::Nil => OperandKind::Nil,
            Kind::Variable => {
                if !self.vars.iter().any(|v| **v == *token.text) {
                    return self.fail(format!("undefined variable {}", quoted(&token.text)));
                }
                OperandKind::Variable(Arc::from(token.text), Vec::new())
            }
            Kind::Field => OperandKind::Field(vec![Arc::from(&token.text[1..])]),
            Kind::Bool => OperandKind::Bool(token.text == "true"),
            Kind::CharConstant | Kind::Number => match number::number(token.kind == Kind::CharConstant, &token.text) {
                Ok(number) => OperandKind::Number(number),
                Err(message) => return self.fail(message),
            },
            Kind::LeftParen => {
                let pipe = self.nested(|p| p.pipeline("parenthesized pipeline", Kind::RightParen))?;
                return Ok(Some(Operand { pos: pipe.pos, kind: OperandKind::Pipe(Box::new(pipe)) }));
            }
            Kind::String | Kind::RawString => {
                let text = Arc::from(self.unquote(&token)?);
                OperandKind::String { quoted: token.text, text }
            }
            _ => {
                self.at -= 1;
                return Ok(None);
            }
        };
        Ok(Some(Operand { pos: token.pos, kind }))
    }

    fn unquote(&self, token: &Token) -> Parsed<String> {
        gofmt::unquote(&token.text).map_or_else(|| self.fail("invalid syntax"), Ok)
    }
}

fn quoted(text: &str) -> String {
    gofmt::quote(text, false)
}

/// A token as messages show it: keywords in angle brackets, long ones cut.
fn shown(token: &Token) -> String {
    match token.kind {
        Kind::Eof => "EOF".to_owned(),
        Kind::Error => token.text.clone(),
        Kind::Keyword | Kind::Nil | Kind::Dot => format!("<{}>", token.text),
        _ if token.text.len() > 10 => {
            let cut: String = token.text.chars().take(10).collect();
            format!("{}...", quoted(&cut))
        }
        _ => quoted(&token.text),
    }
}
