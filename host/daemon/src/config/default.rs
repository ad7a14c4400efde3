//! What runs where no config file is given, written as the file that says the same.

/// The file that the absence of one stands for. Parsed like any other and printed in the log, so that it can't drift from what runs.
pub(crate) const DEFAULT_TOML: &str = r#"[web]
listen = "127.0.0.1:9666"

[storage]
path = "data"
retention = "15d"

[rules]
shipped = true

[[collector]]
name = "node"
plugin = "node"
grants = ["files:/proc", "files:/sys", "system:disk-usage"]
"#;
