//! Pipelines, commands, fields and calls into values.

use super::{At, Done, Exec};
use crate::gofmt::quote;
use crate::gotime::Duration;
use crate::template::node::{Command, Number, Operand, OperandKind, Pipe};
use crate::template::value::{Method, Param, Params, Zero};
use crate::template::{MissingKey, STRING_LIST, Value, builtins, methods};

impl<'t> Exec<'t> {
    pub(super) fn set(&mut self, name: &str, value: Value) -> Done<()> {
        match self.vars.iter_mut().rev().find(|(n, _)| **n == *name) {
            Some(var) => {
                var.1 = value;
                Ok(())
            }
            None => self.fail(format!("undefined variable: {name}")),
        }
    }

    pub(super) fn pipe(&mut self, dot: &Value, pipe: &'t Pipe) -> Done<Value> {
        self.at = At::Pipe(pipe);
        let mut value = None;
        for command in &pipe.cmds {
            value = Some(self.command(dot, command, value)?);
        }
        let value = value.unwrap_or_default();
        for name in &pipe.decl {
            if pipe.assign {
                self.set(name, value.clone())?;
            } else {
                self.vars.push((name.clone(), value.clone()));
            }
        }
        Ok(value)
    }

    /// A command, with what the one before it in the pipeline gave.
    fn command(&mut self, dot: &Value, command: &'t Command, last: Option<Value>) -> Done<Value> {
        self.step()?;
        let first = &command.args[0];
        let args = &command.args[1..];
        match &first.kind {
            OperandKind::Field(_) | OperandKind::Chain(..) => self.fields_of(dot, first, args, last),
            OperandKind::Variable(_, names) if !names.is_empty() => self.fields_of(dot, first, args, last),
            OperandKind::Function(name) => {
                self.at = At::Operand(first);
                self.function(dot, name, At::Command(command), args, last)
            }
            kind => {
                if !matches!(kind, OperandKind::Pipe(_)) {
                    self.at = At::Operand(first);
                }
                if !args.is_empty() || last.is_some() {
                    let shown = command.args.first().map(ToString::to_string).unwrap_or_default();
                    return self.fail(format!("can't give argument to non-function {shown}"));
                }
                match kind {
                    OperandKind::Nil => self.fail("nil is not a command"),
                    _ => self.operand(dot, first),
                }
            }
        }
    }

    /// The value of an operand that is not given arguments.
    fn operand(&mut self, dot: &Value, operand: &'t Operand) -> Done<Value> {
        self.at = At::Operand(operand);
        match &operand.kind {
            OperandKind::Bool(b) => Ok(Value::Bool(*b)),
            OperandKind::Dot => Ok(dot.clone()),
            OperandKind::Nil => Ok(Value::Nil),
            OperandKind::Number(number) => self.constant(number),
            OperandKind::String { text, .. } => Ok(Value::String(text.clone())),
            OperandKind::Variable(name, names) if names.is_empty() => self.variable(name),
            OperandKind::Field(_) | OperandKind::Variable(..) | OperandKind::Chain(..) => {
                self.fields_of(dot, operand, &[], None)
            }
            OperandKind::Function(name) => self.function(dot, name, At::Operand(operand), &[], None),
            OperandKind::Pipe(pipe) => self.nested(|x| x.pipe(dot, pipe)),
        }
    }

    fn constant(&self, number: &Number) -> Done<Value> {
        match (number.int, number.float) {
            (_, Some(x)) if number.looks_float => Ok(Value::Float(x)),
            (Some(n), _) => Ok(Value::Int(n)),
            _ => self.fail(format!("{} overflows int", number.text)),
        }
    }

    fn variable(&self, name: &str) -> Done<Value> {
        match self.vars.iter().rev().find(|(n, _)| **n == *name) {
            Some((_, value)) => Ok(value.clone()),
            None => self.fail(format!("undefined variable: {name}")),
        }
    }

