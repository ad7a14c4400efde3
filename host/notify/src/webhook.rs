//! Generic webhooks: Alertmanager's JSON, version 4, or a body of the user's own making.

use watchglass_alerts::Notification;
use watchglass_text::template::Value;

use crate::render::json::{self, Object};

/// The body of Alertmanager's webhook: the template data, version, group key, and how many alerts were left out.
pub fn body(data: &Value, notification: &Notification, left_out: u64) -> Result<String, String> {
    let Value::Struct(fields) = data else { return Err("the template data is no struct".to_owned()) };
    let mut object = Object::new();
    for field in fields.fields.iter().filter(|f| !f.json.is_empty()) {
        object.raw(field.json, &json::value(&field.value)?);
    }
    object.text("version", "4").text("groupKey", &notification.group_key).raw("truncatedAlerts", &left_out.to_string());
    // Go's encoder ends with a newline.
    Ok(object.end() + "\n")
}

/// A body by `payload`: each text in it is a template, keys too. A text that reads as another kind of YAML becomes that: `"3"` a
/// number, `"{{ toJson .Alerts }}"` a list.
///
/// Alertmanager renders such a list's texts as templates once more; that would run what an alert says, so it isn't done here.
pub fn custom_body<E>(
    payload: &serde_json::Value,
    mut render: impl FnMut(&str) -> Result<String, E>,
) -> Result<String, E> {
    let rendered = rendered(payload, &mut render)?;
    let mut out = String::new();
    json::parsed(&mut out, &rendered);
    out.push('\n');
    Ok(out)
}

fn rendered<E>(
    value: &serde_json::Value,
    render: &mut impl FnMut(&str) -> Result<String, E>,
) -> Result<serde_json::Value, E> {
    use serde_json::Value as J;
    Ok(match value {
        J::String(text) => read(render(text)?),
        J::Array(items) => J::Array(items.iter().map(|item| rendered(item, render)).collect::<Result<_, E>>()?),
        J::Object(map) => {
            let mut object = serde_json::Map::new();
            for (key, item) in map {
                object.insert(render(key)?, rendered(item, render)?);
            }
            J::Object(object)
        }
        other => other.clone(),
    })
}

/// What a rendered text is as YAML; itself where it is a text or none.
fn read(text: String) -> serde_json::Value {
    match watchglass_text::yaml::from_str::<serde_json::Value>(&text, "payload") {
        Ok(serde_json::Value::String(_)) | Err(_) => serde_json::Value::String(text),
        Ok(value) => reread(value),
    }
}

/// The same for the texts inside what was read: an empty one is nothing, as in Alertmanager.
fn reread(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value as J;
    match value {
        J::String(text) => read(text),
        J::Array(items) => J::Array(items.into_iter().map(reread).collect()),
        J::Object(map) => J::Object(map.into_iter().map(|(key, item)| (key, reread(item))).collect()),
        other => other,
    }
}
