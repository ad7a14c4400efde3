//! PromQL: lexer, parser, printer, evaluator, and the runner of Prometheus' test scripts.
//!
//! Knows the model and nothing else: samples come through [`Source`], time is an argument, nothing here does I/O.
//! Begin at [`parse`], then [`query_instant`] or [`query_range`].

pub mod ast;
mod engine;
mod eval;
mod functions;
mod ops;
mod parser;
mod print;
mod quote;
pub mod script;
pub mod series;
mod source;

pub use engine::{Options, QueryError, QueryResult, QueryValue, query_instant, query_range};
pub use functions::{FUNCTIONS, Function, function};
pub use parser::{MAX_QUERY_DEPTH, MAX_QUERY_LENGTH, ParseError, ParserOptions, parse, position};
pub use print::{prettify, tree};
pub use source::{Cancel, Select, Source, SourceError};
