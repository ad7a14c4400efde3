//! Templates in labels and annotations: Go's, with Prometheus' functions.

mod functions;
mod humanize;
mod links;

use watchglass_model::{Labels, TimeMs, Value as SampleValue};
use watchglass_text::template::{Class, MissingKey, Options, STRING_MAP, Templates, Value, Zero};

use crate::rule::Query;

use self::functions::{Surroundings, functions};

pub(crate) use self::links::table_link;

/// What Prometheus puts before every template of a rule.
const DEFINITIONS: &str = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}\
    {{$externalURL := .ExternalURL}}{{$value := .Value}}";

/// The type of what a rule's template is executed with.
static DATA: Class = Class { name: "struct", methods: &[], zero: Zero::Nil };

/// What a template sees.
#[derive(Clone, Copy, Debug)]
pub struct TemplateData<'a> {
    /// `$labels`: those of the sample, its name included.
    pub labels: &'a Labels,
    /// `$externalLabels`.
    pub external_labels: &'a Labels,
    /// `$externalURL`.
    pub external_url: &'a str,
    /// `$value`.
    pub value: &'a SampleValue,
}

impl TemplateData<'_> {
    fn value(&self) -> Value {
        let value = match self.value {
            SampleValue::Float(v) => Value::Float(*v),
            SampleValue::Histogram(h) => Value::from(h.to_string()),
        };
        Value::object(
            &DATA,
            vec![
                ("Labels", "Labels", Value::string_map(&STRING_MAP, self.labels)),
                ("ExternalLabels", "ExternalLabels", Value::string_map(&STRING_MAP, self.external_labels)),
                ("ExternalURL", "ExternalURL", Value::from(self.external_url)),
                ("Value", "Value", value),
            ],
        )
    }
}

/// Expands a rule's template. `query` answers the function of that name.
pub fn expand(
    name: &str,
    text: &str,
    data: &TemplateData<'_>,
    now: TimeMs,
    query: &mut Query<'_>,
) -> Result<String, String> {
    // Most labels are plain texts.
    if !text.contains("{{") {
        return Ok(text.to_owned());
    }
    let text = format!("{DEFINITIONS}{text}");
    expand_value(name, &text, &data.value(), data.external_url, now, MissingKey::Zero, query)
}

/// Expands a template with any data, and without the variables of a rule.
pub fn expand_value(
    name: &str,
    text: &str,
    data: &Value,
    external_url: &str,
    now: TimeMs,
    missing_key: MissingKey,
    query: &mut Query<'_>,
) -> Result<String, String> {
    let funcs = functions(Surroundings { now, external_url, query });
    let mut templates = Templates::new();
    templates.parse(name, text, &funcs).map_err(|e| format!("error parsing template {name}: {e}"))?;
    let options = Options { missing_key, ..Options::default() };
    templates.execute(name, data, &funcs, &options).map_err(|e| format!("error executing template {name}: {e}"))
}

/// Parses a rule's template without executing it.
pub(crate) fn check(name: &str, text: &str) -> Result<(), String> {
    let mut none = |_: &str, _: TimeMs| Ok(Vec::new());
    let funcs = functions(Surroundings { now: 0, external_url: "", query: &mut none });
    Templates::new().parse(name, &format!("{DEFINITIONS}{text}"), &funcs).map_err(|e| e.to_string())
}
