//! The configuration: `watchglass.toml` read, checked, and with its paths resolved.

mod default;
pub(crate) mod references;
pub(crate) mod schema;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use watchglass_model::Labels;
use watchglass_plugin::Secrets;
use watchglass_text::{Spanned, TextError};

pub(crate) use default::DEFAULT_TOML;

use schema::{Collector, File};

/// A checked configuration.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// The file, or none where the defaults run.
    pub(crate) path: Option<PathBuf>,
    /// Its text, for `/api/v1/status/config`; secrets are references there, never values.
    pub(crate) text: String,
    /// What it says.
    pub(crate) file: File,
    /// The folder that relative paths begin at: that of the file, else the working folder.
    base: PathBuf,
}

impl Config {
    /// Reads a file, or takes the defaults where none is given.
    pub(crate) fn load(path: Option<&Path>) -> Result<Config, TextError> {
        let Some(path) = path else {
            return Config::parse(DEFAULT_TOML.to_owned(), None);
        };
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|e| {
            TextError::whole(&shown, format!("cannot be read: {e}"))
                .with_hint("name the file with --config, or leave that away to run with the defaults")
        })?;
        Config::parse(text, Some(path.to_owned()))
    }

    fn parse(text: String, path: Option<PathBuf>) -> Result<Config, TextError> {
        let shown = path.as_ref().map_or_else(|| "defaults".to_owned(), |p| p.display().to_string());
        let file: File = watchglass_text::toml::from_str(&text, &shown)?;
        let base = path.as_ref().and_then(|p| p.parent()).map(Path::to_path_buf).unwrap_or_default();
        let config = Config { path, text, file, base };
        config.check(&shown)?;
        Ok(config)
    }

    /// What serde can't see: names that are used twice, values that contradict each other.
    fn check(&self, shown: &str) -> Result<(), TextError> {
        let mut names = BTreeSet::new();
        for entry in &self.file.collector {
            let c = &entry.value;
            let at = |message: String| TextError::at(shown, &self.text, entry.line, entry.column, message);
            if c.plugin.is_empty() {
                return Err(
                    at("collector without `plugin`".to_owned()).with_hint("plugin = \"node\" runs plugins/node.wasm")
                );
            }
            if c.plugin.contains(['/', '\\']) || c.plugin.starts_with('.') {
                return Err(at(format!("plugin `{}` is no plain name", c.plugin))
                    .with_hint("a plugin is named by its file in the plugin folder, without `.wasm`"));
            }
            if !names.insert(c.job()) {
                return Err(at(format!("collector `{}` is defined twice", c.job()))
                    .with_hint("give each a `name` of its own; it is the job label"));
            }
            let (interval, timeout) = (c.scrape_interval.or(self.file.global.scrape_interval), c.scrape_timeout);
            if let (Some(interval), Some(timeout)) = (interval, timeout)
                && timeout.ms > interval.ms
            {
                return Err(at(format!(
                    "collector `{}`: scrape_timeout {timeout} is greater than scrape_interval {interval}",
                    c.job()
                )));
            }
            for duration in [c.scrape_interval, c.scrape_timeout].into_iter().flatten() {
                if duration.ms <= 0 {
                    return Err(at(format!(
                        "collector `{}`: scrape_interval and scrape_timeout must be greater than 0",
                        c.job()
                    )));
                }
            }
            let options = references::as_json(c);
            if let Some(option) = references::in_plain(&options) {
                // What stands there may be the secret: it is not shown.
                return Err(at(format!(
                    "collector `{}`: `{option}` is none of env:NAME, file:PATH and secret:NAME",
                    c.job()
                ))
                .with_hint("secrets never stand in the file itself"));
            }
            for name in references::references(&options) {
                if !name.starts_with("env:") && !name.starts_with("file:") && !self.file.secrets.contains_key(&name) {
                    return Err(at(format!("collector `{}`: there is no secret `{name}` in [secrets]", c.job())));
                }
            }
            if c.native_histogram_min_bucket_factor < 0.0 {
                return Err(at(format!("collector `{}`: native_histogram_min_bucket_factor is below 0", c.job())));
            }
            for grant in &c.grants {
                grant.parse::<watchglass_plugin::Grant>().map_err(|e| at(format!("collector `{}`: {e}", c.job())))?;
            }
        }
        let mut names = BTreeSet::new();
        for entry in &self.file.rule_plugin {
            let (rule, name) = (&entry.value, entry.value.name());
            let at = |message: String| TextError::at(shown, &self.text, entry.line, entry.column, message);
            if rule.plugin.is_empty() {
                return Err(at("rule_plugin without `plugin`".to_owned())
                    .with_hint("plugin = \"disk-full\" runs plugins/disk-full.wasm"));
            }
            if rule.plugin.contains(['/', '\\']) || rule.plugin.starts_with('.') {
                return Err(at(format!("plugin `{}` is no plain name", rule.plugin))
                    .with_hint("a plugin is named by its file in the plugin folder, without `.wasm`"));
            }
            if !names.insert(name.clone()) {
                return Err(at(format!("rule_plugin `{name}` is defined twice"))
                    .with_hint("give each a `name` of its own; it is the rule group's"));
            }
            if [rule.interval, rule.timeout].into_iter().flatten().any(|d| d.ms <= 0) {
                return Err(at(format!("rule_plugin `{name}`: interval and timeout must be greater than 0")));
            }
            if let (Some(interval), Some(timeout)) = (rule.interval, rule.timeout)
                && timeout.ms > interval.ms
            {
                return Err(at(format!("rule_plugin `{name}`: timeout {timeout} is greater than interval {interval}")));
            }
        }
        if self.file.global.evaluation_interval.ms <= 0 {
            return Err(TextError::whole(shown, "evaluation_interval must be greater than 0"));
        }
        for pattern in self
            .file
            .rules
            .files
            .iter()
            .chain(self.file.collector.iter().flat_map(|c| c.value.file_sd_configs.iter().flat_map(|sd| &sd.files)))
        {
            if Path::new(pattern).parent().is_some_and(|dir| dir.to_string_lossy().contains('*')) {
                return Err(TextError::whole(
                    shown,
                    format!("`{pattern}`: `*` may stand in the last part of a path only"),
                ));
            }
        }
        self.listen_address().map_err(|e| TextError::whole(shown, e))?;
        for (name, value) in &self.file.secrets {
            if !value.starts_with("env:") && !value.starts_with("file:") {
                // The value itself may be the secret: it is not shown.
                return Err(TextError::whole(shown, format!("secret `{name}` is neither `env:NAME` nor `file:PATH`"))
                    .with_hint("secrets never stand in the file itself"));
            }
        }
        Ok(())
    }

    /// An error at an entry of the file.
    pub(crate) fn at<T>(&self, entry: &Spanned<T>, message: String) -> TextError {
        let shown = self.path.as_ref().map_or_else(|| "defaults".to_owned(), |p| p.display().to_string());
        TextError::at(&shown, &self.text, entry.line, entry.column, message)
    }

    /// `[web] listen` as an address.
    pub(crate) fn listen_address(&self) -> Result<std::net::SocketAddr, String> {
        let text = &self.file.web.listen;
        // `:9666` means every interface, as Go's servers have it.
        let full = if text.starts_with(':') { format!("0.0.0.0{text}") } else { text.clone() };
        full.parse().map_err(|_| format!("web.listen `{text}` is no address\nhint: write it like 127.0.0.1:9666, or 0.0.0.0:9666 to listen everywhere"))
    }

    /// A path of the file, seen from where we run.
    pub(crate) fn resolve(&self, path: &str) -> PathBuf {
        self.base.join(path)
    }

    /// The data directory.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.resolve(&self.file.storage.path)
    }

    /// The plugin folder: as configured, else `./plugins`, else the one beside the binary.
    pub(crate) fn plugins_dir(&self) -> PathBuf {
        if let Some(dir) = &self.file.plugins.dir {
            return self.resolve(dir);
        }
        let here = self.resolve("plugins");
        let beside = std::env::current_exe().ok().and_then(|exe| exe.parent().map(|dir| dir.join("plugins")));
        match beside {
            Some(beside) if !here.is_dir() && beside.is_dir() => beside,
            _ => here,
        }
    }

    /// Where compiled plugins are kept.
    pub(crate) fn cache_dir(&self) -> PathBuf {
        if let Some(dir) = &self.file.plugins.cache {
            return self.resolve(dir);
        }
        let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
        match std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home) {
            Some(cache) => cache.join("watchglass").join("compiled"),
            // A service without a home: beside its data.
            None => self.data_dir().join("compiled"),
        }
    }

    /// The rule files that `[rules] files` names, each once, sorted. A pattern without a match is none, as in Prometheus.
    pub(crate) fn rule_files(&self) -> Vec<PathBuf> {
        self.expand(&self.file.rules.files)
    }

    /// The files that names and patterns stand for.
    pub(crate) fn expand(&self, patterns: &[String]) -> Vec<PathBuf> {
        expand(&self.base, patterns)
    }

    /// The labels that go out with alerts.
    pub(crate) fn external_labels(&self) -> Labels {
        Labels::from_pairs(&self.file.global.external_labels)
    }

    /// The secrets of `[secrets]` and those that a configuration names itself, each read where and when it is used.
    pub(crate) fn secrets(&self, named: &BTreeSet<String>) -> Secrets {
        let listed = self.file.secrets.iter().map(|(name, reference)| (name.as_str(), reference.as_str()));
        let direct = named.iter().map(|name| (name.as_str(), name.as_str()));
        let secret = |reference: &str| references::secret(reference, &self.base);
        Secrets(direct.chain(listed).filter_map(|(name, r)| Some((name.to_owned(), secret(r)?))).collect())
    }
}

