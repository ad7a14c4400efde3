//! The subset of JSON Schema that plugins' configurations are checked with.