    /// A chain of fields; a method at its end gets the arguments.
    fn fields_of(
        &mut self,
        dot: &Value,
        operand: &'t Operand,
        args: &'t [Operand],
        last: Option<Value>,
    ) -> Done<Value> {
        self.at = At::Operand(operand);
        self.interface = false;
        let (mut value, names) = match &operand.kind {
            OperandKind::Field(names) => (dot.clone(), names),
            OperandKind::Variable(name, names) => (self.variable(name)?, names),
            OperandKind::Chain(base, names) => {
                if matches!(base.kind, OperandKind::Nil) {
                    return self.fail(format!("indirection through explicit nil in {operand}"));
                }
                let value = self.operand(dot, base)?;
                self.interface = false;
                (value, names)
            }
            _ => return self.operand(dot, operand),
        };
        let (end, way) = names.split_last().map_or(("", &[][..]), |(end, way)| (&**end, way));
        for name in way {
            value = self.field(dot, &value, name, operand, &[], None)?;
        }
        self.field(dot, &value, end, operand, args, last)
    }

    fn field(
        &mut self,
        dot: &Value,
        receiver: &Value,
        name: &str,
        operand: &'t Operand,
        args: &'t [Operand],
        last: Option<Value>,
    ) -> Done<Value> {
        self.step()?;
        let interface = std::mem::take(&mut self.interface);
        if let Some(method) = methods::find(receiver, name) {
            let Method { params, call, .. } = method;
            let argv = self.arguments(dot, name, params, args, last)?;
            return self.outcome(name, At::Operand(operand), call(receiver, &argv));
        }
        let has_args = !args.is_empty() || last.is_some();
        match receiver {
            Value::Nil if interface => return self.fail(format!("nil pointer evaluating interface {{}}.{name}")),
            Value::Nil if self.scope.options.missing_key == MissingKey::Error => {
                return self.fail(format!("nil data; no entry for key {}", quote(name, false)));
            }
            Value::Nil => return Ok(Value::Nil),
            Value::Struct(s) => {
                if let Some(field) = s.fields.iter().find(|f| f.name == name) {
                    if has_args {
                        return self.fail(format!("{name} has arguments but cannot be invoked as function"));
                    }
                    return Ok(field.value.clone());
                }
            }
            Value::Map(map) => {
                if has_args {
                    return self.fail(format!("{name} is not a method but has arguments"));
                }
                let interfaces = map.class.zero == Zero::Nil;
                return match (map.entries.get(name), self.scope.options.missing_key) {
                    (Some(value), _) => {
                        self.interface = interfaces;
                        Ok(value.clone())
                    }
                    (None, MissingKey::Default) => Ok(Value::Nil),
                    (None, MissingKey::Zero) => {
                        self.interface = interfaces;
                        Ok(super::zero(map.class.zero))
                    }
                    (None, MissingKey::Error) => self.fail(format!("map has no entry for key {}", quote(name, false))),
                };
            }
            _ => {}
        }
        let type_name = if interface { "interface {}" } else { receiver.type_name() };
        self.fail(format!("can't evaluate field {name} in type {type_name}"))
    }

    fn function(
        &mut self,
        dot: &Value,
        name: &str,
        node: At<'t>,
        args: &'t [Operand],
        last: Option<Value>,
    ) -> Done<Value> {
        self.step()?;
        let scope = self.scope;
        if let Some(func) = scope.funcs.by_name.get(name) {
            let argv = self.arguments(dot, name, &func.params, args, last)?;
            return self.outcome(name, node, (func.body)(scope, &argv));
        }
        if let "and" | "or" = name {
            return self.short_circuit(dot, name, args, last);
        }
        let Some((params, body)) = builtins::find(name) else {
            return self.fail(format!("{} is not a defined function", quote(name, false)));
        };
        let argv = self.arguments(dot, name, &params, args, last)?;
        self.outcome(name, node, body(&argv))
    }

    fn outcome(&mut self, name: &str, node: At<'t>, outcome: Result<Value, String>) -> Done<Value> {
        let limit = self.scope.options.limits.output;
        let outcome = match outcome {
            Ok(Value::String(text)) if text.len() > limit => Err(format!("exceeded the limit of {limit} bytes")),
            outcome => outcome,
        };
        outcome.or_else(|message| {
            self.at = node;
            self.fail(format!("error calling {name}: {message}"))
        })
    }

    /// `and` and `or`: the first argument that decides; the others aren't evaluated.
    fn short_circuit(&mut self, dot: &Value, name: &str, args: &'t [Operand], last: Option<Value>) -> Done<Value> {
        if args.is_empty() && last.is_none() {
            return self.fail(format!("wrong number of args for {name}: want at least 1 got 0"));
        }
        let mut value = Value::Nil;
        for arg in args {
            value = self.argument(dot, arg, &Param::Any)?;
            if value.truth() == (name == "or") {
                return Ok(value);
            }
        }
        Ok(last.unwrap_or(value))
    }

