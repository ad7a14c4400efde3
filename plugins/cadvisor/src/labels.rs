//! The labels of a container's series.

use crate::engine::Known;
use crate::options::Options;
use crate::text::cut;

/// Longest value of a label, bytes: what a container's owner writes is not to blow up the store.
const MAX_VALUE: usize = 1_024;

/// Names of the labels that come from the operator's lists, made once a collection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    /// Series' label name and the container's label.
    labels: Vec<(String, String)>,
    /// Series' label name and the environment variable.
    env: Vec<(String, String)>,
}

impl Names {
    /// Makes them; two that become the same name are one, the first.
    pub(crate) fn new(options: &Options) -> Names {
        let make = |prefix: &str, wanted: &[String]| {
            let mut names: Vec<(String, String)> = Vec::new();
            for key in wanted {
                let name = format!("{prefix}{}", sanitized(key));
                if !names.iter().any(|(n, _)| *n == name) {
                    names.push((name, key.clone()));
                }
            }
            names
        };
        Names {
            labels: make("container_label_", &options.whitelisted_container_labels),
            env: make("container_env_", &options.env_metadata_whitelist),
        }
    }

    /// Gives a cgroup's labels, in order; those that it lacks are empty.
    pub(crate) fn of<'l>(&'l self, id: &'l str, known: Option<&'l Known>) -> Vec<(&'l str, &'l str)> {
        let mut out = Vec::with_capacity(self.labels.len() + self.env.len() + 3);
        for (name, key) in &self.env {
            let env = known.and_then(|k| k.inspected.as_ref()).map_or(&[][..], |i| &i.env);
            let value = env.iter().find_map(|e| e.strip_prefix(key.as_str())?.strip_prefix('='));
            out.push((name.as_str(), cut(value.unwrap_or(""), MAX_VALUE)));
        }
        for (name, key) in &self.labels {
            let value = known.and_then(|k| k.listed.labels.get(key));
            out.push((name.as_str(), cut(value.map_or("", String::as_str), MAX_VALUE)));
        }
        out.push(("id", id));
        out.push(("image", known.map_or("", |k| cut(k.image(), MAX_VALUE))));
        out.push(("name", known.map_or("", |k| cut(k.name(), MAX_VALUE))));
        out
    }
}

/// Makes a label's name of a key: what may not stand in one is `_`.
fn sanitized(key: &str) -> String {
    key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_become_names() {
        let o = Options::decode(&json!({"whitelisted_container_labels": ["a.b", "a-b", "é"]})).unwrap();
        let n = Names::new(&o);
        let names: Vec<&str> = n.of("/x", None).into_iter().map(|l| l.0).collect();
        assert_eq!(names, ["container_label_a_b", "container_label__", "id", "image", "name"]);
    }
}
