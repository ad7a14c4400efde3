//! Rendering: templates, what they see, what they may call, and JSON as Go writes it.

pub mod data;
mod defaults;
pub mod functions;
pub mod json;

use std::path::{Path, PathBuf};

use watchglass_model::TimeMs;
use watchglass_text::template::{Limits, MissingKey, Options, TemplateError, Templates, Value};

/// The templates of one configuration: Alertmanager's own under their names, and the user's files.
#[derive(Clone, Debug)]
pub struct Renderer {
    templates: Templates,
    options: Options,
}

/// The largest template file.
const MAX_FILE_BYTES: u64 = 4 << 20;

impl Renderer {
    /// With the default templates alone.
    pub fn new() -> Result<Renderer, TemplateError> {
        let mut templates = Templates::new();
        templates.parse("default.tmpl", &defaults::text(), &functions::functions(0))?;
        let options = Options { missing_key: MissingKey::Zero, limits: Limits::default() };
        Ok(Renderer { templates, options })
    }

    /// With the default templates and the files that these patterns match, relative ones below `dir`.
    ///
    /// As in Alertmanager a pattern that matches nothing is fine, and `define`s in later files replace earlier ones.
    pub fn with_files(patterns: &[String], dir: &Path) -> Result<Renderer, TemplateFileError> {
        let wrong = |path: &Path, message: String| TemplateFileError { path: path.to_owned(), message };
        let mut renderer = Renderer::new().map_err(|e| wrong(Path::new("default.tmpl"), e.message))?;
        let functions = functions::functions(0);
        for pattern in patterns {
            for path in expand(&dir.join(pattern)).map_err(|e| wrong(Path::new(pattern), e))? {
                let large = std::fs::metadata(&path).map_err(|e| wrong(&path, e.to_string()))?.len() > MAX_FILE_BYTES;
                if large {
                    return Err(wrong(&path, format!("larger than {MAX_FILE_BYTES} bytes")));
                }
                let text = std::fs::read_to_string(&path).map_err(|e| wrong(&path, e.to_string()))?;
                let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
                renderer.templates.parse(&name, &text, &functions).map_err(|e| wrong(&path, e.message))?;
            }
        }
        Ok(renderer)
    }

    /// Renders a text. One without actions is taken as it is.
    pub fn text(&self, text: &str, data: &Value, now: TimeMs) -> Result<String, TemplateError> {
        if !text.contains("{{") {
            return Ok(text.to_owned());
        }
        let functions = functions::functions(now);
        let mut templates = self.templates.clone();
        templates.parse("", text, &functions)?;
        templates.execute("", data, &functions, &self.options)
    }
}

/// A template file that can't be used.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}: {message}", path.display())]
pub struct TemplateFileError {
    /// The file, or the pattern.
    pub path: PathBuf,
    /// What is wrong with it.
    pub message: String,
}

/// Checks that a text is a template that calls only functions there are.
pub fn check(text: &str) -> Result<(), TemplateError> {
    Templates::new().parse("", text, &functions::functions(0))
}

/// The files that a pattern matches, by name: `*`, `?` and `[...]` within a part of the path, as Go's `filepath.Glob`.
fn expand(pattern: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = vec![PathBuf::new()];
    for part in pattern.components() {
        let name = part.as_os_str().to_string_lossy();
        if !name.contains(['*', '?', '[', '\\']) {
            found.iter_mut().for_each(|path| path.push(part));
            continue;
        }
        let matcher = glob_regex(&name).ok_or_else(|| "syntax error in pattern".to_owned())?;
        let mut next = Vec::new();
        for dir in found {
            let dir = if dir.as_os_str().is_empty() { PathBuf::from(".") } else { dir };
            // A folder that isn't there matches nothing.
            let Ok(entries) = std::fs::read_dir(&dir) else { continue };
            let mut names: Vec<_> = entries.flatten().map(|e| e.file_name()).collect();
            names.sort();
            next.extend(names.into_iter().filter(|n| matcher.is_match(&n.to_string_lossy())).map(|n| dir.join(n)));
        }
        found = next;
    }
    found.retain(|path| path.is_file());
    Ok(found)
}

fn glob_regex(pattern: &str) -> Option<regex::Regex> {
    let mut regex = String::from("^(?s:");
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '*' => regex.push_str(".*"),
            '?' => regex.push('.'),
            '\\' => regex.push_str(&regex::escape(&chars.next()?.to_string())),
            '[' => {
                let (class, rest) = chars.as_str().split_once(']').filter(|(class, _)| !class.is_empty())?;
                let (negated, class) = class.strip_prefix('^').map_or((false, class), |class| (true, class));
                let escaped = class.replace('\\', "\\\\").replace('[', "\\[").replace('&', "\\&").replace('~', "\\~");
                regex.push_str(&format!("[{}{escaped}]", if negated { "^" } else { "" }));
                chars = rest.chars();
            }
            c => regex.push_str(&regex::escape(&c.to_string())),
        }
    }
    regex::Regex::new(&(regex + ")$")).ok()
}