impl Collector {
    /// Its job label.
    pub(crate) fn job(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.plugin.clone())
    }
}

/// The files that names and patterns stand for, each once, sorted: `*` in the last part of a path. A name is one whether it is there or not.
pub(crate) fn expand(base: &Path, patterns: &[String]) -> Vec<PathBuf> {
    let mut files = BTreeSet::new();
    for pattern in patterns {
        let path = base.join(pattern);
        if !pattern.contains('*') {
            files.insert(path);
            continue;
        }
        let last = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for entry in std::fs::read_dir(path.parent().unwrap_or(Path::new("."))).into_iter().flatten().flatten() {
            if matches(&last, &entry.file_name().to_string_lossy()) {
                files.insert(entry.path());
            }
        }
    }
    files.into_iter().collect()
}

/// Whether a file name fits a pattern of text and `*`.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((before, after)) => name.strip_prefix(before).is_some_and(|rest| {
            rest.char_indices().map(|(i, _)| i).chain([rest.len()]).any(|i| matches(after, &rest[i..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_a_valid_file() {
        let config = Config::load(None).unwrap();
        assert_eq!(config.file.collector[0].value.job(), "node");
        assert!(config.file.rules.shipped);
    }

    #[test]
    fn patterns() {
        for (pattern, name, fits) in [
            ("*.yml", "a.yml", true),
            ("*.yml", "a.yaml", false),
            ("a*b*c", "aXbYc", true),
            ("a*", "a", true),
            ("a", "ab", false),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }
}
