//! The table of functions: what the parser has to know of each.

use crate::ast::ValueType;

/// A function's signature.
#[derive(Debug, PartialEq)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// Types of its arguments; where `variadic` is not 0, the last stands for all further ones.
    pub args: &'static [ValueType],
    /// 0: takes just `args`. n > 0: the last n of `args` may be left out... -1: the last may be repeated at will, or be left out.
    pub variadic: i8,
    /// What it gives.
    pub returns: ValueType,
    /// Only with `experimental_functions`.
    pub experimental: bool,
}