    fn arguments(
        &mut self,
        dot: &Value,
        name: &str,
        params: &Params,
        args: &'t [Operand],
        last: Option<Value>,
    ) -> Done<Vec<Value>> {
        let given = args.len() + usize::from(last.is_some());
        let wanted = params.kinds.len();
        if params.variadic && given + 1 < wanted {
            let message = format!("wrong number of args for {name}: want at least {} got {}", wanted - 1, args.len());
            return self.fail(message);
        }
        if !params.variadic && given != wanted {
            return self.fail(format!("wrong number of args for {name}: want {wanted} got {given}"));
        }
        let mut argv = Vec::with_capacity(given);
        for (i, arg) in args.iter().enumerate() {
            let param = &params.kinds[i.min(wanted - 1)];
            argv.push(self.argument(dot, arg, param)?);
        }
        if let Some(value) = last {
            let param = &params.kinds[args.len().min(wanted - 1)];
            argv.push(self.check(value, param)?);
        }
        Ok(argv)
    }

    /// Evaluates an argument for a parameter: a constant takes the parameter's type, anything else must have it.
    fn argument(&mut self, dot: &Value, arg: &'t Operand, param: &Param) -> Done<Value> {
        self.at = At::Operand(arg);
        let (literal, wanted) = match &arg.kind {
            OperandKind::Nil => {
                return match param {
                    Param::Any => Ok(Value::Nil),
                    Param::Strings | Param::Class(_) => self.check(Value::Nil, param),
                    _ => self.fail(format!("cannot assign nil to {}", param.go_name())),
                };
            }
            OperandKind::Bool(b) => (Some(Value::Bool(*b)).filter(|_| matches!(param, Param::Bool)), "bool"),
            OperandKind::Number(number) => match param {
                Param::Int => (number.int.map(Value::Int), "integer"),
                Param::Duration => (number.int.map(|n| Value::Duration(Duration(n))), "integer"),
                Param::Float => (number.float.map(Value::Float), "float"),
                _ => (None, ""),
            },
            OperandKind::String { text, .. } => {
                (Some(Value::String(text.clone())).filter(|_| matches!(param, Param::String)), "string")
            }
            _ => {
                self.interface = false;
                let value = self.operand(dot, arg)?;
                if self.interface && matches!(value, Value::Nil) && !matches!(param, Param::Any) {
                    let wanted = param.go_name();
                    return self.fail(format!("wrong type for value; expected {wanted}; got interface {{}}"));
                }
                return self.check(value, param);
            }
        };
        match (literal, param) {
            (Some(value), _) => Ok(value),
            (None, Param::Any) => self.operand(dot, arg),
            (None, Param::Strings | Param::Time | Param::Class(_)) => {
                self.fail(format!("can't handle {arg} for arg of type {}", param.go_name()))
            }
            (None, _) => {
                let wanted = match param {
                    Param::Bool => "bool",
                    Param::Float => "float",
                    Param::String => "string",
                    Param::Int | Param::Duration => "integer",
                    _ => wanted,
                };
                self.fail(format!("expected {wanted}; found {arg}"))
            }
        }
    }

    /// Checks that a value has a parameter's type.
    fn check(&self, value: Value, param: &Param) -> Done<Value> {
        let fits = match (&value, param) {
            (_, Param::Any)
            | (Value::Bool(_), Param::Bool)
            | (Value::Int(_), Param::Int)
            | (Value::Float(_), Param::Float)
            | (Value::String(_), Param::String)
            | (Value::Time(_), Param::Time)
            | (Value::Duration(_), Param::Duration)
            | (Value::Nil, Param::Class(_)) => true,
            (Value::Nil, Param::Strings) => return Ok(Value::list(&STRING_LIST, Vec::new())),
            (Value::Nil, _) => return self.fail(format!("invalid value; expected {}", param.go_name())),
            (Value::List(list), Param::Strings) => list.class.name == STRING_LIST.name,
            (value, Param::Class(class)) => value.class().is_some_and(|c| c.name == class.name),
            _ => false,
        };
        if fits {
            return Ok(value);
        }
        let (wanted, got) = (param.go_name(), value.type_name());
        self.fail(format!("wrong type for value; expected {wanted}; got {got}"))
    }
}
