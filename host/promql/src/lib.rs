//! PromQL: lexer, parser, printer, evaluator, and the runner of Prometheus' test scripts.
//!
//! Knows the model and nothing else: samples come through [`Source`], time is an argument, nothing here does I/O.
//! Begin at [`parse`], then [`query_instant`] or [`query_range`].

pub mod ast;
mod engine;
mod functions;
mod parser;
mod source;

pub use engine::{Options, QueryError, QueryResult, QueryValue, query_instant, query_range};
pub use functions::Function;
pub use parser::{ParseError, ParserOptions, parse};
pub use source::{Cancel, Select, Source, SourceError};
