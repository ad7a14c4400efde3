//! Where secrets come from.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// One secret.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// The value itself.
    Value(String),
    /// An environment variable of the daemon's.
    Env(String),
    /// A file, read anew at each use; line breaks at its end are not part of it.
    File(PathBuf),
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Secret::Value(_) => f.write_str("<secret>"),
            Secret::Env(name) => write!(f, "env:{name}"),
            Secret::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

/// Longest file of a secret: a chain of certificates is some ten KiB.
const MAX_FILE: u64 = 1 << 20;

/// The secrets that a collector's configuration names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secrets(
    /// By name.
    pub BTreeMap<String, Secret>,
);

impl Secrets {
    /// The value as it is now. `None`: there is no such secret. An error says why it can't be had, without its value.
    pub(crate) fn get(&self, name: &str) -> Option<Result<String, String>> {
        Some(match self.0.get(name)? {
            Secret::Value(value) => Ok(value.clone()),
            Secret::Env(variable) => std::env::var(variable)
                .map_err(|_| format!("secret \"{name}\": environment variable {variable} is not set, or no UTF-8")),
            Secret::File(path) => read_file(path).map_err(|e| format!("secret \"{name}\": {}: {e}", path.display())),
        })
    }
}

fn read_file(path: &std::path::Path) -> Result<String, String> {
    let size = std::fs::metadata(path).map_err(|e| e.to_string())?.len();
    if size > MAX_FILE {
        return Err(format!("{size} bytes are more than the {MAX_FILE} of the longest secret"));
    }
    let mut text = std::fs::read_to_string(path).map_err(|e| e.to_string())?;
    text.truncate(text.trim_end_matches(['\r', '\n']).len());
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_at_each_use() -> Result<(), Box<dyn std::error::Error>> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("password");
        let secrets = Secrets(BTreeMap::from([("a".to_owned(), Secret::File(path.clone()))]));
        assert!(secrets.get("a").is_some_and(|r| r.is_err()), "no file yet");
        std::fs::write(&path, "one\n")?;
        assert_eq!(secrets.get("a"), Some(Ok("one".to_owned())));
        std::fs::write(&path, " two \r\n\n")?;
        assert_eq!(secrets.get("a"), Some(Ok(" two ".to_owned())));
        assert_eq!(secrets.get("b"), None);
        assert!(!format!("{:?}", Secret::Value("hidden".into())).contains("hidden"));
        Ok(())
    }
}
